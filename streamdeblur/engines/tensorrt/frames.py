"""The faces of one frame on the device, from its planes and back into them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.tensorrt.kernels import BLOCK
from streamdeblur.faces.gain import face_square
from streamdeblur.faces.window import CROP_SIZE, FEATHER, FaceWindow, crop_grid, paste_grid
from streamdeblur.kernels.cuda.arguments import FACE, FRAME, Structures, columns_of, face_arguments, frame_arguments, lines_of
from streamdeblur.video.planes import Planes

ALIGNMENT = 256
"""Each part of a block begins at a multiple of this many bytes, as device memory does."""
ALIGNED = 16
"""Samples: lines of a plane begin at a multiple of them, so that threads that read neighbouring samples read whole words."""


class FrameJob:
    """A block of memory, the same on the host and on the device: [frame | faces | finite | lines of each plane].

    Only the samples in the rectangle around the windows are copied to the device. Of those, the lines under the faces that are
    restored come back.
    """

    def __init__(self, planes: Planes, windows: Sequence[FaceWindow], strengths: Sequence[float]) -> None:
        self.count = len(windows)
        self._planes = planes
        self.bits = 8 * planes.arrays[0].itemsize
        crop_grids = np.stack([crop_grid(planes, window) for window in windows])
        paste_grids = np.stack([paste_grid(planes, window) for window in windows])
        self._faces = face_arguments(planes.memory, crop_grids, paste_grids, strengths)
        self._faces["factor"] = [face_square(CROP_SIZE, window.side)[2] for window in windows]
        self._lines = _lines_of_planes(planes, lines_of(planes.memory, self._faces))
        self._columns = _columns_of_planes(planes, columns_of(planes.memory, self._faces))
        self._lay_out()

    def _lay_out(self) -> None:
        end = 0

        def part(size: int) -> int:
            nonlocal end
            begin, end = end, -(-(end + size) // ALIGNMENT) * ALIGNMENT
            return begin

        self.frame_at = part(FRAME.itemsize)
        self.faces_at = part(self.count * FACE.itemsize)
        self.finite_at = part(self.count * 4)
        self._plane_at = {}
        for plane in self._lines:
            self._plane_at[plane] = part(self._wanted(self._planes, plane).nbytes)
        self.size = end

    def restoring(self, faces: Sequence[int], strengths: Sequence[float]) -> FrameJob:
        """Return the job of some of the faces, in a block that has the samples of all of them where they are here."""
        job = copy(self)
        job.count, job._faces = len(faces), self._faces[list(faces)]
        job._faces["strength"] = strengths
        return job

    @property
    def arguments_size(self) -> int:
        """Bytes of the block before the samples."""
        return min(self._plane_at.values())

    def _array(self, plane: int) -> NDArray[Any]:
        return next(
            array
            for array, component in zip(self._planes.arrays, self._planes.layout.components, strict=True)
            if component.plane == plane
        )

    def fill(self, block: NDArray[np.uint8]) -> None:
        """Write everything but `frame`, which needs the device's addresses, into a staging block."""
        self.fill_faces(block)
        for plane in self._lines:
            self._staged(block, plane)[:] = self._wanted(self._planes, plane)

    def fill_faces(self, block: NDArray[np.uint8]) -> None:
        """Write `faces` and `finite` into a staging block."""
        self._part(block, self.faces_at, self.count * FACE.itemsize)[:] = np.frombuffer(self._faces.tobytes(), np.uint8)
        self._part(block, self.finite_at, self.count * 4).view(np.int32)[:] = 1

    def address(self, block: NDArray[np.uint8], device: int) -> Structures:
        """Write `frame` into a staging block that is copied to the address `device`, and return it: FRAME [1]."""
        layout, colour = self._planes.layout, self._planes.colour
        components = layout.components if len(layout.components) == 3 else layout.components[:1] * 3
        frame = frame_arguments(
            self._planes.memory,
            [self._columns[component.plane][1] - self._columns[component.plane][0] for component in components],
            [self._columns[component.plane][0] for component in components],
            np.array([self._lines[component.plane] for component in components]),
            [device + self._plane_at[component.plane] for component in components],
            colour.to_rgb, colour.from_rgb, layout.maximum, len(layout.components), FEATHER, self._faces,
            turn=self._planes.turn,
        )  # fmt: skip
        self._part(block, self.frame_at, FRAME.itemsize)[:] = np.frombuffer(frame.tobytes(), np.uint8)
        return frame

    @property
    def crop_blocks(self) -> tuple[int, int, int]:
        """Grid of a launch with one thread for each pixel of each crop."""
        return CROP_SIZE // BLOCK[0], CROP_SIZE // BLOCK[1], self.count

    def paste_blocks(self, frame: Structures) -> tuple[int, int, int]:
        """Grid of a launch with one thread for each sample of the region that the windows cover."""
        pasted = int(frame["pasted"][0])
        width, height = (int(frame["regions"][0][:pasted][extent].max()) for extent in ("width", "height"))
        return max(1, -(-width // BLOCK[0])), max(1, -(-height // BLOCK[1])), pasted

    def changed(self) -> list[tuple[int, int]]:
        """Parts of the block (begin, end) that the kernels write, in bytes: `finite`, and lines of each plane."""
        parts = [(self.finite_at, self.finite_at + self.count * 4)]
        for plane, (begin, end) in _lines_of_planes(self._planes, lines_of(self._planes.memory, self._faces)).items():
            pitch = self._wanted(self._planes, plane)[:1].nbytes
            first = self._plane_at[plane] - self._lines[plane][0] * pitch
            parts.append((first + begin * pitch, first + end * pitch))
        return parts

    def finite(self, block: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """bool [N]: False where the network gave NaN or infinity."""
        return np.asarray(self._part(block, self.finite_at, self.count * 4).view(np.int32) != 0)

    def write_back(self, block: NDArray[np.uint8], planes: Planes) -> None:
        """Copy the samples under the windows into the planes of the same frame, and no others."""
        self._planes = planes
        for face in self._faces[self.finite(block)]:
            for component, extent in zip(planes.layout.components, face["extents"], strict=False):
                first, left = self._lines[component.plane][0], self._columns[component.plane][0]
                rows = slice(int(extent["begin_y"]), int(extent["end_y"]))
                begin, end = (component.offset + int(extent[side]) * component.stride for side in ("begin_x", "end_x"))
                if rows.stop > rows.start and end > begin:
                    columns = slice(begin, end - component.stride + 1)
                    staged = self._staged(block, component.plane)[:, columns.start - left : columns.stop - left]
                    self._array(component.plane)[rows, columns] = staged[rows.start - first : rows.stop - first]

    def _wanted(self, planes: Planes, plane: int) -> NDArray[Any]:
        return self._array(plane)[slice(*self._lines[plane]), slice(*self._columns[plane])]

    def _staged(self, block: NDArray[np.uint8], plane: int) -> NDArray[Any]:
        wanted = self._wanted(self._planes, plane)
        return self._part(block, self._plane_at[plane], wanted.nbytes).view(wanted.dtype).reshape(wanted.shape)

    @staticmethod
    def _part(block: NDArray[np.uint8], begin: int, size: int) -> NDArray[np.uint8]:
        return block[begin : begin + size]


def _lines_of_planes(planes: Planes, lines: NDArray[np.int64]) -> dict[int, tuple[int, int]]:
    """For each plane the lines (begin, end) that any of its components needs."""
    needed: dict[int, tuple[int, int]] = {}
    for component, (begin, end) in zip(planes.layout.components, lines.tolist(), strict=False):
        known = needed.get(component.plane, (begin, end))
        needed[component.plane] = min(known[0], begin), max(known[1], end)
    return needed


def _columns_of_planes(planes: Planes, columns: NDArray[np.int64]) -> dict[int, tuple[int, int]]:
    """For each plane the samples (begin, end) of a line that any of its components needs, from a multiple of `ALIGNED` on."""
    needed: dict[int, tuple[int, int]] = {}
    widths = {c.plane: array.shape[1] for c, array in zip(planes.layout.components, planes.arrays, strict=True)}
    for component, (begin, end) in zip(planes.layout.components, columns.tolist(), strict=False):
        first, last = component.offset + begin * component.stride, component.offset + (end - 1) * component.stride + 1
        known = needed.get(component.plane, (first, last))
        needed[component.plane] = min(known[0], first), max(known[1], last)
    return {
        plane: (first // ALIGNED * ALIGNED, min(-(-last // ALIGNED) * ALIGNED, widths[plane]))
        for plane, (first, last) in needed.items()
    }
