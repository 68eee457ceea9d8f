"""Figures as a reader writes them: dates, durations, clock times and file sizes, in English and in French.

Takes a value and the reader's language and returns text, with U+00A0 wherever a line must not break. Two languages and
four kinds of figure: a table of months and a few lines stand in for a localisation library. Canadian usage:
``November 21, 2026`` and ``21 novembre 2026``; ``12.3 MB`` and ``12,3 Mo``, powers of 1000.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from pipeline.types import Language

NBSP: Final = "\u00a0"

_MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
}
_UNITS: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("B", "KB", "MB", "GB", "TB"),
    "fr": ("o", "ko", "Mo", "Go", "To"),
}


def format_date(date: dt.date, language: Language) -> str:
    """Write a day out in full.

    Example:
        >>> format_date(dt.date(2026, 3, 1), "fr").replace(NBSP, " ")
        '1er mars 2026'
        >>> format_date(dt.date(2026, 3, 1), "en").replace(NBSP, " ")
        'March 1, 2026'
    """
    month = _MONTHS[language][date.month - 1]
    if language == "en":
        return f"{month}{NBSP}{date.day}, {date.year}"
    return f"{date.day}{'er' if date.day == 1 else ''}{NBSP}{month} {date.year}"


def format_moment(moment: dt.datetime, language: Language) -> str:
    """Write a moment by the clock of its own time zone.

    Example:
        >>> format_moment(dt.datetime(2026, 3, 1, 9, 5, tzinfo=dt.UTC), "fr").replace(NBSP, " ")
        '2026-03-01, 09 h 05'
    """
    if language == "en":
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment:%Y-%m-%d, %H}{NBSP}h{NBSP}{moment:%M}"


def format_month(month: dt.date, language: Language) -> str:
    """Write the month of a day, as a heading begins.

    Example:
        >>> format_month(dt.date(2026, 3, 1), "fr")
        'Mars 2026'
    """
    name = _MONTHS[language][month.month - 1]
    return f"{name[0].upper()}{name[1:]} {month.year}"


def format_duration(duration_ms: int, language: Language) -> str:
    """Write a length of time in hours and minutes, or in seconds where it is under a minute.

    The symbols are those of the International System and so the same in both languages.

    Example:
        >>> format_duration(3_720_000, "fr").replace(NBSP, " ")
        '1 h 2 min'
        >>> format_duration(45_400, "en").replace(NBSP, " ")
        '45 s'
    """
    del language
    seconds = round(duration_ms / 1000)
    if seconds < 60:
        return f"{seconds}{NBSP}s"
    hours, minutes = divmod(round(seconds / 60), 60)
    parts = ([f"{hours}{NBSP}h"] if hours else []) + ([f"{minutes}{NBSP}min"] if minutes else [])
    return NBSP.join(parts)


def format_machine_duration(duration_ms: int) -> str:
    """Write a length of time for ``<time datetime>``.

    Example:
        >>> format_machine_duration(3_725_000)
        'PT3725S'
    """
    return f"PT{round(duration_ms / 1000)}S"


def format_clock(ms: int) -> str:
    """Write a moment of the recording as players show it, to the second below.

    Example:
        >>> format_clock(754_900), format_clock(3_600_000)
        ('12:34', '1:00:00')
    """
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def format_seconds(ms: int) -> str:
    """Write a moment in seconds as short as it goes, for addresses such as ``#t=12.3``.

    Example:
        >>> format_seconds(12_340), format_seconds(5_000), format_seconds(100_000)
        ('12.34', '5', '100')
    """
    whole, thousandths = divmod(ms, 1000)
    return f"{whole}.{thousandths:03}".rstrip("0").rstrip(".")


def format_count(count: int, language: Language) -> str:
    """Write a whole number with its thousands apart.

    Example:
        >>> format_count(10_000, "en"), format_count(10_000, "fr").replace(NBSP, " ")
        ('10,000', '10 000')
    """
    return f"{count:,}" if language == "en" else f"{count:,}".replace(",", NBSP)


def format_size(size: int, language: Language) -> str:
    """Write a number of bytes in the largest unit that fits, with one decimal below 100 where it says something.

    Example:
        >>> format_size(12_345_678, "fr").replace(NBSP, " ")
        '12,3 Mo'
        >>> format_size(812, "en").replace(NBSP, " ")
        '812 B'
    """
    value, unit = float(size), 0
    while round(value, 1) >= 1000 and unit < len(_UNITS[language]) - 1:
        value, unit = value / 1000, unit + 1
    text = f"{value:.1f}".removesuffix(".0") if unit and value < 99.95 else f"{value:.0f}"
    return f"{text if language == 'en' else text.replace('.', ',')}{NBSP}{_UNITS[language][unit]}"


def join_names(names: list[str], language: Language) -> str:
    """Write a list in a sentence.

    Example:
        >>> join_names(["Anne", "Bo", "Chi"], "fr")
        'Anne, Bo et Chi'
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {'and' if language == 'en' else 'et'} {names[-1]}"
