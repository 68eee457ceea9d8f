"""Who says what: from a waveform to voices, and from words and voices to a transcript.

A waveform and an opened diarizer go in and a :class:`~pipeline.types.Diarization` comes out, an empty one with a notice
where the engine fails: a session without speakers is still a session. Words and voices go in and a
:class:`~pipeline.types.Transcript` comes out, with every word in it once and in order. It stands alone because who
speaks is decided here and nowhere else, whatever engine heard the voices.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Final, TypeVar

from pipeline.backchannels import answer_length
from pipeline.enrolment import EnrolledVoice, recognise_voices
from pipeline.errors import EngineError, OutOfMemory
from pipeline.introductions import with_proposals
from pipeline.messages import message
from pipeline.ports import Diarizer, Progress, Waveform, no_progress
from pipeline.types import (
    Diarization,
    Language,
    Notice,
    Recognition,
    Session,
    Span,
    Speaker,
    SpeakerCount,
    SpeakerSpan,
    Transcript,
    Turn,
    Word,
)

_logger = logging.getLogger(__name__)

AnySpan = TypeVar("AnySpan", bound=Span)

_SENTENCE_END: Final = (".", "?", "!", "…")
_CLAUSE_END: Final = (",", ";", ":", "-", "–")
_CLOSING: Final = "\"'”’»)] \u00a0\u202f"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerOptions:
    """How words go to voices.

    Attributes:
        tolerance_ms: A word that no voice covers goes to the nearest voice within this.
        pause_ms: A silence between two words from which somebody else may well go on.
        boundary_words: A change of speaker moves to a sentence end or a pause at most this many words away: the times
            of words and of voices are each wrong by a few tenths of a second.
        stray_words: So many words or fewer of another voice within an unbroken run do not tear it apart, unless they
            are an answer thrown in, such as "yes", that is set apart.
        overlapped_share: A word counts as overlapped when two voices are heard for this share of it, 0 to 1.
        paragraph_pause_ms: Where nobody could be told, a silence that starts a new turn.
        paragraph_ms: … and a length from which the next sentence end does.
    """

    tolerance_ms: int = 1_500
    pause_ms: int = 300
    boundary_words: int = 2
    stray_words: int = 1
    overlapped_share: float = 0.5
    paragraph_pause_ms: int = 2_000
    paragraph_ms: int = 30_000

    def __post_init__(self) -> None:
        durations = (self.tolerance_ms, self.pause_ms, self.paragraph_pause_ms, self.paragraph_ms)
        if min(durations) < 0 or min(self.boundary_words, self.stray_words) < 0:
            raise ValueError("times and numbers of words are at least 0")
        if not 0.0 < self.overlapped_share <= 1.0:
            raise ValueError(f"not a share: {self.overlapped_share}")


_DEFAULTS: Final = SpeakerOptions()


def diarize(
    waveform: Waveform,
    session: Session,
    diarizer: Diarizer,
    progress: Progress = no_progress,
    known: Sequence[EnrolledVoice] = (),
) -> Diarization:
    """Tell the voices of a recording apart, or say that it could not be done.

    Lack of memory on a GPU is answered by one more try on the CPU. No engine failure leaves this function.

    Args:
        waveform: The whole recording.
        session: For the number of voices to expect.
        diarizer: The opened engine.
        progress: Told the share done.
        known: Voices of people who let themselves be recognised.

    Returns:
        The voices; empty with the notice ``speakers.failed`` when the engine failed, and with ``speakers.count_unmet``
        when it found another number of voices than the session announces. How they sound is left out: personal data
        goes no further than the comparison with those who agreed to it.
    """
    try:
        found = _diarize_somewhere(waveform, session.speaker_count, diarizer, progress)
    except EngineError as failure:
        _logger.warning("session %s: no speakers: %s", session.id, failure, exc_info=failure)
        return without_speakers()
    names = recognise_voices(found, known) if known else ()
    return replace(found, voices=(), names=names, notices=found.notices + _count_notices(found, session))


def without_speakers() -> Diarization:
    """Return what goes on in place of a diarization that failed: nobody, and a notice that says so."""
    return Diarization(spans=(), exclusive=(), notices=(Notice(code="speakers.failed"),))


def _diarize_somewhere(waveform: Waveform, count: SpeakerCount, diarizer: Diarizer, progress: Progress) -> Diarization:
    try:
        return diarizer.diarize(waveform, count=count, progress=progress)
    except OutOfMemory:
        if all(model.device == "cpu" for model in diarizer.models):
            raise
        _logger.warning("the GPU has too little memory for the speakers; trying the CPU")
    found = diarizer.to_cpu().diarize(waveform, count=count, progress=progress)
    return replace(found, notices=(*found.notices, Notice(code="speakers.moved_to_cpu")))


def _count_notices(found: Diarization, session: Session) -> tuple[Notice, ...]:
    count = session.speaker_count
    number = len({span.speaker for span in found.spans})
    least, most = count.exact or count.least or 0, count.exact or count.most or number
    if number == 0 or least <= number <= most:
        return ()
    data = (("expected", _expected(count, session.language)), ("found", str(number)))
    return (Notice(code="speakers.count_unmet", data=data),)


def _expected(count: SpeakerCount, language: Language) -> str:
    if count.exact is not None:
        return message("speakers.exactly", language, number=count.exact)
    if count.least is not None and count.most is not None:
        return message("speakers.between", language, least=count.least, most=count.most)
    if count.least is not None:
        return message("speakers.at_least", language, number=count.least)
    return message("speakers.at_most", language, number=count.most)


def attribute(
    recognition: Recognition,
    diarization: Diarization,
    session: Session,
    *,
    duration_ms: int = 0,
    options: SpeakerOptions = _DEFAULTS,
) -> Transcript:
    """Give every word to the voice that says it.

    Words and voices are passed through once, side by side. Every recognised word is in the result once, in order.

    Args:
        recognition: The words.
        diarization: The voices; when there are none, turns have no speaker and end at long pauses.
        session: For the languages, for who may be named, and for the spelling of names that are proposed.
        duration_ms: Length of the recording; the transcript is at least as long as what is heard in it.
        options: How words go to voices.
    """
    words = tuple(_flag_overlap(recognition.words, diarization.spans, options))
    voices = _settle(words, list(_nearest_voices(words, diarization.exclusive, options)), options)
    keys = {voice: f"S{number}" for number, voice in enumerate(dict.fromkeys(v for v in voices if v is not None), 1)}
    turns = tuple(_turns(words, [None if voice is None else keys[voice] for voice in voices], options))
    last_ms = max((span.end_ms for span in (*words, *recognition.speech, *diarization.spans)), default=0)
    return Transcript(
        session_id=session.id,
        language=session.language,
        duration_ms=max(duration_ms, last_ms),
        turns=turns,
        speakers=with_proposals(_speakers(keys, dict(diarization.names), session), turns, session),
        notices=recognition.notices + diarization.notices,
    )


def speaker_label(speaker: Speaker, language: Language) -> str:
    """Return what a reader of that language calls a speaker.

    Example:
        >>> speaker_label(Speaker(key="S2"), "fr")
        'Intervenant 2'
        >>> speaker_label(Speaker(key="S2", name="Anna Roy"), "fr")
        'Anna Roy'
    """
    return speaker.name or message("speakers.unnamed", language, number=speaker.key.removeprefix("S"))


def _speakers(keys: Mapping[str, str], names: Mapping[str, str], session: Session) -> tuple[Speaker, ...]:
    """Name a voice that is known to be somebody's, or where there is no choice: one person announced, one voice."""
    people = {person.name for person in session.people}
    if len(keys) == 1 and len(people) == 1 and not names:
        return tuple(Speaker(key=key, name=name) for key, name in zip(keys.values(), people, strict=True))
    return tuple(Speaker(key=key, name=names.get(voice)) for voice, key in keys.items())


def overlaps(spans: Iterable[SpeakerSpan]) -> tuple[Span, ...]:
    """Return the stretches where two or more voices are heard at once, in order, apart.

    Example:
        >>> anna = SpeakerSpan(start_ms=0, end_ms=900, speaker="a")
        >>> ben = SpeakerSpan(start_ms=700, end_ms=2000, speaker="b")
        >>> [(span.start_ms, span.end_ms) for span in overlaps([anna, ben])]
        [(700, 900)]
    """
    events = sorted((ms, step, span.speaker) for span in spans for ms, step in _edges(span))
    active: dict[str, int] = {}
    found: list[Span] = []
    since: int | None = None
    for ms, step, speaker in events:
        active[speaker] = active.get(speaker, 0) + step
        crowded = sum(1 for number in active.values() if number) > 1
        if crowded and since is None:
            since = ms
        elif not crowded and since is not None:
            found.append(Span(start_ms=since, end_ms=ms))
            since = None
    return tuple(span for span in found if span.duration_ms)


def _edges(span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
    return (span.start_ms, 1), (span.end_ms, -1)


def _flag_overlap(words: Sequence[Word], spans: Iterable[SpeakerSpan], options: SpeakerOptions) -> Iterator[Word]:
    crowded = overlaps(spans)
    first = 0
    for word in words:
        first = _first_that_may_meet(crowded, first, word)
        shared = sum(span.overlap_ms(word) for span in _meeting(crowded, first, word))
        enough = shared > 0 and shared >= options.overlapped_share * word.duration_ms
        yield replace(word, overlapped=True) if enough else word


def _first_that_may_meet(spans: Sequence[Span], first: int, word: Word) -> int:
    """Pass over what ends before the word: no later word meets it either, since words are in order of start."""
    while first < len(spans) and spans[first].end_ms <= word.start_ms:
        first += 1
    return first


def _meeting(spans: Sequence[AnySpan], first: int, word: Word) -> Iterator[AnySpan]:
    for index in range(first, len(spans)):
        if spans[index].start_ms >= word.end_ms:
            return
        yield spans[index]


def _nearest_voices(
    words: Sequence[Word], spans: Sequence[SpeakerSpan], options: SpeakerOptions
) -> Iterator[str | None]:
    """Yield each word's voice: the one heard longest during it, or else the nearest, or else none."""
    first = 0
    for word in words:
        first = _first_that_may_meet(spans, first, word)
        shares: dict[str, int] = {}
        for span in _meeting(spans, first, word):
            shares[span.speaker] = shares.get(span.speaker, 0) + span.overlap_ms(word)
        if shares:
            yield max(shares, key=lambda voice: shares[voice])
        else:
            yield _beside(word, spans[max(0, first - 1) : first + 1], options.tolerance_ms)


def _beside(word: Word, neighbours: Sequence[SpeakerSpan], tolerance_ms: int) -> str | None:
    gaps = [(max(word.start_ms - span.end_ms, span.start_ms - word.end_ms), span.speaker) for span in neighbours]
    gap_ms, voice = min(gaps, key=lambda gap: gap[0], default=(tolerance_ms + 1, None))
    return voice if gap_ms <= tolerance_ms else None


def _settle(words: Sequence[Word], voices: list[str | None], options: SpeakerOptions) -> list[str | None]:
    """Undo the changes of voice that only come from times being a little wrong."""
    breaks = [True, *(_may_break(before, after, options) for before, after in pairwise(words))]
    return _move_changes(breaks, _absorb_strays(words, voices, options), options)


def _may_break(before: Word, after: Word, options: SpeakerOptions) -> bool:
    return _ends(before, _SENTENCE_END) or _pauses(before, after, options)


def _ends(word: Word, marks: tuple[str, ...]) -> bool:
    return word.text.rstrip(_CLOSING).endswith(marks)


def _pauses(before: Word, after: Word, options: SpeakerOptions) -> bool:
    return after.start_ms - before.end_ms >= options.pause_ms


def _runs(voices: Sequence[str | None]) -> list[tuple[str | None, int, int]]:
    """Return each run of one voice with its first index and the one after its last."""
    found: list[tuple[str | None, int, int]] = []
    start = 0
    for voice, run in groupby(voices):
        stop = start + sum(1 for _ in run)
        found.append((voice, start, stop))
        start = stop
    return found


def _absorb_strays(words: Sequence[Word], voices: Sequence[str | None], options: SpeakerOptions) -> list[str | None]:
    """Give the words of a short run within another voice's to that voice, but for those that are an answer to it."""
    settled = list(voices)
    runs = _runs(voices)
    for (_, start, stop), (after, _, _) in pairwise(runs[1:]):
        before = settled[start - 1]  # As settled so far: what stood there may have been a stray itself.
        if before is not None and before == after:
            own = start + _own_words(words, start, stop, options)
            settled[own:stop] = [before] * (stop - own)
    return settled


def _own_words(words: Sequence[Word], start: int, stop: int, options: SpeakerOptions) -> int:
    """Return how many of the words of a run within another voice's are really its own, from its first on.

    A listener's "yes" is theirs where a pause or a mark sets it apart, and takes no word of the sentence with it. Any
    other stray word is theirs only where a sentence ends beside it.
    """
    length, edges = stop - start, (start - 1, stop - 1)
    answer = answer_length([word.text for word in words[start:stop]])
    if 0 < answer < length <= answer + options.boundary_words and not _may_break(words[stop - 1], words[stop], options):
        return answer
    if length > options.stray_words or any(_ends(words[at], _SENTENCE_END) for at in edges):
        return length
    apart = any(_ends(words[at], _CLAUSE_END) or _pauses(words[at], words[at + 1], options) for at in edges)
    return length if answer and apart else 0


def _move_changes(breaks: Sequence[bool], voices: list[str | None], options: SpeakerOptions) -> list[str | None]:
    """Move each change of voice to the nearest break, if one is near and leaves both voices some words."""
    settled, first = list(voices), 0
    for (before, _, change), (after, _, last) in pairwise(_runs(voices)):
        reach = options.boundary_words
        near = [at for at in range(max(first + 1, change - reach), min(last, change + reach + 1)) if breaks[at]]
        to = min(near, key=lambda at: abs(at - change), default=change)
        settled[to:change] = [after] * (change - to)
        settled[change:to] = [before] * (to - change)
        first = to
    return settled


def _turns(words: Sequence[Word], keys: Sequence[str | None], options: SpeakerOptions) -> Iterator[Turn]:
    for key, start, stop in _runs(keys):
        if key is not None:
            yield Turn(speaker=key, words=tuple(words[start:stop]))
        else:
            yield from (Turn(speaker=None, words=part) for part in _paragraphs(words[start:stop], options))


def _paragraphs(words: Sequence[Word], options: SpeakerOptions) -> Iterator[tuple[Word, ...]]:
    """Cut words that nobody could be given to where a reader would rest."""
    start = 0
    for index, (before, after) in enumerate(pairwise(words), start=1):
        silence = after.start_ms - before.end_ms >= options.paragraph_pause_ms
        long = before.end_ms - words[start].start_ms >= options.paragraph_ms
        if silence or (long and _may_break(before, after, options)):
            yield tuple(words[start:index])
            start = index
    yield tuple(words[start:])
