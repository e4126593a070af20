"""Deconvolution inside the generator: the kernel that made the coarse image blurry, and what its inverse gives.

Plain convolutions cannot undo a kernel that is different for every crop; one division in the frequency domain can. Edges of the
coarse image and of the blurry one give the kernel by least squares (S. Cho & S. Lee, "Fast motion deblurring", 2009, eq. 7; with
learned edges: C. Schuler et al., "Learning to deblur", 2016), a small network makes of it what kernels look like, and a
Wiener filter puts back what the coarse image lacks. All of it at half of the resolution, where it is cheap and noise is low, and
under two responses of the camera side by side: light may have added up in code values or in light itself.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import PatchConv, zero_initialised
from streamdeblur.training.networks.fourier import KERNEL_SIDE, Fourier, conjugate_times, fourier, power, times
from streamdeblur.training.networks.presets import DeconvolutionPreset

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B (Rec. 601)."""
RESPONSES = 2
"""Code values; and their squares, which are nearly light."""
INITIAL_RIDGES = (0.03, 0.3, 3.0)
"""Weights of a kernel's squares in the least squares, in units of the edges' mean power, to begin with."""
EDGE_CORRECTION_SCALE = 0.1
"""Scale of what may be added to edges, so that it is learned about as fast as their weights."""
MIN_EDGE_POWER = 1e-7
"""Mean power of edges below which a crop is flat, and has no kernel to be found."""
ROOT_OFFSET = 1e-4
"""Added to light before its root is taken, whose slope is infinite at zero."""
INITIAL_NOISE = -4.0
"""Power of the noise that the Wiener filter expects in units of the signal's, before the softplus, to begin with: 0.018."""


class DeconvolutionOutputs(NamedTuple):
    """What a `Deconvolution` finds."""

    planes: Tensor
    """float32 [N, 2, H / 2, W / 2]: deconvolved luma in code values, under both responses."""
    kernel: Tensor
    """float32 [N, 1, KERNEL_SIDE, KERNEL_SIDE], sum 1, in pixels of the planes."""


def half_luma(images: Tensor) -> Tensor:
    """Luma at half of the resolution, of images [N, 3, H, W] in [0, 1]: float32 [N, 1, H / 2, W / 2]."""
    weights = images.new_tensor(LUMA)[None, :, None, None] / 4
    return F.conv2d(images, weights.expand(1, 3, 2, 2), stride=2)


def apply_responses(luma: Tensor) -> Tensor:
    """Code values [N, 1, h, w] as they add up under both responses, [N, 2, h, w]: themselves, and nearly as light."""
    codes, light = _response_masks(luma)
    return luma * (codes + light * luma)


def invert_responses(planes: Tensor) -> Tensor:
    """The opposite of `apply_responses`, plane by plane: [N, 2, h, w]."""
    codes, light = _response_masks(planes)
    return planes * codes + (planes.clamp_min(0.0) + ROOT_OFFSET).sqrt() * light


def _full_precision(images: Tensor) -> torch.autocast:
    """Without reduced precision, which loses what differences of spectra are made of while weights are learned."""
    return torch.autocast(images.device.type, enabled=False)


def _response_masks(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Factors that choose the planes of one response: engines fuse a product with its neighbours, while joining planes copies."""
    codes = planes.new_tensor([1.0, 0.0])[None, :, None, None]
    return codes, 1.0 - codes


class Deconvolution(nn.Module):
    """Estimates one kernel of a crop and deconvolves the crop with it."""

    def __init__(self, preset: DeconvolutionPreset) -> None:
        super().__init__()
        self.edges = Edges(preset.channels)
        self.cleaning = KernelCleaning(RESPONSES * len(INITIAL_RIDGES), preset.kernel_channels, preset.kernel_blocks)
        self.ridges = nn.Parameter(torch.tensor(INITIAL_RIDGES).log())
        # under each response: at the lowest frequency, and how it grows with the square of the frequency
        self.noise = nn.Parameter(torch.tensor([[INITIAL_NOISE, 0.0]] * RESPONSES))

    def forward(self, blurry: Tensor, coarse: Tensor) -> DeconvolutionOutputs:
        """Images float [N, 3, S, S] in [0, 1], S a multiple of 4."""
        with _full_precision(blurry):
            given, base = half_luma(blurry.float()), half_luma(coarse.float()).clamp(0.0, 1.0)
        weights, amends = self.edges(torch.cat([given, base], 1))
        with _full_precision(blurry):
            transforms = fourier(int(given.shape[-1]), given.device)
            base = apply_responses(base)
            blurred = transforms.spectrum(apply_responses(given))
            edges = laplacian(base) * weights.float() + amends.float()
            kernels = self._least_squares(transforms, blurred, edges)
        kernel = self.cleaning(kernels * KERNEL_SIDE).float()
        with _full_precision(blurry):
            return DeconvolutionOutputs(invert_responses(self._wiener(transforms, blurred, base, kernel)), kernel)

    def _least_squares(self, transforms: Fourier, blurry: Tensor, edges: Tensor) -> Tensor:
        """Kernels k that minimise ``|k * edges - laplacian blurry|^2 + ridge |k|^2``: [N, responses * ridges, side, side]."""
        sharp = transforms.spectrum(edges)
        products, powers = conjugate_times(sharp, blurry * transforms.laplacian), power(sharp)
        mean = powers.mean((-1, -3), keepdim=True) + MIN_EDGE_POWER
        found = [transforms.kernels(products / (powers + mean * ridge)) for ridge in self.ridges.exp()]
        return torch.cat(found, 1)

    def _wiener(self, transforms: Fourier, blurry: Tensor, coarse: Tensor, kernel: Tensor) -> Tensor:
        """The coarse planes and the part of what they leave unexplained of the blurry ones that stands above the noise."""
        transfer = transforms.kernel_spectrum(kernel)
        noise = F.softplus(self.noise[:, 0, None, None, None] + self.noise[:, 1, None, None, None] * transforms.frequency)
        left = blurry - times(transfer, transforms.spectrum(coarse))
        return coarse + transforms.planes(conjugate_times(transfer, left) / (power(transfer) + noise))


def laplacian(planes: Tensor) -> Tensor:
    """The difference of each pixel to the mean of its four neighbours: [N, C, h, w], also the shape of what is returned."""
    wide = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    beside, above = wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:], wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1]
    return (beside + above) / 4 - planes


class Edges(nn.Module):
    """Which edges of the coarse planes tell most of the kernel, and what they lack."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = PatchConv(2, channels, 2)
        self.blocks = nn.Sequential(DilatedBlock(channels, 1))
        self.head = zero_initialised(nn.Conv2d(channels, 4 * 2 * RESPONSES, 1))

    def forward(self, luma: Tensor) -> tuple[Tensor, Tensor]:
        """Luma of the blurry and of the coarse image, [N, 2, h, w]: weights in [0, 2] of the `laplacian` under both responses,
        and what to add to it, both [N, 2, h, w]."""
        weights, amends = F.pixel_shuffle(self.head(self.blocks(F.relu(self.stem(luma)))), 2).chunk(2, 1)
        return 2 * torch.sigmoid(weights), EDGE_CORRECTION_SCALE * amends


class KernelCleaning(nn.Module):
    """Raw kernels to one that is compact, not negative and of sum 1."""

    def __init__(self, kernels: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(kernels, channels, 5, padding=2)
        self.blocks = nn.Sequential(*(DilatedBlock(channels, 2 ** (number % 3)) for number in range(blocks)))
        self.head = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, kernels: Tensor) -> Tensor:
        """[N, kernels, side, side] to [N, 1, side, side]."""
        cleaned = self.head(F.relu(self.blocks(self.stem(kernels)))).float()
        return torch.unflatten(cleaned.flatten(1).softmax(1), 1, (1, KERNEL_SIDE, KERNEL_SIDE))


class DilatedBlock(nn.Module):
    """Two 3 x 3 convolutions, the first dilated; the branch begins at zero."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.narrow = zero_initialised(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        """[N, channels, h, w], also the shape of what is returned."""
        branch: Tensor = self.narrow(F.relu(self.widen(features)))
        return features + branch


def half_resolution_kernels(kernels: Tensor) -> Tensor:
    """Kernels [N, 41, 41] of whole crops as those of `half_luma`: [N, 1, KERNEL_SIDE, KERNEL_SIDE]."""
    tent = kernels.new_tensor([0.25, 0.5, 0.25])
    smooth = F.conv2d(kernels[:, None], torch.outer(tent, tent)[None, None], padding=1)
    return 4 * smooth[..., ::2, ::2]
