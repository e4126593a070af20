"""streamdeblur video between other programs: videos on stdin and stdout."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from support.cli import pipe_without_reader, run, run_process, run_with_files, start
from support.media.frames import plane_bytes
from support.media.videos import VideoSpec, read_frames, stamps, write_video

fcntl, pty, termios = (pytest.importorskip(name, reason="needs the pipes of POSIX") for name in ("fcntl", "pty", "termios"))

FFV1, X264 = ("--codec", "ffv1"), ("--codec", "libx264", "--quality", "0")
LOSSLESS = {"matroska": FFV1, "nut": FFV1, "ts": X264, "mp4": X264, "y4m": ()}
"""Containers that can be streamed, with what makes the video lossless in them."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory, few_pictures):
    recipe = VideoSpec(options={"preset": "ultrafast", "bf": "2"}, audio="aac")
    return write_video(tmp_path_factory.mktemp("clips") / "in.mkv", few_pictures, recipe)


@pytest.fixture(scope="module")
def expected(tmp_path_factory, clip, quick):
    """The same as a file, without loss."""
    target = tmp_path_factory.mktemp("expected") / "out.mkv"
    assert run("video", clip, target, "--codec", "ffv1", *quick).exit_code == 0
    return target


def assert_same_pixels(one, other):
    for a, b in zip(read_frames(one), read_frames(other), strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(plane_bytes(a), plane_bytes(b), strict=True))


def wait_until_all_is_read(pipe):
    end = time.monotonic() + 90
    while time.monotonic() < end:
        if not int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder):
            return
        time.sleep(0.05)
    raise AssertionError("nobody reads")


@pytest.mark.parametrize("container", LOSSLESS)
def test_what_goes_to_stdout_is_what_a_file_would_hold(clip, expected, quick, container, tmp_path):
    lossless = (
        ()
        if container == "y4m"
        else ("--codec", "libx264", "--quality", "0")
        if container in ("ts", "mp4")
        else ("--codec", "ffv1")
    )
    done = run_with_files("video", clip, "-", "-f", container, *lossless, "--json", *quick)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["output"] == "-"
    (tmp_path / "out").write_bytes(done.output)
    assert_same_pixels(tmp_path / "out", expected)
    if container == "y4m":
        assert "audio stream 1 (aac, deu) was left out" in done.stderr
    else:
        begins = [float(streams[1][0][0] - streams[0][0][0]) for streams in map(stamps, (tmp_path / "out", expected))]
        assert begins[0] == pytest.approx(begins[1], abs=2e-3)


def test_a_video_comes_through_a_pipe(clip, expected, quick, tmp_path):
    done = run_process("video", "-", tmp_path / "out.mkv", "--codec", "ffv1", *quick, input=clip.read_bytes())
    assert done.exit_code == 0, done.stderr
    assert "out.mkv: 12 frames" in done.stdout
    assert_same_pixels(tmp_path / "out.mkv", expected)
    assert stamps(tmp_path / "out.mkv") == stamps(expected)
    part = run_process("video", "-", "-", "-ss", "0.2", "-t", "0.16", *quick, input=clip.read_bytes())
    (tmp_path / "part.mkv").write_bytes(part.output)
    assert len(read_frames(tmp_path / "part.mkv")) == 4


def test_an_index_at_the_end_needs_a_file(few_pictures, quick, tmp_path):
    source = write_video(tmp_path / "in.mp4", few_pictures)
    piped = run_process("video", "-", tmp_path / "out.mp4", *quick, input=source.read_bytes())
    assert piped.exit_code == 2
    assert "An MP4 file comes through a pipe only if its index is at its beginning" in piped.stderr
    with source.open("rb") as file:
        assert run_process("video", "-", tmp_path / "out.mp4", *quick, stdin=file).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["IN", "-", "-f", "avi"], "must be a container that can be streamed: matroska (mkv), webm"),
        (["IN", "-", "-f", "y4m", "--codec", "libx264"], "cannot hold h264 video"),
        (["-", "OUT", "--frames", "3-5"], "Frames of stdin cannot be counted before they are read"),
        (["-", "OUT"], "Cannot read stdin as a video"),
    ],
)
def test_what_cannot_be_streamed_is_told(arguments, words, clip, quick, tmp_path):
    places = {"IN": clip, "OUT": tmp_path / "out.mkv"}
    done = run_with_files("video", *(places.get(word, word) for word in arguments), *quick, input=b"no video")
    assert (done.exit_code, done.output) == (2, b"")
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["video", "-", "OUT"], "stdin is a terminal"),
        (["video", "IN", "-"], "stdout is a terminal"),
        (["pipe"], "stdin is a terminal"),
        (["live", "--source", "-", "--size", "32x32", "--headless"], "stdin is a terminal"),
        (["live", "--source", "IN", "--to", "-", "--headless"], "stdout is a terminal"),
    ],
)
def test_terminals_carry_no_video(arguments, words, clip, quick, tmp_path):
    places = {"IN": clip, "OUT": tmp_path / "out.mkv"}
    ours, theirs = pty.openpty()
    with open(theirs, "r+b", buffering=0) as terminal, open(ours, "rb"):
        process = start(*(places.get(word, word) for word in arguments), *quick, stdin=terminal, stdout=terminal, stderr=-1)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 2
    assert words in stderr.decode()


def test_messages_are_broken_between_words_on_a_terminal(clip, quick, tmp_path):
    target = tmp_path / "out.mkv"
    target.touch()
    ours, theirs = pty.openpty()
    with open(theirs, "r+b", buffering=0) as terminal, open(ours, "rb", buffering=0) as screen:
        assert start("video", clip, target, "--quiet", *quick, stdout=terminal, stderr=terminal).wait(120) == 2
        lines = screen.read(4096).decode().splitlines()
    message = f"Error: {target} exists. Give --overwrite (-y) to replace it, or --resume to skip outputs that exist."
    assert " ".join(lines) == message
    assert all(len(line) <= 80 or " " not in line for line in lines)


def test_a_reader_that_ends_is_no_error(clip, quick):
    with pipe_without_reader() as pipe:
        done = run_with_files("video", clip, "-", *quick, output=pipe)
    assert done.exit_code == 141
    assert "Error" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="pipes that tell what is read of them")
@pytest.mark.parametrize("share", [0.02, 0.7])
def test_a_run_that_waits_for_stdin_can_be_interrupted(clip, quick, tmp_path, share):
    """While the main thread opens the video, and in the midst of it, while the thread of the decoder waits."""
    process = start("video", "-", tmp_path / "out.mkv", *quick, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    content = clip.read_bytes()
    process.stdin.write(content[: int(share * len(content))])
    process.stdin.flush()
    wait_until_all_is_read(process.stdin)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130
    assert "Interrupted." in process.stderr.read().decode()
    assert not list(tmp_path.iterdir())
