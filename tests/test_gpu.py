"""How much a GPU takes at once."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import diarization, whisper
from models.diarization import DiarizerOptions
from models.gpu import fitting, free_memory
from models.whisper import WhisperRecognizer


@pytest.mark.parametrize("free", [0, 1, 10_000, 10**9, 10**12])
@pytest.mark.parametrize("each", [1, 70 * 2**20, 2 * 2**30])
def test_what_fits_is_a_power_of_two_within_what_is_free(free: int, each: int) -> None:
    pieces = fitting(free, each, most=64)
    assert pieces.bit_count() == 1
    assert pieces <= 64
    assert pieces == 1 or pieces * each < free


def test_a_machine_without_a_gpu_has_no_free_memory_of_one() -> None:
    assert (free_memory() > 0) is torch.cuda.is_available()


@pytest.mark.engines
def test_as_many_windows_are_decoded_at_once_as_the_memory_found_holds(
    monkeypatch: pytest.MonkeyPatch, recognizer: WhisperRecognizer, models_folder: Path
) -> None:
    weights = (models_folder / "whisper-base" / "model.bin").stat().st_size
    placed = {device: copy.copy(recognizer) for device in ("cpu", "cuda")}
    for device, each in placed.items():
        each._model = replace(recognizer.model, device=device)
    # A window takes 0.7 of the weights, and a quarter of the memory is left alone.
    for free, windows in ((0, None), (weights // 10, 1), (10 * weights, 8), (1_000 * weights, 64)):
        monkeypatch.setattr(whisper, "free_memory", lambda free=free: free)
        assert placed["cuda"].windows_at_once == windows
        assert placed["cpu"].windows_at_once is None


@pytest.mark.parametrize(("free", "windows"), [(0, 1), (320 * 2**20, 4), (8 * 2**30, 64)])
def test_as_many_windows_are_told_apart_at_once_as_the_memory_found_holds(
    monkeypatch: pytest.MonkeyPatch, free: int, windows: int
) -> None:
    monkeypatch.setattr(diarization, "free_memory", lambda: free)
    assert diarization._batch(DiarizerOptions(device="cuda")) == windows
    assert diarization._batch(DiarizerOptions(device="cpu")) == DiarizerOptions().cpu_batch
