"""What learners report arrives from any mail program, once, at its words, and leaves nothing of who sent it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cuts import Timeline
from pipeline.errors import ReportInvalid, ReportMissing
from pipeline.report_files import FORM, MAIL, SentReport, read_report
from pipeline.report_folder import take_reports
from pipeline.reports import Decision, Reports, replacements
from pipeline.review import Desk
from pipeline.revisions import CorrectedTurn, Correction, Cut, Token
from pipeline.types import Transcript
from tests.desk import NOW, lay_out, reviewable

ID = "a" * 16
PASSAGE = "Thank you for having me. I am glad to be here today, with all of you who work on it every single day."
BLOCK = (
    f"Tribune-Session: {ID}\nTribune-Revision: r2-0123abcd\nTribune-Time: 65000\n"
    f"Tribune-Language: fr\nTribune-Text: {PASSAGE}\n\nOn dit « ravi », pas « glad ».\nMerci"
)
SENT = SentReport(
    session_id=ID,
    revision="r2-0123abcd",
    time_ms=65_000,
    text=PASSAGE,
    comment="On dit « ravi », pas « glad ». Merci",
    language="fr",
)


def mail(body: str, subtype: str = "plain", encoding: str = "quoted-printable") -> bytes:
    made = EmailMessage()
    made["From"] = "Zoé Roy <zoe.roy@example.org>"
    made["Subject"] = "Une erreur"
    made.set_content(body, subtype=subtype, cte=encoding)
    return made.as_bytes()


def wrapped(text: str, width: int = 40) -> str:
    """Break lines as a mail program does that wraps what it is given."""
    lines = []
    for line in text.split("\n"):
        row = ""
        for word in line.split(" "):
            if row and len(row) + 1 + len(word) > width:
                lines.append(row)
                row = word
            else:
                row = f"{row} {word}" if row else word
        lines.append(row)
    return "\n".join(lines)


def as_html(text: str, tag: str) -> str:
    lines = "".join(f"<{tag}>{line or '<br>'}</{tag}>" for line in text.replace(":", ":&nbsp;", 1).split("\n"))
    return (
        f"<html><head><style>p {{}}</style></head><body><script>alert('Tribune-Time: 1')</script>{lines}</body></html>"
    )


@pytest.mark.parametrize(
    "content",
    [
        mail(BLOCK),
        mail(BLOCK, encoding="base64"),
        mail(BLOCK.replace("\n", "\r\n")),
        mail(wrapped(BLOCK)),
        mail("\n".join(f"> {line}" for line in BLOCK.split("\n"))),
        mail("\n".join(f"> > {line}" for line in wrapped(BLOCK).split("\n"))),
        mail(as_html(BLOCK, "div"), "html"),
        mail(as_html(BLOCK, "p").replace("</p><p>Merci", " Merci"), "html"),
        mail(BLOCK.replace("Tribune-Session", "*Tribune-Session").replace("Revision:", "Revision:*")),
        mail(BLOCK + "\n-- \nZoé Roy\nzoe.roy@example.org\n613 555 0142"),
    ],
    ids=["plain", "base64", "crlf", "wrapped", "quoted", "quoted twice", "html div", "html p", "bold", "signed"],
)
def test_a_mail_of_any_program_says_the_same(content: bytes) -> None:
    assert read_report(content, MAIL) == SENT


def test_words_above_the_lines_count_where_there_are_none_below() -> None:
    head, _, _ = BLOCK.partition("\n\n")
    assert read_report(mail(f"C’est faux.\n\n{head}"), MAIL).comment == "C’est faux."


PAGE = (
    "Au sujet de la séance « Rédiger »\u00a0:\nhttps://example.ca/fr.html#t=65\n\n"
    + BLOCK.partition("\n\n")[0]
    + "\n\nVeuillez laisser les lignes ci-dessus. Écrivez ci-dessous ce qui est erroné\u00a0:\n\n"
)


@pytest.mark.parametrize(
    "text",
    [
        f"{PAGE}On dit « ravi », pas « glad ».\nMerci",
        f"On dit « ravi », pas « glad ».\nMerci\n\n{PAGE}",
        f"On dit « ravi », pas « glad ».\n\nMerci\n\nDe : Zoé Roy\nEnvoyé : lundi\n{PAGE}",
    ],
    ids=["below", "above", "above what a program quotes"],
)
@pytest.mark.parametrize(
    "made", [mail, lambda text: mail(wrapped(text)), lambda text: mail(as_html(text, "p"), "html")]
)
def test_what_the_page_wrote_is_not_taken_for_the_learners_words(text: str, made: Callable[[str], bytes]) -> None:
    assert read_report(made(text), MAIL).comment.replace(" \n", " ") == SENT.comment


def test_without_a_moment_a_report_is_about_the_session() -> None:
    lines = f"Tribune-Session: {ID}\nTribune-Language: en\n\nWrite below:\n\nThe sound is missing."
    sent = read_report(mail(lines), MAIL)
    assert (sent.time_ms, sent.text, sent.comment) == (0, "", "The sound is missing.")


def test_of_a_mail_in_two_forms_the_plain_one_is_read_unless_it_says_nothing() -> None:
    both = EmailMessage()
    both.set_content("This mail is in HTML.")
    both.add_alternative(as_html(BLOCK, "div"), subtype="html")
    assert read_report(both.as_bytes(), MAIL) == SENT


def test_a_form_says_it_in_json_with_moments_as_numbers_or_text() -> None:
    form: dict[str, object] = {
        "session": ID,
        "revision": "r2-0123abcd",
        "text": PASSAGE,
        "comment": SENT.comment,
        "language": "fr",
        "email": "zoe.roy@example.org",
    }
    for moment in (65_000, "65000"):
        assert read_report(json.dumps({**form, "time_ms": moment}).encode(), FORM) == SENT


def test_an_address_in_a_learners_words_is_hidden_and_controls_are_gone() -> None:
    form = {"session": ID, "time_ms": 1, "comment": "Write to zoe.roy@example.org\u202e, \x07please"}
    assert read_report(json.dumps(form).encode(), FORM).comment == "Write to […], please"


def test_what_is_too_long_is_cut() -> None:
    form = {"session": ID, "time_ms": 1, "text": "a" * 100_000, "comment": "b" * 100_000}
    sent = read_report(json.dumps(form).encode(), FORM)
    assert len(sent.text) < 2_100
    assert len(sent.comment) < 4_100


@pytest.mark.parametrize(
    "text",
    ["a", "@", "a@", "https://", "--\n", "> ", ":\n\n", "<div>", "<!--", "<![", "<?", "</", "&#", "<a ", "<a b='"],
)
@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_no_words_take_long(text: str, subtype: str) -> None:
    started = time.thread_time()
    body = f"Tribune-Session: {ID}\nTribune-Text: x\n\n{text * (1_000_000 // len(text))} x"
    read_report(f"Content-Type: text/{subtype}\n\n{body}".encode(), MAIL)
    # Of the processor: beside others it takes as long as they leave.
    assert time.thread_time() - started < 10


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"x", ".exe", "reports.kind"),
        (b"x", FORM, "reports.unreadable"),
        (b"[" * 100_000, FORM, "reports.unreadable"),
        (b"[1]", FORM, "reports.unreadable"),
        (b"{}", FORM, "reports.nameless"),
        (b'{"session": "../../etc/passwd"}', FORM, "reports.nameless"),
        (b'{"session": "aaaaaaaaaaaaaaaa", "time_ms": -1, "text": "x"}', FORM, "reports.timeless"),
        (b'{"session": "aaaaaaaaaaaaaaaa", "time_ms": 1}', FORM, "reports.empty"),
        (b"", MAIL, "reports.nameless"),
        (mail("Hello?"), MAIL, "reports.nameless"),
    ],
)
def test_what_cannot_be_taken_is_told(content: bytes, kind: str, code: str) -> None:
    with pytest.raises(ReportInvalid) as refused:
        read_report(content, kind)
    assert refused.value.code == code


@given(st.binary(max_size=400), st.sampled_from([MAIL, FORM]))
def test_no_bytes_break_the_reader(content: bytes, kind: str) -> None:
    with pytest.raises(ReportInvalid):
        read_report(content, kind)


@given(st.text(max_size=200), st.sampled_from(["plain", "html"]))
def test_no_words_of_a_mail_break_the_reader(text: str, subtype: str) -> None:
    body = f"Tribune-Session: {ID}\nTribune-Time: 5\nTribune-Text: x\n\n{text}".encode(errors="replace")
    head = f"Content-Type: text/{subtype}; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n".encode()
    assert read_report(head + body, MAIL).session_id == ID


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    session, transcript = reviewable("en")
    return lay_out(tmp_path / "work", session, transcript)


def sent(desk: Desk, **changed: object) -> SentReport:
    words = desk.revision(1).transcript.words
    made = SentReport(
        session_id=desk.session_id,
        revision="r1-0123abcd",
        time_ms=words[0].start_ms,
        text=" ".join(word.text for word in words[:6]),
        comment="Not so.",
        language="en",
    )
    return dataclasses.replace(made, **changed)  # type: ignore[arg-type]  # a few fields of many


def drop(folder: Path, of: SentReport, name: str = "report.eml") -> Path:
    folder.mkdir(exist_ok=True)
    body = (
        f"Tribune-Session: {of.session_id}\nTribune-Time: {of.time_ms}\nTribune-Language: {of.language}\n"
        f"Tribune-Text: {of.text}\n\n{of.comment}"
    )
    (folder / name).write_bytes(mail(body))
    return folder / name


def test_a_report_is_kept_at_its_words_without_who_sent_it_and_its_file_is_gone(tmp_path: Path, desk: Desk) -> None:
    path = drop(tmp_path / "reports", sent(desk))
    take_reports(tmp_path / "reports", tmp_path / "work", settle_ms=0, now=NOW)
    assert not path.exists()
    ((report, decision),) = Reports(desk=desk).all()
    words = desk.latest().transcript.words
    assert (report.start_ms, report.end_ms) == (words[0].start_ms, words[5].end_ms)
    assert report.comment == "Not so."
    assert decision is None
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"example.org" not in kept


def test_a_report_that_arrives_twice_is_there_once(tmp_path: Path, desk: Desk) -> None:
    for name in ("one.eml", "two.eml"):
        drop(tmp_path / "reports", sent(desk), name)
    take_reports(tmp_path / "reports", tmp_path / "work", settle_ms=0, now=NOW)
    drop(tmp_path / "reports", sent(desk))
    take_reports(tmp_path / "reports", tmp_path / "work", settle_ms=0, now=NOW)
    assert Reports(desk=desk).count_open() == 1
    assert [path.name for path in (tmp_path / "reports").iterdir()] == []


def test_what_fits_no_session_is_set_aside_with_the_reason_in_both_languages(tmp_path: Path, desk: Desk) -> None:
    drop(tmp_path / "reports", sent(desk, session_id="f" * 16), "one.eml")
    drop(tmp_path / "reports", sent(desk, time_ms=999_999_999), "two.eml")
    (tmp_path / "reports" / "large.json").write_bytes(b" " * 3_000_000)
    take_reports(tmp_path / "reports", tmp_path / "work", settle_ms=0, now=NOW)
    refused = tmp_path / "reports" / "refused"
    assert {path.name for path in refused.iterdir()} == {
        f"{name}{end}" for name in ("one.eml", "two.eml", "large.json") for end in ("", ".txt")
    }
    told = (refused / "two.eml.txt").read_text()
    assert "after the end" in told
    assert "après la fin" in told
    assert Reports(desk=desk).count_open() == 0


def test_a_file_that_is_still_being_written_is_left_alone(tmp_path: Path, desk: Desk) -> None:
    path = drop(tmp_path / "reports", sent(desk))
    take_reports(tmp_path / "reports", tmp_path / "work", settle_ms=60_000, now=NOW)
    assert path.exists()


def test_moments_after_a_cut_are_those_of_the_recording(desk: Desk) -> None:
    words = desk.latest().transcript.words
    cut = Cut(start_ms=words[2].start_ms, end_ms=words[8].start_ms, kind="remove")
    numbers = iter(range(len(words)))
    turns = tuple(
        CorrectedTurn(
            speaker=turn.speaker, tokens=tuple(Token(text=word.text, was=next(numbers)) for word in turn.words)
        )
        for turn in desk.latest().transcript.turns
    )
    desk.save(Correction(turns=turns, cuts=(cut,)), author="Anna", based_on=1, now=NOW)
    desk.approve(2, author="Anna", now=NOW)
    timeline = Timeline(duration_ms=desk.latest().transcript.duration_ms, cuts=(cut,))
    said = words[12:18]
    moment = timeline.map_ms([said[0].start_ms])[0]
    Reports(desk=desk).keep(sent(desk, time_ms=moment, text=" ".join(word.text for word in said)), now=NOW)
    Reports(desk=desk).keep(sent(desk, time_ms=moment, text="", comment="Here."), now=NOW)
    assert [report.start_ms for report, _ in Reports(desk=desk).all()] == [said[0].start_ms] * 2


@given(st.lists(st.integers(0, 99), max_size=8, unique=True), st.integers(0, 99))
def test_a_moment_goes_to_the_published_clock_and_back(edges: list[int], moment: int) -> None:
    ordered = sorted(edges[: len(edges) // 2 * 2])
    cuts = tuple(
        Cut(start_ms=first, end_ms=last, kind="remove") for first, last in zip(ordered[::2], ordered[1::2], strict=True)
    )
    timeline = Timeline(duration_ms=100, cuts=cuts)
    if not any(cut.start_ms <= moment < cut.end_ms for cut in cuts):
        assert timeline.recorded_ms(timeline.map_ms([moment])[0]) == moment


def test_words_are_found_although_editing_left_some_out_and_the_moment_is_elsewhere(desk: Desk) -> None:
    words = desk.latest().transcript.words
    read = [word.text for at, word in enumerate(words[10:24]) if at not in {3, 4, 9}]
    Reports(desk=desk).keep(sent(desk, time_ms=words[30].start_ms, text=" ".join(read)), now=NOW)
    ((report, _),) = Reports(desk=desk).all()
    assert (report.start_ms, report.end_ms) == (words[10].start_ms, words[23].end_ms)


def test_what_was_decided_is_there_for_everybody_until_an_approval_closes_it(desk: Desk) -> None:
    reports = Reports(desk=desk)
    for moment in (0, 5_000):
        reports.keep(sent(desk, time_ms=moment, text=""), now=NOW)
    (first, _), _ = reports.all()
    reports.decide(first.id, Decision(state="done", author="Anna", decided_at=NOW))
    assert [decision and decision.author for _, decision in Reports(desk=desk).all()] == ["Anna", None]
    assert reports.count_open() == 1
    desk.approve(1, author="Ben", now=NOW + dt.timedelta(minutes=1))
    assert [decision for _, decision in reports.all()] == [None]
    reports.decide(first.id, Decision(state="open", author="Ben", decided_at=NOW + dt.timedelta(minutes=2)))
    assert reports.count_open() == 2
    with pytest.raises(ReportMissing):
        reports.decide("../" * 10, Decision(state="done", author="Anna", decided_at=NOW))


def corrected(transcript: Transcript, read: str, wanted: str, desk: Desk) -> str:
    """Return what the first turn says once a learner's text is taken."""
    Reports(desk=desk).keep(sent(desk, text=read, comment=wanted), now=NOW)
    ((report, _),) = Reports(desk=desk).all()
    texts = [word.text for word in transcript.words]
    for each in reversed(replacements(report, transcript.words)):
        texts[each.first : each.last + 1] = each.text.split()
    return " ".join(texts[: len(transcript.turns[0].words) + 2])


@pytest.mark.parametrize(
    ("read", "wanted", "start"),
    [
        ("Good morning, everyone, and welcome", "Good evening, everyone, and welcome", "Good evening, everyone,"),
        ("Good morning, everyone, and welcome", "Good morning, dear everyone, and welcome", "Good morning, dear every"),
        ("Good morning, everyone, and welcome", "morning, everyone, and welcome", "morning, everyone,"),
        # What the page left out or wrote otherwise is not the learner's.
        ("Good everyone, And welcome", "Good everyone, And welcomes", "Good morning, everyone, and welcomes"),
    ],
)
def test_a_learners_text_changes_what_they_read_otherwise_and_nothing_else(
    desk: Desk, read: str, wanted: str, start: str
) -> None:
    assert corrected(desk.latest().transcript, read, wanted, desk).startswith(start)


def test_a_remark_is_no_text_to_take(desk: Desk) -> None:
    Reports(desk=desk).keep(sent(desk, comment="The name is wrong here, please look."), now=NOW)
    ((report, _),) = Reports(desk=desk).all()
    assert replacements(report, desk.latest().transcript.words) == ()
