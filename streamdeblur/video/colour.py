"""Matrices between the code values of a frame and RGB, from the frame's own colour tags (ITU-T H.273)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Luma coefficients (Kr, Kb) by H.273 MatrixCoefficients.
LUMA_COEFFICIENTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
    10: (0.2627, 0.0593),  # BT.2020, constant luminance: treated as non-constant
}
RGB, BT709, BT601 = 0, 1, 6
LIMITED_RANGE, FULL_RANGE = 1, 2
"""AVCOL_RANGE_MPEG (black and white at 16 and 235 of 8 bits) and AVCOL_RANGE_JPEG (the whole range)."""

# untagged video of more lines than this is taken for BT.709, else for BT.601, as players do
HIGH_DEFINITION_LINES = 576


@dataclass(frozen=True)
class ColourMatrices:
    """Matrices between the samples of a frame and RGB."""

    to_rgb: NDArray[np.float32]
    """float32 [3, 4]: samples of the three components (and 1) to RGB in [0, 255]."""
    from_rgb: NDArray[np.float32]
    """float32 [3, 3]: a difference in RGB, in [0, 255] units, to a difference in code values."""
    black: NDArray[np.float32]
    """float32 [3]: code values of black."""


def assumed_matrix(height: int) -> int:
    """Return the MatrixCoefficients (H.273) of untagged video of so many lines."""
    return BT709 if height > HIGH_DEFINITION_LINES else BT601


def luma_coefficients(colorspace: int, height: int) -> tuple[float, float]:
    """Return (Kr, Kb) of a frame tagged `colorspace` (H.273), or by its height if the tag names no such coefficients."""
    return LUMA_COEFFICIENTS.get(colorspace, LUMA_COEFFICIENTS[assumed_matrix(height)])


def yuv_matrices(kr: float, kb: float, *, full_range: bool, depth: int, shift: int = 0) -> ColourMatrices:
    """Return the matrices of Y'CbCr (ITU-T H.273).

    Args:
        kr: Luma coefficient of red.
        kb: Luma coefficient of blue.
        full_range: Whether code values use their whole range.
        depth: Bits of a code value.
        shift: Unused low bits of a sample.
    """
    maximum, scale = (1 << depth) - 1, 1 << (depth - 8)
    black, luma_span, chroma_span = (0, maximum, maximum) if full_range else (16 * scale, 219 * scale, 224 * scale)
    kg = 1.0 - kr - kb
    luma = np.array([kr, kg, kb])
    analysis = np.stack(
        [luma, (np.array([0.0, 0.0, 1.0]) - luma) / (2 - 2 * kb), (np.array([1.0, 0.0, 0.0]) - luma) / (2 - 2 * kr)]
    )
    from_rgb = np.diag([luma_span, chroma_span, chroma_span]) @ analysis / 255.0
    offset = np.array([black, 1 << (depth - 1), 1 << (depth - 1)])
    return _invert(from_rgb, offset, shift)


def rgb_matrices(depth: int, shift: int = 0) -> ColourMatrices:
    """Return the matrices of full-range RGB at `depth` bits."""
    return _invert(np.eye(3) * ((1 << depth) - 1) / 255.0, np.zeros(3), shift)


def gray_matrices(*, full_range: bool, depth: int, shift: int = 0) -> ColourMatrices:
    """Return the matrices of a frame that has luma only: crops are gray, and of a residual the BT.709 luma is pasted."""
    maximum, scale = (1 << depth) - 1, 1 << (depth - 8)
    black, span = (0, maximum) if full_range else (16 * scale, 219 * scale)
    kr, kb = LUMA_COEFFICIENTS[BT709]
    from_rgb = np.zeros((3, 3))
    from_rgb[0] = np.array([kr, 1 - kr - kb, kb]) * span / 255.0
    to_rgb = np.zeros((3, 4))
    to_rgb[:, 0] = 255.0 / span / (1 << shift)
    to_rgb[:, 3] = -black * 255.0 / span
    return ColourMatrices(to_rgb.astype(np.float32), from_rgb.astype(np.float32), np.full(3, black, np.float32))


def _invert(from_rgb: NDArray[np.float64], offset: NDArray[np.float64], shift: int) -> ColourMatrices:
    inverse = np.linalg.inv(from_rgb)
    to_rgb = np.concatenate([inverse / (1 << shift), -(inverse @ offset)[:, None]], axis=1)
    return ColourMatrices(to_rgb.astype(np.float32), from_rgb.astype(np.float32), offset.astype(np.float32))
