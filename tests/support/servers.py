"""The web application, served in a thread of its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.server import serving

TAKES_INTERRUPTS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from streamdeblur.cli import main
main()
"""
"""The command line, which takes interrupts even where the tests run in the background.

A function that `subprocess` runs in the new process would hang where engines have been used in this one.
"""


@contextmanager
def served(options, *, token=False, host="127.0.0.1", names=(), tls=None):
    """Serve the page; yields its port and its `Access`."""
    opened, access = Future(), Access(host, 0, token=token, names=names)

    async def serve(folder):
        ended = asyncio.Event()
        async with serving(options, access, folder, tls) as listener:
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


@dataclass(frozen=True)
class ServerProcess:
    """A server in a process of its own, and the port of its page."""

    process: subprocess.Popen
    port: int
    errors: Path
    """What it writes to stderr."""

    def figure(self, name):
        """A figure of the process from /proc: 'VmRSS' in KiB, 'Threads'."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+)", status)[1])


@contextmanager
def server_process(folder, *arguments, files=None):
    """Run ``streamdeblur serve`` with its temporary files in a folder, and with a limit on the number of its open files."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    with tempfile.TemporaryDirectory() as other, (Path(other) / "stderr").open("w") as errors:
        environment = {**os.environ, "TMPDIR": str(folder)}
        command = [sys.executable, "-c", TAKES_INTERRUPTS, "serve", "--port", str(port), *map(str, arguments)]
        process = subprocess.Popen(command, stderr=errors, env=environment)
        if files is not None:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (files, files))
        try:
            wait_until(lambda: f":{port}/" in Path(errors.name).read_text(), seconds=120)
            yield ServerProcess(process, port, Path(errors.name))
        finally:
            process.kill()
            process.wait()


def wait_until(condition, seconds=60):
    """Wait until a condition is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


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


def connected(port, sent=b""):
    """A connection of its own over which these bytes were sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(sent)
    return connection


def half_upload(port):
    """The begin of an upload that promises more than it sends."""
    return head(port, b"POST", b"/restore", b"X-Name: a.png", b"Content-Length: 1000") + b"x"


def error_of(content):
    """The message of a response that refuses."""
    return json.loads(content)["error"]
