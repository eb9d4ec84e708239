"""Check a model: checksums, fit of the two towers, and agreement with full precision."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from snapseek.errors import ModelError
from snapseek.models.catalogue import Entry, find_entry
from snapseek.models.encoder import Encoder
from snapseek.models.hub.agreement import store_agreement
from snapseek.models.hub.download import verify
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.ref import ModelRef
from snapseek.models.hub.resolve import folder_of, resolve_model
from snapseek.models.hub.text_variants import measure_variants
from snapseek.models.image.provider import lowest_cosine, sample_pictures
from snapseek.models.onnx.graph import Graph
from snapseek.models.onnx.int8_products import int8_saturates
from snapseek.models.text.text_encoder import TextEncoder

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
_MIN_COSINE = 0.98
_QUANTIZED_SUFFIX = re.compile(r"_(q?u?int8\w*|quantized|q4)\.onnx$")


def check_model(model: str, model_dir: str | Path | None = None) -> dict[str, str]:
    """Check a model that is on this machine. Nothing is downloaded.

    Parameters
    ----------
    model
        Name or path of the model; see `Encoder.load`.
    model_dir
        Folder of downloaded models, in the user's cache by default.

    Returns
    -------
    dict[str, str]
        What was found, as a text by topic.

    Raises
    ------
    ModelError
        If a file is missing, damaged or differs from its pinned checksum; if the towers do not belong
        together; or if a quantized tower deviates from the full-precision one.
    """
    ref = ModelRef.parse(model)
    if ref and not Path(model).exists() and not folder_of(ref, model_dir).is_dir():
        raise ModelError(
            f"the model {model} is not on this machine", hint=f"run: snapseek models pull {model}"
        )
    files = resolve_model(model, model_dir)
    compared = verify(files.root, files.manifest)
    encoder = Encoder(files)
    report = {
        "folder": str(files.root),
        "layout": files.layout.kind,
        "pinned": f"{compared} files compared" if compared else "nothing to compare with",
        "texts": _about_texts(encoder),
        **_about_int8(files),
        **_about_variants(files),
    }
    if files.teacher:
        teacher = f"{files.teacher.name} {files.teacher.fingerprint[:12]}, which embeds pictures"
        return report | {"teacher": teacher, "numbers": str(encoder.dim), "fingerprint": encoder.fingerprint}
    if not files.image_is_here:
        return report | {"pictures": "image tower not fetched yet", "numbers": str(encoder.dim)}
    pictures = sample_pictures(_PICTURES)
    return report | {
        "pictures": _about_pictures(encoder),
        "numbers": str(encoder.dim),
        "speed": f"{_ms(lambda: encoder.embed_texts(_TEXTS[:1])):.1f} ms a text, "
        f"{_ms(lambda: encoder.embed_images(pictures[:1])):.1f} ms a picture",
        "quantized": _about_precision(files, encoder, find_entry(model), model_dir),
        "fingerprint": encoder.fingerprint,
    }


def _about_texts(encoder: Encoder) -> str:
    config = encoder.text.config
    limit = f"at most {config.context_length} tokens"
    if config.unpadded:
        return f"{limit}, without padding"
    return f"{limit}, padded with token {config.pad_id}"


def _about_pictures(encoder: Encoder) -> str:
    batch = encoder.image.batch_size
    at_a_time = "one" if batch == 1 else f"up to {batch}"
    return f"{encoder.image.picture_side_px} px, {at_a_time} at a time, on {encoder.image.provider}"


def _about_precision(
    files: ModelFiles, encoder: Encoder, entry: Entry | None, model_dir: str | Path | None
) -> str:
    """Compare each quantized tower with the one in full precision, if that is on this machine.

    It is in the same folder, or in that of the entry that the catalogue names. Raises ModelError if a tower
    deviates.
    """
    full = _full_precision(files, entry, model_dir)
    if full is None:
        hint = (
            f"; to compare, run: snapseek models pull {entry.reference}" if entry and entry.reference else ""
        )
        return "nothing to compare with" + hint
    reference = Encoder(full)
    pictures = sample_pictures(_PICTURES)
    cosines = {
        "texts": lowest_cosine(encoder.embed_texts(_TEXTS), reference.embed_texts(_TEXTS)),
        "pictures": lowest_cosine(encoder.embed_images(pictures), reference.embed_images(pictures)),
    }
    tower, lowest = min(cosines.items(), key=lambda pair: pair[1])
    if not lowest >= _MIN_COSINE:
        raise ModelError(
            expected=f"a cosine of {_MIN_COSINE} or more to the full-precision {tower} of {full.root}",
            got=f"{lowest:.3f}",
            hint="use the full-precision files",
        )
    store_agreement(files)
    return ", ".join(f"{name} {cosine:.4f}" for name, cosine in cosines.items()) + " with full precision"


def _full_precision(
    files: ModelFiles, entry: Entry | None, model_dir: str | Path | None
) -> ModelFiles | None:
    """Return the model in full precision: `model.onnx` for `model_int8.onnx`, else that of the catalogue."""
    plain = {name: _plain_graph(files, name) for name in ("text_graph", "image_graph")}
    if found := {name: path for name, path in plain.items() if path}:
        return replace(files, layout=replace(files.layout, **found))
    ref = ModelRef.parse(entry.reference) if entry and entry.reference else None
    if ref is not None and folder_of(ref, model_dir).is_dir():
        full = ModelFiles.in_folder(ref.name, folder_of(ref, model_dir))
        return full if full.image_is_here else None
    return None


def _plain_graph(files: ModelFiles, name: str) -> str | None:
    path = str(getattr(files.layout, name))
    plain = _QUANTIZED_SUFFIX.sub(".onnx", path)
    return plain if plain != path and (files.root / plain).is_file() else None


def _about_int8(files: ModelFiles) -> dict[str, str]:
    """Say whether an int8 text tower is exact on this CPU."""
    graph = Graph.read(files.text_graph)
    if not (graph.dynamic and graph.signed):
        return {}
    if int8_saturates():
        return {"int8 texts": "less accurate here: int8 saturates on x86 without VNNI; prefer full precision"}
    return {"int8 texts": "exact on this CPU"}


def _about_variants(files: ModelFiles) -> dict[str, str]:
    """Measure the text towers of the folder; from now on the fastest one is used here."""
    measured = measure_variants(files, list(_TEXTS), TextEncoder.load_exactly)
    if not measured:
        return {}
    return {"text towers": f"{'; '.join(map(str, measured))}; the first is used here"}


def _ms(call: Callable[[], object]) -> float:
    call()
    spent = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return 1000 * sorted(spent)[_RUNS // 2]
