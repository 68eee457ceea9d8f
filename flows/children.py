"""Processes that live as long as the one that started them: no longer, and no shorter.

In goes a command, out comes a child that is started again when it ends by itself, and that the kernel ends when its
parent dies, even by SIGKILL, so that no server, worker or watcher is left behind to hold a port or a lock. Each child
leads a process group, so whatever it starts is ended with it. Stands alone because every service needs it and none
should do it in its own way.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from pipeline.errors import ProgramMissing
from pipeline.guarded import guarded
from pipeline.tcp import held_port

_logger = logging.getLogger(__name__)

GRACE_S: Final = 8.0
_LOOK_EVERY_S: Final = 0.2
_READY_EVERY_S: Final = 0.05
_LOOK_AT_PARENT_S: Final = 1.0
_SHORTEST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_HEALTHY_S: Final = 60.0
"""Whoever ran so long is not in a loop of failures."""

_MOST_STARTS: Final = 3
"""Whoever ends by itself as often before it serves will not serve."""

_STARTS_WITHIN_S: Final = 600.0
"""A start takes seconds; where many others want the processor, minutes."""

_TOLD_EVERY_S: Final = 30.0

_ORPHANED: Final = 1
"""Exit status of a process whose parent is gone: nobody is left to read it."""

Slow = Callable[[Path, int], None]
"""Told that a child is still starting: its log, and the seconds since it was begun."""


@dataclass(slots=True, kw_only=True)
class Kept:
    """A child that is kept running.

    Attributes:
        name: What it is called in our log.
        log: Where its output goes.
        pid: Of the process that runs now.
        starts: How often it was started.
        begun: Set when it was started for the first time, or could not be.
        failure: Why it could not be.
    """

    name: str
    log: Path
    pid: int = 0
    starts: int = 0
    begun: threading.Event = field(default_factory=threading.Event)
    failure: OSError | None = None


@contextmanager
def kept_running(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    grace_s: float = GRACE_S,
) -> Iterator[Kept]:
    """Keep a command running for the length of a block; its output is appended to ``log``.

    A command that ends by itself is started again, after a pause that doubles each time. At the end of the block it is
    asked to end, and made to after ``grace_s`` seconds.

    Raises:
        OSError: It cannot be started, or its log cannot be written.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    kept, stop = Kept(name=name, log=log), threading.Event()
    # The kernel ends a child when the *thread* that started it ends, so that thread stays with it.
    keeper = threading.Thread(
        target=_keep, args=(kept, stop, lambda: _start(command, log, env), grace_s), name=name, daemon=True
    )
    keeper.start()
    kept.begun.wait()
    if kept.failure is not None:
        raise kept.failure
    try:
        yield kept
    finally:
        stop.set()
        keeper.join()


@contextmanager
def port_for_child(host: str, wanted: int) -> Iterator[int]:
    """Hold a port for a child that is kept running in a block: it takes seconds until it listens, at every start.

    Args:
        host: Address to listen on.
        wanted: The port that one would like; 0 for any.

    Raises:
        ProgramMissing: No port is free.
    """
    with ExitStack() as held:
        try:
            port = held.enter_context(held_port(host, wanted))
        except OSError as failure:
            raise ProgramMissing("flows.no_port") from failure
        yield port


def wait_until(ready: Callable[[], bool], kept: Kept, slow: Slow) -> bool:
    """Wait until a child serves, as long as it runs, ten minutes at most; say whether it came to that.

    Args:
        ready: Whether it serves.
        kept: The child; one that ends by itself again and again is waited for no longer.
        slow: Told every half minute that it is still starting.
    """
    begun = told = time.monotonic()
    while not ready():
        now = time.monotonic()
        if kept.starts > _MOST_STARTS or now - begun > _STARTS_WITHIN_S:
            return False
        if now - told > _TOLD_EVERY_S:
            slow(kept.log, round(now - begun))
            told = now
        time.sleep(_READY_EVERY_S)
    return True


@cache
def end_with_parent() -> None:
    """End this process at once when the one that started it is gone, even by SIGKILL.

    For what Prefect starts: the kernel's signal would be for the death of the thread that started it, and at a signal
    Prefect first spends minutes telling a server that is gone as well. What is cut short is taken up again.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_AT_PARENT_S)
        os._exit(_ORPHANED)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _keep(kept: Kept, stop: threading.Event, start: Callable[[], subprocess.Popen[bytes]], grace_s: float) -> None:
    pause = _SHORTEST_PAUSE_S
    while True:
        begun_at = time.monotonic()
        try:
            child = start()
        except OSError as failure:
            if not kept.starts:
                kept.failure = failure
                kept.begun.set()
                return
            _logger.warning("%s cannot be started: %s", kept.name, failure)
        else:
            kept.pid, kept.starts = child.pid, kept.starts + 1
            kept.begun.set()
            while child.poll() is None and not stop.wait(_LOOK_EVERY_S):
                pass
            if stop.is_set():
                _stop(child, grace_s)
                return
            _logger.warning("%s ended by itself, status %s, and is started again", kept.name, child.returncode)
        if time.monotonic() - begun_at > _HEALTHY_S:
            pause = _SHORTEST_PAUSE_S
        if stop.wait(pause):
            return
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _start(command: Sequence[str], log: Path, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            guarded(command, ends_by=signal.SIGTERM),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            process_group=0,
        )


def _stop(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """End a child and what it started: asked first, made to after a while."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
