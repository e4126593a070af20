"""EncodedVideo: an encoder and the container that its packets go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamdeblur.video.conversion import fitted
from streamdeblur.video.muxer import Muxer

if TYPE_CHECKING:
    import av


class EncodedVideo:
    """Encodes frames into a container; frames of another size are scaled to that of the encoder.

    Attributes:
        frames: Number of encoded frames.
    """

    def __init__(self, muxer: Muxer, stream: av.VideoStream) -> None:
        self._muxer, self._stream = muxer, stream
        self.frames = 0

    def encode(self, frame: av.VideoFrame) -> None:
        """Encode a frame with its own time stamp; FFmpegError or OSError if it cannot be written."""
        if not self.frames:
            # before the frame, so that a full disk is known at once
            self._muxer.start()
        context = self._stream.codec_context
        self._muxer.mux(self._stream.encode(fitted(frame, context.width, context.height, str(context.pix_fmt))))
        self.frames += 1

    def finish(self) -> None:
        """Write the frames that the encoder holds back, and close the container; FFmpegError or OSError if that fails."""
        if self.frames:
            self._muxer.mux(self._stream.encode(None))
        self._muxer.finish()

    def abandon(self) -> None:
        """Close the container as it is."""
        self._muxer.abandon()


def even_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Return the width and height of a frame, each rounded up to an even number, as chroma with half the samples needs it."""
    return frame.width + frame.width % 2, frame.height + frame.height % 2
