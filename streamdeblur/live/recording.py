"""Recording: a sink that writes a video file which can be played at any moment, even if this program is killed."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.errors import OptionError, OutputError
from streamdeblur.live.encoded_video import EncodedVideo, even_size
from streamdeblur.live.recording_file import RecordingFile
from streamdeblur.live.timing import TICKS
from streamdeblur.options import EncodingOptions
from streamdeblur.video.description import StreamTags, describe
from streamdeblur.video.encoders import choose_encoder, choose_pixel_format, configure, set_threads
from streamdeblur.video.muxer import Muxer
from streamdeblur.video.scheduling import scheduling_kept

if TYPE_CHECKING:
    import av

FRAGMENT_SECONDS = 0.5
"""What a kill may cost: a player needs a fragment of MP4, and a cluster of Matroska, as a whole."""
LOW_DELAY = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "libvpx-vp9": {"lag-in-frames": "0", "deadline": "realtime"},
    "libvpx": {"lag-in-frames": "0", "deadline": "realtime"},
}
"""Options of encoders that by default hold back frames, which a kill would cost, or take their time."""


class Recording:
    """A video file with the time stamps of the capture.

    MP4 and MOV files are fragmented while they are written, and regular ones when they are complete.
    """

    continuous = False
    capacity = 60
    reopenable = True
    patience: float | None = None

    def __init__(
        self,
        file: RecordingFile,
        frame: av.VideoFrame,
        rate: Fraction,
        tags: StreamTags | None,
        encoding: EncodingOptions,
        threads: int,
    ) -> None:
        """Open the encoder, with this many threads, for frames like this one; nothing is written yet.

        Raises:
            OptionError: There is no such encoder, or it cannot encode such frames.
        """
        import av

        self._file = file
        with ExitStack() as cleanup:
            cleanup.callback(file.remove)
            container = av.open(file, "w", container_options=_container_options(Path(file.name)))
            stream = _recorded_stream(container, frame, rate, tags, encoding, threads)
            self._video = EncodedVideo(Muxer(container, file), stream)
            cleanup.pop_all()

    def write(self, frame: av.VideoFrame) -> None:
        """Encode a frame; OutputError if it cannot be written."""
        import av

        try:
            self._video.encode(frame)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(self._lost("write", error)) from None

    def abort(self) -> None:
        """Do nothing: it may take its time."""

    def close(self) -> None:
        """Complete the file; OutputError if that fails. A recording without frames is removed."""
        import av

        if self._file.closed:
            return
        try:
            if self._video.frames:
                self._video.finish()
                self._file.keep()
            else:
                self._video.abandon()
                self._file.remove()
        except (av.FFmpegError, OSError) as error:
            raise OutputError(self._lost("finish", error)) from None

    def _lost(self, action: str, error: Exception) -> str:
        """Close the file after a failure; returns what failed, and what is left. A file without a single frame is removed."""
        reason = getattr(error, "strerror", None) or error
        self._video.abandon()
        if self._file.has_name and _can_be_played(self._file.name):
            return f"Cannot {action} {self._file.name}: {reason}. It can be played up to there."
        self._file.remove()
        return f"Cannot {action} {self._file.name}: {reason}. Nothing was recorded."


def _container_options(file: Path) -> dict[str, str]:
    """Options with which a container can be played at any moment."""
    options = {"flush_packets": "1"}
    if file.suffix.lower() in (".mp4", ".m4v", ".mov"):
        # The end of the file turns the fragments into one index; if it cannot be written, the fragments stay.
        return {**options, "movflags": "hybrid_fragmented", "frag_duration": str(round(FRAGMENT_SECONDS * 1_000_000))}
    if file.suffix.lower() in (".mkv", ".webm"):
        return {**options, "cluster_time_limit": str(round(FRAGMENT_SECONDS * 1000))}
    return options


def _recorded_stream(
    container: av.container.OutputContainer,
    frame: av.VideoFrame,
    rate: Fraction,
    tags: StreamTags | None,
    encoding: EncodingOptions,
    threads: int,
) -> av.VideoStream:
    import av

    codec = choose_encoder(encoding.codec, "h264", container)
    stream: av.VideoStream = container.add_stream(codec.name, rate=rate)  # type: ignore[assignment]  # of a video encoder
    context = stream.codec_context
    context.width, context.height = even_size(frame)
    context.pix_fmt = choose_pixel_format(frame.format.name, codec)
    context.time_base = Fraction(1, TICKS)
    configure(context, codec.name, encoding.quality, encoding.preset or ("ultrafast" if codec.name == "libx264" else None))
    context.options = {**context.options, **LOW_DELAY.get(codec.name, {})}
    set_threads(context, threads)
    describe(stream, frame, tags)
    try:
        with scheduling_kept():
            context.open()
    except (av.FFmpegError, OSError) as error:
        raise OptionError(
            f"{codec.name} cannot record this video ({error.strerror or error}). Check --codec, --quality and --preset."
        ) from None
    return stream


def _can_be_played(file: str) -> bool:
    """Whether a frame can be read from a file."""
    import av

    try:
        with av.open(f"file:{file}") as container:
            return next(container.decode(video=0), None) is not None
    except (av.FFmpegError, OSError, IndexError):
        return False
