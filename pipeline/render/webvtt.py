"""WebVTT captions, which browsers show.

Captions in, the text of a ``.vtt`` file out, and the way back, through webvtt-py. Each cue is a voice span with the
speaker's full name, for players that style or filter by voice. Browsers show nothing of that name, so the label is in
the text as well where the speaker changes, as an element of class ``speaker`` that a style sheet can reach. The library
escapes nothing, so that is done here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from webvtt import Caption, WebVTT
from webvtt.errors import MalformedCaptionError, MalformedFileError

from pipeline.captions import leads
from pipeline.errors import CaptionsInvalid
from pipeline.render.clock import timestamp
from pipeline.render.document import LANGUAGE_TAG, CaptionFile
from pipeline.render.passages import runs
from pipeline.render.reading import Piece, ReadCue, ReadFile
from pipeline.types import Cue, Line, Word
from pipeline.visible import visible, visible_word

SPEAKER_CLASS: Final = "speaker"
"""Class of the elements of a dash and a label in a cue; everything else in it are words."""

_PARTS: Final = re.compile(r"<[^<>\n]*>|\n|[^<\n]+|<")
_TIMES: Final = re.compile(r"\s*(?:\d+:)?\d+:\d+\.\d+\s*-->\s*(?:\d+:)?\d+:\d+\.\d+")
_LANGUAGE: Final = re.compile(r"^Language:[ \t]*(\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE)
"""A line under the first one that the standard knows no more, and that video platforms write all the same."""

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


def escaped(text: str) -> str:
    """Return text that is no markup in a cue."""
    return text.translate(_ESCAPES)


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
            text = f"<v {escaped(name)}>{text}{'</v>' if len(voices) > 1 else ''}"
        shown += text.split("\n")
    return shown


def _line(line: Line, lead: Sequence[str], main: str) -> str:
    told = "".join(_lead(part) for part in lead)
    return told + " ".join(_language_span(language, words, main) for language, words in runs(line.words))


def _lead(part: str) -> str:
    shown = part.rstrip(" ")
    return f"<c.{SPEAKER_CLASS}>{escaped(shown)}</c>{part[len(shown) :]}"


def _language_span(language: str, words: Sequence[Word], main: str) -> str:
    shown = escaped(" ".join(visible_word(word) for word in words))
    return f"<lang {language}>{shown}</lang>" if language != main and LANGUAGE_TAG.match(language) else shown


def read(text: str) -> ReadFile:
    """Read WebVTT with its voices and languages; styles, regions, places and what else it has are left out.

    Raises:
        CaptionsInvalid: A caption has no times that can be read.
    """
    try:
        found = WebVTT.from_string(text)
        cues = tuple(_read_cue(caption) for caption in found.captions)
    except (MalformedCaptionError, MalformedFileError) as invalid:
        raise CaptionsInvalid("captions.malformed") from invalid
    arrows = [line for line in text.split("\n") if "-->" in line]
    if len(arrows) > len(cues):
        # What the library cannot read it passes over.
        wrong = next((line for line in arrows if not _TIMES.match(line)), arrows[-1])
        raise CaptionsInvalid("captions.unreadable", {"detail": visible(wrong)})
    notes = tuple(line for comment in found.header_comments for line in comment.split("\n") if line.strip())
    heading = _LANGUAGE.search(text.split("\n\n", 1)[0])
    return ReadFile(cues=cues, notes=notes, language=heading[1] if heading else None)


def _read_cue(caption: Caption) -> ReadCue:
    lines: list[list[Piece]] = [[]]
    opened: list[tuple[str, str]] = []
    for part in _PARTS.findall(caption.raw_text):
        if part.startswith("</"):
            _close(opened, part[2:-1].strip())
        elif part.startswith("<"):
            opened += _opening(part)
        elif part == "\n":
            lines.append([])
        elif not any(tag in {"rt", "rp"} for tag, _ in opened):
            lines[-1].append(_piece(html.unescape(part), opened))
    return ReadCue(
        start_ms=caption.start_time.in_milliseconds(),
        end_ms=caption.end_time.in_milliseconds(),
        lines=tuple(map(tuple, lines)),
    )


def _opening(element: str) -> Iterator[tuple[str, str]]:
    """Yield the kind of an element and what it says: the voice, the language, or its classes."""
    head, _, said = element.strip("<>").partition(" ")
    tag, *classes = head.split(".")
    if tag in {"v", "lang"}:
        yield tag, visible(html.unescape(said))
    elif tag in {"c", "i", "b", "u", "ruby", "rt", "rp"}:
        yield tag, " ".join(classes)


def _close(opened: list[tuple[str, str]], tag: str) -> None:
    at = next((at for at in reversed(range(len(opened))) if opened[at][0] == tag), None)
    if at is not None:
        del opened[at:]


def _piece(text: str, opened: Sequence[tuple[str, str]]) -> Piece:
    said = dict(opened)
    lead = any(tag == "c" and SPEAKER_CLASS in classes.split() for tag, classes in opened)
    return Piece(text=text, voice=said.get("v") or None, language=said.get("lang") or None, lead=lead)
