"""The CUDA kernels before and after the network, loaded on a device."""

from __future__ import annotations

from typing import Any

from streamdeblur.engines.tensorrt.device import Device, Stream
from streamdeblur.kernels.cuda import ptx

BLOCK = (32, 8, 1)
"""Threads of a block, of which a warp reads neighbouring samples of one line."""

Grid = tuple[int, int, int]


class PixelKernels:
    """crop_faces, residual_faces and paste_faces for 8- and 16-bit samples; each runs once for all faces of a frame."""

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

    def gather_memory(self, grid: Grid, slots: int, numbers: int, memory: int, validity: int) -> None:
        """Gather the neighbours of each face from the slots of the device into the inputs of the network."""
        self._run("gather_memory", grid, slots, numbers, memory, validity)

    def _run(self, name: str, grid: Grid, *addresses: int) -> None:
        if name not in self._functions:
            self._functions[name] = self._module.get_function(name).prepare("P" * len(addresses))
        self._functions[name].prepared_async_call(grid, BLOCK, self._stream, *addresses)

    def close(self) -> None:
        """Unload the kernels."""
        self._functions.clear()
        self._module = None
