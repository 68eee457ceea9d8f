"""Who speaks when, read off the microphones: for recordings that have a track for each person.

One waveform a person comes in, with the stretches where anybody speaks; out comes a :class:`Diarization`, as from a
diarizer but with names that need no guess. A microphone also hears the neighbours, more quietly than its owner: each
track is measured against its own speech, and only who is nearly the loudest at a moment speaks then. It stands alone
because no engine is asked, so that the rule can be read and tested with a few sine waves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ports import SAMPLE_RATE, Waveform
from pipeline.types import Diarization, Notice, Span, SpeakerSpan

_LEAST_DB: Final = -100.0

_FRAME_MS: Final = 20
"""What is measured as one."""

_SMOOTH_MS: Final = 200
"""Over how long the level of a frame is averaged: about a syllable."""

_SPEECH_PERCENTILE: Final = 90.0
"""Level of speech among the frames that hold it."""

_LEAST_MS: Final = 500
"""Whoever speaks for less on a track of their own is not told from the neighbours in it."""

_LOUD_DB: Final = 12.0
"""How much quieter than speech on its own track a moment may be to say whose it is."""

_APART_DB: Final = 7.0
"""By so much more, at the least, is a track ahead of the others while its own person speaks than while others do. On
the track of somebody silent, near and far neighbours make less of a difference."""

_RISE_DB: Final = 3.0
"""By so much, at the least, does it get louder then: a track of mere hiss is ahead whenever the others are quiet."""

_ROUNDS: Final = 3
"""So often each track is compared with the others at the levels found for them: a second time changes little."""

_BLEED_DB: Final = 6.0
"""Who is so much quieter than the loudest, each against their own speech, is only heard through."""

_FLOOR_DB: Final = 30.0
"""So far below a track's own speech there is none."""

_GAP_MS: Final = 400
"""A person pauses that long without having stopped."""

_SHORTEST_MS: Final = 100
"""Nobody speaks for less than this."""

_UNEVEN_MS: Final = 3_000
"""A track that differs by more in length may not have begun with the recording."""


def who_spoke(tracks: Sequence[tuple[str, Waveform]], speech: Sequence[Span], duration_ms: int) -> Diarization:
    """Return when each person speaks.

    Args:
        tracks: A full name and a waveform each, all beginning with the recording; two tracks may be one person's.
        speech: Where the recogniser heard anybody, in order, apart: a cough is not a turn.
        duration_ms: Length of the recording.
    """
    names = tuple(dict.fromkeys(name for name, _ in tracks))
    frames = max(1, -(-duration_ms // _FRAME_MS))
    spoken = _spoken(speech, frames)
    relative = np.stack(list(_relative(tracks, spoken, frames)))
    people = np.stack([relative[[name == own for own, _ in tracks]].max(axis=0) for name in names])
    loudest = people.max(axis=0)
    active = spoken & (people > np.maximum(-_FLOOR_DB, loudest - _BLEED_DB))
    first = np.where(active.any(axis=0), people.argmax(axis=0), -1)
    labels = [f"T{number}" for number in range(1, len(names) + 1)]
    spans = [span for label, row in zip(labels, active, strict=True) for span in _spans(label, row, duration_ms)]
    apart = _apart(labels, first, duration_ms)
    return Diarization(
        spans=tuple(sorted(spans, key=lambda span: (span.start_ms, span.speaker))),
        exclusive=tuple(apart),
        notices=tuple(_uneven(tracks, duration_ms)),
        names=tuple(zip(labels, names, strict=True)),
    )


def _spoken(speech: Sequence[Span], frames: int) -> NDArray[np.bool_]:
    spoken = np.zeros(frames, np.bool_)
    for span in speech:
        spoken[span.start_ms // _FRAME_MS : -(-span.end_ms // _FRAME_MS)] = True
    return spoken


def _relative(
    tracks: Sequence[tuple[str, Waveform]], spoken: NDArray[np.bool_], frames: int
) -> Iterator[NDArray[np.float64]]:
    """Yield each track's level in each frame against its own person's speech, dB; -inf where they say nothing."""
    levels = np.stack([_level(waveform, frames) for _, waveform in tracks])
    loud = spoken & (levels.max(axis=0) >= _speech_level(levels.max(axis=0)[spoken]) - _LOUD_DB)
    speech = np.zeros(len(tracks))
    for _ in range(_ROUNDS):
        mine = [
            _own_frames(level, _loudest_other(levels - speech[:, None], tracks, name), loud)
            for (name, _), level in zip(tracks, levels, strict=True)
        ]
        if not any(own.any() for own in mine):
            # Nobody takes turns with anybody: one person speaks, or all that there is is too short.
            mine = list(loud & (levels == levels.max(axis=0)))
        speech = np.array([_speech_level(level[own]) for level, own in zip(levels, mine, strict=True)])
        loud = spoken & ((levels - speech[:, None]).max(axis=0) >= -_LOUD_DB)
    for level, own in zip(levels, speech, strict=True):
        yield np.where(level > _LEAST_DB, level - own, -np.inf)


def _loudest_other(
    levels: NDArray[np.float64], tracks: Sequence[tuple[str, Waveform]], name: str
) -> NDArray[np.float64]:
    """Return the highest of these levels of the tracks of other people, in each frame."""
    others = [other != name for other, _ in tracks]
    loudest: NDArray[np.float64] = levels[others].max(axis=0, initial=_LEAST_DB)
    return loudest


def _own_frames(level: NDArray[np.float64], others: NDArray[np.float64], loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return in which frames a track's own person surely speaks: none where the track only hears the neighbours.

    How far a microphone is turned up moves all of its track, so nothing is asked but how far apart two kinds of moments
    lie: those in which the track is most ahead of the others, and the rest.

    Args:
        level: The track's, dB.
        others: The loudest of the other people's tracks, dB.
        loud: Where somebody speaks loudly enough to tell.
    """
    ahead = level - others
    place = min(int(np.count_nonzero(loud)), _LEAST_MS // _FRAME_MS)
    if not place:
        return loud
    ordered = np.sort(ahead[loud])
    own = loud & (ahead >= (ordered[place - 1] + ordered[-place]) / 2)
    rest = loud & ~own
    if not own.any() or not rest.any():
        return np.zeros_like(loud)
    apart = ahead[own].mean() - ahead[rest].mean() >= _APART_DB and level[own].mean() - level[rest].mean() >= _RISE_DB
    return own if apart else np.zeros_like(loud)


def _speech_level(levels: NDArray[np.float64]) -> float:
    """Return how loud speech in these frames is, dB; infinite where there are none."""
    return float(np.percentile(levels, _SPEECH_PERCENTILE)) if len(levels) else np.inf


def _level(waveform: Waveform, frames: int) -> NDArray[np.float64]:
    size = SAMPLE_RATE * _FRAME_MS // 1000
    power = np.zeros(frames, np.float64)
    whole = min(frames, len(waveform) // size)
    # A slice at a time: the square of hours of sound would take as much memory again.
    for start in range(0, whole, 10_000):
        stop = min(whole, start + 10_000)
        part = waveform[start * size : stop * size].reshape(-1, size).astype(np.float64)
        power[start:stop] = np.square(part).mean(axis=1)
    width = max(1, _SMOOTH_MS // _FRAME_MS)
    smooth = np.convolve(power, np.full(width, 1 / width), mode="same")[:frames]
    level: NDArray[np.float64] = np.maximum(_LEAST_DB, 10 * np.log10(np.maximum(smooth, 1e-10)))
    return level


def _runs(values: NDArray[np.int64], duration_ms: int) -> Iterator[tuple[int, Span]]:
    start = 0
    for value, run in groupby(values.tolist()):
        stop = start + sum(1 for _ in run)
        yield value, Span(start_ms=min(duration_ms, start * _FRAME_MS), end_ms=min(duration_ms, stop * _FRAME_MS))
        start = stop


def _spans(label: str, active: NDArray[np.bool_], duration_ms: int) -> Iterator[SpeakerSpan]:
    """Yield the stretches of one person, over short pauses and without clicks."""
    found: list[Span] = []
    for value, span in _runs(active.astype(np.int64), duration_ms):
        if value and found and span.start_ms - found[-1].end_ms <= _GAP_MS:
            found[-1] = Span(start_ms=found[-1].start_ms, end_ms=span.end_ms)
        elif value:
            found.append(span)
    for span in found:
        if span.duration_ms >= _SHORTEST_MS:
            yield SpeakerSpan(start_ms=span.start_ms, end_ms=span.end_ms, speaker=label)


def _apart(labels: Sequence[str], first: NDArray[np.int64], duration_ms: int) -> Iterator[SpeakerSpan]:
    """Yield who is loudest when, one at a time."""
    for value, span in _runs(first, duration_ms):
        if value >= 0 and span.duration_ms:
            yield SpeakerSpan(start_ms=span.start_ms, end_ms=span.end_ms, speaker=labels[value])


def _uneven(tracks: Sequence[tuple[str, Waveform]], duration_ms: int) -> Iterator[Notice]:
    apart_ms = max(abs(len(waveform) * 1000 // SAMPLE_RATE - duration_ms) for _, waveform in tracks)
    if apart_ms > _UNEVEN_MS:
        yield Notice(code="speakers.tracks_uneven", data=(("seconds", str(apart_ms // 1000)),))
