"""Frames that were blurred when they were filmed: they are found, and compared with a sharp frame of the same person."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.errors import InputError
from streamdeblur.evaluation.evaluator import Evaluator, EvaluatorSettings
from streamdeblur.evaluation.methods import open_method
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.run_maker import RESTORED_AS_IS
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationClip, EvaluationFace, EvaluationStill
from support.media.motion import MovingFace, panned

FAST = range(12, 16)
"""Frames during which the camera pans fast, with an open shutter."""


def filmed(photograph, speed, blurry=True):
    """24 frames of a camera that moves 1 px per frame, and `speed` px in the fast ones, which are averaged over their motion."""
    steps = [speed if n in FAST else 1 for n in range(24)]
    begins = np.cumsum([-sum(steps) // 2, *steps])
    frames, boxes = [], []
    for begin, step in zip(begins, steps, strict=False):
        clip = panned(photograph, [(int(begin) + n, 0) for n in range(step if blurry else 1)], (256, 256))
        frames.append(np.rint(clip.frames.mean(0)).astype(np.uint8))
        boxes.append(clip.boxes.mean(0))
    return MovingFace(np.stack(frames), np.array(boxes, np.float32))


@pytest.fixture(scope="module")
def footage(photograph):
    return {"turn": filmed(photograph, 14), "slow": filmed(photograph, 1), "crisp": filmed(photograph, 14, blurry=False)}


def data_of(footage, *names):
    return DataSet("films", "clips", clips=[EvaluationClip(n, lambda n=n: footage[n], "anna", n) for n in names])


def cases(footage, *names, protocol="real-blur"):
    return list(BlurProtocol.parse(protocol).cases(data_of(footage, *names), None, 0))


def test_frames_of_a_fast_turn_are_found_and_no_others(footage):
    found = cases(footage, "turn", "slow")
    assert sorted(case.record["frame"] for case in found) == list(FAST)
    assert {case.group for case in found} == {"turn"}
    for case in found:
        assert case.sharp is None
        assert case.record["blur"] > case.record["sharp_blur"]
        assert case.record["motion_px"] > 5


def test_fast_motion_without_blur_is_none(footage):
    with pytest.raises(InputError, match="finds nothing to work on in films: it needs clips in which a face moves so fast"):
        cases(footage, "crisp", "slow")


def test_the_reference_is_the_nearest_sharp_frame(footage):
    sharp_cases = {case.record["frame"]: case.sharp for case in cases(footage, "turn", protocol="sharp")}
    for case in cases(footage, "turn"):
        reference = case.record["reference_frame"]
        assert reference not in FAST
        assert np.array_equal(case.reference, sharp_cases[reference])
        assert np.array_equal(case.blurry, sharp_cases[case.record["frame"]])


def test_pictures_have_no_such_frames(faces):
    stills = DataSet("faces", "pictures", [EvaluationStill("one", lambda: EvaluationFace(faces[0]))])
    with pytest.raises(InputError, match=r"looks for blurry frames of clips, and faces holds none"):
        next(BlurProtocol.parse("real-blur").cases(stills, 1, 0))


def test_runs_end_with_such_a_frame(footage):
    (run, *_) = BlurProtocol.parse("runs:real-blur").runs(data_of(footage, "turn"), None, 0)
    alone = {case.name: case for case in cases(footage, "turn")}
    assert len(run) == RESTORED_AS_IS
    assert np.array_equal(run[-1].blurry, alone[run[-1].name].blurry)
    assert np.array_equal(run[-1].reference, alone[run[-1].name].reference)
    assert all(case.sharp is None for case in run)


def test_only_the_identity_is_measured(footage):
    pytest.importorskip("dlib")
    case = cases(footage, "turn")[0]
    evaluator = Evaluator(EvaluatorSettings(second_detector="none"))
    found = evaluator(case, open_method("unsharp").restore([case])[0])
    assert list(found.metrics) == ["cosine"]
    assert evaluator(case, case.reference).metrics["cosine"] == pytest.approx(1.0)
