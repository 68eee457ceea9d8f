"""Files of captions, ours and everybody's: which kind one is, what it says, and how it is written as another kind.

In go the bytes of a WebVTT, SubRip or TTML file; out comes what it holds. It stands alone because files come with other
endings, line breaks and encodings than they claim, and lint and conversion must read them the same way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.caption_rules import CaptionRules
from pipeline.errors import CaptionsInvalid
from pipeline.naming import printable
from pipeline.render import srt, ttml, webvtt, wet
from pipeline.render.document import LANGUAGE_TAG, CaptionFile
from pipeline.render.reading import ReadFile
from pipeline.types import Notice

_BOMS: Final = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_SRT_TIMES: Final = re.compile(r"^\s*\d+:\d+:\d+[,.]\d+\s*-->", re.MULTILINE)
_TTML_ROOT: Final = re.compile(r"<(?:\w+:)?tt[\s>]")
_IN_NAME: Final = re.compile(r"[._-](en|fr)(?:[-_][a-z]{2})?(?=[._-]|\Z)", re.IGNORECASE)

WRITERS: Final[Mapping[str, Callable[[CaptionFile], str]]] = {
    ".wet.html": wet.write,
    ".vtt": webvtt.write,
    ".srt": srt.write,
    ".ttml": ttml.write,
}
"""What captions can be written as, by the end of the file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file of captions as it was read.

    Attributes:
        read: What it holds.
        language: What it says, or its name says, that it is in.
        notices: What a person should know of how it was read.
    """

    read: ReadFile
    language: str | None
    notices: tuple[Notice, ...] = ()


def open_captions(content: bytes, name: str) -> Opened:
    """Read a file of captions, whatever its name says it is.

    Args:
        content: All of it.
        name: Of the file; may tell the language.

    Raises:
        CaptionsInvalid: It is no WebVTT, SubRip or TTML, or a broken one.
    """
    text, notices = _decoded(content)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    read = _reader(text, name)(text)
    in_name = _IN_NAME.search(name)
    stated = read.language if read.language and LANGUAGE_TAG.match(read.language) else None
    return Opened(read=read, language=stated or (in_name[1].lower() if in_name else None), notices=notices)


def writer(name: str) -> Callable[[CaptionFile], str]:
    """Return what writes files with such a name.

    Raises:
        CaptionsInvalid: Nothing does.
    """
    for end, write in WRITERS.items():
        if name.lower().endswith(end):
            return write
    raise CaptionsInvalid("captions.unknown_target", {"name": printable(name), "known": ", ".join(WRITERS)})


def likely_language(read: ReadFile, rules: Mapping[str, CaptionRules]) -> str:
    """Return the language whose small words are the most frequent in captions that say nothing of it.

    Args:
        read: The captions.
        rules: Of every language, with its word lists.
    """
    said = Counter(
        word.lower() for cue in read.cues for line in cue.lines for piece in line for word in piece.text.split()
    )
    small = {
        language: own.words.articles | own.words.pronouns | own.words.prepositions for language, own in rules.items()
    }
    return max(small, key=lambda language: sum(said[word] for word in small[language]))


def _decoded(content: bytes) -> tuple[str, tuple[Notice, ...]]:
    encoding = next((encoding for bom, encoding in _BOMS if content.startswith(bom)), "utf-8")
    try:
        return content.decode(encoding), ()
    except UnicodeDecodeError as wrong:
        if b"\0" in content:
            raise CaptionsInvalid("captions.no_text") from wrong
        # What is not UTF-8 and is still text comes from old programs, in this part of the world.
        return content.decode("cp1252", errors="replace"), (Notice(code="captions.not_utf8"),)


def _reader(text: str, name: str) -> Callable[[str], ReadFile]:
    if text.lstrip().startswith("WEBVTT"):
        return lambda text: webvtt.read(text.lstrip())
    if text.lstrip().startswith("<") and _TTML_ROOT.search(text):
        return ttml.read
    if _SRT_TIMES.search(text):
        return srt.read
    raise CaptionsInvalid("captions.unknown", {"name": printable(name)})
