"""Words: how many are wrong, invented or lost, and how long that takes, beside the engine's own two ways.

Reads the recordings with reference texts and prints one Markdown table: word error rate by set (Whisper's normaliser
for English, its basic one for French), words invented where nobody speaks, detected speech left without text, languages
of a bilingual session, and time as a share of the sequential decoder's. All systems run in one process, on the same
weights and threads.

Run it with ``python tests/benchmarks/words.py [--threads 2] [--only REGEX] [--systems tribune,batched,sequential]``.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import jiwer
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.audio import decode_audio
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from models.whisper import WhisperOptions, join_pieces, open_recognizer
from pipeline.ports import Recognizer, Waveform
from pipeline.screening import ScreeningRules, find_holes
from pipeline.speech import recognize
from pipeline.types import LANGUAGES, Bilingual, Language, ModelUse, Session, Span, Word

ROOT: Final = Path(__file__).parents[2]
DATA: Final = ROOT.parent / "shared" / "data"
WEIGHTS: Final = ROOT / "var" / "models" / "whisper-base"
SILENT: Final = re.compile(r"pink_noise|silence_120|tone_440|music_vibe|/noise\d|silent_60s|empty|no_duration|failing")
DEGRADED: Final = {"en_session_music_bed": "en_session_6spk", "fr_session_noise": "fr_session_5spk"}
NORMALIZERS: Final[Mapping[str, Callable[[str], str]]] = {"en": EnglishTextNormalizer(), "fr": BasicTextNormalizer()}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One recording with what was said in it; nothing where ``text`` is empty."""

    group: str
    path: Path
    languages: tuple[Language, ...]
    text: str
    turns: tuple[tuple[Span, Language], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a system made of a recording, and the stretches that it flagged."""

    words: tuple[Word, ...]
    flagged: tuple[Span, ...] = ()


@dataclass(kw_only=True)
class Tally:
    """Sums over a set; rates are made once, at the end."""

    errors: int = 0
    inserted: int = 0
    spoken: int = 0
    silent_ms: int = 0
    right_language: int = 0
    words: int = 0
    seconds: float = 0.0
    length_s: float = 0.0

    @property
    def wer(self) -> str:
        """Word error rate in per cent."""
        return f"{100 * self.errors / self.spoken:.1f} %" if self.spoken else f"{self.inserted} words"


System = Callable[[Waveform, Sample], Heard]


@dataclass(kw_only=True)
class Bench:
    """The systems under test and what they scored."""

    systems: Mapping[str, System]
    judge: Recognizer
    scores: dict[str, dict[str, Tally]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Tally)))

    def run(self, sample: Sample) -> None:
        """Let every system hear one recording."""
        waveform = decode_audio(str(sample.path))
        speech = self.judge.detect_speech(waveform)
        for name, system in self.systems.items():
            started = time.perf_counter()
            heard = system(waveform, sample)
            tally = self.scores[sample.group][name]
            tally.seconds += time.perf_counter() - started
            tally.length_s += len(waveform) / 16_000
            _count(tally, heard, sample, speech)


def read_samples(data: Path) -> Iterator[Sample]:
    """Yield every recording that has a reference, and every one in which nobody speaks."""
    for row in csv.DictReader((data / "INDEX.tsv").open(encoding="utf-8"), delimiter="\t"):
        path = data / row["path"]
        languages = tuple(language for language in LANGUAGES if language in row["language"])
        text = path.with_suffix(".txt")
        group = f"{path.parent.name}/{path.stem}" if path.parent.name == "composed" else path.parent.name
        if SILENT.search(f"/{row['path']}"):
            for language in LANGUAGES:
                yield Sample(group="nobody speaks", path=path, languages=(language,), text="")
        elif path.stem in DEGRADED:
            text = data / "composed" / f"{DEGRADED[path.stem]}.txt"
            yield Sample(group=f"degraded/{path.stem}", path=path, languages=languages, text=text.read_text())
        elif text.exists() and row["language"] in {"en", "fr", "fr+en"} and "stereo" not in path.stem:
            turns = tuple(_read_turns(path.with_suffix(".stm"))) if len(languages) == 2 else ()
            yield Sample(group=group, path=path, languages=languages, text=text.read_text(), turns=turns)


def open_systems(names: list[str], threads: int) -> Bench:
    """Open the systems on the same weights and threads."""
    engine = WhisperModel(str(WEIGHTS), device="cpu", compute_type="int8", cpu_threads=threads)
    ours = open_recognizer(
        WEIGHTS,
        model=ModelUse(name="whisper-base", revision="bench", sha256="0" * 64),
        options=WhisperOptions(device="cpu", threads=threads),
    )
    every: dict[str, System] = {
        "sequential": lambda waveform, sample: _theirs(engine, waveform, sample),
        "batched": lambda waveform, sample: _theirs(BatchedInferencePipeline(engine), waveform, sample),
        "tribune": lambda waveform, sample: _ours(ours, waveform, sample),
    }
    return Bench(systems={name: every[name] for name in names}, judge=ours)


def table(bench: Bench) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    names = list(bench.systems)
    yield "| set | " + " | ".join(f"{name}: WER, lost s, RTF" for name in names) + " |"
    yield "| --- |" + " --- |" * len(names)
    for group, scores in sorted(bench.scores.items()):
        cells = (_cell(scores[name]) for name in names)
        yield f"| {group} | " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="sets or files to measure")
    parser.add_argument("--systems", default="sequential,batched,tribune")
    arguments = parser.parse_args()
    bench = open_systems(arguments.systems.split(","), arguments.threads)
    for sample in read_samples(DATA):
        if re.search(arguments.only, f"{sample.group} {sample.path}"):
            bench.run(sample)
    print("\n".join(table(bench)))  # noqa: T201


def _theirs(engine: WhisperModel | BatchedInferencePipeline, waveform: Waveform, sample: Sample) -> Heard:
    bilingual = len(sample.languages) > 1
    found, _ = engine.transcribe(
        waveform, language=None if bilingual else sample.languages[0], multilingual=bilingual, word_timestamps=True
    )
    pieces = [(word.word, word.start, word.end, word.probability) for part in found for word in part.words or ()]
    return Heard(words=join_pieces(pieces, 0, sample.languages[0]))


def _ours(recognizer: Recognizer, waveform: Waveform, sample: Sample) -> Heard:
    session = Session(id="0" * 16, title=Bilingual.same("x"), languages=sample.languages, languages_given=True)
    result = recognize(waveform, session, recognizer)
    return Heard(words=result.words, flagged=tuple(notice.span for notice in result.notices if notice.span is not None))


def _count(tally: Tally, heard: Heard, sample: Sample, speech: tuple[Span, ...]) -> None:
    text = " ".join(word.text for word in heard.words)
    if not sample.text:
        tally.inserted += len(heard.words)
        return
    normalize = NORMALIZERS[sample.languages[0] if len(sample.languages) == 1 else "fr"]
    measured = jiwer.process_words(normalize(sample.text), normalize(text))
    tally.errors += measured.substitutions + measured.deletions + measured.insertions
    tally.spoken += measured.hits + measured.substitutions + measured.deletions
    holes = find_holes(heard.words, speech, ScreeningRules())
    tally.silent_ms += sum(
        hole.duration_ms for hole in holes if not any(hole.overlap_ms(flag) for flag in heard.flagged)
    )
    for span, language in sample.turns:
        inside = [word for word in heard.words if span.covers(word.middle_ms)]
        tally.words += len(inside)
        tally.right_language += sum(word.language == language for word in inside)


def _cell(tally: Tally) -> str:
    languages = f", {100 * tally.right_language / tally.words:.1f} % right language" if tally.words else ""
    return f"{tally.wer}, {tally.silent_ms / 1000:.1f} s, {tally.seconds / tally.length_s:.3f}{languages}"


def _read_turns(stm: Path) -> Iterator[tuple[Span, Language]]:
    """Yield each turn of a bilingual reference; the speaker's name starts with the language there."""
    for line in stm.read_text(encoding="utf-8").splitlines():
        _, _, speaker, start, end, _ = line.split(maxsplit=5)
        span = Span(start_ms=round(float(start) * 1000), end_ms=round(float(end) * 1000))
        yield span, "fr" if speaker.startswith("FR") else "en"


if __name__ == "__main__":
    main()
