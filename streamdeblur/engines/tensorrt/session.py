"""Session: a built engine, ready to run on images that lie on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamdeblur.engines.tensorrt.builder import INPUT, OUTPUT
from streamdeblur.engines.tensorrt.device import Device, OutOfMemoryError
from streamdeblur.engines.tensorrt.log import log_class, out_of_memory
from streamdeblur.errors import EngineError

if TYPE_CHECKING:
    import tensorrt as trt


class UnreadableEngineError(EngineError):
    """TensorRT does not take an engine file: it is damaged, or of another version."""


class Session:
    """An engine with one execution context for each of its optimisation profiles, and the images that they work on.

    Lives on one thread, on which the device's context is current. Images are float16 [N, 3, size, size] in [0, 1].
    """

    def __init__(self, device: Device, stream: Any, plan: bytes, size: int) -> None:
        """Raises UnreadableEngineError."""
        import tensorrt as trt

        self._device, self._stream = device, stream
        self._image_shape = (3, size, size)
        self.image_bytes = 3 * size * size * np.dtype(np.float16).itemsize
        self._log = log_class()()
        self._runtime = trt.Runtime(self._log)
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise UnreadableEngineError(f"TensorRT {trt.__version__} cannot read the engine: {self._log.take()}.")
        self._engine = engine
        profiles = range(self._engine.num_optimization_profiles)
        self._batches = [int(self._engine.get_tensor_profile_shape(INPUT, profile)[2][0]) for profile in profiles]
        self._contexts: dict[int, trt.IExecutionContext] = {}
        self._addresses: dict[tuple[int, str], int] = {}
        self._room = 0
        self.crops: Any = None
        self.restored: Any = None

    @property
    def largest(self) -> int:
        """Images that one execution takes; fewer than the engine was built for once memory was short."""
        return self._batches[-1]

    def make_room(self, count: int) -> None:
        """Have `crops` and `restored` hold at least `count` images each; what was in them may be lost.

        Raises:
            OutOfMemoryError: The device has too little memory.
        """
        if count <= self._room:
            return
        # nothing in the stream may still use what is freed
        self._stream.synchronize()
        self._free_images()
        self.crops = self._device.allocate(count * self.image_bytes)
        self.restored = self._device.allocate(count * self.image_bytes)
        self._room = count

    def enqueue(self, count: int) -> None:
        """Put the restoration of the first `count` images of `crops` into the stream.

        Where memory is short, batches are halved, for good.

        Raises:
            OutOfMemoryError: Not even one image fits.
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
                self._forget(len(self._batches) - 1)
                continue
            done += batch

    def _enqueue(self, first: int, count: int) -> None:
        profile = next(n for n, largest in enumerate(self._batches) if largest >= count)
        context = self._context(profile)
        self._point(profile, context, INPUT, int(self.crops) + first * self.image_bytes)
        self._point(profile, context, OUTPUT, int(self.restored) + first * self.image_bytes)
        self._check(context.set_input_shape(INPUT, (count, *self._image_shape)), "the shape of its input")
        self._check(context.execute_async_v3(self._stream.handle), "to run")

    def _context(self, profile: int) -> trt.IExecutionContext:
        """The profile's context, made when it is first wanted: each holds memory for its own batches only."""
        if profile not in self._contexts:
            import tensorrt as trt

            context = self._engine.create_execution_context(trt.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE)
            self._check(context is not None, "an execution context")
            self._check(context.set_optimization_profile_async(profile, self._stream.handle), "its optimisation profile")
            self._contexts[profile] = context
        return self._contexts[profile]

    def _point(self, profile: int, context: trt.IExecutionContext, name: str, address: int) -> None:
        """Set the address of a tensor, where it is not the same already."""
        if self._addresses.get((profile, name)) != address:
            self._check(context.set_tensor_address(name, address), f"the address of '{name}'")
            self._addresses[profile, name] = address

    def _check(self, granted: bool, what: str) -> None:
        if granted:
            return
        said = self._log.take()
        if out_of_memory(said):
            raise OutOfMemoryError(f"The GPU has too little free memory: {said}.")
        raise EngineError(f"TensorRT refused {what}: {said}.")

    def _forget(self, profile: int) -> None:
        """Do without the largest profile, and free what it holds."""
        self._stream.synchronize()
        self._contexts.pop(profile, None)
        self._addresses = {key: address for key, address in self._addresses.items() if key[0] != profile}
        del self._batches[profile]

    def _free_images(self) -> None:
        for images in (self.crops, self.restored):
            if images is not None:
                images.free()
        self.crops = self.restored = None
        self._room = 0

    def close(self) -> None:
        """Free everything: contexts before their engine, the engine before its runtime, buffers last."""
        self._stream.synchronize()
        self._contexts.clear()
        self._addresses.clear()
        del self._engine
        del self._runtime
        self._free_images()
