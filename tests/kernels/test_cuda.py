"""The CUDA kernels: compiled for every GPU, and compared with the Numba kernels on the CPU."""

from __future__ import annotations

import importlib.util
import locale
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from streamdeblur.engines.tensorrt.kernels import BLOCK, BLUR, MEASURES, SUMS
from streamdeblur.errors import EngineError
from streamdeblur.faces.blur import face_blur
from streamdeblur.faces.gain import face_square
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.kernels.cuda import arguments, ptx
from streamdeblur.kernels.cuda.compiler import CompilerError, compile_ptx
from streamdeblur.kernels.face_statistics import face_statistics, statistics_of
from streamdeblur.kernels.luma import block_means, mean_difference
from streamdeblur.video.planes import frame_planes
from support.fakes import cuda_on_host
from support.fakes.cuda_on_host import EmulatedModule, compile_text, compiler, program_text
from support.fakes.face_kernels import EmulatedFaces, address, restored_from
from support.media.frames import PIXEL_FORMATS, RARE_PIXEL_FORMATS, code_values, plane_bytes, random_frame
from support.media.windows import STRENGTHS, WINDOWS
from support.reference import window as reference

ARCHITECTURES = ("75", "80", "86", "89", "90", "100")

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler (g++) to run the CUDA kernels on the CPU with")


def find_ptxas():
    """NVIDIA's assembler, of a package or of a toolkit; or None."""
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations if spec else ():
        for path in sorted(Path(folder).glob("*/bin/ptxas")):
            return str(path)
    return shutil.which("ptxas")


OFTEN = ("yuv420p", "yuv422p10le", "rgb24")
"""Pixel formats for which each run of the tests tries all windows; of the others it tries some that overlap."""
PLACES = [
    pytest.param(pixel_format, name, marks=[] if pixel_format in OFTEN or name == "overlapping" else [pytest.mark.slow])
    for pixel_format in PIXEL_FORMATS + RARE_PIXEL_FORMATS
    for name in WINDOWS
]


@needs_compiler
@pytest.mark.parametrize(("pixel_format", "name"), PLACES)
def test_crops_and_pasted_frames_are_those_of_the_cpu(pixel_format, name):
    windows, strengths = WINDOWS[name], STRENGTHS[: len(WINDOWS[name])]
    frame, on_cpu = (random_frame(pixel_format, 320, 240) for _ in range(2))
    before = code_values(frame)
    emulation = EmulatedFaces(frame, windows, strengths)
    codes = emulation.codes()
    check_numbers(emulation, windows, codes)
    expected = np.stack([crop(frame_planes(on_cpu), window) for window in windows])
    assert np.abs(codes.astype(int) - expected).max() <= 1
    assert (codes == expected).mean() > 0.995
    after, images = restored_from(codes)
    emulation.paste(images, frame_planes(frame))
    restorations = [
        RestoredCrop(window, cropped, restored, strength)
        for window, cropped, restored, strength in zip(windows, codes, after, strengths, strict=True)
    ]
    paste(frame_planes(on_cpu), restorations)
    for on_gpu, expected_codes in zip(code_values(frame), code_values(on_cpu), strict=True):
        assert np.abs(on_gpu - expected_codes).max() <= 1
        assert (on_gpu == expected_codes).mean() > 0.998
    assert any(not np.array_equal(old, new) for old, new in zip(before, code_values(frame), strict=True))
    planes = frame_planes(frame)
    for c, old in enumerate(before):
        offset, stride, width, height, _ = planes.memory[c]
        outside = np.sum([reference.mask(planes, c, window) for window in windows], axis=0) == 0
        columns = slice(offset, offset + (width - 1) * stride + 1, stride)
        assert np.array_equal(code_values(frame)[c][:height, columns][outside], old[:height, columns][outside])


@needs_compiler
@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuyv422"])
def test_crops_of_turned_frames_are_upright_and_pasted_as_those_of_the_cpu(pixel_format, turn):
    windows, strengths = WINDOWS["overlapping"], STRENGTHS[: len(WINDOWS["overlapping"])]
    frame, on_cpu = (random_frame(pixel_format, 320, 240) for _ in range(2))
    planes = replace(frame_planes(on_cpu), turn=turn)
    emulation = EmulatedFaces(frame, windows, strengths, turn)
    codes = emulation.codes()
    check_numbers(emulation, windows, codes)
    assert np.abs(codes.astype(int) - np.stack([crop(planes, window) for window in windows])).max() <= 1
    after, images = restored_from(codes)
    emulation.paste(images, frame_planes(frame))
    paste(planes, [RestoredCrop(*parts) for parts in zip(windows, codes, after, strengths, strict=True)])
    for on_gpu, expected_codes in zip(code_values(frame), code_values(on_cpu), strict=True):
        assert np.abs(on_gpu - expected_codes).max() <= 1


def check_numbers(emulation, windows, codes):
    """What the device tells of its crops is what the CPU tells of them."""
    for luma, numbers, window, one in zip(*emulation.measure(), windows, codes, strict=True):
        half, small = half_luma_of(np.ascontiguousarray(one)), np.empty((8, 8), np.float32)
        assert luma.astype(np.float32) == pytest.approx(half, abs=2.5e-4)
        block_means(luma.astype(np.float32), small)
        assert numbers[:MEASURES].reshape(8, 8) == pytest.approx(small, abs=1e-6)
        expected = face_statistics(one, *face_square(256, window.side))
        assert max(numbers[BLUR:]) == pytest.approx(face_blur(one, window.side), abs=1e-5)
        # logarithms of sums in float32, whose order is the compiler's, also on the CPU
        assert statistics_of(numbers[MEASURES:BLUR].astype(float)) == pytest.approx(expected, abs=1e-4)


@needs_compiler
@pytest.mark.parametrize("side", [20.0, 40.0, 60.0, 90.0, 140.0, 300.0])
def test_faces_are_measured_at_each_resolution(photograph, side):
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(photograph[:480, :640]))
    windows = [FaceWindow(321.3, 190.8, side), FaceWindow(120.0, 300.0, side)]
    emulation = EmulatedFaces(frame, windows, [1.0, 1.0])
    check_numbers(emulation, windows, emulation.codes())


@needs_compiler
def test_differences_are_those_of_the_cpu():
    lumas = np.random.default_rng(0).random((3, 128, 128)).astype(np.float16)
    pairs = np.array([[address(lumas[0]), address(lumas[n])] for n in range(3)], np.uint64)
    sums = np.empty((3, SUMS), np.float32)
    EmulatedModule().launch("pair_differences", (1, 1, 3), BLOCK, [address(pairs), address(sums)])
    expected = [mean_difference(lumas[0].astype(np.float32), one.astype(np.float32)) for one in lumas]
    assert sums.sum(1) / lumas[0].size == pytest.approx(expected, rel=1e-5)


@needs_compiler
def test_a_face_that_is_not_a_number_is_left_alone_and_reported():
    windows = WINDOWS["overlapping"]
    frame, on_cpu = (random_frame("yuv420p", 320, 240) for _ in range(2))
    emulation = EmulatedFaces(frame, windows, STRENGTHS)
    codes = emulation.codes()
    after, images = restored_from(codes)
    images[1, 2, 200, 100] = np.nan
    emulation.paste(images, frame_planes(frame))
    assert emulation.job.finite(emulation.block).tolist() == [True, False, True]
    usable = [RestoredCrop(windows[n], codes[n], after[n], STRENGTHS[n]) for n in (0, 2)]
    paste(frame_planes(on_cpu), usable)
    for on_gpu, expected_codes in zip(code_values(frame), code_values(on_cpu), strict=True):
        assert np.abs(on_gpu - expected_codes).max() <= 1


@needs_compiler
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_frame_without_any_finite_face_keeps_every_bit(value):
    frame = random_frame("yuv420p10le", 320, 240)
    before = plane_bytes(frame)
    emulation = EmulatedFaces(frame, WINDOWS["enlarging"], [1.0])
    images = np.full((1, 3, 256, 256), 0.5, np.float16)
    images[0, 0, 0, 0] = value
    emulation.paste(images, frame_planes(frame))
    assert all(np.array_equal(old, new) for old, new in zip(before, plane_bytes(frame), strict=True))


@needs_compiler
def test_the_host_lays_structures_out_as_the_device_does(tmp_path):
    types = {
        "Component": arguments.COMPONENT, "Grid": arguments.GRID, "Extent": arguments.EXTENT, "Face": arguments.FACE,
        "Region": arguments.REGION, "Frame": arguments.FRAME, "Measured": arguments.MEASURED,
    }  # fmt: skip
    lines = []
    for name, dtype in types.items():
        sizes = ", ".join([f"sizeof({name})", *(f"offsetof({name}, {field})" for field in dtype.names)])
        places = " ".join(["%zu"] * (1 + len(dtype.names)))
        lines.append(f'std::printf("{name} {places}\\n", {sizes});')
    body = "#include <cstddef>\n#include <cstdio>\nint main() {\n" + "\n".join(lines) + "\n}\n"
    compile_text(program_text(body), tmp_path / "layout")
    printed = subprocess.run([tmp_path / "layout"], capture_output=True, text=True, check=True).stdout
    expected = [
        " ".join([name, str(dtype.itemsize), *(str(dtype.fields[field][1]) for field in dtype.names)])
        for name, dtype in types.items()
    ]
    assert printed.splitlines() == expected


@needs_compiler
def test_nothing_outside_of_allocated_memory_is_read_or_written(tmp_path):
    """The kernels with every access checked, in a process of its own."""
    library = tmp_path / "checked.so"
    try:
        compile_text(program_text(), library, "-shared", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the compiler has no address sanitizer: {error.stderr.splitlines()[-1]}")
    asked = subprocess.run([compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = os.environ | {
        "LD_PRELOAD": asked.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONPATH": str(Path(__file__).parent.parent),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", CHECKED, str(library)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["checked", "12"]


CHECKED = """
import ctypes, mmap, sys
import numpy as np
from support.fakes import cuda_on_host
from support.media.frames import random_frame
from support.fakes.face_kernels import EmulatedFaces, restored_from
from support.media.windows import STRENGTHS, WINDOWS
from streamdeblur.video.planes import frame_planes

cuda_on_host._library = lambda: ctypes.CDLL(sys.argv[1])
count = 0
for pixel_format in ("yuv420p", "nv12", "rgb24", "p010le"):
    for name in ("over the left and upper border", "over the right and lower border", "overlapping"):
        frame = random_frame(pixel_format, 320, 240)
        emulation = EmulatedFaces(frame, WINDOWS[name], STRENGTHS[: len(WINDOWS[name])])
        emulation.measure()
        emulation.paste(restored_from(emulation.codes())[1], frame_planes(frame))
        count += 1
print("checked", count)
"""


def test_the_package_has_compiled_kernels():
    try:
        text = ptx().decode()
    except EngineError as error:
        pytest.skip(str(error))
    assert re.search(r"^\.target sm_75$", text, re.MULTILINE)
    assert set(re.findall(r"\.entry (\w+)\(", text)) == set(cuda_on_host.KERNELS)


def test_without_kernels_and_compiler_the_error_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("streamdeblur.kernels.cuda.PTX", tmp_path / "absent.ptx")
    monkeypatch.setattr("streamdeblur.kernels.cuda.compiler._candidates", lambda: iter(()))
    with pytest.raises(EngineError, match="pip install nvidia-cuda-nvrtc"):
        ptx()


@pytest.fixture(scope="module")
def compiled():
    """The kernels, compiled from their source now."""
    try:
        return compile_ptx()
    except CompilerError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_gpu_takes_the_kernels_without_spilling_registers(tmp_path, compiled, architecture):
    assembler = find_ptxas()
    if assembler is None:
        pytest.skip("no ptxas (pip install nvidia-cuda-nvcc-cu12)")
    (tmp_path / "window.ptx").write_bytes(compiled)
    command = [assembler, "-v", "--warn-on-spills", f"-arch=sm_{architecture}", "window.ptx", "-o", "window.cubin"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    spills = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", done.stderr)
    assert spills == [("0", "0", "0")] * len(cuda_on_host.KERNELS)
    # at 64 registers and 256 threads a block, four blocks fit on a multiprocessor of every architecture
    assert all(int(registers) <= 64 for registers in re.findall(r"Used (\d+) registers", done.stderr))


def test_compiling_leaves_the_locale_as_it_is():
    before = locale.nl_langinfo(locale.CODESET)
    try:
        compile_ptx()
    except CompilerError as error:
        pytest.skip(str(error))
    assert locale.nl_langinfo(locale.CODESET) == before


def test_a_source_that_does_not_compile_raises_with_the_compilers_log(tmp_path, monkeypatch):
    monkeypatch.setattr("streamdeblur.kernels.cuda.compiler.SOURCES", tmp_path)
    (tmp_path / "window.cu").write_text('extern "C" __global__ void broken() { nonsense; }')
    with pytest.raises(CompilerError, match=r"nonsense|not found"):
        compile_ptx()
