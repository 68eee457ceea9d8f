"""From one session of a programme to the next: the order, what keeps it, and the links on a session's page."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.lists import Lists
from pipeline.site.model import SiteOptions
from pipeline.site.order import make_order, order_key
from pipeline.site.render import LearnerSite
from pipeline.types import LANGUAGES, Bilingual, Language
from pipeline.withdrawal import withdraw
from tests.browser import axe_faults, serve
from tests.memory_store import MemoryStore
from tests.pages import (
    EVERYTHING,
    PROGRAMME,
    SESSION,
    make_entry,
    make_media,
    make_published,
    shown_hostile,
    write_site,
)
from tests.test_publishing import NOON
from tests.test_shelves import put_session

SITE = LearnerSite(SiteOptions())
ENTRY = make_entry(make_published())
WEEKS: Final = ("a" * 16, "b" * 16, "c" * 16)
"""Of the first, second and third week; the second is in French only, the others in English."""


def told(body: bytes | None) -> list[dict[str, Any]]:
    assert body is not None
    sessions: list[dict[str, Any]] = json.loads(body)["sessions"]
    return sessions


def test_sessions_come_by_week_and_day_the_earliest_first_those_outside_the_weeks_last() -> None:
    places = [(None, None), (None, dt.date(2026, 2, 1)), (None, dt.date(2026, 1, 1)), (2, dt.date(2026, 1, 2))]
    places += [(1, dt.date(2026, 5, 2)), (1, dt.date(2026, 5, 1))]
    entries = [
        dataclasses.replace(ENTRY, title=Bilingual.same(f"{week} {date}"), week=week, date=date)
        for week, date in places
    ]
    made = told(make_order(PROGRAMME, entries, "en").body)
    assert [session["title"] for session in made] == [f"{week} {date}" for week, date in reversed(places)]
    assert [session.get("week") for session in made] == [1, 1, 2, None, None, None]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_session_is_told_of_in_the_readers_language_or_marked(language: Language) -> None:
    (session,) = told(make_order(PROGRAMME, [make_entry(make_published("fr"))], language).body)
    assert session["page"] == f"sessions/{SESSION['fr'].id}/{language}.html"
    assert session.get("lang") == ("fr" if language == "en" else None)
    assert session["languages"] == ["fr", "en"]


def test_a_hostile_title_is_told_as_it_may_be_shown() -> None:
    (session,) = told(make_order(EVERYTHING, [dataclasses.replace(ENTRY, title=EVERYTHING)], "en").body)
    assert session["title"] == shown_hostile()
    assert order_key(EVERYTHING, "en").isascii()


def test_a_programme_without_sessions_has_no_order() -> None:
    assert make_order(PROGRAMME, [], "en").body is None


def test_the_order_follows_every_publication_and_withdrawal_and_goes_with_the_last() -> None:
    store = MemoryStore()

    def titles() -> list[str] | None:
        found = store.read(order_key(PROGRAMME, "en"))
        return None if found is None else [session["title"] for session in told(found[0])]

    def put(number: int, week: int) -> str:
        session_id = put_session(store, number, dt.date(2026, 3, week), PROGRAMME, week=week)
        Lists(store, SITE).update(session_id)
        return session_id

    first, third = put(1, 1), put(3, 3)
    assert titles() == ["Session 1", "Session 3"]
    second = put(2, 2)
    assert titles() == ["Session 1", "Session 2", "Session 3"]
    withdraw(second, store, views=SITE, now=lambda: NOON)
    assert titles() == ["Session 1", "Session 3"]
    for session_id in (first, third):
        withdraw(session_id, store, views=SITE, now=lambda: NOON)
    assert titles() is None


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("site")
    video, poster = folder / "video.mp4", folder / "poster.jpg"
    make_media(video, poster)
    sessions = []
    for week, session_id in enumerate(WEEKS, start=1):
        own: Language = "fr" if week == 2 else "en"
        session = dataclasses.replace(
            SESSION[own], id=session_id, week=week, languages=(own,), title=Bilingual(**{own: f"Part {week} <i>"})
        )
        sessions.append(make_published(own, session=session))
    write_site(folder / "root", sessions, video, poster)
    with serve(folder / "root") as base:
        yield base


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_session_leads_to_the_nearest_one_that_shares_its_language(page: Page, language: Language) -> None:
    page.goto(f"sessions/{WEEKS[0]}/{language}.html")
    onward = page.locator("#onward")
    link = onward.get_by_role("link", name="Part 3 <i>")
    said = {"en": "Next session · Week 3", "fr": "Séance suivante · Semaine\u00a03"}[language]
    expect(link).to_contain_text(said)
    expect(onward.locator("li")).to_have_count(1)
    assert link.locator("bdi").get_attribute("lang") == (None if language == "en" else "en")
    assert axe_faults(page, part="#onward") == []
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{WEEKS[2]}/{language}.html")
    back = page.locator("#onward li a")
    expect(back).to_contain_text(
        {"en": "Previous session · Week 1", "fr": "Séance précédente · Semaine\u00a01"}[language]
    )
    back.click()
    page.wait_for_url(f"**/{WEEKS[0]}/{language}.html")


def test_a_session_that_shares_its_language_with_no_other_leads_to_the_programme(page: Page) -> None:
    with page.expect_response("**-sessions.json"):
        page.goto(f"sessions/{WEEKS[1]}/fr.html", wait_until="networkidle")
    page.get_by_role("link", name="Aller aux autres séances du programme").click()
    expect(page.locator("#onward li")).to_have_count(0)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/fr/lists/programme-*.html")


def test_without_script_the_way_to_the_programme_is_there(chromium: Browser, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/sessions/{WEEKS[0]}/en.html")
    page.locator("#onward a").click()
    page.wait_for_url("**/en/lists/programme-*")
    context.close()


def test_a_session_of_no_programme_has_no_way_on() -> None:
    published = make_published(session=dataclasses.replace(SESSION["en"], programme=None))
    for page in SITE.session_pages(published).values():
        assert "onward" not in page
