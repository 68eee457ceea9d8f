"""What is wrong with settings, in both languages and with the name to look for.

In go what pydantic found, or the environment and files that settings are to be read from; out comes a failure with a
line for each setting. What was given is never repeated, for it may be a secret. Stands alone so that the settings
themselves stay a list.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pydantic
from pydantic_core import ErrorDetails

from pipeline.errors import SetUpError
from pipeline.messages import message
from pipeline.types import LANGUAGES

_KINDS: Final = {
    "extra_forbidden": "unknown",
    "literal_error": "choice",
    "int_type": "whole_number",
    "int_parsing": "whole_number",
    "int_from_float": "whole_number",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "bool_type": "yes_or_no",
    "bool_parsing": "yes_or_no",
    "string_type": "text",
    "string_pattern_mismatch": "blank",
    "blank": "blank",
    "tuple_type": "list",
    "greater_than": "above",
    "greater_than_equal": "at_least",
    "less_than_equal": "at_most",
    "address": "address",
    "bucket": "bucket",
    "credentials": "credentials",
    "folders": "folders",
    "inbox_name": "inbox_name",
    "key_pair": "key_pair",
    "mail": "mail",
}
"""Message ``cli.setting_<kind>`` for each of pydantic's kinds of error and of our own; ``other`` for any other."""


def wrong_values(found: pydantic.ValidationError) -> SetUpError:
    """Return the failure that names every setting whose value cannot be used."""
    errors = found.errors(include_input=False, include_url=False)
    # A list is also called too short for want of the item that is told already.
    around = {error["loc"][:length] for error in errors for length in range(1, len(error["loc"]))}
    return _failure([_line(error) for error in errors if error["loc"] not in around])


def check_file(path: Path) -> None:
    """Look whether a file of settings can be read at all.

    Raises:
        SetUpError: It is not there, or it is not TOML.
    """
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _failure([("cli.setting_file_missing", {"file": str(path)})]) from None
    except (OSError, ValueError) as wrong:
        raise _failure([("cli.setting_file_unreadable", {"file": str(path), "detail": str(wrong)})]) from wrong


def check_names(given: Iterable[str], known: Iterable[str], prefix: str) -> None:
    """Look whether every variable of ours belongs to a section that there is; sections look after their own names.

    Args:
        given: Names of the environment's variables.
        known: Names of sections, and of variables that are no settings.
        prefix: Of ours.

    Raises:
        SetUpError: One does not.
    """
    sections = {name.upper() for name in known}
    ours = sorted(name for name in given if name.upper().startswith(prefix))
    strange = [name for name in ours if name.upper().removeprefix(prefix).partition("__")[0] not in sections]
    if strange:
        raise _failure([("cli.setting_unknown_variable", {"name": name}) for name in strange])


def check_lists(given: Mapping[str, str], lists: Iterable[str]) -> None:
    """Look whether variables that hold lists or tables are JSON.

    Args:
        given: The environment.
        lists: Names of such variables, in capitals.

    Raises:
        SetUpError: One is not.
    """
    names = frozenset(lists)
    wrong = sorted(name for name, value in given.items() if name.upper() in names and value and not _is_json(value))
    if wrong:
        raise _failure([("cli.setting_not_json", {"name": name}) for name in wrong])


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _line(error: ErrorDetails) -> tuple[str, dict[str, str]]:
    name = ".".join(str(part) for part in error["loc"])
    kind, limits = _KINDS.get(error["type"], "other"), error.get("ctx", {})
    data = {"name": name}
    if kind == "choice":
        data["known"] = ", ".join(re.findall(r"'([^']*)'", str(limits["expected"])))
    elif kind in {"above", "at_least", "at_most"}:
        data["limit"] = f"{next(iter(limits.values())):g}"
    return f"cli.setting_{kind}", data


def _failure(lines: Iterable[tuple[str, Mapping[str, str]]]) -> SetUpError:
    told = tuple(lines)
    detail = {
        f"detail_{language}": "\n".join(message(code, language, **data) for code, data in told)
        for language in LANGUAGES
    }
    return SetUpError("cli.settings_wrong", detail)
