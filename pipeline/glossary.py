"""What a glossary says of a term: how it is spelled, what it stands for, how it is misheard.

Values only; whoever has a glossary, a file of the house or a session's details, makes them. They stand alone because
the library reads no files of settings, and editing must not care where a term comes from.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.types import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class GlossaryTerm:
    """One term as an institution writes it.

    Attributes:
        text: As it is to be spelled.
        language: The language that it is said in.
        near: Words of which one is said nearby when the term is meant: what its letters stand for, or its subject.
        heard: What recognisers write instead.
    """

    text: str
    language: Language
    near: tuple[str, ...]
    heard: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.strip() or self.text != " ".join(self.text.split()):
            raise ValueError(f"not a term: {self.text!r}")
        if not self.near:
            raise ValueError(f"nothing tells where this term is meant: {self.text!r}")
        if self.text in self.heard:
            raise ValueError(f"a term is not a mishearing of itself: {self.text!r}")

    @property
    def acronym(self) -> bool:
        """Whether it is made of letters that are named one by one."""
        return self.text.isupper() and self.text.isalpha()
