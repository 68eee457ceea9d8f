"""Captions that were corrected elsewhere and come back as a file.

What was read of a file of captions and the revision that it was made from go in, the correction that it amounts to
comes out. Cues are forgotten: what counts are words, matched with those of the revision, and who says them. What the
revision had hidden from its captions stays. Pure; stands alone so that any editor of captions may have been used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from pipeline.cuts import HIDDEN, is_touched
from pipeline.errors import ReturnedFileInvalid
from pipeline.matching import fold, match, straight
from pipeline.messages import message
from pipeline.render.reading import ReadFile, as_interpreted
from pipeline.render.srt import inert
from pipeline.revisions import CorrectedTurn, Correction, Revision, Token
from pipeline.speakers import speaker_label
from pipeline.types import LANGUAGES, Language, Speaker, Transcript, Word

_MARK: Final = re.compile(r"(?<![0-9a-f])([0-9a-f]{16})(?![0-9a-f])(?:[ _-]r([1-9][0-9]{0,5})(?![0-9a-z]))?")
_SPACES: Final = re.compile(r"\s+")
_LEAST_ALIKE: Final = 0.5
"""Share of the file's words, or of the revision's, that both have to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What somebody says in one cue.

    Attributes:
        speaker: Who, where the cue itself tells.
        words: At least one, in order.
    """

    speaker: str | None
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a file says of where it comes from.

    Attributes:
        session_id: Of the session.
        revision: Number of the revision that was approved; ``None`` where what was recognised had been published.
    """

    session_id: str
    revision: int | None


def mark_of(notes: Sequence[str], name: str) -> Mark | None:
    """Return where a file comes from, as it says of itself, or else its name.

    Example:
        >>> mark_of([], "0123456789abcdef r2 corrected.srt")
        Mark(session_id='0123456789abcdef', revision=2)
    """
    found = _MARK.search("\n".join(notes)) or _MARK.search(name.lower())
    return Mark(session_id=found[1], revision=int(found[2]) if found[2] else None) if found else None


def lines_of(read: ReadFile, transcript: Transcript) -> tuple[Line, ...]:
    """Return what a file says, and who says it as far as it tells.

    Args:
        read: The file.
        transcript: What it was made from.

    Raises:
        CaptionsInvalid: A caption ends before it starts.
        ReturnedFileInvalid: It says nothing.
    """
    captions = as_interpreted(read, transcript.language, (speaker_label(*each) for each in _called(transcript)))
    # That nobody knows who speaks is no name.
    nobody = {message("render.unknown_voice", language) for language in LANGUAGES}
    names = {key: name for key, name in captions.names if name not in nobody}
    lines = []
    for cue in captions.cues:
        for key, group in groupby(cue.lines, key=lambda line: line.speaker):
            shown = list(group)
            told = read.voiced or any(line.label is not None for line in shown)
            words = tuple(words_of(word.text for line in shown for word in line.words))
            if words:
                lines.append(Line(speaker=names.get(key) if told else None, words=words))
    if not lines:
        raise ReturnedFileInvalid("review.file_empty")
    return tuple(lines)


def correction_of(lines: Sequence[Line], revision: Revision) -> Correction:
    """Return the correction that a file amounts to.

    Args:
        lines: Of the file, in order.
        revision: What it was made from.

    Raises:
        ReturnedFileInvalid: It says something else altogether.
    """
    tokens = [(number, text) for number, line in enumerate(lines) for text in line.words]
    words = revision.transcript.words
    hidden = [at for at, word in enumerate(words) if is_touched(word, revision.cuts)]
    left = sorted(set(range(len(words))) - set(hidden))
    pairs = match([inert(words[at].text) for at in left], [inert(text) for _, text in tokens])
    check_alike(len(pairs), len(left), len(tokens))
    was = {to: left[at] for at, to in pairs}
    people = People.of(lines, tokens, was, revision.transcript)
    return Correction(
        turns=tuple(_turns(tokens, was, hidden, people, revision.transcript)),
        names=people.names,
        cuts=revision.cuts,
        title=revision.title,
        chapters=revision.chapters,
    )


def check_alike(same: int, before: int, after: int) -> None:
    """Make sure that a file is of the session that it names.

    Args:
        same: How many words the two have in common.
        before: Words that the revision shows.
        after: Words of the file.

    Raises:
        ReturnedFileInvalid: It says something else altogether.
    """
    if not same or same < _LEAST_ALIKE * min(before, after):
        raise ReturnedFileInvalid("review.file_not_alike", {"share": f"{100 * same // max(1, after)}"})


def labels_of(transcript: Transcript) -> dict[str, str]:
    """Return the key of each speaker by what they are called, folded, in either language."""
    return {fold(speaker_label(*each)): each[0].key for each in _called(transcript)}


def _called(transcript: Transcript) -> Iterator[tuple[Speaker, Language]]:
    """Yield each speaker with each language that a label may be in."""
    return ((speaker, language) for speaker in transcript.speakers for language in LANGUAGES)


def words_of(shown: Iterable[str]) -> list[str]:
    """Return the words of a line; a mark that stands alone belongs to the word before it, as in French.

    Args:
        shown: Parted at spaces.

    Example:
        >>> [word.replace("\u00a0", "_") for word in words_of(["Bien", "sûr", "!"])]
        ['Bien', 'sûr_!']
    """
    found: list[str] = []
    for part in shown:
        if part in {":", ";", "?", "!", "»", "%", "$"} and found:
            found[-1] += f"\u00a0{part}"
        else:
            found += [text for text in part.replace(HIDDEN, " ").split(" ") if text.strip()]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who says what in a file.

    Attributes:
        keys: Of each line, the key of its speaker.
        names: Key and name of everybody who has one.
    """

    keys: tuple[str | None, ...]
    names: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls, lines: Sequence[Line], tokens: Sequence[tuple[int, str]], was: Mapping[int, int], before: Transcript
    ) -> People:
        """Find out who is who: names that the revision knows, names that are new for a voice, and new voices."""
        voices = _voices(lines, tokens, was, before)
        known: dict[str, str | None] = {
            fold(message("render.unknown_voice", language)): None for language in LANGUAGES
        } | labels_of(before)
        names = {speaker.key: speaker.name for speaker in before.speakers if speaker.name}
        called = {fold(line.speaker) for line in lines if line.speaker}
        for name in dict.fromkeys(line.speaker for line in lines if line.speaker):
            if fold(name) not in known:
                key = _whose(name, lines, voices, called, known) or _free(known.values())
                known[fold(name)] = key
                names[key] = name
        return cls(keys=tuple(_keys(lines, voices, known)), names=tuple(sorted(names.items())))


def _voices(
    lines: Sequence[Line], tokens: Sequence[tuple[int, str]], was: Mapping[int, int], before: Transcript
) -> list[str | None]:
    """Return who said the words of each line in the revision, by most of them."""
    speakers = [turn.speaker for turn in before.turns for _ in turn.words]
    votes: list[Counter[str | None]] = [Counter() for _ in lines]
    for at, (line, _) in enumerate(tokens):
        if at in was:
            votes[line][speakers[was[at]]] += 1
    return [vote.most_common(1)[0][0] if vote else None for vote in votes]


def _whose(
    name: str,
    lines: Sequence[Line],
    voices: Sequence[str | None],
    called: AbstractSet[str],
    known: Mapping[str, str | None],
) -> str | None:
    """Return the key of the voice that a new name is for, where no line calls that voice by what it was called."""
    votes = Counter(voice for line, voice in zip(lines, voices, strict=True) if line.speaker == name and voice)
    if not votes:
        return None
    key = votes.most_common(1)[0][0]
    still = any(label in called for label, owner in known.items() if owner == key)
    return None if still else key


def _free(keys: Iterable[str | None]) -> str:
    taken = set(keys)
    return next(key for number in range(1, len(taken) + 2) if (key := f"S{number}") not in taken)


def _keys(lines: Sequence[Line], voices: Sequence[str | None], known: Mapping[str, str | None]) -> Iterator[str | None]:
    """Yield who says each line; one that does not tell goes on as the one before it where the voice is the same."""
    key: str | None = None
    heard: str | None = None
    for line, voice in zip(lines, voices, strict=True):
        if line.speaker is not None:
            key = known[fold(line.speaker)]
        elif voice is not None and voice != heard:
            key = voice
        heard = voice or heard
        yield key


def _turns(
    tokens: Sequence[tuple[int, str]],
    was: Mapping[int, int],
    hidden: Sequence[int],
    people: People,
    before: Transcript,
) -> Iterator[CorrectedTurn]:
    """Yield the turns of the revision as far as the file leaves them whole, with the words that it could not show."""
    turns = [number for number, turn in enumerate(before.turns) for _ in turn.words]
    words = before.words
    placed: list[tuple[tuple[int, str | None], Token]] = []
    waiting = list(reversed(hidden))
    number = 0

    def put_hidden(until: int) -> None:
        while waiting and waiting[-1] < until:
            at = waiting.pop()
            placed.append(((turns[at], before.turns[turns[at]].speaker), Token(text=words[at].text, was=at)))

    for at, (line, text) in enumerate(tokens):
        origin = was.get(at)
        if origin is not None:
            put_hidden(origin)
            number = turns[origin]
        placed.append(((number, people.keys[line]), Token(text=_as_it_was(text, words, origin), was=origin)))
    put_hidden(len(words))
    for (_, speaker), run in groupby(placed, key=lambda each: each[0]):
        yield CorrectedTurn(speaker=speaker, tokens=tuple(token for _, token in run))


def _as_it_was(text: str, words: Sequence[Word], origin: int | None) -> str:
    """Return a word as it was where only its typography differs, or signs that SRT has to do without."""
    if origin is None or _untypeset(text) != _untypeset(words[origin].text):
        return text
    return words[origin].text


def _untypeset(text: str) -> str:
    """Return a word without spaces in it, its apostrophes straight and its signs those of SRT."""
    return inert(straight(_SPACES.sub("", text)))
