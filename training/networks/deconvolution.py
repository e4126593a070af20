"""Deconvolution inside the generator: estimates the blur kernels of a crop and of its neighbours, and inverts them together.

Plain convolutions cannot undo a kernel that is different for every crop; one division in the frequency domain can. Edges of the
coarse image and of the blurry one give the kernel by least squares (S. Cho & S. Lee, "Fast motion deblurring", 2009, eq. 7; with
learned edges: C. Schuler et al., "Learning to deblur", 2016). A small network cleans it, and a Wiener filter restores what the
coarse image lacks. This is done at half of the resolution (or a quarter, in networks that take patches of 8 px), where it is
cheap and noise is low, and for two camera responses in parallel: the exposure may have been averaged in code values or in linear
intensity.

Neighbouring exposures of the same face were blurred by other kernels: a frequency that one has destroyed another one has kept. So
the Wiener filter is one over all exposures: the sum of ``conj(K_i) (B_i - K_i X)``, divided by the sum of ``|K_i|^2`` and the
noise. A kernel also absorbs a shift of a few pixels between the crops; an exposure that a kernel cannot explain, because the
face has moved in another way, is given little trust.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.fourier_matrices import BANDS, KERNEL_SIDE
from streamdeblur.kernels.luma import BLUE, GREEN, RED
from streamdeblur.training.networks.blocks import PatchConv, zero_initialised
from streamdeblur.training.networks.constants import constant
from streamdeblur.training.networks.fourier import Fourier, conjugate_times, fourier, power, times
from streamdeblur.training.networks.presets import DeconvolutionPreset

RESPONSES = 2
"""Number of camera responses: code values, and their squares, which approximate linear intensity."""
QUARTER_SIDE = 13
"""Side of kernels at a quarter of the resolution: 41 px of a crop, and a shift."""
INITIAL_RIDGES = (0.03, 0.3, 3.0)
"""Initial weights of the kernel's squared norm in the least squares, relative to the mean power of the edges."""
EDGE_CORRECTION_SCALE = 0.1
"""Scale of the predicted corrections of edges, so that they are learned about as fast as the weights of edges."""
MIN_EDGE_POWER = 1e-7
"""Added to the mean power of the edges: below it a crop is flat, and its kernel cannot be estimated."""
ROOT_OFFSET = 1e-4
"""Added to linear intensity before its root is taken, whose slope is infinite at zero."""
INITIAL_NOISE = -4.0
"""Initial ratio of noise power to signal power in the Wiener filter, before the softplus (0.018 after it)."""
INITIAL_TRUST = (2.0, 2.1)
"""Initial trust in a neighbouring exposure that is explained as well as the present one, before the sigmoid, and (before the
softplus) its fall for each time that as much again stays unexplained; in each frequency band."""
MIN_UNEXPLAINED = 1e-4
"""Added to the unexplained part of an exposure: below it, exposures are explained equally well."""
MOST_UNEXPLAINED = 20.0


class Memory(NamedTuple):
    """Neighbouring crops of the same faces, in any order: earlier ones, and later ones where they are known."""

    luma: Tensor
    """float [N, M, S / 2, S / 2] in [0, 1]: their `half_luma`; anything finite where an entry is not valid."""
    validity: Tensor
    """float [N, M]: 1 where there is a crop, 0 where there is none."""


class DeconvolutionOutputs(NamedTuple):
    """Outputs of a `Deconvolution`."""

    planes: Tensor
    """float32 [N, 2, H / 2, W / 2], or a quarter: deconvolved luma in code values, one plane for each response."""
    kernels: Tensor
    """float32 [N, 1 + M, KERNEL_SIDE, KERNEL_SIDE], not negative and of sum 1, at the resolution of the planes: those of the
    present crop, and of the M in the memory relative to it."""


def half_luma(images: Tensor) -> Tensor:
    """Return the `reduced_luma` at half of the resolution, as neighbours are given."""
    return reduced_luma(images, 2)


def reduced_luma(images: Tensor, factor: int) -> Tensor:
    """Return the luma at a fraction of the resolution.

    Args:
        images: float32 [N, 3, H, W], RGB.
        factor: Pixels of a side that become one.

    Returns:
        float32 [N, 1, H / factor, W / factor], each value the mean luma of a square of pixels.
    """
    weights = constant((RED, GREEN, BLUE), images.dtype, images.device)[None, :, None, None] / factor**2
    return F.conv2d(images, weights.expand(1, 3, factor, factor), stride=factor)


def apply_responses(luma: Tensor) -> Tensor:
    """Map code values [N, 1, h, w] to [N, 2, h, w]: the code values, and their squares."""
    codes, squares = _response_masks(luma)
    return luma * (codes + squares * luma)


def invert_responses(planes: Tensor) -> Tensor:
    """Map planes as `apply_responses` returns them, [N, 2, h, w], to code values of the same shape."""
    codes, squares = _response_masks(planes)
    return planes * codes + (planes.clamp_min(0.0) + ROOT_OFFSET).sqrt() * squares


def _full_precision(images: Tensor) -> torch.autocast:
    """Switch off reduced precision, in which the differences of spectra would be lost while weights are learned."""
    return torch.autocast(images.device.type, enabled=False)


def _response_masks(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Factors [1, 2, 1, 1] that select the planes of one response; engines fuse a product, but copy to concatenate planes."""
    codes = constant((1.0, 0.0), planes.dtype, planes.device)[None, :, None, None]
    return codes, 1.0 - codes


class Deconvolution(nn.Module):
    """Estimates one blur kernel per crop and deconvolves the crop with it."""

    def __init__(self, preset: DeconvolutionPreset, factor: int) -> None:
        """
        Args:
            preset: Shape of the networks.
            factor: By which crops are reduced before: 2 or 4.
        """
        super().__init__()
        self.factor = factor
        self.edges = EdgePrediction(preset.channels)
        self.cleaning = KernelCleaning(RESPONSES * len(INITIAL_RIDGES), preset.kernel_channels, preset.kernel_blocks)
        self.ridges = nn.Parameter(torch.tensor(INITIAL_RIDGES).log())
        # for each response: its value at frequency zero, and its slope over the square of the frequency
        self.noise = nn.Parameter(torch.tensor([[INITIAL_NOISE, 0.0]] * RESPONSES))
        if preset.memory:
            self.trust = nn.Parameter(torch.tensor([INITIAL_TRUST] * BANDS))

    def forward(self, blurry: Tensor, coarse: Tensor, memory: Memory | None = None) -> DeconvolutionOutputs:
        """Deconvolve crops.

        Args:
            blurry: float [N, 3, S, S] in [0, 1], S a multiple of twice the factor.
            coarse: Output of the hourglass for them, in the same form.
            memory: Neighbours; without valid ones, the result is that without a memory.
        """
        with _full_precision(blurry):
            present = reduced_luma(blurry.float(), self.factor)
            coarse_luma = reduced_luma(coarse.float(), self.factor).clamp(0.0, 1.0)
        weights, corrections = self.edges(torch.cat([present, coarse_luma], 1))
        with _full_precision(blurry):
            transforms = fourier(int(present.shape[-1]), present.device)
            exposures = present[:, :, None] if memory is None else torch.cat([present, memory.luma.float()], 1)[:, :, None]
            frames, coarse_planes = int(exposures.shape[1]), apply_responses(coarse_luma)
            spectra = _by_exposure(transforms.spectrum(apply_responses(_together(exposures))), frames)
            edges = transforms.spectrum(laplacian(coarse_planes) * weights.float() + corrections.float())
            kernels = self._least_squares(transforms, spectra, edges)
        kernel = _by_exposure(self._clean(_together(kernels) * KERNEL_SIDE), frames)
        with _full_precision(blurry):
            planes = self._wiener(transforms, spectra, coarse_planes, kernel, None if memory is None else memory.validity)
            return DeconvolutionOutputs(invert_responses(planes), kernel.squeeze(2))

    def _clean(self, kernels: Tensor) -> Tensor:
        """Clean raw kernels, at a quarter of the resolution their middle, beyond which no kernel reaches there."""
        border = (KERNEL_SIDE - QUARTER_SIDE) // 2
        cropped = self.factor == 4 and border > 0
        cleaned: Tensor = self.cleaning(kernels[..., border:-border, border:-border] if cropped else kernels).float()
        return F.pad(cleaned, (border,) * 4) if cropped else cleaned

    def _least_squares(self, transforms: Fourier, blurry: Tensor, edges: Tensor) -> Tensor:
        """The kernels k that minimise ``|k * edges - laplacian blurry|^2 + ridge |k|^2``, in closed form.

        Args:
            transforms: Of the size of the planes.
            blurry: Spectra of the blurry planes, one for each response: [N, F, 2, T // 2 + 1, 2, T].
            edges: Spectra of the edges, one for each response: [N, 2, T // 2 + 1, 2, T].

        Returns:
            [N, F, responses * ridges, KERNEL_SIDE, KERNEL_SIDE].
        """
        products, powers = conjugate_times(edges[:, None], blurry * transforms.laplacian), power(edges)
        mean = powers.mean((-1, -3), keepdim=True) + MIN_EDGE_POWER
        inverses = [1.0 / (powers + mean * ridge)[:, None] for ridge in self.ridges.exp()]
        return torch.cat([transforms.kernels(products * inverse) for inverse in inverses], 2)

    def _wiener(self, transforms: Fourier, exposures: Tensor, coarse: Tensor, kernels: Tensor, validity: Tensor | None) -> Tensor:
        """The coarse planes, plus the joint Wiener deconvolution of what they do not explain of the exposures.

        Args:
            transforms: Of the size of the planes.
            exposures: Spectra of the blurry planes, one for each response: [N, 1 + M, 2, T // 2 + 1, 2, T].
            coarse: The coarse planes [N, 2, h, w].
            kernels: [N, 1 + M, 1, KERNEL_SIDE, KERNEL_SIDE].
            validity: Of the M neighbouring exposures, [N, M].

        Returns:
            [N, 2, h, w].
        """
        transfer = transforms.kernel_spectrum(kernels)
        noise = F.softplus(self.noise[:, 0, None, None, None] + self.noise[:, 1, None, None, None] * transforms.frequency)
        residual = exposures - times(transfer, transforms.spectrum(coarse)[:, None])
        signal, strength = conjugate_times(transfer, residual), power(transfer)
        numerator, denominator = signal[:, 0], strength[:, 0] + noise
        if validity is not None:
            trust = self._trust(transforms, residual, validity)
            numerator = numerator + (signal[:, 1:] * trust).sum(1)
            denominator = denominator + (strength[:, 1:] * trust).sum(1)
        return coarse + transforms.planes(numerator / denominator)

    def _trust(self, transforms: Fourier, residual: Tensor, validity: Tensor) -> Tensor:
        """Weights in [0, 1] of the neighbouring exposures at each frequency, [N, M, 1, T // 2 + 1, 1, T].

        They are less in bands that are explained worse than those of the present exposure: a face that has turned a little
        still agrees at low frequencies.

        Args:
            transforms: Of the size of the planes.
            residual: What the coarse planes and the kernels leave unexplained, [N, 1 + M, 2, T // 2 + 1, 2, T].
            validity: Of the neighbours, [N, M].
        """
        half, period = int(residual.shape[-3]), int(residual.shape[-1])
        # the Laplacian: what is left at low frequencies is a difference of exposure more than of motion
        powers = power(residual * transforms.laplacian).mean(2).flatten(-3)
        unexplained = (powers @ transforms.bands.T / transforms.bands.sum(1)).sqrt() + MIN_UNEXPLAINED
        excess = (unexplained[:, 1:] / unexplained[:, :1] - 1.0).clamp(-1.0, MOST_UNEXPLAINED)
        trust = torch.sigmoid(self.trust[:, 0] - F.softplus(self.trust[:, 1]) * excess) * validity[:, :, None]
        return torch.unflatten(trust @ transforms.bands, -1, (1, half, 1, period))


def _together(values: Tensor) -> Tensor:
    """Map [N, frames, ...] to [N * frames, ...]."""
    return values.reshape(-1, *(int(size) for size in values.shape[2:]))


def _by_exposure(values: Tensor, frames: int) -> Tensor:
    """Map [N * frames, ...] to [N, frames, ...]; as a reshape, whose graph holds for any N."""
    return values.reshape(-1, frames, *(int(size) for size in values.shape[1:]))


def laplacian(planes: Tensor) -> Tensor:
    """Return the mean of each pixel's four neighbours less the pixel, in planes [N, C, h, w] of the same shape."""
    padded = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    horizontal = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    vertical = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    return (horizontal + vertical) / 4 - planes


class EdgePrediction(nn.Module):
    """Predicts which edges of the coarse planes are informative of the kernel, and corrects them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = PatchConv(2, channels, 2)
        self.blocks = nn.Sequential(DilatedBlock(channels, 1))
        self.head = zero_initialised(nn.Conv2d(channels, 4 * 2 * RESPONSES, 1))

    def forward(self, luma: Tensor) -> tuple[Tensor, Tensor]:
        """Predict how to change the `laplacian` of the coarse planes.

        Args:
            luma: Of the blurry and of the coarse image, [N, 2, h, w].

        Returns:
            Weights in [0, 2], and corrections to add after weighting; both [N, 2, h, w], a plane for each response.
        """
        weights, corrections = F.pixel_shuffle(self.head(self.blocks(F.relu(self.stem(luma)))), 2).chunk(2, 1)
        return 2 * torch.sigmoid(weights), EDGE_CORRECTION_SCALE * corrections


class KernelCleaning(nn.Module):
    """Combines raw kernels into one that is compact, not negative and of sum 1."""

    def __init__(self, kernels: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(kernels, channels, 5, padding=2)
        self.blocks = nn.Sequential(*(DilatedBlock(channels, 2 ** (number % 3)) for number in range(blocks)))
        self.head = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, kernels: Tensor) -> Tensor:
        """Map raw kernels [N, kernels, side, side] to [N, 1, side, side]."""
        side = int(kernels.shape[-1])
        cleaned = self.head(F.relu(self.blocks(self.stem(kernels)))).float()
        return torch.unflatten(cleaned.flatten(1).softmax(1), 1, (1, side, side))


class DilatedBlock(nn.Module):
    """A residual block of two 3 x 3 convolutions, the first one dilated. It starts as the identity."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.narrow = zero_initialised(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, channels, h, w] to the same shape."""
        branch: Tensor = self.narrow(F.relu(self.widen(features)))
        return features + branch


def reduced_kernels(kernels: Tensor, factor: int) -> Tensor:
    """Return the kernels of crops at the resolution of `reduced_luma`.

    Args:
        kernels: [N, F, 41, 41], in pixels of the crop.
        factor: 2 or 4.

    Returns:
        [N, F, KERNEL_SIDE, KERNEL_SIDE], of about the same sum.
    """
    tent = constant((0.25, 0.5, 0.25), kernels.dtype, kernels.device)
    planes = kernels.flatten(0, 1)[:, None]
    for _ in range(factor // 2):
        planes = 4 * F.conv2d(planes, torch.outer(tent, tent)[None, None], padding=1)[..., ::2, ::2]
    border = (KERNEL_SIDE - int(planes.shape[-1])) // 2
    return torch.unflatten(F.pad(planes, (border,) * 4)[:, 0], 0, kernels.shape[:2])
