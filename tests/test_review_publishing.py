"""What a person approves is what learners get: words, names, cuts; what is recognised later only proposes."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pytest
from webvtt import WebVTT

from models.whisper import WhisperRecognizer
from pipeline.details import Details, session_for
from pipeline.errors import ReviewAwaited
from pipeline.media import probe
from pipeline.ports import Diarizer
from pipeline.process import process, republish
from pipeline.render.json import read_transcript
from pipeline.revisions import CorrectedTurn, Correction, Cut, Revision, Token
from pipeline.s3 import S3Store
from pipeline.stages import Stage, Work, checkpointed
from pipeline.types import (
    Bilingual,
    Chapter,
    Provenance,
    Publication,
    Recording,
    Speaker,
    Transcript,
    Turn,
    Word,
)
from pipeline.verification import verify
from tests.clips import LIMITS, cut
from tests.test_process import OPTIONS, SAMPLES, RealEngines, at_work, body, take

NOW = dt.datetime(2026, 3, 1, 22, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
NUMBER = ("613", "555", "0142")
GIVEN = Details(languages=("en",), title="Council")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """12 s of a meeting, with pictures."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    cut(SAMPLES / "en" / "council_meeting.mp4", path, start_s=20, length_s=12)
    return take(path)


@pytest.fixture
def work(film: Recording, tmp_path: Path, recognizer: WhisperRecognizer, diarizer: Diarizer, store: S3Store) -> Work:
    return at_work(film, tmp_path, RealEngines(recognizer, lambda: diarizer), store)


def go(work: Work, given: Details = GIVEN) -> Publication:
    return process(
        work, session_for(work.recording, given), complete=lambda tags: session_for(work.recording, given, tags)
    )


def as_it_is(revision: Revision) -> list[list[Token]]:
    """Return every word as an editor would send it untouched, turn by turn."""
    numbers = iter(range(len(revision.transcript.words)))
    return [[Token(text=word.text, was=next(numbers)) for word in turn.words] for turn in revision.transcript.turns]


def corrected(revision: Revision, turns: list[list[Token]]) -> Correction:
    speakers = [turn.speaker for turn in revision.transcript.turns]
    made = (CorrectedTurn(speaker=key, tokens=tuple(tokens)) for key, tokens in zip(speakers, turns, strict=True))
    return Correction(turns=tuple(made))


def test_what_is_approved_replaces_what_was_recognised_everywhere(work: Work, store: S3Store) -> None:
    first = go(work)
    page = store.read(f"sessions/{first.session_id}/en.html")
    assert page is not None
    assert b"Nobody has reviewed them yet" in page[0]
    recognised = work.desk.latest()
    words, turns = recognised.transcript.words, as_it_is(recognised)
    turns[0][1] = Token(text="Zanzibar")
    retyped = [f"{word.text}s" for word in words[7:13]]
    # Typed anew, where these words are heard is found out only when they are published.
    turns[0][7:13] = [Token(text=text) for text in (*retyped, *NUMBER)]
    work.desk.save(corrected(recognised, turns), author="Anna", based_on=1, now=NOW)
    typed = work.desk.latest()
    number = [word for word in typed.transcript.words if word.text in NUMBER]
    hidden, last = words[5], words[-1]
    cuts = (
        Cut(start_ms=hidden.start_ms, end_ms=hidden.end_ms, kind="mask", picture="black"),
        Cut(start_ms=number[0].start_ms, end_ms=number[-1].end_ms, kind="mask"),
        Cut(start_ms=words[-4].start_ms, end_ms=last.end_ms, kind="remove"),
    )
    key = recognised.transcript.turns[0].speaker
    assert key is not None
    correction = replace(
        corrected(typed, as_it_is(typed)),
        names=((key, "Ada Byron"),),
        cuts=cuts,
        title=Bilingual(en="Council, reviewed"),
    )
    saved = work.desk.save(correction, author="Anna", based_on=2, now=NOW)
    work.desk.approve(saved.number, author="Anna", now=NOW)

    second = republish(work, session_for(work.recording, GIVEN), complete=lambda _: session_for(work.recording, GIVEN))
    assert second.revision.startswith("r2-")
    assert verify(second.session_id, store, thorough=True) == ()
    published = read_transcript(body(store, second, "transcript.en.json"))
    texts = [word.text for word in published.words]
    assert texts[1] == "Zanzibar"
    assert published.words[1].timed == "aligned"
    assert texts[5] == "[…]"
    assert texts[6:] == [words[6].text, *retyped, "[…]", *(word.text for word in words[13:-4])]
    assert published.speakers[0].name == "Ada Byron"
    vtt = body(store, second, "captions.en.vtt")
    assert "Zanzibar" in vtt
    assert "Ada Byron" in vtt
    assert "reviewed by a person on March\u00a01, 2026" in vtt
    page = store.read(f"sessions/{second.session_id}/fr.html")
    assert page is not None
    html = page[0].decode()
    assert "révisés par une personne le 1er\u00a0mars 2026" in html
    assert "Council, reviewed" in html
    assert "Zanzibar" in html
    duration_ms = probe(work.folder / "video.mp4", LIMITS).duration_ms
    whole_ms = probe(work.recording.path, LIMITS).duration_ms
    assert abs(whole_ms - cuts[2].duration_ms - duration_ms) < 100
    assert abs(published.duration_ms - duration_ms) < 100
    # What was cut is nowhere any more.
    left = [item.key for item in store.list(f"sessions/{second.session_id}/")]
    assert not any(f"/{first.revision}/" in key for key in left)

    again = go(work)
    assert again.revision == second.revision
    assert again.written == 0


def test_a_persons_chapters_are_the_published_ones_on_the_clock_of_what_is_left(
    work: Work, film: Recording, store: S3Store
) -> None:
    session = session_for(film, GIVEN)
    words = tuple(
        Word(start_ms=500 * at, end_ms=500 * at + 400, text=f"word{at}.", probability=0.9, language="en")
        for at in range(23)
    )
    turn = Turn(speaker="S1", words=words)
    said = Transcript(
        session_id=session.id, language="en", duration_ms=12_000, turns=(turn,), speakers=(Speaker(key="S1"),)
    )
    work.desk.keep_recognition(said, Provenance(tool="tests"), now=NOW)
    chapters = tuple(
        Chapter(start_ms=start, end_ms=end, title=title, language="en")
        for start, end, title in ((1000, 4000, "Budget"), (4000, 6000, "Staff"), (6000, 12_000, "Roofs & <pipes>"))
    )
    correction = replace(
        corrected(work.desk.latest(), as_it_is(work.desk.latest())),
        cuts=(Cut(start_ms=3500, end_ms=6500, kind="remove"),),
        chapters=chapters,
    )
    work.desk.save(correction, author="Anna", based_on=1, now=NOW)
    work.desk.approve(2, author="Anna", now=NOW)
    published = republish(work, session, complete=lambda _: session)
    told = WebVTT.from_string(body(store, published, "chapters.en.vtt"))
    assert [(cue.start, cue.end, cue.text) for cue in told.captions] == [
        ("00:00:01.000", "00:00:03.500", "Budget"),
        ("00:00:03.500", "00:00:09.000", "Roofs &amp; &lt;pipes&gt;"),
    ]
    page = store.read(f"sessions/{published.session_id}/en.html")
    assert page is not None
    nav = page[0].decode().split('<nav class="chapters"')[1].split("</nav>")[0]
    assert nav.index("#t=1") < nav.index("Budget") < nav.index("#t=3.5") < nav.index("Roofs &amp; &lt;pipes&gt;")
    assert "Staff" not in nav
    markdown = body(store, published, "transcript.en.md")
    before, budget, roofs = (re.findall(r"word\d+", part.lower()) for part in re.split("## Budget|## Roofs", markdown))
    assert (before[-2:], budget[0], budget[-1], roofs[0]) == (["word0", "word1"], "word2", "word6", "word13")

    work.desk.save(replace(correction, chapters=()), author="Anna", based_on=2, now=NOW)
    work.desk.approve(3, author="Anna", now=NOW)
    again = republish(work, session, complete=lambda _: session)
    page = store.read(f"sessions/{again.session_id}/en.html")
    assert page is not None
    assert b'class="chapters"' not in page[0]


def test_what_is_approved_in_the_moment_in_which_a_run_begins_is_what_it_publishes(
    work: Work, film: Recording, store: S3Store
) -> None:
    session = session_for(film, GIVEN)
    words = (Word(start_ms=0, end_ms=400, text="Word.", probability=0.9, language="en"),)
    said = Transcript(
        session_id=session.id, language="en", duration_ms=12_000, turns=(Turn(speaker=None, words=words),)
    )
    work.desk.keep_recognition(said, Provenance(tool="tests"), now=NOW)
    latest = work.desk.latest()
    work.desk.save(corrected(latest, [[Token(text="Better.", was=0)]]), author="Anna", based_on=1, now=NOW)
    work.desk.approve(1, author="Anna", now=NOW)

    def tell(stage: Stage, share: float) -> None:
        # Up to now the journal says that the recording waits for this run, so that nobody asks for another one.
        if (stage, share) == ("media", 0.0):
            work.desk.approve(2, author="Anna", now=NOW)

    starting = replace(work, run=checkpointed(work.folder / "finished", tell))
    published = republish(starting, session, complete=lambda _: session)
    assert "Better." in body(store, published, "transcript.en.txt")


def test_nothing_is_published_before_it_is_approved_where_that_is_required(work: Work, store: S3Store) -> None:
    strict = replace(work, options=replace(OPTIONS, review_required=True))
    with pytest.raises(ReviewAwaited):
        go(strict)
    with pytest.raises(ReviewAwaited):
        republish(strict, session_for(work.recording, GIVEN), complete=lambda _: session_for(work.recording, GIVEN))
    assert list(store.list("")) == []
    strict.desk.approve(1, author="Anna", now=NOW)
    assert go(strict).revision.startswith("r1-")


def test_what_is_recognised_later_is_a_proposal_and_changes_nothing_that_is_published(
    work: Work, store: S3Store
) -> None:
    go(work)
    recognised = work.desk.latest()
    turns = as_it_is(recognised)
    turns[0][0] = Token(text="Reviewed", was=0)
    saved = work.desk.save(corrected(recognised, turns), author="Anna", based_on=1, now=NOW)
    work.desk.approve(saved.number, author="Anna", now=NOW)
    published = go(work)
    # As another model would: other words, the same recording.
    other = replace(work.options, speakers=replace(work.options.speakers, tolerance_ms=0, paragraph_ms=1))
    work.desk.keep_recognition(
        replace(recognised.transcript, turns=recognised.transcript.turns[:-1] or ()), recognised.provenance, now=NOW
    )
    assert work.desk.proposal() is not None
    again = go(replace(work, options=other))
    assert again.revision == published.revision
    assert work.desk.latest() == work.desk.approved() == work.desk.revision(2)
