"""One Prefect run for each recording, whatever dies.

In go session records, out come runs in the Prefect server: one for each attempt at a recording, by idempotency key.
A run whose process is gone is recognised by its free lock, and by that process, and put back in the queue; one that
keeps dying is given up with a reason. Stands alone as the only place that asks Prefect about runs.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterIdempotencyKey,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectException
from prefect.states import Crashed, Scheduled

from pipeline.journal import (
    Claimed,
    Failed,
    Processing,
    SessionRecord,
    read_records,
    record_state,
    session_folder,
)
from pipeline.locks import Held, exclusive, is_held
from pipeline.types import Notice

_logger = logging.getLogger(__name__)

WATCHER: Final = "watch-inbox"
DEPLOYMENT: Final = "process-session/tribune"
REVIEWED: Final = "publish-revision/tribune-reviewed"
"""Publishes what a person approved, and recognises nothing."""

MOST_TRIES: Final = 8
"""Times that a run may die or fail for want of something else before its recording is given up."""

GRACE: Final = dt.timedelta(seconds=45)
"""A run may be without its lock for so long: from being handed to a process until that has started."""

_ACTIVE: Final = {StateType.PENDING, StateType.RUNNING, StateType.CANCELLING}
_RESTART: Final = "AwaitingRetry"
_WAITS_S: Final = (0.2, 0.5, 1.0)
_AT_ONCE: Final = 100
"""Runs asked for at once; the server answers with 200 at most."""


def lock_path(work: Path, session_id: str) -> Path:
    """Return the file that a run holds locked for as long as it lives."""
    return session_folder(work, session_id) / ".run.lock"


@contextmanager
def alone_with(work: Path, session_id: str) -> Iterator[None]:
    """Hold the lock of a run for the length of a block.

    The watcher takes it for an instant when it asks whether anybody holds it, so one refusal says nothing.

    Raises:
        Held: Another run holds it.
    """
    lock = lock_path(work, session_id)
    with ExitStack() as held:
        for wait_s in _WAITS_S:
            try:
                held.enter_context(exclusive(lock, wait=False))
                break
            except Held:
                time.sleep(wait_s)
        else:
            held.enter_context(exclusive(lock, wait=False))
        yield


def run_key(record: SessionRecord) -> str:
    """Return what makes a run of this attempt the only one."""
    return f"{record.session.id}-{record.attempt}"


def tend_runs(work: Path, *, grace: dt.timedelta = GRACE) -> None:
    """See to it that every recording that is not finished has a run that lives.

    Args:
        work: The work area.
        grace: How long a run may be without its lock; nothing right after everything was started anew.

    Raises:
        httpx.HTTPError: The Prefect server cannot be reached.
    """
    waiting = [record for record in read_records(work) if isinstance(record.state, Claimed | Processing)]
    if not waiting:
        return
    with get_client(sync_client=True) as client:
        runs = _find_runs(client, waiting)
        for record in waiting:
            with _on_its_own(record):
                run = runs.get(run_key(record))
                if run is None:
                    _submit(record)
                else:
                    _revive(client, work, record, run, grace)


def retire_watchers(own: UUID | None) -> None:
    """Mark watchers that a kill or a power cut left behind as crashed, so that the operator sees one.

    Args:
        own: The run that asks.

    Raises:
        httpx.HTTPError: The Prefect server cannot be reached.
    """
    with get_client(sync_client=True) as client:
        left = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[WATCHER])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING]))
            ),
        )
        for run in left:
            if run.id != own:
                client.set_flow_run_state(run.id, Crashed(message="Its process is gone."), force=True)


@contextmanager
def _on_its_own(record: SessionRecord) -> Iterator[None]:
    """Keep what fails about one recording from holding up the others."""
    try:
        yield
    except (PrefectException, OSError):
        _logger.warning("session %s: its run could not be tended", record.session.id, exc_info=True)


def _find_runs(client: SyncPrefectClient, records: Iterable[SessionRecord]) -> dict[str, FlowRun]:
    keys = [run_key(record) for record in records]
    found: dict[str, FlowRun] = {}
    for start in range(0, len(keys), _AT_ONCE):
        asked = FlowRunFilterIdempotencyKey(any_=keys[start : start + _AT_ONCE])
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(idempotency_key=asked))
        found.update({run.idempotency_key: run for run in runs if run.idempotency_key})
    return found


def _submit(record: SessionRecord) -> None:
    session = record.session
    title = session.title.get(session.language)
    reviewed = isinstance(record.state, Claimed) and record.state.reviewed
    programme = session.programme.get(session.language) if session.programme else None
    run_deployment(
        REVIEWED if reviewed else DEPLOYMENT,
        parameters={
            "session_id": session.id,
            "attempt": record.attempt,
            "title": title,
        },
        # As the flow names itself once it runs: one that waits is to be found by the same name.
        flow_run_name=f"{title} · {session.id}",
        tags=[*session.languages, *([programme] if programme else [])],
        idempotency_key=run_key(record),
        timeout=0,
        as_subflow=False,
    )
    _logger.info("session %s: attempt %d is queued", session.id, record.attempt)


def _revive(client: SyncPrefectClient, work: Path, record: SessionRecord, run: FlowRun, grace: dt.timedelta) -> None:
    state = run.state
    if state is None or state.type is StateType.SCHEDULED or is_held(lock_path(work, record.session.id)):
        return
    # It may not have come to its lock yet, which takes a minute on a busy machine, or tell of its end after it.
    if state.type in _ACTIVE and _lives(run):
        return
    # What failed because the store or the server was away is not tried again at once, and each time less soon.
    pause = GRACE * 2**run.run_count if state.type is StateType.FAILED else grace if state.type in _ACTIVE else None
    now = dt.datetime.now(dt.UTC)
    if pause is not None and state.timestamp + pause > now:
        return
    if state.type is StateType.CANCELLED:
        _give_up(work, record, Notice(code="flows.cancelled"))
        return
    # A restart of everything is no failure of the recording, however often it happens.
    if grace and run.run_count >= MOST_TRIES:
        _give_up(work, record, Notice(code="flows.crashed_too_often", data=(("times", str(run.run_count)),)))
        return
    ended = state.timestamp
    if state.type in _ACTIVE:
        client.set_flow_run_state(run.id, Crashed(message="Its process is gone."), force=True)
        ended = now
    # A worker lets go of a run some time after its end; one that is given it again before that dies with all its runs.
    # On a busy machine it took longer than one grace.
    if ended + 3 * grace > now:
        return
    client.set_flow_run_state(run.id, Scheduled(name=_RESTART), force=True)
    _logger.warning("session %s: its run was %s; it is queued again", record.session.id, state.name)


def _lives(run: FlowRun) -> bool:
    """Say whether the process that a run was handed to lives, as far as can be seen from here."""
    try:
        environment = Path("/proc", str(run.infrastructure_pid), "environ").read_bytes()
    except OSError:
        return False
    # Another process may have its number by now.
    return f"PREFECT__FLOW_RUN_ID={run.id}".encode() in environment.split(b"\0")


def _give_up(work: Path, record: SessionRecord, reason: Notice) -> None:
    record_state(work, record.session.id, record.attempt, Failed(reasons=(reason,)))
    _logger.error("session %s is given up: %s", record.session.id, reason.code)
