"""What several test files share: an object store of the real kind, started once for all, and the golden switch."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, BrowserContext, Dialog, Page

from models import manifest
from models.diarization import PyannoteDiarizer, open_diarizer
from models.fetch import FetchOptions, fetch
from models.parallel import threads_given
from models.whisper import WhisperRecognizer, open_recognizer
from pipeline.objectstore import PUBLIC, ObjectStore, ObjectStoreOptions, start_object_store
from pipeline.s3 import S3Options, S3Store, open_store, prepare_bucket
from pipeline.types import ModelUse
from tests.browser import open_browser, watch

# Read once, when the first engine is loaded, which some test files do as they are collected: threads that spin for work
# take the cores from the tests beside.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# The same examples each time: what is found anew is no fault of the change that is being tested.
settings.register_profile("everyday", derandomize=True)
settings.load_profile("everyday")

LONGEST = (
    *("test_end_to_end.py", "test_looks.py", "test_objectstore.py", "test_engine_server.py", "test_publishing.py"),
    *("test_cli.py", "test_review_editor.py", "test_search_page.py", "test_withdrawal.py", "test_diarization.py"),
    *("test_shelves.py", "test_video.py", "test_player_page.py", "test_transcript_page.py", "test_browser.py"),
)
"""The files that take longest, the longest first: whatever starts last decides when all have ended."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, whatever else there is in the order that it was found in."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use one process more than there are cores: in most files somebody waits for something at some time."""
    return threads_given() + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that writes golden files instead of comparing with them."""
    parser.addoption("--update-golden", action="store_true", help="write the files in tests/golden anew")


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Run one SeaweedFS for the whole test run."""
    folder = tmp_path_factory.mktemp("store")
    with start_object_store(ObjectStoreOptions(folder=folder, grace_seconds=0)) as running:
        yield running


def new_bucket(running: ObjectStore) -> S3Options:
    options = replace(running.s3, bucket=f"test-{secrets.token_hex(6)}")
    prepare_bucket(options, public=PUBLIC)
    return options


@pytest.fixture
def bucket(object_store: ObjectStore) -> S3Options:
    """Give each test a bucket of its own, as readable as the real one."""
    return new_bucket(object_store)


@pytest.fixture
def store(bucket: S3Options) -> Iterator[S3Store]:
    """Open the test's own bucket."""
    with open_store(bucket) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_store(object_store: ObjectStore) -> Iterator[S3Store]:
    """Open a bucket that tests of one file share, each with sessions of its own or leaving all as it was."""
    with open_store(new_bucket(object_store)) as opened:
        yield opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start a browser for the tests of one file: two at once in one process are not possible."""
    with open_browser() as browser:
        yield browser


@pytest.fixture
def context(chromium: Browser, address: str) -> Iterator[BrowserContext]:
    """Of a reader who comes for the first time to the site that the test's file serves at ``address``."""
    context = chromium.new_context(base_url=f"{address}/", viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, address: str) -> Iterator[Page]:
    """A page that must stay within its own host, raise nothing in the console and run no script of a stranger."""
    page = context.new_page()
    faults = watch(page, address)

    def on_dialog(dialog: Dialog) -> None:
        faults.append(f"a stranger's script ran: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", on_dialog)
    yield page
    page.close()
    assert faults == []


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
