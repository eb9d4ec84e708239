"""The child process of a dry run: loads one tower with limits of memory and time, and embeds with it."""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from snapseek.errors import SnapseekError
from snapseek.models.hub.layout import Layout
from snapseek.models.hub.manifest import Manifest
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.image.image_encoder import ImageEncoder
from snapseek.models.image.provider import sample_pictures
from snapseek.models.onnx.session import CPU
from snapseek.models.text.text_encoder import TextEncoder

_TEXTS = ("a dog", "two old red cars near a bridge by the sea, photographed in the evening " * 8)
_ROWS = 8
_PICTURES = 2
_ODD = "\u00e9\u4e2d\U0001f600'.,-_ 12 " * 40
"""Letters, signs and scripts that a tokenizer may treat in a way of its own."""


def main() -> None:
    """Read a request from standard input, and write `{"error": …, "is_known": …}` to standard output.

    A known error is one of snapseek: loading the model in another process raises it again.
    """
    request = json.load(sys.stdin)
    _limit(request["memory_bytes"], request["cpu_s"])
    error: str | None = None
    is_known = False
    try:
        _embed(request)
    except SnapseekError as failure:
        error, is_known = failure.summary, True
    except MemoryError:
        error = "MemoryError"
    except BaseException as failure:  # the tokenizer raises a BaseException for a panic
        error = f"{type(failure).__name__}: {failure}"
    print(json.dumps({"error": error, "is_known": is_known}), flush=True)  # noqa: T201


def _embed(request: dict[str, Any]) -> None:
    layout = Layout(**request["layout"])
    files = ModelFiles(request["name"], Path(request["root"]), layout, Manifest({}))
    if request["tower"] == "image":
        ImageEncoder(files, request["dim"]).load_tower(CPU).vectors(sample_pictures(_PICTURES))
        return
    encoder = TextEncoder.load(files)
    for text in (*_TEXTS, _ODD, "a" * 2000, " " * 2000, "!" * 2000):
        with contextlib.suppress(SnapseekError):  # the model may know none of these words
            encoder.embed([text])
    encoder.embed_ids(encoder.token_ids([_TEXTS[1]]) * _ROWS)


def _limit(memory_bytes: int, cpu_s: int) -> None:
    """Limit this process, as far as the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent limits the time
        return
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_CPU: cpu_s}
    with contextlib.suppress(OSError, ValueError):  # only Linux has this file
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory_bytes
    for kind, value in limits.items():
        with contextlib.suppress(OSError, ValueError):  # a lower limit is set already
            resource.setrlimit(kind, (value, value))
