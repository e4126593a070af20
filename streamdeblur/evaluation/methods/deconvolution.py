"""Our own deconvolutions as methods: blind ones, and one that uses the true kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.deconvolution.blind import estimate_kernel
from streamdeblur.evaluation.deconvolution.fourier import Kernel
from streamdeblur.evaluation.deconvolution.nonblind import FINAL_STEPS, KNOWN_KERNEL, Final, deconvolve
from streamdeblur.evaluation.deconvolution.priors import KERNEL_PRIORS, Prior
from streamdeblur.evaluation.deconvolution.scales import Estimation
from streamdeblur.evaluation.deconvolution.variational import AnnealedNoise, CoupledPrior
from streamdeblur.evaluation.methods.per_face import PerFaceMethod, versioned
from streamdeblur.known_names import shown, suggestion

ESTIMATION = Estimation()

Estimator = Callable[[Image, Estimation], Kernel]
"""Estimates the kernel of a blurry picture; its repr names all that the result depends on."""


@dataclass(frozen=True)
class _ByPrior:
    """Estimates kernels by sharp edges under a prior."""

    prior: Prior

    def __call__(self, blurry: Image, settings: Estimation) -> Kernel:
        return estimate_kernel(blurry, self.prior, settings)


KERNEL_ESTIMATORS: dict[str, Estimator] = {
    **{name: _ByPrior(prior) for name, prior in KERNEL_PRIORS.items()},
    "babacan": AnnealedNoise(),
    "zhang": CoupledPrior(),
}
"""The estimators of kernels that need nothing but the picture, by the names of their methods."""


def blind(estimator: str, final: str) -> PerFaceMethod:
    """Make a method of blind deconvolution: the kernel is estimated, then a final step restores the picture.

    Args:
        estimator: One of `KERNEL_ESTIMATORS`.
        final: One of `FINAL_STEPS`; '' is ``tv``.

    Raises:
        OptionError: The final step is unknown.
    """
    chosen, step = KERNEL_ESTIMATORS[estimator], final_step(f"{estimator}:", final)
    name = f"{estimator}:{final}" if final else estimator
    return PerFaceMethod(name, versioned(f"{chosen!r} {ESTIMATION!r} {step!r}"), partial(_restored, chosen, step), parallel=True)


def final_step(prefix: str, name: str) -> Final:
    """Return the final step of this name; '' is ``tv``.

    Raises:
        OptionError: It is unknown; the message lists the known ones, each after the prefix.
    """
    if name and name not in FINAL_STEPS:
        known = [f"{prefix}{step}" for step in FINAL_STEPS]
        raise OptionError(f"Unknown final step in {shown(prefix + name)}. {suggestion(prefix + name, known)}")
    return FINAL_STEPS[name or "tv"]


def _restored(estimator: Estimator, final: Final, case: Case) -> Image:
    return deconvolve(case.blurry, estimator(case.blurry, ESTIMATION), final)


def known_kernel() -> PerFaceMethod:
    """Make a method of deconvolution with the true kernel of a case, under total variation."""
    return PerFaceMethod("tv-oracle", versioned(f"true kernel {KNOWN_KERNEL!r}"), _restored_by_true_kernel, parallel=True)


def _restored_by_true_kernel(case: Case) -> Image:
    if case.kernel is None:
        raise MethodError(
            f"{case.name} has no known kernel: 'tv-oracle' needs the protocol 'synthetic' and the response 'identity'."
        )
    return deconvolve(case.blurry, case.kernel, KNOWN_KERNEL)
