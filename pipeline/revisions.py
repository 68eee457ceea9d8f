"""What passes between a person who corrects a transcript and the desk that keeps every state of it.

Values only, no disk: a :class:`Revision` is one numbered state and never changes; a :class:`Correction` is what a
person sends to make the next one. They stand alone so that the editor's server, the files that come back corrected and
the flow that publishes agree on one vocabulary.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from pipeline.types import Bilingual, Chapter, Provenance, Span, Transcript

Origin = Literal["recognition", "person", "file", "proposal"]
"""Whose words they are: as recognised, typed by a person, from a file that came back corrected, or a later recognition
that a person chose over the reviewed text."""

SPEAKER_KEY: Final = re.compile(r"S[1-9][0-9]{0,3}\Z")
"""What the key of a speaker looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Span):
    """A passage that learners do not get.

    Attributes:
        kind: ``remove`` takes the time out; ``mask`` leaves it and hides what is heard, seen and read.
        sound: What is heard in place of a masked passage.
        picture: What is seen in place of a masked passage.
    """

    kind: Literal["remove", "mask"]
    sound: Literal["tone", "silence"] = "tone"
    picture: Literal["blur", "black", "untouched"] = "untouched"

    def __post_init__(self) -> None:
        Span.__post_init__(self)
        if not self.duration_ms:
            raise ValueError("a cut takes time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """That somebody stands by a revision.

    Attributes:
        revision: Its number.
        author: Who.
        approved_at: When, with a time zone.
    """

    revision: int
    author: str
    approved_at: dt.datetime

    def __post_init__(self) -> None:
        _check_author(self.author, self.approved_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the history says of a revision.

    Attributes:
        number: From 1, without holes.
        author: Who made it; for a recognition, what made it.
        saved_at: When, with a time zone.
        origin: Whose words they are.
        based_on: Number of the revision that was corrected; ``None`` for the first and for what was recognised anew.
        approval: The last one, where somebody has approved it.
    """

    number: int
    author: str
    saved_at: dt.datetime
    origin: Origin
    based_on: int | None = None
    approval: Approval | None = None

    def __post_init__(self) -> None:
        _check_author(self.author, self.saved_at)
        if self.number < 1 or (self.based_on is not None and not 1 <= self.based_on < self.number):
            raise ValueError(f"not a revision's number: {self.number}, based on {self.based_on}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of a session's transcript, with what belongs to it. Never changed once kept.

    Attributes:
        entry: Its number, author and time.
        transcript: The words. Times are those of the recording; cuts have not been applied.
        provenance: What recognised the words that it began with.
        cuts: What learners do not get, in order, apart.
        title: The session's title where a person changed it here.
        chapters: A person's own, in order, apart, on the clock of the recording; empty where there are to be none,
            ``None`` where they are made of the words each time.
    """

    entry: Entry
    transcript: Transcript
    provenance: Provenance
    cuts: tuple[Cut, ...] = ()
    title: Bilingual | None = None
    chapters: tuple[Chapter, ...] | None = None

    def __post_init__(self) -> None:
        check_cuts(self.cuts)
        check_chapters(self.chapters or ())

    @property
    def session_id(self) -> str:
        """Whose it is."""
        return self.transcript.session_id

    @property
    def reviewed(self) -> bool:
        """Whether a person has gone over its words."""
        return self.entry.origin in {"person", "file"}

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return self.entry.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One word as it stands in an editor.

    Attributes:
        text: As typed; white space in it makes several words.
        was: Index of the word that it was, among all words of the revision that was corrected, from 0; ``None`` for
            one that was typed anew. It keeps that word's time, and its probability too where its text is the same.
        language: ISO 639-1 where it is not that of the word it was, or else of its turn.
        sure: Whether a person says that it is right as it stands.
    """

    text: str
    was: int | None = None
    language: str | None = None
    sure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedTurn:
    """One speaker's run of words as it stands in an editor.

    Attributes:
        speaker: Key of the speaker, also of one that is new; ``None`` where nobody could be told.
        tokens: The words, in order; a turn without any is dropped.
        language: ISO 639-1 of words typed anew, where it is not that of the words around them.
    """

    speaker: str | None
    tokens: tuple[Token, ...]
    language: str | None = None

    def __post_init__(self) -> None:
        if self.speaker is not None and not SPEAKER_KEY.match(self.speaker):
            raise ValueError(f"not a speaker's key: {self.speaker!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The whole session as a person wants it: all of it, not only what changed.

    Attributes:
        turns: In order.
        names: Key and full name of each speaker who is known; others have no name.
        cuts: What learners do not get, in order, apart.
        title: The session's title where it is to be another one.
        chapters: A person's own, in order, apart; ``None`` to have them made of the words.
    """

    turns: tuple[CorrectedTurn, ...]
    names: tuple[tuple[str, str], ...] = ()
    cuts: tuple[Cut, ...] = ()
    title: Bilingual | None = None
    chapters: tuple[Chapter, ...] | None = None

    def __post_init__(self) -> None:
        check_cuts(self.cuts)
        check_chapters(self.chapters or ())
        keys = [key for key, _ in self.names]
        if len(set(keys)) != len(keys) or not all(map(SPEAKER_KEY.match, keys)):
            raise ValueError("each speaker is named once")
        if not all(name.strip() for _, name in self.names):
            raise ValueError("a name has letters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two transcripts, or two revisions.

    Attributes:
        kind: ``words`` for a passage that reads otherwise, ``speaker`` for one that somebody else says, ``chapter`` for
            a person's chapter; ``chapters_own`` where a person's chapters take the place of those made of the words,
            ``chapters_automatic`` for the way back; ``cut_remove`` and ``cut_mask`` for a passage that is left out,
            ``title`` for what a person calls the session.
        before: The words, the speaker's label, the title or the times before; empty where something was added.
        after: The words, the speaker's label, the title or the times after; empty where something was taken away.
        start_ms: Where it starts in the recording.
    """

    kind: Literal[
        "words", "speaker", "chapter", "chapters_own", "chapters_automatic", "cut_remove", "cut_mask", "title"
    ]
    before: str
    after: str
    start_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a later recognition would say, beside a text that a person has worked on.

    Attributes:
        transcript: What was recognised.
        provenance: What recognised it.
        proposed_at: When, with a time zone.
        changes: How it differs from the latest revision; that one goes in as ``before``.
    """

    transcript: Transcript
    provenance: Provenance
    proposed_at: dt.datetime
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What one person has typed and not yet saved.

    Attributes:
        author: Who.
        based_on: Number of the revision that they correct.
        payload: Whatever the editor needs to go on; its own format.
    """

    author: str
    based_on: int
    payload: str


def check_cuts(cuts: tuple[Cut, ...]) -> None:
    """Make sure that cuts are in order and apart.

    Raises:
        ValueError: They are not.
    """
    if any(after.start_ms < before.end_ms for before, after in pairwise(cuts)):
        raise ValueError("cuts are in order and do not overlap")


def check_chapters(chapters: tuple[Chapter, ...]) -> None:
    """Make sure that chapters are in order and apart, and that each takes time.

    Raises:
        ValueError: They are not.
    """
    if not all(chapter.duration_ms for chapter in chapters):
        raise ValueError("a chapter takes time")
    if any(after.start_ms < before.end_ms for before, after in pairwise(chapters)):
        raise ValueError("chapters are in order and do not overlap")


def _check_author(author: str, when: dt.datetime) -> None:
    if not author.strip():
        raise ValueError("somebody has to stand for it")
    if when.tzinfo is None:
        raise ValueError("a time without a time zone means nothing")
