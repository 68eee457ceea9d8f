"""What stands beside the player: who spoke, resources, licence, how to cite, reports; whatever a stranger wrote."""

from __future__ import annotations

import dataclasses
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import message
from pipeline.serial import from_json, to_json
from pipeline.site.citation import cite
from pipeline.site.licences import show_licence
from pipeline.site.linked_data import describe_session
from pipeline.site.model import PublishedSession, SiteOptions
from pipeline.site.records import make_statements
from pipeline.site.render import LearnerSite
from pipeline.site.reports import report_address
from pipeline.site.speaking import measure_voices
from pipeline.types import LANGUAGES, Bilingual, Language, Licence, Notice, Person, Resource, Session, Transcript, Turn
from pipeline.web_address import as_web_address, is_web_address
from tests.pages import ADDRESS, ENGLISH, HOSTILE, OPTIONS, SESSION, make_published, make_transcript, make_words
from tests.test_site import Page

RESOURCES = (
    Resource(title=Bilingual(en="Style guide", fr="Guide de rédaction"), address="https://example.org/guide?a=1&b=2"),
    Resource(title=Bilingual.same("https://example.org/slides"), address="https://example.org/slides"),
)
BY = Licence(name=Bilingual.same("CC-BY-4.0"))
MAIL = SiteOptions(address=ADDRESS, report_mail="captions@example.org")
FORM = SiteOptions(address=ADDRESS, report_form="https://example.org/report?from=tribune")


def with_more(language: Language = "en", **changes: object) -> PublishedSession:
    session = dataclasses.replace(SESSION[language], resources=RESOURCES, licence=BY)
    return make_published(session=dataclasses.replace(session, **changes))  # type: ignore[arg-type]


def open_page(published: PublishedSession, language: Language = "en", site: SiteOptions = OPTIONS) -> Page:
    return Page(LearnerSite(site).session_pages(published)[language])


def cited(published: PublishedSession, language: Language = "en") -> str:
    return "|".join(part.text + part.stop for part in cite(published, language, OPTIONS)).replace("\u00a0", " ")


@pytest.mark.parametrize(
    "text",
    [
        *("javascript:alert(1)", "ftp://example.org", "//example.org", "https://", "https:///a", "https://.org"),
        *("https://good.example@evil.example/", "https://exa mple.org", "data:text/html,x", "", "https://a\nb", "a.b"),
        *HOSTILE,
    ],
)
def test_what_is_no_address_of_the_web_is_none(text: str) -> None:
    assert not is_web_address(text)
    with pytest.raises(ValueError, match="address"):
        Resource(title=Bilingual.same("x"), address=text)
    with pytest.raises(ValueError, match="address"):
        Licence(name=Bilingual.same("x"), address=text)


@given(st.text() | st.text().map("https://example.org/{}".format))
def test_an_address_that_is_read_can_stand_in_a_link(text: str) -> None:
    address = as_web_address(text)
    assert address is None or (
        is_web_address(address) and address.isascii() and not set(address) & set(" <>\"'\\") - {"'"}
    )


def test_an_address_may_be_written_with_accents() -> None:
    assert as_web_address("https://fr.example.org/wiki/Québec") == "https://fr.example.org/wiki/Qu%C3%A9bec"
    assert as_web_address("https://québec.example.org/") is None


def test_a_session_with_resources_and_a_licence_survives_being_kept() -> None:
    session = with_more().session
    assert from_json(Session, to_json(session)) == session
    old = to_json(SESSION["en"]).replace(b'"licence":null,', b"").replace(b'"resources":[],', b"")
    assert b"licence" not in old
    assert from_json(Session, old) == SESSION["en"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_resources_are_links_with_their_titles(language: Language) -> None:
    page = open_page(with_more(), language)
    links = {link["href"] for link in page.all("a")}
    assert {resource.address for resource in RESOURCES} <= links
    assert page.language_of({"en": "Style guide", "fr": "Guide de rédaction"}[language]) == language
    # One that has no title is shown once.
    assert [text for text, _ in page.texts].count("https://example.org/slides") == 1


def test_a_session_without_resources_has_no_heading_for_them() -> None:
    assert "Resources" not in open_page(make_published()).text


@pytest.mark.parametrize("written", ["CC-BY-4.0", "cc by 4.0", "CC_BY-4.0"])
def test_a_known_licence_leads_to_its_deed_in_full(written: str) -> None:
    page = open_page(with_more(licence=Licence(name=Bilingual.same(written))), "fr")
    [link] = [link for link in page.all("a") if link.get("rel") == "license"]
    assert link["href"] == "https://creativecommons.org/licenses/by/4.0/"
    assert page.language_of("CC BY 4.0)") == "fr"


def test_a_licence_may_have_a_text_in_each_language() -> None:
    licence = Licence(name=Bilingual.same("OGL-Canada-2.0"))
    shown = {language: show_licence(licence, language) for language in LANGUAGES}
    assert shown["fr"].name.get("fr") == "Licence du gouvernement ouvert – Canada"
    assert shown["en"].address != shown["fr"].address


def test_any_other_licence_is_shown_as_written() -> None:
    own = Licence(name=Bilingual(fr="Conditions maison"), address="https://example.org/conditions")
    page = open_page(with_more(licence=own))
    assert page.language_of("Conditions maison") == "fr"
    assert "https://example.org/conditions" in {link["href"] for link in page.all("a")}
    bare = open_page(with_more(licence=Licence(name=Bilingual.same("Ask us"))))
    assert "Ask us" in bare.text
    assert not [link for link in bare.all("a") if link.get("rel") == "license"]


def test_programs_are_told_of_licence_and_resources() -> None:
    described = describe_session(with_more(), "en", OPTIONS)
    assert described["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert described["citation"] == [
        {"@type": "CreativeWork", "name": each.title.get("en"), "url": each.address} for each in RESOURCES
    ]
    said = [(each.element, each.value) for each in make_statements(with_more(), OPTIONS)]
    assert ("relation", RESOURCES[0].address) in said
    assert said.count(("rights", "https://creativecommons.org/licenses/by/4.0/")) == 1
    without = describe_session(with_more(licence=Licence(name=Bilingual.same("Ask us"))), "en", OPTIONS)
    assert without["license"] == {"@type": "CreativeWork", "name": "Ask us"}


def test_a_reference_says_who_what_where_and_when_in_the_readers_language() -> None:
    assert cited(with_more()) == (
        "Daniel Tremblay, Sahar Rahimi and Miriam Osei (host).|“Plain language in public services”.|"
        "Digital skills for public servants,|week 3.|Tribune,|November 12, 2026."
    )
    assert cited(with_more(), "fr") == (
        "Daniel Tremblay, Sahar Rahimi et Miriam Osei (animation).|« Le langage clair dans les services publics ».|"
        "Compétences numériques pour la fonction publique,|semaine 3.|Tribune,|12 novembre 2026."
    )


def test_a_week_without_a_series_begins_its_part_of_a_reference() -> None:
    published = with_more(programme=None)
    assert "|Week 3.|" in cited(published)
    assert "|Semaine 3.|" in cited(published, "fr")


def test_a_reference_leaves_out_what_nobody_said_and_names_each_person_once() -> None:
    session = dataclasses.replace(
        SESSION["en"], host=Person(name="A"), guests=(Person(name="A"),), programme=None, week=None, date=None
    )
    assert cited(make_published(session=session)) == (
        "A.|“Plain language in public services”.|Tribune,|November 21, 2026."
    )


def test_a_title_in_the_other_language_is_marked_and_quoted_in_its_own_way() -> None:
    page = open_page(make_published("fr"), "en")
    assert page.language_of("«\u00a0Rédiger d’abord") == "fr"


def test_who_spoke_longest_stands_first_with_their_first_moment() -> None:
    published = make_published()
    voices = measure_voices(published.transcript, "en")
    assert [(voice.name, voice.turns) for voice in voices] == [
        ("Daniel Tremblay", 2),
        ("Miriam Osei", 3),
        ("Speaker 3", 1),
    ]
    assert sum(voice.share for voice in voices) == pytest.approx(1)
    assert voices[1].first_ms == published.transcript.turns[0].start_ms
    page = open_page(published, "fr")
    assert f"{voices[0].percent}\u00a0% du temps de parole" in page.text
    assert "Intervenant 3" in page.text


def test_two_voices_of_one_name_are_one_and_nobody_is_listed_where_none_could_be_told_apart() -> None:
    transcript = make_published().transcript
    speakers = tuple(dataclasses.replace(speaker, name="Ann") for speaker in transcript.speakers)
    [ann] = measure_voices(dataclasses.replace(transcript, speakers=speakers), "en")
    assert (ann.turns, ann.percent) == (6, 100)
    assert measure_voices(make_transcript(SESSION["en"], ((None, "Hello."),)), "en") == ()


def test_who_said_very_little_is_not_said_to_have_said_nothing() -> None:
    long = Turn(speaker="S1", words=make_words(" ".join(["word"] * 900), "en"))
    short = Turn(speaker="S2", words=make_words("Yes.", "en", 400_000))
    transcript = dataclasses.replace(
        make_transcript(SESSION["en"], (("S1", "x"), ("S2", "x"))), turns=(long, short), duration_ms=500_000
    )
    page = open_page(dataclasses.replace(make_published(), transcript=transcript, cues=()))
    assert "less than 1% of the speaking time" in page.text


def test_downloads_stand_in_groups_with_what_most_people_want_first() -> None:
    page = open_page(make_published())
    titles = ("Watch or listen", "Read", "Captions for other players", "Data and images")
    texts = [text for text, _ in page.texts]
    places = [texts.index(title) for title in titles]
    assert places == sorted(places)
    assert texts.index("Transcript (JSON)") > places[3] > texts.index("Captions (SRT)") > places[2]
    assert places[1] < texts.index("Transcript (Web page)") < texts.index("Transcript (plain text)") < places[2]


def test_where_nobody_speaks_no_words_and_no_captions_are_promised() -> None:
    silent = Transcript(
        session_id=ENGLISH, language="en", duration_ms=60_000, turns=(), notices=(Notice(code="speech.none"),)
    )
    published = dataclasses.replace(make_published(), transcript=silent, cues=(), chapters=(), highlights=())
    page = open_page(published)
    texts = {text for text, _ in page.texts}
    assert "Video (MP4)" in texts
    assert not [text for text in texts if text.startswith(("Transcript (", "Captions (", "Chapters ("))]
    assert "No speech was found in this recording, so it has no captions." in texts
    assert message("site.notice_automatic", "en") not in texts
    assert "captions" not in [track["kind"] for track in page.all("track")]
    site = LearnerSite(OPTIONS)
    made = [
        *site.session_pages(published).values(),
        *((file.body or b"").decode() for file in site.session_files(published)),
    ]
    promises = ("captions.en", "transcript.en", '"captions"')
    assert not [part for part in made if any(promise in part for promise in promises)]


def test_files_say_each_language_of_the_session() -> None:
    english = make_published()
    assert "anglais·45,9\u00a0ko" in "".join(text for text, _ in open_page(english, "fr").texts)
    both = dataclasses.replace(english, session=dataclasses.replace(english.session, languages=("en", "fr")))
    shown = "".join(text for text, _ in open_page(both, "fr").texts)
    assert "anglais et français·45,9\u00a0ko" in shown


def test_without_a_setting_nothing_can_be_reported() -> None:
    page = open_page(make_published())
    assert "Report" not in page.text
    assert not [link for link in page.all("a") if "mailto:" in str(link["href"])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mail_is_begun_with_what_the_desk_must_know(language: Language) -> None:
    published = make_published()
    address = report_address(published, language, MAIL)
    assert address is not None
    scheme, _, mailbox, query, fragment = urlsplit(address)
    assert (scheme, mailbox, fragment) == ("mailto", "captions@example.org", "")
    body = parse_qs(query)["body"][0].split("\r\n")
    assert body[1] == f"{ADDRESS}/sessions/{published.session.id}/{language}.html"
    assert body[3:6] == [
        f"Tribune-Session: {published.session.id}",
        f"Tribune-Revision: {published.revision}",
        f"Tribune-Language: {language}",
    ]
    assert published.session.title.get(language) in parse_qs(query)["subject"][0]


def test_a_form_gets_what_is_known_beside_its_own_query() -> None:
    published = make_published()
    address = report_address(published, "fr", FORM)
    assert address is not None
    assert parse_qs(urlsplit(address).query) == {
        "from": ["tribune"],
        "session": [published.session.id],
        "revision": [published.revision],
        "language": ["fr"],
    }
    both = dataclasses.replace(FORM, report_mail="captions@example.org")
    assert report_address(published, "fr", both) == address


@pytest.mark.parametrize("title", [*HOSTILE, "x\r\nTribune-Session: 0000000000000000", "a&body=b&cc=evil@example.org"])
def test_no_title_writes_a_line_or_a_field_of_a_report(title: str) -> None:
    session = dataclasses.replace(SESSION["en"], title=Bilingual.same(title))
    address = report_address(make_published(session=session), "en", MAIL)
    assert address is not None
    fields = parse_qs(urlsplit(address).query)
    assert set(fields) == {"subject", "body"}
    lines = fields["body"][0].split("\r\n")
    assert [line for line in lines if line.startswith("Tribune-Session")] == [f"Tribune-Session: {session.id}"]
    assert "\r" not in unquote(address.partition("&body=")[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"report_mail": ""},
        {"report_mail": "Desk <desk@example.org>"},
        {"report_mail": "desk@example.org?cc=x@example.org"},
        {"report_mail": "desk"},
        {"report_mail": "desk@example.org\n"},
        {"report_form": ""},
        {"report_form": "javascript:alert(1)"},
        {"report_form": "https://example.org/#form"},
    ],
)
def test_a_place_for_reports_that_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="address of a"):
        SiteOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("site", [MAIL, FORM])
def test_hostile_texts_are_texts_in_all_of_it(site: SiteOptions) -> None:
    text = " ".join(HOSTILE)
    everything = Bilingual.same(text)
    published = with_more(
        title=everything,
        programme=everything,
        host=Person(name=text),
        guests=(Person(name=text),),
        licence=Licence(name=everything, address="https://example.org/'onload='x"),
        resources=(Resource(title=everything, address="https://example.org/'onload='x"),),
    )
    speakers = tuple(dataclasses.replace(each, name=f"{text} {each.key}") for each in published.transcript.speakers)
    published = dataclasses.replace(published, transcript=dataclasses.replace(published.transcript, speakers=speakers))
    page = open_page(published, site=site)
    assert not {"svg", "b", "img"} & {tag for tag, _ in page.elements}
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert "\u202e" not in page.text
