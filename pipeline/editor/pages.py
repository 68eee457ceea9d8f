"""The review pages as HTML: the list of sessions, and the frame in which a session's text is edited.

In go records and where each stands, out come pages in one language, with the modules and the style sheet that they
load. The text itself is no part of a page: the modules fetch it. Everything that a stranger wrote is escaped by the
templates, and no page holds a script or a style of its own, so a strict content security policy can stand before them.
Stands alone so that the look can change without touching the server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.editor.wire import StateView
from pipeline.errors import RevisionDamaged
from pipeline.formatting import format_date
from pipeline.journal import SessionRecord
from pipeline.messages import catalogue, message
from pipeline.site.shared_files import icon, style_sheet
from pipeline.types import LANGUAGES, Language
from pipeline.visible import visible

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_ROOM: Final = "editor."


class EditorPages:
    """Makes the pages.

    Args:
        key: What a page has to know that changes something.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        loader = PackageLoader("pipeline.editor", "templates")
        self._environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters["visible"] = visible
        self.assets: Mapping[str, tuple[bytes, str]] = dict(_read_assets())

    def list_page(
        self, rows: Sequence[tuple[SessionRecord, StateView | RevisionDamaged | None]], language: Language
    ) -> str:
        """Return the page that lists sessions.

        Args:
            rows: Each with where its review stands; ``None`` where there is nothing to review yet, the error where
                that cannot be read.
            language: Of the page.
        """
        shown = [
            (record, None, state.message(language)) if isinstance(state, RevisionDamaged) else (record, state, "")
            for record, state in rows
        ]
        return self._render("list.html", language, path="", rows=shown, date=partial(format_date, language=language))

    def editor_page(self, record: SessionRecord, language: Language) -> str:
        """Return the page on which a session is edited."""
        return self._render(
            "editor.html",
            language,
            path=f"sessions/{record.session.id}",
            session=record.session,
            key=self._key,
            messages=_messages(language),
            # All at once: a module that is found in another comes a round trip later.
            modules=sorted(name for name in self.assets if name.endswith(".js")),
        )

    def _render(self, template: str, language: Language, **data: object) -> str:
        def say(key: str, **values: object) -> str:
            return message(f"{_ROOM}{key}", language, **values)

        other = next(each for each in LANGUAGES if each != language)
        return self._environment.get_template(template).render(language=language, other=other, t=say, **data)


def _messages(language: Language) -> Markup:
    """Return the page's texts as JSON that can stand in a page."""
    texts = {code.removeprefix(_ROOM): text[language] for code, text in catalogue().items() if code.startswith(_ROOM)}
    # Whatever follows a "<" would be read as markup: our own texts have none, and are not to bring any.
    return Markup(json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c"))  # noqa: S704 - escaped just now


def _read_assets() -> Iterator[tuple[str, tuple[bytes, str]]]:
    # The style sheet of the learner pages is the first of both: they are of one house.
    own = ((entry.name, entry.read_bytes()) for entry in (files("pipeline.editor") / "assets").iterdir())
    for name, body in (("site.css", style_sheet()), ("icon.svg", icon()), *own):
        yield name, (body, _TYPES[name.rpartition(".")[2]])
