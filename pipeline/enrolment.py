"""Voices of people who let themselves be recognised: kept apart, deletable, and compared with those of a recording.

What a diarizer heard in a clip of one person comes in with that person's consent; out comes one small file a person and
programme, in a folder that nobody but its owner can open. What it heard in a session comes in with the voices enrolled
for the session's programme; out come the names of those that are heard in it. A voice is personal data, so only its
direction in the embedding's space and the consent are kept: not the clip, nothing in a session's folder, nothing in
what is published. It stands alone so that all of that can be read, and deleted, in one place.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Final, Literal

from pipeline.durable import sync_folder, write_whole
from pipeline.errors import RecordingRejected
from pipeline.naming import plain
from pipeline.serial import from_json, to_json
from pipeline.types import Bilingual, Diarization, Voiceprint

_logger = logging.getLogger(__name__)

_CLIP_MS: Final = 8_000
"""So much of one voice a clip must hold."""

_OTHER_MS: Final = 500
"""So much of any other voice it may hold: a click or a breath is sometimes taken for one."""

_HEARD_MS: Final = 4_000
"""So much of a voice a session must hold for it to be named."""

ALIKE: Final = 0.75
"""Likeness (cosine) from which a voice may be somebody's: CAM++'s, measured by ``tests/benchmarks/enrolment.py``."""

_CLEARLY: Final = 0.15
"""By so much must a voice be liker to them than to anybody else enrolled, and than the session's other voices are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledVoice:
    """One person's voice, in one programme: the whole of what is kept.

    Attributes:
        name: The person's full name: the label that they agreed to.
        programme: The programme that it is for; their voice is looked for in no other.
        consent: Who agreed, when and how.
        enrolled_on: The day.
        model: sha256 of the weights that made the vector; others cannot be compared with it.
        vector: Its direction, of length 1.
        version: Of this form.
    """

    name: str
    programme: str
    consent: str
    enrolled_on: dt.date
    model: str
    vector: tuple[float, ...]
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        if not all(text.strip() for text in (self.name, self.programme, self.consent)):
            raise ValueError("a voice is kept with a name, a programme and a consent")
        if not 0.99 < _likeness(self.vector, self.vector) < 1.01:
            raise ValueError("not a direction of length 1")

    @property
    def digest(self) -> str:
        """What changes when anything of it does, and tells nothing about it."""
        return hashlib.sha256(to_json(self)).hexdigest()


def voice_of(heard: Diarization) -> Voiceprint:
    """Return the one voice of a clip.

    Args:
        heard: What the diarizer heard in it.

    Raises:
        RecordingRejected: There are several voices, or too little of one.
    """
    lasting = _durations(heard)
    voices = {voice.speaker: voice for voice in heard.voices}
    main = max((speaker for speaker in lasting if speaker in voices), key=lambda each: lasting[each], default=None)
    seconds = {"seconds": str((lasting[main] if main else 0) // 1000), "least": str(_CLIP_MS // 1000)}
    if main is None or lasting[main] < _CLIP_MS:
        raise RecordingRejected("voices.too_short", seconds)
    if sum(lasting.values()) - lasting[main] > _OTHER_MS:
        raise RecordingRejected("voices.several")
    return voices[main]


def embedding_model(heard: Diarization) -> str:
    """Return the sha256 of the weights that made the voices: the last that a diarizer names."""
    return heard.models[-1].sha256


def enrol(folder: Path, voice: EnrolledVoice) -> None:
    """Keep a voice, in place of an earlier one of the same person in the same programme.

    Args:
        folder: Where voices are kept; made when needed, for its owner alone.
        voice: Whose.

    Raises:
        OSError: It cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    write_whole(folder / _file_name(voice.name, voice.programme), to_json(voice))


def read_enrolled(folder: Path) -> tuple[EnrolledVoice, ...]:
    """Return every voice that is kept, in order of programme and name; one that cannot be read is passed over."""
    found = []
    for file in folder.glob("*.json"):
        try:
            found.append(from_json(EnrolledVoice, file.read_bytes()))
        except (OSError, ValueError):
            # Not the error itself, which may quote the content.
            _logger.warning("an enrolled voice cannot be read: %s", file)
    return tuple(sorted(found, key=lambda voice: (plain(voice.programme), plain(voice.name))))


def enrolled_for(folder: Path | None, programme: Bilingual | None) -> tuple[EnrolledVoice, ...]:
    """Return the voices to look for in a session.

    Args:
        folder: Where voices are kept; ``None`` where none may be looked for.
        programme: The session's.
    """
    if folder is None or programme is None:
        return ()
    names = {_key(name) for name in (programme.en, programme.fr) if name}
    return tuple(voice for voice in read_enrolled(folder) if _key(voice.programme) in names)


def remove(folder: Path, name: str, programme: str) -> bool:
    """Delete a voice and the consent for it; say whether there was one.

    Raises:
        OSError: It cannot be deleted.
    """
    file = folder / _file_name(name, programme)
    if not file.exists():
        return False
    file.unlink()
    sync_folder(folder)
    return True


def recognise_voices(heard: Diarization, known: Sequence[EnrolledVoice]) -> tuple[tuple[str, str], ...]:
    """Return the label and the name of every voice that is clearly one enrolled person's, in order of label.

    A voice is named only if it is alike enough to exactly one person and clearly liker to them than to anybody else,
    and no other voice of the recording is nearly as like them. Anything less names nobody: a wrong name harms more than
    "Speaker 2".

    Args:
        heard: The diarizer's, with its voices.
        known: Who may be named.
    """
    comparable = [voice for voice in known if heard.models and voice.model == embedding_model(heard)]
    if len(comparable) < len(known):
        _logger.warning("%d voices were enrolled with other weights", len(known) - len(comparable))
    lasting = _durations(heard)
    table = {
        voice.speaker: {person.name: _likeness(voice.vector, person.vector) for person in comparable}
        for voice in heard.voices
        if lasting.get(voice.speaker, 0) >= _HEARD_MS
    }
    return tuple((label, name) for label in sorted(table) if (name := _name_of(label, table)) is not None)


def _name_of(label: str, table: Mapping[str, Mapping[str, float]]) -> str | None:
    likeness = table[label]
    name = max(likeness, key=lambda each: likeness[each], default=None)
    if name is None or likeness[name] < ALIKE:
        return None
    others = [likeness[each] for each in likeness if each != name]
    rivals = [table[each][name] for each in table if each != label]
    return name if max([*others, *rivals], default=-1.0) <= likeness[name] - _CLEARLY else None


def _durations(heard: Diarization) -> dict[str, int]:
    lasting: dict[str, int] = {}
    for span in heard.exclusive:
        lasting[span.speaker] = lasting.get(span.speaker, 0) + span.duration_ms
    return lasting


def _likeness(one: Sequence[float], other: Sequence[float]) -> float:
    if len(one) != len(other):
        return -1.0
    lengths = sqrt(sum(each * each for each in one) * sum(each * each for each in other))
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def _file_name(name: str, programme: str) -> str:
    key = "\0".join(map(_key, (programme, name)))
    return f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _key(text: str) -> str:
    """Return a name as it is compared: however it was typed, it is the same person's or programme's."""
    return plain(" ".join(text.split()))
