"""Part of gpu_check.py: the engines that can be imported: how long they take to build and to load, agreement, milliseconds."""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from gpu_check import photograph

from streamdeblur.engines import Engine, engine_choices, open_engine
from streamdeblur.engines.registry import NVIDIA_ENGINES
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from streamdeblur.weights import network_path

if TYPE_CHECKING:
    from gpu_check import Check

BATCHES = (1, 2, 4, 8)
PLACES = ((796, 412), (320, 207), (1178, 332), (113, 329))
MOST_CODES = 6
"""Largest difference of half precision from the CPU's float32, in code values."""


def crops_of_photograph(check: Check) -> np.ndarray:
    """Eight crops, uint8 [8, 256, 256, 3]."""
    planes = array_planes(photograph(check))
    return np.stack([crop(planes, FaceWindow(x, y, 190)) for x, y in PLACES] * 2)


def opened(name: str, network: Network) -> tuple[Engine, float]:
    """An engine, and the seconds that it took to open."""
    began = time.perf_counter()
    engine = open_engine(name, network)
    engine.warm_up()
    return engine, time.perf_counter() - began


def check_engine(name: str, network: Network, crops: np.ndarray, expected: np.ndarray, rounds: int) -> dict[str, Any]:
    """Open an engine twice, compare it with the CPU, and measure."""
    engine, first = opened(name, network)
    engine.close()
    engine, again = opened(name, network)
    difference = np.abs(engine.infer(crops).astype(int) - expected)
    found: dict[str, Any] = {
        "reason": engine.reason,
        "first_s": round(first, 2),
        "cached_s": round(again, 2),
        "max_codes": int(difference.max()),
        "mean_codes": round(float(difference.mean()), 4),
    }
    for batch in BATCHES[: 1 if rounds == 1 else None]:
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            engine.infer(crops[:batch])
            times.append(1e3 * (time.perf_counter() - began))
        found[f"batch {batch}"] = {
            "p50_ms": round(float(np.median(times)), 3),
            "p95_ms": round(float(np.percentile(times, 95)), 3),
        }
    engine.close()
    return found


def run(check: Check) -> None:
    """Check each engine that is available; say of the others why they are not."""
    network = Network.read(network_path("lite"))
    crops = crops_of_photograph(check)[: 1 if check.cpu else None]
    reference = open_engine("onnxruntime", network)
    expected = reference.infer(crops).astype(int)
    reference.close()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        # an empty cache, so that the first opening builds
        os.environ["STREAMDEBLUR_CACHE"] = folder
        for choice in engine_choices():
            wanted = choice.name == "onnxruntime" if check.cpu else choice.name in NVIDIA_ENGINES
            if not wanted or not choice.available:
                check.note(**{choice.name: {"available": choice.available, "reason": choice.reason}})
                continue
            try:
                found = check_engine(choice.name, network, crops, expected, 1 if check.cpu else 200)
            except Exception as error:
                # a driver that is missing shows as whatever its runtime raises; the next engine may work
                found = {"error": f"{type(error).__name__}: {error}"}
            check.note(**{choice.name: found})
            if "error" in found or found["max_codes"] > MOST_CODES:
                failed.append(choice.name)
    if failed:
        raise AssertionError(f"not as on the CPU: {', '.join(failed)}")
