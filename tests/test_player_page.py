"""The player in a real browser: by keyboard, with captions as one likes them, back to where one left off, in French."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from pipeline.ffmpeg import find_programs
from pipeline.messages import catalogue
from pipeline.site.player_texts import player_script
from pipeline.types import LANGUAGES, Language, Turn
from tests.browser import FLAGS, WCAG, axe_faults, bring_player, find_or_install_browser, hold_back, serve, until
from tests.pages import PASSAGES, SESSION, make_media, make_published, make_words, start_of, write_site

pytestmark = pytest.mark.browser

ENGLISH: Final = SESSION["en"].id
FRENCH: Final = SESSION["fr"].id
BARE: Final = "4" * 16
"""Of a session with nothing but its video."""
PROMPT: Final = "5" * 16
"""Of a session in which somebody speaks from its first millisecond on."""
MENUS: Final = (".vjs-playback-rate", ".vjs-chapters-button", ".vjs-captions-button")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    video, poster = folder / "video.mp4", folder / "poster.jpg"
    make_media(video, poster)
    bare = make_published(session=dataclasses.replace(SESSION["en"], id=BARE))
    bare = dataclasses.replace(bare, files=tuple(file for file in bare.files if file.role in {"video", "poster"}))
    prompt = make_published(session=dataclasses.replace(SESSION["en"], id=PROMPT))
    turns = (Turn(speaker="S1", words=make_words("Good morning.", "en", 0)), *prompt.transcript.turns[1:])
    prompt = dataclasses.replace(prompt, transcript=dataclasses.replace(prompt.transcript, turns=turns))
    sessions = [*(make_published(language) for language in LANGUAGES), bare, prompt]
    write_site(folder / "root", sessions, video, poster)
    for published in (*sessions[:2], prompt):
        made = folder / "root" / published.folder / published.revision
        write_sound(made / "audio.m4a")
        chapters = ["WEBVTT\n"]
        for chapter in published.chapters:
            title = chapter.title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            chapters.append(f"{stamp(chapter.start_ms)} --> {stamp(chapter.end_ms)}\n{title}\n")
        (made / f"chapters.{published.session.language}.vtt").write_text("\n".join(chapters), encoding="utf-8")
    with serve(folder / "root") as base:
        yield base


def stamp(ms: int) -> str:
    return f"{ms // 60_000:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def write_sound(path: Path) -> None:
    ffmpeg = [str(find_programs().ffmpeg), "-nostdin", "-y", "-loglevel", "error"]
    subprocess.run([*ffmpeg, "-f", "lavfi", "-i", "sine=300:d=60", "-c:a", "aac", str(path)], check=True)


def open_session(page: Page, session: str = ENGLISH, language: Language = "en", name: str = "") -> None:
    page.goto(f"sessions/{session}/{name}{language}.html")
    until(page, "document.getElementById('video').readyState >= 1")
    bring_player(page)


def play(page: Page) -> None:
    page.evaluate("document.getElementById('video').play()")
    until(page, "!document.getElementById('video').paused")


def pause_at(page: Page, seconds: float) -> None:
    page.evaluate(
        "seconds => { const video = document.getElementById('video'); video.pause(); video.currentTime = seconds }",
        seconds,
    )
    until(page, "!document.getElementById('video').seeking")


def caption_at(page: Page, seconds: float) -> None:
    """Stop at a moment at which there is a caption, and wait until it is shown."""
    pause_at(page, seconds)
    page.locator(".vjs-text-track-cue > div").wait_for()


def state(page: Page, name: str) -> float:
    return float(page.evaluate(f"document.getElementById('video').{name}"))


def press(page: Page, selector: str) -> Locator:
    """Press a button of the player by keyboard."""
    button = page.locator(selector)
    # What it opens comes with the tracks; before that there is nothing to have the focus.
    expect(button).to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    return button


def item(page: Page, name: str) -> Locator:
    return page.locator(".vjs-lock-showing").get_by_text(name, exact=True)


def test_the_keyboard_reaches_every_control_in_its_order_and_each_shows_it(page: Page) -> None:
    open_session(page)
    # Its button comes with its list.
    expect(page.locator(".vjs-chapters-button button")).to_be_visible()
    page.locator("#play").focus()
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const at = document.activeElement, style = getComputedStyle(at);
            return {name: at.getAttribute("aria-label") || at.textContent.trim(),
                    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2} }"""
        )
        assert at["outlined"], at
        seen.append(at["name"])
        if at["name"] == "Go to the transcript":
            break
    assert seen[:3] == ["Position", "Play", "Mute"]
    assert seen[3:-1] == [
        *("Volume", "Speed", "Chapters", "Captions", "Sound only", "Picture-in-picture", "Full screen"),
    ]
    assert seen[-1] == "Go to the transcript"


def test_keys_play_pause_move_mute_and_change_the_speed(page: Page) -> None:
    open_session(page)
    page.locator(".vjs-play-control").focus()
    page.keyboard.press("Space")
    until(page, "!document.getElementById('video').paused")
    page.keyboard.press("k")
    until(page, "document.getElementById('video').paused")
    pause_at(page, 20)
    page.keyboard.press("ArrowRight")
    assert state(page, "currentTime") == pytest.approx(25, abs=0.1)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert state(page, "currentTime") == pytest.approx(15, abs=0.1)
    page.keyboard.press("m")
    assert page.evaluate("document.getElementById('video').muted")
    expect(page.locator(".vjs-mute-control")).to_have_text("Unmute")
    page.keyboard.press(">")
    assert state(page, "playbackRate") == 1.25
    expect(page.locator(".vjs-playback-rate-value")).to_have_text("1.25×")
    page.locator("[role=slider].vjs-progress-holder").focus()
    page.keyboard.press("End")
    until(page, "document.getElementById('video').currentTime > 40")


def test_keys_elsewhere_on_the_page_leave_the_player_alone(page: Page) -> None:
    open_session(page)
    page.locator(".jumps a").first.focus()
    page.keyboard.press("k")
    page.keyboard.press("m")
    assert page.evaluate("document.getElementById('video').paused && !document.getElementById('video').muted")


def test_a_menu_opens_by_arrow_key_and_escape_closes_it_onto_its_button(page: Page) -> None:
    open_session(page)
    button = page.locator(".vjs-playback-rate button")
    button.focus()
    page.keyboard.press("ArrowDown")
    expect(button).to_have_attribute("aria-expanded", "true")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "menuitemradio"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()
    assert state(page, "volume") == 1


def test_the_speed_is_chosen_from_its_menu(page: Page) -> None:
    open_session(page)
    press(page, ".vjs-playback-rate button")
    page.keyboard.press("Enter")
    assert state(page, "playbackRate") == 2
    expect(page.locator(".vjs-playback-rate button")).to_be_focused()
    press(page, ".vjs-playback-rate button")
    page.locator(".vjs-playback-rate .vjs-menu-item", has_text="0.5×").click()
    assert state(page, "playbackRate") == 0.5


def test_chapters_are_in_a_menu_as_text_and_lead_to_their_moment(page: Page) -> None:
    open_session(page)
    press(page, ".vjs-chapters-button button")
    second = item(page, "Readers & <writers>")
    expect(second).to_have_attribute("lang", "en")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    start_ms = make_published().chapters[1].start_ms
    assert state(page, "currentTime") == pytest.approx(start_ms / 1000, abs=0.05)
    expect(page.locator("#pane [aria-current]")).to_have_count(1)


def test_captions_can_be_switched_off_and_on_by_menu_and_by_key(page: Page) -> None:
    open_session(page)
    play(page)
    cue = page.locator(".vjs-text-track-cue")
    expect(cue).to_be_visible()
    page.locator(".vjs-play-control").focus()
    page.keyboard.press("c")
    expect(cue).to_have_count(0)
    page.keyboard.press("c")
    expect(cue).to_be_visible()
    press(page, ".vjs-captions-button button")
    item(page, "No captions").click()
    expect(cue).to_have_count(0)


def test_the_first_caption_is_seen_within_300_ms_of_its_moment(page: Page) -> None:
    open_session(page)
    start_s = make_published().cues[0].start_ms / 1000
    # From before its moment, so that what is measured is the player and not the silence at the beginning.
    pause_at(page, start_s - 0.02)
    waited = page.evaluate(
        """() => new Promise(done => {
        const video = document.getElementById("video"), display = document.querySelector(".vjs-text-track-display");
        let began = null;
        const look = () => {
          if (began !== null && display.innerText.trim()) done(performance.now() - began);
          else requestAnimationFrame(look);
        };
        video.addEventListener("playing", () => { began ??= performance.now() });
        video.play();
        look() })"""
    )
    assert waited <= 300


def test_captions_that_the_browser_has_read_are_not_loaded_again(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(f"sessions/{ENGLISH}/en.html")
    until(page, "document.querySelector('track').readyState === HTMLTrackElement.LOADED")
    page.locator("#play").click()
    expect(page.locator(".vjs-text-track-cue")).to_be_visible()
    assert asked.count("captions.en.vtt") == 1
    assert "video-js.js" in asked


def test_captions_that_the_browser_could_not_read_are_loaded_with_the_player(context: BrowserContext) -> None:
    page = context.new_page()
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route)
            route.abort()

    page.route("**/captions.en.vtt", refuse_once)
    page.goto(f"sessions/{ENGLISH}/en.html")
    until(page, "document.querySelector('track').readyState === HTMLTrackElement.ERROR")
    page.locator("#play").click()
    expect(page.locator(".vjs-text-track-cue")).to_be_visible()


def test_a_recording_that_is_not_there_is_said(context: BrowserContext) -> None:
    page = context.new_page()
    page.route("**/video.mp4", lambda route: route.fulfill(status=404))
    page.goto(f"sessions/{ENGLISH}/en.html")
    until(page, "document.getElementById('video').networkState === HTMLMediaElement.NETWORK_NO_SOURCE")
    page.locator("#play").click()
    expect(page.locator(".vjs-error-display")).to_contain_text("The recording could not be loaded.")


def test_a_recording_that_is_refused_only_after_the_player_came_is_said(context: BrowserContext) -> None:
    page = context.new_page()
    asked = hold_back(page, "**/video.mp4")
    page.goto(f"sessions/{ENGLISH}/en.html", wait_until="commit")
    page.locator("#play").click()
    expect(page.locator(".vjs-play-control")).to_be_visible()
    page.route("**/video.mp4", lambda route: route.fulfill(status=404))
    let_come(page, asked, status=404)
    expect(page.locator(".vjs-error-display")).to_contain_text("The recording could not be loaded.")


def test_captions_take_the_size_and_colours_that_are_chosen_and_keep_them(page: Page) -> None:
    open_session(page)
    caption_at(page, 2)
    cue = page.locator(".vjs-text-track-cue")
    size = "parseFloat(getComputedStyle(document.querySelector('.vjs-text-track-cue')).fontSize)"
    before = page.evaluate(size)
    press(page, ".vjs-captions-button button")
    item(page, "Size: 200%").click()
    # The caption is drawn anew.
    until(page, f"document.querySelector('.vjs-text-track-cue') && Math.abs({size} - 2 * {before}) < 0.1")
    press(page, ".vjs-captions-button button")
    item(page, "Black on white").click()
    expect(cue.locator("> div")).to_have_css("color", "rgb(0, 0, 0)")
    expect(cue.locator("> div")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(page.locator("[aria-checked=true]", has_text="Size: 200%")).to_have_count(1)
    expect(page.locator("[aria-checked=true]", has_text="Size: 100%")).to_have_count(0)
    page.reload()
    bring_player(page)
    until(page, "document.getElementById('player').dataset.captionsSize === '200'")
    assert page.evaluate("document.getElementById('player').dataset.captionsColours") == "black"


@pytest.mark.parametrize("width", [360, 1280])
def test_captions_of_every_size_stay_in_the_picture_and_off_the_bar(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_session(page)
    caption_at(page, 2)
    for size in ("75%", "150%", "200%"):
        press(page, ".vjs-captions-button button")
        item(page, f"Size: {size}").click()
        cue, video = (page.locator(each).bounding_box() for each in (".vjs-text-track-cue > div", "#video"))
        assert cue is not None
        assert video is not None
        assert video["y"] <= cue["y"]
        assert cue["y"] + cue["height"] <= video["y"] + video["height"] + 1
        assert video["x"] <= cue["x"]
        assert cue["x"] + cue["width"] <= video["x"] + video["width"]


def test_the_pairs_of_caption_colours_can_be_read(page: Page) -> None:
    open_session(page)
    caption_at(page, 2)
    for colours in ("white", "yellow", "black", "cream"):
        page.evaluate("colours => { document.getElementById('player').dataset.captionsColours = colours }", colours)
        text, ground = page.evaluate(
            """() => { const style = getComputedStyle(document.querySelector(".vjs-text-track-cue > div"));
            return [style.color, style.backgroundColor] }"""
        )
        assert contrast(text, ground) >= 7


def contrast(one: str, other: str) -> float:
    """Return the ratio of two CSS colours, as WCAG 2.1 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_sound_only_plays_the_sound_from_the_same_moment_with_captions_and_is_kept(page: Page) -> None:
    open_session(page)
    page.evaluate("document.getElementById('video').playbackRate = 1.5")
    pause_at(page, 20)
    play(page)
    page.evaluate(
        """() => { const video = document.getElementById("video"), button = document.querySelector(".vjs-sound-only");
        button.addEventListener("click", () => { window.left = video.currentTime }, { capture: true });
        video.addEventListener("seeking", () => { window.wentOn = video.currentTime }, { once: true }) }"""
    )
    button = press(page, ".vjs-sound-only")
    until(page, "document.getElementById('video').currentSrc.endsWith('audio.m4a')")
    until(page, "document.getElementById('video').currentTime > window.left + 0.5")
    assert page.evaluate("window.wentOn - window.left") == pytest.approx(0, abs=0.1)
    assert state(page, "playbackRate") == 1.5
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#video")).to_have_css("opacity", "0")
    expect(page.locator(".vjs-text-track-cue")).to_be_visible()
    page.reload()
    bring_player(page)
    until(page, "document.getElementById('video').currentSrc.endsWith('audio.m4a')")
    press(page, ".vjs-sound-only")
    until(page, "document.getElementById('video').currentSrc.endsWith('video.mp4')")
    expect(page.locator(".vjs-sound-only")).to_have_attribute("aria-pressed", "false")


def test_sound_only_goes_on_where_it_was_though_a_busy_page_hears_late_that_the_sound_is_there(page: Page) -> None:
    open_session(page)
    pause_at(page, 20)
    play(page)
    page.evaluate(
        """() => document.addEventListener("loadedmetadata", event => {
        const video = event.target;
        if (!event.isTrusted) return;
        event.stopImmediatePropagation();
        video.addEventListener("timeupdate", function late() {
            if (video.currentTime < 0.3) return;
            video.removeEventListener("timeupdate", late);
            window.heardAt = video.currentTime;
            video.dispatchEvent(new Event("loadedmetadata"));
        }) }, { capture: true })"""
    )
    press(page, ".vjs-sound-only")
    until(page, "window.heardAt")
    assert 0.3 <= page.evaluate("window.heardAt") < 10
    assert state(page, "currentTime") >= 20
    until(page, "document.getElementById('video').currentTime > 20.5")
    assert not page.evaluate("document.getElementById('video').paused")


@pytest.mark.parametrize("choice", ["We tested forty pages", "Good morning."])
def test_a_moment_that_is_chosen_while_the_sound_is_on_its_way_is_gone_to(page: Page, choice: str) -> None:
    session = ENGLISH if choice.startswith("We") else PROMPT
    open_session(page, session)
    pause_at(page, 20)
    asked = hold_back(page, "**/audio.m4a")
    press(page, ".vjs-sound-only")
    page.locator(PASSAGES, has_text=choice).click()
    page.evaluate("document.getElementById('video').pause()")
    chosen_s = state(page, "currentTime")
    # It is asked for in parts; only the first is held back.
    page.route("**/audio.m4a", lambda route: route.continue_())
    let_come(page, asked)
    until(page, "document.getElementById('video').readyState >= 2")
    assert state(page, "currentTime") == pytest.approx(chosen_s, abs=0.05)


def test_a_session_with_nothing_but_its_video_has_no_empty_menu_and_can_still_hide_its_picture(page: Page) -> None:
    open_session(page, BARE)
    play(page)
    for menu in (".vjs-chapters-button button", ".vjs-captions-button button"):
        expect(page.locator(menu)).to_be_hidden()
    press(page, ".vjs-sound-only")
    expect(page.locator("#video")).to_have_css("opacity", "0")
    assert page.evaluate("document.getElementById('video').currentSrc.endsWith('video.mp4')")
    assert not page.evaluate("document.getElementById('video').paused")


def test_a_session_opens_where_it_was_left_and_says_so(page: Page) -> None:
    open_session(page)
    play(page)
    pause_at(page, 30)
    page.evaluate("document.getElementById('video').dispatchEvent(new Event('pause'))")
    for name in ("", "embed."):
        open_session(page, name=name)
        expect(page.locator(".resumed")).to_contain_text("Resumed where you left off: 0:30")
        assert state(page, "currentTime") == pytest.approx(30, abs=0.2)
        assert page.evaluate("document.getElementById('video').paused")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".resumed")).to_have_count(0)
    expect(page.locator(".vjs-play-control")).to_be_focused()
    open_session(page)
    page.get_by_role("button", name="Start from the beginning").click()
    until(page, "document.getElementById('video').currentTime < 1")
    open_session(page)
    expect(page.locator(".resumed")).to_have_count(0)
    assert state(page, "currentTime") == 0


@pytest.mark.parametrize(("session", "name"), [(ENGLISH, ""), (ENGLISH, "embed."), (BARE, "embed.")])
def test_a_moment_in_the_address_goes_before_the_place_where_one_left(page: Page, session: str, name: str) -> None:
    page.goto("index.html")
    page.evaluate(f"localStorage.setItem('tribune.position.{session}', '30')")
    page.goto(f"sessions/{session}/{name}en.html#t=18.02")
    until(page, "document.getElementById('video').readyState >= 1 && document.getElementById('player')")
    assert state(page, "currentTime") == pytest.approx(18.02, abs=0.05)
    expect(page.locator(".resumed")).to_have_count(0)


def test_the_first_passage_that_is_chosen_early_goes_before_the_place_where_one_left(
    page: Page, held: list[Route]
) -> None:
    """At 0 it looks as if nobody had gone anywhere."""
    page.goto("index.html")
    page.evaluate(f"localStorage.setItem('tribune.position.{PROMPT}', '30')")
    page.goto(f"sessions/{PROMPT}/en.html")
    page.locator(PASSAGES, has_text="Good morning.").click()
    let_come(page, held)
    until(page, "document.getElementById('video').currentTime > 0.2")
    assert state(page, "currentTime") < 10
    expect(page.locator(".resumed")).to_have_count(0)


def test_it_goes_to_full_screen_and_floats_where_the_browser_lets_it(page: Page) -> None:
    open_session(page)
    floats = page.evaluate("document.pictureInPictureEnabled")
    expect(page.locator(".vjs-picture-in-picture-control")).to_be_visible(visible=floats)
    press(page, ".vjs-fullscreen-control")
    until(page, "document.fullscreenElement?.id === 'player'")
    expect(page.locator(".vjs-fullscreen-control")).to_have_text("Leave full screen")
    page.keyboard.press("f")
    until(page, "!document.fullscreenElement")


@pytest.mark.parametrize("name", ["", "embed."])
def test_everything_that_the_french_player_says_is_ours_and_french(page: Page, name: str) -> None:
    open_session(page, FRENCH, "fr", name)
    page.evaluate(f"localStorage.setItem('tribune.position.{FRENCH}', '30')")
    open_session(page, FRENCH, "fr", name)
    expect(page.locator(".resumed")).to_contain_text("Reprise là où vous étiez")
    play(page)
    until(page, "document.querySelector('.vjs-chapters-button [role=menuitemradio]')")
    said = page.evaluate(
        """() => [document.getElementById("player"), ...document.getElementById("player").querySelectorAll("*")]
        .filter(each => !each.closest("video, .vjs-text-track-display, [lang]:not(#player, html)"))
        .flatMap(each => [...["aria-label", "title", "aria-valuetext", "aria-roledescription"].map(name =>
          each.getAttribute(name)), ...[...each.childNodes].filter(node => node.nodeType === 3).map(node => node.data)])
        .filter(text => text?.trim()).map(text => text.trim())"""
    )
    table = json.loads(player_script("fr").decode().partition(", ")[2].removesuffix(");\n"))
    ours = [re.sub(r"\\\{\d\\\}", r"[\\d:,]+", re.escape(text.strip())) for text in table.values()]
    known = re.compile(rf"{'|'.join(ours)}|[\d:,]+%?|/")
    assert len(said) > 30
    assert {text for text in said if not known.fullmatch(text)} == set()


def test_both_languages_have_every_text_of_the_player_and_no_other() -> None:
    used = {language: player_script(language).decode() for language in LANGUAGES}
    on_page = ("player.keys_", "player.key_")
    for code, texts in catalogue().items():
        if code.startswith("player.") and not code.startswith(on_page):
            for language in LANGUAGES:
                start = re.split(r"\{\w+\}", texts[language])[0]
                assert json.dumps(start, ensure_ascii=False)[1:-1] in used[language]


@pytest.mark.parametrize(("session", "language"), [(ENGLISH, "en"), (FRENCH, "fr")])
@pytest.mark.parametrize("name", ["", "embed."])
def test_axe_finds_nothing_with_any_menu_open(page: Page, session: str, language: Language, name: str) -> None:
    open_session(page, session, language, name)
    page.evaluate(f"localStorage.setItem('tribune.position.{session}', '30')")
    open_session(page, session, language, name)
    expect(page.locator(".resumed")).to_contain_text("0:30")
    for menu in MENUS:
        press(page, f"{menu} button")
        page.emulate_media(color_scheme="light")
        assert axe_faults(page, [*WCAG, "best-practice"], "#player") == []
        page.emulate_media(color_scheme="dark")
        assert axe_faults(page, WCAG, "#player") == []
        page.keyboard.press("Escape")


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_every_menu_can_be_seen_whole(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    open_session(page, FRENCH, "fr")
    for menu in MENUS:
        press(page, f"{menu} button")
        box = page.locator(f"{menu} .vjs-menu-content").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 60
        page.keyboard.press("Escape")
    row = page.evaluate(
        "[...document.querySelectorAll('.vjs-control-bar > *:not(.vjs-hidden)')].map(each => "
        "each.getBoundingClientRect()).filter(box => box.height > 0).map(box => Math.round(box.right))"
    )
    assert max(row) <= width
    bar, last = (page.locator(each).bounding_box() for each in (".vjs-control-bar", ".vjs-fullscreen-control"))
    assert bar is not None
    assert last is not None
    assert last["y"] + last["height"] <= bar["y"] + bar["height"]


def test_where_a_person_has_few_colours_how_far_it_is_what_is_on_and_captions_are_seen(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    open_session(page)
    play(page)
    pause_at(page, 2)
    page.locator(".vjs-captions-button button").click()
    item(page, "Yellow on black").click()
    page.locator(".vjs-sound-only").click()

    def style(selector: str, name: str) -> str:
        told = "([selector, name]) => getComputedStyle(document.querySelector(selector)).getPropertyValue(name)"
        return str(page.evaluate(told, [selector, name]))

    ground = style(".vjs-control-bar", "background-color")
    for filled in (".vjs-play-progress", ".vjs-volume-level", ".vjs-sound-only"):
        assert contrast(style(filled, "background-color"), ground) >= 3
    for track in (".vjs-progress-holder", ".vjs-volume-bar"):
        assert style(track, "border-top-style") == "solid"
        assert contrast(style(track, "border-top-color"), ground) >= 3
    cue = "document.querySelector('.vjs-text-track-cue > div')"
    until(page, f"{cue} && getComputedStyle({cue}).color === 'rgb(255, 233, 77)'")
    until(page, f"{cue} && getComputedStyle({cue}).backgroundColor === 'rgb(0, 0, 0)'")


@pytest.mark.parametrize("name", ["", "embed."])
def test_every_menu_stays_in_a_window_that_is_zoomed_to_400_percent(page: Page, name: str) -> None:
    page.set_viewport_size({"width": 320, "height": 256})
    open_session(page, name=name)
    play(page)
    for menu in MENUS:
        page.locator(f"{menu} button").click()
        box = page.locator(f"{menu} .vjs-menu-content").bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 320
        frame = page.locator(".player-frame").bounding_box()
        assert frame is not None
        assert box["y"] >= max(frame["y"], 0)
        page.keyboard.press("Escape")


def test_nothing_moves_when_the_player_comes(page: Page) -> None:
    open_session(page)
    page.wait_for_timeout(300)
    shifted = page.evaluate(
        """() => new Promise(done => { let sum = 0; new PerformanceObserver(list => {
        for (const entry of list.getEntries()) sum += entry.value }).observe({type: "layout-shift", buffered: true});
        setTimeout(() => done(sum), 200) })"""
    )
    assert shifted <= 0.01


@pytest.fixture
def held(page: Page) -> list[Route]:
    """Holds the player back: what asked for its library, to be let go on."""
    return hold_back(page, "**/video-js.js")


def let_come(page: Page, held: list[Route], status: int = 200) -> None:
    while not held:
        page.wait_for_timeout(20)
    route = held.pop()
    if status == 200:
        route.continue_()
    else:
        route.fulfill(status=status)


@pytest.mark.parametrize("name", ["", "embed."])
@pytest.mark.parametrize("wish", [Locator.hover, Locator.focus])
def test_the_player_comes_when_somebody_points_at_it_or_walks_to_it_and_not_before(
    page: Page, name: str, wish: Callable[[Locator], None]
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(f"sessions/{ENGLISH}/{name}en.html", wait_until="networkidle")
    assert not {"video-js.js", "player.js", "player.en.js"} & set(asked)
    assert not page.evaluate("document.getElementById('video').controls")
    before = page.locator(".player-frame").bounding_box()
    wish(page.locator("#play"))
    expect(page.locator(".vjs-play-control")).to_be_visible()
    assert {"video-js.js", "player.js", "player.en.js"} <= set(asked)
    assert page.locator(".player-frame").bounding_box() == before
    expect(page.locator("#play")).to_be_visible()


def test_enter_plays_as_soon_as_the_player_is_there_and_leaves_the_focus_at_the_button_that_pauses(
    page: Page, held: list[Route]
) -> None:
    page.goto(f"sessions/{ENGLISH}/en.html")
    button = page.get_by_role("button", name="Play Plain language in public services")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".player-frame")).to_have_class(re.compile(r"\bwaiting\b"))
    expect(button).to_be_focused()
    assert page.evaluate("document.getElementById('video').paused")
    let_come(page, held)
    until(page, "document.getElementById('video').currentTime > 0.2")
    expect(page.locator(".vjs-play-control")).to_be_focused()
    expect(button).to_be_hidden()
    page.keyboard.press("Space")
    until(page, "document.getElementById('video').paused")


def test_a_press_during_which_the_player_comes_is_not_lost(page: Page, held: list[Route]) -> None:
    page.goto(f"sessions/{ENGLISH}/en.html")
    page.locator("#play").hover()
    page.mouse.down()
    let_come(page, held)
    expect(page.locator(".vjs-play-control")).to_be_visible()
    page.mouse.up()
    until(page, "document.getElementById('video').currentTime > 0.2")


def test_a_moment_of_the_transcript_brings_the_player_and_is_played_when_it_is_there(
    page: Page, held: list[Route]
) -> None:
    page.goto(f"sessions/{ENGLISH}/en.html")
    page.locator(PASSAGES, has_text="We tested forty pages").click()
    start_s = start_of(make_published(), "We tested forty pages") / 1000
    assert state(page, "currentTime") == pytest.approx(start_s, abs=0.05)
    let_come(page, held)
    until(page, f"document.getElementById('video').currentTime > {start_s + 0.2}")
    assert state(page, "currentTime") < start_s + 5
    expect(page.locator(".vjs-text-track-cue")).to_be_visible()
    expect(page.locator("#play")).to_be_hidden()


def test_one_press_is_enough_where_the_browser_plays_nothing_unasked(chromium: Browser, address: str) -> None:
    strict = chromium.browser_type.launch(executable_path=find_or_install_browser(), args=[*FLAGS, "--mute-audio"])
    embedded = f"{address}/sessions/{ENGLISH}/embed.en.html"
    # What the tests ask of a page counts as a person's doing: until the press nothing is asked.
    unasked = strict.new_page()
    unasked.add_init_script(
        "addEventListener('load', () => document.getElementById('video').play().catch(no => { window.no = no.name }))"
    )
    unasked.goto(embedded)
    until(unasked, "window.no === 'NotAllowedError'")
    page = strict.new_page()
    held = hold_back(page, "**/video-js.js")
    page.goto(embedded, wait_until="networkidle")
    page.mouse.click(400, 200)
    let_come(page, held)
    until(page, "document.getElementById('video').currentTime > 0.2")
    strict.close()


def test_where_the_player_cannot_be_had_the_browsers_own_plays(context: BrowserContext) -> None:
    page = context.new_page()
    page.route("**/video-js.js", lambda route: route.abort())
    page.goto(f"sessions/{ENGLISH}/en.html")
    page.locator("#play").focus()
    expect(page.locator("#play")).to_have_count(0)
    expect(page.locator("#video")).to_be_focused()
    assert page.evaluate("document.getElementById('video').controls")
    page.locator(PASSAGES, has_text="We tested forty pages").click()
    until(page, "!document.getElementById('video').paused")
    assert state(page, "currentTime") * 1000 >= start_of(make_published(), "We tested forty pages") - 1


def test_where_nothing_can_be_kept_the_player_works_all_the_same(page: Page) -> None:
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no') }})")
    open_session(page)
    caption_at(page, 2)
    press(page, ".vjs-captions-button button")
    item(page, "Yellow on black").click()
    expect(page.locator(".vjs-text-track-cue > div")).to_have_css("color", "rgb(255, 233, 77)")
