"""Stills and clips on a device, as they are decoded: uint8, read by index."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamdeblur.errors import OptionError
from streamdeblur.training.blur.view import View
from streamdeblur.training.on_device.arrays import column
from streamdeblur.training.on_device.resampling import mirrored

CHANNELS = 3


class Place(NamedTuple):
    """Where a picture lies in the pool."""

    begin: int
    """Number of its first pixel."""
    height: int
    width: int

    def frame(self, number: int) -> Place:
        """Return the place of a frame of a clip, of which this is the first one."""
        return self._replace(begin=self.begin + number * self.height * self.width)


class Window(NamedTuple):
    """Rectangles of one size in N pictures."""

    left: Tensor
    """int64 [N, 1]."""
    top: Tensor
    """int64 [N, 1]."""
    width: int
    height: int

    @classmethod
    def around(cls, views: Sequence[View], side: int, margin: int, device: torch.device) -> Window:
        """Return squares that begin `margin` pixels before views."""
        left, top = ([getattr(view, name) - margin for view in views] for name in ("left", "top"))
        return cls(column(left, device), column(top, device), side, side)


class PixelPool:
    """Pixels of as many pictures as fit, in one tensor. The oldest ones make room for new ones."""

    def __init__(self, size: int, device: torch.device) -> None:
        """
        Args:
            size: Bytes of the device's memory to use.
            device: Where the pixels lie.
        """
        self._pixels = torch.empty((max(1, size // CHANNELS), CHANNELS), dtype=torch.uint8, device=device)
        self._places: OrderedDict[Hashable, tuple[Place, int]] = OrderedDict()
        self._next = 0

    def __repr__(self) -> str:
        return f"PixelPool({len(self._places)} pictures and clips, {self._pixels.numel() / 1e9:.1f} GB)"

    def hold(self, pictures: Mapping[Hashable, NDArray[np.uint8]]) -> dict[Hashable, Place]:
        """Upload those that are not there yet.

        Args:
            pictures: By a name for each: uint8 RGB [H, W, 3], or the frames of a clip, [T, H, W, 3].

        Returns:
            The place of each; of a clip, that of its first frame. Valid until the next call.

        Raises:
            OptionError: They do not fit together.
        """
        # what makes room for a new one may be among those asked for; then that one is new, too
        for _ in range(2):
            for name, pixels in pictures.items():
                if name not in self._places:
                    self._upload(name, pixels)
            if all(name in self._places for name in pictures):
                return {name: self._places[name][0] for name in pictures}
        needed = sum(pixels.nbytes for pixels in pictures.values())
        raise OptionError(
            f"One batch needs {needed / 1e9:.1f} GB of pixels on the device, more than fit. Train with --device cpu."
        )

    def _upload(self, name: Hashable, pixels: NDArray[np.uint8]) -> None:
        height, width = pixels.shape[-3:-1]
        count = pixels.size // CHANNELS
        if count > len(self._pixels):
            return
        if self._next + count > len(self._pixels):
            self._next = 0
        begin, end = self._next, self._next + count
        overlapped = [other for other, (place, size) in self._places.items() if place.begin < end and begin < place.begin + size]
        for other in overlapped:
            del self._places[other]
        # the array is a read-only view of a file
        host = torch.from_numpy(np.array(pixels, copy=True)).view(-1, CHANNELS)
        self._pixels[begin:end].copy_(host, non_blocking=False)
        self._places[name] = Place(begin, height, width), count
        self._next = end

    def read(self, places: Sequence[Place], window: Window) -> Tensor:
        """Read a rectangle of each of N pictures, which are mirrored beyond their borders: uint8 [N, h, w, 3]."""
        heights, widths, begins = (column(values, window.left.device) for values in _columns(places))
        lines, columns = (torch.arange(size, device=window.left.device) for size in (window.height, window.width))
        lines, columns = mirrored(window.top + lines, heights), mirrored(window.left + columns, widths)
        return self._pixels[(begins + lines * widths)[:, :, None] + columns[:, None, :]]


def _columns(places: Sequence[Place]) -> tuple[list[int], list[int], list[int]]:
    return [place.height for place in places], [place.width for place in places], [place.begin for place in places]
