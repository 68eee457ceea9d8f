"""A Word document that comes back corrected changes what a person changed, and not what editing had changed before."""

from __future__ import annotations

import datetime as dt
import io
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import docx
import pytest
from docx.document import Document as WordDocument
from docx.oxml import OxmlElement
from docx.text.paragraph import Paragraph
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.chapters import make_chapters
from pipeline.corrections import changes, revise
from pipeline.cuts import apply_cuts
from pipeline.editing import edit
from pipeline.errors import ReturnedFileInvalid
from pipeline.highlights import choose_highlights
from pipeline.render import FORMATS, Document
from pipeline.render.docx import SPEAKER_STYLE, WORDS_STYLE
from pipeline.return_folder import take_returned
from pipeline.returned import labels_of, mark_of
from pipeline.returned_docx import read_document
from pipeline.returned_edited import Compared, compare
from pipeline.review import Desk
from pipeline.revisions import Cut, Entry, Revision
from pipeline.types import Bilingual, Chapter, Provenance, Review, Session, Speaker, Transcript
from tests.talk import SESSION_ID, any_transcripts, transcript

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
SPOKEN = transcript(
    ("S1", "um welcome to the the fifth session. we have many guests, uh, today."),
    ("S2", "Thank you for uh having me. I I am glad to be here with you."),
    ("S1", "So tell us, um, how you write plain words."),
    names={"S1": "Éric Côté"},
)
FRENCH = transcript(
    ("S1", "Euh bonjour à tous : nous avons vingt-cinq euh personnes ici à 14 h 30, merci !", "fr"),
    ("S2", "Merci euh beaucoup de de votre « accueil » aujourd'hui.", "fr"),
    language="fr",
)


def revision(spoken: Transcript, cuts: tuple[Cut, ...] = ()) -> Revision:
    entry = Entry(number=1, author="tribune", saved_at=NOW, origin="recognition")
    return Revision(entry=entry, transcript=spoken, provenance=Provenance(tool="tribune"), cuts=cuts)


def as_saved(spoken: Transcript) -> Transcript:
    """Return a transcript as a revision holds it once a person has saved it: no word is several."""

    def one(text: str) -> str:
        return "_".join(unicodedata.normalize("NFC", text).split())

    turns = (
        replace(turn, words=tuple(replace(word, text=one(word.text)) for word in turn.words)) for turn in spoken.turns
    )
    return replace(spoken, turns=tuple(turns))


def exported(of: Revision, *, approved: int | None = None) -> bytes:
    shown = apply_cuts(of.transcript, of.cuts)
    review = Review(revision=approved, day=NOW.date()) if approved else None
    edited = edit(shown, reviewed=bool(approved))
    made = Document(
        session=Session(id=SESSION_ID, title=Bilingual.same("Plain"), languages=(shown.language,)),
        transcript=shown,
        edited=edited,
        cues=(),
        provenance=Provenance(tool="tribune 0", review=review),
        chapters=make_chapters(edited.transcript),
        highlights=choose_highlights(edited.transcript),
        page="https://example.ca/x.html",
    )
    return FORMATS["docx"].body(made)


def changed(file: bytes, change: Callable[[WordDocument], None]) -> bytes:
    word = docx.Document(io.BytesIO(file))
    change(word)
    saved = io.BytesIO()
    word.save(saved)
    return saved.getvalue()


def back(file: bytes, of: Revision) -> Compared:
    shown = apply_cuts(of.transcript, of.cuts)
    return compare(read_document(file).blocks(labels_of(of.transcript)), of, shown, edit(shown))


def corrected(of: Revision, change: Callable[[WordDocument], None]) -> Transcript:
    return revise(of, back(changed(exported(of), change), of).correction)


def styled(word: WordDocument, style: str) -> list[Paragraph]:
    return [each for each in word.paragraphs if each.style is not None and each.style.name == style]


def replacing(*pairs: tuple[str, str], style: str = WORDS_STYLE) -> Callable[[WordDocument], None]:
    def change(word: WordDocument) -> None:
        for old, new in pairs:
            runs = [run for each in styled(word, style) for run in each.runs if old in run.text]
            assert runs, old
            for run in runs:
                run.text = run.text.replace(old, new)

    return change


def nothing(_: WordDocument) -> None:
    pass


def texts(of: Transcript) -> list[str]:
    return [turn.text for turn in of.turns]


# What was changed, and nothing else


@settings(max_examples=15, deadline=None)
@given(any_transcripts().map(as_saved))
def test_a_document_that_nobody_changed_says_what_the_revision_says(spoken: Transcript) -> None:
    assert corrected(revision(spoken), nothing).turns == spoken.turns


@pytest.mark.parametrize("spoken", [SPOKEN, FRENCH], ids=["en", "fr"])
def test_fillers_restarts_and_figures_stay_as_they_were_said(spoken: Transcript) -> None:
    assert edit(spoken).edits
    assert corrected(revision(spoken), nothing) == spoken


def test_words_that_were_changed_replace_what_was_said_there() -> None:
    change = replacing(("fifth", "first"), ("many", "24"), ("glad", "very happy"), (" plain", ""))
    after = corrected(revision(SPOKEN), change)
    assert texts(after) == [
        "um welcome to the the first session. we have 24 guests, uh, today.",
        "Thank you for uh having me. I I am very happy to be here with you.",
        "So tell us, um, how you write words.",
    ]
    old = {word.start_ms: word for word in SPOKEN.words}
    kept = [word for word in after.words if word.timed == "recognised"]
    assert all(old[word.start_ms] == word for word in kept)
    assert len(after.words) - len(kept) == 4


def test_apostrophes_of_another_shape_are_no_correction_and_what_a_person_types_reads_as_typed() -> None:
    assert corrected(revision(FRENCH), replacing(("aujourd’hui", "aujourd'hui"))) == FRENCH
    before = revision(FRENCH)
    file = changed(exported(before), replacing(("beaucoup", "d'abord")))
    compared = back(file, before)
    after = revise(before, compared.correction)
    assert compared.unlike(edit(after).transcript) == ()


def test_a_figure_that_is_several_words_as_said_is_replaced_whole() -> None:
    after = corrected(revision(FRENCH), replacing(("14\u00a0h", "15\u00a0h"), ("beaucoup", "infiniment")))
    assert texts(after) == [
        "Euh bonjour à tous : nous avons vingt-cinq euh personnes ici à 15\u00a0h 30, merci !",
        "Merci euh infiniment de de votre « accueil » aujourd'hui.",
    ]


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_any_words_that_are_changed_are_exactly_the_changes(data: st.DataObject) -> None:
    # Which of two words that are the same was changed, nobody can tell: each word but fillers is said once.
    said = st.lists(st.sampled_from(["", "um ", "uh "]), min_size=3, max_size=10)
    turns = data.draw(st.lists(said, min_size=1, max_size=4))
    spoken = transcript(
        *(
            (f"S{at % 2 + 1}", " ".join(f"{slip}{slip}word{chr(97 + at)}{chr(97 + n)}" for n, slip in enumerate(slips)))
            for at, slips in enumerate(turns)
        )
    )
    shown = edit(spoken).transcript.words
    picked = data.draw(st.sets(st.integers(0, len(shown) - 1), max_size=len(shown) // 3))

    def change(word: WordDocument) -> None:
        at = 0
        for paragraph in styled(word, WORDS_STYLE):
            texts = paragraph.text.split(" ")
            paragraph.text = " ".join(f"Typed{at + n}" if at + n in picked else text for n, text in enumerate(texts))
            at += len(texts)

    after = corrected(revision(spoken), change)
    replaced = {shown[at].start_ms: f"Typed{at}" for at in picked}
    assert [word.text for word in after.words] == [replaced.get(word.start_ms, word.text) for word in spoken.words]
    assert [word for word in after.words if word.timed == "recognised"] == [
        word for word in spoken.words if word.start_ms not in replaced
    ]
    assert [len(turn.words) for turn in after.turns] == [len(turn.words) for turn in spoken.turns]


def test_what_a_cut_hides_stays_and_what_is_left_of_a_turn_that_was_taken_away_goes() -> None:
    words = SPOKEN.words
    before = revision(SPOKEN, cuts=(Cut(start_ms=words[4].start_ms, end_ms=words[5].end_ms, kind="mask"),))

    def change(word: WordDocument) -> None:
        last = styled(word, WORDS_STYLE)[-1]
        last.text = ""

    after = corrected(before, change)
    assert [word.text for word in after.words[:6]] == [word.text for word in words[:6]]
    assert [turn.speaker for turn in after.turns] == ["S1", "S2"]


def test_a_persons_chapters_stay() -> None:
    chapters = (Chapter(start_ms=0, end_ms=400, title="Opening", language="en"),)
    reviewed = replace(revision(SPOKEN), chapters=chapters)
    assert back(exported(reviewed), reviewed).correction.chapters == chapters


# Who speaks


def test_a_voice_gets_the_name_that_stands_in_the_document() -> None:
    after = corrected(
        revision(SPOKEN), replacing(("Speaker 2", "Anna Roy"), ("Éric Côté", "Éric Coté"), style=SPEAKER_STYLE)
    )
    assert after.speakers == (Speaker(key="S1", name="Éric Coté"), Speaker(key="S2", name="Anna Roy"))
    assert after.turns == SPOKEN.turns


def test_a_name_that_is_only_spelled_otherwise_is_taken() -> None:
    after = corrected(revision(SPOKEN), replacing(("Éric Côté", "Éric CÔTÉ"), style=SPEAKER_STYLE))
    assert after.speakers[0].name == "Éric CÔTÉ"


def test_a_passage_goes_to_somebody_else_with_its_fillers() -> None:
    def change(word: WordDocument) -> None:
        styled(word, SPEAKER_STYLE)[-1].text = "Speaker 2"

    after = corrected(revision(SPOKEN), change)
    assert [turn.speaker for turn in after.turns] == ["S1", "S2", "S2"]
    assert texts(after) == texts(SPOKEN)


# What Word, LibreOffice and Google Docs do


def test_tracked_changes_are_taken_as_accepted_and_comments_are_told() -> None:
    def change(word: WordDocument) -> None:
        run = next(run for each in styled(word, WORDS_STYLE) for run in each.runs if "fifth" in run.text)
        before, _, after = run.text.partition("fifth")
        run.text = f"{before}first{after}"
        element = run._r
        inserted = OxmlElement("w:ins")
        element.addprevious(inserted)
        inserted.append(element)
        deleted = OxmlElement("w:del")
        gone = OxmlElement("w:r")
        text = OxmlElement("w:delText")
        text.text = "nobody reads this"
        gone.append(text)
        deleted.append(gone)
        inserted.addnext(deleted)
        word.add_comment(styled(word, WORDS_STYLE)[-1].runs, text="Is this right?", author="Anna")

    file = changed(exported(revision(SPOKEN)), change)
    read = read_document(file)
    assert (read.tracked, read.comments) == (2, ("Anna: Is this right?",))
    assert texts(revise(revision(SPOKEN), back(file, revision(SPOKEN)).correction)) == [
        turn.replace("fifth", "first") for turn in texts(SPOKEN)
    ]


def without_our_styles(word: WordDocument) -> None:
    for paragraph in word.paragraphs:
        if paragraph.style is not None and paragraph.style.name in {WORDS_STYLE, SPEAKER_STYLE, "Quote"}:
            paragraph.style = word.styles["Normal"]
    replacing(("fifth", "first"), style="Normal")(word)


def test_a_document_without_our_styles_is_known_by_its_shape() -> None:
    after = corrected(revision(SPOKEN), without_our_styles)
    assert texts(after) == [turn.replace("fifth", "first") for turn in texts(SPOKEN)]
    assert after.speakers == SPOKEN.speakers


def test_paragraphs_that_are_not_the_transcript_are_left_out_and_listed() -> None:
    def change(word: WordDocument) -> None:
        word.add_paragraph("My own remarks on all of that, for nobody else.")
        word.add_table(1, 1).cell(0, 0).text = "Something in a table"
        word.add_paragraph("And a new closing sentence.", style=WORDS_STYLE)

    compared = back(changed(exported(revision(SPOKEN)), change), revision(SPOKEN))
    assert compared.aside == ("My own remarks on all of that, for nobody else.", "Something in a table")
    after = revise(revision(SPOKEN), compared.correction)
    assert texts(after)[-1].endswith("plain words. And a new closing sentence.")


# Files of strangers


def archive(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return made.getvalue()


def with_member(name: str, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(exported(revision(SPOKEN)))) as given:
        return archive({each: given.read(each) for each in given.namelist()} | {name: content})


ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (lambda: b"PK", "endommagé"),
        (lambda: archive({"a.txt": b"a"}), "endommagé"),
        (lambda: with_member("word/document.xml", b"<not closed"), "endommagé"),
        (lambda: with_member("word/document.xml", ENTITY), "endommagé"),
        (lambda: with_member("word/large.xml", bytes(40_000_001)), "40\u00a0Mo"),
        (lambda: with_member("word/media/large.png", bytes(100_000_001)), "100\u00a0Mo"),
        (lambda: archive({f"{number}": b"" for number in range(2001)}), "endommagé"),
    ],
    ids=["no zip", "no document", "no xml", "entity", "large xml", "large", "many"],
)
def test_a_file_that_is_no_document_or_a_trap_is_refused(file: Callable[[], bytes], said: str) -> None:
    with pytest.raises(ReturnedFileInvalid) as refused:
        read_document(file())
    assert said in refused.value.message("fr")


# The folder


def test_a_returned_document_is_a_revision_and_all_that_matters_is_told(tmp_path: Path) -> None:
    desk = Desk.of(tmp_path / "work", SESSION_ID)
    desk.keep_recognition(SPOKEN, Provenance(tool="tribune 0"), now=NOW)

    def change(word: WordDocument) -> None:
        replacing(("Welcome", "welcome"), ("fifth", "first"))(word)
        word.add_comment(styled(word, WORDS_STYLE)[-1].runs, text="Is this right?", author="Anna")
        # As Google Docs leaves it: only the foot of the page says which session it is.
        word.core_properties.identifier = ""

    folder = tmp_path / "review"
    folder.mkdir()
    (folder / "talk.docx").write_bytes(changed(exported(desk.latest()), change))
    take_returned(folder, tmp_path / "work", settle_ms=0, now=NOW)
    latest = desk.latest()
    assert (latest.entry.origin, latest.entry.author) == ("file", "talk.docx")
    assert [each.after for each in changes(SPOKEN, latest.transcript)] == ["first"]
    told = (folder / "taken" / "talk.docx.txt").read_text(encoding="utf-8")
    assert told.count("- Anna: Is this right?") == 2
    # The edited text starts its sentences with capitals whatever a person typed.
    assert "“welcome” → “Welcome”" in told


def test_a_document_of_an_approved_revision_is_compared_with_that(tmp_path: Path) -> None:
    desk = Desk.of(tmp_path / "work", SESSION_ID)
    desk.keep_recognition(SPOKEN, Provenance(tool="tribune 0"), now=NOW)
    first = back(changed(exported(desk.latest()), replacing(("fifth", "first"))), desk.latest()).correction
    saved = desk.save(first, author="Anna", based_on=1, now=NOW)
    folder = tmp_path / "review"
    folder.mkdir()
    (folder / "again.docx").write_bytes(changed(exported(saved, approved=2), replacing(("glad", "happy"))))
    take_returned(folder, tmp_path / "work", settle_ms=0, now=NOW)
    assert desk.latest().number == 3
    assert [each.after for each in changes(saved.transcript, desk.latest().transcript)] == ["happy"]


@pytest.mark.parametrize(
    ("name", "spoken", "before", "after"), [("en", SPOKEN, "fifth", "sixth"), ("fr", FRENCH, "accueil", "invitation")]
)
def test_a_document_that_libreoffice_kept_in_its_own_format_is_known_and_changes_one_word(
    name: str, spoken: Transcript, before: str, after: str
) -> None:
    file = (Path(__file__).parent / "data" / f"libreoffice-{name}.docx").read_bytes()
    mark = mark_of(read_document(file).origin, "corrected.docx")
    assert mark is not None
    assert mark.session_id == SESSION_ID
    compared = back(file, revision(spoken))
    assert compared.aside == ()
    ((was, now),) = [
        (each.before, each.after) for each in changes(spoken, revise(revision(spoken), compared.correction))
    ]
    assert before in was
    assert after in now
