import dataclasses
import errno
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from snapseek.cli import main
from snapseek.errors import ModelError, StorageError
from snapseek.library import Library
from snapseek.models import Encoder, catalogue
from snapseek.models.catalogue import Entry, Pin
from snapseek.models.hub.client import HubClient
from snapseek.models.hub.resolve import pull_model
from tests.support.fake_hub import COMMIT, FakeHub
from tests.support.model_specimens import (
    write_fused,
    write_sentence_transformers,
    write_sizes,
    write_split,
    write_static_pair,
)

REPO = "maker/clip"
TEXT, IMAGE = "onnx/text_model.onnx", "onnx/vision_model.onnx"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    write_split(tmp_path / "repo")
    (tmp_path / "repo" / "README.md").write_text("not needed")
    (tmp_path / "repo" / "pytorch_model.bin").write_bytes(b"\x80\x02 never fetched")
    fake = FakeHub()
    fake.add(REPO, tmp_path / "repo")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with fake.served():
        monkeypatch.setenv("HF_ENDPOINT", fake.url)
        yield fake


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


def red():
    return Image.new("RGB", (20, 20), (200, 30, 30))


def test_a_repository_by_name_serves_both_towers(hub, models, tmp_path):
    encoder = Encoder.load(REPO, model_dir=models)
    local = Encoder.load(tmp_path / "repo")
    np.testing.assert_array_equal(encoder.embed_texts(["dog"]), local.embed_texts(["dog"]))
    np.testing.assert_array_equal(encoder.embed_images([red()]), local.embed_images([red()]))
    assert encoder.name == str(models / "maker--clip")


def test_the_image_tower_is_downloaded_with_the_first_picture(hub, models):
    encoder = Encoder.load(REPO, model_dir=models)
    encoder.embed_texts(["dog"])
    before = encoder.fingerprint
    assert TEXT in hub.fetched()
    assert IMAGE not in hub.fetched()
    encoder.embed_images([red()])
    assert hub.fetched()[-1] == IMAGE
    assert Encoder.load(REPO, model_dir=models).fingerprint == before


def test_nothing_is_downloaded_for_a_name_that_a_library_names(hub):
    with pytest.raises(ModelError, match=f"which the library names.*snapseek models pull {REPO}"):
        Encoder.load(REPO, download=False)
    assert hub.fetched() == []
    pull_model(REPO, text_only=True)
    before = hub.fetched()
    encoder = Encoder.load(REPO, download=False)
    assert encoder.embed_texts(["dog"]).shape[0] == 1
    assert encoder.fingerprint == Encoder.load(REPO).fingerprint
    with pytest.raises(ModelError, match="got only its text tower"):
        encoder.embed_images([red()])
    assert hub.fetched() == before


def test_only_needed_files_are_downloaded_and_only_once(hub, models):
    pull_model(REPO, models)
    assert sorted(hub.fetched()) == [
        "config.json",
        TEXT,
        IMAGE,
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    requested = len(hub.requests)
    pull_model(REPO, models)
    Encoder.load(REPO, model_dir=models).embed_images([red()])
    assert len(hub.requests) == requested
    here = {path.name for path in (models / "maker--clip").iterdir()}
    assert here == {path.partition("/")[0] for path in hub.fetched()} | {"snapseek.json"}


def test_the_revision_is_pinned_by_the_first_pull(hub, models):
    pull_model(REPO, models, text_only=True)
    manifest = json.loads((models / "maker--clip" / "snapseek.json").read_text())
    assert {source["revision"] for source in manifest["sources"]} == {COMMIT}


def test_models_are_stored_in_the_cache_by_default(hub, tmp_path):
    assert Encoder.load(REPO).name == REPO
    assert (tmp_path / "cache" / "models" / "maker--clip" / TEXT).is_file()


def test_redirects_are_followed(hub, models):
    hub.redirects = True
    pull_model(REPO, models)
    assert Encoder.load(REPO, model_dir=models).dim == 4


def test_an_interrupted_download_resumes(hub, models):
    hub.faults[TEXT] = [3_000]
    pull_model(REPO, models, text_only=True)
    assert [wanted for _, path, wanted in hub.requests if path == TEXT] == [None, "bytes=3000-"]


def test_the_next_pull_downloads_the_missing_files(hub, models):
    hub.faults[TEXT] = [(500,)]
    with pytest.raises(
        ModelError, match=r"text_model\.onnx cannot be downloaded: .*status 500.*download it by hand"
    ):
        pull_model(REPO, models)
    assert not list(models.rglob("text_model.onnx"))
    first = len(hub.fetched())
    pull_model(REPO, models)
    assert TEXT in hub.fetched()[first:]
    assert not set(hub.fetched()[:first]) & set(hub.fetched()[first:]) - {TEXT}
    assert Encoder.load(REPO, model_dir=models).dim == 4


def test_retry_after_of_the_hub_is_respected(hub, models):
    hub.faults[TEXT] = [(429,)]
    pull_model(REPO, models)
    assert hub.fetched().count(TEXT) == 2


def test_a_hub_that_keeps_limiting_requests_is_an_error(hub, models):
    hub.listing_status = 429
    with pytest.raises(ModelError, match=r"limits requests \(429\)"):
        pull_model(REPO, models)


@pytest.mark.parametrize("name", ["maker/nothing", f"{REPO}@v9"])
def test_a_missing_repository_or_revision_is_an_error(hub, models, name):
    with pytest.raises(
        ModelError, match=r"cannot be downloaded: (the hub has no|it does not exist).*by hand"
    ):
        Encoder.load(name, model_dir=models)
    assert not models.exists()


def test_a_repository_of_pickles(hub, models):
    hub.files[REPO] = {"pytorch_model.bin": b"\x80\x02", "config.json": b"{}"}
    with pytest.raises(ModelError, match=r"pytorch_model\.bin, a pickle"):
        pull_model(REPO, models)


def test_a_file_that_was_deleted_on_the_hub_is_an_error(hub, models):
    pull_model(REPO, models, text_only=True)
    del hub.files[REPO][IMAGE]
    with pytest.raises(ModelError, match=r"the hub has no such .*save http.*model\.onnx \(\d+ MB\) as "):
        Encoder.load(REPO, model_dir=models).embed_images([red()])


def pinned(monkeypatch, **changes):
    entry = Entry("zoo", "tests", "MIT", ("en",), REPO, COMMIT, (Pin(TEXT),), (Pin(IMAGE),))
    monkeypatch.setattr(catalogue, "CATALOGUE", (dataclasses.replace(entry, **changes),))


def test_a_wrong_hash_is_refused_and_the_file_is_not_kept(hub, models, monkeypatch):
    pinned(monkeypatch, text=(Pin(TEXT, None, "0" * 64),))
    with pytest.raises(ModelError, match=r"expected the sha256 000000000000… of onnx/text_model\.onnx"):
        Encoder.load("zoo", model_dir=models)
    assert not (models / "zoo" / TEXT).exists()
    assert not list(models.rglob("text_model.onnx"))


def test_a_name_of_the_catalogue_keeps_its_name(hub, monkeypatch):
    pinned(monkeypatch)
    assert Encoder.load("zoo").name == "zoo"


def test_files_of_a_second_repository(hub, models, monkeypatch, tmp_path):
    write_sentence_transformers(tmp_path / "st")
    shutil.rmtree(tmp_path / "st" / "vision")
    (tmp_path / "st" / "snapseek.json").unlink()
    hub.add("maker/multilingual", tmp_path / "st")
    second = {"vision/vision_model.onnx": IMAGE, "vision/own.json": "preprocessor_config.json"}
    pinned(
        monkeypatch,
        repo="maker/multilingual",
        text=(),
        image=tuple(Pin(path, repo=REPO, revision=COMMIT, source=source) for path, source in second.items()),
        layout={"image_graph": "vision/vision_model.onnx", "image_config": "vision/own.json"},
    )
    encoder = Encoder.load("zoo", model_dir=models)
    assert encoder.files.layout.kind == "sentence-transformers"
    assert IMAGE not in hub.fetched()
    again = Encoder.load(models / "zoo")
    np.testing.assert_array_equal(encoder.embed_images([red()]), again.embed_images([red()]))


def test_a_text_tower_in_a_file_with_both_and_pictures_of_another_repository(
    hub, models, monkeypatch, tmp_path
):
    write_fused(tmp_path / "fused", quantized=True)
    hub.add("maker/fused", tmp_path / "fused")
    named = ("tokenizer.json", "tokenizer_config.json", "config.json", "preprocessor_config.json")
    pinned(
        monkeypatch,
        repo="maker/fused",
        text=(Pin("onnx/model.onnx"),),
        image=(Pin("vision_model.onnx", repo=REPO, revision=COMMIT, source=IMAGE),),
        layout={"text_graph": "onnx/model.onnx", "image_graph": "vision_model.onnx"}
        | dict(zip(("tokenizer", "tokenizer_config", "config", "image_config"), named, strict=True)),
    )
    encoder = Encoder.load("zoo", model_dir=models)
    assert not any(port.is_pixels for port in encoder.text.tower.session.inputs)
    plain = Encoder.load(REPO, model_dir=models)
    np.testing.assert_array_equal(encoder.embed_texts(["dog"]), plain.embed_texts(["dog"]))
    np.testing.assert_array_equal(encoder.embed_images([red()]), plain.embed_images([red()]))
    assert hub.fetched().count("onnx/model.onnx") == 1


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_tier_names_its_entry_everywhere(hub, monkeypatch, folder, tmp_path, capsys, way):
    pinned(monkeypatch)
    monkeypatch.setitem(catalogue.TIERS, "best", "zoo")
    if way == "environment":
        monkeypatch.setenv("SNAPSEEK_MODEL", "best")
    argument = ["--model", "best"] if way == "argument" else []
    assert main(["index", str(folder), "--library", str(tmp_path / "l"), *argument]) == 0
    library = Library.open(tmp_path / "l")
    assert library.info().model == "zoo"
    assert library.upgrade_cost("best").is_current
    assert Encoder.load("best").name == "zoo"
    assert main(["models", "check", "best"]) == 0
    assert main(["upgrade", "best", "--library", str(tmp_path / "l")]) == 0
    assert "the library has the model zoo already" in capsys.readouterr().err


def test_one_size_of_several(hub, models, tmp_path):
    write_sizes(tmp_path / "sizes")
    hub.add("maker/sizes", tmp_path / "sizes")
    with pytest.raises(ModelError, match="comes in the sizes onnx/b, onnx/s0"):
        Encoder.load("maker/sizes", model_dir=models)
    encoder = Encoder.load("maker/sizes:b", model_dir=models)
    assert encoder.files.layout.kind == "size folder"
    assert not [path for path in hub.fetched() if "/s0/" in path]
    np.testing.assert_array_equal(
        encoder.embed_texts(["dog"]), Encoder.load(models / "maker--sizes--b").embed_texts(["dog"])
    )


def test_a_graph_with_both_towers_comes_at_once(hub, models, tmp_path):
    write_fused(tmp_path / "fused")
    hub.add("maker/fused", tmp_path / "fused")
    encoder = Encoder.load("maker/fused", model_dir=models)
    requested = len(hub.requests)
    encoder.embed_images([red()])
    assert len(hub.requests) == requested


def test_an_export_without_preprocessing_uses_that_of_clip(hub, models, tmp_path):
    write_static_pair(tmp_path / "pair")
    hub.add("maker/pair", tmp_path / "pair")
    pull_model("maker/pair", models, text_only=True)
    assert not [path for path in hub.fetched() if path.endswith("visual.onnx")]
    assert Encoder.load("maker/pair", model_dir=str(models)).image.picture_side_px == 16


@pytest.mark.parametrize("options", [[], ["--model-dir", "models"]])
def test_from_the_command_to_an_answer(hub, folder, tmp_path, monkeypatch, capsys, options):
    monkeypatch.chdir(tmp_path)
    assert main(["index", str(folder), "--model", REPO, *options]) == 0
    assert main(["search", "red", "--library", str(folder)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_pull_and_check_by_command(hub, models, capsys):
    options = ["--model-dir", str(models)]
    assert main(["models", "pull", REPO, "--text-only", *options]) == 0
    assert main(["models", "check", REPO, *options]) == 0
    assert "image tower not fetched yet" in capsys.readouterr().out
    assert main(["models", "pull", REPO, *options]) == 0
    assert main(["models", "check", REPO, *options]) == 0
    assert "6 files compared" in capsys.readouterr().out
    (models / "maker--clip" / TEXT).write_bytes(b"x" * len(hub.files[REPO][TEXT]))
    assert main(["models", "check", REPO, *options]) == 1
    assert "expected the sha256" in capsys.readouterr().err


def test_no_network(hub, models, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        ModelError, match=r"the hub cannot be reached.*put onnx/text_model\.onnx \(\d+ MB\).*into .*clip-vit"
    ):
        Encoder.load("clip-vit-b-32", model_dir=models)


def test_offline_is_kept(hub, models, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE is set; to download it by hand"):
        Encoder.load(REPO, model_dir=models)
    assert hub.requests == []


def test_a_model_that_is_here_needs_no_network(hub, models, monkeypatch):
    pull_model(REPO, models)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Encoder.load(REPO, model_dir=models).embed_images([red()])


def test_files_brought_by_hand(hub, models, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shutil.copytree(tmp_path / "repo", models / "clip-vit-b-32")
    encoder = Encoder.load("clip-vit-b-32", model_dir=models)
    assert encoder.embed_images([red()]).shape == (1, encoder.dim)


def test_insufficient_disk_space_is_reported_before_a_download(hub, models, monkeypatch):
    free = shutil._ntuple_diskusage(10_000, 9_999, 1)
    monkeypatch.setattr("snapseek.models.hub.download.shutil.disk_usage", lambda _: free)
    with pytest.raises(StorageError, match=r"expected 0 MB of free disk space .*, got 0 MB; delete files"):
        pull_model(REPO, models)
    assert hub.fetched() == []


def test_a_disk_that_fills_up_during_a_download(hub, models, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(HubClient, "download", full)
        with pytest.raises(StorageError, match="No space left on device; try again; complete files are kept"):
            pull_model(REPO, models)
    pull_model(REPO, models)


def test_a_folder_that_cannot_be_written(hub, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be created"):
        pull_model(REPO, tmp_path / "file")
