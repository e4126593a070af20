"""Our own deconvolutions as methods: blind ones by their prior, and one that uses the true kernel."""

from __future__ import annotations

from functools import partial

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.deconvolution.blind import Estimation, estimate_kernel
from streamdeblur.evaluation.deconvolution.nonblind import FINAL_STEPS, KNOWN_KERNEL, Final, deconvolve
from streamdeblur.evaluation.deconvolution.priors import KERNEL_PRIORS, Prior
from streamdeblur.evaluation.methods.per_face import PerFaceMethod, versioned
from streamdeblur.known_names import shown, suggestion

ESTIMATION = Estimation()


def blind(prior: str, final: str) -> PerFaceMethod:
    """Make a method of blind deconvolution: the kernel is estimated under a prior, then a final step restores the picture.

    Args:
        prior: One of `KERNEL_PRIORS`.
        final: One of `FINAL_STEPS`; '' is ``tv``.

    Raises:
        OptionError: The final step is unknown.
    """
    name = f"{prior}:{final}" if final else prior
    if final and final not in FINAL_STEPS:
        raise OptionError(f"Unknown final step in {shown(name)}. {suggestion(name, [f'{prior}:{step}' for step in FINAL_STEPS])}")
    chosen, step = KERNEL_PRIORS[prior], FINAL_STEPS[final or "tv"]
    return PerFaceMethod(name, versioned(f"{chosen!r} {ESTIMATION!r} {step!r}"), partial(_restored, chosen, step), parallel=True)


def _restored(prior: Prior, final: Final, case: Case) -> Image:
    return deconvolve(case.blurry, estimate_kernel(case.blurry, prior, ESTIMATION), final)


def known_kernel() -> PerFaceMethod:
    """Make a method of deconvolution with the true kernel of a case, under total variation."""
    return PerFaceMethod("tv-oracle", versioned(f"true kernel {KNOWN_KERNEL!r}"), _restored_by_true_kernel, parallel=True)


def _restored_by_true_kernel(case: Case) -> Image:
    if case.kernel is None:
        raise MethodError(
            f"{case.name} has no known kernel: 'tv-oracle' needs the protocol 'synthetic' and the response 'identity'."
        )
    return deconvolve(case.blurry, case.kernel, KNOWN_KERNEL)
