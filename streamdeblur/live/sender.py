"""Sender: sends encoded video in a process of its own, which is killed when the network does not answer.

FFmpeg connects, and writes the header of a container, while PyAV holds Python's lock: a host that accepts a connection and says
nothing would stop every thread of this process.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from streamdeblur.errors import OutputError
from streamdeblur.live.sender_process import PACKET
from streamdeblur.video.source import shown_source, without_protocol

if TYPE_CHECKING:
    import av

MODULE = "streamdeblur.live.sender_process"
LONGEST_SECONDS = 15
"""Time after which the process ends where the network takes nothing, even if nobody is left who would end it."""
START_SECONDS = 60.0
"""Time for Python to start, on a machine that has much else to do."""
ALONE: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if sys.platform == "win32"
    else {"start_new_session": True}
)
"""A terminal sends its interrupts to all processes of a command; this one is ended by the one that started it."""


class Sender:
    """A connection to one address."""

    def __init__(self, url: str, container_format: str, context: av.VideoCodecContext, rate: Fraction, timeout: float) -> None:
        """Start the process and connect.

        Args:
            url: The address.
            container_format: FFmpeg's name.
            context: The encoder, which is open.
            rate: Frames per second.
            timeout: Seconds within which the host has to answer, and to take the end of the stream.

        Raises:
            OutputError: The address cannot be opened, or the host does not answer.
        """
        self._shown, self._timeout, self._given_up = shown_source(url), timeout, False
        # -P: no module of the current folder is imported in place of one that is installed
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **ALONE,
        )
        try:
            self._connect(
                {
                    "url": url,
                    "format": container_format,
                    "width": context.width,
                    "height": context.height,
                    "bit_rate": context.bit_rate,
                    "rate": str(rate),
                    "longest": LONGEST_SECONDS,
                    "extradata": base64.b64encode(context.extradata or b"").decode(),
                }
            )
        except BaseException:
            self._end(0)
            raise

    def _connect(self, settings: dict[str, object]) -> None:
        if "started" not in self._answer(START_SECONDS):
            raise OutputError(f"Cannot send to {self._shown}: Python cannot start another process.")
        self._write(json.dumps(settings).encode() + b"\n")
        answer = self._answer(self._timeout)
        if answer.get("unsupported"):
            raise OutputError(without_protocol(str(settings["url"])))
        if "error" in answer:
            raise OutputError(f"Cannot send to {self._shown}: {answer['error']}.")
        if not answer:
            raise OutputError(f"Cannot send to {self._shown}: it does not answer within {self._timeout:g} s.")

    def send(self, packet: av.Packet[av.VideoStream]) -> None:
        """Send a packet of the encoder; OutputError if the connection is lost."""
        assert packet.pts is not None
        assert packet.dts is not None
        data = bytes(packet)
        try:
            self._write(PACKET.pack(packet.pts, packet.dts, packet.is_keyframe, len(data)) + data)
        except OSError:
            raise OutputError(f"{self._shown} was lost: {self._reason()}.") from None

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _reason(self) -> str:
        if self._given_up:
            return f"it has taken nothing for {self._timeout:g} s"
        return str(self._answer(self._timeout).get("error", "the process that sends has ended"))

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The next answer of the process; none where it has ended, or has none after some time, after which it is killed."""
        assert self._process.stdout is not None
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        answer: dict[str, Any] = json.loads(line) if line else {}
        return answer

    def give_up(self) -> None:
        """End the process; what is being sent by another thread fails."""
        self._given_up = True
        self._process.kill()

    def close(self) -> None:
        """End the stream, and wait until the host has taken its end; where it does not, it is left as it is."""
        self._end(self._timeout)

    def _end(self, seconds: float) -> None:
        """End the process, which has some time to finish."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
