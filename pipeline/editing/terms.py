"""Glossary terms, spelled as their owners spell them.

In come a draft and the terms; words with the same letters take the term's capitals and accents. What may stand for a
term at all is said here for every rule. It stands alone because here nothing is guessed: what only sounds like a term
is the business of `pipeline.editing.hearing`, what is only spelled like one that of `pipeline.editing.likeness`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.editing.draft import ELIDED, Draft, Slot, fold, in_place, parts
from pipeline.editing.slips import is_protected
from pipeline.types import Evidence, TermProposal


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
    if len(slots) < len(term.folded) or not term.safe or any(slot.settled for slot in slots):
        return False
    if len(term.folded) == 1 and term.spelled[0].isupper() and sum(letter.isupper() for letter in bare) < 2:
        return False
    following = all(
        fold(parts(slot.text)[1]) == folded for slot, folded in zip(slots[1:], term.folded[1:], strict=True)
    )
    return following and _together(slots)


def _spell(draft: Draft, at: int, prefix: str, term: Spelling) -> None:
    last = len(term.spelled) - 1
    for offset, spelled in enumerate(term.spelled):
        _, _, right = parts(draft.slots[at + offset].text)
        text = (prefix if offset == 0 else "") + spelled + (right if offset == last else "")
        draft.change(at + offset, text, "glossary")


def could_be_one(slots: Sequence[Slot]) -> bool:
    """Say whether nothing stands between the words, a person settled none, and none is a negation or a number."""
    language = slots[0].language
    free = not any(slot.settled or slot.language != language or is_protected(slot.core, language) for slot in slots)
    return free and _together(slots)


def propose(before: Sequence[Slot], term: str, evidence: tuple[Evidence, ...]) -> TermProposal:
    """Return the proposal that a term was meant by these words.

    Args:
        before: The words, in a row.
        term: As it is to be spelled.
        evidence: What speaks for it.
    """
    words = [word for slot in before for word in slot.words]
    return TermProposal(
        start_ms=words[0].start_ms,
        end_ms=max(word.end_ms for word in words),
        index=before[0].index,
        count=len(words),
        before=" ".join(slot.text for slot in before),
        after=in_place(term, before),
        evidence=evidence,
    )


def _together(slots: Sequence[Slot]) -> bool:
    marks = [parts(slot.text) for slot in slots]
    return not any(right for _, _, right in marks[:-1]) and not any(left for left, _, _ in marks[1:])
