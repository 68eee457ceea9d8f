"""What a person left alone stays as it was; what they wrote is there once, in order, in between."""

from __future__ import annotations

import datetime as dt
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corrections import changes, revise
from pipeline.errors import CorrectionInvalid
from pipeline.matching import fold, match
from pipeline.revisions import CorrectedTurn, Correction, Entry, Revision, Token
from pipeline.types import NameProposal, Provenance, Speaker, Transcript, Turn, Word

TEXTS = st.sampled_from(["the", "a", "Roof,", "holds", "été", "oui.", "12", "…", "new", "word"])


def revision(*turns: tuple[str | None, str], step_ms: int = 400) -> Revision:
    """Return a first revision; each word lasts 300 ms and each turn is one speaker's."""
    made, at = [], 0
    for speaker, text in turns:
        words = []
        for part in text.split():
            words.append(Word(start_ms=at, end_ms=at + 300, text=part, probability=0.8, language="en"))
            at += step_ms
        made.append(Turn(speaker=speaker, words=tuple(words)))
    keys = dict.fromkeys(speaker for speaker, _ in turns if speaker)
    transcript = Transcript(
        session_id="a" * 16,
        language="en",
        duration_ms=at,
        turns=tuple(made),
        speakers=tuple(Speaker(key=key) for key in keys),
    )
    entry = Entry(number=1, author="tribune", saved_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), origin="recognition")
    return Revision(entry=entry, transcript=transcript, provenance=Provenance(tool="tribune"))


def typed(text: str, speaker: str | None = "S1") -> CorrectedTurn:
    return CorrectedTurn(speaker=speaker, tokens=tuple(Token(text=part) for part in text.split()))


def test_a_corrected_word_takes_the_time_of_the_one_it_replaces_and_the_others_keep_everything() -> None:
    before = revision(("S1", "the rough holds"))
    after = revise(before, Correction(turns=(typed("the roof holds"),)))
    old, new = before.transcript.words, after.words
    assert (new[0], new[2]) == (old[0], old[2])
    assert (new[1].text, new[1].start_ms, new[1].end_ms) == ("roof", old[1].start_ms, old[1].end_ms)
    assert (new[1].probability, new[1].timed) == (1.0, "interpolated")


def test_of_words_that_are_said_again_and_again_the_one_in_its_place_is_the_one() -> None:
    assert match(["b", "a", "b", "b"], ["b", "a", "z", "b"]) == [(0, 0), (1, 1), (3, 3)]


def test_punctuation_and_capitals_move_no_word() -> None:
    before = revision(("S1", "the roof holds"))
    after = revise(before, Correction(turns=(typed("The roof holds."),)))
    assert [word.timed for word in after.words] == ["recognised"] * 3
    assert [word.start_ms for word in after.words] == [0, 400, 800]
    assert [word.probability for word in after.words] == [1.0, 0.8, 1.0]


def test_added_words_lie_in_the_silence_beside_the_words_of_their_turn() -> None:
    before = revision(("S1", "so yes"), ("S2", "no"), step_ms=2_000)
    first, second, third = before.transcript.words
    turns = (
        CorrectedTurn(speaker="S1", tokens=(Token(text="so", was=0), Token(text="yes", was=1), Token(text="well"))),
        CorrectedTurn(speaker="S2", tokens=(Token(text="oh"), Token(text="no", was=2))),
    )
    words = revise(before, Correction(turns=turns)).words
    assert [word.text for word in words] == ["so", "yes", "well", "oh", "no"]
    assert words[2].start_ms == second.end_ms
    assert (words[0], words[4]) == (first, third)


def test_one_word_that_becomes_two_shares_its_time_between_them() -> None:
    before = revision(("S1", "see alot here"))
    turn = CorrectedTurn(
        speaker="S1", tokens=(Token(text="see", was=0), Token(text="a lot", was=1), Token(text="here", was=2))
    )
    words = revise(before, Correction(turns=(turn,))).words
    assert [word.text for word in words] == ["see", "a", "lot", "here"]
    assert (words[1].start_ms, words[2].end_ms) == (400, 700)
    assert words[1].end_ms == words[2].start_ms


def test_turns_are_split_merged_and_given_to_others_and_names_hold_for_the_whole_session() -> None:
    before = revision(("S1", "one two"), ("S2", "three"), ("S1", "four"))
    tokens = [Token(text=word.text, was=at) for at, word in enumerate(before.transcript.words)]
    turns = (
        CorrectedTurn(speaker="S1", tokens=(tokens[0],)),
        CorrectedTurn(speaker="S3", tokens=tuple(tokens[1:3])),
        CorrectedTurn(speaker="S2", tokens=()),
        CorrectedTurn(speaker="S1", tokens=(tokens[3],)),
    )
    after = revise(before, Correction(turns=turns, names=(("S1", " Anna  Roy "), ("S2", "Nobody"))))
    assert [(turn.speaker, turn.text) for turn in after.turns] == [("S1", "one"), ("S3", "two three"), ("S1", "four")]
    assert after.speakers == (Speaker(key="S1", name="Anna Roy"), Speaker(key="S3"))
    assert after.words == before.transcript.words


def test_a_speaker_whom_nobody_named_keeps_what_speaks_for_a_name() -> None:
    before = revision(("S1", "I am Ada"))
    proposal = NameProposal(start_ms=0, end_ms=900, name="Ada", evidence="introduced", quote="I am Ada")
    speakers = (Speaker(key="S1", proposals=(proposal,)),)
    known = Revision(
        entry=before.entry,
        provenance=before.provenance,
        transcript=Transcript(
            session_id="a" * 16, language="en", duration_ms=9_000, turns=before.transcript.turns, speakers=speakers
        ),
    )
    assert revise(known, Correction(turns=(typed("I am Ada"),))).speakers == speakers
    named = revise(known, Correction(turns=(typed("I am Ada"),), names=(("S1", "Ada Byron"),)))
    assert named.speakers == (Speaker(key="S1", name="Ada Byron"),)


@pytest.mark.parametrize("was", [(0, 0), (3, None), (-1, None)])
def test_a_correction_of_another_text_is_refused(was: tuple[int | None, int | None]) -> None:
    turn = CorrectedTurn(speaker="S1", tokens=tuple(Token(text="x", was=at) for at in was))
    with pytest.raises(CorrectionInvalid):
        revise(revision(("S1", "one two three")), Correction(turns=(turn,)))


@given(old=st.lists(TEXTS, min_size=1, max_size=12), new=st.lists(TEXTS, max_size=12), data=st.data())
def test_whatever_is_typed_is_there_once_in_order_and_in_time(
    old: list[str], new: list[str], data: st.DataObject
) -> None:
    before = revision(("S1", " ".join(old)))
    free = list(range(len(old)))
    tokens = []
    for text in new:
        was = data.draw(st.sampled_from([None, *free]))
        if was is not None:
            free.remove(was)
        tokens.append(Token(text=text, was=was))
    turns = tuple(CorrectedTurn(speaker="S1", tokens=(token,)) for token in tokens)
    after = revise(before, Correction(turns=turns)).words
    assert [word.text for word in after] == new
    starts = [word.start_ms for word in after]
    assert starts == sorted(starts)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(after))
    untouched = {(word.text, word.start_ms, word.end_ms) for word in before.transcript.words}
    assert all(
        (word.text, word.start_ms, word.end_ms) in untouched
        for word in after
        if word.timed == "recognised" and word.probability < 1
    )


@given(old=st.lists(TEXTS, max_size=30), new=st.lists(TEXTS, max_size=30))
def test_matched_words_are_the_same_and_rise_in_both_texts(old: list[str], new: list[str]) -> None:
    pairs = match(old, new)
    assert all(fold(old[at]) == fold(new[to]) for at, to in pairs)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(pairs))
    assert match(old, old) == [(at, at) for at in range(len(old))]


def test_a_text_of_three_hours_is_matched_in_a_moment() -> None:
    # Some words are said in every sentence, most of them hardly ever.
    old = [f"w{number}" for number in np.random.default_rng(4).zipf(1.3, 30_000) % 4_000]
    new = [word for at, word in enumerate(old) if at % 40]
    started = time.process_time()
    assert len(match(old, new)) > 0.99 * len(new)
    assert time.process_time() - started < 5


def test_changes_tell_what_reads_otherwise_and_who_says_it() -> None:
    before = revision(("S1", "the rough holds"), ("S2", "yes it does"))
    turns = (typed("the roof holds"), typed("yes", "S2"), typed("it does", "S1"))
    after = revise(before, Correction(turns=turns))
    told = [(change.kind, change.before, change.after, change.start_ms) for change in changes(before.transcript, after)]
    assert told == [("words", "rough", "roof", 400), ("speaker", "Speaker 2", "Speaker 1", 1600)]
    assert changes(after, after) == ()


def test_a_voice_that_is_named_is_told_once_and_a_turn_that_is_given_away_each_time() -> None:
    before = revision(("S1", "one two"), ("S2", "three"), ("S1", "four five"), ("S2", "six"), ("S1", "seven"))
    turns = (typed("one two"), typed("three", "S2"), typed("four five"), typed("six", "S2"), typed("seven", "S2"))
    after = revise(before, Correction(turns=turns, names=(("S1", "Ada"),)))
    told = [(change.kind, change.before, change.after) for change in changes(before.transcript, after)]
    assert told == [("speaker", "Speaker 1", "Ada"), ("speaker", "Speaker 1", "Speaker 2")]


def test_added_and_removed_words_are_changes() -> None:
    before = revision(("S1", "one two three"))
    after = revise(before, Correction(turns=(typed("one three four"),)))
    told = [(change.before, change.after) for change in changes(before.transcript, after)]
    assert told == [("two", ""), ("", "four")]
