"""Streams through a network with a memory: which frames help to restore which, by whatever way they come."""

from __future__ import annotations

import itertools
import time

import av
import cv2
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, StreamItem
from streamdeblur.faces.memory import LONGEST_GAP
from streamdeblur.faces.selection import FrameSettings
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.plugins.stages import Deblur
from streamdeblur.video.planes import array_planes
from support.engines import ENGINES
from support.media.motion import shaken
from support.memory_streams import INSIDE, WITHIN_CROP, Tracked, frame_of, numbers, recorded, tracked
from support.models.networks import expected_slots, write_network


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("networks") / "slots.onnx", "slots")


@pytest.fixture(scope="module")
def deblurrer(network):
    with FaceDeblurrer(network=network, always=True, engine="onnxruntime") as opened:
        yield opened


@pytest.fixture(scope="module")
def people(photograph):
    """Sharp crops of two people."""
    return [crop(array_planes(photograph), FaceWindow(x, y, 190)) for x, y in ((796, 412), (320, 207))]


@pytest.fixture(scope="module")
def exposures(people):
    """Twelve exposures of one face by a shaking camera."""
    return [shaken(people[0], seed) for seed in range(12)]


@pytest.fixture(scope="module")
def frames(exposures):
    return [frame_of(one) for one in exposures]


def restored_alone(result, exposure):
    return np.abs(result[INSIDE].astype(int) - exposure[WITHIN_CROP]).max() <= 1


def near_of(submitted, crops):
    """The neighbours of the only face of each frame, as numbers of crops."""
    return [numbers(*faces.neighbours, crops) for faces in submitted]


def test_a_tracked_face_is_restored_with_the_frames_before_it(deblurrer, frames, exposures):
    deblurrer.reset()
    for number, frame in enumerate(frames[:5]):
        result = deblurrer(frame, tracked(7))
        before = exposures[max(0, number - 2) : number][::-1]
        wanted = expected_slots(exposures[number], before)[WITHIN_CROP]
        assert np.abs(result[INSIDE] - wanted).max() <= 1.5


def test_a_face_without_an_id_or_with_a_new_one_is_restored_alone(deblurrer, frames, exposures):
    deblurrer.reset()
    for frame, exposure, faces in zip(
        frames, exposures, [tracked(), tracked(), tracked(-1), tracked(1), tracked(2)], strict=False
    ):
        assert restored_alone(deblurrer(frame, faces), exposure)
    assert not restored_alone(deblurrer(frames[5], tracked(2)), exposures[5])


def test_after_a_reset_the_stream_begins_anew(deblurrer, frames, exposures):
    deblurrer.reset()
    for frame in frames[:2]:
        deblurrer(frame, tracked(7))
    deblurrer.reset(keep_statistics=True)
    assert restored_alone(deblurrer(frames[2], tracked(7)), exposures[2])


def test_a_track_that_goes_on_over_a_cut_takes_nothing_with_it(deblurrer, frames, exposures, people):
    others = [shaken(people[1], seed) for seed in range(20, 23)]
    with recorded(deblurrer) as submitted:
        for frame in [*frames[:3], *map(frame_of, others)]:
            deblurrer(frame, tracked(7))
    assert near_of(submitted, [*exposures[:3], *others]) == [[], [0], [1, 0], [], [3], [4, 3]]


@pytest.mark.parametrize(("missing", "expected"), [(3, [1, 0]), (LONGEST_GAP - 1, [1]), (LONGEST_GAP, [])])
def test_a_face_that_comes_back_remembers_what_is_not_long_ago(deblurrer, frames, exposures, missing, expected):
    with recorded(deblurrer) as submitted:
        for frame in frames[:2]:
            deblurrer(frame, tracked(7))
        for _ in range(missing):
            deblurrer(frames[2], [])
        deblurrer(frames[3], tracked(7))
    assert numbers(submitted[-1].neighbours[0], exposures) == expected


def test_a_window_that_jumps_in_size_is_not_compared(deblurrer, frames):
    with recorded(deblurrer) as submitted:
        for frame, side in zip(frames, (256, 250, 160, 158), strict=False):
            deblurrer(frame, tracked(7, side=side))
    assert [len(faces.neighbours[0]) for faces in submitted] == [0, 1, 0, 1]


def test_repeated_frames_do_not_push_out_others(deblurrer, frames, exposures):
    with recorded(deblurrer) as submitted:
        for number in (0, 0, 1, 1, 1, 2, 2):
            deblurrer(frames[number], tracked(7))
    assert near_of(submitted, exposures) == [[], [], [0], [0], [0], [1, 0], [1, 0]]


@pytest.mark.parametrize("look_ahead", [0, 1, 2])
def test_copies_of_a_frame_come_out_alike(deblurrer, frames, exposures, look_ahead):
    """As frames that a change of the frame rate repeats: their copies are no neighbours, and those ahead help none of them."""
    shown = (0, 0, 1, 1, 1, 2, 2, 3, 3)
    with recorded(deblurrer) as submitted:
        out = streamed(deblurrer, [frames[number] for number in shown], look_ahead=look_ahead)
    near = near_of(submitted, exposures)
    for (one, first), (other, second) in itertools.pairwise(enumerate(shown)):
        if first == second:
            assert near[one] == near[other]
            assert np.array_equal(out[one].frame, out[other].frame)
    assert [sorted(found) for number, found in zip(shown, near, strict=True) if number == 3] == [[1, 2], [1, 2]]


@pytest.mark.parametrize(("times", "expected"), [(LONGEST_GAP, [0]), (LONGEST_GAP + 1, [])])
def test_a_frame_that_stands_long_is_as_old_as_its_first_copy(deblurrer, frames, exposures, times, expected):
    with recorded(deblurrer) as submitted:
        for number in [0] * times + [1]:
            deblurrer(frames[number], tracked(7))
    assert near_of(submitted, exposures) == [[]] * times + [expected]


@pytest.mark.parametrize("kind", ["array", "yuv420p", "rgb48le"])
def test_detected_faces_of_copies_come_out_alike(deblurrer, few_pictures, kind):
    """Their windows move on while the tracker comes to rest, but not over copies, in which nothing has moved."""

    def frame(picture):
        return picture.copy() if kind == "array" else av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=kind)

    deblurrer.reset()
    planes = [deblurrer(frame(picture)) for picture in few_pictures[:6] for _ in range(3)]
    pixels = [one if kind == "array" else one.to_ndarray() for one in planes]
    for first, *copies in (pixels[n : n + 3] for n in range(0, 18, 3)):
        assert all(np.array_equal(first, copy) for copy in copies)
    assert len({one.tobytes() for one in pixels}) == 6


def test_without_a_memory_copies_come_out_alike_too(inverting, few_pictures):
    inverting.reset()
    out = list(inverting.stream([picture.copy() for picture in few_pictures[:4] for _ in range(2)]))
    assert all(np.array_equal(one, other) for one, other in zip(out[::2], out[1::2], strict=True))
    assert not np.array_equal(out[0], few_pictures[0])


def test_a_copy_with_its_face_elsewhere_or_with_other_settings_is_judged_anew(inverting, photograph):
    """The caller's tracker may use a number again; in between, nothing of the frame has changed."""
    inverting.reset()
    boxes = [[741, 357, 851, 467], [265, 152, 375, 262]]
    results = [inverting(photograph, Tracked(np.array([box]), np.array([7]))) for box in boxes]
    changed = [np.argwhere((result != photograph).any(axis=2)).mean(axis=0) for result in results]
    assert abs(changed[0] - (412, 796)).max() < 12
    assert abs(changed[1] - (207, 320)).max() < 12
    face = Tracked(np.array(boxes[:1]), np.array([8]))
    thresholds = [0.0, 0.0, 0.01, 0.01]
    judged = [inverting._selector.select(array_planes(photograph), face, FrameSettings(1.0, one)) for one in thresholds]
    crops = [faces[0].crop for faces in judged if faces]
    assert crops[0] is crops[1]
    assert all(crop is not crops[0] for crop in crops[2:])


def test_one_id_twice_in_a_frame_is_no_neighbour_of_itself(deblurrer, frames):
    with recorded(deblurrer) as submitted:
        deblurrer(frames[0], tracked(7, 7))
    assert [len(near) for near in submitted[0].neighbours] == [0, 0]


def test_a_sharp_frame_that_is_skipped_helps_the_next_ones(network, people, exposures):
    sharp = cv2.detailEnhance(people[0], sigma_s=5, sigma_r=0.2)
    with FaceDeblurrer(network=network, threshold=1.2, engine="onnxruntime") as judging, recorded(judging) as submitted:
        # frames that differ, because a copy of one is the same exposure
        sharp_ones = [np.clip(sharp, 8 + number, 247) for number in range(4)]
        for one in (*sharp_ones, exposures[1], exposures[2], exposures[3]):
            judging(frame_of(one), tracked(7))
        assert judging.statistics.skipped_sharp == 4
    after = submitted[-3:]
    assert near_of(after[-1:], exposures) == [[2, 1]]
    assert numbers(after[0].neighbours[0], [sharp_ones[-1], *exposures])[0] == 0


def test_faces_that_had_no_time_are_remembered_where_their_crop_was_read(deblurrer, few_pictures):
    with recorded(deblurrer) as submitted:
        for picture, seconds in zip(few_pictures, (1000, -1, 1000), strict=False):
            deblurrer.edit(array_planes(picture.copy()), deadline=time.monotonic() + seconds)
    assert deblurrer.statistics.passed_through == 1
    assert [len(near) for faces in submitted for near in faces.neighbours] == [0, 2]


def test_detected_faces_are_followed_and_ids_of_the_caller_are_others(deblurrer, few_pictures, people):
    with recorded(deblurrer) as submitted:
        for picture in few_pictures[:4]:
            deblurrer(picture)
        (track,) = deblurrer._selector._finder._tracker.tracks
        box = track.box.astype(np.float32)[None]
        given = tracked(track.track_id)
        given.xyxy = box
        deblurrer(few_pictures[4], given)
        deblurrer(few_pictures[5])
    assert [len(faces.neighbours[0]) for faces in submitted] == [0, 1, 2, 2, 0, 2]


def test_a_scene_cut_ends_the_memory_of_detected_faces(deblurrer, few_pictures, photograph):
    other = cv2.GaussianBlur(np.ascontiguousarray(photograph[130:370, 60:380, ::-1]), (9, 1), 3) // 2 + 120
    with recorded(deblurrer) as submitted:
        for picture in [*few_pictures[:3], other, other]:
            deblurrer(picture.copy())
    assert deblurrer._selector._finder.cuts == 1
    assert len(submitted) > 3
    assert all(not near for near in submitted[3].neighbours)


def test_without_the_memory_each_face_is_restored_alone(network, frames, exposures):
    with FaceDeblurrer(network=network, always=True, engine="onnxruntime", memory=False) as alone:
        for frame, exposure in zip(frames[:3], exposures, strict=False):
            assert restored_alone(alone(frame, tracked(7)), exposure)


def test_a_network_without_a_memory_remembers_nothing(inverting, frames):
    with recorded(inverting) as submitted:
        list(inverting.stream([StreamItem(frame.copy(), tracked(7)) for frame in frames[:3]]))
    assert [list(faces.neighbours[0]) for faces in submitted] == [[], [], []]
    assert not inverting._selector.memory._tracks


# Streams that look ahead


def streamed(deblurrer, frames, **settings):
    return list(deblurrer.stream([StreamItem(frame.copy(), tracked(7), n) for n, frame in enumerate(frames)], **settings))


@pytest.mark.parametrize(
    ("look_ahead", "expected"),
    [
        (0, [[], [0], [1, 0], [2, 1], [3, 2]]),
        (1, [[1], [0, 2], [1, 3], [2, 4], [3, 2]]),
        (2, [[1, 2], [0, 2], [1, 3], [2, 4], [3, 2]]),
        (5, [[1, 2], [0, 2], [1, 3], [2, 4], [3, 2]]),
    ],
)
def test_a_stream_that_looks_ahead_takes_the_nearest_on_both_sides(deblurrer, frames, exposures, look_ahead, expected):
    with recorded(deblurrer) as submitted:
        out = streamed(deblurrer, frames[:5], look_ahead=look_ahead)
    assert near_of(submitted, exposures) == expected
    assert [item.payload for item in out] == list(range(5))
    for item, exposure, near in zip(out, exposures, expected, strict=False):
        wanted = expected_slots(exposure, [exposures[n] for n in near])[WITHIN_CROP]
        assert np.abs(item.frame[INSIDE] - wanted).max() <= 1.5


def test_neither_a_cut_nor_another_track_ahead_is_a_neighbour(deblurrer, frames, exposures, people):
    others = [shaken(people[1], seed) for seed in range(20, 22)]
    stream = [*frames[:3], *map(frame_of, others), frames[3]]
    ids = [7, 7, 7, 7, 7, 8]
    with recorded(deblurrer) as submitted:
        list(deblurrer.stream([StreamItem(f.copy(), tracked(i)) for f, i in zip(stream, ids, strict=True)], look_ahead=2))
    assert near_of(submitted, [*exposures[:3], *others, exposures[3]]) == [[1, 2], [0, 2], [1, 0], [4], [3], []]


def test_a_stream_reads_no_more_frames_than_it_says(deblurrer, frames, exposures):
    read = []

    def items():
        for number in range(12):
            read.append(number)
            yield StreamItem(frames[number].copy(), tracked(7), number)
            yield StreamItem(None, payload="packet")

    deblurrer.reset()
    most, order = 0, []
    for item in deblurrer.stream(items(), look_ahead=3):
        order.append(item.payload)
        most = max(most, len(read) - sum(payload != "packet" for payload in order[:-1]))
    assert order == [payload for number in range(12) for payload in (number, "packet")]
    assert most <= deblurrer.threads.frames_in_flight + 3 + 1


def test_frames_without_faces_do_not_wait_for_later_ones(deblurrer, frames):
    deblurrer.reset()
    stream = deblurrer.stream(iter([StreamItem(frames[0].copy(), []), StreamItem(None, payload=1)]), look_ahead=5)
    assert next(stream).payload is None
    assert next(stream).payload == 1


@pytest.mark.parametrize("look_ahead", [-1, 6, 1.5, True, None, "1"])
def test_what_is_no_look_ahead_is_refused_at_once(deblurrer, look_ahead):
    with pytest.raises(ValueError, match="0 to 5 frames ahead"):
        deblurrer.stream([], look_ahead=look_ahead)
    with pytest.raises(ValueError, match="0 to 5 frames ahead"):
        Deblur(look_ahead=look_ahead)


def test_calls_after_a_stream_that_looked_ahead_are_as_before_it(deblurrer, frames):
    def called():
        deblurrer.reset()
        return [deblurrer(frame, tracked(7)) for frame in frames]

    before = called()
    abandoned = deblurrer.stream([StreamItem(frame.copy(), tracked(7)) for frame in frames], look_ahead=5)
    next(abandoned)
    assert all(np.array_equal(one, other) for one, other in zip(before, called(), strict=True))


@pytest.mark.parametrize("memory", [None, []])
def test_lists_in_place_of_arrays_are_named(deblurrer, memory):
    crop = np.zeros((256, 256, 3), np.uint8)
    with pytest.raises(ValueError, match="an array, uint8"):
        deblurrer.restore([crop], None) if memory is None else deblurrer.restore(crop[None], [[crop]])


def test_calls_edits_and_streams_give_the_same(deblurrer, few_pictures):
    def edited(pictures):
        for picture in pictures:
            deblurrer.edit(array_planes(picture))
        return pictures

    deblurrer.reset()
    called = [deblurrer(picture) for picture in few_pictures]
    deblurrer.reset()
    streams = list(deblurrer.stream([picture.copy() for picture in few_pictures], look_ahead=0))
    deblurrer.reset()
    assert np.array_equal(called, streams)
    assert np.array_equal(called, edited([picture.copy() for picture in few_pictures]))


@pytest.fixture(scope="module")
def of_every_engine(network, frames):
    """The same stream through each engine, for files and for single frames."""
    results = {}
    for name in ENGINES:
        for throughput in (False, True):
            with FaceDeblurrer(network=network, always=True, engine=name, throughput=throughput) as opened:
                results[name, throughput] = [item.frame for item in streamed(opened, frames, look_ahead=1)]
    return results


def test_results_do_not_depend_on_the_engine_nor_on_what_is_in_flight(of_every_engine):
    first, *others = of_every_engine.values()
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert np.abs(one.astype(int) - two).max() <= 2


def test_a_stage_looks_ahead_as_it_is_told(network, frames, exposures):
    stage = Deblur(look_ahead=0, network=network, always=True, engine="onnxruntime")
    with recorded(stage.deblurrer) as submitted:
        list(stage(StreamItem(frame.copy(), tracked(7)) for frame in frames[:3]))
    assert near_of(submitted, exposures) == [[], [0], [1, 0]]
    stage.deblurrer.close()


def test_frames_of_video_keep_their_stamps(deblurrer, few_pictures):
    frames = [av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p") for picture in few_pictures]
    for number, frame in enumerate(frames):
        frame.pts = 5 * number
    deblurrer.reset()
    out = list(deblurrer.stream(iter(frames), look_ahead=2))
    assert all(one is other for one, other in zip(out, frames, strict=True))
    assert [frame.pts for frame in out] == list(range(0, 60, 5))


# Crops


def test_crops_are_restored_with_their_neighbours(deblurrer, exposures):
    crops = np.stack(exposures[:3])
    memory = np.stack([np.stack(exposures[begin : begin + 3]) for begin in (3, 6, 9)])
    for got, one, near in zip(deblurrer.restore(crops, memory), crops, memory, strict=True):
        assert np.abs(got - expected_slots(one, near)).max() <= 1
    validity = [[1, 1, 1], [0, 0, 1], [0, 0, 0]]
    for got, one, near, valid in zip(deblurrer.restore(crops, memory, validity), crops, memory, validity, strict=True):
        assert np.abs(got - expected_slots(one, near[np.array(valid, bool)])).max() <= 1


def test_crops_without_neighbours_are_restored_alone(deblurrer, exposures, inverting):
    crops = np.stack(exposures[:2])
    assert np.array_equal(deblurrer.restore(crops), crops)
    assert np.array_equal(deblurrer.restore(crops, np.zeros((2, 0, 256, 256, 3), np.uint8)), crops)
    assert deblurrer.restore(crops[:0], np.zeros((0, 2, 256, 256, 3), np.uint8)).shape == (0, 256, 256, 3)
    assert np.array_equal(inverting.restore(crops, np.stack([crops, crops])), 255 - crops)


@pytest.mark.parametrize(
    ("memory", "validity", "message"),
    [
        (np.zeros((2, 256, 256, 3), np.uint8), None, "memory of 2 crops is uint8"),
        (np.zeros((1, 2, 256, 256, 3), np.uint8), None, "memory of 2 crops is uint8"),
        (np.zeros((2, 2, 128, 128, 3), np.uint8), None, "memory of 2 crops is uint8"),
        (np.zeros((2, 2, 256, 256, 3), np.float32), None, "memory of 2 crops is uint8"),
        (np.zeros((2, 2, 256, 256, 3), np.uint8), np.ones(2), "validity is 0 or 1"),
        (np.zeros((2, 2, 256, 256, 3), np.uint8), np.full((2, 2), 0.5), "validity is 0 or 1"),
        (None, np.ones((2, 2)), "needs the memory"),
    ],
)
def test_other_memories_are_refused(deblurrer, exposures, memory, validity, message):
    with pytest.raises(ValueError, match=message):
        deblurrer.restore(np.stack(exposures[:2]), memory, validity)
