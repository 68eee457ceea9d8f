"""The review editor's server: sessions, sound and drafts for a browser on this machine, and nothing for anybody else.

In go the work area and what to do when somebody approves, out comes an application that answers on the loopback only.
It keeps nothing in memory that matters: what is typed lies on disk before it is acknowledged, so it may die at any
moment. A page on another site can neither read from it (its name is not ours, and what is ours may not be embedded) nor
make it do anything (a request that changes something comes from our own page and knows the key). Stands alone so that
``tribune review``, ``tribune up`` and the tests serve the very same thing.
"""

from __future__ import annotations

import datetime as dt
import hmac
import logging
import secrets
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from config import glossary
from config.settings import Settings, load_settings
from flows.shared_engines import HOST
from pipeline.approving import approve
from pipeline.durable import write_whole
from pipeline.editor.pages import EditorPages
from pipeline.editor.wire import (
    ChapterMark,
    OtherTextView,
    Proposed,
    ReportView,
    SentApproval,
    SentDecision,
    SentDraft,
    SentRevision,
    StateView,
    known_words,
    propose_for,
    read_correction,
    suggest_chapters,
    view_difference,
    view_entry,
    view_other_text,
    view_report,
    view_session,
    view_state,
)
from pipeline.errors import ReportMissing, RevisionConflict, RevisionDamaged, RevisionMissing, TribuneError
from pipeline.glossary import GlossaryTerm
from pipeline.journal import SessionRecord, read_record, read_records, request_publication, session_folder
from pipeline.peaks import read_peaks
from pipeline.reports import Decision, Reports
from pipeline.review import Desk
from pipeline.revisions import Entry, Revision
from pipeline.serial import from_json, to_json
from pipeline.types import LANGUAGES, SESSION_ID, Language
from pipeline.visible import visible

_logger = logging.getLogger(__name__)

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_OUR_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_MOST_BYTES: Final = 32_000_000
"""A day of speech as one request is a tenth of that."""

_BROWSERS_PLAY: Final = frozenset({".mp4", ".m4v", ".webm", ".m4a", ".mp3", ".wav", ".flac", ".ogg", ".oga", ".opus"})
"""Files that need not be made anew to be played on a page, whatever is in most of them."""

_MOST_PROPOSED: Final = 100
"""Revisions whose proposals are remembered."""

_LONGEST_NAME: Final = 100

_PRESENT_S: Final = 45.0
"""Somebody who has asked within this has the session open."""

_POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'"
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_STATUS: Final[tuple[tuple[type[TribuneError], int], ...]] = (
    (RevisionConflict, 409),
    (RevisionMissing, 404),
    (ReportMissing, 404),
    (RevisionDamaged, 500),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """What the server needs.

    Attributes:
        work: The work area.
        key: What a page has to know that changes something.
        approved: Called with a session's id after somebody has approved a revision of it.
        zone: In which times are shown.
        terms: Glossary of the house, for what may have been misheard and for the chapters that are suggested.
    """

    work: Path
    key: str
    approved: Callable[[str], object]
    zone: dt.tzinfo = dt.UTC
    terms: tuple[GlossaryTerm, ...] = ()


def make_app(options: ReviewOptions) -> Asgi:
    """Return the application."""
    room = _Room(options)
    session = "/api/sessions/{session_id}"
    routes = [
        Route("/", room.choose_language),
        Route("/assets/{name}", room.show_asset),
        Route("/media/{session_id}", room.show_media),
        Route(session, room.get_session),
        Route(f"{session}/state", room.get_state),
        Route(f"{session}/peaks", room.get_peaks),
        Route(f"{session}/history", room.get_history),
        Route(f"{session}/changes", room.get_changes),
        Route(f"{session}/chapters", room.get_chapters),
        Route(f"{session}/reports", room.get_reports),
        Route(f"{session}/reports/{{report_id}}", _writes(SentDecision, room.decide), methods=["PUT"]),
        Route(f"{session}/draft", room.get_draft),
        Route(f"{session}/draft", _writes(SentDraft, room.keep_draft), methods=["PUT"]),
        Route(f"{session}/revisions", _writes(SentRevision, room.save), methods=["POST"]),
        Route(f"{session}/proposal", room.get_proposal),
        Route(f"{session}/proposal", _writes(SentApproval, room.take_proposal), methods=["POST"]),
        Route(f"{session}/approval", _writes(SentApproval, room.approve), methods=["POST"]),
        Route("/{language}/", room.list_sessions),
        Route("/{language}/sessions/{session_id}", room.show_editor),
    ]
    return _guarded(Starlette(routes=routes, exception_handlers={TribuneError: _answer_failure}), options.key)


def read_key(root: Path) -> str:
    """Return the key of this data folder's pages, made at the first call.

    It outlives the server, so that a page that is open goes on with the next one. One server at a time asks for it.
    """
    path = root / "review.key"
    with suppress(FileNotFoundError):
        # An empty one would let in whoever comes without any.
        if key := path.read_text(encoding="ascii"):
            return key
    root.mkdir(parents=True, exist_ok=True)
    key = secrets.token_hex(32)
    write_whole(path, key.encode("ascii"), private=True)
    return key


class _Room:
    """Answers to requests."""

    def __init__(self, options: ReviewOptions) -> None:
        self._options = options
        self._pages = EditorPages(options.key)
        self._proposed: OrderedDict[Hashable, Proposed] = OrderedDict()
        self._present: dict[tuple[str, str], tuple[str, float]] = {}
        self._lock = threading.Lock()

    def choose_language(self, request: Request) -> Response:
        wanted = request.headers.get("accept-language", "").lower()
        french = "fr" in wanted and not 0 <= wanted.find("en") < wanted.find("fr")
        return RedirectResponse("/fr/" if french else "/en/")

    def list_sessions(self, request: Request) -> Response:
        language = _language(request)
        records = sorted(read_records(self._options.work), key=lambda each: (-each.when_ms, each.session.id))
        rows = [(record, self._listed(record)) for record in records]
        return _html(self._pages.list_page(rows, language))

    def show_editor(self, request: Request) -> Response:
        record, desk = self._find(request)
        desk.latest()
        return _html(self._pages.editor_page(record, _language(request)))

    def show_asset(self, request: Request) -> Response:
        found = self._pages.assets.get(request.path_params["name"])
        if found is None:
            raise _Refused(404, "editor.not_here")
        content, kind = found
        # The page that is open and its modules are of one version, or none is used.
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    def show_media(self, request: Request) -> Response:
        record, desk = self._find(request)
        folder = session_folder(self._options.work, record.session.id)
        kept = _keep_uncut(folder / "video.mp4", desk)
        known = record.recording.path.suffix.lower() in _BROWSERS_PLAY
        choices = (kept, record.recording.path if known else None, folder / "sound.wav")
        shown = next((path for path in choices if path and path.is_file()), None)
        if shown is None:
            raise _Refused(404, "editor.no_media")
        return FileResponse(shown, headers={"Cache-Control": "no-cache"})

    def get_session(self, request: Request) -> Response:
        record, desk = self._find(request)
        asked = "revision" in request.query_params
        return self._session(record, desk.revision(_number(request, "revision")) if asked else desk.latest())

    def get_state(self, request: Request) -> Response:
        record, desk = self._find(request)
        writer, author = (visible(request.query_params.get(name, "")) for name in ("writer", "author"))
        now, session_id = time.monotonic(), record.session.id
        with self._lock:
            if writer and author:
                self._present[session_id, writer] = (author, now)
            here = {key: who for key, who in self._present.items() if now - who[1] < _PRESENT_S}
            self._present = here
        others = {who for (session, _), (who, _) in here.items() if session == session_id} - {author}
        state = self._state(record, desk)
        if state is None:
            raise RevisionMissing("review.nothing", {"session": session_id})
        return _json(replace(state, others=tuple(sorted(others))))

    def get_peaks(self, request: Request) -> Response:
        record, desk = self._find(request)
        folder = session_folder(self._options.work, record.session.id)
        peaks = read_peaks(folder / "sound.wav", desk.folder / "peaks.bin")
        return Response(peaks, media_type="application/octet-stream")

    def get_history(self, request: Request) -> Response:
        _, desk = self._find(request)
        return _json(tuple(map(view_entry, desk.history())), tuple[Entry, ...])

    def get_changes(self, request: Request) -> Response:
        _, desk = self._find(request)
        before, after = (desk.revision(_number(request, name)) for name in ("from", "to"))
        return _json(view_difference(before, after))

    def get_chapters(self, request: Request) -> Response:
        record, desk = self._find(request)
        revision = desk.revision(_number(request, "revision"))
        return _json(suggest_chapters(record, revision, self._options.terms), tuple[ChapterMark, ...])

    def get_reports(self, request: Request) -> Response:
        _, desk = self._find(request)
        words = desk.revision(_number(request, "revision")).transcript.words
        shown = tuple(view_report(report, decision, words) for report, decision in Reports(desk=desk).all())
        return _json(shown, tuple[ReportView, ...])

    def decide(self, request: Request, sent: SentDecision) -> Response:
        _, desk = self._find(request)
        decision = Decision(state=sent.state, author=_author(sent.author), decided_at=dt.datetime.now(dt.UTC))
        with self._lock:
            Reports(desk=desk).decide(request.path_params["report_id"], decision)
        return Response(status_code=204)

    def get_draft(self, request: Request) -> Response:
        _, desk = self._find(request)
        return _json(_read_draft(desk, _author(request.query_params.get("author", ""))), SentDraft | None)

    def keep_draft(self, request: Request, sent: SentDraft) -> Response:
        _, desk = self._find(request)
        author = _author(sent.author)
        with self._lock:
            kept = _read_draft(desk, author)
            if kept and kept.writer not in {sent.writer, *sent.follows}:
                raise _Refused(409, "editor.elsewhere")
            # One that was sent before what is kept, and overtaken by it, says nothing new.
            if kept and kept.writer == sent.writer and kept.at_ms > sent.at_ms:
                return Response(status_code=204)
            desk.keep_draft(author, to_json(sent).decode(), based_on=sent.based_on)
        return Response(status_code=204)

    def save(self, request: Request, sent: SentRevision) -> Response:
        record, desk = self._find(request)
        correction = read_correction(sent.session, desk.revision(sent.based_on).transcript)
        now = dt.datetime.now(dt.UTC)
        saved = desk.save(correction, author=_author(sent.author), based_on=sent.based_on, now=now)
        return self._session(record, saved)

    def get_proposal(self, request: Request) -> Response:
        _, desk = self._find(request)
        return _json(view_other_text(desk.proposal()), OtherTextView | None)

    def take_proposal(self, request: Request, sent: SentApproval) -> Response:
        record, desk = self._find(request)
        author, now = _author(sent.author), dt.datetime.now(dt.UTC)
        return self._session(record, desk.take_proposal(author=author, based_on=sent.revision, now=now))

    def approve(self, request: Request, sent: SentApproval) -> Response:
        record, desk = self._find(request)
        author, now = _author(sent.author), dt.datetime.now(dt.UTC)
        approve(self._options.work, desk, sent.revision, author=author, now=now, publish=self._options.approved)
        return _json(self._state(record, desk))

    def _find(self, request: Request) -> tuple[SessionRecord, Desk]:
        session_id = request.path_params["session_id"]
        record = read_record(self._options.work, session_id) if SESSION_ID.match(session_id) else None
        if record is None:
            raise _Refused(404, "editor.no_session")
        return record, Desk.of(self._options.work, session_id)

    def _session(self, record: SessionRecord, revision: Revision) -> Response:
        return _json(view_session(record, revision, self._proposals(record, revision)))

    def _proposals(self, record: SessionRecord, revision: Revision) -> Proposed:
        """Return what is proposed for a revision; made once, for it takes a second where three hours were said."""
        entry = revision.entry
        # A session that was removed and came back begins again at the first revision.
        key = (revision.session_id, entry.number, entry.saved_at, known_words(record))
        with self._lock:
            found = self._proposed.get(key)
        if found is None:
            found = propose_for(record, revision, self._options.terms)
        with self._lock:
            self._proposed[key] = found
            self._proposed.move_to_end(key)
            if len(self._proposed) > _MOST_PROPOSED:
                self._proposed.popitem(last=False)
        return found

    def _listed(self, record: SessionRecord) -> StateView | RevisionDamaged | None:
        try:
            return self._state(record, Desk.of(self._options.work, record.session.id))
        except RevisionDamaged as damaged:
            # One damaged session keeps nobody from the others.
            return damaged

    def _state(self, record: SessionRecord, desk: Desk) -> StateView | None:
        return view_state(record, desk.history(), Reports(desk=desk).states(), self._options.zone)


def _keep_uncut(video: Path, desk: Desk) -> Path:
    """Return the video as it was before anything was approved: from then on, what is published may lack passages."""
    kept = desk.folder / "uncut.mp4"
    if not kept.is_file() and video.is_file() and desk.approved() is None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Where files have one name only, the recording itself is shown.
        with suppress(OSError):
            kept.hardlink_to(video)
    return kept


class _Refused(TribuneError):
    """What is asked for is not to be had.

    Args:
        status: As HTTP has it.
        code: Of the message that says why.
    """

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status


def _read_draft(desk: Desk, author: str) -> SentDraft | None:
    kept = desk.draft(author)
    try:
        return from_json(SentDraft, kept.payload) if kept else None
    except ValueError:
        # Not the error itself, which may quote what was typed.
        _logger.warning("session %s: a draft of another version is left", desk.session_id)
        return None


def _language(request: Request) -> Language:
    for language in LANGUAGES:
        if request.path_params["language"] == language:
            return language
    raise _Refused(404, "editor.not_here")


def _author(name: str) -> str:
    author = visible(name)[:_LONGEST_NAME]
    if not author:
        raise _Refused(400, "editor.no_author")
    return author


def _number(request: Request, name: str) -> int:
    try:
        return int(request.query_params[name])
    except (KeyError, ValueError):
        raise _Refused(400, "editor.not_understood") from None


def _writes(kind: type[T], work: Callable[[Request, T], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads a value from the request and then does work that waits for the disk."""

    async def answer(request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _MOST_BYTES:
                raise _Refused(413, "editor.not_understood")
        try:
            sent = from_json(kind, bytes(body))
        except ValueError:
            raise _Refused(400, "editor.not_understood") from None
        return await run_in_threadpool(work, request, sent)

    return answer


def _html(page: str) -> Response:
    return Response(page, media_type="text/html", headers={"Cache-Control": "no-store"})


def _json(value: object, kind: Hashable | None = None, status: int = 200) -> Response:
    content = to_json(value, kind=kind)
    return Response(content, status, media_type="application/json", headers={"Cache-Control": "no-store"})


def _answer_failure(_request: Request, failure: Exception) -> Response:
    if not isinstance(failure, TribuneError):
        raise failure
    known = next((status for kind, status in _STATUS if isinstance(failure, kind)), 422)
    status = failure.status if isinstance(failure, _Refused) else known
    said: dict[str, object] = {language: failure.message(language) for language in LANGUAGES}
    return _json({"code": failure.code, "data": failure.data, **said}, dict[str, Any], status)


def _guarded(app: Asgi, key: str) -> Asgi:
    """Return an application that is there for our own pages only, and says so to the browser with every answer."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_guarded(message_: MutableMapping[str, Any]) -> None:
            if message_["type"] == "http.response.start":
                MutableHeaders(scope=message_).update(_HEADERS)
            await send(message_)

        answer = app if _is_ours(scope["method"], Headers(scope=scope), key) else Response(status_code=403)
        await answer(scope, receive, send_guarded)

    return guard


def _is_ours(method: str, headers: Headers, key: str) -> bool:
    """Say whether a request goes to us by name and, where it changes something, comes from a page of ours."""
    host = headers.get("host", "")
    # A name that a stranger's page was given for our address is not one of ours.
    if urlsplit(f"//{host}").hostname not in _OUR_NAMES:
        return False
    if method in {"GET", "HEAD"}:
        return True
    same = headers.get("origin") == f"http://{host}"
    return same and hmac.compare_digest(headers.get("x-tribune-key", "").encode(), key.encode())


def serve(settings: Settings, port: int) -> None:
    """Answer on a port of the loopback until the process is asked to end."""
    zone = dt.datetime.now(dt.UTC).astimezone().tzinfo or dt.UTC
    app = make_app(
        ReviewOptions(
            work=settings.work,
            key=read_key(settings.root),
            approved=partial(request_publication, settings.work),
            zone=zone,
            terms=glossary.load_all(),
        )
    )
    # A page that is open asks again and again: whoever ends the server does not wait for it.
    config = uvicorn.Config(app, HOST, port, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    serve(load_settings(), int(sys.argv[1]))
