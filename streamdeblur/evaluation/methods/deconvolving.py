"""Our own deconvolutions as methods: blind ones by their prior, and the one that is told the kernel."""

from __future__ import annotations

from functools import partial

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.deconvolution.blind import Estimation, estimate_kernel
from streamdeblur.evaluation.deconvolution.nonblind import FINAL_STEPS, KNOWN_KERNEL, Final, deconvolve
from streamdeblur.evaluation.deconvolution.priors import KERNEL_PRIORS, Prior
from streamdeblur.evaluation.methods.faces import FaceByFace, versioned

ESTIMATION = Estimation()


def blind(prior: str, final: str) -> FaceByFace:
    """The kernel estimated under a prior (`KERNEL_PRIORS`), then a final step: tv, which '' stands for, or hyper.

    Raises:
        OptionError: no such final step.
    """
    name = f"{prior}:{final}" if final else prior
    if final and final not in FINAL_STEPS:
        raise OptionError(f"Unknown final step in '{name}'. Known: {', '.join(f'{prior}:{step}' for step in FINAL_STEPS)}.")
    chosen, step = KERNEL_PRIORS[prior], FINAL_STEPS[final or "tv"]
    return FaceByFace(name, versioned(f"{chosen!r} {ESTIMATION!r} {step!r}"), partial(_restored, chosen, step), apart=True)


def _restored(prior: Prior, final: Final, case: Case) -> Image:
    return deconvolve(case.blurry, estimate_kernel(case.blurry, prior, ESTIMATION), final)


def known_kernel() -> FaceByFace:
    """Total variation with the true kernel of a case."""
    return FaceByFace("tv-oracle", versioned(f"true kernel {KNOWN_KERNEL!r}"), _restored_by_true_kernel, apart=True)


def _restored_by_true_kernel(case: Case) -> Image:
    if case.kernel is None:
        raise MethodError(f"{case.name} has no known kernel: 'tv-oracle' needs the protocol 'synthetic' in code values.")
    return deconvolve(case.blurry, case.kernel, KNOWN_KERNEL)
