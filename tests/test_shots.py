"""Shot changes are found where they are, at little cost, and what cannot be told is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.media import probe
from pipeline.shots import find_shots
from tests.clips import LIMITS, SHARED, beep, make

SHOTS = (
    "-f", "lavfi", "-i", "smptebars=size=320x180:rate=25:duration=3.4",
    "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25:duration=3",
    "-f", "lavfi", "-i", "color=navy:size=320x180:rate=25:duration=5",
    *beep(), "-filter_complex", "[0][1][2]concat=n=3:v=1[v]", "-map", "[v]", "-map", "3:a",
    "-c:v", "libx264", "-preset", "veryfast",
)  # fmt: skip
CHANGES = (3400, 6400)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("with_the_shot.mp4", ()),
        ("every_two_seconds.mp4", ("-g", "50", "-sc_threshold", "0")),
        ("late.ts", ("-g", "50", "-sc_threshold", "0", "-output_ts_offset", "7", "-muxdelay", "0")),
        ("late.mkv", ("-g", "50", "-output_ts_offset", "2.5")),
    ],
)
def test_a_shot_change_is_found_where_it_is(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    clip = make(tmp_path / name, *SHOTS, *options)
    found = find_shots(probe(clip, LIMITS), tmp_path, LIMITS)
    assert len(found) == len(CHANGES)
    assert all(abs(there - expected) <= 40 for there, expected in zip(found, CHANGES, strict=True))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_movement_is_no_shot_change(tmp_path: Path) -> None:
    clip = make(
        tmp_path / "moving.mp4", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=6", *beep(), "-g", "25"
    )
    assert find_shots(probe(clip, LIMITS), tmp_path, LIMITS) == ()


def test_sound_has_no_shots_and_a_failure_is_none(tmp_path: Path) -> None:
    sound = probe(make(tmp_path / "beep.flac", *beep()), LIMITS)
    assert find_shots(sound, tmp_path, LIMITS) == ()
    clip = probe(make(tmp_path / "clip.mp4", *SHOTS), LIMITS)
    assert find_shots(clip, tmp_path, replace(LIMITS, timeout_s=0.001)) == ()


@pytest.mark.skipif(not (SHARED / "council").is_dir(), reason="the recording is not beside this checkout")
def test_the_shot_changes_of_a_real_recording_are_found(tmp_path: Path) -> None:
    media = probe(SHARED / "council" / "example_video.mp4", LIMITS)
    assert find_shots(media, tmp_path, LIMITS) == (23_890, 38_372, 47_614, 62_596, 140_440)
