"""What learners watch and listen to: a captioned MP4, a poster, a sound file, a title card where nothing was filmed.

A probed recording, the chosen audio stream and finished SRT files come in; files that every browser plays go out, on
the clock whose zero is the first picture, as the captions are. Nothing of the recording's own metadata goes along: no
place, no device, no name. The same input and build of ffmpeg give the same bytes. Stands apart from
:mod:`pipeline.media` because recognising needs none of it.
"""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import ffmpeg

from pipeline import fonts
from pipeline.errors import MediaError
from pipeline.ffmpeg import MediaLimits, Node, file_url, on_one_clock, open_recording, run_ffmpeg, written
from pipeline.media import clock_streams, length_s, measure_mix, write_aligned
from pipeline.ports import Progress, no_progress
from pipeline.types import AudioStream, Language, Media

_logger = logging.getLogger(__name__)

LOUDNESS_LUFS: Final = -16.0
"""What speech on the web is usually normalised to (EBU R 128 measures it; AES TD1008 recommends -16 to -18)."""

_RATE: Final = 48_000
_ISO_639_2: Final[Mapping[str, str]] = {"en": "eng", "fr": "fra"}
_COPY_CLOSE_MS: Final = 50
"""How far from zero copied sound may start: an AAC encoder's own delay is about half of it."""
_LONG, _SHORT = 1920, 1080
_AT_MOST_60: Final = "isnan(prev_selected_t)+gte(t-prev_selected_t,0.0155)"
"""Pictures closer than 60 a second are left out, with room for time stamps in whole milliseconds."""
_SEEKABLE: Final = "expr:gte(t,n_forced*4)"
"""A picture that can be jumped to every 4 s, because learners jump by the transcript."""

ENCODED: Final[Mapping[str, object]] = {
    "c:v": "libx264",
    "preset": "veryfast",
    "crf": 23,
    "pix_fmt": "yuv420p",
    "fps_mode": "vfr",
    # Browser recordings claim a thousand pictures a second; the level for that plays nowhere.
    "level:v": "4.2",
    "force_key_frames": _SEEKABLE,
    # Not from the cores: the number changes the bytes.
    "threads:v": 4,
}
"""How pictures are encoded where they cannot be copied."""

_PLAIN: Final[Mapping[str, object]] = {
    "map_metadata": -1,
    "map_metadata:s:v": -1,
    "map_metadata:s:a": -1,
    "map_chapters": -1,
    "fflags": "+bitexact",
    "flags": "+bitexact",
    "movflags": "+faststart",
    "max_muxing_queue_size": 4096,
}

_BURNED_IN: Final = "FontName=DejaVu Sans,FontSize=15,BorderStyle=3,Outline=1,Shadow=0,OutlineColour=&H40000000"
"""White on a dark ground that lets a little of the picture through: contrast whatever is filmed."""

_CARD_WIDTH, _CARD_HEIGHT, _MARGIN = 1280, 720, 96
_CARD_COLOUR, _ACCENT_COLOUR, _TEXT_COLOUR, _DETAIL_COLOUR = "0x1b3a4b", "0xe0a030", "0xffffff", "0xd5e3ea"
_TITLE_SIZE, _DETAIL_SIZE = 60, 34
_STILL_PICTURES: Final = 30
"""After so many, half a minute, comes one that can be jumped to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionTrack:
    """Captions to be embedded.

    Attributes:
        srt: A SubRip file in UTF-8; one without cues is left out.
        language: Of the captions.
        title: What a player calls the track.
    """

    srt: Path
    language: Language
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a recording says of itself.

    Attributes:
        title: Of the session, in its main language.
        language: The main language: that of the sound.
        details: For the title card, a line each: programme, date, guests.
    """

    title: str
    language: Language
    details: tuple[str, ...] = ()


def write_video(
    media: Media,
    stream: AudioStream,
    tracks: Sequence[CaptionTrack],
    target: Path,
    label: Label,
    limits: MediaLimits,
    *,
    loudness_lufs: float | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write the recording as MP4 (H.264, AAC, fast start) with one sound stream and the captions embedded.

    Streams that browsers play are copied; others are encoded, pictures at most 1920 by 1080 and 60 a second.

    Args:
        media: The recording; has a video stream.
        stream: The audio stream to keep.
        tracks: Captions; the first one is on by default.
        target: The file to write.
        label: What players say of it.
        limits: How far it may go.
        loudness_lufs: Integrated loudness to bring the sound to, if that is wanted.
        progress: Told the share done.

    Raises:
        MediaError: ffmpeg failed, or went over a limit.
    """
    with _sound(media, stream, target, limits, loudness_lufs) as (sound, sound_options):
        recording = moved_recording(media, limits)
        picture, picture_options = _picture(media, recording)
        options = {**picture_options, **sound_options, "t": length_s(media)}
        with written(target) as part:
            output = _mp4(picture, sound, tracks, part, label=label, options=options)
            command = on_one_clock(output, clock_streams(media, recording))
            run_ffmpeg(command, limits, duration_ms=media.duration_ms, progress=progress)
    progress(1.0)


def write_title_card_video(
    media: Media,
    stream: AudioStream,
    tracks: Sequence[CaptionTrack],
    target: Path,
    label: Label,
    limits: MediaLimits,
    *,
    progress: Progress = no_progress,
) -> None:
    """Write a sound recording as MP4 under a still picture that says what it is.

    Args:
        media: The recording.
        stream: The audio stream to keep.
        tracks: Captions; the first one is on by default.
        target: The file to write.
        label: What the card says.
        limits: How far it may go.
        progress: Told the share done.

    Raises:
        MediaError: ffmpeg failed, or went over a limit.
    """
    with (
        TemporaryDirectory(dir=target.parent, prefix=".card-") as folder,
        _sound(media, stream, target, limits) as (sound, options),
    ):
        still, rate, pictures = _write_still(label, media.duration_ms, Path(folder), limits)
        # Encoded once, then the same bytes again and again; half a picture less, lest rounding let one more in.
        picture = ffmpeg.input(
            file_url(still), f="mp4", stream_loop=-1, t=(pictures - 0.5) / rate, protocol_whitelist="file"
        )["v:0"]
        with written(target) as part:
            output = _mp4(picture, sound, tracks, part, label=label, options={"c:v": "copy", **options})
            run_ffmpeg(output, limits, duration_ms=media.duration_ms, progress=progress)
    progress(1.0)


def write_burned_in(
    video: Path,
    srt: Path,
    target: Path,
    label: Label,
    limits: MediaLimits,
    *,
    duration_ms: int,
    progress: Progress = no_progress,
) -> None:
    """Write a finished video once more with its captions in the picture, for players that show no others.

    Args:
        video: An MP4 that was written here.
        srt: Its captions.
        target: The file to write.
        label: What players say of it.
        limits: How far it may go.
        duration_ms: Length of the video.
        progress: Told the share done.

    Raises:
        MediaError: ffmpeg failed, or went over a limit.
    """
    with TemporaryDirectory(dir=target.parent, prefix=".fonts-") as folder, written(target) as part:
        (Path(folder) / "font.ttf").write_bytes((files(fonts) / "DejaVuSans.ttf").read_bytes())
        source = ffmpeg.input(file_url(video), protocol_whitelist="file", threads=limits.threads)
        picture = source["v:0"].filter("subtitles", filename=str(srt), fontsdir=folder, force_style=_BURNED_IN)
        options = {**_PLAIN, **ENCODED, "c:a": "copy", **_said(label)}
        output = ffmpeg.output(picture, source["a:0"], file_url(part), f="mp4", **options)
        run_ffmpeg(output, limits, duration_ms=duration_ms, progress=progress)
    progress(1.0)


def write_listening_audio(
    media: Media,
    stream: AudioStream,
    target: Path,
    label: Label,
    limits: MediaLimits,
    *,
    loudness_lufs: float | None = None,
) -> None:
    """Write the sound alone as M4A (AAC), on the same clock; copied where it already is AAC.

    Args:
        media: The recording.
        stream: The audio stream to keep.
        target: The file to write.
        label: What players say of it.
        limits: How far it may go.
        loudness_lufs: Integrated loudness to bring the sound to, if that is wanted.

    Raises:
        MediaError: ffmpeg failed, or went over a limit.
    """
    with _sound(media, stream, target, limits, loudness_lufs, alone=True) as (sound, options), written(target) as part:
        output = sound.output(file_url(part), f="ipod", t=length_s(media), **_PLAIN, **options, **_said(label))
        run_ffmpeg(output, limits)


def write_poster(source: Path, target: Path, *, duration_ms: int, limits: MediaLimits) -> None:
    """Write a JPEG, at most 1280 pixels wide, of a picture that is typical of a video and not black.

    Args:
        source: A recording with pictures, or the video made of a title card.
        target: The file to write.
        duration_ms: Length of the source.
        limits: How far it may go.

    Raises:
        MediaError: There is no picture to be had.
    """
    attempts = ((duration_ms / 10_000, True, True), (0.0, False, True), (0.0, False, False))
    with written(target) as part:
        for start_s, only_key, not_black in attempts:
            try:
                run_ffmpeg(
                    _poster(source, part, start_s=start_s, only_key=only_key, not_black=not_black, limits=limits),
                    limits,
                )
            except MediaError as error:
                _logger.debug("no poster from %.1f s: %s", start_s, error.code)
            if part.exists() and part.stat().st_size:
                return
        raise MediaError("media.no_picture")


def _poster(
    source: Path, target: Path, *, start_s: float, only_key: bool, not_black: bool, limits: MediaLimits
) -> Node:
    options = {"skip_frame": "nokey", "noaccurate_seek": None} if only_key else {}
    recording = open_recording(source, ss=f"{start_s:.3f}", t=300, threads=limits.threads, **options)
    picture = recording["V:0"].filter("scale", "min(1280,trunc(iw*sar/2)*2)", -2).filter("setsar", 1)
    if not_black:
        brightness = {"mode": "select", "key": "lavfi.signalstats.YAVG", "value": 32, "function": "greater"}
        picture = picture.filter("signalstats").filter("metadata", **brightness)
    # A picture from before the place that was sought has a time below zero, and would not be written.
    picture = picture.filter("thumbnail", 60).filter("setpts", 0).filter("format", "yuvj420p")
    return picture.output(
        file_url(target), f="mjpeg", vcodec="mjpeg", **{"frames:v": 1, "q:v": 3, "threads:v": 1}, **_plain_picture()
    )


def _plain_picture() -> Mapping[str, object]:
    return {key: _PLAIN[key] for key in ("map_metadata", "fflags", "flags")}


def moved_recording(media: Media, limits: MediaLimits) -> Node:
    """Return the recording as an input moved to the clock whose zero is the first picture."""
    return open_recording(media.path, itsoffset=f"{-media.clock_zero_ms / 1000:.3f}", threads=limits.threads)


def _picture(media: Media, recording: Node) -> tuple[Node, Mapping[str, object]]:
    """Return the pictures of a recording, at most so large, and how to write them."""
    if media.video is None:
        raise ValueError("the recording has no pictures")
    picture = recording["V:0"]
    copied = media.video.codec == "h264" and media.video.pixel_format in {"yuv420p", "yuvj420p"}
    # What these containers say of time stamps and parameter sets can be carried over as it is.
    if copied and media.container.startswith(("mov", "matroska", "mpegts", "flv")):
        return picture, {"c:v": "copy"}
    return encodable(media, recording), ENCODED


def encodable(media: Media, recording: Node) -> Node:
    """Return the pictures of a recording fit to be encoded: of one even size, at most so large and so many."""
    if media.video is None:
        raise ValueError("the recording has no pictures")
    width, height = _fitting(media.video.width, media.video.height)
    # The size is fixed because shared screens change theirs while they are recorded.
    steady = recording["V:0"].filter("select", _AT_MOST_60).filter("yadif", deint="interlaced")
    fitted = steady.filter("scale", width, height, force_original_aspect_ratio="decrease", force_divisible_by=2)
    return fitted.filter("pad", width, height, -1, -1)


def _fitting(width: int, height: int) -> tuple[int, int]:
    """Return an even size of the same shape, at most 1920 by 1080 lying or standing.

    Example:
        >>> _fitting(3840, 2160), _fitting(1080, 1920), _fitting(641, 361)
        ((1920, 1080), (1080, 1920), (640, 360))
    """
    share = min(1.0, _LONG / max(width, height), _SHORT / min(width, height))
    return max(2, int(width * share) // 2 * 2), max(2, int(height * share) // 2 * 2)


@contextmanager
def _sound(
    media: Media,
    stream: AudioStream,
    target: Path,
    limits: MediaLimits,
    loudness_lufs: float | None = None,
    *,
    alone: bool = False,
) -> Iterator[tuple[Node, Mapping[str, object]]]:
    """Give the sound of a recording as an input on its clock, and how to write it.

    Two channels that cancel, or of which one is dead, become one: on a telephone they would be silent.
    """
    late_ms = stream.start_ms - media.clock_zero_ms
    in_place = late_ms >= -_COPY_CLOSE_MS and not (alone and late_ms > _COPY_CLOSE_MS)
    fits = stream.codec == "aac" and stream.channels <= 2 and media.container.startswith(("mov", "matroska"))
    weights = measure_mix(media, stream, target, limits) if stream.channels == 2 else ()
    even = len(set(weights)) <= 1
    if fits and in_place and even and loudness_lufs is None:
        yield moved_recording(media, limits)[f"a:{stream.index}"], {"c:a": "copy"}
        return
    channels = min(2, stream.channels)
    with written(target, ".pcm") as raw:
        write_aligned(media, stream, raw, limits, sample_rate=_RATE, channels=channels)
        sound = _raw_sound(raw, channels, weights=() if even else weights)
        if loudness_lufs is not None:
            sound = _normalised(sound, loudness_lufs, limits)
        yield sound, {"c:a": "aac", "aac_coder": "fast", "b:a": f"{64 * channels if even else 64}k", "ar": _RATE}


def _raw_sound(raw: Path, channels: int, *, weights: Sequence[float]) -> Node:
    sound = ffmpeg.input(file_url(raw), f="s16le", ar=_RATE, ac=channels, protocol_whitelist="file")["a:0"]
    mix = "+".join(f"{weight:g}*c{channel}" for channel, weight in enumerate(weights)).replace("+-", "-")
    return sound.filter("pan", args=f"mono|c0={mix}") if mix else sound


def _normalised(sound: Node, lufs: float, limits: MediaLimits) -> Node:
    """Return the sound at another loudness: measured first, so that it is only turned up or down, never pumped."""
    wanted = {"i": lufs, "tp": -1.5, "lra": 11}
    measure = sound.filter("loudnorm", print_format="json", **wanted).output("-", f="null")
    said = run_ffmpeg(measure, limits, level="info")
    measured = json.loads(said[said.rindex("{") : said.rindex("}") + 1])
    if "-inf" in {measured["input_i"], measured["input_tp"]}:
        return sound
    known = {
        "measured_i": measured["input_i"],
        "measured_tp": measured["input_tp"],
        "measured_lra": measured["input_lra"],
        "measured_thresh": measured["input_thresh"],
        "offset": measured["target_offset"],
    }
    return sound.filter("loudnorm", linear="true", **wanted, **known)


def _mp4(
    picture: Node,
    sound: Node,
    tracks: Sequence[CaptionTrack],
    target: Path,
    *,
    label: Label,
    options: Mapping[str, object],
) -> Node:
    """Return the command that puts pictures, sound and captions into one file."""
    filled = [track for track in tracks if track.srt.stat().st_size and track.srt.read_bytes().strip()]
    said = _said(label)
    if filled:
        said["c:s"] = "mov_text"
    for number, track in enumerate(filled):
        # The same stream under three names, because ffmpeg-python takes one value for each option.
        said[f"metadata:s:s:{number}"] = f"language={_ISO_639_2[track.language]}"
        said[f"metadata:s:{2 + number}"] = f"title={track.title}"
        said[f"metadata:s:{2 + number:#x}"] = f"handler_name={track.title}"
        said[f"disposition:s:{number}"] = "0" if number else "default"
    captions = [ffmpeg.input(file_url(track.srt), f="srt", protocol_whitelist="file")["s:0"] for track in filled]
    return ffmpeg.output(picture, sound, *captions, file_url(target), f="mp4", **_PLAIN, **options, **said)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One line of a title card: its text, size and place in pixels, and colour."""

    text: str
    size: int
    top: int
    colour: str


def _said(label: Label) -> dict[str, object]:
    return {"metadata:g": f"title={label.title}", "metadata:s:a:0": f"language={_ISO_639_2[label.language]}"}


def _write_card(label: Label, folder: Path, limits: MediaLimits) -> Path:
    """Draw the title card; texts go in by file, so that nothing in them is taken for a filter."""
    target, font = folder / "card.png", folder / "font.ttf"
    # A copy beside the texts: the package may lie in an archive.
    font.write_bytes((files(fonts) / "DejaVuSans.ttf").read_bytes())
    size = f"{_CARD_WIDTH}x{_CARD_HEIGHT}"
    card = ffmpeg.input(f"color=c={_CARD_COLOUR}:s={size}:r=1:d=1", f="lavfi").filter("format", "rgb24")
    card = card.filter("drawbox", x=0, y=0, w=16, h=_CARD_HEIGHT, color=_ACCENT_COLOUR, t="fill")
    for number, row in enumerate(_lay_out(label.title, label.details)):
        text = folder / f"{number}.txt"
        text.write_text(row.text, encoding="utf-8")
        look = {"fontfile": str(font), "fontsize": row.size, "fontcolor": row.colour, "x": _MARGIN, "y": row.top}
        card = card.filter("drawtext", textfile=str(text), expansion="none", **look)
    output = card.output(file_url(target), f="image2pipe", vcodec="png", **{"frames:v": 1}, **_plain_picture())
    run_ffmpeg(output, limits)
    return target


def _write_still(label: Label, duration_ms: int, folder: Path, limits: MediaLimits) -> tuple[Path, Fraction, int]:
    """Encode half a minute of the title card; return it, its pictures a second, and how many a recording takes.

    About one a second, stretched so that the last ends with the sound.
    """
    pictures = max(1, ceil(duration_ms / 1000))
    rate = Fraction(pictures * 1000, max(1, duration_ms))
    card = _write_card(label, folder, limits)
    picture = ffmpeg.input(file_url(card), f="image2", pattern_type="none", framerate=str(rate))
    # Read once, then shown again and again.
    picture = picture.filter("format", "yuv420p").filter("loop", _STILL_PICTURES - 1, 1).filter("setpts", "N")
    # One picture that stands alone, none that waits for a later one: so every copy follows the one before.
    options = {**ENCODED, "tune": "stillimage", "g": _STILL_PICTURES, "bf": 0, "force_key_frames": "0"}
    target = folder / "still.mp4"
    run_ffmpeg(picture.output(file_url(target), f="mp4", **_PLAIN, **options), limits)
    return target, rate, pictures


def _lay_out(title: str, details: Sequence[str]) -> tuple[_Row, ...]:
    """Return the lines of a card from the top; the lower third stays free for captions."""
    rows, top = [], _MARGIN
    for line in wrap(title, size=_TITLE_SIZE, most=4):
        rows.append(_Row(text=line, size=_TITLE_SIZE, top=top, colour=_TEXT_COLOUR))
        top += round(_TITLE_SIZE * 1.35)
    top += _DETAIL_SIZE
    for line in [line for text in details for line in wrap(text, size=_DETAIL_SIZE, most=2)][:4]:
        rows.append(_Row(text=line, size=_DETAIL_SIZE, top=top, colour=_DETAIL_COLOUR))
        top += round(_DETAIL_SIZE * 1.5)
    return tuple(rows)


def wrap(text: str, *, size: int, most: int) -> tuple[str, ...]:
    r"""Return a text as lines that fit the title card, with an ellipsis where it is too long.

    What the typeface cannot draw, such as emoji, is left out.

    Args:
        text: Any text.
        size: Of the letters, pixels.
        most: How many lines at most.

    Example:
        >>> wrap("  Séance 3\n🎉 : l’accueil ", size=60, most=2)
        ('Séance 3 : l’accueil',)
    """
    lines: list[str] = []
    for word in _drawable(text).split():
        if lines and _width(f"{lines[-1]} {word}", size) <= _CARD_WIDTH - 2 * _MARGIN:
            lines[-1] += f" {word}"
        else:
            lines += _pieces(word, size)
    if len(lines) <= most:
        return tuple(lines)
    last = lines[most - 1]
    while _width(f"{last}…", size) > _CARD_WIDTH - 2 * _MARGIN:
        last = last[:-1]
    return (*lines[: most - 1], f"{last}…")


def _drawable(text: str) -> str:
    # File names of some systems hold their accents apart; the typeface has them in one piece.
    whole = unicodedata.normalize("NFC", text)
    return "".join(
        " " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter
        for letter in whole
        if ord(letter) < 0x10000 and unicodedata.category(letter) not in {"Cf", "Cn", "Co", "Cs", "So"}
    )


def _pieces(word: str, size: int) -> list[str]:
    """Cut a word that is longer than a line."""
    pieces = [""]
    for letter in word:
        if _width(pieces[-1] + letter, size) > _CARD_WIDTH - 2 * _MARGIN:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _width(text: str, size: int) -> float:
    """Return about how wide a text is drawn, in pixels; rather too wide than too narrow."""
    return sum(_em(letter) for letter in text) * size


def _em(letter: str) -> float:
    if letter in " .,:;'’!|iljtfrI()[]-":
        return 0.42
    if unicodedata.combining(letter):
        return 0.0
    wide = unicodedata.east_asian_width(letter) in {"W", "F"} or letter in "mwMW@%…—"
    return 1.0 if wide else 0.79 if letter.isupper() else 0.64
