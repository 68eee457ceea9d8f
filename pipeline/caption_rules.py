"""The rules that captions are laid out, timed and checked by, as one value.

Nothing comes in but figures and word lists; out goes a checked `CaptionRules` that also knows the two sums made of
them: how long a text takes to read, and until when a caption may stay. It stands alone because layout, timing and
lint must share the very same arithmetic. What the standards say is data: config/captions has a file for each language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_Set = frozenset[str]
_LAST_MARKS: Final = re.compile(r"(?<=\w)([;!?]+[»”)]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordLists:
    """The words that decide where a language may be broken; lower case, elided forms with their apostrophe.

    Attributes:
        articles: Never parted from what follows.
        determiners: Not parted from a noun.
        adjectives: Those that come before their noun, and adverbs that come before their adjective.
        pronouns: Subjects, not parted from their verb.
        auxiliaries: Not parted from the verb.
        negations_before: Never parted from what follows.
        negations_after: Never parted from what precedes.
        conjunctions: Good to break before.
        prepositions: Good to break before, less so.
        open_prepositions: Never parted from what follows.
        titles: Never parted from a name; with their full stop where they have one.
        numbers: In letters; not parted from what they count.
        numbered: Nouns that a number after them names; never parted from it.
        units: Never parted from a number before.
        months: Never parted from a number before or after.
        compounds: Pairs with a space between that read as one word.
    """

    articles: _Set = field(default_factory=_Set)
    determiners: _Set = field(default_factory=_Set)
    adjectives: _Set = field(default_factory=_Set)
    pronouns: _Set = field(default_factory=_Set)
    auxiliaries: _Set = field(default_factory=_Set)
    negations_before: _Set = field(default_factory=_Set)
    negations_after: _Set = field(default_factory=_Set)
    conjunctions: _Set = field(default_factory=_Set)
    prepositions: _Set = field(default_factory=_Set)
    open_prepositions: _Set = field(default_factory=_Set)
    titles: _Set = field(default_factory=_Set)
    numbers: _Set = field(default_factory=_Set)
    numbered: _Set = field(default_factory=_Set)
    units: _Set = field(default_factory=_Set)
    months: _Set = field(default_factory=_Set)
    compounds: _Set = field(default_factory=_Set)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRules:
    """How captions of one language look and when they show. The defaults are those of English.

    Attributes:
        line_characters: Most characters on a line, the speaker's label counted.
        lines: Most lines in a cue, 1 or 2.
        least_ms: Shortest time on screen.
        most_ms: Longest time on screen.
        characters_per_second: Fastest reading, spaces counted.
        words_per_minute: Fastest reading in words, for a slower profile; ``None`` for no such limit.
        gap_ms: Shortest time between two cues.
        closed_gap_ms: A gap shorter than this is closed to ``gap_ms``.
        start_tolerance_ms: How far a cue may start from its first word.
        linger_ms: How long a cue may stay after its last word.
        shot_ms: A cue that comes or goes so close to a shot change does so with it, where the other rules allow.
        dash_ms: How long after their names a dash may stand for one of two people who answer each other.
        space_before_marks: What stands between a word and ``;``, ``!`` or ``?`` after it: nothing in Canada.
        words: What the language may be broken between.
    """

    line_characters: int = 42
    lines: int = 2
    least_ms: int = 833
    most_ms: int = 7000
    characters_per_second: float = 20
    words_per_minute: float | None = None
    gap_ms: int = 83
    closed_gap_ms: int = 500
    start_tolerance_ms: int = 100
    linger_ms: int = 500
    shot_ms: int = 500
    dash_ms: int = 20_000
    space_before_marks: str = ""
    words: WordLists = field(default_factory=WordLists)

    def __post_init__(self) -> None:
        if self.lines not in {1, 2}:
            raise ValueError(f"a cue has one or two lines, not {self.lines}")
        if self.line_characters < 1 or self.characters_per_second <= 0:
            raise ValueError("a line holds characters and somebody reads them")
        if self.words_per_minute is not None and self.words_per_minute <= 0:
            raise ValueError(f"not a reading speed: {self.words_per_minute} words a minute")
        if self.space_before_marks.strip():
            raise ValueError(f"not white space: {self.space_before_marks!r}")
        if not 0 < self.least_ms <= self.most_ms:
            raise ValueError(f"no cue lasts both {self.least_ms} ms at least and {self.most_ms} ms at most")
        if not 0 <= self.gap_ms <= self.closed_gap_ms or min(self._tolerances) < 0:
            raise ValueError("gaps and tolerances are times, the closed gap the longer one")

    @property
    def _tolerances(self) -> tuple[int, ...]:
        return self.start_tolerance_ms, self.linger_ms, self.shot_ms, self.dash_ms

    def reading_ms(self, characters: int, words: int) -> int:
        """Return the shortest time in which so much text can be read, at least ``least_ms``.

        Example:
            >>> CaptionRules().reading_ms(characters=60, words=11)
            3000
        """
        by_characters = characters * 1000 / self.characters_per_second
        by_words = 0.0 if self.words_per_minute is None else words * 60_000 / self.words_per_minute
        return max(self.least_ms, -int(-max(by_characters, by_words) // 1))

    def typeset(self, text: str) -> str:
        """Return a word with the space that the language wants before its last marks.

        Example:
            >>> CaptionRules(space_before_marks=" ").typeset("Quoi?!"), CaptionRules().typeset("Quoi?!")
            ('Quoi ?!', 'Quoi?!')
        """
        return _LAST_MARKS.sub(rf"{self.space_before_marks}\1", text) if self.space_before_marks else text

    def end_ms(self, start_ms: int, spoken_until_ms: int, next_start_ms: int | None) -> int:
        """Return when a cue goes.

        It stays as long after its last word as it may, which gives the reader the free time; a gap to the next cue is
        either closed or left at least ``closed_gap_ms`` long. Only the shortest time on screen outweighs the last
        word, and only the next cue outweighs that: with no time at all between two starts the result lies before
        ``start_ms``.

        Args:
            start_ms: When the cue comes.
            spoken_until_ms: End of its last word.
            next_start_ms: When the next cue comes, or ``None`` for the last.

        Example:
            >>> rules = CaptionRules()
            >>> rules.end_ms(0, 2000, None), rules.end_ms(0, 2000, 2300), rules.end_ms(0, 2000, 2800)
            (2500, 2217, 2300)
        """
        least = start_ms + self.least_ms
        most = start_ms + self.most_ms
        latest = min(max(spoken_until_ms + self.linger_ms, least), most)
        if next_start_ms is None:
            return latest
        closed = next_start_ms - self.gap_ms
        if closed <= latest or next_start_ms - latest >= self.closed_gap_ms:
            return min(closed, latest)
        opened = next_start_ms - self.closed_gap_ms
        return opened if opened >= max(spoken_until_ms, least) else min(closed, most)


Rules = CaptionRules | Mapping[str, CaptionRules]
"""The same rules for every language, or each language's own."""


def rules_for(rules: Rules, language: str) -> CaptionRules:
    """Return the rules of a language, of whatever country, or those of the first one where it has none."""
    if isinstance(rules, CaptionRules):
        return rules
    return rules.get(language) or rules.get(language.partition("-")[0]) or next(iter(rules.values()))
