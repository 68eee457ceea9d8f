"""What is installed: our four packages with their data, and nobody else's under the same names."""

import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("pipeline", "models", "config", "flows")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.mark.parametrize("package", OURS)
def test_no_other_distribution_owns_our_names(package: str) -> None:
    assert set(packages_distributions().get(package, ())) <= {"tribune-sessions"}


def test_the_wheel_holds_every_file_of_our_packages(wheel: zipfile.ZipFile) -> None:
    tracked = subprocess.run(["git", "ls-files", *OURS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(tracked.stdout.split()) - set(wheel.namelist()) == set()


def test_the_wheel_brings_the_deployments_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    others = {name.partition("/")[0] for name in wheel.namelist()} - set(OURS)
    assert {name for name in others if not name.endswith(".dist-info")} == set()
    assert "flows/prefect.yaml" in wheel.namelist()
