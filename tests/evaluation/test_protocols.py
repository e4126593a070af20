"""Protocols: the cases that they make of pictures and clips, their order, and that each depends only on seed and name."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import islice, pairwise

import cv2
import numpy as np
import pytest

from streamdeblur.errors import InputError, OptionError
from streamdeblur.evaluation.case_maker import spread
from streamdeblur.evaluation.cases import Comparison
from streamdeblur.evaluation.evaluate import evaluate
from streamdeblur.evaluation.options import EvaluationOptions
from streamdeblur.evaluation.protocols import BlurProtocol, comparisons_of
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationClip, EvaluationFace, EvaluationStill
from streamdeblur.training.blur.averaging import vla
from streamdeblur.training.blur.exposures import blur_image
from streamdeblur.training.blur.observation import observe
from streamdeblur.training.blur.response import identity, srgb
from support.media.faces import faces_of
from support.media.motion import panned, steady
from support.metrics import psnr

NAMES = [
    "pravg:11", "pravg:255", "pravg+camera:7", "vla", "vla:sequential", "vla+camera", "synthetic", "synthetic:markov",
    "synthetic:handshake", "real-blur", "as-is", "sharp",
]  # fmt: skip
SIDE = 248
"""Longer side of a face box whose window of 1.7 times it is resampled to a crop."""


def moving(photograph, step, frames=25, size=340, side=150.0):
    """A face of this size (150: its crop is not resampled) that moves by `step` pixels per frame."""
    clip = panned(photograph, steady(step, frames), (size, size))
    centres = (clip.boxes[:, :2] + clip.boxes[:, 2:]) / 2
    return replace(clip, boxes=np.concatenate([centres - side / 2, centres + side / 2], axis=1).astype(np.float32))


@pytest.fixture(scope="module")
def footage(photograph):
    return {name: moving(photograph, step) for name, step in (("slow", 1), ("fast", 3), ("short", 2))} | {
        "short": moving(photograph, 2, frames=8)
    }


@pytest.fixture(scope="module")
def clips(footage):
    """Two clips of one person, one of another."""
    people = {"slow": "anna", "fast": "anna", "short": "bert"}
    return DataSet("films", "clips", clips=[EvaluationClip(n, lambda n=n: footage[n], people[n], n) for n in footage])


@pytest.fixture(scope="module")
def stills(photograph):
    faces = faces_of(photograph)
    return DataSet(
        "faces", "pictures", [EvaluationStill(f"face{n}", lambda face=face: EvaluationFace(face)) for n, face in enumerate(faces)]
    )


def cases(name, data, limit=None, seed=0, response="identity"):
    return list(BlurProtocol.parse(name).cases(data, limit, seed, response))


def by_name(found):
    return {case.name: case.digest for case in found}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_read_and_written_alike(name):
    assert str(BlurProtocol.parse(name)) == name


@pytest.mark.parametrize(
    "name", ["", "pravg", "pravg:", "pravg:4", "pravg:1", "pravg:257", "pravg:x", "vla:3", "sharp+camera", "vla+", "blur"]
)
def test_unknown_names_are_refused_with_those_that_are_known(name):
    with pytest.raises(OptionError, match=r"Known: pravg:L, .*vla\+camera, .*synthetic, .*as-is, sharp \(L: .*pravg:11"):
        BlurProtocol.parse(name)


def test_pravg_is_the_mean_of_its_frames_and_the_middle_one_is_sharp(clips, footage):
    found = cases("pravg:7", clips, 6)
    assert len(found) == 6
    for case in found:
        frames, boxes = footage[case.group].frames, footage[case.group].boxes
        middle, record = case.record["frame"], case.record
        assert case.name == f"{case.group}/{middle:06d}"
        assert (record["first"], record["last"], record["length"]) == (middle - 3, middle + 3, 7)
        left, top = np.round((boxes[middle][:2] + boxes[middle][2:]) / 2 - 128).astype(int)
        there = slice(top, top + 256), slice(left, left + 256)
        assert np.array_equal(case.sharp, frames[middle][there])
        mean = np.mean([frames[n][there] for n in range(middle - 3, middle + 4)], axis=0)
        assert np.array_equal(case.blurry, np.rint(mean).astype(np.uint8))
        assert case.kernel is case.reference is None


def test_averages_with_a_camera_have_the_middles_of_those_without(clips):
    without, with_camera = ([case.name for case in cases(name, clips, 2)] for name in ("pravg:7", "pravg+camera:7"))
    assert without == with_camera


def test_vla_takes_the_windows_that_its_rules_allow(clips, footage):
    found = cases("vla", clips)
    assert len(found) > 20
    distinct = {name: observe(clip.frames, clip.boxes) for name, clip in footage.items()}
    for case in found[::5]:
        window = vla(distinct[case.group], case.record["frame"], identity())
        assert (case.record["first"], case.record["last"]) == (window.frames[0], window.frames[-1])
        assert case.record["length"] == window.length >= 3


def test_sequential_windows_are_cases_whose_middles_differ(clips, footage):
    found = cases("vla:sequential", clips)
    assert len(found) == len({case.name for case in found}) > 20
    distinct = {name: observe(clip.frames, clip.boxes) for name, clip in footage.items()}
    for case in found[::5]:
        window = vla(distinct[case.group], case.record["first"], identity(), growth="sequential")
        assert (case.record["frame"], case.record["last"]) == (window.middle, window.frames[-1])


@pytest.mark.parametrize("name", ["pravg:7", "vla:sequential", "synthetic", "sharp"])
def test_a_stride_keeps_the_faces_of_a_clip_apart(clips, name):
    found = list(BlurProtocol.parse(name).cases(clips, None, 0, stride=7))
    assert {case.name for case in found} < {case.name for case in cases(name, clips)}
    for clip in ("slow", "fast"):
        middles = sorted(case.record["frame"] for case in found if case.group == clip)
        assert len(middles) >= 2
        assert min(np.diff(middles)) >= 7


def test_the_stride_is_a_setting_of_an_evaluation(clips, tmp_path):
    models = {"landmark_detector": "none", "second_detector": "none", "embedder": "none"}
    options = EvaluationOptions(protocols=("sharp",), methods=("blurred",), limit=0, stride=4, runs=0, **models)
    found = next(iter(evaluate(clips, options, tmp_path)))
    expected = list(BlurProtocol.parse("sharp").cases(clips, None, 0, stride=4))
    assert [one.case for one in found.results["blurred"]] == [case.name for case in expected]
    assert len(expected) < len(cases("sharp", clips)) / 3


def test_windows_of_pravg_with_a_stride_of_their_length_do_not_overlap_where_frames_are_repeated(footage):
    once = footage["slow"]
    twice = replace(once, frames=np.repeat(once.frames, 2, axis=0), boxes=np.repeat(once.boxes, 2, axis=0))
    data = DataSet("films", "clips", clips=[EvaluationClip("twice", lambda: twice, "anna", "twice")])
    found = list(BlurProtocol.parse("pravg:5").cases(data, None, 0, stride=5))
    windows = sorted((case.record["first"], case.record["last"]) for case in found)
    # as many as fit into 25 frames that differ, from a random one on
    assert len(windows) in (4, 5)
    assert all(one[1] < other[0] for one, other in pairwise(windows))


def test_synthetic_blur_needs_clips_of_which_frames_can_be_averaged(photograph):
    clip = moving(photograph, 1, frames=2)
    data = DataSet("films", "clips", clips=[EvaluationClip("short", lambda: clip, "anna", "short")])
    with pytest.raises(InputError, match="pictures that can be read, or clips with 3 consecutive frames"):
        cases("synthetic", data)


def test_synthetic_blur_takes_the_sharp_faces_of_vla(clips):
    synthetic, averaged = (cases(name, clips) for name in ("synthetic:markov", "vla:sequential"))
    assert [case.name for case in synthetic] == [case.name for case in averaged]
    assert all(np.array_equal(a.sharp, b.sharp) for a, b in zip(synthetic, averaged, strict=True))


def test_the_family_of_synthetic_blur_can_be_chosen(stills):
    markov, handshake = (cases(f"synthetic:{family}", stills, 3) for family in ("markov", "handshake"))
    for first, second in zip(markov, handshake, strict=True):
        assert (first.name, first.record["extent"]) == (second.name, second.record["extent"])
        assert not np.array_equal(first.kernel, second.kernel)


def test_a_shaking_camera_blurs_more(clips):
    still, shaken = (cases(name, clips, 8) for name in ("vla", "vla+camera"))
    quality = [np.mean([psnr(case.blurry, case.sharp) for case in of]) for of in (still, shaken)]
    assert quality[1] < quality[0] - 1
    extents = [case.record["extent"] for case in shaken]
    assert 4 <= min(extents) < max(extents) <= 24
    assert all(np.array_equal(a.sharp, b.sharp) for a, b in zip(still, shaken, strict=True))


def test_synthetic_blur_is_the_kernel_that_the_case_has(stills, clips):
    for data in (stills, clips):
        found = cases("synthetic", data, 5)
        assert len(found) == 5
        for case in found:
            assert case.kernel.sum() == pytest.approx(1.0, abs=1e-4)
            assert np.array_equal(case.blurry, blur_image(case.sharp, case.kernel, identity()))
            assert 4 <= case.record["extent"] <= 34
        assert len({case.record["extent"] for case in found}) == 5


def test_in_another_response_no_kernel_is_the_blur_in_code_values(stills):
    found = cases("synthetic", stills, response="srgb")
    known = cases("synthetic", stills)
    assert all(case.kernel is None and case.record["response"] == "srgb" for case in found)
    kernels = {case.name: case.kernel for case in known}
    assert all(np.array_equal(case.blurry, blur_image(case.sharp, kernels[case.name], srgb())) for case in found)


def test_sharp_faces_are_to_stay_as_they_are(stills, clips):
    for data, count in ((stills, 5), (clips, 58)):
        found = cases("sharp", data)
        assert len(found) == count
        assert all(np.array_equal(case.blurry, case.sharp) for case in found)


def test_blurry_faces_as_they_are_have_a_reference_or_none(stills):
    first, *others = stills.stills
    data = replace(stills, stills=[replace(first, reference=others[0]), *others])
    found = {case.name: case for case in cases("as-is", data)}
    assert all(case.sharp is None for case in found.values())
    assert np.array_equal(found["face0"].blurry, first.open().crop)
    assert np.array_equal(found["face0"].reference, others[0].open().crop)
    assert found["face1"].reference is None


@pytest.mark.parametrize("name", ["pravg+camera:5", "vla+camera", "synthetic", "as-is"])
def test_the_same_seed_gives_the_same_bytes(clips, name):
    first, again, other = (by_name(cases(name, clips, 7, seed)) for seed in (3, 3, 4))
    assert first == again
    assert len(first) == 7
    assert first != other


def test_a_case_does_not_depend_on_what_else_there_is(clips):
    alone = replace(clips, clips=clips.clips[:1])
    everything = by_name(cases("pravg+camera:5", clips))
    assert by_name(cases("pravg+camera:5", alone, 4)).items() <= everything.items()
    few, more = (by_name(cases("pravg+camera:5", clips, limit)) for limit in (3, 9))
    assert few.items() <= more.items() <= everything.items()


def test_all_people_and_clips_have_their_turn_before_one_has_a_second(clips):
    for limit, people, films in ((2, {"anna", "bert"}, 2), (3, {"anna", "bert"}, 3)):
        found = cases("sharp", clips, limit)
        assert {case.identity for case in found} == people
        assert len({case.group for case in found}) == films == len(found)
    counts = [sum(case.group == name for case in cases("sharp", clips, 12)) for name in ("slow", "fast", "short")]
    assert counts == [4, 4, 4]


def test_what_a_short_clip_cannot_give_the_others_do(clips):
    # The short clip has two windows of 7 frames; the order depends on the seed.
    counts = {len(cases("pravg:7", clips, 12, seed)) for seed in range(6)}
    assert max(counts) == 12
    assert min(counts) >= 10
    assert len(cases("pravg:7", clips)) == 19 + 19 + 2


def test_pairs_that_are_compared_come_together(stills):
    listed = [(1, 0, 1, True), (1, 2, 3, False), (2, 0, 4, True)]
    pairs = [Comparison(fold, f"face{a}", f"face{b}", same) for fold, a, b, same in listed]
    data = replace(stills, comparisons=pairs)
    found = cases("synthetic", data, 4)
    assert [case.name for case in found] == ["face0", "face1", "face2", "face3"]
    assert comparisons_of(data, found) == pairs[:2]


def test_comparisons_are_of_videos_that_have_cases(clips):
    pairs = [Comparison(1, "slow", "short", False), Comparison(1, "slow", "gone", True)]
    data = replace(clips, comparisons=pairs)
    assert comparisons_of(data, cases("pravg:7", data, 3)) == pairs[:1]


def test_annotated_points_move_with_the_crop(photograph):
    clip = moving(photograph, 1, 9, size=440, side=SIDE)
    annotations = np.tile(np.float32([200, 230]), (9, 68, 1))
    data = DataSet("annotated", "clips", clips=[EvaluationClip("one", lambda: replace(clip, landmarks=annotations), "", "one")])
    for case in cases("pravg:3", data, 3):
        x0, y0 = ((clip.boxes[case.record["frame"]][:2] + clip.boxes[case.record["frame"]][2:]) / 2 - 211).round()
        scale = 256 / 422
        expected = (200.5 - x0) * scale - 0.5, (230.5 - y0) * scale - 0.5
        assert case.landmarks.shape == (68, 2)
        assert case.landmarks[0] == pytest.approx(expected, abs=1e-3)
        # the crop shows at that point what the frame shows there
        patch = cv2.resize(clip.frames[case.record["frame"]][230 - 20 : 230 + 21, 200 - 20 : 200 + 21], None, fx=scale, fy=scale)
        _, best, _, place = cv2.minMaxLoc(cv2.matchTemplate(case.sharp, patch, cv2.TM_CCOEFF_NORMED))
        assert best > 0.9
        assert np.add(place, (len(patch) - 1) / 2) == pytest.approx(expected, abs=1.5)


def test_five_points_of_the_detector_are_no_truth(photograph):
    clip = replace(moving(photograph, 1, 5), landmarks=np.full((5, 5, 2), 150, np.float32))
    data = DataSet("found", "clips", clips=[EvaluationClip("one", lambda: clip, "", "one")])
    assert all(case.landmarks is None for case in cases("sharp", data))


def test_averages_need_clips(stills):
    with pytest.raises(InputError, match=r"pravg:11 averages frames of clips, and faces holds none \(pictures\)"):
        BlurProtocol.parse("pravg:11").cases(stills, 5, 0)


def test_averages_need_clips_that_are_long_enough(clips):
    with pytest.raises(InputError, match="needs 99 consecutive frames"):
        cases("pravg:99", clips)


def test_what_cannot_be_read_is_left_out_with_a_warning(stills, caplog):
    def fail():
        raise InputError("the disk is gone")

    data = replace(stills, stills=[EvaluationStill("bad", fail), *stills.stills])
    with caplog.at_level(logging.WARNING):
        assert len(cases("sharp", data)) == 5
    assert [record.message for record in caplog.records] == ["bad is left out: the disk is gone"]
    with pytest.raises(InputError, match="none of its faces can be read"):
        cases("sharp", replace(stills, stills=[EvaluationStill("bad", fail)]))


def test_faces_are_read_when_their_case_is_asked_for(stills):
    opened = []

    def watched(still):
        def read():
            opened.append(still.name)
            return still.open()

        return replace(still, open=read)

    data = replace(stills, stills=[watched(still) for still in stills.stills])
    assert len(list(islice(BlurProtocol.parse("sharp").cases(data, None, 0), 2))) == len(opened) == 2


def test_every_beginning_of_an_order_is_spread(photograph):
    for count in (1, 7, 100):
        order = spread(count, np.random.default_rng(count))
        assert sorted(order) == list(range(count))
    for taken in (5, 12, 30):
        places = np.sort(order[:taken])
        assert np.diff(places, prepend=places[-1] - 100).max() <= 3 * 100 / taken
