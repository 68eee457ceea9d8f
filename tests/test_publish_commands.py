"""``tribune publish``: what an operator types, and what a facilitator then sees."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from config.settings import load_settings
from flows.retention import DailyRetention
from pipeline.cli import build
from pipeline.inbox import IntakeOptions, prepare
from pipeline.intake import sweep
from pipeline.journal import (
    Claimed,
    Processing,
    Published,
    Rejected,
    SessionRecord,
    Withdrawn,
    read_record,
    read_records,
    record_state,
    record_withdrawal,
)
from pipeline.publishing import publish
from pipeline.s3 import S3Options, S3Store
from pipeline.site.render import LearnerSite
from pipeline.status import render_status
from pipeline.types import LANGUAGES
from pipeline.verification import verify
from tests.test_publishing import CUES, NOON, make_bundle

MOVIE = b"\x00\x00\x00\x18ftypmp42"


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: S3Options) -> IntakeOptions:
    assert bucket.access_key is not None
    assert bucket.secret_key is not None
    root = tmp_path / "var"
    given = {
        "ROOT": str(root),
        "LANGUAGE": "en",
        "STORE__ENDPOINT": str(bucket.endpoint_url),
        "STORE__BUCKET": bucket.bucket,
        "STORE__ACCESS_KEY": bucket.access_key,
        "STORE__SECRET_KEY": bucket.secret_key,
    }
    for name, value in given.items():
        monkeypatch.setenv(f"TRIBUNE_{name}", value)
    found = IntakeOptions(inbox=root / "inbox", work=root / "work", settle_ms=0)
    prepare(found)
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["publish", *arguments])


def drop(options: IntakeOptions, name: str = "talk.mp4") -> SessionRecord:
    (options.inbox / name).write_bytes(MOVIE)
    result = sweep(options, sweep(options, {}).seen)
    assert not result.waiting
    (record,) = read_records(options.work)
    return record


def put_out(record: SessionRecord, store: S3Store, folder: Path, options: IntakeOptions) -> None:
    """Publish a session of long ago."""
    bundle = make_bundle(folder)
    session = replace(record.session, date=dt.date(2020, 1, 1))
    bundle = replace(
        bundle,
        session=session,
        transcript=replace(bundle.transcript, session_id=session.id),
        recording=record.recording,
    )
    done = publish(bundle, store, views=LearnerSite(), cues=CUES, now=lambda: NOON)
    record_state(options.work, session.id, record.attempt, Published(revision=done.revision, pages=done.pages))


def test_verify_says_what_is_wrong_and_fails_then(options: IntakeOptions, store: S3Store, tmp_path: Path) -> None:
    record = drop(options)
    put_out(record, store, tmp_path, options)
    good = run("verify")
    assert (good.exit_code, good.output.strip()) == (0, "Sessions checked: 1. Findings: 0.")
    store.delete([f"sessions/{record.session.id}/fr.html"])
    before = list(store.list(""))
    bad = run("verify", record.session.id, "--thorough")
    assert bad.exit_code == 5
    assert f"sessions/{record.session.id}/fr.html is missing" in bad.output
    assert list(store.list("")) == before


def test_verify_looks_at_lists_and_at_what_programs_read(
    options: IntakeOptions, store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = drop(options)
    put_out(record, store, tmp_path, options)
    for key in ("en/lists/2020-01.html", "fr/index.html"):
        found = store.read(key)
        assert found is not None
        assert found[1].headers is not None
        body = found[0].replace(b"</main>", b"old</main>")
        store.write(key, body, found[1].headers, sha256=hashlib.sha256(body).hexdigest())
    bad = run("verify")
    assert bad.exit_code == 5
    assert "en/lists/2020-01.html is not what the lists give" in bad.output
    assert "Findings: 2" in bad.output
    # A machine that was told another address finds everything that needs one not as it would make it.
    monkeypatch.setenv("TRIBUNE_STORE__PUBLIC_URL", "https://talks.example.org")
    other = run("verify").output
    assert "feeds/en/news.xml is not what" in other
    assert "sitemap.xml is not what" in other
    assert "store.public_url" in other


def test_the_watcher_withdraws_what_is_due_when_it_may(
    options: IntakeOptions, store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = drop(options)
    put_out(record, store, tmp_path, options)
    monkeypatch.setenv("TRIBUNE_RETENTION__KEEP_DAYS", "30")
    DailyRetention(load_settings()).apply(dt.date(2026, 11, 22))
    assert isinstance(read_records(options.work)[0].state, Published)
    monkeypatch.setenv("TRIBUNE_RETENTION__APPLY", "true")
    keeper = DailyRetention(load_settings())
    keeper.apply(dt.date(2020, 1, 30))
    assert isinstance(read_records(options.work)[0].state, Published)
    keeper.apply(dt.date(2020, 1, 31))
    state = read_records(options.work)[0].state
    assert isinstance(state, Withdrawn)
    assert "Kept for 30 days" in state.reason
    assert "Conservée 30 jours" in state.reason
    assert verify(record.session.id, store) == ()
    assert keeper.done_on == dt.date(2020, 1, 31)


@pytest.mark.parametrize("command", [("verify",), ("withdraw", "--reason", "x"), ("restore",), ("again",)])
@pytest.mark.parametrize("session", ["0" * 16, "../../etc"])
def test_a_session_that_there_is_not_is_refused(
    options: IntakeOptions, store: S3Store, command: tuple[str, ...], session: str
) -> None:
    refused = run(*command, session)
    assert refused.exit_code == 2
    assert "no session" in refused.output
    assert list(store.list("")) == []


def test_a_withdrawn_session_stays_away_until_it_is_restored(
    options: IntakeOptions, store: S3Store, tmp_path: Path
) -> None:
    record = drop(options)
    session_id = record.session.id
    put_out(record, store, tmp_path, options)
    reason = "Consent was taken back <b>today</b>"
    assert run("withdraw", session_id, "--reason", reason).exit_code == 0
    assert run("verify").exit_code == 0
    page = store.read(f"sessions/{session_id}/fr.html")
    assert page is not None
    for text in ("Cette séance n’est plus offerte", "This session is no longer available"):
        assert text in page[0].decode()
    assert reason not in "".join(found[0].decode() for each in store.list("") if (found := store.read(each.key)))

    # Dropped again, with new details too, it is answered and not processed.
    (options.inbox / "talk.toml").write_text('title = "New"\n', encoding="utf-8")
    again = drop(options)
    assert isinstance(again.state, Withdrawn)
    assert again.drops[-1].set_aside is not None
    assert [why.code for why in again.drops[-1].reasons] == ["intake.duplicate_withdrawn"]
    result = sweep(options, {})
    for language, shown in (("en", "Withdrawn"), ("fr", "Retiré")):
        status = render_status(options, result, [again], language)  # type: ignore[arg-type]
        assert shown in status
        assert "Consent was taken back &lt;b&gt;today&lt;/b&gt;" in status

    restored = run("restore", session_id)
    assert restored.exit_code == 0
    queued = read_record(options.work, session_id)
    assert queued is not None
    assert isinstance(queued.state, Claimed)
    assert queued.attempt > record.attempt
    put_out(queued, store, tmp_path, options)
    assert run("verify", session_id).exit_code == 0
    assert run("restore", session_id).exit_code == 2


def test_details_that_come_late_do_not_bring_a_withdrawn_session_back(options: IntakeOptions) -> None:
    record = drop(options)
    record_withdrawal(options.work, record.session.id, "why")
    (options.inbox / "talk.toml").write_text('title = "New"\n', encoding="utf-8")
    result = sweep(options, sweep(options, {}).seen)
    assert result.claims == ()
    assert not (options.inbox / "talk.toml").exists()
    (after,) = read_records(options.work)
    assert isinstance(after.state, Withdrawn)


def test_a_run_that_is_at_work_does_not_undo_a_withdrawal(options: IntakeOptions) -> None:
    record = drop(options)
    assert record_withdrawal(options.work, record.session.id, "why")
    after = record_state(options.work, record.session.id, record.attempt, Processing(stage="video", share=0.5))
    assert isinstance(after.state, Withdrawn)
    assert record_withdrawal(options.work, record.session.id, "why")
    assert read_record(options.work, record.session.id) == after


def test_a_restored_session_whose_recording_is_gone_asks_for_it(
    options: IntakeOptions, store: S3Store, tmp_path: Path
) -> None:
    record = drop(options)
    put_out(record, store, tmp_path, options)
    run("withdraw", record.session.id, "--reason", "x")
    record.recording.path.unlink()
    restored = run("restore", record.session.id)
    assert restored.exit_code == 0
    assert "drop it again" in restored.output
    after = read_record(options.work, record.session.id)
    assert after is not None
    assert isinstance(after.state, Rejected)
    assert isinstance(drop(options).state, Claimed)


def test_a_session_is_published_again_while_it_is_public_and_its_recording_is_here(
    options: IntakeOptions, store: S3Store, tmp_path: Path
) -> None:
    record = drop(options)
    session_id = record.session.id
    put_out(record, store, tmp_path, options)
    asked = run("again", session_id)
    assert asked.exit_code == 0
    assert "tribune up" in asked.output
    queued = read_record(options.work, session_id)
    assert queued is not None
    assert isinstance(queued.state, Claimed)
    assert queued.attempt == record.attempt + 1
    assert queued.publication is not None
    # Asked twice it is published once.
    assert run("again", session_id).exit_code == 0
    assert read_record(options.work, session_id) == queued
    run("withdraw", session_id, "--reason", "x")
    assert run("again", session_id).exit_code == 2
    run("restore", session_id)
    record.recording.path.unlink()
    refused = run("again", session_id)
    assert refused.exit_code == 2
    assert "tribune process" in refused.output


def test_all_that_is_public_is_published_again_as_far_as_it_can_be(
    options: IntakeOptions, store: S3Store, tmp_path: Path
) -> None:
    for wrong in ((), ("0" * 16, "--all")):
        refused = run("again", *wrong)
        assert refused.exit_code == 2
        assert "--all" in refused.output
    assert "Sessions queued: 0 of the 0 that are public." in run("again", "--all").output
    record = drop(options)
    put_out(record, store, tmp_path, options)
    asked = run("again", "--all")
    assert asked.exit_code == 0
    assert f"The session {record.session.id} is published again" in asked.output
    assert "Sessions queued: 1 of the 1 that are public." in asked.output
    queued = read_record(options.work, record.session.id)
    assert queued is not None
    assert isinstance(queued.state, Claimed)
    # What is public and has nothing here is named, and the others are queued all the same.
    shutil.rmtree(options.work / record.session.id)
    missing = run("again", "--all")
    assert missing.exit_code == 2
    assert "Sessions queued: 0 of the 1 that are public." in missing.output
    assert "tribune process" in missing.output
    run("withdraw", record.session.id, "--reason", "x")
    assert run("again", "--all").exit_code == 0


def test_retention_lists_what_is_due_and_withdraws_it_when_told(
    options: IntakeOptions, store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "keep everything" in run("retention").output
    record = drop(options)
    put_out(record, store, tmp_path, options)
    monkeypatch.setenv("TRIBUNE_RETENTION__KEEP_DAYS", "36525")
    assert "No session is due" in run("retention", "--apply").output
    monkeypatch.setenv("TRIBUNE_RETENTION__KEEP_DAYS", "1")
    assert record.session.id in run("retention").output
    assert store.head(f"sessions/{record.session.id}/manifest.json") is not None
    assert isinstance(read_records(options.work)[0].state, Published)
    assert run("retention", "--apply").exit_code == 0
    assert isinstance(read_records(options.work)[0].state, Withdrawn)
    assert "No session is due" in run("retention").output


def test_every_command_explains_itself_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    for language in LANGUAGES:
        monkeypatch.setenv("TRIBUNE_LANGUAGE", language)
        for command in ("verify", "withdraw", "restore", "again", "retention"):
            assert CliRunner().invoke(build(), ["publish", command, "--help"]).exit_code == 0
