"""Which engines can be used here, and how they are opened, fastest first."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from streamdeblur.cores import GraphThreads, plan_threads
from streamdeblur.engines.cards import OLDEST, DriverError, find_cards, no_such_card
from streamdeblur.engines.engine import Engine, GraphEngine, image_shape
from streamdeblur.engines.fallback import FallbackEngine
from streamdeblur.engines.graph import Graph, GraphSpec, ReopenedGraph
from streamdeblur.engines.mismatches import mended
from streamdeblur.engines.sized_graphs import SizedGraphs
from streamdeblur.engines.tensorrt.library import LIBRARIES, Library
from streamdeblur.errors import EngineError, NetworkError
from streamdeblur.installation import install_command
from streamdeblur.known_names import shown, suggestion
from streamdeblur.network import Network
from streamdeblur.opening import one_at_a_time

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineChoice:
    """An engine that `open_engine` knows."""

    name: str
    available: bool
    reason: str
    """Why it is a good choice, or why it cannot be used here."""


GPU_NAMES = {
    "onnxruntime:cuda": "onnxruntime-gpu",
    "onnxruntime:tensorrt": "onnxruntime-gpu",
    "onnxruntime:directml": "onnxruntime-directml",
    "onnxruntime:coreml": "onnxruntime (on macOS)",
}
"""Package of the ONNX Runtime build that each GPU engine needs, to be installed in place of onnxruntime."""


NVIDIA_ENGINES = (*LIBRARIES, "onnxruntime:cuda", "onnxruntime:tensorrt")
"""Engines that run on an NVIDIA card, which a device names by its number."""
OTHER_GPU_ENGINES = tuple(name for name in GPU_NAMES if name not in NVIDIA_ENGINES)
"""Engines on other GPUs, whose speed is not known before it is measured."""
AUTO_DEVICE = "auto"

CPU_ENGINES = ("openvino", "onnxruntime")
"""Engines that need no GPU."""

EIGHT_BITS = "openvino:int8"
"""OpenVINO, with convolutions in eight bits where the file of the network says how. 'auto' takes it where it was measured to be
much faster (`streamdeblur/speeds.py`)."""

HALF_PRECISION = ("onnxruntime:cuda",)
"""Engines that compute in the types that the graph names, so that the graph decides what stays in float32."""


def engine_choices(device: str = AUTO_DEVICE) -> list[EngineChoice]:
    """List every engine, fastest first, and whether and why it can be used here.

    Args:
        device: "auto", "cpu", or the number of a card; engines that run elsewhere cannot be used.
    """
    card = card_number(device)
    with one_at_a_time():
        gpu = [*(_tensorrt(library, card) for library in LIBRARIES.values()), *_onnxruntime_gpu(card)]
        found = [*gpu, _openvino(), _eight_bits(), _onnxruntime_cpu()]
    return found if device == AUTO_DEVICE else [_on_device(choice, device) for choice in found]


def card_number(device: str) -> int:
    """Return the number of the card of a device; "auto" is the first one."""
    return int(device) if device.isdecimal() else 0


def where_none_runs(device: str) -> str:
    """Return the words for a device on which no engine runs: a card, with what to give in its place, or this machine."""
    return f"on card {device}: give --device auto or cpu" if device.isdecimal() else "here"


def _on_device(choice: EngineChoice, device: str) -> EngineChoice:
    """The engine, which cannot be used where it does not run on the device."""
    if not choice.available:
        return choice
    on_cpu = choice.name in (*CPU_ENGINES, EIGHT_BITS)
    if device == "cpu":
        return choice if on_cpu else replace(choice, available=False, reason="it runs on a GPU, and the device is cpu")
    if choice.name in NVIDIA_ENGINES:
        return choice
    where = "the CPU" if on_cpu else "another kind of GPU"
    return replace(choice, available=False, reason=f"it runs on {where}, and the device is card {device}")


def _tensorrt(library: Library, card: int) -> EngineChoice:
    name = library.name
    missing = [package for package in (library.module_name, "pycuda") if find_spec(package) is None]
    if missing:
        packages = " and ".join(package.replace("_", "-") for package in missing)
        return EngineChoice(name, False, f"for NVIDIA GPUs: {packages} not installed ({install_command(name)})")
    from streamdeblur.engines.tensorrt.device import Device

    try:
        gpu = Device(card).gpu
    except EngineError as error:
        return EngineChoice(name, False, str(error).removesuffix("."))
    if gpu.capability < OLDEST:
        needed, found = (".".join(map(str, capability)) for capability in (OLDEST, gpu.capability))
        return EngineChoice(name, False, f"{gpu.name} is of compute capability {found}, and {needed} (Turing) is the oldest")
    why = "built within a minute, fast on this GPU" if library.jit else "fastest on this GPU"
    return EngineChoice(name, True, f"{why}: {gpu.name}")


def _openvino() -> EngineChoice:
    if find_spec("openvino") is None:
        return EngineChoice("openvino", False, "not installed (pip install openvino)")
    from streamdeblur.engines.openvino import lost_in_fork, precision

    if lost_in_fork():
        return EngineChoice("openvino", True, "by ONNX Runtime, because no forked process can use OpenVINO after its parent has")
    speed = "the CPU computes in bf16" if precision() == "bf16" else "fastest in float32"
    return EngineChoice("openvino", True, f"fastest on this CPU: {speed}")


def _eight_bits() -> EngineChoice:
    if not (found := _openvino()).available:
        return EngineChoice(EIGHT_BITS, False, found.reason)
    return EngineChoice(EIGHT_BITS, True, "convolutions in eight bits; used where it is measured to be much faster")


def _onnxruntime_gpu(card: int) -> list[EngineChoice]:
    if find_spec("onnxruntime") is None:
        return []
    from streamdeblur.engines.onnxruntime import GPU_PROVIDERS, installed_providers

    names = [name for name in installed_providers() if name in GPU_PROVIDERS]
    # that a provider was compiled in says nothing of the machine
    lacks = _lacking_card(card) if any(f"onnxruntime:{name}" in NVIDIA_ENGINES for name in names) else ""
    return [
        EngineChoice(f"onnxruntime:{name}", False, lacks)
        if lacks and f"onnxruntime:{name}" in NVIDIA_ENGINES
        else EngineChoice(f"onnxruntime:{name}", True, f"the installed ONNX Runtime has the {name} provider")
        for name in names
    ]


def _lacking_card(card: int) -> str:
    """Why the driver has no card of this number; '' where it has one."""
    try:
        count = len(find_cards())
    except DriverError as error:
        return mended(error).removesuffix(".")
    return "" if card < count else no_such_card(card, count).removesuffix(".")


def _onnxruntime_cpu() -> EngineChoice:
    if find_spec("onnxruntime") is None:
        return EngineChoice("onnxruntime", False, "not installed (pip install onnxruntime)")
    return EngineChoice("onnxruntime", True, "runs on any CPU")


def open_graph(name: str, spec: GraphSpec, card: int = 0) -> Graph:
    """Compile any network on the engine `name` ('openvino', 'onnxruntime', 'onnxruntime:cuda' ...), on a card if on any."""
    family, _, provider = name.partition(":")

    def compile_graph() -> Graph:
        from streamdeblur.engines.onnxruntime import OnnxRuntimeGraph

        if family == "openvino":
            from streamdeblur.engines.openvino import OpenVINOGraph, lost_in_fork

            if not lost_in_fork():
                return OpenVINOGraph(spec)
            return OnnxRuntimeGraph(spec)
        return OnnxRuntimeGraph(spec, provider or "cpu", card)

    return ReopenedGraph(compile_graph)


def open_engine(
    name: str, network: Network, *, throughput: bool = False, cores: int | None = None, device: str = AUTO_DEVICE
) -> Engine:
    """Open an engine.

    Args:
        name: Name of an engine, or 'auto' for the fastest one that works here.
        network: The network to run.
        throughput: Compute several crops at the same time, for files; otherwise each crop has many cores, for the lowest latency.
        cores: Cores that the whole job may use (`plan_threads`); by default all that this process may use.
        device: "auto", "cpu", or the number of a card; see `engine_choices`.

    Returns:
        The engine. With 'auto', where a better one has to be built first, a `FallbackEngine` that switches to it.

    Raises:
        EngineError: The engine is unknown, or none works; the message states why each failed.
        NetworkError: The network needs absurd memory, or memory that depends on the picture.
    """
    threads = plan_threads("file" if throughput else "live", cores).network
    choices = engine_choices(device)
    card = card_number(device)
    if name != "auto" and name not in {choice.name for choice in choices}:
        known = ["auto", *(choice.name for choice in choices)]
        if name in GPU_NAMES:
            raise EngineError(
                f"The ONNX Runtime installed here lacks what {name} needs: pip install {GPU_NAMES[name]}. "
                f"Here: {', '.join(known)}."
            )
        raise EngineError(f"Unknown engine {shown(name)}. {suggestion(name, dict.fromkeys([*known, *GPU_NAMES]))}")
    failures: list[str] = []
    better: EngineChoice | None = None
    for choice in _as_measured(choices) if name == "auto" else choices:
        if name not in ("auto", choice.name):
            continue
        if choice.name == EIGHT_BITS and not network.ranges:
            failures.append(f"{choice.name}: {network.path.name} does not say how it computes in eight bits")
            continue
        if not choice.available:
            failures.append(f"{choice.name}: {choice.reason}")
            continue
        try:
            if name == "auto" and _slow_to_open(choice, network, card):
                better = better or choice
                continue
            engine = _open(choice, network, threads, card)
        except NetworkError as error:
            # what one engine refuses must not be tried on another
            raise NetworkError(f"{network.path}: {error}") from None
        except Exception as error:
            # A driver that is missing shows as whatever its runtime raises; the next engine may work.
            failures.append(f"{choice.name}: {mended(error, card) if choice.name in NVIDIA_ENGINES else error}")
            continue
        return _with_better(engine, better, network, threads, card)
    if better is not None:
        return _open(better, network, threads, card)
    raise EngineError(f"No engine can run {network.path.name} {where_none_runs(device)}. {'; '.join(failures)}")


def _as_measured(choices: Sequence[EngineChoice]) -> list[EngineChoice]:
    """The engines, those of the CPU in the order that was measured on this machine, if they were."""
    from streamdeblur.speeds import as_measured

    by_name = {choice.name: choice for choice in choices}
    return [by_name[name] for name in as_measured(list(by_name))]


def _open(
    choice: EngineChoice, network: Network, threads: GraphThreads, card: int, cancelled: threading.Event | None = None
) -> Engine:
    library = LIBRARIES.get(choice.name)
    if library is not None:
        from streamdeblur.engines.tensorrt.opening import open_tensorrt

        return open_tensorrt(network, cancelled=cancelled, library=library, card=card)

    def open_size(size: int) -> Graph:
        model = network.model_in_eight_bits(size) if choice.name == EIGHT_BITS else network.model_for(size)
        if choice.name in HALF_PRECISION:
            from streamdeblur.engines.half import compute_in_half

            model = compute_in_half(model, outputs=["restored"])
        spec = GraphSpec(
            model, ("restored",), size, size, threads, 255.0, shape=image_shape(size), memory=network.memory,
            takes_turns=len(network.crop_sizes) > 1,
        )  # fmt: skip
        return open_graph(choice.name, spec, card)

    return GraphEngine(choice.name, choice.reason, SizedGraphs(network.crop_sizes, open_size))


def _slow_to_open(choice: EngineChoice, network: Network, card: int) -> bool:
    """Return whether an engine has to be built first, which takes up to minutes."""
    library = LIBRARIES.get(choice.name)
    if library is not None:
        from streamdeblur.engines.tensorrt.device import Device
        from streamdeblur.engines.tensorrt.opening import cached

        return not cached(network, Device(card), library=library)
    return False


def _with_better(engine: Engine, better: EngineChoice | None, network: Network, threads: GraphThreads, card: int) -> Engine:
    """Return the engine, or a fallback engine that switches to a better one when that has been built."""
    if better is None:
        return engine
    logger.info(
        "Building the %s engine for this GPU, which takes up to minutes the first time; %s works until it is ready.",
        better.name,
        engine.name,
    )
    return FallbackEngine(engine, better.name, lambda cancelled: _open(better, network, threads, card, cancelled))
