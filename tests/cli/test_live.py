"""streamdeblur live, as users run it: files, pipes, keys, signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from streamdeblur.cli.process import NO_READER
from support.cli import COMMAND, pipe_without_reader, run_with_files, start
from support.disks import namespace_command
from support.media.videos import VideoSpec, read_frames, write_video
from support.models.networks import write_network

FRAME_BYTES = 320 * 240 * 3 // 2


@pytest.fixture(scope="module")
def clip(tmp_path_factory, few_pictures):
    return write_video(tmp_path_factory.mktemp("clips") / "face.mp4", few_pictures)


@pytest.fixture(scope="module")
def inverting(tmp_path_factory):
    network = write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")
    return ["--always", "--network", network, "--engine", "onnxruntime"]


def live(*arguments):
    return run_with_files("live", *arguments)


@pytest.fixture
def started():
    """Starts the command, and ends what still runs after the test."""
    processes = []

    def start_live(*arguments, **settings):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        processes.append(start("live", *arguments, **{**pipes, **settings}))
        return processes[-1]

    yield start_live
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def test_outputs_that_all_convert_the_frames_do_not_wait_for_each_other(started, few_pictures, inverting, tmp_path):
    # as many webcams deliver them, and hardly an encoder takes them
    spec = VideoSpec(codec="rawvideo", pixel_format="yuyv422", options={})
    clip = write_video(tmp_path / "clip.nut", few_pictures * 6, spec)
    recordings = [tmp_path / f"{number}.mkv" for number in range(3)]
    process = started("--source", clip, "--headless", *(word for file in recordings for word in ("--to", file)), *inverting)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert [len(read_frames(file)) for file in recordings] == [72] * 3


def test_the_summary_is_the_last_line_of_stdout(clip, inverting, tmp_path):
    done = live("--source", clip, "--realtime", "--headless", "--json", "--to", tmp_path / "out.mkv", *inverting)
    assert done.exit_code == 0, done.stderr
    summary = done.json
    assert {"frames", "fps", "dropped", "passed_through", "restored", "restored_share", "plan", "latency_ms"} <= set(summary)
    assert set(summary["latency_ms"]) == {"p50", "p95", "p99"}
    assert summary["frames"] + summary["dropped"] + summary["left_out"] == 12
    assert len(read_frames(tmp_path / "out.mkv")) == summary["frames"]


def test_raw_frames_on_stdout_are_alone_there(clip, inverting):
    done = live("--source", clip, "--headless", "--json", "--to", "-", *inverting)
    assert done.exit_code == 0, done.stderr
    assert len(done.output) == 12 * FRAME_BYTES
    assert json.loads(done.stderr.splitlines()[-1])["frames"] == 12
    before = np.concatenate([frame.to_ndarray().ravel() for frame in read_frames(clip)])
    changed = np.frombuffer(done.output, np.uint8) != before
    assert 0.05 < changed.mean() < 0.9


def test_raw_frames_on_stdin_and_an_end_while_nothing_comes(started, clip, inverting):
    process = started("--source", "-", "--size", "320x240", "--headless", "--json", "--seconds", "1", *inverting)
    for frame in read_frames(clip)[:3]:
        process.stdin.write(frame.to_ndarray().tobytes())
        process.stdin.flush()
    # stdin stays open, as with a writer that sends nothing more.
    assert process.wait(60) == 0
    assert json.loads(process.stdout.read().splitlines()[-1])["frames"] >= 1
    assert b"Fatal" not in process.stderr.read()
    process.stdin.close()


def test_a_reader_that_leaves_ends_the_stream(started, clip, inverting):
    process = started("--source", clip, "--realtime", "--loop", "--headless", "--to", "-", *inverting)
    assert len(process.stdout.read(3 * FRAME_BYTES)) == 3 * FRAME_BYTES
    process.stdout.close()
    assert process.wait(60) == NO_READER
    said = process.stderr.read()
    assert b" frames in " in said
    for words in (b"closed the pipe", b"Error", b"Traceback", b"Exception ignored"):
        assert words not in said


def test_without_the_reader_of_stdout_the_other_sinks_go_on(clip, inverting, tmp_path):
    sinks = ("--to", "-", "--to", tmp_path / "out.mkv")
    with pipe_without_reader() as writing:
        done = run_with_files("live", "--source", clip, "--headless", *sinks, *inverting, output=writing)
    assert done.exit_code == 2
    assert done.stderr.endswith("Error: The reader of the raw frames has closed the pipe.\n")
    assert len(read_frames(tmp_path / "out.mkv")) == 12


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_stdout_that_is_the_only_sink_is_an_error(clip, inverting):
    with open("/dev/full", "wb") as full:
        done = run_with_files("live", "--source", clip, "--headless", "--to", "-", *inverting, output=full)
    assert done.exit_code == 2
    assert done.stderr.count("Cannot write the raw frames to stdout: No space left on device.") == 1


@pytest.mark.parametrize("sign", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_finishes_the_recording(started, clip, inverting, tmp_path, sign):
    recording = tmp_path / "out.mp4"
    process = started(
        "--source", clip, "--realtime", "--loop", "--headless", "--json", "--to", recording, "--to", "-", *inverting
    )
    process.stdout.read(10 * FRAME_BYTES)
    process.send_signal(sign)
    # The remaining output is read, or the process would wait for its reader.
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    summary = json.loads(said.splitlines()[-1])
    assert summary["frames"] >= 10
    assert len(read_frames(recording)) == summary["frames"]
    assert os.listdir(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("kind", ["mp4", pytest.param("mkv", marks=pytest.mark.slow)])
def test_on_a_full_disk_the_other_sinks_go_on(clip, inverting, tmp_path, kind):
    disk, other = tmp_path / "disk", tmp_path / "other.mkv"
    disk.mkdir()
    mounted = [*namespace_command(), "sh", "-c", 'mount -t tmpfs -o size=12k tmpfs "$0"; exec "$@"', disk]
    arguments = ["live", "--source", clip, "--headless", "--json", "--to", disk / f"o.{kind}", "--to", other, *inverting]
    done = subprocess.run([*mounted, *COMMAND, *arguments], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 2, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    # the first fragment may be the last one
    told = re.compile(rf"Cannot (write|finish) {disk}/o\.{kind}: No space left on device\.")
    assert f"Warning: {told.search(done.stderr).group()}" in done.stderr
    assert told.search(summary["error"])
    assert any(map(told.search, summary["warnings"]))
    assert len(read_frames(other)) == 12


def test_keys_in_the_terminal(started, inverting):
    pty = pytest.importorskip("pty", reason="terminals as this test makes them are of Unix")
    ours, theirs = pty.openpty()
    process = started("--source", "pattern", "--size", "320x240", "--to", "null", "--seconds", "100", *inverting, stdin=theirs)
    said = b""
    for key, answer in (
        (b"", b"Keys:"),
        (b"-", b"Strength 0.9"),
        (b"+", b"Strength 1.0"),
        (b"s", b"Split view: the left half is unrestored"),
        (b"p", b"Restoration paused"),
        (b"p", b"Restoration resumed"),
        (b"q", b"Stopping"),
    ):
        os.write(ours, key)
        while answer not in said:
            piece = os.read(process.stderr.fileno(), 4096)
            assert piece, said
            said += piece
    assert b"test pattern, 320 x 240, 30 fps, to null" in said
    assert process.wait(60) == 0
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "srt://127.0.0.1:9999"], "without SRT"),
        (
            ["--source", "pattern", "--size", "big"],
            "must be WIDTHxHEIGHT, such as 1280x720",
        ),
        (["--source", "-", "--size", "320x240"], "no frames"),
    ],
)
def test_what_cannot_be_is_said_in_words(inverting, arguments, words):
    done = live(*arguments, "--headless", *inverting)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
def test_without_a_screen_the_preview_says_what_to_do(clip, inverting, monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("WAYLAND_DISPLAY", "")
    done = live("--source", clip, *inverting)
    assert done.exit_code == 2
    assert "--to camera" in done.stderr
