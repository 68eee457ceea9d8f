"""Glossary terms that were misheard: what sounds like one, where it would fit, and was not surely heard as it stands.

In come a draft and the terms of a glossary; where all the evidence agrees the term takes its place, listed as any other
change; where some of it is missing it is proposed, for a person to judge. It stands alone because this is the one rule
that changes words for others that were not recognised. Sound alone proves nothing: *none of it* is said every day, and
*Nunavut* is meant where the north is spoken of and the recogniser was unsure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.content_words import count_stems, stem_of
from pipeline.editing.draft import Draft, Slot, fold, parts
from pipeline.editing.terms import could_be_one, propose
from pipeline.glossary import GlossaryTerm
from pipeline.sounds import letters_alike, nearly, sound_key
from pipeline.types import LANGUAGES, Evidence, Language, TermProposal, Word

_ALL: Final[tuple[Evidence, ...]] = ("sound", "context", "probability")
_UNSURE: Final = 0.6
"""Mean probability below which the recogniser did not surely hear what it wrote."""
_NEARBY_WORDS: Final = 60
_MOST_WORDS: Final = 4
_SHORTEST_KEY: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounds:
    """A glossary's terms of one language, by how they are found.

    Attributes:
        language: Theirs.
        heard: Terms by what is written instead, folded.
        keys: Terms by how they sound.
        acronyms: Terms by how many letters they have.
        known: Every term, folded: what is one already is not mistaken for another.
        near: Stems that tell where each term is meant.
    """

    language: Language
    heard: Mapping[str, Sequence[GlossaryTerm]]
    keys: Mapping[str, Sequence[GlossaryTerm]]
    acronyms: Mapping[int, Sequence[GlossaryTerm]]
    known: frozenset[str]
    near: Mapping[str, frozenset[str]]


def sounds_of(terms: Iterable[GlossaryTerm]) -> dict[Language, Sounds]:
    """Return the terms of each language, by how they are found; the first of those that are found alike goes first."""
    given = tuple(terms)
    return {
        language: _sounds([term for term in given if term.language == language], language) for language in LANGUAGES
    }


def _sounds(terms: Sequence[GlossaryTerm], language: Language) -> Sounds:
    heard: dict[str, list[GlossaryTerm]] = {}
    keys: dict[str, list[GlossaryTerm]] = {}
    acronyms: dict[int, list[GlossaryTerm]] = {}
    for term in terms:
        for text in term.heard:
            heard.setdefault(fold(text), []).append(term)
        if term.acronym:
            acronyms.setdefault(len(term.text), []).append(term)
        else:
            keys.setdefault(sound_key(term.text, term.language), []).append(term)
    return Sounds(
        language=language,
        heard=heard,
        keys=keys,
        acronyms=acronyms,
        known=frozenset(fold(term.text) for term in terms),
        near={term.text: _stems(term.near, term.language) for term in terms},
    )


def _stems(texts: Iterable[str], language: Language) -> frozenset[str]:
    words = (Word(start_ms=0, end_ms=0, text=text, probability=1, language=language) for text in texts)
    # The name of the country tells of no term in particular.
    return frozenset(stem for word in words if (stem := stem_of(word)) is not None and stem != "canad")


def hear_terms(draft: Draft, sounds: Mapping[Language, Sounds]) -> tuple[TermProposal, ...]:
    """Put terms where they were surely meant, and return where they may have been.

    Args:
        draft: The turn.
        sounds: The terms of each language.
    """
    proposals: list[TermProposal] = []
    at = 0
    while at < len(draft.slots):
        heard = _heard(draft, at, sounds)
        if heard is None:
            at += 1
        elif heard.sure:
            draft.change(at, heard.proposal.after, "glossary", count=heard.slots)
            at += 1
        else:
            proposals.append(heard.proposal)
            at += heard.slots
    return tuple(proposals)


def possible_terms(draft: Draft, sounds: Mapping[Language, Sounds]) -> Iterator[TermProposal]:
    """Yield where terms may have been meant, surely or not; nothing is changed.

    Args:
        draft: The turn.
        sounds: The terms of each language.
    """
    at = 0
    while at < len(draft.slots):
        heard = _heard(draft, at, sounds)
        if heard is not None:
            yield heard.proposal
        at += heard.slots if heard else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """A term that may have been meant.

    Attributes:
        proposal: Which, and where.
        slots: How many words of the draft it would take the place of.
        sure: Whether everything speaks for it, and for no other.
    """

    proposal: TermProposal
    slots: int
    sure: bool


def _heard(draft: Draft, at: int, sounds: Mapping[Language, Sounds]) -> _Heard | None:
    """Return the term for which most speaks among those that may be meant by the words from there."""
    found = sorted(_candidates(draft, at, sounds), key=lambda candidate: -len(candidate[2]))
    if not found:
        return None
    count, term, evidence = found[0]
    return _Heard(
        proposal=propose(draft.slots[at : at + count], term.text, evidence),
        slots=count,
        sure=len({each.text for _, each, held in found if held == _ALL}) == 1,
    )


def _candidates(
    draft: Draft, at: int, sounds: Mapping[Language, Sounds]
) -> Iterator[tuple[int, GlossaryTerm, tuple[Evidence, ...]]]:
    """Yield each term that may be meant by the words from there, the longest run of words first."""
    for count in range(min(_MOST_WORDS, len(draft.slots) - at), 0, -1):
        slots = draft.slots[at : at + count]
        known = next((sounds[each] for each in LANGUAGES if each == slots[0].language), None)
        if known is None or not could_be_one(slots):
            continue
        said = " ".join(slot.core for slot in slots)
        if fold(said) in known.known:
            return
        unsure = sum(slot.words[0].probability for slot in slots) / count < _UNSURE
        for term in _alike(slots, said, known, unsure=unsure):
            fits = not known.near[term.text].isdisjoint(_nearby(draft, at, count))
            evidence = tuple(kind for kind, holds in zip(_ALL, (True, fits, unsure), strict=True) if holds)
            # The names of letters sound alike far too often to go by sound and doubt alone.
            if len(evidence) > 1 and (fits or not term.acronym):
                yield count, term, evidence


def _alike(slots: Sequence[Slot], said: str, known: Sounds, *, unsure: bool) -> Iterator[GlossaryTerm]:
    """Yield the terms that the words sound like: those that are listed and letters first, then, in doubt, any."""
    yield from known.heard.get(fold(said), ())
    written = "".join(parts(slot.text)[1] for slot in slots)
    if written.isupper() and (len(slots) == 1 or all(len(slot.core) == 1 for slot in slots)):
        acronyms = known.acronyms.get(len(written), ())
        same = [term for term in acronyms if letters_alike(written, term.text, term.language)]
        yield from sorted(same, key=lambda term: term.text != written)
    key = sound_key(said, known.language) if unsure else ""
    if len(key) >= _SHORTEST_KEY:
        for other in sorted(known.keys, key=lambda other: other != key):
            if other == key or nearly(key, other):
                yield from (term for term in known.keys[other] if _may_stand_for(slots, term))


def _may_stand_for(slots: Sequence[Slot], term: GlossaryTerm) -> bool:
    """Say whether as many words as a term has stand there: one word may be heard as two, two are heard as two."""
    return len(slots) == len(term.text.split()) or " " not in term.text


def _nearby(draft: Draft, at: int, count: int) -> frozenset[str]:
    around = (*draft.slots[max(0, at - _NEARBY_WORDS) : at], *draft.slots[at + count : at + count + _NEARBY_WORDS])
    return frozenset(count_stems(slot.words[0] for slot in around))
