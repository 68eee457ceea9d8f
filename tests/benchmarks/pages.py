"""What learner pages weigh, how soon they are there, and whether anything on them moves.

Prints a table of the pages that grow, as the browser of this machine loads them: bytes before any media, plain and
compressed; when their content was there, when the largest part of it was painted and how far anything moved by itself;
then how long after the press of play the first caption is seen. ``tests/test_page_budgets.py`` holds the budgets.

    python -m tests.benchmarks.pages
    python -m tests.benchmarks.pages --slower 4     # a processor as slow as a cheap phone's
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import gzip
import statistics
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Browser, Response

from pipeline.site.model import CatalogueEntry, Shelf
from pipeline.site.render import LearnerSite
from pipeline.types import Bilingual
from tests.benchmarks.bench import say
from tests.browser import open_browser, serve, until
from tests.pages import OPTIONS, SESSION, make_entry, make_long, make_media, make_published, renumbered, write_site

BUDGETS: Final = {
    "session, 1 h, 9,000 words": 150_000,
    # Twice as long, and faster than anybody speaks for two hours.
    "session, 2 h, 30,000 words": 150_000,
    "home, 60 sessions": 60_000,
    "home of 10,000 sessions": 60_000,
    "programme of 60": 60_000,
    "month of 60": 60_000,
}
"""Bytes that a page may have before any media, compressed."""
CAPTION_MS: Final = 300
"""The longest that the first caption may take to be seen after play."""
MEDIA: Final = ("video/", "audio/", "image/jpeg", "text/vtt")
"""Types of what is of a recording and not of a page: its picture, its sound, its poster, its captions."""
SESSIONS: Final = {"session, 1 h, 9,000 words": ("5" * 16, 9_000), "session, 2 h, 30,000 words": ("6" * 16, 30_000)}
"""The sessions that are weighed, each with its id and its words."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What a browser loads for a page before any media, in bytes.

    Attributes:
        plain: As it is stored.
        compressed: As it comes where the server compresses.
    """

    plain: int
    compressed: int


def weigh(browser: Browser, url: str) -> Weight:
    """Return the weight of all that a browser asks for, media left out, when a page is opened and not touched.

    Args:
        browser: Keeps nothing for later pages.
        url: Of the page.
    """
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("response", note)
    page.goto(url, wait_until="networkidle")
    bodies = [answer.body() for answer in answers if not answer.headers["content-type"].startswith(MEDIA)]
    page.close()
    return Weight(plain=sum(map(len, bodies)), compressed=sum(len(gzip.compress(body)) for body in bodies))


def make_pages() -> dict[str, tuple[str, str]]:
    """Return the pages that grow, by what they are: each with its key and its HTML."""
    site = LearnerSite(OPTIONS)
    pages: dict[str, tuple[str, str]] = {}
    for name, (session_id, words) in SESSIONS.items():
        published = make_long(dataclasses.replace(SESSION["en"], id=session_id), words)
        pages[name] = (f"{published.folder}en.html", site.session_pages(published)["en"])
    programme, month = make_shelves(600)[0], make_shelves(600)[-1]
    home = site.catalogue_pages(make_entries(60), [])
    large = site.catalogue_pages(make_entries(60), make_shelves(10_000))
    pages["home, 60 sessions"] = ("fr/index.html", home["fr/index.html"])
    pages["home of 10,000 sessions"] = ("fr/index.html", large["fr/index.html"])
    for name, shelf in (("programme of 60", programme), ("month of 60", month)):
        pages[name] = (shelf.page("fr"), site.shelf_pages(shelf, make_entries(60))[shelf.page("fr")])
    return pages


def make_entries(count: int) -> list[CatalogueEntry]:
    """Return so many sessions of six programmes as the lists tell of them."""
    like = [make_entry(make_published("en")), make_entry(make_published("fr"))]
    return [
        dataclasses.replace(
            renumbered(like[number % 2], f"{number + 1:016x}"),
            title=Bilingual(en=f"Session {number} on plain language", fr=f"Séance {number} sur le langage clair"),
            programme=_programme(number % 6),
            week=number % 5 + 1,
            date=dt.date(2026, 11, 1) - dt.timedelta(days=number),
        )
        for number in range(count)
    ]


def make_shelves(sessions: int) -> list[Shelf]:
    """Return the lists of so many sessions: programmes of sixty, months of sixty."""
    lists = max(1, sessions // 60)
    months = [dt.date(2026 - number // 12, 12 - number % 12, 1) for number in range(lists)]
    return [
        *(Shelf(key=f"programme-{n}", count=60, programme=_programme(n), latest=months[n]) for n in range(lists)),
        *(Shelf(key=f"{month:%Y-%m}", count=60, month=month, latest=month) for month in months),
    ]


def _programme(number: int) -> Bilingual:
    return Bilingual(en=f"Programme {number}: digital skills", fr=f"Programme {number}\u00a0: compétences numériques")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slower", type=float, default=1, help="times that the browser's processor is slowed down")
    parser.add_argument("--plays", type=int, default=5, help="how often play is pressed")
    options = parser.parse_args()
    pages = make_pages()
    with TemporaryDirectory() as folder, open_browser() as browser:
        root = Path(folder)
        lay_out(root, pages)
        with serve(root / "site") as address:
            say(f"{'page':28}{'plain':>9}{'gzip':>9}{'budget':>9}{'content':>9}{'largest':>9}{'moved':>8}")
            for name, (key, _) in pages.items():
                weight = weigh(browser, f"{address}/{key}")
                content, largest, moved = _load(browser, f"{address}/{key}", options.slower)
                say(
                    f"{name:28}{weight.plain / 1000:6.0f} KB{weight.compressed / 1000:6.0f} KB"
                    f"{BUDGETS[name] / 1000:6.0f} KB"
                    f"{content:6.0f} ms{largest:6.0f} ms{moved:8.4f}"
                )
            for name in SESSIONS:
                took = [_play(browser, f"{address}/{pages[name][0]}") for _ in range(options.plays)]
                say(
                    f"first caption after play, {name}, just opened: median {statistics.median(took):.0f} ms, "
                    f"longest {max(took):.0f} ms, of {CAPTION_MS} ms"
                )


def lay_out(root: Path, pages: Mapping[str, tuple[str, str]]) -> None:
    """Write a site with these pages, and with what they ask for, into the folder ``site``."""
    make_media(root / "video.mp4", root / "poster.jpg")
    sessions = [make_long(dataclasses.replace(SESSION["en"], id=name), words) for name, words in SESSIONS.values()]
    # The first caption is there to be seen as soon as the picture moves.
    begun = [(dataclasses.replace(each.cues[0], start_ms=0), *each.cues[1:]) for each in sessions]
    sessions = [dataclasses.replace(each, cues=cues) for each, cues in zip(sessions, begun, strict=True)]
    write_site(root / "site", sessions, root / "video.mp4", root / "poster.jpg")
    for key, html in pages.values():
        (root / "site" / key).parent.mkdir(parents=True, exist_ok=True)
        (root / "site" / key).write_text(html, encoding="utf-8")
    for entry in make_entries(60):
        poster = root / "site" / str(entry.poster)
        poster.parent.mkdir(parents=True, exist_ok=True)
        poster.write_bytes((root / "poster.jpg").read_bytes())


def _load(browser: Browser, url: str, slower: float) -> tuple[float, float, float]:
    """Return when the content was there and the largest part painted, in ms, and how far the page moved by itself."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto(url, wait_until="networkidle")
    content, largest, moved = page.evaluate(
        """() => new Promise(done => { const seen = {};
        for (const type of ["largest-contentful-paint", "layout-shift"])
            new PerformanceObserver(list => seen[type] = list.getEntries()).observe({type, buffered: true});
        setTimeout(() => done([performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
            seen["largest-contentful-paint"]?.at(-1).startTime ?? 0,
            (seen["layout-shift"] ?? []).reduce((sum, shift) => sum + shift.value, 0)]), 300) })"""
    )
    page.close()
    return content, largest, moved


def _play(browser: Browser, url: str) -> float:
    """Press play on a page of which nothing is kept yet; return how many ms later the picture moves with a caption."""
    page = browser.new_page()
    page.goto(url)
    until(page, "document.getElementById('video').readyState >= 1")
    assert not page.evaluate("document.getElementById('player')"), "the player is there unasked"
    page.evaluate(
        """() => { const video = document.getElementById("video");
        globalThis.took = new Promise(done => document.addEventListener("pointerdown", () => {
            const start = performance.now(), look = () => video.currentTime > 0
                && document.querySelector(".vjs-text-track-cue")?.textContent.trim()
                ? done(performance.now() - start) : requestAnimationFrame(look);
            look() }, {capture: true})) }"""
    )
    # The mouse comes from afar and presses at once, as a finger does: nobody is quicker.
    page.locator("#play").click()
    took: float = page.evaluate("globalThis.took")
    page.close()
    return took


if __name__ == "__main__":
    main()
