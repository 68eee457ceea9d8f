"""How much memory a process and its children take at most.

It stands alone because it is the one place that reads Linux' ``/proc``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

_PROC: Final = Path("/proc")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_EVERY_S: Final = 0.1


class MemoryWatch(threading.Thread):
    """Looks at a process and all it started ten times a second while the block lasts.

    Args:
        ignored: Gives the processes that do not count, such as an object store that serves others too.
    """

    def __init__(self, ignored: Callable[[], set[int]] = set) -> None:
        super().__init__(name="memory", daemon=True)
        self._ignored = ignored
        self._peak = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until told to end."""
        while not self._ended.wait(_EVERY_S):
            self._peak = max(self._peak, tree_bytes(os.getpid(), self._ignored()))

    def take(self) -> int:
        """Return the peak in bytes since the last time this was asked, and begin anew."""
        peak = max(self._peak, _own_peak())
        self._peak = 0
        (_PROC / "self" / "clear_refs").write_text("5")
        return peak

    def __enter__(self) -> Self:
        self.start()
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def tree_bytes(process: int, ignored: set[int] | None = None) -> int:
    """Return the resident memory of a process and everything that it started, bytes."""
    return sum(_resident(each) for each in _tree(process, ignored or set()))


def _tree(process: int, ignored: set[int]) -> Iterator[int]:
    if process in ignored:
        return
    yield process
    for task in _listed(_PROC / str(process) / "task"):
        for child in _read(task / "children").split():
            yield from _tree(int(child), ignored)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    # A process may end while it is looked at.
    try:
        return path.read_text()
    except OSError:
        return ""


def _resident(process: int) -> int:
    fields = _read(_PROC / str(process) / "statm").split()
    return int(fields[1]) * _PAGE if fields else 0


def _own_peak() -> int:
    found = [line for line in _read(_PROC / "self" / "status").splitlines() if line.startswith("VmHWM")]
    return int(found[0].split()[1]) * 1024 if found else 0
