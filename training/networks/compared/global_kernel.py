"""One kernel for a whole crop, estimated from a sharp estimate of it, and the deconvolution with it (see `chakrabarti`).

Both are unrolled half-quadratic steps, closed-form in the frequency domain.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from streamdeblur.training.networks.fourier import Fourier, conjugate_times, fourier, power

SIDE, MARGIN = 41, 32
"""Side of the kernel in pixels, and by how much the crop is extended to be periodic."""
EDGE_DEVIATIONS = 2.0
"""Edges count whose strength is above the mean by this many standard deviations: about the strongest 3 %."""
COUPLINGS = tuple(0.1 * 2.0**step for step in range(6))
"""Of the kernel and its sparse copy, relative to the mean power of the edges."""
SPARSITY = 1e-3
"""Weight of the l1 norm of the kernel, likewise."""
FAINTEST = 0.05
"""Taps below this share of the largest one are noise."""
SMALLEST_POWER = 1e-9
SMOOTHNESS = 4e-3
"""Weight of the total variation in the deconvolution, for planes in [0, 1]; strong, because the kernel is not exact."""
SMOOTHING_COUPLINGS = tuple(4 * SMOOTHNESS * 2.0**step for step in range(6))
FLAT = 1e-6
"""Length below which a slope is flat."""


def estimated_kernel(blurry: Tensor, sharp: Tensor) -> Tensor:
    """Estimate the kernel that blurred crops.

    Args:
        blurry: Luma [N, 1, S, S] in [0, 1].
        sharp: An estimate of the sharp luma, in the same form.

    Returns:
        [N, 1, SIDE, SIDE], not negative and of sum 1.
    """
    transforms = _transforms(blurry)
    edges = _slopes(sharp)
    strength = edges.square().sum(1, keepdim=True).sqrt()
    mean = strength.mean((2, 3), keepdim=True)
    deviation = (strength - mean).square().mean((2, 3), keepdim=True).sqrt()
    edges = edges * (strength > mean + EDGE_DEVIATIONS * deviation).to(edges.dtype)
    found = transforms.spectrum(edges)
    correlation = conjugate_times(found, transforms.spectrum(_slopes(blurry))).sum(1, keepdim=True)
    powers = power(found).sum(1, keepdim=True)
    unit = powers.mean((-1, -3), keepdim=True) + SMALLEST_POWER
    kernel = transforms.kernels(correlation / (powers + COUPLINGS[0] * unit))
    for coupling in COUPLINGS:
        sparse = F.relu(kernel - SPARSITY / coupling)
        coupled = correlation + coupling * unit * transforms.kernel_spectrum(sparse)
        kernel = transforms.kernels(coupled / (powers + coupling * unit))
    kernel = F.relu(kernel - FAINTEST * kernel.amax((2, 3), keepdim=True))
    # a crop without edges has no kernel but the middle tap
    kernel = kernel + F.pad(kernel.new_full((1, 1, 1, 1), SMALLEST_POWER), (SIDE // 2,) * 4)
    return kernel / kernel.sum((2, 3), keepdim=True)


def deconvolved(blurry: Tensor, kernel: Tensor) -> Tensor:
    """Find the x of least ``|k * x - y|^2 + w |grad x|`` for luma y [N, 1, S, S] in [0, 1] and kernels k [N, 1, SIDE, SIDE]."""
    transforms = _transforms(blurry)
    mean = blurry.mean((2, 3), keepdim=True)
    plane = blurry - mean
    transfer = transforms.kernel_spectrum(kernel)
    data, strength = conjugate_times(transfer, transforms.spectrum(plane)), power(transfer)
    # the spectrum of the Laplacian is that of the mean of four differences
    roughness = -4 * transforms.laplacian
    for coupling in SMOOTHING_COUPLINGS:
        slopes = _slopes(plane)
        length = slopes.square().sum(1, keepdim=True).clamp_min(FLAT**2).sqrt()
        kept = slopes * F.relu(1 - SMOOTHNESS / (2 * coupling) / length)
        wanted = data + coupling * transforms.spectrum(_divergence(kept))
        plane = transforms.planes(wanted / (strength + coupling * roughness))
    return plane + mean


def _transforms(planes: Tensor) -> Fourier:
    return fourier(int(planes.shape[-1]), planes.device, SIDE, MARGIN)


def _slopes(planes: Tensor) -> Tensor:
    """Forward differences along x and y of planes [N, 1, S, S], zero at the border: [N, 2, S, S]."""
    across = F.pad(planes[..., 1:] - planes[..., :-1], (0, 1))
    down = F.pad(planes[..., 1:, :] - planes[..., :-1, :], (0, 0, 0, 1))
    return torch.cat([across, down], 1)


def _divergence(slopes: Tensor) -> Tensor:
    """The transpose of `_slopes`: [N, 2, S, S] to [N, 1, S, S]."""
    across, down = slopes[:, :1], slopes[:, 1:]
    return F.pad(across, (1, 0))[..., :-1] - across + F.pad(down, (0, 0, 1, 0))[..., :-1, :] - down
