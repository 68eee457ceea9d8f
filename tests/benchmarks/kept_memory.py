"""What it costs a decoder to get its memory anew for each window, and what keeping it saves.

The first windows of a long recording go in, decoded by Tribune's engine with ``models.parallel.keep_memory`` and
without, each in a process of its own, for what the C library was told once holds for the process; processor time, page
faults and the peak come out. It stands alone because it measures the one choice that changes no word.

Run it with ``python -m tests.benchmarks.kept_memory [--windows 4]``.
"""

from __future__ import annotations

import argparse
import resource
from typing import Final

from models.whisper import WhisperOptions
from pipeline.types import Span
from tests.benchmarks.ablation import Lever
from tests.benchmarks.bench import Bench, say, table
from tests.benchmarks.data import long_recording, read_sound
from tests.benchmarks.memory import MemoryWatch
from tests.benchmarks.systems import open_whisper

MEASURE: Final = "keep"
WAYS: Final = {
    "kept": Lever(what="what is freed is kept"),
    "anew": Lever(what="asked of the system anew", engine={"keep_memory": lambda: None}),
}

_MINUTES: Final = 10


def decode(bench: Bench, run: str) -> None:
    """Decode some windows with or without keeping memory; in its own process.

    Args:
        bench: The run.
        run: ``kept`` or ``anew``, a hyphen and the number of windows.
    """
    way, number = run.rsplit("-", 1)
    waveform = read_sound(long_recording(_MINUTES, bench.joined, data=bench.data))
    with WAYS[way].pulled() as options:
        recognizer = open_whisper(WhisperOptions(device="cpu", threads=bench.threads))
    length_ms = options.window_ms
    windows = [Span(start_ms=at * length_ms, end_ms=(at + 1) * length_ms) for at in range(int(number) + 1)]

    def heard(spans: list[Span]) -> int:
        found = recognizer.decode_batch(waveform, spans, language="en", hotwords=None, batch_size=options.batch_size)
        return sum(len(each.words) for each in found)

    # The first call takes longer, whatever it is given.
    heard(windows[:1])
    with MemoryWatch() as watch:
        before = resource.getrusage(resource.RUSAGE_SELF)
        words = heard(windows[1:])
        after = resource.getrusage(resource.RUSAGE_SELF)
        peak = watch.take()
    row = {
        "recording": f"{number} windows",
        "words": words,
        "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "faults": after.ru_minflt - before.ru_minflt,
        "peak": peak,
    }
    bench.add(MEASURE, run, row)


def measure(bench: Bench, windows: int) -> None:
    """Decode so many windows both ways, unless that was done."""
    for way in WAYS:
        bench.measure(MEASURE, f"{way}-{windows}", [f"{windows} windows"])


def report(bench: Bench, windows: int) -> list[str]:
    """Return the table as lines of Markdown."""
    head = ["", "words", "processor time", "page faults", "peak"]
    rows = []
    for way, lever in WAYS.items():
        failure = bench.failure(MEASURE, f"{way}-{windows}")
        if failure is not None:
            rows.append([lever.what, failure, "", "", ""])
            continue
        row = bench.rows(MEASURE, f"{way}-{windows}")[-1]
        spent = (f"{row['processor_s']:.2f} s", f"{row['faults']:,}", f"{row['peak'] / 1e6:.0f} MB")
        rows.append([lever.what, str(row["words"]), *spent])
    return table(head, rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.add_argument("--windows", type=int, choices=range(1, 20), metavar="N", default=4, help="of 29 s")
    options = parser.parse_args()
    bench = Bench.asked(options)
    measure(bench, options.windows)
    say("\n".join(report(bench, options.windows)))


if __name__ == "__main__":
    main()
