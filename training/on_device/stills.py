"""Stills on a device: resized as they are planned, and blurred with a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamdeblur.training.blur.view import View
from streamdeblur.training.datasets.random_crops import MINIFIED
from streamdeblur.training.on_device.arrays import chosen, column, floats
from streamdeblur.training.on_device.codecs import code_values
from streamdeblur.training.on_device.pixel_pool import PixelPool, Place, Window
from streamdeblur.training.on_device.resampling import area_matrix, centres, cubic_matrix, linear_matrix, mirrored, resized

Filter = Callable[[Tensor, int, Tensor, int], Tensor]
"""From input samples per output sample [N, 1], the number of output samples, the sizes of the inputs [N, 1] and the largest of
them to a matrix."""


class StillView(NamedTuple):
    """A part of a resized still."""

    place: Place
    scale: float
    view: View


def read_stills(pool: PixelPool, stills: Sequence[StillView], crop: int, margin: int, device: torch.device) -> Tensor:
    """Read views of one size, and `margin` pixels around, of stills that are resized as `random_crops.scaled` does.

    Args:
        pool: Where the stills are.
        stills: Which.
        crop: Side in pixels of the crop of a whole face, up to which small pictures are mirrored.
        margin: Pixels around each view.
        device: Where it is done.

    Returns:
        uint8 [N, size, size, 3].
    """
    size = stills[0].view.width + 2 * margin
    pixels = torch.empty((len(stills), size, size, 3), dtype=torch.uint8, device=device)
    window = Window.around([still.view for still in stills], size, margin, device)
    for way in (None, cubic, linear, area):
        for numbers, at in chosen([_way(still.scale) is way for still in stills], device):
            part = Window(window.left[at], window.top[at], size, size)
            group = [stills[n] for n in numbers]
            pixels[at] = _resized(pool, group, part, crop, way) if way else pool.read([still.place for still in group], part)
    return pixels


def _way(scale: float) -> Filter | None:
    if scale == 1.0:
        return None
    return cubic if scale > 1.0 else linear if scale >= MINIFIED else area


def _resized(pool: PixelPool, stills: Sequence[StillView], window: Window, crop: int, way: Filter) -> Tensor:
    scales = [still.scale for still in stills]
    heights, widths = [still.place.height for still in stills], [still.place.width for still in stills]
    lines = _part_of_resized(way, heights, scales, window.top, crop, window.height)
    columns = _part_of_resized(way, widths, scales, window.left, crop, window.width)
    origin = torch.zeros_like(window.left)
    whole = pool.read([still.place for still in stills], Window(origin, origin, max(widths), max(heights)))
    return code_values(resized(whole.permute(0, 3, 1, 2).float(), lines, columns)).permute(0, 2, 3, 1).to(torch.uint8)


def _part_of_resized(way: Filter, sizes: list[int], scales: list[float], begins: Tensor, crop: int, count: int) -> Tensor:
    """The matrix from pictures of `sizes` samples to `count` samples, from `begins` [N, 1] on, of the resized ones."""
    device = begins.device
    new = [round(size * scale) for size, scale in zip(sizes, scales, strict=True)]
    bordered, borders = column([max(crop, size) for size in new], device), column([max(0, crop - n) // 2 for n in new], device)
    shown = mirrored(begins + torch.arange(count, device=device), bordered)
    places = mirrored(shown - borders, column(new, device))
    steps = floats([size / smaller for size, smaller in zip(sizes, new, strict=True)], device)[:, None]
    matrix = way(steps, max(new), column(sizes, device), max(sizes))
    return matrix.gather(1, places[..., None].expand(-1, -1, matrix.shape[2]))


def cubic(steps: Tensor, count: int, sizes: Tensor, width: int) -> Tensor:
    """Interpolate with a cubic; a `Filter`."""
    return cubic_matrix(centres(count, steps), sizes, width)


def linear(steps: Tensor, count: int, sizes: Tensor, width: int) -> Tensor:
    """Interpolate linearly; a `Filter`."""
    return linear_matrix(centres(count, steps), sizes, width)


def area(steps: Tensor, count: int, sizes: Tensor, width: int) -> Tensor:
    """Average over areas; a `Filter`."""
    return area_matrix(steps, count, width)
