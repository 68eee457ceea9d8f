"""What a facilitator, an operator and a learner see with everything real: `tribune up`, dropped files, pages."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docx
import pytest
import webvtt

from flows.runs import MOST_TRIES, lock_path
from pipeline.ffmpeg import find_programs
from pipeline.journal import Failed, Processing, Published, Rejected, SessionRecord, read_records, request_publication
from pipeline.locks import is_held
from pipeline.review import Desk
from pipeline.revisions import CorrectedTurn, Correction, Token
from tests.browser import open_browser, until, watch
from tests.clips import cut
from tests.pages import PASSAGES

SAMPLES = Path(__file__).parent.parent / "samples"
WAIT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running ``tribune up``.

    Attributes:
        root: Its data folder.
        process: The command.
    """

    root: Path
    process: subprocess.Popen[bytes]

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def records(self) -> tuple[SessionRecord, ...]:
        return read_records(self.work)

    def prefect(self, path: str, **asked: object) -> Any:  # noqa: ANN401 - JSON
        """Ask the Prefect server, as its own pages do."""
        log = (self.root / "up.log").read_text()
        found = re.search(r"http://127\.0\.0\.1:(\d+)(?=\s)", log[log.index("Prefect") :])
        assert found
        token = json.loads(fetch(f"{found[0]}/api/csrf-token?client=tests"))["token"]
        headers = {"Content-Type": "application/json", "Prefect-Csrf-Client": "tests", "Prefect-Csrf-Token": token}
        request = urllib.request.Request(f"{found[0]}/api/{path}", json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def wait(self, condition: Callable[[], bool], what: str, *, pause_s: float = 0.2) -> None:
        """Wait for something to come true."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert self.process.poll() is None, f"tribune up ended: {(self.root / 'up.log').read_text()}"
            assert time.monotonic() < deadline, f"never: {what}; {[record.state for record in self.records()]}"
            time.sleep(pause_s)

    def wait_for_ends(self, number: int) -> tuple[SessionRecord, ...]:
        """Wait until so many recordings have come to an end."""

        def ended() -> list[SessionRecord]:
            return [r for r in self.records() if isinstance(r.state, Published | Rejected | Failed)]

        self.wait(lambda: len(ended()) >= number, f"{number} recordings at an end")
        return tuple(ended())


@contextmanager
def tribune_up(root: Path, models: Path) -> Iterator[Running]:
    """Run the real command in a data folder and wait until it serves."""
    root.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "TRIBUNE_ENV": "test",
        "TRIBUNE_ROOT": str(root),
        "TRIBUNE_LANGUAGE": "en",
        "TRIBUNE_MODELS__FOLDERS": json.dumps([str(models)]),
        "PYTHONUNBUFFERED": "1",
    }
    with (root / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from pipeline.cli import main; main()", "up"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    running = Running(root=root, process=process)
    try:
        running.wait(lambda: "Serving" in (root / "up.log").read_text(), "serving")
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def fetch(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as reply:
        body = bytes(reply.read())
        return gzip.decompress(body) if reply.headers["Content-Encoding"] == "gzip" else body


def one(records: tuple[SessionRecord, ...], name: str) -> SessionRecord:
    return next(record for record in records if record.recording.name == name)


def runs_of(up: Running) -> list[dict[str, Any]]:
    """Return the runs that take recordings the whole way, as Prefect knows them."""
    return list(up.prefect("flow_runs/filter", flows={"name": {"any_": ["process-session"]}}))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Iterator[Running]:
    """Serve, with an English video, a French session, half a video and a text that claims to be one dropped in."""
    with tribune_up(tmp_path_factory.mktemp("up"), models_folder) as up:
        shutil.copy(SAMPLES / "en" / "council_meeting.toml", up.inbox / "council.toml")
        cut(SAMPLES / "en" / "council_meeting.mp4", up.inbox / "council.mp4", start_s=55, length_s=24)
        (up.inbox / "fr").mkdir()
        shutil.copy(SAMPLES / "fr" / "defaults.toml", up.inbox / "fr" / "defaults.toml")
        cut(SAMPLES / "fr" / "cinq_voix.flac", up.inbox / "fr" / "Semaine 2 - Le tigre.flac", start_s=22, length_s=16)
        (up.inbox / "minutes.mp4").write_text("Not a video at all.\n" * 40)
        video = (SAMPLES / "en" / "council_meeting.mp4").read_bytes()
        # Its index is at the end, so half of it cannot be opened at all.
        (up.inbox / "half.mp4").write_bytes(video[: len(video) // 2])
        up.wait_for_ends(4)
        yield up


def test_a_video_is_published_in_both_interfaces_with_its_own_words(running: Running) -> None:
    record = one(running.records(), "council.mp4")
    assert isinstance(record.state, Published)
    assert record.session.title.fr == "Réunion spéciale du conseil au complet"
    for language, address in record.state.pages:
        page = fetch(address).decode()
        assert f'<html lang="{language}"' in page
        assert "agenda" in page


def test_a_french_recording_comes_out_in_french(running: Running) -> None:
    record = one(running.records(), "Semaine 2 - Le tigre.flac")
    assert isinstance(record.state, Published)
    assert record.session.languages == ("fr",)
    assert record.session.week == 2
    base = record.state.pages[0][1].rpartition("/")[0]
    transcript = fetch(f"{base}/{record.state.revision}/transcript.fr.txt").decode()
    assert "tigre" in transcript
    captions = webvtt.from_string(fetch(f"{base}/{record.state.revision}/captions.fr.vtt").decode())
    assert len(captions) > 1


def test_what_is_no_recording_is_set_aside_with_a_reason_in_both_languages(running: Running) -> None:
    reason = (running.inbox / "rejected" / "minutes.mp4.reason.txt").read_text(encoding="utf-8")
    assert (running.inbox / "rejected" / "minutes.mp4").read_text() == "Not a video at all.\n" * 40
    assert "minutes.mp4" in reason
    assert re.search(r"[àâçéèêëîïôùû]", reason)


def test_a_recording_that_turns_out_unreadable_goes_back_with_its_reason(running: Running) -> None:
    assert isinstance(one(running.records(), "half.mp4").state, Rejected)
    assert (running.inbox / "rejected" / "half.mp4").is_file()
    assert "half.mp4" in (running.inbox / "rejected" / "half.mp4.reason.txt").read_text(encoding="utf-8")


def test_the_status_pages_show_each_drop(running: Running) -> None:
    running.wait(lambda: "minutes.mp4" in (running.inbox / "status.html").read_text(encoding="utf-8"), "status")
    page = (running.inbox / "status.html").read_text(encoding="utf-8")
    for shown in ("Special meeting of the full council", "Semaine 2 - Le tigre.flac", "minutes.mp4"):
        assert shown in page


def test_the_operator_sees_one_completed_run_a_recording_with_tags_links_and_tasks(running: Running) -> None:
    # A recording is published a moment before its run has said that it is done.
    ended = {"Completed", "SetAside"}
    running.wait(lambda: all(run["state"]["name"] in ended for run in runs_of(running)), "ends")
    runs = runs_of(running)
    assert {run["state"]["name"] for run in runs} == ended
    assert len(runs) == 3
    council = next(run for run in runs if "Special meeting" in run["name"])
    assert "en" in council["tags"]

    def tasks() -> set[str]:
        found = running.prefect("task_runs/filter", flow_runs={"id": {"any_": [council["id"]]}})
        return {task["name"] for task in found}

    # The server learns of tasks from events, which may come after the end of their run.
    running.wait(lambda: tasks() >= {"Transcribe", "Tell speakers apart", "Publish"}, "tasks")
    artifacts = running.prefect("artifacts/filter", flow_runs={"id": {"any_": [council["id"]]}})
    assert {"page-en", "page-fr", "captions", "transcript"} <= {artifact["key"] for artifact in artifacts}
    assert "progress" in {artifact["type"] for artifact in artifacts}


def test_what_somebody_approves_is_published_by_a_run_of_its_own(running: Running) -> None:
    record = one(running.records(), "Semaine 2 - Le tigre.flac")
    desk = Desk.of(running.work, record.session.id)
    turns = tuple(
        CorrectedTurn(speaker=turn.speaker, tokens=tuple(Token(text=word.text) for word in turn.words))
        for turn in desk.latest().transcript.turns
    )
    first = turns[0].speaker
    assert first is not None
    now = dt.datetime(2026, 3, 1, 9, 0, tzinfo=dt.UTC)
    desk.save(Correction(turns=turns, names=((first, "Ada Byron"),)), author="Anna", based_on=1, now=now)
    desk.approve(2, author="Anna", now=now)
    assert request_publication(running.work, record.session.id)

    def reviewed() -> bool:
        state = one(running.records(), "Semaine 2 - Le tigre.flac").state
        return isinstance(state, Published) and state.revision.startswith("r2-")

    running.wait(reviewed, "the reviewed session")
    publication = one(running.records(), "Semaine 2 - Le tigre.flac").publication
    assert publication is not None
    pages = dict(publication.pages)
    page = fetch(pages["fr"]).decode()
    assert "Ada Byron" in page
    assert "révisés par une personne le 1er\u00a0mars 2026" in page


def test_the_same_recording_dropped_again_is_answered_and_not_published_again(running: Running) -> None:
    before = one(running.records(), "council.mp4")
    shutil.copy(before.recording.path, running.inbox / "again.mp4")
    answer = running.inbox / "rejected" / "again.mp4.reason.txt"
    running.wait(answer.exists, "an answer")
    assert isinstance(before.state, Published)
    assert before.state.pages[0][1] in answer.read_text(encoding="utf-8")
    assert one(running.records(), "council.mp4").state == before.state


@pytest.mark.browser
def test_a_learner_plays_the_page_sees_a_caption_and_follows_a_click_in_the_transcript(running: Running) -> None:
    state = one(running.records(), "council.mp4").state
    assert isinstance(state, Published)
    address = dict(state.pages)["fr"]
    with open_browser() as browser:
        page = browser.new_page()
        faults = watch(page, address.split("/sessions/")[0])
        page.goto(address)
        page.locator("#play").click()
        until(page, "document.querySelector('#video').currentTime > 0.5")
        page.evaluate("document.querySelector('#video').currentTime = 8")
        until(page, "document.querySelector('.vjs-text-track-cue')?.textContent.trim()")
        last = page.locator(PASSAGES).last
        start_s = page.evaluate(
            """() => { const said = [...document.querySelectorAll("#pane .said")].at(-1);
            const steps = (said.dataset.steps ?? "").split(" ").map(Number);
            return Number(said.querySelector(".time").hash.slice(3)) + steps.reduce((sum, ms) => sum + ms) / 1000 }"""
        )
        last.click()
        until(page, f"document.querySelector('#video').currentTime >= {start_s - 0.05}")
        until(page, "document.querySelector('#pane [aria-current]')")
        assert faults == []


@pytest.mark.browser
def test_learners_get_what_a_person_corrected_named_split_cut_and_approved(running: Running) -> None:
    before = one(running.records(), "council.mp4")
    assert isinstance(before.state, Published)
    length_s = seconds(published(before, "video.mp4"))
    log = (running.root / "up.log").read_text()
    review = re.search(r"http://127\.0\.0\.1:\d+/(?=\s)", log[log.index("Review") :])
    assert review
    with open_browser() as browser:
        page = browser.new_page()
        page.add_init_script("localStorage.setItem('tribune.author', 'Zoé Roy')")
        page.goto(f"{review[0]}en/sessions/{before.session.id}")
        until(page, "document.body.dataset.ready === 'all'")
        page.evaluate(
            "text = document.querySelector('#pane .text'); text.focus(); getSelection().collapse(text.firstChild, 0)"
        )
        page.keyboard.type("Ladies ")
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("F4")
        page.get_by_label("Name of this voice").fill("Zoé Roy")
        page.get_by_label("Name of this voice").press("Enter")
        page.keyboard.press("Control+Shift+X")
        page.get_by_label("From", exact=True).fill("0:10")
        page.get_by_label("To", exact=True).fill("0:20")
        page.get_by_label("To", exact=True).press("Enter")
        page.get_by_role("button", name="Approve…").click()
        page.get_by_role("button", name="Approve and publish").click()
        until(page, "document.getElementById('notices').textContent.startsWith('Approved')")

    def again() -> bool:
        state = one(running.records(), "council.mp4").state
        return isinstance(state, Published) and state != before.state

    running.wait(again, "published again")
    after = one(running.records(), "council.mp4")
    cues = webvtt.from_string(fetch(published(after, "captions.en.vtt")).decode())
    assert cues[0].voice == "Zoé Roy"
    assert "Ladies" in cues[0].text.lstrip("-").split()
    assert seconds(published(after, "video.mp4")) == pytest.approx(length_s - 10, abs=0.5)
    assert cues[-1].end_in_seconds <= length_s - 10 + 0.5
    assert "Ladies" in fetch(published(after, "transcript.en.txt")).decode()
    word = docx.Document(io.BytesIO(fetch(published(after, "transcript.en.docx"))))
    assert any("Ladies" in paragraph.text for paragraph in word.paragraphs)
    assert isinstance(after.state, Published)
    assert "Ladies" in fetch(dict(after.state.pages)["en"]).decode()


def published(record: SessionRecord, name: str) -> str:
    """Return the address of a published file."""
    assert isinstance(record.state, Published)
    return f"{record.state.pages[0][1].rpartition('/')[0]}/{record.state.revision}/{name}"


def seconds(address: str) -> float:
    """Return how long a published video plays."""
    asked = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", address]
    told = subprocess.run([find_programs().ffprobe, *asked], capture_output=True, text=True, check=True)
    return float(told.stdout)


KILLED_IN = ("speech", "speakers", "video", "publish")


def runner(up: Running, session_id: str) -> int:
    """Wait until a process works on a recording; return it."""
    lock, found = lock_path(up.work, session_id), list[int]()

    def look() -> bool:
        for handle in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                # The watcher opens it too, for the moment in which it asks whether anybody holds it.
                if handle.readlink() == lock and b"prefect" in (handle.parents[1] / "cmdline").read_bytes():
                    found.append(int(handle.parts[2]))
        return bool(found)

    up.wait(look, f"a process that works on {session_id}", pause_s=0.01)
    return found[0]


def claimed(up: Running, name: str) -> str:
    """Wait until a recording is claimed; return its session's id."""
    up.wait(lambda: any(record.recording.name == name for record in up.records()), f"{name} claimed", pause_s=0.01)
    return one(up.records(), name).session.id


def engines_of(up: Running) -> int:
    """Return the process that holds the engines."""
    (door,) = up.root.glob("engines.*.json")
    return int(json.loads(door.read_bytes())["pid"])


def wait_for_stage(up: Running, session_id: str, stage: str) -> None:
    """Wait until a recording is in a stage."""

    def there() -> bool:
        record = next(r for r in up.records() if r.session.id == session_id)
        assert not isinstance(record.state, Published | Failed), f"{stage} went by unseen"
        return isinstance(record.state, Processing) and record.state.stage == stage

    up.wait(there, stage, pause_s=0.002)


def kill_in(up: Running, session_id: str, stage: str) -> None:
    """Kill the process that works on a recording as soon as it is in a stage."""
    # Looked for before: looking takes as long as a short stage.
    pid = runner(up, session_id)
    wait_for_stage(up, session_id, stage)
    os.kill(pid, signal.SIGKILL)
    up.wait(lambda: not is_held(lock_path(up.work, session_id)), "its lock to be free", pause_s=0.01)


# It comes last, for it kills what the others look at.
def test_processes_killed_in_different_stages_and_the_whole_of_it_still_publish_each_session_once(
    running: Running, models_folder: Path
) -> None:
    before, ran = len(running.records()), len(runs_of(running))
    cut(SAMPLES / "fr" / "cinq_voix.flac", running.inbox / "engines.flac", start_s=90, length_s=7)
    wait_for_stage(running, claimed(running, "engines.flac"), "speech")
    os.kill(engines_of(running), signal.SIGKILL)
    running.wait_for_ends(before + 1)
    for number, stage in enumerate(KILLED_IN):
        cut(SAMPLES / "fr" / "cinq_voix.flac", running.inbox / f"{stage}.flac", start_s=20 * number, length_s=7)
        session_id = claimed(running, f"{stage}.flac")
        kill_in(running, session_id, stage)
    running.process.kill()
    running.process.wait()
    temporary = running.root / "temporary"
    left = {path.name for path in temporary.iterdir()}
    assert left
    with tribune_up(running.root, models_folder) as up:
        assert not left & {path.name for path in temporary.iterdir()}
        names = {f"{stage}.flac" for stage in (*KILLED_IN, "engines")}
        ended = {record.recording.name: record for record in up.wait_for_ends(before + len(names))}
        for record in map(ended.__getitem__, names):
            assert isinstance(record.state, Published), record.state
            assert record.state.revision.startswith("r1-")
            fetch(record.state.pages[0][1])
        runs = runs_of(up)
        assert len(runs) == ran + len(names)
        assert all(run["run_count"] <= MOST_TRIES for run in runs)
    assert not temporary.exists()
