"""Frames as bytes: raw and YUV4MPEG2, through the real `streamdeblur pipe`."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur.cli.process import NO_READER
from streamdeblur.errors import InputError, OptionError
from streamdeblur.video.raw import RawReader, write_raw
from streamdeblur.video.y4m import Y4MReader, write_y4m
from support.cli import run_with_files, start
from support.media.frames import plane_bytes, random_frame
from support.media.videos import VideoSpec, read_frames, write_video
from support.memory import growth_below
from support.models.networks import write_network


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuyv422", "rgb24", "bgr24", "yuv422p10le", "gray", "p010le"])
@pytest.mark.parametrize("size", [(96, 72), (37, 23)])
def test_raw_frames_are_read_as_they_were_written(pixel_format, size):
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


def test_raw_frames_that_are_cut_off_or_cannot_be_edited_are_an_error():
    with pytest.raises(InputError, match=r"within frame 1\. Are they 96x72 of the pixel format yuv420p"):
        RawReader(io.BytesIO(b"x" * 5000), 96, 72, "yuv420p").read()
    for pixel_format in ("pal8", "magic"):
        with pytest.raises(OptionError, match=pixel_format):
            RawReader(io.BytesIO(), 96, 72, pixel_format)


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
    ("data", "message"),
    [
        (b"", "not YUV4MPEG2"),
        (b"RIFF\n", "not YUV4MPEG2"),
        (b"\x00" * 9000, "not YUV4MPEG2"),
        (b"YUV4MPEG2 W9x H8 C420\n", "header"),
        (b"YUV4MPEG2 W0 H8 C420\n", "0x8"),
        (b"YUV4MPEG2 W96 H999999999 C420\n", "96x999999999"),
        (b"YUV4MPEG2 W96 H72 C420p3\n", "header"),
        (b"YUV4MPEG2 W96 H72 C420\nFRAME\n" + b"x" * 100, "within frame 1"),
        (b"YUV4MPEG2 W96 H72 C420\nFRAMES?\n"[:-8] + b"NOISE\n" + b"x" * 100, "damaged after frame 0"),
    ],
)
def test_damaged_y4m_is_an_error(data, message):
    with pytest.raises(InputError, match=message):
        list(Y4MReader(io.BytesIO(data)))


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Options of a network that opens quickly, for processes."""
    return ["--network", write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")]


def pipe(data, *options):
    return run_with_files("pipe", *options, input=data)


@pytest.mark.parametrize("live", [[], ["--live"]])
def test_the_pipe_restores_faces_and_leaves_the_rest(few_pictures, quick, live):
    frames = [av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p") for picture in few_pictures[:3]]
    whole = y4m(b"YUV4MPEG2 W320 H240 F25:1 C420", frames)
    done = pipe(whole, "--always", "--json", *quick, *live)
    assert done.exit_code == 0, done.stderr
    counts = json.loads(done.stderr.splitlines()[-1])
    assert (counts["frames"], counts["restored"]) == (3, 3)
    assert len(done.output) == len(whole)
    before, after = (np.frombuffer(data, np.uint8).astype(int) for data in (whole, done.output))
    changed = before != after
    assert 0.05 < changed.mean() < 0.7
    header, line = whole.index(b"\n") + 1, len(b"FRAME\n")
    assert not changed[: header + line].any()
    for frame in changed[header:].reshape(3, -1):
        assert not outside_the_face(frame[line:][: 320 * 240].reshape(240, 320)).any()


def test_raw_pipes_need_the_right_size(few_pictures, quick):
    frame = av.VideoFrame.from_ndarray(few_pictures[0], format="rgb24")
    stream = io.BytesIO()
    write_raw(stream, frame)
    done = pipe(stream.getvalue(), "--size", "320x240", "--format", "rgb24", "--quiet")
    assert (done.exit_code, len(done.output), done.stderr) == (0, 320 * 240 * 3, "")
    for options, message in (
        (["--size", "300x200", "--format", "rgb24"], "end within frame 2"),
        (["--size", "big"], "WIDTHxHEIGHT"),
    ):
        failed = pipe(stream.getvalue(), *options, *quick)
        assert failed.exit_code == 2
        assert message in failed.stderr
        assert "Traceback" not in failed.stderr


def test_complete_frames_are_written_though_the_next_one_is_cut_off(few_pictures, quick):
    whole = y4m(b"YUV4MPEG2 W320 H240 F25:1 C420", [av.VideoFrame.from_ndarray(few_pictures[0]).reformat(format="yuv420p")] * 3)
    done = pipe(whole[:-1000], "--json", *quick)
    assert done.exit_code == 2
    assert "end within frame 3" in done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["exit_code"] == 2
    assert len(done.output) == len(whole) - (len(b"FRAME\n") + 320 * 240 * 3 // 2)


def test_a_reader_that_closes_its_end_ends_the_stream(few_pictures, quick):
    frame = av.VideoFrame.from_ndarray(few_pictures[0]).reformat(format="yuv420p").to_ndarray().tobytes()
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = start("pipe", "--size", "320x240", *quick, **pipes)

    def write():
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(frame * 50)
            process.stdin.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert len(process.stdout.read(len(frame))) == len(frame)
    process.stdout.close()
    assert process.wait(60) == NO_READER
    writer.join()
    errors = process.stderr.read()
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors


@pytest.mark.parametrize(
    ("pixel_format", "kind"),
    [
        *(pytest.param("yuv420p", kind, marks=pytest.mark.slow) for kind in ("raw", "y4m")),
        ("rgb24", "raw"),
        ("yuv422p10le", "y4m"),
    ],
)
def test_between_two_ffmpegs_all_but_the_face_is_exact(few_pictures, tmp_path, quick, pixel_format, kind):
    """FFmpeg reads a lossless file, its frames go through the pipe, and FFmpeg writes a lossless file."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg carries the ffmpeg of this test").get_ffmpeg_exe()
    source = tmp_path / "in.nut"
    write_video(source, few_pictures[:4], VideoSpec("png" if pixel_format == "rgb24" else "ffv1", pixel_format, {}))
    quiet = [ffmpeg, "-v", "error", "-nostdin"]
    if kind == "raw":
        written, piped = ["-f", "rawvideo", "-pix_fmt", pixel_format], ["--size", "320x240", "--format", pixel_format]
        read = [*written, "-s", "320x240", "-r", "25"]
    else:
        written, piped, read = ["-strict", "-1", "-f", "yuv4mpegpipe", "-pix_fmt", pixel_format], [], ["-f", "yuv4mpegpipe"]
    result = tmp_path / "out.nut"
    first = subprocess.Popen([*quiet, "-i", str(source), *written, "-"], stdout=subprocess.PIPE)
    second = start("pipe", "--quiet", "--always", *quick, *piped, stdin=first.stdout, stdout=subprocess.PIPE)
    subprocess.run([*quiet, *read, "-i", "-", "-c:v", "rawvideo", str(result)], stdin=second.stdout, check=True, timeout=100)
    assert (first.wait(20), second.wait(20)) == (0, 0)
    before, after = ([frame.reformat(format=pixel_format) for frame in read_frames(path)] for path in (source, result))
    assert len(after) == 4
    for one, other in zip(before, after, strict=True):
        changed = [a != b for a, b in zip(plane_bytes(one), plane_bytes(other), strict=True)]
        assert 0.05 < changed[0].mean() < 0.7
        assert not any(outside_the_face(plane).any() for plane in changed)


def outside_the_face(plane):
    """What lies above the window of the face, whose side is 1.7 times the face, and right of it."""
    lines, size = plane.shape
    return np.concatenate([plane[: lines // 20].ravel(), plane[:, 7 * size // 10 :].ravel()])


@pytest.mark.parametrize("size", ["W65535 H65535", "W16384 H16384", "W1 H16385"])
def test_a_header_that_promises_too_much_is_refused(size):
    with pytest.raises(InputError, match="134 million"):
        Y4MReader(io.BytesIO(f"YUV4MPEG2 {size} F25:1 C420\nFRAME\n".encode()))


def test_a_large_frame_takes_memory_only_as_its_bytes_come():
    reader = Y4MReader(io.BytesIO(b"YUV4MPEG2 W16384 H8192 F25:1 C444p16\nFRAME\n" + b"x" * 5_000_000))
    with growth_below(100_000_000), pytest.raises(InputError, match="within frame 1"):
        list(reader)


def test_samples_beyond_the_depth_that_is_declared_pass(deblurrer):
    frames = b"FRAME\n" + b"\xff" * 8192 + b"FRAME\n" + bytes(8192)
    reader = Y4MReader(io.BytesIO(b"YUV4MPEG2 W64 H64 F25:1 Cmono10\n" + 2 * frames))
    deblurrer.reset()
    for _, frame in reader:
        deblurrer.edit(frame)
    assert deblurrer.statistics.frames == 4
    deblurrer.reset()
