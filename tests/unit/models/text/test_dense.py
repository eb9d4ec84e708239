import json

import numpy as np
import pytest

from snapseek.errors import ModelError
from snapseek.models.text.dense import Dense, read_safetensors
from tests.support.model_zoo import put, safetensors

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False, "word_embedding_dimension": 3}
FIRST = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
STATES = np.array([[[1, 2, 3], [3, 2, 1], [9, 9, 9]]], np.float32)
MASK = np.array([[True, True, False]])


def write(folder, *, pooling=MEAN, tensors=None, activation="torch.nn.modules.linear.Identity"):
    put(folder / "1_Pooling" / "config.json", pooling)
    put(folder / "2_Dense" / "config.json", {"activation_function": activation})
    content = safetensors(tensors or {"linear.weight": WEIGHT})
    (folder / "2_Dense" / "model.safetensors").write_bytes(content)
    return Dense.load(folder / "1_Pooling", folder / "2_Dense")


def test_the_mean_of_real_tokens(tmp_path):
    np.testing.assert_allclose(write(tmp_path).vector(STATES, MASK), [WEIGHT @ [2, 2, 2]])


def test_the_first_token(tmp_path):
    np.testing.assert_allclose(write(tmp_path, pooling=FIRST).vector(STATES, MASK), [WEIGHT @ [1, 2, 3]])


def test_bias_and_activation(tmp_path):
    tensors = {"linear.weight": WEIGHT / 100, "linear.bias": np.ones(2, np.float32)}
    dense = write(tmp_path, tensors=tensors, activation="torch.nn.modules.activation.Tanh")
    np.testing.assert_allclose(dense.vector(STATES, MASK), [np.tanh(WEIGHT / 100 @ [2, 2, 2] + 1)], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pooling": MEAN | {"pooling_mode_max_tokens": True}}, "pooling by mean or by the first"),
        ({"pooling": {}}, "got neither"),
        ({"activation": "torch.nn.ReLU"}, "one of Identity, Tanh"),
        ({"tensors": {"weight": WEIGHT}}, r"matrix linear\.weight"),
        ({"tensors": {"linear.weight": WEIGHT[0]}}, r"matrix linear\.weight"),
        ({"tensors": {"linear.weight": WEIGHT, "linear.bias": np.ones(3)}}, "2 numbers as linear.bias"),
    ],
)
def test_unsupported_settings_are_rejected(tmp_path, change, message):
    with pytest.raises(ModelError, match=message):
        write(tmp_path, **change)


def test_states_of_another_width(tmp_path):
    with pytest.raises(ModelError, match=r"expected \(n, length, 3\)"):
        write(tmp_path).vector(STATES[:, :, :2], MASK)


def header(**entry):
    text = json.dumps(
        {"linear.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | entry}
    ).encode()
    return len(text).to_bytes(8, "little") + text + bytes(4)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        (1 << 63).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{x",
        (3).to_bytes(8, "little") + b'"a"',
        header(shape=[2]),
        header(shape=[-1]),
        header(shape=[1 << 62, 1 << 62]),
        header(data_offsets=[0, 400]),
        header(data_offsets=[4, 0]),
        header(data_offsets=[-4, 0]),
        header(data_offsets=[0]),
        header(dtype="I8"),
        header(shape=None),
        b"\x80\x04 a pickle",
    ],
)
def test_damage_is_a_sentence(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors is not a file in the safetensors format"):
        read_safetensors(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match="not a file in the safetensors"):
        read_safetensors(tmp_path / "model.safetensors")
