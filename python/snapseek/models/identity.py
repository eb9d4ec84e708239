"""Fingerprints: which model, with which preprocessing, computed a vector."""

import hashlib
import json
from typing import Any

from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.image.image_encoder import fetch_image_tower
from snapseek.models.image.image_processor import ImageProcessor
from snapseek.models.text.text_encoder import TextEncoder


def model_fingerprint(files: ModelFiles, text: TextEncoder, processor: ImageProcessor | None) -> str:
    """Return the SHA-256 of a model's files and of all settings that its vectors depend on.

    Parameters
    ----------
    files
        The files of the model. The image tower is downloaded if its checksum is not known yet.
    text
        The text encoder of the model.
    processor
        The image preprocessing; None for a student, whose image encoder is its teacher's.

    Returns
    -------
    str
        64 hex digits.

    Raises
    ------
    ModelError
        If the image tower has to be downloaded and cannot be.
    """
    if not files.image_digest_is_known():
        fetch_image_tower(files)
    digest = hashlib.sha256()
    for file_digest in files.digests():
        digest.update(bytes.fromhex(file_digest))
    digest.update(json.dumps(_settings(text, processor), sort_keys=True).encode())
    return digest.hexdigest()


def _settings(text: TextEncoder, processor: ImageProcessor | None) -> dict[str, Any]:
    """Return the settings in the form that fingerprints of existing libraries were computed from."""
    settings: dict[str, Any] = {
        "context_length": text.tokenizer.context_length,
        "pad_id": text.config.pad_id,
        "unpadded": text.config.unpadded,
    }
    if processor is not None:
        settings |= {"pixels": processor.to_dict(), "upright": True}
    if text.tokenizer.clean != "none":
        settings["clean"] = text.tokenizer.clean
    return settings
