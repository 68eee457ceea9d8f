"""From a file in a watched folder to a claimed recording, once.

A facilitator's inbox comes in, with files still being copied, dropped twice, misnamed or hostile; out come claims: a
recording in the work area, whole and alone there, with the session that its sidecar, folder, tags and name describe.
Whatever cannot be claimed is set aside in ``rejected/`` with a reason beside it in both languages; nothing is deleted.
One call is one sweep; the caller decides how often. It stands alone so that the promise "once, never lost, never half"
can be read and tested in one place, whatever polls it.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from pipeline.details import Details, Tags, clean, session_for
from pipeline.errors import RecordingRejected, SetUpError, SidecarInvalid, TribuneError
from pipeline.journal import (
    Changed,
    Claimed,
    Drop,
    Failed,
    Move,
    Plan,
    Rejected,
    SessionRecord,
    Stamp,
    Withdrawn,
    commit,
    encode_name,
    fit_name,
    free_path,
    heal,
    journal,
    make_folder,
    now_ms,
    plan_move,
    read_record,
    read_records,
    session_folder,
    sync_handle,
    write_changed,
    write_record,
)
from pipeline.locks import Held, exclusive
from pipeline.messages import message
from pipeline.naming import name_hints, printable
from pipeline.sidecar import SIDECAR_BYTES, SIDECAR_EXTENSIONS, read_sidecar, reasons
from pipeline.sniff import HEAD_BYTES, sniff
from pipeline.types import LANGUAGES, SESSION_ID_LENGTH, Bilingual, Language, Notice, Recording, Session, TrackFile

_logger = logging.getLogger(__name__)

REJECTED: Final = "rejected"
"""The folder of the inbox for what was set aside."""
DEFAULTS: Final = "defaults.toml"
"""The file that says what holds for every recording in its folder and below."""
STATUS_PAGES: Final[Mapping[Language, str]] = {"en": "status.html", "fr": "etat.html"}
"""The inbox's own pages, by language."""
# fmt: off
MEDIA_EXTENSIONS: Final = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".asf",
    ".flv", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".ogv",
    ".mp3", ".m4a", ".wav", ".flac", ".ogg", ".oga", ".opus", ".aac",
    ".aif", ".aiff", ".caf", ".wma", ".amr", ".au", ".mka",
)
# fmt: on
"""What recordings are usually called."""

_LOCK: Final = ".sweep.lock"
_REASON: Final = ".reason.txt"
_SIDECAR: Final = "sidecar-"
_TRACK: Final = "track-"
_CUT_NAME_BYTES: Final = 250
_RULE: Final = "\n" + "-" * 60 + "\n\n"
_UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart", ".opdownload")
_SYSTEM_FILES: Final = frozenset({"thumbs.db", "desktop.ini", "icon\r", *STATUS_PAGES.values()})
_RETRY_BLOCKED_MS: Final = 60_000
_WORK_AREA_TROUBLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE})
_BLOCKED: Final = Notice(code="intake.blocked")
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_RDWR

Clock = Callable[[], int]
"""Milliseconds that never go back."""


def monotonic_ms() -> int:
    """Return milliseconds that never go back, from an arbitrary start."""
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeOptions:
    """Where recordings come in, and when one counts as there.

    Attributes:
        inbox: The folder that facilitators drop into.
        work: The work area; on the same file system, neither inside the other.
        settle_ms: How long a file must have stayed the same.
        tracks_ms: How long a settled recording waits for the tracks that its details file lists.
        extensions: What recordings may be called, lower case with the dot; other names are judged by content alone.
        default_languages: Of sessions about which nobody said.
        depth: How many levels of sub-folders are looked into.
        chunk_bytes: How much is read at a time.
        contact: Whom a facilitator asks, for the reasons; a general sentence where absent.
    """

    inbox: Path
    work: Path
    settle_ms: int = 10_000
    tracks_ms: int = 600_000
    extensions: tuple[str, ...] = MEDIA_EXTENSIONS
    default_languages: tuple[Language, ...] = LANGUAGES
    depth: int = 4
    chunk_bytes: int = 1 << 20
    contact: Bilingual | None = None

    def __post_init__(self) -> None:
        inbox, work = self.inbox.absolute(), self.work.absolute()
        if inbox == work or inbox in work.parents or work in inbox.parents:
            raise ValueError("the inbox and the work area must lie apart")
        if min(self.settle_ms, self.tracks_ms, self.depth) < 0 or self.chunk_bytes < HEAD_BYTES:
            raise ValueError(f"settle_ms, tracks_ms and depth are at least 0, chunk_bytes at least {HEAD_BYTES}")
        if not self.default_languages:
            raise ValueError("default_languages needs at least one")
        if any(not extension.startswith(".") or extension != extension.lower() for extension in self.extensions):
            raise ValueError("extensions are in lower case and start with a dot")

    @property
    def rejected(self) -> Path:
        """The folder for what was set aside."""
        return self.inbox / REJECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A recording to be processed.

    Attributes:
        recording: In the work area.
        session: What is known of it so far.
        attempt: Counts from 1; higher when it is tried again or its details changed.
        updated: Whether only its details have changed.
    """

    recording: Recording
    session: Session
    attempt: int = 1
    updated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A file that was put into ``rejected/``.

    Attributes:
        name: As dropped, as it can be shown.
        path: Where it is now.
        session_id: Of its content.
        reasons: Why; what stands in the file beside it.
    """

    name: str
    path: Path
    session_id: str
    reasons: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A file that stays where it is until a person does something.

    Attributes:
        name: Path under the inbox, as it can be shown.
        reasons: What it waits for.
    """

    name: str
    reasons: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a file looked like: any change means that somebody still writes.

    Blocks are counted because some copiers give a file its full size first and fill it later.
    """

    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Since when, on the sweeper's clock, a file has looked the same; later than now where it could not be taken."""

    look: Look
    since_ms: int
    blocked: bool = False


Seen = Mapping[Path, Sighting]
"""What one sweep remembers for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What one sweep did and saw.

    Attributes:
        claims: To be processed; each is also in the journal until a run reports on it.
        answered: Recordings that are already there, set aside with an answer.
        rejected: What was set aside because it cannot be processed.
        settling: Files that are still being written, paths under the inbox as they can be shown.
        waiting: Files that wait for a person.
        seen: To be given to the next sweep.
        busy: Whether another watcher was sweeping, so that this call did nothing.
    """

    claims: tuple[Claim, ...] = ()
    answered: tuple[SetAside, ...] = ()
    rejected: tuple[SetAside, ...] = ()
    settling: tuple[str, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    seen: Seen = field(default_factory=dict)
    busy: bool = False


def prepare(options: IntakeOptions) -> None:
    """Make the inbox and the work area where they are missing, and check them.

    Raises:
        SetUpError: They do not lie on one file system.
    """
    make_folder(options.inbox)
    make_folder(options.work)
    _check_places(options)


def sweep(options: IntakeOptions, seen: Seen, *, clock: Clock = monotonic_ms) -> SweepResult:
    """Look through the inbox once: claim what has settled, answer what is known, set aside what cannot be taken.

    Safe to be killed at any moment and to be run by several watchers: one sweeps, the others see ``busy``.

    Args:
        options: Where, and when a file counts as there.
        seen: The ``seen`` of the sweep before; empty for the first.
        clock: Tells how long a file has stayed the same.

    Returns:
        What happened. New claims come once; the journal holds those that nobody has reported on.

    Raises:
        SetUpError: The inbox is missing, or not on the work area's file system.
        OSError: The work area cannot be written.
    """
    _check_places(options)
    try:
        with exclusive(options.work / _LOCK, wait=False):
            return _Sweep(options, seen, clock()).run()
    except Held:
        return SweepResult(seen=seen, busy=True)


def complete_session(options: IntakeOptions, session_id: str, tags: Tags) -> Session:
    """Note a recording's own tags and return its session with what they add.

    Args:
        options: The intake's.
        session_id: Whose tags.
        tags: As ``Media.tags`` has them.

    Raises:
        KeyError: No such session.
    """
    with journal(options.work):
        record = _known(options, session_id)
        tags = tuple((clean(key), clean(value)) for key, value in tags)
        session = session_for(record.recording, record.given, tags, options.default_languages)
        completed = replace(record, tags=tags, session=session)
        if completed != record:
            write_record(options.work, completed)
    return session


def reject(options: IntakeOptions, session_id: str, error: TribuneError) -> SetAside | None:
    """Give a claimed recording back to its facilitator, with its sidecar and the reason beside it.

    Args:
        options: The intake's.
        session_id: Whose recording.
        error: Why.

    Returns:
        Where it is now; ``None`` where it had been given back before or is no longer there.

    Raises:
        KeyError: No such session.
        OSError: It cannot be moved.
    """
    with journal(options.work):
        record = _known(options, session_id)
        if isinstance(record.state, Rejected | Withdrawn):
            return None
        state = Rejected(reasons=reasons(error))
        if not record.recording.path.exists() or record.taken_as is None:
            write_record(options.work, replace(record, state=state, when_ms=now_ms()))
            return None
        return _give_back(options, record, record.taken_as, state)


def verify_recording(recording: Recording) -> None:
    """Check that a claimed recording still has the bytes it was claimed for. Reads all of it.

    Raises:
        RecordingRejected: It has others: somebody was still writing, unseen, or the disk failed.
    """
    with recording.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != recording.sha256:
        raise RecordingRejected("intake.changed", {"name": recording.name})


def open_for_writing(paths: Iterable[Path]) -> frozenset[Path]:
    """Return which of these files some process of this machine has open for writing, as far as can be seen.

    Empty where the system has no ``/proc``; processes of other people are seen only by those who may look.
    """
    wanted: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        wanted[path.name].append(path)
    if not wanted:
        return frozenset()
    return frozenset(
        path
        for handle, target in _handles()
        for path in wanted.get(os.path.basename(target), ())  # noqa: PTH119  # ten thousand handles a sweep
        if _writes(handle, path)
    )


def _handles() -> Iterator[tuple[Path, str]]:
    """Yield every visible open file: its place in ``/proc`` and what it leads to."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            for handle in (process / "fd").iterdir():
                yield handle, str(handle.readlink())
        except OSError:
            continue


def _writes(handle: Path, path: Path) -> bool:
    try:
        if not os.path.samestat(handle.stat(), path.lstat()):
            return False
        lines = (handle.parent.parent / "fdinfo" / handle.name).read_text().splitlines()
    except OSError:
        return False
    flags = next((int(line.split()[1], 8) for line in lines if line.startswith("flags:")), 0)
    return bool(flags & _WRITE_FLAGS)


def is_ignored(name: str) -> bool:
    """Say whether a name is none of a facilitator's: hidden, unfinished, a lock, the system's or our own.

    Example:
        >>> is_ignored("talk.mp4.crdownload"), is_ignored("~$notes.docx"), is_ignored("talk.mp4")
        (True, True, False)
    """
    lower = name.lower()
    return lower.startswith((".", "~")) or lower.endswith(("~", _REASON, *_UNFINISHED)) or lower in _SYSTEM_FILES


def _check_places(options: IntakeOptions) -> None:
    if not options.inbox.is_dir():
        raise SetUpError("intake.no_inbox", {"inbox": str(options.inbox)})
    options.work.mkdir(parents=True, exist_ok=True)
    options.rejected.mkdir(exist_ok=True)
    devices = {folder.stat().st_dev for folder in (options.inbox, options.rejected, options.work)}
    if len(devices) > 1:
        raise _other_device(options)


def _other_device(options: IntakeOptions) -> SetUpError:
    return SetUpError("intake.other_device", {"inbox": str(options.inbox), "work": str(options.work)})


def _known(options: IntakeOptions, session_id: str) -> SessionRecord:
    record = read_record(options.work, session_id)
    if record is None:
        raise KeyError(session_id)
    return record


def _claim_of(record: SessionRecord) -> Claim:
    updated = isinstance(record.state, Claimed) and record.state.updated
    return Claim(recording=record.recording, session=record.session, attempt=record.attempt, updated=updated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One regular file of the inbox."""

    path: Path
    relative: PurePosixPath
    look: Look

    @property
    def shown(self) -> str:
        return printable(str(self.relative))

    @property
    def is_defaults(self) -> bool:
        return self.relative.name.lower() == DEFAULTS

    @property
    def is_sidecar(self) -> bool:
        return self.relative.suffix.lower() in SIDECAR_EXTENSIONS and not self.is_defaults


def _scan(folder: Path, relative: PurePosixPath, depth: int) -> Iterator[_Entry]:
    """Yield the files of a folder and those below, in order of name; links and special files are not followed."""
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        _logger.warning("cannot look into a folder of the inbox: %s", error.strerror)
        return
    for entry in found:
        here = relative / entry.name
        if is_ignored(entry.name) or here == PurePosixPath(REJECTED):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth:
                yield from _scan(Path(entry.path), here, depth - 1)
        elif (look := _look(entry)) is not None:
            yield _Entry(path=Path(entry.path), relative=here, look=look)


def _look(entry: os.DirEntry[str]) -> Look | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return _look_of(status) if stat.S_ISREG(status.st_mode) else None


def _look_of(status: os.stat_result) -> Look:
    return Look(
        inode=status.st_ino,
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_ns=status.st_ctime_ns,
        blocks=status.st_blocks,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What reading a whole file found."""

    sha256: str
    head: bytes
    stamp: Stamp


def _read_content(entry: _Entry, chunk_bytes: int) -> _Content:
    """Read a file and make it durable.

    Raises:
        Changed: It is not, or does not stay, the file that was looked at.
        OSError: It cannot be read.
    """
    # The name may have become a link or a pipe since: neither is followed, and opening a pipe must not hang.
    handle = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        _check_same(entry, os.fstat(handle))
        head = file.read(HEAD_BYTES)
        digest = hashlib.sha256(head)
        while chunk := file.read(chunk_bytes):
            digest.update(chunk)
        sync_handle(handle)
        _check_same(entry, os.fstat(handle))
    status = entry.path.lstat()
    _check_same(entry, status)
    return _Content(sha256=digest.hexdigest(), head=head, stamp=Stamp.of(status))


def _check_same(entry: _Entry, status: os.stat_result) -> None:
    # Not the blocks: making it durable may itself have changed how they are counted.
    now = replace(_look_of(status), blocks=entry.look.blocks)
    if now != entry.look:
        raise Changed


def _extension(entry: _Entry, content: _Content, options: IntakeOptions) -> str:
    """Return what to call the recording in the work area.

    Raises:
        RecordingRejected: It is certainly none.
    """
    if content.stamp.size == 0:
        raise RecordingRejected("intake.empty", {"name": printable(entry.relative.name)})
    named = entry.relative.suffix.lower()
    found = sniff(content.head)
    data = {"name": printable(entry.relative.name), "extensions": " ".join(options.extensions)}
    if found.kind == "unknown" and named not in options.extensions:
        raise RecordingRejected("intake.unknown", data)
    if found.kind not in {"media", "unknown"}:
        raise RecordingRejected(f"intake.{found.kind}", data)
    return named if named in options.extensions else found.extension or ""


def _fold(name: str) -> str:
    """Return what makes two names the same to a person: case and the way accents are stored do not count."""
    return unicodedata.normalize("NFC", name).casefold()


def _names_of(recording: PurePosixPath) -> frozenset[tuple[PurePosixPath, str]]:
    """Return the folder and stem that a recording's sidecar may have."""
    return frozenset({(recording.parent, _fold(recording.stem)), (recording.parent, _fold(recording.name))})


def _name_of(sidecar: PurePosixPath) -> tuple[PurePosixPath, str]:
    return sidecar.parent, _fold(sidecar.stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """The tracks that a details file lists.

    Attributes:
        there: Those that lie beside it, by name as listed.
        missing: Names of the others.
    """

    there: Mapping[str, _Entry] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


_NOTHING_LISTED: Final = _Listed()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parcel:
    """A settled recording with what lies beside it."""

    entry: _Entry
    sidecars: tuple[_Entry, ...]
    sidecar_is_shared: bool
    listed: _Listed

    @property
    def tracks(self) -> tuple[_Entry, ...]:
        """The files listed that are there."""
        return tuple(self.listed.there.values())

    @property
    def whole(self) -> tuple[_Entry, ...]:
        """Everything that must have settled before any of it is taken."""
        return (self.entry, *self.sidecars, *self.tracks)

    @property
    def name(self) -> str:
        return printable(self.entry.relative.name)

    def drop(self) -> Drop:
        return Drop(path=encode_name(str(self.entry.relative)), when_ms=now_ms())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    """One listed track, read whole.

    Attributes:
        name: As listed.
        entry: Where it lies.
        content: What is in it.
        extension: What to end its name with in the work area.
    """

    name: str
    entry: _Entry
    content: _Content
    extension: str


_NO_TRACKS: Final[tuple[_Track, ...]] = ()
_NONE_KEPT: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What people wrote about a recording, and the tracks that they put beside it."""

    details: Details
    tracks: tuple[_Track, ...] = ()


class _Sweep:
    """One look through the inbox; collects what becomes of each file."""

    def __init__(self, options: IntakeOptions, seen: Seen, now: int) -> None:
        self.options = options
        self.now = now
        self.entries = list(_scan(options.inbox, PurePosixPath(), options.depth))
        self.seen = {entry.path: _sighting(entry, seen, now) for entry in self.entries}
        self.defaults = {entry.relative.parent: entry for entry in self.entries if entry.is_defaults}
        self.listed = self._read_lists()
        self.listed_by = {entry.path: sidecar for sidecar, each in self.listed.items() for entry in each.there.values()}
        self.claims: list[Claim] = []
        self.answered: list[SetAside] = []
        self.rejected: list[SetAside] = []
        self.settling: list[str] = []
        self.waiting: list[Waiting] = []

    def run(self) -> SweepResult:
        heal(self.options.work)
        _tidy_notes(self.options.rejected)
        parcels, strays = self._parcels()
        for parcel in parcels:
            self._guard(parcel.entry, partial(self._take, parcel))
        for stray in strays:
            self._guard(stray, partial(self._take_late, stray))
        return SweepResult(
            claims=tuple(self.claims),
            answered=tuple(self.answered),
            rejected=tuple(self.rejected),
            settling=tuple(self.settling),
            waiting=tuple(self.waiting),
            seen=self.seen,
        )

    def _parcels(self) -> tuple[list[_Parcel], list[_Entry]]:
        """Return the recordings that are ready with what belongs to them, and the settled sidecars without one."""
        recordings = [
            entry
            for entry in self.entries
            if not entry.is_sidecar and not entry.is_defaults and entry.path not in self.listed_by
        ]
        sidecars: dict[tuple[PurePosixPath, str], list[_Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.is_sidecar:
                sidecars[_name_of(entry.relative)].append(entry)
        owners = Counter(name for entry in recordings for name in _names_of(entry.relative) if name in sidecars)
        parcels = [
            _Parcel(
                entry=entry,
                sidecars=beside,
                sidecar_is_shared=any(owners[name] > 1 for name in names),
                listed=self._listed_in(beside),
            )
            for entry in recordings
            for names in [sorted(_names_of(entry.relative) & sidecars.keys())]
            for beside in [tuple(sidecar for name in names for sidecar in sidecars[name])]
        ]
        strays = [entry for name, group in sidecars.items() if name not in owners for entry in group]
        self._tell_waiting_tracks(strays)
        return self._ready(parcels), [entry for entry in strays if self._has_settled(entry)]

    def _listed_in(self, sidecars: Iterable[_Entry]) -> _Listed:
        found = [self.listed.get(sidecar.path, _NOTHING_LISTED) for sidecar in sidecars]
        there = {name: entry for each in found for name, entry in each.there.items()}
        return _Listed(there=there, missing=tuple(name for each in found for name in each.missing))

    def _read_lists(self) -> dict[Path, _Listed]:
        """Return, for each sidecar that lists tracks, which of them lie beside it.

        Read before anything is taken, so that no track is ever taken for a recording of its own. A sidecar that lists
        its own recording is refused later.
        """
        folders: dict[PurePosixPath, dict[str, _Entry]] = defaultdict(dict)
        for entry in self.entries:
            folders[entry.relative.parent][_fold(entry.relative.name)] = entry
        found = {}
        for sidecar in self.entries:
            beside = folders[sidecar.relative.parent]
            names = _track_files(sidecar, beside) if sidecar.is_sidecar else ()
            own = {name for name in names if _is_own(sidecar, beside.get(_fold(name)))}
            there = {name: beside[_fold(name)] for name in names if _fold(name) in beside and name not in own}
            if names:
                missing = tuple(name for name in names if name not in there and name not in own)
                found[sidecar.path] = _Listed(there=there, missing=missing)
        return found

    def _tell_waiting_tracks(self, strays: list[_Entry]) -> None:
        for sidecar in strays:
            for track in self.listed.get(sidecar.path, _NOTHING_LISTED).there.values():
                data = (("sidecar", printable(sidecar.relative.name)),)
                self._wait(track, Notice(code="intake.track_waits", data=data))

    def _ready(self, parcels: list[_Parcel]) -> list[_Parcel]:
        quiet = [parcel for parcel in parcels if all(map(self._has_settled, parcel.whole))]
        written = open_for_writing(entry.path for parcel in quiet for entry in parcel.whole)
        ready = [parcel for parcel in quiet if written.isdisjoint(entry.path for entry in parcel.whole)]
        waiting = {parcel.entry.path for parcel in ready if self._awaits_tracks(parcel.whole, parcel.listed)}
        chosen = {parcel.entry.path for parcel in ready}
        for parcel in parcels:
            if self.seen[parcel.entry.path].blocked:
                self._wait(parcel.entry, _BLOCKED)
            elif parcel.entry.path not in chosen:
                self.settling.append(parcel.entry.shown)
        return [parcel for parcel in ready if parcel.entry.path not in waiting]

    def _awaits_tracks(self, entries: tuple[_Entry, ...], listed: _Listed) -> bool:
        """Say whether some entries, all settled, still wait for tracks, and tell it of the first; not for ever."""
        newest = max(self.seen[entry.path].since_ms for entry in entries)
        if not listed.missing or newest + self.options.settle_ms + self.options.tracks_ms <= self.now:
            return False
        minutes = str(-(-self.options.tracks_ms // 60_000))
        data = (("files", _shown_names(listed.missing)), ("minutes", minutes))
        self._wait(entries[0], Notice(code="sidecar.tracks_awaited", data=data))
        return True

    def _has_settled(self, entry: _Entry) -> bool:
        return self.seen[entry.path].since_ms + self.options.settle_ms <= self.now

    def _guard(self, entry: _Entry, take: Callable[[], None]) -> None:
        """Keep one file's trouble from the others."""
        try:
            take()
        except (Changed, FileNotFoundError):
            self.settling.append(entry.shown)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise _other_device(self.options) from error
            if error.errno in _WORK_AREA_TROUBLE:
                raise
            _logger.warning("cannot take a file of the inbox: %s", error.strerror)
            self._wait(entry, _BLOCKED)
            # Not every few seconds: a recording is read whole before this shows.
            self.seen[entry.path] = Sighting(look=entry.look, since_ms=self.now + _RETRY_BLOCKED_MS, blocked=True)

    def _wait(self, entry: _Entry, *why: Notice) -> None:
        self.waiting.append(Waiting(name=entry.shown, reasons=why))

    def _take(self, parcel: _Parcel) -> None:
        try:
            defaults = self._folder_details(parcel.entry.relative)
        except SidecarInvalid as error:
            # One mistake in it must not send every recording back: they wait until it is put right.
            self._wait(parcel.entry, *reasons(error))
            return
        content = _read_content(parcel.entry, self.options.chunk_bytes)
        refusal: TribuneError | None = None
        given, extension, tracks = defaults, "", _NO_TRACKS
        try:
            extension = _extension(parcel.entry, content, self.options)
            given = _read_details(parcel).over(defaults)
            tracks = self._read_tracks(parcel.listed, given)
        except (RecordingRejected, SidecarInvalid) as error:
            refusal = error
        with journal(self.options.work):
            self._settle(parcel, content, _Given(details=given, tracks=tracks), extension, refusal)

    def _read_tracks(self, listed: _Listed, given: Details, kept: AbstractSet[str] = _NONE_KEPT) -> tuple[_Track, ...]:
        """Return the tracks that come along with a recording or its details, read whole.

        Args:
            listed: What the details list.
            given: The details.
            kept: Names of tracks that the recording has already, as :func:`_fold` gives them.

        Raises:
            SidecarInvalid: One is not there, or is the recording itself.
            RecordingRejected: One is certainly no recording.
            Changed: One is still being written.
        """
        if listed.missing:
            raise SidecarInvalid("sidecar.tracks_missing", {"files": _shown_names(listed.missing)})
        themselves = [name for name in given.track_files if name not in listed.there and _fold(name) not in kept]
        if themselves:
            raise SidecarInvalid("sidecar.track_is_recording", {"files": _shown_names(themselves)})
        return tuple(self._read_track(name, entry) for name, entry in listed.there.items())

    def _read_track(self, name: str, entry: _Entry) -> _Track:
        content = _read_content(entry, self.options.chunk_bytes)
        return _Track(name=name, entry=entry, content=content, extension=_extension(entry, content, self.options))

    def _settle(
        self, parcel: _Parcel, content: _Content, given: _Given, extension: str, refusal: TribuneError | None
    ) -> None:
        known = read_record(self.options.work, content.sha256[:SESSION_ID_LENGTH])
        record = known or self._new_record(parcel, content, given.details, extension)
        is_alive = known is not None and not isinstance(known.state, Rejected | Failed)
        if refusal is not None:
            state = record.state if is_alive else Rejected(reasons=reasons(refusal))
            self.rejected.append(self._set_aside(parcel, content, replace(record, state=state), reasons(refusal)))
        elif known is not None and is_alive:
            self._answer(parcel, content, given, known)
        else:
            self._claim(parcel, content, given, record, attempt=known.attempt + 1 if known else 1)

    def _folder_details(self, relative: PurePosixPath) -> Details:
        """Return what holds for everything in a folder: the deepest ``defaults.toml`` wins, then the folders' names."""
        given = Details()
        for folder in relative.parents:
            if folder in self.defaults:
                given = given.over(self._read_defaults(self.defaults[folder]))
        return given.over(_folder_hints(relative.parent))

    def _read_defaults(self, entry: _Entry) -> Details:
        note = entry.path.with_name(entry.path.name + _REASON)
        try:
            given = read_sidecar(entry.path)
            if given.track_files:
                raise SidecarInvalid("sidecar.tracks_in_defaults", {"file": entry.shown})
        except SidecarInvalid as error:
            write_changed(note, _reason_text(self.options, entry.shown, reasons(error)))
            raise
        note.unlink(missing_ok=True)
        return given

    def _new_record(self, parcel: _Parcel, content: _Content, given: Details, extension: str) -> SessionRecord:
        session_id = content.sha256[:SESSION_ID_LENGTH]
        recording = Recording(
            path=session_folder(self.options.work, session_id) / f"recording{extension}",
            name=parcel.name,
            sha256=content.sha256,
            size=content.stamp.size,
        )
        session = session_for(recording, given, default_languages=self.options.default_languages)
        return SessionRecord(recording=recording, session=session, state=Claimed(), when_ms=now_ms(), given=given)

    def _described(self, record: SessionRecord, given: _Given) -> SessionRecord:
        """Return a record with what is given now; its tracks are those that come along and those it has already."""
        files = {_fold(track.name): track for track in record.recording.tracks}
        files |= {_fold(track.name): self._track_file(record, track) for track in given.tracks}
        listed = given.details.track_files
        tracks = tuple(replace(files[_fold(name)], name=name) for name in listed if _fold(name) in files)
        recording = replace(record.recording, tracks=tracks)
        session = session_for(recording, given.details, record.tags, self.options.default_languages)
        return replace(record, recording=recording, given=given.details, session=session)

    def _track_file(self, record: SessionRecord, track: _Track) -> TrackFile:
        # By content: the same track given again is the same file.
        name = f"{_TRACK}{track.content.sha256[:SESSION_ID_LENGTH]}{track.extension}"
        folder = session_folder(self.options.work, record.session.id)
        return TrackFile(path=folder / name, name=track.name, sha256=track.content.sha256)

    def _keep_tracks(self, given: _Given, record: SessionRecord) -> tuple[Move, ...]:
        return tuple(
            plan_move(track.entry.path, self._track_file(record, track).path, track.content.stamp, over=True)
            for track in given.tracks
        )

    def _claim(self, parcel: _Parcel, content: _Content, given: _Given, record: SessionRecord, *, attempt: int) -> None:
        named = replace(record, recording=replace(record.recording, name=parcel.name))
        claimed = replace(
            self._described(named, given),
            state=Claimed(),
            when_ms=now_ms(),
            attempt=attempt,
            drops=(*record.drops, parcel.drop()),
        )
        # A recording that failed before is still there: the same bytes.
        moves = [plan_move(parcel.entry.path, claimed.recording.path, content.stamp, over=True)]
        if parcel.sidecars and not parcel.sidecar_is_shared:
            moves.append(self._keep_sidecar(parcel.sidecars[0], claimed))
        moves += self._keep_tracks(given, claimed)
        commit(self.options.work, Plan(moves=tuple(moves), record=claimed))
        _logger.info("session %s: claimed, attempt %d", claimed.session.id, attempt)
        self.claims.append(_claim_of(claimed))

    def _keep_sidecar(self, sidecar: _Entry, record: SessionRecord) -> Move:
        folder = session_folder(self.options.work, record.session.id)
        target = folder / f"{_SIDECAR}{record.attempt}{sidecar.relative.suffix.lower()}"
        return plan_move(sidecar.path, free_path(target), _stamp_of(sidecar))

    def _answer(self, parcel: _Parcel, content: _Content, given: _Given, record: SessionRecord) -> None:
        """Tell that a recording is already there; take what a sidecar changes about it."""
        described = self._described(record, given)
        if not parcel.sidecars or isinstance(record.state, Withdrawn) or _says_nothing_new(described, record):
            answer = _answer_for(record)
            self.answered.append(self._set_aside(parcel, content, record, (answer,)))
            return
        updated = _updated(described)
        answer = Notice(code="intake.duplicate_updated", data=_known_as(record))
        kept = () if parcel.sidecar_is_shared else (self._keep_sidecar(parcel.sidecars[0], updated),)
        moves = (*kept, *self._keep_tracks(given, updated))
        alone = replace(parcel, sidecars=(), listed=_NOTHING_LISTED)
        self.answered.append(self._set_aside(alone, content, updated, (answer,), moves))
        self.claims.append(_claim_of(updated))

    def _set_aside(
        self,
        parcel: _Parcel,
        content: _Content,
        record: SessionRecord,
        why: tuple[Notice, ...],
        moves: tuple[Move, ...] = (),
    ) -> SetAside:
        stays = parcel.sidecar_is_shared
        files = [(parcel.entry.path, content.stamp)]
        files += [] if stays else [(sidecar.path, _stamp_of(sidecar)) for sidecar in parcel.sidecars]
        files += [(track.path, _stamp_of(track)) for track in parcel.tracks]
        parting = _Parting(self.options, parcel.entry.relative.name, files)
        drop = replace(parcel.drop(), set_aside=parting.encoded, reasons=why)
        parting.carry_out(replace(record, drops=(*record.drops, drop)), why, moves)
        return SetAside(name=parcel.name, path=parting.path, session_id=record.session.id, reasons=why)

    def _take_late(self, sidecar: _Entry) -> None:
        """Take a sidecar whose recording was claimed before it came."""
        listed = self.listed.get(sidecar.path, _NOTHING_LISTED)
        if open_for_writing([sidecar.path, *(track.path for track in listed.there.values())]):
            raise Changed
        with journal(self.options.work):
            record = self._dropped_as(sidecar)
            if record is None or isinstance(record.state, Rejected):
                self._wait(sidecar, Notice(code="intake.sidecar_waits"))
                return
            if isinstance(record.state, Withdrawn):
                self._refuse_late(sidecar, record, (_answer_for(record),))
                return
            kept = {_fold(track.name) for track in record.recording.tracks}
            listed = replace(listed, missing=tuple(name for name in listed.missing if _fold(name) not in kept))
            if self._awaits_tracks((sidecar, *listed.there.values()), listed):
                return
            try:
                defaults = self._folder_details(sidecar.relative)
                details = read_sidecar(sidecar.path).over(defaults)
                if not all(map(self._has_settled, listed.there.values())):
                    raise Changed
                given = _Given(details=details, tracks=self._read_tracks(listed, details, kept))
            except (SidecarInvalid, RecordingRejected) as error:
                self._refuse_late(sidecar, record, reasons(error))
                return
            described = self._described(record, given)
            changed = not _says_nothing_new(described, record) or isinstance(record.state, Failed)
            updated = _updated(described) if changed else described
            moves = (self._keep_sidecar(sidecar, updated), *self._keep_tracks(given, updated))
            commit(self.options.work, Plan(moves=moves, record=updated))
            if changed:
                self.claims.append(_claim_of(updated))

    def _refuse_late(self, sidecar: _Entry, record: SessionRecord, why: tuple[Notice, ...]) -> None:
        tracks = self.listed.get(sidecar.path, _NOTHING_LISTED).there.values()
        files = [(file.path, _stamp_of(file)) for file in (sidecar, *tracks)]
        parting = _Parting(self.options, sidecar.relative.name, files)
        path = encode_name(str(sidecar.relative))
        drop = Drop(path=path, when_ms=now_ms(), set_aside=parting.encoded, reasons=why)
        parting.carry_out(replace(record, drops=(*record.drops, drop)), why)
        name = printable(sidecar.relative.name)
        self.rejected.append(SetAside(name=name, path=parting.path, session_id=record.session.id, reasons=why))

    def _dropped_as(self, sidecar: _Entry) -> SessionRecord | None:
        """Return the record of the recording last dropped under a sidecar's name."""
        wanted = _name_of(sidecar.relative)
        found = [
            (drop.when_ms, record.session.id, record)
            for record in read_records(self.options.work)
            for drop in record.drops
            if wanted in _names_of(drop.relative)
        ]
        return max(found, key=lambda each: each[:2])[2] if found else None


class _Parting:
    """Files on their way to the folder for what was set aside, under names that are free there."""

    def __init__(
        self,
        options: IntakeOptions,
        name: str,
        files: list[tuple[Path, Stamp]],
        tracks: Mapping[str, Path] | None = None,
    ) -> None:
        self.options = options
        self.name = name
        self.names = [path for path, _ in files[1:]] + [Path(name) for name in tracks or ()]
        self.files = files + [(path, Stamp.read(path)) for path in (tracks or {}).values()]
        count = 1
        while any(os.path.lexists(path) for path in self._paths(count)):
            count += 1
        *self.targets, self.reason = self._paths(count)

    @property
    def path(self) -> Path:
        return self.targets[0]

    @property
    def encoded(self) -> str:
        return encode_name(self.path.name)

    def _paths(self, count: int) -> list[Path]:
        """Return where everything would go: the file, its sidecars, the reason."""
        main = self.options.rejected / self.name
        names = [fit_name(main, count), *(_beside(main, path, count) for path in self.names)]
        return [main.with_name(name) for name in (*names, fit_name(main, count, _REASON))]

    def carry_out(self, record: SessionRecord, why: tuple[Notice, ...], moves: tuple[Move, ...] = ()) -> None:
        planned = [
            plan_move(path, target, stamp) for (path, stamp), target in zip(self.files, self.targets, strict=True)
        ]
        text = _reason_text(self.options, printable(self.name), why)
        texts = ((encode_name(str(self.reason)), text),)
        commit(self.options.work, Plan(moves=(*planned, *moves), texts=texts, record=record))
        _logger.info("session %s: set aside: %s", record.session.id, ", ".join(each.code for each in why))


def _beside(recording: Path, sidecar: Path, count: int) -> str:
    """Return what a sidecar is to be called beside a recording, in the way it was: by its stem or by its whole name.

    A track keeps its own name, which a sidecar lists.
    """
    suffix = sidecar.suffix.lower()
    if suffix not in SIDECAR_EXTENSIONS:
        return fit_name(sidecar, count)
    if _fold(sidecar.stem) == _fold(recording.name):
        return fit_name(recording, count, suffix)
    return fit_name(recording.with_suffix(suffix), count)


def _tidy_notes(rejected: Path) -> None:
    """Remove the reasons whose file somebody has taken away; of names that were cut short nobody can tell."""
    for note in rejected.glob(f"*{_REASON}"):
        is_whole = len(os.fsencode(note.name)) < _CUT_NAME_BYTES
        if is_whole and not os.path.lexists(note.with_name(note.name.removesuffix(_REASON))):
            note.unlink(missing_ok=True)


def _sighting(entry: _Entry, seen: Seen, now: int) -> Sighting:
    before = seen.get(entry.path)
    return before if before is not None and before.look == entry.look else Sighting(look=entry.look, since_ms=now)


def _track_files(sidecar: _Entry, beside: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the tracks that a sidecar lists.

    Of one that cannot be understood, every file of its folder that it so much as names: it goes back together with
    them, else each track would be taken for a recording of its own.
    """
    try:
        return read_sidecar(sidecar.path).track_files
    except SidecarInvalid:
        with suppress(OSError):
            text = _fold(sidecar.path.read_bytes()[:SIDECAR_BYTES].decode(errors="replace"))
            return tuple(name for name in beside if "." in name and name in text)
    except OSError:
        pass
    return ()


def _is_own(sidecar: _Entry, entry: _Entry | None) -> bool:
    """Say whether an entry is the sidecar itself or a recording that it describes."""
    return entry is not None and (
        entry == sidecar or _name_of(sidecar.relative) in _names_of(entry.relative) or entry.is_defaults
    )


def _shown_names(names: Iterable[str]) -> str:
    return ", ".join(printable(name) for name in names)


def _says_nothing_new(described: SessionRecord, record: SessionRecord) -> bool:
    return (described.session, described.recording.tracks) == (record.session, record.recording.tracks)


def _stamp_of(entry: _Entry) -> Stamp:
    return Stamp(size=entry.look.size, modified_ns=entry.look.modified_ns)


def _read_details(parcel: _Parcel) -> Details:
    """Return what a recording's sidecar says.

    Raises:
        SidecarInvalid: There are several, or it cannot be understood.
    """
    if len(parcel.sidecars) > 1:
        names = ", ".join(printable(sidecar.relative.name) for sidecar in parcel.sidecars)
        raise SidecarInvalid("sidecar.several", {"files": names})
    return read_sidecar(parcel.sidecars[0].path) if parcel.sidecars else Details()


def _folder_hints(folder: PurePosixPath) -> Details:
    """Return what the folders' own names tell: the outermost names the programme, one may count the week."""
    hints = [name_hints(f"{part}.folder") for part in folder.parts]
    week = next((hint.week for hint in reversed(hints) if hint.week is not None), None)
    return Details(programme=hints[0].title if hints and hints[0].week is None else None, week=week)


def _updated(record: SessionRecord) -> SessionRecord:
    return replace(record, state=Claimed(updated=True), when_ms=now_ms(), attempt=record.attempt + 1)


def _known_as(record: SessionRecord) -> tuple[tuple[str, str], ...]:
    first = record.drops[0].name if record.drops else record.recording.name
    return (("first", first),)


def _answer_for(record: SessionRecord) -> Notice:
    if isinstance(record.state, Withdrawn):
        return Notice(code="intake.duplicate_withdrawn", data=_known_as(record))
    if record.publication is None:
        return Notice(code="intake.duplicate_processing", data=_known_as(record))
    pages = dict(record.publication.pages)
    addresses = tuple((f"page_{language}", pages.get(language, "–")) for language in LANGUAGES)
    return Notice(code="intake.duplicate_published", data=(*_known_as(record), *addresses))


def _give_back(options: IntakeOptions, record: SessionRecord, drop: Drop, state: Rejected) -> SetAside:
    folder = record.recording.path.parent
    kept = sorted(folder.glob(f"{_SIDECAR}*"), key=lambda path: path.stat().st_mtime_ns)
    files = [(path, Stamp.read(path)) for path in (record.recording.path, *kept[-1:])]
    tracks = {track.name: track.path for track in record.recording.tracks if track.path.exists()}
    parting = _Parting(options, drop.relative.name, files, tracks)
    gone = replace(drop, set_aside=parting.encoded, reasons=state.reasons)
    drops = tuple(gone if each is drop else each for each in record.drops)
    parting.carry_out(replace(record, state=state, when_ms=now_ms(), drops=drops), state.reasons)
    return SetAside(name=drop.name, path=parting.path, session_id=record.session.id, reasons=state.reasons)


def _reason_text(options: IntakeOptions, name: str, why: tuple[Notice, ...]) -> str:
    """Write the reason that lies beside a file: English, then French."""
    return _RULE.join(_reason_in(language, options.contact, name, why) for language in LANGUAGES)


def _reason_in(language: Language, contact: Bilingual | None, name: str, why: tuple[Notice, ...]) -> str:
    whom = contact.get(language) if contact else message("intake.contact", language)
    said = (message(each.code, language, **dict(each.data)) for each in why)
    return "\n\n".join([name, *said, message("intake.ask", language, contact=whom)]) + "\n"
