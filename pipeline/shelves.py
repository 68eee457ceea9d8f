"""The lists of all sessions in the store, on shelves, so that one more session changes only the few that it stands on.

In goes the id of a session whose manifest has just changed, out come the shelves, the pages made from them and
``catalogue.json`` as they should be. A shelf holds the sessions of a month or of a programme; a session stands on two
at most, however many there are. What is written is always made from what holds in the store at that moment, never from
what the caller believes, so it does not matter who brings it up to date, how often, or after whose death. Stands alone
because publishing and withdrawing both end here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from pipeline.errors import StoreConflict, StoreCorrupt
from pipeline.ports import ObjectHeaders, Store
from pipeline.published import (
    LIST_JSON,
    Manifest,
    asset_headers,
    derive,
    file_key,
    language_of,
    machine_headers,
    page_headers,
    page_key,
    parsed,
    published_file,
    read_all_details,
    read_details,
    read_manifest,
    session_ids,
)
from pipeline.serial import to_json
from pipeline.site.feeds import LONGEST, newest
from pipeline.site.model import CatalogueEntry, MachineFile, Shelf, Views
from pipeline.themes import CommonTheme, Theme, combine_themes
from pipeline.types import LANGUAGES, Bilingual, Session

CATALOGUE: Final = "catalogue.json"
SHELVES: Final = "catalogue/"
SHOWN_FIRST: Final = 60
"""How many sessions, the latest, the first page of the lists shows; fewer where there are fewer."""

HEARD: Final = f"{SHELVES}heard/"
"""What the sessions of each programme say, kept apart from the shelves, which are read more often."""

_ROUNDS: Final = 8
"""How often the lists are brought up to date when the session changes again meanwhile."""
_UNDATED: Final = "undated"
_IN_THE_LISTS: Final = frozenset({"video", "audio", "captions", "chapters"})
"""Roles of the files that feeds and sitemaps lead to."""
_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """``catalogue/<key>.json``: the sessions of one shelf.

    Attributes:
        key: Its name.
        month: First day of the month whose sessions it holds, where it holds a month's.
        programme: The programme whose sessions it holds, where it holds a programme's.
        entries: The newest first.
        version: Of this form.
    """

    key: str
    month: dt.date | None = None
    programme: Bilingual | None = None
    entries: tuple[CatalogueEntry, ...] = ()
    version: Literal[1] = 1

    @property
    def shelf(self) -> Shelf:
        """What ``catalogue.json`` says of it."""
        days = [entry.date for entry in self.entries if entry.date is not None]
        return Shelf(
            key=self.key,
            month=self.month,
            programme=self.programme,
            count=len(self.entries),
            latest=max(days, default=None),
            published_at=max((entry.published_at for entry in self.entries if entry.published_at), default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """``catalogue.json``: which shelves there are.

    Attributes:
        shelves: Those that hold something, in order of key.
        version: Of this form; the first one listed every session.
    """

    shelves: tuple[Shelf, ...] = ()
    version: Literal[2] = 2


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
    """``catalogue/heard/<key>.json``: what the sessions on the shelf of a programme say.

    Attributes:
        key: The shelf's name.
        sessions: In order of id.
        version: Of this form.
    """

    key: str
    sessions: tuple[HeardSession, ...] = ()
    version: Literal[1] = 1


def shelves_of(session: Session | CatalogueEntry) -> tuple[Shelved, ...]:
    """Return the shelves that a session stands on, empty: its month's, or that of undated ones, and its programme's."""
    month = None if session.date is None else session.date.replace(day=1)
    dated = Shelved(key=_UNDATED if month is None else f"{month:%Y-%m}", month=month)
    if session.programme is None:
        return (dated,)
    name = hashlib.sha256(to_json(session.programme)).hexdigest()[:12]
    return dated, Shelved(key=f"programme-{name}", programme=session.programme)


def catalogue_entry(manifest: Manifest, session: Session, *, duration_ms: int) -> CatalogueEntry:
    """Return what the lists tell of one session."""
    poster = next((file_key(manifest, file) for file in manifest.files if file.role == "poster"), None)
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
        pages=tuple((language, page_key(session.id, language)) for language in LANGUAGES),
        description=session.description,
        published_at=manifest.published_at,
        files=tuple(published_file(manifest, file) for file in manifest.files if file.role in _IN_THE_LISTS),
    )


def read_entry(session_id: str, store: Store) -> CatalogueEntry | None:
    """Return what the lists should tell of a session as it holds now, or ``None`` where it is not published.

    Raises:
        StoreCorrupt: What is published of it cannot be read.
        StoreError: See :class:`Store`.
    """
    manifest = read_manifest(session_id, store)
    if manifest is None:
        return None
    details = read_details(session_id, manifest.revision, store)
    return catalogue_entry(manifest, details.session, duration_ms=details.duration_ms)


def read_shelf(key: str, store: Store) -> Shelved | None:
    """Return a shelf, or ``None`` where there is none of that name.

    Raises:
        StoreCorrupt: It cannot be read.
        StoreError: See :class:`Store`.
    """
    found = store.read(_shelf_key(key))
    return None if found is None else parsed(Shelved, found[0], _shelf_key(key))


def read_catalogue(store: Store) -> Catalogue:
    """Return which shelves there are; none before the first publication.

    Raises:
        StoreCorrupt: It cannot be read.
        StoreError: See :class:`Store`.
    """
    found = store.read(CATALOGUE)
    return Catalogue() if found is None else parsed(Catalogue, found[0], CATALOGUE)


def read_entries(store: Store) -> Iterator[CatalogueEntry]:
    """Yield every session of the lists, the newest first, those without a date last.

    Raises:
        StoreCorrupt: A list cannot be read.
        StoreError: See :class:`Store`.
    """
    for shelf in _by_month(read_catalogue(store).shelves):
        shelved = read_shelf(shelf.key, store)
        yield from () if shelved is None else shelved.entries


def erase_earlier_quotations(session_id: str, store: Store) -> None:
    """Remove earlier versions of whatever quotes a session outside its own folder, where the bucket keeps versions.

    For a session that was withdrawn, or of which a passage was cut; while the files of its revisions still are there,
    which tell the programmes it has belonged to.

    Raises:
        StoreError: See :class:`Store`.
    """
    entry = read_entry(session_id, store)
    stood: list[Session | CatalogueEntry] = [each.session for each in read_all_details(session_id, store)]
    if entry is not None:
        stood.append(entry)
    shelves = {place.key: place.shelf for each in stood for place in shelves_of(each) if place.programme is not None}
    for shelf in shelves.values():
        for key in (_heard_key(shelf.key), *(shelf.heard_page(language) for language in LANGUAGES)):
            store.erase(key, keep={key})


class Lists:
    """The lists of all sessions in one store.

    Args:
        store: Where.
        views: Makes the pages.

    Attributes:
        written: How many objects had to be written.
    """

    def __init__(self, store: Store, views: Views) -> None:
        self.written = 0
        self._store = store
        self._views = views
        self._gathered: dict[str, tuple[Shelved, list[CatalogueEntry]]] | None = None

    def write_assets(self) -> None:
        """Write what every page needs; before any page that refers to it."""
        for asset in self._views.assets():
            self._derive(asset.key, asset_headers(asset.content_type), partial(_always, asset.body))

    def update(self, session_id: str) -> None:
        """Bring every list that a session stands on, or has stood on, up to date with what holds of it.

        Raises:
            StoreConflict: Others kept changing the same session or lists at the same time.
            StoreError: See :class:`Store`.
        """
        for _ in range(_ROUNDS):
            entry = read_entry(session_id, self._store)
            self._update(session_id, entry)
            # What was written last may be older than what somebody else has made of the session since, without
            # having touched a list that did not have it yet.
            if read_entry(session_id, self._store) == entry:
                return
        raise StoreConflict("store.conflict", {"key": CATALOGUE})

    def outdated(self) -> Iterator[str]:
        """Yield the key of every list, page, feed or sitemap that is not what the store's own lists make of it.

        Raises:
            StoreCorrupt: A list cannot be read.
            StoreError: See :class:`Store`.
        """
        for shelf in read_catalogue(self._store).shelves:
            shelved = read_shelf(shelf.key, self._store)
            if shelved is None or shelved.shelf != shelf:
                yield _shelf_key(shelf.key)
                continue
            themes = self._themes(shelved)
            yield from self._differing(self._views.shelf_pages(shelf, shelved.entries, themes))
            yield from self._not_there(self._views.shelf_files(shelf, shelved.entries, themes))
        yield from self._differing(self._home())
        yield from self._not_there(self._site_files())

    def _differing(self, pages: Mapping[str, str]) -> Iterator[str]:
        for key, page in pages.items():
            there = self._store.head(key)
            if there is None or there.sha256 != hashlib.sha256(page.encode()).hexdigest():
                yield key

    def _not_there(self, files: Iterable[MachineFile]) -> Iterator[str]:
        yield from (file.key for file in files if not self._is_there(file))

    def _update(self, session_id: str, entry: CatalogueEntry | None) -> None:
        catalogue = self._read_catalogue()
        known = {shelf.key: shelf.count for shelf in catalogue.shelves} if catalogue is not None else {}
        places = {place.key: place for place in self._places(session_id, entry, everything=catalogue is None)}
        for place in places.values():
            lost_if_missing = bool(known.get(place.key)) or catalogue is None
            make = partial(self._shelf, session_id, place, lost_if_missing)
            self._derive(_shelf_key(place.key), LIST_JSON, make)
        for key in places:
            self._derive_shelf(key)
        self._derive(CATALOGUE, LIST_JSON, partial(self._catalogue, tuple(places)))
        for key in self._home():
            self._derive(key, page_headers(language_of(key)), partial(self._home_page, key))
        *_, mark = self._site_files()
        if not self._is_there(mark):
            # What every list tells programs has changed, such as the site's address.
            if self._store.head(mark.key) is not None:
                _logger.warning(
                    "every list is told anew, as this machine would write another %s; if that comes again and again, "
                    "machines that publish here differ in store.public_url: set it alike",
                    mark.key,
                )
            for shelf in read_catalogue(self._store).shelves:
                self._derive_shelf(shelf.key)
        self._derive_files(self._site_files)

    def _places(self, session_id: str, entry: CatalogueEntry | None, *, everything: bool) -> Iterator[Shelved]:
        """Yield every shelf that may have to change; one more than once."""
        yield from () if entry is None else shelves_of(entry)
        for details in read_all_details(session_id, self._store):
            yield from shelves_of(details.session)
        if everything:
            yield from (place for place, _ in self._gather().values())

    def _shelf(self, session_id: str, place: Shelved, lost_if_missing: bool, before: bytes | None) -> bytes | None:
        """Return a shelf with the session on it where it belongs there, without it where not."""
        others = [each for each in self._on_shelf(place, lost_if_missing, before) if each.session_id != session_id]
        entry = read_entry(session_id, self._store)
        here = [] if entry is None or place not in shelves_of(entry) else [entry]
        if before is None and not others and not here:
            return None
        return _shelf_body(place, [*others, *here])

    def _on_shelf(self, place: Shelved, lost_if_missing: bool, before: bytes | None) -> Iterable[CatalogueEntry]:
        if before is not None:
            try:
                return parsed(Shelved, before, _shelf_key(place.key)).entries
            except StoreCorrupt as corrupt:
                _logger.warning("the list is made anew: %s", corrupt)
                lost_if_missing = True
        return self._gather().get(place.key, (place, []))[1] if lost_if_missing else []

    def _derive_shelf(self, key: str) -> None:
        self._derive_heard(key)
        self._derive_pages(key)
        self._derive_files(partial(self._shelf_files, key))

    def _derive_heard(self, key: str) -> None:
        shelved = read_shelf(key, self._store)
        if shelved is not None and shelved.programme is not None:
            self._derive(_heard_key(key), LIST_JSON, partial(self._heard, key))

    def _heard(self, key: str, before: bytes | None) -> bytes | None:
        """Return what the sessions on a shelf say: of those that have not changed as it was known, else read anew."""
        shelved = read_shelf(key, self._store)
        if shelved is None:
            return None
        known = {(each.session_id, each.revision): each for each in _parsed_heard(before, key).sessions}
        entries = sorted(shelved.entries, key=lambda entry: entry.session_id)
        made = (known.get((entry.session_id, entry.revision)) or _hear(entry, self._store) for entry in entries)
        return to_json(Heard(key=key, sessions=tuple(each for each in made if each is not None)))

    def _themes(self, shelved: Shelved) -> tuple[CommonTheme, ...]:
        """Return what the sessions on a shelf have in common, the latest to be quoted first."""
        if shelved.programme is None:
            return ()
        found = self._store.read(_heard_key(shelved.key))
        heard = _parsed_heard(None if found is None else found[0], shelved.key)
        known = {(each.session_id, each.revision): each.themes for each in heard.sessions}
        return combine_themes(
            {entry.session_id: known.get((entry.session_id, entry.revision), ()) for entry in shelved.entries}
        )

    def _derive_pages(self, key: str) -> None:
        shelved = read_shelf(key, self._store)
        if shelved is None:
            return
        for page in self._views.shelf_pages(shelved.shelf, shelved.entries, self._themes(shelved)):
            self._derive(page, page_headers(language_of(page)), partial(self._shelf_page, key, page))

    def _shelf_page(self, key: str, page: str, _before: bytes | None) -> bytes | None:
        shelved = read_shelf(key, self._store)
        if shelved is None:
            return None
        return self._views.shelf_pages(shelved.shelf, shelved.entries, self._themes(shelved))[page].encode()

    def _derive_files(self, make: Callable[[], Sequence[MachineFile]]) -> None:
        """Bring what other programs read up to date, and remove what is of no use any more."""
        for file in make():
            if self._is_there(file):
                continue
            if file.body is None:
                self._store.delete([file.key])
            # Made again, also where it was just removed: whoever needs it since may have found it there.
            self._derive(file.key, machine_headers(file.content_type), partial(_body_of, file.key, make))

    def _is_there(self, file: MachineFile) -> bool:
        there = self._store.head(file.key)
        if there is None or file.body is None:
            return there is None and file.body is None
        return there.sha256 == hashlib.sha256(file.body).hexdigest()

    def _shelf_files(self, key: str) -> Sequence[MachineFile]:
        shelved = read_shelf(key, self._store)
        if shelved is None:
            return ()
        return self._views.shelf_files(shelved.shelf, shelved.entries, self._themes(shelved))

    def _site_files(self) -> Sequence[MachineFile]:
        shelves = read_catalogue(self._store).shelves
        return self._views.site_files(self._published_last(shelves), shelves)

    def _published_last(self, shelves: Iterable[Shelf]) -> list[CatalogueEntry]:
        """Return the sessions that a feed holds; they stand on as many shelves at most as there are of them."""
        entries: list[CatalogueEntry] = []
        dated = sorted(_by_month(shelves), key=lambda shelf: shelf.published_at or _NEVER, reverse=True)
        for shelf in dated:
            if len(entries) == LONGEST and (entries[-1].published_at or _NEVER) >= (shelf.published_at or _NEVER):
                break
            shelved = read_shelf(shelf.key, self._store)
            entries = newest([*entries, *(() if shelved is None else shelved.entries)])[:LONGEST]
        return entries

    def _catalogue(self, keys: tuple[str, ...], before: bytes | None) -> bytes:
        """Return which shelves there are, those of these keys looked at anew; all of them where that is not known."""
        known = _parsed_catalogue(before)
        if known is None:
            found = (each.key for each in self._store.list(SHELVES) if not each.key.startswith(HEARD))
            keys = tuple(map(_shelf_name, found))
        shelves = {} if known is None else {shelf.key: shelf for shelf in known.shelves}
        for key in keys:
            shelved = read_shelf(key, self._store)
            if shelved is not None and shelved.entries:
                shelves[key] = shelved.shelf
            else:
                shelves.pop(key, None)
        return to_json(Catalogue(shelves=tuple(shelves[key] for key in sorted(shelves))))

    def _home(self) -> dict[str, str]:
        shelves = read_catalogue(self._store).shelves
        entries: list[CatalogueEntry] = []
        dated = _by_month(shelves)
        for shelf in dated:
            if len(entries) >= SHOWN_FIRST:
                break
            shelved = read_shelf(shelf.key, self._store)
            entries += () if shelved is None else shelved.entries
        everything = sum(shelf.count for shelf in dated) <= SHOWN_FIRST
        return dict(self._views.catalogue_pages(entries[:SHOWN_FIRST], () if everything else shelves))

    def _home_page(self, key: str, _before: bytes | None) -> bytes:
        return self._home()[key].encode()

    def _read_catalogue(self) -> Catalogue | None:
        found = self._store.read(CATALOGUE)
        return _parsed_catalogue(None if found is None else found[0])

    def _gather(self) -> dict[str, tuple[Shelved, list[CatalogueEntry]]]:
        """Return every shelf with its sessions as their manifests tell them, leaving out what cannot be read.

        Read once: whoever publishes after that puts their own session on its shelves.
        """
        if self._gathered is None:
            self._gathered = {}
            for entry in _gather(self._store):
                for place in shelves_of(entry):
                    self._gathered.setdefault(place.key, (place, []))[1].append(entry)
        return self._gathered

    def _derive(self, key: str, headers: ObjectHeaders, make: Callable[[bytes | None], bytes | None]) -> None:
        self.written += derive(self._store, key, headers, make)


def _gather(store: Store) -> Iterator[CatalogueEntry]:
    for session_id in session_ids(store):
        try:
            entry = read_entry(session_id, store)
        except StoreCorrupt as corrupt:
            _logger.warning("left out of the lists: %s", corrupt)
        else:
            yield from () if entry is None else (entry,)


def _parsed_catalogue(body: bytes | None) -> Catalogue | None:
    """Return the catalogue, or ``None`` where there is none or it cannot be read."""
    if body is None:
        return None
    try:
        return parsed(Catalogue, body, CATALOGUE)
    except StoreCorrupt as corrupt:
        _logger.warning("the lists are made anew: %s", corrupt)
        return None


def _shelf_body(place: Shelved, entries: Iterable[CatalogueEntry]) -> bytes:
    ordered = tuple(sorted(entries, key=_order))
    return to_json(Shelved(key=place.key, month=place.month, programme=place.programme, entries=ordered))


def _by_month(shelves: Iterable[Shelf]) -> list[Shelf]:
    """Return the shelves that hold each session once: the months, the newest first, then the undated sessions."""
    dated = [shelf for shelf in shelves if shelf.programme is None]
    return sorted(dated, key=lambda shelf: shelf.month or dt.date.min, reverse=True)


def _order(entry: CatalogueEntry) -> tuple[int, str, str]:
    """Newest session first, those without a date last, then by title as a reader would sort it, accents aside."""
    day = 0 if entry.date is None else -entry.date.toordinal()
    letters = unicodedata.normalize("NFKD", entry.title.get("en").casefold())
    return day, "".join(char for char in letters if not unicodedata.combining(char)), entry.session_id


def _hear(entry: CatalogueEntry, store: Store) -> HeardSession | None:
    """Return what a session says as of a revision; ``None`` where that is gone: it is being withdrawn."""
    try:
        details = read_details(entry.session_id, entry.revision, store)
    except StoreCorrupt as corrupt:
        _logger.warning("its themes are left out: %s", corrupt)
        return None
    return HeardSession(session_id=entry.session_id, revision=entry.revision, themes=details.themes)


def _parsed_heard(body: bytes | None, key: str) -> Heard:
    """Return what a programme's sessions say, nothing where that is not known or cannot be read."""
    if body is None:
        return Heard(key=key)
    try:
        return parsed(Heard, body, _heard_key(key))
    except StoreCorrupt as corrupt:
        _logger.warning("the themes are gathered anew: %s", corrupt)
        return Heard(key=key)


def _heard_key(key: str) -> str:
    return f"{HEARD}{key}.json"


def _shelf_key(key: str) -> str:
    return f"{SHELVES}{key}.json"


def _shelf_name(key: str) -> str:
    return key.removeprefix(SHELVES).removesuffix(".json")


def _body_of(key: str, make: Callable[[], Sequence[MachineFile]], _before: bytes | None) -> bytes | None:
    return next((file.body for file in make() if file.key == key), None)


def _always(body: bytes, _before: bytes | None) -> bytes:
    return body
