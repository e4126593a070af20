"""Validation of WebRTC offers: one camera, one data channel, and no addresses but those of the client."""

from __future__ import annotations

import ipaddress
from typing import Any

from aioice.ice import get_host_addresses
from aiortc import RTCSessionDescription

from streamdeblur.errors import InputError

MAX_BYTES = 64 * 2**10
"""Upper limit of an offer; those of browsers have about 8 kB."""
MEDIA = ["m=video", "m=application"]
"""The camera, and the data channel for controls and statistics."""
CANDIDATE = "a=candidate:"
MAX_CANDIDATES = 64
"""Upper limit of the addresses of a client: the server sends packets to each."""
MAX_LINES = 2000
"""Upper limit of the lines of an offer; those of browsers have about 200."""


def parse_offer(content: Any, client: str | None, *, remote_clients: bool) -> RTCSessionDescription:
    """Parse an offer, without candidates at other addresses, since the server would send packets to them.

    Args:
        content: The JSON of the request.
        client: The address that the request came from.
        remote_clients: Whether other machines may use the page. Addresses of private networks are then allowed, because a
            reverse proxy hides the address of the client.

    Raises:
        InputError: It is not an offer, or not an offer of the page.
    """
    try:
        lines, kind = content["sdp"].splitlines(), content["type"]
    except (TypeError, KeyError, AttributeError):
        raise InputError("Invalid WebRTC offer.") from None
    if len(lines) > MAX_LINES or sum(line.startswith(CANDIDATE) for line in lines) > MAX_CANDIDATES:
        raise InputError("Invalid WebRTC offer: too long.")
    media = [line.split(" ")[0] for line in lines if line.startswith("m=")]
    if kind != "offer" or sorted(media) != sorted(MEDIA):
        raise InputError("Invalid WebRTC offer: expected one camera and one data channel.")
    known = set(get_host_addresses(True, True)) | ({client} if remote_clients else set())
    kept = [line for line in lines if not line.startswith(CANDIDATE) or _is_allowed(line, known, private=remote_clients)]
    if not any(line.startswith(CANDIDATE) for line in kept):
        raise InputError("The WebRTC offer contains no address that may be used. Reload the page and allow the camera.")
    return RTCSessionDescription("\r\n".join(kept) + "\r\n", "offer")


def _is_allowed(candidate: str, known: set[str | None], *, private: bool) -> bool:
    """Return whether packets may be sent to the address of a candidate line; not to host names, which need a look-up."""
    fields = candidate.split()
    try:
        address = ipaddress.ip_address(fields[4])
    except (IndexError, ValueError):
        return False
    if address.is_multicast or address.is_unspecified:
        return False
    return address.is_loopback or str(address) in known or (private and address.is_private)
