"""A stand-in for tensorrt that keeps the order rules of the real one, and computes with ONNX Runtime on the CPU.

Its objects hold no references to one another, as the C++ objects do not: what is released too early is found out.
"""

from __future__ import annotations

import enum
import json
import threading
import weakref
from types import ModuleType

import numpy as np

MAGIC = b"STANDIN-PLAN\n"
CONTEXT_BYTES_PER_IMAGE = 100 << 20
"""What an execution context takes for each image of its batch."""


def make_tensorrt(machine):
    """The module tensorrt of a machine."""
    trt = ModuleType("tensorrt")
    trt.__version__ = machine.tensorrt
    trt.Dims = tuple

    class ILogger:
        class Severity(enum.IntEnum):
            INTERNAL_ERROR = 0
            ERROR = 1
            WARNING = 2
            INFO = 3
            VERBOSE = 4

        def __init__(self):
            self.made = True

    class IProgressMonitor:
        def __init__(self):
            self.made = True

    class NetworkDefinitionCreationFlag(enum.IntEnum):
        EXPLICIT_BATCH = 0
        STRONGLY_TYPED = 1

    class ExecutionContextAllocationStrategy(enum.IntEnum):
        STATIC = 0
        ON_PROFILE_CHANGE = 1
        USER_MANAGED = 2

    def complain(log, words):
        assert log.made, "ILogger.__init__ was not called"
        log.log(ILogger.Severity.ERROR, words)

    class Network:
        model = None

    class Profile:
        def set_shape(self, name, least, best, most):
            assert name == "blurry"
            self.shapes = [tuple(least), tuple(best), tuple(most)]

    class TimingCache:
        def __init__(self, content):
            self.content = content

        def serialize(self):
            return b"timing of " + machine.gpu.encode()

    class Config:
        builder_optimization_level = 3
        progress_monitor = None

        def __init__(self):
            self.profiles = []
            self.timing = None

        def add_optimization_profile(self, profile):
            self.profiles.append(profile.shapes)
            return len(self.profiles) - 1

        def create_timing_cache(self, content):
            return TimingCache(bytes(content))

        def set_timing_cache(self, cache, ignore_mismatch):
            if cache.content and cache.content != cache.serialize():
                return False
            self.timing = cache
            return True

    class Builder:
        def __init__(self, log):
            machine.need_context("Builder")
            self.log = log

        def create_network(self, flags=0):
            if not flags & (1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED):
                machine.breach("a network that is not strongly typed")
            return Network()

        def create_builder_config(self):
            return Config()

        def create_optimization_profile(self):
            return Profile()

        def build_serialized_network(self, network, config):
            machine.need_context("build_serialized_network")
            machine.builds += 1
            if machine.hold_builds is not None:
                machine.hold_builds.wait(60)
            monitor = config.progress_monitor
            monitor.phase_start("Building", None, 4)
            going = all(monitor.step_complete("Building", step) for step in range(4))
            monitor.phase_finish("Building")
            if not going:
                complain(self.log, "the build was cancelled by the progress monitor")
                return None
            largest = max(shapes[2][0] for shapes in config.profiles)
            if machine.used + largest * CONTEXT_BYTES_PER_IMAGE > machine.memory:
                complain(self.log, "Error Code 2: OutOfMemory (Requested size was too large)")
                return None
            told = {"tensorrt": machine.tensorrt, "gpu": machine.gpu, "profiles": config.profiles}
            return MAGIC + json.dumps(told).encode() + b"\n" + network.model

    class OnnxParser:
        def __init__(self, network, log):
            self.network, self.num_errors = network, 0

        def parse(self, model, path=None):
            import onnx

            try:
                onnx.checker.check_model(bytes(model), full_check=True)
            except Exception as error:
                self.num_errors, self.error = 1, error
                return False
            self.network.model = bytes(model)
            return True

        def get_error(self, number):
            return self.error

    class ExecutionContext:
        def __init__(self, engine):
            self._engine = weakref.ref(engine)
            self._profiles = engine.profiles
            self._profile = None
            self._held = 0
            self._addresses = {}
            self._shape = None
            self._thread = threading.get_ident()
            engine.contexts.add(self)

        def _check(self, what):
            machine.need_context(what)
            if threading.get_ident() != self._thread:
                machine.breach(f"{what} on another thread than the one that made the context")
            if self._engine() is None:
                machine.breach(f"{what} after the engine was released")

        def set_optimization_profile_async(self, profile, stream):
            self._check("set_optimization_profile_async")
            wanted = self._profiles[profile][2][0] * CONTEXT_BYTES_PER_IMAGE
            if not machine.reserve(wanted):
                complain(self._engine().log, "Error Code 2: OutOfMemory (no further memory for the context)")
                return False
            self._held += wanted
            self._profile = profile
            return True

        def set_input_shape(self, name, shape):
            self._check("set_input_shape")
            if name != "blurry" or self._profile is None:
                return False
            least, _, most = self._profiles[self._profile]
            if not all(a <= b <= c for a, b, c in zip(least, shape, most, strict=True)):
                complain(self._engine().log, f"the shape {shape} is outside of its profile")
                return False
            self._shape = tuple(shape)
            return True

        def set_tensor_address(self, name, address):
            self._check("set_tensor_address")
            machine.events.append(f"address of {name}")
            self._addresses[name] = address
            return name in ("blurry", "restored")

        def execute_async_v3(self, stream_handle):
            self._check("execute_async_v3")
            if set(self._addresses) != {"blurry", "restored"} or self._shape is None:
                complain(self._engine().log, "a shape or an address is not set")
                return False
            addresses, shape, session = dict(self._addresses), self._shape, self._engine().session
            machine.events.append(f"execute {shape[0]}")
            size = int(np.prod(shape)) * 2

            def run():
                images = machine.device(addresses["blurry"], size).view(np.float16).reshape(shape)
                restored = session.run(["restored"], {"blurry": images})[0]
                machine.device(addresses["restored"], size).view(np.float16)[:] = restored.reshape(-1)

            machine.streams[stream_handle].work.append(run)
            return True

        def __del__(self):
            if self._held:
                released(self, "context")
                machine.used -= self._held

    class Engine:
        def __init__(self, log, told, model):
            self.log, self.profiles = log, told["profiles"]
            self.contexts = weakref.WeakSet()
            self.session = open_session(model)
            self.num_optimization_profiles = len(self.profiles)

        def get_tensor_profile_shape(self, name, profile):
            assert name == "blurry"
            return self.profiles[profile]

        def create_execution_context(self, strategy=ExecutionContextAllocationStrategy.STATIC):
            machine.need_context("create_execution_context")
            return ExecutionContext(self)

        def __del__(self):
            if len(self.contexts):
                machine.breaches.append("an engine was released before its contexts")
            released(self, "engine")

    class Runtime:
        def __init__(self, log):
            machine.need_context("Runtime")
            self.log = log
            self.engines = weakref.WeakSet()

        def deserialize_cuda_engine(self, plan):
            machine.need_context("deserialize_cuda_engine")
            head, _, rest = bytes(plan).removeprefix(MAGIC).partition(b"\n")
            try:
                told = json.loads(head)
            except ValueError:
                told = {}
            if not bytes(plan).startswith(MAGIC) or (told.get("tensorrt"), told.get("gpu")) != (machine.tensorrt, machine.gpu):
                complain(self.log, "Error Code 1: Serialization (the engine plan file is not compatible with this version)")
                return None
            engine = Engine(self.log, told, rest)
            self.engines.add(engine)
            return engine

        def __del__(self):
            if len(self.engines):
                machine.breaches.append("a runtime was released before its engines")
            released(self, "runtime")

    def released(thing, name):
        if not getattr(machine.current, "stack", []):
            machine.breaches.append(f"{name} released without a current context")
        machine.events.append(f"release {name}")

    things = (ILogger, IProgressMonitor, NetworkDefinitionCreationFlag, ExecutionContextAllocationStrategy, Builder, OnnxParser)
    for thing in (*things, Runtime):
        setattr(trt, thing.__name__, thing)
    return trt


def open_session(model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
