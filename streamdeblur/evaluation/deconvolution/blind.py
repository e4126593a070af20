"""Blind deconvolution: alternating estimation of the blur kernel and of the sharp edges, from coarse to fine.

The scheme is that of Krishnan et al. 2011, Xu et al. 2013 and Pan et al. 2014 and 2016, who differ in the prior on sharp edges
(`priors`).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from streamdeblur.evaluation.deconvolution.fourier import (
    Kernel,
    LeastSquares,
    Planes,
    Spectrum,
    closed,
    gradients,
    planes_of,
    spectrum,
)
from streamdeblur.evaluation.deconvolution.priors import Prior
from streamdeblur.options import Settings

SMALLEST_SIDE = 3
"""Side in px of the kernel at the coarsest scale."""


class Estimation(Settings):
    """Settings of the estimation of a kernel."""

    side: int = Field(default=41, ge=SMALLEST_SIDE, description="Odd side in px of the kernel; its largest extent.")
    rounds: int = Field(default=5, ge=1, description="At each scale, of sharpening the edges and fitting the kernel.")
    decay: float = Field(default=1.1, ge=1.0, description="The prior's weight is divided by it after each round.")
    ridge: float = Field(default=20.0, gt=0.0, description="Weight of the kernel's squares against the fit of the gradients.")
    faintest: float = Field(default=0.1, ge=0.0, lt=1.0, description="Taps below this share of the largest one are noise.")
    island: float = Field(default=0.1, ge=0.0, lt=1.0, description="Isolated groups of taps with a smaller sum are noise.")

    @field_validator("side")
    @classmethod
    def _check_side(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("the side of a kernel is odd")
        return value


def estimate_kernel(blurry: NDArray[np.uint8], prior: Prior, settings: Estimation | None = None) -> Kernel:
    """Estimate the kernel that blurred a picture.

    Args:
        blurry: uint8 RGB [H, W, 3].
        prior: The prior on sharp edges.
        settings: Settings of the estimation.

    Returns:
        float32 [side, side] of sum 1, with its centroid in the middle.
    """
    settings = settings or Estimation()
    luma = cv2.cvtColor(blurry, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    kernel, weight = _identity_kernel(SMALLEST_SIDE), prior.weight
    for side in _sides(settings.side):
        plane = closed(_scaled(luma, side / settings.side), side)
        wanted = spectrum(gradients(plane))
        kernel = _enlarged(kernel, side)
        for _ in range(settings.rounds):
            edges = prior.edges(plane, LeastSquares(kernel, *plane.shape), weight)
            kernel = _fitted(edges, wanted, side, settings)
            weight = max(weight / settings.decay, prior.lowest)
    return kernel


def _sides(largest: int) -> list[int]:
    """Odd sides of the kernel from coarse to fine, each about sqrt(2) times the one before."""
    sides = [largest]
    while sides[-1] > SMALLEST_SIDE:
        sides.append(max(SMALLEST_SIDE, min(sides[-1] - 2, 2 * round((sides[-1] / np.sqrt(2) - 1) / 2) + 1)))
    return sides[::-1]


def _scaled(luma: Planes, scale: float) -> Planes:
    size = [max(1, round(side * scale)) for side in luma.shape[::-1]]
    return luma if scale == 1.0 else np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)


def _identity_kernel(side: int) -> Kernel:
    """The kernel of no blur."""
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2, side // 2] = 1.0
    return kernel


def _enlarged(kernel: Kernel, side: int) -> Kernel:
    if kernel.shape[0] == side:
        return kernel
    larger = np.maximum(cv2.resize(kernel, (side, side), interpolation=cv2.INTER_CUBIC), 0)
    return _centred(np.asarray(larger / larger.sum(), np.float32))


def _fitted(edges: Planes, wanted: Spectrum, side: int, settings: Estimation) -> Kernel:
    """The kernel k that minimises ``|k * edges - wanted|^2 + ridge |k|^2``, in closed form (S. Cho & S. Lee 2009, eq. 7), then
    made compact, non-negative and of sum 1."""
    found = spectrum(edges)
    power = np.square(np.abs(found)).sum(0) + settings.ridge
    kernel = planes_of((np.conj(found) * wanted).sum(0) / power, *edges.shape[1:])
    kernel = np.roll(kernel, (side // 2, side // 2), (0, 1))[:side, :side]
    kernel = np.where(kernel > settings.faintest * kernel.max(), kernel, np.float32(0))
    kernel = _without_islands(kernel, settings.island)
    total = kernel.sum()
    # A picture without edges contains no information about its blur.
    return _centred(kernel / total) if total > 0 else _identity_kernel(side)


def _without_islands(kernel: Kernel, share: float) -> Kernel:
    """Remove connected groups of taps whose sum is below this fraction of the whole: the path of a camera is connected."""
    _, labels = cv2.connectedComponents((kernel > 0).astype(np.uint8), connectivity=8)
    sums = np.bincount(labels.ravel(), kernel.ravel())
    return np.where(sums[labels] >= share * sums.sum(), kernel, np.float32(0))


def _centred(kernel: Kernel) -> Kernel:
    """Move the kernel by whole pixels so that its centroid is in the middle and the restored picture is not shifted."""
    places = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
    down, across = (round(float(kernel.sum(axis) @ places)) for axis in (1, 0))
    return np.roll(kernel, (-down, -across), (0, 1))
