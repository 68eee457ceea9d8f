"""Messages to facilitators, by mail and to a channel of Teams or Slack, sent beside the work and never in its way.

In go session records, out go messages; what was sent is kept in one file, so that nothing is told twice, after a
restart either. A message that cannot be sent is tried again, each time later, and given up in the end. Webhooks go
through Prefect's own block; mail does not, because Prefect's mail blocks are another package, or want the password in
an address. Stands alone as the only place that sends.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.types import SecretDict

from pipeline.durable import write_whole
from pipeline.journal import SessionRecord, now_ms
from pipeline.notifications import Announcement, Event, MailOptions, WebhookOptions, announce, find_events
from pipeline.serial import from_json, to_json

_logger = logging.getLogger(__name__)

_OUTBOX: Final = "notifications.json"
_TIMEOUT_S: Final = 10.0
_AT_ONCE: Final = 5
"""Messages sent in one round of the watcher, each way, so that the inbox is not kept waiting."""
_TRIES: Final = 12
_FIRST_PAUSE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 3600.0
_FAILURES: Final = (OSError, httpx.HTTPError, httpx.InvalidURL)


class Channel(Protocol):
    """A way to reach somebody."""

    @property
    def name(self) -> str:
        """What it is called in the file of what was sent."""
        ...

    def send(self, said: Announcement) -> None:
        """Send one message.

        Raises:
            OSError: It could not be sent; SMTP's own failures are such.
            httpx.HTTPError: It could not be sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class Mail:
    """Mail to everybody who is named for the session; one message, in both languages."""

    options: MailOptions
    name: str = "mail"

    def send(self, said: Announcement) -> None:
        """Send one message, if anybody wants it; see :class:`Channel`."""
        addresses = self.options.addresses_for(said.programme)
        if not addresses:
            return
        mail = EmailMessage()
        mail["Subject"] = said.subject
        mail["From"] = self.options.sender
        mail["To"] = ", ".join(addresses)
        mail["Date"] = format_datetime(datetime.fromtimestamp(said.when_ms // 1000, UTC))
        # The same each time, so that a reader's program shows a message once that was sent again after a crash.
        mail["Message-ID"] = f"<{said.key}@tribune.invalid>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(said.text)
        with self._connected() as server:
            server.send_message(mail)

    def _connected(self) -> smtplib.SMTP:
        options, secure = self.options, ssl.create_default_context()
        if options.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(options.host, options.port, timeout=_TIMEOUT_S, context=secure)
        else:
            server = smtplib.SMTP(options.host, options.port, timeout=_TIMEOUT_S)
        try:
            if options.security == "starttls":
                server.starttls(context=secure)
            if options.user:
                server.login(options.user, options.password)
        except BaseException:
            server.close()
            raise
        return server


@dataclass(frozen=True, slots=True)
class Webhook:
    """A channel of Teams or Slack, through Prefect's block for webhooks."""

    options: WebhookOptions
    name: str = "webhook"

    def send(self, said: Announcement) -> None:
        """Send one message; see :class:`Channel`."""
        form, values = _slack(said) if self.options.form == "slack" else _teams(said)
        block = CustomWebhookNotificationBlock(
            name="tribune", url=self.options.url, json_data=form, secrets=SecretDict(values), timeout=_TIMEOUT_S
        )
        with _discreet():
            block.notify("")


def _slack(said: Announcement) -> tuple[dict[str, Any], dict[str, str]]:
    # Slack's three, by which a name could call everybody in a channel.
    text = f"{said.subject}\n\n{said.text}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": "{{text}}"}, {"text": text}


def _teams(said: Announcement) -> tuple[dict[str, Any], dict[str, str]]:
    """Return an adaptive card: runs of text, which unlike text blocks know no markup, and a button for each page."""
    values = {"subject_line": said.subject, "text": said.text}
    actions = []
    for number, (title, address) in enumerate(said.links):
        values |= {f"title{number}": title, f"address{number}": address}
        button = {"type": "Action.OpenUrl", "title": f"{{{{title{number}}}}}", "url": f"{{{{address{number}}}}}"}
        actions.append(button)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": f"{{{{{name}}}}}", "weight": weight}]}
            for name, weight in (("subject_line", "Bolder"), ("text", "Default"))
        ],
        "actions": actions,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }, values


@contextmanager
def _discreet() -> Iterator[None]:
    """Keep the address, which is a secret, out of the log of requests."""
    logger = logging.getLogger("httpx")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outbox:
    """``notifications.json``: what has been told.

    Attributes:
        since_ms: Unix time from which on things are told: a session that was published long ago is no news.
        told: Way and key of each event.
    """

    since_ms: int
    told: tuple[str, ...] = ()


@dataclass(slots=True)
class _Pause:
    """How long a way that failed is left alone."""

    until_s: float = 0.0
    failures: int = 0


class Notifier:
    """Tells what has happened, each thing once on each way.

    Args:
        channels: The ways.
        folder: Where it keeps what has been told.
        clock: Seconds that never go back.
    """

    def __init__(
        self, channels: Sequence[Channel], folder: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._channels = channels
        self._path = folder / _OUTBOX
        self._clock = clock
        self._pauses = {channel.name: _Pause() for channel in channels}

    def tell(self, records: Iterable[SessionRecord]) -> None:
        """Send what has not been sent yet, a few at a time; what fails is logged and tried again later.

        Raises:
            OSError: What was told cannot be written down.
        """
        if not self._channels:
            return
        outbox = self._read()
        events = tuple(event for event in find_events(records) if event.when_ms >= outbox.since_ms)
        for channel in self._channels:
            told = frozenset(outbox.told)
            waiting = [event for event in events if f"{channel.name}:{event.key}" not in told]
            for event in waiting[:_AT_ONCE]:
                if not self._sent(channel, event):
                    break
                outbox = replace(outbox, told=(*outbox.told, f"{channel.name}:{event.key}"))
                write_whole(self._path, to_json(outbox))

    def _sent(self, channel: Channel, event: Event) -> bool:
        """Send one message; return whether that is over, because it went or because it is given up."""
        pause = self._pauses[channel.name]
        if self._clock() < pause.until_s:
            return False
        try:
            channel.send(announce(event))
        except _FAILURES as failure:
            return self._put_off(channel, event, failure)
        pause.failures = 0
        return True

    def _put_off(self, channel: Channel, event: Event, failure: Exception) -> bool:
        """Leave a way alone for a while; return whether the message is given up."""
        pause = self._pauses[channel.name]
        # Not the failure's text: it may hold the channel's address.
        _logger.warning("%s: a message could not be sent: %s", channel.name, type(failure).__name__)
        pause.until_s = self._clock() + min(_FIRST_PAUSE_S * 2**pause.failures, _LONGEST_PAUSE_S)
        pause.failures += 1
        if pause.failures < _TRIES:
            return False
        _logger.error("%s: a message is given up after %d tries: %s", channel.name, _TRIES, event.key)
        pause.failures = 0
        return True

    def _read(self) -> _Outbox:
        try:
            return from_json(_Outbox, self._path.read_bytes())
        except FileNotFoundError:
            pass
        except ValueError:
            _logger.exception("what has been told cannot be read; only what happens from now on is told")
        outbox = _Outbox(since_ms=now_ms())
        write_whole(self._path, to_json(outbox))
        return outbox


def open_channels(options: Iterable[MailOptions | WebhookOptions]) -> tuple[Channel, ...]:
    """Return the ways that the options name."""
    return tuple(Mail(each) if isinstance(each, MailOptions) else Webhook(each) for each in options)
