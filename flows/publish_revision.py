"""An approved revision to a published session, as a Prefect flow.

In goes the id of a session of which somebody has approved a revision, out comes its publication. It is
``flows.process_session`` without the hearing: captions, documents, pages and video are made anew from the reviewed
words, so that what a person approves is seen in minutes whatever has become of models and settings since.
"""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from flows.process_session import run_claimed
from pipeline.process import republish


@flow(name="publish-revision", flow_run_name="{title} · {session_id}", persist_result=False, validate_parameters=False)
def publish_revision(session_id: str, attempt: int, title: str) -> State[str]:
    """Publish what was approved last of a session.

    Args:
        session_id: Whose.
        attempt: Which attempt at it this is.
        title: Names the run.
    """
    del title
    return run_claimed(session_id, attempt, republish)
