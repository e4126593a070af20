"""What TensorRT for RTX does besides: CUDA graphs of its own, and a cache of the kernels that it compiles on this GPU."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamdeblur.caches import read_cached, write_cached
from streamdeblur.engines.tensorrt.library import Library
from streamdeblur.errors import OutputError

if TYPE_CHECKING:
    import tensorrt_rtx as rtx

logger = logging.getLogger(__name__)


class Jit:
    """Configures the execution contexts of one engine. Used on the device's thread, with its context current."""

    def __init__(self, library: Library, engine: Any, path: Path | None) -> None:
        """
        Args:
            library: TensorRT for RTX.
            engine: The engine.
            path: The file of compiled kernels, which is read and written; None keeps none.
        """
        if not TYPE_CHECKING:
            rtx = library.module
        self._path = path
        config: rtx.IRuntimeConfig = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(rtx.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE)
        # one launch in place of some hundred: batches have few sizes, each of which is captured once
        config.cuda_graph_strategy = rtx.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._cache: Any = config.create_runtime_cache()
        known = None if path is None else read_cached(path)
        if known is not None and not self._cache.deserialize(known):
            logger.debug("%s is of another GPU or version: kernels are compiled anew.", path)
        config.set_runtime_cache(self._cache)
        self._engine: Any = engine
        self._config: rtx.IRuntimeConfig | None = config

    def create_context(self) -> Any:
        """Return an execution context; None where the library refuses it."""
        return self._engine.create_execution_context(self._config)

    def save(self) -> None:
        """Keep the kernels that have been compiled for the next start."""
        if self._path is None or self._cache is None:
            return
        try:
            write_cached(self._path, bytes(self._cache.serialize()))
        except OutputError as error:
            # the engine works without; the next start compiles them again
            logger.warning("%s", error)

    def close(self) -> None:
        """Release everything; the contexts are released before."""
        self._cache = self._config = self._engine = None
