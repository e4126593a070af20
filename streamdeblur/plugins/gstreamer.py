"""The element ``facedeblur`` of GStreamer: faces are restored in place, at the stream's own times."""

from __future__ import annotations

import time
from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, GObject, Gst, GstBase, GstVideo

from streamdeblur.deblurrer import FaceDeblurrer, Statistics
from streamdeblur.errors import EngineError, StreamDeblurError
from streamdeblur.options import Options
from streamdeblur.video.layouts import layout_of
from streamdeblur.video.planes import Planes, planes_of_memory

FORMATS = {
    "I420": "yuv420p", "NV12": "nv12", "RGB": "rgb24", "BGR": "bgr24", "YUY2": "yuyv422", "UYVY": "uyvy422", "Y42B": "yuv422p",
    "Y444": "yuv444p", "RGBA": "rgba", "BGRA": "bgra", "RGBx": "rgb0", "BGRx": "bgr0", "GRAY8": "gray",
    "I420_10LE": "yuv420p10le", "P010_10LE": "p010le",
}  # fmt: skip
"""FFmpeg's names of GStreamer's formats."""
CAPS = f"video/x-raw, format=(string){{ {', '.join(FORMATS)} }}, width=[1, 32767], height=[1, 32767]"
STATISTICS_SECONDS = 1.0
MATRICES = {
    GstVideo.VideoColorMatrix.BT709: 1, GstVideo.VideoColorMatrix.FCC: 4, GstVideo.VideoColorMatrix.BT601: 6,
    GstVideo.VideoColorMatrix.SMPTE240M: 7, GstVideo.VideoColorMatrix.BT2020: 9,
}  # fmt: skip
"""H.273 numbers of GStreamer's colour matrices."""
FLAGS = GObject.ParamFlags.READWRITE | GObject.ParamFlags.CONSTRUCT


class FaceDeblur(GstBase.BaseTransform):  # type: ignore[misc]
    """Removes motion blur from faces."""

    __gstmetadata__ = ("Face deblur", "Filter/Effect/Video", "Removes motion blur from faces", "streamdeblur")
    __gsttemplates__ = tuple(
        Gst.PadTemplate.new(name, direction, Gst.PadPresence.ALWAYS, Gst.Caps.from_string(CAPS))
        for name, direction in (("sink", Gst.PadDirection.SINK), ("src", Gst.PadDirection.SRC))
    )

    strength = GObject.Property(
        type=float, default=1.0, minimum=0.0, maximum=1.0, flags=FLAGS, blurb="Share of the restoration that is added"
    )
    min_face = GObject.Property(
        type=float, default=48.0, minimum=12.0, maximum=4096.0, flags=FLAGS, blurb="Smallest face that is looked for, in pixels"
    )
    always = GObject.Property(type=bool, default=False, flags=FLAGS, blurb="Restore faces that are sharp already, too")
    engine = GObject.Property(type=str, default="auto", flags=FLAGS, blurb="auto, openvino, onnxruntime, onnxruntime:cuda ...")
    detector = GObject.Property(type=str, default="centerface", flags=FLAGS, blurb="centerface, scrfd:FILE.onnx, scrfd:PACK")
    weights = GObject.Property(
        type=str, default="", flags=FLAGS, blurb="A network exported by streamdeblur; empty: the embedded one"
    )

    def __init__(self) -> None:
        super().__init__()
        self._deblurrer: FaceDeblurrer | None = None
        self._info: Any = None
        self._earliest = 0
        self._passed = 0
        self._told = 0.0
        self.set_in_place(True)

    def do_start(self) -> bool:
        """Open detector and engine."""
        try:
            options = Options.load(
                strength=self.strength, min_face=self.min_face, always=self.always, engine=self.engine, detector=self.detector,
                weights=self.weights or None,
            )  # fmt: skip
            self._deblurrer = FaceDeblurrer(options)
        except StreamDeblurError as error:
            self._post(str(error))
            return False
        self._earliest = self._passed = 0
        return True

    def do_stop(self) -> bool:
        """Free them."""
        if self._deblurrer is not None:
            self._tell(self._deblurrer.statistics)
            self._deblurrer.close()
            self._deblurrer = None
        return True

    def do_set_caps(self, incoming: Any, outgoing: Any) -> bool:
        """Another size or format."""
        self._info = GstVideo.VideoInfo.new_from_caps(incoming)
        if self._deblurrer is not None:
            self._deblurrer.reset()
        return self._info is not None

    def do_src_event(self, event: Any) -> bool:
        """Quality of service: frames that would come too late are passed on as they are, not dropped."""
        if event.type == Gst.EventType.QOS:
            _, _, difference, stamp = event.parse_qos()
            # as GStreamer's own elements do: what is late by so much now will be late by twice as much
            self._earliest = stamp + 2 * difference if difference > 0 else stamp + difference
        return bool(GstBase.BaseTransform.do_src_event(self, event))

    def do_transform_ip(self, buffer: Any) -> Any:
        """Restore the faces of one frame."""
        deblurrer = self._deblurrer
        if deblurrer is None or self._info is None:
            return Gst.FlowReturn.NOT_NEGOTIATED
        if self._is_late(buffer):
            self._passed += 1
            return Gst.FlowReturn.OK
        if deblurrer.options.strength != self.strength:
            deblurrer.options = deblurrer.options.changed(strength=self.strength)
        try:
            with buffer.map(Gst.MapFlags.READ | Gst.MapFlags.WRITE) as mapped:
                deblurrer.edit(self._planes(buffer, mapped.data))
        except EngineError as error:
            self._post(str(error))
            return Gst.FlowReturn.ERROR
        if time.monotonic() - self._told >= STATISTICS_SECONDS:
            self._tell(deblurrer.statistics)
        return Gst.FlowReturn.OK

    def _is_late(self, buffer: Any) -> bool:
        if buffer.pts == Gst.CLOCK_TIME_NONE:
            return False
        running = self.segment.to_running_time(Gst.Format.TIME, buffer.pts)
        return bool(running != Gst.CLOCK_TIME_NONE and running < self._earliest)

    def _planes(self, buffer: Any, memory: Any) -> Planes:
        """The frame in the buffer's memory."""
        info = self._info
        meta = GstVideo.buffer_get_video_meta(buffer)
        offsets, strides = (meta.offset, meta.stride) if meta else (info.offset, info.stride)
        layout = layout_of(FORMATS[info.finfo.name])
        assert layout is not None
        return planes_of_memory(
            np.frombuffer(memory, np.uint8), layout, info.width, info.height, offsets, strides,
            colorspace=MATRICES.get(info.colorimetry.matrix, 2),
            full_range=info.colorimetry.range == GstVideo.VideoColorRange._0_255,
        )  # fmt: skip

    def _tell(self, counts: Statistics) -> None:
        """Post what was done so far as an element message."""
        self._told = time.monotonic()
        told = Gst.Structure.new_empty("facedeblur")
        for name in ("frames", "faces", "restored", "skipped_sharp", "failed"):
            told.set_value(name.replace("_", "-"), getattr(counts, name))
        told.set_value("passed-through", counts.passed_through + self._passed)
        self.post_message(Gst.Message.new_element(self, told))

    def _post(self, text: str) -> None:
        error = GLib.Error.new_literal(Gst.library_error_quark(), text, Gst.LibraryError.FAILED)
        self.post_message(Gst.Message.new_error(self, error, None))


GObject.type_register(FaceDeblur)
