"""Many channels become one in which everybody is heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.channels import BLOCK_SAMPLES, Samples, choose_mix, measure, mix

SILENCE = np.zeros(BLOCK_SAMPLES * 20)


def voice(seed: int, *, first: int = 0, last: int = 20) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return ten seconds in which somebody speaks from the first to the last half second."""
    sound = SILENCE.copy()
    span = slice(first * BLOCK_SAMPLES, last * BLOCK_SAMPLES)
    sound[span] = np.random.default_rng(seed).normal(0, 3000, len(sound[span]))
    return sound


def together(*channels: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Samples:
    return np.stack(channels, axis=1).astype(np.int16)


def weights(samples: Samples, layout: str | None = None) -> tuple[float, ...]:
    return choose_mix(measure([samples]), layout)


A, B = voice(1), voice(2)


@pytest.mark.parametrize(
    ("channels", "layout", "expected"),
    [
        ((A,), None, (1,)),
        ((A, A), "stereo", (0.5, 0.5)),
        ((A, B), "stereo", (0.5, 0.5)),
        ((A, -A), "stereo", (0.5, -0.5)),
        ((A, SILENCE), "stereo", (1, 0)),
        ((SILENCE, A), "stereo", (0, 1)),
        ((SILENCE, SILENCE), "stereo", (0.5, 0.5)),
        ((voice(1, last=1), B), "stereo", (0.5, 0.5)),
        ((A, A + voice(3) * 0.01), "stereo", (0.5, 0.5)),
        ((SILENCE, SILENCE, A, SILENCE, SILENCE, SILENCE), "5.1", (0, 0, 1, 0, 0, 0)),
        ((A, A, B, A, A, A), "5.1(side)", (0, 0, 1, 0, 0, 0)),
        ((A, A, voice(2, last=4), A, A, A), "5.1", (0.2, 0.2, 0.2, 0, 0.2, 0.2)),
        ((A, B, voice(3), SILENCE), "quad", (1 / 3, 1 / 3, 1 / 3, 0)),
        ((A, B, voice(3), voice(4)), None, (0.25, 0.25, 0.25, 0.25)),
    ],
)
def test_mix_suits_what_the_channels_hold(
    channels: tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...], layout: str | None, expected: tuple[float, ...]
) -> None:
    assert weights(together(*channels), layout) == pytest.approx(expected)


def test_channels_that_cancel_only_now_and_then_give_one_of_them() -> None:
    turned = np.concatenate([A[: len(A) // 2], -A[len(A) // 2 :]]) * 0.9
    assert weights(together(A, turned)) == (1.0, 0.0)
    assert weights(together(turned, A)) == (0.0, 1.0)


def test_nothing_at_all_can_be_measured() -> None:
    assert choose_mix(measure([])) == (1.0,)


def test_measuring_in_pieces_gives_the_same() -> None:
    samples = together(A, B)[:-17]
    pieces = [samples[start : start + 3 * BLOCK_SAMPLES] for start in range(0, len(samples), 3 * BLOCK_SAMPLES)]
    whole, parts = measure([samples]), measure(pieces)
    assert np.array_equal(whole.power, parts.power)
    assert np.array_equal(whole.product, parts.product)


@given(arrays(np.int16, st.tuples(st.integers(0, 50), st.integers(1, 8))))
def test_mix_never_wraps_round(samples: Samples) -> None:
    chosen = weights(samples)
    mixed = mix(samples, chosen)
    assert mixed.shape == (len(samples),)
    assert len(chosen) == samples.shape[1] or not len(samples)
    assert np.all(np.abs(mixed.astype(int)) <= np.abs(samples.astype(int)).max(initial=0, axis=1) + 1)
