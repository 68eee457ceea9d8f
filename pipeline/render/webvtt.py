"""WebVTT captions, which browsers show.

A document in, the text of a ``.vtt`` file out, written through webvtt-py. Each cue is a voice span with the speaker's
full name, for players that style or filter by voice. Browsers show nothing of that name, so the label is in the text as
well where the speaker changes, as an element of class ``speaker`` that a style sheet can reach. The library escapes
nothing, so that is done here.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from webvtt import Caption, WebVTT

from pipeline.captions import line_lead, shown_words, speaker_name
from pipeline.render.clock import timestamp
from pipeline.render.document import Document
from pipeline.types import Cue, Line
from pipeline.visible import visible

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
    lines = [document.title, " · ".join(document.facts), document.note("captions"), document.session.id]
    # An arrow would end the comment and start a cue.
    return "\n".join(visible(line).replace("-->", "--›") for line in lines if line)


def _payload(cue: Cue, document: Document) -> list[str]:
    """Return the lines of a cue's text: a voice span for each speaker in it."""
    voices = [tuple(lines) for _, lines in groupby(cue.lines, key=lambda line: line.speaker)]
    shown = []
    for lines in voices:
        text = "\n".join(_line(line, cue, document) for line in lines)
        name = speaker_name(document.transcript, lines[0].speaker)
        if name is not None:
            # Only a voice that has the cue for itself may be left open.
            text = f"<v {name.translate(_ESCAPES)}>{text}{'</v>' if len(voices) > 1 else ''}"
        shown += text.split("\n")
    return shown


def _line(line: Line, cue: Cue, document: Document) -> str:
    words = shown_words(line).translate(_ESCAPES)
    if words and line.language != document.language and _LANGUAGE.match(line.language):
        words = f"<lang {line.language}>{words}</lang>"
    lead = line_lead(line, cue, document.language).translate(_ESCAPES)
    space = " " * lead.endswith(" ")
    return f"<c.{SPEAKER_CLASS}>{lead.rstrip(' ')}</c>{space}{words}" if lead else words
