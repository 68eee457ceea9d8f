"""A finished session, and what learners see of it, into the object store.

In goes a :class:`Bundle`, out comes a :class:`Publication`. The files of a revision are sent first, under a name of
their own; then ``manifest.json`` is replaced, in one conditional write, and from that moment the session *is* the new
revision. Pages and the lists are derived from it afterwards. Whatever kills this on the way, and whoever else
publishes at the same time, a reader who follows the manifest finds one whole revision, and running it again completes
what is missing and writes nothing twice. A session that was withdrawn is not published. Stands alone because it knows
neither HTML nor S3: pages come from :class:`Views`, storing is :class:`Store`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from pipeline.errors import SessionWithdrawn, StoreConflict, StoreCorrupt
from pipeline.lists import Lists, erase_earlier_quotations
from pipeline.ports import ObjectHeaders, Store
from pipeline.published import (
    FOREVER,
    FRESH_JSON,
    JSON,
    SESSION_FILE,
    FileRecord,
    Held,
    Manifest,
    SessionDetails,
    derive,
    file_headers,
    file_key,
    insisting,
    machine_headers,
    manifest_key,
    page_headers,
    page_key,
    parsed,
    published_file,
    read_details,
    read_held,
    read_manifest,
    write,
)
from pipeline.search_store import SearchIndex
from pipeline.serial import to_json
from pipeline.site.model import MachineFile, PublishedSession, Views, session_prefix
from pipeline.themes import Theme, find_themes
from pipeline.types import (
    LANGUAGES,
    Artifact,
    Bundle,
    Chapter,
    Cue,
    Highlight,
    Provenance,
    Publication,
    Session,
    Transcript,
)
from pipeline.withdrawal import erase_files

_logger = logging.getLogger(__name__)


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
    highlights: Sequence[Highlight] = (),
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Publication:
    """Publish a session; where it is published already, only complete what is missing.

    Args:
        bundle: What to publish. Its files must lie still until this returns.
        store: Where.
        views: Makes the pages.
        cues: The captions, for the pages.
        edited: The readable transcript, for the pages; themes are found in it, too.
        chapters: The session by topic, for the pages.
        highlights: The passages that carry most, for the pages.
        now: The clock.

    Returns:
        Where everything is. ``written`` is 0 when everything was there.

    Raises:
        SessionWithdrawn: The session was withdrawn; nothing of it is left behind.
        StoreConflict: Others kept publishing the same thing at the same time.
        StoreUnavailable: The store cannot be reached; run it again.
        StoreRefused: The store does not allow it.
        StoreCorrupt: Bytes were damaged on the way, or what is published cannot be read.
    """
    if any(artifact.name == SESSION_FILE for artifact in bundle.artifacts):
        raise ValueError(f"{SESSION_FILE} is made when publishing")
    publisher = _Publisher(bundle, find_themes(edited or bundle.transcript, bundle.session), store, now)
    try:
        with publisher.unless_withdrawn():
            manifest, record = insisting(publisher.settle)
            published = published_session(
                manifest,
                record,
                transcript=bundle.transcript,
                cues=cues,
                edited=edited,
                chapters=chapters,
                highlights=highlights,
            )
            publisher.write_views(manifest, views, published)
            publisher.read_held()
    except SessionWithdrawn:
        # What was sent before this was known.
        erase_files(bundle.session.id, store)
        raise
    _logger.info("session %s is published as %s, %d written", bundle.session.id, manifest.revision, publisher.written)
    return _publication(manifest, store, publisher.written)


def withdraw_earlier(session_id: str, store: Store) -> None:
    """Remove the files of every revision of a session but the one that is published, and earlier versions of its pages.

    For a session of which a passage was cut: whoever kept an address must not find it there. A page that a learner has
    open may have to be loaded anew.

    Raises:
        StoreError: See :class:`Store`.
    """
    manifest = read_manifest(session_id, store)
    if manifest is None:
        return
    erase_earlier_quotations(session_id, store)
    folder = session_prefix(session_id)
    earlier = re.compile(rf"{re.escape(folder)}(?!{re.escape(manifest.revision)}/)r[1-9][0-9]*-[0-9a-f]{{8}}/")
    keep = {item.key for item in store.list(folder) if not earlier.match(item.key)}
    SearchIndex(store).sweep()
    if removed := store.erase(folder, keep=keep):
        _logger.info("session %s: %d objects and versions of earlier revisions are withdrawn", session_id, removed)


def published_session(
    manifest: Manifest,
    record: SessionDetails,
    *,
    transcript: Transcript,
    cues: Sequence[Cue],
    edited: Transcript | None = None,
    chapters: Sequence[Chapter] = (),
    highlights: Sequence[Highlight] = (),
) -> PublishedSession:
    """Return what the page of a published session is made from."""
    return PublishedSession(
        session=record.session,
        transcript=transcript,
        cues=tuple(cues),
        edited=edited,
        chapters=tuple(chapters),
        highlights=tuple(highlights),
        themes=record.themes,
        files=tuple(published_file(manifest, file) for file in manifest.files),
        revision=manifest.revision,
        published_at=manifest.published_at,
        provenance=record.provenance,
        notices=record.notices,
        recording_name=record.recording_name,
    )


class _Publisher:
    """One call of :func:`publish`: what it publishes, where, and how many objects it has written."""

    def __init__(self, bundle: Bundle, themes: tuple[Theme, ...], store: Store, now: Callable[[], dt.datetime]) -> None:
        self.bundle = bundle
        self.themes = themes
        self.store = store
        self.now = now
        self.digest = bundle_digest(bundle)
        self.written = 0

    @contextmanager
    def unless_withdrawn(self) -> Iterator[None]:
        """Take what is missing or damaged for what it is where the session is being withdrawn at the same time.

        Raises:
            SessionWithdrawn: It is.
        """
        try:
            yield
        except StoreCorrupt:
            self.read_held()
            raise

    def settle(self) -> tuple[Manifest, SessionDetails]:
        """Make the bundle the published state of its session, unless it is.

        Raises:
            SessionWithdrawn: It must not be published.
            StoreConflict: Somebody else published the session meanwhile; decide again.
        """
        held = self.read_held()
        known = None if held is None else held.manifest
        if known is not None and known.digest == self.digest and _is_whole(known, self.store):
            return known, read_details(known.session_id, known.revision, self.store)
        manifest, record = self._send_revision(held)
        # The commit: everything before is invisible, everything after is derived.
        write(
            self.store,
            manifest_key(manifest.session_id),
            to_json(manifest),
            FRESH_JSON,
            None if held is None else held.stored,
        )
        self.written += 1
        return manifest, record

    def read_held(self) -> Held | None:
        """Return what holds of the session.

        Raises:
            SessionWithdrawn: It must not be published.
        """
        held = read_held(self.bundle.session.id, self.store)
        if held is not None and held.refusal is not None:
            raise held.refusal
        return held

    def _send_revision(self, held: Held | None) -> tuple[Manifest, SessionDetails]:
        before = None if held is None else held.manifest
        number = 1 if held is None else held.value.number + 1
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
        key = f"{session_prefix(self.bundle.session.id)}{revision}/{SESSION_FILE}"
        body = to_json(self._record(revision))
        try:
            write(self.store, key, body, ObjectHeaders(content_type=JSON, cache_control=FOREVER))
            self.written += 1
        except StoreConflict:
            there = self.store.read(key)
            if there is None:
                raise
            body = there[0]
        record = parsed(SessionDetails, body, key)
        if record.digest != self.digest:
            raise StoreCorrupt("publishing.unreadable", {"key": key, "detail": "another digest"})
        return record, FileRecord(
            name=SESSION_FILE,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            content_type=JSON,
            role="metadata",
        )

    def _record(self, revision: str) -> SessionDetails:
        bundle = self.bundle
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
            digest=self.digest,
            published_at=self.now(),
            themes=self.themes,
        )

    def _send_artifact(self, manifest: Manifest, artifact: Artifact) -> None:
        file = _record(artifact)
        key = file_key(manifest, file)
        if _is_there(manifest, file, self.store):
            return
        # Not conditional: whoever else writes this key writes these bytes, its digest being in its name.
        self.store.write(key, artifact.path, file_headers(file), sha256=artifact.sha256)
        self.written += 1
        if not _is_there(manifest, file, self.store):
            raise StoreCorrupt("store.corrupt", {"key": key})

    def write_views(self, manifest: Manifest, views: Views, published: PublishedSession) -> None:
        """Bring everything that is derived from the manifest up to date: assets, pages, lists."""
        lists = Lists(self.store, views)
        lists.write_assets()
        for language, page in views.session_pages(published).items():
            make = partial(self._while_it_holds, manifest, page.encode())
            self.written += derive(self.store, page_key(manifest.session_id, language), page_headers(language), make)
        for file in views.session_files(published):
            self._write_file(manifest, file)
        lists.update(manifest.session_id)
        search = SearchIndex(self.store)
        search.update(manifest.session_id)
        self.written += lists.written + search.written

    def _write_file(self, manifest: Manifest, file: MachineFile) -> None:
        """Write what programs read of the session; remove what is of no use any more."""
        if file.body is None:
            if self._while_it_holds(manifest, b"", None) is not None and self.store.head(file.key) is not None:
                self.store.delete([file.key])
            return
        make = partial(self._while_it_holds, manifest, file.body)
        self.written += derive(self.store, file.key, machine_headers(file.content_type), make)

    def _while_it_holds(self, manifest: Manifest, page: bytes, _before: bytes | None) -> bytes | None:
        """Return a page unless somebody has published the session anew meanwhile: then it is for them to derive."""
        return page if read_manifest(manifest.session_id, self.store) == manifest else None


def _publication(manifest: Manifest, store: Store, written: int) -> Publication:
    return Publication(
        session_id=manifest.session_id,
        revision=manifest.revision,
        pages=tuple((language, store.url(page_key(manifest.session_id, language))) for language in LANGUAGES),
        files=tuple((file.name, store.url(file_key(manifest, file))) for file in manifest.files),
        written=written,
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


def _is_whole(manifest: Manifest, store: Store) -> bool:
    return all(_is_there(manifest, file, store) for file in manifest.files)


def _is_there(manifest: Manifest, file: FileRecord, store: Store) -> bool:
    there = store.head(file_key(manifest, file))
    return there is not None and (there.size, there.sha256) == (file.size, file.sha256)
