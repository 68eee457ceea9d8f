"""The kernel gives a lock back when its holder dies."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.locks import Held, exclusive, is_held

HOLD = """
import sys, time
from pathlib import Path
from pipeline.locks import exclusive
with exclusive(Path(sys.argv[1]), wait=True):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_turned_away(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "lock"
    with exclusive(lock, wait=False), pytest.raises(Held) as refused, exclusive(lock, wait=False):
        pass
    assert refused.value.path == lock
    assert not is_held(lock)


def test_a_killed_holder_gives_the_lock_back_at_once(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(lock)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert not is_held(lock)


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    order: list[str] = []

    def wait_for_it() -> None:
        with exclusive(lock, wait=True):
            order.append("second")

    with exclusive(lock, wait=True):
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(60)
    assert order == ["first", "second"]
