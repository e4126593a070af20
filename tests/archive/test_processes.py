"""Worker processes: one that is killed costs its task, which is done again, and a batch that is killed goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from streamdeblur.archive.processes import Processes
from streamdeblur.errors import EngineError
from support.archives import QUICK, contents
from support.cli import COMMAND, run_process
from support.servers import wait_until

resource = pytest.importorskip("resource", reason="limits of a process are those of POSIX")


def killing(count, victims):
    """A pool of processes, of which the one that begins the first tasks is killed when it has made progress."""

    class Killing(Processes):
        left = victims

        def __init__(self, assignment):
            super().__init__(assignment, count)

        def give(self, task):
            super().give(task)
            if self.left and task.kind != "join":
                self.left -= 1
                busy = next(one for one in self._processes if one.task is task)
                os.kill(busy.process.pid, signal.SIGKILL)

    return Killing


def test_tasks_of_workers_that_are_killed_are_done_again(tmp_path, batch, caplog):
    batch(tmp_path / "whole")
    done = batch(tmp_path / "out", pool=killing(2, 2))
    assert done.status == ["done"] * 3
    assert len(done.begun) == 8
    assert caplog.text.count("was killed by SIGKILL. Trying it again.") == 2
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_task_that_kills_its_workers_is_given_up(tmp_path, batch, archive):
    failed = batch(tmp_path / "out", [archive / "a.mkv"], pool=killing(1, 2), attempts=2)
    assert failed.status == ["failed"]
    assert "was killed by SIGKILL" in failed.files[0].error


def test_workers_that_always_die_end_the_batch(tmp_path, batch, archive):
    with pytest.raises(EngineError, match="No worker can do the work"):
        batch(tmp_path / "out", [archive], pool=killing(1, 9), attempts=9)


def test_a_worker_that_has_taken_much_memory_is_replaced(tmp_path, batch, archive):
    ids = set()

    class Watched(Processes):
        def __init__(self, assignment):
            super().__init__(assignment, 1, most_memory=1)
            ids.update(self.ids)

        def reports(self, on_progress):
            yield from super().reports(on_progress)
            ids.update(self.ids)

    assert batch(tmp_path, [archive / "a.mkv"], pool=Watched).status == ["done"]
    assert len(ids) == 2


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits another process (Linux)")
def test_work_of_a_worker_whose_disk_is_full_goes_elsewhere(tmp_path, batch, archive, caplog):
    class OneDiskIsFull(Processes):
        def __init__(self, assignment):
            super().__init__(assignment, 2)
            resource.prlimit(self.ids[0], resource.RLIMIT_FSIZE, (1000, 1000))

    done = batch(tmp_path, [archive / "long.mkv"], pool=OneDiskIsFull)
    assert done.status == ["done"]
    assert "worker 1 gets no more work: No space left to write" in caplog.text
    assert not list(tmp_path.rglob("*.partial-*"))


def test_an_interrupt_leaves_nothing_half_written(tmp_path, batch, archive):
    class Interrupted(Processes):
        def __init__(self, assignment):
            super().__init__(assignment, 1)

        def reports(self, on_progress):
            wait_until(lambda: list(tmp_path.rglob("*.partial-*")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch(tmp_path, [archive / "long.mkv"], pool=Interrupted, segment=0)
    assert not list(tmp_path.rglob("*.partial-*"))


def arguments(archive, out, network):
    options = [part for name, value in QUICK.items() if name != "always" for part in (f"--{name}", str(value))]
    return ["batch", archive, "--out", out, *options, "--always", "--network", network, "--json"]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills process groups")
def test_a_batch_that_is_killed_at_random_moments_ends_like_an_undisturbed_one(tmp_path, archive, quick_network):
    whole = run_process(*arguments(archive, tmp_path / "whole", quick_network))
    assert whole.exit_code == 0, whole.stderr
    randomness = random.Random(0)
    command = [*COMMAND, *map(str, arguments(archive, tmp_path / "out", quick_network)), "--workers", "2"]
    for _ in range(12):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(randomness.uniform(1.0, 5.0))
        running.kill()
        running.communicate()
    end = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert end.returncode == 0, end.stderr
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
