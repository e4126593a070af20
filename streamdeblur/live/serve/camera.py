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
BUDGET = 0.030
"""Seconds that a frame may take."""

for codec in (vpx, h264):
    codec.DEFAULT_BITRATE = codec.MAX_BITRATE = BITRATE


class BeforeAfter(MediaStreamTrack):
    """Of each frame, the newest that came: as it came at the left, restored at the right."""

    kind = "video"

    def __init__(self, source: MediaStreamTrack, restorer: Restorer) -> None:
        super().__init__()
        self.restorer = restorer
        self.frames = self.dropped = 0
        self.latencies = Latencies()
        self._source = source
        self._newest: tuple[av.VideoFrame, float] | None = None
        self._arrived = asyncio.Event()
        self._ended = False
        self._worker = ThreadPoolExecutor(1, "restore")
        self._receiving = asyncio.ensure_future(self._receive())

    async def _receive(self) -> None:
        try:
            while True:
                frame: Any = await self._source.recv()
                self.dropped += self._newest is not None
                self._newest = frame, time.monotonic()
                self._arrived.set()
        except MediaStreamError:
            self._ended = True
            self._arrived.set()

    async def recv(self) -> av.VideoFrame:
        """The next pair of frames. Raises MediaStreamError when the camera ended."""
        await self._arrived.wait()
        self._arrived.clear()
        newest, self._newest = self._newest, None
        if newest is None or self._ended:
            self.stop()
            raise MediaStreamError
        frame, came = newest
        both = await asyncio.get_running_loop().run_in_executor(self._worker, self._restored, frame, came)
        self.frames += 1
        self.latencies.add(time.monotonic() - came)
        return both

    def _restored(self, frame: av.VideoFrame, came: float) -> av.VideoFrame:
        sharp = copy_frame(frame)
        self.restorer.edit(sharp, came + BUDGET)
        return beside(frame, sharp)

    def stop(self) -> None:
        """End; the engine is freed when its last frame is done."""
        if self.readyState == "live":
            self._receiving.cancel()
            self._worker.submit(self.restorer.close)
            self._worker.shutdown(wait=False)
        super().stop()
