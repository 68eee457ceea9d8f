"""What a session's page tells search engines and sites that show a link to it.

In go a published session, the language of the page and the site's address; out come its description in the vocabulary
of schema.org (https://schema.org/VideoObject, https://schema.org/LearningResource), the tags of Open Graph
(https://ogp.me) and the answer of oEmbed (https://oembed.com). Stands alone because none of it shows on the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from markupsafe import Markup

from pipeline.formatting import format_machine_duration, format_seconds
from pipeline.messages import message
from pipeline.site.licences import show_licence
from pipeline.site.model import MachineFile, PublishedFile, PublishedSession, SiteOptions
from pipeline.site.writing import JSON, write_json
from pipeline.types import LANGUAGES, Bilingual, Language, Person, Resource, Session
from pipeline.visible import visible

EMBED_SIZE: Final = (640, 400)
"""Width and height in CSS pixels that an embedded player asks for: 16 by 9, and a line below."""

_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""Without these characters no text can close the element or open another."""
_LOCALES: Final[dict[Language, str]] = {"en": "en_CA", "fr": "fr_CA"}


def embed_name(language: Language) -> str:
    """Return what the player of a session that other pages embed is called, in the session's folder."""
    return f"embed.{language}.html"


def oembed_name(language: Language) -> str:
    """Return what the session's answer to oEmbed is called, in the session's folder."""
    return f"oembed.{language}.json"


def describe_session(published: PublishedSession, language: Language, site: SiteOptions) -> dict[str, object]:
    """Return a session in the vocabulary of schema.org, as its page in that language tells of it.

    Args:
        published: The session.
        language: Of the page.
        site: Whose address is known.
    """
    session, folder = published.session, f"{site.address}/{published.folder}"
    page = f"{folder}{language}.html"
    medium = published.file("video") or published.file("audio")
    poster = published.file("poster")
    captions = [_media(file, folder) for file in published.offered if file.role == "captions"]
    transcripts = [_media(file, folder) for file in published.offered if file.role == "transcript"]
    features = {"captions": captions, "transcript": transcripts}
    described: dict[str, object | None] = {
        "@context": "https://schema.org",
        "@type": [_kind(published), "LearningResource"],
        "@id": page,
        "url": page,
        "name": session.title.get(language),
        "description": (session.description or session.title).get(language),
        "inLanguage": list(session.languages),
        "duration": format_machine_duration(published.duration_ms),
        "uploadDate": published.published_at.isoformat(),
        "dateCreated": session.date.isoformat() if session.date else None,
        "thumbnailUrl": folder + poster.href if poster else None,
        "contentUrl": folder + medium.href if medium else None,
        "encodingFormat": medium.content_type if medium else None,
        "embedUrl": folder + embed_name(language) if published.file("video") else None,
        "caption": captions,
        "associatedMedia": transcripts,
        "keywords": [text.get(language) for text in (*session.topics, *session.keywords)],
        "license": _licence(session, language),
        "contributor": [_person(somebody, language) for somebody in published.session.people],
        "citation": [_resource(resource, language) for resource in session.resources],
        "isPartOf": _programme(session.programme, language),
        "position": session.week,
        "learningResourceType": message("site.recorded_session", language),
        "isAccessibleForFree": True,
        "accessibilityFeature": [feature for feature, there in features.items() if there],
        "publisher": {"@type": "Organization", "name": site.name.get(language), "url": f"{site.address}/index.html"},
        "hasPart": list(_clips(published, page)),
    }
    return {name: value for name, value in described.items() if value not in (None, [])}


def script_text(described: dict[str, object]) -> Markup:
    """Return a description as it may stand in a ``script`` element, which only data may use under the page's policy."""
    return Markup(write_json(described).decode().strip().translate(_IN_SCRIPT))  # noqa: S704 - that is what it is for


def social_tags(published: PublishedSession, language: Language, site: SiteOptions) -> tuple[tuple[str, str], ...]:
    """Return the properties of Open Graph by which other sites show a link to the page."""
    session, folder = published.session, f"{site.address}/{published.folder}"
    video, poster = published.file("video"), published.file("poster")
    tags = [
        ("og:type", "video.other" if video else "website"),
        ("og:title", session.title.get(language)),
        ("og:description", (session.description or session.title).get(language)),
        ("og:url", f"{folder}{language}.html"),
        ("og:site_name", site.name.get(language)),
        ("og:locale", _LOCALES[language]),
        *(("og:locale:alternate", _LOCALES[other]) for other in LANGUAGES if other != language),
    ]
    if poster:
        tags += [("og:image", folder + poster.href), ("og:image:alt", session.title.get(language))]
    if video:
        tags += [("og:video", folder + video.href), ("og:video:type", video.content_type)]
    return tuple(tags)


def embed_code(published: PublishedSession, language: Language, site: SiteOptions) -> str:
    """Return the HTML by which another site embeds the session's player."""
    width, height = EMBED_SIZE
    player = f"{site.address}/{published.folder}{embed_name(language)}"
    return (
        f'<iframe src="{escape(player)}" width="{width}" height="{height}"'
        f' title="{escape(visible(published.session.title.get(language)))}"'
        ' allow="fullscreen; picture-in-picture" loading="lazy"></iframe>'
    )


def answer_oembed(published: PublishedSession, language: Language, site: SiteOptions) -> MachineFile:
    """Return the answer to oEmbed for the session's page: how another site embeds its player.

    Without a body where there is no player, or its address is not known.
    """
    width, height = EMBED_SIZE
    answer = {
        "version": "1.0",
        "type": "video",
        "title": published.session.title.get(language),
        "provider_name": site.name.get(language),
        "provider_url": f"{site.address}/{language}/index.html",
        "width": width,
        "height": height,
        "html": embed_code(published, language, site),
    }
    body = write_json(answer) if site.address is not None and published.file("video") else None
    return MachineFile(key=published.folder + oembed_name(language), body=body, content_type=JSON)


def _kind(published: PublishedSession) -> str:
    return "AudioObject" if published.file("audio") and not published.file("video") else "VideoObject"


def _media(file: PublishedFile, folder: str) -> dict[str, object]:
    told: dict[str, object] = {
        "@type": "MediaObject",
        "contentUrl": folder + file.href,
        "encodingFormat": file.content_type,
    }
    if file.language:
        told["inLanguage"] = file.language
    return told


def _person(somebody: Person, language: Language) -> dict[str, object]:
    told: dict[str, object] = {"@type": "Person", "name": somebody.name}
    if somebody.role:
        told["jobTitle"] = somebody.role.get(language)
    if somebody.organisation:
        told["affiliation"] = {"@type": "Organization", "name": somebody.organisation.get(language)}
    return told


def _licence(session: Session, language: Language) -> object | None:
    """Return the licence, or what else is said of rights."""
    shown = show_licence(session.licence, language) if session.licence else None
    if shown and shown.address:
        return shown.address
    named = shown.name if shown else session.rights
    return {"@type": "CreativeWork", "name": named.get(language)} if named else None


def _resource(resource: Resource, language: Language) -> dict[str, object]:
    return {"@type": "CreativeWork", "name": resource.title.get(language), "url": resource.address}


def _programme(programme: Bilingual | None, language: Language) -> dict[str, object] | None:
    return None if programme is None else {"@type": "CreativeWorkSeries", "name": programme.get(language)}


def _clips(published: PublishedSession, page: str) -> Iterator[dict[str, object]]:
    for chapter in published.chapters:
        yield {
            "@type": "Clip",
            "name": chapter.title,
            "inLanguage": chapter.language,
            "startOffset": chapter.start_ms / 1000,
            "endOffset": chapter.end_ms / 1000,
            "url": f"{page}#t={format_seconds(chapter.start_ms)}",
        }
