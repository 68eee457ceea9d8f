"""Every kind of learner page in a real browser: in both languages and themes, by light and dark, from 320 pixels to 4K.

What a kind of page is, :data:`tests.pages.PAGE_KINDS` says; a new one is held to everything here by a line there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

import pytest
from playwright.sync_api import Page, expect

from pipeline.site.model import Look
from pipeline.site.shared_files import style_sheet
from tests.browser import LOOKS, WCAG, axe_faults, bring_player, serve, until
from tests.pages import make_media, make_sessions, page_paths, write_site

SHIFT = 0.01
"""The most that a page may move by itself while it is loaded, as browsers measure it."""
LONGEST_LINE = 50
"""Of running text, in em: some hundred letters."""
MOVED = """() => new Promise(done => { const seen = [];
    const watcher = new PerformanceObserver(list => seen.push(...list.getEntries()));
    watcher.observe({type: "layout-shift", buffered: true});
    setTimeout(() => done([...seen, ...watcher.takeRecords()].reduce((sum, shift) => sum + shift.value, 0)), 150) })"""
SPACED = """() => { const sheet = new CSSStyleSheet(); document.adoptedStyleSheets = [sheet];
    sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: 0.12em !important;
        word-spacing: 0.16em !important } p { margin-block-end: 2em !important }`) }"""
"""The spacing of text that a reader may set (WCAG 1.4.12)."""
PLACE = """() => { const known = new Map();
    const number = at => { if (!known.has(at)) known.set(at, known.size); return known.get(at) };
    window.place = at => `${number(at)} ${number(at.closest(".said"))}` }"""
"""Names a place by its element, and by its paragraph, as one set of tools walks along; not by how many elements come
before it, as those change when what is loaded is drawn."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    make_media(folder / "video.mp4", folder / "poster.jpg")
    write_site(folder / "root", make_sessions(), folder / "video.mp4", folder / "poster.jpg")
    for theme in get_args(Look):
        (folder / "root" / f"{theme}.css").write_bytes(style_sheet(theme))
    with serve(folder / "root") as base:
        yield base


def put_on(page: Page, theme: Look) -> None:
    """Give the page the look of a theme: nothing else differs between them."""
    page.evaluate(
        """theme => new Promise(done => { const link = document.querySelector("link[rel=stylesheet]");
        link.onload = done; link.href = `/${theme}.css` })""",
        theme,
    )


def open_everything(page: Page) -> None:
    """Unfold what is folded and, where there is a transcript that follows, let a passage be marked."""
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    if page.locator("#video").count() and page.locator("#pane").count():
        until(page, "document.getElementById('video').readyState >= 1")
        page.evaluate("document.getElementById('video').currentTime = 2")
        until(page, "document.querySelector('#pane [aria-current]')")


@pytest.mark.browser
@pytest.mark.parametrize("path", page_paths())
def test_nothing_is_cut_off_moves_or_runs_too_long(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(path)
    assert page.evaluate(MOVED) < SHIFT
    open_everything(page)
    for theme in get_args(Look):
        page.set_viewport_size({"width": 320, "height": 640})
        put_on(page, theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert wider_than_they_may(page) == []
        page.set_viewport_size({"width": 3840, "height": 2160})
        assert wider_than_they_may(page) == []
        assert lines_too_long(page) == []
    page.set_viewport_size({"width": 320, "height": 640})
    page.evaluate(SPACED)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert wider_than_they_may(page) == []


def wider_than_they_may(page: Page) -> list[str]:
    """Return the elements that scroll sideways, or that stand out of the window."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(at => {
            const box = at.getBoundingClientRect(), style = getComputedStyle(at);
            if (!box.width || style.clipPath !== "none" || at.closest(".skip")) return false;
            const scrolls = ["auto", "scroll"].includes(style.overflowX) && at.scrollWidth > at.clientWidth + 1;
            return scrolls || box.right > innerWidth + 1 || box.left < -1 })
        .map(at => `${at.tagName}.${at.className}: ${at.textContent.trim().slice(0, 40)}`)"""
    )
    return found


def lines_too_long(page: Page) -> list[str]:
    """Return the paragraphs and items of more than a line whose lines are longer than eyes like to go back."""
    found: list[str] = page.evaluate(
        """longest => [...document.querySelectorAll("main p, main blockquote, main dd, main li")].filter(at => {
            if (at.querySelector("p, ul, ol, dl")) return false;
            const text = at.textContent.trim();
            const em = parseFloat(getComputedStyle(at).fontSize);
            return text.length > 120 && at.getBoundingClientRect().width / em > longest })
        .map(at => `${at.tagName}.${at.className}: ${at.textContent.trim().slice(0, 60)}`)""",
        LONGEST_LINE,
    )
    return found


@pytest.mark.browser
@pytest.mark.parametrize("path", page_paths())
def test_axe_finds_nothing_in_either_theme_by_light_or_dark(page: Page, path: str) -> None:
    page.goto(path)
    open_everything(page)
    assert axe_faults(page, [*WCAG, "best-practice"]) == []
    page.emulate_media(color_scheme="dark")
    assert axe_faults(page, rules=LOOKS) == []
    put_on(page, "gc")
    assert axe_faults(page, rules=LOOKS) == []
    page.emulate_media(color_scheme="light")
    assert axe_faults(page, rules=LOOKS) == []


@pytest.mark.browser
@pytest.mark.parametrize("path", page_paths())
def test_every_page_can_be_walked_by_keyboard(page: Page, path: str) -> None:
    page.goto(path)
    if page.locator("#play").count():
        chapters = page.locator("track[kind=chapters]").count()
        bring_player(page)
        # Its last control comes with the list of chapters.
        expect(page.locator(".vjs-chapters-button button")).to_be_visible(visible=chapters > 0)
    been = walk(page)
    places = [place for place, _ in been]
    assert len(places) == len(set(places)), "focus goes round before the page is through"
    assert [place for place, seen in been if not seen] == []
    assert links_and_controls(page) <= set(places)


def walk(page: Page, steps: int = 250) -> list[tuple[str, bool]]:
    """Press Tab until focus leaves the page; return where it came to, and whether that could be seen."""
    been: list[tuple[str, bool]] = []
    page.evaluate(PLACE)
    for _ in range(steps):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const at = document.activeElement;
            if (at === document.body || at === document.documentElement) return null;
            const style = getComputedStyle(at), box = at.getBoundingClientRect();
            const inside = at.tagName === "VIDEO" || at.shadowRoot !== null;
            return [place(at), inside || (box.width > 0 && box.bottom > 0 &&
                box.top < innerHeight && (at.matches(".card a") || style.outlineStyle !== "none"))] }"""
        )
        if at is None:
            break
        # The controls within a player are one place: what has focus on the page is the player.
        if not been or been[-1][0] != at[0]:
            been.append((at[0], at[1]))
    return been


def links_and_controls(page: Page) -> set[str]:
    """Return what is there to be operated and to be seen."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("*")].filter(at =>
            at.matches("a[href], button:not([disabled]), input:not([disabled]), select, summary")
            && at.tabIndex >= 0 && at.checkVisibility()).map(place)"""
    )
    return set(found)


def test_both_themes_give_every_variable_a_value_by_light_and_by_dark() -> None:
    defined = {theme: variables(style_sheet(theme)) for theme in get_args(Look)}
    assert defined["neutral"] == defined["gc"]
    own = set(re.findall(r"var\((--[\w-]+)", style_sheet().decode()))
    assert {name for name in own if not name.startswith(("--caption", "--controls"))} <= defined["neutral"]


def variables(sheet: bytes) -> set[str]:
    """Return the variables that a theme's own part of the style sheet sets, tokens of others left out."""
    theme = sheet.decode().partition("/* One stylesheet")[0]
    return {name for name in re.findall(r"^\s+(--[\w-]+):", theme, re.MULTILINE) if not name.startswith("--gcds")}


def test_the_look_of_the_design_system_uses_each_token_that_is_brought_and_no_other() -> None:
    sheet = style_sheet("gc").decode()
    assert set(re.findall(r"(--gcds-[\w-]+):", sheet)) == set(re.findall(r"var\((--gcds-[\w-]+)\)", sheet))
    assert "gcds" not in style_sheet("neutral").decode()
