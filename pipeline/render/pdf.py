"""The edited transcript as a PDF that a screen reader can read: tagged, PDF/UA-1, for printing and keeping.

A document in, the bytes of a ``.pdf`` file out, set by Typst, which refuses to write a file that breaks the standard.
Whatever a person wrote reaches it as data beside the template, `transcript.typ`, and so is never markup. Only its own
fonts and ours are used: the same document gives the same bytes on any machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import typst
from fontTools.ttLib import TTFont

from pipeline import fonts
from pipeline.captions import speaker_name
from pipeline.formatting import format_clock
from pipeline.messages import message
from pipeline.render.document import Document
from pipeline.render.passages import Passage, passages, runs
from pipeline.types import Highlight, Word
from pipeline.visible import UNSHOWABLE, visible, visible_word

_FONTS: Final = Path(fonts.__file__).parent
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}\Z")


def write(document: Document) -> bytes:
    """Write a title, the highlights and the edited transcript."""
    template = files("pipeline.render").joinpath("transcript.typ").read_bytes()
    return typst.compile(  # type: ignore[misc]  # its stub asks for a type that nothing could tell
        template,
        font_paths=[str(_FONTS)],
        ignore_system_fonts=True,
        sys_inputs={"given": json.dumps(_given(document))},
        pdf_standards=["ua-1"],
    )


def _given(document: Document) -> dict[str, Any]:
    """Return everything that the template shows, as it is to be shown."""
    title, language = document.session.title.find(document.language)
    found = passages(document.edited.transcript, document.chapters)
    untitled = found and found[0].chapter is None
    return {
        "title": _drawn(document.title) or document.session.id,
        "heading": _run(language, _drawn(title), document) if _drawn(title) else ["en", document.session.id],
        "made_by": _drawn(document.provenance.tool),
        "facts": _drawn(" · ".join(document.facts)),
        "note": _drawn(document.note("edited")),
        "language": document.language,
        "highlights_title": message("render.highlights", document.language),
        "highlights": [_quotation(highlight, document) for highlight in document.highlights],
        "transcript_title": message("render.transcript", document.language) if untitled else None,
        "passages": [_passage(passage, document) for passage in found],
    }


def _quotation(highlight: Highlight, document: Document) -> dict[str, Any]:
    name = speaker_name(document.edited.transcript, highlight.speaker)
    return {
        "runs": _runs(highlight.words, document),
        "name": _drawn(name or ""),
        "at": _moment(highlight.start_ms, document),
    }


def _passage(passage: Passage, document: Document) -> dict[str, Any]:
    chapter = passage.chapter
    return {
        "chapter": _run(chapter.language, _drawn(chapter.title) or UNSHOWABLE, document) if chapter else None,
        "name": _drawn(passage.name or ""),
        "at": _moment(passage.start_ms, document),
        "paragraphs": [_runs(paragraph, document) for paragraph in passage.paragraphs],
    }


def _moment(ms: int, document: Document) -> dict[str, str | None]:
    return {"clock": format_clock(ms), "address": document.moment(ms)}


def _runs(words: Sequence[Word], document: Document) -> list[list[str]]:
    return [
        _run(language, _drawn(" ".join(visible_word(word) for word in said)), document)
        for language, said in runs(words)
    ]


def _run(language: str, text: str, document: Document) -> list[str]:
    """Return words with their language, or the document's where that is the name of none."""
    return [language if _LANGUAGE.match(language) else document.language, text]


def _drawn(text: str) -> str:
    """Return what can be shown of a text and drawn with our font; the standard allows no letter that is missing."""
    known = _characters()
    return "".join(letter if ord(letter) in known else UNSHOWABLE for letter in visible(text))


@cache
def _characters() -> frozenset[int]:
    with TTFont(_FONTS / "DejaVuSans.ttf", lazy=True) as font:
        return frozenset(font.getBestCmap())
