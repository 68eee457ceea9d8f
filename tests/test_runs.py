"""Every unfinished recording has one run that lives: on a real Prefect server, with real locks."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Crashed, Failed, Running

from config.settings import load_settings
from flows.prefect_server import PrefectAddress, apply_deployments, prefect_server
from flows.runs import GRACE, MOST_TRIES, alone_with, lock_path, retire_watchers, run_key, tend_runs
from flows.watch_inbox import watch, watch_inbox
from pipeline.journal import (
    Claimed,
    NeedsReview,
    SessionRecord,
    journal,
    read_record,
    record_state,
    request_publication,
    write_record,
)
from pipeline.journal import Failed as GivenUp
from pipeline.locks import Held, exclusive, is_held
from pipeline.types import Bilingual, Recording, Session

NOW = dt.timedelta(0)
MOMENT = dt.timedelta(microseconds=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectAddress]:
    """Run a server with our deployments, and no worker."""
    root = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIBUNE_ROOT", str(root))
        patch.setenv("TRIBUNE_ENV", "test")
        settings = load_settings()
    with prefect_server(settings, lambda *_: None) as address:
        apply_deployments(address, root / "deploy.log")
        with temporary_settings({PREFECT_API_URL: address.api}):
            yield address


@pytest.fixture
def client(server: PrefectAddress) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture
def record(tmp_path: Path) -> SessionRecord:
    """Note a claimed recording, different in each test."""
    sha256 = os.urandom(32).hex()
    made = SessionRecord(
        recording=Recording(path=tmp_path / sha256[:16] / "recording.flac", name="a.flac", sha256=sha256, size=1),
        session=Session(
            id=sha256[:16], title=Bilingual(fr="Éthique"), languages=("fr",), programme=Bilingual(fr="Été")
        ),
        state=Claimed(),
        when_ms=0,
    )
    with journal(tmp_path):
        write_record(tmp_path, made)
    return made


def runs_of(client: SyncPrefectClient, record: SessionRecord) -> list[FlowRun]:
    return [run for run in client.read_flow_runs(limit=200) if run.idempotency_key == run_key(record)]


def put(client: SyncPrefectClient, record: SessionRecord, *states: State[object]) -> FlowRun:
    """Bring a recording's run into a state, as a worker would."""
    for state in states:
        client.set_flow_run_state(runs_of(client, record)[0].id, state, force=True)
    return runs_of(client, record)[0]


def state_of(client: SyncPrefectClient, record: SessionRecord) -> State[object]:
    (run,) = runs_of(client, record)
    assert run.state is not None
    return run.state


def test_a_claimed_recording_gets_one_run_with_its_name_and_tags(
    client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    tend_runs(tmp_path)
    (run,) = runs_of(client, record)
    assert run.parameters == {"session_id": record.session.id, "attempt": 1, "title": "Éthique"}
    assert run.name == f"Éthique · {record.session.id}"
    assert {"fr", "Été"} <= set(run.tags)
    assert state_of(client, record).type is StateType.SCHEDULED


def test_what_was_approved_gets_a_run_that_recognises_nothing(
    client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    record_state(tmp_path, record.session.id, 1, NeedsReview())
    assert request_publication(tmp_path, record.session.id)
    tend_runs(tmp_path)
    approved = read_record(tmp_path, record.session.id)
    assert approved is not None
    (run,) = runs_of(client, approved)
    assert client.read_flow(run.flow_id).name == "publish-revision"


@pytest.mark.parametrize("died", [Crashed(), Running()], ids=["crashed", "still running"])
def test_a_run_whose_process_is_gone_is_queued_again(
    died: State[object], client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    put(client, record, Running(), died)
    tend_runs(tmp_path, grace=NOW)
    assert state_of(client, record).name == "AwaitingRetry"


@pytest.mark.parametrize("died", [Crashed(), Running()], ids=["crashed", "still running"])
def test_a_worker_is_given_time_to_let_go_of_a_run_before_that_is_queued_again(
    died: State[object], client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    put(client, record, Running(), died)
    # Where the run is known to be dead at once.
    tend_runs(tmp_path, grace=GRACE if died.type is StateType.CRASHED else MOMENT)
    assert state_of(client, record).type is StateType.CRASHED
    tend_runs(tmp_path, grace=MOMENT)
    assert state_of(client, record).name == "AwaitingRetry"


def test_a_run_that_lives_is_left_alone(client: SyncPrefectClient, record: SessionRecord, tmp_path: Path) -> None:
    tend_runs(tmp_path)
    put(client, record, Running())
    with exclusive(lock_path(tmp_path, record.session.id), wait=False):
        tend_runs(tmp_path, grace=NOW)
    assert state_of(client, record).type is StateType.RUNNING


def test_a_watcher_that_asks_in_the_same_moment_keeps_no_run_from_its_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as asking:
        asking.enter_context(exclusive(lock_path(tmp_path, "a" * 16), wait=False))
        monkeypatch.setattr(time, "sleep", lambda _s: asking.close())
        with alone_with(tmp_path, "a" * 16):
            assert is_held(lock_path(tmp_path, "a" * 16))
            with pytest.raises(Held), alone_with(tmp_path, "a" * 16):
                pass


def test_a_run_that_has_just_been_handed_over_is_given_time_to_start(
    client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    put(client, record, Running())
    tend_runs(tmp_path, grace=GRACE)
    assert state_of(client, record).type is StateType.RUNNING


def test_a_run_whose_process_takes_its_time_to_start_is_left_alone_until_that_is_gone(
    client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    run = put(client, record, Running())
    environment = {**os.environ, "PREFECT__FLOW_RUN_ID": str(run.id)}
    with subprocess.Popen(["sleep", "600"], env=environment) as starting:
        client.update_flow_run(run.id, infrastructure_pid=str(starting.pid))
        tend_runs(tmp_path, grace=NOW)
        assert state_of(client, record).type is StateType.RUNNING
        starting.kill()
    client.update_flow_run(run.id, infrastructure_pid=str(os.getpid()))
    tend_runs(tmp_path, grace=NOW)
    assert state_of(client, record).name == "AwaitingRetry"


def test_a_run_that_failed_for_want_of_something_is_not_tried_again_at_once(
    client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    put(client, record, Running(), Failed())
    tend_runs(tmp_path)
    assert state_of(client, record).type is StateType.FAILED


def test_a_recording_whose_run_keeps_dying_is_given_up_with_a_reason(
    client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    for _ in range(MOST_TRIES):
        put(client, record, Running(), Crashed())
    tend_runs(tmp_path)
    given_up = read_record(tmp_path, record.session.id)
    assert given_up is not None
    assert isinstance(given_up.state, GivenUp)
    assert given_up.state.reasons[0].code == "flows.crashed_too_often"


def test_restarts_of_everything_never_give_a_recording_up(
    client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    for _ in range(MOST_TRIES + 1):
        put(client, record, Running(), Crashed())
    tend_runs(tmp_path, grace=NOW)
    assert state_of(client, record).name == "AwaitingRetry"


def test_a_run_that_the_operator_cancelled_ends_the_attempt(
    client: SyncPrefectClient, record: SessionRecord, tmp_path: Path
) -> None:
    tend_runs(tmp_path)
    put(client, record, Running(), Cancelled())
    tend_runs(tmp_path)
    ended = read_record(tmp_path, record.session.id)
    assert ended is not None
    assert isinstance(ended.state, GivenUp)
    assert ended.state.reasons[0].code == "flows.cancelled"


def test_watchers_that_died_are_retired(client: SyncPrefectClient) -> None:
    left, own = (client.create_flow_run(watch_inbox, state=Running()) for _ in range(2))
    retire_watchers(own.id)
    states = [client.read_flow_run(run.id).state for run in (left, own)]
    assert [state and state.type for state in states] == [StateType.CRASHED, StateType.RUNNING]


def ask(address: str, origin: str, body: dict[str, object] | None = None) -> tuple[int, str | None]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Origin": origin, "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.headers.get("Access-Control-Allow-Origin")
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers.get("Access-Control-Allow-Origin")


def test_a_page_of_a_stranger_cannot_drive_the_server(server: PrefectAddress) -> None:
    stranger = "https://stranger.example"
    assert ask(f"{server.api}/health", stranger)[1] not in {"*", stranger}
    assert ask(f"{server.api}/flows/", stranger, {"name": "theirs"})[0] == 403
    assert ask(f"{server.api}/health", server.pages)[1] == server.pages


def test_the_watcher_removes_what_killed_writers_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_ROOT", str(tmp_path / "var"))
    monkeypatch.setenv("TRIBUNE_INTAKE__INBOX", str(tmp_path / "shared" / "inbox"))
    settings = load_settings()
    abandoned = []
    for folder in (settings.work / "0123", settings.inbox, settings.returned, settings.reports):
        folder.mkdir(parents=True)
        abandoned.append(folder / f".tribune-{'0' * 16}.tmp")
        abandoned[-1].touch()
        os.utime(abandoned[-1], (time.time() - 4000,) * 2)
    watch(settings, lambda _pause_s: False)
    assert [path for path in abandoned if path.exists()] == []


def test_a_trouble_of_the_watcher_keeps_nothing_else_from_being_done_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TRIBUNE_ROOT", str(tmp_path / "var"))
    monkeypatch.setenv("TRIBUNE_INTAKE__SETTLE_SECONDS", "0.001")
    settings = load_settings()
    in_the_way = settings.inbox / "status.html"
    in_the_way.mkdir(parents=True)
    settings.reports.mkdir()
    report = settings.reports / "report.json"
    report.write_text("{}")
    rounds = iter((True, True, True, False))

    def go_on(_pause_s: float) -> bool:
        more = next(rounds)
        if not more:
            return False
        time.sleep(0.01)
        if in_the_way.is_dir() and not report.exists():
            in_the_way.rmdir()
        return True

    watch(settings, go_on)
    assert (settings.reports / "refused" / "report.json").exists()
    told = [record.getMessage() for record in caplog.records if "status pages" in record.getMessage()]
    assert told == ["writing the status pages failed; the next round tries again", "writing the status pages goes on"]
