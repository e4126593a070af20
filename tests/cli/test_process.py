"""Commands in processes without streams, home, folders or room: no command shows a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamdeblur.cli.app import COMMANDS, GROUPS
from streamdeblur.cli.process import prepared_process
from support import every_command
from support.cli import COMMAND, pipe_without_reader, run, run_process, run_with_files
from support.models.networks import write_network

pytestmark = pytest.mark.skipif(os.name != "posix", reason="closes and fills the streams of a shell")

CONDITIONS = {
    "ordinary": ("", [], {}),
    "stdout is closed": (">&-", [], {}),
    "stderr is closed": ("2>&-", [], {}),
    "all are closed": ("<&- >&- 2>&-", [], {}),
    # the one of each run of the tests; the others take minutes together
    "stdout is full": (">/dev/full", ["--no-training"], {}),
    "both are full": (">/dev/full 2>/dev/full", [], {}),
    "no home": ("", ["--no-home"], {}),
    "a deleted folder": ("", ["--no-folder"], {}),
    "no folder for temporary files": ("", [], {"TMPDIR": "/proc/none", "STREAMDEBLUR_CACHE": "/proc/none"}),
    "a tiny terminal": ("", [], {"COLUMNS": "1", "TERM": "dumb", "ENCODING": "ascii"}),
    "another encoding": ("", [], {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "ENCODING": "utf-16"}),
}
PRINTING = {
    "--help", "--version", "doctor", "models", "video --help", "evaluate --list", "config schema", "engine list",
    "gstreamer where",
}  # fmt: skip


@pytest.mark.parametrize(
    "condition", [pytest.param(name, marks=[] if name == "stdout is full" else [pytest.mark.slow]) for name in CONDITIONS]
)
def test_every_command_ends_in_order(tmp_path, condition):
    streams, flags, environment = CONDITIONS[condition]
    words = [sys.executable, every_command.__file__, str(tmp_path / "ends.json"), *flags]
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        ["bash", "-c", f'"$@" {streams}', "bash", *words],
        cwd=tmp_path / "work",
        env={**os.environ, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )
    ends = json.loads((tmp_path / "ends.json").read_text())
    full = "full" in condition
    expected = {name: 2 if full or name not in PRINTING else 0 for name in ends} | {"engine clear --quiet": 0}
    if condition == "no folder for temporary files":
        expected["engine clear --quiet"] = expected["engine list"] = 2
    assert ends == expected, done.stderr
    for words in (b"Traceback", b"Internal error", b"Exception ignored"):
        assert words not in done.stdout + done.stderr, done.stderr[max(0, done.stderr.find(words)) :][:600]
    assert not list(tmp_path.rglob("~"))
    assert not list((tmp_path / "work").iterdir())
    if condition == "stdout is full":
        assert done.stderr.count(b"Cannot print the results: No space left on device.") == len(PRINTING) + len(
            ["the error in JSON"]
        )


def test_every_command_is_tried():
    tried = {tuple(arguments[:2]) for arguments in every_command.ARGUMENTS}
    assert {(group, name) for group, (_, names) in GROUPS.items() for name in names} - tried <= {
        ("engine", "build"),
        ("gstreamer", "install"),
    }
    assert set(COMMANDS) - {arguments[0] for arguments in every_command.ARGUMENTS} <= {"demo"}


def test_a_reader_that_ends_early_is_no_error():
    with pipe_without_reader() as writing:
        done = subprocess.run([*COMMAND, "evaluate", "--list"], stdout=writing, stderr=subprocess.PIPE, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.slow
def test_what_was_done_stays_when_it_cannot_be_printed(tmp_path, few_pictures):
    from support.media.videos import write_video

    source = write_video(tmp_path / "talk.mp4", few_pictures[:3])
    with Path("/dev/full").open("wb") as full:
        arguments = ["video", str(source), str(tmp_path / "out.mp4"), "--json", "--quiet"]
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, check=False, timeout=120)
    assert done.returncode == 2
    assert done.stderr.endswith(b"Error: Cannot print the results: No space left on device.\n")
    assert (tmp_path / "out.mp4").stat().st_size > 1000


@pytest.fixture
def frame(few_pictures):
    """The bytes of one frame."""
    return few_pictures[0].tobytes()


@pytest.fixture
def pipe(tmp_path_factory):
    """The arguments of a pipe that opens quickly."""
    network = write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")
    return ("pipe", "--quiet", "--size", "320x240", "--format", "rgb24", "--network", network, "--engine", "onnxruntime")


def test_frames_that_stdout_does_not_take_are_told(pipe, frame):
    with open("/dev/full", "wb") as full:
        done = run_with_files(*pipe, input=frame, output=full)
    assert done.exit_code == 2
    assert done.stderr == "Error: Cannot write the frames to stdout: No space left on device.\n"


def test_frames_without_a_reader_end_quietly(pipe, frame):
    with pipe_without_reader() as writing:
        done = run_with_files(*pipe, input=frame, output=writing)
    assert (done.exit_code, done.stderr) == (141, "")


def test_pipe_does_not_append_to_its_input(tmp_path, pipe, frame):
    file = tmp_path / "frames.rgb"
    file.write_bytes(frame)
    with file.open("rb") as source, file.open("ab") as target:
        done = run_with_files(*pipe, input=source, output=target)
    assert (done.exit_code, file.stat().st_size) == (2, len(frame))
    assert done.stderr == "Error: stdout is the input itself. Choose another file for the output.\n"


def test_errors_that_nobody_expected_are_told_in_a_line(monkeypatch):
    def fail():
        raise TypeError("something is wrong")

    monkeypatch.setattr("streamdeblur.diagnosis.diagnose", fail)
    done = run("doctor")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: Internal error: TypeError: something is wrong. Please report it")
    assert done.stderr.count("\n") == 1
    monkeypatch.setenv("STREAMDEBLUR_TRACEBACK", "1")
    with pytest.raises(TypeError):
        run("doctor")


THREAD_ENDS = """
import threading
from streamdeblur import diagnosis
from streamdeblur.cli import main

def fail():
    raise OSError(28, "No space left on device")

def fail_after_the_command():
    threading.main_thread().join()
    fail()

def diagnose():
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    threading.Thread(target=fail_after_the_command).start()
    raise OSError(28, "No space left on device")

diagnosis.diagnose = diagnose
main(["doctor"])
"""


@pytest.mark.parametrize("shown", [False, True])
def test_threads_that_a_full_disk_ends_are_told_in_a_line(shown):
    environment = {**os.environ, "STREAMDEBLUR_TRACEBACK": "1" if shown else ""}
    command = [sys.executable, "-c", THREAD_ENDS]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    if shown:
        assert done.stderr.count("Exception in thread") == 2
        return
    assert done.returncode == 2
    assert done.stderr == "Warning: A background thread ended: No space left on device.\nError: No space left on device.\n"


def test_a_thread_that_outlives_the_command_writes_to_nowhere(monkeypatch):
    kept = []
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO()))
    with prepared_process():
        kept.append(sys.stderr)
    assert kept[0].write("late") == 4
    kept[0].flush()


@pytest.mark.slow
def test_too_little_memory_is_told_in_words(tmp_path):
    for megabytes in (300, 600, 900):
        done = subprocess.run(
            ["bash", "-c", f'ulimit -v {megabytes * 1000}; exec "$@"', "bash", *COMMAND, "doctor"],
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, b"memory" in done.stderr, b"Traceback" in done.stderr) == (2, True, False), megabytes
    assert run_process("--version").exit_code == 0
