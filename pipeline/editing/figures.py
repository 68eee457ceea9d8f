"""Numbers, amounts, times and dates in the form of their language.

In comes a draft; digits keep their order and their value, and only what stands between and around them changes: `1,234`
or `1 234`, `$20` or `20 $`, `3 p.m.` or `15 h 30`, `1st` or `1er`. It stands alone because a figure that is only likely
must stay as it was heard: a version, a section or a file number is no decimal and no thousand, so a form is changed
only where a unit, a preposition or the figure itself leaves no doubt.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.editing.draft import NBSP, Draft, parts
from pipeline.sentences import listed

_SPACES: Final = f" {NBSP}\N{NARROW NO-BREAK SPACE}"
_TAIL: Final = r"[,.;:!?…»)\]]*"
_MARKS: Final = rf"({_TAIL})\Z"

# What follows a quantity; before anything else "2.1" may be the number of a version.
_MEASURES: Final = {
    "en": listed("% percent million millions billion billions trillion km m cm mm kg degrees kilometres times dollars"),
    "fr": listed("% $ pour million millions milliard milliards km m cm mm kg degrés kilomètres fois dollars"),
}
_MONTHS: Final = {
    # "May" and "march" are words as well.
    "en": listed("january february april june july august september october november december"),
    "fr": listed("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
}
_BEFORE_A_TIME: Final = {
    "en": listed("at by from until till to before after around about"),
    "fr": listed("à vers dès avant après jusqu'à"),
}
_HOUR: Final = re.compile(r"(?:0?[1-9]|1[0-2])(?::[0-5]\d)?\Z")
_DOTTED_HOUR: Final = re.compile(r"(0?[1-9]|1[0-2])\.([0-5]\d)\Z")
_HALF_OF_DAY: Final = re.compile(rf"([ap])\.?m\.?{_MARKS}", re.IGNORECASE)
_HOUR_AND_HALF: Final = re.compile(rf"((?:0?[1-9]|1[0-2])(?::[0-5]\d)?)([ap])\.?m\.?{_MARKS}", re.IGNORECASE)
_CLOCK: Final = re.compile(rf"([01]?\d|2[0-3]):([0-5]\d){_MARKS}")

_ROUND: Final = re.compile(r"(\$?)([1-9]\d{1,5}000)(\D.*)?\Z")
_GROUPED: Final = {
    "en": re.compile(rf"(\$?\d{{1,3}})((?:[{_SPACES}]\d{{3}})+)([^\d{_SPACES}]*)\Z"),
    # Three zeros after a comma are thousands; any other three digits may be decimals.
    "fr": re.compile(rf"(\$?\d{{1,3}})((?:,\d{{3}}){{2,}}|,000)(\$?{_TAIL})\Z"),
}
_DECIMAL: Final = {
    "en": re.compile(r"(\d+),(\d{1,2})(%?)" + _MARKS),
    "fr": re.compile(rf"(\$?\d+)\.(\d{{1,2}})([{_SPACES}]?[%$]?)" + _MARKS),
}
_ORDINALS: Final = (
    (re.compile(rf"\A1i?[èe]re(s?){_MARKS}"), r"1re\1\2"),
    (re.compile(rf"\A(\d+)(?:i?[èe]me)(s?){_MARKS}"), r"\1e\2\3"),
    (re.compile(rf"\A1ier(s?){_MARKS}"), r"1er\1\2"),
)
_DOLLARS_FIRST: Final = re.compile(rf"\$(\d[\d,.{_SPACES}]*?){_MARKS}")
_DOLLARS_LAST: Final = re.compile(rf"(\d[\d,.{_SPACES}]*?)[{_SPACES}]?\${_MARKS}")


def set_figures(draft: Draft) -> None:
    """Write figures in the form of the language that they were said in."""
    at = 0
    while at < len(draft.slots):
        language = draft.slots[at].language
        if language == "en":
            _set_english(draft, at)
        elif language == "fr":
            _set_french(draft, at)
        at += 1


def _set_english(draft: Draft, at: int) -> None:
    following = parts(draft.text(at + 1))
    if re.fullmatch(r"\$?\d{1,3}", draft.text(at)) and re.fullmatch(r"000[,.;:!?]*", draft.text(at + 1)):
        draft.change(at, f"{draft.text(at)},{draft.text(at + 1)}", "number", count=2)
    text = _thousands(draft.text(at), "en", ",")
    decimal = _DECIMAL["en"].match(text)
    if decimal and (decimal[3] or (not decimal[4] and _is_measure(draft, at + 1, "en"))):
        text = f"{decimal[1]}.{decimal[2]}{decimal[3]}{decimal[4]}"
    amount = _DOLLARS_LAST.match(text)
    if amount:
        text = f"${amount[1]}{amount[2]}"
    draft.change(at, text, "number")
    dotted = _DOTTED_HOUR.match(text)
    if dotted and _HALF_OF_DAY.match(draft.text(at + 1)):
        draft.change(at, f"{dotted[1]}:{dotted[2]}", "time")
    draft.change(at, _half_of_day(draft, at), "time")
    if parts(draft.text(at))[1] in _MONTHS["en"] and following[1][:1].isdigit() and not following[0]:
        draft.change(at, _with_core(draft.text(at), draft.core(at).capitalize()), "date")


def _half_of_day(draft: Draft, at: int) -> str:
    text = draft.text(at)
    joined = _HOUR_AND_HALF.match(text)
    if joined:
        return f"{joined[1]}{NBSP}{_dotted(joined[2], joined[3])}"
    alone = _HALF_OF_DAY.match(text)
    hour = draft.text(at - 1)
    if alone is None or not _HOUR.match(hour):
        return text
    # "At 10 am I late": in small letters, without a preposition before, it may be the verb.
    certain = text[0].isupper() or alone[1] == "p" or ":" in hour or draft.core(at - 2) in _BEFORE_A_TIME["en"]
    return _dotted(alone[1], alone[2]) if certain else text


def _dotted(half: str, marks: str) -> str:
    """Return ``a.m.`` or ``p.m.`` with the marks that follow; its own full stop ends the sentence as well."""
    return f"{half.lower()}.m.{marks.removeprefix('.')}"


def _set_french(draft: Draft, at: int) -> None:
    text = _thousands(draft.text(at), "fr", NBSP)
    decimal = _DECIMAL["fr"].match(text)
    if decimal and (decimal[3].strip(_SPACES) or "$" in decimal[1] or _is_measure(draft, at + 1, "fr")):
        text = f"{decimal[1]},{decimal[2]}{decimal[3]}{decimal[4]}"
    amount = _DOLLARS_FIRST.match(text)
    if amount and not draft.core(at + 1).startswith(("million", "milliard")):
        text = f"{amount[1]}{NBSP}${amount[2]}"
    for pattern, replacement in _ORDINALS:
        text = pattern.sub(replacement, text)
    draft.change(at, text, "number")
    clock = _CLOCK.match(text)
    if clock and draft.core(at - 1) in _BEFORE_A_TIME["fr"]:
        draft.change(at, f"{clock[1]}{NBSP}h{NBSP}{clock[2]}{clock[3]}", "time")
    if draft.core(at + 1) in _MONTHS["fr"] and re.fullmatch(r"\d{1,2}(?:er)?", text):
        if text == "1":
            draft.change(at, "1er", "date")
        draft.change(at + 1, draft.text(at + 1).lower(), "date")


def _thousands(text: str, language: str, between: str) -> str:
    grouped = _GROUPED[language].match(text)
    if grouped:
        groups = re.findall(r"\d{3}", grouped[2])
        return between.join([grouped[1], *groups]) + grouped[3]
    whole = _ROUND.match(text)
    if whole is None:
        return text
    return whole[1] + f"{int(whole[2]):,}".replace(",", between) + (whole[3] or "")


def _is_measure(draft: Draft, at: int, language: str) -> bool:
    text = draft.text(at)
    if text.startswith(("%", "$")):
        return True
    core = draft.core(at)
    # "Pour cent" is two words; "pour" alone is a preposition.
    return core in _MEASURES[language] and (core != "pour" or draft.core(at + 1) == "cent")


def _with_core(text: str, core: str) -> str:
    left, _, right = parts(text)
    return left + core + right
