"""TensorRT for RTX: the engine of TensorRT with another module, CUDA graphs and a cache of compiled kernels."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from streamdeblur.engines import engine_choices, open_engine
from streamdeblur.engines.tensorrt.cache import EngineCache
from streamdeblur.engines.tensorrt.library import RTX, TENSORRT, installed_library
from streamdeblur.engines.tensorrt.opening import cached, open_tensorrt
from streamdeblur.network import Network
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.fakes.machine import Machine
from support.models.networks import write_network

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler (g++) to run the CUDA kernels on the CPU with")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache folder, empty."""
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tensorrt"


@pytest.fixture
def network(tmp_path):
    return Network.read(write_network(tmp_path / "invert.onnx", "invert"))


def works(engine):
    crops = np.random.default_rng(0).integers(0, 256, (3, 256, 256, 3), np.uint8)
    return np.abs(engine.infer(crops).astype(int) - (255 - crops.astype(int))).max() <= 1


def test_it_builds_runs_and_keeps_its_engine_and_kernels(network, cache):
    with fake_gpu(rtx=True) as machine:
        assert installed_library() is RTX
        engine = open_engine("rtx", network)
        assert works(engine)
        assert (engine.name, "RTX 1.7.1.116" in engine.reason) == ("rtx", True)
        engine.close()
        assert "context with CUDA graphs" in machine.events
        assert "compiled kernels read" not in machine.events
        again = open_engine("auto", network)
        assert again.name == "rtx"
        assert "from the cache" in again.reason
        assert "compiled kernels read" in machine.events
        again.close()
        assert machine.builds == 1
    assert len(list(cache.glob("*.kernels"))) == 1
    assert EngineCache().clear() == 1
    assert not list(cache.glob("*.kernels"))


def test_kernels_of_another_card_are_compiled_anew(network, cache):
    with fake_gpu(rtx=True):
        open_engine("rtx", network).close()
    (kernels,) = cache.glob("*.kernels")
    whole = kernels.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"kernels of another"):
        kernels.write_bytes(damage)
        with fake_gpu(rtx=True) as machine:
            engine = open_engine("rtx", network)
            assert works(engine)
            engine.close()
            assert "compiled kernels read" not in machine.events
        assert kernels.read_bytes() == whole


def test_its_engines_are_not_those_of_tensorrt(network):
    with fake_gpu(rtx=True):
        open_engine("rtx", network).close()
        assert cached(network, library=RTX)
    with fake_gpu(Machine()) as machine:
        assert not cached(network, library=TENSORRT)
        open_tensorrt(network).close()
        assert machine.builds == 1
        assert installed_library() is TENSORRT


def test_each_of_the_two_is_listed_with_what_it_needs(monkeypatch):
    for package in ("tensorrt_rtx", "pycuda"):
        # as where it is not installed
        monkeypatch.setitem(sys.modules, package, None)
    choices = {choice.name: choice for choice in engine_choices()}
    assert list(choices)[:2] == ["tensorrt", "rtx"]
    assert "tensorrt-rtx and pycuda not installed" in choices["rtx"].reason
    assert "[rtx]" in choices["rtx"].reason
    with fake_gpu(rtx=True):
        choices = {choice.name: choice for choice in engine_choices()}
    assert choices["rtx"].available
    assert not choices["tensorrt"].available
