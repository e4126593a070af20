"""Runs: exposures that follow each other and never overlap, what methods are given of them, and that all depends on the seed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from streamdeblur.errors import InputError, OptionError
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.run_maker import AHEAD, DUTY, LEAD, RESTORED, RESTORED_AS_IS
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationClip, EvaluationFace, EvaluationStill
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.shake import Shake
from support.media.faces import faces_of
from support.media.motion import panned
from support.metrics import psnr

SIDE = 256
LENGTH = LEAD + RESTORED + AHEAD


def filmed(photograph, offsets):
    """A face of 150 px, whose crop is not resampled."""
    clip = panned(photograph, offsets, (400, 360))
    centres = (clip.boxes[:, :2] + clip.boxes[:, 2:]) / 2
    return replace(clip, boxes=np.concatenate([centres - 75, centres + 75], axis=1).astype(np.float32))


def films(footage):
    return DataSet("films", "clips", clips=[EvaluationClip("film", lambda: footage, "anna", "film")])


@pytest.fixture(scope="module")
def footage(photograph):
    """A face that moves by 2 px a frame, more or less."""
    return filmed(photograph, [(2 * n + n % 3, n) for n in range(-20, 20)])


@pytest.fixture(scope="module")
def clips(footage):
    return films(footage)


@pytest.fixture(scope="module")
def swinging(photograph):
    """A face that swings by 5 px a frame, so that variable averages are short."""
    return films(filmed(photograph, [(5 * abs(n % 20 - 10), 0) for n in range(60)]))


@pytest.fixture(scope="module")
def stills(photograph):
    faces = faces_of(photograph)[:3]
    return DataSet(
        "faces", "pictures", [EvaluationStill(f"face{n}", lambda face=face: EvaluationFace(face)) for n, face in enumerate(faces)]
    )


def runs(name, data, limit=3, seed=0, **settings):
    return list(BlurProtocol.parse(name).runs(data, limit, seed, **settings))


def test_names_are_read_and_written_alike():
    for name in ("runs:vla", "runs:pravg+camera:11", "runs:synthetic", "runs:as-is", "runs:real-blur", "sliding:pravg:7"):
        assert str(BlurProtocol.parse(name)) == name
    with pytest.raises(OptionError, match="only averages slide"):
        BlurProtocol.parse("sliding:synthetic")
    with pytest.raises(OptionError, match="Unknown protocol 'pravg:4'"):
        BlurProtocol.parse("runs:pravg:4")


@pytest.mark.parametrize("name", ["runs:pravg:3", "runs:vla", "runs:vla:sequential", "sliding:pravg:5", "sliding:vla"])
def test_exposures_follow_each_other_and_overlap_only_where_the_name_says_so(swinging, name):
    found = runs(name, swinging, 4)
    assert len(found) == 4
    for run in found:
        assert len(run) == RESTORED
        assert len({case.record["length"] for case in run}) == 1
        for before, after in pairwise(case.record for case in run):
            if name.startswith("runs"):
                assert after["first"] == before["last"] + 1
            else:
                assert after["first"] == before["first"] + 1 <= before["last"]


def test_a_method_is_given_the_exposures_around_each_frame(clips, footage):
    (run,) = runs("runs:pravg:3", clips, 1)
    for position, case in enumerate(run):
        assert (len(case.neighbours.before), len(case.neighbours.after)) == (LEAD + position, LENGTH - LEAD - position - 1)
    for earlier, later in pairwise(run):
        assert later.neighbours.before[-1] is earlier.blurry
        assert earlier.neighbours.after[0] is later.blurry
        assert later.neighbours.before[:-1] == earlier.neighbours.before
    # each is the mean of its own frames, in a window that follows the face
    present = run[-1]
    everything = [*present.neighbours.before, present.blurry, *present.neighbours.after]
    for n, picture in enumerate(everything):
        middle = present.record["frame"] + 3 * (n - LENGTH + AHEAD + 1)
        box = footage.boxes[middle]
        left, top = np.round((box[:2] + box[2:]) / 2 - SIDE / 2).astype(int)
        mean = footage.frames[middle - 1 : middle + 2, top : top + SIDE, left : left + SIDE].mean(0)
        assert np.array_equal(picture, np.rint(mean).astype(np.uint8))


def test_the_present_frame_is_that_of_the_single_face(clips):
    singles = {case.name: case for case in BlurProtocol.parse("pravg:3").cases(clips, None, 0)}
    for run in runs("runs:pravg:3", clips, 3):
        assert np.array_equal(run[-1].blurry, singles[run[-1].name].blurry)
        assert np.array_equal(run[-1].sharp, singles[run[-1].name].sharp)
        assert run[-1].digest != singles[run[-1].name].digest, "results of a run and of a single face are told apart"


def test_a_camera_shakes_through_the_run(clips):
    still, shaken = (runs(name, clips, 2) for name in ("runs:pravg:3", "runs:pravg+camera:3"))
    for one, other in zip(still, shaken, strict=True):
        assert [case.name for case in one] == [case.name for case in other]
        for a, b in zip(one, other, strict=True):
            assert np.array_equal(a.sharp, b.sharp)
            assert psnr(b.blurry, b.sharp) < psnr(a.blurry, a.sharp) - 1


def test_a_path_has_its_extent_in_the_present_exposure():
    for present in (-1, 2):
        shake = Shake.sample(np.random.default_rng(1), 5, 12.0, 0.5, present=present)
        assert np.ptp(shake.positions[present], axis=0).max() == pytest.approx(11.0, rel=1e-3)
        paths = CameraPath.sample_run(np.random.default_rng(1), 5, 3, 12.0, 256, 256, present)
        assert paths[present].extent == pytest.approx(12.0, rel=1e-3)


def test_synthetic_runs_of_clips_are_of_consecutive_frames(clips, footage):
    for run in runs("runs:synthetic", clips, 3):
        record = run[-1].record
        assert 4 <= record["extent"] <= 34
        assert DUTY[0] <= record["duty"] <= DUTY[1]
        number = int(run[-1].name.rsplit("/", 1)[1])
        for offset, case in zip((-2, -1, 0), run, strict=True):
            box = footage.boxes[number + offset]
            left, top = np.round((box[:2] + box[2:]) / 2 - SIDE / 2).astype(int)
            assert np.array_equal(case.sharp, footage.frames[number + offset, top : top + SIDE, left : left + SIDE])


def test_a_still_moves_a_little_around_its_present_place(stills):
    found = runs("runs:synthetic", stills)
    assert [len(run) for run in found] == [RESTORED] * 3
    pictures = {still.name: still.open().crop for still in stills.stills}
    for run in found:
        assert np.array_equal(run[-1].sharp, pictures[run[-1].name])
        assert all(15 < psnr(case.sharp, run[-1].sharp) < 45 for case in run[:-1])


def test_noise_is_drawn_anew_for_each_exposure(clips):
    (clean,), (noisy,) = (runs("runs:pravg:3", clips, 1, noise=noise) for noise in (0.0, 4.0))
    added = [b.blurry.astype(float) - a.blurry for a, b in zip(clean, noisy, strict=True)]
    assert all(noise.std() == pytest.approx(4.0, rel=0.05) for noise in added)
    assert abs(np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]) < 0.02
    assert np.array_equal(noisy[-1].sharp, clean[-1].sharp)
    for name in ("runs:sharp", "runs:as-is"):
        (plain,), (as_before,) = (runs(name, clips, 1, noise=noise) for noise in (0.0, 4.0))
        assert np.array_equal(plain[-1].blurry, as_before[-1].blurry)


def test_footage_as_it_is_has_no_sharp_frames(clips):
    (run,) = runs("runs:as-is", clips, 1)
    assert len(run) == RESTORED_AS_IS
    assert all(case.sharp is None for case in run)


def test_faces_with_hardly_any_blur_can_be_left_out(clips):
    everything = runs("runs:pravg:3", clips, None)
    limit = float(np.median([psnr(run[-1].blurry, run[-1].sharp) for run in everything]))
    chosen = runs("runs:pravg:3", clips, None, visible=limit)
    assert 0 < len(chosen) < len(everything)
    assert all(psnr(run[-1].blurry, run[-1].sharp) <= limit + 1e-3 for run in chosen)


def digests(found):
    return {case.name: case.digest for run in found for case in run}


@pytest.mark.parametrize("name", ["runs:pravg+camera:3", "runs:synthetic"])
def test_the_same_seed_gives_the_same_bytes(clips, name):
    first, again, other = (digests(runs(name, clips, 2, seed, noise=1.5)) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert digests(runs(name, clips, 1, 3, noise=1.5)).items() <= first.items()


def test_clips_that_are_too_short_are_said(clips, stills):
    with pytest.raises(InputError, match="clips that are long enough for a run"):
        runs("runs:pravg:21", clips)
    with pytest.raises(InputError, match="averages frames of clips"):
        runs("runs:vla", stills)
    with pytest.raises(InputError, match="finds nothing to work on"):
        runs("runs:as-is", stills)
