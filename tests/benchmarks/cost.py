"""Cost: how long everything takes, how much memory at most, and how both grow with the length of a recording.

Tribune goes the whole way from a sound file to pages in a store of its own, at ten minutes, one hour and four hours,
each in a process of its own that has opened its engines before; at ten minutes a second recording follows in the same
process. Peers do their part of it at ten minutes and one hour. Memory is that of the process and everything it
started, the object store aside, looked at ten times a second.

Run it with ``python -m tests.benchmarks.cost [--quick]``; quick is ten minutes of Tribune only.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from config.settings import Settings, load_settings
from flows.engines import MachineEngines, process_options, store_options
from pipeline.checkpoints import Finished, Turn
from pipeline.details import Details, session_for
from pipeline.objectstore import ObjectStore, start_object_store
from pipeline.ports import SAMPLE_RATE, Progress, Store, no_progress
from pipeline.process import process
from pipeline.s3 import open_store
from pipeline.stages import HearingStage, Stage, Work
from pipeline.types import Recording, Timing
from tests.benchmarks.bars import Bar, at_most
from tests.benchmarks.bench import Bench, Row, run_alone, table
from tests.benchmarks.data import MODELS, Sample, long_recording, read_sound
from tests.benchmarks.memory import MemoryWatch
from tests.benchmarks.systems import TELLING, TITLES, open_hearing, open_telling

MEASURE: Final = "cost"
LENGTHS: Final = (10, 60, 240)
"""Minutes."""

PEER_LENGTHS: Final = (10, 60)
PEERS: Final = ("batched", "sequential", "whisperx", "pyannote", "senko")
DEFAULT_WAY: Final = ("batched", "pyannote")
"""What the whole way is held against."""

_QUICK_SECOND: Final = 2

T = TypeVar("T")


def spend(bench: Bench, run: str) -> None:
    """Measure one system at one length; in its own process.

    Args:
        bench: The run.
        run: The system, a hyphen and the minutes.
    """
    system, minutes = run.rsplit("-", 1)
    row = _whole_way(bench, int(minutes)) if system == "tribune" else _peer(bench, system, int(minutes))
    bench.add(MEASURE, run, {"recording": _key(bench), **row})


def _key(bench: Bench) -> str:
    """Return what a row is of: a quick run's second recording is a short one."""
    return "quick" if bench.quick else "whole"


def _peer(bench: Bench, system: str, minutes: int) -> Row:
    sound = long_recording(minutes, bench.joined, data=bench.data)
    with MemoryWatch() as watch:
        started = time.perf_counter()
        work = _opened(system, bench.threads, sound)
        opened_s = time.perf_counter() - started
        waveform = read_sound(sound)
        started = time.perf_counter()
        work(waveform)
        spent_s = time.perf_counter() - started
        return {"minutes": minutes, "opened_s": opened_s, "spent_s": spent_s, "peak": watch.take()}


def _opened(system: str, threads: int, sound: Path) -> Callable[[Any], object]:
    if system in TELLING:
        return open_telling(system, threads)
    hears = open_hearing(system, threads)
    sample = Sample(group="", path=sound, languages=("en",), text="")
    return lambda waveform: hears(waveform, sample)


def _whole_way(bench: Bench, minutes: int) -> Row:
    folder = bench.folder / f"whole-way-{minutes}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "models").symlink_to(MODELS)
    settings = _settings(folder, bench.threads)
    sounds = [long_recording(minutes, bench.joined, data=bench.data)]
    if minutes == LENGTHS[0]:
        another = _QUICK_SECOND if bench.quick else minutes
        sounds.append(long_recording(another, bench.joined, data=bench.data, turn=1))
    try:
        with start_object_store(store_options(settings)) as store:
            return _publish_all(sounds, settings, store)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish_all(sounds: Sequence[Path], settings: Settings, store: ObjectStore) -> Row:
    """Open the engines and publish one recording after the other."""
    # The store's keeper may start it anew, so it is asked for its process each time.
    with MemoryWatch(lambda: {store.process_id or 0}) as watch:
        engines = MachineEngines(settings)
        opened = {stage: _opening_s(engines, stage) for stage in get_args(HearingStage)}
        to_store = partial(open_store, store.s3)
        first, *more = (_processed(sound, settings, engines, to_store, watch) for sound in sounds)
        return {"opened_s": opened, **first, **({"second": more[0]} if more else {})}


def _opening_s(engines: MachineEngines, stage: HearingStage) -> float:
    """Return how long an engine takes to open; whoever gets a turn finds it opened."""
    started = time.perf_counter()
    with engines.turn(stage):
        return time.perf_counter() - started


def _settings(folder: Path, threads: int) -> Settings:
    settings = load_settings()
    engines = settings.engines.model_copy(update={"device": "cpu", "threads": threads})
    store = settings.store.model_copy(update={"endpoint": "", "port": 0})
    return settings.model_copy(update={"root": folder, "engines": engines, "store": store})


def _processed(
    sound: Path, settings: Settings, engines: MachineEngines, to_store: Callable[[], Store], watch: MemoryWatch
) -> Row:
    """Publish one recording; return how long each stage took and its peak."""
    with sound.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    recording = Recording(path=sound, name=sound.name, sha256=sha256, size=sound.stat().st_size)
    details = Details(languages=("en",), title="A long session")
    folder = settings.work / recording.session_id
    folder.mkdir(parents=True)
    stages: dict[str, tuple[float, int]] = {}

    def run(
        stage: Stage,
        kind: type[T],
        inputs: tuple[object, ...] | None,
        work: Callable[[Progress], T],
        *,
        keep: Callable[[T], bool] = lambda _: True,
        turn: Turn = nullcontext,
    ) -> Finished[T]:
        with turn():
            watch.take()
            started = time.perf_counter()
            result = work(no_progress)
            stages[stage] = (time.perf_counter() - started, watch.take())
        return Finished(result=result, timing=Timing(stage=stage, seconds=stages[stage][0]), resumed=False)

    started = time.perf_counter()
    work = Work(
        recording=recording,
        folder=folder,
        engines=engines,
        open_store=to_store,
        options=process_options(settings),
        run=run,
    )
    process(work, session_for(recording, details), complete=lambda tags: session_for(recording, details, tags))
    spent_s = time.perf_counter() - started
    minutes = (recording.size // 2) / SAMPLE_RATE / 60
    peak = max(peak for _, peak in stages.values())
    return {"minutes": round(minutes), "spent_s": spent_s, "peak": peak, "stages": stages}


def measure(bench: Bench) -> None:
    """Measure every system at every length."""
    if bench.quick:
        bench.measure(MEASURE, f"tribune-{LENGTHS[0]}", [_key(bench)])
        return
    for minutes in LENGTHS:
        bench.measure(MEASURE, f"tribune-{minutes}", [_key(bench)])
        for system in PEERS if minutes in PEER_LENGTHS else ():
            bench.measure(MEASURE, f"{system}-{minutes}", [_key(bench)])


def read(bench: Bench, system: str, minutes: int) -> Row | None:
    """Return what a system cost at a length; on the page of a whole run, not what a quick one measured."""
    kinds = {"whole", _key(bench)}
    rows = [row for row in bench.rows(MEASURE, f"{system}-{minutes}") if row.get("recording") in kinds]
    return rows[-1] if rows else None


def report(bench: Bench) -> list[str]:
    """Return the tables as lines of Markdown."""
    ours = [read(bench, "tribune", minutes) for minutes in LENGTHS]
    stages = next((tuple(row["stages"]) for row in ours if row), ())
    parts = {stage: [(row["minutes"], *row["stages"][stage]) if row else None for row in ours] for stage in stages}
    parts["**whole way**"] = [_whole(row) for row in ours]
    parts |= {TITLES[system]: [_whole(read(bench, system, minutes)) for minutes in LENGTHS] for system in PEERS}
    rows = [_grown(name, found) for name, found in parts.items()]
    head = ["", *(f"{minutes} min" for minutes in LENGTHS), "growth of the factor", "growth of memory"]
    return ["Real-time factor · peak memory, MB:", "", *table(head, rows), *_opening(bench, ours[0])]


def _whole(row: Row | None) -> tuple[int, float, int] | None:
    return (row["minutes"], row["spent_s"], row["peak"]) if row else None


def _opening(bench: Bench, row: Row | None) -> list[str]:
    if row is None:
        return []
    opened, second = row["opened_s"], row["second"]
    factors = f"{_factor(second):.3f} against {_factor(row):.3f}"
    peers = ", ".join(
        f"{TITLES[system]} {found['opened_s']:.1f} s" for system in PEERS if (found := read(bench, system, LENGTHS[0]))
    )
    return [
        f"Opening the engines, imports included: speech {opened['speech']:.1f} s, speakers {opened['speakers']:.1f} s"
        f"{'; ' + peers if peers else ''}. None of it is in the times above.",
        "",
        f"A second recording of {second['minutes']} min in the same worker: factor {factors}, peak "
        f"{second['peak'] / 1e6:.0f} MB against {row['peak'] / 1e6:.0f} MB.",
        "",
    ]


def _factor(row: Row) -> float:
    return float(row["spent_s"] / row["minutes"] / 60)


def _grown(name: str, found: Sequence[tuple[int, float, int] | None]) -> list[str]:
    """Return a row of minutes, seconds and bytes: each length, then the longest against the shortest."""
    there = [each for each in found if each]
    cells = [f"{each[1] / each[0] / 60:.4f} · {each[2] / 1e6:.0f}" if each else "–" for each in found]
    if len(there) < 2:
        return [name, *cells, "–", "–"]
    (short, short_s, short_peak), (long, long_s, long_peak) = there[0], there[-1]
    return [name, *cells, f"{long_s / long / (short_s / short):.2f} ×", f"{long_peak / short_peak:.2f} ×"]


def bars(bench: Bench) -> list[Bar]:
    """Return the bars for cost."""
    short, hour, long = (read(bench, "tribune", minutes) for minutes in LENGTHS)
    growth = long["peak"] / short["peak"] if long and short else None
    return [
        at_most("whole way, 1 h", _factor(hour) if hour else None, 0.085, "RTF"),
        _against_default(bench),
        at_most("peak memory at 4 h", long["peak"] / 1e9 if long else None, 3, "GB"),
        at_most("peak memory at 4 h against 10 min", growth, 1.3, "×"),
    ]


def _against_default(bench: Bench) -> Bar:
    """Return the bar for the sum of the public parts, at the greatest length at which all of them were measured."""
    beside = " + ".join(TITLES[system] for system in DEFAULT_WAY)
    for minutes in reversed(PEER_LENGTHS):
        ours, *theirs = (read(bench, system, minutes) for system in ("tribune", *DEFAULT_WAY))
        if ours and all(theirs):
            ratio = ours["spent_s"] / sum(row["spent_s"] for row in theirs if row)
            return at_most(f"whole way against {beside}, {minutes} min", ratio, 0.8, "×")
    return at_most(f"whole way against {beside}", None, 0.8, "×")


if __name__ == "__main__":
    run_alone(__doc__, measure, report)
