"""TensorRT: engines built from the deblurring network for one NVIDIA GPU, with crops and paste-back on the device, too."""
