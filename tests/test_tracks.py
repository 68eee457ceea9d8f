"""A track for each person: who speaks is read off the levels, whatever microphones hear of the neighbours."""

from __future__ import annotations

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
from pipeline.errors import RecordingRejected
from pipeline.media import probe, read_waveform, stream_at, write_audio_file, write_mixed
from pipeline.ports import Clip, Diarizer
from pipeline.render.json import read_transcript
from pipeline.s3 import S3Store
from pipeline.tracks import who_spoke
from pipeline.types import Diarization, Recording, Span, SpeakerSpan, SpeakerTrack, TrackFile, Transcript
from tests.clips import LIMITS, beep, beeps_s, make, pictures
from tests.panels import Panel, tell
from tests.test_process import RealEngines, go, take

CLIPS = Path(__file__).parent / "data"
SECOND = 16_000


def talking(seconds: float, *when: tuple[float, float], level: float = 0.1) -> Clip:
    """Return a second-by-second noise of that level at some times, over a faint hiss."""
    noise = np.random.default_rng(7).normal(size=round(seconds * SECOND)).astype(np.float32)
    loud = np.full(len(noise), 0.0002, np.float32)
    for start, stop in when:
        loud[round(start * SECOND) : round(stop * SECOND)] = level
    found: Clip = noise * loud
    return found


def speech(*when: tuple[float, float]) -> tuple[Span, ...]:
    return tuple(Span(start_ms=round(start * 1000), end_ms=round(stop * 1000)) for start, stop in when)


def seconds(found: Diarization, name: str) -> list[tuple[float, float]]:
    label = next(label for label, own in found.names if own == name)
    return [
        (round(span.start_ms / 1000, 1), round(span.end_ms / 1000, 1)) for span in found.spans if span.speaker == label
    ]


def near(found: list[tuple[float, float]], expected: list[tuple[float, float]]) -> bool:
    return len(found) == len(expected) and bool(np.allclose(found, expected, atol=0.2))


@pytest.mark.parametrize("gain", [1.0, 0.4, 2.5])
def test_each_speaks_on_their_own_track_however_loud_and_bleed_is_nobody(gain: float) -> None:
    anna = talking(10, (0, 4)) + 0.1 * talking(10, (5, 9))
    ben = np.float32(gain) * (talking(10, (5, 9)) + np.float32(0.1) * talking(10, (0, 4)))
    found = who_spoke([("Anna Roy", anna), ("Ben Li", ben)], speech((0, 4), (5, 9)), 10_000)
    assert near(seconds(found, "Anna Roy"), [(0, 4)])
    assert near(seconds(found, "Ben Li"), [(5, 9)])


def test_who_says_nothing_is_not_heard_through_the_others_microphone() -> None:
    anna, silent = talking(10, (0, 8)), 0.1 * talking(10, (0, 8))
    found = who_spoke([("Anna Roy", anna), ("Zoé Côté", silent)], speech((0, 8)), 10_000)
    assert seconds(found, "Zoé Côté") == []
    assert dict(found.names)["T1"] == "Anna Roy"


@pytest.mark.parametrize("bleed_db", [-7, -10, -16])
def test_who_says_nothing_is_nobody_however_loud_the_neighbours_are_in_their_track(bleed_db: float) -> None:
    heard = np.float32(10 ** (bleed_db / 20))
    anna, ben = talking(20, (0, 8)), talking(20, (9, 19))
    tracks = [("Anna Roy", anna + heard * ben), ("Zoé Côté", heard * (anna + ben)), ("Ben Li", ben + heard * anna)]
    found = who_spoke(tracks, speech((0, 8), (9, 19)), 20_000)
    assert seconds(found, "Zoé Côté") == []
    assert near(seconds(found, "Anna Roy"), [(0, 8)])
    assert near(seconds(found, "Ben Li"), [(9, 19)])


def test_who_says_little_is_heard_and_is_nobody_for_the_rest() -> None:
    anna, ben = talking(60, (0, 56)), talking(60, (56, 59))
    tracks = [("Anna Roy", anna + np.float32(0.3) * ben), ("Ben Li", ben + np.float32(0.3) * anna)]
    found = who_spoke(tracks, speech((0, 59)), 60_000)
    assert near(seconds(found, "Anna Roy"), [(0, 56)])
    assert near(seconds(found, "Ben Li"), [(56, 59)])


def test_a_microphone_of_mere_hiss_is_nobody() -> None:
    hiss = 0.001 * np.random.default_rng(3).normal(size=10 * SECOND).astype(np.float32)
    quiet, loud = talking(10, (0, 1), (2, 3), level=0.01), talking(10, (4, 8))
    found = who_spoke([("Anna Roy", quiet + loud), ("Zoé Côté", hiss)], speech((0, 8)), 10_000)
    assert seconds(found, "Zoé Côté") == []


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("gains_db", [(0, 0, 0, 0), (-12, 0, -4, 0), (0, -12, 0, -12)])
@pytest.mark.parametrize("bleed_db", [-6, -10, -20])
def test_real_voices_on_a_panel_keep_their_words(bleed_db: float, gains_db: tuple[float, ...], silent: bool) -> None:
    rows = [line.split() for line in (CLIPS / "en-four-voices.rttm").read_text().splitlines()]
    starts = [(round(1000 * float(row[3])), round(1000 * float(row[4])), row[7]) for row in rows]
    turns = [SpeakerSpan(start_ms=start, end_ms=start + length, speaker=name) for start, length, name in starts]
    panel = Panel(bleed_db=bleed_db, gains_db=gains_db, silent=silent)
    told = tell(decode_audio(str(CLIPS / "en-four-voices.ogg")), turns, panel)
    assert told.wrong < 0.005
    assert told.right > 0.85
    assert bleed_db > -10 or told.together < 0.01


def test_two_at_once_are_both_heard_and_one_is_the_louder() -> None:
    found = who_spoke([("Anna Roy", talking(10, (0, 6))), ("Ben Li", talking(10, (4, 9)))], speech((0, 9)), 10_000)
    assert near(seconds(found, "Anna Roy"), [(0, 6)])
    assert near(seconds(found, "Ben Li"), [(4, 9)])
    assert sum(span.duration_ms for span in found.exclusive) <= 9_200


def test_two_tracks_may_be_one_persons() -> None:
    tracks = [("Anna Roy", talking(10, (0, 3))), ("Ben Li", talking(10, (4, 6))), ("Anna Roy", talking(10, (7, 9)))]
    found = who_spoke(tracks, speech((0, 9)), 10_000)
    assert near(seconds(found, "Anna Roy"), [(0, 3), (7, 9)])
    assert [name for _, name in found.names] == ["Anna Roy", "Ben Li"]


def test_a_noise_where_nobody_speaks_is_no_turn() -> None:
    found = who_spoke([("Anna Roy", talking(10, (0, 3), (6, 7)))], speech((0, 3)), 10_000)
    assert near(seconds(found, "Anna Roy"), [(0, 3)])


def test_tracks_of_another_length_are_told() -> None:
    found = who_spoke([("Anna Roy", talking(4, (0, 3)))], speech((0, 3)), 10_000)
    assert [notice.code for notice in found.notices] == ["speakers.tracks_uneven"]
    assert who_spoke([("Anna Roy", talking(9, (0, 3)))], speech((0, 3)), 10_000).notices == ()


LEVELS = st.lists(st.sampled_from([0.0, 0.0001, 0.01, 0.5]), max_size=12)


@given(st.lists(LEVELS, min_size=1, max_size=4), st.lists(st.booleans(), max_size=12))
def test_whatever_is_on_the_tracks_spans_are_in_order_within_the_recording(
    tracks: list[list[float]], heard: list[bool]
) -> None:
    sounds = [(f"P{number}", np.repeat(np.array(row, np.float32), 3_200)) for number, row in enumerate(tracks)]
    spoken = tuple(Span(start_ms=n * 200, end_ms=n * 200 + 200) for n, voice in enumerate(heard) if voice)
    found = who_spoke(sounds, spoken, 2_000)
    for spans in (found.spans, found.exclusive):
        assert all(0 <= span.start_ms < span.end_ms <= 2_000 for span in spans)
        assert list(spans) == sorted(spans, key=lambda span: span.start_ms)
    assert all(a.end_ms <= b.start_ms for a, b in zip(found.exclusive, found.exclusive[1:], strict=False))
    assert {span.speaker for span in found.spans} <= {label for label, _ in found.names}


def test_streams_are_mixed_on_the_clock_of_the_pictures(tmp_path: Path) -> None:
    late = ("-itsoffset", "1.5", *beep(2))
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:v", "mpeg4", "-c:a", "flac")
    path = make(tmp_path / "two.mkv", *pictures(8), *beep(1), *late, *maps)
    media = probe(path, LIMITS)
    mixed = write_mixed(media, media.audio, tmp_path / "mixed.mkv", LIMITS)
    assert mixed.video is not None
    assert len(mixed.audio) == 1
    heard = beeps_s(write_audio_file(mixed, mixed.audio[0], tmp_path / "mixed.wav", LIMITS))
    alone = [
        beeps_s(write_audio_file(media, stream, tmp_path / f"{stream.index}.wav", LIMITS))[0] for stream in media.audio
    ]
    assert heard == pytest.approx(alone, abs=0.03)
    assert heard == pytest.approx([1.0, 3.5], abs=0.05)
    with pytest.raises(RecordingRejected):
        stream_at(media, 2)


def test_a_mix_of_loud_streams_does_not_clip(tmp_path: Path) -> None:
    path = make(tmp_path / "two.mka", *beep(1), *beep(1), "-map", "0:a", "-map", "1:a", "-c:a", "flac")
    media = probe(path, LIMITS)
    mixed = write_mixed(media, media.audio, tmp_path / "mixed.mkv", LIMITS)
    sound = read_waveform(write_audio_file(mixed, mixed.audio[0], tmp_path / "mixed.wav", LIMITS))
    assert 0.9 < np.abs(sound[:]).max() <= 1.0
    assert mixed.video is None


class NoDiarizer:
    """Engines whose diarizer must not be asked."""

    def __call__(self) -> Diarizer:
        raise AssertionError("the diarizer was asked although each person has a track")


@pytest.fixture
def two_people(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Write the tracks of two readers, each hearing the other 20 dB quieter, and the mix of both."""
    sound: Clip = decode_audio(str(CLIPS / "en-four-voices.ogg"))[: round(21.8 * SECOND)]
    first, second = sound.copy(), sound.copy()
    first[round(9.5 * SECOND) :] *= 0.1
    second[: round(9.5 * SECOND)] *= 0.1
    paths = tmp_path / "anna.wav", tmp_path / "ben.wav", tmp_path / "talk.wav"
    both: Clip = (first + second) / np.float32(2)
    for path, waveform in zip(paths, [first, second, both], strict=True):
        wavfile.write(path, SECOND, (waveform * 32_000).astype(np.int16))
    return paths


def transcript(folder: Path) -> Transcript:
    return read_transcript((folder / "transcript.en.json").read_text())


def check(found: Transcript) -> None:
    names = [found.speaker(turn.speaker or "").name for turn in found.turns]
    assert names == ["Anna Roy", "Ben Li"]
    assert "capital letter" in found.turns[0].text
    assert "romantic" in found.turns[1].text


@pytest.mark.engines
def test_a_recording_with_a_stream_a_person_is_told_apart_by_its_streams(
    tmp_path: Path, two_people: tuple[Path, Path, Path], recognizer: WhisperRecognizer, store: S3Store
) -> None:
    inputs = [argument for path in two_people[:2] for argument in ("-i", str(path))]
    path = make(tmp_path / "talk.mka", *inputs, "-map", "0:a", "-map", "1:a", "-c:a", "flac")
    details = Details(
        languages=("en",),
        tracks=(SpeakerTrack(speaker="Anna Roy", stream=0), SpeakerTrack(speaker="Ben Li", stream=1)),
    )
    engines = RealEngines(recognizer, NoDiarizer())
    go(take(path), tmp_path / "work", engines, store, details)
    check(transcript(tmp_path / "work"))
    published = probe(tmp_path / "work" / "video.mp4", LIMITS)
    assert len(published.audio) == 1


@pytest.mark.engines
def test_files_beside_the_recording_tell_who_speaks_in_it(
    tmp_path: Path, two_people: tuple[Path, Path, Path], recognizer: WhisperRecognizer, store: S3Store
) -> None:
    anna, ben, talk = two_people
    tracks = tuple(TrackFile(path=path, name=path.name, sha256=take(path).sha256) for path in (anna, ben))
    recording: Recording = replace(take(talk), tracks=tracks)
    details = Details(
        languages=("en",),
        tracks=(SpeakerTrack(speaker="Anna Roy", file="anna.wav"), SpeakerTrack(speaker="Ben Li", file="BEN.wav")),
    )
    engines = RealEngines(recognizer, NoDiarizer())
    go(recording, tmp_path / "work", engines, store, details)
    check(transcript(tmp_path / "work"))
    ben.unlink()
    with pytest.raises(RecordingRejected) as gone:
        go(recording, tmp_path / "other", engines, store, details)
    assert gone.value.code == "media.track_gone"
