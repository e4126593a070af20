"""Opens the TensorRT engine of a network: from the cache, or built first."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from dataclasses import dataclass

from streamdeblur.engines.half import compute_in_half
from streamdeblur.engines.tensorrt.builder import BATCHES, LEVEL, OUTPUT, Build, OnStep, build_plan
from streamdeblur.engines.tensorrt.cache import EngineCache, EngineKey
from streamdeblur.engines.tensorrt.device import Device, OutOfMemoryError
from streamdeblur.engines.tensorrt.engine import TensorRTEngine
from streamdeblur.engines.tensorrt.library import TENSORRT, Library
from streamdeblur.engines.tensorrt.session import UnreadableEngineError
from streamdeblur.errors import OutputError
from streamdeblur.network import Network

PRECISION = "fp16"

logger = logging.getLogger(__name__)


def engine_key(
    network: Network, device: Device, batches: tuple[int, ...] = BATCHES, level: int = LEVEL, library: Library = TENSORRT
) -> EngineKey:
    """The key of a network's engine on a device, with the installed version of a library."""
    gpu = device.gpu
    return EngineKey(
        network=hashlib.sha256(network.model).hexdigest(),
        tensorrt=library.version,
        gpu=gpu.name,
        capability=".".join(map(str, gpu.capability)),
        driver=gpu.driver,
        precision=PRECISION,
        shapes=f"{network.crop_size}px, batches {','.join(map(str, batches))}",
        level=level,
    )


def cached(network: Network, device: Device | None = None, cache: EngineCache | None = None, library: Library = TENSORRT) -> bool:
    """Whether the cache has an engine of the network, so that opening it takes seconds and not minutes."""
    device, cache = device or Device(), cache or EngineCache()
    return bool(_ready(network, device, cache, library))


def open_tensorrt(
    network: Network,
    on_step: OnStep | None = None,
    cancelled: threading.Event | None = None,
    cache: EngineCache | None = None,
    *,
    library: Library = TENSORRT,
    card: int = 0,
) -> TensorRTEngine:
    """Open the engine of a network on a GPU, from the cache or built first.

    A cached engine that TensorRT cannot read is built again, once.

    Args:
        network: The network, in single precision.
        on_step: Called at each step of a build, from TensorRT's own threads.
        cancelled: Ends a build where it is set.
        cache: By default that of the user.
        library: TensorRT, or TensorRT for RTX.
        card: Number of the GPU, as CUDA counts them.

    Raises:
        OutOfMemoryError: The GPU has too little memory for an engine for single crops.
        EngineError: There is no such GPU, or TensorRT cannot build or run the network; the message contains its errors.
        OutputError: No cache folder can be written.
    """
    opening = _Opening(network, Device(card), cache or EngineCache(), library, on_step, cancelled)
    # batches that memory was too short for once are not tried again at every start
    candidates = _ready(network, opening.device, opening.cache, library) or _fewer(BATCHES)
    for number, batches in enumerate(candidates, 1):
        key = engine_key(network, opening.device, batches, library=library)
        try:
            with opening.cache.building(key, cancelled):
                return opening.open(key, batches)
        except OutOfMemoryError as error:
            if number == len(candidates):
                raise
            logger.warning("%s Trying again with batches of at most %d.", error, batches[-2])
    raise AssertionError("the last candidate returns or raises")


def _ready(network: Network, device: Device, cache: EngineCache, library: Library) -> list[tuple[int, ...]]:
    """The largest batch sizes for which the cache has an engine, as a list of one or none."""
    keys = ((batches, engine_key(network, device, batches, library=library)) for batches in _fewer(BATCHES))
    return [batches for batches, key in keys if cache.load(key) is not None][:1]


def _fewer(batches: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All batch sizes, then all but the largest, and so on."""
    return [batches[:count] for count in range(len(batches), 0, -1)]


@dataclass(frozen=True)
class _Opening:
    """What is opened, and how."""

    network: Network
    device: Device
    cache: EngineCache
    library: Library
    on_step: OnStep | None
    cancelled: threading.Event | None

    def open(self, key: EngineKey, batches: tuple[int, ...]) -> TensorRTEngine:
        plan = self.cache.load(key)
        if plan is not None:
            try:
                return self._engine(key, plan, "engine from the cache")
            except UnreadableEngineError as error:
                logger.warning("%s It is built again.", error)
                self.cache.delete(key)
        plan, seconds = self._build(key, batches)
        return self._engine(key, plan, f"engine built in {seconds:.0f} s")

    def _engine(self, key: EngineKey, plan: bytes, origin: str) -> TensorRTEngine:
        reason = f"TensorRT {key.tensorrt}, {origin}"
        return TensorRTEngine(self.device, plan, reason, self.network.memory, self.library, self.cache.kernels(key))

    def _build(self, key: EngineKey, batches: tuple[int, ...]) -> tuple[bytes, float]:
        network, began = self.network, time.monotonic()
        half = compute_in_half(network.model, half_images=True, outputs=[OUTPUT])
        timing = self.cache.timing(key)
        build = Build(half, batches, network.crop_size, timing, key.level, network.memory, self.library)
        with self.device.current():
            plan = build_plan(build, self.on_step, self.cancelled)
        seconds = time.monotonic() - began
        try:
            self.cache.store(key, plan, seconds)
        except OutputError as error:
            # the engine works without; the next start builds it again
            logger.warning("%s", error)
        return plan, seconds
