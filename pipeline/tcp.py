"""TCP ports of this machine: which are free, and whether somebody listens.

In goes an address and perhaps the port that one would like, out comes a port that nobody listens on. A look is not a
reservation: another program may take the port before its server does, so whoever starts a server looks again when it
does not come up. Stands alone so that every server of ours chooses its port in the same way.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from typing import Final

PORTS: Final = range(20_000, 30_000)
"""Where ports are chosen: below those that systems hand out for outgoing connections, so that one stays free."""

_TRIES: Final = 200


def free_port(host: str, wanted: int = 0, *, taken: Collection[int] = ()) -> int:
    """Return the wanted port if nobody listens on it, else another free one from :data:`PORTS`.

    Args:
        host: Address to listen on; empty for every one.
        wanted: The port that one would like; 0 for any.
        taken: Ports that are given to somebody who does not listen yet.

    Raises:
        OSError: Nobody can listen on that address.

    Example:
        >>> free_port("127.0.0.1") in PORTS
        True
    """
    refusal = OSError("no port is left")
    for port in (wanted, *random.sample(PORTS, _TRIES)):
        if port == 0 or port in taken:
            continue
        try:
            _try(host, port)
        except OSError as error:
            refusal = error
            continue
        return port
    raise refusal


def listens(host: str, port: int) -> bool:
    """Say whether somebody on this machine listens on a port of that address, waiting at most a second."""
    with socket.socket() as trial:
        trial.settimeout(1.0)
        return trial.connect_ex((near(host), port)) == 0


def near(host: str) -> str:
    """Return where this machine reaches what listens on an address: the loopback, where that is every address.

    Example:
        >>> near(""), near("192.0.2.7")
        ('127.0.0.1', '192.0.2.7')
    """
    return "127.0.0.1" if host in {"", "0.0.0.0"} else host  # noqa: S104 - nothing listens here


def _try(host: str, port: int) -> None:
    with socket.socket() as trial:
        # A port whose last connections are only just closed is as good as any.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind((host, port))
