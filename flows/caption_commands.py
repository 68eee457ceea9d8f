"""The commands of ``tribune captions``: check a file of captions, or write it as another kind.

In goes a file of anybody's, out come findings a line each, or another file. They stand apart from the other commands
because they need neither engines nor store: only a file and the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from config.caption_rules import load_all
from pipeline.caption_files import Opened, likely_language, open_captions, writer
from pipeline.caption_lint import Finding, lint
from pipeline.cli import say
from pipeline.command_line import Commands, reader_language
from pipeline.errors import CaptionsInvalid
from pipeline.render.clock import timestamp
from pipeline.render.reading import as_interpreted, as_shown
from pipeline.types import LANGUAGES

_File = Annotated[Path, typer.Argument(help=say("captions.file"), exists=True, dir_okay=False, readable=True)]
_Language = Annotated[str, typer.Option("--language", help=say("captions.language"))]


def caption_commands() -> typer.Typer:
    """Return the commands."""
    app = Commands(say("captions.commands"))
    app.command(name="lint", help=say("captions.lint"))(lint_file)
    app.command(name="convert", help=say("captions.convert"))(convert_file)
    return app


def lint_file(
    file: _File,
    profile: Annotated[str | None, typer.Option("--profile", help=say("captions.profile"))] = None,
    language: _Language = "",
) -> None:
    """Check a file against a profile and explain each finding."""
    rules = load_all(profile)
    opened = _open(file)
    main = _language_of(opened, language)
    if main.partition("-")[0] not in rules:
        raise CaptionsInvalid("captions.no_rules", {"language": main, "known": ", ".join(LANGUAGES)})
    captions = as_shown(opened.read, main)
    told = as_interpreted(opened.read, main).cues
    findings = lint(captions.cues, rules, language=captions.typography, told=told)
    _show(findings)
    data = {
        "good": len(captions.cues) - len({finding.cue_id for finding in findings}),
        "all": len(captions.cues),
        "language": say(f"site.language_{main.partition('-')[0]}"),
        "profile": profile or say("captions.usual_profile"),
    }
    typer.echo(say("captions.summary", **data))
    if findings:
        raise typer.Exit(1)


def convert_file(
    file: _File,
    target: Annotated[Path, typer.Argument(help=say("captions.target"), dir_okay=False)],
    language: _Language = "",
) -> None:
    """Write a file of captions as another kind."""
    write = writer(target.name)
    opened = _open(file)
    text = write(as_interpreted(opened.read, _language_of(opened, language)))
    try:
        target.write_text(text, encoding="utf-8", newline="")
    except OSError as failure:
        data = {"name": str(target), "detail": failure.strerror or ""}
        raise CaptionsInvalid("captions.unwritable", data) from failure


def _open(file: Path) -> Opened:
    opened = open_captions(file.read_bytes(), file.name)
    for notice in opened.notices:
        typer.echo(say(notice.code, **dict(notice.data)), err=True)
    return opened


def _language_of(opened: Opened, given: str) -> str:
    return given or opened.language or likely_language(opened.read, load_all())


def _show(findings: Sequence[Finding]) -> None:
    for finding in findings:
        typer.echo(f"{timestamp(finding.start_ms, '.')}  {finding.explain(reader_language())}")
