"""What a Word document says that was corrected elsewhere and comes back.

The bytes of a ``.docx`` file go in; out come its paragraphs as what they are, who speaks or what is said, and all that
whoever dropped it should be told: changes that Word was tracking, comments, text that cannot be the transcript's.
Paragraphs are known by their style, or where another program renamed or dropped the styles, by their shape. Stands
alone because a file of strangers is opened here, within limits, and nowhere else.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import docx
from docx.document import Document as WordDocument
from docx.exceptions import PythonDocxError
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement

from pipeline.errors import ReturnedFileInvalid
from pipeline.matching import fold
from pipeline.messages import message
from pipeline.render.docx import SPEAKER_STYLE, WORDS_STYLE
from pipeline.render.reading import is_name
from pipeline.types import LANGUAGES
from pipeline.visible import visible

EXTENSION: Final = ".docx"

_MOST_BYTES: Final = 100_000_000
_MOST_XML_BYTES: Final = 40_000_000
_MOST_MEMBERS: Final = 2000
_CLOCK: Final = re.compile(r"(?<!\d)[(\[]?\d{1,3}(?::\d\d){1,2}[)\]]?\Z")
_SPEAKER_WORDS: Final = 8
_HEADINGS: Final = ("heading", "title", "subtitle", "titre", "sous-titre", "toc")
_QUOTES: Final = ("quot", "intense quot", "citation")
# What zipfile, lxml (whose XMLSyntaxError is a SyntaxError) and python-docx raise on what is damaged or made to harm.
_BROKEN: Final = (
    PythonDocxError,
    OpcError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
    LookupError,
    ValueError,
    AttributeError,
    TypeError,
    EOFError,
    RuntimeError,
)
_INSERTED: Final = frozenset({qn("w:ins"), qn("w:moveTo")})
_DELETED: Final = frozenset({qn("w:del"), qn("w:moveFrom")})
_AROUND: Final = _INSERTED | {qn(f"w:{name}") for name in ("sdt", "sdtContent", "smartTag", "customXml")}
_INLINE: Final = _AROUND | {qn("w:r"), qn("w:hyperlink"), qn("w:fldSimple")}
_SIGNS: Final = {qn("w:tab"): " ", qn("w:br"): " ", qn("w:cr"): " ", qn("w:noBreakHyphen"): "-"}

Kind = Literal["speaker", "words", "likely", "aside"]
"""What a paragraph is: who speaks from there on, what they say, perhaps what they say, or surely neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One paragraph.

    Attributes:
        kind: What it is.
        text: Fit to be shown; of a speaker, the name alone, which may be empty.
    """

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One paragraph of the body, or one table.

    Attributes:
        style: What its style is called, in lower case; ``w:tbl`` for a table.
        text: Fit to be shown.
    """

    style: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedDocument:
    """A document that came back.

    Attributes:
        origin: Where it says which session and revision it is of, that first.
        tracked: How many changes Word was tracking; the paragraphs read as if they were accepted.
        comments: Who says what beside the text.
        paragraphs: In order.
    """

    origin: tuple[str, ...]
    tracked: int
    comments: tuple[str, ...]
    paragraphs: tuple[Paragraph, ...]

    def blocks(self, known: Container[str]) -> tuple[Block, ...]:
        """Return the paragraphs as far as they may be the transcript's, in order.

        Args:
            known: Labels of speakers, folded, to be told from words where styles do not tell.
        """
        return tuple(_blocks(self.paragraphs, known))


def read_document(content: bytes) -> ReturnedDocument:
    """Read a Word document.

    Args:
        content: Of the file.

    Raises:
        ReturnedFileInvalid: It is none, or too large.
    """
    word = _open(content)
    try:
        body = word.element.body
        names = {style.style_id: (style.name or "").casefold() for style in word.styles}
        return ReturnedDocument(
            origin=tuple(_origins(word)),
            tracked=sum(1 for _ in body.iter(*_INSERTED, *_DELETED)),
            comments=tuple(_comments(word)),
            paragraphs=tuple(_paragraphs(body, names)),
        )
    except _BROKEN as error:
        raise ReturnedFileInvalid("review.document_unreadable") from error


def _open(content: bytes) -> WordDocument:
    """Open a document once its size and its XML are known to be harmless."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive)
        return docx.Document(io.BytesIO(content))
    except _BROKEN as error:
        raise ReturnedFileInvalid("review.document_unreadable") from error


def _check_members(archive: zipfile.ZipFile) -> None:
    """Refuse what would not fit into memory, and what no program that writes documents has ever written."""
    members = archive.infolist()
    texts = [member for member in members if member.filename.lower().endswith((".xml", ".rels"))]
    for found, most in ((members, _MOST_BYTES), (texts, _MOST_XML_BYTES)):
        if sum(member.file_size for member in found) > most:
            raise ReturnedFileInvalid("review.document_too_large", {"megabytes": str(most // 1_000_000)})
    if len(members) > _MOST_MEMBERS or any(b"<!DOCTYPE" in archive.read(member) for member in texts):
        raise ReturnedFileInvalid("review.document_unreadable")


def _origins(word: WordDocument) -> Iterator[str]:
    """Yield the texts that may name the session: a property, and the foot of each page where that was dropped."""
    yield word.core_properties.identifier
    for section in word.sections:
        for paragraph in section.footer.paragraphs:
            yield paragraph.text


def _comments(word: WordDocument) -> Iterator[str]:
    for comment in word.comments:
        text = visible(" ".join(_text(paragraph._p) for paragraph in comment.paragraphs))  # noqa: SLF001 - see _text
        if text:
            yield f"{visible(comment.author)}: {text}" if comment.author else text


def _paragraphs(element: BaseOxmlElement, names: dict[str, str]) -> Iterator[Paragraph]:
    """Yield the paragraphs of the body; a table is one that has a style of its own."""
    for child in element:
        if child.tag == qn("w:p"):
            style = child.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
            given = "" if style is None else style.get(qn("w:val"), "")
            yield Paragraph(style=names.get(given, given.casefold()), text=visible(_text(child)))
        elif child.tag == qn("w:tbl"):
            text = visible(" ".join(_text(paragraph) for paragraph in child.iter(qn("w:p"))))
            yield Paragraph(style="w:tbl", text=text)
        elif child.tag in _AROUND:
            yield from _paragraphs(child, names)


def _text(element: BaseOxmlElement) -> str:
    """Return what a paragraph reads once its tracked changes are accepted, which python-docx does not tell."""
    found: list[str] = []
    for child in element:
        if child.tag == qn("w:t"):
            found.append(child.text or "")
        elif child.tag in _INLINE:
            found.append(_text(child))
        else:
            found.append(_SIGNS.get(str(child.tag), ""))
    return "".join(found)


def _blocks(paragraphs: Sequence[Paragraph], known: Container[str]) -> Iterator[Block]:
    styled = any(paragraph.style == WORDS_STYLE.casefold() for paragraph in paragraphs)
    highlights = {message("render.highlights", language).casefold() for language in LANGUAGES}
    begun = among_highlights = quoted = False
    for paragraph in paragraphs:
        if not paragraph.text:
            continue
        after_quote, quoted = quoted, paragraph.style.startswith(_QUOTES)
        if paragraph.style.startswith(_HEADINGS) or paragraph.text.casefold() in highlights:
            among_highlights = paragraph.text.casefold() in highlights
        elif paragraph.style == "w:tbl":
            yield Block(kind="aside", text=paragraph.text)
        elif not (quoted or after_quote or among_highlights):
            block = _styled(paragraph) if styled else _shaped(paragraph, known)
            begun = begun or block.kind in {"speaker", "words"}
            # What stands before the first speaker is about the session, not of it.
            if begun:
                yield block


def _styled(paragraph: Paragraph) -> Block:
    """Say what a paragraph is in a document that has our styles."""
    name, clock = _parted(paragraph.text)
    if paragraph.style == SPEAKER_STYLE.casefold() and (clock or len(name.split()) <= _SPEAKER_WORDS):
        return Block(kind="speaker", text=name)
    ours = paragraph.style in {WORDS_STYLE.casefold(), SPEAKER_STYLE.casefold()}
    return Block(kind="words" if ours else "likely", text=paragraph.text)


def _shaped(paragraph: Paragraph, known: Container[str]) -> Block:
    """Say what a paragraph is in a document that has lost our styles."""
    name, clock = _parted(paragraph.text)
    if clock and (not name or fold(name) in known or is_name(name, None)):
        return Block(kind="speaker", text=name)
    return Block(kind="likely", text=paragraph.text)


def _parted(text: str) -> tuple[str, bool]:
    """Return the name in a line that says who speaks, and whether a time stood behind it."""
    clock = _CLOCK.search(text)
    name = text[: clock.start()] if clock else text
    return name.strip(" \u00a0\u202f:–—-"), clock is not None
