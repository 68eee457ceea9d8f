"""What a file's name says: how to show it, and what it tells about the session.

A name comes in as a facilitator, a meeting program or an attacker wrote it; out come a form that is safe to print and
the title, date, week and languages that people put into names. It stands alone because every room that shows or reads a
name must treat it the same way, and because none of it touches the disk.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from pipeline.types import Bilingual, Language

TITLE_LENGTH: Final = 200
"""Characters of a title made from a name; longer ones are cut at a word."""

_MARKS: Final = '"“”‘«»()[].,;:!?…-–— \u00a0\u202f'
_SLUG_LENGTH: Final = 60
_INVISIBLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SURROGATE_ESCAPES: Final = range(0xDC80, 0xDD00)
_LANGUAGE_WORDS: Final[dict[str, Language]] = {
    "en": "en",
    "eng": "en",
    "english": "en",
    "anglais": "en",
    "fr": "fr",
    "fra": "fr",
    "fre": "fr",
    "french": "fr",
    "francais": "fr",
}
_DATE: Final = re.compile(
    r"(?<!\d)(?:gmt|utc)?(?P<y>(?:19|20)\d\d)(?P<gap>[-_. ]?)(?P<m>\d\d)(?P=gap)(?P<d>\d\d)(?!\d)"
    r"(?:[-_. t]{1,3}\d\d[-_.h: ]?\d\d(?:[-_.m: ]?\d\d)?(?![\dx]))?",
    re.IGNORECASE,
)
_WEEK: Final = re.compile(r"(?<![^\W_])(?:week|wk|semaine|sem)[-_. #]*(?P<n>\d{1,2})(?!\d)", re.IGNORECASE)
_PICTURE_SIZE: Final = re.compile(r"(?<!\d)\d{3,4}x\d{3,4}(?!\d)", re.IGNORECASE)
_LAST_LANGUAGE: Final = re.compile(r"(?P<before>[-_. ([+&]+)(?P<word>[^\W\d_]{2,8})[\])]?\Z")


def printable(name: str) -> str:
    r"""Return a name as it can be shown anywhere: on one line, in one direction, in valid Unicode.

    Control characters, line breaks, direction marks and bytes that are no UTF-8 become visible escapes.

    Example:
        >>> printable("a\nb\u202egpj.mp4")
        'a\\x0ab\\u202egpj.mp4'
        >>> printable("caf\udce9.mp4")
        'caf\\xe9.mp4'
    """
    return "".join(_shown(character) for character in name)


def _shown(character: str) -> str:
    number = ord(character)
    if number in _SURROGATE_ESCAPES:
        return f"\\x{number - 0xDC00:02x}"
    if character in _DIRECTIONS or unicodedata.category(character) in _INVISIBLE:
        return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
    return character


def plain(text: str) -> str:
    """Return a text in lower case, without accents and with straight apostrophes, to compare what people type.

    Example:
        >>> plain("Mots-Clés"), plain("L’ÉTÉ")
        ('mots-cles', "l'ete")
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def letters(text: str) -> str:
    """Return the letters and digits of a text in lower case without accents.

    Example:
        >>> letters("Marie-Ève!")
        'marieeve'
    """
    return "".join(character for character in plain(text) if character.isalnum())


def is_called(name: str, thing: Bilingual) -> bool:
    """Say whether something has a name, in either language; capitals make no difference.

    Example:
        >>> is_called("CAFÉ", Bilingual(fr="Café")), is_called("", Bilingual(fr="Café"))
        (True, False)
    """
    return name.casefold() in {own.casefold() for own in (thing.en, thing.fr) if own}


def language_named(text: str) -> Language | None:
    """Return the language that a word names, in English or French or as a code; ``None`` for any other word.

    Example:
        >>> language_named("Français"), language_named("eng"), language_named("Gaelic")
        ('fr', 'en', None)
    """
    return _LANGUAGE_WORDS.get(plain(text.strip()))


def without_marks(text: str) -> str:
    """Return a word without the marks around it.

    Example:
        >>> without_marks("« (Anna), »"), without_marks("l’été…")
        ('Anna', 'l’été')
    """
    return text.strip(_MARKS)


def slug(text: str) -> str:
    """Return the letters and digits of a plain text as a part of an address, in lower case; empty where it has none.

    Example:
        >>> slug("ethique & ia")
        'ethique-ia'
    """
    return "-".join(re.findall("[a-z0-9]+", text.lower()))[:_SLUG_LENGTH].strip("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class NameHints:
    """What a file name tells.

    Attributes:
        title: What is left of it when the rest is taken out; never empty, at most ``TITLE_LENGTH`` characters.
        date: A day in ISO order, with or without separators.
        week: 1 to 53.
        languages: In order of mention at the end of the name, each once; often empty.
    """

    title: str
    date: dt.date | None = None
    week: int | None = None
    languages: tuple[Language, ...] = ()


def name_hints(name: str) -> NameHints:
    """Read a recording's file name.

    Args:
        name: The file name with its extension, as dropped or printable.

    Example:
        >>> name_hints("2026-03-14_semaine-3_éthique_des_données_fr.mp4")
        NameHints(title='Éthique des données', date=datetime.date(2026, 3, 14), week=3, languages=('fr',))
    """
    stem = unicodedata.normalize("NFC", printable(PurePosixPath(name).stem))
    rest, languages = _take_languages(stem)
    rest, date = _take_date(rest)
    without_week, week = _take_week(_PICTURE_SIZE.sub(" ", rest))
    title = _tidy(without_week) or _tidy(rest) or (date.isoformat() if date else stem.strip()) or "Session"
    return NameHints(title=title, date=date, week=week, languages=languages)


def _take_languages(text: str) -> tuple[str, tuple[Language, ...]]:
    found: list[Language] = []
    while match := _LAST_LANGUAGE.search(text):
        word, before = match["word"], match["before"]
        language = language_named(word)
        # "en" is also a French preposition: after a mere space only a code in capitals is meant as a language.
        if language is None or (before == " " and not word.isupper()):
            break
        found.insert(0, language)
        text = text[: match.start()]
    return text, tuple(dict.fromkeys(found))


def _take_date(text: str) -> tuple[str, dt.date | None]:
    for match in _DATE.finditer(text):
        try:
            date = dt.date(int(match["y"]), int(match["m"]), int(match["d"]))
        except ValueError:
            continue
        return f"{text[: match.start()]} {text[match.end() :]}", date
    return text, None


def _take_week(text: str) -> tuple[str, int | None]:
    match = _WEEK.search(text)
    if match is None or not 1 <= int(match["n"]) <= 53:
        return text, None
    return f"{text[: match.start()]} {text[match.end() :]}", int(match["n"])


def _tidy(text: str) -> str:
    spaced = re.sub(r"[_+]+", " ", text)
    if " " not in spaced.strip():
        spaced = re.sub(r"(?<=\w)[-.](?=\w)", " ", spaced)
    spaced = re.sub(r"\(\s*\)|\[\s*\]", " ", spaced)
    spaced = re.sub(r"(?:\s+[-–]+|[-–]+\s+)[\s–-]*", " – ", spaced)
    title = " ".join(spaced.split()).strip(" -–—_.,;:&")
    if len(title) > TITLE_LENGTH:
        title = title[:TITLE_LENGTH].rsplit(" ", 1)[0] + "…"
    return title[:1].upper() + title[1:] if title.islower() else title
