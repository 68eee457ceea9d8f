"""The whole way: from a recording and what is known of it to a published session.

In go a recording, its session and the engines; out comes a :class:`pipeline.types.Publication`. This is the one place
that says what follows what. It knows neither Prefect nor settings: whoever calls it brings the engines, and a way to
run a stage, which is where checkpoints, progress and retries come in. Read :func:`process` first.
"""

from __future__ import annotations

import datetime as dt
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
from pipeline.chapters import make_chapters
from pipeline.checkpoints import Checkpoints, Finished, Turn
from pipeline.cuts import Timeline, apply_cuts, follow_words, move_chapters
from pipeline.details import Tags
from pipeline.editing import Edited, edit
from pipeline.enrolment import EnrolledVoice, enrolled_for
from pipeline.errors import EngineError, RecordingRejected, ReviewAwaited, SetUpError
from pipeline.ffmpeg import MediaLimits, find_programs
from pipeline.footage import write_cut
from pipeline.formatting import format_date
from pipeline.glossary import GlossaryTerm
from pipeline.highlights import choose_highlights
from pipeline.intake import verify_recording
from pipeline.introductions import proposal_notices
from pipeline.media import choose_audio, probe, read_waveform, stream_at, write_audio_file, write_mixed
from pipeline.messages import message
from pipeline.naming import printable
from pipeline.ports import Progress, Store
from pipeline.published import page_key
from pipeline.publishing import publish, withdraw_earlier
from pipeline.render import FORMATS, Document, Format
from pipeline.review import Desk
from pipeline.revisions import Cut, Revision
from pipeline.serial import to_json
from pipeline.shots import find_shots
from pipeline.site.model import SiteOptions
from pipeline.site.render import LearnerSite
from pipeline.speakers import SpeakerOptions, attribute, without_speakers
from pipeline.speech import SpeechOptions, languages_heard
from pipeline.tracks import who_spoke
from pipeline.types import (
    Artifact,
    AudioFile,
    AudioStream,
    Bundle,
    Chapter,
    Cue,
    Diarization,
    Highlight,
    Media,
    Provenance,
    Publication,
    Recognition,
    Recording,
    Review,
    Session,
    Timing,
    Transcript,
)
from pipeline.video import (
    CaptionTrack,
    Label,
    write_burned_in,
    write_listening_audio,
    write_poster,
    write_title_card_video,
    write_video,
)

_logger = logging.getLogger(__name__)

T = TypeVar("T")

Stage = Literal["media", "speech", "speakers", "align", "captions", "video", "publish"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""Every stage, in order."""

HearingStage = Literal["speech", "speakers", "align"]
"""The stages that engines do."""

TOOL: Final = f"tribune {version('tribune-sessions')}"

_TO_LOOK_AT: Final = frozenset(
    {
        "speech.none",
        "speech.language_heard",
        "speech.language_unnamed",
        "speakers.failed",
        "speakers.count_unmet",
        "speakers.tracks_uneven",
    }
)
"""Notices about a whole session that a facilitator can do something about; the review pages show passages in doubt."""
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


def process(work: Work, session: Session, *, complete: Callable[[Tags], Session]) -> Publication:
    """Publish a recording as a session.

    What is recognised is laid on the desk for review. Where somebody has approved a revision, that is what is
    published, and what was recognised now only stands beside it.

    Args:
        work: The recording, and with what.
        session: What is known of it before it has been opened.
        complete: Gives the session with what the media's own tags add.

    Raises:
        RecordingRejected: The file cannot be processed as it is.
        ReviewAwaited: Nothing may be published before it is approved, and nothing has been.
        TribuneError: A stage failed; see ``pipeline.errors``.
    """
    sound = _take_sound(work, session)
    session = complete(sound.result.media.tags)
    recognition, diarization = _hear(work, session, sound.result)
    session = _with_languages_heard(session, recognition.result)
    duration_ms, speakers = sound.result.media.duration_ms, work.options.speakers
    said = attribute(recognition.result, diarization.result, session, duration_ms=duration_ms, options=speakers)
    provenance = _provenance(recognition.result, diarization.result, work.options)
    work.desk.keep_recognition(said, provenance, now=dt.datetime.now(dt.UTC))
    approved = work.desk.approved()
    if approved is None and work.options.review_required:
        raise ReviewAwaited("review.awaited", {"session": session.id})
    timings = (sound.timing, recognition.timing, diarization.timing)
    if approved is not None:
        return _publish_reviewed(work, session, sound.result, approved, timings)
    text = Text(session=session, transcript=said, provenance=provenance)
    return _publish_text(work, sound.result, text, timings)


def republish(work: Work, session: Session, *, complete: Callable[[Tags], Session]) -> Publication:
    """Publish a session anew from the revision that was approved last; nothing is recognised.

    Args:
        work: The recording, and with what.
        session: What is known of it before it has been opened.
        complete: Gives the session with what the media's own tags add.

    Raises:
        ReviewAwaited: Nothing has been approved.
        TribuneError: A stage failed; see ``pipeline.errors``.
    """
    approved = work.desk.approved()
    if approved is None:
        raise ReviewAwaited("review.awaited", {"session": session.id})
    sound = _take_sound(work, session)
    return _publish_reviewed(work, complete(sound.result.media.tags), sound.result, approved, (sound.timing,))


def _take_sound(work: Work, session: Session) -> Finished[Sound]:
    recording, options = work.recording, work.options
    return work.run(
        "media",
        Sound,
        (recording.sha256, session.language, session.audio_track, _limits(options.media), *_tracks(recording, session)),
        lambda progress: _read_sound(recording, session, work.folder, options, progress),
    )


def _publish_reviewed(
    work: Work, session: Session, sound: Sound, approved: Revision, timings: tuple[Timing, ...]
) -> Publication:
    """Publish what somebody stands by, its new words where they are heard."""
    transcript, cuts = approved.transcript, approved.cuts
    if any(word.timed == "interpolated" for word in transcript.words):
        aligned = work.run(
            "align",
            Transcript,
            (work.recording.sha256, sound.stream, work.engines.identity, transcript),
            lambda progress: _align(sound, transcript, work.engines, progress),
            keep=lambda found: found != transcript,
            turn=lambda: work.engines.turn("align"),
        )
        transcript, cuts = follow_words(transcript, aligned.result, cuts)
        timings = (*timings, aligned.timing)
    languages = dict.fromkeys((transcript.language, *languages_heard(transcript.words, session)))
    text = Text(
        session=replace(session, languages=tuple(languages), title=approved.title or session.title),
        transcript=transcript,
        provenance=replace(approved.provenance, review=_review(approved)),
        cuts=cuts,
        chapters=approved.chapters,
    )
    return _publish_text(work, sound, text, timings)


def _publish_text(work: Work, sound: Sound, text: Text, timings: tuple[Timing, ...]) -> Publication:
    """Publish what was said, whoever says that it was."""
    # Where a passage was taken out, the shots move with what is left.
    shots_ms = Timeline(duration_ms=sound.media.duration_ms, cuts=text.cuts).map_ms(sound.shots_ms)
    deciding = (text, shots_ms, _figures(work.options.captions), work.options.terms, work.options.address)
    written = work.run("captions", Written, deciding, lambda _: _write(text, shots_ms, work.folder, work.options))
    pictures = work.run(
        "video",
        Pictures,
        (
            work.recording.sha256,
            text.session,
            text.cuts,
            sound.stream,
            written.result.cues,
            work.options.loudness_lufs,
            work.options.burned_in,
        ),
        lambda progress: _make_pictures(text, sound, written.result, work, progress),
    )
    bundle = Bundle(
        session=text.session,
        recording=work.recording,
        transcript=written.result.transcript,
        artifacts=(*written.result.files, *pictures.result.files),
        provenance=text.provenance,
        timings=(*timings, written.timing, pictures.timing),
    )
    publish_it = partial(_publish, bundle, written.result, text.cuts, work.options.site)
    return work.run("publish", Publication, None, lambda _: publish_it(work.open_store())).result


def _hear(work: Work, session: Session, sound: Sound) -> tuple[Finished[Recognition], Finished[Diarization]]:
    """Find out what was said and who was heard when."""
    recording, engines, options = work.recording, work.engines, work.options
    heard = (recording.sha256, sound.stream, engines.identity, *_tracks(recording, session))
    recognition = work.run(
        "speech",
        Recognition,
        (*heard, _expectations(session), options.speech),
        lambda progress: _recognize(sound, session, engines, options, progress),
        turn=lambda: engines.turn("speech"),
    )
    if session.tracks:
        return recognition, _hear_tracks(recording, session, sound, recognition.result, work.run)
    known = enrolled_for(options.voices, session.programme)
    diarization = work.run(
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
        progress = partial(tell, stage)
        if inputs is None:
            done = Finished(result=work(progress), timing=Timing(stage=stage, seconds=0.0), resumed=False)
        else:
            key = (TOOL, _made_with(), *inputs)
            done = checkpoints.run(stage, kind, key, lambda: work(progress), keep=keep, turn=turn)
        # Some stages know nothing of how far they are, and one that was found again has not been told of.
        progress(1.0)
        return done

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
    shots_ms = find_shots(media, folder, options.media)
    return Sound(media=media, stream=stream, audio=audio, tracks=tracks, shots_ms=shots_ms)


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
    """Name the languages that are heard, where no person named them or forgot one."""
    return replace(session, languages=languages_heard(recognition.words, session))


def _align(sound: Sound, transcript: Transcript, engines: Engines, progress: Progress) -> Transcript:
    try:
        return engines.align(sound.audio, transcript, progress)
    except (SetUpError, EngineError) as failure:
        _logger.warning("session %s: new words keep the times between others: %s", transcript.session_id, failure)
        return transcript


def _review(approved: Revision) -> Review | None:
    approval = approved.entry.approval
    return None if approval is None else Review(revision=approved.number, day=approval.approved_at.date())


def _write(text: Text, shots_ms: tuple[int, ...], folder: Path, options: ProcessOptions) -> Written:
    transcript = apply_cuts(text.transcript, text.cuts)
    cues = make_cues(transcript, options.captions, shots_ms, _seams(text))
    reviewed = text.provenance.review is not None
    edited = edit(transcript, text.session.glossary, options.terms, reviewed=reviewed)
    document = Document(
        session=text.session,
        transcript=transcript,
        edited=edited,
        cues=cues,
        provenance=text.provenance,
        chapters=_chapters(text, edited.transcript),
        highlights=choose_highlights(edited.transcript),
        page=f"{options.address}/{page_key(text.session.id, text.session.language)}" if options.address else None,
    )
    files = tuple(_write_document(document, each, folder) for each in FORMATS.values() if each.applies(document))
    return Written(
        transcript=transcript,
        edited=edited,
        cues=cues,
        chapters=document.chapters,
        highlights=document.highlights,
        files=files,
    )


def _seams(text: Text) -> tuple[int, ...]:
    """Return where, on the clock of what is left, something was taken out."""
    timeline = Timeline(duration_ms=text.transcript.duration_ms, cuts=text.cuts)
    return timeline.map_ms([span.start_ms for span in timeline.removed])


def _chapters(text: Text, edited: Transcript) -> tuple[Chapter, ...]:
    """Return a person's own chapters as the cuts leave them, else those that the words give."""
    if text.chapters is None:
        return make_chapters(edited)
    return move_chapters(text.chapters, Timeline(duration_ms=text.transcript.duration_ms, cuts=text.cuts))


def _write_document(document: Document, written_as: Format, folder: Path) -> Artifact:
    path = folder / written_as.file_name(document.language)
    path.write_bytes(written_as.body(document))
    return read_artifact(
        path,
        role=written_as.role,
        content_type=written_as.content_type,
        language=document.language,
        title=document.title,
    )


def _make_pictures(text: Text, sound: Sound, written: Written, work: Work, progress: Progress) -> Pictures:
    session, folder, options = text.session, work.folder, work.options
    media, stream = _without_cuts(text, sound, work)
    language, title = session.language, session.title.get(session.language)
    video, audio, poster = folder / "video.mp4", folder / "audio.m4a", folder / "poster.jpg"
    srt = next(file.path for file in written.files if file.path.suffix == FORMATS["srt"].extension)
    track = CaptionTrack(srt=srt, language=language, title=message("video.track", language))
    label = Label(title=title, language=language, details=_card_details(session))
    burning = options.burned_in and bool(written.cues)
    muxed = _part_of(progress, 0, 2) if burning else progress
    if media.video:
        write_video(
            media,
            stream,
            [track],
            video,
            label,
            options.media,
            loudness_lufs=options.loudness_lufs,
            progress=muxed,
        )
    else:
        write_listening_audio(media, stream, audio, label, options.media, loudness_lufs=options.loudness_lufs)
        # Encoded once: the video takes the very same sound.
        listening = probe(audio, options.media)
        write_title_card_video(listening, listening.audio[0], [track], video, label, options.media, progress=muxed)
    write_poster(video, poster, duration_ms=media.duration_ms, limits=options.media)
    read = partial(read_artifact, title=title, language=language)
    files = [
        read(video, role="video", content_type="video/mp4"),
        read(poster, role="poster", content_type="image/jpeg", language=None),
    ]
    if not media.video:
        files.append(read(audio, role="audio", content_type="audio/mp4"))
    if burning:
        burned_in = folder / "video.burned-in.mp4"
        length_ms, told = media.duration_ms, _part_of(progress, 1, 2)
        write_burned_in(video, srt, burned_in, label, options.media, duration_ms=length_ms, progress=told)
        files.append(read(burned_in, role="burned_in", content_type="video/mp4"))
    progress(1.0)
    return Pictures(files=tuple(files))


def _without_cuts(text: Text, sound: Sound, work: Work) -> tuple[Media, AudioStream]:
    """Return the recording that may be seen and heard."""
    if not text.cuts:
        return sound.media, sound.stream
    timeline = Timeline(duration_ms=sound.media.duration_ms, cuts=text.cuts)
    media = write_cut(sound.media, sound.stream, timeline, work.folder / "cut.mkv", work.options.media)
    return media, media.audio[0]


def _part_of(progress: Progress, part: int, parts: int) -> Progress:
    """Return what tells the share of one of several parts as that of the whole."""
    return lambda share: progress((part + share) / parts)


def _card_details(session: Session) -> tuple[str, ...]:
    language = session.language
    found = (
        session.programme.get(language) if session.programme else "",
        format_date(session.date, language) if session.date else "",
        ", ".join(person.name for person in session.people),
    )
    return tuple(detail for detail in found if detail)


def _publish(bundle: Bundle, written: Written, cuts: tuple[Cut, ...], site: SiteOptions, store: Store) -> Publication:
    verify_recording(bundle.recording)
    done = publish(
        bundle,
        store,
        views=LearnerSite(site),
        cues=written.cues,
        edited=written.edited.transcript,
        chapters=written.chapters,
        highlights=written.highlights,
    )
    if cuts:
        withdraw_earlier(bundle.session.id, store)
    lowered = tuple(notice for notice in bundle.transcript.notices if notice.code in _TO_LOOK_AT)
    return replace(done, notes=(*lowered, *proposal_notices(bundle.transcript)))


def _expectations(session: Session) -> tuple[object, ...]:
    """Return what of a session decides how its words are found."""
    names = tuple(person.name for person in session.people)
    return (session.languages, session.languages_given, session.glossary, names)


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
        "glossary": hashlib.sha256(repr(options.terms).encode()).hexdigest(),
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
