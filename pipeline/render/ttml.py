"""TTML captions (IMSC 1.1, text profile), which broadcasters exchange and some players take alone.

Captions in, the text of a ``.ttml`` file out, and the way back: each caption a paragraph, each line a span with its
speaker as an agent, its language, and its label, if any, in a span of a role of its own, so that all other text is
words. One region at the foot of the picture. It stands alone because the rules of XML are nobody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from ttconv.imsc.attributes import (
    FrameRateAttribute,
    TemporalAttributeParsingContext,
    TickRateAttribute,
    parse_time_expression,
)

from pipeline.captions import leads
from pipeline.errors import CaptionsInvalid
from pipeline.render.clock import timestamp
from pipeline.render.document import LANGUAGE_TAG, CaptionFile
from pipeline.render.passages import runs
from pipeline.render.reading import Piece, ReadCue, ReadFile
from pipeline.types import Cue, Line, Word
from pipeline.visible import visible, visible_word

SPEAKER_ROLE: Final = "x-speaker"
"""Role of the spans that hold a dash and a label; everything else in a paragraph are words."""

_TT: Final = "{http://www.w3.org/ns/ttml}"
_METADATA: Final = "{http://www.w3.org/ns/ttml#metadata}"
_STYLING: Final = "{http://www.w3.org/ns/ttml#styling}"
_ID, _LANG = (f"{{http://www.w3.org/XML/1998/namespace}}{name}" for name in ("id", "lang"))
_NOTES: Final = frozenset({f"{_METADATA}title", f"{_METADATA}desc"})
_DOCTYPE: Final = re.compile(r"<!DOCTYPE", re.IGNORECASE)

_ROOT: Final = (
    '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata"'
    ' xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling"'
    ' ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/imsc1.1/text" ttp:timeBase="media"'
)
_LOOK: Final = (
    '<styling>\n<style xml:id="text" tts:fontFamily="proportionalSansSerif" tts:fontSize="80%" tts:lineHeight="125%"'
    ' tts:color="#ffffff" tts:textAlign="center"/>\n<style xml:id="ground" tts:backgroundColor="#000000cc"/>\n'
    '</styling>\n<layout>\n<region xml:id="foot" tts:origin="5% 5%" tts:extent="90% 90%" tts:displayAlign="after"/>\n'
    "</layout>\n"
)


def write(captions: CaptionFile) -> str:
    """Write TTML with agents for the speakers and, in its head, what the file says of itself."""
    agents = {key: f"agent{number}" for number, (key, _) in enumerate(captions.names, 1)}
    paragraphs = "".join(_paragraph(cue, captions, agents) for cue in captions.cues)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{_ROOT} xml:lang={_language(captions.language)}>\n'
        f"<head>\n{_metadata(captions, agents)}{_LOOK}</head>\n"
        f'<body style="text" region="foot">\n<div>\n{paragraphs}</div>\n</body>\n</tt>\n'
    )


def _metadata(captions: CaptionFile, agents: Mapping[str | None, str]) -> str:
    title, *others = captions.notes or ("",)
    lines = [f"<ttm:title>{_escaped(title)}</ttm:title>"] if title else []
    lines += [f"<ttm:desc>{_escaped(note)}</ttm:desc>" for note in others]
    lines += [
        f'<ttm:agent xml:id="{agents[key]}" type="person"><ttm:name type="full">{_escaped(name)}</ttm:name></ttm:agent>'
        for key, name in captions.names
    ]
    return "<metadata>\n" + "".join(f"{line}\n" for line in lines) + "</metadata>\n"


def _paragraph(cue: Cue, captions: CaptionFile, agents: Mapping[str | None, str]) -> str:
    pairs = zip(cue.lines, leads(cue, captions.typography), strict=True)
    lines = "<br/>".join(_line(line, lead, captions.language, agents) for line, lead in pairs)
    times = f'begin="{timestamp(cue.start_ms, ".")}" end="{timestamp(cue.end_ms, ".")}"'
    return f'<p xml:id="cue{_escaped(cue.id)}" {times}>{lines}</p>\n'


def _line(line: Line, lead: Sequence[str], main: str, agents: Mapping[str | None, str]) -> str:
    agent = agents.get(line.speaker)
    said_by = f' ttm:agent="{agent}"' if agent else ""
    words = " ".join(_words(language, words, main) for language, words in runs(line.words))
    told = "".join(
        f'<span ttm:role="{SPEAKER_ROLE}">{_escaped(part)}</span>{" " * part.endswith(" ")}' for part in lead
    )
    return f'<span style="ground"{said_by}>{told}{words}</span>'


def _words(language: str, words: Sequence[Word], main: str) -> str:
    text = _escaped(" ".join(visible_word(word) for word in words))
    return text if language == main else f"<span xml:lang={_language(language)}>{text}</span>"


def _language(tag: str) -> str:
    return quoteattr(tag if LANGUAGE_TAG.match(tag) else "")


def _escaped(text: str) -> str:
    return escape(visible(text))


def read(text: str) -> ReadFile:
    """Read TTML of any profile with its agents and languages; places, looks and animation are left out.

    Raises:
        CaptionsInvalid: It is no XML, has a document type, or a time that cannot be read.
    """
    if _DOCTYPE.search(text):
        # No profile of the format has one, and what it can declare is not harmless.
        raise _unreadable("<!DOCTYPE>")
    # A declaration has to stand at the very beginning.
    bare = text.lstrip()
    try:
        root = ET.fromstring(bare)  # noqa: S314 - without a document type there is nothing to expand
        return _Reader(root).file()
    except ET.ParseError as invalid:
        line, column = _place(invalid.position, text.removesuffix(bare))
        raise CaptionsInvalid("captions.unreadable_at", {"line": str(line), "column": str(column)}) from invalid
    except (ValueError, ZeroDivisionError, RecursionError) as invalid:
        raise CaptionsInvalid("captions.malformed") from invalid


def _place(position: tuple[int, int], blank: str) -> tuple[int, int]:
    """Return line and column, from 1, of what the parser met behind so much white space, which it was not given."""
    line, column = position
    beside = len(blank.rpartition("\n")[2]) if line == 1 else 0
    return line + blank.count("\n"), column + beside + 1


def _unreadable(written: str) -> CaptionsInvalid:
    """Return the failure that shows what cannot be read as it is written in the file."""
    return CaptionsInvalid("captions.unreadable", {"detail": visible(written)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What an element hands on to those in it: its time, in seconds, and what is known of its text."""

    begin: Fraction
    end: Fraction | None
    piece: Piece


class _Reader:
    """Goes through a document; what an element says holds for all in it."""

    def __init__(self, root: ET.Element) -> None:
        self._root = root
        self._clock = TemporalAttributeParsingContext(
            frame_rate=FrameRateAttribute.extract(root), tick_rate=TickRateAttribute.extract(root)
        )
        self._names = {
            agent.get(_ID, ""): visible("".join(agent.itertext())) for agent in root.iter(f"{_METADATA}agent")
        }

    def file(self) -> ReadFile:
        if self._root.tag != f"{_TT}tt":
            raise _unreadable(f"<{self._root.tag}>")
        language = self._root.get(_LANG) or None
        context = _Context(begin=Fraction(0), end=None, piece=Piece(text="", language=None))
        body = self._root.find(f"{_TT}body")
        paragraphs = [] if body is None else list(self._paragraphs(body, context))
        head = self._root.find(f"{_TT}head")
        notes = [] if head is None else [visible(each.text or "") for each in head.iter() if each.tag in _NOTES]
        cues = (_joined(list(group)) for _, group in groupby(paragraphs, key=lambda cue: (cue.start_ms, cue.end_ms)))
        return ReadFile(cues=tuple(cues), notes=tuple(note for note in notes if note), language=language)

    def _paragraphs(self, element: ET.Element, around: _Context) -> Iterator[ReadCue]:
        context = self._inside(element, around)
        if element.tag == f"{_TT}p":
            yield from self._cue(element, context)
            return
        for child in element:
            yield from self._paragraphs(child, context)

    def _cue(self, paragraph: ET.Element, context: _Context) -> Iterator[ReadCue]:
        """Yield the caption of a paragraph, from the first moment to the last that any of its text is shown."""
        lines: list[list[Piece]] = [[]]
        times = []
        for piece, begin, end in self._pieces(paragraph, context):
            if piece.text == "\n":
                lines.append([])
                continue
            lines[-1].append(piece)
            if piece.text.strip():
                times.append((begin, end))
        if not times:
            return
        ends = [end for _, end in times if end is not None]
        if len(ends) < len(times):
            raise _unreadable(f"<p> {''.join(paragraph.itertext())[:40]}: end?")
        yield ReadCue(
            start_ms=round(min(begin for begin, _ in times) * 1000),
            end_ms=round(max(ends) * 1000),
            lines=tuple(map(tuple, lines)),
        )

    def _pieces(self, element: ET.Element, context: _Context) -> Iterator[tuple[Piece, Fraction, Fraction | None]]:
        yield replace(context.piece, text=_flat(element.text)), context.begin, context.end
        for child in element:
            inside = self._inside(child, context)
            if child.tag == f"{_TT}br":
                yield replace(context.piece, text="\n"), context.begin, context.end
            elif child.tag == f"{_TT}span" and child.get(f"{_STYLING}ruby") not in {"text", "textContainer"}:
                yield from self._pieces(child, inside)
            yield replace(context.piece, text=_flat(child.tail)), context.begin, context.end

    def _inside(self, element: ET.Element, around: _Context) -> _Context:
        if element.get("timeContainer") == "seq":
            raise _unreadable('timeContainer="seq"')
        begin = around.begin + self._time(element, "begin")
        ends = [around.end] if around.end is not None else []
        if element.get("end") is not None:
            ends.append(around.begin + self._time(element, "end"))
        if element.get("dur") is not None:
            ends.append(begin + self._time(element, "dur"))
        agents = element.get(f"{_METADATA}agent", "").split()
        piece = around.piece
        return _Context(
            begin=begin,
            end=min(ends, default=None),
            piece=Piece(
                text="",
                voice=self._names.get(agents[0]) or None if agents else piece.voice,
                language=element.get(_LANG) or piece.language,
                lead=piece.lead or element.get(f"{_METADATA}role") == SPEAKER_ROLE,
            ),
        )

    def _time(self, element: ET.Element, name: str) -> Fraction:
        written = element.get(name, "0s")
        try:
            return Fraction(parse_time_expression(self._clock, written))
        except (ValueError, ZeroDivisionError):
            raise _unreadable(f'{name}="{written}"') from None


def _flat(text: str | None) -> str:
    return re.sub(r"[ \t\r\n]+", " ", text or "")


def _joined(cues: Sequence[ReadCue]) -> ReadCue:
    """Return paragraphs that come and go together as one caption: some files give each line one."""
    return replace(cues[0], lines=tuple(line for cue in cues for line in cue.lines))
