"""The lists of all sessions: complete, in order, and cheap to keep however many sessions there are."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.list_checks import outdated
from pipeline.list_views import SHOWN_FIRST, ListViews
from pipeline.lists import Lists
from pipeline.ports import ObjectHeaders
from pipeline.published import Manifest, SessionDetails, manifest_key, write
from pipeline.publishing import publish
from pipeline.search_store import SearchIndex
from pipeline.serial import to_json
from pipeline.shelves import Catalogue, read_catalogue, read_entries, read_shelf
from pipeline.site.feeds import COVER
from pipeline.site.model import INDEXES, SiteOptions, index_page_key, session_prefix
from pipeline.site.render import LearnerSite
from pipeline.site.subjects import list_key
from pipeline.types import LANGUAGES, Bilingual, Person, Provenance, Session
from pipeline.withdrawal import withdraw
from tests.memory_store import MemoryStore
from tests.test_publishing import CUES, NOON, VIEWS, make_bundle, put_out

PLAIN = ObjectHeaders(content_type="x/y", cache_control="no-cache")
MOST_OBJECTS = 130
MOST_READS = 1_200
MOST_BYTES = 1_500_000
"""What one more session, with two topics, two people and a community, may cost however many there are."""
LARGEST_PAGE = 400_000
"""Bytes; that of the most usual topic in one year, of which there are more than three hundred sessions."""
PROGRAMMES = [Bilingual(en=f"Programme {number}") for number in range(40)]


def make_session(number: int, date: dt.date | None, programme: Bilingual | None, **changes: object) -> Session:
    """Return a session of which little is known but what is given."""
    session = Session(
        id=f"{number:016x}",
        title=Bilingual(en=f"Session {number}", fr=f"Séance {number}"),
        languages=("en",),
        date=date,
        programme=programme,
    )
    return replace(session, **changes)  # type: ignore[arg-type]


def put_session(
    store: MemoryStore,
    number: int,
    date: dt.date | None,
    programme: Bilingual | None,
    revision: str = "r1-00000000",
    /,
    **changes: object,
) -> str:
    """Write what is published of a session, but none of the lists."""
    session = make_session(number, date, programme, **changes)
    details = SessionDetails(
        session=session,
        recording_name="x.mp4",
        recording_sha256="0" * 64,
        recording_size=1,
        duration_ms=60_000,
        notices=(),
        provenance=Provenance(tool="tribune 0"),
        timings=(),
        revision=revision,
        digest="0" * 64,
        published_at=NOON,
    )
    manifest = Manifest(
        session_id=session.id, revision=revision, previous=None, digest="0" * 64, published_at=NOON, files=()
    )
    store.delete([manifest_key(session.id)])
    write(store, f"{session_prefix(session.id)}{revision}/session.json", to_json(details), PLAIN)
    write(store, manifest_key(session.id), to_json(manifest), PLAIN)
    return session.id


def day_of(number: int) -> dt.date:
    return dt.date(2016, 1, 1) + dt.timedelta(days=number * 3652 // 10_000)


def found_by(number: int) -> dict[str, object]:
    """Return what session of that number among ten thousand can be found by.

    One topic in a third of them, a hundred more, the usual ones often; two hundred guests and thirty hosts; five
    communities; English, French, or both.
    """
    dice = random.Random(number)  # noqa: S311  # no secret, the same each time
    topic, guest = int(100 * dice.random() ** 2), dice.randrange(200)
    topics = [*["Digital"][number % 3 :], f"{chr(65 + topic % 26)}-topic {topic}"]
    return {
        "topics": tuple(Bilingual(en=name, fr=f"{name[0]}-thème {name}") for name in topics),
        "guests": (Person(name=f"{chr(65 + guest % 26)}. Guest {guest}"),),
        "host": Person(name=f"Host {number % 30}"),
        "community": Bilingual(en=f"Community {number % 5}", fr=f"Communauté {number % 5}"),
        "languages": (("en",), ("fr",), ("en", "fr"))[number % 3],
    }


@pytest.fixture(scope="module")
def ten_thousand() -> MemoryStore:
    """Give a store with ten thousand sessions over ten years, in forty programmes, and their lists."""
    store = MemoryStore()
    for number in range(10_000):
        last = put_session(store, number, day_of(number), PROGRAMMES[number % 40], **found_by(number))
        if number == 9_998:
            SearchIndex(store).update(last)
    Lists(store, VIEWS).update(last)
    SearchIndex(store).update(last)
    return store


def test_ten_thousand_sessions_are_all_listed_the_newest_first(ten_thousand: MemoryStore) -> None:
    entries = list(read_entries(ten_thousand))
    assert len(entries) == len({entry.session_id for entry in entries}) == 10_000
    days = [entry.date for entry in entries if entry.date is not None]
    assert days == sorted(days, reverse=True)
    shelves = read_catalogue(ten_thousand).shelves
    assert sum(shelf.count for shelf in shelves if shelf.programme) == 10_000


def test_one_more_session_among_ten_thousand_touches_as_few_objects_as_among_none(
    ten_thousand: MemoryStore, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path, date=dt.date(2020, 5, 5))
    session = replace(bundle.session, programme=PROGRAMMES[3], **found_by(77))  # type: ignore[arg-type]
    bundle = replace(bundle, session=session)
    alone = MemoryStore()
    put_out(bundle, alone)
    ten_thousand.written.clear()
    ten_thousand.reads = 0
    put_out(bundle, ten_thousand)
    # The pages of the parts beside, and no page of the latest: a session of 2020 is not among them.
    touched, those_alone = (
        {key for key, _ in each.written if not key.startswith("search/")} for each in (ten_thousand, alone)
    )
    beside = touched - those_alone
    assert all("/lists/" in key for key in beside)
    assert len(ten_thousand.written) <= MOST_OBJECTS
    assert ten_thousand.reads <= MOST_READS
    assert sum(size for _, size in ten_thousand.written) < MOST_BYTES
    ten_thousand.written.clear()
    withdraw(bundle.session.id, ten_thousand, views=VIEWS)
    assert len(ten_thousand.written) <= MOST_OBJECTS
    assert bundle.session.id not in {entry.session_id for entry in read_entries(ten_thousand)}


def test_what_programs_read_is_kept_at_the_same_price(ten_thousand: MemoryStore, tmp_path: Path) -> None:
    """Feeds, sitemaps and a course are brought up to date for one session of ten thousand, and let go of it again."""
    bundle = make_bundle(tmp_path, date=dt.date(2020, 5, 6), number=2)
    bundle = replace(bundle, session=replace(bundle.session, programme=PROGRAMMES[4]))
    views = LearnerSite(SiteOptions(address="https://talks.example.org"))
    publish(bundle, ten_thousand, views=views, cues=CUES, now=lambda: NOON + dt.timedelta(days=1))
    ten_thousand.written.clear()
    ten_thousand.reads = 0
    withdraw(bundle.session.id, ten_thousand, views=views)
    assert len(ten_thousand.written) <= MOST_OBJECTS
    assert ten_thousand.reads <= MOST_READS
    for found in ten_thousand.list(""):
        kept = ten_thousand.read(found.key)
        assert kept is not None
        own = found.key.startswith(session_prefix(bundle.session.id))
        assert own or bundle.session.id.encode() not in kept[0], found.key
    notice = {found.key.rpartition("/")[2] for found in ten_thousand.list(session_prefix(bundle.session.id))}
    assert notice == {"manifest.json", "en.html", "fr.html"}


def test_machines_that_differ_in_the_address_are_told_so(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    own = put_session(store, 1, day_of(1), PROGRAMMES[0])
    for address, warned in (("https://a.example.org", 0), ("https://a.example.org", 0), ("https://b.example.org", 1)):
        caplog.clear()
        Lists(store, LearnerSite(SiteOptions(address=address))).update(own)
        assert len([record for record in caplog.records if "store.public_url" in record.message]) == warned


def test_another_address_is_told_on_every_list_with_the_next_publication() -> None:
    store = MemoryStore()
    for number in range(3):
        last = put_session(store, number, day_of(number * 1_000), PROGRAMMES[number])
    for address in (None, "https://old.example.org", "https://new.example.org", None):
        Lists(store, LearnerSite(SiteOptions(address=address))).update(last)
        made = [found.key for prefix in ("feeds/", "sitemap", "robots") for found in store.list(prefix)]
        assert bool(made) == (address is not None)
        for key in made:
            if key == COVER:
                continue
            body = store.read(key)
            assert body is not None
            assert str(address).encode() in body[0], key
        names = [key.rpartition("/")[2] for key in made]
        assert names.count("course.imscc") == (6 if address else 0)
        assert len([name for name in names if name.startswith("sitemap-20")]) == (3 if address else 0)


def test_every_page_of_ten_thousand_sessions_is_light_and_all_are_reached(ten_thousand: MemoryStore) -> None:
    catalogue = read_catalogue(ten_thousand)
    latest = list(read_entries(ten_thousand))[:SHOWN_FIRST]
    site, lists = LearnerSite(), ListViews(ten_thousand, LearnerSite())
    for language in LANGUAGES:
        page = site.catalogue_pages(latest, catalogue.shelves, catalogue.ways)[f"{language}/index.html"]
        assert len(page.encode()) < LARGEST_PAGE
        for kind in INDEXES:
            assert f'href="../{index_page_key(kind, language)}"' in page
            index = lists.index(kind, language)
            shown = site.index_page(index)
            assert len(shown.encode()) < LARGEST_PAGE
            assert shown.count("/lists/") >= len(index.shelves) + len(index.letters) > 0
    largest = max(catalogue.subjects, key=lambda shelf: shelf.count)
    topic = list_key("topic", Bilingual(en="Digital"))
    for key in (largest.key, f"{topic}-2020", topic, max(catalogue.shelves, key=lambda shelf: shelf.count).key):
        shelved = read_shelf(key, ten_thousand)
        assert shelved is not None
        shown_first = shelved.entries if shelved.part else shelved.entries[:SHOWN_FIRST]
        for page in site.shelf_pages(shelved.shelf, shown_first).values():
            assert len(page.encode()) < LARGEST_PAGE, key


def test_the_first_page_shows_all_while_they_are_few() -> None:
    store = MemoryStore()
    for number in range(SHOWN_FIRST):
        last = put_session(store, number, None, PROGRAMMES[0])
    Lists(store, LearnerSite()).update(last)
    page = store.read("en/index.html")
    assert page is not None
    assert b"All sessions by month" not in page[0]
    Lists(store, LearnerSite()).update(put_session(store, SHOWN_FIRST, day_of(1), None))
    page = store.read("en/index.html")
    assert page is not None
    assert page[0].count(b'class="card"') == SHOWN_FIRST
    for text in (b"All sessions by month", b"January 2016", b"Without a date", b"Programme 0"):
        assert text in page[0]


SESSIONS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.none() | st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 31)),
        st.none() | st.sampled_from(PROGRAMMES[:2]),
        st.booleans(),
        st.sampled_from((None, Bilingual(en="Data"), Bilingual(en="data", fr="Données"), Bilingual(en="Éthique"))),
    ),
    min_size=1,
    max_size=8,
)


@given(changes=SESSIONS)
@settings(max_examples=25, deadline=None)
def test_lists_kept_step_by_step_are_those_made_at_once(
    changes: list[tuple[int, dt.date | None, Bilingual | None, bool, Bilingual | None]],
) -> None:
    """Whatever sessions come, move and go, the lists say what the manifests say."""
    store, withdrawn = MemoryStore(), set()
    for turn, (number, date, programme, gone, topic) in enumerate(changes, start=1):
        if f"{number:016x}" in withdrawn:
            continue
        topics = () if topic is None else (topic,)
        session_id = put_session(store, number, date, programme, f"r{turn}-00000000", topics=topics, community=topic)
        if gone:
            withdraw(session_id, store, views=VIEWS, now=lambda: NOON)
            withdrawn.add(session_id)
        else:
            Lists(store, VIEWS).update(session_id)
    kept = read_catalogue(store), list(read_entries(store))
    assert len({entry.session_id for entry in kept[1]}) == len(kept[1])
    lists = [found.key for found in store.list("catalogue")]
    pages = {found.key: store.read(found.key) for found in store.list("en/")}
    store.delete(lists)
    Lists(store, VIEWS).update("0" * 16)
    assert (read_catalogue(store), list(read_entries(store))) == kept
    assert {found.key: store.read(found.key) for found in store.list("en/")} == pages


def test_a_catalogue_of_the_first_form_is_replaced_by_lists(tmp_path: Path) -> None:
    store = MemoryStore()
    kept = put_session(store, 1, day_of(1), None)
    write(store, "catalogue.json", b'{"entries":[],"version":1}', PLAIN)
    bundle = make_bundle(tmp_path)
    put_out(bundle, store)
    assert {entry.session_id for entry in read_entries(store)} == {kept, bundle.session.id}
    assert isinstance(read_catalogue(store), Catalogue)


@pytest.mark.parametrize("address", [None, "https://example.org/t"])
def test_a_site_has_its_pages_before_anything_is_published(address: str | None) -> None:
    store, site = MemoryStore(), LearnerSite(SiteOptions(address=address))
    assert Lists(store, site).begin()
    SearchIndex(store).begin()
    assert store.head("en/index.html")
    assert store.head("fr/search.html")
    assert not list(outdated(store, site))
    session_id = put_session(store, 1, day_of(1), PROGRAMMES[0])
    lists = Lists(store, site)
    assert not lists.begin(), "what is to be said of a session is publishing's"
    assert not lists.written
    lists.update(session_id)
    assert not list(outdated(store, site))
