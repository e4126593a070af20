"""Clips in reverse order: only what shows another blur than the clip as it is."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.training.blur.exposures import average_clip
from streamdeblur.training.blur.response import identity
from streamdeblur.training.blur.reverse import SAME_BLUR_DB, average_backwards, same_blur
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.stop_rules import StopRules
from support.media.motion import panned
from support.metrics import psnr

RULES = StopRules(least_overlap=0.4, least_similarity=0.4)


@pytest.fixture(scope="module")
def clip(photograph):
    """A camera that speeds up, so that windows from either end differ."""
    return panned(photograph, [(round(n * n / 12), 0) for n in range(26)], size=(96, 96))


def both_ways(clip, growth):
    scheme = BlurScheme("vla", growth=growth)
    forward = list(average_clip(clip, scheme, identity(), rules=RULES))
    known = [window for window, _ in forward]
    return forward, list(average_backwards(clip, scheme, identity(), known, rules=RULES))


def test_symmetric_windows_repeat_the_forward_ones(clip):
    """Every frame is a middle in both directions, and its window grows by the same frames."""
    forward, backward = both_ways(clip, "symmetric")
    assert len(forward) == len(backward) > 10
    assert backward == [None] * len(backward)


def test_sequential_windows_grow_from_the_other_end_and_most_are_new(clip):
    forward, backward = both_ways(clip, "sequential")
    new = [averaged for averaged in backward if averaged is not None]
    assert 5 < len(new) < len(backward)
    known = {window.frames for window, _ in forward}
    for window, pair in new:
        assert window.frames not in known
        assert list(window.frames) == sorted(window.frames)
        mean = clip.frames[list(window.frames)].mean(axis=0)
        assert np.abs(mean - pair.blurry).max() <= 0.51
        assert np.array_equal(pair.sharp, clip.frames[window.middle])


def test_blur_is_the_same_by_its_psnr_in_the_box_of_the_face(photograph):
    first = photograph[:40, :60]
    near, far = (first.astype(int) + change for change in (np.zeros(first.shape, int), np.zeros(first.shape, int)))
    near[10:20, 10:30] += 2 * (1 - 2 * (first[10:20, 10:30] > 127))
    far[10:20, 10:30] += 3 * (1 - 2 * (first[10:20, 10:30] > 127))
    near, far = near.astype(np.uint8), far.astype(np.uint8)
    face, other, absent = np.float32([10, 10, 30, 20]), np.float32([30, 20, 60, 40]), np.float32([-30, -20, -3, -4])
    assert psnr(first[10:20, 10:30], near[10:20, 10:30]) > SAME_BLUR_DB > psnr(first[10:20, 10:30], far[10:20, 10:30])
    assert same_blur(first, near, face)
    assert not same_blur(first, far, face)
    assert same_blur(first, far, other)
    assert same_blur(first, far, None), "the face is a small part of the picture"
    assert same_blur(first, far, absent)
