"""The commands of ``tribune revisions``: list the revisions of a session, show one, approve one.

In go a session's id and a number, out comes text, or an approval and a run that publishes it. They stand apart from the
other commands because whoever works without the editor needs no more than them.
"""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from pipeline import approving
from pipeline.cli import say
from pipeline.command_line import Commands, reader_language
from pipeline.formatting import format_clock
from pipeline.journal import request_publication
from pipeline.review import Desk
from pipeline.revisions import Entry
from pipeline.speakers import speaker_label
from pipeline.types import Transcript
from pipeline.visible import visible

_Id = Annotated[str, typer.Argument(help=say("review.session"), metavar="SESSION")]
_Number = Annotated[int | None, typer.Argument(help=say("review.number"), min=1, metavar="NUMBER")]


def revision_commands(read_settings: Callable[[], Settings]) -> typer.Typer:
    """Return the commands.

    Args:
        read_settings: Reads the settings, when a command needs them.
    """
    app = Commands(say("review.commands"))

    @app.command(name="list", help=say("review.list"))
    def history(session: _Id) -> None:
        """List the revisions of a session."""
        _list(Desk.of(read_settings().work, session))

    @app.command(help=say("review.show"))
    def show(session: _Id, number: _Number = None) -> None:
        """Print the words of a revision."""
        desk = Desk.of(read_settings().work, session)
        revision = desk.latest() if number is None else desk.revision(number)
        _print(revision.transcript)

    @app.command(help=say("review.approve"))
    def approve(
        session: _Id,
        number: _Number = None,
        author: Annotated[str, typer.Option("--author", help=say("review.author"))] = "",
    ) -> None:
        """Approve a revision, and publish it."""
        work = read_settings().work
        desk = Desk.of(work, session)
        wanted = desk.latest().number if number is None else number
        person, now = author.strip() or getpass.getuser(), dt.datetime.now().astimezone()
        publish = partial(request_publication, work)
        queued = approving.approve(work, desk, wanted, author=person, now=now, publish=publish)
        typer.echo(say("review.approved_queued" if queued else "review.approved_alone", number=wanted))

    return app


def _list(desk: Desk) -> None:
    # Told as elsewhere where there is none.
    desk.latest()
    shown = Table(box=None, padding=(0, 1))
    for heading in ("number", "author", "saved", "origin", "approved"):
        shown.add_column(say(f"review.column-{heading}"), overflow="fold")
    for entry in desk.history():
        # Text, because a name could hold what rich takes for markup.
        shown.add_row(*map(Text, _cells(entry)))
    Console().print(shown)


def _cells(entry: Entry) -> tuple[str, ...]:
    approval = entry.approval
    stands = f"{_moment(approval.approved_at)} {visible(approval.author)}" if approval else ""
    origin = say(f"review.origin_{entry.origin}")
    return (str(entry.number), visible(entry.author), _moment(entry.saved_at), origin, stands)


def _moment(when: dt.datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M")


def _print(transcript: Transcript) -> None:
    called = {speaker.key: speaker_label(speaker, reader_language()) for speaker in transcript.speakers}
    for turn in transcript.turns:
        label = visible(called.get(turn.speaker or "", ""))
        typer.echo(f"{format_clock(turn.start_ms)}  {label}{'  ' if label else ''}{visible(turn.text)}")
