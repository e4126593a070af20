"""Deblurring as a stage of a pipeline."""

from __future__ import annotations

import av
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, StreamItem
from streamdeblur.plugins.stages import Deblur, Sequential
from support.models.networks import write_network


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network that opens quickly, and changes every pixel that it processes."""
    return write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")


@pytest.fixture(scope="module")
def stage(network):
    # without later frames it restores what calls for each frame restore
    return Deblur(network=network, look_ahead=0)


@pytest.fixture(scope="module")
def one_by_one(network, few_pictures):
    """The pictures, restored by one call per frame."""
    with FaceDeblurrer(network=network) as deblurrer:
        return [deblurrer(picture) for picture in few_pictures]


def copies(pictures):
    return [picture.copy() for picture in pictures]


def near(pictures, others):
    """Whether pictures are equal except for rounding: engines for throughput add up in another order, on some CPUs in bf16."""
    differences = [np.abs(one.astype(int) - other) for one, other in zip(pictures, others, strict=True)]
    return all(difference.max() <= 6 and difference.mean() < 0.2 for difference in differences)


def test_frames_come_out_in_order_and_restored(stage, few_pictures, one_by_one):
    out = list(stage(iter(copies(few_pictures))))
    assert near(out, one_by_one)
    assert not near(out, few_pictures)


def test_frames_of_opencv_have_blue_first(network, few_pictures, one_by_one):
    blue_first = [np.ascontiguousarray(picture[..., ::-1]) for picture in few_pictures]
    out = list(Deblur(network=network, bgr=True, look_ahead=0)(blue_first))
    assert near([picture[..., ::-1] for picture in out], one_by_one)


def test_video_frames_and_arrays_alike(stage, few_pictures, one_by_one):
    frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in few_pictures]
    assert near([frame.to_ndarray() for frame in stage(frames)], one_by_one)


def test_detections_go_with_their_frames(stage, few_pictures):
    box = max(stage.deblurrer.detector.detect(few_pictures[0]), key=lambda face: face.score).box
    given = [[box], [], np.array([box])]
    out = list(stage(StreamItem(frame, faces) for frame, faces in zip(copies(few_pictures), given, strict=False)))
    assert [item.faces is wanted for item, wanted in zip(out, given, strict=True)] == [True] * 3
    changed = [not np.array_equal(item.frame, before) for item, before in zip(out, few_pictures, strict=False)]
    assert changed == [True, False, True]


def test_what_cannot_be_written_is_copied(stage, few_pictures):
    fixed = few_pictures[0].copy()
    fixed.flags.writeable = False
    mirrored = few_pictures[1][:, ::-1]
    before = mirrored.copy()
    out = list(stage([fixed, mirrored]))
    assert np.array_equal(fixed, few_pictures[0])
    assert np.array_equal(mirrored, before)
    assert not np.array_equal(out[0], fixed)
    assert not np.array_equal(out[1], mirrored)


def test_stages_follow_one_another_and_read_no_more_than_is_asked_for(stage, few_pictures):
    read = []

    def noted(frames):
        for number, frame in enumerate(frames):
            read.append(number)
            yield frame

    def numbered(frames):
        yield from enumerate(frames)

    pipeline = Sequential(noted, Sequential(stage, numbered))
    results = pipeline(copies(few_pictures))
    assert read == []
    assert next(results)[0] == 0
    assert len(read) < len(few_pictures)
    assert [number for number, _ in results] == list(range(1, len(few_pictures)))


def test_each_call_is_a_stream_of_its_own(stage, few_pictures):
    first = list(stage(copies(few_pictures)))
    assert near(first, list(stage(copies(few_pictures))))
    assert stage.deblurrer.statistics.frames == len(few_pictures)


def test_what_is_no_frame_is_refused_and_payloads_alone_pass(stage, few_pictures):
    items = [StreamItem(None, payload="title"), StreamItem(few_pictures[0].copy())]
    assert next(iter(stage(items))).payload == "title"
    with pytest.raises(ValueError, match="got str"):
        list(stage(["title"]))
    with pytest.raises(ValueError, match="uint8 RGB"):
        list(stage([np.zeros((8, 8, 4), np.uint8)]))
