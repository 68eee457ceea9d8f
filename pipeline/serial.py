"""Domain values to JSON and back.

In go the frozen dataclasses of this program, out come bytes that are the same for the same value (sorted keys, UTF-8,
no white space) and that give an equal value when read: dates, paths, tuples, unions and nested values included.
Reading is strict: no unknown field, no number in a string. Stands alone so that everything kept on disk or in the
store, journals, checkpoints and published data, has one shape, told by the type hints.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


# Building one takes milliseconds; mypy does not know that types are hashable.
_adapter = cache(cast("Callable[[Hashable], TypeAdapter[Any]]", TypeAdapter))


def to_json(value: object, *, kind: Hashable | None = None) -> bytes:
    """Return a value as JSON.

    Args:
        value: One of our dataclasses, or a container of them.
        kind: Its type where ``type(value)`` does not say it all, e.g. ``tuple[Word, ...]``.

    Raises:
        ValueError: Something in it has no JSON form: a lone surrogate, an infinite number.

    Example:
        >>> from pipeline.types import Span
        >>> to_json(Span(start_ms=0, end_ms=40))
        b'{"end_ms":40,"start_ms":0}'
    """
    plain = _adapter(cast("Hashable", type(value)) if kind is None else kind).dump_python(value, mode="json")
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def from_json(kind: type[T], data: bytes | str) -> T:
    """Return the value that :func:`to_json` wrote.

    Args:
        kind: What it is to be.
        data: The JSON text.

    Raises:
        ValueError: It is not JSON, or not of that kind; says where. Values are checked as when made by hand.

    Example:
        >>> from pipeline.types import Span
        >>> from_json(Span, '{"start_ms": 0, "end_ms": 40}')
        Span(start_ms=0, end_ms=40)
    """
    try:
        value: T = _adapter(cast("Hashable", kind)).validate_json(data, strict=True, extra="forbid")
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "top"
        raise ValueError(f"not a {getattr(kind, '__name__', kind)}: {where}: {first['msg']}") from invalid
    return value
