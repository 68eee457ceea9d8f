"""Captions: how many keep every rule, and whether every word is still there, beside other writers' of the same words.

Nothing is run here: the words that Tribune heard go in, the very same for every writer, with its voices where these
were told. Each writes SubRip; the file is read back, measured by our linter as a viewer sees it, and once more by a few
figures on what pysubs2 reads. Words are compared one by one, for ours in every format, through parsers that are not
ours.

Run it with ``python -m tests.benchmarks.captions [--only REGEX]``.
"""

from __future__ import annotations

import difflib
import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Final
from xml.etree import ElementTree as ET

import pysubs2
from ttconv.imsc.reader import to_model
from ttconv.model import Br, P, Text
from webvtt import WebVTT

from config.caption_rules import load_all
from pipeline.caption_files import open_captions, writer
from pipeline.caption_lint import Finding, lint
from pipeline.caption_rules import CaptionRules
from pipeline.captions import make_cues, shown_lines
from pipeline.render import CaptionFile
from pipeline.render.clock import timestamp
from pipeline.render.reading import as_shown
from pipeline.speakers import attribute
from pipeline.types import Diarization, Recognition, Transcript
from tests.benchmarks import speakers, words
from tests.benchmarks.bars import Bar, at_least, at_most
from tests.benchmarks.bench import Bench, Row, run_alone, table
from tests.benchmarks.data import Sample
from tests.benchmarks.systems import TITLES, WRITERS, session_of

OURS: Final = "tribune"
_READ_BACK: Final = (".vtt", ".srt", ".ttml")


@dataclass(kw_only=True)
class Judged:
    """Sums over recordings.

    Attributes:
        cues: Captions written.
        good: Of those, keep every rule.
        good_but_speech: Keep every rule but reading speed where the words alone are too fast for it.
        measured_good: Keep length, lines, duration, gap and speed by pysubs2's reading.
        words: Words heard.
        lost: Of those, not in the file where they were, or more in it than were heard.
        by_label: Captions that would be read in time without their label: where, and how fast with it and without.
        ahead: Names that have a caption of their own, in the silence before.
        dashed: Captions where a dash stands for the name, which comes with the next or was shown just before.
        broken: How often each rule was broken.
    """

    cues: int = 0
    good: int = 0
    good_but_speech: int = 0
    measured_good: int = 0
    words: int = 0
    lost: int = 0
    ahead: int = 0
    dashed: int = 0
    by_label: list[str] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)

    def add(self, other: Judged) -> None:
        """Add another's sums to these."""
        for name in (
            "cues",
            "good",
            "good_but_speech",
            "measured_good",
            "words",
            "lost",
            "ahead",
            "dashed",
            "by_label",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.broken += other.broken


def transcript_of(bench: Bench, sample: Sample, row: Row, told: dict[str, Row]) -> Transcript:
    """Return what Tribune publishes of a recording that it heard."""
    key = f"{sample.path.parent.name}/{sample.path.stem}"
    voices = speakers.diarization_of(told[key]) if key in told else Diarization(spans=(), exclusive=())
    heard = Recognition(words=words.words_of(row), speech=words.spans_of(row, "speech"))
    return attribute(heard, voices, session_of(sample), duration_ms=round(1000 * row["sound_s"]))


def judge_ours(spoken: Transcript, rules: dict[str, CaptionRules], recording: str = "") -> Judged:
    """Return what our own captions of a transcript show, by the times of its words too."""
    cues = make_cues(spoken, rules)
    findings = lint(cues, rules, language=spoken.language)
    names = tuple((speaker.key, speaker.key) for speaker in spoken.speakers)
    written = CaptionFile(language=spoken.language, cues=cues, names=names)
    kept = [word.text for word in spoken.words]
    shown = " ".join(chain.from_iterable(shown_lines(cue, spoken.language) for cue in cues)).split()
    lost = max(differing(shown, _shown_in(end, writer(end)(written))) for end in _READ_BACK)
    judged = _summed(findings, len(cues))
    judged.by_label = [f"{recording} at {found}" for found in judged.by_label]
    judged.ahead = sum(not cue.words for cue in cues)
    judged.dashed = sum(any(line.dashed for line in cue.lines) for cue in cues)
    judged.words, judged.lost = len(kept), lost + differing(kept, [word.text for cue in cues for word in cue.words])
    judged.measured_good = _measured(writer(".srt")(written), rules[spoken.language])
    return judged


def judge(text: str, spoken: Transcript, rules: dict[str, CaptionRules]) -> Judged:
    """Return what a SubRip file of somebody's shows, as a viewer sees it."""
    captions = as_shown(open_captions(text.encode(), "x.srt").read, spoken.language)
    findings = lint(captions.cues, rules, language=spoken.language)
    judged = _summed(findings, len(captions.cues))
    kept = " ".join(word.text for word in spoken.words).split()
    judged.words, judged.lost = len(kept), differing(kept, _shown_in(".srt", text))
    judged.measured_good = _measured(text, rules[spoken.language])
    return judged


def _summed(findings: Sequence[Finding], cues: int) -> Judged:
    broken = {finding.cue_id for finding in findings}
    # Where the words alone are too much for their time, speech itself is that fast.
    but_speech = {finding.cue_id for finding in findings if finding.rule != "speed" or finding.for_name}
    return Judged(
        cues=cues,
        good=cues - len(broken),
        good_but_speech=cues - len(but_speech),
        by_label=[
            f"{timestamp(finding.start_ms, '.')}, {finding.measured:g} characters a second, {finding.words_measured:g} "
            f"without it, {finding.limit:g} allowed"
            for finding in findings
            if finding.for_name
        ],
        broken=Counter(finding.rule for finding in findings),
    )


def differing(expected: Sequence[str], found: Sequence[str]) -> int:
    """Return how many words are not where they were, or more than there were.

    Example:
        >>> differing(["a", "b", "c"], ["a", "c"]), differing(["a"], ["b"]), differing(["a"], ["a", "a"])
        (1, 1, 1)
    """
    if list(expected) == list(found):
        return 0
    same = difflib.SequenceMatcher(None, expected, found, autojunk=False)
    return max(len(expected), len(found)) - sum(block.size for block in same.get_matching_blocks())


def _shown_in(end: str, text: str) -> list[str]:
    """Return every word that a file shows, as a parser that is not ours reads it."""
    return " ".join(_texts(end, text)).split()


def _texts(end: str, text: str) -> Iterator[str]:
    if end == ".srt":
        # The reader takes a number at the very end for the next caption's, so it is given a next caption.
        events = pysubs2.SSAFile.from_string(f"{text.rstrip()}\n\n0\n99:00:00,000 --> 99:00:01,000\n\n", "srt")
        yield from (event.plaintext for event in events[:-1])
    elif end == ".vtt":
        for caption in WebVTT.from_string(text, strict=True).captions:
            yield html.unescape(re.sub(r"<[^>]*>", "", caption.raw_text))
    else:
        model = to_model(ET.ElementTree(ET.fromstring(text)))
        parts = model.get_body().dfs_iterator() if model else ()
        # A dash stands in an element of its own, with nothing between it and the word.
        yield "".join(part.get_text() if isinstance(part, Text) else " " * isinstance(part, Br | P) for part in parts)


def _measured(text: str, rules: CaptionRules) -> int:
    """Return how many captions keep length, lines, duration, gap and speed as pysubs2 reads them."""
    events = list(pysubs2.SSAFile.from_string(text, "srt")) if text.strip() else []
    gaps = [after.start - event.end for event, after in pairwise(events)]
    return sum(
        max(map(len, event.plaintext.split("\n"))) <= rules.line_characters
        and event.plaintext.count("\n") < rules.lines
        and rules.least_ms <= event.duration <= rules.most_ms
        and gap >= rules.gap_ms
        and len(event.plaintext) * 1000 <= rules.characters_per_second * event.duration
        for event, gap in zip(events, [*gaps, rules.gap_ms], strict=False)
    )


def score(bench: Bench) -> dict[str, Judged | str]:
    """Return what each writer showed, or why it did not run."""
    rules = dict(load_all())
    told = speakers.told_by(bench, OURS)
    heard = words.heard_by(bench, OURS)
    known = [each for each in bench.samples if each.key in heard]
    spoken = {each.key: transcript_of(bench, each, heard[each.key], told) for each in known}
    scores: dict[str, Judged | str] = {}
    for name in (OURS, *WRITERS):
        sums = Judged()
        try:
            for key, each in spoken.items():
                if each.words:
                    sums.add(judge_ours(each, rules, key) if name == OURS else judge(WRITERS[name](each), each, rules))
        except ImportError as absent:
            scores[name] = str(absent)
        else:
            scores[name] = sums
    return scores


def measure(bench: Bench) -> None:
    """Have the words and voices that captions are made of."""
    words.measure(bench, (OURS,))
    speakers.measure(bench, (OURS,))


def report(bench: Bench) -> list[str]:
    """Return the table as lines of Markdown."""
    scores = score(bench)
    head = ["writer", "captions", "keep every rule", "every rule but fast speech", "by pysubs2's reading", "words lost"]
    ours = scores[OURS]
    known = ours if isinstance(ours, Judged) else Judged()
    broken = [f"{rule} {times}" for rule, times in known.broken.most_common()]
    return [
        "The same words for every writer. Rules of config/captions; ours are held to the words' own times as well. "
        "pysubs2 reads for what Subtitle Edit checks, which does not run here itself: length and number of lines, "
        "duration, gap, characters a second.",
        "",
        *table(head, [[TITLES[name], *_cells(each)] for name, each in scores.items()]),
        f"Rules that ours break: {', '.join(broken) or 'none'}. {known.ahead} names have a caption of "
        f"their own, in the silence before; for {known.dashed} a dash stands. Too fast only for the label of who "
        f"speaks: {len(known.by_label) or 'none'}.",
        "",
        *(f"- {each}" for each in known.by_label),
        *([""] if known.by_label else []),
    ]


def bars(bench: Bench) -> list[Bar]:
    """Return the bars for captions."""
    ours = score(bench)[OURS]
    known = ours if isinstance(ours, Judged) and ours.cues else None
    share = 100 * known.good_but_speech / known.cues if known else None
    lost = float(known.lost) if known else None
    return [
        at_least("captions that keep every rule but reading speed where speech is faster", share, 100, "%"),
        at_most("words lost or changed in captions of any format", lost, 0, "words"),
    ]


def _cells(each: Judged | str) -> list[str]:
    if isinstance(each, str):
        return ["–", f"not run: {each}", "–", "–", "–"]
    shares = (each.good, each.good_but_speech, each.measured_good)
    return [
        str(each.cues),
        *(f"{100 * part / each.cues:.1f} %" if each.cues else "–" for part in shares),
        f"{each.lost} of {each.words}",
    ]


if __name__ == "__main__":
    run_alone(__doc__, measure, report)
