"""Faces that the caller detected: boxes, and detections of tracking libraries, none of which is imported here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.face import Face, faces_from_boxes
from streamdeblur.faces.hysteresis import GainHysteresis
from streamdeblur.known_names import shown

REMEMBERED_TRACKS = 256
"""Tracks whose state is kept: many more than are ever in one picture."""


@runtime_checkable
class BoxDetections(Protocol):
    """Several detections with boxes, such as supervision's `Detections`; `tracker_id` is read where it exists."""

    @property
    def xyxy(self) -> NDArray[np.floating]:
        """Boxes x0, y0, x1, y1 in pixels, [N, 4]."""


@runtime_checkable
class PointDetection(Protocol):
    """One detection that is a set of points, such as norfair's `Detection`."""

    @property
    def points(self) -> NDArray[np.floating]:
        """Two opposite corners or more points, [N, 2]."""


@runtime_checkable
class TrackedPoints(Protocol):
    """One tracked object with estimated points, such as norfair's `TrackedObject`; `id` is read where it exists."""

    @property
    def estimate(self) -> NDArray[np.floating]:
        """Two opposite corners or more points, [N, 2]."""


Box: TypeAlias = Sequence[float] | NDArray[np.floating]
"""x0, y0, x1, y1 in pixels."""
Detections: TypeAlias = BoxDetections | Sequence[Face | Box | PointDetection | TrackedPoints] | NDArray[np.floating]
"""The faces of a frame in any form that `external_faces` accepts."""


@dataclass(frozen=True)
class ExternalFace:
    """A face that the caller detected, and its track where the caller tracks."""

    face: Face
    track_id: int | None = None
    """The tracker's number of this face; None where there is none (yet)."""


def external_faces(detections: Detections) -> list[ExternalFace]:
    """Convert the detections of one frame.

    Args:
        detections: Boxes x0, y0, x1, y1 in pixels [N, 4]; `Face`s; supervision's `Detections`; norfair's `Detection`s or
            `TrackedObject`s, whose box is the one around their points.

    Raises:
        ValueError: A box without area or not of four finite numbers, a detection with a single point, or the number of a track
            that is not an integer.
    """
    if isinstance(detections, BoxDetections):
        track_ids = getattr(detections, "tracker_id", None)
        return _paired(detections.xyxy, [None] * len(detections.xyxy) if track_ids is None else track_ids)
    items = list(detections)
    if any(isinstance(item, PointDetection | TrackedPoints) for item in items):
        points = cast("list[PointDetection | TrackedPoints]", items)
        return _paired([_box_around(item) for item in points], [getattr(item, "id", None) for item in points])
    return _paired(cast("list[Face | Box]", items), [None] * len(items))


def _paired(boxes: Sequence[Face | Box] | NDArray[np.floating], track_ids: Sequence[int | None]) -> list[ExternalFace]:
    return [ExternalFace(face, _checked_id(track_id)) for face, track_id in zip(faces_from_boxes(boxes), track_ids, strict=True)]


def _checked_id(track_id: object) -> int | None:
    """The number of a track; None where there is none, or -1 as trackers number a face that they are not sure of."""
    if track_id is None:
        return None
    if not isinstance(track_id, int | np.integer):
        raise ValueError(f"The number of a track is an integer (got {shown(track_id)}).")
    return None if track_id < 0 else int(track_id)


def _box_around(detection: PointDetection | TrackedPoints) -> NDArray[np.float32]:
    """Return the box around the points of a norfair object: the estimated ones of a track, else the detected ones."""
    points = np.asarray(detection.estimate if isinstance(detection, TrackedPoints) else detection.points, np.float32)
    if points.ndim != 2 or points.shape[0] < 2 or points.shape[1] != 2:
        raise ValueError(
            f"A face needs two corners or more points, [N, 2] (got {type(detection).__name__} with points {list(points.shape)})."
        )
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


class TrackHysteresis:
    """The hysteresis of each track of a tracker outside."""

    def __init__(self) -> None:
        self._by_track: OrderedDict[int, GainHysteresis] = OrderedDict()

    def of(self, track_id: int | None) -> GainHysteresis:
        """Return the state of a track; a new one for a face without."""
        if track_id is None:
            return GainHysteresis()
        hysteresis = self._by_track.setdefault(track_id, GainHysteresis())
        self._by_track.move_to_end(track_id)
        if len(self._by_track) > REMEMBERED_TRACKS:
            self._by_track.popitem(last=False)
        return hysteresis
