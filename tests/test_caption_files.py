"""Files of captions, ours and everybody's, are read whole, told apart, checked and written as another kind."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pysubs2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from webvtt import WebVTT

from config.caption_rules import load_all
from pipeline.caption_files import WRITERS, Opened, likely_language, open_captions, writer
from pipeline.caption_lint import lint
from pipeline.captions import shown_lines
from pipeline.cli import build, exit_status
from pipeline.errors import CaptionsInvalid
from pipeline.render.document import LANGUAGE_TAG, CaptionFile
from pipeline.render.reading import as_interpreted, as_shown
from pipeline.render.srt import inert
from pipeline.types import LANGUAGES, Transcript
from tests.talk import any_transcripts, document, transcript

READ_BACK = (".vtt", ".srt", ".ttml")

TALK = transcript(
    ("S1", "Good morning, everyone, and welcome to the third week."),
    ("S2", "Bonjour et merci de m'accueillir parmi vous.", "fr"),
    ("S1", "Ready?"),
    ("S2", "Oui!", "fr"),
    ("S1", "What do people look for when they read a page: an answer, or a story about the programme?"),
    names={"S1": "Anne Roy", "S2": "Marie-Philippe de la Tour d'Auvergne"},
    pause_ms=0,
)


def opened(text: str, name: str = "captions.en.vtt") -> Opened:
    return open_captions(text.encode(), name)


def ours(text: str, name: str = "captions.en.vtt", language: str = "en") -> CaptionFile:
    return as_interpreted(opened(text, name).read, language)


def seen(captions: CaptionFile) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(cue.start_ms, cue.end_ms, shown_lines(cue, captions.typography)) for cue in captions.cues]


def said(
    captions: CaptionFile, *, languages: bool = True
) -> list[tuple[int, str | None, str | None, list[tuple[str, str]]]]:
    """Return who says what in which language on every line."""
    names = dict(captions.names)
    return [
        (
            cue.start_ms,
            names.get(line.speaker),
            line.label,
            [(word.text, word.language if languages else "") for word in line.words],
        )
        for cue in captions.cues
        for line in cue.lines
    ]


def flat(lines: tuple[str, ...]) -> str:
    # White space beside a space is no more than that space, whatever its kind.
    return " ".join(re.sub(r"\s* \s*", " ", line).strip() for line in lines)


def spaced(text: str) -> Transcript:
    """Return what somebody says in one word that has spaces."""
    said = transcript(("S1", "word"))
    (turn,) = said.turns
    return replace(said, turns=(replace(turn, words=(replace(turn.words[0], text=text),)),))


# What is written is read back


@settings(max_examples=60, deadline=None)
@given(any_transcripts(), st.sampled_from([".vtt", ".ttml"]))
def test_captions_come_back_with_times_words_voices_and_languages(spoken: Transcript, end: str) -> None:
    made = document(spoken).captions
    back = ours(WRITERS[end](made), f"x{end}", spoken.language)
    assert seen(back) == [(start, finish, tuple(map(flat_line, lines))) for start, finish, lines in seen(made)]
    names, named = dict(made.names), dict(back.names)
    voices = [names.get(line.speaker) for cue in made.cues for line in cue.lines if line.words]
    assert [named.get(line.speaker) for cue in back.cues for line in cue.lines if line.words] == voices
    tags = {word.language for cue in made.cues for word in cue.words if LANGUAGE_TAG.match(word.language)}
    assert {word.language for cue in back.cues for word in cue.words} <= tags | {spoken.language}


def flat_line(line: str) -> str:
    return flat((line,))


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
@example(spaced("0 \u00a00"))
def test_every_line_of_subrip_comes_back(spoken: Transcript) -> None:
    made = document(spoken).captions
    read = opened(WRITERS[".srt"](made), "x.srt").read
    expected = [(start, end, flat(tuple(map(inert, lines)))) for start, end, lines in seen(made)]
    assert [(start, end, flat(lines)) for start, end, lines in seen(as_shown(read, "en"))] == expected
    told = seen(as_interpreted(read, spoken.language))
    # A colon, a dash or the sign of another speaker may be written another way; words may not.
    letters = [re.sub("[-–—‐:> \u00a0\u202f]", "", flat(lines)) for _, _, lines in told]
    assert letters == [re.sub("[-–—‐:> \u00a0\u202f]", "", text) for _, _, text in expected]


@pytest.mark.parametrize("source", READ_BACK)
@pytest.mark.parametrize("target", READ_BACK)
def test_conversion_keeps_words_labels_times_and_voices(source: str, target: str) -> None:
    made = document(TALK).captions
    there = ours(WRITERS[source](made), f"x{source}")
    back = ours(WRITERS[target](there), f"y{target}")
    assert seen(back) == seen(made)
    languages = ".srt" not in {source, target}
    if languages:
        assert said(back) == said(made)
    else:
        # SubRip has neither languages nor voices: only who is named on the line is known.
        named = [line for line in said(made, languages=False) if line[2]]
        assert [line for line in said(back, languages=False) if line[2]] == named


def test_a_conversion_is_the_same_each_time_and_again() -> None:
    for end in READ_BACK:
        once = WRITERS[end](document(TALK).captions)
        if end != ".srt":
            assert WRITERS[end](ours(once, f"x{end}")) == once


# Files of others

SUBRIP = """1
00:00:01,000 --> 00:00:03,000 X1:0 X2:10
<i>Bonjour</i> à {\\an8}tous

2
00:00:03,100 --> 00:00:05,000
ANNE ROY : On y va?
- Oui.

00:00:06,5 --> 00:00:07,000
Pas de numéro

4
00:00:08,000 --> 00:00:09,000
En tout :
42"""


def test_subrip_of_others_is_read_with_its_markup_its_gaps_and_a_number_at_the_end() -> None:
    captions = ours(SUBRIP, "x.srt", "fr")
    assert seen(captions) == [
        (1000, 3000, ("Bonjour à tous",)),
        (3100, 5000, ("- ANNE ROY\u00a0: On y va?", "- Oui.")),
        (6500, 7000, ("Pas de numéro",)),
        (8000, 9000, ("En tout :", "42")),
    ]
    assert said(captions)[1][:3] == (3100, "ANNE ROY", "ANNE ROY")
    assert [event.start for event in pysubs2.SSAFile.from_string(WRITERS[".srt"](captions), "srt")] == [
        1000,
        3100,
        6500,
        8000,
    ]


VTT = """WEBVTT - a title
Kind: captions

NOTE made by hand

STYLE
::cue(v) { color: red }

REGION
id:foot
width:40%

intro
01:02.500 --> 00:01:04.000 align:start position:10%
<v.loud Anne Roy>I &amp; <b>you</b><00:01:03.000> &lt;3 <lang fr-CA>d'accord</lang></v>

NOTE more

1:00:05.000 --> 1:00:06.000
<v Anne Roy>Ready?</v> <v Luc>- <ruby>Yes<rt>oui</rt></ruby>, all.
"""


def test_webvtt_of_others_is_read_with_its_voices_past_styles_notes_and_regions() -> None:
    captions = ours(VTT)
    assert seen(captions) == [
        (62_500, 64_000, ("I & you <3 d'accord",)),
        (3_605_000, 3_606_000, ("-Ready?", "-Yes, all.")),
    ]
    assert [line[1] for line in said(captions)] == ["Anne Roy", "Anne Roy", "Luc"]
    assert said(captions)[0][3][-1] == ("d'accord", "fr-CA")
    assert captions.notes == ("made by hand",)


TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt:tt xmlns:tt="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata"
 xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling"
 ttp:frameRate="25" ttp:tickRate="1000" xml:lang="fr">
 <tt:head><tt:metadata><ttm:title>Séance</ttm:title>
  <ttm:agent xml:id="a" type="person"><ttm:name type="full">Anne Roy</ttm:name></ttm:agent></tt:metadata></tt:head>
 <tt:body begin="10s"><tt:div ttm:agent="a">
  <tt:p begin="00:00:01:05" dur="2s"><tt:metadata><ttm:desc>no words</ttm:desc></tt:metadata>Quand on
     lit<tt:br/><tt:span tts:fontStyle="italic" xml:lang="en">a page</tt:span>.</tt:p>
  <tt:p begin="4000t" end="5000ms">Ligne un</tt:p><tt:p begin="4s" end="5s">ligne deux</tt:p>
  <tt:p><tt:span begin="6s" end="7s">Un</tt:span> <tt:span begin="6.5s" end="8s">deux</tt:span></tt:p>
 </tt:div></tt:body>
</tt:tt>"""


def test_webvtt_of_others_is_in_the_language_of_its_heading(tmp_path: Path) -> None:
    path = tmp_path / "video.vtt"
    # No word of it would tell.
    path.write_bytes(
        b"\xef\xbb\xbfWEBVTT\r\nKind: captions\r\nLanguage: fr-CA\r\n\r\n00:01.000 --> 00:02.000\r\nBravo!\r\n"
    )
    assert open_captions(path.read_bytes(), path.name).language == "fr-CA"
    assert tribune("convert", path, tmp_path / "video.ttml")[0] == 0
    assert 'xml:lang="fr-CA"' in (tmp_path / "video.ttml").read_text(encoding="utf-8")


def test_ttml_of_others_is_read_whatever_way_it_tells_the_time() -> None:
    captions = ours(TTML, "x.xml", "fr")
    assert seen(captions) == [
        (11_200, 13_200, ("Quand on lit", "a page.")),
        (14_000, 15_000, ("Ligne un", "ligne deux")),
        (16_000, 18_000, ("Un deux",)),
    ]
    assert {line[1] for line in said(captions)} == {"Anne Roy"}
    assert said(captions)[1][3] == [("a", "en"), ("page.", "en")]
    assert captions.notes == ("Séance",)
    assert opened(TTML, "captions.en.xml").language == "fr"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_byte_order_marks_and_line_ends_make_no_difference(encoding: str, end: str) -> None:
    for text, name in ((SUBRIP, "x.srt"), (VTT, "x.vtt")):
        content = text.replace("\n", end).encode(encoding)
        assert open_captions(content, name).read == opened(text, name).read


def test_what_is_not_utf8_is_read_as_latin_and_said_so() -> None:
    read = open_captions(SUBRIP.encode("cp1252"), "x.srt")
    assert seen(as_shown(read.read, "fr"))[0][2] == ("Bonjour à tous",)
    assert [notice.code for notice in read.notices] == ["captions.not_utf8"]
    assert not opened(SUBRIP).notices


DEEP = b"<div>" * 2000 + b"</div>" * 2000


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "captions.unknown"),
        (b"Dear reader,\n\nno captions here.", "captions.unknown"),
        (b"<html><p>no</p></html>", "captions.unknown"),
        (b"\x89PNG\r\n\x00\xff\xfe", "captions.no_text"),
        (b"WEBVTT\n\n00:00:01,000 --> 00:00:02,000\nx", "captions.unreadable"),
        (b"WEBVTT\n\n00:00:71.000 --> 00:00:72.000\nx", "captions.unreadable"),
        (b"WEBVTT\n\n00:00:03.000 --> 00:00:02.000\nx", "captions.backwards"),
        (b"1\n00:00:03,000 --> 00:00:02,000\nx", "captions.backwards"),
        (b'<tt xmlns="http://www.w3.org/ns/ttml"><body><p>', "captions.unreadable_at"),
        (b'<tt xmlns="http://www.w3.org/ns/ttml"><body>%b</body></tt>' % DEEP, "captions.malformed"),
        (b'<tt xmlns="http://www.w3.org/ns/ttml"><body><p begin="1s">x</p></body></tt>', "captions.unreadable"),
        (b'<tt xmlns="http://www.w3.org/ns/ttml"><body><p begin="soon" end="2s"/></body></tt>', "captions.unreadable"),
        (b'<tt xmlns="http://www.w3.org/ns/ttml"><body timeContainer="seq"/></tt>', "captions.unreadable"),
        (b'<!DOCTYPE tt [<!ENTITY a "b">]><tt xmlns="http://www.w3.org/ns/ttml"/>', "captions.unreadable"),
        (b'<tt xmlns="http://www.w3.org/2006/10/ttaf1"/>', "captions.unreadable"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_a_reason(content: bytes, code: str) -> None:
    with pytest.raises(CaptionsInvalid) as refused:
        as_shown(open_captions(content, "x.vtt").read, "en")
    assert refused.value.code == code
    assert refused.value.message("en") != refused.value.message("fr")
    assert exit_status(refused.value) == 3


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        ('<tt xmlns="http://www.w3.org/ns/ttml">\n<body>é &eacute;</body></tt>', 2, 9),
        ('\n\n <tt xmlns="http://www.w3.org/ns/ttml">\n<body>é &eacute;</body></tt>', 4, 9),
        ("\r\n  <?xml version='1.0'?><tt & />", 2, 28),
    ],
)
def test_where_xml_ends_to_be_xml_is_said_in_the_language_of_whoever_reads(
    content: str, line: int, column: int
) -> None:
    with pytest.raises(CaptionsInvalid) as refused:
        open_captions(content.encode(), "x.ttml")
    assert f"line {line}, column {column}." in refused.value.message("en")
    assert f"à partir de la ligne {line}, colonne {column}." in refused.value.message("fr")


@pytest.mark.parametrize("given", ['ttp:frameRateMultiplier="1 0"', 'ttp:frameRate="0"'])
def test_a_rate_that_cannot_be_is_no_english_to_french_readers(given: str) -> None:
    root = f'<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" {given}>'
    with pytest.raises(CaptionsInvalid) as refused:
        open_captions(f'{root}<body><p begin="3f" end="4f">x</p></body></tt>'.encode(), "x.ttml")
    assert "Fraction" not in refused.value.message("fr")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Anne Roy: yes", "Anne Roy"),
        (">> ANNE: yes", "ANNE"),
        ("Dr. Roy : oui", "Dr. Roy"),
        ("Marie-Ève d'Arcy de la Tour\u00a0: oui", "Marie-Ève d'Arcy de la Tour"),
        ("Unidentified voice: yes", "Unidentified voice"),
        ("Speaker 2:", None),
        ("it is 10:30 now", None),
        ("I say: go", None),
        ("What we found: nothing", None),
        ("https://example.org", None),
        ("No! Anne: yes", None),
    ],
)
def test_a_name_before_a_colon_is_a_label_and_other_words_are_none(text: str, label: str | None) -> None:
    captions = ours(f"1\n00:00:01,000 --> 00:00:02,000\n{text}\n", "x.srt")
    assert captions.cues[0].lines[0].label == label


def test_a_name_holds_until_the_next_and_a_dash_alone_is_nobody_known() -> None:
    texts = ("Anne: one", "two", "Luc: three", "-four\n-five", "six")
    blocks = (f"{at}\n00:00:0{at},000 --> 00:00:0{at},900\n{text}\n\n" for at, text in enumerate(texts))
    captions = ours("".join(blocks), "x.srt")
    assert [line[1] for line in said(captions)] == ["Anne", "Anne", "Luc", None, None, None]
    assert [cue.dialogue for cue in captions.cues] == [False, False, False, True, False]


def test_a_dash_that_answers_nobody_stays_where_it_is() -> None:
    assert seen(ours("1\n00:00:01,000 --> 00:00:02,000\n- alone\n", "x.srt"))[0][2] == ("- alone",)


def test_elements_side_by_side_are_words_apart() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<i>Hello</i> <b>wor</b>ld <v Luc>yes</v>\n"
    assert seen(ours(text))[0][2] == ("-Hello world", "-yes")


# Language


@pytest.mark.parametrize(
    ("name", "language"), [("a.fr.vtt", "fr"), ("talk_EN.srt", "en"), ("x-fr-CA.vtt", "fr"), ("french.vtt", None)]
)
def test_a_name_tells_the_language(name: str, language: str | None) -> None:
    assert opened("WEBVTT\n", name).language == language


def test_the_likely_language_is_that_of_the_small_words() -> None:
    rules = load_all()
    for spoken in LANGUAGES:
        text = {"en": "We read the page with a friend", "fr": "Nous lisons la page avec une amie"}[spoken]
        read = opened(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n").read
        assert likely_language(read, rules) == spoken


# The commands


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_LANGUAGE", "en")


def tribune(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(build(), ["captions", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.mark.usefixtures("english")
def test_lint_explains_each_finding_and_ends_with_one(tmp_path: Path) -> None:
    file = tmp_path / "theirs.srt"
    file.write_text(f"7\n00:00:01,000 --> 00:00:01,500\nThe {'very ' * 12}long one\n", encoding="utf-8")
    status, shown = tribune("lint", file)
    assert status == 1
    assert "00:00:01.000  Caption 1: a line of 72 characters; 42 at most." in shown
    assert "on screen for 500 ms; 833 ms at least" in shown
    assert "0 of 1 captions meet every rule for English" in shown


@pytest.mark.usefixtures("english")
def test_lint_finds_nothing_in_our_own_and_takes_a_profile(tmp_path: Path) -> None:
    file = tmp_path / "captions.fr.ttml"
    spoken = transcript(("S1", "On va y aller à six."), language="fr", word_ms=250)
    file.write_text(WRITERS[".ttml"](document(spoken).captions), encoding="utf-8")
    assert tribune("lint", file)[0] == 0
    status, shown = tribune("lint", file, "--profile", "learner")
    assert status == 1
    assert "learner" in shown
    with pytest.raises(CaptionsInvalid, match="es"):
        tribune("lint", file, "--language", "es")


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize("end", READ_BACK)
def test_lint_tells_in_any_file_what_of_a_speed_is_the_name(tmp_path: Path, end: str) -> None:
    spoken = transcript(("S1", "Yes, certainly, absolutely."), names={"S1": "Anne Roy"}, word_ms=150)
    file = tmp_path / f"x{end}"
    file.write_text(WRITERS[end](document(spoken).captions), encoding="utf-8")
    assert "10 of its characters only tell who speaks" in tribune("lint", file)[1]


def test_lint_names_the_words_that_a_break_parts_and_lets_people_answer_each_other() -> None:
    text = "1\n00:00:01,000 --> 00:00:04,000\nWe read all of the\nminutes today.\n\n"
    text += "2\n00:00:05,000 --> 00:00:08,000\n- Anna: We read the\n- Paul: Minutes?\n"
    read = opened(text, "a.srt").read
    told = as_interpreted(read, "en").cues
    pairs = [each for each in lint(as_shown(read, "en").cues, load_all(), told=told) if each.rule == "pair"]
    assert [each.parted for each in pairs] == [("the", "minutes")]
    assert "between “the” and “minutes”" in pairs[0].explain("en")
    assert "entre «\u00a0the\u00a0» et «\u00a0minutes\u00a0»" in pairs[0].explain("fr")


def test_lint_measures_what_a_viewer_sees() -> None:
    line = f"-- Anne Roy : {'x' * 29}"
    captions = as_shown(opened(f"1\n00:00:01,000 --> 00:00:05,000\n{line}\n", "x.srt").read, "en")
    assert [(found.rule, found.measured) for found in lint(captions.cues, load_all())] == [("line_length", 43)]


@pytest.mark.usefixtures("english")
def test_convert_writes_what_the_name_asks_for(tmp_path: Path) -> None:
    source = tmp_path / "captions.en.vtt"
    source.write_text(WRITERS[".vtt"](document(TALK).captions), encoding="utf-8")
    for end in WRITERS:
        status, _ = tribune("convert", source, tmp_path / f"out{end}")
        assert status == 0
    assert (tmp_path / "out.vtt").read_bytes() == source.read_bytes()
    assert len(WebVTT.read(str(tmp_path / "out.vtt"))) == len(document(TALK).cues)
    with pytest.raises(CaptionsInvalid, match="none"):
        tribune("convert", source, tmp_path / "none" / "out.vtt")
    with pytest.raises(CaptionsInvalid) as refused:
        tribune("convert", source, tmp_path / "out.doc")
    assert ".ttml" in refused.value.message("fr")


def test_every_format_of_captions_can_be_written() -> None:
    assert writer("A.WET.HTML") is WRITERS[".wet.html"]
