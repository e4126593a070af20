"""TensorRT compared with ONNX Runtime's CUDA provider, on an NVIDIA GPU.

python benchmarks/gpu.py                      # prints a table; needs tensorrt and pycuda, and for the comparison onnxruntime-gpu

Every figure is wall-clock time on the host, from crops (or a frame) in memory to crops (or the frame) in memory, including copies
and the wait for the device: p50 and p95 of single calls, the engines alternately.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from harness import Row, alternate, machine, table
from streamdeblur.demo.run import group_photograph
from streamdeblur.engines import Engine, FrameFaces, engine_choices, open_engine
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from streamdeblur.weights import default_network

BATCHES = (1, 2, 4, 8)
NAMES = ("tensorrt", "onnxruntime:cuda")
PLACES = ((796, 412), (320, 207), (1178, 332), (113, 329))


def timed(call: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def milliseconds(calls: Sequence[Callable[[], object]], rounds: int) -> list[np.ndarray]:
    """Milliseconds of each call, float [rounds]; the calls alternate."""
    measures = [partial(timed, call) for call in calls]
    return [np.array(values) for values in alternate(measures, rounds, warm_up=max(1, rounds // 10))]


def summary(values: np.ndarray) -> str:
    p50, p95 = np.percentile(values, (50, 95))
    return f"{p50:.2f} ms (p95 {p95:.2f})"


def row(name: str, values: Sequence[np.ndarray], engines: Sequence[Engine]) -> Row:
    if len(values) == 1:
        return Row(name, summary(values[0]))
    return Row(name, summary(values[0]), f"{engines[1].name} {summary(values[1])}", float(np.median(values[1] / values[0])))


def frame_call(engine: Engine, frame: np.ndarray, count: int) -> Callable[[], object]:
    """A call that crops faces on the CPU, where the deblurrer measures their blur, and restores and pastes them."""
    windows = [FaceWindow(x, y, 190) for x, y in PLACES[:count]]

    def call() -> None:
        planes = array_planes(frame)
        engine.submit(FrameFaces.read(planes, windows, [1.0] * count)).paste(planes)

    return call


def measure(rounds: int) -> list[Row]:
    network = Network.read(default_network())
    available = [choice.name for choice in engine_choices() if choice.available and choice.name in NAMES]
    if "tensorrt" not in available:
        reasons = [f"{choice.name}: {choice.reason}" for choice in engine_choices() if choice.name in NAMES]
        raise SystemExit("TensorRT cannot be used here. " + "; ".join(reasons))
    engines = [open_engine(name, network) for name in NAMES if name in available]
    photograph = group_photograph()
    crops = np.stack([crop(array_planes(photograph), FaceWindow(x, y, 190)) for x, y in PLACES] * 2)
    rows = [Row("device", engines[0].reason)]
    for batch in BATCHES:
        calls = [lambda engine=engine, batch=batch: engine.infer(crops[:batch]) for engine in engines]
        rows.append(row(f"{batch} crop{'s' if batch > 1 else ''}", milliseconds(calls, rounds), engines))
    for count in (1, 4):
        calls = [frame_call(engine, photograph.copy(), count) for engine in engines]
        rows.append(row(f"a frame with {count} face{'s' if count > 1 else ''}", milliseconds(calls, rounds), engines))
    for engine in engines:
        engine.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="calls of each engine")
    rows = measure(parser.parse_args().rounds)
    print(f"{machine()}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
