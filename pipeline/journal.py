"""What has become of every recording, kept on disk so that no power cut can lose or double one.

A folder per session in the work area holds the recording and ``state.json``, its ``SessionRecord``. A change that moves
files is first written down as a ``Plan``, then carried out, then crossed out; whoever next takes the journal's lock
finishes a plan that a dead process left behind. It stands alone so that the watcher, the flow and the status page agree
on one record, and so that whatever a death between two moves leaves is mended in one place.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final, Literal
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pipeline.details import Details, Tags
from pipeline.durable import free_path, make_folder, rename_new, sync_folder, write_whole
from pipeline.locks import exclusive
from pipeline.naming import printable
from pipeline.serial import from_json, to_json
from pipeline.types import SESSION_ID, Language, Notice, Recording, Session

_logger = logging.getLogger(__name__)

_STATE: Final = "state.json"
_PLAN: Final = ".plan.json"
_LOCK: Final = ".journal.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The recording is in the work area and waits for a run.

    Attributes:
        updated: Whether only its details have changed since an earlier attempt.
        reviewed: Whether only what a person approved is to be published; nothing is to be recognised.
    """

    updated: bool = False
    reviewed: bool = False
    kind: Literal["claimed"] = "claimed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """A run is at work on it.

    Attributes:
        stage: Name of the stage; see :data:`pipeline.stages.Stage`.
        share: How much of the stage is done, 0 to 1.
    """

    stage: str
    share: float = 0.0
    kind: Literal["processing"] = "processing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Learners can see it.

    Attributes:
        revision: What was published, e.g. ``r1-3fa9c1d2``.
        pages: Address of the page in each language.
        notes: What a facilitator should look at.
    """

    revision: str
    pages: tuple[tuple[Language, str], ...] = ()
    notes: tuple[Notice, ...] = ()
    kind: Literal["published"] = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsReview:
    """It has been recognised, and nothing more is published before somebody has approved it."""

    kind: Literal["needs_review"] = "needs_review"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """It cannot be processed as it is; it has gone back to the facilitator with the reasons."""

    reasons: tuple[Notice, ...]
    kind: Literal["rejected"] = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Processing failed for a reason that is not the recording's; it is kept, and dropping it again tries again."""

    reasons: tuple[Notice, ...]
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """It was taken back from publication, and is not published again until somebody restores it.

    Attributes:
        reason: Why, in the words of whoever withdrew it; never published.
    """

    reason: str
    kind: Literal["withdrawn"] = "withdrawn"


State = Claimed | Processing | NeedsReview | Published | Rejected | Failed | Withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """One time that somebody put the recording, or details of it, into the inbox.

    Attributes:
        path: Under the inbox, percent-encoded byte for byte: names need not be UTF-8.
        when_ms: Unix time.
        set_aside: Name in the folder of what was set aside, percent-encoded; ``None`` where it was taken.
        reasons: Why it was set aside.
    """

    path: str
    when_ms: int
    set_aside: str | None = None
    reasons: tuple[Notice, ...] = ()

    @property
    def relative(self) -> PurePosixPath:
        """The path under the inbox as the file system has it."""
        return PurePosixPath(decode_name(self.path))

    @property
    def name(self) -> str:
        """The file's name as it can be shown."""
        return printable(self.relative.name)


_NOTHING_GIVEN: Final = Details()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """All that is known of one recording.

    Attributes:
        recording: The file, where it is or was in the work area.
        session: Its metadata as they stand.
        state: What is being done with it.
        when_ms: Unix time since which it is in that state.
        attempt: Counts from 1 how often it was given to be processed.
        again: Whether this attempt makes anew what was published already, which is no news to facilitators.
        given: What people wrote about it.
        tags: The media's own tags, once it has been probed.
        publication: The last one, which learners see whatever the state is.
        drops: Every time it was dropped, oldest first.
    """

    recording: Recording
    session: Session
    state: State
    when_ms: int
    attempt: int = 1
    again: bool = False
    given: Details = _NOTHING_GIVEN
    tags: Tags = ()
    publication: Published | None = None
    drops: tuple[Drop, ...] = ()

    @property
    def taken_as(self) -> Drop | None:
        """The drop that the recording in the work area came from."""
        return next((drop for drop in reversed(self.drops) if drop.set_aside is None), None)


class Changed(Exception):
    """A file is no longer the one that was looked at."""


def encode_name(name: str) -> str:
    r"""Return a name or path as ASCII, byte for byte reversible.

    Example:
        >>> decode_name(encode_name("é\udcff.mp4")) == "é\udcff.mp4"
        True
    """
    return quote_from_bytes(os.fsencode(name))


def decode_name(encoded: str) -> str:
    """Return what :func:`encode_name` was given."""
    return os.fsdecode(unquote_to_bytes(encoded))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What tells that a file still has the same content. Survives a rename, a restart and a remount.

    The inode is not part of it: some network and removable file systems give a file another one with each name.
    """

    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Make one of what ``stat`` says."""
        return cls(size=status.st_size, modified_ns=status.st_mtime_ns)

    @classmethod
    def read(cls, path: Path) -> Stamp:
        """Make one of a file, not following symbolic links."""
        return cls.of(path.lstat())


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One file to be renamed.

    Attributes:
        source: Where it is, percent-encoded.
        target: Where it goes, percent-encoded.
        stamp: What it was when somebody decided to move it.
        over: Whether it may take the place of what is there.
    """

    source: str
    target: str
    stamp: Stamp
    over: bool = False


def plan_move(source: Path, target: Path, stamp: Stamp, *, over: bool = False) -> Move:
    """Write down one rename."""
    return Move(source=encode_name(str(source)), target=encode_name(str(target)), stamp=stamp, over=over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change to carry out wholly or, where its first file is no longer what it was, not at all.

    Attributes:
        moves: The first decides; the others follow as far as they can.
        texts: Files to write: path, percent-encoded, and content.
        record: What the session's record becomes.
    """

    moves: tuple[Move, ...]
    texts: tuple[tuple[str, str], ...] = ()
    record: SessionRecord


def now_ms() -> int:
    """Return the time, Unix milliseconds."""
    return time.time_ns() // 1_000_000


def session_folder(work: Path, session_id: str) -> Path:
    """Return the folder that holds one session's recording, record and intermediate files."""
    return work / session_id


@contextmanager
def journal(work: Path) -> Iterator[None]:
    """Hold the journal for the length of a block: nobody else changes a record or carries out a plan meanwhile.

    A plan that a dead process left behind is finished first. Not to be nested.
    """
    with exclusive(work / _LOCK, wait=True):
        _finish_plan(work)
        yield


def heal(work: Path) -> None:
    """Finish what a process that died left half-done."""
    with journal(work):
        pass


def read_record(work: Path, session_id: str) -> SessionRecord | None:
    """Return what is known of a session, or ``None`` where it has never been seen or its record is damaged."""
    folder = session_folder(work, session_id)
    try:
        record = _parse_record((folder / _STATE).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        _logger.exception("session %s: its record is damaged and is taken for absent", session_id)
        return None
    # The work area may have been moved since.
    return replace(record, recording=replace(record.recording, path=folder / record.recording.path.name))


def known_record(work: Path, session_id: str) -> SessionRecord:
    """Return the record of a session that somebody has claimed.

    Raises:
        KeyError: No such session.
    """
    record = read_record(work, session_id)
    if record is None:
        raise KeyError(session_id)
    return record


@lru_cache(maxsize=4096)
def _parse_record(content: bytes) -> SessionRecord:
    return from_json(SessionRecord, content)


def read_records(work: Path) -> tuple[SessionRecord, ...]:
    """Return every record, in order of session id."""
    names = sorted(entry.name for entry in os.scandir(work)) if work.is_dir() else []
    found = (read_record(work, name) for name in names if SESSION_ID.match(name))
    return tuple(record for record in found if record is not None)


def write_record(work: Path, record: SessionRecord) -> None:
    """Write a record durably. Only while holding the journal."""
    folder = session_folder(work, record.recording.session_id)
    make_folder(folder)
    write_whole(folder / _STATE, to_json(record))


def next_attempt(record: SessionRecord, state: State) -> SessionRecord:
    """Return the record as another attempt begins, or is kept from beginning, with this state."""
    return replace(record, state=state, when_ms=now_ms(), attempt=record.attempt + 1, again=False)


def record_state(work: Path, session_id: str, attempt: int, state: State) -> SessionRecord:
    """Note what a run has come to.

    A run that has been overtaken by a later attempt no longer decides the state; what it published is noted all the
    same.

    Args:
        work: The work area.
        session_id: Whose state.
        attempt: Of the claim that the run was given.
        state: The new state.

    Returns:
        The record as it is now.

    Raises:
        KeyError: No such session.
    """
    with journal(work):
        record = known_record(work, session_id)
        changed = record
        if isinstance(state, Published):
            changed = replace(changed, publication=state)
        if attempt == record.attempt:
            since = record.when_ms if isinstance(state, type(record.state)) else now_ms()
            changed = replace(changed, state=state, when_ms=since)
        if changed != record:
            write_record(work, changed)
        return changed


def request_publication(work: Path, session_id: str) -> bool:
    """Ask for a run that publishes what was approved of a session.

    Args:
        work: The work area.
        session_id: Whose; something of it has been approved.

    Returns:
        Whether there will be one: not where the recording was never dropped, has been given back, or is withdrawn.
    """
    with journal(work):
        record = read_record(work, session_id)
        if record is None or isinstance(record.state, Rejected | Withdrawn):
            return False
        # A run that has not begun publishes what is approved anyway.
        if not isinstance(record.state, Claimed):
            write_record(work, next_attempt(record, Claimed(reviewed=True)))
        elif record.again:
            write_record(work, replace(record, again=False))
        return True


def record_withdrawal(work: Path, session_id: str, reason: str) -> bool:
    """Note that a session is withdrawn; a run that is at work on it no longer decides its state.

    Args:
        work: The work area.
        session_id: Whose.
        reason: Why.

    Returns:
        Whether there is such a session here.
    """
    with journal(work):
        record = read_record(work, session_id)
        if record is None:
            return False
        withdrawn = Withdrawn(reason=reason)
        if record.state != withdrawn:
            changed = next_attempt(record, withdrawn)
            if isinstance(record.state, Withdrawn):
                changed = replace(changed, attempt=record.attempt)
            write_record(work, replace(changed, publication=None))
        return True


def record_restoration(work: Path, session_id: str) -> bool:
    """Have a withdrawn session published again, from the recording that is still here.

    Returns:
        Whether a run will publish it; else its recording has to be dropped again.
    """
    with journal(work):
        record = read_record(work, session_id)
        if record is None or not isinstance(record.state, Withdrawn):
            return False
        there = record.recording.path.exists()
        state = Claimed() if there else Rejected(reasons=(Notice(code="intake.restored"),))
        write_record(work, next_attempt(record, state))
        return there


def request_again(work: Path, session_id: str) -> bool:
    """Have a session published once more from the recording that is here; what is finished is not done again.

    Nobody is told of it where it was published already: nothing has changed that a facilitator did or has to do.

    Returns:
        Whether a run will publish it: not where it was withdrawn, waits for review, or its recording is gone.
    """
    with journal(work):
        record = read_record(work, session_id)
        if record is None or isinstance(record.state, Rejected | Withdrawn | NeedsReview):
            return False
        if not record.recording.path.exists():
            return False
        # A run that is under way publishes all of it anyway.
        if isinstance(record.state, Published | Failed):
            # Who was told that it failed is told that it went well in the end.
            published = isinstance(record.state, Published)
            write_record(work, replace(next_attempt(record, Claimed()), again=published))
        return True


def commit(work: Path, plan: Plan) -> None:
    """Carry out a plan so that a crash at any moment leaves it either wholly done or to be finished.

    Only while holding the journal.

    Raises:
        Changed: The first file is no longer what it was; nothing has been done.
        OSError: The first file cannot be moved; nothing has been done.
    """
    if Stamp.read(Path(decode_name(plan.moves[0].source))) != plan.moves[0].stamp:
        raise Changed
    make_folder(session_folder(work, plan.record.recording.session_id))
    write_whole(work / _PLAN, to_json(plan))
    _move_first(work, plan)
    _complete(work, plan)


def _finish_plan(work: Path) -> None:
    try:
        plan = from_json(Plan, (work / _PLAN).read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        _logger.exception("the plan that was being carried out is damaged and is given up")
        (work / _PLAN).unlink()
        return
    try:
        _move_first(work, plan)
    except (Changed, OSError):
        return
    _complete(work, plan)


def _move_first(work: Path, plan: Plan) -> None:
    try:
        _move(plan.moves[0])
    except (Changed, OSError):
        _cross_out(work, plan)
        raise


def _complete(work: Path, plan: Plan) -> None:
    for move in plan.moves[1:]:
        try:
            _move(move)
        except (Changed, OSError) as error:
            _logger.warning("session %s: a file beside it stays: %s", plan.record.session.id, type(error).__name__)
    folders = {Path(decode_name(name)).parent for move in plan.moves for name in (move.target, move.source)}
    for folder in sorted(folders):
        with contextlib.suppress(FileNotFoundError):
            sync_folder(folder)
    for name, text in plan.texts:
        make_folder(Path(decode_name(name)).parent)
        write_whole(Path(decode_name(name)), text.encode())
    write_record(work, plan.record)
    _cross_out(work, plan)


def _cross_out(work: Path, plan: Plan) -> None:
    (work / _PLAN).unlink(missing_ok=True)
    sync_folder(work)
    # A plan that came to nothing leaves the folder that was made for it.
    with contextlib.suppress(OSError):
        session_folder(work, plan.record.recording.session_id).rmdir()


def _move(move: Move) -> None:
    source, target = Path(decode_name(move.source)), Path(decode_name(move.target))
    if _is_there(target, move.stamp):
        return
    # Between a crash and now, somebody may have dropped another file under the same name.
    if not _is_there(source, move.stamp):
        raise Changed
    if move.over:
        source.replace(target)
    else:
        rename_new(source, target)
    if not _is_there(target, move.stamp):
        # Somebody wrote in the moment between the last look and the rename: it goes back and has to settle again.
        rename_new(target, free_path(source))
        raise Changed


def _is_there(path: Path, stamp: Stamp) -> bool:
    try:
        return Stamp.read(path) == stamp
    except FileNotFoundError:
        return False
