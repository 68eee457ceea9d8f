"""The guards: what a recogniser claims, held against where a voice was heard.

What was decoded and where speech was detected go in; doubts, holes, ghosts and scores come out. Whisper writes words
where nobody speaks, repeats itself, and leaves out speech; batches run without any of the checks that would notice.
These pure functions notice, whatever the engine, so that ``pipeline.speech`` can have the few suspicious stretches
decoded again. They stand alone so that each can be tested, and its gain measured, without a model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from pipeline.ports import Decoded
from pipeline.types import Span, Word

Doubt = Literal["repetitive", "unsure", "rushed", "hole", "silence"]
"""Why a stretch is suspicious.

``repetitive``: the text loops. ``unsure``: the model hardly believes it. ``rushed``: more words than anyone can say.
``hole``: a voice was heard where there is no word. ``silence``: the model itself says that nobody spoke.
"""

_NO_TEXT_SCORE: Final = -1.0
"""What having no words is worth, as a log-probability: the point where Whisper itself stops believing its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningRules:
    """Where suspicion starts. The first three are Whisper's own (Radford et al. 2022, section 4.5).

    Attributes:
        most_compression: Text that compresses better than this repeats itself.
        least_log_probability: Mean log-probability of a token under which a text is not believed.
        most_no_speech: Probability of silence over which a text that is not believed is dropped.
        least_word_probability: Mean over the words of a stretch under which it is not believed.
        most_words_a_second: Over the speech of a stretch; nobody speaks faster for long.
        most_repeats: A phrase may come this often in a row.
        shortest_hole_ms: Detected speech without text that matters.
        longest_word_ms: A word that claims longer stands for no more speech than this.
        margin_ms: Word times may be off by this much against detected speech.
    """

    most_compression: float = 2.4
    least_log_probability: float = -1.0
    most_no_speech: float = 0.6
    least_word_probability: float = 0.4
    most_words_a_second: float = 7.0
    most_repeats: int = 4
    shortest_hole_ms: int = 900
    longest_word_ms: int = 1500
    margin_ms: int = 300

    def __post_init__(self) -> None:
        if self.most_repeats < 1:
            raise ValueError(f"a phrase comes at least once: {self.most_repeats}")
        if min(self.shortest_hole_ms, self.longest_word_ms, self.margin_ms) < 0:
            raise ValueError("times are at least 0 ms")


def find_doubts(decoded: Decoded, speech: Sequence[Span], rules: ScreeningRules) -> frozenset[Doubt]:
    """Return every reason to have a stretch decoded again; empty where there is none.

    Args:
        decoded: The stretch.
        speech: Where a voice was heard in the recording, in order, apart.
        rules: Where suspicion starts.
    """
    heard = clip(speech, decoded)
    doubts: set[Doubt] = set()
    if is_repetitive(decoded, rules):
        doubts.add("repetitive")
    if decoded.words and is_unsure(decoded, rules):
        doubts.add("unsure")
    if is_rushed(decoded, heard, rules):
        doubts.add("rushed")
    if is_silence(decoded, rules):
        doubts.add("silence")
    if find_holes(decoded.words, heard, rules):
        doubts.add("hole")
    return frozenset(doubts)


def is_repetitive(decoded: Decoded, rules: ScreeningRules) -> bool:
    """Say whether the text loops."""
    return decoded.compression_ratio > rules.most_compression or longest_run(decoded.words) > rules.most_repeats


def is_unsure(decoded: Decoded, rules: ScreeningRules) -> bool:
    """Say whether the model hardly believes its own words."""
    low = decoded.average_log_probability < rules.least_log_probability
    return low or mean_probability(decoded.words) < rules.least_word_probability


def is_rushed(decoded: Decoded, heard: Sequence[Span], rules: ScreeningRules) -> bool:
    """Say whether there are more words than the speech has room for."""
    room_s = sum(span.duration_ms + rules.margin_ms for span in heard) / 1000
    return len(decoded.words) > 2 + rules.most_words_a_second * room_s


def is_silence(decoded: Decoded, rules: ScreeningRules) -> bool:
    """Say whether the model takes the stretch for silence and does not believe what it wrote: Whisper's own rule."""
    return (
        decoded.no_speech_probability > rules.most_no_speech
        and decoded.average_log_probability < rules.least_log_probability
    )


def mean_probability(words: Sequence[Word]) -> float:
    """Return the mean probability of some words, 0 for none."""
    return math.fsum(word.probability for word in words) / len(words) if words else 0.0


def longest_run(words: Sequence[Word], longest_phrase: int = 8) -> int:
    """Return how often the most repeated phrase comes in a row, 0 for no words.

    Args:
        words: In order.
        longest_phrase: Words a phrase may have.

    Example:
        >>> from pipeline.types import Word
        >>> said = "yes and so and so and so".split()
        >>> longest_run([Word(text=text, start_ms=0, end_ms=1, probability=1, language="en") for text in said])
        3
    """
    texts = [bare(word.text) for word in words]
    best = min(1, len(texts))
    for size in range(1, min(longest_phrase, len(texts) // 2) + 1):
        same = 0
        for at in range(size, len(texts)):
            same = same + 1 if texts[at] == texts[at - size] else 0
            best = max(best, 1 + same // size)
    return best


def bare(text: str) -> str:
    """Return the letters and digits of a text, in lower case.

    Example:
        >>> bare("L'été,")
        'lété'
    """
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def clip(spans: Iterable[Span], window: Span) -> tuple[Span, ...]:
    """Return the parts of some intervals that lie in a window.

    Example:
        >>> clip([Span(start_ms=0, end_ms=10), Span(start_ms=20, end_ms=30)], Span(start_ms=5, end_ms=20))
        (Span(start_ms=5, end_ms=10),)
    """
    return tuple(
        Span(start_ms=max(span.start_ms, window.start_ms), end_ms=min(span.end_ms, window.end_ms))
        for span in spans
        if span.overlap_ms(window) > 0
    )


def subtract(spans: Iterable[Span], taken: Sequence[Span]) -> tuple[Span, ...]:
    """Return what is left of some intervals without others, in one sweep.

    Args:
        spans: In order, apart.
        taken: In order of start.

    Example:
        >>> subtract([Span(start_ms=0, end_ms=10)], [Span(start_ms=2, end_ms=4), Span(start_ms=3, end_ms=6)])
        (Span(start_ms=0, end_ms=2), Span(start_ms=6, end_ms=10))
    """
    left: list[Span] = []
    first = 0
    for span in spans:
        at = span.start_ms
        while first < len(taken) and taken[first].end_ms <= span.start_ms:
            first += 1
        for other in taken[first:]:
            if other.start_ms >= span.end_ms:
                break
            if other.start_ms > at:
                left.append(Span(start_ms=at, end_ms=other.start_ms))
            at = max(at, other.end_ms)
        if at < span.end_ms:
            left.append(Span(start_ms=at, end_ms=span.end_ms))
    return tuple(left)


def find_holes(words: Sequence[Word], speech: Sequence[Span], rules: ScreeningRules) -> tuple[Span, ...]:
    """Return detected speech that no word stands for, in order.

    A word stands for the time that it claims, but for no more than the longest word: aligners stretch a word over what
    was left out.

    Args:
        words: In order of start.
        speech: Where a voice was heard, in order, apart.
        rules: What matters.
    """
    taken = [
        Span(
            start_ms=max(0, word.start_ms - rules.margin_ms),
            end_ms=min(word.end_ms, word.start_ms + rules.longest_word_ms) + rules.margin_ms,
        )
        for word in words
    ]
    return tuple(span for span in subtract(speech, taken) if span.duration_ms >= rules.shortest_hole_ms)


def drop_ghosts(words: Sequence[Word], speech: Sequence[Span], rules: ScreeningRules) -> tuple[Word, ...]:
    """Return the words that are near detected speech: those in silence, music or noise go.

    Args:
        words: In order of start.
        speech: Where a voice was heard, in order, apart.
        rules: How near.
    """
    kept: list[Word] = []
    first = 0
    for word in words:
        while first < len(speech) and speech[first].end_ms + rules.margin_ms <= word.start_ms:
            first += 1
        if first < len(speech) and speech[first].start_ms - rules.margin_ms < max(word.end_ms, word.start_ms + 1):
            kept.append(word)
    return tuple(kept)


def score(decoded: Decoded, speech: Sequence[Span], rules: ScreeningRules) -> float:
    """Return how good a decoding is; the higher one of two is kept.

    It is the mean log-probability of its tokens (where there is no text: the point where belief stops), less the share
    of the speech that it leaves without text, less 1 where it loops and 1 where it has more words than the speech has
    room for.
    """
    heard = clip(speech, decoded)
    total = sum(span.duration_ms for span in heard)
    missing = sum(span.duration_ms for span in find_holes(decoded.words, heard, rules))
    value = decoded.average_log_probability if decoded.words else _NO_TEXT_SCORE
    value -= missing / total if total else 0.0
    return value - is_repetitive(decoded, rules) - is_rushed(decoded, heard, rules)


def join(parts: Sequence[Decoded], window: Span) -> Decoded:
    """Return what was decoded piece by piece as one result for the whole window; figures are means by number of words.

    Args:
        parts: In order; may be none.
        window: What they were decoded from.
    """
    weights = [max(1, len(part.words)) for part in parts]
    total = sum(weights)

    def mean(values: Iterable[float]) -> float:
        return math.fsum(value * weight for value, weight in zip(values, weights, strict=True)) / total

    return Decoded(
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        words=tuple(word for part in parts for word in part.words),
        average_log_probability=mean(part.average_log_probability for part in parts) if parts else _NO_TEXT_SCORE,
        no_speech_probability=mean(part.no_speech_probability for part in parts) if parts else 1.0,
        compression_ratio=max((part.compression_ratio for part in parts), default=1.0),
    )


def find_echoes(passages: Sequence[Decoded], shortest: int = 3) -> frozenset[int]:
    """Return the positions of stretches that say nothing but what the stretch before them said.

    Args:
        passages: In order.
        shortest: Words from which the same text twice is strange.
    """
    texts = [" ".join(bare(word.text) for word in passage.words) for passage in passages]
    pairs = enumerate(pairwise(texts), start=1)
    return frozenset(at for at, (before, text) in pairs if text and text == before and text.count(" ") + 1 >= shortest)
