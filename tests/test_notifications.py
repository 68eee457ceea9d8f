"""Facilitators are told what became of their recording: once, in both languages, and never a word of it."""

from __future__ import annotations

import email
import email.policy
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

from config.settings import load_settings
from flows.notify import Mail, Notifier, Webhook, open_channels
from flows.watch_inbox import watch
from pipeline.journal import (
    Claimed,
    Drop,
    Failed,
    Published,
    Rejected,
    SessionRecord,
    State,
    Withdrawn,
    now_ms,
    read_records,
    record_state,
    request_again,
    request_publication,
    write_record,
)
from pipeline.notifications import MailOptions, WebhookOptions, announce, find_events
from pipeline.tcp import free_port
from pipeline.types import Bilingual, Language, Notice, Recording, Session

SECRET_WORDS = "the words that were spoken"
PAGES: tuple[tuple[Language, str], ...] = (("en", "https://example.org/en.html"), ("fr", "https://example.org/fr.html"))
PUBLISHED = Published(
    revision="r1-3fa9c1d2",
    pages=PAGES,
    notes=(
        Notice(
            code="speakers.introduced",
            data=(("moment", "0:12"), ("name", "Anna"), ("number", "2"), ("quote", SECRET_WORDS)),
        ),
    ),
)


def make_record(state: State, *, title: str = "Été", number: int = 1, drops: tuple[Drop, ...] = ()) -> SessionRecord:
    sha256 = f"{number:064x}"
    return SessionRecord(
        recording=Recording(path=Path("recording.mp4"), name="talk.mp4", sha256=sha256, size=1),
        session=Session(id=f"{number:016x}", title=Bilingual(fr=title, en="Summer"), languages=("fr",)),
        state=state,
        when_ms=now_ms() + 1000,
        drops=drops,
    )


class Mailbox:
    """What a mail server has taken; refuses while it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refuses = False

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802
        if self.refuses:
            return "451 later"
        assert isinstance(envelope.content, bytes)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.recipients = list(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, MailOptions]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port("127.0.0.1"))
    controller.start()
    try:
        yield (
            box,
            MailOptions(
                to=("anna@example.org", "Zoé <zoe@example.org>"),
                sender="tribune@example.org",
                host="127.0.0.1",
                port=controller.port,
                security="none",
            ),
        )
    finally:
        controller.stop()


@pytest.fixture
def hook() -> Iterator[tuple[list[Any], str]]:
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_publication_is_told_by_mail_in_both_languages(tmp_path: Path, mailbox: tuple[Mailbox, MailOptions]) -> None:
    box, options = mailbox
    notifier = Notifier([Mail(options)], tmp_path)
    notifier.tell([])
    notifier.tell([make_record(PUBLISHED)])
    (mail,) = box.mails
    assert mail["Subject"] == "Publié\u00a0: Été / Published: Summer"
    assert box.recipients == ["anna@example.org", "zoe@example.org"]
    text = mail.get_content()
    for part in ("La séance", "The session", "https://example.org/fr.html", "talk.mp4", "status page: 1"):
        assert part in text
    assert text.index("La séance") < text.index("The session")
    assert SECRET_WORDS not in mail.as_string()
    assert SECRET_WORDS not in text


def test_the_watcher_tells_what_the_settings_say(
    tmp_path: Path, mailbox: tuple[Mailbox, MailOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    box, options = mailbox
    given = {
        "ROOT": str(tmp_path),
        "INTAKE__POLL_SECONDS": "0.01",
        "NOTIFICATIONS__MAIL_TO": json.dumps(options.to),
        "NOTIFICATIONS__MAIL_FROM": options.sender,
        "NOTIFICATIONS__SMTP_HOST": options.host,
        "NOTIFICATIONS__SMTP_PORT": str(options.port),
        "NOTIFICATIONS__SMTP_SECURITY": "none",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"TRIBUNE_{name}", value)
    settings = load_settings()
    rounds = iter(range(3))

    def go_on(_pause_s: float) -> bool:
        turn = next(rounds, None)
        if turn == 1:
            write_record(settings.work, make_record(PUBLISHED))
        return turn is not None

    watch(settings, go_on)
    assert [mail["Subject"] for mail in box.mails] == ["Publié\u00a0: Été / Published: Summer"]


def test_each_thing_is_told_once_also_after_a_restart(tmp_path: Path, mailbox: tuple[Mailbox, MailOptions]) -> None:
    box, options = mailbox
    Notifier([Mail(options)], tmp_path).tell([])
    record = make_record(PUBLISHED)
    for _ in range(2):
        notifier = Notifier([Mail(options)], tmp_path)
        notifier.tell([record])
        notifier.tell([record])
    assert len(box.mails) == 1
    Notifier([Mail(options)], tmp_path).tell([replace(record, attempt=2)])
    assert len(box.mails) == 2


def test_what_happened_before_anybody_was_to_be_told_is_no_news(
    tmp_path: Path, mailbox: tuple[Mailbox, MailOptions]
) -> None:
    box, options = mailbox
    notifier = Notifier([Mail(options)], tmp_path)
    notifier.tell([replace(make_record(PUBLISHED), when_ms=1)])
    assert box.mails == []


def test_a_mail_that_is_refused_is_tried_again_later_and_given_up_in_the_end(
    tmp_path: Path, mailbox: tuple[Mailbox, MailOptions], caplog: pytest.LogCaptureFixture
) -> None:
    box, options = mailbox
    box.refuses = True
    now = [0.0]
    notifier = Notifier([Mail(options)], tmp_path, clock=lambda: now[0])
    notifier.tell([])
    first, second = make_record(PUBLISHED), make_record(Failed(reasons=()), number=2)
    with caplog.at_level(logging.WARNING):
        notifier.tell([first])
        notifier.tell([first])
        assert len(caplog.records) == 1
        for _ in range(11):
            now[0] += 3600
            notifier.tell([first])
    assert "given up" in caplog.text
    box.refuses = False
    now[0] += 3600
    notifier.tell([first, second])
    assert [mail["Subject"] for mail in box.mails] == [
        "Traitement interrompu\u00a0: Été / Could not be finished: Summer"
    ]


def test_a_server_that_is_away_fails_nothing(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    mail = MailOptions(to=("a@b.org",), sender="c@d.org", host="127.0.0.1", port=port, security="none")
    hook = WebhookOptions(url=f"http://127.0.0.1:{port}/secret")
    notifier = Notifier(open_channels([mail, hook]), tmp_path)
    notifier.tell([])
    notifier.tell([make_record(PUBLISHED)])


def test_nobody_is_told_where_nobody_is_named(tmp_path: Path) -> None:
    Notifier([], tmp_path).tell([make_record(PUBLISHED)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("title", ["<!channel> & {{text}}", "{{ prefect.blocks.secret.x }}", "a\u202eb\nc"])
def test_a_channel_is_told_as_text_whatever_the_title(tmp_path: Path, hook: tuple[list[Any], str], title: str) -> None:
    received, address = hook
    for form in ("slack", "teams"):
        notifier = Notifier([Webhook(WebhookOptions(url=address, form=form))], tmp_path / form)
        (tmp_path / form).mkdir()
        notifier.tell([])
        notifier.tell([make_record(PUBLISHED, title=title)])
    slack, teams = received
    shown = title.replace("\u202e", "").replace("\n", " ")
    assert shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in slack["text"]
    assert "<" not in slack["text"]
    card = teams["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert shown in card["body"][0]["inlines"][0]["text"]
    # The session is in French.
    assert [action["url"] for action in card["actions"]] == [address for _, address in reversed(PAGES)]
    assert SECRET_WORDS not in json.dumps(received)


def test_a_channels_address_stays_out_of_the_log(
    tmp_path: Path, hook: tuple[list[Any], str], caplog: pytest.LogCaptureFixture
) -> None:
    received, address = hook
    notifier = Notifier([Webhook(WebhookOptions(url=f"{address}/broken"))], tmp_path)
    notifier.tell([])
    with caplog.at_level(logging.DEBUG):
        notifier.tell([make_record(PUBLISHED)])
    assert len(received) == 1
    assert "/broken" not in "".join(record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG)


def test_what_was_set_aside_is_told_with_its_reasons() -> None:
    why = Notice(code="media.no_sound")
    drop = Drop(path="talk.mp4", when_ms=1, set_aside="talk.mp4", reasons=(why,))
    record = make_record(Rejected(reasons=(why,)), drops=(drop,))
    (event,) = find_events([record])
    assert (event.kind, event.when_ms) == ("set_aside", record.when_ms)
    said = announce(event)
    assert said.subject.startswith("Mis de côté")
    assert "rejected" in said.text


def test_what_is_made_again_without_news_is_not_told(tmp_path: Path) -> None:
    record = make_record(PUBLISHED)
    session = record.recording.session_id
    (tmp_path / session).mkdir()
    (tmp_path / session / record.recording.path.name).touch()
    for state, told in ((PUBLISHED, 0), (Failed(reasons=()), 1)):
        write_record(tmp_path, replace(record, state=state))
        assert request_again(tmp_path, session)
        (claimed,) = read_records(tmp_path)
        published = record_state(tmp_path, session, claimed.attempt, PUBLISHED)
        assert len(find_events([published])) == told


def test_what_is_approved_while_it_is_made_again_is_told(tmp_path: Path) -> None:
    again = replace(make_record(Claimed()), again=True)
    write_record(tmp_path, again)
    assert request_publication(tmp_path, again.recording.session_id)
    published = record_state(tmp_path, again.recording.session_id, again.attempt, PUBLISHED)
    assert [event.kind for event in find_events([published])] == ["published"]


def test_a_withdrawal_is_told_without_its_reason() -> None:
    (event,) = find_events([make_record(Withdrawn(reason="Anna Roy took her consent back"))])
    said = announce(event)
    assert said.subject == "Retiré\u00a0: Été / Withdrawn: Summer"
    assert "Anna Roy" not in said.text


def test_a_programme_tells_its_own_people(tmp_path: Path, mailbox: tuple[Mailbox, MailOptions]) -> None:
    box, options = mailbox
    options = replace(options, programmes=(("cafés", ("bo@example.org",)),))
    notifier = Notifier([Mail(options)], tmp_path)
    notifier.tell([])
    record = make_record(PUBLISHED)
    notifier.tell([replace(record, session=replace(record.session, programme=Bilingual(en="Coffee", fr="Cafés")))])
    assert box.recipients == ["bo@example.org"]
    notifier.tell([make_record(PUBLISHED, number=2)])
    assert box.recipients == ["anna@example.org", "zoe@example.org"]
    Notifier([Mail(replace(options, to=()))], tmp_path).tell([make_record(PUBLISHED, number=3)])
    assert len(box.mails) == 2


def test_what_is_under_way_is_not_told() -> None:
    assert find_events([make_record(Claimed())]) == ()


def test_what_waits_for_a_person_has_words_of_its_own() -> None:
    (event,) = find_events([make_record(PUBLISHED)])
    said = announce(replace(event, kind="needs_review", pages=(), remarks=0))
    assert said.subject == "En attente de votre révision\u00a0: Été / Waiting for your review: Summer"


def test_a_file_of_what_was_told_that_cannot_be_read_floods_nobody(
    tmp_path: Path, mailbox: tuple[Mailbox, MailOptions]
) -> None:
    box, options = mailbox
    (tmp_path / "notifications.json").write_bytes(b"oops")
    Notifier([Mail(options)], tmp_path).tell([replace(make_record(PUBLISHED), when_ms=1)])
    assert box.mails == []


@pytest.mark.parametrize("address", ["nobody", "a@b.org\nBcc: c@d.org", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        MailOptions(to=(address,), sender="a@b.org", host="localhost")


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="SMTP"):
        MailOptions(to=("a@b.org",), sender="a@b.org", host="")
    for address in ("ftp://x", "https://x/{{y}}"):
        with pytest.raises(ValueError, match="web address"):
            WebhookOptions(url=address)
