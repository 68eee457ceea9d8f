"""Captions keep every word, obey the rules, and break where a reader would."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.caption_rules import load, load_all
from pipeline.breaking import Break, rank_breaks
from pipeline.caption_files import open_captions, writer
from pipeline.caption_lint import lint
from pipeline.caption_rules import CaptionRules, rules_for
from pipeline.captions import label_text, make_cues, shown_lines, speaker_name
from pipeline.errors import SetUpError
from pipeline.render import CaptionFile
from pipeline.render.json import read_transcript
from pipeline.render.reading import as_interpreted, as_shown
from pipeline.types import Cue, Language, Line, Speaker, Transcript, Turn, Word
from pipeline.visible import UNSHOWABLE, visible, visible_word
from tests.talk import any_transcripts, transcript

RULES = load_all()

_USUAL = "the public page of a programme, people read. and it is short because we cut it"


def shown(*turns: tuple[str | None, str], language: Language = "en", names: dict[str, str] | None = None) -> list[str]:
    """Return the captions of some turns, lines divided by a bar."""
    spoken = transcript(*turns, language=language, names=names)
    return [" | ".join(shown_lines(cue, language)) for cue in make_cues(spoken, RULES)]


def word(text: str, start_ms: int, end_ms: int, language: str = "en") -> Word:
    return Word(text=text, start_ms=start_ms, end_ms=end_ms, probability=1.0, language=language)


def of_words(*turns: tuple[str | None, tuple[Word, ...]], duration_ms: int = 100_000) -> Transcript:
    keys = sorted({speaker for speaker, _ in turns if speaker})
    return Transcript(
        session_id="0" * 16,
        language="en",
        duration_ms=duration_ms,
        turns=tuple(Turn(speaker=speaker, words=words) for speaker, words in turns),
        speakers=tuple(Speaker(key=key) for key in keys),
    )


# What must hold whatever is said


@settings(max_examples=50, deadline=None)
@given(any_transcripts())
def test_every_word_is_in_the_captions_once_and_in_order(spoken: Transcript) -> None:
    cues = make_cues(spoken, RULES)
    assert [word for cue in cues for word in cue.words] == list(spoken.words)


@settings(max_examples=50, deadline=None)
@given(any_transcripts())
def test_a_line_has_one_speaker_and_one_language(spoken: Transcript) -> None:
    speakers = [turn.speaker for turn in spoken.turns for _ in turn.words]
    position = 0
    for cue in make_cues(spoken, RULES):
        for line in cue.lines:
            assert {word.language for word in line.words} <= {line.language}
            assert set(speakers[position : position + len(line.words)]) <= {line.speaker}
            position += len(line.words)


@settings(max_examples=50, deadline=None)
@given(any_transcripts())
def test_cues_come_one_after_the_other_and_long_enough_to_be_seen(spoken: Transcript) -> None:
    cues = make_cues(spoken, RULES)
    assert all(200 <= cue.duration_ms <= 7000 for cue in cues)
    assert all(after.start_ms - cue.end_ms >= 83 for cue, after in pairwise(cues))
    assert [cue.id for cue in cues] == [str(number) for number in range(1, len(cues) + 1)]


@settings(max_examples=50, deadline=None)
@given(any_transcripts())
def test_lines_fit_with_their_label_unless_one_word_is_longer(spoken: Transcript) -> None:
    for cue in make_cues(spoken, RULES):
        lines = shown_lines(cue, spoken.language)
        assert len(lines) <= 2
        over_long = any(len(visible_word(word)) > 42 for word in cue.words)
        assert over_long or max(map(len, lines)) <= 42
        assert all(line.strip() for line in lines)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(_USUAL.split()),
            st.integers(180, 600),
            st.sampled_from([0, 0, 0, 40, 200, 700, 1400]),
        ),
        min_size=1,
        max_size=120,
    )
)
def test_one_person_speaking_as_people_do_breaks_no_rule_but_reading_speed(said: list[tuple[str, int, int]]) -> None:
    words = []
    now = 500
    for text, length, pause in said:
        words.append(word(text, now, now + length))
        now += length + pause
    cues = make_cues(of_words(("S1", tuple(words)), duration_ms=now + 2000), RULES)
    broken = {finding.rule for finding in lint(cues, RULES)} - {"speed"}
    # A random row of words can consist of nothing but pairs; real sentences do not.
    assert broken <= {"pair"}


@st.composite
def exchanges(draw: st.DrawFn) -> Transcript:
    """Draw people who answer each other at once: turns of a second or less, four in two seconds at most."""
    now = 500
    turns = []
    speaker = "S1"
    for _ in range(draw(st.integers(2, 24))):
        lengths = draw(st.lists(st.integers(180, 400), min_size=1, max_size=5))
        begun = now
        words = []
        for length in lengths:
            words.append(
                word(draw(st.sampled_from(["yes", "no", "well", "right", "today", "really"])), now, now + length)
            )
            now += length
        turns.append((speaker, tuple(words)))
        now = max(now + draw(st.sampled_from([0, 0, 60, 300])), begun + 460)
        speaker = draw(st.sampled_from(sorted({"S1", "S2", "S3"} - {speaker})))
    return of_words(*turns, duration_ms=now + 2000)


@settings(max_examples=120, deadline=None)
@given(exchanges(), st.sampled_from(["en", "fr"]))
def test_a_fast_exchange_breaks_no_rule_but_reading_speed(spoken: Transcript, language: Language) -> None:
    spoken = replace(spoken, language=language)
    cues = make_cues(spoken, RULES)
    assert [word for cue in cues for word in cue.words] == list(spoken.words)
    # A random row of words can consist of nothing but pairs; real sentences do not.
    assert {finding.rule for finding in lint(cues, RULES, language=language)} <= {"speed", "pair"}


# Dialogue


def test_two_people_too_fast_for_a_cue_each_share_one_with_a_dash_on_each_line() -> None:
    said = (("S1", (word("Ready?", 1000, 1300),)), ("S2", (word("Ready.", 1350, 1600),)))
    [english] = make_cues(of_words(*said), RULES)
    assert english.dialogue
    assert [line.speaker for line in english.lines] == ["S1", "S2"]
    assert shown_lines(english, "en") == ("-Ready?", "-Ready.")
    [french] = make_cues(replace(of_words(*said), language="fr"), RULES)
    assert shown_lines(french, "fr") == ("- Ready?", "- Ready.")


def test_a_dialogue_shows_the_names_only_where_there_is_time_to_read_them() -> None:
    said = [
        (speaker, (word(text, start, start + 450),))
        for speaker, text, start in [
            ("S1", "Ready?", 1000),
            ("S2", "Ready.", 1460),
            ("S1", "Now?", 1920),
            ("S2", "Now.", 2380),
        ]
    ]
    names = {"S1": "Anne Roy", "S2": "Luc Côté"}
    spoken = of_words(*said)
    spoken = replace(spoken, speakers=tuple(replace(each, name=names[each.key]) for each in spoken.speakers))
    first, second = (shown_lines(cue, "en") for cue in make_cues(spoken, RULES))
    assert first == ("-Ready?", "-Ready.")
    assert second == ("-Anne Roy: Now?", "-Luc Côté: Now.")


def test_who_goes_on_speaking_after_a_dialogue_has_been_named() -> None:
    more = tuple(
        word(text, 1500 + at * 300, 1800 + at * 300) for at, text in enumerate(["I", "am", "ready", "to", "go."] * 6)
    )
    cues = make_cues(of_words(("S1", (word("Ready?", 1000, 1400),)), ("S2", more)), RULES)
    labels = [line.label for cue in cues for line in cue.lines if line.speaker == "S2"]
    assert labels[0] == "Speaker 2"
    assert labels[1:] == [None] * (len(labels) - 1)


def test_two_languages_of_one_person_share_a_cue_without_dashes() -> None:
    said = (word("Hello!", 1000, 1300), word("Bonjour!", 1300, 1600, "fr"))
    [both] = make_cues(of_words(("S1", said)), RULES)
    assert not both.dialogue
    assert shown_lines(both, "en") == ("Hello!", "Bonjour!")


def test_people_with_time_enough_have_a_cue_each() -> None:
    assert shown(("S1", "Are you quite ready for this?"), ("S2", "Yes, I think that I am.")) == [
        "Speaker 1: Are you quite ready for this?",
        "Speaker 2: Yes, I think that I am.",
    ]


# Shot changes


@settings(max_examples=60, deadline=None)
@given(exchanges(), st.lists(st.integers(0, 20_000), max_size=30))
def test_shot_changes_break_no_rule(spoken: Transcript, shots: list[int]) -> None:
    plain, cues = make_cues(spoken, RULES), make_cues(spoken, RULES, sorted(shots))
    assert [cue.lines for cue in cues] == [cue.lines for cue in plain]
    assert {finding.rule for finding in lint(cues, RULES)} <= {"speed", "pair"}
    for found in (cues, plain):
        assert all(
            cue.end_ms >= cue.words[-1].end_ms or cue.end_ms + 83 == after.start_ms for cue, after in pairwise(found)
        )


def test_a_cue_comes_with_a_shot_within_the_tolerance_and_goes_just_before_one() -> None:
    said = (word("Certainly", 1000, 1500), word("not.", 1500, 2100))
    spoken = of_words(("S1", said))
    assert [(cue.start_ms, cue.end_ms) for cue in make_cues(spoken, RULES, (940, 2400))] == [(940, 2317)]
    assert [(cue.start_ms, cue.end_ms) for cue in make_cues(spoken, RULES, (1080, 4000))] == [(1080, 2600)]


def test_a_shot_change_ends_no_cue_before_it_is_heard_and_moves_none_from_its_word() -> None:
    said = (word("Certainly", 1000, 1500), word("not.", 1500, 2100))
    for shots in ((850,), (1150,), (2150,)):
        assert [(cue.start_ms, cue.end_ms) for cue in make_cues(of_words(("S1", said)), RULES, shots)] == [(1000, 2600)]


# Where lines and cues break


def test_a_sentence_that_fits_is_one_line() -> None:
    assert shown(("S1", "People look for one thing.")) == ["People look for one thing."]


def test_two_lines_break_at_a_clause_and_the_lower_is_the_longer() -> None:
    assert shown(("S1", "When people read a public page, they look for one thing first.")) == [
        "When people read a public page, | they look for one thing first."
    ]


def test_a_long_sentence_breaks_before_prepositions_and_conjunctions() -> None:
    captions = shown(
        ("S1", "We tested forty pages with readers last winter and in thirty of them nobody reached the answer"),
    )
    for caption in captions:
        for line in caption.split(" | "):
            assert line.split()[-1] not in {"the", "with", "and", "in", "of", "last", "forty"}


def test_french_keeps_articles_pronouns_negations_and_names_together() -> None:
    captions = shown(
        (
            "S1",
            "La directrice Anne Tremblay ne voulait pas que nous parlions de la nouvelle politique avant les élections",
        ),
        language="fr",
    )
    ends = {line.split()[-1] for caption in captions for line in caption.split(" | ")}
    assert not ends & {"La", "Anne", "ne", "nous", "de", "la", "nouvelle", "les", "avant", "que"}


def test_a_long_pause_starts_a_new_cue() -> None:
    said = (word("Wait", 0, 400), word("for", 400, 600), word("it.", 3600, 3900))
    cues = make_cues(of_words(("S1", said)), RULES)
    assert len(cues) == 2


@pytest.mark.parametrize(
    ("text", "language", "rank"),
    [
        ("done. Then", "en", Break.SENTENCE),
        ("Dr. Roy", "en", Break.PROTECTED),
        ("however, we", "en", Break.CLAUSE),
        ("pages and", "en", Break.CONJUNCTION),
        ("pages with", "en", Break.PREPOSITION),
        ("read pages", "en", Break.PLAIN),
        ("and pages", "en", Break.POOR),
        ("the page", "en", Break.PROTECTED),
        ("Anne Roy", "en", Break.PROTECTED),
        ("we read", "en", Break.PROTECTED),
        ("don't read", "en", Break.PROTECTED),
        ("did not", "en", Break.PROTECTED),
        ("12 kilometres", "en", Break.PROTECTED),
        ("15th century", "en", Break.PROTECTED),
        ("March 5", "en", Break.PROTECTED),
        ("rather than", "en", Break.PROTECTED),
        ("district four", "en", Break.PROTECTED),
        ("semaine 3", "fr", Break.PROTECTED),
        ("Office of Planning", "en", Break.PLAIN),
        ("Planning and Development", "en", Break.PREPOSITION),
        ("thing ?", "en", Break.GLUED),
        ("« oui", "fr", Break.GLUED),
        ("oui :", "fr", Break.GLUED),
        ("10 000", "fr", Break.PROTECTED),
        ("M. Roy", "fr", Break.PROTECTED),
        ("pages d'hier", "fr", Break.PREPOSITION),
        ("parce qu'il", "fr", Break.PROTECTED),
        ("qu'il vient", "fr", Break.PROTECTED),
        ("n'est pas", "fr", Break.PROTECTED),
        ("un rien", "fr", Break.PROTECTED),
        ("c'est bien", "fr", Break.PROTECTED),
        ("5 mars", "fr", Break.PROTECTED),
        ("pages dont", "fr", Break.CONJUNCTION),
    ],
)
def test_a_break_is_ranked_by_what_it_parts(text: str, language: Language, rank: Break) -> None:
    words = [word(part, at, at, language) for at, part in enumerate(text.split(" "))]
    assert rank_breaks(words, load(language).words)[0] is rank


def test_a_long_row_of_capitals_may_be_parted_because_it_is_no_name() -> None:
    words = [word(part, 0, 0) for part in ["Northern", "Islands", "Emergency", "Management", "Office"]]
    assert Break.PROTECTED not in rank_breaks(words, load("en").words)


def test_no_words_have_no_breaks() -> None:
    assert rank_breaks([], load("en").words) == ()


def test_a_word_longer_than_a_line_stands_alone() -> None:
    captions = shown(("S1", f"before {'x' * 60} after"))
    assert captions == ["before", "x" * 60, "after"]


HEARD = sorted((Path(__file__).parent / "data").glob("heard_*.json"))


@pytest.mark.parametrize("path", HEARD, ids=lambda path: path.stem)
def test_real_speech_breaks_no_rule_but_reading_speed(path: Path) -> None:
    spoken = read_transcript(path.read_text(encoding="utf-8"))
    cues = make_cues(spoken, RULES)
    assert [word for cue in cues for word in cue.words] == list(spoken.words)
    assert {finding.rule for finding in lint(cues, RULES, language=spoken.language)} <= {"speed"}


def test_there_is_real_speech_in_both_languages() -> None:
    assert {path.stem.split("_")[1] for path in HEARD} == {"en", "fr"}


# Labels


def test_the_label_shows_where_the_speaker_changes_and_counts() -> None:
    captions = shown(
        ("S1", "Good morning."),
        ("S2", "Thank you."),
        ("S2", "Let us begin."),
        names={"S1": "Anne Roy", "S2": "Luc Côté"},
    )
    assert captions == ["Anne Roy: Good morning.", "Luc Côté: Thank you.", "Let us begin."]


def test_a_french_label_has_a_no_break_space_before_its_colon() -> None:
    assert label_text("Anne Roy", "fr") == "Anne Roy\u00a0:"


def test_a_label_too_long_for_words_beside_it_has_a_line_of_its_own() -> None:
    captions = shown(("S1", "Notwithstanding."), ("S2", "Yes."), names={"S1": "Marie-Philippe de la Tour d'Auvergne"})
    assert captions[0] == "Marie-Philippe de la Tour d'Auvergne: | Notwithstanding."


def test_a_label_too_long_for_a_line_is_cut() -> None:
    captions = shown(("S1", "Yes."), names={"S1": "N" * 500})
    assert captions == [f"{'N' * 40}…: | Yes."]


def hurried(answer: str) -> Transcript:
    """Return what three turns say of which the second begins too fast for a name beside it."""
    named = (Speaker(key="S1", name="Ada Roy"), Speaker(key="S2", name="Daniel Tremblay"))
    spoken = of_words(
        ("S1", said("Good morning to all of you.", 0, 2500)),
        ("S2", said("We cut every page to one line.", 2600, 4300) + said(answer, 4400, 8400)),
        ("S1", said("And what did they say?", 8600, 10_600)),
    )
    return replace(spoken, speakers=named)


def said(text: str, start_ms: int, end_ms: int) -> tuple[Word, ...]:
    parts = text.split()
    step = (end_ms - start_ms) // len(parts) if parts else 0
    return tuple(word(part, start_ms + at * step, start_ms + (at + 1) * step) for at, part in enumerate(parts))


def read_again(cues: tuple[Cue, ...], spoken: Transcript, end: str) -> CaptionFile:
    names = tuple((each.key, speaker_name(spoken, each.key) or "") for each in spoken.speakers)
    written = writer(end)(CaptionFile(language="en", cues=cues, names=names))
    return as_interpreted(open_captions(written.encode(), f"x{end}").read, "en")


def voices(cue: Cue, read: CaptionFile) -> list[str]:
    return [dict(read.names)[line.speaker] for line in cue.lines]


def test_a_label_that_cannot_be_read_waits_for_the_speakers_next_caption() -> None:
    cues = make_cues(hurried("Then we asked our readers again, and waited."), RULES)
    assert [shown_lines(cue, "en") for cue in cues[1:3]] == [
        ("-We cut every page to one line.",),
        ("Daniel Tremblay: Then we asked", "our readers again, and waited."),
    ]
    assert lint(cues, RULES) == ()


def test_a_label_does_not_wait_where_its_speaker_says_no_more_or_the_next_caption_is_too_fast_as_well() -> None:
    for answer in ("", "Then we asked our readers again, and waited for what they would have to tell us about it all."):
        cues = make_cues(hurried(answer), RULES)
        assert shown_lines(cues[1], "en")[0].startswith("Daniel Tremblay:")


@pytest.mark.parametrize("end", [".vtt", ".srt", ".ttml"])
def test_who_speaks_behind_a_dash_is_known_from_the_next_caption_when_it_is_read_again(end: str) -> None:
    spoken = hurried("Then we asked our readers again, and waited.")
    cues = make_cues(spoken, RULES)
    names = tuple((each.key, each.name or "") for each in spoken.speakers)
    written = writer(end)(CaptionFile(language="en", cues=cues, names=names))
    read = as_interpreted(open_captions(written.encode(), f"x{end}").read, "en")
    assert [dict(read.names)[line.speaker] for line in read.cues[1].lines] == ["Daniel Tremblay"]
    assert [line.dashed for line in read.cues[1].lines] == [True]
    assert [each.text for cue in read.cues for each in cue.words] == [each.text for each in spoken.words]


def announced(pause_ms: int) -> Transcript:
    """Return what two people say, the second so fast that nobody could read a name beside it, after a silence."""
    begun = 4500 + pause_ms
    spoken = of_words(
        ("S1", said("It was made in much the same way,", 500, 2500) + said("by a similar process.", 2500, 4500)),
        ("S2", said("This is the acoustic corpus of all we have recorded,", begun, begun + 2500)),
        ("S1", said("So it is.", begun + 2600, begun + 4600)),
    )
    names = (Speaker(key="S1", name="Ada Roy"), Speaker(key="S2", name="Daniel Tremblay"))
    return replace(spoken, speakers=names)


def test_a_name_that_nobody_could_read_beside_its_words_is_announced_below_the_words_before() -> None:
    spoken = announced(600)
    cues = make_cues(spoken, RULES)
    assert [shown_lines(cue, "en") for cue in cues] == [
        ("Ada Roy: It was made in much the same way,",),
        ("-by a similar process.", "-Daniel Tremblay:"),
        ("This is the acoustic corpus", "of all we have recorded,"),
        ("Ada Roy: So it is.",),
    ]
    assert lint(cues, RULES) == ()
    assert [word for cue in cues for word in cue.words] == list(spoken.words)


@pytest.mark.parametrize("end", [".vtt", ".srt", ".ttml"])
def test_whose_name_was_announced_speaks_next_when_it_is_read_again(end: str) -> None:
    spoken = announced(600)
    names = tuple((each.key, each.name or "") for each in spoken.speakers)
    written = writer(end)(CaptionFile(language="en", cues=make_cues(spoken, RULES), names=names))
    read = as_interpreted(open_captions(written.encode(), f"x{end}").read, "en")
    known = dict(read.names)
    assert [known[line.speaker] for line in read.cues[2].lines] == ["Daniel Tremblay"] * 2
    assert [each.text for cue in read.cues for each in cue.words] == [each.text for each in spoken.words]
    assert [shown_lines(cue, "en") for cue in read.cues] == [shown_lines(cue, "en") for cue in make_cues(spoken, RULES)]


@pytest.mark.parametrize("pause_ms", [1200, 1500, 2000, 9000])
def test_a_name_that_nobody_could_read_beside_its_words_comes_alone_in_the_silence_before(pause_ms: int) -> None:
    spoken = announced(pause_ms)
    cues = make_cues(spoken, RULES)
    assert [shown_lines(cue, "en") for cue in cues] == [
        ("Ada Roy: It was made in much the same way,", "by a similar process."),
        ("Daniel Tremblay:",),
        ("This is the acoustic corpus", "of all we have recorded,"),
        ("Ada Roy: So it is.",),
    ]
    assert lint(cues, RULES) == ()
    assert cues[1].end_ms == cues[2].start_ms - 83
    assert [word for cue in cues for word in cue.words] == list(spoken.words)


def test_a_name_comes_alone_before_the_first_words_too_where_there_is_time() -> None:
    fast = said("This is the acoustic corpus of all we have recorded,", 1500, 4000)
    spoken = replace(hurried(""), turns=(Turn(speaker="S2", words=fast), *hurried("").turns[2:]))
    assert shown_lines(make_cues(spoken, RULES)[0], "en") == ("Daniel Tremblay:",)
    at_once = replace(spoken, turns=(Turn(speaker="S2", words=said("This is the acoustic corpus of all", 0, 1700)),))
    assert shown_lines(make_cues(at_once, RULES)[0], "en")[0].startswith("Daniel Tremblay:")


@pytest.mark.parametrize("end", [".vtt", ".srt", ".ttml"])
def test_whose_name_came_alone_speaks_next_when_it_is_read_again(end: str) -> None:
    spoken = announced(1500)
    cues = make_cues(spoken, RULES)
    again = read_again(cues, spoken, end)
    assert [voices(cue, again)[-1] for cue in again.cues] == [
        "Ada Roy",
        "Daniel Tremblay",
        "Daniel Tremblay",
        "Ada Roy",
    ]
    assert again.cues[1].words == ()
    assert [shown_lines(cue, "en") for cue in again.cues] == [shown_lines(cue, "en") for cue in cues]


def test_lint_finds_nothing_in_a_file_with_a_name_alone() -> None:
    spoken = announced(1500)
    text = writer(".srt")(CaptionFile(language="en", cues=make_cues(spoken, RULES), names=()))
    read = open_captions(text.encode(), "x.srt").read
    assert lint(as_shown(read, "en").cues, RULES, told=as_interpreted(read, "en").cues) == ()


# Dashes where two people answer each other


def answering(*said_by: str, step_ms: int = 1250) -> Transcript:
    """Return people who answer each other, too fast for names, the first two of them slowly."""
    turns, now = [], 500
    for at, key in enumerate(said_by):
        length = 2250 if at < 2 else step_ms
        turns.append((key, said("we could say all that.", now, now + length - 100)))
        now += length
    named = {"S1": "Ada Roy", "S2": "Daniel Tremblay", "S3": "Maxime Gagnon-Beauchamp"}
    spoken = of_words(*turns)
    return replace(spoken, speakers=tuple(replace(each, name=named[each.key]) for each in spoken.speakers))


def test_a_dash_stands_for_a_name_where_two_people_answer_each_other_and_both_were_named() -> None:
    cues = make_cues(answering("S1", "S2", "S1", "S2", "S1", "S2"), RULES)
    assert [shown_lines(cue, "en") for cue in cues] == [
        ("Ada Roy: we could say all that.",),
        ("Daniel Tremblay: we could say all that.",),
        *[("-we could say all that.",)] * 4,
    ]
    assert lint(cues, RULES) == ()


def test_after_a_while_the_names_come_again() -> None:
    cues = make_cues(answering(*["S1", "S2"] * 20), RULES)
    named = {"S1": 0, "S2": 0}
    for cue in cues:
        for line in cue.lines:
            if line.label is not None:
                named[line.speaker or ""] = cue.start_ms
            assert not line.dashed or cue.start_ms - min(named.values()) <= 20_200
    assert sum(line.dashed for cue in cues for line in cue.lines) > 20


def test_nobody_is_a_dash_who_could_be_a_third_person() -> None:
    for said_by in (["S1", "S2", "S3"], ["S1", "S3", "S2", "S1"], ["S1", "S2", "S1", "S3"]):
        assert not any(line.dashed for cue in make_cues(answering(*said_by), RULES) for line in cue.lines)


@pytest.mark.parametrize("end", [".vtt", ".srt", ".ttml"])
def test_who_a_dash_stands_for_is_known_when_it_is_read_again(end: str) -> None:
    spoken = answering(*["S1", "S2"] * 8)
    cues = make_cues(spoken, RULES)
    again = read_again(cues, spoken, end)
    known = {each.key: each.name for each in spoken.speakers}
    assert sum(line.dashed for cue in cues for line in cue.lines) > 5
    assert [shown_lines(cue, "en") for cue in again.cues] == [shown_lines(cue, "en") for cue in cues]
    assert [each.text for cue in again.cues for each in cue.words] == [each.text for each in spoken.words]
    for cue, read in zip(cues, again.cues, strict=True):
        for line, other in zip(cue.lines, read.lines, strict=True):
            assert line.dashed == other.dashed
            assert not line.dashed or dict(again.names)[other.speaker] == known[line.speaker or ""]


_SAID: dict[Language, str] = {
    "en": "yes no well right today really I think so of course not yet sure maybe exactly you know what the report",
    "fr": "oui non bien sûr d'accord peut-être voilà je pense que c'est ça merci pas encore exactement vous le rapport",
}


def quick_talk(seed: int, language: Language) -> Transcript:
    """Return two or three people who answer each other with one to four words, as fast as people speak."""
    dice = random.Random(seed)  # noqa: S311 - the same talk each time
    keys = ["S1", "S2", "S3"][: dice.choice([2, 3])]
    rate = dice.uniform(11, 19)
    turns: list[tuple[str, tuple[Word, ...]]] = []
    now = 500
    for _ in range(24):
        words = []
        for text in dice.choices(_SAID[language].split(), k=dice.randint(1, 4)):
            length = round((len(text) + 1) * 1000 / rate)
            words.append(word(text, now, now + length, language))
            now += length
        others = [key for key in keys if not turns or key != turns[-1][0]]
        turns.append((dice.choice(others), tuple(words)))
        now += dice.choice([0, 0, 60, 200, 500, 900])
    return replace(of_words(*turns, duration_ms=now + 2000), language=language)


@pytest.mark.parametrize(("language", "most"), [("en", 0.22), ("fr", 0.45)])
def test_names_alone_make_few_captions_of_a_quick_exchange_too_fast(language: Language, most: float) -> None:
    cues, named = 0, 0
    for seed in range(12):
        shown = make_cues(quick_talk(seed, language), RULES)
        cues += len(shown)
        named += sum(finding.for_name for finding in lint(shown, RULES, language=language))
    assert named / cues < most


@settings(max_examples=40, deadline=None)
@given(exchanges(), st.sampled_from([".vtt", ".srt", ".ttml"]))
def test_no_dash_of_ours_is_taken_for_a_word(spoken: Transcript, end: str) -> None:
    again = read_again(make_cues(spoken, RULES), spoken, end)
    assert [each.text for cue in again.cues for each in cue.words] == [each.text for each in spoken.words]


def test_a_dash_in_somebody_elses_file_goes_back_only_to_somebody_who_was_named() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nAnne: Yes.\n\n2\n00:00:03,000 --> 00:00:04,000\n- A list\n"
    last = as_interpreted(open_captions(text.encode(), "x.srt").read, "en").cues[1].lines[0]
    assert (last.speaker, [word.text for word in last.words], last.dashed) == ("Anne", ["-", "A", "list"], False)


# Cuts


def test_no_caption_holds_words_from_both_sides_of_a_cut_and_who_speaks_after_it_is_named_first() -> None:
    spoken = hurried("Then we asked our readers again, and waited.")
    assert shown_lines(make_cues(spoken, RULES)[1], "en")[0].startswith("-")
    cues = make_cues(spoken, RULES, cuts_ms=(2550,))
    assert shown_lines(cues[1], "en")[0].startswith("Daniel Tremblay:")
    assert not any(line.dashed for cue in cues for line in cue.lines)
    whole = of_words(("S1", said("We read it all.", 0, 1200)))
    parted = make_cues(whole, RULES, cuts_ms=(600,))
    assert [shown_lines(cue, "en") for cue in parted] == [("We read",), ("it all.",)]


def test_a_name_comes_before_what_a_mask_hides() -> None:
    first, second, third = hurried("Then we asked our readers again, and waited.").turns
    hidden = (word("[…]", 2600, 3200), *second.words[7:])
    spoken = replace(hurried(""), turns=(first, Turn(speaker="S2", words=hidden), third))
    shown = [line for cue in make_cues(spoken, RULES) for line in shown_lines(cue, "en")]
    assert not any(line.startswith("-[") for line in shown)
    assert any(line.startswith("Daniel Tremblay:") and "[…]" in line for line in shown)


def test_a_lone_voice_without_a_name_has_no_label() -> None:
    assert shown(("S1", "Yes.")) == ["Yes."]


def test_a_voice_that_cannot_be_told_among_others_does_not_pass_for_the_one_before() -> None:
    captions = shown(("S1", "Yes, I do."), (None, "I do not think so at all."), names={"S1": "Anne"})
    assert captions == ["Anne: Yes, I do.", "Unidentified voice: | I do not think so at all."]


def test_without_any_speakers_there_are_no_labels() -> None:
    assert shown((None, "Yes."), (None, "No.")) == ["Yes.", "No."]


def test_a_language_switch_starts_a_new_cue_without_a_label() -> None:
    spoken = of_words(("S1", (word("Hello.", 0, 400), word("Bonjour.", 500, 900, "fr"))))
    assert [(line.language, line.label) for cue in make_cues(spoken, RULES) for line in cue.lines] == [
        ("en", None),
        ("fr", None),
    ]


# Time


def times(*words: Word) -> list[tuple[int, int]]:
    return [(cue.start_ms, cue.end_ms) for cue in make_cues(of_words(("S1", words)), RULES)]


def test_a_cue_starts_with_its_word_and_stays_half_a_second_after_it() -> None:
    assert times(word("Certainly", 1000, 1500), word("not.", 1500, 2100)) == [(1000, 2600)]


def test_a_short_cue_is_extended_to_the_shortest_time() -> None:
    [(start, end)] = times(word("No.", 1000, 1050))
    assert end - start >= 833


def test_a_gap_is_closed_or_left_half_a_second_long() -> None:
    rules = CaptionRules()
    for next_start in range(2000, 4000, 7):
        end = rules.end_ms(0, 2000, next_start)
        assert next_start - end == 83 or next_start - end >= 500
        assert end <= 2500


def test_the_last_cue_does_not_outlast_the_recording() -> None:
    spoken = replace(of_words(("S1", (word("Finally.", 5000, 6000),))), duration_ms=6200)
    assert make_cues(spoken, RULES)[-1].end_ms == 6200


def test_fast_speech_takes_the_free_time_before_it() -> None:
    said = tuple(
        word(text, 1000 + at * 160, 1160 + at * 160) for at, text in enumerate(["extraordinarily", "fast", "words"])
    )
    cue, *_ = make_cues(of_words(("S1", said)), RULES)
    assert cue.start_ms == 900


def test_words_that_all_come_at_once_are_still_shown_one_after_the_other() -> None:
    said = tuple((f"S{at % 2 + 1}", (word("now", 1000, 1000),)) for at in range(6))
    cues = make_cues(of_words(*said), RULES)
    assert [cue.duration_ms >= 200 for cue in cues] == [True] * 3
    assert all(cue.dialogue for cue in cues)


def test_a_learner_gets_more_time() -> None:
    quick = CaptionRules().reading_ms(characters=20, words=8)
    assert load("en", "learner").reading_ms(characters=20, words=8) == 3000 > quick


def test_three_hours_take_seconds() -> None:
    text = "We tested forty pages with readers last winter, and in thirty of them nobody reached the answer. "
    said = (text.split() * 18)[:300]
    spoken = transcript(*((f"S{at % 3 + 1}", " ".join(said)) for at in range(100)), word_ms=330, pause_ms=200)
    assert len(spoken.words) == 30_000
    begun = time.process_time()
    cues = make_cues(spoken, RULES)
    assert time.process_time() - begun < 15
    assert sum(len(cue.words) for cue in cues) == 30_000


def test_no_words_make_no_captions() -> None:
    silent = Transcript(session_id="0" * 16, language="fr", duration_ms=1000, turns=())
    assert make_cues(silent, RULES) == ()


# Lint


def cue(*lines: str, start_ms: int = 0, end_ms: int = 2000, at: str = "1", language: str = "en") -> Cue:
    spoken_until_ms = max(start_ms, end_ms - 500)
    shown = tuple(
        Line(
            words=tuple(word(text, start_ms, spoken_until_ms, language) for text in line.split()),
            speaker="S1",
            language=language,
        )
        for line in lines
    )
    return Cue(id=at, start_ms=start_ms, end_ms=end_ms, lines=shown)


@pytest.mark.parametrize(
    ("rule", "cues"),
    [
        ("line_length", [cue("word " * 9, end_ms=4000)]),
        ("lines", [cue("Go", "away", "now")]),
        ("short", [cue("one", end_ms=700)]),
        ("long", [cue("one", end_ms=7100)]),
        ("speed", [cue("extraordinarily extraordinary words", end_ms=1500)]),
        ("start", [replace(cue("one", start_ms=500), start_ms=300)]),
        ("gap", [cue("one"), cue("two", start_ms=2010, end_ms=4000, at="2")]),
        ("open_gap", [cue("one"), cue("two", start_ms=2300, end_ms=4000, at="2")]),
        ("linger", [replace(cue("one", end_ms=2000), end_ms=3000)]),
        ("pair", [cue("look at the", "page")]),
    ],
)
def test_lint_finds_and_explains_each_rule(rule: str, cues: list[Cue]) -> None:
    found = lint(cues, CaptionRules(words=load("en").words))
    assert [finding.rule for finding in found] == [rule]
    assert found[0].explain("en") != found[0].explain("fr")
    assert found[0].cue_id in found[0].explain("fr")


def test_lint_counts_words_for_a_profile_that_limits_them() -> None:
    found = lint([cue("a b c d e f g h")], load("en", "learner"))
    assert [finding.rule for finding in found] == ["words_speed"]


def test_lint_says_nothing_of_good_captions() -> None:
    assert lint([cue("Go on."), cue("Now", start_ms=2083, end_ms=4000, at="2")], RULES) == ()


def test_lint_tells_what_of_a_speed_is_the_name_and_what_is_speech() -> None:
    named = cue("extraordinarily well", end_ms=1000)
    named = replace(named, lines=(replace(named.lines[0], label="Anne Roy"),))
    [finding] = lint([named], RULES)
    assert (finding.rule, finding.measured, finding.lead, finding.words_measured) == ("speed", 30, 10, 20)
    assert "10 of its characters only tell who speaks; its words alone would be read at 20." in finding.explain("en")
    assert "10 de ses caractères ne servent qu’à dire qui parle" in finding.explain("fr")
    [unnamed] = lint([cue("extraordinarily extraordinary", end_ms=1000)], RULES)
    assert (unnamed.lead, unnamed.words_measured) == (0, None)


def test_french_findings_have_a_decimal_comma() -> None:
    [finding] = lint([cue("extraordinarily extraordinary words", end_ms=1300)], CaptionRules())
    assert "26,9 caractères" in finding.explain("fr")


# Rules


def test_the_rules_are_read_with_a_source_beside_each() -> None:
    english, french = load("en"), load("fr")
    assert (english.line_characters, english.lines, english.least_ms, english.most_ms) == (42, 2, 833, 7000)
    assert (english.characters_per_second, french.characters_per_second) == (20, 17)
    assert "the" in english.words.articles
    assert "l'" in french.words.articles


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SetUpError) as refused:
        load("fr", "cinema")
    assert "fr-FR, learner" in refused.value.message("fr")


def test_a_profile_of_one_language_leaves_the_others_as_they_are() -> None:
    assert load_all("fr-FR")["en"] == load("en")


def test_france_has_a_narrow_space_before_high_marks_that_counts() -> None:
    spoken = transcript(("S1", "Quoi? Non! (Vraiment?) « Oui »; à 10:30?!"), language="fr")
    cues = make_cues(spoken, load_all("fr-FR"))
    shown = " ".join(line for cue in cues for line in shown_lines(cue, "fr"))
    assert shown == "Quoi\u202f? Non\u202f! (Vraiment\u202f?) « Oui »; à 10:30\u202f?!"
    assert [word.text for cue in make_cues(spoken, RULES) for word in cue.words] == [word.text for word in spoken.words]


def test_an_institution_has_rules_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "ours.toml"
    own.write_text('[fr.line_characters]\nvalue = 37\nsource = "Guide"\n', encoding="utf-8")
    rules = load_all(str(own))
    assert (rules["fr"].line_characters, rules["en"].line_characters) == (37, 42)
    assert rules["fr"].words == load("fr").words


@pytest.mark.parametrize(
    "text",
    ["[fr.line_characters]\n", "[fr.letters]\nvalue = 3\n", "[fr.lines]\nvalue = 3\n", "[es.lines]\nvalue = 1\n", "["],
)
def test_rules_of_ones_own_that_are_wrong_are_refused(text: str, tmp_path: Path) -> None:
    own = tmp_path / "ours.toml"
    own.write_text(text, encoding="utf-8")
    for path in (own, tmp_path / "none.toml"):
        with pytest.raises(SetUpError) as refused:
            load("fr", str(path))
        assert str(path) in refused.value.message("fr")


@pytest.mark.parametrize(
    "figures",
    [
        {"lines": 3},
        {"line_characters": 0},
        {"characters_per_second": 0},
        {"words_per_minute": 0},
        {"least_ms": 8000},
        {"gap_ms": 600},
        {"linger_ms": -1},
        {"space_before_marks": "-"},
    ],
)
def test_rules_that_nothing_can_meet_are_refused(figures: dict[str, int | str]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        CaptionRules(**figures)  # type: ignore[arg-type]


def test_a_language_without_rules_takes_the_first() -> None:
    assert rules_for(RULES, "iu") is RULES["en"]


def test_one_line_rules_make_one_line_cues() -> None:
    spoken = transcript(("S1", "When people read a public page, they look for one thing first."))
    cues = make_cues(spoken, replace(load("en"), lines=1))
    assert all(len(cue.lines) == 1 for cue in cues)
    assert len(cues) == 2


# What may be shown


@settings(deadline=None)
@given(st.one_of(st.text(), any_transcripts().map(lambda spoken: spoken.words[0].text)))
def test_showing_twice_changes_nothing_more(text: str) -> None:
    once = visible(text)
    assert visible(once) == once
    assert once.encode("utf-8").decode("utf-8").splitlines() in ([], [once])


def test_what_cannot_be_seen_is_dropped_and_joiners_stay() -> None:
    assert visible("a\u202eb\x00c\u200bd") == "abcd"
    assert visible("👩🏽‍🏫") == "👩🏽‍🏫"


def test_a_word_of_nothing_visible_is_shown_as_such() -> None:
    assert visible_word(word("\u202e", 0, 0)) == UNSHOWABLE
