"""Running the web application on a port, with or without TLS, until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from streamdeblur.errors import OptionError
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.serve import uploads
from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.application import application
from streamdeblur.live.serve.camera_sessions import with_share
from streamdeblur.live.serve.connections import REQUEST_SECONDS, Listener
from streamdeblur.options import RestorationOptions

logger = logging.getLogger(__name__)

FINISHING_SECONDS = 0.25
"""Time for open requests to end when the server is stopped; they are cancelled after it."""
STOPPING_SECONDS = 1.0
"""Time from a signal until the process ends, whatever its threads are in the midst of."""
ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
LIBRARIES = ("aiohttp", "aioice", "aiortc", "asyncio")
"""Loggers that would show a line or a traceback for each packet or request that a client gets wrong."""
MAX_HEADER_BYTES = 8190
"""Upper limit of a line of a request, and of a header field."""
MAX_HEADERS = 64
REPEATED_SECONDS = 60.0
"""Interval at which the same error of the event loop is logged again."""


def serve(
    options: RestorationOptions, access: Access, *, certificate: Path | None, key: Path | None, on_open: Callable[[str], object]
) -> None:
    """Serve the page until interrupted.

    Args:
        options: Settings of the restoration.
        access: Host, port and access rules.
        certificate: Certificate (PEM) for https; None for http.
        key: Its private key (PEM), if it is not in the same file.
        on_open: Called with the address of the page when the server is ready.

    Raises:
        OptionError: The port is in use, the host is not an address of this machine, or the certificate cannot be read.
        NetworkError, EngineError, DetectorError: What restores cannot be opened; no client has to find out.
    """
    tls = tls_context(certificate, key)
    options = with_share(options)
    restorer = Restorer(options)
    with uploads.folder() as folder:

        async def run() -> None:
            ended = asyncio.Event()
            async with serving(options, access, Path(folder), tls, restorer):
                _end_on_signals(ended, Path(folder))
                on_open(access.address(secure=tls is not None))
                await ended.wait()

        # Ctrl-C where the event loop takes no signals (Windows)
        with suppress(KeyboardInterrupt):
            asyncio.run(run())


@asynccontextmanager
async def serving(
    options: RestorationOptions, access: Access, folder: Path, tls: ssl.SSLContext | None = None, restorer: Restorer | None = None
) -> AsyncIterator[Listener]:
    """Serve the page within a context.

    Args:
        options: Settings of the restoration.
        access: Host, port and access rules.
        folder: Where uploads are kept until they are restored.
        tls: Certificate and key for https; None for http.
        restorer: One that is open, for the first camera; it is closed at the end.

    Raises:
        OptionError: The port is in use, or the host is not an address of this machine.
    """
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    asyncio.get_running_loop().set_exception_handler(_ErrorLog())
    runner = web.AppRunner(
        application(options, access, folder, restorer), access_log=None, handler_cancellation=True, auto_decompress=False,
        shutdown_timeout=FINISHING_SECONDS, keepalive_timeout=REQUEST_SECONDS, max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES, max_headers=MAX_HEADERS,
    )  # fmt: skip
    await runner.setup()
    assert runner.server is not None
    listener = Listener(runner.server, tls)
    try:
        await _open(listener, access)
        yield listener
    finally:
        listener.close()
        await runner.cleanup()


async def _open(listener: Listener, access: Access) -> None:
    try:
        await listener.open(access.host, access.port)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise OptionError(f"Cannot serve on {access.host}, port {access.port}: {reason}. Try another --port or --host.") from None


def _end_on_signals(ended: asyncio.Event, folder: Path) -> None:
    """Set the event at the first signal that ends programs; the process ends soon after it, whatever happens."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        ended.set()
        threading.Thread(target=_end_process, args=[folder], daemon=True).start()

    for name in ENDING_SIGNALS:
        number = getattr(signal, name, None)
        # nohup has a program ignore that the terminal was closed
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, end)


def _end_process(folder: Path) -> None:
    """End the process although a thread is in the midst of work that cannot be interrupted, such as opening an engine."""
    time.sleep(STOPPING_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


class _ErrorLog:
    """Logs errors that reach the event loop in one line each, and the same one once a minute."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error: the signature is that of asyncio."""
        error = context.get("exception")
        text = f"{context['message']}: {type(error).__name__}" if error else str(context["message"])
        if isinstance(error, OSError) or time.monotonic() - self._logged.get(text, -REPEATED_SECONDS) < REPEATED_SECONDS:
            # OSError: a client that left
            logger.debug("%s: %s", text, error)
            return
        self._logged[text] = time.monotonic()
        logger.warning("%s: %s", text, error)


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Load a certificate and its private key, both as PEM; the key may be in the file of the certificate.

    Returns:
        What sockets need for TLS; None without a certificate.

    Raises:
        OptionError: A file cannot be read, or is none of these.
    """
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise OptionError(f"Cannot use the certificate {certificate}: {error.strerror or error}.") from None
    return context
