"""The short answers that listeners give while somebody else speaks: "yes", "mm-hm", « oui », « d’accord ».

Words in the order they were heard come in; how many of the first ones are such an answer comes out. It stands alone
because it is a list of two languages' habits, which is read and added to by other people than the rule that uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.naming import plain

_MARKS: Final = "\"'“”‘«»()[]¡¿.,;:!?…-– \u00a0\u202f"

_ANSWERS: Final = frozenset(
    tuple(answer.split())
    for answer in (
        # English
        "yes", "yeah", "yep", "yup", "no", "nope", "ok", "okay", "right", "sure", "true", "exactly", "absolutely",
        "indeed", "definitely", "great", "good", "wow", "oh", "ah", "aha", "mm", "mmm", "hm", "hmm", "mhm", "mm-hm",
        "mm-hmm", "mmhmm", "uh-huh", "huh", "i see", "of course", "that's right", "all right", "for sure", "yes yes",
        # French
        "oui", "ouais", "ouin", "non", "si", "d'accord", "voila", "exact", "exactement", "absolument", "effectivement",
        "certainement", "merci", "hein", "euh", "mm-mm", "bien sur", "tout a fait", "c'est ca", "c'est vrai", "oui oui",
        "parfait", "super", "je vois",
    )
)  # fmt: skip
_LONGEST: Final = max(map(len, _ANSWERS))


def answer_length(texts: Sequence[str]) -> int:
    """Return how many of the first words are an answer that a listener throws in; 0 where they are none.

    Example:
        >>> answer_length(["Bien", "sûr,", "mais"]), answer_length(["Mm-hm."]), answer_length(["may", "justly"])
        (2, 1, 0)
    """
    said = tuple(plain(text).strip(_MARKS) for text in texts[:_LONGEST])
    return next((length for length in range(len(said), 0, -1) if said[:length] in _ANSWERS), 0)
