"""The web application: the page, WebRTC offers, and uploads."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template

from aiohttp import web

from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.serve import offers, uploads
from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.peer_session import PeerSession
from streamdeblur.options import RestorationOptions

PAGE = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/comparison.js": ("comparison.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/files.js": ("files.js", "text/javascript"),
    "/requests.js": ("requests.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""All static files by path: file name and MIME type."""
MAX_CAMERAS = 2
"""Simultaneous cameras; each needs most of two cores."""
MAX_UPLOADS = 4
"""Simultaneous uploads; one is restored while the others wait."""
RECEIVING_SECONDS = 300.0
"""Time for an upload to arrive."""


@dataclass
class ServerState:
    """What the requests of a server share."""

    options: RestorationOptions
    access: Access
    sessions: set[PeerSession] = field(default_factory=set)
    cameras: int = 0
    """Number of sessions, including those that are being opened."""
    uploads: int = 0
    restoring: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    closing: bool = False

    def release_camera(self) -> None:
        """Make room for another session."""
        self.cameras -= 1


STATE: web.AppKey[ServerState] = web.AppKey("state", ServerState)


def application(options: RestorationOptions, access: Access) -> web.Application:
    """Build the application of the page and its requests: ``/offer`` (a camera over WebRTC) and ``/restore`` (an upload).

    Args:
        options: Settings of the restoration.
        access: Checks each request.
    """
    app = web.Application(middlewares=[access.middleware()], client_max_size=offers.MAX_BYTES)
    app[STATE] = ServerState(options, access)
    for path in PAGE:
        app.router.add_get(path, _page)
    app.router.add_post("/offer", _offer)
    app.router.add_post("/restore", _restore)
    app.on_shutdown.append(_close)
    return app


async def _page(request: web.Request) -> web.Response:
    name, kind = PAGE[request.path]
    text = (files("streamdeblur.live.serve") / "page" / name).read_text(encoding="utf-8")
    if kind == "text/html":
        text = Template(text).substitute(uploads.limits())
    return web.Response(text=text, content_type=kind, charset="utf-8")


def _error(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": message}, status=status)


async def _offer(request: web.Request) -> web.Response:
    """Answer the WebRTC offer of a camera."""
    state = request.app[STATE]
    if state.cameras >= MAX_CAMERAS:
        return _error(f"{MAX_CAMERAS} cameras are connected already. Stop one of them, or try again later.", 503)
    with ExitStack() as on_failure:
        state.cameras += 1
        on_failure.callback(state.release_camera)
        try:
            session, answer = await _open_session(request, state)
        except InputError as error:
            return _error(str(error))
        except StreamDeblurError as error:
            return _error(str(error), 500)
        on_failure.pop_all()
    state.sessions.add(session)
    return web.json_response(answer)


async def _open_session(request: web.Request, state: ServerState) -> tuple[PeerSession, dict[str, str]]:
    """A session and its answer; InputError if the offer cannot be answered."""
    try:
        content = await request.json()
    except (ValueError, RecursionError):
        raise InputError("Invalid WebRTC offer.") from None
    offer = offers.parse_offer(content, request.remote, remote_clients=state.access.token is not None)
    restorer = await asyncio.to_thread(Restorer, state.options)

    def on_end() -> None:
        if session in state.sessions:
            state.sessions.discard(session)
            state.release_camera()

    session = PeerSession(restorer, on_end)
    try:
        answer = await session.answer(offer)
    except Exception:
        # Guards the server against hostile offers, for which aiortc's parsers raise errors of many types (ValueError,
        # IndexError, AssertionError, AttributeError, errors of its codecs). All of them are the client's.
        await session.close()
        raise InputError("The WebRTC offer cannot be answered.") from None
    return session, {"sdp": answer.sdp, "type": answer.type}


async def _restore(request: web.Request) -> web.Response:
    """Restore an uploaded picture or clip: the content is the body, the file name is in the header ``X-Name``."""
    state = request.app[STATE]
    if state.uploads >= MAX_UPLOADS:
        return _error("Other files are being restored. Try again in a minute.", 503)
    state.uploads += 1
    try:
        result = await _restored(request, state)
    except TimeoutError:
        return _error("The file took too long to arrive.", 408)
    except InputError as error:
        return _error(str(error))
    except StreamDeblurError as error:
        return _error(str(error), 500)
    finally:
        state.uploads -= 1
    headers = {"Content-Disposition": f'attachment; filename="{result.name}"', "X-Message": result.message}
    return web.Response(body=result.content, content_type=result.mime_type, headers=headers)


async def _restored(request: web.Request, state: ServerState) -> uploads.UploadResult:
    suffix = uploads.suffix_of(request.headers.get("X-Name", ""))
    uploads.check_size(request.content_length or 0)
    with uploads.folder() as folder:
        source = Path(folder) / f"upload{suffix}"
        async with asyncio.timeout(RECEIVING_SECONDS):
            await uploads.receive(request.content.iter_chunked(2**16), source)

        def is_wanted() -> bool:
            return request.transport is not None and not state.closing

        async with state.restoring:
            return await asyncio.to_thread(uploads.restore, source, state.options, is_wanted)


async def _close(app: web.Application) -> None:
    app[STATE].closing = True
    for session in list(app[STATE].sessions):
        await session.close()
