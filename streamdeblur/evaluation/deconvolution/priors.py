"""The priors of five methods on sharp pictures: each estimates sharp edges of a blurry picture, given a kernel.

The constants are for luma in [0, 1]. Those that differ from the papers were chosen on faces (docs/methods.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.deconvolution.fourier import LeastSquares, Planes, gradients

STRONGEST = 1e5
"""The coupling of a picture to the gradients that its prior would have grows up to this."""
STRONGEST_IMAGE = 0.1
"""The same of the coupling to the intensities that it would have."""


class Prior(Protocol):
    """A prior on sharp pictures."""

    @property
    def weight(self) -> float:
        """Its weight against the data, at the beginning of an estimation."""

    @property
    def lowest(self) -> float:
        """The smallest weight: lower values find finer edges, but also noise."""

    def edges(self, blurry: Planes, system: LeastSquares, weight: float) -> Planes:
        """Estimate the sharp picture's gradients, float32 [2, H, W], from a blurry one of this system's size, float32 [H, W]."""


@dataclass(frozen=True)
class NormalisedSparsity:
    """``|g|_1 / |g|_2`` of the gradients: blur lowers the second norm more than the first.

    D. Krishnan, T. Tay & R. Fergus, "Blind deconvolution using a normalized sparsity measure", 2011. Gradients are
    deconvolved in place of the picture; the second norm is that of the step before, as there.
    """

    weight: float = 2.0
    lowest: float = 0.04
    steps: int = 2
    growth: float = 2.0
    strongest: float = 1e3
    """The largest coupling, in units of the first."""

    def edges(self, blurry: Planes, system: LeastSquares, weight: float) -> Planes:
        found = gradients(blurry)
        data = system.data(found)
        for _ in range(self.steps):
            norm = float(np.linalg.norm(found)) or 1.0
            coupling = first = weight / 2
            while coupling < self.strongest * first:
                # the minimiser of weight |u|_1 / norm + coupling |u - found|^2
                shrunk = np.sign(found) * np.maximum(np.abs(found) - weight / (2 * norm * coupling), 0.0)
                found = system.solve(data, image=shrunk, m=coupling)
                coupling *= self.growth
        return found


@dataclass(frozen=True)
class UnnaturalL0:
    """The number of gradients that are not zero, approached by functions that are less and less smooth.

    L. Xu, S. Zheng & J. Jia, "Unnatural L0 sparse representation for natural image deblurring", 2013. Their last width,
    1/8, is that of strong edges; faces have few, so two more follow.
    """

    weight: float = 8e-3
    lowest: float = 1e-3
    widths: tuple[float, ...] = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)
    """epsilon: gradients below are taken for zero."""
    steps: int = 2
    """With each width."""

    def edges(self, blurry: Planes, system: LeastSquares, weight: float) -> Planes:
        data, sharp = system.data(blurry), blurry
        for width in np.repeat(self.widths, self.steps):
            found = gradients(sharp)
            sharp = system.solve(data, np.where(np.abs(found) > width, found, np.float32(0)), weight / width**2)
        return gradients(sharp)


@dataclass(frozen=True)
class L0Gradients:
    """The number of gradients that are not zero, with half-quadratic steps; for edges that come from elsewhere (`exemplars`)."""

    weight: float = 4e-3
    lowest: float = 3e-4

    def edges(self, blurry: Planes, system: LeastSquares, weight: float) -> Planes:
        return _l0_edges(blurry, system, weight)


@dataclass(frozen=True)
class L0Intensity:
    """The number of gradients, and of pixels, that are not zero.

    J. Pan, Z. Hu, Z. Su & M.-H. Yang, "Deblurring text images via L0-regularized intensity and gradient prior", 2014.
    Faces are not black on white as text is, so the second term is weak.
    """

    weight: float = 4e-3
    lowest: float = 3e-4
    share: float = 0.1
    """Weight of the intensities in units of the whole."""

    def edges(self, blurry: Planes, system: LeastSquares, weight: float) -> Planes:
        def darkened(sharp: Planes, coupling: float) -> Planes:
            return np.where(np.square(sharp) < self.share * weight / coupling, np.float32(0), sharp)

        return _l0_edges(blurry, system, weight, darkened)


@dataclass(frozen=True)
class DarkChannel:
    """The number of gradients, and of minima of patches, that are not zero: blur makes dark pixels brighter.

    J. Pan, D. Sun, H. Pfister & M.-H. Yang, "Blind image deblurring using dark channel prior", 2016.
    """

    weight: float = 4e-3
    lowest: float = 3e-4
    share: float = 0.1
    """Weight of the dark channel in units of the whole."""
    patch: int = 9
    """Side in px."""

    def edges(self, blurry: Planes, system: LeastSquares, weight: float) -> Planes:
        def darkened(sharp: Planes, coupling: float) -> Planes:
            dark = np.square(sharp) < self.share * weight / coupling
            return np.where(dark & minima(sharp, self.patch), np.float32(0), sharp)

        return _l0_edges(blurry, system, weight, darkened)


def minima(plane: Planes, patch: int) -> NDArray[np.bool_]:
    """Mark the pixels of a plane, float32 [H, W], that are the least of a patch that they lie in: bool [H, W].

    They are those that the morphological opening, the largest of the patches' minima, leaves as they are.
    """
    opened = cv2.morphologyEx(plane, cv2.MORPH_OPEN, np.ones((patch, patch), np.uint8))
    return np.asarray(opened >= plane, np.bool_)


def _l0_edges(
    blurry: Planes, system: LeastSquares, weight: float, darkened: Callable[[Planes, float], Planes] | None = None
) -> Planes:
    """Half-quadratic steps for the number of gradients in each direction, with an image that `darkened` makes of the last one
    and its coupling."""
    data, sharp, coupling = system.data(blurry), blurry, 2 * weight
    while coupling < STRONGEST:
        slopes = gradients(sharp)
        slopes = np.where(np.square(slopes) < weight / coupling, np.float32(0), slopes)
        to_image = min(coupling, STRONGEST_IMAGE) if darkened else 0.0
        sharp = system.solve(data, slopes, coupling, darkened(sharp, to_image) if darkened else None, to_image)
        coupling *= 2
    return gradients(sharp)


KERNEL_PRIORS: dict[str, Prior] = {
    "krishnan": NormalisedSparsity(),
    "xu": UnnaturalL0(),
    "pan-l0": L0Intensity(),
    "dark-channel": DarkChannel(),
}
"""The priors under which a kernel can be estimated, by the names of their methods."""
