"""New words are found where they are said; what is known does not move, and a failing aligner moves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.whisper import WhisperRecognizer
from pipeline.errors import OutOfMemory, RecognitionFailed
from pipeline.media import choose_audio, probe, read_waveform, write_audio_file
from pipeline.ports import Waveform
from pipeline.realign import realign
from pipeline.speech import recognize
from pipeline.types import Span, Transcript, Turn, Word
from tests.clips import LIMITS, cut, session

SAMPLES = Path(__file__).parent.parent / "samples"
SILENCE = np.zeros(16_000 * 60, dtype=np.float32)


class Fixed:
    """An aligner that gives what it is told: for each word how far it is from where it was looked for, or a failure."""

    def __init__(self, *answers: Span | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Span, list[str], str]] = []

    def align(self, waveform: Waveform, span: Span, texts: Sequence[str], *, language: str) -> tuple[Span, ...]:
        self.asked.append((span, list(texts), language))
        if self.answers and isinstance(self.answers[0], Exception):
            raise self.answers[0]
        return tuple(answer for answer in self.answers if isinstance(answer, Span))


def word(start_ms: int, text: str, *, new: bool = False, language: str = "en") -> Word:
    return Word(
        start_ms=start_ms,
        end_ms=start_ms + 300,
        text=text,
        probability=1.0,
        language=language,
        timed="interpolated" if new else "recognised",
    )


def transcript(*words: Word) -> Transcript:
    turns = (Turn(speaker=None, words=words),)
    return Transcript(session_id="a" * 16, language="en", duration_ms=60_000, turns=turns)


def spans(*starts: int) -> tuple[Span, ...]:
    return tuple(Span(start_ms=start, end_ms=start + 200) for start in starts)


def test_new_words_are_looked_for_with_those_beside_them_and_nothing_else_moves() -> None:
    before = transcript(word(0, "the"), word(1_000, "roof", new=True), word(2_000, "holds"))
    aligner = Fixed(*spans(20, 1_234, 2_010))
    after = realign(before, SILENCE, aligner)
    assert aligner.asked[0][1:] == (["the", "roof", "holds"], "en")
    assert (after.words[0], after.words[2]) == (before.words[0], before.words[2])
    assert (after.words[1].start_ms, after.words[1].end_ms, after.words[1].timed) == (1_234, 1_434, "aligned")


def test_a_word_is_never_found_outside_the_words_around_it() -> None:
    before = transcript(word(0, "the"), word(1_000, "roof", new=True), word(2_000, "holds"))
    for wild in (0, 5_000):
        after = realign(before, SILENCE, Fixed(*spans(0, wild, 2_000)))
        assert 300 <= after.words[1].start_ms <= after.words[1].end_ms <= 2_000


def test_what_does_not_find_the_known_words_is_not_believed() -> None:
    before = transcript(word(0, "the"), word(1_000, "roof", new=True), word(2_000, "holds"))
    assert realign(before, SILENCE, Fixed(*spans(900, 1_500, 3_000))) == before


def test_where_the_aligner_fails_words_stay_between_their_neighbours() -> None:
    before = transcript(word(0, "the"), word(1_000, "roof", new=True), word(2_000, "holds"))
    failing = Fixed(RecognitionFailed("speech.engine_failed", {"detail": "invented"}))
    assert realign(before, SILENCE, failing) == before
    with pytest.raises(OutOfMemory):
        realign(before, SILENCE, Fixed(OutOfMemory("speech.out_of_memory", {"detail": "invented"})))


def test_each_language_is_looked_for_in_itself() -> None:
    before = transcript(word(0, "well", new=True), word(500, "bonjour", new=True, language="fr"))
    aligner = Fixed(*spans(100))
    realign(before, SILENCE, aligner)
    assert [asked[1:] for asked in aligner.asked] == [(["well"], "en"), (["bonjour"], "fr")]


def test_nothing_is_asked_beyond_the_sound_or_for_more_than_can_be_heard_at_once() -> None:
    late = transcript(word(59_900, "gone", new=True))
    assert realign(late, SILENCE[: 16_000 * 30], Fixed(*spans(1))) == late
    long = transcript(replace(word(0, "long", new=True), end_ms=40_000))
    assert realign(long, SILENCE, Fixed(*spans(1))) == long


@given(
    new=st.lists(st.booleans(), min_size=1, max_size=20),
    offsets=st.lists(st.integers(-700, 700), min_size=20, max_size=20),
)
def test_words_stay_in_order_and_known_ones_in_place(new: list[bool], offsets: list[int]) -> None:
    class Around:
        def align(self, waveform: Waveform, span: Span, texts: Sequence[str], *, language: str) -> tuple[Span, ...]:
            return spans(*(max(0, int(text) + offset) for text, offset in zip(texts, offsets, strict=False)))

    before = transcript(*(word(at * 400, str(at * 400), new=fresh) for at, fresh in enumerate(new)))
    after = realign(before, SILENCE, Around()).words
    assert [word.text for word in after] == [word.text for word in before.words]
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(after))
    assert all(now == was for now, was in zip(after, before.words, strict=True) if was.timed == "recognised")


def test_real_words_are_found_where_they_were_recognised(recognizer: WhisperRecognizer, tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    cut(SAMPLES / "fr" / "cinq_voix.flac", path, start_s=21, length_s=12)
    media = probe(path, LIMITS)
    waveform = read_waveform(write_audio_file(media, choose_audio(media, session("fr")), tmp_path / "s.wav", LIMITS))
    words = recognize(waveform, session("fr"), recognizer).words
    assert len(words) > 15
    # Every fifth word is laid where it was not.
    moved = tuple(
        replace(word, start_ms=words[at - 1].end_ms, end_ms=words[at - 1].end_ms, timed="interpolated")
        if at % 5 == 4
        else word
        for at, word in enumerate(words)
    )
    found = realign(transcript(*moved), waveform, recognizer).words
    off = [abs(now.start_ms - was.start_ms) for now, was in zip(found, words, strict=True) if now.timed == "aligned"]
    assert len(off) >= len(words) // 5 - 1
    assert np.median(off) <= 120
