"""Work on all cores that were given, one thread of the engine's on each.

In goes a function and what to call it on, out come the results in order. It stands alone because both engines need it:
the threads inside one call of theirs wait for each other many times a second. On two cores two of them were hardly
faster than one for words and, as they sleep while they wait, three times slower for voices, whereas two calls side by
side share nothing.
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

_TRIM_FROM: Final = -1
_MAP_FROM: Final = -3
_MOST_HEAPS: Final = -8
"""The numbers by which mallopt knows M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX."""

_KEPT_UP_TO: Final = 2**30
"""Bytes; the scores of attention over 30 s take 72 MB a layer."""


def threads_given() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def keep_memory() -> None:
    """Let what is freed serve the next request, where the C library is glibc; :func:`return_memory` gives it back.

    It would ask the system for every piece of over 32 MB anew, which clears it page by page: 400 MB for each window of
    Whisper's, for as long as the work itself takes. And it would give every thread a heap of its own, of which none
    holds a piece of over 64 MB, nor what a thread of another recording has freed.
    """
    with suppress(AttributeError, OSError):
        settings = ctypes.CDLL(None).mallopt
        for setting, value in ((_MOST_HEAPS, 1), (_MAP_FROM, _KEPT_UP_TO), (_TRIM_FROM, _KEPT_UP_TO)):
            settings(setting, value)


def return_memory() -> None:
    """Give what was freed back to the system, where the C library is glibc: see :func:`keep_memory`."""
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
