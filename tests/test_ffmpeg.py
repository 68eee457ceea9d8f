"""The programs are found and checked, and kept within their bounds."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import ffmpeg
import pytest

from pipeline.errors import MediaError, ProgramMissing, RecordingRejected
from pipeline.ffmpeg import (
    MediaLimits,
    choose_programs,
    find_programs,
    inspect_programs,
    open_recording,
    run_ffmpeg,
    written,
)
from pipeline.media import probe
from tests.clips import LIMITS, beep, make


def script(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def wave(tmp_path: Path) -> Path:
    return make(tmp_path / "beep.wav", *beep())


def endless(target: Path) -> object:
    return ffmpeg.input("sine=r=48000", f="lavfi").output(f"file:{target}", f="s16le")


def test_programs_found_are_recent_and_of_one_build() -> None:
    programs = find_programs()
    assert programs.ffmpeg.is_absolute()
    said = subprocess.run([programs.ffprobe, "-version"], capture_output=True, text=True, check=True).stdout
    assert programs.version in said


def test_bundled_programs_do_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    find_programs.cache_clear()
    assert find_programs().bundled
    find_programs.cache_clear()


def test_program_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old = [script(tmp_path, name, f"echo '{name} version 4.4.2-0ubuntu0'") for name in ("ffmpeg", "ffprobe")]
    assert inspect_programs(*old, bundled=False) is None


def test_build_without_the_codecs_is_passed_over(tmp_path: Path) -> None:
    poor = [script(tmp_path, name, f"echo '{name} version 7.1'") for name in ("ffmpeg", "ffprobe")]
    good = find_programs()
    chosen = choose_programs([(poor[0], poor[1], False), (good.ffmpeg, good.ffprobe, True)])
    assert chosen.ffmpeg == good.ffmpeg


def test_program_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    broken = script(tmp_path, "ffmpeg", "exit 1")
    assert inspect_programs(broken, tmp_path / "nothing", bundled=False) is None


def test_missing_programs_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing) as caught:
        choose_programs([(tmp_path / "ffmpeg", tmp_path / "ffprobe", True)])
    assert "package manager" in caught.value.message("en")
    assert "gestionnaire de paquets" in caught.value.message("fr")


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"max_duration_ms": 0}, {"timeout_s": 0.0}])
def test_limits_that_allow_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="limits are"):
        replace(MediaLimits(), **wrong)


def test_program_is_killed_when_its_time_is_up(tmp_path: Path) -> None:
    started = time.monotonic()
    slow = ffmpeg.input("sine", f="lavfi", re=None).output(f"file:{tmp_path / 'slow'}", f="s16le")
    with pytest.raises(MediaError, match="stopped after") as caught:
        run_ffmpeg(slow, replace(LIMITS, timeout_s=0.6))
    assert caught.value.code == "media.timed_out"
    # By itself it would go on for ever.
    assert time.monotonic() - started < 60


def test_program_that_writes_too_much_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        run_ffmpeg(endless(tmp_path / "much"), replace(LIMITS, output_bytes=1_000_000))
    assert caught.value.code == "media.output_too_large"
    assert (tmp_path / "much").stat().st_size <= 1_000_000


def test_program_that_takes_too_much_memory_is_stopped(tmp_path: Path) -> None:
    hungry = ffmpeg.input("testsrc=s=4000x4000:d=2", f="lavfi").filter("reverse").output("-", f="null")
    with pytest.raises(MediaError, match="more memory"):
        run_ffmpeg(hungry, replace(LIMITS, memory_bytes=600 << 20))


def test_nothing_runs_on_when_the_caller_is_interrupted(tmp_path: Path) -> None:
    def interrupt(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_ffmpeg(
            endless(tmp_path / "on"), replace(LIMITS, output_bytes=1 << 30), duration_ms=10**9, progress=interrupt
        )
    size = (tmp_path / "on").stat().st_size
    time.sleep(0.3)
    assert (tmp_path / "on").stat().st_size == size


def test_progress_rises_to_the_end(wave: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    run_ffmpeg(
        open_recording(wave).output(f"file:{tmp_path / 'x'}", f="s16le"), LIMITS, duration_ms=6000, progress=seen.append
    )
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1, abs=0.01)


def test_failure_keeps_the_last_that_ffmpeg_said(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        run_ffmpeg(open_recording(tmp_path / "none").output("-", f="null"), LIMITS)
    assert "No such file" in caught.value.data["detail"]


def test_answer_without_end_is_cut_off() -> None:
    with pytest.raises(MediaError, match="without end"):
        run_ffmpeg(ffmpeg.input("anullsrc", f="lavfi").output("pipe:1", f="s16le"), LIMITS)


@pytest.mark.parametrize("name", ["-i.wav", "a:b.wav", "http:x.wav", "100%d.wav", 'c\'était [là], "vu".wav', "pipe:0"])
def test_any_file_name_is_only_a_name(wave: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wave.rename(name)
    assert probe(Path(name), LIMITS).duration_ms == 6000


def test_credentials_are_not_handed_to_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("FFREPORT", f"file={tmp_path / 'report.log'}")
    run_ffmpeg(ffmpeg.input("anullsrc=d=1", f="lavfi").output("-", f="null"), LIMITS)
    assert not (tmp_path / "report.log").exists()


def _break_off(target: Path) -> None:
    with written(target) as part:
        part.write_bytes(b"half")
        raise RuntimeError


def test_half_written_file_never_has_the_name(tmp_path: Path) -> None:
    target = tmp_path / "done"
    with pytest.raises(RuntimeError):
        _break_off(target)
    assert list(tmp_path.iterdir()) == []
    with written(target) as part:
        part.write_bytes(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


class Canary(HTTPServer):
    """A server that nobody should ask anything."""

    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    """Writes down what it is asked."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Canary)
        self.server.asked.append(self.path)
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def canary() -> Iterator[Canary]:
    server = Canary(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


HOSTILE = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXTINF:5,\n{file}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{file}'\nfile '{url}'\n",
    "dash": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'"
    " mediaPresentationDuration='PT5S'><Period><AdaptationSet mimeType='audio/mp4'><Representation id='1'>"
    "<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "svg": "<svg xmlns='http://www.w3.org/2000/svg' xmlns:x='http://www.w3.org/1999/xlink'>"
    "<image x:href='{url}'/><image x:href='file://{file}'/></svg>",
    "ass": "[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:05.00,D,,0,0,0,,{file}\n",
    "srt": "1\n00:00:00,000 --> 00:00:05,000\n{file} {url}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "rtsp": "rtsptext rtsp://127.0.0.1/{url}\n",
    "metadata": ";FFMETADATA1\ntitle={file}\n[STREAM]\n",
}


@pytest.mark.parametrize("extension", ["mp4", "m3u8", "mkv", "mp3"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_file_that_points_elsewhere_is_refused_and_not_followed(
    kind: str, extension: str, canary: Canary, wave: Path, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{canary.server_port}/canary.ts"
    hostile = tmp_path / f"session.{extension}"
    hostile.write_text(HOSTILE[kind].format(url=url, file=wave))
    before = wave.stat().st_atime_ns
    os.utime(wave, ns=(before - 10**12, wave.stat().st_mtime_ns))
    with pytest.raises(RecordingRejected) as caught:
        probe(hostile, LIMITS)
    assert caught.value.code in {"media.not_a_recording", "media.unreadable", "media.unfinished"}
    assert canary.asked == []
    assert wave.stat().st_atime_ns < before


def test_picture_under_a_recordings_name_is_refused(tmp_path: Path) -> None:
    picture = make(tmp_path / "p.png", "-f", "lavfi", "-i", "color=s=64x64", "-frames:v", "1")
    with pytest.raises(RecordingRejected) as caught:
        probe(picture.rename(tmp_path / "p.mp4"), LIMITS)
    assert caught.value.code == "media.not_a_recording"


ORPHAN = """
import ffmpeg, sys
from pipeline.ffmpeg import MediaLimits, run_ffmpeg
slow = ffmpeg.input("sine", f="lavfi", re=None).output(f"file:{sys.argv[1]}", f="s16le", flush_packets=1)
print("started", flush=True)
run_ffmpeg(slow, MediaLimits(), duration_ms=1000, progress=lambda share: print("running", flush=True))
"""


def test_ffmpeg_dies_with_the_process_that_runs_it(tmp_path: Path) -> None:
    target = tmp_path / "sound"
    with subprocess.Popen([sys.executable, "-c", ORPHAN, target], stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        assert [caller.stdout.readline(), caller.stdout.readline()] == [b"started\n", b"running\n"]
        caller.kill()
    sizes = [-1, target.stat().st_size]
    for _ in range(60):
        if sizes[-1] == sizes[-2]:
            break
        time.sleep(0.5)
        sizes.append(target.stat().st_size)
    assert sizes[-1] == sizes[-2]
