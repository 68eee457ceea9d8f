"""The windows of a recording, heard our way and pyannote's: the same, in less time."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from faster_whisper.audio import decode_audio

from models.diarization import _import_pyannote, _quiet
from pipeline.ports import Clip

CLIPS = Path(__file__).parent / "data"
STEP_S = 2.0


@pytest.fixture(scope="module")
def segmentation() -> ModuleType:
    with _quiet():
        _import_pyannote()
        return importlib.import_module("models.segmentation")


@pytest.fixture(scope="module")
def model(segmentation: ModuleType, models_folder: Path) -> torch.nn.Module:
    model: torch.nn.Module = segmentation.read_segmentation(models_folder / "segmentation-3.0" / "pytorch_model.bin")
    return model


def talk(seconds: float) -> Clip:
    clip: Clip = decode_audio(str(CLIPS / "en-four-voices.ogg"))[: round(16_000 * seconds)]
    return clip


@pytest.mark.engines
@pytest.mark.parametrize("seconds", [3.0, 10.0, 24.0, 27.3], ids="{} s".format)
def test_what_is_heard_is_what_pyannote_hears(segmentation: ModuleType, model: torch.nn.Module, seconds: float) -> None:
    with _quiet():
        inference = importlib.import_module("pyannote.audio").Inference(
            model, duration=10.0, step=STEP_S, skip_aggregation=True, skip_conversion=True
        )
    theirs = inference({"waveform": torch.from_numpy(talk(seconds))[None], "sample_rate": 16_000}).data
    soft = segmentation._powerset(model)(torch.from_numpy(theirs), soft=True).numpy()
    ours = segmentation.segment_windows(
        model, talk(seconds), step=round(STEP_S * 16_000), onset=0.3, batch=3, workers=2
    )
    assert ours.shape == soft.shape
    sure = np.abs(soft - 0.3) > 1e-3
    assert ((soft > 0.3) == ours)[sure].all()
    assert sure.mean() > 0.99


@pytest.mark.engines
def test_progress_ends_with_all_windows(segmentation: ModuleType, model: torch.nn.Module) -> None:
    told: list[tuple[int, int]] = []
    segmentation.segment_windows(
        model,
        talk(20.0),
        step=32_000,
        onset=0.3,
        batch=4,
        workers=1,
        progress=lambda done, windows: told.append((done, windows)),
    )
    assert told == [(4, 6), (6, 6)]
