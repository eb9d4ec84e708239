"""A batch of preprocessed pictures for an image tower."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.models.image.image_processor import ImageProcessor
from snapseek.models.onnx.session import Port

_CHANNELS = 3


class Batch:
    """An array for `size` pictures, allocated once. Not thread-safe.

    Each picture is resized and normalized into its row, and is not kept itself: a batch takes the same memory
    whatever the size of the pictures.

    Parameters
    ----------
    port
        The input of the graph, which decides on the dtype and the order of the axes.
    processor
        The preprocessing.
    size
        Number of pictures.
    """

    def __init__(self, port: Port, processor: ImageProcessor, size: int) -> None:
        side_px = processor.crop_px
        last = is_channels_last(port)
        shape = (side_px, side_px, _CHANNELS) if last else (_CHANNELS, side_px, side_px)
        self._array: NDArray[Any] = np.empty((size, *shape), port.dtype)
        self._planes = self._array.transpose(0, 3, 1, 2) if last else self._array
        self._processor = processor
        self._has_fixed_size = port.shape[0] is not None
        self._used = 0

    def __len__(self) -> int:
        """Return the number of pictures in the batch."""
        return self._used

    @property
    def is_full(self) -> bool:
        """Whether the batch holds as many pictures as it can."""
        return self._used == len(self._array)

    def add(self, image: Image.Image) -> None:
        """Preprocess an upright RGB picture into the next row."""
        self._processor.write(image, self._planes[self._used])
        self._used += 1

    def clear(self) -> None:
        """Remove all pictures."""
        self._used = 0

    def feed(self) -> NDArray[Any]:
        """Return the pictures as the graph takes them; a fixed batch is padded with copies of the first."""
        if not self._has_fixed_size:
            return self._array[: self._used]
        self._array[self._used :] = self._array[:1]
        return self._array


def is_channels_last(port: Port) -> bool:
    """Return whether the input has the axes (n, height, width, channels)."""
    return port.shape[3] == _CHANNELS and port.shape[1] != _CHANNELS
