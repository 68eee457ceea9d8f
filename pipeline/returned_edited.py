"""What a person changed in the edited text, as a correction of the words that were said.

The paragraphs of a document and the revision that it was made from go in, with the edited text as it was; the
correction of the verbatim transcript comes out. Only what differs from the edited text counts: words that a person left
alone stay as they were recognised however they had been edited, words that editing had left out stay in, and what a
person wrote takes the place of the words behind what they wrote over. Pure; stands alone because taking an edited text
for a transcript would quietly delete what was said.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from typing import Final, TypeVar

from pipeline.captions import speaker_name
from pipeline.cuts import left_by_cuts
from pipeline.editing import Edited
from pipeline.formatting import format_clock
from pipeline.matching import fold, match, straight
from pipeline.render.comparison import mark_changes
from pipeline.returned import Line, People, check_alike, labels_of, words_of
from pipeline.returned_docx import Block
from pipeline.revisions import CorrectedTurn, Correction, Revision, Token
from pipeline.types import Transcript
from pipeline.visible import UNSHOWABLE, visible

_T = TypeVar("_T")

_SPACES: Final = re.compile(r"[^\S\u00a0\u202f]+")
_PARTS: Final = re.compile("[ \u00a0\u202f]+")
_LIKELY: Final = 0.5
"""Share of its words that a paragraph of no known style needs in common with the text, to be part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a document amounts to.

    Attributes:
        correction: Of the revision that it was made from.
        aside: Paragraphs that were left out, since nothing shows that they are the transcript's.
        words: Of the rest, in order.
    """

    correction: Correction
    aside: tuple[str, ...]
    words: tuple[str, ...]

    def unlike(self, edited: Transcript) -> tuple[str, ...]:
        """Return the passages that the corrected transcript, once edited again, will not read as the document does.

        Args:
            edited: The corrected transcript, edited.
        """
        said = [
            (word.start_ms, part)
            for word in edited.words
            for text in _words(visible(word.text))
            for part in _parts(text)
        ]
        typed = [part for word in self.words for part in _parts(word)]
        pairs = [pair for pair in match(typed, [text for _, text in said]) if typed[pair[0]] == said[pair[1]][1]]
        found = []
        for (at, to), (until, up_to) in pairwise(((-1, -1), *pairs, (len(typed), len(said)))):
            if until - at > 1 or up_to - to > 1:
                start_ms = said[min(to + 1, len(said) - 1)][0] if said else 0
                reads = " ".join(text for _, text in said[to + 1 : up_to])
                found.append(f"{format_clock(start_ms)} “{' '.join(typed[at + 1 : until])}” → “{reads}”")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """One word of the edited text, or one that it leaves out or hides.

    Attributes:
        words: Indices in the revision of the words behind it, in order; none where they are hidden.
        texts: What a reader sees, parted at every space; nothing where it is left out.
        hidden: Whether a cut keeps it from readers, rather than editing.
    """

    words: tuple[int, ...]
    texts: tuple[str, ...]
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """The words of a document.

    Attributes:
        words: Each with the index of its paragraph.
        parts: The same parted at every space, each with the index of its word.
    """

    words: tuple[tuple[int, str], ...]
    parts: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, lines: Sequence[Line]) -> _Text:
        """Divide paragraphs into words."""
        words = tuple((number, word) for number, line in enumerate(lines) for word in line.words)
        parts = tuple((at, part) for at, (_, word) in enumerate(words) for part in _parts(word))
        return cls(words=words, parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A word of the correction and where it belongs.

    Attributes:
        token: The word.
        turn: Index of the revision's turn that it is in; ``None`` where that of its neighbours.
        line: Index of the paragraph; ``None`` where no paragraph shows it.
    """

    token: Token
    turn: int | None
    line: int | None


def compare(blocks: Sequence[Block], revision: Revision, shown: Transcript, edited: Edited) -> Compared:
    """Return what a document says otherwise than the edited text that it was made from.

    Args:
        blocks: Of the document.
        revision: That the document was made from.
        shown: Its words without what its cuts hide.
        edited: The same, edited as the document was.

    Raises:
        ReturnedFileInvalid: It says something else altogether.
    """
    units = tuple(_units(revision, shown, edited))
    lines, aside = _lines(blocks, units)
    text = _Text.of(lines)
    pairs = _match(units, text)
    check_alike(len(pairs), sum(len(unit.texts) for unit in units), len(text.parts))
    alone = _left_alone(units, text, pairs)
    placed = _Placing(revision.transcript, units, text).placed(alone)
    was = {word: units[unit].words[0] for unit, word in alone if units[unit].words}
    people = People.of(lines, text.words, was, revision.transcript)
    speakers = _Speakers(revision.transcript, shown, lines, people)
    correction = Correction(
        turns=tuple(_turns(placed, speakers)),
        names=speakers.names(),
        cuts=revision.cuts,
        title=revision.title,
        chapters=revision.chapters,
    )
    return Compared(correction=correction, aside=aside, words=tuple(word for _, word in text.words))


def _units(revision: Revision, shown: Transcript, edited: Edited) -> Iterator[_Unit]:
    """Yield every word of the edited text with the words behind it, and what it leaves out or hides where that was."""
    origins = left_by_cuts(revision.transcript, revision.cuts)
    at = following = 0
    for marked in mark_changes(shown.words, edited.edits):
        words = tuple(index for index in origins[at : at + marked.count] if index is not None)
        at += marked.count
        hidden: list[int] = []
        if words:
            yield from _unseen(range(following, words[0]))
            following = words[-1] + 1
            hidden = sorted({*range(words[0], following)} - {*words})
        text = (visible(marked.after) or UNSHOWABLE) if marked.after else ""
        yield _Unit(words=words, texts=tuple(part for word in _words(text) for part in _parts(word)))
        yield from _unseen(hidden)
    yield from _unseen(range(following, len(revision.transcript.words)))


def _unseen(indices: Iterable[int]) -> Iterator[_Unit]:
    return (_Unit(words=(index,), texts=(), hidden=True) for index in indices)


def _words(text: str) -> list[str]:
    return words_of(_SPACES.split(text))


def _parts(word: str) -> list[str]:
    return [part for part in _PARTS.split(unicodedata.normalize("NFC", straight(word))) if part]


def _lines(blocks: Sequence[Block], units: Sequence[_Unit]) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Return who says what, and the paragraphs that are not taken for anything said."""
    lines = tuple(_spoken(blocks))
    text = _Text.of([line for line, _ in lines])
    found = Counter(text.words[text.parts[to][0]][0] for _, to in _match(units, text))
    total = Counter(text.words[word][0] for word, _ in text.parts)
    strange = {
        number
        for number, (_, block) in enumerate(lines)
        if block.kind == "likely" and found[number] < _LIKELY * total[number]
    }
    left_out = {id(block) for number, (_, block) in enumerate(lines) if number in strange}
    aside = tuple(block.text for block in blocks if block.kind == "aside" or id(block) in left_out)
    return tuple(line for number, (line, _) in enumerate(lines) if number not in strange), aside


def _spoken(blocks: Sequence[Block]) -> Iterator[tuple[Line, Block]]:
    speaker: str | None = None
    for block in blocks:
        if block.kind == "speaker":
            speaker = block.text or None
        elif block.kind != "aside":
            words = tuple(_words(block.text))
            if words:
                yield Line(speaker=speaker, words=words), block


def _match(units: Sequence[_Unit], text: _Text) -> list[tuple[int, int]]:
    """Return which part of the edited text is which part of the document."""
    return match([part for unit in units for part in unit.texts], [part for _, part in text.parts])


def _left_alone(units: Sequence[_Unit], text: _Text, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return units and the words of the document that they still are, to the letter, as rising pairs of indices."""
    parts = [(number, part) for number, unit in enumerate(units) for part in unit.texts]
    exact = [(at, to) for at, to in pairs if parts[at][1] == text.parts[to][1]]
    links = [(parts[at][0], text.parts[to][0]) for at, to in exact]
    changed = {parts[at][0] for at in {*range(len(parts))} - {at for at, _ in exact}}
    retyped = {text.parts[to][0] for to in {*range(len(text.parts))} - {to for _, to in exact}}
    # A word of one text may be two of the other: once forth and once back reaches whatever hangs together.
    for unit, word in (*links, *reversed(links)):
        if unit in changed or word in retyped:
            changed.add(unit)
            retyped.add(word)
    return [link for link in dict.fromkeys(links) if link[0] not in changed]


class _Placing:
    """Puts the words of a document where they belong among those that it leaves alone or does not show.

    Args:
        before: The transcript that is corrected.
        units: What the document was made from.
        text: Of the document.
    """

    def __init__(self, before: Transcript, units: Sequence[_Unit], text: _Text) -> None:
        self._words = before.words
        self._turn_of = [number for number, turn in enumerate(before.turns) for _ in turn.words]
        self._units = units
        self._text = text

    def placed(self, alone: Sequence[tuple[int, int]]) -> list[_Placed]:
        """Return every word of the corrected transcript, in order."""
        placed: list[_Placed] = []
        next_unit = next_word = 0
        for unit, word in (*alone, (len(self._units), len(self._text.words))):
            if unit >= next_unit:
                placed += self._between(range(next_unit, unit), range(next_word, word))
                placed += self._kept(unit, self._text.words[word][0]) if unit < len(self._units) else ()
            next_unit, next_word = unit + 1, word + 1
        return list(self._without_dead_turns(placed))

    def _between(self, units: range, words: range) -> Iterator[_Placed]:
        """Yield what stands between two places that were left alone: first what reads alike there, then the rest."""
        seen = [unit for unit in units if self._units[unit].texts]
        alike = match([" ".join(self._units[unit].texts) for unit in seen], [self._text.words[at][1] for at in words])
        first_unit, first_word = units.start, words.start
        for at, to in alike:
            unit, word = seen[at], words.start + to
            yield from self._replaced(range(first_unit, unit), range(first_word, word))
            yield self._typed(word, unit, alike=True)
            first_unit, first_word = unit + 1, word + 1
        yield from self._replaced(range(first_unit, units.stop), range(first_word, words.stop))

    def _replaced(self, units: range, words: range) -> Iterator[_Placed]:
        """Yield words in place of others, evenly, around those that the document never showed."""
        seen = [unit for unit in units if self._units[unit].texts]
        done = words.start
        passed = 0
        before = self._text.words[words.start - 1][0] if words.start else 0
        for unit in units:
            if self._units[unit].texts:
                passed += 1
                until = words.start + -(-len(words) * passed // len(seen))
                yield from (self._typed(word, unit) for word in range(done, until))
                done = until
                continue
            while not seen and done < words.stop and self._text.words[done][0] == before:
                yield self._typed(done, None)
                done += 1
            yield from self._kept(unit, None)
        yield from (self._typed(word, None) for word in range(done, words.stop))

    def _kept(self, unit: int, line: int | None) -> Iterator[_Placed]:
        for index in self._units[unit].words:
            token = Token(text=self._words[index].text, was=index)
            yield _Placed(token=token, turn=self._turn_of[index], line=line)

    def _typed(self, word: int, unit: int | None, *, alike: bool = False) -> _Placed:
        line, text = self._text.words[word]
        behind = () if unit is None else self._units[unit].words
        was = behind[0] if alike and len(behind) == 1 else None
        return _Placed(token=Token(text=text, was=was), turn=self._turn_of[behind[0]] if behind else None, line=line)

    def _without_dead_turns(self, placed: Sequence[_Placed]) -> Iterator[_Placed]:
        """Yield all but what had been left out of turns of which a person has taken away all that was to be read."""
        read = {self._turn_of[index] for unit in self._units if unit.texts for index in unit.words}
        living = {each.turn for each in placed if each.line is not None}
        hidden = {index for unit in self._units if unit.hidden for index in unit.words}
        for each in placed:
            dead = each.line is None and each.turn in read and each.turn not in living
            if not dead or each.token.was in hidden:
                yield each


class _Speakers:
    """Who says each word of a document.

    Args:
        before: The transcript that is corrected.
        shown: What of it the document shows.
        lines: Of the document.
        people: As the document calls them.
    """

    def __init__(self, before: Transcript, shown: Transcript, lines: Sequence[Line], people: People) -> None:
        keys = (None, *(speaker.key for speaker in shown.speakers))
        self._called = {key: fold(speaker_name(shown, key) or "") for key in keys}
        self._before = before
        self._lines = lines
        self._people = people

    def before(self, turn: int) -> str | None:
        """Return who said a turn."""
        return self._before.turns[turn].speaker

    def of(self, turn: int, line: int) -> str | None:
        """Return who says a word of a line; two people of one name stay who they were."""
        was = self.before(turn)
        same = self._called.get(was, "") == fold(self._lines[line].speaker or "")
        return was if same else self._people.keys[line]

    def names(self) -> tuple[tuple[str, str], ...]:
        """Return how everybody is called, one that is only spelled otherwise than before as the document spells it."""
        labels = labels_of(self._before)
        spelled: dict[str, set[str]] = {}
        for line in self._lines:
            if line.speaker and (key := labels.get(fold(line.speaker))):
                spelled.setdefault(key, set()).add(line.speaker)
        return tuple(
            (key, next(iter(spelled[key])) if len(spelled.get(key, ())) == 1 else name)
            for key, name in self._people.names
        )


def _turns(placed: Sequence[_Placed], speakers: _Speakers) -> Iterator[CorrectedTurn]:
    turns = _turn_numbers(placed)
    said = [
        None if each.line is None else (turn, speakers.of(turn, each.line))
        for each, turn in zip(placed, turns, strict=True)
    ]
    # What no line shows goes with what is shown of its turn after it, or else before it.
    after = reversed(list(accumulate(reversed(said), _newer)))
    ahead = list(accumulate(said, _newer))
    keys = [
        next((found for found in (own, later, earlier) if found and found[0] == turn), (turn, speakers.before(turn)))
        for turn, own, later, earlier in zip(turns, said, after, ahead, strict=True)
    ]
    for (_, speaker), run in groupby(zip(keys, placed, strict=True), key=lambda pair: pair[0]):
        yield CorrectedTurn(speaker=speaker, tokens=tuple(each.token for _, each in run))


def _turn_numbers(placed: Sequence[_Placed]) -> list[int]:
    """Return the turn of each word; what was typed in between is in that of its line, or else of what is before it."""
    known = [None if each.turn is None else (each.turn, each.line) for each in placed]
    after = list(reversed(list(accumulate(reversed(known), _newer))))
    found: list[int] = []
    before: tuple[int, int | None] | None = None
    for each, later in zip(placed, after, strict=True):
        if each.turn is not None:
            turn = each.turn
        elif before is None or (later is not None and before[1] != each.line == later[1]):
            turn = later[0] if later is not None else 0
        else:
            turn = before[0]
        before = (turn, each.line)
        found.append(turn)
    return found


def _newer(older: _T | None, newer: _T | None) -> _T | None:
    return older if newer is None else newer
