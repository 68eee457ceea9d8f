"""The commands of ``tribune publish``: check what is published, take a session back, restore it, keep it no longer.

In go ids of sessions, out come findings or a withdrawal, and an exit status. They stand apart from the other commands
because they are about what is published already, and two of them remove it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from config.settings import Settings
from flows.engines import retention_rule, running_store, site_options
from flows.retention import withdraw_due, withdraw_session
from pipeline.cli import WRONG_USE, exit_status, refuse, say
from pipeline.command_line import Commands, reader_language
from pipeline.details import LINE_LENGTH, clean
from pipeline.errors import StoreError
from pipeline.journal import read_record, record_restoration, request_again, session_folder
from pipeline.naming import printable
from pipeline.ports import Store
from pipeline.published import page_key, published_ids, read_held, session_ids
from pipeline.retention import Due, find_due
from pipeline.s3 import open_store
from pipeline.search_store import SearchIndex
from pipeline.site.render import LearnerSite
from pipeline.types import LANGUAGES, SESSION_ID
from pipeline.verification import verify, verify_lists
from pipeline.withdrawal import restore

SessionArgument = Annotated[str, typer.Argument(help=say("publishing.session"))]


def publish_commands(read_settings: Callable[[], Settings]) -> typer.Typer:
    """Return the commands.

    Args:
        read_settings: Reads the settings, when a command needs them.
    """
    app = Commands(say("publishing.commands"))

    @app.command(name="verify", help=say("publishing.verify"))
    def check(
        sessions: Annotated[list[str] | None, typer.Argument(help=say("publishing.verify_sessions"))] = None,
        *,
        thorough: Annotated[bool, typer.Option("--thorough", help=say("publishing.verify_thorough"))] = False,
    ) -> None:
        """Check what is published."""
        _in_store(read_settings(), partial(_verify, sessions or [], thorough))

    @app.command(name="withdraw", help=say("publishing.withdraw"))
    def take_back(
        session: SessionArgument,
        reason: Annotated[str, typer.Option("--reason", help=say("publishing.withdraw_reason"))],
    ) -> None:
        """Withdraw a session."""
        _in_store(read_settings(), partial(_withdraw, session, clean(reason)[:LINE_LENGTH]))

    @app.command(name="restore", help=say("publishing.restore"))
    def give_again(session: SessionArgument) -> None:
        """Allow a withdrawn session again."""
        _in_store(read_settings(), partial(_restore, session))

    @app.command(name="again", help=say("publishing.again"))
    def publish_again(
        sessions: Annotated[list[str] | None, typer.Argument(help=say("publishing.again_sessions"))] = None,
        *,
        every: Annotated[bool, typer.Option("--all", help=say("publishing.again_all"))] = False,
    ) -> None:
        """Publish sessions again."""
        if bool(sessions) == every:
            refuse("publishing.again_which")
        _in_store(read_settings(), partial(_again, sessions or []))

    @app.command(name="retention", help=say("publishing.retention"))
    def keep(
        *,
        apply: Annotated[bool, typer.Option("--apply", help=say("publishing.retention_apply"))] = False,
    ) -> None:
        """List, and withdraw, what has been kept long enough."""
        settings = read_settings()
        if retention_rule(settings).is_off:
            typer.echo(say("publishing.retention_off"))
            return
        _in_store(settings, partial(_retention, apply))

    return app


def _in_store(settings: Settings, work: Callable[[Settings, Store], None]) -> None:
    with running_store(settings) as s3, open_store(s3) as store:
        work(settings, store)


def _verify(sessions: list[str], thorough: bool, settings: Settings, store: Store) -> None:
    checked = [_known(session, settings, store) for session in sessions] or list(session_ids(store))
    found = 0
    search = SearchIndex(store)
    for session in checked:
        for finding in verify(session, store, thorough=thorough, search=search):
            found += 1
            typer.echo(f"{session}  {say(finding.code, **dict(finding.data))}")
    lists = verify_lists(store, LearnerSite(site_options(settings)))
    for finding in lists:
        typer.echo(say(finding.code, **dict(finding.data)))
    if any(finding.code == "publishing.list_outdated" for finding in lists):
        typer.echo(say("publishing.list_outdated_why"))
    found += len(lists)
    typer.echo(say("publishing.verified", count=len(checked), findings=found))
    if found:
        typer.echo(say("publishing.verified_do"))
        raise typer.Exit(exit_status(StoreError("publishing.verified")))


def _withdraw(session: str, reason: str, settings: Settings, store: Store) -> None:
    _known(session, settings, store)
    withdraw_session(settings, store, session, reason)
    _tell_withdrawn(session, settings, store)


def _tell_withdrawn(session: str, settings: Settings, store: Store) -> None:
    folder = session_folder(settings.work, session)
    typer.echo(say("publishing.withdraw_done", session=session, folder=folder))
    for language in LANGUAGES:
        typer.echo(f"{language}  {store.url(page_key(session, language))}")


def _restore(session: str, settings: Settings, store: Store) -> None:
    _known(session, settings, store)
    allowed = restore(session, store)
    if record_restoration(settings.work, session):
        typer.echo(say("publishing.restore_queued", session=session))
    elif allowed:
        typer.echo(say("publishing.restore_drop", session=session))
    else:
        refuse("publishing.not_withdrawn", session=session)


def _again(sessions: list[str], settings: Settings, store: Store) -> None:
    asked = [_known(session, settings, store) for session in sessions] or list(published_ids(store))
    queued = {session: request_again(settings.work, session) for session in asked}
    for session in (session for session, does in queued.items() if does):
        typer.echo(say("publishing.restore_queued", session=session))
    if not sessions:
        typer.echo(say("publishing.again_queued", count=sum(queued.values()), sessions=len(queued)))
    for session in (session for session, does in queued.items() if not does):
        folder = session_folder(settings.work, session)
        typer.echo(say("publishing.again_not", session=session, folder=str(folder)), err=True)
    if not all(queued.values()):
        raise typer.Exit(WRONG_USE)


def _retention(apply: bool, settings: Settings, store: Store) -> None:
    today = dt.datetime.now(dt.UTC).astimezone().date()
    found = tuple(find_due(retention_rule(settings), store, today))
    if not found:
        typer.echo(say("publishing.retention_nothing"))
    for due in found:
        typer.echo(_told(due))
        if apply:
            withdraw_due(settings, store, due)
            _tell_withdrawn(due.entry.session_id, settings, store)


def _told(due: Due) -> str:
    return say(
        "publishing.retention_due",
        session=due.entry.session_id,
        day=due.day,
        days=due.days,
        due=due.since,
        title=printable(due.entry.title.get(reader_language())),
    )


def _known(session: str, settings: Settings, store: Store) -> str:
    """Return a session's id, if there is such a session: a slip of the pen must not withdraw what is to come."""
    if not SESSION_ID.match(session):
        refuse("publishing.unknown", session=printable(session))
    if read_record(settings.work, session) is None and read_held(session, store) is None:
        refuse("publishing.unknown", session=session)
    return session
