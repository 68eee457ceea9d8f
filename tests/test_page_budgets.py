"""What pages may weigh: held here on every run, measured with how soon they are there by ``tests.benchmarks.pages``."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.benchmarks.pages import BUDGETS, lay_out, make_pages, weigh
from tests.browser import serve

pytestmark = pytest.mark.browser

PAGES = make_pages()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pages")
    lay_out(folder, PAGES)
    with serve(folder / "site") as base:
        yield base


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_before_any_media(chromium: Browser, address: str, name: str) -> None:
    key, html = PAGES[name]
    weight = weigh(chromium, f"{address}/{key}")
    assert len(gzip.compress(html.encode())) < weight.compressed <= BUDGETS[name]


def test_all_that_a_page_loads_is_weighed_with_it_and_nothing_that_it_might_load(
    chromium: Browser, tmp_path: Path
) -> None:
    heavy = "export default 1;//" + "heavy" * 10_000
    (tmp_path / "heavy.js").write_text(heavy, encoding="utf-8")
    for name, script in (("now", 'import "./heavy.js";'), ("later", 'onclick = () => import("./heavy.js");')):
        (tmp_path / f"{name}.js").write_text(script, encoding="utf-8")
        page = f'<!DOCTYPE html><title>{name}</title><script type="module" src="{name}.js"></script>'
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    with serve(tmp_path) as base:
        now, later = (weigh(chromium, f"{base}/{name}.html") for name in ("now", "later"))
    assert now.plain > len(heavy) > 1_000 > later.plain > 0
