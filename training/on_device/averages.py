"""Frames of clips on a device, added up in linear light under a moving camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.view import View
from streamdeblur.training.on_device.arrays import chosen, column, floats, in_parts
from streamdeblur.training.on_device.light import Responses, brightened
from streamdeblur.training.on_device.pixel_pool import PixelPool, Place, Window
from streamdeblur.training.on_device.resampling import resized
from streamdeblur.training.on_device.stills import area, cubic

MOST_POSES = 128
"""Pictures drawn at a time: 128 of 256 px take about 0.7 GB."""


class Average(NamedTuple):
    """One exposure of frames."""

    frames: tuple[Place, ...]
    view: View
    path: CameraPath | None
    """Motion of the camera; None where it does not move."""
    response: int
    """Number of the camera's response."""
    highlights: float
    """Gain of white areas; 1 is none."""

    @property
    def middle(self) -> Place:
        """The sharp frame."""
        return self.frames[len(self.frames) // 2]


class _Frame(NamedTuple):
    """One frame of an exposure, as often as it is added."""

    exposure: int
    place: Place
    matrices: NDArray[np.float64]
    """Position of each pixel at each time, [times, 2, 3], in a picture that begins `margin` pixels before the view."""
    margin: int


def add_up(pool: PixelPool, averages: Sequence[Average], responses: Responses, device: torch.device) -> Tensor:
    """Return the linear intensity of exposures of one size: float32 [N, 3, size, size]."""
    frames = [frame for number, average in enumerate(averages) for frame in _frames(number, average)]
    widest = max(average.view.width for average in averages)
    total = torch.zeros((len(averages), 3, widest, widest), device=device)
    # frames that are added as often are drawn together
    for times in sorted({len(frame.matrices) for frame in frames}):
        alike = [frame for frame in frames if len(frame.matrices) == times]
        for group in in_parts(alike, max(1, MOST_POSES // times)):
            owners = [averages[frame.exposure] for frame in group]
            weights = floats([1.0 / len(owner.frames) for owner in owners], device)
            drawn = _drawn(pool, group, owners, responses, widest, device) * weights[:, None, None, None]
            total.index_add_(0, column([frame.exposure for frame in group], device)[:, 0], drawn)
    return fitted(total, [average.view for average in averages])


def sharp_frames(pool: PixelPool, averages: Sequence[Average], responses: Responses, number: int) -> Tensor:
    """Return the middle frames, resampled in the light of response `number`: float32 [N, 3, s, s], whole code values."""
    views = [average.view for average in averages]
    widest, size = max(view.width for view in views), size_of(views[0])
    device = responses.device
    pixels = pool.read([average.middle for average in averages], Window.around(views, widest, 0, device))
    numbers = torch.full((len(views),), number, device=device)
    sharp = responses.codes(fitted(responses.intensity(pixels, numbers), views), numbers)
    for _, at in chosen([view.width == size for view in views], device):
        sharp[at] = pixels[at, :size, :size].permute(0, 3, 1, 2).float()
    return sharp


def size_of(view: View) -> int:
    """Return the side in pixels of what is made of a square view."""
    return view.size or view.width


def _frames(number: int, average: Average) -> list[_Frame]:
    view, count = average.view, len(average.frames)
    path = average.path or CameraPath.still(count, view.width, view.height)
    matrices = path.matrices(path.reach)
    return [_Frame(number, place, own, path.reach) for place, own in zip(average.frames, matrices, strict=True)]


def _drawn(
    pool: PixelPool, frames: Sequence[_Frame], owners: Sequence[Average], responses: Responses, side: int, device: torch.device
) -> Tensor:
    """The mean of each frame over its poses: float32 [N, 3, side, side]."""
    margin = max(frame.margin for frame in frames)
    window = Window.around([owner.view for owner in owners], side + 2 * margin + 1, margin, device)
    numbers = column([owner.response for owner in owners], device)[:, 0]
    intensity = responses.intensity(pool.read([frame.place for frame in frames], window), numbers)
    intensity = brightened(intensity, floats([owner.highlights for owner in owners], device))
    matrices = np.stack([frame.matrices for frame in frames])
    matrices[..., 2] += np.array([margin - frame.margin for frame in frames])[:, None, None]
    return warped(intensity, torch.from_numpy(matrices.astype(np.float32)).to(device), side)


def warped(intensity: Tensor, matrices: Tensor, side: int) -> Tensor:
    """Return the mean of pictures under several poses of a camera, see `kernels.warping.add_warped`.

    Args:
        intensity: float32 [N, 3, H, W].
        matrices: float32 [N, poses, 2, 3].
        side: Side in pixels of what is drawn.

    Returns:
        float32 [N, 3, side, side].
    """
    numbers, poses = matrices.shape[:2]
    samples = torch.arange(side, device=intensity.device, dtype=torch.float32)
    across, down, moved = (matrices[..., k][:, :, None, None] for k in range(3))
    places = across * samples[:, None] + down * samples[:, None, None] + moved
    # in halves of the picture, from its middle
    limits = torch.tensor([intensity.shape[-1] - 1.0, intensity.shape[-2] - 1.0], device=intensity.device)
    grid = (places * (2 / limits) - 1).view(numbers, poses * side, side, 2)
    drawn = F.grid_sample(intensity, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return drawn.view(numbers, 3, poses, side, side).mean(2)


def fitted(intensity: Tensor, views: Sequence[View]) -> Tensor:
    """Resample the beginnings of squares in linear light to the size of their views, as `View.resampled` does."""
    widths, size, device = [view.width for view in views], size_of(views[0]), intensity.device
    result = torch.empty((*intensity.shape[:2], size, size), device=device)
    for _, at in chosen([width == size for width in widths], device):
        result[at] = intensity[at, :, :size, :size]
    for way, flags in ((area, [width > size for width in widths]), (cubic, [width < size for width in widths])):
        for numbers, at in chosen(flags, device):
            steps = floats([widths[n] / size for n in numbers], device)[:, None]
            matrix = way(steps, size, column([widths[n] for n in numbers], device), intensity.shape[-1])
            result[at] = resized(intensity[at], matrix, matrix).clamp_min(0)
    return result
