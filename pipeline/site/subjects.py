"""What a session can be found by beside its date: programme, community, topics, people, languages.

In goes a session, or what the lists tell of one, out come the subjects whose lists it stands on, and for each the name
of that list in addresses. Two spellings that differ only in capitals, accents or white space are one subject. Stands
alone because what keeps the lists and what links to them must agree to the letter: a link whose list was kept under
another name would lead nowhere.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from pipeline.naming import plain, slug
from pipeline.site.catalogue import programme_key
from pipeline.site.model import OTHER_LETTER, CatalogueEntry, Subject, SubjectKind
from pipeline.types import Bilingual, Person, Session
from pipeline.visible import visible


def subjects_of(session: Session | CatalogueEntry) -> tuple[Subject, ...]:
    """Return what a session can be found by, each once; a person who led it stands among its people."""
    found = [
        *_named("programme", [session.programme]),
        *_named("community", [session.community]),
        *_named("topic", session.topics),
        *_named("person", [Bilingual.same(name) for name in _people(session)]),
        *_named("language", [Bilingual.same(language) for language in session.languages]),
    ]
    once: dict[str, Subject] = {}
    for subject in found:
        once.setdefault(list_key(subject.kind, subject.name), subject)
    return tuple(once.values())


@lru_cache(maxsize=1024)
def list_key(kind: SubjectKind, name: Bilingual) -> str:
    """Return the name of a subject's list in addresses: readable, and the same for every spelling of the subject.

    A programme keeps the key that its feeds and its course have; of everything else the English name decides, so that
    a topic that some sessions name in one language and others in both has one list.

    Example:
        >>> list_key("topic", Bilingual(en="Éthique  & IA")) == list_key("topic", Bilingual(en="ethique & ia", fr="x"))
        True
        >>> list_key("language", Bilingual.same("fr"))
        'language-fr'
    """
    if kind == "programme":
        return f"programme-{programme_key(name)}"
    folded = _folded(name.get("en"))
    if kind == "language":
        return f"language-{folded}"
    digest = hashlib.sha256(folded.encode(errors="replace")).hexdigest()[:8]
    return "-".join(part for part in (kind, slug(folded), digest) if part)


def letter_of(name: str) -> str:
    """Return the letter that a name stands under in an index, accents aside; one sign for all that have none.

    Example:
        >>> letter_of("Éthique"), letter_of("« 2030 »"), letter_of("« Après »")
        ('e', '0', 'a')
    """
    first = re.search(r"[^\W_]", _folded(name))
    return first[0] if first is not None and "a" <= first[0] <= "z" else OTHER_LETTER


def sort_name(name: str) -> tuple[str, str]:
    """Return what puts names in the order of an index: as readers look them up, accents and capitals aside."""
    folded = _folded(name)
    return re.sub(r"^[\W_]+", "", folded), name


def choose_name(names: Iterable[Bilingual]) -> Bilingual:
    """Return the spelling to show among those of one subject: in both languages if there is one, then the most usual.

    Args:
        names: At least one, the earliest first: of two that are as usual, the earlier is taken.
    """
    counted = Counter(names)
    return max(counted, key=lambda name: (name.en is not None and name.fr is not None, counted[name]))


def _named(kind: SubjectKind, names: Iterable[Bilingual | None]) -> list[Subject]:
    return [Subject(kind=kind, name=name) for name in names if name is not None and _folded(name.get("en"))]


def _people(session: Session | CatalogueEntry) -> list[str]:
    people: list[Person | str] = [*([session.host] if session.host is not None else []), *session.guests]
    return [person.name if isinstance(person, Person) else person for person in people]


@lru_cache(maxsize=4096)
def _folded(text: str) -> str:
    return " ".join(plain(visible(text)).split())
