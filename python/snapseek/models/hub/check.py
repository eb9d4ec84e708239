"""Whether a model is what it should be: its files, its two towers, and what was found out about them."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from snapseek.errors import ModelError
from snapseek.models.encoder import Encoder
from snapseek.models.hub.download import verify
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.ref import ModelRef
from snapseek.models.hub.resolve import folder_of, resolve_model
from snapseek.models.image.provider import lowest_cosine, sample_pictures

_TEXTS = (
    "a dog",
    "snow",
    "a red car",
    "two people on a beach",
    "a city at night",
    "a table with food",
    "an old map",
    "a cat",
)
_PICTURES = 8
_RUNS = 5
_PARITY = 0.98
_MARKED = re.compile(r"_q?u?int8\w*\.onnx$|_quantized\.onnx$")


def check_model(model: str, model_dir: str | Path | None = None) -> dict[str, str]:
    """Return what is known of a model that is on this machine, a line for each fact; fetches nothing.

    Raises ModelError for what is missing, damaged, or not what was pinned; for towers that do not fit each
    other; and for a quantised tower that strays from its own full-precision one.
    """
    wanted = ModelRef.parse(model)
    if wanted and not Path(model).exists() and not folder_of(wanted, model_dir).is_dir():
        raise ModelError(
            f"the model {model} is not on this machine; fetch it with: snapseek models pull {model}"
        )
    files = resolve_model(model, model_dir)
    compared = verify(files.root, files.manifest)
    encoder = Encoder(files)
    facts = {
        "folder": str(files.root),
        "layout": files.layout.kind,
        "pinned": f"{compared} files compared" if compared else "nothing to compare with",
        "texts": _about_texts(encoder),
    }
    if files.teacher:
        told = f"{files.teacher.name} {files.teacher.fingerprint[:12]}: pictures are its"
        return facts | {"teacher": told, "numbers": str(encoder.dim), "fingerprint": encoder.fingerprint}
    if not files.image_is_here:
        return facts | {"pictures": "image tower not fetched yet", "numbers": str(encoder.dim)}
    pictures = sample_pictures(_PICTURES)
    return facts | {
        "pictures": _about_pictures(encoder),
        "numbers": str(encoder.dim),
        "speed": f"{_ms(lambda: encoder.embed_texts(_TEXTS[:1])):.1f} ms a text, "
        f"{_ms(lambda: encoder.embed_images(pictures[:1])):.1f} ms a picture",
        "quantised": _about_precision(files, encoder),
        "fingerprint": encoder.fingerprint,
    }


def _about_texts(encoder: Encoder) -> str:
    policy = encoder.text.config
    most = f"at most {policy.context_length} ids"
    if policy.unpadded:
        return f"{most}, short ones stay short"
    return f"{most}, always filled up with the id {policy.pad_id}"


def _about_pictures(encoder: Encoder) -> str:
    batch = encoder.image.batch_size
    at_a_time = "one" if batch == 1 else f"up to {batch}"
    return f"{encoder.image.picture_side_px} px, {at_a_time} at a time, on {encoder.image.provider}"


def _about_precision(files: ModelFiles, encoder: Encoder) -> str:
    """Compare each quantised tower with the full-precision one beside it, where that is there."""
    plain = {name: _full_precision(files, name) for name in ("text_graph", "image_graph")}
    full = {name: place for name, place in plain.items() if place}
    if not full:
        return "nothing to compare with"
    reference = Encoder(replace(files, layout=replace(files.layout, **full)))
    pictures = sample_pictures(_PICTURES)
    lowest = min(
        lowest_cosine(encoder.embed_texts(_TEXTS), reference.embed_texts(_TEXTS)),
        lowest_cosine(encoder.embed_images(pictures), reference.embed_images(pictures)),
    )
    if lowest < _PARITY:
        raise ModelError(
            f"the quantised towers in {files.root} stray from the full-precision ones: cosine {lowest:.3f}, "
            f"expected {_PARITY} or more; use the full-precision files"
        )
    return f"cosine {lowest:.4f} with full precision"


def _full_precision(files: ModelFiles, name: str) -> str | None:
    """Return the graph without a mark of precision, `model.onnx` for `model_int8.onnx`, if it is there."""
    place = str(getattr(files.layout, name))
    plain = _MARKED.sub(".onnx", place)
    return plain if plain != place and (files.root / plain).is_file() else None


def _ms(call: Callable[[], object]) -> float:
    call()
    spent = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return 1000 * sorted(spent)[_RUNS // 2]
