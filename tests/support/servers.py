"""The web application, served in a thread of its own."""

from __future__ import annotations

import asyncio
import http.client
import threading
from contextlib import contextmanager

from aiohttp import web

from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.application import application


@contextmanager
def served(options, *, token=False, host="127.0.0.1", names=()):
    """Serve the page; yields its port and its `Access`."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    opened = {}

    async def begin():
        # The port is known only after it is open.
        access = Access(host, 0, token=token, names=names)
        runner = web.AppRunner(application(options, access), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        access.port = site._server.sockets[0].getsockname()[1]
        opened.update(runner=runner, access=access)
        ready.set()

    def run():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(begin())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield opened["access"].port, opened["access"]
    finally:
        asyncio.run_coroutine_threadsafe(opened["runner"].cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


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
