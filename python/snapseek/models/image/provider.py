"""Choose the execution provider of the image tower: the CPU, or a verified accelerator that is faster.

ONNX Runtime lists the accelerators that its build supports. Each is verified first: its vectors of eight
pictures are compared with those of the CPU. The text tower always runs on the CPU, where a query takes a few
milliseconds.
"""

import logging
import time
from collections.abc import Callable

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import SnapseekError
from snapseek.models.image.image_tower import ImageTower
from snapseek.models.onnx.session import CPU

ACCELERATORS = {"CUDA": "CUDA", "CoreML": "CoreML", "OpenVINO": "OpenVINO", "Dml": "DirectML"}
"""Execution providers in the order in which they are tried, and their product names."""

PICTURES = 8
MIN_COSINE = 0.999
"""Lowest cosine between an accelerator's vectors and the CPU's."""

_log = logging.getLogger("snapseek.models")


def choose_provider(load: Callable[[str], ImageTower]) -> ImageTower:
    """Load the image tower on the first accelerator that is correct and faster, else on the CPU.

    Logs a warning for each available accelerator that is not used.

    Parameters
    ----------
    load
        Loads the tower on the execution provider of that name.

    Returns
    -------
    ImageTower
        The loaded tower.

    Raises
    ------
    ModelError
        If the CPU cannot run the tower either.
    """
    available = [name for name in ACCELERATORS if f"{name}ExecutionProvider" in ort.get_available_providers()]
    on_cpu = load(CPU)
    for name in available:
        try:
            tower = load(name)
            reason = _objection(name, tower, on_cpu)
        except SnapseekError as error:
            reason = f"it failed: {error}"
        if reason is None:
            return tower
        _log.warning("%s is not used for pictures, the CPU is: %s", ACCELERATORS[name], reason)
    return on_cpu


def sample_pictures(count: int) -> list[Image.Image]:
    """Return `count` different blurred noise pictures of 256 x 256 pixels, the same at every call."""
    rng = np.random.default_rng(7)
    noise = [rng.integers(0, 256, (4, 4, 3), np.uint8) for _ in range(count)]
    return [Image.fromarray(pixels).resize((256, 256), Image.Resampling.BICUBIC) for pixels in noise]


def lowest_cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the lowest cosine between corresponding unit rows of two (n, dim) arrays."""
    return float((first * second).sum(axis=1).min())


def _objection(name: str, tower: ImageTower, on_cpu: ImageTower) -> str | None:
    """Return why the accelerator is not used, or None."""
    if tower.session.provider != name:
        return "ONNX Runtime could not start it; its libraries may be missing or of another version"
    pictures = sample_pictures(PICTURES)
    cosine = lowest_cosine(tower.vectors(pictures), on_cpu.vectors(pictures))
    if not cosine >= MIN_COSINE:
        return f"expected a cosine of {MIN_COSINE} or more to the CPU's vectors, got {cosine:.4f}"
    accelerator_ms, cpu_ms = (1000 * _seconds(each) for each in (tower, on_cpu))
    if accelerator_ms >= cpu_ms:
        return f"it is slower here, {accelerator_ms:.0f} ms for {PICTURES} pictures against {cpu_ms:.0f}"
    return None


def _seconds(tower: ImageTower) -> float:
    """Return the time of one run; `_objection` has warmed up the tower."""
    pictures = sample_pictures(PICTURES)
    start = time.perf_counter()
    tower.vectors(pictures)
    return time.perf_counter() - start
