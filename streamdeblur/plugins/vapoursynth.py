"""The VapourSynth filter."""

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
"""H.273's number for an unspecified matrix."""
GREEN_FIRST = (1, 2, 0)
"""VapourSynth's planes are R, G and B; those of the layout G, B and R."""


def deblur(clip: vs.VideoNode, **settings: Unpack[RestorationSettings]) -> vs.VideoNode:
    """Restore the faces of a clip.

    Faces are tracked from frame to frame, so the clip should be read from its beginning to its end, as ``vspipe`` does. After a
    jump to another frame, tracking starts anew. One frame is processed at a time, and each face alone: a network with a memory
    gets no neighbouring frames.

    Args:
        clip: Integer YUV, RGB or GRAY with 8, 9, 10, 12, 14 or 16 bits, of constant format and size.
        settings: Fields of `RestorationOptions`: ``deblur(clip, strength=0.8)``.

    Returns:
        A clip of the same format, size and length, with the same frame properties.

    Raises:
        InputError: A clip of another format, or of variable format or size.
        OptionError, NetworkError, EngineError, DetectorError: A setting cannot be used here; the message states why.
    """
    import vapoursynth as vs

    layout = _layout(clip)
    history = vs.core.num_threads
    # with a memory, a frame after a jump would come out otherwise than when it is reached in order
    ordered = _OrderedFilter(FaceDeblurrer(memory=False, **settings), layout, history)
    # Clip k shows the frame k before the current one.
    earlier = [clip.std.DuplicateFrames(frames=[0] * back) for back in range(1, history + 1)]
    return clip.std.ModifyFrame(clips=[clip, *earlier], selector=ordered.frame)


class _OrderedFilter:
    """Deblurs frames in order, although VapourSynth's threads request them slightly out of order.

    A frame that is requested early comes with those before it. They are processed first, and kept until they are requested.
    """

    def __init__(self, deblurrer: FaceDeblurrer, layout: Layout, history: int) -> None:
        self._deblurrer, self._layout, self._history = deblurrer, layout, history
        self._next = 0
        self._results: dict[int, vs.VideoFrame] = {}

    def frame(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        """Return the restored frame `n`. VapourSynth passes both arguments by these names, and makes one call at a time.

        Args:
            n: Number of the frame.
            f: The frame, and before it as many earlier ones as other threads may be waiting for.
        """
        if n in self._results:
            return self._results.pop(n)
        if not self._next <= n <= self._next + self._history:
            self._deblurrer.reset()
            self._results.clear()
            self._next = n
        for number in range(self._next, n):
            self._results[number] = self._edited(f[n - number])
        result = self._edited(f[0])
        self._next = n + 1
        # Results that have not been requested within the history are not requested any more.
        self._results = {number: frame for number, frame in self._results.items() if number >= n - self._history}
        return result

    def _edited(self, frame: vs.VideoFrame) -> vs.VideoFrame:
        copied = frame.copy()
        self._deblurrer.edit(_planes(copied, self._layout))
        return copied


def _layout(clip: vs.VideoNode) -> Layout:
    """The layout of the samples of `clip`; InputError if its format is not supported."""
    import vapoursynth as vs

    form = clip.format
    if form is None or form.color_family == vs.UNDEFINED or not clip.width * clip.height:
        raise InputError("The clip has a variable format or size. Convert it first, with resize.Bicubic(width, height, format).")
    layout = layout_of(_ffmpeg_name(form)) if form.sample_type == vs.INTEGER else None
    if layout is None:
        raise InputError(
            f"The format {form.name} is not supported. Convert the clip to integer YUV or RGB of 8 to 16 bits first, for example"
            " with resize.Bicubic(format=vs.YUV420P10)."
        )
    return layout


def _ffmpeg_name(form: vs.VideoFormat) -> str:
    """FFmpeg's name of an integer format; FFmpeg need not support it."""
    import vapoursynth as vs

    bits = f"{form.bits_per_sample}le" if form.bits_per_sample > 8 else ""
    if form.color_family == vs.RGB:
        return f"gbrp{bits}"
    if form.color_family == vs.GRAY:
        return f"gray{bits}"
    subsampling = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (0, 1): "440", (2, 0): "411", (2, 2): "410"}
    return f"yuv{subsampling.get((form.subsampling_w, form.subsampling_h))}p{bits}"


def _planes(frame: vs.VideoFrame, layout: Layout) -> Planes:
    """Writable views of the planes of a frame."""
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
    """The range that the frame properties state; by default limited, as for VapourSynth's own filters."""
    # _Range has H.273's values; the older _ColorRange has them inverted.
    if "_Range" in frame.props:
        return int(frame.props["_Range"]) == 1
    return int(frame.props.get("_ColorRange", 1)) == 0
