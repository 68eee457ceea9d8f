"""What people write about a session beside its recording.

A small TOML, JSON or YAML file comes in, as Notepad, a spreadsheet macro or a careful person saved it; out come
``Details``, or every mistake at once with the key, what was found there and what to write instead. Keys are
understood in both languages. It stands alone because the file is a stranger's: nothing after this room needs to doubt a
value again.
"""

from __future__ import annotations

import codecs
import datetime as dt
import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, NoReturn

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from pipeline.details import LINE_LENGTH, PARAGRAPH_LENGTH, Details, Guest, Link, Terms, Text, clean
from pipeline.errors import SidecarInvalid
from pipeline.naming import language_named, plain, printable
from pipeline.types import LANGUAGES, Bilingual, Language, Notice, SpeakerCount, SpeakerTrack
from pipeline.web_address import as_web_address

_KEY: Final = r"(?P<key>[\w'’-]*[^\W\x00-\x7f][\w'’-]*)(?=[ \t]*[=\]])"
_ACCENTED_KEYS: Final = (
    re.compile(rf"^(?P<before>[ \t]*\[{{0,2}}[ \t]*){_KEY}", re.MULTILINE),
    re.compile(rf"(?P<before>[{{,][ \t]*){_KEY}"),
)
"""Keys with an accent and without quotes: where a line begins, then within braces."""

SIDECAR_EXTENSIONS: Final = (".toml", ".json", ".yaml", ".yml")
SIDECAR_BYTES: Final = 64 * 1024
"""The largest sidecar that is read; a real one has one or two thousand bytes."""

_ADDRESS_LENGTH: Final = 2000
"""Characters of an address; the longest that every browser opens."""
_LIST_LENGTH: Final = 500
_DEPTH: Final = 10
_SPEAKERS: Final = 100
_WEEKS: Final = 53


class SidecarProblems(SidecarInvalid):
    """Everything that is wrong with one sidecar.

    Args:
        problems: At least one, each with a code and data of the message catalogue.
    """

    def __init__(self, problems: tuple[Notice, ...]) -> None:
        super().__init__(problems[0].code, dict(problems[0].data))
        # What pickle gives back to __init__ in another process.
        self.args = (problems,)
        self.problems = problems

    def message(self, language: Language) -> str:
        """Say everything that is wrong, one problem a line, in that language."""
        return "\n".join(SidecarInvalid(each.code, dict(each.data)).message(language) for each in self.problems)


def reasons(error: Exception) -> tuple[Notice, ...]:
    """Return why something failed, as values to keep: every problem of a sidecar, the one of any other failure."""
    if isinstance(error, SidecarProblems):
        return error.problems
    code, data = getattr(error, "code", "intake.unexpected"), getattr(error, "data", {})
    return (Notice(code=code, data=tuple(sorted(data.items()))),)


def _refuse(code: str, **data: object) -> NoReturn:
    raise SidecarProblems((Notice(code=code, data=tuple(sorted((key, str(value)) for key, value in data.items()))),))


def read_sidecar(path: Path) -> Details:
    """Read a sidecar or a programme's defaults.

    Args:
        path: A regular file; its extension says the format.

    Raises:
        SidecarProblems: It cannot be understood; carries every mistake.
        OSError: It cannot be opened.
    """
    # A symbolic link could point at any file of this machine; its content would come back in the reason.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        content = file.read(SIDECAR_BYTES + 1)
    return parse_sidecar(content, path.name)


def parse_sidecar(content: bytes, name: str) -> Details:
    r"""Understand a sidecar's bytes.

    Args:
        content: The whole file.
        name: Its file name; the extension says the format.

    Raises:
        SidecarProblems: It cannot be understood; carries every mistake.

    Example:
        >>> parse_sidecar("semaine = 3\nlangue = 'français'".encode(), "x.toml")
        ... # doctest: +ELLIPSIS
        Details(title=None, languages=('fr',), date=None, programme=None, week=3, ...
    """
    shown = printable(name)
    if len(content) > SIDECAR_BYTES:
        _refuse("sidecar.too_big", file=shown, kilobytes=SIDECAR_BYTES // 1024)
    text = _decode(content, shown)
    table = _parse(text, Path(name).suffix.lower(), shown) if text.strip() else {}
    if not isinstance(table, dict):
        _refuse("sidecar.not_a_table", file=shown)
    return _details(table, shown)


def _decode(content: bytes, file: str) -> str:
    marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
    mark, encoding = next((pair for pair in marks if content.startswith(pair[0])), (b"", "utf-8"))
    try:
        text = content.removeprefix(mark).decode(encoding)
    except UnicodeDecodeError:
        _refuse("sidecar.encoding", file=file)
    if "\0" in text:
        _refuse("sidecar.encoding", file=file)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse(text: str, extension: str, file: str) -> object:
    parse = {".toml": _parse_toml, ".json": _parse_json}.get(extension, _parse_yaml)
    try:
        return parse(text, file)
    except yaml.MarkedYAMLError as error:
        _refuse_line(text, error.problem_mark.line + 1 if error.problem_mark else 0, file)
    except yaml.reader.ReaderError as error:
        _refuse_line(text, text.count("\n", 0, int(error.position)) + 1, file)
    except json.JSONDecodeError as error:
        _refuse_line(text, error.lineno, file)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        _refuse_line(text, int(line[1]) if line else text.rstrip().count("\n") + 1, file)
    except (ValueError, RecursionError):
        # Numbers of thousands of digits, days such as 2026-02-31, brackets nested by the thousand.
        _refuse("sidecar.unreadable", file=file)


def _refuse_line(text: str, line: int, file: str) -> NoReturn:
    lines = text.split("\n")
    written = _shorten(lines[line - 1].strip()) if 0 < line <= len(lines) else ""
    _refuse("sidecar.syntax", file=file, line=line, text=printable(written))


def _parse_toml(text: str, file: str) -> object:
    del file
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # TOML wants quotes around a key with an accent, which nobody who writes « invités = » would guess.
        quoted = text
        for keys in _ACCENTED_KEYS:
            quoted = keys.sub(r'\g<before>"\g<key>"', quoted)
            with suppress(tomllib.TOMLDecodeError):
                return tomllib.loads(quoted)
        raise error from None


def _parse_json(text: str, file: str) -> object:
    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        _refuse_twice((key for key, _ in pairs), file)
        return dict(pairs)

    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    return json.loads(text, object_pairs_hook=table, parse_constant=refuse)


def _parse_yaml(text: str, file: str) -> object:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        # An alias can make a kilobyte stand for gigabytes; a tag can ask for other types. Neither has a use here.
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            mark = event.start_mark
            _refuse("sidecar.yaml_feature", file=file, line=mark.line + 1 if mark is not None else 0)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        # The scanner's time grows with the square of the depth.
        if depth > _DEPTH:
            _refuse("sidecar.unreadable", file=file)
    _check_yaml_keys(yaml.compose(text, Loader=yaml.SafeLoader), file)
    return yaml.safe_load(text)


def _check_yaml_keys(node: yaml.Node | None, file: str) -> None:
    if isinstance(node, yaml.MappingNode):
        _refuse_twice((str(key.value) for key, _ in node.value), file)
        for _, value in node.value:
            _check_yaml_keys(value, file)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_yaml_keys(item, file)


def _refuse_twice(keys: Iterator[str], file: str) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            _refuse("sidecar.twice", file=file, key=printable(key), other=printable(key))
        seen.add(key)


def _wrong(kind: str, value: object) -> PydanticCustomError:
    # The catalogue writes the message; pydantic only carries the code and what was found.
    return PydanticCustomError("sidecar", "{code}", {"code": f"sidecar.wrong_{kind}", "found": _found(value)})


def _found(value: object) -> str:
    """Write a value as JSON, short: the same in both languages and in all three formats."""
    return printable(_shorten(json.dumps(value, ensure_ascii=False, default=str)))


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _string(value: object, kind: str, length: int) -> str:
    text = clean(value) if isinstance(value, str) else ""
    if not text:
        raise _wrong(kind, value)
    if len(text) > length:
        raise PydanticCustomError("sidecar", "{code}", {"code": "sidecar.too_long", "most": length, "found": ""})
    return text


def _text(value: object, kind: str, length: int) -> Text:
    if not isinstance(value, dict):
        return _string(value, kind, length)
    if not value or not value.keys() <= set(LANGUAGES):
        raise _wrong(kind, value)
    return Bilingual(**{language: _string(text, kind, length) for language, text in value.items()})


def _line(value: object) -> Text:
    return _text(value, "text", LINE_LENGTH)


def _paragraph(value: object) -> Text:
    return _text(value, "text", PARAGRAPH_LENGTH)


def _name(value: object) -> str:
    return _string(value, "name", LINE_LENGTH)


def _items(value: object, kind: str) -> list[object]:
    items = list(value) if isinstance(value, list) else [value]
    if len(items) > _LIST_LENGTH:
        raise PydanticCustomError("sidecar", "{code}", {"code": "sidecar.too_many", "most": _LIST_LENGTH, "found": ""})
    if any(isinstance(item, list) for item in items):
        raise _wrong(kind, value)
    return items


def _lines(value: object) -> tuple[Text, ...]:
    return tuple(_text(item, "texts", LINE_LENGTH) for item in _items(value, "texts"))


def _terms(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_string(item, "terms", LINE_LENGTH) for item in _items(value, "terms")))


def _date(value: object) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value.strip()) if isinstance(value, str) else _no_date(value)
    except ValueError:
        _no_date(value)


def _no_date(value: object) -> NoReturn:
    raise _wrong("date", value) from None


def _week(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _WEEKS:
        raise _wrong("week", value)
    return value


def _language(value: object) -> Language:
    language = language_named(value) if isinstance(value, str) else None
    if language is None:
        raise _wrong("language", value)
    return language


def _languages(value: object) -> tuple[Language, ...]:
    if isinstance(value, list) and not value:
        raise _wrong("language", value)
    return tuple(dict.fromkeys(_language(item) for item in _items(value, "language")))


def _audio_track(value: object) -> Language | int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _SPEAKERS:
        return value
    language = language_named(value) if isinstance(value, str) else None
    if language is None:
        raise _wrong("track", value)
    return language


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _SPEAKERS:
        raise _wrong("speakers", value)
    return value


def _count(value: object) -> object:
    return value if isinstance(value, dict) else {"exact": _number(value)}


def _person(value: object) -> object:
    return value if isinstance(value, dict) else {"name": _name(value)}


def _people(value: object) -> list[object]:
    return [_person(item) for item in _items(value, "people")]


def _address(value: object) -> str:
    address = as_web_address(_string(value, "address", _ADDRESS_LENGTH))
    if address is None:
        raise _wrong("address", value)
    return address


def _resources(value: object) -> list[object]:
    return [item if isinstance(item, dict) else {"address": _address(item)} for item in _items(value, "resources")]


def _licence(value: object) -> object:
    if isinstance(value, dict) and not value.keys() <= set(LANGUAGES):
        return value
    _text(value, "licence", LINE_LENGTH)
    return {"name": value}


def _file(value: object) -> str:
    name = _string(value, "file", LINE_LENGTH)
    # A file of the same folder and no other: a path could lead to any file of this machine.
    if name.startswith(".") or any(mark in name for mark in "/\\:"):
        raise _wrong("file", value)
    return name


def _stream(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _SPEAKERS:
        raise _wrong("stream", value)
    return value


def _tracks(value: object) -> list[object]:
    items = _items(value, "tracks")
    if len(items) > _SPEAKERS or not all(isinstance(item, dict) for item in items):
        raise _wrong("tracks", value)
    return items


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


_Line = Annotated[Text | None, BeforeValidator(_line)]
_Paragraph = Annotated[Text | None, BeforeValidator(_paragraph)]
_Lines = Annotated[tuple[Text, ...] | None, BeforeValidator(_lines)]
_Terms = Annotated[tuple[str, ...] | None, BeforeValidator(_terms)]
_Number = Annotated[int | None, BeforeValidator(_number)]


class _Person(_Table):
    name: Annotated[str, BeforeValidator(_name)]
    role: _Line = None
    organisation: _Line = None


class _Count(_Table):
    exact: _Number = None
    least: _Number = None
    most: _Number = None


class _Track(_Table):
    speaker: Annotated[str, BeforeValidator(_name)]
    file: Annotated[str | None, BeforeValidator(_file)] = None
    stream: Annotated[int | None, BeforeValidator(_stream)] = None


class _Resource(_Table):
    address: Annotated[str, BeforeValidator(_address)]
    title: _Line = None


class _Licence(_Table):
    name: Annotated[Text, BeforeValidator(_line)]
    address: Annotated[str | None, BeforeValidator(_address)] = None


class _Sidecar(_Table):
    title: _Line = None
    date: Annotated[dt.date | None, BeforeValidator(_date)] = None
    languages: Annotated[tuple[Language, ...] | None, BeforeValidator(_languages)] = None
    programme: _Line = None
    week: Annotated[int | None, BeforeValidator(_week)] = None
    community: _Line = None
    topics: _Lines = None
    host: Annotated[_Person | None, BeforeValidator(_person)] = None
    guests: Annotated[list[_Person] | None, BeforeValidator(_people)] = None
    speakers: Annotated[_Count | None, BeforeValidator(_count)] = None
    glossary: _Terms = None
    keywords: _Lines = None
    description: _Paragraph = None
    rights: _Paragraph = None
    licence: Annotated[_Licence | None, BeforeValidator(_licence)] = None
    resources: Annotated[list[_Resource] | None, BeforeValidator(_resources)] = None
    consent: _Paragraph = None
    audio_track: Annotated[Language | int | None, BeforeValidator(_audio_track)] = None
    tracks: Annotated[list[_Track] | None, BeforeValidator(_tracks)] = None


def _spellings(**names: str) -> dict[str, str]:
    """Return our key for each way to write it; each argument lists the other ways, the first of each is shown."""
    return {
        way: key
        for key, ways in names.items()
        for way in (_plain_key(key), *(_plain_key(way) for way in ways.split(",") if way))
    }


def _plain_key(key: str) -> str:
    return re.sub(r"[\s_-]+", "_", plain(key.strip()))


_KEYS: Final = _spellings(
    title="titre",
    date="",
    languages="language,langue,langues",
    programme="program",
    week="semaine",
    community="communaute,communaute_de_pratique,community_of_practice",
    topics="topic,sujets,sujet,themes,theme",
    host="animation,animateur,animatrice,hote",
    guests="guest,invites,invite,invitees,invitee",
    speakers="speaker_count,number_of_speakers,intervenants,nombre_intervenants,nombre_d'intervenants,voix",
    glossary="glossaire",
    keywords="keyword,mots_cles,mot_cle",
    description="",
    rights="droits",
    licence="license",
    resources="resource,ressources,ressource,links,link,liens,lien",
    consent="consentement",
    audio_track="audio,track,piste_audio,piste",
    tracks="speaker_tracks,pistes,pistes_des_intervenants",
)
_PERSON_KEYS: Final = _spellings(name="nom", role="fonction,poste", organisation="organization,organisme,etablissement")
_COUNT_KEYS: Final = _spellings(
    exact="exactly,exactement", least="min,minimum,at_least,au_moins", most="max,maximum,at_most,au_plus"
)

_TRACK_KEYS: Final = _spellings(speaker="name,nom,intervenant,intervenante,personne", file="fichier", stream="flux")

_RESOURCE_KEYS: Final = _spellings(address="adresse,url", title="titre")
_LICENCE_KEYS: Final = _spellings(name="nom", address="adresse,url", en="", fr="")

_NESTED: Final = {
    "host": _PERSON_KEYS,
    "guests": _PERSON_KEYS,
    "speakers": _COUNT_KEYS,
    "tracks": _TRACK_KEYS,
    "resources": _RESOURCE_KEYS,
    "licence": _LICENCE_KEYS,
}
_INCOMPLETE: Final = {"resources": "sidecar.wrong_resources", "licence": "sidecar.wrong_licence"}
"""What is said of a table that lacks something; of a person's, that the name is missing."""

_Place = tuple[str | int, ...]
"""Where a value is, as pydantic says it: ``("guests", 0, "role")``."""


class _Keys:
    """Puts a sidecar under our own keys; remembers how each was written and what was wrong with them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Notice] = []
        self.written: dict[_Place, str] = {}

    def rename(
        self, table: Mapping[object, object], keys: Mapping[str, str] = _KEYS, place: _Place = (), prefix: str = ""
    ) -> dict[str, object]:
        renamed: dict[str, object] = {}
        for written, value in table.items():
            shown = f"{prefix}{printable(_shorten(str(written)))}"
            key = keys.get(_plain_key(str(written)))
            if key is None:
                self._unknown(shown, str(written), keys)
            elif key in renamed:
                self._problem("sidecar.twice", key=shown, other=self.written[*place, key])
            elif not _is_blank(value):
                self.written[*place, key] = shown
                renamed[key] = self._inside(value, None if place else _NESTED.get(key), (*place, key), shown)
        return renamed

    def _inside(self, value: object, keys: Mapping[str, str] | None, place: _Place, shown: str) -> object:
        if isinstance(value, list):
            return [self._item(item, keys, (*place, n), f"{shown}[{n + 1}]") for n, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if keys is None:
            return {key: part for key, part in value.items() if not _is_blank(part)}
        return self.rename(value, keys, place, f"{shown}.")

    def _item(self, value: object, keys: Mapping[str, str] | None, place: _Place, shown: str) -> object:
        self.written[place] = shown
        return self._inside(value, keys, place, shown)

    def _unknown(self, shown: str, written: str, keys: Mapping[str, str]) -> None:
        near = difflib.get_close_matches(_plain_key(written)[:60], keys)
        if near:
            # The same key in the other language may be the one that was meant.
            same = [each for each in near if keys[each] == keys[near[0]]]
            self._problem("sidecar.unknown_near", key=shown, near=" / ".join(sorted(same)))
        else:
            self._problem("sidecar.unknown", key=shown, keys=", ".join(sorted(set(keys.values()))))

    def _problem(self, code: str, **data: str) -> None:
        self.problems.append(Notice(code=code, data=tuple(sorted({**data, "file": self.file}.items()))))


def _is_blank(value: object) -> bool:
    """Say whether a field was left empty, as in a template that somebody filled in only in part."""
    if isinstance(value, dict):
        return all(_is_blank(part) for part in value.values())
    return value is None or (isinstance(value, str) and not value.strip())


def _details(table: Mapping[object, object], file: str) -> Details:
    keys = _Keys(file)
    renamed = keys.rename(table)
    problems = keys.problems
    try:
        read = _Sidecar.model_validate(renamed)
    except ValidationError as error:
        problems += [_problem(each, keys) for each in error.errors(include_url=False)]
    if problems:
        raise SidecarProblems(tuple(problems))
    made = {"host", "guests", "speakers", "tracks", "licence", "resources"}
    return Details(
        **{key: getattr(read, key) for key in _Sidecar.model_fields if key not in made},
        host=_guest(read.host) if read.host else None,
        guests=tuple(_guest(person) for person in read.guests) if read.guests is not None else None,
        speaker_count=_speaker_count(read.speakers, keys) if read.speakers else None,
        tracks=_speaker_tracks(read.tracks, keys) if read.tracks else None,
        licence=Terms(name=read.licence.name, address=read.licence.address) if read.licence else None,
        resources=None
        if read.resources is None
        else tuple(Link(address=each.address, title=each.title) for each in read.resources),
    )


def _problem(error: ErrorDetails, keys: _Keys) -> Notice:
    place = tuple(error["loc"])
    while place not in keys.written and len(place) > 1:
        place = place[:-1]
    key = keys.written.get(place, str(error["loc"][0]))
    data = {name: str(value) for name, value in error.get("ctx", {}).items()}
    incomplete = _INCOMPLETE.get(str(error["loc"][0]))
    code = data.pop("code", incomplete or ("sidecar.no_name" if error["type"] == "missing" else "sidecar.wrong_people"))
    found = _found(error["input"]) if incomplete else ""
    return Notice(code=code, data=tuple(sorted({"found": found, **data, "key": key, "file": keys.file}.items())))


def _guest(person: _Person) -> Guest:
    return Guest(name=person.name, role=person.role, organisation=person.organisation)


def _speaker_count(count: _Count, keys: _Keys) -> SpeakerCount:
    try:
        return SpeakerCount(exact=count.exact, least=count.least, most=count.most)
    except ValueError:
        found = _found(count.model_dump(exclude_none=True))
        _refuse("sidecar.wrong_speakers", file=keys.file, key=keys.written["speakers",], found=found)


def _speaker_tracks(tracks: list[_Track], keys: _Keys) -> tuple[SpeakerTrack, ...]:
    places = [(each.file.casefold() if each.file else None, each.stream) for each in tracks]
    kinds = {each.file is None for each in tracks}
    try:
        found = tuple(SpeakerTrack(speaker=each.speaker, file=each.file, stream=each.stream) for each in tracks)
    except ValueError:
        found = ()
    if not found or len(kinds) > 1 or len(set(places)) < len(places):
        shown = _found([each.model_dump(exclude_none=True) for each in tracks])
        _refuse("sidecar.wrong_tracks", file=keys.file, key=keys.written["tracks",], found=shown)
    return found
