"""RestoreWorker: restores the latest captured frame in its own thread."""

from __future__ import annotations

import threading

from streamdeblur.faces.drawn import draw_faces
from streamdeblur.live.capture import CapturedFrame
from streamdeblur.live.latest_frame import LatestFrameSlot
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.split_view import split_view
from streamdeblur.video.copying import copy_frame
from streamdeblur.video.planes import upright_planes

POLL_SECONDS = 0.02
JOIN_SECONDS = 5.0
"""Time for the frame that is being restored when the worker is stopped."""


class RestoreWorker:
    """Takes frames from one slot, restores their faces, and puts them into another.

    Attributes:
        frames: The slot with the latest restored frame.
        left_out: Number of frames that were left out by the plan, so that the others are restored.
        split: Whether the left half of each frame stays as it was; may be changed at any time.
        error: What ended the thread early, otherwise None.
    """

    def __init__(
        self,
        captured: LatestFrameSlot[CapturedFrame],
        restorer: Restorer,
        *,
        realtime: bool,
        split: bool,
        show_faces: bool = False,
    ) -> None:
        """Prepare the thread.

        Args:
            captured: The slot to take frames from.
            restorer: Restores them.
            realtime: Whether frames do not wait; otherwise all faces of all frames are restored.
            split: Initial value of `split`.
            show_faces: Draw the faces into the frames.
        """
        self.frames = LatestFrameSlot[CapturedFrame](blocking=not realtime)
        self.split, self._show_faces = split, show_faces
        self.error: Exception | None = None
        self._captured, self._restorer, self._realtime = captured, restorer, realtime
        self.left_out = self._taken = 0
        self._size: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._run, name="restore", daemon=True)

    def __repr__(self) -> str:
        return f"RestoreWorker({self._restorer!r}, realtime={self._realtime}, split={self.split})"

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the current frame and end the thread; the slot with captured frames has to be closed first."""
        self.frames.close()
        if self._thread.ident is not None:
            self._thread.join(timeout=JOIN_SECONDS)

    def _run(self) -> None:
        try:
            while not self._captured.ended:
                captured = self._captured.take(POLL_SECONDS)
                if captured is None or self._is_left_out():
                    continue
                if not self.frames.put(self._restored(captured)):
                    break
                self._restorer.catch_up()
        except Exception as error:
            # Nothing is hidden here: an error of any type is handed to the thread that called `LiveLoop.run`, which raises it.
            self.error = error
        finally:
            self.frames.close()

    def _is_left_out(self) -> bool:
        """Whether a frame that was taken is one of those between two that are restored."""
        self._taken += 1
        left_out = self._realtime and self._taken % self._restorer.every != 0
        self.left_out += left_out
        return left_out

    def _restored(self, captured: CapturedFrame) -> CapturedFrame:
        frame = captured.frame
        if self._size != (frame.width, frame.height):
            self._size = frame.width, frame.height
            self._restorer.reset()
        original = copy_frame(frame) if self.split else None
        patience = self._restorer.patience
        deadline = None if patience is None else captured.captured_at + patience
        self._restorer.edit(frame, deadline, captured.captured_at)
        shown = split_view(original, frame) if original else frame
        if self._show_faces and self._restorer.decisions:
            shown.make_writable()
            draw_faces(upright_planes(shown), self._restorer.decisions)
        return CapturedFrame(shown, captured.captured_at)
