"""The engine that restores crops, or the faces of whole frames, on an NVIDIA GPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.engine import Crops, FrameFaces, PasteOutcome, checked_crops
from streamdeblur.engines.tensorrt.device import Buffer, Device, Event, Stream, address_of
from streamdeblur.engines.tensorrt.frames import FrameJob
from streamdeblur.engines.tensorrt.kernels import PixelKernels
from streamdeblur.engines.tensorrt.library import TENSORRT, Library
from streamdeblur.engines.tensorrt.memory import ENTRY_BYTES, MemorySlots, StagedMemory
from streamdeblur.engines.tensorrt.session import Session
from streamdeblur.engines.tensorrt.staging import StagingPool
from streamdeblur.engines.tensorrt.thread import DeviceThread, Launch
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import Neighbours
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.kernels.tensors import quantise
from streamdeblur.opening import close_at_exit
from streamdeblur.video.planes import Planes

RESIDUAL_BYTES = 3 * CROP_SIZE * CROP_SIZE * 4


@dataclass(eq=False)
class _OnDevice:
    """What the device's thread alone uses."""

    stream: Stream
    session: Session
    kernels: PixelKernels
    block: Buffer
    """Device copy of the staging block of the job that runs; jobs run one after the other."""
    residuals: Buffer
    slots: Buffer
    """Crops that stay on the device, for the memory of later ones."""
    numbers: Buffer
    """The slot of each neighbour of the batch that runs."""


class TensorRTEngine:
    """Runs the deblurring network with TensorRT, and crops and pastes faces on the device, too.

    All crops have 256 px, whatever other sizes the network has: a GPU has the time.
    """

    crop_sizes = (CROP_SIZE,)
    parallel = 1

    def __init__(
        self,
        device: Device,
        plan: bytes,
        reason: str,
        memory: int = 0,
        library: Library = TENSORRT,
        kernels: Path | None = None,
    ) -> None:
        """Load the engine and run its largest batch once, so that an error for lack of memory occurs here.

        Args:
            device: The GPU.
            plan: The serialised engine.
            reason: Where the engine comes from, for `reason`.
            memory: Neighbouring crops that the network takes.
            library: What has built the engine, and runs it.
            kernels: The file of the kernels that it compiles, see `jit`.

        Raises:
            UnreadableEngineError: TensorRT cannot read the engine.
            OutOfMemoryError: The device has too little memory for a single crop.
        """
        self.reason = f"{reason} ({device.gpu.name}, f16)"
        self.name: str = library.name
        self._library, self._kernels_file = library, kernels
        self._device, self._entries = device, memory
        self._slots = MemorySlots(memory)
        self._thread = DeviceThread(device)
        self._staging = StagingPool(device, self._thread)
        self._parts: _OnDevice | None = None
        close_at_exit(self)
        try:
            self._thread.call(lambda: self._open(plan))
        except BaseException:
            # the caller gets no object to close, so memory and thread are released here, after Ctrl-C, too
            self.close()
            raise

    def __repr__(self) -> str:
        return f"TensorRTEngine({self.reason!r})"

    def warm_up(self) -> None:
        """Do nothing: the largest batch has run already."""

    def _open(self, plan: bytes) -> None:
        stream = self._device.cuda.Stream()
        session = Session(self._device, stream, plan, CROP_SIZE, self._entries, self._library, self._kernels_file)
        buffers = [Buffer(self._device, stream) for _ in range(4)]
        self._parts = _OnDevice(stream, session, PixelKernels(self._device, stream), *buffers)
        session.reserve(session.largest)
        session.enqueue(session.largest)
        stream.synchronize()

    def infer(self, crops: Crops, neighbours: Sequence[Neighbours] = ()) -> Crops:
        crops = checked_crops(crops)
        size = len(crops) * 3 * CROP_SIZE * CROP_SIZE * 2
        memory = self._slots.place(len(crops), neighbours, size)
        block = self._staging.take(memory.end)
        memory.write(block)
        images = block[:size].view(np.float16).reshape(-1, 3, CROP_SIZE, CROP_SIZE)
        np.divide(crops.transpose(0, 3, 1, 2), np.float32(255), out=images, casting="unsafe")
        future = self._launch(lambda: self._run_crops(block, memory), block)
        pending = _PendingJob(future, lambda: self._staging.give_back(block))
        pending.wait()
        restored, finite = crops.copy(), np.ones(len(crops), np.bool_)
        quantise(images.astype(np.float32), restored, finite)
        restored[~finite] = crops[~finite]
        pending.release()
        return restored

    def _run_crops(self, block: NDArray[np.uint8], memory: StagedMemory) -> Event:
        parts, cuda = self._open_parts(), self._device.cuda
        if memory.faces:
            parts.session.reserve(memory.faces)
            cuda.memcpy_htod_async(parts.session.crops, block[: memory.at], parts.stream)
            self._copy_memory(block, memory)
            parts.session.enqueue(memory.faces)
            cuda.memcpy_dtoh_async(block[: memory.at], parts.session.restored, parts.stream)
        return self._event()

    def _copy_memory(self, block: NDArray[np.uint8], memory: StagedMemory) -> None:
        """Put the copies of what is new in the memory to the device into the stream, and gather the inputs of the network."""
        if not memory.entries or not memory.faces:
            return
        parts, cuda = self._open_parts(), self._device.cuda
        parts.slots.reserve(memory.slots * ENTRY_BYTES)
        parts.numbers.reserve(memory.numbers.nbytes)
        slots, numbers = parts.slots.address, parts.numbers.address
        for place, (slot, _) in enumerate(memory.new):
            cuda.memcpy_htod_async(slots + slot * ENTRY_BYTES, memory.new_in(block, place), parts.stream)
        cuda.memcpy_htod_async(numbers, memory.numbers_in(block), parts.stream)
        inputs = address_of(parts.session.memory), address_of(parts.session.validity)
        parts.kernels.gather_memory(memory.blocks, slots, numbers, *inputs)

    def submit(self, faces: FrameFaces) -> DeviceFaces:
        """Start on the faces of a frame, whose planes are read now; the crops are read again on the device."""
        job = FrameJob(faces.planes, faces.windows, faces.strengths)
        memory = self._slots.place(job.count, faces.neighbours, job.size)
        block = self._staging.take(memory.end)
        job.fill(block)
        memory.write(block)
        future = self._launch(lambda: self._run_faces(job, memory, block), block)
        return DeviceFaces(job, block, future, lambda: self._staging.give_back(block))

    def _run_faces(self, job: FrameJob, memory: StagedMemory, block: NDArray[np.uint8]) -> Event:
        parts, cuda = self._open_parts(), self._device.cuda
        session = parts.session
        session.reserve(job.count)
        parts.block.reserve(job.size)
        parts.residuals.reserve(job.count * RESIDUAL_BYTES)
        device, residuals = parts.block.address, parts.residuals.address
        frame, faces, finite = device + job.frame_at, device + job.faces_at, device + job.finite_at
        crops, restored = address_of(session.crops), address_of(session.restored)
        paste_blocks = job.paste_blocks(job.address(block, device))
        cuda.memcpy_htod_async(device, block[: job.size], parts.stream)
        self._copy_memory(block, memory)
        parts.kernels.crop_faces(job.bits, job.crop_blocks, frame, faces, crops)
        session.enqueue(job.count)
        parts.kernels.residual_faces(job.crop_blocks, frame, faces, crops, restored, residuals, finite)
        parts.kernels.paste_faces(job.bits, paste_blocks, frame, faces, residuals, finite)
        cuda.memcpy_dtoh_async(block[job.finite_at : job.size], finite, parts.stream)
        return self._event()

    def _launch(self, launch: Launch, block: NDArray[np.uint8]) -> Future[None]:
        def guarded() -> Event:
            try:
                return launch()
            except BaseException:
                # the crops that this batch should have brought may not be there
                self._slots.forget()
                raise

        try:
            return self._thread.launch(guarded)
        except EngineError:
            self._staging.give_back(block)
            raise

    def _event(self) -> Event:
        flags = self._device.cuda.event_flags
        # a blocking wait leaves the cores to the codec
        event = self._device.cuda.Event(flags.BLOCKING_SYNC | flags.DISABLE_TIMING)
        event.record(self._open_parts().stream)
        recorded: Event = event
        return recorded

    def _open_parts(self) -> _OnDevice:
        if self._parts is None:
            raise EngineError("The engine is closed.")
        return self._parts

    def close(self) -> None:
        self._thread.close(self._release)

    def _release(self) -> None:
        """Release contexts, engine, kernels and buffers, then page-locked memory, when no copy can be running."""
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.session.close()
            parts.kernels.close()
            for buffer in (parts.block, parts.residuals, parts.slots, parts.numbers):
                buffer.free()
        self._staging.close()


class _PendingJob:
    """A job on the device: waits for it, and gives its staging block back once nothing uses it."""

    def __init__(self, future: Future[None], release: Callable[[], None]) -> None:
        self._future, self.release = future, release

    def wait(self, deadline: float | None = None) -> bool:
        """Return whether the device is done by `deadline`; the block stays taken until it is, and then until `release`.

        Raises:
            EngineError: The device failed; the block has been released.
        """
        try:
            self._future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            self.discard()
            return False
        except EngineError:
            self.release()
            raise
        except Exception as error:
            # CUDA and TensorRT have their own errors, and this module does not import them; callers handle one
            self.release()
            raise EngineError(f"The GPU failed: {error}") from error
        return True

    def discard(self) -> None:
        """Release the block as soon as the device is done."""
        self._future.add_done_callback(lambda _: self.release())


class DeviceFaces:
    """The faces of a frame that are on the device."""

    def __init__(self, job: FrameJob, block: NDArray[np.uint8], future: Future[None], release: Callable[[], None]) -> None:
        self._job, self._block = job, block
        self._pending = _PendingJob(future, release)

    def paste(self, planes: Planes, deadline: float | None = None) -> PasteOutcome:
        finite, in_time = np.ones((2, self._job.count), np.bool_)
        if not self._pending.wait(deadline):
            in_time[:] = False
        else:
            self._job.write_back(self._block, planes)
            finite = self._job.finite(self._block).copy()
            self._pending.release()
        return PasteOutcome(finite, in_time)

    def discard(self) -> None:
        self._pending.discard()
