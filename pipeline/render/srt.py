"""SubRip captions, which every player and editor takes.

Captions in, the text of an ``.srt`` file out; the same text is embedded in the MP4. The format has no escaping, and
players take what looks like markup for markup. So whatever a person wrote is made inert: angle brackets, braces and
back-slashes become their plainest harmless likes, and so does the decimal comma of what looks like a cue's time.
Nothing else of a word changes.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.captions import shown_lines
from pipeline.render.clock import timestamp
from pipeline.render.document import CaptionFile

_INERT: Final = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "\\": "/"})
_TIME: Final = re.compile(r"(\d:\d{1,2}:\d{1,2})[.,](?=\d)")


def write(captions: CaptionFile) -> str:
    """Write SubRip: numbered from 1, decimal commas, ``Name:`` where the speaker changes, no markup."""
    blocks = []
    for number, cue in enumerate(captions.cues, 1):
        times = f"{timestamp(cue.start_ms, ',')} --> {timestamp(cue.end_ms, ',')}"
        blocks.append("\n".join([str(number), times, *map(inert, shown_lines(cue, captions.typography))]))
    return "".join(f"{block}\n\n" for block in blocks)


def inert(text: str) -> str:
    """Return text that no player takes for markup, a time or a style.

    Example:
        >>> inert("<i>1 --> 2</i>")
        '‹i›1 --› 2‹/i›'
    """
    # Some readers take any two times on a line for a cue's; edit decks write a frame's time with a semicolon.
    return _TIME.sub(r"\1;", text.translate(_INERT))
