"""A recording without what learners do not get: passages taken out, voices under a tone, pictures blurred or black.

A probed recording, the stream that is heard and a timeline come in; a recording of the same kind comes out, from which
the video, the sound and the poster are then made as from any other. What was cut is not in it. The sound is cut by the
sample, so captions stay where the words are. Stands alone because only reviewed sessions need it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import ffmpeg
import numpy as np

from pipeline.cuts import Timeline
from pipeline.ffmpeg import MediaLimits, Node, file_url, on_one_clock, run_ffmpeg, written
from pipeline.media import clock_streams, probe, write_aligned
from pipeline.revisions import Cut
from pipeline.types import AudioStream, Media, Span
from pipeline.video import ENCODED, encodable, moved_recording

_RATE: Final = 48_000
_BLOCK: Final = _RATE * 10
_TONE_HZ: Final = 1000
_TONE_LEVEL: Final = 0.1
"""Of full scale: heard well, and far from hurting."""

_FEWEST_PICTURES: Final = 25
"""A second: how exactly pictures are cut. Screens that stand still are recorded with hardly any."""

_MOST_PICTURES: Final = 60


def write_cut(media: Media, stream: AudioStream, timeline: Timeline, target: Path, limits: MediaLimits) -> Media:
    """Write a recording anew without what is cut, and return what it holds: one sound, and pictures where it had some.

    Args:
        media: The recording.
        stream: The sound to keep.
        timeline: What goes.
        target: Where to; Matroska, whatever its name.
        limits: How far it may go.

    Raises:
        MediaError: ffmpeg failed, or went over a limit; nothing is left, say.
    """
    channels = min(2, stream.channels)
    with written(target, ".pcm") as whole, written(target, ".cut") as kept, written(target) as done:
        write_aligned(media, stream, whole, limits, sample_rate=_RATE, channels=channels)
        with whole.open("rb") as source, kept.open("wb") as sink:
            _copy_sound(source, sink, timeline, channels)
        sound = ffmpeg.input(file_url(kept), f="s16le", ar=_RATE, ac=channels, protocol_whitelist="file")
        form = {
            "f": "matroska",
            "c:a": "flac",
            "map_metadata": -1,
            "map_chapters": -1,
            "t": timeline.kept_ms / 1000,
            "fflags": "+bitexact",
            "flags": "+bitexact",
        }
        _write(media, sound, timeline, done, form, limits)
    return replace(probe(target, limits), tags=media.tags)


def _write(
    media: Media,
    sound: Node,
    timeline: Timeline,
    target: Path,
    form: dict[str, object],
    limits: MediaLimits,
) -> None:
    if media.video is None:
        run_ffmpeg(sound.output(file_url(target), **form), limits)
        return
    recording = moved_recording(media, limits)
    if timeline.removed or any(cut.picture != "untouched" for cut in timeline.masked):
        picture = _cut_picture(_masked_picture(encodable(media, recording), timeline.masked), media, timeline)
        written_as = ENCODED
    else:
        picture, written_as = recording["V:0"], {"c:v": "copy"}
    output = ffmpeg.output(picture, sound, file_url(target), **written_as, **form)
    command = on_one_clock(output, clock_streams(media, recording))
    run_ffmpeg(command, limits)


def _copy_sound(source: BinaryIO, sink: BinaryIO, timeline: Timeline, channels: int) -> None:
    """Copy bare samples without what is taken out, and with something else in place of what is masked."""
    for span in timeline.kept:
        source.seek(_samples(span.start_ms) * 2 * channels)
        first, last = _samples(span.start_ms), _samples(span.end_ms)
        for start in range(first, last, _BLOCK):
            wanted = min(_BLOCK, last - start)
            block = np.zeros(wanted * channels, dtype="<i2")
            found = np.frombuffer(source.read(wanted * 2 * channels), dtype="<i2")
            # The sound may end before the pictures do.
            block[: found.size] = found
            sink.write(_hidden(block.reshape(wanted, channels), start, timeline.masked).tobytes())


def _hidden(block: np.ndarray[tuple[int, int], np.dtype[np.int16]], start: int, masked: Sequence[Cut]) -> np.ndarray:
    for cut in masked:
        first, last = max(start, _samples(cut.start_ms)), min(start + len(block), _samples(cut.end_ms))
        if first < last:
            block[first - start : last - start] = _instead(cut, first, last)[:, None]
    return block


def _instead(cut: Cut, first: int, last: int) -> np.ndarray:
    """Return what is heard between two samples of the recording."""
    if cut.sound == "silence":
        return np.zeros(last - first, dtype="<i2")
    at = np.arange(first, last, dtype=np.float64) / _RATE
    return np.round(np.sin(2 * np.pi * _TONE_HZ * at) * _TONE_LEVEL * 32_767).astype("<i2")


def _masked_picture(picture: Node, masked: Sequence[Cut]) -> Node:
    blurred = [cut for cut in masked if cut.picture == "blur"]
    black = [cut for cut in masked if cut.picture == "black"]
    if blurred:
        strong = {"luma_radius": "min(w,h)/12", "chroma_radius": "min(cw,ch)/12", "luma_power": 3, "chroma_power": 3}
        picture = picture.filter("boxblur", enable=_within(blurred), **strong)
    if black:
        picture = picture.filter("drawbox", color="black", t="fill", enable=_within(black))
    return picture


def _cut_picture(picture: Node, media: Media, timeline: Timeline) -> Node:
    """Take pictures out and move the others up, each by all that was taken out before it."""
    rate = media.video.frame_rate if media.video else 0.0
    steady = picture.filter("fps", min(_MOST_PICTURES, max(_FEWEST_PICTURES, rate)))
    if not timeline.removed:
        return steady
    earlier = "+".join(f"gte(T,{_s(span.end_ms)})*{_s(span.duration_ms)}" for span in timeline.removed)
    left = steady.filter("select", f"not({_within(timeline.removed)})")
    return left.filter("setpts", f"PTS-({earlier})/TB")


def _within(spans: Sequence[Span]) -> str:
    return "+".join(_one_within(spans))


def _one_within(spans: Sequence[Span]) -> Iterator[str]:
    for span in spans:
        yield f"gte(t,{_s(span.start_ms)})*lt(t,{_s(span.end_ms)})"


def _s(ms: int) -> str:
    return f"{ms / 1000:.3f}"


def _samples(ms: int) -> int:
    return ms * _RATE // 1000
