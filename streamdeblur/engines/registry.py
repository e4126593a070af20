"""Which engines there are here, and which is the fastest."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from streamdeblur.engines.engine import Engine, GraphEngine
from streamdeblur.engines.graph import Graph, GraphSpec
from streamdeblur.errors import EngineError
from streamdeblur.network import Network


@dataclass(frozen=True)
class Choice:
    """An engine as `open_engine` knows it."""

    name: str
    available: bool
    reason: str
    """Why it is worth trying, or why it cannot be used here."""


GPU_NAMES = {
    "onnxruntime:cuda": "onnxruntime-gpu",
    "onnxruntime:tensorrt": "onnxruntime-gpu",
    "onnxruntime:directml": "onnxruntime-directml",
    "onnxruntime:coreml": "onnxruntime (on macOS)",
}
"""Engines that come with other builds of ONNX Runtime, each to be installed in place of onnxruntime."""


def engine_choices() -> list[Choice]:
    """Every engine, fastest first, whether it can be used here, and why."""
    return [*_onnxruntime_gpu(), _openvino(), _onnxruntime_cpu()]


def _openvino() -> Choice:
    if find_spec("openvino") is None:
        return Choice("openvino", False, "not installed (pip install openvino)")
    from streamdeblur.engines.openvino import precision

    speed = "the CPU computes in bf16" if precision() == "bf16" else "fastest in float32"
    return Choice("openvino", True, f"fastest on this CPU: {speed}")


def _onnxruntime_gpu() -> list[Choice]:
    if find_spec("onnxruntime") is None:
        return []
    from streamdeblur.engines.onnxruntime import GPU_PROVIDERS, installed_providers

    return [
        Choice(f"onnxruntime:{name}", True, f"the installed ONNX Runtime has the {name} provider")
        for name in installed_providers()
        if name in GPU_PROVIDERS
    ]


def _onnxruntime_cpu() -> Choice:
    if find_spec("onnxruntime") is None:
        return Choice("onnxruntime", False, "not installed (pip install onnxruntime)")
    return Choice("onnxruntime", True, "runs on any CPU")


def open_graph(name: str, spec: GraphSpec) -> Graph:
    """Compile a graph on the engine `name` ('openvino', 'onnxruntime', 'onnxruntime:cuda' ...)."""
    family, _, provider = name.partition(":")
    if family == "openvino":
        from streamdeblur.engines.openvino import OpenVINOGraph

        return OpenVINOGraph(spec)
    from streamdeblur.engines.onnxruntime import OnnxRuntimeGraph

    return OnnxRuntimeGraph(spec, provider or "cpu")


def open_engine(name: str, network: Network, *, throughput: bool = False) -> Engine:
    """Open the engine `name` on a network; 'auto' takes the fastest one that works here.

    `throughput`: keep many crops in flight, for files; otherwise each crop has all cores, for the lowest latency.

    Raises:
        EngineError: no such engine, or none that works; says why each failed.
    """
    choices = engine_choices()
    if name != "auto" and name not in {choice.name for choice in choices}:
        known = ", ".join(["auto", *(choice.name for choice in choices)])
        if name in GPU_NAMES:
            raise EngineError(
                f"The ONNX Runtime installed here lacks what {name} needs: pip install {GPU_NAMES[name]}. Here: {known}."
            )
        raise EngineError(f"Unknown engine '{name}'. Here there are: {known}.")
    spec = GraphSpec(network.model, ("restored",), network.crop_size, network.crop_size, 255.0, throughput=throughput)
    failures = []
    for choice in choices:
        if name not in ("auto", choice.name):
            continue
        if not choice.available:
            failures.append(f"{choice.name}: {choice.reason}")
            continue
        try:
            return GraphEngine(choice.name, choice.reason, open_graph(choice.name, spec))
        except Exception as error:
            # a driver that is missing shows as whatever its runtime raises; the next engine may work
            failures.append(f"{choice.name}: {error}")
    raise EngineError(f"No engine can run {network.path.name} here. " + "; ".join(failures))
