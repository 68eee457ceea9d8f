"""Small recordings made with ffmpeg for the tests of media and video, and a way to hear a beep in them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.ffmpeg import find_programs
from pipeline.media import MediaLimits, choose_audio, probe, read_waveform, write_audio_file
from pipeline.types import AudioFile, Bilingual, Language, Media, Session

LIMITS: Final = MediaLimits(timeout_s=120, probe_timeout_s=60)
SHARED: Final = Path(__file__).parent.parent.parent / "shared" / "data"
"""Real recordings, where the checkout has them beside it."""


def session(*languages: Language, audio_track: Language | int | None = None) -> Session:
    """Return a session about which nothing else is known."""
    return Session(id="0" * 16, title=Bilingual.same("Test"), languages=languages or ("en",), audio_track=audio_track)


def make(target: Path, *arguments: str) -> Path:
    """Run ffmpeg with these arguments to make a file."""
    programs = find_programs()
    environment = os.environ | {"GCONV_PATH": os.devnull}
    subprocess.run(
        [programs.ffmpeg, "-nostdin", "-v", "error", "-y", *arguments, target], check=True, env=environment, timeout=60
    )
    return target


def pictures(seconds: float = 6, size: str = "160x120", rate: int = 25) -> tuple[str, ...]:
    """Return the input arguments for moving pictures."""
    return "-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}:duration={seconds}"


def beep(at: float = 3, seconds: float = 6, *, rate: int = 44_100, channels: str = "{}") -> tuple[str, ...]:
    """Return the input arguments for silence with one beep of 0.1 s; ``channels`` may repeat or turn it."""
    tone = f"if(between(t,{at},{at + 0.1}),0.5*sin(1000*2*PI*t),0)"
    return "-f", "lavfi", "-i", f"aevalsrc='{channels.format(tone)}':s={rate}:d={seconds}"


def listen(path: Path, folder: Path, *, of: Session | None = None) -> tuple[Media, AudioFile]:
    """Take a recording through the whole of the media stage."""
    media = probe(path, LIMITS)
    return media, write_audio_file(media, choose_audio(media, of or session()), folder / f"{path.name}.wav", LIMITS)


def beeps_s(audio: AudioFile, *, level: float = 0.1) -> list[float]:
    """Return when each beep starts, in seconds."""
    loud = np.nonzero(np.abs(read_waveform(audio)[:]) > level)[0] / 16_000
    if not len(loud):
        return []
    return [float(loud[0]), *(float(moment) for moment in loud[1:][np.diff(loud) > 0.5])]


def cut(source: Path, target: Path, *, start_s: float, length_s: float) -> None:
    """Cut a clip out of a recording; it appears whole under its name, as a careful copier lets it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"part-{target.name}.part")
    kind = {".flac": "flac", ".mp4": "mp4"}[target.suffix]
    make(part, "-ss", str(start_s), "-t", str(length_s), "-i", str(source), "-f", kind)
    part.rename(target)
