"""What every writer is given, and what every writer is.

In comes everything that is known of a session once its words are final; a `Format` turns it into one file.
It stands alone so that a writer can be added by one module and one line in the registry. To add one: write a module
with a function ``write(document: Document)`` that gives text, or bytes where the file is no text, or
``write(captions: CaptionFile)`` for captions, that shows every word once
and in order, passes whatever a person wrote through ``visible`` and its own format's escaping, and register it in
``pipeline/render/__init__.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipeline.captions import speaker_name
from pipeline.editing import Edited
from pipeline.formatting import format_date, format_seconds
from pipeline.messages import message
from pipeline.types import Chapter, Cue, Highlight, Language, ModelUse, Provenance, Session, Transcript
from pipeline.visible import visible

_DIGITS_OF_SHA256: Final = 12

LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\Z")
"""What may be written as a language: BCP 47 in short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionFile:
    """What a file of captions holds, whatever its format: made of a session, or read from anybody's file.

    Attributes:
        language: BCP 47 tag of most of it.
        cues: In order.
        names: Key and full name, fit to be shown, of every speaker who has one.
        notes: What it says of itself, a line each.
    """

    language: str
    cues: tuple[Cue, ...]
    names: tuple[tuple[str | None, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def typography(self) -> Language:
        """The language of ours whose typography dashes and labels follow."""
        return "fr" if self.language.partition("-")[0].lower() == "fr" else "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A session ready to be written.

    Attributes:
        session: What was recorded.
        transcript: Word for word: the one source of truth.
        edited: The same made readable, with each change.
        cues: Its captions.
        provenance: What made it.
        chapters: Its topics, in order; empty where it is not divided.
        highlights: The passages that carry most, in order.
        page: Address of its page, where that is known.
    """

    session: Session
    transcript: Transcript
    edited: Edited
    cues: tuple[Cue, ...]
    provenance: Provenance
    chapters: tuple[Chapter, ...] = ()
    highlights: tuple[Highlight, ...] = ()
    page: str | None = None

    @property
    def language(self) -> Language:
        """The session's main language, which files are named by."""
        return self.transcript.language

    @property
    def title(self) -> str:
        """The title in that language, or in the other where there is none; fit to be shown."""
        return visible(self.session.title.get(self.language))

    @property
    def facts(self) -> tuple[str, ...]:
        """What a heading says besides the title: date, programme, week; as far as known."""
        session = self.session
        found = [
            format_date(session.date, self.language) if session.date else "",
            visible(session.programme.get(self.language)) if session.programme else "",
            message("render.week", self.language, week=session.week) if session.week else "",
        ]
        return tuple(fact for fact in found if fact)

    @property
    def made_by(self) -> str:
        """The program and the weights that made it, on one line."""
        return ", ".join([visible(self.provenance.tool), *(_weights(use) for use in self.provenance.models)])

    @property
    def captions(self) -> CaptionFile:
        """What its files of captions hold."""
        keys = dict.fromkeys(line.speaker for cue in self.cues for line in cue.lines)
        names = ((key, speaker_name(self.transcript, key)) for key in keys)
        notes = (self.title, " · ".join(self.facts), self.note("captions"), self.origin)
        return CaptionFile(
            language=self.language,
            cues=self.cues,
            names=tuple((key, name) for key, name in names if name is not None),
            notes=tuple(note for note in notes if note),
        )

    def moment(self, ms: int) -> str | None:
        """Return the address that opens the session's page at that moment, where the page's own is known."""
        return None if self.page is None else f"{self.page}#t={format_seconds(ms)}"

    @property
    def origin(self) -> str:
        """What a file that comes back corrected is recognised by: the session's id, and the revision approved."""
        review = self.provenance.review
        return f"{self.session.id} r{review.revision}" if review else self.session.id

    def note(self, kind: str) -> str:
        """Return what a reader of such a file must know: how it was made, and where the other transcript is.

        Args:
            kind: ``captions``, ``verbatim``, ``edited`` or ``comparison``.
        """
        verbatim, review = f"transcript.{self.language}.txt", self.provenance.review
        code = f"render.note_{kind}_reviewed" if review else f"render.note_{kind}"
        day = format_date(review.day, self.language) if review else ""
        return message(code, self.language, made_by=self.made_by, verbatim=verbatim, day=day)


def _weights(use: ModelUse) -> str:
    return f"{visible(use.name)} ({visible(use.sha256)[:_DIGITS_OF_SHA256]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of file.

    Attributes:
        name: Key in the registry.
        role: What the file is to a learner: ``captions``, ``transcript``, ``chapters``.
        extension: Of the file, with the dot.
        content_type: As sent to browsers, with charset where it is text.
        write: Makes the file's text, or its bytes where it is no text; the same document gives the same.
        applies: Says whether a document has anything for such a file.
    """

    name: str
    role: str
    extension: str
    content_type: str
    write: Callable[[Document], str | bytes]
    applies: Callable[[Document], bool] = field(default=lambda _: True)

    def body(self, document: Document) -> bytes:
        """Return the file: text in UTF-8."""
        written = self.write(document)
        return written.encode() if isinstance(written, str) else written

    def file_name(self, language: Language) -> str:
        """Return what the file is called among a session's files.

        Example:
            >>> Format(name="srt", role="captions", extension=".srt", content_type="", write=str).file_name("fr")
            'captions.fr.srt'
        """
        return f"{self.role}.{language}{self.extension}"
