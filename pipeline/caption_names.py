"""Who speaks, said where there is time to read it.

In come the runs of words of a session, each with the name it needs, and whatever divides runs into captions; out come
the captions, with every name beside its words, or as near to them as there is time: alone in the silence before, below
the words before, with the next caption, or as a dash where two people answer each other. It stands alone because these
are choices between whole divisions of a session, which know neither how one is made nor how it is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from pipeline.caption_rules import CaptionRules
from pipeline.cue_times import Shown, start_times, unread_ms
from pipeline.cuts import HIDDEN
from pipeline.types import Line, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenRun:
    """Words in a row of one speaker in one language.

    Attributes:
        words: At least one, set by the typography of their language.
        speaker: Key of who says them.
        language: Of all of them.
        label: Name that they need, or ``None`` where it was shown before.
        rules: Of their language.
        fresh: Whether nothing stands before them, or a cut: whoever speaks there is named before anything is read.
        dashed: Whether a dash stands for the name, which was shown not long before.
        late: Whether it comes with the next of their captions instead.
        pressed: Whether they are to be divided so that there is time to read the name.
        ahead: Whether the name has a caption of its own, in the silence before.
    """

    words: tuple[Word, ...]
    speaker: str | None
    language: str
    label: str | None
    rules: CaptionRules
    fresh: bool = False
    dashed: bool = False
    late: bool = False
    pressed: bool = False
    ahead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A caption that has its lines and not yet its times.

    Attributes:
        lines: What it shows.
        shown: The same as timing sees it.
        lead_ms: How much of the time for reading goes into who speaks, rather than what is said.
        ahead: The name that is shown alone before it, if any.
        ahead_ms: How long that takes to read.
    """

    lines: tuple[Line, ...]
    shown: Shown
    lead_ms: int
    ahead: Line | None = None
    ahead_ms: int = 0

    @property
    def words(self) -> int:
        """How many words it holds."""
        return sum(len(line.words) for line in self.lines)


Divide = Callable[[Sequence[SpokenRun]], tuple[Draft, ...]]
"""What makes captions of runs."""
Homeless = Callable[[Sequence[Draft]], AbstractSet[int]]
"""What says which captions of some have no room before them for the name that is to be shown ahead of them."""


def name_in_time(runs: Sequence[SpokenRun], divide: Divide, homeless: Homeless) -> tuple[Draft, ...]:
    """Divide runs into captions, and find time for the names that cannot be read beside their words.

    Such a name comes alone in the silence before, if there is enough of it. Or it waits for the next caption of its
    speaker, and a dash says meanwhile that somebody else speaks, so that nobody's words pass for another's. Or a dash
    stands for it, where two people answer each other and both have just been named. Or the words are divided otherwise,
    share a caption with a neighbour's that has time to spare, or let the one before announce the name. Where nothing of
    that helps, the name comes at once: it outweighs speed.

    Args:
        runs: Of a whole session, in order.
        divide: Makes captions of them.
        homeless: Knows the silences.
    """
    best = _Tried(runs, divide, homeless)
    for way in _WAYS:
        best = _improved(best, way, divide, homeless)
    return best.drafts


class _Tried:
    """Runs as they were divided once, and what that is worth."""

    def __init__(self, runs: Sequence[SpokenRun], divide: Divide, homeless: Homeless) -> None:
        self.runs = tuple(runs)
        self.drafts = divide(self.runs)
        shown = tuple(draft.shown for draft in self.drafts)
        # By how many ms each caption is too short to be read; negative where it has time to spare.
        self.unread = unread_ms(shown, start_times(shown))
        self.run_at = dict(zip(_begins(self.runs), self.runs, strict=True))
        self.draft_at = dict(zip(_begins(self.drafts), enumerate(self.drafts), strict=True))
        without = homeless(self.drafts)
        self.ahead = {at for at, (number, each) in self.draft_at.items() if each.ahead and number not in without}
        self.shown_in = self._shown_in()
        self.fast = frozenset(self._fast())
        lost = {at for at, run in self.run_at.items() if run.ahead} - self.ahead
        marks = {at for at, run in self.run_at.items() if run.dashed and not run.late}
        lost |= marks - {*_just_named(self, marks)}
        self.cost = len(lost), len(self.fast), sum(max(0, ms) for ms in self.unread)

    def _shown_in(self) -> dict[int, int]:
        """Return in which caption each run is named, or begins where it is not."""
        found: dict[int, int] = {}
        for begin, (number, draft) in self.draft_at.items():
            spoken = begin
            for line in draft.lines:
                if line.label is not None or spoken not in found:
                    found[spoken] = number
                spoken += len(line.words)
        return found

    def _fast(self) -> Iterator[int]:
        """Yield after how many words a label comes that makes a caption too fast whose words could be read."""
        for begin, (number, draft) in self.draft_at.items():
            spoken = begin
            for line in draft.lines:
                if (line.label is not None or line.dashed) and 0 < self.unread[number] <= draft.lead_ms:
                    yield spoken
                spoken += len(line.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One way to find time for names, which are known by how many words come before them.

    Attributes:
        wanted: Yields the names that may need it.
        change: Yields runs in which it is tried for some.
        kept: Yields the names for which it did what it should, where it was tried.
    """

    wanted: Callable[[_Tried], Iterator[int]]
    change: Callable[[Sequence[SpokenRun], AbstractSet[int]], Iterator[SpokenRun]]
    kept: Callable[[_Tried], Iterator[int]]


def _improved(best: _Tried, way: _Way, divide: Divide, homeless: Homeless) -> _Tried:
    """Return runs divided with a way for every name that gains by it."""
    names = frozenset(way.wanted(best))
    while names:
        tried = _Tried(tuple(way.change(best.runs, names)), divide, homeless)
        kept = names & frozenset(way.kept(tried))
        if kept == names:
            return tried if tried.cost < best.cost else best
        names = kept
    return best


def _wanted_ahead(tried: _Tried) -> Iterator[int]:
    for at, (number, draft) in tried.draft_at.items():
        named = draft.lines[0].label is not None and (at == 0 or not tried.run_at[at].fresh)
        if named and tried.unread[number] > 0:
            yield at


def _ahead(runs: Sequence[SpokenRun], names: AbstractSet[int]) -> Iterator[SpokenRun]:
    for at, run in zip(_begins(runs), runs, strict=True):
        yield replace(run, ahead=at in names)


def _kept_ahead(tried: _Tried) -> Iterator[int]:
    yield from tried.ahead


def _wanted_late(tried: _Tried) -> Iterator[int]:
    for (at, (number, draft)), (then, (_, after)) in pairwise(tried.draft_at.items()):
        first, second = draft.lines[0], after.lines[0]
        alone = len({_whose(line) for line in draft.lines}) == 1
        goes_on = second.label is None and after.ahead is None and _whose(second) == _whose(first)
        said = any(word.text != HIDDEN for line in draft.lines for word in line.words)
        named = first.label is not None and not tried.run_at[at].fresh
        if named and alone and goes_on and said and tried.unread[number] > 0:
            yield then


def _late(runs: Sequence[SpokenRun], names: AbstractSet[int]) -> Iterator[SpokenRun]:
    for at, run in zip(_begins(runs), runs, strict=True):
        cut = next((then - at for then in range(at + 1, at + len(run.words)) if then in names), None)
        if cut is None:
            yield run
        else:
            yield replace(run, words=run.words[:cut], label=None, dashed=True, late=True)
            yield replace(run, words=run.words[cut:])


def _kept_late(tried: _Tried) -> Iterator[int]:
    """Yield the names that come late, where both their caption and the dashed one before can be read."""
    for (_, (number, draft)), (then, (_, after)) in pairwise(tried.draft_at.items()):
        late = draft.lines[0].dashed and after.lines[0].label is not None
        if late and max(tried.unread[number : number + 2]) <= 0:
            yield then


def _wanted_pressed(tried: _Tried) -> Iterator[int]:
    yield from tried.fast


def _pressed(runs: Sequence[SpokenRun], names: AbstractSet[int]) -> Iterator[SpokenRun]:
    for at, run in zip(_begins(runs), runs, strict=True):
        yield replace(run, pressed=at in names)


def _kept_pressed(tried: _Tried) -> Iterator[int]:
    yield from (at for at, run in tried.run_at.items() if run.pressed and tried.unread[tried.shown_in[at]] <= 0)


def _wanted_marked(tried: _Tried) -> Iterator[int]:
    may = {
        at
        for number, (at, run) in enumerate(tried.run_at.items())
        if at in tried.fast and run.label is not None and _answers(tried.runs, number)
    }
    yield from _just_named(tried, may)


def _marked(runs: Sequence[SpokenRun], names: AbstractSet[int]) -> Iterator[SpokenRun]:
    for at, run in zip(_begins(runs), runs, strict=True):
        yield replace(run, label=None, dashed=True) if at in names else run


def _kept_marked(tried: _Tried) -> Iterator[int]:
    yield from _just_named(tried, {at for at, run in tried.run_at.items() if run.dashed} - tried.fast)


def _just_named(tried: _Tried, dashes: AbstractSet[int]) -> Iterator[int]:
    """Yield those of some dashes that come not long after the names of the two who answer each other.

    Where these two share captions without their names in between, a viewer still knows who is who, and a program that
    reads a file without voices does not: it would take the name in the next caption for a late one.
    """
    named: dict[str | None, int] = {}
    told: set[str | None] = set()
    speakers: list[str | None] = []
    following = (*(draft.ahead or draft.lines[0] for draft in tried.drafts[1:]), None)
    for (at, (_, draft)), after in zip(tried.draft_at.items(), following, strict=False):
        spoken, now = at, draft.shown.start_ms
        shared = {line.speaker for line in draft.lines}
        for line in (*((draft.ahead,) if draft.ahead else ()), *draft.lines):
            if line.speaker not in speakers[-1:]:
                speakers.append(line.speaker)
            both = {*speakers[-2:]}
            oldest_ms = min(named.get(speaker, -math.inf) for speaker in both)
            recent = spoken in dashes and now - oldest_ms <= tried.run_at[spoken].rules.dash_ms
            if line.label is None and len(shared) > 1:
                if recent:
                    yield spoken
                told.clear()
                if not shared <= named.keys():
                    named.clear()
            elif recent and (both <= told or after is None or after.label is None):
                yield spoken
            elif line.label is not None:
                named[line.speaker] = now
                told.add(line.speaker)
            spoken += len(line.words)


_WAYS: Final = (
    # Alone, in the silence before.
    _Way(wanted=_wanted_ahead, change=_ahead, kept=_kept_ahead),
    # With the next caption of the same speaker, a dash before.
    _Way(wanted=_wanted_late, change=_late, kept=_kept_late),
    # As a dash: who spoke before the last one goes on.
    _Way(wanted=_wanted_marked, change=_marked, kept=_kept_marked),
    # Beside its words or below those before, all of them divided otherwise.
    _Way(wanted=_wanted_pressed, change=_pressed, kept=_kept_pressed),
)


def _answers(runs: Sequence[SpokenRun], number: int) -> bool:
    """Say whether a run goes on where its speaker was answered by one other, who answers next, if anybody does."""
    own = runs[number].speaker
    before = _other(runs, range(number - 1, -1, -1), own)
    if runs[number].fresh or before is None or None in {own, runs[before].speaker}:
        return False
    earlier = _other(runs, range(before - 1, -1, -1), runs[before].speaker)
    if earlier is None or runs[earlier].speaker != own or any(run.fresh for run in runs[earlier + 1 : number]):
        return False
    after = _other(runs, range(number + 1, len(runs)), own)
    return after is None or runs[after].speaker == runs[before].speaker


def _other(runs: Sequence[SpokenRun], numbers: range, speaker: str | None) -> int | None:
    """Return the first of these runs that is somebody else's."""
    return next((number for number in numbers if runs[number].speaker != speaker), None)


def _whose(line: Line) -> tuple[str | None, str]:
    return line.speaker, line.language


def _begins(parts: Sequence[SpokenRun] | Sequence[Draft]) -> Iterator[int]:
    """Yield how many words come before each part."""
    spoken = 0
    for part in parts:
        yield spoken
        spoken += part.words if isinstance(part, Draft) else len(part.words)
