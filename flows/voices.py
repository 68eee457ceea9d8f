"""The commands of ``tribune voices``: enrol a person's voice with their consent, list them, delete one.

In go a name, a programme and a clip, out comes one record fewer or more in the folder of voices. They stand apart from
the other commands because what they keep is personal data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from flows.engines import MachineEngines, chosen_models, fetch_options, process_options
from models.fetch import installed
from pipeline.cli import refuse, say
from pipeline.command_line import Commands
from pipeline.details import LINE_LENGTH, clean
from pipeline.enrolment import EnrolledVoice, embedding_model, enrol, read_enrolled, remove, voice_of
from pipeline.errors import SetUpError
from pipeline.media import probe, read_waveform, write_audio_file
from pipeline.ports import Clip, no_progress
from pipeline.types import SpeakerCount


def voice_commands(read_settings: Callable[[], Settings]) -> typer.Typer:
    """Return the commands.

    Args:
        read_settings: Reads the settings, when a command needs them.
    """
    app = Commands(say("voices.commands"))

    @app.command(name="add", help=say("voices.add"))
    def add(
        name: Annotated[str, typer.Argument(help=say("voices.name"))],
        clip: Annotated[Path, typer.Argument(help=say("voices.clip"), exists=True, dir_okay=False, readable=True)],
        programme: Annotated[str, typer.Option("--programme", help=say("voices.programme"))],
        consent: Annotated[str, typer.Option("--consent", help=say("voices.consent"))] = "",
    ) -> None:
        """Enrol a voice."""
        _add(read_settings(), _line(name), clip, _line(programme), _line(consent))

    @app.command(name="list", help=say("voices.list"))
    def show() -> None:
        """List the voices enrolled."""
        _list(read_settings())

    @app.command(name="remove", help=say("voices.remove"))
    def forget(
        name: Annotated[str, typer.Argument(help=say("voices.name"))],
        programme: Annotated[str, typer.Option("--programme", help=say("voices.programme"))],
    ) -> None:
        """Delete a voice."""
        _remove(read_settings(), _line(name), _line(programme))

    return app


def _line(text: str) -> str:
    return clean(text)[:LINE_LENGTH]


def _add(settings: Settings, name: str, clip: Path, programme: str, consent: str) -> None:
    if not settings.speakers.recognise_enrolled:
        raise SetUpError("voices.off")
    if not consent:
        refuse("voices.no_consent")
    if not name or not programme:
        refuse("voices.no_name")
    heard = (
        MachineEngines(settings).diarizer().diarize(_read(settings, clip), count=SpeakerCount(), progress=no_progress)
    )
    voice = EnrolledVoice(
        name=name,
        programme=programme,
        consent=consent,
        enrolled_on=dt.datetime.now().astimezone().date(),
        model=embedding_model(heard),
        vector=voice_of(heard).vector,
    )
    enrol(settings.voices, voice)
    typer.echo(say("voices.added", name=name, programme=programme))


def _read(settings: Settings, clip: Path) -> Clip:
    """Return a clip's sound; nothing of it stays on disk, at the latest once Tribune starts again."""
    limits = process_options(settings).media
    settings.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=settings.temporary, prefix="clip-") as folder:
        media = probe(clip, limits)
        return read_waveform(write_audio_file(media, media.audio[0], Path(folder) / "sound.wav", limits))[:]


def _list(settings: Settings) -> None:
    used = {installed(model, fetch_options(settings)).use().sha256 for model in chosen_models(settings)}
    shown = Table(box=None, padding=(0, 1))
    for heading in ("name", "programme", "day", "consent", "state"):
        shown.add_column(say(f"voices.column-{heading}"), overflow="fold")
    for voice in read_enrolled(settings.voices):
        state = "usable" if voice.model in used else "outdated"
        day = voice.enrolled_on.isoformat()
        # Text, because a name could hold what rich takes for markup.
        shown.add_row(*map(Text, (voice.name, voice.programme, day, voice.consent, say(f"voices.{state}"))))
    Console().print(shown)
    if not settings.speakers.recognise_enrolled:
        typer.echo(say("voices.off"))


def _remove(settings: Settings, name: str, programme: str) -> None:
    if not remove(settings.voices, name, programme):
        refuse("voices.unknown", name=name, programme=programme)
    typer.echo(say("voices.removed", name=name, programme=programme))
