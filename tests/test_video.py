"""What learners watch is whole, on the captions' clock, and says nothing that the facilitator did not mean to say."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import MediaError
from pipeline.ffmpeg import find_programs
from pipeline.media import choose_audio, probe
from pipeline.types import Media
from pipeline.video import (
    CaptionTrack,
    Label,
    wrap,
    write_burned_in,
    write_listening_audio,
    write_poster,
    write_title_card_video,
    write_video,
)
from tests.clips import LIMITS, SHARED, beep, beeps_s, listen, make, pictures, session

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
LABEL = Label(title="Séance d’accueil", language="fr", details=("Programme d’été", "21 novembre 2026"))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of pictures with a beep at 3 s, as browsers play it."""
    return make(tmp_path_factory.mktemp("base") / "base.mp4", *pictures(), *beep(), *H264)


@pytest.fixture
def captions(tmp_path: Path) -> tuple[CaptionTrack, ...]:
    texts = {"fr": "1\n00:00:02,000 --> 00:00:04,500\nBonjour à tous\n", "en": "1\n00:00:02,000 --> 00:00:04,500\nHi\n"}
    for language, text in texts.items():
        (tmp_path / f"{language}.srt").write_text(text, encoding="utf-8")
    return (
        CaptionTrack(srt=tmp_path / "fr.srt", language="fr", title="Français"),
        CaptionTrack(srt=tmp_path / "en.srt", language="en", title="English"),
    )


SHOW_ALL = ("-show_streams", "-show_format")


def describe(path: Path, *more: str) -> dict[str, Any]:
    show = more or SHOW_ALL
    command = [str(find_programs().ffprobe), "-v", "error", *show, "-of", "json", str(path)]
    said = subprocess.run(command, capture_output=True, check=True, env=os.environ | {"GCONV_PATH": os.devnull})
    return dict(json.loads(said.stdout))


def ask(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg and return what it says."""
    command = [str(find_programs().ffmpeg), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True, env=os.environ | {"GCONV_PATH": os.devnull})


def packets(path: Path, stream: str) -> str:
    return ask("-v", "error", "-i", path, "-map", f"0:{stream}", "-c", "copy", "-f", "md5", "-").stdout.decode()


def frame_times(path: Path) -> list[float]:
    shown = describe(path, "-select_streams", "v", "-show_entries", "packet=pts_time")["packets"]
    return sorted(float(frame["pts_time"]) for frame in shown)


def brightness(path: Path) -> float:
    one = ("-vf", "scale=1:1", "-pix_fmt", "gray", "-f", "rawvideo")
    return float(ask("-v", "error", "-i", path, *one, "-").stdout[0])


def publish(
    source: Path, folder: Path, captions: tuple[CaptionTrack, ...] = (), loudness_lufs: float | None = None
) -> tuple[Media, Path]:
    media = probe(source, LIMITS)
    target = folder / f"{source.name}.published.mp4"
    stream = choose_audio(media, session("fr"))
    if media.video:
        write_video(media, stream, captions, target, LABEL, LIMITS, loudness_lufs=loudness_lufs)
        return media, target
    sound = folder / f"{source.name}.published.m4a"
    write_listening_audio(media, stream, sound, LABEL, LIMITS, loudness_lufs=loudness_lufs)
    listening = probe(sound, LIMITS)
    write_title_card_video(listening, listening.audio[0], captions, target, LABEL, LIMITS)
    return media, target


def test_streams_that_browsers_play_are_copied(base: Path, tmp_path: Path) -> None:
    _, target = publish(base, tmp_path)
    assert packets(target, "v") == packets(base, "v")
    assert packets(target, "a") == packets(base, "a")


def test_index_comes_before_the_pictures(base: Path, tmp_path: Path) -> None:
    data = publish(base, tmp_path)[1].read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_captions_are_embedded_titled_tagged_and_the_first_is_on(
    base: Path, tmp_path: Path, captions: tuple[CaptionTrack, ...]
) -> None:
    _, target = publish(base, tmp_path, captions)
    tracks = [stream for stream in describe(target)["streams"] if stream["codec_type"] == "subtitle"]
    assert [track["codec_name"] for track in tracks] == ["mov_text", "mov_text"]
    assert [track["tags"]["language"] for track in tracks] == ["fra", "eng"]
    assert [track["tags"]["handler_name"] for track in tracks] == ["Français", "English"]
    assert [track["disposition"]["default"] for track in tracks] == [1, 0]
    srt = make(tmp_path / "back.srt", "-i", str(target), "-map", "0:s:0")
    assert "00:00:02,000 --> 00:00:04,500\nBonjour à tous" in srt.read_text(encoding="utf-8")


def lettering(path: Path, at_s: float) -> int:
    """Return how bright the brightest point is in the lower part of a picture."""
    lower = ("-frames:v", "1", "-vf", "crop=iw:ih/3:0:ih*2/3", "-pix_fmt", "gray", "-f", "rawvideo")
    return max(ask("-v", "error", "-ss", str(at_s), "-i", path, *lower, "-").stdout)


def test_burned_in_captions_are_in_the_picture_while_they_are_said(tmp_path: Path) -> None:
    dark = ("-f", "lavfi", "-i", "color=c=0x101020:size=320x180:rate=25:duration=6")
    media, video = publish(make(tmp_path / "dark.mp4", *dark, *beep()), tmp_path)
    folder = tmp_path / "l'été: [1], a;b"
    folder.mkdir()
    srt = folder / "captions.fr.srt"
    srt.write_text("1\n00:00:02,000 --> 00:00:04,500\nBonjour à tous\n\n", encoding="utf-8")
    for name in ("one.mp4", "two.mp4"):
        write_burned_in(video, srt, folder / name, LABEL, LIMITS, duration_ms=media.duration_ms)
    assert (folder / "one.mp4").read_bytes() == (folder / "two.mp4").read_bytes()
    assert lettering(folder / "one.mp4", 3) > 200
    assert lettering(folder / "one.mp4", 1) < 100
    assert lettering(video, 3) < 100
    assert [stream["codec_type"] for stream in describe(folder / "one.mp4")["streams"]] == ["video", "audio"]
    assert packets(folder / "one.mp4", "a") == packets(video, "a")
    assert sorted(path.name for path in folder.iterdir()) == ["captions.fr.srt", "one.mp4", "two.mp4"]


def test_captions_without_a_cue_are_left_out(base: Path, tmp_path: Path) -> None:
    (tmp_path / "none.srt").write_text("\n")
    _, target = publish(base, tmp_path, (CaptionTrack(srt=tmp_path / "none.srt", language="fr", title="Français"),))
    assert {stream["codec_type"] for stream in describe(target)["streams"]} == {"video", "audio"}


@pytest.mark.parametrize(
    ("name", "codec"), [("x.mp4", "copy"), ("x.mkv", "copy"), ("x.ts", "copy"), ("x.mkv", "mpeg4"), ("x.ts", "mpeg4")]
)
@pytest.mark.parametrize(("audio", "video", "expected"), [(0, 0, 3), (2, 0, 5), (0, 2, 1)])
def test_pictures_start_at_zero_and_sound_stays_in_place(
    base: Path, tmp_path: Path, name: str, audio: float, video: float, expected: float, codec: str
) -> None:
    inputs = ("-itsoffset", str(video), "-i", str(base), "-itsoffset", str(audio), "-i", str(base))
    codecs = ("-c", "copy") if codec == "copy" else ("-fps_mode", "passthrough", "-c:v", codec, "-c:a", "mp2")
    source = make(tmp_path / name, *inputs, "-map", "0:v", "-map", "1:a", *codecs)
    heard = listen(source, tmp_path)[1]
    media, target = publish(source, tmp_path)
    picture = next(stream for stream in describe(target)["streams"] if stream["codec_type"] == "video")
    assert float(picture["start_time"]) == pytest.approx(0, abs=0.002)
    assert float(picture["duration"]) == pytest.approx(6, abs=0.1)
    assert beeps_s(listen(target, tmp_path)[1]) == [pytest.approx(expected, abs=0.02)]
    assert beeps_s(heard) == [pytest.approx(expected, abs=0.02)]
    write_listening_audio(media, media.audio[0], tmp_path / "a.m4a", LABEL, LIMITS)
    alone = probe(tmp_path / "a.m4a", LIMITS)
    assert beeps_s(listen(alone.path, tmp_path)[1]) == [pytest.approx(expected, abs=0.02)]


@pytest.mark.parametrize(
    "codec",
    [
        ("-c:v", "libvpx", "-c:a", "libvorbis"),
        ("-c:v", "libx264", "-pix_fmt", "yuv444p", "-preset", "ultrafast"),
        ("-c:v", "libx264", "-pix_fmt", "yuv444p10le", "-preset", "ultrafast"),
    ],
    ids=["webm", "4:4:4", "10 bits"],
)
def test_pictures_that_browsers_do_not_play_are_encoded(tmp_path: Path, codec: tuple[str, ...]) -> None:
    source = make(tmp_path / "x.mkv", *pictures(2, "161x121"), *beep(1, 2), *codec)
    _, target = publish(source, tmp_path)
    picture, sound = describe(target)["streams"]
    assert (picture["codec_name"], picture["pix_fmt"], sound["codec_name"]) == ("h264", "yuv420p", "aac")
    assert (picture["width"], picture["height"]) == (160, 120)


@pytest.mark.parametrize(("size", "expected"), [("2560x1440", (1920, 1080)), ("1440x2560", (1080, 1920))])
def test_large_pictures_are_made_to_fit(tmp_path: Path, size: str, expected: tuple[int, int]) -> None:
    source = make(tmp_path / "x.mkv", *pictures(0.2, size), *beep(0, 0.2), "-c:v", "mpeg4")
    picture = describe(publish(source, tmp_path)[1])["streams"][0]
    assert (picture["width"], picture["height"]) == expected


def test_frame_times_of_a_browser_recording_are_kept(tmp_path: Path) -> None:
    uneven = ("-vf", "setpts='PTS+0.010*mod(N,3)/TB'", "-fps_mode", "passthrough", "-c:v", "libvpx", "-c:a", "libopus")
    source = make(tmp_path / "x.webm", *pictures(2), *beep(1, 2), *uneven)
    _, target = publish(source, tmp_path)
    assert frame_times(target) == pytest.approx(frame_times(source), abs=0.002)


def test_pictures_closer_than_sixty_a_second_are_left_out(tmp_path: Path) -> None:
    source = make(tmp_path / "x.mkv", *pictures(1, rate=240), *beep(0, 1), "-c:v", "mpeg4")
    _, target = publish(source, tmp_path)
    times = frame_times(target)
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.0155
    assert describe(target)["streams"][0]["level"] == 42


def test_rotation_is_kept(base: Path, tmp_path: Path) -> None:
    turned = make(tmp_path / "turned.mp4", "-display_rotation", "90", "-i", str(base), "-c", "copy")
    video = probe(publish(turned, tmp_path)[1], LIMITS).video
    assert video is not None
    assert (video.width, video.height) == (120, 160)


def test_only_the_chosen_stream_is_heard(base: Path, tmp_path: Path) -> None:
    inputs = ("-i", str(base), *beep(1), *beep(5))
    both = make(
        tmp_path / "x.mkv", *inputs, "-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:v", "copy",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra",
    )  # fmt: skip
    _, target = publish(both, tmp_path)
    media, sound = listen(target, tmp_path)
    assert [stream.language for stream in media.audio] == ["fr"]
    assert beeps_s(sound) == [pytest.approx(5, abs=0.05)]


def test_nothing_of_the_recordings_own_metadata_is_published(tmp_path: Path, base: Path) -> None:
    (tmp_path / "chapters.txt").write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=3\ntitle=canary-7\n")
    told = make(
        tmp_path / "x.mp4", "-i", str(base), "-i", str(tmp_path / "chapters.txt"), "-map", "0", "-map_chapters", "1",
        "-c", "copy", "-metadata", "location=+45.4215-075.6972/", "-metadata", "artist=canary-1",
        "-metadata", "creation_time=2026-01-02T03:04:05Z", "-metadata:s:v", "handler_name=canary-2",
        "-metadata:s:a", "handler_name=canary-3", "-movflags", "use_metadata_tags", "-metadata", "device=canary-4",
    )  # fmt: skip
    media, target = publish(told, tmp_path)
    write_listening_audio(media, media.audio[0], tmp_path / "a.m4a", LABEL, LIMITS)
    write_poster(told, tmp_path / "p.jpg", duration_ms=media.duration_ms, limits=LIMITS)
    assert b"canary" in told.read_bytes()
    for path in (target, tmp_path / "a.m4a", tmp_path / "p.jpg"):
        assert b"canary" not in path.read_bytes()
        assert b"45.42" not in path.read_bytes()
    assert describe(target)["format"]["tags"]["title"] == LABEL.title
    assert "creation_time" not in describe(target)["format"]["tags"]
    assert describe(target, "-show_chapters")["chapters"] == []


@pytest.mark.parametrize("codec", ["copy", "mpeg4"])
def test_same_recording_gives_the_same_bytes(
    base: Path, tmp_path: Path, codec: str, captions: tuple[CaptionTrack, ...]
) -> None:
    source = make(tmp_path / "x.mkv", "-i", str(base), "-c:v", codec, "-c:a", "copy" if codec == "copy" else "flac")
    media = probe(source, LIMITS)
    made = []
    for folder, threads in ((tmp_path / "1", 1), (tmp_path / "2", 2)):
        folder.mkdir()
        limits = replace(LIMITS, threads=threads)
        write_video(media, media.audio[0], captions, folder / "v.mp4", LABEL, limits)
        write_title_card_video(media, media.audio[0], captions, folder / "c.mp4", LABEL, limits)
        write_listening_audio(media, media.audio[0], folder / "a.m4a", LABEL, limits)
        write_poster(source, folder / "p.jpg", duration_ms=media.duration_ms, limits=limits)
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1]
    assert set(made[0]) == {"v.mp4", "c.mp4", "a.m4a", "p.jpg"}


def test_sound_alone_is_copied_where_it_is_aac(base: Path, tmp_path: Path) -> None:
    media = probe(base, LIMITS)
    write_listening_audio(media, media.audio[0], tmp_path / "a.m4a", LABEL, LIMITS)
    assert packets(tmp_path / "a.m4a", "a") == packets(base, "a")


@pytest.mark.parametrize("channels", ["{0}|-1*({0})", "0|{0}"], ids=["opposite", "left dead"])
@pytest.mark.parametrize("loudness_lufs", [None, -16.0])
def test_sound_that_one_loudspeaker_would_lose_is_published_in_one_channel(
    tmp_path: Path, channels: str, loudness_lufs: float | None
) -> None:
    source = make(tmp_path / "x.m4a", *beep(channels=channels), "-c:a", "aac")
    media, sound = listen(publish(source, tmp_path, loudness_lufs=loudness_lufs)[1], tmp_path)
    assert media.audio[0].channels == 1
    assert beeps_s(sound) == [pytest.approx(3, abs=0.02)]


@pytest.mark.parametrize("gain", ["0.02", "0"])
def test_loudness_is_normalised_only_if_asked(tmp_path: Path, gain: str) -> None:
    noise = ("-f", "lavfi", "-i", "anoisesrc=d=6:c=pink:r=48000", "-af", f"volume={gain}")
    source = make(tmp_path / "quiet.wav", *noise)
    before, after = (_loudness(publish(source, tmp_path, loudness_lufs=target)[1]) for target in (None, -16.0))
    assert before < -40
    assert after == pytest.approx(-16, abs=1.5) if gain != "0" else after < -60


def _loudness(path: Path) -> float:
    said = ask("-hide_banner", "-nostats", "-i", path, "-af", "ebur128=framelog=quiet", "-f", "null", "-").stderr
    return float(said.decode().split("I:")[-1].split("LUFS")[0])


def test_title_card_lasts_as_long_as_the_sound(tmp_path: Path, captions: tuple[CaptionTrack, ...]) -> None:
    sound = make(tmp_path / "x.mp3", *beep(seconds=7.4))
    media, target = publish(sound, tmp_path, captions)
    published = probe(target, LIMITS)
    assert published.duration_ms == pytest.approx(media.duration_ms, abs=60)
    assert published.video is not None
    assert beeps_s(listen(target, tmp_path)[1]) == [pytest.approx(beeps_s(listen(sound, tmp_path)[1])[0], abs=0.02)]


def test_pictures_of_a_title_card_come_evenly_until_the_sound_ends(tmp_path: Path) -> None:
    """Longer than what is encoded once and then repeated, and no whole number of seconds."""
    media, target = publish(make(tmp_path / "x.wav", *beep(seconds=75.333)), tmp_path)
    times = frame_times(target)
    assert times[0] == 0
    assert len(times) == 76
    assert all(two - one == pytest.approx(75.333 / 76, abs=0.001) for one, two in pairwise(times))
    length = describe(target, "-select_streams", "v", "-show_entries", "stream=duration")["streams"][0]["duration"]
    assert float(length) * 1000 == pytest.approx(media.duration_ms, abs=60)
    shown = describe(target, "-select_streams", "v", "-show_entries", "packet=flags")["packets"]
    assert [place for place, picture in enumerate(shown) if "K" in picture["flags"]] == [0, 30, 60]
    assert not ask("-v", "warning", "-xerror", "-i", target, "-f", "null", "-").stderr


HOSTILE_TITLES = (
    "a':x=0,movie=/etc/passwd[b];[b]overlay",
    "%{pts} %{localtime} %{e\\:1} \\n \\",
    "textfile=/etc/passwd:fontsize=99999",
    "🎉🎉🎉",
    "שלום עולם \u202e مرحبا",
    "日本語の題名",
    "Long" * 200,
    "\x00\x01\x1b[31m\n\r\t",
    "",
)


@pytest.mark.parametrize("title", HOSTILE_TITLES, ids=range(len(HOSTILE_TITLES)))
def test_title_card_draws_any_title_as_text(tmp_path: Path, title: str) -> None:
    folder = tmp_path / "c'était: [là], 100%;\\ "
    folder.mkdir()
    sound = make(folder / "x.wav", *beep(0, 0.5))
    media = probe(sound, LIMITS)
    label = Label(title=title.replace("\x00", ""), language="en", details=(title.replace("\x00", ""),) * 3)
    write_title_card_video(media, media.audio[0], (), folder / "v.mp4", label, LIMITS)
    assert probe(folder / "v.mp4", LIMITS).video is not None
    assert sorted(path.name for path in folder.iterdir()) == ["v.mp4", "x.wav"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300), st.sampled_from([34, 60]), st.integers(1, 5))
def test_wrapped_text_has_at_most_so_many_lines_without_control_characters(text: str, size: int, most: int) -> None:
    lines = wrap(text, size=size, most=most)
    assert len(lines) <= most
    assert all(line == line.strip() and line and line.isprintable() for line in lines)


@given(st.lists(st.text("abcdé", min_size=1, max_size=8), max_size=8))
def test_short_text_is_wrapped_without_loss(words: list[str]) -> None:
    assert " ".join(wrap(" ".join(words), size=34, most=9)).split() == words


def test_poster_is_not_black_where_the_recording_begins_black(tmp_path: Path) -> None:
    fade = ("-vf", "drawbox=c=black:t=fill:enable='lt(t,4)'")
    source = make(tmp_path / "x.mp4", *pictures(6, "320x240"), *beep(), *fade, *H264, "-g", "25")
    write_poster(source, tmp_path / "p.jpg", duration_ms=6000, limits=LIMITS)
    assert brightness(tmp_path / "p.jpg") > 60


def test_poster_of_an_all_black_recording_is_black(tmp_path: Path) -> None:
    source = make(tmp_path / "x.mp4", "-f", "lavfi", "-i", "color=black:s=64x64:d=1", *beep(0, 1), *H264)
    write_poster(source, tmp_path / "p.jpg", duration_ms=1000, limits=LIMITS)
    assert brightness(tmp_path / "p.jpg") < 20


def test_poster_is_at_most_1280_wide(tmp_path: Path) -> None:
    source = make(tmp_path / "x.mp4", *pictures(0.2, "1920x1080"), *beep(0, 0.2), *H264)
    write_poster(source, tmp_path / "p.jpg", duration_ms=200, limits=LIMITS)
    picture = describe(tmp_path / "p.jpg")["streams"][0]
    assert (picture["codec_name"], picture["width"], picture["height"]) == ("mjpeg", 1280, 720)


def test_poster_needs_pictures(tmp_path: Path) -> None:
    sound = make(tmp_path / "x.wav", *beep())
    with pytest.raises(MediaError) as caught:
        write_poster(sound, tmp_path / "p.jpg", duration_ms=6000, limits=LIMITS)
    assert caught.value.code == "media.no_picture"
    assert not (tmp_path / "p.jpg").exists()


def test_video_needs_pictures(tmp_path: Path) -> None:
    media = probe(make(tmp_path / "x.wav", *beep()), LIMITS)
    with pytest.raises(ValueError, match="no pictures"):
        write_video(media, media.audio[0], (), tmp_path / "v.mp4", LABEL, LIMITS)


REAL = ("made_nasty/vfr_video.mp4", "nasty/video_with_failing_audio.mp4",
        "containers_browser/video-sample-visio.mp4", "containers_browser/audio-sample-ios-browser.webm",
        "made_nasty/two_audio_tracks_en_fr.mkv", "made_nasty/mp3_bitflips.mp3", "nasty/music_vibe_ace.ogg")  # fmt: skip


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recordings are not beside this checkout")
@pytest.mark.parametrize("name", REAL)
def test_real_recording_is_published_whole(name: str, tmp_path: Path, captions: tuple[CaptionTrack, ...]) -> None:
    media, target = publish(SHARED / name, tmp_path, captions)
    published = probe(target, LIMITS)
    assert published.duration_ms == pytest.approx(media.duration_ms, abs=200)
    assert published.video is not None
    assert published.video.codec == "h264"
    assert published.audio[0].codec == "aac"
    write_poster(target, tmp_path / "p.jpg", duration_ms=media.duration_ms, limits=LIMITS)
    assert (tmp_path / "p.jpg").stat().st_size > 500
