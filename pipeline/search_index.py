"""The index of all sessions as values: a session to its words, segments of sessions to one.

In goes what is published of a session, out come the words that find it with their weights; in go segments, out comes
the segment that holds them all, word by word, so that it never has to be in memory whole. What a browser reads is
JSON, packed with gzip. Stands alone, without a store, so that merging can be tested for what it promises: that it makes
no difference to what is found.
"""

from __future__ import annotations

import gzip
import heapq
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, permutations
from operator import itemgetter
from typing import Any, Final, Literal

from pipeline.search_text import find_keys, split_compounds, split_words
from pipeline.site.phrases import make_paragraphs
from pipeline.types import LANGUAGES, Bilingual, Language, Session, Transcript
from pipeline.visible import visible

LEVELS: Final = (32, 256, 2048)
"""Sessions from which a segment is of the next level; of the last level it stays as it is."""
FAN_OUT: Final = (2, 8, 8)
"""So many segments of a level are merged: the youngest at once, as each publication makes one."""
MOST_SHARDS: Final = 256
"""Objects in which the words of a segment lie at most: what bounds the writing, and what one word costs to read."""
SHARD_POSTINGS: Final = 8_000
"""Sessions by word in a shard, where that makes no more shards: about 12 KB packed."""

_TITLE, _PERSON, _TOPIC, _ABOUT = 8, 6, 5, 3
"""How many times a word that is said somebody's naming it stands for."""

_LISTED: Final[Mapping[str, tuple[Language, ...]]] = {
    " ".join(each): each for count in range(1, len(LANGUAGES) + 1) for each in permutations(LANGUAGES, count)
}
"""Languages of a session as its segment lists them."""

Postings = list[int]
"""Sessions with a word: how much further down the list of the segment, and how often, in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One session in a segment, as much as ranking and filtering need.

    Attributes:
        session_id: Whose.
        revision: Which state of it.
        length: How many words were said.
        languages: Spoken in it, the main one first.
        year: Of its day, where it has one.
        programme: Its English and French name, where it belongs to one.
    """

    session_id: str
    revision: str
    length: int
    languages: tuple[Language, ...]
    year: int | None = None
    programme: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What ``search/index.json`` says of one segment; its objects never change.

    Attributes:
        name: Of its folder.
        count: Sessions in it.
        length: Words said in all of them.
        postings: Sessions by word.
        starts: The first word of each shard.
    """

    name: str
    count: int
    length: int
    postings: int
    starts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """``search/index.json``: which segments there are. Each session is in one.

    Attributes:
        number: Counts how often it was replaced; the names of segments begin with the one that they were made upon.
        segments: In no order.
        version: Of this form.
    """

    number: int = 0
    segments: tuple[Segment, ...] = ()
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The content of a segment.

    Attributes:
        members: Its sessions.
        terms: Each key once, in order, with its postings.
        gone: Places of sessions that a merge leaves out, with every word of theirs.
    """

    members: Sequence[Member]
    terms: Iterable[tuple[str, Postings]]
    gone: frozenset[int] = frozenset()


def index_session(session: Session, revision: str, transcript: Transcript | None) -> Part:
    """Return the segment of one session.

    Args:
        session: What is known of it.
        revision: Which state is published.
        transcript: What was said, as published; ``None`` where that was not.
    """
    weights: Counter[str] = Counter()
    length = 0
    for turn in () if transcript is None else transcript.turns:
        for word in turn.words:
            length += 1
            _count(weights, word.text, word.language, 1)
    for text, language, weight in _named(session, transcript):
        _count(weights, text, language, weight)
    programme = session.programme
    member = Member(
        session_id=session.id,
        revision=revision,
        length=length,
        languages=session.languages,
        year=None if session.date is None else session.date.year,
        programme=None if programme is None else (visible(programme.get("en")), visible(programme.get("fr"))),
    )
    return Part(members=(member,), terms=[(term, [0, weight]) for term, weight in sorted(weights.items())])


def make_passages(session: Session, revision: str, transcript: Transcript | None, duration_ms: int) -> bytes:
    """Return what a result shows of a session: what it is, and every phrase with its moment, by paragraph."""
    paragraphs = [
        [paragraph[0].language, *(part for phrase in paragraph for part in (phrase.start_ms, phrase.text))]
        for turn in (() if transcript is None else transcript.turns)
        for whole in make_paragraphs(turn)
        for paragraph in (tuple(run) for _, run in groupby(whole, key=lambda phrase: phrase.language))
    ]
    return pack(
        {
            "revision": revision,
            "title": _texts(session.title),
            "programme": None if session.programme is None else _texts(session.programme),
            "week": session.week,
            "date": None if session.date is None else session.date.isoformat(),
            "languages": session.languages,
            "duration_ms": duration_ms,
            "guests": [visible(guest.name) for guest in session.guests],
            "topics": [_texts(topic) for topic in session.topics],
            "said": paragraphs,
        }
    )


def merge(parts: Sequence[Part]) -> Part:
    """Return one segment with the sessions of several; their words are read as the merged ones are."""
    members: list[Member] = []
    runs = []
    for part in parts:
        places: list[int | None] = []
        for place, member in enumerate(part.members):
            gone = place in part.gone
            places.append(None if gone else len(members))
            if not gone:
                members.append(member)
        runs.append(_placed(part.terms, places))
    return Part(members=members, terms=_joined(heapq.merge(*runs, key=itemgetter(0))))


def cut_shards(terms: Iterable[tuple[str, Postings]], postings: int) -> Iterator[dict[str, Postings]]:
    """Yield the words of a segment in shards of about one size.

    Args:
        terms: In order.
        postings: How many there may be in all of them.
    """
    full = max(SHARD_POSTINGS, postings // MOST_SHARDS + 1)
    shard: dict[str, Postings] = {}
    held = 0
    for term, found in terms:
        shard[term] = found
        held += len(found) // 2
        if held >= full:
            yield shard
            shard, held = {}, 0
    if shard:
        yield shard


def plan_merges(counts: Sequence[int]) -> list[list[int]]:
    """Return which segments to merge, so that there are never many: groups of indices, those that stay alone.

    Args:
        counts: Sessions in each.

    Example:
        >>> plan_merges([300, 31, 1])
        [[0], [1, 2]]
    """
    groups = [([index], count) for index, count in enumerate(counts)]
    level = 0
    while level < len(LEVELS):
        here = sorted((group for group in groups if _level(group[1]) == level), key=itemgetter(1))
        together = here[: FAN_OUT[level]]
        if len(together) < FAN_OUT[level]:
            level += 1
            continue
        merged = sorted(index for indices, _ in together for index in indices), sum(count for _, count in together)
        groups = [group for group in groups if group not in together] + [merged]
    return [indices for indices, _ in groups]


def pack(value: object) -> bytes:
    """Return a value as browsers unpack it: the same bytes for the same value."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode(errors="replace"), mtime=0)


def pack_members(members: Sequence[Member]) -> bytes:
    """Return the list of a segment's sessions, by column: that packs best."""
    programmes = sorted({member.programme for member in members if member.programme})
    numbers = {programme: number for number, programme in enumerate(programmes)}
    return pack(
        {
            "ids": [member.session_id for member in members],
            "revisions": [member.revision for member in members],
            "lengths": [member.length for member in members],
            "languages": [" ".join(member.languages) for member in members],
            "years": [member.year for member in members],
            "programmes": programmes,
            "programme": [None if member.programme is None else numbers[member.programme] for member in members],
        }
    )


def unpack_members(body: bytes) -> tuple[Member, ...]:
    """Return the sessions that such a list holds.

    Raises:
        ValueError: It is none.
    """
    value = _unpack(body)
    programmes = [(en, fr) for en, fr in value["programmes"]]
    columns = (value[name] for name in ("ids", "revisions", "lengths", "languages", "years", "programme"))
    return tuple(
        Member(
            session_id=session_id,
            revision=revision,
            length=length,
            languages=_LISTED[languages],
            year=year,
            programme=None if number is None else programmes[number],
        )
        for session_id, revision, length, languages, year, number in zip(*columns, strict=True)
    )


def unpack_shard(body: bytes) -> dict[str, Postings]:
    """Return the words of a shard.

    Raises:
        ValueError: It is none.
    """
    return _unpack(body)


def _unpack(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(gzip.decompress(body))
    except (OSError, EOFError) as damaged:
        raise ValueError(str(damaged)) from damaged
    return dict(value)


def _level(count: int) -> int:
    return bisect_right(LEVELS, count)


def _placed(terms: Iterable[tuple[str, Postings]], places: Sequence[int | None]) -> Iterator[tuple[str, Postings]]:
    """Yield words with postings that say where a session is now, rather than how much further down."""
    for term, postings in terms:
        at = 0
        moved: Postings = []
        for index in range(0, len(postings), 2):
            at += postings[index]
            place = places[at]
            if place is not None:
                moved += (place, postings[index + 1])
        if moved:
            yield term, moved


def _joined(terms: Iterable[tuple[str, Postings]]) -> Iterator[tuple[str, Postings]]:
    # Merged in the order of the parts, so the sessions of a word come in their order too.
    for term, found in groupby(terms, key=itemgetter(0)):
        joined: Postings = []
        last = 0
        for _, placed in found:
            for index in range(0, len(placed), 2):
                joined += (placed[index] - last, placed[index + 1])
                last = placed[index]
        yield term, joined


def _count(weights: Counter[str], text: str, language: str, weight: int) -> None:
    for word in (*split_words(text), *split_compounds(text)):
        for key in find_keys(word, language):
            weights[key] += weight


def _named(session: Session, transcript: Transcript | None) -> Iterator[tuple[str, Language, int]]:
    """Yield what a person wrote of a session, with the language and the weight of it."""
    names = {person.name for person in session.people}
    names |= {speaker.name for speaker in (() if transcript is None else transcript.speakers) if speaker.name}
    for name in sorted(names):
        yield name, session.language, _PERSON
    weighed = [(session.title, _TITLE), *((topic, _TOPIC) for topic in (*session.topics, *session.keywords))]
    weighed += [(text, _ABOUT) for text in (session.programme, session.description) if text is not None]
    for text, weight in weighed:
        for language, words in _texts(text).items():
            yield words, language, weight


def _texts(text: Bilingual) -> dict[Language, str]:
    """Return a text in each language that there is of it."""
    found = {language: text.find(language) for language in LANGUAGES}
    return {language: visible(words) for language, (words, own) in found.items() if own == language}
