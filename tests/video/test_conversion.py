"""Colours survive where an encoder does not take the pixel format of the source, and are tagged as they were converted."""

from __future__ import annotations

import av
import numpy as np
import pytest

from streamdeblur import deblur_video
from streamdeblur.video.colour import BT601, BT709, FULL_RANGE, LIMITED_RANGE, RGB
from streamdeblur.video.conversion import fitted
from support.media.frames import random_frame
from support.media.streams import transcode
from support.media.videos import read_frames

BLUE = (0, 0, 255)
SWSCALE = {BT709: "itu709", BT601: "itu601", 2: "itu601"}
SOURCES = {
    # codec: pixel format, matrix that its encoder is told, suffix
    "libx264rgb": ("rgb24", RGB, "mkv"),
    "png": ("rgb24", RGB, "mov"),
    "ffv1": ("bgr0", 2, "mkv"),
    "qtrle": ("rgb24", 2, "mov"),
    "utvideo": ("gbrp", 2, "avi"),
}


def write_blue(path, codec, pixel_format, matrix, lines):
    """A video of one blue frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, width=64, height=lines)
        stream.pix_fmt = pixel_format
        frame = av.VideoFrame.from_ndarray(np.full((lines, 64, 3), BLUE, np.uint8), format="rgb24").reformat(format=pixel_format)
        frame.colorspace, frame.pts = matrix, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(path):
    """(matrix, range, the first pixel in RGB) of the first frame of a file, as a player reads it by its tags."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    matrix = int(frame.colorspace)
    player = SWSCALE.get(matrix) if not frame.format.is_rgb else None
    rgb = frame.reformat(format="rgb24", src_colorspace=player, dst_color_range=2)
    return matrix, int(frame.color_range), rgb.to_ndarray()[0, 0].astype(int)


@pytest.mark.parametrize(("lines", "matrix"), [(64, BT601), (600, BT709)])
@pytest.mark.parametrize("codec", SOURCES)
def test_rgb_keeps_its_colours_in_encoders_of_luma_and_chroma(tmp_path, codec, lines, matrix):
    pixel_format, tagged, suffix = SOURCES[codec]
    source = write_blue(tmp_path / f"in.{suffix}", codec, pixel_format, tagged, lines)
    for encoder, target in (("libx264", "mp4"), ("libsvtav1", "mkv"), ("prores_ks", "mov")):
        transcode(source, tmp_path / f"out.{target}", codec=encoder)
        *tags, pixel = shown(tmp_path / f"out.{target}")
        assert tags == [matrix, LIMITED_RANGE], encoder
        assert pixel == pytest.approx(BLUE, abs=2), encoder


def test_rgb_of_many_lines_is_converted_as_players_read_motion_jpeg(tmp_path):
    source = write_blue(tmp_path / "in.mkv", "ffv1", "bgr0", 2, 600)
    transcode(source, tmp_path / "out.avi", codec="mjpeg")
    with av.open(str(tmp_path / "out.avi")) as container:
        frame = next(container.decode(video=0))
    assert frame.reformat(format="rgb24", src_colorspace="itu601").to_ndarray()[0, 0].astype(int) == pytest.approx(BLUE, abs=2)


@pytest.mark.parametrize(("colorspace", "red"), [(BT709, (63, 102, 240)), (BT601, (81, 90, 240)), (2, (63, 102, 240))])
def test_luma_and_chroma_keep_their_colours_in_encoders_of_rgb(colorspace, red):
    """Untagged video of many lines is BT.709."""
    frame = random_frame("yuv444p", 64, 600, colorspace=colorspace)
    for plane, value in zip(frame.planes, red, strict=True):
        np.frombuffer(plane, np.uint8)[:] = value
    converted = fitted(frame, 64, 600, "gbrp")
    assert (converted.colorspace, converted.color_range) == (RGB, FULL_RANGE)
    assert converted.to_ndarray()[0, 0].astype(int) == pytest.approx((255, 0, 0), abs=3)


@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv420p", "yuv420p10le"])
def test_formats_of_the_same_kind_keep_their_tags(pixel_format):
    frame = random_frame("yuv422p", colorspace=9)
    converted = fitted(frame, frame.width, frame.height, pixel_format)
    assert (converted.colorspace, converted.color_range) == (9, LIMITED_RANGE)


def test_uncompressed_avi_is_read_from_bottom_to_top(tmp_path, face_picture, inverting):
    """As Windows writes it."""
    source = tmp_path / "in.avi"
    picture = np.ascontiguousarray(face_picture[:240, :320])
    with av.open(str(source), "w", options={"flipped_raw_rgb": "1"}) as container:
        stream = container.add_stream("rawvideo", rate=25, width=320, height=240)
        stream.pix_fmt = "bgr24"
        frame = av.VideoFrame.from_ndarray(picture[::-1, :, ::-1], format="bgr24")
        frame.pts = 0
        container.mux(stream.encode(frame))
    assert read_frames(source)[0].planes[0].line_size < 0
    summary = deblur_video(source, tmp_path / "out.avi", deblurrer=inverting)
    assert (summary.frames, summary.restored, summary.warnings) == (1, 1, [])
    changed = (read_frames(tmp_path / "out.avi")[0].to_ndarray(format="rgb24") != picture).any(axis=-1)
    assert 0.05 < changed.mean() < 0.9
    assert not changed[0].any()
