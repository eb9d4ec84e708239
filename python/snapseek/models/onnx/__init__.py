"""ONNX files: parsed, cut into towers, run."""
