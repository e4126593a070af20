"""One crop: OpenVINO compared with ONNX Runtime."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from harness import Row, alternate, ratio
from streamdeblur.demo.run import group_photograph
from streamdeblur.engines import engine_choices, open_engine
from streamdeblur.engines.engine import Engine
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from streamdeblur.weights import default_network

CROPS = 24


def measure(rounds: int) -> list[Row]:
    """Measure milliseconds for one crop alone, and for each of many in flight."""
    crops = np.stack([crop(array_planes(group_photograph()), FaceWindow(796, 412, 200))] * CROPS)
    network = Network.read(default_network())
    names = [choice.name for choice in engine_choices() if choice.available and choice.name in ("openvino", "onnxruntime")]

    def alone(engine: Engine) -> Callable[[], float]:
        def run() -> float:
            times = []
            for n in range(CROPS):
                began = time.perf_counter()
                engine.infer(crops[n : n + 1])
                times.append(time.perf_counter() - began)
            return 1000 * statistics.median(times)

        return run

    def in_flight(engine: Engine) -> Callable[[], float]:
        def run() -> float:
            began = time.perf_counter()
            engine.infer(crops)
            return 1000 * (time.perf_counter() - began) / CROPS

        return run

    rows = []
    for label, make, throughput in (("one crop alone", alone, False), ("one crop of many in flight", in_flight, True)):
        engines = [open_engine(name, network, throughput=throughput) for name in names]
        values = alternate([make(engine) for engine in engines], rounds)
        for engine in engines:
            engine.close()
        figures = [f"{engine.name} {statistics.median(v):.1f} ms" for engine, v in zip(engines, values, strict=True)]
        reason = engines[0].reason.rpartition("(")[2].rstrip(")")
        rows.append(
            Row(
                f"{label} ({reason})",
                figures[0],
                f"{figures[1]} (CPU, f32)",
                ratio(values[1], values[0]),
                ">= 3 on a CPU with AMX",
            )
        )
    return rows
