"""FaceDecision: what was done with a face of a frame, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import EngineError
from streamdeblur.faces.blur import face_blur
from streamdeblur.faces.tracked_face import Box
from streamdeblur.faces.window import CROP_SIZE, FaceWindow, crop
from streamdeblur.video.planes import Planes

if TYPE_CHECKING:
    from streamdeblur.faces.reading import ReadCrop

Reason = Literal["gain", "held", "always", "too little gain", "not chosen", "no time", "failed"]
RESTORED: tuple[Reason, ...] = ("gain", "held", "always")
WORDS: dict[Reason, str] = {
    "gain": "restored",
    "held": "restored, as it gained before",
    "always": "restored in any case",
    "too little gain": "left: too little to gain",
    "not chosen": "left: not chosen",
    "no time": "left: no time",
    "failed": "left: the network failed",
}


@dataclass(frozen=True, eq=False)
class FaceDecision:
    """What was done with a face of a frame, and why."""

    track_id: int | None
    """Number of its track; None where a tracker of the caller's gives none."""
    box: Box
    """x0, y0, x1, y1 in pixels."""
    window: FaceWindow
    """The square around it that is restored."""
    reason: Reason
    """Restored: for its "gain", "held" because it gained in the frames before, or "always". Left as it is: "too little gain",
    "not chosen" (the setting `only`), "no time" (before the deadline), "failed" (the network returned NaN)."""
    gain: float | None = None
    """dB of PSNR that its restoration was expected to bring; None where it was not judged."""
    weight: float = 0.0
    """Share of its restoration that was wanted, 0 to 1: faces fade in and out."""
    read: ReadCrop | None = field(default=None, repr=False)
    """Its crop as it was before, where it was judged."""
    seconds: float = 0.0
    """From its submission to the engine until the faces of its frame were pasted, others in flight included."""

    @property
    def restored(self) -> bool:
        """Whether the face was restored."""
        return self.reason in RESTORED

    @property
    def in_words(self) -> str:
        """What was done, and why, in a few words."""
        return WORDS[self.reason]

    @cached_property
    def crop(self) -> NDArray[np.uint8] | None:
        """uint8 RGB [S, S, 3], as it was before; None where it was not judged, or is lost with the GPU that read it. There it
        stays as long as the decision, and is copied when it is first asked for."""
        try:
            return None if self.read is None else self.read.pixels()
        except EngineError:
            return None

    @cached_property
    def blur(self) -> float | None:
        """Its blur before, 0 (sharp) to 1 (smooth); None where it was not judged."""
        return None if self.read is None else self.read.blur()

    def blur_in(self, planes: Planes) -> float:
        """Measure its blur, 0 (sharp) to 1 (smooth), in its frame as it is now."""
        size = CROP_SIZE if self.read is None else self.read.size
        return face_blur(crop(planes, self.window, size), self.window.side)
