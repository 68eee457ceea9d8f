"""The edited transcript as Markdown, for those who write with it.

A document in, the text of an ``.md`` file out, in CommonMark. Whatever a person wrote is escaped so that it reads as
written and is neither markup, nor HTML, nor a formula, nor a link of its own making.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipeline.captions import label_text, speaker_name
from pipeline.formatting import format_clock
from pipeline.messages import message
from pipeline.render.document import Document
from pipeline.render.passages import passages
from pipeline.types import Chapter, Transcript
from pipeline.visible import visible, visible_word

_MARKUP: Final = re.compile(r"[\\`*_\[\]<>&#|~$!]")
_LINE_START: Final = re.compile(r"^(?:(\d{1,9})([.)])|([-+=:]))")


def write(document: Document) -> str:
    """Write a heading, a note and the edited transcript."""
    heading = [f"# {escaped(document.title)}", escaped(" · ".join(document.facts)), f"> {_note(document)}"]
    blocks = [line for line in heading if line] + _highlights(document)
    return "\n\n".join(blocks) + "\n\n" + transcript_markdown(document.edited.transcript, document.chapters)


def transcript_markdown(transcript: Transcript, chapters: Sequence[Chapter] = ()) -> str:
    """Return any transcript as Markdown: name in bold and time before each passage, chapters as headings."""
    blocks: list[str] = []
    for passage in passages(transcript, chapters):
        if passage.chapter is not None:
            blocks.append(f"## {escaped(passage.chapter.title)}")
        name = "" if passage.name is None else f"**{escaped(label_text(passage.name, transcript.language))}** "
        blocks.append(f"{name}({format_clock(passage.start_ms)})")
        blocks += [escaped(" ".join(visible_word(word) for word in paragraph)) for paragraph in passage.paragraphs]
    return "".join(f"{block}\n\n" for block in blocks).rstrip("\n") + "\n"


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is.

    Example:
        >>> escaped("1. *not* a <list>")
        '1\\. \\*not\\* a \\<list\\>'
    """
    text = _MARKUP.sub(lambda mark: f"\\{mark[0]}", visible(text))
    return _LINE_START.sub(lambda start: f"{start[1] or ''}\\{start[2] or start[3]}", text)


def _highlights(document: Document) -> list[str]:
    """Return a heading and each highlight as a quotation with who said it and when."""
    if not document.highlights:
        return []
    blocks = [f"## {escaped(message('render.highlights', document.language))}"]
    for highlight in document.highlights:
        name = speaker_name(document.edited.transcript, highlight.speaker)
        clock, address = format_clock(highlight.start_ms), document.moment(highlight.start_ms)
        time = clock if address is None else f"[{clock}](<{address}>)"
        who = "" if name is None else f"**{escaped(name)}** "
        blocks.append(f"> {escaped(' '.join(map(visible_word, highlight.words)))}\n>\n> {who}({time})")
    return blocks


def _note(document: Document) -> str:
    return escaped(document.note("edited"))
