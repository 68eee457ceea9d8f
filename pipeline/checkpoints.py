"""Finished stages, kept on disk, so that no stage is done twice.

In go a stage's name, everything that decides its result, and the work itself; out comes the result, from disk when the
same work was finished before, in this process or in one that has since died. A checkpoint is one JSON file in the
session's work folder, written atomically; it counts only while the files that the result names are still there, whole.
Stands alone so that the command line and the Prefect flows resume in the same way.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pipeline.durable import write_whole
from pipeline.serial import from_json, to_json
from pipeline.types import Timing

T = TypeVar("T")

Turn = Callable[[], AbstractContextManager[None]]
"""The right to do work that only one may do at a time."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[T]):
    """What a stage gave.

    Attributes:
        result: Its result.
        timing: How long the work took, when it was done.
        resumed: Whether it came from disk.
    """

    result: T
    timing: Timing
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """The finished stages of one session.

    Attributes:
        folder: Where they are kept; made when needed.
    """

    folder: Path

    def run(
        self,
        stage: str,
        kind: type[T],
        inputs: tuple[object, ...],
        work: Callable[[], T],
        *,
        keep: Callable[[T], bool] = lambda _: True,
        turn: Turn = nullcontext,
    ) -> Finished[T]:
        """Return what the stage gave before for the same inputs, or do the work and keep what it gives.

        Args:
            stage: Name of the stage; one checkpoint is kept for each.
            kind: Type of the result.
            inputs: Everything that decides the result: values, options, models. Each needs a JSON form.
            work: Does the stage.
            keep: Whether a result is worth keeping; one that was lowered for want of something is tried anew next time.
            turn: Waited for before the work is done, and not counted as its time.

        Raises:
            OSError: The checkpoint cannot be written.
        """
        key = digest(inputs)
        path = self.folder / f"{stage}.json"
        kept = _read(path, key, kind, stage)
        if kept is not None:
            _logger.info("%s: taken from %s", stage, path)
            return kept
        with turn():
            started = time.perf_counter()
            result = work()
            timing = Timing(stage=stage, seconds=round(time.perf_counter() - started, 3))
        if keep(result):
            _write(path, key, result, timing)
        return Finished(result=result, timing=timing, resumed=False)


def digest(inputs: tuple[object, ...]) -> str:
    """Return the sha256 of values in their JSON form, 64 hexadecimal digits.

    Example:
        >>> digest((1, "a")) == digest((1, "a")) != digest((1, "b"))
        True
    """
    hashed = hashlib.sha256()
    for value in inputs:
        hashed.update(to_json(value))
        hashed.update(b"\n")
    return hashed.hexdigest()


def _read(path: Path, key: str, kind: type[T], stage: str) -> Finished[T] | None:
    try:
        kept = json.loads(path.read_bytes())
        if kept["key"] != key:
            return None
        result = from_json(kind, json.dumps(kept["result"]))
        if {str(file): _size(file) for file in _files(result)} != kept["files"]:
            return None
        return Finished(result=result, timing=Timing(stage=stage, seconds=kept["seconds"]), resumed=True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        # Not the error itself, which may quote the transcript.
        _logger.warning("%s: cannot be used; the stage is done again", path)
        return None


def _write(path: Path, key: str, result: object, timing: Timing) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "key": key,
        "seconds": timing.seconds,
        "files": {str(file): _size(file) for file in _files(result)},
        "result": json.loads(to_json(result)),
    }
    write_whole(path, json.dumps(kept, ensure_ascii=False).encode())


def _files(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _files(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _files(getattr(value, field.name))


def _size(file: Path) -> int:
    return file.stat().st_size
