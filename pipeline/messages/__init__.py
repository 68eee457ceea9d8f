"""Every text that a person reads, in both languages, kept as data.

One TOML file a room, one table a message, ``en`` and ``fr`` side by side so that a translator sees both. Placeholders
are ``{named}``. A message is found by ``<file>.<key>``: ``intake.empty`` is ``[empty]`` in ``intake.toml``.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

from pipeline.types import Language

_FOLDER: Final = files(__package__)


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return every message by code, each with its ``en`` and ``fr`` text."""
    found: dict[str, dict[str, str]] = {}
    for entry in sorted(_FOLDER.iterdir(), key=lambda item: item.name):
        room, dot, extension = entry.name.rpartition(".")
        if dot and extension == "toml":
            tables = tomllib.loads(entry.read_text(encoding="utf-8"))
            found.update({f"{room}.{key}": texts for key, texts in tables.items()})
    return found


def message(code: str, language: Language, /, **data: object) -> str:
    """Return the text of a message with its placeholders filled.

    Args:
        code: ``<room>.<key>``.
        language: The reader's.
        data: A value for each placeholder; values are inserted as they are and escaped by whoever renders them.

    Raises:
        KeyError: No such message, or a placeholder without a value.
    """
    return catalogue()[code][language].format_map(data)
