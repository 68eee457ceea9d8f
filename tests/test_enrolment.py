"""Voices that may be recognised: kept apart, deleted for good, and never guessed at."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.audio import decode_audio
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from models.whisper import WhisperRecognizer
from pipeline.details import Details
from pipeline.enrolment import (
    EnrolledVoice,
    embedding_model,
    enrol,
    enrolled_for,
    read_enrolled,
    recognise_voices,
    remove,
    voice_of,
)
from pipeline.errors import RecordingRejected
from pipeline.ports import Clip, Diarizer, Waveform, no_progress
from pipeline.render.json import read_transcript
from pipeline.s3 import S3Store
from pipeline.serial import to_json
from pipeline.speakers import attribute, diarize
from pipeline.stages import ProcessOptions
from pipeline.types import (
    Bilingual,
    Diarization,
    ModelUse,
    Recognition,
    Session,
    SpeakerCount,
    SpeakerSpan,
    Voiceprint,
    Word,
)
from tests.test_process import OPTIONS, RealEngines, go, take

CLIPS = Path(__file__).parent / "data"
MODELS = (
    ModelUse(name="segments", revision="1", sha256="0" * 64),
    ModelUse(name="voices", revision="1", sha256="1" * 64),
)


def at(degrees: float) -> tuple[float, ...]:
    """Return a direction in a plane: the cosine of two is told by the angle between."""
    return (float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees))))


def person(name: str, degrees: float, *, programme: str = "Data", model: str = "1" * 64) -> EnrolledVoice:
    return EnrolledVoice(
        name=name,
        programme=programme,
        consent="herself, 2026-11-21, by e-mail",
        enrolled_on=dt.date(2026, 11, 21),
        model=model,
        vector=at(degrees),
    )


def heard(*degrees: float, each_ms: int = 10_000) -> Diarization:
    spans = tuple(
        SpeakerSpan(start_ms=number * each_ms, end_ms=(number + 1) * each_ms, speaker=f"V{number}")
        for number in range(len(degrees))
    )
    voices = tuple(Voiceprint(speaker=f"V{number}", vector=at(angle)) for number, angle in enumerate(degrees))
    return Diarization(spans=spans, exclusive=spans, models=MODELS, voices=voices)


ANNA, BEN = person("Anna Roy", 0), person("Ben Caron", 90)


def test_a_voice_near_one_person_gets_their_name_and_the_others_none() -> None:
    assert recognise_voices(heard(10, 180), (ANNA, BEN)) == (("V0", "Anna Roy"),)


@pytest.mark.parametrize(
    ("degrees", "known"),
    [
        ((60,), (ANNA,)),
        ((10,), (ANNA, person("Annie Roy", 20))),
        ((10, -15), (ANNA,)),
        ((10,), ()),
        ((10,), (person("Anna Roy", 0, model="2" * 64),)),
        ((), (ANNA,)),
    ],
    ids=["too far", "two people alike", "two voices alike", "nobody known", "other weights", "nobody heard"],
)
def test_in_doubt_nobody_is_named(degrees: tuple[float, ...], known: tuple[EnrolledVoice, ...]) -> None:
    assert recognise_voices(heard(*degrees), known) == ()


def test_a_voice_heard_for_a_moment_is_not_named() -> None:
    assert recognise_voices(heard(0, each_ms=3_000), (ANNA,)) == ()


@given(st.lists(st.floats(0, 360), max_size=6), st.lists(st.floats(0, 360), max_size=6))
def test_no_person_is_two_voices_and_no_voice_two_people(voices: list[float], people: list[float]) -> None:
    known = tuple(person(f"Person {number}", angle) for number, angle in enumerate(people))
    found = recognise_voices(heard(*voices), known)
    assert len({label for label, _ in found}) == len({name for _, name in found}) == len(found)


def test_the_stage_names_voices_and_passes_on_no_voiceprint() -> None:
    class Known:
        models = MODELS

        def diarize(self, waveform: Waveform, *, count: SpeakerCount, progress: object) -> Diarization:
            return heard(10, 180)

        def to_cpu(self) -> Known:
            return self

    session = Session(id="0" * 16, title=Bilingual.same("Talk"), languages=("en",))
    found = diarize(np.zeros(16_000, np.float32), session, Known(), no_progress, (ANNA,))
    assert found.voices == ()
    assert found.names == (("V0", "Anna Roy"),)
    assert b"vector" not in to_json(found)
    words = (word(1_000, "My"), word(1_500, "name's"), word(2_000, "Bob."), word(11_000, "Hello."))
    transcript = attribute(Recognition(words=words, speech=()), found, session)
    assert [(speaker.name, speaker.proposals) for speaker in transcript.speakers] == [("Anna Roy", ()), (None, ())]


def word(start_ms: int, text: str) -> Word:
    return Word(start_ms=start_ms, end_ms=start_ms + 300, text=text, probability=0.9, language="en")


def test_without_anybody_enrolled_the_stage_passes_on_no_voiceprint_either() -> None:
    class Anybody:
        models = MODELS

        def diarize(self, waveform: Waveform, *, count: SpeakerCount, progress: object) -> Diarization:
            return heard(10)

        def to_cpu(self) -> Anybody:
            return self

    session = Session(id="0" * 16, title=Bilingual.same("Talk"), languages=("en",))
    found = diarize(np.zeros(16_000, np.float32), session, Anybody())
    assert (found.voices, found.names) == ((), ())


def test_a_voice_is_kept_for_its_owner_alone_and_deleted_for_good(tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    enrol(folder, ANNA)
    enrol(folder, BEN)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not any("anna" in file.name.lower() for file in folder.iterdir())
    assert read_enrolled(folder) == (ANNA, BEN)
    assert remove(folder, "anna  ROY", "data")
    assert not remove(folder, "Anna Roy", "Data")
    assert read_enrolled(folder) == (BEN,)
    assert all(b"Anna" not in file.read_bytes() for file in folder.iterdir())


def test_a_name_is_the_same_whichever_apostrophe_was_typed(tmp_path: Path) -> None:
    enrol(tmp_path, person("Zoé D’Amours", 0, programme="L’avenir  des données"))
    (kept,) = enrolled_for(tmp_path, Bilingual(fr="L'avenir des données"))
    assert kept.name == "Zoé D’Amours"
    assert remove(tmp_path, "Zoé D'Amours", "L'avenir des données")
    assert not read_enrolled(tmp_path)


def test_a_second_clip_takes_the_place_of_the_first(tmp_path: Path) -> None:
    enrol(tmp_path, ANNA)
    again = replace(ANNA, vector=at(5))
    enrol(tmp_path, again)
    assert read_enrolled(tmp_path) == (again,)


def test_a_damaged_voice_is_passed_over(tmp_path: Path) -> None:
    enrol(tmp_path, ANNA)
    (tmp_path / "0.json").write_text(json.dumps({"name": "Anna Roy"}))
    assert read_enrolled(tmp_path) == (ANNA,)


def test_a_voice_is_looked_for_in_its_own_programme_only(tmp_path: Path) -> None:
    enrol(tmp_path, person("Anna Roy", 0, programme="Données"))
    assert enrolled_for(tmp_path, Bilingual(en="Data", fr="donnees"))
    assert not enrolled_for(tmp_path, Bilingual(en="Data", fr="Éthique"))
    assert not enrolled_for(tmp_path, None)
    assert not enrolled_for(None, Bilingual(fr="Données"))
    assert not enrolled_for(tmp_path / "nothing", Bilingual(fr="Données"))


@pytest.mark.parametrize("missing", ["name", "programme", "consent"])
def test_no_voice_is_kept_without_a_name_a_programme_and_a_consent(missing: str) -> None:
    with pytest.raises(ValueError, match="consent"):
        replace(ANNA, **{missing: " "})  # type: ignore[arg-type]


def test_what_tells_voices_apart_tells_nothing_of_them() -> None:
    assert ANNA.digest != replace(ANNA, vector=at(1)).digest
    assert len(ANNA.digest) == 64


def test_a_clip_must_hold_enough_of_one_voice_and_of_no_other() -> None:
    assert voice_of(heard(10)).vector == at(10)
    with pytest.raises(RecordingRejected, match="8"):
        voice_of(heard(10, each_ms=5_000))
    with pytest.raises(RecordingRejected):
        voice_of(heard(10, 90))
    with pytest.raises(RecordingRejected):
        voice_of(heard())


@pytest.mark.engines
def test_a_reader_is_recognised_among_four_and_a_stranger_is_not(diarizer: Diarizer) -> None:
    rows = [line.split() for line in (CLIPS / "en-four-voices.rttm").read_text().splitlines()]
    (start, length), *_, (last, last_length) = [(float(row[3]), float(row[4])) for row in rows]
    sound: Clip = decode_audio(str(CLIPS / "en-four-voices.ogg"))
    clip = sound[round(start * 16_000) : round((start + length) * 16_000)]
    of_clip = diarizer.diarize(clip, count=SpeakerCount(), progress=no_progress)
    (voice,) = of_clip.voices
    anna = replace(ANNA, model=embedding_model(of_clip), vector=voice.vector)
    session = Session(id="0" * 16, title=Bilingual.same("Talk"), languages=("en",))
    found = diarize(sound, session, diarizer, no_progress, (anna,))
    ((label, name),) = found.names
    first = max(
        found.exclusive, key=lambda span: span.overlap_ms(SpeakerSpan(start_ms=0, end_ms=9_000, speaker=""))
    ).speaker
    assert (label, name) == (first, "Anna Roy")
    stranger = sound[round(last * 16_000) : round((last + last_length) * 16_000)]
    assert diarize(stranger, session, diarizer, no_progress, (anna,)).names == ()


@pytest.mark.engines
def test_a_voice_is_named_in_what_is_published_and_kept_nowhere_else(
    tmp_path: Path, recognizer: WhisperRecognizer, diarizer: Diarizer, store: S3Store
) -> None:
    sound: Clip = decode_audio(str(CLIPS / "en-four-voices.ogg"))[: 16_000 * 21]
    wavfile.write(tmp_path / "talk.wav", 16_000, (sound * 32_000).astype(np.int16))
    of_clip = diarizer.diarize(sound[6_000:144_000], count=SpeakerCount(), progress=no_progress)
    (voice,) = of_clip.voices
    anna = replace(ANNA, model=embedding_model(of_clip), vector=voice.vector)
    enrol(tmp_path / "voices", anna)
    engines = RealEngines(recognizer, lambda: diarizer)
    details = Details(languages=("en",), programme="Data")
    allowed = replace(OPTIONS, voices=tmp_path / "voices")

    def names(options: ProcessOptions) -> list[str | None]:
        go(take(tmp_path / "talk.wav"), tmp_path / "work", engines, store, details, options)
        return [
            speaker.name for speaker in read_transcript((tmp_path / "work" / "transcript.en.json").read_text()).speakers
        ]

    assert names(OPTIONS) == [None, None]
    assert names(allowed) == ["Anna Roy", None]
    secret = str(anna.vector[0])[:9].encode()
    assert secret in next((tmp_path / "voices").iterdir()).read_bytes()
    for file in (tmp_path / "work").rglob("*"):
        assert file.is_dir() or secret not in file.read_bytes()
    for each in store.list(""):
        found = store.read(each.key)
        assert found is not None
        assert secret not in found[0]
    assert remove(tmp_path / "voices", "Anna Roy", "Data")
    assert names(allowed) == [None, None]
