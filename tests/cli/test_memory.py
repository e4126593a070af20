"""Too little memory is told in words."""

from __future__ import annotations

import errno
import subprocess

import pytest

from streamdeblur.cli.memory import lack_of_memory
from support.cli import COMMAND, run


@pytest.mark.parametrize("command", ["image", "video", "doctor", "train hourglass"])
def test_a_small_limit_is_refused_before_any_library_is_loaded(command):
    """Libraries end the process by themselves, or wait without end."""
    limited = f"ulimit -v 800000; exec {' '.join(COMMAND)} {command} missing"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: The memory of this process is limited to 0.8 GB, and streamdeblur needs 3.2 GB or more. "
        "Raise the limit (ulimit -v).\n"
    )


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory"), RuntimeError("can't start new thread")]
)
def test_any_command_tells_of_too_little_memory(tmp_path, monkeypatch, error):
    def fail(*arguments, **settings):
        raise error

    monkeypatch.setattr("streamdeblur.diagnosis.diagnose", fail)
    done = run("doctor")
    assert done.exit_code == 2
    assert "There is too little memory" in done.stderr


def test_other_errors_are_not_about_memory():
    assert lack_of_memory(RuntimeError("the file is damaged")) is None
    assert lack_of_memory(OSError(errno.ENOSPC, "No space left on device")) is None
    assert lack_of_memory(ImportError("libQt5Gui.so: failed to map segment from shared object")) is not None
