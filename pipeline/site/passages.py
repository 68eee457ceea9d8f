"""A transcript as it is laid out on a page: turns of paragraphs of passages.

Takes a transcript's turns and returns the same words, once and in order, in pieces fit to be read and followed. A
passage is what lights up while it is spoken and what a click plays from: a phrase of a few seconds in one language. One
element a phrase rather than one a word keeps the page of a two-hour session light. Stands alone so that what is
on the page can be tested without a page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.types import Turn, Word
from pipeline.visible import visible_word

LONGEST_PASSAGE: Final = 12
"""Words, about four seconds of speech."""
SHORTEST_CLAUSE: Final = 6
"""Words before a comma ends a passage."""
PASSAGE_PAUSE_MS: Final = 800
"""A silence that ends a passage whatever was said."""
PARAGRAPH_WORDS: Final = 45
"""Words after which a paragraph ends with the sentence."""
LONGEST_PARAGRAPH: Final = 110
"""Words after which a paragraph ends with the passage: speech recognised without full stops has to end somewhere."""

_SENTENCE_ENDS: Final = (".", "?", "!", "…")
_CLAUSE_ENDS: Final = (",", ";", ":", "–", "—")
_CLOSERS: Final = "\"'”’»)]\u00a0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A few words in one language.

    Attributes:
        start_ms: Start of the first word.
        words: At least one, in order.
        language: ISO 639-1 code of all of them.
    """

    start_ms: int
    words: tuple[Word, ...]
    language: str

    @property
    def text(self) -> str:
        """The words as they may be shown, with spaces between."""
        return " ".join(visible_word(word) for word in self.words)


Paragraph = tuple[Passage, ...]
"""At least one passage, in order."""


def make_paragraphs(turn: Turn) -> tuple[Paragraph, ...]:
    """Lay out one turn.

    Example:
        >>> words = tuple(Word(start_ms=n * 400, end_ms=n * 400 + 300, text=text, probability=1, language="en")
        ...               for n, text in enumerate("Good morning. Welcome to everyone.".split()))
        >>> [[passage.text for passage in paragraph] for paragraph in make_paragraphs(Turn(speaker=None, words=words))]
        [['Good morning.', 'Welcome to everyone.']]
    """
    paragraphs: list[Paragraph] = []
    current: list[Passage] = []
    length = 0
    for passage in _passages(turn.words):
        current.append(passage)
        length += len(passage.words)
        if length >= LONGEST_PARAGRAPH or (length >= PARAGRAPH_WORDS and _ends(passage.words[-1], _SENTENCE_ENDS)):
            paragraphs.append(tuple(current))
            current, length = [], 0
    return (*paragraphs, tuple(current)) if current else tuple(paragraphs)


def _passages(words: Sequence[Word]) -> Iterator[Passage]:
    start = 0
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else None
        if following is None or _breaks(word, following, index + 1 - start):
            yield Passage(start_ms=words[start].start_ms, words=tuple(words[start : index + 1]), language=word.language)
            start = index + 1


def _breaks(word: Word, following: Word, length: int) -> bool:
    return (
        length >= LONGEST_PASSAGE
        or word.language != following.language
        or following.start_ms - word.end_ms >= PASSAGE_PAUSE_MS
        or _ends(word, _SENTENCE_ENDS)
        or (length >= SHORTEST_CLAUSE and _ends(word, _CLAUSE_ENDS))
    )


def _ends(word: Word, marks: tuple[str, ...]) -> bool:
    return word.text.rstrip(_CLOSERS).endswith(marks)
