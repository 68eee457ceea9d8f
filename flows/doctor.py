"""What this machine has and lacks.

In go the settings, out come findings: what was looked at, what was found, and what to do about it. Nothing is changed
and nothing is fetched. Stands alone so that an operator can ask before anything runs.
"""

from __future__ import annotations

import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from config.settings import Settings
from flows.engines import chosen_models, fetch_options, store_options
from models.fetch import installed
from models.whisper import gpu_count, threads_given
from pipeline.cli import reader_language, say
from pipeline.errors import TribuneError
from pipeline.ffmpeg import find_programs
from pipeline.objectstore import find_weed

Level = Literal["good", "note", "bad"]

_NEEDED: Final = (3, 11)
_ENOUGH_FREE: Final = 10 * 2**30
_LITTLE_FREE: Final = 2 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at.

    Attributes:
        what: Key of its name in the catalogue.
        level: ``good``; ``note`` for what only limits; ``bad`` for what must be mended.
        found: What is there.
        to_do: What to do about it; empty where it is good.
    """

    what: str
    level: Level
    found: str
    to_do: str = ""


def diagnose(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything that Tribune needs on this machine."""
    return (
        _python(),
        _ffmpeg(),
        *_weights(settings),
        _gpu(),
        _threads(),
        _disk(settings),
        _places(settings),
        _store(settings),
        _prefect(settings),
    )


def _python() -> Finding:
    found = sys.version.split()[0]
    if sys.version_info >= _NEEDED:
        return Finding(what="python", level="good", found=found)
    return Finding(what="python", level="bad", found=found, to_do=say("doctor.python_old"))


def _ffmpeg() -> Finding:
    try:
        programs = find_programs()
    except TribuneError as missing:
        return Finding(what="ffmpeg", level="bad", found="–", to_do=missing.message(reader_language()))
    origin = say("doctor.bundled") if programs.bundled else str(programs.ffmpeg)
    return Finding(what="ffmpeg", level="good", found=f"{programs.version} ({origin})")


def _weights(settings: Settings) -> Iterator[Finding]:
    try:
        models = chosen_models(settings)
    except TribuneError as unknown:
        yield Finding(what="weights", level="bad", found="–", to_do=unknown.message(reader_language()))
        return
    for model in models:
        here = installed(model, fetch_options(settings))
        ready = here.condition in {"ready", "unchecked"}
        found = f"{model.name}: {here.text(reader_language())}"
        to_do = "" if ready else say("doctor.fetch", name=model.name)
        yield Finding(what="weights", level="good" if ready else "bad", found=found, to_do=to_do)


def _gpu() -> Finding:
    count = gpu_count()
    if count:
        return Finding(what="gpu", level="good", found=str(count))
    return Finding(what="gpu", level="note", found=say("doctor.no_gpu"), to_do=say("doctor.no_gpu_do"))


def _threads() -> Finding:
    return Finding(
        what="threads", level="good", found=say("doctor.threads_of", given=threads_given(), all=os.cpu_count())
    )


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(_existing(settings.root)).free
    level: Level = "good" if free >= _ENOUGH_FREE else "note" if free >= _LITTLE_FREE else "bad"
    to_do = "" if level == "good" else say("doctor.disk_do", root=settings.root)
    return Finding(what="disk", level=level, found=f"{free / 2**30:.1f} GiB", to_do=to_do)


def _places(settings: Settings) -> Finding:
    """Look whether a dropped file can be claimed by a rename, and whether the data folder can be written."""
    inbox, work = _existing(settings.inbox), _existing(settings.work)
    if not os.access(work, os.W_OK) or not os.access(inbox, os.W_OK):
        return Finding(what="folders", level="bad", found=str(settings.root), to_do=say("doctor.not_writable"))
    if inbox.stat().st_dev != work.stat().st_dev:
        return Finding(what="folders", level="bad", found=str(settings.inbox), to_do=say("doctor.two_systems"))
    return Finding(what="folders", level="good", found=str(settings.inbox))


def _store(settings: Settings) -> Finding:
    if settings.store.endpoint:
        return _reachable("store", settings.store.endpoint)
    try:
        find_weed()
    except TribuneError as missing:
        return Finding(what="store", level="bad", found="–", to_do=missing.message(reader_language()))
    return Finding(what="store", level="good", found=say("doctor.embedded", where=store_options(settings).folder))


def _prefect(settings: Settings) -> Finding:
    if settings.prefect.api_url:
        return _reachable("prefect", f"{settings.prefect.api_url}/health")
    return Finding(what="prefect", level="good", found=say("doctor.embedded", where=settings.root / "prefect"))


def _reachable(what: str, address: str) -> Finding:
    try:
        urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - the operator's own address
    except urllib.error.HTTPError:
        pass
    except (OSError, ValueError) as failure:
        return Finding(what=what, level="bad", found=address, to_do=say("doctor.unreachable", why=failure))
    return Finding(what=what, level="good", found=address)


def _existing(path: Path) -> Path:
    """Return the nearest folder that is there."""
    return next(parent for parent in (path, *path.parents) if parent.exists())
