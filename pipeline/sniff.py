"""What a file really is, told from its first bytes.

The head of a file comes in, what it is comes out. Only certainties are told here: a known media container, or something
that is certainly no recording. Everything else is left for ffmpeg to judge. It stands alone, and needs no program, so
that a text file named ``.mp4`` (a playlist, a script that points at other files) is refused before anything opens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

HEAD_BYTES: Final = 4096
"""How much of a file's start is looked at."""

Kind = Literal["media", "text", "document", "image", "archive", "program", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """What a file is.

    Attributes:
        kind: ``unknown`` where its start does not say.
        extension: The usual one of a known media container, with its dot.
    """

    kind: Kind
    extension: str | None = None


_MEDIA_STARTS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x1a\x45\xdf\xa3", ".mkv"),
    (b"OggS", ".ogg"),
    (b"fLaC", ".flac"),
    (b"ID3", ".mp3"),
    (b"FLV\x01", ".flv"),
    (b"caff", ".caf"),
    (b".snd", ".au"),
    (b"#!AMR", ".amr"),
    (b"\x00\x00\x01\xba", ".mpg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ".wmv"),
)
_MOVIE_ATOMS: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"pnot"})
_RIFF_FORMS: Final = {b"WAVE": ".wav", b"AVI ": ".avi"}
_IMAGE_BRANDS: Final = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})
_OTHER_STARTS: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"%PDF-", "document"),
    (b"{\\rtf", "document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "document"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF87a", "image"),
    (b"GIF89a", "image"),
    (b"PK\x03\x04", "archive"),
    (b"PK\x05\x06", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!\x1a\x07", "archive"),
    (b"\x1f\x8b\x08", "archive"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
)
_TRANSPORT_PACKETS: Final = ((188, 0), (192, 4))
_TEXT_CONTROLS: Final = frozenset(b"\t\n\r\f\x1b")


def sniff(head: bytes) -> FileKind:
    r"""Tell what a file is.

    Args:
        head: Its first ``HEAD_BYTES`` bytes, or all of it where it is shorter.

    Example:
        >>> sniff(b"\x00\x00\x00\x18ftypmp42").extension
        '.mp4'
        >>> sniff(b"ffconcat version 1.0\nfile /etc/passwd\n").kind
        'text'
    """
    media = _media_extension(head)
    if media is not None:
        return FileKind(kind="media", extension=media)
    for start, kind in _OTHER_STARTS:
        if head.startswith(start):
            return FileKind(kind=kind)
    if head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return FileKind(kind="image")
    return FileKind(kind="text" if _is_text(head) else "unknown")


def _media_extension(head: bytes) -> str | None:
    for start, extension in _MEDIA_STARTS:
        if head.startswith(start):
            return extension
    if head[4:8] in _MOVIE_ATOMS and head[8:12] not in _IMAGE_BRANDS:
        return ".mov" if head[8:10] == b"qt" else ".mp4"
    if head[:4] in {b"RIFF", b"RF64", b"BW64"}:
        return _RIFF_FORMS.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return ".aiff"
    return ".ts" if _is_transport_stream(head) else None


def _is_transport_stream(head: bytes) -> bool:
    # Sync bytes repeat at the packet length; five in a row are no accident.
    return any(
        len(head) > offset + 4 * length and all(head[offset + n * length] == 0x47 for n in range(5))
        for length, offset in _TRANSPORT_PACKETS
    )


def _is_text(head: bytes) -> bool:
    if not head:
        return False
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _is_utf16(head)
    if any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end in the middle of a character.
        return len(head) == HEAD_BYTES and error.start >= HEAD_BYTES - 3
    return True


def _is_utf16(head: bytes) -> bool:
    try:
        text = head[: len(head) // 2 * 2].decode("utf-16")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
