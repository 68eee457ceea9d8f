"""The doors to the outside: a recogniser, an aligner, a diarizer and an object store.

A stage takes one of these as an argument and knows nothing of what stands behind it. The real ones live in ``models/``
and ``pipeline/publishing.py``; each Protocol is small, so that a test can bring a real class of its own where a fault
must be invented.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Diarization, ModelUse, Span, SpeakerCount, Word

Clip = NDArray[np.float32]
"""Mono sound at 16 kHz in -1 to 1, shape (samples,)."""


SAMPLE_RATE: Final = 16_000
"""Samples a second of every waveform, Hz."""


class Waveform(Protocol):
    """The sound of a recording, mono: its samples, or a file of which any stretch is read when it is asked for."""

    def __len__(self) -> int:
        """Return how many samples there are."""
        ...

    def __getitem__(self, stretch: slice, /) -> Clip:
        """Return a stretch of them, ``first:last`` in samples."""
        ...


Progress = Callable[[float], None]
"""Told the share done, 0 to 1, never going back."""


def no_progress(share: float) -> None:
    """Ignore progress: for callers that show none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded(Span):
    """What a recogniser made of one stretch of speech.

    Attributes:
        words: In order; times from the start of the recording.
        average_log_probability: Mean over the tokens, natural logarithm.
        no_speech_probability: The model's own, 0 to 1.
        languages: Probability of each language that was asked for, summing to 1; empty where none was.
        inner_languages: The same for each stretch in it that was asked by itself, in order.
    """

    words: tuple[Word, ...]
    average_log_probability: float
    no_speech_probability: float
    languages: Mapping[str, float] = field(default_factory=dict)
    inner_languages: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageQuestion:
    """What is to be told of languages while windows are decoded: the same encoding serves for both.

    Attributes:
        languages: How likely these are, in each window as a whole.
        stretches: And in each of these that lies in a window.
    """

    languages: tuple[str, ...]
    stretches: tuple[Span, ...] = ()


class Recognizer(Protocol):
    """Speech to words. Opened once in a process, used for many recordings, by one thread at a time."""

    @property
    def model(self) -> ModelUse:
        """Which weights, where they run now."""
        ...

    @property
    def windows_at_once(self) -> int | None:
        """How many windows the device has memory for; ``None`` where that is not what limits it."""
        ...

    def detect_speech(self, waveform: Waveform) -> tuple[Span, ...]:
        """Return the stretches where a voice is heard, in order, apart."""
        ...

    def detect_languages(
        self, waveform: Waveform, spans: Sequence[Span], languages: Sequence[str]
    ) -> Iterator[Mapping[str, float]]:
        """Return the probability of each of these languages, summing to 1, for stretches of at most 30 s; in order.

        Raises:
            OutOfMemory: The device is too small.
            RecognitionFailed: The engine failed otherwise.
        """
        ...

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
        """Decode stretches of at most 30 s each, several at once, in one pass; in order.

        Args:
            waveform: The whole recording.
            spans: What to decode.
            language: In which.
            hotwords: Names and terms to expect.
            batch_size: How many at once.
            asked: What each stretch tells of its languages, too.

        Raises:
            OutOfMemory: The device is too small for the batch.
            RecognitionFailed: The engine failed otherwise.
        """
        ...

    def decode_careful(
        self, waveform: Waveform, spans: Sequence[Span], *, language: str, hotwords: str | None
    ) -> Iterator[tuple[Decoded, ...]]:
        """Decode each stretch by itself, with every guard on; its parts for each stretch, in order.

        Raises:
            OutOfMemory: The device is too small.
            RecognitionFailed: The engine failed otherwise.
        """
        ...

    def to_cpu(self) -> Recognizer:
        """Return the same model on the CPU, for when the GPU's memory does not do."""
        ...


class Aligner(Protocol):
    """Words that are known to where they are heard. Opened once in a process, used by one thread at a time."""

    def align(self, waveform: Waveform, span: Span, texts: Sequence[str], *, language: str) -> tuple[Span, ...]:
        """Return where in a stretch of at most 30 s each of some words is heard: one span a word, in order.

        Raises:
            OutOfMemory: The device is too small.
            RecognitionFailed: The engine failed otherwise.
        """
        ...


class Diarizer(Protocol):
    """Sound to voices. Opened once in a process, used for many recordings, by one thread at a time."""

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """Which weights, where they run now."""
        ...

    def diarize(self, waveform: Waveform, *, count: SpeakerCount, progress: Progress) -> Diarization:
        """Tell the voices apart, and give how each sounds where the engine can say.

        Raises:
            OutOfMemory: The device is too small.
            DiarizationFailed: The engine failed otherwise.
        """
        ...

    def to_cpu(self) -> Diarizer:
        """Return the same models on the CPU, for when the GPU's memory does not do."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHeaders:
    """How an object is served.

    Attributes:
        content_type: With charset for text.
        cache_control: For browsers and what stands between.
        content_language: Of the text, where it has one.
        content_disposition: How a browser should save it, where it should.
        compressed: Whether it is kept and served with gzip: only for what nothing but browsers read.
    """

    content_type: str
    cache_control: str
    content_language: str | None = None
    content_disposition: str | None = None
    compressed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What a store knows of one object.

    Attributes:
        key: Its key in the bucket.
        etag: Changes when the object does; for conditional writes.
        size: Bytes, as they are kept.
        sha256: Of the bytes that a reader gets, uncompressed, where the store kept it.
        headers: How it is served; ``None`` where that was not asked.
    """

    key: str
    etag: str
    size: int
    sha256: str | None = None
    headers: ObjectHeaders | None = None


class Store(Protocol):
    """One bucket of an object store."""

    def head(self, key: str) -> StoredObject | None:
        """Return what is known of an object, or ``None`` where there is none."""
        ...

    def read(self, key: str) -> tuple[bytes, StoredObject] | None:
        """Return a small object and what is known of it, or ``None`` where there is none."""
        ...

    def read_sha256(self, key: str) -> str | None:
        """Read a whole object of any size and return the sha256 of its bytes, or ``None`` where there is none."""
        ...

    def write(
        self,
        key: str,
        body: bytes | Path,
        headers: ObjectHeaders,
        *,
        sha256: str,
        replaces: StoredObject | None = None,
        only_new: bool = False,
    ) -> StoredObject:
        """Write one object; checked against ``sha256`` on the way.

        Args:
            key: Where.
            body: The bytes, or the file that has them; uncompressed in any case.
            headers: How it is served.
            sha256: Of the body.
            replaces: Write only if this is still what is there.
            only_new: Write only if nothing is there.

        Raises:
            StoreConflict: Somebody else wrote first.
            StoreUnavailable: The store cannot be reached.
            StoreRefused: The store does not allow it.
            StoreCorrupt: The store received other bytes.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose key starts with the prefix, in order of key."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are passed over."""
        ...

    def erase(self, prefix: str, *, keep: Collection[str]) -> int:
        """Remove every object whose key starts with the prefix, but for some, in every version that is kept.

        Of those to keep, earlier versions go. Uploads that were begun there are given up.

        Returns:
            How many objects and versions there were to remove.
        """
        ...

    def url(self, key: str) -> str:
        """Return the public address of an object."""
        ...
