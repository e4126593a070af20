"""streamdeblur engine: building, listing and deleting engines."""

from __future__ import annotations

import importlib.util

import pytest

from streamdeblur.installation import install_command
from support.cli import run
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.models.networks import write_network


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path))
    return tmp_path / "tensorrt"


def test_without_engines_the_list_is_empty_and_nothing_is_deleted(cache):
    assert run("engine", "list", "--json").json == {"folder": str(cache), "engines": []}
    assert run("engine", "clear", "--json").json == {"folder": str(cache), "deleted": 0}
    assert run("engine", "list").stdout == f"0 in {cache}\n"


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_without_tensorrt_it_says_what_to_install(cache):
    done = run("engine", "build")
    assert done.exit_code == 2
    assert "".join(install_command("tensorrt").split()) in "".join(done.stderr.split())


def test_a_cache_that_cannot_be_written_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "file"))
    done = run("engine", "list")
    assert done.exit_code == 2
    assert "STREAMDEBLUR_CACHE" in done.stderr


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler (g++) to run the CUDA kernels on the CPU with")
def test_an_engine_is_built_listed_and_deleted(tmp_path, cache):
    """In this process, where the fake GPU is."""
    network = write_network(tmp_path / "invert.onnx", "invert")
    with fake_gpu():
        built = run("engine", "build", "--network", network, "--json")
        assert built.exit_code == 0, built.stderr
        assert "Fake 4060" in built.json["reason"]
        (listed,) = run("engine", "list", "--json").json["engines"]
        assert (listed["tensorrt"], listed["gpu"], listed["precision"]) == ("10.7.0", "Fake 4060", "fp16")
        assert "Fake 4060, TensorRT 10.7.0, fp16" in run("engine", "list").stdout
        assert "1 deleted" in run("engine", "clear").stdout
        assert run("engine", "list", "--json").json["engines"] == []
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []
