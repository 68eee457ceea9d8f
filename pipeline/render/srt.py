"""SubRip captions, which every player and editor takes.

Captions in, the text of an ``.srt`` file out, and the way back; the same text is embedded in the MP4. The format has no
escaping, and players take what looks like markup for markup. So whatever a person wrote is made inert: angle brackets,
braces and back-slashes become their plainest harmless likes, and so does the decimal comma of what looks like a cue's
time.
Nothing else of a word changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipeline.captions import shown_lines
from pipeline.render.clock import timestamp
from pipeline.render.document import CaptionFile
from pipeline.render.reading import Piece, ReadCue, ReadFile

_INERT: Final = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "\\": "/"})
_MARKUP: Final = re.compile(r"</?(?:i|b|u|s|font)\b[^<>]*>|\{\\[^{}]*\}", re.IGNORECASE)
_TIMES: Final = re.compile(r"\s*(\d+):(\d+):(\d+)[,.](\d{1,3})\s*-->\s*(\d+):(\d+):(\d+)[,.](\d{1,3})(?:\s.*)?\Z")
_TIME: Final = re.compile(r"(\d:\d{1,2}:\d{1,2})[.,](?=\d)")


def write(captions: CaptionFile) -> str:
    """Write SubRip: numbered from 1, decimal commas, ``Name:`` where the speaker changes, no markup."""
    blocks = []
    for number, cue in enumerate(captions.cues, 1):
        times = f"{timestamp(cue.start_ms, ',')} --> {timestamp(cue.end_ms, ',')}"
        blocks.append("\n".join([str(number), times, *map(inert, shown_lines(cue, captions.typography))]))
    return "".join(f"{block}\n\n" for block in blocks)


def read(text: str) -> ReadFile:
    """Read SubRip: a caption is what follows two times, whatever lies between it and the next."""
    lines = text.split("\n")
    times = {at: found for at, line in enumerate(lines) if (found := _TIMES.match(line))}
    following = (*list(times)[1:], None)
    return ReadFile(
        cues=tuple(
            _read_cue(found, lines[at + 1 : next_at], last=next_at is None)
            for (at, found), next_at in zip(times.items(), following, strict=False)
        )
    )


def _read_cue(times: re.Match[str], lines: Sequence[str], *, last: bool) -> ReadCue:
    """Return one caption; the number of the next one is not its text."""
    figures = times.groups()
    shown = lines if last or not lines or not lines[-1].strip().isdecimal() else lines[:-1]
    return ReadCue(
        start_ms=_ms(figures[:4]),
        end_ms=_ms(figures[4:]),
        lines=tuple((Piece(text=_MARKUP.sub("", part)),) for line in shown for part in line.split("\\N")),
    )


def _ms(figures: Sequence[str]) -> int:
    hours, minutes, seconds, decimals = figures
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(decimals.ljust(3, "0"))


def inert(text: str) -> str:
    """Return text that no player takes for markup, a time or a style.

    Example:
        >>> inert("<i>1 --> 2</i>")
        '‹i›1 --› 2‹/i›'
    """
    # Some readers take any two times on a line for a cue's; edit decks write a frame's time with a semicolon.
    return _TIME.sub(r"\1;", text.translate(_INERT))
