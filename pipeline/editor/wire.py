"""What the review page is told of a session, and what it sends back.

Records and revisions go in, small values that become JSON come out; the other way, what a browser sent becomes a
:class:`pipeline.revisions.Correction`. Whatever can be seen has been made visible; whatever comes in is checked by its
types before anything believes it. Stands alone so that the page's language on the wire is written down in one place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from pipeline.chapters import make_chapters
from pipeline.corrections import changes, chapter_changes, cut_changes, title_changes
from pipeline.cuts import apply_cuts
from pipeline.editing import edit, propose_terms
from pipeline.errors import CorrectionInvalid
from pipeline.formatting import format_moment
from pipeline.glossary import GlossaryTerm
from pipeline.journal import Claimed, Failed, NeedsReview, Processing, SessionRecord, Withdrawn
from pipeline.matching import match
from pipeline.messages import message
from pipeline.redaction import Redaction, propose
from pipeline.reports import Decision, Report, ReportState, replacements, words_at
from pipeline.revisions import Change, CorrectedTurn, Correction, Cut, Entry, Proposal, Revision, Token
from pipeline.types import LANGUAGES, Bilingual, Chapter, Language, Speaker, Transcript, Turn, Word
from pipeline.visible import UNSHOWABLE, visible, visible_word

_STATES: Final = (
    (Claimed | Processing, "editor.state_working"),
    (Failed, "editor.state_failed"),
    (Withdrawn, "editor.state_withdrawn"),
)
"""What is said of a recording whatever its revisions are."""

Run = str | tuple[int, int] | tuple[int, str] | tuple[int | None, str | None, Language]
"""A word typed anew, untouched words from the first index up to the second, or a word that reads otherwise now; one
that reads the same was found to be right. With a language that a person gave it, a word stands alone: its index, none
where it was typed anew, and its text, none where nobody touched that.
"""

WordView = tuple[str, int, int, float, str, bool]
"""Text, start and end in ms, probability, language, overlapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnView:
    """A turn as the page shows it."""

    speaker: str | None
    words: tuple[WordView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """Who a voice may be, and what that rests on."""

    name: str
    quote: str
    start_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerView:
    """A voice as the page shows it."""

    key: str
    name: str | None
    proposals: tuple[ProposalView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChapterMark:
    """Where a chapter begins, as the page shows and sends it; it goes on up to the next."""

    start_ms: int
    title: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpellingView:
    """Words that may be a term or a name, heard or written otherwise.

    Attributes:
        first: Index of the first word.
        last: Index of the last.
        text: What they may be, with the marks around them.
    """

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What a reviewer is asked about.

    Attributes:
        personal: Passages that may hold a personal number.
        spellings: Words that may be a term of the session or of the house, or the name of somebody announced.
    """

    personal: tuple[Redaction, ...]
    spellings: tuple[SpellingView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """All that the page needs to open a session.

    Attributes:
        title: As it is shown now.
        own_title: Whether a reviewer gave it.
        people: Names of those announced, to choose from.
        personal: As proposed.
        spellings: As proposed.
        chapters: A reviewer's own; ``None`` where they are made of the words.
    """

    id: str
    revision: int
    saved: Entry
    language: Language
    duration_ms: int
    title: Bilingual
    own_title: bool
    turns: tuple[TurnView, ...]
    speakers: tuple[SpeakerView, ...]
    cuts: tuple[Cut, ...]
    people: tuple[str, ...]
    personal: tuple[Redaction, ...]
    spellings: tuple[SpellingView, ...]
    chapters: tuple[ChapterMark, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTurn:
    """A paragraph as the page sends it.

    Attributes:
        speaker: Whose.
        words: In order.
        joined: Whether it goes on with the turn of the paragraph before it.
    """

    speaker: str | None
    words: tuple[Run, ...]
    joined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSpeaker:
    """A voice as the page sends it."""

    key: str
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A whole session as the page sends it.

    Attributes:
        turns: In order.
        speakers: Everyone, named or not.
        cuts: In order.
        title: What the reviewer calls the session; ``None`` to leave its name.
        chapters: The reviewer's own, in order; ``None`` to have them made of the words.
    """

    turns: tuple[SentTurn, ...]
    speakers: tuple[SentSpeaker, ...]
    cuts: tuple[Cut, ...]
    title: Bilingual | None = None
    chapters: tuple[ChapterMark, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRevision:
    """What is to become a revision.

    Attributes:
        author: Who made it.
        based_on: Number of the revision that was corrected.
        session: The session as it is to be.
    """

    author: str
    based_on: int
    session: Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDraft:
    """What has been typed and not saved.

    Attributes:
        author: Who typed it.
        based_on: Number of the revision that is being corrected.
        writer: Names one opening of the page: each has its own.
        follows: The writers of the drafts that this one goes on from.
        at_ms: Unix time by the browser's clock.
        session: The session as it is now.
    """

    author: str
    based_on: int
    writer: str
    follows: tuple[str, ...]
    at_ms: int
    session: Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class SentApproval:
    """That somebody approves a revision."""

    author: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDecision:
    """What somebody decided about a report."""

    author: str
    state: ReportState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """What a learner reported, as the page shows it beside a revision.

    Attributes:
        id: Its id.
        start_ms: Where it is, in the recording.
        first: Index of its first word; ``None`` where no word of the revision is there.
        last: Index of its last word.
        text: What they read.
        comment: What they say of it.
        language: Of the page that they were on.
        received_at: When it arrived.
        wanted: What they would write, where they say so.
        state: Where it stands.
        author: Who decided that; empty where it is open.
    """

    id: str
    start_ms: int
    first: int | None
    last: int | None
    text: str
    comment: str
    language: Language
    received_at: dt.datetime
    wanted: tuple[SpellingView, ...]
    state: ReportState
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """A difference between two revisions as the page shows it."""

    kind: str
    before: str
    after: str
    start_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceView:
    """How two revisions differ.

    Attributes:
        changes: Each difference, in order of time.
        same: Runs of words that are in both: index of the first in each, and how many.
    """

    changes: tuple[ChangeView, ...]
    same: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTextView:
    """What a later recognition would say.

    Attributes:
        tool: What recognised it.
        proposed_at: When.
        changes: How it differs from the newest revision.
    """

    tool: str
    proposed_at: dt.datetime
    changes: tuple[ChangeView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateView:
    """Where a session stands.

    Attributes:
        latest: The newest revision.
        pages: Address of the page in each language.
        others: Names of other people who have the session open.
        reports: Id of each report of a learner, and where it stands.
        text_en: Where it stands, in words.
        text_fr: The same in French.
    """

    latest: Entry
    pages: tuple[tuple[Language, str], ...]
    others: tuple[str, ...]
    reports: tuple[tuple[str, ReportState], ...]
    text_en: str
    text_fr: str


def known_words(record: SessionRecord) -> tuple[str, ...]:
    """Return the terms of a session and the names of those announced, as proposals are made of them."""
    return (*map(visible, record.session.glossary), *_people(record))


def propose_for(record: SessionRecord, revision: Revision, terms: Iterable[GlossaryTerm]) -> Proposed:
    """Return what a reviewer of a revision is asked about.

    Args:
        record: Of its session.
        revision: The revision.
        terms: Glossary of the house.
    """
    transcript = revision.transcript
    proposals = propose_terms(transcript, known_words(record), terms, reviewed=revision.reviewed)
    return Proposed(
        personal=propose(transcript.words),
        spellings=tuple(
            SpellingView(first=each.index, last=each.index + each.count - 1, text=visible(each.after))
            for each in proposals
        ),
    )


def view_session(record: SessionRecord, revision: Revision, proposed: Proposed) -> SessionView:
    """Return what the page needs to show a revision.

    Args:
        record: Of its session.
        revision: The revision.
        proposed: What :func:`propose_for` says of the two.
    """
    session, transcript = record.session, revision.transcript
    return SessionView(
        id=session.id,
        revision=revision.number,
        saved=view_entry(revision.entry),
        language=transcript.language,
        duration_ms=transcript.duration_ms,
        title=_visible_text(revision.title or session.title),
        own_title=revision.title is not None,
        turns=tuple(map(_view_turn, transcript.turns)),
        speakers=tuple(map(_view_speaker, transcript.speakers)),
        cuts=revision.cuts,
        people=_people(record),
        personal=proposed.personal,
        spellings=proposed.spellings,
        chapters=None if revision.chapters is None else _view_chapters(revision.chapters),
    )


def _people(record: SessionRecord) -> tuple[str, ...]:
    return tuple(visible(person.name) for person in record.session.people)


def suggest_chapters(
    record: SessionRecord, revision: Revision, terms: Sequence[GlossaryTerm]
) -> tuple[ChapterMark, ...]:
    """Return the chapters that a revision's words give, on the clock of the recording.

    Args:
        record: Of the session.
        revision: Its words and cuts; nothing that is cut is quoted.
        terms: Of the house, as in what is published.
    """
    # Masked instead of removed, what is cut takes its words along and leaves every time as it is.
    hidden = tuple(replace(cut, kind="mask") for cut in revision.cuts)
    edited = edit(apply_cuts(revision.transcript, hidden), record.session.glossary, terms)
    return _view_chapters(make_chapters(edited.transcript))


def view_state(
    record: SessionRecord, history: Sequence[Entry], reports: tuple[tuple[str, ReportState], ...], zone: dt.tzinfo
) -> StateView | None:
    """Return where a session stands, or ``None`` where there is nothing to review yet."""
    if not history:
        return None
    latest, publication = view_entry(history[-1]), record.publication
    text_en, text_fr = (_say_state(record, latest, language, zone) for language in LANGUAGES)
    return StateView(
        latest=latest,
        pages=publication.pages if publication else (),
        others=(),
        reports=reports,
        text_en=text_en,
        text_fr=text_fr,
    )


def view_report(report: Report, decision: Decision | None, words: Sequence[Word]) -> ReportView:
    """Return what a learner reported as it can be shown beside a revision.

    Args:
        report: What they reported.
        decision: What somebody decided about it.
        words: Of the revision.
    """
    first, last = words_at(report, words) or (None, None)
    return ReportView(
        id=report.id,
        start_ms=report.start_ms,
        first=first,
        last=last,
        text=visible(report.text),
        comment=visible(report.comment),
        language=report.language,
        received_at=report.received_at,
        wanted=tuple(
            SpellingView(first=each.first, last=each.last, text=visible(each.text))
            for each in replacements(report, words)
        ),
        state=decision.state if decision else "open",
        author=visible(decision.author) if decision else "",
    )


def view_entry(entry: Entry) -> Entry:
    """Return what is known of a revision as it can be shown; its author may be the name of a file."""
    return replace(entry, author=visible(entry.author) or UNSHOWABLE)


def view_difference(before: Revision, after: Revision) -> DifferenceView:
    """Return how two revisions differ, as it can be shown and as changes can be carried from one to the other."""
    old, new = before.transcript, after.transcript
    beside = (*title_changes(before, after), *chapter_changes(before, after), *cut_changes(before, after))
    found = (*beside, *changes(old, new))
    shown = _view_changes(sorted(found, key=lambda change: change.start_ms))
    pairs = match([word.text for word in old.words], [word.text for word in new.words])
    return DifferenceView(changes=shown, same=tuple(_runs(pairs)))


def view_other_text(proposal: Proposal | None) -> OtherTextView | None:
    """Return what a later recognition would say, where there is such a thing."""
    if proposal is None:
        return None
    tool, shown = visible(proposal.provenance.tool), _view_changes(proposal.changes)
    return OtherTextView(tool=tool, proposed_at=proposal.proposed_at, changes=shown)


def _view_changes(found: Sequence[Change]) -> tuple[ChangeView, ...]:
    return tuple(
        ChangeView(kind=each.kind, before=visible(each.before), after=visible(each.after), start_ms=each.start_ms)
        for each in found
    )


def _runs(pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    for _, run in groupby(enumerate(pairs), lambda each: (each[1][0] - each[0], each[1][1] - each[0])):
        pairs_of_run = [pair for _, pair in run]
        yield (*pairs_of_run[0], len(pairs_of_run))


def read_correction(sent: Sent, transcript: Transcript) -> Correction:
    """Return the correction that a page sent.

    Args:
        sent: What it sent.
        transcript: Of the revision that it showed.

    Raises:
        CorrectionInvalid: It says something that cannot be.
    """
    try:
        return Correction(
            turns=tuple(_read_turns(sent.turns, transcript.words)),
            names=tuple((each.key, name) for each in sent.speakers if (name := visible(each.name or ""))),
            cuts=sent.cuts,
            title=_visible_text(sent.title) if sent.title else None,
            chapters=None if sent.chapters is None else tuple(_read_chapters(sent.chapters, transcript.duration_ms)),
        )
    except ValueError as wrong:
        raise CorrectionInvalid("review.correction_invalid", {"detail": str(wrong)}) from wrong


def _say_state(record: SessionRecord, latest: Entry, language: Language, zone: dt.tzinfo) -> str:
    for state, code in _STATES:
        if isinstance(record.state, state):
            return message(code, language)
    if isinstance(record.state, NeedsReview) and latest.origin == "recognition":
        return message("editor.state_awaited", language)
    if latest.approval:
        data = {
            "author": latest.approval.author,
            "when": format_moment(latest.approval.approved_at.astimezone(zone), language),
        }
        return message("editor.state_approved", language, number=latest.number, **data)
    if latest.origin == "recognition":
        return message("editor.state_automatic", language)
    data = {"author": latest.author, "when": format_moment(latest.saved_at.astimezone(zone), language)}
    return message("editor.state_saved", language, number=latest.number, **data)


def _view_turn(turn: Turn) -> TurnView:
    words = tuple(
        (visible_word(word), word.start_ms, word.end_ms, round(word.probability, 3), word.language, word.overlapped)
        for word in turn.words
    )
    return TurnView(speaker=turn.speaker, words=words)


def _view_speaker(speaker: Speaker) -> SpeakerView:
    proposals = tuple(
        ProposalView(name=visible(each.name), quote=visible(each.quote), start_ms=each.start_ms)
        for each in speaker.proposals
    )
    return SpeakerView(key=speaker.key, name=visible(speaker.name) if speaker.name else None, proposals=proposals)


def _visible_text(text: Bilingual) -> Bilingual:
    return Bilingual(en=None if text.en is None else visible(text.en), fr=None if text.fr is None else visible(text.fr))


def _view_chapters(chapters: Sequence[Chapter]) -> tuple[ChapterMark, ...]:
    return tuple(
        ChapterMark(start_ms=each.start_ms, title=visible(each.title) or UNSHOWABLE, language=each.language)
        for each in chapters
    )


def _read_chapters(sent: Sequence[ChapterMark], duration_ms: int) -> Iterator[Chapter]:
    """Yield chapters, each up to where the next begins."""
    ends = [*(each.start_ms for each in sent[1:]), duration_ms]
    for each, end_ms in zip(sent, ends, strict=False):
        title = visible(each.title) or UNSHOWABLE
        yield Chapter(start_ms=each.start_ms, end_ms=end_ms, title=title, language=each.language)


def _read_turns(sent: Sequence[SentTurn], words: Sequence[Word]) -> Iterator[CorrectedTurn]:
    """Put the paragraphs of one turn together again."""
    turns: list[tuple[str | None, list[Token]]] = []
    for each in sent:
        tokens = [token for run in each.words for token in _read_run(run, words)]
        if each.joined and turns:
            turns[-1][1].extend(tokens)
        else:
            turns.append((each.speaker, tokens))
    return (CorrectedTurn(speaker=speaker, tokens=tuple(tokens)) for speaker, tokens in turns)


def _without_language(index: int | None, text: str | None) -> Run:
    if index is None:
        if text is None:
            raise ValueError("neither a word nor a text")
        return text
    return (index, index + 1) if text is None else (index, text)


def _read_run(run: Run, words: Sequence[Word]) -> Iterator[Token]:
    if isinstance(run, str):
        yield Token(text=visible(run))
        return
    if len(run) == 3:
        index, text, language = run
        yield from (replace(token, language=language) for token in _read_run(_without_language(index, text), words))
        return
    first, then = run
    if isinstance(then, str):
        same = 0 <= first < len(words) and then == visible_word(words[first])
        yield Token(text=words[first].text if same else visible(then), was=first, sure=same)
        return
    if not 0 <= first < then <= len(words):
        raise ValueError(f"no such words: {first} to {then}")
    for index in range(first, then):
        yield Token(text=words[index].text, was=index)
