"""The pictures' side of a model: pixels through the image tower, unit vectors out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import ModelError, PictureError
from snapseek.models.image.batch import Batch, is_channels_last
from snapseek.models.image.image_processor import ImageProcessor
from snapseek.models.onnx.tower import Tower, no_output, unit_rows

IMAGE_OUTPUTS = (
    "image_embeds",
    "image_embedding",
    "image_embeddings",
    "embedding",
    "pooler_output",
    "output",
)
_BATCH = 16


class ImageEncoder:
    """An image tower that is fed a few pictures at a time. Safe to use from many threads."""

    def __init__(self, tower: Tower, pixels: ImageProcessor, dim: int) -> None:
        """Find the ports, and the output that is as wide as the text tower's answer, `dim`.

        Raises ModelError when there is none: then the towers are of different models.
        """
        self.tower = tower
        self._pixels = pixels
        self._port = tower.pixels_port()
        self._check_sides()
        # A dynamically quantised graph answers otherwise for each company that a picture is in.
        self._batch = self._port.shape[0] or (1 if tower.graph.dynamic else _BATCH)
        self._output = self._choose_output(dim)

    @property
    def batch(self) -> int:
        """How many pictures go through the tower at a time."""
        return self._batch

    def _check_sides(self) -> None:
        shape = self._port.shape[1:3] if is_channels_last(self._port) else self._port.shape[2:]
        if any(side not in (None, self._pixels.crop_px) for side in shape):
            raise ModelError(
                f"{self.tower.path} takes pictures of {shape[1]} x {shape[0]} pixels; its configuration "
                f"makes squares of {self._pixels.crop_px}: they are of different models; "
                "take both from one export"
            )

    def _choose_output(self, dim: int) -> str:
        candidates = [name for name in IMAGE_OUTPUTS if name in self.tower.outputs]
        if not candidates:
            raise ModelError(no_output(self.tower.path, IMAGE_OUTPUTS, self.tower.outputs))
        batch = self.new_batch(1)
        batch.add(Image.new("RGB", (self._pixels.crop_px, self._pixels.crop_px)))
        answers = self._answers(batch, candidates)
        for name, answer in zip(candidates, answers, strict=True):
            if answer.ndim == 2 and answer.shape[1] == dim:
                return name
        widths = " or ".join(dict.fromkeys(str(answer.shape[-1]) for answer in answers))
        raise ModelError(
            f"expected both towers to answer with {dim} numbers; {self.tower.path} "
            f"gives {widths}: they are of different models; take both from one export"
        )

    def new_batch(self, most: int | None = None) -> Batch:
        """Room for as many pictures as go through the tower at a time, or for `most` if that is fewer."""
        size = self._port.shape[0] or min(self._batch, most or self._batch)
        return Batch(self._port, self._pixels, size)

    def vectors(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows, one a picture; n is at least 1.

        Raises PictureError when the model's answer to one of them has no direction.
        """
        batch, rows = self.new_batch(len(images)), []
        for place, image in enumerate(images, start=1):
            batch.add(image)
            if batch.is_full or place == len(images):
                rows.append(self.vectors_of(batch))
                batch.clear()
        return np.concatenate(rows)

    def vectors_of(self, batch: Batch) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows, one for each picture in the batch; n is at least 1.

        Raises PictureError when the model's answer to one of them has no direction.
        """
        answer = self._answers(batch, [self._output])[0][: len(batch)]
        vectors = unit_rows(answer)
        if vectors is None:
            raise PictureError("the model finds nothing in this picture")
        return vectors

    def _answers(self, batch: Batch, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        return self.tower.run({self._port.name: batch.feed()}, outputs)
