"""ChosenFaces: which faces of a stream may be restored, as the setting `only` says; and what it names that was not there."""

from __future__ import annotations

from collections.abc import Sequence

from streamdeblur.faces.steady import SteadyFaces
from streamdeblur.faces.tracked_face import TrackedFace
from streamdeblur.setting_types import Only, parts_of_only
from streamdeblur.statistics import RestorationStatistics

SHOWN_TRACKS = 10
"""Tracks that a warning lists."""


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


def missing_faces(only: Only | None, counts: RestorationStatistics) -> list[str]:
    """Return a warning if the setting `only` names tracks that no face had, or a region in which none was.

    Args:
        only: The setting.
        counts: Those of the whole file or stream. One without faces tells so itself.
    """
    if not isinstance(only, str) or not counts.faces:
        return []
    kind, values = parts_of_only(only)
    if kind == "region" and counts.not_chosen == counts.faces:
        return [f"only: no face had its middle in {only} (left, top, width and height in pixels)"]
    missing = [f"{number:.0f}" for number in values if number not in counts.faces_by_track] if kind == "track" else []
    if not missing:
        return []
    longest = sorted(counts.faces_by_track, key=lambda track: -counts.faces_by_track[track])[:SHOWN_TRACKS]
    many = len(counts.faces_by_track) > SHOWN_TRACKS
    known = f"the longest of {len(counts.faces_by_track)} tracks" if many else "tracks found"
    return [f"only: no face had track {', '.join(missing)} ({known}: {', '.join(map(str, sorted(longest)))})"]
