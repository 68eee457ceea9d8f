"""Processes that live no longer than the one that started them.

In goes a command, out comes a running child that the kernel ends when its parent dies, even by SIGKILL, so that no
server, worker or watcher is left behind to hold a port or a lock. Each child leads a process group, so whatever it
starts can be ended with it. Stands alone because every service needs it and none should do it in its own way.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_GRACE_S: Final = 8.0


def start_child(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a command that ends with this process; its output is appended to ``log``.

    Raises:
        OSError: The log cannot be written.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    guarded = [sys.executable, "-m", "flows.children", str(os.getpid()), *command]
    with log.open("ab") as out:
        return subprocess.Popen(
            guarded,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            process_group=0,
        )


def stop_child(child: subprocess.Popen[bytes], grace_s: float = _GRACE_S) -> None:
    """End a child and what it started: asked first, made to after ``grace_s``."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def wait_until(ready: Callable[[], bool], child: subprocess.Popen[bytes], *, within_s: float) -> bool:
    """Wait for a child to be ready; say whether it is before it ends or the time is over."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and child.poll() is None:
        if ready():
            return True
        time.sleep(0.1)
    return False


def _become(parent: int, command: Sequence[str]) -> None:
    """Turn this process into the command, to be ended by the kernel when the parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have died before the request took effect.
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(command[0], list(command))  # noqa: S606 - the command is an argument list of our own


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
