"""The lists of all sessions as they are in the store, compared with what they should be.

In goes a session, out come the lists that lack it; or a store, and out come the keys of whatever its own shelves would
make otherwise. Only reads. Stands alone because it shares nothing with what writes the lists (``lists.py``) but what
they are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from pipeline.list_views import ListViews, is_stored
from pipeline.ports import Store
from pipeline.shelves import (
    Catalogue,
    Lettered,
    Parted,
    Shelved,
    by_month,
    letters_of,
    read_catalogue,
    read_entry,
    read_list,
    read_summary,
    shelf_key,
    shelves_of,
)
from pipeline.site.model import INDEXES, MachineFile, Shelf, Views, index_page_key, list_page_key
from pipeline.types import LANGUAGES, Language


def unlisted(session_id: str, store: Store) -> Iterator[str]:
    """Yield what is wrong with the lists of a session: each list, by its name or its page's key, that lacks it.

    Raises:
        StoreCorrupt: What is published of it, or a list, cannot be read.
        StoreError: See :class:`Store`.
    """
    entry, catalogue = read_entry(session_id, store), read_catalogue(store)
    rows = {shelf.key: shelf for shelf in catalogue.shelves}
    for place in () if entry is None else shelves_of(entry):
        shelved = read_list(Shelved, place.key, store)
        if shelved is None or entry not in shelved.entries:
            yield place.key
        elif place.whole is None:
            yield from () if rows.get(place.key) == shelved.shelf else (place.key,)
        elif not _is_known(shelved, place.whole, catalogue, store):
            yield place.whole
        for key in (key for key in (place.key, place.whole) if key is not None):
            if any(store.head(list_page_key(key, language)) is None for language in LANGUAGES):
                yield list_page_key(key, LANGUAGES[0])


def _is_known(part: Shelved, whole: str, catalogue: Catalogue, store: Store) -> bool:
    """Tell whether a part is among those of its subject, and the subject among the lists."""
    parted = read_list(Parted, whole, store)
    shelf = None if parted is None else parted.shelf
    if parted is None or shelf is None or part.shelf not in parted.parts:
        return False
    letters = letters_of(shelf)
    under = {letter.key for letter in catalogue.letters}
    for letter in letters:
        lettered = read_list(Lettered, letter.key, store) if letter.key in under else None
        if lettered is None or shelf not in lettered.shelves:
            return False
    return bool(letters) or shelf in (*catalogue.shelves, *catalogue.subjects)


def outdated(store: Store, views: Views) -> Iterator[str]:
    """Yield the key of every list, page, feed or sitemap that is not what the store's own lists make of it.

    Raises:
        StoreCorrupt: The catalogue cannot be read.
        StoreError: See :class:`Store`.
    """
    catalogue, shown = read_catalogue(store), ListViews(store, views)
    for shelf in by_month(catalogue.shelves):
        if read_summary(shelf.key, store) != shelf:
            yield shelf_key(shelf.key)
        yield from _differing(shelf.page, partial(shown.month_page, shelf.key), store)
        yield from _not_there(shown.month_files(shelf.key), store)
    for shelf in _every_subject(catalogue, store):
        yield from _outdated_of(shelf, store, shown)
    for letter in catalogue.letters:
        if _differs(letter.page, shown.letter_page(letter), store):
            yield letter.page
        yield from _not_there(shown.index_files(letter), store)
    for kind in INDEXES:
        yield from _differing(partial(index_page_key, kind), partial(shown.index_page, kind), store)
    for key, page in (*shown.home().items(), *views.search_pages().items()):
        if _differs(key, page, store):
            yield key
    yield from _not_there(shown.site_files(), store)


def _outdated_of(shelf: Shelf, store: Store, shown: ListViews) -> Iterator[str]:
    parted = read_list(Parted, shelf.key, store)
    if parted is None or parted.shelf != shelf:
        yield shelf_key(shelf.key)
        return
    for part in parted.parts:
        yield from _differing(part.page, partial(shown.part_page, shelf.key, part.key), store)
    yield from _differing(shelf.page, partial(shown.subject_page, shelf.key), store)
    if shelf.programme is not None:
        yield from _not_there(shown.programme_files(shelf.key, shelf.programme), store)


def _every_subject(catalogue: Catalogue, store: Store) -> Iterator[Shelf]:
    """Yield the list of every subject once; those under letters stand there in each language."""
    found = {shelf.key: shelf for shelf in (*catalogue.shelves, *catalogue.subjects) if shelf.about is not None}
    for letter in catalogue.letters:
        lettered = read_list(Lettered, letter.key, store)
        found |= {shelf.key: shelf for shelf in (() if lettered is None else lettered.shelves)}
    yield from found.values()


def _differing(page: Callable[[Language], str], make: Callable[[Language], str | None], store: Store) -> Iterator[str]:
    yield from (page(language) for language in LANGUAGES if _differs(page(language), make(language), store))


def _differs(key: str, page: str | None, store: Store) -> bool:
    return not is_stored(key, None if page is None else page.encode(), store)


def _not_there(files: Iterable[MachineFile], store: Store) -> Iterator[str]:
    yield from (file.key for file in files if not is_stored(file.key, file.body, store))
