"""The network of A. Chakrabarti, "A neural approach to blind motion deblurring", 2016.

For each patch y of 65 x 65 pixels the network predicts the complex Fourier coefficients G of a filter; the middle 33 x 33 pixels
of the inverse transform of ``G[z] Y[z]`` are the restored patch. It is trained with the squared error of these pixels. Restored
patches overlap, and their average, weighted by a Hann window, is the first estimate x of the sharp image.

The inputs of the network are Fourier coefficients in four bands. The lowest two are those of the whole patch (``max |z| <= 4``,
and ``4 < max |z| <= 8``), the next ones those of its middle 33 x 33 and 17 x 17 pixels (``4 < max |z| <= 8``): the higher the
frequencies, the smaller the window. The first layers are connected to two neighbouring bands each, the second ones to two
neighbouring first ones, and the others to all.

Then one kernel k is estimated for the whole image: the one that minimises the sum over derivative filters d of ``|k * m (d * x)
- d * y|^2``, where the mask m selects the strongest edges, plus ``lambda |k|_1``, by half-quadratic steps, without negative
values and with the sum 1. A non-blind deconvolution of y with k gives the final image.

The original has 1,024 units in the first layers and 4,096 in the last ones (about 111 million weights), and patches at each
pixel. What the reduced version does in another way, beside fewer units and patches:

- the network predicts ``G - 1``, so that it begins as the identity and only what is changed passes through the transforms;
- the covariance with which the coefficients of each band are decorrelated is measured during the training, not before;
- the kernel is found with first derivatives only and one weight of its norm, in fewer steps; isolated taps are not removed;
- the non-blind step has a total variation prior (as that of the blind methods of `streamdeblur.evaluation.deconvolution`), not
  EPLL (D. Zoran, Y. Weiss 2011), and runs on luma, whose change is added to each colour.

All of it is one graph: windows are transformed by convolutions with constant filters, whole planes by matrix products
(`streamdeblur.training.networks.fourier`). Source: the paper's Sec. 2 to 4; that it has four bands, their frequencies and the
number of units were checked with its author's programs, of which nothing is taken.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import zero_initialised
from streamdeblur.training.networks.compared.global_kernel import deconvolved, estimated_kernel
from streamdeblur.training.networks.compared.presets import ChakrabartiPreset
from streamdeblur.training.networks.deconvolution import reduced_luma

PATCH, RESTORED = 65, 33
"""Sides in pixels of a patch, and of its restored middle."""
BORDER = (PATCH - RESTORED) // 2
HIGHEST, BAND = 8, 4
"""Frequencies of the bands: those up to HIGHEST, and above BAND in all but the lowest one."""
WINDOWS = (PATCH, 33, 17)
"""Sides of the windows whose coefficients the network gets."""
SMALLEST_DEVIATION = 1e-4
"""Of a coefficient."""
SMALLEST_VARIANCE = 1e-3
"""Is added to the variance of each direction of correlated coefficients, whose mean is 1."""


class ChakrabartiNetwork(nn.Module):
    """Predicts a filter for each patch of a crop; then deconvolves the crop with one kernel."""

    outputs = ("restored", "coarse")

    def __init__(self, preset: ChakrabartiPreset) -> None:
        super().__init__()
        self.stride = preset.stride
        self.bands = Bands(preset.stride)
        self.prediction = FilterPrediction(self.bands.sizes, preset)
        self.spectra = WindowSpectra(PATCH, PATCH // 2, preset.stride)
        self.inverse = InverseTransform()

    def forward(self, blurry: Tensor) -> tuple[Tensor, Tensor]:
        """Restore crops.

        Args:
            blurry: float [N, 3, S, S] in [0, 1], S a multiple of 16.

        Returns:
            The final images and the first estimates, both float [N, 3, S, S], not clamped.
        """
        luma = reduced_luma(blurry, 1)
        half = PATCH // 2
        first = luma + self.average(self.corrections(F.pad(luma, (half, half + 1, half, half + 1), mode="replicate")))
        final = deconvolved(luma, estimated_kernel(luma, first))
        return blurry + (final - luma), blurry + (first - luma)

    def corrections(self, luma: Tensor) -> Tensor:
        """Return what is added to the middle of each patch.

        Args:
            luma: [N, 1, H, W]; patches lie at each multiple of the stride.

        Returns:
            float32 [N, 33, 33, h, w]: the corrections of h x w patches.
        """
        filters = self.prediction(self.bands(luma)).float()
        with torch.autocast(luma.device.type, enabled=False):
            real, imaginary = self.spectra(luma).unbind(3)
            filter_real, filter_imaginary = torch.unflatten(filters, 1, (PATCH // 2 + 1, PATCH, 2)).unbind(3)
            product = torch.stack(
                [real * filter_real - imaginary * filter_imaginary, real * filter_imaginary + imaginary * filter_real], 3
            )
            corrections: Tensor = self.inverse(product)
        return corrections

    def average(self, patches: Tensor) -> Tensor:
        """Add up overlapping patches [N, 33, 33, h, w] with Hann windows, whose sum is 1: [N, 1, h', w'].

        The image begins and ends at the centres of the first and of the last patch.
        """
        rows, columns = (int(side) for side in patches.shape[-2:])
        window = patches.new_tensor(np.hanning(RESTORED) * self.stride / BORDER)
        weights = torch.diag(window)[:, None]
        stacked = patches.transpose(1, 2).reshape(-1, RESTORED, rows, columns)
        lines = F.conv_transpose2d(stacked, weights[:, :, :, None], stride=(self.stride, 1))
        lines = lines.reshape(-1, RESTORED, int(lines.shape[2]), columns)
        summed = F.conv_transpose2d(lines, weights[:, :, None], stride=(1, self.stride))
        return summed[..., BORDER : -BORDER - 1, BORDER : -BORDER - 1]


class Bands(nn.Module):
    """The Fourier coefficients that the network gets, in four bands from low to high frequencies."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.windows = nn.ModuleList(WindowSpectra(side, HIGHEST, stride) for side in WINDOWS)
        low, high = _band(-1, BAND), _band(BAND, HIGHEST)
        self.sizes = (len(low), *(len(high) for _ in WINDOWS))
        self.decorrelations = nn.ModuleList(Decorrelation(size) for size in self.sizes)
        self.low: Tensor
        self.high: Tensor
        self.register_buffer("low", torch.from_numpy(low), persistent=False)
        self.register_buffer("high", torch.from_numpy(high), persistent=False)

    def forward(self, luma: Tensor) -> list[Tensor]:
        """Return the bands of all patches of luma [N, 1, H, W], each [N, coefficients, h, w]."""
        spectra = []
        with torch.autocast(luma.device.type, enabled=False):
            for side, window in zip(WINDOWS, self.windows, strict=True):
                border, height, width = (PATCH - side) // 2, int(luma.shape[-2]), int(luma.shape[-1])
                spectra.append(window(luma[..., border : height - border, border : width - border] - 0.5).flatten(1, 3))
            chosen = [spectra[0][:, self.low], *(spectrum[:, self.high] for spectrum in spectra)]
            return [decorrelate(band) for decorrelate, band in zip(self.decorrelations, chosen, strict=True)]


class Decorrelation(nn.Module):
    """Maps channels to as many of mean 0 and variance 1 that do not correlate, by the statistics of all training data.

    Of the matrices that do so, the symmetric one is taken, which changes the scaled channels least: better statistics change it
    only a little while the network trains.
    """

    mean: Tensor
    product: Tensor
    matrix: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("product", torch.eye(channels))
        self.register_buffer("matrix", torch.eye(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, values: Tensor) -> Tensor:
        """Map [N, channels, h, w]; in training with statistics to which these values have been added."""
        if self.training:
            self._track(values.detach())
        return F.conv2d(values - self.mean[:, None, None], self.matrix[:, :, None, None])

    @torch.no_grad()
    def _track(self, values: Tensor) -> None:
        """Add a batch to the means of values and products; the matrix follows after 1, 2, 4, 8 ... batches."""
        samples = values.transpose(0, 1).flatten(1)
        self.num_batches_tracked += 1
        weight = 1 / self.num_batches_tracked
        self.mean.lerp_(samples.mean(1), weight)
        self.product.lerp_(samples @ samples.T / samples.shape[1], weight)
        count = int(self.num_batches_tracked)
        if count & (count - 1) == 0:
            covariance = (self.product - torch.outer(self.mean, self.mean)).double()
            deviation = covariance.diagonal().clamp_min(0).sqrt().clamp_min(SMALLEST_DEVIATION)
            variances, directions = torch.linalg.eigh(covariance / torch.outer(deviation, deviation))
            scales = (variances.clamp_min(0) + SMALLEST_VARIANCE).rsqrt()
            self.matrix.copy_(directions * scales @ directions.T / deviation)


class FilterPrediction(nn.Module):
    """Predicts the filters from the bands; all layers are dense, and the same at each place."""

    def __init__(self, bands: tuple[int, ...], preset: ChakrabartiPreset) -> None:
        """
        Args:
            bands: Number of coefficients of each band.
            preset: Number of units.
        """
        super().__init__()
        units = preset.units
        self.first = nn.ModuleList(_dense(a + b, units) for a, b in pairwise(bands))
        self.second = nn.ModuleList(_dense(2 * units, 2 * units) for _ in self.first[1:])
        self.joined = nn.Sequential(*(_dense(4 * units, 4 * units) for _ in range(preset.layers)))
        self.head = zero_initialised(nn.Conv2d(4 * units, 2 * (PATCH // 2 + 1) * PATCH, 1))
        self.changes: Tensor
        # the mean of a patch is kept: the filter is 1 at frequency zero
        changes = torch.ones(PATCH // 2 + 1, PATCH, 2)
        changes[0, PATCH // 2] = 0
        self.register_buffer("changes", changes.flatten()[:, None, None], persistent=False)

    def forward(self, bands: list[Tensor]) -> Tensor:
        """Return the filters less 1, [N, 33 * 65 * 2, h, w]; see `WindowSpectra` for their order."""
        features = bands
        for layers in (self.first, self.second):
            pairs = zip(layers, pairwise(features), strict=True)
            features = [layer(torch.cat(neighbours, 1)) for layer, neighbours in pairs]
        filters: Tensor = self.head(self.joined(torch.cat(features, 1)))
        return filters * self.changes


class WindowSpectra(nn.Module):
    """The Fourier transforms of square windows at all multiples of a stride, by a convolution along each axis."""

    horizontal: Tensor
    vertical: Tensor

    def __init__(self, side: int, highest: int, stride: int) -> None:
        """
        Args:
            side: Of a window in pixels, odd; its middle is the origin.
            highest: Highest frequency of each axis, in periods per window.
            stride: Pixels between windows.
        """
        super().__init__()
        self.stride = stride
        rows, columns = (_waves(side, frequencies) for frequencies in (range(highest + 1), range(-highest, highest + 1)))
        real_rows = np.stack([rows.real, rows.imag], 1).reshape(-1, 1, 1, side)
        complex_columns = _complex_matrix(columns / side).reshape(-1, 2, side, 1)
        self.register_buffer("horizontal", torch.from_numpy(real_rows.astype(np.float32)), persistent=False)
        self.register_buffer("vertical", torch.from_numpy(complex_columns.astype(np.float32)), persistent=False)

    def forward(self, planes: Tensor) -> Tensor:
        """Transform windows of planes [N, 1, H, W].

        Returns:
            [N, highest + 1, 2 * highest + 1, 2, h, w]: horizontal frequencies from 0, vertical ones from -highest, the real and
            the imaginary part, and the places of windows.
        """
        lines = F.conv2d(planes, self.horizontal, stride=(1, self.stride))
        frequencies, height, width = (int(side) for side in lines.shape[1:])
        spectra = F.conv2d(lines.reshape(-1, 2, height, width), self.vertical, stride=(self.stride, 1))
        both = int(spectra.shape[1])
        return spectra.reshape(-1, frequencies // 2, both // 2, 2, int(spectra.shape[2]), width)


class InverseTransform(nn.Module):
    """The middle of patches from their spectra."""

    vertical: Tensor
    horizontal: Tensor

    def __init__(self) -> None:
        super().__init__()
        half = PATCH // 2
        columns = _waves(PATCH, range(-half, half + 1)).conj().T[BORDER:-BORDER] / PATCH
        rows = _waves(PATCH, range(half + 1)).conj().T[BORDER:-BORDER].copy()
        # of a real image, the negative frequencies repeat the positive ones
        rows[:, 1:] *= 2
        vertical = _complex_matrix(columns[..., None]).reshape(2 * RESTORED, 2, PATCH)
        horizontal = np.stack([rows.real, -rows.imag], -1).reshape(RESTORED, -1)
        for name, matrix in (("vertical", vertical.swapaxes(1, 2).reshape(2 * RESTORED, -1)), ("horizontal", horizontal)):
            self.register_buffer(name, torch.from_numpy(matrix.astype(np.float32))[:, :, None, None], persistent=False)

    def forward(self, spectra: Tensor) -> Tensor:
        """Map spectra [N, 33, 65, 2, h, w], see `WindowSpectra`, to patches [N, 33, 33, h, w]."""
        height, width = (int(side) for side in spectra.shape[-2:])
        half = PATCH // 2 + 1
        lines = F.conv2d(spectra.reshape(-1, 2 * PATCH, height, width), self.vertical)
        lines = lines.reshape(-1, half, RESTORED, 2, height * width).transpose(1, 2)
        patches = F.conv2d(lines.reshape(-1, 2 * half, height, width), self.horizontal)
        return patches.reshape(-1, RESTORED, RESTORED, height, width)


def _waves(side: int, frequencies: range) -> NDArray[np.complex128]:
    """The waves of these frequencies on the pixels of a window, [frequencies, side]."""
    places = np.arange(side) - side // 2
    waves: NDArray[np.complex128] = np.exp(-2j * np.pi * np.outer(frequencies, places) / side)
    return waves


def _complex_matrix(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """A complex [m, n, ...] as the real [m, 2, 2, n, ...] that multiplies real and imaginary parts: outputs before inputs."""
    return np.stack([np.stack([matrix.real, -matrix.imag], 1), np.stack([matrix.imag, matrix.real], 1)], 1)


def _band(above: int, highest: int) -> NDArray[np.int64]:
    """Where the coefficients of a band are in the flat spectrum of a window: those whose larger frequency is in the range.

    Of each pair of coefficients that are conjugate, one is taken, and of the coefficient zero only the real part.
    """
    x, y, part = np.meshgrid(np.arange(HIGHEST + 1), np.arange(-HIGHEST, HIGHEST + 1), np.arange(2), indexing="ij")
    largest = np.maximum(x, np.abs(y))
    repeated = (x == 0) & ((y < 0) | ((y == 0) & (part == 1)))
    return np.flatnonzero((largest > above) & (largest <= highest) & ~repeated)


def _dense(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.ReLU())
