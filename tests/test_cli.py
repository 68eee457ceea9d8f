"""The command line: what it says, in which language, and what it tells a script."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import EXIT_STATUS, build, exit_status, reader_language
from pipeline.errors import StoreConflict, TribuneError

COMMANDS = ("up", "demo", "process", "doctor", "models")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models_folder: Path) -> None:
    monkeypatch.setenv("TRIBUNE_ROOT", str(tmp_path / "var"))
    monkeypatch.setenv("TRIBUNE_ENV", "test")
    monkeypatch.setenv("TRIBUNE_LANGUAGE", "en")
    monkeypatch.setenv("TRIBUNE_MODELS__FOLDERS", f'["{models_folder}"]')


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = "from pipeline.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


def test_every_command_explains_itself() -> None:
    app = build()
    shown = CliRunner().invoke(app, ["--help"]).output
    for command in COMMANDS:
        assert command in shown
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    for command in ("fetch", "list", "verify"):
        assert CliRunner().invoke(app, ["models", command, "--help"]).exit_code == 0


def test_help_speaks_the_language_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_LANGUAGE", "fr")
    assert "séances enregistrées" in CliRunner().invoke(build(), ["--help"]).output


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "fr_CA.UTF-8"}, "fr"),
        ({"LANG": "fr_CA.UTF-8", "LC_ALL": "en_CA.UTF-8"}, "en"),
        ({"LANG": "C", "TRIBUNE_LANGUAGE": "fr"}, "fr"),
    ],
)
def test_the_usual_variables_say_the_language(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], language: str
) -> None:
    for name in ("TRIBUNE_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert reader_language() == language


def test_a_file_that_is_no_recording_ends_with_its_own_status_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "notes.mp4"
    file.write_text("not a video\n" * 100)
    done = run("process", str(file))
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_a_file_that_is_not_there_is_a_wrong_use(tmp_path: Path) -> None:
    assert run("process", str(tmp_path / "nothing.mp4")).returncode == 2


def test_a_wrong_setting_says_where_all_settings_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_ENGINES__DEVICE", "abacus")
    done = run("doctor")
    assert done.returncode == 4
    assert "base.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_finds_this_machine_fit_once_the_weights_are_there() -> None:
    assert run("models", "fetch").returncode == 0
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert "whisper-base" in done.stdout


def test_doctor_says_how_to_get_missing_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("doctor")
    assert done.returncode == 4
    assert "tribune models fetch whisper-base" in " ".join(done.stdout.split())


def test_damaged_weights_are_found(tmp_path: Path) -> None:
    assert run("models", "fetch").returncode == 0
    assert run("models", "verify").returncode == 0
    weights = tmp_path / "var" / "models" / "whisper-base" / "config.json"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content.replace(b"1", b"2", 1))
    done = run("models", "verify")
    assert done.returncode == 4
    assert "config.json" in done.stdout


def test_the_list_of_weights_marks_those_in_use() -> None:
    shown = CliRunner().invoke(build(), ["models", "list"]).output
    assert "whisper-large-v3-turbo" in shown
    assert any(line.split()[:2] == ["*", "whisper-base"] for line in shown.splitlines())


def test_an_unknown_model_is_named() -> None:
    done = run("models", "verify", "whisper-tiny")
    assert done.returncode == 4
    assert "whisper-tiny" in done.stderr


def test_every_kind_of_failure_has_a_status_of_its_own_or_its_parents() -> None:
    assert exit_status(StoreConflict("store.conflict")) == 5
    assert exit_status(TribuneError("anything")) == 1
    assert len({kind for kind, _ in EXIT_STATUS}) == len(EXIT_STATUS)


def test_the_application_is_assembled_from_entry_points() -> None:
    assert isinstance(build(), typer.Typer)
