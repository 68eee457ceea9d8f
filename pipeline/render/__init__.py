"""Every kind of file that a session's words are published as: one module a format, one line each below.

In comes a `Document`; out goes a file. Captions and the text file say what was said, word for word;
Markdown and HTML are for reading and hold the edited transcript; JSON is the source of truth. It stands alone so that
whoever publishes files need not know what is in them. See docs/decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.render import chapters, comparison, docx, html, json, markdown, pdf, schema, srt, text, ttml, webvtt, wet
from pipeline.render.document import CaptionFile, Document, Format

__all__ = ["FORMATS", "CaptionFile", "Document", "Format"]


def _of_captions(write: Callable[[CaptionFile], str]) -> Callable[[Document], str]:
    return lambda document: write(document.captions)


_ALL: Final = (
    Format(
        name="webvtt",
        role="captions",
        extension=".vtt",
        content_type="text/vtt; charset=utf-8",
        write=_of_captions(webvtt.write),
    ),
    Format(
        name="srt",
        role="captions",
        extension=".srt",
        content_type="application/x-subrip; charset=utf-8",
        write=_of_captions(srt.write),
    ),
    Format(
        name="ttml",
        role="captions",
        extension=".ttml",
        content_type="application/ttml+xml; charset=utf-8",
        write=_of_captions(ttml.write),
    ),
    Format(
        name="wet",
        role="captions",
        extension=".wet.html",
        content_type="text/html; charset=utf-8",
        write=_of_captions(wet.write),
    ),
    Format(
        name="text", role="transcript", extension=".txt", content_type="text/plain; charset=utf-8", write=text.write
    ),
    Format(
        name="markdown",
        role="transcript",
        extension=".md",
        content_type="text/markdown; charset=utf-8",
        write=markdown.write,
    ),
    Format(
        name="html", role="transcript", extension=".html", content_type="text/html; charset=utf-8", write=html.write
    ),
    Format(
        name="docx",
        role="transcript",
        extension=".docx",
        content_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        write=docx.write,
    ),
    Format(name="pdf", role="transcript", extension=".pdf", content_type="application/pdf", write=pdf.write),
    Format(name="json", role="transcript", extension=".json", content_type="application/json", write=json.write),
    Format(
        name="chapters",
        role="chapters",
        extension=".vtt",
        content_type="text/vtt; charset=utf-8",
        write=chapters.write,
        applies=lambda document: bool(document.chapters),
    ),
    Format(
        name="comparison",
        role="comparison",
        extension=".html",
        content_type="text/html; charset=utf-8",
        write=comparison.write,
    ),
    Format(name="schema", role="schema", extension=".json", content_type="application/schema+json", write=schema.write),
)

FORMATS: Final[dict[str, Format]] = {each.name: each for each in _ALL}
"""Every format by name, in the order that a reader meets them."""
