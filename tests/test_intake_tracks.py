"""Tracks that a details file lists: claimed with their recording or given back with it, never taken for recordings."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import RecordingRejected
from pipeline.inbox import IntakeOptions, prepare
from pipeline.intake import Claim, SweepResult, sweep
from pipeline.journal import Published, read_record, record_state
from pipeline.messages import message
from pipeline.set_aside import reject
from pipeline.types import LANGUAGES, SpeakerTrack

MOVIE = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
DETAILS = """
[[tracks]]
file = "anna.flac"
speaker = "Anna Roy"
[[tracks]]
fichier = "bo.m4a"
intervenant = "Bo Li"
"""
FILES = {
    "talk.mp4": MOVIE + b"everyone",
    "talk.toml": DETAILS.encode(),
    "anna.flac": b"fLaC" + b"a" * 100,
    "bo.m4a": MOVIE + b"bo",
}


@pytest.fixture
def options(tmp_path: Path) -> IntakeOptions:
    found = IntakeOptions(inbox=tmp_path / "inbox", work=tmp_path / "work", settle_ms=0, tracks_ms=60_000)
    prepare(found)
    return found


def drop(options: IntakeOptions, *names: str, files: dict[str, bytes] = FILES) -> None:
    for name in names or files:
        (options.inbox / name).write_bytes(files[name])


def left(options: IntakeOptions) -> set[str]:
    return {path.name for path in options.inbox.iterdir() if path.is_file()}


def set_aside(options: IntakeOptions) -> set[str]:
    return {path.name for path in options.rejected.iterdir()}


def at(ms: int, options: IntakeOptions, before: SweepResult | None = None) -> SweepResult:
    return sweep(options, before.seen if before else {}, clock=lambda: ms)


def codes(result: SweepResult) -> list[str]:
    reasons = [each.reasons for each in result.waiting] + [each.reasons for each in result.rejected]
    return [reason.code for why in reasons for reason in why]


def test_tracks_are_claimed_with_their_recording(options: IntakeOptions) -> None:
    drop(options)
    (claim,) = at(0, options).claims
    assert claim.session.tracks == (
        SpeakerTrack(speaker="Anna Roy", file="anna.flac"),
        SpeakerTrack(speaker="Bo Li", file="bo.m4a"),
    )
    assert [track.name for track in claim.recording.tracks] == ["anna.flac", "bo.m4a"]
    for track in claim.recording.tracks:
        assert track.path.parent == claim.recording.path.parent
        assert track.path.read_bytes() == FILES[track.name]
        assert track.sha256 == hashlib.sha256(FILES[track.name]).hexdigest()
    assert left(options) == set()


def test_accents_and_capitals_of_a_listed_name_do_not_matter(options: IntakeOptions) -> None:
    drop(options, "talk.mp4")
    (options.inbox / "talk.toml").write_text('tracks = [{ file = "Zoe\u0301.FLAC", speaker = "Zoé" }]')
    (options.inbox / "zoé.flac").write_bytes(FILES["anna.flac"])
    (claim,) = at(0, options).claims
    assert claim.recording.tracks[0].name == claim.session.tracks[0].file


def test_everything_waits_while_a_track_is_still_being_copied(options: IntakeOptions) -> None:
    options = replace(options, settle_ms=1_000)
    drop(options)
    first = at(0, options)
    (options.inbox / "bo.m4a").write_bytes(FILES["bo.m4a"] + b"more")
    second = at(1_500, options, first)
    assert (second.claims, second.settling) == ((), ("talk.mp4",))
    assert len(at(3_000, options, second).claims) == 1


def test_a_recording_waits_for_a_missing_track_and_takes_it_when_it_comes(options: IntakeOptions) -> None:
    drop(options, "talk.mp4", "talk.toml", "anna.flac")
    first = at(0, options)
    assert (first.claims, codes(first)) == ((), ["sidecar.tracks_awaited"])
    assert left(options) == {"talk.mp4", "talk.toml", "anna.flac"}
    drop(options, "bo.m4a")
    assert len(at(30_000, options, first).claims) == 1


def test_after_a_time_all_of_it_goes_back_and_says_what_is_missing(options: IntakeOptions) -> None:
    drop(options, "talk.mp4", "talk.toml", "anna.flac")
    late = at(60_001, options, at(0, options))
    assert (late.claims, codes(late), left(options)) == ((), ["sidecar.tracks_missing"], set())
    assert set_aside(options) == {"talk.mp4", "talk.toml", "anna.flac", "talk.mp4.reason.txt"}
    reason = (options.rejected / "talk.mp4.reason.txt").read_text()
    for language in LANGUAGES:
        assert message("sidecar.tracks_missing", language, files="bo.m4a") in reason


@pytest.mark.parametrize("order", tuple(permutations(FILES)))
def test_in_whatever_order_they_come_no_track_is_a_recording_of_its_own_once_it_is_listed(
    options: IntakeOptions, order: tuple[str, ...]
) -> None:
    options = replace(options, settle_ms=10_000)
    claims: list[Claim] = []
    result = None
    for step, name in enumerate(order):
        drop(options, name)
        result = at(step * 2_000, options, result)
        claims += result.claims
    claims += at(60_000, options, result).claims
    assert [claim.recording.name for claim in claims] == ["talk.mp4"]
    assert len(claims[0].recording.tracks) == 2


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ('week = "three"\n' + DETAILS, "sidecar.wrong_week"),
        (DETAILS + 'title = "unfinished\n', "sidecar.syntax"),
        (DETAILS + '[[tracks]]\nfile = "anna.flac"\nspeaker = "Zoé"\n', "sidecar.wrong_tracks"),
        (DETAILS + '[[tracks]]\nfile = "../anna.flac"\nspeaker = "Zoé"\n', "sidecar.wrong_file"),
        (DETAILS + '[[tracks]]\nfile = "c.flac"\nstream = 1\nspeaker = "Zoé"\n', "sidecar.wrong_tracks"),
        (DETAILS + '[[tracks]]\nstream = 1\nspeaker = "Zoé"\n', "sidecar.wrong_tracks"),
        (DETAILS + '[[tracks]]\nfile = "c.flac"\n', "sidecar.no_name"),
        (DETAILS + '[[tracks]]\nfile = "talk.mp4"\nspeaker = "Zoé"\n', "sidecar.track_is_recording"),
    ],
)
def test_a_mistake_sends_the_tracks_back_too(options: IntakeOptions, written: str, code: str) -> None:
    drop(options)
    (options.inbox / "talk.toml").write_text(written)
    result = at(0, options)
    assert all(each.startswith(code) for each in codes(result))
    assert codes(result)
    assert (result.claims, left(options)) == ((), set())
    assert set_aside(options) == {*FILES, "talk.mp4.reason.txt"}
    assert at(1, options, result).claims == ()


def test_a_track_that_is_no_sound_sends_everything_back(options: IntakeOptions) -> None:
    drop(options)
    (options.inbox / "anna.flac").write_bytes(b"PK\x03\x04" + b"z" * 100)
    result = at(0, options)
    assert (result.claims, left(options)) == ((), set())
    assert set_aside(options) == {*FILES, "talk.mp4.reason.txt"}


def test_a_recording_rejected_later_goes_back_with_its_tracks_under_their_names(options: IntakeOptions) -> None:
    drop(options)
    (claim,) = at(0, options).claims
    assert reject(options, claim.session.id, RecordingRejected("media.no_sound")) is not None
    assert set_aside(options) == {*FILES, "talk.mp4.reason.txt"}
    assert all((options.rejected / name).read_bytes() == content for name, content in FILES.items())
    for name in FILES:
        (options.rejected / name).rename(options.inbox / name)
    (again,) = at(0, options).claims
    assert (again.attempt, len(again.recording.tracks)) == (2, 2)


@pytest.mark.parametrize("again", [True, False], ids=["recording again", "details alone"])
def test_tracks_that_come_later_update_a_published_session(options: IntakeOptions, again: bool) -> None:
    drop(options, "talk.mp4")
    (claim,) = at(0, options).claims
    record_state(options.work, claim.session.id, 1, Published(revision="r1-00000000"))
    drop(options, *(FILES if again else ("talk.toml", "anna.flac", "bo.m4a")))
    (updated,) = at(0, options).claims
    assert updated.updated
    assert [track.path.read_bytes() for track in updated.recording.tracks] == [FILES["anna.flac"], FILES["bo.m4a"]]
    record = read_record(options.work, claim.session.id)
    assert record is not None
    assert record.recording.tracks == updated.recording.tracks


def test_details_corrected_later_need_no_track_again(options: IntakeOptions) -> None:
    drop(options)
    (claim,) = at(0, options).claims
    record_state(options.work, claim.session.id, 1, Published(revision="r1-00000000"))
    (options.inbox / "talk.toml").write_text('title = "Corrected"\n' + DETAILS.replace("Bo Li", "Bo Lee"))
    (updated,) = at(0, options).claims
    assert updated.recording.tracks == claim.recording.tracks
    assert [track.speaker for track in updated.session.tracks] == ["Anna Roy", "Bo Lee"]
    assert all(track.path.read_bytes() == FILES[track.name] for track in updated.recording.tracks)
    (options.inbox / "talk.toml").write_text('title = "Without"\n')
    (without,) = at(0, options).claims
    assert (without.recording.tracks, without.session.tracks) == ((), ())


def test_late_details_wait_for_their_tracks(options: IntakeOptions) -> None:
    drop(options, "talk.mp4")
    at(0, options)
    drop(options, "talk.toml", "anna.flac")
    first = at(0, options)
    assert "sidecar.tracks_awaited" in codes(first)
    late = at(60_001, options, first)
    assert "sidecar.tracks_missing" in codes(late)
    assert {"talk.toml", "anna.flac"} <= set_aside(options)


def test_tracks_without_their_recording_wait_and_say_so(options: IntakeOptions) -> None:
    drop(options, "talk.toml", "anna.flac", "bo.m4a")
    result = at(0, options)
    assert sorted(codes(result)) == ["intake.sidecar_waits", "intake.track_waits", "intake.track_waits"]
    assert left(options) == {"talk.toml", "anna.flac", "bo.m4a"}


def test_a_programmes_defaults_list_no_files(options: IntakeOptions) -> None:
    drop(options, "talk.mp4")
    (options.inbox / "defaults.toml").write_text(DETAILS)
    assert codes(at(0, options)) == ["sidecar.tracks_in_defaults"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(FILES)), st.integers(0, 40_000)), max_size=12))
def test_nothing_is_lost_whatever_comes_when(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    root = tmp_path_factory.mktemp("inbox")
    options = IntakeOptions(inbox=root / "inbox", work=root / "work", settle_ms=5_000, tracks_ms=20_000)
    prepare(options)
    dropped: Counter[bytes] = Counter()
    result, now = None, 0
    for name, wait in [*steps, ("talk.mp4", 30_000), ("talk.mp4", 60_000)]:
        if not (options.inbox / name).exists():
            drop(options, name)
            dropped[FILES[name]] += 1
        now += wait
        result = at(now, options, result)
    there = {
        path.read_bytes() for folder in (options.inbox, options.work) for path in folder.rglob("*") if path.is_file()
    }
    assert set(dropped) <= there
