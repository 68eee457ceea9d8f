"""Every format shows every word once, in order, with its speaker and time, and nothing that a stranger wrote acts."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pysubs2
import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from ttconv.imsc.reader import to_model
from ttconv.model import Br, P, Text
from webvtt import WebVTT

from pipeline.captions import label_text, leads, shown_lines, speaker_name
from pipeline.errors import TranscriptInvalid
from pipeline.ffmpeg import find_programs
from pipeline.formatting import format_clock
from pipeline.render import FORMATS, Document, Format
from pipeline.render.html import transcript_html
from pipeline.render.json import read_transcript
from pipeline.render.markdown import escaped, transcript_markdown
from pipeline.render.passages import paragraphs, passages
from pipeline.render.srt import inert
from pipeline.render.text import transcript_text
from pipeline.types import Transcript
from pipeline.visible import UNSHOWABLE, visible, visible_word
from tests.talk import HOSTILE, any_transcripts, document, transcript

GOLDEN = Path(__file__).parent / "golden"

SPOKEN = {
    "english": transcript(
        ("S1", "Good morning, everyone, and welcome to the third week. Um, today we talk about plain language."),
        ("S2", "Thank you. When people read a public page, they look for one thing: what do I have to do now?"),
        ("S1", "And what do the the pages say?"),
        ("S2", "They tell the history of the programme, the name of the act, three acronyms and <a form>."),
        names={"S1": "Anne Roy"},
    ),
    "french": transcript(
        ("S1", "Bonjour à toutes et à tous. Euh, aujourd'hui, nous parlons de langage clair avec Mme Tremblay."),
        ("S2", "Merci. Quand les gens lisent une page, ils cherchent une chose : que dois-je faire ?"),
        ("S2", "Soit 10 % des gens, ou 1 200 personnes, n'ont pas trouvé la réponse & sont partis."),
        language="fr",
        names={"S1": "Éric Côté", "S2": "Marie-Philippe de la Tour d'Auvergne"},
    ),
    "bilingual": transcript(
        ("S1", "Bonjour et bienvenue.", "fr"),
        ("S1", "Hello and welcome to those who join us from elsewhere.", "en"),
        ("S2", "Merci beaucoup, je continue en français.", "fr"),
        (None, "Yes.", "en"),
        language="fr",
        names={"S2": "Luc"},
    ),
}


PLAIN = tuple(
    form for form in FORMATS.values() if form.role in {"captions", "transcript"} and form.name not in {"docx", "pdf"}
)
"""What can be compared line by line, a file a session."""


def words_of(spoken: Transcript) -> str:
    return " ".join(visible_word(word) for word in spoken.words)


def written(spoken: Transcript, name: str) -> str:
    return body(name, document(spoken))


def body(name: str, made: Document) -> str:
    return FORMATS[name].body(made).decode("utf-8")


# Golden files


@pytest.mark.parametrize("session", sorted(SPOKEN))
@pytest.mark.parametrize("form", PLAIN, ids=lambda form: form.name)
def test_files_are_as_they_were(session: str, form: Format, pytestconfig: pytest.Config) -> None:
    spoken = SPOKEN[session]
    path = GOLDEN / f"{session}{form.extension}"
    made = form.body(document(spoken, title="Le langage clair / Plain language", programme="Série d'experts"))
    if pytestconfig.getoption("--update-golden"):
        path.write_bytes(made)
    assert made == path.read_bytes()


# Every word, once and in order, through parsers that are not ours


def vtt_words(text: str) -> str:
    lines = [line for caption in WebVTT.from_string(text, strict=True).captions for line in caption.lines]
    words = [re.sub(r"<[^>]*>", "", re.sub(r"<c\.speaker>.*?</c> ?", "", line)) for line in lines]
    # A line may do no more than name who speaks next.
    return html.unescape(" ".join(filter(None, words)))


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_webvtt_has_every_word_once_and_in_order(spoken: Transcript) -> None:
    assert vtt_words(written(spoken, "webvtt")) == words_of(spoken)


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_srt_has_every_word_once_and_in_order(spoken: Transcript) -> None:
    made = document(spoken)
    # The reader takes a number at the very end for the next cue's, so it is given a next cue.
    events = pysubs2.SSAFile.from_string(body("srt", made) + "0\n99:00:00,000 --> 99:00:01,000\nend\n\n", format_="srt")
    assert len(events) == len(made.cues) + 1
    found = []
    for event, cue in zip(events, made.cues, strict=False):
        assert (event.start, event.end) == (cue.start_ms, cue.end_ms)
        shown = event.plaintext.split("\n")
        for text, line, lead in zip(shown, cue.lines, leads(cue, spoken.language), strict=True):
            told = inert("".join(lead))
            assert text.startswith(told)
            found += [text.removeprefix(told)] if line.words else []
    assert " ".join(found) == " ".join(inert(visible_word(word)) for cue in made.cues for word in cue.words)


def ttml_captions(text: str) -> list[tuple[int, int, list[str]]]:
    """Return the start, end and lines of each caption as the reference reader of the format sees them."""
    model = to_model(ET.ElementTree(ET.fromstring(text)))
    assert model is not None
    found = []
    for paragraph in model.get_body().dfs_iterator():
        if isinstance(paragraph, P):
            parts = (
                "\n" if isinstance(part, Br) else part.get_text() if isinstance(part, Text) else ""
                for part in paragraph.dfs_iterator()
            )
            times = round((paragraph.get_begin() or 0) * 1000), round(paragraph.get_end() * 1000)
            found.append((*times, "".join(parts).split("\n")))
    return found


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_ttml_has_every_caption_with_its_time_and_lines(spoken: Transcript) -> None:
    made = document(spoken)
    captions = ttml_captions(body("ttml", made))
    assert captions == [(cue.start_ms, cue.end_ms, list(shown_lines(cue, spoken.language))) for cue in made.cues]


class _Captions(HTMLParser):
    """Collects captions as the player of the Web Experience Toolkit does."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.depth = 0
        self.found: list[tuple[int, int, str]] = []
        # That player first takes away what would load something.
        self.feed(re.sub(r"<img|object [^>]*>", "", text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("class") == "wb-tmtxt":
            begin, length = (
                round(float((given[name] or "").removesuffix("s")) * 1000) for name in ("data-begin", "data-dur")
            )
            self.found.append((begin, begin + length, ""))
        if tag == "span" and self.found:
            self.depth += 1
        if tag == "br":
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "span"

    def handle_data(self, data: str) -> None:
        if self.depth:
            begin, end, text = self.found.pop()
            self.found.append((begin, end, text + data))


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_the_page_for_the_toolkit_has_every_caption_with_its_time_and_lines(spoken: Transcript) -> None:
    made = document(spoken)
    captions = _Captions(body("wet", made)).found
    assert captions == [(cue.start_ms, cue.end_ms, "\n".join(shown_lines(cue, spoken.language))) for cue in made.cues]


def test_what_the_toolkit_deletes_from_a_page_is_none_of_our_words() -> None:
    text = written(transcript(("S1", "I object to that object here.")), "wet")
    assert [caption[2] for caption in _Captions(text).found] == ["I object to that object here."]


class _Page(HTMLParser):
    """Collects what a reader of the page sees, and what the page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.attributes: set[str] = set()
        self.reading = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "p" and ("class", "words") in attrs:
            self.reading = 1
            self.words.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self.reading = 0

    def handle_data(self, data: str) -> None:
        if self.reading:
            self.words[-1] += data


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_html_has_every_word_once_and_in_order_and_no_other_element(spoken: Transcript) -> None:
    page = _Page(transcript_html(spoken))
    assert " ".join(page.words) == words_of(spoken)
    assert page.tags <= {"section", "h2", "span", "a", "time", "p"}
    assert page.attributes <= {"id", "class", "href", "datetime", "lang"}
    assert len(set(page.ids)) == len(page.ids)


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_text_has_every_word_once_and_in_order(spoken: Transcript) -> None:
    body = transcript_text(spoken)
    assert written(spoken, "text").endswith("\n\n" + body)
    # Only the head of a passage is followed by a line break and text.
    blocks = [block.split("\n")[-1] for block in body.rstrip("\n").split("\n\n")]
    assert " ".join(blocks) == words_of(spoken)


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_markdown_reads_as_every_word_once_and_in_order(spoken: Transcript) -> None:
    rendered = MarkdownIt("commonmark").render(transcript_markdown(spoken))
    shown = [html.unescape(re.sub(r"</?(?:p|strong)>", "", line)) for line in rendered.rstrip("\n").split("\n")]
    expected = []
    for passage in passages(spoken):
        name = "" if passage.name is None else label_text(passage.name, spoken.language) + " "
        expected.append(f"{name}({format_clock(passage.start_ms)})")
        expected += [" ".join(visible_word(word) for word in paragraph) for paragraph in passage.paragraphs]
    assert shown == expected


@settings(max_examples=60, deadline=None)
@given(any_transcripts())
def test_json_gives_the_same_transcript_back(spoken: Transcript) -> None:
    text = written(spoken, "json")
    text.encode("utf-8")
    if not re.search("[\ud800-\udfff]", _raw(spoken)):
        assert read_transcript(text) == spoken


def _raw(spoken: Transcript) -> str:
    return "".join(word.text for word in spoken.words) + "".join(each.name or "" for each in spoken.speakers)


@settings(max_examples=40, deadline=None)
@given(any_transcripts())
def test_every_file_can_be_saved_and_is_the_same_each_time(spoken: Transcript) -> None:
    made = document(spoken, title="<b> --> \u202e\n\n00:00:01.000 --> 00:00:02.000")
    for form in PLAIN:
        file = form.body(made)
        assert form.body(made) == file
        assert "\u202e" not in file.decode("utf-8") or form.name == "json"


# WebVTT


def test_a_cue_is_a_voice_span_with_a_visible_label_where_the_speaker_changes() -> None:
    captions = WebVTT.from_string(written(SPOKEN["english"], "webvtt"), strict=True)
    assert captions[0].voice == "Anne Roy"
    assert captions[0].lines[0].startswith("<v Anne Roy><c.speaker>Anne Roy:</c> Good morning")
    assert captions[1].voice == "Anne Roy"
    assert "speaker" not in captions[1].raw_text


def test_a_cue_in_another_language_says_so() -> None:
    raw = [caption.raw_text for caption in WebVTT.from_string(written(SPOKEN["bilingual"], "webvtt")).captions]
    assert [text.count("<lang en>") for text in raw] == [text.count("</lang>") for text in raw]
    assert any("<lang en>Hello" in text for text in raw)
    assert not any("<lang fr>" in text for text in raw)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_or_title_stays_one_voice_and_one_note(name: str) -> None:
    spoken = transcript(("S1", "Yes."), ("S2", "No."), names={"S1": name, "S2": name + "x"}, pause_ms=2000)
    text = body("webvtt", document(spoken, title=name + " "))
    captions = WebVTT.from_string(text, strict=True)
    assert len(captions.header_comments) == 1
    # A name that takes long to read may have a caption of its own, before its words.
    assert [caption.identifier for caption in captions.captions] == [
        str(number) for number in range(1, len(captions) + 1)
    ]
    assert vtt_words(text) == "Yes. No."
    assert html.unescape(captions[-1].voice or "") == visible(name + "x")


def test_times_have_three_decimals_and_ids_are_unique() -> None:
    text = written(SPOKEN["french"], "webvtt")
    assert re.findall(r"-->", text)
    assert all(
        re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}", line)
        for line in text.split("\n")
        if "-->" in line
    )
    captions = WebVTT.from_string(text)
    assert len({caption.identifier for caption in captions.captions}) == len(captions)


def test_the_note_says_what_made_it() -> None:
    [note] = WebVTT.from_string(written(SPOKEN["english"], "webvtt")).header_comments
    assert "tribune 0.1.0" in note
    assert "whisper-base (d01c3014d01c)" in note


# A dialogue, in each format

EXCHANGE = transcript(
    ("S1", "Ready?"), ("S2", "Oui!", "fr"), names={"S1": "Anne-Marie Roy", "S2": "Luc & Co"}, pause_ms=0
)


def test_a_dialogue_has_a_dash_and_a_voice_on_each_line() -> None:
    assert [len(document(EXCHANGE).cues), document(EXCHANGE).cues[0].dialogue] == [1, True]
    [cue] = WebVTT.from_string(written(EXCHANGE, "webvtt"), strict=True).captions
    assert cue.raw_text.split("\n") == [
        "<v Anne-Marie Roy><c.speaker>-</c>Ready?</v>",
        "<v Luc &amp; Co><c.speaker>-</c><lang fr>Oui!</lang></v>",
    ]
    assert written(EXCHANGE, "srt").split("\n")[2:4] == ["-Ready?", "-Oui!"]
    assert [lines for _, _, lines in ttml_captions(written(EXCHANGE, "ttml"))] == [["-Ready?", "-Oui!"]]
    assert [text for _, _, text in _Captions(written(EXCHANGE, "wet")).found] == ["-Ready?\n-Oui!"]


def test_ttml_names_who_speaks_on_each_line_and_in_what_language() -> None:
    space = {"tt": "http://www.w3.org/ns/ttml", "ttm": "http://www.w3.org/ns/ttml#metadata"}
    root = ET.fromstring(written(EXCHANGE, "ttml"))
    xml = "{http://www.w3.org/XML/1998/namespace}"
    names = {
        agent.get(f"{xml}id"): agent.findtext("ttm:name", None, space) for agent in root.iterfind(".//ttm:agent", space)
    }
    lines = root.findall(".//tt:p/tt:span", space)
    assert [names[line.get(f"{{{space['ttm']}}}agent")] for line in lines] == ["Anne-Marie Roy", "Luc & Co"]
    assert root.get(f"{xml}lang") == "en"
    assert [span.get(f"{xml}lang") for span in root.iterfind(".//tt:span", space) if span.get(f"{xml}lang")] == ["fr"]


# SRT


@pytest.mark.parametrize("text", ["<i>x</i>", "{\\an8}x", "a\\Nb", "-->", "00:00:01,000 00:00:02,000"])
def test_markup_is_inert_in_srt(text: str) -> None:
    assert not re.search(r"[<>{}\\]|\d,\d", inert(text))


def test_numbers_run_from_one() -> None:
    blocks = written(SPOKEN["french"], "srt").rstrip("\n").split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == [str(at) for at in range(1, len(blocks) + 1)]


def test_ffmpeg_keeps_every_caption_in_an_mp4(tmp_path: Path) -> None:
    spoken = transcript(
        ("S1", " ".join(text for text in HOSTILE if not re.search(r"\s|x{9}", text)) + " end."), ("S2", "Fin.")
    )
    made = document(spoken)
    source, track, back = tmp_path / "captions.srt", tmp_path / "captions.mp4", tmp_path / "back.srt"
    source.write_text(body("srt", made), encoding="utf-8")
    ffmpeg = [str(find_programs().ffmpeg), "-v", "error", "-y", "-i"]
    subprocess.run([*ffmpeg, str(source), "-c:s", "mov_text", str(track)], check=True, timeout=60)
    subprocess.run([*ffmpeg, str(track), "-c:s", "srt", str(back)], check=True, timeout=60)
    shown = [event.plaintext for event in pysubs2.load(str(back), format_="srt")]
    expected = ["\n".join(map(inert, shown_lines(cue, "en"))) for cue in made.cues]
    assert shown == expected


# HTML, Markdown, text


def test_the_page_says_its_language_and_that_of_parts() -> None:
    page = written(SPOKEN["bilingual"], "html")
    assert page.startswith('<!DOCTYPE html>\n<html lang="fr">')
    assert '<span lang="en">Hello' in page
    assert '<a href="transcript.fr.txt">transcript.fr.txt</a>' in page
    assert 'href="#t1000"' in page


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title_makes_no_element(text: str) -> None:
    page = _Page(body("html", document(transcript(("S1", "Yes.")), title=text)))
    assert page.tags == {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "p", "a", "section", "h2", "time"
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["1. x", "- x", "+ x", "= x", "# x", "> x", "    x", "1) x", "a\\", "~~~", "<b>", "&amp;"]
)
def test_markdown_shows_text_as_it_is(text: str) -> None:
    rendered = MarkdownIt("commonmark").render(escaped(text))
    assert html.unescape(rendered) == f"<p>{text.strip()}</p>\n"


def test_markdown_and_html_hold_the_edited_words_and_text_the_verbatim() -> None:
    spoken = SPOKEN["french"]
    assert "Euh, aujourd'hui" in written(spoken, "text")
    for name in ("markdown", "html"):
        assert "Euh" not in written(spoken, name)
        assert "10\u00a0%" in written(spoken, name)


# Paragraphs


def test_paragraphs_end_with_a_sentence() -> None:
    spoken = transcript(("S1", "We tested forty pages with readers last winter. " * 30 + "End."))
    parts = paragraphs(spoken.words)
    assert len(parts) > 2
    assert all(part[-1].text.endswith(".") for part in parts)
    assert [word for part in parts for word in part] == list(spoken.words)


def test_speech_without_full_stops_is_divided_all_the_same() -> None:
    spoken = transcript(("S1", "and so on we go " * 120 + "end"))
    assert max(map(len, paragraphs(spoken.words))) <= 200


def test_a_long_pause_after_a_sentence_starts_a_paragraph() -> None:
    spoken = transcript(("S1", "one " * 34 + "done. Then more."), pause_ms=2000)
    assert [len(part) for part in paragraphs(spoken.words)] == [35, 2]


def test_turns_of_one_person_in_a_row_are_one_passage() -> None:
    found = passages(SPOKEN["french"])
    assert [passage.name for passage in found] == ["Éric Côté", "Marie-Philippe de la Tour d'Auvergne"]
    assert all(before.start_ms <= after.start_ms for before, after in pairwise(found))


# JSON


def test_half_a_character_is_replaced_since_no_file_can_hold_it() -> None:
    spoken = transcript(("S1", "a\ud800b"))
    assert read_transcript(written(spoken, "json")).words[0].text == f"a{UNSHOWABLE}b"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "[]",
        lambda text: text[:-20],
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text.replace("tribune-transcript", "other"),
        lambda text: text.replace('"end_ms": ', '"end_ms": -'),
        lambda text: text.replace('"probability"', '"likelihood"'),
    ],
)
def test_what_is_no_transcript_is_refused_with_what_to_choose(spoil: Callable[[str], str]) -> None:
    with pytest.raises(TranscriptInvalid) as refused:
        read_transcript(spoil(written(SPOKEN["english"], "json")))
    assert "transcript.fr.json" in refused.value.message("fr")


# The registry


def test_every_format_is_named_once_and_names_its_file() -> None:
    assert list(FORMATS) == [form.name for form in FORMATS.values()]
    names = [form.file_name("fr") for form in FORMATS.values()]
    assert names == [
        "captions.fr.vtt",
        "captions.fr.srt",
        "captions.fr.ttml",
        "captions.fr.wet.html",
        "transcript.fr.txt",
        "transcript.fr.md",
        "transcript.fr.html",
        "transcript.fr.docx",
        "transcript.fr.pdf",
        "transcript.fr.json",
        "chapters.fr.vtt",
        "comparison.fr.html",
        "schema.fr.json",
    ]
    assert all("charset" in form.content_type for form in PLAIN if form.name != "json")


def test_a_document_of_nothing_said_is_written_all_the_same() -> None:
    silent = Transcript(session_id="0" * 16, language="fr", duration_ms=1000, turns=())
    made: Document = document(silent)
    assert speaker_name(silent, None) is None
    for form in FORMATS.values():
        assert isinstance(form.body(made), bytes)
    for form in PLAIN:
        assert "\ufffd" not in form.body(made).decode("utf-8")
    assert read_transcript(body("json", made)) == silent
