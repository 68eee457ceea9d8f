"""Mixed sessions: people who are near and far, hoarse and clear, English and French, one after the other.

Short recordings with a reference text go in, in random order, each at a loudness of its own, with pauses between them
and a little noise; what comes out is how much of it a system hears. The composed sessions of the bench are in order and
of one loudness: a detector that takes a soft voice for noise shows here, and not there.

Run it with ``python -m tests.benchmarks.mixed [--sessions 6] [--systems tribune,sequential] [--levers NAMES]``; levers
are those of ``tests.benchmarks.ablation``. ``--named en`` makes sessions of English clips with a short French one after
every seventh, of which the details name English only; ``--named fr`` the other way round.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.ports import SAMPLE_RATE, Clip, Waveform
from pipeline.types import LANGUAGES, Language, Span
from tests.benchmarks.ablation import LEVERS, WHOLE
from tests.benchmarks.bench import Bench, say, table
from tests.benchmarks.data import SaidTurn, Sample, read_samples, read_sound
from tests.benchmarks.systems import TITLES, Heard, Hears, hear_with, open_hearing, open_whisper
from tests.benchmarks.words import Tally, count, row_of, words_of

_SETS: Final = frozenset({"fleurs_en", "fleurs_fr", "ljspeech", "librivox_en", "picovoice", "fr_misc", "jfk", "mfa_en"})
_LONGEST_S: Final = 35
_CLIPS: Final = 24
_PAUSES_S: Final = (0.05, 0.15, 0.3, 0.6, 1.2)
_LOUDNESS: Final = (0.5, 0.25, 0.125)
_NOISE: Final = (0.0, 0.0, 0.002)
_LOST: Final = 0.5
_EVERY: Final = 8
"""Each eighth clip is in the other language where one is named."""

SHORT_S: Final = (3, 9)
"""Of such a clip: shorter than a window, longer than a word."""


@dataclass(kw_only=True)
class Showed:
    """What several sessions showed.

    Attributes:
        tally: Sums over all of them.
        turns: How many clips there were.
        lost: Of how many of them under half of the words came, by their number.
        unnamed: How many of them were in a language that was not named.
        found: Of these, how many came in it by more than half.
        flipped: Words of the named language that were taken for another.
    """

    tally: Tally
    turns: int = 0
    lost: int = 0
    unnamed: int = 0
    found: int = 0
    flipped: int = 0


def compose(clips: Sequence[Sample], seed: int, named: Language | None = None) -> tuple[Clip, Sample]:
    """Return a session of clips in random order, and what is said in it.

    Args:
        clips: What to choose from, each in one language.
        seed: Of everything that is random.
        named: Which language it is mostly in; ``None`` for as they come.
    """
    drawn = np.random.default_rng(seed)
    languages: list[Language] = ["en", "fr"] if drawn.random() < 0.5 else ["fr", "en"]
    order = [clips[place] for place in drawn.permutation(len(clips))]
    chosen = (_mostly(order, named) if named else order)[:_CLIPS]
    sound, spans = lay_out([read_sound(clip.path) for clip in chosen], drawn)
    turns = tuple(
        SaidTurn(
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            speaker=f"{clip.languages[0].upper()}{number}",
            text=clip.text,
        )
        for number, (clip, span) in enumerate(zip(chosen, spans, strict=True))
    )
    text = " ".join(turn.text for turn in turns)
    name = Path(f"mixed-{seed}")
    return sound, Sample(group="mixed", path=name, languages=tuple(languages), text=text, turns=turns)


def lay_out(voices: Iterable[Clip], drawn: np.random.Generator) -> tuple[Clip, tuple[Span, ...]]:
    """Return voices one after the other, each at a loudness of its own after a pause, in a little noise, and where."""
    parts: list[Clip] = []
    spans: list[Span] = []
    at = 0
    for voice in voices:
        pause = np.zeros(round(drawn.choice(_PAUSES_S) * SAMPLE_RATE), np.float32)
        parts += [pause, voice * np.float32(drawn.choice(_LOUDNESS) / np.abs(voice).max())]
        start_ms, stop_ms = ((at + len(pause) + after) * 1000 // SAMPLE_RATE for after in (0, len(voice)))
        spans.append(Span(start_ms=start_ms, end_ms=stop_ms))
        at += len(pause) + len(voice)
    sound = np.concatenate(parts)
    sound += drawn.normal(0, drawn.choice(_NOISE), len(sound)).astype(np.float32)
    return sound, tuple(spans)


def _mostly(clips: Sequence[Sample], named: Language) -> list[Sample]:
    """Return the clips of a language, in their order, with a short one of the other after every seventh."""
    main = [clip for clip in clips if clip.languages == (named,)]
    other = [
        clip
        for clip in clips
        if clip.languages != (named,) and SHORT_S[0] <= len(read_sound(clip.path)) / SAMPLE_RATE <= SHORT_S[1]
    ]
    found: list[Sample] = []
    while main and other:
        found.append((other if len(found) % _EVERY == _EVERY - 1 else main).pop(0))
    return found


def showed(sessions: Sequence[tuple[Clip, Sample]], hears: Hears, named: Language | None = None) -> Showed:
    """Return how much of some sessions a system hears, where both languages are named or one only."""
    whole = Showed(tally=Tally())
    for sound, sample in sessions:
        told = replace(sample, languages=(named,)) if named else sample
        started = time.process_time()
        heard = hears(sound, told)
        row = row_of(sample, heard, time.process_time() - started, len(sound) / SAMPLE_RATE)
        whole.tally.add(count(row, sample, heard.speech))
        words = words_of(row)
        for turn in sample.turns:
            inside = [word for word in words if turn.covers(word.middle_ms)]
            right = sum(word.language == turn.language for word in inside)
            whole.turns += 1
            whole.lost += len(inside) < _LOST * len(turn.text.split())
            if turn.language in told.languages:
                whole.flipped += len(inside) - right
            else:
                whole.unnamed += 1
                whole.found += right > _LOST * max(len(inside), len(turn.text.split()))
    return whole


def short_clips(data: Path) -> list[Sample]:
    """Return the short recordings of one person in one language."""
    found = [sample for sample in read_samples(data) if sample.group in _SETS and "diarization" not in sample.path.stem]
    return [sample for sample in found if len(read_sound(sample.path)) < _LONGEST_S * SAMPLE_RATE]


def _pulled(name: str, threads: int) -> Hears:
    from models.whisper import WhisperOptions  # noqa: PLC0415 - takes a moment to import

    lever = LEVERS[name]
    recognizer = open_whisper(WhisperOptions(device="cpu", threads=threads, **lever.whisper))

    def hear(waveform: Waveform, sample: Sample) -> Heard:
        with lever.pulled() as options:
            return hear_with(recognizer, options, waveform, sample)

    return hear


def _ways(systems: Sequence[str], levers: Sequence[str], threads: int) -> Iterator[tuple[str, Hears]]:
    for system in systems:
        yield TITLES[system], open_hearing(system, threads)
    for name in levers:
        if name != WHOLE:
            yield f"Tribune, {LEVERS[name].what}", _pulled(name, threads)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.add_argument("--sessions", type=int, default=6)
    parser.add_argument("--systems", default="tribune")
    parser.add_argument("--levers", default="plain-detector")
    parser.add_argument("--named", choices=LANGUAGES, help="the one language that is named; both without it")
    options = parser.parse_args(arguments)
    bench = Bench.asked(options)
    clips = short_clips(bench.data)
    sessions = [compose(clips, seed, options.named) for seed in range(options.sessions)]
    rows = []
    for title, hears in _ways(options.systems.split(","), options.levers.split(","), bench.threads):
        found = showed(sessions, hears, options.named)
        right = 100 * found.tally.right_language / max(1, found.tally.words)
        cells = [f"{found.tally.wer:.1f}", f"{found.lost} of {found.turns}", f"{right:.1f}"]
        cells += [f"{found.found} of {found.unnamed}", str(found.flipped)] if options.named else []
        rows.append([title, *cells, f"{found.tally.rtf:.3f}"])
    head = ["", "WER %", "turns of which under half the words came", "words in the right language %"]
    head += ["turns found in a language not named", "words wrongly taken for it"] if options.named else []
    say("\n".join(table([*head, "processor time"], rows)))


if __name__ == "__main__":
    main()
