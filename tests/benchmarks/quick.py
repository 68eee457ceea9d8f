"""What a quick run measures on: a few recordings, and the beginning of a session, in the shape of the shared folder.

The folder of shared recordings goes in, a small one with the same kinds of files comes out, so that no measure knows
that there is less to hear. It stands alone because only here is anything chosen or cut.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Final

from tests.benchmarks.data import read_stm
from tests.clips import cut

WHOLE: Final = ("ami/dev00.flac", "mfa_en/cold_corpus3.flac", "picovoice/fr_leopard.wav", "nasty/noise3.wav")
"""A real meeting with its voices, a clip with the starts of its words, one in French, one in which nobody speaks."""

SESSION: Final = "composed/en_session_6spk"
SESSION_S: Final = 54.2
"""Between two turns of the session: five voices have spoken by then."""


def quick_folder(data: Path, folder: Path) -> Path:
    """Return the folder with the recordings of a quick run, made where it is not there yet.

    Args:
        data: The shared recordings.
        folder: Where such folders are kept, one for each choice of recordings.
    """
    listed = (data / "INDEX.tsv").read_text(encoding="utf-8")
    folder /= hashlib.sha256(repr((data, listed, WHOLE, SESSION, SESSION_S)).encode()).hexdigest()[:12]
    index = folder / "INDEX.tsv"
    if not index.exists():
        language = {row["path"]: row["language"] for row in csv.DictReader(listed.splitlines(), delimiter="\t")}
        for name in WHOLE:
            for path in (data / name).parent.glob(f"{Path(name).stem}.*"):
                link = folder / path.relative_to(data)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(path)
        beginning = str(_beginning(data / SESSION, folder / SESSION).relative_to(folder))
        rows = [*((name, language[name]) for name in WHOLE), (beginning, language[f"{SESSION}.flac"])]
        # It comes last: where it is, everything is.
        index.write_text("".join(f"{name}\t{each}\n" for name, each in [("path", "language"), *rows]), encoding="utf-8")
    return folder


def _beginning(session: Path, target: Path) -> Path:
    """Cut the beginning of a session with its references, under a name of its own.

    Rows are known by that name: they are neither the session's nor those of a longer or shorter beginning.
    """
    sound = target.with_name(f"{target.name}_first_{round(SESSION_S * 1000)}_ms.flac")
    cut(session.with_suffix(".flac"), sound, start_s=0, length_s=SESSION_S)
    for ending in (".stm", ".rttm"):
        lines = session.with_suffix(ending).read_text(encoding="utf-8").splitlines(keepends=True)
        # Both have the start of a turn in the fourth column.
        begun = [line for line in lines if float(line.split()[3]) < SESSION_S]
        sound.with_suffix(ending).write_text("".join(begun), encoding="utf-8")
    said = " ".join(turn.text for turn in read_stm(sound.with_suffix(".stm")))
    sound.with_suffix(".txt").write_text(said, encoding="utf-8")
    return sound
