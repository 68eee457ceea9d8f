"""The guards, one by one, without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ports import Decoded
from pipeline.screening import (
    ScreeningRules,
    clip,
    find_doubts,
    find_holes,
    is_silence,
    join,
    longest_run,
    score,
    snap,
    split_words,
    stretched_holes,
    subtract,
    tighten,
)
from pipeline.types import Span, Word

RULES = ScreeningRules()


def span(start_ms: int, end_ms: int) -> Span:
    return Span(start_ms=start_ms, end_ms=end_ms)


def say(text: str, start_ms: int = 0, each_ms: int = 400, probability: float = 0.9) -> tuple[Word, ...]:
    """Speak at an even pace."""
    return tuple(
        Word(
            text=one,
            start_ms=start_ms + place * each_ms,
            end_ms=start_ms + (place + 1) * each_ms,
            probability=probability,
            language="en",
        )
        for place, one in enumerate(text.split())
    )


def decode(words: tuple[Word, ...], *, belief: float = -0.3, silence: float = 0.05) -> Decoded:
    return Decoded(
        start_ms=0,
        end_ms=10_000,
        words=words,
        average_log_probability=belief,
        no_speech_probability=silence,
    )


GOOD = decode(say("we meet every week to hear what an expert has seen in the field so that all learn"))
SPOKEN = [span(0, 6_800)]


def test_plain_speech_is_not_doubted() -> None:
    assert find_doubts(GOOD, SPOKEN, RULES) == frozenset()


def test_text_that_compresses_well_is_repetitive() -> None:
    long = "and then we went to see what had been made of the old mill down by the river " * 4
    assert "repetitive" in find_doubts(decode(say(long)), [span(0, 40_000)], RULES)


def test_a_phrase_over_and_over_is_repetitive() -> None:
    assert "repetitive" in find_doubts(decode(say("uh huh " * 5)), SPOKEN, RULES)


def test_a_sentence_said_again_word_for_word_is_repetitive_and_a_refrain_is_not() -> None:
    again = say("we went to see what was made of the old mill " * 2)
    assert "repetitive" in find_doubts(decode(again), [span(0, again[-1].end_ms)], RULES)
    refrain = say("row row row your boat gently down the stream " * 2)
    assert find_doubts(decode(refrain), [span(0, refrain[-1].end_ms)], RULES) == frozenset()


def test_a_text_that_the_model_does_not_believe_is_unsure() -> None:
    assert "unsure" in find_doubts(decode(GOOD.words, belief=-1.1), SPOKEN, RULES)
    assert "unsure" in find_doubts(decode(say("you", probability=0.1)), [span(0, 400)], RULES)


def test_words_that_are_hardly_likelier_than_not_are_unsure() -> None:
    text = " ".join(word.text for word in GOOD.words)
    assert "unsure" in find_doubts(decode(say(text, probability=0.5)), SPOKEN, RULES)
    assert find_doubts(decode(say(text, probability=0.6)), SPOKEN, RULES) == frozenset()


def test_a_voice_without_a_word_is_a_hole() -> None:
    assert "hole" in find_doubts(GOOD, [span(0, 9_900)], RULES)
    assert find_holes((), [span(100, 2_000)], RULES) == (span(100, 2_000),)


def test_a_word_stretched_over_speech_does_not_hide_a_hole() -> None:
    stretched = Word(text="so", start_ms=0, end_ms=5_000, probability=0.9, language="en")
    assert find_holes([stretched], [span(0, 5_000)], RULES)


def test_a_short_murmur_is_no_hole() -> None:
    assert find_holes((), [span(0, 400)], RULES) == ()


def test_silence_needs_both_the_model_s_word_and_its_disbelief() -> None:
    assert is_silence(decode(say("you"), belief=-1.6, silence=0.8), RULES)
    assert not is_silence(decode(say("yes"), belief=-0.4, silence=0.8), RULES)
    assert not is_silence(decode(say("yes"), belief=-1.6, silence=0.1), RULES)


def test_words_next_to_a_pause_start_and_end_with_the_voice() -> None:
    words = (*say("thank you"), *say("bye now", start_ms=2_000))
    snapped = snap(words, [span(90, 700), span(2_050, 2_850)], RULES)
    assert [(word.start_ms, word.end_ms) for word in snapped] == [(90, 400), (400, 700), (2_050, 2_400), (2_400, 2_850)]


def test_a_word_begun_in_the_pause_is_cut_to_where_the_voice_is() -> None:
    stretched = Word(text="bonjour", start_ms=0, end_ms=5_000, probability=0.9, language="fr")
    assert snap([stretched], [span(4_000, 5_100)], RULES)[0].start_ms == 4_000


def test_a_word_of_which_but_the_edge_is_heard_after_a_pause_is_not_cut_to_that() -> None:
    between = Word(text="different", start_ms=1_700, end_ms=2_060, probability=0.9, language="en")
    assert snap([between], [span(0, 1_700), span(2_040, 3_000)], RULES) == (between,)


def test_a_word_that_lasts_unusually_long_begins_later_and_ends_as_it_did() -> None:
    (long,) = tighten([Word(text="And,", start_ms=0, end_ms=1_000, probability=0.9, language="en")], RULES)
    assert (long.start_ms, long.end_ms) == (1_000 - RULES.usual_ms - 3 * RULES.usual_letter_ms, 1_000)
    read_out = Word(text="105%.", start_ms=0, end_ms=1_200, probability=0.9, language="en")
    assert tighten([read_out], RULES) == (read_out,)
    usual = say("bonjour", each_ms=400)
    assert tighten(usual, RULES) == usual


def test_a_word_in_the_middle_of_speech_stays_where_it_is() -> None:
    assert snap(say("oui", start_ms=2_000), [span(0, 9_000)], RULES) == say("oui", start_ms=2_000)
    assert snap(say("oui"), [], RULES) == say("oui")


def test_words_are_in_the_piece_in_which_they_are_heard_not_in_the_pause_that_they_claim() -> None:
    words = (*say("before a pause"), Word(text="I", start_ms=1_200, end_ms=5_000, probability=0.9, language="en"))
    inside, outside = split_words(words, span(2_000, 6_000), RULES)
    assert [one.text for one in inside] == ["I"]
    assert [one.text for one in outside] == ["before", "a", "pause"]


def test_a_word_that_claims_to_begin_before_others_hides_no_hole_and_makes_none() -> None:
    claims = Word(text="I", start_ms=0, end_ms=4_000, probability=0.9, language="en")
    words = (claims, *say("one two three four five six seven eight"))
    assert find_holes(words, [span(0, 4_000)], RULES) == ()
    assert [one.text for one in tighten(words, RULES)][-1] == "I"


def test_a_hole_reaches_as_far_as_the_word_stretched_over_it() -> None:
    stretched = Word(text="so", start_ms=1_000, end_ms=5_000, probability=0.9, language="en")
    assert stretched_holes([stretched], [span(1_000, 5_000)], RULES) == (span(1_000, 5_000),)


def test_the_longest_run_counts_whole_phrases() -> None:
    assert longest_run(say("a b a b a b c")) == (3, 4)
    assert longest_run(say("a b c d")) == (1, 0)
    assert longest_run(say("a b c d a b c")) == (1, 0)
    assert longest_run(()) == (0, 0)


def test_a_better_text_scores_higher() -> None:
    good = score(GOOD.words, SPOKEN, RULES)
    assert good > score(say("we meet every week to hear what an", probability=0.9), SPOKEN, RULES)
    assert good > score(say("we meet every week", probability=0.3), SPOKEN[:1], RULES)
    assert good > score((), SPOKEN, RULES)
    assert score((), SPOKEN, RULES) > score(say("no " * 40, each_ms=20), [span(0, 900)], RULES)


def test_parts_join_into_one_result_weighted_by_their_words() -> None:
    parts = (decode(say("one two three"), belief=-0.2), decode(say("four", start_ms=1_200), belief=-1.0))
    joined = join(parts, span(0, 2_000))
    assert [word.text for word in joined.words] == ["one", "two", "three", "four"]
    assert joined.average_log_probability == pytest.approx(-0.4)
    assert (joined.start_ms, joined.end_ms) == (0, 2_000)


def test_nothing_joins_into_an_empty_result() -> None:
    assert join((), span(0, 10)).words == ()


@pytest.mark.parametrize(
    "bad", [{"most_repeats": 0}, {"most_repeated": -1}, {"shortest_hole_ms": -1}, {"margin_ms": -1}]
)
def test_rules_that_make_no_sense_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        ScreeningRules(**bad)


@st.composite
def apart(draw: st.DrawFn) -> list[Span]:
    """Intervals in order, apart."""
    edges = sorted(draw(st.lists(st.integers(0, 200), unique=True, max_size=12)))
    return [span(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]


@given(apart(), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30)), max_size=8))
def test_subtracting_leaves_exactly_the_moments_that_nobody_took(
    spans: list[Span], taken: list[tuple[int, int]]
) -> None:
    others = [span(start, start + length) for start, length in sorted(taken)]
    left = subtract(spans, others)
    expected = {ms for one in spans for ms in range(one.start_ms, one.end_ms)}
    expected -= {ms for one in others for ms in range(one.start_ms, one.end_ms)}
    assert [ms for one in left for ms in range(one.start_ms, one.end_ms)] == sorted(expected)


@given(apart(), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), max_size=8))
def test_snapping_keeps_every_word_and_none_lasts_less_than_nothing(
    speech: list[Span], times: list[tuple[int, int]]
) -> None:
    words = [
        Word(text=f"w{place}", start_ms=start, end_ms=start + length, probability=0.9, language="en")
        for place, (start, length) in enumerate(sorted(times))
    ]
    snapped = snap(words, speech, ScreeningRules(margin_ms=20))
    assert [word.text for word in snapped] == [word.text for word in words]


@given(apart(), st.integers(0, 200), st.integers(0, 100))
def test_clipping_keeps_what_lies_in_the_window(spans: list[Span], start: int, length: int) -> None:
    window = span(start, start + length)
    moments = [ms for one in clip(spans, window) for ms in range(one.start_ms, one.end_ms)]
    assert moments == [ms for one in spans for ms in range(one.start_ms, one.end_ms) if window.covers(ms)]
