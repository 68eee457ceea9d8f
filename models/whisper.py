"""Whisper behind the recogniser's door: faster-whisper on the CPU or the GPU, whichever is there.

A folder with a converted model goes in, a :class:`pipeline.ports.Recognizer` comes out. It stands alone because it is
the only module that knows CTranslate2: batches, tokens, alignments, device names and the messages of its failures end
here, and what leaves is the vocabulary of ``pipeline.types``. The stretches of a batch are decoded together by our own
call of the engine, in one pass; one stretch alone is decoded by faster-whisper's sequential loop with all its
guards. Nothing is downloaded: the tokenizer lies beside the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.gpu import fitting, free_memory
from models.levels import REACH_S, even_out
from models.parallel import keep_memory, map_in_order, return_memory, threads_given
from pipeline.errors import OutOfMemory, RecognitionFailed, SetUpError, TribuneError
from pipeline.ports import SAMPLE_RATE, Clip, Decoded, LanguageQuestion, Waveform
from pipeline.types import ModelUse, Span, Word

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

T = TypeVar("T")

WINDOW_MS: Final = 30_000
"""What the encoder takes at once; anything longer would be cut off in silence."""

FILES: Final = ("model.bin", "config.json", "tokenizer.json")
"""What a folder must hold. Without the tokenizer the engine would fetch one from the network."""

_FRAME_MS: Final = 10
_FRAMES: Final = WINDOW_MS // _FRAME_MS
_POSITION_MS: Final = 2 * _FRAME_MS
_SHORT_FRAMES: Final = (_FRAMES // 2, _FRAMES * 2 // 3)
_PADDING_FRAMES: Final = 100
_VAD_FRAME: Final = 512
_VAD_FRAME_MS: Final = _VAD_FRAME * 1000 // SAMPLE_RATE
_VAD_ANEW: Final = 62
"""Frames after which the detector begins anew, 2 s."""

_VAD_LISTENS: Final = 4 * _VAD_ANEW
"""For so many frames it then listens, 8 s."""

_OPENING: Final = "\"'“¿([{«-–—"

Device = Literal["auto", "cpu", "cuda"]


_CAREFUL: Final[Mapping[str, Any]] = {"repetition_penalty": 1.1, "no_repeat_ngram_size": 4}
"""How repetition is held down where a stretch is decoded by itself: what came without has been doubted twice."""

_MOST_AT_ONCE: Final = 64
"""Windows on a GPU; more gain nothing."""

_WINDOW_OVER_WEIGHTS: Final = 0.7
"""What decoding a window with a beam of 5 takes of a GPU's memory, over the size of the weights: the keys and values of
every layer and hypothesis, largest for base among the sizes of Whisper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperOptions:
    """How the recogniser runs.

    Attributes:
        device: ``auto`` takes the GPU when there is one.
        cpu_precision: CTranslate2 compute type on the CPU.
        gpu_precision: CTranslate2 compute type on the GPU.
        threads: Cores to use; ``None`` for as many as were given to the process. Each decodes a batch of its own: the
            threads of one decoder wait for each other, and two are hardly faster than one.
        beam_size: Hypotheses kept while decoding; 1 is greedy.
        speech_threshold: Probability from which a 32 ms frame starts speech, 0 to 1.
        silence_threshold: Probability under which a frame ends it, below ``speech_threshold``.
        shortest_speech_ms: Shorter stretches are clicks.
        shortest_pause_ms: Shorter pauses belong to the stretch around them.
    """

    device: Device = "auto"
    cpu_precision: str = "int8"
    gpu_precision: str = "float16"
    threads: int | None = None
    beam_size: int = 5
    speech_threshold: float = 0.5
    silence_threshold: float = 0.35
    shortest_speech_ms: int = 100
    shortest_pause_ms: int = 200

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"not a number of threads: {self.threads}")
        if self.beam_size < 1:
            raise ValueError(f"not a beam: {self.beam_size}")
        if not 0.0 < self.silence_threshold <= self.speech_threshold < 1.0:
            raise ValueError(f"not thresholds: {self.silence_threshold} to {self.speech_threshold}")


def open_recognizer(folder: Path, *, model: ModelUse, options: WhisperOptions | None = None) -> WhisperRecognizer:
    """Open the weights in a folder.

    Args:
        folder: Holds a CTranslate2 model with its tokenizer.
        model: Which weights these are; device and precision are filled in here.
        options: How it runs.

    Raises:
        SetUpError: A file is missing or the engine cannot read it.
        OutOfMemory: The model does not fit.
    """
    options = options or WhisperOptions()
    keep_memory()
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise SetUpError("speech.weights_missing", {"folder": str(folder), "files": ", ".join(missing)})
    device = _device(options.device)
    return WhisperRecognizer(folder, model, options, device)


class WhisperRecognizer:
    """An opened Whisper model: see :class:`pipeline.ports.Recognizer`."""

    def __init__(self, folder: Path, model: ModelUse, options: WhisperOptions, device: str) -> None:
        self._folder = folder
        self._options = options
        self._workers = _workers(options, device)
        self._engine = _engine(folder, options, device)
        self._model = replace(model, device=device, precision=_precision(options, device))

    @property
    def model(self) -> ModelUse:
        """Which weights, where they run now."""
        return self._model

    @property
    def windows_at_once(self) -> int | None:
        """How many windows fit in the GPU's memory; ``None`` on a CPU, or where torch does not see the GPU."""
        free = free_memory() if self._model.device == "cuda" else 0
        weights = (self._folder / "model.bin").stat().st_size
        return fitting(free, round(_WINDOW_OVER_WEIGHTS * weights), most=_MOST_AT_ONCE) if free else None

    def detect_speech(self, waveform: Waveform) -> tuple[Span, ...]:
        """Return the stretches where a voice is heard, in order, apart."""
        with _failures():
            probabilities = speech_probabilities(waveform, workers=self._workers)
        return_memory()
        return speech_spans(probabilities, _length_ms(waveform), self._options)

    def detect_languages(
        self, waveform: Waveform, spans: Sequence[Span], languages: Sequence[str]
    ) -> Iterator[Mapping[str, float]]:
        """Return the probability of each of these languages, summing to 1, for stretches of at most 30 s; in order.

        Raises:
            ValueError: A stretch is longer than 30 s.
            OutOfMemory: The device is too small.
            RecognitionFailed: The engine failed otherwise.
        """
        _must_fit(spans)

        def detect(span: Span) -> dict[str, float]:
            sound = _cut(waveform, span)
            with _failures():
                features = self._features(sound, _padded(len(sound)))[None]
                return self._languages(self._engine.encode(features), languages)[0]

        yield from map_in_order(detect, spans, self._workers)

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
        """Decode stretches of at most 30 s each, several at once; one result a stretch, in order.

        Raises:
            ValueError: A stretch is longer than 30 s.
            OutOfMemory: The device is too small for the batch.
            RecognitionFailed: The engine failed otherwise.
        """
        _must_fit(spans)
        with _failures():
            tokenizer = self._tokenizer(language)
        batches = share_out(spans, batch_size, even=self._model.device == "cpu")

        def decode(batch: Sequence[Span]) -> list[Decoded]:
            with _failures():
                return self._decode(waveform, batch, tokenizer, hotwords, asked)

        for results in map_in_order(decode, batches, self._workers):
            yield from results
        return_memory()

    def decode_careful(
        self, waveform: Waveform, spans: Sequence[Span], *, language: str, hotwords: str | None
    ) -> Iterator[tuple[Decoded, ...]]:
        """Decode each stretch by itself, with every guard of the sequential loop and repetition held down; in order.

        There is no fallback to random samples: the engine's generators belong to its threads and cannot be seeded anew,
        so a sample would differ from one recording to the next.

        Raises:
            OutOfMemory: The device is too small.
            RecognitionFailed: The engine failed otherwise.
        """

        def decode(span: Span) -> tuple[Decoded, ...]:
            with _failures():
                return tuple(self._sequential(waveform, span, language, hotwords))

        yield from map_in_order(decode, spans, self._workers)

    def align(self, waveform: Waveform, span: Span, texts: Sequence[str], *, language: str) -> tuple[Span, ...]:
        """Return where in a stretch of at most 30 s each of some words is heard: one span a word, in order.

        Raises:
            ValueError: The stretch is longer than 30 s.
            OutOfMemory: The device is too small.
            RecognitionFailed: The engine failed otherwise, or the words are too many for the stretch.
        """
        _must_fit([span])
        with _failures():
            tokenizer = self._tokenizer(language)
            tokens = tokenizer.encode(" " + " ".join(texts))
            frames = min(_FRAMES, -(-span.duration_ms // _FRAME_MS))
            encoded = self._encode([self._features(_cut(waveform, span), _padded_frames(frames))])
            pieces = self._engine.find_alignment(tokenizer, [tokens], encoded, [frames])[0]
        return spans_of(texts, [(piece["word"], piece["start"], piece["end"]) for piece in pieces], span)

    def to_cpu(self) -> Self:
        """Return the same model on the CPU; itself where it runs there already."""
        if self._model.device == "cpu":
            return self
        return type(self)(self._folder, self._model, self._options, "cpu")

    def _features(self, sound: Clip, frames: int) -> NDArray[np.float32]:
        """Return the log-mel frames of some sound, padded or cut to so many; shape (mels, frames)."""
        found: NDArray[np.float32] = self._engine.feature_extractor(sound)[:, :-1][:, :frames]
        return np.pad(found, ((0, 0), (0, frames - found.shape[1])))

    def _sequential(self, waveform: Waveform, span: Span, language: str, hotwords: str | None) -> Iterator[Decoded]:
        """Run the engine's own loop over one stretch, with time stamps in the text."""
        found, _ = self._engine.transcribe(
            _cut(waveform, span),
            language=language,
            hotwords=hotwords,
            beam_size=self._options.beam_size,
            temperature=0.0,
            **_CAREFUL,
            condition_on_previous_text=False,
            word_timestamps=True,
            hallucination_silence_threshold=2.0,
        )
        for part in found:
            pieces = [(word.word, word.start, word.end, word.probability) for word in part.words or ()]
            start_ms = span.start_ms + round(part.start * 1000)
            yield Decoded(
                start_ms=start_ms,
                end_ms=max(start_ms, span.start_ms + round(part.end * 1000)),
                words=join_pieces(pieces, span.start_ms, language),
                average_log_probability=part.avg_logprob,
                no_speech_probability=part.no_speech_prob,
            )

    def _encode(self, windows: Sequence[NDArray[np.float32]]) -> StorageView:
        """Encode windows of one length: together on a GPU, one by one on a CPU, where a batch outgrows the cache."""
        if self._model.device != "cpu" or len(windows) == 1:
            return self._engine.encode(np.stack(windows))
        return _view(np.concatenate([np.asarray(self._engine.encode(window[None])) for window in windows]))

    def _tokenizer(self, language: str) -> Tokenizer:
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(self._engine.hf_tokenizer, multilingual=True, task="transcribe", language=language)

    def _languages(self, encoded: StorageView, asked: Sequence[str]) -> list[dict[str, float]]:
        """Return the probability of each of these languages in each encoded stretch, summing to 1."""
        found = []
        for probabilities in self._engine.model.detect_language(self._not_features(encoded)):
            heard = {token.strip("<|>"): probability for token, probability in probabilities}
            total = sum(heard[language] for language in asked)
            found.append({language: heard[language] / total for language in asked})
        return found

    def _not_features(self, encoded: StorageView) -> StorageView:
        """Return encoded stretches without their last position where they have as many as there are mels.

        The engine would take them for features and encode them once more; what it then says of their languages is
        about nothing that was heard.
        """
        if encoded.shape[1] != self._engine.model.n_mels:
            return encoded
        return _view(self._positions(encoded)[:, :-1])

    def _positions(self, encoded: StorageView) -> NDArray[Any]:
        """Return encoded stretches as an array of shape (stretches, positions of 20 ms, width)."""
        from ctranslate2 import DataType, Device

        here = encoded if self._model.device == "cpu" else encoded.to_device(Device.cpu)
        return np.asarray(here.to(DataType.float32) if here.dtype == DataType.bfloat16 else here)

    def _decode(
        self,
        waveform: Waveform,
        spans: Sequence[Span],
        tokenizer: Tokenizer,
        hotwords: str | None,
        asked: LanguageQuestion | None,
    ) -> list[Decoded]:
        """Encode, generate and align one batch, and tell what is asked of its languages."""
        frames = [min(_FRAMES, -(-span.duration_ms // _FRAME_MS)) for span in spans]
        padded = _padded_frames(max(frames))
        encoded = self._encode([self._features(_cut(waveform, span), padded) for span in spans])
        prompt = self._engine.get_prompt(tokenizer, [], without_timestamps=True, hotwords=hotwords)
        results = self._engine.model.generate(
            encoded,
            [prompt] * len(spans),
            beam_size=self._options.beam_size,
            max_length=self._engine.max_length,
            suppress_tokens=_suppressed(tokenizer),
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = [[token for token in result.sequences_ids[0] if token < tokenizer.eot] for result in results]
        aligned = self._engine.find_alignment(tokenizer, tokens, encoded, frames)
        decoded = [
            _decoded(span, result, pieces, tokenizer.language_code)
            for span, result, pieces in zip(spans, results, aligned, strict=True)
        ]
        return self._asked(decoded, encoded, asked) if asked else decoded

    def _asked(self, decoded: Sequence[Decoded], encoded: StorageView, question: LanguageQuestion) -> list[Decoded]:
        """Add what is asked of the languages of each window and of the stretches in it, cut out of its encoding."""
        positions = self._positions(encoded)
        # Every second position of a window tells as much in half the time; a stretch has none to spare.
        languages = self._languages(_view(positions[:, ::2]), question.languages)
        inner = [
            tuple(
                self._languages(_view(heard[None, _part(stretch, window)]), question.languages)[0]
                for stretch in question.stretches
                if window.start_ms <= stretch.start_ms and stretch.end_ms <= window.end_ms
            )
            for window, heard in zip(decoded, positions, strict=True)
        ]
        return [
            replace(window, languages=whole, inner_languages=parts)
            for window, whole, parts in zip(decoded, languages, inner, strict=True)
        ]


def gpu_count() -> int:
    """Return how many GPUs the engine can use."""
    import ctranslate2

    return int(ctranslate2.get_cuda_device_count())


def speech_probabilities(waveform: Waveform, block_s: int = 32, workers: int = 1) -> NDArray[np.float32]:
    """Return how likely each 32 ms frame is speech, from Silero's detector.

    The detector remembers what it has heard: after ten seconds of one voice it takes another, softer or hoarse, for
    noise. So what is quiet is made louder first, and the detector begins anew every few seconds, overlapping; of what
    it says of a frame, the likelier counts. Works through the recording in blocks, so that hours of sound take no more
    memory than minutes.

    Args:
        waveform: The whole recording.
        block_s: Seconds a block.
        workers: Blocks at once.
    """
    from faster_whisper.vad import get_vad_model

    detector = get_vad_model()
    frames = -(-len(waveform) // _VAD_FRAME)
    block = max(1, block_s * SAMPLE_RATE // (_VAD_FRAME * _VAD_ANEW)) * _VAD_ANEW
    reach = -(-int(REACH_S * SAMPLE_RATE) // _VAD_FRAME)

    def hear(first: int) -> NDArray[np.float32]:
        start, stop = max(0, first - _VAD_LISTENS + _VAD_ANEW), min(frames, first + block)
        before = max(0, start - reach)
        evened = even_out(waveform[before * _VAD_FRAME : (stop + reach) * _VAD_FRAME])
        sound = evened[(start - before) * _VAD_FRAME : (stop - before) * _VAD_FRAME]
        sound = np.pad(sound, (0, -len(sound) % _VAD_FRAME))
        found = np.zeros(stop - start, dtype=np.float32)
        for begin in range(0, stop - start, _VAD_ANEW):
            heard = np.ravel(detector(sound[begin * _VAD_FRAME : (begin + _VAD_LISTENS) * _VAD_FRAME]))
            part = found[begin : begin + len(heard)]
            np.maximum(part, heard, out=part)
        return found[first - start :]

    found = list(map_in_order(hear, range(0, frames, block), workers))
    return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)


def speech_spans(
    probabilities: Iterable[float], length_ms: int, options: WhisperOptions | None = None
) -> tuple[Span, ...]:
    """Return the stretches of speech, from the probability of each 32 ms frame.

    A stretch starts at the speech threshold and lasts until the probability has stayed under the silence threshold for
    the shortest pause.

    Args:
        probabilities: One a frame, in order.
        length_ms: Of the recording; nothing lies beyond it.
        options: The thresholds.

    Example:
        >>> speech_spans([0.1, 0.9, 0.9, 0.4, 0.9, 0.9] + [0.0] * 9, 10_000)
        (Span(start_ms=32, end_ms=192),)
    """
    options = options or WhisperOptions()
    spans: list[Span] = []
    start: int | None = None
    last = 0
    for frame, probability in enumerate(probabilities):
        at = frame * _VAD_FRAME_MS
        if start is None:
            if probability >= options.speech_threshold:
                start, last = at, at + _VAD_FRAME_MS
        elif probability >= options.silence_threshold:
            last = at + _VAD_FRAME_MS
        elif at + _VAD_FRAME_MS - last >= options.shortest_pause_ms:
            spans.append(Span(start_ms=start, end_ms=last))
            start = None
    if start is not None:
        spans.append(Span(start_ms=start, end_ms=min(last, length_ms)))
    return tuple(span for span in spans if span.duration_ms >= options.shortest_speech_ms)


def share_out(items: Sequence[T], most: int, *, even: bool) -> list[Sequence[T]]:
    """Divide items into batches of at most so many, all of about one size.

    Args:
        items: In the order that they keep.
        most: In a batch.
        even: Whether to make an even number of batches of two items or more, so that two cores end together. The number
            of cores itself plays no part: what is decoded together decides, by rounding, what comes out.

    Example:
        >>> [len(batch) for batch in share_out(range(9), 4, even=True)]
        [3, 2, 2, 2]
        >>> [len(batch) for batch in share_out(range(9), 4, even=False)]
        [3, 3, 3]
    """
    number = -(-len(items) // most)
    if even and number % 2 and len(items) > number:
        number += 1
    edges = [-(-len(items) * place // number) for place in range(number + 1)] if number else []
    return [items[first:last] for first, last in pairwise(edges)]


def join_pieces(pieces: Iterable[tuple[str, float, float, float]], offset_ms: int, language: str) -> tuple[Word, ...]:
    """Make words of what the aligner gave: punctuation goes to the word that it belongs to.

    A piece without a space before it continues the word. Punctuation lends its text and not its time, which reaches
    into the pause after the word.

    Args:
        pieces: Text with its leading space, start and end in seconds, probability; in order.
        offset_ms: Where the stretch starts in the recording.
        language: Of the words.

    Example:
        >>> [word.text for word in join_pieces([(" Oui", 0.0, 0.4, 0.9), (",", 0.4, 1.2, 0.8)], 0, "fr")]
        ['Oui,']
    """
    words: list[tuple[str, float, float, list[float]]] = []
    opening = ""
    for text, start, end, probability in pieces:
        bare = text.strip()
        spoken = any(letter.isalnum() for letter in bare)
        if not spoken and text.startswith(" ") and bare and bare in _OPENING:
            opening += bare
        elif words and not opening and (not spoken or not text.startswith(" ")):
            before, begun, ended, probabilities = words[-1]
            words[-1] = (before + bare, begun, end if spoken else ended, probabilities + [probability] * spoken)
        elif spoken:
            words.append((opening + bare, start, end, [probability]))
            opening = ""
    return tuple(
        Word(
            text=text,
            start_ms=offset_ms + round(start * 1000),
            end_ms=offset_ms + max(round(start * 1000), round(end * 1000)),
            probability=float(np.clip(np.mean(probabilities), 0.0, 1.0)),
            language=language,
        )
        for text, start, end, probabilities in words
    )


def spans_of(texts: Sequence[str], pieces: Iterable[tuple[str, float, float]], within: Span) -> tuple[Span, ...]:
    """Return where each word is, from where the aligner's pieces of them are.

    The aligner cuts a text into pieces of its own: at spaces, and before punctuation. Letters are what both have in
    common, so a word is where the pieces with its letters are; one without any is where the word before it ends.

    Args:
        texts: The words, in order.
        pieces: Text, start and end in seconds; in order.
        within: The stretch that was looked through.

    Example:
        >>> spans_of(["Oui,", "là"], [(" Oui", 0.0, 0.4), (",", 0.4, 0.9), (" là", 0.9, 1)], Span(start_ms=0, end_ms=9))
        (Span(start_ms=0, end_ms=400), Span(start_ms=900, end_ms=1000))
    """
    places = [
        (within.start_ms + round(start * 1000), within.start_ms + round(max(start, end) * 1000))
        for text, start, end in pieces
        for sign in text
        if sign.isalnum()
    ]
    found: list[Span] = []
    at, ended_ms = 0, within.start_ms
    for text in texts:
        letters = sum(sign.isalnum() for sign in text)
        own = places[at : at + letters]
        at += letters
        start_ms = own[0][0] if own else ended_ms
        ended_ms = max(start_ms, own[-1][1] if own else ended_ms)
        found.append(Span(start_ms=start_ms, end_ms=ended_ms))
    return tuple(found)


def _decoded(
    span: Span,
    result: Any,  # noqa: ANN401
    pieces: Iterable[Mapping[str, Any]],
    language: str,
) -> Decoded:
    """Make a result of the engine ours."""
    length = len(result.sequences_ids[0])
    parts = [(piece["word"], piece["start"], piece["end"], piece["probability"]) for piece in pieces]
    return Decoded(
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        words=join_pieces(parts, span.start_ms, language),
        # The engine's score is a mean over the tokens without the one that ends the text.
        average_log_probability=result.scores[0] * length / (length + 1),
        no_speech_probability=result.no_speech_prob,
    )


def _view(array: NDArray[Any]) -> StorageView:
    from ctranslate2 import StorageView

    return StorageView.from_array(np.ascontiguousarray(array))


def _part(stretch: Span, window: Span) -> slice:
    """Return which positions of an encoded window, of 20 ms each, a stretch in it takes: at least one."""
    first, last = ((ms - window.start_ms) // _POSITION_MS for ms in (stretch.start_ms, stretch.end_ms))
    return slice(first, max(last, first + 1))


def _suppressed(tokenizer: Tokenizer) -> list[int]:
    """Return the tokens that are no speech: notes, brackets, speaker tags, and the model's own marks."""
    marks = (tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm)
    return sorted({*tokenizer.non_speech_tokens, *marks, tokenizer.no_speech})


def _device(wanted: Device) -> str:
    if wanted != "auto":
        return wanted
    return "cuda" if gpu_count() else "cpu"


def _precision(options: WhisperOptions, device: str) -> str:
    return options.gpu_precision if device == "cuda" else options.cpu_precision


def _workers(options: WhisperOptions, device: str) -> int:
    return (options.threads or threads_given()) if device == "cpu" else 1


def _engine(folder: Path, options: WhisperOptions, device: str) -> WhisperModel:
    from faster_whisper import WhisperModel

    try:
        with _failures():
            return WhisperModel(
                str(folder),
                device=device,
                compute_type=_precision(options, device),
                cpu_threads=1,
                num_workers=_workers(options, device),
                local_files_only=True,
            )
    except RecognitionFailed as error:
        raise SetUpError("speech.weights_unreadable", {"folder": str(folder), **error.data}) from error


def _padded_frames(frames: int) -> int:
    """Return how many frames to encode so many in: half the padding does as well in half the time, none makes loops."""
    return next((length for length in _SHORT_FRAMES if frames + _PADDING_FRAMES <= length), _FRAMES)


def _padded(samples: int) -> int:
    """Return how many frames to encode for telling a language: a second of padding does, and is ten times faster."""
    frames = samples * 1000 // SAMPLE_RATE // _FRAME_MS + _PADDING_FRAMES
    return min(_FRAMES, frames + frames % 2)


def _length_ms(waveform: Waveform) -> int:
    return len(waveform) * 1000 // SAMPLE_RATE


def _must_fit(spans: Iterable[Span]) -> None:
    if any(span.duration_ms > WINDOW_MS for span in spans):
        raise ValueError("a stretch longer than 30 s would lose its end")


def _cut(waveform: Waveform, span: Span) -> Clip:
    return waveform[span.start_ms * SAMPLE_RATE // 1000 : span.end_ms * SAMPLE_RATE // 1000]


@contextmanager
def _failures() -> Iterator[None]:
    """Turn the engine's failures into ours."""
    try:
        yield
    except TribuneError:
        raise
    except MemoryError as error:
        raise OutOfMemory("speech.out_of_memory", {"detail": str(error)}) from error
    except (RuntimeError, ValueError) as error:
        if "out of memory" in str(error).lower():
            raise OutOfMemory("speech.out_of_memory", {"detail": str(error)}) from error
        raise RecognitionFailed("speech.engine_failed", {"detail": str(error)}) from error
