"""The sessions of a programme in their order, from which a session's page finds those before and after it.

In go the sessions of a programme, out comes a small file for each language: their pages, titles, weeks and languages.
A session's own page knows no other session, so that it stays as it is when others come and go; its script
(``assets/onward.js``) reads this. Stands alone because pages name the file and lists write it, and both must agree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pipeline.site.model import CatalogueEntry, MachineFile
from pipeline.site.subjects import list_key
from pipeline.site.writing import JSON, write_json
from pipeline.types import Bilingual, Language


def order_key(programme: Bilingual, language: Language) -> str:
    """Return where the order of a programme's sessions lies, for readers of that language, below the site's root."""
    return f"{language}/lists/{list_key('programme', programme)}-sessions.json"


def make_order(programme: Bilingual, entries: Sequence[CatalogueEntry], language: Language) -> MachineFile:
    """Return the sessions of a programme in order; without a body where it has none.

    Args:
        programme: Its name.
        entries: All its sessions, in any order.
        language: Of the titles, and of the pages.
    """
    told = [_tell(entry, language) for entry in sorted(entries, key=_place)]
    body = write_json({"sessions": told}) if told else None
    return MachineFile(key=order_key(programme, language), body=body, content_type=JSON)


def _tell(entry: CatalogueEntry, language: Language) -> dict[str, object]:
    title, own = entry.title.find(language)
    told: dict[str, object] = {"page": entry.page(language), "title": title, "languages": entry.languages}
    if own != language:
        told["lang"] = own
    if entry.week is not None:
        told["week"] = entry.week
    return told


def _place(entry: CatalogueEntry) -> tuple[bool, int, dt.date, str]:
    """Return where a session comes: by week, those outside the weeks last, always the earliest first."""
    return entry.week is None, entry.week or 0, entry.date or dt.date.max, entry.session_id
