"""The image encoder: preprocessing, and an image tower that is fetched and loaded on first use."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import ArrayError, ModelError
from snapseek.models.hub.download import fetch
from snapseek.models.hub.dry_run import admit
from snapseek.models.hub.layout import read_config
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.image.batch import Batch
from snapseek.models.image.image_processor import ImageProcessor
from snapseek.models.image.image_tower import IMAGE_OUTPUTS, ImageTower
from snapseek.models.image.provider import choose_provider
from snapseek.models.onnx.graph import Graph
from snapseek.models.onnx.session import OnnxSession


class ImageEncoder:
    """Embeds pictures as unit vectors. Thread-safe.

    Parameters
    ----------
    files
        The files of the model.
    dim
        Number of dimensions of the text vectors, which those of pictures must have too.
    threads
        Threads that one run of the tower uses.

    Raises
    ------
    ModelError
        If the preprocessing settings are missing or invalid.
    """

    def __init__(self, files: ModelFiles, dim: int, threads: int = 1) -> None:
        self._files = files
        self._dim = dim
        self._threads = threads
        self._lock = threading.Lock()
        self._tower: ImageTower | None = None
        self.processor = _load_processor(files)

    @property
    def tower(self) -> ImageTower:
        """The image tower, fetched and loaded on first use.

        Raises
        ------
        ModelError
            If it cannot be fetched or run, or does not belong to the text tower.
        """
        with self._lock:
            if self._tower is None:
                fetch_image_tower(self._files)
                admit(self._files, "image", self._dim)
                self._tower = choose_provider(self.load_tower)
            return self._tower

    def load_tower(self, provider: str) -> ImageTower:
        """Load another instance of the tower on the execution provider of that name, such as `CPU`."""
        outputs = IMAGE_OUTPUTS if self._files.is_part(self._files.image_graph) else ()
        session = OnnxSession(self._files.image_graph, threads=self._threads, only=outputs, provider=provider)
        return ImageTower(session, self.processor, self._dim)

    @property
    def provider(self) -> str:
        """The ONNX Runtime execution provider, such as `CPU` or `CUDA`. Loads the tower."""
        return self.tower.session.provider

    @property
    def batch_size(self) -> int:
        """Number of pictures in one run of the tower. Loads the tower."""
        return self.tower.batch_size

    @property
    def picture_side_px(self) -> int:
        """The shorter side, in pixels, that a picture is resized to: finer detail is lost."""
        return self.processor.resize_px

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return unit rows (n, dim); see `Encoder.embed_images`."""
        _check_images(images)
        tower = self.tower
        return tower.vectors(images) if images else np.zeros((0, self._dim), np.float32)

    def new_batch(self, max_size: int | None = None) -> Batch:
        """Return an empty batch of `batch_size` pictures, or of `max_size` if that is fewer."""
        return self.tower.new_batch(max_size)

    def embed_batch(self, batch: Batch) -> NDArray[np.float32]:
        """Embed the pictures of a batch, at least one; returns and raises as `embed`."""
        return self.tower.vectors_of(batch)


def fetch_image_tower(files: ModelFiles) -> None:
    """Download the image tower of a model if it is missing. Raises ModelError if that fails."""
    if files.image_is_here:
        return
    if not files.may_download:
        raise ModelError(
            expected=f"the image tower of {files.name}, which the library names, on this machine",
            got="only its text tower",
            hint=f"if you trust it, run: snapseek models pull {files.name}",
        )
    fetch(files.root, files.manifest, "image")


def _load_processor(files: ModelFiles) -> ImageProcessor:
    path = files.path(files.layout.image_config)
    if path is not None:
        return ImageProcessor.from_config(read_config(path))
    fetch_image_tower(files)
    side_px = Graph.read(files.image_graph).picture_side_px
    if side_px is None:
        raise ModelError(
            expected=f"preprocessor_config.json or a fixed input size in {files.image_graph}",
            got="neither",
            hint="add the preprocessor_config.json of the model",
        )
    return ImageProcessor.of_clip(side_px)


def _check_images(images: Sequence[Image.Image]) -> None:
    if isinstance(images, Image.Image):
        raise ArrayError(
            expected="a list of pictures", got="a single picture", hint="put it in a list, [picture]"
        )
    for image in images:
        if not isinstance(image, Image.Image):
            raise ArrayError(
                expected="pictures of PIL", got=type(image).__name__, hint="open files with PIL.Image.open"
            )
        if image.mode != "RGB":
            raise ArrayError(
                expected="RGB pictures", got=image.mode, hint="convert it with picture.convert('RGB')"
            )
