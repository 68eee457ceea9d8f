"""Glossary terms, spelled as their owners spell them.

In come a draft and the terms; words with the same letters take the term's capitals and accents. It stands alone
because here nothing is guessed: what only sounds like a term is the business of `pipeline.editing.hearing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.editing.draft import ELIDED, Draft, fold, parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """A glossary term, word by word, as spelled and as compared."""

    spelled: tuple[str, ...]
    folded: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether the letters alone are evidence enough: short words and acronyms are spelled like common ones."""
        return len(self.folded) > 1 or len(self.folded[0]) > 3


def spellings(glossary: Iterable[str]) -> dict[str, list[Spelling]]:
    """Return the terms by their first word folded, longest first."""
    found: dict[str, list[Spelling]] = {}
    for text in glossary:
        spelled = tuple(text.split())
        folded = tuple(fold(word) for word in spelled)
        if spelled and all(folded):
            found.setdefault(folded[0], []).append(Spelling(spelled=spelled, folded=folded))
    return {first: sorted(terms, key=lambda term: -len(term.folded)) for first, terms in found.items()}


def spell_terms(draft: Draft, terms: Mapping[str, Sequence[Spelling]]) -> None:
    """Give words that are a term's the term's spelling."""
    if not terms:
        return
    for at in range(len(draft.slots)):
        left, core, _ = parts(draft.slots[at].text)
        elided = ELIDED.match(core)
        for prefix, bare in ((left, core), (left + elided[1], elided[2]) if elided else (left, core)):
            term = next((term for term in terms.get(fold(bare), ()) if _stands(draft, at, bare, term)), None)
            if term is not None:
                _spell(draft, at, prefix, term)
                break


def _stands(draft: Draft, at: int, bare: str, term: Spelling) -> bool:
    """Say whether the term's words stand here, with no mark between them."""
    slots = draft.slots[at : at + len(term.folded)]
    if len(slots) < len(term.folded) or not term.safe:
        return False
    if len(term.folded) == 1 and term.spelled[0].isupper() and sum(letter.isupper() for letter in bare) < 2:
        return False
    ends = [parts(slot.text) for slot in slots]
    apart = any(right for _, _, right in ends[:-1]) or any(left for left, _, _ in ends[1:])
    following = all(fold(core) == folded for (_, core, _), folded in zip(ends[1:], term.folded[1:], strict=True))
    return following and not apart


def _spell(draft: Draft, at: int, prefix: str, term: Spelling) -> None:
    last = len(term.spelled) - 1
    for offset, spelled in enumerate(term.spelled):
        _, _, right = parts(draft.slots[at + offset].text)
        text = (prefix if offset == 0 else "") + spelled + (right if offset == last else "")
        draft.change(at + offset, text, "glossary")
