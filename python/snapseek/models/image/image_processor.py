"""Preprocess pictures for an image tower: resize, crop, rescale, normalize."""

import reprlib
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import RENEW, ModelError

_MAX_SIDE = 2048
_MAX_NUMBER = 1e6
_FILTERS = {
    0: Image.Resampling.NEAREST,
    1: Image.Resampling.LANCZOS,
    2: Image.Resampling.BILINEAR,
    3: Image.Resampling.BICUBIC,
}
_FILTER_NAMES = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
_BYTE = 1 / 255
_REPORTED = ("size", "image_mean", "image_std", "mean", "std", "resize_mode", "interpolation")
_CLIP = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
}


@dataclass(frozen=True)
class ImageProcessor:
    """Preprocessing settings: resize, crop, then (x * rescale - mean) / std.

    The field names are part of fingerprints.

    Attributes
    ----------
    resize_px
        Target of the shorter side; of the longer side with `fill`.
    crop_px
        Side of the center crop.
    squeezed
        Whether both sides become `resize_px`, without a crop.
    resample
        Resampling filter, by Pillow's number.
    mean, std
        Normalization per channel.
    rescale
        Factor of byte values, 1 / 255 if None.
    fill
        Gray level that pads a picture to a square, None to crop instead.
    floored
        How to round a center between two pixels: down like Hugging Face, or else to even like OpenCLIP. A
        shift of one pixel changes the cosine by up to 0.002.
    """

    resize_px: int
    crop_px: int
    squeezed: bool
    resample: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    rescale: float | None = None
    fill: int | None = None
    floored: bool | None = None

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Read `preprocessor_config.json` (Hugging Face) or `preprocess_cfg.json` (OpenCLIP).

        Raises ModelError for a missing or invalid value.
        """
        of_open_clip = "mean" in config or "resize_mode" in config
        expected = "size, mean and std in preprocess_cfg.json"
        if not of_open_clip:
            expected = "size, image_mean and image_std in preprocessor_config.json"
        try:
            processor = cls._from_open_clip(config) if of_open_clip else cls._from_hugging_face(config)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            found = reprlib.repr({key: config[key] for key in _REPORTED if key in config})
            raise ModelError(expected=expected, got=f"{found}: {error!r}", hint=RENEW) from error
        processor._check()
        return processor

    @classmethod
    def of_clip(cls, side_px: int) -> Self:
        """Return the preprocessing of CLIP, for an export that only specifies its input size."""
        return cls.from_config(_CLIP | {"size": side_px})

    @classmethod
    def _from_hugging_face(cls, config: dict[str, Any]) -> Self:
        squeezed = isinstance(config["size"], dict) and "height" in config["size"]
        resize_px = _side(config["size"])
        cropped = not squeezed and config.get("do_center_crop", True)
        normalized = bool(config.get("do_normalize", True))
        rescale = float(config.get("rescale_factor", _BYTE)) if config.get("do_rescale", True) else 1.0
        return cls(
            resize_px=resize_px,
            crop_px=_side(config.get("crop_size", resize_px)) if cropped else resize_px,
            squeezed=squeezed,
            resample=int(config.get("resample", 3)),
            mean=_triple(config["image_mean"]) if normalized else (0.0, 0.0, 0.0),
            std=_triple(config["image_std"]) if normalized else (1.0, 1.0, 1.0),
            rescale=None if abs(rescale - _BYTE) < 1e-9 else rescale,
            floored=True if cropped else None,
        )

    @classmethod
    def _from_open_clip(cls, config: dict[str, Any]) -> Self:
        size = config["size"]
        side_px = _side(size if isinstance(size, int) else dict(zip(("height", "width"), size, strict=True)))
        mode = config.get("resize_mode", "shortest")
        if mode not in ("shortest", "squash", "longest"):
            raise ValueError(f"the resize_mode shortest, squash or longest, not {mode!r}")
        return cls(
            resize_px=side_px,
            crop_px=side_px,
            squeezed=mode == "squash",
            resample=_FILTER_NAMES[config.get("interpolation", "bicubic")],
            mean=_triple(config["mean"]),
            std=_triple(config["std"]),
            fill=int(config.get("fill_color", 0)) if mode == "longest" else None,
        )

    def _check(self) -> None:
        if not 1 <= self.crop_px <= self.resize_px <= _MAX_SIDE:
            raise ModelError(
                expected=f"1 <= crop <= resize <= {_MAX_SIDE} pixels",
                got=f"{self.crop_px} and {self.resize_px}",
            )
        if self.resample not in _FILTERS:
            raise ModelError(expected="a resample of 0, 1, 2 or 3", got=str(self.resample))
        if not all(value > 0 for value in self.std):
            raise ModelError(expected="an image_std above 0", got=str(self.std))
        numbers = (*self.mean, *self.std, 1.0 if self.rescale is None else self.rescale)
        if not all(abs(value) <= _MAX_NUMBER for value in numbers) or self.rescale == 0:
            raise ModelError(
                expected=f"image_mean, image_std and rescale_factor of at most {_MAX_NUMBER:g}",
                got=str(numbers),
            )
        if self.fill is not None and not 0 <= self.fill <= 255:
            raise ModelError(expected="a fill_color from 0 to 255", got=str(self.fill))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are part of a model's fingerprint."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def tensor(self, image: Image.Image) -> NDArray[np.float32]:
        """Preprocess an upright RGB picture to (3, crop_px, crop_px) float32."""
        planes = np.empty((3, self.crop_px, self.crop_px), np.float32)
        self.write(image, planes)
        return planes

    def write(self, image: Image.Image, planes: NDArray[Any]) -> None:
        """Preprocess an upright RGB picture into `planes`, (3, crop_px, crop_px).

        Float32 planes are normalized. A graph that takes uint8 normalizes itself.
        """
        pixels = self.squared(image).transpose(2, 0, 1)
        if planes.dtype == np.uint8:
            planes[:] = pixels
            return
        scale, shift = self._scale_and_shift
        np.multiply(pixels, scale, out=planes)
        planes -= shift

    @cached_property
    def _scale_and_shift(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scale and shift, both (3, 1, 1): the normalized value is byte * scale - shift."""
        std = np.asarray(self.std, np.float32)
        scale = np.float32(self.rescale or _BYTE) / std
        shift = np.asarray(self.mean, np.float32) / std
        return scale[:, None, None], shift[:, None, None]

    def squared(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resize and crop an upright RGB picture to (crop_px, crop_px, 3) uint8.

        Both are one call that computes the cropped pixels only, so that a picture of 1 x 5,000 pixels costs
        no more than a square one.
        """
        if self.fill is not None:
            return self._padded(image, self.fill)
        side = (self.crop_px, self.crop_px)
        return np.asarray(image.resize(side, _FILTERS[self.resample], box=self._box(image.size)))

    def _padded(self, image: Image.Image, fill: int) -> NDArray[np.uint8]:
        longer = max(image.size)
        width, height = (max(1, round(self.resize_px * side / longer)) for side in image.size)
        frame = Image.new("RGB", (self.resize_px, self.resize_px), (fill, fill, fill))
        inside = image.resize((width, height), _FILTERS[self.resample])
        frame.paste(inside, ((self.resize_px - width) // 2, (self.resize_px - height) // 2))
        return np.asarray(frame)

    def _box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return the crop (left, top, right, bottom) in pixels of the original picture."""
        if self.squeezed:
            return 0, 0, size[0], size[1]
        shorter = min(size)
        scaled = [max(self.crop_px, int(self.resize_px * side / shorter)) for side in size]
        starts = [self._start(side - self.crop_px) for side in scaled]
        ratios = [side / out for side, out in zip(size, scaled, strict=True)]
        left, top = (start * ratio for start, ratio in zip(starts, ratios, strict=True))
        right, bottom = ((start + self.crop_px) * ratio for start, ratio in zip(starts, ratios, strict=True))
        return left, top, min(right, size[0]), min(bottom, size[1])

    def _start(self, removed: int) -> int:
        """Return the start of a center crop that removes `removed` pixels."""
        return removed // 2 if self.floored else round(removed / 2)


def _side(size: int | dict[str, int]) -> int:
    if isinstance(size, int):
        return size
    if "shortest_edge" in size:
        return int(size["shortest_edge"])
    if size["height"] != size["width"]:
        raise ValueError(f"a square, not {size['width']} x {size['height']}")
    return int(size["height"])


def _triple(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
