"""The command line: what it says, in which language, and what it tells a script."""

import datetime as dt
import hashlib
import io
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from config.settings import load_settings
from flows.commands import _print_addresses
from flows.prefect_server import PrefectAddress
from flows.runs import lock_path
from flows.services import Services
from pipeline.cli import EXIT_STATUS, _tell_trouble, build, exit_status, main
from pipeline.command_line import reader_language
from pipeline.errors import StoreConflict, TribuneError
from pipeline.ffmpeg import find_programs
from pipeline.journal import session_folder
from pipeline.locks import exclusive, is_held
from pipeline.messages import message
from pipeline.review import Desk
from pipeline.revisions import Correction
from pipeline.s3 import S3Options
from pipeline.types import LANGUAGES, SESSION_ID_LENGTH, Language, Provenance
from tests.test_corrections import revision, typed

SAMPLES = Path(__file__).parent.parent / "samples"
COMMANDS = ("up", "demo", "process", "doctor", "models", "voices", "revisions", "captions")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models_folder: Path) -> None:
    monkeypatch.setenv("TRIBUNE_ROOT", str(tmp_path / "var"))
    monkeypatch.setenv("TRIBUNE_ENV", "test")
    monkeypatch.setenv("TRIBUNE_LANGUAGE", "en")
    monkeypatch.setenv("TRIBUNE_MODELS__FOLDERS", f'["{models_folder}"]')


Command = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, which has to import all that it needs first."""
    program = "from pipeline.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Give what runs a command in this process, from its arguments to its exit status."""

    def run_here(*arguments: str) -> "subprocess.CompletedProcess[str]":
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["tribune", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, *capsys.readouterr())

    return run_here


def test_every_command_explains_itself() -> None:
    app = build()
    shown = CliRunner().invoke(app, ["--help"]).output
    for command in COMMANDS:
        assert command in shown
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    for command in ("fetch", "list", "verify"):
        assert CliRunner().invoke(app, ["models", command, "--help"]).exit_code == 0
    for command in ("lint", "convert"):
        assert CliRunner().invoke(app, ["captions", command, "--help"]).exit_code == 0
    for command in ("add", "list", "remove"):
        assert CliRunner().invoke(app, ["voices", command, "--help"]).exit_code == 0
    for command in ("list", "show", "approve"):
        assert CliRunner().invoke(app, ["revisions", command, "--help"]).exit_code == 0


def test_help_speaks_the_language_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_LANGUAGE", "fr")
    shown = CliRunner().invoke(build(), ["--help"]).output
    for text in (
        "Usage\u00a0: ",
        "COMMANDE",
        "Options\u00a0:",
        "séances enregistrées",
        "semi-automatique",
        "Afficher ce",
    ):
        assert text in shown
    assert not re.search("Show|Install |COMMAND |Options:", shown)
    assert "[obligatoire]" in CliRunner().invoke(build(), ["process", "--help"]).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("process",), "Il manque l’argument «\u00a0file\u00a0»."),
        (("publish", "withdraw", "x"), "Il manque l’option «\u00a0--reason\u00a0»."),
        (("process", "--fast"), "L’option --fast n’existe pas."),
        (("process", "--coppy-to", "x"), "L’option --coppy-to n’existe pas. Options semblables\u00a0: --copy-to"),
        (("doctr",), "La commande «\u00a0doctr\u00a0» n’existe pas. Vouliez-vous dire 'doctor'?"),
        (("sing",), "La commande «\u00a0sing\u00a0» n’existe pas."),
        (("doctor", "now"), "Rien de plus n’est attendu ici\u00a0: now"),
        (("process", "--copy-to"), "L’option «\u00a0--copy-to\u00a0» demande une valeur."),
        (("doctor", "--help=3"), "L’option «\u00a0--help\u00a0» ne prend pas de valeur."),
        (
            ("process", "/no.mp4"),
            "La valeur de «\u00a0file\u00a0» ne convient pas. Le fichier «\u00a0/no.mp4\u00a0» n’existe pas.",
        ),
        (("process", "/"), "La valeur de «\u00a0file\u00a0» ne convient pas. «\u00a0/\u00a0» est un dossier."),
        (
            ("revisions", "show", "x", "y"),
            "La valeur de «\u00a0NUMBER\u00a0» ne convient pas. Indiquez un nombre entier.",
        ),
        (("revisions", "show", "x", "0"), "La valeur de «\u00a0NUMBER\u00a0» ne convient pas. Indiquez 1 ou plus."),
    ],
)
def test_what_was_typed_wrongly_is_told_in_the_language_of_the_terminal(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("TRIBUNE_LANGUAGE", "fr")
    done = command(*arguments)
    assert done.returncode == 2
    *before, last = done.stderr.strip().splitlines()
    assert last == f"Erreur\u00a0: {said}"
    assert not before or [line.partition("\u00a0: ")[0] for line in before] == ["Usage", "Pour de l’aide", ""]


def test_without_a_command_a_group_explains_itself(command: Command) -> None:
    done = command("models")
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: ")
    assert "verify" in done.stderr


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


def test_a_file_that_is_no_recording_ends_with_its_own_status_and_what_to_do(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "notes.mp4"
    file.write_text("not a video\n" * 100)
    done = command("process", str(file))
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_only_tracks_that_are_not_there_under_any_case_are_named(command: Command, tmp_path: Path) -> None:
    shutil.copyfile(SAMPLES / "fr" / "recette_de_crepes.mp3", tmp_path / "Talk.mp3")
    (tmp_path / "talk.TOML").write_text(
        'tracks = [{ file = "anna.flac", speaker = "Anna Roy" }, { file = "zoe\u0301.flac", speaker = "Zoé Côté" },'
        ' { file = "ben.flac", speaker = "Ben Li" }]'
    )
    (tmp_path / "Anna.FLAC").touch()
    (tmp_path / "Zoé.flac").touch()
    done = command("process", str(tmp_path / "Talk.mp3"))
    assert done.returncode == 3
    assert done.stderr.strip() == message("sidecar.tracks_missing", "en", files="ben.flac")


def test_a_recording_cannot_be_one_of_its_own_tracks(command: Command, tmp_path: Path) -> None:
    shutil.copyfile(SAMPLES / "fr" / "recette_de_crepes.mp3", tmp_path / "talk.mp3")
    (tmp_path / "talk.toml").write_text('tracks = [{ file = "Talk.mp3", speaker = "Anna Roy" }]')
    done = command("process", str(tmp_path / "talk.mp3"))
    assert done.returncode == 3
    assert done.stderr.strip() == message("sidecar.track_is_recording", "en", files="talk.mp3")


def test_a_file_that_is_not_there_is_a_wrong_use(command: Command, tmp_path: Path) -> None:
    assert command("process", str(tmp_path / "nothing.mp4")).returncode == 2


def test_a_wrong_setting_says_where_all_settings_are(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_ENGINES__DEVICE", "abacus")
    done = command("doctor")
    assert done.returncode == 4
    assert "base.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_wrong_setting_is_named_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_STORE__SECRETKEY", "hunter2")
    monkeypatch.setenv("TRIBUNE_ENGINES__DEVICE", "abacus")
    done = run("--verbose", "doctor")
    assert done.returncode == 4
    lines = done.stderr.splitlines()
    assert sum(line.startswith("store.secretkey: ") for line in lines) == 1
    assert sum(line.startswith("engines.device: ") for line in lines) == 1
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(("language", "name"), [("en", "status.html"), ("fr", "etat.html")])
def test_the_status_page_that_is_named_is_the_readers(
    monkeypatch: pytest.MonkeyPatch, language: Language, name: str
) -> None:
    monkeypatch.setenv("TRIBUNE_LANGUAGE", language)
    s3 = S3Options(bucket="tribune", endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b")
    prefect = PrefectAddress(api="http://127.0.0.1:9/api", pages="http://127.0.0.1:9", environment={})
    shown = Console(file=io.StringIO(), width=200)
    _print_addresses(shown, load_settings(), Services(s3=s3, prefect=prefect, review="http://127.0.0.1:9/"))
    assert isinstance(shown.file, io.StringIO)
    assert shown.file.getvalue().rstrip().endswith(f"inbox/{name}")


WRONG = [
    ({"TRIBUNE_STORE__SECRET_KEY": "hunter2"}, "access_key"),
    ({"TRIBUNE_MODELS__FOLDERS": "[not json"}, "TRIBUNE_MODELS__FOLDERS"),
    ({"TRIBUNE_CAPTIONS__PROFILE": "nobodys"}, "nobodys"),
    ({"TRIBUNE_CONFIG": "/nowhere/own.toml"}, "/nowhere/own.toml"),
]


@pytest.mark.parametrize(("variables", "named"), WRONG)
def test_settings_that_cannot_work_are_told_before_anything_starts(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variables: dict[str, str],
    named: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = command("up")
    assert done.returncode == 4
    assert named in done.stderr
    assert "hunter2" not in done.stderr + caplog.text


def test_doctor_finds_this_machine_fit_once_the_weights_are_there(command: Command) -> None:
    assert command("models", "fetch").returncode == 0
    done = command("doctor")
    assert done.returncode == 0, done.stdout
    assert "whisper-base" in done.stdout


@pytest.fixture
def only_whisper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models_folder: Path) -> None:
    """Leave the weights of Whisper as the only ones that can be had."""
    shutil.copytree(models_folder / "whisper-base", tmp_path / "some" / "whisper-base")
    monkeypatch.setenv("TRIBUNE_MODELS__FOLDERS", f'["{tmp_path / "some"}"]')


@pytest.mark.usefixtures("only_whisper")
def test_fetching_fails_for_any_chosen_weights_that_cannot_be_had(command: Command) -> None:
    done = command("models", "fetch")
    assert done.returncode == 4
    assert "segmentation-3.0" in done.stderr
    assert command("models", "fetch", "campplus").returncode == 4
    assert command("models", "fetch", "whisper-base").returncode == 0


@pytest.mark.usefixtures("only_whisper")
def test_processing_goes_on_without_the_weights_for_voices(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "notes.mp4"
    file.write_text("not a video\n" * 100)
    done = command("process", str(file))
    assert done.returncode == 3
    assert "segmentation-3.0" in done.stdout


def test_processing_without_the_weights_for_words_ends(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRIBUNE_MODELS__FOLDERS", "[]")
    file = tmp_path / "notes.mp4"
    file.write_text("not a video\n" * 100)
    done = command("process", str(file))
    assert done.returncode == 4
    assert "whisper-base" in done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_recording_that_a_run_has_in_hand_is_left_to_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: Language
) -> None:
    monkeypatch.setenv("TRIBUNE_LANGUAGE", language)
    file = tmp_path / "notes.mp4"
    file.write_text("not a video\n" * 100)
    session_id = hashlib.sha256(file.read_bytes()).hexdigest()[:SESSION_ID_LENGTH]
    with exclusive(lock_path(tmp_path / "var" / "work", session_id), wait=False):
        done = command("process", str(file))
    assert done.returncode == 4
    assert done.stderr.strip() == message("flows.in_hand", language, name="notes.mp4")


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Cut a few seconds of speech out of a sample."""
    target = tmp_path / "talk.flac"
    command = [str(find_programs().ffmpeg), "-v", "error", "-nostdin", "-ss", "20", "-t", "4", "-i"]
    subprocess.run(
        [*command, str(SAMPLES / "fr" / "cinq_voix.flac"), str(target)],
        check=True,
        env={**os.environ, "GCONV_PATH": "/dev/null"},
    )
    return target


@pytest.mark.engines
def test_a_processed_recording_is_published_and_how_to_serve_it_is_told(tmp_path: Path, talk: Path) -> None:
    done = run("process", str(talk), "--copy-to", str(tmp_path / "copy"))
    assert done.returncode == 0, done.stderr
    assert message("flows.served_by_up", "en") in " ".join(done.stdout.split())
    assert (tmp_path / "copy" / "video.mp4").is_file()


def test_a_request_to_end_lets_processing_end_what_it_started(tmp_path: Path, talk: Path) -> None:
    root = tmp_path / "var"
    session_id = hashlib.sha256(talk.read_bytes()).hexdigest()[:SESSION_ID_LENGTH]
    finished = session_folder(root / "work", session_id) / "finished"
    program = "from pipeline.cli import main; main()"
    # Whoever holds the engines keeps it waiting after the first stage.
    with exclusive(root / f"engines.{platform.node()}.lock", wait=False):
        started = subprocess.Popen(
            [sys.executable, "-c", program, "process", str(talk)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        # The store alone may take minutes to start on a busy machine.
        deadline = time.monotonic() + 600
        while not (finished.is_dir() and any(finished.iterdir())):
            assert started.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert is_held(lock_path(root / "work", session_id))
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=600)
    assert started.returncode == 130
    assert not is_held(root / "store" / "lock")
    assert not is_held(lock_path(root / "work", session_id))


@pytest.mark.parametrize(("language", "said"), [("en", "cannot be used"), ("fr", "ne peut pas être utilisé")])
def test_a_folder_that_cannot_be_used_is_told_without_a_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: str, said: str
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    monkeypatch.setenv("TRIBUNE_ROOT", str(in_the_way))
    monkeypatch.setenv("TRIBUNE_LANGUAGE", language)
    done = command("publish", "verify")
    assert done.returncode == 4
    assert str(in_the_way) in done.stderr
    assert said in done.stderr


def test_a_full_disk_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    # The kernel's own file that is always full.
    with pytest.raises(OSError, match="No space") as full:
        Path("/dev/full").write_text("x")
    assert _tell_trouble(full.value) == 4
    assert "The disk is full" in capsys.readouterr().err


def test_a_session_that_is_not_here_is_told_as_such(command: Command) -> None:
    done = command("revisions", "list", "0123456789abcdef")
    assert (done.returncode, "There is no session 0123456789abcdef" in done.stderr) == (2, True)


def test_doctor_says_how_to_get_missing_weights(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    done = command("doctor")
    assert done.returncode == 4
    assert "tribune models fetch whisper-base" in " ".join(done.stdout.split())


def test_damaged_weights_are_found(command: Command, tmp_path: Path) -> None:
    assert command("models", "fetch").returncode == 0
    assert command("models", "verify").returncode == 0
    weights = tmp_path / "var" / "models" / "whisper-base" / "config.json"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content.replace(b"1", b"2", 1))
    done = command("models", "verify")
    assert done.returncode == 4
    assert "config.json" in done.stdout


def test_the_list_of_weights_marks_those_in_use() -> None:
    shown = CliRunner().invoke(build(), ["models", "list"]).output
    assert "whisper-large-v3-turbo" in shown
    assert any(line.split()[:2] == ["*", "whisper-base"] for line in shown.splitlines())


def test_an_unknown_model_is_named(command: Command) -> None:
    done = command("models", "verify", "whisper-tiny")
    assert done.returncode == 4
    assert "whisper-tiny" in done.stderr


def test_every_kind_of_failure_has_a_status_of_its_own_or_its_parents() -> None:
    assert exit_status(StoreConflict("store.conflict")) == 5
    assert exit_status(TribuneError("anything")) == 1
    assert len({kind for kind, _ in EXIT_STATUS}) == len(EXIT_STATUS)


def test_the_application_is_assembled_from_entry_points() -> None:
    assert isinstance(build(), typer.Typer)


CLIP = SAMPLES / "fr" / "recette_de_crepes.mp3"
AGREED = ("--programme", "Cuisine", "--consent", "Anna Roy, 2026-11-21, by e-mail")


def test_no_voice_is_enrolled_unless_the_settings_allow_it(command: Command, tmp_path: Path) -> None:
    done = command("voices", "add", "Anna Roy", str(CLIP), *AGREED)
    assert done.returncode == 4
    assert "recognise_enrolled" in done.stderr
    assert not (tmp_path / "var" / "voices").exists()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_voice_is_enrolled_without_consent(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: Language
) -> None:
    monkeypatch.setenv("TRIBUNE_SPEAKERS__RECOGNISE_ENROLLED", "true")
    monkeypatch.setenv("TRIBUNE_LANGUAGE", language)
    for consent in ((), ("--consent", "  ")):
        done = command("voices", "add", "Anna Roy", str(CLIP), "--programme", "Cuisine", *consent)
        assert done.returncode == 2
        assert message("voices.no_consent", language) in done.stderr
    assert not (tmp_path / "var" / "voices").exists()


@pytest.mark.engines
def test_a_voice_is_enrolled_listed_and_deleted_for_good(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRIBUNE_SPEAKERS__RECOGNISE_ENROLLED", "true")
    folder = tmp_path / "var" / "voices"
    done = run("voices", "add", "Anna Roy", str(CLIP), *AGREED)
    assert (done.returncode, done.stderr) == (0, "")
    assert folder.stat().st_mode & 0o777 == 0o700
    (kept,) = folder.iterdir()
    assert kept.stat().st_size < 8_000
    assert not [*(tmp_path / "var").glob("clip-*")]
    shown = command("voices", "list").stdout
    assert "Anna Roy" in shown
    assert "by e-mail" in shown
    assert "usable" in shown
    assert command("voices", "remove", "Anna Roy", "--programme", "Cooking").returncode == 2
    assert command("voices", "remove", "anna roy", "--programme", "Cuisine").returncode == 0
    assert [*folder.iterdir()] == []
    assert "Anna Roy" not in command("voices", "list").stdout


@pytest.mark.engines
def test_a_clip_of_several_voices_is_refused(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIBUNE_SPEAKERS__RECOGNISE_ENROLLED", "true")
    done = command("voices", "add", "Anna Roy", str(Path(__file__).parent / "data" / "en-four-voices.ogg"), *AGREED)
    assert done.returncode == 3
    assert message("voices.several", "en") in done.stderr
    assert not (tmp_path / "var" / "voices").exists()


def test_revisions_are_listed_shown_and_approved(tmp_path: Path) -> None:
    session = "a" * 16
    desk = Desk.of(tmp_path / "var" / "work", session)
    now = dt.datetime(2026, 3, 1, 9, 0, tzinfo=dt.UTC)
    desk.keep_recognition(revision(("S1", "the rough [bold]holds[/bold]")).transcript, Provenance(tool="t 1"), now=now)
    desk.save(
        Correction(turns=(typed("the roof holds"),), names=(("S1", "Ada"),)), author="[Anna]", based_on=1, now=now
    )
    app = build()
    assert CliRunner().invoke(app, ["revisions", "show", session]).output == "0:00  Ada  the roof holds\n"
    assert "[bold]" in CliRunner().invoke(app, ["revisions", "show", session, "1"]).output
    told = CliRunner().invoke(app, ["revisions", "approve", session, "2", "--author", "Ben"]).output
    assert "Process the recording again" in told
    approved = desk.approved()
    assert approved is not None
    assert approved.number == 2
    listed = CliRunner().invoke(app, ["revisions", "list", session]).output
    assert "[Anna]" in listed
    assert "Ben" in listed


@pytest.mark.parametrize("session", ["b" * 16, "../../etc"])
def test_a_session_that_is_not_there_ends_with_its_own_status(command: Command, session: str) -> None:
    done = command("revisions", "list", session)
    assert done.returncode == 2
    assert session in done.stderr
