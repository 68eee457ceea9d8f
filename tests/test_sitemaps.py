"""Sitemaps: valid by the protocol's own schema, with every page in both languages, in parts by month."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from pipeline.site.model import INDEXES, CatalogueEntry, Letter, Shelf, Subject
from pipeline.site.sitemaps import make_sitemap, make_sitemap_of_letter, make_sitemap_part
from pipeline.types import LANGUAGES, Bilingual
from tests.pages import ADDRESS, make_entry, make_hostile, make_published, renumbered

SCHEMA = etree.XMLSchema(file=Path(__file__).parent / "data" / "sitemap.xsd")
OWN = "http://www.sitemaps.org/schemas/sitemap/0.9"
NAMESPACES = {
    "s": OWN,
    "video": "http://www.google.com/schemas/sitemap-video/1.1",
    "xhtml": "http://www.w3.org/1999/xhtml",
}
ENTRY = make_entry(make_published())


MONTH = Shelf(key="2026-11", count=1, month=dt.date(2026, 11, 1))
UNDATED = Shelf(key="undated", count=1)
PROGRAMME = Shelf(key="programme-1", count=1, programme=ENTRY.programme)


def part(*entries: CatalogueEntry) -> bytes:
    made = make_sitemap_part(MONTH, entries, ADDRESS)
    assert made.key == "sitemap-2026-11.xml"
    assert made.body is not None
    return made.body


def sitemaps(*shelves: Shelf) -> dict[str, bytes]:
    return {file.key: file.body for file in make_sitemap(shelves, ADDRESS) if file.body is not None}


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
    root = checked(part(ENTRY))
    folder = f"{ADDRESS}/sessions/{ENTRY.session_id}"
    assert list(pages(root)) == [f"{folder}/en.html", f"{folder}/fr.html"]
    for url in root.iterfind("s:url", NAMESPACES):
        twins = {link.get("hreflang"): link.get("href") for link in url.iterfind("xhtml:link", NAMESPACES)}
        assert url.findtext("s:loc", namespaces=NAMESPACES) in twins.values()
        assert set(twins) == {"en", "fr"}


def test_a_session_is_told_of_as_a_video() -> None:
    root = checked(part(ENTRY))
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
    assert checked(part(silent)).find(".//video:duration", NAMESPACES) is None
    bare = dataclasses.replace(ENTRY, poster=None, published_at=None)
    root = checked(part(bare))
    assert root.find(".//video:video", NAMESPACES) is None
    assert root.find(".//s:lastmod", NAMESPACES) is None
    long = checked(part(make_entry(make_hostile())))
    assert {len(title.text) <= 100 for title in long.iterfind(".//video:title", NAMESPACES)} == {True}
    assert not long.xpath("//*[local-name() = 'script' or local-name() = 'svg']")


def test_the_index_leads_to_the_lists_and_to_each_month_once() -> None:
    made = sitemaps(MONTH, UNDATED, PROGRAMME)
    index = etree.fromstring(made["sitemap.xml"])
    parts = index.xpath("/s:sitemapindex/s:sitemap/s:loc/text()", namespaces=NAMESPACES)
    names = ("sitemap-lists.xml", "sitemap-2026-11.xml", "sitemap-undated.xml")
    assert parts == [f"{ADDRESS}/{name}" for name in names]
    lists = list(pages(checked(made["sitemap-lists.xml"])))
    assert lists[:2] == [f"{ADDRESS}/en/index.html", f"{ADDRESS}/fr/index.html"]
    keys = [*INDEXES.values(), "2026-11", "undated", "programme-1"]
    assert lists[2:] == [f"{ADDRESS}/{language}/lists/{key}.html" for key in keys for language in ("en", "fr")]


def test_the_lists_under_a_letter_are_told_of_once() -> None:
    letters = [Letter(kind="topic", language=language, letter="p", count=1) for language in LANGUAGES]
    topic = Shelf(key="topic-plain-1", count=1, subject=Subject(kind="topic", name=Bilingual(en="Plain")))
    made = {file.key: file.body for file in make_sitemap([MONTH], ADDRESS, letters) if file.body is not None}
    assert f"{ADDRESS}/sitemap-topics-en-p.xml" in made["sitemap.xml"].decode()
    assert "topics-fr-p" not in made["sitemap.xml"].decode()
    english, french = (make_sitemap_of_letter(letter, [topic], ADDRESS) for letter in letters)
    assert english.body is not None
    assert list(pages(checked(english.body))) == [
        f"{ADDRESS}/en/lists/topic-plain-1.html",
        f"{ADDRESS}/fr/lists/topic-plain-1.html",
    ]
    assert french.body is None
    assert make_sitemap_of_letter(letters[0], [], ADDRESS).body is None
    assert make_sitemap_of_letter(letters[0], [topic], None).body is None


def test_a_part_is_the_same_in_any_order_and_gone_with_its_sessions_or_the_address() -> None:
    other = renumbered(ENTRY, "a" * 16)
    assert part(ENTRY, other) == part(other, ENTRY) != part(ENTRY)
    assert make_sitemap_part(MONTH, [], ADDRESS).body is None
    assert make_sitemap_part(MONTH, [ENTRY], None).body is None
    assert {file.body for file in make_sitemap([MONTH], None)} == {None}


def test_robots_are_told_where_the_sitemap_is() -> None:
    assert f"Sitemap: {ADDRESS}/sitemap.xml\n" in sitemaps()["robots.txt"].decode()
