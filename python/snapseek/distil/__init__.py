"""A small text tower that answers in a large one's space.

    distil(Encoder.load("openclip-vit-b-32"), Path("student"))    # minutes on a laptop, then
    Encoder.load("student").embed_texts(["a dog"])                # the same space, far quicker

`distillation` is the whole way: texts, the teacher's answers, training, a folder. `ranking` is the loss and
the figures in plain NumPy; `static`, `transformer` and `shortened` are the kinds of student that learn.
`training` teaches them in PyTorch, where `replay` runs the teacher's graph; `rounded` is the teacher itself
in 8 bits, `onnx_graph` writes graphs, `student` the folder that `Encoder.load` opens.
"""

from snapseek.distil.distillation import Figures, Plan, distil, read_texts

__all__ = ["Figures", "Plan", "distil", "read_texts"]
