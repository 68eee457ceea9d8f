"""From a file in a watched folder to a claimed recording, once.

A facilitator's inbox comes in, with files still being copied, dropped twice, misnamed or hostile; out come claims: a
recording in the work area, whole and alone there, with the session that its sidecar, folder, tags and name describe.
Whatever cannot be claimed is set aside in ``rejected/`` with a reason beside it in both languages; nothing is deleted.
One call is one sweep; the caller decides how often. ``inbox.py`` reads what is there, ``parcels.py`` tells what belongs
together, ``set_aside.py`` gives back. It stands alone so that the promise "once, never lost, never half" can be read
and tested in one place, whatever polls it.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from pipeline.artifacts import sha256_of
from pipeline.details import Details, Tags, clean, session_for
from pipeline.durable import free_path, write_changed
from pipeline.errors import RecordingRejected, SidecarInvalid, TribuneError
from pipeline.inbox import (
    REASON,
    Content,
    Entry,
    IntakeOptions,
    Look,
    Passed,
    check_places,
    extension_of,
    open_for_writing,
    other_device,
    read_content,
    scan,
)
from pipeline.journal import (
    Changed,
    Claimed,
    Drop,
    Failed,
    Move,
    Plan,
    Rejected,
    SessionRecord,
    Withdrawn,
    commit,
    encode_name,
    heal,
    journal,
    known_record,
    next_attempt,
    now_ms,
    plan_move,
    read_record,
    read_records,
    session_folder,
    write_record,
)
from pipeline.locks import Held, exclusive
from pipeline.naming import name_hints, printable
from pipeline.parcels import (
    NOTHING_LISTED,
    Given,
    Listed,
    Parcel,
    Track,
    find_listed,
    fold_name,
    name_of,
    names_of,
    pair,
    read_details,
    read_tracks,
    shown_names,
)
from pipeline.set_aside import KEPT_SIDECAR, Parting, SetAside, reason_text, tidy_notes
from pipeline.sidecar import read_sidecar, reasons
from pipeline.types import LANGUAGES, SESSION_ID_LENGTH, Notice, Recording, Session, TrackFile

_logger = logging.getLogger(__name__)

_LOCK: Final = ".sweep.lock"
_TRACK: Final = "track-"
_RETRY_BLOCKED_MS: Final = 60_000
_WORK_AREA_TROUBLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE})
_BLOCKED: Final = Notice(code="intake.blocked")

Clock = Callable[[], int]
"""Milliseconds that never go back."""


def monotonic_ms() -> int:
    """Return milliseconds that never go back, from an arbitrary start."""
    return time.monotonic_ns() // 1_000_000


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
class Waiting:
    """A file that stays where it is until a person does something.

    Attributes:
        name: Path under the inbox, as it can be shown.
        reasons: What it waits for.
    """

    name: str
    reasons: tuple[Notice, ...]


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
    check_places(options)
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
        record = known_record(options.work, session_id)
        tags = tuple((clean(key), clean(value)) for key, value in tags)
        session = session_for(record.recording, record.given, tags, options.default_languages)
        completed = replace(record, tags=tags, session=session)
        if completed != record:
            write_record(options.work, completed)
    return session


def verify_recording(recording: Recording) -> None:
    """Check that a claimed recording still has the bytes it was claimed for. Reads all of it.

    Raises:
        RecordingRejected: It has others: somebody was still writing, unseen, or the disk failed.
    """
    if sha256_of(recording.path) != recording.sha256:
        raise RecordingRejected("intake.changed", {"name": recording.name})


def _claim_of(record: SessionRecord) -> Claim:
    updated = isinstance(record.state, Claimed) and record.state.updated
    return Claim(recording=record.recording, session=record.session, attempt=record.attempt, updated=updated)


class _Sweep:
    """One look through the inbox; collects what becomes of each file."""

    def __init__(self, options: IntakeOptions, seen: Seen, now: int) -> None:
        self.options = options
        self.now = now
        found = list(scan(options.inbox, PurePosixPath(), options.depth))
        self.entries = [each for each in found if isinstance(each, Entry)]
        self.passed = [each for each in found if isinstance(each, Passed)]
        self.seen = {entry.path: _sighting(entry, seen, now) for entry in self.entries}
        self.defaults = {entry.relative.parent: entry for entry in self.entries if entry.is_defaults}
        self.listed = find_listed(self.entries)
        self.claims: list[Claim] = []
        self.answered: list[SetAside] = []
        self.rejected: list[SetAside] = []
        self.settling: list[str] = []
        self.waiting: list[Waiting] = []

    def run(self) -> SweepResult:
        heal(self.options.work)
        tidy_notes(self.options.rejected)
        parcels, strays = pair(self.entries, self.listed)
        self.waiting += [Waiting(name=each.shown, reasons=(each.why,)) for each in self.passed]
        self._tell_waiting_tracks(strays)
        ready = self._ready(parcels)
        late = [sidecar for sidecar in strays if self._has_settled(sidecar)]
        for parcel in ready:
            self._guard(parcel.entry, partial(self._take, parcel))
        for sidecar in late:
            self._guard(sidecar, partial(self._take_late, sidecar))
        return SweepResult(
            claims=tuple(self.claims),
            answered=tuple(self.answered),
            rejected=tuple(self.rejected),
            settling=tuple(self.settling),
            waiting=tuple(self.waiting),
            seen=self.seen,
        )

    def _tell_waiting_tracks(self, strays: list[Entry]) -> None:
        for sidecar in strays:
            for track in self.listed.get(sidecar.path, NOTHING_LISTED).there.values():
                data = (("sidecar", printable(sidecar.relative.name)),)
                self._wait(track, Notice(code="intake.track_waits", data=data))

    def _ready(self, parcels: list[Parcel]) -> list[Parcel]:
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

    def _awaits_tracks(self, entries: tuple[Entry, ...], listed: Listed) -> bool:
        """Say whether some entries, all settled, still wait for tracks, and tell it of the first; not for ever."""
        newest = max(self.seen[entry.path].since_ms for entry in entries)
        if not listed.missing or newest + self.options.settle_ms + self.options.tracks_ms <= self.now:
            return False
        minutes = str(-(-self.options.tracks_ms // 60_000))
        data = (("files", shown_names(listed.missing)), ("minutes", minutes))
        self._wait(entries[0], Notice(code="sidecar.tracks_awaited", data=data))
        return True

    def _has_settled(self, entry: Entry) -> bool:
        return self.seen[entry.path].since_ms + self.options.settle_ms <= self.now

    def _guard(self, entry: Entry, take: Callable[[], None]) -> None:
        """Keep one file's trouble from the others."""
        try:
            take()
        except (Changed, FileNotFoundError):
            self.settling.append(entry.shown)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise other_device(self.options) from error
            if error.errno in _WORK_AREA_TROUBLE:
                raise
            _logger.warning("cannot take a file of the inbox: %s", error.strerror)
            self._wait(entry, _BLOCKED)
            # Not every few seconds: a recording is read whole before this shows.
            self.seen[entry.path] = Sighting(look=entry.look, since_ms=self.now + _RETRY_BLOCKED_MS, blocked=True)

    def _wait(self, entry: Entry, *why: Notice) -> None:
        self.waiting.append(Waiting(name=entry.shown, reasons=why))

    def _take(self, parcel: Parcel) -> None:
        try:
            defaults = self._folder_details(parcel.entry.relative)
        except SidecarInvalid as error:
            # One mistake in it must not send every recording back: they wait until it is put right.
            self._wait(parcel.entry, *reasons(error))
            return
        content = read_content(parcel.entry, self.options.chunk_bytes)
        refusal: TribuneError | None = None
        given, extension = defaults, ""
        tracks: tuple[Track, ...] = ()
        try:
            extension = extension_of(parcel.entry, content, self.options)
            given = read_details(parcel).over(defaults)
            tracks = read_tracks(parcel.listed, given, self.options)
        except (RecordingRejected, SidecarInvalid) as error:
            refusal = error
        with journal(self.options.work):
            self._settle(parcel, content, Given(details=given, tracks=tracks), extension, refusal)

    def _settle(
        self, parcel: Parcel, content: Content, given: Given, extension: str, refusal: TribuneError | None
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

    def _read_defaults(self, entry: Entry) -> Details:
        note = entry.path.with_name(entry.path.name + REASON)
        try:
            given = read_sidecar(entry.path)
            if given.track_files:
                raise SidecarInvalid("sidecar.tracks_in_defaults", {"file": entry.shown})
        except SidecarInvalid as error:
            write_changed(note, reason_text(entry.shown, reasons(error)))
            raise
        note.unlink(missing_ok=True)
        return given

    def _new_record(self, parcel: Parcel, content: Content, given: Details, extension: str) -> SessionRecord:
        session_id = content.sha256[:SESSION_ID_LENGTH]
        recording = Recording(
            path=session_folder(self.options.work, session_id) / f"recording{extension}",
            name=parcel.name,
            sha256=content.sha256,
            size=content.stamp.size,
        )
        session = session_for(recording, given, default_languages=self.options.default_languages)
        return SessionRecord(recording=recording, session=session, state=Claimed(), when_ms=now_ms(), given=given)

    def _described(self, record: SessionRecord, given: Given) -> SessionRecord:
        """Return a record with what is given now; its tracks are those that come along and those it has already."""
        files = {fold_name(track.name): track for track in record.recording.tracks}
        files |= {fold_name(track.name): self._track_file(record, track) for track in given.tracks}
        listed = given.details.track_files
        tracks = tuple(replace(files[fold_name(name)], name=name) for name in listed if fold_name(name) in files)
        recording = replace(record.recording, tracks=tracks)
        session = session_for(recording, given.details, record.tags, self.options.default_languages)
        return replace(record, recording=recording, given=given.details, session=session)

    def _track_file(self, record: SessionRecord, track: Track) -> TrackFile:
        # By content: the same track given again is the same file.
        name = f"{_TRACK}{track.content.sha256[:SESSION_ID_LENGTH]}{track.extension}"
        folder = session_folder(self.options.work, record.session.id)
        return TrackFile(path=folder / name, name=track.name, sha256=track.content.sha256)

    def _keep_tracks(self, given: Given, record: SessionRecord) -> tuple[Move, ...]:
        return tuple(
            plan_move(track.entry.path, self._track_file(record, track).path, track.content.stamp, over=True)
            for track in given.tracks
        )

    def _claim(self, parcel: Parcel, content: Content, given: Given, record: SessionRecord, *, attempt: int) -> None:
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

    def _keep_sidecar(self, sidecar: Entry, record: SessionRecord) -> Move:
        folder = session_folder(self.options.work, record.session.id)
        target = folder / f"{KEPT_SIDECAR}{record.attempt}{sidecar.relative.suffix.lower()}"
        return plan_move(sidecar.path, free_path(target), sidecar.stamp)

    def _answer(self, parcel: Parcel, content: Content, given: Given, record: SessionRecord) -> None:
        """Tell that a recording is already there; take what a sidecar changes about it."""
        described = self._described(record, given)
        if not parcel.sidecars or isinstance(record.state, Withdrawn) or _says_nothing_new(described, record):
            answer = _answer_for(record)
            self.answered.append(self._set_aside(parcel, content, record, (answer,)))
            return
        updated = next_attempt(described, Claimed(updated=True))
        answer = Notice(code="intake.duplicate_updated", data=_known_as(record))
        kept = () if parcel.sidecar_is_shared else (self._keep_sidecar(parcel.sidecars[0], updated),)
        moves = (*kept, *self._keep_tracks(given, updated))
        alone = replace(parcel, sidecars=(), listed=NOTHING_LISTED)
        self.answered.append(self._set_aside(alone, content, updated, (answer,), moves))
        self.claims.append(_claim_of(updated))

    def _set_aside(
        self,
        parcel: Parcel,
        content: Content,
        record: SessionRecord,
        why: tuple[Notice, ...],
        moves: tuple[Move, ...] = (),
    ) -> SetAside:
        stays = parcel.sidecar_is_shared
        files = [(parcel.entry.path, content.stamp)]
        files += [] if stays else [(sidecar.path, sidecar.stamp) for sidecar in parcel.sidecars]
        files += [(track.path, track.stamp) for track in parcel.tracks]
        parting = Parting(self.options, parcel.entry.relative.name, files)
        drop = replace(parcel.drop(), set_aside=parting.encoded, reasons=why)
        parting.carry_out(replace(record, drops=(*record.drops, drop)), why, moves)
        return SetAside(name=parcel.name, path=parting.path, session_id=record.session.id, reasons=why)

    def _take_late(self, sidecar: Entry) -> None:
        """Take a sidecar whose recording was claimed before it came."""
        listed = self.listed.get(sidecar.path, NOTHING_LISTED)
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
            kept = {fold_name(track.name) for track in record.recording.tracks}
            listed = replace(listed, missing=tuple(name for name in listed.missing if fold_name(name) not in kept))
            if self._awaits_tracks((sidecar, *listed.there.values()), listed):
                return
            try:
                defaults = self._folder_details(sidecar.relative)
                details = read_sidecar(sidecar.path).over(defaults)
                if not all(map(self._has_settled, listed.there.values())):
                    raise Changed
                given = Given(details=details, tracks=read_tracks(listed, details, self.options, kept))
            except (SidecarInvalid, RecordingRejected) as error:
                self._refuse_late(sidecar, record, reasons(error))
                return
            described = self._described(record, given)
            changed = not _says_nothing_new(described, record) or isinstance(record.state, Failed)
            updated = next_attempt(described, Claimed(updated=True)) if changed else described
            moves = (self._keep_sidecar(sidecar, updated), *self._keep_tracks(given, updated))
            commit(self.options.work, Plan(moves=moves, record=updated))
            if changed:
                self.claims.append(_claim_of(updated))

    def _refuse_late(self, sidecar: Entry, record: SessionRecord, why: tuple[Notice, ...]) -> None:
        tracks = self.listed.get(sidecar.path, NOTHING_LISTED).there.values()
        files = [(file.path, file.stamp) for file in (sidecar, *tracks)]
        parting = Parting(self.options, sidecar.relative.name, files)
        path = encode_name(str(sidecar.relative))
        drop = Drop(path=path, when_ms=now_ms(), set_aside=parting.encoded, reasons=why)
        parting.carry_out(replace(record, drops=(*record.drops, drop)), why)
        name = printable(sidecar.relative.name)
        self.rejected.append(SetAside(name=name, path=parting.path, session_id=record.session.id, reasons=why))

    def _dropped_as(self, sidecar: Entry) -> SessionRecord | None:
        """Return the record of the recording last dropped under a sidecar's name."""
        wanted = name_of(sidecar.relative)
        found = [
            (drop.when_ms, record.session.id, record)
            for record in read_records(self.options.work)
            for drop in record.drops
            if wanted in names_of(drop.relative)
        ]
        return max(found, key=lambda each: each[:2])[2] if found else None


def _sighting(entry: Entry, seen: Seen, now: int) -> Sighting:
    before = seen.get(entry.path)
    return before if before is not None and before.look == entry.look else Sighting(look=entry.look, since_ms=now)


def _says_nothing_new(described: SessionRecord, record: SessionRecord) -> bool:
    return (described.session, described.recording.tracks) == (record.session, record.recording.tracks)


def _folder_hints(folder: PurePosixPath) -> Details:
    """Return what the folders' own names tell: the outermost names the programme, one may count the week."""
    hints = [name_hints(f"{part}.folder") for part in folder.parts]
    week = next((hint.week for hint in reversed(hints) if hint.week is not None), None)
    return Details(programme=hints[0].title if hints and hints[0].week is None else None, week=week)


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
