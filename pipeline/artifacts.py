"""A finished file as something to be published: measured, hashed, and with a name to save it under.

In goes a file, out comes its :class:`pipeline.types.Artifact`. Stands alone because captions, documents, sound and
pictures are all published in the same way.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from pipeline.details import clean
from pipeline.types import Artifact, Language

_NAMED_BY_ROLE: Final = frozenset({"chapters", "comparison", "schema"})
"""What would be saved under the name of a file of captions or a transcript otherwise."""

_NOT_IN_FILE_NAMES: Final = re.compile(r'[\\/:*?"<>|]+')
_STEM_LENGTH: Final = 80


def read_artifact(
    path: Path, *, role: str, content_type: str, title: str, language: Language | None = None
) -> Artifact:
    """Read a file through and return what is to be published of it.

    Args:
        path: The file; its name is the name that it is published under, and what follows its first full stop is kept
            in learners' own copies.
        role: What it is to a learner.
        content_type: As sent to browsers, with charset for text.
        title: Of the session; learners' own copies are named by it.
        language: Of its text, where it has one.

    Raises:
        OSError: It cannot be read.
    """
    ending = f".{path.name}" if role in _NAMED_BY_ROLE else "".join(path.suffixes)
    return Artifact(
        name=path.name,
        path=path,
        content_type=content_type,
        sha256=sha256_of(path),
        size=path.stat().st_size,
        role=role,
        language=language,
        download_name=f"{file_stem(title)}{ending}",
    )


def sha256_of(path: Path) -> str:
    """Read a file through and return its checksum, in hex.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stem(title: str) -> str:
    """Return a title as the start of a file name that every system takes, accents kept.

    Example:
        >>> file_stem("Éthique : où commencer?")
        'Éthique où commencer'
        >>> file_stem("...")
        'tribune'
    """
    plain = " ".join(_NOT_IN_FILE_NAMES.sub(" ", clean(title)).split())
    return plain[:_STEM_LENGTH].strip(" .") or "tribune"
