"""Transcripts from literals, and transcripts from the worst that strangers write, as several tests need them."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st

from config.caption_rules import load_all
from pipeline.captions import make_cues
from pipeline.editing import edit
from pipeline.render import Document
from pipeline.types import (
    Bilingual,
    Chapter,
    Highlight,
    Language,
    ModelUse,
    Provenance,
    Session,
    Speaker,
    Transcript,
    Turn,
    Word,
)

SESSION_ID = "0123456789abcdef"

HOSTILE = (
    "<script>alert(1)</script>",
    "</v><c.speaker>",
    "-->",
    "00:00:01.000",
    "00:00:01,000",
    "1\n\n2\n00:00:01,000 --> 00:00:02,000\nx",
    "\u202eevil\u202c",
    "\u202e",
    "\x00",
    "nul\x00byte",
    "\x1b[31mred",
    "a\r\nb",
    "a\u2028b",
    "\ufeff",
    "\ud800",
    "{\\an8}",
    "{y:i}text",
    "a\\Nb",
    "<i>",
    "&amp;",
    "&lt;",
    "\"'`",
    "x" * 500,
    "👩🏽‍🏫",
    "e\u0301",
    "42",
    "1.",
    "#",
    "-",
    "```",
    "[a](javascript:alert(1))",
    "$x$",
    "|",
    "NOTE",
    "STYLE",
    "WEBVTT",
    "مرحبا",
    "{{7*7}}",
    "{name}",
    "a\u00a0b",
)
"""What nobody says and anybody may write."""


def transcript(
    *turns: tuple[str | None, str] | tuple[str | None, str, Language],
    language: Language = "en",
    names: dict[str, str] | None = None,
    word_ms: int = 300,
    pause_ms: int = 400,
) -> Transcript:
    """Make a transcript: each turn its speaker and words, maybe its language; words evenly in time."""
    made: list[Turn] = []
    now = 1000
    for speaker, text, *spoken in turns:
        words = []
        for word in text.split(" "):
            words.append(
                Word(
                    start_ms=now,
                    end_ms=now + word_ms,
                    text=word,
                    probability=0.9,
                    language=spoken[0] if spoken else language,
                )
            )
            now += word_ms + (pause_ms if word[-1] in ".?!" else 0)
        made.append(Turn(speaker=speaker, words=tuple(words)))
        now += pause_ms
    keys = dict.fromkeys(turn.speaker for turn in made if turn.speaker is not None)
    speakers = tuple(Speaker(key=key, name=(names or {}).get(key)) for key in keys)
    return Transcript(
        session_id=SESSION_ID, language=language, duration_ms=now + 1000, turns=tuple(made), speakers=speakers
    )


def document(
    spoken: Transcript,
    title: str = "Plain language",
    programme: str | None = None,
    *,
    chapters: tuple[Chapter, ...] = (),
    highlights: tuple[Highlight, ...] = (),
    page: str | None = None,
) -> Document:
    """Make the document of a transcript, captions and edit included."""
    return Document(
        session=Session(
            id=spoken.session_id,
            title=Bilingual.same(title),
            languages=(spoken.language,),
            date=dt.date(2026, 11, 21),
            programme=Bilingual.same(programme) if programme else None,
            week=3,
        ),
        transcript=spoken,
        edited=edit(spoken),
        cues=make_cues(spoken, load_all()),
        provenance=Provenance(
            tool="tribune 0.1.0", models=(ModelUse(name="whisper-base", revision="ebe41f7", sha256="d01c3014" * 8),)
        ),
        chapters=chapters,
        highlights=highlights,
        page=page,
    )


_SMALL_WORDS = "the a of euh um et de « » : ! % 10 000 oui. non, Marie Roy l'été je I"

_texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(min_size=1, max_size=30),
    st.sampled_from(_SMALL_WORDS.split()),
).filter(lambda text: bool(text.strip()))


@st.composite
def any_transcripts(draw: st.DrawFn) -> Transcript:
    """Draw transcripts of any words at any times that are in order."""
    count = draw(st.integers(1, 6))
    now = draw(st.integers(0, 3000))
    turns = []
    for _ in range(count):
        words = []
        for text in draw(st.lists(_texts, min_size=1, max_size=12)):
            length = draw(st.sampled_from([0, 1, 90, 250, 400, 1200, 9000]))
            language = draw(st.sampled_from(["en", "fr", "fr", "en", "iu", "<x>"]))
            words.append(Word(start_ms=now, end_ms=now + length, text=text.strip(), probability=0.5, language=language))
            now += draw(st.sampled_from([0, 0, length, length, length + 300, length + 2500]))
        turns.append(Turn(speaker=draw(st.sampled_from(["S1", "S2", "S3", None])), words=tuple(words)))
    keys = sorted({turn.speaker for turn in turns if turn.speaker is not None})
    names = st.one_of(st.none(), st.sampled_from(HOSTILE), st.text(max_size=60), st.just("Marie-Ève Côté-Tremblay"))
    return Transcript(
        session_id=SESSION_ID,
        language=draw(st.sampled_from(["en", "fr"])),
        duration_ms=now,
        turns=tuple(turns),
        speakers=tuple(Speaker(key=key, name=draw(names)) for key in keys),
    )
