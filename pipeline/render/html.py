"""The edited transcript as a page of its own, for reading, printing and quoting.

A document in, the text of an ``.html`` file out: no script, nothing loaded from elsewhere, the language of the page and
of each part marked, every passage with an address of its own (``#t62900`` for 62.9 s). The fragment without the page
around it is there for whoever builds one.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from typing import Final

from pipeline.captions import speaker_name
from pipeline.formatting import format_clock
from pipeline.messages import message
from pipeline.render.document import Document
from pipeline.render.passages import Passage, passages, runs
from pipeline.types import Chapter, Highlight, Language, Transcript, Word
from pipeline.visible import visible, visible_word

_STYLE: Final = (
    "body{font:1.0625rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#222;"
    "background:#fff}h2,h3{font-size:1rem;margin:1.75rem 0 .25rem}h2 a,h3 a{font-weight:400;color:#284162}"
    "p{margin:.5rem 0}h2.chapter{font-size:1.25rem;margin-top:2.5rem}blockquote{margin:.75rem 0 .75rem 1rem}"
)


def write(document: Document) -> str:
    """Write a page with a heading, a note and the edited transcript."""
    facts = f"<p>{escaped(' · '.join(document.facts))}</p>\n" if document.facts else ""
    transcript = transcript_html(document.edited.transcript, document.chapters)
    return page(document, document.title, f"{facts}<p>{_note(document)}</p>\n{_highlights(document)}{transcript}")


def page(document: Document, title: str, body: str, style: str = "") -> str:
    """Return a page about a session.

    Args:
        document: Of the session.
        title: Of the page; not yet escaped.
        body: HTML, after the heading.
        style: CSS beside what every page has.
    """
    _, language = document.session.title.find(document.language)
    return (
        f'<!DOCTYPE html>\n<html lang="{document.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1{_lang(language, document.language)}>{escaped(document.title)}</h1>\n{body}</main>\n</body>\n</html>\n"
    )


def transcript_html(transcript: Transcript, chapters: Sequence[Chapter] = ()) -> str:
    """Return any transcript as HTML sections, one a passage; elements of class ``words`` hold the words alone."""
    used: Counter[str] = Counter()
    sections = []
    found = passages(transcript, chapters)
    if chapters and found and found[0].chapter is None:
        # What is said before a person's first chapter has a heading of the same level.
        title = escaped(message("render.transcript", transcript.language))
        sections.append(f'<h2 class="chapter">{title}</h2>\n')
    for passage in found:
        anchor = f"t{passage.start_ms}"
        used[anchor] += 1
        # Two people may start in the same millisecond; an address is of one place only.
        unique = anchor if used[anchor] == 1 else f"{anchor}-{used[anchor]}"
        if passage.chapter is not None:
            sections.append(_chapter(passage.chapter, transcript.language))
        sections.append(_section(passage, unique, transcript.language, "h3" if chapters else "h2"))
    return "".join(sections)


def _highlights(document: Document) -> str:
    """Return the highlights as an HTML section, each with a link to the passage that it stands in; empty for none."""
    if not document.highlights:
        return ""
    starts = [passage.start_ms for passage in passages(document.edited.transcript, document.chapters)]
    title = escaped(message("render.highlights", document.language))
    quotes = "".join(_quotation(highlight, document, starts) for highlight in document.highlights)
    return f'<section id="highlights">\n<h2 class="chapter">{title}</h2>\n{quotes}</section>\n'


def _quotation(highlight: Highlight, document: Document, starts: Sequence[int]) -> str:
    anchor = max(start for start in starts if start <= highlight.start_ms)
    name = speaker_name(document.edited.transcript, highlight.speaker)
    who = "" if name is None else f"{escaped(name)}, "
    words = _words(highlight.words, document.language)
    return (
        f'<blockquote>\n<p>{words}</p>\n<footer>{who}<a href="#t{anchor}">{format_clock(highlight.start_ms)}</a>'
        "</footer>\n</blockquote>\n"
    )


def _chapter(chapter: Chapter, language: Language) -> str:
    return f'<h2 class="chapter"{_lang(chapter.language, language)}>{escaped(chapter.title)}</h2>\n'


def _section(passage: Passage, anchor: str, language: Language, heading: str) -> str:
    name = "" if passage.name is None else f'<span class="speaker">{escaped(passage.name)}</span> '
    shown, exact = format_clock(passage.start_ms), f"PT{passage.start_ms / 1000:.3f}S"
    time = f'<a href="#{anchor}"><time datetime="{exact}">{shown}</time></a>'
    body = "".join(f'<p class="words">{_words(paragraph, language)}</p>\n' for paragraph in passage.paragraphs)
    return f'<section id="{anchor}">\n<{heading}>{name}{time}</{heading}>\n{body}</section>\n'


def _words(paragraph: tuple[Word, ...], language: Language) -> str:
    parts = []
    for spoken, words in runs(paragraph):
        text = escaped(" ".join(visible_word(word) for word in words))
        parts.append(text if spoken == language else f"<span{_lang(spoken, language)}>{text}</span>")
    return " ".join(parts)


def _lang(spoken: str, page: Language) -> str:
    return "" if spoken == page else f' lang="{escaped(spoken)}"'


def _note(document: Document) -> str:
    verbatim = f"transcript.{document.language}.txt"
    return escaped(document.note("edited")).replace(verbatim, f'<a href="{verbatim}">{verbatim}</a>', 1)


def escaped(text: str) -> str:
    """Return text that is no markup in a page."""
    return html.escape(visible(text), quote=True)
