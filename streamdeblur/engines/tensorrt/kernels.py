"""The CUDA kernels before and after the network, loaded on a device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamdeblur.engines.tensorrt.device import Device, Stream
from streamdeblur.kernels.cuda import ptx

BLOCK = (32, 8, 1)
"""Threads of a block, of which a warp reads neighbouring samples of one line."""

Grid = tuple[int, int, int]

NUMBERS, MEASURES, BLUR = 130, 64, 128
"""Numbers of a face, float32: the means of 8 x 8 blocks of its half luma, from `MEASURES` on those of `statistics_of`, and from
`BLUR` on its blur along both axes."""
SUMS = 64
"""Sums of the differences of a pair, float32."""


def measuring(
    count: int, faces: int, crops: int, lumas: int, measured: int, numbers: int
) -> Iterator[tuple[str, Grid, tuple[int, ...]]]:
    """Return the launches that measure faces: name, grid and arguments of each.

    Args:
        count: Number of faces.
        faces: Address of an array of the structure Face.
        crops: Address of their crops, float16 [N, 3, 256, 256].
        lumas: Address of their half lumas, float16 [N, 128, 128], which are written.
        measured: Address of an array of the structure Measured, which is used in between.
        numbers: Address of float32 [N, NUMBERS], which are written.
    """
    yield "half_lumas", (4, 16, count), (crops, lumas)
    yield "face_samples", (5, 20, count), (faces, crops, measured)
    yield "face_columns", (5, 3, count), (faces, measured)
    yield "face_energies", (2, 1, count), (faces, measured)
    yield "face_edges", (2, 1, count), (faces, measured)
    yield "face_ranks", (2, 3, count), (faces, measured, numbers)
    yield "face_numbers", (1, 1, count), (faces, lumas, measured, numbers)


class PixelKernels:
    """The kernels of window.cu, those of frames for 8- and 16-bit samples; each runs once for all faces of a frame."""

    def __init__(self, device: Device, stream: Stream) -> None:
        self._stream = stream
        self._module: Any = device.cuda.module_from_buffer(ptx() + b"\0")
        self._functions: dict[str, Any] = {}

    def crop_faces(self, bits: int, grid: Grid, frame: int, faces: int, crops: int) -> None:
        """Read the faces of a frame into `crops`, float16 [N, 3, 256, 256].

        Args:
            bits: 8 or 16, of a sample.
            grid: Blocks of the launch.
            frame: Address of the structure Frame.
            faces: Address of an array of the structure Face.
            crops: Address of the crops, which are written.
        """
        self._run(f"crop_faces_{bits}", grid, frame, faces, crops)

    def residual_faces(self, grid: Grid, frame: int, faces: int, crops: int, restored: int, residuals: int, finite: int) -> None:
        """Write the residuals, float32 [N, 3, 256, 256] in code values; `finite` becomes 0 where a face has NaN or infinity."""
        self._run("residual_faces", grid, frame, faces, crops, restored, residuals, finite)

    def paste_faces(self, bits: int, grid: Grid, frame: int, faces: int, residuals: int, finite: int) -> None:
        """Add the residuals of the finite faces to the planes of the frame."""
        self._run(f"paste_faces_{bits}", grid, frame, faces, residuals, finite)

    def measure_faces(self, count: int, *addresses: int) -> None:
        """Make the half lumas of crops and the numbers of their faces; see `measuring`."""
        for name, grid, arguments in measuring(count, *addresses):
            self._run(name, grid, *arguments)

    def pair_differences(self, count: int, pairs: int, sums: int) -> None:
        """Sum the absolute differences of pairs of 128 x 128 values, as half lumas have, of which `pairs` has the addresses."""
        if count:
            self._run("pair_differences", (1, 1, count), pairs, sums)

    def gather_memory(self, grid: Grid, entries: int, memory: int, validity: int) -> None:
        """Gather the neighbours of each face, of which `entries` has the addresses, into the inputs of the network."""
        self._run("gather_memory", grid, entries, memory, validity)

    def _run(self, name: str, grid: Grid, *addresses: int) -> None:
        if name not in self._functions:
            self._functions[name] = self._module.get_function(name).prepare("P" * len(addresses))
        self._functions[name].prepared_async_call(grid, BLOCK, self._stream, *addresses)

    def close(self) -> None:
        """Unload the kernels."""
        self._functions.clear()
        self._module = None
