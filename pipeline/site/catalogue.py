"""The order of the catalogue: sessions by programme, by week, by date.

Takes the entries in any order and returns them grouped as a page shows them, the same for the same set of entries.
Stands alone so that the order can be tested without a page.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.naming import slug
from pipeline.site.model import CatalogueEntry
from pipeline.types import LANGUAGES, Bilingual


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeGroup:
    """The sessions of one programme.

    Attributes:
        programme: Its name, or ``None`` for sessions of none.
        entries: At least one: by week, then those outside the weeks; the earliest first within a week, the latest
            first outside the weeks.
    """

    programme: Bilingual | None
    entries: tuple[CatalogueEntry, ...]

    @property
    def latest(self) -> dt.date:
        """Day of the latest session, the earliest day there is where no session has a date."""
        return max(_day(entry) for entry in self.entries)


def programme_key(programme: Bilingual) -> str:
    """Return a name for the addresses of a programme: the same as long as it is written the same.

    Example:
        >>> programme_key(Bilingual(en="Éthique & IA", fr="Éthique et IA"))
        'ethique-ia-5473687b'
    """
    names = "\0".join(f"{language}:{programme.get(language)}" for language in LANGUAGES)
    digest = hashlib.sha256(names.encode(errors="replace")).hexdigest()[:8]
    letters = unicodedata.normalize("NFKD", programme.get("en")).encode("ascii", "ignore").decode()
    return "-".join(part for part in (slug(letters), digest) if part)


def group_entries(entries: Iterable[CatalogueEntry]) -> tuple[ProgrammeGroup, ...]:
    """Group sessions: the programme with the latest session first, sessions of no programme last.

    Example:
        >>> group_entries([])
        ()
    """
    by_programme: dict[Bilingual | None, list[CatalogueEntry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.session_id):
        by_programme.setdefault(entry.programme, []).append(entry)
    groups = [
        ProgrammeGroup(programme=name, entries=tuple(sorted(members, key=_place)))
        for name, members in by_programme.items()
    ]
    groups.sort(key=lambda group: group.programme.get("en") if group.programme else "")
    groups.sort(key=lambda group: (group.programme is not None, group.latest), reverse=True)
    return tuple(groups)


def _place(entry: CatalogueEntry) -> tuple[bool, int, int]:
    day = _day(entry).toordinal()
    return (True, 0, -day) if entry.week is None else (False, entry.week, day)


def _day(entry: CatalogueEntry) -> dt.date:
    return entry.date or dt.date.min
