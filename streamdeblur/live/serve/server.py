"""The server of the page."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template

from aiohttp import web

from streamdeblur.errors import InputError, OptionError, StreamDeblurError
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.serve import offers, uploads
from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.peer_session import Visit
from streamdeblur.options import RestorationOptions

logger = logging.getLogger(__name__)

PAGE = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/stage.js": ("stage.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/files.js": ("files.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""All that is given, by address."""
MOST_CAMERAS = 2
"""Cameras at a time: each takes most of two cores."""
MOST_UPLOADS = 4
"""Uploads at a time; one is restored, the others wait."""
CLOSING_SECONDS = 5.0
"""How long requests may take to notice that the server ends."""

RECEIVING_SECONDS = 300.0
"""That an upload may take to arrive."""


@dataclass
class Served:
    """What a server has open."""

    options: RestorationOptions
    access: Access
    visits: set[Visit] = field(default_factory=set)
    cameras: int = 0
    """Visits, and those that are about to begin."""
    uploads: int = 0
    restoring: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    closing: bool = False


SERVED: web.AppKey[Served] = web.AppKey("served", Served)


def application(options: RestorationOptions, access: Access) -> web.Application:
    """The page, and what it asks for: ``/offer`` (a camera over WebRTC) and ``/restore`` (an upload)."""
    app = web.Application(middlewares=[access.middleware()], client_max_size=offers.LARGEST_BYTES)
    app[SERVED] = Served(options, access)
    for address in PAGE:
        app.router.add_get(address, _page)
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


def _refused(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": message}, status=status)


async def _offer(request: web.Request) -> web.Response:
    """Answer the WebRTC offer of the page's camera."""
    served = request.app[SERVED]
    if served.cameras >= MOST_CAMERAS:
        return _refused(f"{MOST_CAMERAS} cameras are connected already. Stop one of them, or try again later.", 503)
    served.cameras += 1
    try:
        visit, answer = await _begin_visit(request, served)
    except BaseException as error:
        served.cameras -= 1
        if isinstance(error, InputError):
            return _refused(str(error))
        if isinstance(error, StreamDeblurError):
            return _refused(str(error), 500)
        raise
    served.visits.add(visit)
    return web.json_response(answer)


async def _begin_visit(request: web.Request, served: Served) -> tuple[Visit, dict[str, str]]:
    """Raises InputError for offers that cannot be answered."""
    try:
        content = await request.json()
    except (ValueError, RecursionError):
        raise InputError("The offer is no WebRTC offer.") from None
    offer = offers.offer_from(content, request.remote, others_may_visit=served.access.token is not None)
    restorer = await asyncio.to_thread(Restorer, served.options, logger.warning)

    def ended() -> None:
        if visit in served.visits:
            served.visits.discard(visit)
            served.cameras -= 1

    visit = Visit(restorer, ended)
    try:
        answer = await visit.answer(offer)
    except Exception:
        # whatever a hostile offer makes the library raise
        await visit.close()
        raise InputError("The offer cannot be answered.") from None
    return visit, {"sdp": answer.sdp, "type": answer.type}


async def _restore(request: web.Request) -> web.Response:
    """Restore an uploaded picture or clip: its bytes are the body, its name the header ``X-Name``."""
    served = request.app[SERVED]
    if served.uploads >= MOST_UPLOADS:
        return _refused("Other files are being restored. Try again in a minute.", 503)
    served.uploads += 1
    try:
        result = await _restored(request, served)
    except TimeoutError:
        return _refused("The file took too long to arrive.", 408)
    except InputError as error:
        return _refused(str(error))
    except StreamDeblurError as error:
        return _refused(str(error), 500)
    finally:
        served.uploads -= 1
    headers = {"Content-Disposition": f'attachment; filename="{result.name}"', "X-Told": result.told}
    return web.Response(body=result.content, content_type=result.kind, headers=headers)


async def _restored(request: web.Request, served: Served) -> uploads.Result:
    suffix = uploads.suffix_of(request.headers.get("X-Name", ""))
    uploads.check_size(request.content_length or 0)
    with uploads.folder() as folder:
        source = Path(folder) / f"upload{suffix}"
        async with asyncio.timeout(RECEIVING_SECONDS):
            await uploads.receive(request.content.iter_chunked(2**16), source)

        def wanted() -> bool:
            return request.transport is not None and not served.closing

        async with served.restoring:
            return await asyncio.to_thread(uploads.restore, source, served.options, wanted)


async def _close(app: web.Application) -> None:
    app[SERVED].closing = True
    for visit in list(app[SERVED].visits):
        await visit.close()


def serve(
    options: RestorationOptions, access: Access, *, certificate: Path | None, key: Path | None, on_open: Callable[[str], object]
) -> None:
    """Serve the page until interrupted; `on_open` is called with its address.

    Raises:
        OptionError: the port is taken, the host is not one of this machine, or the certificate cannot be read.
    """
    secure = _secure(certificate, key)

    def opened(*_: object) -> None:
        on_open(address)

    # what is no HTTP is refused by aiohttp itself, which would show a traceback for each
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    address = access.address(secure=secure is not None)
    try:
        web.run_app(
            application(options, access), host=access.host, port=access.port, ssl_context=secure, access_log=None,
            shutdown_timeout=CLOSING_SECONDS, print=opened,
        )  # fmt: skip
    except OSError as error:
        raise OptionError(
            f"Cannot serve on {access.host}, port {access.port}: {error.strerror or error}. Try another --port or --host."
        ) from None


def _secure(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise OptionError(f"Cannot use the certificate {certificate}: {error.strerror or error}.") from None
    return context
