"""Damaged and incomplete models: each error names the file."""

import json
import os
import shutil
import time

import numpy as np
import onnx
import pytest
from PIL import Image

from snapseek.errors import ModelError
from snapseek.models import Encoder
from snapseek.models.hub import probe_cache
from snapseek.models.text import text_encoder
from tests.support.model_specimens import (
    write_fused_outside,
    write_immich,
    write_sentence_transformers,
    write_sizes,
    write_split,
)
from tests.support.model_zoo import (
    DIM,
    FLOAT,
    INT64,
    SIDE_PX,
    image_model,
    model,
    node,
    port,
    put,
    save,
    text_model,
    weight,
)


@pytest.fixture
def split(tmp_path):
    write_split(tmp_path / "model")
    return tmp_path / "model"


def red():
    return Image.new("RGB", (20, 20), (200, 30, 30))


def settle(folder):
    """Make the files old enough for the probe cache."""
    old_ns = time.time_ns() - 3600 * 10**9
    for path in folder.rglob("*"):
        os.utime(path, ns=(old_ns, old_ns))


def test_probe_and_checksums_are_cached_outside_of_the_model(split, monkeypatch):
    settle(split)
    before = sorted(split.rglob("*"))
    first = Encoder.load(split)
    fingerprint = first.fingerprint
    monkeypatch.setattr(text_encoder, "probe_text_tower", lambda *_: pytest.fail("probed again"))
    monkeypatch.setattr(probe_cache.hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    again = Encoder.load(split)
    assert (again.text.config, again.fingerprint) == (first.text.config, fingerprint)
    assert sorted(split.rglob("*")) == before


def test_a_changed_configuration_is_probed_again(split):
    settle(split)
    Encoder.load(split)
    put(split / "config.json", {"text_config": {"max_position_embeddings": 9}})
    assert Encoder.load(split).text.config.context_length == 9


def test_a_cached_probe_with_other_fields_is_ignored(split, monkeypatch):
    monkeypatch.setattr(text_encoder, "load_probe", lambda *_: {"dim": "4"})
    assert Encoder.load(split).dim == DIM


def test_a_pickle_in_place_of_a_folder(tmp_path):
    path = tmp_path / "clip.pt"
    path.write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(ModelError, match=r"clip\.pt, a pickle"):
        Encoder.load(path)


def test_a_graph_in_place_of_a_folder(split):
    with pytest.raises(ModelError, match="expected the folder of a model, got the file"):
        Encoder.load(split / "onnx" / "text_model.onnx")


def test_a_folder_of_pickles(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin, a pickle"):
        Encoder.load(tmp_path)


def test_a_folder_without_a_model_is_rejected(tmp_path):
    with pytest.raises(ModelError, match="got nothing"):
        Encoder.load(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ModelError, match=r"expected the graphs of a model.*got notes\.txt"):
        Encoder.load(tmp_path)


def test_a_folder_with_too_many_files_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr("snapseek.models.hub.model_files._MAX_FILES", 3)
    for number in range(4):
        (tmp_path / str(number)).write_text("")
    with pytest.raises(ModelError, match="expected the folder of one model, got more than 3 files"):
        Encoder.load(tmp_path)


def test_half_precision_by_name_by_ports_and_by_weights(split):
    graph = split / "onnx" / "text_model.onnx"
    graph.rename(split / "onnx" / "text_model_fp16.onnx")
    with pytest.raises(
        ModelError, match=r"text_model_fp16\.onnx has float16 weights.* add .*text_model\.onnx"
    ):
        Encoder.load(split)
    half = weight("table", np.ones((3, DIM), np.float16))
    nodes = [node("Gather", "table input_ids", "rows"), node("Cast", "rows", "text_embeds", to=FLOAT)]
    inputs, outputs = [port("input_ids", INT64, "b", "s")], [port("text_embeds", FLOAT, "b", "s", DIM)]
    save(model(nodes, inputs, outputs, [half]), graph)
    with pytest.raises(ModelError, match=r"text_model\.onnx has float16 weights"):
        Encoder.load(split)
    write_split(split)
    half_port = port("pixel_values", onnx.TensorProto.FLOAT16, "b", 3, SIDE_PX, SIDE_PX)
    nodes = [node("Cast", "pixel_values", "image_embeds", to=FLOAT)]
    outputs = [port("image_embeds", FLOAT, "b", 3, SIDE_PX, SIDE_PX)]
    save(model(nodes, [half_port], outputs, []), split / "onnx" / "vision_model.onnx")
    with pytest.raises(ModelError, match=r"vision_model\.onnx has float16 weights"):
        Encoder.load(split).embed_images([red()])


def test_quantized_is_taken_where_nothing_else_is(split):
    graph = split / "onnx" / "text_model.onnx"
    graph.rename(split / "onnx" / "text_model_quantized.onnx")
    assert Encoder.load(split).dim == DIM


def test_missing_external_weights_are_an_error(tmp_path):
    write_fused_outside(tmp_path)
    (tmp_path / "onnx" / "model.onnx_data").unlink()
    with pytest.raises(ModelError, match=r"got no such file in .*onnx; fetch it or copy it there"):
        Encoder.load(tmp_path)


def test_external_weights_are_part_of_the_fingerprint(tmp_path):
    write_fused_outside(tmp_path)
    before = Encoder.load(tmp_path).fingerprint
    data = tmp_path / "onnx" / "model.onnx_data"
    content = bytearray(data.read_bytes())
    content[5] ^= 1
    data.write_bytes(content)
    assert Encoder.load(tmp_path).fingerprint != before


def test_a_model_in_several_sizes_needs_a_size(tmp_path):
    write_sizes(tmp_path)
    with pytest.raises(ModelError, match=r"comes in the sizes onnx/b, onnx/s0; name one"):
        Encoder.load(tmp_path)


def test_no_image_tower(tmp_path):
    write_sentence_transformers(tmp_path)
    (tmp_path / "snapseek.json").unlink()
    with pytest.raises(ModelError, match=r"has no image tower; name one in .*snapseek\.json"):
        Encoder.load(tmp_path)


def test_an_image_tower_elsewhere(tmp_path, split):
    write_sentence_transformers(tmp_path / "text")
    shutil.rmtree(tmp_path / "text" / "vision")
    elsewhere = {
        "image_graph": "../model/onnx/vision_model.onnx",
        "image_config": "../model/preprocessor_config.json",
    }
    put(tmp_path / "text" / "snapseek.json", {"files": elsewhere})
    assert Encoder.load(tmp_path / "text").embed_images([red()]).shape == (1, DIM)


def test_files_of_any_name_by_manifest(tmp_path):
    save(text_model(), tmp_path / "words.onnx")
    save(image_model(), tmp_path / "pictures.onnx")
    write_split(tmp_path / "other")
    names = {"text_graph": "words.onnx", "image_graph": "pictures.onnx"}
    names |= {"tokenizer": "other/tokenizer.json", "image_config": "other/preprocessor_config.json"}
    put(tmp_path / "snapseek.json", {"files": names})
    loaded = Encoder.load(tmp_path)
    assert loaded.files.layout.kind == "named"
    other = Encoder.load(tmp_path / "other")
    np.testing.assert_array_equal(loaded.embed_images([red()]), other.embed_images([red()]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"files": {"vision": "x.onnx"}}, "expected the names .* got vision"),
        ({"files": 3}, "expected 'files' and 'sources'"),
        ({"sources": [{"path": "x"}]}, "expected 'files' and 'sources'"),
        ({"sources": [3]}, "expected 'files' and 'sources'"),
        ({"files": {"image_graph": "gone.onnx"}}, r"has no file gone\.onnx"),
    ],
)
def test_an_invalid_manifest_is_rejected(split, content, message):
    put(split / "snapseek.json", content)
    with pytest.raises(ModelError, match=message):
        Encoder.load(split)


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a//b", "", "C:\\x", "a/./b"])
def test_a_source_outside_the_folder(split, path):
    source = {"place": path, "repo": "a/b", "revision": "main", "path": "x", "tower": "text"}
    put(split / "snapseek.json", {"sources": [source]})
    with pytest.raises(ModelError, match="a path inside the folder"):
        Encoder.load(split)


def test_pictures_of_another_size_than_the_graph_takes(split):
    config = json.loads((split / "preprocessor_config.json").read_text()) | {"size": 8, "crop_size": 8}
    put(split / "preprocessor_config.json", config)
    with pytest.raises(ModelError, match=r"expected pictures of 16 x 16 pixels.*got squares of 8"):
        Encoder.load(split).embed_images([red()])


@pytest.mark.parametrize("batch", [1, 3])
def test_a_fixed_batch_is_filled(split, batch):
    loose = Encoder.load(split)
    pictures = [Image.new("RGB", (20, 20), (40 * n, 30, 200)) for n in range(4)]
    expected = loose.embed_images(pictures), loose.embed_texts(["dog", "snow"])
    save(text_model(shape=(batch, 12)), split / "onnx" / "text_model.onnx")
    save(image_model(batch=batch), split / "onnx" / "vision_model.onnx")
    fixed = Encoder.load(split)
    np.testing.assert_allclose(fixed.embed_images(pictures), expected[0], atol=1e-6)
    np.testing.assert_allclose(fixed.embed_texts(["dog", "snow"]), expected[1], atol=1e-6)


def test_unknown_inputs_and_outputs_are_rejected(split):
    save(text_model(out="logits"), split / "onnx" / "text_model.onnx")
    with pytest.raises(ModelError, match=r"expected one of the outputs text_embeds, .* got logits"):
        Encoder.load(split)
    write_split(split)
    save(image_model(), split / "onnx" / "text_model.onnx")
    with pytest.raises(
        ModelError, match=r"input for token ids of rank 2 in .*got pixel_values\[None, 3, 16, 16\]"
    ):
        Encoder.load(split)
    save(text_model(mask="position_ids"), split / "onnx" / "text_model.onnx")
    with pytest.raises(ModelError, match="got position_ids"):
        Encoder.load(split)
    write_split(split)
    save(text_model(), split / "onnx" / "vision_model.onnx")
    with pytest.raises(ModelError, match="input for pictures of rank 4"):
        Encoder.load(split).embed_images([red()])


def test_one_tower_alone_in_a_model_file(tmp_path):
    write_split(tmp_path)
    (tmp_path / "onnx" / "text_model.onnx").rename(tmp_path / "onnx" / "model.onnx")
    (tmp_path / "onnx" / "vision_model.onnx").unlink()
    with pytest.raises(ModelError, match=r"expected one of the outputs image_embeds.* got text_embeds"):
        Encoder.load(tmp_path).embed_images([red()])


def test_token_types_are_zeros(split):
    before = Encoder.load(split).embed_texts(["dog"])
    built = text_model()
    built.graph.input.append(port("token_type_ids", INT64, "batch", "sequence"))
    built.graph.node.append(node("Add", "input_ids token_type_ids", "ids_"))
    built.graph.node.insert(0, built.graph.node.pop())
    for each in list(built.graph.node)[1:]:
        each.input[:] = ["ids_" if name == "input_ids" else name for name in each.input]
    save(built, split / "onnx" / "text_model.onnx")
    np.testing.assert_allclose(Encoder.load(split).embed_texts(["dog"]), before, atol=1e-6)


def test_immich_without_its_tokenizer(tmp_path):
    write_immich(tmp_path)
    (tmp_path / "textual" / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"has no file tokenizer\.json in textual"):
        Encoder.load(tmp_path)
