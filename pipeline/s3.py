"""An S3 bucket as the store that publishing writes to.

In goes where the bucket is and who we are, out comes a :class:`S3Store`, the real :class:`pipeline.ports.Store`: AWS,
the embedded SeaweedFS or any other endpoint, all through boto3. Every object is sent with the sha256 of its bytes,
which the server checks, and keeps it as metadata; every failure of botocore leaves here as one of ours. Stands alone
so that what S3 servers disagree about is known in this file only.
"""

from __future__ import annotations

import base64
import builtins
import gzip
import hashlib
import io
import json
import secrets
import threading
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlsplit

import boto3.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, for the requests that never got an answer
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    SSLError,
)

from pipeline.errors import StoreConflict, StoreCorrupt, StoreError, StoreRefused, StoreUnavailable
from pipeline.ports import ObjectHeaders, StoredObject
from pipeline.web_address import is_bucket_name, is_web_address

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        GetObjectOutputTypeDef,
        MultipartUploadTypeDef,
        ObjectIdentifierTypeDef,
        PartTypeDef,
    )

MIB: Final = 1024 * 1024
SMALLEST_PART: Final = 5 * MIB
"""Bytes; S3 takes no smaller part, the last one apart."""
MOST_PARTS: Final = 10_000
DELETED_AT_ONCE: Final = 1000

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_GZIP: Final = "gzip"
_GZIP_LEVEL: Final = 9
_CONFLICTS: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted"})
_CORRUPTIONS: Final = frozenset(
    {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}
)
_PASSING: Final = frozenset({"SlowDown", "RequestTimeout", "TooManyRequests", "Throttling"})

_session_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """Which bucket, and how to speak to it.

    Attributes:
        bucket: Its name.
        endpoint_url: Address of the service; ``None`` for AWS.
        region: Where the bucket is; servers other than AWS take any.
        access_key: Who we are; ``None`` for whatever the machine is allowed (a role, a profile).
        secret_key: The proof; given exactly when ``access_key`` is.
        public_base_url: Where learners find the bucket's objects, without a slash at the end; ``None`` for the endpoint
            itself.
        connect_seconds: How long to wait for a connection.
        read_seconds: How long to wait for an answer.
        attempts: How often a request is sent at most, the first time included.
        multipart_bytes: Files over this size are sent in parts.
        part_bytes: Size of a part; larger where a file would need too many.
    """

    bucket: str
    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    public_base_url: str | None = None
    connect_seconds: float = 5.0
    read_seconds: float = 60.0
    attempts: int = 4
    multipart_bytes: int = 32 * MIB
    part_bytes: int = 16 * MIB

    def __post_init__(self) -> None:
        if not is_bucket_name(self.bucket):
            raise ValueError(f"not a bucket's name: {self.bucket!r}")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("give both the access key and the secret key, or neither")
        if self.part_bytes < SMALLEST_PART:
            raise ValueError(f"S3 takes no parts under {SMALLEST_PART} bytes")
        if self.attempts < 1 or self.connect_seconds <= 0 or self.read_seconds <= 0:
            raise ValueError("attempts and time limits are above zero")
        for address in (self.endpoint_url, self.public_base_url):
            if address is not None and not is_web_address(address):
                raise ValueError(f"not a web address: {address!r}")

    @property
    def bucket_in_path(self) -> bool:
        """Whether the bucket is named in the path (``host/bucket/key``) rather than in the host: not on AWS."""
        # No certificate covers a bucket's dots in front of the service's own name.
        return self.endpoint_url is not None or "." in self.bucket

    @property
    def base_url(self) -> str:
        """Public address of the bucket, without a slash at the end."""
        if self.public_base_url is not None:
            return self.public_base_url.rstrip("/")
        endpoint = urlsplit(self.endpoint_url or f"https://s3.{self.region}.amazonaws.com")
        path = endpoint.path.rstrip("/")
        if self.bucket_in_path:
            return f"{endpoint.scheme}://{endpoint.netloc}{path}/{self.bucket}"
        return f"{endpoint.scheme}://{self.bucket}.{endpoint.netloc}{path}"


def content_disposition(download_name: str) -> str:
    """Return the header that makes a browser save a file under that name, in any script (RFC 6266, RFC 8187).

    Example:
        >>> print(content_disposition("Été.vtt"))
        attachment; filename="Ete.vtt"; filename*=UTF-8''%C3%89t%C3%A9.vtt
    """
    shown = "".join(char for char in download_name if char.isprintable() and char not in '/\\:*?"<>|').strip(" .")
    shown = shown.encode(errors="ignore").decode() or "download"
    path = PurePosixPath(shown)
    plain = f"{_in_ascii(path.stem) or 'download'}{_in_ascii(path.suffix)}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(shown, safe='')}"


def _in_ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().replace("%", "").strip()


def open_store(options: S3Options) -> S3Store:
    """Return the bucket as a store; nothing is sent yet.

    The store may be used by several threads. Close it, or use it in a ``with`` statement.
    """
    return S3Store(options, _client(options))


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


def _client(options: S3Options) -> S3Client:
    local = urlsplit(options.endpoint_url or "").hostname in _LOOPBACK
    config = Config(
        signature_version="s3v4",
        connect_timeout=options.connect_seconds,
        read_timeout=options.read_seconds,
        retries={"mode": "standard", "total_max_attempts": options.attempts},
        s3={"addressing_style": "path" if options.bucket_in_path else "virtual"},
        # A proxy that the machine is set up with cannot reach what listens on the machine itself.
        proxies={} if local else None,
    )
    # A session reads botocore's descriptions of all services, so one does for all; it is not made for threads.
    with _session_lock:
        client: S3Client = _session().client(
            "s3",
            endpoint_url=options.endpoint_url,
            region_name=options.region,
            aws_access_key_id=options.access_key,
            aws_secret_access_key=options.secret_key,
            config=config,
        )
    return client


class S3Store:
    """One bucket. Made by :func:`open_store`; fulfils :class:`pipeline.ports.Store`."""

    def __init__(self, options: S3Options, client: S3Client) -> None:
        self.options = options
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def head(self, key: str) -> StoredObject | None:
        """Return what is known of an object, or ``None`` where there is none.

        Raises:
            StoreError: See :class:`pipeline.ports.Store`.
        """
        with self._failures(key):
            try:
                found = self._client.head_object(Bucket=self.options.bucket, Key=key, ChecksumMode="ENABLED")
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
        return _stored(key, found, found["ContentLength"])

    def read(self, key: str) -> tuple[bytes, StoredObject] | None:
        """Return a small object and what is known of it, or ``None`` where there is none.

        Raises:
            StoreCorrupt: The bytes that came are not those that were sent.
            StoreError: See :class:`pipeline.ports.Store`.
        """
        blocks: list[bytes] = []
        stored = self._receive(key, blocks)
        return None if stored is None else (b"".join(blocks), stored)

    def read_sha256(self, key: str) -> str | None:
        """Read a whole object of any size and return the sha256 of its bytes, or ``None`` where there is none.

        Raises:
            StoreError: See :class:`pipeline.ports.Store`.
        """
        with self._failures(key):
            body = self._open(key)
            if body is None:
                return None
            digest = hashlib.sha256()
            for block in _plain(body, key):
                digest.update(block)
        return digest.hexdigest()

    def write(
        self,
        key: str,
        body: bytes | Path,
        headers: ObjectHeaders,
        *,
        sha256: str,
        replaces: StoredObject | None = None,
        only_new: bool = False,
    ) -> StoredObject:
        """Write one object; checked against ``sha256`` on the way. See :class:`pipeline.ports.Store`.

        Raises:
            StoreConflict: Somebody else wrote first.
            StoreUnavailable: The store cannot be reached.
            StoreRefused: The store does not allow it.
            StoreCorrupt: The bytes are not those of ``sha256``, here or when they arrived.
        """
        condition: dict[str, str] = {}
        if only_new:
            condition["IfNoneMatch"] = "*"
        elif replaces is not None:
            condition["IfMatch"] = replaces.etag
        upload = _Upload(key=key, body=body, sha256=sha256, headers=headers, condition=condition)
        try:
            with self._failures(key):
                return self._send(upload)
        except StoreConflict:
            mine = self._find_own(upload)
            if mine is None:
                raise
            return mine

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose key starts with the prefix, in order of key.

        Raises:
            StoreError: See :class:`pipeline.ports.Store`.
        """
        with self._failures(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.options.bucket, Prefix=prefix)
            for page in pages:
                for item in page.get("Contents", []):
                    yield StoredObject(key=item["Key"], etag=item["ETag"], size=item["Size"])

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are passed over.

        Raises:
            StoreError: See :class:`pipeline.ports.Store`.
        """
        remaining = iter(keys)
        while batch := list(islice(remaining, DELETED_AT_ONCE)):
            self._delete([{"Key": key} for key in batch])

    def erase(self, prefix: str, *, keep: Collection[str]) -> int:
        """Remove everything whose key starts with the prefix, in every version. See :class:`pipeline.ports.Store`.

        Raises:
            StoreError: See :class:`pipeline.ports.Store`.
        """
        for upload in self._begun_uploads(prefix):
            with self._failures(upload["Key"]):
                self._client.abort_multipart_upload(
                    Bucket=self.options.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
        # Listed whole before anything goes: a listing that changes under the reader may leave something out.
        found = self._versions(prefix, keep) if self._keeps_versions() else self._objects(prefix, keep)
        for first in range(0, len(found), DELETED_AT_ONCE):
            self._delete(found[first : first + DELETED_AT_ONCE])
        return len(found)

    def _keeps_versions(self) -> bool:
        with self._failures(self.options.bucket):
            return "Status" in self._client.get_bucket_versioning(Bucket=self.options.bucket)

    def _objects(self, prefix: str, keep: Collection[str]) -> builtins.list[ObjectIdentifierTypeDef]:
        return [{"Key": found.key} for found in self.list(prefix) if found.key not in keep]

    def _versions(self, prefix: str, keep: Collection[str]) -> builtins.list[ObjectIdentifierTypeDef]:
        found: list[ObjectIdentifierTypeDef] = []
        with self._failures(prefix):
            pages = self._client.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self.options.bucket, Prefix=prefix):
                found.extend(
                    {"Key": item["Key"], "VersionId": item["VersionId"]}
                    for item in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
                    if not (item["IsLatest"] and item["Key"] in keep)
                )
        return found

    def _delete(self, objects: Sequence[ObjectIdentifierTypeDef]) -> None:
        with self._failures(objects[0]["Key"]):
            answer = self._client.delete_objects(Bucket=self.options.bucket, Delete={"Objects": objects, "Quiet": True})
        for failed in answer.get("Errors", []):
            raise self._failure(failed.get("Code", ""), 0, failed.get("Key", ""), failed.get("Message", ""))

    def _begun_uploads(self, prefix: str) -> builtins.list[MultipartUploadTypeDef]:
        """Return the uploads in parts that were begun and not completed, the latest first."""
        with self._failures(prefix):
            pages = self._client.get_paginator("list_multipart_uploads")
            found = [
                upload
                for page in pages.paginate(Bucket=self.options.bucket, Prefix=prefix)
                for upload in page.get("Uploads", [])
            ]
        return sorted(found, key=lambda upload: upload["Initiated"], reverse=True)

    def url(self, key: str) -> str:
        """Return the public address of an object."""
        return f"{self.options.base_url}/{quote(key)}"

    def _open(self, key: str) -> GetObjectOutputTypeDef | None:
        try:
            return self._client.get_object(Bucket=self.options.bucket, Key=key)
        except ClientError as error:
            if _is_missing(error):
                return None
            raise

    def _receive(self, key: str, blocks: builtins.list[bytes]) -> StoredObject | None:
        digest = hashlib.sha256()
        with self._failures(key):
            found = self._open(key)
            if found is None:
                return None
            for block in _plain(found, key):
                digest.update(block)
                blocks.append(block)
        stored = _stored(key, found, found["ContentLength"])
        if stored.sha256 not in {None, digest.hexdigest()}:
            raise StoreCorrupt("store.corrupt", {"key": key})
        return stored

    def _send(self, upload: _Upload) -> StoredObject:
        if upload.size > self.options.multipart_bytes and not upload.headers.compressed:
            return self._send_in_parts(upload)
        data = b"".join(upload.blocks(max(upload.size, 1)))
        sent_sha256 = upload.sha256
        if upload.headers.compressed:
            data = _compress(data)
            sent_sha256 = hashlib.sha256(data).hexdigest()
        answer = self._client.put_object(
            Bucket=self.options.bucket,
            Key=upload.key,
            Body=data,
            ChecksumSHA256=_base64(sent_sha256),
            **upload.described,
            **upload.condition,
        )
        return upload.stored(answer["ETag"], len(data))

    def _send_in_parts(self, upload: _Upload) -> StoredObject:
        begun = self._find_begun(upload) or self._begin(upload)
        where: dict[str, Any] = {"Bucket": self.options.bucket, "Key": upload.key, "UploadId": begun}
        try:
            parts = self._send_parts(upload, where)
            answer = self._client.complete_multipart_upload(
                **where, MultipartUpload={"Parts": parts}, **upload.condition
            )
        except BaseException as failure:
            # What was sent stays for the next attempt, unless that will not want it: unseen, it would be paid for.
            if upload.condition or isinstance(failure, StoreCorrupt):
                with suppress(BotoCoreError, ClientError):
                    self._client.abort_multipart_upload(**where)
            raise
        return upload.stored(answer["ETag"], upload.size)

    def _begin(self, upload: _Upload) -> str:
        begun = self._client.create_multipart_upload(
            Bucket=self.options.bucket, Key=upload.key, ChecksumAlgorithm="SHA256", **upload.described
        )
        return begun["UploadId"]

    def _find_begun(self, upload: _Upload) -> str | None:
        """Return an upload of the same key that somebody began and did not complete, for going on with it.

        Not for a conditional write, which is told by the token that its upload was begun with.
        """
        if upload.condition:
            return None
        begun = [found["UploadId"] for found in self._begun_uploads(upload.key) if found["Key"] == upload.key]
        return begun[0] if begun else None

    def _send_parts(self, upload: _Upload, where: dict[str, Any]) -> builtins.list[CompletedPartTypeDef]:
        size = max(self.options.part_bytes, -(-upload.size // MOST_PARTS))
        there = self._parts_there(where)
        parts: list[CompletedPartTypeDef] = []
        for number, block in enumerate(upload.blocks(size), start=1):
            checksum = _base64(hashlib.sha256(block).hexdigest())
            etag = _etag_of_same(there.get(number), block, checksum)
            if etag is None:
                answer = self._client.upload_part(**where, PartNumber=number, Body=block, ChecksumSHA256=checksum)
                etag = answer["ETag"]
            parts.append({"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum})
        return parts

    def _parts_there(self, where: dict[str, Any]) -> dict[int, PartTypeDef]:
        pages = self._client.get_paginator("list_parts").paginate(**where)
        return {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}

    def _find_own(self, upload: _Upload) -> StoredObject | None:
        """Return our own write where it had gone through after all: its answer got lost, the repeat met itself."""
        with self._failures(upload.key):
            try:
                found = self._client.head_object(Bucket=self.options.bucket, Key=upload.key)
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
        mine = found["Metadata"].get("write") == upload.token
        return _stored(upload.key, found, found["ContentLength"]) if mine else None

    @contextmanager
    def _failures(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            told = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise self._failure(told.get("Code", ""), status, key, told.get("Message", "")) from error
        except FlexibleChecksumError as error:
            raise StoreCorrupt("store.corrupt", {"key": key}) from error
        except (HTTPClientError, ConnectionError, IncompleteReadError) as error:
            refused = isinstance(error, SSLError)
            kind = StoreRefused if refused else StoreUnavailable
            raise kind("store.insecure" if refused else "store.unavailable", self._data(key, str(error))) from error
        except BotoCoreError as error:
            raise StoreRefused("store.refused", self._data(key, str(error))) from error

    def _failure(self, code: str, status: int, key: str, told: str) -> StoreError:
        data = self._data(key, f"{code} {told}".strip())
        if code in _CONFLICTS or status == 412:
            return StoreConflict("store.conflict", data)
        # The object that was to be replaced, or the upload that was to be completed, is gone: somebody else was here.
        if code in {"NoSuchKey", "NoSuchUpload"}:
            return StoreConflict("store.conflict", data)
        if code in _CORRUPTIONS:
            return StoreCorrupt("store.corrupt", data)
        if status >= 500 or status == 429 or code in _PASSING or code == "InternalError":
            return StoreUnavailable("store.unavailable", data)
        if code == "NoSuchBucket":
            return StoreRefused("store.no_bucket", data)
        return StoreRefused(
            "store.forbidden" if status in {401, 403} or code == "AccessDenied" else "store.refused", data
        )

    def _data(self, key: str, detail: str) -> dict[str, str]:
        endpoint = self.options.endpoint_url or "AWS"
        return {"key": key, "bucket": self.options.bucket, "endpoint": endpoint, "detail": detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upload:
    """One object on its way, with a token that tells our own write from somebody else's of the same bytes."""

    key: str
    body: bytes | Path
    sha256: str
    headers: ObjectHeaders
    condition: dict[str, Any]
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def size(self) -> int:
        return len(self.body) if isinstance(self.body, bytes) else self.body.stat().st_size

    @property
    def described(self) -> dict[str, Any]:
        served = {
            "ContentType": self.headers.content_type,
            "CacheControl": self.headers.cache_control,
            "ContentLanguage": self.headers.content_language,
            "ContentDisposition": self.headers.content_disposition,
            "ContentEncoding": _GZIP if self.headers.compressed else None,
        }
        kept = {name: value for name, value in served.items() if value is not None}
        return {**kept, "Metadata": {"sha256": self.sha256, "write": self.token}}

    def stored(self, etag: str, size: int) -> StoredObject:
        """Return what is known of the object once it is written."""
        return StoredObject(key=self.key, etag=etag, size=size, sha256=self.sha256, headers=self.headers)

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the bytes, that many at a time.

        Raises:
            StoreCorrupt: They turned out not to be those of the sha256: the file has changed since.
        """
        digest = hashlib.sha256()
        with io.BytesIO(self.body) if isinstance(self.body, bytes) else self.body.open("rb") as file:
            while block := file.read(size):
                digest.update(block)
                yield block
        if digest.hexdigest() != self.sha256:
            raise StoreCorrupt("store.changed", {"key": self.key})


def prepare_bucket(options: S3Options, *, public: Sequence[str]) -> None:
    """Make the bucket where it is missing, and let anybody read (not list) some of it from web pages anywhere.

    Args:
        options: Which bucket, with the keys of somebody who may do this.
        public: Patterns of the keys that anybody may read, e.g. ``sessions/*``.

    Raises:
        StoreError: See :class:`pipeline.ports.Store`.
    """
    with open_store(options) as store, store._failures(options.bucket):  # noqa: SLF001 - a friend in the same module
        client = store._client  # noqa: SLF001
        try:
            client.head_bucket(Bucket=options.bucket)
        except ClientError as error:
            if not _is_missing(error):
                raise
            client.create_bucket(Bucket=options.bucket, **_placed(options))
        client.put_bucket_policy(Bucket=options.bucket, Policy=_public_policy(options.bucket, public))
        client.put_bucket_cors(
            Bucket=options.bucket,
            CORSConfiguration={
                "CORSRules": [
                    {
                        "AllowedMethods": ["GET", "HEAD"],
                        "AllowedOrigins": ["*"],
                        "AllowedHeaders": ["Range", "If-None-Match"],
                        "ExposeHeaders": ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
                        "MaxAgeSeconds": 3600,
                    }
                ]
            },
        )


def _placed(options: S3Options) -> dict[str, Any]:
    # AWS alone wants the region told again, and not its first one.
    if options.endpoint_url is not None or options.region == "us-east-1":
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": options.region}}


def _public_policy(bucket: str, public: Sequence[str]) -> str:
    statement = {
        "Sid": "AnybodyMayRead",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": [f"arn:aws:s3:::{bucket}/{pattern}" for pattern in public],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _is_missing(error: ClientError) -> bool:
    told = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status == 404 and told in {"404", "NoSuchKey", "NotFound", "NoSuchBucket"}


def _stored(key: str, found: Mapping[str, Any], size: int) -> StoredObject:
    compressed = _is_compressed(found)
    # The server's own checksum is worth more than what we wrote beside it, where it covers what a reader gets.
    whole = "-" if compressed else found.get("ChecksumSHA256", "-")
    sha256 = found["Metadata"].get("sha256") if "-" in whole else base64.b64decode(whole).hex()
    headers = ObjectHeaders(
        content_type=found.get("ContentType", ""),
        cache_control=found.get("CacheControl", ""),
        content_language=found.get("ContentLanguage"),
        content_disposition=found.get("ContentDisposition"),
        compressed=compressed,
    )
    return StoredObject(key=key, etag=found["ETag"], size=size, sha256=sha256, headers=headers)


def _is_compressed(found: Mapping[str, Any]) -> bool:
    return _GZIP in str(found.get("ContentEncoding", ""))


def _compress(data: bytes) -> bytes:
    """Return the same bytes for the same bytes: no name and no time in them."""
    return gzip.compress(data, _GZIP_LEVEL, mtime=0)


def _plain(found: GetObjectOutputTypeDef, key: str) -> Iterator[bytes]:
    """Yield the bytes of an object as a reader gets them.

    Raises:
        StoreCorrupt: It says that it is compressed and is not.
    """
    blocks = found["Body"].iter_chunks(MIB)
    if not _is_compressed(found):
        yield from blocks
        return
    unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for block in blocks:
            yield unpacked.decompress(block)
        yield unpacked.flush()
    except zlib.error as error:
        raise StoreCorrupt("store.corrupt", {"key": key}) from error


def _etag_of_same(part: PartTypeDef | None, block: bytes, checksum: str) -> str | None:
    """Return the tag of a part that the store has already, if it has these bytes; ``None`` if it must be sent."""
    if part is None or part["Size"] != len(block):
        return None
    # Not every service tells the checksum of a part, but then its tag is the MD5 of its bytes.
    told = part.get("ChecksumSHA256")
    weak = hashlib.md5(block, usedforsecurity=False).hexdigest()
    same = part["ETag"].strip('"') == weak if told is None else told == checksum
    return part["ETag"] if same else None


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()
