"""The inbox: every file dropped is claimed once or set aside with a reason, whatever happens meanwhile."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.errors import RecordingRejected, SetUpError
from pipeline.inbox import IntakeOptions, Look, is_ignored, open_for_writing, prepare
from pipeline.intake import Claim, complete_session, sweep, verify_recording
from pipeline.journal import Claimed, Failed, Processing, Published, Rejected, read_record, read_records, record_state
from pipeline.locks import exclusive
from pipeline.set_aside import reject
from pipeline.types import Bilingual, Language, Notice

MOVIE = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
DATA = Path(__file__).parents[2] / "shared" / "data"


def _key(claim: Claim) -> str:
    return f"{claim.session.id}-{claim.attempt}"


def recover(options: IntakeOptions) -> tuple[Claim, ...]:
    """Return the claims that the journal holds and nobody has finished, as whoever starts their runs finds them."""
    return tuple(
        Claim(
            recording=record.recording,
            session=record.session,
            attempt=record.attempt,
            updated=isinstance(record.state, Claimed) and record.state.updated,
        )
        for record in read_records(options.work)
        if isinstance(record.state, Claimed | Processing)
    )


def movie(number: int, size: int = 100) -> bytes:
    return MOVIE + number.to_bytes(8, "big") * (size // 8)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process leaves the kernel's buffers alone; only a power cut needs them flushed."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


@pytest.fixture
def options(tmp_path: Path) -> IntakeOptions:
    found = IntakeOptions(inbox=tmp_path / "inbox", work=tmp_path / "work", settle_ms=0)
    prepare(found)
    return found


class Hand:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms


def drop(options: IntakeOptions, name: str, content: bytes | str) -> Path:
    path = options.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def take(options: IntakeOptions, name: str = "talk.mp4", content: bytes | None = None) -> Claim:
    drop(options, name, movie(1) if content is None else content)
    (claim,) = sweep(options, {}).claims
    return claim


def publish(options: IntakeOptions, claim: Claim) -> None:
    pages: tuple[tuple[Language, str], ...] = (
        ("en", "https://example.org/en.html"),
        ("fr", "https://example.org/fr.html"),
    )
    record_state(options.work, claim.session.id, claim.attempt, Published(revision="r1-00000000", pages=pages))


def codes(reasons: tuple[Notice, ...]) -> list[str]:
    return [each.code for each in reasons]


def files(folder: Path) -> Counter[str]:
    """Count the files below by content, without what the intake itself writes."""
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith((".reason.txt", "state.json")):
            found[hashlib.sha256(path.read_bytes()).hexdigest()] += 1
    return found


def test_a_file_is_taken_only_after_it_has_stayed_the_same_long_enough(options: IntakeOptions) -> None:
    clock, options = Hand(), replace(options, settle_ms=1000)
    path = drop(options, "talk.mp4", movie(1))
    first = sweep(options, {}, clock=clock)
    assert (first.settling, first.claims) == (("talk.mp4",), ())
    clock.ms = 999
    path.write_bytes(movie(1, 200))
    second = sweep(options, first.seen, clock=clock)
    clock.ms = 1998
    third = sweep(options, second.seen, clock=clock)
    assert third.claims == ()
    clock.ms = 1999
    (claim,) = sweep(options, third.seen, clock=clock).claims
    assert claim.recording.size == len(movie(1, 200))


def test_a_file_given_its_size_first_and_filled_later_is_not_taken_meanwhile() -> None:
    before = Look(inode=1, size=4096, modified_ns=5, changed_ns=5, blocks=0)
    assert before != replace(before, blocks=8)


def test_a_file_open_for_writing_is_left_alone_until_it_is_closed(options: IntakeOptions) -> None:
    path = drop(options, "talk.mp4", movie(1))
    with path.open("ab"):
        assert open_for_writing([path]) == {path}
        assert sweep(options, {}).settling == ("talk.mp4",)
    with path.open("rb"):
        assert open_for_writing([path]) == frozenset()
        assert len(sweep(options, {}).claims) == 1


def test_a_recording_waits_for_its_sidecar_to_settle(options: IntakeOptions) -> None:
    clock, options = Hand(), replace(options, settle_ms=1000)
    drop(options, "talk.mp4", movie(1))
    first = sweep(options, {}, clock=clock)
    clock.ms = 1000
    drop(options, "talk.toml", "title = 'T'")
    second = sweep(options, first.seen, clock=clock)
    assert second.claims == ()
    clock.ms = 2000
    (claim,) = sweep(options, second.seen, clock=clock).claims
    assert claim.session.title.get("en") == "T"


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.mp4",
        "a.mp4.part",
        "a.tmp",
        "a.mp4.crdownload",
        "~$a.docx",
        "a.mp4~",
        "Thumbs.db",
        "desktop.ini",
        "status.html",
        "etat.html",
        "a.mp4.reason.txt",
        "rejected/old.mp4",
        ".tribune-1.tmp",
        ".git/x.mp4",
    ],
)
def test_what_is_not_a_facilitators_is_left_where_it_is(options: IntakeOptions, name: str) -> None:
    path = drop(options, name, movie(1))
    result = sweep(options, {})
    assert (result.claims, result.settling, result.rejected) == ((), (), ())
    assert path.exists()


def test_links_and_special_files_are_not_followed(options: IntakeOptions, tmp_path: Path) -> None:
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(movie(1))
    (options.inbox / "link.mp4").symlink_to(outside)
    (options.inbox / "folder").symlink_to(tmp_path)
    os.mkfifo(options.inbox / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(options.inbox / "socket.mp4"))
    result = sweep(options, {})
    assert (result.claims, result.settling, result.rejected) == ((), (), ())
    assert outside.exists()
    told = [(each.name, [why.code for why in each.reasons]) for each in result.waiting]
    assert told == [("folder", ["intake.link"]), ("link.mp4", ["intake.link"])]


def test_folders_below_the_depth_are_not_looked_into_and_that_is_told(options: IntakeOptions) -> None:
    drop(options, "a/b/c.mp4", movie(1))
    (options.inbox / "a/empty/.hidden").mkdir(parents=True)
    result = sweep(replace(options, depth=1), {})
    assert result.claims == ()
    assert [(each.name, each.reasons[0].code) for each in result.waiting] == [("a/b", "intake.too_deep")]
    assert len(sweep(replace(options, depth=2), {}).claims) == 1


def test_a_claim_holds_the_recording_whole_in_the_work_area(options: IntakeOptions) -> None:
    claim = take(options, "Week 2_Éthique_fr.mp4")
    assert claim.recording.path == options.work / claim.session.id / "recording.mp4"
    assert claim.recording.path.read_bytes() == movie(1)
    assert claim.recording.sha256 == hashlib.sha256(movie(1)).hexdigest()
    assert claim.session.week == 2
    assert claim.session.languages == ("fr", "en")
    assert not (options.inbox / "Week 2_Éthique_fr.mp4").exists()
    assert claim.attempt == 1


def test_a_claim_is_given_once_and_held_by_the_journal_until_it_is_finished(options: IntakeOptions) -> None:
    claim = take(options)
    assert sweep(options, {}).claims == ()
    assert recover(options) == (claim,)
    record_state(options.work, claim.session.id, 1, Processing(stage="speech", share=0.5))
    assert [_key(each) for each in recover(options)] == [_key(claim)]
    publish(options, claim)
    assert recover(options) == ()


def test_a_sidecar_is_claimed_with_its_recording_by_stem_or_whole_name(options: IntakeOptions) -> None:
    drop(options, "A.MP4", movie(1))
    drop(options, "a.toml", "title = 'Stem'")
    drop(options, "b.mp4", movie(2))
    drop(options, "b.mp4.json", '{"title": "Whole"}')
    claims = sweep(options, {}).claims
    assert sorted(claim.session.title.get("en") for claim in claims) == ["Stem", "Whole"]
    assert [path.name for path in options.inbox.iterdir()] == ["rejected"]


def test_accents_stored_in_two_ways_are_the_same_name(options: IntakeOptions) -> None:
    drop(options, "e\u0301te.mp4", movie(1))
    drop(options, "\u00e9te.toml", "title = 'Same'")
    (claim,) = sweep(options, {}).claims
    assert claim.session.title.get("en") == "Same"


def test_recordings_that_share_a_sidecar_all_get_what_it_says(options: IntakeOptions) -> None:
    drop(options, "a.mp4", movie(1))
    drop(options, "a.mp3", movie(2))
    drop(options, "a.toml", "title = 'Shared'")
    result = sweep(options, {})
    assert [claim.session.title.get("en") for claim in result.claims] == ["Shared", "Shared"]
    assert sweep(options, {}).claims == ()
    assert not (options.inbox / "a.toml").exists()


def test_defaults_hold_for_a_folder_and_deeper_ones_and_sidecars_win(options: IntakeOptions) -> None:
    drop(options, "defaults.toml", "rights = 'Crown'\nlangue = 'en'\nweek = 1")
    drop(options, "digital/defaults.toml", "langue = 'fr'\nsemaine = 2")
    drop(options, "digital/talk.mp4", movie(1))
    drop(options, "digital/talk.toml", "week = 3")
    (claim,) = sweep(options, {}).claims
    assert claim.session.rights == Bilingual(fr="Crown")
    assert (claim.session.languages, claim.session.week) == (("fr",), 3)
    assert claim.session.programme == Bilingual(fr="Digital")
    assert (options.inbox / "digital" / "defaults.toml").exists()


def test_a_mistake_in_defaults_makes_recordings_wait_and_says_so_beside_it(options: IntakeOptions) -> None:
    drop(options, "p/defaults.toml", "titel = 'x'")
    recording = drop(options, "p/talk.mp4", movie(1))
    result = sweep(options, {})
    assert [(each.name, codes(each.reasons)) for each in result.waiting] == [("p/talk.mp4", ["sidecar.unknown_near"])]
    note = options.inbox / "p" / "defaults.toml.reason.txt"
    assert "titel" in note.read_text()
    assert recording.exists()
    drop(options, "p/defaults.toml", "title = 'x'")
    assert len(sweep(options, {}).claims) == 1
    assert not note.exists()


def test_tags_found_later_complete_the_session(options: IntakeOptions) -> None:
    claim = take(options, "2026-03-14_vid.mp4")
    session = complete_session(options, claim.session.id, (("title", "Real \ud800title"), ("comment", "x")))
    assert session.title.get("en").startswith("Real ")
    record = read_record(options.work, claim.session.id)
    assert record is not None
    assert record.session == session


def test_completing_an_unknown_session_says_so(options: IntakeOptions) -> None:
    with pytest.raises(KeyError):
        complete_session(options, "0" * 16, ())
    with pytest.raises(KeyError):
        reject(options, "0" * 16, RecordingRejected("intake.empty"))


def test_a_recording_written_to_after_its_claim_is_found_out(options: IntakeOptions) -> None:
    claim = take(options)
    verify_recording(claim.recording)
    with claim.recording.path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(RecordingRejected, match="still being written"):
        verify_recording(claim.recording)


def test_a_recording_named_as_another_kind_is_taken_for_what_it_is(options: IntakeOptions) -> None:
    assert take(options, "talk.dat", movie(1)).recording.path.name == "recording.mp4"
    assert take(options, "noextension", movie(2)).recording.path.name == "recording.mp4"


def test_the_same_content_under_another_name_is_answered_with_its_pages(options: IntakeOptions) -> None:
    claim = take(options, "first.mp4")
    publish(options, claim)
    drop(options, "again.mp4", movie(1))
    result = sweep(options, {})
    assert result.claims == ()
    assert [codes(each.reasons) for each in result.answered] == [["intake.duplicate_published"]]
    text = (options.rejected / "again.mp4.reason.txt").read_text()
    assert "https://example.org/en.html" in text
    assert "déjà publié" in text
    assert "first.mp4" in text
    assert (options.rejected / "again.mp4").read_bytes() == movie(1)


def test_one_still_being_processed_is_answered_so(options: IntakeOptions) -> None:
    claim = take(options)
    record_state(options.work, claim.session.id, 1, Processing(stage="speech"))
    drop(options, "again.mp4", movie(1))
    (answer,) = sweep(options, {}).answered
    assert codes(answer.reasons) == ["intake.duplicate_processing"]


def test_both_copies_in_one_sweep_give_one_claim_and_one_answer(options: IntakeOptions) -> None:
    drop(options, "a.mp4", movie(1))
    drop(options, "b.mp4", movie(1))
    result = sweep(options, {})
    assert (len(result.claims), len(result.answered)) == (1, 1)


def test_a_sidecar_that_changes_something_gives_an_updated_claim(options: IntakeOptions) -> None:
    publish(options, take(options))
    drop(options, "again.mp4", movie(1))
    drop(options, "again.toml", "title = 'Better'")
    result = sweep(options, {})
    (claim,) = result.claims
    assert (claim.updated, claim.attempt, claim.session.title.get("en")) == (True, 2, "Better")
    assert [codes(each.reasons) for each in result.answered] == [["intake.duplicate_updated"]]
    assert recover(options) == (claim,)
    assert list(claim.recording.path.parent.glob("sidecar-2.toml"))


def test_a_sidecar_that_changes_nothing_is_only_answered(options: IntakeOptions) -> None:
    drop(options, "talk.toml", "title = 'T'")
    publish(options, take(options))
    drop(options, "again.mp4", movie(1))
    drop(options, "again.toml", "title = 'T'")
    result = sweep(options, {})
    assert result.claims == ()
    assert {path.name for path in options.rejected.iterdir()} == {"again.mp4", "again.toml", "again.mp4.reason.txt"}


def test_what_an_overtaken_run_reports_does_not_hide_the_update(options: IntakeOptions) -> None:
    first = take(options)
    drop(options, "talk.toml", "title = 'Better'")
    (second,) = sweep(options, {}).claims
    publish(options, first)
    record = read_record(options.work, first.session.id)
    assert record is not None
    assert record.publication is not None
    assert recover(options) == (second,)
    publish(options, second)
    assert recover(options) == ()


@pytest.mark.parametrize("name", ["again.mp4", "talk.mp4"])
def test_a_failed_recording_dropped_again_is_tried_again(options: IntakeOptions, name: str) -> None:
    claim = take(options)
    failed = Failed(reasons=(Notice(code="intake.unexpected"),))
    record_state(options.work, claim.session.id, 1, failed)
    again = take(options, name)
    assert (again.attempt, again.updated) == (2, False)
    assert again.recording.path.read_bytes() == movie(1)


def test_a_rejected_recording_dropped_again_is_tried_again(options: IntakeOptions) -> None:
    claim = take(options)
    back = reject(options, claim.session.id, RecordingRejected("intake.empty"))
    assert back is not None
    back.path.rename(options.inbox / "talk.mp4")
    (again,) = sweep(options, {}).claims
    assert again.attempt == 2


@pytest.mark.parametrize("published", [False, True])
def test_a_sidecar_after_its_recording_updates_the_details(options: IntakeOptions, published: bool) -> None:
    claim = take(options)
    if published:
        publish(options, claim)
    drop(options, "talk.yaml", "titre: Plus tard\nlangue: fr\n")
    (updated,) = sweep(options, {}).claims
    assert (updated.updated, updated.session.title) == (True, Bilingual(fr="Plus tard"))
    assert not (options.inbox / "talk.yaml").exists()


def test_one_that_changes_nothing_is_taken_quietly(options: IntakeOptions) -> None:
    take(options)
    drop(options, "talk.toml", "")
    result = sweep(options, {})
    assert (result.claims, result.waiting) == ((), ())
    assert not (options.inbox / "talk.toml").exists()


def test_one_with_a_mistake_goes_back_alone(options: IntakeOptions) -> None:
    take(options)
    drop(options, "talk.toml", "titel = 1")
    (refused,) = sweep(options, {}).rejected
    assert refused.path.name == "talk.toml"
    assert (options.rejected / "talk.toml.reason.txt").exists()
    assert len(recover(options)) == 1


def test_one_without_any_recording_waits(options: IntakeOptions) -> None:
    path = drop(options, "alone.toml", "title = 'T'")
    result = sweep(options, {})
    assert [codes(each.reasons) for each in result.waiting] == [["intake.sidecar_waits"]]
    assert path.exists()


def test_one_for_a_failed_recording_tries_again(options: IntakeOptions) -> None:
    claim = take(options)
    record_state(options.work, claim.session.id, 1, Failed(reasons=(Notice(code="intake.unexpected"),)))
    drop(options, "talk.toml", "")
    (again,) = sweep(options, {}).claims
    assert again.attempt == 2


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("talk.mp4", b"", "intake.empty"),
        ("talk.mp4", b"#EXTM3U\nhttp://example.org/\n", "intake.text"),
        ("notes.pdf", b"%PDF-1.7\n", "intake.document"),
        ("talk.mp4", b"\x89PNG\r\n\x1a\n\0\0", "intake.image"),
        ("slides.pptx", b"PK\x03\x04\0\0", "intake.archive"),
        ("talk.mp4", b"MZ\x90\0\3", "intake.program"),
        ("talk.xyz", b"\x00\x01\x02\xff\xfe", "intake.unknown"),
    ],
)
def test_what_is_no_recording_goes_back_with_the_reason(
    options: IntakeOptions, name: str, content: bytes, code: str
) -> None:
    drop(options, name, content)
    (refused,) = sweep(options, {}).rejected
    assert codes(refused.reasons) == [code]
    assert refused.path.read_bytes() == content
    english, french = (options.rejected / f"{name}.reason.txt").read_text().split("-" * 60)
    assert "Questions? Ask" in english
    assert "Adressez-vous" in french
    assert read_records(options.work)[0].drops[0].set_aside == name


def test_unrecognised_bytes_with_a_recordings_name_are_left_to_be_probed(options: IntakeOptions) -> None:
    assert take(options, "talk.wav", b"\x00\x01\x02\xff\xfe").recording.path.suffix == ".wav"


def test_a_sidecar_with_mistakes_goes_back_with_its_recording_and_every_mistake(options: IntakeOptions) -> None:
    drop(options, "talk.mp4", movie(1))
    drop(options, "talk.toml", "titel = 'x'\nweek = 'three'")
    (refused,) = sweep(options, {}).rejected
    assert codes(refused.reasons) == ["sidecar.unknown_near", "sidecar.wrong_week"]
    assert {path.name for path in options.rejected.iterdir()} == {"talk.mp4", "talk.toml", "talk.mp4.reason.txt"}
    for path in options.rejected.iterdir():
        path.rename(options.inbox / path.name)
    drop(options, "talk.toml", "title = 'x'")
    (claim,) = sweep(options, {}).claims
    assert claim.session.title.get("en") == "x"


def test_two_sidecars_are_one_too_many_and_none_is_lost(options: IntakeOptions) -> None:
    drop(options, "talk.mp4", movie(1))
    for name in ("talk.toml", "talk.mp4.toml", "talk.json"):
        drop(options, name, "")
    (refused,) = sweep(options, {}).rejected
    assert codes(refused.reasons) == ["sidecar.several"]
    assert {"talk.mp4", "talk.toml", "talk.mp4.toml", "talk.json"} < {p.name for p in options.rejected.iterdir()}


def test_nothing_in_the_folder_is_ever_overwritten(options: IntakeOptions) -> None:
    for number in range(3):
        drop(options, "notes.pdf", b"%PDF" + b"-%d" % number)
        sweep(options, {})
    assert sorted(path.name for path in options.rejected.glob("*.pdf")) == [
        "notes (2).pdf",
        "notes (3).pdf",
        "notes.pdf",
    ]
    assert len(list(options.rejected.glob("*.reason.txt"))) == 3


def test_a_reason_goes_when_its_file_has_been_taken_away(options: IntakeOptions) -> None:
    drop(options, "talk.mp4", b"")
    for _ in range(2):
        (refused,) = sweep(options, {}).rejected
        assert refused.path.name == "talk.mp4"
        assert len(list(options.rejected.iterdir())) == 2
        refused.path.rename(options.inbox / "talk.mp4")
    drop(options, "talk.mp4", movie(1))
    assert len(sweep(options, {}).claims) == 1
    assert list(options.rejected.iterdir()) == []


def test_giving_back_twice_is_giving_back_once(options: IntakeOptions) -> None:
    claim = take(options)
    assert reject(options, claim.session.id, RecordingRejected("intake.empty")) is not None
    assert reject(options, claim.session.id, RecordingRejected("intake.empty")) is None
    assert len(list(options.rejected.iterdir())) == 2


def test_giving_back_what_is_gone_only_notes_it(options: IntakeOptions) -> None:
    claim = take(options)
    claim.recording.path.unlink()
    assert reject(options, claim.session.id, RecordingRejected("intake.empty")) is None
    record = read_record(options.work, claim.session.id)
    assert record is not None
    assert isinstance(record.state, Rejected)


def test_the_reason_names_whom_to_ask(options: IntakeOptions) -> None:
    drop(options, "talk.mp4", b"")
    sweep(options, {})
    text = (options.rejected / "talk.mp4.reason.txt").read_text()
    assert "Ask whoever looks after Tribune" in text
    assert "Adressez-vous à la personne responsable de Tribune" in text


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared recordings are not beside this checkout")
def test_real_nasty_files_are_claimed_or_set_aside_as_their_content_says(options: IntakeOptions) -> None:
    for path in sorted((DATA / "made_nasty").iterdir()):
        if path.stat().st_size < 2_000_000:
            shutil.copy(path, options.inbox)
    before = files(options.inbox)
    result = sweep(options, {})
    aside = {each.path.name: codes(each.reasons) for each in result.rejected}
    assert aside == {"text_renamed.mp3": ["intake.text"], "zero_byte.mp4": ["intake.empty"]}
    assert files(options.inbox) + files(options.work) == before


HOSTILE = [
    "a\nb.mp4",
    "\u202egpj.mp4",
    "-rf.mp4",
    "a" * 251 + ".mp4",
    "é" * 125 + ".mp4",
    os.fsdecode(b"caf\xe9.mp4"),
    "<img src=x onerror=alert(1)>.mp4",
    "{0.__class__}%s.mp4",
    "a\\b;$(x)`y`.mp4",
    " .mp4",
    "rejected.mp4",
    "a." + "b" * 250,
    "Dr. " + "and so on " * 20 + ".mp4",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_claimed_and_shown_on_one_line(options: IntakeOptions, name: str) -> None:
    claim = take(options, name)
    assert claim.recording.name.isprintable()
    assert claim.session.title.get("en")
    assert json.dumps(claim.recording.name).encode()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_come_back_byte_for_byte(options: IntakeOptions, name: str) -> None:
    claim = take(options, name)
    back = reject(options, claim.session.id, RecordingRejected("intake.empty"))
    assert back is not None
    assert back.path == options.rejected / name
    assert len(list(options.rejected.iterdir())) == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_twice_are_numbered_within_the_length_of_names(options: IntakeOptions, name: str) -> None:
    for number in range(2):
        drop(options, name, b"%PDF-" + bytes([number]))
        assert len(sweep(options, {}).rejected) == 1
    assert len(list(options.rejected.iterdir())) == 4


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_find_their_late_sidecar(options: IntakeOptions, name: str) -> None:
    take(options, name)
    drop(options, PurePosixPath(name).stem + ".yml", "week: 9")
    (claim,) = sweep(options, {}).claims
    assert claim.session.week == 9


def test_a_missing_inbox_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="does not exist"):
        sweep(IntakeOptions(inbox=tmp_path / "inbox", work=tmp_path / "work"), {})


def test_two_file_systems_are_refused(tmp_path: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108  # the one other file system that most machines have
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    with tempfile.TemporaryDirectory(dir=memory) as other, pytest.raises(SetUpError, match="different disks"):
        prepare(IntakeOptions(inbox=tmp_path / "inbox", work=Path(other) / "work"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"work": Path("/inbox/work")},
        {"work": Path("/inbox")},
        {"work": Path("/")},
        {"settle_ms": -1},
        {"depth": -1},
        {"chunk_bytes": 10},
        {"default_languages": ()},
        {"extensions": ("mp4",)},
        {"extensions": (".MP4",)},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        IntakeOptions(**{"inbox": Path("/inbox"), "work": Path("/work"), **wrong})  # type: ignore[arg-type]


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make the system refuse to move ``talk.mp4`` with the error put into this list."""
    codes: list[int] = []
    real = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if codes and self.name == "talk.mp4":
            raise OSError(codes[0], os.strerror(codes[0]))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    return codes


def test_a_file_that_cannot_be_moved_waits_is_not_read_at_every_sweep_and_is_tried_again(
    options: IntakeOptions, stuck: list[int]
) -> None:
    clock = Hand()
    drop(options, "talk.mp4", movie(1))
    drop(options, "other.mp4", movie(2))
    stuck.append(errno.EACCES)
    first = sweep(options, {}, clock=clock)
    assert [claim.recording.name for claim in first.claims] == ["other.mp4"]
    stuck.clear()
    clock.ms = 59_999
    second = sweep(options, first.seen, clock=clock)
    assert second.claims == ()
    for result in (first, second):
        assert [(each.name, codes(each.reasons)) for each in result.waiting] == [("talk.mp4", ["intake.blocked"])]
    clock.ms = 60_000
    assert len(sweep(options, second.seen, clock=clock).claims) == 1


def test_a_folder_that_turns_out_to_be_elsewhere_is_named(options: IntakeOptions, stuck: list[int]) -> None:
    drop(options, "talk.mp4", movie(1))
    stuck.append(errno.EXDEV)
    with pytest.raises(SetUpError, match="different disks"):
        sweep(options, {})
    assert (options.inbox / "talk.mp4").exists()


def test_a_full_disk_is_not_taken_for_a_fault_of_the_file(options: IntakeOptions, stuck: list[int]) -> None:
    drop(options, "talk.mp4", movie(1))
    stuck.append(errno.ENOSPC)
    with pytest.raises(OSError, match="No space"):
        sweep(options, {})
    stuck.clear()
    assert len(sweep(options, {}).claims) == 1


def test_a_file_written_to_in_the_last_moment_goes_back_to_settle(
    options: IntakeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, path = Path.replace, drop(options, "talk.mp4", movie(1))

    def write_first(self: Path, target: Path) -> Path:
        if self == path:
            path.write_bytes(movie(1, 200))
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", write_first)
        assert sweep(options, {}).settling == ("talk.mp4",)
    assert path.read_bytes() == movie(1, 200)
    (claim,) = sweep(options, {}).claims
    verify_recording(claim.recording)


def test_names_of_unfinished_files_are_known() -> None:
    assert is_ignored("x.PART")
    assert not is_ignored("x.mp4")


def sweep_often(inbox: Path, work: Path) -> list[str]:
    options = IntakeOptions(inbox=inbox, work=work, settle_ms=0)
    keys: list[str] = []
    for _ in range(5):
        result = sweep(options, {})
        keys += [_key(claim) for claim in result.claims]
        time.sleep(0.01 if result.busy else 0)
    return keys


def test_of_two_watchers_exactly_one_claims_each_recording(options: IntakeOptions) -> None:
    for number in range(30):
        drop(options, f"{number}.mp4", movie(number))
    context = get_context("spawn")
    with context.Pool(3) as pool:
        found = pool.starmap(sweep_often, [(options.inbox, options.work)] * 3)
    keys = [key for each in found for key in each] + [_key(claim) for claim in sweep(options, {}).claims]
    assert len(keys) == len(set(keys)) == 30


def test_a_watcher_that_finds_another_sweeping_does_nothing(options: IntakeOptions) -> None:
    drop(options, "talk.mp4", movie(1))
    with exclusive(options.work / ".sweep.lock", wait=False):
        held = sweep(options, {})
    assert (held.busy, held.claims) == (True, ())
    assert len(sweep(options, {}).claims) == 1


CONTACTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.scandir", "ctypes.dlopen"}


def die_at(event: int, act: Callable[[], object]) -> bool:
    """Run something in a child that is killed just before its n-th contact with the disk; say whether it got there."""
    child = os.fork()
    if child == 0:
        count = itertools.count()

        def hook(name: str, _arguments: object) -> None:
            if name in CONTACTS and next(count) == event:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def stage(options: IntakeOptions, story: str) -> Callable[[], object]:
    """Set up what is about to happen and return what makes it happen."""
    sidecar = "title = 'T'"
    if story in {"claim", "mistake"}:
        drop(options, "talk.mp4", movie(1))
        drop(options, "talk.toml", sidecar if story == "claim" else "titel = 1")
        return lambda: sweep(options, {})
    drop(options, "talk.toml", sidecar)
    claim = take(options)
    if story == "reject":
        return lambda: reject(options, claim.session.id, RecordingRejected("intake.empty"))
    if story == "late":
        drop(options, "talk.toml", "title = 'Late'")
    else:
        drop(options, "again.mp4", movie(1))
    if story == "update":
        drop(options, "again.toml", "title = 'Better'")
    if story == "retry":
        record_state(options.work, claim.session.id, 1, Failed(reasons=(Notice(code="intake.unexpected"),)))
    return lambda: sweep(options, {})


def outcome(options: IntakeOptions) -> list[object]:
    """Describe where everything has come to, without times."""
    places = sorted(str(path.relative_to(options.inbox)) for path in options.inbox.rglob("*") if path.name[0] != ".")
    records = [
        (record.state, record.attempt, record.session, [(each.path, each.set_aside) for each in record.drops])
        for record in read_records(options.work)
    ]
    return [places, records]


@pytest.mark.parametrize("story", ["claim", "duplicate", "update", "mistake", "retry", "reject", "late"])
def test_a_death_at_any_moment_loses_nothing_and_doubles_nothing(tmp_path: Path, story: str) -> None:
    outcomes: list[object] = []
    for event in itertools.count():
        options = IntakeOptions(inbox=tmp_path / f"{event}i", work=tmp_path / f"{event}w", settle_ms=0)
        prepare(options)
        act = stage(options, story)
        before = files(options.inbox) + files(options.work)
        died = die_at(event, act)
        act()
        sweep(options, {})
        # A recording that had failed is replaced by the same bytes.
        spare = Counter({hashlib.sha256(movie(1)).hexdigest(): int(story == "retry")})
        assert files(options.inbox) + files(options.work) == before - spare
        outcomes.append(outcome(options))
        if not died:
            break
    assert len(outcomes) > 8
    assert all(each == outcomes[-1] for each in outcomes)


def test_a_watcher_killed_again_and_again_claims_each_recording_once(options: IntakeOptions) -> None:
    rng = random.Random(2026)  # noqa: S311  # a test's dice
    for number in range(40):
        drop(options, f"{number}.mp4", movie(number, 4000))
        drop(options, f"{number}.toml", f"week = {number % 53 + 1}")
        drop(options, f"copy of {number}.mp4", movie(number, 4000))
    before, kills, patience = files(options.inbox), 0, 0.01
    while any(path.suffix == ".mp4" for path in options.inbox.iterdir()):
        child = os.fork()
        if child == 0:
            try:
                while True:
                    sweep(options, {})
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0, patience))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
        # A busy machine may need longer than that to come to the first file.
        patience *= 1.1
    sweep(options, {})
    records = read_records(options.work)
    assert kills > 3
    assert files(options.inbox) + files(options.work) == before
    assert [record.session.week for record in records if record.attempt != 1] == []
    assert len(records) == 40
    assert sorted(claim.recording.name for claim in recover(options)) == sorted(r.recording.name for r in records)
    for record in records:
        verify_recording(record.recording)
        assert len(record.drops) == 2


class Facilitators(RuleBasedStateMachine):
    """People drop, copy slowly, describe and drop again while runs succeed, fail and die."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.options = IntakeOptions(
            inbox=Path(self.place.name) / "inbox", work=Path(self.place.name) / "work", settle_ms=0
        )
        prepare(self.options)
        self.dropped: set[bytes] = set()
        self.claims: dict[str, Claim] = {}

    def teardown(self) -> None:
        self.place.cleanup()

    names = st.sampled_from(["a.mp4", "b.mov", "week 2/a.mp4", "é\n.mp4", "c"])
    contents = st.integers(min_value=1, max_value=4).map(movie)

    @rule(name=names, content=contents | st.just(b"") | st.just(b"%PDF-"))
    def drop(self, name: str, content: bytes) -> None:
        if not (self.options.inbox / name).exists():
            drop(self.options, name, content)
            self.dropped.add(content)

    @rule(name=names, text=st.sampled_from(["week = 1", "week = 2", "weak = 3"]))
    def describe(self, name: str, text: str) -> None:
        drop(self.options, str(Path(name).with_suffix(".toml")), text)

    @rule(event=st.integers(min_value=0, max_value=120))
    def die(self, event: int) -> None:
        die_at(event, lambda: sweep(self.options, {}))

    @rule()
    def sweep(self) -> None:
        for claim in sweep(self.options, {}).claims:
            assert _key(claim) not in self.claims
            self.claims[_key(claim)] = claim

    @rule()
    def restart(self) -> None:
        self.claims |= {_key(claim): claim for claim in recover(self.options)}

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), end=st.sampled_from(["published", "failed", "rejected"]))
    def finish(self, data: st.DataObject, end: str) -> None:
        claim = self.claims[data.draw(st.sampled_from(sorted(self.claims)))]
        if end == "published":
            publish(self.options, claim)
        elif end == "failed":
            why = (Notice(code="intake.unexpected"),)
            record_state(self.options.work, claim.session.id, claim.attempt, Failed(reasons=why))
        else:
            reject(self.options, claim.session.id, RecordingRejected("intake.empty"))

    @invariant()
    def every_content_is_somewhere(self) -> None:
        found = set(files(self.options.inbox)) | set(files(self.options.work))
        assert {hashlib.sha256(content).hexdigest() for content in self.dropped} <= found

    @invariant()
    def what_is_in_the_work_area_is_what_it_is_called(self) -> None:
        for path in self.options.work.glob("*/recording*"):
            assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(path.parent.name)


TestFacilitators = Facilitators.TestCase
TestFacilitators.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
