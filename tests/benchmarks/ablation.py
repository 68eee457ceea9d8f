"""Ablation: what each guard and each choice of Tribune's speech stage gains and costs.

A recogniser that remembers and a list of levers go in, a table comes out. Every recording is heard once as it is and
once with each lever pulled, in one process: what a lever does not change is decoded once and remembered, with the
processor time that it took. So all levers together take a few times as long as one, what is compared is never two runs
of the same, and other work on the machine does not decide what anything costs.

Run it with ``python -m tests.benchmarks.ablation [--only REGEX] [--levers no-hole,no-alone]``; ``--levers figures``
tries other figures than those chosen: windows, margins, batches, beams, padding.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

from models import whisper
from models.whisper import WhisperOptions
from pipeline import speech
from pipeline.ports import SAMPLE_RATE, Clip, Decoded, LanguageQuestion, Recognizer, Waveform
from pipeline.screening import ScreeningRules
from pipeline.speech import SpeechOptions
from pipeline.types import ModelUse, Span
from tests.benchmarks.bench import Bench, say, table
from tests.benchmarks.data import NOBODY, Sample, read_sound
from tests.benchmarks.systems import hear_with, open_whisper
from tests.benchmarks.words import JUDGE, Scores, Tally, row_of, score, together
from tests.benchmarks.words import MEASURE as WORDS

MEASURE: Final = "ablate"
WHOLE: Final = "whole"
"""The lever that moves nothing."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """Tribune's speech stage with one thing turned off or set otherwise.

    Attributes:
        what: Said in the table.
        whisper: Options of the recogniser to change.
        speech: Options of the stage to change.
        screening: Options of the guards to change.
        steps: Functions of ``pipeline.speech`` to put others in the place of.
        engine: Functions and figures of ``models.whisper`` to put others in the place of.
    """

    what: str
    whisper: Mapping[str, Any] = field(default_factory=dict)
    speech: Mapping[str, Any] = field(default_factory=dict)
    screening: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)

    @contextmanager
    def pulled(self) -> Iterator[SpeechOptions]:
        """Give the options of the stage while its steps, and functions of the engine, are replaced."""
        others = [(speech, *each) for each in self.steps.items()] + [(whisper, *each) for each in self.engine.items()]
        before = [(module, name, getattr(module, name)) for module, name, _ in others]
        for module, name, other in others:
            setattr(module, name, other)
        try:
            yield SpeechOptions(**self.speech, screening=replace(ScreeningRules(), **self.screening))
        finally:
            for module, name, own in before:
                setattr(module, name, own)

    @property
    def recogniser(self) -> Hashable:
        """What decides what the recogniser gives for the same stretches; levers that agree in it share one."""
        return tuple(self.whisper.items()), tuple(self.engine.items())


_NEVER: Final = 1e9


def _first(*given: Any) -> Any:  # noqa: ANN401 - whatever the step is given
    return given[0]


def _second(*given: Any) -> Any:  # noqa: ANN401 - whatever the step is given
    return tuple(given[1])


def _nothing(*_: Any) -> tuple[()]:  # noqa: ANN401 - whatever the step is given
    return ()


def _padded_to(*lengths: int) -> Callable[[int], int]:
    """Return what pads windows to the first of these lengths that leaves a second, else to 30 s; in frames of 10 ms."""
    return lambda frames: next((length for length in lengths if frames + 100 <= length), _ALL_FRAMES)


def _padded_by(padding: int) -> Callable[[int], int]:
    """Return what pads windows by so many frames of 10 ms; the encoder takes two at a time."""
    return lambda frames: min(_ALL_FRAMES, frames + frames % 2 + padding)


_ALL_FRAMES: Final = 3_000

_ENDLESS: Final = {"_VAD_ANEW": 10**6, "_VAD_LISTENS": 10**6}

GUARDS: Final[Mapping[str, Lever]] = {
    WHOLE: Lever(what="the whole system"),
    "no-second-look": Lever(what="no second look at all", steps={"_in_pieces": _second, "_alone": _second}),
    "no-pieces": Lever(what="no second look in pieces", steps={"_in_pieces": _second}),
    "no-alone": Lever(what="no careful look alone", steps={"_alone": _second}),
    "careful-plain": Lever(what="repetition not held down in the careful look", engine={"_CAREFUL": {}}),
    "no-repetitive": Lever(
        what="loops not doubted",
        screening={"most_compression": _NEVER, "most_repeats": int(_NEVER), "most_repeated": int(_NEVER)},
    ),
    "no-repeated": Lever(what="a sentence said again not doubted", screening={"most_repeated": int(_NEVER)}),
    "no-unsure": Lever(
        what="low belief not doubted", screening={"least_log_probability": -_NEVER, "least_word_probability": 1e-9}
    ),
    "no-silence": Lever(what="silence not doubted", screening={"most_no_speech": 1.0}),
    "no-hole": Lever(what="holes not doubted nor flagged", screening={"shortest_hole_ms": int(_NEVER)}),
    "no-levels": Lever(what="quiet voices left quiet for the detector", engine={"even_out": _first}),
    "no-anew": Lever(what="the detector never begins anew", engine=_ENDLESS),
    "plain-detector": Lever(what="the detector as it comes", engine={"even_out": _first, **_ENDLESS}),
    "no-snap": Lever(what="edges of phrases not moved", steps={"snap": _first}),
    "no-tighten": Lever(what="long words left to begin early", steps={"tighten": _first}),
    "no-hysteresis": Lever(what="a change of language costs nothing", speech={"switch_cost": 0.0}),
    "whole-windows": Lever(
        what="another language heard in whole windows only", speech={"unnamed_inner_probability": _NEVER}
    ),
    "no-unbelieved": Lever(
        what="words that are hardly believed lead to no other language", steps={"_hardly_believed": _nothing}
    ),
    "any-cut": Lever(what="windows cut at any pause", speech={"phrase_pause_ms": 1}),
}
"""What is turned off, one at a time."""

FIGURES: Final[Mapping[str, Lever]] = {
    **{f"margin-{ms}": Lever(what=f"{ms} ms of sound around speech", speech={"margin_ms": ms}) for ms in (0, 200, 500)},
    **{
        f"unsure-{hundredths}": Lever(
            what=f"words doubted under a probability of 0.{hundredths} in the mean",
            screening={"least_word_probability": hundredths / 100},
        )
        for hundredths in (40, 50, 60, 65)
    },
    "window-19": Lever(what="no window over 19 s", speech={"window_ms": 19_000}),
    **{f"batch-{size}": Lever(what=f"batches of {size}", speech={"batch_size": size}) for size in (1, 8)},
    **{f"beam-{size}": Lever(what=f"beam of {size}", whisper={"beam_size": size}) for size in (1, 2, 3)},
    "pad-30": Lever(what="every window padded to 30 s", engine={"_padded_frames": _padded_to()}),
    "pad-10": Lever(
        what="windows up to 9 s padded to 10 s", engine={"_padded_frames": _padded_to(1_000, 1_500, 2_000)}
    ),
    "pad-20": Lever(what="no window padded to 15 s", engine={"_padded_frames": _padded_to(2_000)}),
    **{
        f"pad-by-{s}": Lever(what=f"every batch padded by {s} s", engine={"_padded_frames": _padded_by(s * 100)})
        for s in (5, 8)
    },
}
"""What is set otherwise, one at a time."""

LEVERS: Final[Mapping[str, Lever]] = {**GUARDS, **FIGURES}

_SETS: Final[Mapping[str, Iterable[str]]] = {"guards": GUARDS, "figures": FIGURES}

_FAMILIES: Final[Mapping[str, Callable[[str], bool]]] = {
    "English": lambda group: "/en_" in group and "degraded" not in group,
    "French": lambda group: "/fr_" in group and "degraded" not in group,
    "bilingual": lambda group: "bilingual" in group,
    "degraded": lambda group: "degraded" in group,
}
"""Which composed sessions a column is about."""


class Remembering:
    """A recogniser that works everything out once, and keeps account of what it took.

    Args:
        recognizer: Does the work.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._known: dict[Hashable, tuple[Any, float]] = {}
        self.spared_s = 0.0
        """Processor time that whatever was remembered had taken."""

    def forget(self) -> None:
        """Begin another recording."""
        self._known.clear()

    @property
    def model(self) -> ModelUse:
        """Which weights, where they run now."""
        return self._recognizer.model

    @property
    def windows_at_once(self) -> int | None:
        """How many windows the device has memory for."""
        return self._recognizer.windows_at_once

    def detect_speech(self, waveform: Waveform) -> tuple[Span, ...]:
        """Return the stretches where a voice is heard."""
        return self._once("speech", lambda: self._recognizer.detect_speech(waveform))

    def detect_languages(
        self, waveform: Waveform, spans: Sequence[Span], languages: Sequence[str]
    ) -> Iterator[Mapping[str, float]]:
        """Return the probability of each language in each stretch."""
        yield from self._once(
            ("languages", _places(spans), tuple(languages)),
            lambda: tuple(self._recognizer.detect_languages(waveform, spans, languages)),
        )

    def decode_batch(
        self,
        waveform: Waveform,
        spans: Sequence[Span],
        *,
        language: str,
        hotwords: str | None,
        batch_size: int,
        asked: LanguageQuestion | None = None,
    ) -> Iterator[Decoded]:
        """Decode stretches; what is decoded together is remembered together, for it decides what comes out."""
        yield from self._once(
            (_places(spans), language, hotwords, batch_size, asked),
            lambda: tuple(
                self._recognizer.decode_batch(
                    waveform, spans, language=language, hotwords=hotwords, batch_size=batch_size, asked=asked
                )
            ),
        )

    def decode_careful(
        self, waveform: Waveform, spans: Sequence[Span], *, language: str, hotwords: str | None
    ) -> Iterator[tuple[Decoded, ...]]:
        """Decode each stretch by itself."""
        for span in spans:
            yield from self._once(
                ("careful", _places([span]), language, hotwords),
                partial(self._careful, waveform, span, language, hotwords),
            )

    def to_cpu(self) -> Recognizer:
        """Return the same model on the CPU."""
        return self._recognizer.to_cpu()

    def _careful(
        self, waveform: Waveform, span: Span, language: str, hotwords: str | None
    ) -> tuple[tuple[Decoded, ...], ...]:
        return tuple(self._recognizer.decode_careful(waveform, [span], language=language, hotwords=hotwords))

    def _once(self, key: Hashable, work: Callable[[], Result]) -> Result:
        if key in self._known:
            known: Result
            known, cost_s = self._known[key]
            self.spared_s += cost_s
            return known
        started = time.process_time()
        done = work()
        self._known[key] = (done, time.process_time() - started)
        return done


def _places(spans: Sequence[Span]) -> tuple[tuple[int, int], ...]:
    return tuple((span.start_ms, span.end_ms) for span in spans)


def measure(bench: Bench, levers: Sequence[str]) -> None:
    """Hear every recording with every lever that it has not been heard with."""
    bench.measure(WORDS, JUDGE, [sample.key for sample in bench.samples])

    recognisers: dict[Hashable, Remembering] = {}

    def opened(lever: Lever) -> Remembering:
        if lever.recogniser not in recognisers:
            options = WhisperOptions(device="cpu", threads=bench.threads, **lever.whisper)
            recognisers[lever.recogniser] = Remembering(open_whisper(options))
        return recognisers[lever.recogniser]

    for sample in bench.samples:
        missing = [name for name in levers if bench.missing(MEASURE, name, [sample.key])]
        if not missing:
            continue
        sound = read_sound(sample.path)
        used = {name: opened(LEVERS[name]) for name in missing}
        for name, recognizer in used.items():
            _hear(bench, name, sample, sound, recognizer)
        for recognizer in used.values():
            recognizer.forget()


def _hear(bench: Bench, name: str, sample: Sample, sound: Clip, recognizer: Remembering) -> None:
    with LEVERS[name].pulled() as options:
        recognizer.spared_s, started = 0.0, time.process_time()
        heard = hear_with(recognizer, options, sound, sample)
        spent_s = time.process_time() - started + recognizer.spared_s
    bench.add(MEASURE, name, row_of(sample, heard, spent_s, len(sound) / SAMPLE_RATE))


def report(bench: Bench, levers: Sequence[str]) -> list[str]:
    """Return the table as lines of Markdown."""
    head = ["", "wrong words", "WER %", *_FAMILIES, "words where nobody speaks", "flagged s", "unflagged s", "time"]
    whole = together(score(bench, WHOLE, MEASURE)).spent_s
    return table(head, [[LEVERS[name].what, *_cells(score(bench, name, MEASURE), whole)] for name in levers])


def _cells(scores: Scores, whole_s: float) -> list[str]:
    if not scores:
        return ["–"] * (6 + len(_FAMILIES))
    total = together(scores)
    spoken = together(scores, lambda group: group != NOBODY)
    families = [together(scores, pick) for pick in _FAMILIES.values()]
    return [
        str(spoken.errors),
        _wer(spoken),
        *(_wer(family) for family in families),
        str(total.inserted),
        f"{total.flagged_ms / 1000:.1f}",
        f"{total.unflagged_ms / 1000:.1f}",
        f"{total.spent_s / whole_s:.3f} ×" if whole_s else "–",
    ]


def _wer(tally: Tally) -> str:
    return f"{tally.wer:.2f}" if tally.spoken else "–"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.add_argument("--levers", default="guards", help="guards, figures, or names of some, with commas between")
    options = parser.parse_args(arguments)
    bench = Bench.asked(options)
    asked = [_SETS.get(name, [name]) for name in options.levers.split(",")]
    levers = list(dict.fromkeys([WHOLE, *chain.from_iterable(asked)]))
    measure(bench, levers)
    say("\n".join(report(bench, levers)))


if __name__ == "__main__":
    main()
