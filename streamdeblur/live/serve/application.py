"""The web application: the page, WebRTC offers, and uploads."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from string import Template

from aiohttp import web

from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.serve import offers, uploads
from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.camera_sessions import CamerasBusyError, CameraSessions
from streamdeblur.live.serve.connections import RETRY_SECONDS, watch_requests
from streamdeblur.live.serve.upload_process import UploadProcess
from streamdeblur.live.serve.upload_settings import UploadProgress, UploadSettings
from streamdeblur.options import RestorationOptions

PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/manifest.webmanifest": ("manifest.webmanifest", "application/manifest+json"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{f"/{name}": (name, "image/png") for name in ("icon-192.png", "icon-512.png", "icon-maskable.png")},
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript")
        for name in ("page", "camera", "clip", "comparison", "files", "queue", "requests", "service-worker")
    },
}
"""All static files by path: file name and MIME type."""
MAX_UPLOADS = 4
"""Simultaneous uploads; one is restored while the others arrive or wait."""
OFFER_SECONDS = 10.0
"""Time for an offer to arrive."""
SENDING_SECONDS = 30.0
"""Time for a part of a result to be taken by the client."""
PART_BYTES = 2**20
"""Size of these parts."""
JOB = "[0-9a-f]{32}"
"""Pattern of the random names that the page gives to its uploads, by which it asks for their progress."""


class ServerState:
    """What the requests of a server share."""

    def __init__(self, options: RestorationOptions, access: Access, folder: Path, restorer: Restorer | None) -> None:
        self.access, self.folder = access, folder
        self.percent = round(100 * options.strength)
        """The strength that the page begins with."""
        self.cameras = CameraSessions(options, restorer)
        self.uploads = 0
        """Number of uploads that arrive, wait, are restored or sent back."""
        self.progress: dict[str, UploadProgress] = {}
        """How far each of them is, by its name."""
        self.upload_process = UploadProcess(options, folder)


STATE: web.AppKey[ServerState] = web.AppKey("state", ServerState)


def application(options: RestorationOptions, access: Access, folder: Path, restorer: Restorer | None = None) -> web.Application:
    """Build the application of the page and its requests: ``/offer`` (a camera over WebRTC), ``/restore`` (an
    upload) and ``/progress`` (how far an upload is).

    Args:
        options: Settings of the restoration.
        access: Checks each request.
        folder: Where uploads are kept until they are restored.
        restorer: One that is open, for the first camera; the application closes it.
    """
    app = web.Application(middlewares=[watch_requests, access.middleware()], client_max_size=offers.MAX_BYTES)
    app[STATE] = ServerState(options, access, folder, restorer)
    for path in PAGE:
        app.router.add_get(path, _page)
    app.router.add_get(f"/progress/{{job:{JOB}}}", _progress)
    app.router.add_post("/offer", _offer)
    app.router.add_post("/restore", _restore)
    app.on_response_prepare.append(access.add_headers)
    app.on_shutdown.append(_close)
    return app


async def _page(request: web.Request) -> web.Response:
    name, kind = PAGE[request.path]
    file = files("streamdeblur.live.serve") / "page" / name
    if kind == "image/png":
        return web.Response(body=file.read_bytes(), content_type=kind)
    text = file.read_text(encoding="utf-8")
    if kind == "text/html":
        text = Template(text).substitute(uploads.limits(), strength=request.app[STATE].percent)
    return web.Response(text=text, content_type=kind, charset="utf-8")


def _error(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": message}, status=status)


def _busy(message: str) -> web.Response:
    return web.json_response({"error": message}, status=503, headers={"Retry-After": str(RETRY_SECONDS)})


async def _offer(request: web.Request) -> web.Response:
    """Answer the WebRTC offer of a camera. Nothing is held for it until it has arrived and was checked."""
    state = request.app[STATE]
    if (request.content_length or 0) > offers.MAX_BYTES:
        return _error("The WebRTC offer is too large.", 413)
    try:
        async with asyncio.timeout(OFFER_SECONDS):
            body = await request.read()
    except TimeoutError:
        return _error("The WebRTC offer took too long to arrive.", 408)
    try:
        offer = offers.parse_offer(_json(body), request.remote, remote_clients=state.access.token is not None)
        answer = await state.cameras.open(offer)
    except CamerasBusyError as error:
        return _busy(str(error))
    except InputError as error:
        return _error(str(error))
    except StreamDeblurError as error:
        return _error(str(error), 500)
    return web.json_response({"sdp": answer.sdp, "type": answer.type})


def _json(body: bytes) -> object:
    """The content of JSON; None if it is not valid."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


async def _restore(request: web.Request) -> web.StreamResponse:
    """Restore an uploaded picture or clip.

    The content is the body, and the file name is in the header ``X-Name``. Settings are in the query. The header ``X-Job`` may
    have a random name for the upload, by which ``/progress`` knows it.
    """
    state = request.app[STATE]
    if state.uploads >= MAX_UPLOADS:
        return _busy("Other files are being restored. Try again in a minute.")
    state.uploads += 1
    try:
        return await _restored(request, state)
    except TimeoutError:
        return _error("The file took too long to arrive.", 408)
    except uploads.FullError as error:
        return _error(str(error), 507)
    except InputError as error:
        return _error(str(error))
    except StreamDeblurError as error:
        return _error(str(error), 500)
    finally:
        state.uploads -= 1


async def _restored(request: web.Request, state: ServerState) -> web.StreamResponse:
    suffix, settings = uploads.suffix_of(request.headers.get("X-Name", "")), UploadSettings.of_query(request.query)
    uploads.check_size(request.content_length or 0)
    uploads.check_space(state.folder)
    job = request.headers.get("X-Job") or secrets.token_hex(16)
    with _known(job, state), uploads.folder(state.folder) as folder:
        source = Path(folder) / f"upload{suffix}"
        await state.upload_process.start()
        await uploads.receive(request.content.iter_chunked(2**16), source)
        result = await state.upload_process.restore(source, settings, lambda progress: state.progress.update({job: progress}))
        return await _send(request, result)


@contextmanager
def _known(job: str, state: ServerState) -> Iterator[None]:
    """Have the progress of an upload known by its name, while it is worked on."""
    if not re.fullmatch(JOB, job) or job in state.progress:
        raise InputError("The name of an upload has 32 hexadecimal digits, and no other one has it.")
    state.progress[job] = UploadProgress()
    try:
        yield
    finally:
        del state.progress[job]


async def _progress(request: web.Request) -> web.Response:
    """Tell how far an upload is, to who knows its name."""
    progress = request.app[STATE].progress.get(request.match_info["job"])
    return _error("There is no such upload.", 404) if progress is None else web.json_response(asdict(progress))


async def _send(request: web.Request, result: uploads.UploadResult) -> web.StreamResponse:
    """Send a result. A client that takes none of it for a while loses the connection."""
    # a header is a line of ASCII
    message = " ".join(result.message.encode("ascii", "replace").decode().split())
    response = web.StreamResponse(
        headers={
            "Content-Disposition": f'attachment; filename="{result.path.name}"',
            "X-Message": message,
            "X-Faces": str(result.faces),
            "X-First-Second": f"{result.first_second:.6f}",
            "X-Frame-Seconds": f"{result.frame_seconds:.6f}",
        }
    )
    response.content_type, response.content_length = result.mime_type, result.path.stat().st_size
    try:
        await response.prepare(request)
        with result.path.open("rb") as file:
            while part := file.read(PART_BYTES):
                async with asyncio.timeout(SENDING_SECONDS):
                    await response.write(part)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    return response


async def _close(app: web.Application) -> None:
    await app[STATE].upload_process.close()
    await app[STATE].cameras.close()
