"""FaceWindow: the square region of a frame that maps to a crop. `crop` reads it and `paste` adds the restored crop back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.window import crop_components, paste_component, residual_components
from streamdeblur.video.planes import Planes
from streamdeblur.video.turning import turned_picture

CROP_SIZE = 256
"""Side of a crop in pixels that every network takes (paper, Sec. 3: all images are 256 x 256); some take smaller ones, too."""

WINDOW_SCALE = 1.7
"""Side of the window around a face in units of its box, as in the training of this project's networks."""

FEATHER = 0.15
"""Share of a window over which the mask rises from 0 at its edge to 1; in proportion, so that large faces show no seam."""


@dataclass(frozen=True)
class FaceWindow:
    """A square of a frame, in luma pixels; it may extend beyond the border."""

    centre_x: float
    centre_y: float
    side: float

    def __post_init__(self) -> None:
        if not (self.side > 0 and np.isfinite([self.centre_x, self.centre_y, self.side]).all()):
            raise ValueError(f"A face window needs finite values and a side above 0 (got {self}).")

    @classmethod
    def around(cls, box: Sequence[float] | NDArray[np.floating], scale: float) -> FaceWindow:
        """Return the window that is centred on `box` (x0, y0, x1, y1 in pixels), with `scale` times its longer side."""
        x0, y0, x1, y1 = (float(v) for v in box)
        return cls((x0 + x1) / 2, (y0 + y1) / 2, scale * max(x1 - x0, y1 - y0))

    @property
    def left(self) -> float:
        return self.centre_x - self.side / 2

    @property
    def top(self) -> float:
        return self.centre_y - self.side / 2

    def touches(self, other: FaceWindow) -> bool:
        """Return whether the two windows share any pixel."""
        reach = (self.side + other.side) / 2
        return abs(self.centre_x - other.centre_x) < reach and abs(self.centre_y - other.centre_y) < reach

    def inside(self, width: int, height: int) -> bool:
        """Return whether any pixel of a frame of this size lies in the window."""
        return self.left < width and self.top < height and self.left + self.side > 0 and self.top + self.side > 0


def crop_region(
    planes: Planes, left: float, top: float, width: float, height: float, out: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Resample a region of a frame: area average where it shrinks, cubic where it enlarges; the border is repeated outwards.

    Args:
        planes: The frame.
        left: First column of the region, in luma pixels.
        top: First line of the region, in luma pixels.
        width: Width of the region in luma pixels.
        height: Height of the region in luma pixels.
        out: uint8 RGB [h, w, 3] that receives the result.

    Returns:
        `out`.
    """
    grid = _sampling_grid(planes, left, top, width / out.shape[1], height / out.shape[0])
    crop_components(planes.channels, planes.memory, grid, planes.colour.to_rgb, out)
    return out


def whole_picture(planes: Planes) -> NDArray[np.uint8]:
    """Read a whole frame, upright: uint8 RGB [H, W, 3]."""
    out = np.empty((planes.height, planes.width, 3), np.uint8)
    return turned_picture(crop_region(planes, 0, 0, planes.width, planes.height, out), planes.turn)


def _sampling_grid(planes: Planes, left: float, top: float, across: float, down: float) -> NDArray[np.float64]:
    grid = planes.component_grid(left, top)
    grid[:, 1] *= across
    grid[:, 3] *= down
    return grid


def crop_grid(planes: Planes, window: FaceWindow) -> NDArray[np.float64]:
    """Return where a crop of `CROP_SIZE` begins in each component, and the samples per pixel of the crop: float64 [3, 4]."""
    unit = window.side / CROP_SIZE
    return _sampling_grid(planes, window.left, window.top, unit, unit)


def paste_grid(planes: Planes, window: FaceWindow) -> NDArray[np.float64]:
    """Return where sample (0, 0) of each component lies in a crop of `CROP_SIZE`, and the pixels per sample: float64 [3, 4]."""
    return _window_grid(planes, window) * CROP_SIZE


def crop(planes: Planes, window: FaceWindow, size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """Read the crop of `window`, upright: uint8 RGB [size, size, 3]."""
    out = np.empty((size, size, 3), np.uint8)
    return turned_picture(crop_region(planes, window.left, window.top, window.side, window.side, out), planes.turn)


@dataclass(frozen=True, eq=False)
class RestoredCrop:
    """A restored crop and the window that it belongs to."""

    window: FaceWindow
    crop: NDArray[np.uint8]
    """uint8 RGB [S, S, 3], as `crop` read it from the frame."""
    restored: NDArray[np.uint8]
    """uint8 RGB [S, S, 3], as the network returned it."""
    strength: float = 1.0
    """Share of the residual that is added."""


def paste(planes: Planes, restorations: Sequence[RestoredCrop]) -> None:
    """Add ``strength * mask * upsample(restored - crop)`` of each restoration to the planes, in place, at their bit depth.

    Pixels outside the windows are not touched. Where windows overlap, their masks are scaled to sum to at most 1.
    """
    for restoration in restorations:
        others = [o.window for o in restorations if o is not restoration and o.window.touches(restoration.window)]
        _paste_one(planes, restoration, others)


def _paste_one(planes: Planes, restoration: RestoredCrop, others: Sequence[FaceWindow]) -> None:
    size = restoration.crop.shape[0]
    residual = np.empty((3, size, size), np.float32)
    from_rgb = planes.colour.from_rgb * np.float32(restoration.strength)
    restored, cropped = np.ascontiguousarray(restoration.restored), np.ascontiguousarray(restoration.crop)
    residual_components(restored, cropped, from_rgb, residual)
    if planes.turn:
        residual = np.ascontiguousarray(np.rot90(residual, -planes.turn, (1, 2)))
    grid = _window_grid(planes, restoration.window) * size
    # By component: the kernel gets the same type of array for any number of windows, and is compiled once.
    windows = np.ascontiguousarray(np.array([_window_grid(planes, other) for other in others]).reshape(-1, 3, 4).swapaxes(0, 1))
    for c, array in enumerate(planes.arrays):
        paste_component(array, planes.memory[c], grid[c], residual[c], FEATHER, windows[c], planes.layout.maximum)


def _window_grid(planes: Planes, window: FaceWindow) -> NDArray[np.float64]:
    """Where sample (0, 0) of each component begins in the window, and samples' size, in units of its side: float64 [3, 4]."""
    grid = planes.component_grid(window.left, window.top)
    scale = grid[:, 1::2]
    return (
        np.stack([-grid[:, 0] / scale[:, 0], 1 / scale[:, 0], -grid[:, 2] / scale[:, 1], 1 / scale[:, 1]], axis=1) / window.side
    )
