"""Times as caption files write them.

Milliseconds in, text out. It stands alone because every caption format and its tests must agree on every digit.
"""

from __future__ import annotations


def timestamp(ms: int, decimal: str) -> str:
    """Return a time as caption files have it: hours, minutes, seconds, three decimals.

    Example:
        >>> timestamp(3_723_004, ".")
        '01:02:03.004'
    """
    seconds, milliseconds = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal}{milliseconds:03d}"
