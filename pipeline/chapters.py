"""Chapters: where a session turns to another topic, each titled in the session's own words.

In comes an edited transcript; out go chapters that cover the session from its first to its last millisecond. It stands
alone because the choice is one computation over the whole session. Speech is cut into blocks of some seconds; among all
ways to join these into chapters the likeliest is taken, a chapter being words drawn from a vocabulary of its own
(Utiyama and Isahara, *A Statistical Model for Domain-Independent Text Segmentation*, ACL 2001), by dynamic programming.
A title is made of the phrases that are said in its chapter more than elsewhere; nothing is in it that nobody said.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.content_words import Sentence, bare, phrase_text, sentences, stem_of
from pipeline.sentences import listed
from pipeline.types import Chapter, Span, Transcript, Word

SHORTEST_CHAPTER_MS: Final = 120_000
LEAST_SESSION_MS: Final = 240_000
"""A session shorter than two chapters has none."""

_BLOCK_MS: Final = 15_000
_LONGEST_CHAPTER_MS: Final = 1_200_000
_PAUSE_MS: Final = 1500
_PAUSE_WORTH: Final = 1.5
_NEW_VOICE_WORTH: Final = 1.0
_PRIOR: Final = 1.5
"""What a chapter costs, in logarithms of the number of content words; the paper's 1 gives chapters of a minute."""

_LONGEST_PHRASE: Final = 5
_PHRASES: Final = 3
_LINKS: Final = {
    "en": listed("of for the and to in on with a"),
    "fr": listed("de du des la le les à au aux en et pour par une un"),
}
_LONGEST_TITLE: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block(Span):
    """Some sentences in a row: what chapters are made of."""

    sentences: tuple[Sentence, ...]
    worth: float

    @property
    def stems(self) -> Counter[str]:
        return sum((sentence.stems for sentence in self.sentences), Counter[str]())


def make_chapters(transcript: Transcript) -> tuple[Chapter, ...]:
    """Divide a session by topic.

    Args:
        transcript: Edited, so that no title quotes a stutter.

    Returns:
        Chapters of at least two minutes, in order, each from where the one before ends; none for a session that is
        too short to divide or keeps to one topic.
    """
    blocks = _blocks(sentences(transcript))
    if transcript.duration_ms < LEAST_SESSION_MS or not blocks:
        return ()
    parts = [blocks[first:last] for first, last in _divide(blocks, transcript.duration_ms)]
    titles = _titles([[sentence for block in part for sentence in block.sentences] for part in parts])
    if len(parts) < 2 or len(titles) < len(parts):
        return ()
    starts = [0, *(part[0].start_ms for part in parts[1:]), transcript.duration_ms]
    return tuple(
        Chapter(start_ms=start, end_ms=end, title=title, language=language)
        for start, end, (title, language) in zip(starts, starts[1:], titles, strict=False)
    )


def _blocks(said: Sequence[Sentence]) -> tuple[_Block, ...]:
    found: list[_Block] = []
    gathered: list[Sentence] = []
    for at, sentence in enumerate(said):
        gathered.append(sentence)
        if at + 1 == len(said) or sentence.end_ms - gathered[0].start_ms >= _BLOCK_MS:
            before = said[at - len(gathered)] if at >= len(gathered) else None
            found.append(_block(gathered, before))
            gathered = []
    return tuple(found)


def _block(gathered: Sequence[Sentence], before: Sentence | None) -> _Block:
    """Make a block; ``worth`` says how much its start sounds like a new beginning."""
    worth = 0.0
    if before is not None:
        worth += _PAUSE_WORTH * (gathered[0].start_ms - before.end_ms >= _PAUSE_MS)
        worth += _NEW_VOICE_WORTH * (gathered[0].speaker != before.speaker)
    start_ms = gathered[0].start_ms
    end_ms = max(start_ms, *(sentence.end_ms for sentence in gathered))
    return _Block(start_ms=start_ms, end_ms=end_ms, sentences=tuple(gathered), worth=worth)


def _divide(blocks: Sequence[_Block], duration_ms: int) -> list[tuple[int, int]]:
    """Return the likeliest chapters as positions of their first block and of the one after their last."""
    counts = [block.stems for block in blocks]
    vocabulary, total = len(set().union(*counts)), sum(map(Counter.total, counts))
    prior = _PRIOR * math.log(max(total, 2))
    # A chapter begins where its first block does; the first has all before it, the last all after it.
    edges = [0, *(block.start_ms for block in blocks[1:]), duration_ms]
    cheapest = [0.0] + [math.inf] * len(blocks)
    origin = [0] * (len(blocks) + 1)
    for first in range(len(blocks)):
        if math.isinf(cheapest[first]):
            continue
        for last, cost in _costs(counts, edges, first, vocabulary):
            offered = cheapest[first] + cost + prior - blocks[first].worth
            if offered < cheapest[last]:
                cheapest[last], origin[last] = offered, first
    found: list[tuple[int, int]] = []
    last = len(blocks)
    while last:
        found.append((origin[last], last))
        last = origin[last]
    return found[::-1]


def _costs(
    counts: Sequence[Counter[str]], edges: Sequence[int], first: int, vocabulary: int
) -> Iterator[tuple[int, float]]:
    """Yield each end that a chapter from there may have, with how unlikely its words are together."""
    seen: Counter[str] = Counter()
    logs, total = 0.0, 0
    for last in range(first + 1, len(counts) + 1):
        for stem, count in sorted(counts[last - 1].items()):
            before = seen[stem]
            seen[stem] = before + count
            logs += (before + count) * math.log(before + count + 1) - before * math.log(before + 1)
            total += count
        length_ms = edges[last] - edges[first]
        if length_ms > _LONGEST_CHAPTER_MS and last - first > 1:
            return
        if length_ms >= SHORTEST_CHAPTER_MS:
            yield last, total * math.log(total + vocabulary) - logs


def _titles(parts: Sequence[Sequence[Sentence]]) -> list[tuple[str, str]]:
    """Return a title and its language for each part, no title twice; fewer where a part has no words for one."""
    spread = Counter(stem for part in parts for stem in set().union(*(sentence.stems for sentence in part)))
    found: list[tuple[str, str]] = []
    for part in parts:
        spoken = Counter(sentence.language for sentence in part for _ in sentence.words)
        language = min(spoken, key=lambda each: (-spoken[each], each))
        said = [sentence for sentence in part if sentence.language == language]
        title = _title(said, spread, len(parts), {title for title, _ in found})
        if title is not None:
            found.append((title, language))
    return found


def _title(said: Sequence[Sentence], spread: Counter[str], count: int, taken: set[str]) -> str | None:
    """Return the phrases that tell most of a part, the first three that say different things."""
    texts = _texts(said)
    weights = _weights(said, spread, count)

    def worth(stems: tuple[str, ...]) -> float:
        # Their sum would let long phrases always win, their mean never; what is said twice is a term.
        return sum(weights[stem] for stem in set(stems)) / math.sqrt(len(stems)) * (1 + math.log(texts[stems].total()))

    title, used = "", set[str]()
    for stems in sorted(texts, key=lambda stems: (-round(worth(stems), 9), stems)):
        phrase = min(texts[stems], key=lambda text: (-texts[stems][text], text))
        longer = f"{title}, {phrase}" if title else phrase[0].upper() + phrase[1:]
        if used.isdisjoint(stems) and len(longer) <= _LONGEST_TITLE and longer not in taken:
            title, used = longer, used | set(stems)
            if title.count(", ") + 1 == _PHRASES:
                break
    return title or None


def _texts(said: Sequence[Sentence]) -> dict[tuple[str, ...], Counter[str]]:
    """Return how often each phrase is said, in each of its forms, by the stems of its content words."""
    found: dict[tuple[str, ...], Counter[str]] = {}
    for sentence in said:
        for phrase in _phrases(sentence.words):
            stems = tuple(stem for stem in map(stem_of, phrase) if stem is not None)
            found.setdefault(stems, Counter())[phrase_text(phrase)] += 1
    return found


def _weights(said: Sequence[Sentence], spread: Counter[str], count: int) -> dict[str, float]:
    """Return how much each stem tells of a part: how often it is said there, and in how few of the parts."""
    total = sum((sentence.stems for sentence in said), Counter[str]())
    return {stem: times * math.log((1 + count) / spread[stem]) for stem, times in total.items()}


def _phrases(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """Yield every run of words that could name something: content words, maybe linked, no mark between."""
    for first, word in enumerate(words):
        if stem_of(word) is None:
            continue
        for last in range(first, min(first + _LONGEST_PHRASE, len(words))):
            if stem_of(words[last]) is not None:
                yield words[first : last + 1]
            elif bare(words[last]) not in _LINKS.get(word.language, frozenset()):
                break
            if words[last].text[-1] in ".,;:!?…":
                break
