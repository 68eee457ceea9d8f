"""Read the caption rules that an institution may change: config/captions, one file a language, and profiles.

In comes a language and maybe a profile, one of ours or a file of the institution's; out go the checked `CaptionRules`
that the library lays captions out by. It stands alone because the library reads no settings: whoever calls it hands the
rules over.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pipeline.caption_rules import CaptionRules, WordLists
from pipeline.errors import SetUpError
from pipeline.types import LANGUAGES, Language

_OWN: Final = ".toml"


@cache
def load(language: Language, profile: str | None = None) -> CaptionRules:
    """Read the rules of one language.

    Args:
        language: Which file.
        profile: What replaces some of the usual figures: a table under ``profiles``, or the path of a TOML file with a
            table for each language. A language that it says nothing of keeps the usual ones.

    Raises:
        SetUpError: No language has such a profile, the file cannot be read, or a figure in it is none.

    Example:
        >>> load("fr").characters_per_second, load("fr", "learner").words_per_minute
        (17, 160)
    """
    tables = _shipped(language)
    words = {kind: frozenset(listed) for kind, listed in tables["words"].items()}
    usual = CaptionRules(**_figures(tables["rules"]), words=WordLists(**words))
    try:
        return replace(usual, **_figures(_profile(language, profile))) if profile else usual
    except (KeyError, TypeError, ValueError, OSError) as wrong:
        raise SetUpError("render.profile_wrong", {"profile": profile or "", "detail": str(wrong)}) from wrong


def load_all(profile: str | None = None) -> dict[str, CaptionRules]:
    """Read the rules of every language, by language.

    Raises:
        SetUpError: See :func:`load`.
    """
    return {language: load(language, profile) for language in LANGUAGES}


def _shipped(language: Language) -> dict[str, Any]:
    return tomllib.loads((files("config") / "captions" / f"{language}.toml").read_text(encoding="utf-8"))


def _profile(language: Language, profile: str) -> Mapping[str, Any]:
    if profile.endswith(_OWN):
        own = tomllib.loads(Path(profile).expanduser().read_text(encoding="utf-8"))
        if unknown := own.keys() - set(LANGUAGES):
            raise KeyError(", ".join(sorted(unknown)))
        return dict(own.get(language, {}))
    profiles = {each: _shipped(each).get("profiles", {}) for each in LANGUAGES}
    known = sorted({name for tables in profiles.values() for name in tables})
    if profile not in known:
        raise SetUpError("render.unknown_profile", {"profile": profile, "known": ", ".join(known)})
    return dict(profiles[language].get(profile, {}))


def _figures(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry["value"] for name, entry in table.items()}
