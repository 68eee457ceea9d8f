"""Highlights: the passages that carry most of a session, quoted as they were said.

In comes an edited transcript; out go a few of its sentences, in order of time. It stands alone because a quotation is a
promise: the words are those of the transcript, whole sentences and nothing else. Which ones is decided as in LexRank
(Erkan and Radev, JAIR 22, 2004): a sentence counts for as much as those count that resemble it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.content_words import Sentence, bare, sentences
from pipeline.sentences import listed
from pipeline.types import Highlight, Transcript

LEAST_SESSION_MS: Final = 120_000
FEWEST: Final = 3
MOST: Final = 8

_ONE_EVERY_MS: Final = 300_000
_APART_MS: Final = 45_000
_LEAST_WORDS: Final = 9
_MOST_WORDS: Final = 45
_LEAST_CONTENT: Final = 4
_LEAST_PROBABILITY: Final = 0.5
_ALIKE: Final = 0.5
"""Two quotations that share so much say the same."""
_DAMPING: Final = 0.85
_STEPS: Final = 30

# A sentence that opens so leans on the one before it, and means little alone.
_LEANING: Final = {
    "en": listed("it he she they this that these those and but so or because which then there his her their"),
    "fr": listed("il elle ils elles ça ce c'est cela ceci et mais donc alors ou parce car puis celui celle ceux"),
}


def choose_highlights(transcript: Transcript) -> tuple[Highlight, ...]:
    """Choose the passages that carry most.

    Args:
        transcript: Edited, so that no quotation stutters.

    Returns:
        Three to eight whole sentences, by length of the session, in order of time and well apart; fewer where fewer are
        fit to be quoted, none in a session of less than two minutes.
    """
    if transcript.duration_ms < LEAST_SESSION_MS:
        return ()
    said = [sentence for sentence in sentences(transcript) if sentence.stems.total() >= _LEAST_CONTENT]
    if not said:
        return ()
    alike = _similarities(said)
    worth = _ranks(alike)
    count = min(MOST, max(FEWEST, transcript.duration_ms // _ONE_EVERY_MS))
    chosen: list[int] = []
    for at in sorted(range(len(said)), key=lambda at: (-round(float(worth[at]), 9), at)):
        if len(chosen) < count and stands_alone(said[at]) and all(_is_other(said, alike, at, one) for one in chosen):
            chosen.append(at)
    return tuple(_highlight(said[at]) for at in sorted(chosen))


def _similarities(said: Sequence[Sentence]) -> NDArray[np.float64]:
    """Return how alike each two sentences are, 0 to 1: the cosine of their content words, rare ones counting more."""
    spread = Counter(stem for sentence in said for stem in sentence.stems)
    columns = {stem: at for at, stem in enumerate(sorted(spread))}
    weights = np.zeros((len(said), len(columns)))
    for row, sentence in enumerate(said):
        for stem, times in sentence.stems.items():
            weights[row, columns[stem]] = times * math.log(len(said) / spread[stem])
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    weights /= np.where(lengths == 0, 1, lengths)
    alike: NDArray[np.float64] = weights @ weights.T
    return alike


def _ranks(alike: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much each sentence counts: where a reader who goes from like to like would mostly be."""
    count = len(alike)
    totals = alike.sum(axis=1, keepdims=True)
    steps = np.where(totals == 0, 1 / count, alike / np.where(totals == 0, 1, totals))
    ranks: NDArray[np.float64] = np.full(count, 1 / count)
    for _ in range(_STEPS):
        ranks = (1 - _DAMPING) / count + _DAMPING * (ranks @ steps)
    return ranks


def stands_alone(sentence: Sentence) -> bool:
    """Say whether a sentence may be quoted: whole, surely heard, neither short nor long, leaning on none before it."""
    words = sentence.words
    probability = sum(word.probability for word in words) / len(words)
    return (
        _LEAST_WORDS <= len(words) <= _MOST_WORDS
        and words[-1].text.rstrip('”"»)\N{NO-BREAK SPACE}').endswith((".", "!"))
        and words[0].text.lstrip('«“"(\N{NO-BREAK SPACE}')[:1].isupper()
        and probability >= _LEAST_PROBABILITY
        and not any(word.overlapped for word in words)
        and _opening(sentence) not in _LEANING.get(sentence.language, frozenset())
    )


def _opening(sentence: Sentence) -> str:
    first = sentence.words[0].text.lower().replace("’", "'")
    return "c'est" if first.startswith("c'") else bare(sentence.words[0])


def _is_other(said: Sequence[Sentence], alike: NDArray[np.float64], at: int, one: int) -> bool:
    return abs(said[at].start_ms - said[one].start_ms) >= _APART_MS and float(alike[at, one]) < _ALIKE


def _highlight(sentence: Sentence) -> Highlight:
    return Highlight(start_ms=sentence.start_ms, end_ms=sentence.end_ms, speaker=sentence.speaker, words=sentence.words)
