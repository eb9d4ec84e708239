"""The pictures' side of a model: pixels through the image tower, unit vectors out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import ModelError, PictureError
from snapseek.models.direction import unit
from snapseek.models.pixels import PixelPolicy
from snapseek.models.tower import Tower, no_output

IMAGE_OUTPUTS = (
    "image_embeds",
    "image_embedding",
    "image_embeddings",
    "embedding",
    "pooler_output",
    "output",
)
_BATCH = 16
_CHANNELS = 3


class ImageSide:
    """An image tower that is fed a few pictures at a time. Safe to use from many threads."""

    def __init__(self, tower: Tower, pixels: PixelPolicy, dim: int) -> None:
        """Find the ports, and the output that is as wide as the text tower's answer, `dim`.

        Raises ModelError when there is none: then the towers are of different models.
        """
        self.tower = tower
        self._pixels = pixels
        self._port = tower.pixels_port()
        self._channels_last = self._port.shape[3] == _CHANNELS and self._port.shape[1] != _CHANNELS
        self._check_sides()
        # A dynamically quantised graph answers otherwise for each company that a picture is in.
        self._batch = self._port.shape[0] or (1 if tower.graph.dynamic else _BATCH)
        self._output = self._choose_output(dim)

    @property
    def batch(self) -> int:
        """How many pictures go through the tower at a time."""
        return self._batch

    def _check_sides(self) -> None:
        shape = self._port.shape[1:3] if self._channels_last else self._port.shape[2:]
        if any(side not in (None, self._pixels.crop_px) for side in shape):
            raise ModelError(
                f"{self.tower.path} takes pictures of {shape[1]} x {shape[0]} pixels; its configuration "
                f"makes squares of {self._pixels.crop_px}: they are of different models"
            )

    def _choose_output(self, dim: int) -> str:
        candidates = [name for name in IMAGE_OUTPUTS if name in self.tower.outputs]
        if not candidates:
            raise ModelError(no_output(self.tower.path, IMAGE_OUTPUTS, self.tower.outputs))
        side = (self._pixels.crop_px, self._pixels.crop_px)
        answers = self.tower.run(self._feeds([Image.new("RGB", side)]), candidates)
        for name, answer in zip(candidates, answers, strict=True):
            if answer.ndim == 2 and answer.shape[1] == dim:
                return name
        widths = " or ".join(dict.fromkeys(str(answer.shape[-1]) for answer in answers))
        raise ModelError(
            f"expected both towers to answer with {dim} numbers; {self.tower.path} "
            f"gives {widths}: they are of different models"
        )

    def vectors(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows, one a picture; n is at least 1.

        Raises PictureError when the model's answer to one of them has no direction.
        """
        blocks = [images[start : start + self._batch] for start in range(0, len(images), self._batch)]
        answers = [self.tower.run(self._feeds(block), [self._output])[0][: len(block)] for block in blocks]
        return unit(np.concatenate(answers), PictureError("the model finds nothing in this picture"))

    def _feeds(self, images: Sequence[Image.Image]) -> dict[str, NDArray[Any]]:
        missing = (self._port.shape[0] or len(images)) - len(images)
        tensors = [self._tensor(image) for image in images]
        return {self._port.name: np.stack(tensors + tensors[:1] * missing)}

    def _tensor(self, image: Image.Image) -> NDArray[Any]:
        """One picture as the graph wants it; a graph that takes bytes normalises them itself."""
        if self._port.dtype == np.uint8:
            pixels = self._pixels.squared(image)
            return pixels if self._channels_last else pixels.transpose(2, 0, 1)
        tensor = self._pixels.tensor(image)
        return tensor.transpose(1, 2, 0) if self._channels_last else tensor
