"""Fitting psi-hat: the response under which averages of sharp frames become the blurry pictures that a camera took."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError, OptionError
from streamdeblur.installation import install_command
from streamdeblur.training.blur.response import Response

KNOTS = 12
"""Segments of the curve, each with its own slope."""
SAMPLES = 8_000
"""Samples that are fitted, out of those that change from frame to frame: only they distinguish responses."""
LEAST_SAMPLES = 200
LEAST_CHANGE = 8
"""Code values by which a sample must change over the frames."""
SMOOTHNESS = 0.3
"""Weight of neighbouring slopes being alike, in code values: decides where a stretch has few samples."""

Example = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Sharp frames, uint8 [L, H, W, 3], and the blurry picture of the same exposure, uint8 [H, W, 3]."""


def fit_response(examples: Sequence[Example], seed: int = 0) -> Response:
    """Fit the monotone response that explains examples best: ``blurry = psi(mean(psi^-1(frames)))``, eq. 9 of the paper.

    `Response.save` writes it, and `open_response("fitted:FILE")` reads it.

    Args:
        examples: Sharp frames, uint8 [L, H, W, 3], each with the blurry picture of the same exposure, uint8 [H, W, 3].
        seed: Of the choice of samples.

    Raises:
        InputError: Too few samples change over the frames to distinguish responses.
        OptionError: scipy is not installed.
    """
    try:
        optimize: Any = import_module("scipy.optimize")
    except ImportError as error:
        raise OptionError(f"Fitting a response needs {error.name}. Install it with: {install_command('train')}") from None
    frames, blurry = _samples(examples, np.random.default_rng(seed))

    def residuals(slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        curve = _curve(slopes)
        intensity = np.interp(frames, np.arange(256), curve).mean(axis=0)
        misses = np.interp(intensity, curve, np.arange(256)) - blurry
        return np.concatenate([misses / np.sqrt(blurry.size), SMOOTHNESS * np.diff(slopes, 2)])

    # a soft loss: some samples have clipped, or moved between the frames
    found = optimize.least_squares(residuals, _slopes_of_gamma(2.0), loss="soft_l1")
    return Response.from_curve("fitted", _curve(found.x))


def _samples(examples: Sequence[Example], random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frames [L, n] and blurry values [n]; examples of fewer frames repeat theirs in proportion."""
    longest = max((len(frames) for frames, _ in examples), default=0)
    columns, values = [], []
    for frames, blurry in examples:
        changes = np.ptp(frames, axis=0) >= LEAST_CHANGE
        times = np.arange(longest) * len(frames) // max(longest, 1)
        columns.append(frames[times][:, changes])
        values.append(blurry[changes])
    size = sum(value.size for value in values)
    if size < LEAST_SAMPLES:
        raise InputError(f"Too little moves in the {len(examples)} examples to fit a response ({size} samples that change).")
    every, all_values = np.concatenate(columns, axis=1), np.concatenate(values)
    chosen = random.choice(size, min(size, SAMPLES), replace=False)
    return every[:, chosen].astype(np.float64), all_values[chosen].astype(np.float64)


def _curve(slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intensity of the 256 code values, rising from 0 to 1; `slopes` are logarithms."""
    rises = np.exp(slopes - slopes.max()) + 1e-6
    heights = np.concatenate([[0.0], np.cumsum(rises)]) / rises.sum()
    curve: NDArray[np.float64] = np.interp(np.arange(256), np.linspace(0, 255, KNOTS + 1), heights)
    return curve


def _slopes_of_gamma(exponent: float) -> NDArray[np.float64]:
    slopes: NDArray[np.float64] = np.log(np.diff(np.linspace(0, 1, KNOTS + 1) ** exponent))
    return slopes
