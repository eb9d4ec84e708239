"""Probe a text tower: measure how it must be padded and batched, instead of trusting its configuration."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import ModelError
from snapseek.models.text.text_tower import TextConfig, TextTower
from snapseek.models.text.tokenizer import Tokenizer

MAX_DIM = 16_384
"""Dimensions of a vector; the largest published CLIP models have 1,280."""

PROBES = ("a photo of a dog", "snow", "two old red cars beside a house by the sea")
"""Texts that every tower has to embed when it is loaded."""

_MIN_COSINE = 0.9999
_MIN_COSINE_QUANTIZED = 0.99  # padding shifts the scales of a dynamically quantized graph a little
_CLIP_PAD_ID = 0


def probe_text_tower(tower: TextTower, tokenizer: Tokenizer) -> TextConfig:
    """Embed three texts with and without padding, and compare the vectors.

    Parameters
    ----------
    tower
        The text tower.
    tokenizer
        The tokenizer of the same model.

    Returns
    -------
    TextConfig
        The cheapest way to feed the tower that does not change its vectors.

    Raises
    ------
    ModelError
        If the graph cannot be run at its full length.
    """
    return _Probe(tower, tokenizer).config()


class _Probe:
    def __init__(self, tower: TextTower, tokenizer: Tokenizer) -> None:
        self._tower = tower
        self._tokenizer = tokenizer
        self._texts = tokenizer.ids(PROBES)
        self._full_length = tokenizer.context_length
        self._output = tower.choose_output(self._texts[0], length=self._full_length, pad_id=tokenizer.pad_id)
        self._is_quantized = tower.session.graph.dynamic
        self._min_cosine = _MIN_COSINE_QUANTIZED if self._is_quantized else _MIN_COSINE

    def config(self) -> TextConfig:
        dim = self._vector(self._texts[0], self._full_length, self._tokenizer.pad_id).shape[1]
        if dim > MAX_DIM:
            raise ModelError(
                expected=f"vectors of at most {MAX_DIM} dimensions from {self._tower.session.path}",
                got=str(dim),
            )
        unpadded = self._tower.fixed_length is None and self._works_unpadded()
        return TextConfig(
            context_length=self._full_length,
            pad_id=self._tokenizer.pad_id if unpadded else self._pad_id(),
            unpadded=unpadded,
            batch_safe=not self._is_quantized,
            output=self._output,
            dim=dim,
        )

    def _works_unpadded(self) -> bool:
        try:
            short = [self._vector(ids, len(ids), self._tokenizer.pad_id) for ids in self._texts]
        except ModelError:
            return False  # the graph leaves the length open, and yet fails on a short text
        return self._agree(short, self._padded(self._tokenizer.pad_id))

    def _pad_id(self) -> int:
        """CLIP's own code pads with 0; its published files name another token, which seldom matters."""
        named = self._tokenizer.pad_id
        if self._tokenizer.is_clip and not self._agree(self._padded(named), self._padded(_CLIP_PAD_ID)):
            return _CLIP_PAD_ID
        return named

    def _padded(self, pad_id: int) -> Iterator[NDArray[np.float32]]:
        return (self._vector(ids, self._full_length, pad_id) for ids in self._texts)

    def _vector(self, ids: list[int], length: int, pad_id: int) -> NDArray[np.float32]:
        return self._tower.vectors([ids], length=length, pad_id=pad_id, output=self._output)

    def _agree(self, first: Any, second: Any) -> bool:
        return all(float(a[0] @ b[0]) >= self._min_cosine for a, b in zip(first, second, strict=True))
