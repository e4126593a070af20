"""What sensors and streams do to many pictures at a time; see `blur.sensor.degrade`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from streamdeblur.training.blur.sensor import Degradations, disc
from streamdeblur.training.on_device.arrays import chosen, column, floats
from streamdeblur.training.on_device.codecs import combed, down_and_up, jpeg, sharpened, taped
from streamdeblur.training.on_device.light import Responses, convolved, noisy

STEPS: tuple[tuple[str, str, Callable[[Tensor, Tensor], Tensor]], ...] = (
    ("scaling", "scaling", down_and_up),
    ("tape", "tape", taped),
    ("sharpening", "sharpening", sharpened),
    ("combing", "between_fields", combed),
    ("jpeg", "jpeg", jpeg),
)
"""Name of each degradation of code values, of the value that it takes, and what it does; in order."""


def degraded(intensity: Tensor, degradations: Sequence[Degradations], responses: Responses, numbers: Tensor) -> Tensor:
    """Make the pictures that cameras and streams deliver of blurred linear intensity; H.264 is left out.

    Args:
        intensity: float32 [N, 3, S, S], highlights included; changed in place.
        degradations: Of each picture.
        responses: Of the cameras.
        numbers: Which of them took each picture, int64 [N].

    Returns:
        float32 [N, 3, S, S], whole code values.
    """
    device = intensity.device
    for which, at in chosen([d.defocus is not None for d in degradations], device):
        intensity[at] = _defocused(intensity[at], [degradations[n].defocus or 0.0 for n in which])
    for which, at in chosen([d.noise is not None for d in degradations], device):
        gains = floats([degradations[n].noise or 0.0 for n in which], device)
        intensity[at] = noisy(intensity[at], gains, column([degradations[n].key for n in which], device)[:, 0])
    images = responses.codes(intensity, numbers)
    for name, value, step in STEPS:
        for which, at in chosen([getattr(d, name) is not None for d in degradations], device):
            images[at] = step(images[at], floats([getattr(degradations[n], value) for n in which], device))
    return images


def defocused_kernels(kernels: Tensor, radii: Sequence[float | None]) -> Tensor:
    """Convolve kernels [N, E, k, k] with the defocus of each of N sequences, see `blur.sensor.with_defocus`."""
    for which, at in chosen([radius is not None for radius in radii], kernels.device):
        discs = _discs([radii[n] or 0.0 for n in which], kernels.device)
        kernels[at] = convolved(F.pad(kernels[at], (discs.shape[-1] // 2,) * 4), discs)
    return kernels


def _defocused(intensity: Tensor, radii: Sequence[float]) -> Tensor:
    discs = _discs(radii, intensity.device)
    return convolved(F.pad(intensity, (discs.shape[-1] // 2,) * 4, mode="reflect"), discs)


def _discs(radii: Sequence[float], device: torch.device) -> Tensor:
    """Discs of these radii, [N, k, k]."""
    discs = [disc(radius) for radius in radii]
    side = max(len(kernel) for kernel in discs)
    return torch.from_numpy(np.stack([np.pad(kernel, (side - len(kernel)) // 2) for kernel in discs])).to(device)
