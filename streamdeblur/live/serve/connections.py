"""Listener: accepts connections up to a limit, and closes those that send no request in time."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
"""Simultaneous connections of all clients."""
MAX_CONNECTIONS_PER_ADDRESS = 64
"""Simultaneous connections of one address; a browser opens 6."""
REQUEST_SECONDS = 10.0
"""Time until the headers of a request are complete: of the first one after connecting, TLS included, and between two."""
FILES_PER_CONNECTION = 4
"""Open files that the process is allowed to have for each connection: its socket, and those of uploads and cameras."""
RETRY_SECONDS = 5
"""Time after which a refused client is asked to try again."""
PAUSE_SECONDS = 0.25
"""Pause after a connection could not be accepted, because the machine has no files or memory left."""

BUSY = json.dumps({"error": "Too many connections. Try again in a few seconds."}).encode()
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Retry-After: %d\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (RETRY_SECONDS, len(BUSY), BUSY)
)


class Connection(asyncio.Protocol):
    """A connection from its acceptance to its end. Events are passed on to the HTTP protocol of aiohttp.

    Attributes:
        address: IP address of the client.
        waiting: Whether the client has not completed a request that it could be given an answer to.
    """

    def __init__(
        self, accepted: socket.socket, address: str, http: asyncio.Protocol, on_lost: Callable[[Connection], object]
    ) -> None:
        self.address, self.waiting = address, True
        self._accepted, self._http, self._on_lost = accepted, http, on_lost
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(REQUEST_SECONDS, self.abort)

    def begin_request(self) -> None:
        """Stop the clock: the headers of a request are complete."""
        self.waiting = False
        self._timer.cancel()

    def end_request(self) -> None:
        """Start the clock for the next request."""
        self.waiting = True
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(REQUEST_SECONDS, self.abort)

    def abort(self) -> None:
        """Close the connection at once."""
        self._timer.cancel()
        self._on_lost(self)
        if self._transport is not None:
            self._transport.abort()
        else:
            if self._opening is not None:
                self._opening.cancel()
            self._accepted.close()

    def open(self, tls: ssl.SSLContext | None) -> None:
        """Begin to receive, with TLS where the server has a certificate."""
        self._opening = asyncio.ensure_future(self._open(tls))

    async def _open(self, tls: ssl.SSLContext | None) -> None:
        timeout = REQUEST_SECONDS if tls else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self, self._accepted, ssl=tls, ssl_handshake_timeout=timeout
            )
        except OSError:
            # ssl.SSLError is one, too: a client that does not speak TLS, or has left already
            self.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._http.data_received(data)

    def eof_received(self) -> bool | None:
        return self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._timer.cancel()
        self._on_lost(self)
        self._http.connection_lost(error)


class Listener:
    """Accepts connections, and hands them to the HTTP protocol of aiohttp.

    At the limit, the oldest connection that waits for a request is closed in favour of a new one, so that clients that send
    nothing cannot keep others out. Where all connections have a request, the new one is refused.
    """

    def __init__(self, http_factory: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None) -> None:
        """Set what connections are handed to.

        Args:
            http_factory: Makes the HTTP protocol of a connection.
            tls: Certificate and key for https; None for http.
        """
        self._http_factory, self._tls = http_factory, tls
        self._limit = min(MAX_CONNECTIONS, _file_limit() // FILES_PER_CONNECTION)
        # in the order in which they were accepted
        self._connections: dict[Connection, None] = {}
        self._sockets: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def ports(self) -> list[int]:
        """The ports that are open."""
        return [opened.getsockname()[1] for opened in self._sockets]

    async def open(self, host: str, port: int) -> None:
        """Listen on a port of each address of a host.

        Raises:
            OSError: The port is in use, or the host has no address on this machine.
        """
        found = await asyncio.get_running_loop().getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        unavailable: OSError | None = None
        for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
            try:
                opened = socket.create_server(address, family=family, backlog=MAX_CONNECTIONS)
            except OSError as error:
                # localhost may name an address of IPv6 on a machine without it
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                unavailable = error
                continue
            opened.setblocking(False)
            self._sockets.append(opened)
            self._tasks.append(asyncio.ensure_future(self._accept(opened)))
        if unavailable is not None and not self._sockets:
            raise unavailable

    def close(self) -> None:
        """Accept no more connections; those that are open stay open."""
        for task in self._tasks:
            task.cancel()
        for opened in self._sockets:
            opened.close()

    async def _accept(self, opened: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(opened)
            except OSError as error:
                logger.debug("A connection cannot be accepted: %s", error)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if self._make_room(peer[0]):
                connection = Connection(accepted, peer[0], self._http_factory(), self._forget)
                self._connections[connection] = None
                connection.open(self._tls)
            else:
                self._refuse(accepted)

    def _make_room(self, address: str) -> bool:
        """Return whether there is room for a connection of this address, after the closing of one that waits."""
        same = [connection for connection in self._connections if connection.address == address]
        for limit, counted in ((MAX_CONNECTIONS_PER_ADDRESS, same), (self._limit, list(self._connections))):
            if len(counted) < limit:
                continue
            waiting = next((connection for connection in counted if connection.waiting), None)
            if waiting is None:
                return False
            waiting.abort()
        return True

    def _refuse(self, accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            if self._tls is None:
                accepted.setblocking(False)
                accepted.send(REFUSAL)

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)


@web.middleware
async def watch_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the connection of a request when it begins and ends."""
    connection = request.transport.get_protocol() if request.transport else None
    if not isinstance(connection, Connection):
        return await handler(request)
    connection.begin_request()
    try:
        return await handler(request)
    finally:
        connection.end_request()


def _file_limit() -> int:
    """Return the number of files that this process may open, after raising it as far as is allowed without privileges."""
    wanted = MAX_CONNECTIONS * FILES_PER_CONNECTION
    try:
        import resource
    except ImportError:
        # Windows, which has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        return raised
    return soft
