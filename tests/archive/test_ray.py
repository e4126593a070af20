"""Workers on Ray. These tests need the extra `ray`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from streamdeblur.cores import usable_cores
from support.archives import CUT, QUICK, contents
from support.cli import COMMAND
from support.media.videos import VideoSpec, write_video

ray = pytest.importorskip("ray", reason="needs the extra ray")

CLIPS, KILLS, WORKERS = 40, 30, 4
DRIVER_EVERY = 5
"""Of so many kills, one is that of the driver."""


def command(inputs, out, network):
    options = [part for name, value in QUICK.items() if name != "always" for part in (f"--{name}", str(value))]
    return [*COMMAND, "batch", str(inputs), "--out", str(out), *options, "--always", "--network", str(network), "--cores", "1"]


def descendants(process):
    """The ids of all processes below one, with their names."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1]), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, IndexError):
            continue
    found, below = {}, {process}
    while below:
        below = {child for child, (parent, _) in parents.items() if parent in below}
        found |= {child: parents[child][1] for child in below}
    return found


@pytest.mark.slow
def test_a_batch_on_a_local_cluster(tmp_path, archive, quick_network):
    subprocess.run(command(archive, tmp_path / "whole", quick_network), check=True, timeout=200)
    done = subprocess.run(
        [*command(archive, tmp_path / "out", quick_network), "--workers", "2", "--ray"],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_workers_that_the_cluster_has_no_room_for_get_no_task(tmp_path, archive, quick_network):
    """Each wants all cores of this machine; the later ones wait, and the first one does everything."""
    cores = str(usable_cores())
    done = subprocess.run(
        [*command(archive, tmp_path / "out", quick_network), "--cores", cores, "--workers", "3", "--ray"],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"room for 1 of 3 workers (cores: {cores} each)" in " ".join(done.stderr.split())
    assert len(contents(tmp_path / "out")) == 3


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_chaos(tmp_path, few_pictures, quick_network):
    """Workers and the driver are killed thirty times at random moments."""
    source = tmp_path / "in"
    source.mkdir()
    for number in range(CLIPS):
        pictures = [picture[:, 40:280].copy() for picture in few_pictures] * 4
        write_video(source / f"{number:02d}.mkv", pictures[: 18 + number % 31], VideoSpec(options=CUT))
    subprocess.run(command(source, tmp_path / "whole", quick_network), check=True, timeout=200)
    chance, kills, done_at = random.Random(1), 0, {}
    running = None
    while kills < KILLS:
        if running is None or running.poll() is not None:
            running = subprocess.Popen(
                [*command(source, tmp_path / "out", quick_network), "--workers", str(WORKERS), "--attempts", "99", "--ray"],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
        time.sleep(chance.uniform(0.1, 0.8))
        note_outputs(tmp_path / "out", done_at)
        if running.poll() is not None:
            break
        actors = [process for process, name in descendants(running.pid).items() if name.startswith("ray::_Actor")]
        if not actors:
            continue
        if kills % DRIVER_EVERY == DRIVER_EVERY - 1:
            running.kill()
            running.communicate()
        else:
            os.kill(chance.choice(actors), signal.SIGKILL)
        kills += 1
    if running.poll() is None:
        running.communicate(timeout=300)
    end = subprocess.run(
        [*command(source, tmp_path / "out", quick_network), "--workers", "2"], capture_output=True, text=True, check=False,
        timeout=200,
    )  # fmt: skip
    assert end.returncode == 0, end.stderr
    assert kills == KILLS
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "out")) == CLIPS
    note_outputs(tmp_path / "out", done_at)


def note_outputs(folder, done_at):
    """Outputs that were complete are never written again."""
    for path in folder.glob("*.mkv"):
        assert done_at.setdefault(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns, path.name
