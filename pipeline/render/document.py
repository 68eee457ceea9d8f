"""What every writer is given, and what every writer is.

In comes everything that is known of a session once its words are final; a `Format` turns it into the text of one file.
It stands alone so that a writer can be added by one module and one line in the registry. To add one: write a module
with a function ``write(document: Document) -> str`` that shows every word once and in order, passes whatever a person
wrote through ``visible`` and its own format's escaping, and register it in ``pipeline/render/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.editing import Edited
from pipeline.formatting import format_date
from pipeline.messages import message
from pipeline.types import Cue, Language, ModelUse, Provenance, Session, Transcript
from pipeline.visible import visible

_DIGITS_OF_SHA256 = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A session ready to be written.

    Attributes:
        session: What was recorded.
        transcript: Word for word: the one source of truth.
        edited: The same made readable, with each change.
        cues: Its captions.
        provenance: What made it.
    """

    session: Session
    transcript: Transcript
    edited: Edited
    cues: tuple[Cue, ...]
    provenance: Provenance

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
    def origin(self) -> str:
        """What a file that comes back corrected is recognised by: the session's id, and the revision approved."""
        review = self.provenance.review
        return f"{self.session.id} r{review.revision}" if review else self.session.id

    def note(self, kind: str) -> str:
        """Return what a reader of such a file must know: how it was made, and where the other transcript is.

        Args:
            kind: ``captions``, ``verbatim`` or ``edited``.
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
        role: What the file is to a learner: ``captions`` or ``transcript``.
        extension: Of the file, with the dot.
        content_type: As sent to browsers, with charset.
        write: Makes the file's text; the same document gives the same text.
    """

    name: str
    role: str
    extension: str
    content_type: str
    write: Callable[[Document], str]

    def file_name(self, language: Language) -> str:
        """Return what the file is called among a session's files.

        Example:
            >>> Format(name="srt", role="captions", extension=".srt", content_type="", write=str).file_name("fr")
            'captions.fr.srt'
        """
        return f"{self.role}.{language}{self.extension}"
