"""A roofline estimate of the networks on NVIDIA GPUs; nothing here is measured on a GPU.

python benchmarks/roofline.py                 # the tables of docs/performance.md

Each operation takes the larger of its arithmetic at the peak rate and its traffic at the peak bandwidth. Element-wise operations
are counted with the convolution or product before them, as engines fuse them. Each kernel adds LAUNCH seconds where it is
launched, and GAP where it is part of a CUDA graph.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from harness import markdown
from streamdeblur.engines.half import compute_in_half
from streamdeblur.engines.tensorrt.memory import ENTRY_BYTES
from streamdeblur.weights import network_path

LAUNCH = 3e-6
"""Typical seconds from one kernel to the next in a stream."""
GAP = 1e-6
"""Assumed seconds from one kernel of a CUDA graph to the next."""

FUSED = {
    "Add", "Sub", "Mul", "Div", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip", "Cast", "Sqrt", "Exp", "Softplus", "Identity",
    "Reshape", "Unsqueeze", "Squeeze", "Shape", "Gather", "Constant", "ConstantOfShape", "Flatten", "Mod",
}  # fmt: skip


@dataclass(frozen=True)
class Gpu:
    """Peak rates of the vendor's data sheets, dense."""

    name: str
    half: float
    """FLOP/s of its tensor cores in float16, sums in float32."""
    single: float
    """FLOP/s in float32."""
    bandwidth: float
    """Bytes per second of its memory."""
    bus: float
    """Bytes per second of PCI Express, one way, as a copy from page-locked memory reaches."""


GPUS = (
    Gpu("RTX 4060", 30.2e12, 15.1e12, 272e9, 12e9),
    Gpu("L4", 121e12, 30.3e12, 300e9, 24e9),
    Gpu("H100 SXM", 989e12, 67e12, 3350e9, 50e9),
)


@dataclass(frozen=True)
class Operation:
    """The cost of one node of a graph, for a batch."""

    kind: str
    flops: float
    bytes: float
    half: bool


def operations(model: bytes, batch: int) -> list[Operation]:
    """The cost of each node of a graph; it is run once for the shapes."""
    import onnxruntime

    graph = onnx.load_model_from_string(model)
    known = {output.name for output in graph.graph.output}
    names = [name for node in graph.graph.node for name in node.output if name not in known]
    graph.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    # all but the number of crops is fixed
    shapes = {one.name: [batch if isinstance(size, str) else size for size in one.shape] for one in session.get_inputs()}
    given = {name: random.random(shape, np.float32) for name, shape in shapes.items()}
    wanted = [output.name for output in session.get_outputs()]
    values = dict(zip(wanted, session.run(wanted, given), strict=True)) | given
    values |= {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    return [_operation(node, values) for node in graph.graph.node]


def _operation(node: onnx.NodeProto, values: dict[str, np.ndarray]) -> Operation:
    out = values[node.output[0]]
    arrays = [values[name] for name in [*node.input, *node.output] if name in values]
    fused = node.op_type in FUSED
    if node.op_type == "Conv":
        flops = 2.0 * out.size * values[node.input[1]][0].size
    elif node.op_type in ("MatMul", "Gemm"):
        flops = 2.0 * out.size * values[node.input[0]].shape[-1]
    else:
        flops = float(out.size)
    return Operation(node.op_type, flops, 0.0 if fused else float(sum(a.nbytes for a in arrays)), out.dtype == np.float16)


def seconds(found: list[Operation], gpu: Gpu) -> tuple[float, float, float]:
    """Seconds of all operations one after the other: at the roofline, as a CUDA graph, and launched one by one."""
    total, launches = 0.0, 0
    for operation in found:
        dense = operation.kind in ("Conv", "MatMul", "Gemm")
        rate = gpu.half if operation.half and dense else gpu.single
        total += max(operation.flops / rate, operation.bytes / gpu.bandwidth)
        launches += operation.kind not in FUSED
    return total, total + LAUNCH + launches * GAP, total + launches * LAUNCH


def paper_network() -> bytes:
    """The networks of the paper with random weights, on which their cost does not depend."""
    import torch

    from streamdeblur.training.config import TrainingConfig
    from streamdeblur.training.export import to_onnx
    from streamdeblur.training.networks.generator import TwoPathGenerator
    from streamdeblur.training.networks.hourglass import Hourglass
    from streamdeblur.training.networks.two_step import TwoStepNetwork

    torch.manual_seed(0)
    preset = TrainingConfig.load(Path("paper")).network
    generator = TwoPathGenerator(preset.generator, preset.hourglass.code)
    generator.sharp_encoder = None
    network = TwoStepNetwork(Hourglass(preset.hourglass), generator).eval().requires_grad_(False)
    return to_onnx(network).SerializeToString()


def networks_table() -> str:
    heads = ["network", "batch", "GFLOP per crop", "of it float32", "MB per crop", "kernels", *(gpu.name for gpu in GPUS)]
    rows = []
    models = [(name, network_path(name).read_bytes()) for name in ("nano", "lite", "stream")]
    for name, model in (*models, ("paper", paper_network())):
        half = compute_in_half(model, outputs=["restored"])
        for batch in (1, 8):
            found = operations(half, batch)
            flops, moved = sum(o.flops for o in found) / batch / 1e9, sum(o.bytes for o in found) / batch / 1e6
            whole = sum(o.flops for o in found if not o.half) / batch / 1e9
            launches = sum(o.kind not in FUSED for o in found)
            times = [" / ".join(f"{1e3 * time / batch:.2f}" for time in seconds(found, gpu)) for gpu in GPUS]
            rows.append([name, str(batch), f"{flops:.1f}", f"{whole:.2f}", f"{moved:.0f}", str(launches), *times])
    return markdown(heads, rows)


def frame_table(side: int = 400) -> str:
    """The stages around the network, for one face in a window of `side` pixels of an 8-bit 4:2:0 frame."""
    samples = side * side * 1.5
    taps = 36 * 3
    crop = (256 * 256 * (taps * 8.0), side * side * 1.5 + 256 * 256 * 3 * 2)
    residual = (256 * 256 * 30.0, 256 * 256 * 3 * (2 + 2 + 4))
    paste = (side * side * 1.5 * 16 * 8.0, 256 * 256 * 3 * 4 + side * side * 1.5 * 2)
    travel = [f"{1e6 * samples / gpu.bus:.0f} us" for gpu in GPUS]
    rows = [[f"window to the device ({samples / 1e6:.2f} MB)", *travel]]
    for name, (flops, moved) in (("crop", crop), ("residual", residual), ("paste", paste)):
        times = [max(flops / g.single, moved / g.bandwidth) + LAUNCH for g in GPUS]
        rows.append([name, *(f"{1e6 * t:.0f} us" for t in times)])
    return markdown(["stage", *(gpu.name for gpu in GPUS)], [*rows, ["window to the host", *travel]])


def bus_table(side: int = 400, width: int = 1280, entries: int = 4) -> str:
    """What moves over PCI Express for one face in a window of `side` pixels of an 8-bit 4:2:0 frame, in KB."""
    lines, samples = side * width * 1.5 / 1e3, side * side * 1.5 / 1e3
    entry = ENTRY_BYTES / 1e3
    crop = 3 * 256 * 256 * 2 / 1e3
    rows = [
        ("samples of the frame", "to the card", lines, samples),
        ("parameters of frame and face", "to the card", 1.0, 1.0),
        (f"memory of `stream` ({entries} crops)", "to the card", entry * entries, entry),
        ("samples of the frame", "to the host", lines, samples),
        ("crops", "either way", 0.0, 0.0),
    ]
    sums = ("sum", "", sum(row[2] for row in rows), sum(row[3] for row in rows))
    heads = [
        "what",
        "direction",
        "whole lines, and the memory anew for each crop",
        "the window, and each crop of the memory once",
    ]
    cells = [[what, way, *(f"{size:.0f}" for size in sizes)] for what, way, *sizes in (*rows, sums)]
    return markdown(heads, cells) + f"\n\nA crop in half precision would be {crop:.0f} KB each way."


def registers_table(architectures: tuple[str, ...] = ("75", "80", "86", "89", "90", "100")) -> str:
    """Registers per thread of each kernel, as ptxas assigns them; none spills and none uses shared memory."""
    from streamdeblur.kernels.cuda.compiler import compile_ptx

    used: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "window.ptx").write_bytes(compile_ptx())
        for architecture in architectures:
            command = [find_ptxas(), "-v", f"-arch=sm_{architecture}", "window.ptx", "-o", "window.cubin"]
            report = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True).stderr
            assert not re.search(r"\d+ bytes smem", report), report
            assert not any(int(count) for count in re.findall(r"(\d+) bytes spill", report)), report
            for name, registers in re.findall(r"entry function '(\w+)'.*?Used (\d+) registers", report, re.DOTALL):
                used.setdefault(name, []).append(registers)
    return markdown(["kernel", *(f"sm_{a}" for a in architectures)], [[name, *values] for name, values in sorted(used.items())])


def find_ptxas() -> str:
    """NVIDIA's assembler, of the package nvidia-cuda-nvcc-cu12 or of a toolkit."""
    import importlib.util
    import shutil

    spec = importlib.util.find_spec("nvidia")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    found = [str(path) for folder in folders for path in Path(folder).glob("*/bin/ptxas")] or [shutil.which("ptxas")]
    if found[0] is None:
        raise SystemExit("No ptxas: pip install nvidia-cuda-nvcc-cu12")
    return found[0]


def main() -> None:
    tables = {
        "Networks": networks_table, "Around them": frame_table, "Over PCI Express": bus_table, "Registers": registers_table,
    }  # fmt: skip
    for title, make in tables.items():
        print(f"\n{title}\n\n{make()}")


if __name__ == "__main__":
    main()
