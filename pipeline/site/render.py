"""Values to learner pages.

Takes a published session, or the list of all, and returns HTML, with the few files that the pages need beside them and
the views that other programs read. Every text that a stranger wrote is escaped by the templates, nothing in a page is
loaded from anywhere but the page's own host, and no page holds a script or a style of its own, only data, so a strict
content security policy can stand in each. The same values give the same bytes. Stands alone so that the look can change
without touching what publishes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline import formatting
from pipeline.messages import catalogue, message
from pipeline.site.cartridge import cartridge_key, make_cartridge
from pipeline.site.catalogue import ProgrammeGroup, group_entries
from pipeline.site.feeds import Channel, make_channels, make_feeds
from pipeline.site.linked_data import (
    answer_oembed,
    describe_session,
    embed_code,
    embed_name,
    oembed_name,
    script_text,
    social_tags,
)
from pipeline.site.model import CatalogueEntry, MachineFile, PublishedFile, PublishedSession, SiteFile, SiteOptions
from pipeline.site.phrases import Paragraph, Phrase, make_paragraphs
from pipeline.site.records import (
    DUBLIN_CORE,
    OPEN_DATA,
    make_chapters,
    make_dublin_core,
    make_open_data,
    make_statements,
)
from pipeline.site.sitemaps import make_sitemaps
from pipeline.speakers import speaker_label
from pipeline.types import LANGUAGES, Bilingual, Language, Notice, Transcript
from pipeline.visible import visible

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_ROLES: Final = ("video", "audio", "transcript", "captions", "poster", "metadata")
"""The order of the downloads."""
_FORMATS: Final = {"md": "Markdown", "vtt": "WebVTT", "mp4": "MP4", "m4a": "M4A", "jpg": "JPEG"}
"""Names of formats that are the same in both languages and are not their extension in capitals."""
_WORKINGS: Final = frozenset({"speech.smaller_batch", "speech.moved_to_cpu", "speakers.moved_to_cpu"})
"""Notices that change nothing for a reader; told with what made the session."""


class LearnerSite:
    """The learner pages; a :class:`pipeline.site.model.Views`.

    Args:
        options: What the institution chose.

    Example:
        >>> sorted(LearnerSite().catalogue_pages([]))
        ['en/index.html', 'fr/index.html', 'index.html']
    """

    def __init__(self, options: SiteOptions | None = None) -> None:
        self._options = options or SiteOptions()
        self._files = read_assets()
        self._environments = {language: _environment(language) for language in LANGUAGES}

    def assets(self) -> Sequence[SiteFile]:
        """Return the style sheet, the player's script and the icon."""
        return self._files

    def session_pages(self, published: PublishedSession) -> Mapping[Language, str]:
        """Return the page of a session in each interface language; lies at ``sessions/<id>/<language>.html``."""
        return {language: self._session_page(published, language) for language in LANGUAGES}

    def catalogue_pages(self, entries: Sequence[CatalogueEntry]) -> Mapping[str, str]:
        """Return the list of sessions as pages by key, with the page at the root that leads to each language."""
        groups = group_entries(entries)
        pages = {
            f"{language}/index.html": self._page(
                "catalogue.html",
                language,
                root="../",
                other_page=f"../{_other(language)}/index.html",
                groups=groups,
                offers=self._offers(groups, language),
            )
            for language in LANGUAGES
        }
        return pages | {"index.html": self._language_page()}

    def session_files(self, published: PublishedSession) -> Sequence[MachineFile]:
        """Return what other programs read of a session, all below ``sessions/<id>/``."""
        made = [make_dublin_core(published, self._options)]
        if published.chapters:
            made.append(make_chapters(published))
        if self._options.address is not None:
            made.append(make_open_data(published, self._options, _download_label))
        if published.file("video"):
            made += [self._embed_page(published, language) for language in LANGUAGES]
        if published.file("video") and self._options.address is not None:
            made += [answer_oembed(published, language, self._options) for language in LANGUAGES]
        return made

    def catalogue_files(self, entries: Sequence[CatalogueEntry]) -> Sequence[MachineFile]:
        """Return what other programs read of all sessions; nothing where the site's address is not known."""
        site = self._options
        if site.address is None:
            return ()
        cartridges = [
            make_cartridge(group.programme, group, language, site)
            for group in group_entries(entries)
            if group.programme is not None
            for language in LANGUAGES
        ]
        return (*make_sitemaps(entries, site.address), *make_feeds(entries, site), *cartridges)

    def _offers(self, groups: Sequence[ProgrammeGroup], language: Language) -> tuple[_Offer, ...]:
        """Return what can be followed or taken along, of all sessions and then of each programme."""
        if self._options.address is None:
            return ()
        entries = [entry for group in groups for entry in group.entries]
        offers = [_Offer(channels=_in_language(make_channels(None, entries), language))]
        for group in groups:
            if group.programme is not None:
                channels = _in_language(make_channels(group.programme, group.entries), language)
                course = cartridge_key(group.programme, language)
                offers.append(_Offer(programme=group.programme, channels=channels, course=course))
        return tuple(offers)

    def _embed_page(self, published: PublishedSession, language: Language) -> MachineFile:
        page = self._page(
            "embed.html",
            language,
            root="../../",
            session=published.session,
            video=published.file("video"),
            poster=published.file("poster"),
            tracks=_make_tracks(published),
        )
        key = published.folder + embed_name(language)
        return MachineFile(key=key, body=page.encode(), content_type="text/html; charset=utf-8")

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
            published=published,
            session=published.session,
            spoken=_list_languages(published.session.languages, language),
            video=published.file("video"),
            poster=published.file("poster"),
            tracks=_make_tracks(published),
            turns=_lay_out(published.transcript, language),
            downloads=_make_downloads(published.files, language),
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
        return (
            self._environments[language]
            .get_template(template)
            .render(
                language=language,
                other=_other(language),
                site=self._options.name.get(language),
                options=self._options,
                assets=self._files[0].key.rpartition("/")[0],
                **values,
            )
        )


def read_assets() -> tuple[SiteFile, ...]:
    """Return the files that every page needs, in a folder named after the digest of them all."""
    found = sorted((entry.name, entry.read_bytes()) for entry in files("pipeline.site").joinpath("assets").iterdir())
    digest = hashlib.sha256()
    for name, body in found:
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    folder = f"assets/{digest.hexdigest()[:12]}"
    return tuple(
        SiteFile(key=f"{folder}/{name}", body=body, content_type=_TYPES[name.rpartition(".")[2]])
        for name, body in found
    )


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
    environment.globals["t"] = lambda key, **data: message(f"site.{key}", language, **data)
    environment.filters |= {
        "address": quote,
        "clock": formatting.format_clock,
        "date": partial(formatting.format_date, language=language),
        "duration": partial(formatting.format_duration, language=language),
        "machine_duration": formatting.format_machine_duration,
        "names": partial(formatting.join_names, language=language),
        "seconds": formatting.format_seconds,
        "size": partial(formatting.format_size, language=language),
    }
    return environment


def _finalize(value: object) -> object:
    """Apply to every text that a template shows the policy on invisible characters; markup has had it already."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _other(language: Language) -> Language:
    return "fr" if language == "en" else "en"


def _language_name(spoken: str, language: Language) -> str:
    return message(f"site.language_{spoken}", language)


def _list_languages(spoken: Sequence[Language], language: Language) -> str:
    names = formatting.join_names([_language_name(each, language) for each in spoken], language)
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
        for file in published.files
        if file.role == "captions" and file.language and file.content_type.partition(";")[0].strip() == "text/vtt"
    ]
    return tuple(sorted(tracks, key=lambda track: track.language != published.session.language))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Download:
    """A file as the list of downloads tells of it."""

    file: PublishedFile
    label: str
    language: str | None


def _make_downloads(published: Sequence[PublishedFile], language: Language) -> tuple[_Download, ...]:
    ordered = sorted(published, key=lambda file: (_ROLES.index(file.role) if file.role in _ROLES else 99, file.name))
    return tuple(
        _Download(
            file=file,
            label=_download_label(file, language),
            language=_language_name(file.language, language) if file.language else None,
        )
        for file in ordered
    )


def _download_label(file: PublishedFile, language: Language) -> str:
    role = message(f"site.download_{file.role if file.role in _ROLES else 'other'}", language)
    extension = file.name.rpartition(".")[2].lower()
    own = f"site.format_{extension}"
    form = message(own, language) if own in catalogue() else _FORMATS.get(extension, extension.upper())
    return f"{role} ({form})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _LaidParagraph:
    """A paragraph on the page; ``anchored`` where its time is the first of its kind and so can be an id."""

    phrases: tuple[Phrase, ...]
    start_ms: int
    language: str
    anchored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _LaidTurn:
    """A turn on the page; ``speaker`` is ``None`` where it is no news."""

    speaker: str | None
    paragraphs: tuple[_LaidParagraph, ...]


def _lay_out(transcript: Transcript, language: Language) -> tuple[_LaidTurn, ...]:
    """Return the turns with everything decided that the template shows."""
    seen: set[int] = set()
    names = {speaker.key: speaker_label(speaker, language) for speaker in transcript.speakers}
    # Where no voice could be told apart there is nothing to say of each: a notice above says it once.
    unknown = message("site.unknown_speaker", language) if transcript.speakers else None
    turns: list[_LaidTurn] = []
    for turn in transcript.turns:
        speaker = unknown if turn.speaker is None else names[turn.speaker]
        paragraphs = tuple(_lay_paragraph(paragraph, seen) for paragraph in make_paragraphs(turn))
        turns.append(_LaidTurn(speaker=speaker, paragraphs=paragraphs))
    return tuple(turns)


def _lay_paragraph(paragraph: Paragraph, seen: set[int]) -> _LaidParagraph:
    start_ms = paragraph[0].start_ms
    anchored = start_ms not in seen
    seen.add(start_ms)
    return _LaidParagraph(phrases=paragraph, start_ms=start_ms, language=paragraph[0].language, anchored=anchored)


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
