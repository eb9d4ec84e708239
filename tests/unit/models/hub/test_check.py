import re
import shutil

import onnx
import pytest

from snapseek.cli import main
from snapseek.errors import ModelError
from snapseek.models import Encoder, catalogue
from snapseek.models.catalogue import Entry
from snapseek.models.hub import check
from snapseek.models.hub.check import check_model
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.onnx.graph import Graph
from snapseek.models.rates import store_rate
from tests.support.model_specimens import write_split
from tests.support.model_zoo import FLOAT, image_model, node, port, save, text_model


@pytest.fixture
def split(tmp_path):
    write_split(tmp_path / "model")
    return tmp_path / "model"


def test_report_of_a_model(split):
    facts = check_model(str(split))
    assert facts["layout"] == "split"
    assert facts["texts"] == "at most 12 tokens, without padding"
    assert facts["pictures"] == "16 px, up to 16 at a time, on CPU"
    assert facts["numbers"] == "4"
    assert len(facts["fingerprint"]) == 64


def int8(split, stem, built):
    """A graph in int8, named by the manifest, next to the full-precision one."""
    save(built, split / "onnx" / f"{stem}_quantized.onnx")
    field = "text_graph" if stem == "text_model" else "image_graph"
    (split / "snapseek.json").write_text(f'{{"files": {{"{field}": "onnx/{stem}_quantized.onnx"}}}}')


def test_a_quantized_tower_is_compared_with_the_full_one(split):
    int8(split, "vision_model", image_model(quantized=True))
    facts = check_model(str(split))
    assert facts["pictures"] == "16 px, one at a time, on CPU"
    assert re.fullmatch(r"texts 1\.0000, pictures 0\.99\d\d with full precision", facts["quantized"])
    assert "int8 texts" not in facts


def test_a_quantized_tower_that_deviates_is_rejected(split):
    strange = text_model(out="raw")
    strange.graph.node.append(node("Neg", "raw", "text_embeds"))
    strange.graph.output[0].CopyFrom(port("text_embeds", FLOAT, "batch", 4))
    onnx.checker.check_model(strange)
    int8(split, "text_model", strange)
    with pytest.raises(
        ModelError, match=r"a cosine of 0\.98 or more .*full-precision texts of .*, got -1\.000"
    ):
        check_model(str(split))


@pytest.fixture
def entries(monkeypatch, tmp_path):
    """Two entries of a catalogue and their folders: `full`, and `small` with int8 pictures."""
    common = {"purpose": "tests", "licence": "MIT", "languages": ("en",), "repo": "a/b", "revision": "0" * 40}
    full = Entry("full", text=(), image=(), **common)
    small = Entry("small", text=(), image=(), reference="full", needs_check=True, **common)
    monkeypatch.setattr(catalogue, "CATALOGUE", (full, small))
    monkeypatch.setattr(catalogue, "TIERS", {})
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    models = tmp_path / "models"
    write_split(models / "full")
    write_split(models / "small")
    save(image_model(quantized=True), models / "small" / "onnx" / "vision_model.onnx")
    return models


def test_a_small_model_is_compared_with_its_entry_in_full_precision(entries):
    facts = check_model("small", entries)
    assert re.fullmatch(r"texts 1\.0000, pictures 0\.99\d\d with full precision", facts["quantized"])
    shutil.rmtree(entries / "full")
    assert check_model("small", entries)["quantized"] == (
        "nothing to compare with; to compare, run: snapseek models pull full"
    )


def test_a_model_that_needs_a_check_is_refused_until_it_passes(entries):
    with pytest.raises(ModelError, match=r"small to be compared with full .*snapseek models check small"):
        Encoder.load("small", model_dir=entries)
    check_model("small", entries)
    assert Encoder.load("small", model_dir=entries).dim == 4
    save(image_model(quantized=False), entries / "small" / "onnx" / "vision_model.onnx")  # another file
    with pytest.raises(ModelError, match="small to be compared with full"):
        Encoder.load("small", model_dir=entries)


@pytest.mark.parametrize("saturates", [True, False])
def test_an_int8_text_tower_is_reported_where_it_saturates(split, monkeypatch, saturates):
    monkeypatch.setattr(check, "int8_saturates", lambda: saturates)
    monkeypatch.setattr(
        check.Graph, "read", lambda path: Graph(False, True, True, (), ((None, None),), ("text_embeds",))
    )
    assert (
        "x86 without VNNI" in check._about_int8(ModelFiles.in_folder("m", split))["int8 texts"]
    ) == saturates


def test_a_model_that_is_not_downloaded(tmp_path):
    with pytest.raises(ModelError, match="not on this machine; run: snapseek models pull clip-vit-b-32"):
        check_model("clip-vit-b-32", tmp_path)


def test_a_model_that_changed_since_its_download(split):
    source = (
        '{"place": "config.json", "repo": "a/b", "revision": "main", "path": "config.json", "tower": "text"'
    )
    (split / "snapseek.json").write_text(f'{{"sources": [{source}, "size_bytes": 3}}]}}')
    with pytest.raises(ModelError, match=r"expected 3 bytes in config\.json"):
        check_model(str(split))


def test_towers_of_different_models(split):
    save(image_model(out="image"), split / "onnx" / "vision_model.onnx")
    with pytest.raises(ModelError, match=r"expected one of the outputs image_embeds.*got image"):
        check_model(str(split))


def test_the_command_lists(capsys):
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "siglip2-vit-b-32-256         about 696 MB  recommended: " in out
    assert "many languages; text 318 MB, pictures 378 MB; ImageNet 74.0 %; COCO 47.2 %\n" in out
    assert "MIT. The model card calls it a research output" in out
    assert "pictures/s here" not in out


def test_the_list_has_the_rate_of_this_machine(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path))
    store_rate("siglip2-vit-b-32-256", 640, 20.0)
    assert main(["models"]) == 0
    assert "COCO 47.2 %; 32 pictures/s here" in capsys.readouterr().out


def test_the_command_checks(split, capsys, tmp_path):
    assert main(["models", "check", str(split)]) == 0
    assert "layout      split" in capsys.readouterr().out
    shutil.rmtree(split / "onnx")
    assert main(["models", "check", str(split)]) == 1
    assert "expected the graphs of a model" in capsys.readouterr().err
    assert main(["models", "pull", "no such"]) == 1
    assert "expected a name that `snapseek models` lists" in capsys.readouterr().err
