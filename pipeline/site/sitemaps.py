"""The list of all pages for search engines.

In go sessions as the lists tell of them and the site's address, out come ``sitemap.xml`` (https://www.sitemaps.org,
with the extensions for video and for pages in two languages) and ``robots.txt``, which names it. There is a part for
each list by month and for each letter of the index of topics and of people, so that one more session changes only its
own. Stands alone because only crawlers read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from pipeline.site.linked_data import embed_name
from pipeline.site.model import INDEXES, CatalogueEntry, Letter, MachineFile, Shelf, index_page_key
from pipeline.site.writing import XML, node, write_xml
from pipeline.types import LANGUAGES, Language

_NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
_VIDEO: Final = "http://www.google.com/schemas/sitemap-video/1.1"
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_LONGEST_S: Final = 28_800
_LISTS: Final = "sitemap-lists.xml"
_LETTERS_OF: Final[Language] = "en"
"""Lists that stand under a letter in each language are told of with this one's."""
_TITLE_LENGTH: Final = 100
_DESCRIPTION_LENGTH: Final = 2048


def make_sitemap(
    shelves: Sequence[Shelf], address: str | None, letters: Sequence[Letter] = ()
) -> tuple[MachineFile, ...]:
    """Return ``sitemap.xml``, which leads to all parts, the part of the lists, and ``robots.txt``.

    Args:
        shelves: Every list of sessions there is but those that stand under a letter.
        address: Of the site's root, without a slash at the end; without it, none has a body.
        letters: Every letter that lists stand under.
    """
    parts = [_part(shelf.key) for shelf in shelves if shelf.about is None]
    parts += [_part(letter.key) for letter in letters if letter.language == _LETTERS_OF]
    keys = [_LISTS, *parts]
    index = node("sitemapindex", *(node("sitemap", node("loc", f"{address}/{key}")) for key in keys), xmlns=_NAMESPACE)
    first = {language: f"{language}/index.html" for language in LANGUAGES}
    indexes = [{language: index_page_key(kind, language) for language in LANGUAGES} for kind in INDEXES]
    lists = _urlset(url for twins in (first, *indexes, *map(_twins, shelves)) for url in _pages(twins, address or ""))
    robots = f"User-agent: *\nAllow: /\n\nSitemap: {address}/sitemap.xml\n"
    made = (
        ("sitemap.xml", write_xml(index), XML),
        (_LISTS, lists, XML),
        ("robots.txt", robots.encode(), "text/plain; charset=utf-8"),
    )
    return tuple(
        MachineFile(key=key, body=body if address is not None else None, content_type=content_type)
        for key, body, content_type in made
    )


def make_sitemap_part(shelf: Shelf, entries: Sequence[CatalogueEntry], address: str | None) -> MachineFile:
    """Return the part of the sessions of a month, or of those without a date.

    Args:
        shelf: Which part.
        entries: Its sessions, in any order; without any, it has no body.
        address: Of the site's root, without a slash at the end; without it, it has no body.
    """
    body = None
    if entries and address is not None:
        ordered = sorted(entries, key=lambda entry: entry.session_id)
        body = _urlset(url for entry in ordered for url in _pages(dict(entry.pages), address, entry))
    return MachineFile(key=_part(shelf.key), body=body, content_type=XML)


def make_sitemap_of_letter(letter: Letter, shelves: Sequence[Shelf], address: str | None) -> MachineFile:
    """Return the part of the lists that stand under a letter, in both languages.

    Args:
        letter: Which part. A list stands under a letter in each language, but is told of once: those of the other
            language have no body.
        shelves: The lists; without any, it has no body.
        address: Of the site's root, without a slash at the end; without it, it has no body.
    """
    body = None
    if shelves and address is not None and letter.language == _LETTERS_OF:
        body = _urlset(url for shelf in shelves for url in _pages(_twins(shelf), address))
    return MachineFile(key=_part(letter.key), body=body, content_type=XML)


def _part(key: str) -> str:
    return f"sitemap-{key}.xml"


def _twins(shelf: Shelf) -> dict[Language, str]:
    return {language: shelf.page(language) for language in LANGUAGES}


def _urlset(urls: Iterable[Element]) -> bytes:
    return write_xml(node("urlset", *urls, xmlns=_NAMESPACE, xmlns__video=_VIDEO, xmlns__xhtml=_XHTML))


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
