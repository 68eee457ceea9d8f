"""What a person's correction makes of a transcript, and how two transcripts differ.

A revision and a correction of it go in, the corrected transcript comes out: words that a person left alone keep their
time and probability, words that they wrote lie where the words were that they replace, or else between those that they
left alone. Pure; stands alone so that it can be tried on any text without a desk, a disk or a recording.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, groupby, pairwise
from typing import Final, Literal

from pipeline.errors import CorrectionInvalid
from pipeline.formatting import format_clock
from pipeline.matching import fold, match, rising
from pipeline.revisions import Change, CorrectedTurn, Correction, Revision
from pipeline.speakers import speaker_label
from pipeline.types import Span, Speaker, Transcript, Turn, Word

# White space that keeps two words on one line belongs to the word: French marks stand behind one.
_BETWEEN_WORDS: Final = re.compile(r"[^\S\u00a0\u202f]+")

_LETTER_MS: Final = 65
"""How long a letter takes in speech that is neither slow nor fast; where nothing better is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """One word as typed.

    Attributes:
        text: Without white space around it.
        was: Index of the word that it was; ``None`` where it is new.
        turn: Index of its turn.
        language: Given for it, or for its turn.
        sure: Whether a person says that it is right.
    """

    text: str
    was: int | None
    turn: int
    language: str | None
    sure: bool


def revise(revision: Revision, correction: Correction) -> Transcript:
    """Return the transcript as corrected.

    Args:
        revision: What was corrected.
        correction: What it is to be.

    Raises:
        CorrectionInvalid: It refers to words that are not there, or uses one twice.
    """
    old = revision.transcript
    typed = tuple(_typed(correction.turns))
    words = _place(old, typed, _origins(old.words, typed))
    turns = tuple(
        Turn(speaker=correction.turns[number].speaker, words=tuple(word for word, _ in run))
        for number, run in groupby(zip(words, typed, strict=True), key=lambda pair: pair[1].turn)
    )
    return replace(old, turns=turns, speakers=_speakers(old, turns, dict(correction.names)))


def changes(before: Transcript, after: Transcript) -> tuple[Change, ...]:
    """Return how two transcripts of one session differ, in order of time."""
    pairs = match([word.text for word in before.words], [word.text for word in after.words])
    found = (*_word_changes(before, after, pairs), *_speaker_changes(before, after, pairs))
    return tuple(sorted(found, key=lambda change: change.start_ms))


def chapter_changes(before: Revision, after: Revision) -> tuple[Change, ...]:
    """Return how a person's chapters differ between two revisions, in order of time."""
    found: list[Change] = []
    if (before.chapters is None) != (after.chapters is None):
        kind: Literal["chapters_own", "chapters_automatic"]
        kind = "chapters_own" if before.chapters is None else "chapters_automatic"
        found.append(Change(kind=kind, before="", after="", start_ms=0))
    was, now = ({each.start_ms: each.title for each in one.chapters or ()} for one in (before, after))
    for start_ms in sorted(was.keys() | now.keys()):
        gone, come = was.get(start_ms, ""), now.get(start_ms, "")
        if gone != come:
            found.append(Change(kind="chapter", before=gone, after=come, start_ms=start_ms))
    return tuple(found)


def cut_changes(before: Revision, after: Revision) -> tuple[Change, ...]:
    """Return which passages only one of two revisions leaves out, in order of time."""
    found: list[Change] = []
    for cut in sorted(set(before.cuts) ^ set(after.cuts), key=lambda each: (each.start_ms, each in after.cuts)):
        passage = f"{format_clock(cut.start_ms)} – {format_clock(cut.end_ms)}"
        gone, come = (passage, "") if cut in before.cuts else ("", passage)
        kind: Literal["cut_remove", "cut_mask"] = "cut_remove" if cut.kind == "remove" else "cut_mask"
        found.append(Change(kind=kind, before=gone, after=come, start_ms=cut.start_ms))
    return tuple(found)


def title_changes(before: Revision, after: Revision) -> tuple[Change, ...]:
    """Return how the titles that people gave a session differ between two revisions."""
    was, now = ((each.title.en or "", each.title.fr or "") if each.title else ("", "") for each in (before, after))
    # What is called the same in both languages is told once.
    pairs = dict.fromkeys(zip(was, now, strict=True))
    return tuple(Change(kind="title", before=old, after=new, start_ms=0) for old, new in pairs if old != new)


def _typed(turns: Sequence[CorrectedTurn]) -> Iterator[_Typed]:
    for number, turn in enumerate(turns):
        for token in turn.tokens:
            texts = [text.strip() for text in _BETWEEN_WORDS.split(unicodedata.normalize("NFC", token.text))]
            texts = [text for text in texts if text]
            for text in texts:
                # Of a word that became several, each is compared with it anew.
                was = token.was if len(texts) == 1 else None
                language = token.language or turn.language
                yield _Typed(text=text, was=was, turn=number, language=language, sure=token.sure)


def _origins(old: Sequence[Word], typed: Sequence[_Typed]) -> dict[int, int]:
    """Return the index of the word that each typed one was, where it was one; both rise together."""
    claimed = [(at, word.was) for at, word in enumerate(typed) if word.was is not None]
    if len({was for _, was in claimed}) != len(claimed):
        raise CorrectionInvalid("review.correction_invalid", {"detail": "was"})
    if any(not 0 <= was < len(old) for _, was in claimed):
        raise CorrectionInvalid("review.correction_invalid", {"detail": "was"})
    # Words that were moved to another place have no time there.
    sure = rising(claimed)
    origins = dict(sure)
    for (at, was), (to, will) in pairwise(chain([(-1, -1)], sure, [(len(typed), len(old))])):
        if to - at > 1 and will - was > 1:
            before = [word.text for word in old[was + 1 : will]]
            after = [word.text for word in typed[at + 1 : to]]
            origins.update((new + at + 1, at_old + was + 1) for at_old, new in match(before, after))
    return origins


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """Where typed words go.

    Attributes:
        before: The word that was left alone before it.
        after: The word that was left alone after it.
        replaced: The words that were there.
        with_before: Whether what is typed there goes on the turn of the word before it.
    """

    before: Word | None
    after: Word | None
    replaced: Sequence[Word]
    with_before: bool

    def span(self, letters: int, duration_ms: int) -> Span:
        """Return the time that so many letters get: that of what they replace, else what is free, as far as needed."""
        first_ms = self.before.end_ms if self.before else 0
        last_ms = self.after.start_ms if self.after else max(duration_ms, first_ms)
        first_ms = min(first_ms, last_ms)
        if self.replaced:
            first_ms = min(max(first_ms, self.replaced[0].start_ms), last_ms)
            last_ms = max(first_ms, min(last_ms, self.replaced[-1].end_ms))
            return Span(start_ms=first_ms, end_ms=last_ms)
        needed_ms = min(letters * _LETTER_MS, last_ms - first_ms)
        if self.before and (self.with_before or not self.after):
            return Span(start_ms=first_ms, end_ms=first_ms + needed_ms)
        return Span(start_ms=last_ms - needed_ms, end_ms=last_ms)


def _place(old: Transcript, typed: Sequence[_Typed], origins: Mapping[int, int]) -> list[Word]:
    """Give every typed word its time: its own where it was a word before, else one between those that were."""
    words = old.words
    placed: list[Word] = []
    edges = chain([(-1, -1)], sorted(origins.items()), [(len(typed), len(words))])
    for (at, was), (to, will) in pairwise(edges):
        fresh = typed[at + 1 : to]
        if fresh:
            gap = _Gap(
                before=words[was] if was >= 0 else None,
                after=words[will] if will < len(words) else None,
                replaced=words[was + 1 : will],
                with_before=at >= 0 and typed[at].turn == fresh[0].turn,
            )
            placed += _fill(gap, fresh, old)
        if to < len(typed):
            placed.append(_kept(words[will], typed[to]))
    return placed


def _fill(gap: _Gap, fresh: Sequence[_Typed], old: Transcript) -> Iterator[Word]:
    lengths = [len(word.text) for word in fresh]
    span = gap.span(sum(lengths), old.duration_ms)
    edges = [span.start_ms + span.duration_ms * part // sum(lengths) for part in accumulate(lengths, initial=0)]
    beside = next(iter(gap.replaced), None) or (gap.before if gap.with_before else gap.after) or gap.before
    for word, (start_ms, end_ms) in zip(fresh, pairwise(edges), strict=True):
        yield Word(
            start_ms=start_ms,
            end_ms=end_ms,
            text=word.text,
            probability=1.0,
            language=word.language or (beside.language if beside else old.language),
            overlapped=any(one.overlapped for one in gap.replaced),
            timed="interpolated",
        )


def _kept(word: Word, typed: _Typed) -> Word:
    """Return a word that was there before as it is now."""
    language = typed.language or word.language
    if word.text == typed.text:
        return replace(word, language=language, probability=1.0 if typed.sure else word.probability)
    timed = word.timed if fold(word.text) == fold(typed.text) else "interpolated"
    return replace(word, text=typed.text, language=language, probability=1.0, timed=timed)


def _speakers(old: Transcript, turns: Sequence[Turn], names: Mapping[str, str]) -> tuple[Speaker, ...]:
    known = {speaker.key: speaker for speaker in old.speakers}
    keys = dict.fromkeys(turn.speaker for turn in turns if turn.speaker is not None)
    return tuple(_speaker(known.get(key, Speaker(key=key)), names.get(key)) for key in keys)


def _speaker(speaker: Speaker, name: str | None) -> Speaker:
    if name is None:
        return replace(speaker, name=None)
    return Speaker(key=speaker.key, name=" ".join(unicodedata.normalize("NFC", name).split()))


def _word_changes(before: Transcript, after: Transcript, pairs: Sequence[tuple[int, int]]) -> Iterator[Change]:
    old, new = before.words, after.words
    same = [pair for pair in pairs if old[pair[0]].text == new[pair[1]].text]
    for (at, to), (until, up_to) in pairwise(chain([(-1, -1)], same, [(len(old), len(new))])):
        gone, come = old[at + 1 : until], new[to + 1 : up_to]
        if gone or come:
            yield Change(
                kind="words",
                before=" ".join(word.text for word in gone),
                after=" ".join(word.text for word in come),
                start_ms=(gone or come)[0].start_ms,
            )


def _speaker_changes(before: Transcript, after: Transcript, pairs: Sequence[tuple[int, int]]) -> Iterator[Change]:
    was, now, words = _voices(before), _voices(after), before.words
    moves = [(was[at], now[to], words[at].start_ms) for at, to in pairs]
    named: set[tuple[tuple[str, str], tuple[str, str]]] = set()
    for (old, new), run in groupby(moves, key=lambda move: move[:2]):
        if old[1] == new[1] or (old, new) in named:
            continue
        # A voice that is called otherwise is so in all that it says: it is told once.
        if old[0] == new[0]:
            named.add((old, new))
        yield Change(kind="speaker", before=old[1], after=new[1], start_ms=next(run)[2])


def _voices(transcript: Transcript) -> list[tuple[str, str]]:
    """Return the key of each word's speaker and what they are called; nothing where nobody could be told."""
    called = {speaker.key: speaker_label(speaker, transcript.language) for speaker in transcript.speakers}
    keys = [turn.speaker or "" for turn in transcript.turns for _ in turn.words]
    return [(key, called.get(key, "")) for key in keys]
