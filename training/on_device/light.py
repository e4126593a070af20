"""Linear light, convolution and noise of many pictures at a time; see `kernels.intensity` and `kernels.sensor`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from streamdeblur.kernels.sensor import BYTES_MEAN, BYTES_VARIANCE
from streamdeblur.training.blur.response import Response, intensity_table
from streamdeblur.training.blur.sensor import FULL_WELL, HIGHLIGHT, READ_ELECTRONS

LOW = 0xFFFFFFFF
"""The lower 32 bits of an integer: PyTorch has no arithmetic of unsigned ones."""


class Responses:
    """The tables of several camera responses on a device.

    Attributes:
        numbers: Of the tables of each response, by its name.
    """

    def __init__(self, responses: Sequence[Response], device: torch.device) -> None:
        self.device = device
        self.numbers = {response.name: number for number, response in enumerate(responses)}
        self._intensity = torch.from_numpy(np.stack([intensity_table(response) for response in responses])).to(device)
        longest = max(len(response.to_code) for response in responses)
        # what is beyond a table is its last code value
        codes = [np.pad(response.to_code, (0, longest - len(response.to_code)), constant_values=255) for response in responses]
        self._codes = torch.from_numpy(np.concatenate(codes)).to(device)
        self._full = torch.tensor([float(response.full) for response in responses], device=device)
        self._longest = longest

    def number(self, responses: Sequence[Response]) -> Tensor:
        """Return the number of the tables of each response: int64 [N]."""
        return torch.tensor([self.numbers[response.name] for response in responses], device=self.device)

    def intensity(self, pixels: Tensor, numbers: Tensor) -> Tensor:
        """Return the linear intensity, float32 [N, 3, H, W], of pixels uint8 [N, H, W, 3]."""
        table = self._intensity.flatten()
        return table[pixels.permute(0, 3, 1, 2).int() + 256 * numbers[:, None, None, None].int()]

    def codes(self, intensity: Tensor, numbers: Tensor) -> Tensor:
        """Return the code values, float32 [N, 3, H, W], of linear intensity; it is clipped."""
        full = self._full[numbers][:, None, None, None]
        places = torch.minimum((intensity * full + 0.5).clamp_min(0), full).int()
        return self._codes[places + self._longest * numbers[:, None, None, None].int()].float()


def brightened(intensity: Tensor, gains: Tensor) -> Tensor:
    """Make white areas brighter than white, see `kernels.sensor.brighten`: [N, 3, H, W], with a gain for each, [N]; 1 is none."""
    beyond = ((intensity.amin(1, keepdim=True) - HIGHLIGHT) / (1 - HIGHLIGHT)).clamp_min(0)
    return intensity * (1 + (gains[:, None, None, None] - 1) * beyond.square())


def convolved(intensity: Tensor, kernels: Tensor) -> Tensor:
    """Convolve pictures with one kernel each.

    Args:
        intensity: float32 [N, 3, h + k - 1, w + k - 1].
        kernels: float32 [N, k, k].

    Returns:
        float32 [N, 3, h, w], not negative.
    """
    size, (height, width) = kernels.shape[-1], intensity.shape[-2:]
    # circular: what wraps around falls into the border that is cropped
    shape = (_fast_length(height), _fast_length(width))
    product = torch.fft.rfft2(intensity, shape) * torch.fft.rfft2(kernels, shape)[:, None]
    whole: Tensor = torch.fft.irfft2(product, shape)
    return whole[..., size - 1 : height, size - 1 : width].clamp_min(0)


def _fast_length(size: int) -> int:
    """The next length of transforms that is a multiple of 16 and has no prime factor above 5."""
    length = -(-size // 16) * 16
    while any(length % factor == 0 for factor in (7, 11, 13, 17, 19, 23, 29, 31)):
        length += 16
    return length


def noisy(intensity: Tensor, gains: Tensor, keys: Tensor) -> Tensor:
    """Add shot and read noise, the same for the same key as `kernels.sensor.write_noisy_codes` does.

    Args:
        intensity: float32 [N, 3, H, W], not negative.
        gains: Gain of each amplifier, [N].
        keys: 32 bits for each picture, int64 [N].
    """
    _, channels, height, width = intensity.shape
    # samples are counted as they lie in a picture of the CPU
    counters = torch.arange(height * width * channels, device=keys.device).view(height, width, channels).permute(2, 0, 1)
    bits = _bits_of((counters + keys[:, None, None, None]) & LOW)
    pairs = (bits & 0x00FF00FF) + ((bits >> 8) & 0x00FF00FF)
    deviates = ((pairs & 0xFFFF) + (pairs >> 16) - int(BYTES_MEAN)).float()
    shot = gains / (FULL_WELL * BYTES_VARIANCE)
    dark = (gains * (READ_ELECTRONS / FULL_WELL)) ** 2 / BYTES_VARIANCE
    return intensity + deviates * (shot[:, None, None, None] * intensity + dark[:, None, None, None]).sqrt()


def _bits_of(counters: Tensor) -> Tensor:
    """32 random bits of each counter, as `kernels.sensor.bits_of`."""
    bits = ((counters ^ (counters >> 16)) * 0x7FEB352D) & LOW
    bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & LOW
    return bits ^ (bits >> 16)
