"""Strangers: a few seconds of a third language in sessions whose details name English or French only.

Short recordings in the named language and, after every third, one from folders of recordings in other languages go in,
each at a loudness of its own, with pauses between them and a little noise; what comes out is how many of the strange
ones are flagged as another language or in any way, and what else is.

Run it with ``python -m tests.benchmarks.strangers FOLDER... [--sessions 6]``. The shared recordings have none in other
languages; Debian's packages ``asterisk-core-sounds-es-wav``, ``asterisk-core-sounds-it-wav`` and
``asterisk-prompt-it-menardi-wav`` hold people who say whole sentences in Spanish and Italian, one folder each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.whisper import WhisperOptions
from pipeline.ports import SAMPLE_RATE, Clip
from pipeline.speech import recognize
from pipeline.types import LANGUAGES, Language, Span
from tests.benchmarks.ablation import LEVERS, WHOLE
from tests.benchmarks.bench import Bench, say, table
from tests.benchmarks.data import Sample, read_sound
from tests.benchmarks.mixed import SHORT_S, lay_out, short_clips
from tests.benchmarks.systems import open_whisper, session_of

_CLIPS: Final = 20
_EVERY: Final = 4
"""Each fourth clip is a strange one."""

_HEARD_MS: Final = 500
"""A flag is about a clip where it covers more of it than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A session with strange clips in it.

    Attributes:
        sound: All of it.
        sample: What its details say.
        strange: Where the strange clips are.
    """

    sound: Clip
    sample: Sample
    strange: tuple[Span, ...]


def compose(clips: Sequence[Sample], strange: Sequence[Path], named: Language, seed: int) -> Composed:
    """Return a session of clips in random order, each fourth of them a strange one.

    Args:
        clips: What to choose from in the named language.
        strange: What to choose from in others.
        named: The language that the details name.
        seed: Of everything that is random.
    """
    drawn = np.random.default_rng(seed)
    known = [clips[place].path for place in drawn.permutation(len(clips))]
    others = [strange[place] for place in drawn.permutation(len(strange))]
    order = [(others if place % _EVERY == _EVERY - 1 else known).pop() for place in range(_CLIPS)]
    sound, spans = lay_out([read_sound(path) for path in order], drawn)
    sample = Sample(group="strangers", path=Path(f"strangers-{named}-{seed}"), languages=(named,), text="")
    return Composed(sound=sound, sample=sample, strange=spans[_EVERY - 1 :: _EVERY])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.add_argument("folders", nargs="+", type=Path, help="recordings in languages that are not transcribed")
    parser.add_argument("--sessions", type=int, default=6, help="in each language")
    options = parser.parse_args(arguments)
    bench = Bench.asked(options)
    strange = [
        path
        for folder in options.folders
        for path in sorted(folder.glob("*.wav"))
        if SHORT_S[0] <= len(read_sound(path)) / SAMPLE_RATE <= SHORT_S[1]
    ]
    if len(strange) < _CLIPS // _EVERY:
        parser.error(f"these folders hold {len(strange)} .wav files of {SHORT_S[0]} to {SHORT_S[1]} s, too few")
    clips = short_clips(bench.data)
    sessions = [
        compose([clip for clip in clips if clip.languages == (named,)], strange, named, seed)
        for named in LANGUAGES
        for seed in range(options.sessions)
    ]
    recognizer = open_whisper(WhisperOptions(device="cpu", threads=bench.threads))
    rows = []
    for name in (WHOLE, "no-unbelieved"):
        total, told, flagged, wrong = 0, 0, 0, 0
        started = time.process_time()
        for session in sessions:
            with LEVERS[name].pulled() as chosen:
                found = recognize(session.sound, session_of(session.sample), recognizer, chosen).notices
            others = [notice.span for notice in found if notice.code == "speech.other_language" and notice.span]
            total += len(session.strange)
            told += sum(_about(clip, others) for clip in session.strange)
            flagged += sum(_about(clip, [each.span for each in found if each.span]) for clip in session.strange)
            wrong += sum(not _about(span, session.strange) for span in others)
        spent = time.process_time() - started
        rows.append([LEVERS[name].what, f"{told} of {total}", f"{flagged} of {total}", str(wrong), f"{spent:.0f}"])
    head = ["", "flagged as another language", "flagged in any way", "wrongly flagged so", "processor time, s"]
    say("\n".join(table(head, rows)))


def _about(span: Span, others: Sequence[Span]) -> bool:
    return any(span.overlap_ms(other) > _HEARD_MS for other in others)


if __name__ == "__main__":
    main()
