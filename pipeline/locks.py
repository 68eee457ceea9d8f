"""Locks that die with their holder.

In goes the path of a lock file, out comes the exclusive right to what it stands for, held until the block ends or the
process does: the kernel gives an ``flock`` back in whatever way its holder dies, so no lock is ever stale and nobody
needs to guess from a time stamp whether somebody still works. Works on local file systems and on NFS 4.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Held(Exception):
    """Somebody else holds the lock.

    Args:
        path: The lock file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


@contextmanager
def exclusive(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold a lock for the length of a block.

    Args:
        path: The lock file; made when needed, never removed, because a removed one would admit two holders.
        wait: Whether to wait for another holder or to give up at once.

    Raises:
        Held: Another process, or another block of this one, holds it, and ``wait`` is false.
        OSError: The lock file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Held(path) from None
        yield
    finally:
        os.close(file)


def is_held(path: Path) -> bool:
    """Say whether somebody holds the lock at this moment."""
    try:
        with exclusive(path, wait=False):
            return False
    except Held:
        return True
