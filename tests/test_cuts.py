"""Cuts move time without folding it, and leave nothing of what they take."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.caption_rules import load_all
from pipeline.captions import make_cues
from pipeline.cuts import HIDDEN, Timeline, apply_cuts, follow_words, left_by_cuts, move_chapters
from pipeline.revisions import Cut
from pipeline.types import Chapter, NameProposal, Notice, Span, Speaker, Transcript, Turn, Word
from tests.test_corrections import revision

DURATION_MS = 10_000


@st.composite
def cut_lists(draw: st.DrawFn) -> tuple[Cut, ...]:
    edges = sorted(draw(st.lists(st.integers(0, DURATION_MS + 500), min_size=2, max_size=10, unique=True)))
    spans = zip(edges[::2], edges[1::2], strict=False)
    return tuple(
        Cut(start_ms=first, end_ms=last, kind="mask" if draw(st.booleans()) else "remove") for first, last in spans
    )


@given(cut_lists(), st.lists(st.integers(0, DURATION_MS), min_size=2))
def test_time_never_goes_back_and_only_what_is_removed_is_missing(cuts: tuple[Cut, ...], moments: list[int]) -> None:
    timeline = Timeline(duration_ms=DURATION_MS, cuts=cuts)
    assert timeline.kept_ms + sum(span.duration_ms for span in timeline.removed) == DURATION_MS
    ordered = timeline.map_ms(sorted(moments))
    assert list(ordered) == sorted(ordered)
    assert all(0 <= ms <= timeline.kept_ms for ms in ordered)
    for span in timeline.kept:
        first, last = timeline.map_ms([span.start_ms, span.end_ms])
        assert last - first == span.duration_ms
    for one, other in pairwise(timeline.kept):
        assert timeline.map_ms([one.end_ms]) == timeline.map_ms([other.start_ms])


@given(cut_lists())
def test_no_word_that_a_cut_touches_is_left_and_every_other_is(cuts: tuple[Cut, ...]) -> None:
    said = revision(("S1", " ".join(f"a{n}" for n in range(12))), ("S2", " ".join(f"b{n}" for n in range(13))))
    before = said.transcript
    after = apply_cuts(before, cuts)
    touched = {word.text for word in before.words if any(cut.overlap_ms(word) for cut in cuts)}
    assert [w.text for w in after.words if w.text != HIDDEN] == [w.text for w in before.words if w.text not in touched]
    starts = [word.start_ms for word in after.words]
    assert starts == sorted(starts)
    assert {speaker.key for speaker in after.speakers} == {turn.speaker for turn in after.turns}
    cues = make_cues(after, load_all())
    assert [word.text for cue in cues for word in cue.words] == [word.text for word in after.words]


@given(cut_lists(), st.lists(st.integers(0, DURATION_MS - 1), min_size=1, max_size=8, unique=True))
def test_chapters_move_with_what_is_left_and_only_those_go_of_which_nothing_is(
    cuts: tuple[Cut, ...], begins: list[int]
) -> None:
    edges = [*sorted(begins), DURATION_MS]
    chapters = [
        Chapter(start_ms=first, end_ms=last, title=str(first), language="en") for first, last in pairwise(edges)
    ]
    timeline = Timeline(duration_ms=DURATION_MS, cuts=cuts)
    moved = move_chapters(chapters, timeline)
    left = {
        chapter.title: chapter.duration_ms - sum(chapter.overlap_ms(span) for span in timeline.removed)
        for chapter in chapters
    }
    assert {chapter.title: chapter.duration_ms for chapter in moved} == {key: ms for key, ms in left.items() if ms}
    assert all(one.end_ms == other.start_ms for one, other in pairwise(moved))
    assert not moved or moved[-1].end_ms == timeline.kept_ms


@st.composite
def typed_and_heard(draw: st.DrawFn) -> tuple[Transcript, Transcript]:
    """Words that were typed between known ones, at even distances and where they are heard."""
    before: list[Word] = []
    heard: list[Word] = []
    for number in range(draw(st.integers(2, 6))):
        start_ms = 1_600 * number
        known = Word(start_ms=start_ms, end_ms=start_ms + 400, text=f"k{number}", probability=1.0, language="en")
        before.append(known)
        heard.append(known)
        count = draw(st.integers(0, 4))
        moments = sorted(draw(st.lists(st.integers(400, 1_600), min_size=2 * count, max_size=2 * count)))
        for at in range(count):
            first_ms, last_ms = (start_ms + 400 + 1_200 * part // count for part in (at, at + 1))
            typed = replace(known, start_ms=first_ms, end_ms=last_ms, text=f"t{number}{at}", timed="interpolated")
            before.append(typed)
            found = (start_ms + moments[2 * at], start_ms + moments[2 * at + 1])
            heard.append(replace(typed, start_ms=found[0], end_ms=found[1], timed="aligned"))
    made = [
        Transcript(
            session_id="a" * 16,
            language="en",
            duration_ms=DURATION_MS,
            turns=(Turn(speaker="S1", words=tuple(words)),),
            speakers=(Speaker(key="S1"),),
        )
        for words in (before, heard)
    ]
    return made[0], made[1]


@given(typed_and_heard(), cut_lists())
def test_words_that_a_cut_hides_are_hidden_where_they_are_heard(
    words: tuple[Transcript, Transcript], cuts: tuple[Cut, ...]
) -> None:
    before, heard = words
    after, grown = follow_words(before, heard, cuts)
    left = {word.text for word in apply_cuts(before, cuts).words}
    assert {word.text for word in apply_cuts(after, grown).words} == left
    starts = [word.start_ms for word in after.words]
    assert starts == sorted(starts)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(grown))
    assert [(cut.kind, cut.sound) for cut in grown] == [(cut.kind, cut.sound) for cut in cuts]
    for was, word in zip(heard.words, after.words, strict=True):
        if word.text not in left and word == was:
            assert sum(cut.overlap_ms(word) for cut in grown) == word.duration_ms or was in before.words


@given(typed_and_heard(), st.lists(st.integers(0, DURATION_MS), min_size=2, max_size=4, unique=True))
def test_words_that_cuts_leave_stay_wherever_they_are_heard(
    words: tuple[Transcript, Transcript], edges: list[int]
) -> None:
    before, heard = words
    # One cut after the other: between two of them there may be no room.
    cuts = tuple(Cut(start_ms=first, end_ms=last, kind="mask") for first, last in pairwise(sorted(edges)))
    after, grown = follow_words(before, heard, cuts)
    left = [[at for at in left_by_cuts(*each) if at is not None] for each in ((before, cuts), (after, grown))]
    assert left[0] == left[1]
    assert grown[0].start_ms <= cuts[0].start_ms
    assert grown[-1].end_ms >= cuts[-1].end_ms


@pytest.mark.parametrize(
    ("first", "between", "last"),
    [
        ((500, 1_000), (1_000, 1_000), (1_000, 1_500)),
        ((500, 1_300), (1_300, 1_400), (700, 1_500)),
        ((1_300, 1_300), (1_300, 1_300), (1_300, 1_300)),
        ((500, 600), (700, 900), (1_000, 1_500)),
    ],
)
def test_a_word_that_was_typed_between_two_cuts_stays_where_they_grow_together(
    first: tuple[int, int], between: tuple[int, int], last: tuple[int, int]
) -> None:
    typed = {(400, 800): "Tremblay", (800, 1_200): "et", (1_200, 1_600): "Gagnon"}
    said = [
        Word(start_ms=start_ms, end_ms=end_ms, text=text, probability=1.0, language="fr", timed="interpolated")
        for (start_ms, end_ms), text in typed.items()
    ]
    heard = [
        replace(word, start_ms=start_ms, end_ms=end_ms, timed="aligned")
        for word, (start_ms, end_ms) in zip(said, (first, between, last), strict=True)
    ]
    before, found = (
        Transcript(
            session_id="a" * 16, language="fr", duration_ms=2_000, turns=(Turn(speaker=None, words=tuple(words)),)
        )
        for words in (said, heard)
    )
    cuts = (Cut(start_ms=400, end_ms=800, kind="mask"), Cut(start_ms=1_200, end_ms=1_600, kind="remove"))
    after, grown = follow_words(before, found, cuts)
    assert [word.text for word in apply_cuts(after, grown).words] == [HIDDEN, "et"]
    uncovered_ms = [
        word.duration_ms - sum(cut.overlap_ms(word) for cut in grown) for word in found.words if word.text != "et"
    ]
    assert max(uncovered_ms) <= 1
    assert grown[0].end_ms < grown[1].start_ms


def test_a_masked_passage_reads_as_one_mark_and_keeps_its_time() -> None:
    before = revision(("S1", "my number is one two three thanks")).transcript
    after = apply_cuts(before, (Cut(start_ms=1_200, end_ms=2_300, kind="mask"),))
    assert after.turns[0].text == f"my number is {HIDDEN} thanks"
    assert (after.words[3].start_ms, after.words[3].end_ms) == (1_200, 2_300)
    assert after.duration_ms == before.duration_ms


def test_a_removed_passage_makes_everything_after_it_earlier() -> None:
    before = revision(("S1", "one two three four")).transcript
    after = apply_cuts(before, (Cut(start_ms=400, end_ms=1_200, kind="remove"),))
    assert [(word.text, word.start_ms) for word in after.words] == [("one", 0), ("four", 400)]
    assert after.duration_ms == before.duration_ms - 800


def test_nothing_quotes_what_was_cut() -> None:
    said = revision(("S1", "I am Ada Byron and"), ("S2", "welcome")).transcript
    proposal = NameProposal(start_ms=0, end_ms=1_500, name="Ada Byron", evidence="introduced", quote="I am Ada Byron")
    doubt = Notice(code="speech.doubtful", data=(("text", "Byron"),), span=Span(start_ms=1_200, end_ms=1_500))
    later = Notice(code="speech.doubtful", span=Span(start_ms=2_000, end_ms=2_300))
    whole = Notice(code="speakers.failed")
    before = Transcript(
        session_id=said.session_id,
        language="en",
        duration_ms=said.duration_ms,
        turns=said.turns,
        speakers=(Speaker(key="S1", proposals=(proposal,)), Speaker(key="S2")),
        notices=(doubt, later, whole),
    )
    after = apply_cuts(before, (Cut(start_ms=800, end_ms=1_500, kind="remove"),))
    assert [notice.span and notice.span.start_ms for notice in after.notices] == [1_300, None]
    assert after.speakers == (Speaker(key="S1"), Speaker(key="S2"))
    assert apply_cuts(before, ()) is before
