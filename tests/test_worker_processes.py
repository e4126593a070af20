"""Worker processes leave interrupts to the process that started them, and end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from streamdeblur.cores import share_of, usable_cores

PROGRAM = """
import os, sys, time
from streamdeblur.cores import usable_cores
from streamdeblur.worker_processes import open_pool

if __name__ == "__main__":
    pool = open_pool(2, time.sleep, 0)
    try:
        print("started", flush=True)
        print(*{pool.submit(os.getpid).result() for _ in range(20)}, flush=True)
        print(pool.submit(usable_cores).result(), flush=True)
        pool.submit(time.sleep, 60).result()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        pool.submit(os.getpid).result()
        os._exit(130)
"""


@pytest.fixture
def program(tmp_path):
    """The program above in a process group of its own, as in a terminal."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    started = subprocess.Popen(
        [sys.executable, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    yield started
    started.kill()
    started.communicate()


@pytest.mark.skipif(os.name != "posix", reason="process groups are of Unix")
@pytest.mark.parametrize("when", ["started", "working"])
def test_an_interrupt_of_the_whole_group_reaches_the_main_process_only(program, when):
    """As Ctrl-C in a terminal does, also while the workers are still starting."""
    program.stdout.readline()
    if when == "working":
        program.stdout.readline()
        assert int(program.stdout.readline()) == share_of(usable_cores(), 2), "each of two workers has half of the cores"
    os.killpg(program.pid, signal.SIGINT)
    said, errors = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "interrupted" in said
    assert errors == ""


@pytest.mark.skipif(os.name != "posix", reason="process groups are of Unix")
def test_workers_end_with_their_parent(program):
    program.stdout.readline()
    workers = [int(number) for number in program.stdout.readline().split()]
    program.kill()
    for _ in range(600):
        if not any(is_running(worker) for worker in workers):
            return
        time.sleep(0.05)
    raise AssertionError(workers)


def is_running(process):
    try:
        with open(f"/proc/{process}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
