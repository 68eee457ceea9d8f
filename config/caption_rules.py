"""Read the caption rules that an institution may change: config/captions, one file a language.

In comes a language and maybe a profile; out go the checked `CaptionRules` that the library lays captions out by. It
stands alone because the library reads no settings: whoever calls it hands the rules over.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pipeline.caption_rules import CaptionRules, WordLists
from pipeline.errors import SetUpError
from pipeline.types import LANGUAGES, Language


@cache
def load(language: Language, profile: str | None = None) -> CaptionRules:
    """Read the rules of one language.

    Args:
        language: Which file.
        profile: A table under ``profiles`` whose figures replace the usual ones.

    Raises:
        SetUpError: The file has no such profile.

    Example:
        >>> load("fr").characters_per_second, load("fr", "learner").words_per_minute
        (17, 160)
    """
    text = (files("config") / "captions" / f"{language}.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    figures = _figures(tables["rules"]) | _figures(_profile(tables, language, profile))
    words = {kind: frozenset(listed) for kind, listed in tables["words"].items()}
    return CaptionRules(**figures, words=WordLists(**words))


def load_all(profile: str | None = None) -> dict[str, CaptionRules]:
    """Read the rules of every language, by language.

    Raises:
        SetUpError: A file has no such profile.
    """
    return {language: load(language, profile) for language in LANGUAGES}


def _profile(tables: Mapping[str, Any], language: str, profile: str | None) -> Mapping[str, Any]:
    profiles: Mapping[str, Mapping[str, Any]] = tables.get("profiles", {})
    if profile is None:
        return {}
    if profile not in profiles:
        data = {"profile": profile, "language": language, "known": ", ".join(sorted(profiles))}
        raise SetUpError("render.unknown_profile", data)
    return profiles[profile]


def _figures(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry["value"] for name, entry in table.items()}
