"""Separable resampling as matrix products: every picture of a batch with matrices of its own.

A matrix [N, out, in] maps the lines, or the columns, of N pictures. Resizing, blurring with a Gaussian and shifting by a
fraction of a pixel differ in their taps alone.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Border = Literal["mirror", "repeat"]

CUBIC = -0.75
"""The parameter of OpenCV's cubic interpolation."""


def mirrored(positions: Tensor, sizes: Tensor) -> Tensor:
    """Return integer positions mirrored at the first and last of `sizes` samples, which are not repeated: int64."""
    period = (2 * sizes - 2).clamp_min(1)
    inside = torch.remainder(positions, period)
    return torch.where(inside < sizes, inside, period - inside)


def resized(images: Tensor, lines: Tensor, columns: Tensor) -> Tensor:
    """Apply matrices to pictures.

    Args:
        images: float32 [N, C, h, w].
        lines: [N, H, h].
        columns: [N, W, w].

    Returns:
        float32 [N, C, H, W].
    """
    return lines[:, None] @ images @ columns.mT[:, None]


def linear_matrix(positions: Tensor, sizes: Tensor, width: int, border: Border = "repeat") -> Tensor:
    """Return the matrix that interpolates linearly.

    Args:
        positions: In samples of the input, [N, out].
        sizes: Samples that each input has, int64 [N, 1].
        width: Samples of the widest input.
        border: What is beyond the first and last sample.
    """
    upper, lower = linear_taps(positions, sizes, width, border)
    return upper + lower


def linear_taps(positions: Tensor, sizes: Tensor, width: int, border: Border = "repeat") -> tuple[Tensor, Tensor]:
    """Return the matrices of the first and of the second sample between which `linear_matrix` interpolates."""
    first = positions.floor()
    share = (positions - first)[..., None]
    places = first.long()[..., None]
    return _matrix(places, 1 - share, sizes, width, border), _matrix(places + 1, share, sizes, width, border)


def cubic_matrix(positions: Tensor, sizes: Tensor, width: int) -> Tensor:
    """Return the matrix that interpolates with OpenCV's cubic; arguments as for `linear_matrix`."""
    first = positions.floor()
    offsets = _offsets(-1, 2, positions)
    distance = (positions - first)[..., None] - offsets
    x = distance.abs()
    near = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC
    return _matrix(first.long()[..., None] + offsets, torch.where(x <= 1, near, far), sizes, width, "repeat")


def area_matrix(steps: Tensor, count: int, width: int) -> Tensor:
    """Return the matrix that averages over areas.

    Args:
        steps: Samples of the input for each of the output, at least 1: [N, 1].
        count: Samples of the output.
        width: Samples of the widest input.
    """
    begins = torch.arange(count, device=steps.device) * steps
    samples = torch.arange(width, device=steps.device, dtype=torch.float32)
    ends = torch.minimum((begins + steps)[..., None], samples + 1)
    return (ends - torch.maximum(begins[..., None], samples)).clamp_min(0) / steps[..., None]


def gaussian_matrix(deviations: Tensor, size: int) -> Tensor:
    """Return the matrix of a Gaussian over the samples that OpenCV takes for code values; the border is mirrored.

    Args:
        deviations: Standard deviation for each picture, [N].
        size: Samples of a line.
    """
    reach = (6 * deviations + 1).round().long() // 2
    offsets = torch.arange(-int(reach.max()), int(reach.max()) + 1, device=deviations.device)
    weights = torch.exp(-(offsets**2) / (2 * deviations[:, None] ** 2)) * (offsets.abs() <= reach[:, None])
    weights = _of_eight_bits(weights / weights.sum(1, keepdim=True))[:, None].expand(-1, size, -1)
    places = torch.arange(size, device=deviations.device)[:, None] + offsets
    sizes = torch.full((len(deviations), 1), size, device=deviations.device)
    return _matrix(places.expand(len(deviations), -1, -1), weights, sizes, size, "mirror")


def _of_eight_bits(weights: Tensor) -> Tensor:
    """Round symmetrical weights [N, odd], whose sum is 1, to multiples of 1/256 as OpenCV does: errors go to the next weight."""
    middle = weights.shape[1] // 2
    sums = (256 * weights[:, :middle].cumsum(1)).round()
    side = sums.diff(dim=1, prepend=sums.new_zeros(len(sums), 1))
    return torch.cat([side, 256 - 2 * sums[:, -1:], side.flip(1)], 1) / 256


def centres(count: int, steps: Tensor) -> Tensor:
    """Return the positions of the middles of output samples, of `steps` [N, 1] input samples each: [N, count]."""
    return (torch.arange(count, device=steps.device) + 0.5) * steps - 0.5


def _offsets(first: int, last: int, like: Tensor) -> Tensor:
    return torch.arange(first, last + 1, device=like.device)


def _matrix(places: Tensor, weights: Tensor, sizes: Tensor, width: int, border: Border) -> Tensor:
    """The matrix [N, out, width] of weighted taps [N, out, taps], those beyond the border moved inside."""
    limits = sizes[..., None]
    inside = mirrored(places, limits) if border == "mirror" else torch.minimum(places.clamp_min(0), limits - 1)
    matrix = torch.zeros((*places.shape[:2], width), device=places.device)
    return matrix.scatter_add_(2, inside, weights.float())
