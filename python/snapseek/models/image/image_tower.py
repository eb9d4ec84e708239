"""The image tower: batches of preprocessed pictures in, unit vectors out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import ModelError, PictureError
from snapseek.models.image.batch import Batch, is_channels_last
from snapseek.models.image.image_processor import ImageProcessor
from snapseek.models.onnx.session import OnnxSession, no_output, unit_rows

IMAGE_OUTPUTS = (
    "image_embeds",
    "image_embedding",
    "image_embeddings",
    "embedding",
    "pooler_output",
    "output",
)
_BATCH_SIZE = 16
_ONE_EXPORT = "take both towers from one export"


class ImageTower:
    """An image tower in an ONNX session. Thread-safe.

    Parameters
    ----------
    session
        The session that runs the graph.
    processor
        The preprocessing of the same model.
    dim
        Number of dimensions of the text tower's vectors.

    Raises
    ------
    ModelError
        If the graph takes pictures of another size, or has no output of shape (n, dim): then the towers are
        of different models.
    """

    def __init__(self, session: OnnxSession, processor: ImageProcessor, dim: int) -> None:
        self.session = session
        self._processor = processor
        self._port = session.pixels_port()
        self._check_sides()
        # In a dynamically quantized graph, a picture's vector depends on the rest of the batch.
        self.batch_size = self._port.shape[0] or (1 if session.graph.dynamic else _BATCH_SIZE)
        self._output = self._choose_output(dim)

    def _check_sides(self) -> None:
        shape = self._port.shape[1:3] if is_channels_last(self._port) else self._port.shape[2:]
        side_px = self._processor.crop_px
        if any(side not in (None, side_px) for side in shape):
            raise ModelError(
                expected=f"pictures of {shape[1]} x {shape[0]} pixels, as {self.session.path} takes them",
                got=f"squares of {side_px} pixels in the configuration: they are of different models",
                hint=_ONE_EXPORT,
            )

    def _choose_output(self, dim: int) -> str:
        candidates = [name for name in IMAGE_OUTPUTS if name in self.session.outputs]
        if not candidates:
            raise no_output(self.session.path, IMAGE_OUTPUTS, self.session.outputs)
        batch = self.new_batch(1)
        batch.add(Image.new("RGB", (self._processor.crop_px, self._processor.crop_px)))
        outputs = self._run(batch, candidates)
        for name, output in zip(candidates, outputs, strict=True):
            if output.ndim == 2 and output.shape[1] == dim:
                return name
        widths = " or ".join(dict.fromkeys(str(output.shape[-1]) for output in outputs))
        raise ModelError(
            expected=f"vectors of {dim} dimensions from both towers",
            got=f"{widths} from {self.session.path}: they are of different models",
            hint=_ONE_EXPORT,
        )

    def new_batch(self, max_size: int | None = None) -> Batch:
        """Return an empty batch of `batch_size` pictures, or of `max_size` if that is fewer."""
        size = self._port.shape[0] or min(self.batch_size, max_size or self.batch_size)
        return Batch(self._port, self._processor, size)

    def vectors(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed at least one upright RGB picture; returns unit rows (n, dim).

        Raises PictureError if a vector is zero or not finite.
        """
        batch, rows = self.new_batch(len(images)), []
        for count, image in enumerate(images, start=1):
            batch.add(image)
            if batch.is_full or count == len(images):
                rows.append(self.vectors_of(batch))
                batch.clear()
        return np.concatenate(rows)

    def vectors_of(self, batch: Batch) -> NDArray[np.float32]:
        """Embed the pictures of a batch, at least one; returns and raises as `vectors`."""
        output = self._run(batch, [self._output])[0][: len(batch)]
        vectors = unit_rows(output)
        if vectors is None:
            raise PictureError("the model finds nothing in this picture")
        return vectors

    def _run(self, batch: Batch, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        return self.session.run({self._port.name: batch.feed()}, outputs)
