"""The search over a generated catalogue: what one more session writes, and what an answer reads and takes in Chromium.

Words are drawn from a vocabulary by Zipf's law, an hour of speech a session, so that segments and shards are as large
as those of real talks. Prints objects and bytes written for one more session in the usual case and in the worst, then
requests, bytes and milliseconds for questions from a fresh browser.

    python -m tests.benchmarks.search --sessions 10000
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser

from pipeline.published import FRESH_JSON, write
from pipeline.search_index import LEVELS, Index, Member, Part, Postings, Segment, make_passages
from pipeline.search_store import FOLDER, INDEX, SearchIndex
from pipeline.serial import to_json
from pipeline.site.render import LearnerSite
from pipeline.types import Transcript, Turn
from tests.benchmarks.bench import say
from tests.browser import open_browser, serve
from tests.memory_store import MemoryStore
from tests.pages import SESSION, make_words
from tests.test_shelves import put_session

_VOCABULARY = 60_000
_SAID = 8_000
"""Words in an hour, as the samples have them."""
_PROGRAMMES = 40
_MIX = np.random.default_rng(7)
_SHARES = 1 / np.arange(1, _VOCABULARY + 1) ** 1.05
_UP_TO = np.cumsum(_SHARES / _SHARES.sum())
_TERMS = sorted(f"{'bcdfglmnprst'[rank % 12]}{'aeiou'[rank // 12 % 5]}{rank:x}q" for rank in range(_VOCABULARY))
_ORDER: NDArray[np.int64] = _MIX.permutation(_VOCABULARY)
"""Place of each rank among the terms in order: how often a word is said has nothing to do with its letters."""
_QUESTIONS = {
    "a word of nearly every session": (30,),
    "a word of one session in four": (2_000,),
    "a rare word": (40_000,),
    "two words": (200, 1_000),
    "three words": (100, 400, 1_500),
}


def draw() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the words of one session, by their place among all, and how often each is said."""
    ranks = np.searchsorted(_UP_TO, _MIX.random(_SAID))
    return np.unique(_ORDER[np.minimum(ranks, _VOCABULARY - 1)], return_counts=True)


def make_part(first: int, count: int) -> Part:
    """Return a segment of new sessions."""
    drawn = [draw() for _ in range(count)]
    terms = np.concatenate([words for words, _ in drawn])
    places = np.repeat(np.arange(count), [len(words) for words, _ in drawn])
    often = np.concatenate([counts for _, counts in drawn])
    order = np.lexsort((places, terms))
    members = [
        Member(
            session_id=_digest(first + place)[:16],
            revision=f"r1-{_digest(first + place)[-8:]}",
            length=_SAID,
            languages=("en", "fr") if place % 3 else ("fr",),
            year=2016 + place % 10,
            programme=(f"Programme {place % _PROGRAMMES}", f"Programme {place % _PROGRAMMES}"),
        )
        for place in range(count)
    ]
    return Part(members=members, terms=_postings(terms[order], places[order], often[order]))


def _digest(number: int) -> str:
    # Of real sessions, too, the ids are digests: a list of them packs no better.
    return hashlib.sha256(str(number).encode()).hexdigest()


def _postings(
    terms: NDArray[np.int64], places: NDArray[np.int64], often: NDArray[np.int64]
) -> Iterator[tuple[str, Postings]]:
    borders = np.flatnonzero(np.diff(terms)) + 1
    for start, end in zip([0, *borders], [*borders, len(terms)], strict=True):
        gaps = np.diff(places[start:end], prepend=0)
        yield _TERMS[terms[start]], np.column_stack((gaps, often[start:end])).ravel().tolist()


def fill(store: MemoryStore, counts: list[int]) -> None:
    """Write an index with segments of so many sessions."""
    index = SearchIndex(store)
    segments: list[Segment] = []
    first = 1
    for count in counts:
        segments.append(index._write_segment(0, make_part(first, count), count * 1_500))
        first += count
    write(store, INDEX, to_json(Index(number=1, segments=tuple(segments))), FRESH_JSON)


def measure_publication(store: MemoryStore, name: str) -> None:
    """Put one more session into the index and say what that took."""
    session = put_session(store, 0, None, None)
    store.written.clear()
    store.reads = 0
    started = time.perf_counter()
    SearchIndex(store).update(session)
    took = time.perf_counter() - started
    sizes = [size for key, size in store.written if key.startswith(FOLDER)]
    say(f"one more session, {name}: {len(sizes)} objects, {sum(sizes) / 1e6:.2f} MB written")
    say(f"  {store.reads} objects read, {took:.1f} s")


def usual(sessions: int) -> list[int]:
    """Return the segments of so many sessions that came one by one."""
    counts: list[int] = []
    for size in reversed(LEVELS):
        counts += [size] * (sessions // size)
        sessions %= size
    return [*counts, *([sessions] if sessions else [])]


def lay_out(store: MemoryStore, root: Path, sessions: int) -> None:
    """Write the site to disk: the index, the search page, and for every session what its result shows."""
    for found in store.list(FOLDER):
        body = store.read(found.key)
        assert body is not None
        _write(root / found.key, body[0])
    site = LearnerSite()
    for asset in site.assets():
        _write(root / asset.key, asset.body)
    for key, page in site.search_pages().items():
        _write(root / key, page.encode())
    said = " ".join(_TERMS[place] + ("." if number % 15 == 0 else "") for number, place in enumerate(_spoken()))
    words = make_words(said, "en")
    transcript = Transcript(
        session_id="0" * 16, language="en", duration_ms=words[-1].end_ms, turns=(Turn(speaker=None, words=words),)
    )
    passages = make_passages(SESSION["en"], "r1-00000000", transcript, transcript.duration_ms)
    say(f"what one result shows: {len(passages) / 1e3:.0f} KB")
    _write(root / "passages.bin", passages)
    for name in [f"{0:016x}", *(_digest(number)[:16] for number in range(1, sessions + 1))]:
        path = root / "sessions" / name / "passages.bin"
        path.parent.mkdir(parents=True)
        path.hardlink_to(root / "passages.bin")


def _spoken() -> NDArray[np.int64]:
    return _ORDER[np.minimum(np.searchsorted(_UP_TO, _MIX.random(_SAID)), _VOCABULARY - 1)]


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def measure_answer(browser: Browser, address: str, root: Path, name: str, text: str) -> None:
    """Ask in a fresh browser and say what was read until the results were there."""
    context = browser.new_context()
    page = context.new_page()
    read: list[str] = []
    page.on("response", lambda response: read.append(response.url.removeprefix(f"{address}/").partition("?")[0]))
    page.goto(f"{address}/en/search.html")
    page.wait_for_load_state("networkidle")
    read.clear()
    # Timed in the page: from outside one would see the results only when one looks again.
    took: float = page.get_by_role("searchbox").evaluate(
        """(box, text) => new Promise(done => { const results = document.getElementById("results");
        const start = performance.now(), look = () => results.childElementCount
            ? done(performance.now() - start) : requestAnimationFrame(look);
        box.value = text;
        box.form.requestSubmit();
        look() })""",
        text,
    )
    page.wait_for_load_state("networkidle")
    index, shown = (_weigh(root, read, folder) / 1e3 for folder in ("search/", "sessions/"))
    say(f"{name}: {page.locator('#status').inner_text()}, shown after {took:.0f} ms")
    say(f"  {len(read)} requests, {index:.0f} KB of the index, {shown:.0f} KB of the results")
    context.close()


def _weigh(root: Path, read: list[str], folder: str) -> int:
    return sum((root / key).stat().st_size for key in read if key.startswith(folder))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10_000, help="sessions in the catalogue")
    options = parser.parse_args()
    store = MemoryStore()
    counts = usual(options.sessions)
    fill(store, counts)
    sizes = [found.size for found in store.list(FOLDER)]
    say(f"{options.sessions} sessions: {len(counts)} segments, {len(sizes)} objects, {sum(sizes) / 1e6:.1f} MB")
    measure_publication(store, "as usual")
    worst = MemoryStore()
    fill(worst, [LEVELS[0] - 1, *[LEVELS[0]] * 7, *[LEVELS[1]] * 7])
    measure_publication(worst, "when all levels are merged")
    with TemporaryDirectory() as folder, open_browser() as browser:
        root = Path(folder)
        lay_out(store, root, options.sessions)
        with serve(root) as address:
            for name, ranks in _QUESTIONS.items():
                words = " ".join(_TERMS[_ORDER[rank]] for rank in ranks)
                measure_answer(browser, address, root, name, words)


if __name__ == "__main__":
    main()
