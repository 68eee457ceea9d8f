"""Words: how many are wrong, invented or lost, and how long that takes, beside the engine's own two ways and its peers.

Each system hears every recording with a reference text in a process of its own, on the same weights and threads; the
tables are made from what it wrote down. Word error rate by set (Whisper's normaliser for English, its basic one for
French), words invented where nobody speaks, detected speech left without text, languages of a bilingual session, time.

Run it with ``python -m tests.benchmarks.words [--only REGEX] [--systems tribune,batched,sequential]``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import jiwer
import numpy as np
from numpy.typing import NDArray
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from pipeline.ports import SAMPLE_RATE
from pipeline.screening import ScreeningRules, find_holes
from pipeline.types import Span, Word
from tests.benchmarks.bars import Bar, at_least, at_most
from tests.benchmarks.bench import Bench, Row, say, table
from tests.benchmarks.data import KNOWN_TIMES, NOBODY, WARM_UP, Sample, read_sound
from tests.benchmarks.systems import TITLES, Heard, open_hearing

MEASURE: Final = "hear"
SYSTEMS: Final = ("sequential", "batched", "whisper-ctranslate2", "whisperx", "tribune")
JUDGE: Final = "detector"
BASELINE: Final = "sequential"
"""What the others are held against."""
NORMALIZERS: Final[Mapping[str, Callable[[str], str]]] = {"en": EnglishTextNormalizer(), "fr": BasicTextNormalizer()}

_STRETCH_WORDS: Final = 10
_DRAWS: Final = 10_000
_CHANCE: Final = 5.0


@dataclass(kw_only=True)
class Tally:
    """Sums over a set; rates are made once, at the end.

    Attributes:
        errors: Words substituted, deleted or inserted.
        inserted: Words written where nobody speaks.
        spoken: Words of the reference.
        speech_ms: Detected speech, where words have times of their own.
        lost_ms: Of that, without text.
        unflagged_ms: Of that, without a flag too.
        flagged_ms: Stretches that are flagged for whatever reason.
        words: Words heard in turns whose language is known.
        right_language: Of those, in that language.
        spent_s: Time taken.
        sound_s: Length of the recordings.
    """

    errors: int = 0
    inserted: int = 0
    spoken: int = 0
    speech_ms: int = 0
    lost_ms: int = 0
    unflagged_ms: int = 0
    flagged_ms: int = 0
    words: int = 0
    right_language: int = 0
    spent_s: float = 0.0
    sound_s: float = 0.0

    def add(self, other: Tally) -> None:
        """Add another's sums to these."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def wer(self) -> float:
        """Word error rate, per cent."""
        return 100 * self.errors / self.spoken

    @property
    def rtf(self) -> float:
        """Seconds taken for a second of sound."""
        return self.spent_s / self.sound_s


Scores = dict[str, Tally]
"""A tally for each set."""


def hear(bench: Bench, system: str) -> None:
    """Let a system hear every recording that it has not heard yet; in its own process."""
    samples = bench.samples
    wanted = set(bench.missing(MEASURE, system, [sample.key for sample in samples]))
    started = time.perf_counter()
    hears = open_hearing(system, bench.threads)
    bench.add(MEASURE, system, {"opened_s": time.perf_counter() - started})
    hears(read_sound(bench.data / WARM_UP), Sample(group="", path=Path(WARM_UP), languages=("en",), text=""))
    for sample in samples:
        if sample.key in wanted:
            waveform = read_sound(sample.path)
            started = time.perf_counter()
            heard = hears(waveform, sample)
            spent_s = time.perf_counter() - started
            bench.add(MEASURE, system, row_of(sample, heard, spent_s, len(waveform) / SAMPLE_RATE))


def row_of(sample: Sample, heard: Heard, spent_s: float, sound_s: float) -> Row:
    """Return what a system made of a recording as a line of results."""
    return {
        "recording": sample.key,
        "spent_s": spent_s,
        "sound_s": sound_s,
        "timed": heard.timed,
        "words": [[word.text, word.start_ms, word.end_ms, word.probability, word.language] for word in heard.words],
        "flagged": [[span.start_ms, span.end_ms] for span in heard.flagged],
        "speech": [[span.start_ms, span.end_ms] for span in heard.speech],
    }


def words_of(row: Row) -> tuple[Word, ...]:
    """Return the words of a row."""
    return tuple(
        Word(text=text, start_ms=start_ms, end_ms=end_ms, probability=probability, language=language)
        for text, start_ms, end_ms, probability, language in row["words"]
    )


def spans_of(row: Row, key: str) -> tuple[Span, ...]:
    """Return the stretches that a row has under a key."""
    return tuple(Span(start_ms=start_ms, end_ms=end_ms) for start_ms, end_ms in row[key])


def heard_by(bench: Bench, system: str, measure: str = MEASURE) -> dict[str, Row]:
    """Return what a system made of each recording, by the recording's key."""
    return {row["recording"]: row for row in bench.rows(measure, system) if "recording" in row}


def count(row: Row, sample: Sample, speech: Sequence[Span]) -> Tally:
    """Return what one recording showed.

    Args:
        row: What a system made of it.
        sample: Its references.
        speech: Where the detector heard a voice.
    """
    words = words_of(row)
    tally = Tally(spent_s=row["spent_s"], sound_s=row["sound_s"])
    tally.flagged_ms = sum(flag.duration_ms for flag in spans_of(row, "flagged"))
    if not sample.text:
        tally.inserted = len(words)
        return tally
    tally.errors, tally.spoken = word_errors(sample, words)
    if row["timed"]:
        tally.speech_ms = sum(span.duration_ms for span in speech)
        flagged = spans_of(row, "flagged")
        holes = find_holes(words, speech, ScreeningRules())
        tally.lost_ms = sum(hole.duration_ms for hole in holes)
        unflagged = [hole for hole in holes if not any(hole.overlap_ms(flag) for flag in flagged)]
        tally.unflagged_ms = sum(hole.duration_ms for hole in unflagged)
    for turn in sample.turns if len(sample.languages) > 1 else ():
        inside = [word for word in words if turn.covers(word.middle_ms)]
        tally.words += len(inside)
        tally.right_language += sum(word.language == turn.language for word in inside)
    return tally


def word_errors(sample: Sample, words: Iterable[Word]) -> tuple[int, int]:
    """Return the wrong words of a recording and the words of its reference."""
    measured = _aligned(sample, words)
    wrong = measured.substitutions + measured.deletions + measured.insertions
    return wrong, measured.hits + measured.substitutions + measured.deletions


def errors_by_stretch(sample: Sample, words: Iterable[Word]) -> NDArray[np.int64]:
    """Return how many words are wrong in each stretch of ten words of the reference, inserted ones among them."""
    measured = _aligned(sample, words)
    spoken = len(measured.references[0])
    wrong = np.zeros(-(-spoken // _STRETCH_WORDS), dtype=np.int64)
    for chunk in measured.alignments[0]:
        inserted = chunk.type == "insert"
        places = [chunk.ref_start_idx] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
        for place in places if inserted else range(chunk.ref_start_idx, chunk.ref_end_idx):
            wrong[min(place, spoken - 1) // _STRETCH_WORDS] += chunk.type != "equal"
    return wrong


def beyond_chance(differences: NDArray[np.int64]) -> int:
    """Return -1 where fewer words are wrong than chance explains, 1 where more are, 0 where it may be chance.

    Paired bootstrap: stretches are drawn anew, and what holds for all but 5 in 100 draws is held to be no chance.
    Bisani and Ney (2004), "Bootstrap estimates for confidence intervals in ASR performance evaluation".

    Args:
        differences: Wrong words of one system less those of the other, a stretch.
    """
    drawn = np.random.default_rng(0).choice(differences, (_DRAWS, len(differences))).sum(axis=1)
    least, most = np.percentile(drawn, [_CHANCE / 2, 100 - _CHANCE / 2])
    return int(least > 0) - int(most < 0)


def _aligned(sample: Sample, words: Iterable[Word]) -> jiwer.WordOutput:
    normalize = normalizer(sample)
    return jiwer.process_words(normalize(sample.text), normalize(" ".join(word.text for word in words)))


def normalizer(sample: Sample) -> Callable[[str], str]:
    """Return what makes texts of a recording comparable; the basic one where there are two languages."""
    return NORMALIZERS[sample.languages[0] if len(sample.languages) == 1 else "fr"]


def score(bench: Bench, system: str, measure: str = MEASURE) -> Scores:
    """Return a system's tally for each set, of what it has heard so far."""
    heard, judged = heard_by(bench, system, measure), heard_by(bench, JUDGE)
    scores: Scores = {}
    for sample in _counted(bench):
        if sample.key in heard and sample.key in judged:
            speech = spans_of(judged[sample.key], "speech")
            scores.setdefault(sample.group, Tally()).add(count(heard[sample.key], sample, speech))
    return scores


def together(scores: Scores, pick: Callable[[str], bool] = lambda _: True) -> Tally:
    """Return the sum over the sets whose names are picked."""
    total = Tally()
    for group, tally in scores.items():
        if pick(group):
            total.add(tally)
    return total


def measure(bench: Bench, systems: Sequence[str] = SYSTEMS) -> None:
    """Let every system hear what it has not heard yet."""
    wanted = [sample.key for sample in bench.samples]
    for system in (JUDGE, *systems):
        bench.measure(MEASURE, system, wanted)


def report(bench: Bench, systems: Sequence[str] = SYSTEMS) -> list[str]:
    """Return the tables as lines of Markdown."""
    scores = {system: score(bench, system) for system in systems}
    groups = sorted({group for each in scores.values() for group in each} - {NOBODY})
    titles = [TITLES[system] for system in systems]
    lines = ["Word error rate, % · real-time factor:", ""]
    lines += table(["set", *titles], [[group, *(_cell(scores[each], group) for each in systems)] for group in groups])
    lines += table(["", *titles], [[name, *(read(scores[each]) for each in systems)] for name, read in _SUMS.items()])
    lines += _chance(bench, [each for each in systems if each != BASELINE]) if BASELINE in systems else []
    lines += [f"{TITLES[each]}: not run: {why}" for each in systems if (why := bench.failure(MEASURE, each))]
    return lines


def bars(bench: Bench) -> list[Bar]:
    """Return the bars for words."""
    ours, theirs = score(bench, "tribune"), score(bench, BASELINE)
    shared = [group for group in ours if group in theirs and group != NOBODY]
    worse = max(shared, key=lambda group: ours[group].wer - theirs[group].wer, default="")
    slower = max(shared, key=lambda group: ours[group].spent_s / theirs[group].spent_s, default="")
    difference = ours[worse].wer - theirs[worse].wer if worse else None
    ratio = ours[slower].spent_s / theirs[slower].spent_s if slower else None
    total = together(ours)
    two = total.right_language / total.words * 100 if total.words else None
    return [
        at_most("WER against faster-whisper sequential, worst set", difference, 0.0, "points", f" ({worse})"),
        at_most("time against faster-whisper sequential, worst set", ratio, 0.5, "×", f" ({slower})"),
        at_most("words where nobody speaks", ours[NOBODY].inserted if NOBODY in ours else None, 0, "words"),
        at_most("detected speech without text or flag", total.unflagged_ms / 1000 if ours else None, 0, "s"),
        at_least("words of the bilingual session in the right language", two, 98, "%"),
    ]


def _chance(bench: Bench, systems: Sequence[str]) -> list[str]:
    """Return in which sets each system differs from the baseline beyond chance, as lines of Markdown."""
    rows = []
    for system in systems:
        differing = {group: beyond_chance(np.concatenate(each)) for group, each in _differences(bench, system).items()}
        named = [", ".join(sorted(group for group, sign in differing.items() if sign == wanted)) for wanted in (-1, 1)]
        rows.append([TITLES[system], *(names or "–" for names in named), str(list(differing.values()).count(0))])
    head = [f"beside {TITLES[BASELINE]}", "fewer wrong words", "more wrong words", "sets that chance may explain"]
    how = f"Beyond chance: so in {100 - _CHANCE:.0f} % of {_DRAWS:,} draws of stretches of {_STRETCH_WORDS} words."
    return [how, "", *table(head, rows)]


def _differences(bench: Bench, system: str) -> dict[str, list[NDArray[np.int64]]]:
    """Return by how many words each stretch of each set is worse than the baseline has it."""
    ours, theirs = heard_by(bench, system), heard_by(bench, BASELINE)
    found: dict[str, list[NDArray[np.int64]]] = {}
    for sample in _counted(bench):
        if sample.text and sample.key in ours and sample.key in theirs:
            one, other = (errors_by_stretch(sample, words_of(each[sample.key])) for each in (ours, theirs))
            found.setdefault(sample.group, []).append(one - other)
    return found


def _counted(bench: Bench) -> list[Sample]:
    return [sample for sample in bench.samples if sample.group != KNOWN_TIMES]


def _cell(scores: Scores, group: str) -> str:
    tally = scores.get(group)
    return f"{tally.wer:.1f} · {tally.rtf:.3f}" if tally and tally.spoken else "–"


def _over(part: float, whole: float, unit: str = "%") -> str:
    return f"{100 * part / whole:.1f} {unit}" if whole else "–"


def _lost(scores: Scores) -> str:
    total = together(scores)
    if not total.speech_ms:
        return "–"
    return f"{_over(total.lost_ms, total.speech_ms)} ({total.unflagged_ms / 1000:.1f} s unflagged)"


_SUMS: Final[Mapping[str, Callable[[Scores], str]]] = {
    "**all sets**, WER": lambda scores: _over(together(scores).errors, together(scores).spoken),
    "words where nobody speaks": lambda scores: str(scores[NOBODY].inserted) if NOBODY in scores else "–",
    "detected speech without text": _lost,
    "bilingual words in the right language": lambda scores: _over(
        together(scores).right_language, together(scores).words
    ),
    "RTF over all": lambda scores: f"{together(scores).rtf:.3f}" if scores else "–",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    options = parser.parse_args(arguments)
    bench, systems = Bench.asked(options), options.systems.split(",")
    measure(bench, systems)
    say("\n".join(report(bench, systems)))


if __name__ == "__main__":
    main()
