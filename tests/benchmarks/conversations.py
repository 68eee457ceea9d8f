"""Simulated conversations: many real single speakers in quick talk, whom the bench's recordings do not have.

Clips of one person each are cut at their quietest places and laid one after the other, or over one another, with rooms,
noise and people far from the microphone. The reference counts as speech what Silero hears in the clips, and so no pause
of over 0.2 s: read the confusion. People, draws and noise of the half for tuning are not those of the half that is held
out: look at that once, at the end.

Run it with ``python -m tests.benchmarks.conversations [--half tuning|held-out] [--only REGEX] [--systems
tribune,pyannote,senko]``.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.whisper import speech_probabilities, speech_spans
from pipeline.ports import SAMPLE_RATE, Clip
from tests.benchmarks import speakers
from tests.benchmarks.bench import Bench, say, table
from tests.benchmarks.data import WARM_UP, read_sound, write_wave
from tests.clips import make

_LEVEL: Final = 0.05
"""Root mean square of everybody's speech."""

_CUT_WITHIN: Final = SAMPLE_RATE // 4
"""A turn ends so near to the length drawn, where it is quietest for 30 ms."""

_QUIET: Final = SAMPLE_RATE * 30 // 1000
_REVERBERATION_S: Final = (0.25, 0.6)
_REFLECTED: Final = 0.7
"""What comes back from the walls, against what comes straight."""

_PEOPLE: Final = {
    "tuning": {
        "en": (
            "fleurs_en/fleurs-en-00[158].ogg", "fleurs_en/fleurs-en-000.ogg", "mfa_en/*.flac", "speech/columbia.wma",
            "azure_enrolment/enrollment_katie.flac", "jfk/jfk.flac", "librivox_en/austen_*.wav",
            "video/open-dubbing_englishvideo.mp4",
        ),
        "fr": (
            "fleurs_fr/fleurs-fr-00[348].ogg", "fr_kyutai/*.mp3", "ibm_watson/fr-FR_Broadband_sample1.flac",
            "fr_misc/ina_lamartine.wav", "picovoice/fr_leopard.wav",
        ),
    },
    "held-out": {
        "en": (
            "fleurs_en/fleurs-en-00[234].ogg", "fleurs_en/fleurs-en-00[79].ogg", "fleurs_en/fleurs-en-006.ogg",
            "librivox_en/shakespeare_*.mp3", "ljspeech/LJ*.[fw]*", "harvard_en/OSR_us_000_0034_8k.flac",
            "ibm_watson/en-GB_Broadband_sample1.flac", "azure_enrolment/enrollment_steve.flac",
        ),
        "fr": (
            "fleurs_fr/fleurs-fr-00[2569].ogg", "fleurs_fr/fleurs-fr-00[17].ogg", "fr_misc/readalongs_ej-fra.m4a",
            "ibm_watson/fr-FR_Broadband_sample2.wav", "video_esup/video_test_encodage_transcription.webm",
        ),
    },
}  # fmt: skip
"""The files of each person; clips of FLEURS of one person are those that CAM++ finds alike by over 0.6."""

_NOISE: Final = {"tuning": "nasty/noise1.wav", "held-out": "nasty/noise4.wav"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What a conversation is made of.

    Attributes:
        kind: The set that it is counted in.
        minutes: How long.
        people: How many.
        languages: Of whom.
        turns_s: The shortest and the longest turn; between them, all ratios are as likely.
        overlapping: Share of turns that begin before the last one ends.
        rooms: Everybody sits in a room of their own.
        noise_db: How far the noise lies under the speech.
        softer_db: How much softer the first people are than the others.
    """

    kind: str
    minutes: float
    people: int
    languages: Sequence[str]
    turns_s: tuple[float, float] = (0.7, 8.0)
    overlapping: float = 0.0
    rooms: bool = False
    noise_db: float = 40.0
    softer_db: tuple[float, ...] = ()


_SLOW: Final = (5.0, 25.0)
TALKS: Final = (
    Talk(kind="session", minutes=2.5, people=4, languages=("en",), turns_s=_SLOW),
    Talk(kind="session", minutes=5, people=8, languages=("en", "fr"), turns_s=_SLOW),
    Talk(kind="panel", minutes=2.5, people=4, languages=("fr",)),
    Talk(kind="panel", minutes=5, people=6, languages=("en",)),
    Talk(kind="panel", minutes=15, people=9, languages=("en", "fr")),
    Talk(kind="overlap", minutes=2.5, people=3, languages=("fr",), overlapping=0.25),
    Talk(kind="overlap", minutes=2.5, people=5, languages=("en",), overlapping=0.25),
    Talk(kind="rooms", minutes=2.5, people=3, languages=("en",), rooms=True, noise_db=25),
    Talk(kind="rooms", minutes=5, people=5, languages=("fr",), rooms=True, noise_db=20),
    Talk(kind="rooms", minutes=5, people=7, languages=("en", "fr"), rooms=True, noise_db=15),
    Talk(kind="soft", minutes=2.5, people=4, languages=("en",), softer_db=(6, 12, 20)),
    Talk(kind="soft", minutes=5, people=5, languages=("en", "fr"), turns_s=_SLOW, softer_db=(6, 12, 20)),
)


class _Person:
    """What somebody says, turn by turn, over and over again."""

    def __init__(self, paths: Sequence[Path], random: np.random.Generator) -> None:
        sounds = [read_sound(path) for path in paths]
        self._sound = np.concatenate(sounds)
        self._speech = np.concatenate([_speech(sound) for sound in sounds])
        self._sound = self._sound * (_LEVEL / np.sqrt(np.mean(self._sound[self._speech] ** 2)))
        self._at = int(random.choice(np.flatnonzero(self._speech)))

    def say(self, length: int) -> tuple[Clip, NDArray[np.bool_]]:
        """Return the sound of the next turn of about that many samples, and which of them are speech."""
        left = np.flatnonzero(self._speech[self._at :])
        first = self._at + int(left[0]) if len(left) else int(self._speech.argmax())
        last = first + length
        if last + _CUT_WITHIN >= len(self._sound):
            last = len(self._sound)
        else:
            # It is never cut so early that nothing is left.
            near = self._sound[max(first + length // 2, last - _CUT_WITHIN) : last + _CUT_WITHIN]
            loudness = np.convolve(near**2, np.ones(_QUIET), mode="valid")
            last += _CUT_WITHIN - len(near) + int(loudness.argmin()) + _QUIET // 2
        self._at = last
        return self._sound[first:last], self._speech[first:last]


def _speech(sound: Clip) -> NDArray[np.bool_]:
    """Return which samples are speech."""
    heard = np.zeros(len(sound), dtype=np.bool_)
    for span in speech_spans(speech_probabilities(sound), len(sound) * 1000 // SAMPLE_RATE):
        heard[span.start_ms * SAMPLE_RATE // 1000 : span.end_ms * SAMPLE_RATE // 1000] = True
    return heard


def compose(talk: Talk, half: str, seed: int, data: Path) -> tuple[Clip, list[tuple[float, float, str]]]:
    """Return the sound of a conversation, and who speaks from when to when, in seconds."""
    random = np.random.default_rng([seed, sorted(_PEOPLE).index(half)])
    known = [files for language in talk.languages for files in _PEOPLE[half][language]]
    chosen = [known[number] for number in random.permutation(len(known))[: talk.people]]
    people = [_Person(sorted(data.glob(files)), random) for files in chosen]
    rooms = [_room(random) if talk.rooms else np.ones(1) for _ in people]
    gains = 10 ** (-np.array([*talk.softer_db, *[0.0] * (len(people) - len(talk.softer_db))]) / 20)
    size = round(talk.minutes * 60 * SAMPLE_RATE)
    sound = np.zeros(size + 60 * SAMPLE_RATE)
    spans: list[tuple[float, float, str]] = []
    at = 0
    for who in islice(_order(len(people), random), 10_000):
        length_s = np.exp(random.uniform(*np.log(talk.turns_s)))
        said, speech = people[who].say(round(length_s * SAMPLE_RATE))
        early = random.random() < talk.overlapping
        gap_s = -min(length_s / 2, random.uniform(0.2, 1.0)) if early else random.uniform(0.0, 0.4)
        at = max(0, at + round(gap_s * SAMPLE_RATE))
        if at + len(said) > size:
            break
        heard = gains[who] * _convolved(said, rooms[who])
        sound[at : at + len(heard)] += heard
        edges = np.flatnonzero(np.diff(speech, prepend=False, append=False)) + at
        spans += [
            (start / SAMPLE_RATE, end / SAMPLE_RATE, f"speaker{who}")
            for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        ]
        at += len(said)
    noise = np.resize(read_sound(data / _NOISE[half]), size)
    noise *= _LEVEL * 10 ** (-talk.noise_db / 20) / np.sqrt(np.mean(noise**2))
    mixed = sound[:size] + noise
    return (mixed * min(1.0, 0.99 / np.abs(mixed).max())).astype(np.float32), spans


def _order(people: int, random: np.random.Generator) -> Iterator[int]:
    """Yield who speaks next: first everybody once, then anybody but who spoke last, some more often than others."""
    yield from range(people)
    last, likely = people - 1, random.uniform(0.4, 1.0, people)
    for _ in cycle([0]):
        shares = np.where(np.arange(people) == last, 0.0, likely)
        last = int(random.choice(people, p=shares / shares.sum()))
        yield last


def _room(random: np.random.Generator) -> NDArray[np.float64]:
    """Return an impulse response: the sound itself, and noise that dies away."""
    seconds = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    tail = random.normal(size=len(seconds)) * 10 ** (-3 * seconds / random.uniform(*_REVERBERATION_S))
    tail[: SAMPLE_RATE // 200] = 0.0
    tail *= _REFLECTED / np.linalg.norm(tail)
    tail[0] = 1.0
    return tail


def _convolved(sound: Clip, room: NDArray[np.float64]) -> NDArray[np.float64]:
    size = len(sound) + len(room) - 1
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(room, size), size)


def write_talks(half: str, data: Path, folder: Path) -> Path:
    """Return a folder like that of the shared recordings, with a half's conversations, made where it is not there yet.

    Their names tell what they were made from: rows of others are not taken for theirs.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes() + (data / "INDEX.tsv").read_bytes()).hexdigest()[:8]
    folder /= f"{half}-{digest}"
    index = folder / "INDEX.tsv"
    if not index.exists():
        warm_up = folder / WARM_UP
        warm_up.parent.mkdir(parents=True, exist_ok=True)
        warm_up.unlink(missing_ok=True)
        warm_up.symlink_to(data / WARM_UP)
        for number, talk in enumerate(TALKS):
            sound, spans = compose(talk, half, number, data)
            name = f"{half}-{'-'.join(talk.languages)}-{talk.minutes:g}min-{digest}"
            path = folder / talk.kind / f"{name}.wav"
            write_wave(path, sound)
            make(path.with_suffix(".flac"), "-i", str(path))
            path.unlink()
            lines = [
                f"SPEAKER {name} 1 {start:.3f} {end - start:.3f} <NA> <NA> {who} <NA> <NA>\n"
                for start, end, who in spans
            ]
            path.with_suffix(".rttm").write_text("".join(lines), encoding="utf-8")
        # It comes last: where it is, everything is.
        index.write_text("path\tlanguage\n", encoding="utf-8")
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.add_argument("--systems", default="tribune")
    parser.add_argument("--half", choices=list(_PEOPLE), default="tuning")
    options = parser.parse_args(arguments)
    asked, systems = Bench.asked(options), options.systems.split(",")
    bench = replace(asked, quick=False, data=write_talks(options.half, asked.data, asked.results / "conversations"))
    speakers.measure(bench, systems)
    say("\n".join(speakers.report(bench, systems)))
    kinds = {system: speakers.sets(speakers.score(bench, system)) for system in systems}
    rows = [
        [kind, *(speakers.numbers(kinds[system].get(kind)) for system in systems)]
        for kind in sorted({kind for each in kinds.values() for kind in each})
    ]
    say("\n".join(table(["numbers of voices right, off by one, worse", *systems], rows)))


if __name__ == "__main__":
    main()
