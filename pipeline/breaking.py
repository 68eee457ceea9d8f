"""How good it is to break a caption after each word: the grammar of line breaks, from word lists.

In comes a run of words of one language with that language's word lists; out goes a rank for the place after each
word, from the end of a sentence, best, to a place where nothing may be parted. No tagger is needed: the words that
open a pair (articles, prepositions, pronouns, auxiliaries …) are few and known. It stands alone because layout and
lint must judge a break the same way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby, pairwise
from typing import Final

from pipeline.caption_rules import WordLists
from pipeline.sentences import CLOSING, ends_sentence, is_abbreviation
from pipeline.types import Word

_OPENING: Final = "([{«“‘\"'¿¡"
_ELISION: Final = re.compile(r"((?:[ldjmtsnc]|qu|jusqu|lorsqu|puisqu|quoiqu)['’])(.+)\Z", re.IGNORECASE)
_CONTRACTION: Final = re.compile(r".+(?:n['’]t|['’](?:re|ve|ll|d|m|s))\Z", re.IGNORECASE)
_NUMERIC: Final = re.compile(r"[$€£]?\d[\d.,:/\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}-]*\Z")
_ORDINAL: Final = re.compile(r"\d+(?:st|nd|rd|th|er|re|e|es|ère|ème|èmes)\Z")
_LONGEST_NAME: Final = 3
_PARTED_MS: Final = 1000
"""Words that the speaker parts by so long a silence are a pair no more."""

_CLAUSE_MARKS: Final = (",", ";", ":", "…", "...", "—", "–")


class Break(IntEnum):
    """What a break after a word would part, best first."""

    SENTENCE = 0
    CLAUSE = 1
    CONJUNCTION = 2
    PREPOSITION = 3
    PLAIN = 4
    POOR = 5
    PROTECTED = 6
    GLUED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    """A word as the grammar sees it.

    Attributes:
        text: As written.
        core: Lower case, without punctuation around.
        head: What it begins with: its elided part, or all of it.
        tail: What it ends with: what follows its elided part, or all of it.
    """

    text: str
    core: str
    head: str
    tail: str

    @property
    def numeric(self) -> bool:
        return bool(_NUMERIC.match(self.core))

    @property
    def capital(self) -> bool:
        # The English "I" is always a capital and never a name.
        return self.text.strip(_OPENING)[:1].isupper() and self.core != "i" and not self.core.startswith(("i'", "i’"))


def rank_breaks(words: Sequence[Word], lists: WordLists) -> tuple[Break, ...]:
    """Rank the place after each word of a run; the last is always the best there is.

    Args:
        words: One speaker's words in one language, in order.
        lists: That language's.

    Returns:
        As many ranks as words.
    """
    tokens = [_token(word.text) for word in words]
    names = _names(tokens)
    ranks = []
    for at, (left, right) in enumerate(pairwise(tokens)):
        context = _Context(negated=_negated(tokens, at), name=names[at], institution=_joins(tokens, at))
        rank = _rank(words[at], left, right, context, lists)
        silence = words[at + 1].start_ms - words[at].end_ms
        ranks.append(Break.POOR if rank is Break.PROTECTED and silence >= _PARTED_MS else rank)
    return (*ranks, Break.SENTENCE) if words else ()


def _token(text: str) -> _Token:
    core = text.strip(_OPENING + CLOSING + ".,;:!?…—–-").lower().replace("’", "'")
    elided = _ELISION.match(core)
    head, tail = (elided[1], elided[2]) if elided else (core, core)
    return _Token(text=text, core=core, head=head, tail=tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What the two words around a break do not tell by themselves.

    Attributes:
        negated: Whether "ne" came just before.
        name: Whether the break is inside a person's name: two or three capitalised words in a row.
        institution: Whether a small word joins two capitalised ones there: Office of Planning.
    """

    negated: bool
    name: bool
    institution: bool


def _names(tokens: Sequence[_Token]) -> list[bool]:
    """Say for each word whether it and the next are one person's name; longer rows of capitals name institutions."""
    inside: list[bool] = []
    for capital, row in groupby(tokens, key=lambda token: token.capital):
        length = len(tuple(row))
        joined = capital and length <= _LONGEST_NAME
        inside += [joined] * (length - 1) + [False]
    return inside


def _joins(tokens: Sequence[_Token], at: int) -> bool:
    return at + 2 < len(tokens) and tokens[at].capital and tokens[at + 2].capital and not tokens[at + 1].capital


def _negated(tokens: Sequence[_Token], at: int) -> bool:
    return any(token.head in {"ne", "n'"} or "n'" in token.core for token in tokens[max(0, at - 2) : at + 1])


def _rank(word: Word, left: _Token, right: _Token, context: _Context, lists: WordLists) -> Break:
    if _glued(left, right):
        return Break.GLUED
    marked = _mark(word, left, right, lists)
    if marked is not None:
        return marked
    if context.name or _protected(left, right, context.negated, lists):
        return Break.PROTECTED
    if left.tail in lists.conjunctions or (left.capital and right.capital):
        return Break.POOR
    if right.head in lists.conjunctions:
        return Break.PREPOSITION if context.institution else Break.CONJUNCTION
    return Break.PREPOSITION if right.head in lists.prepositions and not context.institution else Break.PLAIN


def _mark(word: Word, left: _Token, right: _Token, lists: WordLists) -> Break | None:
    """Return what the punctuation after a word says, or ``None`` where it says nothing."""
    if left.text.lower() in lists.titles or is_abbreviation(left.text, word.language):
        return Break.PROTECTED if right.text[:1].isupper() else Break.PLAIN
    if ends_sentence(left.text, word.language):
        return Break.SENTENCE
    if left.text.rstrip(CLOSING).endswith(_CLAUSE_MARKS) or left.text.endswith((")", "»", "”")):
        return Break.CLAUSE
    return None


def _glued(left: _Token, right: _Token) -> bool:
    """Say whether one of the two is a mark that belongs to the other."""
    mark_follows = not right.core and right.text[:1] not in _OPENING
    mark_opens = not left.core and all(character in _OPENING for character in left.text)
    return mark_follows or mark_opens


def _protected(left: _Token, right: _Token, negated: bool, lists: WordLists) -> bool:
    return (
        left.tail in lists.articles | lists.open_prepositions | lists.negations_before
        or f"{left.tail} {right.head}" in lists.compounds
        or _opens_pair(left, right, lists)
        or _negation(right, negated, lists)
        or _number(left, right, lists)
    )


def _opens_pair(left: _Token, right: _Token, lists: WordLists) -> bool:
    """Say whether the word on the left waits for a noun or a verb, and none but that can be what follows."""
    if right.head in lists.conjunctions or right.head in lists.prepositions:
        return False
    if left.tail in lists.determiners | lists.adjectives | lists.pronouns | lists.numbers:
        return True
    auxiliary = left.tail in lists.auxiliaries or (left.head == left.core and bool(_CONTRACTION.match(left.core)))
    return auxiliary and right.head not in lists.articles | lists.determiners


def _negation(right: _Token, negated: bool, lists: WordLists) -> bool:
    # French "plus", "rien", "jamais" only deny together with "ne"; "pas" and English "not" do so by themselves.
    return right.core in lists.negations_after and (negated or right.core in {"pas", "not", "never"})


def _number(left: _Token, right: _Token, lists: WordLists) -> bool:
    if left.numeric or left.core in lists.numbers or _ORDINAL.match(left.core):
        counted = right.numeric or right.core in lists.units | lists.months | lists.numbers
        return counted or not (right.head in lists.conjunctions or right.head in lists.prepositions)
    named = left.core in lists.numbered and (right.numeric or right.core in lists.numbers)
    return named or (right.numeric and (left.core in lists.months or left.capital))
