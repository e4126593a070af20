"""Part of gpu_check.py: pycuda from its sources, and the device's thread, frames and sessions on it.

TensorRT itself is the fake of the tests where it cannot be imported: networks are computed by ONNX Runtime on the CPU, all else,
the memory, the streams and the kernels, is the device's.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamdeblur.engines import FrameFaces
from streamdeblur.faces.gain import GainEstimator
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.faces.reading import HOST
from streamdeblur.faces.window import RestoredCrop, crop, paste
from streamdeblur.network import Network
from streamdeblur.video.planes import frame_planes
from support.media.frames import PIXEL_FORMATS, random_frame
from support.media.windows import THREE_WINDOWS
from support.models.networks import expected_slots, write_network

if TYPE_CHECKING:
    from gpu_check import Check

STRENGTHS = (1.0, 0.5, 0.8)
LARGEST_GAIN, LARGEST_LUMA = 0.05, 1.1 / 255
"""By which a gain in dB and a half luma in [0, 1] may differ from those of the CPU."""
BUILDING_SECONDS = 100


def cuda_folder() -> Path:
    """The toolkit, which has the headers of the driver; a wrapper of nvcc elsewhere says nothing of it."""
    nvcc = shutil.which("nvcc")
    named = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT")]
    found = [Path(folder) for folder in named if folder] + ([Path(nvcc).resolve().parents[1]] if nvcc else [])
    found += [Path("/usr/local/cuda"), *sorted(Path("/usr/local").glob("cuda-*"), reverse=True)]
    return next(folder for folder in found if (folder / "include" / "cuda.h").is_file())


def install_pycuda(pack: Path) -> float:
    """Compile pycuda, and make it importable; the seconds that it took."""
    began = time.perf_counter()
    target, made = (Path(tempfile.mkdtemp()) for _ in range(2))
    wheels = sorted(map(str, (pack / "pycuda").glob("*.whl")))
    (archive,) = (pack / "pycuda").glob("pycuda-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(made, filter="data")
    (source,) = made.glob("pycuda-*")
    # the library to link with may lie anywhere, and the loader finds the driver's: an empty one of its name is enough
    (made / "empty.c").write_text("")
    command = ["cc", "-shared", "-Wl,-soname,libcuda.so.1", "-o", str(made / "libcuda.so"), str(made / "empty.c")]
    subprocess.run(command, check=True)
    settings = {
        "CUDA_ROOT": str(cuda_folder()), "CUDADRV_LIB_DIR": [str(made)], "CUDADRV_LIBNAME": ["cuda"], "CUDA_ENABLE_CURAND": False,
        "USE_SHIPPED_BOOST": True, "CXXFLAGS": ["-O0", "-w"], "LDFLAGS": ["-Wl,--no-as-needed", str(made / "libcuda.so")],
    }  # fmt: skip
    # without this file its setup waits, and guesses
    (source / "siteconf.py").write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target)]
    if wheels:
        subprocess.run([*pip, *wheels], check=True)
    subprocess.run([*pip, "--no-build-isolation", str(source)], check=True, timeout=BUILDING_SECONDS)
    sys.path.insert(0, str(target))
    importlib.invalidate_caches()
    return time.perf_counter() - began


@contextmanager
def on_device(check: Check) -> Iterator[str]:
    """Within it, engines open on the device; yields what TensorRT is."""
    with ExitStack() as stack:
        if check.cpu:
            from support.fakes.gpu import fake_gpu
            from support.fakes.pycuda import driver

            stack.enter_context(fake_gpu())
        else:
            if importlib.util.find_spec("pycuda") is None:
                assert check.pack is not None, "pycuda is not installed, and no --pack has its sources"
                check.note(pycuda_built_s=round(install_pycuda(check.pack), 1))
            import pycuda.driver as driver
        real = not check.cpu and importlib.util.find_spec("tensorrt") is not None
        from support.fakes.tensorrt_on_card import tensorrt_on_card

        stack.enter_context(nullcontext() if real else tensorrt_on_card(driver, aligned=not check.cpu))
        yield "TensorRT" if real else "a fake"


def check_frame(engine: Any, pixel_format: str) -> float:
    """Invert the faces of a frame on the device; the largest difference from the CPU, in code values of 8 bits."""
    frame, on_cpu = (random_frame(pixel_format, 320, 240) for _ in range(2))
    pasted = engine.submit(FrameFaces.read(frame_planes(frame), THREE_WINDOWS, STRENGTHS)).paste(frame_planes(frame))
    assert pasted.finite.all(), "a face that is finite was left as it was"
    changes = [(window, crop(frame_planes(on_cpu), window)) for window in THREE_WINDOWS]
    restored = [
        RestoredCrop(window, one, 255 - one, strength) for (window, one), strength in zip(changes, STRENGTHS, strict=True)
    ]
    paste(frame_planes(on_cpu), restored)
    scale = 1 << (frame_planes(frame).layout.depth - 8)
    arrays = zip(frame_planes(frame).arrays, frame_planes(on_cpu).arrays, strict=True)
    shift = frame_planes(frame).layout.shift
    return (
        max(float(np.abs((ours.astype(int) >> shift) - (theirs.astype(int) >> shift)).max()) for ours, theirs in arrays) / scale
    )


def check_judging(engine: Any, pixel_format: str) -> dict[str, float]:
    """Read the crops of a frame on the device; what the gains and half lumas of its faces differ by from those of the CPU."""
    planes, estimator = frame_planes(random_frame(pixel_format, 320, 240)), GainEstimator.shipped("memory")
    gains, lumas = [], []
    ours, theirs = (reader.begin(planes, THREE_WINDOWS) for reader in (engine.reader, HOST))
    for window in THREE_WINDOWS:
        one, other = ours.read(window, 256), theirs.read(window, 256)
        gains.append(abs(one.gain(estimator) - other.gain(estimator)))
        lumas.append(float(np.abs(one.remembered(0).luma.to_host() - other.remembered(0).luma).max()))
    return {"gain": float(np.max(gains)), "luma": float(np.max(lumas))}


def judging(engine: Any, count: int, width: int, height: int) -> float:
    """Milliseconds in which the CPU has the gains of three faces of a frame."""
    planes, estimator = frame_planes(random_frame("yuv420p", width, height)), GainEstimator.shipped("memory")
    began = time.perf_counter()
    for _ in range(count):
        crops = engine.reader.begin(planes, THREE_WINDOWS)
        for window in THREE_WINDOWS:
            crops.read(window, 256).gain(estimator)
    return 1e3 * (time.perf_counter() - began) / count


def check_memory(folder: Path) -> float:
    """Give a network with a memory the neighbours of each crop; the largest difference from what it should return."""
    from streamdeblur.engines.tensorrt.opening import open_tensorrt

    engine = open_tensorrt(Network.read(write_network(folder / "slots.onnx", "slots")))
    crops = np.random.default_rng(1).integers(0, 256, (4, 256, 256, 3), np.uint8)
    near = [crops[number + 1 : number + 1 + number % 3] for number in range(3)]
    restored = engine.infer(crops[:3], [[half_luma_of(one) for one in before] for before in near])
    engine.close()
    return max(
        float(np.abs(got - expected_slots(one, before)).max()) for got, one, before in zip(restored, crops, near, strict=False)
    )


def frames_in_flight(engine: Any, count: int, width: int, height: int) -> float:
    """Milliseconds of a frame with three faces, of which several are in flight."""
    frames = [random_frame("yuv420p", width, height, seed=n) for n in range(4)]
    began = time.perf_counter()
    pending: list[tuple[Any, Any]] = []
    for number in range(count):
        frame = frames[number % len(frames)]
        if len(pending) == len(frames):
            faces, before = pending.pop(0)
            faces.paste(frame_planes(before))
        pending.append((engine.submit(FrameFaces.read(frame_planes(frame), THREE_WINDOWS, STRENGTHS)), frame))
    for faces, before in pending:
        faces.paste(frame_planes(before))
    return 1e3 * (time.perf_counter() - began) / count


def run(check: Check) -> None:
    """Open engines on the device, and compare what they do to frames and crops."""
    from streamdeblur.engines.tensorrt.opening import open_tensorrt

    with tempfile.TemporaryDirectory() as name, on_device(check) as tensorrt:
        folder = Path(name)
        os.environ["STREAMDEBLUR_CACHE"] = str(folder / "cache")
        engine = open_tensorrt(Network.read(write_network(folder / "invert.onnx", "invert")))
        check.note(tensorrt=tensorrt, engine=engine.reason)
        formats = ("yuv420p", "p010le") if check.cpu else PIXEL_FORMATS
        differences, judged = {}, {}
        for pixel_format in formats:
            differences[pixel_format] = check_frame(engine, pixel_format)
            judged[pixel_format] = check_judging(engine, pixel_format)
            check.note(differences=differences, judged=judged)
        flight = (5, 320, 240) if check.cpu else (100, 1920, 1080)
        check.note(frame_ms=round(frames_in_flight(engine, *flight), 3), judging_ms=round(judging(engine, *flight), 3))
        engine.close()
        memory = check_memory(folder)
        check.note(memory=memory)
    # crops themselves may differ by one code value, and inverting doubles that
    if max(differences.values()) > 2 or memory > 1:
        raise AssertionError(f"not as on the CPU: {differences}, memory {memory}")
    # of the crops few samples differ, by one code value
    if not all(one["gain"] <= LARGEST_GAIN and one["luma"] <= LARGEST_LUMA for one in judged.values()):
        raise AssertionError(f"not judged as on the CPU: {judged}")
