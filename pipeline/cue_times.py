"""When cues come and go, the best way there is for all of them together.

In come cues that have their words, as when these sound and how long all that is shown takes to read; out goes when each
comes and when it goes. A cue that is read too fast may begin a little before its first word, or have the next begin a
little after its own; that one may need the same of the next but one. So all starts are chosen as a whole, by dynamic
programming. It stands alone because it knows nothing of text: times in, times out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.caption_rules import CaptionRules
from pipeline.types import Span

LEAST_SHOWN_MS: Final = 200
"""A cue is on screen at least so long, even when people speak at the same moment and its start must give way."""

_STEPS: Final = 5
"""In so many steps a start may move as far as the tolerance allows, each way."""
_REACH: Final = 3
"""A start moves for the sake of a cue that is at most so many cues away."""

# What things cost. That all is read comes before everything; what comes after must never outweigh a millisecond of it.
_UNREAD: Final = 100_000.0
_UNREAD_MS: Final = 1000.0
_OFF_MS: Final = 1.0
_OFF_SHOT: Final = 250.0
_UNSEEN_MS: Final = 1e6
"""Less than the shortest time on screen."""
_OVERTAKEN: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A cue as timing sees it.

    Attributes:
        start_ms: When its first word starts.
        spoken_until_ms: When the last of its words ends.
        reading_ms: How long all that it shows takes to read.
        rules: Of its language.
    """

    start_ms: int
    spoken_until_ms: int
    reading_ms: int
    rules: CaptionRules

    def short_ms(self, start_ms: int, next_start_ms: int | None) -> int:
        """Return how much longer it would have to stay to be read; negative where it has time to spare."""
        return self.reading_ms - (self.rules.end_ms(start_ms, self.spoken_until_ms, next_start_ms) - start_ms)


def start_times(cues: Sequence[Shown], shots_ms: Sequence[int] = ()) -> list[int]:
    """Return when each cue comes: with its first word, unless it or a neighbour is read by that, or a shot changes.

    Args:
        cues: In order.
        shots_ms: When the picture goes to another shot, in order.

    Returns:
        Starts in order, within ``start_tolerance_ms`` of the first words; farther off only where several people speak
        at the same moment.
    """
    usual = _usual(cues)
    choices = [tuple(sorted(set(each))) for each in _choices(cues, usual, shots_ms)]
    starts = _cheapest(cues, usual, choices, shots_ms) if cues else []
    for at in range(1, len(starts)):
        starts[at] = max(starts[at], starts[at - 1] + LEAST_SHOWN_MS + cues[at - 1].rules.gap_ms)
    return starts


def unread_ms(cues: Sequence[Shown], starts: Sequence[int]) -> list[int]:
    """Return how much longer each cue would have to stay to be read; negative where it has time to spare."""
    following = (*starts[1:], None)
    return [cue.short_ms(start, after) for cue, start, after in zip(cues, starts, following, strict=False)]


def end_times(cues: Sequence[Shown], starts: Sequence[int], shots_ms: Sequence[int], duration_ms: int) -> list[int]:
    """Return when each cue goes: as late as it may, or just before a shot changes.

    Args:
        cues: In order.
        starts: When they come.
        shots_ms: When the picture goes to another shot, in order.
        duration_ms: Of the recording, which the last one does not outlast.
    """
    following = (*starts[1:], None)
    ends = [_end(cue, start, after, shots_ms) for cue, start, after in zip(cues, starts, following, strict=False)]
    if ends:
        ends[-1] = max(starts[-1] + LEAST_SHOWN_MS, min(ends[-1], max(duration_ms, cues[-1].spoken_until_ms)))
    return ends


def times_ahead(
    cues: Sequence[Shown], starts: Sequence[int], ends: Sequence[int], reading_ms: Sequence[int]
) -> tuple[list[int], list[Span | None]]:
    """Return when something else may be shown in the silence before some cues, up to where these come.

    Args:
        cues: In order.
        starts: When they come.
        ends: When they go.
        reading_ms: How long what is to be shown before each takes to read; 0 where nothing is.

    Returns:
        When the cues go now, which have been read and heard by then, and when the others come and go: ``None`` where
        nothing is shown, or where there is no room.
    """
    given, found = list(ends), []
    for at, length in enumerate(reading_ms):
        begin = _begin_ahead(cues, starts, given, at, length) if length else None
        found.append(None if begin is None else Span(start_ms=begin, end_ms=starts[at] - cues[at].rules.gap_ms))
        if begin is not None and at > 0:
            given[at - 1] = min(given[at - 1], begin - cues[at - 1].rules.gap_ms)
    return given, found


def _begin_ahead(cues: Sequence[Shown], starts: Sequence[int], ends: Sequence[int], at: int, length: int) -> int | None:
    latest = starts[at] - cues[at].rules.gap_ms - length
    if at == 0:
        return latest if latest >= 0 else None
    before = cues[at - 1]
    silence = latest - ends[at - 1]
    if silence >= before.rules.closed_gap_ms:
        return latest
    if silence >= before.rules.gap_ms:
        return ends[at - 1] + before.rules.gap_ms
    needed = max(before.spoken_until_ms, min(ends[at - 1], starts[at - 1] + before.reading_ms))
    return latest if latest - before.rules.gap_ms >= needed else None


def _usual(cues: Sequence[Shown]) -> list[int]:
    starts: list[int] = []
    for cue in cues:
        starts.append(max(cue.start_ms, starts[-1] if starts else 0))
    return starts


def _choices(cues: Sequence[Shown], usual: Sequence[int], shots_ms: Sequence[int]) -> Iterator[Iterator[int]]:
    """Yield when each cue may come."""
    short = [at for at, late in enumerate(unread_ms(cues, usual)) if late > 0]
    for at, cue in enumerate(cues):
        nearest = bisect_left(short, at - _REACH)
        moves = nearest < len(short) and short[nearest] <= at + _REACH
        yield _choices_of(cues, usual, at, _nearest(shots_ms, cue.start_ms, _shot_reach(cue)), moves=moves)


def _choices_of(
    cues: Sequence[Shown], usual: Sequence[int], at: int, shot: int | None, *, moves: bool
) -> Iterator[int]:
    yield usual[at]
    if shot is not None:
        yield shot
    if not moves:
        return
    tolerance = cues[at].rules.start_tolerance_ms
    low, high = max(0, usual[at] - tolerance), usual[at] + tolerance
    for step in range(-_STEPS, _STEPS + 1):
        yield max(0, usual[at] + tolerance * step // _STEPS)
    # Just far enough for its own sake, for that of the one before, or for the last word of that.
    exact = [usual[at + 1] - cues[at].rules.gap_ms - cues[at].reading_ms] if at + 1 < len(cues) else []
    if at > 0:
        before = cues[at - 1]
        read = [usual[at - 1] + moved + before.reading_ms for moved in (-before.rules.start_tolerance_ms, 0)]
        exact += [end + before.rules.gap_ms for end in (*read, before.spoken_until_ms)]
    yield from (min(max(moment, low), high) for moment in exact)


def _cheapest(
    cues: Sequence[Shown], usual: Sequence[int], choices: Sequence[Sequence[int]], shots_ms: Sequence[int]
) -> list[int]:
    """Return the starts that cost the least together."""
    shots = [_nearest(shots_ms, cue.start_ms, _shot_reach(cue)) for cue in cues]
    least = [_off(start, usual[0], shots[0]) for start in choices[0]]
    came_from: list[list[int]] = []
    for at in range(1, len(cues)):
        costs, sources = [], []
        for start in choices[at]:
            cost, source = min(
                (so_far + _cost(cues[at - 1], before, start, usual[at]), number)
                for number, (so_far, before) in enumerate(zip(least, choices[at - 1], strict=True))
            )
            costs.append(cost + _off(start, usual[at], shots[at]))
            sources.append(source)
        least = costs
        came_from.append(sources)
    last = [so_far + _cost(cues[-1], start, None, None) for so_far, start in zip(least, choices[-1], strict=True)]
    chosen = [min(range(len(last)), key=last.__getitem__)]
    for sources in reversed(came_from):
        chosen.append(sources[chosen[-1]])
    return [options[number] for options, number in zip(choices, reversed(chosen), strict=True)]


def _cost(cue: Shown, start: int, after: int | None, usual_after: int | None) -> float:
    """Return what it costs to show a cue from then until the next one."""
    short = cue.short_ms(start, after)
    cost = _UNREAD + short * _UNREAD_MS if short > 0 else 0.0
    cost += _UNSEEN_MS * max(0, short - (cue.reading_ms - cue.rules.least_ms))
    if after is None or usual_after is None:
        return cost
    rules = cue.rules
    overtaken = start + LEAST_SHOWN_MS + rules.gap_ms - after
    # Only silence is taken from a cue: it stays while its own words sound.
    silenced = min(cue.spoken_until_ms, usual_after - rules.gap_ms) - (after - rules.gap_ms)
    return cost + _OVERTAKEN * (max(0, overtaken) + max(0, silenced))


def _off(start: int, usual: int, shot: int | None) -> float:
    return abs(start - usual) * _OFF_MS + _OFF_SHOT * (shot is not None and start != shot)


def _shot_reach(cue: Shown) -> int:
    return min(cue.rules.shot_ms, cue.rules.start_tolerance_ms)


def _nearest(shots_ms: Sequence[int], moment: int, reach: int) -> int | None:
    """Return the shot change that is nearest to a moment, if any is within reach."""
    at = bisect_left(shots_ms, moment)
    near = [shot for shot in shots_ms[max(0, at - 1) : at + 1] if abs(shot - moment) <= reach]
    return min(near, key=lambda shot: abs(shot - moment), default=None)


def _end(cue: Shown, start: int, after: int | None, shots_ms: Sequence[int]) -> int:
    """Return when a cue goes: as late as it may, or before a shot change, where it has been read and heard by then."""
    rules = cue.rules
    usual = rules.end_ms(start, cue.spoken_until_ms, after)
    shot = _nearest(shots_ms, usual, rules.shot_ms)
    if shot is None:
        return usual
    end = shot - rules.gap_ms
    # Before the next cue there is either no gap to be seen or one that is long enough.
    apart = after is None or after == shot or after - end >= rules.closed_gap_ms
    heard = max(cue.spoken_until_ms, start + cue.reading_ms) <= end <= usual
    return end if apart and heard else usual
