"""The lists of all sessions in the store, on shelves, so that one more session changes only the few that it stands on.

In goes the id of a session whose manifest has just changed, out come the shelves, the pages made from them and
``catalogue.json`` as they should be. A session stands on the shelf of its month and on one for each subject that it can
be found by: programme, community, topics, people, languages. A subject's shelf is kept in parts, by year or by month,
so that what is written for one session does not grow with the number of others. From the parts follows what is known of
the subject, from that the index of its letter, from all of it ``catalogue.json``. What is written is always made from
what holds in the store at that moment, never from what the caller believes, so it does not matter who brings it up to
date, how often, or after whose death. Stands alone because publishing and withdrawing both end here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Final, Literal, TypeVar, cast

from pipeline.errors import StoreConflict, StoreCorrupt
from pipeline.heard import find_common, hear, heard_key
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
from pipeline.site.model import (
    INDEXES,
    Around,
    CatalogueEntry,
    Index,
    IndexKind,
    Letter,
    MachineFile,
    Shelf,
    Subject,
    SubjectKind,
    Views,
    index_page_key,
)
from pipeline.site.subjects import choose_name, letter_of, list_key, sort_name, subjects_of
from pipeline.themes import CommonTheme
from pipeline.types import LANGUAGES, Bilingual, Language, Session

CATALOGUE: Final = "catalogue.json"
SHELVES: Final = "catalogue/"
SHOWN_FIRST: Final = 60
"""How many sessions, the latest, the first page and the page of a subject show; fewer where there are fewer."""
SHOWN_WITHOUT_LETTERS: Final = 300
"""Up to so many topics or people, one page shows them all; above, it leads to a page for each letter."""

_ROUNDS: Final = 8
"""How often the lists are brought up to date when the session changes again meanwhile."""
_UNDATED: Final = "undated"
_IN_THE_LISTS: Final = frozenset({"video", "audio", "captions", "chapters"})
"""Roles of the files that feeds and sitemaps lead to."""
_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
_BY_MONTH: Final[frozenset[SubjectKind]] = frozenset({"community", "language"})
"""Subjects that so many sessions share that their parts are months, not years."""
_KEPT_PARSED: Final = 64
"""How many lists are remembered as they were read; enough for all that one session stands on."""
_BY_LETTER: Final[tuple[SubjectKind, ...]] = ("topic", "person")
"""Subjects of which there may be thousands: an index by letter says which there are."""

T = TypeVar("T")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """``catalogue/<key>.json``: the sessions of a month, or of a part of a subject.

    Attributes:
        key: Its name.
        month: First day of the month whose sessions it holds, where it holds a month's.
        programme: The programme whose sessions it holds, where it holds a programme's.
        subject: The subject whose sessions it holds, where it holds another's; none where it holds nothing any more.
        part: Which of them: see :class:`Shelf`.
        entries: The newest first.
        version: Of this form.
    """

    key: str
    month: dt.date | None = None
    programme: Bilingual | None = None
    subject: Subject | None = None
    part: str | None = None
    entries: tuple[CatalogueEntry, ...] = ()
    version: Literal[2] = 2

    @property
    def shelf(self) -> Shelf:
        """What is said of it where it is listed."""
        days = [entry.date for entry in self.entries if entry.date is not None]
        return Shelf(
            key=self.key,
            month=self.month,
            programme=self.programme,
            subject=self.subject,
            part=self.part,
            count=len(self.entries),
            latest=max(days, default=None),
            published_at=max((entry.published_at for entry in self.entries if entry.published_at), default=None),
        )

    @property
    def whole(self) -> str | None:
        """The key of the list that it is a part of."""
        return None if self.part is None else self.key.removesuffix(f"-{self.part}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """``catalogue/<key>.json`` of a subject: which parts its sessions are kept in.

    Attributes:
        key: Its name.
        parts: Those that hold something, the newest first, undated sessions last.
        letters: Where it stands in the indexes, or has stood: its name may change with its sessions.
        version: Of this form.
    """

    key: str
    parts: tuple[Shelf, ...]
    letters: tuple[Letter, ...] = ()
    version: Literal[2] = 2

    @property
    def shelf(self) -> Shelf | None:
        """What is said of the subject where it is listed; ``None`` where no session is of it any more."""
        subjects = [part.about for part in reversed(self.parts) for _ in range(part.count)]
        if not subjects or subjects[0] is None:
            return None
        kind, name = subjects[0].kind, choose_name(subject.name for subject in subjects if subject is not None)
        return Shelf(
            key=self.key,
            programme=name if kind == "programme" else None,
            subject=None if kind == "programme" else Subject(kind=kind, name=name),
            count=sum(part.count for part in self.parts),
            latest=max((part.latest for part in self.parts if part.latest), default=None),
            published_at=max((part.published_at for part in self.parts if part.published_at), default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettered:
    """``catalogue/<key>.json`` of a letter: the subjects that stand under it.

    Attributes:
        letter: Which one, with how many.
        shelves: Their lists, in order of key.
        version: Of this form.
    """

    letter: Letter
    shelves: tuple[Shelf, ...]
    version: Literal[2] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """``catalogue.json``: which lists there are.

    Attributes:
        shelves: Those of months and programmes that hold something, in order of key.
        subjects: Those of communities and languages, likewise.
        letters: The letters that topics and people stand under, likewise.
        version: Of this form; the first one listed every session.
    """

    shelves: tuple[Shelf, ...] = ()
    subjects: tuple[Shelf, ...] = ()
    letters: tuple[Letter, ...] = ()
    version: Literal[3] = 3

    @property
    def ways(self) -> tuple[IndexKind, ...]:
        """The kinds of which there is a list."""
        found: set[IndexKind] = {"programme" if shelf.programme else "date" for shelf in self.shelves}
        found |= {shelf.subject.kind for shelf in self.subjects if shelf.subject}
        found |= {letter.kind for letter in self.letters}
        return tuple(kind for kind in INDEXES if kind in found)

    def lettered(self, kind: IndexKind, language: Language) -> tuple[Letter, ...]:
        """Return the letters of a kind in a language, in order."""
        return tuple(letter for letter in self.letters if (letter.kind, letter.language) == (kind, language))


def shelves_of(session: Session | CatalogueEntry) -> tuple[Shelved, ...]:
    """Return the shelves that a session stands on, empty: its month's, or that of undated ones, and its subjects'."""
    month = None if session.date is None else session.date.replace(day=1)
    dated = Shelved(key=_UNDATED if month is None else f"{month:%Y-%m}", month=month)
    return dated, *(_part_of(subject, session.date) for subject in subjects_of(session))


def _part_of(subject: Subject, date: dt.date | None) -> Shelved:
    part = _UNDATED if date is None else date.isoformat()[: 7 if subject.kind in _BY_MONTH else 4]
    return Shelved(
        key=f"{list_key(subject.kind, subject.name)}-{part}",
        programme=subject.name if subject.kind == "programme" else None,
        subject=None if subject.kind == "programme" else subject,
        part=part,
    )


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
        community=session.community,
        topics=session.topics,
        host=session.host.name if session.host else None,
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
    """Return a shelf, that of a subject with the sessions of all its parts; ``None`` where there is none of that name.

    Raises:
        StoreCorrupt: It cannot be read.
        StoreError: See :class:`Store`.
    """
    found = store.read(_shelf_key(key))
    if found is None:
        return None
    either = cast("type[Shelved | Parted]", Shelved | Parted)
    shelved = parsed(either, found[0], _shelf_key(key))
    if isinstance(shelved, Shelved):
        return shelved
    shelf = shelved.shelf
    if shelf is None:
        return None
    entries = tuple(sorted(_entries_of(shelved.parts, store), key=_order))
    return Shelved(key=key, programme=shelf.programme, subject=shelf.subject, entries=entries)


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


def unlisted(session_id: str, store: Store) -> Iterator[str]:
    """Yield what is wrong with the lists of a session: each list, by its name or its page's key, that lacks it.

    Raises:
        StoreCorrupt: What is published of it, or a list, cannot be read.
        StoreError: See :class:`Store`.
    """
    entry, catalogue = read_entry(session_id, store), read_catalogue(store)
    rows = {shelf.key: shelf for shelf in catalogue.shelves}
    for place in () if entry is None else shelves_of(entry):
        found = store.read(_shelf_key(place.key))
        shelved = None if found is None else _parsed_or_none(Shelved, found[0], place.key)
        if shelved is None or entry not in shelved.entries:
            yield place.key
        elif not (
            rows.get(place.key) == shelved.shelf if place.whole is None else _is_known(shelved, catalogue, store)
        ):
            yield place.whole or place.key
        for key in (key for key in (place.key, place.whole) if key is not None):
            if any(store.head(f"{language}/lists/{key}.html") is None for language in LANGUAGES):
                yield f"{LANGUAGES[0]}/lists/{key}.html"


def _is_known(part: Shelved, catalogue: Catalogue, store: Store) -> bool:
    """Tell whether a part is among those of its subject, and the subject among the lists."""
    whole = part.whole or part.key
    found = store.read(_shelf_key(whole))
    parted = None if found is None else _parsed_or_none(Parted, found[0], whole)
    shelf = None if parted is None else parted.shelf
    if parted is None or shelf is None or part.shelf not in parted.parts:
        return False
    letters = _letters_of(shelf)
    under = {letter.key for letter in catalogue.letters}
    for letter in letters:
        body = store.read(_shelf_key(letter.key)) if letter.key in under else None
        lettered = None if body is None else _parsed_or_none(Lettered, body[0], letter.key)
        if lettered is None or shelf not in lettered.shelves:
            return False
    return bool(letters) or shelf in (*catalogue.shelves, *catalogue.subjects)


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
        self._gathered: dict[str, tuple[Shelved, list[CatalogueEntry]]] | None = None
        self._made: tuple[tuple[Shelf, tuple[CatalogueEntry, ...], Around], Mapping[str, str]] | None = None

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
            StoreCorrupt: The catalogue cannot be read.
            StoreError: See :class:`Store`.
        """
        catalogue = read_catalogue(self._store)
        for shelf in _by_month(catalogue.shelves):
            if self._summary(shelf.key) != shelf:
                yield _shelf_key(shelf.key)
            yield from self._differing(shelf.page, partial(self._month_page, shelf.key))
            yield from self._not_there(self._month_files(shelf.key))
        for shelf in self._every_subject(catalogue):
            yield from self._outdated_of(shelf)
        for letter in catalogue.letters:
            if self._differs(letter.page, self._letter_page(letter)):
                yield letter.page
            yield from self._not_there(self._index_files(letter))
        for kind in INDEXES:
            yield from self._differing(partial(index_page_key, kind), partial(self._index_page, kind))
        for key, page in (*self._home().items(), *self._views.search_pages().items()):
            if self._differs(key, page):
                yield key
        yield from self._not_there(self._site_files())

    def _outdated_of(self, shelf: Shelf) -> Iterator[str]:
        parted = self._read(Parted, shelf.key)
        if parted is None or parted.shelf != shelf:
            yield _shelf_key(shelf.key)
            return
        for part in parted.parts:
            yield from self._differing(part.page, partial(self._part_page, shelf.key, part.key))
        yield from self._differing(shelf.page, partial(self._subject_page, shelf.key))
        if shelf.programme is not None:
            yield from self._not_there(self._programme_files(shelf.key, shelf.programme))

    def _every_subject(self, catalogue: Catalogue) -> Iterator[Shelf]:
        """Yield the list of every subject once; those under letters stand there in each language."""
        found = {shelf.key: shelf for shelf in (*catalogue.shelves, *catalogue.subjects) if shelf.about is not None}
        for letter in catalogue.letters:
            lettered = self._read(Lettered, letter.key)
            found |= {shelf.key: shelf for shelf in (() if lettered is None else lettered.shelves)}
        yield from found.values()

    def _differing(self, page: Callable[[Language], str], make: Callable[[Language], str | None]) -> Iterator[str]:
        yield from (page(language) for language in LANGUAGES if self._differs(page(language), make(language)))

    def _differs(self, key: str, page: str | None) -> bool:
        there = self._store.head(key)
        if there is None or page is None:
            return (there is None) != (page is None)
        return there.sha256 != hashlib.sha256(page.encode()).hexdigest()

    def _not_there(self, files: Iterable[MachineFile]) -> Iterator[str]:
        yield from (file.key for file in files if not self._is_there(file))

    def _update(self, session_id: str, entry: CatalogueEntry | None) -> None:
        catalogue = self._read_catalogue()
        places = {place.key: place for place in self._places(session_id, entry)}
        anew = catalogue is None or not self._is_whole(catalogue, places.values())
        if anew:
            places |= {key: place for key, (place, _) in self._gather().items()}
        for place in places.values():
            lost_if_missing = anew or self._should_be_there(place, catalogue)
            make = partial(self._shelf, session_id, place, lost_if_missing)
            self._derive(_shelf_key(place.key), LIST_JSON, make)
        letters = self._derive_wholes(places.values(), anew)
        self._derive(CATALOGUE, LIST_JSON, partial(self._catalogue, tuple(places.values()), letters))
        self._derive_all_pages(places.values(), letters)
        for key, page in self._views.search_pages().items():
            self._derive(key, page_headers(language_of(key)), partial(_always, page.encode()))
        *_, mark = self._site_files()
        if not self._is_there(mark):
            # What every list tells programs has changed, such as the site's address.
            if self._store.head(mark.key) is not None:
                _logger.warning(
                    "every list is told anew, as this machine would write another %s; if that comes again and again, "
                    "machines that publish here differ in store.public_url: set it alike",
                    mark.key,
                )
            self._tell_everything_anew()
        self._derive_files(self._site_files)

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
            parted = self._read(Parted, place.whole)
            expected = place.whole in listed
            for letter in {*_letters_of(place.shelf), *(parted.letters if parted else ())}:
                lettered = self._read(Lettered, letter.key) if letter.key in letters else None
                if letter.key in letters and lettered is None:
                    return False
                expected |= lettered is not None and place.whole in {shelf.key for shelf in lettered.shelves}
            if expected and parted is None:
                return False
        return True

    def _should_be_there(self, place: Shelved, catalogue: Catalogue | None) -> bool:
        parted = None if place.whole is None else self._read(Parted, place.whole)
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
                return parsed(Shelved, before, _shelf_key(place.key)).entries
            except StoreCorrupt as corrupt:
                _logger.warning("the list is made anew: %s", corrupt)
                lost_if_missing = True
        return self._gather().get(place.key, (place, []))[1] if lost_if_missing else []

    def _derive_wholes(self, places: Iterable[Shelved], anew: bool) -> dict[str, Letter]:
        """Bring up to date what is known of subjects, and the letters that they stand under; return these letters."""
        under: dict[str, tuple[Letter, list[str]]] = {}
        for whole, parts in _by_whole(places).items():
            keys = [part.key for part in parts]
            self._derive(_shelf_key(whole), LIST_JSON, partial(self._parted, whole, keys, anew))
            parted = self._read(Parted, whole)
            for letter in () if parted is None else parted.letters:
                under.setdefault(letter.key, (letter, []))[1].append(whole)
        for letter, wholes in under.values():
            self._derive(_shelf_key(letter.key), LIST_JSON, partial(self._lettered, letter, wholes, anew))
        return {key: letter for key, (letter, _) in under.items()}

    def _parted(self, whole: str, keys: Sequence[str], anew: bool, before: bytes | None) -> bytes | None:
        known = _parsed_or_none(Parted, before, whole)
        parts = {part.key: part for part in known.parts} if known else {}
        for key in {*keys, *(parts if anew else ())}:
            shelved = self._read(Shelved, key)
            _put(parts, key, shelved.shelf if shelved is not None and shelved.entries else None)
        if before is None and not parts:
            return None
        parted = Parted(key=whole, parts=tuple(sorted(parts.values(), key=_newest_first, reverse=True)))
        shelf = parted.shelf
        letters = {letter.key: letter for letter in known.letters} if known else {}
        letters |= {letter.key: letter for letter in (() if shelf is None else _letters_of(shelf))}
        return to_json(replace(parted, letters=tuple(letters[key] for key in sorted(letters))))

    def _lettered(self, letter: Letter, wholes: Sequence[str], anew: bool, before: bytes | None) -> bytes | None:
        known = _parsed_or_none(Lettered, before, letter.key)
        shelves = {shelf.key: shelf for shelf in known.shelves} if known else {}
        for whole in {*wholes, *(shelves if anew else ())}:
            parted = self._read(Parted, whole)
            shelf = None if parted is None else parted.shelf
            _put(shelves, whole, shelf if shelf is not None and letter in _letters_of(shelf) else None)
        if before is None and not shelves:
            return None
        counted = replace(letter, count=len(shelves))
        return to_json(Lettered(letter=counted, shelves=tuple(shelves[key] for key in sorted(shelves))))

    def _catalogue(self, places: Sequence[Shelved], letters: Mapping[str, Letter], before: bytes | None) -> bytes:
        """Return which lists there are, these looked at anew."""
        known = _parsed_catalogue(before) or Catalogue()
        shelves = {shelf.key: shelf for shelf in known.shelves}
        subjects = {shelf.key: shelf for shelf in known.subjects}
        for key, place in {place.whole or place.key: place for place in places}.items():
            if place.subject is not None and place.subject.kind in _BY_LETTER:
                continue
            _put(subjects if place.subject is not None else shelves, key, self._summary(key))
        under = {letter.key: letter for letter in known.letters}
        for key in letters:
            lettered = self._read(Lettered, key)
            _put(under, key, lettered.letter if lettered is not None and lettered.shelves else None)
        return to_json(
            Catalogue(
                shelves=tuple(shelves[key] for key in sorted(shelves)),
                subjects=tuple(subjects[key] for key in sorted(subjects)),
                letters=tuple(under[key] for key in sorted(under)),
            )
        )

    def _summary(self, key: str) -> Shelf | None:
        """Return what is said of a list where it is listed; ``None`` where it holds nothing."""
        parted = self._read(Parted, key)
        if parted is not None:
            return parted.shelf
        shelved = self._read(Shelved, key)
        return shelved.shelf if shelved is not None and shelved.entries else None

    def _derive_all_pages(self, places: Collection[Shelved], letters: Mapping[str, Letter]) -> None:
        months = _by_month(read_catalogue(self._store).shelves)
        for place in places:
            if place.whole is None:
                for key in {place.key, *(shelf.key for shelf in _beside(months, place.key) if shelf)}:
                    self._derive_month(key)
        for whole, parts in _by_whole(places).items():
            self._derive_subject(whole, parts)
        for letter in letters.values():
            self._derive_page(letter.page, partial(self._letter_page, letter))
            self._derive_files(partial(self._index_files, letter))
        for kind in INDEXES:
            for language in LANGUAGES:
                self._derive_page(index_page_key(kind, language), partial(self._index_page, kind, language))
        for key in self._home():
            self._derive(key, page_headers(language_of(key)), partial(self._home_page, key))

    def _derive_month(self, key: str) -> None:
        for language in LANGUAGES:
            page = f"{language}/lists/{key}.html"
            self._derive(page, page_headers(language), partial(_encoded, partial(self._month_page, key, language)))
        self._derive_files(partial(self._month_files, key))

    def _month_page(self, key: str, language: Language) -> str | None:
        shelved = self._read(Shelved, key)
        if shelved is None:
            return None
        newer, older = _beside(_by_month(read_catalogue(self._store).shelves), key)
        around = Around(newer=newer, older=older)
        return self._list_page(shelved.shelf, shelved.entries, around, language)

    def _month_files(self, key: str) -> Sequence[MachineFile]:
        shelved = self._read(Shelved, key)
        return () if shelved is None else self._views.shelf_files(shelved.shelf, shelved.entries)

    def _derive_subject(self, whole: str, places: Sequence[Shelved]) -> None:
        """Bring the pages of a subject up to date, with those of some of its parts and of the parts beside them."""
        if places[0].programme is not None:
            self._derive(heard_key(whole), LIST_JSON, partial(self._heard, whole))
        parted = self._read(Parted, whole)
        parts = () if parted is None else parted.parts
        around = {shelf.key for place in places for shelf in _beside(parts, place.key) if shelf}
        for key in sorted({*around, *(place.key for place in places)}):
            for language in LANGUAGES:
                self._derive_page(f"{language}/lists/{key}.html", partial(self._part_page, whole, key, language))
        for language in LANGUAGES:
            self._derive_page(f"{language}/lists/{whole}.html", partial(self._subject_page, whole, language))
        if places[0].programme is not None:
            self._derive_files(partial(self._programme_files, whole, places[0].programme))

    def _part_page(self, whole: str, key: str, language: Language) -> str | None:
        parted, shelved = self._read(Parted, whole), self._read(Shelved, key)
        if parted is None or shelved is None or not shelved.entries:
            return None
        newer, older = _beside(parted.parts, key)
        around = Around(whole=parted.shelf, newer=newer, older=older)
        return self._list_page(shelved.shelf, shelved.entries, around, language)

    def _subject_page(self, whole: str, language: Language) -> str | None:
        parted = self._read(Parted, whole)
        shelf = None if parted is None else parted.shelf
        if parted is None or shelf is None:
            return None
        around = Around(parts=parted.parts if shelf.count > SHOWN_FIRST else (), heard=bool(self._themes(whole)))
        return self._list_page(shelf, self._latest_of(parted.parts), around, language)

    def _list_page(self, shelf: Shelf, entries: Sequence[CatalogueEntry], around: Around, language: Language) -> str:
        asked = (shelf, tuple(entries), around)
        if self._made is None or self._made[0] != asked:
            self._made = (asked, self._views.shelf_pages(shelf, entries, around))
        return self._made[1][shelf.page(language)]

    def _programme_files(self, whole: str, programme: Bilingual) -> Sequence[MachineFile]:
        shelved = read_shelf(whole, self._store) or Shelved(key=whole, programme=programme)
        return self._views.shelf_files(shelved.shelf, shelved.entries, self._themes(whole))

    def _heard(self, whole: str, before: bytes | None) -> bytes | None:
        shelved = read_shelf(whole, self._store)
        if shelved is None and before is None:
            return None
        return hear(whole, () if shelved is None else shelved.entries, self._store, before)

    def _themes(self, whole: str) -> tuple[CommonTheme, ...]:
        """Return what the sessions of a programme have in common, the latest to be quoted first."""
        if self._store.head(heard_key(whole)) is None:
            return ()
        shelved = read_shelf(whole, self._store)
        return () if shelved is None else find_common(whole, shelved.entries, self._store)

    def _latest_of(self, shelves: Iterable[Shelf]) -> list[CatalogueEntry]:
        """Return the latest sessions of lists that come in order, as many as a page shows."""
        entries: list[CatalogueEntry] = []
        for shelf in shelves:
            if len(entries) >= SHOWN_FIRST:
                break
            shelved = self._read(Shelved, shelf.key)
            entries += () if shelved is None else shelved.entries
        return entries[:SHOWN_FIRST]

    def _index_page(self, kind: IndexKind, language: Language) -> str:
        return self._views.index_page(self._index(kind, language))

    def _index(self, kind: IndexKind, language: Language) -> Index:
        catalogue = read_catalogue(self._store)
        if kind == "date":
            return Index(kind=kind, language=language, shelves=tuple(_by_month(catalogue.shelves)))
        letters = catalogue.lettered(kind, language)
        if sum(letter.count for letter in letters) > SHOWN_WITHOUT_LETTERS:
            return Index(kind=kind, language=language, letters=letters)
        under = (self._read(Lettered, letter.key) for letter in letters)
        listed = (*catalogue.shelves, *catalogue.subjects, *(shelf for each in under if each for shelf in each.shelves))
        of_kind = tuple(shelf for shelf in listed if shelf.about is not None and shelf.about.kind == kind)
        return Index(kind=kind, language=language, shelves=of_kind)

    def _letter_page(self, letter: Letter) -> str | None:
        lettered = self._read(Lettered, letter.key)
        if lettered is None or not lettered.shelves:
            return None
        return self._views.index_page(
            Index(kind=letter.kind, language=letter.language, letter=lettered.letter, shelves=lettered.shelves)
        )

    def _index_files(self, letter: Letter) -> Sequence[MachineFile]:
        lettered = self._read(Lettered, letter.key)
        return self._views.index_files(letter, () if lettered is None else lettered.shelves)

    def _tell_everything_anew(self) -> None:
        """Make anew what every list tells programs, such as the site's address."""
        catalogue = read_catalogue(self._store)
        for shelf in catalogue.shelves:
            if shelf.programme is None:
                self._derive_files(partial(self._month_files, shelf.key))
            else:
                self._derive_files(partial(self._programme_files, shelf.key, shelf.programme))
        for letter in catalogue.letters:
            self._derive_files(partial(self._index_files, letter))

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

    def _site_files(self) -> Sequence[MachineFile]:
        catalogue = read_catalogue(self._store)
        entries = self._published_last(catalogue.shelves)
        return self._views.site_files(entries, (*catalogue.shelves, *catalogue.subjects), catalogue.letters)

    def _published_last(self, shelves: Iterable[Shelf]) -> list[CatalogueEntry]:
        """Return the sessions that a feed holds; they stand on as many shelves at most as there are of them."""
        entries: list[CatalogueEntry] = []
        dated = sorted(_by_month(shelves), key=lambda shelf: shelf.published_at or _NEVER, reverse=True)
        for shelf in dated:
            if len(entries) == LONGEST and (entries[-1].published_at or _NEVER) >= (shelf.published_at or _NEVER):
                break
            shelved = self._read(Shelved, shelf.key)
            entries = newest([*entries, *(() if shelved is None else shelved.entries)])[:LONGEST]
        return entries

    def _home(self) -> dict[str, str]:
        catalogue = read_catalogue(self._store)
        dated = _by_month(catalogue.shelves)
        everything = sum(shelf.count for shelf in dated) <= SHOWN_FIRST
        shelves = () if everything else catalogue.shelves
        return dict(self._views.catalogue_pages(self._latest_of(dated), shelves, catalogue.ways))

    def _home_page(self, key: str, _before: bytes | None) -> bytes:
        return self._home()[key].encode()

    def _read_catalogue(self) -> Catalogue | None:
        found = self._store.read(CATALOGUE)
        return _parsed_catalogue(None if found is None else found[0])

    def _read(self, kind: type[T], key: str) -> T | None:
        """Return what lies under a key of the lists; ``None`` where it is not there, damaged, or another thing."""
        found = self._store.read(_shelf_key(key))
        return _parsed_or_none(kind, None if found is None else found[0], key)

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


def _parsed_or_none(kind: type[T], body: bytes | None, key: str) -> T | None:
    if body is None:
        return None
    try:
        return cast("T", _parsed_once(cast("Hashable", kind), body, _shelf_key(key)))
    except StoreCorrupt:
        return None


@lru_cache(maxsize=_KEPT_PARSED)
def _parsed_once(kind: Hashable, body: bytes, key: str) -> object:
    """Return what these bytes say: pages in both languages, and those beside them, are made of the same lists."""
    return parsed(cast("type[object]", kind), body, key)


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
    """Return a shelf; an empty one of a subject says no name: somebody may have wanted to be forgotten."""
    ordered = tuple(sorted(entries, key=_order))
    if place.part is None or not ordered:
        return to_json(Shelved(key=place.key, month=place.month, part=place.part, entries=ordered))
    spellings = [one for entry in reversed(ordered) for one in shelves_of(entry) if one.key == place.key]
    subject = spellings[0].subject
    if subject is not None:
        subject = replace(subject, name=choose_name(one.subject.name for one in spellings if one.subject))
    return to_json(replace(place, subject=subject, entries=ordered))


def _by_month(shelves: Iterable[Shelf]) -> list[Shelf]:
    """Return the shelves that hold each session once: the months, the newest first, then the undated sessions."""
    dated = [shelf for shelf in shelves if shelf.about is None]
    return sorted(dated, key=lambda shelf: shelf.month or dt.date.min, reverse=True)


def _order(entry: CatalogueEntry) -> tuple[int, tuple[str, str], str]:
    """Newest session first, those without a date last, then by title as a reader would sort it, accents aside."""
    day = 0 if entry.date is None else -entry.date.toordinal()
    return day, sort_name(entry.title.get("en")), entry.session_id


def _by_whole(places: Iterable[Shelved]) -> dict[str, list[Shelved]]:
    """Return the parts of subjects by the list that they are part of."""
    found: dict[str, list[Shelved]] = {}
    for place in places:
        if (whole := place.whole) is not None:
            found.setdefault(whole, []).append(place)
    return found


def _newest_first(shelf: Shelf) -> tuple[bool, str]:
    return shelf.part != _UNDATED, shelf.key


def _letters_of(shelf: Shelf) -> tuple[Letter, ...]:
    """Return where a subject stands in the indexes."""
    subject = shelf.about
    if subject is None or subject.kind not in _BY_LETTER:
        return ()
    return tuple(
        Letter(kind=subject.kind, language=language, letter=letter_of(subject.name.get(language)))
        for language in LANGUAGES
    )


def _entries_of(shelves: Iterable[Shelf], store: Store) -> Iterator[CatalogueEntry]:
    for shelf in shelves:
        shelved = read_shelf(shelf.key, store)
        yield from () if shelved is None else shelved.entries


def _beside(shelves: Sequence[Shelf], key: str) -> tuple[Shelf | None, Shelf | None]:
    """Return the list before and the one after, in an order that has the newest first."""
    at = next((place for place, shelf in enumerate(shelves) if shelf.key == key), None)
    if at is None:
        return None, None
    return shelves[at - 1] if at else None, shelves[at + 1] if at + 1 < len(shelves) else None


def _shelf_key(key: str) -> str:
    return f"{SHELVES}{key}.json"


def _body_of(key: str, make: Callable[[], Sequence[MachineFile]], _before: bytes | None) -> bytes | None:
    return next((file.body for file in make() if file.key == key), None)


def _encoded(make: Callable[[], str | None], _before: bytes | None) -> bytes | None:
    page = make()
    return None if page is None else page.encode()


def _always(body: bytes, _before: bytes | None) -> bytes:
    return body
