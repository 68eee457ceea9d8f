"""TCP ports of this machine: which are free, and whether somebody listens.

In goes an address and perhaps the port that one would like, out comes a port that nobody listens on. A look is not a
reservation: another program may take the port before its server does, so whoever starts a server holds the port, or
looks again when it does not come up. Stands alone so that every server of ours chooses its port in the same way.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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
            # A wanted port whose last connections are only just closed is as good as any; of the others there are
            # enough, and one that somebody holds is none of them.
            with socket.socket() as trial:
                _bind(trial, host, port, shared=port == wanted)
        except OSError as error:
            refusal = error
            continue
        return port
    raise refusal


@contextmanager
def held_port(host: str, wanted: int = 0) -> Iterator[int]:
    """Hold a free port for a server of ours for the length of a block, also while that is started again.

    On Linux, whoever asks to share an address, as our servers do, can listen on a port that somebody has bound and does
    not listen on; the system gives such a port to nobody, and :func:`free_port` does not choose it. Elsewhere it is
    only looked for.

    Args:
        host: Address to listen on; empty for every one.
        wanted: The port that one would like; 0 for any.

    Raises:
        OSError: Nobody can listen on that address.
    """
    with socket.socket() as holder:
        port = free_port(host, wanted)
        if sys.platform == "linux":
            _bind(holder, host, port, shared=True)
        yield port


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


def _bind(to: socket.socket, host: str, port: int, *, shared: bool) -> None:
    to.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, shared)
    to.bind((host, port))
