"""The guards: what a recogniser claims, held against where a voice was heard.

What was decoded and where speech was detected go in; doubts, holes and scores come out. Whisper writes words
where nobody speaks, repeats itself, and leaves out speech; batches run without any of the checks that would notice.
These pure functions notice, whatever the engine, so that ``pipeline.speech`` can have the few suspicious stretches
decoded again. They stand alone so that each can be tested, and its gain measured, without a model.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from unicodedata import category

from pipeline.ports import Decoded
from pipeline.types import Span, Word

Doubt = Literal["repetitive", "unsure", "hole", "silence"]
"""Why a stretch is suspicious.

``repetitive``: the text loops. ``unsure``: the model hardly believes it. ``hole``: a voice was heard where there is no
word. ``silence``: the model itself says that nobody spoke.
"""

_FIGURE: Final = 6
"""Letters in the name of a figure or a sign: "five", "per cent", but also "quatre-vingt-dix-sept"."""

_SPELLED: Final = 3
"""Letters in the name of a letter, as abbreviations are spelled."""

NO_TEXT_BELIEF: Final = -1.0
"""What having no words is worth, as a log-probability: the point where Whisper itself stops believing its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningRules:
    """Where suspicion starts. The first three are Whisper's own (Radford et al. 2022, section 4.5).

    Attributes:
        most_compression: Text that compresses better than this repeats itself.
        least_log_probability: Mean log-probability of a token under which a text is not believed.
        most_no_speech: Probability of silence over which a text that is not believed is dropped.
        least_word_probability: Mean over the words of a stretch under which it is not believed.
        most_repeats: A phrase may come this often in a row …
        most_repeated: … and so many words in a row may only say again what was just said: hardly anybody says a whole
            sentence twice, word for word.
        shortest_hole_ms: Detected speech without text that matters.
        margin_ms: Word times may be off by this much against detected speech.
        usual_ms: A word usually takes no longer than this …
        usual_letter_ms: … and this for each of its letters: aligners stretch a word over what was left out.
    """

    most_compression: float = 2.4
    least_log_probability: float = -1.0
    most_no_speech: float = 0.6
    least_word_probability: float = 0.55
    most_repeats: int = 4
    most_repeated: int = 9
    shortest_hole_ms: int = 900
    margin_ms: int = 300
    usual_ms: int = 60
    usual_letter_ms: int = 50

    def __post_init__(self) -> None:
        if self.most_repeats < 1:
            raise ValueError(f"a phrase comes at least once: {self.most_repeats}")
        if self.most_repeated < 0:
            raise ValueError(f"words said again are at least 0: {self.most_repeated}")
        times = (
            self.shortest_hole_ms,
            self.margin_ms,
            self.usual_ms,
            self.usual_letter_ms,
        )
        if min(times) < 0:
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
    if is_repetitive(decoded.words, rules):
        doubts.add("repetitive")
    if is_unsure(decoded, rules):
        doubts.add("unsure")
    if is_silence(decoded, rules):
        doubts.add("silence")
    if find_holes(decoded.words, heard, rules):
        doubts.add("hole")
    return frozenset(doubts)


def is_repetitive(words: Sequence[Word], rules: ScreeningRules) -> bool:
    """Say whether the text loops."""
    repeats, repeated = longest_run(words)
    looping = repeats > rules.most_repeats or repeated > rules.most_repeated
    return looping or compression(words) > rules.most_compression


def is_unsure(decoded: Decoded, rules: ScreeningRules) -> bool:
    """Say whether the model hardly believes its own words."""
    low = decoded.average_log_probability < rules.least_log_probability
    return bool(decoded.words) and (low or belief(decoded.words) < math.log(rules.least_word_probability))


def is_silence(decoded: Decoded, rules: ScreeningRules) -> bool:
    """Say whether the model takes the stretch for silence and does not believe what it wrote: Whisper's own rule."""
    return (
        decoded.no_speech_probability > rules.most_no_speech
        and decoded.average_log_probability < rules.least_log_probability
    )


def belief(words: Sequence[Word]) -> float:
    """Return the mean log-probability of some words; where there are none, the point where Whisper stops believing."""
    if not words:
        return NO_TEXT_BELIEF
    return math.fsum(math.log(max(word.probability, 1e-3)) for word in words) / len(words)


def compression(words: Sequence[Word]) -> float:
    """Return how many times smaller the text gets when compressed; 1 for none."""
    raw = " ".join(word.text for word in words).encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 1.0


def longest_run(words: Sequence[Word]) -> tuple[int, int]:
    """Return how often the most repeated phrase comes in a row, and how many words in a row say again what came before.

    Args:
        words: In order.

    Example:
        >>> from pipeline.types import Word
        >>> said = "yes and so and so and so".split()
        >>> longest_run([Word(text=text, start_ms=0, end_ms=1, probability=1, language="en") for text in said])
        (3, 4)
    """
    texts = [bare(word.text) for word in words]
    repeats, repeated = min(1, len(texts)), 0
    for size in range(1, len(texts) // 2 + 1):
        same = 0
        for at in range(size, len(texts)):
            same = same + 1 if texts[at] == texts[at - size] else 0
            repeats = max(repeats, 1 + same // size)
            # Less than a whole phrase is chance: figures and articles come at regular distances.
            repeated = max(repeated, same if same >= size else 0)
    return repeats, repeated


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
        place = first
        while place < len(taken) and taken[place].start_ms < span.end_ms:
            if taken[place].start_ms > at:
                left.append(Span(start_ms=at, end_ms=taken[place].start_ms))
            at = max(at, taken[place].end_ms)
            place += 1
        if at < span.end_ms:
            left.append(Span(start_ms=at, end_ms=span.end_ms))
    return tuple(left)


def find_holes(words: Sequence[Word], speech: Sequence[Span], rules: ScreeningRules) -> tuple[Span, ...]:
    """Return detected speech that no word stands for, in order.

    A word stands for the time that it claims, but for no more than it usually takes: aligners stretch a word over what
    was left out.

    Args:
        words: In any order.
        speech: Where a voice was heard, in order, apart.
        rules: What matters.
    """
    taken = [
        Span(start_ms=max(0, word.start_ms - rules.margin_ms), end_ms=word.end_ms + rules.margin_ms)
        for word in tighten(words, rules)
    ]
    return tuple(span for span in subtract(speech, taken) if span.duration_ms >= rules.shortest_hole_ms)


def stretched_holes(words: Sequence[Word], speech: Sequence[Span], rules: ScreeningRules) -> tuple[Span, ...]:
    """Return the holes, each with the whole of the words that reach into it: what was left out may be under those."""
    return tuple(
        Span(
            start_ms=min([hole.start_ms, *(word.start_ms for word in words if word.overlap_ms(hole))]),
            end_ms=max([hole.end_ms, *(word.end_ms for word in words if word.overlap_ms(hole))]),
        )
        for hole in find_holes(words, speech, rules)
    )


def tighten(words: Sequence[Word], rules: ScreeningRules) -> tuple[Word, ...]:
    """Return the words in order of start, those that last unusually long starting later.

    An aligner lets a word begin where the one before it ends, whatever pause, breath or "uh" lies between; where a word
    ends, it is right more often.

    Args:
        words: In any order.
        rules: How long a word usually takes.
    """
    later = (replace(word, start_ms=max(word.start_ms, word.end_ms - _usual_ms(word, rules))) for word in words)
    return tuple(sorted(later, key=lambda word: word.start_ms))


def split_words(words: Sequence[Word], piece: Span, rules: ScreeningRules) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """Return the words that are said in a piece of the sound, and the others, each in order.

    By the middle of the time that a word usually takes: the first one after a pause claims the pause before it as well,
    which may lie in another piece.
    """
    inside = [piece.covers(tighten([word], rules)[0].middle_ms) for word in words]
    return (
        tuple(word for word, is_inside in zip(words, inside, strict=True) if is_inside),
        tuple(word for word, is_inside in zip(words, inside, strict=True) if not is_inside),
    )


def _usual_ms(word: Word, rules: ScreeningRules) -> int:
    return rules.usual_ms + rules.usual_letter_ms * _letters_said(word.text)


def _letters_said(text: str) -> int:
    """Return about how many letters are said for a word: more than it has where it is read out or spelled.

    Example:
        >>> _letters_said("don't"), _letters_said("105%"), _letters_said("SCT.")
        (4, 24, 9)
    """
    letters = sum(letter.isalpha() for letter in text)
    spelled = letters > 1 and text.isupper()
    figures = sum(letter.isdigit() or letter in "%&" or category(letter) in {"Sc", "Sm"} for letter in text)
    return letters * (_SPELLED if spelled else 1) + figures * _FIGURE


def snap(words: Sequence[Word], speech: Sequence[Span], rules: ScreeningRules) -> tuple[Word, ...]:
    """Return the words with those next to a pause starting and ending where the voice does.

    Aligners place the words inside a phrase well and are least sure at its edges, where the detector is at its best: it
    is some 20 ms late at a start, the aligner off by more than 100.

    Args:
        words: In order of start.
        speech: Where a voice was heard, in order, apart.
        rules: How far an edge may be moved outwards.
    """
    snapped = list(words)
    homes = _homes(words, speech)
    for place, (word, home) in enumerate(zip(words, homes, strict=True)):
        # A word of which but the edge is heard there lies in what the detector took for a pause.
        if home is None or 5 * home.overlap_ms(word) < word.duration_ms:
            continue
        start, end = word.start_ms, word.end_ms
        first = place == 0 or homes[place - 1] is not home
        last = place + 1 == len(words) or homes[place + 1] is not home
        if first and start < home.start_ms + rules.margin_ms:
            start = home.start_ms
        if last and end > home.end_ms - rules.margin_ms:
            end = home.end_ms
        if start < end:
            snapped[place] = replace(word, start_ms=start, end_ms=end)
    return tuple(snapped)


def _homes(words: Sequence[Word], speech: Sequence[Span]) -> list[Span | None]:
    """Return for each word the stretch of speech that holds most of it, the later one where two hold the same."""
    homes: list[Span | None] = []
    first = 0
    for word in words:
        while first < len(speech) and speech[first].end_ms <= word.start_ms:
            first += 1
        best: Span | None = None
        place = first
        while place < len(speech) and speech[place].start_ms < word.end_ms:
            if best is None or speech[place].overlap_ms(word) >= best.overlap_ms(word):
                best = speech[place]
            place += 1
        homes.append(best)
    return homes


def score(words: Sequence[Word], heard: Sequence[Span], rules: ScreeningRules) -> float:
    """Return how good a text is for some speech; of two, the one with the higher score is kept.

    It is the mean log-probability of the words (where there are none: the point where belief stops), less the share of
    the speech that is left without text, less 2 where it loops: then no text at all is better.
    """
    total = sum(span.duration_ms for span in heard)
    missing = sum(span.duration_ms for span in find_holes(words, heard, rules))
    return belief(words) - (missing / total if total else 0.0) - 2 * is_repetitive(words, rules)


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
        average_log_probability=mean(part.average_log_probability for part in parts) if parts else NO_TEXT_BELIEF,
        no_speech_probability=mean(part.no_speech_probability for part in parts) if parts else 1.0,
    )
