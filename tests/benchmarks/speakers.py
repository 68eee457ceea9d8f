"""Measure the speaker stage on every recording with a reference: who spoke when, how many, how fast.

Run as ``python -m tests.benchmarks.speakers [--threads 2] [--data ../shared/data]``; prints a Markdown table. The error
is pyannote.metrics' diarization error rate without a collar and with overlapped speech scored, in per cent of the
reference's speech, with its parts. Every recording is measured by the same opened engine, one after the other.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faster_whisper.audio import decode_audio
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from models.diarization import DiarizerOptions, PyannoteDiarizer, open_diarizer
from pipeline.ports import no_progress
from pipeline.types import Diarization, ModelUse, SpeakerCount

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one recording, or several together, showed.

    Attributes:
        name: Of the recording or of the set.
        parts: pyannote.metrics' components, seconds.
        expected: Voices in the reference.
        heard: Voices found.
        sound_s: Length of the recording.
        spent_s: Wall-clock time that it took.
    """

    name: str
    parts: dict[str, float]
    expected: int
    heard: int
    sound_s: float
    spent_s: float

    def share(self, part: str) -> float:
        """Return a part of the error in per cent of the reference's speech."""
        return 100 * self.parts[part] / self.parts["total"]

    @property
    def error(self) -> float:
        """The diarization error rate, per cent."""
        return sum(self.share(part) for part in ("confusion", "missed detection", "false alarm"))

    @property
    def row(self) -> str:
        """One row of the table."""
        parts = " | ".join(f"{self.share(part):.2f}" for part in ("confusion", "missed detection", "false alarm"))
        return (
            f"| {self.name} | {self.error:.2f} | {parts} | {self.heard} of {self.expected} "
            f"| {self.spent_s / self.sound_s:.3f} |"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    started = time.perf_counter()
    diarizer = _open(options.models, DiarizerOptions(threads=options.threads, threshold=options.threshold))
    loaded_s = time.perf_counter() - started
    rows = []
    _print("| recording | DER % | confusion | missed | false alarm | voices | RTF |")
    _print("| --- | --- | --- | --- | --- | --- | --- |")
    for reference in sorted(options.data.glob("*/*.rttm")):
        rows.append(_measure(diarizer, reference))
        _print(rows[-1].row)
    for folder in ("ami", "composed"):
        names = {path.stem for path in (options.data / folder).glob("*.rttm")}
        _print(_together(f"**{folder}**", [row for row in rows if row.name in names]).row)
    _print(_together("**all**", rows).row)
    right = sum(row.heard == row.expected for row in rows)
    near = sum(abs(row.heard - row.expected) == 1 for row in rows)
    _print(f"\n{right} of {len(rows)} numbers of voices right, {near} off by one; opened in {loaded_s:.1f} s.")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--models", type=Path, default=ROOT / "var" / "models")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--threshold", type=float, default=DiarizerOptions().threshold)
    return parser.parse_args(arguments)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _open(models: Path, options: DiarizerOptions) -> PyannoteDiarizer:
    use = ModelUse(name="speakers", revision="benchmark", sha256="0" * 64)
    segmentation = models / "segmentation-3.0" / "pytorch_model.bin"
    embedding = models / "campplus" / "campplus_cn_en_common.pt"
    return open_diarizer(segmentation, embedding, models=(use,), options=options)


def _measure(diarizer: PyannoteDiarizer, reference: Path) -> Measured:
    waveform = decode_audio(str(reference.with_suffix(".flac")))
    started = time.perf_counter()
    found = diarizer.diarize(waveform, count=SpeakerCount(), progress=no_progress)
    spent_s = time.perf_counter() - started
    expected = list(read_rttm(reference))
    sound_s = len(waveform) / 16_000
    return Measured(
        name=reference.stem,
        parts=components(expected, found, sound_s),
        expected=len({name for _, _, name in expected}),
        heard=len({span.speaker for span in found.spans}),
        sound_s=sound_s,
        spent_s=spent_s,
    )


def read_rttm(path: Path) -> Iterator[tuple[float, float, str]]:
    """Yield start and end in seconds and the name of each turn of a reference."""
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            yield float(fields[3]), float(fields[3]) + float(fields[4]), fields[7]


def components(expected: Sequence[tuple[float, float, str]], found: Diarization, sound_s: float) -> dict[str, float]:
    """Return the parts of the diarization error in seconds: no collar, overlap scored."""
    heard = [(span.start_ms / 1000, span.end_ms / 1000, span.speaker) for span in found.spans]
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    whole = Timeline([Segment(0.0, sound_s)])
    parts = metric(_annotation(expected), _annotation(heard), uem=whole, detailed=True)
    return {name: float(parts[name]) for name in ("total", "confusion", "missed detection", "false alarm")}


def _annotation(rows: Sequence[tuple[float, float, str]]) -> Annotation:
    annotation = Annotation()
    for track, (start, end, name) in enumerate(rows):
        annotation[Segment(start, end), track] = name
    return annotation


def _together(name: str, rows: Sequence[Measured]) -> Measured:
    return Measured(
        name=name,
        parts={part: sum(row.parts[part] for row in rows) for part in rows[0].parts},
        expected=sum(row.expected for row in rows),
        heard=sum(row.heard for row in rows),
        sound_s=sum(row.sound_s for row in rows),
        spent_s=sum(row.spent_s for row in rows),
    )


if __name__ == "__main__":
    main()
