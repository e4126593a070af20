"""A fake of tensorrt_rtx: that of tensorrt, with its own version, CUDA graphs and a cache of compiled kernels."""

from __future__ import annotations

import enum

from support.fakes.machine import machine_for
from support.fakes.tensorrt import *  # noqa: F403
from support.fakes.tensorrt import Engine, ExecutionContextAllocationStrategy
from support.fakes.tensorrt import Runtime as _Runtime

__version__ = "1.7.1.116"
COMPILED = b"kernels of "


class CudaGraphStrategy(enum.IntEnum):
    DISABLED = 0
    WHOLE_GRAPH_CAPTURE = 1


class RuntimeCache:
    def __init__(self, machine):
        self._machine, self.content = machine, b""

    def deserialize(self, blob):
        if bytes(blob) != COMPILED + self._machine.gpu.encode():
            return False
        self.content = bytes(blob)
        self._machine.events.append("compiled kernels read")
        return True

    def serialize(self):
        self._machine.need_context("IRuntimeCache.serialize")
        return COMPILED + self._machine.gpu.encode()


class RuntimeConfig:
    cuda_graph_strategy = CudaGraphStrategy.DISABLED

    def __init__(self, machine):
        self._machine = machine
        self._strategy, self._cache = ExecutionContextAllocationStrategy.STATIC, None

    def set_execution_context_allocation_strategy(self, strategy=ExecutionContextAllocationStrategy.STATIC):
        self._strategy = strategy

    def create_runtime_cache(self):
        return RuntimeCache(self._machine)

    def set_runtime_cache(self, cache=None):
        self._cache = cache
        return True


class _JitEngine(Engine):
    def create_runtime_config(self):
        return RuntimeConfig(self.machine)

    def create_execution_context(self, runtime_config=None):
        if not isinstance(runtime_config, RuntimeConfig):
            self.machine.breach("an execution context without a runtime configuration")
        if runtime_config.cuda_graph_strategy is CudaGraphStrategy.WHOLE_GRAPH_CAPTURE:
            self.machine.events.append("context with CUDA graphs")
        return super().create_execution_context()


class Runtime(_Runtime):
    engine_class = _JitEngine

    def __init__(self, log):
        machine_for("Runtime")
        super().__init__(log)
