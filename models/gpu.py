"""How much a GPU takes at once.

In goes how many bytes a piece of work takes, out comes how many pieces fit in what is free. It stands alone because
both engines ask it; torch, which asks the GPU, is imported only then.
"""

from __future__ import annotations

from typing import Final

_KEPT_FREE: Final = 0.25
"""Share of the free memory left alone: for whatever else is in use on the GPU, and for what an estimate misses."""


def fitting(free: int, each: int, *, most: int) -> int:
    """Return how many pieces of work fit at once: a power of two, at least 1, so that like machines work alike.

    Args:
        free: Bytes.
        each: Bytes that a piece takes.
        most: No more than this gains anything.

    Example:
        >>> fitting(8_000, 500, most=64), fitting(8_000, 10, most=64), fitting(100, 500, most=64)
        (8, 64, 1)
    """
    pieces = min(most, int(free * (1 - _KEPT_FREE)) // each)
    return 1 << max(0, pieces.bit_length() - 1)


def free_memory() -> int:
    """Return the bytes that are free on the first GPU, 0 where torch knows of none."""
    import torch

    return int(torch.cuda.mem_get_info(0)[0]) if torch.cuda.is_available() else 0
