"""OpenVINO: the default engine on CPUs. It computes in bf16 where the CPU does, and caches the compiled network on disk."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import threading
import weakref
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.caches import cache_folder, record_digests, remove_damaged
from streamdeblur.cores import GraphThreads
from streamdeblur.engines.graph import GraphSpec, Tensors
from streamdeblur.errors import EngineError, NetworkError
from streamdeblur.faces.neighbours import Neighbours, write_memory
from streamdeblur.onnx_file import check_size
from streamdeblur.opening import close_at_exit, one_at_a_time

FEWEST_REQUESTS = 4
"""Pictures that may be in flight at least; otherwise one is ready to follow each one that is computed."""

WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
"""Values of ONEDNN_MAX_CPU_ISA, by which users restrict oneDNN, that leave no instructions for bf16."""


def import_openvino() -> Any:
    """Import `openvino` without its telemetry, which reports every import to Google Analytics from a forked process."""
    with one_at_a_time():
        if "openvino" not in sys.modules:
            held_back = sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: Python's mark of a module that is not to be imported
            try:
                import openvino  # noqa: F401
            finally:
                if held_back is None:
                    del sys.modules["openvino_telemetry"]
        return sys.modules["openvino"]


@lru_cache(maxsize=1)
def _process() -> int:
    """The process that used OpenVINO first: this one, or one that it was forked from."""
    return os.getpid()


def lost_in_fork() -> bool:
    """Return whether this process was forked from one that has used OpenVINO, whose threads it then waits for without end."""
    return _process.cache_info().currsize > 0 and _process() != os.getpid()


@lru_cache(maxsize=1)
def _only_core() -> Any:
    _process()
    openvino = import_openvino()
    return openvino.Core()


def core() -> Any:
    """Return OpenVINO's `Core`.

    Raises:
        EngineError: This process was forked from one that has used OpenVINO.
    """
    if lost_in_fork():
        raise EngineError("A forked process cannot use OpenVINO after its parent has. Start processes by 'spawn' instead.")
    return _only_core()


def _keep_core() -> None:
    """Keep the parent's `Core` even at the exit of this process: to free it is to wait for the parent's threads."""
    if _only_core.cache_info().currsize:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_only_core()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_core)


def precision() -> str:
    """Return 'bf16' where the CPU computes in it (AMX or AVX512-BF16) and may, else 'f32'."""
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_BF16:
        # OpenVINO lists what the CPU has all the same, and then fails to compile networks
        return "f32"
    return "bf16" if "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def _compile(model: Any, spec: GraphSpec, settings: dict[str, Any]) -> Any:
    """Compile a model; without the cache where another process that writes to it interferes."""
    key = f"{spec.height}x{spec.width} {spec.outputs} {spec.divisor} {settings} {import_openvino().__version__}".encode()
    folder = cache_folder(f"openvino/{hashlib.sha256(spec.model + key).hexdigest()[:32]}")
    if folder is None:
        return core().compile_model(model, "CPU", settings)
    whole = remove_damaged(folder)
    try:
        compiled = core().compile_model(model, "CPU", {**settings, "CACHE_DIR": str(folder)})
    except RuntimeError:
        return core().compile_model(model, "CPU", settings)
    record_digests(folder, whole)
    return compiled


def _check_sizes(model: Any, spec: GraphSpec) -> None:
    """Raise NetworkError where a tensor is absurdly large or empty, or has a size that depends on the content of the picture.

    OpenVINO crashes on results that are empty.
    """
    for operation in model.get_ops():
        for output in operation.outputs():
            shape = output.get_partial_shape()
            if shape.is_dynamic:
                raise NetworkError(f"the network has a tensor of {shape}, whose size depends on the content of the picture.")
            sizes = _sizes(shape.to_shape())
            check_size("the network", sizes)
            if 0 in sizes and output.get_element_type().is_real() and operation.get_type_name() != "Constant":
                raise NetworkError(f"the network has an empty tensor, {sizes}.")
    returned = [_sizes(model.output(name).get_shape()) for name in spec.outputs]
    if spec.shape is not None and returned != [list(spec.shape)] * len(returned):
        raise NetworkError(f"the network returns {returned} for a crop; {list(spec.shape)} is needed.")


def _sizes(shape: Any) -> list[int]:
    """Return the sizes of an OpenVINO shape.

    Iterating it throws a C++ exception at the end, which takes a millisecond where the process has loaded libunwind, as GStreamer
    does; a network has thousands of shapes.
    """
    return [shape[axis] for axis in range(len(shape))]


def thread_settings(threads: GraphThreads) -> dict[str, Any]:
    """Return OpenVINO's settings for the threads of a graph; it takes fewer where the affinity of the process allows fewer."""
    alone = threads.pictures > 1 and threads.each == 1
    hint = "THROUGHPUT" if alone else "LATENCY"
    settings = {"PERFORMANCE_HINT": hint, "NUM_STREAMS": threads.pictures, "INFERENCE_NUM_THREADS": threads.total}
    # OpenVINO itself pins threads on some systems; those of two processes would be kept on the same cores
    return settings if threads.pinned else {**settings, "ENABLE_CPU_PINNING": False}


class OpenVINOGraph:
    """A graph on the CPU. Pictures run one by one: batches gain nothing on a CPU, and the number of faces stays free."""

    def __init__(self, spec: GraphSpec) -> None:
        openvino = import_openvino()
        from openvino.preprocess import PrePostProcessor

        whole = core().read_model(spec.model, b"")
        # Outputs that are not requested are not computed.
        model = openvino.Model([whole.output(name).node for name in spec.outputs], whole.get_parameters())
        shapes = {spec.input_name: [1, 3, spec.height, spec.width]}
        if spec.memory:
            shapes |= {"memory": [1, spec.memory, spec.height // 2, spec.width // 2], "validity": [1, spec.memory]}
        model.reshape(shapes)
        _check_sizes(model, spec)
        steps = PrePostProcessor(model)
        image = steps.input(spec.input_name)
        image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        image.model().set_layout(openvino.Layout("NCHW"))
        image.preprocess().convert_element_type(openvino.Type.f32).scale(spec.divisor)
        self.description = f"CPU, {precision()}"
        compiled = _compile(steps.build(), spec, {"INFERENCE_PRECISION_HINT": precision(), **thread_settings(spec.threads)})
        self.parallel: int = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._image = compiled.input(spec.input_name)
        self._outputs = [compiled.output(name) for name in spec.outputs]
        count = max(FEWEST_REQUESTS, 2 * spec.threads.pictures)
        self._requests = [compiled.create_infer_request() for _ in range(count)]
        self._memories = [_memory_of(request, spec) for request in self._requests] if spec.memory else []
        self._free = list(range(count))
        self._available = threading.Semaphore(count)
        self._starting, self._closed = threading.Lock(), False
        close_at_exit(self)

    def submit(self, image: NDArray[np.uint8], neighbours: Neighbours = ()) -> Future[Tensors]:
        self._available.acquire()
        with self._starting:
            if self._closed:
                self._available.release()
                raise EngineError("The engine is closed.")
            return self._start(image, neighbours)

    def _start(self, image: NDArray[np.uint8], neighbours: Neighbours) -> Future[Tensors]:
        number = self._free.pop()
        inputs: tuple[NDArray[Any], ...] = (image,)
        if self._memories:
            write_memory(neighbours, *self._memories[number])
            inputs += self._memories[number]
        future: Future[Tensors] = Future()
        future.set_running_or_notify_cancel()
        # A request keeps its callback data: its inputs must live until they were read, even if nobody waits for the result. A
        # reference to the graph would make a cycle through the request that Python's garbage collector cannot see, hence weakref.
        self._requests[number].set_callback(_finish, (weakref.ref(self), number, future, inputs))
        self._requests[number].start_async({self._image: image[None]}, share_inputs=True)
        return future

    def take(self, number: int) -> Tensors:
        """Return the outputs of a request that has ended, and free the request."""
        try:
            return [np.array(self._requests[number].get_tensor(output).data, np.float32) for output in self._outputs]
        finally:
            self._free.append(number)
            self._available.release()

    def close(self) -> None:
        with self._starting:
            self._closed = True
        for request in self._requests:
            # the error of a request belongs to whoever waits for its future
            with suppress(RuntimeError):
                request.wait()


def _memory_of(request: Any, spec: GraphSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give a request arrays that it reads its memory from, without a copy; return `write_memory`'s views of them."""
    openvino = import_openvino()
    memory = np.zeros((1, spec.memory, spec.height // 2, spec.width // 2), np.float32)
    validity = np.zeros((1, spec.memory), np.float32)
    request.set_tensor("memory", openvino.Tensor(memory, shared_memory=True))
    request.set_tensor("validity", openvino.Tensor(validity, shared_memory=True))
    return memory[0], validity[0]


def _finish(user_data: tuple[weakref.ref[OpenVINOGraph], int, Future[Tensors], tuple[NDArray[Any], ...]]) -> None:
    reference, number, future, _ = user_data
    graph = reference()
    if graph is None:
        future.set_exception(EngineError("The engine is closed."))
        return
    try:
        tensors = graph.take(number)
    except Exception as error:
        # OpenVINO raises types of its own; whatever it is belongs to the caller that waits for the future.
        future.set_exception(error)
    else:
        future.set_result(tensors)
