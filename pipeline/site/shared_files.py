"""The files that every learner page needs: one style sheet, the scripts, the icon.

Takes what lies in ``styles/`` and ``assets/`` beside this file, with the player's texts, and returns it as it is
published. The style sheet is one file for browsers and several for people: each part of a page has its own, all made of
the variables that a theme gives their values. Stands alone because the review pages are of the same house and share the
style sheet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from pipeline.site.model import Look, SiteFile
from pipeline.site.player_texts import player_script
from pipeline.types import LANGUAGES

_THEMES: Final[Mapping[Look, tuple[str, ...]]] = {
    "neutral": ("themes/neutral",),
    "gc": ("themes/gcds-tokens", "themes/gc"),
}
_STYLES: Final = ("variables", "base", "player", "session", "transcript", "catalogue", "search", "heard", "print")
"""The parts of the style sheet, in their order: what comes later may narrow what came before."""
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}


def style_sheet(theme: Look = "neutral") -> bytes:
    """Return the style sheet of every page, ``site.css``, in the looks of that theme."""
    folder = files("pipeline.site") / "styles"
    return b"\n".join((folder / f"{name}.css").read_bytes() for name in (*_THEMES[theme], *_STYLES))


def icon() -> bytes:
    """Return the icon of every page, ``icon.svg``."""
    return (files("pipeline.site") / "assets" / "icon.svg").read_bytes()


def read_shared_files(theme: Look = "neutral") -> tuple[SiteFile, ...]:
    """Return the files that every page needs, in a folder named after the digest of them all.

    Args:
        theme: Whose variables the style sheet has.
    """
    own = [(entry.name, entry.read_bytes()) for entry in (files("pipeline.site") / "assets").iterdir()]
    players = [(f"player.{language}.js", player_script(language)) for language in LANGUAGES]
    found = sorted([*own, *players, ("site.css", style_sheet(theme))])
    digest = hashlib.sha256()
    for name, body in found:
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    folder = f"assets/{digest.hexdigest()[:12]}"
    return tuple(
        SiteFile(key=f"{folder}/{name}", body=body, content_type=_TYPES[name.rpartition(".")[2]])
        for name, body in found
    )
