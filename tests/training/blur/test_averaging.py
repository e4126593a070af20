"""Windows and their averages: each stop rule alone, exact sums, repeated frames."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.training.blur.averaging import RunningSum, distinct_frames, find_windows, pravg, vla
from streamdeblur.training.blur.exposures import average_clip
from streamdeblur.training.blur.observation import observe
from streamdeblur.training.blur.response import identity, srgb
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.stop_rules import StopRules, parts_overlap
from support.media.motion import MovingFace, panned, steady
from support.reference import blur as reference

LAX = StopRules(least_overlap=0, least_similarity=0, least_progress=0, still_below=0, longest=21)
"""Rules that nothing breaks; each test makes one of them strict."""


def middle_window(clip, rules):
    observations = distinct_frames(observe(clip.frames, clip.boxes, clip.landmarks))
    return vla(observations, len(observations) // 2, srgb(), rules)


def strict(**settings):
    return StopRules(**{**LAX.model_dump(), **settings})


def test_where_no_rule_stops_it_a_window_is_the_longest(photograph):
    window = middle_window(panned(photograph, steady(2, 25)), LAX)
    assert (window.stopped_by, window.frames, window.middle) == ("longest", tuple(range(2, 23)), 12)
    assert window.motion_px == pytest.approx(40, rel=0.2)


def test_it_ends_with_the_clip(photograph):
    window = middle_window(panned(photograph, steady(2, 9)), LAX)
    assert (window.stopped_by, window.length) == ("end", 9)


def test_rule_i_facial_parts_of_first_and_last_frame_overlap(photograph):
    """The parts are 0.3 to 0.44 of a face of 110 px; at 6 px a frame the first ones part after 6 frames."""
    clip = panned(photograph, steady(6, 25))
    window = middle_window(clip, strict(least_overlap=0.05))
    assert window.stopped_by == "overlap"
    assert 3 <= window.length <= 7
    clip.landmarks = clip.boxes[:, None, :2] + np.float32([[20, 20], [50, 20], [35, 40], [25, 60], [45, 60]])
    by_landmarks = middle_window(clip, strict(least_overlap=0.05))
    assert by_landmarks.stopped_by == "overlap"
    assert by_landmarks.length < window.length


def test_rule_i_does_not_apply_without_faces(photograph):
    clip = panned(photograph, steady(6, 25))
    clip.boxes = None
    assert middle_window(clip, strict(least_overlap=0.05)).stopped_by == "longest"


def test_rule_ii_the_average_is_like_the_middle_frame(photograph):
    clip = panned(photograph, steady(3, 25))
    windows = [middle_window(clip, strict(least_similarity=least)) for least in (0.7, 0.8, 0.9)]
    assert [window.stopped_by for window in windows] == ["quality"] * 3
    assert windows[0].length > windows[1].length > windows[2].length


def test_rule_ii_holds_for_the_window_and_fails_for_the_next(photograph):
    clip = panned(photograph, steady(3, 25))
    window = middle_window(clip, strict(least_similarity=0.7))
    observations = observe(clip.frames)

    def similarity(reach):
        lumas = np.stack([o.luma[..., 0] for o in observations[12 - reach : 13 + reach]])
        mean = np.rint(srgb().linearise(lumas).astype(float).mean(axis=0)).astype(int)
        return reference.ssim(srgb().develop(mean), observations[12].luma[..., 0])

    reach = window.length // 2
    assert similarity(reach) >= 0.7 > similarity(reach + 1)


def test_rule_iii_stops_on_oscillation(photograph):
    swing = [(round(7 * np.sin(n / 2)), 0) for n in range(-12, 13)]
    window = middle_window(panned(photograph, swing), strict(least_progress=0.5))
    assert window.stopped_by == "oscillation"
    # a sine turns around after a quarter of its period of 12.6 frames; the way back must outweigh half of the way there
    assert 7 <= window.length <= 15


def test_rule_iii_stops_at_a_cut(photograph):
    clip = panned(photograph, steady(2, 25))
    clip.frames[17:] = 255 - panned(photograph, steady(2, 8), centre=(1100, 600)).frames
    window = middle_window(clip, LAX)
    assert (window.stopped_by, window.frames) == ("cut", tuple(range(8, 17)))
    clip.frames = clip.frames[::-1].copy()
    assert middle_window(clip, LAX).stopped_by == "cut"


def test_rule_iii_stops_where_nothing_moves(photograph):
    clip = panned(photograph, [(0, 0)] * 25)
    # noise, so that no frame repeats the one before
    noisy = clip.frames + np.random.default_rng(0).normal(0, 3, clip.frames.shape)
    clip.frames = np.clip(noisy, 0, 255).astype(np.uint8)
    window = middle_window(clip, strict(still_below=0.02, patience=11))
    assert (window.stopped_by, window.length) == ("still", 9)


@pytest.mark.parametrize(
    ("path", "net", "length", "fault"),
    [(30, 29, 5, None), (30, 14, 5, "oscillation"), (3, 1, 5, None), (0.5, 0.5, 11, "still"), (0.5, 0.5, 9, None)],
)
def test_the_motion_rule_by_numbers(path, net, length, fault):
    assert StopRules().motion(path, net, length, side=300) == fault


def test_overlap_of_parts_by_numbers():
    parts = np.array([[0, 0, 10, 10], [20, 0, 40, 10]], np.float32)
    assert parts_overlap(parts, parts) == 1.0
    assert parts_overlap(parts, parts + np.float32([5, 0, 5, 0])) == pytest.approx((0.5 + 0.75) / 2)
    assert parts_overlap(parts, parts + np.float32([0, 11, 0, 11])) == 0.0


@pytest.mark.parametrize("length", [3, 7, 21])
def test_pravg_takes_the_neighbours(photograph, length):
    observations = observe(panned(photograph, steady(2, 25)).frames)
    window = pravg(observations, 12, length)
    assert window.frames == tuple(range(12 - length // 2, 13 + length // 2))
    assert window.stopped_by == "predefined"
    assert window.motion_px == pytest.approx(2 * (length - 1), rel=0.25)
    assert pravg(observations, length // 2 - 1, length) is None
    assert pravg(observations, 25 - length // 2, length) is None


@pytest.mark.parametrize("length", [0, 1, 4, -3])
def test_pravg_refuses_even_lengths(photograph, length):
    with pytest.raises(ValueError, match="odd"):
        pravg(observe(panned(photograph, steady(2, 5)).frames), 2, length)


def test_repeated_frames_are_left_out(photograph):
    frames = panned(photograph, steady(2, 12)).frames
    doubled = frames[[0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11]]
    windows = find_windows(observe(doubled), BlurScheme("pravg", 5), srgb())
    assert windows[2].frames == (2, 4, 5, 6, 8)
    averages = [pair for _, pair in average_clip(MovingFace(doubled), BlurScheme("pravg", 5), identity())]
    expected = [np.rint(frames[n : n + 5].mean(axis=0)) for n in range(8)]
    assert [np.array_equal(a.blurry, e) for a, e in zip(averages, expected, strict=True)] == [True] * 8


def test_a_running_sum_forgets_what_is_gone(photograph):
    frames = panned(photograph, steady(3, 12)).frames
    total = RunningSum(srgb())
    for window in ((0, 1, 2), (1, 2, 3), (1, 2, 3, 4, 5), (4,), (9, 10, 11), (0, 11)):
        fresh = RunningSum(srgb()).average((n, frames[n]) for n in window)
        assert np.array_equal(total.average((n, frames[n]) for n in window), fresh)


def test_a_clip_that_stands_still_averages_to_itself(photograph):
    frame = panned(photograph, [(0, 0)]).frames[0]
    blurry = RunningSum(srgb()).average((n, frame) for n in range(9))
    assert np.array_equal(blurry, frame)


def test_sequential_growth_adds_frames_at_the_end_and_moves_the_middle(photograph):
    observations = observe(panned(photograph, steady(2, 25)).frames)
    window = vla(observations, 2, srgb(), LAX, "sequential")
    assert (window.stopped_by, window.frames, window.middle) == ("longest", tuple(range(2, 23)), 12)
    even = vla(observations, 2, srgb(), strict(longest=20), "sequential")
    assert (even.stopped_by, even.frames, even.middle) == ("longest", tuple(range(2, 21)), 11)
    assert even.motion_px == pytest.approx(36, rel=0.2)
    assert vla(observations, 23, srgb(), LAX, "sequential").frames == (23,)


@pytest.mark.parametrize("growth", ["symmetric", "sequential"])
def test_windows_are_those_of_the_definition(photograph, growth):
    """A camera that speeds up, turns round and ends in another shot, under rules each of which stops some windows."""
    offsets = [(round(28 * np.sin(n * n / 150)), n // 3) for n in range(34)]
    clip = panned(photograph, offsets, size=(96, 96))
    clip.frames[30:] = 255 - clip.frames[30:]
    rules = StopRules(least_overlap=0.4, least_similarity=0.6, least_progress=0.6, swing_from=0.1, longest=15)
    observations = distinct_frames(observe(clip.frames, clip.boxes))
    windows = [vla(observations, start, srgb(), rules, growth) for start in range(0, len(observations), 2)]
    expected = [
        reference.grown_window(observations, start, srgb(), rules, growth == "sequential")
        for start in range(0, len(observations), 2)
    ]
    numbers = [tuple(o.number for o in observations[first : last + 1]) for first, last in expected]
    assert [window.frames for window in windows] == numbers
    assert {window.stopped_by for window in windows} >= {"overlap", "cut", "end"}
