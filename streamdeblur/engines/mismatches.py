"""What is wrong between a driver, a card and the packages for it, and the line that mends it.

CUDA, TensorRT, ONNX Runtime and PyTorch report the same few errors, each in its own words. The codes are those of the CUDA driver
API (CUresult) and of its runtime (cudaError_t), which mean the same where they have the same number.
"""

from __future__ import annotations

import re
from importlib.metadata import distributions

from streamdeblur.engines.cards import Card, DriverError, driver_version, find_cards

OUT_OF_MEMORY, STUB, OLD_DRIVER, BUSY, NO_DEVICE, NEWER_PTX, MISMATCH, NOT_COMPATIBLE = 2, 34, 35, 46, 100, 222, 803, 804
WORDS = {
    OUT_OF_MEMORY: r"out ?of ?memory|CUDA_ERROR_OUT_OF_MEMORY|no .* MiB free",
    OLD_DRIVER: r"driver version is insufficient|cudaErrorInsufficientDriver|driver on your system is too old",
    BUSY: r"busy or unavailable|CUDA_ERROR_DEVICE_UNAVAILABLE|cudaErrorDevicesUnavailable",
    NO_DEVICE: r"no CUDA-capable device|CUDA_ERROR_NO_DEVICE",
    NEWER_PTX: r"unsupported toolchain|PTX JIT compiler library|CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
    MISMATCH: r"unsupported display driver / cuda driver combination|CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    NOT_COMPATIBLE: r"forward compatibility was attempted",
    STUB: r"stub library",
}
"""How libraries spell an error, by its code."""
NO_DRIVER = "Install the driver of the card, or give a container access to it: docker run --gpus all."
MENDS = {
    NO_DEVICE: "Is CUDA_VISIBLE_DEVICES empty or wrong? 'nvidia-smi -L' lists the cards of the driver.",
    STUB: "A stub of the CUDA toolkit was loaded in place of the driver: remove its folder from LD_LIBRARY_PATH.",
}
CODE = re.compile(r"(?:error|code|failure with error)[: ]+(\d{1,3})\b", re.IGNORECASE)
LIBRARY = re.compile(r"(?:lib)?(\w+?)(?:\.so(?:\.(\d+))?|64_(\d+)\.dll|_(\d+)\.dll)[\w.]*: cannot open|Could not find: (\w+)")
PACKAGES = {
    "nvinfer": "tensorrt-cu{major}-libs", "nvonnxparser": "tensorrt-cu{major}-libs",
    "tensorrt_rtx": "tensorrt-rtx-cu{major}-libs", "tensorrt_onnxparser_rtx": "tensorrt-rtx-cu{major}-libs",
    "cudart": "nvidia-cuda-runtime{suffix}", "cublas": "nvidia-cublas{suffix}", "cublasLt": "nvidia-cublas{suffix}",
    "cudnn": "nvidia-cudnn-cu{major}", "cufft": "nvidia-cufft{suffix}", "curand": "nvidia-curand{suffix}",
    "nvrtc": "nvidia-cuda-nvrtc{suffix}",
}  # fmt: skip
"""The package that brings each library; CUDA's own have no suffix from CUDA 13 on, cuDNN and TensorRT have one."""
NUMBERED_AS_CUDA = ("cudart", "cublas", "cublasLt", "nvrtc")
"""Libraries whose number is that of their CUDA; others have numbers of their own, as cuFFT has 12 in CUDA 13."""
CUDA_12, CUDA_13 = "525", "580"
"""Oldest drivers of these versions."""


def mended(error: object, number: int = 0) -> str:
    """Return the message of an error with the line that mends it, where it is a known one.

    Args:
        error: An exception, or its message.
        number: The card that it is about.
    """
    message = str(error)
    line = _mend(message, _code(error, message), number)
    return f"{message.rstrip()} {line}" if line and line not in message else message


def _code(error: object, message: str) -> int | None:
    """The code of an error: its own, that of the words, or the number in the message."""
    if isinstance(error, DriverError):
        return error.code
    for code, words in WORDS.items():
        if re.search(words, message, re.IGNORECASE):
            return code
    found = CODE.search(message)
    return int(found[1]) if found else None


def _mend(message: str, code: int | None, number: int) -> str | None:
    missing = LIBRARY.search(message)
    if missing:
        return _missing_library(missing)
    if code is None:
        return NO_DRIVER if "no NVIDIA driver here" in message else None
    if code in (OLD_DRIVER, NEWER_PTX, MISMATCH, NOT_COMPATIBLE):
        return _driver(code)
    if code == OUT_OF_MEMORY:
        return _memory(_card(number))
    if code == BUSY:
        return _busy(_card(number))
    return MENDS.get(code)


def _driver(code: int) -> str:
    """The driver is too old for what is installed, or what is installed is of a later CUDA than the driver."""
    if code == MISMATCH:
        return "The driver was updated while it was loaded: restart the machine."
    driver, cuda = driver_version()
    have = ", of CUDA ".join(filter(None, [driver, ".".join(map(str, cuda)) if cuda else ""]))
    wrong = _later_packages(cuda[0]) if cuda else []
    if cuda and wrong:
        names = [name for name, _ in wrong]
        others = " ".join(name.replace(f"cu{major}", f"cu{cuda[0]}") for name, major in wrong)
        return (
            f"{', '.join(names)} need CUDA {wrong[0][1]}, and the driver is {have}: "
            f"pip uninstall {' '.join(names)}; pip install {others}"
        )
    known = f" (this one is {have})" if have else ""
    return f"Install a newer driver{known}: {CUDA_12} or later for CUDA 12, {CUDA_13} or later for CUDA 13."


def _later_packages(cuda: int) -> list[tuple[str, int]]:
    """The installed packages of TensorRT that are built for a later CUDA than the driver's, with its number."""
    found = []
    for distribution in distributions():
        name = str(distribution.metadata["Name"] or "").lower().replace("_", "-")
        match = re.fullmatch(r"tensorrt(?:-rtx)?-cu(\d+)", name)
        if match and int(match[1]) > cuda:
            found.append((name, int(match[1])))
    return sorted(set(found))


def _missing_library(missing: re.Match[str]) -> str | None:
    name = missing[1] or missing[5] or ""
    if name in ("cuda", "nvcuda"):
        return NO_DRIVER
    package = PACKAGES.get(name)
    if package is None:
        return None
    _, cuda = driver_version()
    own = next((int(group) for group in missing.groups()[1:4] if group), 0)
    major = own if own in (12, 13) and name in NUMBERED_AS_CUDA else cuda[0] if cuda else 12
    return f"Install it: pip install {package.format(major=major, suffix='' if major >= 13 else f'-cu{major}')}"


def _memory(card: Card | None) -> str:
    if card is None or card.free is None:
        return "Close what else uses the card, or give --device cpu."
    used = f"{card.free / 2**20:.0f} of {card.memory / 2**20:.0f} MiB are free"
    return f"{used}{_held(card)}: close what else uses it, or give --device with another card, or cpu."


def _busy(card: Card | None) -> str:
    """Another process has a card that takes one at a time."""
    if card is None:
        return "Another process holds the card: wait for it, or give --device with another card, or cpu."
    mode = "takes one process at a time" if card.exclusive else "is held"
    return (
        f"The card {mode}{_held(card)}: wait for that process, or give --device with another card, or cpu. "
        f"An administrator lets it take several: nvidia-smi -i {card.number} -c DEFAULT"
    )


def _held(card: Card) -> str:
    return f" (process {', '.join(map(str, card.processes))} computes on it)" if card.processes else ""


def _card(number: int) -> Card | None:
    """The card, where the driver answers."""
    try:
        return next((card for card in find_cards() if card.number == number), None)
    except DriverError:
        return None
