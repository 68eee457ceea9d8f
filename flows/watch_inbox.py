"""The watch folder as a Prefect flow that runs for as long as Tribune does.

In goes the inbox, out come runs of ``process_session``, one a recording, and a status page. Each round sweeps the
inbox, sees to it that every unfinished recording has a run that lives, writes the page, takes captions that came back
corrected and what learners report, tells people, and once a day removes what killed writers left and withdraws what the
settings keep no longer. What fails, because the Prefect server restarts say, is logged and tried again in the next
round, and keeps nothing else from being done: nothing is kept in memory that the next round could miss.
"""

from __future__ import annotations

import datetime as dt
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import httpx
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Completed

from config import glossary
from config.settings import Settings, load_settings
from flows.children import end_with_parent
from flows.engines import intake_options, notification_options
from flows.notify import Notifier, open_channels
from flows.retention import DailyRetention
from flows.runs import GRACE, WATCHER, retire_watchers, tend_runs
from pipeline.approving import finish_approvals
from pipeline.durable import remove_unfinished
from pipeline.errors import TribuneError
from pipeline.inbox import prepare
from pipeline.intake import Seen, SweepResult, sweep
from pipeline.journal import read_records
from pipeline.report_folder import take_reports
from pipeline.return_folder import take_returned
from pipeline.status import write_status

_logger = logging.getLogger(__name__)

_AFTER_FAILURE_S: Final = 5.0


@flow(name=WATCHER, flow_run_name=WATCHER, persist_result=False)
def watch_inbox() -> State[None]:
    """Watch the inbox until this process is asked to end."""
    end_with_parent()
    settings = load_settings()
    get_run_logger().info("Watching the inbox.")
    # On a server of the operator's own, others may watch inboxes of theirs.
    if not settings.prefect.api_url:
        retire_watchers(flow_run.id and UUID(flow_run.id))
    asked_to_end = threading.Event()
    # Prefect would tell of a crash each time that somebody ends Tribune.
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    watch(settings, lambda pause_s: not asked_to_end.wait(pause_s))
    return Completed(name="Ended", message="Tribune was ended.")


def watch(settings: Settings, go_on: Callable[[float], bool]) -> None:
    """Look at the inbox again and again.

    Args:
        settings: Where it is, and how often.
        go_on: Waits so many seconds after each round, and says whether another one follows.

    Raises:
        SetUpError: The inbox and the work area are not on one file system.
    """
    options = intake_options(settings)
    prepare(options)
    notifier = Notifier(open_channels(notification_options(settings)), settings.root)
    terms = glossary.load_all()
    retention = DailyRetention(settings)
    seen: Seen = {}
    swept = SweepResult(busy=True)
    tidied_on: dt.date | None = None
    # Whatever ran before this watcher was started had no time to be handed over.
    grace = dt.timedelta(0)
    troubles = _Troubles()
    while True:
        now = dt.datetime.now().astimezone()
        with troubles.kept_from_others("looking at the inbox"):
            swept = sweep(options, seen)
            seen = swept.seen
            finish_approvals(options.work)
            tend_runs(options.work, grace=grace)
            grace = GRACE
        with troubles.kept_from_others("writing the status pages"):
            review, zone = _review_address(settings), now.tzinfo or dt.UTC
            write_status(options, swept, read_records(options.work), zone=zone, review=review)
        with troubles.kept_from_others("taking what was corrected elsewhere"):
            take_returned(settings.returned, settings.work, settle_ms=options.settle_ms, now=now, terms=terms)
        with troubles.kept_from_others("taking reports"):
            take_reports(settings.reports, settings.work, settle_ms=options.settle_ms, now=now)
        with troubles.kept_from_others("telling people"):
            notifier.tell(read_records(options.work))
        if tidied_on != now.date():
            with troubles.kept_from_others("removing what killed writers left"):
                _tidy(settings)
                tidied_on = now.date()
        with troubles.kept_from_others("withdrawing what is kept no longer"):
            retention.apply(now.date())
        pause = settings.intake.poll_seconds
        if not go_on(max(pause, _AFTER_FAILURE_S) if troubles.lasting else pause):
            return


class _Troubles:
    """What goes wrong in a round, each thing kept from the others, and logged once for as long as it lasts."""

    def __init__(self) -> None:
        self.lasting: dict[str, str] = {}

    @contextmanager
    def kept_from_others(self, job: str) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, PrefectException, OSError, TribuneError) as failure:
            if self.lasting.get(job) != repr(failure):
                _logger.warning("%s failed; the next round tries again", job, exc_info=True)
            self.lasting[job] = repr(failure)
        else:
            if self.lasting.pop(job, None) is not None:
                _logger.warning("%s goes on", job)


def _tidy(settings: Settings) -> None:
    # The folders that people drop into may lie elsewhere.
    for folder in (settings.root, settings.inbox, settings.returned, settings.reports):
        remove_unfinished(folder)


def _review_address(settings: Settings) -> str:
    try:
        return settings.review_address.read_text(encoding="ascii")
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    watch_inbox()
