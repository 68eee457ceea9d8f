"""The lists of all sessions in the store, brought up to date with what holds of one of them.

In goes the id of a session whose manifest has just changed, out come the shelves (``shelves.py``), the pages and files
made from them (``list_views.py``) and ``catalogue.json`` as they should be. What is written is always made from what
holds in the store at that moment, never from what the caller believes, so it does not matter who brings it up to date,
how often, or after whose death. Stands alone because publishing and withdrawing both end here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from pipeline.errors import StoreConflict, StoreCorrupt
from pipeline.heard import hear, heard_key
from pipeline.list_views import ListViews, is_stored
from pipeline.ports import ObjectHeaders, Store
from pipeline.published import (
    LIST_JSON,
    asset_headers,
    derive,
    language_of,
    machine_headers,
    page_headers,
    parsed,
    read_all_details,
    session_ids,
)
from pipeline.serial import to_json
from pipeline.shelves import (
    BY_LETTER,
    CATALOGUE,
    UNDATED,
    Catalogue,
    Lettered,
    Parted,
    Shelved,
    beside,
    by_month,
    letters_of,
    order,
    parse_list,
    read_catalogue,
    read_entry,
    read_list,
    read_shelf,
    read_summary,
    shelf_key,
    shelves_of,
)
from pipeline.site.model import (
    INDEXES,
    CatalogueEntry,
    Letter,
    MachineFile,
    Shelf,
    Views,
    index_page_key,
    list_page_key,
)
from pipeline.site.subjects import choose_name
from pipeline.types import LANGUAGES, Session

_ROUNDS: Final = 8
"""How often the lists are brought up to date when the session changes again meanwhile."""

T = TypeVar("T")
_logger = logging.getLogger(__name__)


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
    places = (place for each in stood for place in shelves_of(each) if place.programme is not None)
    for shelf in {place.whole: place.shelf for place in places if place.whole is not None}.values():
        for key in (heard_key(shelf.key), *(shelf.heard_page(language) for language in LANGUAGES)):
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
        self._shown = ListViews(store, views)
        self._gathered: dict[str, tuple[Shelved, list[CatalogueEntry]]] | None = None

    def write_assets(self) -> None:
        """Write what every page needs; before any page that refers to it."""
        for asset in self._views.assets():
            self._derive(asset.key, asset_headers(asset.content_type), partial(_always, asset.body))

    def begin(self) -> bool:
        """Write the pages of a site that has no session yet, so that its address leads somewhere from the first day.

        Where there is a catalogue or a session, nothing is done: what is to be said of them, publishing says.

        Returns:
            Whether the site has no session yet.

        Raises:
            StoreError: See :class:`Store`.
        """
        if self._store.head(CATALOGUE) is not None or any(True for _ in session_ids(self._store)):
            return False
        self.write_assets()
        self._derive_site_pages()
        self._derive_files(self._shown.site_files)
        return True

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

    def _update(self, session_id: str, entry: CatalogueEntry | None) -> None:
        found = self._store.read(CATALOGUE)
        catalogue = None if found is None else _parsed_catalogue(found[0])
        places = {place.key: place for place in self._places(session_id, entry)}
        anew = catalogue is None or not self._is_whole(catalogue, places.values())
        if anew:
            places |= {key: place for key, (place, _) in self._gather().items()}
        for place in places.values():
            lost_if_missing = anew or self._should_be_there(place, catalogue)
            make = partial(self._shelf, session_id, place, lost_if_missing)
            self._derive(shelf_key(place.key), LIST_JSON, make)
        letters = self._derive_wholes(places.values(), anew)
        self._derive(CATALOGUE, LIST_JSON, partial(self._catalogue, tuple(places.values()), letters))
        self._derive_all_pages(places.values(), letters)
        self._derive_site_pages()
        *_, mark = self._shown.site_files()
        if not is_stored(mark.key, mark.body, self._store):
            # What every list tells programs has changed, such as the site's address.
            if self._store.head(mark.key) is not None:
                _logger.warning(
                    "every list is told anew, as this machine would write another %s; if that comes again and again, "
                    "machines that publish here differ in store.public_url: set it alike",
                    mark.key,
                )
            self._tell_everything_anew()
        self._derive_files(self._shown.site_files)

    def _places(self, session_id: str, entry: CatalogueEntry | None) -> Iterator[Shelved]:
        """Yield every shelf that may have to change; one more than once."""
        yield from () if entry is None else shelves_of(entry)
        for details in read_all_details(session_id, self._store):
            yield from shelves_of(details.session)

    def _is_whole(self, catalogue: Catalogue, places: Collection[Shelved]) -> bool:
        """Tell whether what should be known of these subjects can be read; else all lists are made anew."""
        listed = {shelf.key for shelf in (*catalogue.shelves, *catalogue.subjects)}
        letters = {letter.key: letter for letter in catalogue.letters}
        for place in places:
            if place.whole is None:
                continue
            parted = read_list(Parted, place.whole, self._store)
            expected = place.whole in listed
            for letter in {*letters_of(place.shelf), *(parted.letters if parted else ())}:
                lettered = read_list(Lettered, letter.key, self._store) if letter.key in letters else None
                if letter.key in letters and lettered is None:
                    return False
                expected |= lettered is not None and place.whole in {shelf.key for shelf in lettered.shelves}
            if expected and parted is None:
                return False
        return True

    def _should_be_there(self, place: Shelved, catalogue: Catalogue | None) -> bool:
        parted = None if place.whole is None else read_list(Parted, place.whole, self._store)
        known = parted.parts if parted else (catalogue or Catalogue()).shelves
        return place.key in {shelf.key for shelf in known}

    def _shelf(self, session_id: str, place: Shelved, lost_if_missing: bool, before: bytes | None) -> bytes | None:
        """Return a shelf with the session on it where it belongs there, without it where not."""
        others = [each for each in self._on_shelf(place, lost_if_missing, before) if each.session_id != session_id]
        entry = read_entry(session_id, self._store)
        here = [] if entry is None or place.key not in {own.key for own in shelves_of(entry)} else [entry]
        if before is None and not others and not here:
            return None
        return _shelf_body(place, [*others, *here])

    def _on_shelf(self, place: Shelved, lost_if_missing: bool, before: bytes | None) -> Iterable[CatalogueEntry]:
        if before is not None:
            try:
                return parsed(Shelved, before, shelf_key(place.key)).entries
            except StoreCorrupt as corrupt:
                _logger.warning("the list is made anew: %s", corrupt)
                lost_if_missing = True
        return self._gather().get(place.key, (place, []))[1] if lost_if_missing else []

    def _derive_wholes(self, places: Iterable[Shelved], anew: bool) -> dict[str, Letter]:
        """Bring up to date what is known of subjects, and the letters that they stand under; return these letters."""
        under: dict[str, tuple[Letter, list[str]]] = {}
        for whole, parts in _by_whole(places).items():
            keys = [part.key for part in parts]
            self._derive(shelf_key(whole), LIST_JSON, partial(self._parted, whole, keys, anew))
            parted = read_list(Parted, whole, self._store)
            for letter in () if parted is None else parted.letters:
                under.setdefault(letter.key, (letter, []))[1].append(whole)
        for letter, wholes in under.values():
            self._derive(shelf_key(letter.key), LIST_JSON, partial(self._lettered, letter, wholes, anew))
        return {key: letter for key, (letter, _) in under.items()}

    def _parted(self, whole: str, keys: Sequence[str], anew: bool, before: bytes | None) -> bytes | None:
        known = parse_list(Parted, before, whole)
        parts = {part.key: part for part in known.parts} if known else {}
        for key in {*keys, *(parts if anew else ())}:
            shelved = read_list(Shelved, key, self._store)
            _put(parts, key, shelved.shelf if shelved is not None and shelved.entries else None)
        if before is None and not parts:
            return None
        parted = Parted(key=whole, parts=tuple(sorted(parts.values(), key=_newest_first, reverse=True)))
        shelf = parted.shelf
        letters = {letter.key: letter for letter in known.letters} if known else {}
        letters |= {letter.key: letter for letter in (() if shelf is None else letters_of(shelf))}
        return to_json(replace(parted, letters=tuple(letters[key] for key in sorted(letters))))

    def _lettered(self, letter: Letter, wholes: Sequence[str], anew: bool, before: bytes | None) -> bytes | None:
        known = parse_list(Lettered, before, letter.key)
        shelves = {shelf.key: shelf for shelf in known.shelves} if known else {}
        for whole in {*wholes, *(shelves if anew else ())}:
            parted = read_list(Parted, whole, self._store)
            shelf = None if parted is None else parted.shelf
            _put(shelves, whole, shelf if shelf is not None and letter in letters_of(shelf) else None)
        if before is None and not shelves:
            return None
        counted = replace(letter, count=len(shelves))
        return to_json(Lettered(letter=counted, shelves=tuple(shelves[key] for key in sorted(shelves))))

    def _catalogue(self, places: Sequence[Shelved], letters: Mapping[str, Letter], before: bytes | None) -> bytes:
        """Return which lists there are, these looked at anew."""
        known = (None if before is None else _parsed_catalogue(before)) or Catalogue()
        shelves = {shelf.key: shelf for shelf in known.shelves}
        subjects = {shelf.key: shelf for shelf in known.subjects}
        for key, place in {place.whole or place.key: place for place in places}.items():
            if place.subject is not None and place.subject.kind in BY_LETTER:
                continue
            _put(subjects if place.subject is not None else shelves, key, read_summary(key, self._store))
        under = {letter.key: letter for letter in known.letters}
        for key in letters:
            lettered = read_list(Lettered, key, self._store)
            _put(under, key, lettered.letter if lettered is not None and lettered.shelves else None)
        return to_json(
            Catalogue(
                shelves=tuple(shelves[key] for key in sorted(shelves)),
                subjects=tuple(subjects[key] for key in sorted(subjects)),
                letters=tuple(under[key] for key in sorted(under)),
            )
        )

    def _heard(self, whole: str, before: bytes | None) -> bytes | None:
        shelved = read_shelf(whole, self._store)
        if shelved is None and before is None:
            return None
        return hear(whole, () if shelved is None else shelved.entries, self._store, before)

    def _derive_all_pages(self, places: Collection[Shelved], letters: Mapping[str, Letter]) -> None:
        months = by_month(read_catalogue(self._store).shelves)
        for place in places:
            if place.whole is None:
                for key in {place.key, *(shelf.key for shelf in beside(months, place.key) if shelf)}:
                    self._derive_month(key)
        for whole, parts in _by_whole(places).items():
            self._derive_subject(whole, parts)
        for letter in letters.values():
            self._derive_page(letter.page, partial(self._shown.letter_page, letter))
            self._derive_files(partial(self._shown.index_files, letter))

    def _derive_site_pages(self) -> None:
        """Bring the pages up to date that are there whatever is published: the ways in, the first pages, the search."""
        for kind in INDEXES:
            for language in LANGUAGES:
                self._derive_page(index_page_key(kind, language), partial(self._shown.index_page, kind, language))
        for key in self._shown.home():
            self._derive(key, page_headers(language_of(key)), partial(self._home_page, key))
        for key, page in self._views.search_pages().items():
            self._derive(key, page_headers(language_of(key)), partial(_always, page.encode()))

    def _derive_month(self, key: str) -> None:
        """Bring the pages of a month up to date; one without sessions keeps them: its name tells of nobody."""
        for language in LANGUAGES:
            make = partial(_encoded, partial(self._shown.month_page, key, language))
            self._derive(list_page_key(key, language), page_headers(language), make)
        self._derive_files(partial(self._shown.month_files, key))

    def _derive_subject(self, whole: str, places: Sequence[Shelved]) -> None:
        """Bring the pages of a subject up to date, with those of some of its parts and of the parts beside them."""
        if places[0].programme is not None:
            self._derive(heard_key(whole), LIST_JSON, partial(self._heard, whole))
        parted = read_list(Parted, whole, self._store)
        parts = () if parted is None else parted.parts
        around = {shelf.key for place in places for shelf in beside(parts, place.key) if shelf}
        for key in sorted({*around, *(place.key for place in places)}):
            for language in LANGUAGES:
                self._derive_page(list_page_key(key, language), partial(self._shown.part_page, whole, key, language))
        for language in LANGUAGES:
            self._derive_page(list_page_key(whole, language), partial(self._shown.subject_page, whole, language))
        if places[0].programme is not None:
            self._derive_files(partial(self._shown.programme_files, whole, places[0].programme))

    def _tell_everything_anew(self) -> None:
        """Make anew what every list tells programs, such as the site's address."""
        catalogue = read_catalogue(self._store)
        for shelf in catalogue.shelves:
            if shelf.programme is None:
                self._derive_files(partial(self._shown.month_files, shelf.key))
            else:
                self._derive_files(partial(self._shown.programme_files, shelf.key, shelf.programme))
        for letter in catalogue.letters:
            self._derive_files(partial(self._shown.index_files, letter))

    def _derive_page(self, key: str, make: Callable[[], str | None]) -> None:
        """Bring a page up to date, and remove it where there is nothing to show any more."""
        outlived = False

        def made(before: bytes | None) -> bytes | None:
            nonlocal outlived
            page = make()
            outlived = page is None and before is not None
            return None if page is None else page.encode()

        self._derive(key, page_headers(language_of(key)), made)
        if outlived:
            self._store.delete([key])
            # Made again: whoever needs it since may have found it there.
            self._derive(key, page_headers(language_of(key)), made)

    def _derive_files(self, make: Callable[[], Sequence[MachineFile]]) -> None:
        """Bring what other programs read up to date, and remove what is of no use any more."""
        for file in make():
            if is_stored(file.key, file.body, self._store):
                continue
            if file.body is None:
                self._store.delete([file.key])
            # Made again, also where it was just removed: whoever needs it since may have found it there.
            self._derive(file.key, machine_headers(file.content_type), partial(_body_of, file.key, make))

    def _home_page(self, key: str, _before: bytes | None) -> bytes:
        return self._shown.home()[key].encode()

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


def _put(rows: dict[str, T], key: str, row: T | None) -> None:
    """Keep a row under its key, or none where there is none."""
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


def _gather(store: Store) -> Iterator[CatalogueEntry]:
    for session_id in session_ids(store):
        try:
            entry = read_entry(session_id, store)
        except StoreCorrupt as corrupt:
            _logger.warning("left out of the lists: %s", corrupt)
        else:
            yield from () if entry is None else (entry,)


def _parsed_catalogue(body: bytes) -> Catalogue | None:
    """Return the catalogue, or ``None`` where it cannot be read."""
    try:
        return parsed(Catalogue, body, CATALOGUE)
    except StoreCorrupt as corrupt:
        _logger.warning("the lists are made anew: %s", corrupt)
        return None


def _shelf_body(place: Shelved, entries: Iterable[CatalogueEntry]) -> bytes:
    """Return a shelf; an empty one of a subject says no name: somebody may have wanted to be forgotten."""
    ordered = tuple(sorted(entries, key=order))
    if place.part is None or not ordered:
        return to_json(Shelved(key=place.key, month=place.month, part=place.part, entries=ordered))
    spellings = [one for entry in reversed(ordered) for one in shelves_of(entry) if one.key == place.key]
    subject = spellings[0].subject
    if subject is not None:
        subject = replace(subject, name=choose_name(one.subject.name for one in spellings if one.subject))
    return to_json(replace(place, subject=subject, entries=ordered))


def _by_whole(places: Iterable[Shelved]) -> dict[str, list[Shelved]]:
    """Return the parts of subjects by the list that they are part of."""
    found: dict[str, list[Shelved]] = {}
    for place in places:
        if (whole := place.whole) is not None:
            found.setdefault(whole, []).append(place)
    return found


def _newest_first(shelf: Shelf) -> tuple[bool, str]:
    return shelf.part != UNDATED, shelf.key


def _body_of(key: str, make: Callable[[], Sequence[MachineFile]], _before: bytes | None) -> bytes | None:
    return next((file.body for file in make() if file.key == key), None)


def _encoded(make: Callable[[], str | None], _before: bytes | None) -> bytes | None:
    page = make()
    return None if page is None else page.encode()


def _always(body: bytes, _before: bytes | None) -> bytes:
    return body
