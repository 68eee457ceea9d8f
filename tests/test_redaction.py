"""Personal numbers are proposed however they are written or said, in both languages; years and prices are not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.redaction import Kind, propose
from pipeline.types import Word


def said(text: str) -> list[Word]:
    return [
        Word(start_ms=at * 400, end_ms=at * 400 + 300, text=part, probability=0.9, language="en")
        for at, part in enumerate(text.split())
    ]


def proposed(text: str) -> list[tuple[Kind, str]]:
    words = said(text)
    return [
        (found.kind, " ".join(word.text for word in words[found.first : found.last + 1])) for found in propose(words)
    ]


@pytest.mark.parametrize(
    ("text", "kind", "passage"),
    [
        ("my number is 046-454-286, thanks", "social_insurance", "046-454-286,"),
        ("it is 046 454 286.", "social_insurance", "046 454 286."),
        ("zero four six, four five four, two eight six", "social_insurance", None),
        ("oh forty-six four fifty-four two eighty-six", "social_insurance", None),
        ("zéro quarante-six quatre cent non", None, None),
        ("le zéro quarante-six quatre cinquante-quatre deux quatre-vingt-six voilà", "social_insurance", None),
        ("call 613-555-0199 now", "phone", "613-555-0199"),
        ("call 613 255 0199 now", "phone", "613 255 0199"),
        ("call +1 (613) 255-0199 now", "phone", "+1 (613) 255-0199"),
        ("call 255-0199 now", "phone", "255-0199"),
        ("six one three two five five zero one nine nine", "phone", None),
        ("au cinq cent quatorze", None, None),
        ("quatre cent dix-huit", None, None),
        ("cinq un quatre deux cinquante-cinq zéro un quatre-vingt-dix-neuf", "phone", None),
        ("cinq un quatre, cinq cent cinquante-cinq, zéro un neuf neuf", "phone", None),
        ("six hundred and thirteen, five fifty-five, oh one four two", "phone", None),
        (
            "composez le un huit cent six deux deux six deux trois deux",
            "phone",
            "un huit cent six deux deux six deux trois deux",
        ),
        ("one eight hundred six two two six two three two", "phone", None),
        ("eight one nine double five five zero one double nine", "phone", None),
        ("mon NAS est cent trente, six cent quatre-vingt-douze, cinq cent quarante-quatre", "social_insurance", None),
        ("nous étions deux cent cinquante mille, puis cent trente six de plus", None, None),
        ("write to jean.roy@example.ca, please", "email", "jean.roy@example.ca,"),
        ("write to anna dot roy at example dot gc dot ca please", "email", "anna dot roy at example dot gc dot ca"),
        ("écrivez à anna arobase example point ca svp", "email", "anna arobase example point ca"),
        ("we met at noon in point pleasant", None, None),
        ("carte TREM 1234 5678 ici", "health_card", "TREM 1234 5678"),
        ("carte TREM12345678 ici", "health_card", "TREM12345678"),
        ("her health card is 9876 543 217 today", "health_card", "9876 543 217"),
        ("from 1999 to 2026", None, None),
        ("it cost 1,250 dollars in 2024 and 300 people came", None, None),
        ("one two three testing", None, None),
    ],
)
def test_what_looks_personal_is_proposed(text: str, kind: Kind | None, passage: str | None) -> None:
    found = proposed(text)
    assert [each[0] for each in found] == ([kind] if kind else [])
    if passage:
        assert found[0][1] == passage


@given(st.lists(st.integers(0, 9), min_size=8, max_size=8), st.sampled_from([(3, 6), (1, 5), (2, 4)]))
def test_every_valid_social_insurance_number_is_found_however_it_is_grouped(
    digits: list[int], at: tuple[int, int]
) -> None:
    total = sum(sum(divmod(digit * (1 + place % 2), 10)) for place, digit in enumerate(digits))
    number = "".join(map(str, [*digits, -total % 10]))
    text = f"so {number[: at[0]]} {number[at[0] : at[1]]} {number[at[1] :]} yes"
    kinds = [kind for kind, _ in proposed(text)]
    assert kinds == ([] if number[0] == "8" else ["social_insurance"])


SAID = (
    *("one", "at", "dot", "com", "613", "255", "0199", "vingt", "et", "quatre", "cent", "hundred", "double"),
    *("six-cent", "TREM", "1234", "a@b.ca", "–", ","),
)


@given(st.lists(st.sampled_from(SAID), max_size=12))
def test_proposals_are_in_order_and_apart(texts: list[str]) -> None:
    found = propose(said(" ".join(texts)))
    assert all(each.first <= each.last < len(texts) for each in found)
    assert all(one.last < other.first for one, other in itertools.pairwise(found))
