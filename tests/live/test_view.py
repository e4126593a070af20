"""What the window shows."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.live.status_frame import GRAY, status_frame, status_picture
from streamdeblur.live.view import shown_picture
from streamdeblur.video.conversion import to_editable_format
from streamdeblur.video.turning import turn_of
from support.live import turned_frame
from support.media.frames import random_frame


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_turned_frame_is_shown_upright(tmp_path, few_pictures, rotation):
    frame, upright = turned_frame(tmp_path, few_pictures[0], rotation)
    shown = shown_picture(frame)
    assert (shown.shape, shown.flags.c_contiguous) == ((*upright.shape, 3), True)
    assert np.abs(shown.mean(axis=2) - upright).mean() < 20


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_the_status_of_a_turned_source_is_upright(tmp_path, few_pictures, rotation):
    frame, upright = turned_frame(tmp_path, few_pictures[0], rotation)
    status = status_frame("Waiting", frame)
    assert turn_of(status) == turn_of(frame)
    expected = status_picture("Waiting", upright.shape[1], upright.shape[0])
    assert np.abs(shown_picture(status).astype(int) - expected).max() < 8


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuyv422", "rgb24", "yuv422p10le", "p010le", "gray"])
def test_a_status_is_of_the_format_and_size_of_its_stream(pixel_format):
    like = to_editable_format(random_frame(pixel_format, 117, 83, seed=1))
    status = status_frame("Waiting", like)
    assert (status.format.name, status.width, status.height) == (pixel_format, 117, 83)
    levels = status.to_ndarray(format="gray")
    assert abs(float(np.median(levels)) - GRAY) < 24
    assert levels.max() > 150
