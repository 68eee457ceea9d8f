"""What learners report as wrong in a session, beside its revisions: where it is, and what reviewers made of it.

A :class:`SentReport` goes in, a :class:`Report` on the clock of the recording comes out, so that it stays at its words
whatever is cut and corrected later. Each report is a file named by its content: one that arrives twice is there once.
What reviewers decide lies beside it, for everybody who reviews. Stands alone so that the folder that reports arrive in,
the review pages and the tests share one memory.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Final, Literal

from pipeline.cuts import Timeline, is_touched
from pipeline.durable import make_folder, rename_new, sync_folder, write_whole
from pipeline.errors import ReportInvalid, ReportMissing
from pipeline.matching import fold, match
from pipeline.report_files import SentReport
from pipeline.review import Desk
from pipeline.revisions import Revision
from pipeline.serial import from_json, to_json
from pipeline.types import Language, Span, Word

ReportState = Literal["open", "done", "dismissed"]
"""Nobody has decided, somebody has seen to it, or somebody found that nothing is wrong."""

_MOST_OPEN: Final = 500
_NAME: Final = re.compile(r"[0-9a-f]{32}\Z")
_AROUND_MS: Final = 60_000
_WORD_MS: Final = 1_000
"""More than a word takes: how far from where it begins a passage may reach."""
_ASTRAY: Final = 8
_ALIKE: Final = 0.5
_MOMENT_MS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Span):
    """What a learner says is wrong. Its span is on the clock of the recording.

    Attributes:
        id: Of its content.
        text: The words that they read; may be empty.
        comment: What they say of them; may be empty.
        language: Of the page that they were on.
        received_at: When it arrived, with a time zone.
    """

    id: str
    text: str
    comment: str
    language: Language
    received_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided about a report.

    Attributes:
        state: What it is now.
        author: Who.
        decided_at: When, with a time zone.
    """

    state: ReportState
    author: str
    decided_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """Words of a revision that a learner would have read otherwise.

    Attributes:
        first: Index of the first word.
        last: Index of the last.
        text: What stands there instead; empty to take them away.
    """

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """The reports about one session.

    Any number of threads and processes may use those of one session at once.

    Attributes:
        desk: With the session's revisions.
    """

    desk: Desk

    @property
    def folder(self) -> Path:
        """Where they are kept; made when needed."""
        return self.desk.folder / "reports"

    def keep(self, sent: SentReport, *, now: dt.datetime) -> bool:
        """Keep a report at the words that it is about.

        Args:
            sent: What arrived.
            now: The time, with a time zone.

        Returns:
            Whether it is new.

        Raises:
            RevisionMissing: Nothing of the session has been recognised.
            ReportInvalid: More wait already than anybody will read, or its moment is after the end.
        """
        name = _name(sent)
        if (self.folder / f"{name}.json").exists():
            return False
        span = _locate(sent, tuple(_seen(self.desk)))
        if self.count_open() >= _MOST_OPEN:
            raise ReportInvalid("reports.too_many", {"session": sent.session_id})
        kept = Report(
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            id=name,
            text=sent.text,
            comment=sent.comment,
            language=sent.language,
            received_at=now,
        )
        make_folder(self.folder)
        new = self.folder / ".new"
        write_whole(new, to_json(kept))
        try:
            rename_new(new, self.folder / f"{name}.json")
        except FileExistsError:
            return False
        sync_folder(self.folder)
        return True

    def all(self) -> tuple[tuple[Report, Decision | None], ...]:
        """Return every report with what was decided, in order of time; not those that an approval has closed."""
        approved = self.desk.approved()
        approval = approved.entry.approval if approved else None
        found = []
        for path in sorted(self.folder.glob("*.json")):
            if _NAME.match(path.stem):
                decision = self._decision(path.stem)
                if decision is None or approval is None or decision.decided_at >= approval.approved_at:
                    found.append((from_json(Report, path.read_bytes()), decision))
        return tuple(sorted(found, key=lambda each: (each[0].start_ms, each[0].id)))

    def states(self) -> tuple[tuple[str, ReportState], ...]:
        """Return the id of every report and where it stands, in order of id."""
        names = sorted(path.stem for path in self.folder.glob("*.json") if _NAME.match(path.stem))
        return tuple((name, decision.state if (decision := self._decision(name)) else "open") for name in names)

    def count_open(self) -> int:
        """Return how many wait for somebody to decide."""
        return sum(state == "open" for _, state in self.states())

    def decide(self, name: str, decision: Decision) -> None:
        """Note what somebody decided, in place of what was decided before.

        Args:
            name: Id of the report.
            decision: What.

        Raises:
            ReportMissing: There is no such report.
        """
        if not _NAME.match(name) or not (self.folder / f"{name}.json").is_file():
            raise ReportMissing("reports.missing")
        write_whole(self.folder / f"{name}.decided", to_json(decision))

    def _decision(self, name: str) -> Decision | None:
        try:
            found = from_json(Decision, (self.folder / f"{name}.decided").read_bytes())
        except FileNotFoundError:
            return None
        return None if found.state == "open" else found


def words_at(span: Span, words: Sequence[Word]) -> tuple[int, int] | None:
    """Return the first and the last word of a revision that begin within a span, or none where none does."""
    found = [
        at for at, word in enumerate(words) if span.start_ms <= word.start_ms < max(span.end_ms, span.start_ms + 1)
    ]
    return (found[0], found[-1]) if found else None


def replacements(report: Report, words: Sequence[Word]) -> tuple[Replacement, ...]:
    """Return what a learner would write instead of words of a revision, where what they say is such a text.

    Captions and pages leave out what editing does: only what the learner had read and wrote otherwise is replaced.

    Args:
        report: What they say.
        words: Of the revision.
    """
    place = words_at(report, words)
    read, wanted = report.text.split(), report.comment.split()
    if place is None or not read or len(match(read, wanted)) < _ALIKE * max(len(read), len(wanted)):
        return ()
    first, last = place
    stand = [word.text for word in words[first : last + 1]]
    pairs = [(at, to) for at, to in match(stand, wanted) if stand[at] == wanted[to] or wanted[to] in read]
    seen = {fold(word) for word in read}
    return tuple(_gaps(pairs, stand, wanted, seen, first))


def _gaps(
    pairs: Sequence[tuple[int, int]], stand: Sequence[str], wanted: Sequence[str], seen: set[str], first: int
) -> Iterator[Replacement]:
    for (at, to), (until, up_to) in pairwise(chain([(-1, -1)], pairs, [(len(stand), len(wanted))])):
        gone, come = stand[at + 1 : until], wanted[to + 1 : up_to]
        if come and not gone:
            # Words have no place of their own between two others: they come with a neighbour.
            beside = at if at >= 0 else until
            texts = [stand[beside], *come] if at >= 0 else [*come, stand[beside]]
            yield Replacement(first=first + beside, last=first + beside, text=" ".join(texts))
        elif come or (gone and all(fold(word) in seen for word in gone)):
            yield Replacement(first=first + at + 1, last=first + until - 1, text=" ".join(come))


def _name(sent: SentReport) -> str:
    content = "\n".join((sent.session_id, str(sent.time_ms), sent.text, sent.comment))
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _seen(desk: Desk) -> Iterator[Revision]:
    """Yield the revisions that learners may have seen: the one approved last, earlier ones, what was recognised."""
    latest = desk.latest()
    approved = desk.approved()
    if approved:
        yield approved
    history = desk.history()
    yield from (desk.revision(entry.number) for entry in reversed(history) if entry.approval and entry != history[-1])
    yield latest if latest.entry.origin == "recognition" else desk.revision(1)


def _locate(sent: SentReport, seen: Sequence[Revision]) -> Span:
    """Return what stretch of the recording a report is about: where its words are found best, else its moment.

    Raises:
        ReportInvalid: It is after the end.
    """
    found: list[tuple[float, Span]] = []
    for revision in seen:
        timeline = Timeline(duration_ms=revision.transcript.duration_ms, cuts=revision.cuts)
        if sent.time_ms <= timeline.kept_ms:
            moment = timeline.recorded_ms(sent.time_ms)
            found.append(_passage(sent.text.split(), moment, revision))
    if not found:
        raise ReportInvalid("reports.after_end", {"session": sent.session_id})
    # Of several that fit alike, the first: what is public now.
    return max(found, key=lambda each: each[0])[1]


def _passage(read: Sequence[str], moment: int, revision: Revision) -> tuple[float, Span]:
    """Return what share of some words is said around a moment, and where; a short while where too few are."""
    reach = _AROUND_MS + len(read) * _WORD_MS
    near = [
        word
        for word in revision.transcript.words
        if moment - _AROUND_MS <= word.start_ms <= moment + reach and not is_touched(word, revision.cuts)
    ]
    pairs = _together(match([word.text for word in near], read))
    share = len(pairs) / len(read) if read else 0.0
    if share < _ALIKE:
        return 0.0, Span(start_ms=moment, end_ms=moment + _MOMENT_MS)
    first, last = near[pairs[0][0]], near[pairs[-1][0]]
    return share, Span(start_ms=first.start_ms, end_ms=max(first.start_ms, last.end_ms))


def _together(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out the words at either end that are said far from the others: they only happen to be the same."""
    kept = list(pairs)
    while len(kept) > 1 and _apart(kept[0], kept[1]):
        kept.pop(0)
    while len(kept) > 1 and _apart(kept[-2], kept[-1]):
        kept.pop()
    return kept


def _apart(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return (other[0] - one[0]) - (other[1] - one[1]) > _ASTRAY
