"""The demo: what it drops, what it waits for, and what it says when a sample goes wrong."""

from __future__ import annotations

import io
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from config.settings import Settings, load_settings
from flows.demo import publish_samples
from flows.engines import intake_options
from pipeline.errors import RecordingRejected, SetUpError
from pipeline.inbox import IntakeOptions, prepare
from pipeline.intake import Claim, Seen, sweep
from pipeline.journal import Claimed, Failed, Processing, Published, SessionRecord, State, read_records, record_state
from pipeline.messages import catalogue
from pipeline.set_aside import reject
from pipeline.types import Notice

PUBLISHED = Published(revision="r1-3fa9c1d2")
FAILED = Failed(reasons=(Notice(code="flows.unforeseen", data=(("kind", "ValueError"),)),))


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.delenv("TRIBUNE_CONFIG", raising=False)
    monkeypatch.setenv("TRIBUNE_ENV", "test")
    monkeypatch.setenv("TRIBUNE_LANGUAGE", "en")
    monkeypatch.setenv("TRIBUNE_ROOT", str(tmp_path / "var"))
    monkeypatch.setenv("TRIBUNE_INTAKE__SETTLE_SECONDS", "0.2")
    found = load_settings()
    prepare(intake_options(found))
    return found


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    for number, name in enumerate(("en/one.wav", "en/two.wav", "fr/trois.wav"), start=1):
        path = tmp_path / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(number.to_bytes(2, "little") * 8000)
        path.with_suffix(".toml").write_text(f'title = "Sample {number}"\n')
    return tmp_path / "samples"


Work = Callable[[IntakeOptions, Claim], None]


def comes_to(state: State) -> Work:
    """Return work that ends in a state."""

    def work(options: IntakeOptions, claim: Claim) -> None:
        record_state(options.work, claim.session.id, claim.attempt, state)

    return work


def publish_or(other: Work, name: str) -> Work:
    """Return work that publishes every recording but the one of that name."""

    def work(options: IntakeOptions, claim: Claim) -> None:
        chosen = other if claim.recording.name == name else comes_to(PUBLISHED)
        chosen(options, claim)

    return work


def give_back(options: IntakeOptions, claim: Claim) -> None:
    reject(options, claim.session.id, RecordingRejected("intake.changed", {"name": claim.recording.name}))


def leave(options: IntakeOptions, claim: Claim) -> None:
    """Work that does nothing: a run that is still to come."""


@contextmanager
def watched(settings: Settings, work: Work, begins: Callable[[], bool] = lambda: True) -> Iterator[list[Claim]]:
    """Sweep the inbox and work on each claim for the length of a block; give the claims.

    Args:
        settings: Where the inbox is.
        work: What becomes of a claim.
        begins: Whether the first sweep may begin.
    """
    options, stop, claims = intake_options(settings), threading.Event(), list[Claim]()

    def watch() -> None:
        seen: Seen = {}
        while not stop.wait(0.05):
            if not claims and not begins():
                continue
            swept = sweep(options, seen)
            seen = swept.seen
            for claim in swept.claims:
                claims.append(claim)
                work(options, claim)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield claims
    finally:
        stop.set()
        watcher.join()


def records(settings: Settings) -> dict[str, SessionRecord]:
    return {record.recording.name: record for record in read_records(settings.work)}


def demo(
    settings: Settings, samples: Path, *, patience_s: float = 20.0, shown: io.StringIO | None = None
) -> tuple[bool, str]:
    """Run the demo; return whether all is published, and what was shown."""
    shown = shown or io.StringIO()
    published = publish_samples(settings, Console(file=shown, width=400), samples, patience_s=patience_s)
    return published, shown.getvalue()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_every_sample_is_dropped_with_its_sidecar_followed_and_published(settings: Settings, samples: Path) -> None:
    output = io.StringIO()
    # The demo looks from time to time: what is over before it looks is never shown.
    with watched(settings, comes_to(PUBLISHED), begins=lambda: "trois.wav: waiting for its turn" in output.getvalue()):
        published, shown = demo(settings, samples, shown=output)
    assert published
    assert {record.session.title.get("en") for record in read_records(settings.work)} == {
        "Sample 1",
        "Sample 2",
        "Sample 3",
    }
    assert "one.wav: waiting for its turn" in shown
    assert "one.wav: published" in shown
    assert "times faster than real time" in shown


def test_a_second_demo_drops_nothing_and_says_that_all_is_published(settings: Settings, samples: Path) -> None:
    with watched(settings, comes_to(PUBLISHED)):
        demo(settings, samples)
    before = records(settings)
    with watched(settings, comes_to(PUBLISHED)) as claims:
        published, shown = demo(settings, samples)
    assert published
    assert claims == []
    assert records(settings) == before
    assert not list(settings.inbox.rglob("*.wav"))
    assert "faster" not in shown


def test_a_sample_that_is_set_aside_is_explained_beside_those_that_are_published(
    settings: Settings, samples: Path
) -> None:
    with watched(settings, publish_or(give_back, "two.wav")):
        published, shown = demo(settings, samples)
    assert not published
    assert catalogue()["flows.demo_failed"]["en"].format(count=1) in shown
    assert f"two.wav: {catalogue()['intake.changed']['en'].format(name='two.wav')}" in shown
    assert "times faster than real time" in shown


def test_when_nothing_is_published_no_speed_is_told(settings: Settings, samples: Path) -> None:
    with watched(settings, comes_to(FAILED)):
        published, shown = demo(settings, samples)
    assert not published
    assert catalogue()["flows.demo_failed"]["en"].format(count=3) in shown
    assert "faster" not in shown


@pytest.mark.parametrize("work", [comes_to(FAILED), give_back])
def test_a_demo_after_a_failure_waits_for_the_new_attempt(settings: Settings, samples: Path, work: Work) -> None:
    with watched(settings, publish_or(work, "two.wav")):
        assert not demo(settings, samples)[0]
    with watched(settings, comes_to(PUBLISHED)) as claims:
        published, shown = demo(settings, samples)
    assert published
    assert [claim.recording.name for claim in claims] == ["two.wav"]
    assert records(settings)["two.wav"].attempt == 2
    assert "two.wav: failed" not in shown
    assert "two.wav: set aside" not in shown


@pytest.mark.parametrize("state", [None, Processing(stage="speech", share=0.5)])
def test_a_sample_in_progress_is_followed_and_not_dropped_again(
    settings: Settings, samples: Path, state: State | None
) -> None:
    before = leave if state is None else comes_to(state)
    with watched(settings, publish_or(before, "two.wav")):
        with pytest.raises(SetUpError):
            demo(settings, samples, patience_s=1.5)
        # It gives up sooner where the watcher is slow.
        reached = [(state or Claimed()).kind, PUBLISHED.kind, PUBLISHED.kind]
        until(lambda: sorted(each.state.kind for each in records(settings).values()) == reached)
    claimed = records(settings)["two.wav"]
    ending = threading.Timer(1.0, record_state, args=(settings.work, claimed.session.id, claimed.attempt, PUBLISHED))
    ending.start()
    with watched(settings, leave) as claims:
        published, _ = demo(settings, samples)
    ending.join()
    assert published
    assert claims == []
    assert len(records(settings)["two.wav"].drops) == 1


def test_a_watcher_that_does_nothing_is_waited_for_no_longer_than_said(settings: Settings, samples: Path) -> None:
    with pytest.raises(SetUpError) as stuck:
        demo(settings, samples, patience_s=0.6)
    assert str(settings.root / "logs" / "watcher.log") in stuck.value.message("fr")


def test_as_long_as_anything_changes_the_demo_is_patient(settings: Settings, samples: Path) -> None:
    # Each step well within the patience, all of them together beyond it.
    def slowly(options: IntakeOptions, claim: Claim) -> None:
        for step in range(20):
            time.sleep(0.3)
            state = Processing(stage="speech", share=step / 20)
            record_state(options.work, claim.session.id, claim.attempt, state)
        record_state(options.work, claim.session.id, claim.attempt, PUBLISHED)

    with watched(settings, publish_or(slowly, "trois.wav")):
        published, shown = demo(settings, samples, patience_s=5.0)
    assert published
    assert "trois.wav: Words" in shown


def test_without_samples_it_says_where_they_should_be(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SetUpError) as missing:
        demo(settings, tmp_path / "nowhere")
    assert missing.value.code == "flows.no_samples"
