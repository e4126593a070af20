"""One crop of each size of the network: OpenVINO compared with ONNX Runtime."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import Row, alternate, ratio
from streamdeblur.demo.run import group_photograph
from streamdeblur.engines import engine_choices, open_engine
from streamdeblur.engines.engine import Engine
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from streamdeblur.weights import default_network

CROPS = 24


def measure(rounds: int, path: Path | None = None) -> list[Row]:
    """Measure milliseconds for one crop alone, and for each of many in flight, of each size in turn.

    Args:
        rounds: How often each is measured.
        path: The network; by default the one that is embedded.
    """
    network = Network.read(path or default_network())
    names = [choice.name for choice in engine_choices() if choice.available and choice.name in ("openvino", "onnxruntime")]
    planes, window = array_planes(group_photograph()), FaceWindow(796, 412, 200)
    crops = [np.stack([crop(planes, window, size)] * CROPS) for size in network.crop_sizes]
    rows = []
    for label, make, throughput in (("alone", alone, False), ("of many in flight", in_flight, True)):
        engines = [open_engine(name, network, throughput=throughput) for name in names]
        values = alternate([make(engine, batch) for batch, engine in product(crops, engines)], rounds)
        for engine in engines:
            engine.close()
        for number, size in enumerate(network.crop_sizes):
            ours, others = values[number * len(engines) :][: len(engines)]
            rows.append(row(f"one crop of {size} px {label}", engines, ours, others))
    return rows


def alone(engine: Engine, crops: NDArray[np.uint8]) -> Callable[[], float]:
    """What measures crops one after the other."""

    def run() -> float:
        times = []
        for n in range(len(crops)):
            began = time.perf_counter()
            engine.infer(crops[n : n + 1])
            times.append(time.perf_counter() - began)
        return 1000 * statistics.median(times)

    return run


def in_flight(engine: Engine, crops: NDArray[np.uint8]) -> Callable[[], float]:
    """What measures crops that are submitted together."""

    def run() -> float:
        began = time.perf_counter()
        engine.infer(crops)
        return 1000 * (time.perf_counter() - began) / len(crops)

    return run


def row(name: str, engines: Sequence[Engine], ours: list[float], others: list[float]) -> Row:
    """The row of a table: OpenVINO, against ONNX Runtime."""
    figures = [f"{engine.name} {statistics.median(v):.1f} ms" for engine, v in zip(engines, (ours, others), strict=True)]
    device = engines[0].reason.rpartition("(")[2].rstrip(")")
    against = f"{figures[1]} (CPU, f32)"
    return Row(f"{name} ({device})", figures[0], against, ratio(others, ours), ">= 3 on a CPU with AMX")
