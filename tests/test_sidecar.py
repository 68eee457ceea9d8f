"""Details files: what people write is understood, or every mistake is explained."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.details import Details, Guest, session_for
from pipeline.errors import RecordingRejected
from pipeline.naming import name_hints, printable
from pipeline.sidecar import SIDECAR_BYTES, SidecarProblems, parse_sidecar, read_sidecar, reasons
from pipeline.types import LANGUAGES, Bilingual, Licence, Recording, Resource, SpeakerCount

GUIDES = Path(__file__).parents[1] / "docs"

FULL = Details(
    title=Bilingual(en="Ethics of data", fr="L’éthique des données"),
    date=dt.date(2026, 3, 14),
    languages=("fr", "en"),
    programme="Digital Academy",
    week=3,
    topics=("privacy", Bilingual(en="open data", fr="données ouvertes")),
    host=Guest(name="Luc Roy"),
    guests=(Guest(name="Ana Diaz", role=Bilingual(fr="Statisticienne"), organisation="StatCan"), Guest(name="Bo Li")),
    speaker_count=SpeakerCount(least=2, most=5),
    glossary=("StatCan", "Nunavut"),
    keywords=("ethics",),
    description="A talk.",
    rights="Crown",
    consent="All agreed",
    audio_track="fr",
)

TOML = """
title = { en = "Ethics of data", fr = "L’éthique des données" }
date = 2026-03-14
languages = ["fr", "English"]
programme = "Digital Academy"
week = 3
topics = ["privacy", { en = "open data", fr = "données ouvertes" }]
host = "Luc Roy"
guests = [{ name = "Ana Diaz", role = { fr = "Statisticienne" }, organisation = "StatCan" }, "Bo Li"]
speakers = { min = 2, max = 5 }
glossary = ["StatCan", "Nunavut"]
keywords = "ethics"
description = "A talk."
rights = "Crown"
consent = "All agreed"
audio_track = "French"
"""

YAML = """
Titre: {en: Ethics of data, fr: L’éthique des données}
date: 2026-03-14
Langues: [français, anglais]
programme: Digital Academy
semaine: 3
sujets: [privacy, {en: open data, fr: données ouvertes}]
animatrice: Luc Roy
invités:
  - nom: Ana Diaz
    fonction: {fr: Statisticienne}
    organisme: StatCan
  - Bo Li
intervenants: {au moins: 2, au-plus: 5}
glossaire: [StatCan, Nunavut]
mots-clés: ethics
description: A talk.
droits: Crown
consentement: All agreed
piste audio: fr
"""


def problems(content: bytes | str, name: str = "talk.toml") -> list[tuple[str, dict[str, str]]]:
    with pytest.raises(SidecarProblems) as caught:
        parse_sidecar(content if isinstance(content, bytes) else content.encode(), name)
    for language in LANGUAGES:
        assert caught.value.message(language)
    return [(each.code.removeprefix("sidecar."), dict(each.data)) for each in caught.value.problems]


def test_the_same_details_in_every_format_and_language_are_the_same() -> None:
    as_json = json.dumps(yaml.safe_load(YAML), default=str)
    assert parse_sidecar(TOML.encode(), "a.toml") == FULL
    assert parse_sidecar(YAML.encode(), "a.yaml") == FULL
    assert parse_sidecar(YAML.encode(), "a.yml") == FULL
    assert parse_sidecar(as_json.encode(), "a.JSON") == FULL


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_what_windows_and_old_macs_save_is_understood(encoding: str, ending: str) -> None:
    mark = "\ufeff" if encoding.endswith("-bom") else ""
    content = (mark + TOML.replace("\n", ending)).encode(encoding.removesuffix("-bom"))
    assert parse_sidecar(content, "a.toml") == FULL


def test_everything_is_optional_and_a_template_left_empty_says_nothing() -> None:
    assert parse_sidecar(b"", "a.toml") == Details()
    assert parse_sidecar(b" \n", "a.json") == Details()
    assert parse_sidecar(b"# only a comment\n", "a.toml") == Details()
    template = 'title = ""\nhost = { name = "", role = "" }\nprogramme = { en = "", fr = "Numérique" }'
    assert parse_sidecar(template.encode(), "a.toml") == Details(programme=Bilingual(fr="Numérique"))
    assert parse_sidecar(b"title:\nweek: ~\n", "a.yaml") == Details()


def test_an_empty_list_says_none_against_the_defaults() -> None:
    assert parse_sidecar(b"guests = []", "a.toml").over(FULL).guests == ()


def test_single_values_stand_for_lists_and_whole_numbers_for_counts() -> None:
    found = parse_sidecar(b'topics = "a"\nguests = { name = "B" }\nspeakers = 3\naudio = 1', "a.toml")
    assert found.topics == ("a",)
    assert found.guests == (Guest(name="B"),)
    assert found.speaker_count == SpeakerCount(exact=3)
    assert found.audio_track == 1


@pytest.mark.parametrize(
    ("line", "code", "found"),
    [
        ("title = 3", "wrong_text", "3"),
        ("title = true", "wrong_text", "true"),
        ("title = ['a']", "wrong_text", '["a"]'),
        ("title = { de = 'a' }", "wrong_text", '{"de": "a"}'),
        ("title = { en = 3 }", "wrong_text", "3"),
        ("date = '14 mars'", "wrong_date", '"14 mars"'),
        ("date = 2026", "wrong_date", "2026"),
        ("week = 0", "wrong_week", "0"),
        ("week = true", "wrong_week", "true"),
        ("week = '3'", "wrong_week", '"3"'),
        ("languages = 'de'", "wrong_language", '"de"'),
        ("languages = []", "wrong_language", "[]"),
        ("langue = ['fr', 3]", "wrong_language", "3"),
        ("topics = [1]", "wrong_texts", "1"),
        ("topics = [['a']]", "wrong_texts", '[["a"]]'),
        ("glossary = [{ en = 'a' }]", "wrong_terms", '{"en": "a"}'),
        ("host = 3", "wrong_name", "3"),
        ("guests = [3]", "wrong_name", "3"),
        ("speakers = 0", "wrong_speakers", "0"),
        ("speakers = 'many'", "wrong_speakers", '"many"'),
        ("speakers = { min = 3, max = 2 }", "wrong_speakers", '{"least": 3, "most": 2}'),
        ("speakers = { min = 'a' }", "wrong_speakers", '"a"'),
        ("audio_track = -1", "wrong_track", "-1"),
        ("audio_track = 'Klingon'", "wrong_track", '"Klingon"'),
        ("resources = 5", "wrong_address", "5"),
        ("resources = [['https://example.org']]", "wrong_resources", '[["https://example.org"]]'),
        ("resources = [{ title = 'Guide' }]", "wrong_resources", '{"title": "Guide"}'),
        ("resources = ['javascript:alert(1)']", "wrong_address", '"javascript:alert(1)"'),
        ("resources = [{ title = 3, address = 'https://example.org' }]", "wrong_text", "3"),
        ("licence = 4", "wrong_licence", "4"),
        ("licence = { address = 'https://example.org' }", "wrong_licence", '{"address": "https://example.org"}'),
        ("licence = { en = 'Mine', name = 'Mine' }", "wrong_licence", '"Mine"'),
        ("licence = { name = 'Mine', address = 'ftp://example.org' }", "wrong_address", '"ftp://example.org"'),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(line: str, code: str, found: str) -> None:
    ((got, data),) = problems(line)
    assert (got, data["found"]) == (code, found)
    assert line.split(" ", maxsplit=1)[0] in data["key"]


def test_every_mistake_is_told_at_once_under_the_name_it_was_written_with() -> None:
    found = problems("semaine = 'x'\ntitel = 'y'\ninvités = [{ fonction = 3 }, 'B']".replace("invités", '"invités"'))
    assert [(code, data["key"]) for code, data in found] == [
        ("unknown_near", "titel"),
        ("wrong_week", "semaine"),
        ("no_name", "invités[1]"),
        ("wrong_text", "invités[1].fonction"),
    ]


def test_an_unknown_key_is_answered_with_the_nearest_or_with_all() -> None:
    ((code, data),) = problems("tittle = 'x'")
    assert (code, data["near"]) == ("unknown_near", "title / titre")
    ((code, data),) = problems('"semaines" = 1')
    assert (code, data["near"]) == ("unknown_near", "semaine")
    ((code, data),) = problems("qqqq = 'x'")
    assert code == "unknown"
    assert "title" in data["keys"]
    ((code, data),) = problems("host = { nane = 'x', name = 'y' }")
    assert (code, data["key"], data["near"]) == ("unknown_near", "host.nane", "name")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"title": "a", "title": "b"}', "a.json"),
        ("title: a\ntitle: b\n", "a.yaml"),
        ("host: {name: a, name: b}", "a.yaml"),
        ("guests: [{name: a, name: b}]", "a.yaml"),
        ("title = 'a'\ntitre = 'b'", "a.toml"),
    ],
)
def test_a_key_given_twice_is_refused(content: str, name: str) -> None:
    assert [code for code, _ in problems(content, name)] == ["twice"]


@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        ("title = 'a'\nweek = = 3\n", "a.toml", "2"),
        ("title = 'a", "a.toml", "1"),
        ("title = 'a'\ntitle = 'b'", "a.toml", "2"),
        ('{"title":\n "a"', "a.json", "2"),
        ("title: 'a\nweek: 3", "a.yaml", "2"),
        ("a: b: c", "a.yaml", "1"),
        ("title: a\nweek: \x07", "a.yaml", "2"),
        ("title: a\n---\ntitle: b", "a.yaml", "2"),
    ],
)
def test_what_is_not_the_format_is_refused_with_its_line(content: str, name: str, line: str) -> None:
    ((code, data),) = problems(content, name)
    assert (code, data["line"]) == ("syntax", line)


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"title = '" + b"a" * SIDECAR_BYTES + b"'", "a.toml", "too_big"),
        ("titre = 'été'".encode("cp1252"), "a.toml", "encoding"),
        ("titre = 'a'".encode("utf-16-le"), "a.toml", "encoding"),
        (b"[" * 30_000, "a.json", "unreadable"),
        (b"a = " + b"[" * 30_000, "a.toml", "unreadable"),
        (b"[" * 30_000, "a.yaml", "unreadable"),
        (b'{"week": ' + b"9" * 5000 + b"}", "a.json", "unreadable"),
        (b'{"week": NaN}', "a.json", "unreadable"),
        (b"week = " + b"9" * 5000, "a.toml", "unreadable"),
        (b"date: 2026-02-31", "a.yaml", "unreadable"),
        (b"[1, 2]", "a.json", "not_a_table"),
        (b"just text", "a.yaml", "not_a_table"),
        (b"title: !!python/object/apply:os.system [id]", "a.yaml", "yaml_feature"),
        (b"title: !!int ''", "a.yaml", "yaml_feature"),
        (b"a: &a [x, x]\nb: [*a, *a]", "a.yaml", "yaml_feature"),
        (b"title: " + b'"' + b"a" * 301 + b'"', "a.yaml", "too_long"),
        (b"topics = [" + b"'a'," * 501 + b"]", "a.toml", "too_many"),
    ],
)
def test_what_could_do_harm_or_cannot_be_read_is_refused(content: bytes, name: str, code: str) -> None:
    ((got, _),) = problems(content, name)
    assert got == code


def test_a_link_in_place_of_a_sidecar_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password = 'x'")
    (tmp_path / "talk.toml").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"symbolic"):
        read_sidecar(tmp_path / "talk.toml")


def test_problems_survive_pickling_and_any_failure_has_reasons() -> None:
    with pytest.raises(SidecarProblems) as caught:
        parse_sidecar(b"week = 0\ntitle = 1", "a.toml")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own bytes
    assert again.problems == caught.value.problems
    assert again.message("fr").count("a.toml") == 2
    assert [each.code for each in reasons(RecordingRejected("intake.empty", {"name": "x"}))] == ["intake.empty"]
    assert [each.code for each in reasons(RuntimeError("x"))] == ["intake.unexpected"]


def test_invisible_characters_do_not_reach_the_session() -> None:
    found = parse_sidecar(b'{"title": "a\\u202eb\\u0000c\\ud800", "host": "A\\n B"}', "a.json")
    assert str(found.title).isprintable()
    assert found.host == Guest(name="A B")


def test_resources_and_licence_are_read_in_both_languages_and_in_short() -> None:
    english = """
    resources = ["https://example.org/a b", { title = { en = "Guide", fr = "Guide" }, address = "http://example.org" }]
    license = { name = "House terms", address = "https://example.org/terms" }
    """
    french = """
    ressources = ["https://example.org/a b", { titre = { en = "Guide", fr = "Guide" }, adresse = "http://example.org" }]
    licence = { nom = "House terms", adresse = "https://example.org/terms" }
    """
    found = parse_sidecar(english.encode(), "a.toml")
    assert found == parse_sidecar(french.encode(), "a.toml")
    session = session_for(recording(), found)
    assert session.resources == (
        Resource(title=Bilingual.same("https://example.org/a%20b"), address="https://example.org/a%20b"),
        Resource(title=Bilingual(en="Guide", fr="Guide"), address="http://example.org"),
    )
    assert session.licence is not None
    assert session.licence.address == "https://example.org/terms"
    assert "House terms" in session.licence.name.get("en")
    both = parse_sidecar(b"licence = { en = 'Ours', fr = 'La notre' }", "a.toml")
    assert session_for(recording(), both).licence == Licence(name=Bilingual(en="Ours", fr="La notre"))


@pytest.mark.parametrize("guide", ["sidecar.md", "sidecar.fr.md"])
def test_the_guides_examples_are_understood(guide: str) -> None:
    text = (GUIDES / guide).read_text()
    blocks = [block.split("\n", 1) for block in text.split("```")[1::2]]
    read = [parse_sidecar(body.encode(), f"a.{kind}") for kind, body in blocks if kind in {"toml", "yaml", "json"}]
    assert len(read) >= 3
    full = next(iter(read))
    assert None not in (full.title, full.guests, full.speaker_count, full.glossary, full.consent, full.audio_track)
    assert None not in (full.licence, full.resources)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
keys = st.sampled_from(
    ["title", "langue", "date", "host", "guests", "speakers", "topics", "week", "audio", "liens", "licence"]
)


def understand(content: bytes, name: str) -> Details | str:
    """Return what a sidecar says, or all that is wrong with it in both languages."""
    try:
        return parse_sidecar(content, name)
    except SidecarProblems as error:
        return error.message("en") + error.message("fr")


@given(table=st.dictionaries(keys, anything), extension=st.sampled_from([".json", ".yaml"]))
def test_any_table_is_understood_or_explained(table: dict[str, object], extension: str) -> None:
    text = json.dumps(table, default=str) if extension == ".json" else yaml.safe_dump(table)
    found = understand(text.encode(), f"a{extension}")
    assert found
    if isinstance(found, Details):
        session_for(recording(), found)


@given(content=st.binary() | st.text().map(str.encode), extension=st.sampled_from([".toml", ".json", ".yaml", ".yml"]))
def test_any_bytes_are_understood_or_explained(content: bytes, extension: str) -> None:
    assert understand(content, f"a{extension}")


def recording(name: str = "talk.mp4") -> Recording:
    return Recording(path=Path("recording.mp4"), name=name, sha256="ab" * 32, size=1)


def test_a_session_takes_what_people_wrote_before_tags_before_the_name() -> None:
    name = "2026-03-14_semaine-3_vie_privée_fr.mp4"
    tags = (("title", "From the tag"), ("creation_time", "2025-01-02T10:00:00Z"), ("description", "Told\nby the tag"))
    by_name = session_for(recording(name), Details())
    assert (by_name.title, by_name.date, by_name.week) == (Bilingual(fr="Vie privée"), dt.date(2026, 3, 14), 3)
    assert (by_name.languages, by_name.languages_given) == (("fr", "en"), False)
    by_tag = session_for(recording("x.mp4"), Details(), tags)
    assert (by_tag.title, by_tag.date) == (Bilingual.same("From the tag"), dt.date(2025, 1, 2))
    assert by_tag.description == Bilingual.same("Told by the tag")
    by_hand = session_for(recording(name), Details(title="Mine", week=1, languages=("en",)), tags)
    assert (by_hand.title, by_hand.week, by_hand.languages_given) == (Bilingual(en="Mine"), 1, True)


@pytest.mark.parametrize("title", ["", "  ", "Untitled", "ENREGISTREMENT", "C:\\video\\x", "/tmp/x", "final.mp4"])  # noqa: S108
def test_a_title_tag_that_says_nothing_is_passed_over(title: str) -> None:
    assert session_for(recording("Ethics.mp4"), Details(), (("title", title),)).title.get("en") == "Ethics"


@pytest.mark.parametrize("date", ["1904-01-01", "1970-01-01T00:00:00Z", "soon", ""])
def test_a_date_tag_that_cannot_be_is_passed_over(date: str) -> None:
    assert session_for(recording(), Details(), (("date", date),)).date is None


def test_all_that_was_written_is_in_the_session_in_its_language() -> None:
    session = session_for(recording(), FULL)
    assert session.programme == Bilingual(fr="Digital Academy")
    assert session.guests[0].organisation == Bilingual(fr="StatCan")
    assert session.topics[1] == Bilingual(en="open data", fr="données ouvertes")
    assert session.speaker_count == SpeakerCount(least=2, most=5)
    assert (session.glossary, session.audio_track) == (("StatCan", "Nunavut"), "fr")


@pytest.mark.parametrize(
    ("name", "title", "languages"),
    [
        ("GMT20260314-143005_Recording_1920x1080.mp4", "Recording", ()),
        ("2026-03-14 14-30-05.mkv", "2026-03-14", ()),
        ("Meeting in _General_-20260314_143005-Meeting Recording.mp4", "Meeting in General – Meeting Recording", ()),
        ("week 3 - AI ethics (EN).mp4", "AI ethics", ("en",)),
        ("Semaine 3.mp4", "Semaine 3", ()),
        ("Rencontre en.mp4", "Rencontre en", ()),
        ("données FR.mp4", "Données", ("fr",)),
        ("talk_en-fr.mp4", "Talk", ("en", "fr")),
        ("my.session.v2.mp4", "My session v2", ()),
        ("S3 storage.mp4", "S3 storage", ()),
        ("_.mp4", "_", ()),
        ("20261399_x.wav", "20261399 x", ()),
        ("2026-03-14.mp4", "2026-03-14", ()),
    ],
)
def test_names_that_people_and_programs_give_are_read(name: str, title: str, languages: tuple[str, ...]) -> None:
    hints = name_hints(name)
    assert (hints.title, hints.languages) == (title, languages)


@given(name=st.text(min_size=1))
def test_any_name_gives_a_title_and_can_be_shown(name: str) -> None:
    assert printable(printable(name)) == printable(name)
    assert "\n" not in printable(name)
    printable(name).encode()
    session = session_for(recording(name), Details())
    assert session.title.get("en").strip()


@pytest.mark.parametrize(
    "written",
    [
        'titre = "Été, à = ]"\n[[invités]]\nnom = "Ève"\nétablissement = "CNRC"\n',
        'titre = "Été, à = ]"\ninvités = [{ nom = "Ève", "établissement" = "CNRC" }]\n',
        'titre = "Été"\ninvités = [{ nom = "Ève", établissement = "CNRC" }]\n',
    ],
)
def test_toml_keys_may_have_accents_without_quotes(written: str) -> None:
    details = parse_sidecar(written.encode(), "x.toml")
    assert details.title is not None
    assert details.guests == (Guest(name="Ève", organisation="CNRC"),)


@pytest.mark.parametrize("key", ["community", "communaute", "communauté_de_pratique", "Community of practice"])
def test_a_community_is_understood_in_both_languages(key: str) -> None:
    content = f'"{key}" = {{ en = "Data", fr = "Données" }}'.encode()
    assert parse_sidecar(content, "x.toml").community == Bilingual(en="Data", fr="Données")
