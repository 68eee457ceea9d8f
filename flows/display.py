"""How far every recording is, on the terminal.

In go the session records, out comes a table with one bar for each stage; on a terminal it is redrawn in place,
elsewhere one line is printed for each change, so that a log of a build stays readable. Stands alone so that the demo
shows what the watcher and the flows wrote down, and nothing that only it knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.cli import reader_language, say
from pipeline.journal import Claimed, Failed, Processing, Published, Rejected, SessionRecord, State
from pipeline.naming import printable
from pipeline.process import STAGES

_BAR_WIDTH = 8
_DONE = 1.0


class Display:
    """A table of recordings and stages, kept up to date until closed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._told: dict[str, str] = {}
        if self._live is not None:
            self._live.start()

    def show(self, records: Sequence[SessionRecord]) -> None:
        """Show how things stand now."""
        if self._live is not None:
            self._live.update(table(records))
            return
        for record in records:
            line = f"{_title(record)}: {_said(record.state)}"
            if self._told.get(record.session.id) != line:
                self._told[record.session.id] = line
                self._console.print(line, highlight=False, markup=False)

    def close(self) -> None:
        """Leave the last state on the terminal."""
        if self._live is not None:
            self._live.stop()


def table(records: Sequence[SessionRecord]) -> Table:
    """Return the recordings with a bar for each stage."""
    shown = Table(box=None, padding=(0, 1), expand=False)
    shown.add_column(say("flows.recording"), no_wrap=True, max_width=36)
    for stage in STAGES:
        shown.add_column(say(f"flows.stage_{stage}"), width=_BAR_WIDTH, no_wrap=True)
    shown.add_column("")
    for record in records:
        bars = [_bar(share) for share in shares(record.state)]
        shown.add_row(Text(_title(record)), *bars, Text(_said(record.state)))
    return shown


def shares(state: State) -> tuple[float, ...]:
    """Return how much of each stage is done, 0 to 1, in the order of the stages.

    Example:
        >>> shares(Processing(stage="speakers", share=0.5))
        (1.0, 1.0, 0.5, 0.0, 0.0, 0.0)
    """
    if isinstance(state, Published):
        return tuple(_DONE for _ in STAGES)
    if isinstance(state, Processing):
        at = STAGES.index(state.stage) if state.stage in STAGES else 0
        return tuple(_DONE if index < at else state.share if index == at else 0.0 for index in range(len(STAGES)))
    return tuple(0.0 for _ in STAGES)


def _bar(share: float) -> RenderableType:
    return ProgressBar(total=_DONE, completed=share, width=_BAR_WIDTH)


def _title(record: SessionRecord) -> str:
    return printable(record.session.title.get(reader_language()))


def _said(state: State) -> str:
    match state:
        case Claimed():
            return say("flows.waiting")
        case Processing(stage=stage):
            return say(f"flows.stage_{stage}")
        case Published():
            return say("flows.published")
        case Rejected():
            return say("flows.set_aside")
        case Failed():
            return say("flows.failed")
