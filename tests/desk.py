"""A work area with sessions to review, and the review server as a process that can be killed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.ffmpeg import find_programs
from pipeline.journal import Published, SessionRecord, session_folder, write_record
from pipeline.review import Desk
from pipeline.tcp import held_port
from pipeline.types import Language, NameProposal, Provenance, Recording, Session, Transcript
from tests.pages import SESSION, TURNS, make_transcript

NOW = dt.datetime(2026, 11, 22, 14, 30, tzinfo=dt.UTC)
PROVENANCE = Provenance(tool="tribune tests")


def reviewable(language: Language = "en", **changed: object) -> tuple[Session, Transcript]:
    """Make a session with words in doubt, words in the other language, and a voice that may be somebody."""
    session = dataclasses.replace(SESSION[language], **changed)  # type: ignore[arg-type]  # a few fields of many
    transcript = make_transcript(session, TURNS[language])
    words = transcript.turns[0].words
    doubted = [dataclasses.replace(word, probability=0.3) if at in {3, 4} else word for at, word in enumerate(words)]
    doubted[6] = dataclasses.replace(doubted[6], overlapped=True)
    other = "fr" if language == "en" else "en"
    doubted[-1] = dataclasses.replace(doubted[-1], language=other)
    first = dataclasses.replace(transcript.turns[0], words=tuple(doubted))
    proposal = NameProposal(
        name="Ada Roy", evidence="introduced", quote="my name is Ada Roy", start_ms=1000, end_ms=2000
    )
    unnamed = [
        dataclasses.replace(each, name=None, proposals=(proposal,) if each.key == "S1" else ())
        for each in transcript.speakers
    ]
    return session, dataclasses.replace(transcript, turns=(first, *transcript.turns[1:]), speakers=tuple(unnamed))


def lay_out(work: Path, session: Session, transcript: Transcript, *, media: Path | None = None) -> Desk:
    """Put a processed session into a work area."""
    folder = session_folder(work, session.id)
    folder.mkdir(parents=True)
    path = folder / "recording.mp4"
    recording = Recording(path=path, name="week-3.mp4", sha256=session.id + "0" * 48, size=1)
    state = Published(revision="r1-0", pages=(("en", "http://127.0.0.1:9/en.html"),))
    write_record(work, SessionRecord(recording=recording, session=session, state=state, when_ms=1, publication=state))
    if media:
        (folder / "video.mp4").hardlink_to(media)
    write_sound(folder / "sound.wav", transcript.duration_ms)
    desk = Desk.of(work, session.id)
    desk.keep_recognition(transcript, PROVENANCE, now=NOW)
    return desk


def recognise_again(desk: Desk, first_word: str) -> None:
    """Keep a later recognition, which is the first one but for its first word."""
    first = desk.revision(1).transcript
    words = first.turns[0].words
    turn = dataclasses.replace(first.turns[0], words=(dataclasses.replace(words[0], text=first_word), *words[1:]))
    desk.keep_recognition(dataclasses.replace(first, turns=(turn, *first.turns[1:])), PROVENANCE, now=NOW)


def write_sound(path: Path, duration_ms: int) -> None:
    """Write a tone that comes and goes; a minute of it stands for hours."""
    at = np.arange(min(duration_ms, 60_000) * 16) / 16000
    sound = np.sin(at * 2 * np.pi * 220) * (0.2 + 0.8 * np.abs(np.sin(at))) * 12000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(sound.astype("<i2").tobytes())


def write_media(path: Path, seconds: int, *, size: str = "320x180") -> None:
    """Write a small video that a browser plays."""
    command = [str(find_programs().ffmpeg), "-nostdin", "-y", "-loglevel", "error"]
    command += ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=5:d={seconds}"]
    command += ["-f", "lavfi", "-i", f"sine=300:d={seconds}"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([*command, "-movflags", "+faststart", str(path)], check=True)


@dataclass(slots=True, kw_only=True)
class Server:
    """The review server as a process.

    Attributes:
        root: The data folder.
        port: Where it listens, also after it was started again.
    """

    root: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = os.environ | {"TRIBUNE_ROOT": str(self.root), "TRIBUNE_ENV": "test"}
        command = [sys.executable, "-m", "flows.review_server", str(self.port)]
        self.process = subprocess.Popen(command, env=environment)
        end = time.monotonic() + 120
        while not self._answers():
            assert time.monotonic() < end, "it never answered"
            assert self.process.poll() is None, "it ended by itself"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it without a warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/en/", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Run a review server for the length of a block."""
    with held_port("127.0.0.1") as port:
        server = Server(root=root, port=port)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def said(desk: Desk) -> Sequence[str]:
    """Return what the newest revision says, turn by turn."""
    return [turn.text for turn in desk.latest().transcript.turns]
