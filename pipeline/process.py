"""The whole way: from a recording and what is known of it to a published session.

In go a recording, its session and the engines; out comes a :class:`pipeline.types.Publication`. This is the one place
that says what follows what. It knows neither Prefect nor settings: whoever calls it brings the engines, and a way to
run a stage, which is where checkpoints, progress and retries come in. Read :func:`process` first.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar, get_args

from pipeline.artifacts import read_artifact
from pipeline.caption_rules import CaptionRules
from pipeline.captions import make_cues
from pipeline.checkpoints import Checkpoints, Finished, Turn
from pipeline.details import Tags
from pipeline.editing import Edited, edit
from pipeline.enrolment import EnrolledVoice, enrolled_for
from pipeline.errors import EngineError, RecordingRejected, SetUpError
from pipeline.ffmpeg import MediaLimits, find_programs
from pipeline.formatting import format_date
from pipeline.intake import verify_recording
from pipeline.introductions import proposal_notices
from pipeline.media import choose_audio, probe, read_waveform, stream_at, write_audio_file, write_mixed
from pipeline.messages import message
from pipeline.naming import printable
from pipeline.ports import Progress, Store
from pipeline.publishing import publish
from pipeline.render import FORMATS, Document, Format
from pipeline.serial import to_json
from pipeline.site.model import SiteOptions
from pipeline.site.render import LearnerSite
from pipeline.speakers import SpeakerOptions, attribute, without_speakers
from pipeline.speech import SpeechOptions, main_language
from pipeline.tracks import who_spoke
from pipeline.types import (
    Artifact,
    AudioFile,
    AudioStream,
    Bundle,
    Cue,
    Diarization,
    Media,
    Provenance,
    Publication,
    Recognition,
    Recording,
    Session,
    Timing,
    Transcript,
)
from pipeline.video import (
    CaptionTrack,
    Label,
    write_listening_audio,
    write_poster,
    write_title_card_video,
    write_video,
)

_logger = logging.getLogger(__name__)

T = TypeVar("T")

Stage = Literal["media", "speech", "speakers", "captions", "video", "publish"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""Every stage, in order."""

HearingStage = Literal["speech", "speakers"]
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
        voices: Where voices that may be recognised are kept; ``None`` where none are looked for.
        site: What the institution says about its pages.
    """

    media: MediaLimits
    speech: SpeechOptions
    speakers: SpeakerOptions
    captions: Mapping[str, CaptionRules]
    loudness_lufs: float | None = None
    without_speech: Literal["publish", "set_aside"] = "publish"
    voices: Path | None = None
    site: SiteOptions = field(default_factory=SiteOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What the first stage finds.

    Attributes:
        media: What the file holds.
        stream: The audio stream chosen.
        audio: Made of it.
        tracks: Sound of one person each, in the order of the session's tracks.
    """

    media: Media
    stream: AudioStream
    audio: AudioFile
    tracks: tuple[AudioFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Everything that was heard, with what is known of the session by then.

    Attributes:
        session: Its languages in the order of what was heard.
        recognition: The words.
        diarization: The voices.
        provenance: What found them.
    """

    session: Session
    recognition: Recognition
    diarization: Diarization
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the captions stage gives.

    Attributes:
        transcript: Verbatim: the one source of truth.
        edited: The same made readable.
        cues: The captions.
        files: Transcripts and captions in every format.
    """

    transcript: Transcript
    edited: Edited
    cues: tuple[Cue, ...]
    files: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What the video stage gives.

    Attributes:
        files: Video, poster and, for a sound recording, sound.
    """

    files: tuple[Artifact, ...]


def process(
    recording: Recording,
    session: Session,
    *,
    folder: Path,
    complete: Callable[[Tags], Session],
    engines: Engines,
    open_store: Callable[[], Store],
    options: ProcessOptions,
    run: RunStage,
) -> Publication:
    """Publish a recording as a session.

    Args:
        recording: The file; only read.
        session: What is known of it before it has been opened.
        folder: For intermediate files; exists.
        complete: Gives the session with what the media's own tags add.
        engines: The recogniser and the diarizer.
        open_store: Gives the bucket to publish to.
        options: How.
        run: How a stage is run; see :func:`checkpointed`.

    Raises:
        RecordingRejected: The file cannot be processed as it is.
        TribuneError: A stage failed; see ``pipeline.errors``.
    """
    sound = run(
        "media",
        Sound,
        (recording.sha256, session.language, session.audio_track, _limits(options.media), *_tracks(recording, session)),
        lambda progress: _read_sound(recording, session, folder, options, progress),
    )
    session = complete(sound.result.media.tags)
    recognition, diarization = _hear(recording, session, sound.result, engines, options, run)
    session = _with_languages_heard(session, recognition.result)
    provenance = _provenance(recognition.result, diarization.result, options)
    said = Said(session=session, recognition=recognition.result, diarization=diarization.result, provenance=provenance)
    written = run(
        "captions",
        Written,
        (said, sound.result.media.duration_ms, options.speakers, _figures(options.captions)),
        lambda _: _write(said, sound.result.media, folder, options),
    )
    pictures = run(
        "video",
        Pictures,
        (recording.sha256, session, sound.result.stream, written.result.cues, options.loudness_lufs),
        lambda progress: _make_pictures(session, sound.result, written.result, folder, options, progress),
    )
    bundle = Bundle(
        session=session,
        recording=recording,
        transcript=written.result.transcript,
        artifacts=(*written.result.files, *pictures.result.files),
        provenance=provenance,
        timings=tuple(done.timing for done in (sound, recognition, diarization, written, pictures)),
    )
    publish_it = partial(_publish, bundle, written.result, options.site)
    return run("publish", Publication, None, lambda _: publish_it(open_store())).result


def _hear(
    recording: Recording, session: Session, sound: Sound, engines: Engines, options: ProcessOptions, run: RunStage
) -> tuple[Finished[Recognition], Finished[Diarization]]:
    """Find out what was said and who was heard when."""
    heard = (recording.sha256, sound.stream, engines.identity, *_tracks(recording, session))
    recognition = run(
        "speech",
        Recognition,
        (*heard, _expectations(session), options.speech),
        lambda progress: _recognize(sound, session, engines, options, progress),
        turn=lambda: engines.turn("speech"),
    )
    if session.tracks:
        return recognition, _hear_tracks(recording, session, sound, recognition.result, run)
    known = enrolled_for(options.voices, session.programme)
    diarization = run(
        "speakers",
        Diarization,
        (*heard, session.speaker_count, *(voice.digest for voice in known)),
        lambda progress: _diarize(sound, session, known, engines, progress),
        keep=lambda found: bool(found.models),
        turn=lambda: engines.turn("speakers"),
    )
    return recognition, diarization


def _hear_tracks(
    recording: Recording, session: Session, sound: Sound, recognition: Recognition, run: RunStage
) -> Finished[Diarization]:
    """Find out who was heard when from everybody's own track; nothing is guessed."""
    return run(
        "speakers",
        Diarization,
        (recording.sha256, recognition.speech, sound.audio.duration_ms, *_tracks(recording, session)),
        lambda _: who_spoke(
            [(track.speaker, read_waveform(own)) for track, own in zip(session.tracks, sound.tracks, strict=True)],
            recognition.speech,
            sound.audio.duration_ms,
        ),
    )


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
        if inputs is None:
            return Finished(result=work(partial(tell, stage)), timing=Timing(stage=stage, seconds=0.0), resumed=False)
        return checkpoints.run(
            stage, kind, (TOOL, _made_with(), *inputs), lambda: work(partial(tell, stage)), keep=keep, turn=turn
        )

    return run


def _read_sound(
    recording: Recording, session: Session, folder: Path, options: ProcessOptions, progress: Progress
) -> Sound:
    media = probe(recording.path, options.media)
    tracks = tuple(_read_tracks(media, recording, session, folder, options))
    streams = [stream_at(media, track.stream) for track in session.tracks if track.stream is not None]
    if streams:
        # What learners hear and what is recognised is everybody, as in a recording that was mixed before.
        media = write_mixed(media, streams, folder / "mixed.mkv", options.media)
    stream = media.audio[0] if streams else choose_audio(media, session)
    audio = write_audio_file(media, stream, folder / "sound.wav", options.media, progress=progress)
    return Sound(media=media, stream=stream, audio=audio, tracks=tracks)


def _read_tracks(
    media: Media, recording: Recording, session: Session, folder: Path, options: ProcessOptions
) -> Iterator[AudioFile]:
    files = {track.name.casefold(): track for track in recording.tracks}
    for number, track in enumerate(session.tracks, start=1):
        target = folder / f"track-{number}.wav"
        if track.stream is not None:
            yield write_audio_file(media, stream_at(media, track.stream), target, options.media)
            continue
        file = files.get((track.file or "").casefold())
        if file is None or not file.path.is_file():
            raise RecordingRejected("media.track_gone", {"name": printable(track.file or "")})
        own = probe(file.path, options.media)
        yield write_audio_file(own, choose_audio(own, replace(session, audio_track=None)), target, options.media)


def _tracks(recording: Recording, session: Session) -> tuple[object, ...]:
    """Return what decides the sound of the tracks; nothing where there are none."""
    files = tuple(sorted((track.name, track.sha256) for track in recording.tracks))
    return (session.tracks, files) if session.tracks else ()


def _recognize(
    sound: Sound, session: Session, engines: Engines, options: ProcessOptions, progress: Progress
) -> Recognition:
    found = engines.recognize(sound.audio, session, options.speech, progress)
    if not found.words and options.without_speech == "set_aside":
        raise RecordingRejected("speech.nobody_speaks")
    return found


def _diarize(
    sound: Sound, session: Session, known: Sequence[EnrolledVoice], engines: Engines, progress: Progress
) -> Diarization:
    try:
        return engines.diarize(sound.audio, session, known, progress)
    except (SetUpError, EngineError) as failure:
        _logger.warning("session %s: no speakers: %s", session.id, failure)
        return without_speakers(failure)


def _with_languages_heard(session: Session, recognition: Recognition) -> Session:
    """Put the language that most was said in first, where no person said which it is."""
    main = main_language(recognition.words, session)
    return replace(session, languages=(main, *(language for language in session.languages if language != main)))


def _write(said: Said, media: Media, folder: Path, options: ProcessOptions) -> Written:
    session = said.session
    transcript = attribute(
        said.recognition, said.diarization, session, duration_ms=media.duration_ms, options=options.speakers
    )
    cues = make_cues(transcript, options.captions)
    edited = edit(transcript, session.glossary)
    document = Document(session=session, transcript=transcript, edited=edited, cues=cues, provenance=said.provenance)
    files = tuple(_write_document(document, each, folder) for each in FORMATS.values())
    return Written(transcript=transcript, edited=edited, cues=cues, files=files)


def _write_document(document: Document, written_as: Format, folder: Path) -> Artifact:
    path = folder / written_as.file_name(document.language)
    path.write_text(written_as.write(document), encoding="utf-8", newline="")
    return read_artifact(
        path,
        role=written_as.role,
        content_type=written_as.content_type,
        language=document.language,
        title=document.title,
    )


def _make_pictures(
    session: Session, sound: Sound, written: Written, folder: Path, options: ProcessOptions, progress: Progress
) -> Pictures:
    language, title = session.language, session.title.get(session.language)
    video, audio, poster = folder / "video.mp4", folder / "audio.m4a", folder / "poster.jpg"
    srt = next(file.path for file in written.files if file.path.suffix == FORMATS["srt"].extension)
    track = CaptionTrack(srt=srt, language=language, title=message("video.track", language))
    label = Label(title=title, language=language, details=_card_details(session))
    if sound.media.video:
        write_video(
            sound.media,
            sound.stream,
            [track],
            video,
            label,
            options.media,
            loudness_lufs=options.loudness_lufs,
            progress=progress,
        )
    else:
        write_listening_audio(
            sound.media, sound.stream, audio, label, options.media, loudness_lufs=options.loudness_lufs
        )
        # Encoded once: the video takes the very same sound.
        listening = probe(audio, options.media)
        write_title_card_video(listening, listening.audio[0], [track], video, label, options.media, progress=progress)
    write_poster(video, poster, duration_ms=sound.media.duration_ms, limits=options.media)
    read = partial(read_artifact, title=title, language=language)
    files = [
        read(video, role="video", content_type="video/mp4"),
        read(poster, role="poster", content_type="image/jpeg", language=None),
    ]
    if not sound.media.video:
        files.append(read(audio, role="audio", content_type="audio/mp4"))
    progress(1.0)
    return Pictures(files=tuple(files))


def _card_details(session: Session) -> tuple[str, ...]:
    language = session.language
    people = (*((session.host,) if session.host else ()), *session.guests)
    found = (
        session.programme.get(language) if session.programme else "",
        format_date(session.date, language) if session.date else "",
        ", ".join(person.name for person in people),
    )
    return tuple(detail for detail in found if detail)


def _publish(bundle: Bundle, written: Written, site: SiteOptions, store: Store) -> Publication:
    verify_recording(bundle.recording)
    done = publish(bundle, store, views=LearnerSite(site), cues=written.cues, edited=written.edited.transcript)
    return replace(done, notes=proposal_notices(bundle.transcript))


def _expectations(session: Session) -> tuple[object, ...]:
    """Return what of a session decides how its words are found."""
    people = (*((session.host,) if session.host else ()), *session.guests)
    return (session.languages, session.languages_given, session.glossary, tuple(person.name for person in people))


def _limits(media: MediaLimits) -> MediaLimits:
    """Return what of the limits decides whether a recording is taken; not on how many cores it is read."""
    return replace(media, threads=1)


@cache
def _made_with() -> tuple[tuple[str, str], ...]:
    """Return the versions of whatever does the work; with another one, finished stages are done anew."""
    return (("ffmpeg", find_programs().version), *((name, version(name)) for name in _LIBRARIES))


def _provenance(recognition: Recognition, diarization: Diarization, options: ProcessOptions) -> Provenance:
    models = ((recognition.model,) if recognition.model else ()) + diarization.models
    settings = {
        "speech": options.speech,
        "speakers": options.speakers,
        "captions": _figures(options.captions),
        "loudness_lufs": options.loudness_lufs,
    }
    return Provenance(
        tool=TOOL,
        models=models,
        settings=tuple((name, to_json(value).decode()) for name, value in sorted(settings.items())),
        engines=_made_with(),
    )


def _figures(captions: Mapping[str, CaptionRules]) -> tuple[tuple[str, str], ...]:
    """Return the caption rules as text that is the same every time: sets have no order of their own."""
    return tuple(
        (language, hashlib.sha256(repr(_ordered(asdict(rules))).encode()).hexdigest())
        for language, rules in sorted(captions.items())
    )


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: _ordered(item) for key, item in value.items()}
    return sorted(value) if isinstance(value, frozenset) else value
