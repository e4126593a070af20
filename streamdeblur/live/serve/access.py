"""Who may use the page: this machine, or whoever has the token; never another web site."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]

COOKIE = "streamdeblur"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(self), microphone=()",
    "Cache-Control": "no-store",
}
SAFE_METHODS = ("GET", "HEAD")


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """Checks every request before anything is done with it."""

    def __init__(self, host: str, port: int, *, token: bool) -> None:
        """`token`: ask for one, as is always done where other machines can reach the page."""
        self.token = secrets.token_urlsafe(24) if token or not is_loopback(host) else None
        self._port = port
        self._any_name = not is_loopback(host)

    def address(self, host: str) -> str:
        """What to open in the browser."""
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self._port}/" + (f"?token={self.token}" if self.token else "")

    def problem(self, request: web.Request) -> str | None:
        """Why a request is refused; None where it is not."""
        host = request.headers.get("Host", "")
        if not self._any_name and not self._is_own(host):
            # a name that someone else's name server points here (DNS rebinding)
            return "This page answers under 127.0.0.1 and localhost only."
        origin = request.headers.get("Origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return "Requests of other web sites are refused."
        if request.method not in SAFE_METHODS and origin is None:
            return "Requests that change something must come from the page itself."
        if self.token is not None and not self._has_token(request):
            return "The token is missing or wrong: open the address that 'streamdeblur serve' printed."
        return None

    def _is_own(self, host: str) -> bool:
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, port = host, ""
        return is_loopback(name.strip("[]")) and port in ("", str(self._port))

    def _has_token(self, request: web.Request) -> bool:
        given = request.cookies.get(COOKIE) or request.query.get("token") or ""
        return hmac.compare_digest(given.encode(), (self.token or "").encode())

    def middleware(self) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
        """Refuses, and adds the headers that keep the page to itself."""
        from aiohttp import web

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            problem = self.problem(request)
            if problem is not None:
                return web.json_response({"error": problem}, status=403, headers=HEADERS)
            try:
                response = await handler(request)
            except web.HTTPException as error:
                message = "Too large." if error.status == 413 else error.reason
                return web.json_response({"error": message}, status=error.status, headers=HEADERS)
            response.headers.update(HEADERS)
            if self.token is not None and request.query.get("token"):
                response.set_cookie(COOKIE, self.token, httponly=True, samesite="Strict")
            return response

        return check
