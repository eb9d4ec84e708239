import json
import shutil

import numpy as np
import pytest
from PIL import Image

from snapseek.errors import InputError, ModelError, PictureError
from snapseek.models import Encoder
from tiny_model import write_tiny_model


def picture(color, size=(30, 20)):
    return Image.new("RGB", size, color)


def test_words_and_pictures_share_a_space(encoder):
    texts = encoder.embed_texts(["red", "green", "blue"])
    images = encoder.embed_images([picture("red"), picture("lime"), picture("blue")])
    assert texts.shape == images.shape == (3, encoder.dim)
    assert texts.dtype == images.dtype == np.float32
    np.testing.assert_allclose(texts @ images.T, images @ images.T, atol=1e-6)


def test_rows_are_unit_and_independent_of_the_batch(encoder):
    texts = ["a red photo", "blue", "a photo"]
    together = encoder.embed_texts(texts)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(together, np.concatenate([encoder.embed_texts([text]) for text in texts]))


def test_nothing_in_nothing_out(encoder):
    assert encoder.embed_texts([]).shape == (0, 3)
    assert encoder.embed_images([]).shape == (0, 3)


def test_more_pictures_than_one_batch(encoder):
    assert encoder.embed_images([picture("red")] * 37).shape == (37, 3)


def test_words_beyond_the_context_are_cut(encoder):
    long = "red " * 6 + "blue " * 100
    np.testing.assert_array_equal(encoder.embed_texts([long]), encoder.embed_texts(["red " * 6]))


@pytest.mark.parametrize("text", ["🐶", "zyx", "zyx qwv"])
def test_a_text_of_unknown_words_is_refused(encoder, text):
    with pytest.raises(InputError, match="knows no word"):
        encoder.embed_texts(["red", text])


def test_a_graph_of_fixed_length_is_fed_that_length(tmp_path, encoder):
    fixed = Encoder.load(write_tiny_model(tmp_path, length=6))
    np.testing.assert_allclose(fixed.embed_texts(["a red"]), encoder.embed_texts(["a red"]), atol=1e-6)


def test_padding_is_dropped_only_where_it_changes_nothing(encoder, tmp_path):
    assert encoder.text_policy.unpadded
    model = write_tiny_model(tmp_path)
    config = {"pad_token": "white", "unk_token": "[UNK]"}
    (model / "tokenizer_config.json").write_text(json.dumps(config))
    assert Encoder.load(model).text_policy.unpadded  # the mask hides the padding, whatever it is
    _ignore_mask(model / "onnx" / "text_model.onnx")
    assert not Encoder.load(model).text_policy.unpadded


def _ignore_mask(path):
    """A graph that looks at the padding: every token counts."""
    import onnx

    model = onnx.load(path)
    for node in model.graph.node:
        if node.op_type == "Mul":
            node.input[1] = node.input[0]
    onnx.save(model, path)


def test_fingerprint_names_graphs_tokenizer_and_policy(tiny_model, encoder, tmp_path):
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    assert Encoder.load(copy).fingerprint == encoder.fingerprint
    for name, old, new in (
        ("preprocessor_config.json", "0.5", "0.4"),
        ("config.json", "6", "5"),
        ("tokenizer.json", "yellow", "amber"),
    ):
        changed = shutil.copytree(tiny_model, tmp_path / name)
        text = (changed / name).read_text()
        assert old in text
        (changed / name).write_text(text.replace(old, new))
        assert Encoder.load(changed).fingerprint != encoder.fingerprint


def test_towers_of_different_models_are_refused(tmp_path):
    strange = Encoder.load(write_tiny_model(tmp_path, image_dim=4))
    with pytest.raises(ModelError, match=r"3 numbers.*gives 4.*different models"):
        strange.embed_images([picture("red")])


@pytest.mark.parametrize(
    "name",
    [
        "onnx/text_model.onnx",
        "onnx/vision_model.onnx",
        "tokenizer.json",
        "config.json",
        "preprocessor_config.json",
    ],
)
def test_a_missing_file_is_named(tmp_path, name):
    model = write_tiny_model(tmp_path / "model")
    (model / name).unlink()
    with pytest.raises(ModelError, match=name.rpartition("/")[2]):
        Encoder.load(model)


@pytest.mark.parametrize(
    "name", ["onnx/text_model.onnx", "tokenizer.json", "config.json", "preprocessor_config.json"]
)
@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"[1]", b'{"size": "x"}'])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, name, content):
    model = write_tiny_model(tmp_path / "model")
    (model / name).write_bytes(content)
    if name == "config.json" and content.startswith(b"{"):
        assert Encoder.load(model).dim == 3  # a config may say nothing about the text
        return
    with pytest.raises(ModelError, match=name.rpartition("/")[2]):
        Encoder.load(model)


def test_a_damaged_image_tower_is_found_when_a_picture_comes(tmp_path):
    model = write_tiny_model(tmp_path / "model")
    (model / "onnx" / "vision_model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match=r"vision_model\.onnx"):
        Encoder.load(model).embed_images([picture("red")])


def test_an_unknown_name_says_what_is_known():
    with pytest.raises(ModelError, match="'starter' or a directory"):
        Encoder.load("clip-of-my-dreams")


def test_what_the_model_finds_nothing_in_is_refused(tmp_path):
    model = Encoder.load(write_tiny_model(tmp_path, mean=[1.0, 0.0, 0.0]))
    with pytest.raises(PictureError, match="finds nothing in this picture"):
        model.embed_images([picture("blue"), picture("red")])
    with pytest.raises(InputError, match="finds nothing in these words"):
        model.embed_texts(["red cyan"])
