"""What the review server gives, to whom, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from flows.review_server import ReviewOptions, make_app, read_key
from pipeline.approving import approve, finish_approvals
from pipeline.corrections import revise
from pipeline.editor.wire import (
    ChapterMark,
    Run,
    Sent,
    SentSpeaker,
    SentTurn,
    propose_for,
    read_correction,
    suggest_chapters,
    view_difference,
    view_session,
)
from pipeline.errors import CorrectionInvalid, MediaError, RevisionMissing
from pipeline.journal import Claimed, Published, State, read_record, record_withdrawal, write_record
from pipeline.messages import catalogue
from pipeline.peaks import PEAKS_PER_SECOND, read_peaks
from pipeline.report_files import SentReport
from pipeline.reports import Reports
from pipeline.review import Desk
from pipeline.revisions import Cut, Entry, Revision
from pipeline.serial import from_json
from pipeline.types import LANGUAGES, Bilingual, Chapter, Transcript
from tests.desk import NOW, PROVENANCE, lay_out, reviewable, said, write_sound
from tests.test_chapters import talk

KEY: Final = "k" * 64
ADDRESS: Final = "http://127.0.0.1:8340"
OURS: Final = {"origin": ADDRESS, "x-tribune-key": KEY}
ROOT: Final = Path(__file__).parent.parent


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    session, transcript = reviewable("en")
    (tmp_path / "video.mp4").write_bytes(bytes(range(256)) * 40)
    return lay_out(tmp_path / "work", session, transcript, media=tmp_path / "video.mp4")


@pytest.fixture
def approved() -> list[str]:
    return []


@pytest.fixture
def client(tmp_path: Path, desk: Desk, approved: list[str]) -> Iterator[TestClient]:
    app = make_app(ReviewOptions(work=tmp_path / "work", key=KEY, approved=approved.append))
    with TestClient(app, base_url=ADDRESS) as opened:
        yield opened


def api(desk: Desk, path: str = "") -> str:
    return f"/api/sessions/{desk.session_id}{path}"


def untouched(client: TestClient, desk: Desk) -> dict[str, Any]:
    """Return the session as a page that changes nothing would send it."""
    session = client.get(api(desk)).json()
    turns, at = [], 0
    for turn in session["turns"]:
        count = len(turn["words"])
        turns.append({"speaker": turn["speaker"], "words": [[at, at + count]]})
        at += count
    speakers = [{"key": each["key"], "name": each["name"]} for each in session["speakers"]]
    return {"turns": turns, "speakers": speakers, "cuts": session["cuts"], "title": None}


def save(client: TestClient, desk: Desk, session: dict[str, Any], based_on: int = 1) -> httpx2.Response:
    sent = {"author": "Anna", "based_on": based_on, "session": session}
    return client.post(api(desk, "/revisions"), json=sent, headers=OURS)


def draft(
    client: TestClient, desk: Desk, writer: str, follows: tuple[str, ...] = (), at_ms: int = 5
) -> httpx2.Response:
    sent = {
        "author": "Anna",
        "based_on": 1,
        "writer": writer,
        "follows": follows,
        "at_ms": at_ms,
        "session": untouched(client, desk),
    }
    return client.put(api(desk, "/draft"), json=sent, headers=OURS)


def test_a_withdrawn_session_says_so_in_the_list(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    assert record_withdrawal(tmp_path / "work", desk.session_id, "why")
    assert "Withdrawn: learners find a notice" in client.get("/en/").text
    assert "Retirée\u00a0: le public trouve un avis" in client.get("/fr/").text


@pytest.mark.parametrize("content", [b"", b"{}", b'{"entry": 1}', b"\xff"])
def test_a_damaged_session_is_told_of_and_keeps_nobody_from_the_others(
    client: TestClient, desk: Desk, tmp_path: Path, content: bytes
) -> None:
    session, transcript = reviewable("en", id="b" * 16)
    lay_out(tmp_path / "work", session, dataclasses.replace(transcript, session_id=session.id))
    damaged = desk.folder / "revisions" / "000001.json"
    damaged.write_bytes(content)
    for language, words in (
        ("en", "revisions/000001.json of the review of session {} is damaged"),
        ("fr", "revisions/000001.json de la révision de la séance {} est endommagé"),
    ):
        listed = client.get(f"/{language}/")
        assert listed.status_code == 200
        assert words.format(desk.session_id) in listed.text
        assert f"/{language}/sessions/{session.id}" in listed.text
        assert f"/{language}/sessions/{desk.session_id}" not in listed.text
    answer = client.get(api(desk))
    assert (answer.status_code, answer.json()["code"]) == (500, "review.damaged")
    assert damaged.read_bytes() == content


def test_a_correction_becomes_a_revision(client: TestClient, desk: Desk) -> None:
    session = untouched(client, desk)
    first, count = session["turns"][0], session["turns"][0]["words"][0][1]
    first["words"] = [[0, 1], [1, "evening,"], "dear", [2, count]]
    session["speakers"][0]["name"] = "Ada\u202e Roy"
    answer = save(client, desk, session)
    assert answer.status_code == 200
    assert answer.json()["revision"] == 2
    assert said(desk)[0].startswith("Good evening, dear everyone,")
    assert desk.latest().transcript.speaker("S1").name == "Ada Roy"


def test_somebody_who_saves_second_is_told_and_nothing_is_overwritten(client: TestClient, desk: Desk) -> None:
    session = untouched(client, desk)
    assert save(client, desk, session).status_code == 200
    answer = save(client, desk, session)
    assert answer.status_code == 409
    assert answer.json()["code"] == "review.conflict"
    assert answer.json()["data"]["author"] == "Anna"
    assert set(LANGUAGES) <= set(answer.json())
    assert desk.latest().number == 2


def test_an_approval_is_noted_and_passed_on(client: TestClient, desk: Desk, approved: list[str]) -> None:
    answer = client.post(api(desk, "/approval"), json={"author": "Anna", "revision": 1}, headers=OURS)
    assert answer.status_code == 200
    assert "approved by Anna" in answer.json()["text_en"]
    assert approved == [desk.session_id]
    assert desk.approved() is not None


def test_a_draft_is_kept_and_given_back(client: TestClient, desk: Desk) -> None:
    assert client.get(api(desk, "/draft?author=Anna")).json() is None
    assert draft(client, desk, "one").status_code == 204
    assert client.get(api(desk, "/draft?author=Anna")).json()["writer"] == "one"
    assert client.get(api(desk, "/draft?author=Ben")).json() is None


def test_a_window_that_does_not_know_of_the_draft_cannot_replace_it(client: TestClient, desk: Desk) -> None:
    draft(client, desk, "one")
    refused = draft(client, desk, "two")
    assert (refused.status_code, refused.json()["code"]) == (409, "editor.elsewhere")
    assert draft(client, desk, "two", ("one",)).status_code == 204
    assert draft(client, desk, "one").status_code == 409


def test_a_draft_that_was_overtaken_by_a_later_one_does_not_take_its_place(client: TestClient, desk: Desk) -> None:
    for at_ms in (5, 9, 7):
        assert draft(client, desk, "one", at_ms=at_ms).status_code == 204
    assert client.get(api(desk, "/draft?author=Anna")).json()["at_ms"] == 9


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8340", "192.0.2.7", ""])
def test_a_strange_name_for_this_machine_gets_nothing(client: TestClient, desk: Desk, host: str) -> None:
    for path in ("/en/", api(desk), f"/media/{desk.session_id}", "/assets/main.js"):
        assert client.get(path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-tribune-key": KEY},
        {"origin": ADDRESS},
        {"origin": "http://evil.example", "x-tribune-key": KEY},
        {"origin": "null", "x-tribune-key": KEY},
        {"origin": ADDRESS, "x-tribune-key": "k"},
        {"origin": "http://127.0.0.1:9", "x-tribune-key": KEY},
    ],
)
def test_a_page_that_is_not_ours_changes_nothing(client: TestClient, desk: Desk, headers: dict[str, str]) -> None:
    sent = {"author": "Anna", "based_on": 1, "session": untouched(client, desk)}
    assert client.post(api(desk, "/revisions"), json=sent, headers=headers).status_code == 403
    assert desk.latest().number == 1


def test_every_answer_tells_the_browser_to_keep_it_to_our_pages(client: TestClient, desk: Desk) -> None:
    for path in ("/en/", api(desk), f"/media/{desk.session_id}", "/nowhere", "/assets/main.js"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/api/sessions/..%2f..%2fetc",
        "/api/sessions/0000000000000000",
        "/media/..%2freview.key",
        "/media/%2e%2e",
        "/assets/..%2fpages.py",
        "/assets/%2fetc%2fpasswd",
        "/de/",
        "/en/sessions/0123",
    ],
)
def test_what_is_not_ours_to_show_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("body", [b"", b"{}", b"[1", b'{"author":1}', b"\xff\xfe", b'{"author":"A","revision":"1"}'])
def test_a_request_that_makes_no_sense_is_refused_in_words(client: TestClient, desk: Desk, body: bytes) -> None:
    answer = client.post(api(desk, "/approval"), content=body, headers=OURS)
    assert answer.status_code == 400
    assert answer.json()["code"] == "editor.not_understood"


def test_cuts_that_leave_nothing_are_refused_and_said_so(client: TestClient, desk: Desk) -> None:
    session = untouched(client, desk)
    session["cuts"] = [{"start_ms": 0, "end_ms": desk.latest().transcript.duration_ms, "kind": "remove"}]
    answer = save(client, desk, session)
    assert (answer.status_code, answer.json()["code"]) == (422, "review.nothing_left")
    assert desk.latest().number == 1


def test_words_that_are_not_there_are_refused(client: TestClient, desk: Desk) -> None:
    for run in ([0, 9999], [5, 5], [-1, 2], [9999, "word"]):
        session = untouched(client, desk)
        session["turns"][0]["words"] = [run]
        answer = save(client, desk, session)
        assert (answer.status_code, answer.json()["code"]) == (422, "review.correction_invalid")
    assert desk.latest().number == 1


def test_nobody_saves_without_a_name(client: TestClient, desk: Desk) -> None:
    sent = {"author": " \u202e ", "based_on": 1, "session": untouched(client, desk)}
    answer = client.post(api(desk, "/revisions"), json=sent, headers=OURS)
    assert (answer.status_code, answer.json()["code"]) == (400, "editor.no_author")


def test_the_recording_is_given_in_ranges(client: TestClient, desk: Desk) -> None:
    whole = client.get(f"/media/{desk.session_id}")
    assert whole.headers["content-type"] == "video/mp4"
    part = client.get(f"/media/{desk.session_id}", headers={"range": "bytes=256-511"})
    assert (part.status_code, part.content) == (206, whole.content[256:512])


def test_the_recording_stays_whole_after_a_cut_was_published(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    whole = client.get(f"/media/{desk.session_id}").content
    desk.approve(1, author="Anna", now=desk.latest().entry.saved_at)
    video = tmp_path / "work" / desk.session_id / "video.mp4"
    video.unlink()
    video.write_bytes(b"shorter")
    assert client.get(f"/media/{desk.session_id}").content == whole


def test_before_a_video_was_made_the_sound_is_heard(client: TestClient, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "work" / desk.session_id / "video.mp4").unlink()
    assert client.get(f"/media/{desk.session_id}").content[:4] == b"RIFF"


def test_people_who_have_a_session_open_see_each_other(client: TestClient, desk: Desk) -> None:
    for name in ("Anna", "Ben"):
        client.get(api(desk, f"/state?author={name}&writer={name}"))
    assert client.get(api(desk, "/state?author=Anna&writer=Anna")).json()["others"] == ["Ben"]


def test_the_first_page_is_in_the_language_that_the_browser_asks_for(client: TestClient) -> None:
    for wanted, language in (("fr-CA,en;q=0.5", "fr"), ("en-CA,fr;q=0.5", "en"), ("de", "en")):
        answer = client.get("/", headers={"accept-language": wanted}, follow_redirects=False)
        assert answer.headers["location"] == f"/{language}/"


def test_a_session_without_words_is_listed_and_not_opened(client: TestClient, tmp_path: Path) -> None:
    session, _ = reviewable("en", id="9" * 16)
    work = tmp_path / "work"
    lay_out(work, session, reviewable("en")[1])
    (work / session.id / "review" / "revisions" / "000001.json").unlink()
    assert "Nothing to review yet" in client.get("/en/").text
    assert client.get(f"/en/sessions/{session.id}").status_code == 404


def test_the_key_is_secret_and_outlives_the_server(tmp_path: Path) -> None:
    key = read_key(tmp_path)
    assert len(key) == 64
    assert (tmp_path / "review.key").stat().st_mode & 0o777 == 0o600
    assert read_key(tmp_path) == key
    # What a power cut left of one is none.
    (tmp_path / "review.key").write_bytes(b"")
    assert len(read_key(tmp_path)) == 64


def test_the_command_serves_the_pages_until_it_is_ended_and_only_once(tmp_path: Path) -> None:
    environment = os.environ | {"TRIBUNE_ROOT": str(tmp_path), "TRIBUNE_ENV": "test", "TRIBUNE_LANGUAGE": "en"}
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "review"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        # A machine that is busy says first that it takes long.
        found = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in running.stdout)
        address = next(filter(None, found), None)
        assert address
        second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (second.returncode, "already served" in second.stderr) == (4, True)
        assert "no session yet" in httpx2.get(f"{address[0]}en/").text
        running.send_signal(signal.SIGTERM)
    assert running.returncode == 130
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(address[0])


def test_peaks_say_how_loud_each_fiftieth_of_a_second_is_and_are_read_once(tmp_path: Path) -> None:
    sound, kept = tmp_path / "sound.wav", tmp_path / "kept" / "peaks.bin"
    write_sound(sound, 2010)
    peaks = read_peaks(sound, kept)
    assert len(peaks) == 2 * PEAKS_PER_SECOND + 1
    assert 15 < peaks[2] < 40
    assert max(peaks) > 80
    kept.write_bytes(b"kept")
    assert read_peaks(sound, kept) == b"kept"


def test_what_is_no_sound_has_no_peaks(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("Not a sound.")
    for name in ("text.wav", "absent.wav"):
        with pytest.raises(MediaError):
            read_peaks(tmp_path / name, tmp_path / "peaks.bin")


@st.composite
def cuttings(draw: st.DrawFn, count: int) -> list[int]:
    """Draw where a row of words is cut into runs."""
    return sorted({0, count, *draw(st.lists(st.integers(0, count), max_size=8))})


@given(st.data())
def test_however_a_page_parts_untouched_words_nothing_changes(data: st.DataObject) -> None:
    _, transcript = reviewable("en")
    at, turns = 0, []
    for turn in transcript.turns:
        places = data.draw(cuttings(len(turn.words)))
        for first, last in pairwise(places):
            runs: tuple[Run, ...] = ((at + first, at + last),)
            turns.append(SentTurn(speaker=turn.speaker, words=runs, joined=first > 0))
        at += len(turn.words)
    speakers = tuple(SentSpeaker(key=each.key, name=None) for each in transcript.speakers)
    sent = Sent(turns=tuple(turns), speakers=speakers, cuts=())
    revised = revise(_revision(transcript), read_correction(sent, transcript))
    assert revised.turns == transcript.turns


def _revision(transcript: Transcript) -> Revision:
    entry = Entry(number=1, author="tests", saved_at=NOW, origin="recognition")
    return Revision(entry=entry, transcript=transcript, provenance=PROVENANCE)


def test_cuts_that_meet_are_refused() -> None:
    cuts = (Cut(start_ms=0, end_ms=50, kind="remove"), Cut(start_ms=40, end_ms=90, kind="mask"))
    with pytest.raises(CorrectionInvalid):
        read_correction(Sent(turns=(), speakers=(), cuts=cuts), reviewable("en")[1])


def test_chapters_come_as_where_each_begins_and_reach_up_to_the_next() -> None:
    _, transcript = reviewable("en")
    marks = (
        ChapterMark(start_ms=0, title=" \u202eBudget\n", language="en"),
        ChapterMark(start_ms=9000, title="\u200b", language="fr"),
    )
    read = read_correction(Sent(turns=(), speakers=(), cuts=(), chapters=marks), transcript).chapters
    assert read == (
        Chapter(start_ms=0, end_ms=9000, title="Budget", language="en"),
        Chapter(start_ms=9000, end_ms=transcript.duration_ms, title="\ufffd", language="fr"),
    )


@pytest.mark.parametrize("starts", [(9000, 0), (9000, 9000), (-1, 9000), (0, 10**9), (0, 10**9, 2 * 10**9)])
def test_chapters_out_of_order_or_outside_the_recording_are_refused(starts: tuple[int, ...]) -> None:
    marks = tuple(ChapterMark(start_ms=start, title="Budget", language="en") for start in starts)
    with pytest.raises(CorrectionInvalid):
        read_correction(Sent(turns=(), speakers=(), cuts=(), chapters=marks), reviewable("en")[1])


def test_what_a_page_sent_before_there_were_chapters_leaves_them_to_the_words() -> None:
    sent = from_json(Sent, '{"turns": [], "speakers": [], "cuts": []}')
    assert read_correction(sent, reviewable("en")[1]).chapters is None


def test_chapters_are_suggested_on_the_clock_of_the_recording_and_quote_nothing_that_is_cut(
    tmp_path: Path, desk: Desk, client: TestClient
) -> None:
    record = read_record(tmp_path / "work", desk.session_id)
    assert record is not None
    topics, _ = talk("en")
    whole = _revision(topics)
    suggested = suggest_chapters(record, whole, ())
    assert len(suggested) > 1
    assert suggested[0].start_ms == 0
    told = suggested[1].title.split()[0].strip(",").lower()
    hidden = [word for word in topics.words if told in word.text.lower()]
    cuts = tuple(Cut(start_ms=word.start_ms, end_ms=word.end_ms, kind="remove") for word in hidden)
    without = suggest_chapters(record, dataclasses.replace(whole, cuts=cuts), ())
    assert without
    assert all(told not in each.title.lower() for each in without)
    assert all(each.start_ms in {0, *(word.start_ms for word in topics.words)} for each in without)
    assert client.get(f"/api/sessions/{desk.session_id}/chapters?revision=1").json() == []


def test_a_difference_tells_of_chapters_by_their_titles() -> None:
    _, transcript = reviewable("en")
    one, two = (Chapter(start_ms=0, end_ms=5000, title=title, language="en") for title in ("Budget & <staff>", "Staff"))
    three = Chapter(start_ms=5000, end_ms=9000, title="Roofs", language="en")
    automatic = _revision(transcript)
    own, renamed = (dataclasses.replace(automatic, chapters=each) for each in ((one,), (two, three)))

    def told(before: Revision, after: Revision) -> list[tuple[str, str, str, int]]:
        shown = view_difference(before, after).changes
        return [(each.kind, each.before, each.after, each.start_ms) for each in shown]

    assert told(automatic, own) == [("chapters_own", "", "", 0), ("chapter", "", "Budget & <staff>", 0)]
    assert told(own, renamed) == [("chapter", "Budget & <staff>", "Staff", 0), ("chapter", "", "Roofs", 5000)]
    assert told(own, automatic) == [("chapters_automatic", "", "", 0), ("chapter", "Budget & <staff>", "", 0)]
    assert told(automatic, dataclasses.replace(automatic, chapters=())) == [("chapters_own", "", "", 0)]
    assert told(own, own) == []


def test_a_difference_tells_of_cuts_by_their_times_and_of_titles() -> None:
    _, transcript = reviewable("en")
    whole = _revision(transcript)
    removed = Cut(start_ms=1000, end_ms=62_000, kind="remove")
    masked = Cut(start_ms=1000, end_ms=62_000, kind="mask")
    one = dataclasses.replace(whole, cuts=(removed,), title=Bilingual.same("Roofs"))
    two = dataclasses.replace(whole, cuts=(masked,), title=Bilingual(en="Roofs", fr="Toits"))

    def told(before: Revision, after: Revision) -> list[tuple[str, str, str, int]]:
        shown = view_difference(before, after).changes
        return [(each.kind, each.before, each.after, each.start_ms) for each in shown]

    assert told(whole, one) == [("title", "", "Roofs", 0), ("cut_remove", "", "0:01 – 1:02", 1000)]
    assert told(one, two) == [
        ("title", "Roofs", "Toits", 0),
        ("cut_remove", "0:01 – 1:02", "", 1000),
        ("cut_mask", "", "0:01 – 1:02", 1000),
    ]
    assert told(two, two) == []


def test_a_difference_says_which_words_are_still_the_same() -> None:
    _, before = reviewable("en")
    turn = before.turns[0]
    changed = dataclasses.replace(turn, words=(*turn.words[:2], *turn.words[3:]))
    after = dataclasses.replace(before, turns=(changed, *before.turns[1:]))
    difference = view_difference(_revision(before), _revision(after))
    assert difference.same == ((0, 0, 2), (3, 2, len(before.words) - 3))
    assert [change.before for change in difference.changes] == [turn.words[2].text]


def test_a_session_is_told_with_what_can_be_seen(tmp_path: Path, desk: Desk) -> None:
    record = read_record(tmp_path / "work", desk.session_id)
    assert record is not None
    view = view_session(record, desk.latest(), propose_for(record, desk.latest(), ()))
    assert view.turns[0].words[0][0] == "Good"
    assert view.speakers[0].proposals[0].name == "Ada Roy"
    assert view.people == tuple(person.name for person in record.session.guests) or view.people


def test_the_pages_use_every_text_of_theirs_and_no_other() -> None:
    folder = ROOT / "pipeline" / "editor"
    sources = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.suffix in {".html", ".js", ".py"}]
    sources.append((ROOT / "flows" / "review_server.py").read_text(encoding="utf-8"))
    ours = {code.removeprefix("editor.") for code in catalogue() if code.startswith("editor.")}
    everything = json.dumps(sources, ensure_ascii=False)
    families = ("state_", "change_", "cut_", "personal_", "language_", "report_state_", "undecided_")
    unused = {key for key in ours if f'{key}\\"' not in everything and f"{key}'" not in everything}
    assert {key for key in unused if not key.startswith(families)} == set()


def report(client: TestClient, desk: Desk, *states: str) -> httpx2.Response:
    """Have a learner report something, and decide about it."""
    words = desk.latest().transcript.words
    sent = SentReport(
        session_id=desk.session_id,
        revision="",
        time_ms=words[0].start_ms,
        text="Good morning, everyone,",
        comment="Good evening, everyone,",
        language="en",
    )
    Reports(desk=desk).keep(sent, now=NOW)
    ((kept, _),) = Reports(desk=desk).all()
    answer = httpx2.Response(204)
    for state in states:
        decision = {"author": "Anna", "state": state}
        answer = client.put(api(desk, f"/reports/{kept.id}"), json=decision, headers=OURS)
    return answer


def test_reports_are_given_with_their_words_and_what_the_learner_would_write(client: TestClient, desk: Desk) -> None:
    report(client, desk)
    (shown,) = client.get(api(desk, "/reports?revision=1")).json()
    assert (shown["first"], shown["last"], shown["state"]) == (0, 2, "open")
    assert shown["wanted"] == [{"first": 1, "last": 1, "text": "evening,"}]
    assert client.get(api(desk, "/state")).json()["reports"] == [[shown["id"], "open"]]
    assert "Reports from learners to look at: 1" in client.get("/en/").text


def test_a_decision_about_a_report_is_kept_and_can_be_taken_back(client: TestClient, desk: Desk) -> None:
    assert report(client, desk, "done").status_code == 204
    (shown,) = client.get(api(desk, "/reports?revision=1")).json()
    assert (shown["state"], shown["author"]) == ("done", "Anna")
    report(client, desk, "open")
    (shown,) = client.get(api(desk, "/reports?revision=1")).json()
    assert (shown["state"], shown["author"]) == ("open", "")


@pytest.mark.parametrize(
    ("name", "state", "status"), [("0" * 32, "done", 404), ("x", "done", 404), ("0", "open?", 400)]
)
def test_a_decision_that_cannot_be_is_refused(
    client: TestClient, desk: Desk, name: str, state: str, status: int
) -> None:
    answer = client.put(api(desk, f"/reports/{name}"), json={"author": "Anna", "state": state}, headers=OURS)
    assert answer.status_code == status


def test_a_report_is_decided_by_our_own_page_only(client: TestClient, desk: Desk) -> None:
    answer = client.put(api(desk, f"/reports/{'0' * 32}"), json={"author": "Anna", "state": "done"})
    assert answer.status_code == 403


@pytest.mark.parametrize("run", [[0, None, "fr"], [0, "Bonjour", "fr"], [None, "Bonjour", "fr"]])
def test_a_word_takes_the_language_that_a_person_gives_it(client: TestClient, desk: Desk, run: list[Any]) -> None:
    session = untouched(client, desk)
    session["turns"][0]["words"][:1] = [run, [1, session["turns"][0]["words"][0][1]]]
    assert save(client, desk, session).status_code == 200
    first, second = desk.latest().transcript.words[:2]
    assert (first.language, second.language) == ("fr", "en")
    assert first.text == (run[1] or "Good")
    assert (first.timed == "recognised") == (run[1] is None)


@pytest.mark.parametrize("run", [[0, None, "xx"], [None, None, "fr"], [9999, None, "fr"], [0, "a"] * 2])
def test_a_language_that_cannot_be_is_refused(client: TestClient, desk: Desk, run: list[Any]) -> None:
    session = untouched(client, desk)
    session["turns"][0]["words"][:1] = [run]
    assert save(client, desk, session).status_code in {400, 422}
    assert desk.latest().number == 1


def test_what_is_proposed_is_made_once_for_a_revision_and_anew_for_other_names(
    client: TestClient, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(*given: Any) -> Any:  # noqa: ANN401 - as the real one has it
        made.append(1)
        return propose_for(*given)

    monkeypatch.setattr("flows.review_server.propose_for", counted)
    first = client.get(api(desk)).json()
    assert client.get(api(desk)).json() == first
    assert len(made) == 1
    record = read_record(tmp_path / "work", desk.session_id)
    assert record is not None
    session = dataclasses.replace(record.session, glossary=("Veritas",))
    write_record(tmp_path / "work", dataclasses.replace(record, session=session))
    client.get(api(desk))
    assert len(made) == 2


def test_an_approval_whose_server_died_before_it_was_published_is_published_by_the_watcher(
    desk: Desk, tmp_path: Path
) -> None:
    work = tmp_path / "work"

    def die(session_id: str) -> None:
        raise KeyboardInterrupt(session_id)

    with pytest.raises(KeyboardInterrupt):
        approve(work, desk, 1, author="Anna", now=NOW, publish=die)
    assert desk.approved() is not None
    # Not while somebody may still be at it.
    finish_approvals(work)
    assert isinstance(state_of(work, desk), Published)
    os.utime(work / ".approving" / desk.session_id, (0, 0))
    finish_approvals(work)
    assert state_of(work, desk) == Claimed(reviewed=True)
    attempt = read_record(work, desk.session_id)
    finish_approvals(work)
    assert read_record(work, desk.session_id) == attempt


def test_an_approval_that_is_published_leaves_nothing_to_finish(desk: Desk, tmp_path: Path) -> None:
    published: list[str] = []
    approve(tmp_path / "work", desk, 1, author="Anna", now=NOW, publish=published.append)
    assert published == [desk.session_id]
    assert not list((tmp_path / "work" / ".approving").iterdir())
    with pytest.raises(RevisionMissing):
        approve(tmp_path / "work", desk, 9, author="Anna", now=NOW, publish=published.append)
    assert not list((tmp_path / "work" / ".approving").iterdir())


def state_of(work: Path, desk: Desk) -> State:
    record = read_record(work, desk.session_id)
    assert record is not None
    return record.state
