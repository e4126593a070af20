"""ChosenFaces: which faces of a stream may be restored, as the setting `only` says."""

from __future__ import annotations

from collections.abc import Sequence

from streamdeblur.faces.steady import SteadyFaces
from streamdeblur.faces.tracked_face import TrackedFace
from streamdeblur.setting_types import Only, parts_of_only


class ChosenFaces:
    """Chooses faces from frame to frame. One that is chosen from the beginning is restored at once; others fade in and out."""

    def __init__(self, only: Only | None) -> None:
        """`only`: a valid setting; None chooses all faces."""
        self._predicate = only if callable(only) else None
        self._parts = parts_of_only(only) if isinstance(only, str) else None
        self._steady = SteadyFaces()

    @property
    def names_tracks(self) -> bool:
        """Whether faces are chosen by the numbers of their tracks."""
        return self._parts is not None and self._parts[0] == "track"

    def clear(self) -> None:
        """Forget all faces."""
        self._steady.clear()

    def presences(self, faces: Sequence[TrackedFace]) -> list[float]:
        """Return for each face of the next frame the share of its restoration that is shown; 0 for those that are not chosen."""
        tracks = [face.track_id for face in faces]
        if self._predicate is not None:
            return self._steady.fade(tracks, [bool(self._predicate(face)) for face in faces])
        if self._parts is None:
            return [1.0] * len(faces)
        kind, values = self._parts
        if kind == "largest":
            return self._steady.choose(tracks, [face.size for face in faces], int(values[0]))
        if kind == "track":
            return self._steady.fade(tracks, [track in values for track in tracks])
        return self._steady.fade(tracks, [_lies_in(values, face) for face in faces])


def _lies_in(region: Sequence[float], face: TrackedFace) -> bool:
    """Whether the middle of a face lies in a region: left, top, width and height."""
    left, top, width, height = region
    x, y = face.centre
    return left <= x < left + width and top <= y < top + height
