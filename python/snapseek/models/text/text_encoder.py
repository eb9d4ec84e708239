"""The words' side of a model: ids through the text tower, a unit vector out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError, ModelError
from snapseek.models.onnx.tower import Tower, no_output, unit_rows
from snapseek.models.text.dense import Dense

TEXT_OUTPUTS = (
    "text_embeds",
    "text_embedding",
    "text_embeddings",
    "sentence_embedding",
    "embedding",
    "pooler_output",
    "output",
)
_STATES = ("last_hidden_state", "token_embeddings")


class TextEncoder:
    """A text tower that is fed one text at a time, as it is or padded. Safe to use from many threads."""

    def __init__(self, tower: Tower, dense: Dense | None = None) -> None:
        """Find the ports. Raises ModelError when the graph takes no ids or has no output of a known name."""
        self.tower = tower
        self._dense = dense
        self._ids = tower.ids_port()
        self._mask = tower.mask_port()
        self._check_ports()
        known = _STATES if dense else TEXT_OUTPUTS
        self._candidates = [name for name in known if name in tower.outputs]
        if not self._candidates:
            raise ModelError(no_output(tower.path, known, tower.outputs))

    def _check_ports(self) -> None:
        fed = {self._ids, self._mask}
        strange = [port.name for port in self.tower.inputs if port not in fed and "type" not in port.name]
        if strange:
            raise ModelError(f"{self.tower.path} asks for {', '.join(strange)}, which is not known here")

    @property
    def has_layer_outside(self) -> bool:
        """Whether a dense layer beside the graph makes the answer."""
        return self._dense is not None

    @property
    def fixed_length(self) -> int | None:
        """The number of ids that the graph insists on, or None where it takes any."""
        return self._ids.shape[1]

    def choose_output(self, ids: Sequence[int], *, length: int, pad_id: int) -> str:
        """The first output of a known name that holds one vector a text. Raises ModelError for none."""
        answers = self._run(ids, length, pad_id, self._candidates)
        rank = 3 if self._dense else 2
        for name, answer in zip(self._candidates, answers, strict=True):
            if answer.ndim == rank:
                return name
        shapes = ", ".join(str(answer.shape) for answer in answers)
        raise ModelError(f"expected (n, dim) from {self.tower.path}, found the shape {shapes}")

    @property
    def fixed_batch(self) -> int | None:
        """The number of texts that the graph insists on, or None where it takes any."""
        return self._ids.shape[0]

    def vector(self, ids: Sequence[int], *, length: int, pad_id: int, output: str) -> NDArray[np.float32]:
        """(1, dim) float32, unit length, of ids that are padded to `length` with `pad_id`.

        Raises InputError where the answer has no direction.
        """
        return self.vectors([ids], length=length, pad_id=pad_id, output=output)

    def vectors(
        self, rows: Sequence[Sequence[int]], *, length: int, pad_id: int, output: str
    ) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows of n texts as ids, run together; one alone where the batch is fixed.

        Raises InputError where an answer has no direction.
        """
        (answer,) = self._run_rows(rows, length, pad_id, [output])
        if self._dense:
            lengths = np.array([[len(ids)] for ids in rows])
            answer = self._dense.vector(answer[: len(rows)], np.arange(answer.shape[1])[None] < lengths)
        if answer.ndim != 2:
            raise ModelError(f"expected (n, dim) from {self.tower.path}, found the shape {answer.shape}")
        vectors = unit_rows(answer[: len(rows)])
        if vectors is None:
            raise InputError("the model finds nothing in these words", hint="try other words")
        return vectors

    def _run(
        self, ids: Sequence[int], length: int, pad_id: int, outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        return self._run_rows([ids], length, pad_id, outputs)

    def _run_rows(
        self, rows: Sequence[Sequence[int]], length: int, pad_id: int, outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        times = self.fixed_batch or 1  # a graph of a fixed batch gets the same text in every row
        width = max(length, *(len(ids) for ids in rows))
        padded = [[*ids, *[pad_id] * (width - len(ids))] for ids in rows] * times
        feeds: dict[str, NDArray[Any]] = {self._ids.name: np.array(padded, self._ids.dtype)}
        if self._mask is not None:
            masks = [[1] * len(ids) + [0] * (width - len(ids)) for ids in rows] * times
            feeds[self._mask.name] = np.array(masks, self._mask.dtype)
        return self.tower.run(feeds, outputs)
