"""What every engine does, each run for real; TensorRT on a fake GPU that computes on the CPU."""

from __future__ import annotations

import gc
import time
import weakref
from contextlib import nullcontext

import numpy as np
import pytest

from streamdeblur.engines import FrameFaces, open_engine
from streamdeblur.errors import EngineError, NetworkError
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from streamdeblur.weights import network_names, network_path
from support.engines import ENGINES
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.fakes.machine import Machine
from support.models.convolution import write_convolution
from support.models.networks import write_network

FAKED = ["10.7.0", "11.4.0"] if compiler() else []
"""Versions of TensorRT on the fake GPU, which needs a C++ compiler for the kernels."""


WINDOWS = [FaceWindow(x, y, 190) for x, y in ((796, 412), (320, 207), (1178, 332), (113, 329))]
"""Of faces of the group photograph, apart from each other."""


@pytest.fixture(scope="module")
def crops(photograph):
    planes = array_planes(photograph)
    return np.stack([crop(planes, window) for window in WINDOWS])


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network that opens quickly, and takes its time for a crop."""
    return Network.read(write_convolution(tmp_path_factory.mktemp("networks") / "wide.onnx", ranges=None, reach=8))


@pytest.fixture(
    scope="module",
    params=[(name, throughput) for name in ENGINES for throughput in (False, True)] + [(name, False) for name in FAKED],
    ids=lambda param: f"{param[0]}{'-throughput' if param[1] else ''}",
)
def engine(request, network, tmp_path_factory):
    name, throughput = request.param
    with pytest.MonkeyPatch.context() as patch, fake_gpu(Machine(name)) if name in FAKED else nullcontext() as machine:
        if machine:
            patch.setenv("STREAMDEBLUR_CACHE", str(tmp_path_factory.mktemp("cache")))
        opened = open_engine("tensorrt" if machine else name, network, throughput=throughput)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def expected(network, crops):
    """The network as ONNX Runtime computes it in float32."""
    import onnxruntime

    session = onnxruntime.InferenceSession(network.model_for(256), providers=["CPUExecutionProvider"])
    tensor = crops.transpose(0, 3, 1, 2).astype(np.float32) / 255
    return np.rint(session.run(["restored"], {"blurry": tensor})[0].transpose(0, 2, 3, 1) * 255).astype(int)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_any_number_of_crops(engine, crops, expected, count):
    restored = engine.infer(crops[:count])
    assert restored.shape == (count, 256, 256, 3)
    assert restored.dtype == np.uint8
    if count:
        assert np.abs(restored - expected[:count]).max() <= 6
        assert np.abs(restored - expected[:count]).mean() < 0.5


def submitted(engine, picture, windows, strength=1.0):
    """A copy of the picture, and its faces in flight."""
    copied = picture.copy()
    return copied, engine.submit(FrameFaces.read(array_planes(copied), windows, [strength] * len(windows)))


def pasted(picture, windows, crops, restored, strength=1.0):
    """The picture with restored crops, pasted on the CPU."""
    copied = picture.copy()
    changes = zip(windows, crops, restored.astype(np.uint8), strict=True)
    paste(array_planes(copied), [RestoredCrop(window, cropped, result, strength) for window, cropped, result in changes])
    return copied


def test_faces_of_several_frames_in_flight_come_back_to_their_own(engine, photograph, crops, expected):
    in_flight = [submitted(engine, photograph, [WINDOWS[n % 4]], 0.8) for n in range(12)]
    for n, (copied, pending) in enumerate(in_flight):
        outcome = pending.paste(array_planes(copied))
        assert outcome.finite.all()
        assert outcome.in_time.all()
        one = slice(n % 4, n % 4 + 1)
        reference = pasted(photograph, WINDOWS[one], crops[one], expected[one], 0.8)
        assert np.abs(copied.astype(int) - reference).max() <= 7
        assert not np.array_equal(copied, photograph)


def test_what_is_not_ready_by_the_deadline_is_as_it_came(engine, photograph, crops, expected):
    copied, pending = submitted(engine, photograph, WINDOWS)
    late = pending.paste(array_planes(copied), time.monotonic() - 1.0)
    assert not late.in_time.all()
    for window, in_time in zip(WINDOWS, late.in_time, strict=True):
        area = np.s_[int(window.top) : int(window.top + 190), max(0, int(window.left)) : int(window.left + 190)]
        assert np.array_equal(copied[area], photograph[area]) == (not in_time)
    # the results of the late faces are not mistaken for those of the next ones
    copied, pending = submitted(engine, photograph, WINDOWS[:1])
    assert pending.paste(array_planes(copied), time.monotonic() + 100.0).in_time.all()
    assert np.abs(copied.astype(int) - pasted(photograph, WINDOWS[:1], crops[:1], expected[:1])).max() <= 7


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_is_closed_frees_its_memory(name, network, crops):
    opened = open_engine(name, network)
    opened.infer(crops[:1])
    opened.close()
    graph = weakref.ref(opened._graphs._graphs[256])
    del opened
    gc.collect()
    assert graph() is None


def test_other_shapes_are_refused(engine):
    for wrong in (
        np.zeros((1, 160, 160, 3), np.uint8),
        np.zeros((256, 256, 3), np.uint8),
        np.zeros((1, 256, 256, 3), np.float32),
    ):
        with pytest.raises(ValueError, match="Crops are uint8"):
            engine.infer(wrong)


def test_crops_are_not_changed(engine, crops):
    before = crops.copy()
    engine.infer(crops)
    assert np.array_equal(before, crops)


def test_it_says_what_it_is(engine):
    assert engine.name in [*ENGINES, "tensorrt"]
    assert "CPU" in engine.reason or "Fake 4060" in engine.reason


@pytest.mark.parametrize("name", ENGINES)
def test_a_network_that_returns_nan_leaves_the_faces_and_says_which(tmp_path, photograph, crops, name):
    engine = open_engine(name, Network.read(write_network(tmp_path / "nan.onnx", "nan")))
    copied, pending = submitted(engine, photograph, WINDOWS[:2])
    assert pending.paste(array_planes(copied)).finite.tolist() == [False, False]
    assert np.array_equal(copied, photograph)
    assert np.array_equal(engine.infer(crops[:2]), crops[:2])
    engine.close()


def test_auto_takes_the_fastest_and_unknown_names_are_refused(tmp_path):
    network = Network.read(write_network(tmp_path / "same.onnx", "identity"))
    assert open_engine("auto", network).name == ENGINES[0]
    with pytest.raises(EngineError, match=r"Unknown engine 'warp'.*openvino"):
        open_engine("warp", network)


def test_a_provider_that_is_not_installed_is_refused(tmp_path):
    network = Network.read(write_network(tmp_path / "same.onnx", "identity"))
    with pytest.raises(EngineError, match="cuda"):
        open_engine("onnxruntime:cuda", network)


@pytest.mark.parametrize("name", network_names())
def test_a_shipped_network_tells_what_the_runtime_needs(name):
    network = Network.read(network_path(name))
    assert (network.crop_size, network.window_scale) == (256, 1.7)
    assert network.training != "not stated"
    assert network.licence != "not stated"


def test_metadata_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(NetworkError, match="metadata"):
        Network.read(write_network(tmp_path / "odd.onnx", "identity", metadata={"window_scale": "wide"}))


@pytest.mark.parametrize("scale", ["nan", "inf", "-1", "0", "1e9"])
def test_window_scales_that_cannot_be_are_refused(tmp_path, scale):
    with pytest.raises(NetworkError, match="window_scale"):
        Network.read(write_network(tmp_path / "odd.onnx", "identity", metadata={"window_scale": scale}))


@pytest.mark.parametrize("shape", [["N", 1, 256, 256], [4, 3, 256, 256], ["N", 3, 4096, 256], ["N", 9]])
def test_networks_that_declare_another_output_are_refused(tmp_path, shape):
    with pytest.raises(NetworkError, match=r"are needed|is not a valid network"):
        Network.read(write_network(tmp_path / "odd.onnx", "identity", declared=shape))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("kind", ["one channel", "four images", "tall", "flat"])
def test_an_output_of_another_shape_than_an_image_never_reaches_a_kernel(tmp_path, photograph, name, kind):
    network = Network.read(write_network(tmp_path / "odd.onnx", kind, declared=["a", "b", "c", "d"]))
    if name == "openvino":
        with pytest.raises(NetworkError, match=r"the network returns \["):
            open_engine(name, network)
        return
    engine = open_engine(name, network)
    copied, pending = submitted(engine, photograph, WINDOWS[:1])
    with pytest.raises(EngineError, match=r"The network returned \["):
        pending.paste(array_planes(copied))
    assert np.array_equal(copied, photograph)
    engine.close()


def test_openvino_computes_in_float32_where_bf16_is_forbidden(monkeypatch):
    """As when a newer CPU stands for one with AVX2; OpenVINO lists bf16 all the same, and fails to compile with it."""
    from streamdeblur.engines.openvino import WITHOUT_BF16, precision

    for name in WITHOUT_BF16:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", name.lower())
        assert precision() == "f32"
