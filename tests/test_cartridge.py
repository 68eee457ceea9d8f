"""Common Cartridges: whole, in the order of the weeks, the same bytes each time, and nothing in them but links."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import re
import unittest
import warnings
import zipfile
from importlib import import_module
from pathlib import Path

import pytest
from lxml import etree

from pipeline.site.cartridge import make_cartridge
from pipeline.site.model import CatalogueEntry, Shelf
from pipeline.site.render import LearnerSite
from pipeline.types import LANGUAGES, Language
from tests.pages import ADDRESS, OPTIONS, make_entry, make_hostile, make_published, renumbered, shown_hostile

NAMESPACES = {
    "cc": "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1",
    "lom": "http://ltsc.ieee.org/xsd/imsccv1p1/LOM/manifest",
    "wl": "http://www.imsglobal.org/xsd/imsccv1p1/imswl_v1p1",
}
SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
ALLOWED: dict[str, tuple[str, set[str]]] = {
    "cc:manifest": ("cc:metadata cc:organizations cc:resources", {"identifier", SCHEMA_LOCATION}),
    "cc:metadata": ("cc:schema cc:schemaversion lom:lom", set()),
    "cc:organizations": ("cc:organization", set()),
    "cc:organization": ("cc:item", {"identifier", "structure"}),
    "cc:organization/cc:item": ("(cc:item )*cc:item", {"identifier"}),
    "cc:organization/cc:item/cc:item": ("cc:title( cc:item)+", {"identifier"}),
    "cc:item/cc:item/cc:item": ("cc:title", {"identifier", "identifierref"}),
    "cc:resources": ("(cc:resource )*cc:resource", set()),
    "cc:resource": ("cc:file", {"identifier", "type"}),
    "cc:file": ("", {"href"}),
    "lom:lom": ("lom:general", set()),
    "lom:general": ("lom:title", set()),
    "lom:general/lom:title": ("lom:string", set()),
    "lom:string": ("", {"language"}),
    "wl:webLink": ("wl:title wl:url", {SCHEMA_LOCATION}),
    "wl:url": ("", {"href", "target"}),
}
"""What the schemas of version 1.1 (ccv1p1_imscp_v1p2_v1p0.xsd, ccv1p1_lommanifest_v1p0.xsd, ccv1p1_imswl_v1p1.xsd) let
stand in the elements that are written here, in which order, and which attributes they have. Read there, not taken."""
LONGEST_NAME = 254
"""Of a course in Moodle's database."""
ENGLISH, FRENCH = make_entry(make_published("en")), make_entry(make_published("fr"))
LATER = dataclasses.replace(renumbered(ENGLISH, "2" * 16), week=None)


def cartridge(*entries: CatalogueEntry, language: Language = "en") -> bytes:
    programme = entries[0].programme
    assert programme is not None
    made = make_cartridge(programme, entries, language, OPTIONS)
    assert made.content_type == "application/vnd.ims.imsccv1p1"
    assert made.body is not None
    return made.body


def opened(body: bytes) -> dict[str, etree._Element]:
    """Return every member, checked as an importer would: form, names, order, one link behind each session."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        # Moodle looks no further for what a package is.
        assert f'xmlns="{NAMESPACES["cc"]}"' in archive.read("imsmanifest.xml")[:500].decode()
        members = {name: etree.fromstring(archive.read(name)) for name in archive.namelist()}
    for member in members.values():
        assert_allowed(member)
    manifest = members["imsmanifest.xml"]
    assert manifest.findtext("cc:metadata/cc:schema", namespaces=NAMESPACES) == "IMS Common Cartridge"
    assert manifest.findtext("cc:metadata/cc:schemaversion", namespaces=NAMESPACES) == "1.1.0"
    identifiers = manifest.xpath("//@identifier")
    assert len(identifiers) == len(set(identifiers))
    # xs:ID
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", identifier, re.ASCII) for identifier in identifiers)
    resources = {found.get("identifier"): found for found in manifest.iterfind(".//cc:resource", NAMESPACES)}
    assert sorted(manifest.xpath("//@identifierref")) == sorted(resources)
    hrefs = [found.get("href") for found in manifest.iterfind(".//cc:file", NAMESPACES)]
    assert {"imsmanifest.xml", *hrefs} == members.keys()
    # What lies in the folder of a link belongs to that link.
    assert len({str(href).partition("/")[0] for href in hrefs}) == len(hrefs)
    assert {resource.get("type") for resource in resources.values()} == {"imswl_xmlv1p1"}
    names = [found.text or "" for found in manifest.iter("{*}title", "{*}string")]
    assert all(len(name) <= LONGEST_NAME for name in names)
    return members


def assert_allowed(root: etree._Element) -> None:
    for path, (content, attributes) in ALLOWED.items():
        for found in root.xpath(f"//{path}", namespaces=NAMESPACES):
            prefixes = {address: prefix for prefix, address in NAMESPACES.items()}
            names = [etree.QName(child) for child in found]
            held = " ".join(f"{prefixes[str(name.namespace)]}:{name.localname}" for name in names)
            assert re.fullmatch(content, held), (path, held)
            assert {*map(str, found.attrib)} == attributes, path


def modules(body: bytes) -> dict[str, list[str]]:
    """Return the modules of a course by their titles, with the titles in them."""
    (root,) = opened(body)["imsmanifest.xml"].iterfind("cc:organizations/cc:organization/cc:item", NAMESPACES)
    return {
        item.findtext("cc:title", "", NAMESPACES): [str(title) for title in item.xpath("*/*[1]/text()")]
        for item in root
    }


def profile_faults(body: bytes, folder: Path) -> list[str]:
    """Return what pyslet finds against the profile of Common Cartridge: links, their files and their folders."""
    path = folder / "course.imscc"
    path.write_bytes(body)
    with warnings.catch_warnings():
        # Written for Python 2 and 3 at once, it warns where later versions frown.
        warnings.simplefilter("ignore")
        rules = import_module("pyslet.imscc_profilev1p0")
        package = import_module("pyslet.imscc_profilev1p1").CommonCartridge(str(path))
        assert package.laoTable
        result = unittest.TestResult()
        rules.CCTestSuite(package).run(result)
        package.close()
    assert result.testsRun == 8
    return [f"{case.id()}: {said}" for case, said in (*result.failures, *result.errors)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_validator_finds_nothing_in_any_course(language: Language, tmp_path: Path) -> None:
    hostile = make_entry(make_hostile())
    for entries in ((LATER, ENGLISH, FRENCH), (ENGLISH,), (LATER,), (hostile, renumbered(hostile, "2" * 16))):
        assert profile_faults(cartridge(*entries, language=language), tmp_path) == []


def test_the_validator_finds_links_that_share_a_folder(tmp_path: Path) -> None:
    shared = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(cartridge(ENGLISH, FRENCH))) as made, zipfile.ZipFile(shared, "w") as other:
        for name in made.namelist():
            body = re.sub(rb'href="link-(\w+)/link.xml"', rb'href="links/\1.xml"', made.read(name))
            other.writestr(re.sub(r"link-(\w+)/link.xml", r"links/\1.xml", name), body)
    (said,) = profile_faults(shared.getvalue(), tmp_path)
    assert "associated_content_1" in said


def test_a_course_is_the_programme_week_by_week() -> None:
    body = cartridge(LATER, ENGLISH, FRENCH)
    manifest = opened(body)["imsmanifest.xml"]
    assert manifest.findtext(".//lom:title/lom:string", namespaces=NAMESPACES) == "Digital skills for public servants"
    assert manifest.xpath("//cc:organization/@structure", namespaces=NAMESPACES) == ["rooted-hierarchy"]
    assert modules(body) == {
        "Week\u00a01": [FRENCH.title.get("en")],
        "Week\u00a03": [ENGLISH.title.get("en")],
        "Other sessions": [LATER.title.get("en")],
    }


def test_every_session_is_in_a_module_also_where_there_are_no_weeks() -> None:
    assert modules(cartridge(LATER, language="fr")) == {"Séances": [LATER.title.get("fr")]}


def test_a_link_leads_to_the_page_in_the_language_of_the_course() -> None:
    for language in ("en", "fr"):
        members = opened(cartridge(ENGLISH, language=language))
        link = members["link-0123456789abcdef/link.xml"]
        assert link.findtext("wl:title", namespaces=NAMESPACES) == ENGLISH.title.get(language)
        url = link.find("wl:url", NAMESPACES)
        assert url is not None
        assert url.get("href") == f"{ADDRESS}/sessions/0123456789abcdef/{language}.html"


def test_the_same_sessions_make_the_same_bytes() -> None:
    assert cartridge(ENGLISH, FRENCH, LATER) == cartridge(LATER, FRENCH, ENGLISH)


def test_hostile_texts_are_texts_that_fit() -> None:
    hostile = make_entry(make_hostile())
    members = opened(cartridge(hostile, dataclasses.replace(renumbered(hostile, "2" * 16), week=None)))
    shown = f"{shown_hostile()[: LONGEST_NAME - 1].rstrip()}…"
    assert members["link-1111111111111111/link.xml"].findtext("wl:title", namespaces=NAMESPACES) == shown
    manifest = members["imsmanifest.xml"]
    assert manifest.findtext(".//lom:title/lom:string", namespaces=NAMESPACES) == shown
    assert manifest.xpath("//cc:item[@identifierref]/cc:title/text()", namespaces=NAMESPACES) == [shown, shown]
    # Moodle writes the names of modules into XML as they are.
    assert not re.search("[<>&]", "".join(modules(cartridge(hostile))))


def test_a_list_by_month_is_no_course_and_a_programme_without_sessions_has_none() -> None:
    site = LearnerSite(OPTIONS)
    month = Shelf(key="2026-11", count=1, month=dt.date(2026, 11, 1))
    assert not [file.key for file in site.shelf_files(month, [ENGLISH]) if file.key.endswith(".imscc")]
    programme = Shelf(key="programme-1", count=0, programme=ENGLISH.programme)
    assert {file.body for file in site.shelf_files(programme, [])} == {None}
    made = [file.key for file in site.shelf_files(programme, [ENGLISH]) if file.key.endswith(".imscc")]
    assert [key.split("/")[1] for key in made] == ["en", "fr"]
