"""The review editor at its limits: three hours of words, and a server that is killed while people type.

Prints how long 30,000 words take to open and each keystroke to be on screen, in the browser of this machine, and what
of random edits is lost when the server and the browser are killed two seconds after the last one.

    python -m tests.benchmarks.review --sequences 20
"""

from __future__ import annotations

import argparse
import random
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

from tests.benchmarks.bench import say
from tests.browser import open_browser
from tests.desk import Server, lay_out, reviewable, serving, write_media
from tests.pages import TURNS, make_transcript
from tests.test_review_editor import Reviewer, edit_and_kill, measure_long

_WORDS = 30_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=20, help="random edit sequences with a kill at the end")
    parser.add_argument("--keys", type=int, default=200, help="keystrokes measured")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        write_media(root / "video.mp4", 70)
        with serving(root) as server, open_browser() as browser:
            _measure_long(browser, server, options.keys)
            _kill_often(browser, server, options.sequences)


def _measure_long(browser: Browser, server: Server, keys: int) -> None:
    each = sum(len(text.split()) for _, text in TURNS["en"])
    for number, name in enumerate(("many short turns", "one person alone"), start=1):
        session, _ = reviewable("en", id=f"{number:016x}")
        said = TURNS["en"] * (_WORDS // each + 1)
        turns = said if number == 1 else [("S1", " ".join(text for _, text in said))]
        transcript = make_transcript(session, turns)
        lay_out(server.root / "work", session, transcript)
        opened_ms, took = measure_long(Reviewer(browser, server), session.id, keys)
        words, p95 = len(transcript.words), sorted(took)[len(took) * 95 // 100]
        say(f"{name}: {words} words, {transcript.duration_ms / 3_600_000:.1f} h: opens in {opened_ms:.0f} ms")
        say(f"  keystroke: median {statistics.median(took):.1f}, 95 % {p95:.1f}, longest {max(took):.1f} ms")


def _kill_often(browser: Browser, server: Server, sequences: int) -> None:
    lost = 0
    for seed in range(sequences):
        session, _ = reviewable("en", id=f"{seed + 100:016x}")
        desk = lay_out(server.root / "work", session, make_transcript(session, TURNS["en"]))
        try:
            edit_and_kill(browser, server, desk, random.Random(seed))  # noqa: S311 - to be the same again
        except AssertionError as missing:
            lost += 1
            say(f"  sequence {seed}: {missing}")
    say(f"{sequences} edit sequences with the server killed: something was lost in {lost}")


if __name__ == "__main__":
    main()
