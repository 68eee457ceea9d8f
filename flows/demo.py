"""The sample recordings, dropped as a facilitator would and followed until they are published.

In go running services, out come published sessions and how long they took. It uses the inbox and the journal and
nothing else, so what it shows is what any dropped recording goes through. Recordings that are published already are
left alone, those in progress are only followed, and those that failed are tried again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from config.settings import Settings
from flows.display import Display, Row
from pipeline.artifacts import sha256_of
from pipeline.cli import say
from pipeline.command_line import reader_language
from pipeline.errors import SetUpError
from pipeline.ffmpeg import MediaLimits
from pipeline.inbox import DEFAULTS, MEDIA_EXTENSIONS
from pipeline.journal import (
    Failed,
    NeedsReview,
    Published,
    Rejected,
    SessionRecord,
    State,
    Withdrawn,
    read_record,
    read_records,
)
from pipeline.media import probe
from pipeline.messages import message
from pipeline.naming import printable
from pipeline.types import SESSION_ID_LENGTH

SAMPLES: Final = Path(__file__).parent.parent / "samples"
PATIENCE_S: Final = 900.0
"""How long nothing at all may change, in seconds, before the watcher is taken to be stuck."""

_LOOK_EVERY_S: Final = 0.5


def publish_samples(
    settings: Settings, console: Console, samples: Path = SAMPLES, *, patience_s: float = PATIENCE_S
) -> bool:
    """Drop the samples that nobody has in hand, follow all of them to their end, and say how it went.

    Args:
        settings: Where the inbox and the work area are.
        console: Where it is shown.
        samples: The folder with the samples.
        patience_s: How long nothing at all may change, in seconds.

    Returns:
        Whether all of them are published.

    Raises:
        SetUpError: The samples are not here, or nothing changed for too long.
    """
    recordings = _find(samples)
    if not recordings:
        raise SetUpError("flows.no_samples", {"folder": str(samples)})
    started = time.monotonic()
    before = {key: read_record(settings.work, key) for key in recordings}
    dropped = {key: record for key, record in before.items() if record is None or _is_to_try_again(record)}
    for key in dropped:
        _drop(recordings[key], samples, settings.inbox)
    ended = _follow(settings, recordings, dropped, patience_s, console)
    _tell_speed([ended[key] for key in dropped], time.monotonic() - started, console)
    failed = {recordings[key].name: record for key, record in ended.items() if _is_to_try_again(record)}
    _tell_failures(failed, console)
    return not failed


def _find(samples: Path) -> dict[str, Path]:
    """Return the sample recordings by session id."""
    found = {}
    for path in sorted(samples.glob("*/*")):
        if path.suffix.lower() in MEDIA_EXTENSIONS:
            found[sha256_of(path)[:SESSION_ID_LENGTH]] = path
    return found


def _is_to_try_again(record: SessionRecord) -> bool:
    return isinstance(record.state, Rejected | Failed)


def _drop(recording: Path, samples: Path, inbox: Path) -> None:
    """Copy a recording and what belongs to it into the inbox, the recording last."""
    folder = inbox / recording.parent.relative_to(samples)
    folder.mkdir(parents=True, exist_ok=True)
    for source in (recording.with_name(DEFAULTS), recording.with_suffix(".toml"), recording):
        if source.is_file():
            shutil.copyfile(source, folder / source.name)


def _follow(
    settings: Settings,
    recordings: Mapping[str, Path],
    before: Mapping[str, SessionRecord | None],
    patience_s: float,
    console: Console,
) -> dict[str, SessionRecord]:
    """Show how far the samples are until each has come to an end; return the records they ended with.

    Args:
        settings: Where the work area is.
        recordings: The samples by session id.
        before: Of those that were dropped, the records before that: they tell of an earlier attempt.
        patience_s: How long nothing at all may change, in seconds.
        console: Where it is shown.

    Raises:
        SetUpError: Nothing changed for so long.
    """
    display = Display(console)
    seen: dict[str, SessionRecord] = {}
    changed_s = time.monotonic()
    try:
        while True:
            # Everybody's: the samples may be waiting behind other recordings, and that is no standstill.
            records = {record.session.id: record for record in read_records(settings.work)}
            now = {key: records[key] for key in recordings if key in records and records[key] != before.get(key)}
            display.show([Row(name=path.name, state=_state(now.get(key))) for key, path in recordings.items()])
            if len(now) == len(recordings) and all(_has_ended(record) for record in now.values()):
                return now
            if records != seen:
                seen, changed_s = records, time.monotonic()
            if time.monotonic() - changed_s > patience_s:
                raise _stuck(settings, patience_s)
            time.sleep(_LOOK_EVERY_S)
    finally:
        display.close()


def _state(record: SessionRecord | None) -> State | None:
    return record.state if record is not None else None


def _has_ended(record: SessionRecord) -> bool:
    return isinstance(record.state, Published | NeedsReview | Rejected | Failed | Withdrawn)


def _stuck(settings: Settings, patience_s: float) -> SetUpError:
    log = settings.root / "logs" / "watcher.log"
    return SetUpError("flows.demo_stuck", {"minutes": f"{patience_s / 60:.0f}", "log": str(log)})


def _tell_speed(records: list[SessionRecord], seconds: float, console: Console) -> None:
    """Say how long it took against how long what was published lasts, from the drop to the last page."""
    # A rejected recording is no longer in the work area.
    paths = [record.recording.path for record in records if isinstance(record.state, Published)]
    if not paths:
        return
    lasted = sum(probe(path, MediaLimits()).duration_ms for path in paths) / 1000
    told = say(
        "flows.demo_speed", seconds=round(seconds), minutes=f"{lasted / 60:.1f}", factor=f"{lasted / seconds:.1f}"
    )
    console.print(told, highlight=False)


def _tell_failures(failed: Mapping[str, SessionRecord], console: Console) -> None:
    if failed:
        console.print(say("flows.demo_failed", count=len(failed)), markup=False, highlight=False)
    for name, record in failed.items():
        console.print(f"{printable(name)}: {_why(record)}", markup=False, highlight=False, style="red")


def _why(record: SessionRecord) -> str:
    if isinstance(record.state, Rejected | Failed):
        return " ".join(message(why.code, reader_language(), **dict(why.data)) for why in record.state.reasons)
    return say("flows.waiting")
