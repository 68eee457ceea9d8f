"""A finished session, and what learners see of it, into the object store.

In goes a :class:`Bundle`, out comes a :class:`Publication`. The files of a revision are sent first, under a name of
their own; then ``manifest.json`` is replaced, in one conditional write, and from that moment the session *is* the new
revision. Pages and the catalogue are derived from it afterwards. Whatever kills this on the way, and whoever else
publishes at the same time, a reader who follows the manifest finds one whole revision, and running it again completes
what is missing and writes nothing twice. Stands alone because it knows neither HTML nor S3: pages come from
:class:`Views`, storing is :class:`Store`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
import secrets
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Final, Literal, TypeVar
from urllib.parse import quote

from pipeline.errors import StoreConflict, StoreCorrupt
from pipeline.ports import ObjectHeaders, Store, StoredObject
from pipeline.s3 import content_disposition
from pipeline.serial import from_json, to_json
from pipeline.site.model import CatalogueEntry, MachineFile, PublishedFile, PublishedSession, Views
from pipeline.types import (
    LANGUAGES,
    Artifact,
    Bundle,
    Chapter,
    Cue,
    Language,
    Notice,
    Provenance,
    Publication,
    Session,
    Timing,
    Transcript,
)

FOREVER: Final = "public, max-age=31536000, immutable"
"""For what never changes under its name."""
FRESH: Final = "no-cache"
"""For what may change: browsers keep it but ask each time whether it still holds."""
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
CATALOGUE: Final = "catalogue.json"
MANIFEST: Final = "manifest.json"
SESSION_FILE: Final = "session.json"
"""Made here, so no artifact may have that name."""

_MADE_OF_ALL: Final = ("feeds/", "sitemap")
"""Prefixes of what is made of the whole catalogue and has no fixed list of keys."""
_IN_THE_LIST: Final = frozenset({"video", "audio", "captions", "chapters"})
"""Roles of the files that the list of all sessions tells of."""
_ATTEMPTS: Final = 12
"""How often a write that somebody else was faster at is decided anew."""
_PAUSE_MS: Final = 25
_REVISION: Final = re.compile(r"r[1-9][0-9]*-[0-9a-f]{8}\Z")

_logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One published file, in the manifest.

    Attributes:
        name: Below the revision's folder.
        size: Bytes.
        sha256: Of its bytes.
        content_type: As sent to browsers.
        role: What it is to a learner.
        language: Of its text, where it has one.
        download_name: What a browser saves it as, where it is meant to be saved.
    """

    name: str
    size: int
    sha256: str
    content_type: str
    role: str
    language: Language | None = None
    download_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """``sessions/<id>/manifest.json``: which revision of a session holds, and every file of it.

    Attributes:
        session_id: Whose it is.
        revision: Name of the folder that holds the files.
        previous: The revision before, which is kept; ``None`` for the first.
        digest: Of everything that decides what is published: see :func:`bundle_digest`.
        published_at: When this revision was first begun.
        files: In order of name.
        version: Of this form.
    """

    session_id: str
    revision: str
    previous: str | None
    digest: str
    published_at: dt.datetime
    files: tuple[FileRecord, ...]
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        if not _REVISION.match(self.revision):
            raise ValueError(f"not a revision: {self.revision!r}")

    @property
    def number(self) -> int:
        """Which revision this is, from 1."""
        return int(self.revision[1:].partition("-")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDetails:
    """``session.json`` in each revision: everything known about a session, and what made its files.

    Attributes:
        session: What was recorded.
        recording_name: The name that the recording was dropped under.
        recording_sha256: Of the recording.
        recording_size: Bytes of the recording.
        duration_ms: Length of the recording.
        notices: What was lowered or is in doubt.
        provenance: Tool, weights with revisions and checksums, settings, libraries.
        timings: How long each stage took.
        revision: The revision that this is part of.
        digest: Of the bundle.
        published_at: When this revision was first begun.
        version: Of this form.
    """

    session: Session
    recording_name: str
    recording_sha256: str
    recording_size: int
    duration_ms: int
    notices: tuple[Notice, ...]
    provenance: Provenance
    timings: tuple[Timing, ...]
    revision: str
    digest: str
    published_at: dt.datetime
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """``catalogue.json``: the list of all sessions, the newest first.

    Attributes:
        entries: One a session.
        version: Of this form.
    """

    entries: tuple[CatalogueEntry, ...] = ()
    version: Literal[1] = 1

    def with_entry(self, entry: CatalogueEntry) -> Catalogue:
        """Return the list with that session in its place, once."""
        others = [known for known in self.entries if known.session_id != entry.session_id]
        return replace(self, entries=tuple(sorted([*others, entry], key=_catalogue_order)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Digested:
    """What decides whether a bundle is the one that is published already."""

    session: Session
    transcript: Transcript
    provenance: Provenance
    files: tuple[FileRecord, ...]


def bundle_digest(bundle: Bundle) -> str:
    """Return the sha256 of everything in a bundle that decides what is published.

    Every file with its checksum and how it is served, the session, the words and what made them; not how long that
    took, nor where the files lie or under which name the recording was dropped. The same input gives the same digest,
    so a rerun can tell that there is nothing to do.
    """
    files = tuple(sorted(map(_record, bundle.artifacts), key=attrgetter("name")))
    digested = _Digested(
        session=bundle.session, transcript=bundle.transcript, provenance=bundle.provenance, files=files
    )
    return hashlib.sha256(to_json(digested)).hexdigest()


def publish(
    bundle: Bundle,
    store: Store,
    *,
    views: Views,
    cues: Sequence[Cue],
    edited: Transcript | None = None,
    chapters: Sequence[Chapter] = (),
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Publication:
    """Publish a session; where it is published already, only complete what is missing.

    Args:
        bundle: What to publish. Its files must lie still until this returns.
        store: Where.
        views: Makes the pages.
        cues: The captions, for the pages.
        edited: The readable transcript, for the pages.
        chapters: The session by topic, for the pages.
        now: The clock.

    Returns:
        Where everything is. ``written`` is 0 when everything was there.

    Raises:
        StoreConflict: Others kept publishing the same thing at the same time.
        StoreUnavailable: The store cannot be reached; run it again.
        StoreRefused: The store does not allow it.
        StoreCorrupt: Bytes were damaged on the way, or what is published cannot be read.
    """
    if any(artifact.name == SESSION_FILE for artifact in bundle.artifacts):
        raise ValueError(f"{SESSION_FILE} is made when publishing")
    publisher = _Publisher(bundle, store, now)
    manifest, record = _insisting(publisher.settle)
    published = published_session(
        manifest, record, transcript=bundle.transcript, cues=cues, edited=edited, chapters=chapters
    )
    publisher.write_views(manifest, views, published)
    _logger.info("session %s is published as %s, %d written", bundle.session.id, manifest.revision, publisher.written)
    return Publication(
        session_id=bundle.session.id,
        revision=manifest.revision,
        pages=tuple((language, store.url(_page(bundle.session.id, language))) for language in LANGUAGES),
        files=tuple((file.name, store.url(_file_key(manifest, file))) for file in manifest.files),
        written=publisher.written,
    )


def published_session(
    manifest: Manifest,
    record: SessionDetails,
    *,
    transcript: Transcript,
    cues: Sequence[Cue],
    edited: Transcript | None = None,
    chapters: Sequence[Chapter] = (),
) -> PublishedSession:
    """Return what the page of a published session is made from."""
    return PublishedSession(
        session=record.session,
        transcript=transcript,
        cues=tuple(cues),
        edited=edited,
        chapters=tuple(chapters),
        files=tuple(_published_file(manifest, file) for file in manifest.files),
        revision=manifest.revision,
        published_at=manifest.published_at,
        provenance=record.provenance,
        notices=record.notices,
        recording_name=record.recording_name,
    )


def _published_file(manifest: Manifest, file: FileRecord) -> PublishedFile:
    return PublishedFile(
        name=file.name,
        href=quote(f"{manifest.revision}/{file.name}"),
        size=file.size,
        content_type=file.content_type,
        role=file.role,
        language=file.language,
        download_name=file.download_name,
    )


def read_manifest(session_id: str, store: Store) -> Manifest | None:
    """Return what is published of a session, or ``None`` where nothing is.

    Raises:
        StoreCorrupt: It cannot be read.
        StoreError: See :class:`Store`.
    """
    found = _read_manifest(session_id, store)
    return None if found is None else found[0]


def verify(session_id: str, store: Store, *, thorough: bool = False) -> tuple[Notice, ...]:
    """Check every published file of a session against its manifest.

    Args:
        session_id: Whose.
        store: Where.
        thorough: Read every byte, rather than trust the checksum that the store keeps.

    Returns:
        What is wrong, empty where all is well: ``publishing.unpublished``, ``publishing.missing``,
        ``publishing.damaged``, each with the ``key``.

    Raises:
        StoreCorrupt: The manifest cannot be read.
        StoreError: See :class:`Store`.
    """
    manifest = read_manifest(session_id, store)
    if manifest is None:
        return (Notice(code="publishing.unpublished", data=(("key", _manifest_key(session_id)),)),)
    problems = ((_file_key(manifest, file), _problem(manifest, file, store, thorough)) for file in manifest.files)
    return tuple(Notice(code=code, data=(("key", key),)) for key, code in problems if code is not None)


class _Publisher:
    """One call of :func:`publish`: what it publishes, where, and how many objects it has written."""

    def __init__(self, bundle: Bundle, store: Store, now: Callable[[], dt.datetime]) -> None:
        self.bundle = bundle
        self.store = store
        self.now = now
        self.digest = bundle_digest(bundle)
        self.written = 0
        self._made: tuple[tuple[CatalogueEntry, ...], Mapping[str, MachineFile]] | None = None

    def settle(self) -> tuple[Manifest, SessionDetails]:
        """Make the bundle the published state of its session, unless it is.

        Raises:
            StoreConflict: Somebody else published the session meanwhile; decide again.
        """
        found = _read_manifest(self.bundle.session.id, self.store)
        if found is not None and found[0].digest == self.digest and _is_whole(found[0], self.store):
            return found[0], _read_record(found[0], self.store)
        manifest, record = self._send_revision(found[0] if found is not None else None)
        headers = ObjectHeaders(content_type=JSON, cache_control=FRESH)
        replaces = found[1] if found is not None else None
        # The commit: everything before is invisible, everything after is derived.
        self._write(_manifest_key(manifest.session_id), to_json(manifest), headers, replaces)
        return manifest, record

    def _send_revision(self, before: Manifest | None) -> tuple[Manifest, SessionDetails]:
        number = 1 if before is None else before.number + 1
        revision = f"r{number}-{self.digest[:8]}"
        record, session_file = self._send_record(revision)
        files = sorted([*map(_record, self.bundle.artifacts), session_file], key=attrgetter("name"))
        manifest = Manifest(
            session_id=self.bundle.session.id,
            revision=revision,
            previous=before.revision if before is not None else None,
            digest=self.digest,
            published_at=record.published_at,
            files=tuple(files),
        )
        for artifact in self.bundle.artifacts:
            self._send_artifact(manifest, artifact)
        return manifest, record

    def _send_record(self, revision: str) -> tuple[SessionDetails, FileRecord]:
        """Write ``session.json``, or take over the one that an earlier or a concurrent attempt wrote.

        It alone has other bytes each time it is made, so the first one stays: a second publisher of the same bundle
        must not change a file that the first one's manifest may name already.
        """
        key = f"{_folder(self.bundle.session.id)}{revision}/{SESSION_FILE}"
        body = to_json(_session_record(self.bundle, revision, self.digest, self.now()))
        try:
            self._write(key, body, ObjectHeaders(content_type=JSON, cache_control=FOREVER))
        except StoreConflict:
            there = self.store.read(key)
            if there is None:
                raise
            body = there[0]
        record = _parsed(SessionDetails, body, key)
        if record.digest != self.digest:
            raise StoreCorrupt("publishing.unreadable", {"key": key, "detail": "another digest"})
        return record, FileRecord(
            name=SESSION_FILE,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            content_type=JSON,
            role="metadata",
        )

    def _send_artifact(self, manifest: Manifest, artifact: Artifact) -> None:
        file = _record(artifact)
        key = _file_key(manifest, file)
        if _problem(manifest, file, self.store) is None:
            return
        disposition = None if artifact.download_name is None else content_disposition(artifact.download_name)
        headers = ObjectHeaders(
            content_type=artifact.content_type,
            cache_control=FOREVER,
            content_language=artifact.language,
            content_disposition=disposition,
        )
        # Not conditional: whoever else writes this key writes these bytes, its digest being in its name.
        self.store.write(key, artifact.path, headers, sha256=artifact.sha256)
        self.written += 1
        if _problem(manifest, file, self.store) is not None:
            raise StoreCorrupt("store.corrupt", {"key": key})

    def write_views(self, manifest: Manifest, views: Views, published: PublishedSession) -> None:
        """Bring everything that is derived from the manifest up to date: assets, pages, catalogue, indexes."""
        for asset in views.assets():
            headers = ObjectHeaders(content_type=asset.content_type, cache_control=FOREVER)
            self._derive(asset.key, headers, partial(_always, asset.body))
        for language, page in views.session_pages(published).items():
            make = partial(self._while_it_holds, manifest, partial(_always, page.encode()))
            self._derive(_page(manifest.session_id, language), _html(language), make)
        for file in views.session_files(published):
            make = partial(self._while_it_holds, manifest, partial(_always, file.body))
            self._derive(file.key, _derived(file), make)
        entry = catalogue_entry(manifest, published.session, duration_ms=published.duration_ms)
        headers = ObjectHeaders(content_type=JSON, cache_control=FRESH)
        self._derive(CATALOGUE, headers, partial(self._while_it_holds, manifest, partial(self._with_entry, entry)))
        for key in views.catalogue_pages(self._entries()):
            self._derive(key, _html(_language_of(key)), partial(self._catalogue_page, views, key))
        self._write_catalogue_files(views)

    def _write_catalogue_files(self, views: Views) -> None:
        """Bring feeds and the like up to date, those that no session belongs to any more removed.

        What lies there is listed before the catalogue is read, so that nothing newer is taken for left over; and the
        catalogue is read again afterwards, so that what somebody else needs meanwhile is made. There may be thousands
        of these files; only those that differ are read.
        """
        there = [found.key for prefix in _MADE_OF_ALL for found in self.store.list(prefix)]
        left_over = sorted(set(there) - self._catalogue_files(views).keys())
        if left_over:
            self.store.delete(left_over)
        for file in self._catalogue_files(views).values():
            known = self.store.head(file.key)
            if known is None or known.sha256 != hashlib.sha256(file.body).hexdigest():
                self._derive(file.key, _derived(file), partial(self._catalogue_file, views, file.key))

    def _catalogue_file(self, views: Views, key: str, _before: bytes | None) -> bytes | None:
        file = self._catalogue_files(views).get(key)
        return None if file is None else file.body

    def _catalogue_files(self, views: Views) -> Mapping[str, MachineFile]:
        """Return what is made of the catalogue as it is now; made once for as long as it stays the same."""
        entries = self._entries()
        if self._made is None or self._made[0] != entries:
            self._made = (entries, {file.key: file for file in views.catalogue_files(entries)})
        return self._made[1]

    def _derive(self, key: str, headers: ObjectHeaders, make: Callable[[bytes | None], bytes | None]) -> None:
        """Write what is made from something else, where it differs from what is there.

        What it is made from is read after what is there, and what is there is only replaced if it is still the same.
        So whoever derives from an older state loses against whoever has derived from a newer one, in any order.

        Args:
            key: Where.
            headers: How it is served.
            make: Takes what is there, returns what should be, or ``None`` to leave it to somebody newer.
        """

        def once() -> None:
            there = self.store.read(key)
            body = make(None if there is None else there[0])
            if body is not None and (there is None or there[0] != body):
                self._write(key, body, headers, replaces=None if there is None else there[1])

        _insisting(once)

    def _while_it_holds(
        self, manifest: Manifest, make: Callable[[bytes | None], bytes], before: bytes | None
    ) -> bytes | None:
        """Make it unless somebody has published the session anew meanwhile: then it is for them to derive."""
        holding = read_manifest(manifest.session_id, self.store)
        return make(before) if holding == manifest else None

    def _catalogue_page(self, views: Views, key: str, _before: bytes | None) -> bytes:
        return views.catalogue_pages(self._entries())[key].encode()

    def _entries(self) -> tuple[CatalogueEntry, ...]:
        found = self.store.read(CATALOGUE)
        return _read_catalogue(None if found is None else found[0], self.store).entries

    def _with_entry(self, entry: CatalogueEntry, before: bytes | None) -> bytes:
        return to_json(_read_catalogue(before, self.store).with_entry(entry))

    def _write(self, key: str, body: bytes, headers: ObjectHeaders, replaces: StoredObject | None = None) -> None:
        """Write in the place of what was there when it was read, or of nothing."""
        sha256 = hashlib.sha256(body).hexdigest()
        self.store.write(key, body, headers, sha256=sha256, replaces=replaces, only_new=replaces is None)
        self.written += 1


def catalogue_entry(manifest: Manifest, session: Session, *, duration_ms: int) -> CatalogueEntry:
    """Return what the list of all sessions tells of one."""
    poster = next((_file_key(manifest, file) for file in manifest.files if file.role == "poster"), None)
    return CatalogueEntry(
        session_id=session.id,
        title=session.title,
        languages=session.languages,
        date=session.date,
        programme=session.programme,
        week=session.week,
        topics=session.topics,
        guests=tuple(guest.name for guest in session.guests),
        duration_ms=duration_ms,
        revision=manifest.revision,
        poster=poster,
        pages=tuple((language, _page(session.id, language)) for language in LANGUAGES),
        description=session.description,
        published_at=manifest.published_at,
        files=tuple(_published_file(manifest, file) for file in manifest.files if file.role in _IN_THE_LIST),
    )


def gather_catalogue(store: Store) -> Catalogue:
    """Return the list of all sessions as their manifests tell it, leaving out those that cannot be read.

    Raises:
        StoreError: See :class:`Store`.
    """
    catalogue = Catalogue()
    for found in store.list("sessions/"):
        folder, _, name = found.key.rpartition("/")
        if name != MANIFEST or folder.count("/") != 1:
            continue
        try:
            entry = _read_entry(folder.rpartition("/")[2], store)
        except StoreCorrupt as corrupt:
            _logger.warning("left out of the catalogue: %s", corrupt)
        else:
            catalogue = catalogue if entry is None else catalogue.with_entry(entry)
    return catalogue


def _read_entry(session_id: str, store: Store) -> CatalogueEntry | None:
    manifest = read_manifest(session_id, store)
    if manifest is None:
        return None
    record = _read_record(manifest, store)
    return catalogue_entry(manifest, record.session, duration_ms=record.duration_ms)


def _read_catalogue(body: bytes | None, store: Store) -> Catalogue:
    """Return the catalogue from its bytes, or from the manifests where there are none or they cannot be read."""
    if body is not None:
        try:
            return _parsed(Catalogue, body, CATALOGUE)
        except StoreCorrupt as corrupt:
            _logger.warning("the catalogue is made anew: %s", corrupt)
    return gather_catalogue(store)


def _catalogue_order(entry: CatalogueEntry) -> tuple[int, str, str]:
    """Newest session first, those without a date last, then by title as a reader would sort it, accents aside."""
    day = 0 if entry.date is None else -entry.date.toordinal()
    letters = unicodedata.normalize("NFKD", entry.title.get("en").casefold())
    return day, "".join(char for char in letters if not unicodedata.combining(char)), entry.session_id


def _session_record(bundle: Bundle, revision: str, digest: str, published_at: dt.datetime) -> SessionDetails:
    return SessionDetails(
        session=bundle.session,
        # A name from a file system may hold bytes that are no text.
        recording_name=bundle.recording.name.encode(errors="replace").decode(),
        recording_sha256=bundle.recording.sha256,
        recording_size=bundle.recording.size,
        duration_ms=bundle.transcript.duration_ms,
        notices=bundle.transcript.notices,
        provenance=bundle.provenance,
        timings=bundle.timings,
        revision=revision,
        digest=digest,
        published_at=published_at,
    )


def _record(artifact: Artifact) -> FileRecord:
    return FileRecord(
        name=artifact.name,
        size=artifact.size,
        sha256=artifact.sha256,
        content_type=artifact.content_type,
        role=artifact.role,
        language=artifact.language,
        download_name=artifact.download_name,
    )


def _read_manifest(session_id: str, store: Store) -> tuple[Manifest, StoredObject] | None:
    key = _manifest_key(session_id)
    found = store.read(key)
    return None if found is None else (_parsed(Manifest, found[0], key), found[1])


def _read_record(manifest: Manifest, store: Store) -> SessionDetails:
    key = f"{_folder(manifest.session_id)}{manifest.revision}/{SESSION_FILE}"
    found = store.read(key)
    if found is None:
        raise StoreCorrupt("publishing.missing", {"key": key})
    return _parsed(SessionDetails, found[0], key)


def _parsed(kind: type[T], body: bytes, key: str) -> T:
    try:
        return from_json(kind, body)
    except ValueError as invalid:
        raise StoreCorrupt("publishing.unreadable", {"key": key, "detail": str(invalid)}) from invalid


def _is_whole(manifest: Manifest, store: Store) -> bool:
    return all(_problem(manifest, file, store) is None for file in manifest.files)


def _problem(manifest: Manifest, file: FileRecord, store: Store, thorough: bool = False) -> str | None:
    """Return the message's code for what is wrong with a published file, or ``None``."""
    key = _file_key(manifest, file)
    there = store.head(key)
    if there is None:
        return "publishing.missing"
    sha256 = store.read_sha256(key) if thorough else there.sha256
    return None if (there.size, sha256) == (file.size, file.sha256) else "publishing.damaged"


def _insisting(step: Callable[[], T]) -> T:
    """Do a step again, from reading to writing, each time somebody else was faster.

    Raises:
        StoreConflict: Somebody else was faster every time.
    """
    for attempt in range(_ATTEMPTS - 1):
        try:
            return step()
        except StoreConflict:
            time.sleep(secrets.randbelow(_PAUSE_MS << min(attempt, 5)) / 1000)
    return step()


def _always(body: bytes, _before: bytes | None) -> bytes:
    return body


def _html(language: Language | None) -> ObjectHeaders:
    return ObjectHeaders(content_type=HTML, cache_control=FRESH, content_language=language)


def _derived(file: MachineFile) -> ObjectHeaders:
    return ObjectHeaders(content_type=file.content_type, cache_control=FRESH)


def _language_of(key: str) -> Language | None:
    return next((language for language in LANGUAGES if key.startswith(f"{language}/")), None)


def _folder(session_id: str) -> str:
    return f"sessions/{session_id}/"


def _manifest_key(session_id: str) -> str:
    return f"{_folder(session_id)}{MANIFEST}"


def _file_key(manifest: Manifest, file: FileRecord) -> str:
    return f"{_folder(manifest.session_id)}{manifest.revision}/{file.name}"


def _page(session_id: str, language: Language) -> str:
    return f"{_folder(session_id)}{language}.html"
