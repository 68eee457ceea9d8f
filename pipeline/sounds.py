"""How words sound, near enough to tell what may have been misheard for what.

In comes a text in English or French; out goes a key that is the same for texts that sound alike. English keys are
Lawrence Philips' Metaphone, from jellyfish; for French there is no kept library, so a table of spellings stands here.
It stands alone because a key is evidence and nothing more: what to do with it is decided elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import jellyfish

from pipeline.types import Language

_LONG_KEY: Final = 5
"""Shorter keys that differ by a sound are those of other words."""

# In order: each spelling with the sound that it stands for; a capital stands for a sound of several letters.
_FRENCH: Final = tuple(
    (re.compile(spelling), sound)
    for spelling, sound in (
        (r"ph", "f"),
        (r"ch|sh", "C"),
        (r"gn(?=[aeiou])", "N"),
        (r"qu|q|ck|c(?![eiyC])", "k"),
        (r"c(?=[eiy])|ss|ç", "s"),
        (r"g(?=[eiy])", "j"),
        (r"gu(?=[eiy])", "g"),
        (r"h", ""),
        (r"eau|aux|au", "o"),
        (r"oin", "wI"),
        (r"oi|oy", "wa"),
        (r"ou", "U"),
        (r"(?:ain|ein|aim|in|im|yn|un|um)(?![aeiouyn])", "I"),
        (r"(?:an|am|en|em)(?![aeiouynm])", "A"),
        (r"(?:on|om)(?![aeiouynm])", "O"),
        (r"ai|ei|eu|oe|er\b|ez\b|et\b", "e"),
        (r"y", "i"),
        (r"(?<=[aeiouUIAO])s(?=[aeiouUIAO])", "z"),
        (r"[estdpxz]+\b", ""),
        (r"(.)\1+", r"\1"),
        (r"\W", ""),
    )
)
_NAMED_ALIKE: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("BCDEGPTVZ", "AJK", "FSX", "MN", "IY", "QU"),
    "fr": ("BCDGPTV", "AHK", "FSLMNR", "IJ", "EO", "QU"),
}
"""Letters whose names are taken for each other: *bee*, *dee*, *tee*."""


def sound_key(text: str, language: Language) -> str:
    """Return how a text sounds; empty where nothing of it does.

    Example:
        >>> sound_key("treasury bored", "en") == sound_key("Treasury Board", "en")
        True
        >>> sound_key("fénix", "fr") == sound_key("Phénix", "fr")
        True
    """
    plain = unicodedata.normalize("NFKD", text.lower().replace("ç", "ss"))
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    if language == "en":
        return "".join(jellyfish.metaphone(word) for word in re.findall(r"[a-z']+", letters))
    for spelling, sound in _FRENCH:
        letters = spelling.sub(sound, letters)
    return letters


def letters_alike(one: str, other: str, language: Language) -> bool:
    """Say whether two rows of letters sound alike when each letter is named.

    Example:
        >>> letters_alike("TVS", "TBS", "en"), letters_alike("TKS", "TBS", "en")
        (True, False)
    """
    groups = _NAMED_ALIKE[language]
    return len(one) == len(other) and all(
        a == b or any(a in group and b in group for group in groups) for a, b in zip(one, other, strict=True)
    )


def nearly(one: str, other: str) -> bool:
    """Say whether two keys of some length differ by one sound only.

    Example:
        >>> nearly("TRSRBRT", "TRSRPRT"), nearly("KT", "KP")
        (True, False)
    """
    return min(len(one), len(other)) >= _LONG_KEY and jellyfish.levenshtein_distance(one, other) <= 1
