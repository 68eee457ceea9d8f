"""From sound to words: with the real engine on short clips, and with a scripted one where a fault must be invented."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase
from typing import Self

import numpy as np
import pytest
from faster_whisper.audio import decode_audio
from hypothesis import given
from hypothesis import strategies as st

from models.whisper import WhisperRecognizer
from pipeline.errors import OutOfMemory, RecognitionFailed
from pipeline.messages import message
from pipeline.ports import Clip, Decoded, LanguageQuestion, Waveform
from pipeline.speech import (
    SpeechOptions,
    Stretch,
    choose_hotwords,
    choose_languages,
    cut_long,
    languages_heard,
    pack,
    quietest_ms,
    recognize,
    tidy,
)
from pipeline.types import Bilingual, Language, ModelUse, Person, Session, Span, Word

CLIPS = Path(__file__).parent / "data"
OPTIONS = SpeechOptions()
GPU_LESS = ModelUse(name="scripted", revision="1", sha256="0" * 64, device="cpu")


def span(start_ms: int, end_ms: int) -> Span:
    return Span(start_ms=start_ms, end_ms=end_ms)


def stretch(start_ms: int, end_ms: int, language: str = "en") -> Stretch:
    return Stretch(start_ms=start_ms, end_ms=end_ms, language=language)


def word(text: str, start_ms: int, end_ms: int, language: str = "en") -> Word:
    return Word(text=text, start_ms=start_ms, end_ms=end_ms, probability=0.9, language=language)


def paced(start_ms: int, end_ms: int) -> tuple[Word, ...]:
    """Say a word of its own every 400 ms."""
    times = range(start_ms, end_ms - 399, 400)
    return tuple(word("".join(np.random.default_rng(at).choice([*ascii_lowercase], 5)), at, at + 400) for at in times)


def session(*languages: Language, given: bool = True, glossary: tuple[str, ...] = ()) -> Session:
    return Session(
        id="0" * 16,
        title=Bilingual(en="A talk"),
        languages=languages or ("en",),
        languages_given=given,
        glossary=glossary,
    )


def read_clip(name: str) -> Clip:
    waveform: Clip = decode_audio(str(CLIPS / name))
    return waveform


def silence(seconds: float) -> Clip:
    return np.zeros(int(seconds * 16_000), dtype=np.float32)


def text(words: Sequence[Word]) -> str:
    return " ".join(one.text for one in words)


@dataclass
class Scripted:
    """A recogniser that hears speech where it is told and says one word every 400 ms of it.

    ``fail`` is asked before each batch with the device and the number of stretches; it raises to invent a fault.
    ``deaf`` are stretches in which it hears nothing.
    """

    speech: tuple[Span, ...]
    model: ModelUse = field(default_factory=lambda: GPU_LESS)
    fail: Callable[[str, int], None] | None = None
    deaf: tuple[Span, ...] = ()
    loop: bool = False
    heard: Mapping[str, float] = field(default_factory=lambda: {"en": 0.98, "fr": 0.01})
    batches: list[int] = field(default_factory=list)
    windows: list[Span] = field(default_factory=list)
    hotwords: list[str | None] = field(default_factory=list)
    careful: list[Span] = field(default_factory=list)
    windows_at_once: int | None = None

    def detect_speech(self, waveform: Waveform) -> tuple[Span, ...]:
        return self.speech

    def detect_languages(
        self, waveform: Waveform, spans: Sequence[Span], languages: Sequence[str]
    ) -> Iterator[Mapping[str, float]]:
        for one in spans:
            self._perhaps_fail(0)
            yield self.languages_in(one, languages)

    def languages_in(self, stretch: Span, languages: Sequence[str]) -> Mapping[str, float]:
        return {language: self.heard.get(language, 0.001) for language in languages}

    def decode_batch(
        self,
        waveform: Waveform,
        spans: Sequence[Span],
        *,
        language: str,
        hotwords: str | None,
        batch_size: int,
        asked: LanguageQuestion | None = None,
    ) -> Iterator[Decoded]:
        self.hotwords.append(hotwords)
        for first in range(0, len(spans), batch_size):
            batch = spans[first : first + batch_size]
            self._perhaps_fail(batch_size)
            self.batches.append(len(batch))
            self.windows.extend(batch)
            for window in batch:
                decoded = self._decode(window, language, self.deaf, "no" if self.loop else "w{}")
                yield self._answer(decoded, asked) if asked else decoded

    def _answer(self, window: Decoded, asked: LanguageQuestion) -> Decoded:
        inside = [part for part in asked.stretches if part.overlap_ms(window) == part.duration_ms]
        return replace(
            window,
            languages=self.languages_in(window, asked.languages),
            inner_languages=tuple(self.languages_in(part, asked.languages) for part in inside),
        )

    def decode_careful(
        self, waveform: Waveform, spans: Sequence[Span], *, language: str, hotwords: str | None
    ) -> Iterator[tuple[Decoded, ...]]:
        for span in spans:
            self.careful.append(span)
            yield (self._decode(span, language, self.deaf, "c{}"),)

    def to_cpu(self) -> Self:
        return replace(self, model=replace(self.model, device="cpu"), windows_at_once=None)

    def _perhaps_fail(self, size: int) -> None:
        if self.fail is not None:
            self.fail(self.model.device, size)

    def _decode(self, window: Span, language: str, deaf: tuple[Span, ...], says: str) -> Decoded:
        times = [
            at
            for part in self.speech
            for at in range(max(part.start_ms, window.start_ms), min(part.end_ms, window.end_ms) - 399, 400)
            if not any(one.covers(at + 200) for one in deaf)
        ]
        words = tuple(word(says.format(at), at, at + 400, language) for at in times)
        return Decoded(
            start_ms=window.start_ms,
            end_ms=window.end_ms,
            words=words,
            average_log_probability=-0.3,
            no_speech_probability=0.01,
        )


@pytest.mark.engines
def test_an_english_clip_becomes_its_words(recognizer: WhisperRecognizer) -> None:
    waveform = np.concatenate([silence(3), read_clip("en-ask-not.flac")])
    shares: list[float] = []
    found = recognize(waveform, session("en"), recognizer, progress=shares.append)
    assert "what your country can do for you" in text(found.words).lower()
    assert found.words[0].start_ms >= 2_900
    assert found.model == recognizer.model
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.engines
def test_each_language_comes_out_in_itself(recognizer: WhisperRecognizer) -> None:
    english, french = read_clip("en-ask-not.flac"), read_clip("fr-voiture.ogg")
    waveform = np.concatenate([english[: 8 * 16_000], silence(0.8), french])
    found = recognize(waveform, session("en", "fr"), recognizer)
    assert "fellow Americans" in text([one for one in found.words if one.language == "en"])
    assert "contrôle de sa voiture" in text([one for one in found.words if one.language == "fr"])
    assert all((one.language == "fr") == (one.start_ms > 8_000) for one in found.words)


@pytest.mark.engines
def test_what_a_person_did_not_name_is_not_translated(recognizer: WhisperRecognizer) -> None:
    english, french = read_clip("en-ask-not.flac"), read_clip("fr-voiture.ogg")
    found = recognize(french, session("en"), recognizer)
    assert "contrôle de sa voiture" in text(found.words)
    assert {one.language for one in found.words} == {"fr"}
    assert [notice.code for notice in found.notices] == ["speech.language_unnamed"]
    mixed = np.concatenate([english, silence(4), french, silence(4), english])
    found = recognize(mixed, session("en"), recognizer)
    assert "contrôle de sa voiture" in text([one for one in found.words if one.language == "fr"])
    assert text([one for one in found.words if one.language == "en"]).count("fellow Americans") == 2
    assert [notice.code for notice in found.notices] == ["speech.language_unnamed"]


@pytest.mark.engines
def test_a_language_that_nobody_named_is_heard_and_said(recognizer: WhisperRecognizer) -> None:
    english = session("en", given=False)
    found = recognize(read_clip("fr-voiture.ogg"), english, recognizer)
    assert "voiture" in text(found.words)
    assert languages_heard(found.words, english) == ("fr",)
    assert [notice.code for notice in found.notices] == ["speech.language_heard"]


@pytest.mark.engines
def test_the_same_sound_gives_the_same_words(recognizer: WhisperRecognizer) -> None:
    clip = read_clip("fr-voiture.ogg")
    assert recognize(clip, session("fr"), recognizer) == recognize(clip, session("fr"), recognizer)


@pytest.mark.engines
@pytest.mark.parametrize("language", ["en", "fr"])
def test_noise_gives_no_words(recognizer: WhisperRecognizer, language: Language) -> None:
    assert recognize(read_clip("noise.flac"), session(language), recognizer).words == ()


@pytest.mark.engines
@pytest.mark.parametrize(
    "waveform",
    [silence(5), silence(0), silence(0.05), np.sin(np.arange(80_000) * 0.17).astype(np.float32) * 0.3],
    ids=["silence", "nothing", "a moment", "a tone"],
)
def test_no_voice_gives_no_words_and_says_so(recognizer: WhisperRecognizer, waveform: Clip) -> None:
    found = recognize(waveform, session("en"), recognizer)
    assert found.words == ()
    assert [notice.code for notice in found.notices] == ["speech.none"]


@pytest.mark.engines
def test_a_name_from_the_sidecar_is_spelled_as_there(recognizer: WhisperRecognizer) -> None:
    clip = read_clip("fr-voiture.ogg")
    known = replace(session("fr"), guests=(Person(name="Giancarlo Fisichella"),))
    assert "Fisichella" not in text(recognize(clip, session("fr"), recognizer).words)
    assert "Giancarlo Fisichella" in text(recognize(clip, known, recognizer).words)


def test_a_full_gpu_gets_smaller_batches_and_no_word_is_lost_or_doubled() -> None:
    def full(device: str, size: int) -> None:
        if size > 2:
            raise OutOfMemory("speech.out_of_memory", {"detail": "full"})

    speech = tuple(span(at, at + 2_000) for at in range(0, 100_000, 10_000))
    engine = Scripted(speech=speech, fail=full)
    found = recognize(silence(110), session("en"), engine)
    assert engine.batches == [2] * 5
    assert [one.end_ms for one in found.words] == [
        part.start_ms + step for part in speech for step in range(400, 2_001, 400)
    ]
    assert [(notice.code, notice.data) for notice in found.notices] == [("speech.smaller_batch", (("size", "2"),))]


def test_a_gpu_that_fails_halfway_is_left_for_the_cpu_with_the_rest_of_the_work() -> None:
    calls: list[str] = []

    def failing(device: str, size: int) -> None:
        if not size:
            return
        calls.append(device)
        if device == "cuda" and len(calls) > 1:
            raise RecognitionFailed("speech.engine_failed", {"detail": "lost"})

    speech = tuple(span(at, at + 2_000) for at in range(0, 100_000, 10_000))
    gpu = replace(GPU_LESS, device="cuda")
    scripted = Scripted(speech=speech, fail=failing, model=gpu)
    found = recognize(silence(110), session("en"), scripted, SpeechOptions(batch_size=8))
    assert calls == ["cuda", "cuda", "cpu"]
    assert len({one.start_ms for one in found.words}) == len(found.words) == 50
    assert found.model is not None
    assert found.model.device == "cpu"
    assert [notice.code for notice in found.notices] == ["speech.moved_to_cpu"]


def test_a_gpu_that_fails_while_languages_are_asked_for_is_asked_for_no_stretch_twice() -> None:
    asked: list[str] = []

    def failing(device: str, size: int) -> None:
        if size:
            return
        asked.append(device)
        if device == "cuda" and len(asked) == 4:
            raise RecognitionFailed("speech.engine_failed", {"detail": "lost"})

    speech = tuple(span(at, at + 2_000) for at in range(0, 100_000, 10_000))
    scripted = Scripted(speech=speech, fail=failing, model=replace(GPU_LESS, device="cuda"))
    found = recognize(silence(110), session("en", "fr"), scripted)
    assert asked == ["cuda"] * 4 + ["cpu"] * 7
    assert len(found.words) == 50


def test_a_gpu_decodes_as_many_windows_at_once_as_its_memory_holds() -> None:
    sizes: list[tuple[str, int]] = []

    def short_of_memory(device: str, size: int) -> None:
        if not size:
            return
        sizes.append((device, size))
        if device == "cuda":
            raise OutOfMemory("speech.out_of_memory", {"detail": "full"})

    speech = tuple(span(at, at + 2_000) for at in range(0, 100_000, 10_000))
    gpu = replace(GPU_LESS, device="cuda")
    scripted = Scripted(speech=speech, model=gpu, windows_at_once=8, fail=short_of_memory)
    recognize(silence(110), session("en"), scripted, SpeechOptions(batch_size=4))
    assert sizes[:5] == [("cuda", 8), ("cuda", 4), ("cuda", 2), ("cuda", 1), ("cpu", 4)]


def test_memory_that_does_not_do_even_for_one_window_on_the_cpu_is_said() -> None:
    def full(device: str, size: int) -> None:
        raise OutOfMemory("speech.out_of_memory", {"detail": "full"})

    with pytest.raises(OutOfMemory):
        recognize(silence(3), session("en"), Scripted(speech=(span(0, 2_000),), fail=full))


def test_what_takes_no_batch_is_not_tried_again_in_a_smaller_one() -> None:
    asked: list[str] = []

    def fail(device: str, size: int) -> None:
        if not size:
            asked.append(device)
            raise OutOfMemory("speech.out_of_memory", {"detail": "of a single stretch"})

    engine = Scripted(model=replace(GPU_LESS, device="cuda"), speech=(span(0, 5_000),), fail=fail, windows_at_once=64)
    with pytest.raises(OutOfMemory):
        recognize(silence(6), session("en", "fr"), engine)
    assert asked == ["cuda", "cpu"]


def test_an_engine_that_fails_on_the_cpu_is_not_tried_for_ever() -> None:
    def broken(device: str, size: int) -> None:
        raise RecognitionFailed("speech.engine_failed", {"detail": "broken"})

    with pytest.raises(RecognitionFailed):
        recognize(silence(3), session("en", "fr"), Scripted(speech=(span(0, 2_000),), fail=broken))


def test_speech_that_stays_without_text_is_flagged_with_its_place() -> None:
    engine = Scripted(speech=(span(0, 8_000),), deaf=(span(3_000, 6_000),))
    found = recognize(silence(10), session("en"), engine)
    (notice,) = found.notices
    assert notice.code == "speech.hole"
    assert notice.span is not None
    assert notice.span.overlap_ms(span(3_000, 6_000)) > 2_000


@pytest.mark.parametrize(
    ("speech", "first", "again"),
    [
        # The pause before "I", in which it claims to begin, lies in the piece that is decoded again.
        (
            (span(0, 5_000), span(5_600, 13_000)),
            (word("one", 0, 400), *paced(2_600, 4_600), word("I", 4_600, 5_800), *paced(5_800, 13_000)),
            paced(0, 5_000),
        ),
        # The pause before "I" lies in the piece that stays, "I" itself in the one that is decoded again.
        (
            (span(0, 8_000), span(10_000, 18_000)),
            (*paced(0, 8_000), word("I", 8_000, 10_300), word("see", 10_300, 13_000), *paced(13_000, 18_000)),
            (word("I", 10_000, 10_300), *paced(10_400, 18_000)),
        ),
    ],
    ids=["lost", "doubled"],
)
def test_a_word_after_a_pause_is_neither_lost_nor_doubled_where_a_piece_is_decoded_again(
    speech: tuple[Span, ...], first: tuple[Word, ...], again: tuple[Word, ...]
) -> None:
    class Dictated(Scripted):
        """Leaves a hole in the window and hears all of the piece around it."""

        def _decode(self, window: Span, language: str, deaf: tuple[Span, ...], says: str) -> Decoded:
            said = first if window.duration_ms > SpeechOptions().piece_ms else again
            return replace(super()._decode(window, language, deaf, says), words=said)

    engine = Dictated(speech=speech)
    found = recognize(silence(20), session("en"), engine)
    assert len(engine.windows) == 2
    assert [one.text for one in found.words].count("I") == 1
    assert not found.notices


def test_a_looping_window_is_decoded_again_and_the_better_text_kept() -> None:
    engine = Scripted(speech=(span(0, 8_000),), loop=True)
    found = recognize(silence(10), session("en"), engine)
    assert len(engine.careful) == 1
    assert all(one.text.startswith("c") for one in found.words)


def test_a_third_language_is_flagged() -> None:
    engine = Scripted(speech=(span(0, 8_000),), heard={"es": 0.95, "en": 0.03, "fr": 0.01})
    found = recognize(silence(10), session("en", "fr"), engine)
    assert [(notice.code, notice.data) for notice in found.notices] == [
        ("speech.other_language", (("language", "es"),))
    ]


def test_one_language_named_by_a_person_is_decoded_at_once_and_kept_unless_another_is_heard() -> None:
    looks: list[int] = []

    def count(device: str, size: int) -> None:
        looks.extend([size] if not size else [])

    speech = tuple(span(at, at + 7_800) for at in range(0, 80_000, 8_000))
    sure = Scripted(speech=speech, heard={"fr": 0.7, "en": 0.2}, fail=count)
    found = recognize(silence(80), session("fr"), sure)
    assert whole_windows(sure) == [0, 23_900, 47_900]
    assert not looks
    assert {one.language for one in found.words} == {"fr"}
    assert "speech.language_unnamed" not in {notice.code for notice in found.notices}
    found = recognize(silence(80), session("fr"), Scripted(speech=speech, heard={"fr": 0.5, "en": 0.3}, fail=count))
    assert len(looks) == len(speech)
    assert {one.language for one in found.words} == {"fr"}
    assert "speech.language_unnamed" not in {notice.code for notice in found.notices}
    looks.clear()
    shares: list[float] = []
    other = Scripted(speech=speech, fail=count)
    found = recognize(silence(80), session("fr"), other, progress=shares.append)
    assert len(looks) == len(speech)
    assert {one.language for one in found.words} == {"en"}
    assert "speech.language_unnamed" in {notice.code for notice in found.notices}
    assert shares == sorted(shares)


def whole_windows(engine: Scripted) -> list[int]:
    """Return where everything begins that was decoded and is longer than the pieces of a second look."""
    return sorted(window.start_ms for window in engine.windows if window.duration_ms > SpeechOptions().piece_ms)


def test_only_what_lies_around_another_language_is_decoded_again() -> None:
    french = span(96_000, 116_000)

    class Switching(Scripted):
        """Hears French in one turn and English in the others."""

        def languages_in(self, stretch: Span, languages: Sequence[str]) -> Mapping[str, float]:
            there = "fr" if stretch.overlap_ms(french) > stretch.duration_ms / 2 else "en"
            return {language: float(language == there) for language in languages}

    turns = tuple(span(at, at + 20_000) for at in range(0, 240_000, 24_000))
    engine = Switching(speech=turns)
    found = recognize(silence(240), session("en"), engine)
    assert {one.start_ms // 24_000 for one in found.words if one.language == "fr"} == {4}
    starts = [max(0, turn.start_ms - 300) for turn in turns]
    assert whole_windows(engine) == sorted([*starts, starts[4]])


def test_the_other_language_is_looked_for_where_only_a_part_of_a_window_is_in_it() -> None:
    english = span(40_000, 46_000)

    class Overhearing(Scripted):
        """Hears the English of a few seconds only where it is asked about them alone."""

        def languages_in(self, stretch: Span, languages: Sequence[str]) -> Mapping[str, float]:
            there = "en" if english.overlap_ms(stretch) > stretch.duration_ms / 2 else "fr"
            return {language: float(language == there) for language in languages}

    before = (span(at, at + 9_000) for at in range(0, 40_000, 10_000))
    after = (span(at, at + 9_000) for at in range(47_000, 197_000, 10_000))
    engine = Overhearing(speech=(*before, english, *after))
    found = recognize(silence(200), session("fr"), engine)
    assert {one.language for one in found.words if english.covers(one.middle_ms)} == {"en"}
    assert {one.language for one in found.words if not english.covers(one.middle_ms)} == {"fr"}
    told = [notice for notice in found.notices if notice.code == "speech.language_unnamed"]
    assert [(notice.data, notice.span) for notice in told] == [((("heard", "en"), ("expected", "fr")), english)]


def test_a_third_language_in_a_part_of_a_window_alone_is_not_believed() -> None:
    class Doubtful(Scripted):
        """Takes a short phrase for German, and anything longer for French."""

        def languages_in(self, stretch: Span, languages: Sequence[str]) -> Mapping[str, float]:
            there = "de" if stretch.duration_ms < 5_000 else "fr"
            return {language: float(language == there) for language in languages}

    engine = Doubtful(speech=(span(0, 9_000), span(10_000, 14_000), span(15_000, 24_000)))
    found = recognize(silence(25), session("fr"), engine)
    assert whole_windows(engine) == [0]
    assert "speech.other_language" not in {notice.code for notice in found.notices}


@pytest.mark.parametrize("probability", [None, 0.5], ids=["no words", "hardly believed words"])
def test_a_few_seconds_of_a_third_language_are_flagged_where_nothing_fits(probability: float | None) -> None:
    spanish = span(10_000, 14_000)
    asked: list[Span] = []

    class Strange(Scripted):
        """Hears Spanish only where it is asked about it alone, and finds nothing that fits for it."""

        def detect_languages(
            self, waveform: Waveform, spans: Sequence[Span], languages: Sequence[str]
        ) -> Iterator[Mapping[str, float]]:
            asked.extend(spans)
            for one in spans:
                there = "es" if one.overlap_ms(spanish) else "fr"
                yield {language: float(language == there) for language in languages}

        def _decode(self, window: Span, language: str, deaf: tuple[Span, ...], says: str) -> Decoded:
            whole = super()._decode(window, language, (spanish,) if probability is None else (), says)
            words = tuple(
                replace(one, probability=probability or 0.0) if spanish.covers(one.middle_ms) else one
                for one in whole.words
            )
            return replace(whole, words=words)

    engine = Strange(speech=(span(0, 9_000), spanish, span(15_000, 24_000)), heard={"fr": 0.95, "es": 0.02})
    found = recognize(silence(25), session("fr"), engine)
    told = [notice for notice in found.notices if notice.code == "speech.other_language"]
    assert [(notice.data, notice.span) for notice in told] == [((("language", "es"),), spanish)]
    assert asked == [spanish]
    assert whole_windows(engine) == [0]


def test_glossary_and_names_reach_the_recogniser() -> None:
    engine = Scripted(speech=(span(0, 2_000),))
    recognize(silence(3), session("en", glossary=("Inuktitut",)), engine)
    assert engine.hotwords == ["Inuktitut"]


def test_names_come_before_terms_each_once_within_the_length() -> None:
    known = replace(
        session("en", glossary=("CNRC", "Ann Lee", "a term that is far too long to fit", "TA")),
        host=Person(name="Bo  Day"),
        guests=(Person(name="Ann Lee"),),
    )
    assert choose_hotwords(known, 30) == "Ann Lee, Bo Day, CNRC, TA"
    assert choose_hotwords(session("en"), 30) is None


def test_a_session_is_in_the_languages_that_are_heard_and_those_a_person_named_come_first() -> None:
    words = [word("oui", 0, 100, "fr"), word("non", 100, 200, "fr"), word("yes", 200, 300)]
    assert languages_heard(words, session("en", given=False)) == ("fr", "en")
    assert languages_heard(words[:2], session("en", "fr", given=False)) == ("fr",)
    assert languages_heard(words, session("en", "fr")) == ("en", "fr")
    assert languages_heard(words, session("en")) == ("en", "fr")
    assert languages_heard(words[:2], session("en")) == ("fr",)
    assert languages_heard(words[2:] * 30 + words[:1], session("en")) == ("en",)
    assert languages_heard([], session("fr", given=False)) == ("fr",)


def test_one_short_word_does_not_flip_the_language_but_a_sentence_does() -> None:
    english, french, perhaps = {"en": 0.99, "fr": 0.01}, {"en": 0.01, "fr": 0.99}, {"en": 0.3, "fr": 0.7}
    assert choose_languages([english, perhaps, english], [1, 0.3, 1], ("en", "fr"), 1.5) == ("en", "en", "en")
    assert choose_languages([english, french, english], [1, 1, 1], ("en", "fr"), 1.5) == ("en", "fr", "en")
    assert choose_languages([], [], ("en", "fr"), 1.5) == ()


def test_speech_longer_than_a_window_is_cut_where_it_is_quiet() -> None:
    sound = np.full(70 * 16_000, 0.1, dtype=np.float32)
    sound[20 * 16_000 : int(20.4 * 16_000)] = 0
    first, *rest = cut_long(sound, [span(0, 70_000)], 29_000)
    assert 20_000 <= first.end_ms <= 20_400
    assert all(piece.duration_ms <= OPTIONS.window_ms for piece in (first, *rest))
    assert [piece.start_ms for piece in rest] == [first.end_ms, *(piece.end_ms for piece in rest[:-1])]


def test_the_quietest_place_of_next_to_nothing_is_its_middle() -> None:
    assert quietest_ms(silence(1), span(10, 50)) == 30


def test_windows_end_where_the_language_changes_or_a_pause_is_long() -> None:
    stretches = [stretch(0, 2_000), stretch(2_500, 4_000, "fr"), stretch(9_000, 10_000, "fr")]
    windows = pack(stretches, span(0, 10_100), 29_000, OPTIONS)
    assert [(one.start_ms, one.end_ms, one.language) for one in windows] == [
        (0, 2_250, "en"),
        (2_250, 4_300, "fr"),
        (8_700, 10_100, "fr"),
    ]


def test_windows_are_few_and_cut_at_the_longest_pauses() -> None:
    times = [(0, 9_000), (9_200, 18_000), (19_000, 26_000), (26_200, 34_000)]
    windows = pack([stretch(*one) for one in times], span(0, 34_000), 29_000, OPTIONS)
    assert [(one.start_ms, one.end_ms) for one in windows] == [(0, 18_300), (18_700, 34_000)]


@pytest.mark.parametrize(
    "bad",
    [
        {"window_ms": 30_001},
        {"piece_ms": 30_000},
        {"piece_ms": 30_000, "window_ms": 30_000},
        {"piece_ms": 1_000, "margin_ms": 500},
        {"window_ms": 10},
        {"batch_size": 0},
        {"margin_ms": -1},
        {"hotwords_length": -1},
    ],
)
def test_options_that_make_no_sense_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"not a|at least"):
        SpeechOptions(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_notice_has_its_text(language: Language) -> None:
    data = {"size": "2", "language": "es", "heard": "fr", "expected": "en"}
    for code in (
        "none",
        "hole",
        "doubtful",
        "other_language",
        "language_heard",
        "language_unnamed",
        "smaller_batch",
        "moved_to_cpu",
    ):
        assert message(f"speech.{code}", language, **data)


@st.composite
def stretches(draw: st.DrawFn) -> list[Stretch]:
    """Speech in order, apart, none longer than a window."""
    part = st.tuples(st.integers(0, 5_000), st.integers(1, 20_000), st.sampled_from(["en", "fr"]))
    at, found = 0, []
    for pause, length, language in draw(st.lists(part, max_size=20)):
        found.append(stretch(at + pause, at + pause + length, language))
        at = found[-1].end_ms
    return found


@given(stretches())
def test_windows_hold_all_speech_in_its_language_none_too_long_none_sharing_sound(speech: list[Stretch]) -> None:
    length_ms = speech[-1].end_ms if speech else 0
    windows = pack(speech, span(0, length_ms), 29_000, OPTIONS)
    assert all(0 <= one.start_ms <= one.end_ms <= length_ms and one.duration_ms <= 30_000 for one in windows)
    assert all(one.end_ms <= two.start_ms for one, two in pairwise(windows))
    for part in speech:
        (holder,) = [one for one in windows if one.overlap_ms(part)]
        assert holder.overlap_ms(part) == part.duration_ms
        assert holder.language == part.language


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 500)), max_size=30), st.integers(0, 3_000))
def test_tidied_words_are_in_order_apart_at_least_20_ms_and_in_the_recording(
    times: list[tuple[int, int]], length_ms: int
) -> None:
    words = [word(f"w{place}", start, start + length) for place, (start, length) in enumerate(times)]
    placed = tidy(words, length_ms)
    assert len(placed) == min(len(words), length_ms // 20)
    assert len({one.text for one in placed}) == len(placed)
    assert all(one.duration_ms >= 20 and one.end_ms <= length_ms for one in placed)
    assert all(one.end_ms <= two.start_ms for one, two in pairwise(placed))
