"""Feeds: what is new, and what can be listened to.

In go sessions as the lists tell of them, the site's name and address; out come RSS 2.0 documents
(https://www.rssboard.org/rss-specification) in each language: of all sessions and of each programme, as news and as a
podcast with Apple's and Podcasting 2.0's elements (https://podcasting2.org/docs). News is of every session, in the
reader's language; a podcast is of the sessions in which that language is spoken. Stands alone because feeds must not
change when the pages do.
"""

from __future__ import annotations

import datetime as dt
import html
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from importlib.resources import files
from typing import Final, Literal
from xml.etree.ElementTree import Element

from pipeline.formatting import join_names
from pipeline.messages import message
from pipeline.site.catalogue import programme_key
from pipeline.site.model import CatalogueEntry, MachineFile, SiteOptions
from pipeline.site.records import CHAPTERS
from pipeline.site.writing import node, write_xml
from pipeline.types import LANGUAGES, Bilingual, Language
from pipeline.visible import visible

RSS: Final = "application/rss+xml; charset=utf-8"
COVER: Final = "feeds/cover.png"
"""The square picture of every podcast, which directories ask for: the site's icon, 1400 pixels wide and high."""
LONGEST: Final = 100
"""So many sessions are in a feed, the newest."""

Kind = Literal["news", "podcast"]
KINDS: Final[tuple[Kind, ...]] = ("news", "podcast")

_NAMESPACES: Final = {
    "xmlns__atom": "http://www.w3.org/2005/Atom",
    "xmlns__dc": "http://purl.org/dc/elements/1.1/",
    "xmlns__itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "xmlns__podcast": "https://podcastindex.org/namespace/1.0",
}
_PODCASTS: Final = uuid.UUID("ead4c236-bf58-58c6-a2c6-a6b28d128cb6")
"""The namespace in which Podcasting 2.0 makes a feed's number from its address."""
_CAPTIONS: Final = frozenset({"text/vtt", "application/x-subrip"})
"""Types of captions that podcast players read."""
_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One feed, before its sessions.

    Attributes:
        kind: News or a podcast.
        language: Of its texts; of what is said, for a podcast.
        programme: Which one it is of, or ``None`` for all sessions.
    """

    kind: Kind
    language: Language
    programme: Bilingual | None = None

    @property
    def key(self) -> str:
        """Where it lies below the site's root."""
        folder = "" if self.programme is None else f"{programme_key(self.programme)}/"
        return f"feeds/{self.language}/{folder}{self.kind}.xml"

    def takes(self, entry: CatalogueEntry) -> bool:
        """Tell whether a session of its programme belongs in it."""
        heard = entry.file("captions") is not None and entry.file("audio", "video") is not None
        return self.kind == "news" or (self.language in entry.languages and heard)

    def title(self, site: SiteOptions) -> str:
        """Return what it is called."""
        name = (self.programme or site.name).get(self.language)
        return message(f"site.{self.kind}_title", self.language, name=name)


def make_channels(programme: Bilingual | None, entries: Sequence[CatalogueEntry]) -> tuple[Channel, ...]:
    """Return the feeds of a programme that would hold something, or those of all sessions, which there are always.

    Args:
        programme: Its name, or ``None`` for all sessions.
        entries: Its sessions.
    """
    return tuple(channel for channel in _channels(programme) if programme is None or any(map(channel.takes, entries)))


def make_feeds(
    programme: Bilingual | None, entries: Sequence[CatalogueEntry], site: SiteOptions
) -> tuple[MachineFile, ...]:
    """Return every feed that a programme may have, or those of all sessions; without a body where it has none.

    Args:
        programme: Its name, or ``None`` for all sessions.
        entries: Its sessions; of all sessions at least those that were published last.
        site: Where the address is not known, there are no feeds.
    """
    there = () if site.address is None else make_channels(programme, entries)
    return tuple(
        MachineFile(
            key=channel.key,
            body=_write_feed(channel, entries, site) if channel in there else None,
            content_type=RSS,
        )
        for channel in _channels(programme)
    )


def make_cover(site: SiteOptions) -> MachineFile:
    """Return the picture of every podcast; without a body where there are no podcasts."""
    body = None if site.address is None else (files("pipeline.site") / "cover.png").read_bytes()
    return MachineFile(key=COVER, body=body, content_type="image/png")


def newest(entries: Iterable[CatalogueEntry]) -> list[CatalogueEntry]:
    """Return the sessions in the order of a feed: whichever was published last comes first."""
    return sorted(entries, key=lambda entry: (entry.published_at or _NEVER, entry.session_id), reverse=True)


def _channels(programme: Bilingual | None) -> list[Channel]:
    return [Channel(kind=kind, language=language, programme=programme) for language in LANGUAGES for kind in KINDS]


def _write_feed(channel: Channel, entries: Sequence[CatalogueEntry], site: SiteOptions) -> bytes:
    taken = newest(filter(channel.takes, entries))
    language, address = channel.language, f"{site.address}/{channel.key}"
    title = channel.title(site)
    head = [
        node("title", title),
        node("link", f"{site.address}/{language}/index.html"),
        node("description", message(f"site.{channel.kind}_intro", language, name=site.name.get(language))),
        node("language", f"{language}-ca"),
        node("atom:link", href=address, rel="self", type="application/rss+xml"),
    ]
    if taken and taken[0].published_at:
        head.append(node("lastBuildDate", format_datetime(taken[0].published_at)))
    if channel.kind == "podcast":
        head += _about_podcast(title, address, language, site)
    items = [_item(entry, channel, site) for entry in taken[:LONGEST]]
    root = node("rss", node("channel", *head, *items), version="2.0", **_NAMESPACES)
    return write_xml(root)


def _about_podcast(title: str, address: str, language: Language, site: SiteOptions) -> Iterator[Element]:
    yield node("itunes:author", site.name.get(language))
    yield node("itunes:image", href=f"{site.address}/{COVER}")
    yield node("itunes:type", "episodic")
    yield node("itunes:explicit", "false")
    yield node("itunes:category", text="Education")
    yield node("podcast:guid", str(uuid.uuid5(_PODCASTS, address.partition("://")[2])))
    yield node("podcast:medium", "podcast")
    yield node("itunes:title", title)


def _item(entry: CatalogueEntry, channel: Channel, site: SiteOptions) -> Element:
    language = channel.language
    item = node(
        "item",
        node("title", entry.title.get(language)),
        node("link", f"{site.address}/{entry.page(language)}"),
        # The address may change with the host; the session's number never does.
        node("guid", f"tribune-{entry.session_id}-{language}", isPermaLink="false"),
        # Feed readers take it for HTML.
        node("description", html.escape(visible(_summary(entry, language)), quote=False)),
    )
    if entry.published_at is not None:
        item.append(node("pubDate", format_datetime(entry.published_at)))
    if entry.date is not None:
        item.append(node("dc:date", entry.date.isoformat()))
    item.extend(node("category", topic.get(language)) for topic in entry.topics)
    item.extend(node("dc:contributor", guest) for guest in entry.guests)
    if channel.kind == "podcast":
        item.extend(_episode(entry, f"{site.address}/{entry.folder}", site))
    return item


def _summary(entry: CatalogueEntry, language: Language) -> str:
    if entry.description is not None:
        return entry.description.get(language)
    if entry.guests:
        return message("site.with_guests", language, guests=join_names(list(entry.guests), language))
    return entry.title.get(language)


def _episode(entry: CatalogueEntry, folder: str, site: SiteOptions) -> Iterator[Element]:
    medium = entry.file("audio", "video")
    if medium is not None:
        yield node("enclosure", url=folder + medium.href, length=str(medium.size), type=medium.media_type)
    yield node("itunes:duration", str(round(entry.duration_ms / 1000)))
    yield node("itunes:explicit", "false")
    if entry.poster is not None:
        yield node("itunes:image", href=f"{site.address}/{entry.poster}")
    for file in entry.files:
        if file.role == "captions" and file.language and file.media_type in _CAPTIONS:
            yield node(
                "podcast:transcript",
                url=folder + file.href,
                type=file.media_type,
                language=file.language,
                rel="captions",
            )
    if entry.file("chapters") is not None:
        yield node("podcast:chapters", url=f"{folder}{CHAPTERS}", type="application/json+chapters")
