"""The server of the page."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streamdeblur.errors import InputError, OptionError, StreamDeblurError
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.serve import uploads
from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.camera import BeforeAfter
from streamdeblur.options import Options

PAGE = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
MOST_CAMERAS = 2
"""Cameras at a time: each takes most of two cores."""
MOST_UPLOADS = 1
"""Uploads that are restored at a time; others wait."""
LARGEST_OFFER = 200_000
"""Bytes of a WebRTC offer."""
STATISTICS_SECONDS = 0.5


@dataclass
class Served:
    """What a server has open."""

    options: Options
    connections: set[RTCPeerConnection] = field(default_factory=set)
    tasks: set[asyncio.Future[None]] = field(default_factory=set)
    """(asyncio itself keeps no hold of what runs)"""
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_UPLOADS))


SERVED: web.AppKey[Served] = web.AppKey("served", Served)


def application(options: Options, access: Access) -> web.Application:
    """The page, and what it asks for: ``/offer`` (a camera over WebRTC) and ``/restore`` (an upload)."""
    app = web.Application(middlewares=[access.middleware()], client_max_size=uploads.LARGEST_BYTES + 2**20)
    app[SERVED] = Served(options)
    for address in PAGE:
        app.router.add_get(address, _page)
    app.router.add_post("/offer", _offer)
    app.router.add_post("/restore", _restore)
    app.on_shutdown.append(_close_all)
    return app


async def _page(request: web.Request) -> web.Response:
    name, kind = PAGE[request.path]
    content = (files("streamdeblur.live.serve") / "page" / name).read_bytes()
    return web.Response(body=content, content_type=kind, charset="utf-8")


def _refused(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": message}, status=status)


async def _offer(request: web.Request) -> web.Response:
    """Answer a WebRTC offer of the page's camera."""
    served = request.app[SERVED]
    if len(served.connections) >= MOST_CAMERAS:
        return _refused(f"{MOST_CAMERAS} cameras are connected already. Close another tab.", 503)
    if (request.content_length or LARGEST_OFFER + 1) > LARGEST_OFFER:
        return _refused("The offer is too large.", 413)
    try:
        offered = await request.json()
        description = RTCSessionDescription(str(offered["sdp"]), str(offered["type"]))
    except (ValueError, KeyError, TypeError):
        return _refused("The offer is no WebRTC offer.")
    # no server of others is asked for addresses: the browser is on this machine, or in this house
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    served.connections.add(connection)
    try:
        restorer = await asyncio.to_thread(Restorer, served.options, request.app.logger.warning)
        _serve_camera(connection, restorer, served)
        await connection.setRemoteDescription(description)
        await connection.setLocalDescription(await connection.createAnswer())
    except StreamDeblurError as error:
        await _close(connection, served)
        return _refused(str(error), 500)
    except Exception:
        # whatever a hostile offer makes the library raise
        await _close(connection, served)
        return _refused("The offer cannot be answered.")
    answer = connection.localDescription
    return web.json_response({"sdp": answer.sdp, "type": answer.type})


def _serve_camera(connection: RTCPeerConnection, restorer: Restorer, served: Served) -> None:
    tracks: list[BeforeAfter] = []

    @connection.on("track")
    def take(track: Any) -> None:
        if track.kind == "video" and not tracks:
            tracks.append(BeforeAfter(track, restorer))
            connection.addTrack(tracks[0])

    @connection.on("datachannel")
    def talk(channel: Any) -> None:
        @channel.on("message")
        def change(message: Any) -> None:
            _change(restorer, message)

        telling = asyncio.ensure_future(_tell(channel, tracks, connection))
        served.tasks.add(telling)
        telling.add_done_callback(served.tasks.discard)

    @connection.on("connectionstatechange")
    async def watch() -> None:
        if connection.connectionState in ("failed", "closed"):
            for track in tracks:
                track.stop()
            await _close(connection, served)


def _change(restorer: Restorer, message: Any) -> None:
    """Take in what the page's controls say; anything else is ignored."""
    try:
        wanted = json.loads(message)
        restorer.strength = min(1.0, max(0.0, float(wanted["strength"])))
        restorer.paused = bool(wanted.get("paused"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return


async def _tell(channel: Any, tracks: list[BeforeAfter], connection: RTCPeerConnection) -> None:
    before = 0
    while connection.connectionState not in ("failed", "closed") and channel.readyState == "open":
        if tracks:
            track = tracks[0]
            counts = track.restorer.statistics
            told = {
                "fps": (track.frames - before) / STATISTICS_SECONDS, "dropped": track.dropped, "restored": counts.restored,
                "passed_through": counts.passed_through, "latency_ms": track.latencies.milliseconds(),
            }  # fmt: skip
            before = track.frames
            channel.send(json.dumps(told))
        await asyncio.sleep(STATISTICS_SECONDS)


async def _restore(request: web.Request) -> web.Response:
    """Restore an uploaded picture or clip: its bytes are the body, its name the header ``X-Name``."""
    served = request.app[SERVED]
    async with served.uploads:
        try:
            suffix = uploads.suffix_of(request.headers.get("X-Name", ""))
            if (request.content_length or 0) > uploads.LARGEST_BYTES:
                return _refused(f"The file is larger than {uploads.LARGEST_BYTES // 2**20} MB.", 413)
            with uploads.folder() as folder:
                source = Path(folder) / f"upload{suffix}"
                await uploads.received(request.content.iter_chunked(2**16), source)
                result = await asyncio.to_thread(uploads.restored, source, served.options)
        except InputError as error:
            return _refused(str(error))
        except StreamDeblurError as error:
            return _refused(str(error), 500)
    headers = {"Content-Disposition": f'attachment; filename="{result.name}"', "X-Told": result.told}
    return web.Response(body=result.content, content_type=result.kind, headers=headers)


async def _close(connection: RTCPeerConnection, served: Served) -> None:
    served.connections.discard(connection)
    await connection.close()


async def _close_all(app: web.Application) -> None:
    for connection in list(app[SERVED].connections):
        await _close(connection, app[SERVED])


def serve(
    options: Options, host: str, port: int, *, token: bool, certificate: Path | None, key: Path | None,
    on_open: Callable[[str], object],
) -> None:  # fmt: skip
    """Serve the page until interrupted; `on_open` is called with its address.

    Raises:
        OptionError: the port is taken, the host is not one of this machine, or the certificate cannot be read.
    """
    secure = _secure(certificate, key)
    access = Access(host, port, token=token)
    address = access.address(host)
    try:
        web.run_app(
            application(options, access), host=host, port=port, ssl_context=secure, access_log=None, handle_signals=False,
            print=lambda *_: on_open(address.replace("http:", "https:", 1) if secure else address),
        )  # fmt: skip
    except OSError as error:
        raise OptionError(f"Cannot serve on {host}, port {port}: {error.strerror or error}. Try another --port.") from None


def _secure(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise OptionError(f"Cannot use the certificate {certificate}: {error}.") from None
    return context
