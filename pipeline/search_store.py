"""The search index in the store: one more session in it, or one less, in a bounded number of objects.

In goes the id of a session whose manifest has just changed; out comes ``search/index.json``, which says which segments
there are, the segments, and ``passages.bin`` beside the session's page. A segment is written under a name of its own
and never changes; one conditional write of ``index.json`` puts it in the place of those that it was made of. What is
written is made from what holds in the store after ``index.json`` was read, so of two publishers at the same moment one
does it again. Stands alone because publishing and withdrawing both end here, and neither knows what a segment is.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from pipeline.errors import StoreConflict, StoreCorrupt, TranscriptInvalid
from pipeline.ports import ObjectHeaders, Store, StoredObject
from pipeline.published import (
    FOREVER,
    FRESH,
    FRESH_JSON,
    Manifest,
    SessionDetails,
    derive,
    file_key,
    insisting,
    parsed,
    read_details,
    read_manifest,
    session_ids,
    write,
)
from pipeline.render.json import read_transcript
from pipeline.search_index import (
    LEVELS,
    Index,
    Member,
    Part,
    Postings,
    Segment,
    cut_shards,
    index_session,
    make_passages,
    merge,
    pack,
    pack_members,
    plan_merges,
    unpack_members,
    unpack_shard,
)
from pipeline.serial import to_json
from pipeline.site.model import session_prefix
from pipeline.types import Transcript

FOLDER: Final = "search/"
INDEX: Final = f"{FOLDER}index.json"

_PACKED: Final = "application/octet-stream"
"""Packed with gzip and not said to be, so that every server hands it on as it is."""
_ROUNDS: Final = 8
_NAME: Final = re.compile(r"search/(([0-9a-f]+)-[0-9a-f]{8})/")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """What is published of a session, as much as it is found by."""

    manifest: Manifest
    details: SessionDetails
    transcript: Transcript | None

    @property
    def part(self) -> Part:
        return index_session(self.details.session, self.manifest.revision, self.transcript)

    @property
    def passages(self) -> bytes:
        session, length_ms = self.details.session, self.details.duration_ms
        return make_passages(session, self.manifest.revision, self.transcript, length_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What a segment is made of: another one, or a session that is in none."""

    part: Part
    segment: Segment | None = None

    @property
    def count(self) -> int:
        return len(self.part.members) - len(self.part.gone)

    @property
    def postings(self) -> int:
        return sum(1 for _ in self.part.terms) if self.segment is None else self.segment.postings


class SearchIndex:
    """The search index in one store.

    Args:
        store: Where.

    Attributes:
        written: How many objects had to be written.
    """

    def __init__(self, store: Store) -> None:
        self.written = 0
        self._store = store
        self._members: dict[str, tuple[Member, ...]] = {}
        self._missing: dict[str, tuple[str, ...]] = {}

    def begin(self) -> None:
        """Write the index of a site that has no session yet: a search is then answered with nothing, and not refused.

        Raises:
            StoreConflict: Others kept changing the index at the same time.
            StoreError: See :class:`Store`.
        """
        if self._store.head(INDEX) is None:
            insisting(self._rebuild)

    def update(self, session_id: str) -> None:
        """Bring the index up to date with what holds of a session; an index that is lost or damaged is made anew.

        Every word of what holds no longer is gone from it afterwards.

        Raises:
            StoreConflict: Others kept changing the index or the session at the same time.
            StoreError: See :class:`Store`.
        """
        for _ in range(_ROUNDS):
            held = read_manifest(session_id, self._store)
            if held is not None:
                headers = ObjectHeaders(content_type=_PACKED, cache_control=FRESH)
                self.written += derive(
                    self._store, passages_key(session_id), headers, partial(self._passages, session_id)
                )
            insisting(partial(self._update, session_id))
            # As with the lists: who was overtaken meanwhile must not have the last word.
            if read_manifest(session_id, self._store) == held:
                return
        raise StoreConflict("store.conflict", {"key": INDEX})

    def sweep(self) -> None:
        """Remove what nobody reads any more: segments of an attempt that died, earlier versions.

        Raises:
            StoreError: See :class:`Store`.
        """
        index, _ = self._read()
        used = {segment.name for segment in index.segments}
        found = {(name[1], int(name[2], 16)) for item in self._store.list(FOLDER) if (name := _NAME.match(item.key))}
        # Whoever began upon an earlier index cannot finish any more; who began upon this one may be about to.
        for folder, number in sorted(found):
            if folder not in used and number < index.number:
                self._store.erase(f"{FOLDER}{folder}/", keep=())
        self._store.erase(INDEX, keep={INDEX})

    def find(self, session_id: str) -> tuple[Segment, Member] | None:
        """Return where in the index a session is, or ``None`` where it is not.

        Raises:
            StoreCorrupt: The index is damaged.
            StoreError: See :class:`Store`.
        """
        for segment in self._read()[0].segments:
            for member in self._read_members(segment):
                if member.session_id == session_id:
                    return segment, member
        return None

    def missing(self, segment: Segment) -> tuple[str, ...]:
        """Return the keys of a segment's words that are not in the store.

        Raises:
            StoreError: See :class:`Store`.
        """
        if segment.name not in self._missing:
            keys = (_shard_key(segment.name, number) for number in range(len(segment.starts)))
            self._missing[segment.name] = tuple(key for key in keys if self._store.head(key) is None)
        return self._missing[segment.name]

    def _passages(self, session_id: str, _before: bytes | None) -> bytes | None:
        text = self._read_text(session_id)
        return None if text is None else text.passages

    def _update(self, session_id: str) -> None:
        try:
            index, stored = self._read()
        except StoreCorrupt as corrupt:
            self._rebuild(corrupt)
            return
        if stored is None:
            self._rebuild()
            return
        # After the index: whoever replaces it meanwhile makes us read both again.
        text = self._read_text(session_id)
        try:
            self._replace(index, stored, session_id, text)
        except StoreCorrupt as corrupt:
            now = self._store.head(INDEX)
            if now is not None and now.etag != stored.etag:
                # Whoever was faster has removed what this index named: nothing is damaged, and all is to be read anew.
                raise StoreConflict("store.conflict", {"key": INDEX}) from corrupt
            self._rebuild(corrupt)

    def _replace(self, index: Index, stored: StoredObject, session_id: str, text: _Text | None) -> None:
        """Put a session's words in the place of its earlier ones, and merge what has become many."""
        sources = [_Source(part=self._part(segment, session_id), segment=segment) for segment in index.segments]
        held = [source.part.members[place].revision for source in sources for place in source.part.gone]
        if held == ([] if text is None else [text.manifest.revision]):
            for source in sources:
                if source.segment is not None and source.part.gone and (missing := self.missing(source.segment)):
                    raise StoreCorrupt("publishing.missing", {"key": missing[0]})
            return
        if text is not None:
            sources.append(_Source(part=text.part))
        kept: list[Segment] = []
        made: list[Segment] = []
        try:
            for group in plan_merges([source.count for source in sources]):
                merged = [sources[place] for place in group]
                if len(merged) == 1 and merged[0].segment is not None and not merged[0].part.gone:
                    kept.append(merged[0].segment)
                elif any(source.count for source in merged):
                    made.append(self._write_merged(index.number, merged))
            self._commit(Index(number=index.number + 1, segments=(*kept, *made)), stored)
        except Exception:
            # Nobody else can know these names.
            self._erase(made)
            raise
        self._erase([segment for segment in index.segments if segment not in kept])

    def _write_merged(self, number: int, sources: Sequence[_Source]) -> Segment:
        postings = sum(source.postings for source in sources)
        return self._write_segment(number, merge([source.part for source in sources]), postings)

    def _write_segment(self, number: int, part: Part, postings: int) -> Segment:
        name = f"{number:x}-{secrets.token_hex(4)}"
        headers = ObjectHeaders(content_type=_PACKED, cache_control=FOREVER)
        starts: list[str] = []
        held = 0
        for shard in cut_shards(part.terms, postings):
            write(self._store, _shard_key(name, len(starts)), pack(shard), headers)
            starts.append(next(iter(shard)))
            held += sum(len(found) for found in shard.values()) // 2
        write(self._store, _members_key(name), pack_members(part.members), headers)
        self.written += len(starts) + 1
        return Segment(
            name=name,
            count=len(part.members),
            length=sum(member.length for member in part.members),
            postings=held,
            starts=tuple(starts),
        )

    def _commit(self, index: Index, stored: StoredObject | None) -> None:
        write(self._store, INDEX, to_json(index), FRESH_JSON, stored)
        self.written += 1

    def _rebuild(self, damaged: StoreCorrupt | None = None) -> None:
        """Make the whole index from what is published."""
        if damaged is not None:
            _logger.warning("the search index is made anew: %s", damaged)
        found = self._store.read(INDEX)
        names = (_NAME.match(item.key) for item in self._store.list(FOLDER))
        number = max((int(name[2], 16) for name in names if name is not None), default=0) + 1
        with suppress(StoreCorrupt):
            number = max(number, self._read()[0].number)
        stored = None if found is None else found[1]
        made: list[Segment] = []
        try:
            sources = (_Source(part=text.part) for text in self._read_all_texts())
            while batch := list(islice(sources, LEVELS[1])):
                made.append(self._write_merged(number, batch))
            self._commit(Index(number=number + 1, segments=tuple(made)), stored)
        except Exception:
            self._erase(made)
            raise
        self.sweep()

    def _read_all_texts(self) -> Iterator[_Text]:
        for session_id in session_ids(self._store):
            try:
                text = self._read_text(session_id)
            except StoreCorrupt as corrupt:
                _logger.warning("left out of the search index: %s", corrupt)
            else:
                yield from () if text is None else (text,)

    def _read_text(self, session_id: str) -> _Text | None:
        manifest = read_manifest(session_id, self._store)
        if manifest is None:
            return None
        details = read_details(session_id, manifest.revision, self._store)
        return _Text(manifest=manifest, details=details, transcript=self._read_transcript(manifest))

    def _read_transcript(self, manifest: Manifest) -> Transcript | None:
        """Return what was said, from the file that every programme may read."""
        wanted = ("transcript", "application/json")
        for file in manifest.files:
            if (file.role, file.content_type.partition(";")[0]) != wanted:
                continue
            key = file_key(manifest, file)
            found = self._store.read(key)
            if found is None:
                raise StoreCorrupt("publishing.missing", {"key": key})
            try:
                return read_transcript(found[0].decode())
            except (TranscriptInvalid, UnicodeDecodeError) as invalid:
                raise StoreCorrupt("publishing.unreadable", {"key": key, "detail": str(invalid)}) from invalid
        return None

    def _read(self) -> tuple[Index, StoredObject | None]:
        found = self._store.read(INDEX)
        return (Index(), None) if found is None else (parsed(Index, found[0], INDEX), found[1])

    def _part(self, segment: Segment, session_id: str) -> Part:
        """Return a segment without what it has of a session."""
        members = self._read_members(segment)
        gone = frozenset(place for place, member in enumerate(members) if member.session_id == session_id)
        return Part(members=members, terms=self._read_terms(segment), gone=gone)

    def _read_terms(self, segment: Segment) -> Iterator[tuple[str, Postings]]:
        for number in range(len(segment.starts)):
            key = _shard_key(segment.name, number)
            try:
                yield from unpack_shard(self._read_packed(key)).items()
            except (ValueError, TypeError) as invalid:
                raise StoreCorrupt("publishing.unreadable", {"key": key, "detail": str(invalid)}) from invalid

    def _read_members(self, segment: Segment) -> tuple[Member, ...]:
        """Return a segment's sessions, which never change."""
        if segment.name not in self._members:
            key = _members_key(segment.name)
            try:
                self._members[segment.name] = unpack_members(self._read_packed(key))
            except (ValueError, TypeError, LookupError) as invalid:
                raise StoreCorrupt("publishing.unreadable", {"key": key, "detail": str(invalid)}) from invalid
        return self._members[segment.name]

    def _read_packed(self, key: str) -> bytes:
        found = self._store.read(key)
        if found is None:
            raise StoreCorrupt("publishing.missing", {"key": key})
        return found[0]

    def _erase(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            self._store.erase(f"{FOLDER}{segment.name}/", keep=())


def passages_key(session_id: str) -> str:
    """Return the key of what a session's result shows."""
    return f"{session_prefix(session_id)}passages.bin"


def _shard_key(name: str, number: int) -> str:
    return f"{FOLDER}{name}/{number}.bin"


def _members_key(name: str) -> str:
    return f"{FOLDER}{name}/sessions.bin"
