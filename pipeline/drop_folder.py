"""Folders beside the inbox that people drop files in: what has settled in one, and where a file goes afterwards.

A folder goes in, files that nobody writes any more come out; a file with what became of it goes in and lies in a folder
below, with a text beside it in both languages. Nothing here knows what is in the files. Stands alone because captions
that come back and reports of learners arrive the same way, and no file may be lost or taken twice in either.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pipeline.durable import free_path, make_folder, rename_new, write_whole
from pipeline.errors import TribuneError
from pipeline.inbox import is_ignored
from pipeline.journal import Stamp
from pipeline.messages import message
from pipeline.types import LANGUAGES, Language, Notice

_NANOSECONDS: Final = 1_000_000
_BOTH: Final = "\n\n– – –\n\n"


def settled_files(folder: Path, settle_ms: int) -> Iterator[tuple[Path, Stamp]]:
    """Yield the files of a folder that have not changed for a while, in order of name, with what they are now.

    Args:
        folder: Made when needed.
        settle_ms: How long a file has to be left alone.

    Raises:
        OSError: The folder cannot be read or made.
    """
    make_folder(folder)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not entry.is_file(follow_symlinks=False) or is_ignored(entry.name):
            continue
        stamp = Stamp.read(Path(entry.path))
        if time.time_ns() - stamp.modified_ns >= settle_ms * _NANOSECONDS:
            yield Path(entry.path), stamp


def put_away(path: Path, stamp: Stamp, folder: Path, told: Sequence[Notice]) -> bool:
    """Move a file into a folder, with a text beside it that says in both languages what became of it.

    Args:
        path: The file.
        stamp: What it was when it was read.
        folder: Where it goes; made when needed.
        told: What became of it.

    Returns:
        Whether it was moved; not where somebody wrote meanwhile, so that it is looked at again once it has settled.

    Raises:
        OSError: It cannot be moved.
    """
    if Stamp.read(path) != stamp:
        return False
    make_folder(folder)
    target = free_path(folder / path.name)
    texts = (_say(told, language) for language in LANGUAGES)
    write_whole(target.with_name(f"{target.name[:200]}.txt"), (_BOTH.join(texts) + "\n").encode())
    rename_new(path, target)
    return True


def notice_of(refusal: TribuneError) -> Notice:
    """Return what to tell of a file that cannot be taken."""
    return Notice(code=refusal.code, data=tuple(sorted(refusal.data.items())))


def _say(told: Sequence[Notice], language: Language) -> str:
    return "\n".join(message(each.code, language, **dict(each.data)) for each in told)
