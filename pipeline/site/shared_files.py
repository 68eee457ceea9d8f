"""The files that every learner page needs: one style sheet, the scripts, the icon.

Takes what lies in ``styles/`` and ``assets/`` beside this file and returns it as it is published. The style sheet is
one file for browsers and several for people: each part of a page has its own, all made of the variables in the
first. Stands alone because the review pages are of the same house and share the style sheet.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Final

from pipeline.site.model import SiteFile

_STYLES: Final = ("variables", "base", "player", "session", "transcript", "catalogue", "heard", "print")
"""The parts of the style sheet, in their order: what comes later may narrow what came before."""
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def style_sheet() -> bytes:
    """Return the style sheet of every page, ``site.css``."""
    folder = files("pipeline.site") / "styles"
    return b"\n".join((folder / f"{name}.css").read_bytes() for name in _STYLES)


def icon() -> bytes:
    """Return the icon of every page, ``icon.svg``."""
    return (files("pipeline.site") / "assets" / "icon.svg").read_bytes()


def read_shared_files() -> tuple[SiteFile, ...]:
    """Return the files that every page needs, in a folder named after the digest of them all."""
    own = [(entry.name, entry.read_bytes()) for entry in (files("pipeline.site") / "assets").iterdir()]
    found = sorted([*own, ("site.css", style_sheet())])
    digest = hashlib.sha256()
    for name, body in found:
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    folder = f"assets/{digest.hexdigest()[:12]}"
    return tuple(
        SiteFile(key=f"{folder}/{name}", body=body, content_type=_TYPES[name.rpartition(".")[2]])
        for name, body in found
    )
