"""The edited transcript: what editing changes, how much easier the text reads, and that nothing else changed.

Nothing is run here: the words that Tribune heard go in. Each recording of some length is edited as it is for
publishing; out come its words a sentence and its readability before and after (Flesch's formula for English, Kandel and
Moles' for French: 100 is easiest), the share of words that each rule changed, and the word error rate of the verbatim
words with the listed changes made against the edited words, which must be 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import jiwer

from config import glossary
from pipeline.content_words import sentences
from pipeline.editing import edit
from pipeline.render.comparison import mark_changes
from pipeline.types import Transcript, Turn, Word
from tests.benchmarks import words
from tests.benchmarks.bars import Bar, at_most
from tests.benchmarks.bench import Bench, run_alone, table

SYSTEM: Final = "tribune"
LEAST_WORDS: Final = 100
_VOWELS: Final = {"en": re.compile(r"[aeiouy]+"), "fr": re.compile(r"[aeiouyàâäéèêëîïôöùûü]+")}
_SILENT: Final = {"en": re.compile(r"(?<=[^aeiouyl])e\b"), "fr": re.compile(r"(?<=[^aeiouy])(?:e|es|ent)\b")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What editing made of one recording.

    Attributes:
        spoken: Words before.
        sentence_words: Words a sentence, before and after.
        ease: Readability, before and after.
        rules: How many words each rule changed.
        wer: Of the verbatim words with the listed changes made, against the edited words, per cent.
    """

    spoken: int
    sentence_words: tuple[float, float]
    ease: tuple[float, float]
    rules: Counter[str]
    wer: float


def syllables(text: str, language: str) -> int:
    """Return about how many syllables a word has: rows of vowels, without a last one that is silent.

    Example:
        >>> syllables("readable", "en"), syllables("plage", "fr")
        (3, 1)
    """
    lower = text.lower()
    return max(1, len(_VOWELS[language].findall(lower)) - len(_SILENT[language].findall(lower)))


def ease(transcript: Transcript) -> tuple[float, float]:
    """Return words a sentence and how easily a transcript reads."""
    said = [word for word in transcript.words if word.language == transcript.language]
    count = sum(sentence.language == transcript.language for sentence in sentences(transcript))
    length = len(said) / count
    sounds = sum(syllables(word.text, transcript.language) for word in said) / len(said)
    if transcript.language == "fr":
        return length, 207 - 1.015 * length - 73.6 * sounds
    return length, 206.835 - 1.015 * length - 84.6 * sounds


def read_edited(spoken: Transcript) -> Read:
    """Edit a transcript and return what that made of it."""
    edited = edit(spoken, (), glossary.load_all())
    replayed = [each.after for each in mark_changes(spoken.words, edited.edits) if each.after]
    before, after = ease(spoken), ease(edited.transcript)
    changed = Counter[str]()
    for change in edited.edits:
        changed[change.rule] += len(change.before.split(" "))
    return Read(
        spoken=len(spoken.words),
        sentence_words=(before[0], after[0]),
        ease=(before[1], after[1]),
        rules=changed,
        wer=100 * jiwer.wer(" ".join(replayed), " ".join(word.text for word in edited.transcript.words)),
    )


def score(bench: Bench) -> dict[str, Read]:
    """Return what editing made of each recording of some length, by its name."""
    heard = words.heard_by(bench, SYSTEM)
    found = {}
    for sample in bench.samples:
        said = words.words_of(heard[sample.key]) if sample.key in heard else ()
        if len(said) >= LEAST_WORDS:
            found[f"{sample.group} {sample.path.stem}"] = read_edited(_transcript(said))
    return found


def _transcript(said: Sequence[Word]) -> Transcript:
    spoken = Counter(word.language for word in said)
    return Transcript(
        session_id="0" * 16,
        language="fr" if spoken["fr"] > spoken["en"] else "en",
        duration_ms=max(word.end_ms for word in said),
        turns=(Turn(speaker=None, words=tuple(said)),),
    )


def measure(bench: Bench) -> None:
    """Have the words that Tribune hears."""
    words.measure(bench, (SYSTEM,))


def report(bench: Bench) -> list[str]:
    """Return the table as lines of Markdown."""
    rows = [list(_row(name, each)) for name, each in sorted(score(bench).items())]
    head = ["recording", "words", "words a sentence", "readability", "changed, % of words, by rule"]
    return ["Verbatim → edited:", "", *table(head, rows)]


def _row(name: str, each: Read) -> Iterator[str]:
    yield name
    yield str(each.spoken)
    yield f"{each.sentence_words[0]:.1f} → {each.sentence_words[1]:.1f}"
    yield f"{each.ease[0]:.0f} → {each.ease[1]:.0f}"
    yield ", ".join(f"{rule} {100 * count / each.spoken:.1f}" for rule, count in sorted(each.rules.items())) or "–"


def bars(bench: Bench) -> list[Bar]:
    """Return the bar for faithfulness."""
    worst = max((each.wer for each in score(bench).values()), default=None)
    return [at_most("WER of verbatim with its edits made against edited, worst recording", worst, 0, "%")]


if __name__ == "__main__":
    run_alone(__doc__, measure, report)
