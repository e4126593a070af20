"""Builds a TensorRT engine from an ONNX network, which takes minutes: TensorRT measures which kernels are fastest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamdeblur.caches import read_cached, write_cached
from streamdeblur.engines.tensorrt.cache import BuildCancelledError
from streamdeblur.engines.tensorrt.device import OutOfMemoryError
from streamdeblur.engines.tensorrt.library import TENSORRT, Library
from streamdeblur.engines.tensorrt.log import log_class, out_of_memory
from streamdeblur.errors import EngineError, OutputError
from streamdeblur.faces.neighbours import HALF_SIZE

if TYPE_CHECKING:
    import tensorrt as trt

logger = logging.getLogger(__name__)

LEVEL = 3
"""Builder optimisation level, 0 to 5. TensorRT's default: higher ones take much longer and gain little."""

BATCHES = (1, 2, 4, 8)
"""Largest batch of each optimisation profile."""

INPUT, OUTPUT = "blurry", "restored"
MEMORY, VALIDITY = "memory", "validity"
"""The further inputs of a network with a memory."""


@dataclass(frozen=True)
class BuildStep:
    """The progress of a build."""

    phase: str
    """TensorRT's name of the phase."""
    done: int
    """Steps of the phase that are done."""
    steps: int
    """Steps of the phase."""


OnStep = Callable[[BuildStep], None]


@dataclass(frozen=True)
class Build:
    """The description of an engine to build."""

    network: bytes
    """ONNX, strongly typed: its types are the precision of the engine."""
    batches: Sequence[int]
    """Largest batch of each optimisation profile, ascending."""
    size: int
    """Side of the images in pixels."""
    timing: Path
    """The file of measured kernel speeds, which is read and written."""
    level: int = LEVEL
    memory: int = 0
    """Neighbouring crops that the network takes."""
    library: Library = TENSORRT
    """What builds it."""

    @property
    def inputs(self) -> dict[str, list[int]]:
        """Shapes of the inputs for one crop, without the batch size."""
        image = {INPUT: [3, self.size, self.size]}
        return image | {MEMORY: [self.memory, HALF_SIZE, HALF_SIZE], VALIDITY: [self.memory]} if self.memory else image


def build_plan(build: Build, on_step: OnStep | None = None, cancelled: threading.Event | None = None) -> bytes:
    """Build an engine, with the device's context current on this thread.

    Args:
        build: What to build.
        on_step: Called at each step, from TensorRT's own threads.
        cancelled: Ends the build where it is set.

    Returns:
        The serialised engine.

    Raises:
        OutOfMemoryError: The GPU has too little free memory for these batches.
        BuildCancelledError: `cancelled` was set.
        EngineError: TensorRT cannot build the network; the message contains its errors.
    """
    library = build.library
    if not TYPE_CHECKING:
        trt = library.module
    log = log_class(library)()
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(build.network):
        reasons = "; ".join(str(parser.get_error(n)) for n in range(parser.num_errors))
        raise EngineError(f"{library.title} {trt.__version__} cannot read the network: {reasons or log.take()}")
    config = builder.create_builder_config()
    config.builder_optimization_level = build.level
    _add_profiles(builder, config, build)
    timing = _use_timing(config, build.timing)
    monitor = _monitor_class(library)(on_step, cancelled)
    config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise _failure(log.take(), cancelled)
    try:
        write_cached(build.timing, _content(timing.serialize()))
    except OutputError as error:
        # the engine is built; only the next build takes longer
        logger.warning("%s", error)
    return _content(plan)


def _content(memory: trt.IHostMemory) -> bytes:
    """A copy of TensorRT's memory, which has the buffer protocol although the binding's types do not declare it."""
    return bytes(memory)  # type: ignore[call-overload, no-any-return, unused-ignore]


def _add_profiles(builder: trt.Builder, config: trt.IBuilderConfig, build: Build) -> None:
    if not TYPE_CHECKING:
        trt = build.library.module
    smallest = 1
    for largest in build.batches:
        profile = builder.create_optimization_profile()
        for name, shape in build.inputs.items():
            least, most = (trt.Dims([batch, *shape]) for batch in (smallest, largest))
            profile.set_shape(name, least, most, most)
        if config.add_optimization_profile(profile) < 0:
            raise EngineError(f"TensorRT refuses the optimisation profile for {smallest} to {largest} crops.")
        smallest = largest + 1


def _use_timing(config: trt.IBuilderConfig, path: Path) -> trt.ITimingCache:
    """Give the builder the kernel speeds measured before, unless TensorRT refuses the file."""
    for known in (read_cached(path) or b"", b""):
        cache = config.create_timing_cache(known)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    raise EngineError("TensorRT refuses the timing cache.")


def _failure(errors: str, cancelled: threading.Event | None) -> EngineError:
    if cancelled is not None and cancelled.is_set():
        return BuildCancelledError("The build was cancelled.")
    if out_of_memory(errors):
        return OutOfMemoryError(f"The GPU has too little free memory to build the engine: {errors}.")
    return EngineError(f"TensorRT cannot build the network: {errors}.")


def _monitor_class(library: Library) -> type[Any]:
    if not TYPE_CHECKING:
        trt = library.module

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, unused-ignore]
        """Reports the progress of a build, and cancels it; called from TensorRT's own threads."""

        def __init__(self, on_step: OnStep | None, cancelled: threading.Event | None) -> None:
            trt.IProgressMonitor.__init__(self)
            self._on_step, self._cancelled = on_step, cancelled
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str, num_steps: Any) -> None:
            self._steps[phase_name] = int(num_steps)
            self._report(phase_name, 0)

        def phase_finish(self, phase_name: str) -> None:
            self._report(phase_name, self._steps.pop(phase_name, 1))

        def step_complete(self, phase_name: str, step: Any) -> bool:
            self._report(phase_name, int(step) + 1)
            return self._cancelled is None or not self._cancelled.is_set()

        def _report(self, phase: str, done: int) -> None:
            if self._on_step is not None:
                self._on_step(BuildStep(phase, done, self._steps.get(phase, max(done, 1))))

    return Monitor
