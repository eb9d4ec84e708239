import gc
import json
import os
import shutil
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from snapseek.errors import RENEW, ArrayError, InputError, ModelError, PictureError
from snapseek.models import Encoder
from snapseek.models.hub.resolve import pull_model
from snapseek.models.text import text_encoder
from snapseek.models.text.text_tower import TextTower
from tests.support.tiny_model import write_tiny_model


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


def counted(monkeypatch):
    """Record the number of texts of each run of the tower."""
    runs = []
    vectors = TextTower.vectors
    monkeypatch.setattr(
        TextTower,
        "vectors",
        lambda tower, rows, **options: runs.append(len(rows)) or vectors(tower, rows, **options),
    )
    return runs


def test_weights_move_to_huge_pages_after_some_runs(tiny_model, monkeypatch):
    moves = []
    monkeypatch.setattr(text_encoder, "start_collapse", lambda: moves.append(1))
    model = Encoder.load(tiny_model)
    model.text.embed_ids(model.text.token_ids(["red"]))
    assert not moves
    for _ in range(2 * text_encoder._RUNS_IN_SMALL_PAGES):
        model.text.embed_ids(model.text.token_ids(["red"]))
    assert moves == [1]


def test_a_cached_text_does_not_reach_the_tower(tiny_model, monkeypatch):
    model = Encoder.load(tiny_model)
    runs = counted(monkeypatch)
    first = model.embed_texts(["a red photo", "blue", "blue"])
    assert len(runs) == 2
    np.testing.assert_array_equal(model.embed_texts(["blue", "a red photo"]), first[[1, 0]])
    assert len(runs) == 2
    model.embed_texts(["a red  photo"])
    assert len(runs) == 3


def test_texts_embedded_ahead_share_a_run_and_are_cached(tiny_model, monkeypatch):
    model = Encoder.load(tiny_model)
    texts = [f"{'red ' * number}blue" for number in range(11)]
    alone = np.concatenate([model.embed_texts([text]) for text in texts[:10]])
    model = Encoder.load(tiny_model)
    runs = counted(monkeypatch)
    model.embed_texts(["blue"])
    model.embed_ahead([*texts[:10], texts[3], "zyx"])
    assert runs == [1, 8, 1]  # what is remembered or known to be refused is left out
    np.testing.assert_allclose(model.embed_texts(texts[:10]), alone, atol=1e-6)
    assert runs == [1, 8, 1]
    with pytest.raises(InputError, match="knows no word"):
        model.embed_texts(["zyx"])


def test_single_texts_and_batch_dependent_models_are_not_embedded_ahead(tiny_model, monkeypatch):
    model, mixing = Encoder.load(tiny_model), Encoder.load(tiny_model)
    mixing.text.config = replace(mixing.text.config, batch_safe=False)
    runs = counted(monkeypatch)
    model.embed_ahead(["red", "red"])
    mixing.embed_ahead(["red", "blue"])
    assert runs == []


def test_cached_vectors_cannot_be_modified_by_callers(tiny_model):
    model = Encoder.load(tiny_model)
    first = model.embed_texts(["red"])
    expected = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(model.embed_texts(["red"]), expected)


def test_the_cache_is_bounded(tiny_model, monkeypatch):
    model = Encoder.load(tiny_model)
    runs = counted(monkeypatch)
    model.embed_texts([f"red {number}" for number in range(1025)])
    model.embed_texts(["red 1024"])
    assert len(runs) == 1025
    model.embed_texts(["red 0", "red " * 300, "red " * 300])
    assert len(runs) == 1025 + 3


def test_an_error_is_not_cached(tiny_model):
    model = Encoder.load(tiny_model)
    for _ in range(2):
        with pytest.raises(InputError, match="knows no word"):
            model.embed_texts(["zyx"])


def test_many_threads_get_the_same_vectors(tiny_model):
    model = Encoder.load(tiny_model, text_threads=2)
    texts = [f"{color} {number}" for number in range(400) for color in ("red", "green", "blue")]
    expected = Encoder.load(tiny_model).embed_texts(texts)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: model.embed_texts([text])[0], texts * 2))
    np.testing.assert_array_equal(found, np.concatenate([expected, expected]))


def test_an_encoder_is_freed_without_reference_cycles(tiny_model):
    gc.collect()
    gc.disable()
    try:
        model = Encoder.load(tiny_model)
        model.embed_texts(["red"])
        gone = weakref.ref(model)
        del model
        assert gone() is None
    finally:
        gc.enable()


def test_each_tower_has_its_own_threads_and_none_spins(tiny_model, monkeypatch):
    made = []
    session = onnxruntime.InferenceSession

    def note(model, options, **kwargs):
        spinning = options.get_session_config_entry("session.intra_op.allow_spinning")
        made.append((Path(model).name, options.intra_op_num_threads, spinning))
        return session(model, options, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", note)
    Encoder.load(tiny_model, threads=1, text_threads=2).embed_images([picture("red")])
    Encoder.load(tiny_model, threads=3)
    assert made == [("text_model.onnx", 2, "0"), ("vision_model.onnx", 1, "0"), ("text_model.onnx", 3, "0")]


def test_no_texts_and_no_pictures_give_no_rows(encoder):
    assert encoder.embed_texts([]).shape == (0, 3)
    assert encoder.embed_images([]).shape == (0, 3)


def test_more_pictures_than_one_batch(encoder):
    assert encoder.embed_images([picture("red")] * 37).shape == (37, 3)


def test_texts_are_truncated_at_the_context_length(encoder):
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
    assert encoder.text.config.unpadded
    model = write_tiny_model(tmp_path)
    config = {"pad_token": "white", "unk_token": "[UNK]"}
    (model / "tokenizer_config.json").write_text(json.dumps(config))
    assert Encoder.load(model).text.config.unpadded  # the mask hides the padding, whatever it is
    _ignore_mask(model / "onnx" / "text_model.onnx")
    assert not Encoder.load(model).text.config.unpadded


def _ignore_mask(path):
    """Change the graph to use padding: every token counts."""
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
    with pytest.raises(ModelError) as refused:
        strange.embed_images([picture("red")])
    assert refused.value.expected == "vectors of 3 dimensions from both towers"
    assert refused.value.got.startswith("4 from ")
    assert refused.value.hint == "take both towers from one export"


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
    with pytest.raises(ModelError, match=name.rpartition("/")[2] + ".*; fetch it or copy it there"):
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
    with pytest.raises(ModelError, match=name.rpartition("/")[2]) as refused:
        Encoder.load(model)
    assert str(refused.value).endswith(hint_for(name, content))


def hint_for(name, content):
    """Return the hint for a damaged file."""
    if name.endswith(".onnx") and content.startswith(b"\x80"):
        return "use an ONNX export of the model"
    return RENEW


def test_a_damaged_image_tower_is_found_when_a_picture_comes(tmp_path):
    model = write_tiny_model(tmp_path / "model")
    (model / "onnx" / "vision_model.onnx").write_bytes(b"not a graph")
    with pytest.raises(
        ModelError, match=r"vision_model\.onnx is not a graph in the ONNX format: .*fetch or copy"
    ):
        Encoder.load(model).embed_images([picture("red")])


def test_an_unknown_name_says_what_is_known():
    with pytest.raises(ModelError, match="'starter' or a directory"):
        Encoder.load("clip-of-my-dreams")


def test_a_zero_vector_is_an_error(tmp_path):
    model = Encoder.load(write_tiny_model(tmp_path, mean=[1.0, 0.0, 0.0]))
    with pytest.raises(PictureError, match="finds nothing in this picture"):
        model.embed_images([picture("blue"), picture("red")])
    with pytest.raises(InputError, match="finds nothing in these words"):
        model.embed_texts(["red cyan"])


def test_telemetry_of_the_runtime_is_disabled(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    code = "from snapseek.models import Encoder; Encoder.load('starter').embed_texts(['a dog'])"
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert result.stderr == b""
    assert not [path for path in tmp_path.rglob("*") if "Microsoft" in path.parts]


def test_a_misspelled_or_empty_model_name_is_an_error(tmp_path):
    with pytest.raises(
        ModelError, match="got no directory 'openclip-vit-b32'; did you mean openclip-vit-b-32"
    ):
        Encoder.load("openclip-vit-b32", model_dir=tmp_path)
    with pytest.raises(InputError, match="got an empty text"):
        Encoder.load("")
    with pytest.raises(InputError, match="did you mean clip-multilingual"):
        pull_model("clip-multilingua", tmp_path)
    with pytest.raises(InputError, match="'starter' comes with snapseek"):
        pull_model("starter", tmp_path)


def test_other_than_a_list_of_texts_is_rejected(encoder):
    for texts, got, hint in [
        ("red", "a single text", "put it in a list, ['red']"),
        (b"red", "a single text", "put it in a list, [b'red']"),
        ([1], "int in the list", None),
        (["red", None], "NoneType in the list", None),
    ]:
        with pytest.raises(ArrayError) as refused:
            encoder.embed_texts(texts)
        assert (refused.value.expected, refused.value.got) == ("a list of texts", got)
        assert refused.value.hint == hint


def test_other_than_a_list_of_rgb_pictures_is_rejected(encoder):
    for pictures, expected, got in [
        (picture("red"), "a list of pictures", "a single picture"),
        (["red.jpg"], "pictures of PIL", "str"),
        ([np.zeros((3, 3, 3), np.uint8)], "pictures of PIL", "ndarray"),
        ([picture("red").convert("RGBA")], "RGB pictures", "RGBA"),
    ]:
        with pytest.raises(ArrayError) as refused:
            encoder.embed_images(pictures)
        assert (refused.value.expected, refused.value.got) == (expected, got)
        assert refused.value.hint


def test_invalid_utf8_in_a_text_is_ignored():
    starter = Encoder.load("starter")
    expected = starter.embed_texts(["a dog"])
    np.testing.assert_allclose(starter.embed_texts(["a \udcff dog"]), expected, atol=1e-6)
