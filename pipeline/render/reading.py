"""Captions as they lie in anybody's file, and how they become ours.

In come cues as a format's reader found them: stretches of text, each with whatever the format says of its voice and
language; out goes a `CaptionFile`, in which dashes and labels are told from words and a speaker holds until the next.
It stands alone because every format says the same few things in its own way, and files of strangers say them badly.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from pipeline.errors import CaptionsInvalid
from pipeline.messages import message
from pipeline.render.clock import timestamp
from pipeline.render.document import CaptionFile
from pipeline.types import LANGUAGES, Cue, Line, Span, Word
from pipeline.visible import visible

_DASH: Final = re.compile(r"\s*[-–—‐](?![-–—‐])\s*")
_LABEL: Final = re.compile(r"\s*(?:>>\s*)?([^:<>!?;,\[\]()]{1,60}?)[ \u00a0\u202f]?:(?:\s+|\Z)")
_BEFORE_COLON: Final = re.compile(r"\s*(?:>>\s*)?([^:]+?)[ \u00a0\u202f]?:(?:\s+|\Z)")
_NAME_WORD: Final = re.compile(
    r"(?:[A-Z]|Mr?s?|Mmes?|Mlle|Dre?|Prof?|Ste?)\.|(?:[dlDL]['’])?[^\W\d_](?:[^\W_]|['’-])*|\d+"
)
_PARTICLES: Final = frozenset(
    {"de", "du", "des", "d", "la", "le", "of", "the", "van", "von", "der", "den", "del", "di", "da", "et", "and", "&"}
)
_LONGEST_NAME: Final = 6
_WORD: Final = re.compile("[^ \t\n\v\f\r\x1c-\x1f\x85\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text on one line.

    Attributes:
        text: As read, markup gone; may be white space.
        voice: Full name of who says it, where the format tells.
        language: Where the format tells.
        lead: Whether the file marks it as a dash or a label: it is no words.
    """

    text: str
    voice: str | None = None
    language: str | None = None
    lead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCue:
    """One caption as read: when it comes and goes, and the pieces of its lines."""

    start_ms: int
    end_ms: int
    lines: tuple[tuple[Piece, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """Everything that was read: cues in the order of the file, what it says of itself, its language where it tells."""

    cues: tuple[ReadCue, ...]
    notes: tuple[str, ...] = ()
    language: str | None = None

    @property
    def voiced(self) -> bool:
        """Whether it says who speaks by something else than what is shown."""
        return any(piece.voice is not None for cue in self.cues for line in cue.lines for piece in line)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One line of one voice; what stands before its words, where it may be a dash or a label.

    Attributes:
        pieces: All of it.
        words: The pieces without dash and label.
        voice: As the format tells.
        dash: Whether it begins with one.
        label: The name after that, or ``None``.
        marked: Whether the file says that these are no words.
    """

    pieces: tuple[Piece, ...]
    words: tuple[Piece, ...]
    voice: str | None
    dash: bool
    label: str | None
    marked: bool = False


class _Speakers:
    """Who speaks. Where no voice is told, a name holds until the next, or until a dash goes back to the one before."""

    def __init__(self, *, voiced: bool) -> None:
        self.names: dict[str | None, str] = {}
        self._voiced = voiced
        self._current: str | None = None
        self._before: str | None = None
        self._unnamed = 0

    def of_rows(self, rows: Sequence[_Row]) -> list[str | None]:
        """Return the key of the speaker of each row of a caption."""
        answering = any(row.dash for row in rows[1:])
        return [self._of_row(row, answering=answering) for row in rows]

    def after_dash(self, named_late: str | None) -> bool:
        """Have somebody else speak, if that is what a dash alone says, and say whether it is.

        Args:
            named_late: Whom the next caption names.
        """
        if self._before is not None and named_late in {None, self._current}:
            self._turn_to(self._before)
        elif named_late is not None:
            self._turn_to(named_late)
        elif self._unnamed:
            # Of people who answered each other without names it may be any.
            self._before = self._current = None
        else:
            return False
        return True

    def _turn_to(self, speaker: str | None) -> None:
        if speaker != self._current:
            self._before, self._current = self._current, speaker

    def _of_row(self, row: _Row, *, answering: bool) -> str | None:
        if self._voiced:
            self._turn_to(row.voice)
        elif row.label is not None and (answering or not row.dash):
            self._turn_to(row.label)
        elif row.dash and answering:
            # Nobody knows who this is, nor who goes on after it.
            self._before = self._current = None
            self._unnamed += 1
            return f"?{self._unnamed}"
        if self._current is not None:
            self.names[self._current] = self._current
        return self._current


def as_interpreted(read: ReadFile, language: str, known: Iterable[str] = ()) -> CaptionFile:
    """Return captions of ours: dashes and labels are told from words, and speakers are known by voice or label.

    Args:
        read: As read.
        language: Of what says nothing else.
        known: What speakers are surely called, whatever that looks like.

    Raises:
        CaptionsInvalid: A caption ends before it starts.
    """
    pieces = [piece for cue in read.cues for line in cue.lines for piece in line]
    marked = any(piece.lead for piece in pieces)
    speakers = _Speakers(voiced=read.voiced)
    labels = frozenset(visible(name).casefold() for name in known)
    seen = tuple((cue, tuple(_rows(found, labels, marked=marked))) for cue, found in _seen(read, language))
    following = (*(rows for _, rows in seen[1:]), ())
    cues = tuple(
        replace(cue, lines=_told_apart(rows, after, cue, speakers, language))
        for (cue, rows), after in zip(seen, following, strict=False)
    )
    return CaptionFile(language=language, cues=cues, names=tuple(speakers.names.items()), notes=read.notes)


def as_shown(read: ReadFile, language: str) -> CaptionFile:
    """Return captions whose lines hold all that a viewer sees as words, to be measured as they are.

    Args:
        read: As read.
        language: Of what says nothing else.

    Raises:
        CaptionsInvalid: A caption ends before it starts.
    """
    return CaptionFile(language=language, cues=tuple(cue for cue, _ in _seen(read, language)), notes=read.notes)


def _seen(read: ReadFile, language: str) -> Iterator[tuple[Cue, ReadCue]]:
    """Yield every caption that shows something, with all that it shows as words, and what it was read as."""
    for number, found in enumerate(read.cues, 1):
        if found.end_ms < found.start_ms:
            data = {"cue": str(number), "time": timestamp(found.start_ms, ".")}
            raise CaptionsInvalid("captions.backwards", data)
        lines = tuple(
            Line(words=words, speaker=None, language=words[0].language)
            for pieces in found.lines
            if (words := tuple(_words(pieces, found, language)))
        )
        if lines:
            yield Cue(id=str(number), start_ms=found.start_ms, end_ms=found.end_ms, lines=lines), found


def _is_dash_alone(rows: Sequence[_Row]) -> bool:
    """Say whether a caption has a dash before its words and no name, and nobody answers in it."""
    begins = bool(rows) and rows[0].dash and rows[0].label is None
    return begins and not any(row.dash or row.label for row in rows[1:])


def _told_apart(
    rows: Sequence[_Row], after: Sequence[_Row], cue: Cue, speakers: _Speakers, language: str
) -> tuple[Line, ...]:
    """Return the lines of a caption with dashes and labels taken off the words, where they are such."""
    named_late = after[0].label if after and not after[0].dash else None
    dashed = _is_dash_alone(rows) and (speakers.after_dash(named_late) or rows[0].marked)
    keys = speakers.of_rows(rows)
    dialogue = len(set(keys)) > 1
    lines = []
    for row, key in zip(rows, keys, strict=True):
        # A dash that answers nobody is the writer's own.
        apart = dialogue or not row.dash or dashed
        words = tuple(_words(row.words if apart else row.pieces, cue, language))
        label = row.label if apart else None
        if words or label is not None:
            spoken = words[0].language if words else language
            lines.append(Line(words=words, speaker=key, language=spoken, label=label, dashed=row.dash and dashed))
    # A name alone announces whoever speaks next, if anybody does who has no other.
    announced = bool(after) and after[0].label is None and not after[0].dash
    return tuple(lines) if announced or any(line.words for line in lines) else cue.lines


def _rows(found: ReadCue, labels: Container[str], *, marked: bool) -> Iterator[_Row]:
    for line in found.lines:
        told: list[Piece] = []
        for piece in line:
            # The space between two voices is nobody's, and parts no row.
            blank = bool(told) and not piece.text.strip()
            told.append(replace(piece, voice=told[-1].voice) if blank else piece)
        for voice, group in groupby(told, key=lambda piece: piece.voice):
            pieces = tuple(group)
            if any(visible(piece.text) for piece in pieces):
                yield _marked_row(pieces, voice) if marked else _plain_row(pieces, voice, labels)


def _marked_row(pieces: tuple[Piece, ...], voice: str | None) -> _Row:
    leads = [visible(piece.text) for piece in pieces if piece.lead]
    dash = bool(leads) and _DASH.fullmatch(leads[0]) is not None
    label = " ".join(leads[1:] if dash else leads).rstrip(" \u00a0\u202f").removesuffix(":").rstrip(" \u00a0\u202f")
    words = tuple(piece for piece in pieces if not piece.lead)
    return _Row(pieces=pieces, words=words, voice=voice, dash=dash, label=label or None, marked=True)


def _plain_row(pieces: tuple[Piece, ...], voice: str | None, labels: Container[str]) -> _Row:
    text = "".join(piece.text for piece in pieces)
    dash = _DASH.match(text)
    begin = dash.end() if dash else 0
    label = _BEFORE_COLON.match(text, begin)
    if label is None or visible(label[1]).casefold() not in labels:
        label = _LABEL.match(text, begin)
        if label is not None and not is_name(visible(label[1]), voice):
            label = None
    return _Row(
        pieces=pieces,
        words=tuple(_without(pieces, label.end() if label else begin)),
        voice=voice,
        dash=dash is not None,
        label=visible(label[1]) if label else None,
    )


def is_name(text: str, voice: str | None) -> bool:
    """Say whether what stands before a colon, or alone, is a name: that of the voice, where there is one."""
    if voice is not None:
        return text.casefold() == voice.casefold()
    if text in {message("render.unknown_voice", language) for language in LANGUAGES}:
        return True
    words = text.split()
    proper = [word for word in words if word not in _PARTICLES]
    return 0 < len(proper) <= len(words) <= _LONGEST_NAME and all(
        _NAME_WORD.fullmatch(word) and (word[:1].isdigit() or word[:1].isupper() or word[2:3].isupper())
        for word in proper
    )


def _without(pieces: Sequence[Piece], characters: int) -> Iterator[Piece]:
    """Yield pieces without so many characters at their start."""
    for piece in pieces:
        yield replace(piece, text=piece.text[characters:])
        characters = max(0, characters - len(piece.text))


def _words(pieces: Iterable[Piece], times: Span | ReadCue, language: str) -> Iterator[Word]:
    """Yield the words of a line; one that elements part is of the language that it begins in."""
    listed = tuple(pieces)
    languages = [piece.language or language for piece in listed for _ in piece.text]
    for found in _WORD.finditer("".join(piece.text for piece in listed)):
        if text := visible(found[0]):
            spoken = languages[found.start()]
            yield Word(text=text, start_ms=times.start_ms, end_ms=times.end_ms, probability=1.0, language=spoken)
