"""Where sentences end, in English and French, as far as the words alone can tell.

In comes one written word with its punctuation; out goes whether a sentence ends after it. It stands alone because
caption breaks, sentence capitals and paragraphs must all see the same sentences.
"""

from __future__ import annotations

import re
from typing import Final

CLOSING: Final = "\"'”’»)]}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
"""Marks that may follow a sentence's last punctuation and still belong to it."""


def listed(words: str) -> frozenset[str]:
    """Return the words of a list written as text."""
    return frozenset(words.split())


_ABBREVIATIONS: Final = {
    "en": listed(
        "mr. mrs. ms. mx. dr. prof. hon. rev. st. mt. ft. gen. sgt. jr. sr. vs. vol. fig. dept. gov. inc. ltd."
        " co. corp. approx. cf. al. e.g. i.e. etc. a.m. p.m. ave. blvd. jan. feb. aug. sept. oct. nov. dec."
    ),
    "fr": listed(
        "m. mm. me. dr. dre. pr. prof. hon. st. ste. vol. fig. env. cf. p. pp. ex. etc. éd. chap. av. boul. tél."
        " janv. févr. juill. sept. oct. nov. déc. c.-à-d. a.m. p.m."
    ),
}
_INITIAL: Final = re.compile(r"(?:[A-ZÀ-Ý]\.-?)+\Z")


def ends_sentence(text: str, language: str) -> bool:
    """Say whether a sentence ends after this word.

    An ellipsis, an abbreviation or an initial leaves the sentence open: taking one sentence for two would put a
    capital where none belongs.

    Args:
        text: One word as written.
        language: Its language; one that is not known here has no abbreviations.

    Example:
        >>> ends_sentence("fini.", "fr"), ends_sentence("M.", "fr"), ends_sentence("bien…", "fr")
        (True, False, False)
    """
    core = text.rstrip(CLOSING)
    if core.endswith(("!", "?")):
        return True
    if not core.endswith(".") or core.endswith(".."):
        return False
    return not is_abbreviation(core, language)


def is_abbreviation(text: str, language: str) -> bool:
    """Say whether a full stop after this word only shortens it: ``Dr.``, ``J.``, ``U.S.``."""
    core = text.strip(CLOSING + "([{«“‘").rpartition("\N{NO-BREAK SPACE}")[2]
    # "I." and "A." close a sentence more often than they open a name.
    if _INITIAL.match(core) and core not in {"I.", "A."}:
        return True
    return core.lower() in _ABBREVIATIONS.get(language, frozenset())
