"""What is observed of frames: motion, cuts, repeated frames, parts of faces."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.training.blur.observation import face_parts, observe
from support.media.motion import panned, steady


@pytest.mark.parametrize("scale", [1, 3])
def test_motion_is_in_pixels_of_the_frame(photograph, scale):
    clip = panned(photograph, steady(2, 5))
    frames = clip.frames.repeat(scale, axis=1).repeat(scale, axis=2)
    observations = observe(frames, clip.boxes * scale)
    assert observations[0].path == 0.0
    for observation in observations[1:]:
        assert observation.path == pytest.approx(2 * scale, rel=0.2)
        motion = observation.motion[observation.region].reshape(-1, 2)
        assert np.median(motion, axis=0) == pytest.approx([-2 * scale, 0], abs=0.4 * scale)


def test_repeated_frames_and_cuts_are_noticed(photograph):
    pan = panned(photograph, steady(2, 6)).frames
    other = panned(photograph, steady(2, 3), centre=(1100, 600)).frames
    frames = np.concatenate([pan[:3], pan[2:3], pan[3:], 255 - other])
    observations = observe(frames)
    assert [o.number for o in observations if o.repeated] == [3]
    assert [o.number for o in observations if o.cut] == [7]
    assert observations[7].path == 0.0


def test_noise_of_compression_is_no_motion(photograph):
    frame = panned(photograph, [(0, 0)]).frames[0]
    speckled = frame.copy()
    speckled[::16, ::16] ^= 1
    assert observe(np.stack([frame, speckled]))[1].repeated


def test_a_change_of_size_is_a_cut(photograph):
    sizes = [panned(photograph, [(0, 0)], size).frames[0] for size in ((128, 128), (128, 96))]
    assert observe(sizes)[1].cut
    # the same picture at another size has the same luma
    enlarged = sizes[0].repeat(2, axis=0).repeat(2, axis=1)
    assert [o.cut for o in observe([enlarged, sizes[0], sizes[0]])] == [False, True, False]


def test_parts_come_from_landmarks_or_the_box():
    box = np.array([10.0, 20, 110, 120])
    parts = face_parts(box)
    assert parts.shape == (4, 4)
    assert (parts[:, :2] >= [10, 20]).all()
    assert (parts[:, 2:] <= [110, 120]).all()
    five = np.array([[30.0, 40], [70, 40], [50, 60], [35, 80], [65, 80]])
    squares = face_parts(box, five)
    assert np.allclose((squares[:, :2] + squares[:, 2:]) / 2, five)
    marks = np.random.default_rng(0).uniform(0, 100, (68, 2))
    eye = face_parts(box, marks)[0]
    assert eye == pytest.approx([*marks[36:42].min(0), *marks[36:42].max(0)])


def test_a_thinned_observation_keeps_what_pravg_needs(photograph):
    observation = observe(panned(photograph, steady(3, 3)).frames)[2]
    thin = observation.thinned()
    assert thin.path == pytest.approx(observation.path)
    assert (thin.number, thin.cut, thin.repeated) == (2, False, False)
    assert thin.luma.nbytes + thin.motion.nbytes < 100
