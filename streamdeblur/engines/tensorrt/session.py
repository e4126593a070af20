"""A built engine that runs on images in device memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamdeblur.engines.tensorrt.builder import INPUT, MEMORY, OUTPUT, VALIDITY
from streamdeblur.engines.tensorrt.device import Device, DeviceMemory, OutOfMemoryError, Stream, address_of
from streamdeblur.engines.tensorrt.graphs import Graphs
from streamdeblur.engines.tensorrt.jit import Jit
from streamdeblur.engines.tensorrt.library import TENSORRT, Library
from streamdeblur.engines.tensorrt.log import log_class, out_of_memory
from streamdeblur.engines.tensorrt.memory import FLOAT_BYTES
from streamdeblur.engines.tensorrt.reader import ENTRY_BYTES
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import HALF_SIZE

if TYPE_CHECKING:
    import tensorrt as trt


class UnreadableEngineError(EngineError):
    """TensorRT cannot read an engine file, because it is damaged or of another version."""


class Session:
    """An engine with one execution context for each of its optimisation profiles, and the images that they work on.

    It is used on one thread, on which the device's context is current. Images are float16 [N, 3, size, size] in [0, 1]. A network
    with a memory of M crops has as well `memory`, float16 [N, M, 128, 128], and `validity`, float16 [N, M], of all N images.
    """

    def __init__(
        self,
        device: Device,
        stream: Stream,
        plan: bytes,
        size: int,
        entries: int = 0,
        library: Library = TENSORRT,
        kernels: Path | None = None,
    ) -> None:
        """
        Args:
            device: Where the images are.
            stream: Where executions are put.
            plan: The serialised engine.
            size: Side of the images in pixels.
            entries: Neighbouring crops that the network takes.
            library: What has built the engine.
            kernels: The file of the kernels that it compiles, see `jit`.

        Raises:
            UnreadableEngineError: TensorRT cannot read the engine.
        """
        if not TYPE_CHECKING:
            trt = library.module
        self._library = library
        self._device, self._stream = device, stream
        self._image_shape = (3, size, size)
        self._entries = entries
        self.image_bytes = 3 * size * size * np.dtype(np.float16).itemsize
        self._log = log_class(library)()
        self._runtime = trt.Runtime(self._log)
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise UnreadableEngineError(f"{library.title} {trt.__version__} cannot read the engine: {self._log.take()}.")
        self._engine = engine
        self._check_interface()
        self._jit = Jit(library, engine, kernels) if library.jit else None
        profiles = range(self._engine.num_optimization_profiles)
        shapes = [self._engine.get_tensor_profile_shape(INPUT, profile) for profile in profiles]
        self._batches = [int(shape[2][0]) for shape in shapes]
        self._of_one_size = [int(shape[0][0]) == int(shape[2][0]) for shape in shapes]
        # TensorRT for RTX captures graphs itself
        self._graphs = None if library.jit else Graphs(stream)
        self._contexts: dict[int, trt.IExecutionContext] = {}
        self._addresses: dict[tuple[int, str], int] = {}
        self._capacity = 0
        self.crops: DeviceMemory | None = None
        self.restored: DeviceMemory | None = None
        self.memory: DeviceMemory | None = None
        self.validity: DeviceMemory | None = None
        # each execution reads its validity from here: within `validity` its address would not be aligned as TensorRT needs it
        self._batch_validity: DeviceMemory | None = None

    def _check_interface(self) -> None:
        """Refuse an engine whose tensors are others than those that memory is reserved for."""
        if not TYPE_CHECKING:
            trt = self._library.module
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        kinds = [self._engine.get_tensor_dtype(name) for name in names]
        needed = [INPUT, *([MEMORY, VALIDITY] if self._entries else []), OUTPUT]
        if sorted(names) != sorted(needed) or kinds != [trt.DataType.HALF] * len(needed):
            raise UnreadableEngineError(f"The engine has the tensors {', '.join(names)}; {', '.join(needed)} are needed.")

    @property
    def largest(self) -> int:
        """Images that one execution takes, fewer than the engine was built for after memory was short."""
        return self._batches[-1]

    def reserve(self, count: int) -> None:
        """Make `crops`, `restored` and the memory hold at least `count` images each; their content may be lost.

        Raises:
            OutOfMemoryError: The device has too little memory.
        """
        if count <= self._capacity:
            return
        # nothing in the stream may still use what is freed
        self._stream.synchronize()
        if self._graphs is not None:
            self._graphs.clear()
        self._free_images()
        self.crops = self._device.allocate(count * self.image_bytes)
        self.restored = self._device.allocate(count * self.image_bytes)
        if self._entries:
            self.memory = self._device.allocate(count * self._entries * ENTRY_BYTES)
            self.validity, self._batch_validity = (
                self._device.allocate(images * self._entries * FLOAT_BYTES) for images in (count, self.largest)
            )
        self._capacity = count

    def enqueue(self, count: int) -> None:
        """Put the restoration of the first `count` images of `crops` into the stream.

        Where memory is short, this and all later batches are halved.

        Raises:
            OutOfMemoryError: There is too little memory for a single image.
            EngineError: The device failed.
        """
        done = 0
        while done < count:
            batch = min(count - done, self.largest)
            try:
                self._enqueue(done, batch)
            except OutOfMemoryError:
                if len(self._batches) == 1:
                    raise
                self._drop_largest()
                continue
            done += batch

    def _enqueue(self, first: int, count: int) -> None:
        profile = next(n for n, largest in enumerate(self._batches) if largest >= count)
        graphs = self._graphs if self._of_one_size[profile] and not first else None
        if graphs is not None and graphs.launch(profile):
            return
        context = self._context(profile)
        self._set_address(profile, context, INPUT, address_of(self.crops) + first * self.image_bytes)
        self._set_address(profile, context, OUTPUT, address_of(self.restored) + first * self.image_bytes)
        shape = (count, *self._image_shape)
        self._check(context.set_input_shape(INPUT, shape), "the shape of its input")
        if self._entries:
            self._set_memory(profile, context, first, count)
        dimensions = context.get_tensor_shape(OUTPUT)
        returned = tuple(int(dimensions[number]) for number in range(len(dimensions)))
        if returned != shape:
            # The memory of `restored` has room for images alone. The error must not keep the context, which is freed first.
            del context
            raise EngineError(f"The network returns {list(returned)} for {list(shape)}; the same shape is needed.")
        if graphs is None:
            self._execute(context, first, count)
        else:
            graphs.run(profile, lambda: self._execute(context, first, count))

    def _execute(self, context: trt.IExecutionContext, first: int, count: int) -> None:
        """Put an execution into the stream, and before it the copy of its validity."""
        if self._entries:
            row = self._entries * FLOAT_BYTES
            source = address_of(self.validity) + first * row
            self._device.cuda.memcpy_dtod_async(address_of(self._batch_validity), source, count * row, self._stream)
        self._check(context.execute_async_v3(self._stream.handle), "to run")

    def _set_memory(self, profile: int, context: trt.IExecutionContext, first: int, count: int) -> None:
        """Give an execution the memory of `count` images from `first` on."""
        memory = address_of(self.memory) + first * self._entries * ENTRY_BYTES
        self._set_address(profile, context, MEMORY, memory)
        self._set_address(profile, context, VALIDITY, address_of(self._batch_validity))
        self._check(context.set_input_shape(MEMORY, (count, self._entries, HALF_SIZE, HALF_SIZE)), "the shape of its memory")
        self._check(context.set_input_shape(VALIDITY, (count, self._entries)), "the shape of its validity")

    def _context(self, profile: int) -> trt.IExecutionContext:
        """The profile's context, made when it is first needed, because each takes memory for its batches."""
        if profile not in self._contexts:
            if not TYPE_CHECKING:
                trt = self._library.module
            if self._jit is not None:
                context = self._jit.create_context()
            else:
                context = self._engine.create_execution_context(trt.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE)
            self._check(context is not None, "an execution context")
            self._check(context.set_optimization_profile_async(profile, self._stream.handle), "its optimisation profile")
            self._contexts[profile] = context
        return self._contexts[profile]

    def _set_address(self, profile: int, context: trt.IExecutionContext, name: str, address: int) -> None:
        """Set the address of a tensor where it has changed."""
        if self._addresses.get((profile, name)) != address:
            if self._graphs is not None and (profile, name) in self._addresses:
                # a graph of this context is void from here on
                self._stream.synchronize()
                self._graphs.drop(profile)
            self._check(context.set_tensor_address(name, address), f"the address of '{name}'")
            self._addresses[profile, name] = address

    def _check(self, granted: bool, what: str) -> None:
        if granted:
            return
        errors = self._log.take()
        if out_of_memory(errors):
            raise OutOfMemoryError(f"The GPU has too little free memory: {errors}.")
        raise EngineError(f"TensorRT refused {what}: {errors}.")

    def _drop_largest(self) -> None:
        """Free the context of the largest profile, which is used no more."""
        profile = len(self._batches) - 1
        self._stream.synchronize()
        if self._graphs is not None:
            self._graphs.drop(profile)
        self._contexts.pop(profile, None)
        self._addresses = {key: address for key, address in self._addresses.items() if key[0] != profile}
        del self._batches[profile]

    def _free_images(self) -> None:
        for images in (self.crops, self.restored, self.memory, self.validity, self._batch_validity):
            if images is not None:
                images.free()
        self.crops = self.restored = self.memory = self.validity = self._batch_validity = None
        self._capacity = 0

    def close(self) -> None:
        """Free everything: contexts before their engine, the engine before its runtime, buffers last."""
        self._stream.synchronize()
        if self._graphs is not None:
            self._graphs.clear()
        if self._jit is not None:
            self._jit.save()
        self._contexts.clear()
        self._addresses.clear()
        if self._jit is not None:
            self._jit.close()
        del self._engine
        del self._runtime
        self._free_images()
