"""What the sessions of a programme say, kept in the store so that one more session reads only its own words.

In go the sessions of a programme's list, out come the themes that they have in common, and the object that remembers
what each of them says. A session whose revision has changed is read anew, one that is gone is forgotten. Stands alone
because lists are read more often than quotations, and hold none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.errors import StoreCorrupt
from pipeline.ports import Store
from pipeline.published import parsed, read_details
from pipeline.serial import to_json
from pipeline.site.model import CatalogueEntry
from pipeline.themes import CommonTheme, Theme, combine_themes

_FOLDER: Final = "catalogue/heard/"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardSession:
    """What one session of a programme says.

    Attributes:
        session_id: Whose.
        revision: As of which.
        themes: What it comes back to, the most telling first.
    """

    session_id: str
    revision: str
    themes: tuple[Theme, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """``catalogue/heard/<key>.json``: what the sessions of a programme's list say.

    Attributes:
        key: The list's name.
        sessions: In order of id.
        version: Of this form.
    """

    key: str
    sessions: tuple[HeardSession, ...] = ()
    version: Literal[1] = 1


def heard_key(key: str) -> str:
    """Return the key of what the sessions of a list say."""
    return f"{_FOLDER}{key}.json"


def hear(key: str, entries: Iterable[CatalogueEntry], store: Store, before: bytes | None) -> bytes:
    """Return what the sessions of a list say, those that have not changed as it was known.

    Args:
        key: The list's name.
        entries: Its sessions.
        store: Where the others are read.
        before: What was known.

    Raises:
        StoreError: See :class:`Store`.
    """
    known = {(each.session_id, each.revision): each for each in _parsed(before, key).sessions}
    ordered = sorted(entries, key=lambda entry: entry.session_id)
    made = (known.get((entry.session_id, entry.revision)) or _read(entry, store) for entry in ordered)
    return to_json(Heard(key=key, sessions=tuple(each for each in made if each is not None)))


def find_common(key: str, entries: Iterable[CatalogueEntry], store: Store) -> tuple[CommonTheme, ...]:
    """Return what the sessions of a list have in common, as it is known.

    Args:
        key: The list's name.
        entries: Its sessions, those to be quoted first at the front.
        store: Where it is known.

    Raises:
        StoreError: See :class:`Store`.
    """
    found = store.read(heard_key(key))
    heard = _parsed(None if found is None else found[0], key)
    known = {(each.session_id, each.revision): each.themes for each in heard.sessions}
    return combine_themes({entry.session_id: known.get((entry.session_id, entry.revision), ()) for entry in entries})


def _read(entry: CatalogueEntry, store: Store) -> HeardSession | None:
    """Return what a session says as of a revision; ``None`` where that is gone: it is being withdrawn."""
    try:
        details = read_details(entry.session_id, entry.revision, store)
    except StoreCorrupt as corrupt:
        _logger.warning("its themes are left out: %s", corrupt)
        return None
    return HeardSession(session_id=entry.session_id, revision=entry.revision, themes=details.themes)


def _parsed(body: bytes | None, key: str) -> Heard:
    """Return what a programme's sessions say, nothing where that is not known or cannot be read."""
    if body is None:
        return Heard(key=key)
    try:
        return parsed(Heard, body, heard_key(key))
    except StoreCorrupt as corrupt:
        _logger.warning("the themes are gathered anew: %s", corrupt)
        return Heard(key=key)
