"""What is drawn into frames has its colour in every pixel format, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.faces.window import crop_region
from streamdeblur.video.drawing import DARK, draw_box, draw_picture, text_picture, write_lines
from streamdeblur.video.planes import frame_planes
from streamdeblur.video.side_by_side import side_by_side
from support.media.frames import PIXEL_FORMATS, RARE_PIXEL_FORMATS, plane_bytes, random_frame

ORANGE = (240, 140, 20)


def shown(frame, left, top, width, height):
    """The mean colour of a region."""
    return crop_region(frame_planes(frame), left, top, width, height, np.empty((height, width, 3), np.uint8)).mean(axis=(0, 1))


@pytest.mark.parametrize("pixel_format", [*PIXEL_FORMATS, *RARE_PIXEL_FORMATS])
def test_a_picture_has_its_colour_and_its_place(pixel_format):
    frame, before = random_frame(pixel_format), random_frame(pixel_format)
    picture = np.full((24, 32, 3), ORANGE, np.uint8)
    draw_picture(frame_planes(frame), picture, 40, 20)
    expected = np.full(3, np.dot(ORANGE, (0.2126, 0.7152, 0.0722))) if pixel_format.startswith("gray") else ORANGE
    assert np.abs(shown(frame, 48, 28, 16, 8) - expected).max() < 2.0
    # the fourth plane is that of the transparency
    for old, new in zip(plane_bytes(before)[:3], plane_bytes(frame)[:3], strict=True):
        lines, columns = np.nonzero(old != new)
        assert 0.2 < lines.min() / old.shape[0] < lines.max() / old.shape[0] < 0.63
        assert 0.4 < columns.min() / old.shape[1] + 0.01 < columns.max() / old.shape[1] < 0.76


@pytest.mark.parametrize(("left", "top"), [(-10, -6), (90, 70), (-500, 10), (20, 500), (31, 17)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuyv422", "gbrp10le"])
def test_what_lies_beyond_the_border_is_left_out(pixel_format, left, top):
    frame = random_frame(pixel_format, 95, 71)
    draw_picture(frame_planes(frame), np.full((13, 21, 3), ORANGE, np.uint8), left, top)
    draw_box(frame_planes(frame), (left, top, left + 21, top + 13), ORANGE)
    write_lines(frame_planes(frame), ["a text that is too long for it"], left, top)
    if (left, top) == (-10, -6):
        assert np.abs(shown(frame, 0, 0, 10, 6) - ORANGE).max() < 40


def test_two_frames_beside_each_other_are_told_apart_by_a_line_and_their_labels():
    frame = random_frame("yuv420p", 640, 360)
    wide = side_by_side(frame, frame)
    assert (wide.width, wide.height) == (1280, 360)
    assert shown(wide, 638, 100, 2, 100).min() > 250
    before, after = text_picture("before", 14), text_picture("after", 14)
    assert not np.array_equal(before[:, :40], after[:, :40])
    for left in (7, 642 + 7):
        assert np.abs(shown(wide, left + 1, 360 - 7 - 3, 30, 2) - DARK).max() < 12
