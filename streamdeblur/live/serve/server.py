"""Running the web application on a port, with or without TLS."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from streamdeblur.errors import OptionError
from streamdeblur.live.serve.access import Access
from streamdeblur.live.serve.application import application
from streamdeblur.options import RestorationOptions

SHUTDOWN_SECONDS = 5.0
"""Time for open requests to end when the server is stopped."""


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
    """
    context = _tls_context(certificate, key)
    address = access.address(secure=context is not None)

    def report_open(*_: object) -> None:
        on_open(address)

    # aiohttp would log a traceback for each request that is not valid HTTP.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    try:
        web.run_app(
            application(options, access), host=access.host, port=access.port, ssl_context=context, access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS, print=report_open,
        )  # fmt: skip
    except OSError as error:
        raise OptionError(
            f"Cannot serve on {access.host}, port {access.port}: {error.strerror or error}. Try another --port or --host."
        ) from None


def _tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise OptionError(f"Cannot use the certificate {certificate}: {error.strerror or error}.") from None
    return context
