"""The list of all pages for search engines.

In go the entries of the catalogue and the site's address, out come ``sitemap.xml`` (https://www.sitemaps.org, with the
extensions for video and for pages in two languages) and ``robots.txt``, which names it. A large catalogue is divided by
the first digit of the session's number, so that one more session changes one part and the index. Stands alone because
only crawlers read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from pipeline.site.linked_data import embed_name
from pipeline.site.model import CatalogueEntry, MachineFile
from pipeline.site.writing import XML, node, write_xml
from pipeline.types import LANGUAGES, Language

UNDIVIDED: Final = 500
"""So many sessions are listed in one file."""

_NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
_VIDEO: Final = "http://www.google.com/schemas/sitemap-video/1.1"
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_LONGEST_S: Final = 28_800
_TITLE_LENGTH: Final = 100
_DESCRIPTION_LENGTH: Final = 2048


def make_sitemaps(entries: Sequence[CatalogueEntry], address: str) -> tuple[MachineFile, ...]:
    """Return ``robots.txt``, ``sitemap.xml`` and, for a large catalogue, the parts that it leads to.

    Args:
        entries: All sessions, in any order.
        address: Of the site's root, without a slash at the end.
    """
    ordered = sorted(entries, key=lambda entry: entry.session_id)
    robots = f"User-agent: *\nAllow: /\n\nSitemap: {address}/sitemap.xml\n"
    made = [MachineFile(key="robots.txt", body=robots.encode(), content_type="text/plain; charset=utf-8")]
    lists = list(_pages({language: f"{language}/index.html" for language in LANGUAGES}, address))
    if len(ordered) <= UNDIVIDED:
        return (*made, _file("sitemap.xml", [*lists, *_of_sessions(ordered, address)]))
    parts: dict[str, list[CatalogueEntry]] = {}
    for entry in ordered:
        parts.setdefault(entry.session_id[0], []).append(entry)
    made += [_file("sitemap-lists.xml", lists)]
    made += [_file(f"sitemap-{digit}.xml", _of_sessions(part, address)) for digit, part in sorted(parts.items())]
    index = [node("sitemap", node("loc", f"{address}/{part.key}")) for part in made[1:]]
    body = write_xml(node("sitemapindex", *index, xmlns=_NAMESPACE))
    return (*made, MachineFile(key="sitemap.xml", body=body, content_type=XML))


def _file(key: str, urls: Sequence[Element]) -> MachineFile:
    root = node("urlset", *urls, xmlns=_NAMESPACE, xmlns__video=_VIDEO, xmlns__xhtml=_XHTML)
    return MachineFile(key=key, body=write_xml(root), content_type=XML)


def _of_sessions(entries: Sequence[CatalogueEntry], address: str) -> list[Element]:
    return [url for entry in entries for url in _pages(dict(entry.pages), address, entry)]


def _pages(keys: dict[Language, str], address: str, entry: CatalogueEntry | None = None) -> Iterator[Element]:
    """Yield a page in each language, with where it is in the other."""
    for language, key in keys.items():
        url = node("url", node("loc", f"{address}/{key}"))
        if entry is not None and entry.published_at is not None:
            url.append(node("lastmod", entry.published_at.isoformat()))
        url.extend(
            node("xhtml:link", rel="alternate", hreflang=other, href=f"{address}/{twin}")
            for other, twin in keys.items()
        )
        if entry is not None:
            url.extend(_videos(entry, language, address))
        yield url


def _videos(entry: CatalogueEntry, language: Language, address: str) -> Iterator[Element]:
    seconds = round(entry.duration_ms / 1000)
    video = entry.file("video")
    if video is None or entry.poster is None:
        return
    told = node(
        "video:video",
        node("video:thumbnail_loc", f"{address}/{entry.poster}"),
        node("video:title", entry.title.get(language)[:_TITLE_LENGTH]),
        node("video:description", (entry.description or entry.title).get(language)[:_DESCRIPTION_LENGTH]),
        node("video:content_loc", f"{address}/{entry.folder}{video.href}"),
        node("video:player_loc", f"{address}/{entry.folder}{embed_name(language)}"),
    )
    if 1 <= seconds <= _LONGEST_S:
        told.append(node("video:duration", str(seconds)))
    if entry.published_at is not None:
        told.append(node("video:publication_date", entry.published_at.isoformat()))
    yield told
