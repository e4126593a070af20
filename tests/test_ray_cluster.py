"""Pools of processes on a Ray cluster. These tests need the extra `ray`."""

from __future__ import annotations

import os
from concurrent.futures.process import BrokenProcessPool

import pytest

from streamdeblur.cores import usable_cores
from streamdeblur.errors import OptionError
from streamdeblur.worker_processes import open_pool
from support.cli import run_process
from support.media.videos import VideoSpec, write_video

pytest.importorskip("ray", reason="needs the extra ray")


DIE_ONCE = "'alive' if os.path.exists({0!r}) else (open({0!r}, 'x'), os._exit(1))"


@pytest.mark.slow
def test_calls_run_on_the_cluster(tmp_path):
    from streamdeblur.ray_cluster import pools_on_cluster

    with pools_on_cluster("local") as cores:
        assert cores == usable_cores()
        with open_pool(2, os.putenv, "PREPARED", "1") as pool:
            calls = [pool.submit(pow, number, 2) for number in range(20)]
            assert [call.result() for call in calls] == [number**2 for number in range(20)]
            assert os.getpid() not in {pool.submit(os.getpid).result() for _ in range(4)}
            assert pool.submit(os.getcwd).result() == os.getcwd()
            with pytest.raises(ValueError, match="invalid literal"):
                pool.submit(int, "no number").result()
            assert pool.submit(eval, DIE_ONCE.format(str(tmp_path / "died")), {"os": os}).result() == "alive"
            with pytest.raises(BrokenProcessPool):
                pool.submit(os._exit, 1).result()
            assert pool.submit(pow, 2, 3).result() == 8


@pytest.mark.slow
def test_actors_that_the_cluster_has_no_room_for_get_no_call():
    """Nor does the end of the pool wait for them."""
    from streamdeblur.ray_cluster import pools_on_cluster

    with pools_on_cluster("local") as cores:
        with open_pool(cores + 2) as pool:
            calls = [pool.submit(pow, number, 2) for number in range(20)]
            assert [call.result(timeout=60) for call in calls] == [number**2 for number in range(20)]
            with pytest.raises(BrokenProcessPool):
                pool.submit(os._exit, 1).result(timeout=60)
            assert pool.submit(pow, 2, 3).result(timeout=60) == 8
        pool = open_pool(cores)
        call = pool.submit(pow, 2, 3)
        pool.shutdown(cancel_futures=True)
        assert call.cancelled() or call.result() == 8


@pytest.mark.slow
def test_commands_give_the_same_on_a_cluster(tmp_path, few_pictures):
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / "in" / name, few_pictures[:6], VideoSpec(options={}))
    made = {}
    for name, options in (("alone", ["--quiet"]), ("cluster", ["--ray"])):
        out = tmp_path / name
        done = run_process("blur", "in", name, "--scheme", "pravg:3", *options, cwd=tmp_path)
        assert done.exit_code == 0, done.stderr
        made[name] = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.png")}
    assert made["alone"] == made["cluster"]
    assert len(made["alone"]) > 4


def test_a_cluster_that_is_not_there_is_refused():
    from streamdeblur.ray_cluster import pools_on_cluster

    words = "Cannot use the Ray cluster at 127.0.0.1:1: Connection refused"
    with pytest.raises(OptionError, match=words), pools_on_cluster("127.0.0.1:1"):
        pass
