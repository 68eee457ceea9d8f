"""Captions that come back corrected are a revision; what cannot be taken is told, and nothing is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from config.caption_rules import load_all
from pipeline.caption_files import open_captions
from pipeline.caption_rules import CaptionRules
from pipeline.captions import make_cues
from pipeline.corrections import revise
from pipeline.cuts import apply_cuts
from pipeline.editing import edit
from pipeline.render import FORMATS, Document
from pipeline.return_folder import take_returned
from pipeline.returned import correction_of, lines_of, mark_of
from pipeline.review import Desk
from pipeline.revisions import Correction, Cut, Revision
from pipeline.types import Bilingual, Chapter, Provenance, Review, Session, Speaker
from tests.test_corrections import revision, typed

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
ID = "a" * 16
RULES = load_all()


def spoken() -> Revision:
    made = revision(
        ("S1", "Welcome to the fifth session about plain language. We begin right now."),
        ("S2", "Thank you for having me: I am glad to be here today."),
        ("S1", "So tell us how you write."),
    )
    speakers = (Speaker(key="S1", name="Éric Côté"), Speaker(key="S2"))
    return replace(made, transcript=replace(made.transcript, speakers=speakers))


def exported(of: Revision, form: str, *, approved: int | None = None, rules: Mapping[str, CaptionRules] = RULES) -> str:
    transcript = apply_cuts(of.transcript, of.cuts)
    review = Review(revision=approved, day=NOW.date()) if approved else None
    document = Document(
        session=Session(id=ID, title=Bilingual(en="Plain"), languages=("en",)),
        transcript=transcript,
        edited=edit(transcript, ()),
        cues=make_cues(transcript, rules),
        provenance=Provenance(tool="tribune 0", review=review),
    )
    return FORMATS[form].body(document).decode("utf-8")


def back(text: str, of: Revision, extension: str) -> Correction:
    read = open_captions(text.encode(), f"captions{extension}").read
    return correction_of(lines_of(read, of.transcript), of)


@pytest.mark.parametrize(("form", "extension"), [("webvtt", ".vtt"), ("srt", ".srt"), ("ttml", ".ttml")])
def test_a_file_that_nobody_changed_says_what_the_revision_says(form: str, extension: str) -> None:
    before = spoken()
    assert revise(before, back(exported(before, form), before, extension)) == before.transcript


@pytest.mark.parametrize(("form", "extension"), [("webvtt", ".vtt"), ("srt", ".srt"), ("ttml", ".ttml")])
def test_signs_that_a_format_has_to_do_without_stay(form: str, extension: str) -> None:
    before = revision(("S1", "We write <b>bold</b> --> {x} C:\\a at 0:12:30.5 & 3 < 4 👍 été here."))
    assert revise(before, back(exported(before, form), before, extension)) == before.transcript
    text = exported(before, form).replace("here.", "there.")
    changed = [word.text for word in revise(before, back(text, before, extension)).words]
    assert changed == [*(word.text for word in before.transcript.words[:-1]), "there."]


@pytest.mark.parametrize(("form", "extension"), [("webvtt", ".vtt"), ("srt", ".srt"), ("ttml", ".ttml")])
def test_words_and_names_that_were_changed_are_changed_and_nothing_else(form: str, extension: str) -> None:
    before = spoken()
    text = exported(before, form).replace("fifth", "first").replace("Speaker 2", "Anna Roy")
    after = revise(before, back(text, before, extension))
    assert after.turns[0].text == before.transcript.turns[0].text.replace("fifth", "first")
    assert [turn.text for turn in after.turns[1:]] == [turn.text for turn in before.transcript.turns[1:]]
    assert [word.timed for word in after.words].count("interpolated") == 1
    assert after.speakers == (Speaker(key="S1", name="Éric Côté"), Speaker(key="S2", name="Anna Roy"))


def test_a_name_in_small_letters_is_known_where_it_stands_before_a_colon() -> None:
    made = spoken()
    speakers = (Speaker(key="S1", name="bell hooks"), Speaker(key="S2", name="Anna Roy (ESDC)"))
    before = replace(made, transcript=replace(made.transcript, speakers=speakers))
    assert revise(before, back(exported(before, "srt"), before, ".srt")) == before.transcript


def test_spaces_and_apostrophes_that_another_typography_sets_are_no_correction() -> None:
    made = revision(("S1", "Oui, vraiment? C'est sûr; merci!"))
    before = replace(made, transcript=replace(made.transcript, language="fr"))
    words = tuple(replace(word, language="fr") for word in before.transcript.words)
    turns = (replace(before.transcript.turns[0], words=words),)
    before = replace(before, transcript=replace(before.transcript, turns=turns))
    text = exported(before, "srt", rules=load_all("fr-FR")).replace("'", "’")
    assert "vraiment\u202f?" in text
    assert revise(before, back(text, before, ".srt")) == before.transcript


def test_a_passage_can_be_given_to_somebody_else() -> None:
    before = spoken()
    text = exported(before, "srt")
    head, _, last = text.rpartition("Éric Côté:")
    after = revise(before, back(f"{head}Speaker 2:{last}", before, ".srt"))
    assert [turn.speaker for turn in after.turns] == ["S1", "S2", "S2"]


def test_a_persons_chapters_stay() -> None:
    chapters = (Chapter(start_ms=0, end_ms=400, title="Opening", language="en"),)
    reviewed = replace(spoken(), chapters=chapters)
    assert back(exported(reviewed, "webvtt"), reviewed, ".vtt").chapters == chapters


def test_what_the_captions_could_not_show_stays() -> None:
    whole = spoken()
    words = whole.transcript.words
    cuts = (
        Cut(start_ms=words[3].start_ms, end_ms=words[3].end_ms, kind="mask"),
        Cut(start_ms=words[9].start_ms, end_ms=words[11].end_ms, kind="remove"),
    )
    before = replace(whole, cuts=cuts)
    correction = back(exported(before, "webvtt").replace("glad", "happy"), before, ".vtt")
    assert correction.cuts == cuts
    after = revise(before, correction)
    assert [word.text.replace("happy", "glad") for word in after.words] == [word.text for word in words]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (f"WEBVTT\n\nNOTE\nPlain\n{ID} r3\n\n1\n00:01.000 --> 00:02.000\nHello", "x.vtt", (ID, 3)),
        ("1\n00:00:01,000 --> 00:00:02,000\nHello", f"{ID}.srt", (ID, None)),
        (f"1\n00:00:01,000 --> 00:00:02,000\n{ID}", "talk.srt", None),
    ],
)
def test_a_file_is_recognised_by_its_heading_or_its_name(
    text: str, name: str, expected: tuple[str, int | None] | None
) -> None:
    mark = mark_of(open_captions(text.encode(), name).read.notes, name)
    assert (mark and (mark.session_id, mark.revision)) == expected


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk.of(tmp_path / "work", ID)
    made.keep_recognition(spoken().transcript, Provenance(tool="tribune 0"), now=NOW)
    return made


def drop(tmp_path: Path, name: str, text: str | bytes) -> Path:
    """Drop a file and let it be looked at; return the folder."""
    folder = tmp_path / "review"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    take_returned(folder, tmp_path / "work", settle_ms=0, now=NOW)
    assert not (folder / name).exists()
    return folder


def test_a_returned_file_is_a_revision_by_its_name_and_is_told_of_in_both_languages(tmp_path: Path, desk: Desk) -> None:
    text = exported(desk.latest(), "webvtt").replace("fifth", "first")
    folder = drop(tmp_path, "Éric's.vtt", text)
    latest = desk.latest()
    assert (latest.entry.origin, latest.entry.author, latest.entry.based_on) == ("file", "Éric's.vtt", 1)
    assert "first" in latest.transcript.turns[0].text
    told = (folder / "taken" / "Éric's.vtt.txt").read_text(encoding="utf-8")
    assert "revision 2" in told
    assert "révision 2" in told
    assert (folder / "taken" / "Éric's.vtt").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("form", "name", "encoding", "said"),
    [
        ("srt", f"{ID}.srt", "cp1252", "Windows-1252"),
        ("ttml", "x.ttml", "utf-16", ""),
        ("srt", f"{ID}.srt", "utf-16", ""),
    ],
)
def test_a_file_of_another_encoding_or_kind_is_taken_as_well(
    tmp_path: Path, desk: Desk, form: str, name: str, encoding: str, said: str
) -> None:
    text = exported(desk.latest(), form).replace("fifth", "first").replace("UTF-8", encoding)
    folder = drop(tmp_path, name, text.encode(encoding))
    latest = desk.latest()
    assert latest.transcript.turns[0].text == spoken().transcript.turns[0].text.replace("fifth", "first")
    assert latest.transcript.speakers == spoken().transcript.speakers
    assert said in (folder / "taken" / f"{name}.txt").read_text(encoding="utf-8")


def test_a_file_that_says_nothing_new_is_no_revision(tmp_path: Path, desk: Desk) -> None:
    drop(tmp_path, "same.vtt", exported(desk.latest(), "webvtt"))
    assert len(desk.history()) == 1


def test_a_file_made_from_an_older_revision_undoes_nothing(tmp_path: Path, desk: Desk) -> None:
    text = exported(desk.latest(), "webvtt").replace("fifth", "first")
    desk.save(Correction(turns=(typed("something else"),)), author="Anna", based_on=1, now=NOW)
    folder = drop(tmp_path, "late.vtt", text)
    assert len(desk.history()) == 2
    assert "Anna" in (folder / "refused" / "late.vtt.txt").read_text(encoding="utf-8")
    assert (folder / "refused" / "late.vtt").is_file()


def test_a_file_made_from_an_approved_revision_is_known_by_its_number(tmp_path: Path, desk: Desk) -> None:
    before = desk.latest()
    same = back(exported(before, "webvtt").replace("fifth", "first"), before, ".vtt")
    saved = desk.save(same, author="Anna", based_on=1, now=NOW)
    drop(tmp_path, "again.vtt", exported(saved, "webvtt", approved=2).replace("glad", "happy"))
    assert desk.latest().number == 3


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("no id.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "does not say which session"),
        (f"{ID}.srt", b"nothing", "is no file of captions"),
        (f"{ID}.vtt", b"no captions", "is no file of captions"),
        (f"{ID}.vtt", b"WEBVTT\n\n", "holds no captions"),
        (f"{ID}.vtt", b"WEBVTT\n\n00:01.000 -> 00:02.000\nHello\n", "holds no captions"),
        (f"{ID}.ttml", b'<tt xmlns="http://www.w3.org/ns/ttml"><body>', "is damaged"),
        (f"{ID}.srt", b"\xff\xfe\x00", "is no text"),
        (f"{ID}.docx", b"PK", "Word document"),
        (f"{ID}.srt", b"0" * 20_000_001, "larger than 20\u00a0MB"),
        (f"{ID}.srt", b"1\n00:00:01,000 --> 00:00:02,000\nSomething altogether different was said\n", "out of 100"),
        (f"{'b' * 16}.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "There is no session"),
    ],
)
def test_what_cannot_be_taken_lies_aside_with_the_reason(
    tmp_path: Path, desk: Desk, name: str, text: bytes, said: str
) -> None:
    folder = drop(tmp_path, name, text)
    assert (folder / "refused" / name).read_bytes() == text
    assert said in (folder / "refused" / f"{name}.txt").read_text(encoding="utf-8")
    assert len(desk.history()) == 1


def test_a_file_that_is_still_being_written_is_left_alone(tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "review").mkdir()
    (tmp_path / "review" / "new.vtt").write_text(exported(desk.latest(), "webvtt").replace("fifth", "first"))
    take_returned(tmp_path / "review", tmp_path / "work", settle_ms=60_000, now=NOW)
    assert (tmp_path / "review" / "new.vtt").is_file()
    assert len(desk.history()) == 1


def test_a_file_that_somebody_writes_again_as_it_is_read_is_read_when_it_is_whole(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = exported(desk.latest(), "webvtt").replace("fifth", "first")
    path = tmp_path / "review" / "new.vtt"
    path.parent.mkdir()
    path.write_text(text.replace("first", "thirst"))
    read = Path.read_bytes

    def write_first(self: Path) -> bytes:
        if self == path:
            path.write_text(text[: text.index("first")])
        return read(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", write_first)
        take_returned(path.parent, tmp_path / "work", settle_ms=0, now=NOW)
    assert len(desk.history()) == 1
    path.write_text(text)
    take_returned(path.parent, tmp_path / "work", settle_ms=0, now=NOW)
    assert "first" in desk.latest().transcript.turns[0].text
    assert (path.parent / "taken" / "new.vtt").is_file()
