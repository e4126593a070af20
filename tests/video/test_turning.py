"""How a frame is turned is read from the matrix by which players show it."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from streamdeblur.video.hdr import display_matrix, has_unreadable_metadata
from streamdeblur.video.planes import array_planes, upright_box, upright_planes
from streamdeblur.video.turning import turn_of, turned_box, turned_picture
from support.media.videos import read_frames

ONE, WHOLE = 1 << 16, 1 << 30
MATRICES = {
    "as it is": ((1, 0, 0, 1), 0),
    "clockwise": ((0, 1, -1, 0), 3),
    "upside down": ((-1, 0, 0, -1), 2),
    "counterclockwise": ((0, -1, 1, 0), 1),
    "mirrored": ((-1, 0, 0, 1), 0),
    "mirrored and upside down": ((1, 0, 0, -1), 2),
    "mirrored and clockwise": ((0, 1, 1, 0), 3),
    "mirrored and counterclockwise": ((0, -1, -1, 0), 1),
}
"""(a, b, c, d) of the point (a x + c y, b x + d y) where players show the point (x, y), and the turn after which up is up."""


def shown_by(path, matrix):
    """The frame of a video, 64 x 32, that players show by a display matrix."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_matrix(matrix)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    return read_frames(path)[0]


@pytest.mark.parametrize("name", MATRICES)
def test_the_upper_side_of_the_shown_picture_is_the_upper_side_after_the_turn(tmp_path, name):
    (a, b, c, d), turn = MATRICES[name]
    frame = shown_by(tmp_path / "turned.mkv", [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, WHOLE])
    assert turn_of(frame) == upright_planes(frame).turn == turn


def test_a_frame_without_a_matrix_is_upright():
    assert turn_of(av.VideoFrame(64, 32, "yuv420p")) == 0


@pytest.mark.parametrize("turn", range(4))
def test_boxes_turn_with_their_pictures(turn):
    picture, box = np.zeros((30, 50, 3), np.uint8), np.array([5, 10, 25, 18], np.float32)
    picture[10:18, 5:25] = 255
    turned = turned_picture(picture, turn)
    lines, columns = np.nonzero(turned[..., 0])
    expected = [columns.min(), lines.min(), columns.max() + 1, lines.max() + 1]
    assert turned_box(box, turn, 50, 30).tolist() == expected
    assert turned_box(turned_box(box, turn, 50, 30), -turn, turned.shape[1], turned.shape[0]).tolist() == box.tolist()
    assert upright_box(replace(array_planes(picture), turn=turn), box.tolist()) == tuple(expected)


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (6, 3), (3, 2), (8, 1)])
def test_a_frame_whose_side_data_cannot_be_read_is_turned_all_the_same(tmp_path, orientation, turn):
    """PyAV does not know the EXIF data that a JPEG has beside its rotation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (64, 32)).save(tmp_path / "photograph.jpg", exif=exif)
    frame = read_frames(tmp_path / "photograph.jpg")[0]
    assert has_unreadable_metadata(frame)
    assert turn_of(frame) == turn
    matrix = display_matrix(frame)
    if turn:
        assert shown_by(tmp_path / "turned.mkv", matrix).rotation == frame.rotation
