"""What of a text may be shown: one policy for control and invisible characters, for every format and page.

In comes any text a stranger may have written (a recognised word, a title, a name from a sidecar); out goes the same
text on one line, without characters that are not seen but act: terminal controls, line breaks, marks that turn the
reading direction of what follows, tag characters that hide a message. It stands alone because every writer of
captions, documents and pages must apply the same policy, and none may be the one that forgot.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.types import Word

UNSHOWABLE: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for a word of which nothing can be shown, so that no word is ever lost."""

# Everything in Unicode's "format" category is invisible; the joiners alone change how letters and emoji are drawn.
_BREAKS: Final = re.compile("[\t\n\v\f\r\x1c-\x1f\x85\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}]+")
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u08e2\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_SPACES: Final = re.compile(" {2,}")


def visible(text: str) -> str:
    r"""Return what may be shown of a text, on one line.

    Line breaks and tabs become one space; controls, direction marks and other invisible characters go, except the
    joiners that emoji and some scripts are written with; halves of surrogate pairs become U+FFFD, since no file can
    hold them. No-break spaces stay. Applying it twice changes nothing more.

    Args:
        text: Anything.

    Returns:
        Text without line breaks or white space at either end; empty where nothing is visible.

    Example:
        >>> visible("  Marie\u202e\nTremblay\x00 ")
        'Marie Tremblay'
    """
    return _SPACES.sub(" ", storable(_HIDDEN.sub("", _BREAKS.sub(" ", text)))).strip()


def storable(text: str) -> str:
    r"""Return a text with U+FFFD for each half of a surrogate pair, which no file can hold.

    Example:
        >>> storable("caf\ud800") == f"caf{UNSHOWABLE}"
        True
    """
    return _SURROGATES.sub(UNSHOWABLE, text)


def shorten(text: str, longest: int) -> str:
    """Return what may be shown of a text, its end replaced by an ellipsis where it is too long.

    Args:
        text: Anything.
        longest: How many characters there may be, the ellipsis included.

    Example:
        >>> shorten("Plain language in public services", 15)
        'Plain language…'
    """
    shown = visible(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1].rstrip()}…"


def visible_word(word: Word) -> str:
    """Return what may be shown of a word: never empty."""
    return visible(word.text) or UNSHOWABLE
