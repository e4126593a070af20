"""Which engines there are here, and which is the fastest."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from importlib.util import find_spec

from streamdeblur.engines.engine import Engine, GraphEngine
from streamdeblur.engines.fallback import FallbackEngine
from streamdeblur.engines.graph import Graph, GraphSpec
from streamdeblur.errors import EngineError
from streamdeblur.network import Network

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineChoice:
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


CPU_ENGINES = ("openvino", "onnxruntime")
"""Engines that need no GPU."""

HALF = ("onnxruntime:cuda",)
"""Engines of ONNX Runtime that compute in the types of the graph, so that half precision leaves out what needs float32."""


def engine_choices() -> list[EngineChoice]:
    """Every engine, fastest first, whether it can be used here, and why."""
    return [_tensorrt(), *_onnxruntime_gpu(), _openvino(), _onnxruntime_cpu()]


def _tensorrt() -> EngineChoice:
    missing = [name for name in ("tensorrt", "pycuda") if find_spec(name) is None]
    if missing:
        return EngineChoice(
            "tensorrt", False, f"for NVIDIA GPUs: {' and '.join(missing)} not installed (pip install 'streamdeblur[tensorrt]')"
        )
    from streamdeblur.engines.tensorrt.device import Device

    try:
        gpu = Device().gpu
    except EngineError as error:
        return EngineChoice("tensorrt", False, str(error).removesuffix("."))
    return EngineChoice("tensorrt", True, f"fastest on this GPU: {gpu.name}")


def _openvino() -> EngineChoice:
    if find_spec("openvino") is None:
        return EngineChoice("openvino", False, "not installed (pip install openvino)")
    from streamdeblur.engines.openvino import precision

    speed = "the CPU computes in bf16" if precision() == "bf16" else "fastest in float32"
    return EngineChoice("openvino", True, f"fastest on this CPU: {speed}")


def _onnxruntime_gpu() -> list[EngineChoice]:
    if find_spec("onnxruntime") is None:
        return []
    from streamdeblur.engines.onnxruntime import GPU_PROVIDERS, installed_providers

    return [
        EngineChoice(f"onnxruntime:{name}", True, f"the installed ONNX Runtime has the {name} provider")
        for name in installed_providers()
        if name in GPU_PROVIDERS
    ]


def _onnxruntime_cpu() -> EngineChoice:
    if find_spec("onnxruntime") is None:
        return EngineChoice("onnxruntime", False, "not installed (pip install onnxruntime)")
    return EngineChoice("onnxruntime", True, "runs on any CPU")


def open_graph(name: str, spec: GraphSpec) -> Graph:
    """Compile any network as a graph on the engine `name` ('openvino', 'onnxruntime', 'onnxruntime:cuda' ...)."""
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
    failures: list[str] = []
    better: EngineChoice | None = None
    for choice in choices:
        if name not in ("auto", choice.name):
            continue
        if not choice.available:
            failures.append(f"{choice.name}: {choice.reason}")
            continue
        try:
            if name == "auto" and _slow_to_open(choice, network):
                better = better or choice
                continue
            engine = _open(choice, network, throughput)
        except Exception as error:
            # a driver that is missing shows as whatever its runtime raises; the next engine may work
            failures.append(f"{choice.name}: {error}")
            continue
        return _with_better(engine, better, network, throughput)
    if better is not None:
        return _open(better, network, throughput)
    raise EngineError(f"No engine can run {network.path.name} here. " + "; ".join(failures))


def _open(choice: EngineChoice, network: Network, throughput: bool, cancelled: threading.Event | None = None) -> Engine:
    if choice.name == "tensorrt":
        from streamdeblur.engines.tensorrt.opening import open_tensorrt

        return open_tensorrt(network, cancelled=cancelled)
    model = network.model
    if choice.name in HALF:
        from streamdeblur.engines.half import compute_in_half

        model = compute_in_half(model, outputs=["restored"])
    spec = GraphSpec(model, ("restored",), network.crop_size, network.crop_size, 255.0, throughput=throughput)
    return GraphEngine(choice.name, choice.reason, open_graph(choice.name, spec))


def _slow_to_open(choice: EngineChoice, network: Network) -> bool:
    """Whether an engine has to be built first, for minutes."""
    if choice.name == "tensorrt":
        from streamdeblur.engines.tensorrt.opening import cached

        return not cached(network)
    return False


def _with_better(engine: Engine, better: EngineChoice | None, network: Network, throughput: bool) -> Engine:
    """The engine, and where there is a better one that takes minutes to open, both: that one takes over when it is ready."""
    if better is None:
        return engine
    logger.info("Building an engine of %s for this GPU, minutes the first time; until then %s works.", better.name, engine.name)
    return FallbackEngine(engine, better.name, lambda cancelled: _open(better, network, throughput, cancelled))
