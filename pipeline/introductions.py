"""Names that people give themselves: "my name is Anna Roy", « je m’appelle Anna Roy ».

Turns and the people announced come in; out come proposals of who a voice may be, each with the words it rests on and
when they were said. A proposal is for a person to judge and never names a voice by itself: recognised words are often
wrong, a joke or a quotation sounds like an introduction, and a wrong name on somebody's words harms them. It stands
alone because it reads words only, whoever told the voices apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

from pipeline.formatting import format_clock
from pipeline.naming import letters, plain, without_marks
from pipeline.sentences import listed
from pipeline.types import NameProposal, Notice, Session, Speaker, Transcript, Turn, Word

_ENDS: Final = (".", ",", ";", ":", "!", "?", "…")
_PROPOSALS: Final = 3
"""Names proposed for one voice at most."""
_LONGEST: Final = 5
"""Words in a name."""
_ALIKE: Final = 0.8
"""Likeness of two names, 0 to 1, from which one is the other misheard."""
_SHORT_PART: Final = 3
"""Letters; a part of a name so short must be the same letter by letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """Words that a person's own name follows.

    Attributes:
        words: As :func:`_plain_word` gives them.
        says_name: Whether what follows is always a name, not also a job, a mood or a place.
        close: Words that must come after the name; none are needed where empty.
    """

    words: tuple[str, ...]
    says_name: bool = True
    close: frozenset[str] = frozenset()


_OPENINGS: Final = (
    _Opening(words=("my", "name", "is")),
    _Opening(words=("my", "name's")),
    _Opening(words=("je", "m'appelle")),
    _Opening(words=("je", "me", "nomme")),
    _Opening(words=("mon", "nom", "est")),
    _Opening(words=("mon", "nom", "c'est")),
    _Opening(words=("this", "is"), close=frozenset({"speaking"})),
    _Opening(words=("ici",), close=frozenset({"parle"})),
    _Opening(words=("i'm",), says_name=False),
    _Opening(words=("i", "am"), says_name=False),
    _Opening(words=("je", "suis"), says_name=False),
    _Opening(words=("moi", "c'est"), says_name=False),
)


_PARTICLES: Final = listed(
    "d' da de del della der des di dos du el la las le les los st ste saint van von y bin ben al ibn mac mc o'"
)
_FORMS_OF_ADDRESS: Final = listed(
    "mr mrs ms miss dr prof professor doctor sir madam m mme mlle me monsieur madame mademoiselle docteur docteure"
    " professeur professeure maitre elder chief"
)
_HESITATIONS: Final = listed("uh um er erm euh heu hum hm ah")
_NO_NAMES: Final = listed(
    # What Whisper writes with a capital after "I'm" and is nobody's name: peoples, languages, jobs, places, days.
    "american canadian english french british quebecois acadian indigenous metis inuit cree european asian african"
    " chinese indian canadien canadienne francais francaise anglais anglaise quebecoise autochtone director"
    " directeur directrice minister ministre deputy president presidente manager chair general assistant associate"
    " senior policy analyst analyste monday tuesday wednesday thursday friday saturday sunday canada ottawa"
    " montreal toronto quebec god dieu jesus ok okay i"
)


def with_proposals(speakers: Sequence[Speaker], turns: Sequence[Turn], session: Session) -> tuple[Speaker, ...]:
    """Return the speakers with what those without a name say that they are called.

    Args:
        speakers: Everyone that a turn names.
        turns: What they say.
        session: For who was announced: a name that is nearly theirs is spelled as announced.
    """
    announced = tuple(person.name for person in session.people)
    return tuple(speaker if speaker.name else _with_proposals(speaker, turns, announced) for speaker in speakers)


def proposal_notices(transcript: Transcript) -> tuple[Notice, ...]:
    """Return what a facilitator is told of the proposals in a transcript; learners are not."""
    return tuple(
        Notice(
            code=f"speakers.{proposal.evidence}",
            data=(
                ("moment", format_clock(proposal.start_ms)),
                ("name", proposal.name),
                ("number", speaker.key.removeprefix("S")),
                ("quote", proposal.quote),
            ),
            span=proposal,
        )
        for speaker in transcript.speakers
        for proposal in speaker.proposals
    )


def _with_proposals(speaker: Speaker, turns: Sequence[Turn], announced: Sequence[str]) -> Speaker:
    found: dict[str, NameProposal] = {}
    for turn in turns:
        if turn.speaker == speaker.key:
            for proposal in _proposals(turn.words, announced):
                found.setdefault(proposal.name, proposal)
    best = sorted(found.values(), key=lambda each: (each.evidence != "introduced_announced", each.start_ms))
    return replace(speaker, proposals=tuple(best[:_PROPOSALS]))


def _proposals(words: Sequence[Word], announced: Sequence[str]) -> Iterator[NameProposal]:
    tokens = [_plain_word(word.text) for word in words]
    for at in range(len(words)):
        for opening in _OPENINGS:
            if tuple(tokens[at : at + len(opening.words)]) == opening.words:
                proposal = _proposal(words, tokens, at, opening, announced)
                if proposal is not None:
                    yield proposal


def _proposal(
    words: Sequence[Word], tokens: Sequence[str], at: int, opening: _Opening, announced: Sequence[str]
) -> NameProposal | None:
    first = at + len(opening.words)
    while first < len(words) and tokens[first] in _HESITATIONS | _FORMS_OF_ADDRESS:
        first += 1
    last = _last_of_clause(words, first)
    known = _announced_name([word.text for word in words[first:last]], opening, announced)
    length = known[1] if known else _length_as_heard(words[first:last], tokens[first:last], opening)
    after = first + length
    if not length or (opening.close and opening.close.isdisjoint(tokens[after : after + 2])):
        return None
    if _is_somebody_elses(words[first:last], length):
        return None
    heard = " ".join(_name_part(word.text) for word in words[first:after])
    return NameProposal(
        start_ms=words[at].start_ms,
        end_ms=max(words[at].start_ms, words[after - 1].end_ms),
        name=known[0] if known else heard,
        evidence="introduced_announced" if known else "introduced",
        quote=" ".join(word.text for word in words[at:after]),
    )


def _is_somebody_elses(clause: Sequence[Word], length: int) -> bool:
    """Say whether the name that a clause begins with says whose somebody is: "I'm Anna's manager", "Anna Roy's"."""
    rest = clause[length : length + 1]
    ends = [clause[length - 1], *(word for word in rest if _is_capitalised(word.text))]
    return any(_plain_word(word.text).endswith("'s") for word in ends)


def _name_part(text: str) -> str:
    """Return a word of a name without the marks around it, an initial with its full stop."""
    bare = without_marks(text)
    return f"{bare}." if len(bare) == 1 and text.endswith(".") else bare


def _plain_word(text: str) -> str:
    return without_marks(plain(text))


def _last_of_clause(words: Sequence[Word], first: int) -> int:
    """Return the position after the last word that may belong to a name: a mark ends it, unless it is an initial's."""
    last = min(len(words), first + _LONGEST)
    for at in range(first, last):
        if words[at].text.endswith(_ENDS) and not _name_part(words[at].text).endswith("."):
            return at + 1
    return last


def _length_as_heard(words: Sequence[Word], tokens: Sequence[str], opening: _Opening) -> int:
    """Return how many words are written as a name is; 0 where they may be something else."""
    length = 0
    for at, (word, token) in enumerate(zip(words, tokens, strict=True), start=1):
        if _is_capitalised(word.text) and token not in _NO_NAMES:
            length = at
        elif token not in _PARTICLES:
            break
    return length if length >= (1 if opening.says_name and not opening.close else 2) else 0


def _is_capitalised(text: str) -> bool:
    bare = without_marks(text)
    for elided in ("d'", "l'", "d’", "l’"):
        bare = bare.removeprefix(elided)
    return bare[:1].isupper() and all(letter.isalpha() or letter in "-'’." for letter in bare)


def _announced_name(heard: Sequence[str], opening: _Opening, announced: Sequence[str]) -> tuple[str, int] | None:
    """Return the one person announced whose name these words begin with, and how many words it takes."""
    found: list[tuple[float, int, str]] = []
    for length in range(1, len(heard) + 1):
        # "I'm clear" is nobody's introduction, however alike Claire sounds.
        sure = opening.says_name or length > 1 or _is_capitalised(heard[0])
        if sure:
            found += [(_likeness(heard[:length], name), length, name) for name in announced]
    alike = [each for each in found if each[0] >= _ALIKE]
    # The whole name where it was said, rather than the first name alone, which others may share.
    alike = [each for each in alike if each[1] > 1] or alike
    likeness, length, name = max(alike, default=(0.0, 0, ""))
    if not length or any(each[0] == likeness and each[2] != name for each in alike):
        return None
    return name, length


def _likeness(heard: Sequence[str], name: str) -> float:
    """Return how alike a name as heard is to one announced, or to one of its parts where a single word was heard.

    Not alike where what is heard without its first word is more so: "not Anna Roy", « avec Anna Roy ».
    """
    parts = [letters(part) for part in name.split()]
    said = [letters(part) for part in heard]
    whole = _ratio("".join(said), "".join(parts))
    if len(said) == 1:
        return max(whole, *(_part_likeness(said[0], part) for part in parts))
    return whole if whole >= _ratio("".join(said[1:]), "".join(parts)) else 0.0


def _part_likeness(heard: str, part: str) -> float:
    if min(len(heard), len(part)) <= _SHORT_PART:
        return float(bool(part) and heard == part and part not in _PARTICLES)
    return _ratio(heard, part)


def _ratio(one: str, other: str) -> float:
    """Return how alike two texts are, 0 where they are certainly not alike enough."""
    matcher = SequenceMatcher(None, one, other)
    return matcher.ratio() if min(matcher.real_quick_ratio(), matcher.quick_ratio()) >= _ALIKE else 0.0
