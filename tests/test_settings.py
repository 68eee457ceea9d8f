"""Settings come from one list of defaults, and a wrong one is never passed over."""

import tomllib
from pathlib import Path

import pytest

from config import settings as module
from config.settings import Settings, load_settings
from flows.engines import process_options, site_options
from pipeline.errors import SetUpError
from pipeline.types import Bilingual

BASE = Path(module.__file__).parent / "base.toml"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TRIBUNE_CONFIG", "TRIBUNE_ENV", "TRIBUNE_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_default_is_in_the_base_file_and_nothing_else_is() -> None:
    tables = tomllib.loads(BASE.read_text(encoding="utf-8"))
    fields = {name: field.annotation for name, field in Settings.model_fields.items()}
    assert set(tables) == set(fields)
    for name, table in tables.items():
        if isinstance(table, dict):
            section = fields[name]
            assert section is not None
            assert set(table) == set(section.model_fields)


def test_places_follow_the_root(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.root == tmp_path / "var"
    assert settings.inbox == tmp_path / "var" / "inbox"
    assert settings.work.parent == settings.weights.parent == settings.root


def test_the_environment_wins_over_a_file_and_a_file_over_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[prefect]\nport = 5001\nsessions_at_once = 7\n")
    monkeypatch.setenv("TRIBUNE_CONFIG", str(own))
    monkeypatch.setenv("TRIBUNE_ENV", "test")
    monkeypatch.setenv("TRIBUNE_PREFECT__PORT", "5002")
    settings = load_settings()
    assert settings.prefect.port == 5002
    assert settings.prefect.sessions_at_once == 7
    assert settings.intake.settle_seconds == 0.5
    assert settings.media.max_hours == 12


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRIBUNE_MODELS__WHISPR", "whisper-base"),
        ("TRIBUNE_ENGINES__DEVICE", "abacus"),
        ("TRIBUNE_INTAKE__SETTLE_SECONDS", "0"),
        ("TRIBUNE_INTAKE__DEFAULT_LANGUAGES", '["de"]'),
        ("TRIBUNE_PREFECT__PORT", "70000"),
        ("TRIBUNE_PUBLISHING__REPORT_MAIL", "Desk <desk@example.org>"),
        ("TRIBUNE_PUBLISHING__REPORT_FORM", "javascript:alert(1)"),
        ("TRIBUNE_SITE__THEME", "pink"),
        ("TRIBUNE_SITE__NAME_FR", " "),
    ],
)
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetUpError):
        load_settings()


@pytest.mark.parametrize(("name", "value"), [("TRIBUNE_CONFIG", "/nowhere.toml"), ("TRIBUNE_ENV", "nowhere")])
def test_a_settings_file_that_is_not_there_is_missed(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetUpError, match="nowhere"):
        load_settings()


def test_a_settings_file_that_is_no_toml_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[store\n")
    monkeypatch.setenv("TRIBUNE_CONFIG", str(own))
    with pytest.raises(SetUpError, match=r"own\.toml"):
        load_settings()


WRONG_IN_BOTH_LANGUAGES = [
    ("TRIBUNE_ENGINES__DEVICE", "abacus", "engines.device: choose one of these: auto, cpu, cuda", "choisissez parmi"),
    ("TRIBUNE_PREFECT__PORT", "70000", "prefect.port: give 65535 or less", "65535 ou moins"),
    ("TRIBUNE_INTAKE__SETTLE_SECONDS", "0", "intake.settle_seconds: give a number greater than 0", "supérieur à 0"),
    ("TRIBUNE_REVIEW__REQUIRED", "perhaps", "review.required: give true or false", "true (oui)"),
    ("TRIBUNE_STORE__PROT", "8333", "store.prot: there is no such setting", "ce réglage n’existe pas"),
    ("TRIBUNE_STORE_PORT", "8333", "TRIBUNE_STORE_PORT: there is no such setting", "deux traits de soulignement"),
    ("TRIBUNE_STOER__PORT", "8333", "TRIBUNE_STOER__PORT: there is no such setting", "ce réglage n’existe pas"),
    ("TRIBUNE_INTAKE__DEFAULT_LANGUAGES", "fr", "TRIBUNE_INTAKE__DEFAULT_LANGUAGES: write lists", "en JSON"),
    ("TRIBUNE_RETENTION__PROGRAMMES", "a=1", "TRIBUNE_RETENTION__PROGRAMMES: write lists", "en JSON"),
    ("TRIBUNE_MODELS__HUB", "mirror", "models.hub: this is not an address", "cette adresse"),
    ("TRIBUNE_STORE__ENDPOINT", "minio:9000", "store.endpoint: this is not an address", "cette adresse"),
    ("TRIBUNE_STORE__PUBLIC_URL", "learn.example.org", "store.public_url: this is not an address", "cette adresse"),
    ("TRIBUNE_STORE__BUCKET", "Our_Bucket", "store.bucket: the name of a bucket", "lettres minuscules"),
    ("TRIBUNE_STORE__ACCESS_KEY", "tribune", "store: give both access_key and secret_key", "ou aucun des deux"),
    ("TRIBUNE_NOTIFICATIONS__MAIL_TO", '["desk"]', "notifications.mail_to.0: this is not", "cette adresse"),
    ("TRIBUNE_NOTIFICATIONS__MAIL_TO", '["desk@example.org"]', "notifications: to send mail", "mail_from et smtp_host"),
    ("TRIBUNE_NOTIFICATIONS__WEBHOOK", "https://{{host}}/", "notifications.webhook: this is not", "cette adresse"),
    ("TRIBUNE_INTAKE__INBOX", "var/work/inbox", "intake.inbox: the inbox and the folders", "doivent être séparés"),
    ("TRIBUNE_INTAKE__INBOX", "var/store/inbox", "intake.inbox: the inbox and the folders", "doivent être séparés"),
    ("TRIBUNE_INTAKE__INBOX", "var", "intake.inbox: the inbox and the folders", "doivent être séparés"),
    ("TRIBUNE_INTAKE__INBOX", "drop/review", "intake.inbox: choose another name than review", "un autre nom"),
    ("TRIBUNE_INTAKE__INBOX", "drop/reports", "intake.inbox: choose another name than review", "un autre nom"),
    ("TRIBUNE_ROOT", "", "root: must not be empty", "ne doit pas être vide"),
    ("TRIBUNE_PREFECT__API_URL", "prefect.example.org", "prefect.api_url: this is not an address", "cette adresse"),
    ("TRIBUNE_PREFECT__AUTH", "admin", "prefect.auth: write it as user:password", "écrivez nom:mot de passe"),
    ("TRIBUNE_MEDIA__MAX_HOURS", "inf", "media.max_hours: give a number", "indiquez un nombre"),
]


@pytest.mark.parametrize(("name", "value", "english", "french"), WRONG_IN_BOTH_LANGUAGES)
def test_a_wrong_setting_is_named_with_what_to_give_in_both_languages(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, english: str, french: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetUpError) as wrong:
        load_settings()
    assert english in wrong.value.message("en")
    assert french in wrong.value.message("fr")


def test_a_wrong_item_of_a_list_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_INTAKE__DEFAULT_LANGUAGES", '["de"]')
    with pytest.raises(SetUpError) as wrong:
        load_settings()
    lines = wrong.value.message("en").splitlines()
    assert lines[1:] == ["intake.default_languages.0: choose one of these: en, fr"]


def test_the_site_has_the_names_and_looks_that_were_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_SITE__NAME_EN", "Learning hour")
    monkeypatch.setenv("TRIBUNE_SITE__NAME_FR", "L’heure du savoir")
    monkeypatch.setenv("TRIBUNE_SITE__THEME", "gc")
    site = process_options(load_settings()).site
    assert (site.name, site.theme) == (Bilingual(en="Learning hour", fr="L’heure du savoir"), "gc")


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUNE_MODELS__TOKEN", "hf_secret")
    monkeypatch.setenv("TRIBUNE_STORE__ACCESS_KEY", "tribune")
    monkeypatch.setenv("TRIBUNE_STORE__SECRET_KEY", "s3_secret")
    assert "hf_secret" not in repr(load_settings())
    assert "s3_secret" not in repr(load_settings())


@pytest.mark.parametrize(
    ("store", "site"),
    [
        ({}, None),
        ({"PUBLIC_URL": "https://talks.example.ca/"}, "https://talks.example.ca"),
        ({"ENDPOINT": "https://s3.example.ca"}, "https://s3.example.ca/tribune"),
        ({"ENDPOINT": "https://s3.example.ca", "PUBLIC_URL": "https://talks.example.ca"}, "https://talks.example.ca"),
    ],
)
def test_documents_lead_to_where_learners_find_the_pages_as_far_as_that_is_known(
    store: dict[str, str], site: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store.items():
        monkeypatch.setenv(f"TRIBUNE_STORE__{name}", value)
    assert process_options(load_settings()).address == site


def test_pages_offer_reports_to_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (site_options(load_settings()).report_mail, site_options(load_settings()).report_form) == (None, None)
    monkeypatch.setenv("TRIBUNE_PUBLISHING__REPORT_MAIL", "desk@example.org")
    monkeypatch.setenv("TRIBUNE_PUBLISHING__REPORT_FORM", "https://example.org/form")
    site = process_options(load_settings()).site
    assert (site.report_mail, site.report_form) == ("desk@example.org", "https://example.org/form")
