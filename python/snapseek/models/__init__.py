"""Words and pictures into one space.

    encoder = Encoder.load("starter")
    encoder.embed_texts(["a dog"])        # (1, dim) float32, unit rows
    encoder.embed_images([picture])       # (1, dim) float32, unit rows, of the same space

A model is a folder with ONNX graphs, a tokenizer and configuration files, in one of seven layouts. `shelf`
finds the folder that a name means, `layout` the files in it, and `download` fetches what `catalogue` pins.
`tower` runs a graph, `tokens` turns words into ids, `pixels` a picture into a tensor, `batch` holds several;
`text` and `image` are the two sides, `policy` is what a text tower was found to want, `provider` what runs
the image tower, `encoder` puts all together, `check` tells what was found. The starter lies in `starter/`.
"""

import os

# Before it is loaded, or ONNX Runtime tells its makers of every session: nothing leaves the machine.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from snapseek.models.batch import Batch
from snapseek.models.encoder import Encoder
from snapseek.models.model_files import ModelFiles
from snapseek.models.shelf import find_model

__all__ = ["Batch", "Encoder", "ModelFiles", "find_model"]
