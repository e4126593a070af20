"""The preview window with its overlay."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import OutputError
from streamdeblur.live.status_frame import status_picture
from streamdeblur.video.turning import turn_of, turned_picture

if TYPE_CHECKING:
    import av

    from streamdeblur.live.summary import LiveSummary

TITLE = "streamdeblur"
FONT = cv2.FONT_HERSHEY_SIMPLEX
NO_SCREEN = "There is no display for a preview. Choose another sink: --to camera, --to FILE.mkv or --to null."
WHITE = (255, 255, 255)
MOST_GAINS = 6
"""Faces whose gain is shown."""
FIRST_SIZE = 960, 540
"""Width and height of the window until there is a frame."""
POLL_MS = 20
"""Milliseconds between two looks at the window while something else is waited for."""

T = TypeVar("T")


class Preview:
    """A window that shows the frames; to be used in the main thread only.

    Attributes:
        open: Whether the window has not been closed by the user.
        key: The key pressed last as a code of `cv2.waitKey`, or -1; whoever takes it sets it to -1.
    """

    def __init__(self) -> None:
        """Open the window; OutputError if there is no display."""
        if platform.system() == "Linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            # Without this check, OpenCV's window library ends the program.
            raise OutputError(NO_SCREEN)
        # Qt, which OpenCV brings on Linux, warns of fonts and plug-ins that it has no need of
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
        try:
            # without OpenCV's toolbar and status line
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error:
            raise OutputError(NO_SCREEN) from None
        self.open = True
        self.key = -1
        self._sized = False

    def wait_for(self, work: Callable[[], T], text: str) -> T:
        """Show a line of text while `work` runs in another thread, so that the window answers; return what it returns.

        What `work` raises is raised here, and so is an interrupt, which does not wait for it; the window is closed first.
        """
        outcome: Future[T] = Future()

        def run() -> None:
            try:
                outcome.set_result(work())
            except BaseException as error:
                # handed to the thread that waits, whatever it is
                outcome.set_exception(error)

        # no daemon: what runs in a runtime of networks must not be left when the interpreter ends
        Thread(target=run, name="start").start()
        try:
            cv2.resizeWindow(TITLE, *FIRST_SIZE)
            cv2.imshow(TITLE, status_picture(text, *FIRST_SIZE))
            while not outcome.done():
                self.poll(POLL_MS)
            return outcome.result()
        except BaseException:
            self.close()
            raise

    def show(self, frame: av.VideoFrame, overlay: list[str]) -> None:
        """Show a frame, with the lines of the overlay, unless the window was closed."""
        if not self.open:
            return
        picture = shown_picture(frame)
        if not self._sized:
            cv2.resizeWindow(TITLE, picture.shape[1], picture.shape[0])
            self._sized = True
        if overlay:
            write_lines(picture, overlay)
        cv2.imshow(TITLE, picture)
        self.poll()

    def poll(self, milliseconds: int = 1) -> None:
        """Update `key` and `open`, after waiting this long for a key."""
        pressed = cv2.waitKey(milliseconds)
        if pressed >= 0:
            self.key = pressed
        self.open = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close the window."""
        if self.open:
            cv2.destroyWindow(TITLE)


def shown_picture(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the picture of a frame as players show it, upright, as uint8 BGR [H, W, 3]."""
    picture: NDArray[np.uint8] = turned_picture(frame.to_ndarray(format="bgr24"), turn_of(frame))
    return picture


def overlay_lines(source: str, summary: LiveSummary, unrestored: float | None, gains: Sequence[float] = ()) -> list[str]:
    """Return the lines of the overlay.

    Args:
        source: What is shown: its name, size and rate.
        summary: The statistics to show.
        unrestored: Share of the faces that pass unrestored, to warn of; None if it is small.
        gains: What is expected of the faces of the last frame, in dB.
    """
    latency = "  ".join(f"{name} {value:g}" for name, value in summary.latency_ms.items() if value is not None)
    lines = [
        source,
        f"{summary.fps:g} fps, {summary.dropped} dropped",
        f"added latency in ms: {latency or '-'}",
        f"faces: {summary.restored} restored, {summary.passed_through} passed through",
    ]
    if summary.plan is not None:
        plan = summary.plan
        lines.append(f"{plan.network}, crops up to {plan.largest_crop} px, up to {plan.faces} faces, {plan.fps:g} fps:")
        lines.append(f"a face takes {plan.face_ms:.0f} ms, the rest {plan.rest_ms:.0f} ms, of {plan.limit_ms:.0f} ms")
    if gains:
        lines.append(f"gain to be expected in dB: {', '.join(f'{gain:z.1f}' for gain in gains[:MOST_GAINS])}")
    if unrestored is not None:
        lines.append(f"Too slow: {unrestored:.0%} of the faces pass unrestored")
    return lines


def write_lines(picture: cv2.typing.MatLike, lines: list[str]) -> None:
    """Write lines into the upper left corner of a picture, white on a darkened background."""
    scale = max(0.4, picture.shape[0] / 1200)
    thickness, step = max(1, round(2 * scale)), round(34 * scale)
    width = max(cv2.getTextSize(line, FONT, scale, thickness)[0][0] for line in lines)
    bottom, right = step * len(lines) + step // 2, width + step
    picture[:bottom, :right] = picture[:bottom, :right] // 3
    for number, line in enumerate(lines, 1):
        cv2.putText(picture, line, (step // 2, step * number), FONT, scale, WHITE, thickness, cv2.LINE_AA)
