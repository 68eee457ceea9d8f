"""What the learner pages are made from.

Publishing fills these values and the page builder turns them into HTML; neither knows the other. A
:class:`PublishedSession` holds nothing but what is published beside the page (``session.json``, the transcript and the
manifest), so a page can be made again from the store alone. Addresses are relative, so the pages work on any host, in
any bucket and below any folder. Stands alone so that templates can be changed without touching what publishes them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.types import (
    LANGUAGES,
    Bilingual,
    Chapter,
    Cue,
    Highlight,
    Language,
    Notice,
    Provenance,
    Session,
    Transcript,
)
from pipeline.web_address import is_form_address, is_mailbox, is_web_address


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """What an institution can say about its pages.

    Attributes:
        name: Shown at the top of every page.
        address: Where learners reach the site's root, without a slash at the end. ``None`` where nobody said: then
            nothing is made that needs whole addresses, such as feeds.
        report_mail: Mailbox that takes reports of errors; ``None`` for none.
        report_form: Address of a form that takes them, which is offered rather than the mailbox; ``None`` for none.
    """

    name: Bilingual = field(default_factory=lambda: Bilingual.same("Tribune"))
    address: str | None = None
    report_mail: str | None = None
    report_form: str | None = None

    def __post_init__(self) -> None:
        if not all(self.name.get(language).strip() for language in LANGUAGES):
            raise ValueError("the site needs a name")
        if self.address is not None and (not is_web_address(self.address) or self.address.endswith("/")):
            raise ValueError(f"not the address of a site: {self.address!r}")
        if self.report_mail is not None and not is_mailbox(self.report_mail):
            raise ValueError(f"not the address of a mailbox: {self.report_mail!r}")
        if self.report_form is not None and not is_form_address(self.report_form):
            raise ValueError(f"not the address of a form: {self.report_form!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFile:
    """A file that pages need and that is the same for all of them: a style sheet, a script.

    Attributes:
        key: Key below the site's root, ``assets/<digest>/<name>``; the digest changes when the bytes of any of the
            files do, because browsers keep these files for a year.
        body: The bytes.
        content_type: As sent to browsers, with charset for text.
    """

    key: str
    body: bytes
    content_type: str

    def __post_init__(self) -> None:
        parts = self.key.split("/")
        if not self.key.isascii() or len(parts) < 3 or parts[0] != "assets" or any(p in {"", ".", ".."} for p in parts):
            raise ValueError(f"not a key of the site's own files: {self.key!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFile:
    """A view of what is published that other programs read or show: a feed, a record, a player to embed.

    Attributes:
        key: Key below the site's root.
        body: The bytes; ``None`` where there is nothing to be read, nor is what may have been there before.
        content_type: As sent to programs, with charset for text.
    """

    key: str
    body: bytes | None
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """One file of a published session.

    Attributes:
        name: Its name within the revision, e.g. ``captions.en.vtt``.
        href: Percent-encoded address relative to the session's page.
        size: Bytes.
        content_type: As sent to browsers.
        role: What it is to a learner: see :class:`pipeline.types.Artifact`.
        language: Of its text, where it has one.
        download_name: What a browser saves it as, where it is meant to be saved.
    """

    name: str
    href: str
    size: int
    content_type: str
    role: str
    language: Language | None = None
    download_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSession:
    """One session as its page shows it; the page lies at ``sessions/<id>/<language>.html``.

    Attributes:
        session: What was recorded.
        transcript: Every word as recognised: what the player follows.
        cues: The captions, in order.
        edited: The same words made readable, where editing has been done.
        files: Everything that can be played or downloaded, in order of name.
        revision: Name of the revision's folder, e.g. ``r1-3fa9c1d2``.
        published_at: When this revision was first made, with its time zone.
        provenance: What made it.
        notices: What a reader should know: lowered, doubted or guessed.
        recording_name: The name that the recording was dropped under.
        chapters: The session by topic; empty where it is not divided.
        highlights: The passages that carry most, in order.
    """

    session: Session
    transcript: Transcript
    cues: tuple[Cue, ...]
    files: tuple[PublishedFile, ...]
    revision: str
    published_at: dt.datetime
    provenance: Provenance
    notices: tuple[Notice, ...] = ()
    edited: Transcript | None = None
    recording_name: str | None = None
    chapters: tuple[Chapter, ...] = ()
    highlights: tuple[Highlight, ...] = ()

    @property
    def duration_ms(self) -> int:
        """Length of the recording in milliseconds."""
        return self.transcript.duration_ms

    @property
    def folder(self) -> str:
        """Key below which everything of the session lies, with a slash at the end."""
        return f"sessions/{self.session.id}/"

    def file(self, role: str, content_type: str | None = None) -> PublishedFile | None:
        """Return the first file of that role (and type, its parameters left out), or ``None``.

        Example:
            ``published.file("captions", "text/vtt")`` is what the player shows.
        """
        for file in self.files:
            if file.role == role and content_type in {None, file.content_type.partition(";")[0].strip()}:
                return file
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One session in the list of all.

    Attributes:
        session_id: Whose it is.
        title: As on its page.
        languages: Spoken in it, the main one first.
        date: Day of the session.
        programme: The programme it belongs to.
        week: Week of that programme, from 1.
        topics: What it is about.
        guests: Full names.
        duration_ms: Length of the recording.
        revision: Which state of the session this tells of.
        poster: Key of the picture below the site's root, where there is one.
        pages: Key of the session's page in each interface language, below the site's root.
        description: What it is about, in a sentence or two.
        published_at: When this state was first made, with its time zone.
        files: What can be played, with its captions and chapters; addresses relative to the session's page.
    """

    session_id: str
    title: Bilingual
    languages: tuple[Language, ...]
    duration_ms: int
    revision: str
    pages: tuple[tuple[Language, str], ...]
    date: dt.date | None = None
    programme: Bilingual | None = None
    week: int | None = None
    topics: tuple[Bilingual, ...] = ()
    guests: tuple[str, ...] = ()
    poster: str | None = None
    description: Bilingual | None = None
    published_at: dt.datetime | None = None
    files: tuple[PublishedFile, ...] = ()

    def page(self, language: Language) -> str:
        """Return the key of the session's page for readers of that language."""
        return dict(self.pages)[language]

    @property
    def folder(self) -> str:
        """Key below which everything of the session lies, with a slash at the end."""
        return f"sessions/{self.session_id}/"

    def file(self, *roles: str) -> PublishedFile | None:
        """Return the first file of the first of these roles that there is one of."""
        return next((file for role in roles for file in self.files if file.role == role), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One list of sessions among the lists: those of a month, of a programme, or without a date.

    Attributes:
        key: Its name, of letters, digits and hyphens.
        count: How many sessions it holds.
        month: First day of the month, where it is a month's.
        programme: The programme, where it is a programme's.
        latest: Day of its latest session, where any has one.
        published_at: When the state of any of its sessions was made last, with its time zone.
    """

    key: str
    count: int
    month: dt.date | None = None
    programme: Bilingual | None = None
    latest: dt.date | None = None
    published_at: dt.datetime | None = None

    def page(self, language: Language) -> str:
        """Return the key of its page for readers of that language, below the site's root."""
        return f"{language}/lists/{self.key}.html"


class Views(Protocol):
    """Values to pages, and to what other programs read.

    The same values give the same bytes, so that publishing can tell what has changed.
    """

    def assets(self) -> Sequence[SiteFile]:
        """Return what the pages need; written before any page that refers to it."""
        ...

    def session_pages(self, published: PublishedSession) -> Mapping[Language, str]:
        """Return the page of a session in each interface language; lies at ``sessions/<id>/<language>.html``."""
        ...

    def withdrawn_pages(self, withdrawn_on: dt.date) -> Mapping[Language, str]:
        """Return what stands at the address of a session that was withdrawn, in each interface language."""
        ...

    def catalogue_pages(self, entries: Sequence[CatalogueEntry], shelves: Sequence[Shelf]) -> Mapping[str, str]:
        """Return the first page of the lists by key: ``en/index.html``, ``fr/index.html`` and ``index.html``.

        Args:
            entries: The latest sessions.
            shelves: Every list there is, where the page does not show all sessions itself; else none.
        """
        ...

    def shelf_pages(self, shelf: Shelf, entries: Sequence[CatalogueEntry]) -> Mapping[str, str]:
        """Return the pages of one list by key, as :meth:`Shelf.page` gives it."""
        ...

    def session_files(self, published: PublishedSession) -> Sequence[MachineFile]:
        """Return what other programs read of a session, all below ``sessions/<id>/``: always the same keys."""
        ...

    def shelf_files(self, shelf: Shelf, entries: Sequence[CatalogueEntry]) -> Sequence[MachineFile]:
        """Return what other programs read of one list, feeds or a part of the sitemap: always the same keys."""
        ...

    def site_files(self, entries: Sequence[CatalogueEntry], shelves: Sequence[Shelf]) -> Sequence[MachineFile]:
        """Return what other programs read of all sessions, feeds, sitemap, ``robots.txt``: always the same keys.

        The last of them changes only when every list has to be told anew, as under another address.

        Args:
            entries: The sessions that were published last, at least as many as a feed holds, where there are.
            shelves: Every list there is.
        """
        ...
