"""Non-blind deconvolution: restores a blurry picture whose kernel is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from streamdeblur.evaluation.deconvolution.fourier import Kernel, LeastSquares, Planes, closed, gradients
from streamdeblur.settings import Settings

Image = NDArray[np.uint8]
SHRINKING_STEPS = 3
"""Fixed-point iterations of the shrinkage of gradients if the power is below 1."""


class Final(Settings):
    """``|k * x - y|^2 + weight |grad x|^power``, for planes in [0, 1], by half-quadratic steps (Krishnan & Fergus 2009)."""

    power: float = Field(gt=0.0, le=1.0, description="1: total variation, of all directions alike; below: hyper-Laplacian.")
    weight: float = Field(gt=0.0, description="Weight of the prior; larger values give smoother results.")
    steps: int = Field(default=8, ge=1, description="Half-quadratic steps; the coupling begins at 4 weights and doubles.")


FINAL_STEPS = {"tv": Final(power=1.0, weight=4e-3), "hyper": Final(power=0.8, weight=2e-3)}
"""Final steps of blind deconvolution; strong, because the kernel is not exact."""
KNOWN_KERNEL = Final(power=1.0, weight=1e-3)
"""For the true kernel, with noise of about 1.5 code values."""


def deconvolve(blurry: Image, kernel: Kernel, final: Final) -> Image:
    """Restore a picture that was blurred by a known kernel.

    The blurry picture beyond its border is unknown; it is taken to be the blurred estimate.

    Args:
        blurry: uint8 [H, W, 3].
        kernel: The kernel, float32 [k, k].
        final: The prior and its weight.

    Returns:
        uint8 [H, W, 3].
    """
    height, width = blurry.shape[:2]
    known = (slice(None), slice(0, height), slice(0, width))
    planes = blurry.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    sharp = closed(planes, kernel.shape[0])
    system = LeastSquares(kernel, *sharp.shape[-2:])
    coupling = 4 * final.weight
    for _ in range(final.steps):
        target = system.blurred(sharp)
        target[known] = planes
        slopes = shrunk(gradients(sharp), final.weight / (2 * coupling), final.power)
        sharp = system.solve(system.data(target), slopes, coupling)
        coupling *= 2
    return np.asarray(np.rint(np.clip(sharp[known], 0, 1) * 255), np.uint8).transpose(1, 2, 0).copy()


def shrunk(slopes: Planes, weight: float, power: float) -> Planes:
    """Find the gradients w that minimise ``|w - v|^2 / 2 + weight |w|^power`` for given ones, v, float32 [2, ..., H, W].

    For power 1 the length of each gradient is shrunk; below, both directions by themselves, by generalised shrinkage
    (W. Zuo et al., "A generalized iterated shrinkage algorithm for non-convex sparse coding", 2013).
    """
    if power == 1.0:
        length = np.linalg.norm(slopes, axis=0, keepdims=True)
        kept_share = np.maximum(1 - weight / np.maximum(length, 1e-9), 0)
        return np.asarray(slopes * kept_share, np.float32)
    size = np.abs(slopes)
    smallest = (2 * weight * (1 - power)) ** (1 / (2 - power))
    threshold = smallest + weight * power * smallest ** (power - 1)
    kept = np.where(size > threshold, size, np.float32(1))
    lengths = kept
    for _ in range(SHRINKING_STEPS):
        lengths = kept - np.float32(weight * power) * lengths ** (power - 1)
    return np.where(size > threshold, np.sign(slopes) * lengths, np.float32(0))
