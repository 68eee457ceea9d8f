"""What is set aside: a file on its way out of the inbox or the work area, with the reason beside it.

A file that is not taken, or a claimed recording that cannot be processed, comes in with its sidecar and tracks; they go
to ``rejected/`` together, under names that are free there, with the reason in both languages. The journal notes it in
the same plan. Nothing is deleted but reasons whose file somebody has taken away. It stands alone because the watcher
sets aside what it cannot take, and a run what it cannot process.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline.durable import fit_name
from pipeline.errors import TribuneError
from pipeline.inbox import REASON, IntakeOptions
from pipeline.journal import (
    Drop,
    Move,
    Plan,
    Rejected,
    SessionRecord,
    Stamp,
    Withdrawn,
    commit,
    encode_name,
    journal,
    known_record,
    now_ms,
    plan_move,
    write_record,
)
from pipeline.messages import message
from pipeline.naming import printable
from pipeline.parcels import fold_name
from pipeline.sidecar import SIDECAR_EXTENSIONS, reasons
from pipeline.types import LANGUAGES, Language, Notice

_logger = logging.getLogger(__name__)

KEPT_SIDECAR: Final = "sidecar-"
"""How the names of sidecars begin that are kept beside a claimed recording."""

_CUT_NAME_BYTES: Final = 250
_RULE: Final = "\n" + "-" * 60 + "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A file that was put into ``rejected/``.

    Attributes:
        name: As dropped, as it can be shown.
        path: Where it is now.
        session_id: Of its content.
        reasons: Why; what stands in the file beside it.
    """

    name: str
    path: Path
    session_id: str
    reasons: tuple[Notice, ...]


def reject(options: IntakeOptions, session_id: str, error: TribuneError) -> SetAside | None:
    """Give a claimed recording back to its facilitator, with its sidecar and the reason beside it.

    Args:
        options: The intake's.
        session_id: Whose recording.
        error: Why.

    Returns:
        Where it is now; ``None`` where it had been given back before or is no longer there.

    Raises:
        KeyError: No such session.
        OSError: It cannot be moved.
    """
    with journal(options.work):
        record = known_record(options.work, session_id)
        if isinstance(record.state, Rejected | Withdrawn):
            return None
        state = Rejected(reasons=reasons(error))
        if not record.recording.path.exists() or record.taken_as is None:
            write_record(options.work, replace(record, state=state, when_ms=now_ms()))
            return None
        return _give_back(options, record, record.taken_as, state)


def _give_back(options: IntakeOptions, record: SessionRecord, drop: Drop, state: Rejected) -> SetAside:
    folder = record.recording.path.parent
    kept = sorted(folder.glob(f"{KEPT_SIDECAR}*"), key=lambda path: path.stat().st_mtime_ns)
    files = [(path, Stamp.read(path)) for path in (record.recording.path, *kept[-1:])]
    tracks = {track.name: track.path for track in record.recording.tracks if track.path.exists()}
    parting = Parting(options, drop.relative.name, files, tracks)
    gone = replace(drop, set_aside=parting.encoded, reasons=state.reasons)
    drops = tuple(gone if each is drop else each for each in record.drops)
    parting.carry_out(replace(record, state=state, when_ms=now_ms(), drops=drops), state.reasons)
    return SetAside(name=drop.name, path=parting.path, session_id=record.session.id, reasons=state.reasons)


class Parting:
    """Files on their way to the folder for what was set aside, under names that are free there.

    Args:
        options: The intake's.
        name: What the first file was dropped as.
        files: The first and what belongs to it, each as it was looked at.
        tracks: What else goes with them, by the name that each gets.
    """

    def __init__(
        self,
        options: IntakeOptions,
        name: str,
        files: list[tuple[Path, Stamp]],
        tracks: Mapping[str, Path] | None = None,
    ) -> None:
        self.options = options
        self.name = name
        self.names = [path for path, _ in files[1:]] + [Path(name) for name in tracks or ()]
        self.files = files + [(path, Stamp.read(path)) for path in (tracks or {}).values()]
        count = 1
        while any(os.path.lexists(path) for path in self._paths(count)):
            count += 1
        *self.targets, self.reason = self._paths(count)

    @property
    def path(self) -> Path:
        """Where the first file will be."""
        return self.targets[0]

    @property
    def encoded(self) -> str:
        """The name that it will have, as the journal notes it."""
        return encode_name(self.path.name)

    def _paths(self, count: int) -> list[Path]:
        """Return where everything would go: the file, its sidecars, the reason."""
        main = self.options.rejected / self.name
        names = [fit_name(main, count), *(_beside(main, path, count) for path in self.names)]
        return [main.with_name(name) for name in (*names, fit_name(main, count, REASON))]

    def carry_out(self, record: SessionRecord, why: tuple[Notice, ...], moves: tuple[Move, ...] = ()) -> None:
        """Move everything, write the reason and keep the record: all of it, or after a death whoever is next does.

        Args:
            record: Of the session, as it then is.
            why: What the reason says.
            moves: What else moves in the same plan.
        """
        planned = [
            plan_move(path, target, stamp) for (path, stamp), target in zip(self.files, self.targets, strict=True)
        ]
        texts = ((encode_name(str(self.reason)), reason_text(printable(self.name), why)),)
        commit(self.options.work, Plan(moves=(*planned, *moves), texts=texts, record=record))
        _logger.info("session %s: set aside: %s", record.session.id, ", ".join(each.code for each in why))


def _beside(recording: Path, sidecar: Path, count: int) -> str:
    """Return what a sidecar is to be called beside a recording, in the way it was: by its stem or by its whole name.

    A track keeps its own name, which a sidecar lists.
    """
    suffix = sidecar.suffix.lower()
    if suffix not in SIDECAR_EXTENSIONS:
        return fit_name(sidecar, count)
    if fold_name(sidecar.stem) == fold_name(recording.name):
        return fit_name(recording, count, suffix)
    return fit_name(recording.with_suffix(suffix), count)


def tidy_notes(rejected: Path) -> None:
    """Remove the reasons whose file somebody has taken away; of names that were cut short nobody can tell."""
    for note in rejected.glob(f"*{REASON}"):
        is_whole = len(os.fsencode(note.name)) < _CUT_NAME_BYTES
        if is_whole and not os.path.lexists(note.with_name(note.name.removesuffix(REASON))):
            note.unlink(missing_ok=True)


def reason_text(name: str, why: tuple[Notice, ...]) -> str:
    """Write the reason that lies beside a file: English, then French."""
    return _RULE.join(_reason_in(language, name, why) for language in LANGUAGES)


def _reason_in(language: Language, name: str, why: tuple[Notice, ...]) -> str:
    said = (message(each.code, language, **dict(each.data)) for each in why)
    return "\n\n".join([name, *said, message("intake.ask", language)]) + "\n"
