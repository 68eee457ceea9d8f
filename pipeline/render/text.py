"""The transcript as plain text: word for word, with who speaks and from when.

A document in, the text of a ``.txt`` file out. It is the verbatim transcript: the readable ones say that it lies beside
them.
"""

from __future__ import annotations

from pipeline.captions import label_text
from pipeline.formatting import format_clock
from pipeline.render.document import Document
from pipeline.render.passages import passages
from pipeline.types import Transcript
from pipeline.visible import visible_word


def write(document: Document) -> str:
    """Write a heading and the verbatim transcript."""
    heading = [document.title, " · ".join(document.facts), document.note("verbatim")]
    return "\n".join(line for line in heading if line) + "\n\n" + transcript_text(document.transcript)


def transcript_text(transcript: Transcript) -> str:
    """Return any transcript as text: ``[time] Name:`` before each passage, an empty line between paragraphs."""
    blocks: list[str] = []
    for passage in passages(transcript):
        name = "" if passage.name is None else f" {label_text(passage.name, transcript.language)}"
        texts = [" ".join(visible_word(word) for word in paragraph) for paragraph in passage.paragraphs]
        blocks += [f"[{format_clock(passage.start_ms)}]{name}\n{texts[0]}", *texts[1:]]
    return "".join(f"{block}\n\n" for block in blocks).rstrip("\n") + "\n"
