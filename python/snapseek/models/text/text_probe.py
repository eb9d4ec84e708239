"""How a text tower wants its ids: found by asking it, not by believing a configuration."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import ModelError
from snapseek.models.text.text_encoder import TextEncoder
from snapseek.models.text.tokenizer import Tokenizer

_PROBES = ("a photo of a dog", "snow", "two old red cars beside a house by the sea")
_SAME_DIRECTION = 0.9999
_SAME_DIRECTION_QUANTIZED = 0.99  # padding shifts the scales of a dynamically quantised graph a little
_CLIP_PAD_ID = 0
_KINDS = {
    "context_length": int,
    "pad_id": int,
    "unpadded": bool,
    "batch_safe": bool,
    "output": str,
    "dim": int,
}


@dataclass(frozen=True)
class TextConfig:
    """What was found: may a short text stay short, which id pads, which output answers, how wide it is.

    `batch_safe` is false for a tower whose answer depends on what else is in the batch.
    """

    context_length: int
    pad_id: int
    unpadded: bool
    batch_safe: bool
    output: str
    dim: int

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self | None:
        """The policy that `facts` gave before, or None for facts of another shape."""
        kinds = {name: type(value) for name, value in facts.items()}
        return cls(**facts) if kinds == _KINDS else None

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)

    def length_of(self, ids: list[int]) -> int:
        """To how many ids a text is filled up."""
        return len(ids) if self.unpadded else self.context_length


def probe_text_tower(side: TextEncoder, tokens: Tokenizer) -> TextConfig:
    """Embed three texts at their own length and padded, and see what makes a difference.

    Raises ModelError when the graph cannot be run even at its full length.
    """
    return _Probe(side, tokens).policy()


class _Probe:
    def __init__(self, side: TextEncoder, tokens: Tokenizer) -> None:
        self._side = side
        self._tokens = tokens
        self._texts = tokens.ids(_PROBES)
        self._full = tokens.context_length
        self._output = side.choose_output(self._texts[0], length=self._full, pad_id=tokens.pad_id)
        dynamic = side.tower.graph.dynamic
        self._threshold = _SAME_DIRECTION_QUANTIZED if dynamic else _SAME_DIRECTION

    def policy(self) -> TextConfig:
        unpadded = self._side.fixed_length is None and self._padding_changes_nothing()
        return TextConfig(
            context_length=self._full,
            pad_id=self._tokens.pad_id if unpadded else self._pad_id(),
            unpadded=unpadded,
            batch_safe=not self._side.tower.graph.dynamic,
            output=self._output,
            dim=self._vector(self._texts[0], self._full, self._tokens.pad_id).shape[1],
        )

    def _padding_changes_nothing(self) -> bool:
        try:
            short = [self._vector(ids, len(ids), self._tokens.pad_id) for ids in self._texts]
        except ModelError:
            return False  # a graph that leaves the length open and yet fails on a short text
        return self._agree(short, self._padded(self._tokens.pad_id))

    def _pad_id(self) -> int:
        """CLIP's own code pads with 0; its published files name another token, which seldom matters."""
        named = self._tokens.pad_id
        if self._tokens.is_clip and not self._agree(self._padded(named), self._padded(_CLIP_PAD_ID)):
            return _CLIP_PAD_ID
        return named

    def _padded(self, pad_id: int) -> Iterator[NDArray[np.float32]]:
        return (self._vector(ids, self._full, pad_id) for ids in self._texts)

    def _vector(self, ids: list[int], length: int, pad_id: int) -> NDArray[np.float32]:
        return self._side.vector(ids, length=length, pad_id=pad_id, output=self._output)

    def _agree(self, first: Any, second: Any) -> bool:
        return all(float(a[0] @ b[0]) >= self._threshold for a, b in zip(first, second, strict=True))
