"""Many channels to one that holds everyone who speaks.

16-bit samples of any number of channels come in, block by block; one channel goes out. A plain average, which is what
players and most libraries do, gives silence where one channel is the other turned upside down, so the channels are
measured first. Stands alone so that the rule can be read and tested without a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""Shape (samples, channels)."""

BLOCK_SAMPLES: Final = 8000
"""What is measured as one: half a second at 16 kHz."""

_DEAD: Final = 10 ** (-40 / 10)
"""Share of the loudest channel's power below which a channel holds nothing: 40 dB less at its loudest moment."""
_NEAR: Final = 10 ** (-20 / 10)
"""Share of power above which two channels are both heard: 20 dB."""
_ALIKE: Final = 0.7
"""Correlation from which two channels hold the same sound."""
_SOME: Final = 0.05
"""Share of the sounding blocks that is more than chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """How loud the channels are, block by block.

    Attributes:
        power: Sums of squares, shape (blocks, channels).
        product: Sums of the first channel times the second, shape (blocks,); zeros where there are not two.
    """

    power: NDArray[np.float64]
    product: NDArray[np.float64]


def measure(chunks: Iterable[Samples]) -> Loudness:
    """Measure the channels, in bounded memory.

    Args:
        chunks: Consecutive samples; every chunk but the last holds a whole number of blocks.
    """
    powers, products = [], []
    for chunk in chunks:
        whole = np.zeros((-(-len(chunk) // BLOCK_SAMPLES) * BLOCK_SAMPLES, chunk.shape[1]), np.float64)
        whole[: len(chunk)] = chunk
        blocks = whole.reshape(-1, BLOCK_SAMPLES, chunk.shape[1])
        powers.append(np.square(blocks).sum(axis=1))
        second = blocks[:, :, 1] if chunk.shape[1] == 2 else np.zeros(1)
        products.append((blocks[:, :, 0] * second).sum(axis=1))
    if not powers:
        return Loudness(power=np.zeros((0, 1)), product=np.zeros(0))
    return Loudness(power=np.concatenate(powers), product=np.concatenate(products))


def choose_mix(loudness: Loudness, layout: str | None = None) -> tuple[float, ...]:
    """Return the weight of each channel in the mix.

    A dead channel is left out. Two channels are averaged, unless they cancel: then their difference is taken, or the
    louder one alone where they cancel in some places and agree in others. Of surround sound the centre is taken if it
    sounds nearly always when anything does, else the average without the bass channel.

    Args:
        loudness: What was measured.
        layout: ffmpeg's name for where the channels belong, if known.

    Example:
        >>> upside_down = Loudness(power=np.array([[9.0, 9.0]]), product=np.array([-9.0]))
        >>> choose_mix(upside_down)
        (0.5, -0.5)
    """
    power = loudness.power
    count = int(power.shape[1])
    sounding = power.max(axis=1, initial=0) > power.max(initial=0) * _DEAD
    if not sounding.any():
        return (1.0 / count,) * count
    alive = power.max(axis=0) >= power.max() * _DEAD
    if count == 2 and alive.all():
        return _mix_two(power[sounding], loudness.product[sounding])
    if layout is not None and re.match(r"[3-7]\.\d", layout):
        if _sounds_throughout(power[sounding], channel=2):
            return tuple(float(channel == 2) for channel in range(count))
        alive &= np.arange(count) != (3 if re.match(r"\d\.1", layout) else count)
    return tuple(float(weight) for weight in alive / max(1, alive.sum()))


def mix(samples: Samples, weights: tuple[float, ...]) -> NDArray[np.int16]:
    """Return the one channel, shape (samples,)."""
    total = np.zeros(len(samples), np.float32)
    for channel, weight in enumerate(weights):
        if weight:
            total += np.float32(weight) * samples[:, channel]
    return np.clip(np.rint(total), -32768, 32767).astype(np.int16)


def _mix_two(power: NDArray[np.float64], product: NDArray[np.float64]) -> tuple[float, ...]:
    both = power.min(axis=1) > power.max(axis=1) * _NEAR
    correlation = np.where(both, product / np.sqrt(np.where(both, power.prod(axis=1), 1.0)), 0.0)
    against = (correlation < -_ALIKE).mean()
    together = (correlation > _ALIKE).mean()
    if against < _SOME:
        return 0.5, 0.5
    if together < _SOME:
        return 0.5, -0.5
    return (1.0, 0.0) if power[:, 0].sum() >= power[:, 1].sum() else (0.0, 1.0)


def _sounds_throughout(power: NDArray[np.float64], *, channel: int) -> bool:
    return bool((power[:, channel] > power.max(axis=1) * _NEAR).mean() >= 0.9)
