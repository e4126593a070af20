"""The lower and upper bound, and classical methods: an unsharp mask, and deconvolution with an assumed kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.methods.per_face import PerFaceMethod, rounded, versioned
from streamdeblur.installation import install_command

UNSHARP = {"radius": 3.0, "amount": 1.0}
"""Arguments of `skimage.filters.unsharp_mask`; the radius is in px."""
SIGMA = 2.0
"""Standard deviation in px of the Gaussian kernel that Richardson-Lucy and Wiener assume, as they do not estimate one."""
LUCY_STEPS = 15
"""Iterations of Richardson-Lucy; more of them ring."""
MARGIN = 16
"""Pixels by which a face is extended with its mirror image before deconvolution, against ringing at the border."""

Plane = NDArray[np.float64]


def blurred() -> PerFaceMethod:
    """Make the method that returns the blurry face unchanged: the lower bound."""
    return PerFaceMethod("blurred", versioned("blurred"), lambda case: case.blurry)


def oracle() -> PerFaceMethod:
    """Make the method that returns the sharp face: the upper bound."""
    return PerFaceMethod("oracle", versioned("oracle"), _sharp)


def _sharp(case: Case) -> Image:
    if case.sharp is None:
        raise MethodError(f"{case.name} has no sharp face. Leave out the method 'oracle'.")
    return case.sharp


def unsharp() -> PerFaceMethod:
    """Make a method of an unsharp mask (scikit-image)."""
    _scikit_image("filters")
    return PerFaceMethod("unsharp", _fingerprint(f"unsharp {UNSHARP}"), _unsharp)


def _unsharp(case: Case) -> Image:
    return rounded(_scikit_image("filters").unsharp_mask(case.blurry, **UNSHARP, channel_axis=2))


def richardson_lucy() -> PerFaceMethod:
    """Make a method of Richardson-Lucy deconvolution (scikit-image) with a Gaussian kernel."""
    step = partial(_scikit_image("restoration").richardson_lucy, num_iter=LUCY_STEPS)
    return PerFaceMethod("richardson-lucy", _fingerprint(f"Richardson-Lucy {SIGMA} {LUCY_STEPS}"), partial(_by_gaussian, step))


def wiener() -> PerFaceMethod:
    """Make a method of Wiener deconvolution with a Gaussian kernel (F. Orieux et al. 2010, scikit-image)."""
    restoration = _scikit_image("restoration")

    def deconvolve(plane: Plane, kernel: Plane) -> Plane:
        # The regularisation is estimated by random sampling; with a fixed seed, each face is always restored in the same way.
        return np.asarray(restoration.unsupervised_wiener(plane, kernel, rng=0)[0])

    return PerFaceMethod("wiener", _fingerprint(f"Wiener {SIGMA}"), partial(_by_gaussian, deconvolve))


def _by_gaussian(deconvolve: Callable[[Plane, Plane], Plane], case: Case) -> Image:
    reach = round(3 * SIGMA)
    profile = np.exp(-np.square(np.arange(-reach, reach + 1)) / (2 * SIGMA**2))
    kernel = np.outer(profile, profile) / profile.sum() ** 2
    padded = np.pad(case.blurry / 255.0, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric")
    restored = np.stack([deconvolve(plane, kernel) for plane in padded.transpose(2, 0, 1)], 2)
    return rounded(restored[MARGIN:-MARGIN, MARGIN:-MARGIN])


def _scikit_image(module: str) -> Any:
    """A module of scikit-image, which has no type information.

    Raises:
        OptionError: scikit-image is not installed.
    """
    try:
        return import_module(f"skimage.{module}")
    except ImportError as error:
        raise OptionError(f"This method needs {error.name}. Install it with: {install_command('eval')}") from None


def _fingerprint(parameters: str) -> str:
    return f"{versioned(parameters)}, scikit-image {version('scikit-image')}"
