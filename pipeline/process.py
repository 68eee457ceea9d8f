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
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Final

from pipeline.caption_rules import CaptionRules
from pipeline.checkpoints import Finished
from pipeline.cuts import Timeline, follow_words
from pipeline.details import Tags
from pipeline.enrolment import EnrolledVoice, enrolled_for
from pipeline.errors import EngineError, RecordingRejected, ReviewAwaited, SetUpError
from pipeline.ffmpeg import MediaLimits
from pipeline.formatting import format_clock
from pipeline.intake import verify_recording
from pipeline.introductions import proposal_notices
from pipeline.media import choose_audio, probe, read_waveform, stream_at, write_audio_file, write_mixed
from pipeline.naming import printable
from pipeline.parcels import fold_name
from pipeline.ports import Progress, Store
from pipeline.products import make_pictures, write_documents
from pipeline.publishing import publish, withdraw_earlier
from pipeline.revisions import Cut, Revision
from pipeline.serial import to_json
from pipeline.shots import find_shots
from pipeline.site.model import SiteOptions
from pipeline.site.render import LearnerSite
from pipeline.speakers import attribute, without_speakers
from pipeline.speech import languages_heard
from pipeline.stages import (
    TOOL,
    Engines,
    Pictures,
    ProcessOptions,
    RunStage,
    Sound,
    Text,
    Work,
    Written,
    engine_versions,
)
from pipeline.tracks import who_spoke
from pipeline.types import (
    AudioFile,
    Bundle,
    Diarization,
    Media,
    Notice,
    Provenance,
    Publication,
    Recognition,
    Recording,
    Review,
    Session,
    Timing,
    Transcript,
)

_logger = logging.getLogger(__name__)

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
"""Notices that a facilitator can do something about, each told once; the review pages show passages in doubt."""


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
    sound = _take_sound(work, session)
    # Not before a stage has begun: until the journal says so, whoever approves another one counts on this run.
    approved = work.desk.approved()
    if approved is None:
        raise ReviewAwaited("review.awaited", {"session": session.id})
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
    written = work.run("captions", Written, deciding, lambda _: write_documents(text, shots_ms, work))
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
        lambda progress: make_pictures(text, sound, written.result, work, progress),
    )
    bundle = Bundle(
        session=text.session,
        recording=work.recording,
        transcript=written.result.transcript,
        artifacts=(*written.result.files, *pictures.result.files),
        provenance=text.provenance,
        timings=(*timings, written.timing, pictures.timing),
    )
    publish_it = partial(_publish, bundle, written.result, text.cuts, sound.media, work.options.site)
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
    files = {fold_name(track.name): track for track in recording.tracks}
    for number, track in enumerate(session.tracks, start=1):
        target = folder / f"track-{number}.wav"
        if track.stream is not None:
            yield write_audio_file(media, stream_at(media, track.stream), target, options.media)
            continue
        file = files.get(fold_name(track.file or ""))
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
        return without_speakers()


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


def _publish(
    bundle: Bundle, written: Written, cuts: tuple[Cut, ...], media: Media, site: SiteOptions, store: Store
) -> Publication:
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
    noticed = (replace(one, span=None) for one in bundle.transcript.notices if one.code in _TO_LOOK_AT)
    lowered = dict.fromkeys(noticed)
    return replace(done, notes=(*_ends_early(media), *lowered, *proposal_notices(bundle.transcript)))


def _ends_early(media: Media) -> Iterator[Notice]:
    """Tell that a recording is not whole: what is published looks so."""
    if media.missing_ms:
        said = format_clock(media.duration_ms + media.missing_ms)
        yield Notice(code="media.ends_early", data=(("announced", said), ("played", format_clock(media.duration_ms))))


def _expectations(session: Session) -> tuple[object, ...]:
    """Return what of a session decides how its words are found."""
    names = tuple(person.name for person in session.people)
    return (session.languages, session.languages_given, session.glossary, names)


def _limits(media: MediaLimits) -> MediaLimits:
    """Return what of the limits decides whether a recording is taken; not on how many cores it is read."""
    return replace(media, threads=1)


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
        engines=engine_versions(),
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
