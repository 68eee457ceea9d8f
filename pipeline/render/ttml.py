"""TTML captions (IMSC 1.1, text profile), which broadcasters exchange and some players take alone.

Captions in, the text of a ``.ttml`` file out: each caption a paragraph, each line a span with its speaker as an agent,
its language, and its label, if any, in a span of a role of its own, so that all other text is words. One region at the
foot of the picture. It stands alone because the rules of XML are nobody else's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from pipeline.captions import leads
from pipeline.render.clock import timestamp
from pipeline.render.document import LANGUAGE_TAG, CaptionFile
from pipeline.render.passages import runs
from pipeline.types import Cue, Line, Word
from pipeline.visible import visible, visible_word

SPEAKER_ROLE: Final = "x-speaker"
"""Role of the span that holds a label or a dash; everything else in a paragraph are words."""

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


def _line(line: Line, lead: str, main: str, agents: Mapping[str | None, str]) -> str:
    agent = agents.get(line.speaker)
    said_by = f' ttm:agent="{agent}"' if agent else ""
    words = " ".join(_words(language, words, main) for language, words in runs(line.words))
    label = f'<span ttm:role="{SPEAKER_ROLE}">{_escaped(lead)}</span>' if lead else ""
    return f'<span style="ground"{said_by}>{label}{" " * lead.endswith(" ")}{words}</span>'


def _words(language: str, words: Sequence[Word], main: str) -> str:
    text = _escaped(" ".join(visible_word(word) for word in words))
    return text if language == main else f"<span xml:lang={_language(language)}>{text}</span>"


def _language(tag: str) -> str:
    return quoteattr(tag if LANGUAGE_TAG.match(tag) else "")


def _escaped(text: str) -> str:
    return escape(visible(text))
