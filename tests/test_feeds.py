"""Feeds, as a reader that is not ours reads them: complete, bounded, the same for the same sessions."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import struct
import uuid
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import feedparser
import pytest
from lxml import etree

from pipeline.site.catalogue import group_entries
from pipeline.site.feeds import LONGEST, make_feeds
from pipeline.site.model import CatalogueEntry
from pipeline.site.render import LearnerSite
from pipeline.types import LANGUAGES, Bilingual, Language
from tests.pages import ADDRESS, OPTIONS, make_entry, make_hostile, make_published, renumbered, shown_hostile

NAMESPACES = {
    "podcast": "https://podcastindex.org/namespace/1.0",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
}
ENGLISH, FRENCH = make_entry(make_published("en")), make_entry(make_published("fr"))
"""In English; in French and English."""


def feeds(*entries: CatalogueEntry) -> dict[str, bytes]:
    """Return every feed there is of all sessions and of their programmes."""
    groups = [(group.programme, group.entries) for group in group_entries(entries) if group.programme]
    made = [file for name, members in [(None, entries), *groups] for file in make_feeds(name, members, OPTIONS)]
    return {file.key: file.body for file in made if file.body is not None}


def parsed(body: bytes) -> feedparser.FeedParserDict:
    found = feedparser.parse(body)
    assert not found.bozo, found.bozo_exception
    assert found.version == "rss20"
    return found


def many(number: int) -> list[CatalogueEntry]:
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return [
        dataclasses.replace(renumbered(ENGLISH, f"{each:016x}"), published_at=begin + dt.timedelta(hours=each))
        for each in range(number)
    ]


def test_a_podcast_has_the_square_picture_that_directories_ask_for() -> None:
    made = {file.key: file for file in LearnerSite(OPTIONS).site_files([ENGLISH], [])}
    for key, body in feeds(ENGLISH).items():
        if key.endswith("podcast.xml"):
            address = parsed(body).feed.image.href
            picture = made[address.removeprefix(f"{ADDRESS}/")]
            assert picture.body is not None
            assert (picture.content_type, picture.body[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
            width, height, bits, colours = struct.unpack(">IIBB", picture.body[16:26])
            assert width == height
            # https://podcasters.apple.com/support/896-artwork-requirements: RGB, 1400 to 3000 pixels.
            assert 1400 <= width <= 3000
            assert (bits, colours) == (8, 2)
    assert {file.body for file in LearnerSite().site_files([ENGLISH], [])} == {None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_news_is_of_every_session_in_the_readers_language(language: Language) -> None:
    feed = parsed(feeds(ENGLISH, FRENCH)[f"feeds/{language}/news.xml"])
    assert feed.feed.language == f"{language}-ca"
    links = {entry.link for entry in feed.entries}
    assert links == {f"{ADDRESS}/sessions/{entry.session_id}/{language}.html" for entry in (ENGLISH, FRENCH)}
    titles = {entry.title for entry in feed.entries}
    assert titles == {ENGLISH.title.get(language), FRENCH.title.get(language)}


def test_a_podcast_is_of_the_sessions_in_which_its_language_is_spoken() -> None:
    found = feeds(ENGLISH, FRENCH)
    assert {entry.id for entry in parsed(found["feeds/fr/podcast.xml"]).entries} == {"tribune-fedcba9876543210-fr"}
    assert len(parsed(found["feeds/en/podcast.xml"]).entries) == 2


def test_an_episode_has_its_sound_its_captions_and_its_length() -> None:
    (episode,) = parsed(feeds(ENGLISH)["feeds/en/podcast.xml"]).entries
    folder = f"{ADDRESS}/sessions/0123456789abcdef/r1-3fa9c1d2"
    assert [(each.href, each.type, each.length) for each in episode.enclosures] == [
        (f"{folder}/audio.m4a", "audio/mp4", "12345678")
    ]
    assert int(episode.itunes_duration) == round(ENGLISH.duration_ms / 1000)
    root = etree.fromstring(feeds(ENGLISH)["feeds/en/podcast.xml"])
    captions = [dict(found.attrib) for found in root.iterfind(".//podcast:transcript", NAMESPACES)]
    assert {"url": f"{folder}/captions.en.vtt", "type": "text/vtt", "language": "en", "rel": "captions"} in captions
    assert {each["type"] for each in captions} <= {"text/vtt", "application/x-subrip"}
    undivided = dataclasses.replace(ENGLISH, files=tuple(file for file in ENGLISH.files if file.role != "chapters"))
    root = etree.fromstring(feeds(undivided)["feeds/en/podcast.xml"])
    assert root.find(".//podcast:chapters", NAMESPACES) is None


def test_an_episode_without_sound_of_its_own_is_its_video() -> None:
    files = tuple(file for file in ENGLISH.files if file.role != "audio")
    (episode,) = parsed(feeds(dataclasses.replace(ENGLISH, files=files))["feeds/en/podcast.xml"]).entries
    assert [each.type for each in episode.enclosures] == ["video/mp4"]


def test_an_episode_that_has_chapters_leads_to_them() -> None:
    chapters = dataclasses.replace(ENGLISH.files[0], name="chapters.en.vtt", role="chapters")
    divided = dataclasses.replace(ENGLISH, files=(*ENGLISH.files, chapters))
    root = etree.fromstring(feeds(divided)["feeds/en/podcast.xml"])
    found = root.find(".//podcast:chapters", NAMESPACES)
    assert found is not None
    assert dict(found.attrib) == {
        "url": f"{ADDRESS}/sessions/0123456789abcdef/chapters.json",
        "type": "application/json+chapters",
    }


def test_a_recording_in_which_nobody_speaks_is_no_episode() -> None:
    files = tuple(file for file in ENGLISH.files if file.role != "captions")
    assert not parsed(feeds(dataclasses.replace(ENGLISH, files=files))["feeds/en/podcast.xml"]).entries


def test_a_session_with_nothing_to_play_is_news_only() -> None:
    found = feeds(dataclasses.replace(ENGLISH, files=()))
    assert not parsed(found["feeds/en/podcast.xml"]).entries
    assert len(parsed(found["feeds/en/news.xml"]).entries) == 1


def test_a_programme_has_feeds_of_its_own_where_they_hold_something() -> None:
    other = dataclasses.replace(renumbered(ENGLISH, "2" * 16), programme=Bilingual(en="Élan & co", fr="Élan et cie"))
    found = feeds(ENGLISH, FRENCH, other)
    of_other = {key: parsed(body) for key, body in found.items() if "/elan-co-" in key}
    kinds = sorted((key.split("/")[1], key.rpartition("/")[2]) for key in of_other)
    assert kinds == [("en", "news.xml"), ("en", "podcast.xml"), ("fr", "news.xml")]
    assert {entry.link.split("/")[-2] for feed in of_other.values() for entry in feed.entries} == {"2" * 16}


def test_every_feed_names_itself_and_dates_as_the_standard_wants() -> None:
    for key, body in feeds(ENGLISH, FRENCH).items():
        feed = parsed(body)
        own = next(link for link in feed.feed.links if link.rel == "self")
        assert (own.href, own.type) == (f"{ADDRESS}/{key}", "application/rss+xml")
        for date in etree.fromstring(body).xpath("//pubDate/text() | //lastBuildDate/text()"):
            assert parsedate_to_datetime(date) == dt.datetime(2026, 11, 21, 15, tzinfo=dt.UTC)


def test_a_podcast_is_numbered_as_podcasting_2_0_numbers_it() -> None:
    root = etree.fromstring(feeds(ENGLISH)["feeds/en/podcast.xml"])
    namespace = uuid.UUID("ead4c236-bf58-58c6-a2c6-a6b28d128cb6")
    where = urlsplit(f"{ADDRESS}/feeds/en/podcast.xml")
    assert root.findtext(".//podcast:guid", namespaces=NAMESPACES) == str(
        uuid.uuid5(namespace, where.netloc + where.path)
    )


def test_a_feed_holds_the_newest_and_no_more_than_readers_take() -> None:
    feed = parsed(feeds(*many(LONGEST + 20))["feeds/en/news.xml"])
    assert [int(entry.id.split("-")[1], 16) for entry in feed.entries] == list(range(LONGEST + 19, 19, -1))


def test_order_of_the_sessions_changes_nothing_and_numbers_stay() -> None:
    entries = many(5)
    assert feeds(*entries) == feeds(*entries[::-1])
    later = dataclasses.replace(ENGLISH, revision="r2-00000000", title=Bilingual(en="Another"))
    ids = [parsed(feeds(each)["feeds/en/news.xml"]).entries[0].id for each in (ENGLISH, later)]
    assert ids[0] == ids[1]


def test_hostile_texts_are_texts() -> None:
    titles: list[str | None] = []
    for body in feeds(make_entry(make_hostile())).values():
        root = etree.fromstring(body)
        assert not {"script", "svg", "img", "b"} & {str(found.tag) for found in root.iter()}
        titles += [item.findtext("title") for item in root.iter("item")]
        parsed(body)
    assert titles == [shown_hostile()] * 6


@pytest.mark.parametrize("kind", ["news", "podcast"])
def test_what_a_session_is_about_is_read_as_text(kind: str) -> None:
    said = "Why <b> & <script> are <img src=x> no words &amp; what to do"
    entry = dataclasses.replace(ENGLISH, description=Bilingual.same(said))
    (item,) = parsed(feeds(entry)[f"feeds/en/{kind}.xml"]).entries
    assert item.summary_detail.type == "text/html"
    assert html.unescape(item.summary) == said


def test_a_session_published_before_dates_were_listed_is_last() -> None:
    old = dataclasses.replace(FRENCH, published_at=None)
    feed = parsed(feeds(old, ENGLISH)["feeds/en/news.xml"])
    assert [entry.link.split("/")[-2] for entry in feed.entries] == [ENGLISH.session_id, FRENCH.session_id]
