"""Temporal stability of videos with known motion and known flicker."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from streamdeblur.evaluation.metrics.temporal import temporal_stability
from support.media.motion import panned, steady


@pytest.fixture(scope="module")
def moving(photograph):
    """Five frames of a face that moves by 3 px a frame: uint8 RGB [128, 128, 3]."""
    return list(panned(photograph, steady(3, 5)).frames)


def test_motion_is_no_change(moving):
    plain = np.mean([np.abs(b.astype(float) - a).mean() for a, b in pairwise(moving)])
    result = temporal_stability(moving, moving)
    assert result.sharp.shape == (4,)
    assert result.sharp.tolist() == result.restored.tolist()
    assert result.sharp.mean() < 0.15 * plain
    assert result.excess == 0.0


def test_flicker_is_measured_in_code_values(moving):
    # every other frame is brighter by 6: a change of 6 from each frame to the next
    dim = [frame // 2 + 30 for frame in moving]
    flickering = [frame + np.uint8(6 * (number % 2)) for number, frame in enumerate(dim)]
    still = temporal_stability(dim, dim)
    assert temporal_stability(flickering, dim).restored == pytest.approx(6.0, abs=1.5 * still.sharp.max())
    assert temporal_stability(flickering, dim).sharp.tolist() == still.sharp.tolist()


def test_blurry_videos_change_less_and_noisy_ones_more(moving):
    random = np.random.default_rng(0)
    noisy = [np.clip(frame + random.normal(0, 8, frame.shape), 0, 255).astype(np.uint8) for frame in moving]
    blurred = [cv2.GaussianBlur(frame, (0, 0), 3) for frame in moving]
    assert temporal_stability(blurred, moving).excess < 0 < temporal_stability(noisy, moving).excess


def test_a_detail_that_jumps_is_seen_where_the_flow_of_the_sharp_video_is_followed(moving):
    # a restored face that stays where it was while the true one moves
    stuck = [moving[0]] * len(moving)
    assert temporal_stability(stuck, moving).excess > 5.0


@pytest.mark.parametrize("count", [0, 1])
def test_one_frame_is_no_video(moving, count):
    with pytest.raises(ValueError, match="two frames or more"):
        temporal_stability(moving[:count], moving[:count])


def test_videos_of_different_kinds_are_refused(moving):
    with pytest.raises(ValueError, match="same size and length"):
        temporal_stability(moving[1:], moving)
    with pytest.raises(ValueError, match="same size and length"):
        temporal_stability([frame[:64] for frame in moving], moving)
