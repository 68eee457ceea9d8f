"""Whose words are whose where each person has a microphone that also hears the neighbours.

Run as ``python -m tests.benchmarks.panels [--data ../shared/data]``: a minute. The voices of composed sessions are put
on tracks of their own, with the others in them 6 to 30 dB quieter, microphones turned up alike or up to 12 dB apart,
with and without somebody who says nothing, with little and with much hiss. Prints Markdown: the share of the time in
which one person speaks that goes to them, that goes to somebody else (mean and worst), and that is taken for two.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Final

from pipeline.types import SpeakerSpan
from tests.benchmarks.data import DATA, read_rttm, read_sound
from tests.panels import Panel, tell

SESSIONS: Final = ("composed/en_session_6spk", "composed/fr_session_5spk")
BLEEDS_DB: Final = (-6.0, -10.0, -16.0, -30.0)
GAINS_DB: Final = ((0.0,), (0.0, -6.0), (0.0, -12.0), (-12.0, 0.0, -4.0))
HISSES_DB: Final = (-60.0, -35.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args(arguments)
    sessions = [(read_sound(options.data / f"{key}.flac"), _turns(options.data / f"{key}.rttm")) for key in SESSIONS]
    sys.stdout.write("| neighbours | somebody silent | right | wrong | wrong, worst | two at once |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- |\n")
    for bleed, silent in product(BLEEDS_DB, (False, True)):
        panels = [
            Panel(bleed_db=bleed, gains_db=gains, silent=silent, hiss_db=hiss)
            for gains, hiss in product(GAINS_DB, HISSES_DB)
        ]
        found = [tell(sound, turns, panel) for panel in panels for sound, turns in sessions]
        right, wrong, together = (
            100 * sum(shares) / len(found)
            for shares in zip(*((f.right, f.wrong, f.together) for f in found), strict=True)
        )
        worst = 100 * max(each.wrong for each in found)
        who = "yes" if silent else "no"
        sys.stdout.write(
            f"| {bleed:.0f} dB | {who} | {right:.1f} % | {wrong:.1f} % | {worst:.1f} % | {together:.1f} % |\n"
        )
        sys.stdout.flush()


def _turns(path: Path) -> list[SpeakerSpan]:
    return [
        SpeakerSpan(start_ms=round(1000 * start), end_ms=round(1000 * end), speaker=name)
        for start, end, name in read_rttm(path)
    ]


if __name__ == "__main__":
    main()
