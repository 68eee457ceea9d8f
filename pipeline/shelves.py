"""What is kept of the lists of all sessions in the store: shelves, of which one more session changes only a few.

A session stands on the shelf of its month and on one for each subject that it can be found by: programme, community,
topics, people, languages. A subject's shelf is kept in parts, by year or by month, so that what is written for one
session does not grow with the number of others. From the parts follows what is known of the subject, from that the
index of its letter, from all of it ``catalogue.json``. In goes a store, out come these values, in their order; or a
session, and out come the shelves that it stands on. Stands alone because whoever writes the lists (``lists.py``), shows
them (``list_views.py``) or only reads them must agree on what they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeVar, cast

from pipeline.errors import StoreCorrupt
from pipeline.ports import Store
from pipeline.published import Manifest, file_key, page_key, parsed, published_file, read_details, read_manifest
from pipeline.site.model import INDEXES, OF_WORDS, CatalogueEntry, IndexKind, Letter, Shelf, Subject, SubjectKind
from pipeline.site.subjects import choose_name, letter_of, list_key, sort_name, subjects_of
from pipeline.types import LANGUAGES, Bilingual, Language, Session

CATALOGUE: Final = "catalogue.json"
SHELVES: Final = "catalogue/"
BY_LETTER: Final[tuple[SubjectKind, ...]] = ("topic", "person")
"""Subjects of which there may be thousands: an index by letter says which there are."""
UNDATED: Final = "undated"
"""The month, or the part of a subject, of sessions without a date."""

_IN_THE_LISTS: Final = frozenset({"video", "audio", "captions", "chapters"})
"""Roles of the files that feeds and sitemaps lead to."""
_BY_MONTH: Final[frozenset[SubjectKind]] = frozenset({"community", "language"})
"""Subjects that so many sessions share that their parts are months, not years."""
_KEPT_PARSED: Final = 64
"""How many lists are remembered as they were read; enough for all that one session stands on."""

T = TypeVar("T")


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
    dated = Shelved(key=UNDATED if month is None else f"{month:%Y-%m}", month=month)
    return dated, *(_part_of(subject, session.date) for subject in subjects_of(session))


def _part_of(subject: Subject, date: dt.date | None) -> Shelved:
    part = UNDATED if date is None else date.isoformat()[: 7 if subject.kind in _BY_MONTH else 4]
    return Shelved(
        key=f"{list_key(subject.kind, subject.name)}-{part}",
        programme=subject.name if subject.kind == "programme" else None,
        subject=None if subject.kind == "programme" else subject,
        part=part,
    )


def catalogue_entry(manifest: Manifest, session: Session, *, duration_ms: int) -> CatalogueEntry:
    """Return what the lists tell of one session."""
    poster = next((file_key(manifest, file) for file in manifest.files if file.role == "poster"), None)
    # Captions in which there is nothing are of a recording in which nobody speaks.
    wordless = any(file.role == "captions" and not file.size for file in manifest.files)
    told = _IN_THE_LISTS - (OF_WORDS if wordless else frozenset())
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
        files=tuple(published_file(manifest, file) for file in manifest.files if file.role in told),
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
    found = store.read(shelf_key(key))
    if found is None:
        return None
    either = cast("type[Shelved | Parted]", Shelved | Parted)
    shelved = parsed(either, found[0], shelf_key(key))
    if isinstance(shelved, Shelved):
        return shelved
    shelf = shelved.shelf
    if shelf is None:
        return None
    entries = tuple(sorted(_entries_of(shelved.parts, store), key=order))
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
    for shelf in by_month(read_catalogue(store).shelves):
        shelved = read_shelf(shelf.key, store)
        yield from () if shelved is None else shelved.entries


def _entries_of(shelves: Iterable[Shelf], store: Store) -> Iterator[CatalogueEntry]:
    for shelf in shelves:
        shelved = read_shelf(shelf.key, store)
        yield from () if shelved is None else shelved.entries


def read_list(kind: type[T], key: str, store: Store) -> T | None:
    """Return what is kept under the key of a list; ``None`` where it is not there, damaged, or another thing.

    Raises:
        StoreError: See :class:`Store`.
    """
    found = store.read(shelf_key(key))
    return parse_list(kind, None if found is None else found[0], key)


def parse_list(kind: type[T], body: bytes | None, key: str) -> T | None:
    """Return what was kept under the key of a list; ``None`` where it is damaged or another thing."""
    if body is None:
        return None
    try:
        return cast("T", _parsed_once(cast("Hashable", kind), body, shelf_key(key)))
    except StoreCorrupt:
        return None


@lru_cache(maxsize=_KEPT_PARSED)
def _parsed_once(kind: Hashable, body: bytes, key: str) -> object:
    """Return what these bytes say: pages in both languages, and those beside them, are made of the same lists."""
    return parsed(cast("type[object]", kind), body, key)


def read_summary(key: str, store: Store) -> Shelf | None:
    """Return what is said of a list where it is listed; ``None`` where it holds nothing.

    Raises:
        StoreError: See :class:`Store`.
    """
    parted = read_list(Parted, key, store)
    if parted is not None:
        return parted.shelf
    shelved = read_list(Shelved, key, store)
    return shelved.shelf if shelved is not None and shelved.entries else None


def by_month(shelves: Iterable[Shelf]) -> list[Shelf]:
    """Return the shelves that hold each session once: the months, the newest first, then the undated sessions."""
    dated = [shelf for shelf in shelves if shelf.about is None]
    return sorted(dated, key=lambda shelf: shelf.month or dt.date.min, reverse=True)


def beside(shelves: Sequence[Shelf], key: str) -> tuple[Shelf | None, Shelf | None]:
    """Return the list before and the one after, in an order that has the newest first."""
    at = next((place for place, shelf in enumerate(shelves) if shelf.key == key), None)
    if at is None:
        return None, None
    return shelves[at - 1] if at else None, shelves[at + 1] if at + 1 < len(shelves) else None


def order(entry: CatalogueEntry) -> tuple[int, tuple[str, str], str]:
    """Newest session first, those without a date last, then by title as a reader would sort it, accents aside."""
    day = 0 if entry.date is None else -entry.date.toordinal()
    return day, sort_name(entry.title.get("en")), entry.session_id


def letters_of(shelf: Shelf) -> tuple[Letter, ...]:
    """Return where a subject stands in the indexes."""
    subject = shelf.about
    if subject is None or subject.kind not in BY_LETTER:
        return ()
    return tuple(
        Letter(kind=subject.kind, language=language, letter=letter_of(subject.name.get(language)))
        for language in LANGUAGES
    )


def shelf_key(key: str) -> str:
    """Return where a list is kept in the store."""
    return f"{SHELVES}{key}.json"
