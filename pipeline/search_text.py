"""A text to the words by which it is found: accents, case, plurals, elisions and hyphens aside.

In comes any text with the language of it, out come keys; two words that share a key count as the same word. The search
page does the same to what a learner types, in ``site/assets/search-text.js``: both must change together, which
``tests/test_search_page.py`` holds over thousands of words. Stands alone because building the index and asking it must
agree on nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import snowballstemmer

STEMMERS: Final = {"en": "english", "fr": "french"}

_WORD: Final = re.compile(r"[^\W_]+")
_COMPOUND: Final = re.compile(r"[^\W_]+(?:[-\u2010][^\W_]+)+")
_HYPHENS: Final = re.compile(r"[-\u2010]")
_APOSTROPHES: Final = "'\u2019\u02bc"
_ELIDED: Final = frozenset(["l", "d", "j", "m", "t", "s", "n", "c", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu"])
"""What French leaves of a word before an apostrophe."""
_CLITICS: Final = frozenset(["s", "t", "d", "m", "re", "ve", "ll"])
"""What English leaves of a word after one."""
_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss"})
_CACHED: Final = 200_000


def split_words(text: str) -> list[str]:
    """Return the words of a text in small letters, with their accents, without what is elided.

    Example:
        >>> split_words("L’Œuvre qu'il aime: peut-être. It's fine.")
        ['oeuvre', 'il', 'aime', 'peut', 'être', 'it', 'fine']
    """
    return list(_words(_small(text)))


def split_compounds(text: str) -> list[str]:
    """Return the words that are written with hyphens, in one: so *email* is found where *e-mail* is said.

    Example:
        >>> split_compounds("An e-mail for the co-chair")
        ['email', 'cochair']
    """
    return [_HYPHENS.sub("", found) for found in _COMPOUND.findall(_small(text))]


@lru_cache(maxsize=_CACHED)
def find_keys(word: str, language: str) -> frozenset[str]:
    """Return the keys of a word: its stem without accents, and the stem of what is written without them.

    They are one and the same for most words. Where they are not, whoever types no accents finds it too.

    Args:
        word: As :func:`split_words` gives it.
        language: That it was said in.

    Example:
        >>> sorted(find_keys("rédigées", "fr")), sorted(find_keys("services", "en"))
        (['redig', 'redige'], ['servic'])
    """
    bare = strip_accents(word)
    if language not in STEMMERS:
        return frozenset({bare})
    # A stemmer holds the word that it is at work on, so each call has its own.
    stemmer = snowballstemmer.stemmer(STEMMERS[language])
    return frozenset({strip_accents(stemmer.stemWord(word)), stemmer.stemWord(bare)})


def strip_accents(text: str) -> str:
    """Return a text without the marks on its letters.

    Example:
        >>> strip_accents("élève")
        'eleve'
    """
    return "".join(char for char in unicodedata.normalize("NFKD", text) if unicodedata.category(char) != "Mn")


def _small(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower().translate(_LIGATURES)


def _words(text: str) -> Iterator[str]:
    for found in _WORD.finditer(text):
        start, end = found.span()
        if found[0] in _ELIDED and text[end : end + 1] in _APOSTROPHES and _WORD.match(text, end + 1):
            continue
        if found[0] in _CLITICS and start > 1 and text[start - 1] in _APOSTROPHES and _WORD.match(text, start - 2):
            continue
        yield found[0]
