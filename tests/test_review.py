"""Every state of a transcript is kept; of two people at once one is told; a rerun never replaces a person's words."""

from __future__ import annotations

import datetime as dt
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CorrectionInvalid, RevisionConflict, RevisionMissing
from pipeline.review import Desk
from pipeline.revisions import Approval, CorrectedTurn, Correction, Cut, Entry, Token
from pipeline.types import Bilingual, Chapter, Provenance, Speaker, Transcript
from tests.test_corrections import revision, typed

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
MADE_BY = Provenance(tool="tribune 0")


def said(text: str) -> Transcript:
    return revision(("S1", text)).transcript


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk.of(tmp_path, "a" * 16)
    made.keep_recognition(said("the rough holds"), MADE_BY, now=NOW)
    return made


def test_a_save_is_a_numbered_revision_with_author_time_and_what_it_is_based_on(desk: Desk) -> None:
    correction = Correction(
        turns=(typed("the roof holds"),),
        cuts=(Cut(start_ms=0, end_ms=100, kind="mask"),),
        title=Bilingual(en="Roofs"),
        chapters=(Chapter(start_ms=0, end_ms=400, title="Roofs", language="en"),),
    )
    saved = desk.save(correction, author="Anna", based_on=1, now=NOW)
    assert desk.latest() == saved == desk.revision(2)
    assert (saved.cuts, saved.title, saved.session_id) == (correction.cuts, correction.title, "a" * 16)
    assert saved.chapters == correction.chapters
    assert [(entry.number, entry.author, entry.origin, entry.based_on) for entry in desk.history()] == [
        (1, "tribune 0", "recognition", None),
        (2, "Anna", "person", 1),
    ]
    assert saved.transcript.turns[0].text == "the roof holds"
    assert desk.revision(1).transcript.turns[0].text == "the rough holds"


def test_whoever_saves_second_is_told_who_was_first_and_keeps_their_draft(desk: Desk) -> None:
    desk.keep_draft("Ben", '{"typed": "the ruff"}', based_on=1)
    desk.save(Correction(turns=(typed("the roof"),)), author="Anna", based_on=1, now=NOW)
    with pytest.raises(RevisionConflict) as told:
        desk.save(Correction(turns=(typed("the ruff"),)), author="Ben", based_on=1, now=NOW)
    assert told.value.data == {"based_on": "1", "latest": "2", "author": "Anna", "saved_at": NOW.isoformat()}
    assert "Anna" in told.value.message("fr")
    draft = desk.draft("Ben")
    assert draft is not None
    assert (draft.payload, draft.based_on) == ('{"typed": "the ruff"}', 1)
    assert len(desk.history()) == 2


def test_of_many_who_save_at_once_exactly_one_is_first(desk: Desk) -> None:
    outcomes: list[str] = []

    def save(author: str) -> None:
        try:
            desk.save(Correction(turns=(typed(author),)), author=author, based_on=1, now=NOW)
            outcomes.append("saved")
        except RevisionConflict:
            outcomes.append("told")

    people = [threading.Thread(target=save, args=(f"p{number}",)) for number in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(outcomes) == ["saved", *["told"] * 7]


def test_a_draft_is_one_persons_and_gone_once_saved(desk: Desk) -> None:
    desk.keep_draft("Anna", "1", based_on=1)
    desk.keep_draft("Anna", "2", based_on=1)
    desk.keep_draft("../../Ben", "é", based_on=1)
    assert [found.payload for name in ("Anna", "../../Ben") if (found := desk.draft(name))] == ["2", "é"]
    desk.save(Correction(turns=(typed("yes"),)), author="Anna", based_on=1, now=NOW)
    assert desk.draft("Anna") is None
    assert desk.draft("../../Ben") is not None
    assert desk.draft("nobody") is None


def test_the_last_approval_decides_also_when_it_is_of_an_earlier_revision(desk: Desk) -> None:
    assert desk.approved() is None
    desk.save(Correction(turns=(typed("yes"),)), author="Anna", based_on=1, now=NOW)
    desk.approve(2, author="Anna", now=NOW)
    later = NOW + dt.timedelta(hours=1)
    approved = desk.approve(1, author="Ben", now=later)
    assert approved.entry.approval == Approval(revision=1, author="Ben", approved_at=later)
    assert desk.approved() == approved
    assert [entry.approval is not None for entry in desk.history()] == [True, True]


def test_recognition_is_a_new_revision_until_somebody_works_on_it(desk: Desk) -> None:
    desk.keep_recognition(said("the rough holds"), MADE_BY, now=NOW)
    assert len(desk.history()) == 1
    desk.keep_recognition(said("the roof"), MADE_BY, now=NOW)
    assert [entry.origin for entry in desk.history()] == ["recognition", "recognition"]
    assert desk.proposal() is None


@pytest.mark.parametrize("touch", ["save", "approve", "draft"])
def test_recognition_is_a_proposal_once_somebody_has_worked_on_the_text(desk: Desk, touch: str) -> None:
    if touch == "save":
        desk.save(Correction(turns=(typed("the roof holds"),)), author="Anna", based_on=1, now=NOW)
    elif touch == "approve":
        desk.approve(1, author="Anna", now=NOW)
    else:
        desk.keep_draft("Anna", "typed", based_on=1)
    before = desk.latest()
    desk.keep_recognition(said("the rough folds"), MADE_BY, now=NOW)
    assert desk.latest() == before
    proposal = desk.proposal()
    assert proposal is not None
    assert proposal.transcript == said("the rough folds")
    assert any(change.after == "folds" or "folds" in change.after for change in proposal.changes)
    taken = desk.take_proposal(author="Anna", based_on=before.number, now=NOW)
    assert (taken.entry.origin, taken.entry.author, taken.transcript) == ("proposal", "Anna", proposal.transcript)
    assert desk.proposal() is None
    desk.keep_recognition(said("the rough folds"), MADE_BY, now=NOW)
    assert desk.proposal() is None


def test_new_details_alone_propose_nothing(desk: Desk) -> None:
    desk.approve(1, author="Anna", now=NOW)
    named = replace(desk.latest().transcript, speakers=(Speaker(key="S1", name="Ada"),))
    desk.keep_recognition(named, MADE_BY, now=NOW)
    assert desk.proposal() is None
    assert len(desk.history()) == 1


def test_a_proposal_is_taken_by_who_has_seen_the_latest_only(desk: Desk) -> None:
    desk.save(Correction(turns=(typed("one"),)), author="Anna", based_on=1, now=NOW)
    with pytest.raises(RevisionMissing):
        desk.take_proposal(author="Ben", based_on=2, now=NOW)
    desk.keep_recognition(said("two"), MADE_BY, now=NOW)
    with pytest.raises(RevisionConflict):
        desk.take_proposal(author="Ben", based_on=1, now=NOW)
    assert desk.proposal() is not None


def test_what_is_not_there_is_told(tmp_path: Path, desk: Desk) -> None:
    empty = Desk.of(tmp_path, "b" * 16)
    with pytest.raises(RevisionMissing) as told:
        empty.latest()
    assert "b" * 16 in told.value.message("en")
    assert empty.history() == ()
    assert empty.approved() is None
    for number in (0, 2):
        with pytest.raises(RevisionMissing):
            desk.revision(number)
    with pytest.raises(RevisionMissing):
        desk.approve(2, author="Anna", now=NOW)


def test_a_session_cannot_be_cut_away_whole(desk: Desk) -> None:
    whole = Cut(start_ms=0, end_ms=10**9, kind="remove")
    with pytest.raises(CorrectionInvalid):
        desk.save(Correction(turns=(typed("x"),), cuts=(whole,)), author="Anna", based_on=1, now=NOW)


@given(st.lists(st.text(alphabet='abé«…<>&\\"', min_size=1, max_size=5), max_size=6))
def test_whatever_is_typed_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    desk = Desk.of(tmp_path_factory.mktemp("desk"), "a" * 16)
    desk.keep_recognition(said("one two"), MADE_BY, now=NOW)
    turn = CorrectedTurn(speaker=None, tokens=tuple(Token(text=text) for text in texts))
    saved = desk.save(Correction(turns=(turn,)), author="<Anna>", based_on=1, now=NOW)
    assert [word.text for word in desk.latest().transcript.words] == texts
    assert desk.latest() == saved


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Entry(number=0, author="a", saved_at=NOW, origin="person"),
        lambda: Entry(number=1, author=" ", saved_at=NOW, origin="person"),
        lambda: Entry(number=2, author="a", saved_at=NOW, origin="person", based_on=2),
        lambda: Entry(number=1, author="a", saved_at=NOW.replace(tzinfo=None), origin="person"),
        lambda: Cut(start_ms=5, end_ms=5, kind="remove"),
        lambda: CorrectedTurn(speaker="../S1", tokens=()),
        lambda: Correction(turns=(), names=(("S1", "a"), ("S1", "b"))),
        lambda: Correction(turns=(), names=(("S1", " "),)),
        lambda: Correction(
            turns=(), cuts=(Cut(start_ms=0, end_ms=9, kind="mask"), Cut(start_ms=5, end_ms=20, kind="remove"))
        ),
    ],
)
def test_values_that_mean_nothing_cannot_be_made(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=r"."):
        wrong()


def chapter(start_ms: int, end_ms: int) -> Chapter:
    return Chapter(start_ms=start_ms, end_ms=end_ms, title="Roofs", language="en")


@pytest.mark.parametrize("wrong", [(chapter(0, 9), chapter(5, 20)), (chapter(5, 9), chapter(0, 5)), (chapter(5, 5),)])
def test_chapters_are_in_order_apart_and_take_time(desk: Desk, wrong: tuple[Chapter, ...]) -> None:
    for make in (lambda: Correction(turns=(), chapters=wrong), lambda: replace(desk.latest(), chapters=wrong)):
        with pytest.raises(ValueError, match="chapter"):
            make()


def test_a_chapter_that_reaches_beyond_the_recording_is_refused(desk: Desk) -> None:
    duration_ms = desk.latest().transcript.duration_ms
    correction = Correction(turns=(typed("x"),), chapters=(chapter(0, duration_ms + 1),))
    with pytest.raises(CorrectionInvalid):
        desk.save(correction, author="Anna", based_on=1, now=NOW)
    assert len(desk.history()) == 1


def test_a_revision_that_was_kept_before_there_were_chapters_leaves_them_to_the_words(desk: Desk) -> None:
    path = desk.folder / "revisions" / "000001.json"
    kept = json.loads(path.read_bytes())
    assert kept.pop("chapters") is None
    path.write_text(json.dumps(kept), encoding="utf-8")
    assert desk.latest().chapters is None


def test_a_revision_knows_whose_it_is(desk: Desk) -> None:
    assert replace(desk.latest(), cuts=()).session_id == "a" * 16
