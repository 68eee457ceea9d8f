"""Where in the sound the words are that a person wrote.

A transcript whose new words only lie between their neighbours comes in, with the sound and an aligner; the same
transcript comes out with those words where they are heard. Each run of new words is looked for together with some
known words on either side, which hold it in place; known words do not move. Stands alone because it is the same whether
a person typed the words or a file brought them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from statistics import median
from typing import Final

from pipeline.errors import RecognitionFailed
from pipeline.ports import SAMPLE_RATE, Aligner, Progress, Waveform, no_progress
from pipeline.types import Span, Transcript, Turn, Word

_logger = logging.getLogger(__name__)

_BESIDE: Final = 6
"""Known words on either side that are looked for too."""

_APART_MS: Final = 3_000
"""A known word further off than this from what is beside it holds nothing in place."""

_MARGIN_MS: Final = 250
_HEARD_MS: Final = 30_000
"""As much as the engine takes at once."""

_LONGEST_MS: Final = _HEARD_MS - 2 * _MARGIN_MS
_SAMPLES_A_MS: Final = SAMPLE_RATE // 1000
_ASTRAY_MS: Final = 400


def realign(
    transcript: Transcript, waveform: Waveform, aligner: Aligner, progress: Progress = no_progress
) -> Transcript:
    """Return a transcript with its interpolated words where they are heard.

    Where the aligner fails, words stay interpolated.

    Args:
        transcript: Some of its words are interpolated; on the clock of the sound.
        waveform: The whole recording.
        aligner: The opened engine.
        progress: Told the share done.

    Raises:
        OutOfMemory: The device is too small.
    """
    words = list(transcript.words)
    runs = list(_runs(words))
    for done, (first, last) in enumerate(runs):
        words[first:last] = _aligned(words, first, last, waveform, aligner)
        progress((done + 1) / len(runs))
    ordered = iter(words)
    turns = tuple(
        Turn(speaker=turn.speaker, words=tuple(next(ordered) for _ in turn.words)) for turn in transcript.turns
    )
    return replace(transcript, turns=turns)


def _runs(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Yield the first index, and the one after the last, of each run of new words of one language, not too long."""
    start = 0
    for (interpolated, _), run in groupby(words, key=lambda word: (word.timed == "interpolated", word.language)):
        stop = start + sum(1 for _ in run)
        while interpolated and start < stop:
            limit = words[start].start_ms + _LONGEST_MS // 2
            end = next((at for at in range(start + 1, stop) if words[at].end_ms > limit), stop)
            yield start, end
            start = end
        start = stop


def _aligned(words: Sequence[Word], first: int, last: int, waveform: Waveform, aligner: Aligner) -> Sequence[Word]:
    begin, end = _context(words, first, last)
    stretch = _stretch(words[begin:end], len(waveform) // _SAMPLES_A_MS)
    if stretch is None:
        return words[first:last]
    texts = [word.text for word in words[begin:end]]
    try:
        found = aligner.align(waveform, stretch, texts, language=words[first].language)
    except RecognitionFailed as failure:
        _logger.warning("new words at %d ms stay between their neighbours: %s", words[first].start_ms, failure)
        return words[first:last]
    known = [at for at in range(begin, end) if not first <= at < last and words[at].timed != "interpolated"]
    astray_ms = [abs(found[at - begin].middle_ms - words[at].middle_ms) for at in known]
    if astray_ms and median(astray_ms) > _ASTRAY_MS:
        # What does not find the words that are known has not found the others either.
        return words[first:last]
    return list(_between(words, first, found[first - begin : last - begin]))


def _stretch(words: Sequence[Word], length_ms: int) -> Span | None:
    """Return what is listened to for some words, or ``None`` where that is nothing, or more than can be."""
    start_ms = max(0, words[0].start_ms - _MARGIN_MS)
    end_ms = min(length_ms, max(word.end_ms for word in words) + _MARGIN_MS)
    return Span(start_ms=start_ms, end_ms=end_ms) if 0 < end_ms - start_ms <= _HEARD_MS else None


def _context(words: Sequence[Word], first: int, last: int) -> tuple[int, int]:
    """Return the first index, and the one after the last, of what is looked for: the run and known words beside it."""
    begin, end = first, last
    while begin > 0 and first - begin < _BESIDE and _beside(words[begin - 1], words[begin], words[last - 1]):
        begin -= 1
    while end < len(words) and end - last < _BESIDE and _beside(words[end - 1], words[end], words[begin]):
        end += 1
    return begin, end


def _beside(before: Word, after: Word, far: Word) -> bool:
    """Say whether two words follow each other closely, and what reaches to the far one is not too long."""
    near = after.start_ms - before.end_ms <= _APART_MS and before.language == after.language
    reach_ms = max(after.end_ms, far.end_ms) - min(before.start_ms, far.start_ms)
    return near and reach_ms <= _LONGEST_MS


def _between(words: Sequence[Word], first: int, found: Sequence[Span]) -> Iterator[Word]:
    """Yield new words where they were found, each within the known words around it and after the one before."""
    last = first + len(found)
    floor_ms = words[first - 1].end_ms if first else 0
    top_ms = max(floor_ms, words[last].start_ms if last < len(words) else found[-1].end_ms)
    for word, span in zip(words[first:last], found, strict=True):
        start_ms = min(max(span.start_ms, floor_ms), top_ms)
        end_ms = min(max(span.end_ms, start_ms), top_ms)
        yield replace(word, start_ms=start_ms, end_ms=end_ms, timed="aligned")
        floor_ms = end_ms
