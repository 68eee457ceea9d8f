"""The whole way on real engines and a real store: published, resumed, lowered for want of something, never lost."""

from __future__ import annotations

import hashlib
import json
import wave
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeVar

import numpy as np
import pysubs2
import pytest
import webvtt

from config.caption_rules import load_all
from models.whisper import WhisperRecognizer
from pipeline.details import Details, session_for
from pipeline.enrolment import EnrolledVoice
from pipeline.errors import DiarizationFailed, RecordingRejected, WeightsUnavailable
from pipeline.ffmpeg import MediaLimits
from pipeline.media import read_waveform
from pipeline.ports import Diarizer, Progress, Waveform
from pipeline.process import process
from pipeline.realign import realign
from pipeline.render.json import read_transcript
from pipeline.s3 import S3Store
from pipeline.speakers import SpeakerOptions, diarize
from pipeline.speech import SpeechOptions, recognize
from pipeline.stages import HearingStage, ProcessOptions, Stage, Work, checkpointed
from pipeline.types import (
    AudioFile,
    Diarization,
    ModelUse,
    Publication,
    Recognition,
    Recording,
    Session,
    SpeakerCount,
    Transcript,
)
from pipeline.verification import verify
from tests.clips import cut
from tests.pages import in_passage

T = TypeVar("T")

SAMPLES = Path(__file__).parent.parent / "samples"
OPTIONS = ProcessOptions(media=MediaLimits(), speech=SpeechOptions(), speakers=SpeakerOptions(), captions=load_all())


class RealEngines:
    """The default engines, with a diarizer to choose."""

    def __init__(self, recognizer: WhisperRecognizer, diarizer: Callable[[], Diarizer]) -> None:
        self._recognizer = recognizer
        self._diarizer = diarizer

    @property
    def identity(self) -> tuple[object, ...]:
        return ("real",)

    def turn(self, stage: HearingStage) -> AbstractContextManager[None]:
        return nullcontext()

    def recognize(self, audio: AudioFile, session: Session, options: SpeechOptions, progress: Progress) -> Recognition:
        return recognize(read_waveform(audio), session, self._recognizer, options, progress)

    def diarize(
        self, audio: AudioFile, session: Session, known: Sequence[EnrolledVoice], progress: Progress
    ) -> Diarization:
        return diarize(read_waveform(audio), session, self._diarizer(), progress, known)

    def align(self, audio: AudioFile, transcript: Transcript, progress: Progress) -> Transcript:
        return realign(transcript, read_waveform(audio), self._recognizer, progress)


class BrokenDiarizer:
    """A diarizer that fails as a real one does."""

    models = (ModelUse(name="broken", revision="1", sha256="0" * 64),)

    def diarize(self, waveform: Waveform, *, count: SpeakerCount, progress: Progress) -> Diarization:
        raise DiarizationFailed("speakers.engine_failed", {"detail": "invented"})

    def to_cpu(self) -> BrokenDiarizer:
        return self


@pytest.fixture
def engines(recognizer: WhisperRecognizer, diarizer: Diarizer) -> RealEngines:
    return RealEngines(recognizer, lambda: diarizer)


def take(path: Path) -> Recording:
    return Recording(
        path=path, name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size=path.stat().st_size
    )


def at_work(
    recording: Recording, folder: Path, engines: RealEngines, store: S3Store, options: ProcessOptions = OPTIONS
) -> Work:
    return Work(
        recording=recording,
        folder=folder,
        engines=engines,
        open_store=lambda: store,
        options=options,
        run=checkpointed(folder / "finished"),
    )


def go(
    recording: Recording,
    folder: Path,
    engines: RealEngines,
    store: S3Store,
    details: Details,
    options: ProcessOptions = OPTIONS,
) -> Publication:
    folder.mkdir(exist_ok=True)
    work = at_work(recording, folder, engines, store, options)
    return process(work, session_for(recording, details), complete=lambda tags: session_for(recording, details, tags))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Two French voices, 15 s."""
    path = tmp_path_factory.mktemp("clip") / "clip.flac"
    cut(SAMPLES / "fr" / "cinq_voix.flac", path, start_s=21, length_s=15)
    return take(path)


FRENCH = Details(languages=("fr",), title="Deux voix")


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """What came of the clip when it was processed for the first time.

    Attributes:
        publication: What was published.
        folder: Where it was worked on.
        told: Every share that was told of a stage.
    """

    publication: Publication
    folder: Path
    told: tuple[tuple[Stage, float], ...]


@pytest.fixture(scope="module")
def first(
    clip: Recording,
    recognizer: WhisperRecognizer,
    diarizer: Diarizer,
    shared_store: S3Store,
    tmp_path_factory: pytest.TempPathFactory,
) -> First:
    """Process the clip once, for tests that change nothing of what came of it."""
    folder = tmp_path_factory.mktemp("first")
    told: list[tuple[Stage, float]] = []
    work = at_work(clip, folder, RealEngines(recognizer, lambda: diarizer), shared_store)
    run = checkpointed(folder / "finished", lambda stage, share: told.append((stage, share)))
    publication = process(
        replace(work, run=run),
        session_for(clip, FRENCH),
        complete=lambda tags: session_for(clip, FRENCH, tags),
    )
    return First(publication=publication, folder=folder, told=tuple(told))


class _Words(HTMLParser):
    """Reads the words of a page's transcript."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        # What has no end of its own ends with what it stands in.
        while self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if in_passage(self._open):
            self.words += data.split()


def body(store: S3Store, publication: Publication, name: str) -> str:
    found = store.read(f"sessions/{publication.session_id}/{publication.revision}/{name}")
    assert found is not None
    return found[0].decode()


def test_a_recording_is_published_whole_and_every_word_is_everywhere_once_and_in_order(
    first: First, shared_store: S3Store
) -> None:
    publication, store = first.publication, shared_store
    assert verify(publication.session_id, store, thorough=True) == ()
    transcript = read_transcript(body(store, publication, "transcript.fr.json"))
    words = [word.text for word in transcript.words]
    assert len(words) > 20
    assert {word.language for word in transcript.words} == {"fr"}
    assert len(transcript.speakers) == 2
    vtt = webvtt.from_string(body(store, publication, "captions.fr.vtt"))
    labels = {f"{label} :" for label in ("Intervenant 1", "Intervenant 2")}
    assert without_labels(" ".join(caption.text for caption in vtt.captions), labels) == words
    srt = pysubs2.SSAFile.from_string(body(store, publication, "captions.fr.srt"), "srt")
    assert without_labels(" ".join(event.plaintext for event in srt), labels) == words
    page = store.read(f"sessions/{publication.session_id}/en.html")
    assert page is not None
    reader = _Words()
    reader.feed(page[0].decode())
    assert reader.words == words


def without_labels(text: str, labels: set[str]) -> list[str]:
    for label in labels:
        text = text.replace(label.replace(" :", "\u00a0:"), " ").replace(label, " ")
    return text.split()


def test_a_rerun_writes_nothing_and_another_machine_makes_the_same_bytes(
    clip: Recording, first: First, tmp_path: Path, engines: RealEngines, shared_store: S3Store
) -> None:
    again = go(clip, first.folder, engines, shared_store, FRENCH)
    elsewhere = go(clip, tmp_path / "elsewhere", engines, shared_store, FRENCH)
    assert first.publication.written > 0
    assert again.written == elsewhere.written == 0
    assert first.publication.revision == again.revision == elsewhere.revision


def test_new_details_make_a_new_revision_without_listening_again(
    clip: Recording, tmp_path: Path, engines: RealEngines, store: S3Store
) -> None:
    first = go(clip, tmp_path / "a", engines, store, FRENCH)
    heard = (tmp_path / "a" / "finished" / "speech.json").stat().st_mtime_ns
    burning = replace(OPTIONS, burned_in=True)
    second = go(clip, tmp_path / "a", engines, store, replace(FRENCH, title="Le tigre et la voiture"), burning)
    assert dict(second.files).keys() - dict(first.files).keys() == {"video.burned-in.mp4"}
    assert first.revision.startswith("r1-")
    assert second.revision.startswith("r2-")
    assert (tmp_path / "a" / "finished" / "speech.json").stat().st_mtime_ns == heard


@pytest.mark.parametrize("when", ["opening", "running"])
def test_without_a_diarizer_the_transcript_is_published_and_says_so_and_the_next_try_has_speakers(
    when: str, clip: Recording, tmp_path: Path, engines: RealEngines, recognizer: WhisperRecognizer, store: S3Store
) -> None:
    def broken() -> Diarizer:
        if when == "opening":
            raise WeightsUnavailable("models.unavailable", {"model": "campplus", "tried_en": "", "tried_fr": ""})
        return BrokenDiarizer()

    lowered = RealEngines(recognizer, broken)
    publication = go(clip, tmp_path / "a", lowered, store, FRENCH)
    transcript = read_transcript(body(store, publication, "transcript.fr.json"))
    assert len(transcript.words) > 20
    assert transcript.speakers == ()
    assert "speakers.failed" in {notice.code for notice in transcript.notices}
    mended = go(clip, tmp_path / "a", engines, store, FRENCH)
    assert len(read_transcript(body(store, mended, "transcript.fr.json")).speakers) == 2


def test_a_recording_in_which_nobody_speaks_is_published_as_such_or_set_aside(
    tmp_path: Path, engines: RealEngines, store: S3Store
) -> None:
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes((np.random.default_rng(1).normal(0, 30, 80_000)).astype(np.int16).tobytes())
    recording = take(path)
    publication = go(recording, tmp_path / "a", engines, store, FRENCH)
    assert read_transcript(body(store, publication, "transcript.fr.json")).words == ()
    # A microphone that was off is for the facilitator to see.
    assert "speech.none" in {note.code for note in publication.notes}
    assert body(store, publication, "captions.fr.vtt").startswith("WEBVTT")
    strict = replace(OPTIONS, without_speech="set_aside")
    with pytest.raises(RecordingRejected) as rejection:
        go(recording, tmp_path / "b", engines, store, FRENCH, strict)
    assert rejection.value.message("fr") != rejection.value.message("en")


def test_session_json_says_what_made_it(first: First, shared_store: S3Store) -> None:
    told = json.loads(body(shared_store, first.publication, "session.json"))
    assert told["provenance"]["tool"].startswith("tribune ")
    assert {model["name"] for model in told["provenance"]["models"]} == {"whisper-base", "segmentation-3.0", "campplus"}
    assert {timing["stage"] for timing in told["timings"]} == {"media", "speech", "speakers", "captions", "video"}
    assert dict(told["provenance"]["engines"])["ffmpeg"]


def test_progress_is_told_for_every_stage_in_order(first: First) -> None:
    stages = list(dict.fromkeys(stage for stage, _ in first.told))
    assert stages == ["media", "speech", "speakers", "captions", "video", "publish"]
    for stage in stages:
        shares = [share for name, share in first.told if name == stage]
        assert shares == sorted(shares)
        assert all(0 <= share <= 1 for share in shares)
