"""The web application, served in a thread of its own."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
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


def exchange(port, sent, seconds=20):
    """Send bytes over a connection of its own; returns what comes back until the response is complete or the server closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(sent)
            while not _is_complete(received) and (part := connection.recv(2**16)):
                received += part
        except ConnectionError:
            # closed by the server before it had read everything
            pass
    return received


def _is_complete(received):
    head, separator, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    return bool(separator) and length is not None and len(body) >= int(length[1])


def head(port, method, path, *lines):
    """The request line and the headers of a request of the page, and further lines."""
    own = f"127.0.0.1:{port}".encode()
    return b"\r\n".join([b"%s %s HTTP/1.1" % (method, path), b"Host: " + own, b"Origin: http://" + own, *lines, b"", b""])
