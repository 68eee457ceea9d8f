"""One run of the bench: where its results lie, and how a system is measured in a process of its own.

A measure asks for a system; unless its rows are there already, a fresh child process loads that system, measures, and
writes a row of JSON after each recording. So memory and thread pools of two systems never mix, an interrupted run goes
on where it stopped, and a measure can be taken again alone. It stands alone because it knows no system and no measure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from models.parallel import threads_given
from tests.benchmarks.data import DATA, ROOT, Sample, read_samples, samples_with_known_times
from tests.benchmarks.quick import quick_folder

RESULTS: Final = ROOT / "var" / "bench"

Row = dict[str, Any]
"""One line of results."""

FAILED: Final = "failed"
"""The key of a row that says why a system did not run."""

_SOURCES: Final = ("pipeline", "models", "config")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A run.

    Attributes:
        threads: CPU threads of every system.
        quick: Only what a quick run takes.
        only: Only recordings whose set or path this matches.
        results: Where every run keeps what it measured.
        data: The shared recordings.
    """

    threads: int
    quick: bool = False
    only: str = ""
    results: Path = RESULTS
    data: Path = DATA

    @property
    def folder(self) -> Path:
        """Where rows lie: with other sources or another number of threads they are other results."""
        return self.results / f"{sources_digest()}-{self.threads}"

    @property
    def joined(self) -> Path:
        """Where joined recordings lie."""
        return self.results / "joined"

    @property
    def recordings(self) -> Path:
        """The folder with what is measured on: everything, or the few recordings of a quick run."""
        return quick_folder(self.data, self.results / "quick") if self.quick else self.data

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The recordings with words."""
        found = [*read_samples(self.recordings)]
        if not self.quick:
            found += samples_with_known_times(self.data, self.joined)
        return tuple(sample for sample in found if re.search(self.only, f"{sample.group} {sample.path}"))

    def path(self, measure: str, system: str) -> Path:
        """Return the file with a system's rows."""
        return self.folder / f"{measure}-{system}.jsonl"

    def rows(self, measure: str, system: str) -> tuple[Row, ...]:
        """Return what was measured so far."""
        path = self.path(measure, system)
        return tuple(_whole_lines(path)) if path.exists() else ()

    def failure(self, measure: str, system: str) -> str | None:
        """Return why a system did not run, ``None`` where it did."""
        rows = self.rows(measure, system)
        return None if any("recording" in row for row in rows) else (rows[-1][FAILED] if rows else "not measured")

    def add(self, measure: str, system: str, row: Row) -> None:
        """Write one more row."""
        path = self.path(measure, system)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def missing(self, measure: str, system: str, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return which of these recordings have no row yet."""
        done = {row.get("recording") for row in self.rows(measure, system)}
        return tuple(key for key in wanted if key not in done)

    def measure(self, measure: str, system: str, wanted: Sequence[str]) -> None:
        """Have a system measured on these recordings, in a child process, unless it was.

        What a child could not do is in its last row; what it said is in a file beside its rows.
        """
        if not self.missing(measure, system, wanted):
            return
        say(f"{measure}: {system}, {len(wanted)} recordings")
        command = [sys.executable, "-m", "tests.benchmarks.worker", measure, system, *self.arguments()]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path(measure, system).with_suffix(".log").open("w") as log:
            done = subprocess.run(
                command, cwd=ROOT, env=child_environment(self.threads), stdout=log, stderr=log, check=False
            )
        if done.returncode != 0:
            said = self.path(measure, system).with_suffix(".log").read_text(errors="replace").splitlines()
            self.add(measure, system, {FAILED: said[-1][:200] if said else f"status {done.returncode}"})

    def arguments(self) -> list[str]:
        """Return the arguments that make the same run in a child."""
        quick = ["--quick"] if self.quick else []
        return [f"--threads={self.threads}", f"--only={self.only}", f"--data={self.data}", *quick]

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add what a run may be asked for."""
        parser.add_argument("--threads", type=int, default=threads_given(), help="CPU threads of every system")
        parser.add_argument("--quick", action="store_true", help="only a few short recordings")
        parser.add_argument("--only", default="", help="only sets or files that this regular expression matches")
        parser.add_argument("--data", type=Path, default=DATA, help="the shared recordings")

    @classmethod
    def asked(cls, options: argparse.Namespace) -> Self:
        """Return the run that was asked for; without recordings there is none."""
        if not (options.data / "INDEX.tsv").is_file():
            raise SystemExit(f"No recordings in {options.data}: name their folder with --data.")
        return cls(threads=options.threads, quick=options.quick, only=options.only, data=options.data)


def run_alone(
    description: str | None, measure: Callable[[Bench], None], report: Callable[[Bench], list[str]], *, only: str = ""
) -> None:
    """Do what the command of one measure does: measure what is missing and print its part of the page.

    Args:
        description: Told by ``--help``.
        measure: Fills the rows.
        report: Tells what they say.
        only: What is measured where nobody asks for less.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.set_defaults(only=only)
    bench = Bench.asked(parser.parse_args())
    measure(bench)
    say("\n".join(report(bench)))


def sources_digest() -> str:
    """Return a short checksum of everything of ours that decides a result."""
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".toml"}:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def child_environment(threads: int) -> dict[str, str]:
    """Return the environment of a child: our sources, so many threads, and no network.

    How threads wait for each other is left to each system: ours lets them sleep, others are faster where they spin.
    """
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "PYANNOTE_METRICS_ENABLED": "false",
    }


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table, a blank one after it.

    Example:
        >>> table(["set", "WER"], [["six voices", "1 %"]])
        ['| set | WER |', '| --- | --- |', '| six voices | 1 % |', '']
    """
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines] + [""]


def _whole_lines(path: Path) -> Iterator[Row]:
    """Yield the rows; the last line may have been cut off by whatever ended the run."""
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue
