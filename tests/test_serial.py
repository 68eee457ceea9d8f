"""Values to JSON and back: equal, the same bytes for the same value, strict."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.serial import from_json, to_json
from pipeline.types import Bilingual, Person, Recording, Session, Span, SpeakerCount, Transcript, Turn, Word

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
BILINGUAL = st.builds(Bilingual, en=TEXT, fr=st.none() | TEXT)
PERSON = st.builds(Person, name=TEXT, role=st.none() | BILINGUAL)
SESSION = st.builds(
    Session,
    id=st.just("0123456789abcdef"),
    title=BILINGUAL,
    languages=st.sampled_from([("en",), ("fr",), ("en", "fr")]),
    date=st.none() | st.dates(),
    topics=st.lists(BILINGUAL, max_size=2).map(tuple),
    host=st.none() | PERSON,
    guests=st.lists(PERSON, max_size=2).map(tuple),
    speaker_count=st.builds(SpeakerCount, least=st.none() | st.integers(1, 9)),
    audio_track=st.sampled_from([None, "en", "fr", 0, 3]),
)
WORD = st.builds(
    Word,
    start_ms=st.integers(0, 1000),
    end_ms=st.integers(1000, 10**9),
    text=st.sampled_from(["l’été", "<b>&", "\u00a0".join("ab")]),
    probability=st.floats(0, 1),
    language=st.sampled_from(["en", "fr"]),
)


@given(SESSION)
def test_a_session_comes_back_equal(session: Session) -> None:
    assert from_json(Session, to_json(session)) == session


@given(st.lists(WORD, min_size=1, max_size=3))
def test_a_transcript_comes_back_equal(words: list[Word]) -> None:
    transcript = Transcript(
        session_id="0123456789abcdef", language="fr", duration_ms=9, turns=(Turn(speaker=None, words=tuple(words)),)
    )
    assert from_json(Transcript, to_json(transcript)) == transcript


def test_paths_and_dates_come_back_as_such() -> None:
    recording = Recording(path=Path("a/b.mp4"), name="b.mp4", sha256="0" * 64, size=1)
    assert from_json(Recording, to_json(recording)) == recording
    assert from_json(dt.date, to_json(dt.date(2026, 11, 21))) == dt.date(2026, 11, 21)


def test_a_container_is_told_by_its_kind() -> None:
    spans = (Span(start_ms=0, end_ms=1), Span(start_ms=1, end_ms=2))
    data = to_json(spans, kind=tuple[Span, ...])
    assert from_json(tuple[Span, ...], data) == spans


def test_keys_are_sorted_and_letters_are_kept() -> None:
    assert to_json(Bilingual(fr="Été", en="Summer")) == '{"en":"Summer","fr":"Été"}'.encode()


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ('{"start_ms":"0","end_ms":4}', "start_ms"),
        ('{"start_ms":0,"end_ms":4,"more":1}', "more"),
        ('{"start_ms":0}', "end_ms"),
        ('{"start_ms":4,"end_ms":0}', "not an interval"),
        ('{"start_ms":', "Invalid JSON"),
        ("[]", "top"),
    ],
)
def test_what_is_not_that_kind_is_refused_and_says_where(data: str, where: str) -> None:
    with pytest.raises(ValueError, match=where):
        from_json(Span, data)


@pytest.mark.parametrize("value", [Bilingual(en="\udcff"), float("inf")])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"surrogates|JSON compliant"):
        to_json(value)
