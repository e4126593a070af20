"""Blind deconvolution: alternating estimation of the blur kernel and of the sharp edges, from coarse to fine.

The scheme is that of Krishnan et al. 2011, Xu et al. 2013 and Pan et al. 2014 and 2016, who differ in the prior on sharp edges
(`priors`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.deconvolution.fourier import Kernel, LeastSquares, Planes, Spectrum, gradients, planes_of, spectrum
from streamdeblur.evaluation.deconvolution.priors import Prior
from streamdeblur.evaluation.deconvolution.scales import Estimation, cleaned, enlarged, identity_kernel, scales


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
    kernel, weight = identity_kernel(), prior.weight
    for plane, side in scales(blurry, settings):
        wanted = spectrum(gradients(plane))
        kernel = enlarged(kernel, side)
        for _ in range(settings.rounds):
            edges = prior.edges(plane, LeastSquares(kernel, *plane.shape), weight)
            kernel = fitted_kernel(edges, wanted, side, settings)
            weight = max(weight / settings.decay, prior.lowest)
    return kernel


def fitted_kernel(edges: Planes, wanted: Spectrum, side: int, settings: Estimation) -> Kernel:
    """Find the kernel k that minimises ``|k * edges - wanted|^2 + ridge |k|^2``, in closed form (S. Cho & S. Lee 2009, eq. 7).

    It is then made compact.

    Args:
        edges: Sharp gradients, float32 [2, H, W].
        wanted: The spectrum of the blurry ones.
        side: Side of the kernel.
        settings: Settings of the estimation.
    """
    found = spectrum(edges)
    power = np.square(np.abs(found)).sum(0) + settings.ridge
    kernel = planes_of((np.conj(found) * wanted).sum(0) / power, *edges.shape[1:])
    return cleaned(np.roll(kernel, (side // 2, side // 2), (0, 1))[:side, :side], settings)
