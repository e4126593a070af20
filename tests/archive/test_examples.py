"""The job files of `examples/cluster`: their keys, their pods, and the commands in them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

from streamdeblur.cli.app import build_app

EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"

RAY_JOB = {"entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "rayClusterSpec"}
RAY_CLUSTER = {"headGroupSpec", "workerGroupSpecs"}
HEAD, WORKERS = {"rayStartParams", "template"}, {"groupName", "replicas", "minReplicas", "maxReplicas"}
"""Keys of KubeRay's API ray.io/v1 (`rayjob_types.go`, `raycluster_types.go`) that the example may use."""


def read(name):
    return yaml.safe_load((EXAMPLES / name).read_text("utf-8"))


def pods():
    job, cluster = read("kubernetes-job.yaml"), read("rayjob.yaml")["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [job["spec"]["template"], *(group["template"] for group in groups)]


def options_of_batch():
    command = build_app().commands["batch"].load()
    return {name for parameter in command.params for name in parameter.opts}


def commands():
    (container,) = read("kubernetes-job.yaml")["spec"]["template"]["spec"]["containers"]
    script = (EXAMPLES / "slurm.sh").read_text("utf-8").replace("\\\n", " ")
    yield container["args"][0]
    yield read("rayjob.yaml")["spec"]["entrypoint"]
    yield next(line for line in script.splitlines() if line.startswith("exec streamdeblur"))


def test_the_commands_have_options_that_exist():
    known = options_of_batch()
    for command in commands():
        words = shlex.split(command.removeprefix("exec "))
        assert words[:2] == ["streamdeblur", "batch"]
        assert {word for word in words if word.startswith("--")} <= known


def test_the_keys_of_the_ray_job():
    job = read("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert set(job["spec"]) <= RAY_JOB
    cluster = job["spec"]["rayClusterSpec"]
    assert set(cluster) == RAY_CLUSTER
    assert set(cluster["headGroupSpec"]) == HEAD
    for group in cluster["workerGroupSpecs"]:
        assert set(group) == HEAD | WORKERS
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_every_mount_has_its_volume():
    for pod in pods():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        assert all(mount["name"] in volumes for one in pod["spec"]["containers"] for mount in one["volumeMounts"])


def test_the_schema_of_kubernetes():
    validate = pytest.importorskip("kubernetes_validate", reason="its package holds the schema")
    version = validate.latest_version()
    validate.validate(read("kubernetes-job.yaml"), version, strict=True)
    for pod in pods():
        template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}, "template": pod}
        validate.validate(template, version, strict=True)
