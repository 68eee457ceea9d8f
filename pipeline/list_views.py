"""What the lists of all sessions look like now: each page and machine file, made of what the store keeps of them.

In goes the key of a list, or the kind of an index, out comes its page in a language as it should be at this moment, or
nothing where there is nothing to show. Reads the store, writes nothing. Stands alone because pages are made from the
shelves twice: to bring them up to date, and to tell which of them are not.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipeline.heard import find_common, heard_key
from pipeline.ports import Store
from pipeline.shelves import Lettered, Parted, Shelved, beside, by_month, read_catalogue, read_list, read_shelf
from pipeline.site.feeds import LONGEST, newest
from pipeline.site.model import Around, CatalogueEntry, Index, IndexKind, Letter, MachineFile, Shelf, Views
from pipeline.themes import CommonTheme
from pipeline.types import Bilingual, Language

SHOWN_FIRST: Final = 60
"""How many sessions, the latest, the first page and the page of a subject show; fewer where there are fewer."""
SHOWN_WITHOUT_LETTERS: Final = 300
"""Up to so many topics or people, one page shows them all; above, it leads to a page for each letter."""

_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


class ListViews:
    """The pages and machine files of the lists in one store.

    Args:
        store: Where.
        views: Makes them.
    """

    def __init__(self, store: Store, views: Views) -> None:
        self._store = store
        self._views = views
        self._made: tuple[tuple[Shelf, tuple[CatalogueEntry, ...], Around], Mapping[str, str]] | None = None

    def month_page(self, key: str, language: Language) -> str | None:
        """Return the page of a month's sessions, or of those without a date."""
        shelved = read_list(Shelved, key, self._store)
        if shelved is None:
            return None
        newer, older = beside(by_month(read_catalogue(self._store).shelves), key)
        around = Around(newer=newer, older=older)
        return self._list_page(shelved.shelf, shelved.entries, around, language)

    def month_files(self, key: str) -> Sequence[MachineFile]:
        """Return what other programs read of a month."""
        shelved = read_list(Shelved, key, self._store)
        return () if shelved is None else self._views.shelf_files(shelved.shelf, shelved.entries)

    def part_page(self, whole: str, key: str, language: Language) -> str | None:
        """Return the page of one part of a subject; ``None`` where it holds no session any more."""
        parted, shelved = read_list(Parted, whole, self._store), read_list(Shelved, key, self._store)
        if parted is None or shelved is None or not shelved.entries:
            return None
        newer, older = beside(parted.parts, key)
        around = Around(whole=parted.shelf, newer=newer, older=older)
        return self._list_page(shelved.shelf, shelved.entries, around, language)

    def subject_page(self, whole: str, language: Language) -> str | None:
        """Return the page of a subject: its latest sessions, and the way to its parts where these are not all."""
        parted = read_list(Parted, whole, self._store)
        shelf = None if parted is None else parted.shelf
        if parted is None or shelf is None:
            return None
        around = Around(parts=parted.parts if shelf.count > SHOWN_FIRST else (), heard=bool(self._themes(whole)))
        return self._list_page(shelf, self._latest_of(parted.parts), around, language)

    def programme_files(self, whole: str, programme: Bilingual) -> Sequence[MachineFile]:
        """Return what other programs read of a programme; without a body where none of its sessions is left."""
        shelved = read_shelf(whole, self._store) or Shelved(key=whole, programme=programme)
        return self._views.shelf_files(shelved.shelf, shelved.entries, self._themes(whole))

    def index_page(self, kind: IndexKind, language: Language) -> str:
        """Return the page that leads to the lists of a kind."""
        return self._views.index_page(self.index(kind, language))

    def index(self, kind: IndexKind, language: Language) -> Index:
        """Return which lists of a kind there are, or which letters they stand under where they are many."""
        catalogue = read_catalogue(self._store)
        if kind == "date":
            return Index(kind=kind, language=language, shelves=tuple(by_month(catalogue.shelves)))
        letters = catalogue.lettered(kind, language)
        if sum(letter.count for letter in letters) > SHOWN_WITHOUT_LETTERS:
            return Index(kind=kind, language=language, letters=letters)
        under = (read_list(Lettered, letter.key, self._store) for letter in letters)
        listed = (*catalogue.shelves, *catalogue.subjects, *(shelf for each in under if each for shelf in each.shelves))
        of_kind = tuple(shelf for shelf in listed if shelf.about is not None and shelf.about.kind == kind)
        return Index(kind=kind, language=language, shelves=of_kind)

    def letter_page(self, letter: Letter) -> str | None:
        """Return the page of the subjects under a letter; ``None`` where none stands there any more."""
        lettered = read_list(Lettered, letter.key, self._store)
        if lettered is None or not lettered.shelves:
            return None
        return self._views.index_page(
            Index(kind=letter.kind, language=letter.language, letter=lettered.letter, shelves=lettered.shelves)
        )

    def index_files(self, letter: Letter) -> Sequence[MachineFile]:
        """Return what other programs read of the lists under a letter."""
        lettered = read_list(Lettered, letter.key, self._store)
        return self._views.index_files(letter, () if lettered is None else lettered.shelves)

    def site_files(self) -> Sequence[MachineFile]:
        """Return what other programs read of all sessions."""
        catalogue = read_catalogue(self._store)
        entries = self._published_last(catalogue.shelves)
        return self._views.site_files(entries, (*catalogue.shelves, *catalogue.subjects), catalogue.letters)

    def home(self) -> dict[str, str]:
        """Return the first pages, by key."""
        catalogue = read_catalogue(self._store)
        dated = by_month(catalogue.shelves)
        everything = sum(shelf.count for shelf in dated) <= SHOWN_FIRST
        shelves = () if everything else catalogue.shelves
        return dict(self._views.catalogue_pages(self._latest_of(dated), shelves, catalogue.ways))

    def _list_page(self, shelf: Shelf, entries: Sequence[CatalogueEntry], around: Around, language: Language) -> str:
        asked = (shelf, tuple(entries), around)
        if self._made is None or self._made[0] != asked:
            self._made = (asked, self._views.shelf_pages(shelf, entries, around))
        return self._made[1][shelf.page(language)]

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
            shelved = read_list(Shelved, shelf.key, self._store)
            entries += () if shelved is None else shelved.entries
        return entries[:SHOWN_FIRST]

    def _published_last(self, shelves: Iterable[Shelf]) -> list[CatalogueEntry]:
        """Return the sessions that a feed holds; they stand on as many shelves at most as there are of them."""
        entries: list[CatalogueEntry] = []
        dated = sorted(by_month(shelves), key=lambda shelf: shelf.published_at or _NEVER, reverse=True)
        for shelf in dated:
            if len(entries) == LONGEST and (entries[-1].published_at or _NEVER) >= (shelf.published_at or _NEVER):
                break
            shelved = read_list(Shelved, shelf.key, self._store)
            entries = newest([*entries, *(() if shelved is None else shelved.entries)])[:LONGEST]
        return entries


def is_stored(key: str, body: bytes | None, store: Store) -> bool:
    """Tell whether a page or file is in the store as it should be; without a body, whether none is there.

    Raises:
        StoreError: See :class:`Store`.
    """
    there = store.head(key)
    if there is None or body is None:
        return there is None and body is None
    return there.sha256 == hashlib.sha256(body).hexdigest()
