"""What may stand in a link: the address of a page on the web, as far as it can be told without asking for it.

In goes what a person wrote, out comes an address that any format can hold, or nothing. Only ``http`` and ``https``
count, for any other scheme could run something where it is opened. Stands alone because details files, settings and
pages must agree on it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

_ADDRESS: Final = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:[/?#][!#-;=?-\[\]_a-z~]*)?\Z",
    re.IGNORECASE,
)
"""A host without a name and a password before it, and no white space, quotes or angle brackets anywhere."""
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))


def is_web_address(text: str) -> bool:
    """Say whether a text is a whole address of the web, written as programs read it.

    Example:
        >>> is_web_address("https://example.org/a?b=c#d"), is_web_address("javascript:alert(1)")
        (True, False)
    """
    return _ADDRESS.match(text) is not None


def as_web_address(text: str) -> str | None:
    """Return an address as programs read it, its accented letters and spaces percent-encoded, or ``None``.

    Example:
        >>> as_web_address(" https://example.org/été ")
        'https://example.org/%C3%A9t%C3%A9'
    """
    try:
        address = quote(text.strip(), safe=_ASCII)
    except UnicodeEncodeError:
        return None
    return address if is_web_address(address) else None
