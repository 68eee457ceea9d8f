"""The words of the command line's own library in the language of the person at the terminal.

In go the help page and the complaints that the library writes, which it knows in English only; out come the same in
French where that is asked for. A text is known by the English one in ``command_line.toml``; one that is not there stays
as it is. Stands alone because everything else that a command says is ours.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Protocol, TypeVar, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from pipeline.messages import catalogue, message
from pipeline.types import Language

F = TypeVar("F", bound=Callable[..., Any])

_ROOM: Final = "command_line."
_INSIDE: Final = "what"
"""The placeholder for a text within a text."""


def reader_language() -> Language:
    """Return the language of the person at the terminal, from the usual variables; English where they say neither."""
    for name in ("TRIBUNE_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "").lower()
        if value:
            return "fr" if value.startswith("fr") else "en"
    return "en"


def translated(text: str, language: Language) -> str:
    r"""Return what the library says, each line in the reader's language.

    Example:
        >>> translated("Error: No such option: --fast", "fr")
        'Erreur\xa0: L’option --fast n’existe pas.'
    """
    return text if language == "en" else "\n".join(_translated_line(line, language) for line in text.split("\n"))


def _translated_line(line: str, language: Language) -> str:
    for code, pattern in _patterns():
        found = pattern.fullmatch(line)
        if found:
            data = {
                name: _translated_line(value, language) if name == _INSIDE else value
                for name, value in found.groupdict().items()
            }
            return message(code, language, **data)
    return line


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((code, _pattern(texts["en"])) for code, texts in catalogue().items() if code.startswith(_ROOM))


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(text)))


class Commands(typer.Typer):
    """A group of commands whose help is in the reader's language."""

    def __init__(self, explanation: str) -> None:
        super().__init__(
            cls=_Group,
            no_args_is_help=True,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            help=explanation,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:  # noqa: ANN401 - the library's own
        """Register a command; see :meth:`typer.Typer.command`."""
        return super().command(name, **{"cls": _Command, **settings})


def run(app: typer.Typer) -> int:
    """Run the command that the arguments ask for, and return its exit status.

    What was typed wrongly is told on standard error.
    """
    try:
        status = get_command(app)(standalone_mode=False)
    except typer.TyperException as misuse:
        said = io.StringIO()
        cast("_Misuse", misuse).show(said)
        typer.echo(translated(said.getvalue(), reader_language()), err=True, nl=False)
        return misuse.exit_code
    return status if isinstance(status, int) else 0


class _Misuse(Protocol):
    """What every complaint of the library can do."""

    def show(self, file: io.StringIO) -> None: ...


class _Command(TyperCommand):
    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - the library names no type for it
        return _help(self, ctx, super().get_help)


class _Group(TyperGroup):
    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - the library names no type for it
        return _help(self, ctx, super().get_help)


def _help(command: TyperCommand | TyperGroup, context: Any, write: Callable[[Any], str]) -> str:  # noqa: ANN401
    """Write a help page; what explains an option is translated before, for it is broken into lines."""
    language = reader_language()
    for option in command.get_params(context):
        explained = getattr(option, "help", None)
        if explained:
            vars(option)["help"] = translated(explained, language)
    return translated(write(context), language)
