"""Captions: from the words of a transcript to cues on the screen.

In comes a transcript with the caption rules of its languages; out go cues with their times and lines, each line of one
speaker in one language and, where the speaker changes, with a label. Every word of the transcript is in exactly one
cue, in order: where speech is too fast for the rules the words stay, and the lint report says so. It stands alone
because layout, times and labels must be right together, whatever file they are written to.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, groupby
from typing import Final

from pipeline.caption_names import Draft, SpokenRun, name_in_time
from pipeline.caption_rules import CaptionRules, Rules, rules_for
from pipeline.cue_times import Shown, end_times, start_times, times_ahead
from pipeline.layout import Run, lay_out
from pipeline.messages import message
from pipeline.speakers import speaker_label
from pipeline.types import Cue, Language, Line, Span, Transcript
from pipeline.visible import visible, visible_word

_CUT: Final = "…"


def make_cues(
    transcript: Transcript, rules: Rules, shots_ms: Sequence[int] = (), cuts_ms: Sequence[int] = ()
) -> tuple[Cue, ...]:
    """Lay out and time the captions of a transcript.

    All is divided as a whole by cost, never word by word. A line holds one speaker and one language, and so does a cue,
    unless two runs of words have too little time for a cue each: these share one, a line each. A cue starts with its
    first word, up to ``start_tolerance_ms`` off it where it or its neighbour gains time to be read by that.

    Args:
        transcript: The verbatim one: captions say what was said.
        rules: Of every language, or by language.
        shots_ms: When the picture goes to another shot, in order: cues that come or go close to that do so with it.
        cuts_ms: Where something was taken out, in order: no cue holds words from both sides.

    Returns:
        Cues in order, apart, with every word of the transcript once, set by the typography of its rules.
    """

    def divide(runs: Sequence[SpokenRun]) -> tuple[Draft, ...]:
        return tuple(_divided(runs, transcript.language))

    def homeless(drafts: Sequence[Draft]) -> frozenset[int]:
        if not any(draft.ahead for draft in drafts):
            return frozenset()
        _, _, ahead = _times(drafts, shots_ms, transcript.duration_ms)
        pairs = enumerate(zip(drafts, ahead, strict=True))
        return frozenset(number for number, (draft, span) in pairs if draft.ahead and span is None)

    drafts = name_in_time(tuple(_runs(transcript, rules, cuts_ms)), divide, homeless)
    shown: list[tuple[Span, tuple[Line, ...]]] = []
    for draft, start, end, ahead in zip(drafts, *_times(drafts, shots_ms, transcript.duration_ms), strict=True):
        if draft.ahead is not None and ahead is not None:
            shown.append((ahead, (draft.ahead,)))
        shown.append((Span(start_ms=start, end_ms=end), draft.lines))
    return tuple(
        Cue(id=str(number), start_ms=span.start_ms, end_ms=span.end_ms, lines=lines)
        for number, (span, lines) in enumerate(shown, 1)
    )


def _times(
    drafts: Sequence[Draft], shots_ms: Sequence[int], duration_ms: int
) -> tuple[list[int], list[int], list[Span | None]]:
    """Return when each draft comes, when it goes, and when the name is shown that comes ahead of it."""
    shown = tuple(draft.shown for draft in drafts)
    starts = start_times(shown, shots_ms)
    ends = end_times(shown, starts, shots_ms, duration_ms)
    ends, ahead = times_ahead(shown, starts, ends, [draft.ahead_ms for draft in drafts])
    return starts, ends, ahead


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


def _divided(runs: Sequence[SpokenRun], language: Language) -> Iterator[Draft]:
    owners = tuple(run for run in runs for _ in run.words)
    words = tuple(word for run in runs for word in run.words)
    begins = {0, *accumulate(len(run.words) for run in runs)}
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
        first = owners[block[0].first]
        yield _draft(lines, first, language, ahead=first.ahead and block[0].first in begins)


def _measured(runs: Sequence[SpokenRun], language: Language) -> Iterator[Run]:
    """Yield the runs as the layout sees them: as words and widths."""
    dash = len(message("render.dashed", language, text=""))
    for before, run, after in zip((None, *runs), runs, (*runs[1:], None), strict=False):
        beside = len(label_text(run.label, language)) + 1 if run.label is not None and not run.ahead else 0
        yield Run(
            words=run.words,
            rules=run.rules,
            label_width=dash if run.dashed else beside,
            dash_width=dash,
            answered=after is None or after.label is not None or after.dashed,
            same_speaker=before is not None and before.speaker == run.speaker,
            dashed=run.dashed,
            fresh=run.fresh,
            pressed=run.pressed,
        )


def _runs(transcript: Transcript, rules: Rules, cuts_ms: Sequence[int]) -> Iterator[SpokenRun]:
    """Yield words in a row of one speaker in one language, over the turns that they are divided into."""
    shown: str | None = None
    before: int | None = None
    said = (
        (turn.speaker, bisect_right(cuts_ms, word.start_ms), word) for turn in transcript.turns for word in turn.words
    )
    for (speaker, part, language), group in groupby(said, key=lambda each: (each[0], each[1], each[2].language)):
        name = speaker_name(transcript, speaker)
        own = rules_for(rules, language)
        yield SpokenRun(
            words=tuple(replace(word, text=own.typeset(word.text)) for _, _, word in group),
            speaker=speaker,
            language=language,
            label=_fitted(name, own, transcript.language) if name != shown else None,
            rules=own,
            fresh=part != before,
        )
        shown, before = name, part


def _fitted(name: str | None, rules: CaptionRules, language: Language) -> str | None:
    """Cut a label that would not fit on a line."""
    if name is None or len(label_text(name, language)) <= rules.line_characters:
        return name
    room = rules.line_characters - len(label_text(_CUT, language))
    return name[: max(0, room)].rstrip() + _CUT


def _draft(lines: tuple[Line, ...], run: SpokenRun, language: Language, *, ahead: bool) -> Draft:
    cue = Cue(id="", start_ms=0, end_ms=0, lines=lines)
    words, rules = cue.words, run.rules
    # The eye takes a line break for a space.
    seen, said = " ".join(shown_lines(cue, language)), " ".join(visible_word(word) for word in words)
    reading_ms, saying_ms = (min(rules.most_ms, rules.reading_ms(len(text), len(words))) for text in (seen, said))
    label = run.label if ahead else None
    return Draft(
        lines=lines,
        shown=Shown(
            start_ms=words[0].start_ms,
            spoken_until_ms=max(word.end_ms for word in words),
            reading_ms=reading_ms,
            rules=rules,
        ),
        lead_ms=reading_ms - saying_ms,
        ahead=None if label is None else Line(words=(), speaker=run.speaker, language=run.language, label=label),
        ahead_ms=0 if label is None else rules.reading_ms(len(label_text(label, language)), 0),
    )
