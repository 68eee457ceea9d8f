"""Themes: phrases that several sessions come back to, quoted as they were said, and gone with what was withdrawn."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from lxml import html

from pipeline.publishing import publish
from pipeline.s3 import S3Store
from pipeline.site.heard import tell_themes
from pipeline.site.model import Around, Shelf, SiteOptions
from pipeline.site.render import LearnerSite
from pipeline.themes import LEAST_SESSIONS, MOST_KEPT, MOST_QUOTATIONS, MOST_THEMES, Theme, combine_themes, find_themes
from pipeline.types import LANGUAGES, Bilingual, Language, Person, Session, Transcript
from pipeline.verification import verify
from pipeline.withdrawal import withdraw
from tests.memory_store import MemoryStore
from tests.pages import HOSTILE, make_entry, make_published, renumbered
from tests.talk import any_transcripts, transcript
from tests.test_publishing import CUES, NOON, make_bundle

PLAIN = (
    "Good morning everyone. We wrote the service standard with the people who read it. "
    "The service standard says that plain language comes first. Writers told us that plain language saves them time. "
    "In our office the service desk answers fewer calls now. The service desk sends us what people ask."
)
OTHER = (
    "Our team tested the service standard last winter in thirty offices. The service standard is short. "
    "Ms. Rahimi knows the service desk better than anybody. The service desk heard it first. "
    "Then plain language won, and plain language stayed."
)
FRENCH = (
    "Nous avons rédigé la norme de service avec le public. La norme de service est courte. "
    "Le langage clair fait gagner du temps. Tout le monde comprend le langage clair."
)
SITE = LearnerSite(SiteOptions(address="https://talks.example.org"))


def session(language: Language = "en", *, topics: tuple[Bilingual, ...] = ()) -> Session:
    return Session(id="0" * 16, title=Bilingual.same("x"), languages=(language,), topics=topics)


def themes(text: str, language: Language = "en", topics: tuple[Bilingual, ...] = ()) -> tuple[Theme, ...]:
    return find_themes(transcript(("S1", text), language=language), session(language, topics=topics))


def phrases(found: tuple[Theme, ...]) -> list[str]:
    return [theme.phrase for theme in found]


def test_a_theme_is_a_name_that_is_said_again_and_again() -> None:
    found = themes(PLAIN)
    assert set(phrases(found)[:3]) == {"service standard", "plain language", "service desk"}
    assert "morning" not in phrases(found)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "fr",
            "Nous travaillons au sein de l’équipe. Elle est forte au sein de l’équipe. Au sein d’une équipe, on parle.",
        ),
        ("fr", "Dans le cadre du projet pilote, on apprend. Tout change dans le cadre du projet pilote."),
        ("fr", "Cela se fait à l’aide des outils communs. On y arrive à l’aide des outils communs."),
        ("en", "Think in terms of user needs. We speak in terms of user needs. In terms of user needs it works."),
    ],
)
def test_a_preposition_of_several_words_names_nothing(language: Language, text: str) -> None:
    found = phrases(themes(text, language))
    assert found
    assert not [phrase for phrase in found if phrase.lower().startswith(("sein", "cadre", "aide", "terms"))]


def test_a_framework_is_a_theme() -> None:
    assert "cadre de référence" in phrases(themes("Le cadre de référence est prêt. Lisez le cadre de référence.", "fr"))


def test_a_quotation_is_what_was_said_at_that_moment() -> None:
    spoken = transcript(("S1", PLAIN), names={"S1": "Ana Roy"})
    words = [word for turn in spoken.turns for word in turn.words]
    for theme in find_themes(spoken, session()):
        said = [word.text for word in words if theme.start_ms <= word.start_ms < theme.end_ms]
        assert theme.quotation == " ".join(said)
        assert theme.phrase.split()[0] in theme.quotation
        assert theme.speaker is not None
        assert theme.speaker.name == "Ana Roy"


def test_of_a_sentence_without_end_the_part_around_the_theme_is_quoted() -> None:
    endless = (
        " ".join(["and then we went on and on"] * 20) + " with the service standard " + " ".join(["and so on"] * 30)
    )
    (found, *_) = themes(f"{endless} the service standard")
    assert found.phrase == "service standard"
    assert found.quotation.startswith("… ")
    assert found.quotation.endswith(" …")
    assert len(found.quotation.split()) <= 47
    assert "service standard" in found.quotation


def test_people_are_no_themes() -> None:
    known = dataclasses.replace(session(), guests=(Person(name="Sahar Rahimi"),))
    text = "We asked the Rahimi office. The Rahimi office said yes. The Rahimi office was right."
    assert not [theme for theme in find_themes(transcript(("S1", text)), known) if "Rahimi" in theme.phrase]


def test_what_recurs_is_counted_by_sessions_and_quoted_from_each() -> None:
    found = combine_themes({"a": themes(PLAIN), "b": themes(OTHER), "c": themes("The weather report was about rain.")})
    names = {theme.phrases[0][1]: theme for theme in found}
    assert set(names) == {"service standard", "service desk", "plain language"}
    for theme in found:
        assert theme.sessions == 2
        assert {session_id for session_id, _ in theme.quotations} == {"a", "b"}
    assert combine_themes({"a": themes(PLAIN)}) == ()


def test_one_and_many_are_one_theme_and_a_longer_name_hides_its_parts() -> None:
    one = themes("The public page has an answer. The public page was tested. A page is a page.")
    many = themes("We looked at our public pages. Those public pages are old. Each page counts, the page counts.")
    (found,) = combine_themes({"a": one, "b": many})
    assert found.phrases == (("en", "public page"),)


def test_languages_stay_apart_unless_the_details_know_both_names() -> None:
    apart = combine_themes(
        {"a": themes(PLAIN), "b": themes(OTHER), "c": themes(FRENCH, "fr"), "d": themes(FRENCH, "fr")}
    )
    assert {len(theme.phrases) for theme in apart} == {1}
    assert {theme.phrases[0] for theme in apart} >= {("en", "plain language"), ("fr", "langage clair")}
    topics = (Bilingual(en="Plain language", fr="Langage clair"),)
    paired = combine_themes({"a": themes(PLAIN, topics=topics), "c": themes(FRENCH, "fr")})
    (found,) = paired
    assert found.phrases == (("en", "plain language"), ("fr", "langage clair"))
    assert found.sessions == 2


def test_a_passage_that_two_sessions_share_is_one_theme() -> None:
    shared = "The careful reader of a long public report wants a short clear summary of the main findings."
    assert len(combine_themes({"a": themes(shared), "b": themes(shared)})) == 1


def test_there_are_not_too_many() -> None:
    nouns = [f"{first} {second}" for first in ("red", "blue", "green", "grey", "pink") for second in
             ("boat", "house", "tree", "river", "garden", "station", "kitchen", "letter")]  # fmt: skip
    text = " ".join(f"We saw the {noun}. They liked the {noun}." for noun in nouns)
    found = themes(text)
    assert len(found) == MOST_KEPT
    common = combine_themes({str(number): found for number in range(9)})
    assert len(common) <= MOST_THEMES
    assert {len(theme.quotations) for theme in common} == {MOST_QUOTATIONS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_whatever_was_said_as_text(language: Language) -> None:
    evil = [text for text in HOSTILE if " " not in text]
    spoken = " ".join(f"Here is the service standard {text} again. We like the {text} office." for text in evil * 2)
    found = find_themes(transcript(("S1", spoken), names={"S1": HOSTILE[1]}), session())
    entry = dataclasses.replace(make_entry(make_published()), title=Bilingual.same(HOSTILE[0]))
    entries = [entry, renumbered(entry, "b" * 16)]
    common = combine_themes({each.session_id: found for each in entries})
    assert common
    shelf = Shelf(key="programme-1", count=2, programme=Bilingual.same(HOSTILE[2]))
    files = {file.key: file.body for file in SITE.shelf_files(shelf, entries, common)}
    page = files[shelf.heard_page(language)]
    assert page is not None
    root = html.document_fromstring(page.decode())
    assert not root.xpath("//script | //svg | //img | //@onerror | //@onload | //@onfocus")
    assert "\u202e" not in page.decode()
    link = f"../../{entry.page(language)}#t="
    assert root.xpath(f"//figcaption/a[starts-with(@href, '{link}')]")
    assert (
        f'href="../../{shelf.heard_page(language)}"'
        in SITE.shelf_pages(shelf, entries, Around(heard=True))[shelf.page(language)]
    )


def test_a_reader_finds_their_own_language_first_and_the_other_marked() -> None:
    entries = [renumbered(make_entry(make_published()), name * 16) for name in "abcd"]
    spoken = dict(
        zip(
            [entry.session_id for entry in entries],
            [themes(PLAIN), themes(OTHER)] + [themes(FRENCH, "fr")] * 2,
            strict=True,
        )
    )
    english, french = (tell_themes(combine_themes(spoken), entries, language) for language in LANGUAGES)
    assert [group.heading for group in english] == ["Said in English", "Said in French"]
    assert [group.heading for group in french] == ["Dit en français", "Dit en anglais"]
    assert tell_themes((), entries, "en") == ()
    (only,) = tell_themes(combine_themes(spoken), entries[:2], "en")[:1]
    assert all(quoted.entry in entries[:2] for theme in only.themes for quoted in theme.quotations)


@given(spoken=any_transcripts())
@settings(max_examples=60, deadline=None)
def test_whatever_is_said_quotations_are_words_of_the_transcript(spoken: Transcript) -> None:
    found = find_themes(spoken, session())
    said = {word.text for turn in spoken.turns for word in turn.words} | {"…"}
    assert found == find_themes(spoken, session())
    for theme in found:
        text = f" {theme.quotation} "
        for word in sorted(said, key=len, reverse=True):
            text = text.replace(f" {word} ", "  ").replace(f" {word} ", "  ")
        assert not text.strip()
    combine_themes({str(number): found for number in range(LEAST_SESSIONS)})


def put_out(store: MemoryStore | S3Store, folder: Path, number: int, text: str, programme: Bilingual) -> str:
    bundle = make_bundle(folder, text[:9], number=number, date=dt.date(2026, 11, number))
    bundle = dataclasses.replace(bundle, session=dataclasses.replace(bundle.session, programme=programme))
    spoken = transcript(("S1", text))
    publish(bundle, store, views=SITE, cues=CUES, edited=spoken, now=lambda: NOON)
    return bundle.session.id


def heard_pages(store: MemoryStore | S3Store) -> dict[str, str]:
    keys = [item.key for item in store.list("") if item.key.endswith("-heard.html")]
    found = {key: store.read(key) for key in keys}
    return {key: body[0].decode() for key, body in found.items() if body is not None}


def test_a_programme_is_heard_from_its_second_session_on_until_one_is_withdrawn(store: S3Store, tmp_path: Path) -> None:
    programme = Bilingual(en="Clear words", fr="Des mots clairs")
    first = put_out(store, tmp_path, 1, PLAIN, programme)
    assert heard_pages(store) == {}
    second = put_out(store, tmp_path, 2, OTHER, programme)
    pages = heard_pages(store)
    assert len(pages) == 2
    assert all("Service standard" in page and second in page and first in page for page in pages.values())
    assert verify(second, store) == ()
    withdraw(second, store, views=SITE)
    assert heard_pages(store) == {}
    for found in store.list("catalogue"):
        body = store.read(found.key)
        assert body is not None
        assert b"thirty offices" not in body[0]
        assert second.encode() not in body[0]


def test_a_revision_without_a_passage_takes_its_quotation_back(tmp_path: Path) -> None:
    store, programme = MemoryStore(), Bilingual(en="Clear words")
    put_out(store, tmp_path, 1, PLAIN, programme)
    put_out(store, tmp_path, 2, OTHER, programme)
    assert all("thirty offices" in page for page in heard_pages(store).values())
    put_out(store, tmp_path, 2, OTHER.partition("offices. ")[2], programme)
    pages = heard_pages(store)
    assert pages
    assert not any("thirty offices" in page for page in pages.values())


def test_one_more_session_reads_no_other_sessions_record(tmp_path: Path) -> None:
    store, programme = MemoryStore(), Bilingual(en="Clear words")
    for number in range(1, 9):
        put_out(store, tmp_path, number, PLAIN, programme)
    asked: list[str] = []
    read = store.read
    store.read = lambda key: (asked.append(key), read(key))[1]  # type: ignore[method-assign,func-returns-value]
    own = put_out(store, tmp_path, 9, OTHER, programme)
    records = {key for key in asked if key.endswith("session.json")}
    assert {key.split("/")[1] for key in records} == {own}


def test_lost_or_damaged_it_is_gathered_anew(tmp_path: Path) -> None:
    store, programme = MemoryStore(), Bilingual(en="Clear words")
    put_out(store, tmp_path, 1, PLAIN, programme)
    put_out(store, tmp_path, 2, OTHER, programme)
    pages = heard_pages(store)
    (key,) = (found.key for found in store.list("catalogue/heard/"))
    kept = store.read(key)
    for damage in (b"{", None):
        store.delete([key])
        if damage is not None:
            store.write(key, damage, kept[1].headers, sha256="0" * 64)  # type: ignore[index,arg-type]
        put_out(store, tmp_path, 2, OTHER, programme)
        assert store.read(key)[0] == kept[0]  # type: ignore[index]
        assert heard_pages(store) == pages
