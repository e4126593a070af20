"""The session of a browser: a camera over real WebRTC, the data channel, and the limit of simultaneous cameras."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from aioice.ice import get_host_addresses
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import VideoStreamTrack
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from streamdeblur import RestorationOptions
from streamdeblur.live.serve import peer_session
from streamdeblur.live.serve.camera_sessions import MAX_CAMERAS, CameraSessions
from streamdeblur.live.serve.failures import CannotRestoreError
from support.servers import head, served, server_process

pytestmark = pytest.mark.skipif(
    not get_host_addresses(True, True), reason="this machine has no address but loopback's, which aiortc does not offer"
)


class SmallCamera(VideoStreamTrack):
    """Gray frames of 160 x 120, which cost little to encode on both ways."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((180, 160), 128, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Peer:
    """What the page does, without a browser."""

    def __init__(self, port):
        self._address = f"http://127.0.0.1:{port}"
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.camera = SmallCamera()
        self.connection.addTrack(self.camera)
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

    async def use(self):
        """Offer until a place is free, and wait until frames come back."""
        while await self.offer() != 200:
            await asyncio.sleep(0.1)
        await self.frame()

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
            assert frame.width == 2 * 160
            before = await peer.statistics()
            for message in INVALID:
                peer.channel.send(message)
            await peer.statistics()
            after = await peer.statistics()
            while not after["fps"]:
                # a busy machine may have had no frame in half a second
                after = await peer.statistics()
            assert peer.connection.connectionState == "connected"
            assert set(after) == set(before)
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


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="figures of processes are read from /proc")
@pytest.mark.parametrize("sessions", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_memory_and_threads_do_not_grow_with_the_number_of_sessions(inverting_network, tmp_path, sessions):
    async def use_sessions(server):
        figures = []
        for _ in range(sessions):
            peer = Peer(server.port)
            try:
                await peer.use()
            finally:
                await peer.connection.close()
            figures.append((server.figure("VmRSS") / 1024, server.figure("Threads")))
        return figures

    with server_process(tmp_path, "--network", inverting_network, "--always") as server:
        figures = asyncio.run(use_sessions(server))
        assert server.errors.stat().st_size < 1000, server.errors.read_text()
    memory, threads = zip(*figures, strict=True)
    print(f"after 4 and {sessions} sessions: {memory[3]:.0f} and {memory[-1]:.0f} MiB, {threads[3]} and {threads[-1]} threads")
    # decoders and encoders of sessions that end are freed a moment later
    assert max(memory[4:]) < max(memory[:4]) + 80
    assert max(threads) < threads[0] + 12


def test_an_engine_that_cannot_be_opened_is_no_fault_of_the_camera(tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    sessions = CameraSessions(RestorationOptions(network=tmp_path / "text.onnx"))
    for _ in range(MAX_CAMERAS + 1):
        with pytest.raises(CannotRestoreError, match="The server cannot restore"):
            asyncio.run(sessions.open(None))


def test_offers_hold_no_camera_until_they_have_arrived(inverting_options):
    async def connect(port):
        peer = Peer(port)
        try:
            assert await peer.offer() == 200
        finally:
            await peer.connection.close()

    with served(inverting_options) as (port, _), ExitStack() as clients:
        for _ in range(2 * MAX_CAMERAS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(head(port, b"POST", b"/offer", b"Content-Length: 5000") + b"{")
        asyncio.run(connect(port))


def test_a_session_ends_whose_camera_sends_nothing(inverting_options, monkeypatch):
    monkeypatch.setattr(peer_session, "SILENT_SECONDS", 5.0)

    async def connect(port):
        silent = [Peer(port) for _ in range(MAX_CAMERAS)]
        for peer in silent:
            peer.camera.stop()
        later = Peer(port)
        try:
            assert [await peer.offer() for peer in silent] == [200] * MAX_CAMERAS
            assert await later.offer() == 503
            await asyncio.wait_for(later.use(), 20)
        finally:
            for peer in [*silent, later]:
                await peer.connection.close()

    with served(inverting_options) as (port, _):
        asyncio.run(connect(port))


def test_one_data_channel_is_used_however_many_are_opened(inverting_options):
    async def connect(port):
        peer = Peer(port)
        counted = []
        try:
            assert await peer.offer() == 200
            await peer.frame()
            for number in range(50):
                channel = peer.connection.createDataChannel(f"more {number}")
                channel.on("message", counted.append)
            await peer.statistics()
            await peer.statistics()
            assert counted == []
        finally:
            await peer.connection.close()

    with served(inverting_options) as (port, _):
        asyncio.run(connect(port))


@pytest.mark.parametrize(("name", "encoder"), [("VP8", "libvpx"), ("H264", "libx264")])
def test_frames_of_a_camera_that_are_too_large_are_not_decoded(name, encoder):
    decoder = get_decoder(RTCRtpCodecParameters(f"video/{name}", 90000))
    assert [(frame.width, frame.height) for frame in decoder.decode(encoded(encoder, 640, 480))] == [(640, 480)]
    with pytest.raises(av.FFmpegError):
        decoder.decode(encoded(encoder, 2048, 2048))
    # the next one is decoded again
    assert [frame.width for frame in decoder.decode(encoded(encoder, 320, 240))] == [320]


def encoded(name, width, height):
    """A gray frame as a camera sends it."""
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 90000)
    encoder.options = {"deadline": "realtime", "lag-in-frames": "0"} if name == "libvpx" else {"tune": "zerolatency"}
    frame = av.VideoFrame.from_ndarray(np.full((height, width), 128, np.uint8), format="gray").reformat(format="yuv420p")
    frame.pts = 0
    return JitterFrame(b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)])), 0)
