"""What the pages of the lists show, decided before any template sees it.

In go a list with its sessions and what is around it, or an index of lists, in a language; out come sections of sessions
and links with their names and counts. Stands alone so that order, names and numbers can be tested without reading HTML,
and so that the pages of a session need to know nothing of lists but how to link to one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from pipeline import formatting
from pipeline.messages import message
from pipeline.site.catalogue import group_entries
from pipeline.site.model import (
    INDEXES,
    OTHER_LETTER,
    Around,
    CatalogueEntry,
    Index,
    Letter,
    Shelf,
    Subject,
    SubjectKind,
    index_page_key,
    list_page_key,
)
from pipeline.site.subjects import choose_name, list_key, sort_name, subjects_of
from pipeline.types import Bilingual, Language

RELATED: Final = 12
"""How many lists of a kind a page leads to beside its own, those of most of its sessions."""
PROGRAMMES_FIRST: Final = 60
MONTHS_FIRST: Final = 24
"""How many programmes and months, the latest, the first page leads to; the pages of their kinds lead to all."""

_SUBJECTS: Final[tuple[SubjectKind, ...]] = ("programme", "community", "topic", "person", "language")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link to a list.

    Attributes:
        page: Its key below the site's root.
        name: What it is called.
        count: How many sessions it is said to hold; ``None`` where that is not said.
    """

    page: str
    name: Bilingual
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Sessions below one heading.

    Attributes:
        id: Its name within the page.
        title: The heading.
        entries: At least one, in order.
        page: Key of the list that the heading leads to, where there is one.
    """

    id: str
    title: Bilingual
    entries: tuple[CatalogueEntry, ...]
    page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Links of one kind below a heading.

    Attributes:
        title: The heading.
        links: At least one, in order.
        more: Where all of the kind are, where these are not.
    """

    title: str
    links: tuple[Link, ...]
    more: Link | None = None


def list_page(kind: str, value: object, language: Language) -> str | None:
    """Return the key of the page on which the sessions of a subject or of a day's month are listed.

    Args:
        kind: A kind of subject, or ``date``; of anything else there is no list.
        value: A day for a date, else a name, as a session has it.
        language: Of the page.

    Example:
        >>> list_page("language", "fr", "en"), list_page("date", dt.date(2026, 3, 14), "fr"), list_page("week", 3, "fr")
        ('en/lists/language-fr.html', 'fr/lists/2026-03.html', None)
    """
    if kind == "date" and isinstance(value, dt.date):
        return list_page_key(f"{value:%Y-%m}", language)
    name = Bilingual.same(value) if isinstance(value, str) else value
    known = next((subject for subject in _SUBJECTS if subject == kind), None)
    if known is None or not isinstance(name, Bilingual):
        return None
    return list_page_key(list_key(known, name), language)


def name_of(shelf: Shelf, language: Language) -> Bilingual:
    """Return what a list is called, the part that it is left out."""
    if shelf.about is not None:
        return _subject_name(shelf.about, language)
    if shelf.month is None:
        return Bilingual.same(message("site.list_undated", language))
    return Bilingual.same(formatting.format_month(shelf.month, language))


def part_name(shelf: Shelf, language: Language) -> str | None:
    """Return what a part of a list is called, as a heading begins; ``None`` for a whole one."""
    if shelf.part is None:
        return None
    if not shelf.part[:1].isdigit():
        return message("site.list_undated", language)
    if len(shelf.part) == 4:
        return shelf.part
    return formatting.format_month(dt.date.fromisoformat(f"{shelf.part}-01"), language)


def divide(shelf: Shelf, entries: Sequence[CatalogueEntry], around: Around, language: Language) -> tuple[Section, ...]:
    """Return the sessions of a list as its page shows them: of a programme by week, of a month by programme."""
    if not entries:
        return ()
    if around.parts:
        return latest(entries, language)
    if shelf.programme is not None:
        return by_week(group_entries(entries)[0].entries, language)
    if shelf.about is not None:
        title = Bilingual.same(message("site.catalogue_title", language))
        return (Section(id="sessions", title=title, entries=tuple(entries)),)
    return by_programme(entries, language)


def latest(entries: Sequence[CatalogueEntry], language: Language) -> tuple[Section, ...]:
    """Return the latest sessions, as they come."""
    title = Bilingual.same(message("browse.latest_title", language))
    return (Section(id="latest", title=title, entries=tuple(entries)),) if entries else ()


def by_programme(entries: Iterable[CatalogueEntry], language: Language) -> tuple[Section, ...]:
    """Return sessions by programme, the one with the latest session first."""
    other = Bilingual.same(message("site.catalogue_other", language))
    return tuple(
        Section(
            id=f"programme-{number}",
            title=group.programme or other,
            entries=group.entries,
            page=None if group.programme is None else list_page("programme", group.programme, language),
        )
        for number, group in enumerate(group_entries(entries), start=1)
    )


def by_week(entries: Sequence[CatalogueEntry], language: Language) -> tuple[Section, ...]:
    """Return the sessions of a programme by week, those outside the weeks together; they come in that order."""
    weeks = [(week, tuple(members)) for week, members in groupby(entries, key=lambda entry: entry.week)]
    outside = "site.catalogue_title" if len(weeks) == 1 else "site.catalogue_other"
    return tuple(
        Section(
            id="other" if week is None else f"week-{week}",
            title=Bilingual.same(
                message(outside, language) if week is None else message("site.week", language, week=week)
            ),
            entries=members,
        )
        for week, members in weeks
    )


def related(shelf: Shelf, entries: Sequence[CatalogueEntry], language: Language) -> tuple[Links, ...]:
    """Return the lists that sessions of a page are also on, with how many of them are, by kind."""
    found: dict[str, list[Subject]] = {}
    for entry in reversed(entries):
        for subject in subjects_of(entry):
            found.setdefault(list_key(subject.kind, subject.name), []).append(subject)
    own = None if shelf.about is None else list_key(shelf.about.kind, shelf.about.name)
    made: list[Links] = []
    for kind in _SUBJECTS:
        links = [
            Link(
                page=list_page_key(key, language),
                name=_subject_name(Subject(kind=kind, name=choose_name(one.name for one in subjects)), language),
                count=len(subjects),
            )
            for key, subjects in found.items()
            if subjects[0].kind == kind and key != own
        ]
        links.sort(key=lambda link: (-(link.count or 0), sort_name(link.name.get(language))))
        if links:
            made.append(Links(title=_way(kind, language), links=tuple(links[:RELATED])))
    return tuple(made)


def parts_of(around: Around, language: Language) -> Links | None:
    """Return the parts of a list that its page does not show whole."""
    if not around.parts:
        return None
    by_month = any(part.part is not None and part.part[:1].isdigit() and len(part.part) > 4 for part in around.parts)
    links = tuple(_part_link(part, language) for part in around.parts)
    return Links(title=message("site.lists_months" if by_month else "browse.parts_years", language), links=links)


def beside(around: Around, language: Language) -> tuple[tuple[str, Link], ...]:
    """Return the lists before and after one, each with what to say of it."""
    sides = (("browse.older", around.older), ("browse.newer", around.newer))
    return tuple((message(code, language), _part_link(shelf, language)) for code, shelf in sides if shelf is not None)


def trail(shelf: Shelf, around: Around, language: Language) -> tuple[tuple[Bilingual, str], ...]:
    """Return the way to a list from the first page, each step with its name and key; without the list itself."""
    kind = shelf.about.kind if shelf.about is not None else "date"
    steps = [first_step(language), (Bilingual.same(_way(kind, language)), index_page_key(kind, language))]
    if around.whole is not None:
        steps.append((name_of(around.whole, language), around.whole.page(language)))
    return tuple(steps)


def index_trail(index: Index) -> tuple[tuple[Bilingual, str], ...]:
    """Return the way to an index from the first page, without the index itself."""
    steps = [first_step(index.language)]
    if index.letter is not None:
        whole = index_page_key(index.kind, index.language)
        steps.append((Bilingual.same(_way(index.kind, index.language)), whole))
    return tuple(steps)


def ways(kinds: Iterable[str], language: Language) -> tuple[Link, ...]:
    """Return what leads to the lists of each kind."""
    return tuple(
        Link(page=index_page_key(kind, language), name=Bilingual.same(_way(kind, language)))
        for kind in INDEXES
        if kind in set(kinds)
    )


def index_title(index: Index) -> str:
    """Return what an index is called."""
    title = _way(index.kind, index.language)
    if index.letter is None:
        return title
    return message("browse.under_letter", index.language, title=title, letter=_sign(index.letter, index.language))


def index_letters(index: Index) -> tuple[Link, ...]:
    """Return the letters of an index, other signs last."""
    ordered = sorted(index.letters, key=lambda letter: (letter.letter == OTHER_LETTER, letter.letter))
    return tuple(
        Link(
            page=letter.page,
            name=Bilingual.same(_sign(letter, index.language)),
            count=letter.count,
        )
        for letter in ordered
    )


def index_links(index: Index) -> tuple[Links, ...]:
    """Return the lists of an index: months by year, the newest first; everything else by name."""
    language = index.language
    if index.kind == "date":
        years = groupby(index.shelves, key=lambda shelf: None if shelf.month is None else shelf.month.year)
        return tuple(
            Links(
                title=message("site.list_undated", language) if year is None else str(year),
                links=tuple(_shelf_link(shelf, language) for shelf in shelves),
            )
            for year, shelves in years
        )
    links = [_shelf_link(shelf, language) for shelf in index.shelves]
    links.sort(key=lambda link: (sort_name(link.name.get(language)), link.page))
    return (Links(title=index_title(index), links=tuple(links)),) if links else ()


def first_lists(shelves: Sequence[Shelf], language: Language) -> tuple[Links, ...]:
    """Return the lists that the first page leads to where it does not show all sessions: the latest of each kind."""
    programmes = sorted(
        (shelf for shelf in shelves if shelf.programme is not None),
        key=lambda shelf: (shelf.latest or dt.date.min, shelf.key),
        reverse=True,
    )
    months = sorted(
        (shelf for shelf in shelves if shelf.about is None), key=lambda shelf: shelf.month or dt.date.min, reverse=True
    )
    made = (
        ("site.lists_programmes", programmes, PROGRAMMES_FIRST, "programme"),
        ("site.lists_months", months, MONTHS_FIRST, "date"),
    )
    return tuple(
        Links(
            title=message(code, language),
            links=tuple(_shelf_link(shelf, language) for shelf in found[:most]),
            more=ways([kind], language)[0] if len(found) > most else None,
        )
        for code, found, most, kind in made
        if found
    )


def _shelf_link(shelf: Shelf, language: Language) -> Link:
    return Link(page=shelf.page(language), name=name_of(shelf, language), count=shelf.count)


def _part_link(shelf: Shelf, language: Language) -> Link:
    part = part_name(shelf, language)
    name = name_of(shelf, language) if part is None else Bilingual.same(part)
    return Link(page=shelf.page(language), name=name, count=shelf.count)


def _subject_name(subject: Subject, language: Language) -> Bilingual:
    if subject.kind != "language":
        return subject.name
    name = message(f"site.language_{subject.name.get(language)}", language)
    return Bilingual.same(name[0].upper() + name[1:])


def first_step(language: Language) -> tuple[Bilingual, str]:
    """Return the first step of the way to every page but the first: its name and its key below the site's root."""
    return Bilingual.same(message("site.catalogue_back", language)), f"{language}/index.html"


def _way(kind: str, language: Language) -> str:
    return message(f"browse.way_{kind}", language)


def _sign(letter: Letter, language: Language) -> str:
    return message("browse.other_signs", language) if letter.letter == OTHER_LETTER else letter.letter.upper()
