"""The journal: records that survive, plans that are finished, names that are never taken twice."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.details import Details
from pipeline.journal import (
    Changed,
    Claimed,
    Drop,
    Failed,
    NeedsReview,
    Plan,
    Processing,
    Published,
    Rejected,
    SessionRecord,
    Stamp,
    State,
    Withdrawn,
    commit,
    decode_name,
    encode_name,
    heal,
    journal,
    plan_move,
    read_record,
    read_records,
    record_state,
    request_publication,
    session_folder,
    write_record,
)
from pipeline.serial import to_json
from pipeline.types import Bilingual, Notice, Recording, Session, SpeakerCount

SHA256 = "ab" * 32
ID = SHA256[:16]


@pytest.fixture
def record(tmp_path: Path) -> SessionRecord:
    return SessionRecord(
        recording=Recording(path=tmp_path / ID / "recording.mp4", name="é\\x0a.mp4", sha256=SHA256, size=3),
        session=Session(id=ID, title=Bilingual(fr="É"), languages=("fr",), audio_track=1),
        state=Claimed(),
        when_ms=1,
        given=Details(title=Bilingual(en="T"), topics=("a",), speaker_count=SpeakerCount(least=2), audio_track="fr"),
        tags=(("title", "x"),),
        drops=(Drop(path=encode_name("a/é\udcff\n.mp4"), when_ms=1),),
    )


@pytest.mark.parametrize(
    "state",
    [
        Claimed(updated=True),
        Processing(stage="speech", share=0.25),
        Published(revision="r1-abcdef01", pages=(("en", "https://example.org/"),)),
        Rejected(reasons=(Notice(code="intake.empty", data=(("name", "x"),)),)),
        Failed(reasons=()),
    ],
)
def test_a_record_comes_back_as_it_was_written(tmp_path: Path, record: SessionRecord, state: State) -> None:
    written = replace(record, state=state)
    with journal(tmp_path):
        write_record(tmp_path, written)
    assert read_record(tmp_path, ID) == written
    assert read_records(tmp_path) == (written,)


def test_a_work_area_that_has_moved_still_finds_its_recordings(tmp_path: Path, record: SessionRecord) -> None:
    write_record(tmp_path / "old", record)
    (tmp_path / "old").rename(tmp_path / "new")
    found = read_record(tmp_path / "new", ID)
    assert found is not None
    assert found.recording.path == session_folder(tmp_path / "new", ID) / "recording.mp4"


def test_a_damaged_record_is_taken_for_absent_and_logged(
    tmp_path: Path, record: SessionRecord, caplog: pytest.LogCaptureFixture
) -> None:
    write_record(tmp_path, record)
    (tmp_path / ID / "state.json").write_bytes(b"{")
    with caplog.at_level(logging.ERROR):
        assert read_record(tmp_path, ID) is None
        assert read_records(tmp_path) == ()
    assert ID in caplog.text


def test_a_session_that_was_never_seen_has_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path, ID) is None
    assert read_records(tmp_path / "missing") == ()
    with pytest.raises(KeyError):
        record_state(tmp_path, ID, 1, Processing(stage="media"))


def test_progress_keeps_the_time_since_when_and_an_overtaken_run_decides_nothing(
    tmp_path: Path, record: SessionRecord
) -> None:
    write_record(tmp_path, replace(record, attempt=2))
    first = record_state(tmp_path, ID, 2, Processing(stage="media"))
    assert record_state(tmp_path, ID, 2, Processing(stage="speech", share=0.5)).when_ms == first.when_ms
    late = record_state(tmp_path, ID, 1, Published(revision="r1-abcdef01"))
    assert isinstance(late.state, Processing)
    assert late.publication == Published(revision="r1-abcdef01")
    assert record_state(tmp_path, ID, 1, Failed(reasons=())) == late


def file(path: Path, content: bytes = b"abc") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_plan_moves_writes_and_records(tmp_path: Path, record: SessionRecord) -> None:
    source, side = file(tmp_path / "in" / "a.mp4"), file(tmp_path / "in" / "a.toml")
    note = tmp_path / "notes" / "n.txt"
    folder = tmp_path / "work" / ID
    plan = Plan(
        moves=(
            plan_move(source, folder / "recording.mp4", Stamp.read(source)),
            plan_move(side, folder / "sidecar.toml", Stamp.read(side)),
        ),
        texts=((encode_name(str(note)), "Pourquoi"),),
        record=record,
    )
    with journal(tmp_path / "work"):
        commit(tmp_path / "work", plan)
    assert (folder / "recording.mp4").read_bytes() == b"abc"
    assert (folder / "sidecar.toml").exists()
    assert note.read_text() == "Pourquoi"
    assert not source.exists()
    assert not (tmp_path / "work" / ".plan.json").exists()


def test_a_file_that_changed_is_not_moved_and_leaves_nothing_behind(tmp_path: Path, record: SessionRecord) -> None:
    source, work = file(tmp_path / "a.mp4"), tmp_path / "work"
    stamp = Stamp.read(source)
    source.write_bytes(b"longer")
    plan = Plan(moves=(plan_move(source, work / ID / "recording.mp4", stamp),), record=record)
    with journal(work), pytest.raises(Changed):
        commit(work, plan)
    assert source.exists()
    assert not (work / ID).exists()


def test_a_plan_whose_first_file_cannot_be_moved_is_not_begun(tmp_path: Path, record: SessionRecord) -> None:
    source, work = file(tmp_path / "a.mp4"), tmp_path / "work"
    plan = Plan(moves=(plan_move(source, tmp_path / "missing" / "x", Stamp.read(source)),), record=record)
    with journal(work), pytest.raises(FileNotFoundError):
        commit(work, plan)
    assert source.exists()
    assert read_record(work, ID) is None


def test_a_sidecar_that_cannot_follow_stays_and_the_rest_goes_on(tmp_path: Path, record: SessionRecord) -> None:
    source, side, work = file(tmp_path / "a.mp4"), file(tmp_path / "a.toml"), tmp_path / "work"
    moves = (
        plan_move(source, work / ID / "recording.mp4", Stamp.read(source)),
        plan_move(side, tmp_path / "missing" / "x", Stamp.read(side)),
    )
    with journal(work):
        commit(work, Plan(moves=moves, record=record))
    assert side.exists()
    assert read_record(work, ID) is not None


def test_a_plan_left_behind_does_not_touch_what_has_been_dropped_since(tmp_path: Path, record: SessionRecord) -> None:
    source, work = file(tmp_path / "a.mp4"), tmp_path / "work"
    target = work / ID / "recording.mp4"
    plan = Plan(moves=(plan_move(source, target, Stamp.read(source), over=True),), record=record)
    with journal(work):
        commit(work, plan)
        (work / ".plan.json").write_bytes(to_json(plan))
    file(source, b"another recording")
    heal(work)
    assert source.read_bytes() == b"another recording"
    assert target.read_bytes() == b"abc"


def test_a_damaged_plan_is_given_up(tmp_path: Path) -> None:
    file(tmp_path / ".plan.json", b"{")
    heal(tmp_path)
    assert not (tmp_path / ".plan.json").exists()


def test_every_record_is_flushed_before_it_takes_its_place(
    tmp_path: Path, record: SessionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(Path(f"/proc/self/fd/{handle}").readlink().name))
    write_record(tmp_path, record)
    assert re.fullmatch(r"\.tribune-[0-9a-f]{16}\.tmp", flushed[-2])
    assert flushed[-1] == ID
    assert tmp_path.name in flushed


@given(name=st.binary(min_size=1, max_size=255).filter(lambda raw: not set(raw) & {0, 47} and raw not in {b".", b".."}))
def test_any_name_is_kept_byte_for_byte(name: bytes) -> None:
    text = os.fsdecode(name)
    assert decode_name(encode_name(text)) == text
    assert encode_name(text).isascii()


@pytest.mark.parametrize(
    ("state", "after", "attempt"),
    [
        (Published(revision="r1-00000000"), Claimed(reviewed=True), 2),
        (NeedsReview(), Claimed(reviewed=True), 2),
        (Processing(stage="video"), Claimed(reviewed=True), 2),
        (Failed(reasons=()), Claimed(reviewed=True), 2),
        (Claimed(updated=True), Claimed(updated=True), 1),
    ],
)
def test_what_is_approved_is_published_by_the_next_run(
    tmp_path: Path, record: SessionRecord, state: State, after: State, attempt: int
) -> None:
    with journal(tmp_path):
        write_record(tmp_path, replace(record, state=state))
    assert request_publication(tmp_path, ID)
    found = read_record(tmp_path, ID)
    assert found is not None
    assert (found.state, found.attempt) == (after, attempt)


def test_what_is_not_there_any_more_cannot_be_published(tmp_path: Path, record: SessionRecord) -> None:
    assert not request_publication(tmp_path, ID)
    with journal(tmp_path):
        write_record(tmp_path, replace(record, state=Rejected(reasons=())))
    assert not request_publication(tmp_path, ID)
    with journal(tmp_path):
        write_record(tmp_path, replace(record, state=Withdrawn(reason="x")))
    assert not request_publication(tmp_path, ID)
