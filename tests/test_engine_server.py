"""One process hears for all, in turn: whoever dies, asker or engines, nobody else waits for the dead."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path

import pytest

from config.settings import Settings, load_settings
from flows import engine_server, shared_engines
from flows.children import Kept
from flows.engine_server import entrance, serve
from flows.engines import MachineEngines
from flows.services import engine_process
from flows.shared_engines import Door, SharedEngines, door_path
from pipeline.enrolment import EnrolledVoice
from pipeline.errors import DiarizationFailed, EngineUnavailable, RecognitionFailed
from pipeline.locks import exclusive
from pipeline.ports import Progress, no_progress
from pipeline.serial import from_json, to_json
from pipeline.speech import SpeechOptions
from pipeline.stages import HearingStage
from pipeline.types import AudioFile, Diarization, Recognition, Session, Transcript, Turn
from tests.clips import cut, listen, session

SAMPLES = Path(__file__).parent.parent / "samples"
OPTIONS = SpeechOptions()
FRENCH = session("fr")
ASK = """
import sys
from config.settings import load_settings
from flows.shared_engines import SharedEngines
from pipeline.speech import SpeechOptions
from pipeline.types import AudioFile
from pipeline.serial import from_json
from tests.clips import session
audio = from_json(AudioFile, sys.argv[1])
engines = SharedEngines(load_settings())
print("asks", flush=True)
with engines.turn("speech"):
    engines.recognize(audio, session("fr"), SpeechOptions(batch_size=1), lambda share: print(share, flush=True))
"""


def audio_of(folder: Path, *, start_s: float, length_s: float) -> AudioFile:
    folder.mkdir()
    cut(SAMPLES / "fr" / "cinq_voix.flac", folder / "clip.flac", start_s=start_s, length_s=length_s)
    return listen(folder / "clip.flac", folder)[1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> AudioFile:
    """Two French voices, 15 s."""
    return audio_of(tmp_path_factory.mktemp("clip") / "short", start_s=21, length_s=15)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> AudioFile:
    """Five French voices, 2 minutes."""
    return audio_of(tmp_path_factory.mktemp("clip") / "long", start_s=0, length_s=120)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Iterator[Settings]:
    root = tmp_path_factory.mktemp("engines")
    (root / "own.toml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIBUNE_ROOT", str(root))
        patch.setenv("TRIBUNE_ENV", "test")
        patch.setenv("TRIBUNE_CONFIG", str(root / "own.toml"))
        patch.setenv("TRIBUNE_MODELS__FOLDERS", json.dumps([str(models_folder)]))
        yield load_settings()


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Kept]:
    with engine_process(settings) as kept:
        yield kept


@pytest.fixture
def engines(server: Kept, settings: Settings) -> SharedEngines:
    return SharedEngines(settings)


@pytest.fixture(scope="module")
def words(server: Kept, settings: Settings, clip: AudioFile) -> Recognition:
    """What the engines of this very process hear in the clip."""
    with MachineEngines(settings).turn("speech"):
        return MachineEngines(settings).recognize(clip, FRENCH, OPTIONS, no_progress)


def door(settings: Settings) -> Door:
    return from_json(Door, door_path(settings.root).read_bytes())


def log(settings: Settings) -> str:
    return (settings.root / "logs" / "engines.log").read_text()


def ask(engines: SharedEngines, audio: AudioFile, progress: Progress = no_progress) -> Recognition:
    with engines.turn("speech"):
        return engines.recognize(audio, FRENCH, OPTIONS, progress)


@contextmanager
def asking(audio: AudioFile) -> Iterator[subprocess.Popen[str]]:
    """Run another process that asks."""
    command = [sys.executable, "-c", ASK, to_json(audio).decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def are_connected(settings: Settings, count: int) -> bool:
    """Say whether so many are being served or queue, by the kernel's own table."""
    port = f":{door(settings).port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "01" for row in rows) == count


@pytest.mark.engines
def test_the_result_is_that_of_the_same_engines_in_the_same_process(
    engines: SharedEngines, settings: Settings, clip: AudioFile, words: Recognition
) -> None:
    shares: list[float] = []
    assert ask(engines, clip, shares.append) == words
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    here = MachineEngines(settings)
    assert engines.identity == here.identity
    with engines.turn("speakers"):
        voices = engines.diarize(clip, FRENCH, (), no_progress)
    assert voices == here.diarize(clip, FRENCH, (), no_progress)
    assert len({span.speaker for span in voices.spans}) == 2
    typed = tuple(replace(word, timed="interpolated") if at % 5 == 4 else word for at, word in enumerate(words.words))
    turns = (Turn(speaker=None, words=typed),)
    corrected = Transcript(session_id=FRENCH.id, language="fr", duration_ms=clip.duration_ms, turns=turns)
    with engines.turn("align"):
        aligned = engines.align(clip, corrected, no_progress)
    assert aligned == here.align(clip, corrected, no_progress)
    assert {word.timed for word in aligned.words} == {"recognised", "aligned"}


def test_only_its_owner_may_read_how_to_get_in(server: Kept, settings: Settings) -> None:
    until(door_path(settings.root).exists)
    assert door_path(settings.root).stat().st_mode & 0o777 == 0o600
    assert door(settings).pid == server.pid


@pytest.mark.engines
def test_askers_take_turns_in_the_order_in_which_they_came(
    engines: SharedEngines, settings: Settings, clip: AudioFile
) -> None:
    told: list[str] = []

    def go(name: str) -> None:
        mine = SharedEngines(load_settings())
        with mine.turn("speech"):
            told.append(name)
            mine.recognize(clip, FRENCH, OPTIONS, no_progress)
            told.append(name)

    others = [threading.Thread(target=go, args=(name,)) for name in "bcd"]

    def queue(_share: float) -> None:
        if not told:
            told.append("a")
            for number, other in enumerate(others, start=2):
                other.start()
                until(partial(are_connected, settings, number))

    ask(engines, clip, queue)
    for other in others:
        other.join()
    assert "".join(told) == "abbccdd"


@pytest.mark.engines
def test_who_is_killed_in_the_queue_or_at_work_frees_the_engines_for_the_next(
    engines: SharedEngines, settings: Settings, clip: AudioFile, long: AudioFile, words: Recognition
) -> None:
    before = log(settings).count("whoever asked is gone")
    with asking(long) as first:
        assert line_of(first) == "asks"
        assert float(line_of(first)) < 1
        with asking(clip) as queued:
            until(partial(are_connected, settings, 2))
            queued.kill()
            first.kill()
            assert ask(engines, clip) == words
    assert log(settings).count("whoever asked is gone") == before + 1
    assert f"session {FRENCH.id}: RuntimeError" not in log(settings)


@pytest.mark.engines
def test_who_asks_while_the_engines_are_killed_gets_the_result_all_the_same(
    engines: SharedEngines, settings: Settings, server: Kept, clip: AudioFile, words: Recognition
) -> None:
    ask(engines, clip)
    killed: list[int] = []
    shares: list[float] = []

    def kill(share: float) -> None:
        shares.append(share)
        if not killed:
            killed.append(door(settings).pid)
            os.kill(killed[0], signal.SIGKILL)

    assert ask(engines, clip, kill) == words
    assert server.pid not in killed
    assert shares == sorted(shares)


@pytest.mark.engines
def test_engines_that_die_over_a_recording_each_time_are_told_as_worth_another_try(
    engines: SharedEngines, settings: Settings, clip: AudioFile, words: Recognition
) -> None:
    def kill(_share: float) -> None:
        # Shares that were on their way come after its end.
        with suppress(ProcessLookupError):
            os.kill(door(settings).pid, signal.SIGKILL)

    with pytest.raises(EngineUnavailable) as lost:
        ask(engines, clip, kill)
    assert lost.value.retryable
    assert ask(engines, clip) == words


@pytest.mark.engines
def test_strangers_are_refused_and_hold_nobody_up_for_long(
    engines: SharedEngines, settings: Settings, clip: AudioFile, words: Recognition
) -> None:
    assert ask(engines, clip) == words
    address = ("127.0.0.1", door(settings).port)
    with pytest.raises(AuthenticationError):
        Client(address, authkey=b"guessed").close()
    with socket.create_connection(address) as scanner:
        scanner.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with socket.create_connection(address) as silent:
        assert ask(engines, clip) == words
        # Before that it was cut off: what it was asked is all that there is to read.
        while silent.recv(1024):
            pass


@pytest.mark.engines
def test_a_failure_that_nobody_foresaw_is_told_and_the_next_is_heard_by_a_fresh_process(
    engines: SharedEngines, settings: Settings, server: Kept, clip: AudioFile, words: Recognition
) -> None:
    before = door(settings)
    with pytest.raises(RecognitionFailed) as failure:
        ask(engines, replace(clip, path=clip.path.with_name("gone.wav")))
    assert "FileNotFoundError" in str(failure.value)
    assert ask(engines, clip) == words
    after = door(settings)
    assert (after.pid, after.pid) == (before.pid, server.pid)
    assert after.key != before.key


@pytest.mark.engines
def test_changed_settings_hold_from_the_next_request(
    engines: SharedEngines, settings: Settings, clip: AudioFile, words: Recognition
) -> None:
    before = door(settings)
    (settings.root / "own.toml").write_text("[engines]\nthreads = 1\n")
    assert ask(engines, clip) == words
    changed = door(settings)
    assert changed.key != before.key
    assert ask(engines, clip) == words
    assert door(settings) == changed
    (settings.root / "own.toml").write_text("")


@pytest.mark.engines
def test_other_processes_that_use_the_cores_are_waited_for(
    engines: SharedEngines, settings: Settings, clip: AudioFile
) -> None:
    ask(engines, clip)
    (lock,) = settings.root.glob("engines.*.lock")
    done = threading.Thread(target=ask, args=(engines, clip))
    with exclusive(lock, wait=True):
        done.start()
        done.join(3)
        assert done.is_alive()
    done.join()


@pytest.mark.engines
def test_a_request_to_end_is_followed_at_once(engines: SharedEngines, settings: Settings, long: AudioFile) -> None:
    with asking(long) as process:
        assert line_of(process) == "asks"
        assert float(line_of(process)) < 1
        pid = door(settings).pid
        asked = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{pid}").exists())
        assert time.monotonic() - asked < 5  # the two minutes of sound take longer, other tests run beside this one


class Failing:
    """Engines that fail in a way that nobody foresaw."""

    identity = ()

    def turn(self, stage: HearingStage) -> AbstractContextManager[None]:
        return nullcontext()

    def recognize(self, audio: AudioFile, session: Session, options: SpeechOptions, progress: Progress) -> Recognition:
        raise IndexError(f"what was said in {audio.path}")

    def diarize(
        self, audio: AudioFile, session: Session, known: Sequence[EnrolledVoice], progress: Progress
    ) -> Diarization:
        raise IndexError(f"what was said in {audio.path}")

    def align(self, audio: AudioFile, transcript: Transcript, progress: Progress) -> Transcript:
        raise IndexError(f"what was said in {audio.path}")


@contextmanager
def serving(root: Path) -> Iterator[threading.Thread]:
    """Serve with failing engines until they have failed."""
    with entrance(root) as came_in:
        server = threading.Thread(target=serve, args=(came_in, Failing(), lambda: True))
        server.start()
        yield server
        server.join()


def test_a_failure_is_told_without_what_was_said_and_such_engines_are_not_used_again(
    settings: Settings, clip: AudioFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asker = SharedEngines(settings.model_copy(update={"root": tmp_path}))
    with serving(tmp_path), asker.turn("speakers"), pytest.raises(DiarizationFailed) as failure:
        asker.diarize(clip, FRENCH, (), no_progress)
    assert failure.value.data == {"detail": "IndexError"}
    assert "IndexError" in caplog.text
    assert str(clip.path) not in caplog.text


def test_who_says_nothing_when_its_turn_comes_loses_it(
    settings: Settings, clip: AudioFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other has to say what it asks within this as well, beside whatever else the machine does.
    monkeypatch.setattr(engine_server, "_PROMPT_S", 2.0)
    ours = settings.model_copy(update={"root": tmp_path})
    with serving(tmp_path), SharedEngines(ours).turn("speech"), pytest.raises(RecognitionFailed):
        ask(SharedEngines(ours), clip)


def test_without_an_engine_process_it_is_waited_for_and_its_absence_told(
    settings: Settings, clip: AudioFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_engines, "_AWAY_S", 0.5)
    asker = SharedEngines(settings.model_copy(update={"root": tmp_path}))
    with pytest.raises(EngineUnavailable) as away:
        ask(asker, clip)
    assert away.value.retryable
    assert "engines.log" in away.value.message("fr")


def test_a_stranger_on_the_port_of_a_dead_process_is_not_waited_for(
    settings: Settings, clip: AudioFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_engines, "_AWAY_S", 0.5)
    monkeypatch.setattr(shared_engines, "_LOOK_S", 0.1)
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        told = {"port": stranger.getsockname()[1], "key": "0", "pid": dead.pid}
        door_path(tmp_path).write_text(json.dumps(told))
        with pytest.raises(EngineUnavailable):
            ask(SharedEngines(settings.model_copy(update={"root": tmp_path})), clip)
