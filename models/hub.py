"""The model hub, or a mirror that speaks its interface, as a source of weights.

In comes a repository at a revision; out come its files, as :mod:`models.sources` wants them. It stands alone so that
the hub's client is imported only when a hub is really asked: weights that are in the cache need none of this.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

import httpx2
from huggingface_hub import HfFileMetadata, get_hf_file_metadata, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
)

from models.manifest import HubRepository, ModelFile, SourceKind
from models.sources import Delivery, SourceFailed, Tell, failed, flat_name, one_line, write_chunks, wrong_bytes
from pipeline.types import SHA256

_logger = logging.getLogger(__name__)

_TRIES: Final = 5
"""How often a download is taken up again without a single new byte before it is given up."""


class HubSource:
    """A repository of the model hub, or of a mirror that speaks its interface.

    The hub's own client finds the file; the bytes are read here, since the client throws a partial download away when
    the connection breaks for good, and 3 GB are worth keeping.

    Args:
        repository: Which repository, at which revision.
        endpoint: Address of the hub or mirror; ``None`` for the client's own default.
        token: Sent only where the repository is gated, and never on to the store that the hub redirects to.
        timeout_s: Seconds without any answer after which it counts as unreachable.
        retry_wait_s: Seconds before a broken download is taken up again; doubled while no byte comes.
    """

    kind: SourceKind = "hub"

    def __init__(
        self,
        repository: HubRepository,
        *,
        endpoint: str | None = None,
        token: str | None = None,
        timeout_s: float = 10,
        retry_wait_s: float = 1,
    ) -> None:
        self.where = repository.repository
        self._repository = repository
        self._revision = repository.revision
        self._endpoint = endpoint.rstrip("/") if endpoint else None
        self._token = token if repository.gated and token else False
        self._timeout_s = timeout_s
        self._retry_wait_s = retry_wait_s

    def write(self, file: ModelFile, into: Path, tell: Tell) -> Delivery:
        """Download one file, or the rest of it.

        Raises:
            SourceFailed: The hub cannot be reached, refuses, or has no such file, or the connection broke too often.
            OSError: The folder ``into`` cannot be written.
        """
        if self._repository.gated and not self._token:
            raise failed(self, "token", ends=True)
        about = self._ask(file)
        if file.size is not None and about.size not in {None, file.size}:
            raise wrong_bytes(self, file)
        # All files of a model are taken from the commit that the first one was found at.
        self._revision = about.commit_hash or self._revision
        # Bytes of one commit never go on from those of another.
        target = into / f"{flat_name(file)}.hub-{self._revision[:12]}"
        resumed = target.exists()
        self._download(file, target, file.size or about.size, tell)
        etag = about.etag or ""
        return Delivery(
            path=target,
            origin=f"{self.where}@{self._revision}",
            revision=self._revision,
            sha256=etag if SHA256.match(etag) else None,
            resumed=resumed,
        )

    def close(self) -> None:
        """Do nothing: a broken download stays where the next try finds it."""

    def _url(self, file: ModelFile) -> str:
        return hf_hub_url(self.where, file.name, revision=self._revision, endpoint=self._endpoint)

    def _ask(self, file: ModelFile) -> HfFileMetadata:
        try:
            about = get_hf_file_metadata(
                self._url(file), token=self._token, timeout=self._timeout_s, endpoint=self._endpoint
            )
        except (httpx2.TransportError, httpx2.InvalidURL, OfflineModeIsEnabled) as error:
            raise failed(self, "unreachable", ends=True, detail=one_line(error)) from error
        except httpx2.HTTPError as error:
            raise self._refusal(error, file) from error
        if about.commit_hash is None:
            raise failed(self, "answer", ends=True, detail="not a model hub")
        return about

    def _refusal(self, error: Exception, file: ModelFile) -> SourceFailed:
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
        if isinstance(error, GatedRepoError) or status in {401, 403}:
            return failed(self, "refused", ends=True)
        if isinstance(error, EntryNotFoundError | RevisionNotFoundError):
            return failed(self, "absent", file=f"{file.name}@{self._revision[:12]}")
        return failed(self, "answer", ends=True, detail=f"HTTP {status}" if status else one_line(error))

    def _download(self, file: ModelFile, target: Path, size: int | None, tell: Tell) -> None:
        """Append to what is there until the file is whole."""
        futile = 0
        while True:
            before = target.stat().st_size if target.exists() else 0
            detail = "…"
            try:
                if self._append(file, target, size, tell):
                    return
            except httpx2.TransportError as error:
                detail = one_line(error)
            except httpx2.HTTPError as error:
                raise self._refusal(error, file) from error
            futile = 0 if target.exists() and target.stat().st_size > before else futile + 1
            if futile >= _TRIES:
                raise failed(self, "interrupted", ends=True, file=file.name, detail=detail)
            _logger.info("%s: %s broke off (%s); going on from there", self.where, file.name, detail)
            time.sleep(self._retry_wait_s * 2**futile)

    def _append(self, file: ModelFile, target: Path, size: int | None, tell: Tell) -> bool:
        """Read on from where the target ends; return whether it is whole now."""
        start = target.stat().st_size if target.exists() else 0
        if start and start == size:
            return True
        with get_session().stream(
            "GET", self._url(file), headers=self._headers(start), timeout=self._timeout_s
        ) as reply:
            if reply.status_code == 416:
                target.unlink(missing_ok=True)
                return False
            hf_raise_for_status(reply)
            goes_on = reply.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if reply.status_code == 206 and not goes_on:
                raise failed(self, "answer", ends=True, detail="HTTP 206, another range")
            start = start if goes_on else 0
            # As they come: pieces gathered to a size would be lost with the connection.
            written = write_chunks(reply.iter_bytes(), target, start=start, limit=size, tell=tell)
        return size is None or written >= size

    def _headers(self, start: int) -> dict[str, str]:
        # Compressed on the way, the byte to go on from would not be the byte that is meant.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
