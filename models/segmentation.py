"""Who speaks when within ten seconds: pyannote's segmentation-3.0 on every window of a recording.

The network and a waveform go in, the activity of up to three speakers in each window comes out. It stands alone because
it does what pyannote's own sliding inference does, in less time: windows overlap, and the first layer of the network,
more than half of its work, is a filterbank that gives the same for the same sound. It is computed once for a run of
windows; only what each window does differently, its normalisation, is done for each. Runs of windows go to all cores.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.utils.powerset import Powerset
from torch import Tensor
from torch.nn.functional import conv1d, leaky_relu, pad
from torch.torch_version import TorchVersion

from models.parallel import map_in_order
from pipeline.ports import SAMPLE_RATE, Waveform

WINDOW_S: Final = 10.0
"""Seconds that the network hears at once."""

_WINDOW: Final = round(WINDOW_S * SAMPLE_RATE)
_POOL: Final = 3


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


def segment_windows(
    model: Any,  # noqa: ANN401 - a PyanNet, whose parts have no types
    waveform: Waveform,
    *,
    step: int,
    onset: float,
    batch: int,
    workers: int,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> NDArray[np.int8]:
    """Return which speakers of each window are heard in each frame, (windows, frames, speakers), 0 or 1.

    The last window reaches over the end of the recording, into silence, unless one ends there.

    Args:
        model: The network; where it lies is where the work is done.
        waveform: The whole recording.
        step: Samples from one window to the next.
        onset: Probability from which a speaker is heard, 0 to 1.
        batch: Windows heard at once.
        workers: Batches heard side by side.
        progress: Told how many windows of how many are done.
    """
    windows = 1 + max(0, -(-(len(waveform) - _WINDOW) // step))
    firsts = range(0, windows, batch)
    hear = partial(_hear, model, waveform, step, onset)
    found = []
    for heard in map_in_order(hear, [range(first, min(first + batch, windows)) for first in firsts], workers):
        found.append(heard)
        progress(min(windows, len(found) * batch), windows)
    return np.concatenate(found)


def _hear(model: Any, waveform: Waveform, step: int, onset: float, windows: range) -> NDArray[np.int8]:  # noqa: ANN401 - as above
    """Hear neighbouring windows at once."""
    size = (len(windows) - 1) * step + _WINDOW
    sound = torch.from_numpy(waveform[windows.start * step : windows.start * step + size])
    with torch.inference_mode():
        features = _features(model, pad(sound, (0, size - len(sound))).to(model.device), step)
        outputs, _ = model.lstm(features.transpose(1, 2))
        for layer in model.linear:
            outputs = leaky_relu(layer(outputs))
        scores = model.activation(model.classifier(outputs))
        heard: NDArray[np.int8] = (_powerset(model)(scores, soft=True) > onset).to(torch.int8).cpu().numpy()
        return heard


def _features(model: Any, sound: Tensor, step: int) -> Tensor:  # noqa: ANN401 - as above
    """Return what the convolutions make of each window of a stretch of sound, (windows, features, frames).

    The network normalises the sound of a window before it filters it. As filters are linear, filtering first and
    normalising after gives the same.
    """
    sincnet = model.sincnet
    filters = sincnet.conv1d[0].get_filters()
    stride = sincnet.stride
    filtered = conv1d(sound[None, None], filters, stride=stride)[0]
    frames = 1 + (_WINDOW - filters.shape[-1]) // stride
    each = filtered.unfold(1, frames, step // stride).transpose(0, 1)
    normalise = sincnet.wav_norm1d
    variance, mean = torch.var_mean(sound.unfold(0, _WINDOW, step), dim=1, correction=0)
    scale = normalise.weight / torch.sqrt(variance + normalise.eps)
    shift = (normalise.bias / scale - mean)[:, None, None] * filters.sum(dim=-1)
    loud = (each + shift).abs_()
    # What the first pooling does, in less than half its time.
    pooled = loud[..., : frames // _POOL * _POOL].unflatten(-1, (-1, _POOL)).amax(dim=-1)
    outputs = pooled * scale.abs()[:, None, None]
    outputs = leaky_relu(sincnet.norm1d[0](outputs))
    for convolution, pooling, norm in list(zip(sincnet.conv1d, sincnet.pool1d, sincnet.norm1d, strict=True))[1:]:
        outputs = leaky_relu(norm(pooling(convolution(outputs))))
    return outputs


def _powerset(model: Any) -> Powerset:  # noqa: ANN401 - as above
    """Return what turns the network's classes, none, one or two of its speakers, into speakers."""
    specifications = model.specifications
    return Powerset(len(specifications.classes), specifications.powerset_max_classes).to(model.device)
