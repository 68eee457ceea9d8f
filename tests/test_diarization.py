"""The real diarizer on a short session of four voices, and how it fails."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faster_whisper.audio import decode_audio

from models.diarization import (
    DiarizerOptions,
    PyannoteDiarizer,
    _failures_as_ours,
    _Hook,
    open_community_diarizer,
    open_diarizer,
)
from models.torchaudio_loader import load_torchaudio
from pipeline.errors import DiarizationFailed, OutOfMemory, SetUpError
from pipeline.ports import Clip, Diarizer, no_progress
from pipeline.speakers import overlaps
from pipeline.types import Diarization, ModelUse, Span, SpeakerCount

CLIPS = Path(__file__).parent / "data"
MODELS = (
    ModelUse(name="segmentation-3.0", revision="1", sha256="0" * 64),
    ModelUse(name="campplus", revision="1", sha256="1" * 64),
)
# Test runs share the machine with other processes.
OPTIONS = DiarizerOptions(device="cpu", threads=1)
SEGMENTATION = Path("segmentation-3.0", "pytorch_model.bin")
EMBEDDING = Path("campplus", "campplus_cn_en_common.pt")
ANY = SpeakerCount()


@pytest.fixture(scope="module")
def diarizer(models_folder: Path) -> PyannoteDiarizer:
    return open_diarizer(models_folder / SEGMENTATION, models_folder / EMBEDDING, models=MODELS, options=OPTIONS)


@pytest.fixture(scope="module")
def session() -> Clip:
    waveform: Clip = decode_audio(str(CLIPS / "en-four-voices.ogg"))
    return waveform


@pytest.fixture(scope="module")
def found(diarizer: PyannoteDiarizer, session: Clip) -> Diarization:
    return diarizer.diarize(session, count=ANY, progress=no_progress)


def voices(diarization: Diarization) -> set[str]:
    return {span.speaker for span in diarization.spans}


def reference() -> list[tuple[int, int, str]]:
    rows = [line.split() for line in (CLIPS / "en-four-voices.rttm").read_text().splitlines()]
    starts = [(round(1000 * float(row[3])), round(1000 * float(row[4])), row[7]) for row in rows]
    return [(start, start + length, name) for start, length, name in starts]


@pytest.mark.engines
def test_every_reader_is_one_voice_of_their_own(found: Diarization) -> None:
    heard = []
    for start_ms, end_ms, _ in reference():
        shares: dict[str, int] = {}
        for span in found.exclusive:
            shared = max(0, min(end_ms, span.end_ms) - max(start_ms, span.start_ms))
            shares[span.speaker] = shares.get(span.speaker, 0) + shared
        best = max(shares, key=lambda name: shares[name])
        assert shares[best] > 0.9 * sum(shares.values())
        heard.append(best)
    assert len(set(heard)) == len(heard) == len(voices(found))


@pytest.mark.engines
def test_each_voiceprint_is_that_of_the_voice_it_names(
    diarizer: PyannoteDiarizer, session: Clip, found: Diarization
) -> None:
    assert {voice.speaker for voice in found.voices} == voices(found)
    for start_ms, end_ms, _ in reference():
        (alone,) = diarizer.diarize(session[start_ms * 16 : end_ms * 16], count=ANY, progress=no_progress).voices
        nearest = max(found.voices, key=lambda voice: np.dot(voice.vector, alone.vector))
        shares = {
            name: sum(
                s.overlap_ms(Span(start_ms=start_ms, end_ms=end_ms)) for s in found.exclusive if s.speaker == name
            )
            for name in voices(found)
        }
        assert nearest.speaker == max(shares, key=lambda name: shares[name])


@pytest.mark.engines
def test_the_number_of_cores_does_not_decide_what_is_heard(
    models_folder: Path, session: Clip, found: Diarization
) -> None:
    options = replace(OPTIONS, threads=3)
    many = open_diarizer(models_folder / SEGMENTATION, models_folder / EMBEDDING, models=MODELS, options=options)
    assert many.diarize(session, count=ANY, progress=no_progress) == found


@pytest.mark.engines
def test_spans_lie_within_the_recording_and_exclusive_ones_apart(found: Diarization, session: Clip) -> None:
    assert all(0 <= span.start_ms < span.end_ms <= len(session) // 16 for span in found.spans)
    assert overlaps(found.exclusive) == ()
    assert list(found.exclusive) == sorted(found.exclusive, key=lambda span: span.start_ms)


@pytest.mark.engines
def test_two_readers_at_once_are_heard_as_two(diarizer: PyannoteDiarizer, session: Clip) -> None:
    first, second = session[6_000:145_000], session[161_000:300_000]
    mixed = np.concatenate([first, second, first + second])
    found = diarizer.diarize(mixed, count=ANY, progress=no_progress)
    assert len(voices(found)) == 2
    assert sum(span.duration_ms for span in overlaps(found.spans) if span.start_ms > 17_000) > 4_000


@pytest.mark.engines
def test_the_same_sound_gives_the_same_voices(diarizer: PyannoteDiarizer, session: Clip, found: Diarization) -> None:
    assert diarizer.diarize(session.copy(), count=ANY, progress=no_progress) == found


@pytest.mark.engines
@pytest.mark.parametrize(
    ("count", "least", "most"),
    [
        (SpeakerCount(exact=1), 1, 1),
        (SpeakerCount(exact=2), 2, 2),
        (SpeakerCount(most=3), 1, 3),
        (SpeakerCount(least=5), 5, 99),
    ],
)
def test_the_number_of_voices_is_as_announced(
    diarizer: PyannoteDiarizer, session: Clip, count: SpeakerCount, least: int, most: int
) -> None:
    assert least <= len(voices(diarizer.diarize(session, count=count, progress=no_progress))) <= most


@pytest.mark.engines
def test_progress_goes_from_the_start_to_the_end_and_never_back(diarizer: PyannoteDiarizer, session: Clip) -> None:
    shares: list[float] = []
    diarizer.diarize(session[: 16_000 * 15], count=ANY, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert sum(0.0 < share < 1.0 for share in shares) > 4


@pytest.mark.engines
@pytest.mark.parametrize("samples", [0, 1, 399, 1_000, 16_000])
def test_a_recording_too_short_to_tell_is_one_voice_or_none(
    diarizer: PyannoteDiarizer, session: Clip, samples: int
) -> None:
    some = session[32_000 : 32_000 + samples]
    assert len(voices(diarizer.diarize(some, count=ANY, progress=no_progress))) <= 1


@pytest.mark.engines
def test_silence_has_no_voices(diarizer: PyannoteDiarizer) -> None:
    silence = np.zeros(16_000 * 12, dtype=np.float32)
    assert diarizer.diarize(silence, count=SpeakerCount(exact=2), progress=no_progress).spans == ()


@pytest.mark.engines
def test_the_result_names_what_made_it(diarizer: PyannoteDiarizer, found: Diarization) -> None:
    door: Diarizer = diarizer
    assert [(model.name, model.device) for model in found.models] == [("segmentation-3.0", "cpu"), ("campplus", "cpu")]
    assert door.to_cpu() is diarizer


@pytest.mark.engines
def test_a_failure_inside_the_engine_becomes_ours(diarizer: PyannoteDiarizer, session: Clip) -> None:
    with pytest.raises(DiarizationFailed) as caught:
        diarizer.diarize(session[None], count=ANY, progress=no_progress)
    assert caught.value.__cause__ is not None


def test_a_gpu_that_is_full_is_lack_of_memory() -> None:
    with pytest.raises(OutOfMemory), _failures_as_ours("cuda"):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_cpu_that_is_full_is_lack_of_memory() -> None:
    with pytest.raises(OutOfMemory), _failures_as_ours("cpu"):
        torch.empty(10**15)


def test_progress_never_goes_back() -> None:
    shares: list[float] = []
    hook = _Hook(shares.append)
    hook("embeddings", completed=3, total=4)
    hook("segmentation", completed=1, total=4)
    assert shares[0] == shares[1]


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="tribune models fetch"):
        open_diarizer(tmp_path / "none.bin", tmp_path / "none.pt", models=MODELS, options=OPTIONS)


def test_weights_of_something_else_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "seg.bin").write_bytes(b"not a checkpoint")
    with pytest.raises(SetUpError, match=r"cannot be opened"):
        open_diarizer(tmp_path / "seg.bin", tmp_path / "emb.pt", models=MODELS, options=OPTIONS)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    torch.save({"state_dict": Harmful()}, tmp_path / "seg.bin")
    with pytest.raises(SetUpError):
        open_diarizer(tmp_path / "seg.bin", tmp_path / "emb.pt", models=MODELS, options=OPTIONS)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "wrong", [{"threads": 0}, {"step": 0.0}, {"threshold": 2.0}, {"shortest_voice_s": -1.0}, {"cpu_batch": 0}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not a|at least"):
        DiarizerOptions(**wrong)


def test_importing_the_diarizer_imports_no_engine() -> None:
    code = "import json, sys, models.diarization; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert not loaded & {"torch", "torchaudio", "pyannote.audio", "ctranslate2", "faster_whisper"}


def test_torchaudio_loads_whether_or_not_its_extension_does() -> None:
    torchaudio = load_torchaudio()
    assert load_torchaudio() is torchaudio
    assert importlib.import_module("torchaudio.functional").resample is not None


def test_what_needs_the_missing_extension_says_so_when_called() -> None:
    load_torchaudio()
    if importlib.import_module("torchaudio._extension")._IS_TORCHAUDIO_EXT_AVAILABLE:
        pytest.skip("torchaudio's extension loads here")
    align = importlib.import_module("torchaudio.functional").forced_align
    with pytest.raises(RuntimeError, match="compiled extension"):
        align(torch.zeros(1, 2, 3), torch.zeros(1, 1, dtype=torch.int32))


def community_folder(folder: Path, segmentation: Path) -> Path:
    """Make a folder in the shape of community-1: real segmentation, an embedding and a PLDA that know nothing."""
    load_torchaudio()
    task = importlib.import_module("pyannote.audio.core.task")
    embedding = importlib.import_module("pyannote.audio.models.embedding")

    for name in ("segmentation", "embedding", "plda"):
        (folder / name).mkdir()
    (folder / "segmentation" / "pytorch_model.bin").write_bytes(segmentation.read_bytes())
    torch.manual_seed(1)
    model = embedding.WeSpeakerResNet34()
    specifications = task.Specifications(
        problem=task.Problem.REPRESENTATION, resolution=task.Resolution.CHUNK, duration=10.0
    )
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": "2.0.0",
        "pyannote.audio": {
            "versions": {"torch": "2.0.0", "pyannote.audio": "4.0.0"},
            "architecture": {"module": "pyannote.audio.models.embedding.wespeaker", "class": "WeSpeakerResNet34"},
            "specifications": specifications,
        },
    }
    torch.save(checkpoint, folder / "embedding" / "pytorch_model.bin")
    random = np.random.default_rng(1)
    np.savez(
        folder / "plda" / "xvec_transform.npz",
        mean1=np.zeros(256),
        mean2=np.zeros(128),
        lda=random.normal(size=(256, 128)),
    )
    np.savez(folder / "plda" / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(2.0, 0.1, 128))
    (folder / "config.yaml").write_text(COMMUNITY)
    return folder


COMMUNITY = """
dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_batch_size: 32
    embedding: $model/embedding
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  clustering:
    threshold: 0.6
    Fa: 0.07
    Fb: 0.8
  segmentation:
    min_duration_off: 0.0
"""


@pytest.mark.engines
def test_a_folder_in_the_shape_of_community_1_opens_and_finds_voices(
    tmp_path: Path, models_folder: Path, session: Clip
) -> None:
    folder = community_folder(tmp_path, models_folder / SEGMENTATION)
    opened = open_community_diarizer(folder, models=MODELS[:1], options=OPTIONS)
    assert voices(opened.diarize(session[: 16_000 * 12], count=ANY, progress=no_progress))
    assert opened.models[0].device == "cpu"


def test_a_folder_without_its_configuration_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="tribune models fetch"):
        open_community_diarizer(tmp_path, models=MODELS, options=OPTIONS)
