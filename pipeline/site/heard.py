"""What was heard in a programme, as its page tells it to readers of one language.

In go themes with the sessions that they were heard in, out come the same in the order and under the names of the page:
first what is said in the reader's language, then what is said only in the other, which is shown as it was said.
Stands alone so that what is on the page can be tested without a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.messages import message
from pipeline.site.model import CatalogueEntry
from pipeline.speakers import speaker_label
from pipeline.themes import CommonTheme
from pipeline.types import LANGUAGES, Language


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldQuotation:
    """A passage on the page; ``speaker`` is ``None`` where nobody could be told."""

    text: str
    language: str
    speaker: str | None
    start_ms: int
    entry: CatalogueEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTheme:
    """A theme on the page; ``names`` are its phrases with their languages, the reader's first."""

    names: tuple[tuple[str, str], ...]
    sessions: int
    quotations: tuple[ToldQuotation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldGroup:
    """The themes under one heading; ``heading`` is ``None`` where there is only one group, in the reader's language."""

    heading: str | None
    themes: tuple[ToldTheme, ...]


def tell_themes(
    themes: Sequence[CommonTheme], entries: Sequence[CatalogueEntry], language: Language
) -> tuple[ToldGroup, ...]:
    """Return what the page shows, nothing where there are no themes.

    Args:
        themes: Of the programme, in order.
        entries: Its sessions; what is quoted of any other is left out.
        language: The reader's.
    """
    by_id = {entry.session_id: entry for entry in entries}
    order = (language, *(other for other in LANGUAGES if other != language))
    groups = []
    for spoken in order:
        rest = order[: order.index(spoken)]
        own = [theme for theme in themes if spoken in theme.languages and theme.languages.isdisjoint(rest)]
        told = tuple(_told(theme, by_id, language) for theme in own)
        if told:
            groups.append((spoken, told))
    alone = [spoken for spoken, _ in groups] == [language]
    return tuple(
        ToldGroup(heading=None if alone else message(f"heard.spoken_{spoken}", language), themes=told)
        for spoken, told in groups
    )


def _told(theme: CommonTheme, by_id: dict[str, CatalogueEntry], language: Language) -> ToldTheme:
    names = sorted(theme.phrases, key=lambda name: (name[0] != language, name[0]))
    return ToldTheme(
        names=tuple((spoken, phrase[:1].upper() + phrase[1:]) for spoken, phrase in names),
        sessions=theme.sessions,
        quotations=tuple(
            ToldQuotation(
                text=said.quotation,
                language=said.language,
                speaker=None if said.speaker is None else speaker_label(said.speaker, language),
                start_ms=said.start_ms,
                entry=by_id[session_id],
            )
            for session_id, said in theme.quotations
            if session_id in by_id
        ),
    )
