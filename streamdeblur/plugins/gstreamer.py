"""The GStreamer element ``facedeblur``, which restores faces in place.

GStreamer imports this module whenever it scans its plugins, so heavy packages are imported when the element starts.
"""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, GObject, Gst, GstBase, GstVideo  # noqa: E402

from streamdeblur.errors import StreamDeblurError  # noqa: E402
from streamdeblur.video.layouts import layout_of  # noqa: E402
from streamdeblur.weights import REAL_TIME_NETWORK  # noqa: E402

if TYPE_CHECKING:
    from streamdeblur.deblurrer import FaceDeblurrer
    from streamdeblur.video.planes import Planes

FORMATS = {
    "I420": "yuv420p", "NV12": "nv12", "RGB": "rgb24", "BGR": "bgr24", "YUY2": "yuyv422", "UYVY": "uyvy422", "Y42B": "yuv422p",
    "Y444": "yuv444p", "RGBA": "rgba", "BGRA": "bgra", "RGBx": "rgb0", "BGRx": "bgr0", "GRAY8": "gray",
    "I420_10LE": "yuv420p10le", "P010_10LE": "p010le",
}  # fmt: skip
"""FFmpeg's names of the supported formats, by GStreamer's names."""
CAPS = f"video/x-raw, format=(string){{ {', '.join(FORMATS)} }}, width=[1, 32767], height=[1, 32767]"
FULL_RANGE = getattr(GstVideo.VideoColorRange, "0_255")
STATISTICS_SECONDS = 1.0
"""Interval of the messages with statistics."""
ANY_TIME = GObject.ParamFlags.READWRITE | GObject.ParamFlags.CONSTRUCT
AT_START = ANY_TIME | GObject.ParamFlags(Gst.PARAM_MUTABLE_READY)


class FaceDeblur(GstBase.BaseTransform):  # type: ignore[misc]
    """Removes motion blur from faces."""

    __gtype_name__ = "FaceDeblur"
    __gstmetadata__ = ("Face deblur", "Filter/Effect/Video", "Removes motion blur from faces", "streamdeblur")
    __gsttemplates__ = tuple(
        Gst.PadTemplate.new(name, direction, Gst.PadPresence.ALWAYS, Gst.Caps.from_string(CAPS))
        for name, direction in (("sink", Gst.PadDirection.SINK), ("src", Gst.PadDirection.SRC))
    )

    strength = GObject.Property(
        type=float, default=1.0, minimum=0.0, maximum=1.0, flags=ANY_TIME, blurb="Share of the restoration that is added"
    )
    threshold = GObject.Property(
        type=str, default="normal", flags=ANY_TIME, blurb="Gain to be expected of a restored face: gentle, normal, always, or dB"
    )
    always = GObject.Property(type=bool, default=False, flags=ANY_TIME, blurb="Restore all faces, as threshold=always does")
    min_face = GObject.Property(
        type=float, default=48.0, minimum=12.0, maximum=4096.0, flags=AT_START, blurb="Smallest face to detect, in pixels"
    )
    engine = GObject.Property(type=str, default="auto", flags=AT_START, blurb="auto, openvino, onnxruntime, onnxruntime:cuda ...")
    device = GObject.Property(type=str, default="auto", flags=AT_START, blurb="auto, cpu, or the number of an NVIDIA card")
    detector = GObject.Property(type=str, default="centerface", flags=AT_START, blurb="centerface, scrfd:FILE.onnx, scrfd:PACK")
    network = GObject.Property(
        type=str,
        default=REAL_TIME_NETWORK,
        flags=AT_START,
        blurb="Name of a shipped network, auto, or an ONNX file",
    )
    cores = GObject.Property(
        type=int, default=0, minimum=0, maximum=4096, flags=AT_START, blurb="Cores to share out, at most; 0 for all"
    )

    def __init__(self) -> None:
        super().__init__()
        self._deblurrer: FaceDeblurrer | None = None
        self._info: GstVideo.VideoInfo = None
        self._turn = 0
        self._earliest_time = 0
        self._late_frames = 0
        self._posted_at = 0.0
        self.set_in_place(True)

    # GStreamer prints exceptions of Python elements and continues as if nothing had happened. Errors are therefore posted as
    # messages, which end the pipeline.

    def do_start(self) -> bool:
        """Open the detector and the engine."""
        try:
            from streamdeblur.deblurrer import FaceDeblurrer
            from streamdeblur.options import RestorationOptions
            from streamdeblur.speeds import real_time_options

            options = RestorationOptions(
                strength=self.strength, threshold=self.threshold, always=self.always, min_face=self.min_face,
                engine=self.engine, device=self.device, detector=self.detector, network=self.network, cores=self.cores or None,
            )  # fmt: skip
            self._deblurrer = FaceDeblurrer(real_time_options(options))
            self._deblurrer.engine.warm_up()
        except Exception as error:
            # Guards the pipeline as described above, against errors of any type: those of streamdeblur, and those of the
            # imports, the detector and the engine's runtime.
            self._post_error("facedeblur cannot start", error)
            self.do_stop()
            return False
        self._earliest_time = self._late_frames = 0
        return True

    def do_stop(self) -> bool:
        """Close the detector and the engine."""
        if self._deblurrer is not None:
            self._deblurrer.close()
            self._deblurrer = None
        return True

    def do_set_caps(self, incoming: Gst.Caps, outgoing: Gst.Caps) -> bool:
        """Take over a size and format."""
        self._info = GstVideo.VideoInfo.new_from_caps(incoming)
        self._forget_faces()
        return self._info is not None

    def do_sink_event(self, event: Gst.Event) -> bool:
        """Note how the pictures are turned, forget the faces after a seek, and post the statistics at the end of the stream."""
        if event.type == Gst.EventType.FLUSH_STOP:
            self._earliest_time = 0
            self._forget_faces()
        elif event.type == Gst.EventType.EOS:
            self._post_statistics()
        elif event.type == Gst.EventType.STREAM_START:
            self._turn = 0
        elif event.type == Gst.EventType.TAG:
            self._turn = _turn_of(event.parse_tag(), self._turn)
        return bool(GstBase.BaseTransform.do_sink_event(self, event))

    def do_src_event(self, event: Gst.Event) -> bool:
        """Handle quality of service: note the time before which frames are late; they are passed through, not dropped."""
        if event.type == Gst.EventType.QOS:
            _, _, difference, stamp = event.parse_qos()
            # As in GStreamer's own elements, frames are assumed to become late by twice the difference.
            self._earliest_time = stamp + 2 * difference if difference > 0 else stamp + difference
        return bool(GstBase.BaseTransform.do_src_event(self, event))

    def do_transform_ip(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Restore the faces of one frame."""
        if self._is_late(buffer):
            self._late_frames += 1
            return Gst.FlowReturn.OK
        try:
            self._edit(buffer)
        except Exception as error:
            # As above: the runtimes of detector and engine raise errors of any type.
            self._post_error("facedeblur cannot restore this frame", error)
            return Gst.FlowReturn.ERROR
        if time.monotonic() - self._posted_at >= STATISTICS_SECONDS:
            self._post_statistics()
        return Gst.FlowReturn.OK

    def _edit(self, buffer: Gst.Buffer) -> None:
        deblurrer = self._deblurrer
        assert deblurrer is not None, "GStreamer sent a frame to an element that has not been started"
        with buffer.map(Gst.MapFlags.READ | Gst.MapFlags.WRITE) as mapped:
            deblurrer.edit(
                self._planes(buffer, mapped.data), strength=self.strength, threshold=self.threshold, always=self.always
            )

    def _planes(self, buffer: Gst.Buffer, memory: memoryview) -> Planes:
        """The planes of the frame in the memory of the buffer."""
        import numpy as np

        from streamdeblur.video.planes import planes_of_memory

        info, meta = self._info, GstVideo.buffer_get_video_meta(buffer)
        # The metadata of a buffer take precedence over the arrangement of its format.
        arrangement = meta or info
        layout = layout_of(FORMATS[info.finfo.name])
        assert layout is not None
        return planes_of_memory(
            np.frombuffer(memory, np.uint8), layout, info.width, info.height, arrangement.offset, arrangement.stride,
            colorspace=GstVideo.VideoColorMatrix.to_iso(info.colorimetry.matrix),
            full_range=info.colorimetry.range == FULL_RANGE, turn=self._turn,
        )  # fmt: skip

    def _is_late(self, buffer: Gst.Buffer) -> bool:
        if buffer.pts == Gst.CLOCK_TIME_NONE:
            return False
        running = self.segment.to_running_time(Gst.Format.TIME, buffer.pts)
        return bool(running != Gst.CLOCK_TIME_NONE and running < self._earliest_time)

    def _forget_faces(self) -> None:
        """Forget the tracked faces; the statistics are kept."""
        if self._deblurrer is not None:
            self._deblurrer.reset(keep_statistics=True)

    def _post_statistics(self) -> None:
        """Post the statistics so far as an element message."""
        if self._deblurrer is None:
            return
        self._posted_at = time.monotonic()
        counts = self._deblurrer.statistics
        fields = Gst.Structure.new_empty("facedeblur")
        fields.set_value("frames", counts.frames + self._late_frames)
        fields.set_value("late-frames", self._late_frames)
        for name in ("faces", "restored", "skipped_sharp", "failed"):
            fields.set_value(name.replace("_", "-"), getattr(counts, name))
        self.post_message(Gst.Message.new_element(self, fields))

    def _post_error(self, what: str, error: Exception) -> None:
        """End the pipeline with an error message; the traceback of an unexpected error is its debug information."""
        expected = isinstance(error, StreamDeblurError)
        text = str(error) if expected else f"{what}: {error}"
        debug = "" if expected else "".join(traceback.format_exception(error))
        posted = GLib.Error.new_literal(Gst.library_error_quark(), text, Gst.LibraryError.FAILED)
        self.post_message(Gst.Message.new_error(self, posted, debug))


def _turn_of(tags: Gst.TagList, otherwise: int) -> int:
    """Quarter turns, counterclockwise, after which a picture is upright by its tags; `otherwise` if they do not say it.

    The tag is "rotate-90", in degrees clockwise; "flip-rotate-90" for a picture that is mirrored first, from left to right.
    """
    known, orientation = tags.get_string(Gst.TAG_IMAGE_ORIENTATION)
    kind, _, degrees = orientation.rpartition("-") if known else ("", "", "")
    if not degrees.isdigit():
        return otherwise
    quarters = int(degrees) // 90
    # a turn behind a mirror is the opposite turn before it
    return (quarters if kind.startswith("flip") else -quarters) % 4


GObject.type_register(FaceDeblur)
