"""A web service that restores the faces of pictures: asyncio answers requests while a thread restores.

pip install '.[live]'   # in a clone of streamdeblur; brings aiohttp
python examples/asyncio_service.py 8080
curl --data-binary @portrait.jpg http://127.0.0.1:8080/ --output portrait.sharp.png
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from aiohttp import web
from PIL import Image

from streamdeblur import FaceDeblurrer

LARGEST_UPLOAD = 20 << 20
"""Bytes."""
RESTORE = web.AppKey("restore", ThreadPoolExecutor)
DEBLURRER = web.AppKey("deblurrer", FaceDeblurrer)


def restored(deblurrer: FaceDeblurrer, picture: bytes) -> bytes:
    """Return a picture with restored faces as PNG."""
    frame = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    deblurrer.reset()
    answer = io.BytesIO()
    Image.fromarray(deblurrer(frame)).save(answer, "png")
    return answer.getvalue()


async def answer(request: web.Request) -> web.Response:
    """Restore the picture that was posted."""
    app, picture = request.app, await request.read()
    try:
        body = await asyncio.get_running_loop().run_in_executor(app[RESTORE], restored, app[DEBLURRER], picture)
    except (OSError, ValueError, Image.DecompressionBombError):
        raise web.HTTPBadRequest(text="This is no picture that can be read.\n") from None
    return web.Response(body=body, content_type="image/png")


async def deblurring(app: web.Application) -> AsyncIterator[None]:
    """One engine and one thread for all requests: a `FaceDeblurrer` is used by one thread at a time."""
    with FaceDeblurrer() as app[DEBLURRER], ThreadPoolExecutor(1) as app[RESTORE]:
        yield


def application() -> web.Application:
    app = web.Application(client_max_size=LARGEST_UPLOAD)
    app.router.add_post("/", answer)
    app.cleanup_ctx.append(deblurring)
    return app


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]))
