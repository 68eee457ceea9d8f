"""Turns into another program, within bounds, and dies with whoever asked.

Run as a script in an interpreter of its own, never imported: it takes its bounds and a command as arguments, sets the
bounds upon itself and becomes the command. Setting them between fork and exec in the calling process is not safe where
there are threads, and setting them from outside comes too late. Imports nothing of ours, so that it starts in no time.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(parent: int, bounds: tuple[int, int, int], command: list[str]) -> None:
    """Become the command.

    Args:
        parent: The process that must be alive for the command to run.
        bounds: Bytes of address space, bytes of one written file, seconds of all its threads together.
        command: Absolute path of the program, and its arguments.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        sys.exit(1)
    memory_bytes, output_bytes, cpu_seconds = bounds
    kinds = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: output_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in kinds.items():
        hardest = resource.getrlimit(kind)[1]
        value = bound if hardest == resource.RLIM_INFINITY else min(bound, hardest)
        # Not every system bounds everything.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))
    # Python ignores it; a program that writes too much is to be stopped by it.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606  # becoming a program is what this is for


if __name__ == "__main__":
    _parent, _memory, _output, _cpu = map(int, sys.argv[1:5])
    main(_parent, (_memory, _output, _cpu), sys.argv[5:])
