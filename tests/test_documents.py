"""Documents for readers: Word opens them, every word is there once, and a comparison tells what was edited."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from typing import Literal, get_args

import docx
import jsonschema
import pypdf
import pytest
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.chapters import make_chapters
from pipeline.cuts import apply_cuts
from pipeline.highlights import choose_highlights
from pipeline.matching import straight
from pipeline.render import FORMATS, Document
from pipeline.render.comparison import mark_changes
from pipeline.render.docx import SPEAKER_STYLE, WORDS_STYLE
from pipeline.render.json import read_transcript
from pipeline.render.passages import passages
from pipeline.revisions import Cut
from pipeline.types import Chapter, NameProposal, Notice, Review, Span, Timed, Transcript
from pipeline.visible import visible_word
from tests.talk import HOSTILE, SESSION_ID, any_transcripts, document, transcript
from tests.test_chapters import talk

PAGE = "https://sessions.example.ca/sessions/0123456789abcdef/en.html"
BILINGUAL = transcript(
    ("S1", "Bonjour et bienvenue.", "fr"),
    ("S1", "Um, hello and welcome.", "en"),
    ("S2", "Merci beaucoup.", "fr"),
    language="fr",
    names={"S1": "Éric Côté"},
)


def words_of(spoken: Transcript) -> str:
    return " ".join(visible_word(word) for word in spoken.words)


# Word


@settings(max_examples=15, deadline=None)
@given(any_transcripts())
def test_a_word_document_has_every_edited_word_once_and_in_order(spoken: Transcript) -> None:
    made = document(spoken)
    read = docx.Document(io.BytesIO(FORMATS["docx"].body(made)))
    said = [each.text for each in read.paragraphs if each.style is not None and each.style.name == WORDS_STYLE]
    assert " ".join(said) == words_of(made.edited.transcript)


def test_the_same_document_gives_the_same_bytes_whenever_it_is_written() -> None:
    made = document(BILINGUAL)
    file = FORMATS["docx"].body(made)
    assert FORMATS["docx"].body(made) == file
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None


def test_a_word_document_says_what_it_is_and_in_which_language() -> None:
    read = docx.Document(io.BytesIO(FORMATS["docx"].body(document(BILINGUAL, title="Le langage clair"))))
    properties = read.core_properties
    assert (properties.title, properties.identifier, properties.language) == ("Le langage clair", SESSION_ID, "fr-CA")
    assert properties.created is not None
    assert properties.created.isoformat().startswith("2026-11-21")
    assert "Le langage clair" in read.sections[0].header.paragraphs[0].text
    languages = {
        run.text.strip(): next(run._r.iter(qn("w:lang"))).get(qn("w:val"))
        for paragraph in read.paragraphs
        if paragraph.style is not None and paragraph.style.name == WORDS_STYLE
        for run in paragraph.runs
    }
    assert languages == {
        "Bonjour et bienvenue.": "fr-CA",
        "Hello and welcome.": "en-CA",
        "Merci beaucoup.": "fr-CA",
    }
    defaults = read.styles.element.find(f"{qn('w:docDefaults')}//{qn('w:lang')}")
    assert defaults is not None
    assert defaults.get(qn("w:val")) == "fr-CA"


@pytest.mark.parametrize("page", [PAGE, None])
def test_times_lead_to_the_page_where_its_address_is_known(page: str | None) -> None:
    made = document(BILINGUAL, page=page)
    read = docx.Document(io.BytesIO(FORMATS["docx"].body(made)))
    lines = [each for each in read.paragraphs if each.style is not None and each.style.name == SPEAKER_STYLE]
    assert [line.text for line in lines] == ["Éric Côté 0:01", "Intervenant 2 0:04"]
    found = [link.url for line in lines for link in line.hyperlinks]
    starts = [passage.start_ms for passage in passages(made.edited.transcript)]
    assert found == ([f"{PAGE}#t={start / 1000:g}" for start in starts] if page else [])


def test_chapters_are_headings_and_highlights_are_quotations() -> None:
    spoken, _ = talk("en")
    chapters, highlights = make_chapters(spoken), choose_highlights(spoken)
    made = document(spoken, chapters=chapters, highlights=highlights, page=PAGE)
    read = docx.Document(io.BytesIO(FORMATS["docx"].body(made)))
    by_style: dict[str, list[str]] = {}
    for paragraph in read.paragraphs:
        name = paragraph.style.name if paragraph.style is not None else None
        by_style.setdefault(name or "", []).append(paragraph.text)
    assert by_style["Heading 1"] == ["Highlights", *(chapter.title for chapter in chapters)]
    assert by_style["Quote"] == [" ".join(word.text for word in highlight.words) for highlight in highlights]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_titles_are_text_in_word(text: str) -> None:
    spoken = transcript(("S1", "Yes."), ("S2", "No."), names={"S1": text + "x"})
    chapters = (Chapter(start_ms=0, end_ms=9000, title=text.strip() + "y", language="en"),)
    file = FORMATS["docx"].body(document(spoken, title=text + "z", chapters=chapters))
    read = docx.Document(io.BytesIO(file))
    said = [each.text for each in read.paragraphs if each.style is not None and each.style.name == WORDS_STYLE]
    assert said == ["Yes.", "No."]
    assert not [each for each in read.paragraphs if each.hyperlinks]


# PDF


@settings(max_examples=40, deadline=None)
@given(any_transcripts())
def test_any_words_give_a_pdf_that_keeps_the_standard(spoken: Transcript) -> None:
    # Typst refuses to write what breaks PDF/UA-1.
    made = document(spoken, title="\u202e", page=PAGE)
    file = FORMATS["pdf"].body(made)
    assert FORMATS["pdf"].body(made) == file


def test_a_pdf_is_tagged_says_its_language_and_has_every_word() -> None:
    spoken, _ = talk("fr", minutes=3)
    chapters = make_chapters(spoken)
    made = document(spoken, title="Le langage *clair*", chapters=chapters, highlights=choose_highlights(spoken))
    read = pypdf.PdfReader(io.BytesIO(FORMATS["pdf"].body(made)))
    root = read.root_object
    assert (str(root["/MarkInfo"]), str(root["/Lang"])) == ("{'/Marked': True, '/Suspects': False}", "fr-CA")
    assert "/StructTreeRoot" in root
    assert b"pdfuaid:part" in root.raw_get("/Metadata").get_object().get_data()
    assert read.metadata is not None
    assert read.metadata.title == "Le langage *clair*"
    headings = [each.title for each in read.outline if not isinstance(each, list)]
    assert headings == ["Passages marquants", *(chapter.title for chapter in chapters)]
    shown = "".join("".join(page.extract_text() for page in read.pages).split())
    for passage in passages(made.edited.transcript, chapters):
        first = passage.paragraphs[0][:12]
        assert "".join("".join(word.text for word in first).split()) in shown


def test_times_in_a_pdf_lead_to_the_page() -> None:
    made = document(BILINGUAL, page=PAGE)
    read = pypdf.PdfReader(io.BytesIO(FORMATS["pdf"].body(made)))
    links = [note.get_object()["/A"]["/URI"] for page in read.pages for note in page.get("/Annots", ())]
    assert links == [f"{PAGE}#t={each.start_ms / 1000:g}" for each in passages(made.edited.transcript)]


# What was edited


class _Comparison(HTMLParser):
    """Reads a comparison as it was before and as it is after."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.before: list[str] = []
        self.after: list[str] = []
        self.rules: list[str] = []
        self.tags: set[str] = set()
        self.within = "head"
        self.in_turn = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.in_turn = self.in_turn or tag == "section"
        self.within = tag

    def handle_endtag(self, tag: str) -> None:
        self.in_turn = self.in_turn and tag != "section"
        self.within = "p" if tag in {"del", "ins", "small"} else ""

    def handle_data(self, data: str) -> None:
        if not self.in_turn or self.within not in {"p", "del", "ins", "small"}:
            return
        if self.within in {"p", "del"}:
            self.before += data.split()
        if self.within in {"p", "ins"}:
            self.after += data.split()
        if self.within == "small":
            self.rules.append(data)


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_a_comparison_reads_as_both_transcripts(spoken: Transcript) -> None:
    made = document(spoken)
    read = _Comparison(FORMATS["comparison"].body(made).decode())
    assert straight(" ".join(read.before)) == straight(" ".join(words_of(spoken).split()))
    assert " ".join(read.after) == " ".join(words_of(made.edited.transcript).split())
    assert not read.tags & {"script", "img", "i", "c.speaker", "v"}


def test_each_change_is_followed_by_its_rules_in_the_reader_s_language() -> None:
    spoken = transcript(("S1", "Euh, donc 10 euh 000 personnes, dans le, dans le texte : oui"), language="fr")
    read = _Comparison(FORMATS["comparison"].body(document(spoken)).decode())
    assert read.rules == [
        "[mot de remplissage]",
        "[majuscule]",
        "[mot de remplissage, typographie]",
        "[faux départ]",
        "[typographie]",
    ]


def test_apostrophes_that_were_made_curly_are_counted_and_not_marked() -> None:
    spoken = transcript(("S1", "Oui, l'été, j'ai dit : c'est l'été"), language="fr")
    text = FORMATS["comparison"].body(document(spoken)).decode()
    assert _Comparison(text).rules == ["[typographie]"]
    assert '<th scope="row">typographie</th><td>5</td>' in text
    assert "Oui, l’été, j’ai" in text


def test_a_change_that_is_not_of_these_words_is_refused() -> None:
    made = document(transcript(("S1", "Um, yes.")))
    with pytest.raises(ValueError, match="no such words"):
        mark_changes(made.edited.transcript.words, made.edited.edits)


# Reviewed and cut


def _shown(form: str, made: Document) -> str:
    """Return what a reader of a file sees, or all of it where that is text."""
    file = FORMATS[form].body(made)
    if form == "docx":
        return "\n".join(each.text for each in docx.Document(io.BytesIO(file)).paragraphs)
    if form == "pdf":
        return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(file)).pages)
    return file.decode()


@pytest.mark.parametrize("form", ["webvtt", "ttml", "text", "markdown", "html", "comparison", "docx", "pdf", "json"])
def test_a_file_says_whether_somebody_stands_by_it(form: str) -> None:
    made = document(BILINGUAL)
    before, after = (" ".join(_shown(form, each).split()) for each in (made, _reviewed(made)))
    if form == "json":
        assert json.loads(after)["review"] == {"revision": 3, "day": "2026-03-01"}
        assert "review" not in json.loads(before)
    else:
        assert "pas encore révisé" in before
        assert "par une personne le 1er mars 2026" in after
        assert "pas encore révisé" not in after


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "schema"])
def test_what_was_cut_is_in_no_file_and_times_are_those_of_what_is_left(form: str) -> None:
    spoken, begins = talk("en")
    words = list(spoken.turns[1].words)
    words[4:7] = [replace(word, text="Rumpelstiltskin") for word in words[4:7]]
    gone = tuple(replace(word, text="Zanzibar") for word in spoken.turns[0].words)
    turns = (replace(spoken.turns[0], words=gone), replace(spoken.turns[1], words=tuple(words)), *spoken.turns[2:])
    spoken = replace(spoken, turns=turns)
    cuts = (
        Cut(start_ms=0, end_ms=gone[-1].end_ms, kind="remove"),
        Cut(start_ms=words[4].start_ms, end_ms=words[6].end_ms, kind="mask"),
    )
    left = apply_cuts(spoken, cuts)
    made = document(left, chapters=make_chapters(left), highlights=choose_highlights(left))
    shown = _shown(form, made)
    assert "Zanzibar" not in shown
    assert "Rumpelstiltskin" not in shown
    assert form == "chapters" or "[…]" in shown.replace("\\", "")
    assert [each.start_ms for each in made.chapters] == sorted(each.start_ms for each in made.chapters)
    assert abs(made.chapters[1].start_ms - (begins[1] - cuts[0].duration_ms)) <= 15_000
    assert made.chapters[-1].end_ms == left.duration_ms == spoken.duration_ms - cuts[0].duration_ms


# The schema of the JSON


def _valid(made: Document) -> None:
    schema = json.loads(FORMATS["schema"].body(made))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(FORMATS["json"].body(made)), schema, cls=jsonschema.Draft202012Validator)


@settings(max_examples=30, deadline=None)
@given(any_transcripts())
def test_every_json_transcript_is_as_its_schema_says(spoken: Transcript) -> None:
    _valid(document(spoken))


@settings(max_examples=30, deadline=None)
@given(any_transcripts(), st.data())
def test_every_json_transcript_of_reviewed_and_cut_words_is_as_its_schema_says(
    spoken: Transcript, data: st.DataObject
) -> None:
    made = _reviewed(document(apply_cuts(_corrected(spoken, data), (_cut(spoken, data),))))
    _valid(made)
    assert read_transcript(FORMATS["json"].body(made).decode()).turns or not made.transcript.turns


def _corrected(spoken: Transcript, data: st.DataObject) -> Transcript:
    """Return words of which a person wrote some, and named somebody nobody had announced."""
    timed = st.sampled_from(get_args(Timed))
    turns = tuple(
        replace(turn, words=tuple(replace(word, timed=data.draw(timed), overlapped=True) for word in turn.words))
        for turn in spoken.turns
    )
    proposal = NameProposal(name="Anna Roy", evidence="introduced", quote="I am Anna", start_ms=0, end_ms=900)
    speakers = tuple(replace(each, proposals=(proposal,)) for each in spoken.speakers)
    notices = (
        Notice(code="speech.doubtful", data=(("language", "fr"),), span=Span(start_ms=0, end_ms=9)),
        Notice(code="speakers.failed"),
    )
    return replace(spoken, turns=turns, speakers=speakers, notices=notices)


def _cut(spoken: Transcript, data: st.DataObject) -> Cut:
    start_ms = data.draw(st.integers(0, spoken.duration_ms))
    kind: Literal["mask", "remove"] = data.draw(st.sampled_from(["mask", "remove"]))
    return Cut(start_ms=start_ms, end_ms=start_ms + data.draw(st.integers(1, 5000)), kind=kind)


def _reviewed(made: Document) -> Document:
    review = Review(revision=3, day=dt.date(2026, 3, 1))
    return replace(made, provenance=replace(made.provenance, review=review))


@pytest.mark.parametrize(
    ("written", "spoiled"),
    [
        ('"version": 1', '"version": 2'),
        ('"language": "en", "duration', '"language": "de", "duration'),
        ('"start_ms": ', '"start_ms": -'),
        ('"probability": 0', '"probability": 1'),
        ('"text"', '"word"'),
        ('"speakers"', '"people"'),
    ],
)
def test_the_schema_refuses_what_is_no_transcript(written: str, spoiled: str) -> None:
    made = document(transcript(("S1", "Yes, we can.")))
    text = FORMATS["json"].body(made).decode()
    assert written in text
    schema = json.loads(FORMATS["schema"].body(made))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text.replace(written, spoiled)), schema)
