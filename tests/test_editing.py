"""The edited transcript is readable, says the same, and every change is listed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.editing import Edited, edit
from pipeline.editing.draft import parts
from pipeline.editing.slips import is_protected
from pipeline.matching import straight
from pipeline.render.json import read_transcript
from pipeline.types import LANGUAGES, Language, Transcript
from tests.talk import any_transcripts, transcript

NBSP = "\u00a0"
HEARD = Path(__file__).parent / "data"


def replay(spoken: Transcript, edited: Edited) -> list[str]:
    """Make the listed changes, one after the other, on the verbatim words."""
    texts: list[str | None] = [word.text for word in spoken.words]
    for change in edited.edits:
        taken: list[int] = []
        while " ".join(texts[at] or "" for at in taken) != change.before or not taken:
            start = taken[-1] + 1 if taken else change.index
            taken.append(next(at for at in range(start, len(texts)) if texts[at] is not None))
        assert spoken.words[change.index].start_ms == change.start_ms
        for at in taken:
            texts[at] = None
        texts[taken[0]] = change.after or None
    return [text for text in texts if text is not None]


def read(text: str, language: Language = "en", glossary: tuple[str, ...] = ()) -> str:
    """Return one turn, edited."""
    spoken = transcript(("S1", text), language=language)
    edited = edit(spoken, glossary)
    assert replay(spoken, edited) == [word.text for word in edited.transcript.words]
    return edited.transcript.turns[0].text


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_the_verbatim_words_with_the_listed_changes_are_the_edited_words(spoken: Transcript) -> None:
    edited = edit(spoken, ("Nunavut", "Service Canada", "Marie Roy", "été"))
    assert replay(spoken, edited) == [word.text for word in edited.transcript.words]


@pytest.mark.parametrize("path", sorted(HEARD.glob("heard_*.json")), ids=lambda path: path.stem)
def test_real_speech_minus_the_listed_changes_has_no_word_error(path: Path) -> None:
    spoken = read_transcript(path.read_text(encoding="utf-8"))
    edited = edit(spoken)
    assert jiwer.wer(" ".join(replay(spoken, edited)), " ".join(_texts(edited.transcript))) == 0


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_turns_speakers_digits_and_order_of_time_stay(spoken: Transcript) -> None:
    edited = edit(spoken).transcript
    assert [turn.speaker for turn in edited.turns] == [turn.speaker for turn in spoken.turns]
    assert re.findall(r"\d", " ".join(map(str, _texts(edited)))) == re.findall(r"\d", " ".join(_texts(spoken)))
    starts = [word.start_ms for word in edited.words]
    assert starts == sorted(starts)
    assert set(starts) <= {word.start_ms for word in spoken.words}


def _texts(spoken: Transcript) -> list[str]:
    return [word.text for word in spoken.words]


@settings(max_examples=30, deadline=None)
@given(any_transcripts())
def test_editing_twice_is_editing_the_edited(spoken: Transcript) -> None:
    once = edit(spoken)
    again = edit(once.transcript)
    assert replay(once.transcript, again) == _texts(again.transcript)


@pytest.mark.parametrize(
    ("language", "said", "written"),
    [
        ("en", "Um, we read it.", "We read it."),
        ("en", "We, uh, read it.", "We, read it."),
        ("en", "We read it, um.", "We read it."),
        ("en", "We read it uh? Yes.", "We read it? Yes."),
        ("en", "Done. Um. Next one.", "Done. Next one."),
        ("fr", "Euh, je pense que, euh, oui.", "Je pense que, oui."),
        ("fr", "Je pense euh.", "Je pense."),
    ],
)
def test_fillers_go_and_leave_their_full_stop(language: Language, said: str, written: str) -> None:
    assert read(said, language) == written


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Um."),
        ("en", "We love Um Kulthum."),
        ("en", "Um Kulthum sang."),
        ("en", "The ER is closed."),
        ("en", "I know that that is very very good."),
        ("en", "The person I talked to to get it."),
        ("en", "No, no, I did not."),
        ("fr", "Nous nous voyons, vous vous voyez, elle, elle travaille."),
        ("fr", "Non non, c'est très très bien."),
        ("fr", "Le un un deux."),
        ("fr", "Je n'ai pas, pas du tout."),
        ("fr", "Ben, c'est Ben Roy."),
    ],
)
def test_what_may_be_meant_stays(language: Language, said: str) -> None:
    assert straight(read(said, language)) == said


def test_a_filler_that_is_a_glossary_term_stays() -> None:
    assert read("We work at um today.", glossary=("UM",)) == "We work at um today."


@pytest.mark.parametrize(
    ("language", "said", "written"),
    [
        ("en", "The the page.", "The page."),
        ("en", "I, I think so.", "I think so."),
        ("en", "We and and and they.", "We and they."),
        ("en", "A st- student came.", "A student came."),
        ("fr", "Je je pense que que oui.", "Je pense que oui."),
        ("fr", "J' j'ai lu le le texte.", "J’ai lu le texte."),
        ("fr", "Je euh je pense.", "Je pense."),
    ],
)
def test_stutters_and_repeated_small_words_go(language: Language, said: str, written: str) -> None:
    assert read(said, language) == written


def test_a_word_said_again_after_a_long_silence_stays() -> None:
    spoken = transcript(("S1", "But but"), word_ms=300)
    far = spoken.turns[0].words[1]
    moved = type(far)(start_ms=9000, end_ms=9300, text="but", probability=1.0, language="en")
    apart = type(spoken)(
        session_id=spoken.session_id,
        language="en",
        duration_ms=10_000,
        turns=(type(spoken.turns[0])(speaker="S1", words=(spoken.turns[0].words[0], moved)),),
        speakers=spoken.speakers,
    )
    assert edit(apart).transcript.turns[0].text == "But but"


@pytest.mark.parametrize(
    ("language", "said", "written"),
    [
        ("en", "it works. we saw it! was it so? yes", "It works. We saw it! Was it so? Yes"),
        ("en", "so i think i'm right", "So I think I'm right"),
        ("en", "iPhone sales. eBay too. www.canada.ca is up.", "iPhone sales. eBay too. www.canada.ca is up."),
        ("en", "with Dr. roy and e.g. others", "With Dr. roy and e.g. others"),
        ("fr", "l'été arrive. école finie… bientôt", "L’été arrive. École finie… bientôt"),
    ],
)
def test_sentences_begin_with_a_capital(language: Language, said: str, written: str) -> None:
    assert read(said, language) == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Voici : oui", f"Voici{NBSP}: oui"),
        ("Voici: oui", f"Voici{NBSP}: oui"),
        ("Quoi ? Oui ! Bon ;", "Quoi? Oui! Bon;"),
        ("Quoi\u202f?", "Quoi?"),
        ("Il dit « oui » bas", f"Il dit «{NBSP}oui{NBSP}» bas"),
        ("Il dit «oui», bas", f"Il dit «{NBSP}oui{NBSP}», bas"),
        ("Soit 100% ou 10 $", f"Soit 100{NBSP}% ou 10{NBSP}$"),
        ("Donc 1 234 567 pages", f"Donc 1{NBSP}234{NBSP}567 pages"),
        ("En 2026 300 pages", "En 2026 300 pages"),
        ("À 14h30 ou 9h, environ", f"À 14{NBSP}h{NBSP}30 ou 9{NBSP}h, environ"),
        ("Environ 10 km.", f"Environ 10{NBSP}km."),
        ("Voir https://canada.ca, verset 10:30", "Voir https://canada.ca, verset 10:30"),
        ("Aujourd'hui, l'été, qu' on dit d'«hier»", f"Aujourd’hui, l’été, qu’ on dit d’«{NBSP}hier{NBSP}»"),
        ("Il fait 5'10, dit-il 'oui' et l’autre", "Il fait 5'10, dit-il 'oui' et l’autre"),
    ],
)
def test_french_is_set_as_in_canada(said: str, written: str) -> None:
    assert read(said, "fr") == written


def test_english_keeps_the_apostrophes_that_were_recognised() -> None:
    assert read("We don't, it's Anne's") == "We don't, it's Anne's"


def test_english_marks_that_stand_alone_are_joined_without_a_space() -> None:
    assert read("Really ? It is 10 % of $ 20") == "Really? It is 10% of $ 20"


@pytest.mark.parametrize(
    ("glossary", "said", "written"),
    [
        (("Nunavut",), "We saw nunavut, NUNAVUT and nunavuts.", "We saw Nunavut, Nunavut and nunavuts."),
        (("GCcollab",), "On gccollab.", "On GCcollab."),
        (("Service Canada",), "At service canada (service Canada).", "At Service Canada (Service Canada)."),
        (("Service Canada",), "Good service. Canada too.", "Good service. Canada too."),
        (("Forêt",), "La foret d'foret.", "La Forêt d'Forêt."),
        (("TA", "US"), "Ta page is for us.", "Ta page is for us."),
        (("AIDE",), "Une aide.", "Une aide."),
        (("", "  "), "Nothing.", "Nothing."),
    ],
)
def test_glossary_spellings_take_effect_where_the_letters_stand(
    glossary: tuple[str, ...], said: str, written: str
) -> None:
    assert read(said, glossary=glossary) == written


def test_each_change_names_its_rule() -> None:
    edited = edit(transcript(("S1", "euh le le nunavut : 10 %"), language="fr"), ("Nunavut",))
    assert [change.rule for change in edited.edits] == [
        "filler",
        "repetition",
        "glossary",
        "typography",
        "typography",
        "capital",
    ]


def test_joined_words_take_the_time_of_both_and_the_lower_probability() -> None:
    spoken = transcript(("S1", "Soit 10 %"), language="fr")
    joined = edit(spoken).transcript.words[1]
    assert (joined.start_ms, joined.end_ms) == (spoken.words[1].start_ms, spoken.words[2].end_ms)


def test_a_word_before_a_dropped_filler_keeps_its_own_time() -> None:
    spoken = transcript(("S1", "We read it um."))
    assert edit(spoken).transcript.words[-1].end_ms == spoken.words[2].end_ms


@pytest.mark.parametrize(
    ("language", "said", "written"),
    [
        ("en", "We need to ask the, we need to ask the question.", "We need to ask the question."),
        ("en", "I was, I was going there.", "I was going there."),
        ("en", "And it is a, it is a page.", "And it is a page."),
        ("en", "We tes- we tested it.", "We tested it."),
        ("en", "We went to… we went to see.", "We went to see."),
        ("en", "We looked at the, um, at the page.", "We looked at the page."),
        (
            "en",
            "What I would really like to I would really like to say is this.",
            "What I would really like to say is this.",
        ),
        ("fr", "Dans le, dans le texte.", "Dans le texte."),
        ("fr", "Il faut que, il faut que ça change.", "Il faut que ça change."),
        ("fr", "Je suis, je suis allée voir.", "Je suis allée voir."),
        ("fr", "Et c'est, et c'est une page.", "Et c’est une page."),
        ("en", "And it is, and it is so.", "And it is so."),
    ],
)
def test_a_phrase_broken_off_and_begun_again_is_left_once(language: Language, said: str, written: str) -> None:
    assert read(said, language) == written


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "If I can, I can help."),
        ("en", "Thank you, thank you very much."),
        ("en", "We need more and more and more."),
        ("en", "Step by step by step, it works."),
        ("en", "I don't, I don't know it."),
        ("en", "We have two or, two or three."),
        ("en", "I went, I was going there."),
        ("en", "We tried, we tried again."),
        ("en", "With Anne and, Anne and Luc."),
        ("en", "We saw it. We saw it again."),
        ("fr", "De plus en plus en plus vite."),
        ("fr", "Je n'ai, je n'ai vu."),
        ("fr", "Un à, un à un."),
        ("fr", "Je veux pas- passer là."),
    ],
)
def test_what_may_be_emphasis_negation_number_or_name_is_not_a_false_start(language: Language, said: str) -> None:
    assert straight(read(said, language)) == said


@pytest.mark.parametrize(
    ("language", "said", "written"),
    [
        ("en", "About 10 000 people, 25000 of them here", "About 10,000 people, 25,000 of them here"),
        ("en", "Some 3,5 million or 2,5%", "Some 3.5 million or 2.5%"),
        ("en", "It costs 20$, at 3pm or 10:30 AM.", f"It costs $20, at 3{NBSP}p.m. or 10:30 a.m."),
        ("en", "On july 3, 2026", "On July 3, 2026"),
        ("en", "Starting at 9.30 AM, or 3 PM.", "Starting at 9:30 a.m., or 3 p.m."),
        ("fr", "Soit 10,000 ou 1,234,567 pages", f"Soit 10{NBSP}000 ou 1{NBSP}234{NBSP}567 pages"),
        ("fr", "Soit 25000 pages et 3.5 millions", f"Soit 25{NBSP}000 pages et 3,5 millions"),
        ("fr", "À 3.5 % ou $20, à 14:30.", f"À 3,5{NBSP}% ou 20{NBSP}$, à 14{NBSP}h{NBSP}30."),
        ("fr", "La 1ère, le 2ème et les 3ièmes", "La 1re, le 2e et les 3es"),
        ("fr", "Le 1 janvier et le 3 Mars", "Le 1er janvier et le 3 mars"),
    ],
)
def test_figures_take_the_form_of_their_language(language: Language, said: str, written: str) -> None:
    assert read(said, language) == written


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Version 2,1 of file 48213, number 10 am I"),
        ("en", "In 2026 300 pages, we may 3"),
        ("en", "Page 3 of 10, the PM and 14 PM"),
        ("fr", "Les WCAG 2.1 et l'article 3.2, dossier 48213"),
        ("fr", "Le verset 10:30 et 1,234"),
        ("fr", "Soit $1.5 million"),
    ],
)
def test_a_figure_that_may_be_something_else_stays(language: Language, said: str) -> None:
    assert straight(read(said, language)) == said.replace("$1.5", "$1,5")


_RESTARTED = "we i don't need to not never two the Anne we- st- stay n'ai pas je que le deux Luc the, i, que… 10 and"


@st.composite
def restarts(draw: st.DrawFn) -> Transcript:
    """Draw speech of few words, said again and again."""
    language = draw(st.sampled_from(LANGUAGES))
    phrases = st.lists(st.sampled_from(_RESTARTED.split()), min_size=1, max_size=4)
    words = [word for phrase in draw(st.lists(phrases, min_size=1, max_size=5)) for word in phrase * 2]
    return transcript(("S1", " ".join(words)), language=language, word_ms=draw(st.sampled_from([200, 2000])))


def _protected(spoken: Transcript) -> Counter[str]:
    cores = [(straight(parts(word.text)[1].lower()), word.language) for word in spoken.words]
    return Counter(core for core, language in cores if is_protected(core, language))


@settings(max_examples=300, deadline=None)
@given(restarts())
def test_no_negation_or_number_goes_and_no_name_is_lost(spoken: Transcript) -> None:
    edited = edit(spoken)
    assert replay(spoken, edited) == _texts(edited.transcript)
    assert _protected(edited.transcript) == _protected(spoken)
    for name in ("Anne", "Luc"):
        assert (name in _texts(edited.transcript)) == (name in _texts(spoken))
