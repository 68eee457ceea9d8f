"""A session as libraries and data portals describe it.

In goes a published session, out come a Dublin Core record in the XML that OAI-PMH made common
(http://www.openarchives.org/OAI/2.0/oai_dc/), the same statements for the page's head, a record in the fields of
Canada's open government portal (the "info" schema of ckanext-canada), and the chapters in the JSON that podcast players
read. What only the institution can decide (its organisation, contact, subject, jurisdiction, licence in the portal's
list, approval) is left to it. Stands alone because none of these forms is ours.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.messages import message
from pipeline.site.licences import show_licence
from pipeline.site.model import MachineFile, PublishedFile, PublishedSession, SiteOptions
from pipeline.site.writing import JSON, XML, XSI, node, write_json, write_xml
from pipeline.types import LANGUAGES, Bilingual, Language, Licence, Person

Label = Callable[[PublishedFile, Language], str]

DUBLIN_CORE: Final = "dublin-core.xml"
OPEN_DATA: Final = "open-data.json"
CHAPTERS: Final = "chapters.json"

_OAI_DC: Final = "http://www.openarchives.org/OAI/2.0/oai_dc/"
_PORTAL: Final = uuid.UUID("5a0ddb86-5a2d-5b4c-8d6a-0f7a3a3f5c11")
"""Names made in it are the same for the same session, wherever it is published."""
_RESOURCE_TYPES: Final = {
    "video": "multimedia_resource",
    "burned_in": "multimedia_resource",
    "audio": "sound_recording",
    "captions": "transcript",
    "comparison": "transcript",
    "transcript": "transcript",
    "poster": "still_image",
}
_FORMATS: Final = {
    "m4a": "AAC",
    "docx": "DOCX",
    "html": "HTML",
    "jpg": "JPG",
    "json": "JSON",
    "pdf": "PDF",
    "txt": "TXT",
}
"""Values of the portal's own lists, which know neither MP4 nor WebVTT."""
_CODES: Final[dict[Language, str]] = {"en": "eng", "fr": "fra"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One element of Dublin Core.

    Attributes:
        element: Its name, without a prefix.
        value: What it says.
        language: Of the value, where it is a text.
    """

    element: str
    value: str
    language: Language | None = None


def make_statements(published: PublishedSession, site: SiteOptions) -> tuple[Statement, ...]:
    """Return what Dublin Core's fifteen elements say of a session, in both languages."""
    return tuple(_statements(published, site))


def _statements(published: PublishedSession, site: SiteOptions) -> Iterator[Statement]:
    session = published.session
    yield from _said("title", session.title)
    if session.host:
        yield Statement(element="creator", value=session.host.name)
    for guest in session.guests:
        yield Statement(element="contributor", value=guest.name)
    for topic in (*session.topics, *session.keywords):
        yield from _said("subject", topic)
    yield from _said("description", session.description)
    yield from _said("publisher", site.name)
    yield Statement(element="date", value=(session.date or published.published_at.date()).isoformat())
    yield Statement(element="type", value="MovingImage" if published.file("video") else "Sound")
    for role in ("video", "audio"):
        file = published.file(role)
        if file:
            yield Statement(element="format", value=file.content_type)
    yield Statement(element="identifier", value=session.id)
    if site.address is not None:
        for language in LANGUAGES:
            yield Statement(element="identifier", value=f"{site.address}/{published.folder}{language}.html")
    for spoken in session.languages:
        yield Statement(element="language", value=_CODES[spoken])
    yield from _said("relation", session.programme)
    for resource in session.resources:
        yield Statement(element="relation", value=resource.address)
    yield from _said("rights", session.rights)
    yield from _licences(session.licence)


def _licences(licence: Licence | None) -> Iterator[Statement]:
    if licence is None:
        return
    shown = [show_licence(licence, language) for language in LANGUAGES]
    yield from _said("rights", shown[0].name)
    for address in dict.fromkeys(each.address for each in shown if each.address):
        yield Statement(element="rights", value=address)


def _said(element: str, text: Bilingual | None) -> Iterator[Statement]:
    if text is None:
        return
    for words, language in dict.fromkeys(text.find(language) for language in LANGUAGES):
        yield Statement(element=element, value=words, language=language)


def make_dublin_core(published: PublishedSession, site: SiteOptions) -> MachineFile:
    """Return the session's Dublin Core record."""
    elements = [
        node(f"dc:{said.element}", said.value, **({"xml__lang": said.language} if said.language else {}))
        for said in make_statements(published, site)
    ]
    root = node(
        "oai_dc:dc",
        *elements,
        xmlns__oai_dc=_OAI_DC,
        xmlns__dc="http://purl.org/dc/elements/1.1/",
        xmlns__xsi=XSI,
        # The protocol asks for it, so that a repository can hand the record on as it is.
        xsi__schemaLocation=f"{_OAI_DC} http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
    )
    return MachineFile(key=published.folder + DUBLIN_CORE, body=write_xml(root), content_type=XML)


def make_open_data(published: PublishedSession, site: SiteOptions, label: Label) -> MachineFile:
    """Return the session's record for the open government portal.

    Args:
        published: The session.
        site: Where the address is not known, the record has no body.
        label: Says what a file is, in words.
    """
    session, number = published.session, str(uuid.uuid5(_PORTAL, published.session.id))
    day = published.published_at.date().isoformat()
    held = session.date.isoformat() if session.date else day
    pages = {language: f"{site.address}/{published.folder}{language}.html" for language in LANGUAGES}
    record: dict[str, object | None] = {
        "type": "info",
        "collection": "publication",
        "id": number,
        "name": number,
        "title_translated": _both(session.title),
        "notes_translated": _both(session.description or session.title),
        "keywords": {
            language: [text.get(language) for text in (*session.topics, *session.keywords)] for language in LANGUAGES
        },
        "creator": session.host.name if session.host else None,
        "contributor": _contributors(session.guests),
        "additional_notes": _both(session.rights) if session.rights else None,
        "data_series_name": _both(session.programme) if session.programme else None,
        "data_series_issue_identification": _week(session.week),
        "program_page_url": pages,
        "time_period_coverage_start": held,
        "time_period_coverage_end": held,
        "date_created": held,
        "date_published": day,
        "date_modified": day,
        "issuance": "single_unit",
        "issuance_frequency": "irregular",
        "frequency": "not_planned",
        "restrictions": "unrestricted",
        "imso_approval": "false",
        "ready_to_publish": "false",
        "resources": [
            {
                "id": str(uuid.uuid5(uuid.UUID(number), file.name)),
                "name_translated": {language: label(file, language) for language in LANGUAGES},
                "resource_type": _RESOURCE_TYPES.get(file.role, "publication"),
                "format": _FORMATS.get(file.name.rpartition(".")[2], "other"),
                "size": file.size,
                "character_set": "UTF-8",
                "language": [file.language] if file.language else list(session.languages),
                "date_published": day,
                "url": f"{site.address}/{published.folder}{file.href}",
            }
            for file in published.offered
        ],
    }
    told = {name: value for name, value in record.items() if value is not None}
    body = write_json(told) if site.address is not None else None
    return MachineFile(key=published.folder + OPEN_DATA, body=body, content_type=JSON)


def make_chapters(published: PublishedSession) -> MachineFile:
    """Return the session's chapters as podcast players read them; see https://podcasting2.org/docs.

    Without a body where it is not divided.
    """
    chapters = [
        {"startTime": chapter.start_ms / 1000, "endTime": chapter.end_ms / 1000, "title": chapter.title}
        for chapter in published.chapters
    ]
    body = write_json({"version": "1.2.0", "chapters": chapters}) if chapters else None
    return MachineFile(key=published.folder + CHAPTERS, body=body, content_type="application/json+chapters")


def _both(text: Bilingual) -> dict[str, str]:
    return {language: text.get(language) for language in LANGUAGES}


def _contributors(guests: tuple[Person, ...]) -> dict[str, str] | None:
    names = ", ".join(guest.name for guest in guests)
    return dict.fromkeys(LANGUAGES, names) if guests else None


def _week(week: int | None) -> dict[str, str] | None:
    if week is None:
        return None
    return {language: message("site.week", language, week=week) for language in LANGUAGES}
