"""Blind deconvolution of faces, whose salient edges are those of the most similar one of a set of sharp faces.

J. Pan, Z. Hu, Z. Su & M.-H. Yang, "Deblurring face images with exemplars", 2014. A blurry face has few edges that can be trusted,
but all faces have the same contours: the lower outline, the eyes and the mouth. So:

1. **Match**: of the exemplars T_i take the one whose gradients correlate best with those of the blurry face B, over all shifts t:
   ``max_t sum grad B(x) grad T_i(x + t) / (|grad B| |grad T_i|)``.
2. **Salient edges**: ``grad S`` is the gradient of that exemplar on its contours, and 0 elsewhere.
3. **Kernel**: the k that minimises ``|k * grad S - grad B|^2 + ridge |k|^2``, in closed form. The ridge is 20 (`Estimation`).
4. **Face**: the I that minimises ``|k * I - B|^2 + weight |grad I|_0``, by half-quadratic steps; its gradients are the next
   ``grad S``. Steps 3 and 4 alternate 30 times at the full resolution: the edges of step 2 take the place of coarser scales. The
   weight begins at 0.004 (`L0Gradients`) and is divided by 1.1 after each round, down to 0.0003.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from streamdeblur.evaluation.deconvolution.blind import fitted_kernel
from streamdeblur.evaluation.deconvolution.fourier import Kernel, LeastSquares, Planes, Spectrum, closed, gradients, spectrum
from streamdeblur.evaluation.deconvolution.priors import L0Gradients
from streamdeblur.evaluation.deconvolution.scales import Estimation, luma_of

MATCHED_SIDE = 64
"""Side in px of the pictures whose gradients are matched."""
FARTHEST = 1 / 8
"""Largest shift of an exemplar, as a fraction of the side."""
THICKNESS = 1 / 50
"""Width of a contour, as a fraction of the side: salient edges are not exactly at the landmarks."""
OPEN_CONTOURS = (slice(0, 17),)
"""The lower outline of a face among 68 landmarks."""
CLOSED_CONTOURS = (slice(36, 42), slice(42, 48), slice(48, 60), slice(60, 68))
"""The eyes, and the outer and inner edge of the lips."""


@dataclass(frozen=True, eq=False)
class Exemplar:
    """A sharp face and its landmarks."""

    luma: Planes
    """float32 [S, S] in [0, 1]."""
    landmarks: NDArray[np.float64]
    """float64 [68, 2], x and y in pixels."""

    def contours(self) -> Planes:
        """Return a mask of its lower outline, eyes and mouth: float32 [S, S], 1 there and 0 elsewhere."""
        side = len(self.luma)
        mask = np.zeros((side, side), np.float32)
        for parts, is_closed in ((OPEN_CONTOURS, False), (CLOSED_CONTOURS, True)):
            lines = [np.rint(self.landmarks[part]).astype(np.int32) for part in parts]
            cv2.polylines(mask, lines, is_closed, 1.0, max(1, round(side * THICKNESS)))
        return mask


class ExemplarEdges:
    """Estimates kernels with the contours of exemplars."""

    prior = L0Gradients()
    rounds = 30
    """Of steps 3 and 4."""

    def __init__(self, exemplars: Sequence[Exemplar]) -> None:
        """Take the exemplars: one at least, in windows like those of the faces that are restored."""
        self._exemplars = exemplars
        small = [cv2.resize(one.luma, (MATCHED_SIDE,) * 2, interpolation=cv2.INTER_AREA) for one in exemplars]
        self._spectra = _unit_spectra(np.stack(small).astype(np.float32))

    def __call__(self, blurry: NDArray[np.uint8], settings: Estimation) -> Kernel:
        """Estimate the kernel that blurred a face; see `estimate_kernel`."""
        luma = luma_of(blurry)
        plane = closed(luma, settings.side)
        wanted = spectrum(gradients(plane))
        edges = np.zeros((2, *plane.shape), np.float32)
        edges[:, : luma.shape[0], : luma.shape[1]] = self.salient(luma)
        kernel, weight = fitted_kernel(edges, wanted, settings.side, settings), self.prior.weight
        for _ in range(self.rounds):
            edges = self.prior.edges(plane, LeastSquares(kernel, *plane.shape), weight)
            kernel = fitted_kernel(edges, wanted, settings.side, settings)
            weight = max(weight / settings.decay, self.prior.lowest)
        return kernel

    def matched(self, luma: Planes) -> Exemplar:
        """Return the exemplar whose gradients correlate best with those of a blurry face, float32 [H, W]."""
        small = cv2.resize(luma, (MATCHED_SIDE,) * 2, interpolation=cv2.INTER_AREA)
        found = _correlations(_unit_spectra(np.asarray(small, np.float32)[None]), self._spectra, MATCHED_SIDE)
        return self._exemplars[int(found.max((1, 2)).argmax())]

    def salient(self, luma: Planes) -> Planes:
        """Return the gradients of the best exemplar on its contours, moved to a blurry face: float32 [2, H, W] of [H, W]."""
        exemplar = self.matched(luma)
        side = len(exemplar.luma)
        size = luma.shape[::-1]
        scaled = np.asarray(cv2.resize(luma, (side, side), interpolation=cv2.INTER_AREA), np.float32)
        correlation = _correlations(_unit_spectra(scaled[None]), _unit_spectra(exemplar.luma[None]), side)[0]
        down, across = np.unravel_index(correlation.argmax(), correlation.shape)
        reach = round(side * FARTHEST)
        shift = np.array([[1, 0, across - reach], [0, 1, down - reach]], np.float32)
        moved, mask = (cv2.warpAffine(one, shift, (side, side), borderMode=cv2.BORDER_REPLICATE) for one in
                       (exemplar.luma, exemplar.contours()))  # fmt: skip
        moved, mask = (np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.float32) for one in (moved, mask))
        return gradients(moved) * mask


def _unit_spectra(lumas: Planes) -> Spectrum:
    """Spectra of the gradients of some pictures, each divided by their norm: complex64 [N, 2, S, S // 2 + 1] of [N, S, S]."""
    slopes = gradients(lumas).swapaxes(0, 1).copy()
    # the last difference of each line is one to the opposite border
    slopes[:, 0, :, -1] = slopes[:, 1, -1] = 0
    norms = np.linalg.norm(slopes.reshape(len(lumas), -1), axis=1)
    return spectrum(slopes / np.maximum(norms, 1e-9)[:, None, None, None])


def _correlations(blurry: Spectrum, exemplars: Spectrum, side: int) -> Planes:
    """Correlations of a face with exemplars that are shifted by at most r pixels: float32 [N, 2 r + 1, 2 r + 1]."""
    reach = round(side * FARTHEST)
    product = (blurry * np.conj(exemplars)).sum(1)
    found = np.roll(scipy.fft.irfft2(product, (side, side)), (reach, reach), (1, 2))
    return np.asarray(found[:, : 2 * reach + 1, : 2 * reach + 1], np.float32)
