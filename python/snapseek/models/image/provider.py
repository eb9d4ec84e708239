"""What runs the image tower: the CPU, or an accelerator that was seen to give the same answers, faster.

ONNX Runtime has a build for each kind of accelerator, and the one that is installed says which it can use.
None is believed: eight pictures go through it and through the CPU before the first one counts. The text tower
always runs on the CPU, where a typed query costs a few milliseconds.
"""

import logging
import time
from collections.abc import Callable

import onnxruntime as ort

from snapseek.errors import SnapseekError
from snapseek.models.image.agreement import fixed_pictures, lowest_cosine
from snapseek.models.image.image_encoder import ImageEncoder
from snapseek.models.onnx.tower import CPU

ACCELERATORS = {"CUDA": "CUDA", "CoreML": "CoreML", "OpenVINO": "OpenVINO", "Dml": "DirectML"}
"""What ONNX Runtime calls an accelerator, and what its makers do; the first that is there is tried first."""

PICTURES = 8
PARITY = 0.999

_log = logging.getLogger("snapseek.models")


def choose_provider(load: Callable[[str], ImageEncoder]) -> ImageEncoder:
    """The image side on the best provider of this machine, the CPU where no accelerator proves itself.

    `load` loads the image side for a provider by name. One sentence is logged for each accelerator that is
    there and is not taken. Raises ModelError when the CPU cannot run the tower either.
    """
    present = [name for name in ACCELERATORS if f"{name}ExecutionProvider" in ort.get_available_providers()]
    on_cpu = load(CPU)
    for name in present:
        try:
            side = load(name)
            reason = _objection(name, side, on_cpu)
        except SnapseekError as error:
            reason = f"it failed: {error}"
        if reason is None:
            return side
        _log.warning("%s is not used for pictures, the CPU is: %s", ACCELERATORS[name], reason)
    return on_cpu


def _objection(name: str, side: ImageEncoder, on_cpu: ImageEncoder) -> str | None:
    """Why not to use it, or None."""
    if side.tower.provider != name:
        return "ONNX Runtime could not start it; its libraries may be missing or of another version"
    pictures = fixed_pictures(PICTURES)
    cosine = lowest_cosine(side.vectors(pictures), on_cpu.vectors(pictures))
    if not cosine >= PARITY:
        return f"expected the CPU's vectors, cosine {PARITY} or more, found {cosine:.4f}"
    there_ms, here_ms = (1000 * _seconds(which) for which in (side, on_cpu))
    if there_ms >= here_ms:
        return f"it is slower here, {there_ms:.0f} ms for {PICTURES} pictures against {here_ms:.0f}"
    return None


def _seconds(side: ImageEncoder) -> float:
    """The time for the pictures, after a run that warmed it up."""
    pictures = fixed_pictures(PICTURES)
    start = time.perf_counter()
    side.vectors(pictures)
    return time.perf_counter() - start
