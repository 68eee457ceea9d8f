"""Quiet passages made louder before the detector hears them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.levels import REACH_S, even_out
from pipeline.ports import SAMPLE_RATE, Clip


def hum(seconds: float, level: float) -> Clip:
    """Return a tone whose loudness comes and goes three times a second, as syllables do."""
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * 150 * at) * np.abs(np.sin(2 * np.pi * 1.5 * at))).astype(np.float32)


def loudness(sound: Clip) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def test_a_soft_voice_after_a_loud_one_becomes_nearly_as_loud() -> None:
    sound = np.concatenate([hum(10, 0.4), hum(10, 0.04)])
    loud, soft = np.split(even_out(sound), 2)
    assert loudness(sound[len(loud) :]) < 0.11 * loudness(sound[: len(loud)])
    assert loudness(soft[4 * SAMPLE_RATE :]) > 0.4 * loudness(loud)
    assert np.array_equal(loud[: 6 * SAMPLE_RATE], sound[: 6 * SAMPLE_RATE])


def test_a_pause_between_words_is_not_made_loud_by_itself() -> None:
    room = np.random.default_rng(0).normal(0, 0.001, SAMPLE_RATE).astype(np.float32)
    _, pause, _ = np.split(
        even_out(np.concatenate([hum(5, 0.4), room, hum(5, 0.4)])), [5 * SAMPLE_RATE, 6 * SAMPLE_RATE]
    )
    assert loudness(pause) < 1.2 * loudness(room)


def test_silence_stays_silent_and_nothing_is_no_trouble() -> None:
    assert not even_out(np.zeros(SAMPLE_RATE, np.float32)).any()
    assert not len(even_out(np.zeros(0, np.float32)))


@pytest.mark.parametrize("faint", [1e-5, 1e-6, 1e-7, 1e-8])
def test_a_fade_into_digital_silence_leaves_what_follows_as_loud_as_ever(faint: float) -> None:
    seconds = SAMPLE_RATE
    for seed in range(8):
        drawn = np.random.default_rng(seed)
        gated = np.concatenate([drawn.uniform(-1, 1, seconds), faint * drawn.uniform(-1, 1, seconds // 4)])
        sound = np.concatenate([gated, np.zeros(8 * seconds), hum(8, 0.4)]).astype(np.float32)
        assert np.allclose(even_out(sound)[-4 * seconds :], sound[-4 * seconds :])


@given(
    samples=st.integers(1, 3 * SAMPLE_RATE), level=st.floats(0, 1), loudest=st.floats(0, 1), seed=st.integers(0, 2**31)
)
def test_nothing_becomes_softer_longer_or_louder_than_can_be(
    samples: int, level: float, loudest: float, seed: int
) -> None:
    sound = (level * np.random.default_rng(seed).uniform(-1, 1, samples)).astype(np.float32)
    sound[samples // 2] = loudest
    evened = even_out(sound)
    assert evened.shape == sound.shape
    assert evened.dtype == np.float32
    assert (np.abs(evened) >= np.abs(sound) * (1 - 1e-6)).all()
    assert np.abs(evened).max() <= 1.0


def test_what_is_far_away_changes_nothing() -> None:
    reach = round(REACH_S * SAMPLE_RATE)
    own = hum(2, 0.01)
    near = np.concatenate([hum(REACH_S, 0.05), own, hum(REACH_S, 0.05)])
    far = np.concatenate([hum(8, 0.9), near, hum(8, 0.9)])
    start = 8 * SAMPLE_RATE + reach
    assert np.allclose(even_out(near)[reach : reach + len(own)], even_out(far)[start : start + len(own)], rtol=1e-5)
