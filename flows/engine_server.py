"""The engine process: opens the engines once and hears for every run on this machine, one after the other.

In come connections on the loopback, each from somebody who knows the key that lies beside the data, each for one
request; out go shares done and then the result or the failure. The order is that of the queue of connections that the
kernel keeps, so the connection *is* the turn: whoever dies, queued or being served, frees it. ``flows.shared_engines``
is the other side. An engine that has failed is not used again: the process answers and then starts itself anew, since
a graphics card that has failed once fails in that process for ever. Stands alone because loading the engines takes
seconds of processor time that no run should pay for.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Final, NamedTuple, cast

from config.settings import load_settings
from flows.engines import MachineEngines
from flows.shared_engines import HOST, LOST, YOUR_TURN, Align, Answer, Diarize, Door, Recognize, Request, door_path
from pipeline.durable import write_whole
from pipeline.errors import DiarizationFailed, EngineError, RecognitionFailed, TribuneError
from pipeline.ports import Progress
from pipeline.serial import to_json
from pipeline.stages import Engines, HearingStage
from pipeline.types import Diarization

_logger = logging.getLogger(__name__)

_QUEUE: Final = 128
_PROMPT_S: Final = 10.0
"""Whoever is connected says who it is, and what it asks, within this."""

_TAKE_S: Final = 60.0
"""A result is taken within this."""


class _AskerGone(BaseException):
    """Whoever asked is no longer there; passes through whatever the engines catch."""


class Entrance(NamedTuple):
    """Where clients come in.

    Attributes:
        listener: Their queue.
        key: What they have to know.
    """

    listener: Listener
    key: bytes


@contextmanager
def entrance(root: Path) -> Iterator[Entrance]:
    """Listen, and say where in a file that only its owner may read.

    Args:
        root: The data folder.
    """
    root.mkdir(parents=True, exist_ok=True)
    with Listener((HOST, 0), backlog=_QUEUE) as listener:
        _, port = cast("tuple[str, int]", listener.address)
        key = secrets.token_hex(32)
        write_whole(door_path(root), to_json(Door(port=port, key=key, pid=os.getpid())), private=True)
        yield Entrance(listener, key.encode())


def serve(came_in: Entrance, engines: Engines, is_current: Callable[[], bool]) -> None:
    """Give everybody who connects a turn, until the engines have failed or are no longer what is asked for.

    Args:
        came_in: Where they connect.
        engines: What hears.
        is_current: Whether these engines are still those of the settings.
    """
    good = True
    while good:
        try:
            with came_in.listener.accept() as connection:
                _admit(connection, came_in.key)
                good = is_current() and _answer(connection, engines)
        except LOST as failure:
            _logger.info("a connection was given up: %s", type(failure).__name__)
        except _AskerGone:
            _logger.warning("whoever asked is gone; its work is left")


def _admit(connection: Connection, key: bytes) -> None:
    with _within(connection, _PROMPT_S):
        deliver_challenge(connection, key)
        answer_challenge(connection, key)


def _answer(connection: Connection, engines: Engines) -> bool:
    """Do what a client asks in its turn; say whether the engines are still good."""
    with _within(connection, _PROMPT_S):
        stage = cast("HearingStage", connection.recv())
    with engines.turn(stage):
        connection.send(YOUR_TURN)
        with _within(connection, _PROMPT_S):
            request = cast("Request", connection.recv())
        answer = _hear(request, engines, partial(_tell, connection))
        with _within(connection, _TAKE_S):
            connection.send(answer)
    return not (isinstance(answer, EngineError) or (isinstance(answer, Diarization) and not answer.models))


def _hear(request: Request, engines: Engines, progress: Progress) -> Answer:
    try:
        if isinstance(request, Recognize):
            return engines.recognize(request.audio, request.session, request.options, progress)
        if isinstance(request, Diarize):
            return engines.diarize(request.audio, request.session, request.known, progress)
        return engines.align(request.audio, request.transcript, progress)
    except TribuneError as failure:
        return failure
    except Exception as failure:  # noqa: BLE001 - whatever an engine does, somebody waits for an answer
        kind, where = type(failure).__name__, "".join(traceback.format_tb(failure.__traceback__))
        # Not the error's own text, which may quote what was said.
        _logger.error("session %s: %s\n%s", _session_id(request), kind, where)  # noqa: TRY400
        if isinstance(request, Diarize):
            return DiarizationFailed("speakers.engine_failed", {"detail": kind})
        return RecognitionFailed("speech.engine_failed", {"detail": kind})


def _session_id(request: Request) -> str:
    return request.transcript.session_id if isinstance(request, Align) else request.session.id


def _tell(connection: Connection, share: float) -> None:
    """Tell whoever asked how far it is.

    Raises:
        _AskerGone: Nobody is there; a client that waits says nothing, so what can be read is its end.
    """
    try:
        gone = connection.poll()
        connection.send(float(share))
    except (OSError, EOFError):
        gone = True
    if gone:
        raise _AskerGone


@contextmanager
def _within(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut a connection off unless the block ends in time."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        clock = threading.Timer(seconds, _cut_off, [same])
        clock.start()
        try:
            yield
        finally:
            clock.cancel()


def _cut_off(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve until ended; an engine that failed is followed by a new process in the same place."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Python's own way would wait until an engine's call comes back.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Idle engine threads that spin starve whoever else wants the core; must be set before an engine is imported.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    settings = load_settings()
    engines = MachineEngines(settings)
    with engines.warming_up(), entrance(settings.root) as came_in:
        _logger.info("hearing on port %d", came_in.listener.address[1])
        serve(came_in, engines, lambda: load_settings() == settings)
    _logger.warning("starting anew")
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - becoming itself anew is what this is for


if __name__ == "__main__":
    main()
