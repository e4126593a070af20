"""A filter for VapourSynth: a clip in, the same clip with sharp faces out."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Unpack

import numpy as np

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import InputError
from streamdeblur.options import RestorationSettings
from streamdeblur.video.layouts import Layout, layout_of
from streamdeblur.video.planes import Planes, SampleArray, planes_of_arrays

if TYPE_CHECKING:
    import vapoursynth as vs

UNKNOWN_MATRIX = 2
"""H.273's number for a matrix that is not known."""
GREEN_FIRST = (1, 2, 0)
"""VapourSynth's planes are R, G and B; those of the layout G, B and R."""


def deblur(clip: vs.VideoNode, **options: Unpack[RestorationSettings]) -> vs.VideoNode:
    """`clip` with sharp faces: same format, frames and frame properties.

    clip: integer YUV, RGB or GRAY of constant format and size, in a layout of `layout_of` (8, 9, 10, 12, 14 or 16 bits).
    options: fields of `RestorationOptions` (``deblur(clip, strength=0.8)``).

    Faces are followed from frame to frame, so the clip is best read from its beginning to its end, as ``vspipe`` does. A jump
    to another frame begins anew there. One clip is worked on by one thread at a time.

    Raises:
        InputError: a clip of another format, or of changing format or size.
        OptionError, NetworkError, EngineError, DetectorError: a setting cannot be used here; the message says why.
    """
    import vapoursynth as vs

    layout = _layout(clip)
    history = vs.core.num_threads
    line = _InLine(FaceDeblurrer(**options), layout, history)
    # the frame, the one before it, and so on
    earlier = [clip.std.DuplicateFrames(frames=[0] * back) for back in range(1, history + 1)]
    return clip.std.ModifyFrame(clips=[clip, *earlier], selector=line.frame)


class _InLine:
    """Deblurs frames in their order, although VapourSynth's threads ask for them a little out of order.

    A frame that is asked for too early comes with those before it: they are done first, and kept until they are asked for.
    """

    def __init__(self, deblurrer: FaceDeblurrer, layout: Layout, history: int) -> None:
        self._deblurrer, self._layout, self._history = deblurrer, layout, history
        self._next = 0
        self._done: dict[int, vs.VideoFrame] = {}

    def frame(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        """Frame `n`; `f`: it, and as many before it as there may be in the hands of other threads.

        (VapourSynth gives both by these names, and calls this once at a time.)
        """
        if n in self._done:
            return self._done.pop(n)
        if not self._next <= n <= self._next + self._history:
            self._deblurrer.reset()
            self._done.clear()
            self._next = n
        for number in range(self._next, n):
            self._done[number] = self._edited(f[n - number])
        result = self._edited(f[0])
        self._next = n + 1
        # what nobody asked for in all this time, nobody will
        self._done = {number: done for number, done in self._done.items() if number >= n - self._history}
        return result

    def _edited(self, frame: vs.VideoFrame) -> vs.VideoFrame:
        copied = frame.copy()
        self._deblurrer.edit(_planes(copied, self._layout))
        return copied


def _layout(clip: vs.VideoNode) -> Layout:
    """Where the samples of `clip` lie; InputError where its faces cannot be edited."""
    import vapoursynth as vs

    form = clip.format
    if form is None or form.color_family == vs.UNDEFINED or not clip.width * clip.height:
        raise InputError("The clip changes its format or its size. Convert it first, with resize.Bicubic(width, height, format).")
    layout = layout_of(_ffmpeg_name(form)) if form.sample_type == vs.INTEGER else None
    if layout is None:
        raise InputError(
            f"Faces in clips of the format {form.name} cannot be edited. Convert the clip to integer YUV or RGB of 8 to 16 bits"
            " first, with resize.Bicubic(format=vs.YUV420P10) for example."
        )
    return layout


def _ffmpeg_name(form: vs.VideoFormat) -> str:
    """FFmpeg's name of a format of integers; it may not know it, either."""
    import vapoursynth as vs

    bits = f"{form.bits_per_sample}le" if form.bits_per_sample > 8 else ""
    if form.color_family == vs.RGB:
        return f"gbrp{bits}"
    if form.color_family == vs.GRAY:
        return f"gray{bits}"
    subsampling = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (0, 1): "440", (2, 0): "411", (2, 2): "410"}
    return f"yuv{subsampling.get((form.subsampling_w, form.subsampling_h))}p{bits}"


def _planes(frame: vs.VideoFrame, layout: Layout) -> Planes:
    """Views of the planes of a frame that may be written to."""
    order = GREEN_FIRST if layout.family == "rgb" else range(frame.format.num_planes)
    return planes_of_arrays(
        {number: _samples(frame, plane, layout) for number, plane in enumerate(order)}, layout, frame.width, frame.height,
        colorspace=int(frame.props.get("_Matrix", UNKNOWN_MATRIX)), full_range=_is_full_range(frame),
    )  # fmt: skip


def _samples(frame: vs.VideoFrame, plane: int, layout: Layout) -> SampleArray:
    """A plane with the padding of its lines: uint8 or uint16 [rows, samples per line]."""
    stride = frame.get_stride(plane)
    rows = frame.height >> (frame.format.subsampling_h if plane else 0)
    address = frame.get_write_ptr(plane).value
    assert address is not None
    memory = (ctypes.c_uint8 * (stride * rows)).from_address(address)
    return np.frombuffer(memory, layout.dtype).reshape(rows, -1)


def _is_full_range(frame: vs.VideoFrame) -> bool:
    """As the frame says; where it says nothing, limited, as VapourSynth's own filters take it."""
    # _Range is H.273's; before it, there was _ColorRange, the other way round
    if "_Range" in frame.props:
        return int(frame.props["_Range"]) == 1
    return int(frame.props.get("_ColorRange", 1)) == 0
