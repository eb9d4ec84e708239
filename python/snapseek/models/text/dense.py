"""Pooling and dense layer of a sentence-transformers model, which are not part of its graph."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import RENEW, ModelError
from snapseek.models.hub.layout import read_config

_MAX_HEADER_BYTES = 1 << 20
_MAX_BYTES = 1 << 28
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "F64": np.dtype("<f8")}
_ACTIVATIONS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "Identity": lambda values: values,
    "Tanh": lambda values: np.tanh(values),
}


@dataclass(frozen=True)
class Dense:
    """Pools token vectors, and projects them to a text vector."""

    mean: bool
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: str

    @classmethod
    def load(cls, pooling: Path, dense: Path) -> Self:
        """Read the folders `1_Pooling` and `2_Dense`. Raises ModelError for unsupported settings."""
        config = read_config(dense / "config.json")
        tensors = read_safetensors(dense / "model.safetensors")
        weight = tensors.get("linear.weight")
        if weight is None or weight.ndim != 2:
            raise ModelError(
                expected=f"a matrix linear.weight in {dense}", got=", ".join(tensors) or "nothing"
            )
        bias = tensors.get("linear.bias", np.zeros(len(weight), np.float32))
        if bias.shape != weight.shape[:1]:
            raise ModelError(expected=f"{len(weight)} numbers as linear.bias in {dense}", got=str(bias.shape))
        activation = str(config.get("activation_function", "Identity")).rpartition(".")[2]
        if activation not in _ACTIVATIONS:
            raise ModelError(expected=f"one of {', '.join(_ACTIVATIONS)} in {dense}", got=str(activation))
        return cls(_pools_by_mean(pooling), weight, bias, activation)

    def vector(self, states: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Pool hidden states (n, length, width) by the mask (n, length), and project them to (n, dim)."""
        if states.ndim != 3 or states.shape[2] != self.weight.shape[1]:
            raise ModelError(
                expected=f"(n, length, {self.weight.shape[1]}) before the dense layer", got=str(states.shape)
            )
        pooled = states[:, 0]
        if self.mean:
            kept = mask[:, :, None].astype(np.float32)
            pooled = (states * kept).sum(axis=1) / kept.sum(axis=1)
        return _ACTIVATIONS[self.activation](pooled @ self.weight.T + self.bias)


def _pools_by_mean(pooling: Path) -> bool:
    config = read_config(pooling / "config.json")
    modes = sorted(name for name, on in config.items() if name.startswith("pooling_mode_") and on is True)
    if modes == ["pooling_mode_mean_tokens"]:
        return True
    if modes == ["pooling_mode_cls_token"]:
        return False
    raise ModelError(
        expected=f"pooling by mean or by the first token in {pooling}", got=f"{modes or 'neither'}"
    )


def read_safetensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of a safetensors file of at most 256 MB, as float32.

    All offsets are validated before use. Raises ModelError if the file is damaged.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("larger than 256 MB")
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        if len(content) < 8 or length > min(_MAX_HEADER_BYTES, len(content) - 8):
            raise ValueError(f"a header of {length} bytes in a file of {len(content)}")
        header = json.loads(content[8 : 8 + length])
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _tensor(entry, content[8 + length :]) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is not a file in the safetensors format: {error}", hint=RENEW) from error


def _tensor(entry: dict[str, Any], data: bytes) -> NDArray[np.float32]:
    dtype, shape = _DTYPES[entry["dtype"]], [int(axis) for axis in entry["shape"]]
    start, end = (int(offset) for offset in entry["data_offsets"])
    if any(axis < 0 for axis in shape) or not 0 <= start <= end <= len(data):
        raise ValueError(f"a tensor of the shape {shape} at {start} to {end} of {len(data)} bytes")
    if end - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{end - start} bytes for a tensor of the shape {shape}")
    return np.frombuffer(data[start:end], dtype).reshape(shape).astype(np.float32)
