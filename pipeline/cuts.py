"""What learners do not get: how cuts move time, and what they leave of the words.

Cuts and a transcript go in, the transcript that may be published comes out: removed passages are gone and everything
after them is earlier, masked passages read "[…]". The film and the sound follow the same :class:`Timeline` in
``pipeline.video``. Pure time and text; stands alone so that every medium is cut in the same place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import Final

from pipeline.revisions import Cut
from pipeline.types import Chapter, NameProposal, Notice, Span, Speaker, Transcript, Turn, Word

HIDDEN: Final = "[…]"
"""What stands in the text for words that are masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The time of a recording before and after its cuts.

    Attributes:
        duration_ms: Of the recording.
        cuts: In order, apart.
    """

    duration_ms: int
    cuts: tuple[Cut, ...]

    @property
    def removed(self) -> tuple[Span, ...]:
        """What is taken out, as far as the recording goes."""
        taken = (
            Span(start_ms=cut.start_ms, end_ms=min(cut.end_ms, self.duration_ms))
            for cut in self.cuts
            if cut.kind == "remove" and cut.start_ms < self.duration_ms
        )
        return tuple(taken)

    @property
    def masked(self) -> tuple[Cut, ...]:
        """What is hidden where it stands."""
        return tuple(cut for cut in self.cuts if cut.kind == "mask" and cut.start_ms < self.duration_ms)

    @property
    def kept(self) -> tuple[Span, ...]:
        """What stays, in order, apart; on the clock of the recording."""
        edges = [0, *(ms for span in self.removed for ms in (span.start_ms, span.end_ms)), self.duration_ms]
        spans = (Span(start_ms=first, end_ms=last) for first, last in zip(edges[::2], edges[1::2], strict=True))
        return tuple(span for span in spans if span.duration_ms)

    @property
    def kept_ms(self) -> int:
        """How long what stays is."""
        return sum(span.duration_ms for span in self.kept)

    def map_ms(self, moments: Sequence[int]) -> tuple[int, ...]:
        """Return where moments of the recording are after the cuts; one that is taken out, where that was.

        Args:
            moments: In any order.

        Example:
            >>> Timeline(duration_ms=100, cuts=(Cut(start_ms=10, end_ms=30, kind="remove"),)).map_ms([5, 20, 50])
            (5, 10, 30)
        """
        removed = self.removed
        starts = [span.start_ms for span in removed]
        gone = [0, *accumulate(span.duration_ms for span in removed)]
        return tuple(_mapped(ms, bisect_right(starts, ms), removed, gone) for ms in moments)

    def recorded_ms(self, ms: int) -> int:
        """Return where in the recording a moment after the cuts is.

        Args:
            ms: From 0 up to :attr:`kept_ms`.

        Example:
            >>> Timeline(duration_ms=100, cuts=(Cut(start_ms=10, end_ms=30, kind="remove"),)).recorded_ms(15)
            35
        """
        return ms + sum(span.duration_ms for span in self.removed if self.map_ms([span.start_ms])[0] <= ms)


def apply_cuts(transcript: Transcript, cuts: tuple[Cut, ...]) -> Transcript:
    """Return what of a transcript may be published, on the clock of what is left.

    A word that a cut only touches goes too: what is not to be heard is not to be read.

    Args:
        transcript: On the clock of the recording.
        cuts: In order, apart.
    """
    if not cuts:
        return transcript
    timeline = Timeline(duration_ms=transcript.duration_ms, cuts=cuts)
    turns = tuple(Turn(speaker=turn.speaker, words=words) for turn in transcript.turns if (words := _left(turn, cuts)))
    heard = {turn.speaker for turn in turns}
    return replace(
        transcript,
        duration_ms=timeline.kept_ms,
        turns=tuple(replace(turn, words=_moved(turn.words, timeline)) for turn in turns),
        speakers=tuple(_speaker(each, timeline) for each in transcript.speakers if each.key in heard),
        notices=tuple(_notices(transcript.notices, timeline)),
    )


def move_chapters(chapters: Sequence[Chapter], timeline: Timeline) -> tuple[Chapter, ...]:
    """Return a person's chapters on the clock of what is left; one that is removed whole is gone.

    Args:
        chapters: In order, apart, on the clock of the recording.
        timeline: What is left of it.
    """
    starts = timeline.map_ms([chapter.start_ms for chapter in chapters])
    ends = timeline.map_ms([chapter.end_ms for chapter in chapters])
    moved = zip(chapters, starts, ends, strict=True)
    return tuple(replace(chapter, start_ms=a, end_ms=b) for chapter, a, b in moved if a < b)


def follow_words(before: Transcript, after: Transcript, cuts: tuple[Cut, ...]) -> tuple[Transcript, tuple[Cut, ...]]:
    """Return words that were looked for in the sound, and cuts that hide the very words that they hid before.

    What a cut hid where it was thought to be is hidden where it is heard, too: the cut grows. A word that it did not
    hide makes room for it, and keeps a millisecond between two cuts that would meet, since whoever approved them saw
    that word stay.

    Args:
        before: As it was when the cuts were made; where its interpolated words are heard was not known.
        after: The same words, those where they are heard.
        cuts: In order, apart.
    """
    if not cuts:
        return after, cuts
    hidden = [_touched(word, cuts) for word in before.words]
    words = _where_cuts_can_follow(before.words, after.words, hidden)
    # After how many cuts each word stands that moves and stays.
    places = {
        at: bisect_right(cuts, was.start_ms, key=lambda cut: cut.start_ms)
        for at, was in enumerate(before.words)
        if not hidden[at] and was.timed == "interpolated"
    }
    grown = _grown(cuts, hidden, words, set(places.values()))
    followed = dict(zip(cuts, grown, strict=True))
    for at, (word, cut) in enumerate(zip(words, hidden, strict=True)):
        if at in places:
            words[at] = _beside(word, grown, places[at])
        elif cut is not None:
            words[at] = _under(word, followed[cut])
    ordered = iter(words)
    turns = tuple(replace(turn, words=tuple(next(ordered) for _ in turn.words)) for turn in after.turns)
    return replace(after, turns=turns), grown


def left_by_cuts(transcript: Transcript, cuts: tuple[Cut, ...]) -> tuple[int | None, ...]:
    """Return the index of each word that :func:`apply_cuts` leaves, in the transcript; none for one that hides."""
    found: list[int | None] = []
    index = 0
    for turn in transcript.turns:
        for cut, run in groupby(turn.words, key=lambda word: _touched(word, cuts)):
            count = len(list(run))
            if cut is None:
                found += range(index, index + count)
            elif cut.kind == "mask":
                found.append(None)
            index += count
    return tuple(found)


def is_touched(span: Span, cuts: Sequence[Cut]) -> bool:
    """Say whether a cut meets a span: then nothing of it may be published."""
    return _touched(span, cuts) is not None


def _mapped(ms: int, after: int, removed: Sequence[Span], gone: Sequence[int]) -> int:
    """Return where a moment is that lies after the start of so many removed spans."""
    return max(ms, removed[after - 1].end_ms) - gone[after] if after else ms


def _touched(span: Span, cuts: Sequence[Cut]) -> Cut | None:
    """Return the cut that a span meets."""
    after = bisect_right(cuts, span.start_ms, key=lambda cut: cut.end_ms)
    if after < len(cuts) and cuts[after].start_ms < _shown_until(span):
        return cuts[after]
    return None


def _where_cuts_can_follow(before: Sequence[Word], after: Sequence[Word], hidden: Sequence[Cut | None]) -> list[Word]:
    """Return words where they are heard, but those where they were that a cut could only follow over other words."""
    found: list[Word] = []
    for interpolated, run in groupby(range(len(before)), key=lambda at: before[at].timed == "interpolated"):
        indices = list(run)
        first, then = indices[0], indices[-1] + 1
        floor_ms = before[first - 1].end_ms if first and not hidden[first - 1] else 0
        follows = all(
            floor_ms <= after[at].start_ms
            and (then == len(before) or hidden[then] or _shown_until(after[at]) <= before[then].start_ms)
            for at in indices
            if interpolated and hidden[at]
        )
        found += (after if follows else before)[first:then]
    return found


def _shown_until(span: Span) -> int:
    """Return until when a cut has to last that hides a span, which may take no time."""
    return max(span.end_ms, span.start_ms + 1)


def _grown(
    cuts: Sequence[Cut], hidden: Sequence[Cut | None], words: Sequence[Word], inhabited: Collection[int]
) -> tuple[Cut, ...]:
    """Return cuts that reach as far as the words that they hide, apart where a word stands after so many of them."""
    reached = {cut: (cut.start_ms, cut.end_ms) for cut in cuts}
    for cut, word in zip(hidden, words, strict=True):
        if cut is not None:
            first_ms, last_ms = reached[cut]
            reached[cut] = min(first_ms, word.start_ms), max(last_ms, _shown_until(word))
    spans = [reached[cut] for cut in cuts]
    if 0 in inhabited:
        spans[0] = max(1, spans[0][0]), spans[0][1]
    for at in range(1, len(cuts)):
        (one_ms, first_end_ms), (other_ms, end_ms) = spans[at - 1 : at + 1]
        room_ms = int(at in inhabited)
        if other_ms < first_end_ms + room_ms:
            # Between where both were: each goes on with what the other had reached beyond that.
            border_ms = max(other_ms - room_ms, cuts[at - 1].end_ms)
            spans[at - 1 : at + 1] = [(one_ms, border_ms), (border_ms + room_ms, max(first_end_ms, end_ms))]
    return tuple(replace(cut, start_ms=a, end_ms=b) for cut, (a, b) in zip(cuts, spans, strict=True))


def _beside(word: Word, cuts: Sequence[Cut], after: int) -> Word:
    """Return a word that stays between so many cuts and the next one."""
    floor_ms = cuts[after - 1].end_ms if after else 0
    start_ms = max(word.start_ms, floor_ms)
    end_ms = max(word.end_ms, start_ms)
    if after < len(cuts):
        top_ms = cuts[after].start_ms
        start_ms, end_ms = max(0, min(start_ms, top_ms - 1)), min(end_ms, top_ms)
    return replace(word, start_ms=start_ms, end_ms=end_ms)


def _under(word: Word, cut: Cut) -> Word:
    """Return a word that the cut hides, within it."""
    start_ms = min(max(word.start_ms, cut.start_ms), cut.end_ms - 1)
    return replace(word, start_ms=start_ms, end_ms=max(start_ms, min(word.end_ms, cut.end_ms)))


def _left(turn: Turn, cuts: Sequence[Cut]) -> tuple[Word, ...]:
    """Return what a turn has left, on the clock of the recording."""
    found: list[Word] = []
    for cut, run in groupby(turn.words, key=lambda word: _touched(word, cuts)):
        words = list(run)
        if cut is None:
            found += words
        elif cut.kind == "mask":
            found.append(replace(words[0], end_ms=words[-1].end_ms, text=HIDDEN, probability=1.0))
    return tuple(found)


def _moved(words: Sequence[Word], timeline: Timeline) -> tuple[Word, ...]:
    starts = timeline.map_ms([word.start_ms for word in words])
    ends = timeline.map_ms([word.end_ms for word in words])
    return tuple(replace(word, start_ms=a, end_ms=b) for word, a, b in zip(words, starts, ends, strict=True))


def _speaker(speaker: Speaker, timeline: Timeline) -> Speaker:
    return replace(speaker, proposals=tuple(_proposals(speaker.proposals, timeline)))


def _proposals(proposals: Sequence[NameProposal], timeline: Timeline) -> Iterator[NameProposal]:
    """Yield what a name rests on, unless the words that it quotes are cut."""
    for proposal in proposals:
        if not is_touched(proposal, timeline.cuts):
            start_ms, end_ms = timeline.map_ms([proposal.start_ms, proposal.end_ms])
            yield replace(proposal, start_ms=start_ms, end_ms=end_ms)


def _notices(notices: Sequence[Notice], timeline: Timeline) -> Iterator[Notice]:
    """Yield what is to be known of what is left."""
    for notice in notices:
        if notice.span is None:
            yield notice
        elif not is_touched(notice.span, timeline.cuts):
            start_ms, end_ms = timeline.map_ms([notice.span.start_ms, notice.span.end_ms])
            yield replace(notice, span=Span(start_ms=start_ms, end_ms=end_ms))
