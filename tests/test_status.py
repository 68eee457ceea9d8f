"""The inbox's own pages show every drop, in each language, whatever it is called."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingRejected
from pipeline.inbox import IntakeOptions, prepare
from pipeline.intake import SweepResult, Waiting, sweep
from pipeline.journal import (
    Claimed,
    Failed,
    NeedsReview,
    Processing,
    Published,
    SessionRecord,
    State,
    read_records,
    record_state,
)
from pipeline.messages import catalogue
from pipeline.set_aside import reject
from pipeline.status import render_status, write_status
from pipeline.types import LANGUAGES, Bilingual, Language, Notice, Recording, Session

MOVIE = b"\x00\x00\x00\x18ftypmp42"
VOID = {"meta", "link", "br"}
PAGES: tuple[tuple[Language, str], ...] = (("en", "https://example.org/en.html"), ("fr", "javascript:alert(1)"))

INTRODUCED = Notice(
    code="speakers.introduced",
    data=(("moment", "0:12"), ("name", "Anna Roy"), ("number", "2"), ("quote", "my name is Anna Roy")),
)


@pytest.fixture
def options(tmp_path: Path) -> IntakeOptions:
    found = IntakeOptions(inbox=tmp_path / "inbox", work=tmp_path / "work", settle_ms=0)
    prepare(found)
    return found


class Page(HTMLParser):
    """A page read the way a browser would: its text, links and elements, which must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self._open.append(tag)
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.text += data


def record(state: State, *, name: str = "talk.mp4", title: str = "Ethics", number: int = 1) -> SessionRecord:
    sha256 = f"{number:064x}"
    return SessionRecord(
        recording=Recording(path=Path("recording.mp4"), name=name, sha256=sha256, size=1),
        session=Session(id=sha256[:16], title=Bilingual(en=title), languages=("en",)),
        state=state,
        when_ms=1_795_000_000_000,
        publication=state if isinstance(state, Published) else None,
    )


def test_every_state_is_told_in_the_pages_language(options: IntakeOptions) -> None:
    result = SweepResult(
        settling=("copying.mp4",), waiting=(Waiting(name="alone.toml", reasons=(Notice(code="intake.sidecar_waits"),)),)
    )
    states: list[State] = [
        Processing(stage="speech", share=0.426),
        Processing(stage="something new", share=7.0),
        Failed(reasons=(Notice(code="intake.unexpected"),)),
        Published(revision="r1-00000000", pages=PAGES, notes=(INTRODUCED,)),
        NeedsReview(),
        Claimed(reviewed=True),
    ]
    records = [record(state, number=number) for number, state in enumerate(states)]
    english = Page(render_status(options, result, records, "en"))
    french = Page(render_status(options, result, records, "fr"))
    for said in (
        "copying.mp4",
        "waits for its recording",
        "Recognising the words",
        "42%",
        "Processing",
        "drop it once",
        "Speaker 2 may be Anna Roy",
        "Needs review",
        "Approved, waiting",
    ):
        assert said in english.text
    for said in ("copying.mp4", "attend son enregistrement", "Reconnaissance des paroles", "42\u00a0%", "Publié"):
        assert said in french.text
    assert "https://example.org/en.html" in english.links
    assert not any(link.startswith("javascript") for link in english.links)


def test_what_was_set_aside_is_shown_with_its_reason_until_it_is_taken_away(options: IntakeOptions) -> None:
    (options.inbox / "é #1.mp4").write_bytes(b"")
    result = sweep(options, {})
    page = Page(render_status(options, result, read_records(options.work), "fr"))
    assert "ce fichier est vide" in page.text.lower()
    assert "rejected/%C3%A9%20%231.mp4" in page.links
    result.rejected[0].path.unlink()
    assert "é #1.mp4" not in Page(render_status(options, result, read_records(options.work), "fr")).text


def test_files_of_one_name_are_told_apart_by_their_folders(options: IntakeOptions) -> None:
    for number, folder in enumerate(("Ethics", "Open data")):
        (options.inbox / folder).mkdir()
        (options.inbox / folder / "week 1.mp4").write_bytes(MOVIE + bytes([number]))
    (options.inbox / "Ethics" / "notes.mp4").touch()
    result = sweep(options, {})
    text = Page(render_status(options, result, read_records(options.work), "en")).text
    for name in ("Ethics/week 1.mp4", "Open data/week 1.mp4", "Ethics/notes.mp4"):
        assert name in text


def test_pages_point_at_each_other_and_are_written_only_when_something_changed(options: IntakeOptions) -> None:
    (options.inbox / "talk.mp4").write_bytes(MOVIE)
    result = sweep(options, {})
    assert write_status(options, result, read_records(options.work))
    assert 'href="etat.html"' in (options.inbox / "status.html").read_text()
    assert 'href="status.html"' in (options.inbox / "etat.html").read_text()
    before = (options.inbox / "status.html").stat()
    assert not write_status(options, result, read_records(options.work))
    assert (options.inbox / "status.html").stat().st_ino == before.st_ino
    (claim,) = result.claims
    record_state(options.work, claim.session.id, 1, Processing(stage="media"))
    assert write_status(options, result, read_records(options.work))
    assert sweep(options, {}).claims == ()


def test_a_watcher_that_did_not_sweep_does_not_write(options: IntakeOptions) -> None:
    assert not write_status(options, SweepResult(busy=True), ())
    assert not (options.inbox / "status.html").exists()


def test_a_claim_given_back_by_a_run_is_shown_as_set_aside(options: IntakeOptions) -> None:
    (options.inbox / "talk.mp4").write_bytes(MOVIE)
    (claim,) = sweep(options, {}).claims
    reject(options, claim.session.id, RecordingRejected("intake.empty"))
    page = Page(render_status(options, SweepResult(), read_records(options.work), "en"))
    assert "Set aside" in page.text
    assert "0 bytes" in page.text


def test_times_are_shown_in_the_zone_and_the_way_of_the_language(options: IntakeOptions) -> None:
    shown = [record(Processing(stage="media"))]
    zone = ZoneInfo("America/Toronto")
    moment = dt.datetime.fromtimestamp(1_795_000_000, zone)
    assert f"{moment:%Y-%m-%d %H:%M}" in render_status(options, SweepResult(), shown, "en", zone=zone)
    assert f"{moment:%Y-%m-%d, %H\u00a0h\u00a0%M}" in render_status(options, SweepResult(), shown, "fr", zone=zone)


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_no_name_or_title_becomes_markup(text: str) -> None:
    options = IntakeOptions(inbox=Path("/nowhere/inbox"), work=Path("/nowhere/work"))
    hostile = f"</p><script>alert(1)</script>{text}"
    result = SweepResult(settling=(hostile,), waiting=(Waiting(name=hostile, reasons=()),))
    shown = [record(Processing(stage=hostile), name=hostile, title=hostile)]
    for language in LANGUAGES:
        html = render_status(options, result, shown, language)
        assert Page(html).text.count(hostile) == 4
        assert html.count("<script") == 1


def test_only_the_pages_own_script_may_run(options: IntakeOptions) -> None:
    html = render_status(options, SweepResult(), (), "en")
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in html or f"script-src 'sha256-{digest}'" in html
    assert "default-src 'none'" in html


@pytest.mark.parametrize("room", ["intake", "sidecar", "status"])
def test_french_texts_follow_french_typography(room: str) -> None:
    for code, texts in catalogue().items():
        if code.startswith(f"{room}."):
            assert texts.keys() == {"en", "fr"}, code
            assert re.sub(r"\{\w*\}", "", texts["en"]) != re.sub(r"\{\w*\}", "", texts["fr"]), code
            assert not re.search(r"(?<!«)\s[;!?]|[^\s\u00a0/]:(?!//)|« |[^\u00a0]»| %", texts["fr"]), code
            assert set(re.findall(r"\{\w+\}", texts["en"])) == set(re.findall(r"\{\w+\}", texts["fr"])), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_session_that_can_be_reviewed_leads_to_its_review_page_where_that_runs(
    options: IntakeOptions, language: Language
) -> None:
    records = (record(NeedsReview()), record(Claimed(), name="other.mp4", number=2))
    result = sweep(options, {})
    page = Page(render_status(options, result, records, language, review="http://127.0.0.1:8340/"))
    address = f"http://127.0.0.1:8340/{language}/sessions/{records[0].session.id}"
    assert [link for link in page.links if "8340" in link] == [address]
    assert not any("8340" in link for link in Page(render_status(options, result, records, language)).links)
