"""Every text that a person reads exists in both languages, with the same placeholders and the right typography."""

from __future__ import annotations

import re
import string
from importlib.resources import files
from pathlib import Path

import pytest

from pipeline.messages import catalogue, message
from pipeline.types import LANGUAGES

CODES = sorted(catalogue())
ROOMS = sorted({code.partition(".")[0] for code in CODES})
"""The files that messages are in: a test looks at all of one, and names those that are wrong."""
NAMING_SIGNS = {"sidecar.yaml_feature"}
"""Texts that speak of a sign itself, with a space on either side."""
SITE = files("pipeline.site")
SITE_CODE = Path(__file__).parent.parent / "pipeline" / "site"


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def texts_of(room: str) -> dict[str, dict[str, str]]:
    return {code: texts for code, texts in catalogue().items() if code.partition(".")[0] == room}


@pytest.mark.parametrize("room", ROOMS)
def test_every_message_is_in_both_languages_and_nothing_else(room: str) -> None:
    messages = texts_of(room)
    assert [code for code, texts in messages.items() if set(texts) != set(LANGUAGES)] == []
    ragged = [code for code, texts in messages.items() for text in texts.values() if not text or text != text.strip()]
    assert ragged == []


@pytest.mark.parametrize("room", ROOMS)
def test_both_languages_take_the_same_placeholders(room: str) -> None:
    for code, texts in texts_of(room).items():
        english, french = (placeholders(texts[language]) for language in LANGUAGES)
        # A value that differs by language comes once in each: {tried_en} in one text, {tried_fr} in the other.
        bare = [{re.sub("_(en|fr)$", "", name) for name in names} for names in (english, french)]
        assert bare[0] == bare[1], code
        assert all(name.isidentifier() for name in english | french), code


@pytest.mark.parametrize("room", ROOMS)
def test_every_message_can_be_filled(room: str) -> None:
    for code, texts in texts_of(room).items():
        for language in LANGUAGES:
            given = {name: f"<{name}>" for name in placeholders(texts[language])}
            filled = message(code, language, **given)
            assert all(value in filled for value in given.values()), code


def french_faults(text: str) -> list[str]:
    """Return what is wrong with the typography of a French text, as Canadian usage has it."""
    rules = {
        "a colon after a word takes U+00A0": r"(?<=[\w»)}])(?: |\u202f)?:(?=\s|$)",
        "no space before ; ! ?": r"(?<!«)[ \u00a0\u202f][;!?](?=\s|$)",
        "U+00A0 inside guillemets": r"«(?!\u00a0)|(?<!\u00a0)»",
        "guillemets, not straight quotes": r'"',
        "U+00A0 before a unit": r"[\d}] (?:%|\$|h|min|s|ms|o|ko|Mo|Go|Hz|kHz)(?!\w)",
        "a typographic apostrophe": r"(?<=\w)'(?=\w)",
        "an ellipsis is one character": r"\.\.\.",
    }
    return [f"{rule}: {found[0]!r}" for rule, pattern in rules.items() if (found := re.search(pattern, text))]


@pytest.mark.parametrize("room", ROOMS)
def test_french_typography_is_canadian(room: str) -> None:
    found = {}
    for code, texts in texts_of(room).items():
        # Prose has curly quotes or guillemets; what is in straight ones or doubled braces in English too is copied.
        copied = r"\{\{.*?\}\}" + ('|"[^"]*"' if '"' in texts["en"] else "")
        if code not in NAMING_SIGNS and (faults := french_faults(re.sub(copied, "", texts["fr"]))):
            found[code] = faults
    assert found == {}


@pytest.mark.parametrize(
    "text",
    ["Quoi ?", "Attention : oui", "Attention: oui", "«non»", 'le "mot"', "12 Mo", "l'été", "fin...", "{size} Mo"],
)
def test_faults_of_typography_are_found(text: str) -> None:
    assert french_faults(text)


@pytest.mark.parametrize(
    "text", ["Quoi?", "Attention\u00a0: oui", "«\u00a0oui\u00a0»", "12\u00a0Mo", "l’été", "{code}:{line}", "10:30"]
)
def test_good_typography_is_left_alone(text: str) -> None:
    assert not french_faults(text)


PAGE_ROOMS = ("site", "session_page", "browse", "search", "heard", "player")
"""The files whose messages stand on learner pages; a template names those of ``site.toml`` without its name."""


def test_learner_pages_use_every_message_of_theirs_and_no_other() -> None:
    templates = [path.read_text(encoding="utf-8") for path in sorted(SITE_CODE.glob("templates/**/*.html"))]
    code = "".join(path.read_text(encoding="utf-8") for path in sorted(SITE_CODE.glob("*.py")))
    named = {
        key
        for text in templates
        for key in re.findall(r"\bt\((.*?)\)", text)
        for key in re.findall(r"[\"']([a-z_.]+)[\"']? ?[,)~]?", key)
    }
    rooms = "|".join(PAGE_ROOMS)
    used = {key if "." in key else f"site.{key}" for key in named} | set(re.findall(rf"((?:{rooms})\.[a-z_]+)\"", code))
    used -= {"site.css", "search.html", "heard.html", "player.js"}
    families = (
        "download_",
        "downloads_",
        "licence_",
        "language_",
        "format_",
        "learner_",
        "news_",
        "podcast_",
        "offer_",
        "way_",
        "spoken_",
    )
    ours = {code for code in CODES if code.partition(".")[0] in PAGE_ROOMS}
    assert {code for code in used if not code.endswith("_")} <= ours
    assert {code for code in ours - used if not code.partition(".")[2].startswith(families)} == set()


def test_words_for_learners_stand_for_a_message_that_exists_and_take_no_more_than_it_does() -> None:
    for code in CODES:
        if not code.startswith("site.learner_"):
            continue
        room, _, key = code.removeprefix("site.learner_").partition("_")
        for language in LANGUAGES:
            assert placeholders(catalogue()[code][language]) <= placeholders(catalogue()[f"{room}.{key}"][language])


def test_an_unknown_message_is_an_error() -> None:
    with pytest.raises(KeyError):
        message("site.nothing", "en")


def test_every_message_that_the_program_names_is_in_the_catalogue() -> None:
    rooms = {code.partition(".")[0] for code in catalogue()}
    named = re.compile(rf'"((?:{"|".join(sorted(rooms))})\.[a-z0-9_-]+)"')
    root = Path(__file__).parent.parent
    sources = [path for room in ("pipeline", "models", "config", "flows") for path in (root / room).rglob("*.py")]
    used = {code: path.name for path in sources for code in named.findall(path.read_text(encoding="utf-8"))}
    not_messages = {
        *("flows.engine_server", "flows.review_server", "flows.watch_inbox"),
        *(
            "editor.html",
            "heard.html",
            "search.html",
            "status.html",
            "site.css",
            "video.mp4",
            "video.other",
            "notifications.json",
        ),
        *("store.log", "review.log", "review.lock", "review.key", "review.address"),
    }
    assert {code: where for code, where in used.items() if code not in catalogue()}.keys() - not_messages == set()
