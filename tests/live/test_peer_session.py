"""The session of a browser: a camera over real WebRTC, the data channel, and the limit of simultaneous cameras."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from aioice.ice import get_host_addresses
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack

from streamdeblur.live.serve.camera_sessions import MAX_CAMERAS
from support.servers import served

pytestmark = pytest.mark.skipif(
    not get_host_addresses(True, True), reason="this machine has no address but loopback's, which aiortc does not offer"
)


class Peer:
    """What the page does, without a browser."""

    def __init__(self, port):
        self._address = f"http://127.0.0.1:{port}"
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTrack(VideoStreamTrack())
        self.channel = self.connection.createDataChannel("controls")
        self._statistics = asyncio.Queue()
        self.channel.on("message", lambda message: self._statistics.put_nowait(json.loads(message)))
        self._tracks = asyncio.Queue()
        self.connection.on("track", self._tracks.put_nowait)

    async def offer(self):
        """The status of the server's answer."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = {"sdp": self.connection.localDescription.sdp, "type": "offer"}
        async with (
            aiohttp.ClientSession(headers={"Origin": self._address}) as session,
            session.post(f"{self._address}/offer", json=offer) as answer,
        ):
            if answer.status == 200:
                await self.connection.setRemoteDescription(RTCSessionDescription(**await answer.json()))
            return answer.status

    async def frame(self):
        track = await asyncio.wait_for(self._tracks.get(), 20)
        return await asyncio.wait_for(track.recv(), 20)

    async def statistics(self):
        return await asyncio.wait_for(self._statistics.get(), 20)


INVALID = [
    b"\xff\xfe",
    "",
    "null",
    "[" * 10_000,
    '{"strength": 1}',
    '{"strength": [], "paused": true}',
    '{"strength": "x", "paused": 1}',
    '{"strength": 1' + "0" * 400 + ', "paused": false}',
    '{"strength": NaN, "paused": false}',
    '{"strength": 1e999, "paused": false}',
]


def test_invalid_messages_on_the_data_channel_are_ignored(inverting_options):
    async def connect(port):
        peer = Peer(port)
        try:
            assert await peer.offer() == 200
            frame = await peer.frame()
            assert frame.width == 2 * 640
            before = await peer.statistics()
            for message in INVALID:
                peer.channel.send(message)
            await peer.statistics()
            after = await peer.statistics()
            assert peer.connection.connectionState == "connected"
            assert set(after) == set(before)
            assert after["fps"] > 0
        finally:
            await peer.connection.close()

    with served(inverting_options) as (port, _):
        asyncio.run(connect(port))


def test_the_number_of_cameras_is_limited_until_one_leaves(inverting_options):
    async def connect(port):
        peers = [Peer(port) for _ in range(MAX_CAMERAS + 2)]
        *accepted, refused, later = peers
        try:
            assert [await peer.offer() for peer in accepted] == [200] * MAX_CAMERAS
            assert await refused.offer() == 503
            for peer in accepted:
                await peer.frame()
            await accepted[0].connection.close()
            for _ in range(60):
                status = await later.offer()
                if status == 200:
                    break
                await asyncio.sleep(0.5)
            assert status == 200
        finally:
            for peer in peers:
                await peer.connection.close()

    with served(inverting_options) as (port, _):
        asyncio.run(connect(port))
