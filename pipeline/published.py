"""What lies in the store of a session, and the one rule by which anything there is replaced.

In goes a store, out come the values kept in it: the :class:`Manifest` that says which revision of a session holds, or
the :class:`Withdrawal` that has taken its place, and the :class:`SessionDetails` of a revision. :func:`derive` replaces
what is made from them. Stands alone because publishing, withdrawing, checking and the lists of all sessions agree on
nothing but this.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, cast
from urllib.parse import quote

from pipeline.errors import SessionWithdrawn, StoreConflict, StoreCorrupt
from pipeline.ports import ObjectHeaders, Store, StoredObject
from pipeline.s3 import content_disposition
from pipeline.serial import from_json
from pipeline.site.model import SESSIONS, PublishedFile, session_prefix
from pipeline.themes import Theme
from pipeline.types import LANGUAGES, Language, Notice, Provenance, Session, Timing

FOREVER: Final = "public, max-age=31536000, immutable"
"""For what never changes under its name."""
FRESH: Final = "no-cache"
"""For what may change: browsers keep it but ask each time whether it still holds."""
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
MANIFEST: Final = "manifest.json"
SESSION_FILE: Final = "session.json"
"""Made when publishing, so no artifact may have that name."""
FRESH_JSON: Final = ObjectHeaders(content_type=JSON, cache_control=FRESH)
LIST_JSON: Final = ObjectHeaders(content_type=JSON, cache_control=FRESH, compressed=True)
"""For what only we and our own pages read."""

_FOR_BROWSERS: Final = frozenset({"text/html", "text/css", "text/javascript", "image/svg+xml"})
_ATTEMPTS: Final = 12
"""How often a write that somebody else was faster at is decided anew."""
_PAUSE_MS: Final = 25
_REVISION: Final = re.compile(r"r[1-9][0-9]*-[0-9a-f]{8}\Z")
_RECORD_KEY: Final = re.compile(r"sessions/[0-9a-f]{16}/(r[1-9][0-9]*-[0-9a-f]{8})/session\.json\Z")
_MANIFEST_KEY: Final = re.compile(r"sessions/([0-9a-f]{16})/manifest\.json\Z")

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
        themes: What the session comes back to, in its own words; the lists of its programme are told by them.
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
    themes: tuple[Theme, ...] = ()
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What lies in the place of a session's manifest once it has been withdrawn. Anybody may read it.

    Attributes:
        session_id: Whose.
        withdrawn_at: When.
        number: Of the last revision that was published, 0 where none was; a later one counts on from it.
        restored_at: When publishing it was allowed again; ``None`` while it is not.
        version: Of this form.
    """

    session_id: str
    withdrawn_at: dt.datetime
    number: int
    restored_at: dt.datetime | None = None
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What holds of a session, as it was read.

    Attributes:
        value: The manifest, or the withdrawal in its place.
        stored: The object, for replacing it.
    """

    value: Manifest | Withdrawal
    stored: StoredObject

    @property
    def manifest(self) -> Manifest | None:
        """The manifest, where the session is published."""
        return self.value if isinstance(self.value, Manifest) else None

    @property
    def refusal(self) -> SessionWithdrawn | None:
        """Why the session may not be published, where it may not."""
        if isinstance(self.value, Manifest) or self.value.restored_at is not None:
            return None
        day = self.value.withdrawn_at.date().isoformat()
        return SessionWithdrawn("publishing.withdrawn", {"session": self.value.session_id, "date": day})


def read_held(session_id: str, store: Store) -> Held | None:
    """Return what holds of a session, or ``None`` where nothing was ever published.

    Raises:
        StoreCorrupt: It cannot be read.
        StoreError: See :class:`Store`.
    """
    key = manifest_key(session_id)
    found = store.read(key)
    if found is None:
        return None
    either = cast("type[Manifest | Withdrawal]", Manifest | Withdrawal)
    return Held(value=parsed(either, found[0], key), stored=found[1])


def read_manifest(session_id: str, store: Store) -> Manifest | None:
    """Return what is published of a session, or ``None`` where nothing is.

    Raises:
        StoreCorrupt: It cannot be read.
        StoreError: See :class:`Store`.
    """
    held = read_held(session_id, store)
    return None if held is None else held.manifest


def read_details(session_id: str, revision: str, store: Store) -> SessionDetails:
    """Return what is known of a session as of one revision.

    Raises:
        StoreCorrupt: It is missing or cannot be read.
        StoreError: See :class:`Store`.
    """
    key = f"{session_prefix(session_id)}{revision}/{SESSION_FILE}"
    found = store.read(key)
    if found is None:
        raise StoreCorrupt("publishing.missing", {"key": key})
    return parsed(SessionDetails, found[0], key)


def read_all_details(session_id: str, store: Store) -> Iterator[SessionDetails]:
    """Yield what is known of a session as of every revision that the store still has, leaving out what is damaged.

    Raises:
        StoreError: See :class:`Store`.
    """
    for found in store.list(f"{session_prefix(session_id)}r"):
        if (revision := _RECORD_KEY.match(found.key)) is None:
            continue
        try:
            yield read_details(session_id, revision[1], store)
        except StoreCorrupt as corrupt:
            _logger.warning("left out: %s", corrupt)


def session_ids(store: Store) -> Iterator[str]:
    """Yield the id of every session that has a manifest or a withdrawal, in order.

    Raises:
        StoreError: See :class:`Store`.
    """
    for found in store.list(SESSIONS):
        if (session := _MANIFEST_KEY.match(found.key)) is not None:
            yield session[1]


def published_ids(store: Store) -> Iterator[str]:
    """Yield the id of every session that is public, in order.

    Raises:
        StoreCorrupt: A manifest cannot be read.
        StoreError: See :class:`Store`.
    """
    yield from (session for session in session_ids(store) if read_manifest(session, store) is not None)


def parsed(kind: type[T], body: bytes, key: str) -> T:
    """Return a value that lies in the store as JSON.

    Raises:
        StoreCorrupt: It is another thing.
    """
    try:
        return from_json(kind, body)
    except ValueError as invalid:
        raise StoreCorrupt("publishing.unreadable", {"key": key, "detail": str(invalid)}) from invalid


def derive(store: Store, key: str, headers: ObjectHeaders, make: Callable[[bytes | None], bytes | None]) -> bool:
    """Write what is made from something else, where it differs from what is there.

    What it is made from is read after what is there, and what is there is only replaced if it is still the same.
    So whoever derives from an older state loses against whoever has derived from a newer one, in any order.

    Args:
        store: Where.
        key: Of the object.
        headers: How it is served.
        make: Takes what is there, returns what should be, or ``None`` to leave it to somebody newer.

    Returns:
        Whether anything was written.

    Raises:
        StoreConflict: Somebody else was faster every time.
        StoreError: See :class:`Store`.
    """

    def once() -> bool:
        there = store.read(key)
        body = make(None if there is None else there[0])
        if body is None or (there is not None and there[0] == body and _is_kept_so(there[1], headers)):
            return False
        write(store, key, body, headers, replaces=None if there is None else there[1])
        return True

    return insisting(once)


def _is_kept_so(there: StoredObject, headers: ObjectHeaders) -> bool:
    """Say whether an object is compressed where it is to be; what an earlier version wrote may not be."""
    return there.headers is None or there.headers.compressed == headers.compressed


def write(
    store: Store, key: str, body: bytes, headers: ObjectHeaders, replaces: StoredObject | None = None
) -> StoredObject:
    """Write in the place of what was there when it was read, or of nothing.

    Raises:
        StoreConflict: Something else is there now.
        StoreError: See :class:`Store`.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    return store.write(key, body, headers, sha256=sha256, replaces=replaces, only_new=replaces is None)


def insisting(step: Callable[[], T]) -> T:
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


def file_headers(file: FileRecord) -> ObjectHeaders:
    """Return how a published file is served."""
    return ObjectHeaders(
        content_type=file.content_type,
        cache_control=FOREVER,
        content_language=file.language,
        content_disposition=None if file.download_name is None else content_disposition(file.download_name),
    )


def published_file(manifest: Manifest, file: FileRecord) -> PublishedFile:
    """Return a published file as pages tell of it."""
    return PublishedFile(
        name=file.name,
        href=quote(f"{manifest.revision}/{file.name}"),
        size=file.size,
        content_type=file.content_type,
        role=file.role,
        language=file.language,
        download_name=file.download_name,
    )


def machine_headers(content_type: str) -> ObjectHeaders:
    """Return how what other programs read, or show, is served."""
    return ObjectHeaders(content_type=content_type, cache_control=FRESH, compressed=is_for_browsers(content_type))


def asset_headers(content_type: str) -> ObjectHeaders:
    """Return how what every page needs is served."""
    return ObjectHeaders(content_type=content_type, cache_control=FOREVER, compressed=is_for_browsers(content_type))


def is_for_browsers(content_type: str) -> bool:
    """Say whether only browsers read files of that type, which all unpack what they are given, and it is worth it.

    Example:
        >>> is_for_browsers(HTML), is_for_browsers("text/vtt; charset=utf-8"), is_for_browsers("font/woff2")
        (True, False, False)
    """
    return content_type.partition(";")[0].strip() in _FOR_BROWSERS


def page_headers(language: Language | None) -> ObjectHeaders:
    """Return how a page is served."""
    return ObjectHeaders(content_type=HTML, cache_control=FRESH, content_language=language, compressed=True)


def language_of(key: str) -> Language | None:
    """Return which language's readers a page of the whole site is for; ``None`` for both."""
    return next((language for language in LANGUAGES if key.startswith(f"{language}/")), None)


def manifest_key(session_id: str) -> str:
    """Return the key of a session's manifest."""
    return f"{session_prefix(session_id)}{MANIFEST}"


def file_key(manifest: Manifest, file: FileRecord) -> str:
    """Return the key of a published file."""
    return f"{session_prefix(manifest.session_id)}{manifest.revision}/{file.name}"


def page_key(session_id: str, language: Language) -> str:
    """Return the key of a session's page."""
    return f"{session_prefix(session_id)}{language}.html"
