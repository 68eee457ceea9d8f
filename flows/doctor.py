"""What this machine has and lacks.

In go the settings, out come findings: what was looked at, what was found, and what to do about it. Nothing is changed
and nothing is fetched. Stands alone so that an operator can ask before anything runs.
"""

from __future__ import annotations

import base64
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from config.settings import Settings
from flows.engines import chosen_models, fetch_options, running_store, store_options
from models.fetch import installed
from models.parallel import threads_given
from models.whisper import gpu_count
from pipeline.cli import say
from pipeline.command_line import reader_language
from pipeline.errors import TribuneError
from pipeline.ffmpeg import find_programs
from pipeline.formatting import format_size
from pipeline.objectstore import find_weed
from pipeline.s3 import open_store
from pipeline.shelves import CATALOGUE

Level = Literal["good", "note", "bad"]

_NEEDED: Final = (3, 11)
_ENOUGH_FREE: Final = 10 * 2**30
_LITTLE_FREE: Final = 2 * 2**30
_ANSWER_S: Final = 5.0
_LOAD_S: Final = 120.0


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
        _address(settings),
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
        found = say("doctor.weights_are", name=model.name, state=here.text(reader_language()))
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
    return Finding(what="disk", level=level, found=format_size(free, reader_language()), to_do=to_do)


def _places(settings: Settings) -> Finding:
    """Look whether a dropped file can be claimed by a rename, and whether the data folder can be written."""
    inbox, work = _existing(settings.inbox), _existing(settings.work)
    useless = [folder for folder in (inbox, work) if not (folder.is_dir() and os.access(folder, os.W_OK))]
    if useless:
        return Finding(what="folders", level="bad", found=str(useless[0]), to_do=say("doctor.not_writable"))
    if inbox.stat().st_dev != work.stat().st_dev:
        return Finding(what="folders", level="bad", found=str(settings.inbox), to_do=say("doctor.two_systems"))
    return Finding(what="folders", level="good", found=str(settings.inbox))


def _store(settings: Settings) -> Finding:
    if settings.store.endpoint:
        return _own_store(settings)
    try:
        find_weed()
    except TribuneError as missing:
        return Finding(what="store", level="bad", found="–", to_do=missing.message(reader_language()))
    return Finding(what="store", level="good", found=say("doctor.embedded", where=store_options(settings).folder))


def _address(settings: Settings) -> Finding:
    """Look whether learners' address of the site is known: feeds and the like are made of whole addresses."""
    if settings.store.public_url:
        return Finding(what="address", level="good", found=settings.store.public_url)
    return Finding(what="address", level="note", found=say("doctor.no_address"), to_do=say("doctor.no_address_do"))


def _prefect(settings: Settings) -> Finding:
    if settings.prefect.api_url:
        return _own_prefect(settings.prefect.api_url, settings.prefect.auth.get_secret_value())
    found = say("doctor.embedded", where=settings.root / "prefect")
    why = _load_prefect_server()
    if why is None:
        return Finding(what="prefect", level="good", found=found)
    return Finding(what="prefect", level="bad", found=found, to_do=say("doctor.prefect_broken", why=why))


def _own_store(settings: Settings) -> Finding:
    """Ask an operator's own store something that shows whether the bucket is there and the keys are right."""
    try:
        with running_store(settings) as s3:
            quick = replace(s3, attempts=1, connect_seconds=_ANSWER_S, read_seconds=_ANSWER_S)
            with open_store(quick) as store:
                # To list, unlike to look for one object, tells a bucket that is not there from one that is empty.
                next(iter(store.list(CATALOGUE)), None)
    except TribuneError as failure:
        to_do = failure.message(reader_language())
        return Finding(what="store", level="bad", found=settings.store.endpoint, to_do=to_do)
    return Finding(what="store", level="good", found=f"{settings.store.endpoint} ({settings.store.bucket})")


def _load_prefect_server() -> str | None:
    """Load Prefect's server in a process of its own; return why that fails, or ``None`` where it does not.

    What the server needs can be broken while ``import prefect`` works.
    """
    with tempfile.TemporaryDirectory() as home:
        try:
            subprocess.run(
                [sys.executable, "-c", "import prefect.server.api.server"],
                env={**os.environ, "PREFECT_HOME": home},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_LOAD_S,
                check=True,
            )
        except subprocess.CalledProcessError as failure:
            return str((failure.stderr.strip().splitlines() or [failure])[-1])
        except subprocess.TimeoutExpired as failure:
            return str(failure)
    return None


def _own_prefect(api: str, auth: str) -> Finding:
    """Ask an operator's own server for its version: that it is healthy it tells anybody, credentials or none."""
    asked = {"Authorization": f"Basic {base64.b64encode(auth.encode()).decode()}"} if auth else {}
    try:
        request = urllib.request.Request(f"{api.rstrip('/')}/admin/version", headers=asked)  # noqa: S310
        urllib.request.urlopen(request, timeout=_ANSWER_S).close()  # noqa: S310 - the operator's own address
    except urllib.error.HTTPError as answer:
        answer.close()
        refused = answer.code in {401, 403}
        to_do = say("doctor.prefect_refuses") if refused else say("doctor.prefect_answers", status=answer.code)
        return Finding(what="prefect", level="bad", found=api, to_do=to_do)
    except (OSError, ValueError, http.client.HTTPException) as failure:
        return Finding(what="prefect", level="bad", found=api, to_do=say("doctor.unreachable", why=failure))
    return Finding(what="prefect", level="good", found=api)


def _existing(path: Path) -> Path:
    """Return the nearest folder that is there."""
    return next(parent for parent in (path, *path.parents) if parent.exists())
