"""From sound to words: what was said, when, in which language.

A waveform and what is known of the session go in, a :class:`pipeline.types.Recognition` comes out. Speech is found
first; each stretch of it gets its language, among those of the session; windows of at most 30 s are decoded many at
once (where a person named one language, in that, and only what lies around another gets its own); what
``pipeline.screening`` doubts is decoded again, alone and carefully, and the better of the two is kept; speech without
text is decoded once more by itself, and flagged if it stays empty. It stands alone because it knows no engine: whatever
satisfies :class:`pipeline.ports.Recognizer` will do, and a failing one is lowered (smaller batch, then the CPU) before
it is given up.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, pairwise
from typing import Final, TypeVar

import numpy as np

from pipeline.errors import EngineError, OutOfMemory
from pipeline.ports import SAMPLE_RATE, Decoded, LanguageQuestion, Progress, Recognizer, Waveform, no_progress
from pipeline.screening import (
    Doubt,
    ScreeningRules,
    belief,
    clip,
    find_doubts,
    find_holes,
    join,
    score,
    snap,
    split_words,
    stretched_holes,
    subtract,
    tighten,
)
from pipeline.types import LANGUAGES, Language, Notice, Recognition, Session, Span, Word

_logger = logging.getLogger(__name__)

T = TypeVar("T")

_FAIR_PART: Final = 0.05
"""Share of the words from which a session is in a language, too."""

_QUIET_MS: Final = 100

SHORTEST_WORD_MS: Final = 20
"""The aligner's own step: no word is shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechOptions:
    """How words are found.

    Attributes:
        window_ms: Longest stretch decoded at once; the recogniser takes no more than 30 000.
        piece_ms: Longest stretch when a doubtful window is decoded again in pieces.
        longest_pause_ms: A longer pause ends a window.
        phrase_pause_ms: Pauses much longer than this are between phrases, and good to cut at.
        margin_ms: Sound kept before and after the speech of a window.
        batch_size: Windows decoded together, where the recogniser does not know how many its device has memory for.
        hotwords_length: Characters of glossary and names that the recogniser is told, at most.
        language_ms: Speech looked at to tell the language of a stretch, at most.
        switch_cost: What a change of language costs, in units of log-probability: one word alone does not flip it.
        sure_after_ms: Speech from which a stretch's language counts in full.
        other_languages: Heard for, beside those of the house, so that they are flagged rather than forced into English.
        other_probability: From which one of these is flagged.
        unnamed_probability: Of a whole window, from which a language that nobody named is looked for in and around it;
            a window of two languages is often believed to be in each in part.
        unnamed_inner_probability: Of a stretch in a window, from which the other language of the house is looked for:
            English in a French window is not heard in the window as a whole.
        unbelieved_probability: Mean over the words of a stretch, in the one language that a person named, under which
            it is asked by itself whether it is in one of the other languages.
        screening: Where suspicion starts.
    """

    window_ms: int = 29_000
    piece_ms: int = 10_000
    longest_pause_ms: int = 3_000
    phrase_pause_ms: int = 400
    margin_ms: int = 300
    batch_size: int = 4
    hotwords_length: int = 300
    language_ms: int = 4_000
    switch_cost: float = 1.5
    sure_after_ms: int = 1_500
    other_languages: tuple[str, ...] = ("ar", "de", "es", "it", "pt", "zh")
    other_probability: float = 0.8
    unnamed_probability: float = 0.25
    unnamed_inner_probability: float = 0.7
    unbelieved_probability: float = 0.65
    screening: ScreeningRules = field(default_factory=ScreeningRules)

    def __post_init__(self) -> None:
        if self.phrase_pause_ms < 1:
            raise ValueError(f"not a pause: {self.phrase_pause_ms} ms")
        if self.batch_size < 1:
            raise ValueError(f"not a batch: {self.batch_size}")
        if min(self.longest_pause_ms, self.margin_ms, self.hotwords_length, self.language_ms, self.sure_after_ms) < 0:
            raise ValueError("lengths are at least 0")
        margins_ms = 2 * self.margin_ms
        if not 1_000 + margins_ms <= self.piece_ms <= self.window_ms - margins_ms <= 30_000 - margins_ms:
            raise ValueError(
                f"not a piece and a window: {self.piece_ms} and {self.window_ms} ms, with margins of {self.margin_ms}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch(Span):
    """Speech in one language.

    Attributes:
        language: ISO 639-1 code.
    """

    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passage:
    """A window with what was made of it."""

    window: Stretch
    decoded: Decoded
    doubts: frozenset[Doubt]


def recognize(
    waveform: Waveform,
    session: Session,
    recognizer: Recognizer,
    options: SpeechOptions | None = None,
    progress: Progress = no_progress,
) -> Recognition:
    """Return every word that was said, once, in order, with its time, probability and language.

    Args:
        waveform: The whole recording, from time zero.
        session: Its languages and the names and terms to be spelled right.
        recognizer: Opened; used by this call alone while it runs.
        options: How.
        progress: Told the share done.

    Raises:
        OutOfMemory: Not even one window at a time fits on the CPU.
        RecognitionFailed: The recogniser fails on the CPU too.
    """
    options = options or SpeechOptions()
    length_ms = len(waveform) * 1000 // SAMPLE_RATE
    speech = recognizer.detect_speech(waveform)
    if not speech:
        progress(1.0)
        return Recognition(words=(), speech=(), notices=(Notice(code="speech.none"),), model=recognizer.model)
    engine = _Engine(recognizer, waveform, choose_hotwords(session, options.hotwords_length), options.batch_size)
    bounds = Span(start_ms=0, end_ms=length_ms)
    named = _as_named(engine, speech, session, bounds, options, lambda share: progress(0.7 * share))
    stretches, heard = _hear_languages(engine, speech, session, named, options)
    windows = pack(stretches, bounds, options.window_ms, options)
    done = 0.7 if named else 0.0
    passages = _first_pass(
        engine, windows, named, speech, options.screening, lambda share: progress(done + (0.8 - done) * share)
    )
    passages = _in_pieces(engine, passages, speech, options, lambda share: progress(0.8 + 0.1 * share))
    passages = _alone(engine, passages, speech, options.screening, lambda share: progress(0.9 + 0.1 * share))
    words, doubtful = _settle(passages, speech, length_ms, options.screening)
    progress(1.0)
    silent = () if words else (Notice(code="speech.none"),)
    notices = (*engine.notices, *heard, *silent, *doubtful, *_language_notices(words, session))
    _logger.info("session %s: %d words, %d notices", session.id, len(words), len(notices))
    return Recognition(words=words, speech=speech, notices=notices, model=engine.recognizer.model)


def languages_heard(words: Sequence[Word], session: Session) -> tuple[Language, ...]:
    """Return the languages of a session now that it has been heard, the main one first.

    Those that a fair part of the words is in; what a person named stays first, unless hardly anything is in it.

    Example:
        >>> from pipeline.types import Bilingual
        >>> session = Session(id="0" * 16, title=Bilingual(en="A talk"), languages=("en", "fr"))
        >>> languages_heard([Word(text="Bonjour", start_ms=0, end_ms=400, probability=0.9, language="fr")], session)
        ('fr',)
    """
    counts = Counter(word.language for word in words)
    if not counts:
        return session.languages
    fair = [language for language in LANGUAGES if counts[language] >= _FAIR_PART * counts.total()]
    fair.sort(key=lambda language: (-counts[language], language != session.language))
    named = session.languages if session.languages_given else ()
    kept = named if any(language in named for language in fair) else ()
    return tuple(dict.fromkeys((*kept, *fair)))


def choose_hotwords(session: Session, longest: int) -> str | None:
    """Return the names and terms that the recogniser should expect, ``None`` where there are none.

    Guests and host come first, then the glossary, each once, as many as fit.

    Args:
        session: Where they come from.
        longest: Characters, at most.
    """
    people = (*session.guests, *((session.host,) if session.host else ()))
    terms = dict.fromkeys(" ".join(term.split()) for term in (*(person.name for person in people), *session.glossary))
    chosen: list[str] = []
    for term in terms:
        if term and len(", ".join([*chosen, term])) <= longest:
            chosen.append(term)
    return ", ".join(chosen) or None


def cut_long(waveform: Waveform, speech: Sequence[Span], longest_ms: int) -> tuple[Span, ...]:
    """Return the speech with what is longer than that cut where it is quietest.

    Args:
        waveform: The whole recording.
        speech: In order, apart.
        longest_ms: No stretch stays longer.
    """
    pieces: list[Span] = []
    for whole in speech:
        rest = whole
        while rest.duration_ms > longest_ms:
            half = Span(start_ms=rest.start_ms + longest_ms // 2, end_ms=rest.start_ms + longest_ms)
            at = quietest_ms(waveform, half)
            pieces.append(Span(start_ms=rest.start_ms, end_ms=at))
            rest = Span(start_ms=at, end_ms=rest.end_ms)
        pieces.append(rest)
    return tuple(pieces)


def quietest_ms(waveform: Waveform, span: Span) -> int:
    """Return the middle of the quietest tenth of a second in a stretch."""
    samples = _QUIET_MS * SAMPLE_RATE // 1000
    sound = waveform[span.start_ms * SAMPLE_RATE // 1000 : span.end_ms * SAMPLE_RATE // 1000]
    frames = len(sound) // samples
    if frames == 0:
        return span.middle_ms
    energy = np.square(sound[: frames * samples].reshape(frames, samples)).sum(axis=1)
    return span.start_ms + int(np.argmin(energy)) * _QUIET_MS + _QUIET_MS // 2


def choose_languages(
    evidence: Sequence[Mapping[str, float]], weights: Sequence[float], languages: Sequence[str], switch_cost: float
) -> tuple[str, ...]:
    """Return the language of each stretch: the likeliest sequence where every change costs something (Viterbi).

    Args:
        evidence: Probability of each language, one mapping a stretch.
        weights: How much each stretch's evidence counts, 0 to 1.
        languages: The candidates; on a tie the earlier one wins.
        switch_cost: Log-probability lost at each change.

    Example:
        >>> choose_languages([{"en": 0.99, "fr": 0.01}, {"en": 0.4, "fr": 0.6}], [1.0, 0.3], ("en", "fr"), 1.5)
        ('en', 'en')
    """
    if not evidence:
        return ()
    totals = dict.fromkeys(languages, 0.0)
    back: list[dict[str, str]] = []
    for probabilities, weight in zip(evidence, weights, strict=True):
        before: dict[str, str] = {}
        reached: dict[str, float] = {}
        for language in languages:
            costs = {other: totals[other] - switch_cost * (other != language) for other in languages}
            before[language] = max(languages, key=lambda other: costs[other])
            # One stretch alone never outweighs everything: no engine is that sure.
            reached[language] = costs[before[language]] + weight * float(np.log(max(0.01, probabilities[language])))
        back.append(before)
        totals = reached
    path = [max(languages, key=lambda language: totals[language])]
    for before in reversed(back[1:]):
        path.append(before[path[-1]])
    return tuple(reversed(path))


def pack(stretches: Sequence[Stretch], bounds: Span, longest_ms: int, options: SpeechOptions) -> tuple[Stretch, ...]:
    """Return windows that hold all the speech: one language each, in order, apart.

    Of all ways to cut, the one that costs least, by dynamic programming: a window costs 1, for the encoder takes as
    long over a short one; a cut costs up to 1 more, the shorter its pause, for a phrase cut in two is misheard.

    Args:
        stretches: Speech in order, apart, with its margins none longer than a window.
        bounds: No window reaches beyond.
        longest_ms: Of a window, margins included.
        options: Margins and pauses.
    """
    groups = _group(stretches, longest_ms, options)
    # The margin never reaches over the middle of the pause, so that neighbours share no sound.
    middles = [(one[-1].end_ms + two[0].start_ms) // 2 for one, two in pairwise(groups)]
    edges = [bounds.start_ms, *middles, bounds.end_ms]
    return tuple(
        Stretch(
            start_ms=max(left, group[0].start_ms - options.margin_ms),
            end_ms=min(right, group[-1].end_ms + options.margin_ms),
            language=group[0].language,
        )
        for group, left, right in zip(groups, edges, edges[1:], strict=False)
    )


def tidy(words: Sequence[Word], length_ms: int) -> tuple[Word, ...]:
    """Return the words in order of start, none overlapping, none shorter than 20 ms, none outside the recording.

    A start is kept wherever there is room; the word before ends earlier then. Words for which the recording has no room
    at all, at 20 ms each, are dropped from its end.

    Args:
        words: In any order.
        length_ms: Of the recording.
    """
    ordered = sorted(words, key=lambda word: word.start_ms)[: length_ms // SHORTEST_WORD_MS]
    starts: list[int] = []
    at = 0
    for word in ordered:
        at = max(at, word.start_ms)
        starts.append(at)
        at += SHORTEST_WORD_MS
    limit = length_ms
    placed: list[Word] = []
    for word, start in zip(reversed(ordered), reversed(starts), strict=True):
        begin = min(start, limit - SHORTEST_WORD_MS)
        end = min(max(word.end_ms, begin + SHORTEST_WORD_MS), limit)
        placed.append(replace(word, start_ms=begin, end_ms=end))
        limit = begin
    return tuple(reversed(placed))


class _Engine:
    """A recogniser that is lowered rather than given up: smaller batches, then the CPU."""

    def __init__(self, recognizer: Recognizer, waveform: Waveform, hotwords: str | None, batch_size: int) -> None:
        self.recognizer = recognizer
        self.waveform = waveform
        self._hotwords = hotwords
        self._usual = batch_size
        self._wanted = self._batch_size = recognizer.windows_at_once or batch_size
        self._moved = False

    @property
    def notices(self) -> Iterator[Notice]:
        """What was lowered."""
        if self._moved:
            yield Notice(code="speech.moved_to_cpu")
        elif self._batch_size < self._wanted:
            yield Notice(code="speech.smaller_batch", data=(("size", str(self._batch_size)),))

    def decode(
        self, windows: Sequence[Stretch], progress: Progress, asked: LanguageQuestion | None = None
    ) -> tuple[Decoded, ...]:
        """Decode many windows, each in its language; one result each, in order, with what is asked of languages."""

        def batch(spans: Sequence[Span], language: str) -> Iterator[Decoded]:
            return self.recognizer.decode_batch(
                self.waveform,
                spans,
                language=language,
                hotwords=self._hotwords,
                batch_size=self._batch_size,
                asked=asked,
            )

        return self._each(batch, windows, progress, batched=True)

    def careful(self, windows: Sequence[Stretch], progress: Progress) -> tuple[Decoded, ...]:
        """Decode each window by itself, with every guard; one result each, in order."""

        def alone(spans: Sequence[Span], language: str) -> Iterator[tuple[Decoded, ...]]:
            return self.recognizer.decode_careful(self.waveform, spans, language=language, hotwords=self._hotwords)

        parts = self._each(alone, windows, progress, batched=False)
        return tuple(join(found, window) for found, window in zip(parts, windows, strict=True))

    def _each(
        self,
        decode: Callable[[Sequence[Span], str], Iterator[T]],
        windows: Sequence[Stretch],
        progress: Progress,
        *,
        batched: bool,
    ) -> tuple[T, ...]:
        """Decode the windows of each language; after a failure go on where it came, lowered."""
        found: dict[int, T] = {}
        for language in dict.fromkeys(window.language for window in windows):
            places = [place for place, window in enumerate(windows) if window.language == language]
            # Windows of like length go together: a batch takes as long as its longest.
            places.sort(key=lambda place: windows[place].duration_ms)
            while places:
                try:
                    for decoded in decode([windows[place] for place in places], language):
                        found[places.pop(0)] = decoded
                        progress(len(found) / len(windows))
                except EngineError as error:
                    self._lower(error, batched=batched)
        return tuple(found[place] for place in range(len(windows)))

    def languages(self, spans: Sequence[Span], languages: Sequence[str]) -> list[Mapping[str, float]]:
        """Return the probability of each language in each stretch."""
        found: list[Mapping[str, float]] = []
        while len(found) < len(spans):
            try:
                # What comes before a failure is kept.
                found.extend(self.recognizer.detect_languages(self.waveform, spans[len(found) :], languages))
            except EngineError as error:
                self._lower(error, batched=False)
        return found

    def _lower(self, error: EngineError, *, batched: bool) -> None:
        """Make the next attempt easier, or raise where nothing is left to try."""
        if isinstance(error, OutOfMemory) and batched and self._batch_size > 1:
            self._batch_size //= 2
        elif self.recognizer.model.device != "cpu":
            self.recognizer = self.recognizer.to_cpu()
            self._wanted = self._batch_size = self._usual
            self._moved = True
        else:
            raise error
        _logger.warning("recogniser lowered to %s, batch %d", self.recognizer.model.device, self._batch_size)


def _group(stretches: Sequence[Stretch], longest_ms: int, options: SpeechOptions) -> list[Sequence[Stretch]]:
    """Divide stretches into windows at least cost: see :func:`pack`."""
    costs = [0.0]
    starts = [0]
    for end in range(1, len(stretches) + 1):
        best, start = math.inf, end - 1
        for first in range(end - 1, -1, -1):
            if first < end - 1 and not _may_share(
                stretches[first], stretches[first + 1], stretches[end - 1], longest_ms, options
            ):
                break
            cost = costs[first] + 1 + _cut_cost(stretches, first, options)
            if cost < best:
                best, start = cost, first
        costs.append(best)
        starts.append(start)
    groups: list[Sequence[Stretch]] = []
    end = len(stretches)
    while end > 0:
        groups.append(stretches[starts[end] : end])
        end = starts[end]
    return groups[::-1]


def _cut_cost(stretches: Sequence[Stretch], first: int, options: SpeechOptions) -> float:
    """Return what it costs to begin a window with that stretch."""
    if first == 0:
        return 0.0
    pause_ms = stretches[first].start_ms - stretches[first - 1].end_ms
    return math.exp(-pause_ms / options.phrase_pause_ms)


def _may_share(first: Stretch, second: Stretch, last: Stretch, longest_ms: int, options: SpeechOptions) -> bool:
    """Say whether a window that begins with the second stretch and ends with the last may begin with the first."""
    pause_ms = second.start_ms - first.end_ms
    total_ms = last.end_ms - first.start_ms + 2 * options.margin_ms
    return first.language == second.language and pause_ms <= options.longest_pause_ms and total_ms <= longest_ms


def _candidates(session: Session) -> tuple[Language, ...]:
    """Return the languages of the house, the session's own first."""
    return tuple(dict.fromkeys((*session.languages, *LANGUAGES)))


def _as_named(
    engine: _Engine,
    speech: Sequence[Span],
    session: Session,
    bounds: Span,
    options: SpeechOptions,
    progress: Progress,
) -> Mapping[Stretch, Decoded]:
    """Decode everything in the one language that a person named, and ask each window what is heard in it.

    Nothing where no person named any, or more than one: then every stretch is asked before anything is decoded.
    """
    if not session.languages_given or len(session.languages) > 1:
        return {}
    whole = cut_long(engine.waveform, speech, options.window_ms - 2 * options.margin_ms)
    windows = pack(_in_languages(whole, [session.language] * len(whole)), bounds, options.window_ms, options)
    # What is all there is in a window tells no more by itself.
    parts = [cut_long(engine.waveform, clip(whole, window), options.piece_ms) for window in windows]
    stretches = tuple(chain.from_iterable(each for each in parts if len(each) > 1))
    question = LanguageQuestion(
        languages=(*_candidates(session), *options.other_languages),
        stretches=tuple(
            _start_of(span, options.language_ms) for span in stretches if span.duration_ms >= options.sure_after_ms
        ),
    )
    return dict(zip(windows, engine.decode(windows, progress, question), strict=True))


def _hear_languages(
    engine: _Engine,
    speech: Sequence[Span],
    session: Session,
    named: Mapping[Stretch, Decoded],
    options: SpeechOptions,
) -> tuple[tuple[Stretch, ...], tuple[Notice, ...]]:
    """Give each stretch its language among those of the house, the session's own first.

    What a person named is taken for granted wherever no other is heard.
    """
    languages = _candidates(session)
    taken = _foreign(speech, named, options) if named else speech
    # Shorter than a window needs, for the language may change where nobody pauses.
    asked = cut_long(engine.waveform, taken, options.piece_ms)
    starts = [_start_of(span, options.language_ms) for span in asked]
    unbelieved = _hardly_believed(engine.waveform, speech, named, options)
    answers = engine.languages([*starts, *unbelieved], (*languages, *options.other_languages))
    heard = answers[: len(asked)]
    known = cut_long(engine.waveform, subtract(speech, taken), options.window_ms - 2 * options.margin_ms)
    evidence = [(span, _among(probabilities, languages)) for span, probabilities in zip(asked, heard, strict=True)]
    evidence += [(span, {language: float(language == languages[0]) for language in languages}) for span in known]
    evidence.sort(key=lambda each: each[0].start_ms)
    weights = [min(1.0, span.duration_ms / max(1, options.sure_after_ms)) for span, _ in evidence]
    chosen = choose_languages([each for _, each in evidence], weights, languages, options.switch_cost)
    return _in_languages([span for span, _ in evidence], chosen), _strangers((*asked, *unbelieved), answers, options)


def _foreign(speech: Sequence[Span], named: Mapping[Stretch, Decoded], options: SpeechOptions) -> tuple[Span, ...]:
    """Return the speech around which another language than the one that was named is heard.

    A person may name one language and overlook that part of the session, or all of it, is in another.
    """
    # Where it begins and ends may lie in the windows before and after.
    around = [
        Span(start_ms=max(0, window.start_ms - options.window_ms), end_ms=window.end_ms + options.window_ms)
        for window, decoded in named.items()
        if max(span.duration_ms for span in clip(speech, window)) >= options.sure_after_ms
        and _sounds_foreign(window, decoded, options)
    ]
    return tuple(span for span in speech if any(span.overlap_ms(each) for each in around))


def _sounds_foreign(window: Stretch, decoded: Decoded, options: SpeechOptions) -> bool:
    """Say whether another language than the window's is heard in all of it, or the house's other one in a part."""
    whole = max(decoded.languages[other] for other in decoded.languages if other != window.language)
    parts = (part[other] for part in decoded.inner_languages for other in LANGUAGES if other != window.language)
    return whole >= options.unnamed_probability or max(parts, default=0.0) >= options.unnamed_inner_probability


def _hardly_believed(
    waveform: Waveform, speech: Sequence[Span], named: Mapping[Stretch, Decoded], options: SpeechOptions
) -> tuple[Span, ...]:
    """Return the speech for which there are no words in the named language, or hardly believed ones.

    The encoding of a window seldom tells of a few seconds in a third language, but the words that are written for them
    do.
    """
    return tuple(
        span
        for window, decoded in named.items()
        for span in cut_long(waveform, clip(speech, window), options.piece_ms)
        if span.duration_ms >= options.sure_after_ms
        and math.exp(belief([word for word in decoded.words if span.covers(word.middle_ms)]))
        < options.unbelieved_probability
    )


def _in_languages(speech: Sequence[Span], languages: Sequence[str]) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(start_ms=span.start_ms, end_ms=span.end_ms, language=language)
        for span, language in zip(speech, languages, strict=True)
    )


def _start_of(span: Span, longest_ms: int) -> Span:
    return Span(start_ms=span.start_ms, end_ms=min(span.end_ms, span.start_ms + longest_ms))


def _among(probabilities: Mapping[str, float], languages: Sequence[str]) -> dict[str, float]:
    """Return the probabilities of some languages, summing to 1 again."""
    total = sum(probabilities[language] for language in languages)
    return {language: probabilities[language] / total if total else 1 / len(languages) for language in languages}


def _strangers(
    speech: Sequence[Span], heard: Sequence[Mapping[str, float]], options: SpeechOptions
) -> tuple[Notice, ...]:
    """Flag the stretches that are in none of the house's languages, each once."""
    found = {
        span: language
        for span, probabilities in zip(speech, heard, strict=True)
        for language in options.other_languages
        if span.duration_ms >= options.sure_after_ms and probabilities[language] >= options.other_probability
    }
    return tuple(
        Notice(code="speech.other_language", data=(("language", language),), span=span)
        for span, language in sorted(found.items(), key=lambda each: each[0].start_ms)
    )


def _first_pass(
    engine: _Engine,
    windows: Sequence[Stretch],
    named: Mapping[Stretch, Decoded],
    speech: Sequence[Span],
    rules: ScreeningRules,
    progress: Progress,
) -> tuple[_Passage, ...]:
    """Decode every window that was not decoded yet, many at a time, and doubt each."""
    others = [window for window in windows if window not in named]
    results = {**named, **dict(zip(others, engine.decode(others, progress), strict=True))}
    return tuple(
        _Passage(window=window, decoded=results[window], doubts=find_doubts(results[window], speech, rules))
        for window in windows
    )


def _in_pieces(
    engine: _Engine,
    passages: Sequence[_Passage],
    speech: Sequence[Span],
    options: SpeechOptions,
    progress: Progress,
) -> tuple[_Passage, ...]:
    """Decode what is doubted again in shorter pieces, many at a time, and keep the better text of each piece."""
    found = list(passages)
    pieces = [
        (place, piece)
        for place, passage in enumerate(passages)
        if passage.doubts and "silence" not in passage.doubts
        for piece in _pieces(engine.waveform, passage, speech, options)
    ]
    results = engine.decode([piece for _, piece in pieces], progress)
    for place, run, words in _runs(pieces, results, speech):
        found[place] = _with_better(found[place], run, words, speech, options.screening)
    return tuple(found)


def _runs(
    pieces: Sequence[tuple[int, Span]], results: Sequence[Decoded], speech: Sequence[Span]
) -> Iterator[tuple[int, Span, tuple[Word, ...]]]:
    """Yield the pieces with their words, neighbours of one window as one.

    They are judged together because a word stretched over the end of one may belong to the start of the next.
    """
    runs: list[tuple[int, Span, tuple[Word, ...]]] = []
    for (place, piece), decoded in zip(pieces, results, strict=True):
        if runs and runs[-1][0] == place and not clip(speech, _between(runs[-1][1], piece)):
            _, before, words = runs.pop()
            whole = Span(start_ms=before.start_ms, end_ms=piece.end_ms)
            runs.append((place, whole, (*words, *decoded.words)))
        else:
            runs.append((place, _span(piece), decoded.words))
    yield from runs


def _between(one: Span, two: Span) -> Span:
    return Span(start_ms=one.end_ms, end_ms=two.start_ms)


def _pieces(
    waveform: Waveform, passage: _Passage, speech: Sequence[Span], options: SpeechOptions
) -> tuple[Stretch, ...]:
    """Return the pieces of a window that have reason to be decoded again; none where it is but one piece."""
    heard = clip(speech, passage.window)
    short = cut_long(waveform, heard, options.piece_ms - 2 * options.margin_ms)
    stretches = _in_languages(short, [passage.window.language] * len(short))
    pieces = pack(stretches, passage.window, options.piece_ms, options)
    if len(pieces) == 1:
        return ()
    if passage.doubts - {"hole"}:
        return pieces
    holes = stretched_holes(passage.decoded.words, heard, options.screening)
    return tuple(piece for piece in pieces if any(piece.overlap_ms(hole) for hole in holes))


def _with_better(
    passage: _Passage, piece: Span, words: Sequence[Word], speech: Sequence[Span], rules: ScreeningRules
) -> _Passage:
    """Return the passage with other words in a piece of it, if they score higher than those there."""
    heard = clip(speech, piece)
    there, kept = split_words(passage.decoded.words, piece, rules)
    if score(words, heard, rules) <= score(there, heard, rules):
        return passage
    # Where a word begins may lie in the pause before it; where it ends is surer.
    mixed = tuple(sorted((*kept, *words), key=lambda word: word.end_ms))
    decoded = replace(passage.decoded, words=mixed, average_log_probability=belief(mixed))
    return replace(passage, decoded=decoded, doubts=find_doubts(decoded, speech, rules))


def _alone(
    engine: _Engine, passages: Sequence[_Passage], speech: Sequence[Span], rules: ScreeningRules, progress: Progress
) -> tuple[_Passage, ...]:
    """Decode what is still doubted once more, alone and with every guard of the engine; keep the better text."""
    found = list(passages)
    places = [place for place, one in enumerate(passages) if one.doubts and "silence" not in one.doubts]
    again = engine.careful([passages[place].window for place in places], progress)
    for place, decoded in zip(places, again, strict=True):
        found[place] = _with_better(found[place], found[place].window, decoded.words, speech, rules)
    return tuple(found)


def _settle(
    passages: Sequence[_Passage], speech: Sequence[Span], length_ms: int, rules: ScreeningRules
) -> tuple[tuple[Word, ...], tuple[Notice, ...]]:
    """Leave out what the model itself takes for silence, place the words, and flag what stays in doubt."""
    believed = [passage for passage in passages if "silence" not in passage.doubts]
    said = [word for passage in believed for word in passage.decoded.words]
    words = tidy(snap(tighten(said, rules), speech, rules), length_ms)
    notices = [
        Notice(code="speech.doubtful", span=_span(passage.window)) for passage in believed if passage.doubts - {"hole"}
    ]
    notices += [Notice(code="speech.hole", span=hole) for hole in find_holes(words, speech, rules)]
    return words, tuple(sorted(notices, key=_position))


def _span(span: Span) -> Span:
    return Span(start_ms=span.start_ms, end_ms=span.end_ms)


def _position(notice: Notice) -> int:
    return notice.span.start_ms if notice.span else 0


def _language_notices(words: Sequence[Word], session: Session) -> tuple[Notice, ...]:
    """Say so when what is heard is not the language that the session was thought to be in: where, if it is little."""
    heard = languages_heard(words, session)
    if not session.languages_given:
        data = (("heard", heard[0]), ("expected", session.language))
        return () if heard[0] == session.language else (Notice(code="speech.language_heard", data=data),)
    expected = ", ".join(session.languages)
    unnamed = {
        language: Notice(code="speech.language_unnamed", data=(("heard", language), ("expected", expected)))
        for language in LANGUAGES
        if language not in session.languages
    }
    in_all = (unnamed[language] for language in heard if language in unnamed)
    passages = [(language, tuple(run)) for language, run in groupby(words, key=lambda word: word.language)]
    in_places = (
        replace(unnamed[language], span=Span(start_ms=run[0].start_ms, end_ms=run[-1].end_ms))
        for language, run in passages
        if language in unnamed and language not in heard
    )
    return (*in_all, *in_places)
