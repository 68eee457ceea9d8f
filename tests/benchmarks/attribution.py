"""Who said what: the words and the voices of the other measures put together.

Nothing is run here: the rows of words and of speakers go in, and out come meeteval's concatenated minimum-permutation
word error rate (cpWER) and the same with times held to 5 s (tcpWER), for every session with a reference of both. What a
system's own words and voices make together is compared with what the plain way makes of the peers': each word to the
voice that is heard longest during it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from pipeline.speakers import attribute
from pipeline.types import Diarization, Recognition, Span, Word
from tests.benchmarks import speakers, words
from tests.benchmarks.bars import Bar, at_most
from tests.benchmarks.bench import Bench, run_alone, table
from tests.benchmarks.data import Sample
from tests.benchmarks.systems import TITLES, session_of

COLLAR_S: Final = 5
WAYS: Final[tuple[tuple[str, str], ...]] = (("sequential", "pyannote"), ("batched", "pyannote"), ("tribune", "tribune"))
"""A system for the words and one for the voices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenTurn(Span):
    """A run of words of one speaker.

    Attributes:
        speaker: Whoever says it.
        text: Normalised.
    """

    speaker: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """What one session showed, per cent.

    Attributes:
        wer: Words wrong, whoever said them.
        cpwer: Words wrong or given to the wrong speaker.
        tcpwer: … or at the wrong time.
    """

    wer: float
    cpwer: float
    tcpwer: float


def attributed_errors(expected: Sequence[SpokenTurn], heard: Sequence[SpokenTurn]) -> tuple[float, float]:
    """Return cpWER and tcpWER of a session, per cent."""
    import meeteval  # noqa: PLC0415 - of the bench's own environment

    def listed(turns: Iterable[SpokenTurn]) -> object:
        return meeteval.io.SegLST(
            [
                {
                    "session_id": "session",
                    "speaker": turn.speaker,
                    "start_time": turn.start_ms / 1000,
                    "end_time": turn.end_ms / 1000,
                    "words": turn.text,
                }
                for turn in turns
            ]
        )

    said, found = listed(expected), listed(heard)
    cp = meeteval.wer.cpwer(said, found)["session"].error_rate
    # Its default spreads the words of a turn over it by their letters: the references time turns only.
    tcp = meeteval.wer.tcpwer(said, found, collar=COLLAR_S)["session"].error_rate
    return 100 * cp, 100 * tcp


def plain_turns(heard: Sequence[Word], voices: Diarization) -> Iterator[tuple[str, tuple[Word, ...]]]:
    """Yield runs of words by who is heard longest during each, or was heard nearest: what most tools do."""

    def who(word: Word) -> str:
        if not voices.spans:
            return "nobody"
        best = max(voices.spans, key=lambda span: (span.overlap_ms(word), -_apart(span, word)))
        return best.speaker

    for speaker, run in groupby(heard, key=who):
        yield speaker, tuple(run)


def _apart(one: Span, two: Span) -> int:
    return max(0, one.start_ms - two.end_ms, two.start_ms - one.end_ms)


def our_turns(
    heard: Sequence[Word], speech: Sequence[Span], voices: Diarization, sample: Sample
) -> Iterator[tuple[str, tuple[Word, ...]]]:
    """Yield the turns that Tribune publishes."""
    recognition = Recognition(words=tuple(heard), speech=tuple(speech), model=None)
    for turn in attribute(recognition, voices, session_of(sample)).turns:
        yield turn.speaker or "nobody", turn.words


def score(bench: Bench, way: tuple[str, str]) -> dict[str, Attributed]:
    """Return what each composed session showed, by its set."""
    heard, told = words.heard_by(bench, way[0]), speakers.told_by(bench, way[1])
    found = {}
    for sample in bench.samples:
        key = f"{sample.path.parent.name}/{sample.path.stem}"
        if sample.turns and sample.key in heard and key in told:
            row = heard[sample.key]
            spoken, voices = words.words_of(row), speakers.diarization_of(told[key])
            turns = (
                our_turns(spoken, words.spans_of(row, "speech"), voices, sample)
                if way[0] == "tribune"
                else plain_turns(spoken, voices)
            )
            found[sample.group] = _attributed(sample, spoken, list(turns))
    return found


def _attributed(sample: Sample, spoken: Sequence[Word], turns: Iterable[tuple[str, tuple[Word, ...]]]) -> Attributed:
    normalize = words.normalizer(sample)
    expected = [
        SpokenTurn(start_ms=turn.start_ms, end_ms=turn.end_ms, speaker=turn.speaker, text=normalize(turn.text))
        for turn in sample.turns
    ]
    heard = [_spoken(speaker, run, normalize) for speaker, run in turns]
    cp, tcp = attributed_errors(expected, heard)
    wrong, said = words.word_errors(sample, spoken)
    return Attributed(wer=100 * wrong / said, cpwer=cp, tcpwer=tcp)


def _spoken(speaker: str, run: Sequence[Word], normalize: Callable[[str], str]) -> SpokenTurn:
    text = normalize(" ".join(word.text for word in run))
    end_ms = max(word.end_ms for word in run)
    return SpokenTurn(start_ms=run[0].start_ms, end_ms=end_ms, speaker=speaker, text=text)


def measure(bench: Bench) -> None:
    """Have words and voices of every way."""
    words.measure(bench, tuple(dict.fromkeys(way[0] for way in WAYS)))
    speakers.measure(bench, tuple(dict.fromkeys(way[1] for way in WAYS)))


def report(bench: Bench) -> list[str]:
    """Return the table as lines of Markdown."""
    scores = {way: score(bench, way) for way in WAYS}
    groups = sorted({group for each in scores.values() for group in each})
    titles = [TITLES[way[0]] if way[0] == way[1] else f"{TITLES[way[0]]} + {TITLES[way[1]]}" for way in WAYS]
    rows = [[group, *(_cell(scores[way].get(group)) for way in WAYS)] for group in groups]
    return ["WER → cpWER · tcpWER, %:", "", *table(["session", *titles], rows)]


def bars(bench: Bench) -> list[Bar]:
    """Return the bar for who said what."""
    lost = {group: each.cpwer - each.wer for group, each in score(bench, WAYS[-1]).items()}
    worst = max(lost, key=lambda group: lost[group], default="")
    return [at_most("cpWER less WER, worst composed session", lost.get(worst), 3, "points", f" ({worst})")]


def _cell(each: Attributed | None) -> str:
    return f"{each.wer:.1f} → {each.cpwer:.1f} · {each.tcpwer:.1f}" if each else "–"


if __name__ == "__main__":
    run_alone(__doc__, measure, report, only="composed/")
