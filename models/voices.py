"""pyannote.audio's speaker diarization on our embedding: the heavy half of the diarizer.

A segmentation model, the CAM++ network and how to cluster go in; a pyannote pipeline comes out that tells voices apart
in a waveform in memory. It stands alone because importing it imports torch, torchaudio and pyannote.audio, which takes
seconds: only :mod:`models.diarization` does, when an engine is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio import Model
from pyannote.audio.core.plda import PLDA
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.core import SlidingWindowFeature
from torch import Tensor
from torch.torch_version import TorchVersion
from torchaudio.compliance import kaldi

from models.campplus import DIMENSION, MEL_BINS, CamPlusPlus

Hook = Callable[..., None]
"""pyannote's: called with the step's name, what it made so far, and ``completed`` of ``total``."""

_SAMPLE_RATE: Final = 16_000
_FEATURE_SHIFT: Final = 160
"""Samples between two feature frames: 10 ms."""

_FEATURE_TAIL: Final = 240
"""Samples by which the last feature frame of a block reaches over its end: 25 ms less the shift."""

FRAMES_A_SECOND: Final = 50
"""The network halves the rate of its features."""

BLOCK: Final = 500
"""Frames that the network hears at once: 10 s."""

_FRAME_START_S: Final = 0.0125
"""Middle of the first frame."""

_LEAST_CLEAN_FRAMES: Final = 25
"""Half a second: with less of a voice alone, what it says while others speak is heard as well."""


class VoiceEmbedding(Model):
    """CAM++ as pyannote.audio wants an embedding: waveforms and weights in, one embedding each out."""

    def __init__(self, network: CamPlusPlus) -> None:
        super().__init__(sample_rate=_SAMPLE_RATE, num_channels=1)
        self.network = network
        self.specifications = Specifications(
            problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=BLOCK / FRAMES_A_SECOND
        )
        self.eval()

    @property
    def dimension(self) -> int:
        """Numbers in an embedding."""
        return DIMENSION

    def forward(self, waveforms: Tensor, weights: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Map waveforms (batch, 1, samples) to embeddings (batch, dimension).

        Args:
            waveforms: At least 25 ms each.
            weights: How much each stretch of a waveform counts, (batch, stretches) at any rate; equally when absent.
        """
        frames = self.frames(waveforms[:, 0])
        if weights is not None:
            weights = torch.nn.functional.interpolate(weights[:, None], size=frames.shape[-1], mode="nearest")[:, 0]
        return self.network.pool(frames, weights)

    def frames(self, waveforms: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to what the network hears in them, (batch, 512, frames)."""
        features = torch.stack([filterbank(waveform) for waveform in waveforms])
        return self.network.trunk(features - features.mean(dim=1, keepdim=True))


def filterbank(waveform: Tensor) -> Tensor:
    """Return the Kaldi log mel filterbank of a waveform (samples,): (frames, mel), 10 ms a frame."""
    features: Tensor = kaldi.fbank(waveform[None], num_mel_bins=MEL_BINS, sample_frequency=_SAMPLE_RATE)
    return features


class FrameReader:
    """What the network hears in a recording, worked out once, block by block, and forgotten once passed by.

    Hearing every window of an overlapping sequence anew costs several times as much and tells voices apart no better.

    Args:
        embedding: The network.
        waveform: (samples,), on any device.
        batch: Blocks heard at once.
    """

    def __init__(self, embedding: VoiceEmbedding, waveform: Tensor, batch: int) -> None:
        self._embedding = embedding
        self._waveform = waveform
        self._batch = batch
        features = max(0, 1 + (len(waveform) - _FEATURE_SHIFT - _FEATURE_TAIL) // _FEATURE_SHIFT)
        self.length = features // 2
        """Frames in the recording."""
        self._blocks: dict[int, Tensor] = {}

    def read(self, first: int, last: int) -> Tensor:
        """Return frames ``first`` to before ``last``, (512, frames), fewer at the end; ``first`` never goes back."""
        last = min(last, self.length)
        if first >= last:
            return self._waveform.new_zeros((0, 0))
        needed = range(first // BLOCK, (last - 1) // BLOCK + 1)
        self._blocks = {number: block for number, block in self._blocks.items() if number >= needed.start}
        for number in needed:
            if number not in self._blocks:
                self._hear(number)
        heard = torch.cat([self._blocks[number] for number in needed], dim=-1)
        return heard[:, first - needed.start * BLOCK : last - needed.start * BLOCK]

    def _hear(self, first: int) -> None:
        numbers = range(first, min(first + self._batch, -(-self.length // BLOCK)))
        starts = [max(0, min(number * BLOCK, self.length - BLOCK)) for number in numbers]
        size = min(self.length, BLOCK) * 2 * _FEATURE_SHIFT + _FEATURE_TAIL
        sounds = [self._waveform[start * 2 * _FEATURE_SHIFT :][:size] for start in starts]
        heard = self._embedding.frames(torch.stack(sounds).to(self._embedding.device))
        for number, start, block in zip(numbers, starts, heard, strict=True):
            # The last block reaches back to be whole: a short one would be normalised by too little sound.
            self._blocks[number] = block[:, number * BLOCK - start :]


class _NoPlda(PLDA):
    """Stands where pyannote insists on a PLDA that agglomerative clustering never asks."""

    def __init__(self) -> None:
        pass


class VoiceDiarization(SpeakerDiarization):
    """pyannote's speaker diarization, hearing the recording once for all windows and speakers."""

    def __init__(self, segmentation: PyanNet, network: CamPlusPlus, step: float, batch: int) -> None:
        super().__init__(
            segmentation=segmentation,
            segmentation_step=step,
            segmentation_batch_size=batch,
            embedding=VoiceEmbedding(network),
            embedding_batch_size=batch,
            plda=_NoPlda(),
            clustering="AgglomerativeClustering",
        )

    def get_embeddings(
        self,
        file: Mapping[str, Any],
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,  # noqa: ARG002 - pyannote's signature; overlap is always left out
        hook: Hook | None = None,
    ) -> NDArray[np.float32]:
        """Return the embedding of every speaker of every window, (windows, speakers, dimension).

        Not a number where a speaker is silent. Overrides pyannote's, which hears each window once for each speaker.
        """
        activities = np.nan_to_num(binary_segmentations.data).astype(np.float32)
        step = round(binary_segmentations.sliding_window.step * FRAMES_A_SECOND)
        reader = FrameReader(self._embedding.model_, file["waveform"][0], self.embedding_batch_size)
        found = np.full((*activities.shape[:1], activities.shape[2], DIMENSION), np.nan, dtype=np.float32)
        positions = self._positions(activities.shape[1])
        with torch.inference_mode():
            for number, activity in enumerate(activities):
                frames = reader.read(number * step, number * step + BLOCK)
                found[number] = self._embed(frames, activity[positions[: frames.shape[-1]]])
                if hook is not None:
                    hook("embeddings", None, total=len(activities), completed=number + 1)
        return found

    def _positions(self, size: int) -> NDArray[np.intp]:
        """Return, for each frame of a window, which of the segmentation's frames lies nearest."""
        field = self._segmentation.model.receptive_field
        seconds = _FRAME_START_S + np.arange(BLOCK) / FRAMES_A_SECOND
        nearest = np.rint((seconds - field.start - field.duration / 2) / field.step)
        positions: NDArray[np.intp] = np.clip(nearest, 0, size - 1).astype(np.intp)
        return positions

    def _embed(self, frames: Tensor, activity: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an embedding for each column of an activity (frames, speakers)."""
        if not len(activity):
            return np.full((activity.shape[1], DIMENSION), np.nan, dtype=np.float32)
        clean = activity * (activity.sum(axis=1, keepdims=True) == 1)
        used = np.where(clean.sum(axis=0) >= _LEAST_CLEAN_FRAMES, clean, activity)
        weights = torch.from_numpy(used.T).to(frames.device)
        network = self._embedding.model_.network
        embeddings: NDArray[np.float32] = network.pool(frames.expand(len(weights), -1, -1), weights).cpu().numpy()
        return embeddings


def read_segmentation(weights: Path) -> PyanNet:
    """Read the segmentation model from its checkpoint.

    Only tensors, plain values and pyannote's four descriptive types are read from the file: no code in it runs.

    Args:
        weights: The checkpoint, whose checksum the fetcher has verified.

    Raises:
        OSError: The file cannot be read.
        pickle.UnpicklingError: It holds more than a checkpoint should.
        RuntimeError: It holds other tensors than this model has.
    """
    with torch.serialization.safe_globals([TorchVersion, Resolution, Specifications, Problem]):
        stored = torch.load(weights, map_location="cpu", weights_only=True)
    model = PyanNet(**stored["hyper_parameters"])
    model.on_load_checkpoint(stored)
    model.load_state_dict(stored["state_dict"])
    return model.eval()
