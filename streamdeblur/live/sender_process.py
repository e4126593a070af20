"""What the process of `Sender` runs: encoded video comes in on stdin and is sent; a line on stdout tells of each step."""

from __future__ import annotations

import base64
import json
import os
import signal
import struct
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

from streamdeblur.live.timing import TICKS

if TYPE_CHECKING:
    import av

PACKET = struct.Struct("<qq?I")
"""What stands before each packet: its time stamps of presentation and of decoding, whether it is a key frame, its bytes."""


def main() -> None:
    """Send a stream until stdin ends."""
    import av

    # they may go to all processes of a service; this one ends with its stdin
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def tell(**answer: object) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    tell(started=True)
    try:
        settings: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
        longest = settings["longest"]
        _limit(longest)
        container, stream = _connected(settings)
        tell(connected=True)
        _send_packets(sys.stdin.buffer, container, stream, longest)
        container.close()
    except Exception as error:
        # Nothing is hidden here: whatever ends this process is told by the one that started it.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        tell(error=reason, unsupported=isinstance(error, av.ProtocolNotFoundError))
    # without what remains to be written to a connection that is lost
    os._exit(0)


def _connected(settings: dict[str, Any]) -> tuple[av.container.OutputContainer, av.VideoStream]:
    """Open the address and send the header of the container."""
    import av

    rate = Fraction(settings["rate"])
    with av.open(os.devnull, "w", format=settings["format"]) as unused:
        # of a template, PyAV opens no encoder
        template = unused.add_stream("libx264", rate=rate)
        container = av.open(settings["url"], "w", format=settings["format"])
        stream: av.VideoStream = container.add_stream_from_template(template)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = settings["width"], settings["height"], "yuv420p"
    context.bit_rate, context.framerate = settings["bit_rate"], rate
    stream.time_base = context.time_base = Fraction(1, TICKS)
    if settings["extradata"]:
        context.extradata = base64.b64decode(settings["extradata"])
    container.start_encoding()
    return container, stream


def _send_packets(source: BinaryIO, container: av.container.OutputContainer, stream: av.VideoStream, longest: int) -> None:
    import av

    while True:
        _limit(0)
        head = source.read(PACKET.size)
        if len(head) < PACKET.size:
            _limit(longest)
            return
        presented, decoded, is_key, size = PACKET.unpack(head)
        packet = av.Packet(source.read(size))
        packet.pts, packet.dts, packet.time_base = presented, decoded, Fraction(1, TICKS)
        packet.is_keyframe, packet.stream = is_key, stream
        _limit(longest)
        container.mux_one(packet)


def _limit(seconds: int) -> None:
    """Let the system end this process after some time, whatever it waits for; 0: let it run. Nothing on Windows."""
    if sys.platform != "win32":
        signal.alarm(seconds)


if __name__ == "__main__":
    main()
