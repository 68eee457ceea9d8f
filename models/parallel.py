"""Work on all cores that were given, one thread of the engine's on each.

In goes a function and what to call it on, out come the results in order. It stands alone because both engines need it:
the threads inside one call of theirs wait for each other many times a second, and on two cores two of them were hardly
faster than one for words and three times slower for voices, whereas two calls side by side share nothing.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_HEAPS: Final = -8
"""The number by which mallopt knows M_ARENA_MAX."""


def threads_given() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def share_heaps() -> None:
    """Let threads share as many heaps as there are cores, where the C library is glibc.

    It would give every thread one, and what a thread of one recording frees would not serve those of the next: a
    process that hears one recording after the other grew by 100 MB each time.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MOST_HEAPS, threads_given())


def return_memory() -> None:
    """Give what was freed back to the system, where the C library is glibc, which would keep it for later."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def map_in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Generator[Result, None, None]:
    """Yield what the work gives for each item, in their order; so many are worked on at once.

    Once the caller stops asking, or a piece of work fails, no other is begun.

    Args:
        work: Gives up Python's lock while it computes.
        items: All of them are read at once.
        workers: At least 1.

    Example:
        >>> list(map_in_order(abs, [-2, 1], workers=2))
        [2, 1]
    """
    pool = ThreadPoolExecutor(workers)
    try:
        begun = deque([pool.submit(work, item) for item in items])
        # Nothing is kept of what has been given away.
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
