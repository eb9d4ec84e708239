import shutil

import onnx
import pytest

from snapseek.cli import main
from snapseek.errors import ModelError
from snapseek.models.hub.check import check_model
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
    assert facts["quantized"].startswith(("cosine 0.99", "cosine 1.00"))


def test_a_quantized_tower_that_deviates_is_rejected(split):
    strange = text_model(out="raw")
    strange.graph.node.append(node("Neg", "raw", "text_embeds"))
    strange.graph.output[0].CopyFrom(port("text_embeds", FLOAT, "batch", 4))
    onnx.checker.check_model(strange)
    int8(split, "text_model", strange)
    with pytest.raises(ModelError, match=r"expected a cosine of 0\.98 or more .*, got -1\.000"):
        check_model(str(split))


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
    assert "openclip-vit-b-32         606 MB  recommended" in out
    assert "Apache-2.0; languages: many; ImageNet 74.0 %; COCO 47.2 %" in out


def test_the_command_checks(split, capsys, tmp_path):
    assert main(["models", "check", str(split)]) == 0
    assert "layout      split" in capsys.readouterr().out
    shutil.rmtree(split / "onnx")
    assert main(["models", "check", str(split)]) == 1
    assert "expected the graphs of a model" in capsys.readouterr().err
    assert main(["models", "pull", "no such"]) == 1
    assert "expected a name that `snapseek models` lists" in capsys.readouterr().err
