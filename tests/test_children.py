"""A child is started again when it dies and ends with its parent, however that ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.children import kept_running, wait_until

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(120)"]
PARENT = """
import sys, time
from pathlib import Path
from flows.children import kept_running, wait_until
with kept_running("sleep", sys.argv[2:], log=Path(sys.argv[1])) as kept:
    print(kept.pid, flush=True)
    time.sleep(120)
"""


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_that_is_killed_is_started_again_and_ended_with_the_block(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "child.log"
    with kept_running("sleep", SLEEP, log=log) as kept:
        first = kept.pid
        wait(lambda: log.read_text() == "up\n")
        os.kill(first, signal.SIGKILL)
        wait(lambda: kept.starts == 2)
        second = kept.pid
        wait(lambda: log.read_text() == "up\nup\n")
        assert lives(second)
        assert not lives(first)
    assert not lives(second)


def test_a_child_that_ignores_being_asked_is_made_to_end(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
    )
    with kept_running("stubborn", [sys.executable, "-c", stubborn], log=tmp_path / "log", grace_s=0.5) as kept:
        wait(lambda: (tmp_path / "log").read_text() == "up\n")
        pid = kept.pid
    assert not lives(pid)


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log"), *SLEEP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait(lambda: (tmp_path / "log").read_text() == "up\n")
        parent.kill()
        parent.wait()
    wait(lambda: not lives(pid))


def test_what_prefect_starts_ends_with_whoever_started_it(tmp_path: Path) -> None:
    orphan = (
        "import os, time; from flows.children import end_with_parent; end_with_parent();"
        "print(os.getpid(), flush=True); time.sleep(120)"
    )
    start = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    with subprocess.Popen([sys.executable, "-c", start, orphan], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    wait(lambda: not lives(pid))


def test_what_is_slow_to_start_is_waited_for_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.children._TOLD_EVERY_S", 0.2)
    log = tmp_path / "log"
    told: list[tuple[Path, int]] = []
    with kept_running("sleep", SLEEP, log=log) as kept:
        assert wait_until(lambda: len(told) >= 2 and bool(log.read_text()), kept, lambda *now: told.append(now))
    assert {path for path, _ in told} == {log}


def test_what_never_serves_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.children._STARTS_WITHIN_S", 0.5)
    with kept_running("sleep", SLEEP, log=tmp_path / "log") as kept:
        assert not wait_until(lambda: False, kept, lambda *_: None)


def test_what_ends_by_itself_again_and_again_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.children._SHORTEST_PAUSE_S", 0.01)
    with kept_running("ends", [sys.executable, "-c", ""], log=tmp_path / "log") as kept:
        assert not wait_until(lambda: False, kept, lambda *_: None)
        assert kept.starts > 1
