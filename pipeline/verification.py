"""What is published, compared with what should be: every file, the pages and the lists of a session.

In goes a session's id, out come notices, one for each thing that is wrong, none where all is well. Only reads. Stands
alone because it trusts nothing that publishing says of itself: it looks at what the store serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipeline.errors import StoreCorrupt
from pipeline.list_checks import outdated, unlisted
from pipeline.ports import ObjectHeaders, Store, StoredObject
from pipeline.published import (
    Manifest,
    Withdrawal,
    file_headers,
    file_key,
    manifest_key,
    page_headers,
    page_key,
    read_held,
)
from pipeline.search_store import INDEX, SearchIndex, passages_key
from pipeline.site.model import Views, session_prefix
from pipeline.site.records import CHAPTERS
from pipeline.site.render import SESSION_FILES
from pipeline.types import LANGUAGES, Notice

_HEADERS: Final = {"compressed": "Content-Encoding"}


def verify(
    session_id: str, store: Store, *, thorough: bool = False, search: SearchIndex | None = None
) -> tuple[Notice, ...]:
    """Check everything that is published of a session against its manifest.

    Args:
        session_id: Whose.
        store: Where.
        thorough: Read every byte, rather than trust the checksum that the store keeps.
        search: The search index of that store, where several sessions are checked: it is then read once.

    Returns:
        What is wrong, empty where all is well: ``publishing.unpublished``, ``publishing.missing``,
        ``publishing.damaged``, ``publishing.served``, ``publishing.page_outdated``, ``publishing.unlisted``,
        ``publishing.unsearchable``, ``publishing.extra``, ``publishing.left``, ``publishing.unreadable``, each with the
        ``key``.

    Raises:
        StoreError: See :class:`Store`.
    """
    search = search or SearchIndex(store)
    try:
        held = read_held(session_id, store)
        if held is None:
            return (_notice("publishing.unpublished", manifest_key(session_id)),)
        if isinstance(held.value, Withdrawal):
            return tuple(_check_withdrawn(session_id, store, search))
        return tuple(_check_published(held.value, store, search, thorough=thorough))
    except StoreCorrupt as corrupt:
        return (Notice(code=corrupt.code, data=tuple(sorted(corrupt.data.items()))),)


def verify_lists(store: Store, views: Views) -> tuple[Notice, ...]:
    """Check every list, and what other programs read of all sessions, against the shelves that they are made from.

    Args:
        store: Where.
        views: Makes them; with the address that they should tell.

    Returns:
        What is wrong, ``publishing.list_outdated`` or ``publishing.unreadable``, each with the ``key``.

    Raises:
        StoreError: See :class:`Store`.
    """
    try:
        return tuple(_notice("publishing.list_outdated", key) for key in outdated(store, views))
    except StoreCorrupt as corrupt:
        return (Notice(code=corrupt.code, data=tuple(sorted(corrupt.data.items()))),)


def _check_published(manifest: Manifest, store: Store, search: SearchIndex, *, thorough: bool) -> Iterator[Notice]:
    damaged = False
    for file in manifest.files:
        key = file_key(manifest, file)
        there = store.head(key)
        if there is None:
            damaged = True
            yield _notice("publishing.missing", key)
            continue
        sha256 = store.read_sha256(key) if thorough else there.sha256
        if (there.size, sha256) != (file.size, file.sha256):
            damaged = True
            yield _notice("publishing.damaged", key)
        yield from _check_headers(there, file_headers(file))
    beside = {each.key for each in store.list(session_prefix(manifest.session_id))}
    yield from _check_pages(manifest, beside, store)
    yield from _check_beside(manifest, beside, store)
    if not damaged:
        yield from _check_lists(manifest, store)
        yield from _check_search(manifest, store, search)


def _check_headers(there: StoredObject, wanted: ObjectHeaders) -> Iterator[Notice]:
    found = there.headers
    names = ("content_type", "cache_control", "content_language", "content_disposition", "compressed")
    wrong = [name for name in names if getattr(found, name, None) != getattr(wanted, name)]
    if wrong:
        headers = ", ".join(_HEADERS.get(name, name.replace("_", "-").title()) for name in wrong)
        yield Notice(code="publishing.served", data=(("headers", headers), ("key", there.key)))


def _check_pages(manifest: Manifest, beside: set[str], store: Store) -> Iterator[Notice]:
    led_to: set[str] = set()
    for language in LANGUAGES:
        key = page_key(manifest.session_id, language)
        if key not in beside:
            yield _notice("publishing.missing", key)
            continue
        found = _as_written(key, store)
        if found is None:
            yield _notice("publishing.damaged", key)
            continue
        page, there = found
        if f"{manifest.revision}/".encode() not in page:
            yield _notice("publishing.page_outdated", key)
        yield from _check_headers(there, page_headers(language))
        led_to |= {name for name in SESSION_FILES if re.search(rf'["/]{re.escape(name)}"'.encode(), page)}
    if any(file.role == "chapters" for file in manifest.files):
        led_to.add(CHAPTERS)
    keys = {f"{session_prefix(manifest.session_id)}{name}" for name in led_to}
    yield from (_notice("publishing.missing", key) for key in sorted(keys - beside))


def _check_beside(manifest: Manifest, beside: set[str], store: Store) -> Iterator[Notice]:
    """Check what the manifest does not name: what is made from it is as it was written, and there is nothing else.

    Files of other revisions are left alone: earlier ones are kept, and a later one may be on its way.
    """
    folder = session_prefix(manifest.session_id)
    known = {manifest_key(manifest.session_id), *(page_key(manifest.session_id, language) for language in LANGUAGES)}
    known |= {file_key(manifest, file) for file in manifest.files}
    made = {passages_key(manifest.session_id), *(folder + name for name in SESSION_FILES)}
    other = re.compile(rf"{re.escape(folder)}(?!{re.escape(manifest.revision)}/)r[1-9][0-9]*-[0-9a-f]{{8}}/")
    for key in sorted(beside - known):
        if key in made:
            if _as_written(key, store) is None:
                yield _notice("publishing.damaged", key)
        elif not other.match(key):
            yield _notice("publishing.extra", key)


def _as_written(key: str, store: Store) -> tuple[bytes, StoredObject] | None:
    """Return an object that has the checksum which was kept with it; what others put in its place has none."""
    try:
        found = store.read(key)
    except StoreCorrupt:
        return None
    return None if found is None or found[1].sha256 is None else found


def _check_lists(manifest: Manifest, store: Store) -> Iterator[Notice]:
    yield from (_notice("publishing.unlisted", key) for key in unlisted(manifest.session_id, store))


def _check_search(manifest: Manifest, store: Store, search: SearchIndex) -> Iterator[Notice]:
    found = search.find(manifest.session_id)
    if found is None or found[1].revision != manifest.revision:
        yield _notice("publishing.unsearchable", INDEX)
    else:
        yield from (_notice("publishing.unsearchable", key) for key in search.missing(found[0]))
    key = passages_key(manifest.session_id)
    if store.head(key) is None:
        yield _notice("publishing.unsearchable", key)


def _check_withdrawn(session_id: str, store: Store, search: SearchIndex) -> Iterator[Notice]:
    notices = {page_key(session_id, language) for language in LANGUAGES}
    found = {each.key for each in store.list(session_prefix(session_id))}
    for key in sorted(notices - found):
        yield _notice("publishing.missing", key)
    for key in sorted(found - notices - {manifest_key(session_id)}):
        yield _notice("publishing.left", key)
    if search.find(session_id) is not None:
        yield _notice("publishing.left", INDEX)


def _notice(code: str, key: str) -> Notice:
    return Notice(code=code, data=(("key", key),))
