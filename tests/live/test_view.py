"""The split view."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.live.view import split_view
from streamdeblur.video.copying import line_bytes
from support.media.frames import plane_bytes, random_frame


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuyv422", "rgb24", "yuv422p10le", "p010le", "gray"])
@pytest.mark.parametrize("size", [(96, 72), (37, 23)])
def test_both_halves_of_the_split_view_meet_in_the_middle(pixel_format, size):
    left, right = (random_frame(pixel_format, *size, seed=seed) for seed in (1, 2))
    both = split_view(left, right)
    columns = size[0] // 16 * 8
    for index, plane in enumerate(plane_bytes(both)):
        bound = line_bytes(both, index, columns)
        assert 0.4 < bound / plane.shape[1] <= 0.5
        np.testing.assert_array_equal(plane[:, :bound], plane_bytes(left)[index][:, :bound])
        np.testing.assert_array_equal(plane[:, bound:], plane_bytes(right)[index][:, bound:])
