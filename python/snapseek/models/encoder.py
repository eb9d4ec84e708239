"""Two towers, one space."""

import hashlib
import json
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import InputError, ModelError, PictureError, SnapseekError
from snapseek.models.layout import STARTER, ModelFiles, find_model, read_config
from snapseek.models.pixels import PixelPolicy
from snapseek.models.tokens import Tokens
from snapseek.models.tower import Tower

_BATCH = 16
_PROBES = ("a photo of a dog", "snow", "two old red cars beside a house by the sea")
_SAME_DIRECTION = 0.9999


class Encoder:
    """A model of the CLIP family: texts and pictures become unit vectors of one space.

    Safe to use from many threads. The image tower is loaded when the first picture comes.
    """

    def __init__(self, files: ModelFiles, *, threads: int = 1) -> None:
        """Load the text tower with `threads` threads a call; see `Encoder.load`."""
        config = read_config(files.config)
        self._files = files
        self._threads = threads
        self._lock = threading.Lock()
        self._text = Tower(files.text_graph, threads=threads)
        self._ids = self._text.input_of_rank(2)
        self._mask = self._text.mask_input()
        self._pixels = PixelPolicy.from_config(read_config(files.preprocessor_config))
        context_length = self._ids.shape[1] or _context_length(config)
        self._tokens = Tokens(files.tokenizer, read_config(files.tokenizer_config), context_length)
        self._unpadded = self._ids.shape[1] is None and self._padding_changes_nothing()
        self.dim = self._embed_ids(self._tokens.ids(_PROBES)[0], padded=not self._unpadded).shape[1]

    @classmethod
    def load(cls, model: str | Path = STARTER, *, threads: int = 1) -> Self:
        """Load a model: `starter`, which comes with the package, or a directory with an export of CLIP.

        `threads` is how many threads one call uses. Raises ModelError when the model is missing or damaged.
        """
        return cls(find_model(model), threads=threads)

    @property
    def name(self) -> str:
        """`starter`, or the directory that the model was loaded from."""
        return self._files.name

    @property
    def provider(self) -> str:
        """The execution provider of ONNX Runtime, such as `CPU`."""
        return self._text.provider

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits that change when a graph, the tokenizer or the way inputs are prepared changes."""
        digest = hashlib.sha256()
        for path in (self._files.text_graph, self._files.image_graph, self._files.tokenizer):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        digest.update(json.dumps(self._policy(), sort_keys=True).encode())
        return digest.hexdigest()

    def _policy(self) -> dict[str, Any]:
        return {
            "context_length": self._tokens.context_length,
            "pad_id": self._tokens.pad_id,
            "unpadded": self._unpadded,
            "pixels": self._pixels.facts(),
            "upright": True,
        }

    @cached_property
    def examples(self) -> tuple[str, ...]:
        """Queries that this model is known to answer well; may be empty."""
        if not self._files.examples.is_file():
            return ()
        return tuple(str(text) for text in read_config(self._files.examples)["examples"])

    @property
    def picture_side_px(self) -> int:
        """The shorter side, in pixels, to which the model scales a picture: nothing finer reaches it."""
        return self._pixels.resize_px

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows, one a text; long texts are cut at the model's context length.

        Raises InputError for a text in which the model knows no word.
        """
        self._tokens.check_known(texts)
        rows = [self._embed_ids(ids, padded=not self._unpadded) for ids in self._tokens.ids(texts)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dim), np.float32)

    def _embed_ids(self, ids: list[int], *, padded: bool) -> NDArray[np.float32]:
        padding = self._tokens.context_length - len(ids) if padded else 0
        feeds: dict[str, NDArray[Any]] = {
            self._ids.name: np.array([ids + [self._tokens.pad_id] * padding], self._ids.dtype)
        }
        if self._mask is not None:
            feeds[self._mask.name] = np.array([[1] * len(ids) + [0] * padding], self._mask.dtype)
        return _unit(self._text.run(feeds), InputError("the model finds nothing in these words; try others"))

    def _padding_changes_nothing(self) -> bool:
        """Ask the same with and without padding. Where the answers agree, a short query may stay short."""
        for ids in self._tokens.ids(_PROBES):
            short, full = self._embed_ids(ids, padded=False), self._embed_ids(ids, padded=True)
            if float(short[0] @ full[0]) < _SAME_DIRECTION:
                return False
        return True

    def embed_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows, one a picture; the pictures are upright and RGB.

        Raises PictureError when the model's answer to one of them has no direction.
        """
        tower, port = self._image_tower, self._image_tower.input_of_rank(4)
        batch = port.shape[0] or _BATCH
        tensors = [self._pixels.tensor(image) for image in images]
        blocks = [np.stack(tensors[start : start + batch]) for start in range(0, len(tensors), batch)]
        nothing = PictureError("the model finds nothing in this picture")
        rows = [_unit(tower.run({port.name: block}), nothing) for block in blocks]
        return np.concatenate(rows) if rows else np.zeros((0, self.dim), np.float32)

    @property
    def _image_tower(self) -> Tower:
        with self._lock:
            return self._loaded_image_tower

    @cached_property
    def _loaded_image_tower(self) -> Tower:
        tower = Tower(self._files.image_graph, threads=self._threads)
        probe = np.zeros((1, 3, self._pixels.crop_px, self._pixels.crop_px), np.float32)
        dim = tower.run({tower.input_of_rank(4).name: probe}).shape[1]
        if dim != self.dim:
            raise ModelError(
                f"expected both towers to answer with {self.dim} numbers; {self._files.image_graph} "
                f"gives {dim}: they are of different models"
            )
        return tower


def _unit(vectors: NDArray[np.float32], otherwise: SnapseekError) -> NDArray[np.float32]:
    """The rows scaled to length 1; raises `otherwise` where one is zero or not finite."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise otherwise
    return np.asarray(vectors / norms, np.float32)


def _context_length(config: dict[str, Any]) -> int:
    text_config = config.get("text_config") or {}
    length = text_config.get("max_position_embeddings", 77)
    if not isinstance(length, int) or not 2 <= length <= 8192:
        raise ModelError(f"expected max_position_embeddings between 2 and 8192, found {length!r}")
    return length
