"""Captions: from the words of a transcript to cues on the screen.

In comes a transcript with the caption rules of its languages; out go cues with their times and lines, each line of one
speaker in one language and, where the speaker changes, with a label. Every word of the transcript is in exactly one
cue, in order: where speech is too fast for the rules the words stay, and the lint report says so. It stands alone
because layout, times and labels must be right together, whatever file they are written to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Final

from pipeline.caption_rules import CaptionRules, Rules, rules_for
from pipeline.cue_times import Shown, end_times, start_times, unread_ms
from pipeline.layout import Run, lay_out
from pipeline.messages import message
from pipeline.speakers import speaker_label
from pipeline.types import Cue, Language, Line, Transcript, Word
from pipeline.visible import visible, visible_word

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
    pressed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A cue that has its lines and not yet its times."""

    lines: tuple[Line, ...]
    shown: Shown
    lead_ms: int
    """How much of the time for reading goes into who speaks, rather than what is said."""


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
    shown = tuple(draft.shown for draft in drafts)
    starts = start_times(shown, shots_ms)
    ends = end_times(shown, starts, shots_ms, transcript.duration_ms)
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
    """Divide runs into cues, and find time for the names that cannot be read beside their words.

    Such a name waits for the next cue of its speaker; a dash says meanwhile that somebody else speaks, so that nobody's
    words pass for another's. Where the next cue cannot bear it either, or there is none, the words are divided
    otherwise, share a cue with a neighbour's that has time to spare, or let the cue before announce the name. Where
    nobody has time, the name comes at once: it outweighs speed.
    """
    drafts = tuple(_laid(runs, language))
    waiting = frozenset(_unread_labels(drafts))
    while waiting:
        late = tuple(_with_late_labels(runs, waiting))
        tried = tuple(_laid(late, language))
        gained = waiting & frozenset(_read_late(tried))
        if gained == waiting:
            runs, drafts = late, tried
            break
        waiting = gained
    return _with_time_for_names(runs, drafts, language)


def _with_time_for_names(runs: tuple[_Run, ...], drafts: tuple[_Draft, ...], language: Language) -> tuple[_Draft, ...]:
    """Return cues divided so that there is time for the names that make them too fast, as far as there can be."""
    fast = frozenset(_unread_for_names(drafts))
    pressed = fast
    while pressed:
        tried = tuple(_laid(tuple(_pressing(runs, pressed)), language))
        still = frozenset(_unread_for_names(tried))
        if not still & pressed:
            return tried if len(still) < len(fast) else drafts
        pressed -= still
    return drafts


def _unread_for_names(drafts: Sequence[_Draft]) -> Iterator[int]:
    """Yield after how many words a label comes that makes a cue too fast whose words alone could be read."""
    spoken = 0
    for draft, unread in zip(drafts, _unread(drafts), strict=True):
        for line in draft.lines:
            if line.label is not None and 0 < unread <= draft.lead_ms:
                yield spoken
            spoken += len(line.words)


def _pressing(runs: Sequence[_Run], pressed: AbstractSet[int]) -> Iterator[_Run]:
    """Yield runs of which those that begin after so many words of all are pressed."""
    spoken = 0
    for run in runs:
        yield replace(run, pressed=spoken in pressed)
        spoken += len(run.words)


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
    spoken = 0
    following = (*drafts[1:], None)
    for draft, after, unread in zip(drafts, following, _unread(drafts), strict=False):
        spoken += _word_count(draft)
        first = draft.lines[0]
        goes_on = after is not None and after.lines[0].label is None and _whose(after.lines[0]) == _whose(first)
        alone = len({_whose(line) for line in draft.lines}) == 1
        if first.label is not None and alone and goes_on and unread > 0:
            yield spoken


def _unread(drafts: Sequence[_Draft]) -> list[int]:
    """Return by how many ms each cue is too short to be read; negative where it has time to spare."""
    shown = tuple(draft.shown for draft in drafts)
    return unread_ms(shown, start_times(shown))


def _word_count(draft: _Draft) -> int:
    return sum(len(line.words) for line in draft.lines)


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
    spoken = 0
    for (draft, after), unread in zip(pairwise(drafts), pairwise(_unread(drafts)), strict=False):
        spoken += _word_count(draft)
        late = draft.lines[0].dashed and after.lines[0].label is not None
        if late and max(unread) <= 0:
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
            pressed=run.pressed,
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
    words = cue.words
    # The eye takes a line break for a space.
    seen, said = " ".join(shown_lines(cue, language)), " ".join(visible_word(word) for word in words)
    reading_ms, saying_ms = (min(rules.most_ms, rules.reading_ms(len(text), len(words))) for text in (seen, said))
    shown = Shown(
        start_ms=words[0].start_ms,
        spoken_until_ms=max(word.end_ms for word in words),
        reading_ms=reading_ms,
        rules=rules,
    )
    return _Draft(lines=lines, shown=shown, lead_ms=reading_ms - saying_ms)
