"""Everything that has to run for Tribune to run, started together and ended together.

In go the settings, out come addresses: the engines, the object store, the Prefect server, a worker and the watcher, in
that order, each but the engines waited for before the next: these load while the others start. One data folder is
served by one set of them. Stands alone so that ``tribune up``, the demo and the tests run the very same thing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from config.settings import Settings
from flows.children import Kept, kept_running
from flows.engines import intake_options, running_store
from flows.prefect_server import PrefectAddress, apply_deployments, prefect_server, watcher, worker
from pipeline.errors import SetUpError
from pipeline.intake import prepare
from pipeline.locks import Held, exclusive
from pipeline.s3 import S3Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What runs.

    Attributes:
        s3: The bucket.
        prefect: The Prefect server.
    """

    s3: S3Options
    prefect: PrefectAddress


@contextmanager
def running_services(settings: Settings) -> Iterator[Services]:
    """Run everything for the length of a block.

    Raises:
        SetUpError: Something did not start, or runs already with this data folder.
    """
    prepare(intake_options(settings))
    try:
        with (
            exclusive(settings.root / "up.lock", wait=False),
            engine_process(settings),
            running_store(settings) as s3,
            prefect_server(settings) as prefect,
        ):
            apply_deployments(prefect, settings.root / "logs" / "deploy.log")
            with worker(settings, prefect), watcher(settings, prefect):
                yield Services(s3=s3, prefect=prefect)
    except Held:
        raise SetUpError("flows.already_running", {"root": str(settings.root)}) from None


@contextmanager
def engine_process(settings: Settings) -> Iterator[Kept]:
    """Run the process that holds the engines opened and hears for every run."""
    log = settings.root / "logs" / "engines.log"
    command = [sys.executable, "-m", "flows.engine_server"]
    with kept_running("the engines", command, log=log) as kept:
        yield kept
