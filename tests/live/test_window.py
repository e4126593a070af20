"""The window, on a screen that nobody sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from streamdeblur.cli.interrupts import INTERRUPTED
from streamdeblur.live.status_frame import GRAY
from support.cli import run_process, start
from support.screens import Screen
from support.servers import wait_until

WIDTH, HEIGHT = 640, 360


pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a screen of Linux")


@pytest.fixture
def screen(tmp_path):
    opened = Screen(tmp_path, 1280, 800)
    yield opened
    opened.close()


def on(screen):
    """The environment of a process whose windows are on a screen."""
    return {**os.environ, "DISPLAY": screen.display, "WAYLAND_DISPLAY": ""}


@pytest.fixture
def environment(screen):
    return on(screen)


def window_with_frames(screen):
    """The pixels of the window, once it shows frames in the split view and the rest of the screen nothing but the mouse."""
    seen = []

    def is_shown():
        pixels = screen.pixels()
        seen[:] = [pixels[:HEIGHT, :WIDTH].astype(int)]
        line = pixels[HEIGHT // 2 : HEIGHT, WIDTH // 2 - 2 : WIDTH // 2 + 2]
        # the mouse is in the middle of the screen
        return (line.min(axis=2).max(axis=1) > 200).all() and not pixels[HEIGHT:500, :500].any()

    wait_until(is_shown, 120)
    return seen[0]


def write_frames(pipe):
    """Write raw frames with contrast at every edge until nobody reads them any more."""
    frame = np.random.default_rng(0).integers(0, 120, (HEIGHT, WIDTH, 3), np.uint8).tobytes()
    with suppress(BrokenPipeError):
        while True:
            pipe.write(frame)


@contextmanager
def shown(folder, *arguments):
    """Start a live stream from stdin with a window that is dark but for a line of text; what it says is in `said`.

    Without a window manager, Qt sometimes never paints a window, of whatever program: then it is started again.
    """
    for attempt in range(6):
        (folder / str(attempt)).mkdir()
        screen = Screen(folder / str(attempt), 1280, 800)
        with (folder / "said").open("wb") as said:
            process = start("live", "--source", "-", *arguments, env=on(screen), stderr=said, stdin=subprocess.PIPE)
        try:
            try:
                wait_until(lambda screen=screen: (screen.pixels()[:300, :500] == GRAY).mean() > 0.9, 20)
            except AssertionError:
                continue
            yield screen, process
            return
        finally:
            process.kill()
            process.wait()
            screen.close()
    pytest.fail(f"no window is shown: {(folder / 'said').read_text()}")


def test_the_window_says_that_it_starts_and_then_shows_the_frames_alone(inverting_network, tmp_path):
    arguments = ["--size", f"{WIDTH}x{HEIGHT}", "--format", "rgb24", "--view", "split"]
    network = ["--network", inverting_network, "--engine", "onnxruntime"]
    with shown(tmp_path, *arguments, *network) as (screen, process):
        writer = threading.Thread(target=write_frames, args=[process.stdin], daemon=True)
        assert (tmp_path / "said").read_text().splitlines() == ["Starting ... (the first start on a machine takes longer)"]
        assert (screen.pixels()[100:400] > 200).any()
        writer.start()
        window = window_with_frames(screen)
    # neither a toolbar nor a margin: the picture fills its window, and nothing else is on the screen
    for edge in (window[-1], window[:, -1]):
        assert np.ptp(edge) > 20
    told = (tmp_path / "said").read_text()
    assert f"raw frames on stdin, {WIDTH} x {HEIGHT}, 30 fps, to preview" in told
    assert "Qt" not in told
    assert "QFont" not in told


def test_a_stream_that_does_not_start_ends_with_its_window(screen, environment, tmp_path):
    done = run_process("live", "--source", tmp_path / "absent.mp4", env=environment)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[1:] == [f"Error: No such file: {tmp_path}/absent.mp4."]
    process = start("live", "--source", "pattern", env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    wait_until(lambda: screen.pixels().any())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert said.decode().splitlines()[-1].startswith("Interrupted.")
    assert "Traceback" not in said.decode()
