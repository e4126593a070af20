"""What is taken from a browser's WebRTC offer: one camera, and no address but the visitor's own."""

from __future__ import annotations

import ipaddress
from typing import Any

from aioice.ice import get_host_addresses
from aiortc import RTCSessionDescription

from streamdeblur.errors import InputError

LARGEST_BYTES = 64 * 2**10
"""Of an offer; those of browsers have about 8 kB."""
MEDIA = ["m=video", "m=application"]
"""A camera, and the channel for controls and figures."""
CANDIDATE = "a=candidate:"


def offer_from(content: Any, visitor: str | None, *, others_may_visit: bool) -> RTCSessionDescription:
    """The offer in a request's JSON, without candidates that lie elsewhere: the server would send packets to them.

    visitor: the address that the request came from. others_may_visit: not this machine alone; then addresses of private
    networks are let in, since a reverse proxy hides the visitor's.

    Raises:
        InputError: it is none, or not one of the page.
    """
    try:
        lines, kind = content["sdp"].splitlines(), content["type"]
    except (TypeError, KeyError, AttributeError):
        raise InputError("The offer is no WebRTC offer.") from None
    media = [line.split(" ")[0] for line in lines if line.startswith("m=")]
    if kind != "offer" or sorted(media) != sorted(MEDIA):
        raise InputError("The offer is not one camera and one data channel.")
    near = set(get_host_addresses(True, True)) | ({visitor} if others_may_visit else set())
    kept = [line for line in lines if not line.startswith(CANDIDATE) or _is_near(line, near, others_may_visit)]
    if not any(line.startswith(CANDIDATE) for line in kept):
        raise InputError("The offer names no address that may be answered. Reload the page and allow the camera.")
    return RTCSessionDescription("\r\n".join(kept) + "\r\n", "offer")


def _is_near(candidate: str, near: set[str | None], private: bool) -> bool:
    """Whether a candidate line holds an address that may be sent to. Names, which would have to be asked for, do not."""
    fields = candidate.split()
    try:
        address = ipaddress.ip_address(fields[4])
    except (IndexError, ValueError):
        return False
    if address.is_multicast or address.is_unspecified:
        return False
    return address.is_loopback or str(address) in near or (private and address.is_private)
