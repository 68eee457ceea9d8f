"""The stages of the whole way: which there are, what each is given and gives, and how one is run.

A stage is a name, everything that decides its result, and work to be done. Here are the names, the values that go from
one to the next, the Protocol of the engines that some ask, and the plain way to run one, which finds a finished stage
on disk again. Stands alone because whoever runs stages otherwise, or is asked by one from another process, needs to
know these and nothing of what follows what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar, get_args

from pipeline.caption_rules import CaptionRules
from pipeline.checkpoints import Checkpoints, Finished, Turn
from pipeline.editing import Edited
from pipeline.enrolment import EnrolledVoice
from pipeline.ffmpeg import MediaLimits, find_programs
from pipeline.glossary import GlossaryTerm
from pipeline.ports import Progress, Store
from pipeline.review import Desk
from pipeline.revisions import Cut
from pipeline.site.model import SiteOptions
from pipeline.speakers import SpeakerOptions
from pipeline.speech import SpeechOptions
from pipeline.types import (
    Artifact,
    AudioFile,
    AudioStream,
    Chapter,
    Cue,
    Diarization,
    Highlight,
    Media,
    Provenance,
    Recognition,
    Recording,
    Session,
    Timing,
    Transcript,
)

T = TypeVar("T")

Stage = Literal["media", "speech", "speakers", "align", "captions", "video", "publish"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""Every stage, in order."""

HearingStage = Literal["speech", "speakers", "align"]
"""The stages that engines do."""

TOOL: Final = f"tribune {version('tribune-sessions')}"

_LIBRARIES: Final = ("ctranslate2", "faster-whisper", "pyannote.audio", "torch")


class RunStage(Protocol):
    """A way to run one stage."""

    def __call__(
        self,
        stage: Stage,
        kind: type[T],
        inputs: tuple[object, ...] | None,
        work: Callable[[Progress], T],
        *,
        keep: Callable[[T], bool] = ...,
        turn: Turn = ...,
    ) -> Finished[T]:
        """Return what the stage gives.

        Args:
            stage: Which.
            kind: Type of its result.
            inputs: Everything that decides its result; ``None`` for a stage that has to be done every time.
            work: Does it, and tells how far it is.
            keep: Whether a result is worth keeping.
            turn: Waited for before the work is done, and not counted as its time.
        """
        ...


class Engines(Protocol):
    """What hears, wherever it runs: whoever asks hands over small values, and the sound stays in its file."""

    @property
    def identity(self) -> tuple[object, ...]:
        """Which weights would be used, and how, without opening them: everything of theirs that decides a result."""
        ...

    def turn(self, stage: HearingStage) -> AbstractContextManager[None]:
        """Return the right to keep this machine's cores busy, waited for; one engine works at a time.

        The engine is opened before, so that nobody else waits while it loads. When that fails, it will fail again
        where the engine is asked.

        Args:
            stage: What will be asked in the block.
        """
        ...

    def recognize(self, audio: AudioFile, session: Session, options: SpeechOptions, progress: Progress) -> Recognition:
        """Return what was said; see :func:`pipeline.speech.recognize`.

        Raises:
            SetUpError: The recogniser's weights are not to be had.
            EngineError: It failed.
            MediaError: The audio file cannot be read.
        """
        ...

    def diarize(
        self, audio: AudioFile, session: Session, known: Sequence[EnrolledVoice], progress: Progress
    ) -> Diarization:
        """Return who was heard when; see :func:`pipeline.speakers.diarize`.

        Raises:
            SetUpError: The diarizer's weights are not to be had.
            EngineError: It failed before it could say so in its result.
            MediaError: The audio file cannot be read.
        """
        ...

    def align(self, audio: AudioFile, transcript: Transcript, progress: Progress) -> Transcript:
        """Return a transcript with its interpolated words where they are heard; see :func:`pipeline.realign.realign`.

        Raises:
            SetUpError: The weights are not to be had.
            EngineError: The engine failed.
            MediaError: The audio file cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """How the whole way is gone.

    Attributes:
        media: Limits of what is read and written.
        speech: How words are found.
        speakers: How voices are told apart.
        captions: Rules of the captions of each language.
        loudness_lufs: Loudness that published sound is brought to, or ``None`` to leave it.
        without_speech: Whether a recording in which nobody speaks is published or set aside.
        burned_in: Whether to publish the video once more with the captions in the picture.
        voices: Where voices that may be recognised are kept; ``None`` where none are looked for.
        review_required: Whether nothing is published before somebody has approved it.
        terms: Glossary of the house; a session's own goes first.
        address: Address below which learners find what is published, for links in documents; ``None`` where it is not
            known before.
        site: What the institution says about its pages.
    """

    media: MediaLimits
    speech: SpeechOptions
    speakers: SpeakerOptions
    captions: Mapping[str, CaptionRules]
    loudness_lufs: float | None = None
    without_speech: Literal["publish", "set_aside"] = "publish"
    burned_in: bool = False
    voices: Path | None = None
    review_required: bool = False
    terms: tuple[GlossaryTerm, ...] = ()
    address: str | None = None
    site: SiteOptions = field(default_factory=SiteOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One recording on its way.

    Attributes:
        recording: The file; only read.
        folder: For intermediate files and revisions; exists.
        engines: What hears.
        open_store: Gives the bucket to publish to.
        options: How.
        run: How a stage is run; see :func:`checkpointed`.
    """

    recording: Recording
    folder: Path
    engines: Engines
    open_store: Callable[[], Store]
    options: ProcessOptions
    run: RunStage

    @property
    def desk(self) -> Desk:
        """Where its transcript is reviewed."""
        return Desk(folder=self.folder / "review", session_id=self.recording.session_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What the first stage finds.

    Attributes:
        media: What the file holds.
        stream: The audio stream chosen.
        audio: Made of it.
        tracks: Sound of one person each, in the order of the session's tracks.
        shots_ms: When the picture goes to another shot.
    """

    media: Media
    stream: AudioStream
    audio: AudioFile
    tracks: tuple[AudioFile, ...] = ()
    shots_ms: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is to be published of what was said, recognised or reviewed: everything after it is one way.

    Attributes:
        session: With the title that it is published under; its languages in the order of what was heard.
        transcript: On the clock of the recording.
        provenance: What found the words, and who stands by them.
        cuts: What learners do not get.
        chapters: A person's own, on the clock of the recording; ``None`` to make them of the words.
    """

    session: Session
    transcript: Transcript
    provenance: Provenance
    cuts: tuple[Cut, ...] = ()
    chapters: tuple[Chapter, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the captions stage gives.

    Attributes:
        transcript: Verbatim: the one source of truth.
        edited: The same made readable.
        cues: The captions.
        chapters: The session by topic; empty where it is not divided.
        highlights: The passages that carry most.
        files: Transcripts, captions and chapters in every format.
    """

    transcript: Transcript
    edited: Edited
    cues: tuple[Cue, ...]
    chapters: tuple[Chapter, ...]
    highlights: tuple[Highlight, ...]
    files: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What the video stage gives.

    Attributes:
        files: Video, poster and, for a sound recording, sound.
    """

    files: tuple[Artifact, ...]


def checkpointed(folder: Path, tell: Callable[[Stage, float], None] = lambda _stage, _share: None) -> RunStage:
    """Return a way to run stages that finds finished ones again.

    Args:
        folder: Where finished stages are kept.
        tell: Told how far a stage is, 0 to 1.
    """
    checkpoints = Checkpoints(folder=folder)

    def run(
        stage: Stage,
        kind: type[T],
        inputs: tuple[object, ...] | None,
        work: Callable[[Progress], T],
        *,
        keep: Callable[[T], bool] = lambda _: True,
        turn: Turn = nullcontext,
    ) -> Finished[T]:
        tell(stage, 0.0)
        progress = partial(tell, stage)
        if inputs is None:
            done = Finished(result=work(progress), timing=Timing(stage=stage, seconds=0.0), resumed=False)
        else:
            key = (TOOL, engine_versions(), *inputs)
            done = checkpoints.run(stage, kind, key, lambda: work(progress), keep=keep, turn=turn)
        # Some stages know nothing of how far they are, and one that was found again has not been told of.
        progress(1.0)
        return done

    return run


@cache
def engine_versions() -> tuple[tuple[str, str], ...]:
    """Return the versions of whatever does the work; with another one, finished stages are done anew."""
    return (("ffmpeg", find_programs().version), *((name, version(name)) for name in _LIBRARIES))
