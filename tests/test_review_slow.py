"""The review editor where answers come late: nothing typed is lost, nothing happens twice, nothing takes the keys."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from pipeline.report_files import SentReport
from pipeline.reports import Reports
from pipeline.review import Desk
from tests.browser import held, hold_back, until
from tests.desk import NOW, Server, lay_out, recognise_again, reviewable, said, serving, write_media
from tests.pages import make_transcript
from tests.test_review_editor import Reviewer

pytestmark = pytest.mark.browser

KEPT = "document.getElementById('kept').dataset.state === 'kept'"


@dataclass
class Late:
    """Answers that the server has given and that do not reach the page until they are let go."""

    page: Page
    pattern: str
    method: str = "GET"
    first: bool = False
    held: list[tuple[Route, APIResponse]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.route(self.pattern, self._hold)

    def _hold(self, route: Route) -> None:
        if route.request.method != self.method or (self.first and self.held):
            route.fallback()
        else:
            self.held.append((route, route.fetch()))

    def are(self, count: int = 1) -> None:
        """Wait until so many are held."""
        held(self.page, self.held, count)

    def let_go(self) -> None:
        """Let all that are held come."""
        for route, response in self.held:
            route.fulfill(response=response)
        self.page.unroute(self.pattern)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("review")
    write_media(root / "video.mp4", 70)
    with serving(root) as running:
        yield running


@pytest.fixture
def desk(server: Server) -> Desk:
    """A session that no other test touches."""
    session, transcript = reviewable("en", id=f"{random.SystemRandom().randrange(16**16):016x}")
    transcript = dataclasses.replace(transcript, session_id=session.id)
    return lay_out(server.root / "work", session, transcript, media=server.root / "video.mp4")


def ready_to_hold(one: Reviewer) -> Reviewer:
    """Let requests be held back from the start: one that is on its way when that begins may not come at all."""
    hold_back(one.page, "**/nowhere")
    return one


@pytest.fixture
def reviewer(chromium: Browser, server: Server) -> Iterator[Reviewer]:
    one = ready_to_hold(Reviewer(chromium, server))
    yield one
    one.context.close()
    # That somebody else was first is an answer like any other.
    assert [fault for fault in one.faults if "409" not in fault] == []


@pytest.fixture
def anna(chromium: Browser, server: Server) -> Iterator[Reviewer]:
    one = ready_to_hold(Reviewer(chromium, server, "Anna"))
    yield one
    one.context.close()


def save_late(page: Page) -> Late:
    """Save, with an answer that does not come yet."""
    late = Late(page, "**/revisions", "POST")
    page.keyboard.press("Control+s")
    late.are()
    # What it says is said of drafts too, before and after: only a change to it tells.
    page.evaluate(
        """() => {
            const kept = document.getElementById("kept");
            window.answered = false;
            const look = () => (window.answered ||= kept.dataset.state === "saved_now");
            new MutationObserver(look).observe(kept, { attributeFilter: ["data-state"] });
        }"""
    )
    return late


def type_after(reviewer: Reviewer, number: int, words: str, typed: str) -> None:
    reviewer.caret_after(number, words)
    reviewer.page.keyboard.type(typed)


def cut_offered(page: Page) -> list[float]:
    """Ask for a cut: where it would begin and end, in seconds of the first minute; nothing is cut."""
    page.get_by_role("button", name="Cut or mask…").click()
    ends = [page.get_by_label(label, exact=True).input_value() for label in ("From", "To")]
    page.keyboard.press("Escape")
    return [float(end.removeprefix("0:")) for end in ends]


def test_nothing_can_be_typed_before_it_is_known_whether_there_is_a_draft(
    chromium: Browser, server: Server, desk: Desk, reviewer: Reviewer
) -> None:
    before = Reviewer(chromium, server)
    before.open(desk.session_id)
    type_after(before, 0, "Good", " old")
    before.is_kept()
    before.context.close()
    page = reviewer.page
    late = Late(page, "**/draft?*")
    page.goto(f"{server.address}/en/sessions/{desk.session_id}")
    late.are()
    type_after(reviewer, 0, "Good", " lost")
    page.keyboard.press("F8")
    assert reviewer.text(0).startswith("Good morning")
    late.let_go()
    until(page, "document.body.dataset.ready === 'all'")
    assert reviewer.text(0).startswith("Good old morning")
    type_after(reviewer, 0, "Good old", " dear")
    until(page, KEPT)
    draft = desk.draft("Zoé Roy")
    assert draft is not None
    assert "dear" in draft.payload


def test_a_draft_of_an_older_revision_stays_this_windows_own(reviewer: Reviewer, anna: Reviewer, desk: Desk) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 5, "May I add", " here")
    reviewer.is_kept()
    page.goto(f"{reviewer.server.address}/en/")
    anna.open(desk.session_id)
    type_after(anna, 1, "Thank you", " all")
    anna.save()
    page.goto(f"{reviewer.server.address}/en/sessions/{desk.session_id}")
    expect(page.get_by_role("dialog")).to_contain_text("Anna saved revision 2")
    until(page, KEPT)
    page.get_by_role("button", name="Put my changes on top").click()
    until(page, "document.body.dataset.ready === 'all'")
    assert reviewer.text(1).startswith("Thank you all")
    until(page, KEPT)
    reviewer.save()
    assert said(desk)[4].startswith("May I add here something")


def test_a_draft_that_changes_nothing_is_no_conflict(reviewer: Reviewer, anna: Reviewer, desk: Desk) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 5, "May I add", " here")
    reviewer.is_kept()
    page.keyboard.press("Control+z")
    page.goto(f"{reviewer.server.address}/en/")
    anna.open(desk.session_id)
    type_after(anna, 1, "Thank you", " all")
    anna.save()
    reviewer.open(desk.session_id)
    assert reviewer.text(1).startswith("Thank you all")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_who_saves_twice_and_types_on_before_the_answer_has_one_revision_and_every_letter(
    reviewer: Reviewer, desk: Desk
) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 0, "Good", " old")
    late = save_late(page)
    page.keyboard.press("Control+s")
    page.keyboard.type(" dear")
    # Sent as a draft of the revision before, while the next one is being made.
    until(page, KEPT)
    late.let_go()
    until(page, "answered")
    page.keyboard.type(" fine")
    assert reviewer.text(0).startswith("Good old dear fine morning")
    until(page, KEPT)
    assert len(late.held) == 1
    expect(page.get_by_role("dialog")).to_have_count(0)
    reviewer.save()
    assert [entry.author for entry in desk.history()] == ["tribune tests", "Zoé Roy", "Zoé Roy"]
    assert said(desk)[0].startswith("Good old dear fine morning")
    assert desk.draft("Zoé Roy") is None


def test_what_is_typed_while_a_word_is_saved_that_the_server_writes_otherwise_is_still_there(
    reviewer: Reviewer, desk: Desk
) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 0, "Good", " o\u202eld")
    late = save_late(page)
    type_after(reviewer, 1, "Thank you", " all")
    late.let_go()
    until(page, "answered")
    page.keyboard.type(" so")
    assert reviewer.text(1).startswith("Thank you all so")
    reviewer.save()
    assert said(desk)[1].startswith("Thank you all so for")


def test_an_approval_asks_at_once_and_waits_for_what_is_being_saved(reviewer: Reviewer, desk: Desk) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 0, "Good", " old")
    late = Late(page, "**/revisions", "POST")
    page.get_by_role("button", name="Approve…").click()
    late.are()
    approve = page.get_by_role("button", name="Approve and publish")
    expect(approve).to_be_disabled()
    expect(page.get_by_role("dialog")).to_contain_text("Saving what you have typed")
    late.let_go()
    expect(page.get_by_role("dialog")).to_contain_text("Revision 2 is published")
    approve.click()
    expect(page.locator("#notices")).to_contain_text("Approved")
    revision = desk.approved()
    assert revision is not None
    assert revision.number == 2


def test_where_a_session_stands_is_what_was_asked_last(reviewer: Reviewer, desk: Desk) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 0, "Good", " old")
    late = Late(page, "**/state?*", first=True)
    reviewer.save()
    late.are()
    before = page.locator("#state").text_content()
    page.get_by_role("button", name="Approve…").click()
    page.get_by_role("button", name="Approve and publish").click()
    expect(page.locator("#notices")).to_contain_text("Approved")
    approved = page.locator("#state").text_content()
    assert approved != before
    with page.expect_response("**/state?*"):
        late.let_go()
    page.evaluate("new Promise(done => setTimeout(done))")
    assert page.locator("#state").text_content() == approved


def report(desk: Desk) -> None:
    words = desk.revision(1).transcript.words[:6]
    text = " ".join(word.text for word in words)
    sent = SentReport(
        session_id=desk.session_id,
        revision="r1-0123abcd",
        time_ms=words[0].start_ms,
        text=text,
        comment="Not so.",
        language="en",
    )
    assert Reports(desk=desk).keep(sent, now=NOW)


def test_who_types_on_while_a_decision_is_sent_keeps_the_keys_and_is_not_told_of_their_own_revision(
    reviewer: Reviewer, desk: Desk
) -> None:
    report(desk)
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 1, "Thank you", " all")
    saving = save_late(page)
    deciding = Late(page, "**/reports/*", "PUT")
    page.get_by_role("button", name="Dismiss").click()
    deciding.are()
    type_after(reviewer, 0, "Good", " ol")
    deciding.let_go()
    expect(page.locator("#reports-count")).to_have_text("0")
    page.keyboard.type("d")
    assert reviewer.text(0).startswith("Good old morning")
    expect(page.locator("#notices")).to_be_empty()
    saving.let_go()
    until(page, "answered")
    assert reviewer.text(0).startswith("Good old morning")


def test_a_suggestion_is_taken_where_its_words_stand_by_then_and_no_cut_is_lost(
    reviewer: Reviewer, server: Server
) -> None:
    session, _ = reviewable("en", id="5" * 16, glossary=("Veritas",))
    text = "We use Verites, here. Call 613 555 0142 or 819 555 0199 today."
    desk = lay_out(server.root / "work", session, make_transcript(session, (("S1", text),)))
    page = reviewer.open(session.id)
    page.locator("#suggestions-title").click()
    page.get_by_role("button", name="Mask 613 555 0142").click()
    expect(page.locator("#cuts > li")).to_have_count(1)
    reviewer.caret_after(0, "We")
    # Faster than any person, as a machine is that has fallen behind.
    page.evaluate(
        """() => {
            const press = (label) => document.querySelector(`[aria-label^="${label}"]`).click();
            document.execCommand("insertText", false, " all");
            press("Write Veritas, instead of Verites,");
            press("Mask 819 555 0199");
            document.querySelector("#cuts li button:last-child").click();
        }"""
    )
    expect(page.locator("#cuts > li")).to_have_count(1)
    assert reviewer.text(0).startswith("We all use Veritas, here.")
    reviewer.save()
    (cut,) = desk.latest().cuts
    masked = [word.text for word in desk.latest().transcript.words if cut.start_ms <= word.start_ms < cut.end_ms]
    assert masked == ["819", "555", "0199"]


def test_an_earlier_revision_that_comes_late_asks_before_it_takes_the_place_of_what_was_typed(
    reviewer: Reviewer, desk: Desk
) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 0, "Good", " old")
    reviewer.save()
    late = Late(page, "**/api/sessions/*?revision=1")
    page.locator("#history-part summary").click()
    page.get_by_role("button", name="Bring revision 1 back").click()
    late.are()
    type_after(reviewer, 0, "Good old", " dear")
    late.let_go()
    expect(page.locator("#notices")).to_contain_text("Revision 1 is here")
    assert reviewer.text(0).startswith("Good old dear morning")
    page.locator("#notices").get_by_role("button", name="Bring it back").click()
    assert reviewer.text(0).startswith("Good morning")
    page.keyboard.press("Control+z")
    assert reviewer.text(0).startswith("Good old dear morning")


def test_what_is_typed_while_a_later_recognition_is_taken_stands_on_top_of_it(reviewer: Reviewer, desk: Desk) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 5, "May I add", " here")
    reviewer.save()
    recognise_again(desk, "Fine")
    reviewer.open(desk.session_id)
    late = Late(page, "**/proposal", "POST")
    page.get_by_role("button", name="Show what changed").click()
    page.get_by_role("button", name="Take the later recognition").click()
    late.are()
    type_after(reviewer, 1, "Thank you", " all")
    late.let_go()
    until(page, "document.querySelector('#pane .text').textContent.startsWith('Fine morning')")
    page.keyboard.type(" so")
    assert reviewer.text(1).startswith("Thank you all so for")
    reviewer.save()
    assert said(desk)[1].startswith("Thank you all so for")


def test_a_conflict_waits_for_an_open_dialog_and_a_second_one_changes_only_what_was_changed(
    reviewer: Reviewer, anna: Reviewer, desk: Desk
) -> None:
    page = reviewer.open(desk.session_id)
    anna.open(desk.session_id)
    type_after(anna, 1, "Thank you", " all")
    anna.save()
    type_after(reviewer, 5, "May I add", " here")
    late = save_late(page)
    page.keyboard.press("F4")
    with page.expect_response("**/changes?*"):
        late.let_go()
    page.locator("#who-name").fill("Lucie Aubé")
    expect(page.locator("#conflict-dialog")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#conflict-dialog")).to_be_visible()
    page.get_by_role("button", name="Put my changes on top").click()
    assert page.evaluate("document.activeElement.closest('.block') !== null")
    type_after(anna, 2, "And what", " ever")
    anna.save()
    page.keyboard.press("Control+s")
    page.get_by_role("button", name="Put my changes on top").click()
    expect(page.locator("#notices")).to_contain_text("on top of revision 3 by Anna. Look them over")
    reviewer.save()
    spoken = said(desk)
    assert spoken[1].startswith("Thank you all for")
    assert spoken[2].startswith("And what ever")
    assert spoken[4].startswith("May I add here something")


def test_a_recording_that_comes_late_still_stops_and_goes_where_it_is_told(reviewer: Reviewer, desk: Desk) -> None:
    page = reviewer.page
    asked = hold_back(page, "**/media/*")
    reviewer.open(desk.session_id)
    for _ in range(3):
        page.keyboard.press("F2")
    # Nothing more is held before what is held is let go: a request between the two would never be answered.
    page.unroute("**/media/*")
    for route in asked:
        route.continue_()
    until(page, "document.getElementById('media').currentTime > 0 && document.getElementById('media').paused")
    page.evaluate(
        """() => {
            const media = document.getElementById("media");
            const goOn = () => {
                media.currentTime = 30;
                // Looked at before the jump is told of.
                media.dispatchEvent(new Event("timeupdate"));
            };
            media.addEventListener("playing", goOn, { once: true });
        }"""
    )
    page.keyboard.press("F2")
    until(page, "document.getElementById('media').currentTime > 30.5")


def test_a_paragraph_that_goes_while_somebody_is_in_it_goes_without_a_fault(reviewer: Reviewer, desk: Desk) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 1, "Thank you for having me.", "  now ")
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    assert "having me. now" in " ".join(reviewer.text(0).split())
    assert page.evaluate("document.activeElement.classList.contains('text')")


def test_a_browser_that_tells_late_of_what_was_selected_takes_no_drawn_stretch_away(
    reviewer: Reviewer, desk: Desk
) -> None:
    page = reviewer.open(desk.session_id)
    page.evaluate(
        """() => {
            window.told = 0;
            const late = (event) => (told += 1, event.stopImmediatePropagation());
            addEventListener("selectionchange", late, { capture: true });
            window.tellNow = () => {
                removeEventListener("selectionchange", late, { capture: true });
                document.dispatchEvent(new Event("selectionchange"));
                const heard = () => setTimeout(() => (window.heard = String(getSelection())));
                addEventListener("selectionchange", heard, { capture: true });
            };
        }"""
    )
    reviewer.caret_after(0, "Good")
    page.keyboard.press("Shift+Control+ArrowRight")
    until(page, "told > 0")
    reviewer.draw(20, 10)
    page.evaluate("tellNow()")
    assert cut_offered(page) == pytest.approx([10, 20], abs=0.3)

    reviewer.draw(20, 10)
    reviewer.caret_after(0, "Good")
    page.keyboard.press("Shift+Control+ArrowRight")
    until(page, "window.heard?.trim()")
    assert cut_offered(page)[1] < 5

    reviewer.draw(20, 10)
    page.locator("#pane .text").first.press("Control+a")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert cut_offered(page)[0] < 5


def test_what_a_dialog_answered_counts_before_the_browser_tells_that_it_is_closed(
    reviewer: Reviewer, desk: Desk
) -> None:
    page = reviewer.open(desk.session_id)
    # Told of with the next picture, which a busy machine paints late: here never.
    page.evaluate("addEventListener('close', (event) => event.stopImmediatePropagation(), { capture: true })")
    page.keyboard.press("Control+Shift+X")
    page.get_by_label("From", exact=True).fill("0:05")
    page.get_by_label("To", exact=True).fill("0:15")
    page.get_by_role("button", name="Leave it out").click()
    reviewer.save()
    assert [(cut.start_ms, cut.end_ms) for cut in desk.latest().cuts] == [(5000, 15_000)]
    reviewer.caret_after(1, "Thank")
    page.keyboard.press("F4")
    page.keyboard.press("Escape")
    page.keyboard.type(" all")
    assert reviewer.text(1).startswith("Thank all you")


def test_a_dialog_that_is_open_again_is_not_answered_by_its_last_closing(reviewer: Reviewer, desk: Desk) -> None:
    page = reviewer.open(desk.session_id)
    page.keyboard.press("Control+Shift+X")
    page.evaluate("document.getElementById('cut-dialog').dispatchEvent(new Event('close'))")
    page.get_by_label("From", exact=True).fill("0:05")
    page.get_by_label("To", exact=True).fill("0:15")
    page.get_by_role("button", name="Leave it out").click()
    expect(page.locator("#cuts > li")).to_have_count(1)


def test_a_key_that_chooses_in_a_dialog_chooses_nothing_in_the_text(reviewer: Reviewer, desk: Desk) -> None:
    page = reviewer.open(desk.session_id)
    reviewer.caret_after(0, "Good")
    whose = page.locator("#pane .who")
    before = whose.first.text_content() or ""
    whose.nth(2).click()
    page.keyboard.press("Alt+3")
    expect(whose.nth(2)).to_have_text("Speaker 3")
    expect(whose.first).to_have_text(before)


def test_a_button_that_is_pressed_while_its_list_is_made_anew_is_pressed(reviewer: Reviewer, server: Server) -> None:
    session, _ = reviewable("en", id="7" * 16)
    text = "Call 613 555 0142 or 819 555 0199 today."
    lay_out(server.root / "work", session, make_transcript(session, (("S1", text),)))
    page = reviewer.open(session.id)
    page.locator("#suggestions-title").click()
    masked = page.get_by_role("button", name="Mask 613 555 0142")
    masked.hover()
    there = masked.bounding_box()
    page.mouse.down()
    # Made anew once nobody has typed for a while, as the button for doubts is set right.
    page.evaluate(
        """() => {
            const [text, confirm] = [document.querySelector("#pane .text"), document.getElementById("confirm")];
            window.right = confirm.disabled;
            confirm.disabled = !right;
            text.textContent = text.textContent.replace("Call", "Call me");
            text.dispatchEvent(new InputEvent("input", { bubbles: true }));
        }"""
    )
    until(page, "document.getElementById('confirm').disabled === right")
    reviewer.is_kept()
    # Nor does it move away from under the mouse once it is said that the change is kept.
    assert masked.bounding_box() == there
    page.mouse.up()
    expect(page.locator("#cuts > li")).to_have_count(1)
    expect(masked).to_have_count(0)


def test_a_draft_that_failed_after_a_later_one_was_kept_does_not_take_its_place(anna: Reviewer, desk: Desk) -> None:
    page = anna.open(desk.session_id)
    asked = hold_back(page, "**/draft")
    type_after(anna, 0, "Good", " old")
    held(page, asked)
    page.keyboard.type(" dear")
    # Whoever goes to another window has what they typed sent at once.
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    held(page, asked, 2)
    page.unroute("**/draft")
    asked[1].continue_()
    until(page, KEPT)
    with page.expect_event("requestfailed"):
        asked[0].abort()
    page.evaluate("new Promise(done => setTimeout(done))")
    assert page.evaluate(KEPT)
    draft = desk.draft("Anna")
    assert draft is not None
    assert "dear" in draft.payload


def test_a_draft_that_is_under_way_when_its_revision_is_made_arrives_before_the_next_is_saved(
    reviewer: Reviewer, desk: Desk
) -> None:
    page = reviewer.open(desk.session_id)
    type_after(reviewer, 0, "Good", " old")
    late = save_late(page)
    asked = hold_back(page, "**/draft")
    page.keyboard.type(" dear")
    held(page, asked)
    late.let_go()
    until(page, "answered")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url.rpartition('/')[2]}"))
    page.keyboard.press("Control+s")
    page.evaluate("fetch('/assets/main.js').then((answer) => answer.text())")
    assert "POST revisions" not in sent
    page.unroute("**/draft")
    with page.expect_response("**/revisions"):
        for each in asked:
            each.continue_()
    assert said(desk)[0].startswith("Good old dear morning")
    assert desk.draft("Zoé Roy") is None
