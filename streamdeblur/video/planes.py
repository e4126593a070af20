"""The planes of a frame as arrays, with their layout and colour matrices as the pixel kernels take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.video.colour import (
    FULL_RANGE,
    LIMITED_RANGE,
    ColourMatrices,
    gray_matrices,
    luma_coefficients,
    rgb_matrices,
    yuv_matrices,
)
from streamdeblur.video.layouts import Component, Layout, layout_of
from streamdeblur.video.turning import turn_of, turned_box

if TYPE_CHECKING:
    import av

SampleArray = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Planes:
    """A frame in its own pixel format, as views of its memory: writing to `arrays` changes the frame."""

    arrays: tuple[SampleArray, ...]
    """The plane of each component: uint8 or uint16 [rows, samples per line], C-contiguous."""
    layout: Layout
    width: int
    height: int
    colour: ColourMatrices
    centred_chroma: bool = False
    """Chroma lies between luma columns (JPEG), not on the even ones (MPEG-2 and later)."""
    turn: int = 0
    """Quarter turns, counterclockwise, after which the frame is upright: so faces are detected and restored, and so pictures and
    texts are drawn into it. All positions are those of the frame as it is."""

    def __repr__(self) -> str:
        return f"Planes({self.width}x{self.height}, {self.layout.family}, {self.layout.depth} bits)"

    @cached_property
    def memory(self) -> NDArray[np.int64]:
        """(offset, stride, width, height, shift) of each component: int64 [3, 5]; gray repeats its only one."""
        return _memory(self.layout, self.width, self.height)

    @property
    def channels(self) -> tuple[SampleArray, SampleArray, SampleArray]:
        """The three arrays that the crop kernel reads; gray repeats its only one."""
        first = self.arrays[0]
        return (first, *self.arrays[1:]) if len(self.arrays) == 3 else (first, first, first)

    def component_grid(self, left: float, top: float) -> NDArray[np.float64]:
        """Return the place of the luma position (`left`, `top`) in each component.

        Returns:
            float64 [3, 4]: x, samples per luma column, y, samples per luma line.
        """
        siting, offsets = self._sampling
        return siting * (left, 1.0, top, 1.0) + offsets

    @cached_property
    def _sampling(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What `component_grid` computes with, found once per frame."""
        return _siting(self.layout), _offsets(self.layout, self.centred_chroma)


@lru_cache(maxsize=64)
def _siting(layout: Layout) -> NDArray[np.float64]:
    """Samples per luma pixel of each component, for x, x, y, y: float64 [3, 4]."""
    rows = [(1 / c.horizontal, 1 / c.horizontal, 1 / c.vertical, 1 / c.vertical) for c in _three(layout)]
    return np.array(rows)


@lru_cache(maxsize=64)
def _offsets(layout: Layout, centred_chroma: bool) -> NDArray[np.float64]:
    """Offset of each component's first sample from that of luma, in its own samples, in the order of `_siting`."""
    # a co-sited chroma sample has its centre on that of an even luma column, half a column before the pair's centre
    cosited = [0.5 / c.horizontal if c.horizontal > 1 and not centred_chroma else 0.0 for c in _three(layout)]
    return np.array([(x, 0.0, 0.0, 0.0) for x in cosited])


def _three(layout: Layout) -> tuple[Component, ...]:
    """The components that the kernels work on; gray repeats its only one."""
    return layout.components if len(layout.components) == 3 else layout.components[:1] * 3


@lru_cache(maxsize=64)
def _memory(layout: Layout, width: int, height: int) -> NDArray[np.int64]:
    memory = np.empty((3, 5), np.int64)
    for c, component in enumerate(_three(layout)):
        columns = -(-width // component.horizontal)
        lines = -(-height // component.vertical)
        memory[c] = (component.offset, component.stride, columns, lines, layout.shift)
    memory.flags.writeable = False
    return memory


@lru_cache(maxsize=64)
def _matrices(layout: Layout, colorspace: int, full_range: bool, height: int) -> ColourMatrices:
    if layout.family == "rgb":
        return rgb_matrices(layout.depth, layout.shift)
    if layout.family == "gray":
        return gray_matrices(full_range=full_range, depth=layout.depth, shift=layout.shift)
    kr, kb = luma_coefficients(colorspace, height)
    return yuv_matrices(kr, kb, full_range=full_range, depth=layout.depth, shift=layout.shift)


def frame_planes(frame: av.VideoFrame) -> Planes:
    """Return views of the planes of `frame`, which must stay alive as long as they are used.

    Raises:
        InputError: `layout_of` has no layout for the pixel format, or the frame's lines are not a whole number of samples or
            stand in reverse order, as a filter that flips frames leaves them.
    """
    layout = layout_of(frame.format.name)
    if layout is None or not frame.width * frame.height:
        raise InputError(f"Pixel format {frame.format.name} cannot be edited in place. Convert the frame to yuv420p first.")
    views = {}
    for index in {component.plane for component in layout.components}:
        plane = frame.planes[index]
        if plane.line_size <= 0 or plane.line_size % np.dtype(layout.dtype).itemsize:
            raise InputError(
                f"The lines of the frame are {plane.line_size} bytes apart, which cannot be edited. Copy the frame first: "
                "av.VideoFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name)."
            )
        flat = np.frombuffer(memoryview(plane), layout.dtype)
        views[index] = flat.reshape(-1, plane.line_size // flat.itemsize)
    # FFmpeg takes untagged gray for full range, and untagged YUV for limited range
    untagged_full = layout.full_range or layout.family == "gray"
    full_range = frame.color_range == FULL_RANGE or (untagged_full and frame.color_range != LIMITED_RANGE)
    return Planes(
        tuple(views[component.plane] for component in layout.components),
        layout,
        frame.width,
        frame.height,
        _matrices(layout, int(frame.colorspace), full_range, frame.height),
        centred_chroma=layout.full_range,
    )


def upright_box(planes: Planes, box: Sequence[float]) -> tuple[float, float, float, float]:
    """Return where a box of a frame (x0, y0, x1, y1 in pixels) lies in the upright picture."""
    x0, y0, x1, y1 = turned_box(np.asarray(box, np.float64), planes.turn, planes.width, planes.height).tolist()
    return x0, y0, x1, y1


def upright_planes(frame: av.VideoFrame) -> Planes:
    """Return the planes of a frame, see `frame_planes`, with the turn after which players show it."""
    planes, turn = frame_planes(frame), turn_of(frame)
    return replace(planes, turn=turn) if turn else planes


def planes_of_memory(
    memory: NDArray[np.uint8], layout: Layout, width: int, height: int, offsets: Sequence[int], strides: Sequence[int],
    *, colorspace: int, full_range: bool, turn: int = 0,
) -> Planes:  # fmt: skip
    """Return the planes in one block of memory, as GStreamer has them.

    Args:
        memory: uint8 [N].
        layout: The pixel format.
        width: In luma pixels.
        height: In luma pixels.
        offsets: First byte of each plane.
        strides: Bytes per line of each plane.
        colorspace: H.273 MatrixCoefficients, 2 where they are unknown.
        full_range: Whether code values use their whole range.
        turn: Quarter turns, counterclockwise, after which the frame is upright.
    """
    views = {}
    for component in layout.components:
        lines, offset, stride = -(-height // component.vertical), offsets[component.plane], strides[component.plane]
        views[component.plane] = memory[offset : offset + lines * stride].view(layout.dtype).reshape(lines, -1)
    planes = planes_of_arrays(views, layout, width, height, colorspace=colorspace, full_range=full_range)
    return replace(planes, turn=turn)


def planes_of_arrays(
    arrays: Mapping[int, SampleArray], layout: Layout, width: int, height: int, *, colorspace: int, full_range: bool
) -> Planes:
    """Return planes of which each is an array.

    Args:
        arrays: uint8 or uint16 [rows, samples per line], C-contiguous, by the number of the plane in `layout`.
        layout: The pixel format.
        width: In luma pixels.
        height: In luma pixels.
        colorspace: H.273 MatrixCoefficients, 2 where they are unknown.
        full_range: Whether code values use their whole range.
    """
    components = tuple(arrays[component.plane] for component in layout.components)
    full_range = full_range or layout.full_range
    matrices = _matrices(layout, colorspace, full_range, height)
    return Planes(components, layout, width, height, matrices, centred_chroma=layout.full_range)


def array_planes(array: NDArray[np.uint8], *, bgr: bool = False) -> Planes:
    """Return the planes of a C-contiguous uint8 RGB (or BGR) [H, W, 3] or gray [H, W] array (full range)."""
    layout = layout_of("gray" if array.ndim == 2 else "bgr24" if bgr else "rgb24")
    assert layout is not None
    height, width = array.shape[:2]
    flat = array.reshape(height, -1)
    return Planes((flat,) * len(layout.components), layout, width, height, _matrices(layout, 2, True, height))
