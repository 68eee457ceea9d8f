"""A panel with a microphone each, made of one recording: real voices, and how loud each microphone hears the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.ports import Clip
from pipeline.tracks import who_spoke
from pipeline.types import SpeakerSpan

SILENT: Final = "Silent"
"""Who has a microphone and says nothing."""

_FURTHER_DB: Final = 2.0
_SAMPLES_A_MS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """How people sit and what their microphones hear.

    Attributes:
        bleed_db: How loud the next person is in a microphone, beside its own; each seat further, 2 dB less.
        gains_db: How far each microphone is turned up, in order of first word, over and over.
        silent: Whether somebody sits at the end and says nothing.
        hiss_db: The noise in every microphone, beside its own person's speech.
    """

    bleed_db: float
    gains_db: tuple[float, ...] = (0.0,)
    silent: bool = False
    hiss_db: float = -60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a panel's tracks, as shares (0 to 1) of the time in which one person speaks.

    Attributes:
        right: Given to who speaks.
        wrong: Given to somebody else.
        together: Taken for two people at once.
    """

    right: float
    wrong: float
    together: float


def tell(sound: Clip, turns: Sequence[SpeakerSpan], panel: Panel) -> Told:
    """Make a panel's tracks and read off them who speaks.

    Args:
        sound: The recording.
        turns: Who speaks when in it.
        panel: How they sit.
    """
    people = list(dict.fromkeys(turn.speaker for turn in turns))
    alone = np.zeros((len(people) + panel.silent, len(sound)), np.float32)
    for turn in turns:
        part = slice(turn.start_ms * _SAMPLES_A_MS, turn.end_ms * _SAMPLES_A_MS)
        alone[people.index(turn.speaker), part] = 1.0
    own = alone * sound
    loudness = np.sqrt(np.square(own).sum(axis=1) / np.maximum(1.0, alone.sum(axis=1)))[:, None]
    own /= np.where(loudness > 0, loudness, 1.0)
    places = np.arange(len(own))
    seats = np.abs(places[:, None] - places)
    heard = np.where(seats, 10 ** ((panel.bleed_db - _FURTHER_DB * (seats - 1)) / 20), 1.0).astype(np.float32)
    noise = np.random.default_rng(5).normal(scale=10 ** (panel.hiss_db / 20), size=own.shape).astype(np.float32)
    gains = 10 ** (np.resize(np.array(panel.gains_db, np.float32), len(own))[:, None] / 20)
    tracks = np.float32(0.05) * gains * (heard @ own + noise)
    names = [*people, SILENT][: len(own)]
    spoken = sorted(turns, key=lambda turn: turn.start_ms)
    found = who_spoke(list(zip(names, tracks, strict=True)), spoken, len(sound) // _SAMPLES_A_MS)
    return _compare(
        alone[:, ::_SAMPLES_A_MS], [names.index(name) for _, name in found.names], found.spans, found.exclusive
    )


def _compare(
    alone: Clip, people: Sequence[int], spans: Sequence[SpeakerSpan], exclusive: Sequence[SpeakerSpan]
) -> Told:
    """Compare who speaks in each millisecond, (people, ms), with who was told."""
    numbers = {f"T{number}": person for number, person in enumerate(people, 1)}
    told = np.full(alone.shape[1], -1)
    for span in exclusive:
        told[span.start_ms : span.end_ms] = numbers[span.speaker]
    crowd = np.zeros(alone.shape[1], np.int64)
    for span in spans:
        crowd[span.start_ms : span.end_ms] += 1
    one = alone.sum(axis=0) == 1
    right = told[one] == alone.argmax(axis=0)[one]
    return Told(
        right=float(right.mean()),
        wrong=float((~right & (told[one] >= 0)).mean()),
        together=float((crowd[one] > 1).mean()),
    )
