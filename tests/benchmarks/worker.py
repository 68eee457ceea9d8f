"""A child process of the bench: one system, one measure. Started by :meth:`tests.benchmarks.bench.Bench.measure`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Final

from tests.benchmarks import cost, kept_memory, limits, speakers, words
from tests.benchmarks.bench import Bench

MEASURES: Final[Mapping[str, Callable[[Bench, str], None]]] = {
    words.MEASURE: words.hear,
    speakers.MEASURE: speakers.tell,
    cost.MEASURE: cost.spend,
    limits.MEASURE: limits.profile,
    kept_memory.MEASURE: kept_memory.decode,
}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("system")
    Bench.add_arguments(parser)
    options = parser.parse_args()
    MEASURES[options.measure](Bench.asked(options), options.system)


if __name__ == "__main__":
    main()
