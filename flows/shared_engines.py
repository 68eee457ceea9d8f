"""The engines of this machine's engine process, asked for from any other.

In go an audio file's name and what is known of its session, out come words or voices, heard by the one process that
holds the engines opened (``flows.engine_server``). A connection is a place in its queue and, when it comes up, the
turn; it is good for one request. Stands alone, and imports no engine, so that a run starts in as little time as Prefect
lets it.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Final, cast

from config.settings import Settings
from flows.engines import engines_identity
from pipeline.enrolment import EnrolledVoice
from pipeline.errors import EngineUnavailable, TribuneError
from pipeline.ports import Progress
from pipeline.serial import from_json
from pipeline.speech import SpeechOptions
from pipeline.stages import HearingStage
from pipeline.types import AudioFile, Diarization, Recognition, Session, Transcript

HOST: Final = "127.0.0.1"

YOUR_TURN: Final = "your turn"
"""What a client is told when it may ask."""

LOST: Final = (OSError, EOFError, AuthenticationError, AssertionError, ValueError)
"""What a connection may end with when the other side is gone, or is not who it should be."""

_ASKED: Final = 2
_AWAY_S: Final = 45.0
"""A server that crashed is back well within this; a run that fails for it costs more."""

_AGAIN_S: Final = 0.2
_LOOK_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the engine process answers.

    Attributes:
        port: On the loopback.
        key: Known to its owner's processes only.
        pid: Who answers.
    """

    port: int
    key: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognize:
    """Asks what was said; see :class:`pipeline.stages.Engines`."""

    audio: AudioFile
    session: Session
    options: SpeechOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarize:
    """Asks who was heard when; see :class:`pipeline.stages.Engines`."""

    audio: AudioFile
    session: Session
    known: tuple[EnrolledVoice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Align:
    """Asks where new words are heard; see :class:`pipeline.stages.Engines`."""

    audio: AudioFile
    transcript: Transcript


Request = Recognize | Diarize | Align
Answer = Recognition | Diarization | Transcript | TribuneError
"""What ends a request; before it come any number of shares done."""


def door_path(root: Path) -> Path:
    """Return the file that says where this machine's engine process answers; machines may share a root."""
    return root / f"engines.{platform.node()}.json"


class SharedEngines:
    """The engines of the engine process; see :class:`pipeline.stages.Engines`. Used by one thread at a time.

    Args:
        settings: Which weights, and where the engine process is found.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = door_path(settings.root)
        self._line: _Line | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """Which weights are used, and how; see :class:`pipeline.stages.Engines`."""
        return engines_identity(self._settings)

    @contextmanager
    def turn(self, stage: HearingStage) -> Iterator[None]:
        """Wait for this machine's cores; see :class:`pipeline.stages.Engines`."""
        # What fails here fails again, and is told, where the engine is asked.
        with suppress(EngineUnavailable):
            self._line = self._stand_in_line(stage)
        try:
            yield
        finally:
            self._leave()

    def recognize(self, audio: AudioFile, session: Session, options: SpeechOptions, progress: Progress) -> Recognition:
        """Return what was said; see :class:`pipeline.stages.Engines`.

        Raises:
            EngineUnavailable: The engine process is away, or was lost each time it was asked.
        """
        request = Recognize(audio=audio, session=session, options=options)
        return cast("Recognition", self._ask("speech", request, progress))

    def diarize(
        self, audio: AudioFile, session: Session, known: Sequence[EnrolledVoice], progress: Progress
    ) -> Diarization:
        """Return who was heard when; see :class:`pipeline.stages.Engines`.

        Raises:
            EngineUnavailable: The engine process is away, or was lost each time it was asked.
        """
        request = Diarize(audio=audio, session=session, known=tuple(known))
        return cast("Diarization", self._ask("speakers", request, progress))

    def align(self, audio: AudioFile, transcript: Transcript, progress: Progress) -> Transcript:
        """Return a transcript with its new words where they are heard; see :class:`pipeline.stages.Engines`.

        Raises:
            EngineUnavailable: The engine process is away, or was lost each time it was asked.
        """
        return cast("Transcript", self._ask("align", Align(audio=audio, transcript=transcript), progress))

    def _ask(self, stage: HearingStage, request: Request, progress: Progress) -> object:
        furthest = 0.0
        for _ in range(_ASKED):
            self._line = self._line or self._stand_in_line(stage)
            try:
                self._line.send(request)
                while isinstance(answer := self._line.receive(), float):
                    # Whoever asks once more starts over, but nobody is to see that go back.
                    furthest = max(furthest, answer)
                    progress(furthest)
            except _Lost:
                continue
            finally:
                self._leave()
            if isinstance(answer, TribuneError):
                raise answer
            return answer
        raise EngineUnavailable("flows.engines_lost")

    def _stand_in_line(self, stage: HearingStage) -> _Line:
        """Wait for a turn, for as long as somebody is there to give it.

        Raises:
            EngineUnavailable: Nobody is, nor comes back in time.
        """
        deadline = time.monotonic() + _AWAY_S
        while True:
            began = time.monotonic()
            with suppress(_Lost):
                return _Line(self._path, stage)
            now = time.monotonic()
            if now - began > _LOOK_S:
                deadline = now + _AWAY_S
            if now > deadline:
                raise EngineUnavailable("flows.engines_away")
            time.sleep(_AGAIN_S)

    def _leave(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class _Lost(Exception):
    """The engine process is not there, or no longer."""


class _Line:
    """A place in the queue of the engine process; made when it has come up.

    Args:
        path: Says where it answers.
        stage: What will be asked.

    Raises:
        _Lost: It is not there, or no longer.
    """

    def __init__(self, path: Path, stage: HearingStage) -> None:
        self._path = path
        with _as_lost():
            self._door = from_json(Door, path.read_bytes())
            self._look()
            self._connection: Connection = Client((HOST, self._door.port))
        try:
            self._wait()
            with _as_lost():
                answer_challenge(self._connection, self._door.key.encode())
                deliver_challenge(self._connection, self._door.key.encode())
            self.send(stage)
            if self.receive() != YOUR_TURN:
                raise _Lost
        except BaseException:
            self.close()
            raise

    def send(self, told: object) -> None:
        """Tell the server something."""
        with _as_lost():
            self._connection.send(told)

    def receive(self) -> object:
        """Wait for what the server says."""
        self._wait()
        with _as_lost():
            return self._connection.recv()

    def close(self) -> None:
        """Give the turn back."""
        self._connection.close()

    def _wait(self) -> None:
        """Wait until there is something to read."""
        with _as_lost():
            while not self._connection.poll(_LOOK_S):
                self._look()

    def _look(self) -> None:
        """See that the server that we mean lives: a dead one's port may fall to a stranger, who lets us wait for ever.

        Raises:
            OSError: It is gone.
            ValueError: Another has taken its place.
        """
        os.kill(self._door.pid, 0)
        if from_json(Door, self._path.read_bytes()) != self._door:
            raise ValueError("the engine process has been started anew")


@contextmanager
def _as_lost() -> Iterator[None]:
    try:
        yield
    except LOST as failure:
        raise _Lost from failure
