"""An approval and what has to follow it, so that a death in between leaves nobody waiting.

Somebody's approval goes in, a noted one with a run that publishes it comes out. That something is being approved is
written down first and crossed out last; whoever watches finishes what was left. Stands alone because the review pages
and the commands both approve, and neither may forget the second half.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from pipeline.durable import make_folder, sync_folder
from pipeline.journal import request_publication
from pipeline.review import Desk
from pipeline.types import SESSION_ID

_logger = logging.getLogger(__name__)

T = TypeVar("T")

_FOLDER: Final = ".approving"
_LEFT_S: Final = 20.0
"""Nobody takes so long from an approval to its request."""


def approve(work: Path, desk: Desk, number: int, *, author: str, now: dt.datetime, publish: Callable[[str], T]) -> T:
    """Note that somebody stands by a revision, and have it published.

    Args:
        work: The work area.
        desk: Of the session.
        number: Of the revision.
        author: Who stands by it.
        now: The time, with a time zone.
        publish: Asks for a run that publishes the session with this id.

    Returns:
        What ``publish`` says.

    Raises:
        RevisionMissing: There is no such revision.
    """
    # Known to be there before anything says that it is being approved.
    desk.revision(number)
    mark = work / _FOLDER / desk.session_id
    make_folder(mark.parent)
    mark.touch()
    sync_folder(mark.parent)
    desk.approve(number, author=author, now=now)
    said = publish(desk.session_id)
    mark.unlink(missing_ok=True)
    return said


def finish_approvals(work: Path) -> None:
    """Have published what was approved by somebody who died before they could say so.

    Args:
        work: The work area.
    """
    folder = work / _FOLDER
    for mark in sorted(folder.iterdir()) if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if not SESSION_ID.match(mark.name) or time.time() - mark.stat().st_mtime < _LEFT_S:
                continue
            if Desk.of(work, mark.name).approved() is not None:
                queued = request_publication(work, mark.name)
                _logger.warning("session %s: an approval was left, queued now: %s", mark.name, queued)
            mark.unlink()
