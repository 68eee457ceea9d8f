"""Reports of learners as they arrive: a mail that was saved, or what a form delivered as JSON.

Bytes of a stranger go in, a :class:`SentReport` comes out: which session, which moment, which words, and what the
learner says of them. Mail programs quote, wrap, encode and dress up in HTML what they are given, so a mail is read for
its lines ``Tribune-…`` wherever they stand. Who sent it is not read, and an address in the learner's words is hidden.
Nothing is run, fetched or believed. Pure; stands alone so that it can be tried on the mail of any program.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Final

from pipeline.cuts import HIDDEN
from pipeline.errors import ReportInvalid
from pipeline.types import LANGUAGES, SESSION_ID, Language
from pipeline.visible import visible

MAIL: Final = ".eml"
FORM: Final = ".json"
_MOST_TEXT: Final = 2_000
_MOST_COMMENT: Final = 4_000
_MOST_READ: Final = 50_000
"""Characters of a mail's text: a page of a session fills a tenth of that, and time is bounded by it."""
_CUT: Final = " …"
_FIELDS: Final = ("session", "revision", "time", "language", "text")
_FIELD: Final = re.compile(rf"\bTribune-({'|'.join(_FIELDS)})\b[*_ \u00a0]*:[*_]*", re.IGNORECASE)
_QUOTED: Final = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_SIGNATURE: Final = re.compile(r"^--\s*$", re.MULTILINE)
_BLANK: Final = re.compile(r"\n\s*\n")
_ADDRESS: Final = re.compile(r"[^\s@<>()]{1,64}@[^\s@<>()]{1,200}\w")
_HEADER: Final = re.compile(
    r"^[*_ ]*(?:From|De|To|À|A|Cc|Sent|Envoyé|Date|Subject|Objet|Reply-To)[*_ ]* ?:.*$", re.MULTILINE | re.IGNORECASE
)
_INVITATION: Final = re.compile(r"(?::|(?<!\S)https?://\S+)\Z")
_HTML: Final = re.compile(
    r"<(?P<closing>/?)(?P<tag>[a-z][a-z0-9]*)[^<>]*>|<[!?][^<>]*>|(?P<text>[^<]+|<)", re.IGNORECASE
)
_LINES: Final = frozenset(["div", "p", "li", "tr", "blockquote", "pre", "ul", "ol", "table", "h1", "h2", "h3", "h4"])
_UNSEEN: Final = frozenset({"script", "style", "head", "title", "template"})
_SPACES: Final = re.compile(r"[ \t\r\n]+")
_MOMENT: Final = re.compile(r"[0-9]{1,9}\Z")
_REVISION: Final = re.compile(r"r[1-9][0-9]{0,8}(?:-[0-9a-f]{8})?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentReport:
    """What a learner says is wrong.

    Attributes:
        session_id: Whose.
        revision: What was published when they saw it, e.g. ``r1-3fa9c1d2``; empty where they do not say.
        time_ms: Where, on the clock of what was published; 0 where they do not say.
        text: The words that they read there; may be empty.
        comment: What they say of them; may be empty.
        language: Of the page that they were on.
    """

    session_id: str
    revision: str
    time_ms: int
    text: str
    comment: str
    language: Language

    def __post_init__(self) -> None:
        if not SESSION_ID.match(self.session_id):
            raise ValueError(f"not a session: {self.session_id!r}")
        if self.time_ms < 0:
            raise ValueError("before the beginning")


def read_report(content: bytes, kind: str) -> SentReport:
    """Read a report.

    Args:
        content: Of the file.
        kind: The end of its name, ``.eml`` or ``.json``.

    Raises:
        ReportInvalid: It is of another kind, is damaged, or does not say which session it is about.
    """
    if kind == MAIL:
        return _report(_read_mail(content))
    if kind == FORM:
        return _report(_read_form(content))
    raise ReportInvalid("reports.kind")


def _report(said: dict[str, str]) -> SentReport:
    # Where the page's script did not run, a report is about the session.
    session, moment = said.get("session", "").strip().lower(), said.get("time", "").strip() or "0"
    if not SESSION_ID.match(session):
        raise ReportInvalid("reports.nameless")
    if not _MOMENT.match(moment):
        raise ReportInvalid("reports.timeless")
    spoken = said.get("language", "").strip().lower()
    revision = said.get("revision", "").strip()
    text, comment = _short(said.get("text", ""), _MOST_TEXT), _short(said.get("comment", ""), _MOST_COMMENT)
    if not text and not comment:
        raise ReportInvalid("reports.empty")
    return SentReport(
        session_id=session,
        revision=revision if _REVISION.match(revision) else "",
        time_ms=int(moment),
        text=text,
        comment=comment,
        language=next((language for language in LANGUAGES if language == spoken), "en"),
    )


def _short(text: str, most: int) -> str:
    shown = _ADDRESS.sub(HIDDEN, visible(text[:_MOST_READ]))
    return shown if len(shown) <= most else shown[:most].rstrip() + _CUT


def _read_form(content: bytes) -> dict[str, str]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ReportInvalid("reports.unreadable") from None
    if not isinstance(found, dict):
        raise ReportInvalid("reports.unreadable")
    said = {key: str(value) for key, value in found.items() if isinstance(value, str | int)}
    return {**said, "time": said.get("time_ms", "")}


def _read_mail(content: bytes) -> dict[str, str]:
    try:
        mail = message_from_bytes(content)
        # One part says it; where a program leaves the lines out of its plain text, they are in its HTML.
        for wanted in ("plain", "html"):
            body = _body(mail, wanted)[:_MOST_READ]
            said = _read_text(_plain(body) if wanted == "html" else body)
            if said.get("session"):
                return said
    except (RecursionError, ValueError):
        raise ReportInvalid("reports.unreadable_mail") from None
    return {}


def _body(mail: Message, kind: str) -> str:
    """Return the first text of a kind in a mail; nothing where there is none."""
    found = (part for part in mail.walk() if part.get_content_type() == f"text/{kind}" and part.get_filename() is None)
    part = next(found, None)
    payload = part.get_payload(decode=True) if part is not None else None
    if part is None or not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def _read_text(text: str) -> dict[str, str]:
    """Return the lines that say something to us, and the learner's words below or else above them."""
    text = _QUOTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " "))
    found = list(_FIELD.finditer(text))
    if not found:
        return {}
    ends = [*(match.start() for match in found[1:]), len(text)]
    said: dict[str, str] = {}
    rest: list[str] = []
    for match, end in zip(found, ends, strict=True):
        # The passage may be wrapped over lines; an empty one ends it.
        value, *rest = _BLANK.split(text[match.end() : end].lstrip(" \t\n"), maxsplit=1)
        name = match[1].lower()
        if name != "text":
            value, _, after = value.partition("\n")
            rest = [after, *rest]
        said.setdefault(name, value)
    below = "\n\n".join(rest)
    after, above = _paragraphs(below), _paragraphs(text[: found[0].start()])
    # The page invites to write, just below or above its lines; what is left is the learner's.
    written = after[bool(after and _INVITATION.search(after[0])) :]
    while above and _INVITATION.search(above[-1]):
        above.pop()
    written = written or above
    return {**said, "comment": " ".join(written)}


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, without the signature and what a mail program writes of the mail before."""
    shown = _HEADER.sub("", _SIGNATURE.split(text, maxsplit=1)[0])
    return [part.strip() for part in _BLANK.split(shown) if part.strip()]


def _plain(body: str) -> str:
    """Return what HTML shows as text: a line for each line, an empty one after a paragraph.

    By hand, in one go: parsers that mend what is malformed can take hours over what somebody made for that.
    """
    text, unseen = "", 0
    before, *commented = body.split("<!--")
    for found in _HTML.finditer(before + "".join(part.partition("-->")[2] for part in commented)):
        closing, tag = found["closing"], (found["tag"] or "").lower()
        if found["text"]:
            shown = _SPACES.sub(" ", html.unescape(found["text"]))
            text += "" if unseen else shown.lstrip() if text.endswith("\n") else shown
        elif tag in _UNSEEN:
            unseen = max(0, unseen - 1) if closing else unseen + 1
        elif tag == "br":
            text += "\n"
        elif tag in _LINES:
            text += "\n" * (bool(text) and not text.endswith("\n")) + "\n" * (tag == "p" and bool(closing))
    return text
