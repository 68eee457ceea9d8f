"""What lies together in the inbox: a recording, its sidecar, and the tracks that the sidecar lists.

The entries of one look come in, out come parcels, one for each recording, and the sidecars that have no recording; then
what people wrote about a parcel, and its tracks, read whole. It stands alone because who belongs to whom is decided for
the whole inbox, before anything of it is taken.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from pipeline.details import Details
from pipeline.errors import SidecarInvalid
from pipeline.inbox import Content, Entry, IntakeOptions, extension_of, read_content
from pipeline.journal import Drop, encode_name, now_ms
from pipeline.naming import printable
from pipeline.sidecar import SIDECAR_BYTES, read_sidecar


def fold_name(name: str) -> str:
    """Return what makes two names the same to a person: case and the way accents are stored do not count."""
    return unicodedata.normalize("NFC", name).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The tracks that a details file lists.

    Attributes:
        there: Those that lie beside it, by name as listed.
        missing: Names of the others.
    """

    there: Mapping[str, Entry] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


NOTHING_LISTED: Final = Listed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A recording with what lies beside it.

    Attributes:
        entry: The recording.
        sidecars: Those that may be its; more than one is a mistake.
        sidecar_is_shared: Whether another recording has it too, so that it stays where it is.
        listed: The tracks that they list.
    """

    entry: Entry
    sidecars: tuple[Entry, ...]
    sidecar_is_shared: bool
    listed: Listed

    @property
    def tracks(self) -> tuple[Entry, ...]:
        """The files listed that are there."""
        return tuple(self.listed.there.values())

    @property
    def whole(self) -> tuple[Entry, ...]:
        """Everything that must have settled before any of it is taken."""
        return (self.entry, *self.sidecars, *self.tracks)

    @property
    def name(self) -> str:
        """The recording's, as it can be shown."""
        return printable(self.entry.relative.name)

    def drop(self) -> Drop:
        """Return what the journal notes of it, dropped now."""
        return Drop(path=encode_name(str(self.entry.relative)), when_ms=now_ms())


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One listed track, read whole.

    Attributes:
        name: As listed.
        entry: Where it lies.
        content: What is in it.
        extension: What to end its name with in the work area.
    """

    name: str
    entry: Entry
    content: Content
    extension: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What people gave with a recording.

    Attributes:
        details: What they wrote about it.
        tracks: What they put beside it.
    """

    details: Details
    tracks: tuple[Track, ...] = ()


def find_listed(entries: Sequence[Entry]) -> dict[Path, Listed]:
    """Return, for each sidecar that lists tracks, which of them lie beside it.

    Read before anything is taken, so that no track is ever taken for a recording of its own. A sidecar that lists its
    own recording is refused later.
    """
    folders: dict[PurePosixPath, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        folders[entry.relative.parent][fold_name(entry.relative.name)] = entry
    found = {}
    for sidecar in entries:
        beside = folders[sidecar.relative.parent]
        names = _track_files(sidecar, beside) if sidecar.is_sidecar else ()
        own = {name for name in names if _is_own(sidecar, beside.get(fold_name(name)))}
        there = {name: beside[fold_name(name)] for name in names if fold_name(name) in beside and name not in own}
        if names:
            missing = tuple(name for name in names if name not in there and name not in own)
            found[sidecar.path] = Listed(there=there, missing=missing)
    return found


def pair(entries: Sequence[Entry], listed: Mapping[Path, Listed]) -> tuple[list[Parcel], list[Entry]]:
    """Return the recordings with what belongs to them, and the sidecars without one.

    Args:
        entries: All of the inbox.
        listed: As :func:`find_listed` returns it.
    """
    tracks = {entry.path for each in listed.values() for entry in each.there.values()}
    recordings = [entry for entry in entries if not (entry.is_sidecar or entry.is_defaults or entry.path in tracks)]
    sidecars: dict[tuple[PurePosixPath, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.is_sidecar:
            sidecars[name_of(entry.relative)].append(entry)
    owners = Counter(name for entry in recordings for name in names_of(entry.relative) if name in sidecars)
    parcels = [
        Parcel(
            entry=entry,
            sidecars=beside,
            sidecar_is_shared=any(owners[name] > 1 for name in names),
            listed=_listed_in(beside, listed),
        )
        for entry in recordings
        for names in [sorted(names_of(entry.relative) & sidecars.keys())]
        for beside in [tuple(sidecar for name in names for sidecar in sidecars[name])]
    ]
    strays = [entry for name, group in sidecars.items() if name not in owners for entry in group]
    return parcels, strays


def _listed_in(sidecars: Iterable[Entry], listed: Mapping[Path, Listed]) -> Listed:
    found = [listed.get(sidecar.path, NOTHING_LISTED) for sidecar in sidecars]
    there = {name: entry for each in found for name, entry in each.there.items()}
    return Listed(there=there, missing=tuple(name for each in found for name in each.missing))


def read_details(parcel: Parcel) -> Details:
    """Return what a recording's sidecar says.

    Raises:
        SidecarInvalid: There are several, or it cannot be understood.
    """
    if len(parcel.sidecars) > 1:
        files = shown_names(sidecar.relative.name for sidecar in parcel.sidecars)
        raise SidecarInvalid("sidecar.several", {"files": files})
    return read_sidecar(parcel.sidecars[0].path) if parcel.sidecars else Details()


def read_tracks(
    listed: Listed, given: Details, options: IntakeOptions, kept: AbstractSet[str] = frozenset()
) -> tuple[Track, ...]:
    """Return the tracks that come along with a recording or its details, read whole.

    Args:
        listed: What the details list.
        given: The details.
        options: The intake's.
        kept: Names of tracks that the recording has already, as :func:`fold_name` gives them.

    Raises:
        SidecarInvalid: One is not there, or is the recording itself.
        RecordingRejected: One is certainly no recording.
        Changed: One is still being written.
    """
    if listed.missing:
        raise SidecarInvalid("sidecar.tracks_missing", {"files": shown_names(listed.missing)})
    themselves = [name for name in given.track_files if name not in listed.there and fold_name(name) not in kept]
    if themselves:
        raise SidecarInvalid("sidecar.track_is_recording", {"files": shown_names(themselves)})
    return tuple(_read_track(name, entry, options) for name, entry in listed.there.items())


def _read_track(name: str, entry: Entry, options: IntakeOptions) -> Track:
    content = read_content(entry, options.chunk_bytes)
    return Track(name=name, entry=entry, content=content, extension=extension_of(entry, content, options))


def names_of(recording: PurePosixPath) -> frozenset[tuple[PurePosixPath, str]]:
    """Return the folder and stem that a recording's sidecar may have."""
    return frozenset({(recording.parent, fold_name(recording.stem)), (recording.parent, fold_name(recording.name))})


def name_of(sidecar: PurePosixPath) -> tuple[PurePosixPath, str]:
    """Return the folder and stem by which a sidecar belongs to a recording."""
    return sidecar.parent, fold_name(sidecar.stem)


def shown_names(names: Iterable[str]) -> str:
    """Return names as a person can read them in one line."""
    return ", ".join(printable(name) for name in names)


def _track_files(sidecar: Entry, beside: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the tracks that a sidecar lists.

    Of one that cannot be understood, every file of its folder that it so much as names: it goes back together with
    them, else each track would be taken for a recording of its own.
    """
    try:
        return read_sidecar(sidecar.path).track_files
    except SidecarInvalid:
        with suppress(OSError):
            text = fold_name(sidecar.path.read_bytes()[:SIDECAR_BYTES].decode(errors="replace"))
            return tuple(name for name in beside if "." in name and name in text)
    except OSError:
        pass
    return ()


def _is_own(sidecar: Entry, entry: Entry | None) -> bool:
    """Say whether an entry is the sidecar itself or a recording that it describes."""
    return entry is not None and (
        entry == sidecar or name_of(sidecar.relative) in names_of(entry.relative) or entry.is_defaults
    )
