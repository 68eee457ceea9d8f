"""The desk at which a session's transcript is reviewed: every state of it, kept on disk, none ever overwritten.

Corrections go in, numbered revisions come out. Each is a file of its own that is written whole under a name that must
not be taken yet, so of two people who save at the same moment one is told that the other was first, and a power cut
leaves a revision there or not there. What a person has not saved yet is kept as a draft; what is recognised anew stands
beside reviewed words as a proposal. Stands alone so that the editor, the files that come back corrected and the flow
that publishes share one memory.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from pipeline.corrections import changes, revise
from pipeline.cuts import Timeline
from pipeline.durable import make_folder, rename_new, sync_folder, write_whole
from pipeline.errors import CorrectionInvalid, RevisionConflict, RevisionDamaged, RevisionMissing
from pipeline.journal import session_folder
from pipeline.locks import exclusive
from pipeline.naming import printable
from pipeline.revisions import Approval, Correction, Draft, Entry, Origin, Proposal, Revision
from pipeline.serial import from_json, to_json
from pipeline.types import SESSION_ID, Provenance, Transcript

T = TypeVar("T")

_PROPOSAL: Final = "proposal.json"
_NUMBERED: Final = re.compile(r"([0-9]{6})\.json\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proposed:
    """A proposal as it lies on disk."""

    transcript: Transcript
    provenance: Provenance
    proposed_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The revisions of one session.

    Any number of threads and processes may use desks of one session at once. Whatever meets a damaged file raises
    ``RevisionDamaged`` and leaves it alone.

    Attributes:
        folder: Where they are kept; made when needed.
        session_id: Whose they are.
    """

    folder: Path
    session_id: str

    @classmethod
    def of(cls, work: Path, session_id: str) -> Desk:
        """Return the desk of a session in the work area.

        Args:
            work: The work area.
            session_id: As anybody may have written it.

        Raises:
            RevisionMissing: It is no session id.
        """
        if not SESSION_ID.match(session_id):
            raise RevisionMissing("review.no_session", {"session": printable(session_id)})
        return cls(folder=session_folder(work, session_id) / "review", session_id=session_id)

    def latest(self) -> Revision:
        """Return the newest revision.

        Raises:
            RevisionMissing: Nothing has been recognised yet, or there is no such session.
        """
        number = self._last("revisions")
        if not number:
            known = self.folder.parent.is_dir()
            raise RevisionMissing("review.nothing" if known else "review.no_session", {"session": self.session_id})
        return self.revision(number)

    def revision(self, number: int) -> Revision:
        """Return one revision, with its last approval where it has one.

        Raises:
            RevisionMissing: There is none of that number.
        """
        try:
            kept = self._read(Revision, _numbered(self.folder / "revisions", number))
        except FileNotFoundError:
            data = {"session": self.session_id, "number": str(number)}
            raise RevisionMissing("review.no_revision", data) from None
        return replace(kept, entry=replace(kept.entry, approval=self._approvals().get(number)))

    def history(self) -> tuple[Entry, ...]:
        """Return what is known of every revision, the oldest first, without their words."""
        approvals = self._approvals()
        numbers = range(1, self._last("revisions") + 1)
        paths = (_numbered(self.folder / "revisions", number) for number in numbers)
        entries = (self._entry(path) for path in paths)
        return tuple(replace(entry, approval=approvals.get(entry.number)) for entry in entries)

    def save(
        self, correction: Correction, *, author: str, based_on: int, now: dt.datetime, origin: Origin = "person"
    ) -> Revision:
        """Keep what a person corrected as a new revision, and forget their draft.

        Args:
            correction: The whole session as they want it.
            author: Who they are; for a file, its name.
            based_on: Number of the revision that they corrected.
            now: The time, with a time zone.
            origin: ``person``, or ``file`` for a file that came back corrected.

        Raises:
            RevisionConflict: Somebody else has saved since; nothing has been kept, and the draft is still there.
            RevisionMissing: There is no revision to correct.
            CorrectionInvalid: The correction does not fit that revision.
        """
        before = self.revision(based_on)
        if not Timeline(duration_ms=before.transcript.duration_ms, cuts=correction.cuts).kept_ms:
            raise CorrectionInvalid("review.nothing_left")
        if any(chapter.end_ms > before.transcript.duration_ms for chapter in correction.chapters or ()):
            raise CorrectionInvalid("review.correction_invalid", {"detail": "chapters"})
        made = replace(
            before,
            entry=Entry(number=based_on + 1, author=author, saved_at=now, origin=origin, based_on=based_on),
            transcript=revise(before, correction),
            cuts=correction.cuts,
            title=correction.title,
            chapters=correction.chapters,
        )
        with self._held():
            self._keep(made)
            self._draft_path(author).unlink(missing_ok=True)
        return made

    def approve(self, number: int, *, author: str, now: dt.datetime) -> Revision:
        """Note that somebody stands by a revision; it is what learners get from then on.

        Args:
            number: Of the revision; not necessarily the newest.
            author: Who stands by it.
            now: The time, with a time zone.

        Raises:
            RevisionMissing: There is no such revision.
        """
        approval = Approval(revision=number, author=author, approved_at=now)
        revision = self.revision(number)
        with self._held():
            self._write_new(_numbered(self.folder / "approvals", self._last("approvals") + 1), to_json(approval))
        return replace(revision, entry=replace(revision.entry, approval=approval))

    def approved(self) -> Revision | None:
        """Return the revision that was approved last, or ``None`` where none was."""
        last = self._last("approvals")
        return self.revision(self._approval(last).revision) if last else None

    def keep_recognition(self, transcript: Transcript, provenance: Provenance, *, now: dt.datetime) -> None:
        """Keep what was recognised: as a revision while nobody has worked on the text, else as a proposal beside it.

        What was recognised before is not kept twice.

        Args:
            transcript: What was recognised.
            provenance: What recognised it.
            now: The time, with a time zone.
        """
        with self._held():
            entries = self.history()
            heard = [entry.number for entry in entries if entry.origin in {"recognition", "proposal"}]
            known = self.revision(heard[-1]).transcript if heard else None
            worked_on = entries and (entries[-1].origin != "recognition" or entries[-1].approval or self._drafts())
            # New details of the session may change who is proposed for a voice; that alone is no other text.
            if known == transcript or (known and worked_on and known.turns == transcript.turns):
                (self.folder / _PROPOSAL).unlink(missing_ok=True)
            elif worked_on:
                kept = self._proposed()
                if kept is None or kept.transcript != transcript:
                    proposed = _Proposed(transcript=transcript, provenance=provenance, proposed_at=now)
                    write_whole(self.folder / _PROPOSAL, to_json(proposed))
            else:
                entry = Entry(number=len(entries) + 1, author=provenance.tool, saved_at=now, origin="recognition")
                self._keep(Revision(entry=entry, transcript=transcript, provenance=provenance))

    def proposal(self) -> Proposal | None:
        """Return what a later recognition would say, or ``None`` where there is no such thing."""
        kept = self._proposed()
        if kept is None:
            return None
        return Proposal(
            transcript=kept.transcript,
            provenance=kept.provenance,
            proposed_at=kept.proposed_at,
            changes=changes(self.latest().transcript, kept.transcript),
        )

    def take_proposal(self, *, author: str, based_on: int, now: dt.datetime) -> Revision:
        """Make a new revision of the proposal; cuts, chapters and title stay as they are.

        Args:
            author: Who chose it.
            based_on: Number of the revision that it was compared with.
            now: The time, with a time zone.

        Raises:
            RevisionMissing: There is no proposal, or no such revision.
            RevisionConflict: Somebody else has saved since; the proposal is still there.
        """
        before = self.revision(based_on)
        with self._held():
            kept = self._proposed()
            if kept is None:
                raise RevisionMissing("review.no_proposal", {"session": self.session_id})
            entry = Entry(number=based_on + 1, author=author, saved_at=now, origin="proposal", based_on=based_on)
            made = replace(before, entry=entry, transcript=kept.transcript, provenance=kept.provenance)
            self._keep(made)
            (self.folder / _PROPOSAL).unlink(missing_ok=True)
        return made

    def draft(self, author: str) -> Draft | None:
        """Return what one person has typed and not saved, or ``None`` where there is nothing."""
        try:
            return self._read(Draft, self._draft_path(author))
        except FileNotFoundError:
            return None

    def keep_draft(self, author: str, payload: str, *, based_on: int) -> None:
        """Keep what one person has typed, durably, in place of what they had typed before.

        Args:
            author: Who.
            payload: Whatever the editor needs to go on.
            based_on: Number of the revision that they correct.
        """
        with self._held():
            path = self._draft_path(author)
            make_folder(path.parent)
            write_whole(path, to_json(Draft(author=author, based_on=based_on, payload=payload)))

    @contextmanager
    def _held(self) -> Iterator[None]:
        make_folder(self.folder)
        with exclusive(self.folder / ".lock", wait=True):
            yield

    def _keep(self, revision: Revision) -> None:
        try:
            self._write_new(_numbered(self.folder / "revisions", revision.number), to_json(revision))
        except FileExistsError:
            first = self.latest().entry
            data = {
                "based_on": str(revision.number - 1),
                "latest": str(first.number),
                "author": first.author,
                "saved_at": first.saved_at.isoformat(),
            }
            raise RevisionConflict("review.conflict", data) from None

    def _write_new(self, path: Path, content: bytes) -> None:
        """Write a file whole, under a name that must not be taken."""
        make_folder(path.parent)
        new = self.folder / ".new"
        write_whole(new, content)
        rename_new(new, path)
        sync_folder(path.parent)

    def _last(self, folder: str) -> int:
        names = (self.folder / folder).glob("*.json")
        return max((int(found[1]) for name in names if (found := _NUMBERED.match(name.name))), default=0)

    def _approval(self, number: int) -> Approval:
        return self._read(Approval, _numbered(self.folder / "approvals", number))

    def _approvals(self) -> dict[int, Approval]:
        found = (self._approval(number) for number in range(1, self._last("approvals") + 1))
        return {approval.revision: approval for approval in found}

    def _proposed(self) -> _Proposed | None:
        try:
            return self._read(_Proposed, self.folder / _PROPOSAL)
        except FileNotFoundError:
            return None

    def _read(self, kind: type[T], path: Path) -> T:
        with self._whole(path):
            return from_json(kind, path.read_bytes())

    def _entry(self, path: Path) -> Entry:
        with self._whole(path):
            return _read_entry(path, path.stat().st_mtime_ns)

    @contextmanager
    def _whole(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError) as error:
            data = {"session": self.session_id, "file": path.relative_to(self.folder).as_posix()}
            raise RevisionDamaged("review.damaged", data) from error

    def _drafts(self) -> bool:
        return any((self.folder / "drafts").glob("*.json"))

    def _draft_path(self, author: str) -> Path:
        # A name that somebody chose is no file name.
        return self.folder / "drafts" / f"{hashlib.sha256(author.encode()).hexdigest()[:32]}.json"


def _numbered(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.json"


@lru_cache(maxsize=4096)
def _read_entry(path: Path, _modified_ns: int) -> Entry:
    """Return what a revision's file says of it; such a file changes only where a session was removed and came back."""
    return from_json(Entry, json.dumps(json.loads(path.read_bytes())["entry"]))
