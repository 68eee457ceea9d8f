"""WebVTT captions, which browsers show.

Captions in, the text of a ``.vtt`` file out, written through webvtt-py. Each cue is a voice span with the speaker's
full name, for players that style or filter by voice. Browsers show nothing of that name, so the label is in the text as
well where the speaker changes, as an element of class ``speaker`` that a style sheet can reach. The library escapes
nothing, so that is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from webvtt import Caption, WebVTT

from pipeline.captions import leads
from pipeline.render.clock import timestamp
from pipeline.render.document import LANGUAGE_TAG, CaptionFile
from pipeline.render.passages import runs
from pipeline.types import Cue, Line, Word
from pipeline.visible import visible, visible_word

SPEAKER_CLASS: Final = "speaker"
"""Class of the label's element in a cue; everything else in it are words."""

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def write(captions: CaptionFile) -> str:
    """Write WebVTT with voice spans, language spans and a note that says what made it."""
    written = [
        Caption(
            start=timestamp(cue.start_ms, "."),
            end=timestamp(cue.end_ms, "."),
            text=_payload(cue, captions),
            identifier=cue.id,
        )
        for cue in captions.cues
    ]
    # An arrow would end the comment and start a cue.
    note = "\n".join(visible(line).replace("-->", "--›") for line in captions.notes)
    return WebVTT(captions=written, header_comments=[note] if note else []).content


def _payload(cue: Cue, captions: CaptionFile) -> list[str]:
    """Return the lines of a cue's text: a voice span for each speaker in it."""
    names = dict(captions.names)
    pairs = zip(cue.lines, leads(cue, captions.typography), strict=True)
    voices = [tuple(group) for _, group in groupby(pairs, key=lambda pair: pair[0].speaker)]
    shown = []
    for voice in voices:
        text = "\n".join(_line(line, lead, captions.language) for line, lead in voice)
        name = names.get(voice[0][0].speaker)
        if name is not None:
            # Only a voice that has the cue for itself may be left open.
            text = f"<v {name.translate(_ESCAPES)}>{text}{'</v>' if len(voices) > 1 else ''}"
        shown += text.split("\n")
    return shown


def _line(line: Line, lead: str, main: str) -> str:
    words = " ".join(_language_span(language, words, main) for language, words in runs(line.words))
    space = " " * lead.endswith(" ")
    return f"<c.{SPEAKER_CLASS}>{lead.rstrip(' ').translate(_ESCAPES)}</c>{space}{words}" if lead else words


def _language_span(language: str, words: Sequence[Word], main: str) -> str:
    shown = " ".join(visible_word(word) for word in words).translate(_ESCAPES)
    return f"<lang {language}>{shown}</lang>" if language != main and LANGUAGE_TAG.match(language) else shown
