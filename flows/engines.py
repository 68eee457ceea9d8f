"""Where settings meet the rooms below: which weights, which store, which options.

In go the settings, out come opened engines and the option values of every room. An engine is opened when it is first
needed and kept for as long as the process lives. Stands alone as the one place that knows both the settings and what
they set.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

from config.caption_rules import load_all
from config.settings import Settings
from models import manifest
from models.diarization import DiarizerOptions, open_community_diarizer, open_diarizer
from models.fetch import FetchOptions, FetchProgress, fetch, ignore_bytes, installed
from models.manifest import Model
from models.whisper import WhisperOptions, open_recognizer, threads_given
from pipeline.errors import TribuneError
from pipeline.ffmpeg import MediaLimits
from pipeline.intake import IntakeOptions
from pipeline.locks import exclusive
from pipeline.objectstore import ObjectStoreOptions, join_object_store, start_object_store
from pipeline.ports import Diarizer, Recognizer, Store
from pipeline.process import ProcessOptions
from pipeline.s3 import S3Options, open_store
from pipeline.speakers import SpeakerOptions
from pipeline.speech import SpeechOptions
from pipeline.types import ModelUse
from pipeline.video import LOUDNESS_LUFS

SEGMENTATION: Final = "segmentation-3.0"
EMBEDDING: Final = "campplus"
COMMUNITY: Final = "community-1"

_MS: Final = 1000
_HOUR_MS: Final = 3_600_000
# A store that crashed is back well within this; a run that fails for it costs more.
_STORE_WAIT_S: Final = 45.0


def chosen_models(settings: Settings) -> tuple[Model, ...]:
    """Return the weights that the settings ask for.

    Raises:
        SetUpError: The manifest does not know one of them.
    """
    known, chosen = manifest.load(), settings.models
    embedding = (EMBEDDING,) if chosen.diarization == SEGMENTATION else ()
    return tuple(known.model(name) for name in (chosen.whisper, chosen.diarization, *embedding))


def fetch_options(settings: Settings) -> FetchOptions:
    """Return where weights are kept and where they may come from."""
    return FetchOptions(
        cache=settings.weights,
        local_folders=settings.models.folders,
        hub_endpoint=settings.models.hub or None,
        hub_token=settings.models.token.get_secret_value() or None,
        offline=settings.models.offline,
    )


def intake_options(settings: Settings) -> IntakeOptions:
    """Return what is taken from the inbox, and when."""
    return IntakeOptions(
        inbox=settings.inbox,
        work=settings.work,
        settle_ms=round(settings.intake.settle_seconds * _MS),
        default_languages=settings.intake.default_languages,
    )


def process_options(settings: Settings) -> ProcessOptions:
    """Return how a recording is processed."""
    return ProcessOptions(
        media=MediaLimits(
            max_duration_ms=round(settings.media.max_hours * _HOUR_MS),
            threads=settings.engines.threads or threads_given(),
        ),
        speech=SpeechOptions(batch_size=settings.engines.batch_size),
        speakers=SpeakerOptions(),
        captions=load_all(),
        loudness_lufs=LOUDNESS_LUFS if settings.media.normalise_loudness else None,
        without_speech=settings.publishing.without_speech,
        voices=settings.voices if settings.speakers.recognise_enrolled else None,
    )


def store_options(settings: Settings) -> ObjectStoreOptions:
    """Return how the object store that comes with Tribune runs."""
    store = settings.store
    return ObjectStoreOptions(
        folder=settings.root / "store",
        bucket=store.bucket,
        port=store.port or None,
        public_url=store.public_url or None,
    )


@contextmanager
def running_store(settings: Settings, *, own: bool = True) -> Iterator[S3Options]:
    """Give the object store that the settings name, starting the one that comes with Tribune where nobody did yet.

    Args:
        settings: Which store.
        own: Whether to start the one that comes with Tribune and to keep it running; else it must be run by somebody
            who outlives us, and is waited for.

    Raises:
        SetUpError: It cannot be started.
        StoreUnavailable: It is somebody else's and does not answer.
    """
    store = settings.store
    if not store.endpoint:
        options = store_options(settings)
        with start_object_store(options) if own else join_object_store(options, _STORE_WAIT_S) as running:
            yield running.s3
        return
    yield S3Options(
        bucket=store.bucket,
        endpoint_url=store.endpoint,
        region=store.region,
        access_key=store.access_key or None,
        secret_key=store.secret_key.get_secret_value() or None,
        public_base_url=store.public_url or None,
    )


class MachineEngines:
    """The engines of this process; see :class:`pipeline.process.Engines`.

    Args:
        settings: Which weights, and how they run.
        s3: The bucket that sessions are published to.
        progress: Told the bytes when weights have to be fetched.
    """

    def __init__(self, settings: Settings, s3: S3Options, progress: FetchProgress = ignore_bytes) -> None:
        self._settings = settings
        self._s3 = s3
        self._progress = progress
        self._models = {model.name: model for model in chosen_models(settings)}
        self._fetching = fetch_options(settings)
        self._opening_recognizer, self._opening_diarizer = threading.Lock(), threading.Lock()

    @property
    def identity(self) -> tuple[object, ...]:
        """Which weights are used, and how; see :class:`pipeline.process.Engines`."""
        models = tuple(installed(model, self._fetching).use() for model in self._models.values())
        # The number of threads does not decide what comes out.
        return (*models, replace(self._whisper_options, threads=None), replace(self._voice_options, threads=None))

    @property
    def _whisper_options(self) -> WhisperOptions:
        engines = self._settings.engines
        return WhisperOptions(device=engines.device, threads=engines.threads or None)

    @property
    def _voice_options(self) -> DiarizerOptions:
        engines = self._settings.engines
        return DiarizerOptions(device=engines.device, threads=engines.threads or None)

    @contextmanager
    def warming_up(self) -> Iterator[None]:
        """Open the engines beside whatever happens meanwhile: importing and loading take seconds.

        What fails here fails again, and is told, where the engine is needed. However the block ends, the opening has
        ended too: an interpreter that ends while a thread is inside an engine's own code is aborted.
        """
        opening = threading.Thread(target=self._open_all, name="warm-up", daemon=True)
        opening.start()
        try:
            yield
        finally:
            opening.join()

    def _open_all(self) -> None:
        for open_engine in (self.recognizer, self.diarizer):
            with suppress(TribuneError):
                open_engine()

    def recognizer(self) -> Recognizer:
        """Return the recogniser."""
        with self._opening_recognizer:
            return self._recognizer

    def diarizer(self) -> Diarizer:
        """Return the diarizer."""
        with self._opening_diarizer:
            return self._diarizer

    def store(self) -> Store:
        """Return the bucket that sessions are published to."""
        return open_store(self._s3)

    @contextmanager
    def turn(self, open_engine: Callable[[], object]) -> Iterator[None]:
        """Wait for the right to keep this machine's cores busy; see :class:`pipeline.process.Engines`."""
        with suppress(TribuneError):
            open_engine()
        # Machines may share a root; each has cores of its own.
        with exclusive(self._settings.root / f"engines.{platform.node()}.lock", wait=True):
            yield

    @cached_property
    def _recognizer(self) -> Recognizer:
        name = self._settings.models.whisper
        folder = self._fetched(name)
        return open_recognizer(folder, model=self._use(name), options=self._whisper_options)

    @cached_property
    def _diarizer(self) -> Diarizer:
        options = self._voice_options
        if COMMUNITY in self._models:
            return open_community_diarizer(self._fetched(COMMUNITY), models=(self._use(COMMUNITY),), options=options)
        return open_diarizer(
            self._weights(SEGMENTATION),
            self._weights(EMBEDDING),
            models=(self._use(SEGMENTATION), self._use(EMBEDDING)),
            options=options,
        )

    def _fetched(self, name: str) -> Path:
        return fetch(self._models[name], self._fetching, self._progress)

    def _weights(self, name: str) -> Path:
        return self._fetched(name) / self._models[name].weights.name

    def _use(self, name: str) -> ModelUse:
        return installed(self._models[name], self._fetching).use()
