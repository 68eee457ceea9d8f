"""Slips of the tongue: fillers, beginnings of words, words and phrases that are begun again.

In comes a draft; what is surely a slip is left out of it. It stands alone because here words go, and so here is said
which may never go: negations, numbers and names. What somebody may have meant stays. "That that", "nous nous" and
"non, non" are grammar or emphasis; "more and more and more" and "if I can, I can" are no restarts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from functools import lru_cache
from typing import Final

from pipeline.editing.draft import ELIDED, ENGLISH_I, PLAIN, WORDS_KEPT, Draft, Slot, fold, parts
from pipeline.sentences import listed

# Sounds that are no word in their language. "Ah", "well", "ben", "tu sais" can mean something: they stay.
_FILLERS: Final = {
    "en": listed("um umm ummm uhm uh uhh uhhh er erm hmm hm mmm"),
    "fr": listed("euh euhh euhhh heu heuu euhm hum humm hmm hm mmm"),
}
# Words that nobody says twice in a row on purpose. Left out on purpose are those that grammar or emphasis doubles:
# that, had, is, very; nous, vous, elle, très, non; those that end a clause: in, on, to; and whatever also counts: un.
_REPEATABLE: Final = {
    "en": listed("the i we he she they and but or because if when their our your its my i'm we're they're it's"),
    "fr": listed("je on il ils le les des du de et mais dans pour sur par avec que qui donc parce j'ai c'est il y à"),
}
_NEGATIONS: Final = {
    "en": listed("no not never none nothing nobody nowhere neither nor without cannot hardly"),
    "fr": listed("ne pas plus jamais rien personne aucun aucune ni non sans guère nul nulle"),
}
_NUMBERS: Final = {
    "en": listed(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million"
        " billion half double first second third once twice"
    ),
    "fr": listed(
        "zéro un une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize vingt"
        " trente quarante cinquante soixante septante octante nonante cent cents mille million millions milliard"
        " milliards demi demie double premier première second seconde deuxième troisième"
    ),
}
# No phrase ends with one of these, so a phrase that does and is begun again was broken off.
_OPEN: Final = {
    "en": listed(
        "the a an and or but because if my your our their its i we he she they every i'm you're we're they're it's"
        " he's she's that's there's i've you've we've they've i'll you'll we'll they'll it'll i'd we'd they'd"
    ),
    "fr": listed(
        "le la les des du de et mais ou je on il ils dans sur par à au aux en mon ton son ma ta sa mes tes ses leur"
        " leurs notre votre ce cette ces que parce"
    ),
}
# A clause can end with these after "if I can", hardly where it has just begun.
_AUXILIARIES: Final = {
    "en": listed("is was are were am have has had do did can could will would should must may might to be going"),
    "fr": listed("est était suis étais sont étaient ai a avait avons avez ont va vais faut peut peux doit dois c'est"),
}
_SUBJECTS: Final = {
    "en": listed("i we he she they it you that this there"),
    "fr": listed("je on il elle ils elles tu nous vous ça cela ce"),
}
_JOINED: Final = {"en": listed("and but so well now"), "fr": listed("et mais donc alors bon")}

_SPOKEN_ONCE_MS: Final = 1500
"""A word said again after so long a silence was meant."""
_LONGEST_RESTART: Final = 8
_LONG_RESTART: Final = 5
"""So many words in a row are not said again for emphasis and then carried on, with no mark between."""

_FRAGMENT: Final = re.compile(r"([^\W\d_]{1,4})(?:-|…|\.\.\.)\Z")
_CUT: Final = frozenset({"-", "…", "..."})
_WEAK: Final = frozenset({"", ","}) | _CUT
"""Marks after which what was said may be begun again within the same sentence."""


def drop_slips(draft: Draft, terms: Container[str]) -> None:
    """Leave out whatever is surely a slip.

    Args:
        draft: The turn.
        terms: First words of glossary terms, folded; none of them is a filler.
    """
    _drop_fillers(draft, terms)
    _drop_before(draft, _is_begun, "stutter")
    _drop_before(draft, _is_repeated, "repetition")
    _drop_false_starts(draft)


@lru_cache(maxsize=WORDS_KEPT)
def is_protected(core: str, language: str) -> bool:
    """Say whether a word, without marks and in lower case, negates or counts, and so is never left out."""
    if any(letter.isdigit() for letter in core) or core in _NUMBERS.get(language, ()):
        return True
    negated = core.endswith("n't") if language == "en" else language == "fr" and core.startswith("n'")
    return negated or core in _NEGATIONS.get(language, ())


def _drop_fillers(draft: Draft, terms: Container[str]) -> None:
    at = 0
    while at < len(draft.slots):
        if len(draft.slots) == 1 or not _is_filler(draft, at, terms):
            at += 1
        elif _takes_full_stop(draft, at):
            ended = draft.slots[at - 1].text.rstrip(",;:") + _full_stop(draft.slots[at].text)
            draft.change(at - 1, ended, "filler", count=2, keep_time=True)
        else:
            draft.change(at, "", "filler")


def _is_filler(draft: Draft, at: int, terms: Container[str]) -> bool:
    slot = draft.slots[at]
    plain = PLAIN.match(slot.text)
    if plain is None or plain[1].lower() not in _FILLERS.get(slot.language, ()) or fold(plain[1]) in terms:
        return False
    if plain[1].islower():
        return True
    # A capital inside a sentence, or before another, may be a name: Um Kulthum, ER.
    follower = draft.text(at + 1) if not plain[2] else ""
    named = follower[:1].isupper() and not ENGLISH_I.match(follower.lower())
    return plain[1].istitle() and draft.opens_sentence(at) and not named


def _full_stop(text: str) -> str:
    marks = parts(text)[2]
    return "" if "…" in marks or ".." in marks else "".join(mark for mark in marks if mark in ".?!")


def _takes_full_stop(draft: Draft, at: int) -> bool:
    """Say whether the word before must close the sentence that the filler closed."""
    if at == 0 or not _full_stop(draft.slots[at].text):
        return False
    before = draft.slots[at - 1].text
    return before.rstrip(",;:")[-1:].isalnum()


def _drop_before(draft: Draft, is_slip: Callable[[Slot, Slot], bool], rule: str) -> None:
    """Leave out each word that the word after it shows to be a slip."""
    at = 0
    while at + 1 < len(draft.slots):
        if is_slip(draft.slots[at], draft.slots[at + 1]):
            draft.change(at, "", rule)
        else:
            at += 1


def _is_begun(slot: Slot, following: Slot) -> bool:
    """Say whether a word is the beginning of the next one, broken off: ``st- student``, ``j' j'ai``."""
    fragment, elided = _FRAGMENT.match(slot.text), ELIDED.match(slot.text)
    found = fragment[1] if fragment else elided[1] if elided and not elided[2] else ""
    start = found.lower().replace("’", "'")
    begun = bool(start) and following.core.startswith(start) and len(following.core) > len(start)
    # "Pas" or "six" broken off before "passer" or "sixty" may have been all there was to say.
    return begun and slot.language == following.language and not is_protected(start, slot.language)


def _is_repeated(slot: Slot, following: Slot) -> bool:
    plain = PLAIN.match(slot.text)
    return (
        plain is not None
        and plain[2] in _WEAK
        and slot.core in _REPEATABLE.get(slot.language, ())
        and _same(slot, following)
        and _at_once(slot, following)
    )


def _same(slot: Slot, following: Slot) -> bool:
    both = PLAIN.match(slot.text) and PLAIN.match(following.text)
    return bool(both) and slot.core == following.core and slot.language == following.language


def _at_once(slot: Slot, following: Slot) -> bool:
    return following.words[0].start_ms - slot.words[-1].end_ms <= _SPOKEN_ONCE_MS


def _drop_false_starts(draft: Draft) -> None:
    """Leave out a phrase that is broken off and begun again with the same words: ``we need to, we need to ask``."""
    at = 0
    while at < len(draft.slots):
        lengths = range(_LONGEST_RESTART, 1, -1)
        length = next((length for length in lengths if _is_restarted(draft, at, length)), 0)
        if length:
            draft.change(at, "", "false_start", count=length)
        else:
            at += 1


def _is_restarted(draft: Draft, at: int, length: int) -> bool:
    if at + 2 * length >= len(draft.slots):
        # Said again and nothing after it: that is emphasis.
        return False
    first, again = draft.slots[at : at + length], draft.slots[at + length : at + 2 * length]
    said_again = all(map(_same, first[:-1], again[:-1])) and (
        _same(first[-1], again[-1]) or _is_begun(first[-1], again[-1])
    )
    if not said_again or not all(map(_at_once, first, draft.slots[at + 1 :])):
        return False
    marks = {_mark(slot) for slot in (*first[:-1], *again)}
    return marks == {""} and not _holds_protected(first, again) and _is_broken_off(draft, at, length)


def _mark(slot: Slot) -> str:
    plain = PLAIN.match(slot.text)
    return plain[2] if plain else "?"


def _holds_protected(first: Sequence[Slot], again: Sequence[Slot]) -> bool:
    capitals = any(slot.text[:1].isupper() and not ENGLISH_I.match(slot.text.lower()) for slot in (*first[1:], *again))
    return capitals or any(is_protected(slot.core, slot.language) for slot in first)


def _is_broken_off(draft: Draft, at: int, length: int) -> bool:
    """Say whether the first of two equal phrases was surely left unfinished."""
    first, last = draft.slots[at], draft.slots[at + length - 1]
    language, mark, before = first.language, _mark(last), draft.core(at - 1)
    if mark not in _WEAK or before == last.core or draft.core(at + 2 * length) == first.core:
        # "More and more and more": each is one more.
        return False
    if mark in _CUT or last.core in _OPEN.get(language, ()) or (length >= _LONG_RESTART and not mark):
        return True
    joined = _JOINED.get(language, frozenset())
    begins = draft.opens_sentence(at) or before in joined
    clause = first.core in _SUBJECTS.get(language, ()) or first.core in joined
    return begins and clause and last.core in _AUXILIARIES.get(language, ())
