"""Pictures of every kind of learner page: both languages, phone and desktop, light and dark, both themes.

Makes the site that the tests use, opens each kind of page that :data:`tests.pages.PAGE_KINDS` names and writes
``<kind>.<language>.<size>.<scheme>[.<theme>].png`` into a folder. A person looks at them before a change of the looks
lands.

    python -m tests.screenshots FOLDER
    python -m tests.screenshots FOLDER --kinds session home --theme gc
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, get_args

from playwright.sync_api import Browser

from pipeline.site.model import Look
from pipeline.types import LANGUAGES
from tests.browser import open_browser, serve
from tests.pages import OPTIONS, PAGE_KINDS, make_media, make_sessions, write_site

SIZES: Final = {"phone": (390, 844), "desktop": (1440, 900), "wall": (3840, 2160), "narrow": (320, 640)}
"""In pixels of style sheets: what a phone has, a desk, a wall in 4K, and a page zoomed to 400 %."""
SCHEMES: Final = ("light", "dark")


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    parser.add_argument("--kinds", nargs="+", choices=list(PAGE_KINDS), default=list(PAGE_KINDS))
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["phone", "desktop"])
    parser.add_argument("--theme", choices=get_args(Look), default="neutral")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as made, open_browser() as browser:
        root = Path(made)
        media = (root / "video.mp4", root / "poster.jpg")
        make_media(*media)
        *calm, hostile = make_sessions()
        site = dataclasses.replace(OPTIONS, theme=options.theme)
        write_site(root / "site" / "calm", calm, *media, site)
        write_site(root / "site" / "hostile", (*calm, hostile), *media, site)
        with serve(root / "site") as address:
            for size in options.sizes:
                _take(browser, address, options, size)


def _take(browser: Browser, address: str, options: argparse.Namespace, size: str) -> None:
    """Take every picture of one size; a page is loaded once for both schemes."""
    width, height = SIZES[size]
    # Past the pages' own policy, so that the passages that a browser would lay out later are in the picture.
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    theme = "" if options.theme == "neutral" else f".{options.theme}"
    for kind in options.kinds:
        site = f"{address}/{'hostile' if kind.startswith('hostile') else 'calm'}"
        for language in LANGUAGES:
            page.goto(f"{site}/{PAGE_KINDS[kind].format(language=language)}")
            page.wait_for_load_state("networkidle")
            page.add_style_tag(content="* { content-visibility: visible !important }")
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                name = f"{kind}.{language}.{size}.{scheme}{theme}.png"
                page.screenshot(path=options.folder / name, full_page=True)
    context.close()


if __name__ == "__main__":
    main()
