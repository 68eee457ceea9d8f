"""The verbatim transcript as JSON, from which everything else can be made again.

A document in, the text of a ``.json`` file out, one word a line so that two states can be compared; and the way back.
Nothing is lost: what is read is equal to what was written. The version changes when the shape does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal

from pipeline.errors import TranscriptInvalid
from pipeline.render.document import Document
from pipeline.serial import from_json
from pipeline.types import Review, Speaker, Transcript, Turn
from pipeline.visible import storable

FORMAT: Final = "tribune-transcript"
VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What such a file holds."""

    format: Literal["tribune-transcript"]
    version: Literal[1]
    made_by: str
    transcript: Transcript
    review: Review | None = None


def write(document: Document) -> str:
    """Write the verbatim transcript with its format, version, what made it and that somebody stands by it."""
    head: dict[str, object] = {"format": FORMAT, "version": VERSION, "made_by": document.made_by}
    review = document.provenance.review
    if review is not None:
        head["review"] = {"revision": review.revision, "day": review.day.isoformat()}
    return f'{_dump(head)[:-1]},\n"transcript": {_transcript(document.transcript)}}}\n'


def read_transcript(text: str) -> Transcript:
    """Return the transcript that such a file holds.

    Raises:
        TranscriptInvalid: It is no such file, or of a version that is not known here.
    """
    try:
        return from_json(_File, text).transcript
    except ValueError as invalid:
        raise TranscriptInvalid("render.transcript_unreadable", {"detail": str(invalid)}) from invalid


def _transcript(transcript: Transcript) -> str:
    fields = {
        "session_id": transcript.session_id,
        "language": transcript.language,
        "duration_ms": transcript.duration_ms,
        "speakers": [_speaker(speaker) for speaker in transcript.speakers],
        "notices": [asdict(notice) for notice in transcript.notices],
    }
    turns = ",\n".join(_turn(turn) for turn in transcript.turns)
    return f'{_dump(fields)[:-1]},\n"turns": [\n{turns}\n]}}'


def _speaker(speaker: Speaker) -> dict[str, object]:
    fields = asdict(speaker)
    if not speaker.proposals:
        del fields["proposals"]
    return fields


def _turn(turn: Turn) -> str:
    words = ",\n".join(_words(turn))
    return f'{{"speaker": {_dump(turn.speaker)}, "words": [\n{words}\n]}}'


def _words(turn: Turn) -> Iterator[str]:
    for word in turn.words:
        fields = asdict(word)
        if not word.overlapped:
            del fields["overlapped"]
        if word.timed == "recognised":
            del fields["timed"]
        yield _dump(fields)


def _dump(value: object) -> str:
    # "<" is spelled so that the text is inert wherever it is pasted.
    return storable(json.dumps(value, ensure_ascii=False, allow_nan=False)).replace("<", "\\u003c")
