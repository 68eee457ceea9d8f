"""Captions: from the words of a transcript to cues on the screen.

In comes a transcript with the caption rules of its languages; out go cues with their times and lines, each line of one
speaker in one language and, where the speaker changes, with a label. Every word of the transcript is in exactly one
cue, in order: where speech is too fast for the rules the words stay, and the lint report says so. It stands alone
because layout, times and labels must be right together, whatever file they are written to.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Final

from pipeline.caption_rules import CaptionRules, Rules, rules_for
from pipeline.layout import Run, lay_out
from pipeline.messages import message
from pipeline.speakers import speaker_label
from pipeline.types import Cue, Language, Line, Transcript, Word
from pipeline.visible import visible, visible_word

_LEAST_SHOWN_MS: Final = 200
"""A cue is on screen at least so long, even when people speak at the same moment and its start must give way."""

_CUT: Final = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Words in a row of one speaker in one language, with the label they need, or a dash where it comes later."""

    words: tuple[Word, ...]
    speaker: str | None
    language: str
    label: str | None
    rules: CaptionRules
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A cue that has its lines and not yet its times."""

    lines: tuple[Line, ...]
    rules: CaptionRules
    reading_ms: int

    @property
    def words(self) -> Iterator[Word]:
        return (word for line in self.lines for word in line.words)

    @property
    def start_ms(self) -> int:
        return next(self.words).start_ms

    @property
    def spoken_until_ms(self) -> int:
        return max(word.end_ms for word in self.words)


def make_cues(transcript: Transcript, rules: Rules, shots_ms: Sequence[int] = ()) -> tuple[Cue, ...]:
    """Lay out and time the captions of a transcript.

    All is divided as a whole by cost, never word by word. A line holds one speaker and one language, and so does a cue,
    unless two runs of words have too little time for a cue each: these share one, a line each. A cue starts with its
    first word, up to ``start_tolerance_ms`` off it where it or its neighbour gains time to be read by that.

    Args:
        transcript: The verbatim one: captions say what was said.
        rules: Of every language, or by language.
        shots_ms: When the picture goes to another shot, in order: cues that come or go close to that do so with it.

    Returns:
        Cues in order, apart, with every word of the transcript once, set by the typography of its rules.
    """
    drafts = _drafts(tuple(_runs(transcript, rules)), transcript.language)
    starts = _starts(drafts, shots_ms)
    ends = _ends(drafts, starts, shots_ms, transcript.duration_ms)
    return tuple(
        Cue(id=str(number), start_ms=start, end_ms=end, lines=draft.lines)
        for number, (draft, start, end) in enumerate(zip(drafts, starts, ends, strict=True), 1)
    )


def shown_lines(cue: Cue, language: Language) -> tuple[str, ...]:
    """Return the lines of a cue as they are read on screen, with dashes and labels.

    Args:
        cue: The cue.
        language: The session's, for the typography of dash and label.
    """
    pairs = zip(cue.lines, leads(cue, language), strict=True)
    return tuple("".join(lead) + " ".join(visible_word(word) for word in line.words) for line, lead in pairs)


def leads(cue: Cue, language: Language) -> tuple[tuple[str, ...], ...]:
    """Return what comes before the words of each line, with the spaces after it: in a dialogue a dash, then a label."""
    before = (None, *cue.lines)
    return tuple(tuple(_lead(line, above, cue, language)) for above, line in zip(before, cue.lines, strict=False))


def _lead(line: Line, above: Line | None, cue: Cue, language: Language) -> Iterator[str]:
    if line.dashed or (cue.dialogue and (above is None or above.speaker != line.speaker)):
        yield message("render.dashed", language, text="")
    if line.label is not None:
        yield label_text(line.label, language) + " " * bool(line.words)


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


def _drafts(runs: tuple[_Run, ...], language: Language) -> tuple[_Draft, ...]:
    """Divide runs into cues. A label that cannot be read beside its words waits for the next cue of its speaker.

    A dash says meanwhile that somebody else speaks, so that nobody's words pass for another's.
    """
    drafts = tuple(_laid(runs, language))
    waiting = frozenset(_unread_labels(drafts))
    while waiting:
        late = tuple(_laid(tuple(_with_late_labels(runs, waiting)), language))
        # Where the next cue cannot bear it either, the name comes at once: it outweighs speed.
        gained = waiting & frozenset(_read_late(late))
        if gained == waiting:
            return late
        waiting = gained
    return drafts


def _laid(runs: Sequence[_Run], language: Language) -> Iterator[_Draft]:
    owners = tuple(run for run in runs for _ in run.words)
    words = tuple(word for run in runs for word in run.words)
    for block in lay_out(tuple(_measured(runs, language))):
        lines = tuple(
            Line(
                words=words[row.first : row.last],
                speaker=owners[row.first].speaker,
                language=owners[row.first].language,
                label=owners[row.first].label if row.labelled else None,
                dashed=owners[row.first].dashed and row.labelled,
            )
            for row in block
        )
        yield _draft(lines, owners[block[0].first].rules, language)


def _unread_labels(drafts: Sequence[_Draft]) -> Iterator[int]:
    """Yield after how many words a label should come that is in a cue with too little time, where its run goes on."""
    starts = _starts(drafts, ())
    spoken = 0
    for at, draft in enumerate(drafts):
        spoken += sum(1 for _ in draft.words)
        first, after = draft.lines[0], drafts[at + 1].lines[0] if at + 1 < len(drafts) else None
        goes_on = after is not None and after.label is None and _whose(after) == _whose(first)
        alone = len({_whose(line) for line in draft.lines}) == 1
        if first.label is not None and alone and goes_on and _short_ms(drafts, starts, at) > 0:
            yield spoken


def _whose(line: Line) -> tuple[str | None, str]:
    return line.speaker, line.language


def _with_late_labels(runs: Sequence[_Run], waiting: AbstractSet[int]) -> Iterator[_Run]:
    """Yield runs in which the label of some comes after so many words of all."""
    spoken = 0
    for run in runs:
        cut = next((at - spoken for at in range(spoken + 1, spoken + len(run.words)) if at in waiting), None)
        spoken += len(run.words)
        if cut is None:
            yield run
        else:
            yield replace(run, words=run.words[:cut], label=None, dashed=True)
            yield replace(run, words=run.words[cut:])


def _read_late(drafts: Sequence[_Draft]) -> Iterator[int]:
    """Yield after how many words a label comes late, where both its cue and the dashed one before can be read."""
    starts = _starts(drafts, ())
    spoken = 0
    for at, (draft, after) in enumerate(pairwise(drafts)):
        spoken += sum(1 for _ in draft.words)
        late = draft.lines[0].dashed and after.lines[0].label is not None
        if late and max(_short_ms(drafts, starts, each) for each in (at, at + 1)) <= 0:
            yield spoken


def _measured(runs: Sequence[_Run], language: Language) -> Iterator[Run]:
    """Yield the runs as the layout sees them: as words and widths."""
    dash = len(message("render.dashed", language, text=""))
    for before, run, after in zip((None, *runs), runs, (*runs[1:], None), strict=False):
        yield Run(
            words=run.words,
            rules=run.rules,
            label_width=dash * run.dashed if run.label is None else len(label_text(run.label, language)) + 1,
            dash_width=dash,
            answered=after is None or after.label is not None or after.dashed,
            same_speaker=before is not None and before.speaker == run.speaker,
            dashed=run.dashed,
        )


def _runs(transcript: Transcript, rules: Rules) -> Iterator[_Run]:
    """Yield words in a row of one speaker in one language, over the turns that they are divided into."""
    shown: str | None = None
    said = ((turn.speaker, word) for turn in transcript.turns for word in turn.words)
    for (speaker, language), group in groupby(said, key=lambda pair: (pair[0], pair[1].language)):
        name = speaker_name(transcript, speaker)
        own = rules_for(rules, language)
        label = _fitted(name, own, transcript.language) if name != shown else None
        shown = name
        words = tuple(replace(word, text=own.typeset(word.text)) for _, word in group)
        yield _Run(words=words, speaker=speaker, language=language, label=label, rules=own)


def _fitted(name: str | None, rules: CaptionRules, language: Language) -> str | None:
    """Cut a label that would not fit on a line."""
    if name is None or len(label_text(name, language)) <= rules.line_characters:
        return name
    room = rules.line_characters - len(label_text(_CUT, language))
    return name[: max(0, room)].rstrip() + _CUT


def _draft(lines: tuple[Line, ...], rules: CaptionRules, language: Language) -> _Draft:
    cue = Cue(id="", start_ms=0, end_ms=0, lines=lines)
    # The eye takes a line break for a space.
    characters = len(" ".join(shown_lines(cue, language)))
    return _Draft(lines=lines, rules=rules, reading_ms=min(rules.most_ms, rules.reading_ms(characters, len(cue.words))))


def _starts(drafts: Sequence[_Draft], shots_ms: Sequence[int]) -> list[int]:
    """Return when each cue comes: with its first word, unless time is lent to or by a neighbour or a shot changes."""
    starts: list[int] = []
    for draft in drafts:
        starts.append(max(draft.start_ms, starts[-1] if starts else 0))
    for at, draft in enumerate(drafts):
        if at == 0:
            starts[0] -= max(0, min(starts[0], draft.rules.start_tolerance_ms, _short_ms(drafts, starts, 0)))
        else:
            starts[at] += _lent_ms(drafts, starts, at)
        starts[at] = _start_with_shot(drafts, starts, at, shots_ms)
    for at in range(1, len(starts)):
        starts[at] = max(starts[at], starts[at - 1] + _LEAST_SHOWN_MS + drafts[at - 1].rules.gap_ms)
    return starts


def _start_with_shot(drafts: Sequence[_Draft], starts: list[int], at: int, shots_ms: Sequence[int]) -> int:
    """Return the shot change close to a cue's start, where neither it nor the one before loses by it, or that start."""
    draft, usual = drafts[at], starts[at]
    reach = min(draft.rules.shot_ms, draft.rules.start_tolerance_ms)
    shot = _nearest(shots_ms, draft.start_ms, reach)
    if shot is None:
        return usual
    concerned = range(max(0, at - 1), at + 1)
    before = [max(0, _short_ms(drafts, starts, each)) for each in concerned]
    spoken = at > 0 and shot - drafts[at - 1].rules.gap_ms < min(
        drafts[at - 1].spoken_until_ms, usual - drafts[at - 1].rules.gap_ms
    )
    starts[at] = shot
    after = [max(0, _short_ms(drafts, starts, each)) for each in concerned]
    starts[at] = usual
    return usual if spoken or any(late > early for early, late in zip(before, after, strict=True)) else shot


def _nearest(shots_ms: Sequence[int], moment: int, reach: int) -> int | None:
    """Return the shot change that is nearest to a moment, if any is within reach."""
    at = bisect_left(shots_ms, moment)
    near = [shot for shot in shots_ms[max(0, at - 1) : at + 1] if abs(shot - moment) <= reach]
    return min(near, key=lambda shot: abs(shot - moment), default=None)


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


def _ends(drafts: Sequence[_Draft], starts: Sequence[int], shots_ms: Sequence[int], duration_ms: int) -> list[int]:
    following = (*starts[1:], None)
    ends = [
        _end(draft, start, next_start, shots_ms)
        for draft, start, next_start in zip(drafts, starts, following, strict=False)
    ]
    if ends:
        ends[-1] = max(starts[-1] + _LEAST_SHOWN_MS, min(ends[-1], max(duration_ms, drafts[-1].spoken_until_ms)))
    return ends


def _end(draft: _Draft, start: int, next_start: int | None, shots_ms: Sequence[int]) -> int:
    """Return when a cue goes: as late as it may, or before a shot change, where it has been read and heard by then."""
    rules = draft.rules
    usual = rules.end_ms(start, draft.spoken_until_ms, next_start)
    shot = _nearest(shots_ms, usual, rules.shot_ms)
    if shot is None:
        return usual
    end = shot - rules.gap_ms
    # Before the next cue there is either no gap to be seen or one that is long enough.
    apart = next_start is None or next_start == shot or next_start - end >= rules.closed_gap_ms
    heard = max(draft.spoken_until_ms, start + draft.reading_ms) <= end <= usual
    return end if apart and heard else usual
