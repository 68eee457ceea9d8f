"""How far every recording is, on the terminal.

In go rows, one a recording, out comes a table with one bar for each stage; on a terminal it is redrawn in place,
elsewhere one line is printed for each change, so that a log of a build stays readable. Stands alone so that the demo
shows what the watcher and the flows wrote down, and nothing that only it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.cli import say
from pipeline.journal import NeedsReview, Processing, Published, State
from pipeline.naming import printable
from pipeline.stages import STAGES

_BAR_WIDTH = 8
_STATES: Final = {
    "claimed": "flows.waiting",
    "needs_review": "flows.needs_review",
    "published": "flows.published",
    "rejected": "flows.set_aside",
    "failed": "flows.failed",
    "withdrawn": "flows.withdrawn",
}
_DONE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How far one recording is.

    Attributes:
        name: What it is called.
        state: What is being done with it; ``None`` where nobody has taken it yet.
    """

    name: str
    state: State | None


class Display:
    """A table of recordings and stages, kept up to date until closed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._told: dict[str, str] = {}
        if self._live is not None:
            self._live.start()

    def show(self, rows: Sequence[Row]) -> None:
        """Show how things stand now."""
        if self._live is not None:
            self._live.update(table(rows))
            return
        for row in rows:
            said = _said(row.state)
            if self._told.get(row.name) != said:
                self._told[row.name] = said
                self._console.print(f"{printable(row.name)}: {said}", highlight=False, markup=False)

    def close(self) -> None:
        """Leave the last state on the terminal."""
        if self._live is not None:
            self._live.stop()


def table(rows: Sequence[Row]) -> Table:
    """Return the recordings with a bar for each stage."""
    shown = Table(box=None, padding=(0, 1), expand=False)
    shown.add_column(say("flows.recording"), no_wrap=True, max_width=36)
    for stage in STAGES:
        shown.add_column(say(f"flows.stage_{stage}"), width=_BAR_WIDTH, no_wrap=True)
    shown.add_column("")
    for row in rows:
        bars = [_bar(share) for share in shares(row.state)]
        shown.add_row(Text(printable(row.name)), *bars, Text(_said(row.state)))
    return shown


def shares(state: State | None) -> tuple[float, ...]:
    """Return how much of each stage is done, 0 to 1, in the order of the stages.

    Example:
        >>> shares(Processing(stage="speakers", share=0.5))
        (1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0)
    """
    if isinstance(state, Published):
        return tuple(_DONE for _ in STAGES)
    if isinstance(state, NeedsReview):
        return shares(Processing(stage="align"))
    if isinstance(state, Processing):
        at = STAGES.index(state.stage) if state.stage in STAGES else 0
        return tuple(_DONE if index < at else state.share if index == at else 0.0 for index in range(len(STAGES)))
    return tuple(0.0 for _ in STAGES)


def _bar(share: float) -> RenderableType:
    return ProgressBar(total=_DONE, completed=share, width=_BAR_WIDTH)


def _said(state: State | None) -> str:
    if state is None:
        return say("flows.in_turn")
    return say(f"flows.stage_{state.stage}" if isinstance(state, Processing) else _STATES[state.kind])
