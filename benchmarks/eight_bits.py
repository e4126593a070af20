"""What a network gains and loses in eight bits: processor time for a face on one thread, and PSNR on other people.

python benchmarks/eight_bits.py STILLS --network lite stream     # needs pip install '.[eval]'

ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI and AVX2 show what CPUs without bf16, and without VNNI, take.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness import machine, markdown
from streamdeblur.cores import GraphThreads
from streamdeblur.engines.graph import Graph, GraphSpec
from streamdeblur.engines.registry import open_graph
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.metrics.fidelity import psnr
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.sources import open_data
from streamdeblur.evaluation.sources.dataset import DataSet
from streamdeblur.faces.neighbours import HalfLuma, Neighbours, half_luma_of
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.network import Network
from streamdeblur.weights import network_path

RUNS = 15


def opened(network: Network, model: bytes) -> Graph:
    """A network on one thread of OpenVINO."""
    spec = GraphSpec(model, ("restored",), CROP_SIZE, CROP_SIZE, GraphThreads(), 255.0, memory=network.memory)
    return open_graph("openvino", spec)


def restored(graph: Graph, crop: Image, neighbours: Neighbours) -> Image:
    """What a network makes of a crop."""
    image = graph.submit(crop, neighbours).result()[0][0].transpose(1, 2, 0)
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)


def milliseconds(graphs: Sequence[Graph], crop: Image, neighbours: Neighbours) -> list[float]:
    """Processor time for a face; the graphs run alternately."""
    times: list[list[float]] = [[] for _ in graphs]
    for _ in range(RUNS):
        for graph, own in zip(graphs, times, strict=True):
            began = time.process_time()
            graph.submit(crop, neighbours).result()
            own.append(1000 * (time.process_time() - began))
    return [statistics.median(own) for own in times]


def faces(data: DataSet, protocol: BlurProtocol, limit: int, seed: int) -> list[tuple[Case, list[HalfLuma]]]:
    """Blurry faces, each with the neighbours before it where the protocol makes runs."""
    if not protocol.frames:
        return [(case, []) for case in protocol.cases(data, limit, seed, "srgb")]
    runs = protocol.runs(data, limit, seed, "srgb")
    return [(run[-1], [half_luma_of(case.blurry) for case in run[-2::-1]]) for run in runs]


def row(network: Network, protocol: str, made: Sequence[tuple[Case, list[HalfLuma]]]) -> list[str]:
    """A row of the table."""
    graphs = [opened(network, network.model), opened(network, network.model_in_eight_bits(CROP_SIZE))]
    pairs = [
        [psnr(restored(graph, case.blurry, near), case.sharp) for graph in graphs]
        for case, near in made
        if case.sharp is not None
    ]
    floats, eight = np.mean(pairs, 0)
    before, after = milliseconds(graphs, made[0][0].blurry, made[0][1])
    times = [f"{before:.1f}", f"{after:.1f}", f"{before / after:.2f}"]
    quality = [f"{floats:.2f}", f"{floats - eight:.3f}", f"{max(before - after for before, after in pairs):.2f}"]
    return [network.path.stem, protocol, graphs[0].description, *times, *quality]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="stills of people that the network was not trained on")
    parser.add_argument("--network", nargs="+", default=["lite"], help="a shipped one or FILE.onnx")
    parser.add_argument("--protocol", nargs="+", default=["synthetic", "sharp"])
    parser.add_argument("--limit", type=int, default=60, help="faces of each protocol")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data, rows = open_data(arguments.data), []
    for protocol in arguments.protocol:
        made = faces(data, BlurProtocol.parse(protocol), arguments.limit, arguments.seed)
        rows += [row(Network.read(network_path(name)), protocol, made) for name in arguments.network]
    head = ("network", "faces", "device", "ms", "ms in eight bits", "ratio", "PSNR dB", "mean loss dB", "largest loss dB")
    print(f"{machine()}, ONEDNN_MAX_CPU_ISA={os.environ.get('ONEDNN_MAX_CPU_ISA', '')}\n\n{markdown(head, rows)}")


if __name__ == "__main__":
    main()
