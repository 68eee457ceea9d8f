"""Check captions against the rules, and say plainly what each one breaks.

In come cues with the rules of their languages; out go findings: which cue, which rule, what was measured and what is
allowed. It stands alone because it does not trust whoever made the cues: it measures them as a viewer would see them,
so that captions from elsewhere can be checked too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from pipeline.breaking import Break, rank_breaks
from pipeline.caption_rules import CaptionRules, Rules, rules_for
from pipeline.captions import shown_lines
from pipeline.messages import message
from pipeline.types import Cue, Language
from pipeline.visible import visible_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that one cue breaks.

    Attributes:
        rule: Its name: ``line_length``, ``lines``, ``short``, ``long``, ``speed``, ``words_speed``, ``gap``,
            ``open_gap``, ``start``, ``linger`` or ``pair``.
        cue_id: Which cue; for a gap the one before it.
        start_ms: When that cue comes.
        measured: What it has, in the rule's unit: characters, lines, ms, characters a second, words a minute.
        limit: What it should have.
        lead: Of the rule ``speed``, how many of the characters only tell who speaks: dashes and labels.
        words_measured: … and at how many characters a second the words alone would be read.
        parted: Of the rule ``pair``, the words on either side of the break.
    """

    rule: str
    cue_id: str
    start_ms: int
    measured: float
    limit: float
    lead: int = 0
    words_measured: float | None = None
    parted: tuple[str, str] = ("", "")

    @property
    def for_name(self) -> bool:
        """Whether the words alone could be read: what is too fast is only that somebody is named beside them."""
        return self.words_measured is not None and self.words_measured <= self.limit

    def explain(self, language: Language) -> str:
        """Say what is wrong, for a person."""
        figures = {"measured": self.measured, "limit": self.limit}
        key = f"render.lint_{self.rule}"
        if self.words_measured is not None:
            figures |= {"lead": self.lead, "words": self.words_measured}
            key += "_named"
        data = {name: f"{figure:g}" for name, figure in figures.items()}
        if language == "fr":
            data = {name: figure.replace(".", ",") for name, figure in data.items()}
        first, second = self.parted
        return message(key, language, cue=self.cue_id, first=first, second=second, **data)


def lint(
    cues: Sequence[Cue], rules: Rules, *, language: Language = "en", told: Sequence[Cue] | None = None
) -> tuple[Finding, ...]:
    """Check every cue against every rule.

    Args:
        cues: In order.
        rules: Of every language, or by language.
        language: The session's, for the labels' punctuation.
        told: The same cues with labels told from words, where ``cues`` hold all that is seen as words.

    Returns:
        Findings in order of cue; empty where all is well. What only fast speech causes is here too: rule ``speed``.
    """
    found: list[Finding] = []
    following = (*cues[1:], None)
    for cue, after, apart in zip(cues, following, told or cues, strict=False):
        own = rules_for(rules, cue.language)
        found += _text(cue, apart, own, language)
        found += _time(cue, own)
        found += _neighbours(cue, after, own)
    found += _pairs(told or cues, rules)
    order = {cue.id: position for position, cue in enumerate(cues)}
    return tuple(sorted(found, key=lambda finding: order[finding.cue_id]))


def _finding(cue: Cue, rule: str, measured: float, limit: float) -> Finding:
    return Finding(rule=rule, cue_id=cue.id, start_ms=cue.start_ms, measured=measured, limit=limit)


def _text(cue: Cue, told: Cue, rules: CaptionRules, language: Language) -> Iterator[Finding]:
    lines = shown_lines(cue, language)
    longest = max(len(line) for line in lines)
    if longest > rules.line_characters:
        yield _finding(cue, "line_length", longest, rules.line_characters)
    if len(lines) > rules.lines:
        yield _finding(cue, "lines", len(lines), rules.lines)
    # The eye takes a line break for a space.
    characters = len(" ".join(lines))
    if cue.duration_ms < min(rules.most_ms, rules.reading_ms(characters, 0)) and cue.duration_ms > 0:
        speed = characters * 1000 / cue.duration_ms
        if speed > rules.characters_per_second:
            words = len(" ".join(visible_word(word) for word in told.words))
            alone = round(words * 1000 / cue.duration_ms, 1) if words < characters else None
            finding = _finding(cue, "speed", round(speed, 1), rules.characters_per_second)
            yield replace(finding, lead=characters - words, words_measured=alone)
    pace = len(cue.words) * 60_000 / max(1, cue.duration_ms)
    if rules.words_per_minute is not None and pace > rules.words_per_minute:
        yield _finding(cue, "words_speed", round(pace), rules.words_per_minute)


def _time(cue: Cue, rules: CaptionRules) -> Iterator[Finding]:
    if cue.duration_ms < rules.least_ms:
        yield _finding(cue, "short", cue.duration_ms, rules.least_ms)
    if cue.duration_ms > rules.most_ms:
        yield _finding(cue, "long", cue.duration_ms, rules.most_ms)
    off = cue.start_ms - cue.words[0].start_ms if cue.words else 0
    if abs(off) > rules.start_tolerance_ms:
        yield _finding(cue, "start", off, rules.start_tolerance_ms)


def _neighbours(cue: Cue, after: Cue | None, rules: CaptionRules) -> Iterator[Finding]:
    gap = None if after is None else after.start_ms - cue.end_ms
    if gap is not None and gap < rules.gap_ms:
        yield _finding(cue, "gap", gap, rules.gap_ms)
    if gap is not None and rules.gap_ms < gap < rules.closed_gap_ms:
        yield _finding(cue, "open_gap", gap, rules.gap_ms)
    if not cue.words:
        return
    spoken_until = max(word.end_ms for word in cue.words)
    latest = max(spoken_until + rules.linger_ms, cue.start_ms + rules.least_ms)
    # A cue that must stay for the shortest time may have to close the gap that is left.
    closing = gap == rules.gap_ms and cue.end_ms < latest + rules.closed_gap_ms
    if cue.end_ms > latest and not closing:
        yield _finding(cue, "linger", cue.end_ms - spoken_until, rules.linger_ms)


def _pairs(cues: Sequence[Cue], rules: Rules) -> Iterator[Finding]:
    """Yield a finding for every break between words that belong together."""
    lines = ((cue, line) for cue in cues for line in cue.lines if line.words)
    for (_, language), group in groupby(lines, key=lambda pair: (pair[1].speaker, pair[1].language)):
        run = tuple(group)
        words = [word for _, line in run for word in line.words]
        ranks = rank_breaks(words, rules_for(rules, language).words)
        at = 0
        for (cue, line), _ in pairwise(run):
            at += len(line.words)
            if ranks[at - 1] >= Break.PROTECTED:
                finding = _finding(cue, "pair", float(ranks[at - 1]), float(Break.POOR))
                yield replace(finding, parted=(visible_word(words[at - 1]), visible_word(words[at])))
