"""The embedding network: its parts, and that it tells real voices apart."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from faster_whisper.audio import decode_audio
from hypothesis import given, settings
from hypothesis import strategies as st

from models.campplus import CamPlusPlus, _fold_normalisations, read_campplus, weighted_statistics
from models.torchaudio_loader import load_torchaudio

CLIPS = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def network(models_folder: Path) -> CamPlusPlus:
    # More threads than free cores would make this many times slower.
    torch.set_num_threads(1)
    return read_campplus(models_folder / "campplus" / "campplus_cn_en_common.pt")


def features(start_s: float, end_s: float) -> torch.Tensor:
    load_torchaudio()
    kaldi = importlib.import_module("torchaudio.compliance.kaldi")
    samples = decode_audio(str(CLIPS / "en-four-voices.ogg"))[int(start_s * 16_000) : int(end_s * 16_000)]
    found: torch.Tensor = kaldi.fbank(torch.from_numpy(samples)[None], num_mel_bins=80)
    return (found - found.mean(dim=0))[None]


def likeness(network: CamPlusPlus, first: tuple[float, float], second: tuple[float, float]) -> float:
    embeddings = [network(features(*stretch)) for stretch in (first, second)]
    return float(torch.nn.functional.cosine_similarity(*embeddings))


@pytest.mark.engines
def test_one_voice_is_nearer_to_itself_than_to_another(network: CamPlusPlus) -> None:
    assert likeness(network, (0.8, 4.6), (4.6, 8.4)) > 0.6
    assert likeness(network, (10.4, 15.6), (15.6, 20.8)) > 0.6
    assert likeness(network, (0.8, 8.4), (10.4, 20.8)) < 0.4


@pytest.mark.engines
def test_the_front_end_hears_only_what_is_near(network: CamPlusPlus) -> None:
    whole = features(1.2, 5.2)
    part = whole[:, 100:300]
    assert torch.allclose(network.head(whole)[..., 110:290], network.head(part)[..., 10:190], atol=1e-4)


@pytest.mark.engines
def test_equal_weights_pool_as_no_weights(network: CamPlusPlus) -> None:
    frames = network.trunk(features(1.2, 4.2))
    weighted = network.pool(frames, torch.ones(1, frames.shape[-1]))
    assert torch.allclose(weighted, network.pool(frames), atol=1e-4)


def test_folding_normalisations_changes_nothing() -> None:
    torch.manual_seed(1)
    network = CamPlusPlus().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    sound = torch.randn(2, 120, 80)
    with torch.inference_mode():
        before = network(sound)
        _fold_normalisations(network)
        after = network(sound)
    assert torch.allclose(before, after, rtol=1e-3, atol=1e-4)
    left = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert left == []


@given(st.lists(st.booleans(), min_size=4, max_size=40).filter(lambda chosen: sum(chosen) > 1), st.integers(0, 1000))
@settings(deadline=None)
def test_weights_of_nothing_and_one_select_frames(chosen: list[bool], seed: int) -> None:
    frames = torch.randn(1, 3, len(chosen), generator=torch.Generator().manual_seed(seed))
    weights = torch.tensor([chosen], dtype=torch.float32)
    assert torch.allclose(
        weighted_statistics(frames, weights), weighted_statistics(frames[..., torch.tensor(chosen)]), atol=1e-4
    )


def test_no_frame_that_counts_gives_no_number() -> None:
    assert torch.isnan(weighted_statistics(torch.ones(1, 3, 5), torch.zeros(1, 5))).any()


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"head.conv1.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(RuntimeError, match="Missing key"):
        read_campplus(tmp_path / "other.pt")
