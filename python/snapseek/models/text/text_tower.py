"""The text tower: padded token ids in, unit vectors out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError, ModelError
from snapseek.models.onnx.session import OnnxSession, no_output, unit_rows
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
_HIDDEN_STATES = ("last_hidden_state", "token_embeddings")
_FIELD_TYPES = {
    "context_length": int,
    "pad_id": int,
    "unpadded": bool,
    "batch_safe": bool,
    "output": str,
    "dim": int,
}


@dataclass(frozen=True)
class TextConfig:
    """How a text tower is fed, as `probe_text_tower` measured it.

    Attributes
    ----------
    context_length
        Maximum number of token ids.
    pad_id
        The padding token.
    unpadded
        Whether a short text gives the same vector without padding.
    batch_safe
        Whether a text's vector is independent of the other texts in its batch.
    output
        Name of the output with the vectors.
    dim
        Number of dimensions of a vector.
    """

    context_length: int
    pad_id: int
    unpadded: bool
    batch_safe: bool
    output: str
    dim: int

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self | None:
        """Return the config with these fields, or None if a field is missing or of another type."""
        types = {name: type(value) for name, value in values.items()}
        return cls(**values) if types == _FIELD_TYPES else None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)

    def length_of(self, ids: list[int]) -> int:
        """Return the length that a text is padded to."""
        return len(ids) if self.unpadded else self.context_length


class TextTower:
    """A text tower in an ONNX session. Thread-safe.

    Parameters
    ----------
    session
        The session that runs the graph.
    dense
        Pooling and projection that follow the graph, for an export that keeps them in other files.

    Raises
    ------
    ModelError
        If the graph takes no token ids, takes an unknown input, or has no output of a known name.
    """

    def __init__(self, session: OnnxSession, dense: Dense | None = None) -> None:
        self.session = session
        self._dense = dense
        self._ids = session.ids_port()
        self._mask = session.mask_port()
        self._check_ports()
        known = _HIDDEN_STATES if dense else TEXT_OUTPUTS
        self._candidates = [name for name in known if name in session.outputs]
        if not self._candidates:
            raise no_output(session.path, known, session.outputs)

    def _check_ports(self) -> None:
        fed = {self._ids, self._mask}
        unknown = [port.name for port in self.session.inputs if port not in fed and "type" not in port.name]
        if unknown:
            raise ModelError(
                expected=f"token ids, their mask and their types as the inputs of {self.session.path}",
                got=", ".join(unknown),
            )

    @property
    def has_dense_layer(self) -> bool:
        """Whether a dense layer outside of the graph computes the vector."""
        return self._dense is not None

    @property
    def fixed_length(self) -> int | None:
        """The sequence length that the graph requires, None for any."""
        return self._ids.shape[1]

    @property
    def fixed_batch(self) -> int | None:
        """The batch size that the graph requires, None for any."""
        return self._ids.shape[0]

    def choose_output(self, ids: Sequence[int], *, length: int, pad_id: int) -> str:
        """Return the first output of a known name that holds one vector per text.

        Raises
        ------
        ModelError
            If there is none.
        """
        outputs = self._run([ids], length, pad_id, self._candidates)
        rank = 3 if self._dense else 2
        for name, output in zip(self._candidates, outputs, strict=True):
            if output.ndim == rank:
                return name
        raise self._wrong_shape(*outputs)

    def vectors(
        self, rows: Sequence[Sequence[int]], *, length: int, pad_id: int, output: str
    ) -> NDArray[np.float32]:
        """Embed texts in one run; returns unit rows (n, dim).

        `rows` are the token ids of n texts, of one text if `fixed_batch` is set. They are padded to `length`
        with `pad_id`. `output` is the output to read, from `choose_output`. Raises InputError if a vector is
        zero or not finite.
        """
        (values,) = self._run(rows, length, pad_id, [output])
        if self._dense:
            lengths = np.array([[len(ids)] for ids in rows])
            values = self._dense.vector(values[: len(rows)], np.arange(values.shape[1])[None] < lengths)
        if values.ndim != 2:
            raise self._wrong_shape(values)
        vectors = unit_rows(values[: len(rows)])
        if vectors is None:
            raise InputError("the model finds nothing in these words", hint="try others")
        return vectors

    def _wrong_shape(self, *outputs: NDArray[np.float32]) -> ModelError:
        shapes = ", ".join(str(output.shape) for output in outputs)
        return ModelError(expected=f"(n, dim) from {self.session.path}", got=f"the shape {shapes}")

    def _run(
        self, rows: Sequence[Sequence[int]], length: int, pad_id: int, outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        copies = self.fixed_batch or 1  # a fixed batch is filled with copies of the one text
        width = max(length, *(len(ids) for ids in rows))
        padded = [[*ids, *[pad_id] * (width - len(ids))] for ids in rows] * copies
        feeds: dict[str, NDArray[Any]] = {self._ids.name: np.array(padded, self._ids.dtype)}
        if self._mask is not None:
            masks = [[1] * len(ids) + [0] * (width - len(ids)) for ids in rows] * copies
            feeds[self._mask.name] = np.array(masks, self._mask.dtype)
        return self.session.run(feeds, outputs)
