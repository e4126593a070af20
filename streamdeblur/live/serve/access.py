"""Access control of the page: this machine, or whoever has the token, and never another web site."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Middleware

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

logger = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
SAFE_METHODS = ("GET", "HEAD")
ELSEWHERE = ("192.0.2.1", 9)
"""An address reserved for documentation (RFC 5737); nothing is sent to it."""


def is_loopback(host: str) -> bool:
    """Return whether a host name or address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Access:
    """Checks every request before it is handled.

    Attributes:
        token: The token that requests need, or None.
    """

    def __init__(self, host: str, port: int, *, token: bool = False, names: Sequence[str] = ()) -> None:
        """Create a token if one is needed.

        Args:
            host: Address that the server listens on.
            port: Port that it listens on.
            token: Require a token even if only this machine can reach the page.
            names: Further host names under which browsers reach the page, through a reverse proxy.
        """
        self.host, self.port = host, port
        self.names = tuple(name.lower() for name in names)
        self.token = secrets.token_urlsafe(24) if token or names or not is_loopback(host) else None

    def __repr__(self) -> str:
        return f"Access({self.host!r}, {self.port}, token={self.token is not None}, names={self.names})"

    def address(self, *, secure: bool = False) -> str:
        """Return the address to open in the browser, with `secure` over https."""
        host = _own_address() if self.host in ("0.0.0.0", "::") else self.host
        literal = f"[{host}]" if ":" in host else host
        url = f"http{'s' if secure else ''}://{literal}:{self.port}/"
        if self.names:
            # A reverse proxy uses TLS, because browsers allow cameras on secure pages only.
            url = f"https://{self.names[0]}/"
        return url + (f"?token={self.token}" if self.token else "")

    def problem(self, request: web.Request) -> str | None:
        """Return why a request is refused, or None if it is allowed."""
        host = request.headers.get("Host", "")
        if is_loopback(self.host) and not self._is_own(host):
            # DNS rebinding: another name server resolves this name to this machine. With a token, such a name has no cookie.
            return "This name is not allowed. Use 127.0.0.1 or localhost, or start 'streamdeblur serve' with --name."
        origin = request.headers.get("Origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return "Requests of other web sites are refused."
        if request.method not in SAFE_METHODS and origin is None:
            return "Requests other than GET must come from the page itself."
        if self.token is not None and not self._has_token(request):
            return "The token is missing or wrong: open the address that 'streamdeblur serve' printed."
        return None

    def _is_own(self, host: str) -> bool:
        name, colon, port = host.rpartition(":")
        if not colon or host.endswith("]"):
            name, port = host, ""
        if name.lower() in self.names:
            return True
        # Browsers omit the default ports.
        return is_loopback(name.removeprefix("[").removesuffix("]")) and port in ("", str(self.port))

    @property
    def _cookie(self) -> str:
        # Cookies are shared by all ports of a host.
        return f"streamdeblur-{self.port}"

    def _has_token(self, request: web.Request) -> bool:
        received = (request.cookies.get(self._cookie), request.query.get("token"))
        known = (self.token or "").encode()
        # A header may contain bytes that are not valid text.
        return any(hmac.compare_digest((value or "").encode(errors="replace"), known) for value in received)

    def middleware(self) -> Middleware:
        """Make a middleware that refuses requests, moves the token from the URL into a cookie, and turns errors into JSON."""
        from aiohttp import web

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            problem = self.problem(request)
            if problem is not None:
                return web.json_response({"error": problem}, status=403)
            if self.token is not None and request.method == "GET" and "token" in request.query:
                return self._remember(request)
            if "Content-Encoding" in request.headers:
                return web.json_response({"error": "Compressed requests are not supported."}, status=415)
            try:
                return await handler(request)
            except web.HTTPException as error:
                allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
                return web.json_response({"error": f"{error.reason}."}, status=error.status, headers=allowed)
            except web.RequestPayloadError:
                return web.json_response({"error": "The body of the request is incomplete or invalid."}, status=400)
            except ConnectionError:
                # The client left; aiohttp ends the request.
                raise
            except Exception as error:
                # Guards the server against its own bugs, which may raise anything: the client gets an error without internals,
                # the log gets the reason, and other requests are not affected.
                logger.error("%s %s failed: %s: %s", request.method, request.path, type(error).__name__, str(error))
                return web.json_response({"error": "Internal server error."}, status=500)

        return check

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the security headers to a response that is about to be sent."""
        response.headers.update(HEADERS)

    def _remember(self, request: web.Request) -> web.Response:
        """Redirect to the page without the token in its URL, where histories and screenshots would show it."""
        from aiohttp import web

        # Not to the path of the request, which may be the address of another site: //evil.example/
        response = web.Response(status=303, headers={"Location": "/"})
        secure = request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
        response.set_cookie(self._cookie, self.token or "", httponly=True, samesite="Strict", secure=secure)
        return response


def _own_address() -> str:
    """The address of this machine in the local network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
        try:
            unsent.connect(ELSEWHERE)
            return str(unsent.getsockname()[0])
        except OSError:
            return "127.0.0.1"
