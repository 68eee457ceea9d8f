"""Which sessions have been kept for as long as they should be.

In go the lists of all sessions and a :class:`RetentionRule`, out comes what is due, in order. Only reads; withdrawing
is for :mod:`pipeline.withdrawal`. Stands alone because it decides by date and programme and by nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.naming import is_called
from pipeline.ports import Store
from pipeline.published import read_manifest
from pipeline.shelves import read_entries
from pipeline.site.model import CatalogueEntry
from pipeline.types import Bilingual


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """How long sessions are kept.

    Attributes:
        keep_days: Days after a session's day; ``None`` for ever.
        programmes: Days for those of a programme, by its name in either language; stronger than ``keep_days``.
    """

    keep_days: int | None = None
    programmes: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        given = [days for _, days in self.programmes] + ([] if self.keep_days is None else [self.keep_days])
        if any(days < 1 for days in given):
            raise ValueError("sessions are kept for a day at least")

    @property
    def is_off(self) -> bool:
        """Whether everything is kept for ever."""
        return self.keep_days is None and not self.programmes

    def days_for(self, programme: Bilingual | None) -> int | None:
        """Return how many days a session of that programme is kept; ``None`` for ever.

        Example:
            >>> RetentionRule(programmes=(("Café", 30),)).days_for(Bilingual(fr="CAFÉ"))
            30
        """
        own = [] if programme is None else [days for name, days in self.programmes if is_called(name, programme)]
        return min(own, default=self.keep_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A session that is to be withdrawn.

    Attributes:
        entry: What the lists tell of it.
        day: Day of the session, or of its publication where it has none.
        days: How long it is kept.
    """

    entry: CatalogueEntry
    day: dt.date
    days: int

    @property
    def since(self) -> dt.date:
        """First day on which it is due."""
        return self.day + dt.timedelta(days=self.days)


def find_due(rule: RetentionRule, store: Store, today: dt.date) -> Iterator[Due]:
    """Yield what is due on a day, the newest session first, those without a date last.

    Raises:
        StoreCorrupt: A list or a manifest cannot be read.
        StoreError: See :class:`Store`.
    """
    for entry in read_entries(store):
        days = rule.days_for(entry.programme)
        if days is None or (day := entry.date or _published_on(entry, store)) is None:
            continue
        due = Due(entry=entry, day=day, days=days)
        if due.since <= today:
            yield due


def _published_on(entry: CatalogueEntry, store: Store) -> dt.date | None:
    manifest = read_manifest(entry.session_id, store)
    return None if manifest is None else manifest.published_at.date()
