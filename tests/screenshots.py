"""Pictures of every kind of page: both languages, phone and desktop, light and dark, both themes.

Makes the site that the tests use, opens each kind of page that :data:`tests.pages.PAGE_KINDS` names, then what only
shows when somebody does something (:data:`SCENES`), and writes ``<kind>.<language>.<size>.<scheme>[.<theme>].png`` into
a folder. A person looks at them before a change of the looks lands.

    python -m tests.screenshots FOLDER
    python -m tests.screenshots FOLDER --kinds session home --theme gc
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, get_args

from playwright.sync_api import Browser, Page

from pipeline.inbox import STATUS_PAGES, IntakeOptions
from pipeline.intake import SweepResult, Waiting
from pipeline.journal import Claimed, Failed, NeedsReview, Processing, Published, State, Withdrawn
from pipeline.site.model import Look
from pipeline.status import write_status
from pipeline.types import LANGUAGES, Notice
from tests.browser import bring_player, open_browser, serve, until
from tests.pages import OPTIONS, PAGE_KINDS, make_media, make_sessions, write_site
from tests.test_search_page import lay_out, settle
from tests.test_status import INTRODUCED, PAGES, record

SIZES: Final = {"phone": (390, 844), "desktop": (1440, 900), "wall": (3840, 2160), "narrow": (320, 640)}
"""In pixels of style sheets: what a phone has, a desk, a wall in 4K, and a page zoomed to 400 %."""
SCHEMES: Final = ("light", "dark")


def _play(page: Page) -> None:
    bring_player(page)
    page.locator("#play").click()
    until(page, "document.getElementById('video').currentTime > 1")
    # To where a caption is: between two of them there is none.
    page.evaluate("const video = document.getElementById('video'); video.pause(); video.currentTime = 2")
    until(page, "document.querySelector('.vjs-text-track-cue')?.textContent.trim()")


def _open_captions_menu(page: Page) -> None:
    _play(page)
    page.locator(".vjs-captions-button button").click()


def _find_in_transcript(page: Page) -> None:
    page.locator("#filter summary").click()
    page.locator("#find").fill("the")
    until(page, "document.getElementById('found').textContent")


def _open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")


def _print(page: Page) -> None:
    page.emulate_media(media="print")


SCENES: Final[dict[str, tuple[str, Callable[[Page], None]]]] = {
    "session-playing": (f"calm/{PAGE_KINDS['session']}", _play),
    "session-menu": (f"calm/{PAGE_KINDS['session']}", _open_captions_menu),
    "session-found": (f"calm/{PAGE_KINDS['session']}", _find_in_transcript),
    "session-open": (f"calm/{PAGE_KINDS['session']}", _open_all),
    "session-printed": (f"calm/{PAGE_KINDS['session']}", _print),
    "hostile-session-printed": (f"hostile/{PAGE_KINDS['hostile-session']}", _print),
    "search-found": ("searched/{language}/search.html?q=programme", settle),
    "search-nothing": ("searched/{language}/search.html?q=zanzibar", settle),
    "status": ("inbox/{status}", lambda _: None),
}
"""What shows only after somebody has done something, or is no page for learners: where it begins, and what is done."""


def main() -> None:
    """Take the pictures."""
    kinds = (*PAGE_KINDS, *SCENES)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["phone", "desktop"])
    parser.add_argument("--theme", choices=get_args(Look), default="neutral")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as made, open_browser() as browser:
        root = Path(made)
        media = (root / "video.mp4", root / "poster.jpg")
        make_media(*media)
        *calm, hostile = make_sessions()
        site = dataclasses.replace(OPTIONS, theme=options.theme)
        write_site(root / "site" / "calm", calm, *media, site)
        write_site(root / "site" / "hostile", (*calm, hostile), *media, site)
        if any(kind.startswith("search-") for kind in options.kinds):
            lay_out(root / "site" / "searched", site)
        _write_status(root / "site" / "inbox")
        with serve(root / "site") as address:
            for size in options.sizes:
                _take(browser, address, options, size)


def _write_status(inbox: Path) -> None:
    """Write the inbox's own pages, with a drop in every state."""
    pages = tuple((language, PAGES[0][1]) for language in LANGUAGES)
    states: tuple[State, ...] = (
        Failed(reasons=(Notice(code="intake.unexpected"),)),
        NeedsReview(),
        Processing(stage="speech", share=0.426),
        Claimed(),
        Claimed(reviewed=True),
        Published(revision="r1-00000000", pages=pages, notes=(INTRODUCED, Notice(code="speech.none"))),
        Withdrawn(reason="Anna Roy took her consent back"),
    )
    result = SweepResult(
        settling=("Week 4 (copy).mp4",),
        waiting=(Waiting(name="Semaine 5.toml", reasons=(Notice(code="intake.sidecar_waits"),)),),
    )
    inbox.mkdir(parents=True)
    options = IntakeOptions(inbox=inbox, work=inbox.with_name("work"), settle_ms=0)
    write_status(options, result, [record(state, number=number) for number, state in enumerate(states, start=1)])


def _take(browser: Browser, address: str, options: argparse.Namespace, size: str) -> None:
    """Take every picture of one size; a page is loaded once for both schemes."""
    width, height = SIZES[size]
    # Past the pages' own policy, so that the passages that a browser would lay out later are in the picture.
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", bypass_csp=True)
    theme = "" if options.theme == "neutral" else f".{options.theme}"
    for kind in options.kinds:
        path, act = SCENES.get(kind) or (f"{_site_of(kind)}/{PAGE_KINDS[kind]}", lambda _: None)
        for language in LANGUAGES:
            page = context.new_page()
            page.goto(f"{address}/{path.format(language=language, status=STATUS_PAGES[language])}")
            page.wait_for_load_state("networkidle")
            page.add_style_tag(content="* { content-visibility: visible !important }")
            act(page)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                name = f"{kind}.{language}.{size}.{scheme}{theme}.png"
                page.screenshot(path=options.folder / name, full_page=True)
            page.close()
    context.close()


def _site_of(kind: str) -> str:
    return "hostile" if kind.startswith("hostile") else "calm"


if __name__ == "__main__":
    main()
