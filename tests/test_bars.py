"""The accuracy that Tribune promises with its default weights, measured on whole recordings."""

from __future__ import annotations

from pathlib import Path

import jiwer
import pytest
from faster_whisper.audio import decode_audio

from models.diarization import PyannoteDiarizer
from models.whisper import WhisperRecognizer
from pipeline.ports import no_progress
from pipeline.speech import recognize
from pipeline.types import Bilingual, Language, Session, SpeakerCount
from tests.benchmarks.data import read_rttm
from tests.benchmarks.speakers import components
from tests.benchmarks.words import NORMALIZERS

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
COUNCIL = Path(__file__).parent / "data" / "council.flac"

pytestmark = pytest.mark.engines


def diarization_errors(recording: Path, reference: Path, diarizer: PyannoteDiarizer) -> dict[str, float]:
    """Return each part of the error as a share of the speech, in per cent."""
    waveform = decode_audio(str(recording))
    found = diarizer.diarize(waveform, count=SpeakerCount(), progress=no_progress)
    parts = components(list(read_rttm(reference)), found, len(waveform) / 16_000)
    return {name: 100 * seconds / parts["total"] for name, seconds in parts.items()}


@pytest.mark.parametrize(
    ("language", "name", "most"), [("en", "six_voices", 10.0), ("fr", "cinq_voix", 32.0)], ids=["English", "French"]
)
def test_words_are_right(language: Language, name: str, most: float, recognizer: WhisperRecognizer) -> None:
    session = Session(id="0" * 16, title=Bilingual.same(name), languages=(language,), languages_given=True)
    heard = recognize(decode_audio(str(SAMPLES / language / f"{name}.flac")), session, recognizer)
    said = (SAMPLES / "references" / f"{name}.txt").read_text(encoding="utf-8")
    normalize = NORMALIZERS[language]
    wrong = 100 * jiwer.wer(normalize(said), normalize(" ".join(word.text for word in heard.words)))
    assert wrong <= most


@pytest.mark.parametrize(
    ("recording", "most"), [("en/six_voices", 2.0), ("fr/cinq_voix", 6.0)], ids=["English", "French"]
)
def test_voices_are_not_confused(recording: str, most: float, diarizer: PyannoteDiarizer) -> None:
    path = SAMPLES / f"{recording}.flac"
    errors = diarization_errors(path, SAMPLES / "references" / f"{path.stem}.rttm", diarizer)
    assert errors["confusion"] <= most


def test_a_real_council_of_nine_is_told_apart(diarizer: PyannoteDiarizer) -> None:
    errors = diarization_errors(COUNCIL, COUNCIL.with_suffix(".rttm"), diarizer)
    assert errors["confusion"] + errors["missed detection"] + errors["false alarm"] <= 3.0
