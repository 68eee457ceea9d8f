"""Where the time goes, and how little it could be.

Tribune's speech and speaker stages run once over a recording on one thread, so that no two calls into their engines are
timed at once; beside that stands the arithmetic that Whisper base has to do for the same windows and words, at the rate
at which one thread of this machine multiplies 8-bit matrices. The rate is measured, the arithmetic counted from the
shape of the network.
"""

from __future__ import annotations

import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final

from pipeline.ports import SAMPLE_RATE
from tests.benchmarks.bench import Bench, Row, run_alone, table
from tests.benchmarks.data import Sample, long_recording, read_sound
from tests.benchmarks.systems import open_hearing, open_telling

MEASURE: Final = "limits"
SYSTEM: Final = "tribune"

WIDTH: Final = 512
LAYERS: Final = 6
INNER: Final = 2048
MELS: Final = 80
VOCABULARY: Final = 51_865
WINDOW_FRAMES: Final = 3_000
"""Whisper base: what its configuration says, and 30 s of 10 ms frames."""

_SHAPES: Final = ((1500, 512, 512), (1500, 512, 2048), (1500, 2048, 512), (4096, 2048, 2048))
_TRIES: Final = 50
_QUICK_TRIES: Final = 10
_MINUTES: Final = 10
_QUICK_MINUTES: Final = 1

TIMED: Final = (
    ("speech", "voice detection", "faster_whisper.vad", "SileroVADModel.__call__"),
    ("speech", "features", "faster_whisper.feature_extractor", "FeatureExtractor.__call__"),
    ("speech", "encoder", "faster_whisper.transcribe", "WhisperModel.encode"),
    ("speech", "decoder", "ctranslate2.models", "Whisper.generate"),
    ("speech", "language", "ctranslate2.models", "Whisper.detect_language"),
    ("speech", "word times", "ctranslate2.models", "Whisper.align"),
    ("speakers", "segmentation", "models.voices", "segment_windows"),
    ("speakers", "voice features", "models.voices", "filterbank"),
    ("speakers", "voice network", "models.campplus", "CamPlusPlus.trunk"),
    ("speakers", "voice pooling", "models.campplus", "CamPlusPlus.pool"),
    ("speakers", "clustering", "models.voices", "VoiceClustering.__call__"),
)
"""Stage, name of the part, and the call into the engine that does it. None calls another."""


def encoder_operations(frames: int = WINDOW_FRAMES) -> int:
    """Return the multiplications and additions that the encoder needs for so many frames of 10 ms.

    Example:
        >>> round(encoder_operations() / 1e9)
        87
    """
    places = frames // 2
    convolutions = 2 * 3 * WIDTH * (frames * MELS + places * WIDTH)
    projections = 2 * places * 4 * WIDTH * WIDTH
    attention = 2 * 2 * places * places * WIDTH
    inner = 2 * places * 2 * WIDTH * INNER
    return convolutions + LAYERS * (projections + attention + inner)


def decoder_operations(tokens: int, beam: int, frames: int = WINDOW_FRAMES) -> int:
    """Return what the decoder needs for a window of so many tokens: every beam, what it heard kept."""
    places = frames // 2
    heard = LAYERS * 2 * places * 2 * WIDTH * WIDTH
    projections = 2 * (4 + 2) * WIDTH * WIDTH
    attention = 2 * 2 * WIDTH * (places + tokens // 2)
    inner = 2 * 2 * WIDTH * INNER
    token = LAYERS * (projections + attention + inner) + 2 * WIDTH * VOCABULARY
    return heard + tokens * beam * token


def peak_rate(tries: int) -> float:
    """Return the most 8-bit multiplications and additions a second that one thread of this machine was seen to do.

    Args:
        tries: How often each size of matrices is multiplied.
    """
    import torch  # noqa: PLC0415 - the parent process loads no engine

    torch.set_num_threads(1)
    best = 0.0
    for rows, inner, columns in _SHAPES:
        left = torch.randint(-127, 127, (rows, inner), dtype=torch.int8)
        right = torch.randint(-127, 127, (inner, columns), dtype=torch.int8)
        for _ in range(tries):
            started = time.perf_counter()
            torch._int_mm(left, right)
            best = max(best, 2 * rows * inner * columns / (time.perf_counter() - started))
    return best


def profile(bench: Bench, system: str) -> None:
    """Time the parts of both stages over one recording; in its own process."""
    sound = long_recording(_QUICK_MINUTES if bench.quick else _MINUTES, bench.joined, data=bench.data)
    sample = Sample(group="", path=sound, languages=("en",), text="")
    waveform = read_sound(sound)
    rate = peak_rate(_QUICK_TRIES if bench.quick else _TRIES)
    hears, tells = open_hearing(system, 1), open_telling(system, 1)
    clock = _Clock()
    for stage, part, module, name in TIMED:
        clock.time(f"{stage}: {part}", module, name)
    spent = {}
    for stage, work in (("speech", lambda: hears(waveform, sample)), ("speakers", lambda: tells(waveform))):
        started = time.perf_counter()
        work()
        spent[stage] = time.perf_counter() - started
    row = {
        "recording": sound.name,
        "sound_s": len(waveform) / SAMPLE_RATE,
        "rate": rate,
        "spent": spent,
        "parts": dict(clock.spent),
        "windows": clock.windows,
        "tokens": clock.tokens,
        "encoder_operations": clock.encoder_operations,
        "decoder_operations": clock.decoder_operations,
    }
    bench.add(MEASURE, system, row)


class _Clock:
    """Puts a stop-watch around calls, and counts what the encoder and the decoder are given."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.windows = 0
        self.tokens = 0
        self.encoder_operations = 0
        self.decoder_operations = 0
        self._frames: list[int] = []

    def time(self, part: str, module: str, name: str) -> None:
        """Time a function or method, named from its module on; one that is no longer there counts with the rest."""
        owner: Any = importlib.import_module(module)
        *classes, last = name.split(".")
        for each in classes:
            owner = getattr(owner, each, None)
        work = getattr(owner, last, None)
        if work is not None:
            setattr(owner, last, self._timed(part, last, work))

    def _timed(self, part: str, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def timed(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the engine takes and gives
            started = time.perf_counter()
            result = work(*given, **named)
            self.spent[part] += time.perf_counter() - started
            if name == "encode":
                self._count_windows(given[1])
            if name == "generate":
                self._count_tokens(result, named.get("beam_size", 1))
            return result

        return timed

    def _count_windows(self, features: Any) -> None:  # noqa: ANN401 - an array, of one window or more
        windows = features.shape[0] if features.ndim == 3 else 1
        self._frames.append(int(features.shape[-1]))
        self.windows += windows
        self.encoder_operations += windows * encoder_operations(int(features.shape[-1]))

    def _count_tokens(self, results: Sequence[Any], beam: int) -> None:
        frames = self._frames[-1] if self._frames else WINDOW_FRAMES
        for result in results:
            tokens = len(result.sequences_ids[0])
            self.tokens += tokens
            self.decoder_operations += decoder_operations(tokens, beam, frames)


def measure(bench: Bench) -> None:
    """Take the profile."""
    bench.measure(MEASURE, SYSTEM, [_recording(bench)])


def _recording(bench: Bench) -> str:
    return f"long-{_QUICK_MINUTES if bench.quick else _MINUTES}-0.wav"


def report(bench: Bench) -> list[str]:
    """Return the table as lines of Markdown."""
    rows = [row for row in bench.rows(MEASURE, SYSTEM) if row.get("recording") == _recording(bench)]
    if not rows:
        return [f"Not run: {bench.failure(MEASURE, SYSTEM)}", ""]
    row = rows[-1]
    limits = {f"speech: {part}": row[f"{part}_operations"] / row["rate"] for part in ("encoder", "decoder")}
    whole = sum(row["spent"].values())
    lines = []
    for stage, spent_s in row["spent"].items():
        parts = {part: seconds for part, seconds in row["parts"].items() if part.startswith(f"{stage}:")}
        parts[f"{stage}: everything else"] = spent_s - sum(parts.values())
        for part, seconds in sorted(parts.items(), key=lambda each: -each[1]):
            lines.append(_line(part, seconds, whole, row["sound_s"], limits.get(part)))
        lines.append(_line(f"**{stage}**", spent_s, whole, row["sound_s"], None))
    head = ["part", "share of both", "s of one thread for an hour of sound", "arithmetic limit, s", "of the limit"]
    return [*table(head, lines), _said(row), ""]


def _line(part: str, seconds: float, whole: float, sound_s: float, limit_s: float | None) -> list[str]:
    hourly = 3600 / sound_s
    limit = ["–", "–"] if limit_s is None else [f"{limit_s * hourly:.1f}", f"{100 * limit_s / seconds:.0f} %"]
    return [part, f"{100 * seconds / whole:.1f} %", f"{seconds * hourly:.1f}", *limit]


def _said(row: Row) -> str:
    window = encoder_operations()
    return (
        f"Whisper base needs {window / 1e9:.0f} GFLOP to encode a window of 30 s and "
        f"{decoder_operations(100, 5) / 1e9:.0f} GFLOP to decode 100 tokens of it with a beam of 5. One thread of this "
        f"machine was seen to do {row['rate'] / 1e9:.0f} GOP/s on 8-bit matrices of these sizes: "
        f"{1000 * window / row['rate']:.0f} ms a window, {120 * window / row['rate']:.1f} s an hour, for the encoder "
        f"at the least. Here it encoded {row['windows']} windows and decoded {row['tokens']} tokens of "
        f"{row['sound_s'] / 60:.0f} min. The bound is loose: attention, convolutions and normalisations are not done "
        "in 8 bits, and decoding waits for memory."
    )


if __name__ == "__main__":
    run_alone(__doc__, measure, report)
