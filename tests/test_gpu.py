"""How much a GPU takes at once."""

from __future__ import annotations

import pytest
import torch

from models.gpu import fitting, free_memory


@pytest.mark.parametrize("free", [0, 1, 10_000, 10**9, 10**12])
@pytest.mark.parametrize("each", [1, 70 * 2**20, 2 * 2**30])
def test_what_fits_is_a_power_of_two_within_what_is_free(free: int, each: int) -> None:
    pieces = fitting(free, each, most=64)
    assert pieces.bit_count() == 1
    assert pieces <= 64
    assert pieces == 1 or pieces * each < free


def test_a_machine_without_a_gpu_has_no_free_memory_of_one() -> None:
    assert (free_memory() > 0) is torch.cuda.is_available()
