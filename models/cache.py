"""The cache of weights: where a model lies in it, what is known of its files, and who may change them.

In comes a model of the manifest; out comes whether its files in the cache are the right ones, cheaply by the size and
time that they had when they were last checked, or for certain by their checksum. Files that the manifest does not pin
are held to the record of their first fetch. It stands alone because it knows nothing of where weights come from.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import TypeAdapter, ValidationError

from models.manifest import Model, ModelFile
from pipeline.artifacts import sha256_of
from pipeline.durable import write_whole

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file as it was when its checksum was last found right.

    Attributes:
        sha256: Of its bytes.
        size: Bytes.
        mtime_ns: When it was last written, nanoseconds since 1970.
        origin: The place that it came from, with its revision; ``cache`` where somebody put it there.
    """

    sha256: str
    size: int
    mtime_ns: int
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a model in the cache.

    Attributes:
        revision: The hub's commit of the first fetch, where it came from the hub.
        files: By name.
    """

    revision: str | None
    files: Mapping[str, FileRecord]


_RECORD: Final = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where one model lies in the cache.

    Attributes:
        cache: The one folder for weights.
        name: The model's.
    """

    cache: Path
    name: str

    @property
    def folder(self) -> Path:
        """The folder with the files, as an engine opens it."""
        return self.cache / self.name

    @property
    def work(self) -> Path:
        """Lock, record and what an interrupted fetch left behind."""
        return self.cache / ".fetch" / self.name

    @property
    def partial(self) -> Path:
        """Files that are still being brought."""
        return self.work / "partial"

    @property
    def assembly(self) -> Path:
        """Files that are right, until all are."""
        return self.work / "assembly"

    def read_record(self) -> Record | None:
        """Return what is known of the model, if anything is."""
        try:
            return _RECORD.validate_json((self.work / "record.json").read_bytes())
        except OSError:
            return None
        except ValidationError:
            _logger.warning("%s: the record of the weights is damaged and is made anew", self.name)
            return None

    def write_record(self, record: Record) -> None:
        """Put down what is known of the model, at once for every process."""
        self.work.mkdir(parents=True, exist_ok=True)
        write_whole(self.work / "record.json", _RECORD.dump_json(record, indent=2))


def held_to_record(model: Model, shelf: Shelf) -> Model:
    """Return the model with what the first fetch recorded in place of what the manifest leaves open."""
    record = shelf.read_record()
    if record is None:
        return model
    files = tuple(
        replace(file, sha256=known.sha256, size=known.size)
        if file.sha256 is None and (known := record.files.get(file.name))
        else file
        for file in model.files
    )
    hub = model.hub
    if hub is not None and not hub.is_fixed and record.revision:
        hub = replace(hub, revision=record.revision)
    return replace(model, files=files, hub=hub)


def is_unchanged(model: Model, shelf: Shelf) -> bool:
    """Whether every file has the size and time that it had when its checksum was right: cheap, no byte is read."""
    record = shelf.read_record()
    return record is not None and all(
        (known := record.files.get(file.name)) is not None
        and file.sha256 in {None, known.sha256}
        and _has_stamp(shelf.folder / file.name, known)
        for file in model.files
    )


def _has_stamp(path: Path, known: FileRecord) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def has_size(path: Path, file: ModelFile) -> bool:
    """Whether a file is there with the size that it should have."""
    return path.is_file() and file.size in {None, path.stat().st_size}


def examine(model: Model, folder: Path) -> dict[str, str]:
    """Return the checksum of each file in a folder that is the one it should be."""
    right = {}
    for file in model.files:
        path = folder / file.name
        # A file may go while it is looked at, when another process puts a whole model in the place of a broken one.
        with suppress(FileNotFoundError):
            if file.sha256 and has_size(path, file) and sha256_of(path) == file.sha256:
                right[file.name] = file.sha256
    return right


def recognise(model: Model, shelf: Shelf) -> bool:
    """Find by checksum that everything is there, and record it so that the next look is cheap."""
    pinned = held_to_record(model, shelf)
    if not all(file.sha256 and has_size(shelf.folder / file.name, file) for file in pinned.files):
        return False
    if len(examine(pinned, shelf.folder)) < len(pinned.files):
        return False
    remember(pinned, shelf)
    return True


def remember(model: Model, shelf: Shelf) -> None:
    """Record the files of a model that were just found right in the cache."""
    # A cache that is mounted read-only has right weights all the same; they are just read again next time.
    with suppress(OSError):
        write_record(model, shelf, shelf.folder)


def write_record(
    model: Model,
    shelf: Shelf,
    folder: Path,
    *,
    origins: Mapping[str, str] = MappingProxyType({}),
    revision: str | None = None,
) -> None:
    """Record the files in a folder, whose checksums were just found to be the model's.

    Args:
        model: With a pin for each file.
        shelf: Where the record goes.
        folder: Where the files lie now; moving them on later changes neither size nor time.
        origins: Where those that were just fetched came from, by name.
        revision: The hub's commit of those, if any.

    Raises:
        OSError: It cannot be written.
    """
    before = shelf.read_record()
    files = {}
    for file in model.files:
        status = (folder / file.name).stat()
        known = before.files.get(file.name) if before else None
        files[file.name] = FileRecord(
            sha256=file.sha256 or "",
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            origin=origins.get(file.name) or (known.origin if known else "cache"),
        )
    shelf.write_record(Record(revision=revision or (before.revision if before else None), files=files))


@contextmanager
def locked(shelf: Shelf) -> Iterator[None]:
    """Be the only process, and thread, that fetches this model; freed by the system if the process dies."""
    with (shelf.work / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _logger.info("another process fetches %s; waiting for it", shelf.name)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
