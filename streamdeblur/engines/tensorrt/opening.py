"""Opens the TensorRT engine of a network: from the cache, or built first."""

from __future__ import annotations

import hashlib
import logging
import threading
import time

from streamdeblur.engines.half import compute_in_half
from streamdeblur.engines.tensorrt.builder import BATCHES, LEVEL, OUTPUT, Build, OnStep, build_plan
from streamdeblur.engines.tensorrt.cache import EngineCache, EngineKey
from streamdeblur.engines.tensorrt.device import Device, OutOfMemoryError
from streamdeblur.engines.tensorrt.engine import TensorRTEngine
from streamdeblur.engines.tensorrt.session import UnreadableEngineError
from streamdeblur.errors import OutputError
from streamdeblur.network import Network

PRECISION = "fp16"

logger = logging.getLogger(__name__)


def engine_key(network: Network, device: Device, batches: tuple[int, ...] = BATCHES, level: int = LEVEL) -> EngineKey:
    """The key of a network's engine on a device, with the installed TensorRT."""
    import tensorrt as trt

    gpu = device.gpu
    return EngineKey(
        network=hashlib.sha256(network.model).hexdigest(),
        tensorrt=trt.__version__,
        gpu=gpu.name,
        capability=".".join(map(str, gpu.capability)),
        driver=gpu.driver,
        precision=PRECISION,
        shapes=f"{network.crop_size}px, batches {','.join(map(str, batches))}",
        level=level,
    )


def cached(network: Network, device: Device | None = None, cache: EngineCache | None = None) -> bool:
    """Whether the cache has an engine of the network, so that opening it takes seconds and not minutes."""
    device, cache = device or Device(), cache or EngineCache()
    return bool(_ready(network, device, cache))


def open_tensorrt(
    network: Network,
    on_step: OnStep | None = None,
    cancelled: threading.Event | None = None,
    cache: EngineCache | None = None,
) -> TensorRTEngine:
    """Open the engine of a network on this GPU, from the cache or built first.

    A cached engine that TensorRT cannot read is built again, once.

    Args:
        network: The network, in single precision.
        on_step: Called at each step of a build, from TensorRT's own threads.
        cancelled: Ends a build where it is set.
        cache: By default that of the user.

    Raises:
        OutOfMemoryError: The GPU has too little memory for an engine for single crops.
        EngineError: There is no GPU, or TensorRT cannot build or run the network; the message contains its errors.
        OutputError: No cache folder can be written.
    """
    device, cache = Device(), cache or EngineCache()
    # batches that memory was too short for once are not tried again at every start
    candidates = _ready(network, device, cache) or _fewer(BATCHES)
    for number, batches in enumerate(candidates, 1):
        key = engine_key(network, device, batches)
        try:
            with cache.building(key, cancelled):
                return _open(network, device, cache, key, batches, on_step, cancelled)
        except OutOfMemoryError as error:
            if number == len(candidates):
                raise
            logger.warning("%s Trying again with batches of at most %d.", error, batches[-2])
    raise AssertionError("the last candidate returns or raises")


def _ready(network: Network, device: Device, cache: EngineCache) -> list[tuple[int, ...]]:
    """The largest batch sizes for which the cache has an engine, as a list of one or none."""
    return [batches for batches in _fewer(BATCHES) if cache.load(engine_key(network, device, batches)) is not None][:1]


def _fewer(batches: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All batch sizes, then all but the largest, and so on."""
    return [batches[:count] for count in range(len(batches), 0, -1)]


def _open(
    network: Network, device: Device, cache: EngineCache, key: EngineKey, batches: tuple[int, ...],
    on_step: OnStep | None, cancelled: threading.Event | None,
) -> TensorRTEngine:  # fmt: skip
    plan = cache.load(key)
    if plan is not None:
        try:
            return TensorRTEngine(device, plan, f"TensorRT {key.tensorrt}, engine from the cache", network.memory)
        except UnreadableEngineError as error:
            logger.warning("%s It is built again.", error)
            cache.delete(key)
    plan, seconds = _build(network, device, cache, key, batches, on_step, cancelled)
    return TensorRTEngine(device, plan, f"TensorRT {key.tensorrt}, engine built in {seconds:.0f} s", network.memory)


def _build(
    network: Network, device: Device, cache: EngineCache, key: EngineKey, batches: tuple[int, ...],
    on_step: OnStep | None, cancelled: threading.Event | None,
) -> tuple[bytes, float]:  # fmt: skip
    began = time.monotonic()
    half = compute_in_half(network.model, half_images=True, outputs=[OUTPUT])
    build = Build(half, batches, network.crop_size, cache.timing(key), key.level, network.memory)
    with device.current():
        plan = build_plan(build, on_step, cancelled)
    seconds = time.monotonic() - began
    try:
        cache.store(key, plan, seconds)
    except OutputError as error:
        # the engine works without; the next start builds it again
        logger.warning("%s", error)
    return plan, seconds
