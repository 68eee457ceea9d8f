"""From what was said to what is read: a faithful edit, each change listed.

In comes the verbatim transcript with the session's glossary; out go the edited transcript and every change that was
made. Slips of the tongue go (`slips`); figures, glossary terms, typography and capitals take the form of their language
(`figures`, `terms`, `typography`); a glossary term that was plainly misheard takes its place (`hearing`); what is only
likely to be one is proposed (`likeness` as well). Nothing else: no negation or number is touched, words keep their
times, and the verbatim words with the listed changes made, one after the other, are the edited words. It stands alone
because an institution answers for what it publishes: what is not sure to be a slip stays, and what a person typed, said
is right or hid is no business of the glossary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.editing.draft import Draft
from pipeline.editing.figures import set_figures
from pipeline.editing.hearing import hear_terms, possible_terms, sounds_of
from pipeline.editing.likeness import Spellings
from pipeline.editing.slips import drop_slips
from pipeline.editing.terms import spell_terms, spellings
from pipeline.editing.typography import set_capitals, set_marks
from pipeline.glossary import GlossaryTerm
from pipeline.types import Edit, TermProposal, Transcript, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """An edited transcript and how it came about.

    Attributes:
        transcript: For reading.
        edits: Every change, in the order in which they were made.
        proposals: Glossary terms that may have been meant where something else stands, for a person to judge.
    """

    transcript: Transcript
    edits: tuple[Edit, ...]
    proposals: tuple[TermProposal, ...] = ()


def edit(
    transcript: Transcript,
    glossary: Iterable[str] = (),
    terms: Iterable[GlossaryTerm] = (),
    *,
    reviewed: bool = False,
) -> Edited:
    """Make a transcript readable without changing what it says.

    Args:
        transcript: Verbatim.
        glossary: Terms as they are to be spelled; a term takes effect where the same letters stand, whatever their
            case and accents.
        terms: Of the house, with how they are misheard; spelled like those of the glossary, which go first.
        reviewed: Whether a person has gone over the words.

    Returns:
        A transcript with the same turns, none empty, and every change. Replaying the edits in order, each on the
        ``before`` that starts at its word ``index``, turns the verbatim words into the edited ones.
    """
    of_house = tuple(terms)
    spelled, sounds = spellings((*glossary, *(term.text for term in of_house))), sounds_of(of_house)
    turns: list[Turn] = []
    edits: list[Edit] = []
    proposals: list[TermProposal] = []
    index = 0
    for turn in transcript.turns:
        draft = Draft(turn, index, reviewed=reviewed)
        drop_slips(draft, spelled)
        spell_terms(draft, spelled)
        proposals += hear_terms(draft, sounds)
        set_figures(draft)
        set_marks(draft)
        set_capitals(draft)
        turns.append(draft.turn(turn.speaker))
        edits += draft.edits
        index += len(turn.words)
    return Edited(transcript=replace(transcript, turns=tuple(turns)), edits=tuple(edits), proposals=tuple(proposals))


def propose_terms(
    transcript: Transcript, spellings: Iterable[str], terms: Iterable[GlossaryTerm], *, reviewed: bool
) -> tuple[TermProposal, ...]:
    """Return where words may stand for a term or a name, in order, apart, for a person to judge.

    Args:
        transcript: Verbatim.
        spellings: Of the session: its terms and the names of those announced.
        terms: Of the house, with how they are misheard.
        reviewed: Whether a person has gone over the words; nothing is proposed for what they said is right.
    """
    near, sounds = Spellings(spellings), sounds_of(terms)
    proposals: list[TermProposal] = []
    index = end = 0
    for turn in transcript.turns:
        draft = Draft(turn, index, reviewed=reviewed)
        index += len(turn.words)
        found = (*near.possible(draft), *possible_terms(draft, sounds))
        for each in sorted(found, key=lambda each: (each.index, -each.count)):
            if each.index >= end:
                end = each.index + each.count
                proposals.append(each)
    return tuple(proposals)
