"""Names that people say of themselves: proposed with their evidence, never decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from faster_whisper.audio import decode_audio
from hypothesis import given

from models.whisper import WhisperRecognizer
from pipeline.introductions import proposal_notices, with_proposals
from pipeline.messages import message
from pipeline.render import FORMATS
from pipeline.render.json import read_transcript
from pipeline.speech import SpeechOptions, recognize
from pipeline.types import LANGUAGES, Bilingual, Language, Person, Session, Speaker, Transcript, Turn
from tests.talk import any_transcripts, document, transcript


def session(*guests: str, host: str | None = None) -> Session:
    return Session(
        id="0123456789abcdef",
        title=Bilingual.same("Talk"),
        languages=("en", "fr"),
        host=Person(name=host) if host else None,
        guests=tuple(Person(name=name) for name in guests),
    )


def proposed(said: str, *guests: str) -> list[tuple[str, str]]:
    spoken = transcript(("S1", said))
    (speaker,) = with_proposals(spoken.speakers, spoken.turns, session(*guests))
    assert speaker.name is None
    return [(each.name, each.evidence) for each in speaker.proposals]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Good morning, my name is Anna Roy and I work here.", "Anna Roy"),
        ("My name's Anna.", "Anna"),
        ("Hi, I'm Anna Roy, from Ottawa.", "Anna Roy"),
        ("Hi, I’m Dr. Anna Roy.", "Anna Roy"),
        ("I am Jean-François O'Neill.", "Jean-François O'Neill"),
        ("My name is, uh, Anna Roy.", "Anna Roy"),
        ("This is Anna Roy speaking.", "Anna Roy"),
        ("My name is Anna de la Cruz.", "Anna de la Cruz"),
        ("I'm Mary J. Blige.", "Mary J. Blige"),
        ("Bonjour. Je m'appelle Éric Joanis. Je suis programmeur.", "Éric Joanis"),
        ("Bonjour, je m’appelle Anne-Marie d'Artagnan.", "Anne-Marie d'Artagnan"),
        ("JE M'APPELLE ZOÉ.", "ZOÉ"),
        ("Mon nom est Luc Roy.", "Luc Roy"),
        ("Je suis Mme Zoé Côté, de Gatineau.", "Zoé Côté"),
        ("Moi, c'est Zoé Côté.", "Zoé Côté"),
    ],
)
def test_an_introduction_proposes_the_name_as_heard(said: str, name: str) -> None:
    assert proposed(said) == [(name, "introduced")]


@pytest.mark.parametrize(
    ("said", "guest"),
    [
        ("my name is anna roy", "Anna Roy"),
        ("My name is Anna Roi.", "Anna Roy"),
        ("I'm Anna.", "Anna Roy"),
        ("I'm Ana Diez, hello.", "Ana Díaz"),
        ("Je m'appelle Éric Johannis et", "Éric Joanis"),
        ("je m'appelle eric joanis et je", "Éric Joanis"),
        ("Je suis Zoé.", "Zoé Côté"),
        ("My name is Roy", "Anna Roy"),
    ],
)
def test_a_name_nearly_announced_is_spelled_as_announced(said: str, guest: str) -> None:
    assert proposed(said, "Bo Li", guest) == [(guest, "introduced_announced")]


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry.",
        "I'm Canadian.",
        "I'm French Canadian.",
        "I am Director General of the branch.",
        "Je suis Québécoise.",
        "Je suis programmeur.",
        "I'm Sarah.",
        "This is Anna Roy, our guest.",
        "This is Canada.",
        "my name is not important",
        "his name is Anna Roy",
        "Je m'appelle",
        "I'm clear.",
        "I'm 42.",
        "Il s'appelle Éric Joanis.",
        "I'm Anna's manager.",
        "I’m Anna Roy’s colleague.",
        "My name is not Claire Li.",
        "I'm Claire's manager.",
        "I'm Claire Li's colleague.",
        "I'm Claire Li’s colleague.",
        "I'm not Claire Li.",
        "I'm here with Claire Li.",
        "I'm with Claire Li today.",
        "Je suis avec Claire Li.",
        "Je suis chez Claire Li.",
    ],
)
def test_what_may_be_something_else_proposes_nothing(said: str) -> None:
    assert proposed(said, "Claire Li") == []


def test_a_first_name_that_two_people_share_is_neithers() -> None:
    assert proposed("I'm Anna.", "Anna Roy", "Anna Li") == []


def test_the_whole_name_of_one_of_two_with_the_same_first_name_is_theirs() -> None:
    assert proposed("I'm Anna Roy.", "Anna Roy", "Anna Li") == [("Anna Roy", "introduced_announced")]
    assert proposed("My name is Anna Roi.", "Anna Li", "Anna Roy") == [("Anna Roy", "introduced_announced")]


def test_the_announced_name_comes_first_and_each_name_once() -> None:
    said = "My name is Bob. I'm Anna Roy. I'm Anna Roy."
    assert [name for name, _ in proposed(said, "Anna Roy")] == ["Anna Roy", "Bob"]


def test_a_proposal_says_when_and_in_which_words() -> None:
    spoken = transcript(("S1", "Hello."), ("S2", "Hello, my name is Anna Roy."))
    _, anna = with_proposals(spoken.speakers, spoken.turns, session())
    (proposal,) = anna.proposals
    words = spoken.turns[1].words
    assert proposal.quote == "my name is Anna Roy."
    assert (proposal.start_ms, proposal.end_ms) == (words[1].start_ms, words[-1].end_ms)


def test_the_quotation_holds_the_whole_name_as_heard() -> None:
    spoken = transcript(("S1", "Bonjour, je m'appelle Eric Joannes. Je suis programmeur."))
    (eric,) = with_proposals(spoken.speakers, spoken.turns, session("Anna Roy", "Éric Joanis"))
    assert [(each.name, each.quote) for each in eric.proposals] == [("Éric Joanis", "je m'appelle Eric Joannes.")]


@pytest.mark.engines
def test_a_programmer_introduces_himself(recognizer: WhisperRecognizer) -> None:
    sound = decode_audio(str(Path(__file__).parents[1] / "samples" / "fr" / "alignement_du_hansard.m4a"))[: 16_000 * 9]
    guests = session("Anna Roy", "Éric Joanis")
    heard = recognize(sound, replace(guests, languages=("fr",), languages_given=True), recognizer, SpeechOptions())
    (eric,) = with_proposals((Speaker(key="S1"),), (Turn(speaker="S1", words=heard.words),), guests)
    assert eric.name is None
    assert [each.name for each in eric.proposals] == ["Éric Joanis"]


def test_a_voice_with_a_name_gets_no_proposal() -> None:
    turns = transcript(("S1", "My name is Anna Roy.")).turns
    known = (Speaker(key="S1", name="Bo Li"),)
    assert with_proposals(known, turns, session()) == known


def test_a_proposal_is_kept_in_the_transcript_and_shown_in_no_other_format() -> None:
    spoken = transcript(("S1", "My name is Anna Roy."), ("S2", "Welcome."))
    speakers = with_proposals(spoken.speakers, spoken.turns, session("Annabel Royce"))
    spoken = Transcript(
        session_id=spoken.session_id,
        language="en",
        duration_ms=spoken.duration_ms,
        turns=spoken.turns,
        speakers=speakers,
    )
    shown = {
        name: written_as.body(document(spoken)).decode()
        for name, written_as in FORMATS.items()
        if written_as.role in {"captions", "transcript"} and name not in {"docx", "pdf"}
    }
    assert read_transcript(shown.pop("json")).speakers == speakers
    assert all("Speaker 1" in text for name, text in shown.items())
    assert all("introduced" not in text for text in shown.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_facilitator_is_told_of_every_proposal(language: Language) -> None:
    spoken = transcript(("S1", "My name is Anna Roy."), ("S2", "And I'm Bo Li."))
    speakers = with_proposals(spoken.speakers, spoken.turns, session("Bo Li"))
    told = proposal_notices(
        Transcript(session_id=spoken.session_id, language="en", duration_ms=9, turns=spoken.turns, speakers=speakers)
    )
    texts = [message(note.code, language, **dict(note.data)) for note in told]
    assert len(texts) == 2
    assert "Anna Roy" in texts[0]
    assert "I'm Bo Li." in texts[1]


@given(any_transcripts())
def test_proposals_quote_what_the_voice_itself_says(spoken: Transcript) -> None:
    opened = tuple(
        Turn(speaker=turn.speaker, words=(*transcript(("S1", "I'm")).words, *turn.words)) for turn in spoken.turns
    )
    for speaker in with_proposals(
        tuple(Speaker(key=each.key) for each in spoken.speakers), opened, session("Marie Roy")
    ):
        own = " ".join(turn.text for turn in opened if turn.speaker == speaker.key)
        assert all(proposal.quote in own and proposal.name for proposal in speaker.proposals)
        assert len(speaker.proposals) <= 3


def test_an_introduction_late_in_a_very_long_turn_is_found() -> None:
    spoken = transcript(("S1", "I'm here " * 5_000 + "my name is Anna Roy."), word_ms=100)
    (speaker,) = with_proposals(spoken.speakers, spoken.turns, session(*(f"Person {n} Name" for n in range(20))))
    assert [each.name for each in speaker.proposals] == ["Anna Roy"]
