"""What the learner pages take from npm: the built files are those of the locked packages, with their licences."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

SITE: Final = Path(__file__).parent.parent / "pipeline" / "site"
VENDOR: Final = SITE / "vendor"
BUILT: Final[dict[str, dict[str, str]]] = json.loads((VENDOR / "built.json").read_text(encoding="utf-8"))
LOCK: Final[dict[str, Any]] = json.loads((VENDOR / "package-lock.json").read_text(encoding="utf-8"))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", sorted(BUILT["files"]))
def test_a_vendored_file_is_as_it_was_built(name: str) -> None:
    assert digest(SITE / "assets" / name) == BUILT["files"][name]


@pytest.mark.parametrize("name", ["build.mjs", "package-lock.json", "package.json", "player-library.js"])
def test_what_was_built_is_what_the_lock_and_the_build_say_now(name: str) -> None:
    assert digest(VENDOR / name) == BUILT["from"][name]


def test_every_package_is_locked_to_one_version_by_its_checksum_and_to_no_place() -> None:
    wanted = json.loads((VENDOR / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    packages = {name.removeprefix("node_modules/"): locked for name, locked in LOCK["packages"].items() if name}
    assert wanted
    assert all(re.fullmatch(r"\d+(\.\d+){2}", version) for version in wanted.values())
    assert {name: packages[name]["version"] for name in wanted} == wanted
    assert all(locked["integrity"].startswith("sha512-") for locked in packages.values())
    assert not any("resolved" in locked for locked in packages.values())


def test_the_library_says_which_it_is_and_under_which_licence() -> None:
    version = LOCK["packages"]["node_modules/video.js"]["version"]
    library = (SITE / "assets" / "video-js.js").read_text(encoding="utf-8")
    licences = (SITE / "assets" / "video-js.licence.txt").read_text(encoding="utf-8")
    assert library.startswith(f"/*! Video.js {version}, with vtt.js; Apache License 2.0, see video-js.licence.txt */")
    assert f"video.js {version} (Apache-2.0)" in licences
    assert "limitations under the License" in licences


def test_no_script_of_the_pages_refers_to_another_place() -> None:
    for path in (SITE / "assets").glob("*.js"):
        script = path.read_text(encoding="utf-8")
        # Names of XML, a note to programmers, where an algorithm is from: nothing that is ever asked for.
        named = set(re.findall(r"https?://[\w.-]+", script)) - {
            "http://www.w3.org",
            "https://github.com",
            "https://snowballstem.org",
        }
        assert named == set(), path.name
        assert not re.search(r"\beval\(|new Function\(", script), path.name
