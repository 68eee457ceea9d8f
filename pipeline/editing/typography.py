"""Marks, spaces and capitals as each language sets them.

In comes a draft; French gets Canadian typography, marks that stand alone join their word, sentences begin with a
capital. It stands alone because nothing here changes a word: a reader who hears the text read aloud hears no change.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.cuts import HIDDEN
from pipeline.editing.draft import ENGLISH_I, NBSP, Draft, Slot, parts
from pipeline.sentences import listed

_NARROW: Final = "\N{NARROW NO-BREAK SPACE}"
_UNITS: Final = listed("% $ M$ G$ km m cm mm kg g ha L kWh MW °C Ko Mo Go To h min km/h")

_CLOSING_MARK: Final = re.compile(r"[:;!?,.…»)\]%$]+\Z")
_GROUP: Final = re.compile(rf"\d{{1,3}}(?:{NBSP}\d{{3}})*\Z")
_THREE_DIGITS: Final = re.compile(r"\d{3}[,.;:!?]*\Z")
_NUMBER: Final = re.compile(rf"\d[\d{NBSP},]*\Z")
_NAMES_A_PLACE: Final = re.compile(r"[@/\\]|\w\.\w")

_FRENCH_INSIDE: Final = (
    (re.compile(rf"[ {NBSP}{_NARROW}]+([;!?])"), r"\1"),
    (re.compile(rf"(?<=[^\s:\d/])[{_NARROW} ]?:\Z"), f"{NBSP}:"),
    (re.compile(rf"«[ {_NARROW}]?(?=\w)"), f"«{NBSP}"),
    (re.compile(rf"(?<=[\w.!?…,])[ {_NARROW}]?»"), f"{NBSP}»"),
    (re.compile(rf"(?<=\d)[ {_NARROW}]?([%$])"), rf"{NBSP}\1"),
    (re.compile(r"\A(\d{1,2})h(\d{2})\b"), rf"\1{NBSP}h{NBSP}\2"),
    (re.compile(r"\A(\d{1,2})h\b"), rf"\1{NBSP}h"),
    # Between letters, or where an elided word stands by itself: at the end of any other it may close a quotation.
    (re.compile(r"(?<=[^\W\d_])'(?=[\w«])"), "’"),
    (re.compile(r"\A((?:[ldjmtsnc]|(?:jus|lors|puis|quoi)?qu))'\Z", re.IGNORECASE), r"\1’"),
)


def set_marks(draft: Draft) -> None:
    """Set punctuation and spaces as the language writes them."""
    at = 0
    while at < len(draft.slots):
        if draft.slots[at].language == "fr":
            draft.change(at, _french(draft.slots[at].text), "typography")
        joint = _joint(draft.slots[at - 1], draft.slots[at]) if at > 0 else None
        if joint is None:
            at += 1
        else:
            joined = draft.slots[at - 1].text + joint + draft.slots[at].text
            draft.change(at - 1, joined, "typography", count=2)


def _french(text: str) -> str:
    for pattern, replacement in _FRENCH_INSIDE:
        text = pattern.sub(replacement, text)
    return text


def _joint(left: Slot, right: Slot) -> str | None:
    """Return what stands between two words that typography makes one, or ``None`` where they stay two."""
    french = right.language == "fr"
    if HIDDEN in {left.text, right.text}:
        return None
    if _CLOSING_MARK.match(right.text):
        if right.text[0] == "$" and not french:
            return None
        return NBSP if french and right.text[0] in ":»%$" else ""
    if not french or left.language != "fr":
        return None
    if left.text == "«":
        return NBSP
    unit = right.text.rstrip(",.;:!?") in _UNITS and _NUMBER.match(left.text)
    group = _GROUP.match(left.text) and _THREE_DIGITS.match(right.text)
    return NBSP if unit or group else None


def set_capitals(draft: Draft) -> None:
    """Begin sentences with a capital, and write the English I as one."""
    for at, slot in enumerate(draft.slots):
        if draft.opens_sentence(at) or (slot.language == "en" and ENGLISH_I.match(slot.text)):
            draft.change(at, _capital(slot.text), "capital")


def _capital(text: str) -> str:
    left, core, right = parts(text)
    if not core[:1].islower() or core != core.lower() or _NAMES_A_PLACE.search(core) or len(core[0].upper()) > 1:
        return text
    return left + core[0].upper() + core[1:] + right
