"""Cues come and go so that as much as can be is read, each close to its words."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.caption_rules import CaptionRules
from pipeline.cue_times import Shown, end_times, start_times, unread_ms

RULES = CaptionRules()


def shown(start_ms: int, spoken_until_ms: int, reading_ms: int) -> Shown:
    return Shown(start_ms=start_ms, spoken_until_ms=spoken_until_ms, reading_ms=reading_ms, rules=RULES)


@st.composite
def rows(draw: st.DrawFn) -> list[Shown]:
    """Draw cues of somebody who speaks, some too fast to be read."""
    now, cues = draw(st.integers(0, 500)), []
    for _ in range(draw(st.integers(1, 12))):
        length = draw(st.integers(900, 4000))
        spare = draw(st.integers(-300, 300))
        cues.append(shown(now, now + length, max(833, length - 83 + spare)))
        now += length + draw(st.sampled_from([0, 0, 0, 90, 400, 900]))
    return cues


def test_with_time_enough_every_cue_comes_with_its_first_word() -> None:
    cues = [shown(1000, 3000, 1500), shown(3000, 5000, 1500), shown(9000, 9900, 833)]
    assert start_times(cues) == [1000, 3000, 9000]


def test_a_cue_that_is_read_too_fast_is_lent_time_by_both_neighbours_and_no_more_than_it_needs() -> None:
    cues = [shown(1000, 3000, 1500), shown(3100, 5000, 1930), shown(5000, 8000, 2000)]
    starts = start_times(cues)
    assert unread_ms(cues, starts)[1] <= 0
    # The silence before it lasts 17 ms longer than the gap; a start may be 100 ms late.
    assert 3083 <= starts[1] <= 3087
    assert 5096 <= starts[2] <= 5100


def test_a_neighbour_without_time_to_spare_passes_on_what_it_is_lent() -> None:
    # The second has just the time that it needs, so that only with the third can it begin later.
    cues = [shown(0, 2000, 1977), shown(2000, 4000, 1917), shown(4000, 7000, 2000)]
    starts = start_times(cues)
    assert max(unread_ms(cues, starts)) <= 0
    assert starts == [0, 2060, 4060]


@settings(max_examples=150, deadline=None)
@given(rows())
def test_starts_stay_close_to_their_words_and_nothing_is_read_worse_by_them(cues: list[Shown]) -> None:
    usual = [cue.start_ms for cue in cues]
    starts = start_times(cues)
    assert all(abs(start - cue.start_ms) <= RULES.start_tolerance_ms for start, cue in zip(starts, cues, strict=True))
    before, after = ([late for late in unread_ms(cues, each) if late > 0] for each in (usual, starts))
    assert 100 * len(after) + sum(after) <= 100 * len(before) + sum(before)
    ends = end_times(cues, starts, (), cues[-1].spoken_until_ms + 3000)
    assert all(start - end >= RULES.gap_ms for end, start in zip(ends, starts[1:], strict=False))
    # Only silence is taken from a cue for the sake of the next one.
    for cue, end, next_usual in zip(cues, ends, usual[1:], strict=False):
        assert end >= min(cue.spoken_until_ms, next_usual - RULES.gap_ms)
