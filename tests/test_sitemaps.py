"""Sitemaps: valid by the protocol's own schema, with every page in both languages, in parts when there are many."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from pipeline.site.model import CatalogueEntry
from pipeline.site.sitemaps import UNDIVIDED, make_sitemaps
from tests.pages import ADDRESS, make_entry, make_hostile, make_published, renumbered

SCHEMA = etree.XMLSchema(file=Path(__file__).parent / "data" / "sitemap.xsd")
OWN = "http://www.sitemaps.org/schemas/sitemap/0.9"
NAMESPACES = {
    "s": OWN,
    "video": "http://www.google.com/schemas/sitemap-video/1.1",
    "xhtml": "http://www.w3.org/1999/xhtml",
}
ENTRY = make_entry(make_published())


def many(number: int) -> list[CatalogueEntry]:
    return [renumbered(ENTRY, f"{each:04x}{'0' * 12}") for each in range(0, 65_536, 65_536 // number)]


def sitemaps(*entries: CatalogueEntry) -> dict[str, bytes]:
    return {file.key: file.body for file in make_sitemaps(entries, ADDRESS)}


def checked(body: bytes) -> etree._Element:
    """Return a sitemap that is valid; the schema knows none of the extensions, so it is asked without them."""
    root, own = etree.fromstring(body), etree.fromstring(body)
    for extension in own.xpath(f"/s:urlset/s:url/*[namespace-uri() != '{OWN}']", namespaces=NAMESPACES):
        extension.getparent().remove(extension)
    SCHEMA.assertValid(own)
    return root


def pages(root: etree._Element) -> Iterator[str]:
    yield from root.xpath("/s:urlset/s:url/s:loc/text()", namespaces=NAMESPACES)


def test_every_page_is_listed_with_its_twin() -> None:
    root = checked(sitemaps(ENTRY)["sitemap.xml"])
    folder = f"{ADDRESS}/sessions/{ENTRY.session_id}"
    expected = [f"{ADDRESS}/en/index.html", f"{ADDRESS}/fr/index.html", f"{folder}/en.html", f"{folder}/fr.html"]
    assert list(pages(root)) == expected
    for url in root.iterfind("s:url", NAMESPACES):
        twins = {link.get("hreflang"): link.get("href") for link in url.iterfind("xhtml:link", NAMESPACES)}
        assert url.findtext("s:loc", namespaces=NAMESPACES) in twins.values()
        assert set(twins) == {"en", "fr"}


def test_a_session_is_told_of_as_a_video() -> None:
    root = checked(sitemaps(ENTRY)["sitemap.xml"])
    french = root.findall(".//video:video", NAMESPACES)[1]
    told = {etree.QName(part).localname: part.text for part in french}
    folder = f"{ADDRESS}/sessions/{ENTRY.session_id}"
    assert told == {
        "thumbnail_loc": f"{folder}/r1-3fa9c1d2/poster.jpg",
        "title": "Le langage clair dans les services publics",
        "description": "Comment quarante pages publiques ont été évaluées avec leur lectorat, "
        "et ce qui a changé ensuite.",
        "content_loc": f"{folder}/r1-3fa9c1d2/video.mp4",
        "player_loc": f"{folder}/embed.fr.html",
        "duration": str(round(ENTRY.duration_ms / 1000)),
        "publication_date": "2026-11-21T15:00:00+00:00",
    }


def test_what_crawlers_refuse_is_left_out() -> None:
    silent = dataclasses.replace(ENTRY, duration_ms=0)
    assert checked(sitemaps(silent)["sitemap.xml"]).find(".//video:duration", NAMESPACES) is None
    bare = dataclasses.replace(ENTRY, poster=None, published_at=None)
    root = checked(sitemaps(bare)["sitemap.xml"])
    assert root.find(".//video:video", NAMESPACES) is None
    assert root.find(".//s:lastmod", NAMESPACES) is None
    long = checked(sitemaps(make_entry(make_hostile()))["sitemap.xml"])
    assert {len(title.text) <= 100 for title in long.iterfind(".//video:title", NAMESPACES)} == {True}
    assert not long.xpath("//*[local-name() = 'script' or local-name() = 'svg']")


def test_an_empty_site_has_its_lists() -> None:
    assert len(list(pages(checked(sitemaps()["sitemap.xml"])))) == 2


def test_many_sessions_are_divided_and_one_more_changes_one_part_and_nothing_else() -> None:
    entries = many(UNDIVIDED + 100)
    before = sitemaps(*entries)
    index = etree.fromstring(before["sitemap.xml"])
    parts = [
        loc.removeprefix(f"{ADDRESS}/")
        for loc in index.xpath("/s:sitemapindex/s:sitemap/s:loc/text()", namespaces=NAMESPACES)
    ]
    assert set(parts) == before.keys() - {"sitemap.xml", "robots.txt"}
    listed = [page for part in parts for page in pages(checked(before[part]))]
    assert len(listed) == len(set(listed)) == 2 + 2 * len(entries)
    after = sitemaps(*entries, renumbered(ENTRY, "a" * 16))
    assert [key for key in after if after[key] != before[key]] == ["sitemap-a.xml"]


def test_robots_are_told_where_the_sitemap_is() -> None:
    assert f"Sitemap: {ADDRESS}/sitemap.xml\n" in sitemaps()["robots.txt"].decode()
