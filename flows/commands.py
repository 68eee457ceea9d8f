"""The commands of ``tribune``: thin, each a few calls into the rooms that do the work.

In go arguments, out come pages served, a recording published, weights brought, or a diagnosis, and an exit status. They
live up here because they put every room together.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from config.caption_rules import load_all
from config.settings import Settings, load_settings
from flows.caption_commands import caption_commands
from flows.demo import publish_samples
from flows.doctor import diagnose
from flows.engines import (
    MachineEngines,
    chosen_models,
    fetch_options,
    process_options,
    running_store,
)
from flows.publish import publish_commands
from flows.revisions import revision_commands
from flows.services import Services, review_pages, running_services
from flows.voices import voice_commands
from models import manifest
from models.fetch import fetch, installed, verify
from models.manifest import Model
from pipeline.artifacts import sha256_of
from pipeline.cli import exit_status, say
from pipeline.command_line import Commands, reader_language
from pipeline.details import Details, session_for
from pipeline.errors import ReviewAwaited, SetUpError, SidecarInvalid
from pipeline.formatting import format_size
from pipeline.inbox import DEFAULTS, STATUS_PAGES
from pipeline.journal import session_folder
from pipeline.locks import Held
from pipeline.media import probe
from pipeline.naming import printable
from pipeline.parcels import fold_name, shown_names
from pipeline.process import process
from pipeline.s3 import S3Options, open_store
from pipeline.sidecar import SIDECAR_EXTENSIONS, read_sidecar
from pipeline.stages import STAGES, Stage, Work, checkpointed
from pipeline.types import LANGUAGES, Publication, Recording, TrackFile

_LACKING: Final = exit_status(SetUpError("cli.settings_wrong"))


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    models = Commands(say("cli.models"))
    app.command(help=say("cli.up"))(up)
    app.command(help=say("cli.demo"))(demo)
    app.command(name="process", help=say("cli.process"))(process_file)
    app.command(help=say("cli.review"))(review)
    app.command(help=say("cli.doctor"))(doctor)
    models.command(name="fetch", help=say("cli.models_fetch"))(fetch_models)
    models.command(name="list", help=say("cli.models_list"))(list_models)
    models.command(name="verify", help=say("cli.models_verify"))(verify_models)
    app.add_typer(models, name="models")
    app.add_typer(voice_commands(_settings), name="voices")
    app.add_typer(revision_commands(_settings), name="revisions")
    app.add_typer(caption_commands(), name="captions")
    app.add_typer(publish_commands(_settings), name="publish")


def up() -> None:
    """Watch, process and serve until interrupted."""
    settings = _settings()
    console = Console()
    _bring_weights(settings, console)
    with (
        _interruptible(),
        console.status(say("flows.starting")) as status,
        running_services(settings, partial(_tell_slow, console)) as services,
    ):
        status.stop()
        _print_addresses(console, settings, services)
        _pause_until_interrupted(console)


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help=say("cli.demo_once"))] = False,
) -> None:
    """Publish the samples and serve them."""
    settings = _settings()
    console = Console()
    _bring_weights(settings, console)
    with (
        _interruptible(),
        console.status(say("flows.starting")) as status,
        running_services(settings, partial(_tell_slow, console)) as services,
    ):
        status.stop()
        published = publish_samples(settings, console)
        _print_addresses(console, settings, services)
        if once:
            raise typer.Exit(0 if published else 1)
        _pause_until_interrupted(console)


def review() -> None:
    """Serve the review pages, and nothing else, until interrupted."""
    console = Console()
    with _interruptible(), review_pages(_settings(), partial(_tell_slow, console)) as address:
        console.print(f"  {say('flows.review'):<20} {address}", highlight=False, markup=False, soft_wrap=True)
        _pause_until_interrupted(console)


def process_file(
    file: Annotated[Path, typer.Argument(help=say("cli.process_file"), exists=True, dir_okay=False, readable=True)],
    copy_to: Annotated[Path | None, typer.Option("--copy-to", help=say("cli.process_out"))] = None,
) -> None:
    """Process one file without watch folder or Prefect."""
    settings = _settings()
    console = Console()
    _bring_weights(settings, console)
    recording, given = _read_recording(file)
    with _interruptible(), _alone_with(settings, recording), running_store(settings) as s3:
        try:
            publication = _process(settings, s3, recording, given, console)
        except ReviewAwaited as awaited:
            # All that could be done has been.
            console.print(awaited.message(reader_language()), highlight=False, markup=False)
            return
    if copy_to is not None:
        _copy_published(session_folder(settings.work, recording.session_id), publication, copy_to)
    for language in LANGUAGES:
        console.print(f"{language}  {dict(publication.pages)[language]}", highlight=False, soft_wrap=True)
    for note in publication.notes:
        console.print(say(note.code, **dict(note.data)), highlight=False, markup=False)
    if not settings.store.endpoint:
        console.print(say("flows.served_by_up"), highlight=False, markup=False)


def _process(settings: Settings, s3: S3Options, recording: Recording, given: Details, console: Console) -> Publication:
    """Process a recording and publish it, with a bar for each stage."""
    folder = session_folder(settings.work, recording.session_id)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, console=console) as progress:
        bars = {stage: progress.add_task(say(f"flows.stage_{stage}"), total=1.0) for stage in STAGES}

        def tell(stage: Stage, share: float) -> None:
            for before in STAGES[: STAGES.index(stage)]:
                progress.update(bars[before], completed=1.0)
            progress.update(bars[stage], completed=share)

        options, engines = process_options(settings), MachineEngines(settings)
        # What is no recording is told at once; the engines, once they have begun to open, are waited for.
        probe(recording.path, options.media)
        with engines.warming_up():
            work = Work(
                recording=recording,
                folder=folder,
                engines=engines,
                open_store=partial(open_store, s3),
                options=options,
                run=checkpointed(folder / "finished", tell),
            )
            publication = process(
                work,
                session_for(recording, given, (), settings.intake.default_languages),
                complete=lambda tags: session_for(recording, given, tags, settings.intake.default_languages),
            )
        progress.update(bars[STAGES[-1]], completed=1.0)
    return publication


@contextmanager
def _alone_with(settings: Settings, recording: Recording) -> Iterator[None]:
    """Keep everybody else away from a recording's folder for the length of a block.

    Raises:
        SetUpError: A run is at work on it.
    """
    # Importing Prefect takes seconds that no other command should pay for.
    from flows.runs import alone_with  # noqa: PLC0415

    try:
        with alone_with(settings.work, recording.session_id):
            yield
    except Held:
        raise SetUpError("flows.in_hand", {"name": recording.name}) from None


def doctor() -> None:
    """Diagnose this machine."""
    console = Console()
    shown = Table(box=None, padding=(0, 1))
    for heading in ("", say("doctor.what"), say("doctor.found"), say("doctor.to_do")):
        shown.add_column(heading, overflow="fold")
    findings = diagnose(_settings())
    for finding in findings:
        shown.add_row(say(f"doctor.{finding.level}"), say(f"doctor.{finding.what}"), finding.found, finding.to_do)
    console.print(shown)
    raise typer.Exit(_LACKING if any(finding.level == "bad" for finding in findings) else 0)


def fetch_models(
    names: Annotated[list[str] | None, typer.Argument(help=say("cli.models_name"))] = None,
) -> None:
    """Bring weights to this machine."""
    settings, known = _settings(), manifest.load()
    models = tuple(known.model(name) for name in names) if names else chosen_models(settings)
    _fetch_missing(settings, Console(), models, spare=frozenset())


def list_models() -> None:
    """List the weights of the manifest."""
    settings = _settings()
    chosen = {model.name for model in chosen_models(settings)}
    shown = Table(box=None, padding=(0, 1))
    for heading in ("", "name", "size", "licence", "sources", "state"):
        shown.add_column(say(f"models.column-{heading}") if heading else "", no_wrap=heading == "name")
    for model in manifest.load().models:
        here = installed(model, fetch_options(settings))
        size = format_size(model.size, reader_language()) if model.size else "?"
        mark = "*" if model.name in chosen else ""
        shown.add_row(mark, model.name, size, model.licence, ", ".join(model.sources), here.text(reader_language()))
    Console().print(shown)


def verify_models(
    names: Annotated[list[str] | None, typer.Argument(help=say("cli.models_name"))] = None,
) -> None:
    """Check installed weights against their checksums."""
    settings, known = _settings(), manifest.load()
    models = tuple(known.model(name) for name in names) if names else chosen_models(settings)
    found = [verify(model, fetch_options(settings)) for model in models]
    for here in found:
        wrong = f": {', '.join(here.wrong)}" if here.wrong else ""
        typer.echo(f"{here.model.name}  {here.text(reader_language())}{wrong}")
    if any(here.condition != "ready" for here in found):
        raise typer.Exit(_LACKING)


def _settings() -> Settings:
    """Read the settings, and the captions' rules that they name, before anything is started.

    Raises:
        SetUpError: One is wrong; names it.
    """
    settings = load_settings()
    load_all(settings.captions.profile or None)
    return settings


def _bring_weights(settings: Settings, console: Console) -> None:
    """Fetch the chosen weights that are not there yet."""
    models = chosen_models(settings)
    # Without voices a transcript is still worth having; without words there is none.
    spare = frozenset(model.name for model in models if model.name != settings.models.whisper)
    _fetch_missing(settings, console, models, spare=spare)


def _fetch_missing(settings: Settings, console: Console, models: Sequence[Model], *, spare: frozenset[str]) -> None:
    """Fetch weights, with a bar for each that is not there yet.

    Args:
        settings: Where they may come from.
        console: Where it is shown.
        models: Which ones.
        spare: Names of those that can be done without: their failure is only told.

    Raises:
        SetUpError: Others could not be had.
    """
    options = fetch_options(settings)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        for model in models:
            if installed(model, options).condition == "ready":
                continue
            bar = progress.add_task(f"{say('flows.fetching')}: {model.name}", total=None)
            try:
                fetch(model, options, partial(_show_bytes, progress, bar))
            except SetUpError as failure:
                if model.name not in spare:
                    raise
                progress.console.print(failure.message(reader_language()), style="yellow", markup=False)


def _show_bytes(progress: Progress, bar: TaskID, done: int, total: int) -> None:
    progress.update(bar, completed=done, total=total)


def _read_recording(file: Path) -> tuple[Recording, Details]:
    """Read a recording's checksum, and the sidecar and defaults beside it."""
    name, size = printable(file.name), file.stat().st_size
    recording = Recording(path=file.absolute(), name=name, sha256=sha256_of(file), size=size)
    sidecars = [f"{start}{end}" for start in (file.name, file.stem) for end in SIDECAR_EXTENSIONS]
    details = Details()
    for path in _find_beside(file, (*sidecars, DEFAULTS)).values():
        details = details.over(read_sidecar(path))
    return replace(recording, tracks=_read_tracks(file, details.track_files)), details


def _read_tracks(recording: Path, names: Sequence[str]) -> tuple[TrackFile, ...]:
    if fold_name(recording.name) in map(fold_name, names):
        raise SidecarInvalid("sidecar.track_is_recording", {"files": printable(recording.name)})
    found = _find_beside(recording, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise SidecarInvalid("sidecar.tracks_missing", {"files": shown_names(missing)})
    return tuple(TrackFile(path=path.absolute(), name=name, sha256=sha256_of(path)) for name, path in found.items())


def _find_beside(recording: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the files that lie beside a recording, by name as asked for; as in the inbox, case does not count."""
    beside = {fold_name(path.name): path for path in recording.parent.iterdir() if path.is_file()}
    beside.pop(fold_name(recording.name), None)
    return {name: beside[fold_name(name)] for name in names if fold_name(name) in beside}


def _copy_published(folder: Path, publication: Publication, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name, _ in publication.files:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)


def _tell_slow(console: Console, log: Path, seconds: int) -> None:
    text = say("flows.slow_start", seconds=str(seconds), log=str(log))
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _print_addresses(console: Console, settings: Settings, services: Services) -> None:
    site = open_store(services.s3)
    rows = [
        *((f"{say('flows.pages')} ({language})", site.url(f"{language}/index.html")) for language in LANGUAGES),
        (say("flows.prefect"), services.prefect.pages),
        (say("flows.store"), f"{services.s3.endpoint_url or 'AWS'} ({services.s3.bucket})"),
        (say("flows.review"), services.review),
        (say("flows.inbox"), str(settings.inbox)),
        (say("flows.status"), str(settings.inbox / STATUS_PAGES[reader_language()])),
    ]
    for name, address in rows:
        console.print(f"  {name:<20} {address}", highlight=False, markup=False, soft_wrap=True)


def _pause_until_interrupted(console: Console) -> None:
    console.print(say("flows.until_interrupted"))
    try:
        signal.pause()
    finally:
        # Whoever read the other output may be gone by now.
        typer.echo(say("flows.ending"), err=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that everything it started is ended in order."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
