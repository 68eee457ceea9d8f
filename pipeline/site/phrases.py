"""A transcript as it is laid out on a page: the paragraphs of every document, in phrases.

Takes a transcript's turns and returns the same words, once and in order, in pieces fit to be read and followed. A
phrase is what lights up while it is spoken and what a click plays from: a few seconds in one language. One element a
phrase rather than one a word keeps the page of a two-hour session light. Stands alone so that what is
on the page can be tested without a page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.render.passages import paragraphs
from pipeline.sentences import ends_sentence
from pipeline.types import Turn, Word
from pipeline.visible import visible_word

LONGEST_PHRASE: Final = 12
"""Words, about four seconds of speech."""
SHORTEST_CLAUSE: Final = 6
"""Words before a comma ends a phrase."""
PHRASE_PAUSE_MS: Final = 800
"""A silence that ends a phrase whatever was said."""

_CLAUSE_ENDS: Final = (",", ";", ":", "–", "—")
_CLOSERS: Final = "\"'”’»)]\u00a0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
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


Paragraph = tuple[Phrase, ...]
"""At least one phrase, in order."""


def make_paragraphs(turn: Turn) -> tuple[Paragraph, ...]:
    """Lay out one turn.

    Example:
        >>> words = tuple(Word(start_ms=n * 400, end_ms=n * 400 + 300, text=text, probability=1, language="en")
        ...               for n, text in enumerate("Good morning. Welcome to everyone.".split()))
        >>> [[phrase.text for phrase in paragraph] for paragraph in make_paragraphs(Turn(speaker=None, words=words))]
        [['Good morning.', 'Welcome to everyone.']]
    """
    return tuple(tuple(_phrases(words)) for words in paragraphs(turn.words))


def _phrases(words: Sequence[Word]) -> Iterator[Phrase]:
    start = 0
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else None
        if following is None or _breaks(word, following, index + 1 - start):
            yield Phrase(start_ms=words[start].start_ms, words=tuple(words[start : index + 1]), language=word.language)
            start = index + 1


def _breaks(word: Word, following: Word, length: int) -> bool:
    return (
        length >= LONGEST_PHRASE
        or word.language != following.language
        or following.start_ms - word.end_ms >= PHRASE_PAUSE_MS
        or ends_sentence(word.text, word.language)
        or (length >= SHORTEST_CLAUSE and word.text.rstrip(_CLOSERS).endswith(_CLAUSE_ENDS))
    )
