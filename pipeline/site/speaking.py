"""Who spoke in a session, for how long and when first.

In goes a transcript, out comes one line a name for the list on the session's page and for the filter of the transcript.
Voices of the same name are one, as a reader cannot tell them apart. Stands alone because it is arithmetic that needs
no page to be tested.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.messages import message
from pipeline.speakers import speaker_label
from pipeline.types import Language, Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What one person said in all.

    Attributes:
        name: As the transcript names them.
        turns: How often they had the floor, at least 1.
        spoken_ms: How long all of that lasted.
        share: Of everybody's time together, 0 to 1.
        first_ms: When they were heard first.
    """

    name: str
    turns: int
    spoken_ms: int
    share: float
    first_ms: int

    @property
    def percent(self) -> int:
        """The share in hundredths, rounded."""
        return round(100 * self.share)


def speaker_names(transcript: Transcript, language: Language) -> tuple[str | None, ...]:
    """Return what a reader of that language calls the speaker of each turn, in order.

    Where no voice could be told apart there is nothing to say of each, so all are ``None``.
    """
    names = {speaker.key: speaker_label(speaker, language) for speaker in transcript.speakers}
    unknown = message("site.unknown_speaker", language) if transcript.speakers else None
    return tuple(unknown if turn.speaker is None else names[turn.speaker] for turn in transcript.turns)


def measure_voices(transcript: Transcript, language: Language) -> tuple[Voice, ...]:
    """Return everybody who is heard, whoever spoke longest first; nobody where no voice could be told apart.

    Where two speak at once both of them are counted.
    """
    turns: dict[str, list[tuple[int, int]]] = {}
    for name, turn in zip(speaker_names(transcript, language), transcript.turns, strict=True):
        if name is not None:
            turns.setdefault(name, []).append((turn.start_ms, turn.end_ms))
    spoken = {name: sum(end_ms - start_ms for start_ms, end_ms in own) for name, own in turns.items()}
    total = sum(spoken.values()) or 1
    voices = [
        Voice(name=name, turns=len(own), spoken_ms=spoken[name], share=spoken[name] / total, first_ms=min(own)[0])
        for name, own in turns.items()
    ]
    return tuple(sorted(voices, key=lambda voice: (-voice.spoken_ms, voice.first_ms)))
