"""Captions as the Web Experience Toolkit's player reads them, which Canada.ca's pages are made with.

Captions in, the text of a page out in which each caption is an element of class ``wb-tmtxt`` with ``data-begin`` and
``data-dur``, in seconds. The player shows its content as HTML, so a line break, a language and a label go along as
elements. It stands alone because that player, and what it does to a page before it reads it, is like no other.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from pipeline.captions import leads
from pipeline.messages import message
from pipeline.render.document import CaptionFile
from pipeline.render.passages import runs
from pipeline.types import Cue, Line, Word
from pipeline.visible import visible, visible_word


def write(captions: CaptionFile) -> str:
    """Write a page of captions, to be named in the ``track`` element of a player of that toolkit."""
    notes = [_escaped(note) for note in captions.notes]
    title = notes[0] if notes else message("site.download_captions", captions.typography)
    # The player takes captions from below the topmost elements of the page only.
    head = "".join(f"<p>{note}</p>\n" for note in notes)
    body = "".join(f"<p>{_cue(cue, captions)}</p>\n" for cue in captions.cues)
    return (
        f'<!DOCTYPE html>\n<html lang="{_escaped(captions.language)}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{title}</title>\n</head>\n<body>\n<main>\n{head}{body}</main>\n</body>\n</html>\n"
    )


def _cue(cue: Cue, captions: CaptionFile) -> str:
    pairs = zip(cue.lines, leads(cue, captions.typography), strict=True)
    lines = "<br>".join(_line(line, lead, captions.language) for line, lead in pairs)
    times = f'data-begin="{_seconds(cue.start_ms)}" data-dur="{_seconds(cue.duration_ms)}"'
    return f'<span class="wb-tmtxt" {times}>{lines}</span>'


def _seconds(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03d}s"


def _line(line: Line, lead: Sequence[str], main: str) -> str:
    told = "".join(f'<span class="speaker">{_escaped(part)}</span>{" " * part.endswith(" ")}' for part in lead)
    return told + " ".join(_words(language, words, main) for language, words in runs(line.words))


def _words(language: str, words: Sequence[Word], main: str) -> str:
    text = _escaped(" ".join(visible_word(word) for word in words))
    return text if language == main else f'<span lang="{_escaped(language)}">{text}</span>'


def _escaped(text: str) -> str:
    # The player first deletes everything from this word and a space to the next ">": no words may look like that.
    return html.escape(visible(text), quote=True).replace("object ", "object&#32;")
