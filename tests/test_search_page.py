"""The search page in a real browser: what people type, in both languages, and the moments that it leads to."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.editing import Edited
from pipeline.messages import catalogue
from pipeline.publishing import publish
from pipeline.render.document import Document
from pipeline.render.json import write as write_transcript
from pipeline.search_text import find_keys, split_compounds, split_words
from pipeline.site.model import PublishedSession, SiteOptions
from pipeline.site.render import LearnerSite
from pipeline.types import LANGUAGES, Bilingual, Language, Session
from tests.browser import axe_faults, bring_player, hold_back, serve, until
from tests.memory_store import MemoryStore
from tests.pages import HOSTILE, SESSION, make_hostile, make_media, make_published, make_transcript
from tests.test_publishing import make_artifact, make_bundle

pytestmark = pytest.mark.browser

Scheme = Literal["light", "dark"]
OTHERS = 14
"""Sessions beside the English and the French one, so that one page does not show all."""


def lay_out(root: Path, options: SiteOptions | None = None) -> None:
    """Publish a few sessions into a store, and lay it out on disk as a bucket serves it."""
    store = MemoryStore()
    made = [make_published("en"), make_published("fr"), make_hostile()]
    for number in range(OTHERS):
        session = Session(
            id=f"{number + 0x50:016x}",
            title=Bilingual(en=f"Harbour {number}"),
            languages=("en",),
            programme=Bilingual(en=f"Fleet {number}"),
        )
        transcript = make_transcript(session, [("S3", "This programme is about ships. Nothing else is said.")])
        made.append(replace(make_published(session=session), transcript=transcript, cues=()))
    for published in made:
        put(published, store, root.parent, LearnerSite(options or SiteOptions()))
    # A page that is opened at a moment brings its player, which wants something to play.
    video, poster = root.parent / "played.mp4", root.parent / "shown.jpg"
    make_media(video, poster)
    media = {".mp4": video.read_bytes(), ".jpg": poster.read_bytes()}
    for found in store.list(""):
        path = root / found.key
        path.parent.mkdir(parents=True, exist_ok=True)
        read = store.read(found.key)
        assert read is not None
        path.write_bytes(media.get(path.suffix, read[0]))


def put(published: PublishedSession, store: MemoryStore, folder: Path, site: LearnerSite) -> None:
    session, transcript = published.session, published.transcript
    bundle = replace(make_bundle(folder), session=session, transcript=transcript)
    body = write_transcript(
        Document(
            session=session,
            transcript=transcript,
            edited=Edited(transcript=transcript, edits=()),
            cues=(),
            provenance=bundle.provenance,
        )
    )
    name = f"transcript.{session.language}.json"
    file = make_artifact(folder, name, body, "transcript", "application/json; charset=utf-8", None)
    bundle = replace(bundle, artifacts=(*bundle.artifacts, file))
    publish(bundle, store, views=site, cues=published.cues)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site") / "root"
    lay_out(root)
    return root


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with serve(site) as base:
        yield base


def search(page: Page, text: str, interface: Language = "en", **filters: str) -> None:
    """Open the page with a question in its address, and wait for the answer."""
    asked = "&".join(f"{name}={quote(value)}" for name, value in {"q": text, **filters}.items())
    page.goto(f"{interface}/search.html?{asked}")
    settle(page)


def settle(page: Page) -> None:
    """Wait until an answer is there."""
    waiting = "['', document.getElementById('texts').dataset.searching]"
    until(page, f"!{waiting}.includes(document.getElementById('status').textContent)")


def found_in(page: Page) -> set[str]:
    """Return the ids of the sessions that are shown."""
    links = [link.get_attribute("href") or "" for link in page.locator("#results h2 a").all()]
    return {link.split("/")[-2] for link in links}


ENGLISH = SESSION["en"].id
FRENCH = SESSION["fr"].id


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("acronym", ENGLISH),
        ("ACRONYMS", ENGLISH),
        ("rediger", FRENCH),
        ("rédigées", FRENCH),
        ("redigees", FRENCH),
        ("sigle formulaire", FRENCH),
        ("l'historique", FRENCH),
        ("Geneviève L’Écuyer", FRENCH),
        ("genevieve lecuyer", None),
        ("Tremblay", ENGLISH),
        ("acrony", ENGLISH),
        ("the acronyms of the act", ENGLISH),
        ("“name of the act”", ENGLISH),
        ('"act of the name"', None),
        ("«\u00a0exceptions. Cela paraît simple\u00a0»", FRENCH),
        ("zanzibar", None),
    ],
)
@pytest.mark.parametrize("interface", LANGUAGES)
def test_words_are_found_in_both_languages(page: Page, interface: Language, asked: str, found: str | None) -> None:
    search(page, asked, interface)
    assert found in found_in(page) if found else found_in(page) == set()
    if not found:
        nothing = {"en": "No session has", "fr": "Aucune séance"}
        expect(page.locator("#status")).to_contain_text(nothing[interface])


def test_a_moment_opens_the_session_where_the_word_is_said(page: Page) -> None:
    search(page, "Plain language acronyms", "fr")
    first = page.locator(".result").first
    expect(first.locator("h2 bdi")).to_have_text("Le langage clair dans les services publics")
    spoken = first.locator(".result-moments span[lang=en]").first
    expect(spoken).to_be_visible()
    assert "acronyms" in " ".join(first.locator("mark").all_inner_texts())
    link = first.locator(".result-moments li", has=page.locator("mark", has_text="acronyms")).locator("a")
    href = link.get_attribute("href") or ""
    moment_ms = round(float(href.partition("#t=")[2]) * 1000)
    said = [word for word in make_published("en").transcript.words if word.text.startswith("acronyms")]
    assert any(0 <= word.start_ms - moment_ms < 10_000 for word in said)
    page.goto(href)
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    assert page.url.endswith(href.partition("/sessions/")[2])
    bring_player(page)


@pytest.mark.parametrize("rested", [False, True])
def test_the_address_says_all_and_going_back_goes_back(page: Page, rested: bool) -> None:
    page.goto("en/index.html")
    page.goto("en/search.html")
    box = page.get_by_role("searchbox")
    for text in ("acronyms", "rédiger"):
        box.fill(text)
        if rested:
            # It is searched while it is typed, before the key.
            expect(page).to_have_url(re.compile(re.escape(f"q={quote(text)}")))
        box.press("Enter")
        settle(page)
        assert f"q={quote(text)}" in page.url
    assert FRENCH in found_in(page)
    page.go_back()
    until(page, f"document.querySelector('#results h2 a')?.href.includes('{ENGLISH}')")
    expect(box).to_have_value("acronyms")
    assert page.title().startswith("acronyms")
    page.go_back()
    expect(box).to_have_value("")
    assert page.url.endswith("en/search.html")


@pytest.mark.parametrize(
    ("asked", "found"), [("acronmys", ENGLISH), ("acromyns form", ENGLISH), ("formulairre", FRENCH)]
)
def test_a_slip_of_the_keys_finds_the_word_that_was_meant_and_says_so(page: Page, asked: str, found: str) -> None:
    search(page, asked)
    assert found_in(page) == {found}
    wrong = asked.split(maxsplit=1)[0]
    expect(page.locator("#status")).to_have_text(
        f"1 session found Nothing was found for “{wrong}”: what is shown has a similar word."
    )
    assert page.locator("#results mark").first.inner_text().lower()[:4] == wrong[:4]


def test_what_is_like_nothing_a_number_or_in_quotation_marks_is_not_replaced(page: Page) -> None:
    for asked in ("zanzibar", "quarante7", '"acronmys and a form"'):
        search(page, asked)
        expect(page.locator("#status")).to_have_text("No session has all of these words. Try fewer or other words.")
        assert found_in(page) == set()


def test_words_in_another_order_are_not_there_and_nothing_is_to_be_narrowed(page: Page) -> None:
    search(page, '"ships about is programme"')
    expect(page.locator("#status")).to_have_text(
        "No session has these words in this order. Try without the quotation marks."
    )
    expect(page.locator("#filters")).to_be_hidden()


def test_while_typing_the_last_word_may_be_unfinished(page: Page) -> None:
    page.goto("fr/search.html")
    page.get_by_role("searchbox").press_sequentially("trouv formul", delay=20)
    until(page, f"document.querySelector('#results h2 a')?.href.includes('{FRENCH}')")
    expect(page.locator("mark", has_text="formulaire").first).to_be_visible()


def test_results_are_narrowed_by_links_and_counted(page: Page) -> None:
    search(page, "programme")
    expect(page.locator("#status")).to_have_text(f"{OTHERS + 2} sessions found")
    page.locator("#filters summary").click()
    year = page.locator("#filters a", has_text="2026")
    year.click()
    expect(page.locator("#status")).to_have_text("2 sessions found")
    assert "year=2026" in page.url
    page.locator("#filters a", has_text="French").click()
    until(page, "location.search.includes('language=fr') && document.querySelectorAll('.result').length === 1")
    assert found_in(page) == {FRENCH}
    search(page, "programme", language="fr", year="1999")
    expect(page.locator("#status")).to_contain_text("filters")


def test_many_filters_are_folded_above_the_results_until_somebody_opens_them(page: Page) -> None:
    search(page, "programme")
    filters, summary = page.locator("#filters"), page.locator("#filters summary")
    assert page.locator("#filters a").count() > OTHERS
    expect(page.locator("#filters a").first).to_be_hidden()
    summary.focus()
    summary.press("Enter")
    expect(page.locator("#filters a").first).to_be_visible()
    box = page.get_by_role("searchbox")
    box.fill("ships")
    expect(page.locator("#status")).to_have_text(f"{OTHERS} sessions found")
    expect(filters).to_have_attribute("open", "")
    page.locator("#filters a", has_text="Fleet 3").click()
    expect(page.locator("#status")).to_have_text("1 session found")
    expect(page.locator("#narrowed")).to_have_text("Fleet 3")


def test_few_filters_stand_open_and_none_are_not_there(page: Page) -> None:
    search(page, "acronyms formulaire")
    expect(page.locator("#filters")).to_be_hidden()
    search(page, "langage")
    expect(page.locator("#filters a").first).to_be_visible()


def test_more_sessions_are_a_key_press_away(page: Page) -> None:
    search(page, "programme")
    expect(page.locator(".result")).to_have_count(10)
    more = page.get_by_role("button", name="Show more sessions")
    more.focus()
    more.press("Enter")
    expect(page.locator(".result")).to_have_count(OTHERS + 2)
    until(page, "document.activeElement.closest('.result') === document.querySelectorAll('.result')[10]")
    expect(more).to_be_hidden()


def test_who_asks_for_more_twice_gets_it_once_and_is_left_where_they_have_gone(page: Page) -> None:
    search(page, "programme")
    shown = page.locator(".result")
    expect(shown).to_have_count(10)
    asked = hold_back(page, "**/passages.bin")
    with page.expect_request("**/passages.bin"):
        page.locator("#more").dblclick()
    box = page.get_by_role("searchbox")
    box.focus()
    for route in asked:
        route.continue_()
    page.unroute("**/passages.bin")
    until(page, "document.querySelectorAll('.result').length > 10")
    assert len(found_in(page)) == shown.count()
    expect(box).to_be_focused()


def test_what_is_typed_before_the_script_is_there_is_searched(page: Page) -> None:
    asked = hold_back(page, "**/search.js")
    with page.expect_request("**/search.js"):
        page.goto("en/search.html?q=zanzibar", wait_until="commit")
    box = page.get_by_role("searchbox")
    box.fill("acronyms")
    asked[0].continue_()
    until(page, "document.querySelector('.result')")
    assert found_in(page) == {ENGLISH}
    expect(box).to_have_value("acronyms")


def test_who_is_at_a_result_by_keyboard_is_at_it_still_when_it_is_shown_anew(page: Page) -> None:
    search(page, "programm")
    page.evaluate("document.getElementById('results').firstElementChild.dataset.before = ''")
    href = page.locator("#results h2 a").nth(3).get_attribute("href")
    page.get_by_role("searchbox").fill("programme")
    page.locator(f"#results h2 a[href={json.dumps(href)}]").focus()
    until(page, "document.querySelector('.result') && !document.querySelector('[data-before]')")
    until(page, f"document.activeElement.getAttribute('href') === {json.dumps(href)}")


@pytest.mark.parametrize(
    "asked", [*HOSTILE, "<script>alert(1)</script> " * 20, "x" * 500, '"', "«»", "?&=#%", "\u202e"]
)
def test_nothing_that_is_asked_becomes_markup(page: Page, asked: str) -> None:
    page.goto(f"en/search.html?q={quote(asked)}")
    until(page, "document.getElementById('status').textContent !== document.getElementById('texts').dataset.searching")
    page.wait_for_timeout(200)
    assert page.evaluate("document.querySelectorAll('main script, main img, main svg, main [onload]').length") == 0


def test_a_session_of_a_stranger_is_shown_as_text(page: Page) -> None:
    search(page, "alert")
    expect(page.locator(".result h2")).to_contain_text("<script>alert(1)</script>")
    assert page.evaluate("document.querySelectorAll('.result script, .result img').length") == 0


def test_an_index_that_cannot_be_loaded_is_said(chromium: Browser, site: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(site, tmp_path / "root"))
    (root / "search" / "index.json").unlink()
    with serve(root) as base:
        page = chromium.new_page()
        page.goto(f"{base}/fr/search.html?q=clair")
        expect(page.get_by_role("status")).to_contain_text("n’a pas pu être chargée")
        page.close()


def test_what_could_not_be_read_once_is_asked_for_anew(chromium: Browser, address: str) -> None:
    page = chromium.new_page()
    page.route("**/search/*/*.bin", lambda route: route.abort())
    page.goto(f"{address}/en/search.html?q=acronyms")
    expect(page.get_by_role("status")).to_contain_text("could not be loaded")
    page.unroute("**/search/*/*.bin")
    page.get_by_role("searchbox").press("Enter")
    until(page, f"document.querySelector('#results h2 a')?.href.includes('{ENGLISH}')")
    page.close()


def test_segments_that_were_merged_meanwhile_are_read_anew(chromium: Browser, site: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(site, tmp_path / "root"))
    with serve(root) as base:
        page = chromium.new_page()
        page.goto(f"{base}/en/search.html?q=zanzibar")
        settle(page)
        index = json.loads((root / "search" / "index.json").read_bytes())
        old = index["segments"][0]["name"]
        (root / "search" / old).rename(root / "search" / "ff-00000000")
        index["segments"][0]["name"] = "ff-00000000"
        (root / "search" / "index.json").write_text(json.dumps(index))
        # The server tells times in whole seconds: else the browser could be told that nothing has changed.
        os.utime(root / "search" / "index.json", (time.time() + 10,) * 2)
        page.get_by_role("searchbox").fill("acronyms")
        page.get_by_role("searchbox").press("Enter")
        until(page, f"document.querySelector('#results h2 a')?.href.includes('{ENGLISH}')")
        page.close()


@pytest.mark.parametrize("interface", LANGUAGES)
def test_without_script_it_leads_to_the_lists(chromium: Browser, address: str, interface: Language) -> None:
    context = chromium.new_context(base_url=f"{address}/", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{interface}/search.html")
    notice = page.locator("noscript .notice")
    expect(notice).to_contain_text("JavaScript")
    notice.locator("a").click()
    page.wait_for_url(f"**/{interface}/index.html")
    context.close()


@pytest.mark.parametrize("scheme", typing.get_args(Scheme))
@pytest.mark.parametrize("interface", LANGUAGES)
def test_nothing_stands_in_anybodys_way(chromium: Browser, address: str, interface: Language, scheme: Scheme) -> None:
    context = chromium.new_context(base_url=f"{address}/", viewport={"width": 320, "height": 700}, color_scheme=scheme)
    page = context.new_page()
    search(page, "programme acronyms", interface)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert axe_faults(page) == []
    context.close()


def words_of_the_house() -> list[str]:
    """Return some thousand words of both languages, with their capitals, accents and elisions."""
    folder = Path(__file__).parent.parent
    texts = [path.read_text(encoding="utf-8") for path in (*folder.glob("*.md"), *folder.glob("docs/**/*.md"))]
    texts += [text for message in catalogue().values() for text in message.values()]
    return sorted({word for text in texts for word in re.split(r"\s+", text)})


def keys(text: str, language: Language) -> list[list[str]]:
    return [sorted(find_keys(word, language)) for word in split_words(text)]


def test_browser_and_index_agree_on_every_word(page: Page) -> None:
    page.goto("en/search.html")
    asked = words_of_the_house()
    asked += [f"x{chr(code)}y" for code in (*range(0xA0, 0x600), *range(0x1E00, 0x2100), *range(0xFF00, 0xFF70))]
    ours = [
        [split_words(text), split_compounds(text), *(keys(text, language) for language in LANGUAGES)] for text in asked
    ]
    script = page.locator("script[type=module]").get_attribute("src") or ""
    module = script.replace("search.js", "search-text.js").replace("../", "/")
    theirs = page.evaluate(
        """async ([module, asked]) => {
          const { splitWords, splitCompounds, findKeys } = await import(module);
          const keys = (text, language) => splitWords(text).map((word) => [...findKeys(word, language)].sort());
          return asked.map((text) => [splitWords(text), splitCompounds(text), keys(text, "en"), keys(text, "fr")]);
        }""",
        [module, asked],
    )
    different = [(text, one, other) for text, one, other in zip(asked, ours, theirs, strict=True) if one != other]
    assert different == []
    assert len(asked) > 5_000
