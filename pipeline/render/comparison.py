"""What was edited: the verbatim transcript with every change marked, for whoever answers for it.

A document in, the text of an ``.html`` file out: what went is struck out, what came is underlined, and each change is
followed by the rule that made it. Read without what is struck out, it is the edited transcript; read without what is
underlined, the verbatim one, but for the shape of French apostrophes: these are counted, for marks at every second word
would hide what was done to words.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.captions import speaker_name
from pipeline.formatting import format_clock
from pipeline.matching import straight
from pipeline.messages import message
from pipeline.render.document import Document
from pipeline.render.html import escaped, page
from pipeline.types import Edit, Language, Word
from pipeline.visible import UNSHOWABLE, visible

_STYLE: Final = (
    "del{color:#8a1f11;background:#fdecea}ins{color:#0b4f1e;background:#e8f5e9}small{color:#4b5a67}"
    "h2 time{font-weight:400}table{border-collapse:collapse;margin:1rem 0}"
    "td,th{text-align:start;padding:.15rem 1rem .15rem 0}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Some words in a row as said, and what became of them.

    Attributes:
        before: The words as recognised.
        after: As edited; empty where they were left out.
        rules: The rules that changed them, in order; empty where nothing did.
        count: How many words they are.
    """

    before: str
    after: str
    rules: tuple[str, ...]
    count: int = 1


def write(document: Document) -> str:
    """Write a page with how often each rule was used and the transcript with every change marked."""
    title = message("render.comparison", document.language, title=document.title)
    counts = Counter(edit.rule for edit in document.edited.edits)
    rows = "".join(
        f'<tr><th scope="row">{escaped(_rule(rule, document.language))}</th><td>{counts[rule]}</td></tr>\n'
        for rule in sorted(counts)
    )
    table = f"<table>\n{rows}</table>\n" if rows else ""
    note = escaped(document.note("comparison"))
    return page(document, title, f"<p>{note}</p>\n{table}{''.join(_turns(document))}", _STYLE)


def mark_changes(words: Sequence[Word], edits: Sequence[Edit]) -> tuple[Marked, ...]:
    """Return the words with what the listed changes made of them, unchanged words one by one.

    Args:
        words: Verbatim.
        edits: In the order in which they were made; each ``index`` is a position among these words.
    """
    marked: list[Marked | None] = [Marked(before=word.text, after=word.text, rules=()) for word in words]
    for edit in edits:
        last = _last(marked, edit)
        together = [each for each in marked[edit.index : last + 1] if each is not None]
        rules = tuple(dict.fromkeys((*(rule for each in together for rule in each.rules), edit.rule)))
        marked[edit.index : last + 1] = [None] * (last + 1 - edit.index)
        marked[edit.index] = Marked(
            before=" ".join(each.before for each in together),
            after=edit.after,
            rules=rules,
            count=sum(each.count for each in together),
        )
    return tuple(each for each in marked if each is not None)


def _last(marked: Sequence[Marked | None], edit: Edit) -> int:
    """Return the position of the last word that a change takes, words that are gone already being passed over."""
    taken: list[str] = []
    for at in range(edit.index, len(marked)):
        each = marked[at]
        if each is not None and each.after:
            taken.append(each.after)
            if " ".join(taken) == edit.before:
                return at
    raise ValueError(f"no such words: {edit.before!r} at {edit.index}")


def _turns(document: Document) -> Iterator[str]:
    index = 0
    ahead = deque(document.edited.edits)
    for turn in document.transcript.turns:
        own: list[Edit] = []
        while ahead and ahead[0].index < index + len(turn.words):
            own.append(replace(ahead[0], index=ahead.popleft().index - index))
        name = speaker_name(document.transcript, turn.speaker)
        who = "" if name is None else f"{escaped(name)} "
        yield f"<section>\n<h2>{who}<time>{format_clock(turn.start_ms)}</time></h2>\n<p>"
        yield " ".join(_shown(each, document.language) for each in mark_changes(turn.words, own))
        yield "</p>\n</section>\n"
        index += len(turn.words)


def _shown(marked: Marked, language: Language) -> str:
    before, after = _text(marked.before), _text(marked.after)
    if straight(marked.before) == straight(marked.after):
        return after
    rules = ", ".join(escaped(_rule(rule, language)) for rule in marked.rules)
    came = f" <ins>{after}</ins>" if marked.after else ""
    return f"<del>{before}</del>{came} <small>[{rules}]</small>"


def _text(text: str) -> str:
    return " ".join(escaped(visible(word) or UNSHOWABLE) for word in text.split(" "))


def _rule(rule: str, language: Language) -> str:
    return message(f"render.rule_{rule}", language)
