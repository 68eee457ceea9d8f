"""The bars: what Tribune must reach, and whether it does.

A measured value and its limit go in, a line of the table of bars comes out. It stands alone so that the arithmetic of
every bar is tried on known numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.bench import table


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar.

    Attributes:
        name: What is measured.
        measured: In the bar's unit; ``None`` where this run did not measure it.
        limit: It may be no more, or no less, than this.
        unit: Of both.
        at_least: Whether the value must be at least the limit rather than at most.
        remark: Said after the value.
    """

    name: str
    measured: float | None
    limit: float
    unit: str
    at_least: bool = False
    remark: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it is met; ``None`` where it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The bar as a row of the table."""
        sign = "≥" if self.at_least else "≤"
        value = "not measured" if self.measured is None else f"{self.measured:.4g} {self.unit}{self.remark}"
        said = {True: "yes", False: "**no**", None: "–"}[self.met]
        return self.name, f"{sign} {self.limit:g} {self.unit}", value, said


def at_most(name: str, measured: float | None, limit: float, unit: str, remark: str = "") -> Bar:
    """Return a bar that a value may not exceed."""
    return Bar(name=name, measured=measured, limit=limit, unit=unit, remark=remark)


def at_least(name: str, measured: float | None, limit: float, unit: str, remark: str = "") -> Bar:
    """Return a bar that a value must reach."""
    return Bar(name=name, measured=measured, limit=limit, unit=unit, at_least=True, remark=remark)


def report(bars: Sequence[Bar]) -> list[str]:
    """Return the table of bars as lines of Markdown, with how many are met."""
    met, missed = (sum(bar.met is value for bar in bars) for value in (True, False))
    said = f"{met} met, {missed} missed, {len(bars) - met - missed} not measured in this run."
    return [*table(["bar", "limit", "measured", "met"], [bar.row for bar in bars]), said, ""]
