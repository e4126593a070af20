"""SegmentSelectors: the faces of a long video are followed anew in each of its segments, so that these can be worked on apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from streamdeblur.faces.external import Detections
from streamdeblur.faces.selection import FaceSelector, FrameSettings
from streamdeblur.video.planes import Planes


class SegmentSelectors:
    """What follows the faces beside the selector of the present segment: that of the next one, and that of the one before.

    Trackers do not forget: where a box of the first minute was a tenth of a pixel off, those of the last minute are, too. So a
    segment is not continued, but begun by a selector that has followed its faces for some frames. The selector of the segment
    before goes on for the frames from which its last ones take neighbours.
    """

    def __init__(self, new_selector: Callable[[], FaceSelector]) -> None:
        """`new_selector`: makes one that knows nothing yet."""
        self._new_selector = new_selector
        self.clear()

    def clear(self) -> None:
        """Forget both."""
        self._next: FaceSelector | None = None
        self._before: FaceSelector | None = None
        self._frames_left = 0

    def entered(self, present: FaceSelector, segment: Literal["prepare", "begin"] | None, look_ahead: int) -> FaceSelector:
        """Return the selector of the frame that comes next.

        Args:
            present: That of the frame before.
            segment: What the frame is to a segment.
            look_ahead: Number of later frames from which those of the segment before take neighbours.
        """
        if segment == "prepare":
            self._next = self._new_selector()
        if segment != "begin" or self._next is None:
            return present
        self._next.statistics = present.statistics
        self._before, self._frames_left = present, look_ahead
        present, self._next = self._next, None
        return present

    def follow(self, planes: Planes, faces: Detections | None, settings: FrameSettings) -> None:
        """Let both follow the faces of the frame."""
        if self._next is not None:
            self._next.follow(planes, faces, settings)
        if self._before is not None and self._frames_left > 0:
            self._before.follow(planes, faces, settings)
            self._frames_left -= 1
        else:
            self._before = None
