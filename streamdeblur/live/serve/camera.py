"""BeforeAfter: the video track that is sent back to the browser, with the camera's frames and the restored ones side by side."""

from __future__ import annotations

import asyncio
import errno
import time
from concurrent.futures import ThreadPoolExecutor
from struct import unpack_from
from typing import TypedDict, cast

import av
from aiortc import MediaStreamTrack, codecs
from aiortc.codecs import h264, vpx
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame

from streamdeblur.cores import plan_threads, usable_cores
from streamdeblur.live.adaptation import Pace
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.timing import Latencies
from streamdeblur.live.unrestored import UnrestoredFaces
from streamdeblur.video.copying import beside, copy_frame

BITRATE = 8_000_000
"""Bits per second. The default limits of aiortc are for the internet; these streams stay in the local network."""
BUDGET = 0.1
"""Seconds that a frame may take. Frames that arrive meanwhile are dropped: a slow machine shows fewer frames, not late ones."""
RATE = 30
"""Frames per second that a browser sends; what is restored is chosen so that as many are shown, if that is possible."""
MAX_PIXELS = 1920 * 1088
"""Upper limit of a frame; the page requests smaller ones. Larger frames are errors of the decoder."""


class LimitedVp8Decoder(vpx.Vp8Decoder):
    """aiortc's decoder of VP8, which is not given frames that are too large: libvpx has no limit of its own."""

    def decode(self, encoded_frame: JitterFrame) -> list[Frame]:
        """Decode a frame; InvalidDataError if it is too large."""
        data = encoded_frame.data
        # the header of a key frame: RFC 6386, section 9.1
        if len(data) >= 10 and not data[0] & 1:
            width, height = (side & 0x3FFF for side in unpack_from("<HH", data, 6))
            if width * height > MAX_PIXELS:
                raise av.InvalidDataError(errno.EINVAL, f"A frame of {width} x {height} pixels is too large.")
        return super().decode(encoded_frame)


class LimitedH264Decoder(h264.H264Decoder):
    """aiortc's decoder of H.264, which allocates no memory for frames that are too large."""

    def __init__(self) -> None:
        super().__init__()
        self.codec.options, self.codec.thread_count = {"max_pixels": str(MAX_PIXELS)}, plan_threads("live").decoder


_threads_for_size = vpx.number_of_threads


def _vp8_threads(pixels: int, _: int) -> int:
    """Threads of the encoder of VP8: as many as aiortc takes for the size, on the cores that this process may use."""
    return min(_threads_for_size(pixels, usable_cores()), plan_threads("live").encoder)


# aiortc has no settings for these.
setattr(vpx, "number_of_threads", _vp8_threads)  # noqa: B010
for codec in (vpx, h264):
    for limit in ("DEFAULT_BITRATE", "MAX_BITRATE"):
        setattr(codec, limit, BITRATE)
setattr(codecs, "Vp8Decoder", LimitedVp8Decoder)  # noqa: B010
setattr(codecs, "H264Decoder", LimitedH264Decoder)  # noqa: B010


class CameraStatistics(TypedDict):
    """Statistics of a camera, as the page shows them."""

    dropped: int
    """Frames that were replaced by newer ones."""
    restored: int
    """Restored faces."""
    passed_through: int
    """Blurred faces that were left unrestored for lack of time."""
    sharp: int
    """Faces that were sharp already."""
    unrestored: float | None
    """Share of the blurred faces that were left unrestored in the last seconds, 0 to 1; None unless it is more than a tenth."""
    latency_ms: dict[str, float | None]
    """Milliseconds from the arrival of a frame until it is restored: p50, p95, p99."""


class BeforeAfter(MediaStreamTrack):
    """A video track of the latest frames of a camera: the original at the left, the restored frame at the right.

    Attributes:
        received: Number of frames that arrived.
        frames: Number of frames sent.
        dropped: Number of frames that were replaced by newer ones.
    """

    kind = "video"

    def __init__(self, source: MediaStreamTrack, restorer: Restorer) -> None:
        """Start to receive frames from the `source`."""
        super().__init__()
        self.received = self.frames = self.dropped = 0
        self._restorer, self._source = restorer, source
        restorer.keep_up(Pace(1 / RATE, BUDGET))
        self._latencies = Latencies()
        self._unrestored = UnrestoredFaces(time.monotonic())
        self._size: tuple[int, int] | None = None
        self._latest: tuple[av.VideoFrame, float] | None = None
        self._arrived = asyncio.Event()
        self._worker = ThreadPoolExecutor(1, "restore")
        self._receiving = asyncio.ensure_future(self._receive())

    async def _receive(self) -> None:
        try:
            while True:
                frame = cast(av.VideoFrame, await self._source.recv())
                self.received += 1
                self.dropped += self._latest is not None
                self._latest = frame, time.monotonic()
                self._arrived.set()
        except MediaStreamError:
            return
        finally:
            self.stop()

    async def recv(self) -> av.VideoFrame:
        """Return the next frame; MediaStreamError if the camera ended."""
        await self._arrived.wait()
        self._arrived.clear()
        latest, self._latest = self._latest, None
        if latest is None or self.readyState != "live":
            raise MediaStreamError
        frame, arrived_at = latest
        both = await asyncio.get_running_loop().run_in_executor(self._worker, self._restored, frame, arrived_at)
        self.frames += 1
        self._latencies.add(time.monotonic() - arrived_at)
        if self.readyState == "live":
            self._worker.submit(self._restorer.catch_up)
        return both

    def _restored(self, frame: av.VideoFrame, arrived_at: float) -> av.VideoFrame:
        size = frame.width, frame.height
        if size != self._size:
            # Browsers send smaller frames if they are short of time.
            self._size = size
            self._restorer.reset()
        restored = copy_frame(frame)
        self._restorer.edit(restored, arrived_at + BUDGET, arrived_at)
        return beside(frame, restored)

    def statistics(self) -> CameraStatistics:
        """Return the statistics so far."""
        faces = self._restorer.statistics
        self._unrestored.update(faces, time.monotonic())
        return {
            "dropped": self.dropped, "restored": faces.restored, "passed_through": faces.passed_through,
            "sharp": faces.skipped_sharp, "unrestored": self._unrestored.share if self._unrestored.too_many else None,
            "latency_ms": self._latencies.milliseconds(),
        }  # fmt: skip

    def stop(self) -> None:
        """Stop to receive frames, and end the track."""
        if self.readyState == "live":
            super().stop()
            self._receiving.cancel()
            self._arrived.set()

    async def ended(self) -> None:
        """Wait until the last frame is finished."""
        await asyncio.to_thread(self._worker.shutdown)
