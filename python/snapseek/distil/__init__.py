"""Distil a small text tower that embeds into the vector space of a large one.

    distil(Encoder.load("openclip-vit-b-32"), Path("student"))    # minutes on a laptop, then
    Encoder.load("student").embed_texts(["a dog"])                # the same space, much faster

`distillation` is the whole process: texts, the teacher's vectors, training, and the model folder. `ranking`
has the loss and the metrics in NumPy. `static`, `transformer` and `prune_layers` are the students that learn;
`torch_students` has them as PyTorch modules, `training` trains them, and `onnx_to_torch` runs the teacher's
graph in PyTorch. `quantize_int8` writes the teacher itself in 8 bits, `onnx_graph` writes graphs, and
`student` writes the folder that `Encoder.load` opens.
"""

from snapseek.distil.distillation import Figures, Plan, distil, read_texts

__all__ = ["Figures", "Plan", "distil", "read_texts"]
