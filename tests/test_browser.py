"""Learner pages in a real browser: played, read, followed, by mouse and by keyboard, on a phone, without script."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.types import Bilingual, Language
from pipeline.visible import visible
from tests import browser as browsers
from tests.browser import NoBrowser, bring_player, find_or_install_browser, serve, until
from tests.pages import (
    ENGLISH,
    FRENCH,
    HOSTILE,
    HOSTILE_ID,
    PASSAGES,
    SESSION,
    make_media,
    make_published,
    make_sessions,
    moment,
    start_of,
    write_site,
)

pytestmark = pytest.mark.browser

LONG = "2" * 16
IN_SIGHT = """(() => { const pane = document.getElementById("pane").getBoundingClientRect();
    const at = document.querySelector("#pane [aria-current]").getBoundingClientRect();
    return at.top >= pane.top && at.bottom <= pane.bottom })()"""
"""Whether the passage that is said can be seen in the pane."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    video, poster = folder / "video.mp4", folder / "poster.jpg"
    make_media(video, poster)
    long = dataclasses.replace(SESSION["en"], id=LONG, title=Bilingual(en="Two hours"))
    sessions = (*make_sessions(), make_published(session=long, repeat=200))
    root = folder / "root"
    write_site(root, sessions, video, poster)
    with serve(root) as base:
        yield base


def open_session(page: Page, session: str = ENGLISH, language: Language = "en", fragment: str = "") -> None:
    page.goto(f"sessions/{session}/{language}.html{fragment}")
    until(page, "document.getElementById('video').readyState >= 1")


def current_time(page: Page) -> float:
    return float(page.evaluate("document.getElementById('video').currentTime"))


def scrolled(page: Page) -> float:
    return float(page.evaluate("document.getElementById('pane').scrollTop"))


@pytest.mark.parametrize(("session", "interface"), [(ENGLISH, "en"), (FRENCH, "fr"), (FRENCH, "en")])
def test_it_plays_shows_a_caption_and_marks_what_is_said(page: Page, session: str, interface: Language) -> None:
    open_session(page, session, interface)
    page.locator("#play").click()
    shown = page.locator(".vjs-text-track-cue")
    expect(shown).to_have_count(1)
    marked = page.locator("#pane [aria-current]")
    expect(marked).to_have_count(1)
    # Both are read at one moment: the video plays on.
    at_once = "document.querySelector('.vjs-text-track-cue')?.innerText"
    until(page, f"{at_once} && {at_once} === document.querySelector('#pane [aria-current]')?.innerText")
    caption = marked.text_content()
    until(page, f"document.querySelector('#pane [aria-current]').textContent !== {caption!r}")
    expect(marked).to_have_count(1)


def test_a_click_on_a_passage_plays_from_there(page: Page) -> None:
    open_session(page)
    passage = page.locator(PASSAGES, has_text="We tested forty pages")
    start_ms = start_of(make_published(), "We tested forty pages")
    passage.click()
    until(page, "!document.getElementById('video').paused")
    assert start_ms <= current_time(page) * 1000 + 1 < start_ms + 3_000
    expect(passage).to_have_attribute("aria-current", "true")


def test_a_chapter_is_in_the_player_and_plays_from_its_link(page: Page) -> None:
    open_session(page)
    bring_player(page)
    expect(page.locator(".vjs-chapters-button [role=menuitemradio]")).to_have_count(1)
    link = page.locator(".chapters a").nth(1)
    start_s = float((link.get_attribute("href") or "").removeprefix("#t="))
    link.click()
    until(page, "!document.getElementById('video').paused")
    assert start_s <= current_time(page) + 0.001 < start_s + 3
    expect(page.locator(".highlights blockquote")).to_have_count(1)


def test_selecting_text_does_not_seek(page: Page) -> None:
    open_session(page)
    passage = page.locator(PASSAGES).nth(1)
    passage.scroll_into_view_if_needed()
    box = passage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 30, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 8, steps=4)
    page.mouse.up()
    assert page.evaluate("document.getSelection().toString()")
    assert current_time(page) == 0


def test_the_whole_page_can_be_walked_by_keyboard(page: Page) -> None:
    open_session(page)
    seen: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => { const at = document.activeElement, style = getComputedStyle(at);
            return {where: at.id || at.className || at.textContent.trim(), tag: at.tagName,
                    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
                    box: at.getBoundingClientRect().toJSON()} }"""
        )
        assert focus["outlined"] or focus["tag"] == "BODY", focus
        assert focus["box"]["width"] > 0, focus
        if not seen or seen[-1] != focus["where"]:
            seen.append(focus["where"])
        if focus["where"] == "play":
            # Whoever comes to the button finds the player behind it, and is still at the button.
            until(page, "document.querySelector('.vjs-fullscreen-control')")
            assert page.evaluate("document.activeElement.id") == "play"
        if focus["where"].startswith("t="):
            break
    assert seen[0] == "skip"
    assert seen[seen.index("Go to the transcript") - 1].startswith("vjs-fullscreen-control")
    assert seen[-5:] == ["skip", "find", "Filter by speaker", "pane", "t=0.5"]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "copy"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    until(page, "!document.getElementById('video').paused")
    start_ms = make_published().transcript.turns[1].start_ms
    assert start_ms <= current_time(page) * 1000 + 1 < start_ms + 3_000
    assert page.url.endswith(moment(start_ms))


def test_the_transcript_can_be_skipped_by_keyboard(page: Page) -> None:
    open_session(page)
    page.locator("#transcript a.skip").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#about') !== null")


def test_the_pane_follows_and_nothing_else_moves(page: Page) -> None:
    open_session(page)
    page.evaluate("document.getElementById('video').currentTime = 50")
    until(page, "document.getElementById('pane').scrollTop > 0")
    assert page.evaluate("scrollY") == 0
    until(page, IN_SIGHT)


def test_following_can_be_switched_off(page: Page) -> None:
    open_session(page)
    page.get_by_label("Follow the video").uncheck()
    page.evaluate("document.getElementById('video').currentTime = 50")
    expect(page.locator("#pane [aria-current]")).to_have_count(1)
    page.wait_for_timeout(300)
    assert scrolled(page) == 0


def test_a_reader_who_scrolls_is_left_alone_until_they_choose_a_moment(page: Page) -> None:
    open_session(page)
    follow = page.get_by_label("Follow the video")
    page.locator("#pane").hover()
    page.mouse.wheel(0, 300)
    expect(follow).not_to_be_checked()
    page.wait_for_timeout(300)
    page.locator(PASSAGES, has_text="It sounds simple").click()
    expect(follow).to_be_checked()
    page.evaluate("document.getElementById('video').pause()")


def test_a_long_way_through_a_long_transcript_still_ends_at_the_passage(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    open_session(page, LONG)
    last = page.locator(PASSAGES).last
    page.evaluate("document.getElementById('video').pause()")
    page.evaluate(
        """() => { const video = document.getElementById("video");
        Object.defineProperty(video, "currentTime", {value: 1e6}); video.dispatchEvent(new Event("timeupdate")) }"""
    )
    expect(last).to_have_attribute("aria-current", "true")
    until(page, IN_SIGHT)


def test_thirty_thousand_words_are_shown_quickly(page: Page) -> None:
    page.goto(f"sessions/{LONG}/en.html")
    page.wait_for_load_state("load")
    painted = page.evaluate(
        """() => new Promise(done => new PerformanceObserver(list => done(list.getEntries().at(-1).startTime))
        .observe({type: "paint", buffered: true}))"""
    )
    # A generous ceiling for a loaded machine; measured at under half a second on two cores.
    assert painted < 5_000


def test_an_address_with_a_moment_opens_there(page: Page) -> None:
    open_session(page, fragment="#t=18.02")
    until(page, "document.querySelector('#pane [aria-current]')")
    assert current_time(page) == pytest.approx(18.02, abs=0.05)
    assert page.evaluate("document.getElementById('video').paused")
    page.evaluate("location.hash = '#t=30'")
    until(page, "Math.abs(document.getElementById('video').currentTime - 30) < 0.05")


def test_on_a_phone_an_address_with_a_moment_shows_the_player(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    paragraph_ms = make_published().transcript.turns[3].start_ms
    open_session(page, fragment=moment(paragraph_ms))
    page.wait_for_load_state("load")
    page.wait_for_timeout(200)
    expect(page.locator("#video")).to_be_in_viewport()
    assert current_time(page) * 1000 == pytest.approx(paragraph_ms, abs=50)


@pytest.mark.parametrize("fragment", ["#t=", "#t=-1", "#t=1e9", "#t=9999999", "#t=<script>", "#transcript"])
def test_an_address_with_nonsense_for_a_moment_opens_at_the_start(page: Page, fragment: str) -> None:
    open_session(page, fragment=fragment)
    assert current_time(page) == 0


def test_language_links_lead_to_the_same_session_and_back(page: Page) -> None:
    page.goto("index.html")
    page.get_by_role("link", name="Continuer en français").click()
    page.get_by_role("link", name="Le langage clair dans les services publics").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("heading", level=1)).to_have_text("Le langage clair dans les services publics")
    page.get_by_role("link", name="English", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Plain language in public services")
    page.get_by_role("navigation", name="You are here").get_by_role("link", name="All sessions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")


def test_hostile_text_is_text(page: Page) -> None:
    open_session(page, HOSTILE_ID)
    assert page.title().startswith(HOSTILE[0])
    assert page.locator("h1").text_content() == visible(" ".join(HOSTILE))
    assert " ".join(page.locator(PASSAGES).all_text_contents()[:-1]) == visible(" ".join(HOSTILE))


def test_without_script_everything_can_be_read_and_played(chromium: Browser, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{address}/sessions/{ENGLISH}/en.html")
    expect(page.locator(".said").get_by_text("That is a point we should come back to.")).to_be_visible()
    expect(page.get_by_label("Follow the video")).to_be_hidden()
    expect(page.locator("video[controls] track[default]")).to_have_count(1)
    expect(page.locator("#play")).to_be_hidden()
    box = page.locator("#pane").bounding_box()
    assert box is not None
    assert box["height"] > 740
    context.close()


def test_the_whole_transcript_is_printed_and_the_player_is_not(page: Page) -> None:
    open_session(page)
    page.emulate_media(media="print")
    expect(page.locator("#video")).to_be_hidden()
    expect(page.get_by_label("Follow the video")).to_be_hidden()
    assert page.evaluate(
        "[...document.querySelectorAll('#pane')].every(pane => pane.scrollHeight <= pane.clientHeight)"
    )


def test_a_named_browser_that_is_not_there_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_BROWSER", "/nowhere/chromium")
    with pytest.raises(NoBrowser, match="/nowhere/chromium"):
        find_or_install_browser()


def test_without_any_browser_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRIBUNE_BROWSER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(browsers, "PLACES", ())
    with pytest.raises(NoBrowser, match="apt-get install chromium"):
        find_or_install_browser()
