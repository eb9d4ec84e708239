"""Words and pictures into one space.

    encoder = Encoder.load("starter")
    encoder.embed_texts(["a dog"])        # (1, dim) float32, unit rows
    encoder.embed_images([picture])       # (1, dim) float32, unit rows, of the same space

A model is a directory in the layout of the Hugging Face CLIP exports: two ONNX graphs, a tokenizer and two
configuration files. `layout` finds the files, `tower` runs one graph, `tokens` turns words into ids, `pixels`
turns a picture into a tensor, `encoder` puts them together. The starter model lies in `starter/`.
"""

from snapseek.models.encoder import Encoder
from snapseek.models.layout import ModelFiles, find_model

__all__ = ["Encoder", "ModelFiles", "find_model"]
