"""Divide words into cues and lines, the best way there is.

In come runs of words (one speaker, one language each) with the room that their labels take; out go blocks of words,
row by row. Every division has a cost: a poor place to break, lines out of balance, a pause bridged, text that cannot be
read in its time, two runs in one block. Dynamic programming over all of it finds the cheapest; as a cue holds few
words, the work grows with their number only. It stands alone because it knows nothing of transcripts and formats: times
and widths in, positions out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
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
_TOO_SHORT: Final = 300.0
_TOO_SHORT_MS: Final = 0.15
_UNREAD: Final = 1.2
_PRESSED: Final = 280.0
_PRESSED_MS: Final = 0.5
"""A name that its words leave no time for: dearer than any break but one that parts a pair."""
_ANNOUNCED: Final = 40.0
_ANNOUNCED_PAUSE: Final = 0.5
"""A label below the words before it, rather than beside its own; and a pause between, as a share of bridging it."""
_OPEN_GAP: Final = 150.0
_TOO_LONG: Final = 20_000.0
_SHARED: Final = 45.0
"""Two runs in one block: dearer than a poor break, cheaper than a block that nobody can read in its time."""
_EARLY_MS: Final = 1000
_EARLY: Final = 0.08
"""What the second of two voices says is read before it is heard: beyond so much of that it tells too much."""
_UNNAMED: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Words in a row of one speaker in one language.

    Attributes:
        words: At least one.
        rules: Of that language.
        label_width: Characters that the label before the first word takes, with the space after it; 0 for none.
        dash_width: Characters that a dash takes before a line of it, where it shares a block with another speaker.
        answered: Whether the run after it is another speaker's and says so, or there is none: a label that is left
            out then leaves nothing behind that could be taken for the speaker's before.
        same_speaker: Whether the run before it is of the same speaker, so that no dash parts the two.
        dashed: Whether its label is only a dash, which never has a line for itself.
        fresh: Whether it shares no block with what is before it.
        pressed: Whether its words are to be divided, or share a block, so that there is time to read its label.
    """

    words: Sequence[Word]
    rules: CaptionRules
    label_width: int = 0
    dash_width: int = 0
    answered: bool = False
    same_speaker: bool = False
    dashed: bool = False
    fresh: bool = False
    pressed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a cue, as positions among all words.

    Attributes:
        first: Of the first word.
        last: After the last word; equal to ``first`` where the label has the line for itself.
        labelled: Whether the label of the run is shown on it.
    """

    first: int
    last: int
    labelled: bool = False


Block = tuple[Row, ...]
"""The lines of one cue."""


def lay_out(runs: Sequence[Run]) -> tuple[Block, ...]:
    """Divide runs of words into cues of one or two lines.

    A block holds words of one run, or of two that follow each other, a line each, where both have too little time. The
    label of a pressed run may be the last line of the block before it.

    Returns:
        Blocks that hold every word once, in order.
    """
    words = _Words(runs)
    # Beside each place, what it costs to come there with the next label shown already.
    best = [[0.0, math.inf]] + [[math.inf, math.inf] for _ in range(words.count)]
    chosen: list[list[tuple[Block, bool]]] = [[((), False), ((), False)] for _ in range(words.count + 1)]
    low = 0
    for last in range(1, words.count + 1):
        while last - low > 1 and not words.fits(low, last):
            low += 1
        # The longest cues first: they are mostly the cheapest, and what cannot beat them is not looked into.
        for first, told in words.beginnings(low, last):
            if last - first > 1 and not words.fits(first, last):
                continue
            cost = best[first][told] + words.cue_cost(first, last)
            for telling in (False, True) if words.announces(last) else (False,):
                if cost >= best[last][telling]:
                    continue
                rows, arranged = words.announce(first, last, told) if telling else words.arrange(first, last, told)
                if cost + arranged < best[last][telling]:
                    best[last][telling] = cost + arranged
                    chosen[last][telling] = rows, told
    return _trace(chosen)


def _trace(chosen: Sequence[Sequence[tuple[Block, bool]]]) -> tuple[Block, ...]:
    blocks = []
    block, told = chosen[-1][False]
    while block:
        blocks.append(block)
        block, told = chosen[block[0].first][told]
    return tuple(reversed(blocks))


class _Words:
    """The words with everything that a cost needs already summed up, so that each cue's costs are a few differences."""

    def __init__(self, runs: Sequence[Run]) -> None:
        words = [word for run in runs for word in run.words]
        ranks = [rank for run in runs for rank in rank_breaks(run.words, run.rules.words)]
        self.count = len(words)
        self.runs = runs
        self.run_of = [number for number, run in enumerate(runs) for _ in run.words]
        self.begins = [0, *accumulate(len(run.words) for run in runs)]
        self.offsets = [0, *accumulate(len(visible_word(word)) + 1 for word in words)]
        self.starts = [*chain.from_iterable(accumulate((word.start_ms for word in run.words), max) for run in runs)]
        self.ends = [*chain.from_iterable(accumulate((word.end_ms for word in run.words), max) for run in runs)]
        self.next_starts = [*self.starts[1:], None]
        self.closes_sentence = [True, *(rank is Break.SENTENCE for rank in ranks)]
        self.line_breaks = [0.0, *(_LINE_BREAK[rank] for rank in ranks)]
        self.cue_breaks = [0.0, *(_CUE_BREAK[rank] for rank in ranks)]
        self.sentences = [0, *accumulate(self.closes_sentence[1:])]
        pauses = (max(0, right.start_ms - left.end_ms - _PAUSE_MS) for left, right in pairwise(words))
        self.pauses = [0.0, *accumulate(pause * _PAUSE for pause in pauses)]

    def width(self, first: int, last: int) -> int:
        """Return how many characters the words take on one line."""
        return self.offsets[last] - self.offsets[first] - 1

    def fits(self, first: int, last: int) -> bool:
        """Say whether so many words may be one cue; when they may not, neither may more."""
        rules = self.runs[self.run_of[first]].rules
        span = self._spoken_until(first, last) - self.starts[first]
        return (
            self.width(first, last) <= rules.lines * (rules.line_characters + 1) - 1
            and span <= rules.most_ms
            and self.run_of[last - 1] - self.run_of[first] < rules.lines
            and not any(run.fresh for run in self.runs[self.run_of[first] + 1 : self.run_of[last - 1] + 1])
        )

    def _spoken_until(self, first: int, last: int) -> int:
        run = self.run_of[last - 1]
        earlier = self.ends[self.begins[run] - 1] if self.run_of[first] != run else 0
        return max(self.ends[last - 1], earlier)

    def beginnings(self, low: int, last: int) -> Iterator[tuple[int, bool]]:
        """Yield where a cue may begin, and whether the label there was shown by the one before."""
        for first in range(low, last):
            yield first, False
            if self.announces(first):
                yield first, True

    def announces(self, last: int) -> bool:
        """Say whether the label of what comes next may be the last line of a cue."""
        number = self.run_of[last] if last < self.count else 0
        run = self.runs[number]
        named = run.pressed and not run.dashed and not run.fresh and run.label_width > 0
        return named and number > 0 and last == self.begins[number] and not run.same_speaker and run.rules.lines == 2

    def announce(self, first: int, last: int, told: bool) -> tuple[Block, float]:
        """Put the words of one cue on a line, and below them the label of what comes next."""
        left, right = self.runs[self.run_of[first]], self.runs[self.run_of[last]]
        label = self._label(first, told) * (not left.dashed)
        widths = left.dash_width + label + self.width(first, last), right.dash_width + right.label_width - 1
        if self.run_of[first] != self.run_of[last - 1] or max(widths) > left.rules.line_characters:
            return (), math.inf
        rows = (Row(first=first, last=last, labelled=label > 0), Row(first=last, last=last, labelled=True))
        cost = _ANNOUNCED + (self.pauses[last] - self.pauses[last - 1]) * _ANNOUNCED_PAUSE
        return rows, cost + self._time_cost(first, last, sum(widths) + 1, told)

    def arrange(self, first: int, last: int, told: bool) -> tuple[Block, float]:
        """Return the cheapest lines for the words of one cue, and what they cost beside the break after them."""
        if self.run_of[first] != self.run_of[last - 1]:
            return self._share(first, last, told)
        label = self._label(first, told)
        rows, cost = self._fill(first, last, label)
        return rows, cost + self._time_cost(first, last, self.width(first, last) + label, told)

    def _label(self, first: int, told: bool = False) -> int:
        """Return how many characters of a label come before a word."""
        number = self.run_of[first]
        return self.runs[number].label_width if first == self.begins[number] and not told else 0

    def _share(self, first: int, last: int, told: bool) -> tuple[Block, float]:
        """Put the words of two runs on a line each, with the labels or, where they are too much, without."""
        middle = self.begins[self.run_of[last - 1]]
        left, right = self.runs[self.run_of[first]], self.runs[self.run_of[middle]]
        dashes = (0, 0) if right.same_speaker else (left.dash_width, right.dash_width)
        labels = self._label(first, told), self._label(middle)
        if dashes[0]:
            # A dash that stands for a name is there already.
            labels = labels[0] * (not left.dashed), labels[1] * (not right.dashed)
        best: tuple[Block, float] = ((), math.inf)
        spared = any(labels) and self._clear(last) and not self._pressed(first, last, told)
        for shown in (labels, (0, 0)) if spared else (labels,):
            widths = (
                dashes[0] + shown[0] + self.width(first, middle),
                dashes[1] + shown[1] + self.width(middle, last),
            )
            cost = _SHARED + _UNNAMED * sum(had > has for had, has in zip(labels, shown, strict=True))
            cost += max(0, self.starts[middle] - self.starts[first] - _EARLY_MS) * _EARLY
            cost += 0.0 if max(widths) <= left.rules.line_characters else _TOO_LONG
            cost += self._time_cost(first, last, sum(widths) + 1, told)
            if cost < best[1]:
                rows = (
                    Row(first=first, last=middle, labelled=shown[0] > 0),
                    Row(first=middle, last=last, labelled=shown[1] > 0),
                )
                best = rows, cost
        return best

    def _clear(self, last: int) -> bool:
        """Say whether two runs may share a block without their names: nothing of them comes after it unnamed."""
        number = self.run_of[last - 1]
        return last == self.begins[number + 1] and self.runs[number].answered and not self.runs[number].same_speaker

    def _fill(self, first: int, last: int, label: int) -> tuple[Block, float]:
        """Put the words of one run on one line or two, or under their label."""
        width = self.width(first, last)
        rules = self.runs[self.run_of[first]].rules
        room = rules.line_characters
        whole = (Row(first=first, last=last, labelled=label > 0),)
        if width + label <= room:
            return whole, 0.0
        middle, cost = self._break_line(first, last, label, rules)
        named = label > 0 and not self.runs[self.run_of[first]].dashed
        fits_below = named and rules.lines == 2 and (width <= room or last - first == 1)
        if fits_below and cost >= _LABEL_ALONE:
            return (Row(first=first, last=first, labelled=True), Row(first=first, last=last)), _LABEL_ALONE
        if middle is not None:
            return (Row(first=first, last=middle, labelled=label > 0), Row(first=middle, last=last)), cost
        return whole, 0.0 if last - first == 1 else _TOO_LONG

    def _break_line(self, first: int, last: int, label: int, rules: CaptionRules) -> tuple[int | None, float]:
        best: int | None = None
        least = math.inf
        room = rules.line_characters
        for middle in range(first + 1, last if rules.lines == 2 else first):
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
        missing = _FRAGMENT_CHARACTERS - self.width(first, last) - self._label(first)
        if missing > 0 and not (whole and self.closes_sentence[first]):
            cost += missing * _FRAGMENT
        return cost

    def _time_cost(self, first: int, last: int, characters: int, told: bool) -> float:
        """Return what it costs to show so many characters for as long as there is time."""
        rules = self.runs[self.run_of[first]].rules
        start, next_start = self.starts[first], self.next_starts[last - 1]
        end = rules.end_ms(start, self._spoken_until(first, last), next_start)
        short = rules.least_ms - (end - start)
        cost = _TOO_SHORT + short * _TOO_SHORT_MS if short > 0 else 0.0
        if next_start is not None and rules.gap_ms < next_start - end < rules.closed_gap_ms:
            cost += _OPEN_GAP
        unread = rules.reading_ms(characters, last - first) - (end - start)
        if unread > 0 and self._pressed(first, last, told):
            said_ms = rules.reading_ms(self.width(first, last), last - first)
            name_ms = min(unread, rules.reading_ms(characters, last - first) - said_ms)
            cost += min(_PRESSED, name_ms * _PRESSED_MS)
        return cost + max(0, unread) * rules.characters_per_second / 1000 * _UNREAD

    def _pressed(self, first: int, last: int, told: bool) -> bool:
        """Say whether words have a label before them, or among or after them, that there is to be time for."""
        numbers = range(self.run_of[first] + told, self.run_of[min(last, self.count - 1)] + 1)
        return any(self.runs[number].pressed and first <= self.begins[number] <= last for number in numbers)
