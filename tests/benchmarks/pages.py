"""What learner pages weigh, how soon they are there, and whether anything on them moves.

Prints a table: bytes before any media, plain and compressed, for the pages that grow; then, in the browser of this
machine, when their content was there, when the largest part of it was painted and how far anything moved by itself;
then how long after the press of play the first caption is seen. ``tests/test_page_budgets.py`` holds the budgets.

    python -m tests.benchmarks.pages
    python -m tests.benchmarks.pages --slower 4     # a processor as slow as a cheap phone's
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import gzip
import posixpath
import re
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Browser, Page

from pipeline.site.model import CatalogueEntry, Shelf
from pipeline.site.render import LearnerSite
from pipeline.types import Bilingual
from tests.benchmarks.bench import say
from tests.browser import open_browser, serve, until
from tests.pages import OPTIONS, SESSION, make_entry, make_long, make_media, make_published, renumbered, write_site

BUDGETS: Final = {
    "session, 1 h, 9,000 words": 150_000,
    # Twice as long, and faster than anybody speaks for two hours: its transcript alone is some 120 KB.
    "session, 2 h, 30,000 words": 225_000,
    "home, 60 sessions": 60_000,
    "home of 10,000 sessions": 60_000,
    "programme of 60": 60_000,
    "month of 60": 60_000,
}
"""Bytes that a page may have before any media, compressed."""
CAPTION_MS: Final = 300
"""The longest that the first caption may take to be seen after play."""
LONG_ID: Final = "5" * 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What a browser loads for a page before any media, in bytes.

    Attributes:
        plain: As it is stored.
        compressed: As it comes where the server compresses.
    """

    plain: int
    compressed: int


def weigh(html: str, key: str, files: Mapping[str, bytes]) -> Weight:
    """Return the weight of a page with everything of the site's own that it names, and that these name in turn.

    Args:
        html: The page.
        key: Where it lies below the site's root.
        files: The site's own files by key.
    """
    loaded = {key: html.encode()}
    found = list(_named(html, key))
    while found:
        name = found.pop()
        if name in files and name not in loaded:
            loaded[name] = files[name]
            if name.endswith((".js", ".css")):
                found += _named(files[name].decode(), name)
    return Weight(
        plain=sum(map(len, loaded.values())),
        compressed=sum(len(gzip.compress(body)) for body in loaded.values()),
    )


def _named(text: str, key: str) -> Iterator[str]:
    """Yield the keys that a text of the site may name, as attributes, imports or addresses in a style sheet do."""
    for name in re.findall(r"""["'(]([\w./-]+\.(?:css|js|svg|json|woff2))["')]""", text):
        yield posixpath.normpath(posixpath.join(posixpath.dirname(key), name))


def make_pages() -> dict[str, tuple[str, str]]:
    """Return the pages that grow, by what they are: each with its key and its HTML."""
    site = LearnerSite(OPTIONS)
    pages: dict[str, tuple[str, str]] = {}
    for name, words in (("session, 1 h, 9,000 words", 9_000), ("session, 2 h, 30,000 words", 30_000)):
        published = make_long(dataclasses.replace(SESSION["en"], id=LONG_ID), words)
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


def site_files() -> dict[str, bytes]:
    """Return the site's own files by key."""
    return {asset.key: asset.body for asset in LearnerSite(OPTIONS).assets()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slower", type=float, default=1, help="times that the browser's processor is slowed down")
    parser.add_argument("--plays", type=int, default=5, help="how often play is pressed")
    options = parser.parse_args()
    pages, files = make_pages(), site_files()
    with TemporaryDirectory() as folder, open_browser() as browser:
        root = Path(folder)
        _lay_out(root, pages)
        with serve(root / "site") as address:
            say(f"{'page':28}{'plain':>9}{'gzip':>9}{'budget':>9}{'content':>9}{'largest':>9}{'moved':>8}")
            for name, (key, html) in pages.items():
                (root / "site" / key).write_text(html, encoding="utf-8")
                weight = weigh(html, key, files)
                content, largest, moved = _load(browser, f"{address}/{key}", options.slower)
                say(
                    f"{name:28}{weight.plain / 1000:6.0f} KB{weight.compressed / 1000:6.0f} KB"
                    f"{BUDGETS[name] / 1000:6.0f} KB"
                    f"{content:6.0f} ms{largest:6.0f} ms{moved:8.4f}"
                )
            took = [_play(browser, f"{address}/sessions/{LONG_ID}/en.html") for _ in range(options.plays)]
            say(
                f"first caption after play: median {statistics.median(took):.0f} ms, longest {max(took):.0f} ms, "
                f"of {CAPTION_MS} ms"
            )


def _lay_out(root: Path, pages: Mapping[str, tuple[str, str]]) -> None:
    make_media(root / "video.mp4", root / "poster.jpg")
    long = make_long(dataclasses.replace(SESSION["en"], id=LONG_ID), 30_000)
    # The first caption is there to be seen as soon as the picture moves.
    first = dataclasses.replace(long.cues[0], start_ms=0)
    write_site(
        root / "site",
        (dataclasses.replace(long, cues=(first, *long.cues[1:])),),
        root / "video.mp4",
        root / "poster.jpg",
    )
    for key, _ in pages.values():
        (root / "site" / key).parent.mkdir(parents=True, exist_ok=True)
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
    """Return how many ms after play the picture moves with its first caption."""
    page = browser.new_page()
    page.goto(url)
    until(page, "document.getElementById('player') && document.getElementById('video').readyState >= 3")
    took = time_to_caption(page)
    page.close()
    return took


def time_to_caption(page: Page) -> float:
    """Press play; return how many ms later the picture moves and a caption is on it."""
    took: float = page.evaluate(
        """() => new Promise(done => { const video = document.getElementById("video"), start = performance.now();
        const look = () => video.currentTime > 0 && document.querySelector('.vjs-text-track-cue')?.textContent.trim()
            ? done(performance.now() - start) : requestAnimationFrame(look);
        video.play(); look() })"""
    )
    return took


if __name__ == "__main__":
    main()
