"""Personal numbers in what was said, proposed to be masked: a person decides, nothing is hidden by itself.

Words go in, written with digits or as numbers are spoken in English and French; stretches that look like a social
insurance number, a telephone number, an electronic address or the number of a health card come out. Patterns are those
of Canada. It would rather propose too much than miss something. Pure; stands alone so that it can be tried on any text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.naming import without_marks
from pipeline.types import Span, Word

Kind = Literal["social_insurance", "phone", "email", "health_card"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction(Span):
    """A passage that should perhaps be masked.

    Attributes:
        kind: What it looks like.
        first: Index of its first word.
        last: Index of its last word.
    """

    kind: Kind
    first: int
    last: int


_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen",
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize",
)
_TENS: Final = (
    "twenty thirty forty fifty sixty seventy eighty ninety",
    "vingt trente quarante cinquante soixante septante octante nonante",
)
_SPOKEN: Final = {
    **{word: number for words in _UNITS for number, word in enumerate(words.split())},
    **{word: number for words in _TENS for number, word in zip(range(20, 100, 10), words.split(), strict=True)},
    "oh": 0,
    "o": 0,
    "une": 1,
    "vingts": 20,
}
_HUNDRED: Final = frozenset({"hundred", "cent", "cents"})
_TIMES: Final = {"double": 2, "triple": 3}
_TOLL_FREE: Final = 800
_BETWEEN: Final = frozenset({"and", "et", "dash", "hyphen", "tiret", "space", "espace", "area", "code"})
"""Words that come between the digits of one number."""

_WRITTEN: Final = re.compile(r"[+(]*[0-9][0-9()+./\u00a0\u2011-]*")
_SOCIAL_INSURANCE: Final = re.compile(r"[0-79][0-9]{8}\Z")
_PHONE: Final = re.compile(r"1?[2-9][0-9]{2}[2-9][0-9]{6}\Z")
_LOCAL_PHONE: Final = re.compile(r"[2-9][0-9]{2}[-.\u2011][0-9]{4}\Z")
_LETTERS: Final = re.compile(r"[A-Z]{4}\Z")
_HEALTH_CARD: Final = re.compile(r"[A-Z]{4}[-\u00a0]?[0-9]{4}[-\u00a0]?[0-9]{4}\Z")
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_HEALTH: Final = frozenset({"health", "santé", "ohip", "ramq", "medicare", "maladie"})
_CARD_DIGITS: Final = 8
_LONGEST: Final = 12
_NUMBERED: Final = 10
_FOUR, _SCORE, _DIGIT = 4, 20, 9
_NEAR: Final = 10
"""Words before a number that say what it is."""

_AT: Final = frozenset({"at", "arobase", "arobas", "arrobas"})
_DOT: Final = frozenset({"dot", "point"})
_LONGEST_HOST: Final = 6
_DOMAINS: Final = frozenset({"ca", "com", "org", "net", "fr", "quebec", "québec", "info", "edu", "gov"})


def propose(words: Sequence[Word]) -> tuple[Redaction, ...]:
    """Return the passages that look like personal numbers, in order, apart.

    Args:
        words: In order, as recognised or corrected.

    Example:
        >>> said = "my number is 046 454 286 thanks".split()
        >>> words = [Word(text=text, start_ms=n * 400, end_ms=n * 400 + 300, probability=1, language="en")
        ...          for n, text in enumerate(said)]
        >>> [(found.kind, found.first, found.last) for found in propose(words)]
        [('social_insurance', 3, 5)]
    """
    texts = [without_marks(unicodedata.normalize("NFC", word.text).casefold()) for word in words]
    found: list[Redaction] = []
    at = 0
    while at < len(words):
        match = _address(words, texts, at) or _card(words, texts, at) or _number(words, texts, at)
        if match is None:
            at += 1
            continue
        kind, first, last = match
        first = max(first, found[-1].last + 1 if found else 0)
        end_ms = max(word.end_ms for word in words[first : last + 1])
        found.append(Redaction(start_ms=words[first].start_ms, end_ms=end_ms, kind=kind, first=first, last=last))
        at = last + 1
    return tuple(found)


_Match = tuple[Kind, int, int]


def _address(words: Sequence[Word], texts: Sequence[str], at: int) -> _Match | None:
    if _ADDRESS.search(words[at].text):
        return "email", at, at
    if texts[at] not in _AT or at == 0:
        return None
    host = texts[at + 1 : at + 1 + _LONGEST_HOST]
    ends = [place for place in range(1, len(host)) if host[place - 1] in _DOT and host[place] in _DOMAINS]
    written = [place for place, text in enumerate(host[:1]) if text.rpartition(".")[2] in _DOMAINS and "." in text]
    if not ends and not written:
        return None
    first = at - 1
    while first >= 2 and texts[first - 1] in _DOT | {"dash", "tiret", "underscore", "souligné"}:
        first -= 2
    return "email", first, at + 1 + max(ends or written)


def _card(words: Sequence[Word], texts: Sequence[str], at: int) -> _Match | None:
    """Find the card of Quebec: four letters and eight digits."""
    bare = without_marks(words[at].text)
    if _HEALTH_CARD.match(bare):
        return "health_card", at, at
    if not _LETTERS.match(bare):
        return None
    for digits, last in _digits(words, texts, at + 1):
        if len(digits) == _CARD_DIGITS:
            return "health_card", at, last
    return None


def _number(words: Sequence[Word], texts: Sequence[str], at: int) -> _Match | None:
    """Find the longest number that begins at a word."""
    if _LOCAL_PHONE.match(texts[at]):
        return "phone", at, at
    health = not _HEALTH.isdisjoint(texts[max(0, at - _NEAR) : at])
    best: _Match | None = None
    for digits, last in _digits(words, texts, at):
        kind = _kind(digits, health=health)
        if kind is not None:
            best = (kind, at, last)
    return best


def _kind(digits: str, *, health: bool) -> Kind | None:
    if health and len(digits) in {9, 10, 12}:
        return "health_card"
    if _PHONE.match(digits):
        return "phone"
    if _SOCIAL_INSURANCE.match(digits) and _is_checked(digits):
        return "social_insurance"
    return "health_card" if len(digits) == _NUMBERED and _is_checked(digits) else None


def _is_checked(digits: str) -> bool:
    """Say whether the last digit is what Luhn's formula makes of the others.

    Example:
        >>> _is_checked("130692544"), _is_checked("130692545")
        (True, False)
    """
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(number - _DIGIT * (number > _DIGIT) for number in doubled) % 10 == 0


def _digits(words: Sequence[Word], texts: Sequence[str], at: int) -> Iterator[tuple[str, int]]:
    """Yield the digits that are said from a word on, each time with the last word so far."""
    digits = ""
    while at < len(words) and len(digits) <= _LONGEST:
        if _WRITTEN.fullmatch(texts[at]):
            digits += "".join(sign for sign in texts[at] if sign.isdigit())
            at += 1
        elif (spoken := _spoken(texts, at)) is not None:
            said, at = spoken
            digits += said
        elif digits and texts[at] in _BETWEEN:
            at += 1
            continue
        else:
            return
        yield digits, at - 1


def _spoken(texts: Sequence[str], at: int) -> tuple[str, int] | None:
    """Return the digits of a number as it is spoken ("cinq cent dix", "double five"), and the word after it."""
    if texts[at] in _TIMES and (single := _below_hundred(texts, at + 1)) and single[0] <= _DIGIT:
        return str(single[0]) * _TIMES[texts[at]], single[1]
    hundreds = _hundreds(texts, at)
    if hundreds is None:
        below = _below_hundred(texts, at)
        return (str(below[0]), below[1]) if below else None
    value, after = hundreds
    place = after + (texts[after : after + 1] in (["and"], ["et"]))
    rest = _below_hundred(texts, place)
    # "Eight hundred" is a number of its own before the digits of a toll-free one.
    if rest and rest[0] and not (value == _TOLL_FREE and rest[0] <= _DIGIT) and not _hundreds(texts, place):
        return str(value + rest[0]), rest[1]
    return str(value), after


def _hundreds(texts: Sequence[str], at: int) -> tuple[int, int] | None:
    """Return hundreds as they are spoken and the word after them."""
    if texts[at : at + 1] == ["cent"]:
        return 100, at + 1
    count = _SPOKEN.get(texts[at], 0) if at < len(texts) else 0
    if 0 < count <= _DIGIT and not _HUNDRED.isdisjoint(texts[at + 1 : at + 2]):
        return 100 * count, at + 2
    return None


def _below_hundred(texts: Sequence[str], at: int) -> tuple[int, int] | None:
    """Return one number from 0 to 99 as it is spoken, and the word after it."""
    if at >= len(texts):
        return None
    parts = [part for part in texts[at].split("-") if part != "et"]
    numbers = [_SPOKEN[part] for part in parts if part in _SPOKEN]
    if not numbers or len(numbers) < len(parts):
        return None
    at += 1
    while (place := at + (texts[at : at + 1] == ["et"])) < len(texts):
        number = _SPOKEN.get(texts[place], 0)
        if not _goes_on(numbers, number) or not _HUNDRED.isdisjoint(texts[place + 1 : place + 2]):
            break
        numbers.append(number)
        at = place + 1
    value = numbers[0]
    for number in numbers[1:]:
        value = value * number if (value, number) == (_FOUR, _SCORE) else value + number
    return value, at


def _goes_on(numbers: Sequence[int], number: int) -> bool:
    """Say whether a number spoken next is part of the one before: "forty" "six", "quatre" "vingt" "dix"."""
    before = numbers[-1]
    if before == _FOUR and len(numbers) == 1:
        return number == _SCORE
    far = before in {60, 80} or (before == _SCORE and len(numbers) > 1)
    return before >= _SCORE and before % 10 == 0 and 0 < number < (_SCORE if far else 10)
