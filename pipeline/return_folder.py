"""The folder for captions that were corrected elsewhere.

Files lie in it, revisions come of them: each file that has settled is read, compared with the revision that it was made
from and kept as a new one, by the name of the file. It then lies in ``taken``, or, where it cannot be taken, in
``refused``, with a text beside it that says in both languages what became of it. No file is ever lost, none is taken
twice. Stands alone so that the watcher only has to look.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import time
from pathlib import Path
from typing import Final

from pipeline.corrections import changes, revise
from pipeline.errors import ReturnedFileInvalid, ReviewError, RevisionConflict
from pipeline.intake import is_ignored
from pipeline.journal import Stamp, free_path, make_folder, rename_new, write_whole
from pipeline.messages import message
from pipeline.naming import printable
from pipeline.returned import EXTENSIONS, correction_of, labels_of, mark_of, read_lines
from pipeline.review import Desk
from pipeline.revisions import Revision
from pipeline.types import LANGUAGES, Notice

_logger = logging.getLogger(__name__)

TAKEN: Final = "taken"
REFUSED: Final = "refused"
_MOST_BYTES: Final = 20_000_000
_NANOSECONDS: Final = 1_000_000
_BOTH: Final = "\n\n– – –\n\n"


def take_returned(folder: Path, work: Path, *, settle_ms: int, now: dt.datetime) -> None:
    """Make a revision of every file that has come back, or say beside it why not.

    Args:
        folder: Where they are dropped; made when needed.
        work: The work area.
        settle_ms: A file is left alone until it has not changed for so long.
        now: The time, with a time zone.

    Raises:
        OSError: The folder cannot be read or written.
    """
    make_folder(folder)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if not entry.is_file(follow_symlinks=False) or is_ignored(entry.name):
            continue
        stamp = Stamp.read(path)
        if time.time_ns() - stamp.modified_ns >= settle_ms * _NANOSECONDS:
            _take(folder, work, path, stamp, now)


def _take(folder: Path, work: Path, path: Path, stamp: Stamp, now: dt.datetime) -> None:
    try:
        told, where = _revision_of(path, work, now), TAKEN
    except ReviewError as refusal:
        told, where = Notice(code=refusal.code, data=tuple(sorted(refusal.data.items()))), REFUSED
    if Stamp.read(path) != stamp:
        # Somebody wrote meanwhile: it is looked at again once it has settled.
        return
    make_folder(folder / where)
    target = free_path(folder / where / path.name)
    texts = (message(told.code, language, **dict(told.data)) for language in LANGUAGES)
    write_whole(target.with_name(f"{target.name[:200]}.txt"), (_BOTH.join(texts) + "\n").encode())
    rename_new(path, target)
    _logger.info("a file that came back is %s: %s", where, told.code)


def _revision_of(path: Path, work: Path, now: dt.datetime) -> Notice:
    """Keep what a file says as a revision, and return what to tell.

    Raises:
        ReviewError: It cannot be taken.
    """
    text = _read(path)
    mark = mark_of(text, path.name)
    if mark is None:
        raise ReturnedFileInvalid("review.file_nameless")
    desk = Desk.of(work, mark.session_id)
    base = _base(desk, mark.revision)
    known = tuple(labels_of(base.transcript))
    correction = correction_of(read_lines(text, path.suffix.lower(), known), base)
    changed = len(changes(base.transcript, revise(base, correction)))
    if not changed:
        same = (("number", str(base.number)), ("session", mark.session_id))
        return Notice(code="review.file_same", data=same)
    saved = desk.save(correction, author=printable(path.name), based_on=base.number, now=now, origin="file")
    about = (("changes", str(changed)), ("number", str(saved.number)), ("session", mark.session_id))
    return Notice(code="review.file_taken", data=about)


def _base(desk: Desk, number: int | None) -> Revision:
    """Return the revision that a file was made from, as long as it is still the newest.

    Raises:
        RevisionConflict: Somebody has saved since.
    """
    latest = desk.latest()
    recognised = [entry.number for entry in desk.history() if entry.origin == "recognition"]
    based_on = number or recognised[-1]
    if based_on == latest.number:
        return latest
    data = {"based_on": str(based_on), "latest": str(latest.number), "author": latest.entry.author}
    raise RevisionConflict("review.file_overtaken", data)


def _read(path: Path) -> str:
    if path.suffix.lower() not in EXTENSIONS:
        raise ReturnedFileInvalid("review.file_unreadable", {"detail": printable(path.suffix)})
    if path.stat().st_size > _MOST_BYTES:
        raise ReturnedFileInvalid("review.file_unreadable", {"detail": f"> {_MOST_BYTES // 1_000_000} MB"})
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReturnedFileInvalid("review.file_unreadable", {"detail": error.reason}) from error
