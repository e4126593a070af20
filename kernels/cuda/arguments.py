"""The arguments of the CUDA kernels: a frame and its faces, as NumPy forms of the structures in structs.cuh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 256
"""Side of a crop in pixels."""

COMPONENT = np.dtype(
    [
        ("samples", "u8"), ("first_line", "i4"), ("pitch", "i4"), ("offset", "i4"), ("stride", "i4"), ("width", "i4"),
        ("height", "i4"), ("shift", "i4"),
    ],
    align=True,
)  # fmt: skip
GRID = np.dtype([("origin_x", "f8"), ("step_x", "f8"), ("origin_y", "f8"), ("step_y", "f8")], align=True)
EXTENT = np.dtype([("begin_x", "i4"), ("end_x", "i4"), ("begin_y", "i4"), ("end_y", "i4")], align=True)
FACE = np.dtype([("crop", GRID, 3), ("paste", GRID, 3), ("extents", EXTENT, 3), ("strength", "f4"), ("factor", "i4")], align=True)
REGION = np.dtype([("begin_x", "i4"), ("begin_y", "i4"), ("width", "i4"), ("height", "i4")], align=True)
FRAME = np.dtype(
    [
        ("components", COMPONENT, 3), ("regions", REGION, 3), ("to_rgb", "f4", (3, 4)), ("from_rgb", "f4", (3, 3)),
        ("feather", "f4"), ("maximum", "i4"), ("pasted", "i4"), ("faces", "i4"), ("turn", "i4"),
    ],
    align=True,
)  # fmt: skip
MEASURED = np.dtype(
    [
        ("sums", "f8", (2, 160)), ("variation", "f8", (2, 2, 160)), ("samples", "f4", 160 * 160),
        ("differences", "f4", (40, 160)), ("energies", "f4", (2, 400)), ("contrast", "f4", 400), ("steepness", "f4", (2, 400)),
        ("rank", "i4", 400),
    ],
    align=True,
)  # fmt: skip

Structures = NDArray[np.void]


def face_arguments(
    memory: NDArray[np.int64], crop_grids: NDArray[np.float64], paste_grids: NDArray[np.float64], strengths: Sequence[float]
) -> Structures:
    """Make the structures of the faces of a frame.

    Args:
        memory: int64 [3, 5], (offset, stride, width, height, shift) of each component.
        crop_grids: float64 [N, 3, 4], the grids of `crop_components` for crops of 256 pixels.
        paste_grids: float64 [N, 3, 4], the grids of `paste_component`.
        strengths: N factors of the residuals.

    Returns:
        FACE [N].
    """
    faces = np.zeros(len(crop_grids), FACE)
    for n, name in enumerate(GRID.names or ()):
        faces["crop"][name], faces["paste"][name] = crop_grids[..., n], paste_grids[..., n]
    for n, axis in ((0, "x"), (2, "y")):
        origin, step = paste_grids[..., n], paste_grids[..., n + 1]
        begin = np.maximum(0, np.ceil(-origin / step - 0.5))
        end = np.minimum(memory[:, 2 + n // 2], np.floor((SIZE - origin) / step + 0.5))
        faces["extents"][f"begin_{axis}"], faces["extents"][f"end_{axis}"] = begin, np.maximum(begin, end)
    faces["strength"] = strengths
    return faces


def lines_of(memory: NDArray[np.int64], faces: Structures) -> NDArray[np.int64]:
    """Return the lines (begin, end) of each component that the kernels read or write, within the frame: int64 [3, 2]."""
    return _samples_of(memory[:, 3], faces, "y")


def columns_of(memory: NDArray[np.int64], faces: Structures) -> NDArray[np.int64]:
    """Return the columns (begin, end) of each component that the kernels read or write, within the frame: int64 [3, 2]."""
    return _samples_of(memory[:, 2], faces, "x")


def _samples_of(size: NDArray[np.int64], faces: Structures, axis: str) -> NDArray[np.int64]:
    begin, step = faces["crop"][f"origin_{axis}"], faces["crop"][f"step_{axis}"]
    # two taps of the cubic lie beyond either end
    first = np.minimum(np.floor(begin) - 2, faces["extents"][f"begin_{axis}"]).min(0)
    last = np.maximum(np.ceil(begin + SIZE * step) + 2, faces["extents"][f"end_{axis}"]).max(0)
    # beyond the border its sample is repeated, so at least that one is needed
    return np.stack([np.clip(first, 0, size - 1), np.clip(last, 1, size)], axis=1).astype(np.int64)


def frame_arguments(
    memory: NDArray[np.int64], pitches: Sequence[int], begins: Sequence[int], lines: NDArray[np.int64], addresses: Sequence[int],
    to_rgb: NDArray[np.float32], from_rgb: NDArray[np.float32], maximum: int, pasted: int, feather: float, faces: Structures,
    turn: int = 0,
) -> Structures:  # fmt: skip
    """Make the structure of a frame.

    Args:
        memory: int64 [3, 5], as for `face_arguments`.
        pitches: Samples from one line to the next in device memory, of each component.
        begins: Samples of a line of the plane that are left out before those in device memory, of each component.
        lines: int64 [3, 2], the lines (begin, end) of each component that are in device memory.
        addresses: Where the first sample of a plane that is in device memory is, of each component.
        to_rgb: float32 [3, 4], as for `crop_components`.
        from_rgb: float32 [3, 3], as for `residual_components`.
        maximum: Largest code value.
        pasted: Number of components that are written: 1 for gray, else 3.
        feather: Width of the feather as a fraction of the window.
        faces: FACE [N].
        turn: Quarter turns, counterclockwise, after which the frame is upright.

    Returns:
        FRAME [1].
    """
    frame = np.zeros(1, FRAME)
    components, regions = frame["components"][0], frame["regions"][0]
    components["samples"], components["first_line"], components["pitch"] = addresses, lines[:, 0], pitches
    for n, name in enumerate(("offset", "stride", "width", "height", "shift")):
        components[name] = memory[:, n]
    # columns are those of the frame, so the first one in device memory may lie before the address
    components["offset"] -= np.asarray(begins, np.int32)
    for axis, extent in (("x", "width"), ("y", "height")):
        begin, end = faces["extents"][f"begin_{axis}"].min(0), faces["extents"][f"end_{axis}"].max(0)
        regions[f"begin_{axis}"], regions[extent] = begin, np.maximum(end - begin, 0)
    values: dict[str, Any] = {
        "to_rgb": to_rgb, "from_rgb": from_rgb, "feather": feather, "maximum": maximum, "pasted": pasted, "faces": len(faces),
        "turn": turn,
    }  # fmt: skip
    for name, value in values.items():
        frame[name][0] = value
    return frame
