"""The glossary of the house is sound, and a term takes the place of words only with all the evidence for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import glossary
from pipeline.cuts import HIDDEN
from pipeline.editing import Edited, edit, propose_terms
from pipeline.editing.hearing import sounds_of
from pipeline.glossary import GlossaryTerm
from pipeline.sounds import letters_alike, sound_key
from pipeline.types import LANGUAGES, Evidence, Language, Transcript
from tests.talk import any_transcripts, transcript
from tests.test_editing import replay

TERMS = glossary.load_all()
UNSURE, SURE = 0.3, 0.9


def hear(said: str, doubtful: str, language: Language = "en", probability: float = UNSURE) -> Edited:
    """Edit what was said, the doubtful words of it heard with that probability."""
    spoken = transcript(("S1", said), language=language)
    words = tuple(
        replace(word, probability=probability) if word.text.strip(",.") in doubtful.split() else word
        for word in spoken.words
    )
    spoken = replace(spoken, turns=(replace(spoken.turns[0], words=words),))
    edited = edit(spoken, (), TERMS)
    assert replay(spoken, edited) == [word.text for word in edited.transcript.words]
    return edited


# The terms that ship


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_house_has_many_terms_each_once(language: Language) -> None:
    terms = glossary.load(language)
    assert len(terms) >= 150
    assert Counter(term.text for term in terms).most_common(1)[0][1] == 1
    heard = Counter(text.casefold() for term in terms for text in term.heard)
    assert heard.most_common(1)[0][1] == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_something_tells_where_each_term_is_meant(language: Language) -> None:
    sounds = sounds_of(TERMS)[language]
    assert [term.text for term in glossary.load(language) if not sounds.near[term.text]] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_letters_of_an_acronym_begin_words_that_they_stand_for(language: Language) -> None:
    odd = []
    for term in glossary.load(language):
        if term.acronym and len(term.near) > 1:
            words = " ".join(term.near).replace("'", " ").replace("-", " ").split()
            rest = iter(plain("".join(word[:1] for word in words)))
            if not all(letter in rest for letter in plain(term.text)):
                odd.append(term.text)
    # These take letters from inside a word, or from the English or an older name.
    assert odd == {"en": ["DFO", "FINTRAC", "LWOP", "PCH"], "fr": ["CANAFE", "MPO", "PCH", "TACRA", "WCAG"]}[language]


def plain(text: str) -> str:
    """Return letters without case and accents."""
    return text.casefold().translate(str.maketrans("éèêàâîôûç", "eeeaaiouc"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"text": "two  spaces"},
        {"near": ()},
        {"heard": ("Nunavut",)},
    ],
)
def test_an_odd_term_is_refused(wrong: dict[str, object]) -> None:
    fine: dict[str, object] = {"text": "Nunavut", "language": "en", "near": ("north",)}
    GlossaryTerm(**fine)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="term"):
        GlossaryTerm(**(fine | wrong))  # type: ignore[arg-type]


# What is heard


@pytest.mark.parametrize(
    ("language", "said", "doubtful", "written"),
    [
        ("en", "The policy of a treasury bored us.", "treasury bored", "The policy of a Treasury Board us."),
        ("en", "The Treasury Board, that is TVS, wrote it.", "TVS", "The Treasury Board, that is TBS, wrote it."),
        ("en", "The Revenue Agency, the C R A, called.", "C R A", "The Revenue Agency, the CRA, called."),
        ("en", "On our network, jesse collab, you ask.", "jesse collab", "On our network, GCcollab, you ask."),
        ("fr", "La politique du conseil du très or.", "conseil du très or", "La politique du Conseil du Trésor."),
        ("fr", "Le Secrétariat du Trésor, le SPT, répond.", "SPT", "Le Secrétariat du Trésor, le SCT, répond."),
        ("fr", "Au nord, à ikalouite, il neige.", "ikalouite", "Au nord, à Iqaluit, il neige."),
    ],
)
def test_a_term_that_sounds_so_fits_and_was_not_surely_heard_takes_its_place(
    language: Language, said: str, doubtful: str, written: str
) -> None:
    edited = hear(said, doubtful, language)
    assert edited.transcript.turns[0].text == written
    assert edited.proposals == ()
    assert [change.rule for change in edited.edits] == ["glossary"]


@pytest.mark.parametrize(
    ("said", "probability", "evidence"),
    [
        ("The policy of the treasury bored is clear.", SURE, ("sound", "context")),
        ("My cat and the treasury bored me.", UNSURE, ("sound", "probability")),
    ],
)
def test_with_less_evidence_it_is_proposed(said: str, probability: float, evidence: tuple[Evidence, ...]) -> None:
    edited = hear(said, "treasury bored", probability=probability)
    assert edited.edits == ()
    [proposal] = edited.proposals
    assert (proposal.before, proposal.after, proposal.evidence) == ("treasury bored", "Treasury Board", evidence)
    word = next(word for word in edited.transcript.words if word.text == "treasury")
    assert (proposal.start_ms, edited.transcript.words[proposal.index]) == (word.start_ms, word)


@pytest.mark.parametrize(
    ("language", "said", "doubtful"),
    [
        ("en", "I was bored at the bank.", "bored"),
        ("en", "The Treasury Board wrote it.", "Treasury Board"),
        ("en", "Ask the DVD about it.", ""),
        ("en", "In the north, none of it melts.", "none of it"),
        ("fr", "Le conseil du village est là.", "conseil"),
    ],
)
def test_sound_alone_or_a_negation_changes_and_proposes_nothing(language: Language, said: str, doubtful: str) -> None:
    edited = hear(said, doubtful, language)
    assert (edited.edits, edited.proposals) == ((), ())


def test_the_session_s_own_spelling_goes_first() -> None:
    spoken = transcript(("S1", "We use gccollab here."))
    assert edit(spoken, ("GC Collab", "GCCollab"), TERMS).transcript.turns[0].text == "We use GCCollab here."


def test_what_may_be_either_of_two_terms_is_left_to_a_person() -> None:
    edited = hear("The digital service of the Treasury Board, the TVS, wrote it.", "TVS")
    assert edited.edits == ()
    assert [proposal.after for proposal in edited.proposals] == ["CDS,"]


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_the_changes_are_listed_whatever_is_heard(spoken: Transcript) -> None:
    edited = edit(spoken, (), TERMS)
    assert replay(spoken, edited) == [word.text for word in edited.transcript.words]
    texts = [word.text for word in spoken.words]
    assert all(0 <= proposal.index < len(texts) for proposal in edited.proposals)


# What a person said

SAID = "The policy of the treasury bored and of gccollab is clear."


def told(said: str, person: str, change: dict[str, object]) -> Transcript:
    """Return what was said, unsurely heard, with some words as a person left them."""
    spoken = transcript(("S1", said))
    words = tuple(replace(word, probability=UNSURE) for word in spoken.words)
    settled = tuple(replace(word, **change) if word.text in person.split() else word for word in words)  # type: ignore[arg-type]  # a few fields of many
    return replace(spoken, turns=(replace(spoken.turns[0], words=settled),))


@pytest.mark.parametrize("change", [{"timed": "aligned", "probability": 1.0}, {"timed": "interpolated"}])
@pytest.mark.parametrize("reviewed", [True, False])
def test_no_term_takes_the_place_of_what_a_person_typed(change: dict[str, object], reviewed: bool) -> None:
    spoken = told(SAID, "bored gccollab", change)
    edited = edit(spoken, ("GCCollab",), TERMS, reviewed=reviewed)
    assert edited.transcript.turns == spoken.turns
    assert (edited.edits, edited.proposals) == ((), ())
    assert propose_terms(spoken, ("GCCollab",), TERMS, reviewed=reviewed) == ()


def test_what_a_reviewer_said_is_right_stays_and_what_was_only_surely_heard_does_not() -> None:
    spoken = told(SAID, "treasury gccollab", {"probability": 1.0})
    assert edit(spoken, ("GCCollab",), TERMS, reviewed=True).edits == ()
    assert propose_terms(spoken, ("GCCollab",), TERMS, reviewed=True) == ()
    assert "GCCollab" in edit(spoken, ("GCCollab",), TERMS).transcript.turns[0].text


def test_words_that_nobody_touched_are_edited_in_a_reviewed_transcript_too() -> None:
    edited = edit(told(SAID, "", {}), ("GCCollab",), TERMS, reviewed=True)
    assert edited.transcript.turns[0].text == "The policy of the Treasury Board and of GCCollab is clear."


@settings(max_examples=60, deadline=None)
@given(any_transcripts(), st.sets(st.integers(0, 71)))
def test_hidden_words_are_never_edited(spoken: Transcript, hidden: set[int]) -> None:
    numbers = count()
    turns = tuple(
        replace(
            turn,
            words=tuple(replace(word, text=HIDDEN) if next(numbers) in hidden else word for word in turn.words),
        )
        for turn in spoken.turns
    )
    spoken = replace(spoken, turns=turns)
    edited = edit(spoken, ("Marie Roy", "été"), TERMS)
    left = [word.text for word in edited.transcript.words]
    assert left.count(HIDDEN) == [word.text for word in spoken.words].count(HIDDEN)
    assert not any(HIDDEN in change.before.split(" ") for change in edited.edits)
    said = propose_terms(spoken, ("Marie Roy", "été"), TERMS, reviewed=False)
    assert not any(HIDDEN in proposal.before for proposal in said)


def test_a_hidden_word_before_a_term_stays() -> None:
    edited = hear("The policy of the […] treasury bored , is clear.", "[…] treasury bored")
    assert edited.transcript.turns[0].text == "The policy of the […] Treasury Board, is clear."


# What a person is asked


def test_a_person_is_asked_about_all_that_may_be_a_term_or_a_name_with_its_place() -> None:
    spoken = told(f"Well, um, {SAID} We met Marie Tremblé, there.", "", {})
    found = propose_terms(spoken, ("GCCollab", "Marie Tremblay"), TERMS, reviewed=False)
    assert [(each.before, each.after) for each in found] == [
        ("treasury bored", "Treasury Board"),
        ("gccollab", "GCCollab"),
        ("Marie Tremblé,", "Marie Tremblay,"),
    ]
    texts = [word.text for word in spoken.words]
    assert [" ".join(texts[each.index : each.index + each.count]) for each in found] == [each.before for each in found]


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_what_is_asked_is_in_order_apart_and_about_words_that_are_there(spoken: Transcript) -> None:
    found = propose_terms(spoken, ("Marie Roy", "été euh", "Nunavut"), TERMS, reviewed=False)
    texts = [word.text for word in spoken.words]
    assert all(one.index + one.count <= other.index for one, other in pairwise(found))
    assert all(" ".join(texts[each.index : each.index + each.count]) == each.before for each in found)


# Sounds


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "fin track", "FINTRAC"),
        ("en", "privy counsel", "Privy Council"),
        ("fr", "gattineau", "Gatineau"),
        ("fr", "conseille du trésor", "Conseil du Trésor"),
        ("fr", "ikaluit", "Iqaluit"),
    ],
)
def test_what_sounds_alike_has_one_key(language: Language, one: str, other: str) -> None:
    assert sound_key(one, language) == sound_key(other, language)


@pytest.mark.parametrize(("language", "one", "other"), [("en", "bank", "board"), ("fr", "chat", "gâteau")])
def test_what_sounds_different_has_two(language: Language, one: str, other: str) -> None:
    assert sound_key(one, language) != sound_key(other, language)


def test_letters_are_alike_by_their_names() -> None:
    assert letters_alike("BDC", "BTC", "fr")
    assert not letters_alike("BDC", "BDCC", "fr")
    assert not letters_alike("ARC", "ABC", "en")


def test_an_empty_glossary_hears_nothing() -> None:
    assert sounds_of(())["en"].known == frozenset()
