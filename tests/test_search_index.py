"""The search index: what is found does not depend on how it grew; one more session writes few objects."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.editing import Edited
from pipeline.ports import ObjectHeaders, StoredObject
from pipeline.published import file_key, manifest_key, read_manifest
from pipeline.render.document import Document
from pipeline.render.json import write as write_transcript
from pipeline.s3 import S3Options, S3Store
from pipeline.search_index import (
    FAN_OUT,
    LEVELS,
    MOST_SHARDS,
    Member,
    Part,
    Postings,
    cut_shards,
    index_session,
    merge,
    pack_members,
    plan_merges,
    unpack_members,
    unpack_shard,
)
from pipeline.search_store import FOLDER, INDEX, SearchIndex, passages_key
from pipeline.search_text import find_keys
from pipeline.types import Bundle
from pipeline.verification import verify
from pipeline.withdrawal import withdraw
from tests.memory_store import MemoryStore
from tests.pages import SESSION, make_transcript
from tests.test_publishing import VIEWS, DyingStore, Killed, make_artifact, make_bundle, publish_together, put_out
from tests.test_shelves import put_session

MOST_SEGMENTS = sum(FAN_OUT)


class OvertakenStore(MemoryStore):
    """A store in which somebody else is faster, once, after the index was read and before what it names is.

    Attributes:
        meanwhile: What that somebody does; nothing where it is ``None``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None

    def read(self, key: str) -> tuple[bytes, StoredObject] | None:
        if self.meanwhile is not None and key.startswith(FOLDER) and key != INDEX:
            act, self.meanwhile = self.meanwhile, None
            act()
        return super().read(key)


class DyingAtSegment(DyingStore):
    """A store whose user dies when the words of a segment have been written."""

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
        written = super().write(key, body, headers, sha256=sha256, replaces=replaces, only_new=only_new)
        if key.startswith(FOLDER):
            raise Killed
        return written


def said(bundle: Bundle, text: str, folder: Path) -> Bundle:
    """Return a bundle in which that is said, with its transcript among the files."""
    transcript = make_transcript(bundle.session, [(None, text)])
    body = write_transcript(
        Document(
            session=bundle.session,
            transcript=transcript,
            edited=Edited(transcript=transcript, edits=()),
            cues=(),
            provenance=bundle.provenance,
        )
    )
    file = make_artifact(folder, "transcript.fr.json", body, "transcript", "application/json; charset=utf-8", None)
    others = (artifact for artifact in bundle.artifacts if artifact.name != file.name)
    return replace(bundle, transcript=transcript, artifacts=(*others, file))


def read_all(store: MemoryStore | S3Store) -> dict[str, dict[str, int]]:
    """Return the weight of each key by session, as a browser would find it."""
    found = store.read(INDEX)
    assert found is not None
    words: dict[str, dict[str, int]] = {}
    for segment in json.loads(found[0])["segments"]:
        folder = f"{FOLDER}{segment['name']}/"
        members = unpack_members(body_of(store, f"{folder}sessions.bin"))
        assert len(members) == segment["count"]
        for number, start in enumerate(segment["starts"]):
            shard = unpack_shard(body_of(store, f"{folder}{number}.bin"))
            assert min(shard) == start
            for term, session_id, weight in postings_of(shard, members):
                assert term not in words.setdefault(session_id, {})
                words[session_id][term] = weight
    return words


def postings_of(shard: dict[str, Postings], members: tuple[Member, ...]) -> Iterator[tuple[str, str, int]]:
    for term, postings in shard.items():
        at = 0
        for index in range(0, len(postings), 2):
            at += postings[index]
            yield term, members[at].session_id, postings[index + 1]


def body_of(store: MemoryStore | S3Store, key: str) -> bytes:
    found = store.read(key)
    assert found is not None, key
    return found[0]


def leftovers(store: MemoryStore | S3Store) -> set[str]:
    """Return the keys of the index that nothing leads to."""
    index = json.loads(body_of(store, INDEX))
    used = {segment["name"] for segment in index["segments"]}
    return {each.key for each in store.list(FOLDER) if each.key != INDEX and each.key.split("/")[1] not in used}


def test_accents_case_plurals_and_elisions_make_no_difference() -> None:
    alike = {
        "fr": [("rédigées", "rediger"), ("chevaux", "cheval"), ("ÉCOLES".lower(), "ecole"), ("services", "service")],
        "en": [("policies", "policy"), ("café", "cafes"), ("tested", "testing")],
    }
    for language, pairs in alike.items():
        for one, other in pairs:
            assert find_keys(one, language) & find_keys(other, language), (one, other)
    assert not find_keys("langage", "fr") & find_keys("langue", "fr")


def test_a_session_is_found_by_what_is_said_and_by_what_is_known_of_it() -> None:
    session = SESSION["en"]
    transcript = make_transcript(session, [("S1", "We read the e-mail in L’Écuyer’s café.")])
    part = index_session(session, "r1-00000000", transcript)
    terms = {term: weight for term, (_, weight) in part.terms}
    assert {"email", "mail", "cafe", "ecuyer", "tremblay", "plain", "langag", "digit", "osei"} <= terms.keys()
    assert terms["plain"] > terms["digit"] > terms["cafe"] == 1
    assert part.members[0] == replace(part.members[0], year=2026, languages=("en",), length=7)
    assert list(part.terms) == sorted(part.terms)


PARTS = st.lists(
    st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 9), min_size=1), min_size=1, max_size=4),
    min_size=1,
    max_size=4,
)


@given(parts=PARTS, gone=st.sets(st.integers(0, 15)))
@settings(deadline=None)
def test_merging_loses_nothing_but_what_is_to_go(parts: list[list[dict[str, int]]], gone: set[int]) -> None:
    sessions: dict[str, dict[str, int]] = {}
    made: list[Part] = []
    for words_of in parts:
        first = len(sessions)
        members, singles = [], []
        for words in words_of:
            member = Member(session_id=f"{len(sessions):016x}", revision="r1", length=1, languages=("en",))
            sessions[member.session_id] = words
            members.append(member)
            singles.append(
                Part(members=[member], terms=[(term, [0, weight]) for term, weight in sorted(words.items())])
            )
        whole = merge(singles)
        places = frozenset(place for place in range(len(members)) if first + place in gone)
        made.append(Part(members=members, terms=list(whole.terms), gone=places))
    merged = merge(made)
    left = {session_id: words for session_id, words in sessions.items() if int(session_id, 16) not in gone}
    assert [member.session_id for member in merged.members] == list(left)
    found: dict[str, dict[str, int]] = {session_id: {} for session_id in left}
    shards = list(cut_shards(merged.terms, 0))
    for shard in shards:
        for term, session_id, weight in postings_of(shard, tuple(merged.members)):
            found[session_id][term] = weight
    assert found == left
    assert unpack_members(pack_members(merged.members)) == tuple(merged.members)


def test_segments_never_become_many_however_many_sessions_come_and_go() -> None:
    counts: list[int] = []
    order = random.Random(1)  # noqa: S311 - to be the same again
    most = largest = 0
    for turn in range(30_000):
        counts.append(1)
        if turn % 7 == 0:
            counts[order.randrange(len(counts))] -= 1
        counts = [count for count in counts if count]
        groups = plan_merges(counts)
        assert sorted(index for group in groups for index in group) == list(range(len(counts)))
        counts = [sum(counts[index] for index in group) for group in groups]
        most, largest = max(most, len(counts)), max([largest, *counts])
    assert most <= MOST_SEGMENTS + 30_000 // LEVELS[-1]
    assert largest < LEVELS[-1] * FAN_OUT[-1]


def test_a_published_session_is_in_the_index_once_with_its_latest_words(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    other = said(make_bundle(tmp_path, number=2), "Le langage clair", tmp_path)
    for each in (said(bundle, "Un secret bien gardé", tmp_path), other, said(bundle, "Une réponse claire", tmp_path)):
        put_out(each, store)
    words = read_all(store)
    assert words.keys() == {bundle.session.id, other.session.id}
    assert "secret" not in words[bundle.session.id]
    assert {"repons", "clair", "summer", "ete"} <= words[bundle.session.id].keys()
    assert leftovers(store) == set()
    for each in (bundle, other):
        assert verify(each.session.id, store) == ()


def test_of_a_withdrawn_session_no_word_is_left_in_any_version(store: S3Store, tmp_path: Path) -> None:
    store._client.put_bucket_versioning(Bucket=store.options.bucket, VersioningConfiguration={"Status": "Enabled"})
    bundle = said(make_bundle(tmp_path), "Zanzibar", tmp_path)
    put_out(said(make_bundle(tmp_path, number=2), "Bonjour", tmp_path), store)
    put_out(bundle, store)
    with pytest.raises(Killed):
        put_out(said(bundle, "Zanzibar encore", tmp_path), DyingAtSegment(store, 99))
    assert leftovers(store)
    withdraw(bundle.session.id, store, views=VIEWS)
    found = store._client.list_object_versions(Bucket=store.options.bucket, Prefix=FOLDER)
    assert not found.get("DeleteMarkers")
    index = json.loads(body_of(store, INDEX))
    names = {segment["name"] for segment in index["segments"]}
    versions = found.get("Versions", [])
    assert {each["Key"].split("/")[1] for each in versions} == {*names, "index.json"}
    assert len(versions) == len({each["Key"] for each in versions})
    assert "zanzibar" not in {term for words in read_all(store).values() for term in words}


def test_publishers_at_the_same_moment_lose_no_session(bucket: S3Options, store: S3Store, tmp_path: Path) -> None:
    bundles = [said(make_bundle(tmp_path, number=number), f"mot{number}", tmp_path) for number in range(6)]
    publish_together(bundles, bucket)
    assert read_all(store).keys() == {bundle.session.id for bundle in bundles}
    assert leftovers(store) == set()


def test_who_is_overtaken_reads_again_and_makes_nothing_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = OvertakenStore()
    bundles = [said(make_bundle(tmp_path, number=number), f"mot{number}", tmp_path) for number in range(4)]
    for bundle in bundles[:3]:
        put_out(bundle, store)
    again = said(bundles[0], "autre", tmp_path)
    faster = []
    store.meanwhile = lambda: faster.append(put_out(again, store))
    put_out(bundles[3], store)
    assert faster
    assert read_all(store).keys() == {bundle.session.id for bundle in bundles}
    assert "made anew" not in caplog.text


@pytest.mark.parametrize("lost", ["index", "damaged", "sessions.bin", "0.bin"])
def test_what_is_lost_is_made_anew_with_the_next_publication(tmp_path: Path, lost: str) -> None:
    store = MemoryStore()
    bundles = [said(make_bundle(tmp_path, number=number), f"mot{number}", tmp_path) for number in range(3)]
    for bundle in bundles:
        put_out(bundle, store)
    before = read_all(store)
    if lost in {"index", "damaged"}:
        found = store.read(INDEX)
        assert found is not None
        store.delete([INDEX])
        if lost == "damaged":
            store.write(INDEX, b"{", found[1].headers, sha256="0" * 64)  # type: ignore[arg-type]
    else:
        store.delete([found.key for found in store.list(FOLDER) if found.key.endswith(f"/{lost}")])
    assert {found.code for found in verify(bundles[0].session.id, store)} & {
        *("publishing.unsearchable", "publishing.unreadable", "publishing.missing")
    }
    put_out(bundles[0], store)
    assert read_all(store) == before
    assert leftovers(store) == set()
    assert all(verify(bundle.session.id, store) == () for bundle in bundles)


def test_passages_are_those_that_are_published(tmp_path: Path) -> None:
    store = MemoryStore()
    bundle = said(make_bundle(tmp_path), "Bonjour à tous. On commence.", tmp_path)
    put_out(bundle, store)
    passages = json.loads(gzip.decompress(body_of(store, passages_key(bundle.session.id))))
    assert passages["said"] == [["fr", 500, "Bonjour à tous.", 1580, "On commence."]]
    manifest = read_manifest(bundle.session.id, store)
    assert manifest is not None
    assert passages["revision"] == manifest.revision
    assert any("transcript" in file_key(manifest, file) for file in manifest.files)


def test_one_more_session_among_ten_thousand_writes_a_bounded_number_of_objects() -> None:
    """Sessions of few words, so that all ten thousand are quickly there: how many they are decides what is touched."""
    store = MemoryStore()
    index = SearchIndex(store)
    for number in range(10_000):
        last = put_session(store, number, None, None)
    index.update(last)
    touched: list[int] = []
    for number in range(10_000, 10_100):
        more = put_session(store, number, None, None)
        store.written.clear()
        index.update(more)
        touched.append(len(store.written))
    assert sorted(touched)[len(touched) // 2] <= 4
    assert max(touched) <= MOST_SHARDS + 4
    assert len(json.loads(body_of(store, INDEX))["segments"]) <= MOST_SEGMENTS + 10_100 // LEVELS[-1]
    store.delete([manifest_key(last)])
    store.written.clear()
    index.update(last)
    assert len(store.written) <= MOST_SHARDS + 2
    assert read_all(store).keys() == {f"{number:016x}" for number in range(10_100)} - {last}
    assert leftovers(store) == set()
