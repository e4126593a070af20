"""Commands for TensorRT engines."""
