"""A visitor: one WebRTC connection, the camera that comes through it, and the page's controls and figures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streamdeblur.live.restorer import Restorer
from streamdeblur.live.serve.camera import BeforeAfter

CONNECTING_SECONDS = 20.0
"""Whoever has not connected by then has gone."""
FIGURES_SECONDS = 0.5


class Visit:
    """From the answer to an offer until the visitor leaves."""

    def __init__(self, restorer: Restorer, on_end: Callable[[], object]) -> None:
        """`on_end` is called once, when the visit is over and its engine is freed."""
        self._restorer, self._on_end = restorer, on_end
        # no server is asked for addresses: the browser is on this machine, or in this house
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._camera: BeforeAfter | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        self._over = False
        self._connection.on("track", self._take)
        self._connection.on("datachannel", self._talk)
        self._connection.on("connectionstatechange", self._watch)

    async def answer(self, offer: RTCSessionDescription) -> RTCSessionDescription:
        """The answer to the browser's offer. Raises whatever a hostile offer makes aiortc raise."""
        await self._connection.setRemoteDescription(offer)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self._start(self._give_up())
        return self._connection.localDescription

    async def close(self) -> None:
        """End the visit."""
        if self._over:
            return
        self._over = True
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        if self._camera is not None:
            self._camera.stop()
        await self._connection.close()
        if self._camera is not None:
            await self._camera.ended()
        self._restorer.close()
        self._on_end()

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        # (asyncio itself keeps no hold of what runs)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, track: Any) -> None:
        if track.kind == "video" and self._camera is None:
            self._camera = BeforeAfter(track, self._restorer)
            self._connection.addTrack(self._camera)

    def _talk(self, channel: Any) -> None:
        channel.on("message", self._change)
        self._start(self._tell(channel))

    async def _watch(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            await self.close()

    async def _give_up(self) -> None:
        await asyncio.sleep(CONNECTING_SECONDS)
        if self._connection.connectionState != "connected":
            await self.close()

    def _change(self, message: Any) -> None:
        """Take in what the page's controls say; anything else is ignored."""
        try:
            wanted = json.loads(message)
            strength, paused = float(wanted["strength"]), wanted["paused"]
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return
        if 0.0 <= strength <= 1.0:
            self._restorer.strength, self._restorer.paused = strength, paused is True

    async def _tell(self, channel: Any) -> None:
        before = 0
        while channel.readyState == "open":
            if self._camera is not None:
                told = self._camera.figures()
                told["fps"] = (self._camera.frames - before) / FIGURES_SECONDS
                before = self._camera.frames
                channel.send(json.dumps(told))
            await asyncio.sleep(FIGURES_SECONDS)
