"""What is known of a session before anybody has listened to it.

``Details`` is what people wrote, every field of it optional; ``session_for`` makes a whole ``Session`` of that, the
media's own tags and the recording's name. It stands alone so that it does not matter where details come from: a
sidecar, a programme's defaults, or one day a form.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from pipeline.naming import name_hints, plain
from pipeline.types import (
    LANGUAGES,
    Bilingual,
    Language,
    Licence,
    Person,
    Recording,
    Resource,
    Session,
    SpeakerCount,
    SpeakerTrack,
)
from pipeline.visible import visible

Tags = tuple[tuple[str, str], ...]
"""The media container's own tags, as ``Media.tags`` has them."""

Text = str | Bilingual
"""A text as written: in both languages, or one whose language the session decides."""

LINE_LENGTH: Final = 300
"""Characters of a title, a name or a term."""
PARAGRAPH_LENGTH: Final = 5000
"""Characters of a description or a statement of rights."""

_EMPTY_TITLES: Final = frozenset(
    {"untitled", "sans titre", "recording", "enregistrement", "video", "audio", "title", "titre", "new recording"}
)
_EARLIEST_YEAR: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A person as written in a sidecar; see ``pipeline.types.Person``."""

    name: str
    role: Text | None = None
    organisation: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A resource as written in a sidecar; see ``pipeline.types.Resource``. Without a title its address is its title."""

    address: str
    title: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A licence as written in a sidecar; see ``pipeline.types.Licence``."""

    name: Text
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What somebody said about a session; ``None`` where they said nothing. See ``pipeline.types.Session``."""

    title: Text | None = None
    languages: tuple[Language, ...] | None = None
    date: dt.date | None = None
    programme: Text | None = None
    week: int | None = None
    community: Text | None = None
    topics: tuple[Text, ...] | None = None
    host: Guest | None = None
    guests: tuple[Guest, ...] | None = None
    speaker_count: SpeakerCount | None = None
    glossary: tuple[str, ...] | None = None
    keywords: tuple[Text, ...] | None = None
    description: Text | None = None
    rights: Text | None = None
    licence: Terms | None = None
    resources: tuple[Link, ...] | None = None
    consent: Text | None = None
    audio_track: Language | int | None = None
    tracks: tuple[SpeakerTrack, ...] | None = None

    @property
    def track_files(self) -> tuple[str, ...]:
        """Names of the files that belong to the recording, each once."""
        return tuple(dict.fromkeys(track.file for track in self.tracks or () if track.file is not None))

    def over(self, other: Details) -> Details:
        """Return these details, with the other's where these say nothing.

        Example:
            >>> Details(week=2).over(Details(week=1, rights="Crown")).week
            2
        """
        chosen = {
            field.name: getattr(self if getattr(self, field.name) is not None else other, field.name)
            for field in fields(self)
        }
        return Details(**chosen)


def clean(text: str) -> str:
    r"""Return a text on one line without control characters and without marks that turn its direction round.

    Example:
        >>> clean("  Two\n lines ")
        'Two lines'
    """
    return unicodedata.normalize("NFC", visible(text))


def session_for(
    recording: Recording, given: Details, tags: Tags = (), default_languages: Sequence[Language] = LANGUAGES
) -> Session:
    """Make a session of all that is known, best first: what people wrote, the media's tags, the file's name.

    Args:
        recording: The file; its name is read for a title, a date, a week and languages.
        given: Sidecar over defaults.
        tags: The media container's own.
        default_languages: Where nobody named any; one that the name ends with goes first.

    Example:
        >>> from pathlib import Path
        >>> recording = Recording(path=Path("r"), name="Week 2 - Ethics_fr.mp4", sha256="ab" * 32, size=1)
        >>> session = session_for(recording, Details())
        >>> session.title, session.week, session.languages, session.languages_given
        (Bilingual(en=None, fr='Ethics'), 2, ('fr', 'en'), False)
    """
    hints = name_hints(recording.name)
    languages = given.languages or tuple(dict.fromkeys((*hints.languages, *default_languages)))
    written = _Writer(languages[0] if given.languages or hints.languages else None)
    found = dict(tags)
    return Session(
        id=recording.session_id,
        title=written.text(given.title or _title_tag(found) or hints.title),
        languages=languages,
        languages_given=given.languages is not None,
        date=given.date or hints.date or _date_tag(found),
        programme=written.maybe(given.programme),
        week=given.week or hints.week,
        community=written.maybe(given.community),
        topics=written.texts(given.topics),
        host=written.person(given.host) if given.host else None,
        guests=tuple(written.person(guest) for guest in given.guests or ()),
        speaker_count=given.speaker_count or SpeakerCount(),
        glossary=given.glossary or (),
        keywords=written.texts(given.keywords),
        description=written.maybe(given.description or clean(found.get("description", ""))[:PARAGRAPH_LENGTH]),
        rights=written.maybe(given.rights),
        licence=written.licence(given.licence) if given.licence else None,
        resources=tuple(written.resource(link) for link in given.resources or ()),
        consent=written.maybe(given.consent),
        audio_track=given.audio_track,
        tracks=given.tracks or (),
    )


class _Writer:
    """Puts texts without a language into the session's own, or in both where nobody knows it."""

    def __init__(self, language: Language | None) -> None:
        self.language = language

    def text(self, text: Text) -> Bilingual:
        if isinstance(text, Bilingual):
            return text
        return Bilingual(**{self.language: text}) if self.language else Bilingual.same(text)

    def maybe(self, text: Text | None) -> Bilingual | None:
        return self.text(text) if text else None

    def texts(self, texts: tuple[Text, ...] | None) -> tuple[Bilingual, ...]:
        return tuple(self.text(text) for text in texts or ())

    def person(self, guest: Guest) -> Person:
        return Person(name=guest.name, role=self.maybe(guest.role), organisation=self.maybe(guest.organisation))

    def licence(self, terms: Terms) -> Licence:
        return Licence(name=self.text(terms.name), address=terms.address)

    def resource(self, link: Link) -> Resource:
        title = self.text(link.title) if link.title else Bilingual.same(link.address)
        return Resource(title=title, address=link.address)


def _title_tag(tags: Mapping[str, str]) -> str | None:
    title = clean(tags.get("title", ""))[:LINE_LENGTH]
    # Programs put paths and their own names here; a file name is better read as one.
    is_file = re.search(r"[\\/]|\.[A-Za-z0-9]{2,4}\Z", title) is not None
    return None if not title or is_file or plain(title) in _EMPTY_TITLES else title


def _date_tag(tags: Mapping[str, str]) -> dt.date | None:
    for key in ("date", "creation_time"):
        try:
            date = dt.date.fromisoformat(tags.get(key, "")[:10])
        except ValueError:
            continue
        # Recorders whose clock was never set write 1904 or 1970.
        if date.year >= _EARLIEST_YEAR:
            return date
    return None
