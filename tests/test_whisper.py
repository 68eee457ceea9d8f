"""The real engine behind the recogniser's door, on short clips."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.audio import decode_audio
from hypothesis import given
from hypothesis import strategies as st

from models.whisper import (
    WhisperOptions,
    WhisperRecognizer,
    _failures,
    join_pieces,
    open_recognizer,
    share_out,
    speech_probabilities,
    speech_spans,
)
from pipeline.errors import OutOfMemory, RecognitionFailed, SetUpError
from pipeline.ports import Clip, LanguageQuestion, Recognizer
from pipeline.screening import ScreeningRules, is_repetitive
from pipeline.types import ModelUse, Span

CLIPS = Path(__file__).parent / "data"
MODEL = ModelUse(name="whisper-base", revision="1", sha256="0" * 64)


def span(start_ms: int, end_ms: int) -> Span:
    return Span(start_ms=start_ms, end_ms=end_ms)


def read_clip(name: str) -> Clip:
    waveform: Clip = decode_audio(str(CLIPS / name))
    return waveform


@pytest.fixture(scope="module")
def english() -> Clip:
    return read_clip("en-ask-not.flac")


@pytest.fixture(scope="module")
def french() -> Clip:
    return read_clip("fr-voiture.ogg")


def whole(waveform: Clip) -> Span:
    return span(0, len(waveform) // 16)


def read(recognizer: Recognizer, waveform: Clip, spans: Sequence[Span], language: str) -> list[str]:
    decoded = recognizer.decode_batch(waveform, spans, language=language, hotwords=None, batch_size=4)
    return [" ".join(word.text for word in one.words) for one in decoded]


@pytest.mark.engines
def test_it_says_which_weights_run_where(recognizer: WhisperRecognizer) -> None:
    assert recognizer.model.device in {"cpu", "cuda"}
    assert recognizer.model.precision in {"int8", "float16"}


@pytest.mark.engines
def test_words_come_with_times_probability_and_language(recognizer: WhisperRecognizer, english: Clip) -> None:
    (decoded,) = recognizer.decode_batch(english, [whole(english)], language="en", hotwords=None, batch_size=1)
    assert "country" in " ".join(word.text for word in decoded.words)
    assert all(0 <= word.start_ms <= word.end_ms <= whole(english).end_ms for word in decoded.words)
    assert all(word.language == "en" and 0 < word.probability <= 1 for word in decoded.words)
    assert decoded.average_log_probability > -0.5


@pytest.mark.engines
def test_french_comes_out_in_french(recognizer: WhisperRecognizer, french: Clip) -> None:
    assert "perdu le contrôle de sa voiture" in read(recognizer, french, [whole(french)], "fr")[0]


@given(st.integers(0, 200), st.integers(1, 9), st.booleans())
def test_batches_hold_everything_once_in_order_and_are_of_about_one_size(count: int, most: int, even: bool) -> None:
    batches = share_out(range(count), most, even=even)
    assert [item for batch in batches for item in batch] == list(range(count))
    sizes = [len(batch) for batch in batches]
    assert all(0 < size <= most for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert not even or len(sizes) % 2 == 0 or len(sizes) == count


@pytest.mark.engines
def test_a_batch_gives_one_result_a_stretch_in_order_with_the_recording_s_times(
    recognizer: WhisperRecognizer, english: Clip
) -> None:
    spans = [span(5_000, 11_000), span(0, 5_000)]
    decoded = list(recognizer.decode_batch(english, spans, language="en", hotwords=None, batch_size=2))
    assert [(one.start_ms, one.end_ms) for one in decoded] == [(5_000, 11_000), (0, 5_000)]
    assert all(word.start_ms >= 5_000 for word in decoded[0].words)


@pytest.mark.engines
def test_a_stretch_that_would_lose_its_end_is_refused(recognizer: WhisperRecognizer, english: Clip) -> None:
    with pytest.raises(ValueError, match="30 s"):
        next(recognizer.decode_batch(english, [span(0, 30_001)], language="en", hotwords=None, batch_size=1))


@pytest.mark.engines
def test_careful_decoding_gives_the_same_words_each_time(recognizer: WhisperRecognizer, english: Clip) -> None:
    noisy = (english + np.random.default_rng(0).normal(0, 0.15, len(english))).astype(np.float32)
    runs = [
        [
            word
            for parts in recognizer.decode_careful(noisy, [whole(noisy)] * 2, language="en", hotwords=None)
            for part in parts
            for word in part.words
        ]
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.engines
@pytest.mark.parametrize(("loudness", "seed"), [(0.05, 1), (0.1, 0)])
def test_careful_decoding_does_not_loop_in_noise(
    recognizer: WhisperRecognizer, french: Clip, loudness: float, seed: int
) -> None:
    noisy = (french + np.random.default_rng(seed).normal(0, loudness, len(french))).astype(np.float32)
    (parts,) = recognizer.decode_careful(noisy, [whole(noisy)], language="fr", hotwords=None)
    assert not is_repetitive([word for part in parts for word in part.words], ScreeningRules())


@pytest.mark.engines
def test_hotwords_change_the_spelling(recognizer: WhisperRecognizer, french: Clip) -> None:
    def text(hotwords: str | None) -> str:
        found = recognizer.decode_batch(french, [whole(french)], language="fr", hotwords=hotwords, batch_size=1)
        return " ".join(word.text for one in found for word in one.words)

    assert "Fisichella" not in text(None)
    assert "Giancarlo Fisichella" in text("Giancarlo Fisichella")


@pytest.mark.engines
def test_speech_is_found_and_silence_is_not(recognizer: WhisperRecognizer, english: Clip) -> None:
    silence = np.zeros(3 * 16_000, dtype=np.float32)
    speech = recognizer.detect_speech(np.concatenate([silence, english, silence]))
    assert speech[0].start_ms >= 2_900
    assert speech[-1].end_ms <= 14_200
    assert recognizer.detect_speech(silence) == ()
    assert recognizer.detect_speech(np.zeros(0, dtype=np.float32)) == ()


@pytest.mark.engines
@pytest.mark.parametrize("share", [0.5, 0.25])
def test_a_hoarse_voice_far_from_the_microphone_is_found(
    recognizer: WhisperRecognizer, english: Clip, share: float
) -> None:
    hoarse = read_clip("en-hoarse.flac")
    near = sum(found.duration_ms for found in recognizer.detect_speech(hoarse))
    start_ms = len(english) // 16
    speech = recognizer.detect_speech(np.concatenate([english, share * hoarse, english]))
    far = sum(found.overlap_ms(span(start_ms, start_ms + len(hoarse) // 16)) for found in speech)
    # Without levels evened out, 0.5 s and nothing.
    assert far > 0.6 * near > 3_000


@pytest.mark.engines
def test_hours_are_searched_in_blocks_that_join_without_a_seam(english: Clip) -> None:
    long = np.tile(english, 3)
    whole_way, in_blocks = speech_probabilities(long), speech_probabilities(long, block_s=10, workers=2)
    assert len(whole_way) == len(in_blocks)
    assert np.mean(np.abs(whole_way - in_blocks) > 0.2) < 0.01


@pytest.mark.engines
def test_the_number_of_cores_does_not_decide_what_is_heard(models_folder: Path, english: Clip) -> None:
    length_ms = len(english) // 16
    spans = [Span(start_ms=start, end_ms=min(start + 2_000, length_ms)) for start in range(0, length_ms - 1_000, 1_000)]
    heard = [
        list(
            open_recognizer(
                models_folder / "whisper-base", model=MODEL, options=WhisperOptions(device="cpu", threads=threads)
            ).decode_batch(english, spans, language="en", hotwords=None, batch_size=2)
        )
        for threads in (1, 3)
    ]
    assert heard[0] == heard[1]
    assert any(decoded.words for decoded in heard[0])


@pytest.mark.engines
def test_languages_are_told_apart_among_those_asked_for(
    recognizer: WhisperRecognizer, english: Clip, french: Clip
) -> None:
    both = np.concatenate([english, french])
    spans = [span(0, len(english) // 16), span(len(english) // 16, len(both) // 16)]
    first, second = recognizer.detect_languages(both, spans, ("en", "fr", "es"))
    assert first["en"] > 0.9
    assert second["fr"] > 0.8
    assert sum(second.values()) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="30 s"):
        list(recognizer.detect_languages(both, [span(0, 30_001)], ("en",)))


@pytest.mark.engines
def test_a_window_tells_the_languages_of_itself_and_of_stretches_in_it_while_it_is_decoded(
    recognizer: WhisperRecognizer, english: Clip, french: Clip
) -> None:
    both = np.concatenate([french, english])
    change_ms, end_ms = len(french) // 16, len(both) // 16
    windows = [span(0, change_ms), span(change_ms, end_ms)]
    parts = (span(0, change_ms), span(change_ms + 1_000, change_ms + 4_000), span(0, end_ms))
    asked = LanguageQuestion(languages=("en", "fr", "es"), stretches=parts)
    first, second = recognizer.decode_batch(both, windows, language="fr", hotwords=None, batch_size=2, asked=asked)
    assert first.languages["fr"] > 0.8
    assert second.languages["en"] > 0.9
    assert [part["fr"] > 0.8 for part in first.inner_languages] == [True]
    assert [part["en"] > 0.8 for part in second.inner_languages] == [True]
    assert sum(second.languages.values()) == pytest.approx(1.0)
    (plain,) = recognizer.decode_batch(both, windows[:1], language="fr", hotwords=None, batch_size=2)
    assert not plain.languages
    assert not plain.inner_languages


@pytest.mark.engines
@pytest.mark.parametrize("length_ms", [580, 600, 620])
def test_a_stretch_of_as_many_positions_as_there_are_mels_is_not_taken_for_features(
    recognizer: WhisperRecognizer, french: Clip, length_ms: int
) -> None:
    """With a second of padding 600 ms give 80 positions; what the engine said of them was about nothing heard."""
    (heard,) = recognizer.detect_languages(french, [span(3_500, 3_500 + length_ms)], ("en", "fr", "es", "de"))
    assert heard["fr"] > 0.9


@pytest.mark.engines
def test_nor_is_such_a_stretch_in_a_window(recognizer: WhisperRecognizer, french: Clip) -> None:
    parts = tuple(span(3_500, 3_500 + length) for length in (1_580, 1_600, 1_620))
    asked = LanguageQuestion(languages=("en", "fr", "es", "de"), stretches=parts)
    whole = [span(0, len(french) // 16)]
    (decoded,) = recognizer.decode_batch(french, whole, language="fr", hotwords=None, batch_size=1, asked=asked)
    likely = [part["fr"] for part in decoded.inner_languages]
    assert likely == pytest.approx([likely[0]] * 3, abs=0.15)
    assert min(likely) > 0.5


@pytest.mark.engines
def test_the_cpu_s_recogniser_is_its_own_fallback(recognizer: WhisperRecognizer) -> None:
    if recognizer.model.device == "cpu":
        assert recognizer.to_cpu() is recognizer
    else:
        assert recognizer.to_cpu().model.device == "cpu"


@pytest.mark.engines
def test_the_engine_s_failure_becomes_ours(recognizer: WhisperRecognizer, english: Clip) -> None:
    with pytest.raises(RecognitionFailed):
        list(recognizer.decode_batch(english, [whole(english)], language="xx", hotwords=None, batch_size=1))


def test_a_folder_without_its_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(SetUpError) as caught:
        open_recognizer(tmp_path, model=MODEL)
    assert caught.value.code == "speech.weights_missing"
    assert "tokenizer.json" in caught.value.message("fr")


def test_weights_that_are_none_are_refused(tmp_path: Path, models_folder: Path) -> None:
    shutil.copytree(models_folder / "whisper-base", tmp_path / "model", ignore=shutil.ignore_patterns("model.bin"))
    (tmp_path / "model" / "model.bin").write_bytes(b"no weights")
    with pytest.raises(SetUpError) as caught:
        open_recognizer(tmp_path / "model", model=MODEL, options=WhisperOptions(device="cpu"))
    assert caught.value.code == "speech.weights_unreadable"


@pytest.mark.parametrize(
    "bad",
    [
        {"threads": 0},
        {"beam_size": 0},
        {"speech_threshold": 1.5},
        {"silence_threshold": 0.9},
    ],
)
def test_options_that_make_no_sense_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not"):
        WhisperOptions(**bad)  # type: ignore[arg-type]


def test_memory_running_out_is_told_from_other_failures() -> None:
    with pytest.raises(OutOfMemory), _failures():
        raise RuntimeError("CUDA failed with error out of memory")
    with pytest.raises(OutOfMemory), _failures():
        raise MemoryError
    with pytest.raises(RecognitionFailed), _failures():
        raise RuntimeError("cuBLAS failed")


def test_a_pause_shorter_than_asked_for_does_not_split_speech() -> None:
    frames = [0.9] * 10 + [0.1] * 4 + [0.9] * 10 + [0.1] * 10
    assert speech_spans(frames, 60_000) == (span(0, 768),)
    assert len(speech_spans(frames, 60_000, WhisperOptions(shortest_pause_ms=100))) == 2


def test_speech_never_ends_after_the_recording() -> None:
    assert speech_spans([0.9] * 10, 310) == (span(0, 310),)


def test_a_click_is_no_speech() -> None:
    assert speech_spans([0.0, 0.9, 0.0] + [0.0] * 10, 60_000) == ()


def test_pieces_become_words_with_their_punctuation() -> None:
    pieces = [
        (" «", 0.0, 0.1, 0.5),
        (" Bien", 0.1, 0.4, 0.8),
        ("-", 0.4, 0.4, 0.8),
        ("être", 0.4, 0.7, 0.6),
        (" ?", 0.7, 1.5, 0.9),
        (" »", 1.5, 1.6, 0.9),
        (" Oui", 2.0, 2.2, 0.9),
        (".", 2.2, 3.0, 0.9),
    ]
    words = join_pieces(pieces, 1_000, "fr")
    assert [(word.text, word.start_ms, word.end_ms) for word in words] == [
        ("«Bien-être?»", 1_100, 1_700),
        ("Oui.", 3_000, 3_200),
    ]
    assert words[0].probability == pytest.approx(0.7)


def test_punctuation_alone_is_no_word() -> None:
    assert join_pieces([(" ...", 0.0, 1.0, 0.1), (" ...", 1.0, 2.0, 0.9)], 0, "fr") == ()
