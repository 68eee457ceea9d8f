"""When each word starts: how far the times given are from those known.

Nothing is run here: the rows of words go in. Starts are known where clips were joined (the first word of each clip) and
where the makers of a recording aligned every word. A heard word counts where it is the right word in the right place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import jiwer
import numpy as np

from pipeline.screening import bare
from pipeline.types import Word
from tests.benchmarks import words
from tests.benchmarks.bars import Bar, at_most
from tests.benchmarks.bench import Bench, run_alone, table
from tests.benchmarks.data import KnownWord
from tests.benchmarks.systems import TITLES

SYSTEMS: Final = ("sequential", "batched", "whisper-ctranslate2", "tribune")
_NEAR_MS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """How far starts are off, for one set.

    Attributes:
        early_or_late_ms: One figure a word; late is positive.
        known: Words whose start is known.
    """

    early_or_late_ms: tuple[int, ...]
    known: int

    @property
    def mean_ms(self) -> float:
        """Mean distance."""
        return float(np.mean(np.abs(self.early_or_late_ms)))

    @property
    def median_ms(self) -> float:
        """Median distance."""
        return float(np.median(np.abs(self.early_or_late_ms)))

    @property
    def lag_ms(self) -> float:
        """Mean with its sign: what a constant shift would mend."""
        return float(np.mean(self.early_or_late_ms))

    @property
    def near(self) -> float:
        """Share within 100 ms, per cent."""
        return 100 * float(np.mean(np.abs(self.early_or_late_ms) <= _NEAR_MS))


def shifts(expected: Sequence[KnownWord], heard: Sequence[Word]) -> Shifts:
    """Compare the starts of words that both have.

    Args:
        expected: Every word of the reference, in order.
        heard: Every word heard, in order.

    Example:
        >>> said = [KnownWord(text="Oui,", start_ms=500), KnownWord(text="merci", start_ms=None)]
        >>> shifts(said, [Word(text="oui", start_ms=540, end_ms=800, probability=1, language="fr")])
        Shifts(early_or_late_ms=(40,), known=1)
    """
    said = [(bare(word.text), word.start_ms) for word in expected if bare(word.text)]
    found = [(bare(word.text), word.start_ms) for word in heard if bare(word.text)]
    known = sum(start is not None for _, start in said)
    if not said or not found:
        return Shifts(early_or_late_ms=(), known=known)
    aligned = jiwer.process_words(" ".join(text for text, _ in said), " ".join(text for text, _ in found))
    differences = []
    for chunk in aligned.alignments[0]:
        if chunk.type == "equal":
            pairs = zip(
                said[chunk.ref_start_idx : chunk.ref_end_idx],
                found[chunk.hyp_start_idx : chunk.hyp_end_idx],
                strict=True,
            )
            differences += [there - start for (_, start), (_, there) in pairs if start is not None]
    return Shifts(early_or_late_ms=tuple(differences), known=known)


def score(bench: Bench, system: str) -> dict[str, Shifts]:
    """Return the shifts of each recording with known starts."""
    heard = words.heard_by(bench, system)
    return {
        f"{sample.path.parent.name}/{sample.path.stem}": shifts(sample.words, words.words_of(heard[sample.key]))
        for sample in bench.samples
        if sample.words and sample.key in heard and heard[sample.key]["timed"]
    }


def together(rows: Mapping[str, Shifts]) -> Shifts:
    """Return all recordings as one."""
    return Shifts(
        early_or_late_ms=tuple(shift for row in rows.values() for shift in row.early_or_late_ms),
        known=sum(row.known for row in rows.values()),
    )


def measure(bench: Bench) -> None:
    """Have the words of every system that times them."""
    words.measure(bench, SYSTEMS)


def report(bench: Bench) -> list[str]:
    """Return the table as lines of Markdown."""
    scores = {system: score(bench, system) for system in SYSTEMS}
    names = sorted({name for each in scores.values() for name in each})
    rows = [[name, *(_cell(scores[each].get(name)) for each in SYSTEMS)] for name in names]
    rows.append(["**all**", *(_cell(together(scores[each])) for each in SYSTEMS)])
    lines = ["Mean shift, ms (median; with its sign; share within 100 ms; words):", ""]
    lines += table(["recording", *(TITLES[each] for each in SYSTEMS)], rows)
    return [*lines, "whisperX: not run: its aligners come from a model hub only; without them it times no words.", ""]


def bars(bench: Bench) -> list[Bar]:
    """Return the bar for times."""
    total = together(score(bench, "tribune"))
    return [at_most("start of a word off, on average", total.mean_ms if total.early_or_late_ms else None, 60, "ms")]


def _cell(row: Shifts | None) -> str:
    if row is None or not row.early_or_late_ms:
        return "–"
    counted = f"{len(row.early_or_late_ms)} of {row.known}"
    return f"{row.mean_ms:.0f} ({row.median_ms:.0f}; {row.lag_ms:+.0f}; {row.near:.0f} %; {counted})"


if __name__ == "__main__":
    run_alone(__doc__, measure, report, only="word times|mfa_en")
