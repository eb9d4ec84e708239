"""Room for the pictures that go through an image tower together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.models.image.image_processor import ImageProcessor
from snapseek.models.onnx.tower import Port

_CHANNELS = 3


class Batch:
    """An array for `size` pictures, allocated once; each picture is resized and normalised into its place.

    Only what the graph reads is kept of a picture, so that a batch costs the same whatever comes. Not safe to
    use from many threads.
    """

    def __init__(self, port: Port, pixels: ImageProcessor, size: int) -> None:
        """Make room for `size` pictures as the input `port` of a graph wants them."""
        side_px = pixels.crop_px
        last = is_channels_last(port)
        shape = (side_px, side_px, _CHANNELS) if last else (_CHANNELS, side_px, side_px)
        self._array: NDArray[Any] = np.empty((size, *shape), port.dtype)
        self._planes = self._array.transpose(0, 3, 1, 2) if last else self._array
        self._pixels = pixels
        self._fixed = port.shape[0] is not None
        self._used = 0

    def __len__(self) -> int:
        """The number of pictures in it."""
        return self._used

    @property
    def is_full(self) -> bool:
        """Whether there is no room for a further picture."""
        return self._used == len(self._array)

    def add(self, image: Image.Image) -> None:
        """Put an upright RGB picture in the next place; the picture itself is not kept."""
        self._pixels.write(image, self._planes[self._used])
        self._used += 1

    def clear(self) -> None:
        """Start again with no picture."""
        self._used = 0

    def feed(self) -> NDArray[Any]:
        """The pictures as the graph takes them; a fixed batch is filled up with the first one."""
        if not self._fixed:
            return self._array[: self._used]
        self._array[self._used :] = self._array[:1]
        return self._array


def is_channels_last(port: Port) -> bool:
    """Whether a graph wants the three channels of a pixel side by side."""
    return port.shape[3] == _CHANNELS and port.shape[1] != _CHANNELS
