"""The memory of tracks: which crops are kept, and which of them are neighbours of another."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from streamdeblur.faces.memory import LONGEST_GAP, SIDE_RATIO, FaceMemory, RememberedCrop, TrackMemory
from streamdeblur.faces.reading import HostCrop
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.video.planes import array_planes
from support.media.motion import shaken


@pytest.fixture(scope="module")
def people(photograph):
    """Crops of four people."""
    planes = array_planes(photograph)
    return [crop(planes, FaceWindow(x, y, 190)) for x, y in ((796, 412), (320, 207), (1178, 332), (113, 329))]


@pytest.fixture(scope="module")
def exposures(people):
    """Twelve exposures of one face by a shaking camera."""
    return [shaken(people[0], seed) for seed in range(12)]


def remembered(exposures, frames=None, side=200.0):
    return [RememberedCrop.of(frame, side, crop) for frame, crop in zip(frames or range(99), exposures, strict=False)]


def memory_of(crops, capacity=20):
    memory = TrackMemory()
    for one in crops:
        memory.remember(one, capacity)
    return memory


def found(memory, present, count, crops):
    """Numbers of the neighbours in `crops`."""
    lumas = [id(crop.luma) for crop in crops]
    return [lumas.index(id(luma)) for luma in memory.neighbours(present, count)]


def test_neighbours_are_the_nearest_first_and_the_earlier_of_two(exposures):
    crops = remembered(exposures)
    memory = memory_of(crops)
    assert found(memory, crops[5], 5, crops) == [4, 6, 3, 7, 2]
    assert found(memory, crops[0], 2, crops) == [1, 2]
    assert found(memory, crops[11], 2, crops) == [10, 9]
    assert found(memory, crops[11], 0, crops) == []


def test_only_the_latest_are_kept(exposures):
    crops = remembered(exposures)
    memory = memory_of(crops, 3)
    assert found(memory, crops[11], 9, crops) == [10, 9]


def test_an_entry_has_the_bytes_that_are_stated(exposures):
    crop = remembered(exposures)[0]
    assert crop.luma.nbytes + crop.small.nbytes == 64 * 1024 + 256


def test_a_repeated_frame_takes_the_place_of_the_one_that_it_repeats(exposures):
    # 0, 0, 1, 1, 2, 2, as after a conversion from half of the frame rate; every second one with the noise of an encoder
    random = np.random.default_rng(0)
    noise = random.integers(-1, 2, exposures[0].shape) * (random.random(exposures[0].shape) < 0.3)
    doubled = [crop for one in exposures[:3] for crop in (one, np.clip(one + noise, 0, 255).astype(np.uint8))]
    crops = remembered(doubled)
    memory = memory_of(crops, 3)
    assert found(memory, crops[5], 9, crops) == [3, 1]
    assert not crops[5].helps(crops[4])
    assert crops[4].repeats(crops[5])


def test_a_copy_is_as_old_as_the_crop_that_it_is_a_copy_of(exposures):
    crops = remembered([exposures[0], exposures[0], exposures[1]], [1, LONGEST_GAP, LONGEST_GAP + 2])
    memory = TrackMemory()
    assert [memory.remember(crop, 20) for crop in crops] == [crops[0], crops[0], crops[2]]
    assert found(memory, crops[2], 9, crops) == []
    assert crops[1].helps(crops[2])


def test_no_exposure_is_a_neighbour_twice(exposures):
    """Neither where exposures alternate, as in some changes of the frame rate, nor with the noise of an encoder."""
    alternating = [exposures[number] for number in (0, 1, 0, 1, 0)]
    alternating[2] = np.clip(alternating[2].astype(int) + np.eye(256, dtype=int)[..., None], 0, 255).astype(np.uint8)
    crops = remembered([*alternating, exposures[2]])
    memory = memory_of(crops)
    assert found(memory, crops[5], 9, crops) == [4, 3]
    assert found(memory, crops[4], 9, crops) == [3, 5]


def test_copies_share_their_neighbours_whatever_comes_between(exposures):
    memory = FaceMemory(2)
    near = []
    for number in (0, 1, 1):
        memory.next_frame()
        near.append(memory.remember("a", HostCrop(exposures[number], 200.0), look_ahead=1))
    first = near[1].find()
    memory.next_frame()
    memory.remember("a", HostCrop(exposures[2], 200.0), look_ahead=1)
    assert near[1] is near[2]
    assert near[2].find() is first
    assert len(first) == 1


def test_a_track_is_kept_while_its_copies_are_seen(exposures):
    memory = FaceMemory(2)
    memory.next_frame()
    memory.remember("a", HostCrop(exposures[0], 200.0))
    for _ in range(2 * LONGEST_GAP):
        memory.next_frame()
        memory.seen_again("a")
        memory.seen_again("unknown")
    assert memory.remember("a", HostCrop(exposures[0], 200.0)).find() == []
    assert repr(memory).endswith("tracks=1)")


@pytest.mark.parametrize(("gap", "helps"), [(1, True), (LONGEST_GAP, True), (LONGEST_GAP + 1, False), (0, False)])
def test_what_is_long_ago_does_not_help_nor_what_is_in_the_same_frame(exposures, gap, helps):
    before, after = remembered(exposures, [10, 10 + gap])
    assert before.helps(after) == helps
    assert after.helps(before) == helps


@pytest.mark.parametrize(("ratio", "helps"), [(1.02, True), (1 / 1.1, True), (1.01 * SIDE_RATIO, False), (0.5, False)])
def test_a_window_of_another_size_does_not_help(exposures, ratio, helps):
    before = RememberedCrop.of(1, 200.0, exposures[0])
    assert RememberedCrop.of(2, 200.0 * ratio, exposures[1]).helps(before) == helps


def test_crops_of_two_people_do_not_help_one_another(people):
    """A tracker of the caller may go on over a cut, with a face at the same place."""
    for (one, first), (other, second) in itertools.combinations(enumerate(people), 2):
        assert not RememberedCrop.of(1, 200.0, shaken(first, one)).helps(RememberedCrop.of(2, 200.0, shaken(second, 20 + other)))


def test_exposures_of_one_face_help_one_another_however_they_are_blurred(people):
    for face in people:
        crops = remembered([shaken(face, seed) for seed in range(6)])
        assert all(one.helps(other) for one, other in itertools.combinations(crops, 2))


def test_a_face_that_moves_within_its_window_or_is_lit_otherwise_still_helps(people):
    before = RememberedCrop.of(1, 200.0, people[0])
    moved = cv2.warpAffine(people[0], np.float32([[1, 0, 6], [0, 1, -4]]), (256, 256), borderMode=cv2.BORDER_REPLICATE)
    darker = (people[0] * 0.8).astype(np.uint8)
    assert RememberedCrop.of(2, 200.0, moved).helps(before)
    assert RememberedCrop.of(2, 200.0, darker).helps(before)


def test_flat_crops_help_nobody(exposures):
    gray = RememberedCrop.of(1, 200.0, np.full((256, 256, 3), 128, np.uint8))
    assert not gray.helps(RememberedCrop.of(2, 200.0, np.full((256, 256, 3), 90, np.uint8)))
    assert not gray.helps(RememberedCrop.of(2, 200.0, exposures[0]))


def test_tracks_have_memories_of_their_own(exposures):
    memory = FaceMemory(2)
    for crops in zip(exposures[:3], exposures[6:9], strict=True):
        memory.next_frame()
        near = [memory.remember(track, HostCrop(crop, 200.0)) for track, crop in zip("ab", crops, strict=True)]
    for number, face in enumerate(near):
        wanted = [RememberedCrop.of(0, 1.0, exposures[6 * number + before]).luma for before in (1, 0)]
        assert np.array_equal(face.find(), wanted)


def test_faces_without_a_track_and_networks_without_a_memory_remember_nothing(exposures):
    for memory, track in ((FaceMemory(2), None), (FaceMemory(0), 1)):
        memory.next_frame()
        assert memory.remember(track, HostCrop(exposures[0], 200.0)) is None
        assert repr(memory).endswith("tracks=0)")


def test_tracks_that_are_not_seen_any_more_are_forgotten(exposures):
    memory = FaceMemory(2)
    for track in range(500):
        memory.next_frame()
        memory.remember(track, HostCrop(exposures[0], 200.0))
    assert len(memory._tracks) <= LONGEST_GAP + 1
    memory.clear()
    assert not memory._tracks
