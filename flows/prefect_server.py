"""Prefect's own parts on this machine: the server with its pages, the work pool, the deployments and the worker.

In go the settings, out come running children and the environment that lets other processes reach them. Nothing here
calls home: analytics and promotional content are off and the server listens on loopback. Stands alone because an
operator with a Prefect server of their own replaces all of it by one setting.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from config.settings import Settings
from flows.children import Kept, Slow, kept_running, port_for_child, wait_until
from pipeline.errors import ProgramMissing

POOL: Final = "tribune"
_HOST: Final = "127.0.0.1"
_ANSWERS_WITHIN_S: Final = 10.0

_QUIET: Final = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # The second generation of the pages calls an analytics host from the browser; the first calls nobody.
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    # Without this, any page that the operator's browser visits could ask this server to run something.
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_COLORS": "false",
    # Each heartbeat is an event, and many events lock SQLite up; the session lock tells who is alive. Once a day is the
    # rarest that can be asked for here.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "86400",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
    "PREFECT_WORKER_ENABLE_CANCELLATION": "true",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefectAddress:
    """Where a Prefect server answers.

    Attributes:
        api: Address of its API.
        pages: Address of its pages.
        environment: Variables that let a process reach it.
    """

    api: str
    pages: str
    environment: Mapping[str, str]


@contextmanager
def prefect_server(settings: Settings, slow: Slow) -> Iterator[PrefectAddress]:
    """Run the Prefect server, or name the one that the settings point at.

    Args:
        settings: Say where it listens and keeps what it knows.
        slow: Told while it takes long to start.

    Raises:
        ProgramMissing: No port is free, or the server did not start; names its log.
    """
    if settings.prefect.api_url:
        yield _address(settings, settings.prefect.api_url)
        return
    with port_for_child(_HOST, settings.prefect.port) as port:
        address = _address(settings, f"http://{_HOST}:{port}/api")
        log = settings.root / "logs" / "prefect-server.log"
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", _HOST, "--port", str(port)]
        with kept_running("the Prefect server", command, log=log, env=address.environment) as kept:
            if not wait_until(lambda: _healthy(f"{address.api}/health"), kept, slow):
                raise ProgramMissing("flows.server_failed", {"log": str(log)})
            yield address


def apply_deployments(address: PrefectAddress, log: Path) -> None:
    """Make the work pool and apply ``prefect.yaml``; doing it again changes nothing.

    Raises:
        ProgramMissing: Prefect refused; names its log.
    """
    # Made anew, a pool would lose what an operator has set on it.
    if _prefect(["work-pool", "inspect", POOL], address, log):
        _prefect(["work-pool", "create", POOL, "--type", "process"], address, log)
    if _prefect(["--no-prompt", "deploy", "--all", "--prefect-file", str(_deployments())], address, log):
        raise ProgramMissing("flows.deployment_failed", {"log": str(log)})


@contextmanager
def worker(settings: Settings, address: PrefectAddress) -> Iterator[Kept]:
    """Run a worker that processes sessions, each in a process of its own."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    limit = ["--limit", str(settings.prefect.sessions_at_once)]
    log = settings.root / "logs" / "worker.log"
    with kept_running("the worker", [*command, *limit], log=log, env=address.environment) as kept:
        yield kept


@contextmanager
def watcher(settings: Settings, address: PrefectAddress) -> Iterator[Kept]:
    """Run the flow that watches the inbox."""
    log = settings.root / "logs" / "watcher.log"
    command = [sys.executable, "-m", "flows.watch_inbox"]
    with kept_running("the watcher", command, log=log, env=address.environment) as kept:
        yield kept


def _address(settings: Settings, api: str) -> PrefectAddress:
    auth = settings.prefect.auth.get_secret_value()
    environment = {
        **_QUIET,
        "PREFECT_HOME": str(settings.root / "prefect"),
        # Prefect writes down each run's whole environment, secrets among it, and a run that is killed leaves it there.
        "TMPDIR": str(settings.temporary),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": api.removesuffix("/api"),
        # A run starts in a folder of its own, where what was relative here would mean something else.
        "TRIBUNE_ROOT": str(settings.root),
        "TRIBUNE_INTAKE__INBOX": str(settings.inbox),
        **({"TRIBUNE_CONFIG": str(Path(own).absolute())} if (own := os.environ.get("TRIBUNE_CONFIG")) else {}),
        **({"PREFECT_API_AUTH_STRING": auth, "PREFECT_SERVER_API_AUTH_STRING": auth} if auth else {}),
    }
    return PrefectAddress(api=api, pages=api.removesuffix("/api"), environment=environment)


def _prefect(arguments: list[str], address: PrefectAddress, log: Path) -> int:
    with log.open("ab") as out:
        return subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            env={**os.environ, **address.environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode


def _deployments() -> Path:
    """Return ``prefect.yaml``: beside the packages in a clone, within this one when installed."""
    folder = Path(str(files("flows")))
    return next(place for place in (folder.parent / "prefect.yaml", folder / "prefect.yaml") if place.is_file())


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_ANSWERS_WITHIN_S) as reply:  # noqa: S310 - our own loopback address
            return bool(reply.status == 200)
    except OSError:
        return False
