"""How others cite a session.

In go a published session and the language of its page, out comes one reference: who, what, in which series, from whom,
when, where. It is given in parts, because a title may be in the other language and has to be marked as such. Stands
alone because the order of a reference is a matter of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.formatting import format_date, join_names
from pipeline.messages import message
from pipeline.site.model import PublishedSession, SiteOptions
from pipeline.types import Language, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedPart:
    """A part of a reference.

    Attributes:
        text: Without white space at either end.
        language: That it is in.
        stop: What parts it from the next: a full stop or a comma.
    """

    text: str
    language: Language
    stop: str = "."


def cite(published: PublishedSession, language: Language, site: SiteOptions) -> tuple[CitedPart, ...]:
    """Return a reference to a session in order of its parts; its address is left to the page, which always knows it."""
    return tuple(_cite(published, language, site))


def _cite(published: PublishedSession, language: Language, site: SiteOptions) -> Iterator[CitedPart]:
    session = published.session
    people = _people(session, language)
    if people:
        yield CitedPart(text=join_names(people, language), language=language)
    title, own = session.title.find(language)
    yield CitedPart(text=message("session_page.cite_quoted", own, title=title), language=own)
    if session.programme:
        programme, own = session.programme.find(language)
        yield CitedPart(text=programme, language=own, stop="," if session.week else ".")
    if session.week:
        # Within a series it goes on the sentence; alone it begins one.
        code = "session_page.cite_week" if session.programme else "site.week"
        yield CitedPart(text=message(code, language, week=session.week), language=language)
    yield CitedPart(text=site.name.get(language), language=site.name.find(language)[1], stop=",")
    day = session.date or published.published_at.date()
    yield CitedPart(text=format_date(day, language), language=language)


def _people(session: Session, language: Language) -> list[str]:
    """Return who is to be named: guests first, for it is their talk."""
    names = [guest.name for guest in session.guests]
    if session.host and session.host.name not in names:
        names.append(message("session_page.cite_host", language, name=session.host.name))
    return names
