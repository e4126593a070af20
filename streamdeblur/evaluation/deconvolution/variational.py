"""Blind deconvolution by variational Bayes: the kernel is fitted to all edges that are probable, instead of to the best ones.

Gradients ``y = k * x + n`` in both directions, with noise n of variance s. Each sharp gradient x_i has a Gaussian prior of a
variance g_i of its own, which is estimated as well; as a mixture of Gaussians this is the prior ``p(x_i) ~ 1 / |x_i|``, whose
logarithm is -log |x_i|. The posterior of x is taken for Gaussian with independent pixels. One round:

1. mean of the posterior: ``(K'K / s + diag(1 / g)) x = K'y / s``, by conjugate gradients;
2. its variances: ``c_i = 1 / (|k|^2 / s + 1 / g_i)``;
3. variances of the prior: ``g_i = x_i^2 + c_i``, the second moments of the posterior;
4. kernel: the k >= 0 that minimises ``|k * x - y|^2 + |k|^2 sum_i c_i``, then its sum is made 1;
5. the noise, in which the two methods differ.

The term with c is what a point estimate of x lacks: it keeps the kernel from no blur, which would explain any picture (A. Levin
et al., "Understanding and evaluating blind deconvolution algorithms", 2009). That the methods agree but for the noise was shown
by D. Wipf & H. Zhang, "Revisiting Bayesian blind deconvolution", 2014.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from streamdeblur.evaluation.deconvolution.fourier import Kernel, LeastSquares, Planes, gradients, planes_of, spectrum
from streamdeblur.evaluation.deconvolution.scales import Estimation, cleaned, enlarged, identity_kernel, scales

LEAST_VARIANCE = 1e-9
"""Of a gradient; smaller ones make no difference in float32."""


@dataclass(frozen=True)
class _VariationalBayes(ABC):
    """The rounds that the methods share; how the noise goes on from round to round is theirs."""

    rounds: int
    """At each scale."""
    steps: int
    """Of conjugate gradients in each round."""
    first: float
    """Variance of the noise of gradients in the first round of each scale."""

    def __call__(self, blurry: NDArray[np.uint8], settings: Estimation) -> Kernel:
        """Estimate the kernel that blurred a picture; see `estimate_kernel`."""
        kernel = identity_kernel()
        for plane, side in scales(blurry, settings):
            posterior = _Posterior(gradients(plane), self.steps)
            kernel, noise = enlarged(kernel, side), self.first
            for _ in range(self.rounds):
                kernel = posterior.update(kernel, noise)
                noise = self._next_noise(posterior, kernel, noise)
            kernel = cleaned(kernel, settings)
        return kernel

    @abstractmethod
    def _next_noise(self, posterior: _Posterior, kernel: Kernel, noise: float) -> float:
        """The variance of the noise in the next round, from that of this one."""


@dataclass(frozen=True)
class AnnealedNoise(_VariationalBayes):
    """Variational Bayes with the logarithmic prior, which has no parameters; the noise is lowered from round to round.

    S. D. Babacan, R. Molina, M. N. Do & A. K. Katsaggelos, "Bayesian blind deconvolution with general sparse image priors", 2012.
    They treat any prior ``exp(-rho(x))`` for which rho(sqrt(x)) is concave: the variance of a gradient is then v / rho'(v), where
    v^2 is the second moment of its posterior. For rho = log this is v^2, step 3.
    """

    rounds: int = 15
    steps: int = 8
    first: float = 3e-3
    decay: float = 1.5
    """It is divided by this after each round."""
    lowest: float = 3e-5
    """The smallest variance."""

    def _next_noise(self, posterior: _Posterior, kernel: Kernel, noise: float) -> float:
        return max(noise / self.decay, self.lowest)


@dataclass(frozen=True)
class CoupledPrior(_VariationalBayes):
    """Variational Bayes with a prior that couples the picture, the kernel and the noise, which is estimated; for one picture.

    H. Zhang, D. Wipf & Y. Zhang, "Multi-image blind deblurring using a coupled adaptive sparse prior", 2013. The cost is
    ``|k * x - y|^2 / s + sum_i min_g (x_i^2 / g_i + log(s + g_i |k|^2)) + n log s`` up to constants: while the noise s is large,
    the penalty of x is nearly convex, and it approaches log |x| as s falls. So the shape of the prior adapts by itself, and
    nothing has to be lowered on a schedule. With more pictures, x is shared and each one has its k and s. The noise becomes
    ``s = (|k * x - y|^2 + |k|^2 sum_i c_i) / n``.
    """

    rounds: int = 15
    steps: int = 6
    first: float = 3e-3
    lowest: float = 2e-5
    """Added to the variance: that of values that are rounded to code values."""

    def _next_noise(self, posterior: _Posterior, kernel: Kernel, noise: float) -> float:
        return posterior.noise(kernel) + self.lowest


ROUNDING = 1e-6
"""Smaller differences of two pixels in [0, 1] are rounding errors of float32."""


class _Posterior:
    """The posterior of the sharp gradients, for the blurry ones, float32 [2, H, W]."""

    def __init__(self, blurry: Planes, steps: int) -> None:
        # what is left of rounding errors in a picture without edges is no motion
        blurry = np.where(np.abs(blurry) < ROUNDING, np.float32(0), blurry)
        self._blurry, self._spectrum, self._steps = blurry, spectrum(blurry), steps
        self._mean = blurry
        self._prior = np.full(blurry.shape, np.square(blurry).mean() + LEAST_VARIANCE, np.float32)
        self._uncertainty = 0.0

    def update(self, kernel: Kernel, noise: float) -> Kernel:
        """Update the gradients for a kernel and a variance of the noise, and return the kernel that fits them (steps 1 to 4)."""
        system = LeastSquares(kernel, *self._blurry.shape[1:])
        energy = float(np.square(kernel).sum())
        self._mean = _solved(system, self._blurry, np.float32(noise) / self._prior, energy, self._mean, self._steps)
        variances = 1 / (np.float32(energy / noise) + 1 / self._prior)
        self._prior = np.maximum(np.square(self._mean) + variances, np.float32(LEAST_VARIANCE))
        self._uncertainty = float(variances.sum(dtype=np.float64))
        return _fitted(self._mean, self._spectrum, self._uncertainty, kernel)

    def noise(self, kernel: Kernel) -> float:
        """Return the mean square of the blurry gradients' difference from those of the posterior, blurred by a kernel."""
        system = LeastSquares(kernel, *self._blurry.shape[1:])
        error = np.square(system.blurred(self._mean) - self._blurry).sum(dtype=np.float64)
        return float((error + np.square(kernel).sum() * self._uncertainty) / self._blurry.size)


def _solved(system: LeastSquares, blurry: Planes, weights: Planes, energy: float, start: Planes, steps: int) -> Planes:
    """Solve ``(K'K + diag(weights)) x = K'y`` by preconditioned conjugate gradients (Hestenes & Stiefel 1952)."""

    def applied(planes: Planes) -> Planes:
        return system.blurred_back(planes) + weights * planes

    x, diagonal = start, np.float32(energy) + weights
    rest = system.correlated(blurry) - applied(x)
    towards = preconditioned = rest / diagonal
    length = float(np.vdot(rest, preconditioned))
    for _ in range(steps):
        if length <= 0:
            break
        image = applied(towards)
        step = np.float32(length / float(np.vdot(towards, image)))
        x = np.asarray(x + step * towards, np.float32)
        rest = rest - step * image
        preconditioned = rest / diagonal
        length, before = float(np.vdot(rest, preconditioned)), length
        towards = preconditioned + np.float32(length / before) * towards
    return x


FIT_STEPS = 60
"""Of projected gradients, for the kernel of one round."""
LEAST_SUM = 1e-4
"""Of a kernel before it is normalised; a smaller one explains nothing of the picture."""


def _fitted(edges: Planes, blurry: NDArray[np.complex64], ridge: float, start: Kernel) -> Kernel:
    """The kernel k >= 0 that minimises ``|k * edges - y|^2 + ridge |k|^2``, divided by its sum.

    Both products are correlations of which only the lags within the kernel matter, so that each step of the accelerated projected
    gradients (Beck & Teboulle 2009) is a convolution of small planes.
    """
    side = start.shape[0]
    found = spectrum(edges)
    around = _lags(planes_of(np.square(np.abs(found)).sum(0).astype(np.complex64), *edges.shape[1:]), side - 1)
    wanted = _lags(planes_of((np.conj(found) * blurry).sum(0), *edges.shape[1:]), side // 2)
    around[side - 1, side - 1] += np.float32(ridge)
    rate = np.float32(1 / np.abs(scipy.fft.fft2(around)).max())
    kernel = ahead = start
    momentum = 1.0
    for _ in range(FIT_STEPS):
        slope = cv2.filter2D(ahead, -1, around, borderType=cv2.BORDER_CONSTANT) - wanted
        before, kernel = kernel, np.asarray(np.maximum(ahead - rate * slope, 0), np.float32)
        momentum, last = (1 + np.sqrt(1 + 4 * momentum**2)) / 2, momentum
        ahead = kernel + np.float32((last - 1) / momentum) * (kernel - before)
    total = kernel.sum()
    return np.asarray(kernel / total, np.float32) if total > LEAST_SUM else identity_kernel(side)


def _lags(plane: Planes, reach: int) -> Planes:
    """The values at lags of at most `reach` of a correlation whose lag 0 is its first pixel."""
    return np.roll(plane, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
