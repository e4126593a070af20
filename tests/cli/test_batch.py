"""streamdeblur batch: what it prints, refuses and returns."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from support.archives import QUICK
from support.cli import COMMAND, run
from support.media.videos import VideoSpec, write_video
from support.models.networks import write_network

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "examples" / "cluster"


@pytest.fixture
def folder(tmp_path, few_pictures):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.mkv", "deep/b.mkv"):
        write_video(tmp_path / "in" / name, few_pictures[:3], VideoSpec(options={}))
    return tmp_path / "in"


@pytest.fixture
def quick(tmp_path):
    network = write_network(tmp_path / "invert.onnx", "invert")
    options = [part for name, value in QUICK.items() if name != "always" for part in (f"--{name}", str(value))]
    return [*options, "--always", "--network", network, "--workers", 1]


def test_a_batch_and_what_it_says_when_it_is_run_again(folder, tmp_path, quick):
    out = tmp_path / "out"
    # its name holds what controls terminals, and what looks like the markup of rich
    broken = folder / "bro[b]\x1bken.mp4"
    broken.write_bytes(b"no video")
    done = run("batch", folder, "--out", out, "--json", *quick)
    assert done.exit_code == 1
    assert r"bro[b]\x1bken.mp4" in done.stderr
    report = done.json
    assert (report["done"], report["failed"], report["unfinished"]) == (2, 1, [])
    assert {Path(file["output"]).relative_to(out).as_posix() for file in report["files"]} == {"a.mkv", "deep/b.mkv", broken.name}
    again = run("batch", folder, "--out", out, *quick)
    assert again.exit_code == 1
    assert again.stdout.count("skipped") == 2
    assert r"bro[b]\x1bken.mp4" in again.stdout
    few = run("batch", broken, "--out", tmp_path / "few", "--max-failures", 0, *quick)
    assert (few.exit_code, "Too many files have failed" in few.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["@absent", "--out", "out"], "Cannot read the list absent"),
        (["*.none", "--out", "out"], "Nothing fits the pattern"),
        (["a.mkv", "--out", "out", "--shard", "3/2"], "a share and how many there are"),
        (["a.mkv"], "--out"),
    ],
)
def test_what_is_refused(tmp_path, arguments, words):
    done = run("batch", *arguments, cwd=tmp_path)
    assert done.exit_code == 2
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def of_slurm(share, folder, out, quick):
    """The command of one task of an array job, and its environment; tasks are numbered as users like."""
    array = {"SLURM_ARRAY_TASK_ID": str(share + 3), "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_COUNT": "3"}
    return ["bash", CLUSTER / "slurm.sh", folder, out, *quick], array


def of_kubernetes(share, folder, out, quick):
    """The command of one pod of an indexed Job, with three pods in place of sixteen."""
    (container,) = yaml.safe_load((CLUSTER / "kubernetes-job.yaml").read_text())["spec"]["template"]["spec"]["containers"]
    command = container["args"][0].replace("/16", "/3").replace("/archive", str(folder)).replace("/sharp", str(out))
    return [*container["command"], f"{command} {shlex.join(map(str, quick))}"], {"JOB_COMPLETION_INDEX": str(share - 1)}


def of_parallel(share, folder, out, quick):
    """The command that GNU parallel runs for one line."""
    page = (ROOT / "docs" / "clusters.md").read_text()
    command = next(line for line in page.splitlines() if line.startswith("seq 16 | parallel")).partition("hosts ")[2]
    command = command.replace("{}/16", f"{share}/3").replace("/archive", str(folder)).replace("/sharp", str(out))
    return ["sh", "-c", f"{command} {shlex.join(map(str, quick))}"], {}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="runs scripts of shells")
@pytest.mark.parametrize("recipe", [of_slurm, of_kubernetes, of_parallel])
def test_the_recipes_for_clusters_as_processes(folder, tmp_path, quick, recipe):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "streamdeblur").write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    (tmp_path / "bin" / "streamdeblur").chmod(0o755)
    running = []
    for share in (1, 2, 3):
        command, variables = recipe(share, folder, tmp_path / "out", quick)
        environment = {**os.environ, **variables, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
        running.append(subprocess.Popen(list(map(str, command)), env=environment, stdout=subprocess.DEVNULL))
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    assert {path.name for path in (tmp_path / "out").rglob("*.mkv")} == {"a.mkv", "b.mkv"}
    assert run("batch", folder, "--out", tmp_path / "out", "--json", *quick).json["skipped"] == 2


def test_a_wrong_detector_is_told_before_the_networks_are_measured(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    done = run("batch", folder, "--out", tmp_path / "out", "--network", "auto", "--detector", "centreface")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: Unknown detector 'centreface'. Did you mean 'centerface'?")
    assert not list((tmp_path / "cache").rglob("*.json"))
