"""Ctrl-C, SIGTERM and a closed terminal at any moment of a command; and a kill, after which nothing can be done."""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import av
import pytest

from streamdeblur.cli.interrupts import INTERRUPTED, Interrupts
from support.cli import run, run_process, start, take_interrupts
from support.media.videos import read_frames, write_video
from support.models.networks import write_network

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these signals are of Unix")

READY = "import sys; from streamdeblur.cli import interrupts, main; print('ready', flush=True); main(sys.argv[1:])"


@pytest.fixture
def begin():
    """Starts a command, and ends what still runs after the test."""
    processes = []

    def begin_command(*arguments, **settings):
        processes.append(start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings))
        return processes[-1]

    yield begin_command
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def clip(tmp_path_factory, few_pictures):
    """12 seconds, which take some time to restore."""
    return write_video(tmp_path_factory.mktemp("clips") / "blurry.mp4", few_pictures * 25)


@pytest.fixture(scope="module")
def live(tmp_path_factory, clip):
    """The arguments of a live stream without end, with a network that opens quickly."""
    network = write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")
    return ("live", "--source", clip, "--realtime", "--loop", "--headless", "--json", "--network", network)


def until(condition):
    end = time.monotonic() + 180
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.025)
    raise AssertionError("never true")


def recorded(file, size=10_000):
    """A condition: that much has been recorded."""
    return lambda: file.exists() and file.stat().st_size > size


# the signals, one by one


def received(action):
    """Whether an action ends in an interrupt."""
    try:
        action()
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_interrupts_and_the_second_does_not(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert received(lambda: signal.raise_signal(number))
        signal.raise_signal(number)
        assert interrupts.count == 2
    assert signal.getsignal(number) is before


REPEATED = """
import signal, sys
from streamdeblur.cli import interrupts
name, interrupts.BURST_SECONDS = sys.argv[1], float(sys.argv[2])
with interrupts.Interrupts():
    for _ in range(3):
        try:
            signal.raise_signal(getattr(signal, name))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    for last in sys.argv[3:]:
        signal.raise_signal(getattr(signal, last))
    print("finished", flush=True)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("apart", [True, False])
def test_the_third_signal_ends_the_program_at_once_unless_it_comes_together_with_the_first(name, apart):
    """Who closes a terminal or ends a service sends several; nobody presses Ctrl-C three times in vain."""
    command = [sys.executable, "-c", REPEATED, name, "0" if apart else "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    ends = apart or name == "SIGINT"
    assert done.returncode == (INTERRUPTED if ends else 0)
    assert done.stdout.split() == ["interrupted"] + ["finished"] * (not ends)


@pytest.mark.parametrize(("last", "ends"), [(["SIGINT"], False), (["SIGINT", "SIGINT"], True)])
def test_signals_that_come_together_count_as_one(last, ends):
    command = [sys.executable, "-c", REPEATED, "SIGTERM", "60", *last]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (INTERRUPTED if ends else 0)


def test_what_is_ignored_stays_ignored():
    """As by nohup, under which a program outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGHUP)
            assert interrupts.count == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_waits_for_the_end_of_an_import(tmp_path, monkeypatch):
    """Within an import, it would come out as another error."""
    (tmp_path / "interrupted.py").write_text(
        "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(0.2)\ncomplete = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Interrupts():
        assert received(lambda: importlib.import_module("interrupted") and time.sleep(60))
    assert sys.modules.pop("interrupted").complete


def test_an_interrupt_that_is_lost_in_a_destructor_is_repeated():
    class Destroyed:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def destroy():
        Destroyed()
        time.sleep(60)

    with Interrupts():
        assert received(destroy)


def test_in_another_thread_signals_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with Interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


# whole commands


@pytest.mark.parametrize(("command", "delay"), [("live", 0.02), ("video", 0.15), ("image", 0.3), ("live", 0.5)])
def test_an_early_interrupt_ends_a_command_without_a_traceback(tmp_path, clip, live, command, delay):
    arguments = {"live": live, "video": ("video", clip, tmp_path / "o.mp4"), "image": ("image", clip, tmp_path / "o.png")}
    process = subprocess.Popen(
        [sys.executable, "-c", READY, *map(str, arguments[command])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=take_interrupts,
    )  # fmt: skip
    process.stdout.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert "Traceback" not in said
    assert process.returncode == INTERRUPTED, said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_before_a_command_begins_every_signal_ends_it_in_words(name):
    program = "import signal; from streamdeblur.cli.interrupts import ended_at_once as e\nwith e(): signal.raise_signal({})"
    arguments = [sys.executable, "-c", program.format(f"signal.{name}")]
    done = subprocess.run(arguments, capture_output=True, preexec_fn=take_interrupts, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (INTERRUPTED, b"Interrupted.\n")


@pytest.mark.parametrize("sign", [signal.SIGHUP, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_two_runs_cannot_write_one_file_and_a_signal_leaves_no_partial_file(begin, clip, tmp_path, sign):
    process = begin("video", clip, tmp_path / "o.mp4", "--always", "--json", "--quiet")
    until(lambda: list(tmp_path.iterdir()))
    other = run("video", clip, tmp_path / "o.mp4", "--overwrite", "--json")
    assert other.exit_code == 2
    assert "is being written by another run" in other.json["error"]
    process.send_signal(sign)
    _, said = process.communicate(timeout=120)
    assert process.returncode == INTERRUPTED, said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_name_that_is_recorded_is_refused_and_a_second_interrupt_spoils_nothing(begin, live, tmp_path):
    file = tmp_path / "o.mp4"
    process = begin(*live, "--to", file)
    until(recorded(file))
    for overwrite, words in (([], "exists"), (["--overwrite"], "is being recorded by another run")):
        other = run(*live, "--to", file, "--seconds", "1", *overwrite)
        assert other.exit_code == 2
        assert words in other.json["error"]
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=120)
    # the second one may arrive when all is done
    assert process.returncode in (0, INTERRUPTED, -signal.SIGINT), said
    assert "Traceback" not in said
    assert f'"frames": {len(read_frames(file))},' in output
    assert os.listdir(tmp_path) == ["o.mp4"]


def test_a_recording_is_completed_when_its_terminal_is_closed(live, tmp_path):
    """The kernel sends SIGHUP, and nothing can be read from the terminal or written to it any more."""
    pty = pytest.importorskip("pty", reason="terminals as this test makes them are of Unix")
    file = tmp_path / "o.mp4"
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "streamdeblur", *map(str, live), "--to", "null", "--to", str(file)])
    try:
        until(recorded(file))
        os.close(terminal)
        until(lambda: os.waitpid(process, os.WNOHANG)[0])
        process = 0
    finally:
        if process:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    with av.open(str(file)) as container:
        assert container.streams.video[0].frames == len(read_frames(file)) > 0
    assert os.listdir(tmp_path) == ["o.mp4"]


# a kill


def killed_recording(begin, live, file, seconds):
    """Record until a kill, this long after the beginning; returns how long the recording is at least, in seconds."""
    process = begin(*live, "--to", file)
    until(recorded(file))
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    process.kill()
    process.communicate()
    return passed


def playable_seconds(file):
    times = []
    with av.open(str(file)) as container, contextlib.suppress(av.FFmpegError):
        times.extend(frame.time for frame in container.decode(video=0))
    return times[-1] - times[0]


def test_after_a_kill_all_but_the_last_second_can_be_played(begin, live, tmp_path):
    file = tmp_path / "o.mp4"
    passed = killed_recording(begin, live, file, 1.5)
    assert playable_seconds(file) > passed - 1
    again = run(*live, "--to", file, "--seconds", "1")
    assert again.exit_code == 2
    assert "exists" in again.json["error"]
    assert playable_seconds(file) > passed - 1


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".ts", ".avi"])
def test_after_a_kill_at_a_random_moment_all_but_the_last_second_can_be_played(begin, live, tmp_path, suffix):
    moments = random.Random(suffix)
    for number in range(4):
        file = tmp_path / f"{number}{suffix}"
        passed = killed_recording(begin, live, file, moments.uniform(0.1, 5))
        assert playable_seconds(file) > passed - 1


@pytest.mark.slow
def test_what_a_killed_run_left_is_removed_by_the_next(begin, clip, tmp_path):
    process = begin("video", clip, tmp_path / "o.mp4", "--always")
    until(lambda: list(tmp_path.iterdir()))
    process.kill()
    process.communicate()
    assert [path.name for path in tmp_path.iterdir()] != ["o.mp4"]
    assert run_process("video", clip, tmp_path / "o.mp4").exit_code == 0
    assert os.listdir(tmp_path) == ["o.mp4"]
