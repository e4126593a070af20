"""Detectors on a real photograph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from streamdeblur.errors import DetectorError
from streamdeblur.faces.centerface import CHANNELS, _decode
from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.face import Face, faces_from_boxes, intersection_over_union, merge, plausible
from support.models.networks import write_network

SCRFD = Path(__file__).parents[3] / "shared" / "models" / "scrfd_500m_kps.onnx"
CENTRES = [(113, 329), (954, 134), (320, 207), (517, 337), (796, 412), (1178, 332)]

needs_scrfd = pytest.mark.skipif(
    not SCRFD.is_file(), reason="no SCRFD weights beside the checkout (they may not be redistributed)"
)


@pytest.fixture(scope="module", params=["centerface", "centerface on onnxruntime", pytest.param("scrfd", marks=needs_scrfd)])
def detector(request):
    if request.param == "scrfd":
        return open_detector(f"scrfd:{SCRFD}")
    return open_detector("centerface", "onnxruntime" if "on " in request.param else "auto")


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.27])
def test_the_faces_of_the_photograph_are_found_at_any_size(detector, photograph, scale):
    small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    faces = [face.moved(scale, 0, 0) for face in detector.detect(small)]
    found = [min(np.hypot(*((f.box[:2] + f.box[2:]) / 2 - centre)) for f in faces) < 25 for centre in CENTRES]
    assert sum(found) >= 5
    assert [f.score for f in faces] == sorted((f.score for f in faces), reverse=True)
    assert all(0.4 <= f.score <= 1.0 for f in faces)


def test_landmarks_lie_where_a_face_has_them(detector, photograph):
    face = detector.detect(photograph)[0]
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert (face.landmarks > face.box[:2]).all()
    assert (face.landmarks < face.box[2:]).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (33, 65)])
def test_pictures_of_any_size_and_without_faces(detector, shape):
    assert detector.detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_unknown_detectors_and_weights_are_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("nothing")
    for name, words in {
        "eyes": "Known: centerface",
        "scrfd:": "Known: centerface",
        f"scrfd:{tmp_path}/none.onnx": "No such file",
        f"scrfd:{tmp_path}/text.onnx": "not an SCRFD network",
    }.items():
        with pytest.raises(DetectorError, match=words):
            open_detector(name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1000.0, 1000.0, 80.0])
def test_maps_of_any_values_give_faces_that_can_be_or_none(value):
    maps = [np.full((channels, 8, 8), value, np.float32) for channels in CHANNELS]
    maps[0][:] = 0.9
    for face in plausible(_decode([tensor[None] for tensor in maps])):
        assert np.isfinite(face.box).all()
        assert face.size > 0


@pytest.mark.parametrize("kind", ["identity", "one channel", "tall", "flat", "nan"])
def test_other_networks_are_no_scrfd(tmp_path, kind):
    path = write_network(tmp_path / "other.onnx", kind, declared=["a", "b", "c", "d"])
    with pytest.raises(DetectorError, match="not an SCRFD network"):
        open_detector(f"scrfd:{path}").detect(np.zeros((64, 64, 3), np.uint8))


def test_candidates_of_one_face_are_averaged_by_score():
    a = Face(np.array([0, 0, 10, 10], np.float32), 0.9)
    b = Face(np.array([2, 0, 12, 10], np.float32), 0.3)
    far = Face(np.array([50, 0, 60, 10], np.float32), 0.5)
    merged = merge([b, far, a], 0.3)
    assert [face.score for face in merged] == [0.9, 0.5]
    assert np.allclose(merged[0].box, [0.5, 0, 10.5, 10])
    assert np.allclose(merged[1].box, far.box)


def test_intersection_over_union():
    assert intersection_over_union(np.array([0, 0, 2, 2]), np.array([1, 0, 3, 2])) == pytest.approx(1 / 3)
    assert intersection_over_union(np.array([0, 0, 2, 2]), np.array([2, 0, 3, 2])) == 0.0


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [9, 0, 5, 5], [0, 0, float("nan"), 4], [1, 2, 3]])
def test_boxes_without_area_are_refused(box):
    with pytest.raises(ValueError, match="A face box is"):
        faces_from_boxes([box])
