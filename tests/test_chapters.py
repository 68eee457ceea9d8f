"""Chapters begin where the topic changes, cover the session, and are titled in its own words; highlights quote it."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from webvtt import WebVTT

from pipeline.chapters import SHORTEST_CHAPTER_MS, make_chapters
from pipeline.content_words import STOP_WORDS, sentences, stem_of
from pipeline.editing import edit
from pipeline.highlights import FEWEST, MOST, choose_highlights
from pipeline.render import FORMATS
from pipeline.render.html import transcript_html
from pipeline.render.markdown import transcript_markdown
from pipeline.render.passages import passages
from pipeline.types import LANGUAGES, Chapter, Language, Transcript, Word
from tests.talk import any_transcripts, document, transcript

TOPICS: dict[Language, tuple[tuple[str, ...], ...]] = {
    "en": (
        ("plain language", "readers", "headings", "sentence", "vocabulary", "writers", "editor", "paragraph"),
        ("job interview", "candidate", "hiring manager", "resume", "salary", "references", "recruiter", "interview"),
        ("network cable", "router", "firewall", "password", "laptop", "encryption", "server", "backup"),
    ),
    "fr": (
        ("langage clair", "lectrices", "intertitres", "phrase", "vocabulaire", "rédaction", "paragraphe", "révision"),
        ("entrevue d'emploi", "candidature", "gestionnaire", "salaire", "références", "recrutement", "concours"),
        ("câble réseau", "routeur", "pare-feu", "mot de passe", "portable", "chiffrement", "serveur", "sauvegarde"),
    ),
}
FRAMES: dict[Language, tuple[str, ...]] = {
    "en": (
        "I think that the {0} and the {1} should always come before any {2} here.",
        "When you look at a {0}, you will find that the {1} matters most.",
        "Every {0} needs a {1}, and that takes time.",
    ),
    "fr": (
        "Je pense que {0} et {1} devraient toujours passer avant {2} dans ce cas.",
        "Quand on regarde {0}, on trouve que {1} compte le plus.",
        "Pour chaque {0}, il faut {1}, et cela prend du temps.",
    ),
}


def talk(language: Language, minutes: int = 4, topics: int = 3) -> tuple[Transcript, list[int]]:
    """Make a session of some topics, with the moment at which each begins."""
    chance = random.Random(7)  # noqa: S311 - the same speech each time
    turns: list[tuple[str | None, str]] = []
    counts = []
    for at, words in enumerate(TOPICS[language][:topics]):
        said: list[str] = []
        while sum(len(sentence.split()) for sentence in said) < minutes * 60_000 / 300:
            said.append(chance.choice(FRAMES[language]).format(*chance.sample(words, 3)))
        counts.append(len(turns))
        turns += [(f"S{at % 2 + 1}", " ".join(said[first : first + 12])) for first in range(0, len(said), 12)]
    spoken = transcript(*turns, language=language, names={"S1": "Anne Roy"})
    return spoken, [spoken.turns[at].start_ms for at in counts]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_chapter_begins_where_the_topic_changes(language: Language) -> None:
    spoken, begins = talk(language)
    found = make_chapters(spoken)
    assert len(found) == 3
    for chapter, begin in zip(found[1:], begins[1:], strict=True):
        assert abs(chapter.start_ms - begin) <= 15_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_chapters_cover_the_session_and_begin_with_a_sentence(language: Language) -> None:
    spoken, _ = talk(language)
    found = make_chapters(spoken)
    assert (found[0].start_ms, found[-1].end_ms) == (0, spoken.duration_ms)
    assert all(before.end_ms == after.start_ms for before, after in pairwise(found))
    starts = {sentence.start_ms for sentence in sentences(spoken)}
    assert all(chapter.start_ms in starts for chapter in found[1:])
    assert all(chapter.duration_ms >= SHORTEST_CHAPTER_MS for chapter in found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_titles_are_words_of_their_own_chapter(language: Language) -> None:
    spoken, begins = talk(language)
    for chapter, words in zip(make_chapters(spoken), TOPICS[language], strict=True):
        assert chapter.language == language
        for phrase in chapter.title.lower().split(", "):
            assert any(phrase in topic or topic in phrase for topic in words), chapter.title
    titles = [chapter.title for chapter in make_chapters(spoken)]
    assert len(set(titles)) == len(titles)
    assert len(begins) == len(titles)


def test_what_is_said_before_the_first_chapter_has_a_heading_and_a_silent_chapter_has_none() -> None:
    spoken = transcript(("S1", "one two three four"), language="en")
    begins = [word.start_ms for word in spoken.words]
    third = begins[2]
    edges = ((begins[1] + 1, third - 1), (third - 1, third), (third, spoken.duration_ms))
    chapters = tuple(
        Chapter(start_ms=first, end_ms=last, title=title, language="en")
        for (first, last), title in zip(edges, ("Silent", "Silent too", "Roofs"), strict=True)
    )
    found = passages(spoken, chapters)
    assert [each.chapter and each.chapter.title for each in found] == [None, "Roofs"]
    assert [len(each.paragraphs[0]) for each in found] == [2, 2]
    headings = re.findall("<(h[1-6]).*?>(.*?)</h", transcript_html(spoken, chapters))
    assert [(level, text) for level, text in headings if level == "h2"] == [("h2", "Transcript"), ("h2", "Roofs")]
    assert headings[0][0] == "h2"
    whole = document(spoken, chapters=chapters)
    for name in ("docx", "pdf"):
        assert FORMATS[name].body(whole)


def test_a_session_of_one_topic_or_of_less_than_four_minutes_is_not_divided() -> None:
    assert make_chapters(talk("en", minutes=5, topics=1)[0]) == ()
    assert make_chapters(talk("en", minutes=1)[0]) == ()


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_whatever_is_said_chapters_and_highlights_are_sound(spoken: Transcript) -> None:
    edited = edit(spoken).transcript
    chapters = make_chapters(edited)
    assert len(chapters) != 1
    assert make_chapters(edited) == chapters
    said = {sentence.words for sentence in sentences(edited)}
    assert all(highlight.words in said for highlight in choose_highlights(edited))


def test_a_word_that_tells_no_topic_has_no_stem() -> None:
    for language in LANGUAGES:
        for text in STOP_WORDS[language]:
            assert stem_of(Word(start_ms=0, end_ms=1, text=text, probability=1, language=language)) is None
    assert stem_of(Word(start_ms=0, end_ms=1, text="l’écriture,", probability=1, language="fr")) == "écritur"


@pytest.mark.parametrize("language", LANGUAGES)
def test_highlights_are_whole_sentences_in_order_and_apart(language: Language) -> None:
    spoken, _ = talk(language)
    found = choose_highlights(spoken)
    assert FEWEST <= len(found) <= MOST
    said = {sentence.words: sentence.speaker for sentence in sentences(spoken)}
    assert all(said[highlight.words] == highlight.speaker for highlight in found)
    assert all(after.start_ms - before.start_ms >= 45_000 for before, after in pairwise(found))


def test_what_cannot_stand_alone_is_not_quoted() -> None:
    leaning = "It says that the readers want headings and paragraphs of plain language. "
    unsure = "Readers want headings, paragraphs, and plain language, do they not, writers and editors? "
    whole = "The readers want headings and paragraphs in plain language from the writers. "
    spoken = transcript(("S1", (leaning + unsure) * 20 + whole + leaning * 3 + "End."))
    assert [highlight.words[0].text for highlight in choose_highlights(spoken)] == ["The"]


def test_a_short_session_has_no_highlights() -> None:
    assert choose_highlights(transcript(("S1", "The readers want headings and paragraphs in plain language."))) == ()


# As files


def test_the_chapters_file_is_read_by_a_strict_parser_and_hostile_titles_are_text() -> None:
    made = document(transcript(("S1", "Yes.")))
    assert not FORMATS["chapters"].applies(made)
    titles = ("A <b> & --> c", "x\n\n00:00:01.000 --> 00:00:02.000\nNOTE", "\u202e")
    hostile = document(
        transcript(("S1", "Yes.")),
        chapters=tuple(
            Chapter(start_ms=at * 1000, end_ms=at * 1000 + 1000, title=title, language="en")
            for at, title in enumerate(titles)
        ),
    )
    read = WebVTT.from_string(FORMATS["chapters"].body(hostile).decode(), strict=True)
    assert [(caption.identifier, caption.start) for caption in read.captions] == [
        ("1", "00:00:00.000"),
        ("2", "00:00:01.000"),
        ("3", "00:00:02.000"),
    ]
    assert [caption.raw_text for caption in read.captions] == [
        "A &lt;b&gt; &amp; --&gt; c",
        "x 00:00:01.000 --&gt; 00:00:02.000 NOTE",
        "\ufffd",
    ]


def test_documents_have_a_heading_for_each_chapter_and_quote_the_highlights() -> None:
    spoken, _ = talk("en")
    chapters, highlights = make_chapters(spoken), choose_highlights(spoken)
    made = document(spoken, chapters=chapters, highlights=highlights, page="https://x.ca/s/en.html")
    page, text = (FORMATS[name].body(made).decode() for name in ("html", "markdown"))
    for chapter in chapters:
        assert f'<h2 class="chapter">{chapter.title}</h2>' in page
        assert f"\n## {chapter.title}\n" in text
    for highlight in highlights:
        quoted = " ".join(word.text for word in highlight.words)
        assert page.count(quoted) >= 2
        assert f"https://x.ca/s/en.html#t={highlight.start_ms / 1000:g}" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_dividing_by_chapters_loses_no_word(language: Language) -> None:
    spoken, _ = talk(language)
    chapters = make_chapters(spoken)
    found = passages(spoken, chapters)
    assert tuple(word for each in found for part in each.paragraphs for word in part) == spoken.words
    assert [each.chapter for each in found if each.chapter] == list(chapters)
    assert transcript_html(spoken, chapters).count("<h2") == len(chapters)
    assert transcript_markdown(spoken, chapters).count("## ") == len(chapters)
