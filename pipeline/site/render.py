"""Values to learner pages.

Takes a published session, or the list of all, and returns HTML, with the few files that the pages need beside them and
the views that other programs read. Every text that a stranger wrote is escaped by the templates, nothing in a page is
loaded from anywhere but the page's own host, and no page holds a script or a style of its own, only data, so a strict
content security policy can stand in each. The same values give the same bytes. Stands alone so that the look can change
without touching what publishes it.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline import formatting
from pipeline.messages import catalogue, message
from pipeline.render.passages import runs
from pipeline.site import list_pages
from pipeline.site.cartridge import cartridge_key, make_cartridge
from pipeline.site.catalogue import ProgrammeGroup, group_entries
from pipeline.site.citation import cite
from pipeline.site.feeds import Channel, make_channels, make_cover, make_feeds
from pipeline.site.heard import tell_themes
from pipeline.site.licences import show_licence
from pipeline.site.linked_data import (
    answer_oembed,
    describe_session,
    embed_code,
    embed_name,
    oembed_name,
    script_text,
    social_tags,
)
from pipeline.site.model import (
    Around,
    CatalogueEntry,
    Index,
    IndexKind,
    Letter,
    MachineFile,
    PublishedFile,
    PublishedSession,
    Shelf,
    SiteFile,
    SiteOptions,
    index_page_key,
)
from pipeline.site.order import make_order, order_key
from pipeline.site.phrases import Phrase, make_paragraphs
from pipeline.site.records import (
    CHAPTERS,
    DUBLIN_CORE,
    OPEN_DATA,
    make_chapters,
    make_dublin_core,
    make_open_data,
    make_statements,
)
from pipeline.site.reports import report_address
from pipeline.site.shared_files import read_shared_files
from pipeline.site.sitemaps import make_sitemap, make_sitemap_of_letter, make_sitemap_part
from pipeline.site.speaking import measure_voices, speaker_names
from pipeline.speakers import speaker_label
from pipeline.themes import CommonTheme
from pipeline.types import LANGUAGES, Bilingual, Language, Notice, Transcript
from pipeline.visible import visible, visible_word

_ROLES: Final = (
    "video", "burned_in", "audio", "transcript", "captions", "chapters", "comparison", "poster", "schema", "metadata"
)  # fmt: skip
"""The order of the downloads."""
_GROUPS: Final = {
    "downloads_watch": ("video", "burned_in", "audio"),
    "downloads_read": ("transcript", "comparison"),
    "downloads_captions": ("captions", "chapters"),
}
"""The groups of the downloads, by message, with the roles of each; what has none is data."""
_DATA: Final = "downloads_data"
_FOR_PROGRAMS: Final = ("application/json",)
"""Types of files that nobody reads, whatever their role."""
_READ_FIRST: Final = ("pdf", "docx", "html", "vtt", "srt")
"""Formats that most people open, in their order; the others follow by name."""
_FORMATS: Final = {"md": "Markdown", "vtt": "WebVTT", "mp4": "MP4", "m4a": "M4A", "jpg": "JPEG"}
"""Names of formats that are the same in both languages and are not their extension in capitals."""
_WORKINGS: Final = frozenset({"speech.smaller_batch", "speech.moved_to_cpu", "speakers.moved_to_cpu"})
"""Notices that change nothing for a reader; told with what made the session."""


SESSION_FILES: Final = (
    DUBLIN_CORE,
    CHAPTERS,
    OPEN_DATA,
    *map(embed_name, LANGUAGES),
    *map(oembed_name, LANGUAGES),
)
"""Names of what :meth:`LearnerSite.session_files` makes, in the session's folder."""
_NAVIGATION: Final = (("site.catalogue_title", "index.html"), ("search.title", "search.html"))
"""What every page leads to: the message with its name, and its key below the language's folder."""

_NOTHING_AROUND: Final = Around()


class LearnerSite:
    """The learner pages; a :class:`pipeline.site.model.Views`.

    Args:
        options: What the institution chose.

    Example:
        >>> sorted(LearnerSite().catalogue_pages([], []))
        ['en/index.html', 'fr/index.html', 'index.html']
    """

    def __init__(self, options: SiteOptions | None = None) -> None:
        self._options = options or SiteOptions()
        self._files = read_shared_files(self._options.theme)
        self._environments = {language: _environment(language) for language in LANGUAGES}

    def assets(self) -> Sequence[SiteFile]:
        """Return the style sheet, the scripts and the icon."""
        return self._files

    def session_pages(self, published: PublishedSession) -> Mapping[Language, str]:
        """Return the page of a session in each interface language; lies at ``sessions/<id>/<language>.html``."""
        return {language: self._session_page(published, language) for language in LANGUAGES}

    def withdrawn_pages(self, withdrawn_on: dt.date) -> Mapping[Language, str]:
        """Return what stands at the address of a session that was withdrawn; each says it in both languages."""
        return {language: self._withdrawn_page(withdrawn_on, language) for language in LANGUAGES}

    def catalogue_pages(
        self, entries: Sequence[CatalogueEntry], shelves: Sequence[Shelf], ways: Collection[IndexKind] = ()
    ) -> Mapping[str, str]:
        """Return the first page of the lists by key, with the page at the root that leads to each language."""
        groups = group_entries(entries)
        pages = {
            f"{language}/index.html": self._page(
                "catalogue.html",
                language,
                root="../",
                other_page=f"../{_other(language)}/index.html",
                here="index.html",
                modified=_last_change(entries),
                ways=list_pages.ways(ways, language),
                sections=(list_pages.latest if shelves else list_pages.by_programme)(entries, language),
                lists=list_pages.first_lists(shelves, language),
                # Where not all sessions are shown here, each programme's own list says what there is of it.
                offers=(*self._offer_of_all(language), *(() if shelves else self._offers(groups, language))),
            )
            for language in LANGUAGES
        }
        return pages | {"index.html": self._language_page()}

    def search_pages(self) -> Mapping[str, str]:
        """Return the page that searches all sessions, by key."""
        return {
            f"{language}/search.html": self._page(
                "search.html", language, root="../", other_page=f"../{_other(language)}/search.html", here="search.html"
            )
            for language in LANGUAGES
        }

    def shelf_pages(
        self, shelf: Shelf, entries: Sequence[CatalogueEntry], around: Around = _NOTHING_AROUND
    ) -> Mapping[str, str]:
        """Return the pages of one list by key."""
        groups = group_entries(entries)
        return {
            shelf.page(language): self._page(
                "list.html",
                language,
                root="../../",
                other_page=f"../../{shelf.page(_other(language))}",
                modified=_last_change(entries),
                trail=list_pages.trail(shelf, around, language),
                shelf=shelf,
                name=list_pages.name_of(shelf, language),
                part=list_pages.part_name(shelf, language),
                shown=len(entries),
                sections=list_pages.divide(shelf, entries, around, language),
                beside=list_pages.beside(around, language),
                parts=list_pages.parts_of(around, language),
                related=list_pages.related(shelf, entries, language),
                heard=shelf.heard_page(language) if around.heard else None,
                offers=self._offers(groups, language) if shelf.programme and shelf.part is None else (),
            )
            for language in LANGUAGES
        }

    def index_page(self, index: Index) -> str:
        """Return the page that leads to the lists of one kind."""
        language, other = index.language, _other(index.language)
        return self._page(
            "lists.html",
            language,
            root="../../",
            # Names begin with other letters in the other language.
            other_page=f"../../{index_page_key(index.kind, other)}",
            trail=list_pages.index_trail(index),
            index=index,
            title=list_pages.index_title(index),
            letters=list_pages.index_letters(index),
            groups=list_pages.index_links(index),
        )

    def index_files(self, letter: Letter, shelves: Sequence[Shelf]) -> Sequence[MachineFile]:
        """Return the part of the sitemap that tells of the lists under one letter."""
        return (make_sitemap_of_letter(letter, shelves, self._options.address),)

    def _heard_page(
        self, shelf: Shelf, entries: Sequence[CatalogueEntry], themes: Sequence[CommonTheme], language: Language
    ) -> MachineFile:
        """Return the page of what the sessions of a programme have in common; without a body where that is nothing."""
        key, content_type = shelf.heard_page(language), "text/html; charset=utf-8"
        told = tell_themes(themes, entries, language)
        if not told:
            return MachineFile(key=key, body=None, content_type=content_type)
        page = self._page(
            "heard.html",
            language,
            root="../../",
            other_page=f"../../{shelf.heard_page(_other(language))}",
            trail=(*list_pages.trail(shelf, _NOTHING_AROUND, language), (shelf.programme, shelf.page(language))),
            modified=_last_change(entries),
            shelf=shelf,
            told=told,
        )
        return MachineFile(key=key, body=page.encode(), content_type=content_type)

    def _withdrawn_page(self, withdrawn_on: dt.date, language: Language) -> str:
        other = _other(language)
        on = formatting.format_date(withdrawn_on, other)
        in_other = {
            "title": message("site.withdrawn_title", other),
            "text": message("site.withdrawn_text", other, date=on),
        }
        return self._page(
            "withdrawn.html",
            language,
            root="../../",
            other_page=f"{other}.html",
            trail=(list_pages.first_step(language),),
            modified=withdrawn_on,
            withdrawn_on=withdrawn_on,
            in_other=in_other,
        )

    def session_files(self, published: PublishedSession) -> Sequence[MachineFile]:
        """Return what other programs read of a session, all below ``sessions/<id>/``: always the same keys."""
        return [
            make_dublin_core(published, self._options),
            make_chapters(published),
            make_open_data(published, self._options, _download_label),
            *(self._embed_page(published, language) for language in LANGUAGES),
            *(answer_oembed(published, language, self._options) for language in LANGUAGES),
        ]

    def shelf_files(
        self, shelf: Shelf, entries: Sequence[CatalogueEntry], themes: Sequence[CommonTheme] = ()
    ) -> Sequence[MachineFile]:
        """Return a part of the sitemap, or a programme's feeds, course, order and the page of what was heard in it."""
        site = self._options
        if shelf.programme is None:
            return (make_sitemap_part(shelf, entries, site.address),)
        feeds = make_feeds(shelf.programme, entries, site)
        courses = (make_cartridge(shelf.programme, entries, language, site) for language in LANGUAGES)
        heard = (self._heard_page(shelf, entries, themes, language) for language in LANGUAGES)
        orders = (make_order(shelf.programme, entries, language) for language in LANGUAGES)
        return (*feeds, *courses, *heard, *orders)

    def site_files(
        self, entries: Sequence[CatalogueEntry], shelves: Sequence[Shelf], letters: Sequence[Letter] = ()
    ) -> Sequence[MachineFile]:
        """Return what other programs read of all sessions."""
        feeds = make_feeds(None, entries, self._options)
        return (make_cover(self._options), *feeds, *make_sitemap(shelves, self._options.address, letters))

    def _offers(self, groups: Sequence[ProgrammeGroup], language: Language) -> tuple[_Offer, ...]:
        """Return what can be followed or taken along of programmes, whose sessions these are."""
        if self._options.address is None:
            return ()
        return tuple(
            _Offer(
                programme=group.programme,
                channels=_in_language(make_channels(group.programme, group.entries), language),
                course=cartridge_key(group.programme, language),
            )
            for group in groups
            if group.programme is not None
        )

    def _offer_of_all(self, language: Language) -> tuple[_Offer, ...]:
        if self._options.address is None:
            return ()
        return (_Offer(channels=_in_language(make_channels(None, ()), language)),)

    def _embed_page(self, published: PublishedSession, language: Language) -> MachineFile:
        key, content_type = published.folder + embed_name(language), "text/html; charset=utf-8"
        if not published.file("video"):
            return MachineFile(key=key, body=None, content_type=content_type)
        page = self._page(
            "embed.html",
            language,
            root="../../",
            session=published.session,
            video=published.file("video"),
            audio=published.file("audio"),
            poster=published.file("poster"),
            tracks=_make_tracks(published),
            chapters_file=published.file("chapters"),
        )
        return MachineFile(key=key, body=page.encode(), content_type=content_type)

    def _for_machines(self, published: PublishedSession, language: Language) -> dict[str, object]:
        """Return what the session's page holds for other programs; less where the site's address is not known."""
        site, video = self._options, published.file("video")
        known = site.address is not None
        return {
            "statements": make_statements(published, site),
            "dublin_core": DUBLIN_CORE,
            "embed": embed_name(language) if video else None,
            "open_data": OPEN_DATA if known else None,
            "oembed": f"{site.address}/{published.folder}{oembed_name(language)}" if known and video else None,
            "code_to_embed": embed_code(published, language, site) if known and video else None,
            "social": social_tags(published, language, site) if known else (),
            "linked_data": script_text(describe_session(published, language, site)) if known else None,
        }

    def _session_page(self, published: PublishedSession, language: Language) -> str:
        notices = tuple(dict.fromkeys((*published.notices, *published.transcript.notices)))
        remarks, doubts = _tell_notices([notice for notice in notices if notice.code not in _WORKINGS], language)
        return self._page(
            "session.html",
            language,
            root="../../",
            other_page=f"{_other(language)}.html",
            trail=(list_pages.first_step(language),),
            modified=published.published_at.date(),
            published=published,
            session=published.session,
            spoken=_list_languages(published.session.languages, language),
            video=published.file("video"),
            audio=published.file("audio"),
            poster=published.file("poster"),
            tracks=_make_tracks(published),
            chapters_file=published.file("chapters"),
            quotations=_make_quotations(published, language),
            turns=_lay_out(published.transcript, language, _linked_moments(published)),
            downloads=_make_downloads(published, language),
            voices=measure_voices(published.transcript, language),
            licence=show_licence(published.session.licence, language) if published.session.licence else None,
            citation=cite(published, language, self._options),
            order=order_key(published.session.programme, language) if published.session.programme else None,
            address=f"{self._options.address}/{published.folder}{language}.html" if self._options.address else None,
            report=report_address(published, language, self._options),
            remarks=remarks,
            doubts=doubts,
            workings=[_tell_notice(notice, language) for notice in notices if notice.code in _WORKINGS],
            **self._for_machines(published, language),
        )

    def _language_page(self) -> str:
        names = dict.fromkeys(self._options.name.get(language) for language in LANGUAGES)
        texts = {
            language: {"ask": message("site.choose_title", language), "go": message("site.choose_go", language)}
            for language in LANGUAGES
        }
        return self._page(
            "choose.html",
            "en",
            root="",
            other_page="fr/index.html",
            sites=tuple(names),
            languages=LANGUAGES,
            texts=texts,
        )

    def _page(self, template: str, language: Language, **values: object) -> str:
        common: dict[str, object] = {
            "language": language,
            "other": _other(language),
            "site": self._options.name.get(language),
            "options": self._options,
            "assets": self._files[0].key.rpartition("/")[0],
            "navigation": _NAVIGATION,
            # The pages that lead to this one, its key among those of the navigation, and when it last changed.
            "trail": (),
            "here": None,
            "modified": None,
        }
        return self._environments[language].get_template(template).render(common | values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What can be followed or taken along of a programme; of all sessions where ``programme`` is ``None``."""

    channels: tuple[Channel, ...]
    programme: Bilingual | None = None
    course: str | None = None


def _in_language(channels: Sequence[Channel], language: Language) -> tuple[Channel, ...]:
    return tuple(channel for channel in channels if channel.language == language)


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.site"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["t"] = partial(_say, language)
    environment.globals["list_page"] = partial(list_pages.list_page, language=language)
    environment.filters |= {
        "address": quote,
        "clock": formatting.format_clock,
        "count": partial(formatting.format_count, language=language),
        "date": partial(formatting.format_date, language=language),
        "duration": partial(formatting.format_duration, language=language),
        "machine_duration": formatting.format_machine_duration,
        "names": partial(formatting.join_names, language=language),
        "seconds": formatting.format_seconds,
        "size": partial(formatting.format_size, language=language),
    }
    return environment


def _say(language: Language, key: str, /, **data: object) -> str:
    """Return a text of the pages: one of ``site.toml``, or of the file that the key names before a full stop."""
    return message(key if "." in key else f"site.{key}", language, **data)


def _finalize(value: object) -> object:
    """Apply to every text that a template shows the policy on invisible characters; markup has had it already."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _other(language: Language) -> Language:
    return "fr" if language == "en" else "en"


def _last_change(entries: Sequence[CatalogueEntry]) -> dt.date | None:
    """Return the day on which any of these sessions was last published anew."""
    return max((entry.published_at.date() for entry in entries if entry.published_at), default=None)


def _language_name(spoken: str, language: Language) -> str:
    return message(f"site.language_{spoken}", language)


def _name_languages(spoken: Sequence[Language], language: Language) -> str:
    return formatting.join_names([_language_name(each, language) for each in spoken], language)


def _list_languages(spoken: Sequence[Language], language: Language) -> str:
    names = _name_languages(spoken, language)
    return names[0].upper() + names[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    """A captions track of the player; its label is in its own language, as players show it."""

    href: str
    language: Language
    label: str


def _make_tracks(published: PublishedSession) -> tuple[_Track, ...]:
    """Return every WebVTT file, the session's main language first: the one that is shown unasked."""
    tracks = [
        _Track(href=file.href, language=file.language, label=message("site.captions_label", file.language))
        for file in published.offered
        if file.role == "captions" and file.language and file.media_type == "text/vtt"
    ]
    return tuple(sorted(tracks, key=lambda track: track.language != published.session.language))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quotation:
    """A highlight on the page; ``speaker`` is ``None`` where nobody could be told."""

    speaker: str | None
    start_ms: int
    runs: tuple[tuple[str, str], ...]


def _make_quotations(published: PublishedSession, language: Language) -> tuple[_Quotation, ...]:
    names = {speaker.key: speaker_label(speaker, language) for speaker in published.transcript.speakers}
    return tuple(
        _Quotation(
            speaker=names.get(highlight.speaker) if highlight.speaker else None,
            start_ms=highlight.start_ms,
            runs=tuple((spoken, " ".join(map(visible_word, words))) for spoken, words in runs(highlight.words)),
        )
        for highlight in published.highlights
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Download:
    """A file as the list of downloads tells of it."""

    file: PublishedFile
    label: str
    language: str | None


def _make_downloads(published: PublishedSession, language: Language) -> tuple[tuple[str, tuple[_Download, ...]], ...]:
    """Return the downloads in groups with their titles, what most people come for first."""
    words = bool(published.transcript.turns)
    spoken = _name_languages(published.session.languages, language)
    groups: dict[str, list[_Download]] = {key: [] for key in (*_GROUPS, _DATA)}
    for file in sorted(published.offered, key=lambda file: (*_places(file), file.name)):
        groups[_group_of(file)].append(
            _Download(
                file=file,
                label=_download_label(file, language, words=words),
                language=spoken if file.language and words else None,
            )
        )
    return tuple((message(f"session_page.{key}", language), tuple(own)) for key, own in groups.items() if own)


def _group_of(file: PublishedFile) -> str:
    """Return the group that a file is offered in."""
    read = file.media_type not in _FOR_PROGRAMS
    return next((key for key, roles in _GROUPS.items() if file.role in roles and read), _DATA)


def _places(file: PublishedFile) -> tuple[int, int]:
    """Return where a file stands among others of its group."""
    extension = file.name.rpartition(".")[2].lower()
    return (
        _ROLES.index(file.role) if file.role in _ROLES else len(_ROLES),
        _READ_FIRST.index(extension) if extension in _READ_FIRST else len(_READ_FIRST),
    )


def _download_label(file: PublishedFile, language: Language, *, words: bool = True) -> str:
    kind = file.role if file.role in _ROLES else "other"
    # Where nobody speaks, the video has no captions that its name could promise.
    role = message(f"site.download_{kind if words or kind != 'video' else 'video_plain'}", language)
    name = file.name.lower()
    extension = "wet" if name.endswith(".wet.html") else name.rpartition(".")[2]
    own = f"site.format_{extension}"
    form = message(own, language) if own in catalogue() else _FORMATS.get(extension, extension.upper())
    return f"{role} ({form})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _LaidParagraph:
    """A paragraph on the page; ``moments_ms`` are those of which an address leads to it, none to another as well."""

    phrases: tuple[Phrase, ...]
    start_ms: int
    language: str
    moments_ms: tuple[int, ...]

    @property
    def steps_ms(self) -> tuple[int, ...]:
        """From each phrase to the next: a page says when each begins by these, in a fraction of the bytes."""
        return tuple(later.start_ms - phrase.start_ms for phrase, later in pairwise(self.phrases))


@dataclass(frozen=True, slots=True, kw_only=True)
class _LaidTurn:
    """A turn on the page; ``speaker`` is ``None`` where it is no news."""

    speaker: str | None
    paragraphs: tuple[_LaidParagraph, ...]


def _lay_out(transcript: Transcript, language: Language, linked: Collection[int]) -> tuple[_LaidTurn, ...]:
    """Return the turns with everything decided that the template shows.

    Args:
        transcript: The words.
        language: Of the page.
        linked: Moments that the page links to: without script, the paragraph in which one falls is where it leads.
    """
    made = [[(paragraph, paragraph[0].start_ms) for paragraph in make_paragraphs(turn)] for turn in transcript.turns]
    starts = sorted({start_ms for paragraphs in made for _, start_ms in paragraphs})
    moments: dict[int, set[int]] = {start_ms: {start_ms} for start_ms in starts}
    for moment in linked if starts else ():
        moments[starts[max(0, bisect_right(starts, moment) - 1)]].add(moment)
    turns: list[_LaidTurn] = []
    for speaker, paragraphs in zip(speaker_names(transcript, language), made, strict=True):
        laid = tuple(
            _LaidParagraph(
                phrases=paragraph,
                start_ms=start_ms,
                language=paragraph[0].language,
                # Two people may start in the same millisecond; an address is of one place only.
                moments_ms=tuple(sorted(moments.pop(start_ms, ()))),
            )
            for paragraph, start_ms in paragraphs
        )
        turns.append(_LaidTurn(speaker=speaker, paragraphs=laid))
    return tuple(turns)


def _linked_moments(published: PublishedSession) -> set[int]:
    """Return the moments of chapters, quotations and doubts."""
    notices = (*published.notices, *published.transcript.notices)
    quoted = (*published.highlights, *published.themes)
    spans = (*published.chapters, *quoted, *(notice.span for notice in notices if notice.span))
    return {span.start_ms for span in spans}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubt:
    """One thing to know about some moments of the recording."""

    text: str
    moments_ms: tuple[int, ...]


def _tell_notices(notices: Sequence[Notice], language: Language) -> tuple[tuple[str, ...], tuple[_Doubt, ...]]:
    """Return what is to be said of the whole session, and what of moments in it, each once."""
    remarks: dict[str, None] = {}
    moments: dict[str, set[int]] = {}
    for notice in notices:
        text = _tell_notice(notice, language)
        if notice.span is None:
            remarks[text] = None
        else:
            moments.setdefault(text, set()).add(notice.span.start_ms)
    doubts = tuple(_Doubt(text=text, moments_ms=tuple(sorted(starts))) for text, starts in moments.items())
    return tuple(remarks), doubts


def _tell_notice(notice: Notice, language: Language) -> str:
    """Say it in words for learners where there are such, else in those of the room that noticed."""
    ours = f"site.learner_{notice.code.replace('.', '_')}"
    try:
        return message(ours if ours in catalogue() else notice.code, language, **dict(notice.data))
    except KeyError:
        # Published by another version, whose messages are not all ours: an old session must still have its page.
        return message("site.notice_unknown", language, name=notice.code)
