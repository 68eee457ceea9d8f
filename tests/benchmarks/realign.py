"""Where corrected words end up: words are damaged at random, corrected back by hand, and looked for in the sound.

What is recognised in a recording is the truth here. Some words of it are replaced by others or left out, as a
recogniser would; then a correction brings the right text back, and the new words are aligned. Their times are compared
with those that they had; words that nobody touched must not have moved at all.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from config.settings import load_settings
from flows.engines import MachineEngines, process_options
from pipeline.corrections import revise
from pipeline.media import probe, write_audio_file
from pipeline.ports import no_progress
from pipeline.revisions import CorrectedTurn, Correction, Entry, Revision, Token
from pipeline.types import Bilingual, Provenance, Session, Transcript, Turn, Word
from tests.benchmarks.bench import say

_DAMAGED: Final = 0.08
_LEFT_OUT: Final = 0.3
"""Of the damaged words; the others are replaced by a word from elsewhere in the session."""

_TURN: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """How far words have moved, in ms.

    Attributes:
        untouched: Of words that nobody touched: start and end.
        laid: Of new words between their neighbours, starts.
        found: Of new words where they were found, starts.
        aligned: New words that were found.
    """

    untouched: tuple[int, ...]
    laid: tuple[int, ...]
    found: tuple[int, ...]
    aligned: int


def measure(path: Path, engines: MachineEngines, seed: int) -> Shifts:
    """Damage one recording's words, correct them and see where they come to lie."""
    settings = load_settings()
    options = process_options(settings)
    session = Session(id="0" * 16, title=Bilingual.same("bench"), languages=("en", "fr"))
    with TemporaryDirectory() as folder:
        media = probe(path, options.media)
        audio = write_audio_file(media, media.audio[0], Path(folder) / "sound.wav", options.media)
        words = engines.recognize(audio, session, options.speech, no_progress).words
        truth = _transcript(words, audio.duration_ms)
        corrected, new = damaged_and_corrected(truth, seed)
        aligned = engines.align(audio, corrected, no_progress)
    return _compare(truth.words, corrected.words, aligned.words, new)


def damaged_and_corrected(truth: Transcript, seed: int) -> tuple[Transcript, frozenset[int]]:
    """Return a transcript whose words were damaged and then typed right, and the indices of those typed."""
    chance = np.random.default_rng(seed)
    words, heard, new = truth.words, [], set()
    for at, word in enumerate(words):
        if chance.random() >= _DAMAGED:
            heard.append(word)
            continue
        new.add(at)
        if chance.random() >= _LEFT_OUT:
            heard.append(replace(word, text=words[int(chance.integers(len(words)))].text))
    damaged = _transcript(heard, truth.duration_ms)
    entry = Entry(number=1, author="bench", saved_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), origin="recognition")
    revision = Revision(entry=entry, transcript=damaged, provenance=Provenance(tool="bench"))
    turns = (CorrectedTurn(speaker=None, tokens=tuple(Token(text=word.text) for word in words)),)
    return revise(revision, Correction(turns=turns)), frozenset(new)


def _transcript(words: Sequence[Word], duration_ms: int) -> Transcript:
    turns = (Turn(speaker=None, words=tuple(words[at : at + _TURN])) for at in range(0, len(words), _TURN))
    return Transcript(session_id="0" * 16, language="en", duration_ms=duration_ms, turns=tuple(turns))


def _compare(truth: Sequence[Word], laid: Sequence[Word], found: Sequence[Word], new: frozenset[int]) -> Shifts:
    typed = [at for at, word in enumerate(laid) if word.timed == "interpolated"]
    others = [at for at in range(len(truth)) if at not in new and at not in set(typed)]
    return Shifts(
        untouched=tuple(
            abs(shift)
            for at in others
            for shift in (found[at].start_ms - truth[at].start_ms, found[at].end_ms - truth[at].end_ms)
        ),
        laid=tuple(abs(laid[at].start_ms - truth[at].start_ms) for at in typed),
        found=tuple(abs(found[at].start_ms - truth[at].start_ms) for at in typed),
        aligned=sum(found[at].timed == "aligned" for at in typed),
    )


def _row(name: str, shifts: Shifts) -> str:
    untouched, laid, found = (np.asarray(each or (0,)) for each in (shifts.untouched, shifts.laid, shifts.found))
    return (
        f"{name:<24} {len(shifts.found):>4} typed, {shifts.aligned:>4} found; off by, in ms: untouched median"
        f" {np.median(untouched):.0f}, most {untouched.max():.0f}; typed, laid between: median {np.median(laid):.0f},"
        f" p90 {np.percentile(laid, 90):.0f}; found: median {np.median(found):.0f}, p90 {np.percentile(found, 90):.0f}"
    )


def main() -> None:
    """Print one line a recording and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    engines = MachineEngines(load_settings())
    everything: list[Shifts] = []
    for path in given.recordings:
        everything.append(measure(path, engines, given.seed))
        say(_row(path.stem, everything[-1]))
    total = Shifts(
        untouched=tuple(shift for each in everything for shift in each.untouched),
        laid=tuple(shift for each in everything for shift in each.laid),
        found=tuple(shift for each in everything for shift in each.found),
        aligned=sum(each.aligned for each in everything),
    )
    say(_row("all", total))


if __name__ == "__main__":
    main()
