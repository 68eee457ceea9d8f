"""What may stand in a link: the address of a page, a form, a mailbox or a bucket, as far as it can be told unasked.

In goes what a person wrote, out comes an address that any format can hold, or nothing. Only ``http`` and ``https``
count, for any other scheme could run something where it is opened. Stands alone because details files, settings and
pages must agree on it.
"""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Final
from urllib.parse import quote

_ADDRESS: Final = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:[/?#][!#-;=?-\[\]_a-z~]*)?\Z",
    re.IGNORECASE,
)
"""A host without a name and a password before it, and no white space, quotes or angle brackets anywhere."""
_MAILBOX: Final = re.compile(r"[a-z0-9._+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z", re.IGNORECASE)
"""A plain address: no name before it, and nothing that means something in a link."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))


def is_web_address(text: str) -> bool:
    """Say whether a text is a whole address of the web, written as programs read it.

    Example:
        >>> is_web_address("https://example.org/a?b=c#d"), is_web_address("javascript:alert(1)")
        (True, False)
    """
    return _ADDRESS.match(text) is not None


def is_form_address(text: str) -> bool:
    """Say whether a text is the address of a form, behind which a query can be put.

    Example:
        >>> is_form_address("https://example.org/form?kind=1"), is_form_address("https://example.org/#form")
        (True, False)
    """
    # What is put behind a fragment belongs to it, and browsers do not send it.
    return is_web_address(text) and "#" not in text


def is_mailbox(text: str) -> bool:
    """Say whether a text is the plain address of a mailbox.

    Example:
        >>> is_mailbox("desk@example.org"), is_mailbox("Desk <desk@example.org>")
        (True, False)
    """
    return _MAILBOX.match(text) is not None


def is_correspondent(text: str) -> bool:
    """Say whether a text is whom mail is from or to: a mailbox, with or without a name before it, on one line.

    Example:
        >>> is_correspondent("Desk <desk@example.org>"), is_correspondent("Desk")
        (True, False)
    """
    return "@" in parseaddr(text)[1] and text.isprintable()


def is_bucket_name(text: str) -> bool:
    """Say whether a text can be the name of a bucket.

    Example:
        >>> is_bucket_name("tribune.example.org"), is_bucket_name("Our_Bucket")
        (True, False)
    """
    return _BUCKET.match(text) is not None


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
