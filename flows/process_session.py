"""One recording to one published session, as a Prefect flow.

In goes the id of a claimed recording, out comes its publication, or the reason why there is none, in the journal that
the facilitator's status page is made from. The flow adds to ``pipeline.process`` what an operator needs: tasks with
names and retries, links, and the lock that tells the watcher whether this run still lives.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol, cast
from uuid import UUID

import httpx
from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.states import Completed

from config.settings import Settings, load_settings
from flows.children import end_with_parent
from flows.engines import intake_options, process_options, running_store
from flows.runs import alone_with
from flows.shared_engines import SharedEngines
from flows.tasks import POLICIES, as_tasks
from pipeline.details import Tags
from pipeline.errors import RecordingRejected, ReviewAwaited, TribuneError
from pipeline.intake import complete_session
from pipeline.journal import (
    Failed,
    NeedsReview,
    Processing,
    Published,
    SessionRecord,
    Withdrawn,
    read_record,
    record_state,
    session_folder,
)
from pipeline.locks import Held
from pipeline.messages import message
from pipeline.process import process
from pipeline.s3 import open_store
from pipeline.set_aside import reject
from pipeline.stages import Stage, Work, checkpointed
from pipeline.types import LANGUAGES, Notice, Publication, Session

_logger = logging.getLogger(__name__)

_TELL_EVERY: Final = 0.02
"""Share of a stage after which the facilitator is told how far it is."""

_SHOW_EVERY_S: Final = 2.0
"""The operator less often: each time is a call to the Prefect server, which then takes the cores from the engines."""


class Way(Protocol):
    """From a recording to a published session."""

    def __call__(self, work: Work, session: Session, *, complete: Callable[[Tags], Session]) -> Publication:
        """Publish a recording as a session."""
        ...


@flow(name="process-session", flow_run_name="{title} · {session_id}", persist_result=False, validate_parameters=False)
def process_session(session_id: str, attempt: int, title: str) -> State[str]:
    """Process a claimed recording and publish it.

    Args:
        session_id: Whose.
        attempt: Which attempt at it this is.
        title: Names the run.
    """
    del title
    return run_claimed(session_id, attempt, process)


def run_claimed(session_id: str, attempt: int, way: Way) -> State[str]:
    """Go one way with a claimed recording, alone, and note in the journal what came of it.

    Args:
        session_id: Whose.
        attempt: Which attempt at it this is.
        way: :func:`pipeline.process.process` or :func:`pipeline.process.republish`.
    """
    end_with_parent()
    settings = load_settings()
    try:
        with alone_with(settings.work, session_id):
            return _process_claimed(settings, session_id, attempt, way)
    except Held:
        return Completed(name="Doubled", message="Another run is at work on this recording.")


def _process_claimed(settings: Settings, session_id: str, attempt: int, way: Way) -> State[str]:
    record = read_record(settings.work, session_id)
    if record is None:
        return Completed(name="Gone", message="There is no such recording in the work area.")
    if isinstance(record.state, Withdrawn):
        return Completed(name="Withdrawn", message="The session was withdrawn.")
    try:
        publication = _publish(settings, record, attempt, way)
    except RecordingRejected as rejection:
        reject(intake_options(settings), session_id, rejection)
        return Completed(name="SetAside", message=str(rejection))
    except ReviewAwaited as awaited:
        record_state(settings.work, session_id, attempt, NeedsReview())
        return Completed(name="NeedsReview", message=str(awaited))
    except Exception as failure:
        if not _may_pass(failure):
            _note_failure(settings, session_id, attempt, failure)
        raise
    state = Published(revision=publication.revision, pages=publication.pages, notes=publication.notes)
    record_state(settings.work, session_id, attempt, state)
    with _advisory("links"):
        _link(publication)
    return Completed(message=f"Published as {publication.revision}.")


def _publish(settings: Settings, record: SessionRecord, attempt: int, way: Way) -> Publication:
    session_id = record.session.id
    folder = session_folder(settings.work, session_id)
    intake = intake_options(settings)
    with running_store(settings, own=False) as s3:
        work = Work(
            recording=record.recording,
            folder=folder,
            engines=SharedEngines(settings),
            open_store=partial(open_store, s3),
            options=process_options(settings),
            run=as_tasks(checkpointed(folder / "finished", _teller(settings, session_id, attempt))),
        )
        return way(work, record.session, complete=lambda tags: complete_session(intake, session_id, tags))


def _teller(settings: Settings, session_id: str, attempt: int) -> Callable[[Stage, float], None]:
    """Return what notes how far a run is: for the facilitator in the journal, for the operator as an artifact."""
    told: dict[Stage, float] = {}
    shown: dict[Stage, UUID] = {}
    shown_at_s = 0.0

    def tell(stage: Stage, share: float) -> None:
        nonlocal shown_at_s
        before = told.get(stage, -1.0)
        if share - before < _TELL_EVERY and not before < share == 1.0:
            return
        told[stage] = share
        with _advisory("progress"):
            record_state(settings.work, session_id, attempt, Processing(stage=stage, share=share))
            now_s = time.monotonic()
            if stage not in shown:
                shown[stage] = _show(stage)
            elif share == 1.0 or now_s - shown_at_s >= _SHOW_EVERY_S:
                update_progress_artifact(shown[stage], progress=round(100 * share, 1))
                shown_at_s = now_s

    return tell


def _show(stage: Stage) -> UUID:
    return cast("UUID", create_progress_artifact(progress=0.0, key=stage, description=POLICIES[stage].name))


@contextmanager
def _advisory(what: str) -> Iterator[None]:
    """Let what only informs people fail without failing the work."""
    try:
        yield
    except (httpx.HTTPError, PrefectException, OSError) as failure:
        _logger.warning("%s could not be told: %s", what, type(failure).__name__)


def _may_pass(failure: Exception) -> bool:
    """Say whether the same run may go through later; then it stays unfinished and the watcher queues it again."""
    return (
        failure.retryable
        if isinstance(failure, TribuneError)
        else isinstance(failure, httpx.HTTPError | PrefectException)
    )


def _note_failure(settings: Settings, session_id: str, attempt: int, failure: Exception) -> None:
    if isinstance(failure, TribuneError):
        reason = Notice(code=failure.code, data=tuple(sorted(failure.data.items())))
    else:
        reason = Notice(code="flows.unforeseen", data=(("kind", type(failure).__name__),))
    record_state(settings.work, session_id, attempt, Failed(reasons=(reason,)))
    get_run_logger().error("%s", message(reason.code, "en", **dict(reason.data)))


def _link(publication: Publication) -> None:
    """Put links to what was published on the run."""
    pages = dict(publication.pages)
    for language in LANGUAGES:
        create_link_artifact(pages[language], link_text=f"page ({language})", key=f"page-{language}")
    for name, address in publication.files:
        kind, _, extension = name.partition(".")
        if extension.endswith("vtt") or (kind == "transcript" and extension.endswith("html")):
            create_link_artifact(address, link_text=name, key=kind)
