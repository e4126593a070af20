"""The web application, served in a thread of its own."""

from __future__ import annotations

import asyncio
import http.client
import tempfile
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.server import serving


@contextmanager
def served(options, *, token=False, host="127.0.0.1", names=()):
    """Serve the page; yields its port and its `Access`."""
    opened, access = Future(), Access(host, 0, token=token, names=names)

    async def serve(folder):
        ended = asyncio.Event()
        async with serving(options, access, folder) as listener:
            # the port is known only after it is open
            access.port = listener.ports[0]
            opened.set_result((asyncio.get_running_loop(), ended))
            await ended.wait()

    with tempfile.TemporaryDirectory() as folder:
        thread = threading.Thread(target=lambda: asyncio.run(serve(Path(folder))), daemon=True)
        thread.start()
        loop, ended = opened.result(60)
        try:
            yield access.port, access
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join(20)
            assert not thread.is_alive()


def request(port, method, path, body=None, *, origin=True, **headers):
    """One request; returns status, headers and content."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if origin:
        sent.setdefault("Origin", f"http://127.0.0.1:{port}")
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()
