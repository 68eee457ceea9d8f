"""What pages may weigh: held here on every run, measured in a browser by ``tests.benchmarks.pages``."""

from __future__ import annotations

import pytest

from tests.benchmarks.pages import BUDGETS, make_pages, site_files, weigh

PAGES = make_pages()
FILES = site_files()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_before_any_media(name: str) -> None:
    key, html = PAGES[name]
    assert weigh(html, key, FILES).compressed <= BUDGETS[name]


def test_what_a_page_loads_is_weighed_with_it() -> None:
    key, html = PAGES["home, 60 sessions"]
    alone = weigh(html, key, {})
    assert weigh(html, key, FILES).plain > alone.plain + 5_000
    assert alone.plain == len(html.encode())
