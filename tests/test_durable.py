"""Files on disk: whole after a power cut, names that are never taken twice."""

from __future__ import annotations

import errno
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.durable import fit_name, free_path, remove_unfinished, rename_new, sync_folder, write_changed, write_whole


def test_a_name_that_is_taken_is_never_taken_over(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        rename_new(source, target)
    assert target.read_bytes() == b"old"


def test_where_the_system_cannot_rename_without_replacing_it_is_looked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        rename_new(source, target)
    rename_new(source, tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"new"


def test_a_file_system_that_cannot_flush_a_folder_is_forgiven_and_a_failing_disk_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(code: int) -> None:
        def fsync(handle: int) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fsync", fsync)

    fail(errno.EINVAL)
    sync_folder(tmp_path)
    fail(errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        sync_folder(tmp_path)


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o644)
    write_whole(path, b"secret", private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    abandoned = [f".tribune-{'0' * 16}.tmp", f"session/.tribune-{'a' * 16}.tmp"]
    kept = [".tribune-draft.tmp", f"tribune-{'0' * 16}.tmp", f".tribune-{'0' * 16}.tmp.mp4", "session/state.json"]
    for name in (*abandoned, *kept):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - 4000,) * 2)
    kept.append(f"session/.tribune-{'b' * 16}.tmp")
    (tmp_path / kept[-1]).touch()
    remove_unfinished(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(kept)


def test_files_written_at_once_into_one_folder_keep_their_own_content(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for length in range(60):
            content = bytes([number]) * (length + 1) * 1000
            write_whole(tmp_path / f"{number}", content)
            assert (tmp_path / f"{number}").read_bytes() == content

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{number}" for number in range(8)]


def test_what_could_not_be_written_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a", b"old")]


def test_a_text_is_written_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    assert [write_changed(path, text) for text in ("a", "a", "b")] == [True, False, True]


def test_free_names_are_numbered_before_the_extension(tmp_path: Path) -> None:
    for name in ("a.mp4", "a (2).mp4"):
        (tmp_path / name).touch()
    assert free_path(tmp_path / "a.mp4").name == "a (3).mp4"
    assert free_path(tmp_path / "b.mp4").name == "b.mp4"


@given(name=st.binary(min_size=1, max_size=255).filter(lambda raw: not set(raw) & {0, 47} and raw not in {b".", b".."}))
def test_any_name_can_be_numbered(name: bytes) -> None:
    text = os.fsdecode(name)
    for count in (1, 2, 1000):
        fitted = fit_name(Path(text), count, ".reason.txt")
        assert len(os.fsencode(fitted)) <= 255
        assert fitted.endswith(".reason.txt")
