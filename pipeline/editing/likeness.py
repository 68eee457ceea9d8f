"""Terms and names of a session that are spelled nearly so: what a person may want to write otherwise.

In come a draft and the spellings that the session's details give; out go places with the spelling that may belong
there. Nothing is changed: what is spelled alike is often really something else. It stands alone because it goes by
letters only; what sounds alike is the business of `pipeline.editing.hearing`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

from pipeline.editing.draft import Draft, Slot
from pipeline.editing.terms import could_be_one, propose
from pipeline.naming import letters
from pipeline.types import TermProposal

_ALIKE: Final = 0.78
"""Share of letters that two texts have in common, from which one may be the other."""

_SHORTEST: Final = 4
"""Letters; of shorter terms too much is like them."""


class Spellings:
    """The spellings of a session, by how many words they have.

    Args:
        terms: As they are to be spelled, each of one or more words.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        self._terms: dict[int, list[tuple[str, str]]] = defaultdict(list)
        self._nearest: dict[tuple[int, str], str | None] = {}
        for term in dict.fromkeys(terms):
            spelled = letters(term)
            if len(spelled) >= _SHORTEST:
                self._terms[len(term.split())].append((term, spelled))

    def possible(self, draft: Draft) -> Iterator[TermProposal]:
        """Yield every place of a draft that is spelled nearly as one of them, and not as it; some may overlap."""
        for length in self._terms:
            for at in range(len(draft.slots) - length + 1):
                slots = draft.slots[at : at + length]
                term = self._near(slots)
                if term is not None and term not in " ".join(slot.text for slot in slots) and could_be_one(slots):
                    yield propose(slots, term, ("letters",))

    def _near(self, slots: Sequence[Slot]) -> str | None:
        said = letters("".join(slot.text for slot in slots))
        key = (len(slots), said)
        if key not in self._nearest:
            self._nearest[key] = _nearest(said, self._terms[len(slots)])
        return self._nearest[key]


def _nearest(said: str, terms: Sequence[tuple[str, str]]) -> str | None:
    """Return the term that is most like what was said, where one is like it."""
    best, nearest = _ALIKE, None
    for term, spelled in terms:
        # The first letter is heard right far more often than not, and comparing costs.
        if said[:1] != spelled[:1] or abs(len(said) - len(spelled)) > len(spelled) // 3:
            continue
        alike = SequenceMatcher(None, said, spelled, autojunk=False).ratio()
        if alike >= best:
            best, nearest = alike, term
    return nearest
