"""A finished stage is not done twice, and a stale one is never believed."""

from pathlib import Path

import pytest

from pipeline.checkpoints import Checkpoints
from pipeline.types import Artifact, Span

SPAN = Span(start_ms=0, end_ms=40)


class Counted:
    """A stage that counts how often it runs."""

    def __init__(self, result: Span = SPAN) -> None:
        self.result = result
        self.runs = 0

    def __call__(self) -> Span:
        self.runs += 1
        return self.result


def test_the_same_inputs_give_the_first_result_again(tmp_path: Path) -> None:
    work = Counted()
    first = Checkpoints(folder=tmp_path).run("speech", Span, ("a", SPAN), work)
    again = Checkpoints(folder=tmp_path).run("speech", Span, ("a", SPAN), work)
    assert work.runs == 1
    assert not first.resumed
    assert again.resumed
    assert again.result == first.result
    assert again.timing == first.timing


@pytest.mark.parametrize("other", [("b", SPAN), ("a", Span(start_ms=0, end_ms=41)), ("a",)])
def test_other_inputs_do_the_work_again(tmp_path: Path, other: tuple[object, ...]) -> None:
    work = Counted()
    Checkpoints(folder=tmp_path).run("speech", Span, ("a", SPAN), work)
    Checkpoints(folder=tmp_path).run("speech", Span, other, work)
    assert work.runs == 2


@pytest.mark.parametrize("damage", [b"", b"{", b'{"key": 1}', b"[]"])
def test_a_damaged_checkpoint_is_made_again(tmp_path: Path, damage: bytes) -> None:
    work = Counted()
    checkpoints = Checkpoints(folder=tmp_path)
    checkpoints.run("speech", Span, ("a",), work)
    (tmp_path / "speech.json").write_bytes(damage)
    assert checkpoints.run("speech", Span, ("a",), work).result == SPAN
    assert work.runs == 2


def test_a_result_whose_file_is_gone_or_cut_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    runs = 0

    def make() -> Artifact:
        nonlocal runs
        runs += 1
        file.write_bytes(b"video")
        return Artifact(name="video.mp4", path=file, content_type="video/mp4", sha256="0" * 64, size=5, role="video")

    checkpoints = Checkpoints(folder=tmp_path / "checkpoints")
    checkpoints.run("video", Artifact, (), make)
    checkpoints.run("video", Artifact, (), make)
    assert runs == 1
    file.unlink()
    checkpoints.run("video", Artifact, (), make)
    file.write_bytes(b"vid")
    checkpoints.run("video", Artifact, (), make)
    assert runs == 3


def test_a_stage_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> Span:
        raise ValueError("no")

    checkpoints = Checkpoints(folder=tmp_path)
    with pytest.raises(ValueError, match="no"):
        checkpoints.run("speech", Span, (), fail)
    assert list(tmp_path.iterdir()) == []
