"""A fake of tensorrt that enforces the order rules of the real one, and computes with ONNX Runtime on the CPU.

Its objects hold no references to one another, as the C++ objects do not: an object that is released too early is a breach. The
names are those of tensorrt.
"""

from __future__ import annotations

import enum
import json
import threading
import weakref

import numpy as np
import onnx

from support.fakes.machine import machine_for, the_machine

PLAN_MAGIC = b"FAKE-PLAN\n"
CONTEXT_BYTES_PER_IMAGE = 100 << 20
"""What an execution context takes for each image of its batch."""
BUILD_STEPS = 4

Dims = tuple


def __getattr__(name):
    if name == "__version__":
        return the_machine().tensorrt
    raise AttributeError(name)


class NetworkDefinitionCreationFlag(enum.IntEnum):
    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class ExecutionContextAllocationStrategy(enum.IntEnum):
    STATIC = 0
    ON_PROFILE_CHANGE = 1
    USER_MANAGED = 2


class DataType(enum.IntEnum):
    FLOAT = 0
    HALF = 1


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


def log_error(log, message):
    assert log.made, "ILogger.__init__ was not called"
    log.log(ILogger.Severity.ERROR, message)


class NetworkDefinition:
    model = None


class OnnxParser:
    def __init__(self, network, log):
        self._network, self._error = network, None

    @property
    def num_errors(self):
        return int(self._error is not None)

    def get_error(self, number):
        return self._error

    def parse(self, model, path=None):
        try:
            onnx.checker.check_model(bytes(model), full_check=True)
        except Exception as error:
            # the checker raises types of several packages, and a parser reports all of them alike
            self._error = error
            return False
        self._network.model = bytes(model)
        return True


class OptimizationProfile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, name, least, best, most):
        self.shapes[name] = [tuple(least), tuple(best), tuple(most)]


class TimingCache:
    def __init__(self, machine, content):
        self._machine, self.content = machine, content

    def serialize(self):
        return b"timing of " + self._machine.gpu.encode()


class BuilderConfig:
    builder_optimization_level = 3
    progress_monitor = None

    def __init__(self, machine):
        self._machine = machine
        self.profiles = []
        self.timing = None

    def add_optimization_profile(self, profile):
        self.profiles.append(profile.shapes)
        return len(self.profiles) - 1

    def create_timing_cache(self, content):
        return TimingCache(self._machine, bytes(content))

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache.content and cache.content != cache.serialize():
            return False
        self.timing = cache
        return True


class Builder:
    def __init__(self, log):
        self._machine, self._log = machine_for("Builder"), log

    def create_network(self, flags=0):
        if not flags & (1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED):
            self._machine.breach("a network that is not strongly typed")
        return NetworkDefinition()

    def create_builder_config(self):
        return BuilderConfig(self._machine)

    def create_optimization_profile(self):
        return OptimizationProfile()

    def build_serialized_network(self, network, config):
        machine = self._machine
        machine.need_context("build_serialized_network")
        machine.builds += 1
        if machine.hold_builds is not None:
            machine.hold_builds.wait(60)
        if not self._report_steps(config.progress_monitor):
            log_error(self._log, "the build was cancelled by the progress monitor")
            return None
        if any(set(shapes) != _inputs_of(network.model) for shapes in config.profiles):
            log_error(self._log, "an input has no shape in a profile")
            return None
        largest = max(shapes["blurry"][2][0] for shapes in config.profiles)
        if machine.used + largest * CONTEXT_BYTES_PER_IMAGE > machine.memory:
            log_error(self._log, "Error Code 2: OutOfMemory (Requested size was too large)")
            return None
        return write_plan(machine, config.profiles, network.model)

    def _report_steps(self, monitor):
        """Whether the monitor lets the build continue."""
        monitor.phase_start("Building", None, BUILD_STEPS)
        going = all(monitor.step_complete("Building", step) for step in range(BUILD_STEPS))
        monitor.phase_finish("Building")
        return going


def _inputs_of(model):
    return {value.name for value in onnx.load_model_from_string(model).graph.input}


def write_plan(machine, profiles, model):
    """An engine file: what it is valid for, and the network."""
    head = {"tensorrt": machine.tensorrt, "gpu": machine.gpu, "profiles": profiles}
    return PLAN_MAGIC + json.dumps(head).encode() + b"\n" + model


def read_plan(machine, plan):
    """(profiles, network) of an engine file; None where it is none, or one for another machine."""
    if not plan.startswith(PLAN_MAGIC):
        return None
    head, _, model = plan.removeprefix(PLAN_MAGIC).partition(b"\n")
    fields = json.loads(head)
    if (fields["tensorrt"], fields["gpu"]) != (machine.tensorrt, machine.gpu):
        return None
    return fields["profiles"], model


class Runtime:
    @property
    def engine_class(self):
        return Engine

    def __init__(self, log):
        self._machine, self._log = machine_for("Runtime"), log
        self._engines = weakref.WeakSet()

    def deserialize_cuda_engine(self, plan):
        self._machine.need_context("deserialize_cuda_engine")
        content = read_plan(self._machine, bytes(plan))
        if content is None:
            log_error(self._log, "Error Code 1: Serialization (the engine plan file is not compatible with this version)")
            return None
        engine = self.engine_class(self._machine, self._log, *content)
        self._engines.add(engine)
        return engine

    def __del__(self):
        if len(self._engines):
            self._machine.breaches.append("a runtime was released before its engines")
        self._machine.released("runtime")


class Engine:
    def __init__(self, machine, log, profiles, model):
        self.machine, self.log, self.profiles = machine, log, profiles
        self.contexts = weakref.WeakSet()
        self.session = open_session(model)
        self.num_optimization_profiles = len(profiles)
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.tensors = {value.name: value for value in (*self.session.get_inputs(), *self.session.get_outputs())}
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, number):
        return list(self.tensors)[number]

    def get_tensor_dtype(self, name):
        return DataType.HALF if self.tensors[name].type == "tensor(float16)" else DataType.FLOAT

    def get_tensor_profile_shape(self, name, profile):
        return self.profiles[profile][name]

    def create_execution_context(self, strategy=ExecutionContextAllocationStrategy.STATIC):
        self.machine.need_context("create_execution_context")
        return ExecutionContext(self)

    def __del__(self):
        if len(self.contexts):
            self.machine.breaches.append("an engine was released before its contexts")
        self.machine.released("engine")


class ExecutionContext:
    """A context of an engine, for the thread that made it and as long as the engine is there."""

    def __init__(self, engine):
        self._machine, self._engine = engine.machine, weakref.ref(engine)
        self._profiles = engine.profiles
        self._profile = None
        self._held = 0
        self._addresses = {}
        self._shapes = {}
        self._thread = threading.get_ident()
        self.changes = 0
        """How often it was changed, which a graph of it must not see."""
        engine.contexts.add(self)

    def _check(self, call):
        self._machine.need_context(call)
        if threading.get_ident() != self._thread:
            self._machine.breach(f"{call} on another thread than the one that made the context")
        if self._engine() is None:
            self._machine.breach(f"{call} after the engine was released")

    def _log_error(self, message):
        log_error(self._engine().log, message)

    def set_optimization_profile_async(self, profile, stream):
        self._check("set_optimization_profile_async")
        wanted = self._profiles[profile]["blurry"][2][0] * CONTEXT_BYTES_PER_IMAGE
        if not self._machine.reserve(wanted):
            self._log_error("Error Code 2: OutOfMemory (no further memory for the context)")
            return False
        self._held += wanted
        self._profile = profile
        return True

    def set_input_shape(self, name, shape):
        self._check("set_input_shape")
        if self._profile is None or name not in self._profiles[self._profile]:
            return False
        least, _, most = self._profiles[self._profile][name]
        if not all(a <= b <= c for a, b, c in zip(least, shape, most, strict=True)):
            self._log_error(f"the shape {shape} is outside of its profile")
            return False
        self.changes += 1
        self._shapes[name] = tuple(shape)
        return True

    def get_tensor_shape(self, name):
        self._check("get_tensor_shape")
        tensors = self._engine().tensors
        known = dict(zip(tensors["blurry"].shape, self._shapes["blurry"], strict=True))
        sizes = [known.get(size, size) for size in tensors[name].shape]
        return tuple(size if isinstance(size, int) else -1 for size in sizes)

    def set_tensor_address(self, name, address):
        self._check("set_tensor_address")
        self._machine.events.append(f"address of {name}")
        self._machine.need_alignment(address)
        self.changes += 1
        self._addresses[name] = address
        return name in self._engine().tensors

    def execute_async_v3(self, stream_handle):
        self._check("execute_async_v3")
        engine = self._engine()
        if getattr(self._machine, "not_captured", False) and self._machine.capturing is not None:
            self._log_error("a stream that is captured cannot be waited for")
            return False
        if set(self._addresses) != set(engine.tensors) or set(self._shapes) != set(engine.inputs):
            self._log_error("a shape or an address is not set")
            return False
        self._machine.events.append(f"execute {self._shapes['blurry'][0]}")
        if getattr(self._machine, "capturing", None) is not None:
            self._machine.capturing[2].append((weakref.ref(self), self.changes))
        self._machine.streams[stream_handle].work.append(self._work())
        return True

    def _work(self):
        """What the execution does, with the shapes and addresses of now."""
        machine, addresses, shapes, session = self._machine, dict(self._addresses), dict(self._shapes), self._engine().session

        def memory(name, shape):
            return machine.device_memory(addresses[name], int(np.prod(shape)) * 2).view(np.float16).reshape(shape)

        def run():
            restored = session.run(["restored"], {name: memory(name, shape) for name, shape in shapes.items()})[0]
            memory("restored", shapes["blurry"])[:] = restored

        return run

    def __del__(self):
        if self._held:
            self._machine.released("context")
            self._machine.used -= self._held


def open_session(model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
