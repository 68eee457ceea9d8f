"""Everything that has to run for Tribune to run, started together and ended together.

In go the settings, out come addresses: the engines, the object store, the Prefect server, a worker, the watcher and the
review pages, in that order, each but the engines waited for before the next: these load while the others start. One
data folder is served by one set of them. Stands alone so that ``tribune up``, the demo and the tests run the very same
thing.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from config.settings import Settings
from flows.children import Kept, Slow, kept_running, port_for_child, wait_until
from flows.engines import intake_options, running_store, site_options
from flows.prefect_server import PrefectAddress, apply_deployments, prefect_server, watcher, worker
from flows.shared_engines import HOST
from pipeline.durable import write_changed
from pipeline.errors import ProgramMissing, SetUpError, StoreError
from pipeline.inbox import prepare
from pipeline.lists import Lists
from pipeline.locks import Held, exclusive
from pipeline.s3 import S3Options, open_store
from pipeline.search_store import SearchIndex
from pipeline.site.render import LearnerSite
from pipeline.tcp import listens

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What runs.

    Attributes:
        s3: The bucket.
        prefect: The Prefect server.
        review: Address of the review pages.
    """

    s3: S3Options
    prefect: PrefectAddress
    review: str


@contextmanager
def running_services(settings: Settings, slow: Slow) -> Iterator[Services]:
    """Run everything for the length of a block.

    Args:
        settings: Of all of it.
        slow: Told while something takes long to start.

    Raises:
        SetUpError: Something did not start, or runs already with this data folder.
    """
    prepare(intake_options(settings))
    try:
        with (
            exclusive(settings.root / "up.lock", wait=False),
            _temporary(settings),
            engine_process(settings),
            running_store(settings) as s3,
            prefect_server(settings, slow) as prefect,
        ):
            _begin_site(settings, s3)
            apply_deployments(prefect, settings.root / "logs" / "deploy.log")
            with (
                worker(settings, prefect),
                watcher(settings, prefect),
                review_pages(settings, slow) as review,
            ):
                yield Services(s3=s3, prefect=prefect, review=review)
    except Held:
        raise SetUpError("flows.already_running", {"root": str(settings.root)}) from None


@contextmanager
def _temporary(settings: Settings) -> Iterator[None]:
    """Begin with an empty folder for what is needed for a moment: a run that was killed left its things there."""
    shutil.rmtree(settings.temporary, ignore_errors=True)
    settings.temporary.mkdir(mode=0o700, exist_ok=True)
    try:
        yield
    finally:
        shutil.rmtree(settings.temporary, ignore_errors=True)


def _begin_site(settings: Settings, s3: S3Options) -> None:
    """Write the first pages of a new site: their address is told before anything is published."""
    try:
        with open_store(s3) as store:
            if Lists(store, LearnerSite(site_options(settings))).begin():
                SearchIndex(store).begin()
    except StoreError as failure:
        # Publishing says what is wrong with the store, and tries again; nothing else waits for it.
        _logger.warning("the first pages are not written yet: %s", failure)


@contextmanager
def engine_process(settings: Settings) -> Iterator[Kept]:
    """Run the process that holds the engines opened and hears for every run."""
    log = settings.root / "logs" / "engines.log"
    command = [sys.executable, "-m", "flows.engine_server"]
    with kept_running("the engines", command, log=log) as kept:
        yield kept


@contextmanager
def review_pages(settings: Settings, slow: Slow) -> Iterator[str]:
    """Run the server of the review pages, and give its address once it answers.

    Args:
        settings: Say where it listens.
        slow: Told while it takes long to start.

    Raises:
        SetUpError: It does not start, or the pages of this data folder are served already.
    """
    try:
        with (
            exclusive(settings.root / "review.lock", wait=False),
            port_for_child(HOST, settings.review.port) as port,
        ):
            command = [sys.executable, "-m", "flows.review_server", str(port)]
            log = settings.root / "logs" / "review.log"
            with kept_running("the review pages", command, log=log) as kept:
                if not wait_until(lambda: listens(HOST, port), kept, slow):
                    raise ProgramMissing("flows.review_failed", {"log": str(log)})
                address = f"http://{HOST}:{port}/"
                write_changed(settings.review_address, address)
                try:
                    yield address
                finally:
                    settings.review_address.unlink(missing_ok=True)
    except Held:
        raise SetUpError("flows.review_running", {"root": str(settings.root)}) from None
