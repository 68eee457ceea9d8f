"""What a facilitator is told when something becomes of their recording, in both languages.

In go session records, out come :class:`Event`s, one for each thing worth telling, and for each of them an
:class:`Announcement`. No word of a transcript is in any: what is in doubt is only counted, since a message leaves the
house. Stands alone because what is said is one thing, and the ways it is sent are another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from pipeline.journal import Failed, NeedsReview, Published, Rejected, SessionRecord, Withdrawn
from pipeline.messages import message
from pipeline.naming import is_called
from pipeline.types import LANGUAGES, Bilingual, Language, Notice
from pipeline.visible import shorten, visible
from pipeline.web_address import is_correspondent, is_web_address

Kind = Literal["published", "set_aside", "failed", "needs_review", "withdrawn"]

_TITLE_LENGTH: Final = 150
_RULE: Final = "\n\n—\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOptions:
    """How mail is sent.

    Attributes:
        to: Addresses of those who are told of sessions that no programme below is theirs.
        programmes: Addresses of those who are told of a programme's sessions, by its name in either language.
        sender: Address that it comes from.
        host: Of the SMTP server.
        port: Of the SMTP server.
        security: ``starttls``, ``tls`` from the first byte, or ``none``.
        user: Who we are; empty to send without saying.
        password: The proof.
    """

    to: tuple[str, ...]
    sender: str
    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    programmes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        for address in (*self.to, *(each for _, own in self.programmes for each in own), self.sender):
            if not is_correspondent(address):
                raise ValueError(f"not an address for mail: {address!r}")
        if not self.host:
            raise ValueError("mail needs the name of an SMTP server")

    def addresses_for(self, programme: Bilingual | None) -> tuple[str, ...]:
        """Return whom to tell of a session of that programme; nobody where nobody is named.

        Example:
            >>> rules = (("Café", ("zoe@example.org",)),)
            >>> mail = MailOptions(to=(), programmes=rules, sender="t@example.org", host="localhost")
            >>> mail.addresses_for(Bilingual(fr="CAFÉ")), mail.addresses_for(None)
            (('zoe@example.org',), ())
        """
        named = () if programme is None else (own for name, own in self.programmes if is_called(name, programme))
        found = tuple(dict.fromkeys(address for own in named for address in own))
        return found or self.to


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """Which channel is written to.

    Attributes:
        url: Its address, which is a secret.
        form: What it takes: ``slack`` (also Mattermost, Rocket.Chat) or ``teams`` (a workflow's address).
    """

    url: str = field(repr=False)
    form: Literal["slack", "teams"] = "slack"

    def __post_init__(self) -> None:
        if not is_web_address(self.url):
            raise ValueError("not a web address for notifications")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing worth telling.

    Attributes:
        key: The same for the same thing, whenever it is asked; of letters, digits and hyphens.
        kind: What it is.
        when_ms: Unix time.
        name: Of the file that was dropped, as it can be shown.
        titles: The session's, for readers of each language.
        languages: English and French, that of the session first.
        programme: That the session is of.
        reasons: Why, where it was set aside or failed.
        pages: Address of its page in each language, where it is published.
        remarks: How many things there are to look at.
    """

    key: str
    kind: Kind
    when_ms: int
    name: str
    titles: tuple[tuple[Language, str], ...]
    languages: tuple[Language, ...]
    programme: Bilingual | None = None
    reasons: tuple[Notice, ...] = ()
    pages: tuple[tuple[Language, str], ...] = ()
    remarks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is said of an event.

    Attributes:
        key: Of the event.
        when_ms: Unix time of the event.
        subject: One line, in both languages.
        text: Paragraphs, in one language after the other.
        programme: That the session is of.
        links: Text and address of the pages.
    """

    key: str
    when_ms: int
    subject: str
    text: str
    programme: Bilingual | None = None
    links: tuple[tuple[str, str], ...] = ()


def find_events(records: Iterable[SessionRecord]) -> tuple[Event, ...]:
    """Return everything that the journal has to tell, the oldest first."""
    found = (event for record in records for event in _events(record))
    return tuple(sorted(found, key=lambda event: (event.when_ms, event.key)))


def announce(event: Event) -> Announcement:
    """Say what has happened, in both languages."""
    titles = {language: _one_line(title) for language, title in event.titles}
    subjects = [
        message(f"notifications.{event.kind}_subject", language, title=titles[language]) for language in event.languages
    ]
    pages = dict(event.pages)
    return Announcement(
        key=event.key,
        when_ms=event.when_ms,
        subject=" / ".join(subjects),
        text=_RULE.join(_tell(event, language, titles[language]) for language in event.languages),
        programme=event.programme,
        links=tuple(
            (message(f"status.page_{language}", language), pages[language])
            for language in event.languages
            if language in pages
        ),
    )


def _events(record: SessionRecord) -> Iterator[Event]:
    state = record.state
    if isinstance(state, Published) and not record.again:
        yield _event(record, "published", f"{state.revision}-{record.attempt}", pages=state.pages, notes=state.notes)
    elif isinstance(state, Failed):
        yield _event(record, "failed", f"failed-{record.attempt}", reasons=state.reasons)
    elif isinstance(state, NeedsReview):
        yield _event(record, "needs_review", f"waiting-{record.attempt}")
    elif isinstance(state, Withdrawn):
        yield _event(record, "withdrawn", f"withdrawn-{record.attempt}")
    for drop in record.drops:
        if drop.set_aside is not None:
            # A recording that was given back after hours was dropped that long ago.
            when_ms = max(drop.when_ms, record.when_ms) if isinstance(state, Rejected) else drop.when_ms
            key = f"set-aside-{drop.when_ms}"
            yield _event(record, "set_aside", key, when_ms=when_ms, name=drop.name, reasons=drop.reasons)


def _event(
    record: SessionRecord,
    kind: Kind,
    key: str,
    *,
    when_ms: int | None = None,
    name: str | None = None,
    reasons: tuple[Notice, ...] = (),
    pages: tuple[tuple[Language, str], ...] = (),
    notes: tuple[Notice, ...] = (),
) -> Event:
    session = record.session
    return Event(
        key=f"{session.id}-{key}",
        kind=kind,
        when_ms=record.when_ms if when_ms is None else when_ms,
        name=record.recording.name if name is None else name,
        titles=tuple((language, session.title.get(language)) for language in LANGUAGES),
        languages=tuple(sorted(LANGUAGES, key=lambda language: language != session.language)),
        programme=session.programme,
        reasons=reasons,
        pages=pages,
        remarks=len(notes),
    )


def _tell(event: Event, language: Language, title: str) -> str:
    pages = dict(sorted(event.pages, key=lambda page: page[0] != language))
    lines = [
        message(f"notifications.{event.kind}", language, title=title, name=_one_line(event.name)),
        *(message(reason.code, language, **dict(reason.data)) for reason in event.reasons),
        *(f"{message(f'status.page_{each}', language)} · {pages[each]}" for each in pages),
    ]
    if event.remarks:
        lines.append(message("notifications.remarks", language, count=event.remarks))
    return "\n\n".join(visible(line) for line in [*lines, message("notifications.where", language)])


def _one_line(text: str) -> str:
    return shorten(" ".join(visible(text).split()), _TITLE_LENGTH)
