"""Text and pictures into one space.

    encoder = Encoder.load("starter")
    encoder.embed_texts(["a dog"])        # (1, dim) float32, unit rows
    encoder.embed_images([picture])       # (1, dim) float32, unit rows, of the same space

A model is a folder with ONNX graphs, a tokenizer and configuration files, in one of seven layouts.
`encoder` has the public class and `catalogue` the recommended models. `hub` resolves names, downloads and
checks files; `onnx` reads and runs graphs; `text` and `image` are the two encoders; `queries` makes the
sample queries that an index is trained with. The starter model is in `starter/`.
"""

import os

# Set before ONNX Runtime is loaded: it disables telemetry, so nothing leaves the machine.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from snapseek.models.encoder import Encoder
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.resolve import resolve_model
from snapseek.models.image.batch import Batch

__all__ = ["Batch", "Encoder", "ModelFiles", "resolve_model"]
