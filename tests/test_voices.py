"""Grouping embeddings into voices, on embeddings made up for the purpose."""

from __future__ import annotations

import importlib
import tracemalloc
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.diarization import _import_pyannote, _quiet


@pytest.fixture(scope="module")
def voices() -> ModuleType:
    with _quiet():
        _import_pyannote()
    return importlib.import_module("models.voices")


def directions(number: int, seed: int = 1) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).normal(size=(number, 192))
    unit: NDArray[np.float64] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def session(speakers: list[list[int]], blur: float = 0.02) -> tuple[NDArray[np.float32], Any]:
    """Make windows in which these voices speak one after the other, with what the models would give for them."""
    core = importlib.import_module("pyannote.core")
    centres, random = directions(1 + max(voice for window in speakers for voice in window)), np.random.default_rng(2)
    embeddings = np.full((len(speakers), 3, 192), np.nan, dtype=np.float32)
    activity = np.zeros((len(speakers), 90, 3))
    for number, window in enumerate(speakers):
        for place, voice in enumerate(window):
            embeddings[number, place] = centres[voice] + random.normal(scale=blur, size=192)
            activity[number, place * 90 // len(window) : (place + 1) * 90 // len(window), place] = 1.0
    return embeddings, core.SlidingWindowFeature(activity, core.SlidingWindow(start=0.0, duration=10.0, step=2.0))


def grouped(voices: ModuleType, speakers: list[list[int]], blur: float = 0.02, **bounds: int) -> list[list[int]]:
    embeddings, segmentations = session(speakers, blur)
    clustering = voices.VoiceClustering(0.35, 2.0)
    found, _, _ = clustering(embeddings=embeddings, segmentations=segmentations, **bounds)
    return [[int(voice) for voice in window[: len(here)]] for window, here in zip(found, speakers, strict=True)]


def test_one_voice_is_one_group(voices: ModuleType) -> None:
    assert grouped(voices, [[0]] * 5) == [[0]] * 5


def test_a_sound_that_repeats_itself_exactly_is_one_voice(voices: ModuleType) -> None:
    assert grouped(voices, [[0]] * 5 + [[1]] * 5, blur=0.0) == [[0]] * 5 + [[1]] * 5


def test_voices_are_told_apart_and_found_again(voices: ModuleType) -> None:
    talk = [[0]] * 5 + [[0, 1]] + [[1]] * 5 + [[1, 0]] + [[0]] * 3
    assert grouped(voices, talk) == talk


def test_a_voice_heard_for_a_few_seconds_is_kept(voices: ModuleType) -> None:
    talk = [[0]] * 20 + [[0, 1]] * 4 + [[0]] * 20
    assert grouped(voices, talk) == talk


def test_a_known_number_of_voices_is_found(voices: ModuleType) -> None:
    talk = [[0]] * 6 + [[1]] * 6 + [[2]] * 6
    assert len({voice for window in grouped(voices, talk, num_clusters=2) for voice in window}) == 2
    assert len({voice for window in grouped(voices, talk, num_clusters=3) for voice in window}) == 3
    assert len({voice for window in grouped(voices, talk, max_clusters=1) for voice in window}) == 1


def test_two_speakers_of_one_window_are_two_voices(voices: ModuleType) -> None:
    assert all(len(set(window)) == len(window) for window in grouped(voices, [[0, 1, 2]] * 6))


def one_word(voices: ModuleType, windows: int, **bounds: int) -> list[list[int]]:
    """Group a talk by one voice, in two of whose windows another says a word of a second."""
    embeddings, segmentations = session([[0, 1] if number in (3, 4) else [0] for number in range(windows)])
    activity = segmentations.data
    activity[3:5] = 0.0
    activity[3:5, :60, 0] = activity[3:5, 70:79, 1] = 1.0
    clustering = voices.VoiceClustering(0.35, 2.0)
    found, _, centroids = clustering(embeddings=embeddings, segmentations=segmentations, **bounds)
    assert len(centroids) == found.max() + 1
    return [[int(voice) for voice in window if voice >= 0] for window in found]


def test_somebody_who_says_one_word_in_half_a_minute_is_a_voice(voices: ModuleType) -> None:
    expected = [[0, 1] if number in (3, 4) else [0] for number in range(11)]
    assert one_word(voices, 11) == expected
    assert all(set(window) == {0} for window in one_word(voices, 11, max_clusters=1))


def test_one_word_in_a_long_recording_makes_no_voice(voices: ModuleType) -> None:
    assert all(set(window) == {0} for window in one_word(voices, 60))


def test_words_that_a_voice_of_the_recording_may_have_said_make_no_voice(voices: ModuleType) -> None:
    known = directions(2)
    near = 0.6 * known[0] + 0.8 * known[1]
    embeddings = np.stack([near, known[0]]).astype(np.float32)[:, None]
    assert not len(voices._unlike_all(embeddings, np.ones((2, 1)), known[:1], 0.5))
    assert len(voices._unlike_all(embeddings, np.ones((2, 1)), directions(3)[2:], 0.5)) == 1
    assert not len(voices._unlike_all(embeddings, np.full((2, 1), 0.4), directions(3)[2:], 0.5))


def test_whoever_is_heard_longer_is_the_first_of_two_more(voices: ModuleType) -> None:
    known, one, other = directions(3)
    embeddings = np.stack([one, other, one, other]).astype(np.float32)[:, None]
    more = voices._unlike_all(embeddings, np.array([[0.6], [0.9], [0.6], [0.9]]), known[None], 0.5)
    assert (more @ np.stack([other, one]).T).round(3).diagonal().tolist() == [1.0, 1.0]


def test_nothing_heard_is_one_voice_that_nobody_has(voices: ModuleType) -> None:
    embeddings, segmentations = session([[0]] * 3)
    found, _, centroids = voices.VoiceClustering(0.35, 2.0)(
        embeddings=np.full_like(embeddings, np.nan), segmentations=segmentations
    )
    assert (found == 0).all()
    assert centroids.shape == (1, 192)


def test_a_session_of_hours_is_grouped_as_a_short_one_is(voices: ModuleType) -> None:
    talk = [[(number // 40) % 6] for number in range(9_000)]
    assert grouped(voices, talk) == talk


def test_somebody_who_says_little_in_four_hours_is_a_voice(voices: ModuleType) -> None:
    talk = [[1] if 3_000 <= number < 3_015 else [0] for number in range(7_200)]
    assert grouped(voices, talk) == talk


def test_four_hours_are_grouped_in_little_memory(voices: ModuleType) -> None:
    embeddings, segmentations = session([[(number // 40) % 6] for number in range(7_200)])
    clustering = voices.VoiceClustering(0.35, 2.0)
    clustering.moments = np.repeat(embeddings[:, 0], 10, axis=0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        clustering(embeddings=embeddings, segmentations=segmentations)
        grown = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    # The tree of 3,000 embeddings takes two tables of half their square; what grows with the length is far below.
    assert grown < 2 * 3_000**2 / 2 * 8 + 60e6
    clustering.forget()
    assert not len(clustering.moments)
    assert not clustering.voices.any()


def test_as_many_voices_are_marked_as_speak_and_the_first_of_two_alike(voices: ModuleType) -> None:
    heard = np.array([[2, 5, 5], [0, 0, 0], [1, 0, 3], [4, 4, 0]], dtype=np.int8)
    marked = voices._loudest(heard, np.array([[1], [1], [0], [2]]))
    assert marked.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize("longest_pause_s", [0.0, 0.5])
def test_the_stretches_of_a_voice_are_those_that_pyannote_finds(voices: ModuleType, longest_pause_s: float) -> None:
    core = importlib.import_module("pyannote.core")
    drawn = np.random.default_rng(5).random((400, 4)) > [0.5, 0.05, 0.95, 1.0]
    heard = core.SlidingWindowFeature(
        drawn.astype(np.int8), core.SlidingWindow(start=0.0, duration=0.0619375, step=0.016875)
    )
    diarization = voices.VoiceDiarization
    theirs = super(diarization, diarization).to_annotation(heard, 0.0, longest_pause_s)
    ours = diarization.to_annotation(heard, 0.0, longest_pause_s)

    def tracks(annotation: Any) -> set[tuple[float, float, int]]:  # noqa: ANN401 - pyannote has no types
        return {(span.start, span.end, label) for span, _, label in annotation.itertracks(yield_label=True)}

    assert tracks(ours) == tracks(theirs)
    assert len(tracks(ours)) > 5


def test_a_voice_made_of_two_people_taken_for_one_is_made_anew_of_its_own_moments(voices: ModuleType) -> None:
    one, other = directions(2)
    random = np.random.default_rng(3)
    mixed = one + 1.5 * other
    moments = np.concatenate([np.tile(one, (40, 1)), np.tile(other, (40, 1))]) + random.normal(
        scale=0.02, size=(80, 192)
    )
    moments[::10] = np.nan
    purified = voices._purified(np.stack([one, mixed / np.linalg.norm(mixed)]), moments.astype(np.float32))
    assert purified[0] @ one > 0.95
    assert purified[1] @ other > 0.95
    assert np.allclose(np.linalg.norm(purified, axis=1), 1.0)


def test_a_voice_with_hardly_a_moment_of_its_own_stays_as_it_was(voices: ModuleType) -> None:
    one, other = directions(2)
    moments = np.concatenate([np.tile(one, (40, 1)), np.tile(other, (3, 1))]).astype(np.float32)
    assert (voices._purified(np.stack([one, -one]), moments)[1] == -one).all()


def test_a_voice_that_mixes_two_others_is_left_out(voices: ModuleType) -> None:
    one, other, third = directions(3)
    mixed = (0.7 * one + 0.5 * other) / np.linalg.norm(0.7 * one + 0.5 * other)
    kept = voices._unmixed(np.stack([one, mixed, other, third]), 1)
    assert (kept == np.stack([one, other, third])).all()
    assert len(voices._unmixed(np.stack([one, mixed, other, third]), 4)) == 4
    assert len(voices._unmixed(np.stack([one, mixed, third]), 1)) == 3


def test_somebody_like_two_others_stays(voices: ModuleType) -> None:
    one, other, third = directions(3)
    like_both = 0.4 * one + 0.4 * other + 0.8 * third
    assert len(voices._unmixed(np.stack([one, like_both / np.linalg.norm(like_both), other]), 1)) == 3


def test_people_taken_for_one_where_they_change_often_make_no_further_voice(voices: ModuleType) -> None:
    talk = [[0]] * 5 + [[1]] * 5 + [[2]] * 3
    embeddings, segmentations = session(talk)
    embeddings[10:, 0] = embeddings[:3, 0] + embeddings[5:8, 0]
    found, _, centroids = voices.VoiceClustering(0.25, 2.0)(embeddings=embeddings, segmentations=segmentations)
    assert len(centroids) == 2
    assert set(found[:5, 0].tolist()) != set(found[5:10, 0].tolist())


def torn(turn: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Make two voices of one person and one of another, and moments in which each has the turn for so many."""
    one, other, further = directions(3)
    voices = np.stack([one, 0.65 * one + 0.76 * further, other])
    voices /= np.linalg.norm(voices, axis=1, keepdims=True)
    blur = np.random.default_rng(4).normal(scale=0.02, size=(120, 192))
    return voices, (voices[np.arange(120) // turn % 3] + blur).astype(np.float32)


def test_two_voices_alike_are_one_person_where_voices_change_quickly(voices: ModuleType) -> None:
    three, moments = torn(turn=10)
    mended = voices._mended(three, moments, 1)
    assert len(mended) == 2
    assert (mended @ three.T).argmax(axis=1)[1] == 2
    assert len(voices._mended(three, moments, 3)) == 3


def test_two_voices_alike_are_two_people_where_voices_change_slowly(voices: ModuleType) -> None:
    three, moments = torn(turn=40)
    assert (voices._mended(three, moments, 1) == three).all()


def test_voices_without_a_moment_stay(voices: ModuleType) -> None:
    three, _ = torn(turn=10)
    assert (voices._mended(three, np.zeros((0, 192), dtype=np.float32), 1) == three).all()


def test_a_stretch_clearly_of_another_voice_goes_to_it(voices: ModuleType) -> None:
    activity = np.zeros((200, 3))
    activity[20:180, 0] = 1.0
    likeness = np.tile([0.8, 0.2], (200, 1))
    likeness[100:160] = [0.2, 0.8]
    who = voices._reassign(activity, 0, 0, likeness)
    assert list(np.flatnonzero(who)) == list(range(100, 160))


def test_a_short_or_doubtful_stretch_stays(voices: ModuleType) -> None:
    activity = np.zeros((200, 3))
    activity[:, 0] = 1.0
    likeness = np.tile([0.8, 0.2], (200, 1))
    likeness[20:40] = [0.2, 0.8]
    likeness[100:160] = [0.5, 0.6]
    assert not voices._reassign(activity, 0, 0, likeness).any()


def test_overlapped_speech_is_not_reassigned(voices: ModuleType) -> None:
    activity = np.ones((200, 3))
    likeness = np.tile([0.1, 0.9], (200, 1))
    assert not voices._reassign(activity, 0, 0, likeness).any()
