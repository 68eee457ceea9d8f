"""What is withdrawn is gone from everywhere, stays gone, and comes back only when somebody says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import SessionWithdrawn
from pipeline.ports import Store
from pipeline.published import Withdrawal, read_held
from pipeline.retention import RetentionRule, find_due
from pipeline.s3 import S3Store
from pipeline.search_store import SearchIndex
from pipeline.shelves import Catalogue, read_catalogue, read_entries
from pipeline.types import LANGUAGES, Bilingual
from pipeline.verification import verify
from pipeline.withdrawal import restore, withdraw
from tests.memory_store import MemoryStore
from tests.test_publishing import NOON, TODAY, VIEWS, WRITES_AGAIN, DyingStore, Killed, make_bundle, put_out

ONE_DAY = dt.timedelta(days=1)


class DyingAtErasing(DyingStore):
    """A store whose user also dies right before what is stored is erased."""

    def erase(self, prefix: str, *, keep: Collection[str]) -> int:
        raise Killed


def take_back(session_id: str, store: Store) -> Withdrawal:
    return withdraw(session_id, store, views=VIEWS, now=lambda: NOON)


def check_gone(session_id: str, store: Store) -> None:
    folder = f"sessions/{session_id}/"
    assert sorted(each.key for each in store.list(folder)) == [
        f"{folder}{name}" for name in ("en.html", "fr.html", "manifest.json")
    ]
    for language in LANGUAGES:
        page = store.read(f"{folder}{language}.html")
        assert page is not None
        assert b"withdrawn on 2026-11-21" in page[0]
    for key in ("en/index.html", "fr/index.html", "en/lists/2026-11.html", "fr/lists/2026-11.html"):
        listed = store.read(key)
        assert listed is not None
        assert session_id.encode() not in listed[0]
    assert session_id not in {entry.session_id for entry in read_entries(store)}
    assert SearchIndex(store).find(session_id) is None
    assert verify(session_id, store) == ()


def test_a_withdrawn_session_is_gone_from_pages_lists_and_storage(store: S3Store, tmp_path: Path) -> None:
    bundle, other = make_bundle(tmp_path), make_bundle(tmp_path, number=2)
    for each in (bundle, make_bundle(tmp_path, "Bonsoir"), other):
        put_out(each, store)
    withdrawal = take_back(bundle.session.id, store)
    assert (withdrawal.number, withdrawal.withdrawn_at) == (2, NOON)
    check_gone(bundle.session.id, store)
    assert [entry.session_id for entry in read_entries(store)] == [other.session.id]
    assert verify(other.session.id, store) == ()
    assert put_out(other, store).written == 0


def test_withdrawing_again_changes_nothing(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    put_out(bundle, store)
    first = take_back(bundle.session.id, store)
    before = list(store.list(""))
    again = withdraw(bundle.session.id, store, views=VIEWS, now=lambda: NOON + ONE_DAY)
    assert again == first
    assert list(store.list("")) == before


def test_a_withdrawn_session_is_not_published_again(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    put_out(bundle, store)
    take_back(bundle.session.id, store)
    for text in ("Bonjour", "Bonsoir"):
        with pytest.raises(SessionWithdrawn) as caught:
            put_out(make_bundle(tmp_path, text), store)
    assert "tribune publish restore" in caught.value.message("fr")
    check_gone(bundle.session.id, store)


def check_killed(store: Store, folder: Path, *, kill_at: int, before: bool) -> None:
    """Take back what is published, die at a write of that, and take it back again."""
    bundle = make_bundle(folder, number=2 * kill_at + before)
    put_out(bundle, store)
    with suppress(Killed):
        take_back(bundle.session.id, DyingStore(store, kill_at, before=before))
    take_back(bundle.session.id, store)
    check_gone(bundle.session.id, store)


@pytest.mark.parametrize("before", [False, True])
def test_killed_at_any_write_a_second_withdrawal_completes_it(tmp_path: Path, *, before: bool) -> None:
    store = MemoryStore()
    # The manifest, two notices, then lists and pages, more of them than there are here.
    for kill_at in range(1, 40):
        check_killed(store, tmp_path, kill_at=kill_at, before=before)


@pytest.mark.parametrize("before", [False, True])
def test_killed_at_some_write_to_a_real_store_it_is_completed(store: S3Store, tmp_path: Path, *, before: bool) -> None:
    for kill_at in (1, 9):
        check_killed(store, tmp_path, kill_at=kill_at, before=before)


def test_killed_before_the_files_are_erased_it_is_seen_and_completed(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    put_out(bundle, store)
    with pytest.raises(Killed):
        take_back(bundle.session.id, DyingAtErasing(store, 99))
    assert {found.code for found in verify(bundle.session.id, store)} == {"publishing.left"}
    with pytest.raises(SessionWithdrawn):
        put_out(bundle, store)
    check_gone(bundle.session.id, store)


def check_overtaken(store: Store, folder: Path, writes: int) -> None:
    """Take a session back after so many writes of its second publication."""
    bundle = make_bundle(folder, number=writes)
    put_out(make_bundle(folder, "earlier", number=writes), store)
    overtaken = DyingStore(store, 99)

    def overtake() -> None:
        if len(overtaken.written) == writes:
            take_back(bundle.session.id, store)

    overtaken.at_each_write = overtake
    with suppress(SessionWithdrawn):
        put_out(bundle, overtaken)
    assert len(overtaken.written) >= writes
    check_gone(bundle.session.id, store)


def test_withdrawn_at_any_write_of_its_publication_nothing_is_left(tmp_path: Path) -> None:
    store = MemoryStore()
    for writes in range(1, WRITES_AGAIN + 1):
        check_overtaken(store, tmp_path, writes)


@pytest.mark.parametrize("writes", [3, 12, 21])
def test_withdrawn_while_it_is_being_published_to_a_real_store_nothing_is_left(
    store: S3Store, tmp_path: Path, writes: int
) -> None:
    check_overtaken(store, tmp_path, writes)


def test_a_restored_session_is_published_as_a_later_revision(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    put_out(bundle, store)
    take_back(bundle.session.id, store)
    assert restore(bundle.session.id, store, now=lambda: NOON)
    assert not restore(bundle.session.id, store)
    assert put_out(bundle, store).revision.startswith("r2-")
    assert verify(bundle.session.id, store) == ()
    assert not restore(bundle.session.id, store)


def test_a_session_that_changed_its_month_and_programme_is_gone_from_both_lists(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    programme = Bilingual(en="Skills", fr="Compétences")
    moved = replace(bundle.session, date=dt.date(2025, 3, 1), programme=programme)
    for each in (bundle, replace(bundle, session=moved)):
        put_out(each, store)
    assert [shelf.month for shelf in read_catalogue(store).shelves] == [dt.date(2025, 3, 1), None]
    take_back(bundle.session.id, store)
    assert read_catalogue(store) == Catalogue()
    check_gone(bundle.session.id, store)


def test_what_was_never_published_can_be_withdrawn_beforehand(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    take_back(bundle.session.id, store)
    held = read_held(bundle.session.id, store)
    assert held is not None
    assert held.value.number == 0
    with pytest.raises(SessionWithdrawn):
        put_out(bundle, store)


def versions_in(store: S3Store) -> list[tuple[str, bool]]:
    found = store._client.list_object_versions(Bucket=store.options.bucket, Prefix="sessions/")
    return [
        (each["Key"].rpartition("/")[2], each["IsLatest"])
        for each in (*found.get("Versions", []), *found.get("DeleteMarkers", []))
    ]


def test_a_bucket_that_keeps_versions_keeps_none_of_a_withdrawn_session(store: S3Store, tmp_path: Path) -> None:
    store._client.put_bucket_versioning(Bucket=store.options.bucket, VersioningConfiguration={"Status": "Enabled"})
    bundle = make_bundle(tmp_path)
    for text in ("Bonjour", "Bonsoir"):
        put_out(make_bundle(tmp_path, text), store)
    assert ("manifest.json", False) in versions_in(store)
    take_back(bundle.session.id, store)
    assert sorted(versions_in(store)) == [("en.html", True), ("fr.html", True), ("manifest.json", True)]
    check_gone(bundle.session.id, store)


def test_uploads_that_were_begun_are_given_up_with_the_session(store: S3Store, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    put_out(bundle, store)
    key = f"sessions/{bundle.session.id}/r9-00000000/video.mp4"
    store._client.create_multipart_upload(Bucket=store.options.bucket, Key=key)
    take_back(bundle.session.id, store)
    assert not store._client.list_multipart_uploads(Bucket=store.options.bucket).get("Uploads")


def test_sessions_are_due_by_date_and_by_programme(store: S3Store, tmp_path: Path) -> None:
    short = Bilingual(en="Short", fr="Bref")
    days = {1: (TODAY, None), 2: (TODAY - 40 * ONE_DAY, None), 3: (TODAY - 7 * ONE_DAY, short), 4: (None, short)}
    ids = {}
    for number, (date, programme) in days.items():
        bundle = make_bundle(tmp_path, number=number, date=date)
        put_out(replace(bundle, session=replace(bundle.session, programme=programme)), store)
        ids[bundle.session.id] = number
    rule = RetentionRule(keep_days=40, programmes=(("bref", 7),))

    def due_on(day: dt.date, rule: RetentionRule = rule) -> list[int]:
        return [ids[due.entry.session_id] for due in find_due(rule, store, day)]

    assert due_on(TODAY - ONE_DAY) == []
    assert due_on(TODAY) == [3, 2]
    # Without a date, the day of publication counts.
    assert due_on(TODAY + 7 * ONE_DAY) == [3, 2, 4]
    assert due_on(TODAY + 400 * ONE_DAY, RetentionRule()) == []
    assert due_on(TODAY + 40 * ONE_DAY) == [1, 3, 2, 4]


def test_a_session_cannot_be_kept_for_less_than_a_day() -> None:
    for wrong in ({"keep_days": 0}, {"programmes": (("a", 0),)}):
        with pytest.raises(ValueError, match="a day"):
            RetentionRule(**wrong)
