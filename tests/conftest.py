"""What several test files share: an object store of the real kind, started once for all, and the golden switch."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from models import manifest
from models.diarization import PyannoteDiarizer, open_diarizer
from models.fetch import FetchOptions, fetch
from models.whisper import WhisperRecognizer, open_recognizer
from pipeline.objectstore import PUBLIC, ObjectStore, ObjectStoreOptions, start_object_store
from pipeline.s3 import S3Options, S3Store, open_store, prepare_bucket
from pipeline.types import ModelUse
from tests.browser import open_browser


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that writes golden files instead of comparing with them."""
    parser.addoption("--update-golden", action="store_true", help="write the files in tests/golden anew")


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Run one SeaweedFS for the whole test run."""
    folder = tmp_path_factory.mktemp("store")
    with start_object_store(ObjectStoreOptions(folder=folder, grace_seconds=0)) as running:
        yield running


@pytest.fixture
def bucket(object_store: ObjectStore) -> S3Options:
    """Give each test a bucket of its own, as readable as the real one."""
    options = replace(object_store.s3, bucket=f"test-{secrets.token_hex(6)}")
    prepare_bucket(options, public=PUBLIC)
    return options


@pytest.fixture
def store(bucket: S3Options) -> Iterator[S3Store]:
    """Open the test's own bucket."""
    with open_store(bucket) as opened:
        yield opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start a browser for the tests of one file: two at once in one process are not possible."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """Return the folder with the default weights; what is not there yet is fetched, as `make test` does before."""
    folder = Path(__file__).parents[1] / "var" / "models"
    for model in manifest.load().defaults:
        fetch(model, FetchOptions(cache=folder))
    return folder


@pytest.fixture(scope="session")
def recognizer(models_folder: Path) -> WhisperRecognizer:
    """Open Whisper base once for all."""
    model = ModelUse(name="whisper-base", revision="tests", sha256="0" * 64)
    return open_recognizer(models_folder / "whisper-base", model=model)


@pytest.fixture(scope="session")
def diarizer(models_folder: Path) -> PyannoteDiarizer:
    """Open the default diarizer once for all."""
    uses = tuple(ModelUse(name=name, revision="tests", sha256="0" * 64) for name in ("segmentation-3.0", "campplus"))
    return open_diarizer(
        models_folder / "segmentation-3.0" / "pytorch_model.bin",
        models_folder / "campplus" / "campplus_cn_en_common.pt",
        models=uses,
    )
