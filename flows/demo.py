"""The sample recordings, dropped as a facilitator would and followed until they are published.

In go running services, out come published sessions and how long they took. It uses the inbox and the journal and
nothing else, so what it shows is what any dropped recording goes through. Recordings that are published already are
left alone.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from config.settings import Settings
from flows.display import Display
from pipeline.cli import reader_language, say
from pipeline.errors import SetUpError
from pipeline.ffmpeg import MediaLimits
from pipeline.intake import DEFAULTS, MEDIA_EXTENSIONS
from pipeline.journal import Failed, Published, Rejected, SessionRecord, read_record
from pipeline.media import probe
from pipeline.messages import message
from pipeline.naming import printable
from pipeline.types import SESSION_ID_LENGTH

SAMPLES: Final = Path(__file__).parent.parent / "samples"
_LOOK_EVERY_S: Final = 0.5


def publish_samples(settings: Settings, console: Console, samples: Path = SAMPLES) -> bool:
    """Drop the samples that are not published yet, follow them, and say how it went.

    Returns:
        Whether all of them are published.

    Raises:
        SetUpError: The samples are not here.
    """
    recordings = _find(samples)
    if not recordings:
        raise SetUpError("flows.no_samples", {"folder": str(samples)})
    started = time.monotonic()
    dropped = {key: path for key, path in recordings.items() if not _is_published(settings, key)}
    for path in dropped.values():
        _drop(path, samples, settings.inbox)
    records = _follow(settings, tuple(recordings), console)
    if dropped:
        _tell_speed([record for record in records if record.session.id in dropped], time.monotonic() - started, console)
    failed = [record for record in records if not isinstance(record.state, Published)]
    for record in failed:
        console.print(f"{printable(record.recording.name)}: {_why(record)}", markup=False, style="red")
    return not failed


def _find(samples: Path) -> dict[str, Path]:
    """Return the sample recordings by session id."""
    found = {}
    for path in sorted(samples.glob("*/*")):
        if path.suffix.lower() in MEDIA_EXTENSIONS:
            with path.open("rb") as file:
                found[hashlib.file_digest(file, "sha256").hexdigest()[:SESSION_ID_LENGTH]] = path
    return found


def _is_published(settings: Settings, session_id: str) -> bool:
    record = read_record(settings.work, session_id)
    return record is not None and isinstance(record.state, Published)


def _drop(recording: Path, samples: Path, inbox: Path) -> None:
    """Copy a recording and what belongs to it into the inbox, the recording last."""
    folder = inbox / recording.parent.relative_to(samples)
    folder.mkdir(parents=True, exist_ok=True)
    for source in (recording.with_name(DEFAULTS), recording.with_suffix(".toml"), recording):
        if source.is_file():
            shutil.copyfile(source, folder / source.name)


def _follow(settings: Settings, session_ids: tuple[str, ...], console: Console) -> list[SessionRecord]:
    display = Display(console)
    try:
        while True:
            found = [read_record(settings.work, session_id) for session_id in session_ids]
            records = [record for record in found if record is not None]
            display.show(records)
            ended = [record for record in records if isinstance(record.state, Published | Rejected | Failed)]
            if len(ended) == len(session_ids):
                return records
            time.sleep(_LOOK_EVERY_S)
    finally:
        display.close()


def _tell_speed(records: list[SessionRecord], seconds: float, console: Console) -> None:
    """Say how long it took against how long the recordings last, from the drop to the last page."""
    lasted = sum(probe(record.recording.path, MediaLimits()).duration_ms for record in records) / 1000
    told = say(
        "flows.demo_speed", seconds=round(seconds), minutes=f"{lasted / 60:.1f}", factor=f"{lasted / seconds:.1f}"
    )
    console.print(told, highlight=False)


def _why(record: SessionRecord) -> str:
    if isinstance(record.state, Rejected | Failed):
        return " ".join(message(why.code, reader_language(), **dict(why.data)) for why in record.state.reasons)
    return say("flows.waiting")
