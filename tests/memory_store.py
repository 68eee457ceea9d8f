"""A store in memory that counts what is asked of it, for what would take a real one minutes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from pipeline.errors import StoreConflict
from pipeline.ports import ObjectHeaders, StoredObject


class MemoryStore:
    """One bucket, a dictionary; fulfils :class:`pipeline.ports.Store`.

    Attributes:
        reads: How many objects were read or looked at.
        written: Keys written, with how many bytes each.
    """

    def __init__(self) -> None:
        self.reads = 0
        self.written: list[tuple[str, int]] = []
        self._objects: dict[str, tuple[bytes, StoredObject]] = {}

    def head(self, key: str) -> StoredObject | None:
        found = self.read(key)
        return None if found is None else found[1]

    def read(self, key: str) -> tuple[bytes, StoredObject] | None:
        self.reads += 1
        return self._objects.get(key)

    def read_sha256(self, key: str) -> str | None:
        found = self.read(key)
        return None if found is None else hashlib.sha256(found[0]).hexdigest()

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
        data = body if isinstance(body, bytes) else body.read_bytes()
        there = self._objects.get(key)
        if (only_new and there is not None) or (replaces is not None and (there is None or there[1] != replaces)):
            raise StoreConflict("store.conflict", {"key": key})
        stored = StoredObject(
            key=key, etag=f"{sha256}-{len(self.written)}", size=len(data), sha256=sha256, headers=headers
        )
        self._objects[key] = (data, stored)
        self.written.append((key, len(data)))
        return stored

    def list(self, prefix: str) -> Iterator[StoredObject]:
        yield from [self._objects[key][1] for key in sorted(self._objects) if key.startswith(prefix)]

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._objects.pop(key, None)

    def erase(self, prefix: str, *, keep: Collection[str]) -> int:
        gone = [found.key for found in self.list(prefix) if found.key not in keep]
        self.delete(gone)
        return len(gone)

    def url(self, key: str) -> str:
        return f"https://example.org/{key}"
