"""How alike two pictures are, for assertions. Tests of the product's own metrics compare them with other implementations."""

from __future__ import annotations

import numpy as np


def psnr(image, reference):
    """Peak signal-to-noise ratio in dB of code values in [0, 255]; 100 where the two are equal."""
    error = np.square(image.astype(float) - reference).mean()
    return 10 * np.log10(255**2 / error) if error else 100.0
