"""How loud a recording is from moment to moment: what a drawn waveform needs.

In goes the mono track that recognition hears, out comes one byte for each fiftieth of a second, kept beside it so that
hours are read once only. Stands alone because it is about sound, and the page that draws it is not.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.durable import write_whole
from pipeline.errors import MediaError

PEAKS_PER_SECOND: Final = 50
_AT_ONCE_S: Final = 60


def read_peaks(sound: Path, kept: Path) -> bytes:
    """Return the loudest sample of each fiftieth of a second, 0 to 255.

    Args:
        sound: A 16-bit mono WAV file.
        kept: Where the result is kept; taken from there while the sound is not newer.

    Raises:
        MediaError: It is not such a file, or is not there.
        OSError: The result cannot be kept.
    """
    try:
        if kept.stat().st_mtime_ns >= sound.stat().st_mtime_ns:
            return kept.read_bytes()
    except FileNotFoundError:
        pass
    try:
        peaks = _measure(sound)
    except (OSError, wave.Error, EOFError) as error:
        raise MediaError("media.audio_damaged") from error
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_whole(kept, peaks)
    return peaks


def _measure(sound: Path) -> bytes:
    found = []
    with wave.open(str(sound), "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise wave.Error("not 16-bit mono")
        length = file.getframerate() // PEAKS_PER_SECOND
        while read := file.readframes(length * PEAKS_PER_SECOND * _AT_ONCE_S):
            samples = np.abs(np.frombuffer(read, "<i2").astype(np.int32))
            samples = np.pad(samples, (0, -len(samples) % length))
            found.append((samples.reshape(-1, length).max(axis=1) * 255 // 32768).astype(np.uint8))
    return np.concatenate(found).tobytes() if found else b""
