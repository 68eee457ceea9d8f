"""The doctor: every check of a service finds the service that is broken, and passes the one that works."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from config.settings import load_settings
from flows.doctor import Finding, _address, _places, _prefect, _store
from flows.engines import process_options
from pipeline.messages import catalogue
from pipeline.s3 import S3Options
from pipeline.tcp import held_port

CREDENTIALS = "operator:swordfish"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRIBUNE_CONFIG", raising=False)
    monkeypatch.setenv("TRIBUNE_ROOT", str(tmp_path / "var"))
    monkeypatch.setenv("TRIBUNE_ENV", "test")
    monkeypatch.setenv("TRIBUNE_LANGUAGE", "en")


@contextmanager
def answering(status: Callable[[BaseHTTPRequestHandler], int]) -> Iterator[str]:
    """Run a web server that answers every request with a status; give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'"3.0.0"'
            self.send_response(status(self))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def closed_address() -> Iterator[str]:
    """Give an address that nobody listens on meanwhile."""
    with held_port("127.0.0.1") as port:
        yield f"http://127.0.0.1:{port}"


def guarded(request: BaseHTTPRequestHandler) -> int:
    """Answer as Prefect does: its health to anybody, all else to those who show the credentials."""
    if request.path.endswith("/health"):
        return 200
    expected = f"Basic {base64.b64encode(CREDENTIALS.encode()).decode()}"
    return 200 if request.headers["Authorization"] == expected else 401


def test_the_prefect_that_comes_along_is_good_once_its_server_loads() -> None:
    assert _prefect(load_settings()).level == "good"


def test_a_prefect_whose_server_does_not_load_is_bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "fastapi.py").write_text("raise ImportError('half an upgrade')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    finding = _prefect(load_settings())
    assert finding.level == "bad"
    assert "half an upgrade" in finding.to_do


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_prefect_api_that_answers_with_an_error_is_bad(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with answering(lambda _: status) as address:
        monkeypatch.setenv("TRIBUNE_PREFECT__API_URL", f"{address}/api")
        finding = _prefect(load_settings())
    assert finding.level == "bad"
    assert str(status) in finding.to_do


@pytest.mark.parametrize("auth", ["", "operator:wrong"])
def test_a_prefect_api_that_refuses_the_credentials_is_bad(monkeypatch: pytest.MonkeyPatch, auth: str) -> None:
    monkeypatch.setenv("TRIBUNE_PREFECT__AUTH", auth)
    with answering(guarded) as address:
        monkeypatch.setenv("TRIBUNE_PREFECT__API_URL", f"{address}/api")
        finding = _prefect(load_settings())
    assert finding.level == "bad"
    assert finding.to_do == catalogue()["doctor.prefect_refuses"]["en"]


def test_a_prefect_api_that_takes_the_credentials_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_PREFECT__AUTH", CREDENTIALS)
    with answering(guarded) as address:
        monkeypatch.setenv("TRIBUNE_PREFECT__API_URL", f"{address}/api")
        assert _prefect(load_settings()).level == "good"


def test_a_prefect_api_that_is_nowhere_is_bad(monkeypatch: pytest.MonkeyPatch, closed_address: str) -> None:
    monkeypatch.setenv("TRIBUNE_PREFECT__API_URL", closed_address)
    finding = _prefect(load_settings())
    assert finding.level == "bad"
    assert finding.found == closed_address


def use(monkeypatch: pytest.MonkeyPatch, options: S3Options, *, bucket: str = "", secret_key: str = "") -> None:
    """Set a store of our own in the settings."""
    assert options.endpoint_url
    assert options.access_key
    assert options.secret_key
    monkeypatch.setenv("TRIBUNE_STORE__ENDPOINT", options.endpoint_url)
    monkeypatch.setenv("TRIBUNE_STORE__BUCKET", bucket or options.bucket)
    monkeypatch.setenv("TRIBUNE_STORE__ACCESS_KEY", options.access_key)
    monkeypatch.setenv("TRIBUNE_STORE__SECRET_KEY", secret_key or options.secret_key)


def test_a_store_that_takes_the_keys_is_good(monkeypatch: pytest.MonkeyPatch, bucket: S3Options) -> None:
    use(monkeypatch, bucket)
    assert _store(load_settings()).level == "good"


def test_a_store_that_refuses_the_keys_is_bad(monkeypatch: pytest.MonkeyPatch, bucket: S3Options) -> None:
    use(monkeypatch, bucket, secret_key="wrong")
    finding = _store(load_settings())
    assert finding.level == "bad"
    assert "Check the access key" in finding.to_do


def test_a_store_without_the_bucket_is_bad(monkeypatch: pytest.MonkeyPatch, bucket: S3Options) -> None:
    use(monkeypatch, bucket, bucket="not-made-yet")
    finding = _store(load_settings())
    assert finding.level == "bad"
    assert "not-made-yet" in finding.to_do


def test_a_store_that_is_overloaded_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda _: 503) as address:
        use(monkeypatch, S3Options(bucket="tribune", endpoint_url=address, access_key="key", secret_key="secret"))
        finding = _store(load_settings())
    assert finding.level == "bad"
    assert "overloaded" in finding.to_do


def test_a_store_that_is_nowhere_is_bad(monkeypatch: pytest.MonkeyPatch, closed_address: str) -> None:
    options = S3Options(bucket="tribune", endpoint_url=closed_address, access_key="key", secret_key="secret")
    use(monkeypatch, options)
    finding = _store(load_settings())
    assert finding.level == "bad"
    assert "cannot be reached" in finding.to_do


def test_the_store_that_comes_along_is_good_where_its_program_is() -> None:
    assert _store(load_settings()).level == "good"


def test_an_address_that_nobody_gave_is_told_with_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = _address(load_settings())
    assert (finding.what, finding.level) == ("address", "note")
    assert "store.public_url" in finding.to_do
    monkeypatch.setenv("TRIBUNE_STORE__PUBLIC_URL", "https://talks.example.org/tribune")
    assert _address(load_settings()) == Finding(what="address", level="good", found="https://talks.example.org/tribune")
    assert process_options(load_settings()).site.address == "https://talks.example.org/tribune"


@pytest.mark.parametrize("name", ["TRIBUNE_INTAKE__INBOX", "TRIBUNE_ROOT"])
def test_a_folder_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    in_the_way = tmp_path / "talk.mp4"
    in_the_way.touch()
    monkeypatch.setenv(name, str(in_the_way))
    found = _places(load_settings())
    assert (found.level, found.found) == ("bad", str(in_the_way))
