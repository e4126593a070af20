"""Blur as exposures make it: from frames, from kernels, from a shaking camera."""
