"""Who speaks when, read off the microphones: for recordings that have a track for each person.

One waveform a person comes in, with the stretches where anybody speaks; out comes a :class:`Diarization`, as from a
diarizer but with names that need no guess. A microphone also hears the neighbours, more quietly than its owner: each
track is measured against its own speech, and only who is nearly the loudest at a moment speaks then. It stands alone
because no engine is asked, so that the rule can be read and tested with a few sine waves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ports import Waveform
from pipeline.types import Diarization, Notice, Span, SpeakerSpan

_RATE: Final = 16_000
_LEAST_DB: Final = -100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions:
    """How speech is told from bleed and silence.

    Attributes:
        frame_ms: What is measured as one.
        smooth_ms: Over how long the level of a frame is averaged: about a syllable.
        speech_percentile: Level of a track's own speech among its frames where anybody speaks.
        bleed_db: Who is so much quieter than the loudest, each against their own speech, is only heard through.
        gain_db: Microphones differ by so much at most; a track that is quieter still holds nobody but the neighbours.
        floor_db: So far below a track's own speech there is none.
        gap_ms: A person pauses that long without having stopped.
        least_ms: Nobody speaks for less than this.
        uneven_ms: A track that differs by more in length may not have begun with the recording.
    """

    frame_ms: int = 20
    smooth_ms: int = 200
    speech_percentile: float = 90.0
    bleed_db: float = 6.0
    gain_db: float = 12.0
    floor_db: float = 30.0
    gap_ms: int = 400
    least_ms: int = 100
    uneven_ms: int = 3_000


_DEFAULTS: Final = TrackOptions()


def who_spoke(
    tracks: Sequence[tuple[str, Waveform]],
    speech: Sequence[Span],
    duration_ms: int,
    options: TrackOptions = _DEFAULTS,
) -> Diarization:
    """Return when each person speaks.

    Args:
        tracks: A full name and a waveform each, all beginning with the recording; two tracks may be one person's.
        speech: Where the recogniser heard anybody, in order, apart: a cough is not a turn.
        duration_ms: Length of the recording.
        options: How speech is told from bleed and silence.
    """
    names = tuple(dict.fromkeys(name for name, _ in tracks))
    frames = max(1, -(-duration_ms // options.frame_ms))
    spoken = _spoken(speech, frames, options)
    relative = np.stack(list(_relative(tracks, spoken, frames, options)))
    people = np.stack([relative[[name == own for own, _ in tracks]].max(axis=0) for name in names])
    loudest = people.max(axis=0)
    active = spoken & (people > np.maximum(-options.floor_db, loudest - options.bleed_db))
    first = np.where(active.any(axis=0), people.argmax(axis=0), -1)
    labels = [f"T{number}" for number in range(1, len(names) + 1)]
    spans = [
        span for label, row in zip(labels, active, strict=True) for span in _spans(label, row, options, duration_ms)
    ]
    apart = _apart(labels, first, options, duration_ms)
    return Diarization(
        spans=tuple(sorted(spans, key=lambda span: (span.start_ms, span.speaker))),
        exclusive=tuple(apart),
        notices=tuple(_uneven(tracks, duration_ms, options)),
        names=tuple(zip(labels, names, strict=True)),
    )


def _spoken(speech: Sequence[Span], frames: int, options: TrackOptions) -> NDArray[np.bool_]:
    spoken = np.zeros(frames, np.bool_)
    for span in speech:
        spoken[span.start_ms // options.frame_ms : -(-span.end_ms // options.frame_ms)] = True
    return spoken


def _relative(
    tracks: Sequence[tuple[str, Waveform]], spoken: NDArray[np.bool_], frames: int, options: TrackOptions
) -> Iterator[NDArray[np.float64]]:
    """Yield each track's level in each frame against its own speech, dB, which is at most so far below the loudest."""
    levels = [_level(waveform, frames, options) for _, waveform in tracks]
    own = [float(np.percentile(level[spoken], options.speech_percentile)) if spoken.any() else 0.0 for level in levels]
    least = max(own) - options.gain_db
    for level, speech in zip(levels, own, strict=True):
        yield np.where(level <= _LEAST_DB, -np.inf, level - max(speech, least))


def _level(waveform: Waveform, frames: int, options: TrackOptions) -> NDArray[np.float64]:
    size = _RATE * options.frame_ms // 1000
    power = np.zeros(frames, np.float64)
    whole = min(frames, len(waveform) // size)
    # A slice at a time: the square of hours of sound would take as much memory again.
    for start in range(0, whole, 10_000):
        stop = min(whole, start + 10_000)
        part = waveform[start * size : stop * size].reshape(-1, size).astype(np.float64)
        power[start:stop] = np.square(part).mean(axis=1)
    width = max(1, options.smooth_ms // options.frame_ms)
    smooth = np.convolve(power, np.full(width, 1 / width), mode="same")[:frames]
    level: NDArray[np.float64] = np.maximum(_LEAST_DB, 10 * np.log10(np.maximum(smooth, 1e-10)))
    return level


def _runs(values: NDArray[np.int64], frame_ms: int, duration_ms: int) -> Iterator[tuple[int, Span]]:
    start = 0
    for value, run in groupby(values.tolist()):
        stop = start + sum(1 for _ in run)
        yield value, Span(start_ms=min(duration_ms, start * frame_ms), end_ms=min(duration_ms, stop * frame_ms))
        start = stop


def _spans(label: str, active: NDArray[np.bool_], options: TrackOptions, duration_ms: int) -> Iterator[SpeakerSpan]:
    """Yield the stretches of one person, over short pauses and without clicks."""
    found: list[Span] = []
    for value, span in _runs(active.astype(np.int64), options.frame_ms, duration_ms):
        if value and found and span.start_ms - found[-1].end_ms <= options.gap_ms:
            found[-1] = Span(start_ms=found[-1].start_ms, end_ms=span.end_ms)
        elif value:
            found.append(span)
    for span in found:
        if span.duration_ms >= options.least_ms:
            yield SpeakerSpan(start_ms=span.start_ms, end_ms=span.end_ms, speaker=label)


def _apart(
    labels: Sequence[str], first: NDArray[np.int64], options: TrackOptions, duration_ms: int
) -> Iterator[SpeakerSpan]:
    """Yield who is loudest when, one at a time."""
    for value, span in _runs(first, options.frame_ms, duration_ms):
        if value >= 0 and span.duration_ms:
            yield SpeakerSpan(start_ms=span.start_ms, end_ms=span.end_ms, speaker=labels[value])


def _uneven(tracks: Sequence[tuple[str, Waveform]], duration_ms: int, options: TrackOptions) -> Iterator[Notice]:
    apart_ms = max(abs(len(waveform) * 1000 // _RATE - duration_ms) for _, waveform in tracks)
    if apart_ms > options.uneven_ms:
        yield Notice(code="speakers.tracks_uneven", data=(("seconds", str(apart_ms // 1000)),))
