"""Divide one speaker's words into cues and lines, the best way there is.

In come the words of a run (one speaker, one language), the room that a speaker's label takes and the moment the next
run starts; out go blocks of words with their line break. Every division has a cost: a poor place to break, lines out of
balance, a pause bridged, text that cannot be read in its time. Dynamic programming over the whole run finds the
cheapest; as a cue holds few words, the work grows with their number only. It stands alone because it knows nothing of
transcripts and formats: times and widths in, positions out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from pipeline.breaking import Break, rank_breaks
from pipeline.caption_rules import CaptionRules
from pipeline.types import Word
from pipeline.visible import visible_word

# What things cost, in no unit but that of each other. Set by reading captions of real sessions in both languages.
_CUE: Final = 18.0
_CUE_BREAK: Final = {
    Break.SENTENCE: 0.0,
    Break.CLAUSE: 8.0,
    Break.CONJUNCTION: 16.0,
    Break.PREPOSITION: 20.0,
    Break.PLAIN: 32.0,
    Break.POOR: 90.0,
    Break.PROTECTED: 300.0,
    Break.GLUED: 5000.0,
}
_LINE_BREAK: Final = {
    Break.SENTENCE: 0.0,
    Break.CLAUSE: 2.0,
    Break.CONJUNCTION: 5.0,
    Break.PREPOSITION: 7.0,
    Break.PLAIN: 14.0,
    Break.POOR: 40.0,
    Break.PROTECTED: 250.0,
    Break.GLUED: 5000.0,
}
_UNBALANCED: Final = 0.25
_TOP_HEAVY: Final = 0.25
_LABEL_ALONE: Final = 6.0
_FRAGMENT_CHARACTERS: Final = 24
_FRAGMENT: Final = 1.4
_STRADDLE: Final = 18.0
_PAUSE_MS: Final = 400
_PAUSE: Final = 0.08
_TOO_SHORT: Final = 60.0
_TOO_SHORT_MS: Final = 0.15
_UNREAD: Final = 1.2
_OPEN_GAP: Final = 150.0
_TOO_LONG: Final = 20_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The words of one cue, as positions in the run.

    Attributes:
        first: Of the first word.
        middle: Of the first word on the second line, or ``None`` for one line.
        last: After the last word.
        label_alone: Whether the label has the first line for itself.
    """

    first: int
    middle: int | None
    last: int
    label_alone: bool = False


def lay_out(
    words: Sequence[Word], rules: CaptionRules, *, label_width: int = 0, next_start_ms: int | None = None
) -> tuple[Block, ...]:
    """Divide a run of words into cues of one or two lines.

    Args:
        words: At least one; one speaker, one language.
        rules: Of that language.
        label_width: Characters that the label before the first word takes, with the space after it; 0 for none.
        next_start_ms: When the words of the next run start, ``None`` where there is none.

    Returns:
        Blocks that hold every word once, in order.
    """
    run = _Run(words, rules, label_width, next_start_ms)
    best = [0.0] + [math.inf] * len(words)
    chosen: list[Block | None] = [None] * (len(words) + 1)
    low = 0
    for last in range(1, len(words) + 1):
        while last - low > 1 and not run.fits(low, last):
            low += 1
        # The longest cues first: they are mostly the cheapest, and what cannot beat them is not looked into.
        for first in range(low, last):
            cost = best[first] + run.cue_cost(first, last)
            if cost >= best[last]:
                continue
            cost += run.time_cost(first, last)
            middle, label_alone, arranged = run.arrange(first, last)
            if cost + arranged < best[last]:
                best[last] = cost + arranged
                chosen[last] = Block(first=first, middle=middle, last=last, label_alone=label_alone)
    return _trace(chosen)


def _trace(chosen: Sequence[Block | None]) -> tuple[Block, ...]:
    blocks = []
    block = chosen[-1]
    while block is not None:
        blocks.append(block)
        block = chosen[block.first]
    return tuple(reversed(blocks))


class _Run:
    """The words with everything that a cost needs already summed up, so that each cue's costs are a few differences."""

    def __init__(self, words: Sequence[Word], rules: CaptionRules, label_width: int, next_start_ms: int | None) -> None:
        ranks = rank_breaks(words, rules.words)
        self.rules = rules
        self.label = label_width
        self.offsets = [0, *accumulate(len(visible_word(word)) + 1 for word in words)]
        self.starts = [*accumulate((word.start_ms for word in words), max)]
        self.ends = [*accumulate((word.end_ms for word in words), max)]
        self.next_starts = [*self.starts[1:], next_start_ms]
        self.closes_sentence = [True, *(rank is Break.SENTENCE for rank in ranks)]
        self.line_breaks = [0.0, *(_LINE_BREAK[rank] for rank in ranks)]
        self.cue_breaks = [0.0, *(_CUE_BREAK[rank] for rank in ranks)]
        self.sentences = [0, *accumulate(self.closes_sentence[1:])]
        pauses = (max(0, right.start_ms - left.end_ms - _PAUSE_MS) for left, right in pairwise(words))
        self.pauses = [0.0, *accumulate(pause * _PAUSE for pause in pauses)]

    def width(self, first: int, last: int) -> int:
        """Return how many characters the words take on one line."""
        return self.offsets[last] - self.offsets[first] - 1

    def shown_width(self, first: int, last: int) -> int:
        """Return how many characters are read, the label's among them."""
        return self.width(first, last) + (self.label if first == 0 else 0)

    def fits(self, first: int, last: int) -> bool:
        """Say whether so many words may be one cue; when they may not, neither may more."""
        rules = self.rules
        span = self.ends[last - 1] - self.starts[first]
        return self.width(first, last) <= rules.lines * (rules.line_characters + 1) - 1 and span <= rules.most_ms

    def arrange(self, first: int, last: int) -> tuple[int | None, bool, float]:
        """Return where to break the line, whether the label stands alone, and what that costs."""
        width = self.width(first, last)
        label = self.label if first == 0 else 0
        room = self.rules.line_characters
        if width + label <= room:
            return None, False, 0.0
        middle, cost = self._break_line(first, last, label)
        fits_below = label > 0 and self.rules.lines == 2 and (width <= room or last - first == 1)
        if fits_below and cost >= _LABEL_ALONE:
            return None, True, _LABEL_ALONE
        if middle is not None or last - first == 1:
            return middle, False, cost if middle is not None else 0.0
        return None, False, _TOO_LONG

    def _break_line(self, first: int, last: int, label: int) -> tuple[int | None, float]:
        best: int | None = None
        least = math.inf
        room = self.rules.line_characters
        for middle in range(first + 1, last if self.rules.lines == 2 else first):
            top = label + self.width(first, middle)
            bottom = self.width(middle, last)
            if top > room:
                break
            if bottom > room:
                continue
            cost = self.line_breaks[middle] + abs(top - bottom) * _UNBALANCED + max(0, top - bottom) * _TOP_HEAVY
            if cost < least:
                best, least = middle, cost
        return best, least

    def cue_cost(self, first: int, last: int) -> float:
        """Return what it costs to part the text here: the cue itself, the break after it, pauses it bridges."""
        cost = _CUE + self.cue_breaks[last] + self.pauses[last - 1] - self.pauses[first]
        whole = self.closes_sentence[last]
        if not whole and self.sentences[last - 1] > self.sentences[first]:
            cost += _STRADDLE
        missing = _FRAGMENT_CHARACTERS - self.shown_width(first, last)
        if missing > 0 and not (whole and self.closes_sentence[first]):
            cost += missing * _FRAGMENT
        return cost

    def time_cost(self, first: int, last: int) -> float:
        """Return what it costs to show the words for as long as there is time."""
        rules = self.rules
        start, next_start = self.starts[first], self.next_starts[last - 1]
        end = rules.end_ms(start, self.ends[last - 1], next_start)
        short = rules.least_ms - (end - start)
        cost = _TOO_SHORT + short * _TOO_SHORT_MS if short > 0 else 0.0
        if next_start is not None and rules.gap_ms < next_start - end < rules.closed_gap_ms:
            cost += _OPEN_GAP
        unread = rules.reading_ms(self.shown_width(first, last), last - first) - (end - start)
        return cost + max(0, unread) * rules.characters_per_second / 1000 * _UNREAD
