"""The lists as learners meet them: every session is found by each of its subjects, by keyboard and without script."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from pipeline.list_checks import unlisted
from pipeline.list_views import SHOWN_FIRST, SHOWN_WITHOUT_LETTERS
from pipeline.lists import Lists
from pipeline.published import write
from pipeline.shelves import read_catalogue, shelves_of
from pipeline.site.model import INDEXES, OTHER_LETTER, Index, Letter, SiteOptions
from pipeline.site.render import LearnerSite
from pipeline.site.subjects import choose_name, list_key
from pipeline.types import LANGUAGES, Bilingual, Language, Person, Session
from pipeline.withdrawal import withdraw
from tests.browser import axe_faults, serve, watch
from tests.memory_store import MemoryStore
from tests.test_publishing import NOON
from tests.test_shelves import PLAIN, day_of, put_session

SITE = LearnerSite(SiteOptions(address="https://talks.example.org"))
PROGRAMME = Bilingual(en="Digital skills", fr="Compétences numériques")
ABOUT: dict[str, object] = {
    "topics": (Bilingual(en="Plain language", fr="Langage clair"), Bilingual(en="Éthique")),
    "guests": (Person(name="Geneviève L’Écuyer"),),
    "host": Person(name="Miriam Osei"),
    "community": Bilingual(en="Communicators", fr="Communicatrices et communicateurs"),
    "week": 3,
}


def put(store: MemoryStore, number: int, date: dt.date | None = dt.date(2026, 3, 14), **changes: object) -> str:
    """Publish a session of which everything is known, with its lists."""
    session_id = put_session(store, number, date, PROGRAMME, **{**ABOUT, **changes})
    Lists(store, SITE).update(session_id)
    return session_id


def page_of(store: MemoryStore, key: str) -> str | None:
    found = store.read(key)
    return None if found is None else found[0].decode(errors="replace")


def lists_with(store: MemoryStore, text: str) -> set[str]:
    """Return every object of the lists that holds a text."""
    keys = [found.key for prefix in ("catalogue", "en/", "fr/", "sitemap", "feeds/") for found in store.list(prefix)]
    return {key for key in keys if text in (page_of(store, key) or "")}


def test_a_session_stands_on_the_list_of_everything_it_can_be_found_by() -> None:
    store = MemoryStore()
    session_id = put(store, 1)
    kinds = {"programme-digital-skills", "community-communicators", "topic-plain-language", "topic-ethique"}
    kinds |= {"person-genevieve-l-ecuyer", "person-miriam-osei", "language-en", "2026-03"}
    lists = {key for key in lists_with(store, f"sessions/{session_id}/fr.html") if key.startswith("fr/lists/")}
    assert all(any(f"/{kind}" in key for key in lists) for kind in kinds)
    for language, kind in itertools.product(LANGUAGES, INDEXES.values()):
        assert "/lists/" in (page_of(store, f"{language}/lists/{kind}.html") or "")
    assert not list(unlisted(session_id, store))


def test_spellings_that_differ_only_in_accents_capitals_or_spaces_are_one_subject() -> None:
    store = MemoryStore()
    for number, name in enumerate(("ETHIQUE", "Éthique", "Éthique", "éthique ")):
        put(store, number, topics=(Bilingual(en=name),), guests=(Person(name=name),))
    (topic,) = [key for key in lists_with(store, "Éthique</bdi></h1>") if "/topic-" in key and key.startswith("en/")]
    assert (page_of(store, topic) or "").count('class="card"') == 4
    assert choose_name([Bilingual(en="a"), Bilingual(en="A"), Bilingual(en="A")]) == Bilingual(en="A")
    assert choose_name([Bilingual(en="a"), Bilingual(en="a"), Bilingual(en="A", fr="B")]) == Bilingual(en="A", fr="B")


@pytest.mark.parametrize("name", ["", " ", "\u202e", "👩🏽‍🏫", "…", "-", "x" * 500, "../../etc", "a/b", "中文"])
def test_any_name_makes_a_key_that_is_safe_in_an_address(name: str) -> None:
    key = list_key("topic", Bilingual.same(name))
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(key) <= 80


def test_a_subject_that_nobody_speaks_of_any_more_is_gone_with_its_name() -> None:
    store = MemoryStore()
    kept, gone = put(store, 1, guests=()), put(store, 2, date=dt.date(2025, 1, 1))
    assert any("/person-" in key for key in lists_with(store, "Geneviève L’Écuyer"))
    withdraw(gone, store, views=SITE, now=lambda: NOON)
    assert lists_with(store, "L’Écuyer") == set()
    assert not [found.key for found in store.list("en/lists/person-genevieve")]
    assert not list(unlisted(kept, store))


def test_a_name_that_changes_its_first_letter_moves_in_the_index() -> None:
    """A topic gets its French name with a later session, and loses it when that is withdrawn."""
    store = MemoryStore()
    put(store, 1, topics=(Bilingual(en="Plain language"),))
    second = put(store, 2)

    def letters() -> set[str]:
        return {letter.letter for letter in read_catalogue(store).lettered("topic", "fr")}

    assert letters() == {"l", "e"}
    withdraw(second, store, views=SITE, now=lambda: NOON)
    assert letters() == {"p"}
    assert page_of(store, "fr/lists/topics-l.html") is None
    assert page_of(store, "fr/lists/topics-p.html") is not None


def test_a_long_list_shows_the_latest_and_leads_to_its_parts() -> None:
    store = MemoryStore()
    for number in range(SHOWN_FIRST + 5):
        last = put_session(store, number, dt.date(2024, 12, 1) + dt.timedelta(days=number), PROGRAMME, **ABOUT)
    Lists(store, SITE).update(last)
    (topic,) = [found.key for found in store.list("en/lists/topic-plain-language") if "-202" not in found.key]
    whole = page_of(store, topic) or ""
    assert whole.count('class="card"') == SHOWN_FIRST
    parts = {topic.replace(".html", f"-{year}.html"): count for year, count in ((2024, 31), (2025, 34))}
    for part, count in parts.items():
        assert f'href="../../{part}"' in whole
        assert (page_of(store, part) or "").count('class="card"') == count
        # Each leads to the other, and back to the whole.
        page = page_of(store, part) or ""
        assert all(f'"../../{key}"' in page for key in {*parts, topic} - {part})
    assert 'href="../../en/lists/language-en-2025-01.html"' in (page_of(store, "en/lists/language-en.html") or "")


def test_thousands_of_names_are_divided_by_letter() -> None:
    letters = tuple(Letter(kind="person", language="fr", letter=each, count=200) for each in ("e", "z", OTHER_LETTER))
    page = SITE.index_page(Index(kind="person", language="fr", letters=letters))
    places = [page.index(f'href="../../fr/lists/people-{each.letter}.html"') for each in letters]
    assert places == sorted(places)
    assert sum(each.count for each in letters) > SHOWN_WITHOUT_LETTERS


def test_lists_that_were_lost_are_made_anew_from_what_is_published() -> None:
    store = MemoryStore()
    first = put(store, 1)
    before = {found.key: page_of(store, found.key) for found in store.list("")}
    for lost in [key for key in before if key.startswith("catalogue")]:
        store.delete([lost])
        Lists(store, SITE).update(first)
        assert {found.key: page_of(store, found.key) for found in store.list("")} == before, lost


def test_what_is_wrong_with_a_list_is_found() -> None:
    store = MemoryStore()
    session_id = put(store, 1)
    # What the sessions of a programme say is no list; whether it is there is seen on the programme's page.
    for lost in [found.key for found in store.list("catalogue/") if "/heard/" not in found.key]:
        body = store.read(lost)
        assert body is not None
        store.delete([lost])
        assert list(unlisted(session_id, store)), lost
        write(store, lost, body[0], PLAIN)
    assert not list(unlisted(session_id, store))


def test_a_session_without_anything_stands_on_its_date_and_language_only() -> None:
    session = Session(id="0" * 16, title=Bilingual(en="x"), languages=("en",))
    assert [place.key for place in shelves_of(session)] == ["undated", "language-en-undated"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a site of eighty sessions, the pages of one of them included."""
    store, folder = MemoryStore(), tmp_path_factory.mktemp("lists")
    for number in range(80):
        last = put_session(store, number, day_of(number * 40), PROGRAMME, **{**ABOUT, "week": number % 5 + 1})
    lists = Lists(store, SITE)
    lists.write_assets()
    lists.update(last)
    for found in store.list(""):
        body = store.read(found.key)
        assert body is not None
        (folder / found.key).parent.mkdir(parents=True, exist_ok=True)
        (folder / found.key).write_bytes(body[0])
    for number, language in itertools.product(range(80), LANGUAGES):
        (folder / f"sessions/{number:016x}/{language}.html").write_text(f"<title>{number}</title>", encoding="utf-8")
    with serve(folder) as served:
        yield served


def press_to(page: Page, part: str) -> None:
    """Go by keyboard to the first link whose address holds a text, and follow it."""
    for _ in range(400):
        page.keyboard.press("Tab")
        href = page.evaluate("document.activeElement.getAttribute('href') || ''")
        if part in str(href):
            with page.expect_navigation():
                page.keyboard.press("Enter")
            return
    raise AssertionError(f"no link to {part} on {page.url}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", ["programme", "community", "topic", "person", "language", "date"])
def test_a_session_is_reached_by_keyboard_through_each_kind_of_list(
    chromium: Browser, address: str, language: Language, way: str
) -> None:
    page = chromium.new_context(java_script_enabled=True).new_page()
    faults = watch(page, address)
    page.goto(f"{address}/{language}/index.html")
    press_to(page, f"lists/{INDEXES[way]}.html")  # type: ignore[index]
    press_to(page, "lists/20" if way == "date" else f"lists/{way}-")
    assert faults == []
    press_to(page, "sessions/")
    assert page.url.endswith(f"/{language}.html")
    page.context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_of_lists_have_no_fault_that_axe_finds_and_need_no_script(
    chromium: Browser, address: str, language: Language
) -> None:
    page = chromium.new_context(viewport={"width": 320, "height": 640}).new_page()
    kinds = [f"{language}/lists/{name}.html" for name in INDEXES.values()]
    page.goto(f"{address}/{language}/lists/topics.html")
    topic = page.locator("main a").first.evaluate("link => link.pathname.slice(1)")
    for key in (f"{language}/index.html", *kinds, f"{language}/lists/language-en.html", topic):
        page.goto(f"{address}/{key}")
        assert page.locator("script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, key
        assert axe_faults(page) == [], key
    page.context.close()
