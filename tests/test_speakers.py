"""Words to voices, and what becomes of a session whose voices cannot be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DiarizationFailed, OutOfMemory
from pipeline.ports import Progress, Waveform, no_progress
from pipeline.speakers import SpeakerOptions, attribute, diarize, overlaps, speaker_label, without_speakers
from pipeline.types import (
    Bilingual,
    Diarization,
    Language,
    ModelUse,
    Notice,
    Person,
    Recognition,
    Session,
    Span,
    Speaker,
    SpeakerCount,
    SpeakerSpan,
    Transcript,
    Word,
)

SILENCE: Waveform = np.zeros(16_000, dtype=np.float32)
ANNA = Person(name="Anna Roy")
BEN = Person(name="Ben Caron")


def session(
    *, host: Person | None = None, guests: tuple[Person, ...] = (), count: SpeakerCount | None = None
) -> Session:
    return Session(
        id="0123456789abcdef",
        title=Bilingual.same("Talk"),
        languages=("en",),
        host=host,
        guests=guests,
        speaker_count=count or SpeakerCount(),
    )


def voice(name: str, start_ms: int, end_ms: int) -> SpeakerSpan:
    return SpeakerSpan(start_ms=start_ms, end_ms=end_ms, speaker=name)


def diarization(*exclusive: SpeakerSpan, spans: tuple[SpeakerSpan, ...] | None = None) -> Diarization:
    return Diarization(spans=exclusive if spans is None else spans, exclusive=exclusive)


def word(text: str, start_ms: int, end_ms: int) -> Word:
    return Word(start_ms=start_ms, end_ms=end_ms, text=text, probability=0.9, language="en")


def talk(text: str, start_ms: int = 0, each_ms: int = 200, gap_ms: int = 50) -> tuple[Word, ...]:
    return tuple(
        word(one, start_ms + i * (each_ms + gap_ms), start_ms + i * (each_ms + gap_ms) + each_ms)
        for i, one in enumerate(text.split())
    )


def heard(*words: Word) -> Recognition:
    return Recognition(words=words, speech=())


def lines(transcript: Transcript) -> list[tuple[str | None, str]]:
    return [(turn.speaker, turn.text) for turn in transcript.turns]


class Voices:
    """A diarizer that does as it is told: gives, or fails, on the GPU and then on the CPU."""

    def __init__(self, *outcomes: Diarization | Exception, device: str = "cuda") -> None:
        self.outcomes = list(outcomes)
        self.models = (ModelUse(name="voices", revision="1", sha256="0" * 64, device=device),)
        self.counts: list[SpeakerCount] = []

    def diarize(self, waveform: Waveform, *, count: SpeakerCount, progress: Progress) -> Diarization:
        self.counts.append(count)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        progress(1.0)
        return outcome

    def to_cpu(self) -> Voices:
        return self


NO_MEMORY = OutOfMemory("speakers.out_of_memory", {"device": "CUDA"})
BROKEN = DiarizationFailed("speakers.engine_failed", {"detail": "broken"})


def test_each_word_goes_to_the_voice_heard_longest_during_it() -> None:
    words = (word("one", 0, 400), word("two", 400, 800), word("three", 800, 1200))
    found = attribute(heard(*words), diarization(voice("b", 0, 500), voice("a", 500, 1200)), session())
    assert lines(found) == [("S1", "one"), ("S2", "two three")]


def test_speakers_are_numbered_in_order_of_first_word() -> None:
    found = attribute(
        heard(*talk("Hello."), *talk("Bye.", start_ms=2000)),
        diarization(voice("Z", 0, 500), voice("A", 2000, 2500)),
        session(),
    )
    assert [speaker.key for speaker in found.speakers] == ["S1", "S2"]
    assert lines(found) == [("S1", "Hello."), ("S2", "Bye.")]


def test_a_word_beside_a_voice_goes_to_it_but_not_one_far_from_any() -> None:
    words = (word("near", 1000, 1200), word("far", 9000, 9200))
    found = attribute(heard(*words), diarization(voice("a", 0, 900)), session())
    assert lines(found) == [("S1", "near"), (None, "far")]


def test_a_change_of_voice_a_word_late_moves_to_the_sentence_end() -> None:
    words = talk("that is all. Thank you very much")
    found = attribute(heard(*words), diarization(voice("a", 0, 940), voice("b", 960, 2000)), session())
    assert lines(found) == [("S1", "that is all."), ("S2", "Thank you very much")]


def test_a_change_of_voice_a_word_early_moves_to_the_sentence_end() -> None:
    words = talk("that is all now. Thank you very much")
    found = attribute(heard(*words), diarization(voice("a", 0, 700), voice("b", 700, 3000)), session())
    assert lines(found) == [("S1", "that is all now."), ("S2", "Thank you very much")]


def test_a_change_of_voice_far_from_any_break_stays() -> None:
    words = talk("so I would say that no you would not")
    found = attribute(heard(*words), diarization(voice("a", 0, 1220), voice("b", 1230, 3000)), session())
    assert lines(found) == [("S1", "so I would say that"), ("S2", "no you would not")]


def test_a_word_in_the_middle_of_somebody_elses_sentence_does_not_tear_it_apart() -> None:
    words = talk("I think yes that this works")
    found = attribute(
        heard(*words), diarization(voice("a", 0, 480), voice("b", 490, 720), voice("a", 730, 2000)), session()
    )
    assert lines(found) == [("S1", "I think yes that this works")]


def test_a_stray_beside_a_stray_is_not_taken_for_the_sentence_around_it() -> None:
    spans = (voice("a", 0, 700), voice("b", 740, 960), voice("a", 990, 1210), voice("b", 1240, 3000))
    found = attribute(heard(*talk("we all saw that it went on")), diarization(*spans), session())
    assert lines(found) == [("S1", "we all saw that it"), ("S2", "went on")]


def test_a_word_between_words_that_nobody_said_keeps_its_voice() -> None:
    words = (*talk("far off"), *talk("near", start_ms=5_000), *talk("far again", start_ms=10_000))
    found = attribute(heard(*words), diarization(voice("a", 5_000, 5_200)), session())
    assert lines(found) == [(None, "far off"), ("S1", "near"), (None, "far again")]


def test_two_changes_do_not_meet_at_one_break() -> None:
    words = talk("one two three four five. six seven eight nine")
    spans = (voice("a", 0, 960), voice("b", 990, 1480), voice("a", 1490, 3000))
    assert lines(attribute(heard(*words), diarization(*spans), session())) == [
        ("S1", "one two three four five."),
        ("S2", "six"),
        ("S1", "seven eight nine"),
    ]


def test_an_answer_of_one_word_keeps_its_turn() -> None:
    words = (*talk("Is it done?"), *talk("Yes.", start_ms=1500), *talk("Then we go on.", start_ms=2500))
    found = attribute(
        heard(*words), diarization(voice("a", 0, 800), voice("b", 1500, 1700), voice("a", 2500, 4000)), session()
    )
    assert lines(found) == [("S1", "Is it done?"), ("S2", "Yes."), ("S1", "Then we go on.")]


@pytest.mark.parametrize("answer", ["yes,", "Mm-hm", "Oui…", "d’accord,", "OK"])
def test_an_answer_thrown_in_and_set_apart_stays_its_voices(answer: str) -> None:
    words = (*talk("so we measured"), *talk(answer, start_ms=1100), *talk("it again", start_ms=1700))
    voices = diarization(voice("a", 0, 800), voice("b", 1050, 1350), voice("a", 1650, 2300))
    assert lines(attribute(heard(*words), voices, session())) == [
        ("S1", "so we measured"),
        ("S2", answer),
        ("S1", "it again"),
    ]


def test_any_other_word_between_pauses_stays_in_its_sentence() -> None:
    words = (*talk("the fifteenth century"), *talk("may", start_ms=1100), *talk("justly be", start_ms=1700))
    voices = diarization(voice("a", 0, 800), voice("b", 1050, 1350), voice("a", 1650, 2300))
    assert lines(attribute(heard(*words), voices, session())) == [("S1", "the fifteenth century may justly be")]


def test_an_answer_takes_no_word_of_the_sentence_with_it() -> None:
    words = (*talk("infection"), *talk("Absolutely of others.", start_ms=600))
    voices = diarization(voice("a", 0, 400), voice("b", 590, 1080), voice("a", 1090, 1400))
    assert lines(attribute(heard(*words), voices, session())) == [
        ("S1", "infection"),
        ("S2", "Absolutely"),
        ("S1", "of others."),
    ]


def test_a_turn_goes_on_over_pauses_and_languages() -> None:
    french = Word(start_ms=60_000, end_ms=60_300, text="Bonjour", probability=0.9, language="fr")
    found = attribute(heard(*talk("Hello there"), french), diarization(voice("a", 0, 61_000)), session())
    assert lines(found) == [("S1", "Hello there Bonjour")]


def test_words_are_flagged_where_two_voices_are_heard() -> None:
    spans = (voice("a", 0, 1000), voice("b", 450, 900))
    found = attribute(heard(*talk("one two three four")), diarization(voice("a", 0, 1000), spans=spans), session())
    assert [one.overlapped for one in found.words] == [False, False, True, True]


def test_one_voice_over_itself_is_no_overlap() -> None:
    assert overlaps([voice("a", 0, 1000), voice("a", 500, 1500)]) == ()


def test_voices_that_only_touch_do_not_overlap() -> None:
    assert overlaps([voice("a", 0, 1000), voice("b", 1000, 1500)]) == ()


def test_three_voices_at_once_are_one_overlap() -> None:
    found = overlaps([voice("a", 0, 1000), voice("b", 200, 800), voice("c", 500, 1200)])
    assert found == (Span(start_ms=200, end_ms=1000),)


def test_without_voices_turns_have_no_speaker_and_end_at_long_pauses() -> None:
    words = (*talk("first part"), *talk("second part", start_ms=5000))
    found = attribute(heard(*words), without_speakers(), session())
    assert lines(found) == [(None, "first part"), (None, "second part")]
    assert found.speakers == ()
    assert [notice.code for notice in found.notices] == ["speakers.failed"]


def test_without_voices_a_long_monologue_is_cut_at_a_sentence_end() -> None:
    options = SpeakerOptions(paragraph_ms=1000)
    found = attribute(heard(*talk("a b c d e f. g h i j")), diarization(), session(), options=options)
    assert lines(found) == [(None, "a b c d e f."), (None, "g h i j")]


def test_no_words_give_no_turns() -> None:
    found = attribute(heard(), diarization(voice("a", 0, 900)), session(), duration_ms=60_000)
    assert (found.turns, found.speakers, found.duration_ms) == ((), (), 60_000)


def test_the_transcript_is_as_long_as_what_is_heard_in_it() -> None:
    assert attribute(heard(word("end", 900, 1200)), diarization(), session()).duration_ms == 1200


def test_notices_of_both_stages_are_kept() -> None:
    recognition = Recognition(words=(), speech=(), notices=(Notice(code="speech.none"),))
    found = attribute(recognition, without_speakers(), session())
    assert [notice.code for notice in found.notices] == ["speech.none", "speakers.failed"]


@pytest.mark.parametrize(
    ("host", "guests", "names"),
    [
        (ANNA, (), ["Anna Roy"]),
        (None, (BEN,), ["Ben Caron"]),
        (ANNA, (BEN,), [None]),
        (ANNA, (ANNA,), ["Anna Roy"]),
        (None, (), [None]),
    ],
)
def test_one_voice_is_named_when_one_person_is_announced(
    host: Person | None, guests: tuple[Person, ...], names: list[str | None]
) -> None:
    found = attribute(heard(*talk("Hello")), diarization(voice("a", 0, 900)), session(host=host, guests=guests))
    assert [speaker.name for speaker in found.speakers] == names


def test_two_voices_are_not_named_after_one_person() -> None:
    words = (*talk("Hello."), *talk("Bye.", start_ms=2000))
    voices = diarization(voice("a", 0, 500), voice("b", 2000, 2500))
    found = attribute(heard(*words), voices, session(host=ANNA))
    assert [speaker.name for speaker in found.speakers] == [None, None]


@pytest.mark.parametrize(("language", "label"), [("en", "Speaker 12"), ("fr", "Intervenant 12")])
def test_an_unnamed_speaker_has_a_label_in_the_readers_language(language: Language, label: str) -> None:
    assert speaker_label(Speaker(key="S12"), language) == label


WORDS = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.integers(0, 600),
        st.sampled_from(["so", "yes.", "Why?", "oui", "oui,", "mm-hm", "bien", "sûr"]),
    ),
    max_size=40,
)
VOICES = st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 3000), st.sampled_from("abc")), max_size=20)


@given(WORDS, VOICES, VOICES)
def test_every_word_is_in_the_transcript_once_and_in_order(
    steps: list[tuple[int, int, str]], exclusive: list[tuple[int, int, str]], others: list[tuple[int, int, str]]
) -> None:
    words, at = [], 0
    for gap, length, text in steps:
        words.append(word(text, at + gap, at + gap + length))
        at += gap + length
    alone, at = [], 0
    for gap, length, name in exclusive:
        alone.append(voice(name, at + gap, at + gap + length))
        at += gap + length
    more = tuple(voice(name, start, start + length) for start, length, name in others)
    found = attribute(heard(*words), diarization(*alone, spans=(*alone, *more)), session())

    assert [(one.start_ms, one.end_ms, one.text) for one in found.words] == [
        (one.start_ms, one.end_ms, one.text) for one in words
    ]
    assert [speaker.key for speaker in found.speakers] == [f"S{n}" for n in range(1, len(found.speakers) + 1)]
    first = list(dict.fromkeys(turn.speaker for turn in found.turns if turn.speaker))
    assert first == [speaker.key for speaker in found.speakers]
    neighbours = zip(found.turns, found.turns[1:], strict=False)
    assert all(a.speaker != b.speaker or a.speaker is None for a, b in neighbours)


def test_every_word_of_a_very_long_session_keeps_its_place() -> None:
    words = tuple(word("w", i * 300, i * 300 + 250) for i in range(60_000))
    voices = tuple(voice(f"v{i % 7}", i * 900, i * 900 + 900) for i in range(20_000))
    found = attribute(heard(*words), diarization(*voices), session())
    assert len(found.words) == 60_000


def test_the_sessions_number_of_voices_reaches_the_engine() -> None:
    voices = Voices(diarization(voice("a", 0, 900)))
    diarize(SILENCE, session(count=SpeakerCount(least=1, most=3)), voices)
    assert voices.counts == [SpeakerCount(least=1, most=3)]


def test_a_failing_engine_gives_no_speakers_and_says_so() -> None:
    found = diarize(SILENCE, session(), Voices(BROKEN))
    assert (found.spans, found.exclusive, found.models) == ((), (), ())
    assert found.notices == (Notice(code="speakers.failed"),)


def test_a_full_gpu_is_answered_by_the_cpu() -> None:
    found = diarize(SILENCE, session(), Voices(NO_MEMORY, diarization(voice("a", 0, 900))))
    assert found.exclusive == (voice("a", 0, 900),)
    assert [notice.code for notice in found.notices] == ["speakers.moved_to_cpu"]


def test_a_full_gpu_and_a_full_cpu_give_no_speakers() -> None:
    found = diarize(SILENCE, session(), Voices(NO_MEMORY, NO_MEMORY))
    assert [notice.code for notice in found.notices] == ["speakers.failed"]


def test_a_full_cpu_is_not_tried_twice() -> None:
    voices = Voices(NO_MEMORY, diarization(), device="cpu")
    assert [notice.code for notice in diarize(SILENCE, session(), voices).notices] == ["speakers.failed"]
    assert len(voices.counts) == 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (SpeakerCount(exact=3), "3"),
        (SpeakerCount(least=3), "at least 3"),
        (SpeakerCount(most=1), "at most 1"),
        (SpeakerCount(least=3, most=4), "3 to 4"),
    ],
)
def test_another_number_of_voices_than_announced_is_told(count: SpeakerCount, expected: str) -> None:
    voices = Voices(diarization(voice("a", 0, 900), voice("b", 900, 1000)))
    found = diarize(SILENCE, session(count=count), voices)
    assert found.notices == (Notice(code="speakers.count_unmet", data=(("expected", expected), ("found", "2"))),)


@pytest.mark.parametrize("count", [SpeakerCount(), SpeakerCount(exact=2), SpeakerCount(least=1, most=2)])
def test_the_announced_number_of_voices_needs_no_notice(count: SpeakerCount) -> None:
    voices = Voices(diarization(voice("a", 0, 900), voice("b", 900, 1000)))
    assert diarize(SILENCE, session(count=count), voices, no_progress).notices == ()


@pytest.mark.parametrize(
    "wrong",
    [{"tolerance_ms": -1}, {"boundary_words": -1}, {"stray_words": -1}, {"overlapped_share": 0.0}],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"at least 0|share"):
        SpeakerOptions(**wrong)  # type: ignore[arg-type]
