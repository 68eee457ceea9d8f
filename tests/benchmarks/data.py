"""What is measured on: recordings with their references, and recordings joined at known places.

The folder of shared recordings goes in; samples with texts, turns and word times come out, and joined recordings are
written beside the results. It stands alone because every measure reads the same samples.
"""

from __future__ import annotations

import csv
import json
import re
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.ports import SAMPLE_RATE, Clip
from pipeline.types import LANGUAGES, Language, Span

ROOT: Final = Path(__file__).parents[2]
DATA: Final = ROOT.parent / "shared" / "data"
MODELS: Final = ROOT / "var" / "models"

NOBODY: Final = "nobody speaks"
"""The set of recordings in which there is no speech."""

KNOWN_TIMES: Final = "word times"
"""The set of recordings joined so that the start of some words is known."""

SILENT: Final = re.compile(r"pink_noise|silence_120|tone_440|music_vibe|/noise\d|silent_60s|empty|no_duration|failing")
DEGRADED: Final = {"en_session_music_bed": "en_session_6spk", "fr_session_noise": "fr_session_5spk"}

WARM_UP: Final = "jfk/jfk.flac"
"""Heard first by every system, and not counted: the first call of an engine takes longer."""

_LONG: Final = (
    "council/council_9f581faa5ece.flac",
    "composed/en_session_6spk_overlap.flac",
    "speech/columbia.wma",
    "composed/en_audiobook_3readers_4min.flac",
    "composed/en_session_6spk.flac",
)
_SHORT: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("fleurs_en/*.ogg", "ljspeech/*.*", "librivox_en/austen_*.wav", "picovoice/en_leopard.wav"),
    "fr": ("fleurs_fr/*.ogg", "picovoice/fr_*.wav", "fr_misc/french_dictee.aiff"),
}
_FRAME: Final = SAMPLE_RATE // 100
_PAUSES_MS: Final = (400, 700, 1_100, 1_600, 2_300)
_AUDIBLE: Final = 0.03
_PLAINLY: Final = 0.15
_PLAIN_WITHIN: Final = SAMPLE_RATE // 10
_VOICED: Final = 0.5
_VOICED_WITHIN: Final = SAMPLE_RATE // 4
_PITCHES: Final = range(SAMPLE_RATE // 400, SAMPLE_RATE // 60)
_PITCH_FRAME: Final = SAMPLE_RATE // 25


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidTurn(Span):
    """One speaker's turn in a reference.

    Attributes:
        speaker: As the reference names them.
        text: Word for word.
    """

    speaker: str
    text: str

    @property
    def language(self) -> Language:
        """The language, which the speaker's name starts with in the bilingual reference."""
        return "fr" if self.speaker.startswith("FR") else "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWord:
    """A word of a reference.

    Attributes:
        text: As said.
        start_ms: When it starts, where that is known.
    """

    text: str
    start_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One recording with what was said in it.

    Attributes:
        group: The set that it is counted in.
        path: The recording.
        languages: What is known of its languages before it is heard.
        text: All that was said; empty where nobody speaks.
        turns: Who said what when, where the reference says.
        words: The words with their starts, where the reference says.
    """

    group: str
    path: Path
    languages: tuple[Language, ...]
    text: str
    turns: tuple[SaidTurn, ...] = ()
    words: tuple[KnownWord, ...] = ()

    @property
    def key(self) -> str:
        """What tells it from every other sample."""
        return f"{self.group} {self.path.name} {'+'.join(self.languages)}"


def read_samples(data: Path) -> Iterator[Sample]:
    """Yield every recording that has a reference text, and every one in which nobody speaks.

    Args:
        data: The folder with the recordings and their list.
    """
    for row in csv.DictReader(_read(data / "INDEX.tsv").splitlines(), delimiter="\t"):
        path = data / row["path"]
        languages = tuple(language for language in LANGUAGES if language in row["language"])
        text = path.with_suffix(".txt")
        group = f"{path.parent.name}/{path.stem}" if path.parent.name == "composed" else path.parent.name
        if SILENT.search(f"/{row['path']}"):
            for language in LANGUAGES:
                yield Sample(group=NOBODY, path=path, languages=(language,), text="")
        elif path.stem in DEGRADED:
            text = data / "composed" / f"{DEGRADED[path.stem]}.txt"
            yield Sample(group=f"degraded/{path.stem}", path=path, languages=languages, text=_read(text))
        elif text.exists() and row["language"] in {"en", "fr", "fr+en"} and "stereo" not in path.stem:
            turns = tuple(read_stm(path.with_suffix(".stm"))) if path.with_suffix(".stm").exists() else ()
            times = Path(__file__).parent / "word_times" / f"{path.stem}.tsv"
            words = tuple(read_word_times(times)) if times.exists() else ()
            yield Sample(group=group, path=path, languages=languages, text=_read(text), turns=turns, words=words)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def read_stm(path: Path) -> Iterator[SaidTurn]:
    """Yield each turn of an STM reference, in order."""
    for line in _read(path).splitlines():
        _, _, speaker, start, end, text = line.split(maxsplit=5)
        yield SaidTurn(start_ms=round(float(start) * 1000), end_ms=round(float(end) * 1000), speaker=speaker, text=text)


def read_rttm(path: Path) -> Iterator[tuple[float, float, str]]:
    """Yield start and end in seconds and the name of each turn of an RTTM reference."""
    for line in _read(path).splitlines():
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            yield float(fields[3]), float(fields[3]) + float(fields[4]), fields[7]


def read_word_times(path: Path) -> Iterator[KnownWord]:
    """Yield each word of a table of starts in seconds and words."""
    for line in _read(path).splitlines():
        if not line.startswith("#"):
            start, text = line.split("\t")
            yield KnownWord(text=text, start_ms=round(float(start) * 1000))


def read_sound(path: Path) -> Clip:
    """Return a recording as the engines take it."""
    from faster_whisper.audio import decode_audio  # noqa: PLC0415 - the parent process loads no engine

    sound: Clip = decode_audio(str(path), sampling_rate=SAMPLE_RATE)
    return sound


def write_wave(path: Path, sound: Clip) -> None:
    """Write a waveform as 16-bit PCM; the file appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with wave.open(str(part), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        # In pieces: hours of sound would be in memory three times over.
        for first in range(0, len(sound), 60 * SAMPLE_RATE):
            piece = sound[first : first + 60 * SAMPLE_RATE]
            file.writeframes(np.clip(np.rint(piece * 32767), -32768, 32767).astype("<i2").tobytes())
    part.rename(path)


def long_recording(minutes: int, joined: Path, *, data: Path = DATA, turn: int = 0) -> Path:
    """Return an English recording of that length, joined of whole recordings one after the other, again and again.

    Args:
        minutes: How long.
        joined: Where it is kept.
        data: The shared recordings.
        turn: Which of the recordings comes first, so that another turn is another recording.
    """
    path = joined / f"long-{minutes}-{turn}.wav"
    if not path.exists():
        sounds = [read_sound(data / name) for name in (*_LONG[turn:], *_LONG[:turn])]
        whole = np.zeros(minutes * 60 * SAMPLE_RATE, np.float32)
        at = 0
        for sound in cycle(sounds):
            fitting = sound[: len(whole) - at]
            whole[at : at + len(fitting)] = fitting
            at += len(sound) + SAMPLE_RATE
            if at >= len(whole):
                break
        write_wave(path, whole)
    return path


def onset(sound: Clip, audible: float = _AUDIBLE) -> int:
    """Return the sample at which a clip with one voice becomes audible, to 10 ms.

    The first of two frames in a row that are louder than a share of the clip's loud frames (their 95th percentile).

    Args:
        sound: The clip.
        audible: That share.

    Example:
        >>> clip = np.concatenate([np.zeros(1600), np.ones(3200)]).astype(np.float32)
        >>> onset(clip)
        1600
    """
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud = np.sqrt(np.square(frames).mean(axis=1))
    heard = loud > audible * np.percentile(loud, 95)
    both = heard[:-1] & heard[1:]
    return int(np.argmax(both)) * _FRAME


def begins_with_voice(sound: Clip) -> bool:
    """Say whether it is plain where a clip's voice begins.

    A noisy room is audible long before anybody speaks, and so is a breath that is drawn before the first word: the
    voice must be plain a tenth of a second after the clip becomes audible, and have a pitch after a quarter, which is
    longer than any consonant.
    """
    start = onset(sound)
    return onset(sound, _PLAINLY) - start <= _PLAIN_WITHIN and any(
        _has_pitch(sound[at : at + _PITCH_FRAME]) for at in range(start, start + _VOICED_WITHIN, _FRAME)
    )


def _has_pitch(sound: Clip) -> bool:
    """Say whether 40 ms of sound repeat themselves at the rate of a voice, 60 to 400 Hz (normalised correlation)."""
    sound = sound - sound.mean() if len(sound) else sound
    for lag in _PITCHES:
        one, two = sound[:-lag], sound[lag:]
        if one @ two > _VOICED * np.sqrt((one @ one) * (two @ two)) > 0:
            return True
    return False


def join_clips(clips: Sequence[tuple[Clip, str]]) -> tuple[Clip, tuple[KnownWord, ...]]:
    """Join clips at known places: each begins with its first word, after a pause of known length.

    Args:
        clips: Sound of one voice and what it says.

    Returns:
        The recording, and every word with the start of each clip's first.
    """
    parts: list[Clip] = []
    words: list[KnownWord] = []
    at = 0
    for pause_ms, (sound, text) in zip(cycle(_PAUSES_MS), clips, strict=False):
        voice = sound[onset(sound) :]
        pause = np.zeros(pause_ms * SAMPLE_RATE // 1000, np.float32)
        at += len(pause)
        first, *rest = text.split()
        words.append(KnownWord(text=first, start_ms=at * 1000 // SAMPLE_RATE))
        words.extend(KnownWord(text=word, start_ms=None) for word in rest)
        parts += [pause, voice]
        at += len(voice)
    return np.concatenate(parts), tuple(words)


def samples_with_known_times(data: Path, joined: Path) -> Iterator[Sample]:
    """Yield a recording in each language that is joined of short ones, so that the starts of some words are known.

    Args:
        data: The shared recordings.
        joined: Where joined recordings are kept.
    """
    for language, patterns in _SHORT.items():
        target = joined / f"word_times_{language}.wav"
        times = target.with_suffix(".json")
        if not times.exists():
            paths = sorted(path for pattern in patterns for path in data.glob(pattern) if path.suffix != ".txt")
            said = [(path, path.with_suffix(".txt")) for path in paths]
            clips = [(read_sound(path), _read(text)) for path, text in said if text.exists()]
            sound, joined_words = join_clips([(sound, text) for sound, text in clips if begins_with_voice(sound)])
            write_wave(target, sound)
            times.write_text(json.dumps([[word.text, word.start_ms] for word in joined_words]), encoding="utf-8")
        words = tuple(KnownWord(text=text, start_ms=start_ms) for text, start_ms in json.loads(_read(times)))
        text = " ".join(word.text for word in words)
        yield Sample(group=KNOWN_TIMES, path=target, languages=(language,), text=text, words=words)
