"""Frames as bytes: raw and YUV4MPEG2, through the real `streamdeblur pipe`."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from frames import random_frame
from streamdeblur.errors import InputError, OptionError
from streamdeblur.video.raw import RawReader, write_raw
from streamdeblur.video.y4m import Y4MReader, write_y4m


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuyv422", "rgb24", "bgr24", "yuv422p10le", "gray", "p010le"])
@pytest.mark.parametrize("size", [(96, 72), (37, 23)])
def test_raw_frames_come_back_as_they_went(pixel_format, size):
    frames = [random_frame(pixel_format, *size, seed=seed) for seed in range(2)]
    stream = io.BytesIO()
    for frame in frames:
        write_raw(stream, frame)
    whole = stream.getvalue()
    reader = RawReader(io.BytesIO(whole), *size, pixel_format)
    again = io.BytesIO()
    while (frame := reader.read()) is not None:
        write_raw(again, frame)
    assert again.getvalue() == whole
    assert reader.frames == 2


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "rgb24", "yuv422p10le"])
def test_raw_frames_are_laid_out_as_by_ffmpeg(pixel_format):
    frame = random_frame(pixel_format, 64, 48)
    stream = io.BytesIO()
    write_raw(stream, frame)
    encoder = av.CodecContext.create("rawvideo", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, pixel_format
    encoder.time_base = Fraction(1, 25)
    assert stream.getvalue() == b"".join(bytes(packet) for packet in encoder.encode(frame))


def test_frames_that_are_cut_off_or_cannot_be_edited_are_said():
    with pytest.raises(InputError, match=r"within frame 1\. Are they 96x72 of the pixel format yuv420p"):
        RawReader(io.BytesIO(b"x" * 5000), 96, 72, "yuv420p").read()
    with pytest.raises(OptionError, match="pal8"):
        RawReader(io.BytesIO(), 96, 72, "pal8")


def y4m(header, frames, line=b"FRAME"):
    stream = io.BytesIO()
    stream.write(header + b"\n")
    for frame in frames:
        write_y4m(stream, line, frame)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "pixel_format"), [("420jpeg", "yuv420p"), ("422", "yuv422p"), ("444p10", "yuv444p10le"), ("mono", "gray")]
)
def test_y4m_frames_and_lines_are_kept(name, pixel_format):
    header = f"YUV4MPEG2 W96 H72 F30000:1001 Ip A1:1 C{name} XCOLORRANGE=FULL".encode()
    whole = y4m(header, [random_frame(pixel_format, seed=seed) for seed in range(3)], b"FRAME Ippt")
    reader = Y4MReader(io.BytesIO(whole))
    frames = list(reader)
    assert [frame.format.name for _, frame in frames] == [pixel_format] * 3
    assert frames[0][1].color_range == 2
    again = io.BytesIO()
    again.write(reader.header + b"\n")
    for line, frame in frames:
        write_y4m(again, line, frame)
    assert again.getvalue() == whole


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no YUV4MPEG2"),
        (b"RIFF\n", "no YUV4MPEG2"),
        (b"\x00" * 9000, "no YUV4MPEG2"),
        (b"YUV4MPEG2 W9x H8 C420\n", "header"),
        (b"YUV4MPEG2 W96 H72 C420p3\n", "header"),
        (b"YUV4MPEG2 W96 H72 C420\nFRAME\n" + b"x" * 100, "within frame 1"),
        (b"YUV4MPEG2 W96 H72 C420\nFRAMES?\n"[:-8] + b"NOISE\n" + b"x" * 100, "damaged after frame 0"),
    ],
)
def test_damaged_y4m_is_said(data, said):
    with pytest.raises(InputError, match=said):
        list(Y4MReader(io.BytesIO(data)))


def pipe(data, *options):
    command = [sys.executable, "-m", "streamdeblur", "pipe", *options]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=200)


@pytest.mark.parametrize("live", [[], ["--live"]])
def test_the_pipe_restores_faces_and_leaves_the_rest(few_pictures, live):
    frames = [av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p") for picture in few_pictures[:3]]
    whole = y4m(b"YUV4MPEG2 W320 H240 F25:1 C420", frames)
    done = pipe(whole, "--always", "--json", *live)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stderr.splitlines()[-1])
    assert (counts["frames"], counts["restored"]) == (3, 3)
    assert len(done.stdout) == len(whole)
    before, after = (np.frombuffer(data, np.uint8).astype(int) for data in (whole, done.stdout))
    changed = before != after
    assert 0.05 < changed.mean() < 0.7
    assert not changed[:30].any()


def test_raw_pipes_need_the_right_size(few_pictures):
    frame = av.VideoFrame.from_ndarray(few_pictures[0], format="rgb24")
    stream = io.BytesIO()
    write_raw(stream, frame)
    done = pipe(stream.getvalue(), "--size", "320x240", "--format", "rgb24", "--quiet")
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 320 * 240 * 3, b"")
    for options, said in (
        (["--size", "300x200", "--format", "rgb24"], b"end within frame 2"),
        (["--size", "big"], b"WIDTHxHEIGHT"),
        (["--size", "320x240", "--format", "magic"], b"magic"),
        ([], b"no YUV4MPEG2"),
    ):
        failed = pipe(stream.getvalue(), *options)
        assert failed.returncode == 2
        assert said in failed.stderr
        assert b"Traceback" not in failed.stderr
