"""The preview window with its overlay, and the split view."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2

from streamdeblur.errors import OutputError
from streamdeblur.video.copying import copy_frame, line_bytes, plane_lines

if TYPE_CHECKING:
    import av

    from streamdeblur.live.summary import LiveSummary

TITLE = "streamdeblur"
FONT = cv2.FONT_HERSHEY_SIMPLEX
NO_SCREEN = "There is no display for a preview. Choose another sink: --to camera, --to FILE.mkv or --to null."
WHITE = (255, 255, 255)
MOST_GAINS = 6
"""Faces whose gain is shown."""


class Preview:
    """A window that shows the frames; to be used in the main thread only.

    Attributes:
        open: Whether the window has not been closed by the user.
        key: The key pressed last as a code of `cv2.waitKey`, or -1.
    """

    def __init__(self) -> None:
        """Open the window; OutputError if there is no display."""
        if platform.system() == "Linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            # Without this check, OpenCV's window library ends the program.
            raise OutputError(NO_SCREEN)
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error:
            raise OutputError(NO_SCREEN) from None
        self.open = True
        self.key = -1
        self._sized = False

    def show(self, frame: av.VideoFrame, overlay: list[str]) -> None:
        """Show a frame, with the lines of the overlay."""
        picture = frame.to_ndarray(format="bgr24")
        if not self._sized:
            cv2.resizeWindow(TITLE, frame.width, frame.height)
            self._sized = True
        if overlay:
            write_lines(picture, overlay)
        cv2.imshow(TITLE, picture)
        self.poll()

    def poll(self) -> None:
        """Update `key` and `open`."""
        self.key = cv2.waitKey(1)
        self.open = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close the window."""
        if self.open:
            cv2.destroyWindow(TITLE)


def overlay_lines(summary: LiveSummary, unrestored: float | None, gains: Sequence[float] = ()) -> list[str]:
    """Return the lines of the overlay.

    Args:
        summary: The statistics to show.
        unrestored: Share of the faces that pass unrestored, to warn of; None if it is small.
        gains: What is expected of the faces of the last frame, in dB.
    """
    latency = "  ".join(f"{name} {value:g}" for name, value in summary.latency_ms.items() if value is not None)
    lines = [
        f"{summary.fps:g} fps, {summary.dropped} dropped",
        f"added latency in ms: {latency or '-'}",
        f"faces: {summary.restored} restored, {summary.passed_through} passed through",
    ]
    if summary.plan is not None:
        plan = summary.plan
        lines.append(f"{plan.network}, crops up to {plan.largest_crop} px, up to {plan.faces} faces, {plan.fps:g} fps:")
        lines.append(f"a face takes {plan.face_ms:.0f} ms, the rest {plan.rest_ms:.0f} ms, of {plan.limit_ms:.0f} ms")
    if gains:
        lines.append(f"gain to be expected in dB: {', '.join(f'{gain:.1f}' for gain in gains[:MOST_GAINS])}")
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


def split_view(original: av.VideoFrame, restored: av.VideoFrame) -> av.VideoFrame:
    """Make a frame of the left half of `original` and the right half of `restored`, in their pixel format."""
    both = copy_frame(restored)
    # The edge lies between two groups of pixels that share chroma samples.
    columns = restored.width // 2 // 8 * 8
    for index, target in enumerate(both.planes):
        middle = line_bytes(both, index, columns)
        plane_lines(target)[: target.height, :middle] = plane_lines(original.planes[index])[: target.height, :middle]
    return both
