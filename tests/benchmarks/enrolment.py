"""How alike one person's voice is in two recordings, and two people's: what an enrolled voice is recognised by.

Run as ``python -m tests.benchmarks.enrolment [--threads 2] [--data ../shared/data]``. Each recording of one known
person is heard by the default diarizer and compared with every other; so is each voice of meetings in which none of
them speaks. Prints Markdown: the likenesses (cosine) of one person's voices and of different people's, and how many of
either ``pipeline.enrolment`` takes for the same. The short readings of FLEURS do not say who reads,
so they are compared with other sets only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
from faster_whisper.audio import decode_audio

from models.diarization import DiarizerOptions, PyannoteDiarizer, open_diarizer
from pipeline.enrolment import ALIKE
from pipeline.ports import SAMPLE_RATE, no_progress
from pipeline.types import ModelUse, SpeakerCount

ROOT: Final = Path(__file__).parents[2]
PEOPLE: Final = {
    "LJ": "ljspeech/LJ001-000[1-7].[fw]*",
    "kyutai": "fr_kyutai/*.mp3",
    "MFA": "mfa_en/*.flac",
    "Austen": "librivox_en/austen_*.wav",
    "Shakespeare": "librivox_en/shakespeare_*.mp3",
    "Katie": "azure_enrolment/enrollment_katie.flac",
    "Steve": "azure_enrolment/enrollment_steve.flac",
    "Joanis": "fr_misc/readalongs_ej-fra.m4a",
    "Lamartine": "fr_misc/ina_lamartine.wav",
    "Kennedy": "jfk/jfk.flac",
    "Harvard": "harvard_en/*.flac",
    "Watson GB": "ibm_watson/en-GB_Broadband_sample1.flac",
    "FLEURS": "fleurs_*/fleurs-*.ogg",
}
MEETINGS: Final = ("council/*.flac", "ami/*.flac")
LEAST_S: Final = 4.0
"""Shorter recordings tell little of a voice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One voice as heard in one recording."""

    person: str
    recording: str
    vector: tuple[float, ...]

    def likeness(self, other: Heard) -> float:
        """Return the cosine of both."""
        return float(np.dot(self.vector, other.vector))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--models", type=Path, default=ROOT / "var" / "models")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    diarizer = _open(options.models, DiarizerOptions(threads=options.threads))
    known = [each for person, files in PEOPLE.items() for each in _hear(diarizer, options.data, files, person)]
    strangers = [each for files in MEETINGS for each in _hear(diarizer, options.data, files, None)]
    pairs = [(one, other) for one, other in combinations(known, 2) if {one.person, other.person} != {"FLEURS"}]
    _report("one person, two recordings", [pair for pair in pairs if pair[0].person == pair[1].person])
    _report("two people, a recording each", [pair for pair in pairs if pair[0].person != pair[1].person])
    _report("a stranger in a meeting", [(one, other) for one in known for other in strangers])


def _open(models: Path, options: DiarizerOptions) -> PyannoteDiarizer:
    use = ModelUse(name="speakers", revision="benchmark", sha256="0" * 64)
    segmentation = models / "segmentation-3.0" / "pytorch_model.bin"
    embedding = models / "campplus" / "campplus_cn_en_common.pt"
    return open_diarizer(segmentation, embedding, models=(use,), options=options)


def _hear(diarizer: PyannoteDiarizer, data: Path, files: str, person: str | None) -> Iterator[Heard]:
    """Yield the one voice of each recording of a person, every voice of each recording of nobody known."""
    for path in sorted(data.glob(files)):
        waveform = decode_audio(str(path))
        if len(waveform) < LEAST_S * SAMPLE_RATE:
            continue
        count = SpeakerCount(exact=1) if person else SpeakerCount()
        for voice in diarizer.diarize(waveform, count=count, progress=no_progress).voices:
            yield Heard(person=person or f"{path.stem} {voice.speaker}", recording=path.name, vector=voice.vector)


def _report(what: str, pairs: Sequence[tuple[Heard, Heard]]) -> None:
    found = sorted((one.likeness(other), one.recording, other.recording) for one, other in pairs)
    same = sum(likeness >= ALIKE for likeness, _, _ in found)
    least, middle, most = found[0], found[len(found) // 2], found[-1]
    sys.stdout.write(f"\n**{what}**: {len(found)} pairs, {same} at {ALIKE} or more\n\n")
    for name, (likeness, one, other) in (("least", least), ("middle", middle), ("most", most)):
        sys.stdout.write(f"- {name} {likeness:.3f}: {one}, {other}\n")


if __name__ == "__main__":
    main()
