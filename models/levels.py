"""Quiet voices made as loud as the others, for a detector that would not hear them.

Sound goes in, the same sound comes out with what is quiet made louder, by the loudest of the few seconds around it. It
stands alone because it knows nothing of engines: a slow automatic gain control, as in any conference room.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from pipeline.ports import SAMPLE_RATE, Clip

FRAME: Final = 512
"""Samples that get one gain: 32 ms."""

AROUND_S: Final = 3.0
"""Seconds whose loudest syllable sets the gain, and over which it then glides: no pause is made loud by itself."""

REACH_S: Final = 4.0
"""Seconds before and after some sound that its gain can depend on."""

_SYLLABLE: Final = 9
"""Frames over which loudness is measured: 0.3 s."""

_WANTED: Final = 0.1
"""Root mean square of a loud syllable, -20 dB of full scale."""

_MOST: Final = 10.0
"""The gain at most, 20 dB: beyond that, rooms would be made loud."""


def even_out(sound: Clip) -> Clip:
    """Return the sound with quiet passages louder, none softer, clipped to -1 to 1; shape (samples,).

    Args:
        sound: At 16 kHz. What lies more than :data:`REACH_S` away from a sample changes nothing about it.

    Example:
        >>> [round(float(even_out(np.full(16_000, level, np.float32)).max()), 2) for level in (0.001, 0.02, 0.5)]
        [0.01, 0.1, 0.5]
    """
    frames = np.pad(sound, (0, -len(sound) % FRAME)).reshape(-1, FRAME)
    if not len(frames):
        return sound
    energy = np.einsum("ij,ij->i", frames, frames) / FRAME
    evened: Clip = np.clip(frames * _gains(energy)[:, None], -1.0, 1.0, dtype=np.float32).reshape(-1)
    return evened[: len(sound)]


def _gains(energy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gain of each frame from the mean square of each."""
    around = round(AROUND_S * SAMPLE_RATE / FRAME) | 1
    loudest = maximum_filter1d(uniform_filter1d(energy, _SYLLABLE), around)
    # A running mean of what has fallen silent may come out a rounding error below nothing.
    gains = np.clip(_WANTED / np.sqrt(np.maximum(loudest, (_WANTED / _MOST) ** 2)), 1.0, _MOST)
    glided: NDArray[np.float32] = uniform_filter1d(gains.astype(np.float32), around)
    return glided
