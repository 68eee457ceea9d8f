"""Common Cartridges: whole, in the order of the weeks, the same bytes each time, and nothing in them but links."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import zipfile

from lxml import etree

from pipeline.site.cartridge import make_cartridge
from pipeline.site.model import CatalogueEntry, Shelf
from pipeline.site.render import LearnerSite
from pipeline.types import Language
from tests.pages import ADDRESS, OPTIONS, make_entry, make_hostile, make_published, renumbered, shown_hostile

NAMESPACES = {
    "cc": "http://www.imsglobal.org/xsd/imsccv1p3/imscp_v1p1",
    "lom": "http://ltsc.ieee.org/xsd/imsccv1p3/LOM/manifest",
    "wl": "http://www.imsglobal.org/xsd/imsccv1p3/imswl_v1p3",
}
ENGLISH, FRENCH = make_entry(make_published("en")), make_entry(make_published("fr"))
LATER = dataclasses.replace(renumbered(ENGLISH, "2" * 16), week=None)


def cartridge(*entries: CatalogueEntry, language: Language = "en") -> bytes:
    programme = entries[0].programme
    assert programme is not None
    body = make_cartridge(programme, entries, language, OPTIONS).body
    assert body is not None
    return body


def opened(body: bytes) -> dict[str, etree._Element]:
    """Return every member, checked as an importer would: names, order, one link behind each item."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        members = {name: etree.fromstring(archive.read(name)) for name in archive.namelist()}
    manifest = members["imsmanifest.xml"]
    assert [etree.QName(part).localname for part in manifest] == ["metadata", "organizations", "resources"]
    identifiers = manifest.xpath("//@identifier")
    assert len(identifiers) == len(set(identifiers))
    # xs:ID
    assert all(identifier[0].isalpha() and " " not in identifier for identifier in identifiers)
    resources = {found.get("identifier"): found for found in manifest.iterfind(".//cc:resource", NAMESPACES)}
    assert sorted(manifest.xpath("//@identifierref")) == sorted(resources)
    hrefs = [found.get("href") for found in manifest.iterfind(".//cc:file", NAMESPACES)]
    assert {"imsmanifest.xml", *hrefs} == members.keys()
    assert {resource.get("type") for resource in resources.values()} <= {"imswl_xmlv1p3"}
    return members


def test_a_course_is_the_programme_week_by_week() -> None:
    manifest = opened(cartridge(LATER, ENGLISH, FRENCH))["imsmanifest.xml"]
    assert manifest.findtext("cc:metadata/cc:schemaversion", namespaces=NAMESPACES) == "1.3.0"
    assert manifest.findtext(".//lom:title/lom:string", namespaces=NAMESPACES) == "Digital skills for public servants"
    root = manifest.find("cc:organizations/cc:organization[@structure='rooted-hierarchy']/cc:item", NAMESPACES)
    assert root is not None
    titles = [item.findtext("cc:title", namespaces=NAMESPACES) for item in root.iterfind("cc:item", NAMESPACES)]
    assert titles == ["Week\u00a01", "Week\u00a03", "Plain language in public services"]


def test_a_link_leads_to_the_page_in_the_language_of_the_course() -> None:
    for language in ("en", "fr"):
        members = opened(cartridge(ENGLISH, language=language))
        link = members["links/0123456789abcdef.xml"]
        assert link.findtext("wl:title", namespaces=NAMESPACES) == ENGLISH.title.get(language)
        url = link.find("wl:url", NAMESPACES)
        assert url is not None
        assert url.get("href") == f"{ADDRESS}/sessions/0123456789abcdef/{language}.html"


def test_the_same_sessions_make_the_same_bytes() -> None:
    assert cartridge(ENGLISH, FRENCH, LATER) == cartridge(LATER, FRENCH, ENGLISH)


def test_hostile_texts_are_texts() -> None:
    members = opened(cartridge(make_entry(make_hostile())))
    assert members["links/1111111111111111.xml"].findtext("wl:title", namespaces=NAMESPACES) == shown_hostile()
    assert shown_hostile() in members["imsmanifest.xml"].xpath("//cc:title/text()", namespaces=NAMESPACES)


def test_a_list_by_month_is_no_course_and_a_programme_without_sessions_has_none() -> None:
    site = LearnerSite(OPTIONS)
    month = Shelf(key="2026-11", count=1, month=dt.date(2026, 11, 1))
    assert not [file.key for file in site.shelf_files(month, [ENGLISH]) if file.key.endswith(".imscc")]
    programme = Shelf(key="programme-1", count=0, programme=ENGLISH.programme)
    assert {file.body for file in site.shelf_files(programme, [])} == {None}
    made = [file.key for file in site.shelf_files(programme, [ENGLISH]) if file.key.endswith(".imscc")]
    assert [key.split("/")[1] for key in made] == ["en", "fr"]
