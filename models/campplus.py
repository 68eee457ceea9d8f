"""The speaker embedding CAM++: which voice is this, as 192 numbers.

In come 16 kHz mono samples, or 80-dimensional Kaldi filterbank features, and the weights' file; out come embeddings
whose cosine tells voices apart. The network is written from its paper (Wang, Zheng, Chen, Cheng and Chen, "CAM++: A
Fast and Efficient Network for Speaker Verification Using Context-Aware Masking", Interspeech 2023): a small
two-dimensional convolutional front end, then a densely connected time-delay network whose every layer masks its output
by what it hears around it, then the mean and standard deviation over time. It stands alone because it is the one
network that we define ourselves, and because everything in it is torch: it is imported only when an engine is opened.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

MEL_BINS: Final = 80
DIMENSION: Final = 192
"""Numbers in an embedding."""

_HEAD_CHANNELS: Final = 32
_GROWTH: Final = 32
_BOTTLENECK: Final = 128
_CONTEXT_FRAMES: Final = 100
"""Frames of the local context that a mask sees: 2 s, at the 20 ms a frame that the time-delay network works in."""

_BLOCKS: Final = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each dense block, from the paper's table 1."""


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions over frequency and time, added to what came in; a stride shortens frequency only."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        convolution = partial(nn.Conv2d, _HEAD_CHANNELS, _HEAD_CHANNELS, bias=False)
        self.conv1 = convolution(3, stride=(stride, 1), padding=1)
        self.bn1 = nn.BatchNorm2d(_HEAD_CHANNELS)
        self.conv2 = convolution(3, padding=1)
        self.bn2 = nn.BatchNorm2d(_HEAD_CHANNELS)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(convolution(1, stride=(stride, 1)), nn.BatchNorm2d(_HEAD_CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, frequency, time) to the same with ``frequency / stride``."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class FrontEnd(nn.Module):
    """The front convolution module: frequency structure, before time alone is left."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, _HEAD_CHANNELS, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_HEAD_CHANNELS)
        self.layer1 = nn.Sequential(ResidualBlock(stride=2), ResidualBlock(stride=1))
        self.layer2 = nn.Sequential(ResidualBlock(stride=2), ResidualBlock(stride=1))
        self.conv2 = nn.Conv2d(_HEAD_CHANNELS, _HEAD_CHANNELS, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_HEAD_CHANNELS)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (batch, time, mel) to (batch, channels × frequency, time)."""
        x = features.transpose(1, 2).unsqueeze(1)
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        return functional.relu(self.bn2(self.conv2(x))).flatten(1, 2)


def _normalise_and_rectify(channels: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(channels), relu=nn.ReLU()))


class TimeDelay(nn.Module):
    """The first time-delay layer, which halves the frame rate."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(channels_in, channels_out, 5, stride=2, padding=2, bias=False)
        self.nonlinear = _normalise_and_rectify(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, time) to half the time."""
        rectified: Tensor = self.nonlinear(self.linear(x))
        return rectified


class ContextAwareMask(nn.Module):
    """A time-delay layer whose output is masked by the mean of everything heard and by that of the 2 s around."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(_BOTTLENECK, _GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(_BOTTLENECK, _BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(_BOTTLENECK // 2, _GROWTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, bottleneck, time) to (batch, growth, time)."""
        local = functional.avg_pool1d(x, _CONTEXT_FRAMES, stride=_CONTEXT_FRAMES, ceil_mode=True)
        context = x.mean(dim=-1, keepdim=True) + local
        mask = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        # The mask is the same for all frames of a stretch, so it is worked out once a stretch and only then spread.
        masked: Tensor = self.linear_local(x) * mask.repeat_interleave(_CONTEXT_FRAMES, dim=-1)[..., : x.shape[-1]]
        return masked


class DenseLayer(nn.Module):
    """A bottleneck and a masked time-delay layer; what it finds is appended to what came in."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _normalise_and_rectify(channels)
        self.linear1 = nn.Conv1d(channels, _BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _normalise_and_rectify(_BOTTLENECK)
        self.cam_layer = ContextAwareMask(dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, time) to (batch, channels + growth, time)."""
        found = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))
        return torch.cat([x, found], dim=1)


class Transition(nn.Module):
    """Between two dense blocks: half the channels go on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.nonlinear = _normalise_and_rectify(channels)
        self.linear = nn.Conv1d(channels, channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, time) to (batch, channels / 2, time)."""
        halved: Tensor = self.linear(self.nonlinear(x))
        return halved


class Projection(nn.Module):
    """From statistics to the embedding."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(channels, DIMENSION, 1, bias=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(DIMENSION, affine=False)))

    def forward(self, statistics: Tensor) -> Tensor:
        """Map (batch, channels) to (batch, dimension)."""
        embedding: Tensor = self.nonlinear(self.linear(statistics.unsqueeze(-1))).squeeze(-1)
        return embedding


def _time_delay_network() -> tuple[nn.Sequential, Projection]:
    """Make everything after the front end, with the names that the weights' file uses."""
    channels = _BOTTLENECK
    layers: OrderedDict[str, nn.Module] = OrderedDict(tdnn=TimeDelay(_HEAD_CHANNELS * MEL_BINS // 8, channels))
    for number, (size, dilation) in enumerate(_BLOCKS, start=1):
        dense: OrderedDict[str, nn.Module] = OrderedDict(
            (f"tdnnd{index + 1}", DenseLayer(channels + index * _GROWTH, dilation)) for index in range(size)
        )
        channels += size * _GROWTH
        layers[f"block{number}"] = nn.Sequential(dense)
        layers[f"transit{number}"] = Transition(channels)
        channels //= 2
    layers["out_nonlinear"] = _normalise_and_rectify(channels)
    return nn.Sequential(layers), Projection(2 * channels)


class CamPlusPlus(nn.Module):
    """The whole network, in three parts that can be run apart: front end, time-delay trunk, pooling.

    The front end only sees 100 ms around each frame and so can run once over a long stretch; the trunk hears the whole
    of what it is given; pooling takes the frames of one voice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = FrontEnd()
        self.xvector, self.dense = _time_delay_network()

    def trunk(self, features: Tensor) -> Tensor:
        """Map features (batch, time, mel) to frames (batch, 512, time / 2)."""
        frames: Tensor = self.xvector(self.head(features))
        return frames

    def pool(self, frames: Tensor, weights: Tensor | None = None) -> Tensor:
        """Map frames (batch, 512, time) to embeddings (batch, dimension).

        Args:
            frames: What the trunk gave.
            weights: Of each frame, (batch, time), at least 0; all the same where there are none.
        """
        embedding: Tensor = self.dense(weighted_statistics(frames, weights))
        return embedding

    def forward(self, features: Tensor) -> Tensor:
        """Map mean-normalised features (batch, time, mel) of one voice each to embeddings (batch, dimension)."""
        return self.pool(self.trunk(features))


def weighted_statistics(frames: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return mean and standard deviation over time, side by side.

    The deviation is the unbiased one, generalised to weights so that weights of 0 and 1 give exactly what selecting the
    frames would give. Where all weights are 0, or only one frame counts, the result is not a number.

    Args:
        frames: (batch, channels, time).
        weights: (batch, time), at least 0.

    Returns:
        (batch, 2 × channels).
    """
    if weights is None:
        return torch.cat([frames.mean(dim=-1), frames.std(dim=-1)], dim=-1)
    weights = weights.unsqueeze(1)
    total = weights.sum(dim=-1)
    mean = (frames * weights).sum(dim=-1) / total
    spread = (torch.square(frames - mean.unsqueeze(-1)) * weights).sum(dim=-1)
    return torch.cat([mean, torch.sqrt(spread / (total - torch.square(weights).sum(dim=-1) / total))], dim=-1)


def read_campplus(weights: Path) -> CamPlusPlus:
    """Read the network from its weights' file, ready for use on the CPU.

    Batch normalisations that follow a convolution are folded into it: the same numbers, a quarter less time.

    Args:
        weights: The file, whose checksum the fetcher has verified.

    Raises:
        OSError: The file cannot be read.
        RuntimeError: It holds other tensors than this network has.
    """
    network = CamPlusPlus()
    stored = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict({_our_name(name): tensor for name, tensor in stored.items()})
    network.eval().requires_grad_(requires_grad=False)
    _fold_normalisations(network)
    return network


def _our_name(name: str) -> str:
    return name.replace("xvector.dense.", "dense.", 1)


def _fold_normalisations(network: CamPlusPlus) -> None:
    for module in list(network.modules()):
        if isinstance(module, ResidualBlock | FrontEnd):
            _fold(module, "conv1", module.bn1)
            _fold(module, "conv2", module.bn2)
        if isinstance(module, ResidualBlock) and len(module.shortcut):
            _fold(module.shortcut, "0", module.shortcut[1])
        if isinstance(module, DenseLayer):
            _fold(module, "linear1", module.nonlinear2[0])
        if isinstance(module, TimeDelay):
            _fold(module, "linear", module.nonlinear[0])


def _fold(owner: nn.Module, convolution: str, normalisation: nn.Module) -> None:
    """Put a normalisation into the convolution before it and a no-op in its place."""
    before = owner.get_submodule(convolution)
    if not isinstance(before, nn.Conv1d | nn.Conv2d) or not isinstance(normalisation, nn.BatchNorm1d | nn.BatchNorm2d):
        raise TypeError(f"cannot fold {normalisation} into {before}")
    owner.set_submodule(convolution, fuse_conv_bn_eval(before, normalisation))
    for name, module in owner.named_modules():
        if module is normalisation:
            owner.set_submodule(name, nn.Identity())
            return
