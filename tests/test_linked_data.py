"""What pages tell search engines and other sites: right by schema.org's own vocabulary, and inert."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from html.parser import HTMLParser

import pytest
from schema_org.models.clip import Clip
from schema_org.models.creative_work_series import CreativeWorkSeries
from schema_org.models.video_object import VideoObject

from pipeline.site.linked_data import answer_oembed, describe_session, script_text, social_tags
from pipeline.site.model import PublishedSession
from pipeline.site.render import LearnerSite
from pipeline.types import LANGUAGES, Chapter, Language
from tests.pages import ADDRESS, OPTIONS, make_hostile, make_published, shown_hostile
from tests.test_session_page import with_more

CHAPTERS = (
    Chapter(start_ms=0, end_ms=61_500, title="Plain language", language="en"),
    Chapter(start_ms=61_500, end_ms=90_000, title="Écrire d’abord en français", language="fr"),
)


class Head(HTMLParser):
    """The data blocks, the tags and the links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._in_block = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_block = tag == "script" and dict(attrs).get("type") == "application/ld+json"

    def handle_data(self, data: str) -> None:
        if self._in_block:
            self.blocks.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_block = False


def described(published: PublishedSession, language: Language = "en") -> dict[str, object]:
    (block,) = Head(LearnerSite(OPTIONS).session_pages(published)[language]).blocks
    found: dict[str, object] = json.loads(block)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("published", [make_published("en"), with_more("fr"), make_hostile()])
def test_a_description_is_valid_by_the_vocabulary(published: PublishedSession, language: Language) -> None:
    told = described(dataclasses.replace(published, chapters=CHAPTERS), language)
    # The models take one type each, and no narrower type in the place of a wider one.
    assert told.pop("@type") == ["VideoObject", "LearningResource"]
    assert told.pop("@context") == "https://schema.org"
    CreativeWorkSeries.model_validate_json(json.dumps(told.pop("isPartOf")))
    clips = told.pop("hasPart")
    assert isinstance(clips, list)
    assert len(clips) == len(CHAPTERS)
    for clip in clips:
        Clip.model_validate_json(json.dumps(clip))
    told["dateCreated"] = dt.date.fromisoformat(str(told["dateCreated"]))
    told["uploadDate"] = dt.datetime.fromisoformat(str(told["uploadDate"]))
    VideoObject.model_validate(told)


def test_the_validator_would_notice_a_property_that_is_none() -> None:
    with pytest.raises(ValueError, match="subtitles"):
        VideoObject.model_validate_json('{"@type": "VideoObject", "subtitles": "x"}')


def test_a_description_tells_where_everything_is() -> None:
    told = described(make_published("fr"), "fr")
    folder = f"{ADDRESS}/sessions/fedcba9876543210"
    assert told["url"] == f"{folder}/fr.html"
    assert told["embedUrl"] == f"{folder}/embed.fr.html"
    assert told["contentUrl"] == f"{folder}/r1-3fa9c1d2/video.mp4"
    assert told["uploadDate"] == "2026-11-21T15:00:00+00:00"
    assert told["inLanguage"] == ["fr", "en"]
    captions = told["caption"]
    assert isinstance(captions, list)
    assert f"{folder}/r1-3fa9c1d2/captions.fr.vtt" in [each["contentUrl"] for each in captions]
    assert "hasPart" not in described(dataclasses.replace(make_published("fr"), chapters=()), "fr")


def test_a_chapter_is_a_clip_that_opens_at_its_moment() -> None:
    clips = described(dataclasses.replace(make_published(), chapters=CHAPTERS))["hasPart"]
    assert isinstance(clips, list)
    assert [(clip["startOffset"], clip["endOffset"], clip["inLanguage"]) for clip in clips] == [
        (0, 61.5, "en"),
        (61.5, 90, "fr"),
    ]
    assert clips[1]["url"] == f"{ADDRESS}/sessions/0123456789abcdef/en.html#t=61.5"


def test_sound_alone_is_described_as_such() -> None:
    files = tuple(file for file in make_published().files if file.role != "video")
    told = describe_session(dataclasses.replace(make_published(), files=files), "en", OPTIONS)
    assert told["@type"] == ["AudioObject", "LearningResource"]
    assert str(told["contentUrl"]).endswith("/audio.m4a")
    assert "embedUrl" not in told


def test_no_text_closes_the_data_block() -> None:
    text = script_text(describe_session(make_hostile(), "en", OPTIONS))
    assert not {"<", ">", "&"} & set(text)
    assert described(make_hostile())["name"] == shown_hostile()


def test_other_sites_show_a_link_with_title_picture_and_language() -> None:
    tags = dict(social_tags(make_published("en"), "fr", OPTIONS))
    assert tags["og:title"] == "Le langage clair dans les services publics"
    assert (tags["og:locale"], tags["og:locale:alternate"]) == ("fr_CA", "en_CA")
    assert tags["og:image"] == f"{ADDRESS}/sessions/0123456789abcdef/r1-3fa9c1d2/poster.jpg"
    head = Head(LearnerSite(OPTIONS).session_pages(make_published("en"))["fr"])
    metas = {
        attrs.get("property"): attrs["content"] for tag, attrs in head.tags if tag == "meta" and "property" in attrs
    }
    assert metas == tags
    assert ("meta", {"name": "twitter:card", "content": "summary_large_image"}) in head.tags


@pytest.mark.parametrize("published", [make_published(), make_hostile()])
def test_the_page_leads_to_an_answer_that_embeds_the_player(published: PublishedSession) -> None:
    head = Head(LearnerSite(OPTIONS).session_pages(published)["en"])
    found = next(attrs["href"] for _, attrs in head.tags if attrs.get("type") == "application/json+oembed")
    file = answer_oembed(published, "en", OPTIONS)
    assert found == f"{ADDRESS}/{file.key}"
    assert file.body is not None
    answer = json.loads(file.body)
    # https://oembed.com, 2.3.4.2: what an answer of the type "video" has to hold.
    assert (answer["version"], answer["type"]) == ("1.0", "video")
    ((tag, frame),) = Head(answer["html"]).tags
    assert (tag, frame["src"]) == ("iframe", f"{ADDRESS}/{published.folder}embed.en.html")
    assert (frame["width"], frame["height"]) == (str(answer["width"]), str(answer["height"]))
    assert frame["title"] == answer["title"]
