"""A stranger's recording to sound that can be recognised.

A file comes in; out go what it holds (:func:`probe`), which of its audio streams to listen to (:func:`choose_audio`)
and that stream as one 16 kHz mono WAV file on the video's clock (:func:`write_audio_file`). Everything after this
stage counts in milliseconds from the first picture and need not know containers, codecs or channels. What is made for
learners to watch is in :mod:`pipeline.video`.
"""

from __future__ import annotations

import json
import logging
import math
import re
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, cast

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from pipeline.channels import BLOCK_SAMPLES, Samples, choose_mix, measure, mix
from pipeline.errors import MediaError, RecordingRejected
from pipeline.ffmpeg import MediaLimits, Node, file_url, on_one_clock, open_recording, run_ffmpeg, run_ffprobe, written
from pipeline.ports import SAMPLE_RATE, Clip, Progress, Waveform, no_progress
from pipeline.types import AudioFile, AudioStream, Media, Session, VideoStream

_logger = logging.getLogger(__name__)

__all__ = [
    "MediaLimits",
    "choose_audio",
    "measure_mix",
    "probe",
    "read_waveform",
    "stream_at",
    "write_aligned",
    "write_audio_file",
    "write_mixed",
]

_MIX_RATE: Final = 48_000

_MP4_BOXES: Final = {b"ftyp", b"mdat", b"free", b"skip", b"wide", b"pnot"}
"""What an MP4 or MOV begins with, before the index that may be missing."""
_ANSWER_BYTES: Final = 16 << 20
_CHUNK_SAMPLES: Final = 120 * BLOCK_SAMPLES

_ISO_639_1: Final = {
    "eng": "en", "fra": "fr", "fre": "fr", "spa": "es", "por": "pt", "deu": "de", "ger": "de", "ita": "it",
    "zho": "zh", "chi": "zh", "ara": "ar", "pan": "pa", "iku": "iu", "cre": "cr", "oji": "oj", "ukr": "uk", "rus": "ru",
    "nld": "nl", "dut": "nl", "pol": "pl", "jpn": "ja", "kor": "ko", "vie": "vi", "hin": "hi", "urd": "ur",
}  # fmt: skip
"""Two-letter codes of the languages that recordings here are likely to hold, by both three-letter codes (ISO 639-2)."""
_HEADERS_THAT_COUNT: Final = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac"})
"""Containers that say how long they last, rather than what a bit rate lets one guess."""
_MISSING_MS: Final = 3_000
_MISSING_SHARE: Final = 0.02
"""What may lack at the end without being worth a word: streams seldom end at the same moment."""
_NO_LANGUAGE: Final = {"", "und", "mis", "mul", "zxx", "qaa"}
_AUXILIARY: Final = re.compile(r"comment|descri|audiodesc|director|réalisat", re.IGNORECASE)
_FLOOR: Final = re.compile(r"\b(floor|parquet|original|salle)\b", re.IGNORECASE)

Described = Mapping[str, object]


def probe(path: Path, limits: MediaLimits) -> Media:
    """Find out what a recording holds.

    Starts are given against the file's clock as ffmpeg hands it on, which is 0 at the file's own start; the duration is
    measured by reading every packet, as headers lie.

    Args:
        path: The file; its extension does not matter.
        limits: How far it may go.

    Raises:
        RecordingRejected: It is empty, broken, no recording at all, silent for want of an audio stream, or too long.
        MediaError: Looking into it took too long.
    """
    if path.stat().st_size == 0:
        raise RecordingRejected("media.empty")
    described = _describe(path, limits)
    container = cast("Described", described.get("format", {}))
    streams = cast("Sequence[Described]", described.get("streams", []))
    origin = _seconds(container.get("start_time")) or 0.0
    audio = _audio_streams(streams, origin)
    video = _video_stream(streams, origin)
    if not audio:
        raise RecordingRejected("media.no_audio" if video else "media.no_streams")
    media = Media(
        path=path,
        container=str(container.get("format_name", "")),
        duration_ms=0,
        audio=audio,
        video=video,
        tags=tuple(sorted((key.lower(), text) for key, text in _tags(container).items())),
    )
    return _with_duration(media, streams, origin, _seconds(container.get("duration")), limits)


def choose_audio(media: Media, session: Session) -> AudioStream:
    """Return the audio stream to listen to.

    What the sidecar says; else the stream in the session's main language (the floor, where the session has two
    languages); else the one marked as default; else the one with most channels. Commentaries and descriptions for the
    blind come last.

    Raises:
        RecordingRejected: The sidecar names a stream that is not there.
    """
    asked = session.audio_track
    if isinstance(asked, int):
        return stream_at(media, asked)
    if asked is not None and asked not in {stream.language for stream in media.audio}:
        languages = sorted({stream.language or "?" for stream in media.audio})
        raise RecordingRejected("media.no_track_in", {"asked": asked, "found": ", ".join(languages)})
    candidates = [stream for stream in media.audio if asked in {None, stream.language}]
    return max(candidates, key=lambda stream: _preference(stream, session))


def write_audio_file(
    media: Media, stream: AudioStream, target: Path, limits: MediaLimits, *, progress: Progress = no_progress
) -> AudioFile:
    """Write a stream as 16 kHz mono 16-bit PCM whose first sample is at the video's time zero.

    A stream that starts later is padded, one that starts earlier is cut, holes in its time stamps are filled with
    silence, drift is taken up at 100 samples a second. Channels become one as :mod:`pipeline.channels` says. The same
    file and build of ffmpeg give the same bytes. Takes disk space for all channels beside the target while it works.

    Raises:
        RecordingRejected: Nothing in the stream can be decoded.
        MediaError: ffmpeg failed, or went over a limit.
    """
    with written(target, ".pcm") as raw, written(target) as done:
        write_aligned(media, stream, raw, limits, progress=lambda share: progress(share * 0.9))
        weights = choose_mix(measure(_read_chunks(raw, stream.channels)), stream.layout)
        samples = _write_wave(done, (mix(chunk, weights) for chunk in _read_chunks(raw, stream.channels)))
        if samples == 0:
            raise RecordingRejected("media.no_sound")
    progress(1.0)
    return AudioFile(path=target, duration_ms=samples * 1000 // SAMPLE_RATE, stream=stream)


def stream_at(media: Media, index: int) -> AudioStream:
    """Return the audio stream with that index, from 0.

    Raises:
        RecordingRejected: There is none.
    """
    for stream in media.audio:
        if stream.index == index:
            return stream
    found = ", ".join(str(stream.index) for stream in media.audio)
    raise RecordingRejected("media.no_track_number", {"asked": str(index), "found": found})


def write_mixed(media: Media, streams: Sequence[AudioStream], target: Path, limits: MediaLimits) -> Media:
    """Write a recording anew with one sound, in which all of some streams are heard, and return what it holds.

    Pictures are copied; the sound is mono, the sum of the streams on the video's clock, kept below clipping as a whole.

    Args:
        media: The recording.
        streams: Those to mix, each holding other people.
        target: Where to; Matroska, whatever its name.
        limits: How far it may go.

    Raises:
        RecordingRejected: Nothing in the streams can be decoded.
        MediaError: ffmpeg failed, or went over a limit.
    """
    with written(target, ".pcm") as mixed, written(target) as done:
        _write_sum(media, streams, mixed, limits)
        sound = ffmpeg.input(
            file_url(mixed),
            f="s16le",
            ar=_MIX_RATE,
            ac=1,
            itsoffset=media.clock_zero_ms / 1000,
            protocol_whitelist="file",
        )
        pictures = [open_recording(media.path, threads=limits.threads)["V:0"]] if media.video else []
        form = {"f": "matroska", "c:v": "copy", "c:a": "flac", "map_metadata": -1, "map_chapters": -1}
        run_ffmpeg(ffmpeg.output(*pictures, sound, file_url(done), **form), limits)
    return replace(probe(target, limits), tags=media.tags, missing_ms=media.missing_ms)


def _write_sum(media: Media, streams: Sequence[AudioStream], target: Path, limits: MediaLimits) -> None:
    with ExitStack() as parts:
        raws = [parts.enter_context(written(target, f".{stream.index}.pcm")) for stream in streams]
        for stream, raw in zip(streams, raws, strict=True):
            write_aligned(media, stream, raw, limits, sample_rate=_MIX_RATE, channels=1)
        sums = partial(_sums, raws)
        loudest = max((int(np.abs(chunk).max(initial=0)) for chunk in sums()), default=0)
        if loudest == 0:
            raise RecordingRejected("media.no_sound")
        share = min(1.0, 32767 / loudest)
        with target.open("wb") as file:
            for chunk in sums():
                file.write((chunk * share).astype("<i2").tobytes())


def _sums(raws: Sequence[Path]) -> Iterator[NDArray[np.int32]]:
    """Yield the sum of some files of mono samples, chunk by chunk, as long as the longest."""
    samples = max(raw.stat().st_size // 2 for raw in raws)
    for start in range(0, samples, _CHUNK_SAMPLES):
        total = np.zeros(min(_CHUNK_SAMPLES, samples - start), np.int32)
        for raw in raws:
            count = max(0, min(len(total), raw.stat().st_size // 2 - start))
            total[:count] += np.fromfile(raw, "<i2", count, offset=2 * start) if count else 0
        yield total


def measure_mix(media: Media, stream: AudioStream, beside: Path, limits: MediaLimits) -> tuple[float, ...]:
    """Return the weight of each channel in the one that holds everyone who speaks.

    Args:
        media: What the stream is part of.
        stream: Which.
        beside: A file beside which there is room for its samples at 8 kHz.
        limits: How far it may go.

    Raises:
        MediaError: ffmpeg failed, or went over a limit.
    """
    with written(beside, ".pcm") as raw:
        recording = open_recording(media.path, threads=limits.threads)[f"a:{stream.index}"]
        run_ffmpeg(recording.output(file_url(raw), f="s16le", ar=8000, ac=stream.channels), limits)
        return choose_mix(measure(_read_chunks(raw, stream.channels)), stream.layout)


def read_waveform(audio: AudioFile) -> Waveform:
    """Return the sound of an audio file, of which what is asked for is read: hours take no more memory than minutes.

    Raises:
        MediaError: It is not a file that :func:`write_audio_file` made.
    """
    try:
        with wave.open(str(audio.path), "rb") as file:
            shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            samples = file.getnframes()
    except (wave.Error, EOFError) as error:
        raise MediaError("media.audio_damaged") from error
    offset = audio.path.stat().st_size - 2 * samples
    if shape != (SAMPLE_RATE, 1, 2) or offset < 0:
        raise MediaError("media.audio_damaged")
    return _WaveformFile(audio.path, offset, samples)


class _WaveformFile:
    """The samples of a file; see :class:`pipeline.ports.Waveform`."""

    def __init__(self, path: Path, offset: int, samples: int) -> None:
        self._path = path
        self._offset = offset
        self._samples = samples

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, stretch: slice, /) -> Clip:
        first, last, _ = stretch.indices(self._samples)
        count = max(0, last - first)
        read = np.fromfile(self._path, "<i2", count, offset=self._offset + 2 * first)
        return read * np.float32(1 / 32768)


def write_aligned(
    media: Media,
    stream: AudioStream,
    target: Path,
    limits: MediaLimits,
    *,
    sample_rate: int = SAMPLE_RATE,
    channels: int | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write a stream as bare 16-bit samples from the video's time zero on, without holes.

    Two passes: a stream whose channels or rate change on the way makes ffmpeg build its filters again, which then pad
    from zero again, so the first pass brings everything to one form and the second looks at the time stamps.

    Args:
        media: What the stream is part of.
        stream: Which.
        target: Where to; interleaved, little-endian, no header.
        limits: How far it may go.
        sample_rate: Hz.
        channels: How many; as many as the stream has if not given.
        progress: Told the share done.

    Raises:
        MediaError: ffmpeg failed, or went over a limit.
    """
    form = {"acodec": "pcm_s16le", "ac": channels or stream.channels, "ar": sample_rate}
    with written(target, ".nut") as plain:
        recording = open_recording(media.path, threads=limits.threads)
        decode = recording[f"a:{stream.index}"].output(file_url(plain), f="nut", **form)
        run_ffmpeg(
            on_one_clock(decode, clock_streams(media, recording)),
            limits,
            duration_ms=media.duration_ms,
            progress=lambda share: progress(share * 0.8),
        )
        zero = f"{media.clock_zero_ms / 1000:.3f}"
        # Without "res", sound that needs no resampling is padded from zero again at the first correction of drift.
        filled = {"async": 100, "first_pts": 0, "flags": "res"}
        sound = ffmpeg.input(file_url(plain), f="nut", protocol_whitelist="file").filter("atrim", start=zero)
        sound = sound.filter("asetpts", f"PTS-{zero}/TB").filter("aresample", sample_rate, **filled)
        fill = sound.output(file_url(target), f="s16le", copyts=None, t=length_s(media), **form)
        run_ffmpeg(fill, limits)
    progress(1.0)


def clock_streams(media: Media, recording: Node) -> tuple[Node, ...]:
    """Return every stream that :func:`probe` told the file's clock from."""
    sound = [recording[f"a:{stream.index}"] for stream in media.audio]
    return (*sound, recording["V:0"]) if media.video else tuple(sound)


def length_s(media: Media) -> str:
    """Return how long to write, in seconds: a second more than the recording lasts, whatever its time stamps say."""
    return f"{(media.duration_ms + 1000) / 1000:.3f}"


def _describe(path: Path, limits: MediaLimits) -> Described:
    answer = bytearray()

    def keep(line: bytes) -> None:
        answer.extend(line)
        if len(answer) > _ANSWER_BYTES:
            raise RecordingRejected("media.unreadable")

    try:
        run_ffprobe(path, ("-show_format", "-show_streams", "-of", "json"), limits, keep)
    except MediaError as error:
        if error.code != "media.failed":
            raise
        raise RecordingRejected(_reason(error.data["said"], path)) from error
    return cast("Described", json.loads(answer.decode(errors="replace")))


def _reason(said: str, path: Path) -> str:
    """Return the code of the message for what ffprobe complained about."""
    if "not on whitelist" in said:
        return "media.not_a_recording"
    with path.open("rb") as file:
        begins_as_mp4 = file.read(8)[4:] in _MP4_BOXES
    return "media.unfinished" if "moov atom not found" in said and begins_as_mp4 else "media.unreadable"


def _seconds(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None


def _count(described: Described, key: str) -> int:
    text = str(described.get(key, 0))
    return int(text) if text.isdecimal() else 0


def _tags(described: Described) -> Mapping[str, str]:
    return cast("Mapping[str, str]", described.get("tags", {}))


def _start_ms(stream: Described, origin: float) -> int:
    start = _seconds(stream.get("start_time"))
    return 0 if start is None else round((start - origin) * 1000)


def _audio_streams(streams: Sequence[Described], origin: float) -> tuple[AudioStream, ...]:
    audio = [stream for stream in streams if stream.get("codec_type") == "audio"]
    # What the demuxer only guessed at has neither channels nor a rate.
    sane = [bool(_count(stream, "channels") and _count(stream, "sample_rate")) for stream in audio]
    return tuple(_audio_stream(index, audio[index], origin) for index, good in enumerate(sane) if good)


def _audio_stream(index: int, stream: Described, origin: float) -> AudioStream:
    tags = {key.lower(): text for key, text in _tags(stream).items()}
    marks = cast("Mapping[str, int]", stream.get("disposition", {}))
    title = tags.get("title") or None
    marked = any(marks.get(mark) for mark in ("comment", "visual_impaired", "descriptions"))
    return AudioStream(
        index=index,
        codec=str(stream.get("codec_name", "unknown")),
        channels=_count(stream, "channels"),
        sample_rate=_count(stream, "sample_rate"),
        language=_language(tags.get("language", "")),
        title=title,
        start_ms=_start_ms(stream, origin),
        default=bool(marks.get("default")),
        auxiliary=marked or bool(title and _AUXILIARY.search(title)),
        layout=str(stream["channel_layout"]) if "channel_layout" in stream else None,
    )


def _language(tag: str) -> str | None:
    code = re.split(r"[-_]", tag.strip().lower())[0]
    return None if code in _NO_LANGUAGE else _ISO_639_1.get(code, code)


def _video_stream(streams: Sequence[Described], origin: float) -> VideoStream | None:
    for stream in streams:
        marks = cast("Mapping[str, int]", stream.get("disposition", {}))
        if stream.get("codec_type") == "video" and not marks.get("attached_pic") and _count(stream, "width"):
            return _seen(stream, origin)
    return None


def _seen(stream: Described, origin: float) -> VideoStream:
    width, height = _count(stream, "width"), _count(stream, "height")
    sides = cast("Sequence[Described]", stream.get("side_data_list", []))
    turned = any(round(_seconds(side.get("rotation")) or 0) % 180 == 90 for side in sides)
    return VideoStream(
        codec=str(stream.get("codec_name", "unknown")),
        width=height if turned else width,
        height=width if turned else height,
        frame_rate=_ratio(stream.get("avg_frame_rate")) or _ratio(stream.get("r_frame_rate")),
        pixel_format=str(stream.get("pix_fmt", "unknown")),
        start_ms=_start_ms(stream, origin),
    )


def _ratio(text: object) -> float:
    top, _, bottom = str(text).partition("/")
    return int(top) / int(bottom) if top.isdigit() and bottom.isdigit() and int(bottom) else 0.0


def _with_duration(
    media: Media, streams: Sequence[Described], origin: float, header_s: float | None, limits: MediaLimits
) -> Media:
    played = {str(stream["index"]) for stream in streams if stream.get("codec_type") == "audio"}
    played |= {str(stream["index"]) for stream in streams if media.video and stream.get("codec_type") == "video"}
    covers = (
        stream for stream in streams if cast("Mapping[str, int]", stream.get("disposition", {})).get("attached_pic")
    )
    played -= {str(stream["index"]) for stream in covers}
    end_s = _last_end(media.path, played, limits) - origin
    # One corrupt time stamp may say that a short file lasts for days; then the header is the better witness.
    if end_s * 1000 > limits.max_duration_ms and header_s is not None:
        end_s = min(end_s, header_s)
    duration_ms = round(end_s * 1000) - media.clock_zero_ms
    if duration_ms <= 0:
        raise RecordingRejected("media.no_sound")
    if duration_ms > limits.max_duration_ms:
        hours = [f"{ms / 3_600_000:.1f}" for ms in (duration_ms, limits.max_duration_ms)]
        raise RecordingRejected("media.too_long", {"hours": hours[0], "most": hours[1]})
    return replace(media, duration_ms=duration_ms, missing_ms=_missing_ms(media.container, header_s, end_s))


def _missing_ms(container: str, header_s: float | None, end_s: float) -> int:
    """Return how much of a file is missing at its end, as far as its header can be believed: not by what is usual."""
    if header_s is None or container not in _HEADERS_THAT_COUNT:
        return 0
    missing_ms = round((header_s - end_s) * 1000)
    return missing_ms if missing_ms > max(_MISSING_MS, header_s * 1000 * _MISSING_SHARE) else 0


def _last_end(path: Path, indexes: AbstractSet[str], limits: MediaLimits) -> float:
    """Return when the last packet of some streams ends, in seconds of the file's own clock; far below 0 without any."""
    last = -math.inf

    def read(line: bytes) -> None:
        nonlocal last
        index, *times = line.decode(errors="replace").strip().split(",")
        if index in indexes and len(times) >= 3:
            start = _seconds(times[0]) if times[0] != "N/A" else _seconds(times[1])
            if start is not None:
                last = max(last, start + (_seconds(times[2]) or 0.0))

    try:
        entries = "packet=stream_index,pts_time,dts_time,duration_time"
        run_ffprobe(path, ("-show_entries", entries, "-of", "csv=p=0"), limits, read)
    except MediaError as error:
        if error.code != "media.failed":
            raise
        _logger.info("reading stopped before the end of the file")
    return last if last > -math.inf else -1e9


def _preference(stream: AudioStream, session: Session) -> tuple[bool, bool, bool, bool, int, int]:
    floor = len(session.languages) > 1 and bool(_FLOOR.search(stream.title or ""))
    spoken = stream.language == session.language
    return not stream.auxiliary, floor, spoken, stream.default, stream.channels, -stream.index


def _read_chunks(raw: Path, channels: int) -> Iterator[Samples]:
    samples = raw.stat().st_size // (2 * channels)
    for start in range(0, samples, _CHUNK_SAMPLES):
        count = min(_CHUNK_SAMPLES, samples - start)
        yield np.fromfile(raw, "<i2", count * channels, offset=start * 2 * channels).reshape(count, channels)


def _write_wave(target: Path, chunks: Iterable[NDArray[np.int16]]) -> int:
    total = 0
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for chunk in chunks:
            file.writeframes(chunk.astype("<i2").tobytes())
            total += len(chunk)
    return total
