"""Which words of one text are which words of another.

Two lists of words in, pairs of indices out, rising in both: first what is found once in each, three words together,
then the rest between those. Stands alone because corrections, files that come back and proposals all need it, on
texts of tens of thousands of words, where a plain comparison of all with all takes minutes.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain, pairwise
from typing import Final

_TOGETHER: Final = 3
_MOST_COMPARED: Final = 400_000
"""Pairs of words that are compared one by one between two that are sure."""


def match(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Return which word is which, as pairs of indices rising in both.

    Words are the same whatever their case, accents' encoding and punctuation.

    Example:
        >>> match(["Hello,", "dear", "world"], ["hello", "whole", "world!"])
        [(0, 0), (2, 2)]
    """
    old, new = [fold(word) for word in before], [fold(word) for word in after]
    sure = rising([(at, to) for at, to in _found_once(old, new)])
    pairs: list[tuple[int, int]] = []
    for (first, left), (last, right) in pairwise(chain([(-1, -1)], sure, [(len(old), len(new))])):
        between = _compare(old[first + 1 : last], new[left + 1 : right])
        pairs += [(at + first + 1, to + left + 1) for at, to in between]
        pairs.append((last, right))
    return pairs[:-1]


def fold(word: str) -> str:
    """Return what of a word is heard: its letters and digits, in lower case; all of it where it has none.

    Example:
        >>> fold("«Été,»")
        'été'
    """
    plain = unicodedata.normalize("NFC", word).casefold()
    return "".join(sign for sign in plain if sign.isalnum()) or plain


def straight(text: str) -> str:
    """Return a text with straight apostrophes: whichever were typed, it says the same.

    Example:
        >>> straight("l’été")
        "l'été"
    """
    return text.replace("’", "'")


def rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest choice of pairs in which the second numbers rise; the first ones already do.

    Example:
        >>> rising([(0, 5), (1, 0), (2, 1)])
        [(1, 0), (2, 1)]
    """
    ends: list[int] = []
    places: list[int] = []
    for _, second in pairs:
        place = bisect_left(ends, second)
        ends[place : place + 1] = [second]
        places.append(place)
    chosen: list[tuple[int, int]] = []
    wanted = len(ends) - 1
    for pair, place in zip(reversed(pairs), reversed(places), strict=True):
        if place == wanted:
            chosen.append(pair)
            wanted -= 1
    return chosen[::-1]


def _found_once(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where three words together that are found once in each text begin."""
    olds, news = _groups(old), _groups(new)
    once = {group for group, number in Counter(olds).items() if number == 1}
    once &= {group for group, number in Counter(news).items() if number == 1}
    places = {group: place for place, group in enumerate(news) if group in once}
    yield from ((place, places[group]) for place, group in enumerate(olds) if group in once)


def _groups(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + _TOGETHER]) for at in range(len(words) - _TOGETHER + 1)]


def _compare(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    same_place = [(at, at) for at, (one, other) in enumerate(zip(old, new, strict=False)) if one == other]
    if len(old) * len(new) > _MOST_COMPARED:
        yield from same_place if len(old) == len(new) else ()
        return
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    found = [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]
    # Words that were typed over others leave as many: of equally good answers, each word is the one in its place.
    yield from same_place if len(old) == len(new) and len(same_place) >= len(found) else found
