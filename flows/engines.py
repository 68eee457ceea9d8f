"""Where settings meet the rooms below: which weights, which store, which options.

In go the settings, out come opened engines and the option values of every room. An engine is opened when it is first
needed and kept for as long as the process lives. Stands alone as the one place that knows both the settings and what
they set.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

from config import glossary
from config.caption_rules import load_all
from config.settings import Settings
from models import manifest
from models.diarization import DiarizerOptions, open_community_diarizer, open_diarizer
from models.fetch import FetchOptions, fetch, installed
from models.manifest import Model
from models.parallel import threads_given
from models.whisper import WhisperOptions, WhisperRecognizer, open_recognizer
from pipeline.enrolment import EnrolledVoice
from pipeline.errors import TribuneError
from pipeline.ffmpeg import MediaLimits
from pipeline.inbox import IntakeOptions
from pipeline.locks import exclusive
from pipeline.media import read_waveform
from pipeline.notifications import MailOptions, WebhookOptions
from pipeline.objectstore import ObjectStoreOptions, join_object_store, start_object_store
from pipeline.ports import Diarizer, Progress
from pipeline.realign import realign
from pipeline.retention import RetentionRule
from pipeline.s3 import S3Options
from pipeline.site.model import SiteOptions
from pipeline.speakers import SpeakerOptions, diarize
from pipeline.speech import SpeechOptions, recognize
from pipeline.stages import HearingStage, ProcessOptions
from pipeline.types import AudioFile, Bilingual, Diarization, ModelUse, Recognition, Session, Transcript
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
        captions=load_all(settings.captions.profile or None),
        burned_in=settings.captions.burned_in,
        loudness_lufs=LOUDNESS_LUFS if settings.media.normalise_loudness else None,
        without_speech=settings.publishing.without_speech,
        voices=settings.voices if settings.speakers.recognise_enrolled else None,
        review_required=settings.review.required,
        terms=glossary.load_all(),
        address=_public_address(settings),
        site=site_options(settings),
    )


def site_options(settings: Settings) -> SiteOptions:
    """Return what the pages and what other programs read say of the site."""
    return SiteOptions(
        address=settings.store.public_url.rstrip("/") or None,
        report_mail=settings.publishing.report_mail or None,
        report_form=settings.publishing.report_form or None,
        name=Bilingual(en=settings.site.name_en, fr=settings.site.name_fr),
        theme=settings.site.theme,
    )


def _public_address(settings: Settings) -> str | None:
    """Return where learners find what is published, or ``None`` where only the store that is started can say it."""
    if settings.store.endpoint:
        return s3_options(settings).base_url
    return settings.store.public_url.rstrip("/") or None


def s3_options(settings: Settings) -> S3Options:
    """Return how a store is reached that somebody else runs.

    Raises:
        ValueError: The settings name no such store.
    """
    store = settings.store
    return S3Options(
        bucket=store.bucket,
        endpoint_url=store.endpoint or None,
        region=store.region,
        access_key=store.access_key or None,
        secret_key=store.secret_key.get_secret_value() or None,
        public_base_url=store.public_url or None,
    )


def retention_rule(settings: Settings) -> RetentionRule:
    """Return how long sessions are kept."""
    kept = settings.retention
    return RetentionRule(keep_days=kept.keep_days or None, programmes=tuple(sorted(kept.programmes.items())))


def notification_options(settings: Settings) -> tuple[MailOptions | WebhookOptions, ...]:
    """Return how people are told; nothing unless the settings name a way.

    Raises:
        ValueError: One cannot be.
    """
    chosen = settings.notifications
    found: list[MailOptions | WebhookOptions] = []
    if chosen.mail_to or chosen.mail_programmes:
        mail = MailOptions(
            to=chosen.mail_to,
            programmes=tuple(sorted(chosen.mail_programmes.items())),
            sender=chosen.mail_from,
            host=chosen.smtp_host,
            port=chosen.smtp_port,
            security=chosen.smtp_security,
            user=chosen.smtp_user,
            password=chosen.smtp_password.get_secret_value(),
        )
        found.append(mail)
    if address := chosen.webhook.get_secret_value():
        found.append(WebhookOptions(url=address, form=chosen.webhook_form))
    return tuple(found)


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
    yield s3_options(settings)


def engines_identity(settings: Settings) -> tuple[object, ...]:
    """Return which weights are used, and how, without opening them; see :class:`pipeline.stages.Engines`."""
    models = tuple(installed(model, fetch_options(settings)).use() for model in chosen_models(settings))
    # The number of threads does not decide what comes out.
    return (*models, replace(_whisper_options(settings), threads=None), replace(_voice_options(settings), threads=None))


def _whisper_options(settings: Settings) -> WhisperOptions:
    return WhisperOptions(device=settings.engines.device, threads=settings.engines.threads or None)


def _voice_options(settings: Settings) -> DiarizerOptions:
    return DiarizerOptions(device=settings.engines.device, threads=settings.engines.threads or None)


class MachineEngines:
    """The engines of this process; see :class:`pipeline.stages.Engines`.

    Args:
        settings: Which weights, and how they run.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models = {model.name: model for model in chosen_models(settings)}
        self._fetching = fetch_options(settings)
        self._opening_recognizer, self._opening_diarizer = threading.Lock(), threading.Lock()

    @property
    def identity(self) -> tuple[object, ...]:
        """Which weights are used, and how; see :class:`pipeline.stages.Engines`."""
        return engines_identity(self._settings)

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
        for open_engine in (self._recognizer, self.diarizer):
            with suppress(TribuneError):
                open_engine()

    @contextmanager
    def turn(self, stage: HearingStage) -> Iterator[None]:
        """Wait for the right to keep this machine's cores busy; see :class:`pipeline.stages.Engines`."""
        with suppress(TribuneError):
            self.diarizer() if stage == "speakers" else self._recognizer()
        # Machines may share a root; each has cores of its own.
        with exclusive(self._settings.root / f"engines.{platform.node()}.lock", wait=True):
            yield

    def recognize(self, audio: AudioFile, session: Session, options: SpeechOptions, progress: Progress) -> Recognition:
        """Return what was said; see :class:`pipeline.stages.Engines`."""
        return recognize(read_waveform(audio), session, self._recognizer(), options, progress)

    def diarize(
        self, audio: AudioFile, session: Session, known: Sequence[EnrolledVoice], progress: Progress
    ) -> Diarization:
        """Return who was heard when; see :class:`pipeline.stages.Engines`."""
        return diarize(read_waveform(audio), session, self.diarizer(), progress, known)

    def align(self, audio: AudioFile, transcript: Transcript, progress: Progress) -> Transcript:
        """Return a transcript with its new words where they are heard; see :class:`pipeline.stages.Engines`."""
        return realign(transcript, read_waveform(audio), self._recognizer(), progress)

    def _recognizer(self) -> WhisperRecognizer:
        with self._opening_recognizer:
            return self._opened_recognizer

    def diarizer(self) -> Diarizer:
        """Return the opened diarizer.

        Raises:
            SetUpError: Its weights are not to be had.
        """
        with self._opening_diarizer:
            return self._opened_diarizer

    @cached_property
    def _opened_recognizer(self) -> WhisperRecognizer:
        name = self._settings.models.whisper
        folder = self._fetched(name)
        return open_recognizer(folder, model=self._use(name), options=_whisper_options(self._settings))

    @cached_property
    def _opened_diarizer(self) -> Diarizer:
        options = _voice_options(self._settings)
        if COMMUNITY in self._models:
            return open_community_diarizer(self._fetched(COMMUNITY), models=(self._use(COMMUNITY),), options=options)
        return open_diarizer(
            self._weights(SEGMENTATION),
            self._weights(EMBEDDING),
            models=(self._use(SEGMENTATION), self._use(EMBEDDING)),
            options=options,
        )

    def _fetched(self, name: str) -> Path:
        return fetch(self._models[name], self._fetching)

    def _weights(self, name: str) -> Path:
        return self._fetched(name) / self._models[name].weights.name

    def _use(self, name: str) -> ModelUse:
        return installed(self._models[name], self._fetching).use()
