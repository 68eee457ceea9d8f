"""Words that may be a name or a term of the session, heard wrong or written otherwise: suggestions for a person.

In go the words of a transcript and the spellings that its details give, out come places with what may belong there.
Nothing is replaced by itself: what sounds alike is often really something else. Stands alone because it is about texts
only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from pipeline.matching import fold
from pipeline.types import Word

_ALIKE: Final = 0.78
"""Share of letters that two texts have in common, from which one may be the other."""

_SHORTEST: Final = 4
"""Letters; of shorter terms too much is like them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """Words that may be a name or term of the session, misheard.

    Attributes:
        first: Index of the first word.
        last: Index of the last.
        text: What they may be, with the marks around them.
    """

    first: int
    last: int
    text: str


def suggest_spellings(words: Sequence[Word], terms: Iterable[str]) -> Iterator[Spelling]:
    """Give every place where a term is written otherwise, in order, apart.

    Args:
        words: Of a transcript, in order.
        terms: Spellings to be kept, each of one or more words.

    Example:
        >>> said = "we met Marie Tremblé, there".split()
        >>> words = [Word(text=text, start_ms=0, end_ms=1, probability=1, language="en") for text in said]
        >>> [found.text for found in suggest_spellings(words, ["Marie Tremblay"])]
        ['Marie Tremblay,']
    """
    folded = [fold(word.text) for word in words]
    by_length: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for term in dict.fromkeys(terms):
        letters = "".join(map(fold, term.split()))
        if len(letters) >= _SHORTEST:
            by_length[len(term.split())].append((term, letters))
    found = [each for length in by_length for each in _of_length(words, folded, length, by_length[length])]
    end = -1
    for each in sorted(found, key=lambda each: (each.first, -each.last)):
        if each.first > end:
            end = each.last
            yield each


def _of_length(
    words: Sequence[Word], folded: Sequence[str], length: int, terms: Sequence[tuple[str, str]]
) -> Iterator[Spelling]:
    known: dict[str, str | None] = {}
    for first in range(len(words) - length + 1):
        said = "".join(folded[first : first + length])
        if said not in known:
            known[said] = _nearest(said, terms)
        term = known[said]
        if term is None:
            continue
        shown = " ".join(word.text for word in words[first : first + length])
        if term not in shown:
            yield Spelling(first=first, last=first + length - 1, text=_with_marks(shown, term))


def _nearest(said: str, terms: Sequence[tuple[str, str]]) -> str | None:
    """Return the term that is most like what was said, where one is like it."""
    best, nearest = _ALIKE, None
    for term, letters in terms:
        # The first letter is heard right far more often than not, and comparing costs.
        if said[:1] != letters[:1] or abs(len(said) - len(letters)) > len(letters) // 3:
            continue
        alike = SequenceMatcher(None, said, letters, autojunk=False).ratio()
        if alike >= best:
            best, nearest = alike, term
    return nearest


def _with_marks(shown: str, term: str) -> str:
    """Return a term with the marks that stand around what it replaces."""
    bare = [at for at, letter in enumerate(shown) if letter.isalnum()]
    return f"{shown[: bare[0]]}{term}{shown[bare[-1] + 1 :]}" if bare else term
