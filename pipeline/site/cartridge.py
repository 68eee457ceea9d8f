"""A programme as a course that learning management systems import.

In go the sessions of a programme, out comes an IMS Common Cartridge 1.1
(https://www.imsglobal.org/cc/ccv1p1/imscc_profilev1p1-Overview.html): a zip with a manifest that orders the sessions by
week, and a web link to each session's page. It is the version that every system reads: Moodle knows none that is later.
Links rather than copies, so that a course shows what is published now. The bytes are the same for the same sessions:
nothing is compressed, since that differs between versions of zlib, and every member has the same date. Stands alone
because only such systems read it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from pipeline.site.catalogue import group_entries, programme_key
from pipeline.site.list_pages import Section, by_week
from pipeline.site.model import CatalogueEntry, MachineFile, SiteOptions
from pipeline.site.writing import XSI, node, write_xml
from pipeline.types import Bilingual, Language
from pipeline.visible import shorten

CARTRIDGE: Final = "application/vnd.ims.imsccv1p1"

_CC: Final = "http://www.imsglobal.org/xsd/imsccv1p1"
_LOM: Final = "http://ltsc.ieee.org/xsd/imsccv1p1/LOM/manifest"
_PROFILE: Final = "http://www.imsglobal.org/profile/cc/ccv1p1"
_TITLE_LENGTH: Final = 254
"""The longest name of a course that Moodle's database holds; of a link it holds one character more."""
_OLDEST: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_FILE_MODE: Final = 0o100644 << 16


def cartridge_key(programme: Bilingual, language: Language) -> str:
    """Return where the cartridge of a programme lies below the site's root."""
    return f"feeds/{language}/{programme_key(programme)}/course.imscc"


def make_cartridge(
    programme: Bilingual, entries: Sequence[CatalogueEntry], language: Language, site: SiteOptions
) -> MachineFile:
    """Return a programme's cartridge; without a body where it has no sessions.

    Args:
        programme: Its name.
        entries: Its sessions.
        language: Of the titles, and of the pages that are linked.
        site: Where the address is not known, there is no cartridge.
    """
    body = _pack(programme, entries, language, site) if entries and site.address is not None else None
    return MachineFile(key=cartridge_key(programme, language), body=body, content_type=CARTRIDGE)


def _pack(programme: Bilingual, entries: Sequence[CatalogueEntry], language: Language, site: SiteOptions) -> bytes:
    (group,) = group_entries(entries)
    members = {"imsmanifest.xml": write_xml(_manifest(programme, group.entries, language))}
    for entry in group.entries:
        members[_link_name(entry)] = write_xml(_link(entry, language, site))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, body in members.items():
            member = zipfile.ZipInfo(name, _OLDEST)
            member.create_system, member.external_attr = _UNIX, _FILE_MODE
            archive.writestr(member, body)
    return packed.getvalue()


def _manifest(programme: Bilingual, entries: Sequence[CatalogueEntry], language: Language) -> Element:
    title = node("lomimscc:string", _title(programme, language), language=language)
    return node(
        "manifest",
        node(
            "metadata",
            node("schema", "IMS Common Cartridge"),
            node("schemaversion", "1.1.0"),
            node("lomimscc:lom", node("lomimscc:general", node("lomimscc:title", title))),
        ),
        node(
            "organizations",
            node(
                "organization",
                node("item", *(_module(week, language) for week in by_week(entries, language)), identifier="root"),
                identifier="course",
                structure="rooted-hierarchy",
            ),
        ),
        node("resources", *map(_resource, entries)),
        # First: Moodle knows a cartridge by this among the first 500 bytes.
        xmlns=f"{_CC}/imscp_v1p1",
        identifier=f"tribune-{programme_key(programme)}-{language}",
        xmlns__lomimscc=_LOM,
        xmlns__xsi=XSI,
        xsi__schemaLocation=(
            f"{_CC}/imscp_v1p1 {_PROFILE}/ccv1p1_imscp_v1p2_v1p0.xsd {_LOM} {_PROFILE}/LOM/ccv1p1_lommanifest_v1p0.xsd"
        ),
    )


def _module(week: Section, language: Language) -> Element:
    """Return a week with its sessions, or what holds the sessions outside the weeks.

    Each session is in one of them, since systems make an unnamed module of each that is not. Only our own words name
    them: Moodle takes their names for markup.
    """
    items = [
        node(
            "item",
            node("title", _title(entry.title, language)),
            identifier=f"item-{entry.session_id}",
            identifierref=f"link-{entry.session_id}",
        )
        for entry in week.entries
    ]
    return node("item", node("title", week.title.get(language)), *items, identifier=week.id)


def _resource(entry: CatalogueEntry) -> Element:
    return node(
        "resource", node("file", href=_link_name(entry)), identifier=f"link-{entry.session_id}", type="imswl_xmlv1p1"
    )


def _link(entry: CatalogueEntry, language: Language, site: SiteOptions) -> Element:
    return node(
        "webLink",
        node("title", _title(entry.title, language)),
        node("url", href=f"{site.address}/{entry.page(language)}", target="_blank"),
        xmlns=f"{_CC}/imswl_v1p1",
        xmlns__xsi=XSI,
        xsi__schemaLocation=f"{_CC}/imswl_v1p1 {_PROFILE}/ccv1p1_imswl_v1p1.xsd",
    )


def _link_name(entry: CatalogueEntry) -> str:
    """Return where a link lies: in a folder of its own, of which all that is in it belongs to the link."""
    return f"link-{entry.session_id}/link.xml"


def _title(text: Bilingual, language: Language) -> str:
    return shorten(text.get(language), _TITLE_LENGTH)
