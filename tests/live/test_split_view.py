"""The split view."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur.live.split_view import split_view
from streamdeblur.video.copying import line_bytes
from streamdeblur.video.drawing import text_picture, text_size
from streamdeblur.video.planes import upright_planes
from streamdeblur.video.turning import turn_of, turned_picture
from support.live import turned_frame
from support.media.frames import plane_bytes, random_frame


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuyv422", "rgb24", "yuv422p10le", "p010le", "gray"])
@pytest.mark.parametrize("size", [(96, 72), (117, 83)])
def test_both_halves_of_the_split_view_meet_at_a_line_in_the_middle(pixel_format, size):
    left, right = (random_frame(pixel_format, *size, seed=seed) for seed in (1, 2))
    both = split_view(left, right)
    columns = size[0] // 16 * 8
    # the labels are at the bottom
    above = slice(0, size[1] // 4)
    for index, plane in enumerate(plane_bytes(both)):
        bound, begin, end = (line_bytes(both, index, count) for count in (columns, columns - 8, columns + 8))
        assert 0.4 < bound / plane.shape[1] <= 0.5
        np.testing.assert_array_equal(plane[above, :begin], plane_bytes(left)[index][above, :begin])
        np.testing.assert_array_equal(plane[above, end:], plane_bytes(right)[index][above, end:])
    gray = both.to_ndarray(format="gray")[above]
    assert (gray[:, columns - 2 : columns + 2].max(axis=1) > 230).all()


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_the_labels_of_a_turned_frame_are_upright(tmp_path, few_pictures, rotation):
    frame, _ = turned_frame(tmp_path, few_pictures[0], rotation)
    both = split_view(frame, frame)
    shown = turned_picture(both.to_ndarray(format="gray"), turn_of(both))
    for text in ("before", "after"):
        label = np.ascontiguousarray(text_picture(text, text_size(upright_planes(frame)))[..., 0])
        assert cv2.matchTemplate(shown, label, cv2.TM_CCOEFF_NORMED).max() > 0.95
