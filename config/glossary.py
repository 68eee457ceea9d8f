"""Read the glossary of the house, which an institution may change: config/glossary, one file a language.

In comes a language; out go its terms as the library takes them. It stands alone because the library reads no settings:
whoever calls it hands the terms over.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from pipeline.glossary import GlossaryTerm
from pipeline.types import LANGUAGES, Language


@cache
def load(language: Language) -> tuple[GlossaryTerm, ...]:
    """Read the terms of one language, acronyms first.

    Raises:
        ValueError: A term is spelled oddly, or nothing says where it is meant.

    Example:
        >>> next(term.near for term in load("en") if term.text == "CRA")
        ('Canada', 'Revenue', 'Agency')
    """
    text = (files("config") / "glossary" / f"{language}.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    acronyms = {name: (tuple(entry["long"].split()), entry) for name, entry in tables["acronyms"].items()}
    names = {name: (tuple(entry["near"]), entry) for name, entry in tables["names"].items()}
    return tuple(
        GlossaryTerm(text=name, language=language, near=near, heard=tuple(entry.get("heard", ())))
        for name, (near, entry) in (*acronyms.items(), *names.items())
    )


def load_all() -> tuple[GlossaryTerm, ...]:
    """Read the terms of every language."""
    return tuple(term for language in LANGUAGES for term in load(language))
