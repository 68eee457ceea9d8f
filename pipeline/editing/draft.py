"""One turn while it is being edited, and the list of what was done to it.

In comes a turn; the rules of the rooms beside this one put texts in place of its words, and every change is listed as
it is made. It stands alone because a change that is made anywhere else would be a change that nobody can see.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from pipeline.cuts import HIDDEN
from pipeline.naming import plain
from pipeline.sentences import ends_sentence
from pipeline.types import Edit, Turn, Word

NBSP: Final = "\N{NO-BREAK SPACE}"

ELIDED: Final = re.compile(r"((?:[ldjmtsnc]|qu)['’])(.*)\Z", re.IGNORECASE)
"""A French word with an elided one before it: ``l'été``."""
PLAIN: Final = re.compile(r"([^\W\d_]+(?:['’][^\W\d_]+)?)([,.?!…;:-]*)\Z")
"""Letters, with the marks that follow them."""
ENGLISH_I: Final = re.compile(r"i(?:['’](?:m|ll|ve|d))?[,.;:!?]*\Z")

WORDS_KEPT: Final = 20_000
"""A session has fewer different words, and each is looked at again and again."""

_OUTSIDE: Final = re.compile(r"(\W*)(.*?)(\W*)\Z", re.DOTALL)


@lru_cache(maxsize=WORDS_KEPT)
def parts(text: str) -> tuple[str, str, str]:
    """Return the marks before a word, the word and the marks after it.

    Example:
        >>> parts("«oui»,")
        ('«', 'oui', '»,')
    """
    found = _OUTSIDE.match(text)
    return (found[1], found[2], found[3]) if found else ("", text, "")


def in_place(text: str, before: Sequence[Slot]) -> str:
    """Return a text with the marks that stand around the words that it takes the place of."""
    return parts(before[0].text)[0] + text + parts(before[-1].text)[2]


@lru_cache(maxsize=WORDS_KEPT)
def fold(text: str) -> str:
    """Return letters as they are compared: without case, accents or curled apostrophes."""
    return plain(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One word as edited so far, with the words that it stands for.

    Attributes:
        index: Position of the first of them in the transcript.
        text: As edited so far.
        words: At least one, in order.
        settled: Whether a person has said what stands there, so that nothing else can have been meant.
    """

    index: int
    text: str
    words: tuple[Word, ...]
    settled: bool = False

    @property
    def language(self) -> str:
        """The language that it was recognised in."""
        return self.words[0].language

    @property
    def core(self) -> str:
        """The word without its marks, in lower case."""
        return _core(self.text)


@lru_cache(maxsize=WORDS_KEPT)
def _core(text: str) -> str:
    return parts(text)[1].lower().replace("’", "'")


class Draft:
    """A turn being edited; the one place where a change is made, and there it is listed.

    Args:
        turn: Verbatim.
        index: Position of its first word in the transcript.
        reviewed: Whether a person has gone over it: then what is certain is what they said is right.
    """

    def __init__(self, turn: Turn, index: int, *, reviewed: bool = False) -> None:
        self.slots = [
            Slot(index=index + at, text=word.text, words=(word,), settled=_is_settled(word, reviewed=reviewed))
            for at, word in enumerate(turn.words)
        ]
        self.edits: list[Edit] = []

    def change(self, at: int, text: str, rule: str, *, count: int = 1, keep_time: bool = False) -> None:
        """Put a text in place of one or more words.

        Args:
            at: Position of the first among the words left.
            text: What stands there instead; empty to leave them out.
            rule: Why.
            count: How many words.
            keep_time: Whether the first word keeps its own time rather than taking those of all.
        """
        old = self.slots[at : at + count]
        before = " ".join(slot.text for slot in old)
        if before == text:
            return
        words = old[0].words if keep_time else tuple(word for slot in old for word in slot.words)
        settled = any(slot.settled for slot in old)
        self.slots[at : at + count] = [replace(old[0], text=text, words=words, settled=settled)] if text else []
        start_ms = old[0].words[0].start_ms
        self.edits.append(Edit(rule=rule, before=before, after=text, start_ms=start_ms, index=old[0].index))

    def text(self, at: int) -> str:
        """Return the text at a position, empty before the first word and after the last."""
        return self.slots[at].text if 0 <= at < len(self.slots) else ""

    def core(self, at: int) -> str:
        """Return the word at a position as it is compared, empty before the first and after the last."""
        return self.slots[at].core if 0 <= at < len(self.slots) else ""

    def opens_sentence(self, at: int) -> bool:
        """Say whether a sentence starts with that word."""
        return at == 0 or ends_sentence(self.slots[at - 1].text, self.slots[at - 1].language)

    def turn(self, speaker: str | None) -> Turn:
        """Return the turn as edited."""
        return Turn(speaker=speaker, words=tuple(_word(slot) for slot in self.slots))


def _is_settled(word: Word, *, reviewed: bool) -> bool:
    """Say whether a person typed a word, said that it is right, or hid it; recognisers may be certain as well."""
    return word.text == HIDDEN or word.timed != "recognised" or (reviewed and word.probability == 1.0)


def _word(slot: Slot) -> Word:
    words = slot.words
    return replace(
        words[0],
        text=slot.text,
        end_ms=max(word.end_ms for word in words),
        probability=min(word.probability for word in words),
        overlapped=any(word.overlapped for word in words),
    )
