"""The store against a real S3 service, and against what can go wrong on the way to it."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import FlexibleChecksumError
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StoreConflict, StoreCorrupt, StoreError, StoreRefused, StoreUnavailable
from pipeline.ports import ObjectHeaders, StoredObject
from pipeline.s3 import MIB, SMALLEST_PART, S3Options, S3Store, content_disposition, open_store, prepare_bucket

PLAIN = ObjectHeaders(content_type="text/plain; charset=utf-8", cache_control="no-cache")
KEY = "sessions/a/b.txt"


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def put(
    store: S3Store, body: bytes, key: str = KEY, *, replaces: StoredObject | None = None, only_new: bool = False
) -> StoredObject:
    return store.write(key, body, PLAIN, sha256=digest(body), replaces=replaces, only_new=only_new)


def fetch(url: str) -> tuple[int, bytes, Message]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, b"", refused.headers


def test_what_is_written_is_read_with_its_checksum(store: S3Store) -> None:
    written = put(store, "Séance".encode())
    assert store.head(KEY) == written
    assert store.read(KEY) == ("Séance".encode(), written)
    assert store.read_sha256(KEY) == written.sha256 == digest("Séance".encode())


def test_what_is_not_there_is_none(store: S3Store) -> None:
    assert store.head("nothing") is None
    assert store.read("nothing") is None
    assert store.read_sha256("nothing") is None


def test_an_empty_object_is_an_object(store: S3Store) -> None:
    assert put(store, b"").size == 0
    found = store.read(KEY)
    assert found is not None
    assert found[0] == b""


def test_objects_are_served_as_their_headers_say(store: S3Store) -> None:
    headers = ObjectHeaders(
        content_type="text/vtt; charset=utf-8",
        cache_control="public, max-age=31536000, immutable",
        content_language="fr",
        content_disposition=content_disposition("Été 2026.vtt"),
    )
    store.write("sessions/a/été vtt", b"WEBVTT", headers, sha256=digest(b"WEBVTT"))
    status, body, served = fetch(store.url("sessions/a/été vtt"))
    assert (status, body) == (200, b"WEBVTT")
    assert served["Content-Type"] == "text/vtt; charset=utf-8"
    assert served["Cache-Control"] == "public, max-age=31536000, immutable"
    assert served["Content-Language"] == "fr"
    assert (
        served["Content-Disposition"]
        == "attachment; filename=\"Ete 2026.vtt\"; filename*=UTF-8''%C3%89t%C3%A9%202026.vtt"
    )


def test_what_only_browsers_read_is_kept_and_served_compressed(store: S3Store) -> None:
    """Readers of the store and readers of the site get the same bytes, and every checksum is of these."""
    page = replace(PLAIN, compressed=True)
    body = "<p>Séance</p>\n".encode() * 1000
    written = store.write("en/page.html", body, page, sha256=digest(body))
    assert written.size < len(body) / 20
    found, there = store.read("en/page.html") or (b"", written)
    assert found == body
    assert there.headers == page
    assert there.sha256 == written.sha256 == store.read_sha256("en/page.html") == digest(body)
    assert store.head("en/page.html") == there
    status, served, headers = fetch(store.url("en/page.html"))
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(served) == body
    assert len(served) == written.size
    longer = body + b"x"
    again = store.write("en/page.html", longer, page, sha256=digest(longer), replaces=written)
    with pytest.raises(StoreConflict):
        store.write("en/page.html", body, page, sha256=digest(body), replaces=written)
    assert again.sha256 == digest(longer)


def test_what_says_that_it_is_compressed_and_is_not_is_damaged(store: S3Store) -> None:
    store._client.put_object(Bucket=store.options.bucket, Key="x", Body=b"plain", ContentEncoding="gzip")
    with pytest.raises(StoreCorrupt):
        store.read("x")


def test_a_file_over_the_limit_goes_in_parts_and_arrives_whole(bucket: S3Options, tmp_path: Path) -> None:
    body = bytes(range(256)) * (11 * MIB // 256) + b"end"
    file = tmp_path / "big"
    file.write_bytes(body)
    with open_store(replace(bucket, multipart_bytes=SMALLEST_PART, part_bytes=SMALLEST_PART)) as store:
        written = store.write("big", file, PLAIN, sha256=digest(body))
        assert "-" in written.etag
        assert store.head("big") == written
        assert store.read_sha256("big") == digest(body)


@pytest.mark.parametrize("size", [3, SMALLEST_PART + 1])
def test_conditions_hold_for_small_and_for_big_objects(bucket: S3Options, size: int) -> None:
    with open_store(replace(bucket, multipart_bytes=SMALLEST_PART, part_bytes=SMALLEST_PART)) as store:
        first = put(store, b"1" * size, only_new=True)
        with pytest.raises(StoreConflict):
            put(store, b"2" * size, only_new=True)
        second = put(store, b"3" * size, replaces=first)
        with pytest.raises(StoreConflict):
            put(store, b"4" * size, replaces=first)
        assert store.read_sha256(KEY) == second.sha256 == digest(b"3" * size)


def test_replacing_what_is_gone_is_a_conflict(store: S3Store) -> None:
    first = put(store, b"1")
    store.delete([KEY])
    with pytest.raises(StoreConflict):
        put(store, b"2", replaces=first)


def test_of_many_that_write_at_once_one_wins(store: S3Store) -> None:
    first = put(store, b"start")

    def attempt(number: int) -> bool:
        with suppress(StoreConflict):
            put(store, f"{number}".encode(), replaces=first)
            return True
        return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(8))) == 1


def test_a_failed_upload_in_parts_leaves_nothing_behind(bucket: S3Options, tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(b"x" * (SMALLEST_PART + 1))
    with open_store(replace(bucket, multipart_bytes=SMALLEST_PART, part_bytes=SMALLEST_PART)) as store:
        with pytest.raises(StoreCorrupt, match="changed"):
            store.write("big", file, PLAIN, sha256=digest(b"other"))
        assert store.head("big") is None
        assert not store._client.list_multipart_uploads(Bucket=bucket.bucket).get("Uploads")


def count_parts(store: S3Store) -> list[int]:
    """Return a list that gets the number of every part that is sent from now on."""
    sent: list[int] = []

    def note(params: dict[str, Any], **_: object) -> None:
        sent.append(params["PartNumber"])

    store._client.meta.events.register("provide-client-params.s3.UploadPart", note)
    return sent


def test_an_upload_that_was_interrupted_goes_on_with_the_parts_that_are_there(
    bucket: S3Options, tmp_path: Path
) -> None:
    body = b"".join(bytes([number]) * SMALLEST_PART for number in range(3)) + b"end"
    file = tmp_path / "big"
    file.write_bytes(body)
    options = replace(bucket, multipart_bytes=SMALLEST_PART, part_bytes=SMALLEST_PART, attempts=1)
    with behind_proxy(options, *[2 * SMALLEST_PART + MIB] * 2) as (cut, _), pytest.raises(StoreUnavailable):
        cut.write("big", file, PLAIN, sha256=digest(body))
    with open_store(options) as store:
        sent = count_parts(store)
        store.write("big", file, PLAIN, sha256=digest(body))
        assert sent == [3, 4]
        assert store.read_sha256("big") == digest(body)
        assert not store._client.list_multipart_uploads(Bucket=bucket.bucket).get("Uploads")


def test_a_part_with_other_bytes_is_sent_again(bucket: S3Options, tmp_path: Path) -> None:
    body = b"x" * SMALLEST_PART + b"end"
    file = tmp_path / "big"
    file.write_bytes(body)
    with open_store(replace(bucket, multipart_bytes=SMALLEST_PART, part_bytes=SMALLEST_PART)) as store:
        where: dict[str, Any] = {"Bucket": bucket.bucket, "Key": "big"}
        begun = store._client.create_multipart_upload(
            **where, ChecksumAlgorithm="SHA256", ContentType="text/plain", Metadata={"sha256": digest(body)}
        )
        other = b"y" * SMALLEST_PART
        store._client.upload_part(
            **where, UploadId=begun["UploadId"], PartNumber=1, Body=other, ChecksumAlgorithm="SHA256"
        )
        sent = count_parts(store)
        store.write("big", file, PLAIN, sha256=digest(body))
        assert sent == [1, 2]
        assert store.read_sha256("big") == digest(body)


def test_a_part_of_a_file_sent_in_parts_can_be_asked_for(bucket: S3Options) -> None:
    body = bytes(range(256)) * (SMALLEST_PART // 256) + b"end"
    with open_store(replace(bucket, multipart_bytes=SMALLEST_PART, part_bytes=SMALLEST_PART)) as store:
        put(store, body)
        request = urllib.request.Request(store.url(KEY), headers={"Range": f"bytes={SMALLEST_PART - 2}-"})
        with urllib.request.urlopen(request) as answer:
            assert (answer.status, answer.read()) == (206, b"\xfe\xffend")
            assert answer.headers["Content-Range"] == f"bytes {SMALLEST_PART - 2}-{len(body) - 1}/{len(body)}"


def test_a_file_that_has_changed_since_is_not_published(store: S3Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"now")
    with pytest.raises(StoreCorrupt, match="changed"):
        store.write(KEY, file, PLAIN, sha256=digest(b"then"))
    assert store.head(KEY) is None


def test_bytes_that_change_on_the_way_are_refused_by_the_server(store: S3Store) -> None:
    def damage(request: AWSPreparedRequest, **_: object) -> None:
        request.body = b"oops!"

    store._client.meta.events.register("before-send.s3.PutObject", damage)
    with pytest.raises(StoreError) as caught:
        put(store, b"hello")
    assert not isinstance(caught.value, StoreConflict)
    store._client.meta.events.unregister("before-send.s3.PutObject", damage)
    assert store.head(KEY) is None


def test_bytes_that_change_on_the_way_back_are_noticed(store: S3Store) -> None:
    body = b"hello"
    store._client.put_object(Bucket=store.options.bucket, Key=KEY, Body=b"jello", Metadata={"sha256": digest(body)})
    with pytest.raises(StoreCorrupt):
        store.read(KEY)


def test_a_checksum_of_the_library_is_ours_too(store: S3Store) -> None:
    with pytest.raises(StoreCorrupt), store._failures(KEY):
        raise FlexibleChecksumError(error_msg="mismatch")


def test_listing_goes_on_page_after_page_in_order(store: S3Store) -> None:
    def ask_for_two(params: dict[str, object], **_: object) -> None:
        params["MaxKeys"] = 2

    store._client.meta.events.register("provide-client-params.s3.ListObjectsV2", ask_for_two)
    for key in ("many/b", "other", "many/c", "many/a", "many/é", "many/a/1"):
        put(store, b"x", key)
    assert [found.key for found in store.list("many/")] == ["many/a", "many/a/1", "many/b", "many/c", "many/é"]


def test_deleting_takes_as_many_as_there_are_and_minds_none_missing(store: S3Store) -> None:
    put(store, b"x", "kept")
    put(store, b"x", "last")
    store.delete([*(f"never/{number}" for number in range(1000)), "last"])
    assert [found.key for found in store.list("")] == ["kept"]


def test_only_the_public_part_can_be_read_and_nothing_listed_or_written(store: S3Store) -> None:
    public = [KEY, "catalogue.json", "en/index.html", "assets/1/a.css", "feeds/en/news.xml"]
    public += ["sitemap.xml", "sitemap-a.xml", "robots.txt"]
    for key in (*public, "private/x"):
        put(store, b"x", key)
    assert {key: fetch(store.url(key))[0] for key in public} == dict.fromkeys(public, 200)
    assert fetch(store.url("private/x"))[0] == 403
    assert fetch(store.options.base_url + "?list-type=2")[0] == 403
    assert b"b.txt" not in fetch(store.options.base_url + "/sessions/a/")[1]
    for method in ("PUT", "DELETE", "POST"):
        request = urllib.request.Request(store.url(KEY), b"y", method=method)
        with pytest.raises(urllib.error.HTTPError, match=r"40[035]") as refused:
            urllib.request.urlopen(request)
        refused.value.close()


def test_pages_elsewhere_may_read_with_scripts(store: S3Store) -> None:
    put(store, b"x")
    request = urllib.request.Request(store.url(KEY), headers={"Origin": "https://example.org"})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] in {"*", "https://example.org"}


def test_a_part_of_a_file_can_be_asked_for(store: S3Store) -> None:
    put(store, b"0123456789")
    request = urllib.request.Request(store.url(KEY), headers={"Range": "bytes=2-4"})
    with urllib.request.urlopen(request) as answer:
        assert (answer.status, answer.read()) == (206, b"234")


def test_preparing_a_bucket_again_changes_nothing(bucket: S3Options) -> None:
    with open_store(bucket) as store:
        put(store, b"x")
        prepare_bucket(bucket, public=("sessions/*",))
        assert store.head(KEY) is not None


def test_a_wrong_key_is_refused_and_says_what_to_check(bucket: S3Options) -> None:
    with open_store(replace(bucket, secret_key="wrong")) as store:
        with pytest.raises(StoreRefused) as caught:
            put(store, b"x")
        with pytest.raises(StoreRefused):
            store.head(KEY)
        with pytest.raises(StoreRefused):
            list(store.list(""))
        with pytest.raises(StoreRefused):
            store.delete([KEY])
    assert "secret key" in caught.value.message("en")
    assert "clé secrète" in caught.value.message("fr")
    assert not caught.value.retryable
    assert pickle.loads(pickle.dumps(caught.value)).data == caught.value.data  # noqa: S301 - what we have just pickled


def test_a_bucket_that_is_not_there_is_refused_by_name(bucket: S3Options) -> None:
    with open_store(replace(bucket, bucket="no-such-bucket")) as store, pytest.raises(StoreRefused) as caught:
        store.delete([KEY])
    assert caught.value.code == "store.no_bucket"


def test_a_store_that_is_not_running_is_unavailable_for_now(bucket: S3Options) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with (
            open_store(replace(bucket, endpoint_url=endpoint, attempts=1)) as store,
            pytest.raises(StoreUnavailable) as caught,
        ):
            store.head(KEY)
    assert caught.value.retryable


def test_what_the_library_itself_will_not_send_is_refused(bucket: S3Options) -> None:
    with open_store(bucket) as store, pytest.raises(StoreRefused):
        store.head("")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("PreconditionFailed", 412, StoreConflict),
        ("ConditionalRequestConflict", 409, StoreConflict),
        ("NoSuchUpload", 404, StoreConflict),
        ("BadDigest", 400, StoreCorrupt),
        ("SlowDown", 503, StoreUnavailable),
        ("RequestTimeout", 400, StoreUnavailable),
        ("TooManyRequests", 429, StoreUnavailable),
        ("InternalError", 0, StoreUnavailable),
        ("AccessDenied", 403, StoreRefused),
        ("NoSuchBucket", 404, StoreRefused),
        ("EntityTooLarge", 400, StoreRefused),
    ],
)
def test_each_answer_means_one_of_our_failures(store: S3Store, code: str, status: int, kind: type[StoreError]) -> None:
    failure = store._failure(code, status, KEY, "told")
    assert type(failure) is kind
    assert failure.data["key"] == KEY
    assert failure.message("en") != failure.message("fr")


class Proxy:
    """A wire to the store that gets cut.

    Args:
        target: Port of the store.
        after: For the first connections, after how many bytes towards the store each is cut.
        unanswered: What the request looks like whose answer is lost on the way back, once.
    """

    def __init__(self, target: int, after: Sequence[int], unanswered: re.Pattern[bytes] | None) -> None:
        self._target = target
        self._after = iter(after)
        self._unanswered = unanswered
        self._lose = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client, next(self._after, None)), daemon=True).start()

    def _serve(self, client: socket.socket, after: int | None) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server, suppress(OSError):
            back = threading.Thread(target=self._return, args=(client, server), daemon=True)
            back.start()
            passed = 0
            while block := client.recv(65536):
                passed += len(block)
                if after is not None and passed > after:
                    self.cut += 1
                    break
                if self._unanswered is not None and self._unanswered.search(block):
                    self._unanswered = None
                    self._lose.set()
                server.sendall(block)
            server.shutdown(socket.SHUT_RDWR)
            back.join()

    def _return(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := server.recv(65536):
                if self._lose.is_set() and not block.startswith(b"HTTP/1.1 100"):
                    self._lose.clear()
                    self.cut += 1
                    break
                client.sendall(block)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def behind_proxy(
    options: S3Options, *after: int, unanswered: re.Pattern[bytes] | None = None
) -> Iterator[tuple[S3Store, Proxy]]:
    assert options.endpoint_url is not None
    proxy = Proxy(int(options.endpoint_url.rpartition(":")[2]), after, unanswered)
    try:
        with open_store(replace(options, endpoint_url=f"http://127.0.0.1:{proxy.port}")) as store:
            yield store, proxy
    finally:
        proxy.close()


def test_an_upload_that_is_cut_is_sent_again(bucket: S3Options) -> None:
    body = b"x" * (4 * MIB)
    with behind_proxy(bucket, MIB, 2 * MIB) as (store, proxy):
        put(store, body)
        assert proxy.cut == 2
    with open_store(bucket) as direct:
        assert direct.read_sha256(KEY) == digest(body)


def test_a_wire_that_stays_cut_is_given_up(bucket: S3Options) -> None:
    with behind_proxy(replace(bucket, attempts=2), *[MIB] * 9) as (store, proxy):
        with pytest.raises(StoreUnavailable):
            put(store, b"x" * (4 * MIB))
        assert proxy.cut == 2


@pytest.mark.parametrize(("size", "request_line"), [(4, rb"^PUT /"), (SMALLEST_PART + 1, rb"^POST /\S+uploadId=")])
def test_a_conditional_write_whose_answer_is_lost_is_known_as_our_own(
    bucket: S3Options, size: int, request_line: bytes
) -> None:
    options = replace(bucket, multipart_bytes=SMALLEST_PART, part_bytes=SMALLEST_PART)
    with behind_proxy(options, unanswered=re.compile(request_line)) as (store, proxy):
        put(store, b"x" * size, only_new=True)
        assert proxy.cut == 1
        with pytest.raises(StoreConflict):
            put(store, b"x" * size, only_new=True)


def test_options_refuse_what_cannot_be(bucket: S3Options) -> None:
    changes: list[dict[str, Any]] = [
        {"bucket": "Not a bucket"},
        {"secret_key": None},
        {"part_bytes": 1},
        {"attempts": 0},
        {"read_seconds": 0.0},
        {"endpoint_url": "ftp://x"},
        {"public_base_url": "javascript:alert(1)"},
    ]
    for change in changes:
        with pytest.raises(ValueError):  # noqa: PT011 - each says something else
            replace(bucket, **change)
    assert str(bucket.secret_key) not in repr(bucket)


@pytest.mark.parametrize(
    ("changes", "base"),
    [
        ({}, "https://talks.s3.ca-central-1.amazonaws.com"),
        ({"bucket": "talks.example.org"}, "https://s3.ca-central-1.amazonaws.com/talks.example.org"),
        ({"endpoint_url": "https://s3.example.org"}, "https://s3.example.org/talks"),
        ({"endpoint_url": "http://127.0.0.1:9000/"}, "http://127.0.0.1:9000/talks"),
        ({"public_base_url": "https://talks.example.org/x/"}, "https://talks.example.org/x"),
    ],
)
def test_learners_find_objects_at_the_public_address(changes: dict[str, Any], base: str) -> None:
    options = replace(S3Options(bucket="talks", region="ca-central-1"), **changes)
    with open_store(options) as store:
        assert store.url("sessions/é/a b.vtt") == f"{base}/sessions/%C3%A9/a%20b.vtt"


@given(st.text())
def test_a_download_name_is_always_one_safe_header(name: str) -> None:
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert not set("/\\") & set(header)
    parsed = Message()
    parsed["Content-Disposition"] = header
    assert parsed.get_filename()
