"""Which cores a process may use, and the threads that each stage gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import pytest

from streamdeblur.cores import (
    DECODER_CORE,
    DECODING_THREADS,
    SEPARATE,
    cpu_quota,
    file_plan,
    live_plan,
    plan_threads,
    share_of,
    usable_cores,
)
from streamdeblur.engines.openvino import thread_settings
from streamdeblur.errors import OptionError
from streamdeblur.options import RestorationOptions
from streamdeblur.video.encoders import configure, set_threads
from support.media.videos import write_video
from support.models.networks import write_network

FILE = {
    1: (1, 1, 1), 2: (2, 2, 2), 3: (2, 2, 2), 4: (3, 2, 2), 6: (4, 2, 3), 8: (4, 1, 3), 10: (5, 1, 4), 12: (6, 1, 4),
    16: (8, 2, 5), 24: (12, 3, 8), 32: (16, 4, 11), 64: (16, 4, 16),
}  # fmt: skip
"""Cores -> threads of the network (one for each crop), of the detector and of the encoder."""
LIVE = {
    1: (1, 1, 1, 1), 2: (1, 2, 2, 2), 3: (1, 3, 2, 2), 4: (1, 3, 1, 1), 6: (1, 5, 1, 1), 8: (2, 3, 1, 1), 12: (3, 3, 1, 1),
    16: (4, 3, 1, 2), 32: (8, 3, 2, 2), 64: (8, 5, 2, 3),
}  # fmt: skip
"""Cores -> crops at the same time, threads for each, threads of the decoder and of the encoder."""


@pytest.mark.parametrize("cores", FILE)
def test_threads_of_a_file(cores):
    plan = file_plan(cores)
    assert (plan.network.pictures, plan.detector.each, plan.encoder) == FILE[cores]
    assert (plan.network.each, plan.detector.pictures, plan.decoder) == (1, 1, DECODING_THREADS)


@pytest.mark.parametrize("cores", LIVE)
def test_threads_of_a_live_stream(cores):
    plan = live_plan(cores)
    assert (plan.network.pictures, plan.network.each, plan.decoder, plan.encoder) == LIVE[cores]


def test_there_are_never_more_threads_than_cores():
    for cores in range(1, 257):
        file, live = file_plan(cores), live_plan(cores)
        for plan in (file, live):
            assert 1 <= max(plan.network.total, plan.detector.total, plan.encoder) <= cores
        # those that are kept on cores have all of them
        assert not live.network.pinned or live.network.total == cores
        assert live.decoder <= cores
        if cores >= 4:
            # but one for decoder and encoder together on four to seven, a core for each thread
            assert live.network.total + max(live.decoder, live.encoder) <= cores
        if cores >= 8:
            assert live.network.total + live.decoder + live.encoder <= cores
        if cores >= SEPARATE:
            # the thread that crops and pastes waits while a full frame is searched
            assert file.network.total + file.detector.total + file.encoder <= cores - (cores >= DECODER_CORE)


def test_more_cores_are_never_fewer_threads():
    for plan in (file_plan, live_plan):
        for cores in range(1, 256):
            fewer, more = plan(cores), plan(cores + 1)
            assert fewer.encoder <= more.encoder or (plan, cores) == (live_plan, 3), (
                "from four on, its codec has cores of its own"
            )
            assert fewer.network.total <= more.network.total
            assert fewer.frames_in_flight <= more.frames_in_flight


def test_several_jobs_share_the_cores():
    for cores in range(1, 65):
        for jobs in range(1, cores + 1):
            plan = file_plan(share_of(cores, jobs))
            assert jobs * max(plan.network.total, plan.encoder) <= cores
            stream = live_plan(share_of(cores, jobs), alone=jobs == 1)
            assert jobs * stream.network.total <= cores
            # else threads of all jobs would be kept on the same cores
            assert jobs == 1 or not stream.network.pinned


def test_openvino_is_told_all_of_it():
    assert thread_settings(file_plan(8).network) == {
        "PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": 4, "INFERENCE_NUM_THREADS": 4, "ENABLE_CPU_PINNING": False,
    }  # fmt: skip
    assert "ENABLE_CPU_PINNING" not in thread_settings(live_plan(2).network)
    assert "ENABLE_CPU_PINNING" in thread_settings(live_plan(2, alone=False).network)
    assert thread_settings(live_plan(16).network) == {
        "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 4, "INFERENCE_NUM_THREADS": 12, "ENABLE_CPU_PINNING": False,
    }  # fmt: skip


def test_cores_of_the_options_are_an_upper_limit():
    assert plan_threads("file", 1) == file_plan(1)
    assert plan_threads("live", 4096) == plan_threads("live")
    assert not plan_threads("live", 1).network.pinned or usable_cores() == 1
    with pytest.raises(OptionError, match="cores"):
        RestorationOptions(cores=0)


@pytest.mark.parametrize("count", [1, 4, 16, 64])
def test_encoders_are_told_in_their_own_words(count):
    found = {}
    for name in ("libx264", "libx265", "libsvtav1", "ffv1"):
        context = av.CodecContext.create(name, "w")
        configure(context, name, None, None)
        set_threads(context, count)
        found[name] = context.thread_count, context.options
    assert found["libx264"][0] == found["ffv1"][0] == count
    assert found["libx265"][1]["x265-params"] == f"log-level=error:pools={count}"
    assert found["libsvtav1"][1]["svtav1-params"] == f"lp={ {1: 1, 4: 3, 16: 5, 64: 6}[count] }"


def test_cameras_and_uploads_divide_many_cores(monkeypatch):
    pytest.importorskip("aiortc")
    from streamdeblur.live.serve.camera_sessions import with_share

    for cores, expected in ((2, None), (8, None), (12, 4), (48, 16)):
        monkeypatch.setattr("streamdeblur.live.serve.camera_sessions.usable_cores", lambda cores=cores: cores)
        assert with_share(RestorationOptions()).cores == expected
    assert with_share(RestorationOptions(cores=3)).cores == 3


QUOTAS = {
    "version 2": ("0::/a/b\n", {"a/b/cpu.max": "250000 100000"}, 2.5),
    "version 2, a group above": ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
    "version 2, no limit": ("0::/a\n", {"a/cpu.max": "max 100000"}, None),
    "version 2 in a container": ("0::/../../outside\n", {"cpu.max": "400000 100000"}, 4.0),
    "version 1": (
        "3:cpuset:/\n2:cpu,cpuacct:/a\n1:name=systemd:/\n",
        {"cpu,cpuacct/a/cpu.cfs_quota_us": "300000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
        3.0,
    ),
    "version 1 in a container": (
        "4:cpu:/docker/1234\n0::/\n", {"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "50000\n"}, 3.0,
    ),
    "version 1, no limit": ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "both, the lower one": (
        "4:cpu:/\n0::/\n",
        {"cpu/cpu.cfs_quota_us": "600000", "cpu/cpu.cfs_period_us": "100000", "unified/cpu.max": "200000 100000"},
        2.0,
    ),
    "nonsense": ("0::/\n4:cpu:/\n", {"cpu.max": "many", "cpu/cpu.cfs_quota_us": ""}, None),
    "no groups": ("", {}, None),
}  # fmt: skip


@pytest.mark.parametrize("kind", QUOTAS)
def test_the_quota_of_a_container(tmp_path, kind):
    lines, files, expected = QUOTAS[kind]
    (tmp_path / "groups").write_text(lines)
    for name, content in files.items():
        path = tmp_path / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert cpu_quota(tmp_path / "groups", tmp_path / "mount") == expected


def test_systems_without_control_groups_have_no_quota(tmp_path):
    assert cpu_quota(tmp_path / "missing", tmp_path) is None


def test_the_page_has_the_same_tables():
    page = (Path(__file__).parents[1] / "docs" / "cores.md").read_text(encoding="utf-8")
    rows = [re.findall(r"^\| \d.*$", part, re.MULTILINE) for part in page.split("## ")[1:3]]
    tables = [[[int(cell) for cell in row.split("|")[1:-1]] for row in part] for part in rows]
    for cores, *threads in tables[0]:
        plan = file_plan(cores)
        assert threads == [plan.network.pictures, plan.encoder, plan.detector.each, plan.frames_in_flight]
    for cores, *threads in tables[1]:
        plan = live_plan(cores)
        assert threads == [plan.network.pictures, plan.network.each, plan.decoder, plan.encoder]
    assert min(map(len, tables)) > 5


JOB = """
import json, os, sys
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:int(sys.argv[1])]))
import streamdeblur.video.writer as writers
from streamdeblur import FaceDeblurrer, deblur_video
from streamdeblur.engines.openvino import OpenVINOGraph
opened = []
init = OpenVINOGraph.__init__
def noted(self, spec):
    init(self, spec)
    opened.append((spec.height, spec.threads.total, self.parallel))
OpenVINOGraph.__init__ = noted
encoders = []
class Writer(writers.Writer):
    def __exit__(self, *error):
        encoders.append(self.stream.codec_context.thread_count)
        return super().__exit__(*error)
import streamdeblur.jobs.video as jobs
jobs.Writer = Writer
with FaceDeblurrer(throughput=True, always=True, network=sys.argv[2]) as deblurrer:
    deblur_video(sys.argv[3], sys.argv[4], deblurrer=deblurrer, codec="libx264")
    network = next(one for one in opened if one[0] == 256)
    detectors, restored = [one for one in opened if one != network], deblurrer.statistics.restored
    file = {"cores": deblurrer.threads.cores, "network": network, "detectors": detectors, "encoder": encoders[0]}
from streamdeblur.live import recording, sources
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.options import LiveOptions
init_source, set_threads = sources.ContainerSource.__init__, recording.set_threads
def noted_source(self, *arguments, **settings):
    init_source(self, *arguments, **settings)
    decoders.append(self._stream.codec_context.thread_count)
def noted_threads(context, count):
    set_threads(context, count)
    encoders.append(context.thread_count)
opened.clear(), encoders.clear()
decoders = []
sources.ContainerSource.__init__, recording.set_threads = noted_source, noted_threads
target = sys.argv[4].replace(".mp4", ".mkv")
summary = LiveLoop(LiveOptions(source=sys.argv[3], to=(target,), network=sys.argv[2], always=True)).run()
restored = [restored, summary.restored]
live = {"graphs": opened, "encoders": encoders, "decoders": decoders}
print(json.dumps({"file": file, "live": live, "restored": restored}))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs the affinity of Linux")
@pytest.mark.parametrize("cores", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_job_keeps_to_its_cores(tmp_path, few_pictures, cores):
    if len(os.sched_getaffinity(0)) < cores:
        pytest.skip(f"needs {cores} cores")
    source, network = write_video(tmp_path / "in.mp4", few_pictures[:6]), write_network(tmp_path / "identity.onnx", "identity")
    command = [sys.executable, "-c", JOB, str(cores), str(network), str(source), str(tmp_path / "out.mp4")]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    assert min(found["restored"]) > 0
    file, live = found["file"], found["live"]
    assert (file["cores"], file["encoder"]) == (cores, cores)
    # of the threads, and of the pictures that OpenVINO says it computes at the same time
    assert file["network"][1:] == [cores, cores]
    assert file["detectors"]
    assert all(total <= cores for _, total, _ in file["detectors"])
    assert live["encoders"] == live["decoders"] == [cores]
    assert [256, cores, 1] in live["graphs"]
    assert all(total <= cores and parallel == 1 for _, total, parallel in live["graphs"])
