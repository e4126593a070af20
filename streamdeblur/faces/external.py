"""Faces that somebody else found: boxes, and the detections of tracking libraries, which are never imported here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.blur import SharpnessGate
from streamdeblur.faces.face import Face, faces_from_boxes

REMEMBERED = 256
"""Identities whose state is kept: many more than are ever in one picture."""


@dataclass(frozen=True)
class GivenFace:
    """A face that the caller found, and who it is where a tracker told."""

    face: Face
    identity: int | None = None
    """The tracker's own number of this face; None where there is none (yet)."""


def given_faces(detections: Any) -> list[GivenFace]:
    """Faces of one frame, in pixels.

    detections: boxes x0, y0, x1, y1 [N, 4] or `Face`s; a `Detections` of supervision; a sequence of norfair's `Detection`s or
    `TrackedObject`s, whose points (two corners, or more) are taken for the box around them.

    Raises:
        ValueError: a box without area, or not of four finite numbers; a detection of a single point.
    """
    if hasattr(detections, "xyxy"):
        identities = getattr(detections, "tracker_id", None)
        return _given(detections.xyxy, [None] * len(detections.xyxy) if identities is None else identities)
    found = list(detections)
    if any(_points_of(item) is not None for item in found):
        return _given([_box_around(item) for item in found], [getattr(item, "id", None) for item in found])
    return _given(found, [None] * len(found))


def _given(boxes: Sequence[Any] | NDArray[np.floating], identities: Sequence[Any]) -> list[GivenFace]:
    return [
        # (trackers number a face that they are not sure of with -1)
        GivenFace(face, None if identity is None or identity < 0 else int(identity))
        for face, identity in zip(faces_from_boxes(boxes), identities, strict=True)
    ]


def _points_of(detection: Any) -> Any:
    """Points of a norfair object, [N, 2]: where a tracked one is estimated to be, or where a detection was made."""
    return getattr(detection, "estimate", getattr(detection, "points", None))


def _box_around(detection: Any) -> NDArray[np.float32]:
    points = np.asarray(_points_of(detection), np.float32)
    if points.ndim != 2 or points.shape[0] < 2 or points.shape[1] != 2:
        raise ValueError(
            f"A face is told by two corners or more, [N, 2] (got {type(detection).__name__} with points {list(points.shape)})."
        )
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


class Gates:
    """What is remembered of the faces that somebody else follows: how much of its restoration each one got last."""

    def __init__(self) -> None:
        self._gates: OrderedDict[int, SharpnessGate] = OrderedDict()

    def of(self, identity: int | None) -> SharpnessGate:
        """The gate of this identity; a new one for a face without."""
        if identity is None:
            return SharpnessGate()
        gate = self._gates.setdefault(identity, SharpnessGate())
        self._gates.move_to_end(identity)
        if len(self._gates) > REMEMBERED:
            self._gates.popitem(last=False)
        return gate
