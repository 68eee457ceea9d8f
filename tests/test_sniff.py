"""What a file really is, whatever its name says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sniff import HEAD_BYTES, sniff

DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x20ftypisom", "media"),
        (b"\x00\x00\x00\x14ftypqt  ", "media"),
        (b"\x00\x00\x00\x20ftypheic", "image"),
        (b"RIFF\0\0\0\0WAVEfmt ", "media"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image"),
        (b"FORM\0\0\0\0AIFFCOMM", "media"),
        ((b"\x47" + b"\xff" * 187) * 6, "media"),
        ((b"\0\0\0\0\x47" + b"\xff" * 187) * 6, "media"),
        (b"#EXTM3U\n/etc/passwd\n", "text"),
        (b"ffconcat version 1.0\n", "text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text"),
        (b"a" + "é".encode() * (HEAD_BYTES // 2 - 1) + b"\xc3", "text"),
        ("playlist\r\n".encode("utf-16"), "text"),
        (b"\xff\xfe\x00\xd8\x00\xd8", "unknown"),
        (b"\xff\xfb\x90\x64\x00\x0f", "unknown"),
        (b"MZ\x90\x00", "program"),
        (b"\x7fELF\x02", "program"),
        (b"PK\x03\x04", "archive"),
        (b"%PDF-1.7", "document"),
        (b"\xe9t\xe9", "unknown"),
        (b"", "unknown"),
    ],
)
def test_only_certainties_are_told(head: bytes, kind: str) -> None:
    assert sniff(head).kind == kind


@given(head=st.binary(max_size=HEAD_BYTES))
def test_any_bytes_are_some_kind(head: bytes) -> None:
    found = sniff(head)
    assert (found.extension is not None) == (found.kind == "media")


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared recordings are not beside this checkout")
def test_no_real_recording_is_taken_for_something_else() -> None:
    media = {".flac", ".wav", ".webm", ".ogg", ".m4a", ".mp4", ".mp3", ".aiff", ".opus", ".mkv", ".wma"}
    wrong = {}
    for path in DATA.rglob("*"):
        if path.suffix in media:
            with path.open("rb") as file:
                kind = sniff(file.read(HEAD_BYTES)).kind
            if kind not in {"media", "unknown"}:
                wrong[path.name] = kind
    assert wrong == {"text_renamed.mp3": "text"}
