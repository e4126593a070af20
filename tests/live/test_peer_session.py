"""A visitor's connection: a camera over real WebRTC, the channel of the page's controls, and how many may come."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from streamdeblur import RestorationOptions
from support.models.networks import write_network

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from aioice.ice import get_host_addresses
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack

from streamdeblur.live.serve.server import MOST_CAMERAS
from support.servers import served

pytestmark = pytest.mark.skipif(
    not get_host_addresses(True, True), reason="this machine has no address but loopback's, which aiortc does not offer"
)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    network = write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")
    return RestorationOptions(weights=network, always=True)


class Visitor:
    """A page without a browser."""

    def __init__(self, port):
        self._address = f"http://127.0.0.1:{port}"
        self.connection = RTCPeerConnection()
        self.connection.addTrack(VideoStreamTrack())
        self.channel = self.connection.createDataChannel("controls")
        self.told = asyncio.Queue()
        self.channel.on("message", lambda message: self.told.put_nowait(json.loads(message)))
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

    async def figures(self):
        return await asyncio.wait_for(self.told.get(), 20)


HOSTILE = [
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


def test_whatever_comes_through_the_channel_the_visit_goes_on(options):
    async def visit(port):
        visitor = Visitor(port)
        try:
            assert await visitor.offer() == 200
            frame = await visitor.frame()
            assert frame.width == 2 * 640
            before = await visitor.figures()
            for message in HOSTILE:
                visitor.channel.send(message)
            await visitor.figures()
            after = await visitor.figures()
            assert visitor.connection.connectionState == "connected"
            assert set(after) == set(before)
            assert after["fps"] > 0
        finally:
            await visitor.connection.close()

    with served(options) as (port, _):
        asyncio.run(visit(port))


def test_so_many_cameras_and_no_more_until_one_has_left(options):
    async def visit(port):
        visitors = [Visitor(port) for _ in range(MOST_CAMERAS + 2)]
        *let_in, refused, later = visitors
        try:
            assert [await visitor.offer() for visitor in let_in] == [200] * MOST_CAMERAS
            assert await refused.offer() == 503
            for visitor in let_in:
                await visitor.frame()
            await let_in[0].connection.close()
            for _ in range(60):
                status = await later.offer()
                if status == 200:
                    break
                await asyncio.sleep(0.5)
            assert status == 200
        finally:
            for visitor in visitors:
                await visitor.connection.close()

    with served(options) as (port, _):
        asyncio.run(visit(port))
