"""FaceDeblurrer: the Python interface as the README shows it."""

from __future__ import annotations

import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

import streamdeblur
from streamdeblur import Face, FaceDeblurrer, FaceLimits, StreamItem
from streamdeblur.errors import InputError
from streamdeblur.video.planes import array_planes
from streamdeblur.weights import DEFAULT_NETWORK
from support.media.frames import plane_bytes
from support.models.networks import SIZES, write_network


@pytest.fixture(scope="module")
def blurred(face_picture):
    kernel = np.zeros((15, 15), np.float32)
    kernel[7, 1:14] = 1 / 13
    return cv2.filter2D(face_picture, -1, kernel)


@pytest.fixture
def fresh(deblurrer):
    deblurrer.reset()
    return deblurrer


def box_of(picture, deblurrer):
    return max(deblurrer.detector.detect(picture), key=lambda face: face.score).box


def error(a, b):
    return np.abs(a.astype(float) - b).mean()


def test_a_blurred_face_comes_closer_to_the_sharp_one(fresh, blurred, face_picture):
    before = blurred.copy()
    sharp = fresh(blurred)
    assert (sharp.dtype, sharp.shape) == (np.uint8, blurred.shape)
    assert np.array_equal(blurred, before)
    x0, y0, x1, y1 = box_of(face_picture, fresh).astype(int)
    face = np.s_[y0:y1, x0:x1]
    assert error(sharp[face], face_picture[face]) < 0.8 * error(blurred[face], face_picture[face])
    assert np.array_equal(sharp[:10], blurred[:10])


def test_boxes_and_faces_of_the_callers_own_tracker(fresh, blurred):
    box = box_of(blurred, fresh)
    from_box = fresh(blurred, faces=[box.tolist()])
    assert np.array_equal(from_box, fresh(blurred, faces=np.array([box])))
    assert np.array_equal(from_box, fresh(blurred, faces=[Face(box)]))
    assert not np.array_equal(from_box, blurred)
    assert np.array_equal(fresh(blurred, faces=[]), blurred)
    assert np.array_equal(fresh(blurred, faces=[[-500, -500, -400, -400]]), blurred)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuv422p10le", "rgb24", "yuyv422"])
def test_video_frames_come_back_in_their_own_format(fresh, blurred, pixel_format):
    frame = av.VideoFrame.from_ndarray(blurred, format="rgb24").reformat(format=pixel_format)
    frame.pts = 77
    before = plane_bytes(frame)
    sharp = fresh(frame)
    assert (sharp.format.name, sharp.width, sharp.height, sharp.pts) == (pixel_format, frame.width, frame.height, 77)
    assert all(np.array_equal(a, b) for a, b in zip(before, plane_bytes(frame), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(before, plane_bytes(sharp), strict=True))


def test_gray_pictures(fresh, blurred):
    gray = np.ascontiguousarray(blurred[..., 1])
    sharp = fresh(gray)
    assert sharp.shape == gray.shape
    assert not np.array_equal(sharp, gray)


def test_views_that_are_not_contiguous(fresh, blurred):
    box = [box_of(blurred, fresh)]
    mirrored = blurred[:, ::-1]
    x0, y0, x1, y1 = box[0]
    width = blurred.shape[1]
    assert np.array_equal(
        fresh(mirrored, faces=[[width - x1, y0, width - x0, y1]]),
        fresh(np.ascontiguousarray(mirrored), faces=[[width - x1, y0, width - x0, y1]]),
    )


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8), np.zeros(9, np.uint8)],
)
def test_arrays_of_another_kind_are_refused(fresh, wrong):
    with pytest.raises(ValueError, match="A frame is uint8"):
        fresh(wrong)


def test_other_things_are_refused(fresh):
    with pytest.raises(ValueError, match="got str"):
        fresh("portrait.jpg")


def test_pixel_formats_that_cannot_be_edited_are_refused(fresh):
    with pytest.raises(InputError, match="pal8"):
        fresh(av.VideoFrame(64, 64, "pal8"))


def test_crops(fresh, blurred):
    crops = np.stack([cv2.resize(blurred, (256, 256))] * 3)
    restored = fresh.restore(crops)
    assert (restored.shape, restored.dtype) == (crops.shape, np.uint8)
    assert not np.array_equal(restored, crops)


def test_a_sharp_face_is_left_alone_unless_asked(face_picture, fresh):
    sharp = cv2.detailEnhance(cv2.resize(face_picture, None, fx=1.0, fy=1.0), sigma_s=5, sigma_r=0.2)
    box = [box_of(face_picture, fresh)]
    assert np.array_equal(fresh(sharp, faces=box), sharp)
    assert fresh.statistics.skipped_sharp == 1
    with FaceDeblurrer(always=True) as always:
        always(sharp, faces=box)
        assert always.statistics.restored == 1


def test_statistics_and_reset(fresh, blurred):
    fresh(blurred)
    assert fresh.statistics.frames == 1
    assert fresh.statistics.faces >= 1
    assert fresh.statistics.restored == fresh.statistics.faces
    fresh.reset()
    assert fresh.statistics.frames == 0


def test_streams_keep_the_order_and_carry_payloads(fresh, blurred):
    items = []
    for n in range(9):
        frame = av.VideoFrame.from_ndarray(blurred if n % 3 else np.full_like(blurred, 90), format="rgb24")
        frame.pts = n
        items += [StreamItem(frame, payload=f"frame {n}"), StreamItem(None, payload=f"packet {n}")]
    out = list(fresh.stream(iter(items)))
    assert [item.payload for item in out] == [f"{kind} {n}" for n in range(9) for kind in ("frame", "packet")]
    assert [item.frame.pts for item in out if item.frame is not None] == list(range(9))


def test_streams_of_bare_frames_yield_the_same_frames(fresh, blurred):
    frames = [av.VideoFrame.from_ndarray(blurred, format="rgb24") for _ in range(6)]
    assert all(one is other for one, other in zip(fresh.stream(iter(frames)), frames, strict=True))
    arrays = [blurred.copy() for _ in range(3)]
    assert all(one is other for one, other in zip(fresh.stream(iter(arrays)), arrays, strict=True))
    assert not np.array_equal(arrays[0], blurred)


def test_a_stream_refuses_what_is_no_frame(fresh):
    with pytest.raises(ValueError, match="got str"):
        list(fresh.stream(["packet"]))


def test_the_strength_of_a_frame_is_an_argument(inverting, photograph):
    inverting.reset()
    boxes = [[740, 356, 852, 468]]
    half, none = inverting(photograph, boxes, strength=0.5), inverting(photograph, boxes, strength=0.0)
    assert np.array_equal(none, photograph)
    assert not np.array_equal(half, photograph)
    assert inverting.options.strength == 1.0


def test_limits_leave_the_less_important_faces_and_the_larger_crops_out(tmp_path, photograph):
    network = write_network(tmp_path / "three.onnx", "invert", metadata={"sizes": SIZES})
    with FaceDeblurrer(network=network, always=True, engine="onnxruntime") as deblurrer:
        for limits, faces, largest in (
            (FaceLimits(), 6, 256),
            (FaceLimits(largest_crop=192), 6, 192),
            (FaceLimits(most_faces=2, largest_crop=192), 2, 192),
            (FaceLimits(largest_crop=128), 6, 128),
            (FaceLimits(most_faces=1, largest_crop=10), 1, 128),
            (FaceLimits(most_faces=0), 0, 0),
        ):
            deblurrer.reset()
            deblurrer.edit(array_planes(photograph.copy()), limits=limits)
            assert (deblurrer.statistics.restored, deblurrer.statistics.passed_through) == (faces, 6 - faces)
            assert set(deblurrer.statistics.restored_by_size) == set(deblurrer.work.sizes)
            assert max(deblurrer.work.sizes, default=0) == largest
            assert len(deblurrer.wanted) == 6


def test_with_a_deadline_faces_that_have_no_time_stay_as_they_are(inverting, photograph):
    inverting.reset()
    for deadline, restored, passed in ((time.monotonic() - 1, 0, 6), (time.monotonic() + 1000, 6, 6)):
        picture = photograph.copy()
        inverting.edit(array_planes(picture), deadline=deadline)
        assert (inverting.statistics.restored, inverting.statistics.passed_through) == (restored, passed)
        assert (picture != photograph).any() == bool(restored)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_its_range_is_refused(fresh, blurred, strength):
    with pytest.raises(ValueError, match="strength is 0 to 1"):
        fresh(blurred, strength=strength)


def test_public_objects_describe_themselves(fresh, blurred):
    assert repr(fresh) == f"FaceDeblurrer(engine='{fresh.engine.name}', detector='centerface', network='{DEFAULT_NETWORK}')"
    assert repr(StreamItem(blurred, payload=7)) == f"StreamItem(frame=uint8 {list(blurred.shape)}, faces=None, payload=7)"
    for part in (fresh.engine, fresh.detector, fresh.scheduler):
        assert " object at 0x" not in repr(part)


def test_the_package_shows_its_public_names_alone():
    assert dir(streamdeblur) == sorted([*streamdeblur.__all__, "__version__"])


def test_a_frame_whose_lines_stand_in_reverse_order(fresh, blurred):
    """A filter that flips frames leaves their lines where they are; a copy has them in order."""
    frame = av.VideoFrame.from_ndarray(blurred, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add("vflip"), graph.add("buffersink")).configure()
    graph.push(frame)
    flipped = graph.pull()
    for use in (fresh, fresh.edit):
        with pytest.raises(InputError, match="Copy the frame first"):
            use(flipped)
    copied = av.VideoFrame.from_ndarray(flipped.to_ndarray(), format=flipped.format.name)
    assert np.array_equal(fresh(copied, faces=[]).to_ndarray(), flipped.to_ndarray())
