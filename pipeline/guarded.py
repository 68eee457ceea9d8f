"""Runs another program so that it dies with whoever asked for it, and within bounds where those are given.

In goes a command, out comes a longer one: this file, run as a script in an interpreter of its own, which asks the
kernel to be ended with its parent, sets the bounds upon itself and becomes the command. Doing so between fork and exec
in the calling process is not safe where there are threads, and doing it from outside comes too late. The kernel watches
the *thread* that started it, so a child that is to live on must be started by a thread that does. Imports nothing of
ours, so that the script starts in no time.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

_PR_SET_PDEATHSIG: Final = 1


class Bounds(NamedTuple):
    """How far a program may go; 0 for no bound.

    Attributes:
        memory_bytes: Address space.
        output_bytes: Size of one written file.
        cpu_seconds: Of all its threads together.
    """

    memory_bytes: int = 0
    output_bytes: int = 0
    cpu_seconds: int = 0


UNBOUNDED: Final = Bounds()


def guarded(
    command: Sequence[str], *, ends_by: signal.Signals = signal.SIGKILL, bounds: Bounds = UNBOUNDED
) -> list[str]:
    """Return the command that runs a command so that it ends with the calling thread.

    Args:
        command: Absolute path of the program, and its arguments.
        ends_by: What the kernel sends it then. Linux only; elsewhere it lives on.
        bounds: How far it may go.
    """
    arguments = (os.getpid(), int(ends_by), *bounds)
    return [sys.executable, "-I", "-S", __file__, *map(str, arguments), *command]


def _become(parent: int, ends_by: int, bounds: Bounds, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ends_by)
    # The parent may have died before the request took effect.
    if os.getppid() != parent:
        sys.exit(1)
    kinds = {
        resource.RLIMIT_AS: bounds.memory_bytes,
        resource.RLIMIT_FSIZE: bounds.output_bytes,
        resource.RLIMIT_CPU: bounds.cpu_seconds,
    }
    for kind, bound in kinds.items():
        if bound:
            _limit(kind, bound)
    if any(bounds):
        _limit(resource.RLIMIT_CORE, 0)
        # Python ignores it; a program that writes too much is to be stopped by it.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - becoming a program is what this is for


def _limit(kind: int, bound: int) -> None:
    hardest = resource.getrlimit(kind)[1]
    value = bound if hardest == resource.RLIM_INFINITY else min(bound, hardest)
    # Not every system bounds everything.
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    _parent, _ends_by, *_bounds = map(int, sys.argv[1:6])
    _become(_parent, _ends_by, Bounds(*_bounds), sys.argv[6:])
