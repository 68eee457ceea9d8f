"""The inbox as it is found: its files, what each looks like and holds, and whether somebody still writes.

A folder that anybody may write to comes in, with files half copied, misnamed or hostile; out come entries, one for each
file that may be somebody's, and the content of one that has stayed the same while it was read. Links and pipes are not
followed, and nothing here changes a file. It stands alone so that what is trusted of a stranger's folder can be read in
one place, without what is done with it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from pipeline.durable import make_folder, sync_handle
from pipeline.errors import RecordingRejected, SetUpError
from pipeline.journal import Changed, Stamp
from pipeline.naming import printable
from pipeline.sidecar import SIDECAR_EXTENSIONS
from pipeline.sniff import HEAD_BYTES, sniff
from pipeline.types import LANGUAGES, Language, Notice

_logger = logging.getLogger(__name__)

REJECTED: Final = "rejected"
"""The folder of the inbox for what was set aside."""
REASON: Final = ".reason.txt"
"""How the name of a reason ends, which lies beside a file."""
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

_UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart", ".opdownload")
_SYSTEM_FILES: Final = frozenset({"thumbs.db", "desktop.ini", "icon\r", *STATUS_PAGES.values()})
_LINK: Final = Notice(code="intake.link")
_TOO_DEEP: Final = Notice(code="intake.too_deep")
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_RDWR


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
    """

    inbox: Path
    work: Path
    settle_ms: int = 10_000
    tracks_ms: int = 600_000
    extensions: tuple[str, ...] = MEDIA_EXTENSIONS
    default_languages: tuple[Language, ...] = LANGUAGES
    depth: int = 4
    chunk_bytes: int = 1 << 20

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


def prepare(options: IntakeOptions) -> None:
    """Make the inbox and the work area where they are missing, and check them.

    Raises:
        SetUpError: They do not lie on one file system.
    """
    make_folder(options.inbox)
    make_folder(options.work)
    check_places(options)


def check_places(options: IntakeOptions) -> None:
    """Check that the inbox is there and shares a file system with the work area, which is made where it is missing.

    Raises:
        SetUpError: It is not, or does not.
    """
    if not options.inbox.is_dir():
        raise SetUpError("intake.no_inbox", {"inbox": str(options.inbox)})
    options.work.mkdir(parents=True, exist_ok=True)
    options.rejected.mkdir(exist_ok=True)
    devices = {folder.stat().st_dev for folder in (options.inbox, options.rejected, options.work)}
    if len(devices) > 1:
        raise other_device(options)


def other_device(options: IntakeOptions) -> SetUpError:
    """Return what is wrong where a file would have to be copied from the inbox to the work area."""
    return SetUpError("intake.other_device", {"inbox": str(options.inbox), "work": str(options.work)})


def is_ignored(name: str) -> bool:
    """Say whether a name is none of a facilitator's: hidden, unfinished, a lock, the system's or our own.

    Example:
        >>> is_ignored("talk.mp4.crdownload"), is_ignored("~$notes.docx"), is_ignored("talk.mp4")
        (True, True, False)
    """
    lower = name.lower()
    return lower.startswith((".", "~")) or lower.endswith(("~", REASON, *_UNFINISHED)) or lower in _SYSTEM_FILES


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
class Entry:
    """One regular file of the inbox.

    Attributes:
        path: Where it is.
        relative: Under the inbox.
        look: What it looked like.
    """

    path: Path
    relative: PurePosixPath
    look: Look

    @property
    def shown(self) -> str:
        """Its path under the inbox, as it can be shown."""
        return printable(str(self.relative))

    @property
    def is_defaults(self) -> bool:
        """Whether it says what holds for its whole folder."""
        return self.relative.name.lower() == DEFAULTS

    @property
    def is_sidecar(self) -> bool:
        """Whether it tells details of one recording."""
        return self.relative.suffix.lower() in SIDECAR_EXTENSIONS and not self.is_defaults

    @property
    def stamp(self) -> Stamp:
        """By what the journal knows it again."""
        return Stamp(size=self.look.size, modified_ns=self.look.modified_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Something of the inbox that nobody looks into, however long it lies there.

    Attributes:
        relative: Under the inbox.
        why: The notice that says so: ``intake.link`` or ``intake.too_deep``.
    """

    relative: PurePosixPath
    why: Notice

    @property
    def shown(self) -> str:
        """Its path under the inbox, as it can be shown."""
        return printable(str(self.relative))


def scan(folder: Path, relative: PurePosixPath, depth: int) -> Iterator[Entry | Passed]:
    """Yield the files of a folder and those below, in order of name; links and special files are not followed.

    Links, and folders that lie too deep and hold something, are yielded as what is passed over.
    """
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        _logger.warning("cannot look into a folder of the inbox: %s", error.strerror)
        return
    for entry in found:
        here = relative / entry.name
        if is_ignored(entry.name) or here == PurePosixPath(REJECTED):
            continue
        if entry.is_symlink():
            yield Passed(relative=here, why=_LINK)
        elif entry.is_dir(follow_symlinks=False):
            if depth:
                yield from scan(Path(entry.path), here, depth - 1)
            elif _holds_something(Path(entry.path)):
                yield Passed(relative=here, why=_TOO_DEEP)
        elif (look := _look(entry)) is not None:
            yield Entry(path=Path(entry.path), relative=here, look=look)


def _holds_something(folder: Path) -> bool:
    try:
        return any(not is_ignored(path.name) for path in folder.iterdir())
    except OSError:
        return False


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
class Content:
    """What reading a whole file found.

    Attributes:
        sha256: Of all of it, in hex.
        head: Its first bytes.
        stamp: By what the journal knows it again.
    """

    sha256: str
    head: bytes
    stamp: Stamp


def read_content(entry: Entry, chunk_bytes: int) -> Content:
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
    return Content(sha256=digest.hexdigest(), head=head, stamp=Stamp.of(status))


def _check_same(entry: Entry, status: os.stat_result) -> None:
    # Not the blocks: making it durable may itself have changed how they are counted.
    now = replace(_look_of(status), blocks=entry.look.blocks)
    if now != entry.look:
        raise Changed


def extension_of(entry: Entry, content: Content, options: IntakeOptions) -> str:
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
