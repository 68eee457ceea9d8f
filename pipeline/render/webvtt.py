"""WebVTT captions, which browsers show.

A document in, the text of a ``.vtt`` file out, written through webvtt-py. Each cue is a voice span with the speaker's
full name, for players that style or filter by voice. Browsers show nothing of that name, so the label is in the text as
well where the speaker changes, as an element of class ``speaker`` that a style sheet can reach. The library escapes
nothing, so that is done here.
"""

from __future__ import annotations

import re
from typing import Final

from webvtt import Caption, WebVTT

from pipeline.captions import label_text, speaker_name
from pipeline.render.clock import timestamp
from pipeline.render.document import Document
from pipeline.types import Cue
from pipeline.visible import visible, visible_word

SPEAKER_CLASS: Final = "speaker"
"""Class of the label's element in a cue; everything else in it are words."""

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\Z")


def write(document: Document) -> str:
    """Write WebVTT with voice spans, language spans and a note that says what made it."""
    captions = [
        Caption(
            start=timestamp(cue.start_ms, "."),
            end=timestamp(cue.end_ms, "."),
            text=_payload(cue, document),
            identifier=cue.id,
        )
        for cue in document.cues
    ]
    return WebVTT(captions=captions, header_comments=[_note(document)]).content


def _note(document: Document) -> str:
    lines = [document.title, " · ".join(document.facts), document.note("captions"), document.origin]
    # An arrow would end the comment and start a cue.
    return "\n".join(visible(line).replace("-->", "--›") for line in lines if line)


def _payload(cue: Cue, document: Document) -> list[str]:
    lines = [" ".join(visible_word(word) for word in line).translate(_ESCAPES) for line in cue.lines]
    if cue.language != document.language and _LANGUAGE.match(cue.language):
        lines[0] = f"<lang {cue.language}>{lines[0]}"
        lines[-1] += "</lang>"
    if cue.label is not None:
        label = label_text(cue.label, document.language).translate(_ESCAPES)
        lines[0] = f"<c.{SPEAKER_CLASS}>{label}</c>{chr(10) if cue.label_alone else ' '}{lines[0]}"
    name = speaker_name(document.transcript, cue.speaker)
    if name is not None:
        lines[0] = f"<v {name.translate(_ESCAPES)}>{lines[0]}"
    return "\n".join(lines).split("\n")
