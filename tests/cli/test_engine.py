"""streamdeblur engine: building, listing and deleting engines."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from streamdeblur.cli.commands.engine import app
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.models.networks import write_network


def run(*arguments, cache):
    environment = os.environ | {"STREAMDEBLUR_CACHE": str(cache)}
    command = [sys.executable, "-m", "streamdeblur", "engine", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_without_engines_the_list_is_empty_and_nothing_is_deleted(tmp_path):
    listed, cleared = run("list", "--json", cache=tmp_path), run("clear", "--json", cache=tmp_path)
    assert json.loads(listed.stdout.splitlines()[-1]) == {"folder": str(tmp_path / "tensorrt"), "engines": []}
    assert json.loads(cleared.stdout.splitlines()[-1]) == {"folder": str(tmp_path / "tensorrt"), "deleted": 0}
    assert run("list", cache=tmp_path).stdout == f"0 in {tmp_path / 'tensorrt'}\n"


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_without_tensorrt_it_says_what_to_install(tmp_path):
    done = run("build", cache=tmp_path)
    assert done.returncode == 2
    assert "pip install 'streamdeblur[tensorrt]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("list", cache=tmp_path / "file")
    assert done.returncode == 2
    assert "STREAMDEBLUR_CACHE" in done.stderr


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler (g++) to run the CUDA kernels on the CPU with")
def test_an_engine_is_built_listed_and_deleted(tmp_path, monkeypatch):
    """In this process, where the fake GPU is."""
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path))
    network = write_network(tmp_path / "invert.onnx", "invert")
    invoke = CliRunner().invoke
    with fake_gpu():
        built = invoke(app, ["build", "--weights", str(network), "--json"])
        assert built.exit_code == 0, built.output
        assert "Fake 4060" in json.loads(built.stdout.splitlines()[-1])["reason"]
        (listed,) = json.loads(invoke(app, ["list", "--json"]).stdout.splitlines()[-1])["engines"]
        assert (listed["tensorrt"], listed["gpu"], listed["precision"]) == ("10.7.0", "Fake 4060", "fp16")
        assert "Fake 4060, TensorRT 10.7.0, fp16" in invoke(app, ["list"]).stdout
        assert "1 deleted" in invoke(app, ["clear"]).stdout
        assert json.loads(invoke(app, ["list", "--json"]).stdout.splitlines()[-1])["engines"] == []
    assert [path.name for path in (tmp_path / "tensorrt").iterdir() if path.suffix != ".lock"] == []
