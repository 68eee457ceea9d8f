"""Every setting, read once and checked.

In go ``base.toml``, one file an environment, a file of the operator's and environment variables; out comes one frozen
:class:`Settings`. The defaults live in ``base.toml`` alone, so that there is one list of what can be changed. Stands
alone at the edge: no room below reads a setting, each is given its own options.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from config.setting_faults import check_file, check_lists, check_names, wrong_values
from pipeline.types import Language
from pipeline.web_address import is_bucket_name, is_correspondent, is_form_address, is_mailbox, is_web_address

_FOLDER: Final = Path(__file__).parent
PREFIX: Final = "TRIBUNE_"
_NO_SETTINGS: Final = ("CONFIG", "ENV", "LANGUAGE", "BROWSER")
"""Variables that begin with our prefix and say something else: which files, whose language, which browser for tests."""
_OWN_FOLDERS: Final = ("work", "store", "models", "voices", "prefect", "logs")
"""What Tribune keeps below its root, where nothing of anybody else may be taken for a recording."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=0, le=65535)]
Name = Annotated[str, Field(pattern=r"\S")]


T = TypeVar("T", str, SecretStr)


def _told_as(kind: str, holds: Callable[[str], bool]) -> Callable[[T], T]:
    """Return a check that lets through what holds; the rest is told by the message ``cli.setting_<kind>``."""

    def check(given: T) -> T:
        if not holds(given.get_secret_value() if isinstance(given, SecretStr) else given):
            raise PydanticCustomError(kind, kind)
        return given

    return check


def _is_credentials(text: str) -> bool:
    return not text or all(text.partition(":"))


def _or_empty(holds: Callable[[str], bool]) -> AfterValidator:
    """Return a check that lets through addresses for which this holds, and nothing at all."""
    return AfterValidator(_told_as("address", lambda text: not text or holds(text)))


def _absolute(given: object) -> object:
    # Empty would be the folder that the command happens to be started in: an unset variable, say.
    if isinstance(given, str) and not given.strip():
        raise PydanticCustomError("blank", "blank")
    return Path(given).expanduser().absolute() if isinstance(given, str | Path) else given


AbsolutePath = Annotated[Path, BeforeValidator(_absolute)]
WebAddress = Annotated[str, _or_empty(is_web_address)]
Correspondent = Annotated[str, _or_empty(is_correspondent)]


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IntakeSettings(_Section):
    """What is taken from the inbox, and when."""

    inbox: str
    settle_seconds: Seconds
    poll_seconds: Seconds
    default_languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=2)]


class MediaSettings(_Section):
    """What recordings may be, and how they are published."""

    max_hours: Seconds
    normalise_loudness: bool


class ModelSettings(_Section):
    """Which weights, and where they may come from."""

    whisper: str
    diarization: str
    folders: tuple[AbsolutePath, ...]
    hub: WebAddress
    token: SecretStr
    offline: bool


class EngineSettings(_Section):
    """How the engines use this machine."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=1)]


class SpeakerSettings(_Section):
    """Who may be recognised."""

    recognise_enrolled: bool


class CaptionSettings(_Section):
    """How captions are laid out and timed, and where they are shown."""

    profile: str
    burned_in: bool


class PublishingSettings(_Section):
    """What is published."""

    without_speech: Literal["publish", "set_aside"]
    report_mail: Annotated[str, _or_empty(is_mailbox)]
    report_form: Annotated[str, _or_empty(is_form_address)]


class ReviewSettings(_Section):
    """Where people review, and how much they have a say in what is published."""

    required: bool
    port: Port


class RetentionSettings(_Section):
    """How long sessions are kept."""

    keep_days: Annotated[int, Field(ge=0, le=36_525)]
    programmes: dict[str, Annotated[int, Field(ge=1, le=36_525)]]
    apply: bool


class SiteSettings(_Section):
    """How learners' pages are called, and how they look."""

    name_en: Name
    name_fr: Name
    theme: Literal["neutral", "gc"]


class StoreSettings(_Section):
    """Which object store."""

    endpoint: WebAddress
    bucket: Annotated[str, AfterValidator(_told_as("bucket", is_bucket_name))]
    region: str
    access_key: str
    secret_key: SecretStr
    public_url: WebAddress
    port: Port

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if bool(self.access_key) != bool(self.secret_key.get_secret_value()):
            raise PydanticCustomError("key_pair", "key_pair")
        return self


class NotificationSettings(_Section):
    """Who is told what becomes of a recording, and how."""

    mail_to: tuple[Correspondent, ...]
    mail_programmes: dict[str, tuple[Correspondent, ...]]
    mail_from: Correspondent
    smtp_host: str
    smtp_port: Port
    smtp_security: Literal["starttls", "tls", "none"]
    smtp_user: str
    smtp_password: SecretStr
    webhook: Annotated[SecretStr, _or_empty(is_web_address)]
    webhook_form: Literal["slack", "teams"]

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if (self.mail_to or self.mail_programmes) and not (self.mail_from and self.smtp_host):
            raise PydanticCustomError("mail", "mail")
        return self


class PrefectSettings(_Section):
    """Which Prefect server, and how much at once."""

    api_url: WebAddress
    port: Port
    auth: Annotated[SecretStr, AfterValidator(_told_as("credentials", _is_credentials))]
    sessions_at_once: Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """All of them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    root: AbsolutePath
    intake: IntakeSettings
    media: MediaSettings
    models: ModelSettings
    engines: EngineSettings
    speakers: SpeakerSettings
    captions: CaptionSettings
    publishing: PublishingSettings
    review: ReviewSettings
    retention: RetentionSettings
    site: SiteSettings
    store: StoreSettings
    notifications: NotificationSettings
    prefect: PrefectSettings

    @model_validator(mode="after")
    def _check_folders(self) -> Self:
        if any(_overlap(self.inbox, self.root / name) for name in _OWN_FOLDERS):
            raise PydanticCustomError("folders", "folders")
        if self.inbox in {self.returned, self.reports}:
            raise PydanticCustomError("inbox_name", "inbox_name")
        return self

    @property
    def inbox(self) -> Path:
        """Folder that facilitators drop recordings in."""
        return Path(self.intake.inbox).expanduser().absolute() if self.intake.inbox else self.root / "inbox"

    @property
    def returned(self) -> Path:
        """Folder beside the inbox for captions that were corrected elsewhere."""
        return self.inbox.with_name("review")

    @property
    def reports(self) -> Path:
        """Folder beside the inbox for what learners report."""
        return self.inbox.with_name("reports")

    @property
    def temporary(self) -> Path:
        """Where the services put what they need for a moment; emptied when they start."""
        return self.root / "temporary"

    @property
    def review_address(self) -> Path:
        """File that says where the review pages are, while they run."""
        return self.root / "review.address"

    @property
    def work(self) -> Path:
        """Folder with one folder a session: the claimed recording, checkpoints, intermediate files."""
        return self.root / "work"

    @property
    def weights(self) -> Path:
        """Folder with the weights."""
        return self.root / "models"

    @property
    def voices(self) -> Path:
        """Folder with the voices of people who let themselves be recognised."""
        return self.root / "voices"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say where settings come from, strongest first."""
        files = [TomlConfigSettingsSource(settings_cls, path) for path in _files(os.environ)]
        return (init_settings, env_settings, *files)


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        SetUpError: A setting is unknown or of the wrong kind, or a file that ``TRIBUNE_CONFIG`` or ``TRIBUNE_ENV``
            names is not there or cannot be read.
    """
    for path in _files(os.environ):
        check_file(path)
    check_names(os.environ, (*Settings.model_fields, *_NO_SETTINGS), PREFIX)
    check_lists(os.environ, _lists())
    try:
        return Settings()
    except ValidationError as wrong:
        # Pydantic's own text repeats what was given, and that may be a secret: so does its traceback.
        raise wrong_values(wrong) from None


def _lists() -> Iterator[str]:
    """Give the variables that hold JSON: whole sections, and what is a list or a table in one."""
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            yield f"{PREFIX}{name}".upper()
            for inner, part in section.model_fields.items():
                if get_origin(part.annotation) in {tuple, dict}:
                    yield f"{PREFIX}{name}__{inner}".upper()


def _files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    own = environment.get(f"{PREFIX}CONFIG")
    named = environment.get(f"{PREFIX}ENV")
    chosen = [Path(own)] if own else []
    chosen += [_FOLDER / f"{named}.toml"] if named else []
    return (*chosen, _FOLDER / "base.toml")
