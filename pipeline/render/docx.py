"""The edited transcript as a Word document, for those who annotate, quote or correct it.

A document in, the bytes of a ``.docx`` file out, written through python-docx. Styles carry the structure: a title, a
heading a chapter, ``Speaker`` with who speaks and from when, ``Transcript`` with the words and nothing else. Each run
names its language, so that spell-check works in both; times lead to the moment on the session's page where its address
is known; the core properties and each page's foot hold the session's id, by which a copy that comes back corrected is
known. The same document gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from typing import Final

import docx
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.text.paragraph import Paragraph

from pipeline.captions import speaker_name
from pipeline.formatting import format_clock, format_duration
from pipeline.messages import message
from pipeline.render.document import Document
from pipeline.render.passages import Passage, passages, runs
from pipeline.types import Word
from pipeline.visible import visible, visible_word

SPEAKER_STYLE: Final = "Speaker"
"""Style of the line that says who speaks and from when."""
WORDS_STYLE: Final = "Transcript"
"""Style of the paragraphs that hold the words alone."""

_REGIONS: Final = {"en": "en-CA", "fr": "fr-CA"}
_INK: Final = RGBColor(0x12, 0x40, 0x5F)
_NO_DATE: Final = dt.date(1980, 1, 1)
"""Neither a zip file nor Word takes an earlier one; the moment of writing would make other bytes each time."""


def write(document: Document) -> bytes:
    """Write a title, what is known of the session, the highlights and the edited transcript."""
    word = _template(document)
    _write_head(word, document)
    _write_highlights(word, document)
    found = passages(document.edited.transcript, document.chapters)
    if found and found[0].chapter is None:
        word.add_heading(message("render.transcript", document.language), 1)
    for passage in found:
        _write_passage(word, passage, document)
    written = io.BytesIO()
    word.save(written)
    return _undated(written.getvalue())


def _template(document: Document) -> WordDocument:
    """Return an empty document with its styles, its language and its properties."""
    word = docx.Document()
    language = _region(document.language)
    for tag in word.styles.element.iter(qn("w:lang")):
        tag.set(qn("w:val"), language)
    base = _style(word, "Normal")
    base.font.name, base.font.size = "Calibri", Pt(11)
    for name in (WORDS_STYLE, SPEAKER_STYLE):
        style = word.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = base
    speaker = _style(word, SPEAKER_STYLE)
    speaker.next_paragraph_style = _style(word, WORDS_STYLE)
    speaker.font.bold, speaker.font.color.rgb = True, _INK
    speaker.paragraph_format.keep_with_next = True
    speaker.paragraph_format.space_before, speaker.paragraph_format.space_after = Pt(10), Pt(2)
    moment = dt.datetime.combine(document.session.date or _NO_DATE, dt.time())
    properties = word.core_properties
    properties.title = document.title[:255]
    properties.subject = " · ".join(document.facts)[:255]
    properties.author = properties.last_modified_by = visible(document.provenance.tool)[:255]
    properties.identifier = document.origin
    properties.language = language
    properties.comments = ""
    properties.created = properties.modified = moment
    return word


def _style(word: WordDocument, name: str) -> ParagraphStyle:
    style = word.styles[name]
    assert isinstance(style, ParagraphStyle)  # noqa: S101 - our own template's, or one line above
    return style


def _write_head(word: WordDocument, document: Document) -> None:
    header = word.sections[0].header.paragraphs[0]
    header.text = " · ".join([document.title, *document.facts])
    footer = word.sections[0].footer.paragraphs[0]
    footer.text = f"{document.origin} · "
    _add_page_number(footer)
    _, language = document.session.title.find(document.language)
    _add_run(word.add_paragraph(style="Title"), document.title, language)
    facts = [
        *document.facts,
        ", ".join(visible(person.name) for person in document.session.people),
        format_duration(document.transcript.duration_ms, document.language),
    ]
    _add_run(word.add_paragraph(style="Subtitle"), " · ".join(fact for fact in facts if fact), document.language)
    _add_run(word.add_paragraph(), visible(document.note("edited")), document.language, italic=True)


def _write_highlights(word: WordDocument, document: Document) -> None:
    if not document.highlights:
        return
    word.add_heading(message("render.highlights", document.language), 1)
    for highlight in document.highlights:
        _add_words(word.add_paragraph(style="Quote"), highlight.words)
        who = word.add_paragraph(style=SPEAKER_STYLE)
        who.paragraph_format.keep_with_next = False
        name = speaker_name(document.edited.transcript, highlight.speaker)
        _add_who(who, name, highlight.start_ms, document)


def _write_passage(word: WordDocument, passage: Passage, document: Document) -> None:
    if passage.chapter is not None:
        _add_run(word.add_heading(level=1), visible(passage.chapter.title), passage.chapter.language)
    _add_who(word.add_paragraph(style=SPEAKER_STYLE), passage.name, passage.start_ms, document)
    for paragraph in passage.paragraphs:
        _add_words(word.add_paragraph(style=WORDS_STYLE), paragraph)


def _add_who(paragraph: Paragraph, name: str | None, start_ms: int, document: Document) -> None:
    if name is not None:
        _add_run(paragraph, f"{visible(name)} ", document.language)
    _add_time(paragraph, start_ms, document)


def _add_words(paragraph: Paragraph, words: Sequence[Word]) -> None:
    for number, (language, said) in enumerate(runs(words)):
        text = " ".join(visible_word(word) for word in said)
        _add_run(paragraph, f" {text}" if number else text, language)


def _add_run(paragraph: Paragraph, text: str, language: str, *, italic: bool = False) -> None:
    run = paragraph.add_run(text)
    if italic:
        run.italic = True
    if language in _REGIONS:
        tag = OxmlElement("w:lang")
        tag.set(qn("w:val"), _region(language))
        run._r.get_or_add_rPr().append(tag)  # noqa: SLF001 - python-docx has no language of a run


def _add_time(paragraph: Paragraph, ms: int, document: Document) -> None:
    """Add a moment, as a link to the page where its address is known."""
    address = document.moment(ms)
    run = paragraph.add_run(format_clock(ms))
    run.bold = False
    if address is None:
        return
    run.underline = True
    link = OxmlElement("w:hyperlink")
    target = paragraph.part.relate_to(address, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    link.set(qn("r:id"), target)
    link.append(run._r)  # noqa: SLF001 - python-docx reads links but makes none
    paragraph._p.append(link)  # noqa: SLF001


def _add_page_number(paragraph: Paragraph) -> None:
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    field.append(OxmlElement("w:r"))
    paragraph._p.append(field)  # noqa: SLF001 - python-docx has no fields


def _region(language: str) -> str:
    return _REGIONS.get(language, language)


def _undated(archive: bytes) -> bytes:
    """Return the same archive without the moment at which each member was written."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as given, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as undated:
        for member in given.infolist():
            undated.writestr(zipfile.ZipInfo(member.filename), given.read(member), zipfile.ZIP_DEFLATED)
    return made.getvalue()
