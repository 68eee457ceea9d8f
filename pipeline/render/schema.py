"""What the JSON transcript looks like, as a JSON Schema for programs that read it.

Any document in, the same text out: the file beside this one, which is published with each transcript so that whoever
has one has the other. It is written by hand, so that a change of the shape is a change that somebody made.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pipeline.render.document import Document


def write(_document: Document) -> str:
    """Write the schema of ``transcript.<language>.json``."""
    return read_schema()


@cache
def read_schema() -> str:
    """Return the schema as text."""
    return files("pipeline.render").joinpath("transcript.schema.json").read_text(encoding="utf-8")
