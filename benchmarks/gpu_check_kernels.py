"""Part of gpu_check.py: the CUDA kernels against the Numba ones on all pixel formats, and their bandwidth against the card's."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from streamdeblur.engines.tensorrt.frames import FrameJob
from streamdeblur.engines.tensorrt.kernels import BLOCK, BLUR, MEASURES, NUMBERS, SUMS, measuring
from streamdeblur.faces.gain import face_square
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.kernels.cuda import ptx
from streamdeblur.kernels.cuda.arguments import MEASURED
from streamdeblur.kernels.face_statistics import face_statistics, statistics_of
from streamdeblur.video.planes import frame_planes
from support.fakes.face_kernels import restored_from
from support.media.frames import PIXEL_FORMATS, RARE_PIXEL_FORMATS, code_values, random_frame
from support.media.windows import STRENGTHS, WINDOWS

if TYPE_CHECKING:
    from gpu_check import Check

LARGEST_DIFFERENCE = 1
"""Code values by which a sample may differ from the CPU's."""
LARGEST_STATISTIC = 1e-3
"""By which a statistic, a logarithm or a share, may differ from that of the CPU for the same crop."""
LARGEST_LUMA = 1e-3
"""By which a half luma, in half precision, may differ."""
LAUNCHES = 200


class Launcher(Protocol):
    """Memory that kernels see, and their launches."""

    def upload(self, array: np.ndarray) -> Any: ...

    def download(self, array: Any) -> np.ndarray: ...

    def address(self, array: Any) -> int: ...

    def launch(self, name: str, grid: tuple[int, int, int], addresses: list[int]) -> None: ...

    def wait(self) -> None: ...


class OnHost:
    """The kernels compiled for the CPU."""

    def __init__(self) -> None:
        from support.fakes.cuda_on_host import EmulatedModule

        self._module = EmulatedModule()

    def upload(self, array: np.ndarray) -> np.ndarray:
        return array.copy()

    def download(self, array: np.ndarray) -> np.ndarray:
        return array

    def address(self, array: np.ndarray) -> int:
        return int(array.__array_interface__["data"][0])

    def launch(self, name: str, grid: tuple[int, int, int], addresses: list[int]) -> None:
        self._module.launch(name, grid, BLOCK, addresses)

    def wait(self) -> None:
        pass


class OnCard:
    """The kernels of the package, loaded by CuPy."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "window.ptx"
            path.write_bytes(ptx())
            self._module = cupy.RawModule(path=str(path))
            self._module.get_function("crop_faces_8")

    def upload(self, array: np.ndarray) -> Any:
        return self._cupy.asarray(array)

    def download(self, array: Any) -> np.ndarray:
        return np.asarray(self._cupy.asnumpy(array))

    def address(self, array: Any) -> int:
        return int(array.data.ptr)

    def launch(self, name: str, grid: tuple[int, int, int], addresses: list[int]) -> None:
        self._module.get_function(name)(grid, BLOCK, tuple(np.uint64(address) for address in addresses))

    def wait(self) -> None:
        self._cupy.cuda.Device().synchronize()


class Faces:
    """The faces of a frame, cropped and pasted by the kernels."""

    def __init__(self, launcher: Launcher, frame: Any, windows: list[FaceWindow], strengths: tuple[float, ...]) -> None:
        self.launcher = launcher
        self.job = FrameJob(frame_planes(frame), windows, strengths)
        block = np.full(self.job.size, 0xEE, np.uint8)
        self.job.fill(block)
        self.block = launcher.upload(block)
        # the structure of the frame has addresses of the block itself
        begin = launcher.address(self.block)
        self.grid = self.job.paste_blocks(self.job.address(block, begin))
        if isinstance(launcher, OnHost):
            self.block[:] = block
        else:
            self.block.set(block)
        self.crops = launcher.upload(np.zeros((len(windows), 3, 256, 256), np.float16))
        self.residuals = launcher.upload(np.zeros(self.crops.shape, np.float32))
        self.lumas = launcher.upload(np.zeros((len(windows), 128, 128), np.float16))
        self.measured = launcher.upload(np.zeros(len(windows) * MEASURED.itemsize, np.uint8))
        self.numbers = launcher.upload(np.zeros((len(windows), NUMBERS), np.float32))
        self.at = [begin + offset for offset in (self.job.frame_at, self.job.faces_at, self.job.finite_at)]

    def crop(self) -> None:
        self.launcher.launch(
            f"crop_faces_{self.job.bits}", self.job.crop_blocks, [*self.at[:2], self.launcher.address(self.crops)]
        )

    def codes(self) -> np.ndarray:
        """The crops as uint8 [N, 256, 256, 3]."""
        crops = self.launcher.download(self.crops).astype(np.float32)
        return np.rint(crops * 255).astype(np.uint8).transpose(0, 2, 3, 1)

    def measure(self) -> None:
        arrays = (self.crops, self.lumas, self.measured, self.numbers)
        for name, grid, pointers in measuring(len(self.crops), self.at[1], *map(self.launcher.address, arrays)):
            self.launcher.launch(name, grid, list(pointers))

    def residual(self, restored: Any) -> None:
        frame, faces, finite = self.at
        address = self.launcher.address
        pointers = [frame, faces, address(self.crops), address(restored), address(self.residuals), finite]
        self.launcher.launch("residual_faces", self.job.crop_blocks, pointers)

    def paste(self) -> None:
        frame, faces, finite = self.at
        self.launcher.launch(
            f"paste_faces_{self.job.bits}", self.grid, [frame, faces, self.launcher.address(self.residuals), finite]
        )

    def write_back(self, frame: Any) -> None:
        self.launcher.wait()
        self.job.write_back(self.launcher.download(self.block), frame_planes(frame))


def compare(launcher: Launcher, pixel_format: str, name: str) -> dict[str, float]:
    """Crop, change and paste the faces of a frame; what differs from the CPU."""
    windows, strengths = WINDOWS[name], STRENGTHS[: len(WINDOWS[name])]
    frame, on_cpu = (random_frame(pixel_format, 320, 240) for _ in range(2))
    faces = Faces(launcher, frame, windows, strengths)
    faces.crop()
    codes = faces.codes()
    faces.measure()
    lumas, numbers = (launcher.download(array).astype(np.float64) for array in (faces.lumas, faces.numbers))
    own = [statistics_of(np.ascontiguousarray(one[MEASURES:BLUR])) for one in numbers]
    theirs = [face_statistics(one, *face_square(256, window.side)) for one, window in zip(codes, windows, strict=True)]
    halves = [half_luma_of(np.ascontiguousarray(one)) for one in codes]
    expected = np.stack([crop(frame_planes(on_cpu), window) for window in windows])
    after, images = restored_from(codes)
    faces.residual(launcher.upload(images))
    faces.paste()
    faces.write_back(frame)
    restored = zip(windows, codes, after, strengths, strict=True)
    paste(frame_planes(on_cpu), [RestoredCrop(*one) for one in restored])
    pasted = [np.abs(a - b) for a, b in zip(code_values(frame), code_values(on_cpu), strict=True)]
    cropped = np.abs(codes.astype(int) - expected)
    return {
        "crop": int(cropped.max()),
        "crop_equal": round(float((cropped == 0).mean()), 5),
        "paste": int(max(difference.max() for difference in pasted)),
        "paste_equal": round(float(min((difference == 0).mean() for difference in pasted)), 5),
        "statistics": float(np.abs(np.array(own) - np.array(theirs)).max()),
        "luma": float(np.abs(lumas - np.array(halves)).max()),
    }


def bandwidth(launcher: Launcher, faces_in_frame: int, launches: int) -> dict[str, Any]:
    """Microseconds of each kernel for faces of a 1080p frame, and the bytes that it has to move at least per second."""
    windows = [FaceWindow(150.0 + 230 * n, 500.0, 400.0) for n in range(faces_in_frame)]
    faces = Faces(launcher, random_frame("yuv420p", 1920, 1080), windows, (1.0,) * faces_in_frame)
    restored = launcher.upload(np.full(faces.crops.shape, 0.5, np.float16))
    near = launcher.upload(np.zeros((4, 128, 128), np.float16))
    own, others = ([launcher.address(array) + 32768 * n for n in range(len(array))] for array in (faces.lumas, near))
    places = [[one, other] for one in own for other in others]
    pairs, sums = launcher.upload(np.array(places, np.uint64)), launcher.upload(np.zeros((len(places), SUMS), np.float32))

    def differences() -> None:
        launcher.launch("pair_differences", (1, 1, len(places)), [launcher.address(pairs), launcher.address(sums)])

    image, window = 256 * 256 * 3, 400 * 400 * 1.5
    kernels = {
        "crop": (faces.crop, window + image * 2),
        # what decides: of a crop its half luma is made, and green under the face is measured
        "measure": (faces.measure, image * 2 + 128 * 128 * 2 + 160 * 160 * 2),
        "differences": (differences, 2 * 4 * 128 * 128 * 2),
        "residual": (lambda: faces.residual(restored), image * (2 + 2 + 4)),
        "paste": (faces.paste, image * 4 + 2 * window),
    }
    found = {}
    for name, (launch, size) in kernels.items():
        seconds = per_call(launcher, launch, launches)
        found[name] = {"us": round(1e6 * seconds, 2), "GB_per_s": round(faces_in_frame * size / seconds / 1e9, 1)}
    copied = launcher.upload(np.zeros(1 << 28 if launches == LAUNCHES else 1 << 20, np.uint8))
    target = launcher.upload(np.zeros_like(launcher.download(copied)))

    def copy() -> None:
        target[:] = copied

    seconds = per_call(launcher, copy, 10)
    return found | {"copy": {"GB_per_s": round(2 * copied.nbytes / seconds / 1e9, 1)}}


def per_call(launcher: Launcher, call: Any, count: int) -> float:
    """Seconds of a call, of many one after the other."""
    call()
    launcher.wait()
    began = time.perf_counter()
    for _ in range(count):
        call()
    launcher.wait()
    return (time.perf_counter() - began) / count


def run(check: Check) -> None:
    """Compare all pixel formats, then measure; the small form has a few windows of each kind."""
    launcher: Launcher = OnHost() if check.cpu else OnCard()
    formats = ("yuv420p", "p010le", "rgb24") if check.cpu else (*PIXEL_FORMATS, *RARE_PIXEL_FORMATS)
    names = ("overlapping",) if check.cpu else tuple(WINDOWS)
    differences = {}
    for pixel_format in formats:
        for name in names:
            differences[f"{pixel_format}, {name}"] = compare(launcher, pixel_format, name)
        check.note(differences=differences)
    worst = max(max(one["crop"], one["paste"]) for one in differences.values())
    statistic, luma = (float(np.max([one[name] for one in differences.values()])) for name in ("statistics", "luma"))
    check.note(compared=len(differences), largest_difference=worst, largest_statistic=statistic, largest_luma=luma)
    for count in (1,) if check.cpu else (1, 8):
        check.note(**{f"1080p, {count} faces": bandwidth(launcher, count, 1 if check.cpu else LAUNCHES)})
    if worst > LARGEST_DIFFERENCE:
        raise AssertionError(f"a sample differs from the CPU's by {worst} code values")
    if not (statistic <= LARGEST_STATISTIC and luma <= LARGEST_LUMA):
        raise AssertionError(f"a statistic differs from the CPU's by {statistic:g}, a half luma by {luma:g}")
