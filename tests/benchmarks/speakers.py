"""Speakers: who spoke when, how many, how fast, beside pyannote.audio as it comes and senko.

Each system tells the voices of every recording with an RTTM reference apart, in a process of its own. The error is
pyannote.metrics' diarization error rate without a collar and with overlapped speech scored, in per cent of the
reference's speech, with its parts.

Run it with ``python -m tests.benchmarks.speakers [--only REGEX] [--systems tribune,pyannote,senko]``.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.ports import SAMPLE_RATE
from pipeline.types import Diarization, SpeakerSpan
from tests.benchmarks.bars import Bar, at_least, at_most
from tests.benchmarks.bench import Bench, Row, say, table
from tests.benchmarks.data import WARM_UP, read_rttm, read_sound
from tests.benchmarks.systems import TITLES, Told, open_telling

MEASURE: Final = "tell"
SYSTEMS: Final = ("senko", "pyannote", "tribune")
PARTS: Final = ("confusion", "missed detection", "false alarm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one recording, or several together, showed.

    Attributes:
        parts: pyannote.metrics' components, seconds.
        expected: Voices in the reference, one figure a recording.
        heard: Voices found, likewise.
        sound_s: Length.
        spent_s: Wall-clock time that it took.
    """

    parts: Mapping[str, float]
    expected: tuple[int, ...]
    heard: tuple[int, ...]
    sound_s: float
    spent_s: float

    def share(self, part: str) -> float:
        """Return a part of the error in per cent of the reference's speech."""
        return 100 * self.parts[part] / self.parts["total"]

    @property
    def error(self) -> float:
        """The diarization error rate, per cent."""
        return sum(self.share(part) for part in PARTS)

    @property
    def off_by(self) -> tuple[int, ...]:
        """By how many the number of voices is wrong, a figure a recording."""
        return tuple(abs(heard - expected) for heard, expected in zip(self.heard, self.expected, strict=True))


def tell(bench: Bench, system: str) -> None:
    """Let a system tell the voices of every recording apart that it has not heard yet; in its own process."""
    wanted = bench.missing(MEASURE, system, recordings(bench))
    started = time.perf_counter()
    tells = open_telling(system, bench.threads, long=not bench.quick)
    bench.add(MEASURE, system, {"opened_s": time.perf_counter() - started})
    tells(read_sound(bench.data / WARM_UP))
    for key in wanted:
        waveform = read_sound(bench.recordings / f"{key}.flac")
        started = time.perf_counter()
        told = tells(waveform)
        spent_s = time.perf_counter() - started
        bench.add(MEASURE, system, _row(key, told, spent_s, len(waveform) / SAMPLE_RATE))


def recordings(bench: Bench) -> tuple[str, ...]:
    """Return the recordings with a reference, as paths without ending in the folder of recordings."""
    found = [path.relative_to(bench.recordings) for path in sorted(bench.recordings.glob("*/*.rttm"))]
    return tuple(str(path.with_suffix("")) for path in found if re.search(bench.only, str(path)))


def _row(key: str, told: Told, spent_s: float, sound_s: float) -> Row:
    return {
        "recording": key,
        "spent_s": spent_s,
        "sound_s": sound_s,
        "spans": [[span.start_ms, span.end_ms, span.speaker] for span in told.spans],
        "exclusive": [[span.start_ms, span.end_ms, span.speaker] for span in told.exclusive],
    }


def told_by(bench: Bench, system: str) -> dict[str, Row]:
    """Return what a system made of each recording, by the recording's key."""
    return {row["recording"]: row for row in bench.rows(MEASURE, system) if "recording" in row}


def diarization_of(row: Row) -> Diarization:
    """Return the voices of a row."""
    spans, exclusive = (
        tuple(SpeakerSpan(start_ms=start, end_ms=end, speaker=speaker) for start, end, speaker in row[key])
        for key in ("spans", "exclusive")
    )
    return Diarization(spans=spans, exclusive=exclusive)


def components(expected: Sequence[tuple[float, float, str]], found: Diarization, sound_s: float) -> dict[str, float]:
    """Return the parts of the diarization error in seconds: no collar, overlap scored."""
    from pyannote.core import Annotation, Segment, Timeline  # noqa: PLC0415 - takes seconds to import
    from pyannote.metrics.diarization import DiarizationErrorRate  # noqa: PLC0415

    def annotation(rows: Sequence[tuple[float, float, str]]) -> Annotation:
        made = Annotation()
        for track, (start, end, name) in enumerate(rows):
            made[Segment(start, end), track] = name
        return made

    heard = [(span.start_ms / 1000, span.end_ms / 1000, span.speaker) for span in found.spans]
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    whole = Timeline([Segment(0.0, sound_s)])
    parts = metric(annotation(expected), annotation(heard), uem=whole, detailed=True)
    return {name: float(parts[name]) for name in ("total", *PARTS)}


def score(bench: Bench, system: str) -> dict[str, Measured]:
    """Return what each recording showed, by its key."""
    wanted = recordings(bench)
    return {key: _measured(bench.recordings, key, row) for key, row in told_by(bench, system).items() if key in wanted}


def _measured(data: Path, key: str, row: Row) -> Measured:
    expected = list(read_rttm(data / f"{key}.rttm"))
    found = diarization_of(row)
    return Measured(
        parts=components(expected, found, row["sound_s"]),
        expected=(len({name for _, _, name in expected}),),
        heard=(len({span.speaker for span in found.spans}),),
        sound_s=row["sound_s"],
        spent_s=row["spent_s"],
    )


def together(rows: Sequence[Measured]) -> Measured:
    """Return several recordings as one: seconds are added up, and divided once."""
    return Measured(
        parts={part: sum(row.parts[part] for row in rows) for part in ("total", *PARTS)},
        expected=tuple(voices for row in rows for voices in row.expected),
        heard=tuple(voices for row in rows for voices in row.heard),
        sound_s=sum(row.sound_s for row in rows),
        spent_s=sum(row.spent_s for row in rows),
    )


def sets(scores: Mapping[str, Measured]) -> dict[str, Measured]:
    """Return the recordings of each folder together."""
    folders = sorted({str(Path(key).parent) for key in scores})
    return {
        folder: together([row for key, row in scores.items() if Path(key).parent.name == folder]) for folder in folders
    }


def measure(bench: Bench, systems: Sequence[str] = SYSTEMS) -> None:
    """Let every system tell apart what it has not heard yet."""
    for system in systems:
        bench.measure(MEASURE, system, recordings(bench))


def report(bench: Bench, systems: Sequence[str] = SYSTEMS) -> list[str]:
    """Return the tables as lines of Markdown."""
    scores = {system: score(bench, system) for system in systems}
    keys = sorted({key for each in scores.values() for key in each})
    titles = [TITLES[system] for system in systems]
    lines = ["Diarization error rate, % (confusion + missed + false alarm) · voices found:", ""]
    rows = [[key, _expected(scores, key), *(_cell(scores[each].get(key)) for each in systems)] for key in keys]
    lines += table(["recording", "voices", *titles], rows)
    groups = {system: sets(scores[system]) for system in systems}
    named = sorted({name for each in groups.values() for name in each})
    rows = [[f"**{name}**", *(_sum_cell(groups[each].get(name)) for each in systems)] for name in named]
    everything = {system: together(list(scores[system].values())) if scores[system] else None for system in systems}
    rows.append(["**all**", *(_sum_cell(everything[each]) for each in systems)])
    rows.append(["numbers of voices right, off by one, worse", *(numbers(everything[each]) for each in systems)])
    rows.append(["RTF", *(_rtf(everything[each]) for each in systems)])
    lines += table(["set", *titles], rows)
    lines += [f"{TITLES[each]}: not run: {why}" for each in systems if (why := bench.failure(MEASURE, each))]
    return lines


def bars(bench: Bench) -> list[Bar]:
    """Return the bars for speakers."""
    ours = score(bench, "tribune")
    groups = sets(ours)
    scores = [score(bench, system) for system in SYSTEMS if system != "tribune"]
    # The better of them is not known before each has heard every recording.
    peers = [sets(each) for each in scores] if all(each.keys() == ours.keys() for each in scores) else []
    ratios = {
        name: measured.error / best
        for name, measured in groups.items()
        if (best := min((peer[name].error for peer in peers), default=0.0))
    }
    worst = max(ratios, key=lambda name: ratios[name], default="")
    off_by = together(list(ours.values())).off_by if ours else ()
    right = 100 * sum(off == 0 for off in off_by) / len(off_by) if off_by else None
    ami, composed = groups.get("ami"), groups.get("composed")
    return [
        at_most("DER against the better peer, worst set", ratios.get(worst), 0.9, "×", f" ({worst})"),
        at_most("DER on AMI", ami.error if ami else None, 27, "%"),
        at_most("confusion on composed sessions", composed.share("confusion") if composed else None, 2, "%"),
        at_least("recordings with the right number of speakers", right, 90, "%"),
        at_most("number of speakers off by, at most", max(off_by) if off_by else None, 1, "speakers"),
    ]


def _expected(scores: Mapping[str, Mapping[str, Measured]], key: str) -> str:
    return str(next(each[key].expected[0] for each in scores.values() if key in each))


def _cell(row: Measured | None) -> str:
    return f"{_sum_cell(row)} · {row.heard[0]}" if row else "–"


def _sum_cell(row: Measured | None) -> str:
    if row is None:
        return "–"
    return f"{row.error:.2f} (" + " + ".join(f"{row.share(part):.2f}" for part in PARTS) + ")"


def numbers(row: Measured | None) -> str:
    """Return how many numbers of voices are right, off by one and worse, in words of a table."""
    if row is None:
        return "–"
    right, near = (row.off_by.count(by) for by in (0, 1))
    return f"{right}, {near}, {len(row.off_by) - right - near}"


def _rtf(row: Measured | None) -> str:
    return f"{row.spent_s / row.sound_s:.3f}" if row else "–"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Bench.add_arguments(parser)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    options = parser.parse_args(arguments)
    bench, systems = Bench.asked(options), options.systems.split(",")
    measure(bench, systems)
    say("\n".join(report(bench, systems)))


if __name__ == "__main__":
    main()
