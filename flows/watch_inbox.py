"""The watch folder as a Prefect flow that runs for as long as Tribune does.

In goes the inbox, out come runs of ``process_session``, one a recording, and a status page. Each round sweeps the
inbox, sees to it that every unfinished recording has a run that lives, writes the page, takes captions that came back
corrected and what learners report, tells people, and once a day removes what killed writers left and withdraws what the
settings keep no longer. A round that fails, because the Prefect server restarts say, is logged and tried again: nothing
is kept in memory that the next round could miss.
"""

from __future__ import annotations

import datetime as dt
import logging
import signal
import threading
from collections.abc import Callable
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
from pipeline.inbox import IntakeOptions, prepare
from pipeline.intake import Seen, sweep
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
    tidied_on: dt.date | None = None
    # Whatever ran before this watcher was started had no time to be handed over.
    grace = dt.timedelta(0)
    while True:
        pause = settings.intake.poll_seconds
        try:
            seen = look(options, seen, grace, review=_review_address(settings))
            grace = GRACE
            now = dt.datetime.now().astimezone()
            take_returned(settings.returned, settings.work, settle_ms=options.settle_ms, now=now, terms=terms)
            take_reports(settings.reports, settings.work, settle_ms=options.settle_ms, now=now)
            notifier.tell(read_records(options.work))
            if tidied_on != now.date():
                _tidy(settings)
                tidied_on = now.date()
            retention.apply(now.date())
        except (httpx.HTTPError, PrefectException, OSError, TribuneError):
            _logger.warning("this round failed; the next one makes up for it", exc_info=True)
            pause = max(pause, _AFTER_FAILURE_S)
        if not go_on(pause):
            return


def look(options: IntakeOptions, seen: Seen, grace: dt.timedelta, *, review: str = "") -> Seen:
    """Sweep once, see to the runs, write the status page.

    Args:
        options: The intake's.
        seen: What the round before saw.
        grace: How long a run may be without its lock.
        review: Address of the review pages; empty where they do not run.

    Returns:
        What this round saw.
    """
    swept = sweep(options, seen)
    finish_approvals(options.work)
    tend_runs(options.work, grace=grace)
    zone = dt.datetime.now(dt.UTC).astimezone().tzinfo or dt.UTC
    write_status(options, swept, read_records(options.work), zone=zone, review=review)
    return swept.seen


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
