"""From what was said to what is read: a faithful edit, each change listed.

In comes the verbatim transcript with the session's glossary; out go the edited transcript and every change that was
made. Fillers, stutters and repeated small words go; sentences get their capital, French its typography, glossary terms
their spelling. Nothing else: no negation, number or name is touched, words keep their times, and the verbatim words
with the listed changes made, one after the other, are the edited words. It stands alone because an institution answers
for what it publishes: what is not sure to be a slip stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.sentences import ends_sentence
from pipeline.types import Edit, Transcript, Turn, Word

_NBSP: Final = "\N{NO-BREAK SPACE}"
_NARROW: Final = "\N{NARROW NO-BREAK SPACE}"


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Sounds that are no word in their language. "Ah", "well", "ben", "tu sais" can mean something: they stay.
_FILLERS: Final = {
    "en": _listed("um umm ummm uhm uh uhh uhhh er erm hmm hm mmm"),
    "fr": _listed("euh euhh euhhh heu heuu euhm hum humm hmm hm mmm"),
}
# Words that nobody says twice in a row on purpose. Left out on purpose are those that grammar or emphasis doubles:
# that, had, is, very; nous, vous, elle, très, non; those that end a clause: in, on, to; and whatever also counts: un.
_REPEATABLE: Final = {
    "en": _listed("the i we he she they and but or because if when their our your its my i'm we're they're it's"),
    "fr": _listed("je on il ils le les des du de et mais dans pour sur par avec que qui donc parce j'ai c'est il y à"),
}
_UNITS: Final = _listed("% $ M$ G$ km m cm mm kg g ha L kWh MW °C Ko Mo Go To h min km/h")

_SPOKEN_ONCE_MS: Final = 1500
"""A word said again after so long a silence was meant."""

_PLAIN: Final = re.compile(r"([^\W\d_]+(?:['’][^\W\d_]+)?)([,.?!…;:-]*)\Z")
_FRAGMENT: Final = re.compile(r"([^\W\d_]{1,4})(?:-|…|\.\.\.)\Z")
_ELIDED: Final = re.compile(r"((?:[ldjmtsnc]|qu)['’])(.*)\Z", re.IGNORECASE)
_OUTSIDE: Final = re.compile(r"(\W*)(.*?)(\W*)\Z", re.DOTALL)
_CLOSING_MARK: Final = re.compile(r"[:;!?,.…»)\]%$]+\Z")
_GROUP: Final = re.compile(rf"\d{{1,3}}(?:{_NBSP}\d{{3}})*\Z")
_THREE_DIGITS: Final = re.compile(r"\d{3}[,.;:!?]*\Z")
_NUMBER: Final = re.compile(rf"\d[\d{_NBSP},]*\Z")
_NAMES_A_PLACE: Final = re.compile(r"[@/\\]|\w\.\w")
_ENGLISH_I: Final = re.compile(r"i(?:['’](?:m|ll|ve|d))?[,.;:!?]*\Z")

_FRENCH_INSIDE: Final = (
    (re.compile(rf"[ {_NBSP}{_NARROW}]+([;!?])"), r"\1"),
    (re.compile(rf"(?<=[^\s:\d/])[{_NARROW} ]?:\Z"), f"{_NBSP}:"),
    (re.compile(rf"«[ {_NARROW}]?(?=\w)"), f"«{_NBSP}"),
    (re.compile(rf"(?<=[\w.!?…,])[ {_NARROW}]?»"), f"{_NBSP}»"),
    (re.compile(rf"(?<=\d)[ {_NARROW}]?([%$])"), rf"{_NBSP}\1"),
    (re.compile(r"\A(\d{1,2})h(\d{2})\b"), rf"\1{_NBSP}h{_NBSP}\2"),
    (re.compile(r"\A(\d{1,2})h\b"), rf"\1{_NBSP}h"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """An edited transcript and how it came about.

    Attributes:
        transcript: For reading.
        edits: Every change, in the order in which they were made.
    """

    transcript: Transcript
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """One word as edited so far, with the recognised words that it stands for."""

    index: int
    text: str
    words: tuple[Word, ...]

    @property
    def language(self) -> str:
        return self.words[0].language

    @property
    def core(self) -> str:
        return _OUTSIDE.sub(r"\2", self.text).lower().replace("’", "'")


class _Draft:
    """A turn being edited; the one place where a change is made, and there it is listed."""

    def __init__(self, turn: Turn, index: int) -> None:
        self.slots = [_Slot(index=index + at, text=word.text, words=(word,)) for at, word in enumerate(turn.words)]
        self.edits: list[Edit] = []

    def change(self, at: int, text: str, rule: str, *, count: int = 1, keep_time: bool = False) -> None:
        """Put a text in place of one or more words.

        Args:
            at: Position of the first among the words left.
            text: What stands there instead; empty to leave them out.
            rule: Why.
            count: How many words.
            keep_time: Whether the first word keeps its own time rather than taking those of all.
        """
        old = self.slots[at : at + count]
        before = " ".join(slot.text for slot in old)
        if before == text:
            return
        words = old[0].words if keep_time else tuple(word for slot in old for word in slot.words)
        self.slots[at : at + count] = [replace(old[0], text=text, words=words)] if text else []
        start_ms = old[0].words[0].start_ms
        self.edits.append(Edit(rule=rule, before=before, after=text, start_ms=start_ms, index=old[0].index))

    def opens_sentence(self, at: int) -> bool:
        """Say whether a sentence starts with that word."""
        return at == 0 or ends_sentence(self.slots[at - 1].text, self.slots[at - 1].language)


def edit(transcript: Transcript, glossary: Iterable[str] = ()) -> Edited:
    """Make a transcript readable without changing what it says.

    Args:
        transcript: Verbatim.
        glossary: Terms as they are to be spelled; a term takes effect where the same letters stand, whatever their
            case and accents.

    Returns:
        A transcript with the same turns, none empty, and every change. Replaying the edits in order, each on the
        ``before`` that starts at its word ``index``, turns the verbatim words into the edited ones.
    """
    terms = _terms(glossary)
    turns: list[Turn] = []
    edits: list[Edit] = []
    index = 0
    for turn in transcript.turns:
        draft = _Draft(turn, index)
        _drop_fillers(draft, terms)
        _drop_fragments(draft)
        _drop_repetitions(draft)
        _spell_terms(draft, terms)
        _set_marks(draft)
        _set_capitals(draft)
        turns.append(Turn(speaker=turn.speaker, words=tuple(_word(slot) for slot in draft.slots)))
        edits += draft.edits
        index += len(turn.words)
    return Edited(transcript=replace(transcript, turns=tuple(turns)), edits=tuple(edits))


def _word(slot: _Slot) -> Word:
    words = slot.words
    return replace(
        words[0],
        text=slot.text,
        end_ms=max(word.end_ms for word in words),
        probability=min(word.probability for word in words),
        overlapped=any(word.overlapped for word in words),
    )


def _drop_fillers(draft: _Draft, terms: Mapping[str, Sequence[_Term]]) -> None:
    at = 0
    while at < len(draft.slots):
        if len(draft.slots) == 1 or not _is_filler(draft, at, terms):
            at += 1
        elif _takes_full_stop(draft, at):
            ended = draft.slots[at - 1].text.rstrip(",;:") + _full_stop(draft.slots[at].text)
            draft.change(at - 1, ended, "filler", count=2, keep_time=True)
        else:
            draft.change(at, "", "filler")


def _is_filler(draft: _Draft, at: int, terms: Mapping[str, Sequence[_Term]]) -> bool:
    slot = draft.slots[at]
    plain = _PLAIN.match(slot.text)
    if plain is None or plain[1].lower() not in _FILLERS.get(slot.language, ()) or _fold(plain[1]) in terms:
        return False
    if plain[1].islower():
        return True
    # A capital inside a sentence, or before another, may be a name: Um Kulthum, ER.
    follower = draft.slots[at + 1].text if at + 1 < len(draft.slots) and not plain[2] else ""
    named = follower[:1].isupper() and not _ENGLISH_I.match(follower.lower())
    return plain[1].istitle() and draft.opens_sentence(at) and not named


def _full_stop(text: str) -> str:
    marks = _OUTSIDE.sub(r"\3", text)
    return "" if "…" in marks or ".." in marks else "".join(mark for mark in marks if mark in ".?!")


def _takes_full_stop(draft: _Draft, at: int) -> bool:
    """Say whether the word before must close the sentence that the filler closed."""
    if at == 0 or not _full_stop(draft.slots[at].text):
        return False
    before = draft.slots[at - 1].text
    return before.rstrip(",;:")[-1:].isalnum()


def _drop_fragments(draft: _Draft) -> None:
    """Leave out a word's beginning before the word: ``st- student``, ``j' j'ai``."""
    at = 0
    while at + 1 < len(draft.slots):
        slot, following = draft.slots[at], draft.slots[at + 1]
        fragment = _FRAGMENT.match(slot.text)
        elided = _ELIDED.match(slot.text)
        start = fragment[1] if fragment else elided[1] if elided and not elided[2] else None
        begun = start is not None and following.core.startswith(start.lower().replace("’", "'"))
        if begun and start is not None and len(following.core) > len(start) and slot.language == following.language:
            draft.change(at, "", "stutter")
        else:
            at += 1


def _drop_repetitions(draft: _Draft) -> None:
    at = 0
    while at + 1 < len(draft.slots):
        if _is_repeated(draft.slots[at], draft.slots[at + 1]):
            draft.change(at, "", "repetition")
        else:
            at += 1


def _is_repeated(slot: _Slot, following: _Slot) -> bool:
    plain, again = _PLAIN.match(slot.text), _PLAIN.match(following.text)
    if plain is None or again is None or plain[2] not in {"", ",", "-", "…", "..."}:
        return False
    core = plain[1].lower().replace("’", "'")
    return (
        core in _REPEATABLE.get(slot.language, ())
        and core == again[1].lower().replace("’", "'")
        and slot.language == following.language
        and following.words[0].start_ms - slot.words[-1].end_ms <= _SPOKEN_ONCE_MS
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    """A glossary term, word by word, as spelled and as compared."""

    spelled: tuple[str, ...]
    folded: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether the letters alone are evidence enough: short words and acronyms are spelled like common ones."""
        return len(self.folded) > 1 or len(self.folded[0]) > 3


def _terms(glossary: Iterable[str]) -> dict[str, list[_Term]]:
    """Return the terms by their first word folded, longest first."""
    found: dict[str, list[_Term]] = {}
    for text in glossary:
        spelled = tuple(text.split())
        folded = tuple(_fold(word) for word in spelled)
        if spelled and all(folded):
            found.setdefault(folded[0], []).append(_Term(spelled=spelled, folded=folded))
    return {first: sorted(terms, key=lambda term: -len(term.folded)) for first, terms in found.items()}


def _fold(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _spell_terms(draft: _Draft, terms: Mapping[str, Sequence[_Term]]) -> None:
    if not terms:
        return
    for at in range(len(draft.slots)):
        left, core, _ = _parts(draft.slots[at].text)
        elided = _ELIDED.match(core)
        for prefix, bare in ((left, core), (left + elided[1], elided[2]) if elided else (left, core)):
            term = next((term for term in terms.get(_fold(bare), ()) if _stands(draft, at, bare, term)), None)
            if term is not None:
                _spell(draft, at, prefix, term)
                break


def _parts(text: str) -> tuple[str, str, str]:
    found = _OUTSIDE.match(text)
    return (found[1], found[2], found[3]) if found else ("", text, "")


def _stands(draft: _Draft, at: int, bare: str, term: _Term) -> bool:
    """Say whether the term's words stand here, with no mark between them."""
    slots = draft.slots[at : at + len(term.folded)]
    if len(slots) < len(term.folded) or not term.safe:
        return False
    if len(term.folded) == 1 and term.spelled[0].isupper() and sum(letter.isupper() for letter in bare) < 2:
        return False
    ends = [_parts(slot.text) for slot in slots]
    apart = any(right for _, _, right in ends[:-1]) or any(left for left, _, _ in ends[1:])
    following = all(_fold(core) == folded for (_, core, _), folded in zip(ends[1:], term.folded[1:], strict=True))
    return following and not apart


def _spell(draft: _Draft, at: int, prefix: str, term: _Term) -> None:
    last = len(term.spelled) - 1
    for offset, spelled in enumerate(term.spelled):
        _, _, right = _parts(draft.slots[at + offset].text)
        text = (prefix if offset == 0 else "") + spelled + (right if offset == last else "")
        draft.change(at + offset, text, "glossary")


def _set_marks(draft: _Draft) -> None:
    """Set punctuation and numbers as the language writes them."""
    at = 0
    while at < len(draft.slots):
        if draft.slots[at].language == "fr":
            draft.change(at, _french(draft.slots[at].text), "typography")
        joint = _joint(draft.slots[at - 1], draft.slots[at]) if at > 0 else None
        if joint is None:
            at += 1
        else:
            joined = draft.slots[at - 1].text + joint + draft.slots[at].text
            draft.change(at - 1, joined, "typography", count=2)


def _french(text: str) -> str:
    for pattern, replacement in _FRENCH_INSIDE:
        text = pattern.sub(replacement, text)
    return text


def _joint(left: _Slot, right: _Slot) -> str | None:
    """Return what stands between two words that typography makes one, or ``None`` where they stay two."""
    french = right.language == "fr"
    if _CLOSING_MARK.match(right.text):
        if right.text[0] == "$" and not french:
            return None
        return _NBSP if french and right.text[0] in ":»%$" else ""
    if not french or left.language != "fr":
        return None
    if left.text == "«":
        return _NBSP
    unit = right.text.rstrip(",.;:!?") in _UNITS and _NUMBER.match(left.text)
    group = _GROUP.match(left.text) and _THREE_DIGITS.match(right.text)
    return _NBSP if unit or group else None


def _set_capitals(draft: _Draft) -> None:
    for at, slot in enumerate(draft.slots):
        if draft.opens_sentence(at) or (slot.language == "en" and _ENGLISH_I.match(slot.text)):
            draft.change(at, _capital(slot.text), "capital")


def _capital(text: str) -> str:
    left, core, right = _parts(text)
    if not core[:1].islower() or core != core.lower() or _NAMES_A_PLACE.search(core) or len(core[0].upper()) > 1:
        return text
    return left + core[0].upper() + core[1:] + right
