"""What is drawn into frames has its colour in every pixel format, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamdeblur.faces.window import crop_region
from streamdeblur.video.drawing import DARK, draw_box, draw_picture, text_picture, write_lines
from streamdeblur.video.planes import frame_planes, upright_box
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
    frame, before = (random_frame(pixel_format, 95, 71) for _ in range(2))
    draw_picture(frame_planes(frame), np.full((13, 21, 3), ORANGE, np.uint8), left, top)
    draw_box(frame_planes(frame), (left, top, left + 21, top + 13), ORANGE)
    for old, new in zip(plane_bytes(before), plane_bytes(frame), strict=True):
        lines, columns = np.nonzero(old != new)
        down, across = old.shape[0] / 71, old.shape[1] / 95
        # the outline of the box is two pixels wide, and chroma has half of the samples
        assert ((lines > (top - 4) * down) & (lines < (top + 17) * down)).all()
        assert ((columns > (left - 4) * across) & (columns < (left + 25) * across)).all()
        assert bool(lines.size) == (-13 < top < 71 and -21 < left < 95)
    write_lines(frame_planes(frame), ["a text that is too long for it"], left, top)
    if (left, top) == (-10, -6):
        assert np.abs(shown(frame, 0, 0, 10, 6) - ORANGE).max() < 40


@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "uyvy422", "p010le", "gbrp"])
def test_what_is_drawn_into_a_turned_frame_is_upright_for_players(pixel_format, turn):
    """A picture at a place of the upright frame, and the outline of the box where that lies in the frame as it is stored."""
    turned = replace(frame_planes(frame := random_frame(pixel_format)), turn=turn)
    marked = np.zeros((16, 24, 3), np.uint8)
    marked[:, :12] = ORANGE
    draw_picture(turned, marked, 8, 32)
    whole = crop_region(turned, 0, 0, 96, 72, np.empty((72, 96, 3), np.uint8))
    upright = np.rot90(whole, turn)[36:44, 8:32].astype(int)
    assert np.abs(upright[:, 3:9] - ORANGE).max() < 12
    assert upright[:, 15:21].max() < 12
    box = {1: (40, 8, 56, 32), 2: (64, 24, 88, 40), 3: (32, 40, 48, 64)}[turn]
    assert upright_box(turned, box) == {1: (8, 40, 32, 56), 2: (8, 32, 32, 48), 3: (8, 32, 32, 48)}[turn]
    assert frame.width == 96


def test_two_frames_beside_each_other_are_told_apart_by_a_line_and_their_labels():
    frame = random_frame("yuv420p", 640, 360)
    wide = side_by_side(frame, frame)
    assert (wide.width, wide.height) == (1280, 360)
    assert shown(wide, 638, 100, 2, 100).min() > 250
    before, after = text_picture("before", 14), text_picture("after", 14)
    assert not np.array_equal(before[:, :40], after[:, :40])
    for left in (7, 642 + 7):
        assert np.abs(shown(wide, left + 1, 360 - 7 - 3, 30, 2) - DARK).max() < 12
