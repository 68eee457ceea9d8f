"""The folder for captions and Word documents that were corrected elsewhere.

Files lie in it, revisions come of them: each file that has settled is read, compared with the revision that it was made
from and kept as a new one, by the name of the file. It then lies in ``taken``, or, where it cannot be taken, in
``refused``, with a text beside it that says in both languages what became of it. No file is ever lost, none is taken
twice. Stands alone so that the watcher only has to look.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pipeline.caption_files import open_captions
from pipeline.corrections import changes, revise
from pipeline.cuts import apply_cuts
from pipeline.drop_folder import notice_of, put_away, settled_files
from pipeline.editing import edit
from pipeline.errors import CaptionsInvalid, ReturnedFileInvalid, ReviewError, RevisionConflict
from pipeline.glossary import GlossaryTerm
from pipeline.journal import Stamp, read_record
from pipeline.naming import printable
from pipeline.returned import Mark, correction_of, labels_of, lines_of, mark_of
from pipeline.returned_docx import EXTENSION, read_document
from pipeline.returned_edited import compare
from pipeline.review import Desk
from pipeline.revisions import Correction, Revision
from pipeline.types import Notice

_logger = logging.getLogger(__name__)

TAKEN: Final = "taken"
REFUSED: Final = "refused"
_MOST_BYTES: Final = 20_000_000
_MOST_LISTED: Final = 20
_MOST_SHOWN: Final = 200


def take_returned(
    folder: Path, work: Path, *, settle_ms: int, now: dt.datetime, terms: Sequence[GlossaryTerm] = ()
) -> None:
    """Make a revision of every file that has come back, or say beside it why not.

    Args:
        folder: Where they are dropped; made when needed.
        work: The work area.
        settle_ms: A file is left alone until it has not changed for so long.
        now: The time, with a time zone.
        terms: Glossary of the house, with which documents were edited.

    Raises:
        OSError: The folder cannot be read or written.
    """
    for path, stamp in settled_files(folder, settle_ms):
        content = path.read_bytes() if stamp.size <= _MOST_BYTES else None
        if Stamp.read(path) != stamp:
            # Somebody writes again: half of it would become a revision, and the whole of it be overtaken by that.
            continue
        try:
            told, where = _revision_of(path.name, content, work, now, terms), TAKEN
        except (CaptionsInvalid, ReviewError) as refusal:
            told, where = (notice_of(refusal),), REFUSED
        if put_away(path, stamp, folder / where, told):
            _logger.info("a file that came back is %s: %s", where, told[0].code)


def _revision_of(
    name: str, content: bytes | None, work: Path, now: dt.datetime, terms: Sequence[GlossaryTerm]
) -> tuple[Notice, ...]:
    """Keep what a file says as a revision, and return what to tell.

    Args:
        name: Of the file.
        content: All of it; ``None`` where it is too large.
        work: The work area.
        now: The time, with a time zone.
        terms: Glossary of the house.

    Raises:
        CaptionsInvalid: It cannot be read.
        ReviewError: It cannot be taken.
    """
    if content is None:
        raise ReturnedFileInvalid("review.file_too_large", {"megabytes": str(_MOST_BYTES // 1_000_000)})
    if name.lower().endswith(EXTENSION):
        desk, base, correction, notices = _read_document(name, content, work, terms)
    else:
        opened = open_captions(content, name)
        desk, base, _ = _made_from(opened.read.notes, name, work)
        correction, notices = correction_of(lines_of(opened.read, base.transcript), base), opened.notices
    changed = len(changes(base.transcript, revise(base, correction)))
    if not changed:
        same = (("number", str(base.number)), ("session", base.session_id))
        return (Notice(code="review.file_same", data=same), *notices)
    saved = desk.save(correction, author=printable(name), based_on=base.number, now=now, origin="file")
    about = (("changes", str(changed)), ("number", str(saved.number)), ("session", base.session_id))
    return (Notice(code="review.file_taken", data=about), *notices)


def _read_document(
    name: str, content: bytes, work: Path, terms: Sequence[GlossaryTerm]
) -> tuple[Desk, Revision, Correction, tuple[Notice, ...]]:
    """Return what a Word document corrects, and what to tell of it.

    Raises:
        ReviewError: It cannot be taken.
    """
    document = read_document(content)
    desk, base, mark = _made_from(document.origin, name, work)
    record = read_record(work, mark.session_id)
    glossary = record.session.glossary if record else ()
    shown = apply_cuts(base.transcript, base.cuts)
    edited = edit(shown, glossary, terms, reviewed=mark.revision is not None)
    compared = compare(document.blocks(labels_of(base.transcript)), base, shown, edited)
    after = apply_cuts(revise(base, compared.correction), base.cuts)
    unlike = compared.unlike(edit(after, glossary, terms, reviewed=True).transcript)
    tracked = (Notice(code="review.document_tracked", data=(("count", str(document.tracked)),)),)
    notices = (
        *(tracked if document.tracked else ()),
        *_listed("review.document_comments", document.comments),
        *_listed("review.document_aside", compared.aside),
        *_listed("review.document_unlike", unlike),
    )
    return desk, base, compared.correction, notices


def _listed(code: str, passages: Sequence[str]) -> Iterator[Notice]:
    """Yield a notice of some passages of a document, where there are any; of many, the first."""
    shown = [text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]} …" for text in passages[:_MOST_LISTED]]
    if shown:
        passages_shown = "".join(f"\n- {text}" for text in shown)
        yield Notice(code=code, data=(("count", str(len(passages))), ("passages", passages_shown)))


def _made_from(notes: Sequence[str], name: str, work: Path) -> tuple[Desk, Revision, Mark]:
    """Return the desk and the revision that a file was made from, and what it says of that.

    Raises:
        ReviewError: It does not say, there is no such session, or somebody has saved since.
    """
    mark = mark_of(notes, name)
    if mark is None:
        raise ReturnedFileInvalid("review.file_nameless")
    desk = Desk.of(work, mark.session_id)
    return desk, _base(desk, mark.revision), mark


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
