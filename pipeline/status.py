"""The inbox's own pages: where every drop stands, in English and in French.

What a sweep saw and what the journal knows come in; ``status.html`` and ``etat.html``, which point at each other, come
out in the inbox, so that a facilitator needs no other program to see how far their recording is. They are written only
when something changed, whole, with every name escaped. It stands alone because it only looks: it could fail without any
recording noticing.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined, Template

from pipeline.durable import write_changed
from pipeline.formatting import format_moment
from pipeline.inbox import REJECTED, STATUS_PAGES, IntakeOptions
from pipeline.intake import SweepResult
from pipeline.journal import (
    Claimed,
    Drop,
    Failed,
    NeedsReview,
    Processing,
    Published,
    SessionRecord,
    Withdrawn,
    decode_name,
)
from pipeline.messages import catalogue, message
from pipeline.naming import printable
from pipeline.types import LANGUAGES, Language, Notice

_PUBLISHED_SHOWN: Final = 100
"""How many published sessions are listed, the latest; the catalogue has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    text: str
    address: str
    language: Language | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One drop as the page shows it.

    Attributes:
        name: The file's, with its folders under the inbox, as it can be shown.
        state: In a word or two.
        title: The session's, with the language it is in.
        since: As a machine reads it and as a person does.
        share: Percent done of the stage, where one is running.
        notes: What to know or do.
        links: Where to go.
    """

    name: str
    state: str
    title: tuple[str, Language] | None = None
    since: tuple[str, str] | None = None
    share: int | None = None
    notes: tuple[str, ...] = ()
    links: tuple[_Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    key: str
    rows: Sequence[_Row]


def write_status(
    options: IntakeOptions,
    result: SweepResult,
    records: Iterable[SessionRecord],
    *,
    zone: dt.tzinfo = dt.UTC,
    review: str = "",
) -> bool:
    """Write the inbox's status pages where they are not up to date.

    Args:
        options: The intake's.
        result: Of the sweep just made; nothing is written for a busy one, since the other watcher writes.
        records: Every record of the journal.
        zone: In which times are shown.
        review: Address of the review pages, with a slash at the end; empty where they do not run.

    Returns:
        Whether a page was written.

    Raises:
        OSError: The inbox cannot be written.
    """
    if result.busy:
        return False
    known = tuple(records)
    pages = {
        language: render_status(options, result, known, language, zone=zone, review=review) for language in LANGUAGES
    }
    written = [write_changed(options.inbox / STATUS_PAGES[language], page) for language, page in pages.items()]
    return any(written)


def render_status(
    options: IntakeOptions,
    result: SweepResult,
    records: Sequence[SessionRecord],
    language: Language,
    *,
    zone: dt.tzinfo = dt.UTC,
    review: str = "",
) -> str:
    """Return one status page as HTML.

    Looks into the folder for what was set aside, and leaves out what is no longer there.

    Args:
        options: The intake's.
        result: Of a sweep.
        records: Every record of the journal.
        language: Of the page.
        zone: In which times are shown.
        review: Address of the review pages; empty where they do not run.
    """
    view = _View(options, language, zone, review)
    latest = sorted(records, key=lambda record: (-record.when_ms, record.session.id))
    groups: tuple[_Group, ...] = (
        _Group(
            key="attention",
            rows=[*view.waiting(result), *view.failed(latest), *view.to_review(latest), *view.set_aside(latest)],
        ),
        _Group(key="progress", rows=[*view.settling(result), *view.under_way(latest)]),
        _Group(key="published", rows=[*view.published(latest)][:_PUBLISHED_SHOWN]),
    )
    withdrawn = _Group(key="withdrawn", rows=[*view.withdrawn(latest)])
    groups += (withdrawn,) if withdrawn.rows else ()
    other: Language = "fr" if language == "en" else "en"
    return _template().render(
        language=language, other=other, other_page=STATUS_PAGES[other], groups=groups, say=view.say, script=_script()
    )


class _View:
    """Rows of one page, in one language."""

    def __init__(self, options: IntakeOptions, language: Language, zone: dt.tzinfo, review: str) -> None:
        self.options = options
        self.language = language
        self.zone = zone
        self.review = review

    def say(self, key: str, **data: object) -> str:
        return message(f"status.{key}", self.language, **data)

    def waiting(self, result: SweepResult) -> Iterator[_Row]:
        for each in result.waiting:
            yield _Row(name=each.name, state=self.say("waiting"), notes=self._notes(each.reasons))

    def settling(self, result: SweepResult) -> Iterator[_Row]:
        for name in result.settling:
            yield _Row(name=name, state=self.say("settling"), notes=(self.say("settling_note"),))

    def failed(self, records: Iterable[SessionRecord]) -> Iterator[_Row]:
        for record in records:
            if isinstance(record.state, Failed):
                notes = (*self._notes(record.state.reasons), self.say("failed_note"))
                yield self._row(record, self.say("failed"), notes=notes)

    def to_review(self, records: Iterable[SessionRecord]) -> Iterator[_Row]:
        for record in records:
            if isinstance(record.state, NeedsReview):
                yield self._row(record, self.say("needs_review"), notes=(self.say("needs_review_note"),))

    def set_aside(self, records: Iterable[SessionRecord]) -> Iterator[_Row]:
        drops = (drop for record in records for drop in record.drops)
        for drop in sorted(drops, key=lambda drop: (-drop.when_ms, drop.path)):
            if drop.set_aside is not None and (self.options.rejected / decode_name(drop.set_aside)).exists():
                yield self._set_aside_row(drop, drop.set_aside)

    def _set_aside_row(self, drop: Drop, kept_as: str) -> _Row:
        return _Row(
            name=_shown_path(drop),
            state=self.say("set_aside"),
            since=self._moment(drop.when_ms),
            notes=self._notes(drop.reasons),
            links=(_Link(text=printable(decode_name(kept_as)), address=f"{REJECTED}/{kept_as}"),),
        )

    def under_way(self, records: Iterable[SessionRecord]) -> Iterator[_Row]:
        for record in records:
            if isinstance(record.state, Processing):
                share = max(0, min(100, int(record.state.share * 100)))
                yield self._row(record, self._stage(record.state.stage), share=share)
            elif isinstance(record.state, Claimed):
                yield self._row(record, self.say(_waits_for(record.state)))

    def published(self, records: Iterable[SessionRecord]) -> Iterator[_Row]:
        for record in records:
            if isinstance(record.state, Published):
                yield self._row(record, self.say("published"), notes=self._notes(record.state.notes))

    def withdrawn(self, records: Iterable[SessionRecord]) -> Iterator[_Row]:
        for record in records:
            if isinstance(record.state, Withdrawn):
                note = self.say("withdrawn_note", reason=printable(record.state.reason))
                yield self._row(record, self.say("withdrawn"), notes=(note,))

    def _row(self, record: SessionRecord, state: str, *, notes: tuple[str, ...] = (), share: int | None = None) -> _Row:
        return _Row(
            name=_dropped_as(record),
            state=state,
            title=record.session.title.find(self.language),
            since=self._moment(record.when_ms),
            share=share,
            notes=notes,
            links=(*self._pages(record.publication), *self._review_link(record)),
        )

    def _pages(self, publication: Published | None) -> Iterator[_Link]:
        pages = dict(publication.pages) if publication else {}
        for language in sorted(pages, key=lambda each: each != self.language):
            # What a page links to is decided here once more: an address is data like any other.
            if pages[language].startswith(("https://", "http://")):
                yield _Link(text=self.say(f"page_{language}"), address=pages[language], language=language)

    def _review_link(self, record: SessionRecord) -> Iterator[_Link]:
        if self.review and isinstance(record.state, NeedsReview | Published):
            address = f"{self.review}{self.language}/sessions/{record.session.id}"
            yield _Link(text=self.say("review_link"), address=address)

    def _stage(self, stage: str) -> str:
        known = f"status.stage_{stage}" in catalogue()
        return self.say(f"stage_{stage}" if known else "stage_other")

    def _notes(self, why: Iterable[Notice]) -> tuple[str, ...]:
        return tuple(message(each.code, self.language, **dict(each.data)) for each in why)

    def _moment(self, when_ms: int) -> tuple[str, str]:
        moment = dt.datetime.fromtimestamp(when_ms // 1000, self.zone)
        return moment.isoformat(), format_moment(moment, self.language)


def _dropped_as(record: SessionRecord) -> str:
    """Return where a recording was dropped last: two folders may well hold a file of the same name."""
    taken = (drop for drop in reversed(record.drops) if drop.set_aside is None)
    return next((_shown_path(drop) for drop in taken if drop.name == record.recording.name), record.recording.name)


def _shown_path(drop: Drop) -> str:
    return printable(str(drop.relative))


def _waits_for(state: Claimed) -> str:
    return "reviewing" if state.reviewed else "updating" if state.updated else "claimed"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_resource("status.html"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    source: str
    digest: str


@cache
def _script() -> _Script:
    """Return the page's script with the digest by which its policy lets this one run and no other."""
    source = _resource("refresh.js")
    return _Script(source=source, digest=base64.b64encode(hashlib.sha256(source.encode()).digest()).decode())


def _resource(name: str) -> str:
    return (files("pipeline") / "status_templates" / name).read_text(encoding="utf-8")
