"""Which cards there are, and what mends what is wrong with them, by the vendor's codes and words."""

from __future__ import annotations

import json
from importlib.metadata import PathDistribution

import onnxruntime
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.archive import processes
from streamdeblur.archive.worker import Assignment
from streamdeblur.archive.workers import default_workers, devices_of_workers
from streamdeblur.engines import cards, engine_choices, mismatches, open_engine
from streamdeblur.engines.cards import DriverError, find_cards
from streamdeblur.engines.mismatches import mended
from streamdeblur.engines.onnxruntime import _with_fallbacks
from streamdeblur.engines.tensorrt.device import Device, OutOfMemoryError
from streamdeblur.engines.tensorrt.opening import open_tensorrt
from streamdeblur.errors import EngineError, OptionError
from streamdeblur.network import Network
from streamdeblur.options import RestorationOptions, VideoOptions
from support.cli import run
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.fakes.machine import Machine
from support.fakes.nvidia import c_compiler, nvidia_driver
from support.models.networks import write_network

pytestmark = pytest.mark.skipif(
    c_compiler() is None or compiler() is None, reason="no compilers (cc, g++) for the fakes of the driver and the kernels"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache folder, empty."""
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def network(tmp_path):
    return Network.read(write_network(tmp_path / "invert.onnx", "invert"))


def test_cards_are_those_of_the_driver():
    with nvidia_driver(cards=2, cuda=13000, pid=4711, exclusive=1):
        first, second = find_cards()
    assert (first.number, first.name, second.name) == (0, "Fake 4060", "Fake 4070")
    assert (first.capability, first.cuda, first.driver) == ((8, 9), (13, 0), "550.54.14")
    assert (first.memory, first.free, first.processes, first.exclusive) == (8 << 30, 6 << 30, (4711,), True)
    assert first.supported


def test_without_nvml_less_is_known():
    with nvidia_driver(nvml=False):
        (card,) = find_cards()
    assert (card.driver, card.free, card.processes) == ("", None, ())
    with nvidia_driver(nvml=True):
        assert find_cards()[0].free is not None


def test_a_driver_that_cannot_list_processes_tells_the_rest():
    """The call is of drivers from 510 on."""
    with nvidia_driver(old=True, pid=4711):
        (card,) = find_cards()
        assert (card.driver, card.free, card.processes) == ("470.57.02", 6 << 30, ())
        assert "6144 of 8192 MiB are free: close what else" in mended("CUDA out of memory. Tried ...")


@pytest.fixture
def no_driver(monkeypatch):
    monkeypatch.setattr(cards, "CUDA_LIBRARIES", ("libno-such-library.so",))


def test_without_a_driver_it_says_what_to_install(no_driver):
    with pytest.raises(DriverError, match="no NVIDIA driver here") as caught:
        find_cards()
    assert "docker run --gpus all" in mended(caught.value)


CODES = {
    35: "Install a newer driver (this one is 550.54.14, of CUDA 12.4): 525 or later for CUDA 12, 580 or later for CUDA 13.",
    222: "Install a newer driver (this one is 550.54.14, of CUDA 12.4)",
    804: "Install a newer driver",
    803: "restart the machine",
    100: "CUDA_VISIBLE_DEVICES",
    34: "LD_LIBRARY_PATH",
}


@pytest.mark.parametrize(("code", "line"), CODES.items())
def test_each_code_of_the_driver_has_a_line_that_mends_it(code, line):
    with nvidia_driver(init=code):
        with pytest.raises(DriverError, match=f"answers cuInit with error {code}: ") as caught:
            find_cards()
        assert line in mended(caught.value)


def test_a_card_that_another_process_holds_names_it():
    with nvidia_driver(pid=4711, exclusive=1):
        told = mended(DriverError("The NVIDIA driver answers cuDevicePrimaryCtxRetain with error 46: busy.", 46))
        assert "takes one process at a time (process 4711 computes on it)" in told
        assert "nvidia-smi -i 0 -c DEFAULT" in told
        # as TensorRT, ONNX Runtime and PyTorch say it
        for words in (
            "CUDA initialization failure with error: 46",
            "CUDA failure 46: all CUDA-capable devices are busy or unavailable",
            "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
        ):
            assert "process 4711" in mended(words)


def test_memory_that_is_short_says_who_has_it():
    with nvidia_driver(pid=99, free=200 << 20):
        for words in (
            "cuMemAlloc failed: out of memory",
            "CUDA failure 2: out of memory ; GPU=0",
            "CUDA out of memory. Tried ...",
        ):
            assert "200 of 8192 MiB are free (process 99 computes on it): close what else uses it" in mended(words)
    assert "--device cpu" in mended("cuMemAlloc failed: out of memory")


LIBRARIES = {
    "libnvinfer.so.10: cannot open shared object file: No such file or directory": "pip install tensorrt-cu12-libs",
    "libtensorrt_rtx.so.1: cannot open shared object file: No such file or directory": "pip install tensorrt-rtx-cu12-libs",
    "libcudnn.so.9: cannot open shared object file: No such file or directory": "pip install nvidia-cudnn-cu12",
    "Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file": (
        "pip install nvidia-cublas-cu12"
    ),
    "libcudart.so.13: cannot open shared object file": "pip install nvidia-cuda-runtime",
    "libcuda.so.1: cannot open shared object file": "Install the driver",
}


@pytest.mark.parametrize(("words", "line"), LIBRARIES.items())
def test_a_library_that_is_missing_has_a_package(words, line):
    with nvidia_driver(cuda=12040):
        assert mended(words).endswith(line) or f"{line} " in mended(words)


LIBRARIES_OF_CUDA_13 = {
    "libcudnn.so.9": "nvidia-cudnn-cu13", "libcublasLt.so.13": "nvidia-cublas", "libcudart.so.13": "nvidia-cuda-runtime",
    "libcurand.so.10": "nvidia-curand", "libcufft.so.12": "nvidia-cufft", "libnvinfer.so.10": "tensorrt-cu13-libs",
    "libnvrtc.so.13": "nvidia-cuda-nvrtc", "libnvrtc.so.12": "nvidia-cuda-nvrtc-cu12",
}  # fmt: skip


@pytest.mark.parametrize(("library", "package"), LIBRARIES_OF_CUDA_13.items())
def test_packages_for_cuda_13_are_those_that_exist(library, package):
    """There is a nvidia-cudnn on PyPI, which holds nothing."""
    with nvidia_driver(cuda=13000):
        assert mended(f"{library}: cannot open shared object file").endswith(f"pip install {package}")


def test_packages_of_a_later_cuda_than_the_drivers_are_exchanged(tmp_path, monkeypatch):
    for name in ("tensorrt_cu13", "tensorrt_rtx_cu13", "tensorrt_cu12"):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    installed = [PathDistribution(folder) for folder in tmp_path.glob("*.dist-info")]
    monkeypatch.setattr(mismatches, "distributions", lambda: installed)
    with nvidia_driver(cuda=12040):
        told = mended("CUDA initialization failure with error: 35")
    assert "tensorrt-cu13, tensorrt-rtx-cu13 need CUDA 13, and the driver is 550.54.14, of CUDA 12.4" in told
    assert told.endswith("pip uninstall tensorrt-cu13 tensorrt-rtx-cu13; pip install tensorrt-cu12 tensorrt-rtx-cu12")
    with nvidia_driver(cuda=13000):
        assert "uninstall" not in mended("CUDA initialization failure with error: 35")


def test_what_is_not_known_stays_as_it_is():
    for words in ("The network returns [1] for [2].", "error 7", "No such file: out.mp4", ""):
        assert mended(words) == words


def test_an_engine_that_the_driver_refuses_says_what_mends_it(network):
    machine = Machine()
    machine.refuses = "CUDA-capable device(s) is/are busy or unavailable"
    with fake_gpu(machine), nvidia_driver(pid=31, exclusive=1):
        (choice,) = (choice for choice in engine_choices() if choice.name == "tensorrt")
        assert not choice.available
        assert "process 31 computes on it" in choice.reason
        with pytest.raises(EngineError, match="process 31 computes on it"):
            open_engine("tensorrt", network)


def test_memory_of_a_card_that_is_short_is_told_with_its_processes():
    with fake_gpu(Machine(memory=1 << 20)), nvidia_driver(pid=31, free=1 << 20):
        device = Device()
        with device.current(), pytest.raises(OutOfMemoryError, match=r"no 2 MiB free.*process 31"):
            device.allocate(2 << 20)


def test_a_card_that_is_too_old_is_not_used():
    machine = Machine()
    machine.capability = (6, 1)
    with fake_gpu(machine):
        (choice,) = (choice for choice in engine_choices() if choice.name == "tensorrt")
    assert not choice.available
    assert "compute capability 6.1, and 7.5 (Turing) is the oldest" in choice.reason


def test_a_device_decides_which_engines_are_used(network):
    machine = Machine()
    machine.cards = 2
    with fake_gpu(machine):
        on_cpu = {choice.name: choice for choice in engine_choices("cpu")}
        on_card = {choice.name: choice for choice in engine_choices("1")}
        assert not on_cpu["tensorrt"].available
        assert on_cpu["openvino"].available
        assert on_card["tensorrt"].available
        assert "it runs on the CPU, and the device is card 1" in on_card["openvino"].reason
        assert open_engine("auto", network, device="cpu").name == "openvino"
        engine = open_engine("auto", network, device="1")
        assert engine.name == "tensorrt"
        assert engine._device.number == 1
        engine.close()
        with pytest.raises(EngineError, match="it runs on a GPU, and the device is cpu"):
            open_engine("tensorrt", network, device="cpu")
        with pytest.raises(EngineError, match=r"There is no card 2: CUDA finds 0 to 1. Give --device auto or cpu"):
            open_tensorrt(network, card=2)
        with pytest.raises(EngineError, match=r"can run .* on card 2: give --device auto or cpu. tensorrt: There is no card 2"):
            open_engine("auto", network, device="2")


def test_onnx_runtime_gets_the_card():
    assert ("CUDAExecutionProvider", {"device_id": "1", "cudnn_conv_algo_search": "HEURISTIC"}) in _with_fallbacks("cuda", 1)
    assert _with_fallbacks("tensorrt", 2)[0][1]["device_id"] == "2"
    assert _with_fallbacks("cpu", 0) == [("CPUExecutionProvider", {})]


@pytest.fixture
def onnxruntime_gpu(monkeypatch):
    """The package onnxruntime-gpu, which names its providers wherever it is installed."""
    providers = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)


def test_onnx_runtime_uses_a_card_only_where_the_driver_has_it(onnxruntime_gpu, no_driver, network):
    def choices(device="auto"):
        found = {choice.name: choice for choice in engine_choices(device)}
        return [found["onnxruntime:cuda"], found["onnxruntime:tensorrt"]]

    with nvidia_driver(cards=1):
        assert all(choice.available for choice in choices())
        assert {choice.reason for choice in choices("1")} == {cards.no_such_card(1, 1).removesuffix(".")}
    for choice in choices():
        assert not choice.available
        assert "no NVIDIA driver here" in choice.reason
    with nvidia_driver(init=803):
        assert not any(choice.available for choice in choices())
        assert all("restart the machine" in choice.reason for choice in choices())
    with pytest.raises(EngineError, match=r"can run invert.onnx here. onnxruntime:cuda: There is no NVIDIA driver here"):
        open_engine("onnxruntime:cuda", network)
    assert default_workers(RestorationOptions(engine="auto", network="lite"), 64) > 1


def test_a_device_is_auto_the_cpu_or_a_number():
    assert [RestorationOptions(device=given).device for given in ("auto", "CPU", "1", 0, "cuda:2")] == [
        "auto",
        "cpu",
        "1",
        "0",
        "2",
    ]
    for given in ("gpu", "-1", "1.5", True, "cuda", ""):
        with pytest.raises(OptionError, match="number of a card that 'streamdeblur doctor' lists"):
            RestorationOptions(device=given)


def test_the_cpu_is_used_where_it_is_asked_for(network):
    with fake_gpu(), FaceDeblurrer(network=network.path, device="cpu") as deblurrer:
        assert deblurrer.engine.name == "openvino"


def test_each_card_gets_a_worker_and_a_named_one_gets_all(no_driver):
    machine = Machine()
    machine.cards = 2
    with fake_gpu(machine), nvidia_driver(cards=2):
        assert devices_of_workers(RestorationOptions()) == ["0", "1"]
        assert default_workers(RestorationOptions()) == 2
        assert devices_of_workers(RestorationOptions(device="1")) == ["1"]
        assert default_workers(RestorationOptions(device="1")) == 1
        assert devices_of_workers(RestorationOptions(device="cpu")) == ["cpu"]
        assert devices_of_workers(RestorationOptions(engine="openvino")) == ["auto"]
    assert devices_of_workers(RestorationOptions()) == ["auto"]


def test_workers_take_the_cards_in_turns(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(processes, "start_process", lambda count, work, *arguments: started.append(arguments))
    machine = Machine()
    machine.cards = 2
    with fake_gpu(machine), nvidia_driver(cards=2):
        processes.Processes(Assignment(tmp_path, tmp_path, VideoOptions(strength=0.5), "checksum"), 3)
    assert [(given.options.restoration.device, name) for given, name, _ in started] == [
        ("0", "worker 1"), ("1", "worker 2"), ("0", "worker 3"),
    ]  # fmt: skip
    assert all(given.options.restoration.strength == 0.5 for given, *_ in started)


def test_doctor_lists_the_cards_with_what_runs_on_them():
    with fake_gpu(), nvidia_driver(cards=1, cuda=12040, pid=7):
        told = run("doctor").stdout
        found = json.loads(run("doctor", "--json").stdout)
    assert "0: Fake 4060, 8.6 GB (6.4 GB free), compute capability 8.9, driver 550.54.14, CUDA 12.4; process 7" in told
    assert found["cards"][0]["runs"] == ["tensorrt"]
    with nvidia_driver(init=803):
        assert "NVIDIA cards: none." in (told := run("doctor").stdout)
        assert "restart the machine" in told
