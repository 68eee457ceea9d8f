"""Publishing on a real object store: once, whole, whatever stops it and whoever else publishes."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.errors import StoreConflict, StoreCorrupt
from pipeline.ports import ObjectHeaders, Store, StoredObject
from pipeline.published import (
    FOREVER,
    FRESH,
    FRESH_JSON,
    Manifest,
    SessionDetails,
    file_key,
    page_headers,
    read_manifest,
)
from pipeline.publishing import bundle_digest, publish
from pipeline.s3 import S3Options, S3Store, open_store
from pipeline.serial import from_json
from pipeline.shelves import CATALOGUE, read_entries
from pipeline.site.model import (
    INDEXES,
    Around,
    CatalogueEntry,
    Index,
    IndexKind,
    Letter,
    MachineFile,
    PublishedSession,
    Shelf,
    SiteFile,
    Views,
)
from pipeline.site.subjects import list_key
from pipeline.themes import CommonTheme
from pipeline.types import (
    LANGUAGES,
    Artifact,
    Bilingual,
    Bundle,
    Cue,
    Language,
    Line,
    ModelUse,
    Person,
    Provenance,
    Publication,
    Recording,
    Session,
    Timing,
    Transcript,
    Turn,
    Word,
)
from pipeline.verification import verify
from tests.memory_store import MemoryStore

WORD = Word(start_ms=0, end_ms=900, text="Bonjour", probability=0.9, language="fr")
CUES = (Cue(start_ms=0, end_ms=900, id="1", lines=(Line(words=(WORD,), speaker=None, language="fr"),)),)
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TODAY = NOON.date()
ZOE = list_key("person", Bilingual.same("Zoé Côté"))
LISTS = ("2026-11", "language-fr", "language-fr-2026-11", ZOE, f"{ZOE}-2026")
"""What a session of the tests stands on."""
WRITES = 49
"""How many objects its first publication writes."""
WRITES_AGAIN = 27
"""How many a second one writes, of other words."""
SEARCH_WRITES = ("0.bin", "sessions.bin", "index.json")
"""Of them, those to the search index."""


@dataclass(frozen=True, kw_only=True)
class PlainViews:
    """Pages that hold just what the tests ask about."""

    look: str = "1"
    machines: bool = False

    def assets(self) -> Sequence[SiteFile]:
        return [SiteFile(key=f"assets/{self.look}/site.css", body=self.look.encode(), content_type="text/css")]

    def session_pages(self, published: PublishedSession) -> Mapping[Language, str]:
        files = "\n".join(file.href for file in published.files)
        return {language: f"{language} {self.look} {published.published_at}\n{files}" for language in LANGUAGES}

    def withdrawn_pages(self, withdrawn_on: dt.date) -> Mapping[Language, str]:
        return {language: f"{language} {self.look} withdrawn on {withdrawn_on}" for language in LANGUAGES}

    def shelf_pages(
        self, shelf: Shelf, entries: Sequence[CatalogueEntry], around: Around | None = None
    ) -> Mapping[str, str]:
        del around
        text = "\n".join(f"{entry.session_id} {entry.revision}" for entry in entries)
        return {shelf.page(language): f"{self.look} {shelf.key}\n{text}" for language in LANGUAGES}

    def catalogue_pages(
        self, entries: Sequence[CatalogueEntry], shelves: Sequence[Shelf], ways: Collection[IndexKind] = ()
    ) -> Mapping[str, str]:
        del ways
        text = "\n".join(f"{entry.session_id} {entry.revision}" for entry in entries)
        return dict.fromkeys(("en/index.html", "fr/index.html", "index.html"), f"{self.look}\n{text}")

    def index_page(self, index: Index) -> str:
        return "\n".join([*(letter.key for letter in index.letters), *(shelf.key for shelf in index.shelves)])

    def index_files(self, letter: Letter, shelves: Sequence[Shelf]) -> Sequence[MachineFile]:
        return [self._machine_file(f"sitemap-{letter.key}.xml", [shelf.key for shelf in shelves])]

    def search_pages(self) -> Mapping[str, str]:
        return {f"{language}/search.html": self.look for language in LANGUAGES}

    def session_files(self, published: PublishedSession) -> Sequence[MachineFile]:
        return [self._machine_file(f"{published.folder}dublin-core.xml", [published.revision])]

    def shelf_files(
        self, shelf: Shelf, entries: Sequence[CatalogueEntry], themes: Sequence[CommonTheme] = ()
    ) -> Sequence[MachineFile]:
        name = shelf.programme.get("en") if shelf.programme else shelf.key
        return [self._machine_file(f"feeds/{name}.xml", [entry.session_id for entry in entries])]

    def site_files(
        self, entries: Sequence[CatalogueEntry], shelves: Sequence[Shelf], letters: Sequence[Letter] = ()
    ) -> Sequence[MachineFile]:
        del shelves, letters
        feed = self._machine_file("feeds/all.xml", [entry.session_id for entry in entries])
        return [feed, self._machine_file("robots.txt", [self.look])]

    def _machine_file(self, key: str, words: Sequence[str]) -> MachineFile:
        body = " ".join(words).encode() if self.machines and words else None
        return MachineFile(key=key, body=body, content_type="application/xml")


VIEWS = PlainViews()
MACHINES = PlainViews(machines=True)


class Killed(BaseException):
    """The machine dies."""


class DyingStore:
    """A store whose user dies right after, or right before, its k-th write; else the store it is given.

    Attributes:
        written: Keys written, in order.
        at_each_write: Called after each.
    """

    def __init__(self, store: Store, writes: int, *, before: bool = False) -> None:
        self._store = store
        self._left = writes
        self._before = before
        self.written: list[str] = []
        self.at_each_write: Callable[[], None] = lambda: None

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
        self._left -= 1
        if self._left <= 0 and self._before:
            raise Killed
        written = self._store.write(key, body, headers, sha256=sha256, replaces=replaces, only_new=only_new)
        self.written.append(key)
        self.at_each_write()
        if self._left <= 0:
            raise Killed
        return written

    def head(self, key: str) -> StoredObject | None:
        return self._store.head(key)

    def read(self, key: str) -> tuple[bytes, StoredObject] | None:
        return self._store.read(key)

    def read_sha256(self, key: str) -> str | None:
        return self._store.read_sha256(key)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return self._store.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self._store.delete(keys)

    def erase(self, prefix: str, *, keep: Collection[str]) -> int:
        return self._store.erase(prefix, keep=keep)

    def url(self, key: str) -> str:
        return self._store.url(key)


def make_artifact(folder: Path, name: str, text: str, role: str, content_type: str, download: str | None) -> Artifact:
    body = text.encode()
    path = folder / f"{hashlib.sha256(body).hexdigest()[:12]}-{name}"
    path.write_bytes(body)
    return Artifact(
        name=name,
        path=path,
        content_type=content_type,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        role=role,
        language="fr" if role != "video" else None,
        download_name=download,
    )


def make_bundle(folder: Path, text: str = "Bonjour", number: int = 1, date: dt.date | None = TODAY) -> Bundle:
    sha256 = hashlib.sha256(f"recording {number}".encode()).hexdigest()
    session = Session(
        id=sha256[:16],
        title=Bilingual(fr=f"Été {number}", en=f"Summer {number}"),
        languages=("fr",),
        date=date,
        guests=(Person(name="Zoé Côté"),),
    )
    return Bundle(
        session=session,
        recording=Recording(path=folder / "dropped.mp4", name="dropped.mp4", sha256=sha256, size=9),
        transcript=Transcript(
            session_id=session.id, language="fr", duration_ms=900, turns=(Turn(speaker=None, words=(WORD,)),)
        ),
        artifacts=(
            make_artifact(folder, "video.mp4", f"video {text}", "video", "video/mp4", "Été.mp4"),
            make_artifact(folder, "captions.fr.vtt", text, "captions", "text/vtt; charset=utf-8", "Été.vtt"),
            make_artifact(folder, "poster.jpg", f"poster {text}", "poster", "image/jpeg", None),
        ),
        provenance=Provenance(tool="tribune 0", models=(ModelUse(name="m", revision="r", sha256="0" * 64),)),
        timings=(Timing(stage="speech", seconds=1.5),),
    )


def put_out(bundle: Bundle, store: Store, views: Views = VIEWS) -> Publication:
    return publish(bundle, store, views=views, cues=CUES, now=lambda: NOON)


def manifest_of(bundle: Bundle, store: Store) -> Manifest:
    manifest = read_manifest(bundle.session.id, store)
    assert manifest is not None
    return manifest


def catalogue_of(store: Store) -> tuple[CatalogueEntry, ...]:
    return tuple(read_entries(store))


def check_reader(bundle: Bundle, store: Store) -> None:
    """Follow what a learner can reach and find every byte of it: the manifest's files, and the pages' links."""
    folder = f"sessions/{bundle.session.id}/"
    # Pages and lists may still have to be brought up to date; the files of what is published never.
    if (manifest := read_manifest(bundle.session.id, store)) is not None:
        for file in manifest.files:
            assert store.read_sha256(file_key(manifest, file)) == file.sha256, file.name
    for language in LANGUAGES:
        page = store.read(f"{folder}{language}.html")
        for href in page[0].decode().splitlines()[1:] if page else ():
            assert store.head(folder + href), href


def test_a_session_is_published_with_all_that_belongs_to_it(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    published = put_out(bundle, store)
    digest = bundle_digest(bundle)
    folder = f"sessions/{bundle.session.id}/"
    assert published.revision == f"r1-{digest[:8]}"
    names = ["captions.fr.vtt", "poster.jpg", "session.json", "video.mp4"]
    assert sorted(found.key for found in store.list("")) == sorted(
        [
            *(f"{folder}{published.revision}/{name}" for name in names),
            *(f"{folder}{name}" for name in ("manifest.json", "en.html", "fr.html", "passages.bin")),
            *("en/search.html", "fr/search.html", "search/index.json"),
            *(found.key for found in store.list("search/") if found.key.endswith(("/0.bin", "/sessions.bin"))),
            *("assets/1/site.css", "catalogue.json", "en/index.html", "fr/index.html", "index.html"),
            *(f"catalogue/{key}.json" for key in (*LISTS, "people-en-z", "people-fr-z")),
            *(f"{language}/lists/{key}.html" for language in LANGUAGES for key in (*LISTS, *INDEXES.values())),
            *(f"{language}/lists/people-z.html" for language in LANGUAGES),
        ]
    )
    assert published.written == WRITES
    assert [name for name, _ in published.files] == names
    assert dict(published.pages)["fr"] == store.url(f"{folder}fr.html")
    manifest = manifest_of(bundle, store)
    assert (manifest.digest, manifest.previous, manifest.published_at) == (digest, None, NOON)
    check_reader(bundle, store)


def test_session_json_tells_everything_that_made_it(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    published = put_out(bundle, store)
    found = store.read(f"sessions/{bundle.session.id}/{published.revision}/session.json")
    assert found is not None
    record = from_json(SessionDetails, found[0])
    assert (record.session, record.provenance, record.timings) == (bundle.session, bundle.provenance, bundle.timings)
    assert (record.recording_name, record.recording_sha256) == ("dropped.mp4", bundle.recording.sha256)
    assert str(tmp_path).encode() not in found[0]


def test_revisions_are_kept_by_browsers_and_pages_are_asked_for_again(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    published = put_out(bundle, store)

    def served(key: str) -> Mapping[str, str]:
        answer = store._client.head_object(Bucket=store.options.bucket, Key=key)
        return answer["ResponseMetadata"]["HTTPHeaders"]

    folder = f"sessions/{bundle.session.id}/"
    captions = served(f"{folder}{published.revision}/captions.fr.vtt")
    assert captions["cache-control"] == FOREVER
    assert captions["content-type"] == "text/vtt; charset=utf-8"
    assert captions["content-language"] == "fr"
    assert "filename*=UTF-8''%C3%89t%C3%A9.vtt" in captions["content-disposition"]
    assert "content-disposition" not in served(f"{folder}{published.revision}/poster.jpg")
    assert served("assets/1/site.css")["cache-control"] == FOREVER
    page = served(f"{folder}fr.html")
    assert (page["cache-control"], page["content-language"]) == (FRESH, "fr")
    assert page["content-type"] == "text/html; charset=utf-8"
    for key in (f"{folder}manifest.json", "catalogue.json", "en/index.html", "index.html"):
        assert served(key)["cache-control"] == FRESH
    assert served("en/index.html")["content-language"] == "en"
    for key in (f"{folder}fr.html", "assets/1/site.css", "catalogue.json", "en/index.html"):
        assert served(key)["content-encoding"] == "gzip"
    files = (f"{published.revision}/captions.fr.vtt", f"{published.revision}/session.json", "manifest.json")
    assert all("content-encoding" not in served(f"{folder}{name}") for name in files)


def test_a_rerun_writes_nothing(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    first = put_out(bundle, store)
    before = list(store.list(""))
    later = replace(
        bundle,
        timings=(Timing(stage="speech", seconds=99.0),),
        recording=replace(bundle.recording, name="dropped again.mp4"),
    )
    again = publish(later, store, views=VIEWS, cues=CUES, now=lambda: NOON + dt.timedelta(days=1))
    assert replace(again, written=first.written) == first
    assert again.written == 0
    assert list(store.list("")) == before


def test_changed_words_make_a_new_revision_and_keep_the_old(store: S3Store, tmp_path: Path) -> None:
    first = put_out(make_bundle(tmp_path), store)
    bundle = make_bundle(tmp_path, "Bonsoir")
    second = put_out(bundle, store)
    assert second.revision.startswith("r2-")
    assert manifest_of(bundle, store).previous == first.revision
    assert store.head(f"sessions/{bundle.session.id}/{first.revision}/video.mp4") is not None
    assert [entry.revision for entry in catalogue_of(store)] == [second.revision]
    check_reader(bundle, store)


def test_going_back_to_earlier_words_is_a_revision_of_its_own(store: S3Store, tmp_path: Path) -> None:
    for text in ("Bonjour", "Bonsoir", "Bonjour"):
        last = put_out(make_bundle(tmp_path, text), store)
    assert last.revision.startswith("r3-")


def test_pages_that_an_earlier_version_kept_uncompressed_are_compressed_by_the_next(
    store: S3Store, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path)
    put_out(bundle, store)
    key = f"sessions/{bundle.session.id}/fr.html"
    page = store.read(key)
    assert page is not None
    plain = replace(page_headers("fr"), compressed=False)
    store.write(key, page[0], plain, sha256=hashlib.sha256(page[0]).hexdigest())
    assert {finding.code for finding in verify(bundle.session.id, store)} == {"publishing.served"}
    assert put_out(bundle, store).written == 1
    assert verify(bundle.session.id, store) == ()
    assert store.read(key) is not None


def test_a_new_look_rewrites_the_pages_only(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    first = put_out(bundle, store)
    second = put_out(bundle, store, PlainViews(look="2"))
    assert (second.revision, second.written) == (first.revision, 18)


@pytest.mark.parametrize("name", ["video.mp4", "session.json"])
def test_what_has_gone_missing_is_noticed_and_published_anew(store: S3Store, tmp_path: Path, name: str) -> None:
    bundle = make_bundle(tmp_path)
    first = put_out(bundle, store)
    key = f"sessions/{bundle.session.id}/{first.revision}/{name}"
    store.delete([key])
    assert [(problem.code, problem.data) for problem in verify(bundle.session.id, store)] == [
        ("publishing.missing", (("key", key),))
    ]
    assert put_out(bundle, store).revision.startswith("r2-")
    check_reader(bundle, store)


def test_what_was_damaged_is_noticed(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    published = put_out(bundle, store)
    key = f"sessions/{bundle.session.id}/{published.revision}/video.mp4"
    good = next(file for file in manifest_of(bundle, store).files if file.name == "video.mp4")
    bad = b"x" * good.size
    store._client.put_object(Bucket=store.options.bucket, Key=key, Body=bad, Metadata={"sha256": good.sha256})
    # Whoever writes the right checksum beside the wrong bytes is found out by reading them.
    assert [problem.code for problem in verify(bundle.session.id, store, thorough=True)] == [
        "publishing.damaged",
        "publishing.served",
    ]


def test_what_lies_beside_the_files_is_checked_too(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    published = put_out(bundle, store, MACHINES)
    folder = f"sessions/{bundle.session.id}/"
    assert verify(bundle.session.id, store) == ()
    changed = [f"{folder}{name}" for name in ("dublin-core.xml", "passages.bin")]
    strange = [f"{folder}{name}" for name in ("notes.txt", f"{published.revision}/draft.mp4")]
    for key in (*changed, *strange, f"{folder}r2-0123abcd/video.mp4"):
        store._client.put_object(Bucket=store.options.bucket, Key=key, Body=b"changed")
    found = {(finding.code, dict(finding.data)["key"]) for finding in verify(bundle.session.id, store)}
    assert found == {("publishing.damaged", key) for key in changed} | {("publishing.extra", key) for key in strange}
    for key in strange:
        store.delete([key])
    put_out(bundle, store, MACHINES)
    assert verify(bundle.session.id, store) == ()


def test_what_a_page_leads_to_beside_it_is_missed(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    published = put_out(bundle, store)
    folder = f"sessions/{bundle.session.id}/"
    page = f'<a href="{published.revision}/video.mp4">Video</a> <a href="embed.fr.html">Player</a>'.encode()
    store.write(f"{folder}fr.html", page, page_headers("fr"), sha256=hashlib.sha256(page).hexdigest())
    (found,) = verify(bundle.session.id, store)
    assert (found.code, found.data) == ("publishing.missing", (("key", f"{folder}embed.fr.html"),))


def test_what_was_never_published_is_said_to_be_so(store: S3Store) -> None:
    assert [problem.code for problem in verify("0" * 16, store)] == ["publishing.unpublished"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"version": 2}', b"\xff"])
def test_a_manifest_that_is_none_stops_everything_and_says_what_to_do(
    store: S3Store, tmp_path: Path, body: bytes
) -> None:
    bundle = make_bundle(tmp_path)
    key = f"sessions/{bundle.session.id}/manifest.json"
    headers = ObjectHeaders(content_type="application/json", cache_control="no-cache")
    store.write(key, body, headers, sha256=hashlib.sha256(body).hexdigest())
    with pytest.raises(StoreCorrupt, match="Restore") as caught:
        put_out(bundle, store)
    assert caught.value.data["key"] == key
    assert "Restaurez" in caught.value.message("fr")


def test_another_bundles_record_in_the_way_stops_it(store: S3Store, tmp_path: Path) -> None:
    bundle, other = make_bundle(tmp_path), make_bundle(tmp_path, "Bonsoir")
    published = put_out(other, store)
    found = store.read(f"sessions/{other.session.id}/{published.revision}/session.json")
    assert found is not None
    store.delete([f"sessions/{other.session.id}/manifest.json"])
    key = f"sessions/{bundle.session.id}/r1-{bundle_digest(bundle)[:8]}/session.json"
    store.write(
        key, found[0], ObjectHeaders(content_type="x/y", cache_control="x"), sha256=hashlib.sha256(found[0]).hexdigest()
    )
    with pytest.raises(StoreCorrupt):
        put_out(bundle, store)


def test_a_bundle_may_not_bring_its_own_record(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    extra = make_artifact(tmp_path, "session.json", "{}", "metadata", "application/json", None)
    with pytest.raises(ValueError, match=r"session\.json"):
        put_out(replace(bundle, artifacts=(*bundle.artifacts, extra)), store)


def test_a_file_changed_after_it_was_weighed_is_not_published(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    bundle.artifacts[1].path.write_bytes(b"other")
    with pytest.raises(StoreCorrupt):
        put_out(bundle, store)
    assert read_manifest(bundle.session.id, store) is None


def test_killed_after_each_write_in_turn_the_rest_is_completed_and_nothing_is_written_twice(tmp_path: Path) -> None:
    """Die after every single write of a first publication and of a second, always running it again."""
    check_deaths(MemoryStore(), tmp_path, every=1)


def test_killed_after_some_writes_to_a_real_store_the_rest_is_completed(store: S3Store, tmp_path: Path) -> None:
    check_deaths(store, tmp_path, every=10)


def check_deaths(store: Store, folder: Path, *, every: int) -> None:
    """Publish twice with deaths, and see that each time all is there and nothing was written twice."""
    for text, writes in (("Bonjour", WRITES), ("Bonsoir", WRITES_AGAIN)):
        bundle = make_bundle(folder, text)
        made = [key for key in die_until_done(bundle, store, every) if not key.startswith("search/")]
        assert len(made) == len(set(made)) == writes - len(SEARCH_WRITES)
        assert put_out(bundle, store).written == 0
        assert manifest_of(bundle, store).digest == bundle_digest(bundle)
        assert [entry.session_id for entry in catalogue_of(store)] == [bundle.session.id]
    assert manifest_of(bundle, store).number == 2


def die_until_done(bundle: Bundle, store: Store, every: int) -> list[str]:
    """Publish with a death after so many writes not made before, until it is done; return what was written."""
    made: list[str] = []
    kill_at = every
    while True:
        dying = DyingStore(store, kill_at)
        try:
            put_out(bundle, dying)
        except Killed:
            made += dying.written
            check_reader(bundle, store)
            # An attempt begins its segment of the search index anew, under another name: let it come one write further.
            kill_at = len(dying.written) + 1 if made[-1].startswith("search/") else every
        else:
            return made + dying.written


def publish_together(jobs: Sequence[Bundle], options: S3Options) -> list[Publication]:
    """Publish all at the same moment, each through connections of its own."""
    start = threading.Barrier(len(jobs))

    def run(bundle: Bundle) -> Publication:
        with open_store(options) as own:
            start.wait()
            return put_out(bundle, own)

    with ThreadPoolExecutor(len(jobs)) as threads:
        return list(threads.map(run, jobs))


def test_two_publishers_of_different_words_never_mix(bucket: S3Options, store: S3Store, tmp_path: Path) -> None:
    for turn in range(4):
        rivals = [make_bundle(tmp_path, f"{turn} {name}") for name in ("A", "B")]
        results = publish_together(rivals, bucket)
        manifest = manifest_of(rivals[0], store)
        assert manifest.digest in {bundle_digest(rival) for rival in rivals}
        assert manifest.number == 2 * (turn + 1)
        assert {result.revision for result in results} == {manifest.revision, manifest.previous}
        check_reader(rivals[0], store)
        for language in LANGUAGES:
            page = store.read(f"sessions/{manifest.session_id}/{language}.html")
            assert page is not None
            assert all(href.startswith(f"{manifest.revision}/") for href in page[0].decode().splitlines()[1:])
        assert [entry.revision for entry in catalogue_of(store)] == [manifest.revision]


def test_publishers_of_the_same_words_make_one_revision(bucket: S3Options, store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    # Their session.json differ: each says how long it took.
    jobs = [replace(bundle, timings=(Timing(stage="speech", seconds=float(number)),)) for number in range(4)]
    results = publish_together(jobs, bucket)
    assert {result.revision for result in results} == {f"r1-{bundle_digest(bundle)[:8]}"}
    check_reader(bundle, store)
    assert put_out(bundle, store).written == 0


def test_sessions_published_at_once_are_all_in_the_catalogue(bucket: S3Options, store: S3Store, tmp_path: Path) -> None:
    bundles = [make_bundle(tmp_path, number=number) for number in range(6)]
    publish_together(bundles, bucket)
    expected = {bundle.session.id for bundle in bundles}
    assert sorted(entry.session_id for entry in catalogue_of(store)) == sorted(expected)
    for key in ("en/index.html", "fr/index.html", "index.html"):
        page = store.read(key)
        assert page is not None
        assert {line.split()[0] for line in page[0].decode().splitlines()[1:]} == expected
    assert all(put_out(bundle, store).written == 0 for bundle in bundles)


def test_a_publisher_who_comes_second_leaves_the_newer_pages_alone(store: S3Store, tmp_path: Path) -> None:
    slow, fast = make_bundle(tmp_path, "slow"), make_bundle(tmp_path, "fast")
    overtaken = DyingStore(store, 99)
    commit = f"sessions/{slow.session.id}/manifest.json"

    def overtake() -> None:
        if store.head(commit) is not None:
            overtaken.at_each_write = lambda: None
            put_out(fast, store)

    overtaken.at_each_write = overtake
    put_out(slow, overtaken)
    assert manifest_of(fast, store).digest == bundle_digest(fast)
    page = store.read(f"sessions/{fast.session.id}/fr.html")
    assert page is not None
    assert "r2-" in page[0].decode()
    assert put_out(fast, store).written == 0


def test_a_rival_who_is_always_faster_wins_in_the_end(store: S3Store, tmp_path: Path) -> None:
    class AlwaysLate(DyingStore):
        def read(self, key: str) -> tuple[bytes, StoredObject] | None:
            found = super().read(key)
            return found if found is None else (found[0], replace(found[1], etag='"0"'))

    bundle = make_bundle(tmp_path)
    put_out(bundle, store)
    with pytest.raises(StoreConflict) as caught:
        put_out(make_bundle(tmp_path, "Bonsoir"), AlwaysLate(store, 10_000))
    assert caught.value.retryable


def text_of(key: str, store: Store) -> str | None:
    found = store.read(key)
    return None if found is None else found[0].decode()


def in_programme(bundle: Bundle, name: str) -> Bundle:
    return replace(bundle, session=replace(bundle.session, programme=Bilingual(en=name)))


def test_what_programs_read_is_published_and_kept_up_to_date(store: S3Store, tmp_path: Path) -> None:
    first, second = (in_programme(make_bundle(tmp_path, number=number), "one") for number in (1, 2))
    for bundle in (first, second):
        published = put_out(bundle, store, MACHINES)
        assert text_of(f"sessions/{bundle.session.id}/dublin-core.xml", store) == published.revision
    assert set((text_of("feeds/one.xml", store) or "").split()) == {first.session.id, second.session.id}
    assert put_out(first, store, MACHINES).written == 0


def test_a_feed_that_no_session_belongs_to_any_more_is_removed(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    put_out(in_programme(bundle, "one"), store, MACHINES)
    put_out(in_programme(bundle, "two"), store, MACHINES)
    assert text_of("feeds/one.xml", store) is None
    assert text_of("feeds/two.xml", store) == bundle.session.id


def test_without_an_address_what_was_made_with_one_is_removed(store: S3Store, tmp_path: Path) -> None:
    bundle = in_programme(make_bundle(tmp_path), "one")
    put_out(bundle, store, MACHINES)
    assert text_of("feeds/all.xml", store) is not None
    put_out(bundle, store)
    assert text_of("feeds/all.xml", store) is None
    assert text_of("feeds/one.xml", store) is None


def test_a_feed_that_a_rival_needs_again_meanwhile_is_made_again(store: S3Store, tmp_path: Path) -> None:
    """While one removes the feed of a programme, another publishes a session of that programme."""
    mine, rival = in_programme(make_bundle(tmp_path), "two"), in_programme(make_bundle(tmp_path, number=2), "one")
    put_out(in_programme(make_bundle(tmp_path), "one"), store, MACHINES)

    class Overtaken(DyingStore):
        def delete(self, keys: Iterable[str]) -> None:
            put_out(rival, store, MACHINES)
            super().delete(keys)

    put_out(mine, Overtaken(store, 99), MACHINES)
    assert text_of("feeds/one.xml", store) == rival.session.id
    assert text_of("feeds/two.xml", store) == mine.session.id


def test_the_list_tells_programs_what_can_be_played(store: S3Store, tmp_path: Path) -> None:
    published = put_out(make_bundle(tmp_path), store)
    (entry,) = catalogue_of(store)
    video = entry.file("video")
    assert video is not None
    assert video.href == f"{published.revision}/video.mp4"
    assert store.head(f"{entry.folder}{video.href}") is not None
    assert entry.published_at == NOON


def test_the_catalogue_has_the_newest_first_then_by_title(store: S3Store, tmp_path: Path) -> None:
    days = {1: dt.date(2026, 1, 2), 2: None, 3: dt.date(2026, 5, 1), 5: dt.date(2026, 1, 2), 4: dt.date(2026, 1, 2)}
    for number, date in days.items():
        put_out(make_bundle(tmp_path, number=number, date=date), store)
    assert [entry.title.get("en") for entry in catalogue_of(store)] == [f"Summer {n}" for n in (3, 1, 4, 5, 2)]
    first = catalogue_of(store)[0]
    assert first.page("fr") == f"sessions/{first.session_id}/fr.html"
    assert first.guests == ("Zoé Côté",)
    assert first.poster is not None
    assert store.head(first.poster) is not None


@pytest.fixture(scope="module")
def three(shared_store: S3Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, ...]:
    """Publish three sessions once, for tests that leave everything as they found it."""
    folder = tmp_path_factory.mktemp("three")
    bundles = tuple(make_bundle(folder, number=number) for number in range(3))
    for bundle in bundles:
        put_out(bundle, shared_store)
    return bundles


@pytest.mark.parametrize("body", [None, b"oops", b'{"entries": [1]}'])
@pytest.mark.parametrize(
    "lost",
    [
        (CATALOGUE,),
        ("catalogue/2026-11.json",),
        (CATALOGUE, "catalogue/2026-11.json"),
        ("catalogue/language-fr.json", "catalogue/people-en-z.json"),
        (f"catalogue/{ZOE}.json", f"catalogue/{ZOE}-2026.json"),
    ],
)
def test_lists_that_are_lost_are_made_anew_from_the_manifests(
    shared_store: S3Store, three: tuple[Bundle, ...], body: bytes | None, lost: tuple[str, ...]
) -> None:
    before = catalogue_of(shared_store)
    shared_store.delete(lost)
    if body is not None:
        for key in lost:
            shared_store.write(key, body, FRESH_JSON, sha256=hashlib.sha256(body).hexdigest())
    assert put_out(three[0], shared_store).written == len(lost)
    assert catalogue_of(shared_store) == before
    assert [verify(bundle.session.id, shared_store) for bundle in three] == [(), (), ()]


def test_what_cannot_be_read_is_left_out_of_the_lists_until_it_is_published_again(
    store: S3Store, tmp_path: Path
) -> None:
    bundles = [make_bundle(tmp_path, number=number) for number in range(3)]
    for bundle in bundles:
        put_out(bundle, store)
    before = catalogue_of(store)
    store.delete([f"sessions/{bundles[2].session.id}/{manifest_of(bundles[2], store).revision}/session.json"])
    store.delete([CATALOGUE, "catalogue/2026-11.json"])
    put_out(bundles[0], store)
    assert catalogue_of(store) == tuple(entry for entry in before if entry.session_id != bundles[2].session.id)
    put_out(bundles[2], store)
    assert [entry.session_id for entry in catalogue_of(store)] == [entry.session_id for entry in before]


def test_the_digest_sees_what_is_published_and_nothing_else(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    digest = bundle_digest(bundle)
    moved = replace(bundle.artifacts[0], path=tmp_path / "elsewhere")
    assert bundle_digest(replace(bundle, timings=())) == digest
    assert bundle_digest(replace(bundle, artifacts=(*bundle.artifacts[1:], moved))) == digest
    assert bundle_digest(replace(bundle, provenance=Provenance(tool="tribune 1"))) != digest
    assert bundle_digest(replace(bundle, session=replace(bundle.session, week=2))) != digest
    assert bundle_digest(replace(bundle, artifacts=bundle.artifacts[1:])) != digest
    renamed = replace(bundle.artifacts[0], download_name="other.mp4")
    assert bundle_digest(replace(bundle, artifacts=(renamed, *bundle.artifacts[1:]))) != digest


def test_a_recordings_name_that_is_no_text_is_published_as_well_as_can_be(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    put_out(replace(bundle, recording=replace(bundle.recording, name="a\udcff.mp4")), store)
    found = store.read(f"sessions/{bundle.session.id}/{manifest_of(bundle, store).revision}/session.json")
    assert found is not None
    assert from_json(SessionDetails, found[0]).recording_name == "a?.mp4"
