"""What was cut can be neither heard nor seen, and what is left is where its captions are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.cuts import Timeline
from pipeline.ffmpeg import file_url, find_programs, open_recording, run_ffmpeg
from pipeline.footage import write_cut
from pipeline.media import choose_audio, probe, read_waveform, write_audio_file
from pipeline.revisions import Cut
from pipeline.types import AudioFile, Media
from tests.clips import LIMITS, beep, beeps_s, make, pictures, session


def cut_out(source: Path, target: Path, *cuts: Cut) -> tuple[Media, AudioFile]:
    media = probe(source, LIMITS)
    timeline = Timeline(duration_ms=media.duration_ms, cuts=cuts)
    made = write_cut(media, choose_audio(media, session()), timeline, target, LIMITS)
    return made, write_audio_file(made, made.audio[0], target.with_suffix(".wav"), LIMITS)


def brightness(media: Media, folder: Path, at_s: float) -> tuple[float, float]:
    """Return how bright the picture at a moment is, and how much it varies."""
    raw = folder / "picture.raw"
    picture = open_recording(media.path, ss=f"{at_s:.3f}")["V:0"].filter("format", "gray")
    run_ffmpeg(picture.output(file_url(raw), f="rawvideo", **{"frames:v": 1}), LIMITS)
    seen = np.frombuffer(raw.read_bytes(), dtype=np.uint8)
    return float(seen.mean()), float(seen.std())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s of moving pictures with beeps at 1 s and 5 s."""
    tone = "if(between(t,1,1.1)+between(t,5,5.1),0.5*sin(1000*2*PI*t),0)"
    sound = ("-f", "lavfi", "-i", f"aevalsrc='{tone}|{tone}':s=44100:d=6")
    target = tmp_path_factory.mktemp("film") / "film.mp4"
    return make(target, *pictures(6), *sound, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")


def test_a_removed_passage_takes_its_sound_and_pictures_and_the_rest_moves_up(film: Path, tmp_path: Path) -> None:
    media, audio = cut_out(film, tmp_path / "cut.mkv", Cut(start_ms=500, end_ms=2_500, kind="remove"))
    assert abs(media.duration_ms - 4_000) <= 40
    assert media.video is not None
    assert beeps_s(audio) == [pytest.approx(3.0, abs=0.03)]
    # The pictures are those of two seconds later: the test picture counts its seconds.
    whole = probe(film, LIMITS)
    assert brightness(media, tmp_path, 2.0) == pytest.approx(brightness(whole, tmp_path, 4.0), abs=2.0)


def test_the_same_cuts_give_the_same_bytes(film: Path, tmp_path: Path) -> None:
    cuts = (
        Cut(start_ms=500, end_ms=900, kind="remove"),
        Cut(start_ms=2_000, end_ms=2_500, kind="mask", picture="blur"),
    )
    first, again = (cut_out(film, tmp_path / f"{number}.mkv", *cuts)[0].path.read_bytes() for number in (1, 2))
    assert first == again


def test_ends_can_be_trimmed(film: Path, tmp_path: Path) -> None:
    ends = (Cut(start_ms=0, end_ms=500, kind="remove"), Cut(start_ms=4_000, end_ms=9_000, kind="remove"))
    media, audio = cut_out(film, tmp_path / "cut.mkv", *ends)
    assert abs(media.duration_ms - 3_500) <= 40
    assert media.clock_zero_ms <= 20
    assert beeps_s(audio) == [pytest.approx(0.5, abs=0.03)]


def test_masks_hide_what_is_heard_and_seen_and_take_no_time(film: Path, tmp_path: Path) -> None:
    masks = (
        Cut(start_ms=900, end_ms=1_300, kind="mask", sound="silence", picture="black"),
        Cut(start_ms=4_900, end_ms=5_300, kind="mask", sound="tone", picture="blur"),
    )
    media, audio = cut_out(film, tmp_path / "cut.mkv", *masks)
    assert abs(media.duration_ms - 6_000) <= 40
    heard = np.abs(read_waveform(audio)[:])

    def level(at_s: float) -> float:
        return float(heard[int(at_s * 16_000) : int((at_s + 0.1) * 16_000)].max())

    assert level(1.0) < 0.01
    assert 0.05 < level(5.05) < 0.2
    assert 0.05 < level(5.18) < 0.2
    assert level(3.0) < 0.01
    whole = probe(film, LIMITS)
    assert brightness(media, tmp_path, 1.1)[0] < 20
    assert brightness(media, tmp_path, 1.5)[0] == pytest.approx(brightness(whole, tmp_path, 1.5)[0], abs=3)
    assert brightness(media, tmp_path, 5.1)[1] < 0.6 * brightness(whole, tmp_path, 5.1)[1]


def test_pictures_that_nobody_hides_stay_as_they_are(film: Path, tmp_path: Path) -> None:
    media, audio = cut_out(film, tmp_path / "cut.mkv", Cut(start_ms=900, end_ms=1_300, kind="mask", sound="silence"))
    assert beeps_s(audio) == [pytest.approx(5.0, abs=0.03)]
    assert media.clock_zero_ms <= 40
    packets = [packet_hashes(path) for path in (film, media.path)]
    assert packets[0] == packets[1]
    assert len(packets[0]) == 150


def packet_hashes(path: Path) -> list[str]:
    """Return a checksum of each coded picture."""
    ffprobe = find_programs().ffprobe
    asked = ("-v", "error", "-select_streams", "V:0", "-show_packets", "-show_data_hash", "md5", "-of", "json")
    told = subprocess.run([ffprobe, *asked, path], check=True, capture_output=True, timeout=60).stdout
    return [packet["data_hash"] for packet in json.loads(told)["packets"]]


def test_a_sound_recording_is_cut_by_the_sample(tmp_path: Path) -> None:
    source = make(tmp_path / "talk.flac", *beep(3, 6))
    media, audio = cut_out(source, tmp_path / "cut.mkv", Cut(start_ms=1_001, end_ms=2_002, kind="remove"))
    assert media.video is None
    assert beeps_s(audio) == [pytest.approx(3 - 1.001, abs=0.002)]
    assert abs(media.duration_ms - 4_999) <= 2


def test_pictures_that_hardly_ever_change_do_not_move_the_sound(tmp_path: Path) -> None:
    screen = make(
        tmp_path / "screen.mkv", *pictures(8, rate=1), *beep(6, 8), "-r", "1", "-c:v", "libx264", "-c:a", "flac"
    )
    media, audio = cut_out(screen, tmp_path / "cut.mkv", Cut(start_ms=0, end_ms=1_500, kind="remove"))
    assert media.clock_zero_ms <= 40
    assert beeps_s(audio) == [pytest.approx(4.5, abs=0.05)]
