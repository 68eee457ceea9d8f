"""A transcript as it is read: who speaks, from when, in paragraphs.

In comes a transcript, maybe with chapters; out go its turns under the name to show, each in paragraphs that end with a
sentence. It stands alone because every document must divide a transcript the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from pipeline.captions import speaker_name
from pipeline.sentences import ends_sentence
from pipeline.types import Chapter, Transcript, Word

_FULL_WORDS: Final = 80
"""A paragraph ends with the sentence in which it grows that long."""

_PAUSE_MS: Final = 1500
_PAUSED_WORDS: Final = 30
"""A long pause after a sentence ends a paragraph that has become that long."""

LONGEST_PARAGRAPH: Final = 200
"""Words; speech without full stops must end somewhere: at its longest pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What one person says in a row.

    Attributes:
        name: Who, as shown; ``None`` where nobody could be told or nobody need be.
        start_ms: Start of the first word.
        paragraphs: At least one, each of at least one word, in order.
        chapter: The chapter that opens with it, where one does.
    """

    name: str | None
    start_ms: int
    paragraphs: tuple[tuple[Word, ...], ...]
    chapter: Chapter | None = None


def passages(transcript: Transcript, chapters: Sequence[Chapter] = ()) -> tuple[Passage, ...]:
    """Divide a transcript for reading; turns of one person in a row are one passage, parted where a chapter begins."""
    return tuple(_passages(transcript, list(chapters)))


def _passages(transcript: Transcript, ahead: list[Chapter]) -> Iterator[Passage]:
    for speaker, turns in groupby(transcript.turns, key=lambda turn: turn.speaker):
        name = speaker_name(transcript, speaker)
        for chapter, words in _parted([word for turn in turns for word in turn.words], ahead):
            start_ms = words[0].start_ms
            yield Passage(name=name, start_ms=start_ms, paragraphs=paragraphs(words), chapter=chapter)


def _parted(words: Sequence[Word], ahead: list[Chapter]) -> Iterator[tuple[Chapter | None, Sequence[Word]]]:
    """Divide words where chapters begin, and take those chapters off the ones that lie ahead.

    Of chapters that begin since the word before, the last has the words: in the others nothing is said.
    """
    first, opened = 0, None
    for at, word in enumerate(words):
        if ahead and word.start_ms >= ahead[0].start_ms:
            if at > first:
                yield opened, words[first:at]
            while ahead and word.start_ms >= ahead[0].start_ms:
                opened = ahead.pop(0)
            first = at
    yield opened, words[first:]


def paragraphs(words: Sequence[Word]) -> tuple[tuple[Word, ...], ...]:
    """Divide words into paragraphs at sentence ends, sooner where the speaker pauses.

    Returns:
        Every word once, in order; no paragraph empty.
    """
    found: list[tuple[Word, ...]] = []
    first = 0
    for at, word in enumerate(words):
        last = at + 1
        if last < len(words) and _ends_paragraph(word, words[last], last - first):
            found.append(tuple(words[first:last]))
            first = last
        elif last - first >= LONGEST_PARAGRAPH:
            last = _longest_pause(words, first, last)
            found.append(tuple(words[first:last]))
            first = last
    if first < len(words):
        found.append(tuple(words[first:]))
    return tuple(found)


def _ends_paragraph(word: Word, following: Word, length: int) -> bool:
    paused = length >= _PAUSED_WORDS and following.start_ms - word.end_ms >= _PAUSE_MS
    return (paused or length >= _FULL_WORDS) and ends_sentence(word.text, word.language)


def _longest_pause(words: Sequence[Word], first: int, last: int) -> int:
    """Return the position after the longest pause in the second half of these words."""
    half = range(first + (last - first) // 2, last)
    return max(half, key=lambda at: (words[at].start_ms - words[at - 1].end_ms, at))


def runs(words: Sequence[Word]) -> tuple[tuple[str, tuple[Word, ...]], ...]:
    """Divide words where the language changes: each language with its words."""
    return tuple((language, tuple(group)) for language, group in groupby(words, key=lambda word: word.language))
