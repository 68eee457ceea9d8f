"""Style sheets say what each browser reads: whatever Safari or Firefox does not know has a plain form before it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SHEETS = sorted(Path("pipeline").rglob("*.css"))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_lines_under_text_are_said_part_by_part(sheet: Path) -> None:
    values = re.findall(r"[\s;{]text-decoration:\s*([^;}]+)", sheet.read_text(encoding="utf-8"))
    assert [value for value in values if " " in value.strip()] == [], "WebKit drops a shorthand of several values"


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_signs_with_other_words_for_screen_readers_are_also_said_plainly(sheet: Path) -> None:
    text = sheet.read_text(encoding="utf-8")
    for sign in re.findall(r'content: ("[^"]*") / "', text):
        assert f"content: {sign}; content: {sign} /" in text, "older browsers show nothing at all"
