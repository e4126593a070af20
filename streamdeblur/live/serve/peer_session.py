"""PeerSession: the WebRTC connection of one browser, with its camera and the data channel of the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from streamdeblur.live.restorer import Restorer
from streamdeblur.live.serve.camera import BeforeAfter

SILENT_SECONDS = 20.0
"""Time without a frame of the camera after which a session ends: after the answer to the offer, and between two frames."""
STATISTICS_SECONDS = 0.5
"""Interval at which statistics are sent to the page."""


class PeerSession:
    """A session with one browser, from the answer to its offer until the connection ends."""

    def __init__(self, restorer: Restorer, on_end: Callable[[PeerSession], object]) -> None:
        """Prepare the connection.

        Args:
            restorer: Restores the frames of the camera; it stays open when the session ends.
            on_end: Called once, after the session has ended.
        """
        self.restorer, self._on_end = restorer, on_end
        # No STUN or TURN server: the browser is on this machine or in the local network.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._camera: BeforeAfter | None = None
        self._channel: RTCDataChannel | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._connection.on("track", self._add_camera)
        self._connection.on("datachannel", self._use_channel)
        self._connection.on("connectionstatechange", self._check_connection)

    async def answer(self, offer: RTCSessionDescription) -> RTCSessionDescription:
        """Return the answer to the offer of the browser. aiortc raises errors of any type for invalid offers."""
        await self._connection.setRemoteDescription(offer)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self._start(self._close_when_silent())
        return self._connection.localDescription

    async def close(self) -> None:
        """End the session."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        if self._camera is not None:
            self._camera.stop()
        await self._connection.close()
        # The handlers refer to this session: without them, it and the decoder and encoder of the connection are freed at once.
        self._connection.remove_all_listeners()
        if self._camera is not None:
            await self._camera.ended()
        self._on_end(self)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        # asyncio itself keeps only weak references to its tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _add_camera(self, track: MediaStreamTrack) -> None:
        if track.kind == "video" and self._camera is None:
            self._camera = BeforeAfter(track, self.restorer)
            self._camera.on("ended", self.close)
            self._connection.addTrack(self._camera)

    def _use_channel(self, channel: RTCDataChannel) -> None:
        """Use the first channel; the page opens one."""
        if self._channel is None:
            self._channel = channel
            channel.on("message", self._apply_controls)
            self._start(self._send_statistics(channel))

    async def _check_connection(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            await self.close()

    async def _close_when_silent(self) -> None:
        """End the session of a client that does not connect, or whose camera sends nothing any more."""
        received = -1
        while self._received() > received:
            received = self._received()
            await asyncio.sleep(SILENT_SECONDS)
        await self.close()

    def _received(self) -> int:
        return self._camera.received if self._camera is not None else 0

    def _apply_controls(self, message: str | bytes) -> None:
        """Apply the controls of the page; invalid messages are ignored."""
        try:
            controls = json.loads(message)
            strength, paused = float(controls["strength"]), controls["paused"]
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return
        if 0.0 <= strength <= 1.0:
            self.restorer.strength, self.restorer.paused = strength, paused is True

    async def _send_statistics(self, channel: RTCDataChannel) -> None:
        earlier = 0
        while channel.readyState == "open":
            if self._camera is not None:
                fps = (self._camera.frames - earlier) / STATISTICS_SECONDS
                earlier = self._camera.frames
                channel.send(json.dumps({**self._camera.statistics(), "fps": fps}))
            await asyncio.sleep(STATISTICS_SECONDS)
