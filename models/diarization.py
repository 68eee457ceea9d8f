"""The diarizer: opened once from files of weights, then asked who speaks when.

Paths of weights and options go in; a :class:`~pipeline.ports.Diarizer` comes out. By default it is pyannote.audio's
speaker diarization with segmentation-3.0 and our CAM++ embedding; community-1 is the other choice. It stands alone as
the one place that knows how pyannote is imported, where it runs, how it fails and what it says on the way; torch and
pyannote are imported only when an engine is opened.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from models.gpu import fitting, free_memory
from models.parallel import keep_memory, return_memory, threads_given
from models.torchaudio_loader import load_torchaudio
from pipeline.errors import DiarizationFailed, OutOfMemory, SetUpError
from pipeline.ports import SAMPLE_RATE, Progress, Waveform
from pipeline.types import Diarization, ModelUse, SpeakerCount, SpeakerSpan, Voiceprint

_SHARES: Final = {"segmentation": (0.0, 0.4), "embeddings": (0.4, 0.98), "discrete_diarization": (0.98, 0.99)}
"""Where each step of pyannote's starts and ends in the whole, as measured on two cores."""

_WINDOW_BYTES: Final = 32 * 2**20
"""What hearing a window takes of a GPU's memory, at most: mostly what the filterbank makes of it, twice."""

_ALLOCATOR: Final = "DefaultCPUAllocator: can't allocate memory"
"""What torch says, in a plain RuntimeError, where the CPU has too little."""

_UNREADABLE: Final = (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizerOptions:
    """How voices are told apart.

    Attributes:
        device: ``auto`` takes a GPU when there is one.
        threads: Cores to use; ``None`` for as many as were given to the process.
        step: From one 10 s window to the next, as a share of the window.
        onset: Probability from which somebody is heard, 0 to 1: lower hears more, speech and noise.
        longest_gap_s: Pauses of one voice that are no longer are part of what it says.
        threshold: Average cosine distance up to which two groups are one voice, 0 to 2: higher gives fewer voices.
        shortest_voice_s: Seconds that somebody must be heard alone to be told apart from the others; in recordings of
            under sixty times that, less is enough where they are like no other.
        cpu_batch: Windows heard at once on the CPU.
        gpu_batch: Windows heard at once on a GPU whose memory holds them.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    step: float = 0.2
    onset: float = 0.3
    longest_gap_s: float = 0.5
    threshold: float = 0.345
    shortest_voice_s: float = 2.0
    cpu_batch: int = 8
    gpu_batch: int = 64

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"not a number of threads: {self.threads}")
        if not 0.0 < self.step <= 1.0 or not 0.0 < self.threshold < 2.0 or not 0.0 < self.onset < 1.0:
            raise ValueError(f"not a step, a threshold and an onset: {self.step}, {self.threshold}, {self.onset}")
        if min(self.shortest_voice_s, self.longest_gap_s) < 0 or min(self.cpu_batch, self.gpu_batch) < 1:
            raise ValueError("times are at least 0 and a batch holds at least one window")


class PyannoteDiarizer:
    """A pyannote pipeline behind the house's door. Made by the two functions below, used by one thread at a time."""

    def __init__(
        self,
        pipeline: Any,  # noqa: ANN401 - pyannote has no types
        models: Sequence[ModelUse],
        *,
        device: str,
        threads: int,
        read: Callable[[Waveform], object],
        options: DiarizerOptions,
        reopen: Callable[[DiarizerOptions], PyannoteDiarizer],
    ) -> None:
        self._pipeline = pipeline
        self._models = tuple(replace(model, device=device) for model in models)
        self._device = device
        self._threads = threads
        self._read = read
        self._options = options
        self._reopen = reopen

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """Which weights, where they run now."""
        return self._models

    def to_cpu(self) -> PyannoteDiarizer:
        """Return the same models on the CPU; itself when it is there."""
        return self if self._device == "cpu" else self._reopen(replace(self._options, device="cpu"))

    def diarize(self, waveform: Waveform, *, count: SpeakerCount, progress: Progress) -> Diarization:
        """Tell the voices apart.

        Args:
            waveform: The whole recording; kept as it is.
            count: How many voices to expect.
            progress: Told the share done.

        Raises:
            OutOfMemory: The device is too small.
            DiarizationFailed: The engine failed otherwise.
        """
        if not len(waveform):
            return Diarization(spans=(), exclusive=(), models=self._models)
        with _failures_as_ours(self._device), _quiet(), _threads(self._threads):
            found = self._pipeline(self._as_file(waveform), hook=_Hook(progress), **_bounds(count))
        return_memory()
        progress(1.0)
        end_ms = len(waveform) * 1000 // SAMPLE_RATE
        return Diarization(
            spans=tuple(_spans(found.speaker_diarization, end_ms)),
            exclusive=tuple(_spans(found.exclusive_speaker_diarization, end_ms)),
            models=self._models,
            voices=tuple(_voiceprints(found)),
        )

    def _as_file(self, waveform: Waveform) -> dict[str, object]:
        return {"waveform": self._read(waveform), "sample_rate": SAMPLE_RATE, "uri": "recording"}


def open_diarizer(
    segmentation: Path,
    embedding: Path,
    *,
    models: tuple[ModelUse, ...],
    options: DiarizerOptions | None = None,
) -> PyannoteDiarizer:
    """Open the default diarizer: segmentation-3.0 with CAM++.

    Args:
        segmentation: The checkpoint of pyannote's segmentation-3.0.
        embedding: The weights of CAM++.
        models: What these weights are, for the provenance; their device is filled in here.
        options: How voices are told apart.

    Raises:
        SetUpError: A file is missing or not what it should be.
    """
    options = options or DiarizerOptions()

    def build() -> Any:  # noqa: ANN401 - pyannote has no types
        from models.campplus import read_campplus
        from models.segmentation import read_segmentation
        from models.voices import VoiceClustering, VoiceDiarization

        on_gpu = _device(options) != "cpu"
        return VoiceDiarization(
            _read(segmentation, read_segmentation),
            _read(embedding, read_campplus),
            VoiceClustering(options.threshold, options.shortest_voice_s),
            step=options.step,
            onset=options.onset,
            windows=_batch(options),
            blocks=_batch(options) if on_gpu else 1,
            workers=1 if on_gpu else options.threads or threads_given(),
        ).instantiate({"segmentation": {"min_duration_off": options.longest_gap_s}})

    def reopen(changed: DiarizerOptions) -> PyannoteDiarizer:
        return open_diarizer(segmentation, embedding, models=models, options=changed)

    # The cores are shared out by window; see models.parallel.
    return _open(build, models, options, reopen, threads=1, read=lambda waveform: waveform)


def open_community_diarizer(
    folder: Path, *, models: tuple[ModelUse, ...], options: DiarizerOptions | None = None
) -> PyannoteDiarizer:
    """Open pyannote's speaker-diarization-community-1, which brings its own embedding and clustering.

    Args:
        folder: Its ``config.yaml`` with the folders ``segmentation``, ``embedding`` and ``plda`` beside it.
        models: What these weights are, for the provenance; their device is filled in here.
        options: Device, threads and batches; the clustering's figures are those of the folder.

    Raises:
        SetUpError: A file is missing or not what it should be.
    """
    options = options or DiarizerOptions()

    def build() -> Any:  # noqa: ANN401 - pyannote has no types
        from pyannote.audio import Pipeline

        pipeline = _read(folder / "config.yaml", lambda _: Pipeline.from_pretrained(folder))
        pipeline.segmentation_batch_size = pipeline.embedding_batch_size = _batch(options)
        return pipeline

    def reopen(changed: DiarizerOptions) -> PyannoteDiarizer:
        return open_community_diarizer(folder, models=models, options=changed)

    return _open(build, models, options, reopen, threads=options.threads or threads_given(), read=_whole)


def _open(
    build: Callable[[], Any],
    models: tuple[ModelUse, ...],
    options: DiarizerOptions,
    reopen: Callable[[DiarizerOptions], PyannoteDiarizer],
    *,
    threads: int,
    read: Callable[[Waveform], object],
) -> PyannoteDiarizer:
    keep_memory()
    with _quiet():
        _import_pyannote()
        device = _device(options)
        with _failures_as_ours(device):
            pipeline = build().to(_torch_device(device))
    return PyannoteDiarizer(pipeline, models, device=device, threads=threads, read=read, options=options, reopen=reopen)


def _import_pyannote() -> None:
    # Read once, at the import: pyannote otherwise reports each use to its makers.
    os.environ["PYANNOTE_METRICS_ENABLED"] = "false"
    # Read once, when torch loads its thread pool: idle threads that spin for work take the cores from whoever else
    # works on this machine, and made this 20 times slower beside another busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    load_torchaudio()
    import pyannote.audio  # noqa: F401


def _device(options: DiarizerOptions) -> str:
    import torch

    # pyannote turns these off itself, with a warning: results would depend on the kind of GPU.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if options.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return options.device


def _torch_device(device: str) -> Any:  # noqa: ANN401 - torch is not imported at the top
    import torch

    return torch.device(device)


def _batch(options: DiarizerOptions) -> int:
    """Return how many windows are heard at once; on a GPU no more than its memory holds."""
    if _device(options) == "cpu":
        return options.cpu_batch
    return fitting(free_memory(), _WINDOW_BYTES, most=options.gpu_batch)


def _read(path: Path, reader: Callable[[Path], Any]) -> Any:  # noqa: ANN401 - whatever the reader makes
    if not path.is_file():
        raise SetUpError("speakers.weights_missing", {"file": str(path)})
    try:
        return reader(path)
    except _UNREADABLE as error:
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        raise SetUpError("speakers.weights_unreadable", {"file": str(path), "detail": detail}) from error


def _whole(waveform: Waveform) -> object:
    """Return all the samples as pyannote takes them: in memory, so that nothing decodes them again."""
    import torch

    return torch.from_numpy(waveform[: len(waveform)])[None]


def _bounds(count: SpeakerCount) -> dict[str, int | None]:
    return {"num_speakers": count.exact, "min_speakers": count.least, "max_speakers": count.most}


def _spans(annotation: Any, end_ms: int) -> Iterator[SpeakerSpan]:  # noqa: ANN401 - pyannote has no types
    """Yield pyannote's tracks in order; its last window may reach past the end of the recording."""
    for track, _, label in annotation.itertracks(yield_label=True):
        start_ms, stop_ms = (min(end_ms, max(0, round(1000 * second))) for second in (track.start, track.end))
        if start_ms < stop_ms:
            yield SpeakerSpan(start_ms=start_ms, end_ms=stop_ms, speaker=str(label))


def _voiceprints(found: Any) -> Iterator[Voiceprint]:  # noqa: ANN401 - pyannote has no types
    """Yield how each voice sounds; pyannote gives the centroids in the order of its labels, some of them zero."""
    labels = found.speaker_diarization.labels()
    for label, centroid in zip(labels, found.speaker_embeddings if labels else (), strict=True):
        length = float((centroid**2).sum() ** 0.5)
        if length > 0:
            yield Voiceprint(speaker=str(label), vector=tuple((centroid / length).tolist()))


class _Hook:
    """Turns pyannote's calls on the way into one share that never goes back."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._share = 0.0

    def __call__(self, step: str, *_: object, completed: int = 1, total: int = 1, **__: object) -> None:
        start, end = _SHARES.get(step, (0.0, 0.0))
        self._share = max(self._share, start + (end - start) * min(1.0, completed / max(1, total)))
        self._progress(self._share)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Hold torch to so many threads in a call: with more than there are cores it is many times slower."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the warnings that have no meaning here, and only those."""
    with warnings.catch_warnings():
        # Sound comes as a waveform in memory, so pyannote needs no decoder.
        warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
        # The stage tells this in a notice, in both languages.
        warnings.filterwarnings("ignore", message=r"\s*The detected number of speakers", category=UserWarning)
        yield


@contextmanager
def _failures_as_ours(device: str) -> Iterator[None]:
    import torch

    try:
        yield
    except SetUpError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or _ALLOCATOR in str(error):
            raise OutOfMemory("speakers.out_of_memory", {"device": device.upper()}) from error
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DiarizationFailed("speakers.engine_failed", {"detail": detail}) from error
