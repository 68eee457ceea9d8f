"""Captions: from the words of a transcript to cues on the screen.

In comes a transcript with the caption rules of its languages; out go cues, each of one speaker in one language, with
its lines, its times and, where the speaker changes, a label. Every word of the transcript is in exactly one cue, in
order: where speech is too fast for the rules the words stay, and the lint report says so. It stands alone because
layout, times and labels must be right together, whatever file they are written to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from pipeline.caption_rules import CaptionRules, Rules, rules_for
from pipeline.layout import Block, lay_out
from pipeline.messages import message
from pipeline.speakers import speaker_label
from pipeline.types import Cue, Language, Transcript, Word
from pipeline.visible import visible, visible_word

__all__ = ["CaptionRules", "Rules", "label_text", "make_cues", "shown_lines", "speaker_name"]

_LEAST_SHOWN_MS: Final = 200
"""A cue is on screen at least so long, even when people speak at the same moment and its start must give way."""

_CUT: Final = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Words in a row of one speaker in one language, with the label they need."""

    words: tuple[Word, ...]
    speaker: str | None
    language: str
    label: str | None

    @property
    def start_ms(self) -> int:
        return self.words[0].start_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A cue that has its lines and not yet its times."""

    run: _Run
    lines: tuple[tuple[Word, ...], ...]
    label: str | None
    label_alone: bool
    rules: CaptionRules
    reading_ms: int

    @property
    def start_ms(self) -> int:
        return self.lines[0][0].start_ms

    @property
    def spoken_until_ms(self) -> int:
        return max(word.end_ms for line in self.lines for word in line)


def make_cues(transcript: Transcript, rules: Rules) -> tuple[Cue, ...]:
    """Lay out and time the captions of a transcript.

    A turn is divided as a whole by cost, never word by word; a cue holds one speaker and one language. A cue starts
    with its first word, up to ``start_tolerance_ms`` off it where it or its neighbour gains time to be read by that.

    Args:
        transcript: The verbatim one: captions say what was said.
        rules: Of every language, or by language.

    Returns:
        Cues in order, apart, with every word of the transcript once.
    """
    drafts = tuple(_drafts(transcript, rules))
    starts = _starts(drafts)
    ends = _ends(drafts, starts, transcript.duration_ms)
    return tuple(
        Cue(
            id=str(number),
            start_ms=start,
            end_ms=end,
            lines=draft.lines,
            speaker=draft.run.speaker,
            label=draft.label,
            language=draft.run.language,
            label_alone=draft.label_alone,
        )
        for number, (draft, start, end) in enumerate(zip(drafts, starts, ends, strict=True), 1)
    )


def shown_lines(cue: Cue, language: Language) -> tuple[str, ...]:
    """Return the lines of a cue as they are read on screen, with the label.

    Args:
        cue: The cue.
        language: The session's, for the label's punctuation.
    """
    lines = tuple(" ".join(visible_word(word) for word in line) for line in cue.lines)
    if cue.label is None:
        return lines
    label = label_text(cue.label, language)
    return (label, *lines) if cue.label_alone else (f"{label} {lines[0]}", *lines[1:])


def label_text(label: str, language: Language) -> str:
    """Return a speaker's label with the colon that the language puts after it."""
    return message("render.label", language, name=label)


def speaker_name(transcript: Transcript, key: str | None) -> str | None:
    """Return the full name to show for a speaker, or ``None`` where a name would tell nothing.

    A lone voice that nobody named stays without: "Speaker 1" tells nobody anything. A voice that could not be told
    among others is called so, lest its words pass for the speaker's before.
    """
    if key is None:
        return message("render.unknown_voice", transcript.language) if transcript.speakers else None
    speaker = transcript.speaker(key)
    alone = len(transcript.speakers) == 1 and all(turn.speaker is not None for turn in transcript.turns)
    if speaker.name is None and alone:
        return None
    return visible(speaker_label(speaker, transcript.language)) or None


def _drafts(transcript: Transcript, rules: Rules) -> Iterator[_Draft]:
    runs = tuple(_runs(transcript, rules))
    following = (*(run.start_ms for run in runs[1:]), None)
    for run, next_start_ms in zip(runs, following, strict=False):
        own = rules_for(rules, run.language)
        width = 0 if run.label is None else len(label_text(run.label, transcript.language)) + 1
        for block in lay_out(run.words, own, label_width=width, next_start_ms=next_start_ms):
            yield _draft(run, block, own, transcript.language)


def _runs(transcript: Transcript, rules: Rules) -> Iterator[_Run]:
    shown: str | None = None
    for turn in transcript.turns:
        name = speaker_name(transcript, turn.speaker)
        for language, words in groupby(turn.words, key=lambda word: word.language):
            label = _fitted(name, rules_for(rules, language), transcript.language) if name != shown else None
            shown = name
            yield _Run(words=tuple(words), speaker=turn.speaker, language=language, label=label)


def _fitted(name: str | None, rules: CaptionRules, language: Language) -> str | None:
    """Cut a label that would not fit on a line."""
    if name is None or len(label_text(name, language)) <= rules.line_characters:
        return name
    room = rules.line_characters - len(label_text(_CUT, language))
    return name[: max(0, room)].rstrip() + _CUT


def _draft(run: _Run, block: Block, rules: CaptionRules, language: Language) -> _Draft:
    bounds = (block.first, block.last) if block.middle is None else (block.first, block.middle, block.last)
    lines = tuple(run.words[left:right] for left, right in pairwise(bounds))
    label = run.label if block.first == 0 else None
    characters = sum(len(visible_word(word)) + 1 for line in lines for word in line) - 1
    if label is not None:
        characters += len(label_text(label, language)) + 1
    return _Draft(
        run=run,
        lines=lines,
        label=label,
        label_alone=block.label_alone,
        rules=rules,
        reading_ms=min(rules.most_ms, rules.reading_ms(characters, block.last - block.first)),
    )


def _starts(drafts: Sequence[_Draft]) -> list[int]:
    """Return when each cue comes: with its first word, unless time is lent to or by a neighbour."""
    starts: list[int] = []
    for draft in drafts:
        starts.append(max(draft.start_ms, starts[-1] if starts else 0))
    for at, draft in enumerate(drafts):
        if at == 0:
            starts[0] -= max(0, min(starts[0], draft.rules.start_tolerance_ms, _short_ms(drafts, starts, 0)))
        else:
            starts[at] += _lent_ms(drafts, starts, at)
    for at in range(1, len(starts)):
        starts[at] = max(starts[at], starts[at - 1] + _LEAST_SHOWN_MS + drafts[at - 1].rules.gap_ms)
    return starts


def _lent_ms(drafts: Sequence[_Draft], starts: Sequence[int], at: int) -> int:
    """Return by how much a cue should start later, for its predecessor's sake, or earlier (negative) for its own."""
    tolerance = drafts[at].rules.start_tolerance_ms
    before, here = _short_ms(drafts, starts, at - 1), _short_ms(drafts, starts, at)
    if before > 0 > here:
        return min(tolerance, before, -here)
    if here > 0 > before:
        # Only silence is taken from the predecessor: it stays while its own words sound.
        silence = starts[at] - drafts[at - 1].rules.gap_ms - drafts[at - 1].spoken_until_ms
        return -max(0, min(tolerance, here, -before, silence))
    return 0


def _short_ms(drafts: Sequence[_Draft], starts: Sequence[int], at: int) -> int:
    """Return how much longer a cue would have to stay to be read; negative where it has time to spare."""
    draft = drafts[at]
    next_start = starts[at + 1] if at + 1 < len(starts) else None
    return draft.reading_ms - (draft.rules.end_ms(starts[at], draft.spoken_until_ms, next_start) - starts[at])


def _ends(drafts: Sequence[_Draft], starts: Sequence[int], duration_ms: int) -> list[int]:
    following = (*starts[1:], None)
    ends = [
        draft.rules.end_ms(start, draft.spoken_until_ms, next_start)
        for draft, start, next_start in zip(drafts, starts, following, strict=False)
    ]
    if ends:
        ends[-1] = max(starts[-1] + _LEAST_SHOWN_MS, min(ends[-1], max(duration_ms, drafts[-1].spoken_until_ms)))
    return ends
