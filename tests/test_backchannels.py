"""What counts as a listener's answer, in both languages and however the recogniser writes it."""

from __future__ import annotations

import pytest

from pipeline.backchannels import answer_length


@pytest.mark.parametrize(
    ("said", "length"),
    [
        ("Yes", 1),
        ("YES!", 1),
        ("Mm-hmm.", 1),
        ("Uh-huh,", 1),
        ("I see. So", 2),
        ("of course not", 2),
        ("Oui", 1),
        ("« D’accord »", 1),
        ("C'est ça.", 2),
        ("Tout à fait, mais", 3),
        ("Voilà", 1),
        ("Yesterday", 0),
        ("of the", 0),
        ("tout le monde", 0),
        ("…", 0),
        ("", 0),
    ],
)
def test_an_answer_is_known_by_its_words(said: str, length: int) -> None:
    words = said.replace("« ", "«").replace(" »", "»").split()
    assert answer_length(words) == length
