"""What all estimations of a kernel share: the pyramid from coarse to fine, and which kernels are plausible."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from streamdeblur.evaluation.deconvolution.fourier import Kernel, Planes, closed
from streamdeblur.settings import Settings

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


def luma_of(blurry: NDArray[np.uint8]) -> Planes:
    """Return the luma of a picture, uint8 RGB [H, W, 3], in [0, 1]: float32 [H, W]."""
    return np.asarray(cv2.cvtColor(blurry, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255))


def scales(blurry: NDArray[np.uint8], settings: Estimation) -> Iterator[tuple[Planes, int]]:
    """Yield the luma of a picture as a periodic plane, and the side of the kernel, from the coarsest scale to the finest."""
    luma = luma_of(blurry)
    for side in _sides(settings.side):
        yield closed(_scaled(luma, side / settings.side), side), side


def _sides(largest: int) -> list[int]:
    """Odd sides of the kernel from coarse to fine, each about sqrt(2) times the one before."""
    sides = [largest]
    while sides[-1] > SMALLEST_SIDE:
        sides.append(max(SMALLEST_SIDE, min(sides[-1] - 2, 2 * round((sides[-1] / np.sqrt(2) - 1) / 2) + 1)))
    return sides[::-1]


def _scaled(luma: Planes, scale: float) -> Planes:
    size = [max(1, round(side * scale)) for side in luma.shape[::-1]]
    return luma if scale == 1.0 else np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)


def identity_kernel(side: int = SMALLEST_SIDE) -> Kernel:
    """Return the kernel of no blur."""
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2, side // 2] = 1.0
    return kernel


def enlarged(kernel: Kernel, side: int) -> Kernel:
    """Return a kernel at the scale where it has this side."""
    if kernel.shape[0] == side:
        return kernel
    larger = np.maximum(cv2.resize(kernel, (side, side), interpolation=cv2.INTER_CUBIC), 0)
    return _centred(np.asarray(larger / larger.sum(), np.float32))


def cleaned(kernel: Kernel, settings: Estimation) -> Kernel:
    """Make a kernel compact, not negative, of sum 1 and with its centroid in the middle; one without taps is that of no blur."""
    kernel = np.where(kernel > settings.faintest * kernel.max(), kernel, np.float32(0))
    kernel = _without_islands(kernel, settings.island)
    total = kernel.sum()
    # A picture without edges contains no information about its blur.
    return _centred(kernel / total) if total > 0 else identity_kernel(kernel.shape[0])


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
