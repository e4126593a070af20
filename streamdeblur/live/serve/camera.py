"""The visitor's camera: a WebRTC track in, the same frames before and after beside each other out."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aiortc import MediaStreamTrack
from aiortc.codecs import h264, vpx
from aiortc.mediastreams import MediaStreamError

from streamdeblur.live.restorer import Restorer
from streamdeblur.live.timing import Latencies
from streamdeblur.video.copying import beside, copy_frame

if TYPE_CHECKING:
    import av

BITRATE = 8_000_000
"""Bits per second; aiortc's own limits are for the internet, this is one machine or one house."""
BUDGET = 0.1
"""Seconds that a frame may take. What comes meanwhile is dropped, so a slow machine shows fewer frames, not late ones."""
MOST_PIXELS = 1920 * 1088
"""Of a camera's frame; the page asks for less. Larger ones end the visit."""

for codec in (vpx, h264):
    for limit in ("DEFAULT_BITRATE", "MAX_BITRATE"):
        setattr(codec, limit, BITRATE)


class BeforeAfter(MediaStreamTrack):
    """Of each frame, the newest that came: as it came at the left, restored at the right."""

    kind = "video"

    def __init__(self, source: MediaStreamTrack, restorer: Restorer) -> None:
        super().__init__()
        self.frames = self.dropped = 0
        self._restorer, self._source = restorer, source
        self._latencies = Latencies()
        self._size: tuple[int, int] | None = None
        self._newest: tuple[av.VideoFrame, float] | None = None
        self._arrived = asyncio.Event()
        self._worker = ThreadPoolExecutor(1, "restore")
        self._receiving = asyncio.ensure_future(self._receive())

    async def _receive(self) -> None:
        try:
            while True:
                frame: Any = await self._source.recv()
                if frame.width * frame.height > MOST_PIXELS:
                    return
                self.dropped += self._newest is not None
                self._newest = frame, time.monotonic()
                self._arrived.set()
        except MediaStreamError:
            return
        finally:
            self.stop()

    async def recv(self) -> av.VideoFrame:
        """The next pair of frames. Raises MediaStreamError when the camera ended."""
        await self._arrived.wait()
        self._arrived.clear()
        newest, self._newest = self._newest, None
        if newest is None or self.readyState != "live":
            raise MediaStreamError
        frame, came = newest
        both = await asyncio.get_running_loop().run_in_executor(self._worker, self._restored, frame, came)
        self.frames += 1
        self._latencies.add(time.monotonic() - came)
        if self.readyState == "live":
            self._worker.submit(self._restorer.catch_up)
        return both

    def _restored(self, frame: av.VideoFrame, came: float) -> av.VideoFrame:
        size = frame.width, frame.height
        if size != self._size:
            # browsers send smaller pictures when they are short of time
            self._size = size
            self._restorer.reset()
        sharp = copy_frame(frame)
        self._restorer.edit(sharp, came + BUDGET)
        return beside(frame, sharp)

    def figures(self) -> dict[str, Any]:
        """What the page shows: counts, and milliseconds from a frame's arrival until its restored twin is ready."""
        counts = self._restorer.statistics
        return {
            "dropped": self.dropped, "restored": counts.restored, "passed_through": counts.passed_through,
            "sharp": counts.skipped_sharp, "latency_ms": self._latencies.milliseconds(),
        }  # fmt: skip

    def stop(self) -> None:
        """End: nothing more is received."""
        if self.readyState == "live":
            super().stop()
            self._receiving.cancel()
            self._arrived.set()

    async def ended(self) -> None:
        """Wait until the last frame is done."""
        await asyncio.to_thread(self._worker.shutdown)
