"""When the picture goes to another shot: the moments at which captions had better come and go.

In comes a probed recording; out go the times of its shot changes. Decoding every picture of a talk would take as long
as recognising it, so only the pictures that stand by themselves are compared first, and only where two of them differ
is everything between them looked at. It stands alone because nothing but the timing of captions needs it, and captions
can do without.
"""

from __future__ import annotations

import logging
import re
from itertools import pairwise
from pathlib import Path
from typing import Final

from pipeline.errors import MediaError
from pipeline.ffmpeg import MediaLimits, Node, open_recording, run_ffmpeg, written
from pipeline.types import Media

_logger = logging.getLogger(__name__)

_WIDTH: Final = 160
_DIFFERENT: Final = 6.0
"""Mean difference of two pictures in per cent, from which they may be of two shots; a talk's own movement gives 3."""
_CHANGED: Final = 0.3
"""ffmpeg's score for a picture that is of another shot than the one before."""
_MOST_SHARE: Final = 0.25
"""Not more of a recording than this is looked at picture by picture: more shot changes than that are no talk's."""
_LEAST_LOOKED_AT_S: Final = 120.0

_TIME: Final = re.compile(r"pts_time:(-?[\d.]+)")
_VALUE: Final = re.compile(r"lavfi\.\w+(?:\.mafd|_score)=([\d.]+)")

_Shown = tuple[float, float]
"""When a picture is shown, in seconds of the file's own clock, and how much it differs."""


def find_shots(media: Media, folder: Path, limits: MediaLimits) -> tuple[int, ...]:
    """Return when the shot changes, in ms from the first picture; nothing where it cannot be told.

    A change away and back between two pictures that stand by themselves is not found.

    Args:
        media: The recording.
        folder: For an intermediate file; exists.
        limits: How far ffmpeg may go.
    """
    if media.video is None:
        return ()
    try:
        whole = _measured(_whole_pictures(media, limits), folder, limits)
        shots = [moment for stretch in _stretches(whole, media) for moment in _inside(media, stretch, folder, limits)]
    except MediaError as failure:
        _logger.warning("no shot changes: %s", failure.code)
        return ()
    return tuple(sorted({round((moment - whole[0][0]) * 1000) for moment in shots}))


def _stretches(whole: list[_Shown], media: Media) -> list[tuple[float, float]]:
    """Return where to look picture by picture: before what differs, the most different first, as far as is bearable."""
    left = max(_LEAST_LOOKED_AT_S, media.duration_ms / 1000 * _MOST_SHARE)
    # After the last of them nothing says whether the picture changes.
    close = (whole[0][0] + media.duration_ms / 1000, _DIFFERENT)
    chosen = []
    for (begin, _), (end, difference) in sorted(pairwise([*whole, close]), key=lambda pair: -pair[1][1]):
        if difference >= _DIFFERENT and end - begin <= left:
            left -= end - begin
            chosen.append((begin, end))
    return chosen


def _whole_pictures(media: Media, limits: MediaLimits) -> Node:
    recording = open_recording(media.path, threads=limits.threads, skip_frame="nokey")
    return _small(recording["V:0"]).filter("scdet", sc_pass=0)


def _inside(media: Media, stretch: tuple[float, float], folder: Path, limits: MediaLimits) -> list[float]:
    begin, end = stretch
    # By the file's own clock, which is told to a tenth of a millisecond; ffmpeg may begin one whole picture earlier.
    seek = {"seek_timestamp": 1, "ss": f"{begin + 0.001:.4f}", "noaccurate_seek": None}
    recording = open_recording(media.path, threads=limits.threads, **seek)
    pictures = recording["V:0"].filter("trim", start=f"{begin - 0.001:.4f}", end=f"{end + 0.2:.4f}")
    found = _measured(_small(pictures).filter("select", f"gt(scene,{_CHANGED})"), folder, limits)
    return [moment for moment, _ in found if begin < moment <= end]


def _small(pictures: Node) -> Node:
    return pictures.filter("scale", _WIDTH, -2, flags="fast_bilinear")


def _measured(pictures: Node, folder: Path, limits: MediaLimits) -> list[_Shown]:
    """Return the time and the difference of each picture."""
    with written(folder / "shots.txt", ".part") as listed:
        output = pictures.filter("metadata", "print", file=str(listed)).output("-", f="null")
        run_ffmpeg(output.global_args("-copyts"), limits)
        text = listed.read_text(encoding="utf-8") if listed.exists() else ""
    times = [float(found[1]) for found in _TIME.finditer(text)]
    return list(zip(times, [float(found[1]) for found in _VALUE.finditer(text)], strict=False))
