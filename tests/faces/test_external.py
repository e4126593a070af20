"""Faces that somebody else found: boxes, supervision's and norfair's detections."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from streamdeblur.faces.external import REMEMBERED_TRACKS, TrackHysteresis, external_faces
from streamdeblur.faces.face import Face
from streamdeblur.faces.hysteresis import FADE_FRAMES

BOX = [10.0, 20.0, 60.0, 90.0]


def boxes_and_ids(detections):
    return [(one.face.box.tolist(), one.track_id) for one in external_faces(detections)]


@pytest.mark.parametrize("detections", [[BOX], np.array([BOX]), [Face(np.array(BOX, np.float32))], (tuple(BOX),)])
def test_boxes_have_no_track_id(detections):
    assert boxes_and_ids(detections) == [(BOX, None)]


@pytest.mark.parametrize("detections", [[], np.empty((0, 4))])
def test_nobody_is_there(detections):
    assert boxes_and_ids(detections) == []


def test_detections_of_supervision():
    supervision = pytest.importorskip("supervision", reason="supervision is not installed: pip install supervision")
    boxes = np.array([BOX, [0, 0, 30, 40]], np.float32)
    assert boxes_and_ids(supervision.Detections(boxes)) == [(BOX, None), ([0, 0, 30, 40], None)]
    assert boxes_and_ids(supervision.Detections(boxes, tracker_id=np.array([7, -1]))) == [(BOX, 7), ([0, 0, 30, 40], None)]
    assert boxes_and_ids(supervision.Detections.empty()) == []


def test_detections_and_tracked_objects_of_norfair():
    norfair = pytest.importorskip("norfair", reason="norfair is not installed: pip install --no-deps norfair filterpy")
    found = norfair.Detection(np.array(BOX).reshape(2, 2))
    assert boxes_and_ids([found]) == [(BOX, None)]
    tracker = norfair.Tracker("iou", distance_threshold=0.7, initialization_delay=0)
    tracked = tracker.update([found])
    assert boxes_and_ids(tracked) == [(BOX, tracked[0].id)]
    assert tracked[0].id is not None


def test_more_points_are_taken_for_the_box_around_them():
    landmarks = np.array([[30, 40], [50, 41], [40, 60], [33, 70], [47, 72]])
    assert boxes_and_ids([SimpleNamespace(points=landmarks)]) == [([30, 40, 50, 72], None)]


@pytest.mark.parametrize(
    "detections",
    [
        [[10, 20, 60]],
        [[60, 20, 10, 90]],
        [[10, 20, np.nan, 90]],
        SimpleNamespace(xyxy=np.array([[0, 0, 0, 5]])),
    ],
)
def test_what_is_no_box_is_refused(detections):
    with pytest.raises(ValueError, match="A face box is x0, y0, x1, y1"):
        external_faces(detections)


def test_a_single_point_is_no_face():
    with pytest.raises(ValueError, match=r"two corners or more.*\[1, 2\]"):
        external_faces([SimpleNamespace(points=np.array([[5, 6]]))])


def test_each_track_fades_by_itself():
    tracks = TrackHysteresis()
    assert tracks.of(1).update(0.1, threshold=0.2) == 0.0
    assert tracks.of(2).update(0.3, threshold=0.2) == 1.0
    assert tracks.of(1).update(0.3, threshold=0.2) == 1 / FADE_FRAMES
    assert tracks.of(None).update(0.3, threshold=0.2) == 1.0


def test_tracks_of_long_ago_are_forgotten():
    tracks = TrackHysteresis()
    first = tracks.of(0)
    for track_id in range(1, REMEMBERED_TRACKS):
        tracks.of(track_id)
    assert tracks.of(0) is first
    tracks.of(REMEMBERED_TRACKS)
    assert tracks.of(0) is first
    assert tracks.of(1).update(0.1, threshold=0.2) == 0.0


@pytest.mark.parametrize("number", ["x", 1.2, float("nan"), (1, 2)])
def test_the_number_of_a_track_is_an_integer(number):
    class Tracked:
        def __init__(self):
            self.id, self.estimate = number, np.array([[0.0, 0.0], [9.0, 9.0]])

    with pytest.raises(ValueError, match="number of a track is an integer"):
        external_faces([Tracked()])
