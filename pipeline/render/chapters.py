"""Chapters as WebVTT, which players make a menu of.

A document in, the text of a ``.vtt`` file out, in a file of its own as the standard asks: its cues are no captions, and
each holds a title as plain text. It is written through webvtt-py, which escapes nothing, so that is done here.
"""

from __future__ import annotations

from webvtt import Caption, WebVTT

from pipeline.render.clock import timestamp
from pipeline.render.document import Document
from pipeline.render.webvtt import escaped
from pipeline.visible import UNSHOWABLE, visible


def write(document: Document) -> str:
    """Write one cue a chapter, from where it begins to where the next one does."""
    chapters = [
        Caption(
            start=timestamp(chapter.start_ms, "."),
            end=timestamp(chapter.end_ms, "."),
            text=escaped(visible(chapter.title) or UNSHOWABLE),
            identifier=str(number),
        )
        for number, chapter in enumerate(document.chapters, 1)
    ]
    return WebVTT(captions=chapters).content
