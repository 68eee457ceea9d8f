"""The folder for what learners report: mails that were saved, and what a form delivered.

Files lie in it, reports beside a session's revisions come of them. A file that was taken is deleted, because it says
who sent it and nobody needs that; one that cannot be taken lies in ``refused``, with a text beside it that says why in
both languages. Stands alone so that the watcher only has to look.
"""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from typing import Final

from pipeline.drop_folder import notice_of, put_away, settled_files
from pipeline.errors import ReportInvalid, ReviewError
from pipeline.journal import Stamp
from pipeline.report_files import read_report
from pipeline.reports import Reports
from pipeline.return_folder import REFUSED
from pipeline.review import Desk

_logger = logging.getLogger(__name__)

_MOST_BYTES: Final = 2_000_000


def take_reports(folder: Path, work: Path, *, settle_ms: int, now: dt.datetime) -> None:
    """Keep every report that has arrived beside its session's revisions, or say beside it why not.

    Args:
        folder: Where they arrive; made when needed.
        work: The work area.
        settle_ms: A file is left alone until it has not changed for so long.
        now: The time, with a time zone.

    Raises:
        OSError: The folder cannot be read or written.
    """
    for path, stamp in settled_files(folder, settle_ms):
        try:
            _keep(path, stamp, work, now)
        except ReviewError as refusal:
            if put_away(path, stamp, folder / REFUSED, (notice_of(refusal),)):
                _logger.info("a report is refused: %s", refusal.code)


def _keep(path: Path, stamp: Stamp, work: Path, now: dt.datetime) -> None:
    """Keep a report and delete its file.

    Raises:
        ReviewError: It cannot be taken.
    """
    if stamp.size > _MOST_BYTES:
        raise ReportInvalid("reports.too_large", {"megabytes": str(_MOST_BYTES // 1_000_000)})
    sent = read_report(path.read_bytes(), path.suffix.lower())
    new = Reports(desk=Desk.of(work, sent.session_id)).keep(sent, now=now)
    # Somebody who writes another report under the same name meanwhile finds it read with the next look.
    if Stamp.read(path) == stamp:
        path.unlink()
    _logger.info("session %s: a report of a learner is %s", sent.session_id, "kept" if new else "known already")
