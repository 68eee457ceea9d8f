"""What is made of a text: captions, transcripts and documents in every format, the video, its poster, the sound.

In goes what is to be published of what was said, with the recording; out come the files, and what the pages need beside
them. Stands alone because all of it is made again from the text whenever that changes, and nothing of it is ever asked
what was said.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline.artifacts import read_artifact
from pipeline.captions import make_cues
from pipeline.chapters import make_chapters
from pipeline.cuts import Timeline, apply_cuts, move_chapters
from pipeline.editing import edit
from pipeline.footage import write_cut
from pipeline.formatting import format_date
from pipeline.highlights import choose_highlights
from pipeline.media import probe
from pipeline.messages import message
from pipeline.ports import Progress
from pipeline.published import page_key
from pipeline.render import FORMATS, Document, Format
from pipeline.stages import Pictures, Sound, Text, Work, Written
from pipeline.types import Artifact, AudioStream, Chapter, Media, Session, Transcript
from pipeline.video import (
    CaptionTrack,
    Label,
    write_burned_in,
    write_listening_audio,
    write_poster,
    write_title_card_video,
    write_video,
)


def write_documents(text: Text, shots_ms: tuple[int, ...], work: Work) -> Written:
    """Write captions, transcripts and documents, in every format.

    Args:
        text: What was said, and what of it learners get.
        shots_ms: When the picture goes to another shot, on the clock of what is left.
        work: Where to, and how.

    Raises:
        OSError: A file cannot be written.
    """
    options = work.options
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
    files = tuple(_write_document(document, each, work.folder) for each in FORMATS.values() if each.applies(document))
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


def make_pictures(text: Text, sound: Sound, written: Written, work: Work, progress: Progress) -> Pictures:
    """Make the video with its captions, the poster and, of a recording without pictures, the sound to listen to.

    Args:
        text: What was said, and what of it learners get.
        sound: What the recording holds.
        written: The captions.
        work: Where to, and how.
        progress: Told how much is done, 0 to 1.

    Raises:
        MediaError: The recording cannot be read to its end, or ffmpeg fails.
    """
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
