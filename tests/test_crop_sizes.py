"""Streams through a network for crops of several sizes: which size each face gets, and what comes of it."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace

import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, RestorationOptions
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.statistics import RestorationStatistics, shown_sizes
from streamdeblur.video.planes import array_planes
from support.cli import run
from support.memory_streams import Tracked, recorded, tracked
from support.models.networks import COLOURS, SIZES, expected_slots, write_colours, write_network

FACES = {(150, 150): 120.0, (420, 150): 180.0, (730, 160): 250.0}
"""Sides of windows by their centres: one for each size of crops."""


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    return write_colours(tmp_path_factory.mktemp("networks") / "colours.onnx")


@pytest.fixture(scope="module")
def remembering(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("networks") / "slots.onnx", "slots", metadata={"sizes": SIZES})


@pytest.fixture(scope="module")
def deblurrer(colours):
    with FaceDeblurrer(network=colours, always=True, small_crops=True) as opened:
        yield opened


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (320, 900, 3), np.uint8)


def boxes_of(faces):
    """The boxes of faces whose windows have these sides."""
    return np.array([[x - s / 3.4, y - s / 3.4, x + s / 3.4, y + s / 3.4] for (x, y), s in faces.items()])


def exposures(picture):
    """Frames of which each is another exposure."""
    return (picture + np.uint8(number) for number in itertools.count(1))


def sizes_of(submitted):
    """The sizes of the crops of the only face of each frame."""
    return [len(faces.crops_on_host()[0]) for faces in submitted]


def test_each_face_of_a_frame_is_restored_at_its_size(deblurrer, picture):
    deblurrer.reset()
    result, expected = deblurrer(picture, boxes_of(FACES)), picture.copy()
    planes, restored = array_planes(expected), []
    for ((x, y), side), size in zip(FACES.items(), (128, 192, 256), strict=True):
        window = FaceWindow(x, y, side)
        filled = np.full((size, size, 3), COLOURS[size], np.uint8)
        restored.append(RestoredCrop(window, crop(planes, window, size), filled))
    paste(planes, restored)
    # boxes are in single precision
    assert np.abs(result.astype(int) - expected).max() <= 2
    assert np.array_equal(picture, np.random.default_rng(0).integers(0, 256, (320, 900, 3), np.uint8))
    assert deblurrer.statistics.restored_by_size == {128: 1, 192: 1, 256: 1}


def test_a_tracked_face_keeps_its_size_between_two(deblurrer, picture):
    with recorded(deblurrer) as submitted:
        for frame, side in zip(exposures(picture), (139, 142, 139, 142, 127, 139), strict=False):
            deblurrer(frame, tracked(7, side=float(side)))
    assert sizes_of(submitted) == [128, 192, 192, 192, 128, 128]


def test_a_copy_of_a_frame_keeps_crop_and_size(deblurrer, picture):
    frames = [picture, picture, picture + np.uint8(1)]
    with recorded(deblurrer) as submitted:
        for frame, side in zip(frames, (139.0, 142.0, 142.0), strict=True):
            deblurrer(frame, tracked(7, side=side))
    assert sizes_of(submitted) == [128, 128, 192]
    assert submitted[1].crops_on_host()[0] is submitted[0].crops_on_host()[0]
    assert submitted[1].windows == submitted[0].windows


def test_a_copy_is_read_again_where_its_size_is_not_taken_any_more(deblurrer, picture):
    deblurrer.reset()
    selector, settings = deblurrer._selector, deblurrer._settings()
    sizes = []
    for taken in (settings.crop_sizes, (256,), (256,)):
        changed = replace(settings, crop_sizes=taken)
        sizes += [face.crop_size for face in selector.select(array_planes(picture), tracked(7, side=100.0), changed)]
    assert sizes == [128, 256, 256]


def test_a_face_without_a_track_and_one_after_a_reset_have_no_past(deblurrer, picture):
    with recorded(deblurrer) as submitted:
        for side in (142, 139, 142):
            deblurrer(picture, tracked(side=float(side)))
        deblurrer(picture, tracked(7, side=142.0))
        deblurrer.reset()
        deblurrer(picture, tracked(7, side=139.0))
    assert sizes_of(submitted) == [192, 128, 192, 192, 128]


def test_faces_of_several_tracks_have_sizes_of_their_own(deblurrer, picture):
    frames = exposures(picture)
    with recorded(deblurrer) as submitted:
        for sides in ((142.0, 100.0), (139.0, 139.0)):
            faces = dict(zip(FACES, sides, strict=False))
            deblurrer(next(frames), Tracked(boxes_of(faces), np.array([1, 2])))
    assert [[len(one) for one in faces.crops_on_host()] for faces in submitted] == [[192, 128], [192, 128]]


def test_crops_of_each_size_can_be_restored_directly(deblurrer):
    for size, colour in COLOURS.items():
        assert (deblurrer.restore(np.zeros((2, size, size, 3), np.uint8)) == colour).all()
    with pytest.raises(ValueError, match=r"\[N, 128, 128, 3\] or"):
        deblurrer.restore(np.zeros((2, 64, 64, 3), np.uint8))


def test_large_faces_are_restored_as_by_a_network_of_one_size(tmp_path, blurry_pictures):
    results = []
    for sizes in ("{}", SIZES):
        path = write_network(tmp_path / "invert.onnx", "invert", metadata={"sizes": sizes})
        with FaceDeblurrer(network=path, always=True, small_crops=True) as deblurrer:
            frames = [np.repeat(np.repeat(frame, 3, 0), 3, 1) for frame in blurry_pictures[:4]]
            results.append([deblurrer(frame) for frame in frames])
            assert set(deblurrer.statistics.restored_by_size) == {256}
    assert np.array_equal(*results)


def test_neighbours_have_the_size_of_the_crop(remembering):
    random = np.random.default_rng(1)
    one, other, *before = (random.integers(0, 256, (size, size, 3), np.uint8) for size in (128, 256, 128, 128))
    with FaceDeblurrer(network=remembering, engine="onnxruntime") as deblurrer:
        restored = deblurrer.restore(one[None], np.stack(before)[None])
        assert np.abs(restored[0] - expected_slots(one, before)).max() <= 1
        with pytest.raises(ValueError, match=r"uint8 \[1, M, 128, 128, 3\] \(got uint8 \[1, 1, 256, 256, 3\]\)"):
            deblurrer.restore(one[None], other[None, None])


def test_a_face_that_changes_its_size_begins_a_new_memory(remembering, photograph):
    """Windows of 139 and 142 px of the same face nearly show the same."""
    options = RestorationOptions(network=remembering, always=True, small_crops=True, engine="onnxruntime")
    with FaceDeblurrer(options) as deblurrer, recorded(deblurrer) as submitted:
        frames = [np.roll(photograph, shift, 1) for shift in range(5)]
        for frame, side in zip(frames, (139, 140, 142, 143, 142), strict=True):
            deblurrer(frame, Tracked(boxes_of({(796, 412): float(side)}), np.array([7])))
    assert sizes_of(submitted) == [128, 128, 192, 192, 192]
    shapes = [[near.shape for near in faces.neighbours[0]] for faces in submitted]
    assert shapes == [[], [(64, 64)], [], [(96, 96)], [(96, 96)] * 2]


def test_warming_up_opens_every_size(colours):
    with FaceDeblurrer(network=colours, always=True, small_crops=True) as deblurrer:
        deblurrer.warm_up(320, 240)
        assert sorted(deblurrer.engine._graphs._graphs) == [128, 192, 256]
        assert deblurrer.statistics == RestorationStatistics()


def test_a_deadline_counts_small_faces_as_less(deblurrer, picture):
    """In the time of one face of 256 px, three of 128 px are restored."""
    deblurrer.reset()
    deblurrer.scheduler.seconds_per_face = 10.0
    small = {(60 + 90 * n, 100): 60.0 for n in range(8)}
    faces = deblurrer._selector.select(
        array_planes(picture), boxes_of(small), deblurrer._settings(deadline=time.monotonic() + 11.0)
    )
    assert [len(face.crop) for face in faces] == [128] * 3


def test_statistics_of_two_engines_are_added():
    first, second = RestorationStatistics(frames=3), RestorationStatistics(frames=4, failed=1)
    for counts, size in ((first, 128), (first, 256), (second, 256)):
        counts.add_restored(size)
    assert first + second == RestorationStatistics(frames=7, restored=3, failed=1, restored_by_size={128: 1, 256: 2})


def test_a_line_of_text_counts_sizes_where_there_are_several():
    assert shown_sizes({}) == shown_sizes({256: 3}) == ""
    assert shown_sizes({256: 3, 128: 1}) == " (1 at 128 px, 3 at 256 px)"


def test_commands_count_the_faces_of_each_size(tmp_path, colours, photograph):
    import cv2

    cv2.imwrite(str(tmp_path / "in.png"), photograph[..., ::-1])
    files = tmp_path / "in.png", tmp_path / "out.png"
    options = ("image", *files, "--network", colours, "--always", "--small-crops", "--overwrite")
    counts = json.loads(run(*options, "--json").stdout)
    assert sum(counts["restored_by_size"].values()) == counts["restored"] > 0
    assert set(counts["restored_by_size"]) <= {"128", "192", "256"}
    assert " at 192 px" in run(*options).stdout


def test_small_crops_of_a_network_of_one_size_are_said_to_have_no_effect(deblurrer, tmp_path):
    assert deblurrer.unused_settings() == []
    with FaceDeblurrer(network=write_network(tmp_path / "one.onnx", "invert"), small_crops=True, engine="onnxruntime") as opened:
        assert opened.unused_settings() == ["small_crops has no effect: the network takes crops of 256 px alone"]
