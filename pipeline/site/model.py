"""What the learner pages are made from.

Publishing fills these values and the page builder turns them into HTML; neither knows the other. A
:class:`PublishedSession` holds nothing but what is published beside the page (``session.json``, the transcript and the
manifest), so a page can be made again from the store alone. Addresses are relative, so the pages work on any host, in
any bucket and below any folder. Stands alone so that templates can be changed without touching what publishes them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, get_args

from pipeline.themes import CommonTheme, Theme
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

Look = Literal["neutral", "gc"]
"""The looks that there are: nobody's, or those of the Government of Canada's design system."""

SESSIONS: Final = "sessions/"
"""What the keys of everything that is published of any session begin with."""

SubjectKind = Literal["programme", "community", "topic", "person", "language"]
IndexKind = Literal["programme", "community", "topic", "person", "language", "date"]
INDEXES: Final[dict[IndexKind, str]] = {
    "programme": "programmes",
    "community": "communities",
    "topic": "topics",
    "person": "people",
    "language": "languages",
    "date": "dates",
}
"""The ways into the lists, with the name of each one's page in addresses."""
OTHER_LETTER: Final = "0"
"""Stands for every name that begins with no letter from A to Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """What an institution can say about its pages.

    Attributes:
        name: Shown at the top of every page.
        address: Where learners reach the site's root, without a slash at the end. ``None`` where nobody said: then
            nothing is made that needs whole addresses, such as feeds.
        report_mail: Mailbox that takes reports of errors; ``None`` for none.
        report_form: Address of a form that takes them, which is offered rather than the mailbox; ``None`` for none.
        theme: How the pages look. ``gc`` is for institutions of the Government of Canada; it has neither signature nor
            wordmark.
    """

    name: Bilingual = field(default_factory=lambda: Bilingual.same("Tribune"))
    address: str | None = None
    report_mail: str | None = None
    report_form: str | None = None
    theme: Look = "neutral"

    def __post_init__(self) -> None:
        if self.theme not in get_args(Look):
            raise ValueError(f"no such theme: {self.theme!r}")
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


OF_WORDS: Final = frozenset({"transcript", "comparison", "captions", "chapters", "schema"})
"""Roles of files that hold what was said."""


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

    @property
    def media_type(self) -> str:
        """The type without its parameters."""
        return self.content_type.partition(";")[0].strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSession:
    """One session as its page shows it; the page lies at ``sessions/<id>/<language>.html``.

    Attributes:
        session: What was recorded.
        transcript: Every word as recognised: what the player follows.
        cues: The captions, in order.
        edited: The same words made readable, where editing has been done.
        files: Everything that was published, in order of name.
        revision: Name of the revision's folder, e.g. ``r1-3fa9c1d2``.
        published_at: When this revision was first made, with its time zone.
        provenance: What made it.
        notices: What a reader should know: lowered, doubted or guessed.
        recording_name: The name that the recording was dropped under.
        chapters: The session by topic; empty where it is not divided.
        highlights: The passages that carry most, in order.
        themes: What the session comes back to.
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
    themes: tuple[Theme, ...] = ()

    @property
    def duration_ms(self) -> int:
        """Length of the recording in milliseconds."""
        return self.transcript.duration_ms

    @property
    def offered(self) -> tuple[PublishedFile, ...]:
        """The files that are worth anybody's while: where nobody speaks, those of words hold none."""
        spoken = bool(self.transcript.turns)
        return tuple(file for file in self.files if spoken or file.role not in OF_WORDS)

    @property
    def folder(self) -> str:
        """Key below which everything of the session lies, with a slash at the end."""
        return session_prefix(self.session.id)

    def file(self, role: str, content_type: str | None = None) -> PublishedFile | None:
        """Return the first file of that role (and type, its parameters left out), or ``None``.

        Example:
            ``published.file("captions", "text/vtt")`` is what the player shows.
        """
        for file in self.files:
            if file.role == role and content_type in {None, file.media_type}:
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
        community: The community of practice that it is for.
        topics: What it is about.
        host: Full name of who led it.
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
    community: Bilingual | None = None
    topics: tuple[Bilingual, ...] = ()
    host: str | None = None
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
        return session_prefix(self.session_id)

    def file(self, *roles: str) -> PublishedFile | None:
        """Return the first file of the first of these roles that there is one of."""
        return next((file for role in roles for file in self.files if file.role == role), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What sessions can be found by.

    Attributes:
        kind: What it is to a session.
        name: As it is written; of a language its code, of a person the same in both languages.
    """

    kind: SubjectKind
    name: Bilingual


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One list of sessions among the lists: those of a month or without a date, of a subject, or of a part of one.

    Attributes:
        key: Its name, of letters, digits and hyphens.
        count: How many sessions it holds.
        month: First day of the month, where it is a month's of all sessions.
        programme: The programme, where it is a programme's.
        subject: What it is of, where it is of another subject.
        part: Which of the subject's sessions it holds, where not all: ``2026``, ``2026-11`` or ``undated``.
        latest: Day of its latest session, where any has one.
        published_at: When the state of any of its sessions was made last, with its time zone.
    """

    key: str
    count: int
    month: dt.date | None = None
    programme: Bilingual | None = None
    subject: Subject | None = None
    part: str | None = None
    latest: dt.date | None = None
    published_at: dt.datetime | None = None

    @property
    def about(self) -> Subject | None:
        """What it is of; ``None`` where it is of a date, or of none."""
        return self.subject if self.programme is None else Subject(kind="programme", name=self.programme)

    def page(self, language: Language) -> str:
        """Return the key of its page for readers of that language, below the site's root."""
        return list_page_key(self.key, language)

    def heard_page(self, language: Language) -> str:
        """Return the key of the page of what its sessions have in common, where there is one."""
        return f"{language}/lists/{self.key}-heard.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a list's page leads to.

    Attributes:
        whole: The list that this one is a part of.
        parts: Those of this list, the newest first, where its page does not show every session; else none.
        newer: The list of the next month or part.
        older: The list of the one before.
        heard: Whether there is a page of what the sessions of this list have in common.
    """

    whole: Shelf | None = None
    parts: tuple[Shelf, ...] = ()
    newer: Shelf | None = None
    older: Shelf | None = None
    heard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The subjects of a kind whose name in a language begins with one letter.

    Attributes:
        kind: Of the subjects.
        language: Of the names.
        letter: From ``a`` to ``z``, or :data:`OTHER_LETTER`.
        count: How many subjects.
    """

    kind: SubjectKind
    language: Language
    letter: str
    count: int = 0

    @property
    def key(self) -> str:
        """Its name among the lists."""
        return f"{INDEXES[self.kind]}-{self.language}-{self.letter}"

    @property
    def page(self) -> str:
        """The key of its page below the site's root."""
        return f"{self.language}/lists/{INDEXES[self.kind]}-{self.letter}.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A page that leads to every list of one kind, or to those under one letter.

    Attributes:
        kind: Of the lists.
        language: Of the page.
        letter: Where it shows one letter only.
        letters: All that there are of the kind, on the page that leads to them.
        shelves: The lists, in any order; none where only letters are shown.
    """

    kind: IndexKind
    language: Language
    letter: Letter | None = None
    letters: tuple[Letter, ...] = ()
    shelves: tuple[Shelf, ...] = ()

    @property
    def key(self) -> str:
        """The key of the page below the site's root."""
        return index_page_key(self.kind, self.language) if self.letter is None else self.letter.page


def session_prefix(session_id: str) -> str:
    """Return what the keys of everything that is published of a session begin with."""
    return f"{SESSIONS}{session_id}/"


def list_page_key(key: str, language: Language) -> str:
    """Return the key of the page of a list for readers of that language, below the site's root."""
    return f"{language}/lists/{key}.html"


def index_page_key(kind: IndexKind, language: Language) -> str:
    """Return the key of the page that leads to every list of a kind, below the site's root."""
    return f"{language}/lists/{INDEXES[kind]}.html"


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

    def catalogue_pages(
        self, entries: Sequence[CatalogueEntry], shelves: Sequence[Shelf], ways: Collection[IndexKind] = ()
    ) -> Mapping[str, str]:
        """Return the first page of the lists by key: ``en/index.html``, ``fr/index.html`` and ``index.html``.

        Args:
            entries: The latest sessions.
            shelves: The lists of months and programmes, where the page does not show all sessions itself; else none.
            ways: The kinds of which there is a list.
        """
        ...

    def search_pages(self) -> Mapping[str, str]:
        """Return the page that searches all sessions, by key: ``en/search.html`` and ``fr/search.html``."""
        ...

    def shelf_pages(
        self, shelf: Shelf, entries: Sequence[CatalogueEntry], around: Around = Around()
    ) -> Mapping[str, str]:
        """Return the pages of one list by key, as :meth:`Shelf.page` gives it.

        Args:
            shelf: Which list.
            entries: Its sessions, or the latest of them where ``around`` names its parts.
            around: What the page leads to.
        """
        ...

    def index_page(self, index: Index) -> str:
        """Return the page that leads to the lists of one kind; lies at :attr:`Index.key`."""
        ...

    def index_files(self, letter: Letter, shelves: Sequence[Shelf]) -> Sequence[MachineFile]:
        """Return what other programs read of the lists under one letter: always the same keys."""
        ...

    def session_files(self, published: PublishedSession) -> Sequence[MachineFile]:
        """Return what other programs read of a session, all below ``sessions/<id>/``: always the same keys."""
        ...

    def shelf_files(
        self, shelf: Shelf, entries: Sequence[CatalogueEntry], themes: Sequence[CommonTheme] = ()
    ) -> Sequence[MachineFile]:
        """Return what other programs read of one list, and the pages of its themes: always the same keys."""
        ...

    def site_files(
        self, entries: Sequence[CatalogueEntry], shelves: Sequence[Shelf], letters: Sequence[Letter] = ()
    ) -> Sequence[MachineFile]:
        """Return what other programs read of all sessions, feeds, sitemap, ``robots.txt``: always the same keys.

        The last of them changes only when every list has to be told anew, as under another address.

        Args:
            entries: The sessions that were published last, at least as many as a feed holds, where there are.
            shelves: Every list there is but those that stand under a letter.
            letters: Every letter that lists stand under.
        """
        ...
