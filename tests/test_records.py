"""Records for libraries, for the open government portal and for podcast players: their fields, and only theirs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from lxml import etree

from pipeline.site.model import PublishedSession, SiteOptions
from pipeline.site.records import make_chapters
from pipeline.site.render import LearnerSite
from pipeline.types import Chapter
from tests.pages import ADDRESS, OPTIONS, SESSION, make_hostile, make_published, shown_hostile

DATA = Path(__file__).parent / "data"
XML_LANGUAGE = """
<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">
<attribute name="lang" type="language"/></schema>
"""
"""All that Dublin Core's schema uses of XML's own."""
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

# Fields and values of ckanext-canada's schema "info" and its presets (github.com/open-data/ckanext-canada, 2025).
FLUENT = {"title_translated", "notes_translated", "contributor", "additional_notes", "program_page_url"} | {
    *("data_series_name", "data_series_issue_identification"),
}
FIELDS = FLUENT | {
    *("type", "id", "name", "collection", "keywords", "creator", "restrictions", "imso_approval", "ready_to_publish"),
    *("time_period_coverage_start", "time_period_coverage_end", "date_created", "date_published", "date_modified"),
    *("issuance", "issuance_frequency", "frequency", "resources"),
}
RESOURCE_FIELDS = {
    *("id", "name_translated", "resource_type", "format", "size", "character_set", "language", "date_published", "url"),
}
RESOURCE_TYPES = {"multimedia_resource", "sound_recording", "transcript", "still_image", "publication"}
FORMATS = {"AAC", "DOCX", "HTML", "JPG", "JSON", "PDF", "TXT", "other"}


class Beside(etree.Resolver):  # type: ignore[misc]  # lxml says nothing of its types
    """Finds what a schema imports in the folder of the tests' data, as none of it is fetched."""

    def resolve(self, system_url: str, public_id: str | None, context: object) -> object:
        name = system_url.rpartition("/")[2]
        if name == "xml.xsd":
            return self.resolve_string(XML_LANGUAGE, context)
        return self.resolve_filename(str(DATA / name), context)


def oai_schema() -> etree.XMLSchema:
    parser = etree.XMLParser()
    parser.resolvers.add(Beside())
    return etree.XMLSchema(etree.parse(DATA / "oai_dc.xsd", parser))


OAI_DC = oai_schema()


def made(published: PublishedSession, name: str, options: SiteOptions = OPTIONS) -> bytes:
    files = {file.key: file.body for file in LearnerSite(options).session_files(published)}
    body = files[f"{published.folder}{name}"]
    assert body is not None
    return body


def dublin_core(
    published: PublishedSession, options: SiteOptions = OPTIONS
) -> list[tuple[str, str | None, str | None]]:
    root = etree.fromstring(made(published, "dublin-core.xml", options))
    OAI_DC.assertValid(root)
    return [(etree.QName(part).localname, part.text, part.get(LANGUAGE)) for part in root]


def open_data(published: PublishedSession) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made(published, "open-data.json"))
    return found


def test_the_protocols_schema_refuses_what_is_no_library_record() -> None:
    record = made(make_published(), "dublin-core.xml")
    for wrong in (
        record.replace(b"dc:title", b"dc:heading"),
        record.replace(b'xml:lang="en"', b'lang="en"'),
        record.replace(b"</oai_dc:dc>", b"<title/></oai_dc:dc>"),
    ):
        assert wrong != record
        assert not OAI_DC.validate(etree.fromstring(wrong))


def test_a_library_record_says_everything_in_both_languages() -> None:
    said = dublin_core(make_published())
    assert ("title", "Plain language in public services", "en") in said
    assert ("title", "Le langage clair dans les services publics", "fr") in said
    assert ("creator", "Miriam Osei", None) in said
    assert ("date", "2026-11-12", None) in said
    assert ("language", "eng", None) in said
    assert ("identifier", f"{ADDRESS}/sessions/0123456789abcdef/fr.html", None) in said


def test_a_library_record_has_each_text_once_in_the_language_that_it_is_in() -> None:
    titles = [(text, language) for element, text, language in dublin_core(make_published("fr")) if element == "title"]
    assert titles == [(SESSION["fr"].title.get("fr"), "fr")]


def test_a_library_record_needs_no_address() -> None:
    said = dublin_core(make_published(), SiteOptions())
    assert [text for element, text, _ in said if element == "identifier"] == ["0123456789abcdef"]


def test_the_page_states_what_the_record_states() -> None:
    page = etree.HTML(LearnerSite(OPTIONS).session_pages(make_published("en"))["fr"])
    metas = page.xpath("//meta[starts-with(@name, 'dcterms.')]")
    found = [(meta.get("name").removeprefix("dcterms."), meta.get("content"), meta.get("lang")) for meta in metas]
    assert found == dublin_core(make_published("en"))


def test_a_portal_record_has_the_portals_fields_and_values() -> None:
    for published in (make_published("en"), make_published("fr"), make_hostile()):
        record = open_data(published)
        assert record.keys() <= FIELDS
        assert all(
            record[name].keys() == {"en", "fr"} and all(record[name].values()) for name in FLUENT & record.keys()
        )
        for resource in record["resources"]:
            assert resource.keys() == RESOURCE_FIELDS
            assert resource["resource_type"] in RESOURCE_TYPES
            assert resource["format"] in FORMATS
            assert set(resource["language"]) <= {"en", "fr"}
            assert resource["url"].startswith(f"{ADDRESS}/{published.folder}")


def test_a_portal_record_is_a_draft_until_a_person_approves_it() -> None:
    record = open_data(make_published())
    assert (record["imso_approval"], record["ready_to_publish"]) == ("false", "false")
    assert not {"owner_org", "maintainer_email", "subject", "license_id"} & record.keys()


def test_a_portal_record_is_the_same_session_whatever_its_revision() -> None:
    first = make_published()
    later = dataclasses.replace(first, revision="r2-00000000")
    assert open_data(first)["id"] == open_data(later)["id"] != open_data(make_published("fr"))["id"]


def test_chapters_are_written_for_podcast_players_where_there_are_any() -> None:
    chapters = (Chapter(start_ms=0, end_ms=1_500, title="Un début", language="fr"),)
    divided = dataclasses.replace(make_published(), chapters=chapters)
    body = make_chapters(divided).body
    assert body is not None
    assert json.loads(body) == {
        "version": "1.2.0",
        "chapters": [{"startTime": 0, "endTime": 1.5, "title": "Un début"}],
    }
    assert make_chapters(dataclasses.replace(divided, chapters=())).body is None
    assert make_chapters(divided) in LearnerSite().session_files(divided)


def test_hostile_texts_are_texts() -> None:
    said = dublin_core(make_hostile())
    assert {text for element, text, _ in said if element == "title"} == {shown_hostile()}
    record = open_data(make_hostile())
    assert record["title_translated"] == {"en": shown_hostile(), "fr": shown_hostile()}
    assert json.loads(made(make_hostile(), "chapters.json"))["chapters"][0]["title"] == shown_hostile()
