"""TensorRT engines for NVIDIA GPUs, which crop, restore and paste faces on the device."""
