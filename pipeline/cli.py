"""The ``tribune`` command: where it starts, what language it speaks, how it fails.

The commands themselves are registered by the rooms above through the entry points ``tribune.commands``, so this module
imports none of them. Every understood failure ends in one sentence that says what to do, in the reader's language, and
in an exit status that scripts can tell apart.
"""

from __future__ import annotations

import errno
import logging
import sys
from importlib.metadata import entry_points, version
from typing import Annotated, Final, NoReturn

import typer

from pipeline.command_line import Commands, reader_language, run
from pipeline.errors import (
    CaptionsInvalid,
    EngineError,
    MediaError,
    RecordingRejected,
    ReviewError,
    SetUpError,
    SidecarInvalid,
    StoreError,
    TribuneError,
)
from pipeline.messages import message
from pipeline.naming import printable

EXIT_STATUS: Final[tuple[tuple[type[TribuneError], int], ...]] = (
    (RecordingRejected, 3),
    (SidecarInvalid, 3),
    (ReviewError, 2),
    (CaptionsInvalid, 3),
    (SetUpError, 4),
    (StoreError, 5),
    (EngineError, 6),
    (MediaError, 6),
)
"""Exit status of each kind of failure; 1 is an error nobody foresaw, 2 a command that does not exist."""

WRONG_USE: Final = 2
"""Exit status of a command that was used wrongly."""
_INTERRUPTED: Final = 130


def say(code: str, **data: object) -> str:
    """Return a message in the language of the person at the terminal."""
    return message(code, reader_language(), **data)


def refuse(code: str, **data: object) -> NoReturn:
    """End a command that was used wrongly, and say why."""
    typer.echo(say(code, **data), err=True)
    raise typer.Exit(WRONG_USE)


def exit_status(failure: TribuneError) -> int:
    """Return what a script is told about a failure.

    Example:
        >>> from pipeline.errors import WeightsUnavailable
        >>> exit_status(WeightsUnavailable("models.unavailable"))
        4
    """
    return next((status for kind, status in EXIT_STATUS if isinstance(failure, kind)), 1)


def build() -> typer.Typer:
    """Return the application with every registered command."""
    app = Commands(say("cli.tribune"))
    app.callback()(_options)
    for entry in sorted(entry_points(group="tribune.commands"), key=lambda entry: entry.name):
        entry.load()(app)
    return app


def main() -> None:
    """Run the command line; the program ``tribune``."""
    try:
        sys.exit(run(build()))
    except TribuneError as failure:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        typer.echo(failure.message(reader_language()), err=True)
        sys.exit(exit_status(failure))
    except OSError as failure:
        sys.exit(_tell_trouble(failure))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _tell_trouble(failure: OSError) -> int:
    """Tell of a disk that is full, or of a file or folder that cannot be used; anything else nobody foresaw.

    Returns:
        The exit status.
    """
    full = failure.errno in {errno.ENOSPC, errno.EDQUOT}
    if not full and failure.filename is None:
        raise failure
    logging.getLogger(__name__).info("failed", exc_info=failure)
    data = {"path": printable(str(failure.filename or "–")), "detail": failure.strerror or ""}
    told = SetUpError("cli.disk_full" if full else "cli.file_trouble", data)
    typer.echo(told.message(reader_language()), err=True)
    return exit_status(told)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tribune {version('tribune-sessions')}")
        raise typer.Exit


def _options(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help=say("cli.verbose"))] = False,
    show_version: Annotated[  # noqa: ARG001 - acted on by its callback
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help=say("cli.version"))
    ] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
