"""The whole bench: every measure, one after the other, and the page of results.

``make bench`` runs ``python -m tests.benchmarks``; ``--quick`` takes a few short recordings, ``--again`` measures anew
what is already there, ``--measures`` takes only some, ``--page`` writes elsewhere. What was measured stays in
``var/bench``, so that a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import attribution, captions, cost, editing, limits, speakers, times, words
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.results import PAGE, page

MEASURES = {
    "words": ("Words", words),
    "speakers": ("Speakers", speakers),
    "attribution": ("Who said what", attribution),
    "captions": ("Captions", captions),
    "times": ("When words start", times),
    "editing": ("The edited transcript", editing),
    "cost": ("Cost", cost),
    "limits": ("Where the time goes", limits),
}
ROWS = {"words": words.MEASURE, "speakers": speakers.MEASURE, "cost": cost.MEASURE, "limits": limits.MEASURE}
"""The measures that run something, with the name of their rows; the others read these."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.add_argument("--measures", default=",".join(MEASURES), help="which, in order; empty to write the page only")
    parser.add_argument("--again", default="", help=f"which to measure anew: {', '.join(ROWS)}")
    parser.add_argument(
        "--remark", default="", help="what a reader must know of the run: other work on the machine, say"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write: another one for another machine")
    options = parser.parse_args(arguments)
    bench = Bench.asked(options)
    for name in filter(None, options.again.split(",")):
        for path in bench.folder.glob(f"{ROWS[name]}-*.jsonl"):
            path.unlink()
    for name in filter(None, options.measures.split(",")):
        MEASURES[name][1].measure(bench)
    sections = {heading: module.report(bench) for heading, module in MEASURES.values()}
    found = [
        *words.bars(bench), *speakers.bars(bench), *attribution.bars(bench), *captions.bars(bench),
        *times.bars(bench), *editing.bars(bench), *cost.bars(bench)
    ]  # fmt: skip
    asked = shlex.join(sys.argv[1:] if arguments is None else arguments)
    options.page.write_text(
        page(bench, sections, found, f"python -m tests.benchmarks {asked}".strip(), options.remark), encoding="utf-8"
    )
    say(f"{sum(bar.met is True for bar in found)} of {len(found)} bars met; written to {options.page}")


if __name__ == "__main__":
    main()
