"""A recording becomes sound on the video's clock, whatever it came in, or is rejected with a reason."""

from __future__ import annotations

import os
import wave
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import MediaError, RecordingRejected
from pipeline.media import choose_audio, probe, read_waveform, write_audio_file
from pipeline.types import AudioFile, AudioStream, Media, Session, VideoStream
from tests.clips import LIMITS, SHARED, beep, beeps_s, listen, make, pictures, session

CLOSE_S = 0.02


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of pictures with a beep at 3 s."""
    return make(
        tmp_path_factory.mktemp("base") / "base.mp4", *pictures(), *beep(), "-c:v", "libx264", "-pix_fmt", "yuv420p"
    )


def delayed(base: Path, target: Path, *, audio: float = 0, video: float = 0, codec: Sequence[str] = ()) -> Path:
    """Copy the base with one of its streams later than the other."""
    inputs = ("-itsoffset", str(video), "-i", str(base), "-itsoffset", str(audio), "-i", str(base))
    return make(target, *inputs, "-map", "0:v", "-map", "1:a", *(codec or ("-c", "copy")))


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.ts", "x.flv", "x.mov"])
@pytest.mark.parametrize(("audio", "video", "expected"), [(0, 0, 3), (2, 0, 5), (0, 2, 1)])
def test_sound_stays_where_the_pictures_are(
    base: Path, tmp_path: Path, name: str, audio: float, video: float, expected: float
) -> None:
    media, sound = listen(delayed(base, tmp_path / name, audio=audio, video=video), tmp_path)
    assert beeps_s(sound) == [pytest.approx(expected, abs=CLOSE_S)]
    assert sound.duration_ms <= media.duration_ms + 100


def test_program_stream_with_late_sound_keeps_it_late(base: Path, tmp_path: Path) -> None:
    codec = ("-c:v", "mpeg2video", "-c:a", "mp2", "-ar", "48000", "-ac", "2")
    _, sound = listen(delayed(base, tmp_path / "x.mpg", audio=2, codec=codec), tmp_path)
    assert beeps_s(sound) == [pytest.approx(5, abs=CLOSE_S)]


def test_transport_stream_that_starts_late_is_counted_from_its_first_picture(base: Path, tmp_path: Path) -> None:
    late = make(tmp_path / "late.ts", "-i", str(base), "-c", "copy", "-output_ts_offset", "5000")
    _, sound = listen(late, tmp_path)
    assert beeps_s(sound) == [pytest.approx(3, abs=CLOSE_S)]


@pytest.mark.parametrize(("name", "codec"), [("x.mkv", "pcm_s16le"), ("x.mp4", "aac"), ("x.webm", "libopus")])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_gap_in_the_time_stamps_becomes_silence(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    gap = make(
        tmp_path / name, *beep(rate=rate), "-af", "aselect='not(between(t,1,2.5))'", "-c:a", codec, "-strict", "-2"
    )
    _, sound = listen(gap, tmp_path)
    assert beeps_s(sound) == [pytest.approx(3, abs=CLOSE_S)]


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_drifting_clock_is_followed(tmp_path: Path, rate: int) -> None:
    every_2s = "-f", "lavfi", "-i", f"aevalsrc='if(lt(mod(t,2),0.1)*gt(t,1),sin(1000*2*PI*t),0)':s={rate}:d=60"
    drift = make(tmp_path / "drift.mkv", *every_2s, "-af", "asetpts='PTS*1.001'", "-c:a", "pcm_s16le")
    _, sound = listen(drift, tmp_path)
    heard = beeps_s(sound)
    assert len(heard) == 29
    assert heard[-1] == pytest.approx(58.058, abs=CLOSE_S)
    assert all(later - earlier == pytest.approx(2.002, abs=CLOSE_S) for earlier, later in pairwise(heard))


def test_sound_whose_form_changes_on_the_way_is_not_padded_again(tmp_path: Path) -> None:
    first = make(tmp_path / "1.ts", *beep(1, 3), "-c:a", "aac")
    second = make(
        tmp_path / "2.ts", *beep(1, 3, rate=48_000, channels="{0}|{0}"), "-c:a", "aac", "-output_ts_offset", "3"
    )
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    _, sound = listen(both, tmp_path)
    assert beeps_s(sound) == [pytest.approx(1, abs=0.06), pytest.approx(4, abs=0.06)]
    assert sound.duration_ms == pytest.approx(6000, abs=100)


def test_variable_frame_rate_shifts_nothing(tmp_path: Path) -> None:
    drops = ("-vf", "select='lt(t,2)+not(mod(n,4))'", "-fps_mode", "vfr", "-c:v", "libx264")
    media, sound = listen(make(tmp_path / "vfr.mp4", *pictures(), *beep(), *drops), tmp_path)
    assert media.video is not None
    assert beeps_s(sound) == [pytest.approx(3, abs=CLOSE_S)]


CHANNELS = {
    "mono": ("{0}", 0.5),
    "alike": ("{0}|{0}", 0.5),
    "opposite": ("{0}|-1*({0})", 0.5),
    "right dead": ("{0}|0", 0.5),
    "left dead": ("0|{0}", 0.5),
    "right nearly dead": ("{0}|0.001*random(0)", 0.5),
    "only the centre of six": ("0|0|{0}|0|0|0", 0.5),
    "only the front of six": ("{0}|{0}|0|0|0|0", 0.5),
    "four, one dead": ("{0}|{0}|{0}|0", 0.5),
}


@pytest.mark.parametrize("kind", CHANNELS)
def test_speech_is_loud_whatever_the_channels_hold(tmp_path: Path, kind: str) -> None:
    channels, loudness = CHANNELS[kind]
    _, sound = listen(make(tmp_path / "c.wav", *beep(channels=channels)), tmp_path)
    assert beeps_s(sound) == [pytest.approx(3, abs=CLOSE_S)]
    assert np.abs(read_waveform(sound)[:]).max() == pytest.approx(loudness, rel=0.1)


def test_both_microphones_of_an_interview_are_heard(tmp_path: Path) -> None:
    host, guest = (f"if(between(t,{at},{at}+0.1),0.5*sin(1000*2*PI*t),0)" for at in (1, 4))
    two = "-f", "lavfi", "-i", f"aevalsrc='{host}|{guest}':s=44100:d=6"
    _, sound = listen(make(tmp_path / "two.wav", *two), tmp_path)
    assert beeps_s(sound) == [pytest.approx(1, abs=CLOSE_S), pytest.approx(4, abs=CLOSE_S)]


def test_very_quiet_sound_keeps_what_it_has(tmp_path: Path) -> None:
    _, sound = listen(make(tmp_path / "q.wav", *beep(), "-af", "volume=0.005"), tmp_path)
    assert beeps_s(sound, level=0.001) == [pytest.approx(3, abs=CLOSE_S)]


def test_same_file_gives_the_same_bytes(base: Path, tmp_path: Path) -> None:
    media = probe(base, LIMITS)
    files = [write_audio_file(media, media.audio[0], tmp_path / name, LIMITS).path for name in ("1.wav", "2.wav")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.wav", "2.wav"]


def test_progress_of_the_audio_file_ends_at_one(base: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    media = probe(base, LIMITS)
    write_audio_file(media, media.audio[0], tmp_path / "a.wav", LIMITS, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_waveform_is_what_the_file_holds(base: Path, tmp_path: Path) -> None:
    _, sound = listen(base, tmp_path)
    with wave.open(str(sound.path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    waveform = read_waveform(sound)
    assert waveform[:].dtype == np.float32
    assert len(waveform) == len(samples)
    for stretch in (slice(None), slice(1000, 2000), slice(len(samples) - 10, len(samples) + 10), slice(20, 10)):
        assert np.array_equal(waveform[stretch], samples[stretch].astype(np.float32) / 32768)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a wave file at all, by far", None])
def test_damaged_audio_file_is_noticed(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.wav"
    if content is None:
        make(path, *beep(rate=8000))
    else:
        path.write_bytes(content)
    stream = AudioStream(index=0, codec="x", channels=1, sample_rate=16_000)
    with pytest.raises(MediaError) as caught:
        read_waveform(AudioFile(path=path, duration_ms=0, stream=stream))
    assert caught.value.code == "media.audio_damaged"


# What probing sees ----------------------------------------------------------------------------------------------------


def test_cover_image_is_not_video(tmp_path: Path) -> None:
    cover = make(tmp_path / "cover.png", "-f", "lavfi", "-i", "color=s=64x64", "-frames:v", "1")
    song = make(
        tmp_path / "song.m4a", *beep(), "-i", str(cover), "-map", "0:a", "-map", "1:v", "-c:v", "png",
        "-disposition:v:0", "attached_pic",
    )  # fmt: skip
    media, sound = listen(song, tmp_path)
    assert media.video is None
    assert beeps_s(sound) == [pytest.approx(3, abs=CLOSE_S)]


def test_rotated_video_is_measured_as_it_is_seen(base: Path, tmp_path: Path) -> None:
    turned = make(tmp_path / "turned.mp4", "-display_rotation", "90", "-i", str(base), "-c", "copy")
    video = probe(turned, LIMITS).video
    assert video is not None
    assert (video.width, video.height) == (120, 160)


def test_duration_is_measured_where_the_header_has_none(base: Path, tmp_path: Path) -> None:
    live = make(tmp_path / "live.webm", "-i", str(base), "-c:v", "libvpx", "-c:a", "libopus", "-live", "1")
    assert probe(live, LIMITS).duration_ms == pytest.approx(6000, abs=50)


def test_duration_is_what_is_left_of_a_truncated_file(base: Path, tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.mp4", "-i", str(base), "-c", "copy", "-movflags", "+faststart")
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    media, sound = listen(half, tmp_path)
    assert 1000 < media.duration_ms < 5500
    assert sound.duration_ms <= media.duration_ms + 1000


@pytest.mark.parametrize(
    ("name", "codecs"), [("t.mp4", ("-c", "copy")), ("t.mkv", ("-c", "copy")), ("t.flac", ("-vn",))]
)
def test_a_file_that_was_cut_short_is_known_by_what_its_header_says(
    tmp_path: Path, name: str, codecs: tuple[str, ...]
) -> None:
    source = ("-f", "lavfi", "-i", "anoisesrc=d=20:a=0.1", "-f", "lavfi", "-i", "testsrc=s=96x64:r=5:d=20")
    made = make(tmp_path / "made.mp4", *source, "-shortest")
    whole = make(tmp_path / name, "-i", str(made), *codecs, *(("-movflags", "+faststart") if name == "t.mp4" else ()))
    assert probe(whole, LIMITS).missing_ms == 0
    half = tmp_path / f"half-{name}"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    media = probe(half, LIMITS)
    assert media.missing_ms > 5_000
    assert media.duration_ms + media.missing_ms == pytest.approx(20_000, abs=500)


def test_language_tags_and_container_tags_are_read(base: Path, tmp_path: Path) -> None:
    tagged = make(
        tmp_path / "t.mkv", "-i", str(base), "-map", "0:v", *("-map", "0:a") * 4, "-c", "copy",
        "-metadata", "title=L’été", "-metadata:s:a:0", "language=fre", "-metadata:s:a:0", "title=Parquet",
        "-metadata:s:a:1", "language=en-CA", "-metadata:s:a:2", "language=und", "-metadata:s:a:3", "language=iku",
    )  # fmt: skip
    media = probe(tagged, LIMITS)
    assert [stream.language for stream in media.audio] == ["fr", "en", None, "iu"]
    assert media.audio[0].title == "Parquet"
    assert ("title", "L’été") in media.tags


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "media.empty"),
        (bytes(range(256)) * 200, "media.unreadable"),
        (b"just a letter to the editor\n" * 400, "media.unreadable"),
    ],
)
@pytest.mark.parametrize("name", ["x.mp4", "x.wav", "x.mp3"])
def test_what_is_no_recording_is_rejected_with_a_reason(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingRejected) as caught:
        probe(path, LIMITS)
    assert caught.value.code in {code, "media.not_a_recording"}
    assert caught.value.message("en") != caught.value.message("fr")


def test_recording_without_its_end_says_so(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(base.read_bytes()[:20_000])
    with pytest.raises(RecordingRejected) as caught:
        probe(path, LIMITS)
    assert caught.value.code == "media.unfinished"


def test_video_without_sound_is_rejected(tmp_path: Path) -> None:
    silent = make(tmp_path / "silent.mp4", *pictures(1))
    with pytest.raises(RecordingRejected) as caught:
        probe(silent, LIMITS)
    assert caught.value.code == "media.no_audio"


def test_recording_that_is_too_long_is_rejected(base: Path) -> None:
    with pytest.raises(RecordingRejected) as caught:
        probe(base, replace(LIMITS, max_duration_ms=5000))
    assert caught.value.code == "media.too_long"


def test_sound_of_which_nothing_decodes_is_rejected(tmp_path: Path) -> None:
    clip = make(tmp_path / "x.flac", *beep())
    data = bytearray(clip.read_bytes())
    data[8192 + 100 :] = os.urandom(len(data) - 8292)
    clip.write_bytes(data[:42] + data[8292:])
    with pytest.raises(RecordingRejected) as caught:
        listen(clip, tmp_path)
    assert caught.value.code in {"media.no_sound", "media.unreadable", "media.no_audio", "media.no_streams"}


def test_looking_into_a_file_is_bounded(base: Path) -> None:
    with pytest.raises(MediaError) as caught:
        probe(base, replace(LIMITS, probe_timeout_s=0.0001))
    assert caught.value.code == "media.timed_out"


# Which stream ---------------------------------------------------------------------------------------------------------


def streams(*described: dict[str, object]) -> Media:
    audio = tuple(
        replace(AudioStream(index=index, codec="aac", channels=2, sample_rate=48_000), **fields)  # type: ignore[arg-type]
        for index, fields in enumerate(described)
    )
    video = VideoStream(codec="h264", width=2, height=2, frame_rate=1, pixel_format="yuv420p")
    return Media(path=Path("x"), container="mov", duration_ms=1, audio=audio, video=video)


EN: dict[str, object] = {"language": "en"}
FR: dict[str, object] = {"language": "fr"}


@pytest.mark.parametrize(
    ("media", "of", "chosen"),
    [
        (streams(EN, FR), session("en"), 0),
        (streams(EN, FR), session("fr"), 1),
        (streams(EN | {"default": True}, FR), session("fr"), 1),
        (streams(EN, FR), session("en", audio_track="fr"), 1),
        (streams(EN, FR), session("en", audio_track=1), 1),
        (streams({}, {"default": True}), session("en"), 1),
        (streams({"channels": 1}, {}), session("en"), 1),
        (streams({}, {}), session("en"), 0),
        (streams(EN | {"auxiliary": True}, EN), session("en"), 1),
        (streams(EN | {"auxiliary": True, "default": True}, FR), session("en"), 1),
        (streams(EN, FR, {"title": "Floor / Parquet"}), session("en", "fr"), 2),
        (streams(EN, FR, {"title": "Floor"}), session("en"), 0),
    ],
)  # fmt: skip
def test_the_stream_that_is_meant_is_chosen(media: Media, of: Session, chosen: int) -> None:
    assert choose_audio(media, of).index == chosen


@pytest.mark.parametrize("asked", [2, -1, "fr"])
def test_stream_that_is_not_there_is_not_replaced_by_another(asked: object) -> None:
    with pytest.raises(RecordingRejected) as caught:
        choose_audio(streams(EN, {}), replace(session("en"), audio_track=asked))  # type: ignore[arg-type]
    assert caught.value.code in {"media.no_track_number", "media.no_track_in"}
    assert "audio_track" in caught.value.message("fr")


def test_commentary_is_known_by_its_mark_or_title(base: Path, tmp_path: Path) -> None:
    tracks = make(
        tmp_path / "t.mkv", "-i", str(base), *("-map", "0:a") * 3, "-c", "copy", "-disposition:a:0", "comment",
        "-metadata:s:a:1", "title=Audiodescription",
    )  # fmt: skip
    media = probe(tracks, LIMITS)
    assert [stream.auxiliary for stream in media.audio] == [True, True, False]
    assert choose_audio(media, session()).index == 2


# Real files -----------------------------------------------------------------------------------------------------------

REJECTED = {
    "random_bytes.wav": "media.unreadable",
    "text_renamed.mp3": "media.unreadable",
    "truncated_half.mp4": "media.unfinished",
    "zero_byte.mp4": "media.empty",
    "azure_missing_wav_header.wav": "media.unreadable",
    "opencast_nostreams.mp4": "media.no_streams",
}


def is_loud(rms: float) -> bool:
    return rms > 0.004


AUDIBLE: dict[str, Callable[[float], bool]] = {
    "silence_120s.flac": lambda rms: rms == 0,
    "opencast_silent_60s.mp4": lambda rms: rms < 0.001,
    "no_duration.webm": lambda rms: rms < 0.001,
    "very_quiet.wav": lambda rms: 0.0005 < rms < 0.01,
    "audio-sample-android.m4a": lambda rms: rms > 0.001,
}
FOLDERS = ("made_nasty", "nasty", "containers_browser", "video_esup")
REAL = [
    path for folder in FOLDERS for path in sorted((SHARED / folder).glob("*")) if path.suffix not in {".txt", ".md"}
]


@pytest.mark.skipif(not REAL, reason="the shared recordings are not beside this checkout")
@pytest.mark.parametrize("path", REAL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_file_gives_sound_or_a_clear_reason(path: Path, tmp_path: Path) -> None:
    code = REJECTED.get(path.name)
    if code is not None:
        with pytest.raises(RecordingRejected) as caught:
            listen(path, tmp_path)
        assert caught.value.code == code
        return
    media, sound = listen(path, tmp_path)
    rms = float(np.sqrt(np.square(read_waveform(sound)[:], dtype=np.float64).mean()))
    assert AUDIBLE.get(path.name, is_loud)(rms), rms
    assert sound.duration_ms == pytest.approx(media.duration_ms, abs=150)
