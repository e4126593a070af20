"""SteadyFaces: where not all faces can be restored, the same ones are from frame to frame, and they fade in and out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from streamdeblur.faces.hysteresis import FADE_FRAMES
from streamdeblur.faces.window import FaceWindow

STEP = 1.0 / FADE_FRAMES
CENTRE_BONUS = 0.5
"""How much more important a face in the middle of the frame is than one of the same size at its edge."""
CHALLENGE_FRAMES = 15
"""Frames for which a face must be more important than a restored one before it takes its place."""
CHALLENGE_RATIO = 1.2
"""How much more important it must be."""
FORGOTTEN_FRAMES = 10
"""Frames after which a face that was not seen is another one."""


def importance(window: FaceWindow, width: int, height: int) -> float:
    """Return how important a face is in a frame of this size: large and central ones are looked at."""
    across = abs(2 * window.centre_x / max(1, width) - 1)
    along = abs(2 * window.centre_y / max(1, height) - 1)
    return float(window.side * (1 + CENTRE_BONUS * (1 - min(1.0, max(across, along)))))


@dataclass(eq=False)
class _Shown:
    """A face that is restored, or was until lately."""

    presence: float
    """Share of its restoration that is shown, 0 to 1."""
    chosen: bool
    seen: int
    """Number of the last frame with it."""


class SteadyFaces:
    """Chooses which of the faces of a frame are restored, and how much of it is shown.

    A face keeps its place while it is seen. One that is there from the beginning is shown at once; one that gets a place later,
    loses it, or was not ready in time, fades.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all faces."""
        self._frame = 0
        self._faces: dict[Hashable, _Shown] = {}
        self._challenge = 0

    def choose(self, tracks: Sequence[Hashable | None], importances: Sequence[float], most: int | None) -> list[float]:
        """Take the faces of the next frame that would gain from a restoration.

        Args:
            tracks: What tells each face from others; None where nothing does.
            importances: Of each face.
            most: Number of faces that may be restored; None for all.

        Returns:
            The share of its restoration that is shown of each face; 0 for those that are left as they are.
        """
        places = set(self._placed(tracks, importances, most))
        return self.fade(tracks, [n in places for n in range(len(tracks))])

    def fade(self, tracks: Sequence[Hashable | None], chosen: Sequence[bool]) -> list[float]:
        """Take the faces of the next frame, and which of them are restored; return the shares as `choose` does."""
        self._frame += 1
        self._faces = {track: face for track, face in self._faces.items() if self._frame - face.seen <= FORGOTTEN_FRAMES}
        return [self._presence(track, chosen=one) for track, one in zip(tracks, chosen, strict=True)]

    def missed(self, track: Hashable | None) -> None:
        """Take note of a face that was not ready in time: it comes back gradually."""
        if track in self._faces:
            self._faces[track].presence = 0.0

    def _placed(self, tracks: Sequence[Hashable | None], importances: Sequence[float], most: int | None) -> list[int]:
        """Indices of the faces that have a place: those that had one before come first."""
        order = sorted(range(len(tracks)), key=lambda n: -importances[n])
        if most is None or most >= len(order):
            return order
        had = [n for n in order if (face := self._faces.get(tracks[n])) is not None and face.chosen]
        others = [n for n in order if n not in had]
        places = [*had, *others][:most]
        waiting = [n for n in others if n not in places]
        if places and waiting and importances[waiting[0]] > CHALLENGE_RATIO * importances[places[-1]]:
            self._challenge += 1
            if self._challenge >= CHALLENGE_FRAMES:
                self._challenge = 0
                places[-1] = waiting[0]
        else:
            self._challenge = 0
        return places

    def _presence(self, track: Hashable | None, *, chosen: bool) -> float:
        if track is None:
            return float(chosen)
        face = self._faces.get(track)
        if face is None:
            # nobody has seen it blurred
            face = self._faces[track] = _Shown(float(chosen), chosen, self._frame)
        else:
            face.presence = min(1.0, face.presence + STEP) if chosen else max(0.0, face.presence - STEP)
        face.chosen, face.seen = chosen, self._frame
        return face.presence
